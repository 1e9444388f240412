"""How a command is declared, and what follows from the declaration.

A *shape* is a frozen record of typed members.  A *command* is a shape that names its operation and its answer::

    class GetAccessKeyInfoCommand(Command[GetAccessKeyInfoResponse]):
        operation: ClassVar[Operation] = Operation(STS, "GetAccessKeyInfo", authorization=Authorization())
        access_key_id: Annotated[str, text(16, 128, r"[\\w]*")]

Names, presence, limits and secrecy stand there once; codec, validation, client method, command line and documents are
derived from :func:`members`.  A member without a default is required; a list that is absent and an empty list are the
same thing (STS-W-008) unless :func:`items` says otherwise.  Wire names are the PascalCase of the member's name unless
:func:`named` says otherwise.
"""

from __future__ import annotations

import datetime
import functools
import re
import sys
import types
import typing
import unicodedata
from enum import Enum
from typing import Annotated, Any, ClassVar, Final, Generic, NamedTuple, TypeVar, dataclass_transform

import msgspec

from locum.errors import ServiceException, ValidationError
from locum.secret import Secret

__all__ = [
    "Authorization",
    "Command",
    "Kind",
    "Limits",
    "Member",
    "Operation",
    "Output",
    "Pattern",
    "Service",
    "Shape",
    "Target",
    "Violation",
    "integer",
    "items",
    "members",
    "named",
    "refuse",
    "text",
    "travels",
    "violations",
]


_UNPRINTED: Final = Secret("")


class _ShapeMeta(msgspec.StructMeta):
    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        return super().__new__(mcls, name, bases, namespace, **{"kw_only": True, "frozen": True, "gc": False} | options)


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Shape(msgspec.Struct, frozen=True, metaclass=_ShapeMeta):
    """A record of typed members; equal when its members are equal, never changed after it was made."""

    def __rich_repr__(self) -> Any:
        for member in members(type(self)):
            value = getattr(self, member.attribute)
            if value is not None and value != ():
                yield member.attribute, _UNPRINTED if member.limits.secret else value

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({inside})"


class Pattern(msgspec.Struct, frozen=True):
    """A regular expression as AWS prints it, and the equivalent that Python matches (whole value, STS-V-010)."""

    printed: str
    regex: re.Pattern[str]


class Limits(msgspec.Struct, frozen=True):
    """The declared constraints of one member: of a text's length, an integer's value or a list's count.

    ``misfit``: what is said of a text that does not fit the pattern, where that check comes after all others and has
    words of its own (IAM-GEN-044, IAM-GEN-045); ``{}`` stands for the path.  ``no_nulls``: of the entries of a list it
    is also said that they must not be null (IAM-GEN-043).  ``empty``: an empty list that was sent is told from an
    absent one, None, and is left to the handler.  ``told``: the values of ``one_of`` in the order in which a service
    names them that otherwise names none (IAM-GEN-042).
    """

    least: int | None = None
    most: int | None = None
    pattern: Pattern | None = None
    one_of: tuple[str, ...] = ()
    secret: bool = False
    wire_name: str | None = None
    misfit: str | None = None
    no_nulls: bool = False
    empty: bool = False
    told: tuple[str, ...] = ()


_UNLIMITED: Final = Limits()
_UNICODE_CLASSES: Final = r"\p{L}\p{Z}\p{N}"
"""How the model writes letters, separators and numbers of every script (STS-V-011)."""


class _UnicodePattern:
    """A pattern with Unicode classes, which :mod:`re` does not know; the rest of it is ASCII.

    A character of another script is looked up by itself and stands in the match as a letter or as none.
    """

    def __init__(self, source: str) -> None:
        self._ascii = re.compile(source.replace(_UNICODE_CLASSES, "A-Za-z0-9 "), re.ASCII)

    def fullmatch(self, value: str) -> re.Match[str] | None:
        if not value.isascii():
            category = unicodedata.category
            value = "".join([
                each if each < "\x80" else "a" if category(each)[0] in "LNZ" else "\x00" for each in value
            ])  # fmt: skip
        return self._ascii.fullmatch(value)


_LINEAR: Final = {
    r"[^\s@]+@[^\s@]+\.[^\s@]+": r"[^\s@]++@(?=[^\s@]++\Z)[^\s@]+\.[^\s@]+",
}
"""Patterns whose time could grow with the square of a hostile text → the same language in linear time (R29)."""


