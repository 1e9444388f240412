"""The results as a page: tables between two markers of docs/performance.md, and a bar chart beside it."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from benchmarks import client, control
from benchmarks.rounds import Samples, best, middle, ratio
from benchmarks.timing import Timing

__all__ = ["BEGIN", "END", "Goal", "Results", "chart", "goals", "page", "write"]

BEGIN: Final = "<!-- bench: begin; what stands between the marks is written by make bench -->"
END: Final = "<!-- bench: end -->"

_TITLES: Final = {
    "floor": "floor: the HTTP stack alone",
    "floor-joserfc": "floor, and joserfc verifying a token",
    "floor-signxml": "floor, and signxml verifying a signature",
    "identity-key": "GetCallerIdentity, long-term key",
    "identity-session": "GetCallerIdentity, session",
    "assume-role": "AssumeRole",
    "assume-role-policy": "AssumeRole, session policy",
    "assume-role-tags": "AssumeRole, session policy and two tags",
    "web-identity": "AssumeRoleWithWebIdentity, RS256, keys known",
    "saml": "AssumeRoleWithSAML, 5.5 kB, RSA-SHA256",
    "seaweedfs-identity": "SeaweedFS, GetCallerIdentity",
    "seaweedfs-assume-role": "SeaweedFS, AssumeRole",
    "moto-identity": "moto, GetCallerIdentity",
    "moto-assume-role": "moto, AssumeRole",
}


class Results:
    """Everything that one run measured; what was left out is missing."""

    def __init__(self) -> None:
        self.requests: Samples = {}
        self.workers: Samples = {}
        self.roles: Samples = {}
        self.hanging: Samples = {}
        self.crowd: Samples = {}
        self.figures: dict[str, float] = {}
        self.timings: list[Timing] = []
        self.profiles: dict[str, str] = {}
        self.skipped: list[str] = []


class Goal(NamedTuple):
    """A line of the table: what was to be reached, and the measured value with its unit; None was not measured."""

    measure: str
    limit: float
    unit: str
    value: float | None
    at_least: bool = False

    @property
    def reached(self) -> bool | None:
        """Whether the value is on the right side of the limit."""
        if self.value is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def goals(results: Results) -> list[Goal]:
    """The goals that today's features can be held against, with what this run measured."""
    requests, figures = results.requests, results.figures
    faster = {each.name: each.ratio for each in results.timings if each.ratio is not None}
    slower = {name: 1 / times for name, times in faster.items()}
    many = results.roles.get("many-roles")
    return [
        Goal("GetCallerIdentity with a long-term key / floor", 1.6, "×", ratio(requests, "identity-key", "floor")),
        Goal("GetCallerIdentity with a session / floor", 2.0, "×", ratio(requests, "identity-session", "floor")),
        Goal("AssumeRole / floor", 2.3, "×", ratio(requests, "assume-role", "floor")),
        Goal("AssumeRole / SeaweedFS", 0.45, "×", ratio(requests, "assume-role", "seaweedfs-assume-role")),
        Goal("AssumeRole / moto", 0.03, "×", ratio(requests, "assume-role", "moto-assume-role")),
        Goal(
            "AssumeRole with session policy and two tags / floor",
            2.8,
            "×",
            ratio(requests, "assume-role-tags", "floor"),
        ),
        Goal(
            "trust policy of 5 statements and 3 conditions: plain evaluator / compiled",
            25,
            "×",
            faster.get("trust-policy"),
            at_least=True,
        ),
        Goal(
            "10 policies of 60 statements and 5 conditions: plain evaluator / compiled",
            25,
            "×",
            faster.get("policies"),
            at_least=True,
        ),
        Goal("the same: iam-simulate / compiled", 20, "×", faster.get("policies-simulator"), at_least=True),
        Goal(
            "20 policies of 100 statements, of each of which 10 can match / those 10 of each alone",
            1.5,
            "×",
            slower.get("policies-index"),
        ),
        Goal(
            "20 policies of 100 statements, of all of which 10 can match / those 10 alone",
            1.5,
            "×",
            slower.get("policies-index-few"),
        ),
        Goal(
            "AssumeRoleWithWebIdentity beyond AssumeRole / joserfc beyond the floor",
            1.3,
            "×",
            _beyond(requests, "web-identity", "floor-joserfc"),
        ),
        Goal(
            "AssumeRoleWithSAML beyond AssumeRole / signxml beyond the floor",
            1.3,
            "×",
            _beyond(requests, "saml", "floor-signxml"),
        ),
        Goal("verify a token / joserfc", 1.3, "×", slower.get("token-verify")),
        Goal("verify a SAML response / signxml on its signature alone", 1.3, "×", slower.get("assertion-verify")),
        Goal(
            "p99 of GetCallerIdentity while issuers hang / without",
            1.5,
            "×",
            ratio(results.hanging, "hanging", "alone", "p99"),
        ),
        Goal(
            "p99 / p50 with 16 connections and 100,000 roles stored",
            2.5,
            "×",
            middle(many, "p99") / middle(many, "p50") if many else None,
        ),
        Goal(
            "AssumeRole with 100,000 roles stored, 1,000 in use / with 8",
            1.1,
            "×",
            ratio(results.roles, "many-roles", "few-roles"),
        ),
        Goal(
            "requests per second, 2 workers / 1, load generator beside them",
            1.4,
            "×",
            ratio(results.workers, "2-workers", "1-worker", "rate"),
            at_least=True,
        ),
        Goal("memory of a server with one worker", 60, " MiB", figures.get("pss-1")),
        Goal("memory of each further worker", 35, " MiB", figures.get("pss-further")),
        *(Goal(*each) for each in control.goals(results.crowd, figures)),
        *(Goal(*each) for each in client.goals(figures)),
    ]


