"""Two ways of doing the same, timed in alternating rounds: CPU µs of one call each, and the median of their ratios."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Final, NamedTuple

__all__ = ["Pair", "Program", "Timing", "Work", "timed"]

_ROUNDS: Final = 9
_ROUND_SECONDS: Final = 0.05

Work = Callable[[], object]


class Program(ABC):
    """Another program that does the same; it measures itself."""

    @abstractmethod
    def loop(self, count: int) -> float:
        """CPU µs of one call, the mean of ``count``."""

    @abstractmethod
    def close(self) -> None:
        """End the program."""


class Timing(NamedTuple):
    """CPU µs of one call, of the plain way where there is one, and the median of their ratios."""

    name: str
    title: str
    ours: float
    against: str = ""
    reference: float | None = None
    ratio: float | None = None


class Pair(NamedTuple):
    """A part of locum, and the plain way of doing the same where there is one."""

    title: str
    ours: Work
    against: str = ""
    reference: Work | Program | None = None


def timed(name: str, pair: Pair) -> Timing:
    """One part beside its counterpart; a program that takes part in it is ended."""
    reference = pair.reference
    loops: list[Callable[[int], float]] = [partial(_loop, pair.ours)]
    if isinstance(reference, Program):
        loops.append(reference.loop)
    elif reference is not None:
        loops.append(partial(_loop, reference))
    try:
        counts = [_calibrated(loop) for loop in loops]
        taken = [[loop(count) for loop, count in zip(loops, counts, strict=True)] for _ in range(_ROUNDS)]
    finally:
        if isinstance(reference, Program):
            reference.close()
    least = [min(each) for each in zip(*taken, strict=True)]
    if reference is None:
        return Timing(name, pair.title, least[0])
    return Timing(name, pair.title, least[0], pair.against, least[1], median(two / one for one, two in taken))


def _calibrated(loop: Callable[[int], float]) -> int:
    count = 1
    while loop(count) * count < _ROUND_SECONDS * 1e6 / 2:
        count *= 2
    return count


def _loop(work: Work, count: int) -> float:
    """CPU µs of one call, the mean of ``count``."""
    repeated = range(count)
    begun = time.thread_time_ns()
    for _ in repeated:
        work()
    return (time.thread_time_ns() - begun) / count / 1_000
