"""The SQL engine: SQLAlchemy Core writes the statements once, the driver's own cursor runs them.

Statements and schema name no dialect.  What differs between databases is behind ``Database``: how to connect, how a
transaction begins, who may write, and how a new revision is announced.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Protocol, Self

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.sql.compiler import SQLCompiler

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
    SchemaTooNew,
    StoreError,
    check_record,
)
from locum.store.schema import MIGRATIONS, changes, index_rows, records, state

__all__ = ["Database", "SQLSnapshot", "SQLStore", "SQLTransaction"]

_IDLE: Final = 8
_PRUNE: Final = 1_024


class Database(Protocol):
    """What one kind of SQL database does its own way."""

    begin_read: str
    begin_write: str
    driver_error: type[Exception]
    dialect: sa.Dialect

    @property
    def word(self) -> Sequence[int]:
        """Holds, in its only place, the newest announced revision."""

    def connect(self) -> Any:
        """A new connection of the driver that leaves transactions to us."""

    def prepare(self, cursor: Any) -> frozenset[str]:
        """What a new database needs, outside of a transaction; the names of the tables that are there."""

    def announce(self, revision: int) -> None:
        """Tell every process which revision is about to be committed."""

    def acquire(self, timeout: float) -> None:
        """Take the turn to write among all processes; ``Locked`` after ``timeout`` seconds."""

    def release(self) -> None:
        """Give the turn to write back."""

    def error(self, error: Exception) -> StoreError:
        """The declared error for one of the driver's."""

    def close(self) -> None:
        """Give everything back."""


class _Statements:
    """Every statement of the hot path, as text of one dialect with positional parameters."""

    def __init__(self, dialect: sa.Dialect) -> None:
        def compiled(statement: sa.ClauseElement, *names: str) -> str:
            result = statement.compile(dialect=dialect)
            assert isinstance(result, SQLCompiler)
            # Parameters are given by place: a statement whose places changed must not run.
            if tuple(result.positiontup or ()) != names:
                raise AssertionError(f"parameters are {result.positiontup}, not {names}")
            return str(result)

        record = sa.and_(
            records.c.account == bindparam("a"), records.c.kind == bindparam("k"), records.c.name == bindparam("n")
        )
        self.schema_version = compiled(sa.select(state.c.schema_version))
        self.first_state = compiled(
            sa.insert(state).values({column.name: bindparam(f"p_{column.name}") for column in state.c}),
            *(f"p_{column.name}" for column in state.c),
        )
        self.set_schema_version = compiled(sa.update(state).values(schema_version=bindparam("s")), "s")
        self.state = compiled(sa.select(state.c.revision, state.c.versions))
        self.set_state = compiled(sa.update(state).values(revision=bindparam("r"), versions=bindparam("v")), "r", "v")
        self.get = compiled(sa.select(records.c.version, records.c.data).where(record), "a", "k", "n")
        self.version = compiled(sa.select(records.c.version).where(record), "a", "k", "n")
        of_kind = sa.and_(records.c.account == bindparam("a"), records.c.kind == bindparam("k"))
        page = sa.select(records.c.name, records.c.version, records.c.data).where(of_kind)
        below = records.c.name < bindparam("end")
        start: sa.BindParameter[str] = bindparam("start")
        page = page.order_by(records.c.name).limit(bindparam("limit")).offset(bindparam("skip"))
        names = ("a", "k", "start", "end", "limit", "skip")
        self.list_from = compiled(page.where(records.c.name >= start, below), *names)
        self.list_after = compiled(page.where(records.c.name > start, below), *names)
        self.count = compiled(sa.select(sa.func.count()).select_from(records).where(of_kind), "a", "k")
        self.find = compiled(
            sa.select(index_rows.c.account, index_rows.c.kind, index_rows.c.name)
            .where(
                index_rows.c.index_name == bindparam("i"),
                index_rows.c.value == bindparam("v"),
                sa.tuple_(index_rows.c.account, index_rows.c.kind, index_rows.c.name)
                > sa.tuple_(
                    bindparam("a", type_=sa.Text), bindparam("k", type_=sa.Text), bindparam("n", type_=sa.Text)
                ),
            )
            .order_by(index_rows.c.account, index_rows.c.kind, index_rows.c.name)
            .limit(bindparam("limit"))
            .offset(bindparam("skip")),
            "i",
            "v",
            "a",
            "k",
            "n",
            "limit",
            "skip",
        )
        self.insert = compiled(
            sa.insert(records).values(
                account=bindparam("a"),
                kind=bindparam("k"),
                name=bindparam("n"),
                version=bindparam("v"),
                data=bindparam("d"),
            ),
            "a",
            "k",
            "n",
            "v",
            "d",
        )
        self.update = compiled(
            sa.update(records).values(version=bindparam("v"), data=bindparam("d")).where(record),
            "v",
            "d",
            "a",
            "k",
            "n",
        )
        self.delete = compiled(sa.delete(records).where(record), "a", "k", "n")
        indexed = sa.and_(
            index_rows.c.account == bindparam("a"),
            index_rows.c.kind == bindparam("k"),
            index_rows.c.name == bindparam("n"),
        )
        self.pairs = compiled(sa.select(index_rows.c.index_name, index_rows.c.value).where(indexed), "a", "k", "n")
        self.add_pair = compiled(
            sa.insert(index_rows).values(
                index_name=bindparam("i"),
                value=bindparam("v"),
                account=bindparam("a"),
                kind=bindparam("k"),
                name=bindparam("n"),
            ),
            "i",
            "v",
            "a",
            "k",
            "n",
        )
        self.remove_pair = compiled(
            sa.delete(index_rows).where(
                index_rows.c.index_name == bindparam("i"), index_rows.c.value == bindparam("v"), indexed
            ),
            "i",
            "v",
            "a",
            "k",
            "n",
        )
        self.changes = compiled(
            sa.select(changes).where(changes.c.revision > bindparam("since")).order_by(changes.c.revision), "since"
        )
        self.add_change = compiled(
            sa.insert(changes).values({column.name: bindparam(f"p_{column.name}") for column in changes.c}),
            *(f"p_{column.name}" for column in changes.c),
        )
        self.prune = compiled(sa.delete(changes).where(changes.c.revision <= bindparam("r")), "r")


