"""The public face: names that users of the AWS SDKs know, one line an operation, and an import that costs nothing."""

from __future__ import annotations

import asyncio
import datetime
import inspect
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import botocore.exceptions
import botocore.loaders
import pytest

import locum
from locum.api.shapes import Command, members
from locum.api.sts import COMMANDS
from locum.client import AsyncSTSClient, Middleware, STSClient, operation
from locum.client.credentials import Credentials
from locum.client.effects import Flow, Now
from locum.client.failures import ClientFailure
from locum.client.refresh import Refreshing
from locum.errors import AccessDenied, ServiceException, ServiceUnavailable
from locum.http import Response
from locum.secret import Secret
from locum.testing import server_fixture

from .far_end import GOOD, KEYS, ME, listening, raw, received, refusal, says

pytestmark = pytest.mark.xdist_group("running-server")

running = server_fixture(scope="module", region="eu-central-1", account_id="012345678901")

HERE: Final = {"region": "eu-west-1", "environment": {"HOME": "/nowhere", "AWS_EC2_METADATA_DISABLED": "true"}}


def test_names_are_sorted_and_lead_somewhere() -> None:
    assert list(locum.__all__) == sorted(locum.__all__)
    assert all(getattr(locum, name) is not None for name in locum.__all__)
    assert set(locum.__all__) <= set(dir(locum))
    with pytest.raises(AttributeError, match="no attribute 'STSKlient'"):
        _ = locum.STSKlient


def test_names_follow_client_sts() -> None:
    modelled = {error.__name__ for command in COMMANDS.values() for error in command.operation.errors}
    expected = {f"{name}{end}" for name in COMMANDS for end in ("Command", "Response")}
    expected |= modelled | {"STSClient", "STSServiceException"}
    assert expected <= set(locum.__all__)
    assert {"ExpiredTokenException", "PackedPolicyTooLargeException", "IDPCommunicationErrorException"} <= modelled


def test_importing_loads_nothing() -> None:
    program = (
        "import sys; before = set(sys.modules); import locum; first = set(sys.modules) - before;"
        "locum.STSClient(region='eu-west-1', endpoint_url='http://127.0.0.1:9', environment={'HOME': '/nowhere'});"
        "import json; print(json.dumps([sorted(first), sorted(set(sys.modules))]))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", _with_path(program)], capture_output=True, check=True, text=True)
    first, all_of_them = json.loads(done.stdout)
    assert first == ["__future__", "locum"]
    heavy = {"urllib3", "aiohttp", "ssl", "asyncio", "locum.api.iam", "locum.wire.sigv4_verify", "locum.policy"}
    assert heavy.isdisjoint(all_of_them)


def _with_path(program: str) -> str:
    """The program where ``site``, which loads all kinds of things, is left out."""
    return f"import sys; sys.path[:0] = {[each for each in sys.path if each]!r}; {program}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_operation_has_its_line(name: str) -> None:
    command = COMMANDS[name]
    lines = vars(STSClient.__mro__[1]).items()
    found = [each for each, line in lines if isinstance(line, operation) and line._command is command]
    assert len(found) == 1
    assert found[0].replace("_", "") == name.lower()
    method = getattr(STSClient(**HERE), found[0])  # type: ignore[arg-type]
    assert (method.__name__, method.__doc__) == (found[0], command.__doc__)
    assert list(inspect.signature(method).parameters) == [member.attribute for member in members(command)]


class Recording(Middleware):
    """Answers every call by itself and remembers it."""

    def __init__(self) -> None:
        self.commands: list[Command[Any]] = []

    def initialize(self, call: Any, proceed: Any) -> Flow[Any]:
        yield from Now()
        self.commands.append(call.command)
        return ME


@pytest.mark.facts("STS-CL-011")
def test_a_client_has_its_operations_and_neither_pages_nor_waits() -> None:
    """botocore has no paginators and no waiters for STS either: no answer of STS comes in pages."""
    loader = botocore.loaders.Loader()
    assert loader.load_service_model("sts", "paginators-1")["pagination"] == {}
    with pytest.raises(botocore.exceptions.UnknownServiceError):
        loader.load_service_model("sts", "waiters-2")
    others = {"close", "send", "settings", "with_options"}
    for kind in (STSClient, AsyncSTSClient):
        public = {name for name in dir(kind) if not name.startswith("_")}
        assert {name.replace("_", "") for name in public - others} == {name.lower() for name in COMMANDS}
    paged = {"marker", "nexttoken", "maxitems", "maxresults", "istruncated"}
    for command in COMMANDS.values():
        for shape in (command, command.output()):
            assert paged.isdisjoint(member.wire_name.lower() for member in members(shape))


