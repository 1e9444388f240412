"""Signed requests as a client makes them, or spoils them, and what the server reads in them."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
import pytest

from locum.errors import ServiceException
from locum.http import Headers, Request
from locum.secret import Secret
from locum.wire.form import parse_form
from locum.wire.sigv4 import Credentials, SigningKey, presign, sign, signing_key
from locum.wire.sigv4_verify import Authentication, require_authentication, verify

SECRET = Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
CREDENTIALS = Credentials("AKIDEXAMPLE", SECRET)
NOW = 1767323045  # 20260102T030405Z
HOST = "sts.us-east-1.amazonaws.com"
KEY = signing_key(SECRET, "20260102", "us-east-1", "sts")
FORM = b"Action=GetCallerIdentity&Version=2011-06-15"
POST = Request("POST", "/", "", (("host", HOST), ("content-type", "application/x-www-form-urlencoded")), FORM)
GET = Request("GET", "/", FORM.decode(), (("host", HOST),))

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


def signed(request: Request = POST, credentials: Credentials = CREDENTIALS, now: float = NOW) -> Request:
    return sign(request, credentials, service="sts", region="us-east-1", now=now)


def presigned(request: Request = GET, credentials: Credentials = CREDENTIALS, now: float = NOW) -> Request:
    return presign(request, credentials, service="sts", region="us-east-1", now=now)


def require(request: Request, *, now: float = NOW) -> Authentication:
    return require_authentication(
        request, parse_form(request.query), service="sts", regions=frozenset({"us-east-1"}), now=now
    )


def with_query(request: Request, **changes: str | None) -> Request:
    pairs = dict(parse_form(request.query))
    for name, value in changes.items():
        if value is None:
            del pairs[name.replace("_", "-")]
        else:
            pairs[name.replace("_", "-")] = value
    query = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in pairs.items())
    return msgspec.structs.replace(request, query=query)


def authorization(
    credential: str = "AKIDEXAMPLE/20260102/us-east-1/sts/aws4_request",
    names: str = "host;x-amz-date",
    signature: str = "0" * 64,
) -> str:
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"


def header_form(header: str, *lines: tuple[str, str], date: str | None = "20260102T030405Z") -> Request:
    dated: Headers = () if date is None else (("x-amz-date", date),)
    return Request("POST", "/", "", (("host", HOST), *dated, *lines, ("authorization", header)), FORM)


def query_form(**changes: str | None) -> Request:
    return with_query(presigned(), **changes)


def refusal(request: Request, *, now: float = NOW, key: SigningKey | None = None) -> ServiceException:
    try:
        claims = require(request, now=now)
    except ServiceException as refused:
        return refused
    assert key is not None, "the claims were read without an error"
    with pytest.raises(ServiceException) as mismatch:
        verify(claims, key)
    return mismatch.value
