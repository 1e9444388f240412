"""Where records live: versioned rows of opaque bytes, index rows for reverse look-ups, and a change feed by key.

An engine offers consistent reads (``Store.snapshot``), all-or-nothing writes (``Store.transaction``) and a monotonic
``Store.revision`` that is cheap enough to be compared before every request: whoever has seen a store at revision *r*
and still reads *r* there has missed no acknowledged change, whichever process made it.  The feed then says which keys,
and which (index, value) pairs, were touched since.

The store is synchronous and does not know what a row means.  ``locum.store.facts`` keeps what was decoded from it;
``locum.testing.StoreConformance`` is the suite that every engine passes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

import msgspec

__all__ = [
    "ENGINES",
    "FEED",
    "MAX_CHANGES",
    "MAX_DATA",
    "MAX_INDEXES",
    "MAX_TEXT",
    "PAGE",
    "TIMEOUT",
    "Changes",
    "Conflict",
    "Key",
    "Locked",
    "Row",
    "SchemaTooNew",
    "Snapshot",
    "Store",
    "StoreError",
    "Transaction",
    "check_record",
    "open_store",
]

FEED: Final = 100_000
"""How many touched keys and pairs the change feed reaches back at least."""
MAX_CHANGES: Final = 10_000
"""The longest piece of the feed that is handed out; whoever is further behind is told that everything changed."""
MAX_TEXT: Final = 2_048
"""The longest account, kind, name, index or value, in characters."""
MAX_DATA: Final = 16 * 1024 * 1024
"""The largest record, in bytes; SAML metadata of 10 million characters fits."""
MAX_INDEXES: Final = 10_000
"""The most index rows that one record may have."""
PAGE: Final = 1_000
"""How many keys ``find`` returns at most where the caller names no limit."""
TIMEOUT: Final = 5.0
"""Seconds that a writer waits for its turn before ``Locked``."""


class StoreError(Exception):
    """The store cannot do what was asked; the base of all its errors."""


class Conflict(StoreError):
    """A record is not at the version that a write expected."""

    def __init__(self, key: Key, expected: int, found: int) -> None:
        super().__init__(f"{key.kind} {key.name!r} is at version {found}, not {expected}")
        self.key = key
        self.expected = expected
        self.found = found


class Locked(StoreError):
    """Another writer held the store for longer than the time-out."""


class SchemaTooNew(StoreError):
    """The database was written by a newer locum, whose schema this one does not know."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"the database has schema version {found}, and this locum knows versions up to {known}: "
            "run a newer locum, or restore the copy made before the upgrade"
        )
        self.found = found
        self.known = known


class Key(NamedTuple):
    """The address of a record.

    ``account`` is empty for what belongs to no account.  ``name`` is canonical (lower case where names are compared
    so) and never empty.
    """

    account: str
    kind: str
    name: str


class Row(msgspec.Struct, frozen=True, gc=False):
    """A record as stored.

    ``version`` is new after every write and never used again in this store, so that a record that was deleted and
    created again is not taken for the old one.
    """

    key: Key
    version: int
    data: bytes


class Changes(msgspec.Struct, frozen=True):
    """What was touched since a revision, and the revision that this brings the reader to.

    ``everything`` says that the feed no longer reaches back: keep nothing of what was read before.
    """

    revision: int
    keys: Collection[Key] = ()
    pairs: Collection[tuple[str, str]] = ()
    everything: bool = False


class Snapshot(Protocol):
    """One consistent read: every method answers from the moment at which the snapshot was entered.

    For one thread at a time, and only inside its ``with`` block; ``StoreError`` after it.
    """

    @property
    def revision(self) -> int:
        """The committed revision that this snapshot shows."""

    def get(self, key: Key) -> Row | None:
        """The record at ``key``, or None."""

    def list(self, account: str, kind: str, *, after: str = "", prefix: str = "", limit: int) -> Sequence[Row]:
        """Up to ``limit`` records of a kind in the order of their names (by code point).

        Only names greater than ``after`` that begin with ``prefix``.
        """

    def find(self, index: str, value: str, *, after: Key | None = None, limit: int = PAGE) -> Sequence[Key]:
        """Up to ``limit`` keys of the records with the index row (``index``, ``value``), in order, after ``after``."""

    def count(self, account: str, kind: str) -> int:
        """How many records of a kind an account has."""

    def changes(self, since: int) -> Changes:
        """What the commits after revision ``since`` touched, up to this snapshot's revision."""


