"""The server for tests: what it offers, and that nothing of it stays or is loaded unasked."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

import locum.testing
from locum import arn
from locum.secret import Secret
from locum.server.config import ConfigError, Refused
from locum.testing import Clock, Credentials, RunningServer, running_server, server_fixture

pytestmark = pytest.mark.xdist_group("running-server")

TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
})  # fmt: skip

shared = server_fixture(scope="module", region="eu-central-1", account_id="012345678901")


class Clients:
    """boto3 clients that are closed at the end of a test."""

    def __init__(self) -> None:
        self._made: list[Any] = []

    def __call__(self, service: str, server: RunningServer, credentials: Credentials | None = None) -> Any:
        self._made.append(boto3.client(service, **server.boto3_arguments(credentials)))
        return self._made[-1]

    def close(self) -> None:
        for client in self._made:
            client.close()


@pytest.fixture
def client() -> Iterator[Clients]:
    clients = Clients()
    yield clients
    clients.close()


def test_importing_it_loads_neither_a_server_nor_pytest() -> None:
    program = "import sys, locum.testing; print(sorted({'uvicorn', 'pytest', 'sqlalchemy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"


def test_every_name_that_it_exports_is_there_and_no_other() -> None:
    assert all(getattr(locum.testing, name) is not None for name in locum.testing.__all__)
    assert set(locum.testing.__all__) <= set(dir(locum.testing))
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = locum.testing.Nothing


@pytest.mark.parametrize("on_disk", [False, True])
def test_it_serves_until_the_block_ends_and_leaves_nothing(client: Clients, on_disk: bool) -> None:
    with running_server(on_disk=on_disk) as server:
        directory = server.audit_path.parent
        account, root = server.account_id, server.root_credentials
        assert client("sts", server).get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:root"
        client("iam", server).create_user(UserName="alice")
        names = [json.loads(line)["eventName"] for line in server.audit_path.read_text().splitlines()]
        assert names == ["GetCallerIdentity", "CreateUser"]
        assert (directory / "locum.db").exists() == on_disk
        address = (str(urlsplit(server.url).hostname), urlsplit(server.url).port or 0)
    assert not directory.exists()
    assert "locum-server" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
    assert root.account_id == account


def test_two_servers_know_nothing_of_each_other(client: Clients) -> None:
    with running_server() as one, running_server() as other:
        assert one.url != other.url
        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            client("sts", other, one.root_credentials).get_caller_identity()


def test_it_takes_the_settings_of_the_server(shared: RunningServer, client: Clients) -> None:
    assert (shared.region, shared.account_id) == ("eu-central-1", "012345678901")
    assert client("sts", shared).get_caller_identity()["Account"] == "012345678901"


def test_it_takes_a_root_key_that_is_given(client: Clients) -> None:
    account, secret = "111122223333", "0123456789abcdefghijABCDEFGHIJ_-+/="
    key_id = arn.access_key_id("AKIA", account, b"locum")
    with running_server(account_id=account, root_access_key_id=key_id, root_secret_access_key=secret) as server:
        assert server.root_credentials.access_key_id == key_id
        assert client("sts", server).get_caller_identity()["Account"] == server.account_id == account


@pytest.mark.parametrize("name", ["data", "ephemeral", "workers", "nothing"])
def test_it_refuses_what_is_no_setting_of_it(name: str) -> None:
    with pytest.raises(TypeError, match=f"no setting '{name}'"), running_server(**{name: "1"}):  # type: ignore[arg-type]
        pass


def test_it_refuses_what_the_real_server_refuses() -> None:
    with pytest.raises(ConfigError, match="without TLS"), running_server(host="0.0.0.0"):
        pass
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(Refused, match="cannot listen"),
        running_server(port=taken.getsockname()[1]),
    ):
        pass


def test_it_reads_nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUM_ACCOUNT_ID", "111122223333")
    monkeypatch.setenv("LOCUM_NO_SUCH_SETTING", "1")
    with running_server() as server:
        assert server.account_id != "111122223333"


def test_it_enforces(shared: RunningServer, client: Clients) -> None:
    iam = client("iam", shared)
    iam.create_user(UserName="powerless")
    made = iam.create_access_key(UserName="powerless")["AccessKey"]
    arguments = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    own = boto3.client("iam", **(shared.boto3_arguments() | arguments))
    try:
        with pytest.raises(ClientError, match="no identity-based policy allows the iam:ListUsers action"):
            own.list_users()
    finally:
        own.close()


def test_accounts_are_apart(shared: RunningServer, client: Clients) -> None:
    client("iam", shared).create_role(RoleName="here", AssumeRolePolicyDocument=TRUST)
    other = shared.create_account("second")
    assert other.account_id != shared.account_id
    assert client("sts", shared, other).get_caller_identity()["Account"] == other.account_id
    assert client("iam", shared, other).list_roles()["Roles"] == []


def test_a_session_expires_when_the_clock_is_turned(shared: RunningServer, client: Clients) -> None:
    sts = client("sts", shared)
    with shared.clock.turned(-890):
        made = sts.get_session_token(DurationSeconds=900)["Credentials"]
    session = Credentials(
        account_id=shared.account_id,
        access_key_id=made["AccessKeyId"],
        secret_access_key=Secret(made["SecretAccessKey"]),
        session_token=Secret(made["SessionToken"]),
    )
    used = client("sts", shared, session)
    used.get_caller_identity()
    with shared.clock.turned(20), pytest.raises(ClientError, match="ExpiredToken"):
        used.get_caller_identity()
    used.get_caller_identity()


def test_the_clock_goes_with_the_wall_clock_and_can_be_turned() -> None:
    clock = Clock()
    before = time.time()
    assert before <= clock() <= time.time()
    clock.turn(-3_600)
    assert clock.offset == -3_600
    with clock.turned(7_200):
        assert clock() > before + 3_000
    with pytest.raises(ZeroDivisionError), clock.turned(60):
        raise ZeroDivisionError
    assert clock.offset == -3_600
    clock.turn(3_600)
    assert clock.offset == 0


def test_a_clock_can_be_handed_in(client: Clients) -> None:
    clock = Clock()
    clock.turn(-600)
    with running_server(clock=clock) as server:
        assert server.clock is clock
        made = client("iam", server).create_user(UserName="alice")["User"]["CreateDate"].timestamp()
    assert -660 < made - time.time() < -540


def test_programs_are_pointed_at_it_by_their_environment(shared: RunningServer) -> None:
    program = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    done = subprocess.run(
        [sys.executable, "-c", program], env=shared.environment(), capture_output=True, check=True, text=True
    )
    assert done.stdout == f"{shared.account_id}\n"


def test_credentials_do_not_print_their_secrets(shared: RunningServer) -> None:
    key = shared.root_credentials
    secret = key.secret_access_key.reveal()
    assert secret not in f"{key} {key!r} {shared!r}"
    assert key.environment() == {
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
    }


def test_a_temporary_credential_carries_its_token() -> None:
    secret = Secret
    key = Credentials(
        account_id="111122223333", access_key_id="ASIA", secret_access_key=secret("s"), session_token=secret("t")
    )
    assert key.boto3_arguments()["aws_session_token"] == "t"
    assert key.environment()["AWS_SESSION_TOKEN"] == "t"


def test_the_side_routes_are_served(shared: RunningServer) -> None:
    with urllib.request.urlopen(f"{shared.url}/health/ready", timeout=30) as answer:
        assert answer.status == 200
