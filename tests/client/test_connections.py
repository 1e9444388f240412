"""Connections without a proxy: what is kept, what is closed, and what is not even imported."""

from __future__ import annotations

import gc
import json
import os
import ssl
import subprocess
import sys
import threading
from typing import Any

import pytest
from httptools import HttpParserError, HttpRequestParser
from hypothesis import example, given
from hypothesis import strategies as st

from locum.client import STSClient
from locum.client.connections import Connections, _message
from locum.client.effects import Send
from locum.client.failures import AnswerTooLarge, ClientFailure, ConnectionFailure, TimedOut
from locum.client.proxied import Proxied
from locum.errors import AccessDenied
from locum.http import Request, Response

from .far_end import GOOD, KEYS, ME, listening, raw, received, refusal, says


def client(url: str) -> STSClient:
    return STSClient(endpoint_url=url, region="eu-west-1", credentials=KEYS, environment={"HOME": "/nowhere"})


def test_a_client_that_nobody_closed_leaves_no_open_socket() -> None:
    def keeps(connection: Any) -> None:
        while received(connection):
            connection.sendall(raw(GOOD))

    with listening([keeps]) as url:
        forgotten = client(url)
        assert forgotten.get_caller_identity() == ME
        (pool,) = forgotten._driver._pools.values()
        assert isinstance(pool, Connections)
        (kept,) = pool._idle
        assert kept.fileno() >= 0
        del forgotten, pool
        gc.collect()
        assert kept.fileno() == -1


@pytest.mark.parametrize("headers", [(("x-note", "a-secret\r\nx: y"),), (("x-note", "a-secret\u2028"),)])
def test_what_cannot_be_written_down_is_not_sent_and_not_quoted(headers: tuple[tuple[str, str], ...]) -> None:
    with listening([says(raw(GOOD))]) as url:
        pool = Connections(url, None, 1)
        with pytest.raises(ConnectionFailure) as raised:
            pool.exchange(Send(origin=url, request=Request("GET", "/", "", headers)))
    assert "a-secret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


HINT = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n"


def test_an_interim_answer_is_not_the_answer() -> None:
    """Were it one, the answer itself would be taken for that of the next request."""

    def hints(connection: Any) -> None:
        while received(connection):
            connection.sendall(HINT + b"HTTP/1.1 100 Continue\r\n\r\n" + HINT + raw(GOOD))

    with listening([hints]) as url, client(url) as asking:
        assert [asking.get_caller_identity() for _ in range(3)] == [ME] * 3
        (pool,) = asking._driver._pools.values()
        assert isinstance(pool, Connections)
        assert len(pool._idle) == 1


def test_an_interim_answer_through_a_proxy_is_a_broken_connection() -> None:
    seen = []

    def hints_once(connection: Any) -> None:
        while received(connection):
            seen.append(connection.getpeername())
            connection.sendall((HINT if len(seen) == 1 else b"") + raw(GOOD))

    with listening([hints_once]) as url:
        proxy = Proxied(url, None, 1)
        send = Send(origin="http://sts.example.com", request=Request("GET", "/", "", ()))
        with pytest.raises(ConnectionFailure, match="interim answer"):
            proxy.exchange(send)
        assert proxy.exchange(send).status == 200
        proxy.close()
    assert len(set(seen)) == 2


@pytest.mark.parametrize(
    "surplus",
    [raw(refusal(AccessDenied("for somebody else"))), b"?", SWITCHING],
    ids=["answer", "byte", "upgrade"],
)
def test_what_nobody_asked_for_is_nobodys_answer(surplus: bytes) -> None:
    seen = []

    def says_more(connection: Any) -> None:
        while received(connection):
            seen.append(connection.getpeername())
            connection.sendall(raw(GOOD) + surplus)

    with listening([says_more]) as url, client(url) as asking:
        assert [asking.get_caller_identity() for _ in range(3)] == [ME] * 3
    assert len(set(seen)) == 3