@functools.cache
def _pattern(printed: str) -> Pattern:
    if _UNICODE_CLASSES in printed:
        return Pattern(printed, typing.cast("re.Pattern[str]", _UnicodePattern(printed)))
    source = _LINEAR.get(printed, printed).replace(r"\u10000-\u10FFFF", r"\U00010000-\U0010FFFF")
    return Pattern(printed, re.compile(source, re.ASCII))


def text(
    least: int | None = None,
    most: int | None = None,
    pattern: str | None = None,
    *,
    one_of: tuple[str, ...] = (),
    secret: bool = False,
    misfit: str | None = None,
    told: tuple[str, ...] = (),
) -> Limits:
    """Limits of a text: length in characters, the pattern as AWS prints it, or a closed set of values."""
    return Limits(least, most, None if pattern is None else _pattern(pattern), one_of, secret, misfit=misfit, told=told)


def integer(least: int | None = None, most: int | None = None) -> Limits:
    """Limits of an integer's value."""
    return Limits(least, most)


def items(least: int | None = None, most: int | None = None, *, no_nulls: bool = False, empty: bool = False) -> Limits:
    """Limits of a list's count."""
    return Limits(least, most, no_nulls=no_nulls, empty=empty)


def named(wire_name: str) -> Limits:
    """The wire name of a member whose name is not the PascalCase of its attribute."""
    return Limits(wire_name=wire_name)


class Kind(Enum):
    """What a member is on the wire."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    BLOB = "blob"
    STRUCTURE = "structure"
    LIST = "list"
    MAP = "map"


class Member(msgspec.Struct, frozen=True):
    """One member of a shape, as every codec reads it.

    ``path`` is the name in validation messages and audit lines (first letter lower, STS-V-004).  ``element`` describes
    the elements of a list or the values of a map, ``shape`` the type of a structure.  ``absent`` is the value of a
    member that was not sent, which is not sent either.
    """

    attribute: str
    wire_name: str
    path: str
    kind: Kind
    required: bool
    limits: Limits = _UNLIMITED
    element: Member | None = None
    shape: type[Shape] | None = None
    absent: Any = None


_ACRONYMS: Final = {"id": "Id", "arn": "Arn", "saml": "SAML", "mfa": "MFA"}
_SCALARS: Final[dict[Any, Kind]] = {
    str: Kind.TEXT,
    Secret: Kind.TEXT,
    int: Kind.INTEGER,
    bool: Kind.BOOLEAN,
    datetime.datetime: Kind.TIMESTAMP,
    bytes: Kind.BLOB,
}


def _wire_name(attribute: str) -> str:
    return "".join(_ACRONYMS.get(word, word[:1].upper() + word[1:]) for word in attribute.split("_"))


def _merge(limits: list[Limits]) -> Limits:
    merged: dict[str, Any] = {}
    for each in limits:
        # 0 is a limit, so absence is told by identity and never by truth.
        merged |= {
            name: value
            for name, value in msgspec.structs.asdict(each).items()
            if value is not None and value is not False and value != ()
        }
    return Limits(**merged) if merged else _UNLIMITED


def _member(attribute: str, hint: Any, required: bool, limits: list[Limits]) -> Member:
    while True:
        origin = typing.get_origin(hint)
        if origin is Annotated:
            hint, *notes = typing.get_args(hint)
            limits = [note for note in notes if isinstance(note, Limits)] + limits
        elif origin in (typing.Union, types.UnionType):
            (hint,) = (each for each in typing.get_args(hint) if each is not types.NoneType)
        else:
            break
    merged = _merge(limits)
    if hint is Secret:
        merged = msgspec.structs.replace(merged, secret=True)
    wire_name = merged.wire_name or _wire_name(attribute)
    path = wire_name[:1].lower() + wire_name[1:]
    if hint in _SCALARS:
        return Member(attribute, wire_name, path, _SCALARS[hint], required, merged)
    if origin is tuple:
        element = _member("member", typing.get_args(hint)[0], True, [])
        return Member(attribute, wire_name, path, Kind.LIST, required, merged, element)
    if origin is dict:
        element = _member("value", typing.get_args(hint)[1], True, [])
        return Member(attribute, wire_name, path, Kind.MAP, required, merged, element)
    if isinstance(hint, type) and issubclass(hint, Shape):
        return Member(attribute, wire_name, path, Kind.STRUCTURE, required, merged, None, hint)
    raise TypeError(f"member {attribute!r} has a type that does not travel: {hint!r}")


@functools.cache
def members(shape: type[Shape]) -> tuple[Member, ...]:
    """The members of a shape in declared order."""
    hints = typing.get_type_hints(shape, include_extras=True)
    declared = []
    for field in msgspec.structs.fields(shape):
        member = _member(field.name, hints[field.name], field.required, [])
        nothing = () if member.kind is Kind.LIST and not member.limits.empty else None
        absent = nothing if field.required else field.default
        declared.append(msgspec.structs.replace(member, absent=absent))
    return tuple(declared)


def travels(member: Member, value: Any) -> bool:
    """Whether a member's value is sent: what is absent is not, nor an empty list that means the same (STS-W-008)."""
    return value is not None and (value != () or member.absent != () or member.required)


