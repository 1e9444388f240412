"""Requests whose signature cannot be read: every failure with AWS's code and text, and in AWS's order."""

from __future__ import annotations

import msgspec
import pytest

from locum.errors import IncompleteSignature, MissingAuthenticationToken, ServiceException, SignatureDoesNotMatch
from locum.http import Request

from .signed_requests import (
    GET,
    KEY,
    MISMATCH,
    NOW,
    POST,
    authorization,
    header_form,
    presigned,
    query_form,
    refusal,
    signed,
)

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
