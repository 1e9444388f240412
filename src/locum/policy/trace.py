"""What each policy said about one request: the statements that apply, and the Allow that came closest.

The tests are those of the compiler, statement by statement and then element by element (R30); nothing here decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from .compile import CompiledPolicy, StatementRef, elements_of
from .conditions import Test
from .document import Condition, Policy, Principals, Statement
from .evaluate import (
    NEVER,
    ROOTS,
    UNDENIABLE,
    WITHOUT_IDENTITY,
    Ask,
    Layer,
    Policies,
    is_exempt_from_scps,
    is_foreign_partition,
)
from .explanation import (
    MAX_CHECKS,
    MAX_DETAIL,
    MAX_EXAMINED,
    MAX_POLICIES,
    MAX_STATEMENTS,
    MAX_TEXT,
    MAX_VALUES,
    Check,
    LayerReport,
    PolicyReport,
    StatementReport,
    Verdict,
)
from .hints import ONLY_CASE, action_hint, condition_hint, principal_hint, resolved, resource_hint
from .principals import Principal, PrincipalKind

__all__ = ["Stage", "Tracer", "shortened", "stages"]

_OTHER_SERVICE: Final = 2_000
_OTHER_ACTION: Final = 1_000
_OTHER_PRINCIPAL: Final = 40
_OTHER_RESOURCE: Final = 20
_OTHER_VALUE: Final = 10
_ALMOST: Final = 5
"""What a failed check adds to the distance of a statement from the request; the nearest miss has the least."""


class Stage(NamedTuple):
    """A kind of policy, or one level of an organization's, that takes part in a decision.

    ``names`` tells that its statements name principals, ``barred`` that it cannot allow whatever they say; ``note`` is
    what must be known to read its verdict.
    """

    layer: Layer
    policies: tuple[CompiledPolicy, ...]
    level: int = 0
    names: bool = False
    note: str = ""
    barred: bool = False


def stages(ask: Ask, policies: Policies) -> Iterator[Stage]:
    """The layers that take part in a decision, in the order of POL-EV-003."""
    principal = ask.principal
    if ask.action.lower() in UNDENIABLE:
        return
    if policies.rcps is not None and not principal.service_linked:
        for level, attached in enumerate(policies.rcps, 1):
            yield Stage(Layer.RESOURCE_CONTROL, attached, level, True)
    if policies.scps is not None and not is_exempt_from_scps(principal):
        for level, attached in enumerate(policies.scps, 1):
            yield Stage(Layer.SERVICE_CONTROL, attached, level)
    yield from _resource_stage(ask, policies)
    yield from _identity_stages(principal, policies)


def _resource_stage(ask: Ask, policies: Policies) -> Iterator[Stage]:
    principal = ask.principal
    layer, action = policies.resource_layer, ask.action.lower()
    own = () if policies.resource is None else (policies.resource,)
    with_identity = principal.kind not in WITHOUT_IDENTITY
    if with_identity and action != "sts:assumeroot" and is_foreign_partition(ask.resource, principal.partition):
        yield Stage(layer, own, names=True, note="the caller is of another partition", barred=True)
    elif (principal.kind, action) in NEVER:
        yield Stage(layer, own, names=True, note="the caller's proof is for another operation", barred=True)
    elif policies.resource is not None:
        yield Stage(layer, own, names=True)
    elif policies.resource_policy_required or not with_identity:
        yield Stage(layer, (), names=True, note="there is none, and it must allow the caller")
    elif principal.account != ask.resource_account and action != "sts:assumeroot":
        yield Stage(layer, (), names=True, note="there is none, and across accounts it must allow the caller")


def _identity_stages(principal: Principal, policies: Policies) -> Iterator[Stage]:
    kind = principal.kind
    if kind in ROOTS or principal.issued_by_root:
        if policies.identity:
            yield Stage(Layer.IDENTITY, policies.identity, note="root needs no permission here")
    elif kind not in WITHOUT_IDENTITY or policies.identity:
        yield Stage(Layer.IDENTITY, policies.identity, note="" if policies.identity else "there is none")
    if policies.boundary is not None:
        yield Stage(Layer.BOUNDARY, (policies.boundary,))
    if policies.session is not None:
        yield Stage(Layer.SESSION, policies.session, note="" if policies.session else "there is none")
    elif kind is PrincipalKind.FEDERATED_USER:
        yield Stage(Layer.SESSION, (), note="there is none, which leaves a federated user no permissions")


def shortened(values: Iterable[str]) -> tuple[str, ...]:
    """Values up to the length at which they are listed."""
    return tuple(value if len(value) <= MAX_TEXT else value[: MAX_TEXT - 1] + "…" for value in values)


class Tracer:
    """Reports on one request; counts what it lists, so that all reports together stay bounded."""

    __slots__ = ("_action", "_ask", "_checked", "_examinable", "_has_boundary", "_left", "_policies")

    def __init__(self, ask: Ask, policies: Policies, *, examinable: int = MAX_EXAMINED) -> None:
        self._ask = ask
        self._action = ask.action.lower()
        self._policies = policies  # keeps alive what _checked knows by identity
        self._checked: dict[tuple[int, int, bool], list[Check]] = {}
        self._has_boundary = policies.boundary is not None
        self._left = MAX_DETAIL
        self._examinable = examinable

    def following(self, ask: Ask, policies: Policies) -> Tracer:
        """A tracer of another question that does no more work than this one has left to do."""
        return Tracer(ask, policies, examinable=self._examinable)

    def layer(self, stage: Stage, decisive: tuple[StatementRef, ...] = ()) -> LayerReport:
        """What the policies of a stage say; ``decisive`` statements are listed whatever else is left out."""
        applying = {id(policy): self.applying(policy) for policy in stage.policies}
        matched = [effect for found in applying.values() for effect, _ in found]
        verdict = Verdict.DENIES if True in matched else Verdict.ALLOWS if False in matched else Verdict.SILENT
        if stage.barred and verdict is Verdict.ALLOWS:
            verdict = Verdict.SILENT
        elif stage.layer is Layer.RESOURCE_CONTROL and verdict is Verdict.SILENT:
            verdict = Verdict.ALLOWS  # the ever-present RCPFullAWSAccess (POL-OR-021)
        listed: Sequence[CompiledPolicy] = stage.policies
        if len(listed) > MAX_POLICIES:
            listed = sorted(listed, key=lambda policy: self._rank(applying[id(policy)], decisive))[:MAX_POLICIES]
        return LayerReport(
            layer=stage.layer,
            verdict=verdict,
            level=stage.level,
            note=stage.note,
            policies=tuple(self._policy(policy, stage, applying[id(policy)], decisive) for policy in listed),
            cut=len(stage.policies) - len(listed),
        )

    @staticmethod
    def _rank(applying: Sequence[tuple[bool, StatementRef]], decisive: tuple[StatementRef, ...]) -> int:
        return 0 if any(reference in decisive for _, reference in applying) else 1 if applying else 2

    def applying(self, policy: CompiledPolicy) -> list[tuple[bool, StatementRef]]:
        """The statements of a policy that apply: whether each denies, and which it is."""
        ask, action = self._ask, self._action
        return [
            (statement.deny, statement.reference[0])
            for statement in policy.statements
            if statement.action(action)
            and statement.concerns(ask.principal, has_boundary=self._has_boundary)
            and (statement.applies is None or statement.applies(ask.resource, ask.context))
        ]

    def _policy(
        self,
        policy: CompiledPolicy,
        stage: Stage,
        applying: Sequence[tuple[bool, StatementRef]],
        decisive: tuple[StatementRef, ...],
    ) -> PolicyReport:
        ordered = sorted(applying, key=lambda found: (found[1] not in decisive, not found[0]))
        matched = tuple(self.statement(policy, reference.index, stage) for _, reference in ordered[:MAX_STATEMENTS])
        nearest = self.nearest(policy, stage) if all(deny for deny, _ in applying) else None
        return PolicyReport(
            name=policy.name,
            statements=0 if policy.source is None else len(policy.statements),
            problem=policy.problem[:MAX_TEXT],
            matched=matched,
            nearest=None if nearest is None else self.statement(policy, nearest[1], stage),
            cut=len(applying) - len(matched),
        )

    def statement(self, policy: CompiledPolicy, index: int, stage: Stage) -> StatementReport:
        """One statement element by element, in the order of the grammar."""
        if policy.source is None:
            return StatementReport(index, "Deny" if policy.statements[index].deny else "Allow")
        statement = policy.source.statements[index]
        checks = self.checks(policy, policy.source, index, stage)
        size = sum(len(text) for check in checks for text in (*check.wanted, *check.resolved, *check.given))
        listed = checks[:MAX_CHECKS] if size <= self._left else []
        self._left -= size if listed else 0
        return StatementReport(
            index, statement.effect, shortened([statement.sid])[0], tuple(listed), len(checks) - len(listed)
        )

    def nearest(self, policy: CompiledPolicy, stage: Stage) -> tuple[int, int] | None:
        """The Allow that came closest, where none applies, as its distance and index; None without an Allow.

        Statements about the action are compared until MAX_EXAMINED is used up.
        """
        source = policy.source
        if source is None:
            return None
        best: tuple[int, int] | None = None
        for index, compiled in enumerate(policy.statements):
            if compiled.deny:
                continue
            if compiled.action(self._action):
                if (id(policy), index, stage.names) not in self._checked:
                    if self._examinable <= 0 and best is not None and best[0] < _OTHER_ACTION:
                        continue
                    self._examinable -= 1
                checks = self.checks(policy, source, index, stage)
                distance = sum(_distance(check) for check in checks if not check.held)
            else:
                distance = self._action_distance(source.statements[index])
            if best is None or distance < best[0]:
                best = distance, index
        return best

    def _action_distance(self, statement: Statement) -> int:
        vendor = self._action.partition(":")[0]
        if statement.not_action or any(each.lower().startswith(f"{vendor}:") for each in statement.actions or ()):
            return _OTHER_ACTION
        return _OTHER_SERVICE

    def checks(self, policy: CompiledPolicy, source: Policy, index: int, stage: Stage) -> list[Check]:
        """Every element and condition of a statement against the request."""
        known = self._checked.get((id(policy), index, stage.names))
        if known is not None:
            return known
        ask = self._ask
        statement, variables = source.statements[index], source.has_variables
        tests = elements_of(statement, variables=variables)
        checks = []
        if stage.names and statement.principals is not None:
            held = policy.statements[index].concerns(ask.principal, has_boundary=self._has_boundary)
            checks.append(self._principal(statement, statement.principals, held=held))
        checks.append(self._action_check(statement, held=tests.action(self._action)))
        if statement.resources is not None:
            held = tests.resource is None or tests.resource(ask.resource, ask.context)
            checks.append(self._resource(statement, held=held, variables=variables))
        checks += [
            self._condition(condition, test, variables=variables)
            for condition, test in zip(statement.conditions, tests.conditions, strict=True)
        ]
        self._checked[id(policy), index, stage.names] = checks
        return checks

    def _principal(self, statement: Statement, named: Principals, *, held: bool) -> Check:
        wanted = _principal_texts(named)
        return Check(
            "NotPrincipal" if statement.not_principal else "Principal",
            held,
            wanted=shortened(wanted[:MAX_VALUES]),
            given=shortened(_answers_to(self._ask.principal)),
            hint=shortened([principal_hint(named, self._ask.principal, negated=statement.not_principal, held=held)])[0],
            cut=max(len(wanted) - MAX_VALUES, 0),
        )

    def _action_check(self, statement: Statement, *, held: bool) -> Check:
        actions: Sequence[str] = statement.actions or ()
        left_out = max(len(actions) - MAX_VALUES, 0)
        if left_out:
            vendor = f"{self._action.partition(':')[0]}:"
            actions = sorted(actions, key=lambda each: not each.lower().startswith(vendor))[:MAX_VALUES]
        return Check(
            "NotAction" if statement.not_action else "Action",
            held,
            wanted=shortened(actions),
            given=shortened([self._ask.action]),
            hint=shortened([action_hint(statement, self._ask.action, held=held)])[0],
            cut=left_out,
        )

    def _resource(self, statement: Statement, *, held: bool, variables: bool) -> Check:
        ask = self._ask
        wanted = statement.resources or ()
        shown = wanted[:MAX_VALUES]
        return Check(
            "NotResource" if statement.not_resource else "Resource",
            held,
            wanted=shortened(shown),
            resolved=self._resolved(shown) if variables else (),
            given=shortened([ask.resource]),
            hint=shortened([resource_hint(statement, ask.resource, ask.context, variables=variables, held=held)])[0],
            cut=len(wanted) - len(shown),
        )

    def _condition(self, condition: Condition, test: Test, *, variables: bool) -> Check:
        context = self._ask.context
        held = test(context)
        value = context.get(condition.key.lower())
        given = () if value is None else (value,) if isinstance(value, str) else value
        shown = condition.values[:MAX_VALUES]
        return Check(
            "Condition",
            held,
            operator=str(condition.operator),
            key=shortened([condition.key])[0],
            wanted=shortened(shown),
            resolved=self._resolved(shown) if variables else (),
            given=shortened(given[:MAX_VALUES]),
            absent=not given,
            hint=shortened([condition_hint(condition, test, context, variables=variables, held=held)])[0],
            cut=len(condition.values) - len(shown) + max(len(given) - MAX_VALUES, 0),
        )

    def _resolved(self, values: Sequence[str]) -> tuple[str, ...]:
        if not any("${" in value for value in values):
            return ()
        return shortened(resolved(value, self._ask.context) for value in values)


def _distance(check: Check) -> int:
    if check.hint == ONLY_CASE:
        return _ALMOST
    if check.element == "Principal":
        return _OTHER_PRINCIPAL
    return _OTHER_RESOURCE if check.element in ("Resource", "NotResource") else _OTHER_VALUE


def _principal_texts(named: Principals) -> tuple[str, ...]:
    return (
        *(("*",) if named.anyone else ()),
        *named.aws,
        *(f"Service: {name}" for name in named.service),
        *(f"Federated: {name}" for name in named.federated),
    )


def _answers_to(principal: Principal) -> tuple[str, ...]:
    """What a policy can call the caller, the closest name first."""
    if principal.kind is PrincipalKind.SERVICE:
        return (f"Service: {principal.name}",)
    if principal.kind in (PrincipalKind.WEB_IDENTITY, PrincipalKind.SAML):
        return (f"Federated: {principal.name}",)
    names = (principal.role_arn, principal.arn, principal.unique_id, *principal.limited, principal.account)
    return tuple(dict.fromkeys(name for name in names if name)) or ("anonymous",)
