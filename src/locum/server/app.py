"""The ASGI application: bytes in, bytes out, the side routes, and the choice between the event loop and a thread.

Any ASGI server can host it.  A request whose facts are cached is answered on the event loop without an await; what
needs the database, or writes, runs in a small pool of threads, and what needs an issuer's keys waits until another pool
has asked for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import locum.server.delegation
import locum.server.diagnosis
import locum.server.federation
import locum.server.iam.access_keys
import locum.server.iam.account
import locum.server.iam.credential_report
import locum.server.iam.delegation
import locum.server.iam.groups
import locum.server.iam.instance_profiles
import locum.server.iam.last_accessed
import locum.server.iam.login_profiles
import locum.server.iam.mfa
import locum.server.iam.oidc_providers
import locum.server.iam.other_credentials
import locum.server.iam.outbound
import locum.server.iam.policies
import locum.server.iam.roles
import locum.server.iam.root_access
import locum.server.iam.saml_providers
import locum.server.iam.service_linked_roles
import locum.server.iam.simulation
import locum.server.iam.users
import locum.server.organizations.accounts
import locum.server.organizations.organization
import locum.server.organizations.policies
import locum.server.organizations.units
import locum.server.outbound
import locum.server.revocations
import locum.server.root_access
import locum.server.sts  # noqa: F401 - the handlers register themselves
from locum.core import outbound
from locum.core.service_linked_roles import extended
from locum.guard.directory import Directory
from locum.http import Headers, Request, Response
from locum.server import logs
from locum.server.auditfile import AuditLog, Rotation
from locum.server.config import Settings
from locum.server.data import Data, open_data
from locum.server.federation import forget_spent, service_provider
from locum.server.fetching import Fetching
from locum.server.handlers import HANDLERS
from locum.server.identifiers import new_uuid
from locum.server.jwks import KeysNeeded
from locum.server.metrics import CONTENT_TYPE, Metrics
from locum.server.outbound import published
from locum.server.pipeline import Answered, Pipeline
from locum.server.providers import ACS_PATH, METADATA_PATH, Providers
from locum.server.revocations import prune
from locum.server.throttle import Throttle
from locum.store.facts import Miss, View
from locum.wire.form import check_target

__all__ = ["Application", "Incoming", "create_app"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_log = logging.getLogger("locum.server")

_THREADS: Final = 4
_MAXIMUM_HEADERS: Final = 100
_MAXIMUM_HEADER_BYTES: Final = 32_768
_FLUSH_SECONDS: Final = 30
_FETCHES: Final = 2
"""How often a request may wait for an issuer: for its keys, and once more for newer ones."""
_ACS_PAGE: Final = (
    "this server signs nobody in by browser: hand the SAMLResponse to AssumeRoleWithSAML, "
    "as the AWS CLI and the SDKs do (aws sts assume-role-with-saml)"
)
_GLOBAL_REGION: Final = "us-east-1"
"""Where IAM and the global STS endpoint sign, whatever the region of the client (STS-SIG-002, IAM-GEN-001)."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Incoming(NamedTuple):
    """A request as a server read it: the two parts of its target as bytes, its header lines, and how long these are."""

    method: str
    path: bytes
    query: bytes
    headers: Headers
    head: int
    body: bytes
    peer: str
    secure: bool


class _TooLarge(Exception):
    pass


class _Gone(Exception):
    pass


