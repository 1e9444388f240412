"""Carrying a file out, inside one transaction and through the handlers of the API.

A :class:`Run` calls an operation as the root user of the account that it concerns.  What the API would refuse is noted
at its place in the file, and the run goes on, so that everything wrong is told at once; a run with faults must not be
committed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from difflib import unified_diff
from typing import Any, Final, TypeVar

import msgspec

from locum.api.iam import types
from locum.api.shapes import Command, Shape, Target, members, violations
from locum.core.sealing import Vault
from locum.core.session import Caller
from locum.errors import ServiceException
from locum.guard.attempts import Attempts
from locum.guard.directory import Directory
from locum.server import targets
from locum.server.declared.form import Entry, Text
from locum.server.declared.source import Fault, Number, Place
from locum.server.handlers import HANDLERS, Call
from locum.server.providers import Providers
from locum.server.usage import Usage
from locum.store import PAGE, Key, Row, Transaction
from locum.store.facts import Reader
from locum.store.records import Records

__all__ = ["Change", "Run", "document_details", "read_stored"]

T = TypeVar("T")
AnswerType = TypeVar("AnswerType", bound=Shape)
Random = Callable[[int], bytes]

_MOST_LINES: Final = 40
"""Lines of a document's difference that a plan shows."""


class Change(msgspec.Struct, frozen=True):
    """One line of a plan: ``+`` something is made, ``~`` changed, ``-`` deleted, with what changes inside it.

    ``scope`` is the account, or the organization, that it belongs to.
    """

    sign: str
    scope: str
    kind: str
    name: str
    details: tuple[str, ...] = ()


