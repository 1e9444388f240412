"""Service-linked roles: those that a service makes for itself, and that nobody else changes (IAM-SHD-002)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import ArnText, Role, RoleDescription, RoleName
from locum.api.shapes import Authorization, Command, Operation, Shape, Target, named, text
from locum.errors import (
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
    ServiceFailureException,
)

__all__ = [
    "COMMANDS",
    "CreateServiceLinkedRoleCommand",
    "CreateServiceLinkedRoleResponse",
    "DeleteServiceLinkedRoleCommand",
    "DeleteServiceLinkedRoleResponse",
    "DeletionTaskFailureReasonType",
    "GetServiceLinkedRoleDeletionStatusCommand",
    "GetServiceLinkedRoleDeletionStatusResponse",
    "RoleUsageType",
]

_NAME: Final = r"[\w+=,.@-]+"

ServiceName = Annotated[str, text(1, 128, _NAME)]
"""The principal of a service, such as ``autoscaling.amazonaws.com``."""

CustomSuffix = Annotated[str, text(1, 64, _NAME)]
"""What comes after the role's own name and an underscore."""

DeletionTaskId = Annotated[str, text(1, 1000)]
"""The id of a deletion."""

DeletionStatus = Annotated[str, text(one_of=("SUCCEEDED", "IN_PROGRESS", "FAILED", "NOT_STARTED"))]
"""How a deletion goes."""


class CreateServiceLinkedRoleResponse(Shape):
    """The new role."""

    role: Role | None = None


class CreateServiceLinkedRoleCommand(Command[CreateServiceLinkedRoleResponse]):
    """Make the role of a service, under the name that the service has for it."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "CreateServiceLinkedRole",
        Authorization(Target("service-linked-role", "aws_service_name", creates=True), keys=("iam:AWSServiceName",)),
        errors=(InvalidInputException, LimitExceededException, NoSuchEntityException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    aws_service_name: Annotated[ServiceName, named("AWSServiceName")]
    description: RoleDescription | None = None
    custom_suffix: CustomSuffix | None = None


class DeleteServiceLinkedRoleResponse(Shape):
    """The deletion, to be asked for with GetServiceLinkedRoleDeletionStatus."""

    deletion_task_id: DeletionTaskId


class DeleteServiceLinkedRoleCommand(Command[DeleteServiceLinkedRoleResponse]):
    """Delete the role of a service."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteServiceLinkedRole",
        Authorization(Target("role", "role_name")),
        errors=(NoSuchEntityException, LimitExceededException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    role_name: RoleName


class RoleUsageType(Shape):
    """What keeps a role in use."""

    region: Annotated[str, text(1, 100)] | None = None
    resources: tuple[ArnText, ...] | None = None


class DeletionTaskFailureReasonType(Shape):
    """Why a deletion failed."""

    reason: Annotated[str, text(most=1000)] | None = None
    role_usage_list: tuple[RoleUsageType, ...] | None = None


class GetServiceLinkedRoleDeletionStatusResponse(Shape):
    """How a deletion went."""

    status: DeletionStatus
    reason: DeletionTaskFailureReasonType | None = None


class GetServiceLinkedRoleDeletionStatusCommand(Command[GetServiceLinkedRoleDeletionStatusResponse]):
    """Show how a deletion went."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "GetServiceLinkedRoleDeletionStatus",
        Authorization(Target("deleted-role", "deletion_task_id")),
        errors=(NoSuchEntityException, InvalidInputException, ServiceFailureException),
    )

    deletion_task_id: DeletionTaskId


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    CreateServiceLinkedRoleCommand,
    DeleteServiceLinkedRoleCommand,
    GetServiceLinkedRoleDeletionStatusCommand,
)
"""The commands of this module."""
