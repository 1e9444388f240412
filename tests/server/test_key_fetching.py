"""Issuers' keys are fetched where nobody else has to wait for it (R7), and nobody waits for ever."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import boto3
import botocore.config
import botocore.exceptions
import pytest

from locum.api import sts
from locum.api.iam import oidc_providers, roles, users
from locum.core.oidc import IssuerRules
from locum.server.app import Application
from locum.server.data import Data
from locum.server.fetching import Fetching
from locum.server.issuers import Fetched
from locum.server.jwks import IssuerKeys, KeysNeeded
from locum.server.providers import Providers
from locum.testing import RunningServer, running_server

from .bearers import CLIENT, PROVIDER, URL, Issuer, asking, trusting
from .conftest import ACCOUNT
from .edge import Answer, Edge

WHO: Final = sts.GetCallerIdentityCommand()
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/deploy"
PATIENCE: Final = 30.0


class GatedIssuer(Issuer):
    """Its keys come when the gate is opened; ``begun`` is set when somebody waits for them."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.threads: list[str] = []

    def fetch(self, issuer: str, rules: IssuerRules, thumbprints: tuple[str, ...]) -> Fetched:
        self.threads.append(threading.current_thread().name)
        self.begun.set()
        assert self.gate.wait(PATIENCE)
        return super().fetch(issuer, rules, thumbprints)


@pytest.fixture
def issuer() -> GatedIssuer:
    return GatedIssuer()


@pytest.fixture
def edge(tmp_path: Path, issuer: GatedIssuer) -> Edge:
    made = Edge(tmp_path)
    keys = IssuerKeys(clock=lambda: made.now, fetcher=issuer.fetch)
    made.app = Application(
        made.settings,
        Data(tmp_path, made.store, made.vault),
        clock=lambda: made.now,
        random=made.random,
        providers=Providers(url="http://127.0.0.1:8380", keys=keys),
    )
    provider = oidc_providers.CreateOpenIDConnectProviderCommand(url=URL, client_id_list=(CLIENT,))
    assert made.call(provider, made.root).status == 200
    trust = json.dumps(trusting(PROVIDER))
    assert (
        made.call(roles.CreateRoleCommand(role_name="deploy", assume_role_policy_document=trust), made.root).status
        == 200
    )
    return made


async def begun(issuer: GatedIssuer) -> None:
    assert await asyncio.get_running_loop().run_in_executor(None, issuer.begun.wait, PATIENCE)


def bearers(edge: Edge, issuer: Issuer, count: int) -> list[asyncio.Task[Answer]]:
    request = edge.request(asking(ROLE, issuer.token()), None)
    return [asyncio.create_task(edge.answered(request)) for _ in range(count)]


def test_who_waits_for_keys_holds_up_nobody_and_all_wait_for_one_fetch(edge: Edge, issuer: GatedIssuer) -> None:
    async def scenario() -> None:
        waiting = bearers(edge, issuer, 20)
        await begun(issuer)
        assert (await edge.answered(edge.request(WHO, edge.root))).status == 200
        for _ in range(8):
            # In the threads of the store, of which there are four.
            assert (await edge.answered(edge.request(users.ListUsersCommand(), edge.root))).status == 200
        assert not any(each.done() for each in waiting)
        issuer.gate.set()
        assert [(await each).status for each in waiting] == [200] * 20

    asyncio.run(scenario())
    assert issuer.asked == [URL]
    assert [name.partition("_")[0] for name in issuer.threads] == ["locum-keys"]


def test_only_so_many_wait_and_the_others_are_told_to_try_again(edge: Edge, issuer: GatedIssuer) -> None:
    edge.app._fetching = Fetching(edge.app._pipeline.providers.keys.fetch, waiting=3)  # type: ignore[misc]

    async def scenario() -> None:
        waiting = bearers(edge, issuer, 3)
        await begun(issuer)
        (refused,) = [await each for each in bearers(edge, issuer, 1)]
        assert refused.status == 400
        assert "<Code>IDPCommunicationError</Code>" in refused.text
        issuer.gate.set()
        assert [(await each).status for each in waiting] == [200] * 3

    asyncio.run(scenario())
    assert edge.records()[-4]["errorCode"] == "IDPCommunicationErrorException"