def test_a_method_and_a_command_are_the_same_call() -> None:
    recording = Recording()
    client = STSClient(**HERE, credentials=KEYS, middleware=[recording])  # type: ignore[arg-type]
    command = locum.AssumeRoleCommand(role_arn="arn:aws:iam::111122223333:role/demo", role_session_name="me")
    client.send(command)
    client.assume_role(role_arn="arn:aws:iam::111122223333:role/demo", role_session_name="me")

    async def main() -> None:
        other = AsyncSTSClient(**HERE, credentials=KEYS, middleware=[recording])  # type: ignore[arg-type]
        await other.send(command)
        await other.assume_role(role_arn="arn:aws:iam::111122223333:role/demo", role_session_name="me")

    asyncio.run(main())
    assert recording.commands == [command] * 4
    with pytest.raises(TypeError, match="role_session_name"):
        client.assume_role(role_arn="arn")  # type: ignore[call-arg]


def test_options_of_a_client_can_be_changed_for_some_calls() -> None:
    first, second, third = Recording(), Recording(), Recording()
    client = STSClient(**HERE, credentials=KEYS, middleware=[first])  # type: ignore[arg-type]
    other = client.with_options(middleware=[second], region="ap-south-1").with_options(middleware=[third], timeout=3)
    assert repr(client) == "STSClient(https://sts.eu-west-1.amazonaws.com)"
    assert repr(other) == "STSClient(https://sts.ap-south-1.amazonaws.com)"
    other.get_caller_identity()
    assert [len(each.commands) for each in (first, second, third)] == [1, 0, 0]
    assert other._options == {"middleware": (second, third), "region": "ap-south-1", "timeout": 3}
    assert client._options == {}
    assert other._driver is client._driver


class Counting:
    """A provider that counts how often it is asked, and whose credentials stay."""

    def __init__(self) -> None:
        self.asked = 0

    def resolve(self) -> Flow[Credentials]:
        yield from Now()
        self.asked += 1
        return Credentials("AKIAIOSFODNN7TESTKEY", Secret("s"))


def test_a_provider_is_asked_once_while_its_credentials_are_good() -> None:
    provider = Counting()
    # A server that hangs up without a word could be met by the next request, which then is tried again.
    ending = raw(GOOD).replace(b"content-length", b"connection: close\r\ncontent-length", 1)
    with listening([says(ending)]) as url:
        with STSClient(**HERE, endpoint_url=url, credentials=provider) as client:  # type: ignore[arg-type]
            assert [client.get_caller_identity() for _ in range(3)] == [ME] * 3
            assert provider.asked == 1
            assert client.send(locum.GetCallerIdentityCommand(), credentials=provider) == ME
            assert provider.asked == 2
        shared = Refreshing(provider)
        with STSClient(**HERE, endpoint_url=url, credentials=shared) as client:  # type: ignore[arg-type]
            assert client._calls.credentials is shared


def test_without_credentials_the_chain_is_asked() -> None:
    environment = HERE["environment"] | {"AWS_ACCESS_KEY_ID": "AKIAFROMENVIRONMENT1", "AWS_SECRET_ACCESS_KEY": "s"}  # type: ignore[operator]
    heads: list[str] = []

    def listens(connection: Any) -> None:
        heads.append(received(connection).decode())
        connection.sendall(raw(GOOD))

    with listening([listens]) as url:
        with STSClient(region="eu-west-1", endpoint_url=url, environment=environment) as client:
            assert client.get_caller_identity() == ME
        with STSClient(**HERE, endpoint_url=url) as client, pytest.raises(ClientFailure, match="no credentials found"):  # type: ignore[arg-type]
            client.get_caller_identity()
    assert "Credential=AKIAFROMENVIRONMENT1/" in heads[0]
    assert len(heads) == 1


# Secrets


SECRETS: Final = ("the-web-identity-token", "the-saml-assertion", "the-trade-in-token", "123456", "the-secret-key")
NEW_SECRETS: Final = ("new-secret-key", "new-session-token")


