"""What a signed request claims: every failure in AWS's order, the stricter rules, and the attacks on a signature."""

from __future__ import annotations

import base64
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.errors import (
    IncompleteSignature,
    MalformedQueryString,
    MissingAuthenticationToken,
    ServiceException,
    SignatureDoesNotMatch,
)
from locum.http import Headers, Request
from locum.secret import Secret
from locum.wire import sigv4_verify
from locum.wire.form import parse_form
from locum.wire.sigv4 import (
    Credentials,
    SigningKey,
    canonical_request,
    presign,
    sign,
    signing_key,
    string_to_sign,
)
from locum.wire.sigv4_verify import (
    MAX_AUTHORIZATION,
    MAX_SIGNED_HEADERS,
    Authentication,
    read_authentication,
    require_authentication,
    verify,
)

SECRET = Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
CREDENTIALS = Credentials("AKIDEXAMPLE", SECRET)
SESSION = Credentials("ASIAIOSFODNN7EXAMPLE", SECRET, Secret("SESSION/TOKEN+EXAMPLE=="))
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


def read(request: Request, *, now: float = NOW, service: str = "sts") -> Authentication | None:
    return read_authentication(
        request, parse_form(request.query), service=service, regions=("us-east-1", "eu-west-1"), now=now
    )


def require(request: Request, *, now: float = NOW) -> Authentication:
    return require_authentication(
        request, parse_form(request.query), service="sts", regions=frozenset({"us-east-1"}), now=now
    )


def with_headers(request: Request, **changes: str | None) -> Request:
    """The request with headers set, added or (None) left out; underscores stand for dashes."""
    lines = dict(request.headers)
    for name, value in changes.items():
        if value is None:
            lines.pop(name.replace("_", "-"), None)
        else:
            lines[name.replace("_", "-")] = value
    return msgspec.structs.replace(request, headers=tuple(lines.items()))


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


