"""The organization itself, its root, services with trusted access, and delegated administrators (iam_api.md 16)."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from locum.api.organizations.service import ORGANIZATIONS
from locum.api.organizations.types import (
    COMMON,
    AccountId,
    DelegatedAdministrator,
    DelegatedService,
    EnabledServicePrincipal,
    FeatureSet,
    MaxResults,
    NextToken,
    Nothing,
    Organization,
    Root,
    ServicePrincipal,
)
from locum.api.shapes import Authorization, Command, Operation, Shape, Target
from locum.organization_errors import (
    AccessDeniedException,
    AccessDeniedForDependencyException,
    AccountAlreadyRegisteredException,
    AccountNotFoundException,
    AccountNotRegisteredException,
    AlreadyInOrganizationException,
    ConcurrentModificationException,
    ConstraintViolationException,
    InvalidInputException,
    OrganizationNotEmptyException,
    ServiceException,
    TooManyRequestsException,
    UnsupportedAPIEndpointException,
)

__all__ = [
    "COMMANDS",
    "CreateOrganizationCommand",
    "CreateOrganizationResponse",
    "DeleteOrganizationCommand",
    "DeregisterDelegatedAdministratorCommand",
    "DescribeOrganizationCommand",
    "DescribeOrganizationResponse",
    "DisableAWSServiceAccessCommand",
    "EnableAWSServiceAccessCommand",
    "ListAWSServiceAccessForOrganizationCommand",
    "ListAWSServiceAccessForOrganizationResponse",
    "ListDelegatedAdministratorsCommand",
    "ListDelegatedAdministratorsResponse",
    "ListDelegatedServicesForAccountCommand",
    "ListDelegatedServicesForAccountResponse",
    "ListRootsCommand",
    "ListRootsResponse",
    "RegisterDelegatedAdministratorCommand",
]

_ACCOUNT: Final = Target("org-account", "account_id")
_SERVICE: Final = ("organizations:ServicePrincipal",)
_SERVICES: Final = (*COMMON, ConstraintViolationException, InvalidInputException, UnsupportedAPIEndpointException)
_SERVICE_CHANGES: Final = (*_SERVICES, ConcurrentModificationException)


class CreateOrganizationResponse(Shape):
    """The organization that was made."""

    organization: Organization


class CreateOrganizationCommand(Command[CreateOrganizationResponse]):
    """Make an organization with one root; the caller's account becomes its management account (ORG-001).

    ``feature_set`` is ``ALL`` unless given; no type of policy is enabled yet.
    """

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "CreateOrganization",
        Authorization(),
        errors=(
            AccessDeniedException,
            AlreadyInOrganizationException,
            ConcurrentModificationException,
            ConstraintViolationException,
            InvalidInputException,
            ServiceException,
            TooManyRequestsException,
            AccessDeniedForDependencyException,
        ),
        read_only=False,
        writes=True,
    )

    feature_set: FeatureSet | None = None


class DescribeOrganizationResponse(Shape):
    """The caller's organization."""

    organization: Organization


class DescribeOrganizationCommand(Command[DescribeOrganizationResponse]):
    """Show the organization that the caller's account is in, to any account in it (ORG-GEN-006)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS, "DescribeOrganization", Authorization(), errors=(*COMMON, ConcurrentModificationException)
    )


class DeleteOrganizationCommand(Command[Nothing]):
    """Dissolve an organization that has no account beside the management account; units and policies go with it."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "DeleteOrganization",
        Authorization(),
        errors=(
            *COMMON,
            ConcurrentModificationException,
            ConstraintViolationException,
            InvalidInputException,
            OrganizationNotEmptyException,
        ),
        read_only=False,
        writes=True,
    )


class ListRootsResponse(Shape):
    """The one root."""

    roots: tuple[Root, ...]
    next_token: NextToken | None = None