def _beyond(samples: Samples, name: str, library: str) -> float | None:
    """What a line costs beyond AssumeRole by what a library costs beyond the floor; the median over the rounds."""
    one, two, three, four = (samples.get(each, []) for each in (name, "assume-role", library, "floor"))
    shares = [
        (whole.cpu - plain.cpu) / (verified.cpu - floor.cpu)
        for whole, plain, verified, floor in zip(one, two, three, four, strict=False)
    ]
    return median(shares) if shares else None


def page(results: Results, *, date: str, machine: str, whole: bool = True) -> str:
    """The part of docs/performance.md between the markers; where not ``whole``, only what was measured."""
    lines = [f"Measured on {date}: {machine}.", ""]
    if results.skipped:
        lines += [f"Not measured in this run: {', '.join(results.skipped)}.", ""]
    if results.requests:
        lines += _requests(results.requests)
    shown = [goal for goal in goals(results) if whole or goal.value is not None]
    if shown:
        lines += ["### Measured against the goals", "", "| measure | goal | measured | reached |", "|---|---|---|---|"]
    for goal in shown:
        value = "not measured" if goal.value is None else f"{_number(goal.value)}{goal.unit}"
        sign = "≥" if goal.at_least else "≤"
        told = {True: "yes", False: "**no**", None: "–"}[goal.reached]
        lines.append(f"| {goal.measure} | {sign} {goal.limit:g}{goal.unit} | {value} | {told} |")
    lines.append("")
    if results.roles or results.workers or results.hanging or {"pss-1", "start-first"} & set(results.figures):
        lines += _machine(results)
    lines += control.table(results.crowd)
    lines += client.table(results.figures)
    if results.timings:
        lines += _timings(results.timings)
    for name, text in results.profiles.items():
        lines += [f"### Profile: {_TITLES[name]}", "", "```text", text, "```", ""]
    return "\n".join(lines)


