"""What the policy simulator tells beside a decision: the statements behind it, and the context keys that were missing.

The decisions themselves are :func:`~locum.policy.evaluate.decide`'s, and statements are matched by the tests that it
uses (R30), so that a simulation cannot differ from what a server enforces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from .addresses import parse_address
from .compile import CompiledPolicy, CompiledStatement, compile_policy, load
from .conditions import OPERATORS, Operator, readable
from .context import Context, key_of
from .document import Policy, PolicyKind, Statement
from .evaluate import Ask, Effect, Policies, decide
from .patterns import Variable, literal_template
from .positions import Position, locate

__all__ = [
    "BOUNDARY",
    "IDENTITY",
    "RESOURCE",
    "Given",
    "Match",
    "Outcome",
    "Source",
    "context_keys",
    "context_values",
    "missing_keys",
    "simulate",
]

IDENTITY: Final = "IAM Policy"
RESOURCE: Final = "Resource Policy"
BOUNDARY: Final = "Permissions Boundary Policy"
"""The types of policies in the simulator's words (IAM-SIM-003)."""

_EVERYTHING: Final = load('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}', PolicyKind.INLINE)
_SUBSTITUTING: Final = frozenset({"Bool", *(name for name in OPERATORS if name.startswith(("String", "Arn")))})
"""The operators whose values may hold variables (POL-CO-070)."""

_LIST: Final = "List"

_FITS: Final[dict[str, Callable[[str], bool]]] = {
    "string": lambda _: True,
    "numeric": lambda text: readable(Operator("NumericEquals"), text),
    "boolean": lambda _: True,
    "ip": lambda text: parse_address(text) is not None,
    "binary": lambda text: readable(Operator("BinaryEquals"), text),
    "date": lambda text: readable(Operator("DateEquals"), text),
}
"""Type of a context entry → whether a text is such a value; each has a list form too (POL-SM-006)."""
_EXPECTED: Final = {
    "numeric": "numeric format",
    "ip": "IP address",
    "binary": "base-64 encoded binary format",
    "date": "DateTime format",
}


class Source(msgspec.Struct, frozen=True):
    """A policy that takes part in a simulation, with the name and the type under which its statements are listed."""

    id: str
    type: str
    text: str
    policy: Policy
    compiled: CompiledPolicy

    @classmethod
    def of(cls, policy: Policy, text: str, kind: PolicyKind, id: str, type: str) -> Source:
        """A policy that was read from a text; PolicyError where it cannot be enforced as ``kind``."""
        return cls(id, type, text, policy, compile_policy(policy, kind, id))

    def spans(self) -> list[tuple[Position, Position]]:
        """Where the simulator says that each statement begins and ends (IAM-SIM-003).

        One begins where a reader stands who comes to it: behind the bracket of the list or behind the statement before,
        and behind its own brace where it is in no list.  It ends behind its closing brace.
        """
        places = locate(self.text)
        start = places.value("Statement").start + 1
        found = []
        for index in range(len(self.policy.statements)):
            end = places.statement(index).end
            found.append((places.position(start), places.position(end)))
            start = end
        return found


class Match(NamedTuple):
    """A statement behind a decision: its policy and its place from 0."""

    source: Source
    number: int


class Given(msgspec.Struct, frozen=True):
    """The policies of a simulation; ``scps`` are the levels from the organization's root to the caller's account."""

    identity: tuple[Source, ...] = ()
    boundary: Source | None = None
    resource: Source | None = None
    scps: tuple[tuple[CompiledPolicy, ...], ...] | None = None

    @property
    def policies(self) -> Policies:
        """As :func:`~locum.policy.decide` takes them."""
        return Policies(
            identity=tuple(source.compiled for source in self.identity),
            boundary=None if self.boundary is None else self.boundary.compiled,
            resource=None if self.resource is None else self.resource.compiled,
            scps=self.scps,
        )

    @property
    def sources(self) -> tuple[Source, ...]:
        """All that statements are listed of and context keys asked for: everything but service control policies."""
        return tuple(source for source in (self.resource, *self.identity, self.boundary) if source is not None)


class Outcome(NamedTuple):
    """One simulated decision.

    ``boundary_allows`` and ``organization_allows`` are None where there is no boundary and no service control policy.
    ``by_type`` tells of a request across accounts what each type of policy decided, unless an organization denies it.
    """

    effect: Effect
    matches: tuple[Match, ...]
    boundary_allows: bool | None
    organization_allows: bool | None
    by_type: dict[str, Effect] | None