class _Over:
    """Stands for the cursor of a snapshot that is over or broken, and for the word of a closed store."""

    def execute(self, _statement: str, _parameters: Sequence[object] = ()) -> Any:
        raise StoreError("this snapshot or transaction is over")

    def __getitem__(self, _place: int) -> int:
        raise StoreError("the store is closed")


_OVER: Final = _Over()


class SQLSnapshot:
    """A read transaction on a connection of its own; see ``locum.store.Snapshot``."""

    def __init__(self, store: SQLStore) -> None:
        self._store = store
        self._database = store.database
        self._sql = store.statements
        self._own: Any = None
        self._cursor: Any = _OVER
        self.revision = 0

    def _begin(self, statement: str) -> int:
        """Pin the state that this snapshot shows; the last record version given out."""
        cursor = self._own = self._store.checkout()
        try:
            cursor.execute(statement)
            self.revision, versions = cursor.execute(self._sql.state).fetchone()
        except self._database.driver_error as error:
            self._store.checkin(cursor, healthy=False)
            raise self._database.error(error) from error
        self._cursor = cursor
        return int(versions)

    def __enter__(self) -> Self:
        self._begin(self._database.begin_read)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cursor = _OVER
        healthy = False
        try:
            self._own.execute("ROLLBACK")
            healthy = True
        except self._database.driver_error:
            pass
        finally:
            self._store.checkin(self._own, healthy=healthy)

    def _rows(self, statement: str, parameters: tuple[object, ...]) -> list[Any]:
        try:
            rows: list[Any] = self._cursor.execute(statement, parameters).fetchall()
        except self._database.driver_error as error:
            # A failure may have ended the transaction, and what came next would run outside of one.
            self._cursor = _OVER
            raise self._database.error(error) from error
        except UnicodeEncodeError:
            return []
        return rows

    def get(self, key: Key) -> Row | None:
        rows = self._rows(self._sql.get, key)
        return Row(key, *rows[0]) if rows else None

    def list(self, account: str, kind: str, *, after: str = "", prefix: str = "", limit: int) -> Sequence[Row]:
        statement, start = (self._sql.list_from, prefix) if after < prefix else (self._sql.list_after, after)
        rows = self._rows(statement, (account, kind, start, prefix + "\U0010ffff", max(limit, 0), 0))
        return [Row(Key(account, kind, name), version, data) for name, version, data in rows]

    def find(self, index: str, value: str, *, after: Key | None = None, limit: int = PAGE) -> Sequence[Key]:
        rows = self._rows(self._sql.find, (index, value, *(after or ("", "", "")), max(limit, 0), 0))
        return [Key(*row) for row in rows]

    def count(self, account: str, kind: str) -> int:
        rows = self._rows(self._sql.count, (account, kind))
        return int(rows[0][0]) if rows else 0

    def changes(self, since: int) -> Changes:
        behind = self.revision - since
        if not behind:
            return Changes(self.revision)
        if not 0 < behind <= MAX_CHANGES:
            return Changes(self.revision, everything=True)
        rows = self._rows(self._sql.changes, (since,))
        if len(rows) != behind:
            return Changes(self.revision, everything=True)
        keys = [Key(*row[1:4]) for row in rows if row[4] is None]
        return Changes(self.revision, keys, [row[4:6] for row in rows if row[4] is not None])


