"""Signature Version 4, the verifying end: what a request claims, and the proof that its signature holds.

Two steps, since the secret is found between them: :func:`read_authentication` checks everything that needs no secret,
in the order in which AWS does (sts.md section 3.2, steps 5 to 13); then the caller opens the session token and finds
the key, and :func:`verify` compares the signature (step 16).  Until then nothing of it may be believed (R24).

Where security.md is stricter than AWS it wins: a repeated ``X-Amz-*`` header or query parameter, ``Authorization`` or
``Host`` is refused (R20), and so is an ``x-amz-*`` header that is not signed (R19).  Replays inside the window are
meant to succeed: no signature is remembered (STS-SIG-012, STS-SIG-013).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from typing import Final

import msgspec

from locum.errors import IncompleteSignature, MissingAuthenticationToken, SignatureDoesNotMatch
from locum.http import Headers, Request
from locum.wire.sigv4 import (
    ALGORITHM,
    TERMINATOR,
    SignedHeaders,
    SigningKey,
    basic_time,
    canonical_request,
    credential_scope,
    string_to_sign,
)

__all__ = [
    "MAX_AUTHORIZATION",
    "MAX_SIGNED_HEADERS",
    "MISMATCH",
    "WINDOW",
    "Authentication",
    "Verified",
    "read_authentication",
    "require_authentication",
    "verify",
]

WINDOW: Final = 900
"""Seconds that a request's date may lie before or after the server's clock (STS-SIG-018)."""

MAX_AUTHORIZATION: Final = 8192
"""Characters of an ``Authorization`` header that is read."""

MAX_SIGNED_HEADERS: Final = 4096
"""Characters of a list of signed headers that is read."""

MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
"""The text of STS-SIG-019; the canonical request is not shown, as in newer answers of AWS (STS-SIG-020)."""

_MISSING = "Request is missing Authentication Token"
_ONCE = frozenset({"authorization", "host"})
_PARAMETERS = frozenset(
    {
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
    }
)
_BASIC = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)
_USUAL = re.compile(rf"{ALGORITHM} Credential=([^\s,=]+), ?SignedHeaders=([^\s,=]+)")
_MAX_USUAL = 1024
_EXTENDED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)


class Authentication(msgspec.Struct, frozen=True, gc=False):
    """What a signed request claims of itself; nothing of it is proved before :func:`verify`.

    ``date``, ``region`` and ``service`` are the credential scope, already found right; ``timestamp`` is the request's
    date in ISO 8601 basic format, inside the window; ``session_token`` is None where none was sent.
    """

    key_id: str
    date: str
    region: str
    service: str
    timestamp: str
    session_token: str | None
    presigned: bool
    signed_headers: SignedHeaders
    canonical_headers: str
    signature: str
    content_sha256: str | None
    request: Request

    def __repr__(self) -> str:
        return f"Authentication({self.key_id}/{credential_scope(self.date, self.region, self.service)})"


class Verified(msgspec.Struct, frozen=True, gc=False):
    """Claims whose signature was compared with the right key's and holds; only :func:`verify` makes one."""

    claims: Authentication


def read_authentication(
    request: Request, query: Sequence[tuple[str, str]], *, service: str, regions: Collection[str], now: float
) -> Authentication | None:
    """The claims of a signed request, or None where it carries no authentication at all.

    ``query`` is the decoded query string, the very pairs that the handler reads.  ``service`` is the one that the
    request was routed to, ``regions`` the valid ones of the scope, ``now`` the server's clock in epoch seconds.

    Raises SignatureDoesNotMatch, IncompleteSignature or MissingAuthenticationToken: the first failure in the order of
    STS-SIG-T05 and STS-SIG-T07…T19.
    """
    headers = request.headers
    lines = request.lines
    parameters = {name: value for name, value in query if name in _PARAMETERS} if query else None
    presigned = False
    if "authorization" in lines:
        if parameters:
            raise SignatureDoesNotMatch
        claims, signature = _header_claims(headers, lines)
        date = lines.get("x-amz-date")
        if date is None:
            date = lines["date"]
        token = lines.get("x-amz-security-token")
    elif parameters and "X-Amz-Algorithm" in parameters:
        presigned = True
        _check_parameters(query, parameters, headers, lines)
        claims = _Claims(parameters["X-Amz-Credential"], parameters["X-Amz-SignedHeaders"])
        signature = parameters["X-Amz-Signature"]
        date = parameters["X-Amz-Date"]
        token = parameters.get("X-Amz-Security-Token")
    else:
        return None
    signed = claims.signed
    canonical_headers = _canonical_headers(signed, lines)
    timestamp = _current(date, now, extended=not presigned)
    parts = claims.parts
    if len(parts) != 5:
        raise IncompleteSignature(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{'/'.join(parts)}'"
        )
    key_id, day, region, named, terminator = parts
    if terminator != TERMINATOR or named != service or day != timestamp[:8] or region not in regions:
        raise _wrong_scope(parts, service, regions, timestamp)
    return Authentication(
        key_id,
        day,
        region,
        service,
        timestamp,
        token,
        presigned,
        signed,
        canonical_headers,
        signature,
        lines.get("x-amz-content-sha256"),
        request,
    )


