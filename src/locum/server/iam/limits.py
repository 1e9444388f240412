"""How much of everything there may be: AWS's default quotas in one table (POL-LM-001…009, IAM-GEN-072)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from locum.errors import LimitExceededException

__all__ = ["INLINE_SIZES", "MAXIMUM_TAGS", "MAXIMUM_VERSIONS", "QUOTAS", "Quota", "check_quota"]

Quota = Literal[
    "ACLSizePerRole",
    "AccessKeysPerUser",
    "PoliciesPerAccount",
    "PoliciesPerRole",
    "PoliciesPerUser",
    "PolicySize",
    "RolesPerAccount",
    "UsersPerAccount",
]
"""The quotas that AWS calls by name."""

QUOTAS: Final[Mapping[Quota, int]] = MappingProxyType(
    {
        "ACLSizePerRole": 2_048,
        "AccessKeysPerUser": 2,
        "PoliciesPerAccount": 1_500,
        "PoliciesPerRole": 10,
        "PoliciesPerUser": 10,
        "PolicySize": 6_144,
        "RolesPerAccount": 1_000,
        "UsersPerAccount": 5_000,
    }
)
"""Quota → the most that is allowed: entities, or counted characters of a document (POL-LM-001, POL-LM-003)."""

INLINE_SIZES: Final[Mapping[str, int]] = MappingProxyType({"user": 2_048, "role": 10_240})
"""Kind of holder → counted characters of all its inline policies together (POL-LM-002)."""

MAXIMUM_TAGS: Final = 50
"""Tags of one entity (IAM-GEN-060)."""

MAXIMUM_VERSIONS: Final = 5
"""Versions of a managed policy that exist at a time (POL-LM-006)."""


def check_quota(quota: Quota, amount: int) -> None:
    """LimitExceeded, in AWS's words, where ``amount`` is more than a quota allows (IAM-GEN-072)."""
    most = QUOTAS[quota]
    if amount > most:
        raise LimitExceededException(f"Cannot exceed quota for {quota}: {most}")