class ListRootsCommand(Command[ListRootsResponse]):
    """Show the root with the policy types that are enabled (ORG-010)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS, "ListRoots", Authorization(), errors=(*COMMON, InvalidInputException)
    )

    next_token: NextToken | None = None
    max_results: MaxResults | None = None


class EnableAWSServiceAccessCommand(Command[Nothing]):
    """Give a service trusted access to the organization (ORG-020)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "EnableAWSServiceAccess",
        Authorization(keys=_SERVICE),
        errors=_SERVICE_CHANGES,
        read_only=False,
        writes=True,
    )

    service_principal: ServicePrincipal


class DisableAWSServiceAccessCommand(Command[Nothing]):
    """Take trusted access from a service; one that has none is no error (ORG-020)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "DisableAWSServiceAccess",
        Authorization(keys=_SERVICE),
        errors=_SERVICE_CHANGES,
        read_only=False,
        writes=True,
    )

    service_principal: ServicePrincipal


class ListAWSServiceAccessForOrganizationResponse(Shape):
    """One page of services with trusted access."""

    enabled_service_principals: tuple[EnabledServicePrincipal, ...]
    next_token: NextToken | None = None


class ListAWSServiceAccessForOrganizationCommand(Command[ListAWSServiceAccessForOrganizationResponse]):
    """List the services with trusted access, by name."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS, "ListAWSServiceAccessForOrganization", Authorization(), errors=_SERVICES
    )

    next_token: NextToken | None = None
    max_results: MaxResults | None = None


class RegisterDelegatedAdministratorCommand(Command[Nothing]):
    """Let a member account administer a service for the organization, which needs trusted access first (ORG-021)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "RegisterDelegatedAdministrator",
        Authorization(_ACCOUNT, keys=_SERVICE),
        errors=(*_SERVICE_CHANGES, AccountAlreadyRegisteredException, AccountNotFoundException),
        read_only=False,
        writes=True,
    )

    account_id: AccountId
    service_principal: ServicePrincipal


class DeregisterDelegatedAdministratorCommand(Command[Nothing]):
    """Take the administration of a service from an account (ORG-021)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "DeregisterDelegatedAdministrator",
        Authorization(_ACCOUNT, keys=_SERVICE),
        errors=(*_SERVICE_CHANGES, AccountNotFoundException, AccountNotRegisteredException),
        read_only=False,
        writes=True,
    )

    account_id: AccountId
    service_principal: ServicePrincipal


class ListDelegatedAdministratorsResponse(Shape):
    """One page of delegated administrators."""

    delegated_administrators: tuple[DelegatedAdministrator, ...]
    next_token: NextToken | None = None


class ListDelegatedAdministratorsCommand(Command[ListDelegatedAdministratorsResponse]):
    """List the delegated administrators, of one service or of any, by account id."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS, "ListDelegatedAdministrators", Authorization(keys=_SERVICE), errors=_SERVICES
    )

    service_principal: ServicePrincipal | None = None
    next_token: NextToken | None = None
    max_results: MaxResults | None = None


class ListDelegatedServicesForAccountResponse(Shape):
    """One page of services."""

    delegated_services: tuple[DelegatedService, ...]
    next_token: NextToken | None = None


class ListDelegatedServicesForAccountCommand(Command[ListDelegatedServicesForAccountResponse]):
    """List the services that an account administers, by name."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "ListDelegatedServicesForAccount",
        Authorization(_ACCOUNT),
        errors=(*_SERVICES, AccountNotFoundException, AccountNotRegisteredException),
    )

    account_id: AccountId
    next_token: NextToken | None = None
    max_results: MaxResults | None = None


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    CreateOrganizationCommand,
    DescribeOrganizationCommand,
    DeleteOrganizationCommand,
    ListRootsCommand,
    EnableAWSServiceAccessCommand,
    DisableAWSServiceAccessCommand,
    ListAWSServiceAccessForOrganizationCommand,
    RegisterDelegatedAdministratorCommand,
    DeregisterDelegatedAdministratorCommand,
    ListDelegatedAdministratorsCommand,
    ListDelegatedServicesForAccountCommand,
)
"""The commands of this module."""