@pytest.mark.parametrize(
    ("begun", "again", "failure"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", ConnectionFailure),
        (b"", HINT, ConnectionFailure),
        (CHUNKED + b"-1\r\n", b"x" * 100, ConnectionFailure),
        (CHUNKED + b"0\r\n", b"trailer: x\r\n", AnswerTooLarge),
        (CHUNKED, b"1\r\nx\r\n", AnswerTooLarge),
        (CHUNKED + b"-5\r\n", b"x" * 100, ConnectionFailure),
        (CHUNKED + b"five\r\n", b"x" * 100, ConnectionFailure),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"x" * 100, ConnectionFailure),
    ],
)
def test_an_answer_without_end_ends(begun: bytes, again: bytes, failure: type[ClientFailure]) -> None:
    def endless(connection: Any) -> None:
        received(connection)
        connection.sendall(begun)
        while True:
            connection.sendall(again * 100)

    with listening([endless]) as url:
        pool = Connections(url, None, 1)
        with pytest.raises(failure) as raised:
            pool.exchange(Send(origin=url, request=Request("GET", "/", "", ()), most=1000))
        assert type(raised.value) is failure
        assert "cannot be written" not in str(raised.value)
        assert not pool._idle


def exchanged(data: bytes, method: str = "GET", *, kept: bool) -> Response:
    """What a pool makes of an answer, which leaves a connection to keep or does not."""

    def answers(connection: Any) -> None:
        while received(connection):
            connection.sendall(data)
            if not kept:
                return

    with listening([answers]) as url:
        pool = Connections(url, None, 1)
        answer = pool.exchange(Send(origin=url, request=Request(method, "/", "", ())))
        assert bool(pool._idle) is kept
        pool.close()
    return answer


def test_an_answer_that_says_no_length_ends_with_its_connection() -> None:
    answer = exchanged(b"HTTP/1.1 200 X\r\nContent-Type: text/plain \r\n\r\nall of it", kept=False)
    assert (answer.status, answer.headers, answer.body) == (200, (("content-type", "text/plain"),), b"all of it")


def test_what_follows_a_body_is_none_of_the_head() -> None:
    answer = exchanged(CHUNKED + b"3\r\nall\r\n6;note=x\r\n of it\r\n0\r\nx-late: 1\r\n\r\n", kept=True)
    assert answer.headers == (("transfer-encoding", "chunked"),)
    assert answer.body == b"all of it"


