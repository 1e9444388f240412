"""Why a request was allowed or refused: the decision, what every layer said, and what would have allowed it.

:func:`explain` asks :func:`~locum.policy.evaluate.decide` the same question and looks at the same compiled statements
(R30).  It costs a thousand times a decision and is meant for those who ask why.
"""

from __future__ import annotations

from collections.abc import Iterable

from .context import Context, key_of
from .evaluate import Ask, Policies, decide
from .explanation import MAX_KEYS, MAX_VALUES, Asked, Entry, Explanation, LayerReport
from .principals import PrincipalKind, principal_context
from .remedy import remedies
from .trace import Tracer, shortened, stages

__all__ = ["explain"]


def explain(ask: Ask, policies: Policies) -> Explanation:
    """The decision about ``ask`` with its reasons: statements that apply, nearest misses, and the fixes."""
    decision = decide(ask, policies)
    tracer = Tracer(ask, policies)
    layers = tuple(tracer.layer(stage, decision.statements) for stage in stages(ask, policies))
    steps, complete = remedies(ask, policies, tracer)
    return Explanation(
        decision=decision,
        asked=_asked(ask, layers),
        layers=layers,
        fixes=tuple(step.fix for step in steps),
        complete=complete,
    )


def _asked(ask: Ask, layers: Iterable[LayerReport]) -> Asked:
    principal = ask.principal
    entries = _entries(ask.context, _spellings(layers))
    return Asked(
        kind=principal.kind.value,
        action=shortened([ask.action])[0],
        resource=shortened([ask.resource])[0],
        resource_account=ask.resource_account,
        arn=shortened([principal.arn])[0],
        account=principal.account,
        id=shortened([str(principal_context(principal).get("aws:userid", principal.name))])[0],
        unique_id=principal.unique_id,
        name=principal.name if principal.kind is PrincipalKind.USER else "",
        context=entries,
        cut=len(ask.context) - len(entries),
    )


def _spellings(layers: Iterable[LayerReport]) -> dict[str, str]:
    """Context keys as the policies write them, by the key in lower case."""
    return {
        check.key.lower(): check.key
        for layer in layers
        for policy in layer.policies
        for statement in (*policy.matched, *((policy.nearest,) if policy.nearest is not None else ()))
        for check in statement.checks
        if check.key
    }


def _entries(context: Context, spellings: dict[str, str]) -> tuple[Entry, ...]:
    made = []
    for key in sorted(context)[:MAX_KEYS]:
        value = context[key]
        values = (value,) if isinstance(value, str) else value
        name = spellings.get(key) or key_of(key).name
        made.append(Entry(shortened([name])[0], shortened(values[:MAX_VALUES]), max(len(values) - MAX_VALUES, 0)))
    return tuple(made)
