"""Sessions that stay valid and role assumers, against a real STS; and boto3 and aiobotocore that sign with them."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import aiobotocore.session
import boto3
import pytest

import locum.client
from locum import errors
from locum.api.sts import AssumeRoleCommand, AssumeRoleWithWebIdentityCommand, GetSessionTokenCommand
from locum.client import AsyncSTSClient, STSClient, adapters, sessions
from locum.client.credentials import Credentials, Static
from locum.client.failures import ConfigurationFailure
from locum.secret import Secret
from locum.testing import RunningServer, running_server

USER = "alice"


class Scene(SimpleNamespace):
    """A server with a user, and a role that the user may assume."""

    server: RunningServer
    user: Credentials
    role_arn: str
    command: AssumeRoleCommand
    options: Mapping[str, Any]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with running_server() as server:
        iam = boto3.client("iam", **server.boto3_arguments())
        user = iam.create_user(UserName=USER)["User"]
        key = iam.create_access_key(UserName=USER)["AccessKey"]
        trust = {"Effect": "Allow", "Principal": {"AWS": user["Arn"]}, "Action": "sts:AssumeRole"}
        role = iam.create_role(
            RoleName="demo",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )["Role"]
        yield Scene(
            server=server,
            user=Credentials(key["AccessKeyId"], Secret(key["SecretAccessKey"])),
            role_arn=role["Arn"],
            command=AssumeRoleCommand(role_arn=role["Arn"], role_session_name="me"),
            options={"endpoint_url": server.url, "region": server.region, "environment": {"HOME": "/nowhere"}},
        )


def who_is(scene: Scene, credentials: Credentials) -> str:
    with STSClient(**scene.options, credentials=credentials) as client:
        return client.get_caller_identity().arn or ""


# Role assumers


@pytest.mark.facts("STS-CL-012", "STS-CL-013", "STS-CL-016")
def test_a_role_assumer_signs_each_call_with_the_credentials_it_is_given(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[STSClient] = []

    class Counted(STSClient):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            made.append(self)

    monkeypatch.setattr(locum.client, "STSClient", Counted)
    assume = sessions.default_role_assumer(**scene.options)
    assert made == []
    stranger = Credentials("AKIAIOSFODNN7EXAMPLE", Secret("wrong"))
    for _ in range(2):
        got = assume(scene.user, scene.command)
        assert got.account_id == scene.server.account_id
        assert got.expiration is not None
        assert who_is(scene, got).endswith(":assumed-role/demo/me")
        with pytest.raises(errors.InvalidClientTokenId):
            assume(stranger, scene.command)
    assert len(made) == 1
    assume.close()


def test_an_asyncio_role_assumer_does_the_same(scene: Scene) -> None:
    async def run() -> Credentials:
        async with sessions.async_default_role_assumer(**scene.options) as assume:
            return await assume(scene.user, scene.command)

    assert who_is(scene, asyncio.run(run())).endswith(":assumed-role/demo/me")


@pytest.mark.facts("STS-CL-012")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_web_identity_assumer_needs_no_credentials(asynchronous: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    command = AssumeRoleWithWebIdentityCommand(
        role_arn="arn:aws:iam::111122223333:role/demo", role_session_name="me", web_identity_token=Secret("token")
    )

    def send(self: Any, command: Any, **options: Any) -> Any:
        sent.append((command, options))
        answer = SimpleNamespace(
            credentials=SimpleNamespace(access_key_id="ASIA", secret_access_key=Secret("s"))
        )  # fmt: skip
        return asyncio.sleep(0, answer) if asynchronous else answer

    monkeypatch.setattr(AsyncSTSClient if asynchronous else STSClient, "send", send)
    options: dict[str, Any] = {"environment": {"HOME": "/nowhere"}}
    if asynchronous:

        async def run() -> Credentials:
            return await sessions.async_default_role_assumer_with_web_identity(**options)(command)

        got = asyncio.run(run())
    else:
        got = sessions.default_role_assumer_with_web_identity(**options)(command)
    assert got.access_key_id == "ASIA"
    assert sent == [(command, {})]


@pytest.mark.parametrize(
    ("options", "environment", "region"),
    [
        ({"region": "eu-west-1"}, {"AWS_REGION": "eu-west-2"}, "eu-west-1"),
        ({}, {"AWS_REGION": "eu-west-2"}, "eu-west-2"),
        ({}, {}, "us-east-1"),
        ({}, {"AWS_REGION": "no region at all"}, "us-east-1"),
    ],
)
@pytest.mark.facts("STS-CL-014")
def test_credentials_are_asked_for_in_the_client_s_region_or_in_us_east_1(
    options: dict[str, Any], environment: dict[str, str], region: str
) -> None:
    client = sessions._blocking_client({**options, "environment": {"HOME": "/nowhere", **environment}})  # type: ignore[typeddict-item]
    assert client.settings.region == region
    client.close()


def test_other_mistakes_of_a_set_up_are_told() -> None:
    with pytest.raises(ConfigurationFailure, match="nowhere"):
        sessions.refreshing_session(profile="nowhere", environment={"HOME": "/nowhere"})
    with pytest.raises(ConfigurationFailure):
        sessions.refreshing_session(region="no region", environment={"HOME": "/nowhere"})


# Refreshing sessions


def asked(scene: Scene) -> int:
    return scene.server.audit_path.read_text().count('"eventName":"AssumeRole"')


def test_a_session_is_shared_by_threads_and_asks_once(scene: Scene) -> None:
    before = asked(scene)
    with sessions.refreshing_session(scene.command, source=scene.user, **scene.options) as session:
        found: list[Credentials] = []
        threads = [threading.Thread(target=lambda: found.append(session.credentials())) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 50
        assert len({each.access_key_id for each in found}) == 1
        assert who_is(scene, found[0]).endswith(":assumed-role/demo/me")
    assert asked(scene) == before + 1


def test_a_session_is_shared_by_tasks_and_asks_once(scene: Scene) -> None:
    before = asked(scene)

    async def run() -> list[Credentials]:
        async with sessions.async_refreshing_session(scene.command, source=scene.user, **scene.options) as session:
            return await asyncio.gather(*[session.credentials() for _ in range(50)])

    assert len({each.access_key_id for each in asyncio.run(run())}) == 1
    assert asked(scene) == before + 1


def test_a_session_can_be_a_client_s_credentials_and_another_session_s_source(scene: Scene) -> None:
    with sessions.refreshing_session(scene.command, source=scene.user, **scene.options) as session:
        with STSClient(**scene.options, credentials=session) as client:
            assert (client.get_caller_identity().arn or "").endswith(":assumed-role/demo/me")
        with (
            sessions.refreshing_session(scene.command, source=session, **scene.options) as chained,
            pytest.raises(errors.AccessDenied),
        ):
            chained.credentials()


def test_a_session_by_another_command_and_one_without_a_command(scene: Scene) -> None:
    with sessions.refreshing_session(GetSessionTokenCommand(), source=scene.user, **scene.options) as session:
        assert who_is(scene, session.credentials()).endswith(f":user/{USER}")
    variables = {
        "AWS_ACCESS_KEY_ID": scene.user.access_key_id,
        "AWS_SECRET_ACCESS_KEY": scene.user.secret_access_key.reveal(),
    }
    options = {**scene.options, "environment": variables}
    with sessions.refreshing_session(**options) as own:
        assert own.credentials() == scene.user
    with sessions.refreshing_session(scene.command, **options) as session:
        assert who_is(scene, session.credentials()).endswith(":assumed-role/demo/me")
    with sessions.refreshing_session(scene.command, credentials=Static(scene.user), **scene.options) as session:
        assert who_is(scene, session.credentials()).endswith(":assumed-role/demo/me")


# boto3 and aiobotocore


def test_boto3_signs_with_what_the_session_has_at_the_time(scene: Scene) -> None:
    with sessions.refreshing_session(scene.command, source=scene.user, **scene.options) as session:
        boto = adapters.boto3_session(session, region_name=scene.server.region)
        sts = boto.client("sts", endpoint_url=scene.server.url)
        keys = []
        sts.meta.events.register(
            "before-send.sts", lambda request, **_: keys.append(request.headers["Authorization"].decode())
        )
        for _ in range(2):
            assert sts.get_caller_identity()["Arn"].endswith(":assumed-role/demo/me")
            assert session.credentials().access_key_id in keys[-1]
            session.forget()
        assert keys[0].split("/")[0] != keys[1].split("/")[0]
        frozen = boto.get_credentials().get_frozen_credentials()
        assert frozen.access_key == session.credentials().access_key_id
        assert frozen.secret_key == session.credentials().secret_access_key.reveal()
        assert boto.get_credentials().method == "locum"
        assert boto.get_credentials().account_id == scene.server.account_id


def test_boto3_without_a_session_uses_the_default_chain(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in scene.server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    credentials = adapters.boto3_session().get_credentials()
    assert credentials.access_key == scene.server.root_credentials.access_key_id


def test_aiobotocore_signs_with_what_the_session_has_at_the_time(scene: Scene) -> None:
    async def run() -> tuple[list[str], str]:
        async with sessions.async_refreshing_session(scene.command, source=scene.user, **scene.options) as session:
            aio = adapters.aiobotocore_session(session)
            assert isinstance(aio, aiobotocore.session.AioSession)
            arns = []
            arguments = {"endpoint_url": scene.server.url, "region_name": scene.server.region}
            async with aio.create_client("sts", **arguments) as sts:
                for _ in range(2):
                    arns.append((await sts.get_caller_identity())["Arn"])
                    session.forget()
            credentials = await aio.get_credentials()
            return arns, (await credentials.get_frozen_credentials()).account_id

    arns, account = asyncio.run(run())
    assert all(arn.endswith(":assumed-role/demo/me") for arn in arns)
    assert account == scene.server.account_id


@pytest.mark.parametrize(
    ("adapter", "package"),
    [
        (adapters.boto3_session, "boto3"),
        (adapters.botocore_session, "botocore"),
        (adapters.aiobotocore_session, "aiobotocore"),
    ],
)
def test_a_missing_package_is_named(adapter: Any, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ConfigurationFailure, match=f"needs {package}: pip install {package}"):
        adapter()


def test_the_adapters_show_no_secret(scene: Scene) -> None:
    with sessions.refreshing_session(source=scene.user, **scene.options) as session:
        held = adapters.botocore_session(session).get_credentials()
        assert scene.user.secret_access_key.reveal() not in f"{held!r} {vars(held)!r} {session!r}"
        assert len(held.secret_key) == len(scene.user.secret_access_key)
