"""Fetching an issuer's keys: discovery, then the JWKS, from hosts that may be asked and that prove who they are (R7).

Blocking, for threads only.  Each fetch has one deadline for everything, reads a bounded number of bytes, follows no
redirect, goes through no proxy, and connects to the very address that was checked: names are resolved once.  It is
written on sockets, since no HTTP client bounds the whole of a fetch rather than each of its reads.
"""

from __future__ import annotations

import hashlib
import io
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from http.client import HTTPException, HTTPResponse
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final, NamedTuple, cast

from locum.core.key_set import MAXIMUM_KEY_SET, KeySet, KeySetError, read_keys
from locum.core.oidc import NO_KEY, IssuerRules
from locum.core.proof import Trail
from locum.errors import IDPCommunicationErrorException, InvalidIdentityTokenException, STSServiceException
from locum.wire.strict_json import JsonError, read_json

__all__ = [
    "DISCOVERY",
    "MAXIMUM_DISCOVERY",
    "TOTAL_SECONDS",
    "FetchError",
    "Fetched",
    "Place",
    "fetch_keys",
    "resolve",
]

TOTAL_SECONDS: Final = 5.0
"""Seconds that a fetch may take: resolving, connecting and reading of both documents."""
MAXIMUM_DISCOVERY: Final = 65_536
"""Bytes of a discovery document."""
DISCOVERY: Final = "/.well-known/openid-configuration"
"""OpenID Connect Discovery 1.0 section 4."""

