"""AWS's managed policies as records of the account ``aws``: readable and attachable by everybody, changed by nobody."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from locum import arn
from locum.core.records import ManagedPolicy, PolicyVersion
from locum.policy import AWS_MANAGED_POLICIES

__all__ = ["AWS_ACCOUNT", "AWS_POLICIES", "aws_policy"]

AWS_ACCOUNT: Final = "aws"
"""What stands in the place of an account id in their ARNs (POL-MP-001)."""

_CREATED: Final = 1_423_248_000
"""When AWS introduced managed policies, 2015-02-06T18:40:00Z: where it is not known when it made one."""


def _records() -> dict[str, ManagedPolicy]:
    records = {}
    for shipped in AWS_MANAGED_POLICIES:
        number = int(shipped.version.removeprefix("v"))
        created = shipped.created or _CREATED
        records[shipped.name.lower()] = ManagedPolicy(
            account=AWS_ACCOUNT,
            id=shipped.id or arn.unique_id("ANPA", hashlib.sha256(shipped.name.encode()).digest()),
            name=shipped.name,
            path=shipped.path,
            created=created,
            updated=created,
            versions=(PolicyVersion(number=number, document=shipped.document, created=created),),
            default=number,
            last_number=number,
            description=shipped.description,
        )
    return records


AWS_POLICIES: Final[Mapping[str, ManagedPolicy]] = MappingProxyType(_records())
"""Name in lower case → record, in the order in which they are listed."""


def aws_policy(name: str, partition: str) -> ManagedPolicy | None:
    """A policy of AWS by its name, without regard to case, as it reads in a partition."""
    policy = AWS_POLICIES.get(name.lower())
    return policy if policy is None or partition == "aws" else _in_partition(policy.name.lower(), partition)


@functools.lru_cache(maxsize=1_024)
def _in_partition(name: str, partition: str) -> ManagedPolicy:
    policy = AWS_POLICIES[name]
    versions = tuple(
        msgspec.structs.replace(each, document=each.document.replace("arn:aws:", f"arn:{partition}:"))
        for each in policy.versions
    )
    return msgspec.structs.replace(policy, versions=versions)