SEE = "See http://en.wikipedia.org/wiki/ISO_8601"
HEADER_CASES = [
    pytest.param(
        msgspec.structs.replace(signed(), query="X-Amz-Algorithm=AWS4-HMAC-SHA256"),
        SignatureDoesNotMatch,
        "",
        marks=pytest.mark.facts("STS-SIG-T05", "R18"),
        id="both",
    ),
    pytest.param(
        POST,
        MissingAuthenticationToken,
        "Request is missing Authentication Token",
        marks=pytest.mark.facts("STS-SIG-T06", "STS-SIG-025"),
        id="neither",
    ),
    pytest.param(
        header_form("Basic dXNlcjpwYXNz"),
        IncompleteSignature,
        "Unsupported AWS 'algorithm': 'Basic'.",
        marks=pytest.mark.facts("STS-SIG-T07"),
        id="other scheme",
    ),
    pytest.param(header_form(""), IncompleteSignature, "Unsupported AWS 'algorithm': ''.", id="empty header"),
    pytest.param(
        header_form(authorization().replace("HMAC-SHA256", "ECDSA-P256-SHA256")),
        IncompleteSignature,
        "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'.",
        marks=pytest.mark.facts("STS-SIG-T07", "STS-SIG-001"),
        id="sigv4a",
    ),
    pytest.param(
        header_form("AWS4-HMAC-SHA256 Credential=a, SignedHeaders, Signature=b"),
        IncompleteSignature,
        "'SignedHeaders' not a valid key=value pair (missing equal-sign) in Authorization header: "
        "'AWS4-HMAC-SHA256 Credential=a, SignedHeaders, Signature=b'.",
        marks=pytest.mark.facts("STS-SIG-T08"),
        id="no equal-sign",
    ),
    pytest.param(
        header_form("AWS4-HMAC-SHA256", date=None),
        IncompleteSignature,
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
        "Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either "
        "a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256",
        marks=pytest.mark.facts("STS-SIG-T10", "STS-SIG-025"),
        id="nothing",
    ),
    pytest.param(
        header_form("AWS4-HMAC-SHA256 Credential=a, Signature=b"),
        IncompleteSignature,
        "Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256",
        marks=pytest.mark.facts("STS-SIG-T10"),
        id="one missing",
    ),
    pytest.param(
        header_form(authorization(), date=None),
        IncompleteSignature,
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
        "Authorization=AWS4-HMAC-SHA256",
        marks=pytest.mark.facts("STS-SIG-T10"),
        id="no date",
    ),
    pytest.param(
        header_form(authorization(names="x-amz-date")),
        SignatureDoesNotMatch,
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        marks=pytest.mark.facts("STS-SIG-T14", "STS-SIG-008"),
        id="host not signed",
    ),
    pytest.param(
        header_form(authorization(), date="Fri, 02 Jan 2026 03:04:05 GMT"),
        IncompleteSignature,
        f"Date must be in ISO-8601 'basic format'. Got 'Fri, 02 Jan 2026 03:04:05 GMT'. {SEE}",
        marks=pytest.mark.facts("STS-SIG-T15"),
        id="date not iso",
    ),
    pytest.param(
        header_form(authorization(), date="20261302T030405Z"),
        IncompleteSignature,
        f"Date must be in ISO-8601 'basic format'. Got '20261302T030405Z'. {SEE}",
        marks=pytest.mark.facts("STS-SIG-T15"),
        id="month 13",
    ),
    pytest.param(
        header_form(authorization(), date="20260102T024904Z"),
        SignatureDoesNotMatch,
        "Signature expired: 20260102T024904Z is now earlier than 20260102T024905Z (20260102T030405Z - 15 min.)",
        marks=pytest.mark.facts("STS-SIG-T16", "STS-SIG-017", "STS-SIG-018"),
        id="too old",
    ),
    pytest.param(
        header_form(authorization(), date="20260102T031906Z"),
        SignatureDoesNotMatch,
        "Signature not yet current: 20260102T031906Z is still later than 20260102T031905Z (20260102T030405Z + 15 min.)",
        marks=pytest.mark.facts("STS-SIG-T17", "STS-SIG-017", "STS-SIG-018"),
        id="too early",
    ),
    pytest.param(
        header_form(authorization("AKIDEXAMPLE/20260102/us-east-1/sts")),
        IncompleteSignature,
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
        "got 'AKIDEXAMPLE/20260102/us-east-1/sts'",
        marks=pytest.mark.facts("STS-SIG-T18"),
        id="four parts",
    ),
    pytest.param(
        header_form(authorization("a/b/c/d/e/f")),
        IncompleteSignature,
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
        "got 'a/b/c/d/e/f'",
        marks=pytest.mark.facts("STS-SIG-T18"),
        id="six parts",
    ),
    pytest.param(
        header_form(authorization("AKIDEXAMPLE/20260103/mars-1/s3/aws3_request")),
        SignatureDoesNotMatch,
        "Credential should be scoped to a valid region, not 'mars-1'. "
        "Credential should be scoped to correct service: 'sts'. "
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws3_request'. "
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        "'20260103' != '20260102', from '20260102T030405Z'.",
        marks=pytest.mark.facts("STS-SIG-T19"),
        id="whole scope",
    ),
    pytest.param(
        header_form(authorization("AKIDEXAMPLE/20260102/mars-1/sts/aws4_request")),
        SignatureDoesNotMatch,
        "Credential should be scoped to a valid region, not 'mars-1'.",
        marks=pytest.mark.facts("STS-SIG-T19", "STS-SIG-002"),
        id="region",
    ),
    pytest.param(
        header_form(authorization("AKIDEXAMPLE/20260102/us-east-1/iam/aws4_request")),
        SignatureDoesNotMatch,
        "Credential should be scoped to correct service: 'sts'.",
        marks=pytest.mark.facts("STS-SIG-T19", "STS-SIG-001"),
        id="service",
    ),
    pytest.param(
        header_form(authorization("AKIDEXAMPLE/20260102/us-east-1/sts/aws5_request")),
        SignatureDoesNotMatch,
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'.",
        marks=pytest.mark.facts("STS-SIG-T19", "STS-SIG-001"),
        id="terminator",
    ),
    pytest.param(
        header_form(authorization("AKIDEXAMPLE/2026-01-02/us-east-1/sts/aws4_request"), date="2026-01-02T03:04:05Z"),
        SignatureDoesNotMatch,
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        "'2026-01-02' != '20260102', from '20260102T030405Z'.",
        marks=pytest.mark.facts("STS-SIG-T15", "STS-SIG-T19"),
        id="extended date in scope",
    ),
]
QUERY_CASES = [
    pytest.param(
        query_form(X_Amz_Algorithm="AWS4-HMAC-SHA512"),
        MissingAuthenticationToken,
        "Request is missing Authentication Token",
        marks=pytest.mark.facts("STS-SIG-T11"),
        id="query algorithm",
    ),
    pytest.param(
        msgspec.structs.replace(GET, query="X-Amz-Algorithm=AWS4-HMAC-SHA256"),
        IncompleteSignature,
        "AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include "
        "'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string "
        "parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.",
        marks=pytest.mark.facts("STS-SIG-T13"),
        id="query nothing",
    ),
    pytest.param(
        query_form(X_Amz_Date=None),
        IncompleteSignature,
        "AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.",
        marks=pytest.mark.facts("STS-SIG-T13"),
        id="query no date",
    ),
    pytest.param(
        query_form(X_Amz_SignedHeaders="accept"),
        SignatureDoesNotMatch,
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        marks=pytest.mark.facts("STS-SIG-T14", "STS-SIG-008"),
        id="query host not signed",
    ),
    pytest.param(
        query_form(X_Amz_Date="2026-01-02T03:04:05Z"),
        IncompleteSignature,
        f"Date must be in ISO-8601 'basic format'. Got '2026-01-02T03:04:05Z'. {SEE}",
        marks=pytest.mark.facts("STS-SIG-T15"),
        id="query extended date",
    ),
    pytest.param(
        presigned(now=NOW - 901),
        SignatureDoesNotMatch,
        "Signature expired: 20260102T024904Z is now earlier than 20260102T024905Z (20260102T030405Z - 15 min.)",
        marks=pytest.mark.facts("STS-SIG-T16", "STS-SIG-018"),
        id="query too old",
    ),
    pytest.param(
        presigned(now=NOW + 901),
        SignatureDoesNotMatch,
        "Signature not yet current: 20260102T031906Z is still later than 20260102T031905Z (20260102T030405Z + 15 min.)",
        marks=pytest.mark.facts("STS-SIG-T17", "STS-SIG-018"),
        id="query too early",
    ),
    pytest.param(
        query_form(X_Amz_Credential="AKIDEXAMPLE"),
        IncompleteSignature,
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
        "got 'AKIDEXAMPLE'",
        marks=pytest.mark.facts("STS-SIG-T18"),
        id="query one part",
    ),
    pytest.param(
        query_form(X_Amz_Credential="AKIDEXAMPLE/20260102/mars-1/sts/aws4_request"),
        SignatureDoesNotMatch,
        "Credential should be scoped to a valid region, not 'mars-1'.",
        marks=pytest.mark.facts("STS-SIG-T19"),
        id="query region",
    ),
]


