"""What the store keeps of organizations: the organization with its root, units, policies, and creations of accounts.

An account's own membership stands in its record, :class:`~locum.core.records.Account`.  Times are whole seconds since
the epoch.
"""

from __future__ import annotations

import hashlib
from typing import ClassVar

from locum.core.record import InstallationRecord

__all__ = ["AccountCreation", "OrgPolicy", "OrgUnit", "Organization", "attachments", "name_mark"]


def name_mark(scope: str, name: str) -> str:
    """What stands for a name in an index, which could not hold every name; equal for the same name in a scope only."""
    return hashlib.sha256(f"{scope}/{name}".encode()).hexdigest()


def attachments(organization: str, scps: tuple[str, ...] | None, rcps: tuple[str, ...]) -> list[tuple[str, str]]:
    """The index rows of a root, unit or account for the policies that somebody attached to it, and for having any."""
    rows = [("org-policy", f"{organization}/{policy}") for policy in (*(scps or ()), *rcps)]
    if scps is not None:
        rows.append(("org-attached", f"{organization}/SERVICE_CONTROL_POLICY"))
    if rcps:
        rows.append(("org-attached", f"{organization}/RESOURCE_CONTROL_POLICY"))
    return rows


class Organization(InstallationRecord, frozen=True, kw_only=True):
    """An organization with its one root, whose policies and tags stand here too (iam_api.md section 16).

    ``management`` is the account that made it.  ``policy_types`` are those enabled in the root, ``scps`` and ``rcps``
    as :class:`OrgUnit` has them.  ``services`` maps principals of services with trusted access to the time at which it
    was given, ``delegated`` those principals to their delegated administrators, by account id and since when.
    ``root_features`` are those of centralized root access that are on (IAM-RAC-001).
    """

    kind: ClassVar[str] = "organization"
    root: str
    management: str
    created: int
    feature_set: str = "ALL"
    policy_types: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    scps: tuple[str, ...] | None = None
    rcps: tuple[str, ...] = ()
    services: dict[str, int] = {}
    delegated: dict[str, dict[str, int]] = {}
    root_features: tuple[str, ...] = ()

    @property
    def indexes(self) -> list[tuple[str, str]]:
        return attachments(self.id, self.scps, self.rcps)


class OrgUnit(InstallationRecord, frozen=True, kw_only=True):
    """An organizational unit under ``parent``, a unit or the root.

    ``scps`` and ``rcps`` are the ids of the policies attached to it while their type is enabled: service control
    policies with AWS's own, None where that is the only one, as it is from the start (POL-OR-003); resource control
    policies without AWS's own, which is always attached (POL-OR-021).
    """

    kind: ClassVar[str] = "org-unit"
    organization: str
    parent: str
    name: str
    created: int
    tags: dict[str, str] = {}
    scps: tuple[str, ...] | None = None
    rcps: tuple[str, ...] = ()

    @property
    def indexes(self) -> list[tuple[str, str]]:
        rows = [("org-unit", self.organization), ("unit-parent", self.parent)]
        rows.append(("unit-name", name_mark(self.parent, self.name)))
        return rows + attachments(self.organization, self.scps, self.rcps)


class OrgPolicy(InstallationRecord, frozen=True, kw_only=True):
    """A service control policy or resource control policy of an organization; ``type`` is its name on the wire."""

    kind: ClassVar[str] = "org-policy"
    organization: str
    type: str
    name: str
    created: int
    content: str
    description: str = ""
    tags: dict[str, str] = {}

    @property
    def indexes(self) -> list[tuple[str, str]]:
        of_type = f"{self.organization}/{self.type}"
        rows = [("org-owner", self.organization), ("org-policies", of_type)]
        return [*rows, ("org-policy-name", name_mark(of_type, self.name))]


class AccountCreation(InstallationRecord, frozen=True, kw_only=True):
    """How one CreateAccount went: ``account`` where it succeeded, ``failure`` in AWS's word where it did not."""

    kind: ClassVar[str] = "account-creation"
    organization: str
    name: str
    created: int
    account: str = ""
    failure: str = ""

    @property
    def indexes(self) -> list[tuple[str, str]]:
        return [(self.kind, self.organization)]
