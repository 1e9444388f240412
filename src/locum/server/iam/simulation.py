"""The policy simulator: what policies given as text, or those of an entity, would decide (iam_api.md §11).

Nothing of the caller or of the request takes part: the simulated caller, resources and context keys are all named in
the call (IAM-SIM-004, POL-SM-002).  A page may hold fewer results than were asked for, since the work of one request is
bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from locum import arn
from locum.api.iam import simulation as api
from locum.arn import Arn
from locum.core.aws_policies import AWS_ACCOUNT
from locum.core.records import Group, Role, User
from locum.core.service_linked_roles import service_of
from locum.errors import (
    InvalidInputException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
    PolicyEvaluationException,
)
from locum.policy import (
    Ask,
    CompiledPolicy,
    Context,
    Effect,
    PolicyError,
    PolicyKind,
    Principal,
    parse,
    validate,
)
from locum.policy.simulation import (
    BOUNDARY,
    IDENTITY,
    RESOURCE,
    Given,
    Match,
    Outcome,
    Source,
    context_keys,
    context_values,
    missing_keys,
    simulate,
)
from locum.server.handlers import Call, handles
from locum.server.iam.answers import page
from locum.server.iam.exclusions import Excluded, excluded

__all__ = [
    "get_context_keys_for_custom_policy",
    "get_context_keys_for_principal_policy",
    "simulate_custom_policy",
    "simulate_principal_policy",
]

MOST_TESTS: Final = 200_000
"""Statements that a page may test: those of all policies for each resource and action.  One action must fit in."""

_PAGE: Final = 100
_ANYTHING: Final = ("*",)
_UNKNOWN_CALLER: Final = "STUB_PRINCIPAL_FOR_POLICY_SIMULATOR"
_SCENARIOS: Final = {
    "ec2": frozenset(
        f"EC2-{each}"
        for each in (
            "Classic-InstanceStore",
            "Classic-EBS",
            "VPC-InstanceStore",
            "VPC-InstanceStore-Subnet",
            "VPC-EBS",
            "VPC-EBS-Subnet",
        )
    ),
    "cloudwatch": frozenset(
        f"CloudWatch-{each}"
        for each in (
            "Alarm",
            "AlarmMuteRule",
            "Dashboard",
            "Dataset",
            "InsightRule",
            "MetricStream",
            "Service",
            "ServiceLevelObjective",
        )
    ),
}
"""Service → the handling options for its actions; a simulation is the same with each."""

_WORDS: Final = {
    Effect.ALLOW: "allowed",
    Effect.IMPLICIT_DENY: "implicitDeny",
    Effect.EXPLICIT_DENY: "explicitDeny",
}
"""What answers call a decision (POL-SM-001), the less restrictive one first."""
_RESTRICTIVE: Final = tuple(_WORDS)

_Simulation: TypeAlias = api.SimulateCustomPolicyCommand | api.SimulatePrincipalPolicyCommand
_OfHolder: TypeAlias = api.SimulatePrincipalPolicyCommand | api.GetContextKeysForPrincipalPolicyCommand


class _Entity(NamedTuple):
    """A user, role or group by its ARN; none of them needs to exist."""

    kind: str
    name: str
    account: str
    partition: str


def _entity(text: str) -> _Entity | None:
    try:
        parsed = Arn.parse(text)
    except ValueError:
        return None
    _, name = parsed.path_and_name
    sound = parsed.service == "iam" and not parsed.region and arn.is_account_id(parsed.account) and name
    if not sound or parsed.kind not in ("user", "role", "group"):
        return None
    return _Entity(parsed.kind, name, parsed.account, parsed.partition)


def _check_source(call: Call[_OfHolder]) -> None:
    """InvalidInput for a source that is no user, role or group of the caller's account (R12)."""
    source = call.command.policy_source_arn
    entity = _entity(source)
    if entity is None:
        raise InvalidInputException(f"Invalid Entity Arn: {source} does not clearly define entity type and name.")
    if entity.account != call.account:
        raise InvalidInputException(
            f"Invalid Policy Source Arn: caller's account {call.account} does not have access to policies in account "
            f"{entity.account}"
        )


