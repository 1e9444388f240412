"""Each step of Signature Version 4 against stored vectors and against botocore, and the signing end."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any
from urllib.parse import quote

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from locum.http import Headers, Request
from locum.secret import Secret
from locum.wire.form import parse_form
from locum.wire.sigv4 import (
    Credentials,
    SignedHeaders,
    SigningKeys,
    basic_time,
    canonical_path,
    canonical_query,
    canonical_request,
    credential_scope,
    presign,
    sign,
    signing_key,
    string_to_sign,
)
from locum.wire.sigv4_verify import Authentication, Verified, read_authentication, verify

VECTORS = Path(__file__).parents[1] / "vectors" / "sigv4"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "SESSION/TOKEN+EXAMPLE=="
NOW = 1767323045.0  # 20260102T030405Z
TIMESTAMP = "20260102T030405Z"
SCOPE = "20260102/us-east-1/sts/aws4_request"
HOST = "sts.us-east-1.amazonaws.com"
KEY = signing_key(Secret(SECRET), "20260102", "us-east-1", "sts")


def load(name: str) -> Request:
    head, _, body = (VECTORS / name / "request").read_text().partition("\n\n")
    first, *lines = head.split("\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    headers = tuple((n.lower(), v) for n, _, v in (line.partition(": ") for line in lines))
    return Request(method, path, query, headers, body.encode())


def step(name: str, of: str) -> str:
    return (VECTORS / name / of).read_text()


def read(request: Request, *, now: float = NOW) -> Authentication:
    found = read_authentication(
        request, parse_form(request.query), service="sts", regions=frozenset({"us-east-1"}), now=now
    )
    assert found is not None
    return found


def canonical(request: Request, names: SignedHeaders, payload: str) -> str:
    return canonical_request(request, names.canonical(request.lines), names.text, payload)


NAMES = [
    pytest.param("post-key", marks=pytest.mark.facts("STS-SIG-027", "STS-SIG-001", "STS-SIG-006", "STS-SIG-014")),
    pytest.param("post-session", marks=pytest.mark.facts("STS-SIG-028", "STS-SIG-015")),
    pytest.param("presigned-key", marks=pytest.mark.facts("STS-SIG-029", "STS-SIG-007", "STS-SIG-014")),
    pytest.param("presigned-k8s-session", marks=pytest.mark.facts("STS-SIG-030", "STS-SIG-009", "STS-SIG-015")),
]


@pytest.mark.parametrize("name", NAMES)
def test_canonical_request_of_the_vector(name: str) -> None:
    claims = read(load(name))
    payload = step(name, "canonical").rsplit("\n", 1)[1]
    assert canonical(claims.request, claims.signed_headers, payload) == step(name, "canonical")


@pytest.mark.parametrize("name", NAMES)
def test_string_to_sign_of_the_vector(name: str) -> None:
    assert string_to_sign(TIMESTAMP, SCOPE, step(name, "canonical")) == step(name, "string_to_sign")
    assert credential_scope("20260102", "us-east-1", "sts") == SCOPE


@pytest.mark.parametrize("name", NAMES)
def test_signature_of_the_vector(name: str) -> None:
    assert KEY.sign(step(name, "string_to_sign")) == step(name, "signature")


@pytest.mark.parametrize("name", NAMES)
def test_the_vector_verifies(name: str) -> None:
    claims = read(load(name))
    assert claims.signature == step(name, "signature")
    assert claims.session_token == (TOKEN if "session" in name else None)
    assert claims.presigned is name.startswith("presigned")
    assert verify(claims, KEY) == Verified(claims)


@pytest.mark.parametrize("name", NAMES)
def test_signing_makes_the_vector(name: str) -> None:
    vector = load(name)
    token = Secret(TOKEN) if "session" in name else None
    credentials = Credentials(read(vector).key_id, Secret(SECRET), token)
    if name.startswith("presigned"):
        bare = msgspec.structs.replace(vector, query="Action=GetCallerIdentity&Version=2011-06-15")
        made = presign(bare, credentials, service="sts", region="us-east-1", now=NOW, expires=60)
    else:
        bare = msgspec.structs.replace(vector, headers=vector.headers[:2])
        made = sign(bare, credentials, service="sts", region="us-east-1", now=NOW)
    assert made == vector


VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
PATHS = st.lists(st.sampled_from(["/", "a", "b.c", "..", ".", "%20", "%2F", "~", "-_", "$&+,:;=@", "(*)"]), max_size=8)
PIECES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Z"]), max_size=6)
QUERIES = st.lists(st.tuples(PIECES, PIECES), max_size=6)
NAME = st.text(string.ascii_lowercase + string.digits + "-_", min_size=1, max_size=6).map("x-h-".__add__)
HEADERS = st.dictionaries(NAME, st.text(" \tab,;:=%~", max_size=12).map(str.strip), max_size=4)
SECRETS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)


def encode(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)


def oracle(request: Request, credentials: Credentials, *, presigned: bool) -> tuple[Request, str, str, str]:
    """botocore's signed request and its steps, for the same request and time."""
    kind = botocore.auth.SigV4QueryAuth if presigned else botocore.auth.SigV4Auth
    token = credentials.session_token
    theirs = botocore.credentials.Credentials(
        credentials.access_key_id, credentials.secret_access_key.reveal(), None if token is None else token.reveal()
    )
    auth: Any = kind(theirs, "sts", "us-east-1", **({"expires": 900} if presigned else {}))
    url = f"https://{HOST}{request.path}" + (f"?{request.query}" if request.query else "")
    headers = {name: value for name, value in request.headers if name != "host"}
    made: Any = botocore.awsrequest.AWSRequest(method=request.method, url=url, headers=headers, data=request.body)
    made.context["timestamp"] = TIMESTAMP
    if presigned:
        made.data = b""
    auth._modify_request_before_signing(made)
    made.data = request.body
    canonical = auth.canonical_request(made)
    text = auth.string_to_sign(made, canonical)
    signature = auth.signature(text, made)
    auth._inject_signature_to_request(made, signature)
    lines: Headers = (("host", HOST), *((name.lower(), value) for name, value in made.headers.items()))
    query = made.url.partition("?")[2]
    return msgspec.structs.replace(request, query=query, headers=lines), canonical, text, signature


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    path=PATHS.map(lambda parts: "/" + "".join(parts)),
    pairs=QUERIES,
    headers=HEADERS,
    body=st.binary(max_size=80),
    secret=SECRETS,
    token=st.none() | st.text(string.printable.strip(), min_size=1, max_size=30),
    presigned=st.booleans(),
)
@pytest.mark.facts("STS-SIG-016", "STS-SIG-009", "STS-W-003")
def test_every_step_equals_botocores_and_both_ends_understand_each_other(
    method: str,
    path: str,
    pairs: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    secret: str,
    token: str | None,
    presigned: bool,
) -> None:
    if presigned:  # botocore's presigning keeps one value of each name
        pairs = list(dict(pairs).items())
    request = Request(method, path, encode(pairs), (("host", HOST), *headers.items()), body)
    credentials = Credentials("AKIDEXAMPLE", Secret(secret), None if token is None else Secret(token))
    key = signing_key(Secret(secret), "20260102", "us-east-1", "sts")
    theirs, their_canonical, their_text, their_signature = oracle(request, credentials, presigned=presigned)

    claims = read(theirs)
    payload = their_canonical.rsplit("\n", 1)[1]
    assert canonical(theirs, claims.signed_headers, payload) == their_canonical
    assert string_to_sign(TIMESTAMP, SCOPE, their_canonical) == their_text
    assert key.sign(their_text) == their_signature
    verify(claims, key)

    make = presign if presigned else sign
    ours = make(request, credentials, service="sts", region="us-east-1", now=NOW)
    assert read(ours).signature == their_signature
    verify(read(ours), key)


