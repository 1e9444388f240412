"""Reports on when services were last used, and the policies that let somebody use them (IAM-CL-023, IAM-CL-030).

What can be told is what this server has seen: calls that it allowed to its own services, IAM, Organizations and STS.
Another service is listed where a policy names it, as never used.  What somebody could use, and who, is noted when the
report is made; the last uses, names and paths are those of when it is read.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from locum.api.iam import last_accessed as api
from locum.api.registry import CONTRACTS, TARGETS
from locum.arn import Arn
from locum.arn import account_root as root_arn
from locum.core.account_records import AccessReport
from locum.core.aws_policies import AWS_ACCOUNT
from locum.core.records import Group, ManagedPolicy, Role, Use, User
from locum.errors import (
    AccessDenied,
    InvalidInputException,
    NoSuchEntityException,
    ServiceException,
    ValidationError,
)
from locum.policy import Policy, PolicyError, parse
from locum.policy.granting import grants, named_services, usable
from locum.server.handlers import Call, handles
from locum.server.iam.answers import moment, page
from locum.server.iam.groups import groups_of, members_of
from locum.server.iam.policies import users_of
from locum.server.pages import NotAMark

__all__ = [
    "generate_service_last_accessed_details",
    "get_service_last_accessed_details",
    "get_service_last_accessed_details_with_entities",
    "list_policies_granting_service_access",
]

_KEPT_SECONDS: Final = 7 * 86_400
"""How long a report can be read."""

_MOST: Final = 1_000
"""Reports of an account that are kept at most; the oldest go first."""

_UUID_BYTES: Final = 16
_HOLDERS: Final = (User.kind, Role.kind, Group.kind)
_ACTIONS: Final = "ACTION_LEVEL"
_SERVICES: Final = "SERVICE_LEVEL"
_NAMES: Final = {
    "cloudformation": "AWS CloudFormation",
    "cloudtrail": "AWS CloudTrail",
    "cloudwatch": "Amazon CloudWatch",
    "dynamodb": "Amazon DynamoDB",
    "ec2": "Amazon EC2",
    "ecr": "Amazon Elastic Container Registry",
    "ecs": "Amazon Elastic Container Service",
    "eks": "Amazon Elastic Kubernetes Service",
    "events": "Amazon EventBridge",
    "execute-api": "Amazon API Gateway",
    "iam": "AWS Identity and Access Management",
    "kms": "AWS Key Management Service",
    "lambda": "AWS Lambda",
    "organizations": "AWS Organizations",
    "s3": "Amazon S3",
    "sns": "Amazon SNS",
    "sqs": "Amazon SQS",
    "sts": "AWS Security Token Service",
}
"""What AWS calls services; others are shown by their namespace."""

_OWN: Final = {each.service.name: tuple(sorted(each.commands)) for each in (*CONTRACTS.values(), *TARGETS.values())}
"""Service that this server is → its operations."""

_PAGE: Final = 200
_NAMESPACE: Final = re.compile(r"[a-z0-9-]+")


# Policies and their holders


class _Held(NamedTuple):
    """An identity policy: where it hangs, what it is called and what it says; None for what cannot be read."""

    holder: User | Role | Group
    name: str
    arn: str | None
    policy: Policy | None


def _read(text: str) -> Policy | None:
    try:
        return parse(text)
    except PolicyError:
        return None


def _of_holder(call: Call[Any], holder: User | Role | Group) -> Iterator[_Held]:
    for name, text in sorted(holder.inline.items()):
        yield _Held(holder, name, None, _read(text))
    for policy in holder.attached:
        stored = call.records.managed_policy(policy, call.account, call.partition)
        if stored is not None:
            yield _Held(holder, stored.record.name, policy, _read(stored.record.document))


def _held(call: Call[Any], entity: User | Role | Group) -> Iterator[_Held]:
    """The identity policies of a user with those of its groups, of a role or of a group."""
    yield from _of_holder(call, entity)
    for group in groups_of(call, entity) if isinstance(entity, User) else ():
        yield from _of_holder(call, group)


def _policies(call: Call[Any], entity: User | Role | Group | ManagedPolicy) -> list[Policy]:
    if isinstance(entity, ManagedPolicy):
        found = [_read(entity.document)]
    else:
        found = [held.policy for held in _held(call, entity)]
    return [each for each in found if each is not None]


def _users_and_roles(call: Call[Any], entity: User | Role | Group | ManagedPolicy) -> Iterator[User | Role]:
    """Who uses services through what a report is about; each once."""
    if isinstance(entity, User | Role):
        yield entity
    elif isinstance(entity, Group):
        yield from (user for _, user in members_of(call, entity))
    else:
        seen: set[str] = set()
        for holder in _holders_of(call, entity):
            for user in [holder] if not isinstance(holder, Group) else (each for _, each in members_of(call, holder)):
                if user.id not in seen:
                    seen.add(user.id)
                    yield user


def _holders_of(call: Call[Any], policy: ManagedPolicy) -> Iterator[User | Role | Group]:
    for key in users_of(call, "attached", policy.arn(call.partition)):
        stored = call.records.read(key)
        if stored is not None and isinstance(stored.record, User | Role | Group):
            yield stored.record


# Reports


def _named(call: Call[Any], *kinds: str) -> Any:
    """The entity that the call names by its ARN, one of these kinds in the caller's account; refuses any other."""
    text = call.command.arn
    try:
        parsed = Arn.parse(text)
    except ValueError:
        raise InvalidInputException(f"ARN {text} is not valid.") from None
    if parsed.partition != call.partition:
        raise ValidationError("Invalid ARN partition")
    if parsed.service != "iam":
        raise ValidationError("Invalid service in ARN")
    of_aws = parsed.account == AWS_ACCOUNT and parsed.kind == ManagedPolicy.kind
    if parsed.account != call.account and not of_aws:
        raise AccessDenied(f"User: {call.caller.arn} is not authorized to perform the operation on {text}")
    if parsed.region or parsed.kind not in kinds:
        raise InvalidInputException(f"Invalid Entity Arn: {text} is not supported.")
    if call.target.stored is None:
        raise NoSuchEntityException(f"ARN {text} does not exist.")
    return call.target.stored.record


