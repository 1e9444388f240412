"""The HTTP protocol class of our workers: uvicorn's server, sockets and signals around it, httptools' parser below it.

uvicorn's own class speaks ASGI to its application: a scope, a task and four messages for each request, which cost as
much as all the cryptography of a request.  This one gathers a request, hands it over whole and writes the answer at
once; only an answer that has to be waited for takes a task.  The application remains an ASGI one for other servers.

What is bounded here: the head and the body of a request, the time in which it must have come, and what a connection may
send before its earlier requests were answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any, Final, NamedTuple, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url
from uvicorn.config import Config
from uvicorn.protocols.utils import get_remote_addr, is_ssl
from uvicorn.server import ServerState

from locum.http import Response
from locum.server.app import Application, Incoming

__all__ = ["MAXIMUM_HEAD", "Protocol"]

MAXIMUM_HEAD: Final = 131_072
"""Bytes before, between and behind the pieces of a body, at which the connection is given up: heads, of which the
application allows 32 KiB, trailers, and what stands beside the sizes of chunks."""

REQUEST_SECONDS: Final = 60.0
"""In which a request must have come as a whole, counted from its first byte, and the last answer be read."""

_KEPT_HEADERS: Final = 256
"""Lines that are kept: more than the application allows, which refuses them all."""
_TURN: Final = 8
"""Requests of one connection that are answered before others have their turn."""
_LINGERING: Final = 2.0
"""Seconds in which a client may read that its request was refused before it was read: what it sends is thrown away."""

_LINES: Final = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n" for each in HTTPStatus}
_NAMES: Final = {
    form.encode(): name
    for name in (
        *("accept", "accept-encoding", "amz-sdk-invocation-id", "amz-sdk-request", "authorization", "connection"),
        *("content-length", "content-type", "host", "user-agent"),
        *("x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "x-amz-target", "x-forwarded-for"),
    )
    for form in (name, name.title())
}
"""The names of nearly every request, which need not be decoded each time."""

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_NO_HTTP: Final = Response(400, (("content-type", "text/plain; charset=utf-8"),), b"Invalid HTTP request received.")
_BROKEN: Final = Response(500, (("content-type", "text/plain; charset=utf-8"),), b"Internal Server Error")
_LATE: Final = Response(
    408, (("content-type", "text/plain; charset=utf-8"),), b"The request took too long to arrive.\n"
)

_log = logging.getLogger("locum.server")


class _Request(NamedTuple):
    """A request that has come, and what its answer depends on; or the answer to one that nobody will read."""

    incoming: Incoming | Response
    method: str
    keeps: bool


class Protocol(asyncio.Protocol):
    """One connection.  ``config.app`` is the application; the rest is what uvicorn gives to its protocol classes."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not isinstance(config.app, Application):
            raise TypeError("this protocol speaks to locum's application alone")
        self._app: Final = config.app
        self._state: Final = server_state
        self._loop: Final = _loop or asyncio.get_running_loop()
        self._idle: Final = float(config.timeout_keep_alive)
        self._parser: HttpRequestParser | None = HttpRequestParser(self)
        # A request behind one that said "close" is no error: nobody reads it.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._transport: asyncio.Transport
        self._peer = ""
        self._secure = False

        self._url = b""
        self._headers: list[tuple[str, str]] = []
        self._length = 0
        self._body: bytes | bytearray = b""
        self._size = 0
        self._expecting = False
        self._chunk = self._head = 0
        self._reading = self._headed = False

        self._waiting: Final[deque[_Request]] = deque()
        self._answering: asyncio.Task[None] | None = None
        self._writable = True
        self._paused = self._scheduled = self._deaf = self._closing = False
        self._dated: list[tuple[bytes, bytes]] = []
        self._default_lines = ""

        self._deadline = self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._state.connections.add(self)  # type: ignore[arg-type]
        self._peer = (get_remote_addr(self._transport) or ("",))[0]
        self._secure = is_ssl(self._transport)
        self._expect_within(REQUEST_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more; what is being answered is finished all the same."""
        self._state.connections.discard(self)
        self._deaf, self._parser = True, None
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        """The client does not read what it is sent."""
        self._writable = False
        self._expect_within(REQUEST_SECONDS)

    def resume_writing(self) -> None:
        """It does again."""
        self._writable = True
        self._answer_some()

    def shutdown(self) -> None:
        """Finish what has come and close; the server stops.  Of what comes a head is enough."""
        self._closing = True
        if self._answering is None and not self._owes():
            self._close()

    def _owes(self) -> bool:
        """Whether another answer is owed behind the one that is being given."""
        return bool(self._waiting) or (self._reading and self._headed)

    def _close(self) -> None:
        """Close when the client has read its answers; it does not have forever for that either."""
        self._transport.close()
        self._expect_within(REQUEST_SECONDS)

    def _expect_within(self, seconds: float) -> None:
        """Give the client so long for what it has to do next; the timer moves when it fires, not for each request."""
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._due > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._wait()

    def _wait(self) -> None:
        # uvloop's timers fire early by the part of a millisecond, and do not all tell when.
        self._due = self._deadline
        self._timer = self._loop.call_at(self._due, self._late)

    def _late(self) -> None:
        self._timer = None
        if self._answering is not None or self._scheduled:
            self._expect_within(REQUEST_SECONDS)
        elif self._deadline > self._due:
            self._wait()
        elif not self._writable or self._transport.is_closing():
            self._transport.abort()
        elif self._reading and not self._deaf:
            self._reading = False
            self._write(_LATE, "GET", keeps=False)
        else:
            self._close()

    # What comes

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._deaf or self._parser is None:
            return
        self._chunk = len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            pass  # its request is answered, and what follows is read by nobody
        except HttpParserError:
            self._reading = False
            self._refuse(_NO_HTTP)
        if self._reading:
            self._head += len(data)
            if self._head > MAXIMUM_HEAD:
                self._transport.abort()
                return
        if not self._scheduled:
            self._answer_some()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = b""
        self._headers, self._body = [], b""
        self._length = self._size = 0
        self._head = -self._chunk  # where in these bytes it begins, nobody knows
        self._expecting = self._headed = False
        if not self._deaf:
            self._reading = True
            self._expect_within(REQUEST_SECONDS)

    def on_url(self, url: bytes) -> None:
        """A piece of its target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of its head; of a trailer, which nobody signs, too."""
        if not self._headed and len(self._headers) < _KEPT_HEADERS:
            line = _NAMES.get(name) or name.decode("latin-1").lower(), value.decode("latin-1").rstrip(" \t")
            self._headers.append(line)
            self._length += len(name) + len(value)
            if line[0] == "expect":
                self._expecting = line[1].lower() == "100-continue"

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._headed = True
        if self._expecting and self._parser is not None:
            self._expecting = self._parser.get_http_version() == "1.1"
            sizes = [int(value) for name, value in self._headers if name == "content-length"]
            if sizes and sizes[0] > self._app.max_body:
                self._refuse(self._app.too_large())

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        self._head = -self._chunk
        if self._deaf:
            return
        self._size += len(body)
        if self._size > self._app.max_body:
            self._refuse(self._app.too_large())
        elif not self._body:
            self._body = body
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += body

    def on_message_complete(self) -> None:
        """It is there as a whole."""
        self._reading = False
        parser = self._parser
        if self._deaf or parser is None:
            return
        if self._url == b"/":
            path, query = b"/", b""
        else:
            url = parse_url(self._url)  # what it refuses the parser tells as an error of its own
            path, query = url.path or b"", url.query or b""
        method = parser.get_method().decode("ascii")
        keeps = parser.should_keep_alive() and not parser.should_upgrade() and parser.get_http_version() == "1.1"
        body = bytes(self._body)
        incoming = Incoming(method, path, query, tuple(self._headers), self._length, body, self._peer, self._secure)
        self._waiting.append(_Request(incoming, method, keeps))
        if not keeps:
            self._deaf = True

    def _refuse(self, response: Response) -> None:
        """Answer what will not be read, after what came before it, and listen no more."""
        if not self._deaf:
            self._deaf = True
            self._waiting.append(_Request(response, "GET", keeps=False))

    # What goes

    def _answer_some(self) -> None:
        """Answer what has come, in its order, as far as nobody has to wait."""
        self._scheduled = False
        if self._transport.is_closing():
            return
        for _ in range(_TURN):
            if not self._waiting or self._answering is not None or not self._writable:
                break
            self._answer(self._waiting.popleft())
        if bool(self._waiting) != self._paused and not self._transport.is_closing():
            # Nobody fills the memory with requests whose answers it does not wait for.
            self._paused = bool(self._waiting)
            if self._paused:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()
        if self._waiting and self._answering is None and self._writable:
            self._scheduled = True
            self._loop.call_soon(self._answer_some)
        if self._expecting and self._headed and self._reading and not (self._waiting or self._answering or self._deaf):
            self._expecting = False
            self._transport.write(_CONTINUE)

    def _answer(self, request: _Request) -> None:
        if isinstance(request.incoming, Response):
            self._write(request.incoming, request.method, keeps=False)
            return
        try:
            answer = self._app.begin(request.incoming)
        except Exception:
            _log.exception("a request was not answered")
            answer = _BROKEN
        if isinstance(answer, Response):
            self._write(answer, request.method, keeps=request.keeps)
            return
        self._answering = task = self._loop.create_task(self._later(answer, request))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    async def _later(self, answer: Coroutine[Any, Any, Response], request: _Request) -> None:
        response, keeps = _BROKEN, request.keeps
        try:
            response = await answer
        except Exception:
            _log.exception("a request was not answered")
        except asyncio.CancelledError:
            # The server does not wait any longer, nor for those behind it.
            self._waiting.clear()
            keeps = False
            raise
        finally:
            self._answering = None
            self._write(response, request.method, keeps=keeps)
            self._answer_some()

    def _write(self, response: Response, method: str, *, keeps: bool) -> None:
        self._state.total_requests += 1
        if self._transport.is_closing():
            return
        keeps = keeps and not (self._closing and not self._owes())
        try:
            head = self._written(response, keeps=keeps)
        except ValueError:
            _log.exception("an answer has a header that cannot be sent", extra={"status": response.status})
            response = _BROKEN
            head = self._written(response, keeps=keeps)
        self._transport.write(head if method == "HEAD" else head + response.body)
        if not keeps:
            self._deaf = True
            if self._reading:
                # A client that is still sending would have its answer taken away by a close.
                self._expect_within(_LINGERING)
            else:
                self._close()
        elif self._writable and not self._reading:
            self._expect_within(self._idle)

    def _written(self, response: Response, *, keeps: bool) -> bytes:
        """The head of an answer; ValueError where a header would be more than a line."""
        if self._dated is not self._state.default_headers:
            self._dated = self._state.default_headers
            self._default_lines = "".join([f"{name.decode()}: {value.decode()}\r\n" for name, value in self._dated])
        lines = "".join([f"{name}: {value}\r\n" for name, value in response.headers])
        count = len(response.headers)
        if lines.count("\n") != count or lines.count("\r") != count or "\0" in lines:
            raise ValueError("a header of several lines")
        end = "\r\n" if keeps else "connection: close\r\n\r\n"
        length = f"content-length: {len(response.body)}\r\n"
        return f"{_LINES[response.status]}{lines}{self._default_lines}{length}{end}".encode("latin-1")
