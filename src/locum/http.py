"""One HTTP request and one HTTP answer, as plain values without a server or a client behind them.

Both ends of locum speak in these: the server's edge makes a :class:`Request` from what arrived, the signer makes
one of what will be sent, and the verifier reads the same type.  Nothing is decoded here: ``path`` and ``query``
are the bytes of the request target as text, exactly as they travelled, because a signature covers them that way.
"""

from __future__ import annotations

import msgspec

__all__ = ["Headers", "Request", "Response"]

Headers = tuple[tuple[str, str], ...]
"""Header lines in order of arrival; names in lower case, values without surrounding white space, repeats kept."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """An HTTP request.

    ``path`` and ``query`` are the raw request target left and right of the first ``?`` (percent-encoding intact,
    ``query`` without the question mark).  ``peer`` is the address that policies see as ``aws:SourceIp``: the
    socket's peer, or what a trusted proxy says.  ``secure`` tells whether the client spoke TLS.
    """

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes = b""
    peer: str = ""
    secure: bool = False

    def header(self, name: str) -> str | None:
        """The first value of a header (``name`` in lower case), or None where it is absent."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def header_values(self, name: str) -> list[str]:
        """Every value of a header in order of arrival."""
        return [value for key, value in self.headers if key == name]


class Response(msgspec.Struct, frozen=True, gc=False):
    """An HTTP answer: status, header lines (lower-case names) and the whole body."""

    status: int
    headers: Headers = ()
    body: bytes = b""
