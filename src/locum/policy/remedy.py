"""What would have allowed a refused request: the obstacles one after another, each with the smallest change.

A change is tried before it is told: the decision function is asked again with the changed request or policy, and its
next refusal is the next obstacle.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from .compile import CompiledPolicy, compile_policy
from .conditions import Operator, compile_condition
from .context import Context, key_of
from .document import Condition, Policy, PolicyError, PolicyKind, Principals, Statement
from .evaluate import NEVER, WITHOUT_IDENTITY, Ask, Decision, Effect, Layer, Policies, decide, is_foreign_partition
from .explanation import IMPOSSIBLE, MAX_FIXES, MAX_TEXT, Check, Fix
from .hints import ONLY_CASE, SEVERAL_VALUES, described, resolved
from .principals import Principal, PrincipalKind
from .trace import Stage, Tracer, stages

__all__ = ["Step", "remedies"]

_RELATIONS: Final = {
    "NumericLessThan": "less than ",
    "NumericLessThanEquals": "at most ",
    "NumericGreaterThan": "greater than ",
    "NumericGreaterThanEquals": "at least ",
    "DateLessThan": "before ",
    "DateLessThanEquals": "at or before ",
    "DateGreaterThan": "after ",
    "DateGreaterThanEquals": "at or after ",
    "IpAddress": "within ",
}
_OPPOSITES: Final = {
    "NumericLessThan": "NumericGreaterThanEquals",
    "NumericLessThanEquals": "NumericGreaterThan",
    "NumericGreaterThan": "NumericLessThanEquals",
    "NumericGreaterThanEquals": "NumericLessThan",
    "DateLessThan": "DateGreaterThanEquals",
    "DateLessThanEquals": "DateGreaterThan",
    "DateGreaterThan": "DateLessThanEquals",
    "DateGreaterThanEquals": "DateLessThan",
}
_KINDS: Final = {
    Layer.IDENTITY: "policy",
    Layer.RESOURCE: "resource-based policy",
    Layer.TRUST: "trust policy",
    Layer.BOUNDARY: "boundary",
    Layer.SESSION: "session policy",
    Layer.SERVICE_CONTROL: "service control policy",
    Layer.RESOURCE_CONTROL: "resource control policy",
}
_BOOLEANS: Final = ("true", "false")
_ANYTHING: Final = ("-", "0", "0.0.0.0", "::", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z")  # noqa: S104
"""Values of every type, of which one will do where any value but some would."""
_TRIED: Final = 12
"""How many of a condition's values are tried."""
_CHANGES: Final = 4
"""How many changes one obstacle may need and still be told change by change."""


class Step(NamedTuple):
    """An obstacle's fix, and the question and policies after it."""

    fix: Fix
    ask: Ask
    policies: Policies


class _Change(NamedTuple):
    """A context key with another value, None for none, and how to say it."""

    key: str
    value: str | tuple[str, ...] | None
    text: str


def remedies(ask: Ask, policies: Policies, tracer: Tracer | None = None) -> tuple[list[Step], bool]:
    """The steps that lead from a refusal to an allowed request, and whether they are all that it takes.

    ``tracer`` is one that has looked at the same question and policies already.
    """
    tracer = tracer or Tracer(ask, policies)
    steps: list[Step] = []
    changed: set[str] = set()
    while not (decision := decide(ask, policies)).allowed:
        if len(steps) == MAX_FIXES or decision.layer is None:
            return steps, False
        if (never := _impossible(ask, decision)) is not None:
            steps.append(Step(Fix(decision.layer, never), ask, policies))
            return steps, False
        if decision.effect is Effect.EXPLICIT_DENY:
            step = _lift(ask, policies, decision, changed, tracer)
        else:
            step = _grant(ask, policies, decision.layer, changed, tracer)
        if step is None:
            return steps, False
        steps.append(step)
        changed.update(key for key in _different(ask.context, step.ask.context))
        ask, policies = step.ask, step.policies
        tracer = tracer.following(ask, policies)
    return steps, True


def _different(before: Context, after: Context) -> Iterator[str]:
    return (key for key in {**before, **after} if before.get(key) != after.get(key))


