"""The ASGI edge while it runs: side routes, start and end, the loop and its threads, and behind a real HTTP server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from locum.api.iam import users
from locum.core.records import Use
from locum.http import Request
from locum.server.pipeline import Answered, Pipeline
from locum.store.memory import MemoryStore
from locum.store.records import Records
from locum.testing import RunningServer, running_server
from locum.wire.sigv4 import Credentials, sign

from .conftest import ACCOUNT, HOST, START
from .edge import FORM, MOST, QUERY, WHO, Edge, account_of, code_of

# The side routes


def test_it_says_that_it_lives_and_is_ready(edge: Edge) -> None:
    for path, text in (("/health/live", "live\n"), ("/health/ready", "ready\n")):
        answer = edge.get(path)
        assert (answer.status, answer.text) == (200, text)
        assert edge.get(path, method="HEAD").status == 200


def test_it_is_not_ready_when_the_store_cannot_be_read(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: MemoryStore) -> Any:
        raise OSError("a secret path")

    monkeypatch.setattr(MemoryStore, "snapshot", broken)
    answer = edge.get("/health/ready")
    assert (answer.status, answer.text) == (503, "the store cannot be read\n")
    assert edge.get("/health/live").status == 200
    monkeypatch.undo()
    assert edge.get("/health/ready").status == 200


def test_it_says_that_it_lives_while_every_thread_is_busy(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(Pipeline, "answer", waiting_for(gate, []))

    async def scenario() -> None:
        waiting = [asyncio.create_task(edge.answered(edge.request(WHO, edge.root))) for _ in range(8)]
        await asyncio.sleep(0)
        live = await asyncio.wait_for(edge.answered(Request("GET", "/health/live", "", (("host", HOST),))), 30)
        assert live.status == 200
        gate.set()
        assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_the_side_routes_are_for_reading(edge: Edge, path: str, method: str) -> None:
    answer = edge.get(path, method=method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_requests_are_counted_by_operation_and_outcome(edge: Edge) -> None:
    for _ in range(3):
        account_of(edge.call(WHO, edge.root))
    edge.call(WHO, None)
    edge.send(Request("POST", "/", "", (("host", HOST), FORM), b"Action=Secret&Version=1"))
    answer = edge.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"

    def count(operation: str, code: str) -> float:
        line = rf'locum_requests_total{{code="{code}",operation="{operation}",service="\w+"}} (\S+)'
        return sum(float(found) for found in re.findall(line, answer.text))

    assert count("GetCallerIdentity", "ok") == 3
    assert count("GetCallerIdentity", "MissingAuthenticationToken") == 1
    assert count("unknown", "InvalidAction") == 1
    assert "Secret" not in answer.text
    assert 'locum_request_duration_seconds_count{operation="GetCallerIdentity",service="sts"} 4.0' in answer.text


# Life


def test_the_end_closes_the_store_after_the_last_uses_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = Edge(tmp_path)
    account_of(edge.call(WHO, edge.root))
    uses: list[int] = []

    def close(store: MemoryStore) -> None:
        with store.snapshot() as snapshot:
            stored = Records(snapshot).get(Use, "", edge.root.access_key_id)
            uses.append(0 if stored is None else stored.record.used)

    monkeypatch.setattr(MemoryStore, "close", close)
    assert edge.lifespan("startup", "shutdown") == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert uses == [int(START)]


def test_uses_are_written_again_and_again(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locum.server.app._FLUSH_SECONDS", 0)
    account_of(edge.call(WHO, edge.root))
    written = threading.Event()
    flush = type(edge.app._pipeline.usage).flush

    def flushed(usage: Any, store: Any) -> int:
        count = flush(usage, store)
        if count:
            written.set()
        return count

    monkeypatch.setattr(type(edge.app._pipeline.usage), "flush", flushed)

    async def scenario() -> None:
        task = asyncio.create_task(edge.app._flush_regularly())
        assert await asyncio.get_running_loop().run_in_executor(None, written.wait, 30)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_uses_that_cannot_be_written_hinder_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edge = Edge(tmp_path)
    account_of(edge.call(WHO, edge.root))

    def broken(_: MemoryStore) -> Any:
        raise OSError("no space")

    monkeypatch.setattr(MemoryStore, "transaction", broken)
    assert edge.lifespan("startup", "shutdown")[-1] == "lifespan.shutdown.complete"


def test_other_protocols_are_refused(edge: Edge) -> None:
    exchange = edge.exchange(Request("GET", "/", "", (("host", HOST),)), type="websocket")
    asyncio.run(edge.app(exchange.scope, exchange.receive, exchange.send))
    assert exchange.sent == [{"type": "websocket.close"}]
    with pytest.raises(ValueError, match="carrier pigeon"):
        edge.get("/", type="carrier pigeon")


# The loop and the threads


def waiting_for(gate: threading.Event, threads: list[str]) -> Any:
    """The pipeline's answer, where it may wait only after the gate was opened."""
    answer = Pipeline.answer

    def call(
        pipeline: Pipeline, request: Request, request_id: str, now: float, *, wait: bool, fetch: bool = True
    ) -> Answered:
        if wait:
            threads.append(threading.current_thread().name)
            assert gate.wait(30)
        else:
            assert threading.current_thread() is threading.main_thread()
        return answer(pipeline, request, request_id, now, wait=wait, fetch=fetch)

    return call


