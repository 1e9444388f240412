"""Both engines against the plainest model of a store, over random transactions."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locum.store import Conflict, Key, Snapshot, Store
from locum.store.memory import MemoryStore
from locum.store.sql import SQLStore
from locum.store.sqlite import SQLite

Pair = tuple[str, str]

KEYS = [Key(account, kind, name) for account in ("", "1") for kind in ("role", "user") for name in ("a", "ab", "b")]
PAIRS: list[Pair] = [("uses", "p"), ("uses", "q"), ("path", "p")]

keys = st.sampled_from(KEYS)
expects = st.sampled_from(["any", "absent", "present", "wrong"])
writes = st.tuples(keys, st.binary(max_size=2) | st.none(), expects, st.lists(st.sampled_from(PAIRS)), st.booleans())
transactions = st.lists(st.tuples(st.lists(writes, max_size=4), st.booleans()), max_size=8)


class Failed(Exception):
    pass


class Model:
    def __init__(self) -> None:
        self.rows: dict[Key, tuple[int, bytes, frozenset[Pair]]] = {}

    def check(self, snapshot: Snapshot) -> None:
        for key in KEYS:
            row = snapshot.get(key)
            known = self.rows.get(key)
            assert (None if row is None else (row.key, row.version, row.data)) == (
                None if known is None else (key, *known[:2])
            )
        for account in ("", "1"):
            for kind in ("role", "user"):
                names = sorted(key.name for key in self.rows if key[:2] == (account, kind))
                assert [row.key.name for row in snapshot.list(account, kind, limit=9)] == names
                assert snapshot.count(account, kind) == len(names)
                for after in ("a", "ab"):
                    expected = [name for name in names if name > after and name.startswith("a")]
                    rows = snapshot.list(account, kind, after=after, prefix="a", limit=9)
                    assert [row.key.name for row in rows] == expected
        for pair in PAIRS:
            holders = sorted(key for key, row in self.rows.items() if pair in row[2])
            assert snapshot.find(*pair) == holders
            assert snapshot.find(*pair, after=KEYS[4]) == [key for key in holders if key > KEYS[4]]


def run(store: Store, script: list[tuple[list[tuple[Key, bytes | None, str, list[Pair], bool]], bool]]) -> None:
    model = Model()
    versions = {0}
    with store.snapshot() as first:
        for writes, keep in script:
            since = store.revision
            before = dict(model.rows)
            loud: dict[Key, None] = {}
            pairs_touched: set[Pair] = set()
            with suppress(Failed), store.transaction() as transaction:
                for key, data, how, pairs, quiet in writes:
                    old = model.rows.get(key)
                    version = old[0] if old is not None else 0
                    expect = {"any": None, "absent": 0, "present": version or 1, "wrong": version + 1}[how]
                    refused = expect is not None and expect != version
                    try:
                        if data is None:
                            transaction.delete(key, expect=expect, quiet=quiet)
                        else:
                            new = transaction.put(key, data, expect=expect, indexes=pairs, quiet=quiet)
                            assert new not in versions
                            versions.add(new)
                    except Conflict:
                        assert refused
                        continue
                    assert not refused
                    if data is None:
                        model.rows.pop(key, None)
                        touched = old is not None
                    else:
                        model.rows[key] = (new, data, frozenset(pairs))
                        touched = True
                    if touched and not quiet:
                        loud[key] = None
                        pairs_touched |= (old[2] if old else frozenset()) ^ frozenset(pairs if data is not None else ())
                model.check(transaction)
                if not keep:
                    raise Failed
            if not keep:
                model.rows = before
                versions = {0, *versions}
                loud, pairs_touched = {}, set()
            with store.snapshot() as snapshot:
                model.check(snapshot)
                changes = snapshot.changes(since)
                assert set(changes.keys) == set(loud)
                assert set(changes.pairs) == pairs_touched
                assert changes.revision == snapshot.revision == store.revision
            if not keep:
                versions = {0} | {row[0] for row in model.rows.values()}
        Model().check(first)


def sqlite(directory: Path) -> Store:
    return SQLStore(SQLite(f"sqlite:///{directory}/locum.db", timeout=5))


@pytest.mark.parametrize("make", [lambda _: MemoryStore(), sqlite], ids=["memory", "sqlite"])
def test_random_transactions_do_what_the_model_does(make: Callable[[Path], Store]) -> None:
    @settings(max_examples=settings().max_examples // (1 if make is not sqlite else 3))
    @given(transactions)
    def check(script: list[tuple[list[tuple[Key, bytes | None, str, list[Pair], bool]], bool]]) -> None:
        with tempfile.TemporaryDirectory() as directory:
            store = make(Path(directory))
            try:
                run(store, script)
            finally:
                store.close()

    check()
