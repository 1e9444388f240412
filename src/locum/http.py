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


_set = msgspec.structs.force_setattr
_UNREAD: dict[str, str] = {}


class Request(msgspec.Struct, frozen=True, gc=False):
    """An HTTP request.

    ``path`` and ``query`` are the raw request target left and right of the first ``?`` (percent-encoding intact,
    ``query`` without the question mark).  ``peer`` is the address that policies see as ``aws:SourceIp``: the
    socket's peer, or what a trusted proxy says.  ``secure`` tells whether the client spoke TLS.  ``lines`` follows from
    ``headers``: value by name, those of a repeated header joined by commas in order of arrival (RFC 9110 section 5.2).
    """

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes = b""
    peer: str = ""
    secure: bool = False
    lines: dict[str, str] = _UNREAD

    def __post_init__(self) -> None:
        lines = dict(self.headers)
        if len(lines) != len(self.headers):
            lines = {}
            for name, value in self.headers:
                lines[name] = f"{lines[name]},{value}" if name in lines else value
        _set(self, "lines", lines)

    def __repr__(self) -> str:
        """Method and path only: headers and bodies hold credentials (R38)."""
        return f"Request({self.method} {self.path})"

    def header(self, name: str) -> str | None:
        """The value of a header (``name`` in lower case), or None where it is absent."""
        return self.lines.get(name)


class Response(msgspec.Struct, frozen=True, gc=False):
    """An HTTP answer: status, header lines (lower-case names) and the whole body."""

    status: int
    headers: Headers = ()
    body: bytes = b""
