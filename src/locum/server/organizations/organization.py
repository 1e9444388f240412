"""The organization itself, its root, trusted access of services, delegated administrators (ORG-001, ORG-020…022)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from locum.api.organizations import organization as api
from locum.api.organizations import types
from locum.core.organization import SERVICE_CONTROL, joined, left
from locum.core.organization_records import AccountCreation, Organization, OrgPolicy, OrgUnit
from locum.core.records import Account
from locum.organization_errors import (
    AccountAlreadyRegisteredException,
    AccountNotRegisteredException,
    AlreadyInOrganizationException,
    ConstraintViolationException,
    InvalidInputException,
    OrganizationNotEmptyException,
)
from locum.server.handlers import Call, handles
from locum.server.organizations.answers import (
    account_details,
    address_of,
    arn_in,
    moment,
    new_id,
    page,
    root_shown,
)
from locum.server.organizations.members import (
    account_in,
    find_place,
    not_in_use,
    organization_managed,
    organization_of,
    organization_read,
)
from locum.server.pages import whole
from locum.store.organizations import each_found
from locum.store.records import Stored

__all__ = [
    "create_organization",
    "delete_organization",
    "deregister_delegated_administrator",
    "describe_organization",
    "disable_aws_service_access",
    "enable_aws_service_access",
    "list_aws_service_access_for_organization",
    "list_delegated_administrators",
    "list_delegated_services_for_account",
    "list_roots",
    "register_delegated_administrator",
]

_MOST_SERVICES: Final = 500
"""Services with trusted access; AWS has fewer to offer."""
_SERVICE: Final = ".amazonaws.com"


def _shown(call: Call[Any], organization: Organization) -> types.Organization:
    management = call.records.get(Account, "", organization.management)
    everything = organization.feature_set == "ALL"
    return types.Organization(
        id=organization.id,
        arn=arn_in(call.partition, organization, "organization"),
        feature_set=organization.feature_set,
        master_account_arn=arn_in(call.partition, organization, "account", organization.management),
        master_account_id=organization.management,
        master_account_email=None if management is None else address_of(management.record),
        available_policy_types=(types.PolicyTypeSummary(type=SERVICE_CONTROL, status="ENABLED"),) if everything else (),
    )


@handles(api.CreateOrganizationCommand)
def create_organization(call: Call[api.CreateOrganizationCommand]) -> api.CreateOrganizationResponse:
    """Make an organization of the caller's account (ORG-001)."""
    account = call.records.get(Account, "", call.account)
    if account is None or account.record.organization is not None:
        raise AlreadyInOrganizationException("The provided account is already a member of an organization.")
    now = int(call.now)
    organization = Organization(
        id=new_id(call, "o-", 10),
        root=new_id(call, "r-", 4),
        management=call.account,
        created=now,
        feature_set=call.command.feature_set or "ALL",
    )
    call.records.create(organization)
    call.records.replace(account, joined(account.record, organization, now, invited=True))
    return api.CreateOrganizationResponse(organization=_shown(call, organization))


@handles(api.DescribeOrganizationCommand)
def describe_organization(call: Call[api.DescribeOrganizationCommand]) -> api.DescribeOrganizationResponse:
    """The organization, for any account in it."""
    return api.DescribeOrganizationResponse(organization=_shown(call, organization_of(call).record))


@handles(api.DeleteOrganizationCommand)
def delete_organization(call: Call[api.DeleteOrganizationCommand]) -> types.Nothing:
    """Dissolve the organization of one account, with its units, policies and creations."""
    stored = organization_managed(call)
    records, id = call.records, stored.record.id
    for account in each_found(records, Account, "org-account", id):
        if account.record.id != stored.record.management:
            raise OrganizationNotEmptyException(
                "To delete an organization you must first remove all member accounts (except the master)."
            )
        records.replace(account, left(account.record))
    for unit in [*each_found(records, OrgUnit, "org-unit", id)]:
        records.delete(unit)
    for creation in [*each_found(records, AccountCreation, AccountCreation.kind, id)]:
        records.delete(creation)
    for policy in [*each_found(records, OrgPolicy, "org-owner", id)]:
        records.delete(policy)
    records.delete(stored)
    return types.Nothing()


