"""Both clients over real sockets: what networks and servers do wrong ends in a declared error or in success."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from locum.client import AsyncSTSClient, STSClient
from locum.client.effects import MAX_ANSWER, Now
from locum.client.failures import (
    AnswerTooLarge,
    CertificateFailure,
    ClientFailure,
    ConfigurationFailure,
    ConnectionFailure,
    TimedOut,
    UnreadableResponse,
)
from locum.client.retry import Mode
from locum.errors import ServiceException, ServiceUnavailable, SignatureDoesNotMatch, STSServiceException, Throttling
from locum.http import Response

from .far_end import GOOD, KEYS, ME, START, Script, keeps_silent, listening, raw, received, refusal, resets, says

GOOD_SCRIPT: Final = says(raw(GOOD))
HUGE: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n" + b"x" * (MAX_ANSWER + 70_000)

Ask = Callable[..., Any]


def blocking(url: str, **options: Any) -> Any:
    with STSClient(**_options(url, options)) as client:
        return client.get_caller_identity()


def concurrent(url: str, **options: Any) -> Any:
    async def main() -> Any:
        async with AsyncSTSClient(**_options(url, options)) as client:
            return await client.get_caller_identity()

    return asyncio.run(main())


def _options(url: str, options: dict[str, Any]) -> Any:
    set_up = {"endpoint_url": url, "region": "eu-west-1", "credentials": KEYS, "environment": {"HOME": "/nowhere"}}
    return set_up | {"read_timeout": 30.0, "connect_timeout": 30.0} | options


both = pytest.mark.parametrize("ask", [blocking, concurrent])


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mode, "delay", lambda *_: 0.0)


@both
def test_an_answer_comes_over_the_wire(ask: Ask) -> None:
    with listening([GOOD_SCRIPT]) as url:
        assert ask(url) == ME


FAULTS: Final[dict[str, tuple[Script, type[Exception]]]] = {
    "reset": (resets, ConnectionFailure),
    "closed": (lambda connection: connection.close(), ConnectionFailure),
    "silence": (keeps_silent, TimedOut),
    "no head": (says(b""), ConnectionFailure),
    "half a body": (says(raw(GOOD)[:-30]), ConnectionFailure),
    "no HTTP": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), ConnectionFailure),
    "endless head": (says(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 300_000), ConnectionFailure),
    "bad chunks": (says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\nabc"), ConnectionFailure),
    "too large": (says(HUGE), AnswerTooLarge),
    "truncated XML": (says(raw(Response(200, (), GOOD.body[:-30]))), UnreadableResponse),
    "gzip": (says(raw(Response(200, (("content-encoding", "gzip"),), b"\x1f\x8b\x08\x00"))), UnreadableResponse),
    "busy": (says(raw(refusal(ServiceUnavailable("later")))), ServiceUnavailable),
    "throttled": (says(raw(refusal(Throttling("Rate exceeded")))), Throttling),
    "bare 502": (says(raw(Response(502, (), b"<html>"))), STSServiceException),
    "elsewhere": (says(raw(Response(307, (("location", "http://127.0.0.1:9/"),), b""))), STSServiceException),
}
LASTING: Final = ("too large", "truncated XML", "gzip", "elsewhere")


@both
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_in_its_declared_error(fault: str, ask: Ask) -> None:
    script, expected = FAULTS[fault]
    with listening([script]) as url, pytest.raises((ClientFailure, ServiceException)) as raised:
        ask(url, max_attempts=1, read_timeout=0.3 if fault == "silence" else 30.0)
    assert type(raised.value) is expected
    assert KEYS.secret_access_key.reveal() not in str(raised.value)


@both
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in LASTING])
def test_a_passing_fault_ends_in_success(fault: str, ask: Ask) -> None:
    with listening([FAULTS[fault][0], GOOD_SCRIPT]) as url:
        assert ask(url, read_timeout=0.5 if fault == "silence" else 30.0) == ME


@both
def test_half_a_head_is_never_an_answer(ask: Ask) -> None:
    head = raw(GOOD).partition(b"\r\n\r\n")[0]
    for length in (5, 20, 30, len(head) - 1):
        with listening([says(head[:length])]) as url, pytest.raises((ConnectionFailure, UnreadableResponse)):
            ask(url, max_attempts=1)


@both
def test_an_answer_that_is_cut_off_is_noticed_under_a_deadline_too(ask: Ask) -> None:
    with listening([says(raw(GOOD)[:-30])]) as url, pytest.raises(ConnectionFailure):
        ask(url, max_attempts=1, timeout=30.0)


@both
def test_nobody_there_is_a_failed_connection(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(ConnectionFailure, match=f"http://127.0.0.1:{port}: "):
        ask(f"http://127.0.0.1:{port}")


@both
def test_a_call_ends_when_its_time_is_over_however_slowly_the_answer_drips(ask: Ask) -> None:
    ended = threading.Event()

    def drips(connection: socket.socket) -> None:
        received(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while not ended.wait(0.02):
            connection.sendall(b"x")

    with listening([drips]) as url:
        try:
            with pytest.raises(TimedOut):
                ask(url, timeout=0.3)
        finally:
            ended.set()


def slow_clock(monkeypatch: pytest.MonkeyPatch, off: float) -> None:
    monkeypatch.setitem(_tables()[0], Now, lambda *_: START - off)
    monkeypatch.setitem(_tables()[1], Now, lambda: START - off)


def _tables() -> tuple[Any, Any]:
    from locum.client import aio, transport

    return transport._PERFORM, aio._INSTANT


@both
@pytest.mark.parametrize("off", [1200.0, -1200.0])
def test_a_clock_twenty_minutes_off_is_corrected(ask: Ask, off: float, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_clock(monkeypatch, off)
    stamps = []

    def strict(connection: socket.socket) -> None:
        request = received(connection).decode()
        stamps.append(next(line[12:] for line in request.splitlines() if line.startswith("x-amz-date: ")))
        right = stamps[-1] == "20260102T030405Z"
        date = "Fri, 02 Jan 2026 03:04:05 GMT"
        connection.sendall(raw(GOOD if right else refusal(SignatureDoesNotMatch("expired"), date=date)))

    with listening([strict]) as url:
        assert ask(url) == ME
    assert len(stamps) == 2


@both
def test_a_connection_is_kept_and_a_stale_one_replaced(ask: Ask) -> None:
    seen: list[int] = []

    def two_then_gone(connection: socket.socket) -> None:
        for _ in range(2):
            if not received(connection):
                return
            seen.append(connection.getpeername()[1])
            connection.sendall(raw(GOOD))

    with listening([two_then_gone]) as url:
        if ask is blocking:
            with STSClient(**_options(url, {})) as client:
                assert [client.get_caller_identity() for _ in range(4)] == [ME] * 4
        else:

            async def main() -> None:
                async with AsyncSTSClient(**_options(url, {})) as client:
                    assert [await client.get_caller_identity() for _ in range(4)] == [ME] * 4

            asyncio.run(main())
    assert len(seen) == 4
    assert (seen[0], seen[2]) == (seen[1], seen[3])
    assert seen[0] != seen[2]


@both
@pytest.mark.parametrize("user", ["", "me:se%2Fcret@"])
def test_a_proxy_is_asked_for_the_whole_address(ask: Ask, user: str) -> None:
    heads = []

    def proxy(connection: socket.socket) -> None:
        heads.append(received(connection).decode())
        connection.sendall(raw(GOOD))

    with listening([proxy]) as url:
        through = url.replace("http://", f"http://{user}")
        assert ask("http://sts.example.com", proxies={"http": through}) == ME
    (head,) = heads
    assert head.startswith("POST http://sts.example.com/ HTTP/1.1\r\n")
    lines = {line.partition(":")[0].lower(): line.partition(": ")[2] for line in head.splitlines()}
    assert lines["host"] == "sts.example.com"
    assert lines.get("proxy-authorization") == ("Basic bWU6c2UvY3JldA==" if user else None)


@both
def test_the_proxy_of_the_environment_is_left_out_for_hosts_of_no_proxy(ask: Ask) -> None:
    environment = {"HOME": "/nowhere", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    with listening([GOOD_SCRIPT]) as url:
        assert ask(url, environment=environment) == ME


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A certificate for 127.0.0.1 that signs itself: file names of it and of its key."""
    import datetime
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2120, 1, 1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    return folder


def speaks_first(connection: socket.socket) -> None:
    connection.recv(1)
    connection.sendall(b"this is no TLS\r\n")
    connection.recv(65536)


@both
def test_certificates_are_checked_against_the_bundle(ask: Ask, certificate: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")

    def over_tls(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            received(secured)
            secured.sendall(raw(GOOD))

    with listening([over_tls]) as url:
        secured = url.replace("http:", "https:")
        assert ask(secured, ca_bundle=certificate / "cert.pem") == ME
        with pytest.raises(CertificateFailure, match="not trusted"):
            ask(secured)
    with listening([speaks_first]) as url, pytest.raises(ConnectionFailure) as raised:
        ask(url.replace("http:", "https:"), ca_bundle=certificate / "cert.pem", max_attempts=1)
    assert type(raised.value) is ConnectionFailure


@both
def test_a_bundle_that_cannot_be_read_is_named(ask: Ask, tmp_path: Any) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(ConfigurationFailure, match=f"ca_bundle: .*{name}"):
            ask("https://127.0.0.1:9", ca_bundle=tmp_path / name)
