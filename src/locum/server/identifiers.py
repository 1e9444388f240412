"""Identifiers of requests and audit records: random UUIDs, which name things and protect nothing."""

from __future__ import annotations

import os
import random
from typing import Final

__all__ = ["new_uuid"]

_VERSION: Final = 4 << 76
_VARIANT: Final = 2 << 62
_KEPT: Final = (1 << 128) - 1 - (0xF << 76) - (3 << 62)

_source: Final = random.Random(os.urandom(16))  # noqa: S311 - nothing depends on nobody guessing them
os.register_at_fork(after_in_child=lambda: _source.seed(os.urandom(16)))


def new_uuid() -> str:
    """A random UUID of version 4 in lower case (RFC 9562 section 5.4; STS-W-022)."""
    text = f"{_source.getrandbits(128) & _KEPT | _VERSION | _VARIANT:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