@handles(api.ListRootsCommand)
def list_roots(call: Call[api.ListRootsCommand]) -> api.ListRootsResponse:
    """The one root (ORG-010)."""
    organization = organization_read(call).record
    roots, token = page(call, lambda after: [] if after else [(organization.root, root_shown(call, organization))])
    return api.ListRootsResponse(roots=roots, next_token=token)


def _with_all_features(stored: Stored[Organization]) -> Stored[Organization]:
    if stored.record.feature_set != "ALL":
        raise ConstraintViolationException(
            "The request failed because the organization does not have all features enabled. "
            "Please enable all features in your organization and then retry.",
            reason="ORGANIZATION_NOT_IN_ALL_FEATURES_MODE",
        )
    return stored


def _check_service(service: str) -> None:
    if not service.endswith(_SERVICE):
        raise _unrecognized()


def _unrecognized() -> InvalidInputException:
    return InvalidInputException(
        "You specified an unrecognized service principal.", reason="UNRECOGNIZED_SERVICE_PRINCIPAL"
    )


def _check_member(account: str, organization: Organization) -> None:
    if account == organization.management:
        raise ConstraintViolationException(
            "You cannot register master account/yourself as delegated administrator for your organization.",
            reason="CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR",
        )


@handles(api.EnableAWSServiceAccessCommand)
def enable_aws_service_access(call: Call[api.EnableAWSServiceAccessCommand]) -> types.Nothing:
    """Give a service trusted access; a service that has it keeps it (ORG-020)."""
    stored = _with_all_features(organization_managed(call))
    service = call.command.service_principal
    _check_service(service)
    services = stored.record.services
    if service not in services:
        if len(services) >= _MOST_SERVICES:
            raise ConstraintViolationException("The organization has too many services with trusted access.")
        call.records.change(stored, services=services | {service: int(call.now)})
    return types.Nothing()


@handles(api.DisableAWSServiceAccessCommand)
def disable_aws_service_access(call: Call[api.DisableAWSServiceAccessCommand]) -> types.Nothing:
    """Take the trusted access of a service that has no delegated administrators any more (ORG-020)."""
    stored = _with_all_features(organization_managed(call))
    service = call.command.service_principal
    _check_service(service)
    if stored.record.delegated.get(service):
        raise ConstraintViolationException(
            "You have delegated administrator/s for this service. De-register them in order to disable service access.",
            reason="DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE",
        )
    rest = {name: since for name, since in stored.record.services.items() if name != service}
    call.records.change(stored, services=rest)
    return types.Nothing()


@handles(api.ListAWSServiceAccessForOrganizationCommand)
def list_aws_service_access_for_organization(
    call: Call[api.ListAWSServiceAccessForOrganizationCommand],
) -> api.ListAWSServiceAccessForOrganizationResponse:
    """The services with trusted access, by name (ORG-020)."""
    services = _with_all_features(organization_read(call)).record.services
    held = {
        name: types.EnabledServicePrincipal(service_principal=name, date_enabled=moment(since))
        for name, since in services.items()
    }
    shown, token = page(call, whole(held.items()))
    return api.ListAWSServiceAccessForOrganizationResponse(enabled_service_principals=shown, next_token=token)