class SQLTransaction(SQLSnapshot):
    """A write transaction that holds the store's turn to write; see ``locum.store.Transaction``."""

    def __enter__(self) -> Self:
        self._store.acquire()
        try:
            self._versions = self._begin(self._database.begin_write)
            if self._database.word[0] != self.revision:
                self._database.announce(self.revision)
        except BaseException:
            self._store.release()
            raise
        self._written = False
        self._touched: dict[tuple[str, ...], None] = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        broken = self._cursor is _OVER
        self._cursor = _OVER
        healthy = False
        try:
            if not broken:
                if kind is None and self._written:
                    self._commit(self._own)
                else:
                    self._own.execute("ROLLBACK")
                healthy = True
        except self._database.driver_error as failure:
            if kind is None:
                raise self._database.error(failure) from failure
        finally:
            try:
                self._store.checkin(self._own, healthy=healthy)
            finally:
                self._store.release()
        if broken and kind is None:
            raise StoreError("the transaction failed earlier, and nothing of it is kept")

    def _commit(self, cursor: Any) -> None:
        revision = self.revision
        if self._touched:
            rows = []
            for item in self._touched:
                revision += 1
                rows.append((revision, *item, None, None) if len(item) == 3 else (revision, None, None, None, *item))
            cursor.executemany(self._sql.add_change, rows)
            if revision // _PRUNE != self.revision // _PRUNE:
                cursor.execute(self._sql.prune, (revision - FEED,))
        cursor.execute(self._sql.set_state, (revision, self._versions))
        if revision != self.revision:
            self._database.announce(revision)
        cursor.execute("COMMIT")

    def _found(self, key: Key, expect: int | None) -> int:
        rows = self._rows(self._sql.version, key)
        found: int = rows[0][0] if rows else 0
        if expect is not None and expect != found:
            raise Conflict(key, expect, found)
        return found

    def _index(self, key: Key, pairs: set[tuple[str, str]], *, quiet: bool) -> None:
        old = set(self._rows(self._sql.pairs, key))
        for pair in old ^ pairs:
            self._rows(self._sql.remove_pair if pair in old else self._sql.add_pair, (*pair, *key))
            if not quiet:
                self._touched[pair] = None

    def put(
        self,
        key: Key,
        data: bytes,
        *,
        expect: int | None,
        indexes: Iterable[tuple[str, str]] = (),
        quiet: bool = False,
    ) -> int:
        pairs = set(indexes)
        check_record(key, data, pairs)
        found = self._found(key, expect)
        self._written = True
        self._versions += 1
        if found:
            self._rows(self._sql.update, (self._versions, data, *key))
        else:
            self._rows(self._sql.insert, (*key, self._versions, data))
        if found or pairs:
            self._index(key, pairs, quiet=quiet)
        if not quiet:
            self._touched[key] = None
        return self._versions

    def delete(self, key: Key, *, expect: int | None = None, quiet: bool = False) -> None:
        if not self._found(key, expect):
            return
        self._written = True
        self._rows(self._sql.delete, key)
        self._index(key, set(), quiet=quiet)
        if not quiet:
            self._touched[key] = None


