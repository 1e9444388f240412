"""Structured logs on standard error: one line for a message, with the id of the request that it belongs to.

Messages go through :mod:`logging` under ``locum``.  Members given as ``extra={...}`` become members of the line.
A :class:`~locum.secret.Secret` prints as ``***`` wherever it comes (R38); other libraries log warnings only, whatever
the level, so that none of them can print what it handles.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import msgspec

__all__ = ["JSONFormatter", "TextFormatter", "configure", "request_id"]

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being answered; empty outside one."""

_LONGEST: Final = 8_192
"""Characters of the longest text in a line; a longer one ends with an ellipsis."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_RESERVED: Final = frozenset({"time", "level", "logger", "request_id", "error"})


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _plain(value: Any) -> Any:
    return _cut(str(value))


class _Formatter(logging.Formatter):
    def members(self, record: logging.LogRecord) -> dict[str, Any]:
        """The members of the line, in their order."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(record.getMessage()),
        }
        current = request_id.get()
        if current:
            line["request_id"] = current
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in _RESERVED:
                line[name] = _cut(value) if isinstance(value, str) else value
        if record.exc_info:
            line["error"] = _cut(self.formatException(record.exc_info))
        return line


class JSONFormatter(_Formatter):
    """One JSON object for each line."""

    def __init__(self) -> None:
        super().__init__()
        self._encode = msgspec.json.Encoder(enc_hook=_plain).encode

    def format(self, record: logging.LogRecord) -> str:
        members = self.members(record)
        try:
            return self._encode(members).decode()
        except (TypeError, ValueError, RecursionError):
            # A lone surrogate, a number that JSON cannot hold, a structure without end.
            texts = {name: str(value).encode("utf-8", "replace").decode() for name, value in members.items()}
            return self._encode(texts).decode()


class TextFormatter(_Formatter):
    """``locum: message name=value`` for people; control characters are escaped, so that a line stays one line."""

    def format(self, record: logging.LogRecord) -> str:
        members = self.members(record)
        error = members.pop("error", "")
        del members["time"], members["logger"]
        level, message = members.pop("level"), members.pop("message")
        text = f"locum: {message}" if level == "info" else f"locum: {level}: {message}"
        text += "".join(f" {name}={value}" for name, value in members.items())
        text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
        return f"{text}\n{error}" if error else text


def configure(level: str, form: str = "auto", stream: TextIO | None = None) -> None:
    """Send messages of ``level`` and above to ``stream`` (standard error), as ``text``, ``json`` or ``auto``."""
    stream = sys.stderr if stream is None else stream
    as_text = form == "text" or (form == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter() if as_text else JSONFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("locum").setLevel(level.upper())
    logging.captureWarnings(True)