def require_authentication(
    request: Request, query: Sequence[tuple[str, str]], *, service: str, regions: Collection[str], now: float
) -> Authentication:
    """:func:`read_authentication` for an operation that must be signed; else MissingAuthenticationToken (T06)."""
    found = read_authentication(request, query, service=service, regions=regions, now=now)
    if found is None:
        raise MissingAuthenticationToken(_MISSING)
    return found


def verify(claims: Authentication, key: SigningKey) -> Verified:
    """The claims, proved: the request is byte for byte the one that the key's owner signed (R22).

    ``key`` belongs to the claims' key id and scope.  The body's own hash is what counts: a request that announces an
    unsigned or another payload in ``x-amz-content-sha256`` fails (R18).

    Raises SignatureDoesNotMatch (STS-SIG-T23), and MalformedQueryString for a query string that nobody has decoded.
    """
    request = claims.request
    payload = sha256(request.body).hexdigest()
    scope = credential_scope(claims.date, claims.region, claims.service)
    try:
        canonical = canonical_request(request, claims.canonical_headers, claims.signed_headers.text, payload)
        expected = key.sign(string_to_sign(claims.timestamp, scope, canonical))
    except UnicodeEncodeError:
        raise SignatureDoesNotMatch(MISMATCH) from None
    if not claims.signature.isascii() or not compare_digest(expected, claims.signature):
        raise SignatureDoesNotMatch(MISMATCH)
    if claims.content_sha256 is not None and claims.content_sha256 != payload:
        raise SignatureDoesNotMatch(MISMATCH)
    return Verified(claims)


class _Claims:
    """A credential's parts and the signed headers: what a client repeats in every request of a day."""

    __slots__ = ("parts", "signed")

    def __init__(self, credential: str, names: str) -> None:
        if len(names) > MAX_SIGNED_HEADERS:
            raise IncompleteSignature(f"The list of signed headers is longer than {MAX_SIGNED_HEADERS} characters.")
        self.parts = credential.split("/")
        self.signed = _signed_headers(names)


@lru_cache(maxsize=512)
def _signed_headers(text: str) -> SignedHeaders:
    return SignedHeaders(text.split(";"))


@lru_cache(maxsize=1024)
def _usual_claims(head: str) -> _Claims | None:
    """The claims of a header as every SDK writes it, up to the signature; None for any other."""
    match = _USUAL.fullmatch(head)
    return None if match is None else _Claims(match[1], match[2])


def _header_claims(headers: Headers, lines: Mapping[str, str]) -> tuple[_Claims, str]:
    """The claims and the signature of the header form (STS-SIG-T07…T10)."""
    header = lines["authorization"]
    if len(lines) == len(headers) and ("x-amz-date" in lines or "date" in lines):
        head, _, signature = header.rpartition(", Signature=")
        if len(head) <= _MAX_USUAL and signature.isalnum():
            claims = _usual_claims(head)
            if claims is not None:
                return claims, signature
    return _unusual_claims(headers, lines)


def _unusual_claims(headers: Headers, lines: Mapping[str, str]) -> tuple[_Claims, str]:
    """The header form taken apart step by step, with the error of each (STS-SIG-T07…T10; R20)."""
    header = next(value for name, value in headers if name == "authorization")
    if len(header) > MAX_AUTHORIZATION:
        raise IncompleteSignature(f"Authorization header is longer than {MAX_AUTHORIZATION} characters.")
    algorithm, _, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise IncompleteSignature(f"Unsupported AWS 'algorithm': '{algorithm}'.")
    _refuse_repeats(headers)
    found: dict[str, str] = {}
    for parameter in rest.split(","):
        name, equals, value = parameter.strip().partition("=")
        if equals:
            found[name] = value
        elif name:
            raise IncompleteSignature(
                f"'{name}' not a valid key=value pair (missing equal-sign) in Authorization header: '{header}'."
            )
    missing = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if name not in found
    ]
    if "x-amz-date" not in lines and "date" not in lines:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if missing:
        raise IncompleteSignature(f"{' '.join(missing)} Authorization={ALGORITHM}")
    return _Claims(found["Credential"], found["SignedHeaders"]), found["Signature"]