class _Live:
    """Facts read from the transaction itself, so that what it wrote counts."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def get(self, name: Hashable, load: Callable[[Reader], T]) -> T:
        return load(self._reader)


class _Reader:
    def __init__(self, rows: Transaction) -> None:
        self._rows = rows

    def get(self, key: Key) -> Row | None:
        return self._rows.get(key)

    def list(self, account: str, kind: str, *, after: str = "", prefix: str = "", limit: int) -> Sequence[Row]:
        return self._rows.list(account, kind, after=after, prefix=prefix, limit=limit)

    def find(self, index: str, value: str, *, after: Key | None = None, limit: int = PAGE) -> Sequence[Key]:
        return self._rows.find(index, value, after=after, limit=limit)

    def count(self, account: str, kind: str) -> int:
        return self._rows.count(account, kind)

    def fact(self, name: Hashable, load: Callable[[Reader], T]) -> T:
        return load(self)


class Run:
    """One file being carried out in one transaction.

    ``now`` is in epoch seconds, ``random(n)`` gives n random bytes.  ``prune`` deletes what the file's sections do not
    mention; without it that is listed in ``kept``.
    """

    def __init__(
        self, rows: Transaction, vault: Vault, now: int, random: Random, *, partition: str = "aws", prune: bool = False
    ) -> None:
        self.records: Final = Records(rows)
        self.now: Final = now
        self.random: Final = random
        self.partition: Final = partition
        self.prune: Final = prune
        self.faults: Final[list[Fault]] = []
        self._lines: Final[list[tuple[str, str, str, str, list[str]]]] = []
        self.kept: Final[list[str]] = []
        self._vault = vault
        self._directory = Directory(_Live(_Reader(rows)), vault, partition)
        self._usage = Usage()
        self._attempts = Attempts()
        self._providers = Providers()

    def call(self, account: str, command: Command[Any]) -> Call[Any]:
        """A call of the account's root user, its target found."""
        call: Call[Any] = Call(
            command,
            Caller.root(account, "", partition=self.partition),
            self.now,
            partition=self.partition,
            random=self.random,
            directory=self._directory,
            vault=self._vault,
            usage=self._usage,
            attempts=self._attempts,
            peer="",
            request_id="",
            providers=self._providers,
        )
        call.records_ = self.records
        declared = command.operation.authorization
        if declared is not None and isinstance(declared.resource, Target):
            call.target = targets.resolve(self.records, call.caller, command, declared.resource)
        return call

    def refuse(self, place: Place, text: str) -> None:
        """Note what is wrong at a place."""
        self.faults.append(Fault(place, text))

    def do(
        self, account: str, command: Command[AnswerType], place: Place, about: str = "", **places: Place
    ) -> AnswerType | None:
        """The answer of an operation, or None where the API refuses it, which is noted.

        ``about`` begins what is noted where the place alone does not say it.  ``places`` tells of members of the
        command where they stand in the file, if that is not ``place``.
        """
        about = f"{about}: " if about else ""
        found = violations(command)
        if found:
            named = {each.path: places[each.attribute] for each in members(type(command)) if each.attribute in places}
            for each in found:
                member, _, _ = each.path.partition(".")
                self.refuse(
                    named.get(member, place),
                    about + (each.constraint if each.later else f"{each.path}: {each.constraint}"),
                )
            return None
        try:
            call = self.call(account, command)
            answer: AnswerType = HANDLERS[type(command)].run(call)  # type: ignore[assignment]
        except ServiceException as refused:
            self.refuse(place, about + refused.message)
            return None
        return answer

    def retag(
        self,
        account: str,
        form: Entry,
        old: Mapping[str, str],
        new: Mapping[str, Text],
        details: list[str],
        untag: Callable[..., Command[Any]],
        tag: Callable[..., Command[Any]],
        kind: Callable[..., Any] = types.Tag,
        /,
        **named: str,
    ) -> None:
        """Make the tags of something those of the file; ``named`` is how both operations name it."""
        details += _tag_details(old, new)
        gone = tuple(old.keys() - new.keys())
        if gone:
            self.do(account, untag(**named, tag_keys=gone), form.at("tags"))
        for key, text in new.items():
            if old.get(key) != text.value:
                # One at a time, so that what is refused is told at its line.
                self.do(account, tag(**named, tags=(kind(key=key, value=text.value),)), text.place)

    def line(self, sign: str, scope: str, kind: str, name: str) -> list[str]:
        """A line of the plan, to which whoever carries it out adds its details; a change without any is none."""
        details: list[str] = []
        self._lines.append((sign, scope, kind, name, details))
        return details

    @property
    def changes(self) -> list[Change]:
        """The plan, in the order in which it is carried out."""
        return [
            Change(sign, scope, kind, name, tuple(details))
            for sign, scope, kind, name, details in self._lines
            if details or sign != "~"
        ]


def _tag_details(old: Mapping[str, str], new: Mapping[str, Text]) -> list[str]:
    """What changes from one set of tags to another, for people."""
    lines = [f"- tag {key}" for key in sorted(old.keys() - new.keys())]
    for key, text in sorted(new.items()):
        if key not in old:
            lines.append(f"+ tag {key} = {text.value}")
        elif old[key] != text.value:
            lines.append(f"~ tag {key} = {text.value} (was {old[key]})")
    return lines


def read_stored(text: str) -> Any:
    """A stored document's values, as :func:`~locum.server.declared.source.plain` has those of the file.

    Its text where it is no JSON, as none is that was written through the API.
    """
    try:
        return json.loads(text, parse_int=Number, parse_float=Number)
    except (ValueError, RecursionError):
        return text


def document_details(title: str, old: Any, new: Any) -> list[str]:
    """What changes from one document to another, for people: the lines that differ and what is around them."""
    before, after = (json.dumps(each, indent=2, ensure_ascii=False).splitlines() for each in (old, new))
    lines = [
        each for each in unified_diff(before, after, n=1, lineterm="") if not each.startswith(("---", "+++", "@@"))
    ]
    left = len(lines) - _MOST_LINES
    if left > 0:
        lines[_MOST_LINES:] = [f"… {left} more lines"]
    return [f"~ {title}", *(f"    {each}" for each in lines)]
