"""Who is in which organization, and what that lets an account do there (ORG-GEN-006)."""

from __future__ import annotations

from typing import Any, Final

from locum.core.limits import limit
from locum.core.organization_records import Organization, OrgUnit
from locum.core.records import Account, Record
from locum.organization_errors import AccessDeniedException, AccountNotFoundException, AWSOrganizationsNotInUseException
from locum.server.handlers import Call
from locum.store.records import Records, Stored

__all__ = [
    "Place",
    "account_in",
    "find_organization",
    "find_place",
    "most",
    "no_account",
    "not_in_use",
    "organization_managed",
    "organization_of",
    "organization_read",
]

_NO_PERMISSION: Final = "You don't have permissions to access this resource."

Place = Account | Organization | OrgUnit
"""What policies are attached to: an account, the root, a unit."""


def find_organization(records: Records, account: str) -> Stored[Organization] | None:
    """The organization that an account is in."""
    member = records.get(Account, "", account)
    if member is None or member.record.organization is None:
        return None
    return records.get(Organization, "", member.record.organization)


def not_in_use() -> AWSOrganizationsNotInUseException:
    """The error for an account that is in no organization, or not in the one that counts."""
    return AWSOrganizationsNotInUseException("Your account is not a member of an organization.")


def organization_of(call: Call[Any]) -> Stored[Organization]:
    """The caller's organization, whatever it is there; AWSOrganizationsNotInUseException where it is in none."""
    found = find_organization(call.records, call.account)
    if found is None:
        raise not_in_use()
    return found


def organization_read(call: Call[Any]) -> Stored[Organization]:
    """The same for what only the management account and delegated administrators of any service may see."""
    found = organization_of(call)
    organization = found.record
    delegated = (accounts for service, accounts in organization.delegated.items() if service in organization.services)
    if call.account != organization.management and not any(call.account in accounts for accounts in delegated):
        raise AccessDeniedException(_NO_PERMISSION)
    return found


def organization_managed(call: Call[Any]) -> Stored[Organization]:
    """The same for what only the management account may do."""
    found = organization_of(call)
    if call.account != found.record.management:
        raise AccessDeniedException(_NO_PERMISSION)
    return found


def no_account() -> AccountNotFoundException:
    """The error for an account that is not where the call looks for it."""
    return AccountNotFoundException("You specified an account that doesn't exist.")


def account_in(call: Call[Any], organization: Organization) -> Stored[Account]:
    """The account that the call names, which must be in the organization."""
    found = call.records.get(Account, "", call.command.account_id)
    if found is None or found.record.organization != organization.id:
        raise no_account()
    return found


def find_place(records: Records, organization: Stored[Organization], id: str) -> Stored[Any] | None:
    """The root, unit or account of an organization with an id."""
    if id == organization.record.root:
        return organization
    kind: type[Record] = OrgUnit if id.startswith("ou-") else Account
    found: Stored[Any] | None = records.get(kind, "", id)
    return found if found is not None and found.record.organization == organization.record.id else None


def most(call: Call[Any], organization: Organization, quota: str) -> int:
    """The most that a quota of the management account allows."""
    stored = call.records.get(Account, "", organization.management)
    return limit(None if stored is None else stored.record, quota)
