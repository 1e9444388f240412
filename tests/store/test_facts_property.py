"""A cached read always equals an uncached one, whatever is written in between."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locum.store import Key, Row, Snapshot, Store, open_store
from locum.store.facts import Facts, Miss, Reader


def data(row: Row | None) -> bytes | None:
    return row.data if row is not None else None


def names(rows: Sequence[Row]) -> list[tuple[str, bytes]]:
    return [(row.key.name, row.data) for row in rows]


KEYS = [Key(account, "role", name) for account in "12" for name in ("a", "ab", "b")]
Pair = tuple[str, str]
PAIRS: list[Pair] = [("uses", "p"), ("uses", "q")]
READS: dict[str, Callable[[Reader], object]] = {
    "get a": lambda r: data(r.get(KEYS[0])),
    "get ab": lambda r: data(r.get(KEYS[1])),
    "get other a": lambda r: data(r.get(KEYS[3])),
    "list": lambda r: names(r.list("1", "role", limit=9)),
    "list a": lambda r: names(r.list("1", "role", prefix="a", limit=9)),
    "list after": lambda r: names(r.list("1", "role", after="a", limit=1)),
    "count": lambda r: r.count("1", "role"),
    "find": lambda r: [*r.find("uses", "p")],
    "deep": lambda r: [data(r.get(key)) for key in r.find("uses", "q", limit=2)],
    "nested": lambda r: [r.fact("find", READS["find"]), r.fact("deep", READS["deep"])],
    "more": lambda r: [r.fact("nested", READS["nested"]), r.fact("list a", READS["list a"])],
}

change = st.tuples(st.sampled_from(KEYS), st.binary(max_size=1) | st.none(), st.lists(st.sampled_from(PAIRS)))
operation = st.one_of(
    st.tuples(st.just("write"), st.lists(change, min_size=1, max_size=3)),
    st.tuples(st.just("read"), st.tuples(st.integers(0, 2), st.sampled_from(sorted(READS)))),
    st.tuples(st.just("renew"), st.integers(0, 2)),
    st.tuples(st.just("cached"), st.sampled_from(sorted(READS))),
    st.tuples(
        st.just("race"), st.tuples(st.integers(0, 2), st.sampled_from(sorted(READS)), st.lists(change, max_size=2))
    ),
)


class Plain:
    """A reader that keeps nothing: what the property test believes."""

    def __init__(self, store: Reader) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def fact(self, _name: object, load: Callable[[Reader], object]) -> object:
        return load(self)  # type: ignore[arg-type]


def uncached(snapshot: Snapshot, name: str) -> object:
    return READS[name](Plain(snapshot))  # type: ignore[arg-type]


class Moment:
    """A reading and a plain snapshot of the same moment."""

    def __init__(self, facts: Facts) -> None:
        with ExitStack() as stack:
            self.reading = stack.enter_context(facts.reading())
            self.snapshot = stack.enter_context(facts.store.snapshot())
            self.close = stack.pop_all().close

    def check(self, name: str, load: Callable[[Reader], object]) -> None:
        assert self.reading.get(name, load) == uncached(self.snapshot, name)


@pytest.mark.parametrize("engine", ["memory", "sqlite"])
def test_a_cached_read_always_equals_an_uncached_one(engine: str) -> None:
    def write(store: Store, changes: list[tuple[Key, bytes | None, list[Pair]]]) -> None:
        with store.transaction() as transaction:
            for key, content, pairs in changes:
                if content is None:
                    transaction.delete(key)
                else:
                    transaction.put(key, content, expect=None, indexes=pairs)

    def run(store: Store, other: Store, script: list[tuple[str, object]], capacity: int) -> None:
        facts = Facts(store, capacity=capacity)
        moments = [Moment(facts) for _ in range(3)]
        for what, how in script:
            match what, how:
                case "write", list(changes):
                    write(other, changes)
                case "read", (int(which), str(name)):
                    moments[which].check(name, READS[name])
                case "race", (int(which), str(name), list(changes)):

                    def load(
                        reader: Reader, name: str = name, changes: list[tuple[Key, bytes | None, list[Pair]]] = changes
                    ) -> object:
                        value = READS[name](reader)
                        write(other, changes)
                        facts.begin()
                        return value

                    moments[which].check(name, load)
                case "renew", int(which):
                    moments[which].close()
                    moments[which] = Moment(facts)
                case "cached", str(name):
                    with store.snapshot() as snapshot:
                        try:
                            assert facts.cached_only().get(name, READS[name]) == uncached(snapshot, name)
                        except Miss:
                            facts.begin()
                        assert facts.get(name, READS[name]) == uncached(snapshot, name)
        for moment in moments:
            moment.close()

    @settings(max_examples=settings().max_examples * 3 // (1 if engine == "memory" else 9))
    @given(st.lists(operation, max_size=30), st.sampled_from([2, 100]))
    def check(script: list[tuple[str, object]], capacity: int) -> None:
        with tempfile.TemporaryDirectory() as directory:
            url = "memory:" if engine == "memory" else f"sqlite:///{directory}/locum.db"
            store = open_store(url)
            other = store if engine == "memory" else open_store(url)
            try:
                run(store, other, script, capacity)
            finally:
                store.close()
                other.close()

    check()
