"""The data directory: who may enter it, which server holds it, and how it is opened.

DATA/                 0700
  locum.db            the records (and SQLite's -wal, -shm, and the store's -revision)
  wrapping.key        the key under which their secrets are encrypted (R44), unless it comes from elsewhere
  root-credentials    the first account's root key, in the format of an AWS credentials file
  audit.jsonl         audit lines, unless they go elsewhere
  lock                held by the server that runs, with its process id
"""

from __future__ import annotations

import fcntl
import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from locum.core.sealing import Vault
from locum.server.config import Problem, Refused, Settings
from locum.server.wrapping import load_wrapping_key
from locum.store import Store, open_store

__all__ = ["CREDENTIALS_FILE", "Data", "hold", "open_data", "prepare", "write_private"]

CREDENTIALS_FILE: Final = "root-credentials"
"""Name of the file with the first account's root key."""

_DATABASE: Final = "locum.db"
_LOCK: Final = "lock"
_PRIVATE: Final = (_DATABASE, f"{_DATABASE}-wal", "wrapping.key", CREDENTIALS_FILE)
_LONGEST_PID: Final = 20


class Data(NamedTuple):
    """An open data directory: the store and the vault that opens the secrets in it."""

    path: Path
    store: Store
    vault: Vault


def prepare(path: Path, *, create: bool) -> None:
    """See to it that the directory is there, is ours and is closed to others (R44); :class:`Refused` where it is not.

    A directory that is missing is made with mode 0700 where ``create`` allows it, and an empty one gets that mode.
    One that is in use and open to others is refused, since its secrets may have been read.
    """
    try:
        if create:
            _make(path)
        state = path.stat()
        if not stat.S_ISDIR(state.st_mode):
            raise NotADirectoryError(0, "it is not a directory")
        if state.st_uid != os.geteuid():
            raise Refused(
                Problem(
                    f"the data directory {path} belongs to another user (uid {state.st_uid})",
                    "run locum as that user; what this one would write there, the server could not read",
                )
            )
        if state.st_mode & 0o077 and create and not any(path.iterdir()):
            path.chmod(0o700)
            state = path.stat()
        if state.st_mode & 0o077:
            raise _open_to_others("data directory", path, state, 0o700)
        for name in _PRIVATE:
            with suppress(FileNotFoundError):
                found = (path / name).lstat()
                if found.st_mode & 0o077 and stat.S_ISREG(found.st_mode):
                    raise _open_to_others("file", path / name, found, 0o600)
    except FileNotFoundError:
        raise Refused(
            Problem(f"there is no data directory {path}", "name it with --data, or start a server, which makes it")
        ) from None
    except OSError as error:
        raise Refused(
            Problem(f"the data directory {path} cannot be used: {error.strerror}", "name another one with --data")
        ) from None


def _make(path: Path) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # A umask cannot open what mkdir closes, but it can take away the owner's own rights.
        path.mkdir(mode=0o700)
        path.chmod(0o700)


def _open_to_others(what: str, path: Path, state: os.stat_result, mode: int) -> Refused:
    hint = f"if nobody else could read it: chmod {mode:o} {shlex.quote(str(path))}"
    if mode == 0o700:
        hint += "; or name a directory inside it, which locum makes itself"
    return Refused(Problem(f"the {what} {path} is open to others (mode {stat.S_IMODE(state.st_mode):04o})", hint))


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the directory for this server and the processes that it forks; :class:`Refused` names the one that has it.

    The lock goes away with the last of these processes, however they end.
    """
    try:
        handle = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Refused(
            Problem(f"{path / _LOCK} cannot be opened: {error.strerror}", "it is a plain file of this user's")
        ) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(handle, _LONGEST_PID, 0).decode("ascii", "replace").strip() or "unknown"
            raise Refused(
                Problem(
                    f"another server, with pid {pid}, uses the data directory {path}",
                    "stop it, or give this one a directory and a port of its own: --data, --port",
                )
            ) from None
        os.fchmod(handle, 0o600)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def open_data(settings: Settings, *, create: bool = False) -> Data:
    """Open the store, its schema brought up to date, and the vault of ``settings.data``.

    ``create`` allows what is missing to be made, as a server's start does.  Raises :class:`Refused`, StoreError
    (SchemaTooNew among them) and WrappingKeyError.
    """
    path = settings.data.absolute()
    prepare(path, create=create)
    database = path / _DATABASE
    fresh = not database.exists()
    if fresh and not create:
        raise Refused(
            Problem(f"the data directory {path} has no database", "start a server once, which makes one: locum serve")
        )
    if "?" in str(path):
        raise Refused(Problem(f"the data directory {path} has a question mark in its name", "name another one"))
    vault = Vault(load_wrapping_key(settings, create=fresh))
    return Data(path, open_store(f"sqlite:///{database}"), vault)


def write_private(path: Path, text: str) -> None:
    """Put a file of mode 0600 in place, whole or not at all; OSError where that fails."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    with suppress(FileNotFoundError):
        draft.unlink()
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(handle, 0o600)
            file.write(text)
            file.flush()
            os.fsync(handle)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
