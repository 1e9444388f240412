"""The HTTP protocol class of our workers: uvicorn's, with a bound on what it gathers before a request begins.

The parser below uvicorn collects header lines for as long as a client sends them, and the application sees a request
only when they are complete.  Here a connection that has sent more than :data:`MAXIMUM_HEAD` bytes without completing
them is closed.
"""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["MAXIMUM_HEAD", "BoundedProtocol"]

MAXIMUM_HEAD: Final = 131_072
"""Bytes of a request line and headers that arrive before the connection is given up; the application allows 32 KiB."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol on httptools, with bounded heads."""

    _head = 0
    _advanced = False
    _in_body = False

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        self._advanced = self._in_body
        super().data_received(data)
        if self._advanced:
            self._head = 0
        else:
            self._head += len(data)
            if self._head > MAXIMUM_HEAD and self.transport is not None:
                self.transport.abort()

    def on_headers_complete(self) -> None:
        """A request's headers are there; what follows is its body."""
        self._in_body = self._advanced = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is there as a whole."""
        self._in_body = False
        super().on_message_complete()
