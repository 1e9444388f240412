"""Policy documents: strict JSON of bounded size, read into typed statements.

Reading refuses what breaks the grammar (POL-GR-001…018) and keeps what only some kinds of policy refuse, so that
:mod:`locum.policy.validate` can answer with the message of the first kind of mistake (POL-VA-002) and the compiler
can refuse what nobody may evaluate.
"""

from __future__ import annotations

import enum
import re
from typing import Any, Final

import msgspec

from locum.wire.strict_json import JsonDepthError, JsonError, JsonStructureError, decode

from .conditions import Operator, parse_operator

__all__ = [
    "MAX_CHARACTERS",
    "MAX_DEPTH",
    "MAX_STATEMENTS",
    "Condition",
    "Policy",
    "PolicyError",
    "PolicyKind",
    "Principals",
    "Problem",
    "Statement",
    "counted_size",
    "parse",
]

MAX_CHARACTERS: Final = 131_072
"""Characters of a document (POL-GR-017)."""
MAX_DEPTH: Final = 8
"""Nested objects and lists; the grammar needs six."""
MAX_STATEMENTS: Final = 2_048
"""Statements of a document.  The number of strings is bounded by the document's size."""

_STRING: Final = r'"(?:[^"\\]|\\.)*+"'
_SPACE: Final = re.compile(rf"({_STRING})|[ \t\r\n]+", re.DOTALL)
_ELEMENTS: Final = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)
_PRINCIPAL_TYPES: Final = frozenset({"AWS", "Federated", "Service", "CanonicalUser"})


class PolicyKind(enum.Enum):
    """What a document is used as; it decides which elements it must and must not have (policy.md §1.2)."""

    MANAGED = "managed policy"
    INLINE = "inline policy"
    SESSION = "session policy"
    TRUST = "role trust policy"
    RESOURCE = "resource-based policy"
    SERVICE_CONTROL = "service control policy"
    RESOURCE_CONTROL = "resource control policy"


class Problem(enum.Enum):
    """What is wrong with a document, in kinds fine enough for every message that AWS has."""

    JSON = "not JSON"
    DEPTH = "nested too deep"
    SYNTAX = "not in the grammar"
    VERSION = "unknown version"
    NO_STATEMENTS = "no statements"
    NO_EFFECT = "no effect"
    UNKNOWN_EFFECT = "unknown effect"
    PRINCIPAL_NOT_OBJECT = "principal is not an object"
    NOT_ENFORCEABLE = "cannot be enforced"


class PolicyError(ValueError):
    """A document that cannot be read or enforced: the problem, where it is, and what was found there."""

    def __init__(self, problem: Problem, where: str = "", detail: str = "") -> None:
        super().__init__(": ".join(part for part in (where, detail or problem.value) if part))
        self.problem = problem
        self.where = where
        self.detail = detail


class Principals(msgspec.Struct, frozen=True, gc=False):
    """The value of ``Principal`` or ``NotPrincipal``; ``anyone`` stands for the bare string ``"*"``."""

    anyone: bool = False
    aws: tuple[str, ...] = ()
    federated: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    canonical: tuple[str, ...] = ()

    def is_empty(self) -> bool:
        """Whether it names nobody."""
        return not (self.anyone or self.aws or self.federated or self.service or self.canonical)


class Condition(msgspec.Struct, frozen=True):
    """One key of one operator, with the policy's values as text."""

    operator: Operator
    key: str
    values: tuple[str, ...]


class Statement(msgspec.Struct, frozen=True):
    """A statement as it was written.

    ``effect`` is ``Allow`` or ``Deny`` in the spelling of the document.  ``actions`` and ``resources`` are None where
    the element is absent; ``not_action``, ``not_resource`` and ``not_principal`` tell which of the two forms it was.
    """

    effect: str
    sid: str = ""
    principals: Principals | None = None
    not_principal: bool = False
    actions: tuple[str, ...] | None = None
    not_action: bool = False
    resources: tuple[str, ...] | None = None
    not_resource: bool = False
    conditions: tuple[Condition, ...] = ()


class Policy(msgspec.Struct, frozen=True):
    """A policy document.  ``version`` is empty where none is stated, which means 2008-10-17 (POL-GR-003)."""

    statements: tuple[Statement, ...]
    version: str = ""
    id: str = ""

    @property
    def has_variables(self) -> bool:
        """Whether ``${…}`` has a meaning in this document (POL-GR-004)."""
        return self.version == "2012-10-17"


class _Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


def parse(text: str) -> Policy:
    """Read a document; PolicyError where it is not one."""
    document = _decode(text)
    if not isinstance(document, dict):
        raise PolicyError(Problem.SYNTAX, "document", "is not an object")
    if unknown := document.keys() - {"Version", "Id", "Statement"}:
        raise PolicyError(Problem.SYNTAX, "document", f"has an unknown element {min(unknown)[:64]!r}")
    version = document.get("Version", "")
    if "Version" in document and (type(version) is not str or version not in ("2012-10-17", "2008-10-17")):
        raise PolicyError(Problem.VERSION, "Version")
    if "Statement" not in document:
        raise PolicyError(Problem.NO_STATEMENTS, "document")
    statements = document["Statement"]
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list):
        raise PolicyError(Problem.SYNTAX, "Statement", "is neither an object nor a list")
    if not statements:
        raise PolicyError(Problem.NO_STATEMENTS, "Statement")
    if len(statements) > MAX_STATEMENTS:
        raise PolicyError(Problem.SYNTAX, "Statement", f"has more than {MAX_STATEMENTS} statements")
    return Policy(
        statements=tuple(_statement(statement, f"Statement[{n}]") for n, statement in enumerate(statements)),
        version=version,
        id=_text(document.get("Id", ""), "Id"),
    )


