"""Fetching an issuer's keys from hosts on loopback: who is asked, who is believed, and how much is read (R7)."""

from __future__ import annotations

import gzip
import itertools
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import pytest

from locum.core.oidc import IssuerRules
from locum.core.proof import Trail
from locum.server import issuers
from locum.server.issuers import Fetched, FetchError, Place, fetch_keys

from ..core.issuer import key_set, public
from .issuer_host import NAME, Certified, Host, Serve, answer, authority, host, leaf

LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
RULES: Final = IssuerRules(ca=authority().pem, networks=LOOPBACK)
KEYS: Final = answer(key_set(public("rsa", kid="k1")))
MISMATCH: Final = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"


@pytest.fixture
def idp(tmp_path: Path) -> Iterator[Host]:
    with host(leaf().context(tmp_path)) as made:
        made.pages["/keys"] = KEYS
        yield made


class Names:
    """A resolver that knows one host, and counts."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses or ("127.0.0.1",)
        self.asked: list[str] = []

    def __call__(self, name: str, port: int, seconds: float) -> Sequence[str]:
        self.asked.append(name)
        return self.addresses


def fetch(issuer: str, rules: IssuerRules = RULES, pins: Sequence[str] = (), **more: Any) -> Fetched:
    return fetch_keys(issuer, rules, pins, **{"resolve": Names(), **more})


def failure(issuer: str, rules: IssuerRules = RULES, pins: Sequence[str] = (), **more: Any) -> FetchError:
    with pytest.raises(FetchError) as failed:
        fetch(issuer, rules, pins, **more)
    return failed.value


@pytest.mark.facts("STS-WI-021", "R7")
def test_keys_are_found_by_the_discovery_document(idp: Host) -> None:
    names, trail = Names(), Trail()
    found = fetch(idp.issuer(), resolve=names, trail=trail)
    assert found.keys.key_ids == ("k1",)
    assert found.thumbprints == frozenset()
    assert [each.splitlines()[0] for each in idp.requests] == [
        "GET /.well-known/openid-configuration HTTP/1.1",
        "GET /keys HTTP/1.1",
    ]
    assert all(f"Host: {idp.authority}\r\n" in each for each in idp.requests)
    assert names.asked == [NAME]  # once for both documents
    assert [(each.name, each.passed) for each in trail.checks] == [
        *(("address", True), ("certificate", True), ("discovery", True)),
        *(("address", True), ("certificate", True), ("keys", True)),
    ]


@pytest.mark.facts("STS-WI-021")
@pytest.mark.parametrize("path", ["/", "/tenant", "/tenant/", "/a/b"])
def test_the_document_lies_below_the_issuer_s_path(idp: Host, path: str) -> None:
    url = f"https://{idp.authority}{path}"
    idp.discover(path.removesuffix("/"), issuer=url, jwks_uri=f"https://{idp.authority}/keys")
    assert len(fetch(url).keys) == 1


@pytest.mark.facts("R7")
def test_the_issuer_of_the_document_is_the_one_asked_for(idp: Host) -> None:
    url = idp.issuer()
    for other in (f"{url}/", url.upper(), "https://evil.example", None, 1):
        idp.discover(issuer=other, jwks_uri=f"{url}/keys")
        assert "the discovery document is of the issuer" in failure(url).reason
    assert all("GET /keys" not in each for each in idp.requests)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (answer(b"<html>"), "the discovery document cannot be read: it is not JSON"),
        (answer(b"[]"), "the discovery document is of the issuer None"),
        (answer(b'{"issuer":"a","issuer":"b"}'), "the discovery document cannot be read: it has a member twice"),
        (answer(b"{}", status="404 Not Found"), "answers with status 404"),
        (answer(b"{}", status="401 Unauthorized"), "answers with status 401"),
        (answer(b"{}", status="204 No Content"), "answers with status 204"),
        (answer(b"x" * (issuers.MAXIMUM_DISCOVERY + 1)), "answers with more than 65536 bytes"),
        (answer(b" " * 200_000, length=False), "answers with more than 65536 bytes"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_document_that_is_none_is_refused(idp: Host, page: bytes, reason: str) -> None:
    url = idp.issuer()
    idp.pages["/.well-known/openid-configuration"] = page
    error = failure(url)
    assert reason in error.reason
    assert error.answer().code == "InvalidIdentityToken"


@pytest.mark.parametrize(
    ("page", "code"),
    [
        (answer(b"{}", status="500 Internal Server Error"), "IDPCommunicationError"),
        (answer(b"{}", status="503 Service Unavailable"), "IDPCommunicationError"),
        (answer(b"{}", status="429 Too Many Requests"), "IDPCommunicationError"),
        (b"", "IDPCommunicationError"),
        (b"nonsense\r\n\r\n", "IDPCommunicationError"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}", "IDPCommunicationError"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "IDPCommunicationError"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n{}", "IDPCommunicationError"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n{}", "IDPCommunicationError"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000, "IDPCommunicationError"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.facts("STS-WI-020")
def test_an_answer_that_is_none_is_worth_another_try(idp: Host, page: bytes, code: str) -> None:
    url = idp.issuer()
    idp.pages["/keys"] = page
    assert failure(url).answer().code == code


@pytest.mark.facts("STS-WI-018")
@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (answer(b"{}"), "the JWKS cannot be read: it has no list of keys"),
        (answer(b"nope"), "the JWKS cannot be read: it is not JSON"),
        (answer(b" " * 300_000), "answers with more than 262144 bytes"),
        (answer(key_set(), headers="Content-Encoding: br\r\n"), "answers with an encoding"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_keys_that_are_none_are_refused(idp: Host, page: bytes, reason: str) -> None:
    url = idp.issuer()
    idp.pages["/keys"] = page
    error = failure(url)
    assert reason in error.reason
    assert (error.answer().code, error.answer().message.count("  ")) == ("InvalidIdentityToken", 1)


@pytest.mark.facts("R7")
def test_a_compressed_answer_is_never_unpacked(idp: Host) -> None:
    url = idp.issuer()
    bomb = gzip.compress(b'{"keys":[]}' + b" " * 50_000_000)
    assert len(bomb) < 262_144
    idp.pages["/keys"] = answer(bomb, headers="Content-Encoding: gzip\r\n")
    assert "answers with an encoding" in failure(url).reason
    assert "Accept-Encoding: identity" in idp.requests[-1]


@pytest.mark.facts("R7")
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("page", ["/.well-known/openid-configuration", "/keys"])
def test_no_redirect_is_followed(idp: Host, status: str, page: str) -> None:
    url = idp.issuer()
    idp.pages["/moved"] = idp.pages[page]
    for target in ("https://evil.example/keys", "/moved", f"{url}/moved"):
        idp.pages[page] = answer(b"", status=status, headers=f"Location: {target}\r\n")
        assert f"answers with status {status[:3]}" in failure(url).reason
    assert not any("GET /moved" in each for each in idp.requests)


# Addresses


@pytest.mark.facts("R7")
@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.0.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1"),
        *("169.254.169.254", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001::1", "not an address", ""),
    ],
)
def test_an_address_that_is_not_public_is_not_asked(address: str) -> None:
    connected: list[str] = []

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        connected.append(address)
        raise OSError("no")

    error = failure("https://idp.example", IssuerRules(), resolve=Names(address), connect=connect)
    assert "which is not to be asked" in error.reason
    assert error.answer().code == "InvalidIdentityToken"
    assert connected == []


@pytest.mark.facts("R7")
@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.1.2.3/32"),
        ("fd00::1", "fd00::/8"),
        ("64:ff9b::808:808", "64:ff9b::/96"),
        ("8.8.8.8", "10.0.0.0/8"),
        ("2606:4700::1", "10.0.0.0/8"),
    ],
)
def test_an_address_that_is_public_or_configured_is_asked(address: str, network: str) -> None:
    connected: list[tuple[str, int]] = []

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        connected.append((address, port))
        raise OSError("no route")

    rules = IssuerRules(networks=(ip_network(network),))
    error = failure("https://idp.example", rules, resolve=Names(address), connect=connect)
    assert connected == [(address, 443)]
    assert error.answer().code == "IDPCommunicationError"


@pytest.mark.facts("R7")
def test_among_several_addresses_only_those_that_may_be_asked_are(idp: Host) -> None:
    url = idp.issuer()
    connected: list[str] = []

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        connected.append(address)
        if address != "127.0.0.1":
            raise ConnectionRefusedError
        return socket.create_connection((address, port), seconds)

    names = Names("10.0.0.1", "127.0.0.2", "127.0.0.1", "169.254.169.254")
    assert len(fetch(url, resolve=names, connect=connect).keys) == 1
    assert connected == ["127.0.0.2", "127.0.0.1"] * 2


@pytest.mark.facts("R7")
def test_a_name_that_changes_its_mind_is_asked_where_it_was_first(idp: Host) -> None:
    url = idp.issuer()
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    assert len(fetch(url, resolve=lambda *_: next(answers)).keys) == 1
    assert list(answers) == [["10.0.0.1"]]


@pytest.mark.facts("R7")
def test_the_host_of_the_keys_is_checked_like_the_first(idp: Host) -> None:
    url = idp.issuer()
    idp.discover(issuer=url, jwks_uri="https://inside.example/keys")
    addresses = {NAME: ["127.0.0.1"], "inside.example": ["10.0.0.1"]}
    error = failure(url, resolve=lambda name, *_: addresses[name])
    assert error.reason == "inside.example is at 10.0.0.1, which is not to be asked"


@pytest.mark.facts("R7")
def test_plain_http_needs_its_rule_and_this_machine(tmp_path: Path) -> None:
    with host() as plain:
        plain.pages["/keys"] = KEYS
        url = plain.issuer()
        assert "is to be asked without TLS" in failure(url).reason
        assert plain.connections == 0
        loopback = IssuerRules(loopback_http=True)
        assert len(fetch(url, loopback).keys) == 1
        everywhere = IssuerRules(loopback_http=True, networks=(ip_network("0.0.0.0/0"),))
        for address in ("10.0.0.1", "8.8.8.8"):
            assert "is not to be asked" in failure(url, everywhere, resolve=Names(address)).reason


@pytest.mark.facts("R7")
def test_an_issuer_with_tls_does_not_hand_over_to_plain_http(idp: Host) -> None:
    url = idp.issuer()
    idp.discover(issuer=url, jwks_uri=f"http://{idp.authority}/keys")
    assert "is to be asked without TLS" in failure(url).reason


@pytest.mark.parametrize(
    "url",
    [
        *("", "idp.example", "ftp://idp.example/", "file:///etc/passwd", "https://", "https:///x", "https://a b/"),
        *("https://user@idp.example/", "https://user:secret@idp.example", "https://idp.example/#x", "https://a:0/"),
        *("https://a:65536/", "https://a:1:2/", "https://a\\@b/", "https://é/", "https://a/\r\nHost: b", "https://a/é"),
        *("https://[::1/", "HTTPS://a/", "https://a/ x", "https://a?x#y", f"https://a/{'x' * 2_048}"),
    ],
)
def test_what_is_no_plain_url_is_not_asked(url: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        Place.parse(url)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://idp.example", Place(True, "idp.example", 443, "idp.example", "", "")),
        ("https://IDP.example:8443/a/b?c=d/?", Place(True, "idp.example", 8443, "IDP.example:8443", "/a/b", "?c=d/?")),
        ("http://[::1]:8080/", Place(False, "::1", 8080, "[::1]:8080", "/", "")),
    ],
)
def test_a_plain_url_is_a_place(url: str, place: Place) -> None:
    assert Place.parse(url) == place


def test_an_issuer_has_no_query(idp: Host) -> None:
    assert "no query" in failure(f"{idp.issuer()}?x=y").reason
    assert idp.connections == 0


def test_the_system_resolves_names_in_time() -> None:
    assert "127.0.0.1" in issuers.resolve("127.0.0.1", 443, 10)
    with pytest.raises(OSError, match=r".+"):
        issuers.resolve("a..b", 443, 10)


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    free, begun = threading.Event(), threading.Semaphore(0)

    def hang(*_: Any, **__: Any) -> list[Any]:
        begun.release()
        free.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(issuers, "_resolving", threading.BoundedSemaphore(2))
    for _ in range(2):
        with pytest.raises(TimeoutError, match="not resolved in time"):
            issuers.resolve("idp.example", 443, 0.001)
    with pytest.raises(TimeoutError, match="too many names"):
        issuers.resolve("idp.example", 443, 30)
    free.set()
    assert all(begun.acquire(timeout=10) for _ in range(2))


# Time


def ticking(step: float) -> Any:
    """A clock that goes on with every look at it."""
    return itertools.count(0.0, step).__next__


@pytest.mark.facts("R7")
def test_the_whole_fetch_has_one_deadline(idp: Host) -> None:
    url = idp.issuer()

    def drip(connection: socket.socket, _: str) -> None:
        page = answer(b" " * 4_000)
        for number in range(len(page)):
            connection.sendall(page[number : number + 1])

    idp.pages["/keys"] = drip
    error = failure(url, clock=ticking(0.02))
    assert "it took more than 5 seconds" in error.reason
    assert error.answer().code == "IDPCommunicationError"


@pytest.mark.facts("R7")
def test_a_host_that_accepts_and_says_nothing_is_given_up(idp: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuers, "TOTAL_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        error = failure(f"https://{NAME}:{port}")
    assert error.answer().code == "IDPCommunicationError"


@pytest.mark.facts("STS-WI-020")
def test_a_host_that_is_not_there_or_has_no_name_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = failure(f"https://{NAME}:{port}").answer()
    assert (error.code, error.status, error.retryable) == ("IDPCommunicationError", 400, True)

    def unknown(*_: Any) -> Sequence[str]:
        raise OSError("Name or service not known")

    assert failure("https://nowhere.example", resolve=unknown).answer().code == "IDPCommunicationError"


# Certificates


@pytest.mark.facts("R7", "STS-WI-019")
def test_a_certificate_of_another_authority_is_refused(idp: Host) -> None:
    url = idp.issuer()
    for rules in (IssuerRules(networks=LOOPBACK), IssuerRules(networks=LOOPBACK, ca=Certified("other").pem)):
        error = failure(url, rules)
        assert (error.answer().code, error.answer().message) == ("InvalidIdentityToken", MISMATCH)
    assert idp.requests == []


@pytest.mark.facts("R7")
def test_a_certificate_of_another_host_is_refused(idp: Host) -> None:
    for name in ("other.test", "idp.test.evil.test", "127.0.0.2"):
        url = f"https://{name}:{idp.port}"
        assert failure(url).answer().message == MISMATCH
    assert idp.requests == []


def test_a_certificate_that_is_over_is_refused(tmp_path: Path) -> None:
    over = Certified(
        NAME, authority(), ca=False, end=Certified("x").certificate.not_valid_before_utc.replace(year=2021)
    )
    with host(over.context(tmp_path)) as late:
        assert "certificate has expired" in failure(late.issuer()).reason


def test_an_old_protocol_is_refused(tmp_path: Path) -> None:
    context = leaf().context(tmp_path)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with host(context) as old:
        assert failure(old.issuer()).answer().code == "IDPCommunicationError"


@pytest.fixture(scope="module")
def chain() -> tuple[Certified, Certified, Certified]:
    """Root, intermediate, and the certificate of the host."""
    root = Certified("private root")
    middle = Certified("private intermediate", root)
    return root, middle, Certified(NAME, middle, ca=False)


PINNED: Final = IssuerRules(networks=LOOPBACK)


@pytest.mark.facts("STS-WI-027", "STS-WI-028")
def test_a_thumbprint_of_the_top_certificate_vouches_for_the_host(
    chain: tuple[Certified, Certified, Certified], tmp_path: Path
) -> None:
    root, middle, own = chain
    for shown, top in (((middle,), middle), ((middle, root), root), ((), own)):
        with host(own.context(tmp_path, *shown)) as pinned:
            pinned.pages["/keys"] = KEYS
            url = pinned.issuer()
            found = fetch(url, PINNED, ["0" * 40, top.thumbprint.upper()])
            assert (found.thumbprints, len(found.keys)) == (frozenset({top.thumbprint}), 1)
            others = {root.thumbprint, middle.thumbprint, own.thumbprint} - {top.thumbprint}
            error = failure(url, PINNED, [*others])
            assert (error.answer().message, error.presented) == (MISMATCH, top.thumbprint)
            assert failure(url, PINNED).answer().message == MISMATCH


@pytest.mark.facts("STS-WI-027")
def test_a_borrowed_top_certificate_vouches_for_nobody(
    chain: tuple[Certified, Certified, Certified], tmp_path: Path
) -> None:
    _, middle, _ = chain
    evil = Certified(NAME, Certified("evil"), ca=False)
    with host(evil.context(tmp_path, middle)) as forged:
        error = failure(forged.issuer(), PINNED, [middle.thumbprint])
        assert error.answer().code in ("InvalidIdentityToken", "IDPCommunicationError")
        assert forged.requests == []


@pytest.mark.facts("STS-WI-027")
def test_a_thumbprint_is_for_the_host_s_own_name(chain: tuple[Certified, Certified, Certified], tmp_path: Path) -> None:
    _, middle, own = chain
    with host(own.context(tmp_path, middle)) as pinned:
        failure(f"https://other.test:{pinned.port}", PINNED, [middle.thumbprint])
        assert pinned.requests == []


@pytest.mark.facts("STS-WI-028")
def test_a_thumbprint_does_not_matter_where_an_authority_vouches(idp: Host) -> None:
    assert fetch(idp.issuer(), RULES, ["0" * 40]).thumbprints == frozenset()


def test_a_configured_authority_is_not_overruled_by_a_thumbprint(
    chain: tuple[Certified, Certified, Certified], tmp_path: Path
) -> None:
    _, middle, own = chain
    with host(own.context(tmp_path, middle)) as pinned:
        error = failure(pinned.issuer(), RULES, [middle.thumbprint])
        assert error.answer().message == MISMATCH
        assert pinned.requests == []


# The trail


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"resolve": Names("10.0.0.1")}, "address"),
        ({"rules": IssuerRules(networks=LOOPBACK)}, "certificate"),
        ({"page": answer(b"{}", status="500 Oops")}, "discovery"),
        ({"page": answer(b"[]")}, "discovery"),
        ({"keys": answer(b"[]")}, "keys"),
        ({"keys": answer(b"", status="404 Not Found")}, "keys"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_trail_ends_with_the_one_check_that_failed(idp: Host, change: dict[str, Any], check: str) -> None:
    url = idp.issuer()
    pages: dict[str, bytes | Serve] = {
        "/.well-known/openid-configuration": change.pop("page", None) or idp.pages["/.well-known/openid-configuration"],
        "/keys": change.pop("keys", KEYS),
    }
    idp.pages.update(pages)
    trail = Trail()
    error = failure(url, change.pop("rules", RULES), trail=trail, **change)
    assert [each.name for each in trail.checks if not each.passed] == [check]
    assert trail.checks[-1].found == error.reason


def test_what_is_asked_for_is_json_that_others_can_read(idp: Host) -> None:
    fetch(idp.issuer())
    assert json.loads(KEYS.partition(b"\r\n\r\n")[2])["keys"][0]["kid"] == "k1"
    assert "Accept: application/json\r\n" in idp.requests[0]
    assert "Connection: close\r\n" in idp.requests[0]