def test_the_answer_to_a_head_has_no_body_whatever_it_says() -> None:
    assert exchanged(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n", "HEAD", kept=False).body == b""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 X\r\n",
        HINT,
        SWITCHING + raw(GOOD),
        b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nall",
        CHUNKED + b"9\r\nall",
        b"HTTP/1.1 200 X\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\nall",
        b"HTTP/1.1 200 X\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nall",
        b"HTTP/1.1 200 X\ncontent-length: 3\n\nall",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_what_is_no_whole_answer_is_none(data: bytes) -> None:
    with pytest.raises(ConnectionFailure, match=r"cut off|without an answer|cannot be read"):
        exchanged(data, kept=False)


def test_a_head_has_a_bound_of_its_own() -> None:
    with pytest.raises(ConnectionFailure):
        exchanged(b"HTTP/1.1 200 X\r\n" + b"a:\r\n" * 70_000 + b"content-length: 0\r\n\r\n", kept=False)


@pytest.mark.parametrize(
    ("origin", "authority"),
    [
        ("http://sts.example.com", "sts.example.com"),
        ("http://sts.example.com:80", "sts.example.com"),
        ("http://sts.example.com:443", "sts.example.com:443"),
        ("https://sts.example.com:443", "sts.example.com"),
        ("http://[::1]:8380", "[::1]:8380"),
    ],
)
def test_a_request_names_its_host_without_the_schemes_own_port(origin: str, authority: str) -> None:
    assert Connections(origin, None, 1)._authority == authority


class Read:
    """A request as a server's parser reads it."""

    def __init__(self, data: bytes) -> None:
        self.headers: list[tuple[str, str]] = []
        self.url = self.body = b""
        self.messages = 0
        parser = HttpRequestParser(self)
        parser.feed_data(data)
        self.method = parser.get_method().decode()

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.messages += 1


@given(
    st.sampled_from(["GET", "PUT", "POST"]),
    st.text(max_size=20).map("/{}".format),
    st.lists(
        st.tuples(st.sampled_from(["x-a", "x-b", "host"]) | st.text(max_size=4), st.text(max_size=20)), max_size=4
    ),
    st.binary(max_size=40),
)
@example("GET", "/ HTTP/1.1\r\nx: y\r\n\r\n", [], b"")
@example("GET", "/", [("x-a", "\r\nx-b: 1")], b"")
@example("GET", "/", [("x-a: 1\r\nx-b", "1")], b"")
@example("POST", "/", [("host", "sts.example.com")], b"GET / HTTP/1.1\r\n\r\n")
def test_a_message_is_read_as_the_one_request_that_it_is(
    method: str, path: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    request = Request(method, path, "", tuple(headers), body)
    try:
        message = _message(request, "sts.example.com")
    except ValueError:
        return
    try:
        read = Read(message)
    except HttpParserError:  # what a server refuses smuggles nothing
        return
    assert (read.method, read.url.decode("latin-1"), read.messages) == (method, path, 1)
    assert read.body == body
    sent = {name: value.strip(" \t") for name, value in read.headers}
    length = {"content-length": str(len(body))} if body or method != "GET" else {}
    stripped = {name: value.strip(" \t") for name, value in request.lines.items()}
    assert sent == {"host": "sts.example.com", **length, **stripped}


def test_many_addresses_take_no_longer_than_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked = [0.0], []

    class Unreachable:
        def __init__(self, *_: Any) -> None:
            pass

        def settimeout(self, seconds: float) -> None:
            self.seconds = seconds

        def connect(self, address: Any) -> None:
            asked.append((address, self.seconds))
            clock[0] += self.seconds
            raise TimeoutError

        def close(self) -> None:
            pass

    monkeypatch.setattr("locum.client.connections.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("locum.client.connections.socket.socket", Unreachable)
    monkeypatch.setattr(
        "locum.client.connections.socket.getaddrinfo", lambda *_, **__: [(0, 0, 0, "", n) for n in range(9)]
    )
    with pytest.raises(TimedOut):
        Connections("http://sts.example.com", None, 1).exchange(
            Send(origin="", request=Request("GET", "/", "", ()), connect=2.0, total=5.0)
        )
    assert asked == [(0, 2.0), (1, 2.0), (2, 1.0)]


def test_a_lock_that_was_held_at_a_fork_is_nobodys_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening([says(raw(GOOD))]) as url, client(url) as asking:
        asking._driver._lock.acquire()
        monkeypatch.setattr(os, "getpid", lambda: -1)
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(asking.get_caller_identity()), daemon=True)
        thread.start()
        thread.join(10)
        assert answers == [ME]


def test_a_proxy_that_is_asked_over_tls_has_to_be_trusted_in_the_same_way() -> None:
    context = ssl.create_default_context()
    manager = Proxied("https://proxy.example.com:3129", context, 1)._manager
    assert manager.proxy_config is not None
    assert manager.proxy_config.ssl_context is context


def imported(program: str, **environment: str) -> set[str]:
    """The modules that a program has imported at its end; what it prints before is not read."""
    program += "\nimport json, sys; print(); print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
        capture_output=True,
        check=True,
        text=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


HEAVY = {
    *("urllib3", "http.client", "aiohttp", "asyncio", "importlib.metadata", "cryptography", "pathlib", "tomllib"),
    *("locum.server", "locum.wire.json", "locum.client.credentials.assume"),
}
"""What a first call can do without, and takes long to import."""


@pytest.mark.parametrize(
    "program",
    [
        "import locum; locum.STSClient().get_caller_identity()",
        "from locum.cli import cli; cli.main(['whoami'], standalone_mode=False)",
    ],
)
def test_a_first_call_imports_little(program: str) -> None:
    with listening([says(raw(GOOD))]) as url:
        found = imported(
            program,
            HOME="/nowhere",
            AWS_REGION="eu-west-1",
            AWS_ENDPOINT_URL=url,
            AWS_ACCESS_KEY_ID=KEYS.access_key_id,
            AWS_SECRET_ACCESS_KEY=KEYS.secret_access_key.reveal(),
        )
    assert "httptools" in found
    assert HEAVY.isdisjoint(found - imported(""))
