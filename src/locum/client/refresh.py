"""Credentials that renew themselves: when, by whom, and what happens when it fails.

:class:`State` is the pure part.  Credentials are renewed in the last quarter of their lifetime, a little earlier or
later by chance, so that many processes that began together do not ask together.  AWS's fixed windows (STS-CL-030)
would renew a session of 900 seconds all the time.

:class:`Refreshing` is a provider around a provider that holds a state.  Of all threads and tasks of a process that
need credentials one goes and gets them.  While the old ones are valid nobody waits: the renewal happens behind their
backs, and a failure leaves everything as it was until the next try.  Only without valid credentials do callers wait,
all for the same attempt.
"""

from __future__ import annotations

import os
import threading
import weakref
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Any, Final

import msgspec

from locum.client import log
from locum.client.credentials.base import Credentials, Provider
from locum.client.effects import Flow, Now, Random, Spawn, Wait
from locum.client.failures import CredentialsFailure

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["JITTER", "LONGEST_PAUSE", "WINDOW", "Refreshing", "State", "Turn"]

WINDOW: Final = 0.25
"""The last part of a lifetime in which credentials are renewed: 15 minutes of an hour, 225 seconds of 900."""

JITTER: Final = 0.05
"""By how much of a lifetime the renewal may begin earlier or later."""

LONGEST_PAUSE: Final = 60.0
"""Seconds between tries at most, as long as there is something to use."""

_LONGEST_REFUSAL: Final = 30.0
"""Seconds for which callers get the last failure at most, once there is nothing to use."""


class Turn(Enum):
    """What a caller does about credentials."""

    USE = "use"
    """They are valid, and nothing has to be done."""
    BEHIND = "refresh behind"
    """They are valid, and somebody should renew them in the meantime."""
    WAIT = "wait"
    """There are none to use: get some."""
    REFUSE = "refuse"
    """There are none to use, and the source failed several times just now."""


class State(msgspec.Struct, frozen=True):
    """What is known of credentials; every change makes another state.  Times are epoch seconds.

    ``due`` is when a renewal may begin, ``retry`` when one may be tried again after ``failures`` in a row, the last of
    which was ``error``.
    """

    credentials: Credentials | None = None
    expires: float = -inf
    due: float = -inf
    failures: int = 0
    retry: float = -inf
    error: Exception | None = None

    def turn(self, now: float) -> Turn:
        """What to do at a time."""
        # A pause longer than any that was ever set means that the clock was put back.
        pausing = now < self.retry <= now + LONGEST_PAUSE
        if self.credentials is not None and now < self.expires:
            return Turn.USE if now < self.due or pausing else Turn.BEHIND
        return Turn.REFUSE if pausing and self.failures > 1 else Turn.WAIT

    def succeeded(self, fetched: Credentials, now: float, chance: float) -> State:
        """After credentials came; ``chance`` is from 0 up to 1.

        Raises CredentialsFailure where they have expired already (STS-CL-030).
        """
        if fetched.expiration is None:
            return State(fetched, inf, inf)
        expires = fetched.expiration.timestamp()
        lifetime = expires - now
        if lifetime <= 0:
            raise CredentialsFailure(
                f"the credentials that were just fetched expired {-lifetime:.0f} seconds ago; is the clock right?"
            )
        return State(fetched, expires, expires - lifetime * (WINDOW + JITTER * (2 * chance - 1)))

    def failed(self, error: Exception, now: float, chance: float) -> State:
        """After an attempt failed."""
        failures = self.failures + 1
        if now < self.expires:
            pause = min(max((self.expires - now) / 8, 1.0), LONGEST_PAUSE)
        else:
            pause = min(2.0 ** min(failures - 2, 10), _LONGEST_REFUSAL) if failures > 1 else 0.0
        return msgspec.structs.replace(
            self, failures=failures, retry=now + pause * (0.5 + chance / 2), error=error.with_traceback(None)
        )

    def again(self, chance: float) -> State:
        """The same in another process, which should not renew at the same moment."""
        if self.credentials is None or self.expires == inf:
            return State(self.credentials, self.expires, self.due)
        width = (self.expires - self.due) * JITTER / WINDOW
        return State(self.credentials, self.expires, self.due + width * (2 * chance - 1))


class _Abandoned(Exception):
    """Who was fetching was stopped from outside; somebody else has to."""


