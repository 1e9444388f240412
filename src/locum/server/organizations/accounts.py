"""The accounts of an organization (ORG-002, ORG-003): made, shown, moved, closed, removed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from locum import arn
from locum.api.organizations import accounts as api
from locum.api.organizations import types
from locum.core.organization import joined, left
from locum.core.organization_records import AccountCreation, Organization
from locum.core.records import Account, Role
from locum.errors import ServiceUnavailable
from locum.organization_errors import (
    AccountAlreadyClosedException,
    ConstraintViolationException,
    CreateAccountStatusNotFoundException,
    DestinationParentNotFoundException,
    DuplicateAccountException,
    InvalidInputException,
    MasterCannotLeaveOrganizationException,
    ParentNotFoundException,
    SourceParentNotFoundException,
)
from locum.secret import Secret
from locum.server.accounts import free_id
from locum.server.config import Refused
from locum.server.handlers import Call, handles
from locum.server.organizations.answers import account_shown, address_of, merged_tags, moment, new_id, page
from locum.server.organizations.members import (
    account_in,
    find_place,
    most,
    no_account,
    organization_managed,
    organization_of,
    organization_read,
)
from locum.store.organizations import each_found
from locum.store.records import Stored

__all__ = [
    "close_account",
    "create_account",
    "describe_account",
    "describe_create_account_status",
    "leave_organization",
    "list_accounts",
    "list_accounts_for_parent",
    "list_create_account_status",
    "move_account",
    "remove_account_from_organization",
]

_ADMINISTRATORS: Final = "OrganizationAccountAccessRole"
_EVERYTHING: Final = "arn:{}:iam::aws:policy/AdministratorAccess"
_OF_SERVICES: Final = "AWSServiceRoleFor"
_ID_BYTES: Final = 11
_CREATIONS: Final = 1_000
"""Creations that an organization keeps beside as many as it may have accounts; the oldest give way."""


def _access_role(call: Call[Any], organization: Organization, account: str, name: str) -> Role:
    """The role by which the management account administers a new account (ORG-002)."""
    management = arn.account_root(call.partition, organization.management)
    statement = {"Effect": "Allow", "Principal": {"AWS": management}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    return Role(
        account=account,
        id=arn.unique_id("AROA", call.random(_ID_BYTES)),
        name=name,
        created=int(call.now),
        trust=msgspec.json.encode(trust).decode(),
        attached=(_EVERYTHING.format(call.partition),),
    )


def _is_taken(call: Call[Any], email: str) -> bool:
    """Whether an account has this address, or shows it because it has none."""
    if call.records.found("account-email", email, limit=1):
        return True
    id = re.match("[0-9]{12}(?=@)", email)
    named = call.records.get(Account, "", id[0]) if id else None
    return named is not None and address_of(named.record).reveal() == email


@handles(api.CreateAccountCommand)
def create_account(call: Call[api.CreateAccountCommand]) -> api.CreateAccountResponse:
    """Make an account, or note why there is none; either way DescribeCreateAccountStatus tells (ORG-002)."""
    organization = organization_managed(call).record
    command, records, now = call.command, call.records, int(call.now)
    tags = merged_tags({}, command.tags)
    role = command.role_name or _ADMINISTRATORS
    if role.startswith(_OF_SERVICES):
        raise InvalidInputException(
            f"You provided a role name that isn't valid: it begins with {_OF_SERVICES}.", reason="INVALID_ROLE_NAME"
        )
    allowed = most(call, organization, "AccountsPerOrganization")
    members = records.found("org-account", organization.id, limit=allowed) if allowed else ()
    if len(members) >= allowed:
        raise ConstraintViolationException(
            "You have exceeded the allowed number of AWS accounts.", reason="ACCOUNT_NUMBER_LIMIT_EXCEEDED"
        )
    email, name = command.email.reveal(), command.account_name.reveal()
    # The time stands first, so that the order of ids is that of creations.
    request = new_id(call, f"car-{now:09x}", 23)
    creation = AccountCreation(id=request, organization=organization.id, name=name, created=now)
    if _is_taken(call, email.lower()):
        creation = msgspec.structs.replace(creation, failure="EMAIL_ALREADY_EXISTS")
    else:
        try:
            id = free_id(records, call.random)
        except Refused:
            raise ServiceUnavailable("No account id was found. Try again.") from None
        account = Account(id=id, name=name, created=now, email=email, tags=tags)
        records.create(joined(account, organization, now, invited=False))
        records.create(_access_role(call, organization, id, role))
        creation = msgspec.structs.replace(creation, account=id)
    _make_room(call, organization, allowed + _CREATIONS)
    records.create(creation)
    return api.CreateAccountResponse(
        create_account_status=api.CreateAccountStatus(
            id=creation.id,
            account_name=command.account_name,
            state="IN_PROGRESS",
            requested_timestamp=moment(now),
        )
    )


def _make_room(call: Call[Any], organization: Organization, allowed: int) -> None:
    """Forget the oldest creation where there are as many as ``allowed``; failed ones count in no quota."""
    kept = call.records.found(AccountCreation.kind, organization.id, limit=allowed)
    oldest = call.records.get(AccountCreation, "", kept[0].name) if len(kept) == allowed else None
    if oldest is not None:
        call.records.delete(oldest)


def _status(creation: AccountCreation) -> api.CreateAccountStatus:
    return api.CreateAccountStatus(
        id=creation.id,
        account_name=Secret(creation.name),
        state="FAILED" if creation.failure else "SUCCEEDED",
        requested_timestamp=moment(creation.created),
        completed_timestamp=moment(creation.created),
        account_id=creation.account or None,
        failure_reason=creation.failure or None,
    )


@handles(api.DescribeCreateAccountStatusCommand)
def describe_create_account_status(
    call: Call[api.DescribeCreateAccountStatusCommand],
) -> api.DescribeCreateAccountStatusResponse:
    """How a creation went (ORG-002)."""
    organization = organization_read(call).record
    stored = call.records.get(AccountCreation, "", call.command.create_account_request_id)
    if stored is None or stored.record.organization != organization.id:
        raise CreateAccountStatusNotFoundException("You specified a create account request that doesn't exist.")
    return api.DescribeCreateAccountStatusResponse(create_account_status=_status(stored.record))


@handles(api.ListCreateAccountStatusCommand)
def list_create_account_status(
    call: Call[api.ListCreateAccountStatusCommand],
) -> api.ListCreateAccountStatusResponse:
    """The creations in some states, or in all, the oldest first."""
    organization = organization_read(call).record
    states = call.command.states

    def entries(after: str) -> Iterator[tuple[str, api.CreateAccountStatus]]:
        for stored in each_found(call.records, AccountCreation, AccountCreation.kind, organization.id, after=after):
            status = _status(stored.record)
            if not states or status.state in states:
                yield stored.record.id, status

    statuses, token = page(call, entries)
    return api.ListCreateAccountStatusResponse(create_account_statuses=statuses, next_token=token)


@handles(api.DescribeAccountCommand)
def describe_account(call: Call[api.DescribeAccountCommand]) -> api.DescribeAccountResponse:
    """An account of the organization (ORG-GEN-004)."""
    organization = organization_read(call).record
    account = account_in(call, organization).record
    return api.DescribeAccountResponse(account=account_shown(call, organization, account))


def _listed(
    call: Call[Any], organization: Organization, index: str, value: str
) -> tuple[tuple[types.Account, ...], str | None]:
    def entries(after: str) -> Iterator[tuple[str, types.Account]]:
        for stored in each_found(call.records, Account, index, value, after=after):
            yield stored.record.id, account_shown(call, organization, stored.record)

    return page(call, entries)


@handles(api.ListAccountsCommand)
def list_accounts(call: Call[api.ListAccountsCommand]) -> api.ListAccountsResponse:
    """The accounts of the organization, by id."""
    organization = organization_read(call).record
    accounts, token = _listed(call, organization, "org-account", organization.id)
    return api.ListAccountsResponse(accounts=accounts, next_token=token)


@handles(api.ListAccountsForParentCommand)
def list_accounts_for_parent(call: Call[api.ListAccountsForParentCommand]) -> api.ListAccountsForParentResponse:
    """The accounts directly under the root or a unit, by id."""
    stored = organization_read(call)
    parent = call.command.parent_id
    if find_place(call.records, stored, parent) is None:
        raise ParentNotFoundException("You specified a parent that doesn't exist.")
    accounts, token = _listed(call, stored.record, "account-parent", parent)
    return api.ListAccountsForParentResponse(accounts=accounts, next_token=token)


@handles(api.MoveAccountCommand)
def move_account(call: Call[api.MoveAccountCommand]) -> types.Nothing:
    """Move an account from its parent to another one (ORG-003); it is not found where it is not under the source."""
    organization = organization_managed(call)
    command = call.command
    account = account_in(call, organization.record)
    if find_place(call.records, organization, command.source_parent_id) is None:
        raise SourceParentNotFoundException("You specified a source parent that doesn't exist.")
    if account.record.parent != command.source_parent_id:
        raise no_account()
    if find_place(call.records, organization, command.destination_parent_id) is None:
        raise DestinationParentNotFoundException("You specified a destination parent that doesn't exist.")
    if command.destination_parent_id == command.source_parent_id:
        raise DuplicateAccountException("The account is already under the specified parent.")
    call.records.change(account, parent=command.destination_parent_id)
    return types.Nothing()


@handles(api.CloseAccountCommand)
def close_account(call: Call[api.CloseAccountCommand]) -> types.Nothing:
    """Close a member account; its credentials stop working with the transaction."""
    organization = organization_managed(call).record
    account = account_in(call, organization)
    if account.record.id == organization.management:
        raise ConstraintViolationException(
            "You cannot close the management account.", reason="CANNOT_CLOSE_MANAGEMENT_ACCOUNT"
        )
    if account.record.closed:
        raise AccountAlreadyClosedException("The provided account is already closed.")
    call.records.change(account, closed=int(call.now))
    return types.Nothing()


def _leave(call: Call[Any], organization: Organization, account: Stored[Account]) -> types.Nothing:
    id = account.record.id
    if id == organization.management:
        raise MasterCannotLeaveOrganizationException("The management account cannot leave its organization.")
    if any(id in accounts for accounts in organization.delegated.values()):
        raise ConstraintViolationException(
            "You cannot remove a delegated administrator from the organization without de-registering the account.",
            reason="CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG",
        )
    call.records.replace(account, left(account.record))
    return types.Nothing()


@handles(api.RemoveAccountFromOrganizationCommand)
def remove_account_from_organization(call: Call[api.RemoveAccountFromOrganizationCommand]) -> types.Nothing:
    """Make a member account stand alone; it keeps its entities, the role for administrators among them."""
    organization = organization_managed(call).record
    return _leave(call, organization, account_in(call, organization))


@handles(api.LeaveOrganizationCommand)
def leave_organization(call: Call[api.LeaveOrganizationCommand]) -> types.Nothing:
    """Leave, as the member account itself."""
    organization = organization_of(call).record
    account = call.records.get(Account, "", call.account)
    if account is None:
        raise LookupError("a caller was authenticated for an account that is not there")
    return _leave(call, organization, account)