def _impossible(ask: Ask, decision: Decision) -> str | None:
    principal = ask.principal
    if decision.effect is Effect.EXPLICIT_DENY:
        return None
    if (principal.kind, ask.action.lower()) in NEVER:
        return f"{IMPOSSIBLE}: a {principal.kind.value} proof is not accepted by {ask.action}"
    foreign = principal.kind not in WITHOUT_IDENTITY and is_foreign_partition(ask.resource, principal.partition)
    if foreign and ask.action.lower() != "sts:assumeroot" and decision.layer in (Layer.RESOURCE, Layer.TRUST):
        return f"{IMPOSSIBLE}: the resource is of another partition than {principal.partition}"
    return None


# --- explicit denies


def _lift(ask: Ask, policies: Policies, decision: Decision, changed: set[str], tracer: Tracer) -> Step | None:
    """What keeps the deciding Deny from applying: another value in the request, or its removal."""
    reference = decision.statements[0]
    for stage in stages(ask, policies):
        if stage.layer is not decision.layer:
            continue
        for policy in stage.policies:
            if (True, reference) in tracer.applying(policy):
                return _lifted(ask, policies, stage, policy, reference.index, changed)
    return None


def _lifted(ask: Ask, policies: Policies, stage: Stage, policy: CompiledPolicy, index: int, changed: set[str]) -> Step:
    source = policy.source
    if source is None:
        text = f"{_policy_named(stage, policy)} cannot be read and denies everything: mend it"
        return Step(Fix(stage.layer, text), ask, _replaced(policies, policy, None))
    statement = source.statements[index]
    lead = f"{_where(stage, policy, statement, index)} denies {ask.action}"
    for condition in statement.conditions:
        change = _change(condition, ask.context, source.has_variables, deny=True, hold=False)
        if change is not None and change.key not in changed:
            return Step(Fix(stage.layer, f"{change.text}: {lead} otherwise"), _with(ask, [change]), policies)
    rest = tuple(each for n, each in enumerate(source.statements) if n != index)
    mended = compile_policy(msgspec.structs.replace(source, statements=rest), _kind(policy), policy.name)
    return Step(
        Fix(stage.layer, f"{lead}: remove it, or leave this request out of it"),
        ask,
        _replaced(policies, policy, mended),
    )


# --- implicit denies


def _grant(ask: Ask, policies: Policies, layer: Layer, changed: set[str], tracer: Tracer) -> Step | None:
    """What makes a layer allow: the smallest change of its nearest miss, or else a statement more."""
    for stage in stages(ask, policies):
        if stage.layer is not layer:
            continue
        if any(not deny for policy in stage.policies for deny, _ in tracer.applying(policy)):
            continue  # a level of the organization that allows
        nearest = [
            (found[0], policy, found[1])
            for policy in stage.policies
            if (found := tracer.nearest(policy, stage)) is not None
        ]
        if nearest:
            _, policy, index = min(nearest, key=lambda each: each[0])
            step = _mended(ask, policies, stage, policy, index, tracer, changed)
            if step is not None:
                return step
            reason = _left_out(stage, policy, index, tracer)
            return _allowed_in_full(ask, policies, stage, reason)
        return _allowed_in_full(ask, policies, stage)
    return None