class SQLStore:
    """An open SQL database; see ``locum.store.Store``.

    A few connections are kept for the next snapshot.  The threads of this process take their turn to write among
    themselves first, and then the process takes its turn among all.
    """

    def __init__(
        self,
        database: Database,
        *,
        timeout: float = TIMEOUT,
        migrations: Sequence[tuple[int, Sequence[sa.schema.ExecutableDDLElement]]] = MIGRATIONS,
    ) -> None:
        self.database = database
        self.statements = _Statements(database.dialect)
        self._timeout = timeout
        self._word: Sequence[int] | _Over = database.word
        self._turn = threading.Lock()
        self._writer = 0
        self._idle: list[Any] = []
        self._open = True
        self._process = os.getpid()
        try:
            self.acquire()
            try:
                self._upgrade(migrations)
            finally:
                self.release()
        except BaseException:
            database.close()
            raise

    @property
    def revision(self) -> int:
        return self._word[0]

    def snapshot(self) -> SQLSnapshot:
        return SQLSnapshot(self)

    def transaction(self) -> SQLTransaction:
        return SQLTransaction(self)

    def changes(self, since: int) -> Changes:
        with self.snapshot() as snapshot:
            return snapshot.changes(since)

    def close(self) -> None:
        if not self._open or self._process != os.getpid():
            return
        if not self._turn.acquire(timeout=self._timeout):
            raise Locked("a transaction of this process is under way")
        self._open = False
        self._word = _OVER
        with suppress(Locked):
            # The last connection of all checkpoints the log when it closes, which no other writer may meet.
            self.database.acquire(self._timeout)
        while self._idle:
            self._idle.pop().connection.close()
        self.database.close()
        self._turn.release()

    def acquire(self) -> None:
        """Take the turn to write: among this process's threads, then among all processes."""
        thread = threading.get_ident()
        if self._writer == thread:
            raise StoreError("transactions do not nest")
        deadline = time.monotonic() + self._timeout
        if not self._turn.acquire(timeout=self._timeout):
            raise Locked("another thread is writing to the store")
        try:
            self._usable()
            self.database.acquire(deadline - time.monotonic())
        except BaseException:
            self._turn.release()
            raise
        self._writer = thread

    def release(self) -> None:
        """Give the turn to write back."""
        self._writer = 0
        self.database.release()
        self._turn.release()

    def checkout(self) -> Any:
        """A cursor on a connection that nobody else uses."""
        self._usable()
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return self.database.connect().cursor()
        except self.database.driver_error as error:
            raise self.database.error(error) from error

    def checkin(self, cursor: Any, *, healthy: bool) -> None:
        """Take back what ``checkout`` gave; a connection that is not healthy is closed."""
        if healthy and self._open and len(self._idle) < _IDLE:
            self._idle.append(cursor)
        else:
            cursor.connection.close()

    def _usable(self) -> None:
        if not self._open:
            raise StoreError("the store is closed")
        if self._process != os.getpid():
            raise StoreError("the store was opened by another process: open it after forking")

    def _upgrade(self, migrations: Sequence[tuple[int, Sequence[sa.schema.ExecutableDDLElement]]]) -> None:
        cursor = self.checkout()
        healthy = False
        try:
            tables = self.database.prepare(cursor)
            cursor.execute(self.database.begin_write)
            found = 0
            if state.name in tables:
                ((found,),) = cursor.execute(self.statements.schema_version).fetchall()
            elif tables:
                raise StoreError("the database holds tables of something else")
            known = migrations[-1][0]
            if found > known:
                raise SchemaTooNew(found, known)
            for version, statements in migrations:
                for statement in statements if version > found else ():
                    cursor.execute(str(statement.compile(dialect=self.database.dialect)))
            if not found:
                cursor.execute(self.statements.first_state, (1, known, 0, 0))
            elif found < known:
                cursor.execute(self.statements.set_schema_version, (known,))
            revision, _ = cursor.execute(self.statements.state).fetchone()
            self.database.announce(revision)
            cursor.execute("COMMIT")
            healthy = True
        except self.database.driver_error as error:
            raise self.database.error(error) from error
        finally:
            self.checkin(cursor, healthy=healthy)
