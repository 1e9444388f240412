"""Facts: kept while nothing that they were read from changes, dropped by exactly what they depend on."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from locum.store import MAX_CHANGES, Key, Row, Store, StoreError, open_store
from locum.store.facts import Facts, Miss, Reader, View
from locum.store.memory import MemoryStore

CHILD = Path(__file__).with_name("store_child.py")
A, B, C = (Key("1", "role", name) for name in "abc")


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = open_store("memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/data/locum.db")
    yield store
    store.close()


def put(store: Store, key: Key, data: bytes = b"x", *pairs: tuple[str, str], quiet: bool = False) -> None:
    with store.transaction() as transaction:
        transaction.put(key, data, expect=None, indexes=pairs, quiet=quiet)


def delete(store: Store, key: Key) -> None:
    with store.transaction() as transaction:
        transaction.delete(key)


class Counted:
    """Loads of facts, and how often each was really read."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.loaded: list[str] = []

    def loads(self) -> dict[str, Callable[[Reader], object]]:
        def note(name: str, read: Callable[[Reader], object]) -> Callable[[Reader], object]:
            def load(reader: Reader) -> object:
                self.loaded.append(name)
                return read(reader)

            return load

        return {
            "key a": note("key a", lambda r: data(r.get(A))),
            "key b": note("key b", lambda r: data(r.get(B))),
            "list": note("list", lambda r: names(r.list("1", "role", limit=10))),
            "list b": note("list b", lambda r: names(r.list("1", "role", prefix="b", limit=10))),
            "list users": note("list users", lambda r: names(r.list("1", "user", limit=10))),
            "find p": note("find p", lambda r: [*r.find("uses", "p")]),
            "find q": note("find q", lambda r: [*r.find("uses", "q")]),
            "count": note("count", lambda r: r.count("1", "role")),
            "nothing": note("nothing", lambda _: 1),
        }

    def read(self) -> set[str]:
        """Read everything; the names of the facts that were not kept."""
        self.loaded.clear()
        with self.facts.reading() as view:
            for name, load in self.loads().items():
                view.get(name, load)
        return set(self.loaded)


def data(row: Row | None) -> bytes | None:
    return row.data if row is not None else None


def names(rows: Sequence[Row]) -> list[tuple[str, bytes]]:
    return [(row.key.name, row.data) for row in rows]


def test_a_fact_is_built_once_and_shared(store: Store) -> None:
    facts = Facts(store)
    built = []

    def load(_: Reader) -> object:
        built.append(object())
        return built[-1]

    with facts.reading() as view:
        first = view.get("name", load)
    assert facts.get("name", load) is facts.cached_only().get("name", load) is first
    with facts.reading() as view:
        assert view.get("name", load) is first
    assert len(built) == len(facts) == 1


def test_none_is_a_fact(store: Store) -> None:
    facts = Facts(store)
    assert facts.get("absent", lambda reader: reader.get(A)) is None
    assert facts.cached_only().get("absent", lambda _: 1) is None


@pytest.mark.parametrize(
    ("change", "dropped"),
    [
        (lambda store: put(store, A, b"1"), {"key a", "list", "count"}),
        (lambda store: put(store, B, b"1"), {"key b", "list", "list b", "count", "find p"}),
        (lambda store: put(store, B, b"1", ("uses", "p")), {"key b", "list", "list b", "count"}),
        (
            lambda store: put(store, B, b"1", ("uses", "p"), ("uses", "q")),
            {"key b", "list", "list b", "count", "find q"},
        ),
        (lambda store: delete(store, B), {"key b", "list", "list b", "count", "find p"}),
        (lambda store: put(store, Key("1", "role", "bc")), {"list", "list b", "count"}),
        (lambda store: put(store, Key("1", "role", "cb")), {"list", "count"}),
        (lambda store: put(store, Key("1", "user", "a")), {"list users"}),
        (lambda store: put(store, Key("2", "role", "a")), set()),
        (lambda store: put(store, Key("2", "role", "a"), b"", ("uses", "q")), {"find q"}),
        (lambda store: put(store, A, quiet=True), set()),
        (lambda store: delete(store, C), set()),
    ],
)
def test_a_change_drops_exactly_what_depends_on_it(
    store: Store, change: Callable[[Store], None], dropped: set[str]
) -> None:
    put(store, B, b"0", ("uses", "p"))
    counted = Counted(Facts(store))
    assert counted.read() == set(counted.loads())
    assert counted.read() == set()
    change(store)
    assert counted.read() == dropped
    assert counted.read() == set()


