"""The ASGI edge: what arrives of a request, and what is believed of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locum.api import sts
from locum.api.iam import access_keys, users
from locum.http import Request
from locum.wire.answer import decode_response
from locum.wire.sigv4 import Credentials, presign, sign

from .conftest import ACCOUNT, HOST, document
from .edge import FORM, MOST, PEER, QUERY, WHO, Edge, account_of, code_of, pieces

# The host (R45)

PUBLIC = {"public_url": "https://sts.example.com"}
WIDE = {"host": "0.0.0.0", "tls_terminated": "true"}


@pytest.mark.facts("R45", "R21")
@pytest.mark.parametrize(
    ("given", "host", "answered"),
    [
        ({}, "127.0.0.1:8380", True),
        ({}, "localhost:8380", True),
        ({}, "LocalHost:8380", True),
        ({}, "[::1]:8380", True),
        ({}, "127.0.0.1", False),
        ({}, "127.0.0.1:80", False),
        ({}, "127.0.0.1:8380.evil.example", False),
        ({}, "127.0.0.1:08380", False),
        ({}, "evil.example:8380", False),
        ({}, "evil.example,127.0.0.1:8380", False),
        ({}, "user@127.0.0.1:8380", False),
        ({}, "", False),
        ({}, "0.0.0.0:8380", False),
        ({"port": 443}, "localhost", True),
        ({"port": 443}, "localhost:443", True),
        ({"port": 443}, "localhost:8380", False),
        ({"port": 80}, "localhost", True),
        ({"port": 9000}, "localhost:9000", True),
        ({"port": 9000}, "localhost", False),
        ({"host": "192.0.2.5", "tls_terminated": "true"}, "192.0.2.5:8380", True),
        ({"host": "192.0.2.5", "tls_terminated": "true"}, "192.0.2.6:8380", False),
        ({"host": "2001:db8::5", "tls_terminated": "true"}, "[2001:db8::5]:8380", True),
        ({"host": "2001:db8::5", "tls_terminated": "true"}, "2001:db8::5:8380", False),
        (WIDE, "0.0.0.0:8380", False),
        (WIDE, "10.1.2.3:8380", False),
        (WIDE, "localhost:8380", True),
        (PUBLIC, "sts.example.com", True),
        (PUBLIC, "STS.example.com", True),
        (PUBLIC, "sts.example.com:443", True),
        (PUBLIC, "sts.example.com:80", False),
        (PUBLIC, "sts.example.com:8380", False),
        (PUBLIC, "evil-sts.example.com", False),
        (PUBLIC, "sts.example.com.evil.example", False),
        ({"public_url": "https://sts.example.com:443"}, "sts.example.com", True),
        ({"public_url": "https://sts.example.com:443"}, "sts.example.com:443", True),
        ({"public_url": "http://sts.example.com"}, "sts.example.com:80", True),
        ({"public_url": "http://sts.example.com"}, "sts.example.com:443", False),
        ({"public_url": "https://sts.example.com:8443"}, "sts.example.com:8443", True),
        ({"public_url": "https://sts.example.com:8443"}, "sts.example.com", False),
        ({"public_url": "https://[2001:db8::1]"}, "[2001:db8::1]", True),
        ({"public_url": "https://[2001:db8::1]"}, "[2001:db8::1]:443", True),
        ({"public_url": "https://[2001:db8::443]:443"}, "[2001:db8::443]", True),
        ({"allowed_host": "sts.internal,Sts.Other:9000"}, "sts.internal", True),
        ({"allowed_host": "sts.internal,Sts.Other:9000"}, "sts.other:9000", True),
        ({"allowed_host": "sts.internal,Sts.Other:9000"}, "sts.other", False),
    ],
)
def test_only_requests_to_the_servers_own_names_are_answered(
    tmp_path: Path, given: dict[str, str], host: str, answered: bool
) -> None:
    edge = Edge(tmp_path, **given)
    for path in ("/", "/health/live"):
        answer = edge.get(path, headers=(("host", host),))
        assert (answer.status != 400) == answered
    request = Request("POST", "/", "", (("host", host), FORM), QUERY.encode())
    answer = edge.send(sign(request, edge.root, service="sts", region="us-east-1", now=edge.now))
    if answered:
        assert account_of(answer) == ACCOUNT
    else:
        assert answer.status == 400
        assert answer.headers["content-type"].startswith("text/plain")
        assert "--allowed-host" in answer.text
    edge.lifespan("shutdown")


@pytest.mark.facts("R45")
@pytest.mark.parametrize("headers", [(), (("host", HOST), ("host", HOST)), (("host", HOST), ("host", "evil.example"))])
def test_a_request_without_one_host_is_refused(edge: Edge, headers: tuple[tuple[str, str], ...]) -> None:
    answer = edge.get("/health/live", headers=headers)
    assert (answer.status, answer.text) == (400, "exactly one Host header is needed\n")


@pytest.mark.facts("R45")
def test_a_forwarded_host_changes_nothing(edge: Edge) -> None:
    headers = (("host", "evil.example"), ("x-forwarded-host", HOST), ("forwarded", f"host={HOST}"))
    assert edge.get("/health/live", headers=headers).status == 400


# Bounds on headers and body


def test_headers_are_bounded_in_number(edge: Edge) -> None:
    many = tuple((f"x-{number}", "") for number in range(99))
    assert edge.get("/health/live", headers=(("host", HOST), *many)).status == 200
    answer = edge.get("/health/live", headers=(("host", HOST), *many, ("x", "")))
    assert (answer.status, answer.text) == (400, "too many headers\n")


def test_headers_are_bounded_in_size(edge: Edge) -> None:
    room = 32_768 - len(f"host{HOST}x")
    assert edge.get("/health/live", headers=(("host", HOST), ("x", "a" * room))).status == 200
    answer = edge.get("/health/live", headers=(("host", HOST), ("x", "a" * (room + 1))))
    assert (answer.status, answer.text) == (400, "too large headers\n")


def test_a_nul_in_a_header_cannot_shift_the_others(edge: Edge) -> None:
    answer = edge.get("/health/live", headers=(("x", "a\0host"), ("host", HOST)))
    assert (answer.status, answer.text) == (400, "a header with a NUL in it\n")


@pytest.mark.parametrize("size", [1, 1_000, MOST])
@pytest.mark.parametrize(("surplus", "status"), [(0, 200), (1, 413)])
def test_the_body_is_bounded_however_it_is_cut(tmp_path: Path, size: int, surplus: int, status: int) -> None:
    edge = Edge(tmp_path, max_body=MOST)
    filler = f"{QUERY}&Filler=".encode()
    body = filler + b"x" * (MOST + surplus - len(filler))
    request = Request("POST", "/", "", (("host", HOST), FORM), body)
    signed = sign(request, edge.root, service="sts", region="us-east-1", now=edge.now)
    cut = [body] if size == MOST else [body[at : at + size] for at in range(0, len(body), size)]
    answer = edge.send(signed, messages=pieces(*cut))
    assert answer.status == status, answer.text
    if surplus:
        assert answer.text == f"the body is larger than {MOST} bytes\n"
        assert not (tmp_path / "audit.jsonl").read_text()
    edge.lifespan("shutdown")


def test_a_body_without_an_end_is_not_read_far_beyond_the_bound(tmp_path: Path) -> None:
    edge = Edge(tmp_path, max_body=MOST)
    endless = ({"type": "http.request", "body": b"x" * 10_000, "more_body": True} for _ in iter(int, 1))
    exchange = edge.exchange(Request("POST", "/", "", (("host", HOST), ("content-length", "10"))), messages=())
    exchange._messages = endless
    asyncio.run(edge.app(exchange.scope, exchange.receive, exchange.send))
    assert exchange.answer.status == 413
    assert exchange.received == MOST // 10_000 + 1
    edge.lifespan("shutdown")


@pytest.mark.parametrize("length", ["0", "7", "99999999999999999999", "x"])
def test_what_arrived_counts_and_not_what_was_announced(edge: Edge, length: str) -> None:
    assert account_of(edge.send(edge.request(WHO, edge.root, extra=(("content-length", length),)))) == ACCOUNT


def test_pieces_of_a_body_are_put_together_in_order(edge: Edge) -> None:
    request = edge.request(WHO, edge.root)
    body = request.body
    assert account_of(edge.send(request, messages=pieces(body[:5], b"", body[5:20], body[20:], b""))) == ACCOUNT
    swapped = pieces(body[5:20], body[:5], body[20:])
    assert edge.send(request, messages=swapped).status in (400, 403)


@pytest.mark.parametrize(
    "messages",
    [
        [{"type": "http.disconnect"}],
        [{"type": "http.request", "body": b"Action=", "more_body": True}, {"type": "http.disconnect"}],
    ],
)
def test_a_client_that_left_gets_no_answer_and_leaves_no_line(edge: Edge, messages: list[dict[str, Any]]) -> None:
    assert edge.send(edge.request(WHO, edge.root), messages=messages).status == 0
    assert edge.records() == []


def test_a_message_without_members_is_an_empty_body(edge: Edge) -> None:
    assert edge.get("/health/live", messages=[{"type": "http.request"}]).status == 200


# The request target


@pytest.mark.facts("STS-W-019", "STS-SIG-T01")
@pytest.mark.parametrize("path", ["/%zz", "/%", "/..", "/a/../..", "/%2e%2e", "relative", "*", "/a b", "/\xff"])
def test_a_target_that_cannot_be_read_gets_400_and_no_body(edge: Edge, path: str) -> None:
    for method in ("GET", "POST"):
        answer = edge.get(path, method=method)
        assert (answer.status, answer.body) == (400, b"")


@pytest.mark.parametrize("path", ["/nothing", "/%2F", "//", "/health", "/health/live/", "/%68ealth/live", "/METRICS"])
def test_a_path_where_nothing_is_gets_404(edge: Edge, path: str) -> None:
    assert edge.get(path).status == 404
    assert edge.records() == []


def test_the_path_is_the_one_that_travelled(edge: Edge) -> None:
    """What was decoded for convenience is not what was signed."""
    assert edge.get("/%2F", path="/").status == 404
    assert edge.get("/health/live", path="/").status == 200


@pytest.mark.parametrize("raw", [None, b"", b"/", b"/?Action=AssumeRole"])
def test_servers_that_give_the_raw_path_otherwise_are_served_too(edge: Edge, raw: bytes | None) -> None:
    request = edge.request(WHO, edge.root)
    assert account_of(edge.send(request, raw_path=raw)) == ACCOUNT


def test_without_a_raw_path_the_decoded_one_counts(edge: Edge) -> None:
    exchange = edge.exchange(Request("GET", "/health/live", "", (("host", HOST),)))
    del exchange.scope["raw_path"]
    asyncio.run(edge.app(exchange.scope, exchange.receive, exchange.send))
    assert exchange.answer.status == 200


@pytest.mark.parametrize("more", ["a=b?c", "a=%3F&b=%c3%a9", "a=x%20y&b=x+y", "a=1&a=2", "%C3%A9=1"])
def test_the_query_is_read_as_it_travelled(edge: Edge, more: str) -> None:
    request = presign(
        Request("GET", "/", f"{QUERY}&{more}", (("host", HOST),)),
        edge.root,
        service="sts",
        region="us-east-1",
        now=edge.now,
    )
    assert account_of(edge.send(request)) == ACCOUNT
    moved = msgspec.structs.replace(request, query=request.query.replace("a=", "d=").replace("%C3", "%C4"))
    assert code_of(edge.send(moved)) == "SignatureDoesNotMatch"


# Headers


@pytest.mark.parametrize("value", [f"  {HOST}", f"{HOST}\t", f"\t {HOST} \t ", HOST])
def test_header_values_are_trimmed(edge: Edge, value: str) -> None:
    request = edge.request(WHO, edge.root)
    padded = tuple((name, value if name == "host" else f" {text}\t") for name, text in request.headers)
    assert account_of(edge.send(msgspec.structs.replace(request, headers=padded))) == ACCOUNT


def test_blanks_at_the_very_end_are_trimmed_too(edge: Edge) -> None:
    assert edge.get("/health/live", headers=(("accept", "x"), ("host", f"{HOST} "))).status == 200
    assert edge.get("/health/live", headers=((" accept ", "x"), ("host", HOST))).status == 200


@pytest.mark.parametrize("value", ["curl/8 \xff\xfe", "\x80", "é", "a\x01b", "\x7f\r\nx: y"])
def test_odd_bytes_in_a_header_do_no_harm(edge: Edge, value: str) -> None:
    assert account_of(edge.send(edge.request(WHO, edge.root, extra=(("user-agent", value),)))) == ACCOUNT
    (record,) = edge.records()
    assert record["userAgent"] == value.strip()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"host", b"authorization", b"x-forwarded-for", b"accept", b"x", b"x-amz-date", b""]),
            st.binary(max_size=40),
        ),
        max_size=12,
    ),
    st.binary(max_size=60),
    st.binary(max_size=60),
    st.binary(max_size=200),
    st.sampled_from(["GET", "POST", "HEAD", "PUT", "\xff"]),
)
def test_whatever_arrives_is_answered_with_less_than_500(
    edge: Edge, headers: list[tuple[bytes, bytes]], raw: bytes, query: bytes, body: bytes, method: str
) -> None:
    request = Request(method, "/", "", ())
    for host in ([], [(b"host", HOST.encode())]):
        for path in (b"/", b"/" + raw):
            answer = edge.send(
                request, headers=[*host, *headers], raw_path=path, query_string=query, messages=pieces(body)
            )
            assert 200 <= answer.status < 500


# Who the client is (R26)

NEAR = "10.0.0.1"
PROXIES = {"trusted_proxy": "10.0.0.0/8,2001:db8:1::/48", "tls_terminated": "true"}
FOR, PROTO = "x-forwarded-for", "x-forwarded-proto"


def caller(edge: Edge, source: str, *, secure: bool) -> Credentials:
    """Credentials of a user who may ask for access keys from one address only."""
    conditions = {"IpAddress": {"aws:SourceIp": source}, "Bool": {"aws:SecureTransport": str(secure).lower()}}
    allowed = document(Effect="Allow", Action="sts:GetAccessKeyInfo", Resource="*", Condition=conditions)
    edge.call(users.CreateUserCommand(user_name="alice"), edge.root)
    put = users.PutUserPolicyCommand(user_name="alice", policy_name="p", policy_document=json.dumps(allowed))
    edge.call(put, edge.root)
    made = edge.call(access_keys.CreateAccessKeyCommand(user_name="alice"), edge.root)
    key = decode_response(made.body, access_keys.CreateAccessKeyCommand).access_key
    return Credentials(key.access_key_id, key.secret_access_key)


@pytest.mark.facts("R26", "STS-CTX-T04", "STS-CTX-T03", "POL-CK-010")
@pytest.mark.parametrize(
    ("given", "peer", "headers", "seen", "secure"),
    [
        pytest.param({}, PEER, (), PEER, False, id="nobody is trusted"),
        pytest.param({}, PEER, ((FOR, "192.0.2.1"), (PROTO, "https")), PEER, False, id="spoofed, nobody is trusted"),
        pytest.param({}, "::ffff:192.0.2.9", (), "192.0.2.9", False, id="IPv4 at a socket of both families"),
        pytest.param({}, "2001:db8::7", (), "2001:db8::7", False, id="IPv6"),
        pytest.param(PROXIES, PEER, ((FOR, "192.0.2.1"), (PROTO, "https")), PEER, False, id="spoofed past the proxy"),
        pytest.param(PROXIES, NEAR, (), NEAR, False, id="the proxy itself"),
        pytest.param(PROXIES, NEAR, ((FOR, "192.0.2.1"),), "192.0.2.1", False, id="one proxy"),
        pytest.param(PROXIES, f"::ffff:{NEAR}", ((FOR, "192.0.2.1"),), "192.0.2.1", False, id="mapped proxy"),
        pytest.param(PROXIES, NEAR, ((FOR, "::FFFF:c000:0201"),), "192.0.2.1", False, id="mapped client"),
        pytest.param(PROXIES, NEAR, ((FOR, "192.0.2.66, 192.0.2.1"),), "192.0.2.1", False, id="spoofed first hop"),
        pytest.param(PROXIES, NEAR, ((FOR, "10.9.9.9, 192.0.2.1"),), "192.0.2.1", False, id="spoofed trusted hop"),
        pytest.param(PROXIES, NEAR, ((FOR, "192.0.2.66,192.0.2.1,10.0.0.2"),), "192.0.2.1", False, id="two proxies"),
        pytest.param(PROXIES, NEAR, ((FOR, "192.0.2.66"), (FOR, "192.0.2.1,10.0.0.2")), "192.0.2.1", False, id="lines"),
        pytest.param(PROXIES, NEAR, ((FOR, "10.0.0.3,10.0.0.2"),), "10.0.0.3", False, id="all of them are proxies"),
        pytest.param(PROXIES, NEAR, ((FOR, "192.0.2.1, unknown"),), NEAR, False, id="garbage ends the chain"),
        pytest.param(PROXIES, NEAR, ((FOR, "192.0.2.1,,10.0.0.2"),), "10.0.0.2", False, id="so does an empty hop"),
        pytest.param(PROXIES, NEAR, ((FOR, ""),), NEAR, False, id="empty"),
        pytest.param(PROXIES, NEAR, ((FOR, "2001:db8::7"),), "2001:db8::7", False, id="IPv6 client"),
        pytest.param(PROXIES, "2001:db8:1::5", ((FOR, "2001:DB8:0::7"),), "2001:db8::7", False, id="IPv6 proxy"),
        pytest.param(PROXIES, NEAR, ((PROTO, "https"),), NEAR, True, id="scheme"),
        pytest.param(PROXIES, NEAR, ((PROTO, "HTTPS"), (FOR, "192.0.2.1")), "192.0.2.1", True, id="both"),
        pytest.param(PROXIES, NEAR, ((PROTO, "http, https"),), NEAR, True, id="last word: https"),
        pytest.param(PROXIES, NEAR, ((PROTO, "https, http"),), NEAR, False, id="last word: http"),
        pytest.param(PROXIES, NEAR, ((PROTO, "https"), (PROTO, "http")), NEAR, False, id="last line: http"),
        pytest.param(PROXIES, NEAR, ((PROTO, "httpsx"),), NEAR, False, id="no scheme"),
        pytest.param(PROXIES, NEAR, (("forwarded", "for=192.0.2.1;proto=https"),), NEAR, False, id="another header"),
        pytest.param(PROXIES, NEAR, (("x-real-ip", "192.0.2.1"),), NEAR, False, id="yet another header"),
    ],
)
def test_a_forwarded_address_is_believed_of_trusted_proxies_alone(
    tmp_path: Path,
    given: dict[str, str],
    peer: str,
    headers: tuple[tuple[str, str], ...],
    seen: str,
    secure: bool,
) -> None:
    edge = Edge(tmp_path, **given)
    alice = caller(edge, seen, secure=secure)
    command = sts.GetAccessKeyInfoCommand(access_key_id=alice.access_key_id)
    answer = edge.send(edge.request(command, alice, extra=headers), client=(peer, 1))
    assert answer.status == 200, answer.text
    record = edge.records()[-1]
    assert record["sourceIPAddress"] == seen
    assert ("tlsDetails" in record) == secure
    edge.lifespan("shutdown")


@pytest.mark.facts("STS-CTX-T03")
def test_tls_at_the_server_itself_is_secure(edge: Edge) -> None:
    alice = caller(edge, PEER, secure=True)
    command = sts.GetAccessKeyInfoCommand(access_key_id=alice.access_key_id)
    assert edge.call(command, alice, scheme="https").status == 200
    assert code_of(edge.call(command, alice, scheme="http")) == "AccessDenied"


@pytest.mark.parametrize("client", [None, ("", 0)])
def test_a_client_without_an_address_meets_no_condition_on_it(edge: Edge, client: tuple[str, int] | None) -> None:
    alice = caller(edge, "0.0.0.0/0", secure=False)
    command = sts.GetAccessKeyInfoCommand(access_key_id=alice.access_key_id)
    assert edge.call(command, alice).status == 200
    assert code_of(edge.call(command, alice, client=client)) == "AccessDenied"
    assert account_of(edge.call(WHO, alice, client=client)) == ACCOUNT