@pytest.mark.parametrize(("request_", "kind", "message"), HEADER_CASES + QUERY_CASES)
def test_a_failure_has_awss_code_and_text(request_: Request, kind: type[ServiceException], message: str) -> None:
    refused = refusal(request_)
    assert type(refused) is kind
    assert refused.message == message
    assert refused.status == (400 if kind is IncompleteSignature else 403)


@pytest.mark.facts("STS-SIG-T06", "STS-SIG-004", "STS-SIG-005")
@pytest.mark.parametrize(
    "request_",
    [POST, GET, with_headers(POST, x_amz_security_token="x"), query_form(X_Amz_Algorithm=None)],
)
def test_a_request_without_authentication_claims_nothing(request_: Request) -> None:
    assert read(request_) is None


# Each step of a ladder mends one more thing; the failure must move on to the next, in the order of sts.md 3.2.
LADDER = "AKIDEXAMPLE/20260103/mars-1/iam/x/y"
HEADER_LADDER = [
    (header_form("AWS3 Credential", date=None), "Unsupported AWS"),
    (header_form(f"AWS4-HMAC-SHA256 Credential={LADDER}, SignedHeaders", date=None), "not a valid key=value"),
    (header_form(f"AWS4-HMAC-SHA256 Credential={LADDER}, Signature=0", date="x"), "requires 'SignedHeaders'"),
    (header_form(authorization(LADDER, "accept"), date="x"), "'Host' or ':authority'"),
    (header_form(authorization(LADDER), date="x"), "Date must be"),
    (header_form(authorization(LADDER), date="20200102T030405Z"), "Signature expired"),
    (header_form(authorization(LADDER), date="20300102T030405Z"), "Signature not yet current"),
    (header_form(authorization(LADDER)), "Credential must have exactly 5"),
    (header_form(authorization("AKIDEXAMPLE/20260103/mars-1/iam/x")), "Credential should be scoped"),
    (header_form(authorization()), MISMATCH),
]
QUERY_LADDER = [
    (query_form(X_Amz_Algorithm="x", X_Amz_Date=None), "Request is missing"),
    (query_form(X_Amz_Credential=LADDER, X_Amz_Date=None, X_Amz_SignedHeaders="x"), "must include 'X-Amz-Date'"),
    (query_form(X_Amz_Credential=LADDER, X_Amz_Date="x", X_Amz_SignedHeaders="x"), "'Host' or ':authority'"),
    (query_form(X_Amz_Credential=LADDER, X_Amz_Date="x"), "Date must be"),
    (query_form(X_Amz_Credential=LADDER, X_Amz_Date="20200102T030405Z"), "Signature expired"),
    (query_form(X_Amz_Credential=LADDER), "Credential must have exactly 5"),
    (query_form(X_Amz_Credential="a/20260103/mars-1/iam/x"), "Credential should be scoped"),
    (query_form(X_Amz_Signature="0" * 64), MISMATCH),
]


