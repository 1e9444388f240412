"""Why an element of a statement did not fit, or fitted by surprise: the classic mistakes in plain words.

Where a hint says what would have matched, that was tried with the functions that the compiler uses.  None of this is
needed for a decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from .. import arn as arns
from .addresses import parse_address
from .compile import resource_test
from .conditions import OPERATORS, Operator, Reading, Test, readable
from .context import Context
from .document import Condition, Principals, Statement
from .patterns import Variable, Wild, any_of, match_actions, substitute, text_template
from .principals import Principal, PrincipalKind

__all__ = [
    "ABSENT_HOLDS",
    "ONLY_CASE",
    "SEVERAL_VALUES",
    "action_hint",
    "condition_hint",
    "described",
    "principal_hint",
    "resolved",
    "resource_hint",
    "unresolved",
]

ABSENT_HOLDS: Final = "the key is absent: a negated operator matches then"
ONLY_CASE: Final = "the values differ only by case"
SEVERAL_VALUES: Final = "the key holds several values: compare them with ForAnyValue or ForAllValues"
_NOT_EXPANDED: Final = "variables are literal text: the document's Version is not 2012-10-17"
_Covers: TypeAlias = Callable[[str], bool]
"""Whether a pattern would cover the resource or value in question."""

_PARTS: Final = ("prefix", "partition", "service", "region", "account", "resource")
_COMPARED: Final = 24
"""How many values of a list are tried for the one that came closest."""
_BEGINNING: Final = 64
"""Characters by which those are chosen from a longer list."""


def resolved(text: str, context: Context) -> str:
    """A policy's text with the variables that have a value; the others stay as they are."""
    if "${" not in text:
        return text
    pieces: list[str] = []
    for piece in text_template(text, variables=True):
        if isinstance(piece, Variable):
            value = substitute((piece,), context)
            pieces.append(_written(piece) if value is None else str(value[0]))
        else:
            pieces.append(piece.value[0] if isinstance(piece, Wild) else piece)
    return "".join(pieces)


def _written(variable: Variable) -> str:
    return f"${{{variable.key}}}" if variable.default is None else f"${{{variable.key}, '{variable.default}'}}"


def unresolved(text: str, context: Context) -> str:
    """The first variable of a policy's text that the request has no value for, as it is written, or nothing."""
    if "${" not in text:
        return ""
    for piece in text_template(text, variables=True):
        if isinstance(piece, Variable) and substitute((piece,), context) is None:
            return _written(piece)
    return ""


def _likeliest(values: Sequence[str], given: str) -> Sequence[str]:
    """Those of many values that are worth a closer look: the ones that begin most like the request's."""
    if len(values) <= _COMPARED:
        return values
    wanted = given[:_BEGINNING].lower()

    def alike(value: str) -> int:
        pairs = zip(value[:_BEGINNING].lower(), wanted, strict=False)
        return next((n for n, (theirs, ours) in enumerate(pairs) if theirs != ours), _BEGINNING)

    return sorted(values, key=alike, reverse=True)[:_COMPARED]


def described(values: Sequence[str], *, last: str = "or") -> str:
    """A few values in a sentence: ``a, b or c``, ``a, b or 7 more``."""
    shown = list(values[:3])
    if len(values) > 3:
        shown[2:] = [f"{len(values) - 2} more"]
    return f" {last} ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


# --- principals


def principal_hint(named: Principals, principal: Principal, *, negated: bool, held: bool) -> str:
    """Why a ``Principal`` does not name the caller, or why a ``NotPrincipal`` does not spare it."""
    if held:
        return "NotPrincipal spares a caller only if it names both the caller and its account" if negated else ""
    if negated:
        return "NotPrincipal names the caller"
    kind = principal.kind
    if kind is PrincipalKind.SERVICE:
        return f"names {_listed_others(named)}, the caller is the service {principal.name}"
    if kind in (PrincipalKind.WEB_IDENTITY, PrincipalKind.SAML):
        if named.anyone or "*" in named.aws:
            return "* does not stand for the bearer of a provider's token: name the provider as Federated"
        return f"names {_listed_others(named)}, the caller was vouched for by {principal.name}"
    if kind is PrincipalKind.ANONYMOUS:
        return "the caller is anonymous, whom only * names"
    if not named.aws:
        return f"names {_listed_others(named)}, the caller is of account {principal.account}"
    return _aws_hint(named, principal)


def _listed_others(named: Principals) -> str:
    names = (*named.service, *named.federated, *(_account_or_name(name) for name in named.aws))
    return described(names, last="and") if names else "nobody"


def _account_or_name(name: str) -> str:
    account = _account_of(name)
    return f"account {account}" if account and (name == account or name.endswith(":root")) else name