@pytest.mark.facts("R38", "STS-CL-008")
def test_no_secret_is_logged_or_printed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    role = "arn:aws:iam::111122223333:role/demo"
    echo = f"You sent {' '.join(SECRETS)}"
    issued = (
        b"<GetSessionTokenResponse><GetSessionTokenResult><Credentials><AccessKeyId>ASIAIOSFODNN7NEWKEY1</AccessKeyId>"
        b"<SecretAccessKey>new-secret-key</SecretAccessKey><SessionToken>new-session-token</SessionToken><Expiration>"
        b"2026-01-02T04:04:05Z</Expiration></Credentials></GetSessionTokenResult></GetSessionTokenResponse>"
    )
    keys = Credentials("ASIAIOSFODNN7TESTKEY", Secret("the-secret-key"), Secret("the-session-token"))
    commands: list[Command[Any]] = [
        locum.AssumeRoleWithWebIdentityCommand(
            role_arn=role, role_session_name="me", web_identity_token=Secret(SECRETS[0])
        ),
        locum.AssumeRoleWithSAMLCommand(role_arn=role, principal_arn=role, saml_assertion=Secret(SECRETS[1])),
        locum.GetDelegatedAccessTokenCommand(trade_in_token=Secret(SECRETS[2])),
        locum.GetSessionTokenCommand(serial_number="arn:aws:iam::1:mfa/x", token_code=Secret(SECRETS[3])),
    ]
    printed = []
    with listening([says(raw(refusal(ServiceUnavailable(echo))))]) as url:
        for proxies in ({}, {"http": url.replace("//", "//me:hidden-password@")}):
            client = STSClient(**HERE, endpoint_url=url, credentials=keys, max_attempts=1, proxies=proxies)  # type: ignore[arg-type]
            printed += [repr(client), repr(client.settings), str(client.settings), repr(client._calls.credentials)]
            for command in commands:
                with pytest.raises((ServiceException, ClientFailure)):
                    client.send(command)
                printed.append(repr(command))
            client.close()

    with listening([says(raw(Response(200, (), issued)))]) as url:
        with STSClient(**HERE, endpoint_url=url, credentials=keys) as client:  # type: ignore[arg-type]
            printed.append(repr(client.get_session_token()))

        async def main() -> None:
            async with AsyncSTSClient(**HERE, endpoint_url=url, credentials=keys) as other:  # type: ignore[arg-type]
                printed.append(repr(await other.get_session_token()))

        asyncio.run(main())
    now = datetime.datetime.now(datetime.UTC)
    printed.append(
        repr(locum.GetWebIdentityTokenResponse(web_identity_token=Secret("new-session-token"), expiration=now))
    )
    assert "AssumeRoleWithSAML" in caplog.text
    assert "ServiceUnavailable (request request-1)" in caplog.text
    everything = caplog.text + "\n".join(printed)
    found = [each for each in (*SECRETS, *NEW_SECRETS, "the-session-token", "hidden-password") if each in everything]
    assert found == []
    declared = {each.attribute for command in COMMANDS.values() for each in members(command) if each.limits.secret}
    assert declared == {"web_identity_token", "saml_assertion", "trade_in_token", "token_code"}


# A real server


def test_both_clients_speak_with_the_real_server(running: Any, tmp_path: Path) -> None:
    options: Any = {
        "region": running.region,
        "endpoint_url": running.url,
        "credentials": running.root_credentials,
        "environment": {"HOME": str(tmp_path)},
    }
    with STSClient(**options) as client:
        me = client.get_caller_identity()
        assert me.arn == "arn:aws:iam::012345678901:root"
        session = client.get_session_token(duration_seconds=900).credentials
        assert client.with_options(credentials=session).get_caller_identity() == me
        with pytest.raises(AccessDenied, match="Roles may not be assumed by root") as raised:
            client.assume_role(role_arn="arn:aws:iam::012345678901:role/demo", role_session_name="me")
        assert raised.value.request_id

    async def main() -> None:
        async with AsyncSTSClient(**options) as other:
            assert await other.get_caller_identity() == me
            assert (await other.send(locum.GetCallerIdentityCommand(), credentials=session)) == me

    asyncio.run(main())
