"""Sessions that ``locum assume`` keeps from one run to the next, so that nobody types a code of a device twice.

A file each, in a directory of the user's own (0700) with modes 0600: names are digests, contents the JSON that
``credential_process`` programs write (STS-CL-026).  The directory is used by its descriptor, nothing is followed that
is a link, and what belongs to somebody else or can be read by others is never used.  Files are replaced in one step.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Final

from locum.cli.formats import credential_process
from locum.client.closing import Closing
from locum.client.credentials.base import MAX_DOCUMENT, Credentials, read_document
from locum.client.failures import ClientFailure, CredentialsFailure

__all__ = ["MAX_KEPT", "CacheFailure", "FileCache", "cache_directory"]

MAX_KEPT: Final = 256
"""Sessions that are kept; beyond that those that end first are removed."""

_DIRECTORY_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_OTHERS: Final = 0o077
_SUFFIX: Final = ".json"
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ABANDONED: Final = 60.0
"""Seconds after which a file that was never put in its place belongs to nobody."""


class CacheFailure(ClientFailure):
    """The directory for sessions is not safe to use; the text says why and what to do."""


def cache_directory(environment: Mapping[str, str]) -> Path:
    """Where sessions are kept: ``locum/sessions`` in ``XDG_CACHE_HOME``, or in ``~/.cache``."""
    base = environment.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # noqa: PTH117 - the specification ignores relative ones, and empty ones
        home = environment.get("HOME")
        base = os.path.join(home, ".cache") if home else os.path.expanduser("~/.cache")  # noqa: PTH111, PTH118
    return Path(base) / "locum" / "sessions"


class FileCache(MutableMapping[str, Credentials], Closing):
    """Credentials in files; ``scope`` says for whom they hold, and is part of every file's name.

    What cannot be read, is damaged or has expired is not there.  Raises :class:`CacheFailure` where the directory is
    not the user's own.
    """

    def __init__(self, directory: Path, scope: Mapping[str, str | None]) -> None:
        self._path: Final = directory
        self._scope: Final = json.dumps(scope, sort_keys=True)
        self._directory: Final = _open_directory(directory)

    def close(self) -> None:
        """Close the directory."""
        os.close(self._directory)

    def _name(self, key: str) -> str:
        return hashlib.sha256(f"{self._scope}\n{key}".encode()).hexdigest() + _SUFFIX

    def __getitem__(self, key: str) -> Credentials:
        name = self._name(key)
        data = self._read(name)
        if data is None:
            raise KeyError(key)
        try:
            found = read_document(data, "the cache", process=True)
        except CredentialsFailure:
            raise KeyError(key) from None
        if found.expiration is None or found.expiration.timestamp() <= time.time():
            raise KeyError(key)
        return found

    def __setitem__(self, key: str, credentials: Credentials) -> None:
        """Keep credentials until they expire; those that do not are not kept."""
        if credentials.expiration is None:
            return
        temporary = f"{secrets.token_hex(16)}.new"
        file = os.open(temporary, _WRITE, _FILE_MODE, dir_fd=self._directory)
        try:
            with os.fdopen(file, "wb") as open_file:
                os.fchmod(open_file.fileno(), _FILE_MODE)  # whatever the umask is
                open_file.write(credential_process(credentials).encode())
            # The end of a session is its file's time, so that clearing up reads no secret.
            ends = credentials.expiration.timestamp()
            os.utime(temporary, (ends, ends), dir_fd=self._directory, follow_symlinks=False)
            os.rename(temporary, self._name(key), src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=self._directory)
            raise
        self._clear_up()

    def __delitem__(self, key: str) -> None:
        try:
            os.unlink(self._name(key), dir_fd=self._directory)
        except FileNotFoundError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[str]:
        """Nothing: names are digests, and do not lead back to keys."""
        return iter(())

    def __len__(self) -> int:
        return sum(name.endswith(_SUFFIX) for name in self._names())

    def __repr__(self) -> str:
        return f"FileCache({str(self._path)!r})"

    def _read(self, name: str) -> bytes | None:
        """The content of a file that is the user's own and nobody else's; None for every other."""
        try:
            file = os.open(name, _READ, dir_fd=self._directory)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP, errno.EACCES, errno.EMLINK, errno.ENXIO):
                return None
            raise
        try:
            found = os.fstat(file)
            private = found.st_uid == os.geteuid() and not found.st_mode & _OTHERS and found.st_nlink == 1
            if not stat.S_ISREG(found.st_mode) or not private or found.st_size > MAX_DOCUMENT:
                return None
            with os.fdopen(file, "rb", closefd=False) as open_file:
                return open_file.read(MAX_DOCUMENT + 1)
        finally:
            os.close(file)

    def _names(self) -> list[str]:
        return os.listdir(self._directory)  # noqa: PTH208 - by its descriptor

    def _clear_up(self) -> None:
        """Remove what has expired or was abandoned, and what is too much."""
        now, kept = time.time(), []
        for name in self._names():
            with contextlib.suppress(OSError):
                at = os.stat(name, dir_fd=self._directory, follow_symlinks=False).st_mtime
                if name.endswith(_SUFFIX) and at > now:
                    kept.append((at, name))
                elif name.endswith(_SUFFIX) or (name.endswith(".new") and at < now - _ABANDONED):
                    os.unlink(name, dir_fd=self._directory)
        for _, name in sorted(kept)[: max(len(kept) - MAX_KEPT, 0)]:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=self._directory)


def _open_directory(path: Path) -> int:
    try:
        path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=_DIRECTORY_MODE)
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise CacheFailure(
            f"{path}, where sessions are kept, cannot be used: {error.strerror}; make it a directory, or --no-cache"
        ) from None
    found = os.fstat(directory)
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
        os.close(directory)
        raise CacheFailure(
            f"{path}, where sessions are kept, belongs to or is open to others; chmod 700 your own, or --no-cache"
        )
    return directory
