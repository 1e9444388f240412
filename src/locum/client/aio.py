"""The asyncio driver: performs a flow's effects in a task, HTTP with aiohttp (extra ``async``)."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from locum.client import log
from locum.client.effects import (
    Effect,
    Flow,
    Monotonic,
    Now,
    Prompt,
    Random,
    ReadFile,
    Run,
    Send,
    Sleep,
    Spawn,
    Wait,
)
from locum.client.failures import (
    AnswerTooLarge,
    CertificateFailure,
    ConfigurationFailure,
    ConnectionFailure,
    TimedOut,
)
from locum.client.proxies import Proxies
from locum.client.tls import tls_context
from locum.client.transport import ask, read_file, run_program
from locum.http import Response

if TYPE_CHECKING:
    import ssl
    from concurrent.futures import Future

    import aiohttp

__all__ = ["Concurrent"]

Result = TypeVar("Result")


class Concurrent:
    """Performs flows in the running event loop, any number of them at once.

    ``prompt`` asks a person, in a thread; without it the terminal is asked.  Connections belong to the loop and the
    process that first used it; in another one new connections are made.
    """

    def __init__(
        self,
        *,
        proxies: Proxies | None = None,
        ca_bundle: str | None = None,
        prompt: Callable[[str], str] | None = None,
        connections: int = 100,
    ) -> None:
        self._proxies = proxies or Proxies()
        self._ca_bundle = ca_bundle
        self._prompt = prompt or ask
        self._connections = connections
        self._context: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None
        self._owner: tuple[int, asyncio.AbstractEventLoop] | None = None
        self._behind: set[asyncio.Task[None]] = set()

    async def run(self, flow: Generator[Effect[Any], Any, Result]) -> Result:
        """Perform a flow to its end: its result, or what it raises; cancelling is thrown into the flow."""
        try:
            effect = next(flow)
            while True:
                try:
                    instant = _INSTANT.get(type(effect))
                    result = await _PERFORM[type(effect)](self, effect) if instant is None else instant()
                except BaseException as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(result)
        except StopIteration as end:
            value: Result = end.value
            return value

    async def close(self) -> None:
        """Wait for what runs behind calls and close all connections; later requests open new ones."""
        if self._behind:
            await asyncio.wait(self._behind)
        session, self._session = self._session, None
        if session is not None and self._owner == (os.getpid(), asyncio.get_running_loop()):
            await session.close()

    async def _send(self, effect: Send) -> Response:
        import aiohttp
        from yarl import URL

        request = effect.request
        proxy = self._proxies.for_origin(effect.origin) if effect.proxied else None
        target = f"{effect.origin}{request.path}" + (f"?{request.query}" if request.query else "")
        try:
            async with self._opened().request(
                request.method,
                URL(target, encoded=True),
                data=request.body or None,
                headers=request.headers,
                allow_redirects=False,
                proxy=proxy,
                ssl=self._trusted(effect.origin, proxy),
                timeout=aiohttp.ClientTimeout(
                    total=effect.total, sock_connect=effect.connect, sock_read=effect.read
                ),
            ) as answer:  # fmt: skip
                body = bytearray()
                while chunk := await answer.content.readany():
                    body += chunk
                    if len(body) > effect.most:
                        raise AnswerTooLarge(f"{effect.origin}: the answer has more than {effect.most} bytes")
                headers = tuple([(name.lower(), value) for name, value in answer.headers.items()])
                return Response(answer.status, headers, bytes(body))
        except TimeoutError as error:
            raise TimedOut(f"{effect.origin}: no answer in time") from error
        except aiohttp.ClientConnectorCertificateError as error:
            reason = getattr(error.certificate_error, "verify_message", "")
            raise CertificateFailure(f"{effect.origin}: the certificate is not trusted: {reason}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ConnectionFailure(f"{effect.origin}: {type(error).__name__}") from error

    def _trusted(self, origin: str, proxy: str | None) -> ssl.SSLContext | bool:
        """The certificates to trust, which take long to load; True, aiohttp's default, where there is no TLS."""
        if not origin.startswith("https:") and not (proxy or "").startswith("https:"):
            return True
        if self._context is None:
            self._context = tls_context(self._ca_bundle)
        return self._context

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        owner = (os.getpid(), asyncio.get_running_loop())
        if self._session is None or self._session.closed or self._owner != owner:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
            )
            self._owner = owner
        return self._session

    async def _run(self, effect: Run) -> bytes:
        return await asyncio.to_thread(run_program, effect)

    async def _read_file(self, effect: ReadFile) -> bytes:
        return await asyncio.to_thread(read_file, effect)

    async def _ask(self, effect: Prompt) -> str:
        return await asyncio.to_thread(self._prompt, effect.text)

    async def _sleep(self, effect: Sleep) -> None:
        await asyncio.sleep(effect.seconds)

    async def _wait(self, effect: Wait) -> Any:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def finished(_: Future[Any]) -> None:
            # The loop may be gone by the time that a thread of another one is done.
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

        effect.future.add_done_callback(finished)
        try:
            await asyncio.wait_for(done.wait(), effect.timeout)
        except TimeoutError:
            raise TimedOut("what another call is doing was not done in time") from None
        return effect.future.result()

    async def _spawn(self, effect: Spawn) -> None:
        task = asyncio.get_running_loop().create_task(self._quietly(effect.flow))
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    async def _quietly(self, flow: Flow[Any]) -> None:
        try:
            await self.run(flow)
        except Exception as error:
            log.warning("what ran behind a call failed: %s", error)


_INSTANT: Final[dict[type, Callable[[], float]]] = {
    Now: time.time,
    Monotonic: time.monotonic,
    Random: random.random,
}
_PERFORM: Final[dict[type, Callable[[Concurrent, Any], Awaitable[Any]]]] = {
    Send: Concurrent._send,
    Sleep: Concurrent._sleep,
    Run: Concurrent._run,
    Prompt: Concurrent._ask,
    ReadFile: Concurrent._read_file,
    Wait: Concurrent._wait,
    Spawn: Concurrent._spawn,
}
"""Effect → how it is performed."""


def require_aiohttp() -> None:
    """Raise ConfigurationFailure, naming the extra, where aiohttp is not installed."""
    try:
        import aiohttp  # noqa: F401
    except ImportError:
        raise ConfigurationFailure("AsyncSTSClient needs aiohttp: pip install 'locum[async]'") from None
