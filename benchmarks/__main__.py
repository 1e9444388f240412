"""``python -m benchmarks [--only NAME,…]``: measure, print the tables, and write docs/performance.md.

Without ``--only`` everything is measured and written down.  With it the named parts alone are measured and printed:
ratios only compare within one run, so a partial one is not written into the page.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks import client, control, machine, micro
from benchmarks.load import Refused, wrk_missing
from benchmarks.policy import DECISIONS
from benchmarks.processes import CannotStart
from benchmarks.processes import machine as machine_facts
from benchmarks.profile import InProcess, sampled
from benchmarks.report import Results, page, write
from benchmarks.rounds import alternate, say
from benchmarks.subjects import SUBJECTS, Floor, Locum, NotInstalled, Subject
from benchmarks.timing import timed

_ROOT: Final = Path(__file__).parents[1]
_LINES: Final = tuple(name for kind in SUBJECTS for name in kind.names if name != "floor")
_PARTS: Final = (
    *("requests", "workers", "roles", control.PART, "hanging", "memory", "start-up"),
    *(client.PART, "micro", "policy", "profile"),
)
_NAMES: Final = (*_PARTS, *_LINES, *micro.TIMINGS)
_PROFILED: Final = ("identity-key", "assume-role")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--only",
        default="",
        metavar="NAME,…",
        help=f"of {', '.join(_NAMES)}",
    )
    parser.add_argument("--rounds", type=int, default=7, help="alternating rounds (default 7)")
    parser.add_argument("--seconds", type=float, default=2, help="seconds of load per line and round (default 2)")
    chosen = parser.parse_args(argv)
    chosen.names = [name for name in chosen.only.split(",") if name]
    unknown = set(chosen.names) - {*_NAMES}
    if unknown:
        parser.error(f"nothing is named {', '.join(sorted(unknown))}; there is {', '.join(_NAMES)}")
    return chosen


def _requests(results: Results, lines: Sequence[str], rounds: int, seconds: float, folder: Path) -> None:
    """The table of requests: every subject that has one of the lines, and the floor."""
    with ExitStack() as held:
        pairs: list[tuple[str, Subject, str]] = []
        for kind in SUBJECTS:
            if kind is not Floor and not set(kind.names) & set(lines):
                continue
            try:
                subject = kind(folder)
                held.enter_context(subject)
            except (NotInstalled, CannotStart) as reason:
                results.skipped.append(kind.name)
                say(f"!!! {kind.name} is left out: {reason}")
                continue
            pairs += [(line, subject, line) for line in subject.lines if line in lines or line == "floor"]
            say(f"{kind.name} answers after {subject.server.started:.2f} s")
        results.requests = alternate(pairs, rounds, seconds, folder)
        results.skipped += [name for name, _, _ in pairs if name not in results.requests]


def _profiles(results: Results, folder: Path) -> None:
    with Locum(folder) as subject:
        requests = {line: subject.requests(line) for line in _PROFILED}
    with InProcess(subject) as locum:
        for line in _PROFILED:
            locum.run(requests[line], 2_000)
            results.profiles[line] = sampled(lambda line=line: locum.run(requests[line], 40_000))  # type: ignore[misc]
            say(f"profile of {line} taken")


def _crowds(results: Results, rounds: int, seconds: float, folder: Path) -> None:
    samples, figures = control.crowds(folder, rounds, seconds)
    results.crowd.update(samples)
    results.figures.update(figures)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was chosen; 1 where something of it could not be measured."""
    chosen = _arguments(argv)
    results = Results()
    missing = wrk_missing()
    wanted = {part: not chosen.names or part in chosen.names for part in _PARTS}
    lines = _LINES if wanted["requests"] else [name for name in chosen.names if name in _LINES]
    within = {"micro": micro.TIMINGS, "policy": DECISIONS}
    timings = [
        name
        for name in micro.TIMINGS
        if name in chosen.names or any(wanted[part] and name in names for part, names in within.items())
    ]
    begun = time.monotonic()
    facts = {"date": time.strftime("%Y-%m-%d"), "machine": machine_facts()}
    few = max(3, chosen.rounds // 2)
    with tempfile.TemporaryDirectory(prefix="locum-bench-") as name:
        folder = Path(name)

        def take(part: str, run: Callable[[], None], *, loads: bool = True) -> None:
            try:
                if loads and missing:
                    raise NotInstalled(missing)
                run()
            except (NotInstalled, CannotStart, Refused) as reason:
                results.skipped.append(part)
                say(f"!!! {part}: left out: {reason}")

        if lines:
            take("requests", lambda: _requests(results, lines, chosen.rounds, chosen.seconds, folder))
        if wanted["workers"]:
            take("workers", lambda: results.workers.update(machine.workers(folder, few, chosen.seconds)))
        if wanted["roles"]:
            take("roles", lambda: results.roles.update(machine.many_roles(folder, few, chosen.seconds)))
        if wanted[control.PART]:
            take(control.PART, lambda: _crowds(results, few, chosen.seconds, folder))
        if wanted["hanging"]:
            take("hanging", lambda: results.hanging.update(machine.hanging(folder, few, chosen.seconds)))
        if wanted["memory"]:
            take("memory", lambda: results.figures.update(machine.memory(folder)))
        if wanted["start-up"]:
            take("start-up", lambda: results.figures.update(machine.start_up(folder)), loads=False)
        if wanted[client.PART]:
            take(client.PART, lambda: results.figures.update(client.measure(folder, chosen.rounds)), loads=False)
        for each in timings:
            take(each, lambda each=each: results.timings.append(timed(each, micro.TIMINGS[each]())), loads=False)  # type: ignore[misc]
        if wanted["profile"]:
            take("profile", lambda: _profiles(results, folder), loads=False)
    say(f"took {time.monotonic() - begun:.0f} s")
    print(page(results, date=facts["date"], machine=facts["machine"], whole=not chosen.names))
    if not chosen.names and not missing:
        write(_ROOT / "docs" / "performance.md", _ROOT / "docs" / "performance.svg", results, facts=facts)
        say("docs/performance.md and docs/performance.svg are written")
    return 1 if results.skipped else 0


if __name__ == "__main__":
    sys.exit(main())
