"""``locum explain``: from a refused call of boto3 to the policy and the fix, on the machine and from afar."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from tests.interop.clients import Boto3, Place
from tests.interop.world import Account, World, allow, deny, distrusts, policy, trusts

from locum.cli import explain
from locum.server import auditfile
from locum.server.denials import HEADER
from locum.testing import Credentials, running_server

from .terminal import Terminal, settle

pytestmark = pytest.mark.xdist_group("explain")


@pytest.fixture
def locum(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    settle(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return Terminal(capsys, "explain")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_server(on_disk=True) as server:
        boto = Boto3(Place(server.url, server.region))
        yield World(server, boto)
        boto.close()


@pytest.fixture
def account(world: World) -> Account:
    return world.account()


@pytest.fixture
def data(world: World) -> str:
    return str(world.server.audit_path.parent)


class Refusal(NamedTuple):
    """What boto3 knows of a refused call."""

    request_id: str
    message: str


def refused(account: Account, who: Credentials, service: str, operation: str, **parameters: Any) -> Refusal:
    with pytest.raises(ClientError) as raised:
        getattr(account.boto.client(who, service), operation)(**parameters)
    metadata = raised.value.response["ResponseMetadata"]
    assert raised.value.response["Error"]["Code"] == "AccessDenied"
    return Refusal(metadata["RequestId"], metadata["HTTPHeaders"].get(HEADER, ""))


def listing(account: Account, who: Credentials) -> Refusal:
    return refused(account, who, "iam", "list_users")


def assuming(account: Account, who: Credentials, role: str) -> Refusal:
    return refused(account, who, "sts", "assume_role", RoleArn=role, RoleSessionName="job")


def by_identity(account: Account) -> Refusal:
    return listing(account, account.user(allow("iam:ListRoles")).key)


def by_deny_of_identity(account: Account) -> Refusal:
    return listing(account, account.user(allow("*"), deny("iam:List*") | {"Sid": "NoLists"}).key)


def by_boundary(account: Account) -> Refusal:
    return listing(account, account.user(allow("*"), boundary=allow("iam:ListRoles") | {"Sid": "Limit"}).key)


def by_deny_of_boundary(account: Account) -> Refusal:
    limit = account.managed(allow("*"), deny("iam:List*") | {"Sid": "NoLists"})
    user = account.user(allow("*"))
    account.iam("PutUserPermissionsBoundary", UserName=user.name, PermissionsBoundary=limit)
    return listing(account, user.key)


def _session(account: Account, *statements: dict[str, Any]) -> Refusal:
    user = account.user()
    role = account.role(trusts(user.arn), may=(allow("*"),))
    return listing(account, account.assume(user.key, role, Policy=policy(*statements)).key)


def by_session_policy(account: Account) -> Refusal:
    return _session(account, allow("iam:ListRoles"))


def by_deny_of_session_policy(account: Account) -> Refusal:
    return _session(account, allow("*"), deny("iam:List*") | {"Sid": "NoLists"})


def by_trust(account: Account) -> Refusal:
    user, friend = account.user(allow("sts:*")), account.user()
    return assuming(account, user.key, account.role(trusts(friend.arn) | {"Sid": "Friends"}).arn)


def by_deny_of_trust(account: Account) -> Refusal:
    user = account.user(allow("sts:*"))
    role = account.role(trusts(user.arn), distrusts(user.arn) | {"Sid": "NotYou"})
    return assuming(account, user.key, role.arn)


SCENES: dict[str, tuple[Callable[[Account], Refusal], list[str]]] = {
    "identity policy": (
        by_identity,
        ["no identity-based policy allows the iam:ListUsers action", "iam:ListRoles", "Action", "fix:"],
    ),
    "deny in an identity policy": (
        by_deny_of_identity,
        ["with an explicit deny in an identity-based policy", "Deny statement NoLists applies", "iam:List*"],
    ),
    "boundary": (
        by_boundary,
        ["no permissions boundary allows the iam:ListUsers action", ":policy/policy-", "statement Limit"],
    ),
    "deny in a boundary": (
        by_deny_of_boundary,
        ["with an explicit deny in a permissions boundary", ":policy/policy-", "Deny statement NoLists"],
    ),
    "session policy": (
        by_session_policy,
        ["no session policy allows the iam:ListUsers action", "session policy: does not allow"],
    ),
    "deny in a session policy": (
        by_deny_of_session_policy,
        ["with an explicit deny in a session policy", "Deny statement NoLists applies"],
    ),
    "trust policy": (
        by_trust,
        ["no role trust policy allows the sts:AssumeRole action", "Friends", "Principal", ":user/user-"],
    ),
    "deny in a trust policy": (
        by_deny_of_trust,
        ["with an explicit deny in the role trust policy", "Deny statement NotYou applies"],
    ),
}


@pytest.mark.parametrize(("call", "parts"), SCENES.values(), ids=SCENES)
def test_a_refused_call_of_boto3_is_explained_down_to_the_fix(
    locum: Terminal, account: Account, data: str, call: Callable[[Account], Refusal], parts: list[str]
) -> None:
    refusal = call(account)
    by_id = locum(refusal.request_id, "--data", data)
    assert (by_id.status, by_id.err) == (0, "")
    assert by_id.out.startswith(f"request {refusal.request_id}, 20")
    for part in (*parts, "DENIED", "fix"):
        assert part in by_id.out, part
    assert "\x1b" not in by_id.out
    assert locum(refusal.message, "--data", data) == by_id


def test_the_fix_that_is_named_is_one(locum: Terminal, account: Account, data: str) -> None:
    user = account.user(allow("iam:ListUsers", on=f"arn:aws:iam::{account.id}:user/team/*"))
    out = locum(listing(account, user.key).request_id, "--data", data).out
    assert "add * to Resource in statement 1 of the policy p" in " ".join(out.split())
    mended = allow("iam:ListUsers", on=[f"arn:aws:iam::{account.id}:user/team/*", "*"])
    account.iam("PutUserPolicy", UserName=user.name, PolicyName="p", PolicyDocument=policy(mended))
    assert account.boto.call(user.key, "iam", "ListUsers", {})["Users"]


def test_json_is_the_document_of_the_message(locum: Terminal, account: Account, data: str) -> None:
    refusal = by_deny_of_identity(account)
    status, out, _ = locum(refusal.request_id, "--data", data, "--json")
    answer = account.sts(account.root, "DecodeAuthorizationMessage", EncodedMessage=refusal.message)
    assert (status, json.loads(out)) == (0, json.loads(answer["DecodedMessage"]))
    assert json.loads(out)["matchedStatements"]["items"][0]["statementId"] == "NoLists"


# Nothing to explain


def test_a_request_that_is_not_there_or_was_not_refused_by_policy_is_status_one(
    locum: Terminal, account: Account, data: str, world: World
) -> None:
    unknown = "01234567-89ab-4def-8123-456789abcdef"
    status, out, err = locum(unknown, "--data", data)
    assert (status, out) == (1, "")
    assert f"audit.jsonl has no request {unknown}" in err
    account.identity(account.root)
    answered = json.loads(world.server.audit_path.read_text().splitlines()[-1])["requestID"]
    assert locum(answered, "--data", data) == (1, "", f"locum: request {answered} was answered, not refused\n")
    refusal = assuming(account, account.root, f"arn:aws:iam::{account.id}:role/x")
    status, out, err = locum(refusal.request_id, "--data", data)
    assert (status, out) == (1, "")
    assert "was refused, but by no policy: AccessDenied: Roles may not be assumed by root accounts." in err


@pytest.mark.parametrize("text", ["x", "A" * 3_072, "-._", "AQPA_-4B" + "A" * 3_064])
def test_what_is_no_message_is_status_one(locum: Terminal, data: str, text: str) -> None:
    status, out, err = locum("--data", data, "--", text)
    assert (status, out) == (1, "")
    assert err.startswith("locum: the message cannot be opened: ")
    assert "\nhint: " in err


def test_a_line_with_the_message_of_another_request_is_not_believed(
    locum: Terminal, account: Account, data: str, world: World, tmp_path: Path
) -> None:
    one, other = by_identity(account), by_deny_of_identity(account)
    lines = world.server.audit_path.read_text().splitlines()
    line = next(each for each in lines if one.request_id in each)
    forged = tmp_path / "audit.jsonl"
    forged.write_text(line.replace(one.request_id, other.request_id) + "\n")
    status, out, err = locum(other.request_id, "--data", data, "--audit-file", str(forged))
    assert (status, out) == (1, "")
    assert "holds the message of another" in err


def test_a_refusal_that_could_not_be_explained_is_said_to_be_one(
    locum: Terminal, account: Account, data: str, world: World, tmp_path: Path
) -> None:
    refusal = by_identity(account)
    lines = world.server.audit_path.read_text().splitlines()
    line = json.loads(next(each for each in lines if refusal.request_id in each))
    del line["additionalEventData"]["authorization"]["message"]
    kept = tmp_path / "audit.jsonl"
    kept.write_text(json.dumps(line))
    status, _, err = locum(refusal.request_id, "--data", data, "--audit-file", str(kept))
    assert (status, err.splitlines()[0]) == (
        1,
        f"locum: request {refusal.request_id} was refused, and no explanation could be kept",
    )


def test_a_missing_audit_file_is_status_one(locum: Terminal, data: str) -> None:
    request_id = "01234567-89ab-4def-8123-456789abcdef"
    status, _, err = locum(request_id, "--data", data, "--audit-file", "nowhere.jsonl")
    assert (status, err.splitlines()[0]) == (1, "locum: nowhere.jsonl cannot be read: No such file or directory")


# The audit file, read from its end


@given(
    lines=st.lists(st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"")), max_size=12), ending=st.booleans()
)
def test_a_file_is_read_backwards_line_by_line_whatever_the_blocks(lines: list[bytes], ending: bool) -> None:
    text = b"\n".join(lines) + (b"\n" if ending else b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auditfile, "_BLOCK", 5)
        assert list(auditfile.lines_backwards(BytesIO(text))) == text.split(b"\n")[::-1]


def test_an_endless_line_is_passed_over_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditfile, "_BLOCK", 16)
    monkeypatch.setattr(auditfile, "LONGEST_LINE", 64)
    found = list(auditfile.lines_backwards(BytesIO(b'{"a": 1}\n' + b"x" * 10_000 + b"\nlast\n")))
    assert found[:2] == [b"", b"last"]
    assert found[-1] == b'{"a": 1}'
    assert max(map(len, found)) <= 64 + 16


def test_a_request_id_inside_another_line_is_not_the_request() -> None:
    request_id = "01234567-89ab-4def-8123-456789abcdef"
    mine = json.dumps({"requestID": request_id, "errorCode": "AccessDenied"})
    quoting = json.dumps({"requestID": "other", "userAgent": request_id})
    broken = f'{{"requestID": "{request_id}"'
    file = BytesIO("\n".join([mine, quoting, broken]).encode())
    line = explain._line_of(file, request_id)
    assert line is not None
    assert line.code == "AccessDenied"


# Through a server


@pytest.fixture
def afar(monkeypatch: pytest.MonkeyPatch, locum: Terminal, world: World) -> Callable[[Credentials], None]:
    """Sets the environment of somebody who has credentials and no data directory."""

    def act_as(who: Credentials) -> None:
        for name, value in world.server.environment(who).items():
            monkeypatch.setenv(name, value)

    return act_as


@pytest.mark.facts("STS-DAM-001")
def test_who_may_decode_reads_the_same_tree_from_afar_and_others_are_denied(
    locum: Terminal, account: Account, data: str, afar: Callable[[Credentials], None]
) -> None:
    refusal = by_deny_of_identity(account)
    local = locum(refusal.message, "--data", data)
    decoder = account.user(allow("sts:DecodeAuthorizationMessage"))
    afar(decoder.key)
    assert locum(refusal.message) == local
    afar(account.user().key)
    status, out, err = locum(refusal.message)
    assert (status, out) == (3, "")
    assert "is not authorized to perform: sts:DecodeAuthorizationMessage" in err


def test_session_credentials_and_the_shared_file_work_too(
    locum: Terminal, account: Account, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusal = by_identity(account)
    user = account.user()
    role = account.role(trusts(user.arn), may=(allow("sts:DecodeAuthorizationMessage"),))
    session = account.assume(user.key, role).key
    shared = tmp_path / "credentials"
    lines = [f"{name} = {value}" for name, value in session.boto3_arguments().items()]
    shared.write_text("\n".join(["[reader]", *lines]))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    monkeypatch.setenv("AWS_PROFILE", "reader")
    assert locum(refusal.message, "--endpoint-url", world.server.url, "--region", world.server.region).status == 0
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    status, _, err = locum(refusal.message, "--endpoint-url", world.server.url)
    assert status == 2
    assert err.startswith("locum: there is no profile 'nobody' in ")
    monkeypatch.delenv("AWS_PROFILE")
    status, _, err = locum(refusal.message, "--endpoint-url", world.server.url)
    assert status == 2
    assert err.startswith("locum: no credentials found: ")
    assert "\nhint: set AWS_ACCESS_KEY_ID" in err
    shared.write_text("no section")
    assert locum(refusal.message, "--endpoint-url", world.server.url).status == 2


def test_a_message_of_another_account_is_status_one(
    locum: Terminal, account: Account, world: World, afar: Callable[[Credentials], None]
) -> None:
    refusal = by_identity(account)
    afar(world.account().root)
    status, out, err = locum(refusal.message)
    assert (status, out) == (1, "")
    assert "Message is not valid" in err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["01234567-89ab-4def-8123-456789abcdef", "--endpoint-url", "http://127.0.0.1:1"], "decodes messages only"),
        (["AAAA", "--data", "d", "--endpoint-url", "http://127.0.0.1:1"], "decodes messages only"),
        (["AAAA", "--endpoint-url", "ftp://example.com"], "is not the URL of a server"),
        (["AAAA", "--endpoint-url", "http://user:word@example.com"], "is not the URL of a server"),
        ([], "Missing argument"),
    ],
)
def test_wrong_usage_is_status_two(
    locum: Terminal, monkeypatch: pytest.MonkeyPatch, arguments: list[str], text: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAQNZGKIQY56JQ7WML")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x" * 40)
    status, out, err = locum(*arguments)
    assert (status, out) == (2, "")
    assert text in err
    assert "\nhint: " in err
    assert "user:word" not in err


AWS_DOCUMENT = {"allowed": False, "explicitDeny": False, "matchedStatements": {"items": []}}


class Foreign(BaseHTTPRequestHandler):
    """A server that is not locum."""

    answer = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = self.answer.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def answering(text: str) -> str:
    name = "DecodeAuthorizationMessage"
    inner = text.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f'<{name}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{name}Result>'
        f"<DecodedMessage>{inner}</DecodedMessage></{name}Result></{name}Response>"
    )


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (answering(json.dumps(AWS_DOCUMENT)), 0),
        (answering(json.dumps({**AWS_DOCUMENT, "explanation": {"decision": 1}, "request": {"id": 1}})), 0),
        (answering(json.dumps({**AWS_DOCUMENT, "explanation": [], "request": "x"})), 0),
        (answering("[]"), 1),
        (answering("{"), 1),
        ("<html/>", 1),
        ("", 1),
    ],
)
def test_the_document_of_another_server_is_shown_as_it_is_and_rubbish_is_not(
    locum: Terminal, monkeypatch: pytest.MonkeyPatch, answer: str, status: int
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAQNZGKIQY56JQ7WML")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x" * 40)
    monkeypatch.setattr(Foreign, "answer", answer)
    with HTTPServer(("127.0.0.1", 0), Foreign) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        found = locum("AAAA", "--endpoint-url", f"http://127.0.0.1:{server.server_port}")
        thread.join()
    assert found.status == status
    assert (found.out != "", found.err != "") == (status == 0, status == 1)
    if status == 0:
        assert json.loads(found.out)["matchedStatements"] == {"items": []}


def test_no_server_is_status_one(locum: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAQNZGKIQY56JQ7WML")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x" * 40)
    status, out, err = locum("AAAA", "--endpoint-url", "http://127.0.0.1:1")
    assert (status, out) == (1, "")
    assert "http://127.0.0.1:1 gave no answer" in err


# Colours


@pytest.mark.parametrize(
    ("terminal", "environment", "colored"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_only_a_terminal_gets_colours_and_not_against_its_will(
    locum: Terminal,
    account: Account,
    data: str,
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    environment: dict[str, str],
    colored: bool,
) -> None:
    refusal = by_identity(account)
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    assert ("\x1b[" in locum(refusal.request_id, "--data", data).out) is colored