def _mended(
    ask: Ask,
    policies: Policies,
    stage: Stage,
    policy: CompiledPolicy,
    index: int,
    tracer: Tracer,
    changed: set[str],
) -> Step | None:
    """The nearest miss, made to apply by changes of its failed elements; None where that is not simple."""
    source = policy.source
    if source is None:
        return None
    statement = source.statements[index]
    failed = [check for check in tracer.checks(policy, source, index, stage) if not check.held]
    if not failed or len(failed) > _CHANGES:
        return None
    where = _where(stage, policy, statement, index)
    texts: list[str] = []
    changes: list[_Change] = []
    edited = statement
    conditions = _failing(statement, source, ask.context)
    for check in failed:
        if check.element == "Condition":
            condition = next(conditions)
            if (operator := _better_operator(condition, check.hint)) is not None:
                edited = _with_operator(edited, condition, operator)
                texts.append(f"compare {check.key} by {operator} in {where}, since {check.hint.rpartition(':')[0]}")
                continue
            change = _change(condition, ask.context, source.has_variables, deny=False, hold=True)
            if change is None or change.key in changed:
                return None
            changes.append(change)
            texts.append(_told(change, check, where))
        elif check.element == "Principal":
            named = _naming(ask.principal, edited.principals or Principals())
            edited = msgspec.structs.replace(edited, principals=named)
            texts.append(
                f"{_policy_named(stage, policy)} {check.hint or 'names others'}: name {_called(ask.principal)} there"
            )
        elif check.element == "Resource" and edited.resources is not None:
            edited = msgspec.structs.replace(edited, resources=(*edited.resources, ask.resource))
            reason = f": {check.hint}" if check.hint else ""
            texts.append(f"add {_cut(ask.resource)} to Resource in {where}{reason}")
        else:
            return None
    after, asked = policies, _with(ask, changes) if changes else ask
    mended = policy
    if edited is not statement:
        rest = tuple(edited if n == index else each for n, each in enumerate(source.statements))
        try:
            mended = compile_policy(msgspec.structs.replace(source, statements=rest), _kind(policy), policy.name)
        except PolicyError:
            return None
        after = _replaced(policies, policy, mended)
    if not any(not deny for deny, _ in Tracer(asked, after).applying(mended)):
        return None
    lead = ""
    if stage.layer in (Layer.BOUNDARY, Layer.SESSION, Layer.SERVICE_CONTROL):
        lead = f"{_policy_named(stage, policy)} does not allow {ask.action} on {_cut(ask.resource)}: "
    return Step(Fix(stage.layer, lead + " and ".join(texts)), asked, after)


def _left_out(stage: Stage, policy: CompiledPolicy, index: int, tracer: Tracer) -> str:
    """That the nearest miss allows everything but what was asked for, where that is so."""
    if policy.source is None:
        return ""
    where = _where(stage, policy, policy.source.statements[index], index)
    failed = [check for check in tracer.checks(policy, policy.source, index, stage) if not check.held]
    if len(failed) == 1 and failed[0].element in ("NotAction", "NotResource"):
        return f", since {failed[0].element} of {where} leaves it out"
    return ""


def _failing(statement: Statement, source: Policy, context: Context) -> Iterator[Condition]:
    deny = statement.effect == "Deny"
    for condition in statement.conditions:
        test = compile_condition(
            condition.operator, condition.key, condition.values, variables=source.has_variables, generous=deny
        )
        if not test(context):
            yield condition


def _told(change: _Change, check: Check, where: str) -> str:
    if check.hint == ONLY_CASE and len(check.given) == 1:
        return f"{change.text}, or write {check.given[0]} in {where}: {ONLY_CASE}"
    return change.text


def _better_operator(condition: Condition, hint: str) -> Operator | None:
    """The operator that a condition's author meant, where the hint is about the operator."""
    if hint == SEVERAL_VALUES:
        return condition.operator._replace(quantifier="ForAnyValue")
    if condition.operator.base.startswith("StringEquals") and "has a wildcard" in hint:
        return condition.operator._replace(base="StringLike")
    return None


def _with_operator(statement: Statement, condition: Condition, operator: Operator) -> Statement:
    return msgspec.structs.replace(
        statement,
        conditions=tuple(
            msgspec.structs.replace(each, operator=operator) if each is condition else each
            for each in statement.conditions
        ),
    )