@pytest.mark.parametrize(("request_", "message"), HEADER_LADDER + QUERY_LADDER)
def test_failures_come_in_the_recorded_order(request_: Request, message: str) -> None:
    assert message in refusal(request_, key=KEY).message


@pytest.mark.facts("STS-SIG-T05")
def test_both_forms_at_once_are_refused_before_anything_is_read() -> None:
    request = msgspec.structs.replace(header_form("AWS3", date=None), query="X-Amz-Algorithm=x")
    assert (type(refusal(request)), refusal(request).message) == (SignatureDoesNotMatch, "")


@pytest.mark.facts("STS-SIG-T09")
def test_the_last_of_repeated_authorization_parameters_wins() -> None:
    request = signed()
    header = request.header("authorization") or ""
    repeated = header.replace("Credential=", "Credential=x/y, Credential=").replace(
        "Signature=", f"Signature={'0' * 64}, Signature="
    )
    verify(require(with_headers(request, authorization=repeated)), KEY)
    spoiled = f"{header}, Signature={'0' * 64}"
    assert refusal(with_headers(request, authorization=spoiled), key=KEY).message == MISMATCH


def test_an_unknown_authorization_parameter_is_ignored() -> None:
    header = signed().header("authorization")
    verify(require(with_headers(signed(), authorization=f"{header}, Extra=1")), KEY)


@pytest.mark.facts("STS-SIG-006")
@pytest.mark.parametrize("separator", [", ", ",", " , ", ",  "])
def test_white_space_between_authorization_parameters_is_free(separator: str) -> None:
    request = signed()
    header = (request.header("authorization") or "").replace(", ", separator)
    verify(require(with_headers(request, authorization=header)), KEY)


@given(st.text(st.sampled_from("AWS4-HMAC-SHA256 Credential=,SignedHeaders=Signature=host;x-a/"), max_size=20))
def test_the_usual_spelling_and_the_long_way_read_the_same(text: str) -> None:
    header = f"AWS4-HMAC-SHA256 Credential={text}, SignedHeaders=host;{text}, Signature=abc"
    lines = {"authorization": header, "x-amz-date": "x"}

    def outcome(read_claims: Callable[..., Any]) -> object:
        try:
            claims, signature = read_claims(tuple(lines.items()), lines)
        except ServiceException as error:
            return type(error), error.message
        return claims.parts, claims.signed.text, signature

    assert outcome(sigv4_verify._header_claims) == outcome(sigv4_verify._unusual_claims)


