"""Policy documents written from their values: the way back from :func:`locum.policy.parse`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from .conditions import Operator
from .document import Condition, Policy, PolicyError, Principals, Problem, Statement, parse

__all__ = ["render_policy"]


def render_policy(policy: Policy) -> str:
    """A document that :func:`parse` reads as the same policy: JSON without white space, elements in AWS's order.

    One string stands for a list of one, and what is empty where that means the same is left out.  Two conditions with
    the same operator and key, which both must hold, need the operator twice: the second is spelled in another case
    (POL-CO-009).  PolicyError for a value that no document holds, such as one that was put together by hand with an
    unknown effect, and for one whose document would be longer than :data:`MAX_CHARACTERS`.
    """
    document: dict[str, Any] = {}
    if policy.version:
        document["Version"] = policy.version
    if policy.id:
        document["Id"] = policy.id
    document["Statement"] = [_statement(statement) for statement in policy.statements]
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    if parse(text) != policy:
        raise PolicyError(Problem.SYNTAX, "document", "has a value that no text is read as")
    return text


def _statement(statement: Statement) -> dict[str, Any]:
    members: dict[str, Any] = {}
    if statement.sid:
        members["Sid"] = statement.sid
    members["Effect"] = statement.effect
    if statement.principals is not None:
        members["NotPrincipal" if statement.not_principal else "Principal"] = _principals(statement.principals)
    if statement.actions is not None:
        members["NotAction" if statement.not_action else "Action"] = _listed(statement.actions)
    if statement.resources is not None:
        members["NotResource" if statement.not_resource else "Resource"] = _listed(statement.resources)
    if statement.conditions:
        members["Condition"] = _conditions(statement.conditions)
    return members


def _principals(named: Principals) -> str | dict[str, Any]:
    if named.anyone:
        return "*"
    by_type = {
        "AWS": named.aws,
        "Federated": named.federated,
        "Service": named.service,
        "CanonicalUser": named.canonical,
    }
    return {type: _listed(names) for type, names in by_type.items() if names}


def _listed(values: tuple[str, ...]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


def _conditions(conditions: Iterable[Condition]) -> dict[str, dict[str, Any]]:
    """Conditions in their order: a new block begins where the operator changes or its key is there already."""
    blocks: dict[str, dict[str, Any]] = {}
    used: Counter[Operator] = Counter()
    current: Operator | None = None
    block: dict[str, Any] = {}
    for condition in conditions:
        if condition.operator != current or condition.key in block:
            current = condition.operator
            block = blocks[_spelling(current, used[current])] = {}
            used[current] += 1
        block[condition.key] = _listed(condition.values)
    return blocks


def _spelling(operator: Operator, number: int) -> str:
    """The operator's name in the mixture of cases of that number, 0 being the usual one."""
    try:
        name = str(operator)
    except KeyError:
        raise PolicyError(Problem.SYNTAX, "Condition", f"nothing negates the operator {operator.base[:64]!r}") from None
    spelled = ""
    for character in name:
        if character.isalpha():
            number, swaps = divmod(number, 2)
            character = character.swapcase() if swaps else character
        spelled += character
    if number:
        raise PolicyError(Problem.SYNTAX, "Condition", f"has {name} more often than it can be spelled")
    return spelled
