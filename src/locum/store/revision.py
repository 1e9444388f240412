"""The revision word: eight bytes in a memory-mapped file beside a database, and the lock of its one writer.

A writer that holds the lock stores its new revision in the word *before* it commits, and acknowledges the change after
the commit.  A reader remembers the revision of the snapshot that it read and compares it with the word:

- equal: no change was acknowledged since, in any process;
- different: look into the database.  Its snapshot may still show the old revision, because the commit is under way or
  its process died; the reader then knows the old state and keeps looking until the two agree.

One store before the commit is therefore enough.  The word can only be ahead of the database, which is slow and safe,
and the next transaction of any process puts it right while it holds the lock.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from pathlib import Path

from locum.store import Locked

__all__ = ["RevisionFile"]

_POLL = 0.0005
_POLL_MAX = 0.002


class RevisionFile:
    """The mapped word at ``path``, a file of mode 0600 that is created where it is absent.

    The file's advisory lock (``flock``) excludes every other ``RevisionFile`` of the same path, in this process and
    in others, and goes away with a process that dies.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.fchmod(self._file, 0o600)
            if os.fstat(self._file).st_size < 8:
                os.ftruncate(self._file, 8)
            self._map = mmap.mmap(self._file, 8)
        except BaseException:
            os.close(self._file)
            raise
        self.word = memoryview(self._map).cast("Q")

    def acquire(self, timeout: float) -> None:
        """Take the writer's lock; ``Locked`` after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        pause = _POLL
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Locked("another process is writing to the store") from None
                time.sleep(pause)
                pause = min(pause * 1.5, _POLL_MAX)
            else:
                return

    def release(self) -> None:
        """Give the writer's lock back."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Unmap the word and close the file."""
        self.word.release()
        self._map.close()
        os.close(self._file)
