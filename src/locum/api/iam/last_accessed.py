"""When services were last used, by whom, and which policies let somebody use them."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import ArnText, Marker, MaxItems, Path, PolicyName, UniqueId, UserName
from locum.api.shapes import Authorization, Command, Operation, Shape, Target, items, text
from locum.errors import InvalidInputException, NoSuchEntityException

__all__ = [
    "COMMANDS",
    "EntityDetails",
    "EntityInfo",
    "ErrorDetails",
    "GenerateServiceLastAccessedDetailsCommand",
    "GenerateServiceLastAccessedDetailsResponse",
    "GetServiceLastAccessedDetailsCommand",
    "GetServiceLastAccessedDetailsResponse",
    "GetServiceLastAccessedDetailsWithEntitiesCommand",
    "GetServiceLastAccessedDetailsWithEntitiesResponse",
    "ListPoliciesGrantingServiceAccessCommand",
    "ListPoliciesGrantingServiceAccessEntry",
    "ListPoliciesGrantingServiceAccessResponse",
    "PolicyGrantingServiceAccess",
    "ServiceLastAccessed",
    "TrackedActionLastAccessed",
]

_ERRORS: Final = (NoSuchEntityException, InvalidInputException)

JobId = Annotated[str, text(36, 36)]
"""The id of a report."""

Granularity = Annotated[str, text(one_of=("SERVICE_LEVEL", "ACTION_LEVEL"))]
"""How far down a report goes."""

JobStatus = Annotated[str, text(one_of=("IN_PROGRESS", "COMPLETED", "FAILED"))]
"""How far a report is."""

ServiceNamespace = Annotated[str, text(1, 64, r"[\w-]*")]
"""The prefix of a service's actions."""

OwnerKind = Annotated[str, text(one_of=("USER", "ROLE", "GROUP"))]
"""A kind of entity that has policies."""

PolicyType = Annotated[str, text(one_of=("INLINE", "MANAGED"))]
"""Whether a policy stands for itself."""

EntityName = Annotated[str, text(1, 128, r"[\w+=,.@-]+")]
"""The name of a user, role or group."""


class GenerateServiceLastAccessedDetailsResponse(Shape):
    """The report's id."""

    job_id: JobId | None = None


class GenerateServiceLastAccessedDetailsCommand(Command[GenerateServiceLastAccessedDetailsResponse]):
    """Make a report on the services that a user, role, group or policy can use."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "GenerateServiceLastAccessedDetails",
        Authorization(Target("entity", "arn")),
        errors=_ERRORS,
        read_only=False,
        writes=True,
    )

    arn: ArnText
    granularity: Granularity | None = None


class ErrorDetails(Shape):
    """Why a report failed."""

    message: str
    code: str


class TrackedActionLastAccessed(Shape):
    """When an action was last used, by whom and where."""

    action_name: str | None = None
    last_accessed_entity: ArnText | None = None
    last_accessed_time: datetime.datetime | None = None
    last_accessed_region: str | None = None


class ServiceLastAccessed(Shape):
    """When a service was last used, by whom and where; without these three if never."""

    service_name: str
    last_authenticated: datetime.datetime | None = None
    service_namespace: ServiceNamespace
    last_authenticated_entity: ArnText | None = None
    last_authenticated_region: str | None = None
    total_authenticated_entities: int | None = None
    tracked_actions_last_accessed: tuple[TrackedActionLastAccessed, ...] | None = None


class GetServiceLastAccessedDetailsResponse(Shape):
    """One page of a report, ascending by namespace; 200 unless it is said how many."""

    job_status: JobStatus
    job_type: Granularity | None = None
    job_creation_date: datetime.datetime
    services_last_accessed: tuple[ServiceLastAccessed, ...]
    job_completion_date: datetime.datetime
    error: ErrorDetails | None = None
    is_truncated: bool = False
    marker: str | None = None


class GetServiceLastAccessedDetailsCommand(Command[GetServiceLastAccessedDetailsResponse]):
    """Show a report, page by page, to whoever had it made."""

    operation: ClassVar[Operation] = Operation(IAM, "GetServiceLastAccessedDetails", Authorization(), errors=_ERRORS)

    job_id: JobId
    marker: Marker | None = None
    max_items: MaxItems | None = None


class EntityInfo(Shape):
    """A user, role or group."""

    arn: ArnText
    name: UserName
    type: OwnerKind
    id: UniqueId
    path: Path | None = None


class EntityDetails(Shape):
    """When an entity last used a service; without a time if never."""

    entity_info: EntityInfo
    last_authenticated: datetime.datetime | None = None


class GetServiceLastAccessedDetailsWithEntitiesResponse(Shape):
    """One page of entities."""

    job_status: JobStatus
    job_creation_date: datetime.datetime
    job_completion_date: datetime.datetime
    entity_details_list: tuple[EntityDetails, ...]
    error: ErrorDetails | None = None
    is_truncated: bool = False
    marker: str | None = None


class GetServiceLastAccessedDetailsWithEntitiesCommand(Command[GetServiceLastAccessedDetailsWithEntitiesResponse]):
    """Show who can use a service by what the report is about, and when each last did, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM, "GetServiceLastAccessedDetailsWithEntities", Authorization(), errors=_ERRORS
    )

    job_id: JobId
    service_namespace: ServiceNamespace
    marker: Marker | None = None
    max_items: MaxItems | None = None


class PolicyGrantingServiceAccess(Shape):
    """A policy that lets its holders use a service; a managed one by ARN, an inline one by its holder."""

    policy_name: PolicyName
    policy_type: PolicyType
    policy_arn: ArnText | None = None
    entity_type: OwnerKind | None = None
    entity_name: EntityName | None = None


class ListPoliciesGrantingServiceAccessEntry(Shape):
    """The policies that let somebody use one service."""

    service_namespace: ServiceNamespace | None = None
    policies: tuple[PolicyGrantingServiceAccess, ...] | None = None


class ListPoliciesGrantingServiceAccessResponse(Shape):
    """One page of services, in the order in which they were asked for."""

    policies_granting_service_access: tuple[ListPoliciesGrantingServiceAccessEntry, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListPoliciesGrantingServiceAccessCommand(Command[ListPoliciesGrantingServiceAccessResponse]):
    """List the identity policies that let a user, role or group use each of some services."""

    operation: ClassVar[Operation] = Operation(
        IAM, "ListPoliciesGrantingServiceAccess", Authorization(Target("entity", "arn")), errors=_ERRORS
    )

    marker: Marker | None = None
    arn: ArnText
    service_namespaces: Annotated[tuple[ServiceNamespace, ...], items(1, 200, no_nulls=True)]


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    GenerateServiceLastAccessedDetailsCommand,
    GetServiceLastAccessedDetailsCommand,
    GetServiceLastAccessedDetailsWithEntitiesCommand,
    ListPoliciesGrantingServiceAccessCommand,
)
"""The commands of this module."""