@pytest.mark.facts("STS-SIG-T15")
def test_an_extended_date_in_the_header_is_signed_in_basic_format() -> None:
    request = signed()
    dated = with_headers(request, x_amz_date="2026-01-02T03:04:05Z")
    claims = require(dated)
    assert claims.timestamp == "20260102T030405Z"
    text = canonical_request(dated, claims.canonical_headers, claims.signed_headers.text, sha256(FORM).hexdigest())
    scope = "20260102/us-east-1/sts/aws4_request"
    right = KEY.sign(string_to_sign("20260102T030405Z", scope, text))
    verify(msgspec.structs.replace(claims, signature=right), KEY)
    assert "x-amz-date:2026-01-02T03:04:05Z\n" in claims.canonical_headers


@pytest.mark.facts("STS-SIG-006")
def test_the_date_header_serves_where_there_is_no_x_amz_date() -> None:
    request = header_form(authorization(names="date;host"), ("date", "20260102T030405Z"), date=None)
    assert require(request).timestamp == "20260102T030405Z"
    both = header_form(authorization(), ("date", "Fri, 02 Jan 2026 03:04:05 GMT"))
    assert require(both).timestamp == "20260102T030405Z"


@pytest.mark.facts("STS-SIG-018", "STS-SIG-T16", "STS-SIG-T17")
@pytest.mark.parametrize("make", [signed, presigned])
@pytest.mark.parametrize(("offset", "inside"), [(-901, False), (-900, True), (0, True), (900, True), (901, False)])
def test_the_window_is_fifteen_minutes_either_way(make: Callable[..., Request], offset: int, inside: bool) -> None:
    request = make(now=NOW)
    if inside:
        verify(require(request, now=NOW + offset + 0.9), KEY)
    else:
        assert "Signature " in refusal(request, now=NOW + offset).message


@pytest.mark.facts("STS-SIG-010")
@pytest.mark.parametrize("expires", [0, 1, 60, 604800])
def test_the_expiry_of_a_presigned_request_is_ignored(expires: int) -> None:
    request = presign(GET, CREDENTIALS, service="sts", region="us-east-1", now=NOW, expires=expires)
    verify(require(request, now=NOW + 900), KEY)
    assert "expired" in refusal(request, now=NOW + 901).message


@pytest.mark.facts("STS-SIG-012", "STS-SIG-013")
@pytest.mark.parametrize("request_", [signed(), presigned(), signed(credentials=SESSION)])
def test_the_same_request_verifies_again_and_again(request_: Request) -> None:
    for later in (0, 1, 899):
        verify(require(request_, now=NOW + later), KEY)


@pytest.mark.facts("STS-SIG-011", "STS-SIG-009")
def test_a_kubernetes_token_verifies_when_it_is_replayed() -> None:
    made = presigned(with_headers(GET, x_k8s_aws_id="my-cluster"), SESSION)
    url = f"https://{HOST}/?{made.query}"
    token = "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
    assert len(token) <= 4096
    replayed = urlsplit(base64.urlsafe_b64decode(token.removeprefix("k8s-aws-v1.") + "=="))
    lines = (("host", HOST), ("x-k8s-aws-id", "my-cluster"), ("accept", "application/json"))
    request = Request("GET", "/", replayed.query.decode(), lines)
    assert verify(require(request), KEY).claims.session_token == "SESSION/TOKEN+EXAMPLE=="
    assert refusal(with_headers(request, x_k8s_aws_id="other"), key=KEY).message == MISMATCH
    assert refusal(with_headers(request, x_k8s_aws_id=None), key=KEY).status == 403


@pytest.mark.facts("STS-SIG-015")
@pytest.mark.parametrize("request_", [signed(credentials=SESSION), presigned(credentials=SESSION)])
def test_a_session_token_is_read_and_covered_by_the_signature(request_: Request) -> None:
    assert verify(require(request_), KEY).claims.session_token == "SESSION/TOKEN+EXAMPLE=="
    if request_.query:
        changed = with_query(request_, X_Amz_Security_Token="OTHER")
        dropped = with_query(request_, X_Amz_Security_Token=None)
    else:
        changed = with_headers(request_, x_amz_security_token="OTHER")
        dropped = with_headers(request_, x_amz_security_token=None)
    assert refusal(changed, key=KEY).message == MISMATCH
    assert refusal(dropped, key=KEY).status == 403


