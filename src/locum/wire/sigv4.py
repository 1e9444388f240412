"""Signature Version 4: canonical request, string to sign and signature, and the signing end.

Each step is a function of its own, so that a failing vector names its step; :mod:`locum.wire.sigv4_verify` is the
other end and goes through the same functions.  Only ``AWS4-HMAC-SHA256`` over the whole body exists: no unsigned
payload, no chunks (STS-SIG-001, STS-SIG-014, R18).  Text of a request is one character a byte, as in
:class:`locum.http.Request`; what is percent-encoded comes out in one spelling whatever spelling travelled.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from typing import Final
from urllib.parse import quote

import msgspec

from locum.http import Headers, Request
from locum.secret import Secret
from locum.wire.form import parse_form

__all__ = [
    "ALGORITHM",
    "NEVER_SIGNED",
    "TERMINATOR",
    "Credentials",
    "SignedHeaders",
    "SigningKey",
    "SigningKeys",
    "basic_time",
    "canonical_path",
    "canonical_query",
    "canonical_request",
    "credential_scope",
    "presign",
    "sign",
    "signing_key",
    "string_to_sign",
]

ALGORITHM: Final = "AWS4-HMAC-SHA256"
TERMINATOR: Final = "aws4_request"

NEVER_SIGNED: Final = frozenset(
    {
        "authorization",
        "baggage",
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-amzn-trace-id",
    }
)
"""Headers that proxies and tracing change on the way: the signing end leaves them out."""

_SET_BY_SIGNING = frozenset({"authorization", "x-amz-date", "x-amz-security-token"})

# A query string that decoding and encoding again would not change: unreserved characters, and upper-case escapes of
# all others (RFC 3986 section 2.3), at most one '=' a parameter.
_COMPONENT = r"(?:[A-Za-z0-9._~-]++|%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|[46]0|5[B-E]|7[BCDF]))*+"
_CANONICAL_QUERY = re.compile(rf"{_COMPONENT}(?:={_COMPONENT})?(?:&{_COMPONENT}(?:={_COMPONENT})?)*+")


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """What a request is signed with: an access key, and the session token that belongs to a temporary one."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None


class SigningKey:
    """A derived key for one day, region and service, with the two SHA-256 states of its HMAC ready (RFC 2104)."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        """``key`` is the 32 bytes at the end of the derivation."""
        block = key.ljust(64, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def sign(self, text: str) -> str:
        """The signature of a string to sign: 64 lower-case hexadecimal digits."""
        inner = self._inner.copy()
        inner.update(text.encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()

    def __repr__(self) -> str:
        return "SigningKey(***)"


def signing_key(secret: Secret, date: str, region: str, service: str) -> SigningKey:
    """The key for a credential scope; ``date`` is ``yyyymmdd``."""
    key = f"AWS4{secret.reveal()}".encode()
    for part in (date, region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return SigningKey(key)


class SigningKeys:
    """:func:`signing_key` with a memory of the last ``capacity`` keys; whoever keeps requests flowing owns one.

    The secret itself is the key of the memory, so a replaced secret is never answered with the old one's key.
    """

    __slots__ = ("_derive",)

    def __init__(self, capacity: int = 4096) -> None:
        def derive(secret: str, date: str, region: str, service: str) -> SigningKey:
            return signing_key(Secret(secret), date, region, service)

        self._derive = lru_cache(maxsize=capacity)(derive)

    def __call__(self, secret: Secret, date: str, region: str, service: str) -> SigningKey:
        return self._derive(secret.reveal(), date, region, service)


class SignedHeaders:
    """The names that a signature covers: unique, lower-case, sorted; and how their values are laid out."""

    __slots__ = ("_lines", "_pick", "_template", "names", "text", "x_amz")

    names: frozenset[str]
    text: str
    """The names joined by ``;`` as the canonical request and ``SignedHeaders`` hold them."""
    x_amz: int
    """How often ``x-amz-`` occurs in them."""

    def __init__(self, names: Iterable[str]) -> None:
        ordered = sorted({name.lower() for name in names})
        self.names = frozenset(ordered)
        self.text = ";".join(ordered)
        self.x_amz = self.text.count("x-amz-")
        self._lines = len(ordered)
        self._template = "".join([name.replace("%", "%%") + ":%s\n" for name in ordered])
        self._pick = itemgetter(*ordered)

    def canonical(self, lines: Mapping[str, str]) -> str:
        """The canonical headers, a line each: values trimmed, runs of white space one blank.

        ``lines`` are the request's; KeyError where one of the names is missing there.
        """
        text: str = self._template % self._pick(lines)
        if "  " in text or "\t" in text or text.count("\n") != self._lines:
            text = self._template % tuple([_collapsed(lines[name]) for name in self.text.split(";")])
        return text

    def __repr__(self) -> str:
        return f"SignedHeaders({self.text!r})"


def canonical_path(path: str) -> str:
    """A raw path without dot segments and empty segments, escaped once more (STS-SIG-016)."""
    if path == "/":
        return path
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    trailing = "/" if kept and segments[-1] == "" else ""
    return quote(f"/{'/'.join(kept)}{trailing}".encode("latin-1"), safe="/~")


def canonical_query(query: str) -> str:
    """A raw query string's parameters, decoded as the handler reads them, encoded again and sorted.

    ``X-Amz-Signature`` is left out.  Raises MalformedQueryString as :func:`locum.wire.form.parse_form` does.
    """
    if not query:
        return ""
    if _CANONICAL_QUERY.fullmatch(query) is not None:
        parts = [piece.partition("=") for piece in query.split("&") if piece]
    else:
        pairs = parse_form(query, max_bytes=len(query), max_parameters=query.count("&") + 1)
        parts = [(quote(name, safe="-_.~"), "=", quote(value, safe="-_.~")) for name, value in pairs]
    parts.sort()
    return "&".join([f"{name}={value}" for name, _, value in parts if name != "X-Amz-Signature"])


def canonical_request(request: Request, headers: str, signed: str, payload_sha256: str) -> str:
    """The canonical request, one character a byte.

    ``headers`` and ``signed`` are :meth:`SignedHeaders.canonical` and its ``text``; ``payload_sha256`` the hexadecimal
    SHA-256 of the body, of the empty string where there is none (STS-SIG-014).
    """
    path = request.path
    if path != "/":
        path = canonical_path(path)
    query = canonical_query(request.query) if request.query else ""
    return f"{request.method}\n{path}\n{query}\n{headers}\n{signed}\n{payload_sha256}"


def credential_scope(date: str, region: str, service: str) -> str:
    """The scope in the string to sign, and after the key id in a credential."""
    return f"{date}/{region}/{service}/{TERMINATOR}"


def string_to_sign(timestamp: str, scope: str, canonical: str) -> str:
    """The text that is signed; ``timestamp`` is ISO 8601 basic.  UnicodeEncodeError for a character beyond a byte."""
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{sha256(canonical.encode('latin-1')).hexdigest()}"


def basic_time(seconds: float) -> str:
    """Epoch seconds in ISO 8601 basic format, ``20260102T030405Z``."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def sign(
    request: Request,
    credentials: Credentials,
    *,
    service: str,
    region: str,
    now: float,
    derive: Callable[[Secret, str, str, str], SigningKey] = signing_key,
) -> Request:
    """The request with its date, its session token where there is one, and ``authorization`` (STS-SIG-006).

    Every header but :data:`NEVER_SIGNED` is signed; what an earlier signing set is replaced.  ``now`` is epoch
    seconds; ``derive`` may be a :class:`SigningKeys`.  ValueError without a ``host`` header, or where the text of the
    request cannot be sent as one byte a character.
    """
    timestamp = basic_time(now)
    headers = [*_own_headers(request.headers), ("x-amz-date", timestamp)]
    if credentials.session_token is not None:
        headers.append(("x-amz-security-token", credentials.session_token.reveal()))
    request = msgspec.structs.replace(request, headers=tuple(headers))
    scope = credential_scope(timestamp[:8], region, service)
    signed, signature = _signature(request, timestamp, scope, derive, credentials, region, service)
    authorization = (
        f"{ALGORITHM} Credential={credentials.access_key_id}/{scope}, SignedHeaders={signed}, Signature={signature}"
    )
    return msgspec.structs.replace(request, headers=(*headers, ("authorization", authorization)))


