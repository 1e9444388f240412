"""How much of everything an account may have: AWS's quotas by name, and what operators changed of them.

An account's record keeps only what differs from the default, so that a default that changes reaches every account.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from locum.policy.document import PolicyKind
from locum.policy.sizes import INLINE_SIZES, SIZES, SizeLimit

from .records import Account

__all__ = ["LIMITS", "Limit", "LimitError", "limit", "policy_sizes", "with_limits"]


class Limit(NamedTuple):
    """A quota: what a new account has, the most that it can be raised to, and what is counted."""

    default: int
    maximum: int
    meaning: str


class LimitError(ValueError):
    """A limit that there is not, or that cannot have this value."""


def _of_size(size: SizeLimit, meaning: str) -> Limit:
    return Limit(size.characters, size.maximum, f"characters of {meaning}, white space not counted")


LIMITS: Final[Mapping[str, Limit]] = MappingProxyType(
    {
        "ACLSizePerRole": _of_size(SIZES[PolicyKind.TRUST], "a role's trust policy"),
        "AccessKeysPerUser": Limit(2, 2, "access keys of a user"),
        "AccountsPerOrganization": Limit(10, 100_000, "accounts of the organization that the account manages"),
        "ClientIdsPerOpenIdConnectProvider": Limit(100, 100, "audiences of an OIDC provider"),
        "DelegationRequestsPerAccount": Limit(100, 1_000, "delegation requests that the account made"),
        "GroupPolicySize": _of_size(INLINE_SIZES["group"], "all inline policies of a group"),
        "GroupsPerAccount": Limit(300, 500, "groups"),
        "GroupsPerUser": Limit(10, 10, "groups that a user is in"),
        "InstanceProfilesPerAccount": Limit(1_000, 10_000, "instance profiles"),
        "InstanceSessionsPerInstanceProfile": Limit(1, 1, "roles of an instance profile"),
        "MFADevicesPerUser": Limit(8, 8, "MFA devices of a user"),
        "OpenIDConnectProvidersPerAccount": Limit(100, 700, "OIDC providers"),
        "OrganizationalUnitsPerOrganization": Limit(2_000, 2_000, "organizational units of the organization"),
        "PoliciesPerAccount": Limit(1_500, 5_000, "managed policies"),
        "PoliciesPerGroup": Limit(10, 10, "managed policies attached to a group"),
        "PoliciesPerRole": Limit(10, 25, "managed policies attached to a role"),
        "PoliciesPerUser": Limit(10, 20, "managed policies attached to a user"),
        "PolicySize": _of_size(SIZES[PolicyKind.MANAGED], "a managed policy"),
        "ResourceControlPoliciesPerOrganization": Limit(1_000, 1_000, "resource control policies"),
        "ResourceControlPoliciesPerTarget": Limit(5, 5, "resource control policies attached to one place"),
        "RolePolicySize": _of_size(INLINE_SIZES["role"], "all inline policies of a role"),
        "RolesPerAccount": Limit(1_000, 10_000, "roles"),
        "SAMLProvidersPerAccount": Limit(100, 100, "SAML providers"),
        "ServiceControlPoliciesPerOrganization": Limit(10_000, 10_000, "service control policies"),
        "ServiceControlPoliciesPerTarget": Limit(10, 10, "service control policies attached to one place"),
        "TagsPerEntity": Limit(50, 50, "tags of a user, a role, a policy or a provider"),
        "UserPolicySize": _of_size(INLINE_SIZES["user"], "all inline policies of a user"),
        "UsersPerAccount": Limit(5_000, 5_000, "users"),
        "VersionsPerPolicy": Limit(5, 5, "versions of a managed policy"),
    }
)
"""Name of the quota, as AWS's refusals and account summary have it where they do (POL-LM-001…011, IAM-GEN-072)."""


def limit(account: Account | None, name: str) -> int:
    """The limit that an account has; the default for None and where nothing else was set.

    KeyError for a name that is none of :data:`LIMITS`.
    """
    declared = LIMITS[name]
    if account is None:
        return declared.default
    # A value that was set under a higher maximum does not outlive it.
    return min(account.limits.get(name, declared.default), declared.maximum)


def with_limits(account: Account, changes: Mapping[str, int | None]) -> Account:
    """The account with limits set, or put back to their default by None; LimitError for what cannot be."""
    limits = dict(account.limits)
    for name, value in changes.items():
        declared = LIMITS.get(name)
        if declared is None:
            raise LimitError(f"there is no limit {name[:64]!r}")
        if value is not None and not 0 <= value <= declared.maximum:
            raise LimitError(f"{name} can be 0 to {declared.maximum}")
        if value is None or value == declared.default:
            limits.pop(name, None)
        else:
            limits[name] = value
    return msgspec.structs.replace(account, limits=limits)


def policy_sizes(account: Account | None) -> dict[PolicyKind, SizeLimit]:
    """The sizes of policies that an account allows, for :func:`locum.policy.analyze.analyze`."""
    return {
        kind: size._replace(characters=limit(account, size.quota)) if size.quota else size
        for kind, size in SIZES.items()
    }