_MAXIMUM_HEAD: Final = 16_384
"""Bytes of an answer beyond its document."""
_MAXIMUM_CONTAINERS: Final = 1_024
_MAXIMUM_ADDRESSES: Final = 4
_MAXIMUM_RESOLVING: Final = 96
"""Names that are being resolved at a time: sixteen fetches, each a sixth as long as a resolver that has no answer may
take, so that those whose names hang leave places to others."""
_LONGEST_URL: Final = 2_048
_MISMATCH: Final = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<authority>(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?)"
    r"(?P<path>/[!-\"$->@-~]*)?(?P<query>\?[!-\"$-~]*)?",
    re.ASCII,
)
# IPv4 inside IPv6: what such an address reaches is for a gateway to say, so it counts as private.  The others are not
# public either, but some versions of Python hold them to be: site-local, protocol assignments, relays, documentation.
_NOT_PUBLIC: Final[tuple[IPv4Network | IPv6Network, ...]] = (
    *(IPv6Network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")),
    *(IPv6Network(each) for each in ("fec0::/10", "3fff::/20", "5f00::/16")),
    *(IPv4Network(each) for each in ("192.0.0.0/24", "192.88.99.0/24")),
)

Connect = Callable[[str, int, float], socket.socket]
"""Address, port, seconds → a connected TCP socket; OSError where there is none."""
Resolve = Callable[[str, int, float], Sequence[str]]
"""Host, port, seconds → its addresses; OSError where there are none."""


class FetchError(Exception):
    """Keys that could not be fetched: the reason for the log, and the answer that callers get.

    ``told`` is the reason for those who may ask for a diagnosis, where they may know less than the log.  ``presented``
    is the SHA-1 of the top certificate of a host whose certificate nobody vouches for; ``noted`` tells that a trail has
    it.
    """

    def __init__(
        self, reason: str, answer: type[STSServiceException], message: str, presented: str = "", told: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason: Final = reason
        self._told: Final = told or reason
        self.presented: Final = presented
        self.noted = False
        self._answer: Final = answer
        self._message: Final = message

    def answer(self) -> STSServiceException:
        """The error for the caller, a new one each time."""
        error = self._answer(self._message)
        error.add_note(f"fetch: {self._told}")
        return error


def _unreachable(reason: str) -> FetchError:
    """STS-WI-020."""
    return FetchError(reason, IDPCommunicationErrorException, NO_KEY)


def _unusable(reason: str, told: str = "") -> FetchError:
    """STS-WI-018."""
    return FetchError(reason, InvalidIdentityTokenException, NO_KEY, told=told)


class Fetched(NamedTuple):
    """The keys of an issuer, and the thumbprints that its hosts were trusted by; none where authorities vouch."""

    keys: KeySet
    thumbprints: frozenset[str] = frozenset()


class Place(NamedTuple):
    """Where a document is."""

    secure: bool
    host: str
    port: int
    authority: str
    path: str
    query: str

    @classmethod
    def parse(cls, url: str) -> Place:
        """ValueError for what is no plain URL of a host: user names, fragments, white space, other schemes."""
        found = _URL.fullmatch(url) if len(url) <= _LONGEST_URL else None
        if found is None:
            raise ValueError("not a plain https or http URL")
        secure = found["scheme"] == "https"
        port = int(found["port"]) if found["port"] else 443 if secure else 80
        if not 0 < port < 65_536:
            raise ValueError("not a port")
        host = found["host"].strip("[]").lower()
        return cls(secure, host, port, found["authority"], found["path"] or "", found["query"] or "")


def resolve(host: str, port: int, seconds: float) -> Sequence[str]:
    """The addresses of a host.

    The system's resolver knows no deadline of ours: it is asked in a thread that is left behind when time is up, and
    only so many may be left behind.
    """
    places = _resolving
    if not places.acquire(blocking=False):
        raise TimeoutError("too many names are being resolved")
    found: list[Any] = []

    def ask() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)
        finally:
            places.release()

    thread = threading.Thread(target=ask, name="locum-resolve", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        places.release()
        raise OSError("no thread can be had to resolve the name") from None
    thread.join(seconds)
    if not found:
        raise TimeoutError("the name was not resolved in time")
    if isinstance(found[0], Exception):
        raise OSError(str(found[0]))
    return [str(sockaddr[0]) for *_, sockaddr in found[0]]


_resolving: Final = threading.BoundedSemaphore(_MAXIMUM_RESOLVING)


def _connect(address: str, port: int, seconds: float) -> socket.socket:
    return socket.create_connection((address, port), seconds)


def fetch_keys(
    issuer: str,
    rules: IssuerRules,
    thumbprints: Sequence[str] = (),
    *,
    clock: Callable[[], float] = time.monotonic,
    resolve: Resolve = resolve,
    connect: Connect = _connect,
    trail: Trail | None = None,
) -> Fetched:
    """The keys of an issuer, by its discovery document (STS-WI-021); FetchError where they cannot be had.

    ``thumbprints`` are consulted only where no authority vouches for a host, and never where the rules name their own
    authorities (STS-WI-019, STS-WI-028).  ``clock`` counts seconds.
    """
    fetch = _Fetch(rules, thumbprints, clock, resolve, connect, trail)
    if "?" in issuer:
        raise fetch.failed("discovery", _unusable("an issuer's URL has no query"))
    document = fetch.get(issuer.removesuffix("/") + DISCOVERY, MAXIMUM_DISCOVERY, "discovery")
    try:
        found = read_json(document, containers=_MAXIMUM_CONTAINERS)
    except JsonError as error:
        raise fetch.failed("discovery", _unusable(f"the discovery document cannot be read: {error}")) from None
    members = found if type(found) is dict else {}
    if members.get("issuer") != issuer:
        raise fetch.failed("discovery", _unusable(f"the discovery document is of the issuer {members.get('issuer')!r}"))
    if type(url := members.get("jwks_uri")) is not str:
        raise fetch.failed("discovery", _unusable("the discovery document has no jwks_uri"))
    fetch.passed("discovery", url)
    try:
        keys = read_keys(fetch.get(url, MAXIMUM_KEY_SET, "keys"))
    except KeySetError as error:
        raise fetch.failed("keys", _unusable(f"the JWKS cannot be read: {error}")) from None
    fetch.passed("keys", ", ".join(keys.key_ids) or "none that can be used")
    return Fetched(keys, frozenset(fetch.trusted))


class _Fetch:
    """One fetch: its deadline, the names that it has resolved, and what its hosts were trusted by."""

    def __init__(
        self,
        rules: IssuerRules,
        thumbprints: Sequence[str],
        clock: Callable[[], float],
        resolve: Resolve,
        connect: Connect,
        trail: Trail | None,
    ) -> None:
        self.trusted: set[str] = set()
        self._rules = rules
        self._thumbprints = frozenset(each.lower() for each in thumbprints)
        self._clock = clock
        self._deadline = clock() + TOTAL_SECONDS
        self._resolve = resolve
        self._connect_to = connect
        self._trail = trail
        self._addresses: dict[str, list[str]] = {}

    def passed(self, name: str, found: str) -> None:
        if self._trail is not None:
            self._trail.note(name, True, expected=found, found=found)

    def failed(self, name: str, error: FetchError) -> FetchError:
        if self._trail is not None and not error.noted:
            self._trail.note(name, False, found=error.reason)
            error.noted = True
        return error

    def left(self) -> float:
        """Seconds until the deadline; TimeoutError behind it."""
        left = self._deadline - self._clock()
        if left <= 0:
            raise TimeoutError(f"it took more than {TOTAL_SECONDS:g} seconds")
        return left

    def get(self, url: str, most: int, name: str) -> bytes:
        """The document at a URL, of at most so many bytes."""
        try:
            place = Place.parse(url)
        except ValueError as error:
            raise self.failed(name, _unusable(f"{url[:_LONGEST_URL]!r} is {error}")) from None
        if not place.secure and not self._rules.loopback_http:
            raise self.failed(name, _unusable(f"{place.authority} is to be asked without TLS"))
        try:
            with closing(self._connect(place)) as connection:
                return self._exchange(connection, place, most)
        except FetchError as error:
            raise self.failed(name, error) from None
        except (OSError, HTTPException, ValueError) as error:
            reason = f"{place.authority} cannot be asked: {str(error) or type(error).__name__}"
            raise self.failed(name, _unreachable(reason)) from None

    def _permitted(self, place: Place) -> list[str]:
        """The addresses of a host that may be asked, resolved once for the whole fetch."""
        if place.host not in self._addresses:
            self._addresses[place.host] = list(self._resolve(place.host, place.port, self.left()))
        addresses = self._addresses[place.host]
        permitted = [each for each in addresses if _may_ask(each, secure=place.secure, rules=self._rules)]
        if not permitted:
            shown = ", ".join(addresses[:_MAXIMUM_ADDRESSES]) or "no address"
            # Accounts choose hosts: what the server's own network calls them is not theirs to learn.
            told = f"{place.host} has no address that may be asked"
            raise self.failed("address", _unusable(f"{place.host} is at {shown}, which is not to be asked", told))
        self.passed("address", f"{place.host} at {permitted[0]}")
        return permitted[:_MAXIMUM_ADDRESSES]

    def _connect(self, place: Place) -> socket.socket:
        addresses = self._permitted(place)
        for number, address in enumerate(addresses, 1):
            try:
                plain = self._connect_to(address, place.port, self.left() / (len(addresses) - number + 1))
                break
            except OSError:
                if number == len(addresses):
                    raise
        if not place.secure:
            return plain
        try:
            connection = self._secured(plain, place, _context(self._rules.ca))
        except ssl.SSLCertVerificationError as error:
            connection, found = self._pinned(address, place, error.verify_message)
        else:
            found = "an authority's"
        self.passed("certificate", found)
        return connection

    def _secured(self, plain: socket.socket, place: Place, context: ssl.SSLContext) -> ssl.SSLSocket:
        try:
            plain.settimeout(self.left())
            return context.wrap_socket(plain, server_hostname=place.host)
        except BaseException:
            plain.close()
            raise

    def _pinned(self, address: str, place: Place, why: str) -> tuple[ssl.SSLSocket, str]:
        """A connection that one of the provider's thumbprints vouches for, and which one (STS-WI-027).

        The top certificate of the chain that the host shows is looked at first, and nothing is sent; if it is the one
        of the thumbprint, a second connection must lead up to it, for this host and in time.
        """
        if self._rules.ca is not None:
            error = FetchError(
                f"{place.host} has no certificate of its CA: {why}", InvalidIdentityTokenException, _MISMATCH
            )
            raise self.failed("certificate", error)
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname = False
        blind.verify_mode = ssl.CERT_NONE
        with self._secured(self._connect_to(address, place.port, self.left()), place, blind) as shown:
            top = _chain(shown)[-1]
        presented = hashlib.sha1(top, usedforsecurity=False).hexdigest()
        if presented not in self._thumbprints:
            reason = (
                f"the certificate of {place.host} is not trusted ({why}), and the top one's thumbprint is {presented}"
            )
            raise self.failed("certificate", FetchError(reason, InvalidIdentityTokenException, _MISMATCH, presented))
        context = _context(None, anchor=top)
        connection = self._secured(self._connect_to(address, place.port, self.left()), place, context)
        self.trusted.add(presented)
        return connection, presented

    def _exchange(self, connection: socket.socket, place: Place, most: int) -> bytes:
        connection.settimeout(self.left())
        connection.sendall(
            f"GET {place.path or '/'}{place.query} HTTP/1.1\r\nHost: {place.authority}\r\nAccept: application/json\r\n"
            "Accept-Encoding: identity\r\nUser-Agent: locum\r\nConnection: close\r\n\r\n".encode()
        )
        with HTTPResponse(cast("socket.socket", _Reading(self, connection, most + _MAXIMUM_HEAD))) as response:
            response.begin()
            if response.status >= 500 or response.status == 429:
                raise _unreachable(f"{place.authority} answers with status {response.status}")
            if response.status != 200:
                raise _unusable(f"{place.authority} answers with status {response.status}")
            if response.getheader("content-encoding", "identity").lower() != "identity":
                raise _unusable(f"{place.authority} answers with an encoding")
            body = response.read(most + 1)
            if len(body) > most:
                raise _unusable(f"{place.authority} answers with more than {most} bytes")
            if response.length:
                raise _unreachable(f"{place.authority} breaks off")
            return body


class _Reading(io.RawIOBase):
    """What comes in from a socket, until the deadline and up to a number of bytes."""

    def __init__(self, fetch: _Fetch, connection: socket.socket, most: int) -> None:
        self._fetch = fetch
        self._connection = connection
        self._most = most

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(self._fetch.left())
        count = self._connection.recv_into(buffer)
        self._most -= count
        if self._most < 0:
            raise ValueError("it answers with too many bytes")
        return count


def _may_ask(address: str, *, secure: bool, rules: IssuerRules) -> bool:
    """Whether an address is public or configured (R7); without TLS it must be this machine's own."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if not secure:
        return ip.is_loopback
    if any(ip in network for network in rules.networks):
        return True
    special = ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback or ip.is_link_local
    if special or not ip.is_global:
        return False
    return not any(ip in network for network in _NOT_PUBLIC)


def _context(ca: str | None, *, anchor: bytes | None = None) -> ssl.SSLContext:
    """What a host must prove: a chain to the system's authorities, to these alone, or to this very certificate."""
    context = ssl.create_default_context(cadata=anchor if anchor is not None else ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Newer Pythons ask more of private authorities than all public tools that make them know of.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if anchor is not None or ca is not None:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _chain(connection: ssl.SSLSocket) -> list[bytes]:
    """The certificates that the host showed, in DER; its own is the first."""
    if hasattr(connection, "get_unverified_chain"):
        shown = connection.get_unverified_chain()
    else:  # before Python 3.13 the same function has no public name
        shown = [each.public_bytes(2) for each in connection._sslobj.get_unverified_chain() or ()]  # type: ignore[attr-defined]
    if not shown:
        raise ssl.SSLError("the host shows no certificate")
    return [bytes(each) for each in shown]