@pytest.mark.facts("STS-SIG-T23", "STS-SIG-019", "STS-SIG-020", "STS-SIG-025")
@pytest.mark.parametrize("request_", [signed(), presigned()])
@pytest.mark.parametrize("signature", ["", "0" * 64, "é" * 64, "Ā", "right-upper", "right-cut"])
def test_another_signature_is_a_mismatch(request_: Request, signature: str) -> None:
    claims = require(request_)
    signature = {"right-upper": claims.signature.upper(), "right-cut": claims.signature[:-1]}.get(signature, signature)
    with pytest.raises(SignatureDoesNotMatch) as refused:
        verify(msgspec.structs.replace(claims, signature=signature), KEY)
    assert refused.value.message == MISMATCH
    assert refused.value.status == 403


@pytest.mark.facts("STS-SIG-T23")
def test_another_key_is_a_mismatch() -> None:
    for wrong in (
        signing_key(Secret("other"), "20260102", "us-east-1", "sts"),
        signing_key(SECRET, "20260101", "us-east-1", "sts"),
        signing_key(SECRET, "20260102", "us-east-2", "sts"),
        signing_key(SECRET, "20260102", "us-east-1", "iam"),
    ):
        assert refusal(signed(), key=wrong).message == MISMATCH


@pytest.mark.facts("STS-SIG-001")
def test_the_scope_names_the_service_that_the_request_was_routed_to() -> None:
    request = sign(POST, CREDENTIALS, service="iam", region="eu-west-1", now=NOW)
    claims = read(request, service="iam")
    assert claims is not None
    assert (claims.service, claims.region, claims.key_id) == ("iam", "eu-west-1", "AKIDEXAMPLE")
    verify(claims, signing_key(SECRET, "20260102", "eu-west-1", "iam"))
    with pytest.raises(SignatureDoesNotMatch, match="'sts'"):
        read(request)


SOURCES = [signed(msgspec.structs.replace(POST, query="a=1&b=2")), presigned(msgspec.structs.replace(GET, body=FORM))]


@pytest.mark.facts("R22")
@pytest.mark.parametrize("request_", SOURCES)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"method": "PUT"}, id="method"),
        pytest.param({"path": "/other"}, id="path"),
        pytest.param({"path": "/%2f"}, id="escaped path"),
        pytest.param({"body": FORM + b"&a=1"}, id="body"),
        pytest.param({"body": b""}, id="no body"),
    ],
)
def test_a_signature_cannot_be_moved(request_: Request, change: dict[str, str | bytes]) -> None:
    verify(require(request_), KEY)
    assert refusal(msgspec.structs.replace(request_, **change), key=KEY).message == MISMATCH


@pytest.mark.facts("R22")
@pytest.mark.parametrize("request_", SOURCES)
def test_a_signature_cannot_be_moved_to_another_host(request_: Request) -> None:
    assert refusal(with_headers(request_, host="evil.example"), key=KEY).message == MISMATCH


@pytest.mark.facts("R22")
@pytest.mark.parametrize("request_", SOURCES)
@pytest.mark.parametrize("added", ["c=3", "a=1", "a", "Action=AssumeRole"])
def test_a_signature_cannot_be_moved_to_another_query(request_: Request, added: str) -> None:
    longer = msgspec.structs.replace(request_, query=f"{request_.query}&{added}")
    assert refusal(longer, key=KEY).message == MISMATCH


@pytest.mark.facts("R22")
def test_parameters_cannot_move_between_query_and_body() -> None:
    request = signed(msgspec.structs.replace(POST, query="a=1"))
    moved = msgspec.structs.replace(request, query="", body=FORM + b"&a=1")
    assert refusal(moved, key=KEY).message == MISMATCH
    request = presigned()
    moved = msgspec.structs.replace(request, query=request.query.replace(f"{FORM.decode()}&", ""), body=FORM)
    assert refusal(moved, key=KEY).message == MISMATCH


@pytest.mark.facts("R22")
def test_a_blank_and_a_plus_are_not_the_same_query() -> None:
    request = signed(msgspec.structs.replace(POST, query="a=b%20c"))
    verify(require(msgspec.structs.replace(request, query="a=b+c")), KEY)
    assert refusal(msgspec.structs.replace(request, query="a=b%2Bc"), key=KEY).message == MISMATCH