@handles(api.RegisterDelegatedAdministratorCommand)
def register_delegated_administrator(call: Call[api.RegisterDelegatedAdministratorCommand]) -> types.Nothing:
    """Let a member account administer a service with trusted access (ORG-021)."""
    stored = _with_all_features(organization_managed(call))
    organization, service = stored.record, call.command.service_principal
    account = account_in(call, organization).record
    _check_member(account.id, organization)
    if account.closed:
        raise ConstraintViolationException(
            "You cannot register a suspended account as a delegated administrator.",
            reason="CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR",
        )
    _check_service(service)
    if service not in organization.services:
        raise ConstraintViolationException(
            "You must enable service access before you delegate an administrator for this service. "
            "Call the AWS API EnableAWSServiceAccess first.",
            reason="SERVICE_ACCESS_NOT_ENABLED",
        )
    administrators = organization.delegated.get(service, {})
    if account.id in administrators:
        raise AccountAlreadyRegisteredException(
            "The provided account is already a delegated administrator for your organization."
        )
    delegated = organization.delegated | {service: administrators | {account.id: int(call.now)}}
    call.records.change(stored, delegated=delegated)
    return types.Nothing()


def _not_registered() -> AccountNotRegisteredException:
    return AccountNotRegisteredException(
        "The provided account is not a registered delegated administrator for your organization."
    )


@handles(api.DeregisterDelegatedAdministratorCommand)
def deregister_delegated_administrator(call: Call[api.DeregisterDelegatedAdministratorCommand]) -> types.Nothing:
    """Take the administration of a service from an account, with trusted access or without (ORG-021).

    An account that administers other services only is told that this one is not recognized; the management account
    gets the words of registration.
    """
    stored = organization_managed(call)
    organization, service = stored.record, call.command.service_principal
    account = account_in(call, organization).record
    _check_member(account.id, organization)
    administrators = organization.delegated.get(service, {})
    if account.id not in administrators:
        if any(account.id in accounts for accounts in organization.delegated.values()):
            raise _unrecognized()
        raise _not_registered()
    rest = {id: since for id, since in administrators.items() if id != account.id}
    delegated = {name: accounts for name, accounts in organization.delegated.items() if name != service}
    if rest:
        delegated[service] = rest
    call.records.change(stored, delegated=delegated)
    return types.Nothing()


@handles(api.ListDelegatedAdministratorsCommand)
def list_delegated_administrators(
    call: Call[api.ListDelegatedAdministratorsCommand],
) -> api.ListDelegatedAdministratorsResponse:
    """The delegated administrators of a service or of any, by account id, since when they first were one."""
    organization = _with_all_features(organization_read(call)).record
    asked = call.command.service_principal
    if asked is not None:
        _check_service(asked)
    since: dict[str, int] = {}
    for service, accounts in organization.delegated.items():
        for id, begun in accounts.items():
            if asked in (None, service):
                since[id] = min(begun, since.get(id, begun))

    def entries(after: str) -> Iterator[tuple[str, types.DelegatedAdministrator]]:
        for id in sorted(since):
            account = call.records.get(Account, "", id) if id > after else None
            if account is not None:
                details = account_details(call, organization, account.record)
                yield id, types.DelegatedAdministrator(**details, delegation_enabled_date=moment(since[id]))

    shown, token = page(call, entries)
    return api.ListDelegatedAdministratorsResponse(delegated_administrators=shown, next_token=token)


@handles(api.ListDelegatedServicesForAccountCommand)
def list_delegated_services_for_account(
    call: Call[api.ListDelegatedServicesForAccountCommand],
) -> api.ListDelegatedServicesForAccountResponse:
    """The services that an account administers, by name; AccountNotRegistered where there are none.

    What is said of an account that is not in the organization is said of "your account".
    """
    stored, account = _with_all_features(organization_read(call)), call.command.account_id
    organization = stored.record
    if find_place(call.records, stored, account) is None:
        raise not_in_use()
    since = {service: each[account] for service, each in organization.delegated.items() if account in each}
    if not since:
        raise _not_registered()
    held = {
        name: types.DelegatedService(service_principal=name, delegation_enabled_date=moment(begun))
        for name, begun in since.items()
    }
    shown, token = page(call, whole(held.items()))
    return api.ListDelegatedServicesForAccountResponse(delegated_services=shown, next_token=token)
