"""What an organization means for one account in it: path, policies that limit it, who administers what.

The rules of inheritance are POL-OR-001…005, 020…023; the facts that a request needs are those of ORG-024.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from locum.core.organization_records import Organization, OrgPolicy, OrgUnit
from locum.core.records import Account
from locum.policy import CompiledPolicy, PolicyKind

__all__ = [
    "FULL_ACCESS",
    "KINDS_OF_POLICY",
    "MAX_UNIT_DEPTH",
    "RESOURCE_CONTROL",
    "SERVICE_CONTROL",
    "UNDER_RESOURCE_CONTROL",
    "OrgFacts",
    "facts_of",
    "in_force",
    "joined",
    "kept_document",
    "left",
    "org_path",
]

SERVICE_CONTROL: Final = "SERVICE_CONTROL_POLICY"
RESOURCE_CONTROL: Final = "RESOURCE_CONTROL_POLICY"

KINDS_OF_POLICY: Final[Mapping[str, PolicyKind]] = MappingProxyType(
    {SERVICE_CONTROL: PolicyKind.SERVICE_CONTROL, RESOURCE_CONTROL: PolicyKind.RESOURCE_CONTROL}
)
"""The types of policies that this server knows, by their names on the wire, and the kinds of their documents."""

UNDER_RESOURCE_CONTROL: Final = frozenset({"sts"})
"""The services of this server whose resources are under resource control policies: IAM's are not (POL-OR-024)."""

MAX_UNIT_DEPTH: Final = 5
"""Organizational units between an organization's root and an account (POL-LM-011)."""


def _full_access(id: str, type: str, name: str, **statement: str) -> OrgPolicy:
    encoded = msgspec.json.encode({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
    return OrgPolicy(
        id=id,
        organization="aws",
        type=type,
        name=name,
        created=0,
        content=(msgspec.json.format(encoded) if type == SERVICE_CONTROL else encoded).decode(),
        description=f"Allows access to every {'operation' if type == SERVICE_CONTROL else 'resource'}",
    )


def kept_document(type: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document of a policy as AWS keeps it: a resource control policy has its version and a list of statements."""
    if type != RESOURCE_CONTROL:
        return document
    members = {"Version": "2008-10-17", **document}
    statements = members.pop("Statement")
    version = members.pop("Version")
    return {"Version": version, **members, "Statement": statements if isinstance(statements, list) else [statements]}


FULL_ACCESS: Final[Mapping[str, OrgPolicy]] = MappingProxyType(
    {
        SERVICE_CONTROL: _full_access("p-FullAWSAccess", SERVICE_CONTROL, "FullAWSAccess", Action="*", Resource="*"),
        RESOURCE_CONTROL: _full_access(
            "p-RCPFullAWSAccess", RESOURCE_CONTROL, "RCPFullAWSAccess", Principal="*", Action="*", Resource="*"
        ),
    }
)
"""Type → AWS's own policy, which every organization has (POL-OR-003, POL-OR-021)."""


class OrgFacts(msgspec.Struct, frozen=True, gc=False):
    """An account's place in its organization, ready for decisions.

    ``path`` is the text of ``aws:PrincipalOrgPaths`` and ``aws:ResourceOrgPaths``: ``o-…/r-…/ou-…/`` (POL-CK-014).
    ``scps`` are the levels from the root to the account, None where there is no such stage: for the management account
    and while the type is not enabled (POL-OR-001, POL-OR-005); ``rcps`` likewise, AWS's own left out, which takes
    nothing away (POL-OR-021).  ``services`` have trusted access; ``delegated`` maps them to their administrators, and
    has none of a service that lost its access.  ``root_features`` are those of centralized root access that are on.
    """

    account: str
    id: str
    management: str
    path: str
    all_features: bool
    policy_types: frozenset[str]
    services: frozenset[str]
    delegated: Mapping[str, frozenset[str]]
    root_features: frozenset[str] = frozenset()
    scps: tuple[tuple[CompiledPolicy, ...], ...] | None = None
    rcps: tuple[tuple[CompiledPolicy, ...], ...] | None = None

    @property
    def is_management(self) -> bool:
        """Whether the account is the organization's management account."""
        return self.account == self.management

    @property
    def is_delegated(self) -> bool:
        """Whether the account administers any service for the organization."""
        return any(self.account in accounts for accounts in self.delegated.values())

    def administers(self, service: str) -> bool:
        """Whether the account is a delegated administrator of a service, such as ``iam.amazonaws.com`` (ORG-022)."""
        return self.account in self.delegated.get(service, ())


def org_path(organization: Organization, units: Iterable[OrgUnit]) -> str:
    """The path of a place: the root and the units from it downwards, each followed by a slash (POL-CK-014)."""
    return "".join(f"{each}/" for each in (organization.id, organization.root, *(unit.id for unit in units)))


def joined(account: Account, organization: Organization, now: int, *, invited: bool) -> Account:
    """The account as a member under the root; ``now`` is in epoch seconds, ``invited`` tells that it was there before.

    There is no handshake here: whoever calls has seen to it that both sides want it.
    """
    return msgspec.structs.replace(
        account, organization=organization.id, parent=organization.root, joined=now, invited=invited
    )


def left(account: Account) -> Account:
    """The account as it stands alone: what the organization kept of it is gone."""
    return msgspec.structs.replace(
        account, organization=None, parent="", joined=0, invited=False, tags={}, scps=None, rcps=()
    )


def in_force(place: Account | Organization | OrgUnit, type: str, enabled: Collection[str]) -> tuple[str, ...]:
    """The ids of the policies attached to a root, unit or account itself, AWS's own among them."""
    if type not in enabled:
        return ()
    full = FULL_ACCESS[type].id
    if type == RESOURCE_CONTROL:
        return full, *place.rcps
    return (full,) if place.scps is None else place.scps


def facts_of(
    account: Account,
    organization: Organization,
    units: Sequence[OrgUnit],
    load: Callable[[str, str], CompiledPolicy],
) -> OrgFacts:
    """The facts of an account in an organization; ``units`` lead from the root to it.

    ``load`` gives a policy of a type by its id, and one that denies everything for what is not there (R28).
    """
    enabled = frozenset(organization.policy_types)
    levels: tuple[Account | Organization | OrgUnit, ...] = (organization, *units, account)

    def chain(type: str) -> tuple[tuple[CompiledPolicy, ...], ...] | None:
        if account.id == organization.management or type not in enabled:
            return None
        left_out = FULL_ACCESS[RESOURCE_CONTROL].id
        return tuple(
            tuple(load(type, policy) for policy in in_force(level, type, enabled) if policy != left_out)
            for level in levels
        )

    return OrgFacts(
        account=account.id,
        id=organization.id,
        management=organization.management,
        path=org_path(organization, units),
        all_features=organization.feature_set == "ALL",
        policy_types=enabled,
        services=frozenset(organization.services),
        delegated={
            service: frozenset(accounts)
            for service, accounts in organization.delegated.items()
            if service in organization.services
        },
        root_features=frozenset(organization.root_features),
        scps=chain(SERVICE_CONTROL),
        rcps=chain(RESOURCE_CONTROL),
    )