def presign(
    request: Request,
    credentials: Credentials,
    *,
    service: str,
    region: str,
    now: float,
    expires: int = 900,
    derive: Callable[[Secret, str, str, str], SigningKey] = signing_key,
) -> Request:
    """The request with the authentication parameters after its own query parameters (STS-SIG-007, STS-SIG-015).

    All headers but :data:`NEVER_SIGNED` are signed and must be sent; ``expires`` is written as ``X-Amz-Expires``
    (seconds), which STS ignores: the request is good for 15 minutes (STS-SIG-010).  Errors are those of :func:`sign`.
    """
    timestamp = basic_time(now)
    scope = credential_scope(timestamp[:8], region, service)
    headers = tuple(_own_headers(request.headers))
    parameters = [
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", f"{credentials.access_key_id}/{scope}"),
        ("X-Amz-Date", timestamp),
        ("X-Amz-Expires", str(expires)),
        ("X-Amz-SignedHeaders", _to_sign(headers).text),
    ]
    if credentials.session_token is not None:
        parameters.append(("X-Amz-Security-Token", credentials.session_token.reveal()))
    added = "&".join([f"{name}={quote(value, safe='-_.~')}" for name, value in parameters])
    query = f"{request.query}&{added}" if request.query else added
    request = msgspec.structs.replace(request, query=query, headers=headers)
    _, signature = _signature(request, timestamp, scope, derive, credentials, region, service)
    return msgspec.structs.replace(request, query=f"{query}&X-Amz-Signature={signature}")


def _signature(
    request: Request,
    timestamp: str,
    scope: str,
    derive: Callable[[Secret, str, str, str], SigningKey],
    credentials: Credentials,
    region: str,
    service: str,
) -> tuple[str, str]:
    """The signed header names and the signature of a request that is complete but for it."""
    signed = _to_sign(request.headers)
    canonical = canonical_request(
        request, signed.canonical(request.lines), signed.text, sha256(request.body).hexdigest()
    )
    key = derive(credentials.secret_access_key, timestamp[:8], region, service)
    return signed.text, key.sign(string_to_sign(timestamp, scope, canonical))


def _to_sign(headers: Headers) -> SignedHeaders:
    names = {name for name, _ in headers} - NEVER_SIGNED
    if "host" not in names:
        raise ValueError("a request is signed for a host: it needs a 'host' header")
    return SignedHeaders(names)


def _own_headers(headers: Headers) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name not in _SET_BY_SIGNING]


def _collapsed(value: str) -> str:
    return b" ".join(value.encode("latin-1").split()).decode("latin-1")