# Policies


def _given(text: str, kind: PolicyKind, id: str, type: str) -> Source:
    """A policy of the request: InvalidInput where it could not be stored (IAM-SIM-008)."""
    try:
        return Source.of(validate(text, kind), text, kind, id, type)
    except MalformedPolicyDocumentException as refused:
        raise InvalidInputException(f"{id}: {refused.message}") from refused
    except PolicyError as error:
        raise _not_evaluable(id, str(error)) from error


def _stored(text: str, kind: PolicyKind, id: str, type: str) -> Source:
    """A policy of a user or role as it is in force; PolicyEvaluation where it is one that denies everything (R28)."""
    try:
        return Source.of(parse(text), text, kind, id, type)
    except PolicyError as error:
        raise _not_evaluable(id, str(error)) from error


def _not_evaluable(id: str, why: str) -> PolicyEvaluationException:
    return PolicyEvaluationException(f"The policy {id} cannot be evaluated: {why}")


def _listed(texts: Sequence[str], kind: PolicyKind, member: str, type: str) -> tuple[Source, ...]:
    return tuple(_given(text, kind, f"{member}.{number}", type) for number, text in enumerate(texts, 1))


def _inputs(texts: Sequence[str]) -> tuple[Source, ...]:
    sources = []
    for number, text in enumerate(texts, 1):
        try:
            sources.append(_given(text, PolicyKind.INLINE, f"PolicyInputList.{number}", IDENTITY))
        except InvalidInputException as refused:
            raise InvalidInputException(f"Policy input list item {number} has invalid content") from refused
    return tuple(sources)


def _boundary(command: _Simulation) -> Source | None:
    texts = command.permissions_boundary_policy_input_list
    if len(texts) > 1:
        raise InvalidInputException("The list of Permissions Boundary policies cannot exceed 1 items.")
    boundaries = _listed(texts, PolicyKind.INLINE, "PermissionsBoundaryPolicyInputList", BOUNDARY)
    return boundaries[0] if boundaries else None


def _levels(command: api.SimulateCustomPolicyCommand) -> tuple[tuple[CompiledPolicy, ...], ...] | None:
    """The service control policies from the root to the account; a level without any allows nothing (POL-SM-004)."""
    levels = command.ordered_organization_policy_input_list
    if not levels:
        return None
    member = "OrderedOrganizationPolicyInputList"
    return tuple(
        tuple(
            source.compiled
            for source in _listed(
                level.service_control_policy_input_list, PolicyKind.SERVICE_CONTROL, f"{member}.{number}", ""
            )
        )
        for number, level in enumerate(levels, 1)
    )


def _holder(call: Call[Any]) -> User | Role | Group:
    """The user, role or group whose policies are meant; NoSuchEntity where there is none."""
    stored = call.target.stored
    if stored is None or not isinstance(stored.record, User | Role | Group):
        entity = _entity(call.command.policy_source_arn)
        assert entity is not None
        raise NoSuchEntityException(f"The {entity.kind} with name {entity.name} cannot be found.")
    return stored.record


def _managed(call: Call[Any], policy_arn: str, type: str) -> Source:
    """A managed policy in force under its name."""
    stored = call.records.managed_policy(policy_arn, call.account, call.partition)
    if stored is None:
        raise _not_evaluable(policy_arn, "it does not exist")
    return _stored(stored.record.document, PolicyKind.MANAGED, stored.record.name, type)


def _with_groups(call: Call[Any], holder: User | Role | Group) -> Iterator[User | Role | Group]:
    """The holder and, of a user, the groups whose policies are its own too (POL-EV-010)."""
    yield holder
    for unique_id in holder.groups if isinstance(holder, User) else ():
        stored = call.records.group(unique_id)
        if stored is None:
            raise _not_evaluable(unique_id, "the group does not exist")
        yield stored.record


