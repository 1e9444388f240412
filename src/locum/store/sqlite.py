"""SQLite as the SQL engine's database: files and their modes, durability, the turn to write, errors.

Write-ahead log, so that readers never wait; ``synchronous=FULL``, so that a commit is on the disk when it returns.
Writers of all processes take turns by the revision file's lock, which they hold over the checkpoint that may follow a
commit as well: SQLite before 3.51.3 can lose a commit that coincides with the start of another connection's
checkpoint.  Local file systems only.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import ArgumentError

from locum.store import Locked, StoreError
from locum.store.revision import RevisionFile

__all__ = ["SQLite"]

_PRAGMAS: Final = (
    "PRAGMA synchronous=FULL",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
)
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class SQLite:
    """The database file that an address names, ``PATH-revision`` beside it, and how to connect.

    A directory that is missing is created with mode 0700; one that others may enter is refused.  Files have mode 0600
    whatever the umask (R44).
    """

    begin_read = "BEGIN"
    begin_write = "BEGIN IMMEDIATE"
    driver_error: type[Exception] = sqlite3.Error

    def __init__(self, url: str, *, timeout: float) -> None:
        path = _path(url)
        try:
            _private_directory(path.parent)
            for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
                _private_file(file, create=file == path)
            self._revision = RevisionFile(path.with_name(path.name + "-revision"))
        except OSError as error:
            raise StoreError(f"cannot use the database file {path.name!r}: {error.strerror}") from error
        self._path = path
        self._timeout = timeout
        self.dialect: sa.Dialect = sqlite.dialect()
        self.word = self._revision.word
        self.acquire = self._revision.acquire
        self.release = self._revision.release
        self.close = self._revision.close

    def connect(self) -> sqlite3.Connection:
        """A connection that any one thread at a time may use, in autocommit mode."""
        connection = sqlite3.connect(self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False)
        try:
            for pragma in _PRAGMAS:
                connection.execute(pragma).close()
        except BaseException:
            connection.close()
            raise
        return connection

    def prepare(self, cursor: sqlite3.Cursor) -> frozenset[str]:
        """Switch a new database to the write-ahead log; the names of the tables that are there."""
        if cursor.execute("PRAGMA journal_mode=WAL").fetchone() != ("wal",):
            raise StoreError("the file system of the database does not support SQLite's write-ahead log")
        names = cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return frozenset(name for (name,) in names)

    def announce(self, revision: int) -> None:
        """Store the revision that is about to be committed; only while the turn to write is held."""
        self.word[0] = revision

    def error(self, error: Exception) -> StoreError:
        """The declared error for one of the driver's."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _BUSY:
            return Locked("another program is writing to the database")
        return StoreError(f"the database failed: {error}")


def _path(url: str) -> Path:
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        raise StoreError("the address of a SQLite store is sqlite:///PATH") from None
    database = parsed.database
    if parsed.drivername != "sqlite" or parsed.host or parsed.query or not database or database == ":memory:":
        raise StoreError("the address of a SQLite store is sqlite:///PATH; for one that is not kept write 'memory:'")
    return Path(database).absolute()


def _private_directory(directory: Path) -> None:
    missing = [directory, *directory.parents]
    missing = missing[: next(i for i, parent in enumerate(missing) if parent.exists())]
    for parent in reversed(missing):
        parent.mkdir(mode=0o700, exist_ok=True)
        parent.chmod(0o700)
    mode = directory.stat().st_mode & 0o7777
    if mode & 0o077:
        raise StoreError(
            f"the data directory {directory.name!r} is open to others (mode {mode:04o}): "
            f"hint: chmod 700, or name a directory inside it that does not exist yet"
        )


def _private_file(path: Path, *, create: bool) -> None:
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
    try:
        file = os.open(path, flags, 0o600)
    except FileNotFoundError:
        if create:
            raise
        return
    try:
        if os.fstat(file).st_mode & 0o777 != 0o600:
            os.fchmod(file, 0o600)
    finally:
        os.close(file)
