"""Moments as people type them: ``2026-01-02T03:04:05Z``, ``2026-01-02``, ``90m``, ``36h``, ``7d``."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Final

import click

__all__ = ["moment", "read_moment"]

_AGO: Final = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def read_moment(text: str, now: float) -> float:
    """Epoch seconds of a moment; one without an offset is in UTC, and ``2h`` is two hours before ``now``.

    ValueError for anything else.
    """
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no moment") from None


def moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """The callback of an option that takes a moment; its value becomes epoch seconds."""
    if value is None:
        return None
    try:
        return read_moment(value, time.time())
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no time: write 2026-01-02T03:04:05Z, or 90m, 36h, 7d for so long ago"
        ) from None
