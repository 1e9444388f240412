"""``locum sessions``: revoking beside a running server, effective in the next request of every process."""

from __future__ import annotations

import configparser
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from locum.server.bootstrap import bootstrap
from locum.server.config import Settings
from locum.server.data import open_data
from locum.testing import RunningServer, server_fixture

from .terminal import run
from .test_beside_server import Beside, code_of

locum_server = server_fixture(scope="module")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory that a first start has made, named by the environment."""
    for name in os.environ:
        if name.startswith("LOCUM_"):
            monkeypatch.delenv(name)
    path = tmp_path / "data"
    monkeypatch.setenv("LOCUM_DATA", str(path))
    settings = Settings(data=path, account_id="111122223333")
    opened = open_data(settings, create=True)
    bootstrap(opened.store, opened.vault, settings, 1_700_000_000, os.urandom)
    opened.store.close()
    return path


def test_a_revocation_is_printed_and_listed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "sessions", "revoke", "--source-identity", "alice", "--before", "2h")
    assert (status, err) == (0, "")
    heading, row = out.splitlines()
    assert heading.split() == ["SUBJECT", "NAMED", "ACCOUNT", "BEFORE", "EXPIRES"]
    assert row.split()[:3] == ["source-identity", "alice", "every"]
    root = "arn:aws:iam::111122223333:root"
    assert run(capsys, "sessions", "revoke", "--principal", root)[0] == 0
    status, out, _ = run(capsys, "sessions", "revocations", "--json")
    shown = json.loads(out)
    assert [each["named"] for each in shown] == ["alice", root]
    assert [each["account"] for each in shown] == ["every", "111122223333"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "one of --session"),
        (("--role", "x", "--issuer", "y"), 2, "one of --session"),
        (("--role", "x"), 2, "'x' is not an ARN"),
        (("--role", "arn:aws:iam::111122223333:role/none"), 1, "There is no role"),
        (("--principal", "arn:aws:iam::444455556666:root"), 1, "There is no user, role, root user"),
        (("--issuer", "arn:aws:iam::111122223333:user/none"), 1, "There is no user, role or root user"),
        (("--session", "nothing"), 1, "There is no access key nothing"),
        (("--source-identity", "a", "--account", "444455556666"), 1, "there is no account '444455556666'"),
        (("--source-identity", "a", "--account", "4"), 2, "--account is 12 digits"),
        (("--session", "ASIAQNZGKIQY56JQ7WML", "--account", "111122223333"), 2, "--account is 12 digits"),
        (("--source-identity", "a", "--before", "2999-01-01"), 2, "lies in the future"),
        (("--source-identity", "a", "--before", "7d"), 2, "the longest one has ended"),
        (("--source-identity", "a", "--before", "soon"), 2, "'soon' is no time"),
    ],
)
def test_what_cannot_be_revoked_is_said(
    data: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, said: str
) -> None:
    ended, out, err = run(capsys, "sessions", "revoke", *arguments)
    assert (ended, out) == (status, "")
    assert said in err
    assert run(capsys, "sessions", "revocations") == (0, "", "")


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Beside]:
    server = Beside(tmp_path / "data")
    try:
        yield server.wait_ready()
    finally:
        server.process.terminate()
        server.process.communicate()


@pytest.mark.facts("R38")
def test_the_next_request_to_either_worker_sees_a_revocation(beside: Beside) -> None:
    profile = configparser.RawConfigParser()
    profile.read(beside.directory / "root-credentials")
    root = beside.sts(profile["default"]["aws_access_key_id"], profile["default"]["aws_secret_access_key"])
    issued = [root.get_session_token()["Credentials"] for _ in range(2)]
    held: list[Any] = [
        beside.sts(each["AccessKeyId"], each["SecretAccessKey"], each["SessionToken"]) for each in issued for _ in "12"
    ]
    for _ in range(4):  # whichever worker answers
        assert {each.get_caller_identity()["Arn"].rpartition(":")[2] for each in held} == {"root"}
    printed = beside.run("sessions", "revoke", "--session", issued[0]["AccessKeyId"])
    for _ in range(4):
        assert [code_of(each.get_caller_identity) for each in held[:2]] == ["ExpiredToken"] * 2
        assert held[2].get_caller_identity()["Arn"].endswith(":root")
    account = root.get_caller_identity()["Account"]
    printed += beside.run("sessions", "revoke", "--principal", f"arn:aws:iam::{account}:root")
    for _ in range(4):
        assert {code_of(each.get_caller_identity) for each in held} == {"ExpiredToken"}
    printed += beside.run("sessions", "revocations", "--json") + beside.run("audit", "search", "--chain")
    for each in issued:
        assert each["SecretAccessKey"] not in printed
        assert each["SessionToken"] not in printed


def test_a_client_of_aws_can_be_taught_the_operation(locum_server: RunningServer) -> None:
    """boto3 does not know RevokeSessions, but it signs and sends what its model is told of."""
    client = boto3.client(
        "sts",
        endpoint_url=locum_server.url,
        region_name=locum_server.region,
        **locum_server.root_credentials.boto3_arguments(),
    )
    model = client.meta.service_model._service_description
    model["operations"]["RevokeSessions"] = model["operations"]["GetAccessKeyInfo"] | {
        "name": "RevokeSessions",
        "output": {"shape": "RevokeSessionsResponse", "resultWrapper": "RevokeSessionsResult"},
        "input": {"shape": "RevokeSessionsRequest"},
    }
    model["shapes"]["RevokeSessionsRequest"] = {"type": "structure", "members": {"PrincipalArn": {"shape": "arnType"}}}
    model["shapes"]["RevokeSessionsResponse"] = {"type": "structure", "members": {}}
    session = client.get_session_token()["Credentials"]
    arn = f"arn:aws:iam::{locum_server.account_id}:root"
    client._make_api_call("RevokeSessions", {"PrincipalArn": arn})
    held = boto3.client(
        "sts",
        endpoint_url=locum_server.url,
        region_name=locum_server.region,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    assert code_of(held.get_caller_identity) == "ExpiredToken"