class _Flight:
    """An attempt that is under way; ``ended`` is for those who wait for it, and made for the first of them."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended: Future[None] | None = None

    def awaited(self) -> Future[None]:
        """What they wait for; to be asked for by one thread at a time."""
        if self.ended is None:
            from concurrent.futures import Future

            self.ended = Future()
            self.ended.set_running_or_notify_cancel()
        return self.ended


class Refreshing:
    """A provider whose credentials are fetched once, kept, and renewed in time; share one among threads and tasks.

    A process that is forked keeps the credentials and renews them by itself.
    """

    def __init__(self, provider: Provider) -> None:
        self._provider: Final = provider
        self._state = State()
        self._lock = threading.Lock()
        self._flight: _Flight | None = None
        self._forked = False
        _living.add(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._provider!r})"

    @property
    def provider(self) -> Provider:
        """Where the credentials come from."""
        return self._provider

    def at(self, now: float) -> Credentials | None:
        """The credentials if nothing has to be done about them at a time: the quick way past :meth:`resolve`."""
        state = self._state
        return state.credentials if now < state.due and not self._forked else None

    def resolve(self) -> Flow[Credentials]:
        """Valid credentials; waits only where there are none.

        Raises what the provider raised where there are none to use.
        """
        if self._forked:
            yield from self._settle()
        while True:
            state = self._state
            turn = state.turn((yield from Now()))
            if turn is Turn.REFUSE and state.error is not None:
                raise state.error.with_traceback(None)
            if turn is Turn.USE and state.credentials is not None:
                return state.credentials
            flight, mine = self._board(state)
            if turn is Turn.BEHIND and state.credentials is not None:
                if flight is not None and mine:
                    yield from self._behind(flight)
                return state.credentials
            if flight is None:
                continue
            if mine:
                yield from self._fetch(flight)
                continue
            assert flight.ended is not None
            try:
                yield from Wait(flight.ended)
            except _Abandoned:
                continue

    def forget(self) -> None:
        """Fetch anew for the next caller: for credentials that a service has just refused."""
        with self._lock:
            self._state = State()

    def _board(self, seen: State) -> tuple[_Flight | None, bool]:
        """The attempt that is under way or, where there is none, a new one that is the caller's own.

        No attempt at all where one has ended since the caller looked.
        """
        with self._lock:
            if self._flight is not None:
                self._flight.awaited()
                return self._flight, False
            if self._state is not seen:
                return None, False
            self._flight = _Flight()
            return self._flight, True

    def _behind(self, flight: _Flight) -> Flow[None]:
        try:
            yield from Spawn(self._quietly(flight))
        except Exception as error:
            log.warning("credentials are not renewed: %s", error)
            self._land(flight, error)
        except BaseException:
            self._land(flight, _Abandoned())
            raise

    def _quietly(self, flight: _Flight) -> Flow[None]:
        try:
            yield from self._fetch(flight)
        except Exception as error:
            log.warning("credentials could not be renewed; the old ones stay in use until they expire: %s", error)

    def _fetch(self, flight: _Flight) -> Flow[None]:
        """One attempt; whoever waits for it learns how it ended, however that is."""
        outcome: Exception | None = _Abandoned()
        try:
            chance = yield from Random()
            try:
                fetched = yield from self._provider.resolve()
                state = self._state.succeeded(fetched, (yield from Now()), chance)
            except Exception as error:
                outcome = error
                state = self._state.failed(error, (yield from Now()), chance)
                self._keep(flight, state)
                raise
            self._keep(flight, state)
            outcome = None
        finally:
            self._land(flight, outcome)

    def _keep(self, flight: _Flight, state: State) -> None:
        with self._lock:
            if self._flight is flight:
                self._state = state

    def _land(self, flight: _Flight, outcome: Exception | None) -> None:
        with self._lock:
            if self._flight is flight:
                self._flight = None
            ended = flight.ended
        if ended is None or ended.done():
            return
        if outcome is None:
            ended.set_result(None)
        else:
            ended.set_exception(outcome)

    def _settle(self) -> Flow[None]:
        chance = yield from Random()
        with self._lock:
            if self._forked:
                self._state, self._forked = self._state.again(chance), False

    def _after_fork(self) -> None:
        """In the child: what another thread of the parent held or was doing does not exist here."""
        self._lock = threading.Lock()
        self._flight = None
        self._forked = True


_living: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def _after_fork() -> None:
    for each in list(_living):
        each._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