@pytest.mark.facts("R18", "STS-SIG-014")
@pytest.mark.parametrize("announced", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "", "0" * 64])
def test_no_payload_goes_unsigned(announced: str) -> None:
    request = signed(with_headers(POST, x_amz_content_sha256=announced))
    assert refusal(request, key=KEY).message == MISMATCH
    claims = require(request)
    text = canonical_request(request, claims.canonical_headers, claims.signed_headers.text, announced)
    scope = "20260102/us-east-1/sts/aws4_request"
    signature = KEY.sign(string_to_sign(claims.timestamp, scope, text))
    with pytest.raises(SignatureDoesNotMatch, match="does not match"):
        verify(msgspec.structs.replace(claims, signature=signature), KEY)


@pytest.mark.facts("STS-SIG-014")
def test_the_bodys_own_hash_may_be_announced() -> None:
    digest = sha256(FORM).hexdigest()
    verify(require(signed(with_headers(POST, x_amz_content_sha256=digest))), KEY)


@pytest.mark.facts("R18")
@pytest.mark.parametrize(
    "name",
    [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
    ],
)
def test_no_authentication_parameter_beside_a_signed_header(name: str) -> None:
    request = signed(msgspec.structs.replace(POST, query=f"{name}=x"))
    assert (type(refusal(request)), refusal(request).message) == (SignatureDoesNotMatch, "")


@pytest.mark.facts("R18")
def test_a_presigned_request_takes_no_session_token_from_a_header() -> None:
    request = with_headers(query_form(X_Amz_SignedHeaders="host;x-amz-security-token"), x_amz_security_token="x")
    refused = refusal(request)
    assert type(refused) is SignatureDoesNotMatch
    assert refused.message == "A presigned request must not carry an 'X-Amz-Security-Token' header."


@pytest.mark.facts("R19")
@pytest.mark.parametrize("make", [signed, presigned])
@pytest.mark.parametrize("name", ["x-amz-security-token", "x-amz-target", "x-amz-x", "x-amz-content-sha256"])
def test_an_x_amz_header_that_is_not_signed_is_refused(make: Callable[..., Request], name: str) -> None:
    request = make()
    spoiled = msgspec.structs.replace(request, headers=(*request.headers, (name, "x")))
    refused = refusal(spoiled)
    assert type(refused) is SignatureDoesNotMatch
    assert name in refused.message.lower()


@pytest.mark.facts("R19")
def test_an_unsigned_x_amz_header_is_found_beside_signed_ones() -> None:
    made = signed(with_headers(POST, x_amz_a="1", not_x_amz_b="2"))
    for name in ("x-amz-x-amz-", "x-amz-"):
        request = msgspec.structs.replace(made, headers=(*made.headers, (name, "x")))
        assert f"'{name}'" in refusal(request).message
    verify(require(with_headers(made, x_amzn_trace_id="Root=1", via_x_amz_proxy="p")), KEY)


@pytest.mark.facts("STS-SIG-009")
def test_extra_signed_headers_are_verified() -> None:
    request = signed(with_headers(POST, x_vault_aws_iam_server_id="vault.example.com"))
    verify(require(request), KEY)
    assert refusal(with_headers(request, x_vault_aws_iam_server_id="evil"), key=KEY).message == MISMATCH
    missing = refusal(with_headers(request, x_vault_aws_iam_server_id=None))
    assert missing.message == "The signed header 'x-vault-aws-iam-server-id' is not in the request."


@pytest.mark.facts("R20")
@pytest.mark.parametrize("name", ["authorization", "host", "x-amz-date", "x-amz-security-token", "x-amz-x"])
@pytest.mark.parametrize("same", [True, False])
def test_a_repeated_header_is_refused(name: str, same: bool) -> None:
    request = signed(with_headers(POST, x_amz_x="1"), SESSION)
    value = request.header(name) if same else "x"
    repeated = msgspec.structs.replace(request, headers=(*request.headers, (name, value)))
    refused = refusal(repeated)
    assert (type(refused), refused.message) == (
        SignatureDoesNotMatch,
        f"The request must not repeat the header '{name}'.",
    )


@pytest.mark.facts("R20")
@pytest.mark.parametrize("name", ["host", "x-amz-x"])
def test_a_repeated_header_is_refused_in_a_presigned_request(name: str) -> None:
    request = presigned(with_headers(GET, x_amz_x="1"))
    repeated = msgspec.structs.replace(request, headers=(*request.headers, (name, "x")))
    assert refusal(repeated).message == f"The request must not repeat the header '{name}'."