class Application:
    """The server's ASGI callable.

    ``data`` is the open data directory; it is closed when the application shuts down.  ``clock`` gives epoch seconds
    and is read once for each request; ``random`` gives random bytes.
    """

    def __init__(
        self,
        settings: Settings,
        data: Data,
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
        providers: Providers | None = None,
    ) -> None:
        self._settings: Final = settings
        self._data: Final = data
        self._clock: Final = clock
        self._random: Final = random
        self._audit: Final = AuditLog(
            settings.audit_file or data.path / "audit.jsonl",
            Rotation(settings.audit_rotate_bytes, settings.audit_rotate_hours * 3_600, settings.audit_keep),
            drop=settings.audit_when_full == "drop",
        )
        self._pipeline: Final = Pipeline(
            data.store,
            data.vault,
            self._audit,
            partition=settings.partition,
            region=settings.region,
            regions={settings.region, _GLOBAL_REGION},
            random=random,
            max_body=settings.max_body,
            url=settings.url,
            providers=providers or Providers(settings.federation, url=settings.url),
            throttle=Throttle(
                account=settings.requests_per_second,
                principal=settings.principal_requests_per_second,
                control=settings.iam_requests_per_second,
            ),
            services=extended(settings.service_linked_role),
        )
        self._metrics: Final = Metrics((command.operation.service.name, command.operation.name) for command in HANDLERS)
        self._threads: Final = ThreadPoolExecutor(_THREADS, thread_name_prefix="locum")
        self._fetching: Final = Fetching(self._pipeline.providers.keys.fetch)
        self._hosts: Final = _allowed_hosts(settings)
        self._proxies: Final = settings.trusted_proxy
        self._side_routes: Final[dict[str, Callable[[], Response]]] = {
            "/health/live": _live,
            "/health/ready": self._ready,
            "/metrics": self._measured,
            ACS_PATH: _acs,
            METADATA_PATH: self._service_provider,
        }
        self._flusher: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close"})
        else:
            raise ValueError(f"this application does not speak {kind}")

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _body(receive, self.max_body)
        except _TooLarge:
            await _respond(send, self.too_large())
            return
        except _Gone:
            return
        try:
            headers = _headers(scope["headers"])
        except ValueError as problem:
            await _respond(send, _plain(400, str(problem)))
            return
        client = scope.get("client")
        path = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
        answer = self.begin(
            Incoming(
                scope["method"],
                path.partition(b"?")[0],
                scope["query_string"],
                headers,
                sum([len(name) + len(value) for name, value in headers]),
                body,
                client[0] if client else "",
                scope.get("scheme") == "https",
            )
        )
        await _respond(send, answer if isinstance(answer, Response) else await answer)

    @property
    def max_body(self) -> int:
        """Bytes of a body that are read."""
        return self._settings.max_body

    def too_large(self) -> Response:
        """The answer to a request with a larger one."""
        return _plain(413, f"the body is larger than {self.max_body} bytes")

    def begin(self, incoming: Incoming) -> Response | Coroutine[Any, Any, Response]:
        """The answer to a request, or what has to be awaited for it."""
        started = time.perf_counter()
        request_id = new_uuid()
        try:
            request = self._request(incoming)
        except ValueError as problem:
            return _plain(400, str(problem))
        if request.path != "/":
            return self._aside(request)
        now = self._clock()
        token = logs.request_id.set(request_id)
        try:
            answered = self._pipeline.answer(request, request_id, now, wait=False)
        except (Miss, KeysNeeded) as need:
            return self._finish(need, request, request_id, now, started)
        finally:
            logs.request_id.reset(token)
        return self._metered(answered, started)

    async def _finish(
        self, need: Miss | KeysNeeded, request: Request, request_id: str, now: float, started: float
    ) -> Response:
        token = logs.request_id.set(request_id)
        try:
            return self._metered(await self._later(need, request, request_id, now), started)
        finally:
            logs.request_id.reset(token)

    def _metered(self, answered: Answered, started: float) -> Response:
        self._metrics.record(answered.service, answered.operation, answered.outcome, time.perf_counter() - started)
        return answered.response

    async def _later(self, need: Miss | KeysNeeded, request: Request, request_id: str, now: float) -> Answered:
        """The answer to a request that could not be answered at once, when what it needs is there."""
        in_thread, may_fetch, fetches = False, True, 0
        while True:
            if isinstance(need, KeysNeeded):
                fetches += 1
                may_fetch = await self._fetching.fulfil(need) and fetches < _FETCHES
            else:
                in_thread = True
            try:
                if not in_thread:
                    return self._pipeline.answer(request, request_id, now, wait=False, fetch=may_fetch)
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._in_thread, request, request_id, now, may_fetch
                )
            except (Miss, KeysNeeded) as again:
                need = again

    def _in_thread(self, request: Request, request_id: str, now: float, fetch: bool) -> Answered:
        token = logs.request_id.set(request_id)
        try:
            return self._pipeline.answer(request, request_id, now, wait=True, fetch=fetch)
        finally:
            logs.request_id.reset(token)

    def _request(self, incoming: Incoming) -> Request:
        """The request as everything else reads it; ValueError for what no honest client sends."""
        headers, peer, secure = incoming.headers, incoming.peer, incoming.secure
        if len(headers) > _MAXIMUM_HEADERS:
            raise ValueError("too many headers")
        if incoming.head > _MAXIMUM_HEADER_BYTES:
            raise ValueError("too large headers")
        if peer[:7] == "::ffff:":
            peer = str(_unmapped(ipaddress.ip_address(peer)))
        if self._proxies and peer:
            peer, secure = self._forwarded(peer, secure, headers)
        request = Request(
            incoming.method,
            incoming.path.decode("latin-1"),
            incoming.query.decode("latin-1"),
            headers,
            incoming.body,
            peer,
            secure,
        )
        host = request.lines.get("host", "")
        if host not in self._hosts and host.lower() not in self._hosts:
            if sum(name == "host" for name, _ in headers) != 1:
                raise ValueError("exactly one Host header is needed")
            raise ValueError(
                f"this server is not called {host[:255]!r}: start it with --public-url or --allowed-host to say so"
            )
        return request

    def _forwarded(self, peer: str, secure: bool, headers: Headers) -> tuple[str, bool]:
        """Address and scheme of the client as trusted proxies tell: the last address that is none of theirs (R26).

        Of a scheme the last word counts, which is that of the proxy at the other end of the socket.
        """
        if not self._trusts(peer):
            return peer, secure
        hops = [hop.strip() for name, value in headers if name == "x-forwarded-for" for hop in value.split(",")]
        for hop in reversed(hops):
            try:
                address = str(_unmapped(ipaddress.ip_address(hop)))
            except ValueError:
                break
            peer = address
            if not self._trusts(address):
                break
        schemes = [value for name, value in headers if name == "x-forwarded-proto"]
        return peer, schemes[-1].rpartition(",")[2].strip().lower() == "https" if schemes else secure

    def _trusts(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)

    async def _aside(self, request: Request) -> Response:
        route = self._side_routes.get(request.path)
        of_issuer = request.path.startswith(outbound.PATH)
        if of_issuer:
            route = functools.partial(self._published, request.path)
        if route is None:
            if not check_target(request.path):
                return Response(400)
            return _plain(404, "nothing is here: the API is at /")
        if route is _acs and request.method in ("GET", "HEAD", "POST"):
            return _acs()  # whatever was posted is not looked at
        if request.method not in ("GET", "HEAD"):
            return _plain(405, "only GET", (("allow", "GET, HEAD"),))
        if route is _live:
            return _live()  # however busy the threads are
        if of_issuer:
            with contextlib.suppress(Miss):
                return self._page(request.path, self._pipeline.facts.cached_only())
        return await asyncio.get_running_loop().run_in_executor(self._threads, route)

    def _ready(self) -> Response:
        """Ready when the store can be read."""
        try:
            with self._data.store.snapshot() as snapshot:
                snapshot.count("", "account")
        except Exception:
            _log.exception("the store cannot be read")
            return _plain(503, "the store cannot be read")
        return _plain(200, "ready")

    def _published(self, path: str) -> Response:
        """A page of an account's issuer, from the store."""
        try:
            with self._pipeline.facts.reading() as view:
                return self._page(path, view)
        except Exception:
            _log.exception("an issuer's page cannot be made")
            return _plain(503, "the page cannot be made")

    def _page(self, path: str, view: View) -> Response:
        directory = Directory(view, self._data.vault, self._settings.partition)
        page = published(path, directory, self._settings.url, self._clock())
        return page or _plain(404, "there is no such page of an issuer")

    def _service_provider(self) -> Response:
        """What identity providers import to know this server as a SAML service provider."""
        document = service_provider(self._pipeline.providers)
        if document is None:
            return _plain(404, "SAML needs the extra: pip install 'locum[saml]'")
        return Response(200, (("content-type", "application/samlmetadata+xml"),), document)

    def _measured(self) -> Response:
        return Response(200, (("content-type", CONTENT_TYPE),), self._metrics.render())

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._flusher = asyncio.create_task(self._flush_regularly())
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            await asyncio.get_running_loop().run_in_executor(self._threads, self._flush)

    def _flush(self) -> None:
        try:
            self._pipeline.usage.flush(self._data.store)
        except Exception:
            _log.exception("the last uses cannot be written")
        try:
            prune(self._data.store, self._clock())
        except Exception:
            _log.exception("expired revocations cannot be removed")
        try:
            forget_spent(self._data.store, self._clock())
        except Exception:
            _log.exception("expired assertions cannot be removed")

    async def _close(self) -> None:
        if self._flusher is not None:
            self._flusher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._flusher
        await asyncio.get_running_loop().run_in_executor(self._threads, self._flush)
        self._threads.shutdown()
        self._fetching.close()
        self._audit.close()
        self._data.store.close()


