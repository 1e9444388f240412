"""How many requests an account, and a principal, may make in a second (area Q).

Token buckets in the form of one number each: the moment at which the bucket would be full again, which every request
moves on by its share.  They stand in one piece of memory that all workers share, so that a limit is the machine's and
not a process's, and that never grows: what finds no place takes that of the bucket that is nearest to full, which
forgets least.  Only verified callers are counted (R24), each against its own account, so that one account's load is
no other's.  A call that nobody signs is counted once its proof was verified, against the account of its role.
"""

from __future__ import annotations

import mmap
from typing import Final

from locum.api.shapes import Operation
from locum.core.session import Caller
from locum.errors import Throttling

__all__ = ["SHARED_OPERATIONS", "Buckets", "Receipt", "Throttle", "share"]

SHARED_OPERATIONS: Final = frozenset(
    {
        "AssumeRole",
        "DecodeAuthorizationMessage",
        "GetAccessKeyInfo",
        "GetCallerIdentity",
        "GetFederationToken",
        "GetSessionToken",
    }
)
"""The operations of STS that share one rate for each account (STS-Q-002)."""

_BURST: Final = 1.0
"""Seconds' worth of requests that a bucket holds when it is full."""
_TOLERANCE: Final = 0.05
"""Share of a token that may be missing, since sums of many small shares are not exact."""
_EPOCH: Final = 1_767_225_600.0
"""Moments are kept from here on, 2026: the fewer digits stand before the point, the more are behind it."""
_WAYS: Final = 4
_GROUPS: Final = 1 << 14
_SLOTS: Final = _GROUPS * _WAYS
"""Buckets that there is place for; those of accounts that were quiet for a second hold nothing and lose nothing."""
_CONTROL: Final = 0x5DEECE66D
_PRINCIPAL: Final = 0x2545F4914F6CD
_BEARERS: Final = 0x14057B7EF767F
"""They tell the other buckets of an account, and of its root user, from its first."""

_memory: mmap.mmap | None = None


def share() -> None:
    """Map the memory that the workers will share; called once, before they are forked."""
    global _memory
    _memory = mmap.mmap(-1, _SLOTS * 16)


class Buckets:
    """The buckets of this machine's workers, or of this process where no memory is shared.

    Workers write without a lock: where two count at the very same time, one of them may not be counted.
    """

    __slots__ = ("_full", "_marks")

    def __init__(self) -> None:
        memory = memoryview(_memory if _memory is not None else mmap.mmap(-1, _SLOTS * 16))
        self._marks: Final = memory[: _SLOTS * 8].cast("q")
        self._full: Final = memory[_SLOTS * 8 :].cast("d")

    def take(self, mark: int, interval: float, now: float) -> bool:
        """Take one token from the bucket of ``mark``, which gets one every ``interval`` seconds; False if empty.

        ``now`` is in epoch seconds.  What stands in a bucket and cannot be – the clock was set back, or two workers
        wrote at once – counts as full.
        """
        full = self._full
        slot = self._slot(mark)
        at = full[slot]
        now -= _EPOCH
        if not now < at <= now + _BURST + interval:
            at = now
        if at - now > _BURST - interval * (1.0 - _TOLERANCE):
            return False
        full[slot] = at + interval
        return True

    def give_back(self, mark: int, interval: float) -> None:
        """Undo one :meth:`take`."""
        self._full[self._slot(mark)] -= interval

    def _slot(self, mark: int) -> int:
        marks = self._marks
        first = (mark % _GROUPS) * _WAYS
        if marks[first] == mark:
            return first
        for slot in range(first + 1, first + _WAYS):
            if marks[slot] == mark:
                return slot
        full = self._full
        slot = min(range(first, first + _WAYS), key=full.__getitem__)
        marks[slot] = mark
        full[slot] = -_EPOCH
        return slot


Receipt = tuple[tuple[int, float], ...]
"""What a request was charged: the marks of buckets, and the seconds of each that it took."""


class Throttle:
    """The limits of one server; rates are requests per second, 0 for none.

    ``account``: of an account at :data:`SHARED_OPERATIONS`; ``principal``: of a user, a role or a root user there;
    ``control``: of an account at all other operations, IAM's first of all.
    """

    __slots__ = ("_account", "_buckets", "_control", "_principal")

    def __init__(
        self, *, account: int = 0, principal: int = 0, control: int = 0, buckets: Buckets | None = None
    ) -> None:
        self._account: Final = 1.0 / account if account else 0.0
        self._principal: Final = 1.0 / principal if principal else 0.0
        self._control: Final = 1.0 / control if control else 0.0
        self._buckets: Final = buckets if buckets is not None or not (account or principal or control) else Buckets()

    def charge(self, caller: Caller, operation: Operation, now: float) -> Receipt:
        """Count a request of a verified caller; Throttling beyond the rate (STS-Q-001)."""
        due: Receipt
        if operation.name not in SHARED_OPERATIONS:
            due = ((hash(caller.account) ^ _CONTROL, self._control),)
        elif self._principal:
            due = (hash(caller.principal_id) ^ _PRINCIPAL, self._principal), (hash(caller.account), self._account)
        else:
            due = ((hash(caller.account), self._account),)
        buckets = self._buckets
        if buckets is not None:
            for mark, interval in due:
                if interval and not buckets.take(mark, interval, now):
                    raise Throttling("Rate exceeded")
        return due

    def charge_account(self, account: str, now: float) -> Receipt:
        """Count a request that only its proof ties to an account; it is none of :data:`SHARED_OPERATIONS`.

        In a bucket of their own: anyone whom a public issuer gives tokens to comes this far, and must not keep the
        account from its IAM.
        """
        due = (hash(account) ^ _BEARERS, self._control)
        if self._buckets is not None and self._control and not self._buckets.take(*due, now):
            raise Throttling("Rate exceeded")
        return (due,)

    def give_back(self, receipt: Receipt) -> None:
        """Undo :meth:`charge` for a request that another thread will answer, which counts it again."""
        if self._buckets is not None:
            for mark, interval in receipt:
                if interval:
                    self._buckets.give_back(mark, interval)
