"""awsQuery requests: a command ⇄ the parameters of a form, both ends derived from the command's declaration.

The server gathers the parameters of a request with :func:`gather`, finds the command and reads it with
:func:`decode_command`; the client writes them with :func:`encode_command`.  ``decode_command(encode_command(x)) == x``
for every valid command.  Answers are in :mod:`locum.wire.answer`.

Lists are ``Name.member.N``, maps ``Name.entry.N.key`` and ``.value``, structures are dotted (STS-W-004…W-006,
IAM-GEN-004).  A reader is compiled once for each command: a request costs one look-up for each declared member and
one pass over the names with dots.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlencode

import msgspec

from locum.api.shapes import Command, Kind, Limits, Member, Shape, members, refuse, travels, violations
from locum.errors import MalformedInput
from locum.secret import Secret
from locum.wire.form import MAX_PARAMETERS

__all__ = [
    "CONTENT_TYPE",
    "MAX_GAP",
    "MAX_SEGMENTS",
    "decode_command",
    "encode_command",
    "encode_form",
    "format_time",
    "gather",
    "parse_integer",
    "parse_time",
]

CONTENT_TYPE: Final = "application/x-www-form-urlencoded; charset=utf-8"
"""The content type of a request (STS-W-001)."""

MAX_SEGMENTS: Final = 12
"""Dot-separated parts of a parameter's name."""

MAX_GAP: Final = 10
"""How far a list's index may be beyond the last one before it, or beyond the first position (STS-W-012)."""

_REPORTED: Final = 10
"""Violations that one error names at most, as AWS's do."""

