"""Points in time as policies write them: a profile of ISO 8601, or seconds since the epoch.

The grammar is the one that AWS's recorded answers show (POL-CO-045): one-digit hours, lower-case ``t``, offsets of
hours alone, up to nine fractional digits, years of any size.  A text without a zone means UTC (POL-CO-046), and what
is finer than a millisecond counts for nothing.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["Instant", "parse_instant"]

_SECOND: Final = 10**3
_EPOCH_SECONDS: Final = re.compile(r"[+-]?[0-9]{1,19}\Z")
_ISO: Final = re.compile(
    r"([+-]?[0-9]{1,9})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?"
    r"(?:[Tt](?:([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2})(?:[.,]([0-9]{1,9}))?)?)?)?"
    r"([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?\Z"
)
_MONTH_LENGTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Instant(NamedTuple):
    """An instant in milliseconds since 1970, as the first and the last that a text can mean; mostly the same."""

    first: int
    last: int

    def precedes(self, other: Instant) -> bool:
        """Whether this is earlier, whatever the two texts mean."""
        return self.last < other.first

    def may_precede(self, other: Instant) -> bool:
        """Whether this is earlier in some meaning of the two texts."""
        return self.first < other.last

    def equals(self, other: Instant) -> bool:
        """Whether both are one instant, whatever the two texts mean."""
        return self.first == self.last == other.first == other.last

    def may_equal(self, other: Instant) -> bool:
        """Whether both are one instant in some meaning of the two texts."""
        return self.first <= other.last and other.first <= self.last


_ANY_TIME: Final = Instant(-(10**30), 10**30)
"""What a time without a date may mean: AWS stores it, and what it compares with is not known."""


def parse_instant(text: str) -> Instant | None:
    """The instant that a text denotes (POL-CO-043…046), or None where it denotes none."""
    if _EPOCH_SECONDS.match(text):
        seconds = int(text)
        return Instant(seconds * _SECOND, seconds * _SECOND) if -(2**63) <= seconds < 2**63 else None
    parts = _ISO.match(text)
    if parts is None:
        timed = len(text) > 1 and text[0] in "Tt" and parse_instant("1970-01-01" + text) is not None
        return _ANY_TIME if timed else None
    year, month, day, hour, minute, second = (
        int(part or default) for part, default in zip(parts.groups()[:6], "011000", strict=True)
    )
    if not (1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        return None
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _MONTH_LENGTHS[month - 1] + leap:
        return None
    seconds = ((_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
    moment = seconds * _SECOND + int((parts[7] or "").ljust(3, "0")[:3])
    zone = parts[8] or "Z"
    if zone not in "Zz":
        hours, minutes = int(zone[1:3]), int(zone[-2:]) if len(zone) > 3 else 0
        if hours > 23 or minutes > 59:
            return None
        offset = (hours * 60 + minutes) * 60 * _SECOND
        moment += offset if zone[0] == "-" else -offset
    return Instant(moment, moment)


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of a date in the proleptic Gregorian calendar, for any year."""
    year -= month < 3
    century, rest = year // 400, year % 400
    in_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return century * 146097 + rest * 365 + rest // 4 - rest // 100 + in_year - 719468
