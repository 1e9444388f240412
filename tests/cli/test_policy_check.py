"""``locum policy check``: what it prints, and how it ends."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from locum.cli import main
from locum.cli.documents import LONGEST_FILE
from locum.server.bootstrap import bootstrap
from locum.server.config import Settings
from locum.server.data import open_data

from .terminal import Terminal, settle

GOOD = """{
  "Version": "2012-10-17",
  "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::ledger/*"}
}
"""
BAD = GOOD.replace('"s3:GetObject"', '["s3:GetObject", "GetObject"]')
DOUBTFUL = GOOD.replace('"Action"', '"NotAction"')
TRUST = """{"Statement": {
  "Effect": "Allow",
  "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},
  "Action": "sts:AssumeRoleWithWebIdentity"
}}"""


class Check(Terminal):
    """Runs ``locum policy check`` in this process, in a directory of its own."""

    def __init__(self, capture: pytest.CaptureFixture[str], directory: Path) -> None:
        super().__init__(capture, "policy", "check")
        self.directory = directory

    def write(self, name: str, text: str) -> str:
        (self.directory / name).write_text(text, encoding="utf-8")
        return name


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Check:
    settle(monkeypatch, tmp_path)
    return Check(capsys, tmp_path)


def test_a_good_document_prints_nothing(check: Check) -> None:
    assert check(check.write("good.json", GOOD)) == (0, "", "")


def test_an_error_has_file_line_and_column_the_message_of_aws_and_a_hint(check: Check) -> None:
    status, out, err = check(check.write("bad.json", BAD))
    assert status == 1
    assert out.splitlines() == [
        "bad.json:3:63: error: Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. "
        "[invalid-action]",
        "    Statement[0].Action[1]: an action is a service's prefix, a colon and a name",
        '    hint: write it like "s3:GetObject"',
    ]
    assert err == "locum: 1 error\n"


def test_warnings_fail_only_where_they_are_told_to(check: Check) -> None:
    name = check.write("doubtful.json", DOUBTFUL)
    status, out, err = check(name)
    assert (status, err) == (0, "locum: 1 warning\n")
    assert out.startswith("doubtful.json:3:36: warning: NotAction with Allow")
    assert check("--strict", name).status == 1


def test_several_files_are_checked_each_as_what_it_looks_like(check: Check) -> None:
    files = [check.write("a.json", GOOD), check.write("b.json", BAD), check.write("c.json", TRUST)]
    status, out, err = check(*files)
    assert status == 1
    assert [line.split(":")[0] for line in out.splitlines() if not line.startswith(" ")] == ["b.json", "c.json"]
    assert "A condition on token.actions.githubusercontent.com:sub must be present" in out
    assert err == "locum: 2 errors\n"


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("managed", TRUST, "Policy document must be version 2012-10-17 or greater."),
        ("inline", TRUST, "Policy document should not specify a principal."),
        ("session", TRUST, "Policy document should not specify a principal."),
        ("trust", GOOD, "Missing required field Principal"),
        ("resource", GOOD, "Missing required field Principal"),
        ("scp", TRUST, "The provided policy document does not meet the requirements"),
        ("rcp", GOOD, "The provided policy document does not meet the requirements"),
    ],
)
def test_the_kind_can_be_named(check: Check, kind: str, text: str, message: str) -> None:
    outcome = check("--kind", kind, check.write("x.json", text))
    assert outcome.status == 1
    assert message in outcome.out


def test_json_holds_all_of_it(check: Check) -> None:
    status, out, err = check("--json", check.write("bad.json", BAD), check.write("good.json", GOOD))
    assert (status, err) == (1, "locum: 1 error\n")
    bad, good = json.loads(out)
    assert good == {"file": "good.json", "kind": "managed policy", "cut": False, "findings": []}
    (finding,) = bad["findings"]
    assert finding == {
        "severity": "error",
        "code": "invalid-action",
        "message": "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        "why": "an action is a service's prefix, a colon and a name",
        "fix": 'write it like "s3:GetObject"',
        "path": "Statement[0].Action[1]",
        "line": 3,
        "column": 63,
        "end_line": 3,
        "end_column": 73,
    }


def test_standard_input_is_a_file_too(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(BAD.encode())))
    outcome = check("-")
    assert outcome.status == 1
    assert outcome.out.startswith("-:3:63: error: ")


def test_what_is_left_out_is_said(check: Check) -> None:
    many = json.dumps({"Version": "2012-10-17", "Statement": [1] * 300})
    status, out, err = check(check.write("many.json", many))
    assert status == 1
    assert out.count(": error: ") == 200
    assert err.splitlines()[0] == "locum: many.json has more than 200 findings"


@pytest.mark.parametrize(
    ("data", "text", "hint"),
    [
        (None, "x.json cannot be read: No such file or directory", "name a file"),
        (b"\xff{}", "x.json is not UTF-8 at byte 0", "save it as UTF-8"),
        (b" " * (LONGEST_FILE + 1), f"x.json is longer than {LONGEST_FILE} bytes", "is it a policy document?"),
    ],
)
def test_a_file_that_cannot_be_read_is_wrong_usage(check: Check, data: bytes | None, text: str, hint: str) -> None:
    if data is not None:
        (check.directory / "x.json").write_bytes(data)
    status, out, err = check("x.json")
    assert (status, out) == (2, "")
    first, second = err.splitlines()
    assert first == f"locum: {text}"
    assert second.startswith(f"hint: {hint}")


def test_no_file_and_an_unknown_kind_are_wrong_usage(check: Check) -> None:
    assert check().status == 2
    assert check("--kind", "boundary", check.write("good.json", GOOD)).status == 2


def test_nothing_in_a_document_reaches_the_terminal_as_it_is(check: Check) -> None:
    evil = GOOD.replace("s3:GetObject", r"sts:\u001b[31m\u202e\n\u009b").replace(
        '"Effect"', r'"Sid": "\u001b", "Effect"'
    )
    out = check(check.write("evil.json", evil.replace("ledger", r"\u001bledger"))).out
    out += check(check.write("evil.json", GOOD.replace("arn:aws:s3:::ledger/*", r"\u001b[31m\u0085"))).out
    assert "31m" in out
    assert "must be in ARN format" in out
    assert all(each.isprintable() or each == "\n" for each in out)


def test_the_limits_of_an_account_of_the_data_directory_count(check: Check) -> None:
    settings = Settings(data=check.directory / "locum-data")
    data = open_data(settings, create=True)
    bootstrap(data.store, data.vault, settings, 1_700_000_000, os.urandom)
    data.store.close()
    with pytest.raises(SystemExit):
        main(["account", "create", "--id", "000000000042"])
    wide = TRUST.replace("AssumeRoleWithWebIdentity", "AssumeRole").replace(
        TRUST[TRUST.index('{"Federated') : TRUST.index("},") + 1],
        json.dumps({"AWS": [f"arn:aws:iam::{n:012d}:root" for n in range(60)]}),
    )
    name = check.write("wide.json", wide)
    check("--json", name)
    assert "Cannot exceed quota for ACLSizePerRole: 2048" in check(name).out
    with pytest.raises(SystemExit):
        main(["account", "limits", "000000000042", "ACLSizePerRole=4096"])
    assert check("--account", "000000000042", name).status == 0
    outcome = check("--account", "000000000043", name)
    assert outcome.status == 1
    assert "there is no account '000000000043'" in outcome.err


def test_it_runs_as_a_program(check: Check) -> None:
    name = check.write("bad.json", BAD)
    done = subprocess.run(
        [sys.executable, "-m", "locum", "policy", "check", "-", name],
        input=GOOD,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("bad.json:3:63: error: ")