_MAX_DIGITS: Final = 10
_TWO_INDEXES: Final = re.compile(r"\.[0-9]+\.[0-9]+(?:\.|$)", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_quoted = msgspec.json.Encoder().encode  # 0.1 µs for a time, where datetime's own isoformat takes 2
_BOOLEANS: Final = {"true": True, "false": False, "1": True, "0": False}

AnyCommand = TypeVar("AnyCommand", bound=Command[Any])
Node = dict[Any, Any]
"""What the dotted names say below one point, by next segment: texts, and nodes in which ``""`` is the own text."""

Read = tuple[Any, bool]
"""A value, and whether it surely meets its declared limits."""

ShapeReader = Callable[[Mapping[str, Any], Node], Read]
ValueReader = Callable[[Any], Read]
"""Reads a text or a node."""

_NESTED: Final = (Kind.STRUCTURE, Kind.LIST, Kind.MAP)
_NOTHING: Final[Node] = {}


def gather(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The parameters of a request by name; of plain parameters the last one counts (STS-W-014).

    Raises MalformedInput for a second ``Action``, ``Version`` or ``X-Amz-…`` (R20), and for more than
    :data:`~locum.wire.form.MAX_PARAMETERS` parameters.
    """
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        seen = set()
        for name, _ in pairs:
            if name in ("Action", "Version") or name[:6].lower() == "x-amz-":
                if name in seen:
                    raise MalformedInput(f"The parameter {name} must not be repeated")
                seen.add(name)
    if len(pairs) > MAX_PARAMETERS:
        raise MalformedInput(f"The request has more than {MAX_PARAMETERS} parameters")
    return parameters


def decode_command(command_type: type[AnyCommand], parameters: Mapping[str, str]) -> AnyCommand:
    """The command that the parameters of a request express.

    Raises MalformedInput where a parameter cannot be read at all (STS-W-009…W-012), otherwise ValidationError with
    every broken limit at once (STS-V-001, STS-V-012).  Unknown parameters are ignored (STS-W-013).
    """
    reader, roots = _command_reader(command_type)
    command, sound = reader(parameters, _forest(parameters, roots) if roots else _NOTHING)
    if not sound:
        found = violations(command)
        if found:
            raise refuse(found, command_type.operation.service, _REPORTED)
    return cast("AnyCommand", command)


def _forest(parameters: Mapping[str, str], roots: frozenset[str]) -> Node:
    """The dotted parameters as a tree, those whose first segment is a nested member."""
    dotted = [name for name in parameters if "." in name]
    if not dotted:
        return _NOTHING
    forest: Node = {}
    for name in dotted:
        steps = _kept_steps(name) if len(name) <= _KEPT_LENGTH else _steps(name)
        if steps is None:
            if name.partition(".")[0] in roots:
                if _TWO_INDEXES.search(name):
                    raise MalformedInput("Two index elements may not occur back to back")
                raise MalformedInput(f"The parameter name {name} has an index or a depth that cannot be read")
            continue
        above, last = steps
        if above[0] not in roots:
            continue
        node = forest
        for step in above:
            inner = node.get(step)
            if inner.__class__ is not dict:
                inner = node[step] = {} if inner is None else {"": inner}
            node = inner
        if node.get(last).__class__ is dict:
            node = node[last]
            last = ""
        node[last] = parameters[name]
    return forest


def _steps(name: str) -> tuple[tuple[str | int, ...], str | int] | None:
    """The segments of a dotted name, numbers as indexes, the last one apart.

    None where two numbers follow each other (STS-W-010), or where a number or the name is too long.
    """
    if name.count(".") >= MAX_SEGMENTS:
        return None
    steps: list[str | int] = []
    for segment in name.split("."):
        if segment.isdecimal() and segment.isascii():
            if len(segment) > _MAX_DIGITS or (steps and isinstance(steps[-1], int)):
                return None
            steps.append(int(segment))
        else:
            steps.append(segment)
    return tuple(steps[:-1]), steps[-1]


_KEPT_LENGTH: Final = 64
_kept_steps = functools.lru_cache(maxsize=1024)(_steps)


@functools.cache
def _command_reader(command_type: type[Shape]) -> tuple[ShapeReader, frozenset[str]]:
    roots = frozenset(member.wire_name for member in members(command_type) if member.kind in _NESTED)
    return _shape_reader(command_type, ""), roots


def _shape_reader(shape: type[Shape], prefix: str) -> ShapeReader:
    """A function that makes the shape from texts and nodes, written out member by member and compiled.

    ``prefix`` is what stands before the members' names: empty in a command, where every text is a text.  The source
    holds nothing but names and limits of our own declarations.
    """
    scope: dict[str, Any] = {"Shape": shape, "Secret": Secret, "parse_integer": parse_integer}
    lines = ["def read(texts, nodes):", "    get = texts.get", "    sound = True"]
    for number, member in enumerate(members(shape)):
        scope[f"absent{number}"] = member.absent
        lines += _member_lines(number, member, prefix, scope)
    values = ", ".join(f"{member.attribute}=m{number}" for number, member in enumerate(members(shape)))
    lines.append(f"    return Shape({values}), sound")
    exec("\n".join(lines), scope)  # noqa: S102
    return cast("ShapeReader", scope["read"])


def _member_lines(number: int, member: Member, prefix: str, scope: dict[str, Any]) -> list[str]:
    value, wire_name, name = f"m{number}", repr(member.wire_name), repr(prefix + member.wire_name)
    if member.kind not in (Kind.TEXT, Kind.INTEGER):
        scope[f"read{number}"] = _value_reader(member, prefix + member.wire_name)
        return [
            f"    if {wire_name} in nodes or {wire_name} in texts:",
            f"        {value}, fine = read{number}(nodes.get({wire_name}) or get({wire_name}))",
            "        sound = sound and fine",
            "    else:",
            f"        {value} = absent{number}",
            *(["        sound = False"] if member.required else []),
        ]
    condition = _condition(value, member, scope, number)
    present = []
    if member.kind is Kind.INTEGER:
        present.append(f"        {value} = parse_integer({value}, {name})")
    if condition:
        present += [f"        if not ({condition}):", "            sound = False"]
    if member.kind is Kind.TEXT and member.limits.secret:
        present.append(f"        {value} = Secret({value})")
    return [
        f"    {value} = get({wire_name})",
        *([f"    if {value}.__class__ is dict:", f"        {value} = {value}.get('')"] if prefix else []),
        f"    if {value} is None:",
        "        sound = False" if member.required else f"        {value} = absent{number}",
        *(["    else:", *present] if present else []),
    ]


def _condition(value: str, member: Member, scope: dict[str, Any], number: int) -> str:
    """The limits of a text or an integer as an expression; empty where there are none."""
    limits = member.limits
    size = f"len({value})" if member.kind is Kind.TEXT else value
    parts = []
    if limits.least is not None and limits.most is not None:
        parts.append(f"{limits.least} <= {size} <= {limits.most}")
    elif limits.least is not None:
        parts.append(f"{size} >= {limits.least}")
    elif limits.most is not None:
        parts.append(f"{size} <= {limits.most}")
    if limits.pattern is not None:
        scope[f"matches{number}"] = limits.pattern.regex.fullmatch
        parts.append(f"matches{number}({value}) is not None")
    if limits.one_of:
        scope[f"one_of{number}"] = frozenset(limits.one_of)
        parts.append(f"{value} in one_of{number}")
    return " and ".join(parts)


def _value_reader(member: Member, name: str) -> ValueReader:
    """A reader for one member; ``name`` is the member's in messages, where ``N`` stands for an index."""
    if member.kind is Kind.LIST:
        return _list_reader(cast("Member", member.element), member.limits, name)
    if member.kind is Kind.MAP:
        return _map_reader(cast("Member", member.element), name)
    if member.kind is Kind.STRUCTURE:
        return _structure_reader(cast("type[Shape]", member.shape), name)
    return _scalar_reader(member, name)


def _inside(given: str | Node, name: str) -> Node:
    """The node of a nested member; one that came as a bare name without value is empty (STS-W-007)."""
    if isinstance(given, dict):
        return given
    if given:
        raise MalformedInput(f"The parameter {name} has members and no value of its own")
    return _NOTHING


def _structure_reader(shape: type[Shape], name: str) -> ValueReader:
    reader = _shape_reader(shape, f"{name}.")

    def read(given: Any) -> Read:
        node = _inside(given, name)
        return reader(node, node)

    return read


def _list_reader(element: Member, limits: Limits, name: str) -> ValueReader:
    path = f"{name}.member"
    reader = _value_reader(element, f"{path}.N")
    structures = element.kind is Kind.STRUCTURE
    least, most = limits.least or 1, limits.most or MAX_PARAMETERS * MAX_GAP + 1
    empty = limits.empty

    def read(given: Any) -> Read:
        inside = _inside(given, name).get("member")
        if inside.__class__ is not dict:
            return (), empty
        size = len(inside)
        try:
            dense = [inside[position] for position in range(1, size + 1)]
        except KeyError:
            dense = _sparse(inside, structures=structures)
            size = len(dense)
        sound = least <= size <= most
        elements = []
        for each in dense:
            value, fine = (None, False) if each is None else reader(each)
            elements.append(value)
            sound = sound and fine
        return tuple(elements), sound

    return read


def _map_reader(element: Member, name: str) -> ValueReader:
    path = f"{name}.entry"
    reader = _value_reader(element, f"{path}.N.value")

    def read(given: Any) -> Read:
        inside = _inside(given, name).get("entry")
        entries: dict[str, Any] = {}
        sound = True
        for each in _sparse(inside) if inside.__class__ is dict else ():
            key, value = (each.get("key"), each.get("value")) if each.__class__ is dict else (None, None)
            if not isinstance(key, str) or key in entries or value is None:
                raise MalformedInput(f"The parameter {path} needs a key of its own and a value at each index")
            entries[key], fine = reader(value)
            sound = sound and fine
        return entries, sound

    return read


def _sparse(inside: Node, *, structures: bool = False) -> list[Any]:
    """A list's elements by position, None for a missing one, whatever order they came in (STS-W-010…W-012).

    Names where positions should be are one element of unknown members, if the elements are ``structures``.
    """
    names = [step for step in inside if step.__class__ is not int and not step.startswith("-")]
    if structures and len(names) == len(inside):
        return [{}]
    for step in inside:
        if step.__class__ is not int:
            if step.startswith("-"):
                raise MalformedInput(f"Key {step} may not have a leading '-'")
            raise MalformedInput("Start of list found where not expected")
        if step == 0:
            raise MalformedInput("0 is not a valid index")
    elements: list[Any] = []
    for position in sorted(inside):
        skipped = position - max(len(elements), 1)
        if skipped > MAX_GAP:
            raise MalformedInput(f"Excessively sparse input would skip {skipped} list elements")
        elements += [None] * (position - len(elements) - 1)
        elements.append(inside[position])
    return elements


def _scalar_reader(member: Member, name: str) -> ValueReader:
    parse = _PARSERS[member.kind]
    scope: dict[str, Any] = {}
    condition = _condition("value", member, scope, 0) if member.kind in (Kind.TEXT, Kind.INTEGER) else ""
    fits: Callable[[Any], bool] = eval(f"lambda value: {condition or True}", scope)  # noqa: S307
    secret = member.limits.secret

    def read(given: Any) -> Read:
        text = given.get("") if given.__class__ is dict else given
        if text is None:
            return None, False
        value = parse(text, name)
        return (Secret(text) if secret else value), fits(value)

    return read


def parse_integer(text: str, name: str) -> int:
    """A decimal integer of 32 bits, with an optional sign (STS-W-009); MalformedInput for anything else."""
    if _INTEGER.fullmatch(text) is not None:
        value = int(text)
        if -0x8000_0000 <= value <= 0x7FFF_FFFF:
            return value
    raise MalformedInput(f"The parameter {name} is not an integer of 32 bits")


def parse_time(text: str) -> datetime.datetime:
    """An ISO 8601 time with its offset, in UTC (STS-W-027); ValueError for anything else."""
    if _TIME.fullmatch(text) is None:
        raise ValueError("not an ISO 8601 time")
    try:
        return datetime.datetime.fromisoformat(text).astimezone(datetime.UTC)
    except OverflowError:
        raise ValueError("not a time in UTC") from None


def format_time(moment: datetime.datetime) -> str:
    """``2021-08-16T20:52:53Z``: UTC, whole seconds, the rest cut off (STS-W-027); ValueError without a time zone."""
    if moment.tzinfo is not datetime.UTC:
        if moment.tzinfo is None:
            raise ValueError("a time on the wire needs a time zone")
        moment = moment.astimezone(datetime.UTC)
    return f"{_quoted(moment)[1:20].decode()}Z"


def _text(text: str, name: str) -> str:
    return text


def _boolean(text: str, name: str) -> bool:
    if text not in _BOOLEANS:
        raise MalformedInput(f"The parameter {name} is not a boolean")
    return _BOOLEANS[text]


def _time(text: str, name: str) -> datetime.datetime:
    try:
        return parse_time(text)
    except ValueError:
        raise MalformedInput(f"The parameter {name} is not a time in ISO 8601") from None


def _blob(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedInput(f"The parameter {name} is not base64") from None


_PARSERS: Final[dict[Kind, Callable[[str, str], Any]]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: parse_integer,
    Kind.BOOLEAN: _boolean,
    Kind.TIMESTAMP: _time,
    Kind.BLOB: _blob,
}


def encode_command(command: Command[Any]) -> list[tuple[str, str]]:
    """The parameters that express a command, ``Action`` and ``Version`` first; secrets are in them as they are."""
    operation = command.operation
    pairs = [("Action", operation.name), ("Version", operation.service.version)]
    _write_members(command, "", pairs)
    return pairs


def encode_form(pairs: Iterable[tuple[str, str]]) -> bytes:
    """The body of a request: the parameters form-encoded, as :func:`~locum.wire.form.parse_form` reads them."""
    return urlencode(list(pairs)).encode()


def _write_members(value: Shape, prefix: str, pairs: list[tuple[str, str]]) -> None:
    for member in members(type(value)):
        inner = getattr(value, member.attribute)
        if travels(member, inner):
            _write(member, inner, prefix + member.wire_name, pairs)


def _write(member: Member, value: Any, name: str, pairs: list[tuple[str, str]]) -> None:
    kind = member.kind
    if kind in _NESTED:
        before = len(pairs)
        if kind is Kind.STRUCTURE:
            _write_members(value, f"{name}.", pairs)
        elif kind is Kind.LIST:
            for position, each in enumerate(value, 1):
                if each is not None:
                    _write(cast("Member", member.element), each, f"{name}.member.{position}", pairs)
        else:
            for position, (key, each) in enumerate(value.items(), 1):
                pairs.append((f"{name}.entry.{position}.key", key))
                _write(cast("Member", member.element), each, f"{name}.entry.{position}.value", pairs)
        if len(pairs) == before:
            # Nothing inside: the bare name says that it is there (STS-W-007).
            pairs.append((name, ""))
    else:
        pairs.append((name, _FORMATTERS[kind](value)))


def _revealed(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


_FORMATTERS: Final[dict[Kind, Callable[[Any], str]]] = {
    Kind.TEXT: _revealed,
    Kind.INTEGER: str,
    Kind.BOOLEAN: lambda value: "true" if value else "false",
    Kind.TIMESTAMP: format_time,
    Kind.BLOB: lambda value: base64.b64encode(value).decode(),
}
