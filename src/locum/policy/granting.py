"""Which services a policy's statements are about, by the prefixes of their actions.

Conditions, resources and the other layers are not looked at: the question is what somebody could be given the use of,
not what is allowed to whom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .document import Policy, Statement
from .patterns import any_of, text_template

__all__ = ["grants", "named_services"]

_ANY = frozenset("*?")


def grants(policies: Iterable[Policy], service: str) -> bool:
    """Whether the policies together give the use of any action of a service, named by its prefix in lower case.

    A statement that denies counts where it denies the whole service, everywhere and without a condition.
    """
    allowed = False
    for policy in policies:
        for statement in policy.statements:
            if statement.effect == "Allow":
                allowed = allowed or _reaches(statement, service)
            elif _everywhere(statement) and _covers(statement, service):
                return False
    return allowed


def named_services(policies: Iterable[Policy]) -> frozenset[str]:
    """The prefixes, in lower case, that statements which allow name without a wildcard."""
    return frozenset(
        prefix.lower()
        for policy in policies
        for statement in policy.statements
        if statement.effect == "Allow" and not statement.not_action
        for prefix, colon, _ in (action.partition(":") for action in statement.actions or ())
        if colon and _ANY.isdisjoint(prefix)
    )


def _everywhere(statement: Statement) -> bool:
    return not statement.conditions and not statement.not_resource and "*" in (statement.resources or ())


def _matches(pattern: str) -> Callable[[str], bool]:
    matcher = any_of([text_template(pattern.lower(), variables=False)])
    return lambda text: matcher is None or bool(matcher(text, {}))


def _whole(action: str, service: str) -> bool:
    """Whether an action's pattern is every action of a service."""
    prefix, colon, rest = action.partition(":")
    if not colon:
        return not action.strip("*")
    return bool(rest) and not rest.strip("*") and _matches(prefix)(service)


def _reaches(statement: Statement, service: str) -> bool:
    """Whether a statement is about any action of a service."""
    actions = statement.actions or ()
    if statement.not_action:
        return not any(_whole(action, service) for action in actions)
    return any(
        not action.strip("*") or (":" in action and _matches(action.partition(":")[0])(service)) for action in actions
    )


def _covers(statement: Statement, service: str) -> bool:
    """Whether a statement is about every action of a service."""
    actions = statement.actions or ()
    if statement.not_action:
        return not any(not action.strip("*") or _matches(action.partition(":")[0])(service) for action in actions)
    return any(_whole(action, service) for action in actions)