class Service(msgspec.Struct, frozen=True):
    """A service and its protocol constants.

    ``echoes`` tells whether validation messages quote the offending value (STS does, IAM stopped: IAM-GEN-040).
    ``target`` begins ``X-Amz-Target`` for a service that speaks awsJson, and is empty for those that speak awsQuery.
    """

    name: str
    version: str
    namespace: str
    echoes: bool
    target: str = ""

    @property
    def event_source(self) -> str:
        """The service's name in audit lines."""
        return f"{self.name}.amazonaws.com"


class Target(msgspec.Struct, frozen=True):
    """The record that an operation is about.

    ``kind`` is the record's kind (``user``, ``role``, ``policy`` …) and ``member`` the attribute that names it, by
    name or, for kinds that travel as such, by ARN.  ``creates``: the record does not exist yet and its ARN follows
    from path and name.  ``or_caller``: without the member the caller's own user is meant (IAM-GEN-073).
    """

    kind: str
    member: str
    creates: bool = False
    or_caller: bool = False


class Authorization(msgspec.Struct, frozen=True):
    """Which permission an operation needs: the pipeline asks for it before any handler runs.

    ``resource`` is ``"*"``, an ARN with ``{partition}`` and ``{account}`` of the caller to fill in, or the
    :class:`Target` whose ARN the policies see; ``keys`` are the operation's own context
    keys beside the global ones; ``trust`` demands that the target's trust policy allows too (POL-EV-030).
    ``passes`` is the role that the call hands to a service, which takes iam:PassRole (POL-TR-020).
    """

    resource: Target | str = "*"
    keys: tuple[str, ...] = ()
    trust: bool = False
    passes: Target | None = None


class Operation(msgspec.Struct, frozen=True):
    """What one operation is called and what the pipeline does around it.

    ``authorization`` is None for the operations that nobody can be denied (STS-CALL-006); ``signed`` is False for
    the two that need no credentials (R43); ``read_only`` is CloudTrail's ``readOnly``; ``writes`` tells that the
    handler changes records.
    """

    service: Service
    name: str
    authorization: Authorization | None
    errors: tuple[type[ServiceException], ...] = ()
    signed: bool = True
    read_only: bool = True
    writes: bool = False

    @property
    def action(self) -> str:
        """The permission's name, for example ``sts:AssumeRole`` (POL-AC-008)."""
        return f"{self.service.name}:{self.name}"


Output = TypeVar("Output", bound=Shape)


class Command(Shape, Generic[Output]):
    """A call as a value: its type says which operation, its members say what is asked."""

    operation: ClassVar[Operation]

    @classmethod
    def output(cls) -> type[Shape]:
        """The type of the operation's answer."""
        for base in types.get_original_bases(cls) if sys.version_info >= (3, 12) else cls.__orig_bases__:  # type: ignore[attr-defined]
            if typing.get_origin(base) is Command:
                return typing.cast("type[Shape]", typing.get_args(base)[0])
        raise TypeError(f"{cls.__name__} does not say what it answers: derive it from Command[…Response]")


