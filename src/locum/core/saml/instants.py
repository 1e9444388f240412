"""The moments of SAML: xs:dateTime with a zone."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Final

__all__ = ["epoch"]

_INSTANT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:(\.[0-9]{1,6})[0-9]{0,12})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


@lru_cache(maxsize=256)
def epoch(text: str) -> float:
    """The epoch seconds of an xs:dateTime; ValueError for other text, also where a zone is missing.

    SAML says UTC, and that is ``Z`` (core, 1.3.3); an offset says the same moment.  Decoded moments
    are kept: an assertion repeats its own.
    """
    if (parts := _INSTANT.fullmatch(text)) is None:
        raise ValueError("not a date and time with a zone")
    seconds, fraction, zone = parts.groups()
    return datetime.fromisoformat(seconds + ("+00:00" if zone == "Z" else zone)).timestamp() + float(fraction or 0)
