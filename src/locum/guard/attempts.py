"""A bound on guessing: how many failed authentications one address may make (R10).

Failures are counted per address, and per address and access key, in windows of a minute.  Memory is bounded: when the
table is full the entry goes whose last failure is the longest ago.  The counts are a process's own.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from locum.errors import Throttling

__all__ = ["Attempts"]

_WINDOW: Final = 60
_CAPACITY: Final = 10_000
_KEY_CHARACTERS: Final = 128
"""Characters of a claimed access key id that count: no real one is longer (STS-V-T34)."""


class Attempts:
    """Counts failures; ``per_address`` and ``per_key`` are the most within a minute before tries are refused."""

    def __init__(self, *, per_address: int = 600, per_key: int = 60) -> None:
        self._limits: Final = (per_address, per_key)
        self._failed: Final[OrderedDict[tuple[str, str], list[int]]] = OrderedDict()
        self._lock: Final = threading.Lock()

    def check(self, address: str, key_id: str, now: float) -> None:
        """Throttling where the address has failed too often, with any key or with this one."""
        if not self._failed:
            return
        window = int(now) // _WINDOW
        for entry, limit in zip(_entries(address, key_id), self._limits, strict=True):
            count = self._failed.get(entry)
            if count is not None and count[0] == window and count[1] >= limit:
                raise Throttling("Rate exceeded")

    def failed(self, address: str, key_id: str, now: float) -> None:
        """Count one failure."""
        window = int(now) // _WINDOW
        with self._lock:
            for entry in _entries(address, key_id):
                count = self._failed.get(entry)
                if count is None:
                    if len(self._failed) >= _CAPACITY:
                        self._failed.popitem(last=False)
                    self._failed[entry] = [window, 1]
                    continue
                self._failed.move_to_end(entry)
                if count[0] == window:
                    count[1] += 1
                else:
                    count[:] = window, 1


def _entries(address: str, key_id: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (address, ""), (address, key_id[:_KEY_CHARACTERS])