def test_the_first_of_two_authorization_headers_names_the_algorithm() -> None:
    request = msgspec.structs.replace(signed(), headers=(("authorization", "Basic x"), *signed().headers))
    assert refusal(request).message == "Unsupported AWS 'algorithm': 'Basic'."


def test_other_headers_may_repeat_and_are_joined() -> None:
    request = signed(msgspec.structs.replace(POST, headers=(*POST.headers, ("x-a", "1"), ("x-a", "2"))))
    claims = require(request)
    assert "x-a:1,2\n" in claims.canonical_headers
    verify(claims, KEY)


@pytest.mark.facts("R20")
@pytest.mark.parametrize("name", ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature", "X-Amz-Foo"])
@pytest.mark.parametrize("first", [True, False])
def test_a_repeated_query_parameter_is_refused(name: str, first: bool) -> None:
    request = presigned(msgspec.structs.replace(GET, query="X-Amz-Foo=1"))
    value = quote(dict(parse_form(request.query))[name], safe="")
    query = f"{name}={value}&{request.query}" if first else f"{request.query}&{name.replace('-', '%2D')}={value}"
    refused = refusal(msgspec.structs.replace(request, query=query))
    assert (type(refused), refused.message) == (
        SignatureDoesNotMatch,
        f"The query string must not repeat '{name}'.",
    )


@pytest.mark.facts("R20")
def test_query_parameter_names_are_exact() -> None:
    request = presigned()
    assert (
        read(msgspec.structs.replace(request, query=request.query.replace("X-Amz-Algorithm", "x-amz-algorithm")))
        is None
    )


@pytest.mark.facts("R23")
def test_only_the_constant_time_comparison_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[object, object]] = []

    def spy(one: object, other: object) -> bool:
        compared.append((one, other))
        return True

    right = require(signed()).signature
    monkeypatch.setattr(sigv4_verify, "compare_digest", spy)
    verify(msgspec.structs.replace(require(signed()), signature="0" * 64), KEY)
    assert compared == [(right, "0" * 64)]


def test_the_authorization_header_is_bounded() -> None:
    header = authorization(credential="a" * MAX_AUTHORIZATION)
    assert "longer than" in refusal(header_form(header)).message
    names = "host;" + "a" * MAX_SIGNED_HEADERS
    assert "longer than" in refusal(header_form(authorization(names=names))).message
    assert "longer than" in refusal(query_form(X_Amz_SignedHeaders=names)).message


@pytest.mark.parametrize(("part", "text"), [("path", "/Ā"), ("method", "Ā"), ("x-a", "Ā"), ("x-a", "Ā  Ā")])
def test_text_that_no_bytes_stand_for_is_a_mismatch(part: str, text: str) -> None:
    request = signed(with_headers(POST, x_a="1"))
    changed = with_headers(request, x_a=text) if part == "x-a" else msgspec.structs.replace(request, **{part: text})
    assert refusal(changed, key=KEY).message == MISMATCH


LINE = st.tuples(
    st.sampled_from(["host", "authorization", "x-amz-date", "date", "x-amz-security-token", "x-a"]),
    st.sampled_from([authorization(), authorization(names="x-a"), "20260102T030405Z", "x", ""])
    | st.text(st.characters(max_codepoint=0x17F), max_size=30),
)
PIECE = st.sampled_from(
    [*presigned().query.split("&"), "X-Amz-Signature=%C3%A9", "X-Amz-SignedHeaders=host%0Ax", "%", "a=Ā"]
)


@given(
    st.lists(LINE, max_size=6),
    st.lists(PIECE, max_size=9),
    st.text(max_size=9),
    st.binary(max_size=9),
    st.text(max_size=5),
)
def test_any_request_verifies_or_fails_with_a_declared_error(
    headers: list[tuple[str, str]], pieces: list[str], path: str, body: bytes, method: str
) -> None:
    request = Request(method, path, "&".join(pieces), tuple(headers), body)
    try:
        claims = read(request)
        if claims is not None:
            verify(claims, KEY)
    except (SignatureDoesNotMatch, IncompleteSignature, MissingAuthenticationToken, MalformedQueryString):
        return