def create_app(settings: Settings, *, clock: Callable[[], float] = time.time) -> Application:
    """The application for a data directory that is already set up; what goes wrong raises as ``open_data`` says."""
    return Application(settings, open_data(settings), clock=clock)


def _allowed_hosts(settings: Settings) -> frozenset[str]:
    """The values of Host that this server answers to (R45)."""
    ports = {f":{settings.port}", ""} if settings.port in (80, 443) else {f":{settings.port}"}
    named = {settings.host if ":" not in settings.host else f"[{settings.host}]"} - {"0.0.0.0", "[::]"}  # noqa: S104
    hosts = {f"{name}{port}" for name in _LOOPBACK | named for port in ports}
    if settings.public_url is not None:
        scheme, _, authority = settings.public_url.partition("://")
        hosts |= _spellings(authority, ":443" if scheme == "https" else ":80")
    return frozenset(host.lower() for host in (*hosts, *settings.allowed_host))


def _spellings(authority: str, default_port: str) -> set[str]:
    """The authority of a URL as clients write it: they may leave out the scheme's own port (RFC 9110 section 4.2.3)."""
    name = authority.removesuffix(default_port)
    return {authority} if name.rpartition(":")[2].isdigit() else {name, name + default_port}


def _unmapped(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address as policies write it: what a socket of both families shows of IPv4 is of IPv4."""
    return (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address


async def _body(receive: Receive, most: int) -> bytes:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise _Gone
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > most:
            raise _TooLarge
        return body
    gathered = bytearray(body)
    while message.get("more_body", False):
        if len(gathered) > most:
            raise _TooLarge
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        gathered += message.get("body", b"")
    if len(gathered) > most:
        raise _TooLarge
    return bytes(gathered)


def _plain(status: int, text: str, headers: Headers = ()) -> Response:
    return Response(status, (("content-type", "text/plain; charset=utf-8"), *headers), f"{text}\n".encode())


def _acs() -> Response:
    return _plain(200, _ACS_PAGE)


def _live() -> Response:
    return _plain(200, "live")


def _headers(raw: Sequence[tuple[bytes, bytes]]) -> Headers:
    """Header lines as text, values without the blanks around them; ValueError for what no line can hold."""
    if any(b"\0" in name or b"\0" in value for name, value in raw):
        raise ValueError("a header with a NUL in it")
    return tuple([(name.decode("latin-1"), value.decode("latin-1").strip(" \t")) for name, value in raw])


async def _respond(send: Send, response: Response) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    headers.append((b"content-length", b"%d" % len(response.body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