def _account_of(name: str) -> str:
    if arns.is_account_id(name):
        return name
    parts = name.split(":", 5)
    return parts[4] if len(parts) == 6 else ""


def _aws_hint(named: Principals, principal: Principal) -> str:
    own = tuple(name for name in (principal.role_arn, principal.arn, *principal.limited) if name)
    lowered = {name.lower() for name in own}
    if any(name.lower() in lowered for name in named.aws):
        return ONLY_CASE
    for name in named.aws:
        unique_id = principal.unique_id
        if arns.is_unique_id(name) and name[:4] == unique_id[:4]:
            return (
                f"names the unique id {name}, the caller's is {unique_id}: an entity that is made anew is another one"
            )
    accounts = tuple(dict.fromkeys(account for name in named.aws if (account := _account_of(name))))
    if accounts and principal.account not in accounts:
        plural = "s" if len(accounts) > 1 else ""
        return f"names account{plural} {described(accounts, last='and')}, the caller is of account {principal.account}"
    for name in named.aws:
        for mine in own:
            if name.count(":") >= 5 and _kind_and_name(name) == _kind_and_name(mine):
                return f"the paths differ: {name} in the policy, {mine} in the request"
    return f"names {_listed_others(named)}, the caller is {own[0] if own else principal.account}"


def _kind_and_name(text: str) -> tuple[str, str, str]:
    head, _, resource = text.rpartition(":")
    return head, resource.partition("/")[0], resource.rpartition("/")[2]


# --- actions and resources


def action_hint(statement: Statement, action: str, *, held: bool) -> str:
    """Why an ``Action`` does not name the action asked for, or what a ``NotAction`` does with it."""
    actions = statement.actions or ()
    if statement.not_action:
        if held:
            return "NotAction: the statement is about every action that it does not list"
        listing = next((each for each in actions if match_actions([each], generous=True)(action.lower())), "")
        return f"NotAction leaves it out: {listing} covers {action}"
    if held:
        return ""
    vendor = action.lower().partition(":")[0]
    for each in _likeliest(actions, action):
        theirs, colon, named = each.partition(":")
        if match_actions([each], generous=True)(action.lower()):
            return f"{each} allows nothing: {'the service has a wildcard' if colon else 'it names no service'}"
        if named.strip("*") and match_actions([f"{vendor}:{named}"], generous=True)(action.lower()):
            return f"the services differ: {theirs} in the policy, {action.partition(':')[0]} in the request"
    return ""


def resource_hint(statement: Statement, resource: str, context: Context, *, variables: bool, held: bool) -> str:
    """Why a ``Resource`` does not cover the resource asked for, or what a ``NotResource`` does with it."""
    patterns = statement.resources or ()
    if statement.not_resource:
        if held:
            return "NotResource: the statement is about every resource that it does not list"
        return "NotResource leaves it out"
    if held:
        return ""
    if resource == "*":
        return "the action is asked for without a resource, which only Resource * covers"
    best = (99, "")
    for pattern in _likeliest(patterns, resource):
        best = min(
            best, _resource_difference(statement, pattern, resource, context, variables), key=lambda found: found[0]
        )
    return best[1]


def _resource_difference(
    statement: Statement, pattern: str, resource: str, context: Context, variables: bool
) -> tuple[int, str]:
    if "${" in pattern:
        if not variables:
            return 6, _NOT_EXPANDED
        if missing := unresolved(pattern, context):
            return 6, f"{missing} has no value in this request, so the pattern matches nothing"
        pattern = resolved(pattern, context)

    def covered(by: str) -> bool:
        trial = Statement(statement.effect, resources=(by,))
        test = resource_test(trial, variables=False)
        return test is None or test(resource, context)

    return _arn_difference(pattern, resource, covered)


def _arn_difference(pattern: str, value: str, covered: _Covers) -> tuple[int, str]:
    """How many parts of an ARN differ, and which."""
    if pattern.lower() == value.lower():
        return 0, ONLY_CASE
    theirs, given = pattern.split(":", 5), value.split(":", 5)
    if len(given) < 6:
        return 7, ""
    if len(theirs) < 6:
        theirs += ["*"] * (6 - len(theirs))
    differing = [n for n in range(6) if not _glob(theirs[n], given[n])]
    if not differing:
        return 7, ""
    if len(differing) > 2:
        return len(differing), ""
    if not covered(":".join(given[n] if n in differing else theirs[n] for n in range(6))):
        return len(differing) + 2, ""
    if differing == [5]:
        return 1, _name_difference(theirs[5], given[5])
    names = described([_PARTS[n] for n in differing], last="and")
    ours, their = (" ".join(parts[n] or "nothing" for n in differing) for parts in (given, theirs))
    return len(differing), f"the ARN differs in its {names}: {their} in the policy, {ours} in the request"