class Transaction(Snapshot, Protocol):
    """A snapshot that writes, and reads what it wrote.

    Leaving the ``with`` block commits, and returns only when the change cannot be lost any more; an exception undoes
    everything.  Transactions of all processes run one after the other and do not nest.
    """

    def put(
        self,
        key: Key,
        data: bytes,
        *,
        expect: int | None,
        indexes: Iterable[tuple[str, str]] = (),
        quiet: bool = False,
    ) -> int:
        """Write a record and return its new version.

        ``expect`` is the version that the record must have, 0 where it must not exist, None where that does not
        matter; otherwise ``Conflict``, and nothing is written.  ``indexes`` replace the record's index rows as a
        whole.  ``quiet`` leaves revision and feed alone, for records that change all the time and that nobody keeps
        (last used, spent codes).  ValueError for what breaks the limits of ``check_record``.
        """

    def delete(self, key: Key, *, expect: int | None = None, quiet: bool = False) -> None:
        """Remove a record and its index rows; ``Conflict`` as for ``put``, and where ``expect`` is None no error."""


class Store(Protocol):
    """An open store, shared by all threads of a process; opened again in every process, after forking."""

    @property
    def revision(self) -> int:
        """The newest announced revision, in about 0.1 µs and without asking the engine.

        Never less than the revision of any acknowledged change.  It may be ahead of what a snapshot shows while a
        commit is under way, or after a crash in the middle of one: then look, and do not call it seen.
        """

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """A consistent read, which no writer blocks."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """The next turn to write; ``Locked`` where it does not come in time."""

    def changes(self, since: int) -> Changes:
        """``Snapshot.changes`` of a snapshot taken now."""

    def close(self) -> None:
        """Give everything back; any later use is a ``StoreError``."""


def check_record(key: Key, data: bytes, indexes: Collection[tuple[str, str]]) -> None:
    """ValueError unless every engine can store the record.

    Texts are Unicode (no lone surrogates) without NUL and without U+10FFFF, which engines use as an upper bound, of at
    most ``MAX_TEXT`` characters; kind, name, index and value are not empty; data and index rows are bounded.
    """
    for text in key:
        _check_text(text)
    if not key.kind or not key.name:
        raise ValueError("a record has a kind and a name")
    if len(data) > MAX_DATA:
        raise ValueError(f"a record has at most {MAX_DATA} bytes")
    if len(indexes) > MAX_INDEXES:
        raise ValueError(f"a record has at most {MAX_INDEXES} index rows")
    for index, value in indexes:
        _check_text(index)
        _check_text(value)
        if not index or not value:
            raise ValueError("an index row has an index and a value")


def _check_text(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise ValueError(f"a key has at most {MAX_TEXT} characters in each part")
    if not text.isascii():
        text.encode()
        if "\U0010ffff" in text:
            raise ValueError("a key cannot hold U+10FFFF")
    if "\0" in text:
        raise ValueError("a key cannot hold NUL")


def _memory(url: str, timeout: float) -> Store:
    from locum.store.memory import MemoryStore

    if url != "memory:":
        raise StoreError("the memory engine takes no address: write 'memory:'")
    return MemoryStore(timeout=timeout)


def _sqlite(url: str, timeout: float) -> Store:
    from locum.store.sql import SQLStore
    from locum.store.sqlite import SQLite

    return SQLStore(SQLite(url, timeout=timeout), timeout=timeout)


ENGINES: Final[Mapping[str, Callable[[str, float], Store]]] = MappingProxyType({"memory": _memory, "sqlite": _sqlite})
"""The opener of each URL scheme: (URL, seconds that a writer waits) → the open store."""


def open_store(url: str, *, timeout: float = TIMEOUT) -> Store:
    """Open the store at ``url``: ``memory:``, ``sqlite:///relative/path`` or ``sqlite:////absolute/path``.

    What does not exist yet is created, and an older schema is upgraded.  Raises ``StoreError``: ``SchemaTooNew``,
    ``Locked``, or what cannot be used.  The message never holds the address, which may carry a password.
    """
    scheme = url.partition(":")[0]
    opener = ENGINES.get(scheme)
    if opener is None or ":" not in url:
        raise StoreError(f"no storage engine for this address: it begins with one of {', '.join(sorted(ENGINES))}")
    return opener(url, timeout)
