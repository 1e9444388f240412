"""A clock that is wrong: told by the server's ``Date``, corrected by an offset.

Signatures hold for a quarter of an hour, so a clock that is further off than :data:`TOLERANCE` is corrected when the
service refuses a signature, and stays so for later calls of the same client.
"""

from __future__ import annotations

import calendar
import re
from typing import Final

from locum.errors import ServiceException
from locum.http import Response

__all__ = ["SKEW_CODES", "TOLERANCE", "offset_after", "parse_date"]

TOLERANCE: Final = 240.0
"""Seconds that a clock may be off before a refused signature is blamed on it."""

SKEW_CODES: Final = frozenset({
    *("AuthFailure", "InvalidSignatureException", "RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"),
    "SignatureDoesNotMatch",
})  # fmt: skip
"""The codes with which services refuse a signature out of time; STS answers the last one (STS-E-T28)."""

_DATE: Final = re.compile(
    r"[A-Z][a-z]{2}, (\d\d) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4}) (\d\d):(\d\d):(\d\d) GMT",
    re.ASCII,
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def parse_date(value: str | None) -> int | None:
    """Epoch seconds of a ``Date`` header (RFC 9110 section 5.6.7, the form that servers send); None for others."""
    match = _DATE.fullmatch(value or "")
    if match is None:
        return None
    day, month, year, hour, minute, second = match.groups()
    fields = int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second)
    if not (fields[0] >= 1970 and 1 <= fields[2] <= 31 and fields[3] < 24 and fields[4] < 60 and fields[5] <= 60):
        return None
    return calendar.timegm(fields)


def offset_after(error: ServiceException, answer: Response, *, clock: float, offset: float) -> float | None:
    """The offset in seconds that would set the clock right, where a wrong one explains the refusal, else None.

    ``clock`` is this machine's time when the request was signed, before ``offset`` was added.
    """
    if error.code not in SKEW_CODES:
        return None
    theirs = parse_date(next((value for name, value in answer.headers if name == "date"), None))
    if theirs is None or abs(theirs - (clock + offset)) <= TOLERANCE:
        return None
    return theirs - clock