def test_what_needs_the_store_does_not_hold_up_the_loop(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    account_of(edge.call(WHO, edge.root))
    gate, threads = threading.Event(), list[str]()
    monkeypatch.setattr(Pipeline, "answer", waiting_for(gate, threads))

    async def scenario() -> None:
        slow = asyncio.create_task(edge.answered(edge.request(users.ListUsersCommand(), edge.root)))
        await asyncio.sleep(0)
        quick = await edge.answered(edge.request(WHO, edge.root))
        assert account_of(quick) == ACCOUNT
        assert not slow.done()
        gate.set()
        assert (await slow).status == 200

    asyncio.run(scenario())
    assert len(threads) == 1
    assert threads[0].startswith("locum")


def test_each_request_has_an_id_of_its_own(edge: Edge) -> None:
    answers = [edge.call(WHO, who) for who in (edge.root, None) for _ in range(10)]
    answers.append(edge.call(users.ListUsersCommand(), edge.root))
    ids = [answer.headers["x-amzn-requestid"] for answer in answers]
    assert len(set(ids)) == len(ids)
    assert all(str(uuid.UUID(each)) == each for each in ids)
    assert all(each in answer.text for each, answer in zip(ids, answers, strict=True))
    assert [record["requestID"] for record in edge.records()] == ids


def test_a_client_cannot_choose_the_request_id(edge: Edge) -> None:
    extra = (("x-request-id", "mine"), ("x-amzn-requestid", "mine"))
    answer = edge.send(edge.request(WHO, edge.root, extra=extra))
    assert "mine" not in answer.text + str(answer.headers)


def test_an_unforeseen_exception_names_the_request_and_nothing_else(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise RuntimeError("the secret plan")

    monkeypatch.setattr(Pipeline, "_run", broken)
    answer = edge.call(WHO, edge.root)
    assert answer.status == 500
    assert code_of(answer) == "InternalFailure"
    assert answer.headers["x-amzn-requestid"] in answer.text
    assert "plan" not in answer.text
    assert "the secret plan" in caplog.text
    monkeypatch.undo()
    assert account_of(edge.call(WHO, edge.root)) == ACCOUNT


# Through a real HTTP server


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server(account_id=ACCOUNT, max_body=MOST) as running:
        yield running


def exchange(server: RunningServer, data: bytes) -> tuple[int, bytes]:
    """Status and the rest of what comes back on a connection of its own."""
    host, _, port = server.url.partition("://")[2].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(data)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n")[2]


def signed(server: RunningServer, **changes: Any) -> Request:
    host = server.url.partition("://")[2]
    request = Request("POST", "/", "", (("host", host), FORM), QUERY.encode())
    root = server.root_credentials
    credentials = Credentials(root.access_key_id, root.secret_access_key)
    request = msgspec.structs.replace(request, **changes)
    return sign(request, credentials, service="sts", region=server.region, now=server.clock())


def raw(request: Request, *, target: str = "", length: int | None = None, more: str = "") -> bytes:
    """The request as it travels."""
    target = target or request.path + (f"?{request.query}" if request.query else "")
    lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers)
    size = len(request.body) if length is None else length
    head = f"{request.method} {target} HTTP/1.1\r\n{lines}{more}content-length: {size}\r\nconnection: close\r\n\r\n"
    return head.encode("latin-1") + request.body


@pytest.mark.facts("R26")
def test_a_signed_request_comes_through_the_http_server(server: RunningServer) -> None:
    status, answer = exchange(server, raw(signed(server), more="x-forwarded-for: 192.0.2.1\r\n"))
    assert status == 200
    assert f"<Account>{ACCOUNT}</Account>".encode() in answer
    last = json.loads(server.audit_path.read_text().splitlines()[-1])
    assert last["sourceIPAddress"] == "127.0.0.1"


def test_a_query_with_a_question_mark_comes_through_the_http_server(server: RunningServer) -> None:
    host = server.url.partition("://")[2]
    request = signed(server, method="GET", query=f"{QUERY}&a=b?c", headers=(("host", host),), body=b"")
    assert exchange(server, raw(request))[0] == 200
    assert exchange(server, raw(request, target=f"/?{QUERY}&a=b?d"))[0] == 403
    assert exchange(server, raw(request, target=f"{server.url}/?{QUERY}&a=b?c"))[0] == 200


@pytest.mark.facts("STS-W-019")
@pytest.mark.parametrize("target", ["/%zz", "/..", "/a/../../b", "*"])
def test_a_bad_target_is_refused_through_the_http_server(server: RunningServer, target: str) -> None:
    assert exchange(server, raw(signed(server), target=target))[0] == 400


@pytest.mark.facts("R45")
@pytest.mark.parametrize("hosts", [[], ["evil.example"], ["127.0.0.1", "127.0.0.1"]])
def test_a_wrong_host_is_refused_through_the_http_server(server: RunningServer, hosts: list[str]) -> None:
    lines = tuple(("host", host) for host in hosts)
    assert exchange(server, raw(Request("GET", "/health/live", "", lines)))[0] == 400


def test_a_body_is_bounded_through_the_http_server(server: RunningServer) -> None:
    request = signed(server, body=f"{QUERY}&x=".encode() + b"x" * MOST)
    assert exchange(server, raw(request))[0] == 413
    chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    head = f"POST / HTTP/1.1\r\nhost: {server.url.partition('://')[2]}\r\ntransfer-encoding: chunked\r\n"
    assert exchange(server, f"{head}connection: close\r\n\r\n".encode() + chunk * 20 + b"0\r\n\r\n")[0] == 413


@pytest.mark.parametrize("length", [0, 1, -1])
def test_a_length_that_is_not_the_bodys_is_never_a_success(server: RunningServer, length: int) -> None:
    """What is beyond the announced length is another request; the signature covers what is within."""
    request = signed(server)
    size = length if length >= 0 else len(request.body) + length
    assert exchange(server, raw(request, length=size))[0] in (400, 403)


def test_a_length_and_chunks_at_once_are_refused(server: RunningServer) -> None:
    """The two readings of such a request are how requests are smuggled past a proxy."""
    data = raw(signed(server), more="transfer-encoding: chunked\r\n")
    assert exchange(server, data)[0] == 400