def _requests(samples: Samples) -> list[str]:
    lines = [
        "### Requests",
        "",
        "![CPU time per request](performance.svg)",
        "",
        "| | CPU µs per request, least | × floor, median | requests per second | p50, ms | p99, ms |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, title in _TITLES.items():
        if taken := samples.get(name):
            share = ratio(samples, name, "floor")
            lines.append(
                f"| {title} | {_number(best(taken))} | {'–' if share is None else _number(share)} "
                f"| {middle(taken, 'rate'):,.0f} "
                f"| {_number(middle(taken, 'p50') / 1000)} | {_number(middle(taken, 'p99') / 1000)} |"
            )
    return [*lines, ""]


def _machine(results: Results) -> list[str]:
    lines = ["### Memory, start-up, workers, many roles", "", "| | |", "|---|---:|"]
    for name, title in (
        ("pss-1", "PSS of a server with 1 worker, MiB"),
        ("pss-2", "with 2 workers and their supervisor"),
        ("pss-3", "with 3"),
        ("start-first", "from the command to the first answer on an empty data directory, s"),
        ("start-later", "on one that exists"),
    ):
        if name in results.figures:
            lines.append(f"| {title} | {results.figures[name]:.2f} |")
    for samples, name, title in (
        (results.workers, "1-worker", "AssumeRole, 1 worker"),
        (results.workers, "2-workers", "AssumeRole, 2 workers"),
        (results.roles, "few-roles", "AssumeRole, 8 roles stored"),
        (results.hanging, "alone", "GetCallerIdentity, no issuer hangs"),
        (results.hanging, "hanging", "GetCallerIdentity beside 32 bearers whose issuers hang"),
        (results.roles, "many-roles", "AssumeRole, 100,000 roles stored, 1,000 in use"),
    ):
        if taken := samples.get(name):
            lines.append(
                f"| {title} | {middle(taken, 'rate'):,.0f}/s, {_number(best(taken))} µs of CPU, "
                f"p50 {_number(middle(taken, 'p50') / 1000)} ms, p99 {_number(middle(taken, 'p99') / 1000)} ms |"
            )
    return [*lines, ""]


def _timings(timings: Sequence[Timing]) -> list[str]:
    lines = [
        "### In process",
        "",
        "| | µs, least | compared with | its µs | times faster |",
        "|---|---:|---|---:|---:|",
    ]
    for each in timings:
        against = "– | – | –"
        if each.reference is not None and each.ratio is not None:
            against = f"{each.against} | {_number(each.reference)} | {_number(each.ratio)}"
        lines.append(f"| {each.title} | {_number(each.ours)} | {against} |")
    return [*lines, ""]


def _number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value >= 1_000:
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def chart(samples: Samples) -> str:
    """The CPU time per request as bars; the longest ones, far beyond the others, are cut and say so."""
    bars = {title: best(samples[name]) for name, title in _TITLES.items() if samples.get(name)}
    ours = [value for title, value in bars.items() if not title.startswith("moto")]
    longest = 1.1 * max(ours or bars.values())
    width, left, row = 860, 280, 30
    height = row * len(bars) + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="14" role="img">',
        "<title>CPU time per request</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        '<text x="20" y="26" font-weight="bold" fill="#222222">CPU time of the server per request, µs '
        "(less is better)</text>",
    ]
    for number, (title, value) in enumerate(bars.items()):
        top = 42 + number * row
        cut = value > longest
        length = (width - left - 110) * min(value, longest) / longest
        colour = (
            "#9aa5b1" if title.startswith("floor") else "#c9b18f" if "," in title and _is_peer(title) else "#2f6f9f"
        )
        parts.append(
            f'<text x="{left - 12}" y="{top + 16}" text-anchor="end" fill="#222222">{html.escape(title)}</text>'
        )
        parts.append(f'<rect x="{left}" y="{top}" width="{length:.1f}" height="22" rx="2" fill="{colour}"/>')
        if cut:
            middle_of_cut = left + length * 0.9
            zigzag = f"M{middle_of_cut:.1f} {top - 3}l8 9l-8 9l8 10"
            parts.append(f'<path d="{zigzag}" fill="none" stroke="#ffffff" stroke-width="5"/>')
        parts.append(f'<text x="{left + length + 8:.1f}" y="{top + 16}" fill="#222222">{_number(value)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _is_peer(title: str) -> bool:
    return title.startswith(("SeaweedFS", "moto"))


def write(document: Path, picture: Path, results: Results, *, facts: Mapping[str, str]) -> None:
    """Put the page's part between its markers, and the chart in its place; ValueError where a marker is missing."""
    text = document.read_text(encoding="utf-8")
    head, begun, rest = text.partition(BEGIN)
    _, ended, tail = rest.partition(END)
    if not begun or not ended:
        raise ValueError(f"{document.name} has no marks for the results")
    part = page(results, date=facts["date"], machine=facts["machine"])
    document.write_text(f"{head}{BEGIN}\n\n{part}\n{END}{tail}", encoding="utf-8")
    if results.requests:
        picture.write_text(chart(results.requests), encoding="utf-8")
