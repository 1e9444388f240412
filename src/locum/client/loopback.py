"""A small HTTP server for programs on this machine: where a browser comes back to, and who hands out credentials.

It listens on 127.0.0.1 alone.  A page that a browser has open can send requests there too, under a host name of its own
that it lets point to this address (DNS rebinding): the ``Host`` of every request therefore has to be the server's own.
Requests are bounded in size, number and time, and what is no request is answered with its status and nothing else.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final

from locum.client.closing import Closing
from locum.client.failures import ConfigurationFailure
from locum.http import Request, Response

__all__ = ["ADDRESS", "MAX_BODY", "MAX_CONNECTIONS", "SECONDS", "Answer", "Loopback"]

ADDRESS: Final = "127.0.0.1"
"""Where it listens."""

MAX_BODY: Final = 1 << 18
"""Bytes of a request's body: a SAML response is the longest."""

MAX_CONNECTIONS: Final = 64
"""Connections that are served at once; more are closed unread."""

SECONDS: Final = 10.0
"""In which a request has to be there, and its answer taken."""

_LEAVING: Final = 2.0
"""Seconds that closing waits for answers that are being given."""

_LENGTH: Final = re.compile(r"[0-9]{1,9}\Z")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TARGET: Final = re.compile(r"/[!-~]*\Z")

_log: Final = logging.getLogger("locum.client")

Answer = Callable[[Request], Response]
"""What answers requests; called in any number of threads at once."""


class Loopback(Closing):
    """The server; it runs from when it is made until it is closed, best by its ``with`` block.

    ``port`` 0 takes a free one.  Raises ConfigurationFailure where the port cannot be had.
    """

    def __init__(self, answer: Answer, *, port: int = 0) -> None:
        try:
            self._server: Final = _Server((ADDRESS, port), answer)
        except (OSError, OverflowError) as error:
            raise ConfigurationFailure(f"port {port} of {ADDRESS} cannot be listened on: {error}") from None
        self._thread: Final = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="locum-loopback", daemon=True
        )
        self._thread.start()

    @property
    def origin(self) -> str:
        """Scheme and authority, ``http://127.0.0.1:49152``."""
        return f"http://{ADDRESS}:{self._server.server_address[1]}"

    def close(self) -> None:
        """Take no more requests, and let answers that are being given end."""
        self._server.shutdown()
        self._thread.join()
        self._server.leave()


class _Server(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, address: tuple[str, int], answer: Answer) -> None:
        self.answer: Final = answer
        self._free: Final = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._lock: Final = threading.Lock()
        self._busy: Final[dict[threading.Thread, socket.socket]] = {}
        super().__init__(address, _Handler)
        port = self.server_address[1]
        self.hosts: Final = frozenset({f"{ADDRESS}:{port}", f"localhost:{port}"})

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._busy[threading.current_thread()] = request
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                del self._busy[threading.current_thread()]
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is nobody's business."""

    def leave(self) -> None:
        self.server_close()
        with self._lock:
            busy = dict(self._busy)
        for connection in busy.values():
            _stop(connection, socket.SHUT_RD)
        until = time.monotonic() + _LEAVING
        for thread in busy:
            thread.join(max(until - time.monotonic(), 0))


def _stop(connection: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(how)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = SECONDS

    def setup(self) -> None:
        super().setup()
        # The timeout is for each read; who sends a byte now and then is cut off by this.
        self._timer = threading.Timer(SECONDS, _stop, (self.connection, socket.SHUT_RD))
        self._timer.daemon = True
        self._timer.start()

    def finish(self) -> None:
        self._timer.cancel()
        super().finish()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        request = self._request()
        self._timer.cancel()
        if isinstance(request, int):
            self._send(Response(request))
            return
        try:
            response = self.server.answer(request)
        except Exception as error:
            # Its text may hold a secret, and a stranger learns nothing at all.
            _log.error("a request was not answered: %s", type(error).__name__)
            response = Response(500)
        self._send(response)

    def _request(self) -> Request | int:
        """The request, or the status of the refusal."""
        headers = tuple([(name.lower(), value.strip()) for name, value in self.headers.items()])
        if self.headers.defects or any(_CONTROL.search(value) for _, value in headers):
            return 400
        hosts = [value.lower() for name, value in headers if name == "host"]
        if len(hosts) != 1 or hosts[0] not in self.server.hosts:
            return 403
        if _TARGET.match(self.path) is None or "transfer-encoding" in self.headers:
            return 400
        lengths = [value for name, value in headers if name == "content-length"] or ["0"]
        if len(lengths) != 1 or _LENGTH.match(lengths[0]) is None:
            return 400
        if int(lengths[0]) > MAX_BODY:
            return 413
        body = self.rfile.read(int(lengths[0]))
        if len(body) < int(lengths[0]):
            return 400
        path, _, query = self.path.partition("?")
        return Request(self.command, path, query, headers, body, peer=self.client_address[0])

    def _send(self, response: Response) -> None:
        self.close_connection = True
        self.send_response_only(response.status)
        told = dict(response.headers)
        for name, value in {
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            **told,
            "content-length": str(len(response.body)),
            "connection": "close",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        self._send(Response(code))

    def log_message(self, format: str, *args: Any) -> None:
        """Request lines may hold codes of logins: they are not logged."""
