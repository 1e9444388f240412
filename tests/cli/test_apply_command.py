"""``locum apply`` and ``locum export`` as programs: what they print where, what they ask, exit statuses, no secrets."""

from __future__ import annotations

import configparser
import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from locum.core.records import AccessKey, Account, Role, User
from locum.server.bootstrap import bootstrap
from locum.server.config import Settings
from locum.server.data import Data, open_data
from locum.store import Key
from locum.store.records import Records

from . import terminal
from .terminal import Outcome
from .test_beside_server import Beside, code_of

ACCOUNT = "111122223333"
OTHER = "444455556666"
TRUST = f"{{Version: 2012-10-17, Statement: {{Effect: Allow, Principal: {{AWS: '{OTHER}'}}, Action: sts:AssumeRole}}}}"
FILE = f"""\
locum: 1
accounts:
  {ACCOUNT}:
    users: {{alice: {{tags: {{team: blue}}}}}}
    roles:
      deploy: {{trust: {TRUST}}}
"""
PLAN = f"""\
account {ACCOUNT}
  + user alice
      + tag team = blue
  + role deploy
2 to make, 0 to change, 0 to delete
"""


class Terminal(terminal.Terminal):
    """The command line in this process, with a data directory that a first start has made, in a folder of its own."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        super().__init__(capture)
        self.settings = Settings(data=folder / "data", account_id=ACCOUNT)
        data = open_data(self.settings, create=True)
        bootstrap(data.store, data.vault, self.settings, 1_700_000_000, os.urandom)
        data.store.close()
        self.file = folder / "file.yaml"
        self.file.write_text(FILE)

    def apply(self, *arguments: str) -> Outcome:
        return self("apply", str(self.file), *arguments)

    def open(self) -> Data:
        return open_data(self.settings)

    def has(self, kind: type[User] | type[Role] | type[Account], name: str, account: str = ACCOUNT) -> bool:
        data = self.open()
        try:
            with data.store.snapshot() as rows:
                return Records(rows).get(kind, account, name) is not None
        finally:
            data.store.close()


@pytest.fixture
def locum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    terminal.settle(monkeypatch, tmp_path)
    monkeypatch.setenv("LOCUM_DATA", str(tmp_path / "data"))
    return Terminal(tmp_path, capsys)


class Person(io.StringIO):
    """Somebody at a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_plan_is_the_result(locum: Terminal) -> None:
    assert locum.apply("--dry-run") == (0, PLAN, "")
    assert not locum.has(User, "alice")
    assert locum.apply("--check") == (1, PLAN, "")
    assert not locum.has(User, "alice")
    assert locum.apply("--yes") == (0, PLAN, "")
    assert locum.has(User, "alice")
    assert locum.apply("--yes") == (0, "nothing to change\n", "")
    assert locum.apply("--check") == (0, "nothing to change\n", "")


def test_the_plan_as_json(locum: Terminal) -> None:
    status, out, err = locum.apply("--dry-run", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "changes": [
            {"sign": "+", "scope": ACCOUNT, "kind": "user", "name": "alice", "details": ["+ tag team = blue"]},
            {"sign": "+", "scope": ACCOUNT, "kind": "role", "name": "deploy", "details": []},
        ],
        "kept": [],
    }


@pytest.mark.parametrize(("answer", "status", "applied"), [("y\n", 0, True), ("n\n", 1, False), ("\n", 1, False)])
def test_somebody_is_asked(
    locum: Terminal, monkeypatch: pytest.MonkeyPatch, answer: str, status: int, applied: bool
) -> None:
    monkeypatch.setattr("sys.stdin", Person(answer))
    outcome = locum.apply()
    assert (outcome.status, outcome.out.startswith(PLAN)) == (status, True)
    assert ("nothing was changed" in outcome.err) is not applied
    assert locum.has(User, "alice") is applied


