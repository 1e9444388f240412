"""``locum audit``: following and searching audit files, and the chain of sessions behind a record."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from locum.cli import main
from locum.cli.moments import read_moment
from locum.cli.trail import Question, follow, read_record
from locum.testing import RunningServer, running_server

from .terminal import Terminal

ACCOUNT = "111122223333"
START = 1_767_323_045
KEY = "ASIAQNZGKIQY56JQ7WM"


def identity(name: str, key: str = "AKIAALICE", role: str = "", source: str = "") -> dict[str, Any]:
    if not role:
        arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
        return {"type": "IAMUser", "arn": arn, "accountId": ACCOUNT, "accessKeyId": key, "userName": name}
    context: dict[str, Any] = {"sessionIssuer": {"arn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "userName": role}}
    if source:
        context["sourceIdentity"] = source
    return {
        "type": "AssumedRole",
        "principalId": f"AROA{role}:{name}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "sessionContext": context,
    }


def record(seconds: int, name: str, who: dict[str, Any], *, service: str = "sts", **more: Any) -> dict[str, Any]:
    minutes, rest = divmod(seconds, 60)
    return {
        "eventVersion": "1.11",
        "userIdentity": who,
        "eventTime": f"2026-01-02T03:{minutes:02d}:{rest:02d}Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "sourceIPAddress": "198.51.100.7",
        "requestParameters": None,
        "responseElements": None,
        "requestID": f"00000000-0000-4000-8000-{seconds:012d}",
        "recipientAccountId": ACCOUNT,
    } | more


def assumed(seconds: int, who: dict[str, Any], role: str, key: str, **asked: str) -> dict[str, Any]:
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/s{role}"
    return record(
        seconds,
        "AssumeRole",
        who,
        requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}", **asked},
        responseElements={"credentials": {"accessKeyId": key}, "assumedRoleUser": {"arn": arn}},
    )


ALICE = identity("alice")
A = identity("sA", f"{KEY}A", "A", "alice")
B = identity("sB", f"{KEY}B", "B", "alice")
RECORDS = [
    record(0, "GetCallerIdentity", identity("bob", "AKIABOB")),
    assumed(1, ALICE, "A", f"{KEY}A", sourceIdentity="alice"),
    record(2, "CreateUser", A, service="iam", requestParameters={"userName": "new"}),
    assumed(3, A, "B", f"{KEY}B"),
    assumed(4, identity("bob", "AKIABOB"), "A", f"{KEY}C"),
    record(5, "DeleteUser", B, service="iam", errorCode="AccessDenied", requestParameters={"userName": "x"}),
    record(6, "GetUser", identity("sA", f"{KEY}C", "A"), service="iam", requestParameters={"userName": "new"}),
    record(7, "GetCallerIdentity", {"type": "Unknown"}, errorCode="InvalidClientTokenId", recipientAccountId=None),
    record(8, "AssumeRole", {"type": "AWSAccount", "accountId": "444455556666"}, errorCode="AccessDenied"),
]


def lines(records: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in records)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three files: two that were turned over, and the current one."""
    (tmp_path / "audit-20260102T030402Z.jsonl").write_bytes(lines(RECORDS[:2]))
    (tmp_path / "audit-20260102T030404Z.jsonl").write_bytes(lines(RECORDS[2:5]))
    path = tmp_path / "audit.jsonl"
    path.write_bytes(lines(RECORDS[5:]))
    return path