def simulate(ask: Ask, given: Given) -> Outcome:
    """The decision about a request and what each kind of policy contributed to it."""
    decision = decide(ask, given.policies)
    within = msgspec.structs.replace(ask, resource_account=ask.principal.account)
    boundary = None if given.boundary is None else decide(within, Policies(identity=(given.boundary.compiled,)))
    organization = None
    if given.scps is not None:
        organization = decide(within, Policies(identity=(_EVERYTHING,), scps=given.scps)).allowed
    by_type = None
    if decision.cross_account and organization is not False:
        by_type = {IDENTITY: decide(within, Policies(identity=given.policies.identity)).effect}
        if given.resource is not None:
            by_type[RESOURCE] = decide(ask, Policies(identity=(_EVERYTHING,), resource=given.resource.compiled)).effect
        if boundary is not None:
            by_type[BOUNDARY] = boundary.effect
    return Outcome(
        decision.effect,
        () if organization is False else tuple(_matches(ask, given, decision.effect)),
        None if boundary is None else boundary.allowed,
        organization,
        by_type,
    )


def _matches(ask: Ask, given: Given, effect: Effect) -> Iterator[Match]:
    """The statements that deny, of a request that is denied, or that allow it; none where nothing allows it."""
    if effect is Effect.IMPLICIT_DENY:
        return
    denies = effect is Effect.EXPLICIT_DENY
    action = ask.action.lower()
    for source in given.sources:
        if source is given.boundary and not denies:
            continue
        candidates = source.compiled.candidates(action)
        concerns = _concerns(ask, given, source, denies=denies)
        for statement in candidates.denies if denies else candidates.allows:
            if concerns(statement) and (statement.applies is None or statement.applies(ask.resource, ask.context)):
                yield Match(source, statement.reference[0].index)


def _concerns(ask: Ask, given: Given, source: Source, *, denies: bool) -> Callable[[CompiledStatement], bool]:
    """Whether a statement is about the caller: those of a resource's policy name principals."""
    if source is not given.resource:
        return lambda _: True
    principal = ask.principal
    if denies:
        has_boundary = given.boundary is not None
        return lambda statement: statement.concerns(principal, has_boundary=has_boundary)
    names = frozenset((*principal.direct, *principal.limited, *principal.accounts))
    return lambda statement: statement.names is not None and not names.isdisjoint(statement.names)


def context_keys(policies: Iterable[Policy]) -> tuple[str, ...]:
    """The condition keys and variables of policies in order of appearance, each once as it is written first.

    Names differ only by more than case (POL-CO-005).  Variables count where they have a meaning: in documents of
    version 2012-10-17, in resources, and in values of operators that substitute them (IAM-SIM-007, POL-VR-002).
    """
    found: dict[str, str] = {}
    for policy in policies:
        for statement in policy.statements:
            for name in _keys_of(statement, variables=policy.has_variables, needed=False):
                found.setdefault(name.lower(), name)
    return tuple(found.values())


def _keys_of(statement: Statement, *, variables: bool, needed: bool) -> Iterator[str]:
    """The keys of a statement; of conditions only those that do not hold without their key, where it is ``needed``."""
    if variables:
        for resource in statement.resources or ():
            yield from _variables(resource)
    for condition in statement.conditions:
        if needed and _holds_without(condition.operator):
            continue
        yield condition.key
        if variables and condition.operator.base in _SUBSTITUTING:
            for value in condition.values:
                yield from _variables(value)


def _holds_without(operator: Operator) -> bool:
    if operator.quantifier == "ForAnyValue":
        return False
    return operator.negated or operator.if_exists or operator.base == "Null" or operator.quantifier == "ForAllValues"


def _variables(text: str) -> Iterator[str]:
    if "${" not in text:
        return
    for piece in literal_template(text, variables=True):
        if isinstance(piece, Variable):
            written = re.search(re.escape(f"${{{piece.key}"), text, re.IGNORECASE)
            yield piece.key if written is None else written[0][2:]


def missing_keys(sources: Iterable[Source], context: Context) -> tuple[str, ...]:
    """The context keys that policies need and a context lacks, but where a condition holds without (POL-SM-003)."""
    found: dict[str, str] = {}
    for policy in (source.policy for source in sources):
        for statement in policy.statements:
            for name in _keys_of(statement, variables=policy.has_variables, needed=True):
                found.setdefault(name.lower(), name)
    return tuple(name for key, name in found.items() if key not in context)


def context_values(name: str, type: str | None, values: Sequence[str]) -> str | tuple[str, ...]:
    """What a context holds for a simulated key: one text, or a tuple for lists and for keys known to hold several.

    ValueError, in AWS's words, where there is no type, values are no such type or there are several of a type that is
    no list.  What is no ``true`` is ``false`` among booleans.
    """
    kind = (type or "").removesuffix(_LIST)
    fits = _FITS.get(kind)
    if type is None or fits is None:
        raise ValueError(f"Context key {name} has invalid type {type or 'null'}.")
    listed = type.endswith(_LIST)
    if not values:
        raise ValueError(f"Context values for context key {name} cannot be null or empty.")
    if not listed and len(values) != 1:
        raise ValueError(f"Context key {type} expected a single value, but received {len(values)}.")
    for value in values:
        if not fits(value):
            raise ValueError(f"Invalid context value for key {name}: expected {_EXPECTED[kind]}.")
    if kind == "boolean":
        values = ["true" if value.lower() == "true" else "false" for value in values]
    if listed or len(values) != 1 or key_of(name).multivalued:
        return tuple(values)
    return values[0]
