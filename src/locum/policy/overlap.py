"""Which statements and patterns others make superfluous: what can never matter to a decision.

Everything here is one-sided: what is reported is so, what is not reported may be so too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from .document import Principals, Statement
from .finding import Draft, Subject, path_text, quoted, suggest, warn

__all__ = ["MAX_STEPS", "Overlaps", "covers", "covers_resource"]

MAX_STEPS: Final = 2_000_000
"""Characters that are compared for one document; after them no more is found."""

_STEPS_OF_A_PAIR: Final = 20
_Covers = Callable[[str, str], bool]


class _Enough(Exception):
    """The work that one document is worth has been done."""


def covers(wide: str, narrow: str) -> bool:
    """Whether a pattern matches everything that another one matches; ``*`` and ``?`` have no bounds.

    Variables are compared as they are written.
    """
    if wide == narrow or wide == "*":
        return True
    if "${" in wide or "${" in narrow:
        prefix = wide[:-1]
        return wide.endswith("*") and "*" not in prefix and "?" not in prefix and narrow.startswith(prefix)
    position, star, resume, at = 0, -1, 0, 0
    while at < len(narrow):
        symbol = wide[position] if position < len(wide) else ""
        if symbol == "*":
            star, resume = position, at
            position += 1
        elif symbol and (symbol == narrow[at] or (symbol == "?" and narrow[at] != "*")):
            position += 1
            at += 1
        elif star >= 0:
            resume += 1
            position, at = star + 1, resume
        else:
            return False
    return not wide[position:].strip("*")


def covers_resource(wide: str, narrow: str) -> bool:
    """As :func:`covers` for strings of ``Resource``, whose wildcards stay within their parts (POL-RS-003)."""
    if wide in ("*", narrow):
        return True
    left, right = wide.split(":", 5), narrow.split(":", 5)
    if len(left) != 6 or len(right) != 6 or left[2] != right[2]:
        return False
    if not all(map(covers, left[:5], right[:5])):
        return False
    body = left[5].removesuffix("*")
    if "*" not in body and "?" not in body:
        return covers(left[5], right[5])
    return ":" not in right[5] and covers(left[5], right[5])


def _apart(one: str, other: str) -> bool:
    """Whether no text can match both of two patterns, as far as their beginnings tell."""
    fixed, opposite = _fixed(one), _fixed(other)
    return not fixed.startswith(opposite) and not opposite.startswith(fixed)


def _fixed(pattern: str) -> str:
    for index, symbol in enumerate(pattern):
        if symbol in "*?$":
            return pattern[:index]
    return pattern + "\0"


class Overlaps:
    """The overlaps of one document's statements."""

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self._subjects = subjects
        self._left = MAX_STEPS

    def findings(self) -> Iterator[Draft]:
        """Statements that do nothing, and patterns that others of their list include."""
        try:
            for subject in self._subjects:
                yield from self._statement(subject)
            for subject in self._subjects:
                yield from self._entries(subject)
        except _Enough:
            return

    def _statement(self, subject: Subject) -> Iterator[Draft]:
        statement = subject.statement
        for other in self._subjects:
            if other.index == subject.index:
                continue
            self._spend(_STEPS_OF_A_PAIR)
            if subject.allows and not other.allows and not other.statement.conditions:
                if self._within(statement, other.statement):
                    yield warn(
                        "unreachable-statement",
                        f"this Allow never takes effect: {_name(other)} denies all of it without a condition",
                        subject.path,
                        "an explicit deny wins",
                        "remove one of the two, or give the Deny a condition or fewer actions and resources",
                    )
                    return
            elif subject.allows is other.allows and self._is_repeated(subject, other):
                same = statement == other.statement
                yield suggest(
                    "redundant-statement",
                    f"{_name(other)} says {'the same' if same else 'all of this'} already",
                    subject.path,
                    "",
                    "remove this statement, unless the other one says more than was meant",
                )
                return

    def _is_repeated(self, subject: Subject, other: Subject) -> bool:
        """Whether another statement contains this one; of two that contain each other the later is the repetition."""
        narrow, wide = subject.statement, other.statement
        if not self._contains(wide, narrow):
            return False
        return other.index < subject.index or not self._contains(narrow, wide)

    def _contains(self, wide: Statement, narrow: Statement) -> bool:
        self._spend(len(wide.conditions) * len(narrow.conditions))
        return all(each in narrow.conditions for each in wide.conditions) and self._within(narrow, wide)

    def _within(self, narrow: Statement, wide: Statement) -> bool:
        """Whether a statement's principals, actions and resources are among those of another."""
        return (
            _principals_within(narrow, wide)
            and self._all_within(
                (narrow.actions, narrow.not_action),
                (wide.actions, wide.not_action),
                lambda one, other: covers(one.lower(), other.lower()),
            )
            and self._all_within(
                (narrow.resources, narrow.not_resource), (wide.resources, wide.not_resource), covers_resource
            )
        )

    def _all_within(
        self,
        narrow: tuple[tuple[str, ...] | None, bool],
        wide: tuple[tuple[str, ...] | None, bool],
        covers: _Covers,
    ) -> bool:
        (few, all_but_few), (many, all_but_many) = narrow, wide
        if few is None or many is None:
            return few is many
        if not all_but_many and "*" in many:
            return True
        if all_but_few:
            # What one leaves out, the other must leave out too.
            return all_but_many and all(any(self._compare(covers, each, no) for each in few) for no in many)
        if all_but_many:
            return bool(few) and all(self._compare(_apart, one.lower(), no.lower()) for one in few for no in many)
        return bool(few) and all(any(self._compare(covers, each, one) for each in many) for one in few)

    def _compare(self, compare: _Covers, one: str, other: str) -> bool:
        self._spend(8 + len(one) + (len(one) * len(other) if one.count("*") > 1 else len(other)))
        return compare(one, other)

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _Enough

    def _entries(self, subject: Subject) -> Iterator[Draft]:
        statement = subject.statement
        for element, texts, compare in (
            ("Action", statement.actions or (), lambda one, other: covers(one.lower(), other.lower())),
            ("Resource", statement.resources or (), covers_resource),
        ):
            for index, text in enumerate(texts):
                for place, wide in enumerate(texts):
                    if place == index or not self._compare(compare, wide, text):
                        continue
                    if place < index or not self._compare(compare, text, wide):
                        yield suggest(
                            "redundant-entry",
                            f"{quoted(text)} is included in {quoted(wide)}",
                            (*subject.element(element), index),
                            "",
                            "remove it",
                        )
                        break


def _name(subject: Subject) -> str:
    sid = f" (Sid {quoted(subject.statement.sid)})" if subject.statement.sid else ""
    return path_text(subject.path) + sid


def _principals_within(narrow: Statement, wide: Statement) -> bool:
    few, many = narrow.principals, wide.principals
    if few is None or many is None or narrow.not_principal or wide.not_principal:
        return few == many and narrow.not_principal is wide.not_principal
    if many.anyone or "*" in many.aws:
        return wide.effect == "Deny" or not few.federated
    return not few.anyone and all(
        set(getattr(few, kind)) <= set(getattr(many, kind)) for kind in Principals.__struct_fields__ if kind != "anyone"
    )
