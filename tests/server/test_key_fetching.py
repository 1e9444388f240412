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
from locum.errors import InvalidIdentityTokenException
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
    edge.app._fetching = Fetching(edge.app._pipeline.providers.keys.fetch, waiting=6)  # type: ignore[misc]

    async def scenario() -> None:
        # Which of the four comes last is for the threads of the store to decide.
        ended, waiting = await asyncio.wait(
            bearers(edge, issuer, 4), timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED
        )
        (refused,) = [each.result() for each in ended]
        assert refused.status == 400
        assert "<Code>IDPCommunicationError</Code>" in refused.text
        assert issuer.begun.wait(PATIENCE)
        issuer.gate.set()
        assert [(await each).status for each in waiting] == [200] * 3

    asyncio.run(scenario())
    assert edge.records()[-4]["errorCode"] == "IDPCommunicationErrorException"


# Accounts


@pytest.mark.parametrize(("url", "account"), [(URL, ACCOUNT), ("https://accounts.google.com", "")])
def test_a_fetch_is_for_the_account_of_the_provider_and_a_built_in_one_is_nobody_s(
    edge: Edge, issuer: GatedIssuer, url: str, account: str
) -> None:
    needs: list[KeysNeeded] = []
    edge.app._fetching = Fetching(needs.append)  # type: ignore[misc]
    assert edge.call(asking(ROLE, issuer.token(iss=url)), None).status == 400
    assert {(need.issuer, need.account) for need in needs} == {(url, account)}


class Slow:
    """Fetches that end when they are told to: ``order`` is who was begun, as account and issuer."""

    def __init__(self, threads: int, waiting: int = 100) -> None:
        self.order: list[tuple[str, str]] = []
        self._gates: dict[str, threading.Event] = {}
        self._begun = asyncio.Condition()
        self._loop = asyncio.get_running_loop()
        self.fetching = Fetching(self._fetch, threads=threads, waiting=waiting)

    def _fetch(self, need: KeysNeeded) -> None:
        gate = self._gates[need.issuer]
        asyncio.run_coroutine_threadsafe(self._tell(need), self._loop).result(PATIENCE)
        assert gate.wait(PATIENCE)

    async def _tell(self, need: KeysNeeded) -> None:
        async with self._begun:
            self.order.append((need.account, need.issuer))
            self._begun.notify_all()

    def ask(self, account: str, issuer: str) -> asyncio.Task[bool]:
        self._gates.setdefault(issuer, threading.Event())
        otherwise = InvalidIdentityTokenException("no")
        need = KeysNeeded(
            *(issuer, IssuerRules(), ()), account=account, key_id=None, doubted=False, generation=0, otherwise=otherwise
        )
        return asyncio.create_task(self.fetching.fulfil(need))

    def end(self, issuer: str) -> None:
        self._gates[issuer].set()

    def end_all(self) -> None:
        for gate in self._gates.values():
            gate.set()

    async def begun(self, count: int) -> list[tuple[str, str]]:
        """Who was begun, once there are so many; nobody else has been by then."""
        async with asyncio.timeout(PATIENCE), self._begun:
            await self._begun.wait_for(lambda: len(self.order) >= count)
        for _ in range(10):
            await asyncio.sleep(0)
        return self.order


@pytest.mark.facts("R7")
def test_an_account_whose_issuers_all_hang_takes_half_of_the_threads() -> None:
    async def scenario() -> None:
        slow = Slow(threads=8)
        hanging = [slow.ask("hog", f"hog-{number}") for number in range(8)]
        assert [account for account, _ in await slow.begun(4)] == ["hog"] * 4
        other = slow.ask("other", "other-1")
        assert (await slow.begun(5))[4:] == [("other", "other-1")]
        slow.end("other-1")
        assert await other
        assert not any(each.done() for each in hanging)
        slow.end_all()
        assert all(await asyncio.gather(*hanging))
        assert len(slow.order) == 9

    asyncio.run(scenario())


def test_a_thread_that_becomes_free_goes_to_the_account_that_holds_the_fewest() -> None:
    async def scenario() -> None:
        slow = Slow(threads=4)
        waiting = [slow.ask(account, f"{account}-{number}") for account in ("a", "b", "c") for number in range(3)]
        # Two for the first account, one for the second, and the last thread for the third.
        assert sorted(account for account, _ in await slow.begun(4)) == ["a", "a", "b", "c"]
        waiting.append(slow.ask("d", "d-0"))
        # One is free: it goes to who holds none, and of those in turns.
        for ended, begun in (("b-0", ("b", "b-1")), ("b-1", ("d", "d-0")), ("d-0", ("b", "b-2"))):
            slow.end(ended)
            assert (await slow.begun(len(slow.order) + 1))[-1] == begun
        slow.end_all()
        assert all(await asyncio.gather(*waiting))
        assert len(slow.order) == 10

    asyncio.run(scenario())


def test_an_issuer_of_two_accounts_is_asked_once_and_for_the_one_whose_turn_comes_first() -> None:
    async def scenario() -> None:
        slow = Slow(threads=4)
        hanging = [slow.ask("hog", f"hog-{number}") for number in range(4)]
        shared = [slow.ask("hog", "shared")]
        await slow.begun(2)
        shared += [slow.ask("other", "shared"), slow.ask("third", "shared")]
        assert (await slow.begun(3))[2][1] == "shared"
        slow.end("shared")
        assert all(await asyncio.gather(*shared))
        assert not any(each.done() for each in hanging)
        slow.end_all()
        assert all(await asyncio.gather(*hanging))
        assert [issuer for _, issuer in slow.order].count("shared") == 1

    asyncio.run(scenario())


def test_an_account_that_waits_much_leaves_others_a_place_to_wait() -> None:
    async def scenario() -> None:
        slow = Slow(threads=4, waiting=8)
        waiting = [slow.ask("hog", "hog-0") for _ in range(4)]
        await slow.begun(1)
        assert not await slow.ask("hog", "hog-0")
        waiting += [slow.ask("other", "other-0"), slow.ask("third", "third-0")]
        await slow.begun(3)
        slow.end_all()
        assert all(await asyncio.gather(*waiting))
        again = slow.ask("hog", "hog-0")
        assert await again

    asyncio.run(scenario())


def test_a_fetch_for_which_nobody_waits_any_more_is_never_begun() -> None:
    async def scenario() -> None:
        slow = Slow(threads=2)
        first, gone = slow.ask("a", "a-0"), slow.ask("a", "a-1")
        await slow.begun(1)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        last = slow.ask("a", "a-2")
        slow.end_all()
        assert all(await asyncio.gather(first, last))
        assert [issuer for _, issuer in slow.order] == ["a-0", "a-2"]

    asyncio.run(scenario())


def test_who_waits_when_the_server_ends_is_answered() -> None:
    async def scenario() -> None:
        slow = Slow(threads=2)
        waiting = [slow.ask("a", f"a-{number}") for number in range(3)]
        await slow.begun(1)
        slow.fetching.close()
        slow.end_all()
        assert await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE) == [True] * 3
        assert len(slow.order) == 1

    asyncio.run(scenario())


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
