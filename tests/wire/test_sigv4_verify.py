"""What a signed request claims: the spellings that are read, the stricter rules, and the attacks on a signature."""

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
from locum.http import Request
from locum.secret import Secret
from locum.wire import sigv4_verify
from locum.wire.form import parse_form
from locum.wire.sigv4 import Credentials, canonical_request, presign, sign, signing_key, string_to_sign
from locum.wire.sigv4_verify import MAX_AUTHORIZATION, MAX_SIGNED_HEADERS, Authentication, read_authentication, verify

from .signed_requests import (
    CREDENTIALS,
    FORM,
    GET,
    HOST,
    KEY,
    MISMATCH,
    NOW,
    POST,
    SECRET,
    authorization,
    header_form,
    presigned,
    query_form,
    refusal,
    require,
    signed,
    with_query,
)

SESSION = Credentials("ASIAIOSFODNN7EXAMPLE", SECRET, Secret("SESSION/TOKEN+EXAMPLE=="))


def read(request: Request, *, now: float = NOW, service: str = "sts") -> Authentication | None:
    return read_authentication(
        request, parse_form(request.query), service=service, regions=("us-east-1", "eu-west-1"), now=now
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


@pytest.mark.facts("STS-SIG-T06", "STS-SIG-004", "STS-SIG-005")
@pytest.mark.parametrize(
    "request_",
    [POST, GET, with_headers(POST, x_amz_security_token="x"), query_form(X_Amz_Algorithm=None)],
)
def test_a_request_without_authentication_claims_nothing(request_: Request) -> None:
    assert read(request_) is None


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
