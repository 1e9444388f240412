"""Connections to one origin, kept open between requests: how everything is sent that goes through no proxy.

They are those of :mod:`http.client`.  urllib3 stands on the same, takes more than twice as long to import and knows no
end of an exchange but that of each read; it comes where there is a proxy (:mod:`locum.client.proxied`).
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
from io import BufferedReader, RawIOBase
from typing import Any, Final
from urllib.parse import urlsplit

from locum.client.effects import Send
from locum.client.failures import AnswerTooLarge, CertificateFailure, ConnectionFailure, TimedOut
from locum.http import Response

__all__ = ["Connections", "tls_failure"]

_CHUNK: Final = 1 << 16
_AROUND: Final = 1 << 18
"""Bytes that may come around a body that is as long as it may be: heads, trailers, the sizes of chunks."""

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
            connection = self._opened(_Clock(effect.connect, deadline))
        try:
            response, clean = _exchange(connection, effect, _Clock(effect.read, deadline))
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
        if clean and connection.sock is not None and len(self._idle) < self._most:
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

    def _opened(self, clock: _Clock) -> HTTPConnection:
        parts = urlsplit(self._origin)
        host, secure = parts.hostname or "", parts.scheme == "https"
        if secure:
            connection: HTTPConnection = HTTPSConnection(host, parts.port, context=self._context)
        else:
            connection = HTTPConnection(host, parts.port)
        # What is closed stays closed: nothing connects by itself, beside the clock.
        connection.auto_open = 0
        try:
            connection.sock = _reached(host, connection.port, clock)
            if self._context is not None and secure:
                connection.sock.settimeout(clock.left())
                connection.sock = self._context.wrap_socket(connection.sock, server_hostname=host)
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


def _reached(host: str, port: int, clock: _Clock) -> socket.socket:
    """A connection to the first of a host's addresses that answers; each may take as long as the clock says."""
    failure: OSError = OSError("the host has no address")
    # An ASCII name as bytes spares the import of a codec that such a name does not need.
    name = host.encode() if host.isascii() else host
    for family, kind, protocol, _, address in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM):
        seconds = clock.left()
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(seconds)
            connection.connect(address)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise failure


def _close(idle: list[HTTPConnection]) -> None:
    while idle:
        with contextlib.suppress(IndexError):
            idle.pop().close()


def _exchange(connection: HTTPConnection, effect: Send, clock: _Clock) -> tuple[Response, bool]:
    """The answer, and whether the connection is good for another request: nothing is left over of this one."""
    request, clean = effect.request, True
    connection.sock.settimeout(clock.left())
    try:
        target = f"{request.path}?{request.query}" if request.query else request.path
        connection.putrequest(request.method, target, skip_host="host" in request.lines, skip_accept_encoding=True)
        for name, value in request.lines.items():
            connection.putheader(name, value)
        if (request.body or request.method in _BODIED) and "content-length" not in request.lines:
            connection.putheader("content-length", str(len(request.body)))
        connection.endheaders(request.body or None)
    except BrokenPipeError:
        # A server that refuses a request before it has read it may have closed its end: the answer says more.
        clean = False
    connection.response_class = partial(_Answer, clock, effect)  # type: ignore[assignment]
    try:
        answer = connection.getresponse()
    except ValueError:
        raise HTTPException("the head of the answer cannot be read") from None
    assert isinstance(answer, _Answer)
    try:
        body = _body(answer, effect)
        headers = tuple([(name.lower(), value) for name, value in answer.headers.items()])
        return Response(answer.status, headers, body), clean and not answer.surplus
    except ValueError:
        raise HTTPException("the body of the answer cannot be read") from None
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

    def __init__(self, clock: _Clock, effect: Send, connection: socket.socket, **arguments: Any) -> None:
        self._source = _Timed(connection, clock, effect)
        super().__init__(self._source, **arguments)  # type: ignore[arg-type]

    @property
    def surplus(self) -> bool:
        """Whether more came than the answer, by its end: what that is, nobody has asked for."""
        return self._source.surplus

    def begin(self) -> None:
        super().begin()
        # An interim answer is not the answer (RFC 9110 section 15.2); http.client passes over 100 alone.
        while 100 <= self.status < 200:
            if self.status == 101:
                raise HTTPException("the server changes the protocol, which nobody has asked for")
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()


class _Timed(RawIOBase):
    """What comes over a connection; all that HTTPResponse asks of a socket is a file to read from."""

    def __init__(self, connection: socket.socket, clock: _Clock, effect: Send) -> None:
        self.over = self.surplus = False
        self._connection = connection
        self._clock = clock
        self._effect = effect
        self._left = 2 * effect.most + _AROUND
        self._file = connection.makefile("rb", buffering=0)

    def makefile(self, mode: str) -> Any:
        return _Reader(self, _CHUNK)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.over:
            return 0
        self._connection.settimeout(self._clock.left())
        count = self._file.readinto(buffer)
        self._left -= count or 0
        if self._left < 0:
            raise AnswerTooLarge(f"{self._effect.origin}: more comes than an answer of {self._effect.most} bytes")
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class _Reader(BufferedReader):
    """Reads ahead, and says at its end whether that went beyond the answer."""

    raw: _Timed

    def close(self) -> None:
        if not self.closed:
            self.raw.over = True
            self.raw.surplus = bool(self.peek())
        super().close()


_Selector: Final[type[selectors.BaseSelector]] = getattr(selectors, "PollSelector", selectors.SelectSelector)


def _quiet(connection: socket.socket) -> bool:
    if isinstance(connection, ssl.SSLSocket) and connection.pending():
        return False
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
    reason = getattr(error, "reason", None)
    shown = f" ({reason})" if isinstance(reason, str) else ""
    return ConnectionFailure(f"{origin}: TLS failed: {type(error).__name__}{shown}")
