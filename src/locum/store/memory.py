"""The memory engine: for tests and demonstrations, one process, nothing kept.

Every record is a chain of states, newest first, each with the commit that made it.  A snapshot remembers the commit
at which it began and reads, in every chain, the newest state that is not younger; a transaction reads and writes one
commit ahead and takes its states off again when it fails.  States that no open snapshot can see are dropped on the
next write of their record.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from locum.store import (
    FEED,
    MAX_CHANGES,
    PAGE,
    TIMEOUT,
    Changes,
    Conflict,
    Key,
    Locked,
    Row,
    StoreError,
    check_record,
)

__all__ = ["MemorySnapshot", "MemoryStore", "MemoryTransaction"]


class _State(NamedTuple):
    commit: int
    row: Row | None
    pairs: frozenset[tuple[str, str]]


_T = TypeVar("_T", str, Key)
_NO_PAIRS: frozenset[tuple[str, str]] = frozenset()
_DEAD = 1_000
"""How many written records wait for old snapshots to end before they are looked through at every commit."""


class MemorySnapshot:
    """A read at one commit; see ``locum.store.Snapshot``."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._commit = -1
        self.revision = 0

    def __enter__(self) -> Self:
        self._commit, self.revision = self._store.pin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.unpin(self._commit)
        self._commit = -1

    def _live(self) -> int:
        if self._commit < 0:
            raise StoreError("this snapshot or transaction is over")
        return self._commit

    def _state(self, key: Key) -> _State | None:
        commit = self._live()
        for state in self._store.chains.get(key, ()):
            if state.commit <= commit:
                return state
        return None

    def get(self, key: Key) -> Row | None:
        state = self._state(key)
        return state.row if state is not None else None

    def _rows(self, account: str, kind: str, start: str, end: str) -> Iterator[Row]:
        self._live()
        rows = (self.get(Key(account, kind, name)) for name in self._store.between((account, kind), start, end))
        return (row for row in rows if row is not None)

    def list(self, account: str, kind: str, *, after: str = "", prefix: str = "", limit: int) -> Sequence[Row]:
        start = prefix if after < prefix else after + "\0"
        return [*islice(self._rows(account, kind, start, prefix + "\U0010ffff"), max(limit, 0))]

    def find(self, index: str, value: str, *, after: Key | None = None, limit: int = PAGE) -> Sequence[Key]:
        self._live()
        pair = (index, value)
        keys = self._store.holders(pair, after or Key("", "", ""))
        states = ((key, self._state(key)) for key in keys)
        found = (key for key, state in states if state is not None and pair in state.pairs)
        return [*islice(found, max(limit, 0))]

    def count(self, account: str, kind: str) -> int:
        return sum(1 for _ in self._rows(account, kind, "", "\U0010ffff"))

    def changes(self, since: int) -> Changes:
        behind = self.revision - since
        if not behind:
            return Changes(self.revision)
        items = self._store.feed(since, self.revision) if 0 < behind <= MAX_CHANGES else None
        if items is None:
            return Changes(self.revision, everything=True)
        keys = [item for item in items if isinstance(item, Key)]
        return Changes(self.revision, keys, [item for item in items if not isinstance(item, Key)])


class MemoryTransaction(MemorySnapshot):
    """A transaction, one commit ahead of every snapshot; see ``locum.store.Transaction``."""

    def __enter__(self) -> Self:
        self._commit, self.revision = self._store.acquire()
        self._undo: dict[Key, tuple[_State, ...]] = {}
        self._touched: dict[Key | tuple[str, str], None] = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._commit = -1
        if kind is None:
            self._store.commit(self._undo, self._touched)
        else:
            self._store.undo(self._undo)

    def _write(self, key: Key, row: Row | None, pairs: frozenset[tuple[str, str]], *, quiet: bool) -> None:
        old = self._state(key)
        before = self._store.write(key, _State(self._commit, row, pairs))
        self._undo.setdefault(key, before)
        if not quiet:
            self._touched[key] = None
            self._touched.update(dict.fromkeys(pairs ^ (old.pairs if old is not None else _NO_PAIRS)))

    def _found(self, key: Key, expect: int | None) -> int:
        row = self.get(key)
        found = row.version if row is not None else 0
        if expect is not None and expect != found:
            raise Conflict(key, expect, found)
        return found

    def put(
        self,
        key: Key,
        data: bytes,
        *,
        expect: int | None,
        indexes: Iterable[tuple[str, str]] = (),
        quiet: bool = False,
    ) -> int:
        pairs = frozenset(indexes)
        check_record(key, data, pairs)
        self._found(key, expect)
        version = self._store.next_version()
        self._write(key, Row(key, version, bytes(data)), pairs, quiet=quiet)
        return version

    def delete(self, key: Key, *, expect: int | None = None, quiet: bool = False) -> None:
        if self._found(key, expect):
            self._write(key, None, _NO_PAIRS, quiet=quiet)