def _allowed_in_full(ask: Ask, policies: Policies, stage: Stage, reason: str = "") -> Step | None:
    """A layer that says nothing about the request, with a statement that allows just this."""
    layer = stage.layer
    asked = f"{ask.action} on {_cut(ask.resource)}"
    caller = _called(ask.principal)
    trust = layer is Layer.TRUST
    named = layer in (Layer.RESOURCE, Layer.TRUST)
    statement = Statement(
        "Allow",
        principals=_naming(ask.principal, Principals()) if named else None,
        actions=(ask.action,),
        resources=None if trust else ("*",),
    )
    if any(wild in ask.action for wild in "*?"):
        statement = msgspec.structs.replace(statement, actions=("*",))
    kind = PolicyKind.TRUST if trust else PolicyKind.RESOURCE if named else PolicyKind.INLINE
    try:
        granting = compile_policy(Policy((statement,)), kind)
    except PolicyError:
        return None
    if len(stage.policies) == 1 and layer is not Layer.IDENTITY:
        (only,) = stage.policies
        text = f"{_policy_named(stage, only)} does not allow {asked}{reason}: allow it there too"
        if named:
            text = f"{_policy_named(stage, only)} does not allow {asked} to {caller}{reason}: add a statement that does"
    elif named:
        text = f"{'the role has no trust policy' if trust else 'the resource has no policy'}: it must allow {caller}"
    elif layer is Layer.SESSION and not stage.policies:
        text = f"the session has no session policy: request it with one that allows {asked}"
    else:
        level = f" of level {stage.level}" if stage.level else ""
        text = f"no {layer.value}{level} allows {asked}{reason}: {_how_to_allow(layer)}"
    return Step(Fix(layer, text), ask, _extended(policies, stage, granting))


def _how_to_allow(layer: Layer) -> str:
    if layer is Layer.IDENTITY:
        return "attach one to the caller that does"
    return "allow it there too"


def _extended(policies: Policies, stage: Stage, granting: CompiledPolicy) -> Policies:
    """The policies with one more Allow in a layer."""
    layer = stage.layer
    if layer is Layer.IDENTITY:
        return msgspec.structs.replace(policies, identity=(*policies.identity, granting))
    if layer is Layer.SESSION:
        return msgspec.structs.replace(policies, session=(*(policies.session or ()), granting))
    if layer is Layer.SERVICE_CONTROL:
        levels = list(policies.scps or ())
        levels[stage.level - 1] = (*levels[stage.level - 1], granting)
        return msgspec.structs.replace(policies, scps=tuple(levels))
    current = policies.boundary if layer is Layer.BOUNDARY else policies.resource
    if current is not None:
        granting = _joined(current, granting)
    if layer is Layer.BOUNDARY:
        return msgspec.structs.replace(policies, boundary=granting)
    return msgspec.structs.replace(policies, resource=granting)


def _joined(policy: CompiledPolicy, more: CompiledPolicy) -> CompiledPolicy:
    if policy.source is None or more.source is None:
        return CompiledPolicy(policy.name, (*policy.statements, *more.statements))
    statements = (*policy.source.statements, *more.source.statements)
    return compile_policy(msgspec.structs.replace(policy.source, statements=statements), _kind(policy), policy.name)


def _replaced(policies: Policies, old: CompiledPolicy, new: CompiledPolicy | None) -> Policies:
    """The policies with one exchanged, or without it; a boundary or resource policy that goes leaves an empty one."""

    def swap(group: tuple[CompiledPolicy, ...]) -> tuple[CompiledPolicy, ...]:
        with_new = () if new is None else (new,)
        return tuple(each for member in group for each in (with_new if member is old else (member,)))

    empty = new if new is not None else CompiledPolicy(old.name, (), source=Policy(()), kind=old.kind)
    return msgspec.structs.replace(
        policies,
        identity=swap(policies.identity),
        boundary=empty if policies.boundary is old else policies.boundary,
        session=None if policies.session is None else swap(policies.session),
        resource=empty if policies.resource is old else policies.resource,
        scps=None if policies.scps is None else tuple(swap(level) for level in policies.scps),
        rcps=None if policies.rcps is None else tuple(swap(level) for level in policies.rcps),
    )


def _kind(policy: CompiledPolicy) -> PolicyKind:
    return policy.kind or PolicyKind.INLINE


# --- changes of the request


def _with(ask: Ask, changes: list[_Change]) -> Ask:
    context: dict[str, str | tuple[str, ...]] = dict(ask.context)
    for key, value, _ in changes:
        if value is None:
            context.pop(key, None)
        else:
            context[key] = value
    return msgspec.structs.replace(ask, context=context)


