"""The SDKs' own web identity providers, told nothing but ``AWS_ROLE_ARN`` and ``AWS_WEB_IDENTITY_TOKEN_FILE``."""

from __future__ import annotations

import asyncio
import configparser
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from aiobotocore.session import get_session
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.interop.clients import HERE, TIMEOUT, AwsCli, Node, Refused, refused
from tests.interop.idps.issuer import Issuer
from tests.interop.world import Account, Role, trusts

from locum.testing import Clock, RunningServer, running_server

pytestmark = pytest.mark.xdist_group("interop-aws-cli")

LOGIN: Final = "sts:AssumeRoleWithWebIdentity"
ISSUER: Final = "https://cluster.company.example/eu-1"
HOUR: Final = 3600
ASKED: Final = 20_000
"""How often an SDK is asked for its new key before it has failed."""
NOT_ALLOWED: Final = ("AccessDenied", f"Not authorized to perform {LOGIN}")

Environment = dict[str, str]
Caller = Callable[[Environment], str]
"""With this environment, who does the SDK turn out to be?  :class:`Refused` where it cannot find out."""


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def issuer(clock: Clock) -> Issuer:
    return Issuer(ISSUER, clock)


@pytest.fixture(scope="module")
def server(issuer: Issuer, clock: Clock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    keys = tmp_path_factory.mktemp("issuer") / "keys.json"
    keys.write_text(issuer.keys())
    table = {"provider": f"arn:aws:iam::*:oidc-provider/{issuer.name}", "jwks-file": str(keys)}
    with running_server(oidc=[table], clock=clock, on_disk=True) as running:
        yield running


@pytest.fixture
def role(account: Account, issuer: Issuer) -> Role:
    provider = account.iam("CreateOpenIDConnectProvider", Url=issuer.url, ClientIDList=["sts.amazonaws.com"])
    asked = {f"{issuer.name}:aud": "sts.amazonaws.com", f"{issuer.name}:sub": "system:serviceaccount:shop:reports"}
    named = {"Federated": provider["OpenIDConnectProviderArn"]}
    return account.role(trusts(actions=(LOGIN,), when={"StringEquals": asked}, **named), RoleName="reports")


@pytest.fixture
def token(tmp_path: Path, issuer: Issuer) -> Path:
    path = tmp_path / "token"
    path.write_text(issuer.token("system:serviceaccount:shop:reports"))
    return path


@pytest.fixture
def environment(server: RunningServer, role: Role, token: Path, tmp_path: Path) -> Environment:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": server.url,
        "AWS_DEFAULT_REGION": server.region,
        "AWS_REGION": server.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ROLE_ARN": role.arn,
        "AWS_ROLE_SESSION_NAME": "a-pod",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
    }


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Callable[[Environment], None]:
    """Gives this process another environment."""

    def become(environment: Environment) -> None:
        for name in os.environ:
            if name.startswith("AWS_"):
                monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return become


def who_by_boto3() -> str:
    client = boto3.Session().client("sts", config=Config(retries={"total_max_attempts": 1}))
    try:
        return str(client.get_caller_identity()["Arn"])
    except ClientError as error:
        raise refused(error) from None
    finally:
        client.close()


async def who_by_aiobotocore() -> str:
    async with get_session().create_client("sts") as client:
        try:
            return str((await client.get_caller_identity())["Arn"])
        except ClientError as error:
            raise refused(error) from None