def test_nobody_is_asked_about_nothing(locum: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locum.apply("--yes").status == 0
    monkeypatch.setattr("sys.stdin", Person(""))
    assert locum.apply() == (0, "nothing to change\n", "")


def test_a_plan_that_is_no_longer_true_is_not_applied(locum: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Person):
        def readline(self, *_: object) -> str:  # type: ignore[override]
            data = locum.open()
            with data.store.transaction() as rows:
                user = User(account=ACCOUNT, id="AIDAEXAMPLE000000000", name="alice", created=1)
                Records(rows).create(user)
            data.store.close()
            return "y\n"

    monkeypatch.setattr("sys.stdin", Slow())
    outcome = locum.apply()
    assert outcome.status == 1
    assert "something else was changed meanwhile" in outcome.err
    assert not locum.has(Role, "deploy")


def test_where_nobody_can_be_asked_that_is_wrong_usage(locum: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    status, out, err = locum.apply()
    assert (status, out) == (2, "")
    assert "add --yes" in err
    monkeypatch.setattr("sys.stdin", Person("y\n"))
    assert locum("apply", "-").status == 2
    assert not locum.has(User, "alice")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("locum: 1\naccounts:\n  a: [", ["4:1: this is no YAML: "]),
        (
            FILE.replace("tags:", "tag:").replace("trust:", "trst:"),
            ["4:21: there is no member", "6:7: trust is m", "6:16: t"],
        ),
        (FILE.replace("blue", '"\\e[1m"'), ["4:34: tags.1.member.value: "]),
        (FILE.replace("alice", '"al\\eice"'), ["4:13: The specified value for userName"]),
    ],
)
def test_a_mistake_is_told_with_file_and_line(locum: Terminal, text: str, lines: list[str]) -> None:
    locum.file.write_text(text)
    status, out, err = locum.apply("--yes")
    assert (status, out) == (1, "")
    said = err.splitlines()
    assert len(said) == len(lines) + 2
    for told, line in zip(said, lines, strict=False):
        assert told.startswith(f"locum: {locum.file}:{line}")
    assert "\x1b" not in err
    assert said[-2] == "locum: nothing was changed"
    assert not locum.has(User, "alice")


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), (b"locum: 1\n\xff", "file.yaml:2: this is not UTF-8")]
)
def test_a_file_that_cannot_be_read_is_wrong_usage(locum: Terminal, content: bytes | None, said: str) -> None:
    if content is None:
        locum.file.unlink()
    else:
        locum.file.write_bytes(content)
    status, out, err = locum.apply("--yes")
    assert (status, out) == (2, "")
    assert said in err


def test_what_is_left_alone_is_said(locum: Terminal) -> None:
    locum.apply("--yes")
    locum.file.write_text(f"locum: 1\naccounts: {{{ACCOUNT}: {{users: {{}}}}}}\n")
    status, out, err = locum.apply("--yes")
    assert (status, out) == (0, "nothing to change\n")
    assert f"left alone: user alice of account {ACCOUNT}" in err
    assert "--prune" in err
    status, out, err = locum.apply("--yes", "--prune")
    assert (status, out) == (0, f"account {ACCOUNT}\n  - user alice\n0 to make, 0 to change, 1 to delete\n")
    assert not locum.has(User, "alice")


def test_a_new_account_has_no_key_yet(locum: Terminal) -> None:
    locum.file.write_text(f"locum: 1\naccounts: {{{OTHER}: {{name: other}}}}\n")
    status, _, err = locum.apply("--dry-run")
    assert (status, err) == (0, "")
    status, _, err = locum.apply("--yes")
    assert status == 0
    assert f"locum root reset-key --account {OTHER}" in err
    assert locum.has(Account, OTHER, "")
    assert locum("root", "reset-key", "--account", OTHER).status == 0


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_what_is_exported_is_applied(locum: Terminal, form: str) -> None:
    locum.apply("--yes")
    status, out, err = locum("export", "--format", form)
    assert (status, err) == (0, "")
    locum.file = locum.file.with_suffix(f".{form}")
    locum.file.write_text(out)
    assert locum.apply("--yes", "--prune") == (0, "nothing to change\n", "")
    assert locum("export", "--format", form).out == out
    assert locum("export", "--format", form, "--account", ACCOUNT).out == out


