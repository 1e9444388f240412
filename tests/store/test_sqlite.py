"""SQLite: the suite of every engine, and what only a database in files has to keep."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from locum.store import FEED, Key, Locked, SchemaTooNew, StoreError, open_store
from locum.store import sql as sql_module
from locum.store.revision import RevisionFile
from locum.store.schema import MIGRATIONS
from locum.store.sql import SQLStore
from locum.store.sqlite import SQLite
from locum.testing import SharedStoreConformance

CHILD = Path(__file__).with_name("store_child.py")
ROLE = Key("1", "role", "deploy")
COUNTER = Key("1", "counter", "last")


class TestSQLite(SharedStoreConformance):
    @pytest.fixture
    def store_url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/data/locum.db"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/locum.db"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "data" / "locum.db"


@pytest.fixture
def store(url: str) -> Iterator[SQLStore]:
    store = SQLStore(SQLite(url, timeout=5))
    yield store
    store.close()


def ddl(text: str) -> sa.DDL:
    return sa.DDL(text)  # type: ignore[no-untyped-call]


def put(store: SQLStore, key: Key = ROLE, data: bytes = b"x") -> int:
    with store.transaction() as transaction:
        return transaction.put(key, data, expect=None)


def data_of(store: SQLStore, key: Key = ROLE) -> bytes | None:
    with store.snapshot() as snapshot:
        row = snapshot.get(key)
    return row.data if row is not None else None


@pytest.mark.facts("R44")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_directories_are_0700_and_files_0600_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = SQLStore(SQLite(f"sqlite:///{tmp_path}/new/deeper/locum.db", timeout=5))
        put(store)
        data_of(store)
        files = {path.name: path.stat().st_mode & 0o7777 for path in (tmp_path / "new" / "deeper").iterdir()}
    finally:
        os.umask(before)
    names = {"locum.db", "locum.db-wal", "locum.db-shm", "locum.db-revision"}
    assert files == dict.fromkeys(names, 0o600)
    for directory in ("new", "new/deeper"):
        assert (tmp_path / directory).stat().st_mode & 0o7777 == 0o700
    store.close()


@pytest.mark.facts("R44")
def test_files_that_others_may_read_are_closed_to_them(url: str, database: Path) -> None:
    SQLStore(SQLite(url, timeout=5)).close()
    for name in ("locum.db", "locum.db-revision"):
        database.with_name(name).chmod(0o666)
    store = SQLStore(SQLite(url, timeout=5))
    assert {path.stat().st_mode & 0o777 for path in database.parent.iterdir()} == {0o600}
    store.close()


@pytest.mark.facts("R44")
@pytest.mark.parametrize("mode", [0o755, 0o701, 0o1777, 0o710])
def test_a_directory_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    with pytest.raises(StoreError, match=r"open to others.*hint: chmod 700"):
        open_store(f"sqlite:///{shared}/locum.db")
    assert [*shared.iterdir()] == []
    assert shared.stat().st_mode & 0o7777 == mode


def test_a_link_in_place_of_a_file_is_refused(tmp_path: Path, database: Path, url: str) -> None:
    database.parent.mkdir(mode=0o700)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"")
    for name in ("locum.db", "locum.db-revision"):
        link = database.with_name(name)
        link.symlink_to(elsewhere)
        with pytest.raises(StoreError, match="cannot use"):
            open_store(url)
        link.unlink()


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://host/x.db",
        "sqlite:///x.db?vfs=unix-none",
        "sqlite+aiosqlite:///x.db",
        "sqlite",
        "memory",
        "",
        "mysql://root:hunter2@host/db",
        "sqlite://root:hunter2@host/db",
    ],
)
def test_an_address_that_names_no_store_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(StoreError) as refused:
        open_store(address)
    assert "hunter2" not in str(refused.value)


def test_records_outlive_the_store(url: str) -> None:
    store = SQLStore(SQLite(url, timeout=5))
    version = put(store, data=b"kept")
    revision = store.revision
    store.close()
    store = SQLStore(SQLite(url, timeout=5))
    assert store.revision == revision
    assert data_of(store) == b"kept"
    assert [*store.changes(revision - 1).keys] == [ROLE]
    assert put(store) > version
    store.close()


def test_commits_are_synced_to_the_disk(store: SQLStore) -> None:
    cursor = store.checkout()
    (synchronous,) = cursor.execute("PRAGMA synchronous").fetchone()
    (journal,) = cursor.execute("PRAGMA journal_mode").fetchone()
    store.checkin(cursor, healthy=True)
    assert (synchronous, journal) == (2, "wal")


def test_no_acknowledged_write_is_lost_when_the_writer_is_killed(url: str, database: Path) -> None:
    chance = random.Random(20260)
    acknowledged = 0
    for _ in range(5):
        with subprocess.Popen([sys.executable, CHILD, "write", url], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            for _ in range(chance.randrange(1, 100)):
                child.stdout.readline()
            child.kill()
            rest = child.stdout.read().split()
        before = acknowledged
        store = SQLStore(SQLite(url, timeout=5))
        with store.snapshot() as snapshot:
            row = snapshot.get(COUNTER)
            assert row is not None
            acknowledged = int(row.data)
            assert acknowledged > before
            assert acknowledged >= (int(rest[-1]) if rest else 0)
            names = [row.key.name for row in snapshot.list("1", "record", limit=10_000)]
            assert names == [f"{number:08d}" for number in range(1, acknowledged + 1)]
            parity = [len(snapshot.find("parity", value, limit=10_000)) for value in "01"]
            assert parity == [acknowledged // 2, acknowledged - acknowledged // 2]
            assert snapshot.revision == store.revision
        cursor = store.checkout()
        assert cursor.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        store.checkin(cursor, healthy=True)
        store.close()


def test_a_writer_that_dies_before_its_commit_leaves_readers_looking_until_the_next_write(
    url: str, store: SQLStore
) -> None:
    put(store, data=b"old")
    committed = store.revision
    assert subprocess.run([sys.executable, CHILD, "die", url], check=False).returncode == -9
    assert store.revision > committed
    with store.snapshot() as snapshot:
        assert snapshot.revision == committed
        assert snapshot.get(COUNTER) is None
    with store.transaction() as transaction:
        transaction.put(ROLE, b"quiet", expect=None, quiet=True)
    assert store.revision == committed
    put(store, data=b"new")
    assert store.revision == committed + 1
    assert [*store.changes(committed).keys] == [ROLE]


def test_opening_puts_the_revision_word_right(url: str, database: Path) -> None:
    store = SQLStore(SQLite(url, timeout=5))
    put(store)
    revision = store.revision
    store.close()
    word = database.with_name("locum.db-revision")
    for content in (b"\xff" * 8, b"", b"\x00" * 100):
        word.write_bytes(content)
        store = SQLStore(SQLite(url, timeout=5))
        assert store.revision == revision
        store.close()


def test_a_revision_is_announced_before_it_is_committed(url: str, store: SQLStore) -> None:
    seen = []
    other = SQLStore(SQLite(url, timeout=5))
    announce = store.database.announce

    def watch(revision: int) -> None:
        announce(revision)
        with other.snapshot() as snapshot:
            seen.append((other.revision, snapshot.revision))

    store.database.announce = watch  # type: ignore[method-assign]
    put(store)
    assert seen == [(1, 0)]
    assert [*other.changes(0).keys] == [ROLE]
    other.close()


def test_a_second_process_waits_for_its_turn_and_gives_up_in_time(url: str, store: SQLStore, database: Path) -> None:
    lock = RevisionFile(database.with_name("locum.db-revision"))
    hasty = SQLStore(SQLite(url, timeout=0.02), timeout=0.02)
    lock.acquire(0)
    with pytest.raises(Locked):
        put(hasty)
    with pytest.raises(Locked):
        SQLStore(SQLite(url, timeout=0.02), timeout=0.02)
    assert data_of(hasty) is None
    lock.release()
    lock.close()
    put(hasty)
    assert data_of(store) == b"x"
    hasty.close()


def test_a_program_that_locks_the_database_itself_is_waited_for_no_longer_than_the_time_out(
    url: str, store: SQLStore, database: Path
) -> None:
    hasty = SQLStore(SQLite(url, timeout=0.02), timeout=0.02)
    foreign = sqlite3.connect(database, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(Locked):
        put(hasty)
    foreign.execute("ROLLBACK")
    foreign.close()
    put(hasty)
    hasty.close()


def test_a_newer_schema_is_refused_and_left_alone(url: str, database: Path) -> None:
    SQLStore(SQLite(url, timeout=5)).close()
    connection = sqlite3.connect(database)
    connection.execute("UPDATE locum_state SET schema_version = 99")
    connection.commit()
    connection.close()
    content = database.read_bytes()
    with pytest.raises(SchemaTooNew, match=r"version 99.*newer locum") as refused:
        open_store(url)
    assert (refused.value.found, refused.value.known) == (99, MIGRATIONS[-1][0])
    assert database.read_bytes() == content


def test_an_older_schema_is_upgraded_once_and_in_order(url: str) -> None:
    store = SQLStore(SQLite(url, timeout=5))
    put(store, data=b"kept")
    store.close()
    later = (
        *MIGRATIONS,
        (2, (ddl("CREATE TABLE extra (a TEXT)"), ddl("INSERT INTO extra VALUES ('2')"))),
        (3, (ddl("INSERT INTO extra SELECT a || '3' FROM extra"),)),
    )
    for _ in range(2):
        store = SQLStore(SQLite(url, timeout=5), migrations=later)
        cursor = store.checkout()
        assert cursor.execute("SELECT a FROM extra ORDER BY a").fetchall() == [("2",), ("23",)]
        store.checkin(cursor, healthy=True)
        assert data_of(store) == b"kept"
        store.close()
    with pytest.raises(SchemaTooNew):
        SQLStore(SQLite(url, timeout=5), migrations=later[:2])


def test_an_upgrade_that_fails_leaves_the_old_schema(url: str) -> None:
    SQLStore(SQLite(url, timeout=5)).close()
    broken = (*MIGRATIONS, (2, (ddl("CREATE TABLE extra (a TEXT)"), ddl("INSERT INTO nowhere VALUES (1)"))))
    with pytest.raises(StoreError, match="nowhere"):
        SQLStore(SQLite(url, timeout=5), migrations=broken)
    store = SQLStore(SQLite(url, timeout=5))
    put(store)
    store.close()


def test_a_database_of_something_else_is_refused_and_left_alone(url: str, database: Path) -> None:
    database.parent.mkdir(mode=0o700)
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="something else"):
        open_store(url)
    database.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="not a database"):
        open_store(url)


def test_a_transaction_that_failed_inside_keeps_nothing_even_if_the_error_was_swallowed(url: str) -> None:
    class Small(SQLite):
        def connect(self) -> sqlite3.Connection:
            connection = super().connect()
            connection.execute("PRAGMA max_page_count=60").close()
            return connection

    store = SQLStore(Small(url, timeout=5))
    put(store, data=b"old")
    revision = store.revision

    def fill() -> None:
        with store.transaction() as transaction:
            transaction.put(ROLE, b"new", expect=None)
            for number in range(3):
                with pytest.raises(StoreError):
                    transaction.put(Key("1", "role", f"big{number}"), b"x" * 1_000_000, expect=0)

    with pytest.raises(StoreError, match="failed earlier"):
        fill()
    assert data_of(store) == b"old"
    with store.snapshot() as snapshot:
        assert snapshot.count("1", "role") == 1
        assert snapshot.revision == revision
    put(store, data=b"new")
    assert data_of(store) == b"new"
    store.close()


def test_a_commit_that_fails_is_reported_and_repaired_by_the_next(store: SQLStore) -> None:
    put(store, data=b"old")
    revision = store.revision

    class Refusing:
        def __init__(self, cursor: sqlite3.Cursor) -> None:
            self.connection = cursor.connection
            self.cursor = cursor

        def execute(self, statement: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
            if statement == "COMMIT":
                raise sqlite3.OperationalError("disk I/O error")
            return self.cursor.execute(statement, parameters)

        def executemany(self, statement: str, parameters: list[tuple[object, ...]]) -> sqlite3.Cursor:
            return self.cursor.executemany(statement, parameters)

    store.checkin(Refusing(store.checkout()), healthy=True)
    with pytest.raises(StoreError, match="disk I/O error"):
        put(store, data=b"new")
    assert store.revision > revision
    assert data_of(store) == b"old"
    put(store, data=b"newer")
    assert (store.revision, data_of(store)) == (revision + 1, b"newer")


def test_the_feed_is_bounded(store: SQLStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_module, "FEED", 50)
    monkeypatch.setattr(sql_module, "_PRUNE", 10)
    for number in range(200):
        put(store, data=b"%d" % number)
    cursor = store.checkout()
    ((rows,),) = cursor.execute("SELECT count(*) FROM changes").fetchall()
    store.checkin(cursor, healthy=True)
    assert 50 <= rows <= 61
    assert len(store.changes(store.revision - 50).keys) == 50
    assert store.changes(store.revision - rows - 1).everything
    assert FEED == 100_000


def test_a_store_is_not_used_by_a_forked_child(store: SQLStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store)
    here = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: here + 1)
    for use in (store.snapshot, store.transaction):
        with pytest.raises(StoreError, match="after forking"), use():
            pass
    store.close()
    monkeypatch.undo()
    assert data_of(store) == b"x"


def test_the_work_of_a_read_by_key_does_not_grow_with_the_rows(url: str, store: SQLStore) -> None:
    class Counting(SQLite):
        steps = 0

        def connect(self) -> sqlite3.Connection:
            connection = super().connect()
            connection.set_trace_callback(statements.append)
            connection.set_progress_handler(self.step, 1)
            return connection

        def step(self) -> int:
            self.steps += 1
            return 0

    def work() -> tuple[list[str], int]:
        database = Counting(url, timeout=5)
        store = SQLStore(database)
        statements.clear()
        before = database.steps
        with store.snapshot() as snapshot:
            assert snapshot.get(Key("1", "role", "r50")) is not None
            assert len(snapshot.find("uses", "p50")) == 1
            assert len(snapshot.list("1", "role", prefix="r50/", limit=100)) == 0
            assert len(snapshot.changes(snapshot.revision - 3).keys) == 3
        result = [*statements], database.steps - before
        store.close()
        return result

    def fill(start: int, end: int) -> None:
        with store.transaction() as transaction:
            for number in range(start, end):
                pairs = [("uses", f"p{number}")] if number < 100 else []
                transaction.put(Key("1", "role", f"r{number}"), b"x" * 100, expect=0, indexes=pairs)

    statements: list[str] = []
    fill(0, 100)
    fill(100, 110)
    few = work()
    fill(110, 100_000)
    many = work()
    assert len(few[0]) == len(many[0]) == 7
    assert many[1] == few[1] > 0