def _change(condition: Condition, context: Context, variables: bool, *, deny: bool, hold: bool) -> _Change | None:
    """Another value of a condition's key with which it holds (or, for ``hold`` False, does not)."""
    operator, key, name = condition.operator, condition.key.lower(), _cut(condition.key)
    test = compile_condition(operator, key, condition.values, variables=variables, generous=deny)
    current = context.get(key) or None
    several = bool(operator.quantifier) or key_of(key).multivalued or isinstance(current, tuple)

    def works(value: str | None) -> bool:
        changed: dict[str, str | tuple[str, ...]] = {other: each for other, each in context.items() if other != key}
        if value is not None:
            changed[key] = shaped(value)
        return test(changed) is hold

    def shaped(value: str) -> str | tuple[str, ...]:
        return (value,) if several else value

    if operator.base == "Null":
        if works(None):
            return _Change(key, None, f"leave out {name}")
        return _Change(key, shaped("-"), f"add {name}") if works("-") else None
    wanted = [resolved(each, context) if variables else each for each in condition.values[:_TRIED]]
    relation = _relation(operator, wanted, hold=hold)
    if relation is not None:
        near = [(text, next(filter(works, _values_near(operator, text)), None)) for text in wanted]
        told = [(text, value) for text, value in near if value is not None]
        if told:
            text = described([_cut(text) for text, _ in told])
            return _Change(key, shaped(str(told[0][1])), _set_to(name, relation, text, current))
    for value in _BOOLEANS if operator.base == "Bool" else ():
        if works(value):
            return _Change(key, shaped(value), _set_to(name, "", value, current))
    if current is not None and works(None):
        return _Change(key, None, f"leave out {name}")
    for value in _ANYTHING:
        if works(value):
            others = described([_cut(text) for text in wanted], last="and") or "any"
            return _Change(key, shaped(value), f"give {name} a value other than {others}")
    return None


def _relation(operator: Operator, wanted: list[str], *, hold: bool) -> str | None:
    """How the wished value stands to the policy's values; None where it is any other."""
    base = operator.base
    if hold is not operator.negated:
        if base in ("StringLike", "ArnLike", "ArnEquals") and any("*" in text or "?" in text for text in wanted):
            return "like "
        return _RELATIONS.get(base, "")
    return _RELATIONS[_OPPOSITES[base]] if base in _OPPOSITES and len(wanted) == 1 else None


def _values_near(operator: Operator, text: str) -> Iterator[str]:
    """Values of a request among which one stands in the wished relation to a policy's value."""
    base = operator.base
    yield text.partition("/")[0] if base == "IpAddress" else text
    if base.startswith("Numeric"):
        number = _number(text)
        if number is not None:
            yield from (str(number - 1), str(number + 1))
    elif base.startswith("Date"):
        yield from _ANYTHING[-2:]


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except ArithmeticError:  # a variable without a value
        return None


def _set_to(name: str, relation: str, text: str, current: str | tuple[str, ...] | None) -> str:
    if current is None:
        return f"add {name} {relation or '= '}{text}"
    shown = described([_cut(each) for each in ((current,) if isinstance(current, str) else current)], last="and")
    return f"change {name} from {shown} to {relation and f'one {relation}'}{text}"


# --- words


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _policy_named(stage: Stage, policy: CompiledPolicy) -> str:
    kind = _KINDS[stage.layer]
    if not policy.name:
        return f"the {kind}"
    return f"the {kind} {'of ' if stage.layer is Layer.TRUST else ''}{_cut(policy.name)}"


def _where(stage: Stage, policy: CompiledPolicy, statement: Statement, index: int) -> str:
    return f"statement {_cut(statement.sid) or index + 1} of {_policy_named(stage, policy)}"


def _called(principal: Principal) -> str:
    """The name under which a policy is best to know the caller."""
    return principal.role_arn or principal.arn or principal.name or "*"


def _naming(principal: Principal, named: Principals) -> Principals:
    """A ``Principal`` element that names the caller too."""
    called = _called(principal)
    if principal.kind is PrincipalKind.SERVICE:
        return msgspec.structs.replace(named, service=(*named.service, called))
    if principal.kind in (PrincipalKind.WEB_IDENTITY, PrincipalKind.SAML):
        return msgspec.structs.replace(named, federated=(*named.federated, called))
    return msgspec.structs.replace(named, aws=(*named.aws, called))