def test_an_account_that_is_not_there_is_not_exported(locum: Terminal) -> None:
    status, out, err = locum("export", "--account", OTHER)
    assert (status, out) == (1, "")
    assert f"there is no account '{OTHER}'" in err


@pytest.mark.facts("R38")
def test_no_secret_is_exported(locum: Terminal) -> None:
    locum.apply("--yes")
    data = locum.open()
    with data.store.transaction() as rows:
        user = Records(rows).get(User, ACCOUNT, "alice")
        assert user is not None
        Records(rows).create(
            AccessKey(
                id="AKIAEXAMPLE000000000", account=ACCOUNT, owner=user.record.id, created=1, secret=b"sealed-bytes"
            )
        )
        assert rows.get(Key("", AccessKey.kind, "AKIAEXAMPLE000000000")) is not None
    data.store.close()
    for form in ("yaml", "json"):
        out = locum("export", "--format", form).out
        assert "alice" in out
        assert "AKIA" not in out
        assert "sealed" not in out


def test_data_options_name_the_directory(locum: Terminal, tmp_path: Path) -> None:
    status, out, err = locum.apply("--yes", "--data", str(tmp_path / "none"))
    assert (status, out) == (1, "")
    assert "none" in err
    assert locum("export", "--data", str(tmp_path / "data")).status == 0
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_without_yaml_json_is_enough_and_yaml_names_what_is_missing(locum: Terminal, tmp_path: Path) -> None:
    # Its own process, where the package cannot be found.
    script = "import sys\nsys.modules['yaml'] = None\nfrom locum.cli import main\nmain(sys.argv[1:])\n"
    file = tmp_path / "x.json"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
        )

    done = run("export", "--format", "json")
    assert done.returncode == 0
    file.write_text(done.stdout)
    assert run("apply", "x.json", "--yes").stdout == "nothing to change\n"
    for arguments in (["apply", "file.yaml", "--yes"], ["export"]):
        done = run(*arguments)
        assert done.returncode == 1
        assert "locum[yaml]" in done.stderr
    assert not locum.has(User, "alice")


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Beside]:
    server = Beside(tmp_path / "served")
    try:
        yield server.wait_ready()
    finally:
        server.process.terminate()
        server.process.communicate()


def test_the_next_request_to_either_worker_sees_what_was_applied(beside: Beside, tmp_path: Path) -> None:
    profile = configparser.RawConfigParser()
    profile.read(beside.directory / "root-credentials")
    root = (profile["default"]["aws_access_key_id"], profile["default"]["aws_secret_access_key"])
    sts = beside.sts(*root)
    account = sts.get_caller_identity()["Account"]
    file = tmp_path / "served.json"

    def trusting(effect: str) -> None:
        statement = {"Effect": effect, "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
        trust = {"Version": "2012-10-17", "Statement": statement}
        roles = {"deploy": {"trust": trust}, "reader": {"trust": trust}}
        users = {"alice": {"attached": ["arn:aws:iam::aws:policy/AdministratorAccess"]}}
        file.write_text(json.dumps({"locum": 1, "accounts": {account: {"roles": roles, "users": users}}}))
        beside.run("apply", str(file), "--yes")

    trusting("Allow")
    iam = boto3.client(
        "iam",
        endpoint_url=beside.url,
        region_name="us-east-1",
        aws_access_key_id=root[0],
        aws_secret_access_key=root[1],
    )
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    alice = beside.sts(key["AccessKeyId"], key["SecretAccessKey"])
    role = f"arn:aws:iam::{account}:role/deploy"
    for _ in range(4):  # whichever worker answers
        assert alice.assume_role(RoleArn=role, RoleSessionName="session")["AssumedRoleUser"]
    trusting("Deny")
    for _ in range(4):
        assert code_of(lambda: alice.assume_role(RoleArn=role, RoleSessionName="session")) == "AccessDenied"
    assert [each["RoleName"] for each in iam.list_roles()["Roles"]] == ["deploy", "reader"]