def _make_room(call: Call[Any]) -> None:
    reports = sorted(call.records.each(AccessReport, call.account), key=lambda stored: stored.record.created)
    for place, stored in enumerate(reports):
        if place <= len(reports) - _MOST or stored.record.created + _KEPT_SECONDS <= call.now:
            call.records.delete(stored)


@handles(api.GenerateServiceLastAccessedDetailsCommand)
def generate_service_last_accessed_details(
    call: Call[api.GenerateServiceLastAccessedDetailsCommand],
) -> api.GenerateServiceLastAccessedDetailsResponse:
    """Note what a report is about, with what can be used now and by whom; it is ready at once."""
    command = call.command
    entity = _named(call, *_HOLDERS, ManagedPolicy.kind)
    policies = _policies(call, entity)
    services = sorted(name for name in named_services(policies) | _OWN.keys() if usable(policies, name))
    actions = command.granularity == _ACTIONS
    own = [(name, action) for name in services for action in _OWN.get(name, ())] if actions else []
    _make_room(call)
    report = AccessReport(
        account=call.account,
        id=str(uuid.UUID(bytes=call.random(_UUID_BYTES), version=4)),
        entity=command.arn,
        creator=call.caller.user_id,
        created=int(call.now),
        actions=actions,
        services=tuple(services),
        granted=tuple(f"{name}:{action}" for name, action in own if usable(policies, name, action)),
        users=tuple(each.id for each in _users_and_roles(call, entity)),
    )
    call.records.create(report)
    return api.GenerateServiceLastAccessedDetailsResponse(job_id=report.id)


def _report(call: Call[Any]) -> AccessReport:
    """The report that the call names; nobody but who had it made can read it."""
    stored = (
        call.records.get(AccessReport, call.account, call.command.job_id) if call.command.job_id.isascii() else None
    )
    if (
        stored is None
        or stored.record.creator != call.caller.user_id
        or stored.record.created + _KEPT_SECONDS <= call.now
    ):
        raise NoSuchEntityException(f"Job {call.command.job_id} does not exist.")
    return stored.record


def _reported(call: Call[Any], report: AccessReport) -> list[User | Role]:
    """The users and roles of a report that are still there."""
    found = (call.records.by_id(each) for each in report.users)
    return [stored.record for stored in found if stored is not None]


class _Seen(NamedTuple):
    """A last use: when, where, by whom, and of which action."""

    used: int
    region: str
    by: str
    action: str


def _split(use: Use) -> tuple[str, str]:
    """Service and action of a last use."""
    _, service, action = use.id.split("/", 2)
    return service, action


def _uses(call: Call[Any], users: Iterable[User | Role]) -> dict[str, list[_Seen]]:
    """The last uses of every action by any of some users and roles, by service."""
    found: dict[str, list[_Seen]] = {}
    for user in users:
        for use in call.usage.actions(call.records, user.id):
            service, action = _split(use)
            found.setdefault(service, []).append(_Seen(use.used, use.region, user.arn(call.partition), action))
    return found


def _actions(name: str, report: AccessReport, seen: list[_Seen]) -> tuple[api.TrackedActionLastAccessed, ...]:
    """The actions that were used or could be, ascending."""
    newest: dict[str, _Seen | None] = {
        action: None for service, _, action in (each.partition(":") for each in report.granted) if service == name
    }
    for each in sorted(seen):
        newest[each.action] = each
    return tuple(
        api.TrackedActionLastAccessed(action_name=action)
        if last is None
        else api.TrackedActionLastAccessed(
            action_name=action,
            last_accessed_entity=last.by,
            last_accessed_time=moment(last.used),
            last_accessed_region=last.region,
        )
        for action, last in sorted(newest.items())
    )


def _service(name: str, report: AccessReport, seen: list[_Seen]) -> api.ServiceLastAccessed:
    last = max(seen) if seen else None
    return api.ServiceLastAccessed(
        service_name=_NAMES.get(name, name),
        service_namespace=name,
        last_authenticated=None if last is None else moment(last.used),
        last_authenticated_entity=None if last is None else last.by,
        last_authenticated_region=None if last is None else last.region,
        total_authenticated_entities=len({each.by for each in seen}),
        tracked_actions_last_accessed=(_actions(name, report, seen) or None) if report.actions else None,
    )