@given(QUERIES, st.sampled_from(["quote", "form", "raw"]))
@example([("a", "2"), ("a-b", "1"), ("a", "1")], "quote")
@example([("a", "b=c"), ("", "x")], "raw")
def test_a_query_has_one_canonical_form_however_it_was_spelled(pairs: list[tuple[str, str]], spelling: str) -> None:
    spelled = encode(pairs)
    if spelling == "form":
        spelled = spelled.replace("%20", "+")
    elif spelling == "raw":
        spelled = spelled.replace("%3D", "%3d").replace("%3A", ":").replace("-", "%2D").replace("%2C", ",")
    encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs)
    expected = "&".join(f"{name}={value}" for name, value in encoded)
    assert canonical_query(spelled) == expected
    assert canonical_query(canonical_query(spelled)) == expected


@given(QUERIES, QUERIES)
def test_queries_that_read_differently_never_share_a_canonical_form(
    one: list[tuple[str, str]], other: list[tuple[str, str]]
) -> None:
    assert (canonical_query(encode(one)) == canonical_query(encode(other))) is (sorted(one) == sorted(other))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ""),
        ("b&a", "a=&b="),
        ("a=1&&b=2&", "a=1&b=2"),
        ("a=b=c", "a=b%3Dc"),
        ("a=b+c", "a=b%20c"),
        ("a=b%2Bc", "a=b%2Bc"),
        ("a=%7e", "a=~"),
        ("a=%c3%a9", "a=%C3%A9"),
        ("a=\xc3\xa9", "a=%C3%A9"),
        ("z=1&X-Amz-Signature=00&Y=1", "Y=1&z=1"),
        ("a=*&X%2DAmz-Signature=00", "a=%2A"),
    ],
)
def test_canonical_query(query: str, expected: str) -> None:
    assert canonical_query(query) == expected