def test_a_change_by_another_process_drops_exactly_what_depends_on_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/data/locum.db"
    store = open_store(url)
    put(store, B, b"0", ("uses", "p"))
    counted = Counted(Facts(store))
    counted.read()
    with subprocess.Popen(
        [sys.executable, CHILD, "obey", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None

        def tell(*change: object) -> None:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(json.dumps(change) + "\n")
            child.stdin.flush()
            assert int(child.stdout.readline()) == store.revision

        view = counted.facts.cached_only()
        for number in range(20):
            tell(*A, str(number), [])
            with pytest.raises(Miss):
                counted.facts.cached_only()
            assert counted.read() == {"key a", "list", "count"}
            assert counted.facts.cached_only().get("key a", counted.loads()["key a"]) == b"%d" % number
        tell(*B, "1", [["uses", "q"]])
        assert counted.read() == {"key b", "list", "list b", "count", "find p", "find q"}
        tell(*A, None, [])
        counted.facts.begin()
        assert counted.facts.get("key a", counted.loads()["key a"]) is None
        with pytest.raises(Miss):
            view.get("key a", counted.loads()["key a"])
        child.stdin.close()
    store.close()


def test_the_event_loop_never_reads_the_store(store: Store) -> None:
    class Silent:
        """A store of which only the revision word may be read."""

        def __init__(self, store: Store) -> None:
            self.silent = False
            self.store = store

        @property
        def revision(self) -> int:
            return self.store.revision

        def __getattr__(self, name: str) -> object:
            assert not self.silent, name
            return getattr(self.store, name)

    silent = Silent(store)
    facts = Facts(silent)  # type: ignore[arg-type]
    facts.get("a", lambda reader: data(reader.get(A)))
    silent.silent = True
    view = facts.cached_only()
    assert view.get("a", lambda _: b"never") is None
    with pytest.raises(Miss, match="b"):
        view.get("b", lambda _: b"never")
    put(store, A)
    with pytest.raises(Miss):
        facts.cached_only()
    silent.silent = False
    facts.begin()
    with pytest.raises(Miss):
        facts.cached_only().get("a", lambda _: b"never")


def test_a_view_answers_from_its_own_revision_only(store: Store) -> None:
    facts = Facts(store)
    loads = Counted(facts).loads()
    put(store, A, b"old")
    put(store, B, b"old")
    facts.begin()
    cached = facts.cached_only()
    with facts.reading() as reading:
        with store.transaction() as transaction:
            transaction.put(A, b"new", expect=None)
            transaction.put(B, b"new", expect=None)
        with facts.reading() as newer:
            assert newer.get("key a", loads["key a"]) == b"new"
        assert reading.get("key a", loads["key a"]) == b"old"
        assert reading.get("key b", loads["key b"]) == b"old"
        with pytest.raises(Miss):
            cached.get("key a", loads["key a"])
    with facts.reading() as newer:
        assert newer.get("key a", loads["key a"]) == b"new"
        assert newer.get("key b", loads["key b"]) == b"new"


@pytest.mark.parametrize(
    "read",
    [
        lambda reader: data(reader.get(B)),
        lambda reader: names(reader.list("1", "role", limit=9)),
        lambda reader: names(reader.list("1", "role", prefix="", after="a", limit=9)),
        lambda reader: names(reader.list("1", "role", prefix="b", limit=9)),
        lambda reader: [*reader.find("uses", "p")],
        lambda reader: reader.count("1", "role"),
        lambda reader: reader.fact("inner", lambda inner: data(inner.get(B))),
    ],
)
def test_a_fact_that_changed_while_it_was_built_is_not_kept(store: Store, read: Callable[[Reader], object]) -> None:
    facts = Facts(store)

    def slow(reader: Reader) -> object:
        value = read(reader)
        put(store, Key("1", "role", "b"), b"new", ("uses", "p"))
        facts.begin()
        return value

    before = facts.get("slow", slow)
    with pytest.raises(Miss):
        facts.cached_only().get("slow", slow)
    assert facts.get("slow", read) != before


def test_a_fact_that_others_changes_did_not_touch_while_it_was_built_is_kept(store: Store) -> None:
    facts = Facts(store)

    def slow(reader: Reader) -> object:
        value = data(reader.get(A))
        for number in range(5):
            put(store, B, b"%d" % number)
            facts.begin()
        return value

    facts.get("a", slow)
    assert len(facts) == 1
    assert facts.cached_only().get("a", slow) is None


@pytest.mark.parametrize("steps", [MAX_CHANGES + 1, 65])
def test_a_fact_is_not_kept_when_nobody_remembers_what_happened_meanwhile(store: Store, steps: int) -> None:
    facts = Facts(store)
    counted = Counted(facts)
    counted.read()

    def slow(reader: Reader) -> object:
        value = data(reader.get(A))
        if steps > MAX_CHANGES:
            with store.transaction() as transaction:
                for number in range(steps):
                    transaction.put(Key("2", "role", f"r{number}"), b"", expect=None)
            facts.begin()
        else:
            for number in range(steps):
                put(store, B, b"%d" % number)
                facts.begin()
        return value

    with facts.reading() as view:
        view.get("slow", slow)
    with pytest.raises(Miss):
        facts.cached_only().get("slow", slow)
    if steps > MAX_CHANGES:
        assert counted.read() == set(counted.loads())


@pytest.mark.parametrize("inner_cached", [False, True])
@pytest.mark.parametrize("how", ["reader", "facts", "view"])
def test_a_fact_depends_on_what_its_inner_facts_were_read_from(store: Store, how: str, inner_cached: bool) -> None:
    facts = Facts(store)
    put(store, A, b"1")

    def inner(reader: Reader) -> object:
        return data(reader.get(A))

    def outer(view: View) -> Callable[[Reader], object]:
        def load(reader: Reader) -> object:
            get = {"reader": reader.fact, "facts": facts.get, "view": view.get}[how]
            return [get("inner", inner), data(reader.get(B))]

        return load

    for value in (b"1", b"2"):
        put(store, A, value)
        facts.begin()
        if inner_cached:
            facts.get("inner", inner)
        with facts.reading() as view:
            assert view.get("outer", outer(view)) == [value, None]
    put(store, B, b"3")
    with facts.reading() as view:
        assert view.get("outer", outer(view)) == [b"2", b"3"]
    assert facts.loading == {}


def test_inner_facts_are_read_from_the_same_snapshot(store: Store) -> None:
    facts = Facts(store)
    put(store, A, b"1")

    def outer(reader: Reader) -> object:
        put(store, A, b"2")
        facts.begin()
        return facts.get("inner", lambda inner: data(inner.get(A))), data(reader.get(A))

    assert facts.get("outer", outer) == (b"1", b"1")
    assert len(facts) == 0


def test_a_load_that_fails_keeps_nothing_and_its_caller_depends_on_what_it_read(store: Store) -> None:
    facts = Facts(store)

    def required(reader: Reader) -> Row:
        row = reader.get(A)
        if row is None:
            raise LookupError
        return row

    def outer(reader: Reader) -> object:
        try:
            return reader.fact("inner", required).data
        except LookupError:
            return None

    with pytest.raises(LookupError):
        facts.get("inner", required)
    assert facts.loading == {}
    assert facts.get("outer", outer) is None
    assert len(facts) == 1
    put(store, A, b"1")
    facts.begin()
    assert facts.get("outer", outer) == b"1"


def test_places_are_bounded_and_facts_in_use_stay(store: Store) -> None:
    facts = Facts(store, capacity=10)
    facts.get("hot", lambda reader: data(reader.get(A)))
    for number in range(100):
        facts.get(number, lambda reader: data(reader.get(B)))
        assert facts.cached_only().get("hot", lambda _: None) is None
        assert len(facts) <= 10
    put(store, B)
    facts.begin()
    assert len(facts) == 1
    with pytest.raises(ValueError, match="at least one"):
        Facts(store, capacity=0)


def test_dependencies_are_bounded(store: Store) -> None:
    facts = Facts(store, capacity=4)

    def reads(count: int, kind: str) -> Callable[[Reader], int]:
        def load(reader: Reader) -> int:
            return sum(reader.get(Key("1", kind, str(number))) is not None for number in range(count))

        return load

    facts.get("too many", reads(65, "a"))
    assert len(facts) == 0
    for name in "abcd":
        facts.get(name, reads(30, name))
        assert len(facts) <= 2
    facts.get("all", reads(64, "e"))
    assert len(facts) == 1
    put(store, Key("1", "e", "63"))
    facts.begin()
    assert len(facts) == 0


def test_many_facts_that_share_a_record_are_dropped_together(store: Store) -> None:
    facts = Facts(store, capacity=50)
    for number in range(120):
        facts.get(number, lambda reader: (data(reader.get(A)), data(reader.get(B))))
        if number % 7 == 0:
            put(store, Key("1", "role", str(number)))
            facts.begin()
    assert len(facts) == 50
    put(store, A, b"new")
    facts.begin()
    assert len(facts) == 0
    assert facts.get(119, lambda reader: data(reader.get(A))) == b"new"


def test_threads_never_see_a_fact_older_than_the_change_that_they_know_of(store: Store) -> None:
    facts = Facts(store, capacity=3)
    stale: list[tuple[int, int]] = []
    written = [0]
    done = threading.Event()

    def load(reader: Reader) -> int:
        return int((data(reader.get(A)) or b"0").decode()) + int((data(reader.get(B)) or b"0").decode())

    def read(name: str) -> None:
        while not done.is_set():
            known = written[0]
            try:
                value = facts.cached_only().get(name, load)
            except Miss:
                with facts.reading() as view:
                    value = view.get(name, load)
            if value < known or value % 2:
                stale.append((value, known))

    readers = [threading.Thread(target=read, args=(name,)) for name in ("x", "x", "y")]
    for thread in readers:
        thread.start()
    for number in range(1, 150):
        with store.transaction() as transaction:
            transaction.put(A, b"%d" % number, expect=None)
            transaction.put(B, b"%d" % number, expect=None)
        written[0] = number * 2
    done.set()
    for thread in readers:
        thread.join()
    assert stale == []


def test_a_snapshot_that_comes_late_does_not_take_the_facts_back(store: Store) -> None:
    facts = Facts(store)
    load = Counted(facts).loads()["key a"]
    with store.snapshot() as late:
        put(store, A, b"new")
        facts.begin()
        facts.get("key a", load)
        facts.catch_up(late)
    assert facts.cached_only().get("key a", load) == b"new"


def test_a_reading_that_is_over_reads_nothing(store: Store) -> None:
    facts = Facts(store)
    with facts.reading() as view:
        pass
    with pytest.raises(StoreError):
        view.get("a", lambda reader: data(reader.get(A)))


def test_a_feed_that_cannot_be_read_leaves_the_facts_behind_and_the_snapshot_closed() -> None:
    store = MemoryStore()
    facts = Facts(store)
    put(store, A)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "feed", broken_feed)
        with pytest.raises(StoreError), facts.reading():
            pass
        with pytest.raises(Miss):
            facts.cached_only()
    delete(store, A)
    assert A not in store.chains
    with facts.reading() as view:
        assert view.get("a", lambda reader: data(reader.get(A))) is None


def broken_feed(_since: int, _until: int) -> list[Key | tuple[str, str]] | None:
    raise StoreError("broken")
