"""Alternating rounds: every line once per round, so that what disturbs the machine disturbs all of them alike."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.load import Refused, Sample, measure
from benchmarks.subjects import Subject

__all__ = ["Samples", "alternate", "best", "middle", "ratio", "say"]

Samples = dict[str, list[Sample]]
"""Name of a line → one sample of each round."""


def say(text: str) -> None:
    """A line about progress, on standard error."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def alternate(
    pairs: Sequence[tuple[str, Subject, str]], rounds: int, seconds: float, folder: Path, *, warm: float = 1
) -> Samples:
    """Measure each ``(name, subject, line)`` in turn, ``rounds`` times; a line that is refused leaves the table."""
    samples: Samples = {name: [] for name, _, _ in pairs}
    for turn in range(rounds + 1):
        for name, subject, line in pairs:
            if name not in samples:
                continue
            try:
                taken = measure(subject.server, subject.requests(line), seconds if turn else warm, folder)
            except Refused as refusal:
                say(f"!!! {name} is left out: {refusal}")
                del samples[name]
                continue
            finally:
                subject.rest()
            if turn:
                samples[name].append(taken)
                say(f"round {turn} of {rounds}  {name:<24}{taken.cpu:9.1f} µs of CPU {taken.rate:9.0f}/s")
    return samples


def best(samples: Iterable[Sample]) -> float:
    """The least CPU µs per request: what the machine shows when nobody disturbs it."""
    return min(each.cpu for each in samples)


def middle(samples: Iterable[Sample], figure: str) -> float:
    """The median of ``cpu``, ``rate``, ``p50`` or ``p99``."""
    return median(float(getattr(each, figure)) for each in samples)


def ratio(samples: Samples, name: str, other: str, figure: str = "cpu") -> float | None:
    """The median over the rounds of one line's figure by another's of the same round; None where one is missing."""
    if not samples.get(name) or not samples.get(other):
        return None
    pairs = zip(samples[name], samples[other], strict=True)
    return median(float(getattr(one, figure)) / float(getattr(two, figure)) for one, two in pairs)
