"""When a call is made again: the modes, what they retry, how long they wait, and what keeps them from storms.

All state is a few numbers behind a lock that is never held while waiting; time is an argument.
"""

from __future__ import annotations

import math
import os
import threading
import weakref
from typing import Any, Final, Literal

import msgspec

from locum.client.failures import ClientFailure, TimedOut
from locum.errors import ServiceException

__all__ = ["MODES", "THROTTLING_CODES", "Mode", "Pace", "Quota", "RetryMode", "throttled", "worth_retrying"]

RetryMode = Literal["legacy", "standard", "adaptive"]

MAX_DELAY: Final = 20.0
"""Seconds that one pause between two attempts lasts at most."""

THROTTLING_CODES: Final = frozenset({
    *("BandwidthLimitExceeded", "EC2ThrottledException", "LimitExceededException", "PriorRequestNotComplete"),
    *("ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled"),
    *("RequestThrottledException", "SlowDown", "ThrottledException", "Throttling", "ThrottlingException"),
    *("TooManyRequestsException", "TransactionInProgressException"),
})  # fmt: skip
"""Codes that ask the client to slow down (STS-CL-004)."""

_TRANSIENT_CODES: Final = frozenset({"RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete"})
_TRANSIENT_STATUS: Final = frozenset({500, 502, 503, 504})
_LEGACY_CODES: Final = frozenset({
    *("ProvisionedThroughputExceededException", "RequestThrottledException", "ThrottledException", "Throttling"),
    "ThrottlingException",
})  # fmt: skip
_LEGACY_STATUS: Final = frozenset({429, 500, 502, 503, 504, 509})


class Mode(msgspec.Struct, frozen=True):
    """A retry mode: attempts in all unless told otherwise, the codes and HTTP statuses it retries, its restraint.

    ``frugal`` modes spend a :class:`Quota`, ``paced`` ones slow down by a :class:`Pace`.
    """

    attempts: int
    codes: frozenset[str]
    statuses: frozenset[int]
    frugal: bool
    paced: bool

    def delay(self, attempt: int, random: float) -> float:
        """Seconds to wait after that attempt: exponential with full jitter; ``random`` is from 0 to 1."""
        longest = 2.0 ** min(attempt - 1, 30)
        return random * (min(longest, MAX_DELAY) if self.frugal else longest)


_STANDARD_CODES: Final = THROTTLING_CODES | _TRANSIENT_CODES

MODES: Final[dict[RetryMode, Mode]] = {
    "legacy": Mode(5, _LEGACY_CODES, _LEGACY_STATUS, frugal=False, paced=False),
    "standard": Mode(3, _STANDARD_CODES, _TRANSIENT_STATUS, frugal=True, paced=False),
    "adaptive": Mode(3, _STANDARD_CODES, _TRANSIENT_STATUS, frugal=True, paced=True),
}
"""Mode by name (STS-CL-003, STS-CL-004)."""


def throttled(error: Exception) -> bool:
    """Whether the service asked to slow down."""
    return isinstance(error, ServiceException) and error.code in THROTTLING_CODES


def worth_retrying(mode: Mode, error: Exception, status: int | None) -> bool:
    """Whether the same call may succeed when made again; ``status`` is the HTTP status of the answer that failed.

    What an error's class says (STS-CL-002), what came over the network, or what the mode retries.
    """
    if isinstance(error, ClientFailure):
        return error.retryable
    if isinstance(error, ServiceException):
        return type(error).retryable or error.code in mode.codes or status in mode.statuses
    return False


class Quota:
    """What a client may spend on retries: a store of tokens that successes fill, so that retries never multiply load.

    A retry costs 5, one after a timeout 10; a retry that succeeds gives its cost back, a call that needed none gives 1.
    """

    CAPACITY: Final = 500
    RETRY_COST: Final = 5
    TIMEOUT_COST: Final = 10

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = self.CAPACITY
        _living.add(self)

    @property
    def left(self) -> int:
        """The tokens that are there."""
        return self._left

    def take(self, error: Exception) -> int:
        """The cost of a retry after that error, taken; 0 where there is not enough left, and the call must end."""
        cost = self.TIMEOUT_COST if isinstance(error, TimedOut) else self.RETRY_COST
        with self._lock:
            if cost > self._left:
                return 0
            self._left -= cost
            return cost

    def give_back(self, cost: int) -> None:
        """After a success: what its last retry cost, 0 where there was none."""
        with self._lock:
            self._left = min(self._left + (cost or 1), self.CAPACITY)


class Pace:
    """The rate at which an adaptive client may send: free until it is throttled, then cut and grown back by a cubic.

    The measured rate is a smoothed count of attempts by half seconds.  Being throttled sets the rate to seven tenths
    of it; afterwards the rate grows slowly around the point where it was throttled and quickly away from it, at most
    to twice what is really sent.
    """

    SMOOTHING: Final = 0.8
    WINDOW: Final = 0.5
    CUT: Final = 0.7
    GROWTH: Final = 0.4
    LEAST: Final = 0.5

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on = False
        self._tokens = 0.0
        self._filled_at: float | None = None
        self._rate = 1.0
        self._measured = 0.0
        self._count = 0
        self._window: float | None = None
        self._throttled_rate = 0.0
        self._throttled_at = 0.0
        _living.add(self)

    @property
    def rate(self) -> float | None:
        """Attempts a second that may be made; None while there is no limit."""
        return self._rate if self._on else None

    def wait(self, now: float) -> float:
        """Take a place for one attempt: 0.0, or the seconds after which to ask again, and nothing was taken."""
        with self._lock:
            if self._window is None:
                self._begin(now)
            if not self._on:
                return 0.0
            self._fill(now)
            if self._tokens >= 1.0 - 1e-9:
                self._tokens -= 1.0
                return 0.0
            return (1.0 - self._tokens) / self._rate

    def learn(self, now: float, *, throttled: bool) -> None:
        """What came of an attempt that :meth:`wait` let go."""
        with self._lock:
            self._measure(now)
            if throttled:
                base = min(self._measured, self._rate) if self._on else self._measured
                self._throttled_rate, self._throttled_at = base, now
                rate = base * self.CUT
                self._on = True
            else:
                elapsed = now - self._throttled_at
                level = math.cbrt(self._throttled_rate * (1 - self.CUT) / self.GROWTH)
                rate = self.GROWTH * (elapsed - level) ** 3 + self._throttled_rate
            self._fill(now)
            self._rate = max(min(rate, 2 * self._measured), self.LEAST)
            self._tokens = min(self._tokens, max(self._rate, 1.0))

    def _begin(self, now: float) -> None:
        self._window = float(math.floor(now))
        self._throttled_at = now

    def _fill(self, now: float) -> None:
        if self._filled_at is not None:
            added = max(now - self._filled_at, 0.0) * self._rate
            self._tokens = min(self._tokens + added, max(self._rate, 1.0))
        self._filled_at = now

    def _measure(self, now: float) -> None:
        if self._window is None:
            self._begin(now)
        last = self._window or 0.0
        window = math.floor(now / self.WINDOW) * self.WINDOW
        self._count += 1
        if window > last:
            current = self._count / (window - last)
            self._measured = current * self.SMOOTHING + self._measured * (1 - self.SMOOTHING)
            self._count = 0
            self._window = window


_living: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def _after_fork() -> None:
    """In the child: the thread that held a lock of the parent's may not exist here."""
    for each in list(_living):
        each._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