@pytest.fixture
def locum(path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("LOCUM_AUDIT_FILE", str(path))

    return Terminal(capsys, "audit")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), [0, 1, 2, 3, 4, 5, 6, 7]),
        (("--principal", "alice"), [1]),
        (("--principal", f"arn:aws:iam::{ACCOUNT}:user/bob"), [0, 4]),
        (("--principal", "*:user/*"), [0, 1, 4]),
        (("--principal", "sA"), [2, 3, 6]),
        (("--principal", f"{KEY}A"), [2, 3]),
        (("--principal", "AROAB:*"), [5]),
        (("--principal", "Alice"), []),
        (("--role", "A"), [1, 2, 3, 4, 6]),
        (("--role", "B"), [3, 5]),
        (("--role", f"arn:aws:iam::{ACCOUNT}:role/B"), [3, 5]),
        (("--role", "A", "--principal", "s*"), [2, 3, 6]),
        (("--action", "sts:AssumeRole"), [1, 3, 4]),
        (("--action", "assumerole"), [1, 3, 4]),
        (("--action", "iam:*User"), [2, 5, 6]),
        (("--action", "iam:Get"), []),
        (("--source-identity", "alice"), [1, 2, 3, 5]),
        (("--failed",), [5, 7]),
        (("--request", "00000000-0000-4000-8000-000000000004"), [4]),
        (("--since", "2026-01-02T03:00:05Z"), [5, 6, 7]),
        (("--until", "2026-01-02T03:00:02Z"), [0, 1]),
        (("--since", "2026-01-02T04:00:02+01:00", "--until", "2026-01-02T03:00:04"), [2, 3]),
        (("--account", ACCOUNT), [0, 1, 2, 3, 4, 5, 6, 8]),
        (("--account", "444455556666"), [8]),
        (("--limit", "2"), [6, 7]),
    ],
)
def test_a_search_finds_what_fits_every_option(locum: Terminal, options: tuple[str, ...], found: list[int]) -> None:
    status, out, err = locum("search", "--json", *options)
    assert [json.loads(line) for line in out.splitlines()] == [RECORDS[number] for number in found]
    assert status == (0 if found else 1)
    assert ("more than 2 records" in err) == (options == ("--limit", "2"))


def test_a_line_says_who_did_what_as_which_role(locum: Terminal) -> None:
    _, out, err = locum("search", "--principal", "s*", "--action", "iam:*")
    assert err == ""
    assert out.splitlines() == [
        f"2026-01-02T03:00:02Z arn:aws:sts::{ACCOUNT}:assumed-role/A/sA iam:CreateUser new: ok "
        "(from 198.51.100.7, 00000000-0000-4000-8000-000000000002)",
        f"2026-01-02T03:00:05Z arn:aws:sts::{ACCOUNT}:assumed-role/B/sB iam:DeleteUser x: AccessDenied "
        "(from 198.51.100.7, 00000000-0000-4000-8000-000000000005)",
        f"2026-01-02T03:00:06Z arn:aws:sts::{ACCOUNT}:assumed-role/A/sA iam:GetUser new: ok "
        "(from 198.51.100.7, 00000000-0000-4000-8000-000000000006)",
    ]
    assert locum("search", "--request", "00000000-0000-4000-8000-000000000007")[1].startswith(
        "2026-01-02T03:00:07Z nobody sts:GetCallerIdentity: InvalidClientTokenId"
    )


def test_a_chain_leads_to_the_first_person(locum: Terminal) -> None:
    status, out, err = locum("search", "--action", "DeleteUser", "--chain")
    assert (status, err) == (0, "")
    assert out == (
        f"arn:aws:iam::{ACCOUNT}:user/alice (AKIAALICE)\n"
        f"└─ 2026-01-02T03:00:01Z sts:AssumeRole → arn:aws:sts::{ACCOUNT}:assumed-role/A/sA "
        f"({KEY}A, source identity alice)\n"
        f"   └─ 2026-01-02T03:00:03Z sts:AssumeRole → arn:aws:sts::{ACCOUNT}:assumed-role/B/sB "
        f"({KEY}B, source identity alice)\n"
        "      └─ 2026-01-02T03:00:05Z iam:DeleteUser x: AccessDenied "
        "(from 198.51.100.7, 00000000-0000-4000-8000-000000000005)\n"
    )


