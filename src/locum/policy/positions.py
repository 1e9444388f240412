"""Where everything stands in a document's text: every member and every item by its path, with line and column.

>>> places = locate('{"Statement": {"Effect": "Allow",\\n "Action": "s3:Get*", "Resource": "*"}}')
>>> places.statement(0)
Span(start=14, end=72)
>>> places.position(places.statement(0, "Action", 0).start)
Position(line=2, column=12)

A path is what one would write in brackets: ``("Statement", 0, "Action", 1)``.  The forms that mean the same have the
same paths: index 0 of what is no list is the thing itself, so that a lone statement is ``("Statement", 0)``.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Final, NamedTuple, TypeAlias

from .document import MAX_CHARACTERS, MAX_DEPTH

__all__ = ["Path", "Position", "Positions", "Span", "locate"]

Path: TypeAlias = tuple[str | int, ...]
"""The names and indexes on the way from the document to a value."""

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)


class Position(NamedTuple):
    """A place as editors show it: line and column, both from 1, the column in characters."""

    line: int
    column: int


class Span(NamedTuple):
    """A piece of the text: offsets of its first character and of the one after its last."""

    start: int
    end: int


class Positions:
    """The places of one text.  Made by :func:`locate`."""

    __slots__ = ("_keys", "_lines", "_values", "repeated")

    def __init__(
        self, lines: list[int], values: dict[Path, Span], keys: dict[Path, Span], repeated: dict[Path, Span]
    ) -> None:
        self._lines = lines
        self._values = values
        self._keys = keys
        self.repeated = repeated
        """The names that stand a second time in one object, by path: the last of each."""

    def value(self, *path: str | int) -> Span:
        """The value under a path, or under the longest part of it that exists."""
        return self._values[self._known(path)]

    def member(self, *path: str | int) -> Span:
        """As :meth:`value`, its name included where the value is a member of an object."""
        known = self._known(path)
        value = self._values[known]
        key = self._keys.get(known)
        return value if key is None else Span(key.start, value.end)

    def statement(self, index: int, *path: str | int) -> Span:
        """The value under a path inside the statement with an index, counted from 0."""
        return self.value("Statement", index, *path)

    def position(self, offset: int) -> Position:
        """Line and column of the character at an offset."""
        line = bisect_right(self._lines, offset)
        return Position(line, offset - self._lines[line - 1] + 1)

    def ends(self, span: Span) -> tuple[Position, Position]:
        """The first and the last character of a span."""
        return self.position(span.start), self.position(max(span.start, span.end - 1))

    def _known(self, path: Path) -> Path:
        known: Path = ()
        for part in path:
            step = (*known, part)
            if step in self._values:
                known = step
            elif part != 0:
                break
        return known


def locate(text: str) -> Positions:
    """The places of a text that :func:`locum.policy.parse` reads.

    Never fails: of what is no JSON, or is longer or deeper than a document may be, the part before the trouble is
    known.  Where a name stands twice in an object, the path leads to the last one.
    """
    text = text[:MAX_CHARACTERS]
    lines = [0, *(found.end() for found in re.finditer("\n", text))]
    body = text.strip()
    begin = text.index(body[0]) if body else 0
    values: dict[Path, Span] = {(): Span(begin, begin + max(len(body), 1))}
    keys: dict[Path, Span] = {}
    repeated: dict[Path, Span] = {}
    opened: list[tuple[Path, int, bool]] = []  # path, where it began, whether it is a list
    path: Path = ()
    pending: Span | None = None
    name_next = False
    for token in _TOKEN.finditer(text):
        symbol, span = token[0], Span(*token.span())
        if symbol in "{[":
            if len(opened) > MAX_DEPTH:
                break
            is_list = symbol == "["
            opened.append((path, span.start, is_list))
            values[path] = span
            if is_list:
                path = (*path, 0)
            name_next = not is_list
        elif symbol in "}]":
            if not opened:
                break
            path, start, _ = opened.pop()
            values[path] = Span(start, span.end)
            name_next = False
        elif symbol == ",":
            if not opened:
                break
            parent, _, is_list = opened[-1]
            last = path[-1] if len(path) > len(parent) else None
            if is_list:
                path = (*parent, last + 1 if isinstance(last, int) else 0)
            else:
                path = parent
            name_next = not is_list
        elif symbol == ":":
            name_next = False
        elif name_next:
            name = _name(symbol)
            if name is None or not opened:
                break
            path = (*opened[-1][0], name)
            if path in keys:
                repeated[path] = span
            keys[path] = pending = span
        else:
            values[path] = span
    if pending is not None and path in keys and path not in values:
        values[path] = pending
    return Positions(lines, values, keys, repeated)


def _name(symbol: str) -> str | None:
    try:
        name = json.loads(symbol)
    except ValueError:
        return None
    return name if isinstance(name, str) else None