def test_every_escape_has_one_canonical_spelling() -> None:
    for code in range(0x80):
        expected = quote(chr(code), safe="-_.~")
        assert canonical_query(f"a=%{code:02X}") == canonical_query(f"a=%{code:02x}") == f"a={expected}"
    for code in range(0x80, 0x800):
        expected = quote(chr(code))
        assert canonical_query(f"a={expected}") == canonical_query(f"a={expected.lower()}") == f"a={expected}"


@pytest.mark.facts("STS-SIG-016")
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "/"),
        ("", "/"),
        ("//a///b/", "/a/b/"),
        ("/a/./b/../c", "/a/c"),
        ("/../..", "/"),
        ("/a%20b", "/a%2520b"),
        ("/a~b", "/a~b"),
        ("/\xe9", "/%E9"),
    ],
)
def test_canonical_path(path: str, expected: str) -> None:
    assert canonical_path(path) == expected


def test_header_values_are_trimmed_and_their_blanks_collapsed() -> None:
    signed = SignedHeaders(["X-B", "x-a", "x-a", "x-100%"])
    lines = Request("GET", "/", "", (("x-b", "1  2\t 3"), ("x-a", "b"), ("x-100%", "%s"), ("x-a", "a"))).lines
    assert signed.text == "x-100%;x-a;x-b"
    assert signed.canonical(lines) == "x-100%:%s\nx-a:b,a\nx-b:1 2 3\n"


def test_a_line_break_in_a_value_makes_no_second_header() -> None:
    assert SignedHeaders(["host", "x-a"]).canonical({"host": "h", "x-a": "1\nx-b:2"}) == "host:h\nx-a:1 x-b:2\n"


def test_bytes_beyond_ascii_are_not_white_space() -> None:
    assert SignedHeaders(["x-a"]).canonical({"x-a": "Ã\xa0  Ã\xa0"}) == "x-a:Ã\xa0 Ã\xa0\n"


def test_signing_again_replaces_the_first_signature() -> None:
    request = Request("POST", "/", "", (("host", HOST),), b"Action=GetCallerIdentity&Version=2011-06-15")
    first = Credentials("ASIAIOSFODNN7EXAMPLE", Secret(SECRET), Secret(TOKEN))
    second = Credentials("AKIDEXAMPLE", Secret(SECRET))
    once = sign(request, second, service="sts", region="us-east-1", now=NOW)
    twice = sign(
        sign(request, first, service="sts", region="us-east-1", now=NOW - 60),
        second,
        service="sts",
        region="us-east-1",
        now=NOW,
    )
    assert twice == once


def test_headers_that_change_on_the_way_are_not_signed() -> None:
    request = Request("POST", "/", "", (("host", HOST), ("user-agent", "x"), ("x-amzn-trace-id", "1"), ("te", "t")))
    signed = sign(request, Credentials("AKIDEXAMPLE", Secret(SECRET)), service="sts", region="us-east-1", now=NOW)
    assert read(signed).signed_headers.text == "host;x-amz-date"


@pytest.mark.parametrize("make", [sign, presign])
def test_a_request_without_a_host_is_not_signed(make: Any) -> None:
    with pytest.raises(ValueError, match="host"):
        make(Request("GET", "/", "", ()), Credentials("A", Secret("s")), service="sts", region="us-east-1", now=NOW)


def test_signing_keys_are_remembered_by_secret_day_region_and_service() -> None:
    keys = SigningKeys(capacity=2)
    first = keys(Secret(SECRET), "20260102", "us-east-1", "sts")
    assert keys(Secret(SECRET), "20260102", "us-east-1", "sts") is first
    text = "text"
    others = [
        keys(Secret(SECRET + "x"), "20260102", "us-east-1", "sts"),
        keys(Secret(SECRET), "20260103", "us-east-1", "sts"),
        keys(Secret(SECRET), "20260102", "us-east-2", "sts"),
        keys(Secret(SECRET), "20260102", "us-east-1", "iam"),
    ]
    assert len({key.sign(text) for key in [first, *others]}) == 5
    assert keys(Secret(SECRET), "20260102", "us-east-1", "sts") is not first
    assert keys(Secret(SECRET), "20260102", "us-east-1", "sts").sign(text) == first.sign(text)


def test_secrets_do_not_print() -> None:
    credentials = Credentials("ASIAIOSFODNN7EXAMPLE", Secret(SECRET), Secret(TOKEN))
    shown = f"{credentials!r} {KEY!r} {read(load('post-session'))!r} {verify(read(load('post-session')), KEY)!r}"
    assert "wJalr" not in shown
    assert "TOKEN" not in shown
    assert "AWS4" not in shown


def test_basic_time() -> None:
    assert basic_time(NOW + 0.9) == TIMESTAMP