def test_several_chains_are_several_trees_and_share_what_they_share(locum: Terminal) -> None:
    _, out, _ = locum("search", "--action", "iam:*", "--chain")
    shape = re.sub(r"2026\S+ |arn:aws:(sts|iam)::\d+:(user|assumed-role)/|(: \w+)? \(.*\)", "", out, flags=re.MULTILINE)
    assert shape.splitlines() == [
        "alice",
        "└─ sts:AssumeRole → A/sA",
        "   ├─ iam:CreateUser new",
        "   └─ sts:AssumeRole → B/sB",
        "      └─ iam:DeleteUser x",
        "bob",
        "└─ sts:AssumeRole → A/sA",
        "   └─ iam:GetUser new",
    ]


def test_a_chain_whose_beginning_is_gone_says_so(locum: Terminal, path: Path) -> None:
    (path.parent / "audit-20260102T030402Z.jsonl").unlink()
    _, out, _ = locum("search", "--action", "DeleteUser", "--chain")
    first = out.splitlines()[0]
    assert first == f"arn:aws:sts::{ACCOUNT}:assumed-role/A/sA ({KEY}A, of whose issue no file tells)"


def test_an_issue_that_stands_in_a_newer_file_than_its_use_is_found(locum: Terminal, path: Path) -> None:
    path.write_bytes(lines([RECORDS[3], RECORDS[1]]))
    (path.parent / "audit-20260102T030402Z.jsonl").write_bytes(lines([RECORDS[5]]))
    (path.parent / "audit-20260102T030404Z.jsonl").unlink()
    _, out, _ = locum("search", "--action", "DeleteUser", "--chain")
    assert out.startswith(f"arn:aws:iam::{ACCOUNT}:user/alice (AKIAALICE)\n")


def test_what_is_no_record_is_passed_over_and_what_is_torn_is_mended(locum: Terminal, path: Path) -> None:
    whole = lines(RECORDS[5:])
    torn = whole[:80] + lines([RECORDS[6]])
    path.write_bytes(b"\n\nnonsense\n[1]\n{}\n\xff\xfe\n" + torn)
    _, out, _ = locum("search", "--since", "2026-01-02T03:00:05Z")
    assert len(out.splitlines()) == 1
    assert "iam:GetUser" in out


def test_nothing_that_a_client_chose_reaches_the_terminal_as_a_command(locum: Terminal, path: Path) -> None:
    evil = record(9, "CreateUser", ALICE, service="iam", requestParameters={"userName": "\x1b[2J\x9b\u202e"})
    path.write_bytes(lines([evil]))
    for options in ((), ("--chain",)):
        _, out, _ = locum("search", "--request", "00000000-0000-4000-8000-000000000009", *options)
        assert out.replace("\n", "").isprintable()


def test_the_newest_records_are_shown(locum: Terminal) -> None:
    status, out, err = locum("tail", "-n", "4", "--json")
    assert (status, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == RECORDS[-4:]
    assert [json.loads(line) for line in locum("tail", "--json")[1].splitlines()] == RECORDS
    assert len(locum("tail", "-n", "1")[1].splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("search", "--chain", "--json"), 2, "--chain prints a tree"),
        (("search", "--since", "yesterday"), 2, "'yesterday' is no time"),
        (("search", "--principal", "nobody at all"), 1, "no record in"),
        (("search", "--audit-file", "nowhere/at/all"), 1, "nowhere/at/all cannot be read"),
        (("tail", "--audit-file", "nowhere/at/all"), 1, "nowhere/at/all cannot be read"),
    ],
)
def test_what_goes_wrong_is_said(locum: Terminal, arguments: tuple[str, ...], status: int, said: str) -> None:
    ended, out, err = locum(*arguments)
    assert (ended, out) == (status, "")
    assert said in err


class Enough(Exception):
    """The test has seen enough."""


def following(path: Path, *steps: Callable[[], object]) -> Iterator[bytes]:
    """What ``follow`` gives while one step is taken in each of its pauses."""
    left = list(steps)

    def pause(_: float) -> None:
        if not left:
            raise Enough
        left.pop(0)()

    try:
        yield from follow(path, pause)
    except Enough:
        return