def counted_size(text: str) -> int:
    """The characters of a document that count against a quota: white space outside strings does not (POL-LM-001)."""
    return len(_SPACE.sub(lambda match: match.group(1) or "", text))


def _decode(text: str) -> object:
    if len(text) > MAX_CHARACTERS:
        raise PolicyError(Problem.JSON, "document", f"is longer than {MAX_CHARACTERS} characters")
    try:
        return decode(text, depth=MAX_DEPTH, number=_Number)
    except JsonDepthError as error:
        raise PolicyError(Problem.DEPTH, "document", str(error).removeprefix("it ")) from None
    except JsonStructureError as error:
        raise PolicyError(Problem.SYNTAX, "document", str(error).removeprefix("it ")) from None
    except JsonError as error:
        raise PolicyError(Problem.JSON, "document", str(error).removeprefix("it is not JSON: ")) from None


def _text(value: object, where: str) -> str:
    if type(value) is not str:
        raise PolicyError(Problem.SYNTAX, where, "is not a string")
    return value


def _texts(value: object, where: str) -> tuple[str, ...]:
    if type(value) is str:
        return (value,)
    if not isinstance(value, list):
        raise PolicyError(Problem.SYNTAX, where, "is neither a string nor a list")
    return tuple(_text(member, where) for member in value)


def _statement(members: object, where: str) -> Statement:
    if not isinstance(members, dict):
        raise PolicyError(Problem.SYNTAX, where, "is not an object")
    if unknown := members.keys() - _ELEMENTS:
        raise PolicyError(Problem.SYNTAX, where, f"has an unknown element {min(unknown)[:64]!r}")
    if "Effect" not in members:
        raise PolicyError(Problem.NO_EFFECT, where)
    effect = _text(members["Effect"], f"{where}.Effect")
    if effect.lower() not in ("allow", "deny"):
        raise PolicyError(Problem.UNKNOWN_EFFECT, f"{where}.Effect", effect[:64])
    for element in ("Principal", "Action", "Resource"):
        if element in members and f"Not{element}" in members:
            raise PolicyError(Problem.SYNTAX, where, f"has both {element} and Not{element}")
    not_principal, not_action, not_resource = (
        "NotPrincipal" in members,
        "NotAction" in members,
        "NotResource" in members,
    )
    named = members.get("NotPrincipal") if not_principal else members.get("Principal")
    return Statement(
        effect=effect,
        sid=_text(members.get("Sid", ""), f"{where}.Sid"),
        principals=_principals(named, where) if not_principal or "Principal" in members else None,
        not_principal=not_principal,
        actions=_listed(members, "NotAction" if not_action else "Action", where),
        not_action=not_action,
        resources=_listed(members, "NotResource" if not_resource else "Resource", where),
        not_resource=not_resource,
        conditions=_conditions(members.get("Condition", {}), f"{where}.Condition"),
    )


def _listed(members: dict[str, Any], element: str, where: str) -> tuple[str, ...] | None:
    return _texts(members[element], f"{where}.{element}") if element in members else None


def _principals(value: object, where: str) -> Principals:
    where += ".Principal"
    if value == "*":
        return Principals(anyone=True)
    if not isinstance(value, dict):
        raise PolicyError(Problem.PRINCIPAL_NOT_OBJECT, where)
    if unknown := value.keys() - _PRINCIPAL_TYPES:
        raise PolicyError(Problem.SYNTAX, where, f"has an unknown type {min(unknown)[:64]!r}")
    return Principals(
        aws=_texts(value.get("AWS", []), f"{where}.AWS"),
        federated=_texts(value.get("Federated", []), f"{where}.Federated"),
        service=_texts(value.get("Service", []), f"{where}.Service"),
        canonical=_texts(value.get("CanonicalUser", []), f"{where}.CanonicalUser"),
    )


def _conditions(value: object, where: str) -> tuple[Condition, ...]:
    if not isinstance(value, dict):
        raise PolicyError(Problem.SYNTAX, where, "is not an object")
    conditions: list[Condition] = []
    for name, keys in value.items():
        if not isinstance(keys, dict):
            raise PolicyError(Problem.SYNTAX, f"{where}.{name[:64]}", "is not an object")
        operator = parse_operator(name)
        if operator is None:
            if keys:
                raise PolicyError(Problem.SYNTAX, where, f"has an unknown operator {name[:64]!r}")
            continue
        conditions += [Condition(operator, key, _values(values, f"{where}.{name}")) for key, values in keys.items()]
    return tuple(conditions)


def _values(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(_scalar(member, where) for member in value)
    return (_scalar(value, where),)


def _scalar(value: object, where: str) -> str:
    """A condition value as text: unquoted numbers and booleans mean the same as their text (POL-GR-016)."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return str(value)
    raise PolicyError(Problem.SYNTAX, where, "is not a string, a number or a boolean")
