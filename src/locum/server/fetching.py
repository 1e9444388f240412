"""Issuers' keys are fetched here: off the event loop, and off the threads that everybody else needs.

An issuer that hangs takes one thread of a pool that does nothing else, however many requests wait for its keys: they
wait for the one fetch together.  Threads, and requests that wait, are bounded; whoever finds no place is told to try
again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from locum.server.jwks import KeysNeeded

__all__ = ["Fetching"]

_THREADS: Final = 8
_WAITING: Final = 256
"""Requests that wait for keys at most, in one process."""

_log = logging.getLogger("locum.server")


class Fetching:
    """Fulfils needs for keys; ``fetch`` does it, blocking, and remembers its outcome itself.

    For one event loop; made anywhere.
    """

    def __init__(
        self, fetch: Callable[[KeysNeeded], None], *, threads: int = _THREADS, waiting: int = _WAITING
    ) -> None:
        self._fetch: Final = fetch
        self._threads: Final = ThreadPoolExecutor(threads, thread_name_prefix="locum-keys")
        self._most: Final = waiting
        self._waiting = 0
        self._running: Final[dict[str, asyncio.Future[None]]] = {}

    async def fulfil(self, need: KeysNeeded) -> bool:
        """Wait until the keys were asked for, whatever came of it; False where nobody has time for it now."""
        if self._waiting >= self._most:
            return False
        self._waiting += 1
        try:
            running = self._running.get(need.issuer)
            if running is None:
                running = asyncio.get_running_loop().run_in_executor(self._threads, self._run, need)
                self._running[need.issuer] = running
                running.add_done_callback(lambda _: self._running.pop(need.issuer, None))
            # Who goes away must not take along what others wait for.
            await asyncio.shield(running)
        finally:
            self._waiting -= 1
        return True

    def _run(self, need: KeysNeeded) -> None:
        try:
            self._fetch(need)
        except Exception:
            _log.exception("the keys of an issuer cannot be fetched")

    def close(self) -> None:
        """Begin nothing more; what is under way ends by itself within the limits of a fetch."""
        self._threads.shutdown(wait=False, cancel_futures=True)