def _check_parameters(
    query: Sequence[tuple[str, str]], parameters: Mapping[str, str], headers: Headers, lines: Mapping[str, str]
) -> None:
    """The query form's parameters are there, once, and alone (STS-SIG-T11, STS-SIG-T13; R18, R20 in place of T12)."""
    first = next(value for name, value in query if name == "X-Amz-Algorithm")
    if first != ALGORITHM:
        raise MissingAuthenticationToken(_MISSING)
    seen: set[str] = set()
    for name, _ in query:
        if name.startswith("X-Amz-"):
            if name in seen:
                raise SignatureDoesNotMatch(f"The query string must not repeat '{name}'.")
            seen.add(name)
    if len(lines) != len(headers):
        _refuse_repeats(headers)
    if "x-amz-security-token" in lines:
        raise SignatureDoesNotMatch("A presigned request must not carry an 'X-Amz-Security-Token' header.")
    missing = [
        f"AWS query-string parameters must include '{name}'."
        for name in ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")
        if name not in parameters
    ]
    if missing:
        raise IncompleteSignature(f"{' '.join(missing)} Re-examine the query-string parameters.")


def _refuse_repeats(headers: Headers) -> None:
    seen: set[str] = set()
    for name, _ in headers:
        if name in seen and (name in _ONCE or name.startswith("x-amz-")):
            raise SignatureDoesNotMatch(f"The request must not repeat the header '{name}'.")
        seen.add(name)


def _canonical_headers(signed: SignedHeaders, lines: Mapping[str, str]) -> str:
    """The canonical headers; the host is among them, and every ``x-amz-*`` header (STS-SIG-T14, R19)."""
    names = signed.names
    if "host" not in names and ":authority" not in names:
        raise SignatureDoesNotMatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    try:
        text = signed.canonical(lines)
    except KeyError as missing:
        raise SignatureDoesNotMatch(f"The signed header '{missing.args[0]}' is not in the request.") from None
    except UnicodeEncodeError:
        raise SignatureDoesNotMatch(MISMATCH) from None
    # All signed headers are in the request, so equal counts mean that none of the others is an x-amz-* header.
    if ";".join(lines).count("x-amz-") != signed.x_amz:
        for name in lines:
            if name.startswith("x-amz-") and name not in names:
                raise SignatureDoesNotMatch(f"The header '{name}' must be a 'SignedHeader' in the AWS Authorization.")
    return text


def _current(date: str, now: float, *, extended: bool) -> str:
    """The request's date in basic format, inside the window (STS-SIG-T15…T17)."""
    try:
        moment = _epoch(date)
        if len(date) == 20:
            if not extended:
                raise ValueError(date)
            date = date.replace("-", "").replace(":", "")
    except ValueError:
        raise IncompleteSignature(
            f"Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ) from None
    clock = int(now)
    if moment < clock - WINDOW:
        raise SignatureDoesNotMatch(
            f"Signature expired: {date} is now earlier than {basic_time(clock - WINDOW)} "
            f"({basic_time(clock)} - 15 min.)"
        )
    if moment > clock + WINDOW:
        raise SignatureDoesNotMatch(
            f"Signature not yet current: {date} is still later than {basic_time(clock + WINDOW)} "
            f"({basic_time(clock)} + 15 min.)"
        )
    return date


@lru_cache(maxsize=1024)
def _epoch(date: str) -> int:
    """Epoch seconds of a date in one of the two formats; ValueError otherwise."""
    if _BASIC.fullmatch(date) is None and _EXTENDED.fullmatch(date) is None:
        raise ValueError(date)
    return int(datetime.fromisoformat(date).timestamp())


def _wrong_scope(parts: Sequence[str], service: str, regions: Collection[str], timestamp: str) -> SignatureDoesNotMatch:
    """Everything that is wrong with a credential scope, in one message (STS-SIG-T19)."""
    _, day, region, named, terminator = parts
    wrong = []
    if region not in regions:
        wrong.append(f"Credential should be scoped to a valid region, not '{region}'.")
    if named != service:
        wrong.append(f"Credential should be scoped to correct service: '{service}'.")
    if terminator != TERMINATOR:
        wrong.append(f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'.")
    if day != timestamp[:8]:
        wrong.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{day}' != '{timestamp[:8]}', from '{timestamp}'."
        )
    return SignatureDoesNotMatch(" ".join(wrong))