def _name_difference(pattern: str, given: str) -> str:
    if pattern.lower() == given.lower():
        return ONLY_CASE
    if given.startswith(f"{pattern}/"):
        return f"the policy names {pattern} itself, the request something below it: add /*"
    if pattern.endswith("/*") and pattern[:-2] == given:
        return f"the policy names what is below {given}, the request {given} itself"
    if "/" in pattern and pattern.partition("/")[0] == given.partition("/")[0]:
        ends = pattern.rpartition("/")[2], given.rpartition("/")[2]
        if ends[0] == ends[1]:
            return f"the paths differ: {pattern} in the policy, {given} in the request"
    return f"the ARN differs in its resource: {pattern} in the policy, {given} in the request"


def _glob(pattern: str, text: str) -> bool:
    matches = any_of([text_template(pattern, variables=False)])
    return matches is None or matches(text, {})


# --- conditions


def condition_hint(condition: Condition, test: Test, context: Context, *, variables: bool, held: bool) -> str:
    """Why a condition does not hold, or why it holds although the request lacks the key; ``test`` is it, compiled."""
    operator = condition.operator
    value = context.get(condition.key.lower())
    if operator.base == "Null":
        return "" if held else f"the key is {'absent' if value is None or value == () else 'present'}"
    if value is None or value == ():
        return _absent_hint(condition, context, held=held)
    if isinstance(value, tuple) and not operator.quantifier and not held:
        return SEVERAL_VALUES
    if held and not operator.negated:
        return ""
    key = condition.key.lower()
    given = [each for each in ((value,) if isinstance(value, str) else value) if test({**context, key: each}) is held]
    if not given:
        return ""
    values = _likeliest(condition.values, given[0])
    if any("${" in each for each in values):
        if not variables:
            return _NOT_EXPANDED
        for each in values:
            if missing := unresolved(each, context):
                return f"{missing} has no value in this request, so nothing equals it"
    if held is operator.negated:
        for each in given[:_COMPARED]:
            if hint := _value_hint(operator, values, each, context, variables):
                return hint
    if held:
        return ""
    if operator.quantifier == "ForAllValues":
        listed = "among" if operator.negated else "not among"
        return f"{listed} the policy's values: {described(given, last='and')}"
    return "the value is one of those that the condition leaves out" if operator.negated else ""


def _absent_hint(condition: Condition, context: Context, *, held: bool) -> str:
    operator, key = condition.operator, condition.key.lower()
    if held:
        if operator.quantifier == "ForAllValues":
            return "the key is absent: ForAllValues matches then, unless a Null condition asks for the key"
        return f"the key is absent: {'IfExists' if operator.if_exists else 'a negated operator'} matches then"
    family, slash, tag = key.partition("/")
    if slash:
        for other in context:
            if other != key and other.endswith(f"/{tag}") and other.partition("/")[0].endswith(("tag", "context")):
                return f"the key is absent; the request has {other}, which is not {family}/{tag}"
    return "the key is absent: only negated operators, IfExists and ForAllValues match then"


def _matches(base: str, values: Sequence[str], given: str, context: Context, variables: bool) -> bool:
    return OPERATORS[base](values, Reading(variables, generous=False))(given, context)


def _value_hint(operator: Operator, values: Sequence[str], given: str, context: Context, variables: bool) -> str:
    """What sets one value of the request apart from the policy's values, none of which it matches."""
    base = operator.base
    texts = [resolved(each, context) if variables else each for each in values]
    if base in ("StringEquals", "StringEqualsIgnoreCase") and _matches("StringLike", values, given, context, variables):
        like = Operator("StringLike", negated=operator.negated)
        name = Operator(base, negated=operator.negated)
        return f"the pattern has a wildcard, but {name} compares it literally: use {like}"
    if base.startswith("String") and any(each.strip() == given.strip() for each in texts):
        return "the values differ only by white space at an end"
    if base in ("StringEquals", "StringLike", "ArnEquals", "ArnLike", "Bool"):
        lowered = [each.lower() for each in texts]
        if _matches(base, lowered, given.lower(), context, False):
            return ONLY_CASE
    if operator.negated:
        return ""
    if base.startswith(("Arn", "String")) and given.startswith("arn:"):
        return _arn_hint(base, texts, given, context)
    if base == "IpAddress":
        return "" if parse_address(given) else "the request's value is no address"
    if base.startswith(("Numeric", "Date")) and not readable(Operator(base), given):
        kind = "number" if base.startswith("Numeric") else "date"
        return f"the request's value is no {kind}"
    return ""


def _arn_hint(base: str, texts: Sequence[str], given: str, context: Context) -> str:
    best = (99, "")
    for each in texts:
        difference = _arn_difference(each, given, lambda trial: _matches(base, [trial], given, context, False))
        best = min(best, difference, key=lambda found: found[0])
    return best[1]
