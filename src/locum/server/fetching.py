"""Issuers' keys are fetched here: off the event loop, and off the threads that everybody else needs.

An issuer that hangs takes one thread of a pool that does nothing else, however many requests wait for its keys: they
wait for the one fetch together.  Threads, and requests that wait, are bounded, and so is what one account can have of
them: a place is given to who holds fewer than are free.  An account alone gets half of them, and leaves as many to the
first that comes.  Whoever finds no place among those that wait is told to try again; a thread that becomes free goes to
the account that holds the fewest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from locum.server.jwks import KeysNeeded

__all__ = ["Fetching"]

_THREADS: Final = 16
_WAITING: Final = 512
"""Requests that wait for keys at most, in one process."""

_log = logging.getLogger("locum.server")


class _Places:
    """A number of places, and how many of them each account holds."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._held: Final[dict[str, int]] = {}

    def held(self, account: str) -> int:
        return self._held.get(account, 0)

    def take(self, account: str) -> bool:
        """Whether the account gets a place: only while it holds fewer than are free."""
        held = self.held(account)
        if held >= self._free:
            return False
        self._free -= 1
        self._held[account] = held + 1
        return True

    def leave(self, account: str) -> None:
        self._free += 1
        self._held[account] -= 1
        if not self._held[account]:
            del self._held[account]


class _Fetch:
    """The fetch of an issuer's keys, queued or under way, and the number of requests that wait for it."""

    def __init__(self, need: KeysNeeded, loop: asyncio.AbstractEventLoop) -> None:
        self.need: Final = need
        self.loop: Final = loop
        self.done: Final[asyncio.Future[None]] = loop.create_future()
        self.begun = False
        self.requests = 0

    def end(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


class Fetching:
    """Fulfils needs for keys; ``fetch`` does it, blocking, and remembers its outcome itself.

    For one event loop; made anywhere.
    """

    def __init__(
        self, fetch: Callable[[KeysNeeded], None], *, threads: int = _THREADS, waiting: int = _WAITING
    ) -> None:
        self._fetch: Final = fetch
        self._pool: Final = ThreadPoolExecutor(threads, thread_name_prefix="locum-keys")
        self._threads: Final = _Places(threads)
        self._waiting: Final = _Places(waiting)
        self._fetches: Final[dict[str, _Fetch]] = {}
        self._queued: Final[dict[str, dict[str, _Fetch]]] = {}
        """Account → issuer → fetch; whoever had a thread last is at the end.  A fetch that several accounts need
        stands in the queue of each."""

    async def fulfil(self, need: KeysNeeded) -> bool:
        """Wait until the keys were asked for, whatever came of it; False where nobody has time for it now."""
        account, issuer = need.account, need.issuer
        if not self._waiting.take(account):
            return False
        fetch = self._fetches.get(issuer)
        if fetch is None:
            fetch = self._fetches[issuer] = _Fetch(need, asyncio.get_running_loop())
        fetch.requests += 1
        try:
            if not fetch.begun:
                self._queued.setdefault(account, {})[issuer] = fetch
                self._begin_some()
            # Who goes away must not take along what others wait for.
            await asyncio.shield(fetch.done)
        finally:
            fetch.requests -= 1
            self._waiting.leave(account)
            if not fetch.requests and not fetch.begun:
                self._leave_queues(issuer)
                del self._fetches[issuer]
        return True

    def _begin_some(self) -> None:
        """Begin what there are threads for: the account that holds the fewest comes first, and had none the longest."""
        while self._queued:
            account = min(self._queued, key=self._threads.held)
            if not self._threads.take(account):
                return
            self._queued[account] = queue = self._queued.pop(account)
            issuer, fetch = next(iter(queue.items()))
            self._leave_queues(issuer)
            self._begin(fetch, issuer, account)

    def _leave_queues(self, issuer: str) -> None:
        for account in [each for each, queue in self._queued.items() if issuer in queue]:
            del self._queued[account][issuer]
            if not self._queued[account]:
                del self._queued[account]

    def _begin(self, fetch: _Fetch, issuer: str, account: str) -> None:
        def ended(_: object) -> None:
            self._threads.leave(account)
            del self._fetches[issuer]
            fetch.end()
            self._begin_some()

        fetch.begun = True
        try:
            running = fetch.loop.run_in_executor(self._pool, self._run, fetch.need)
        except RuntimeError:  # no thread can be had any more
            fetch.loop.call_soon(ended, None)
        else:
            running.add_done_callback(ended)

    def _run(self, need: KeysNeeded) -> None:
        try:
            self._fetch(need)
        except Exception:
            _log.exception("the keys of an issuer cannot be fetched")

    def close(self) -> None:
        """Begin nothing more; what is under way ends by itself within the limits of a fetch."""
        self._pool.shutdown(wait=False, cancel_futures=True)
