"""The file of audit lines: appended to by every worker, turned over by size and time, and never silently short.

A line is one append, so that lines of several processes do not mix.  When the file is due, whichever worker sees it
first renames it under a lock on the file itself; the others notice that the name means another file and follow, as
they do when some other program has moved it away.  A worker looks once a second: lines that it writes meanwhile are in
the file under its new name, not lost.

A line that finds no room is kept, and until it is written nothing else is answered: see :meth:`AuditLog.ready`.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

__all__ = ["LONGEST_LINE", "AuditLog", "AuditWriteError", "Rotation", "audit_files", "lines_backwards", "recovered"]

_log = logging.getLogger("locum.audit")

LONGEST_LINE: Final = 1_048_576
"""Bytes of a line that readers look at; a longer one is passed over."""
_BLOCK: Final = 65_536
_LOOK_BYTES: Final = 1 << 20
"""Bytes of its own after which a worker looks at the file's size before the second is over."""
_OWED_BYTES: Final = 4 << 20
"""Bytes of lines that are kept for want of room; requests that are in flight when the disk is full need far less."""
_BEGINNING: Final = b'{"eventVersion":'


class AuditWriteError(OSError):
    """A line could not be written; it is kept, and will be as soon as there is room."""


class Rotation(NamedTuple):
    """When a file is turned over: at ``size`` bytes, and when a period of ``seconds`` (UTC) is over; 0 for never.

    ``keep`` is how many old files stay, 0 for all of them.
    """

    size: int = 0
    seconds: int = 0
    keep: int = 0