def append(path: Path, text: bytes) -> Callable[[], object]:
    def step() -> None:
        with path.open("ab") as file:
            file.write(text)

    return step


def test_following_shows_what_is_written_from_now_on(path: Path) -> None:
    found = following(path, append(path, b"one\ntw"), append(path, b"o\n"), append(path, b"\nthree\n"))
    assert list(found) == [b"one", b"two", b"three"]


def test_following_goes_on_in_the_next_file_after_the_rest_of_the_old_one(path: Path) -> None:
    old = path.with_name("audit-20260102T030500Z.jsonl")
    found = following(
        path,
        append(path, b"one\n"),
        lambda: path.rename(old),
        append(old, b"two\n"),
        append(path, b"four\n"),
        append(old, b"three\n"),  # by a worker that has not looked yet
        append(path, b"five\n"),
    )
    assert list(found) == [b"one", b"two", b"three", b"four", b"five"]


def test_following_waits_for_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    assert list(following(path, lambda: None, append(path, b"one\n"))) == [b"one"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", START),
        ("2026-01-02T04:04:05+01:00", START),
        ("2026-01-02", START - 11_045),
        ("90m", 1_000_000 - 5_400),
        ("2w", 1_000_000 - 1_209_600),
    ],
)
def test_a_moment_is_read_as_people_write_it(text: str, moment: int) -> None:
    assert read_moment(text, 1_000_000) == moment


@pytest.mark.parametrize("text", ["", "m", "-5m", "5", "5y", "٥m", "9999999m", "2026-13-01"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no moment"):
        read_moment(text, 1_000_000)


def test_a_question_about_nothing_fits_every_caller_s_record() -> None:
    read = [read_record(line) for line in lines(RECORDS).splitlines()]
    assert [each is not None and Question().fits(each) for each in read] == [True] * 8 + [False]


@pytest.mark.facts("R38")
def test_a_real_chain_is_shown_and_holds_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    with running_server(on_disk=True) as server:
        secrets = real_chain(server)
        path = str(server.audit_path)
        with pytest.raises(SystemExit):
            main(["audit", "search", "--audit-file", path, "--action", "iam:ListUsers", "--chain"])
        tree = capsys.readouterr().out
        with pytest.raises(SystemExit):
            main(["audit", "tail", "--audit-file", path, "-n", "100", "--json"])
        everything = capsys.readouterr().out
    assert [line.count("   ") for line in tree.splitlines()] == [0, 0, 1, 2]
    assert "user/alice" in tree.splitlines()[0]
    assert "/A/first" in tree.splitlines()[1]
    assert "/B/second" in tree.splitlines()[2]
    assert "iam:ListUsers: ok" in tree.splitlines()[3]
    assert not [each for each in secrets if each in tree or each in everything]


def real_chain(server: RunningServer) -> list[str]:
    """Alice assumes A, A assumes B, and that session lists the users; every secret that went over the wire."""

    def client(service: str, keys: dict[str, str]) -> Any:
        return boto3.client(service, endpoint_url=server.url, region_name=server.region, **keys)

    def keys_of(credentials: dict[str, str]) -> dict[str, str]:
        secrets.extend((credentials["SecretAccessKey"], credentials["SessionToken"]))
        return {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }

    secrets: list[str] = []
    root = client("iam", server.root_credentials.boto3_arguments())
    allow = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": server.account_id},
                "Action": "sts:AssumeRole",
            },
        }
    )
    root.create_user(UserName="alice")
    root.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=allow)
    key = root.create_access_key(UserName="alice")["AccessKey"]
    secrets.append(key["SecretAccessKey"])
    for name in "AB":
        root.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        root.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=allow)
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    for name, session in (("A", "first"), ("B", "second")):
        arn = f"arn:aws:iam::{server.account_id}:role/{name}"
        keys = keys_of(client("sts", keys).assume_role(RoleArn=arn, RoleSessionName=session)["Credentials"])
    client("iam", keys).list_users()
    return secrets
