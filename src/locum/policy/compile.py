"""Compiled policies: documents turned into what a decision can test quickly.

Everything that does not depend on a request is settled here: patterns become look-ups and regular expressions,
conditions become functions, and the statements that can concern an action are picked out once per action.  A Deny is
compiled so that open points make it apply, an Allow so that they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec

from .conditions import Test, compile_condition
from .context import Context
from .document import Policy, PolicyError, PolicyKind, Problem, Statement, parse
from .patterns import any_of, match_actions, resource_template
from .principals import Principal, names_of, spares

__all__ = [
    "CompiledPolicy",
    "CompiledStatement",
    "Elements",
    "StatementRef",
    "compile_policy",
    "elements_of",
    "load",
    "resource_test",
]

_ACTIONS_PER_POLICY: Final = 512
"""How many actions a policy remembers its statements for; further ones are looked up anew."""

Applies: TypeAlias = Callable[[str, Context], bool]
"""Whether a statement's resource and conditions fit a resource and a context."""


class StatementRef(msgspec.Struct, frozen=True, gc=False):
    """Which statement decided: the policy's name, the statement's Sid and its place from 0 (-1: the whole policy)."""

    policy: str
    sid: str
    index: int


class CompiledStatement(msgspec.Struct, frozen=True, eq=False):
    """A statement; ``applies`` is None where neither resource nor context matter, ``names`` where principals don't."""

    deny: bool
    reference: tuple[StatementRef]
    action: Callable[[str], bool]
    applies: Applies | None
    names: frozenset[str] | None = None
    not_principal: bool = False

    def concerns(self, principal: Principal, *, has_boundary: bool) -> bool:
        """Whether a caller is one of the principals of a Deny (POL-PR-030…032)."""
        names = self.names
        if names is None:
            return True
        if self.not_principal:
            return has_boundary or not spares(names, principal)
        return not (
            names.isdisjoint(principal.direct)
            and names.isdisjoint(principal.accounts)
            and names.isdisjoint(principal.limited)
        )


class Candidates(NamedTuple):
    """The statements that can concern an action; ``grants`` finds the Allow statements by a principal's name."""

    denies: tuple[CompiledStatement, ...]
    allows: tuple[CompiledStatement, ...]
    grants: dict[str, tuple[CompiledStatement, ...]]


class Elements(NamedTuple):
    """The tests of a statement one by one; ``resource`` is None where every resource fits."""

    action: Callable[[str], bool]
    resource: Applies | None
    conditions: tuple[Test, ...]


class CompiledPolicy(msgspec.Struct, frozen=True, eq=False):
    """A policy ready for decisions.  ``problem`` tells why it could not be read; then it denies everything (R28).

    ``source`` and ``kind`` are what it was compiled from, for explanations; None where it could not be read.
    """

    name: str
    statements: tuple[CompiledStatement, ...]
    problem: str = ""
    source: Policy | None = None
    kind: PolicyKind | None = None
    _by_action: dict[str, Candidates] = msgspec.field(default_factory=dict)

    def candidates(self, action: str) -> Candidates:
        """The statements that can concern an action, which is given in lower case."""
        known = self._by_action.get(action)
        if known is not None:
            return known
        denies: list[CompiledStatement] = []
        allows: list[CompiledStatement] = []
        grants: dict[str, tuple[CompiledStatement, ...]] = {}
        for statement in self.statements:
            if not statement.action(action):
                continue
            if statement.deny:
                denies.append(statement)
                continue
            allows.append(statement)
            for name in statement.names or ():
                grants[name] = (*grants.get(name, ()), statement)
        picked = Candidates(tuple(denies), tuple(allows), grants)
        if len(self._by_action) < _ACTIONS_PER_POLICY:
            self._by_action[action] = picked
        return picked


def load(text: str, kind: PolicyKind, name: str = "") -> CompiledPolicy:
    """A stored document for evaluation; one that cannot be read denies whatever it is asked about (R28)."""
    try:
        return compile_policy(parse(text), kind, name)
    except PolicyError as error:
        return _denying(name, str(error))


def _denying(name: str, problem: str) -> CompiledPolicy:
    everything = CompiledStatement(True, (StatementRef(name, "", -1),), lambda _: True, None)
    return CompiledPolicy(name, (everything,), problem)


def compile_policy(policy: Policy, kind: PolicyKind, name: str = "") -> CompiledPolicy:
    """Compile a document that is used as ``kind``; PolicyError where it holds what cannot be enforced."""
    return CompiledPolicy(
        name,
        tuple(
            _statement(statement, policy, kind, StatementRef(name, statement.sid, index))
            for index, statement in enumerate(policy.statements)
        ),
        source=policy,
        kind=kind,
    )