class AuditLog:
    """The file that audit lines are appended to: mode 0600, one write for all lines of a request.

    For all threads of a process.  ``drop``: lines that find no room are given up, and requests answered all the same.
    ``clock`` gives epoch seconds.  A path that is no regular file, such as a pipe or a device, is never turned over.
    """

    def __init__(
        self,
        path: Path,
        rotation: Rotation = Rotation(),  # noqa: B008 - a value that nobody can change
        *,
        drop: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path: Final = path
        self._rotation: Final = rotation
        self._drop: Final = drop
        self._clock: Final = clock
        self._lock: Final = threading.Lock()
        self._owed: list[bytes] = []
        self._lost = 0
        self._torn = False
        self._next_look = 0.0
        self._written = 0
        self._descriptor = self._open()

    def write(self, lines: Iterable[bytes]) -> None:
        """Append whole lines; AuditWriteError where the file cannot take them all and none may be dropped."""
        data = b"".join([line + b"\n" for line in lines])
        with self._lock:
            now = self._clock()
            if not now < self._next_look <= now + 1 or self._written >= _LOOK_BYTES:
                self._look(now)
            if self._owed or self._torn or self._lost:
                self._write_late(data)
                return
            self._written += len(data)
            try:
                self._append(data)
            except OSError as error:
                self._fail(data, error)

    def ready(self) -> bool:
        """Whether a request may be answered: False while lines of earlier ones are owed and find no room."""
        if not self._owed:
            return True
        with self._lock:
            try:
                self._settle()
            except OSError:
                return False
            return True

    def close(self) -> None:
        """Close the file; later writes fail.  Lines that are owed to the end go to the log, as a last resort."""
        with self._lock:
            try:
                self._settle()
            except OSError as error:
                for line in b"".join(self._owed).splitlines():
                    _log.error("an audit line could not be written (%s): %s", error.strerror, line.decode())
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, data: bytes) -> None:
        """One write; OSError where the file did not take all of it, and nothing of it stays then if that can be."""
        written = os.write(self._descriptor, data)
        if written == len(data):
            return
        self._torn = True
        end = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            if os.fstat(self._descriptor).st_size == end:
                os.ftruncate(self._descriptor, end - written)
                self._torn = False
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        raise OSError(f"the audit file took {written} of {len(data)} bytes")

    def _write_late(self, data: bytes) -> None:
        """Write what is owed first, so that lines keep their order."""
        try:
            self._settle()
            self._append(data)
        except OSError as error:
            self._fail(data, error)
            return
        if self._lost:
            _log.error("audit lines are written again; %d were lost", self._lost)
            self._lost = 0

    def _settle(self) -> None:
        """Write everything that is owed; OSError where there is still no room."""
        if self._torn:
            self._append(b"\n")
            self._torn = False
        if self._owed:
            self._append(b"".join(self._owed))
            _log.warning("audit lines are written again; %d had to wait", len(self._owed))
            self._owed.clear()

    def _fail(self, data: bytes, error: OSError) -> None:
        fits = sum(map(len, self._owed)) + len(data) <= _OWED_BYTES
        if self._drop or not fits:
            if not self._lost:
                _log.error("audit lines are lost from now on: %s", error)
            self._lost += 1
        else:
            if not self._owed:
                _log.error("an audit line cannot be written, so nothing is answered until it is: %s", error)
            self._owed.append(data)
        if not self._drop:
            raise AuditWriteError(str(error)) from error

    def _open(self) -> int:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        state = os.fstat(descriptor)
        self._identity = state.st_dev, state.st_ino
        if stat.S_ISREG(state.st_mode):
            os.fchmod(descriptor, 0o600)
        self._turns = stat.S_ISREG(state.st_mode) and not self._path.is_symlink()
        return descriptor

    def _look(self, now: float) -> None:
        """See whether the path still means this file, and whether it is due."""
        self._next_look, self._written = now // 1 + 1, 0
        try:
            try:
                there = self._path.stat()
            except FileNotFoundError:
                self._follow()
                return
            if (there.st_dev, there.st_ino) != self._identity:
                self._follow()
            elif self._turns and self._due(there, now):
                self._turn(now)
        except OSError as error:
            # Whatever is wrong, the open file still takes lines.
            _log.error("the audit file %s cannot be turned over: %s", self._path, error.strerror or error)

    def _due(self, state: os.stat_result, now: float) -> bool:
        size, seconds, _ = self._rotation
        if not state.st_size:
            return False
        return bool((size and state.st_size >= size) or (seconds and state.st_mtime // seconds < now // seconds))

    def _turn(self, now: float) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            own = os.fstat(self._descriptor)
            if self._path.exists() and self._path.stat().st_ino == own.st_ino and self._due(own, now):
                self._path.rename(_free_name(self._path, now))
                keep = self._rotation.keep
                for old in _turned_over(self._path)[:-keep] if keep else ():
                    old.unlink(missing_ok=True)
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._follow()

    def _follow(self) -> None:
        """Go on in the file that the path means now."""
        before = self._descriptor
        self._descriptor = self._open()
        self._torn = False
        os.close(before)


def _free_name(path: Path, now: float) -> Path:
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    number = 1
    while True:
        counted = f".{number}" if number > 1 else ""
        name = path.with_name(f"{path.stem}-{moment}{counted}{path.suffix}")
        if not name.exists():
            return name
        number += 1


def _turned_over(path: Path) -> list[Path]:
    """The files that were turned over, oldest first."""
    pattern = re.compile(rf"{re.escape(path.stem)}-(\d{{8}}T\d{{6}}Z)(?:\.(\d{{1,9}}))?{re.escape(path.suffix)}")
    found = [
        (match[1], int(match[2] or 1), each)
        for each in path.parent.iterdir()
        if (match := pattern.fullmatch(each.name)) is not None
    ]
    return [each for *_, each in sorted(found)]


def audit_files(path: Path) -> list[Path]:
    """The file at ``path`` and those that were turned over from it, oldest first; OSError without their directory."""
    return [*_turned_over(path), *([path] if path.exists() else [])]


def lines_backwards(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, last first; of one that is longer than :data:`LONGEST_LINE` only a part."""
    position = file.seek(0, os.SEEK_END)
    tail = b""
    while position > 0:
        size = min(_BLOCK, position)
        position -= size
        file.seek(position)
        tail, *lines = (file.read(size) + tail).split(b"\n")
        yield from reversed(lines)
        if len(tail) > LONGEST_LINE:
            tail = b""
    yield tail


def recovered(line: bytes) -> bytes:
    """The record in a line that another process began and could not finish: the last one that begins in it.

    Inside of a record nothing looks like a beginning, since its quotation marks are escaped there.
    """
    return line[max(line.rfind(_BEGINNING), 0) :]
