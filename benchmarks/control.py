"""The control plane in a crowd: calls with 100,000 roles and 100,000 users stored, beside the same calls with 100."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.rounds import Samples, alternate, best, middle, ratio, say
from benchmarks.signing import client
from benchmarks.subjects import ACCOUNT, BATCH, DISTINCT, Line, Locum

__all__ = ["MANY", "PART", "crowds", "goals", "table"]

PART: Final = "crowd"
FEW: Final = 100
MANY: Final = 100_000
_PAGE: Final = 50
_STARTS: Final = 3
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

_TITLES: Final = {
    "get-role": "GetRole",
    "get-user": "GetUser",
    "list-roles": f"the first page of ListRoles, {_PAGE} roles",
    "list-roles-middle": "a page from the middle of it",
    "assume-role": "AssumeRole",
}


class Crowd(Locum):
    """``locum serve`` on data with ``count`` roles and as many users."""

    name = "crowd"
    names = tuple(_TITLES)

    def __init__(self, folder: Path, count: int) -> None:
        seed = Locum(folder)
        with seed:
            pass
        super().__init__(folder, keep=seed)
        self.count: Final = count
        _multiply(seed.data / "locum.db", count)

    def environment(self) -> Mapping[str, str]:
        return {"LOCUM_IAM_REQUESTS_PER_SECOND": "0"}

    def scene(self) -> Mapping[str, Line]:
        step = max(1, self.count // DISTINCT)
        spread = [n * step % self.count for n in range(DISTINCT)]
        roles = [{"RoleName": f"copy-{n:06d}"} for n in spread]
        users = [{"UserName": f"copy-{n:06d}"} for n in spread]
        first: list[dict[str, Any]] = [{"MaxItems": _PAGE}] * DISTINCT
        middle_page = [{"MaxItems": _PAGE, "Marker": self._middle()}] * DISTINCT
        assumed = [
            {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{each['RoleName']}", "RoleSessionName": "crowd"} for each in roles
        ]
        keys = self._scene["assume-role"].keys
        return {
            "get-role": Line("get_role", roles, self.root, b"<RoleName>copy-", "iam"),
            "get-user": Line("get_user", users, self.root, b"<UserName>copy-", "iam"),
            "list-roles": Line("list_roles", first, self.root, b"<RoleName>copy-", "iam"),
            "list-roles-middle": Line("list_roles", middle_page, self.root, b"<RoleName>copy-", "iam"),
            "assume-role": Line("assume_role", assumed, keys, b"</SessionToken>"),
        }

    def _middle(self) -> str:
        """A marker in the middle of the roles."""
        iam = client("iam", self.server.url, self.root)
        size = min(1_000, self.count // 2)
        marker: dict[str, str] = {}
        for _ in range(self.count // 2 // size):
            marker = {"Marker": iam.list_roles(MaxItems=size, **marker)["Marker"]}
        return marker["Marker"]


def _multiply(database: Path, count: int) -> None:
    """Store copies of the scene's role and user, past the quotas that the interface would hold them to."""
    from locum.core.records import Role, User, decode, encode
    from locum.store import Key, open_store

    store = open_store(f"sqlite:///{database}")
    with store.snapshot() as rows:
        found = {
            kind: rows.get(Key(ACCOUNT, kind.kind, name)) for kind, name in ((Role, "builder-0"), (User, "builder"))
        }
    for kind, row in found.items():
        if row is None:
            raise RuntimeError(f"the scene has no {kind.kind}")
        model = decode(row.data, kind)
        for start in range(0, count, BATCH):
            with store.transaction() as writing:
                for n in range(start, min(count, start + BATCH)):
                    tail = "".join(_ALPHABET[n >> shift & 31] for shift in (20, 15, 10, 5, 0))
                    copy = msgspec.structs.replace(model, name=f"copy-{n:06d}", id=model.id[:-5] + tail)
                    writing.put(Key(*copy.key), encode(copy), expect=0, indexes=copy.indexes)
    store.close()


def crowds(folder: Path, rounds: int, seconds: float) -> tuple[Samples, dict[str, float]]:
    """The lines with few and with many stored, and the least seconds that a start took with many."""
    few, many = Crowd(folder, FEW), Crowd(folder, MANY)
    say(f"{MANY:,} roles and {MANY:,} users are stored")
    started = []
    for _ in range(_STARTS):
        with many.launch() as server:
            started.append(server.started)
    with few, many:
        pairs = [(f"{size}-{line}", crowd, line) for line in _TITLES for size, crowd in (("few", few), ("many", many))]
        return alternate(pairs, rounds, seconds, folder), {"start-many": min(started)}


def goals(samples: Samples, figures: Mapping[str, float]) -> list[tuple[str, float, str, float | None]]:
    """Measure, limit, unit and value of each goal."""
    compared = [
        (f"{title}: {MANY:,} roles and users stored / {FEW}", 1.3, "×", ratio(samples, f"many-{line}", f"few-{line}"))
        for line, title in _TITLES.items()
    ]
    started = figures.get("start-many")
    return [*compared, (f"from the command to the first answer with {MANY:,} roles and users stored", 2, " s", started)]


def table(samples: Samples) -> list[str]:
    """The lines as a table."""
    if not samples:
        return []
    lines = [
        f"### The control plane with {MANY:,} roles and {MANY:,} users",
        "",
        f"| | CPU µs with {FEW} stored | with {MANY:,} | p50 with {MANY:,}, ms | p99, ms |",
        "|---|---:|---:|---:|---:|",
    ]
    for line, title in _TITLES.items():
        few, many = samples.get(f"few-{line}"), samples.get(f"many-{line}")
        if few and many:
            shown = [f"{best(few):,.0f}", f"{best(many):,.0f}"]
            shown += [f"{middle(many, figure) / 1000:.2f}" for figure in ("p50", "p99")]
            lines.append(f"| {title} | {' | '.join(shown)} |")
    return [*lines, ""]