def _statement(statement: Statement, policy: Policy, kind: PolicyKind, reference: StatementRef) -> CompiledStatement:
    where = f"Statement[{reference.index}]"
    if statement.effect not in ("Allow", "Deny"):
        raise PolicyError(Problem.UNKNOWN_EFFECT, f"{where}.Effect", statement.effect)
    deny = statement.effect == "Deny"
    if not statement.actions:
        raise PolicyError(Problem.NOT_ENFORCEABLE, where, "has no actions")
    _check_elements(statement, kind, where, deny=deny)
    try:
        elements = elements_of(statement, variables=policy.has_variables)
    except ValueError as error:
        raise PolicyError(Problem.NOT_ENFORCEABLE, f"{where}.Condition", str(error)) from None
    return CompiledStatement(
        deny=deny,
        reference=(reference,),
        action=elements.action,
        applies=_applies(elements),
        names=None if statement.principals is None else names_of(statement.principals, deny=deny),
        not_principal=statement.not_principal,
    )


def elements_of(statement: Statement, *, variables: bool) -> Elements:
    """The tests that a statement is made of; ValueError where a condition's value cannot be compared."""
    deny = statement.effect == "Deny"
    matches = match_actions(statement.actions or (), generous=deny is not statement.not_action)
    return Elements(
        (lambda action: not matches(action)) if statement.not_action else matches,
        resource_test(statement, variables=variables),
        tuple(
            compile_condition(condition.operator, condition.key, condition.values, variables=variables, generous=deny)
            for condition in statement.conditions
        ),
    )


def _check_elements(statement: Statement, kind: PolicyKind, where: str, *, deny: bool) -> None:
    """Refuse the elements that a kind of policy must not have, and the lack of those that it must (POL-GR-019)."""
    named = statement.principals
    if kind in (PolicyKind.TRUST, PolicyKind.RESOURCE, PolicyKind.RESOURCE_CONTROL):
        if named is None or named.is_empty():
            raise PolicyError(Problem.NOT_ENFORCEABLE, where, "names no principal")
        others = (*(name for name in named.aws if name != "*"), *named.service, *named.federated)
        if named.canonical or any("*" in name or "?" in name for name in others):
            raise PolicyError(Problem.NOT_ENFORCEABLE, where, "names a principal that no caller can be")
        if statement.not_principal and (not deny or kind is not PolicyKind.RESOURCE):
            raise PolicyError(Problem.NOT_ENFORCEABLE, where, "has a NotPrincipal")
    elif named is not None:
        raise PolicyError(Problem.NOT_ENFORCEABLE, where, "names a principal")
    if kind is PolicyKind.TRUST:
        if statement.resources is not None:
            raise PolicyError(Problem.NOT_ENFORCEABLE, where, "names a resource")
    elif not statement.resources and (kind is not PolicyKind.RESOURCE or statement.resources is not None):
        raise PolicyError(Problem.NOT_ENFORCEABLE, where, "names no resource")
    if kind is PolicyKind.RESOURCE_CONTROL and not deny:
        raise PolicyError(Problem.NOT_ENFORCEABLE, where, "allows in a resource control policy")


def _applies(elements: Elements) -> Applies | None:
    fits, conditions = elements.resource, elements.conditions
    if fits is None:
        return _conditions_only(conditions)
    if not conditions:
        return fits

    def applies(resource: str, context: Context) -> bool:
        if not fits(resource, context):
            return False
        for condition in conditions:
            if not condition(context):
                break
        else:
            return True
        return False

    return applies


def resource_test(statement: Statement, *, variables: bool) -> Applies | None:
    """Whether a resource is one of the statement's; None where every resource is."""
    if statement.resources is None:
        return None
    generous = (statement.effect == "Deny") is not statement.not_resource
    templates = [
        resource_template(resource, variables=variables, generous=generous) for resource in statement.resources
    ]
    matches = any_of(template for template in templates if template is not None)
    if not statement.not_resource:
        return matches
    if matches is None:
        return lambda _resource, _context: False
    return lambda resource, context: not matches(resource, context)


def _conditions_only(conditions: Sequence[Test]) -> Applies | None:
    if not conditions:
        return None
    if len(conditions) == 1:
        (only,) = conditions
        return lambda _resource, context: only(context)

    def applies(_resource: str, context: Context) -> bool:
        for condition in conditions:
            if not condition(context):
                break
        else:
            return True
        return False

    return applies
