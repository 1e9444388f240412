"""What an encoded authorization message says: a decision in the layout of AWS's decoded messages (STS-DAM-005)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from .evaluate import Effect, Layer
from .explanation import Asked, Explanation, StatementReport

__all__ = ["MAX_MESSAGE", "authorization_message"]

MAX_MESSAGE: Final = 7_168
"""Bytes of a message as compact JSON in UTF-8: sealed and in base64 it stays below 10,240 characters (STS-DAM-002)."""

_CALLERS_OWN: Final = frozenset({Layer.IDENTITY, Layer.BOUNDARY, Layer.SESSION, Layer.SERVICE_CONTROL})


def authorization_message(explanation: Explanation) -> dict[str, Any]:
    """The document, with the members and their order of STS-DAM-005…010, for the account of the caller.

    An explicit deny lists the Deny statements that apply, an allowed request those that allowed, an implicit deny none
    (STS-DAM-008).  Across accounts what the resource's side said is left out, as it is in the texts of denials
    (POL-MSG-008).  Where the document would be longer than MAX_MESSAGE, first the values of context keys and then
    statements are left out from the end of their lists.
    """
    seen = explanation.seen_from(explanation.asked.account)
    decision, asked = seen.decision, seen.asked
    statements = [] if decision.effect is Effect.IMPLICIT_DENY else _statements(seen)
    conditions = [{"key": entry.key, "values": _values(entry.values)} for entry in asked.context]
    message: dict[str, Any] = {
        "allowed": decision.allowed,
        "explicitDeny": decision.effect is Effect.EXPLICIT_DENY,
        "matchedStatements": _items(statements),
        "failures": _items(()),
        "context": {
            "principal": _principal(asked),
            "action": asked.action,
            "resource": asked.resource,
            "conditions": _items(conditions),
        },
    }
    excess = _size(message) - MAX_MESSAGE
    for items in (message["context"]["conditions"]["items"], message["matchedStatements"]["items"]):
        while excess > 0 and items:
            excess -= _size(items.pop()) + 1
    return message


def _items(values: Iterable[Any]) -> dict[str, list[Any]]:
    return {"items": list(values)}


def _values(values: Iterable[str]) -> dict[str, list[Any]]:
    return _items({"value": value} for value in values)


def _size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace"))


def _principal(asked: Asked) -> dict[str, str]:
    principal = {"id": asked.id}
    if asked.name:
        principal["name"] = asked.name
    if asked.arn:
        principal["arn"] = asked.arn
    return principal


def _statements(explanation: Explanation) -> list[dict[str, Any]]:
    decision = explanation.decision
    denied = decision.effect is Effect.EXPLICIT_DENY
    decisive: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for layer in explanation.layers:
        for policy in layer.policies:
            for statement in policy.matched:
                decides = layer.layer is decision.layer and any(
                    (reference.policy, reference.index) == (policy.name, statement.index)
                    for reference in decision.statements
                )
                if decides:
                    decisive.append(_statement(statement, explanation.asked))
                elif denied and statement.effect == "Deny":
                    others.append(_statement(statement, explanation.asked))
    return decisive + others


def _statement(statement: StatementReport, asked: Asked) -> dict[str, Any]:
    """One matched statement; ``NotAction`` and its like have no member of their own in the layout (STS-DAM-010)."""
    written = {check.element: check.wanted for check in statement.checks}
    principals = [name.rpartition(": ")[2] for name in written.get("Principal", ())]
    if not {"Principal", "NotPrincipal"} & written.keys():
        principals = [asked.unique_id or asked.account or asked.id]
    return {
        "statementId": statement.sid,
        "effect": statement.effect.upper(),
        "principals": _values(principals),
        "principalGroups": _items(()),
        "actions": _values(written.get("Action", ())),
        "resources": _values(written.get("Resource", ())),
        "conditions": _items(
            {"key": check.key, "values": _values(check.wanted)}
            for check in statement.checks
            if check.element == "Condition"
        ),
    }