@handles(api.GetServiceLastAccessedDetailsCommand)
def get_service_last_accessed_details(
    call: Call[api.GetServiceLastAccessedDetailsCommand],
) -> api.GetServiceLastAccessedDetailsResponse:
    """The services that an entity's policies give it, with their last uses."""
    report = _report(call)
    uses = _uses(call, _reported(call, report))

    def entries(after: str) -> Iterator[tuple[str, api.ServiceLastAccessed]]:
        for name in report.services:
            if name > after:
                yield name, _service(name, report, uses.get(name, []))

    shown, rest = page(call, entries, limit=_PAGE, refused=_foreign)
    return api.GetServiceLastAccessedDetailsResponse(
        job_status="COMPLETED",
        job_type=_ACTIONS if report.actions else _SERVICES,
        job_creation_date=moment(report.created),
        job_completion_date=moment(report.created),
        services_last_accessed=shown,
        is_truncated=rest.is_truncated,
        marker=rest.marker,
    )


def _foreign(mark: NotAMark) -> ServiceException:
    if mark.after is None:
        return ValidationError("Invalid Marker.")
    return InvalidInputException("The marker passed in the request was invalid.")


def _details(call: Call[Any], entity: User | Role, service: str) -> api.EntityDetails:
    seen = _uses(call, [entity]).get(service)
    return api.EntityDetails(
        entity_info=api.EntityInfo(
            arn=entity.arn(call.partition), name=entity.name, type=entity.kind.upper(), id=entity.id, path=entity.path
        ),
        last_authenticated=moment(max(seen).used) if seen else None,
    )


@handles(api.GetServiceLastAccessedDetailsWithEntitiesCommand)
def get_service_last_accessed_details_with_entities(
    call: Call[api.GetServiceLastAccessedDetailsWithEntitiesCommand],
) -> api.GetServiceLastAccessedDetailsWithEntitiesResponse:
    """The users and roles that could use a service, users first, as they are called now, without those that went."""
    report = _report(call)
    service = call.command.service_namespace
    if _NAMESPACE.fullmatch(service) is None:
        raise InvalidInputException(f"Service namepace {service} is either invalid or unsupported.")
    found = _reported(call, report) if service in report.services else ()
    placed = sorted((f"{int(isinstance(each, Role))} {each.key[2]}", each) for each in found)

    def entries(after: str) -> Iterator[tuple[str, api.EntityDetails]]:
        for position, each in placed:
            if position > after:
                yield position, _details(call, each, service)

    shown, rest = page(call, entries, filters=report.id, refused=_foreign)
    return api.GetServiceLastAccessedDetailsWithEntitiesResponse(
        job_status="COMPLETED",
        job_creation_date=moment(report.created),
        job_completion_date=moment(report.created),
        entity_details_list=shown,
        is_truncated=rest.is_truncated,
        marker=rest.marker,
    )


# Which policies


def _granting(held: _Held) -> api.PolicyGrantingServiceAccess:
    if held.arn is not None:
        return api.PolicyGrantingServiceAccess(policy_name=held.name, policy_type="MANAGED", policy_arn=held.arn)
    return api.PolicyGrantingServiceAccess(
        policy_name=held.name,
        policy_type="INLINE",
        entity_type=held.holder.kind.upper(),
        entity_name=held.holder.name,
    )


@handles(api.ListPoliciesGrantingServiceAccessCommand)
def list_policies_granting_service_access(
    call: Call[api.ListPoliciesGrantingServiceAccessCommand],
) -> api.ListPoliciesGrantingServiceAccessResponse:
    """The policies that give the use of each service; a managed one once, though it comes by several ways."""
    command = call.command
    if command.arn == root_arn(call.partition, call.account):
        raise InvalidInputException(f"Could not extract entity from ARN : {command.arn}")
    entity = _named(call, *_HOLDERS)
    unknown = [each for each in command.service_namespaces if _NAMESPACE.fullmatch(each) is None]
    if unknown:
        raise InvalidInputException(f"Invalid service namespace: [{', '.join(unknown)}]")
    held = list({each.arn or (each.holder.id, each.name): each for each in _held(call, entity)}.values())

    def entries(after: str) -> Iterator[tuple[str, api.ListPoliciesGrantingServiceAccessEntry]]:
        for number, service in enumerate(dict.fromkeys(command.service_namespaces)):
            position = f"{number:03}"
            if position > after:
                policies = tuple(
                    _granting(each) for each in held if each.policy is not None and grants([each.policy], service)
                )
                yield position, api.ListPoliciesGrantingServiceAccessEntry(service_namespace=service, policies=policies)

    shown, rest = page(call, entries, limit=_PAGE)
    return api.ListPoliciesGrantingServiceAccessResponse(
        policies_granting_service_access=shown, is_truncated=rest.is_truncated, marker=rest.marker
    )