def _identity(call: Call[Any], holder: User | Role | Group, without: Excluded) -> Iterator[Source]:
    """The inline and attached policies of a holder, less those that are to be left out; none of them twice."""
    seen: set[str] = set()
    for each in _with_groups(call, holder):
        for name, text in each.inline.items():
            if not without.inline(each.kind, each.name, name):
                yield _stored(text, PolicyKind.INLINE, f"{each.kind}_{each.name}_{name}", IDENTITY)
        for policy_arn in each.attached:
            if policy_arn in seen or without.managed(policy_arn, aws=Arn.parse(policy_arn).account == AWS_ACCOUNT):
                continue
            seen.add(policy_arn)
            yield _managed(call, policy_arn, IDENTITY)


# The simulated requests


def _caller(command: _Simulation, account: str, partition: str) -> Principal:
    """The simulated caller; a resource's policy is simulated for users only (POL-SM-002).

    Only such a policy looks at more of the caller than its account, so a role or a group may stand as a user here.
    """
    named = command.caller_arn
    if named is None and isinstance(command, api.SimulatePrincipalPolicyCommand):
        named = command.policy_source_arn
    entity = None if named is None else _entity(named)
    if named is not None and entity is None:
        raise InvalidInputException("Invalid caller - Caller must be an IAM user, role or group in this context.")
    if command.resource_policy is not None:
        if entity is None:
            raise InvalidInputException("Invalid caller - Caller cannot be null or empty.")
        if entity.kind != User.kind:
            raise InvalidInputException("Invalid caller - Caller must be an IAM user in this context.")
    if entity is None or named is None:
        return Principal.user("", account, "", partition=partition)
    return Principal.user(named, entity.account, "", partition=entity.partition)


def _owner(command: _Simulation) -> str | None:
    """The account that owns the resources whose ARN names none, from its id or the ARN of its root user."""
    owner = command.resource_owner
    if owner is None or arn.is_account_id(owner):
        return owner
    try:
        parsed = Arn.parse(owner)
    except ValueError:
        parsed = None
    if parsed is None or parsed.service != "iam" or parsed.region or not arn.is_account_id(parsed.account):
        raise InvalidInputException("Invalid Resource Owner.")
    return parsed.account


def _check_actions(command: _Simulation) -> None:
    """InvalidInput for a name without a service; any other is taken as it is written, wildcards included."""
    if any(":" not in action for action in command.action_names):
        raise InvalidInputException("The action is invalid since it is missing names")


def _resources(command: _Simulation) -> tuple[str, ...]:
    """The resources to simulate, ``*`` unless given; InvalidInput for what is no ARN, or another service's scenario."""
    resources = command.resource_arns or _ANYTHING
    named = [] if resources == _ANYTHING else [_resource(resource) for resource in resources]
    if command.resource_policy is not None:
        if not named:
            raise InvalidInputException("Invalid Entity Arn: * does not clearly define entity type and name.")
        if any(resource.service == "iam" and resource.kind == Role.kind for resource in named):
            raise InvalidInputException("Simulation of resource-based policies isn't supported for IAM roles.")
    scenario = command.resource_handling_option
    if scenario is not None:
        services = {action.partition(":")[0].lower() for action in command.action_names}
        if any(scenario not in _SCENARIOS.get(service, ()) for service in services):
            raise InvalidInputException(f"Invalid resource handling option: {scenario}")
    return resources


def _resource(text: str) -> Arn:
    try:
        parsed = Arn.parse(text)
    except ValueError:
        parsed = None
    if parsed is None or not (parsed.partition and parsed.service and parsed.resource):
        raise InvalidInputException(f"ResourceNames are not in a valid ARN format: {text}.")
    return parsed


def _context(command: _Simulation) -> Context:
    """The context keys that were given; beside them a simulation knows ``aws:userid`` alone (POL-SM-002)."""
    context: dict[str, str | tuple[str, ...]] = {}
    for entry in command.context_entries:
        name = entry.context_key_name
        if name is None:
            raise InvalidInputException("ContextKeyName cannot be null or empty.")
        if name.lower() in context:
            raise InvalidInputException(f"Duplicate context key: {name}.")
        try:
            context[name.lower()] = context_values(name, entry.context_key_type, entry.context_key_values)
        except ValueError as error:
            raise InvalidInputException(str(error)) from None
    return context


