"""What is measured besides the cost of a request: memory, start-up, workers, and a store with many roles."""

from __future__ import annotations

from pathlib import Path

from benchmarks.load import measure
from benchmarks.rounds import Samples, alternate, say
from benchmarks.subjects import Locum

__all__ = ["MANY_ROLES", "many_roles", "memory", "start_up", "workers"]

MANY_ROLES = 100_000
_USED_ROLES = 1_000
_STARTS = 5


def memory(folder: Path) -> dict[str, float]:
    """MiB (PSS) of a server with 1, 2 and 3 workers, all of its processes together, after a second of load each."""
    figures = {}
    with Locum(folder) as first:
        measure(first.server, first.requests("assume-role"), 1, folder)
        figures["pss-1"] = first.server.pss()
    for count in (2, 3):
        with first.with_workers(count) as several:
            measure(several.server, several.requests("assume-role"), 1, folder)
            figures[f"pss-{count}"] = several.server.pss()
    figures["pss-further"] = figures["pss-3"] - figures["pss-2"]
    say(f"memory: one worker {figures['pss-1']:.1f} MiB, each further {figures['pss-further']:.1f} MiB")
    return figures


def start_up(folder: Path) -> dict[str, float]:
    """Seconds from the command to the first answer of /health/ready: the least of several starts."""
    first, later = [], []
    for _ in range(_STARTS):
        fresh = Locum(folder)
        with fresh.launch() as server:
            first.append(server.started)
        with fresh.launch() as server:
            later.append(server.started)
    say(f"start-up: first {min(first):.2f} s, later {min(later):.2f} s")
    return {"start-first": min(first), "start-later": min(later)}


def workers(folder: Path, rounds: int, seconds: float) -> Samples:
    """AssumeRole by one worker and by two, on data of their own."""
    with Locum(folder) as one, Locum(folder, workers=2) as two:
        pairs = [("1-worker", one, "assume-role"), ("2-workers", two, "assume-role")]
        return alternate(pairs, rounds, seconds, folder)


def many_roles(folder: Path, rounds: int, seconds: float) -> Samples:
    """AssumeRole of 1,000 roles in turn with 100,000 stored, beside a server that has 8 roles."""
    with Locum(folder) as seed:
        pass
    with seed.with_many_roles(MANY_ROLES, _USED_ROLES) as many, Locum(folder) as few:
        pairs = [("few-roles", few, "assume-role"), ("many-roles", many, "assume-role")]
        return alternate(pairs, rounds, seconds, folder, warm=2)
