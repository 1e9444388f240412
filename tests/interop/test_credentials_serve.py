"""``locum credentials serve`` as SDKs see it: boto3, the AWS CLI and the SDK for JavaScript, told two variables."""

from __future__ import annotations

import datetime
import json
import os
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from tests.interop.clients import CLI, HERE, TIMEOUT, Node
from tests.interop.world import ASSUME, Account, Person, Role, allow, trusts

from locum.client.credentials import Credentials
from locum.client.handout import PATH, Handout
from locum.client.loopback import Loopback
from locum.secret import Secret
from locum.testing import RunningServer

pytestmark = pytest.mark.xdist_group("interop-aws-cli")

URI: Final = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
TOKEN_FILE: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"


@pytest.fixture
def role(account: Account) -> Role:
    return account.role(trusts(account.id), RoleName="reports")


@pytest.fixture
def person(account: Account) -> Person:
    return account.user(allow(ASSUME))


@pytest.fixture
def bare(server: RunningServer, tmp_path: Path) -> dict[str, str]:
    """An environment that names a server and no credentials."""
    home = tmp_path / "home"
    home.mkdir()
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "HOME": str(home),
        "AWS_ENDPOINT_URL": server.url,
        "AWS_REGION": server.region,
        "AWS_DEFAULT_REGION": server.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }


def locum(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "locum", "credentials", "serve", *arguments]


@contextmanager
def serving(environment: dict[str, str], *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The endpoint as a process, and the variables that it prints."""
    process = subprocess.Popen(
        locum(*arguments, "--format", "dotenv"), env=environment, stdout=subprocess.PIPE, encoding="utf-8"
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline().rstrip("\n") for _ in range(2)]
        yield process, dict(line.split("=", 1) for line in lines)
    finally:
        process.terminate()
        process.wait(TIMEOUT)
        process.stdout.close()


def who_by_boto3(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client = boto3.Session().client("sts")
    try:
        return str(client.get_caller_identity()["Arn"])
    finally:
        client.close()


def who_by_cli(environment: dict[str, str], _: pytest.MonkeyPatch) -> str:
    command = [str(CLI), "sts", "get-caller-identity", "--output", "json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["Arn"])


def who_by_node(environment: dict[str, str], _: pytest.MonkeyPatch) -> str:
    if reason := Node.missing():
        pytest.skip(reason)
    done = subprocess.run(
        ["node", "web_identity.mjs"], cwd=HERE, env=environment, input="who\n",
        capture_output=True, text=True, check=False, timeout=TIMEOUT,
    )  # fmt: skip
    return str(json.loads(done.stdout)["answer"])


SDKS: Final = {"boto3": who_by_boto3, "cli": who_by_cli, "node": who_by_node}


@pytest.mark.facts("STS-CL-027", "STS-CL-028", "STS-CL-029")
@pytest.mark.parametrize("by_file", [False, True], ids=["variable", "file"])
def test_every_sdk_takes_credentials_from_the_endpoint(
    by_file: bool,
    bare: dict[str, str],
    person: Person,
    role: Role,
    account: Account,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    subtests: pytest.Subtests,
) -> None:
    token = tmp_path / "token"
    more = ("--token-file", str(token)) if by_file else ()
    caller = bare | person.key.environment()
    with serving(caller, "--role", role.arn, "--role-session-name", "me", *more) as (process, told):
        assert set(told) == {URI, TOKEN_FILE if by_file else TOKEN}
        if by_file:
            assert stat.S_IMODE(token.stat().st_mode) == 0o600
        for name, ask in SDKS.items():
            with subtests.test(name):
                assert ask(bare | told, monkeypatch) == f"arn:aws:sts::{account.id}:assumed-role/reports/me"
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
    assert not token.exists()


def test_a_command_gets_the_endpoint_and_no_other_credentials(
    bare: dict[str, str], person: Person, role: Role, account: Account
) -> None:
    """The default profile's long-term keys come before an endpoint in every SDK's chain: they must not be found."""
    shared = Path(bare["HOME"]) / ".aws"
    shared.mkdir()
    keys = person.key.environment()
    (shared / "credentials").write_text(
        "[default]\n" + "".join(f"{name.lower()} = {value}\n" for name, value in keys.items())
    )
    script = "import boto3, os; print(boto3.client('sts').get_caller_identity()['Arn'], sorted(os.environ)); exit(7)"
    command = locum("--role", role.arn, "--role-session-name", "me", "--", sys.executable, "-c", script)
    done = subprocess.run(command, env=bare, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    assert done.returncode == 7, done.stderr
    assert done.stdout.startswith(f"arn:aws:sts::{account.id}:assumed-role/reports/me ")
    assert "AWS_ACCESS_KEY_ID" not in done.stdout


def test_long_term_keys_are_not_handed_out_but_a_session_token_for_them_is(
    bare: dict[str, str], person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = bare | person.key.environment()
    done = subprocess.run(locum(), env=caller, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    assert (done.returncode, done.stdout) == (1, "")
    assert "do not expire" in done.stderr
    with serving(caller, "--session-token") as (_, told):
        assert who_by_boto3(bare | told, monkeypatch) == person.arn


def test_who_has_no_token_gets_nothing(bare: dict[str, str], person: Person, role: Role) -> None:
    with serving(bare | person.key.environment(), "--role", role.arn) as (_, told):
        for headers in ({}, {"Authorization": told[TOKEN][:-1]}, {"Authorization": f"Bearer {told[TOKEN]}"}):
            with pytest.raises(urllib.error.HTTPError) as error:
                fetch(told[URI], headers)
            assert error.value.code == 401
            assert b"Access" not in error.value.read()
        for host in ("evil.example", "evil.example:80", f"127.0.0.1.nip.example:{told[URI].split(':')[2][:5]}"):
            with pytest.raises(urllib.error.HTTPError) as error:
                fetch(told[URI], {"Authorization": told[TOKEN], "Host": host})
            error.value.close()
            assert error.value.code == 403
        assert set(fetch(told[URI], {"Authorization": told[TOKEN]})) == {
            *("AccessKeyId", "SecretAccessKey", "Token", "Expiration", "AccountId")
        }


def fetch(url: str, headers: dict[str, str]) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
        return json.load(answer)


def test_an_sdk_gets_new_credentials_before_the_old_ones_end(
    bare: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 asks again from 15 minutes before the end: here at once."""
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)
    given = iter(range(1000))

    def current() -> Credentials:
        return Credentials(f"ASIA{next(given)}", Secret("s"), Secret("t"), soon)

    def unexpected(error: Exception) -> None:
        raise AssertionError(error)

    with Loopback(Handout(current, Secret("the-token"), trouble=unexpected)) as loopback:
        for name, value in (bare | {URI: loopback.origin + PATH, TOKEN: "the-token"}).items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        found = boto3.Session().get_credentials()
        keys = {found.get_frozen_credentials().access_key for _ in range(3)}
    assert len(keys) == 3