class Violation(NamedTuple):
    """One broken constraint: where, what the value looks like in a message (None: do not quote it), which rule.

    ``later``: reported alone, and only where nothing else is broken; ``constraint`` is then the whole message.
    ``told``: the possible values, as a service puts them that otherwise names none.
    """

    path: str
    shown: str | None
    constraint: str
    later: bool = False
    told: str = ""


_NOT_NULL: Final = "Member must not be null"
_PYTHON: Final[dict[Kind, tuple[tuple[type, ...], str]]] = {
    Kind.TEXT: ((str, Secret), "a text"),
    Kind.INTEGER: ((int,), "an integer"),
    Kind.BOOLEAN: ((bool,), "a boolean"),
    Kind.TIMESTAMP: ((datetime.datetime,), "a time"),
    Kind.BLOB: ((bytes,), "bytes"),
    Kind.LIST: ((tuple, list), "a tuple"),
    Kind.MAP: ((dict,), "a dict"),
}
"""What a member's value is in Python, and how that is called: decoders always keep to it, callers may not."""


def _mistyped(member: Member, value: Any) -> str | None:
    """The constraint that a value of another type breaks."""
    if member.kind is Kind.STRUCTURE:
        shape = typing.cast("type[Shape]", member.shape)
        return None if isinstance(value, shape) else f"Member must be a {shape.__name__}"
    expected, called = _PYTHON[member.kind]
    fits = isinstance(value, expected) and (member.kind is Kind.BOOLEAN or not isinstance(value, bool))
    return None if fits else f"Member must be {called}"


def _broken(value: Any, limits: Limits) -> list[str]:
    """The constraints that a text or an integer breaks: lengths first, then the pattern (STS-V-008)."""
    broken = []
    if isinstance(value, Secret):
        value = value.reveal()
    if isinstance(value, str):
        size, measure = len(value), "length"
    else:
        size, measure = value, "value"
    if limits.most is not None and size > limits.most:
        broken.append(f"Member must have {measure} less than or equal to {limits.most}")
    if limits.least is not None and size < limits.least:
        broken.append(f"Member must have {measure} greater than or equal to {limits.least}")
    if limits.pattern is not None and limits.misfit is None and limits.pattern.regex.fullmatch(value) is None:
        broken.append(f"Member must satisfy regular expression pattern: {limits.pattern.printed}")
    if limits.one_of and value not in limits.one_of:
        broken.append(f"Member must satisfy enum value set: [{', '.join(limits.one_of)}]")
    return broken


def _told(limits: Limits) -> str:
    return f": [{', '.join(limits.told)}]" if limits.told else ""


def _all_limits(limits: Limits) -> list[str]:
    """Every constraint of a list's elements, in the order in which AWS lists them (STS-V-006, IAM-GEN-043)."""
    stated = []
    if limits.most is not None:
        stated.append(f"Member must have length less than or equal to {limits.most}")
    if limits.least is not None:
        stated.append(f"Member must have length greater than or equal to {limits.least}")
    if limits.pattern is not None:
        stated.append(f"Member must satisfy regular expression pattern: {limits.pattern.printed}")
    if limits.one_of:
        stated.append(f"Member must satisfy enum value set: [{', '.join(limits.one_of)}]")
    return stated


def _shown(member: Member, value: Any) -> str:
    if value is None:
        return "null"
    if member.kind is Kind.LIST:
        return f"[{', '.join(_shown(typing.cast('Member', member.element), each) for each in value)}]"
    if member.kind is Kind.STRUCTURE:
        inside = ", ".join(
            f"{each.path}={_shown(each, getattr(value, each.attribute))}"
            for each in members(typing.cast("type[Shape]", member.shape))
        )
        return f"{type(value).__name__}({inside})"
    return str(value)


def _violations(member: Member, value: Any, path: str, found: list[Violation]) -> None:
    if value is None:
        if member.required:
            found.append(Violation(path, "null", _NOT_NULL))
        return
    mistyped = _mistyped(member, value)
    if mistyped is not None:
        found.append(Violation(path, None, mistyped))
        return
    kind = member.kind
    if kind is Kind.TEXT or kind is Kind.INTEGER:
        told = _told(member.limits)
        for broken in _broken(value, member.limits):
            found.append(Violation(path, None if member.limits.secret else f"'{value}'", broken, told=told))
        misfit, pattern = member.limits.misfit, member.limits.pattern
        if misfit is not None and pattern is not None and pattern.regex.fullmatch(value) is None:
            found.append(Violation(path, None, misfit.format(path), later=True))
    elif kind is Kind.LIST:
        _list_violations(member, value, path, found)
    elif kind is Kind.STRUCTURE:
        for each in members(typing.cast("type[Shape]", member.shape)):
            _violations(each, getattr(value, each.attribute), f"{path}.{each.path}", found)


