"""Decoded facts, kept until a record that they were read from changes.

A fact is whatever a caller builds from stored rows – a role with its compiled trust policy, the policies of a
principal – under a name of the caller's.  While it is built, everything that is read is noted: keys (absent ones too),
index look-ups, and lists by their prefix.  When the store has moved, the change feed says which keys and pairs were
touched, and exactly the facts that depend on them are dropped.  Records that are written quietly do not belong into
facts: nothing says that they changed.

Two views, with the same ``get``:

- ``Facts.cached_only()`` for the event loop: one comparison says whether anything moved, and whatever would need the
  store raises ``Miss``;
- ``Facts.reading()`` for a thread that may wait: one snapshot for all that the request reads.

Both answer from a single revision: a fact is used only by a view at whose revision it holds.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

import msgspec

from locum.store import PAGE, Changes, Key, Row, Snapshot, Store

__all__ = ["CAPACITY", "Facts", "Miss", "Reader", "Reading", "View"]

T = TypeVar("T")

CAPACITY: Final = 32_768
"""How many facts are kept where the caller does not say."""
_LINKS: Final = 16
"""How many dependencies there may be for each place; a fact that alone has more than all is not kept."""
_RECENT: Final = 64
"""How many steps of the feed are remembered for facts that were read before them and are ready after them."""
_FEW: Final = 8

_Link = tuple[str, ...]
"""What a fact depends on: a key (three texts), an index look-up (two), or a list by prefix (four, the last empty)."""


class Miss(Exception):
    """What was asked for cannot be answered without the store; ``args`` holds the fact's name, if it was one fact."""


class Reader(Protocol):
    """What a fact is built from: one consistent read that notes what was read, and other facts of the same read."""

    def get(self, key: Key) -> Row | None:
        """As ``Snapshot.get``."""

    def list(self, account: str, kind: str, *, after: str = "", prefix: str = "", limit: int) -> Sequence[Row]:
        """As ``Snapshot.list``; the fact depends on every name that begins with ``prefix``."""

    def find(self, index: str, value: str, *, after: Key | None = None, limit: int = PAGE) -> Sequence[Key]:
        """As ``Snapshot.find``."""

    def count(self, account: str, kind: str) -> int:
        """As ``Snapshot.count``; the fact depends on every record of the kind."""

    def fact(self, name: Hashable, load: Callable[[Reader], T]) -> T:
        """Another fact, whose dependencies become this one's too."""


class View(Protocol):
    """Facts as one request sees them."""

    def get(self, name: Hashable, load: Callable[[Reader], T]) -> T:
        """The fact called ``name``, which ``load`` builds where it is not kept; never to be modified by anyone."""


class _Entry(msgspec.Struct, gc=False):
    value: Any
    since: int
    links: frozenset[_Link]
    used: bool = False


class _Cached:
    """The view of the event loop, at the revision ``Facts.cached_only`` found."""

    __slots__ = ("_find", "_revision")

    def __init__(self, find: Callable[[Hashable], _Entry | None], revision: int) -> None:
        self._find = find
        self._revision = revision

    def get(self, name: Hashable, load: Callable[[Reader], T]) -> T:
        entry = self._find(name)
        if entry is None or entry.since > self._revision:
            raise Miss(name)
        entry.used = True
        value: T = entry.value
        return value


