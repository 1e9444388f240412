"""The logger ``locum.client``.

Importing logging takes as long as several of the client's own modules, so it is left to who wants to read: nobody who
has not imported it can have asked for debug lines.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

__all__ = ["debug", "warning"]


def debug(logger: logging.Logger | None, message: str, *values: object) -> None:
    """A line for whoever looks for a mistake; ``logger`` is somebody's own."""
    if logger is not None or "logging" in sys.modules:
        (logger or _logger()).debug(message, *values)


def warning(message: str, *values: object) -> None:
    """A line that concerns no single caller, who would have got an exception."""
    _logger().warning(message, *values)


def _logger() -> logging.Logger:
    import logging

    return logging.getLogger("locum.client")
