"""Which services a policy's statements are about, by the prefixes of their actions.

Conditions and the other layers are not looked at, and of resources only whose they are: the question is what somebody
could be given the use of, not what is allowed to whom.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator

from .document import Policy, Statement
from .patterns import any_of, text_template

__all__ = ["grants", "named_services", "usable"]

_ANY = frozenset("*?")
_MOST_PAIRS = 50
_OWN_ARNS = {
    "iam": frozenset({"iam"}),
    "organizations": frozenset({"organizations"}),
    "sts": frozenset({"iam", "sts"}),
}
"""Service → the services of the ARNs that its actions are about; of others it is known that IAM's are not."""


def grants(policies: Iterable[Policy], service: str) -> bool:
    """Whether the policies together give the use of any action of a service, named by its prefix in lower case.

    A statement that denies counts where it denies the whole service, everywhere and without a condition.
    """
    allowed = False
    for policy in policies:
        for statement in policy.statements:
            if statement.effect == "Allow":
                allowed = allowed or (_reaches(statement, service) and any(_targets(statement, service)))
            elif _everywhere(statement) and _covers(statement, service):
                return False
    return allowed


def usable(policies: Iterable[Policy], service: str, action: str = "") -> bool:
    """Whether the policies together leave the use of any action of a service, or of one by its name.

    A statement that denies counts without a condition, and on the very resources that are allowed or on more.  No
    more than some pairs of an action and a resource are looked at: what is left then counts as usable.
    """
    statements = [each for policy in policies for each in policy.statements]
    denials = [
        each for each in statements if each.effect != "Allow" and not each.conditions and _reaches(each, service)
    ]
    pairs = (
        (asked, resource)
        for statement in statements
        if statement.effect == "Allow"
        for asked in _asked(statement, service, action)
        for resource in _targets(statement, service)
    )
    for number, (asked, resource) in enumerate(pairs):
        if number == _MOST_PAIRS or not any(_denies(each, asked, resource) for each in denials):
            return True
    return False


def _asked(statement: Statement, service: str, action: str) -> Iterator[str]:
    """The actions of a service, or the one, that a statement is about; its patterns where it has some."""
    actions = statement.actions or ()
    if action:
        name = f"{service}:{action}".lower()
        if any(_matches(each)(name) for each in actions) is not statement.not_action:
            yield name
    elif statement.not_action:
        if _reaches(statement, service):
            yield f"{service}:*"
    else:
        for each in actions:
            prefix, colon, rest = each.lower().partition(":")
            if not colon and not each.strip("*"):
                yield f"{service}:*"
            elif colon and _matches(prefix)(service):
                yield f"{service}:{rest}"


def _targets(statement: Statement, service: str) -> Iterator[str]:
    """The resources of a statement that a service's actions could be about; ``*`` for all but some."""
    resources = statement.resources or ()
    if statement.not_resource:
        if "*" not in resources:
            yield "*"
        return
    for resource in resources:
        parts = resource.split(":", 3)
        owner = parts[2] if len(parts) > 3 else "*"
        own = _OWN_ARNS.get(service)
        if not _ANY.isdisjoint(owner) or (owner != "iam" if own is None else owner in own):
            yield resource


def _denies(statement: Statement, action: str, resource: str) -> bool:
    """Whether a statement denies an action, or every one that fits a pattern, on a resource or all that fit it."""
    if any(_matches(each)(action) for each in statement.actions or ()) is statement.not_action:
        return False
    if statement.not_resource:
        return False
    return any(each == "*" or _matches(each)(resource.lower()) for each in statement.resources or ())


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


@functools.lru_cache(maxsize=4_096)
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
