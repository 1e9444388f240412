"""A finding about a policy document: how bad, where, what, why, and what to do; and the subject of a check."""

from __future__ import annotations

import enum
import json
from typing import Any, Final, NamedTuple

import msgspec

from .conditions import parse_operator
from .document import Condition, PolicyKind, Statement
from .positions import Path, Positions, Span

__all__ = [
    "Draft",
    "Finding",
    "Located",
    "Severity",
    "Subject",
    "located_conditions",
    "path_text",
    "quoted",
    "suggest",
    "warn",
]

_LONGEST_QUOTE: Final = 80


class Severity(enum.Enum):
    """How bad a finding is: an error is refused when the document is stored, or would deny everything."""

    ERROR = "error"
    WARNING = "warning"
    SUGGESTION = "suggestion"


class Finding(msgspec.Struct, frozen=True):
    """What is the matter at one place of a document.

    ``code`` names the kind of finding and stays the same between versions.  ``message`` of an error is AWS's own,
    ``why`` says what it means here and ``fix`` what to write instead (either may be empty).  Lines and columns count
    from 1, the end is the last character; ``path`` is the place in words, such as ``Statement[0].Resource[1]``.
    """

    severity: Severity
    code: str
    message: str
    why: str
    fix: str
    path: str
    line: int
    column: int
    end_line: int
    end_column: int


class Draft(msgspec.Struct, frozen=True):
    """A finding by its path.  ``named`` means the member with its name, ``span`` a place that no path leads to."""

    severity: Severity
    code: str
    message: str
    path: Path = ()
    why: str = ""
    fix: str = ""
    named: bool = False
    span: Span | None = None

    def placed(self, places: Positions) -> Finding:
        """The finding with line and column."""
        span = self.span
        if span is None:
            span = places.member(*self.path) if self.named else places.value(*self.path)
        start, end = places.ends(span)
        return Finding(self.severity, self.code, self.message, self.why, self.fix, path_text(self.path), *start, *end)


def path_text(path: Path) -> str:
    """``Statement[0].Condition["StringEquals"]`` of a path; names that are no plain words are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.isascii() and part.isalnum() and len(part) <= _LONGEST_QUOTE:
            text += f".{part}" if text else part
        else:
            text += f"[{quoted(part)}]"
    return text or "document"


def quoted(text: str) -> str:
    """A text of the document for people: in quotes, shortened, and nothing in it that a terminal would obey."""
    if len(text) > _LONGEST_QUOTE:
        text = text[: _LONGEST_QUOTE - 1] + "…"
    shown = json.dumps(text, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\u{min(ord(each), 0xFFFF):04x}" for each in shown)


class Located(NamedTuple):
    """A condition and where its values stand."""

    condition: Condition
    path: Path


class Subject(msgspec.Struct, frozen=True):
    """A statement to look at.

    ``variables`` tells whether ``${…}`` has a meaning, ``moment`` is the time in epoch seconds where it is known.
    """

    index: int
    statement: Statement
    kind: PolicyKind
    variables: bool
    conditions: tuple[Located, ...]
    moment: int | None

    @property
    def path(self) -> Path:
        """Where it stands."""
        return ("Statement", self.index)

    @property
    def allows(self) -> bool:
        """Whether it is an Allow."""
        return self.statement.effect == "Allow"

    def element(self, name: str) -> Path:
        """Where ``Action``, ``Resource`` or ``Principal`` stands, in whichever of its two forms it has."""
        statement = self.statement
        negated = {
            "Action": statement.not_action,
            "Resource": statement.not_resource,
            "Principal": statement.not_principal,
        }[name]
        return (*self.path, f"Not{name}" if negated else name)


def located_conditions(statement: Statement, source: Any, path: Path) -> tuple[Located, ...]:
    """The conditions of a statement with their places; ``source`` is the statement as JSON decodes it."""
    conditions = iter(statement.conditions)
    return tuple(
        Located(next(conditions), (*path, "Condition", name, key))
        for name, keys in source.get("Condition", {}).items()
        if parse_operator(name) is not None
        for key in keys
    )


def warn(code: str, message: str, path: Path, why: str = "", fix: str = "", *, named: bool = False) -> Draft:
    """A draft of a warning."""
    return Draft(Severity.WARNING, code, message, path, why, fix, named)


def suggest(code: str, message: str, path: Path, why: str = "", fix: str = "", *, named: bool = False) -> Draft:
    """A draft of a suggestion."""
    return Draft(Severity.SUGGESTION, code, message, path, why, fix, named)