class JavaScript:
    """The SDK for JavaScript in a process with an environment of its own."""

    def __init__(self, environment: Environment) -> None:
        self._process = subprocess.Popen(
            ["node", "web_identity.mjs"],
            cwd=HERE,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def ask(self, question: str) -> str:
        """Its access ``key`` id, or ``who`` it is."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise Refused(*answer["error"])
        return str(answer["answer"])

    def close(self) -> None:
        self._process.communicate(timeout=TIMEOUT)


@pytest.fixture(params=["boto3", "aiobotocore", "AWS CLI", "JavaScript"])
def who(request: pytest.FixtureRequest, bare: Callable[[Environment], None], cli: AwsCli) -> Caller:
    def boto(environment: Environment) -> str:
        bare(environment)
        return who_by_boto3()

    def aioboto(environment: Environment) -> str:
        bare(environment)
        return asyncio.run(who_by_aiobotocore())

    def command_line(environment: Environment) -> str:
        return cli.run("sts", "get-caller-identity", "--query", "Arn", "--output", "text", more=environment).strip()

    def javascript(environment: Environment) -> str:
        if reason := Node.missing():
            pytest.skip(reason)
        process = JavaScript(environment)
        try:
            return process.ask("who")
        finally:
            process.close()

    callers = {"boto3": boto, "aiobotocore": aioboto, "AWS CLI": command_line, "JavaScript": javascript}
    return callers[request.param]


def test_an_sdk_finds_its_role_by_the_environment_alone(
    who: Caller, environment: Environment, account: Account
) -> None:
    assert who(environment) == f"arn:aws:sts::{account.id}:assumed-role/reports/a-pod"


def test_an_sdk_names_its_session_itself(who: Caller, environment: Environment, account: Account) -> None:
    del environment["AWS_ROLE_SESSION_NAME"]
    prefix, _, name = who(environment).rpartition("/")
    assert prefix == f"arn:aws:sts::{account.id}:assumed-role/reports"
    assert name


def test_an_sdk_finds_its_role_in_a_profile(who: Caller, environment: Environment, account: Account) -> None:
    config = configparser.RawConfigParser()
    config["profile pod"] = {
        "role_arn": environment.pop("AWS_ROLE_ARN"),
        "role_session_name": environment.pop("AWS_ROLE_SESSION_NAME"),
        "web_identity_token_file": environment.pop("AWS_WEB_IDENTITY_TOKEN_FILE"),
    }
    path = Path(environment["HOME"]) / "config"
    with path.open("w") as file:
        config.write(file)
    more = {"AWS_CONFIG_FILE": str(path), "AWS_PROFILE": "pod"}
    assert who(environment | more) == f"arn:aws:sts::{account.id}:assumed-role/reports/a-pod"


def test_an_sdk_shows_why_the_role_was_refused(
    who: Caller, environment: Environment, token: Path, issuer: Issuer
) -> None:
    token.write_text(issuer.token("system:serviceaccount:shop:checkout"))
    with pytest.raises(Refused) as error:
        who(environment)
    assert (error.value.code, error.value.message) == NOT_ALLOWED


def test_an_sdk_shows_what_is_wrong_with_the_token(
    who: Caller, environment: Environment, token: Path, issuer: Issuer
) -> None:
    token.write_text(issuer.token("system:serviceaccount:shop:reports", audience="somebody else"))
    with pytest.raises(Refused) as error:
        who(environment)
    assert (error.value.code, error.value.message) == ("InvalidIdentityToken", "Incorrect token audience")


class Boto:
    """boto3 in this process, asked like :class:`JavaScript`."""

    def __init__(self) -> None:
        self._session = boto3.Session()
        self._client = self._session.client("sts")

    def ask(self, question: str) -> str:
        if question == "who":
            return str(self._client.get_caller_identity()["Arn"])
        return str(self._session.get_credentials().get_frozen_credentials().access_key)

    def close(self) -> None:
        self._client.close()


@pytest.fixture(params=["boto3", "JavaScript"])
def sdk(
    request: pytest.FixtureRequest, environment: Environment, bare: Callable[[Environment], None]
) -> Iterator[Boto | JavaScript]:
    if request.param == "JavaScript" and (reason := Node.missing()):
        pytest.skip(reason)
    bare(environment)
    running = Boto() if request.param == "boto3" else JavaScript(environment)
    yield running
    running.close()


def test_an_sdk_reads_the_file_again_when_its_session_ends(
    sdk: Boto | JavaScript, token: Path, issuer: Issuer, account: Account, clock: Clock
) -> None:
    """The first token is out of time when its session is: who does not read the file again cannot go on.

    The SDK for JavaScript fetches behind, and answers with what it has until then.
    """
    with clock.turned(30 - HOUR):
        token.write_text(issuer.token("system:serviceaccount:shop:reports"))
        first = sdk.ask("key")
    token.write_text(issuer.token("system:serviceaccount:shop:reports"))
    assert sdk.ask("who") == f"arn:aws:sts::{account.id}:assumed-role/reports/a-pod"
    assert any(sdk.ask("key") != first for _ in range(ASKED))