# Answers


class _Statements:
    """Matched statements as answers show them; the places in a policy's text are looked up once."""

    def __init__(self) -> None:
        self._spans: dict[int, list[Any]] = {}

    def shown(self, matches: Iterable[Match]) -> tuple[api.Statement, ...]:
        return tuple(self._one(match.source, match.number) for match in matches)

    def _one(self, source: Source, index: int) -> api.Statement:
        spans = self._spans.get(id(source))
        if spans is None:
            spans = self._spans[id(source)] = source.spans()
        start, end = spans[index]
        return api.Statement(
            source_policy_id=source.id,
            source_policy_type=source.type,
            start_position=api.Position(line=start.line, column=start.column),
            end_position=api.Position(line=end.line, column=end.column),
        )


def _most_restrictive(effects: Iterable[Effect]) -> Effect:
    return max(effects, key=_RESTRICTIVE.index)


def _limited(allows: bool | None) -> api.PermissionsBoundaryDecisionDetail | None:
    if allows is None:
        return None
    return api.PermissionsBoundaryDecisionDetail(allowed_by_permissions_boundary=allows)


def _together(verdicts: Sequence[bool | None]) -> bool | None:
    return None if None in verdicts else all(verdicts)


def _result(
    action: str,
    resources: tuple[str, ...],
    outcomes: Sequence[Outcome],
    missing: tuple[str, ...],
    statements: _Statements,
) -> api.EvaluationResult:
    """One action's result: of several resources the most restrictive decision, then each by itself (IAM-SIM-002)."""
    effect = _most_restrictive(outcome.effect for outcome in outcomes)
    matches = {(id(match.source), match.number): match for outcome in outcomes for match in outcome.matches}
    organization = _together([outcome.organization_allows for outcome in outcomes])

    def lacks(effect: Effect, organization: bool | None) -> bool:
        return effect is Effect.IMPLICIT_DENY and organization is not False

    return api.EvaluationResult(
        eval_action_name=action,
        eval_resource_name=resources[0] if len(resources) == 1 else "*",
        eval_decision=_WORDS[effect],
        matched_statements=statements.shown(matches.values()),
        missing_context_values=missing if lacks(effect, organization) else (),
        organizations_decision_detail=None
        if organization is None
        else api.OrganizationsDecisionDetail(allowed_by_organizations=organization),
        permissions_boundary_decision_detail=_limited(_together([outcome.boundary_allows for outcome in outcomes])),
        eval_decision_details=None if resources == _ANYTHING or organization is False else _details(outcomes),
        resource_specific_results=None
        if resources == _ANYTHING
        else tuple(
            api.ResourceSpecificResult(
                eval_resource_name=resource,
                eval_resource_decision=_WORDS[outcome.effect],
                matched_statements=statements.shown(outcome.matches) or None,
                missing_context_values=(missing if lacks(outcome.effect, outcome.organization_allows) else ()) or None,
                eval_decision_details=None if outcome.by_type is None else _details([outcome]),
                permissions_boundary_decision_detail=_limited(outcome.boundary_allows),
            )
            for resource, outcome in zip(resources, outcomes, strict=True)
        ),
    )


