"""Connections to one origin, kept open between requests: how everything is sent that goes through no proxy.

They are those of :mod:`http.client`, which is imported in a quarter of the time that urllib3 takes; that one comes
where there is a proxy (:mod:`locum.client.proxied`).
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import time
import weakref
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from io import RawIOBase
from typing import Any, Final
from urllib.parse import urlsplit

from locum.client.effects import Send
from locum.client.failures import AnswerTooLarge, CertificateFailure, ConnectionFailure, TimedOut
from locum.http import Response

__all__ = ["Connections", "tls_failure"]

_CHUNK: Final = 1 << 16
_BODIED: Final = frozenset({"PATCH", "POST", "PUT"})
"""Methods that say the length of their body even where they have none (RFC 9110 section 8.6)."""


class Connections:
    """Connections to an origin; any number of threads may use them at once.

    ``context`` is for https, ``most`` is how many are kept while nobody uses them.
    """

    def __init__(self, origin: str, context: ssl.SSLContext | None, most: int) -> None:
        self._origin: Final = origin
        self._context: Final = context
        self._most: Final = most
        self._idle: Final[list[HTTPConnection]] = []
        # Who forgets to close a client leaves no open sockets behind.
        weakref.finalize(self, _close, self._idle)

    def exchange(self, effect: Send) -> Response:
        """Send a request and read its answer, as :class:`~locum.client.effects.Send` says."""
        deadline = None if effect.total is None else time.monotonic() + effect.total
        connection = self._kept()
        if connection is None:
            connection = self._opened(effect)
        try:
            response = _exchange(connection, effect, deadline)
        except BaseException as error:
            connection.close()
            if isinstance(error, TimeoutError):
                raise TimedOut(f"{self._origin}: no answer in time") from error
            if isinstance(error, ssl.SSLError):
                raise tls_failure(self._origin, error) from error
            if isinstance(error, HTTPException | OSError):
                raise ConnectionFailure(f"{self._origin}: {type(error).__name__}") from error
            if isinstance(error, ValueError):
                # Its text may quote a header.
                raise ConnectionFailure(f"{self._origin}: the request cannot be written down") from None
            raise
        if connection.sock is not None and len(self._idle) < self._most:
            self._idle.append(connection)
        else:
            connection.close()
        return response

    def close(self) -> None:
        """Close what nobody uses; what is in use is closed by who uses it, or kept as if it were new."""
        _close(self._idle)

    def _kept(self) -> HTTPConnection | None:
        """A connection on which the server has said nothing since, not even that it is gone."""
        while self._idle:
            with contextlib.suppress(IndexError):
                connection = self._idle.pop()
                if _quiet(connection.sock):
                    return connection
                connection.close()
        return None

    def _opened(self, effect: Send) -> HTTPConnection:
        parts = urlsplit(self._origin)
        seconds = effect.connect if effect.total is None else min(effect.connect, effect.total)
        if parts.scheme == "https":
            connection: HTTPConnection = HTTPSConnection(
                parts.hostname or "", parts.port, timeout=seconds, context=self._context
            )
        else:
            connection = HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
        try:
            connection.connect()
        except BaseException as error:
            connection.close()
            if isinstance(error, TimeoutError):
                raise TimedOut(f"{self._origin}: no connection in time") from error
            if isinstance(error, ssl.SSLError):
                raise tls_failure(self._origin, error) from error
            if isinstance(error, OSError | HTTPException | UnicodeError):
                raise ConnectionFailure(f"{self._origin}: no connection: {type(error).__name__}") from error
            raise
        return connection


def _close(idle: list[HTTPConnection]) -> None:
    while idle:
        with contextlib.suppress(IndexError):
            idle.pop().close()


def _exchange(connection: HTTPConnection, effect: Send, deadline: float | None) -> Response:
    request = effect.request
    clock = _Clock(effect.read, deadline)
    connection.sock.settimeout(clock.left())
    # A server that refuses a request before it has read it may have closed its end: the answer says more.
    with contextlib.suppress(BrokenPipeError):
        target = f"{request.path}?{request.query}" if request.query else request.path
        connection.putrequest(request.method, target, skip_host="host" in request.lines, skip_accept_encoding=True)
        for name, value in request.lines.items():
            connection.putheader(name, value)
        if (request.body or request.method in _BODIED) and "content-length" not in request.lines:
            connection.putheader("content-length", str(len(request.body)))
        connection.endheaders(request.body or None)
    connection.response_class = partial(_Answer, clock)  # type: ignore[assignment]
    answer = connection.getresponse()
    try:
        body = _body(answer, effect)
        headers = tuple([(name.lower(), value) for name, value in answer.headers.items()])
        return Response(answer.status, headers, body)
    finally:
        answer.close()


def _body(answer: HTTPResponse, effect: Send) -> bytes:
    chunks, size = [], 0
    while chunk := answer.read(_CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > effect.most:
            raise AnswerTooLarge(f"{effect.origin}: the answer has more than {effect.most} bytes")
    if answer.length:
        raise HTTPException("the answer was cut off")
    return b"".join(chunks)


class _Clock:
    """How long may be waited for the next bytes: a while, and not beyond the end of it all."""

    def __init__(self, read: float, deadline: float | None) -> None:
        self._read = read
        self._deadline = deadline

    def left(self) -> float:
        """Seconds; TimeoutError where there are none."""
        if self._deadline is None:
            return self._read
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(left, self._read)


class _Answer(HTTPResponse):
    """An answer whose head and body have to come in time, however slowly they drip."""

    def __init__(self, clock: _Clock, connection: socket.socket, **arguments: Any) -> None:
        super().__init__(_Timed(connection, clock), **arguments)  # type: ignore[arg-type]


class _Timed(RawIOBase):
    """What comes over a connection; all that HTTPResponse asks of a socket is a file to read from."""

    def __init__(self, connection: socket.socket, clock: _Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._file = connection.makefile("rb", buffering=0)

    def makefile(self, mode: str) -> Any:
        from io import BufferedReader

        return BufferedReader(self, _CHUNK)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._connection.settimeout(self._clock.left())
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


_Selector: Final[type[selectors.BaseSelector]] = getattr(selectors, "PollSelector", selectors.SelectSelector)


def _quiet(connection: socket.socket) -> bool:
    with _Selector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return not selector.select(0)


def tls_failure(origin: str, error: BaseException) -> ConnectionFailure:
    """What is told of a handshake that failed, and of what urllib3 makes of one."""
    cause: BaseException | None = error
    for _ in range(8):
        if cause is None or isinstance(cause, ssl.SSLCertVerificationError):
            break
        cause = cause.args[0] if cause.args and isinstance(cause.args[0], BaseException) else cause.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return CertificateFailure(f"{origin}: the certificate is not trusted: {cause.verify_message}")
    return ConnectionFailure(f"{origin}: TLS failed: {type(error).__name__}")
