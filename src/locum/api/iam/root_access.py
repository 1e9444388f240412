"""Centralized root access: which features an organization has on, so that AssumeRoot works (IAM-CL-013)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.shapes import Authorization, Command, Operation, Shape, text
from locum.errors import (
    AccountNotManagementOrDelegatedAdministratorException,
    CallerIsNotManagementAccountException,
    OrganizationNotFoundException,
    OrganizationNotInAllFeaturesModeException,
    ServiceAccessNotEnabledException,
)

__all__ = [
    "COMMANDS",
    "DisableOrganizationsRootCredentialsManagementCommand",
    "DisableOrganizationsRootCredentialsManagementResponse",
    "DisableOrganizationsRootSessionsCommand",
    "DisableOrganizationsRootSessionsResponse",
    "EnableOrganizationsRootCredentialsManagementCommand",
    "EnableOrganizationsRootCredentialsManagementResponse",
    "EnableOrganizationsRootSessionsCommand",
    "EnableOrganizationsRootSessionsResponse",
    "ListOrganizationsFeaturesCommand",
    "ListOrganizationsFeaturesResponse",
]

_ERRORS: Final = (
    ServiceAccessNotEnabledException,
    AccountNotManagementOrDelegatedAdministratorException,
    OrganizationNotFoundException,
    OrganizationNotInAllFeaturesModeException,
)

Feature = Annotated[str, text(one_of=("RootCredentialsManagement", "RootSessions"))]
"""A feature of centralized root access."""

OrganizationId = Annotated[str, text(most=34, pattern=r"^o-[a-z0-9]{10,32}$")]
"""The id of an organization."""


class _Features(Shape):
    """AWS's answers hold the list even where it is empty."""

    organization_id: OrganizationId | None = None
    enabled_features: tuple[Feature, ...] | None = None


class EnableOrganizationsRootCredentialsManagementResponse(_Features):
    """The organization and the features that are on now."""


class EnableOrganizationsRootCredentialsManagementCommand(
    Command[EnableOrganizationsRootCredentialsManagementResponse]
):
    """Let root tasks manage the credentials of member accounts' root users; the management account alone can.

    :class:`ServiceAccessNotEnabledException` while the organization does not trust IAM (IAM-RAC-003).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "EnableOrganizationsRootCredentialsManagement",
        Authorization(),
        errors=(*_ERRORS, CallerIsNotManagementAccountException),
        read_only=False,
        writes=True,
    )


class EnableOrganizationsRootSessionsResponse(_Features):
    """The organization and the features that are on now."""


class EnableOrganizationsRootSessionsCommand(Command[EnableOrganizationsRootSessionsResponse]):
    """Let root tasks unlock the resources of member accounts; the management account alone can.

    :class:`ServiceAccessNotEnabledException` while the organization does not trust IAM (IAM-RAC-003).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "EnableOrganizationsRootSessions",
        Authorization(),
        errors=(*_ERRORS, CallerIsNotManagementAccountException),
        read_only=False,
        writes=True,
    )


class DisableOrganizationsRootCredentialsManagementResponse(_Features):
    """The organization and the features that are still on."""


class DisableOrganizationsRootCredentialsManagementCommand(
    Command[DisableOrganizationsRootCredentialsManagementResponse]
):
    """End root tasks on root users' credentials; the sessions that are open for them end, too."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DisableOrganizationsRootCredentialsManagement",
        Authorization(),
        errors=_ERRORS,
        read_only=False,
        writes=True,
    )


class DisableOrganizationsRootSessionsResponse(_Features):
    """The organization and the features that are still on."""


class DisableOrganizationsRootSessionsCommand(Command[DisableOrganizationsRootSessionsResponse]):
    """End root tasks that unlock resources; the sessions that are open for them end, too."""

    operation: ClassVar[Operation] = Operation(
        IAM, "DisableOrganizationsRootSessions", Authorization(), errors=_ERRORS, read_only=False, writes=True
    )


class ListOrganizationsFeaturesResponse(_Features):
    """The organization and the features that are on."""


class ListOrganizationsFeaturesCommand(Command[ListOrganizationsFeaturesResponse]):
    """Tell which features are on, to the management account and the delegated administrator of IAM (IAM-RAC-002)."""

    operation: ClassVar[Operation] = Operation(IAM, "ListOrganizationsFeatures", Authorization(), errors=_ERRORS)


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    EnableOrganizationsRootCredentialsManagementCommand,
    EnableOrganizationsRootSessionsCommand,
    DisableOrganizationsRootCredentialsManagementCommand,
    DisableOrganizationsRootSessionsCommand,
    ListOrganizationsFeaturesCommand,
)
"""The commands of this module."""