def _details(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """What each type of policy decided across accounts; empty within one."""
    effects: dict[str, list[Effect]] = {}
    for outcome in outcomes:
        for type, effect in (outcome.by_type or {}).items():
            effects.setdefault(type, []).append(effect)
    return {type: _WORDS[_most_restrictive(found)] for type, found in effects.items()}


def _simulated(call: Call[Any], policies: Given) -> api.SimulatePolicyResponse:
    """One page of results under these policies and the resource's."""
    command: _Simulation = call.command
    _check_actions(command)
    resources = _resources(command)
    principal = _caller(command, call.account, call.partition)
    owner, context = _owner(command), _context(command)
    if command.resource_policy is not None:
        source = _given(command.resource_policy, PolicyKind.RESOURCE, "ResourcePolicy", RESOURCE)
        policies = msgspec.structs.replace(policies, resource=source)
    tests = len(resources) * sum(len(source.policy.statements) for source in policies.sources)
    tests += len(resources) * sum(len(policy.statements) for level in policies.scps or () for policy in level)
    if tests > MOST_TESTS:
        raise InvalidInputException(
            f"The policies have too many statements to be simulated with {len(resources)} resources at once."
        )
    missing = missing_keys(policies.sources, context)
    context = {"aws:userid": command.caller_arn or _UNKNOWN_CALLER, **context}
    statements = _Statements()

    def ask(action: str, resource: str) -> Ask:
        account = principal.account
        if policies.resource is not None:
            named = Arn.parse(resource).account
            account = named if arn.is_account_id(named) else owner or account
        return Ask(principal, action, resource, account, context)

    def entries(after: str) -> Iterator[tuple[str, api.EvaluationResult]]:
        for number in range(int(after or 0), len(command.action_names)):
            action = command.action_names[number]
            outcomes = [simulate(ask(action, resource), policies) for resource in resources]
            yield str(number + 1), _result(action, resources, outcomes, missing, statements)

    fewer = max(1, MOST_TESTS // max(1, tests, len(resources)))
    call.command = msgspec.structs.replace(command, max_items=min(command.max_items or _PAGE, fewer))
    results, shown = page(call, entries)
    return api.SimulatePolicyResponse(evaluation_results=results, is_truncated=shown.is_truncated, marker=shown.marker)


@handles(api.SimulateCustomPolicyCommand)
def simulate_custom_policy(call: Call[api.SimulateCustomPolicyCommand]) -> api.SimulatePolicyResponse:
    """What policies given as text would decide (IAM-SIM-001)."""
    command = call.command
    given = Given(_inputs(command.policy_input_list), _boundary(command), scps=_levels(command))
    return _simulated(call, given)


def _is_exempt(holder: User | Role | Group) -> bool:
    """Whether service control policies pass it by, as they do service-linked roles (POL-OR-001)."""
    return isinstance(holder, Role) and service_of(holder.path) is not None


@handles(api.SimulatePrincipalPolicyCommand, before=_check_source)
def simulate_principal_policy(call: Call[api.SimulatePrincipalPolicyCommand]) -> api.SimulatePolicyResponse:
    """What the policies of a user, role or group, and others given as text, would decide (IAM-SIM-001)."""
    command = call.command
    holder = _holder(call)
    without = excluded(command.policy_exclusion_list)
    boundary = _boundary(command)
    own = None if isinstance(holder, Group) else holder.boundary
    if boundary is None and own is not None and not without.boundary:
        boundary = _managed(call, own, BOUNDARY)
    identity = (*_identity(call, holder, without), *_inputs(command.policy_input_list))
    place = None if "scp" in without.kinds else call.directory.organization_of(call.account)
    scps = None if place is None or _is_exempt(holder) else place.scps
    return _simulated(call, Given(identity, boundary, scps=scps))


def _names(sources: Iterable[Source]) -> api.GetContextKeysForPolicyResponse:
    return api.GetContextKeysForPolicyResponse(context_key_names=context_keys(source.policy for source in sources))


@handles(api.GetContextKeysForCustomPolicyCommand)
def get_context_keys_for_custom_policy(
    call: Call[api.GetContextKeysForCustomPolicyCommand],
) -> api.GetContextKeysForPolicyResponse:
    """The context keys that policies given as text use (IAM-SIM-007)."""
    return _names(_inputs(call.command.policy_input_list))


@handles(api.GetContextKeysForPrincipalPolicyCommand, before=_check_source)
def get_context_keys_for_principal_policy(
    call: Call[api.GetContextKeysForPrincipalPolicyCommand],
) -> api.GetContextKeysForPolicyResponse:
    """The context keys that a user's, role's or group's policies use, and others given as text (IAM-SIM-007)."""
    return _names((*_identity(call, _holder(call), excluded(())), *_inputs(call.command.policy_input_list)))
