"""A store in memory, and files applied to it and written from it, as ``locum apply`` and ``locum export`` do."""

from __future__ import annotations

import hashlib
from textwrap import dedent
from typing import Any

from locum.core.records import Record
from locum.core.sealing import Vault
from locum.server.accounts import create_account
from locum.server.declared.execute import Plan, execute, read_declared
from locum.server.declared.export import exported, json_text, yaml_text
from locum.store.memory import MemoryStore
from locum.store.records import Records

ACCOUNT = "111122223333"
OTHER = "444455556666"
NOW = 1_767_323_045


class Declaring:
    """One data directory's records, with the account 111122223333."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.vault = Vault(bytes(range(32)))
        self.now = NOW
        self._drawn = 0
        with self.store.transaction() as rows:
            create_account(rows, self.vault, NOW, self.random, name="first", id=ACCOUNT)

    def random(self, size: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(self._drawn.to_bytes(8, "big")).digest(size)

    def apply(self, text: str, *, prune: bool = False, commit: bool = True, name: str = "") -> Plan:
        """The plan of a file that was applied; written with the indent of the test around it."""
        return execute(
            self.store,
            self.vault,
            read_declared(dedent(text), name),
            self.now,
            self.random,
            prune=prune,
            commit=lambda plan: commit,
        )

    def in_account(self, text: str, *, prune: bool = False, commit: bool = True) -> Plan:
        """The same for what a file says of the first account alone."""
        inside = "".join(f"    {line}\n" for line in dedent(text).splitlines())
        return self.apply(f"locum: 1\naccounts:\n  {ACCOUNT}:\n{inside}", prune=prune, commit=commit)

    def changed(self, plan: Plan) -> list[str]:
        """A plan in short: what it does to what; it has no faults."""
        assert plan.faults == ()
        return [f"{each.sign} {each.kind} {each.name}" for each in plan.changes]

    def values(self) -> dict[str, Any]:
        with self.store.snapshot() as rows:
            return exported(rows, "aws")

    def yaml(self) -> str:
        return yaml_text(self.values())

    def json(self) -> str:
        return json_text(self.values())

    def get(self, kind: type[Record], name: str, account: str = ACCOUNT) -> Any:
        """A record, which must be there."""
        with self.store.snapshot() as rows:
            stored = Records(rows).get(kind, account, name)
        assert stored is not None
        return stored.record

    def has(self, kind: type[Record], name: str, account: str = ACCOUNT) -> bool:
        with self.store.snapshot() as rows:
            return Records(rows).get(kind, account, name) is not None
