"""The suite that every storage engine passes.

An engine's author subclasses ``StoreConformance``, or ``SharedStoreConformance`` where several processes may open the
same address, in a test module and provides the fixture ``store_url``::

    class TestMyEngine(SharedStoreConformance):
        @pytest.fixture
        def store_url(self, tmp_path: Path) -> str:
            return f"mine:{tmp_path}"

Needs pytest.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

import pytest

from locum.store import (
    MAX_CHANGES,
    MAX_INDEXES,
    MAX_TEXT,
    TIMEOUT,
    Changes,
    Conflict,
    Key,
    Locked,
    Snapshot,
    Store,
    StoreError,
    open_store,
)

__all__ = ["SharedStoreConformance", "StoreConformance"]

_ROLE = Key("111122223333", "role", "deploy")
_USER = Key("111122223333", "user", "alice")
_NAMES = [
    "-",
    "A",
    "Z",
    "a",
    "a%",
    "a%b",
    "a_b",
    "ab",
    "abc",
    "axb",
    "b",
    "é",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "😀",
    "😀z",
]


class StoreConformance:
    """What ``locum.store`` promises, for the engine at the fixture ``store_url``.

    ``open`` opens it, for engines that are not in ``ENGINES``.
    """

    def open(self, url: str, *, timeout: float = TIMEOUT) -> Store:
        """The store under test."""
        return open_store(url, timeout=timeout)

    @pytest.fixture
    def store(self, store_url: str) -> Iterator[Store]:
        """An open, empty store."""
        store = self.open(store_url)
        yield store
        store.close()

    def test_a_record_is_read_as_it_was_written(self, store: Store) -> None:
        data = bytes(range(256)) * 300
        with store.transaction() as transaction:
            version = transaction.put(_ROLE, data, expect=0)
            transaction.put(_USER, b"", expect=0)
        with store.snapshot() as snapshot:
            row = snapshot.get(_ROLE)
            empty = snapshot.get(_USER)
        assert row is not None
        assert (row.key, row.version, row.data, type(row.data)) == (_ROLE, version, data, bytes)
        assert isinstance(row.key, Key)
        assert empty is not None
        assert empty.data == b""

    @pytest.mark.parametrize(
        "other",
        [
            Key("111122223333", "role", "Deploy"),
            Key("444455556666", "role", "deploy"),
            Key("", "role", "deploy"),
            Key("111122223333", "user", "deploy"),
        ],
    )
    def test_every_part_of_the_key_tells_records_apart(self, store: Store, other: Key) -> None:
        with store.transaction() as transaction:
            transaction.put(_ROLE, b"x", expect=0, indexes=[("uses", "p")])
        with store.transaction() as transaction:
            transaction.put(other, b"y", expect=0)
            transaction.delete(other)
        with store.snapshot() as snapshot:
            assert snapshot.get(other) is None
            assert snapshot.get(_ROLE) is not None
            assert snapshot.find("uses", "p") == [_ROLE]

    def test_versions_grow_and_are_never_used_again(self, store: Store) -> None:
        versions = []
        for _ in range(3):
            with store.transaction() as transaction:
                versions.append(transaction.put(_ROLE, b"x", expect=0))
                versions.append(transaction.put(_ROLE, b"x", expect=versions[-1]))
            with store.transaction() as transaction:
                transaction.delete(_ROLE, expect=versions[-1])
        assert versions == sorted(set(versions))
        assert versions[0] > 0

    def test_a_write_that_expected_another_version_changes_nothing(self, store: Store) -> None:
        with store.transaction() as transaction:
            version = transaction.put(_ROLE, b"old", expect=None, indexes=[("uses", "p")])
        revision = store.revision
        for key, expect, found in [(_ROLE, 0, version), (_ROLE, version + 1, version), (_USER, version, 0)]:
            with pytest.raises(Conflict) as refused, store.transaction() as transaction:
                transaction.put(key, b"new", expect=expect, indexes=[("uses", "q")])
            assert (refused.value.key, refused.value.expected, refused.value.found) == (key, expect, found)
            with pytest.raises(Conflict), store.transaction() as transaction:
                transaction.delete(key, expect=expect)
        with store.transaction() as transaction:
            with pytest.raises(Conflict):
                transaction.put(_ROLE, b"new", expect=0)
            transaction.delete(_USER)
        with store.snapshot() as snapshot:
            row = snapshot.get(_ROLE)
            assert row is not None
            assert (row.data, row.version, snapshot.find("uses", "p")) == (b"old", version, [_ROLE])
            assert snapshot.find("uses", "q") == []
            assert snapshot.revision == store.revision == revision

    def test_an_exception_undoes_the_whole_transaction(self, store: Store) -> None:
        with store.transaction() as transaction:
            transaction.put(_ROLE, b"old", expect=0, indexes=[("uses", "p")])
        before = _everything(store)

        def fail() -> None:
            with store.transaction() as transaction:
                transaction.put(_ROLE, b"new", expect=None, indexes=[("uses", "q")])
                transaction.put(_ROLE, b"newer", expect=None, indexes=[("uses", "r")])
                transaction.put(_USER, b"new", expect=0, indexes=[("uses", "p")])
                transaction.delete(_ROLE)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert _everything(store) == before
        with store.transaction() as transaction:
            transaction.put(_USER, b"new", expect=0, indexes=[("uses", "p")])
        with store.snapshot() as snapshot:
            assert snapshot.find("uses", "p") == [_ROLE, _USER]
            assert snapshot.find("uses", "q") == []

    def test_a_snapshot_shows_the_moment_it_was_entered(self, store: Store) -> None:
        with store.transaction() as transaction:
            transaction.put(_ROLE, b"old", expect=0, indexes=[("uses", "p")])
        with store.snapshot() as snapshot:
            with store.transaction() as transaction:
                transaction.put(_ROLE, b"new", expect=None, indexes=[("uses", "q")])
                transaction.put(_USER, b"new", expect=0, indexes=[("uses", "p")])
                transaction.put(Key(_ROLE.account, "role", "z"), b"new", expect=0)
            with store.transaction() as transaction:
                transaction.delete(_ROLE)
            row = snapshot.get(_ROLE)
            assert row is not None
            assert row.data == b"old"
            assert snapshot.get(_USER) is None
            assert snapshot.find("uses", "p") == [_ROLE]
            assert snapshot.find("uses", "q") == []
            assert [row.data for row in snapshot.list(_ROLE.account, "role", limit=10)] == [b"old"]
            assert snapshot.count(_ROLE.account, "role") == 1
            assert not snapshot.changes(snapshot.revision).keys
            assert snapshot.revision < store.revision
        with store.snapshot() as later:
            assert later.get(_ROLE) is None
            assert later.find("uses", "p") == [_USER]

    def test_a_transaction_reads_what_it_wrote(self, store: Store) -> None:
        with store.transaction() as transaction:
            transaction.put(_ROLE, b"old", expect=0, indexes=[("uses", "p")])
        with store.transaction() as transaction:
            version = transaction.put(_ROLE, b"new", expect=None, indexes=[("uses", "q")])
            transaction.put(_USER, b"x", expect=0, indexes=[("uses", "q")])
            row = transaction.get(_ROLE)
            assert row is not None
            assert (row.data, row.version) == (b"new", version)
            assert transaction.find("uses", "q") == [_ROLE, _USER]
            assert transaction.find("uses", "p") == []
            assert transaction.count(_USER.account, "user") == 1
            transaction.delete(_USER)
            assert transaction.get(_USER) is None
            assert transaction.list(_USER.account, "user", limit=5) == []
            assert transaction.find("uses", "q") == [_ROLE]

    def test_lists_are_in_code_point_order_and_take_prefix_after_and_limit(self, store: Store) -> None:
        names = [name for name in _NAMES if not "\ud800" <= name < "\ue000"]
        with store.transaction() as transaction:
            for name in reversed(names):
                transaction.put(Key("1", "role", name), name.encode(), expect=0)
                transaction.put(Key("2", "role", name + "x"), b"", expect=0)
                transaction.put(Key("1", "rol", name + "x"), b"", expect=0)
        with store.snapshot() as snapshot:
            for prefix in ["", "a", "a%", "a_", "ab", "b", "é", "😀", "zz"]:
                for after in ["", *names, "a\x01", "zz"]:
                    expected = sorted(name for name in names if name.startswith(prefix) and name > after)
                    for limit in (0, 1, 3, 100):
                        rows = snapshot.list("1", "role", after=after, prefix=prefix, limit=limit)
                        assert [row.key for row in rows] == [Key("1", "role", name) for name in expected[:limit]]
                        assert [row.data.decode() for row in rows] == expected[:limit]
            assert snapshot.list("1", "role", limit=-1) == []
            assert (snapshot.count("1", "role"), snapshot.count("3", "role")) == (len(names), 0)

    def test_index_rows_are_found_in_the_order_of_their_keys(self, store: Store) -> None:
        keys = [Key(account, kind, name) for account in ("", "1", "2") for kind in ("role", "user") for name in "aBc"]
        with store.transaction() as transaction:
            for key in reversed(keys):
                transaction.put(key, b"", expect=0, indexes=[("uses", "p"), ("uses", "p"), ("uses", key.name)])
        keys.sort()
        with store.snapshot() as snapshot:
            assert snapshot.find("uses", "p") == keys
            for place, after in enumerate(keys):
                assert snapshot.find("uses", "p", after=after, limit=4) == keys[place + 1 : place + 5]
            assert snapshot.find("uses", "p", after=Key("1", "s", "x")) == [
                key for key in keys if key > ("1", "s", "x")
            ]
            assert snapshot.find("uses", "p", limit=0) == snapshot.find("uses", "p", limit=-1) == []
            assert snapshot.find("uses", "a") == [key for key in keys if key.name == "a"]
            assert snapshot.find("p", "uses") == []

    def test_index_rows_are_replaced_as_a_whole_and_go_with_their_record(self, store: Store) -> None:
        with store.transaction() as transaction:
            transaction.put(_ROLE, b"", expect=0, indexes=[("uses", "p"), ("uses", "q")])
            transaction.put(_USER, b"", expect=0, indexes=[("uses", "p")])
        with store.transaction() as transaction:
            transaction.put(_ROLE, b"", expect=None, indexes=[("uses", "q"), ("path", "/")])
        with store.snapshot() as snapshot:
            found = [snapshot.find(*pair) for pair in [("uses", "p"), ("uses", "q"), ("path", "/")]]
        assert found == [[_USER], [_ROLE], [_ROLE]]
        with store.transaction() as transaction:
            transaction.put(_USER, b"", expect=None)
        with store.snapshot() as snapshot:
            assert snapshot.find("uses", "p") == []
        with store.transaction() as transaction:
            transaction.delete(_ROLE)
        with store.transaction() as transaction:
            transaction.put(_ROLE, b"", expect=0)
        with store.snapshot() as snapshot:
            assert snapshot.find("uses", "q") == snapshot.find("path", "/") == []

    def test_the_feed_names_exactly_what_was_touched(self, store: Store) -> None:
        def touched(change: Callable[[], None]) -> tuple[set[Key], set[tuple[str, str]]]:
            since = store.revision
            change()
            changes = store.changes(since)
            assert changes.revision == store.revision
            assert not changes.everything
            assert store.changes(changes.revision) == Changes(changes.revision)
            return set(changes.keys), set(changes.pairs)

        def put(*values: str) -> None:
            with store.transaction() as transaction:
                transaction.put(_ROLE, b"", expect=None, indexes=[("uses", value) for value in values])

        def several() -> None:
            put("q")
            with store.transaction() as transaction:
                transaction.put(_USER, b"", expect=None)
                transaction.put(_USER, b"1", expect=None, indexes=[("uses", "z")])

        def delete() -> None:
            with store.transaction() as transaction:
                transaction.delete(_ROLE)
                transaction.delete(Key("1", "role", "absent"))

        assert touched(lambda: put("p", "q")) == ({_ROLE}, {("uses", "p"), ("uses", "q")})
        assert touched(lambda: put("p", "q")) == ({_ROLE}, set())
        assert touched(lambda: put("q", "r")) == ({_ROLE}, {("uses", "p"), ("uses", "r")})
        assert touched(several) == ({_ROLE, _USER}, {("uses", "r"), ("uses", "z")})
        assert touched(delete) == ({_ROLE}, {("uses", "q")})
        assert touched(delete) == (set(), set())

    def test_the_feed_says_when_it_does_not_reach_back(self, store: Store) -> None:
        since = store.revision
        assert store.changes(since + 1).everything
        assert store.changes(since - 1).everything
        with store.transaction() as transaction:
            for number in range(MAX_CHANGES):
                transaction.put(Key("1", "role", f"r{number}"), b"", expect=0)
        assert len(store.changes(since).keys) == MAX_CHANGES
        with store.transaction() as transaction:
            transaction.put(_ROLE, b"", expect=0)
        assert store.changes(since) == Changes(store.revision, everything=True)
        assert [*store.changes(store.revision - 1).keys] == [_ROLE]

    def test_quiet_writes_are_kept_but_move_nothing(self, store: Store) -> None:
        with store.transaction() as transaction:
            first = transaction.put(_USER, b"0", expect=0)
        revision = store.revision
        with store.transaction() as transaction:
            second = transaction.put(_USER, b"1", expect=first, quiet=True)
            transaction.put(_ROLE, b"1", expect=0, indexes=[("uses", "p")], quiet=True)
        with store.snapshot() as snapshot:
            row = snapshot.get(_USER)
            assert row is not None
            assert (row.data, row.version) == (b"1", second)
            assert snapshot.find("uses", "p") == [_ROLE]
        with store.transaction() as transaction:
            transaction.delete(_ROLE, quiet=True)
        assert second > first
        assert store.revision == revision
        assert store.changes(revision) == Changes(revision)
        with pytest.raises(Conflict), store.transaction() as transaction:
            transaction.put(_USER, b"2", expect=first, quiet=True)

    def test_the_revision_grows_with_every_change_and_with_nothing_else(self, store: Store) -> None:
        seen = [store.revision]
        for number in range(5):
            with store.transaction() as transaction:
                transaction.put(_ROLE, b"%d" % number, expect=None)
            seen.append(store.revision)
            with store.transaction() as transaction:
                transaction.get(_ROLE)
            with store.snapshot() as snapshot:
                assert snapshot.revision == store.revision == seen[-1]
        assert seen == sorted(set(seen))

    @pytest.mark.parametrize("text", ["", "a\0", "\udc80", "a\U0010ffff", "a" * (MAX_TEXT + 1)])
    def test_a_text_that_not_every_engine_can_hold_is_refused_and_never_found(self, store: Store, text: str) -> None:
        bad: list[tuple[Key, tuple[str, str]]] = [
            (Key("1", text, "a"), ("uses", "p")),
            (Key("1", "role", text), ("uses", "p")),
            (Key("1", "role", "a"), (text, "p")),
            (Key("1", "role", "a"), ("uses", text)),
        ]
        if text:
            bad.append((Key(text, "role", "a"), ("uses", "p")))
        for key, pair in bad:
            with pytest.raises(ValueError, match=r"."), store.transaction() as transaction:
                transaction.put(key, b"", expect=None, indexes=[pair])
            with store.transaction() as transaction:
                transaction.delete(key)
            with store.snapshot() as snapshot:
                assert snapshot.get(key) is None
                assert snapshot.find(*pair) == []
                assert snapshot.list(key.account, key.kind, prefix=key.name, limit=5) == []
                assert snapshot.list(key.account, key.kind, after=key.name, limit=5) == []
                assert snapshot.count(key.account, key.kind) == 0

    def test_index_rows_are_bounded(self, store: Store) -> None:
        pairs = [("uses", str(number)) for number in range(MAX_INDEXES + 1)]
        with pytest.raises(ValueError, match="index rows"), store.transaction() as transaction:
            transaction.put(_ROLE, b"", expect=0, indexes=pairs)
        with store.transaction() as transaction:
            transaction.put(_ROLE, b"", expect=0, indexes=pairs[1:])

    def test_what_is_over_cannot_be_used(self, store: Store) -> None:
        with store.snapshot() as snapshot:
            pass
        with store.transaction() as transaction:
            transaction.put(_ROLE, b"", expect=0)
        reads: list[Callable[[Snapshot], object]] = [
            lambda over: over.get(_ROLE),
            lambda over: over.list("1", "role", limit=1),
            lambda over: over.find("uses", "p"),
            lambda over: over.count("1", "role"),
        ]
        for over in (snapshot, transaction):
            for read in reads:
                with pytest.raises(StoreError):
                    read(over)
        with pytest.raises(StoreError):
            transaction.put(_ROLE, b"", expect=None)
        with pytest.raises(StoreError):
            transaction.delete(_ROLE)

    def test_transactions_do_not_nest(self, store: Store) -> None:
        with store.transaction() as transaction:
            transaction.put(_ROLE, b"", expect=0)
            with pytest.raises(StoreError, match="do not nest"), store.transaction():
                pass
        with store.snapshot() as snapshot:
            assert snapshot.get(_ROLE) is not None

    def test_a_closed_store_answers_nothing(self, store_url: str) -> None:
        store = self.open(store_url)
        store.close()
        store.close()
        for use in (store.snapshot, store.transaction):
            with pytest.raises(StoreError), use():
                pass
        with pytest.raises(StoreError):
            _ = store.revision
        with pytest.raises(StoreError):
            store.changes(0)

    def test_a_writer_that_waits_too_long_is_told_so_and_readers_never_wait(self, store_url: str) -> None:
        store = self.open(store_url, timeout=0.05)
        refused: list[BaseException] = []

        def write() -> None:
            try:
                with store.transaction() as transaction:
                    transaction.put(_USER, b"", expect=0)
            except Locked as error:
                refused.append(error)

        with store.transaction() as transaction:
            transaction.put(_ROLE, b"", expect=0)
            thread = threading.Thread(target=write)
            thread.start()
            thread.join()
            with store.snapshot() as snapshot:
                assert snapshot.get(_ROLE) is None
        assert len(refused) == 1
        write()
        with store.snapshot() as snapshot:
            assert snapshot.get(_ROLE) is not None
            assert snapshot.get(_USER) is not None
        store.close()

    def test_threads_lose_no_update_and_see_only_whole_transactions(self, store: Store) -> None:
        torn: list[object] = []

        def read() -> None:
            while not done.is_set():
                with store.snapshot() as snapshot:
                    rows = [snapshot.get(_ROLE), snapshot.get(_USER)]
                    total = sum(int(row.data) for row in rows if row is not None)
                    if total:
                        torn.append(total)

        done = threading.Event()
        readers = [threading.Thread(target=read) for _ in range(2)]
        writers = [threading.Thread(target=_count_up, args=(store, 25)) for _ in range(4)]
        for thread in readers + writers:
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        for thread in readers:
            thread.join()
        with store.snapshot() as snapshot:
            row = snapshot.get(_ROLE)
        assert row is not None
        assert int(row.data) == 100
        assert torn == []


class SharedStoreConformance(StoreConformance):
    """The same for engines in ``ENGINES`` whose address several processes may open at once."""

    def test_processes_lose_no_update(self, store: Store, store_url: str) -> None:
        assert _together(_count_up_at, [(store_url, 15)] * 3) == [[]] * 3
        with store.snapshot() as snapshot:
            row = snapshot.get(_ROLE)
            assert row is not None
            assert int(row.data) == 45
            assert snapshot.revision == store.revision == store.changes(store.revision).revision

    def test_one_process_wins_each_unique_creation(self, store: Store, store_url: str) -> None:
        won = _together(_create_at, [(store_url, mark) for mark in "abc"])
        names = [name for names in won for name in names]
        assert sorted(names) == sorted(f"n{number}" for number in range(15))
        with store.snapshot() as snapshot:
            rows = snapshot.list("1", "role", limit=100)
        assert {row.key.name: row.data.decode() for row in rows} == {
            name: mark for names, mark in zip(won, "abc", strict=True) for name in names
        }

    def test_a_change_by_another_process_is_seen_at_once(self, store: Store, store_url: str) -> None:
        seen = store.revision
        _together(_count_up_at, [(store_url, 1)])
        assert store.revision != seen
        assert set(store.changes(seen).keys) == {_ROLE, _USER}


def _everything(store: Store) -> object:
    with store.snapshot() as snapshot:
        rows = [row for kind in ("role", "user") for row in snapshot.list(_ROLE.account, kind, limit=100)]
        found = {value: snapshot.find("uses", value) for value in "pqr"}
        return [(row.key, row.version, row.data) for row in rows], found, snapshot.revision, store.revision


def _count_up(store: Store, times: int) -> None:
    """Add one to a counter and take one from another, ``times`` times, by the version that was read."""
    done = 0
    while done < times:
        with store.snapshot() as snapshot:
            up, down = snapshot.get(_ROLE), snapshot.get(_USER)
        try:
            with store.transaction() as transaction:
                for key, row, step in ((_ROLE, up, 1), (_USER, down, -1)):
                    value, version = (int(row.data), row.version) if row is not None else (0, 0)
                    transaction.put(key, b"%d" % (value + step), expect=version)
        except Conflict:
            continue
        done += 1


def _count_up_at(url: str, times: int) -> list[str]:
    store = open_store(url, timeout=60)
    _count_up(store, times)
    store.close()
    return []


def _create_at(url: str, mark: str) -> list[str]:
    store = open_store(url, timeout=60)
    won = []
    for number in range(15):
        try:
            with store.transaction() as transaction:
                transaction.put(Key("1", "role", f"n{number}"), mark.encode(), expect=0)
        except Conflict:
            continue
        won.append(f"n{number}")
    store.close()
    return won


def _child(start: Barrier, answer: Connection, work: Callable[..., list[str]], *args: object) -> None:
    start.wait()
    answer.send(work(*args))


def _together(work: Callable[..., list[str]], arguments: list[tuple[object, ...]]) -> list[list[str]]:
    """Run ``work`` in a process for each of ``arguments``, all at the same time; what each returned."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(len(arguments))
    pipes = [context.Pipe(duplex=False) for _ in arguments]
    processes = [
        context.Process(target=_child, args=(start, answer, work, *given))
        for (_, answer), given in zip(pipes, arguments, strict=True)
    ]
    for process in processes:
        process.start()
    for _, answer in pipes:
        answer.close()
    answers = [question.recv() for question, _ in pipes]
    for process in processes:
        process.join()
        process.close()
    return answers