def _list_violations(member: Member, value: tuple[Any, ...], path: str, found: list[Violation]) -> None:
    element = typing.cast("Member", member.element)
    if not value:
        if member.required and not member.limits.empty:
            found.append(Violation(path, "null", _NOT_NULL))
        return
    mistyped = [broken for each in value if each is not None and (broken := _mistyped(element, each)) is not None]
    limits = member.limits
    if (limits.most is not None and len(value) > limits.most) or (
        limits.least is not None and len(value) < limits.least
    ):
        bound = (
            f"less than or equal to {limits.most}"
            if limits.most is not None and len(value) > limits.most
            else f"greater than or equal to {limits.least}"
        )
        shown = None if mistyped else f"'{_shown(member, value)}'"
        found.append(Violation(path, shown, f"Member must have length {bound}"))
    if element.kind is Kind.STRUCTURE:
        for number, each in enumerate(value, 1):
            if each is None:
                _missing(element, f"{path}.{number}.member", found)
            else:
                _violations(element, each, f"{path}.{number}.member", found)
    elif mistyped:
        found.append(Violation(path, None, f"Member must satisfy constraint: [{mistyped[0]}]"))
    elif any(each is None or _broken(each, element.limits) for each in value):
        stated = [*_all_limits(element.limits), *([_NOT_NULL] if limits.no_nulls else [])] or [_NOT_NULL]
        found.append(
            Violation(
                path,
                f"'{_shown(member, value)}'",
                f"Member must satisfy constraint: [{', '.join(stated)}]",
                told=_told(element.limits),
            )
        )


def _missing(element: Member, path: str, found: list[Violation]) -> None:
    """A structure that a list lacks at a position counts as one without members (STS-W-011)."""
    required = [each for each in members(typing.cast("type[Shape]", element.shape)) if each.required]
    found += [Violation(f"{path}.{each.path}", "null", _NOT_NULL) for each in required] or [
        Violation(path, "null", _NOT_NULL)
    ]


def _place(path: str) -> tuple[int, ...]:
    """Where AWS reports what is broken at a path: as in a hash map of Java's, of 16 buckets for the members' names.

    No page says so, but it is the order of every answer recorded with several members in it (IAM-GEN-040).
    """
    place = []
    for part in path.split("."):
        hashed = 0
        for letter in part:
            hashed = (31 * hashed + ord(letter)) & 0xFFFFFFFF
        place.append(int(part) if part.isdecimal() else (hashed ^ hashed >> 16) % 16)
    return tuple(place)


def violations(value: Shape) -> list[Violation]:
    """Every broken constraint of a shape, in the order in which AWS reports them; empty where it is valid.

    A required member that a decoder left out is None here.  The two ends use the same function: the server on what it
    decoded, the client on what it is about to send.
    """
    found: list[Violation] = []
    shape: type[Shape] = type(value)
    for member in members(shape):
        _violations(member, getattr(value, member.attribute), member.path, found)
    return sorted(found, key=lambda each: _place(each.path))


_ENUM_VALUES: Final = re.compile(r"(?<=enum value set): \[[^]]*\]")


def refuse(found: list[Violation], service: Service, most: int | None = None) -> ValidationError:
    """The error that reports violations all at once, or the first ``most``, in the service's own style.

    See STS-V-001 and IAM-GEN-040.
    """
    first = [each for each in found if not each.later][:most]
    if not first:
        return ValidationError(found[0].constraint)
    details = []
    for path, shown, constraint, _, told in first:
        if service.echoes:
            value = f"Value {shown} at" if shown is not None else "Value at"
        else:
            value = "Value at"
            constraint = _ENUM_VALUES.sub(told, constraint)
        details.append(f"{value} '{path}' failed to satisfy constraint: {constraint}")
    plural = "error" if len(first) == 1 else "errors"
    return ValidationError(f"{len(first)} validation {plural} detected: {'; '.join(details)}")
