"""Connections to one origin, kept open between requests: how everything is sent that goes through no proxy.

httptools parses, as it does for the server; sockets, deadlines and bounds are seen to here.  urllib3 takes several
times as long to import and knows no end of an exchange but that of each read; it comes where there is a proxy
(:mod:`locum.client.proxied`).
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import time
import weakref
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from locum.client.effects import Send
from locum.client.failures import AnswerTooLarge, ClientFailure, ConnectionFailure, TimedOut
from locum.http import Request, Response

if TYPE_CHECKING:
    import ssl

__all__ = ["Connections"]

_CHUNK: Final = 1 << 16
_AROUND: Final = 1 << 18
"""Bytes of heads, and that may come around a body as long as it may be: trailers, the sizes of chunks."""

_BODIED: Final = frozenset({"PATCH", "POST", "PUT"})
"""Methods that say the length of their body even where they have none (RFC 9110 section 8.6)."""

_PORTS: Final = {"http": 80, "https": 443}
_WORD: Final = re.compile(r"[!-~]+")
_VALUE: Final = re.compile(r"[^\0\r\n]*")


class _Unreadable(Exception):
    """What came is no answer, or not all of one."""


class Connections:
    """Connections to an origin; any number of threads may use them at once.

    ``context`` is for https, ``most`` is how many are kept while nobody uses them.
    """

    def __init__(self, origin: str, context: ssl.SSLContext | None, most: int) -> None:
        parts = urlsplit(origin)
        usual = _PORTS[parts.scheme]
        self._origin: Final = origin
        self._host: Final = parts.hostname or ""
        self._port: Final = parts.port or usual
        self._authority: Final = parts.netloc.removesuffix(f":{usual}")
        self._context: Final = context if parts.scheme == "https" else None
        self._most: Final = most
        self._idle: Final[list[socket.socket]] = []
        # Who forgets to close a client leaves no open sockets behind.
        weakref.finalize(self, _close, self._idle)

    def exchange(self, effect: Send) -> Response:
        """Send a request and read its answer, as :class:`~locum.client.effects.Send` says."""
        deadline = None if effect.total is None else time.monotonic() + effect.total
        try:
            message = _message(effect.request, self._authority)
        except ValueError:
            # Its text may quote a header.
            raise ConnectionFailure(f"{self._origin}: the request cannot be written down") from None
        connection = self._kept() or self._opened(_Clock(effect.connect, deadline))
        try:
            answer = _exchange(connection, message, effect, _Clock(effect.read, deadline))
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError | _Unreadable):
                raise self._failure(error, "no answer in time", "") from error
            raise
        if answer.reusable and len(self._idle) < self._most:
            self._idle.append(connection)
        else:
            connection.close()
        return answer.response()

    def close(self) -> None:
        """Close what nobody uses; what is in use is closed by who uses it, or kept as if it were new."""
        _close(self._idle)

    def _kept(self) -> socket.socket | None:
        """A connection on which the server has said nothing since, not even that it is gone."""
        while self._idle:
            with contextlib.suppress(IndexError):
                connection = self._idle.pop()
                if _quiet(connection):
                    return connection
                connection.close()
        return None

    def _opened(self, clock: _Clock) -> socket.socket:
        connection: socket.socket | None = None
        try:
            connection = _reached(self._host, self._port, clock)
            if self._context is not None:
                connection.settimeout(clock.left())
                connection = self._context.wrap_socket(connection, server_hostname=self._host)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, OSError | ValueError):
                raise self._failure(error, "no connection in time", "no connection: ") from error
            raise
        return connection

    def _failure(self, error: Exception, late: str, what: str) -> ClientFailure:
        if isinstance(error, TimeoutError):
            return TimedOut(f"{self._origin}: {late}")
        if self._context is not None:
            import ssl

            if isinstance(error, ssl.SSLError):
                from locum.client.tls import tls_failure

                return tls_failure(self._origin, error)
        reason = str(error) if isinstance(error, _Unreadable) else type(error).__name__
        return ConnectionFailure(f"{self._origin}: {what}{reason}")


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


def _close(idle: list[socket.socket]) -> None:
    while idle:
        with contextlib.suppress(IndexError):
            idle.pop().close()


def _message(request: Request, authority: str) -> bytes:
    """A request as it travels (RFC 9112 sections 3 and 5); ValueError where something in it cannot."""
    target = f"{request.path}?{request.query}" if request.query else request.path
    lines = request.lines if "host" in request.lines else {"host": authority, **request.lines}
    if (request.body or request.method in _BODIED) and "content-length" not in lines:
        lines = {**lines, "content-length": str(len(request.body))}
    if not all(map(_WORD.fullmatch, (request.method, target, *lines))) or any(":" in name for name in lines):
        raise ValueError("a method, target or name of a header with what none can have")
    if not all(map(_VALUE.fullmatch, lines.values())):
        raise ValueError("a header of several lines")
    head = "".join([f"{name}: {value}\r\n" for name, value in lines.items()])
    return f"{request.method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + request.body


def _exchange(connection: socket.socket, message: bytes, effect: Send, clock: _Clock) -> _Answer:
    """The whole answer to a message."""
    answer = _Answer(headed=effect.request.method == "HEAD")
    parser = answer.parser
    came = 0
    connection.settimeout(clock.left())
    try:
        connection.sendall(message)
    except BrokenPipeError:
        # A server that refuses a request before it has read it may have closed its end: the answer says more.
        answer.surplus = True
    while not answer.complete:
        connection.settimeout(clock.left())
        data = connection.recv(_CHUNK)
        came += len(data)
        if came > _AROUND and not answer.begun:
            raise _Unreadable("the head of the answer has no end")
        if came > 2 * effect.most + _AROUND:
            raise AnswerTooLarge(f"{effect.origin}: more comes than an answer of {effect.most} bytes")
        if not data:
            answer.end()
            break
        try:
            parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            answer.end_unread(error)
        if len(answer.body) > effect.most:
            raise AnswerTooLarge(f"{effect.origin}: the answer has more than {effect.most} bytes")
    return answer


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


class _Answer:
    """What comes over a connection, in the parser's words; ``headed`` answers have no body, whatever they say.

    ``surplus`` is whether more came than the answer: what that is, nobody has asked for.
    """

    def __init__(self, *, headed: bool) -> None:
        self.parser: Final = HttpResponseParser(self)
        self.body: Final = bytearray()
        self.complete = self.surplus = False
        self._headed: Final = headed
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._kept = False

    @property
    def reusable(self) -> bool:
        """Whether the connection is good for another request: nothing is left over of this one."""
        return self._kept and not self.surplus

    @property
    def begun(self) -> bool:
        """Whether its head is there."""
        return self._status > 0

    def response(self) -> Response:
        """The answer as a value."""
        return Response(self._status, tuple(self._headers), bytes(self.body))

    def end(self) -> None:
        """Nothing more comes; _Unreadable where something is missing."""
        names = {name for name, _ in self._headers}
        if not self._status:
            raise _Unreadable("the connection was closed without an answer")
        if {"content-length", "transfer-encoding"} & names:
            raise _Unreadable("the answer was cut off")

    def end_unread(self, error: Exception) -> None:
        """What came cannot be read: beyond the answer it may be anything; else _Unreadable."""
        if not self.complete:
            raise _Unreadable(f"the answer cannot be read: {type(error).__name__}") from None
        self.surplus = True

    def on_message_begin(self) -> None:
        if self.complete:
            self.surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        # What follows a body as a trailer is none of the head.
        if not self._status:
            self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        self._status = self.parser.get_status_code()
        if self._headed and self._status >= 200:
            self.complete = self.surplus = True

    def on_body(self, data: bytes) -> None:
        if not self.complete:
            self.body.extend(data)

    def on_message_complete(self) -> None:
        if self.complete:
            return
        if 100 <= self._status < 200:
            # An interim answer is not the answer (RFC 9110 section 15.2).
            self._status, self._headers = 0, []
            return
        self.complete, self._kept = True, self.parser.should_keep_alive()


_Selector: Final[type[selectors.BaseSelector]] = getattr(selectors, "PollSelector", selectors.SelectSelector)


def _quiet(connection: socket.socket) -> bool:
    pending = getattr(connection, "pending", None)  # only TLS has it
    if pending is not None and pending():
        return False
    with _Selector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return not selector.select(0)