class Reading:
    """One snapshot, as a view and as the reader that facts are built from; for one thread."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._snapshot: AbstractContextManager[Snapshot] = facts.store.snapshot()

    def __enter__(self) -> Self:
        self._store = self._snapshot.__enter__()
        try:
            self.revision = self._store.revision
            self._facts.catch_up(self._store)
        except BaseException as error:
            self._snapshot.__exit__(type(error), error, error.__traceback__)
            raise
        self._links: set[_Link] | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._snapshot.__exit__(kind, error, trace)

    @property
    def rows(self) -> Snapshot:
        """The snapshot itself, for what is read once and not kept."""
        return self._store

    def get(self, name: Hashable, load: Callable[[Reader], T]) -> T:
        entry = self._facts.find(name)
        outer = self._links
        if entry is not None and entry.since <= self.revision:
            entry.used = True
            if outer is not None:
                outer |= entry.links
            value: T = entry.value
            return value
        links: set[_Link] = set()
        self._links = links
        if outer is None:
            self._facts.loading[threading.get_ident()] = self
        try:
            value = load(_Noting(self, self._store, links))
        finally:
            if outer is None:
                del self._facts.loading[threading.get_ident()]
            # Even a load that fails tells its caller something that may change.
            self._links = outer
            if outer is not None:
                outer |= links
        self._facts.keep(name, _Entry(value, self.revision, frozenset(links)))
        return value


class _Noting:
    """The reader of one fact."""

    __slots__ = ("_links", "_reading", "_store")

    def __init__(self, reading: Reading, store: Snapshot, links: set[_Link]) -> None:
        self._reading = reading
        self._store = store
        self._links = links

    def get(self, key: Key) -> Row | None:
        self._links.add(key)
        return self._store.get(key)

    def list(self, account: str, kind: str, *, after: str = "", prefix: str = "", limit: int) -> Sequence[Row]:
        self._links.add((account, kind, prefix, ""))
        return self._store.list(account, kind, after=after, prefix=prefix, limit=limit)

    def find(self, index: str, value: str, *, after: Key | None = None, limit: int = PAGE) -> Sequence[Key]:
        self._links.add((index, value))
        return self._store.find(index, value, after=after, limit=limit)

    def count(self, account: str, kind: str) -> int:
        self._links.add((account, kind, "", ""))
        return self._store.count(account, kind)

    def fact(self, name: Hashable, load: Callable[[Reader], T]) -> T:
        return self._reading.get(name, load)


class Facts:
    """The facts that a process keeps from one store, at most ``capacity``, shared by its threads.

    Which ones go when the place is used up: the oldest that were not asked for since they were last considered.
    """

    def __init__(self, store: Store, *, capacity: int = CAPACITY) -> None:
        if capacity < 1:
            raise ValueError("at least one fact must have a place")
        self.store = store
        self._capacity = capacity
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Entry] = {}
        self._dependents: dict[_Link, tuple[Hashable, ...] | set[Hashable]] = {}
        self._link_count = 0
        self._prefixes: dict[str, set[int]] = {}
        self._recent: deque[tuple[int, Changes]] = deque(maxlen=_RECENT)
        self.loading: dict[int, Reading] = {}
        self.find: Callable[[Hashable], _Entry | None] = self._entries.get
        with store.snapshot() as snapshot:
            self._revision = snapshot.revision

    def __len__(self) -> int:
        return len(self._entries)

    def cached_only(self) -> View:
        """A view that never waits; ``Miss`` where the store has moved since the last ``reading`` or ``begin``."""
        revision = self._revision
        if self.store.revision != revision:
            raise Miss
        return _Cached(self.find, revision)

    def reading(self) -> Reading:
        """A view that reads what is not kept: ``with facts.reading() as view``.  One snapshot, from entering on."""
        return Reading(self)

    def begin(self) -> None:
        """Drop what changed; reads the store only where its revision word moved."""
        if self.store.revision != self._revision:
            with self.store.snapshot() as snapshot:
                self.catch_up(snapshot)

    def get(self, name: Hashable, load: Callable[[Reader], T]) -> T:
        """One fact, as new as the last ``begin``; inside a load the same as ``Reader.fact``."""
        if self.loading:
            reading = self.loading.get(threading.get_ident())
            if reading is not None:
                return reading.get(name, load)
        entry = self.find(name)
        if entry is not None:
            entry.used = True
            value: T = entry.value
            return value
        with self.reading() as reading:
            return reading.get(name, load)

    def catch_up(self, snapshot: Snapshot) -> None:
        """Drop what the commits touched that ``snapshot`` shows and these facts do not know yet."""
        if snapshot.revision == self._revision:
            return
        with self._lock:
            revision = snapshot.revision
            if revision > self._revision:
                self._apply(snapshot.changes(self._revision))
                self._revision = revision

    def _apply(self, changes: Changes) -> None:
        self._recent.append((self._revision, changes))
        if changes.everything:
            self._entries.clear()
            self._dependents.clear()
            self._link_count = 0
            return
        for link in chain(changes.keys, changes.pairs):
            self._drop(link)
        for account, kind, name in changes.keys:
            for length in self._prefixes.get(kind, ()):
                self._drop((account, kind, name[:length], ""))

    def _drop(self, link: _Link) -> None:
        for name in [*self._dependents.get(link, ())]:
            self._remove(name)

    def keep(self, name: Hashable, entry: _Entry) -> None:
        """Keep a fact that holds at revision ``entry.since``, unless what came after may have changed it."""
        links = entry.links
        with self._lock:
            if len(links) > self._capacity * _LINKS or not self._holds(entry):
                return
            self._remove(name)
            while len(self._entries) >= self._capacity or self._link_count + len(links) > self._capacity * _LINKS:
                self._evict()
            self._entries[name] = entry
            self._link_count += len(links)
            for link in links:
                if len(link) == 4:
                    self._prefixes.setdefault(link[1], set()).add(len(link[2]))
                names = self._dependents.get(link)
                if names is None:
                    self._dependents[link] = (name,)
                elif isinstance(names, set):
                    names.add(name)
                else:
                    self._dependents[link] = (*names, name) if len(names) < _FEW else {*names, name}

    def _holds(self, entry: _Entry) -> bool:
        """Whether nothing that the fact was read from was touched between its revision and ours."""
        if entry.since >= self._revision:
            return True
        for before, changes in reversed(self._recent):
            if changes.everything or any(_concerns(changes, link) for link in entry.links):
                return False
            if before <= entry.since:
                return True
        return False

    def _evict(self) -> None:
        """Remove the oldest fact that was not used since it last came up here."""
        while True:
            name, entry = next(iter(self._entries.items()))
            if not entry.used:
                self._remove(name)
                return
            entry.used = False
            self._entries[name] = self._entries.pop(name)

    def _remove(self, name: Hashable) -> None:
        entry = self._entries.pop(name, None)
        if entry is None:
            return
        self._link_count -= len(entry.links)
        for link in entry.links:
            names = self._dependents[link]
            if isinstance(names, set):
                names.discard(name)
            else:
                names = tuple(other for other in names if other != name)
                self._dependents[link] = names
            if not names:
                del self._dependents[link]


def _concerns(changes: Changes, link: _Link) -> bool:
    match link:
        case (account, kind, prefix, ""):
            return any(
                key.name.startswith(prefix) for key in changes.keys if key.account == account and key.kind == kind
            )
        case (_, _, _):
            return link in changes.keys
        case _:
            return link in changes.pairs