class MemoryStore:
    """A store in this process's memory; see ``locum.store.Store``."""

    def __init__(self, *, timeout: float = TIMEOUT) -> None:
        self.chains: dict[Key, tuple[_State, ...]] = {}
        self._timeout = timeout
        self._names: dict[tuple[str, str], list[str]] = {}
        self._holders: dict[tuple[str, str], list[Key]] = {}
        self._feed: deque[Key | tuple[str, str]] = deque(maxlen=FEED)
        self._revision = 0
        self._commit = 0
        self._version = 0
        self._pinned: dict[int, int] = {}
        self._dead: dict[Key, None] = {}
        self._mutex = threading.Lock()
        self._turn = threading.Lock()
        self._writer = 0
        self._open = True

    @property
    def revision(self) -> int:
        if not self._open:
            raise StoreError("the store is closed")
        return self._revision

    def snapshot(self) -> MemorySnapshot:
        return MemorySnapshot(self)

    def transaction(self) -> MemoryTransaction:
        return MemoryTransaction(self)

    def changes(self, since: int) -> Changes:
        with self.snapshot() as snapshot:
            return snapshot.changes(since)

    def close(self) -> None:
        self._open = False

    def pin(self) -> tuple[int, int]:
        """Keep the present state readable; its commit and revision."""
        with self._mutex:
            if not self._open:
                raise StoreError("the store is closed")
            self._pinned[self._commit] = self._pinned.get(self._commit, 0) + 1
            return self._commit, self._revision

    def unpin(self, commit: int) -> None:
        """Let go of a state."""
        with self._mutex:
            self._pinned[commit] -= 1
            if not self._pinned[commit]:
                del self._pinned[commit]

    def acquire(self) -> tuple[int, int]:
        """Take the turn to write; the commit to write at, and the revision."""
        thread = threading.get_ident()
        if self._writer == thread:
            raise StoreError("transactions do not nest")
        if not self._turn.acquire(timeout=self._timeout):
            raise Locked("another thread is writing to the store")
        if not self._open:
            self._turn.release()
            raise StoreError("the store is closed")
        self._writer = thread
        return self._commit + 1, self._revision

    def next_version(self) -> int:
        """A record version that was never given out; only for the writer."""
        self._version += 1
        return self._version

    def between(self, kind: tuple[str, str], start: str, end: str) -> Sequence[str]:
        """The names of a kind, of any state, from ``start`` up to but not including ``end``."""
        with self._mutex:
            names = self._names.get(kind, [])
            return names[bisect_left(names, start) : bisect_left(names, end)]

    def holders(self, pair: tuple[str, str], after: Key) -> Sequence[Key]:
        """The keys after ``after`` of which some state has the index row."""
        with self._mutex:
            keys = self._holders.get(pair, [])
            return keys[bisect_right(keys, after) :]

    def feed(self, since: int, until: int) -> Sequence[Key | tuple[str, str]] | None:
        """What the revisions after ``since`` up to ``until`` touched, or None where that is forgotten."""
        with self._mutex:
            first = since - (self._revision - len(self._feed))
            return [*islice(self._feed, first, first + until - since)] if first >= 0 else None

    def write(self, key: Key, state: _State) -> tuple[_State, ...]:
        """Put a state before the others of its record; the chain as it was."""
        with self._mutex:
            before = self.chains.get(key, ())
            self._set(key, (state, *(old for old in before if old.commit < state.commit)))
            return before

    def commit(self, written: Iterable[Key], touched: Iterable[Key | tuple[str, str]]) -> None:
        """Make what was written visible, all at once, and give the turn back."""
        with self._mutex:
            touched = [*touched]
            self._feed.extend(touched)
            self._revision += len(touched)
            self._commit += 1
            self._dead.update(dict.fromkeys(written))
            oldest = min(self._pinned, default=self._commit)
            if oldest == self._commit or len(self._dead) > _DEAD:
                self._sweep(oldest)
        self._end()

    def undo(self, before: dict[Key, tuple[_State, ...]]) -> None:
        """Put back the chains that a transaction found, and give the turn back."""
        with self._mutex:
            for key, chain in before.items():
                self._set(key, chain)
        self._end()

    def _end(self) -> None:
        self._writer = 0
        self._turn.release()

    def _sweep(self, oldest: int) -> None:
        """Drop what no snapshot at commit ``oldest`` or younger can see."""
        for key in [*self._dead]:
            chain = self.chains[key]
            visible = next((place for place, state in enumerate(chain) if state.commit <= oldest), len(chain) - 1)
            kept = chain[: visible + 1]
            if kept[-1].row is None and kept[-1].commit <= oldest:
                kept = kept[:-1]
            self._set(key, kept)
            if not kept or (len(kept) == 1 and kept[0].row is not None):
                del self._dead[key]

    def _set(self, key: Key, chain: tuple[_State, ...]) -> None:
        """Replace a chain, and keep names and holders in step with the states that exist."""
        before = self.chains.get(key, ())
        old = _NO_PAIRS.union(*(state.pairs for state in before))
        new = _NO_PAIRS.union(*(state.pairs for state in chain))
        for pair in old - new:
            _remove(self._holders, pair, key)
        for pair in new - old:
            insort(self._holders.setdefault(pair, []), key)
        if chain:
            self.chains[key] = chain
            if not before:
                insort(self._names.setdefault(key[:2], []), key.name)
        elif before:
            del self.chains[key]
            _remove(self._names, key[:2], key.name)


def _remove(table: dict[tuple[str, str], list[_T]], group: tuple[str, str], member: _T) -> None:
    members = table[group]
    del members[bisect_left(members, member)]
    if not members:
        del table[group]
