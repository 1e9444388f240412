"""What is measured besides the cost of a request: memory, start-up, workers, and a store with many roles."""

from __future__ import annotations

import select
import socket
from pathlib import Path

from benchmarks import federation
from benchmarks.load import Refused, measure
from benchmarks.rounds import Samples, alternate, say
from benchmarks.signing import prepare
from benchmarks.subjects import Federated, Locum

__all__ = ["MANY_ROLES", "hanging", "many_roles", "memory", "start_up", "workers"]

MANY_ROLES = 100_000
_USED_ROLES = 1_000
_STARTS = 5
_IDENTITIES = 64
_ISSUERS = 8
_BEARERS = 4
"""Of each issuer."""


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


def hanging(folder: Path, rounds: int, seconds: float) -> Samples:
    """GetCallerIdentity alone, and beside bearers who wait for the keys of issuers that take connections and hang.

    The issuers are new in every round, since nobody waits for one that just failed.  Refused where a bearer got an
    answer before the round was over: then nobody was waiting.
    """
    samples: Samples = {"alone": [], "hanging": []}
    silent = federation.Hanging()
    try:
        with Federated(folder) as subject:
            url, arn = subject.server.url, subject.role
            for turn in range(rounds):
                for name in samples:
                    bearers = [] if name == "alone" else _bearers(subject, f"{silent.url}/{turn}", arn)
                    requests = prepare(url, subject.root, "get_caller_identity", [{}] * _IDENTITIES)
                    samples[name].append(measure(subject.server, requests, seconds, folder))
                    _dismiss(bearers)
                say(f"round {turn + 1} of {rounds}  p99 {[round(each[-1].p99) for each in samples.values()]} µs")
    finally:
        silent.close()
    return samples


def _bearers(subject: Federated, url: str, role: str) -> list[socket.socket]:
    """Connections on which bearers wait for an answer, several for each of several issuers."""
    issuers = [f"{url}/{number}" for number in range(_ISSUERS)]
    for issuer in issuers:
        subject.trust(issuer)
    calls = [
        {"RoleArn": role, "RoleSessionName": "waiting", "WebIdentityToken": federation.token("builder-0", by=issuer)}
        for issuer in issuers * _BEARERS
    ]
    links = []
    for request in prepare(subject.server.url, subject.root, "assume_role_with_web_identity", calls):
        link = socket.create_connection(("127.0.0.1", subject.server.port), 30)
        link.sendall(request)
        links.append(link)
    return links


def _dismiss(bearers: list[socket.socket]) -> None:
    """Let bearers have their answers, which none may have had before."""
    early = select.select(bearers, [], [], 0)[0] if bearers else []
    for link in bearers:
        with link:
            link.recv(65_536)
    if early:
        raise Refused(f"{len(early)} of {len(bearers)} bearers did not wait for their issuer")


def many_roles(folder: Path, rounds: int, seconds: float) -> Samples:
    """AssumeRole of 1,000 roles in turn with 100,000 stored, beside a server that has 8 roles."""
    with Locum(folder) as seed:
        pass
    with seed.with_many_roles(MANY_ROLES, _USED_ROLES) as many, Locum(folder) as few:
        pairs = [("few-roles", few, "assume-role"), ("many-roles", many, "assume-role")]
        return alternate(pairs, rounds, seconds, folder, warm=2)