def test_a_client_that_goes_away_takes_nothing_along(edge: Edge, issuer: GatedIssuer) -> None:
    async def scenario() -> None:
        first, second = bearers(edge, issuer, 2)
        await begun(issuer)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        issuer.gate.set()
        assert (await second).status == 200

    asyncio.run(scenario())
    assert issuer.asked == [URL]


def test_a_request_waits_twice_at_most(edge: Edge, issuer: GatedIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer.gate.set()
    fetched: list[str] = []

    def forgetful(keys: IssuerKeys, need: KeysNeeded) -> None:
        fetched.append(need.issuer)

    monkeypatch.setattr(IssuerKeys, "fetch", forgetful)
    edge.app._fetching = Fetching(edge.app._pipeline.providers.keys.fetch)  # type: ignore[misc]
    answer = edge.call(asking(ROLE, issuer.token()), None)
    assert answer.status == 400
    assert "<Code>IDPCommunicationError</Code>" in answer.text
    assert fetched == [URL, URL]


def test_a_fetch_that_fails_in_an_unforeseen_way_is_logged_and_ends(
    edge: Edge, issuer: GatedIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(need: KeysNeeded) -> None:
        raise RuntimeError("the plan")

    edge.app._fetching = Fetching(broken)  # type: ignore[misc]
    answer = edge.call(asking(ROLE, issuer.token()), None)
    assert answer.status == 400
    assert "the plan" not in answer.text
    assert "the plan" in caplog.text


# Real sockets


class Silent:
    """An issuer that takes every connection and never says a word; ``taken`` is set at the first one."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.taken = threading.Event()
        self._held: list[socket.socket] = []
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._held.append(connection)
            self.taken.set()

    def close(self) -> None:
        if self._thread.is_alive():
            self._listener.shutdown(socket.SHUT_RDWR)
            self._thread.join(PATIENCE)
            for each in (self._listener, *self._held):
                each.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    made = Silent()
    yield made
    made.close()


@pytest.fixture
def talking() -> Iterator[Issuer]:
    """An issuer that answers by HTTP."""
    issuer = Issuer()

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = issuer.key_set()
            if self.path.endswith("/openid-configuration"):
                page = json.dumps({"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield issuer
    server.shutdown()
    server.server_close()
    thread.join(PATIENCE)


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running_server(oidc=[{"provider": "arn:aws:iam::*:oidc-provider/127.0.0.1:*", "loopback-http": True}]) as made:
        yield made


def now_token(issuer: Issuer, server: RunningServer) -> str:
    seconds = int(server.clock())
    return issuer.token(iat=seconds, exp=seconds + 300)


def open_role(server: RunningServer, name: str, authority: str) -> str:
    iam = boto3.client("iam", **server.boto3_arguments())
    provider = iam.create_open_id_connect_provider(Url=f"https://{authority}", ClientIDList=[CLIENT])
    trust = json.dumps(trusting(provider["OpenIDConnectProviderArn"]))
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    return arn


def patient(server: RunningServer) -> Any:
    config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE, max_pool_connections=40)
    return boto3.client("sts", config=config, **server.boto3_arguments())


@pytest.mark.facts("R7", "STS-WI-021")
def test_an_issuer_that_hangs_holds_up_nobody_else(server: RunningServer, silent: Silent, talking: Issuer) -> None:
    hanging = Issuer(f"http://{silent.address}")
    stuck = open_role(server, "stuck", silent.address)
    good = open_role(server, "good", talking.url.removeprefix("http://"))
    client, iam = patient(server), boto3.client("iam", **server.boto3_arguments())

    def assume(role: str, issuer: Issuer) -> Callable[[], Any]:
        return lambda: client.assume_role_with_web_identity(
            RoleArn=role, RoleSessionName="s1", WebIdentityToken=now_token(issuer, server)
        )

    with ThreadPoolExecutor(24) as pool:
        waiting = [pool.submit(assume(stuck, hanging)) for _ in range(16)]
        assert silent.taken.wait(PATIENCE)
        for _ in range(5):
            client.get_caller_identity()
            iam.list_users()
        answer = assume(good, talking)()
        assert answer["AssumedRoleUser"]["Arn"].endswith("assumed-role/good/s1")
        assert not any(each.done() for each in waiting)
        silent.close()
        for each in waiting:
            with pytest.raises(botocore.exceptions.ClientError) as raised:
                each.result(PATIENCE)
            assert raised.value.response["Error"]["Code"] in ("IDPCommunicationError", "InvalidIdentityToken")
