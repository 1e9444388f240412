"""Centralized root access: who may open a session as the root user of a member account, and for which task.

An organization switches two features on (IAM-RAC-001); each lets its management account and the delegated administrator
of IAM open sessions for some tasks (STS-ROOT-007).  A task is one of AWS's managed policies that only deny, under the
path ``/root-task/`` (POL-RT-004).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from locum import arn
from locum.arn import Arn
from locum.core.organization import OrgFacts
from locum.errors import ValidationError
from locum.policy.managed import ROOT_TASKS

__all__ = [
    "CREDENTIALS",
    "FEATURES",
    "SERVICE",
    "SESSIONS",
    "TASKS",
    "is_within_reach",
    "may_open",
    "missing",
    "root_account",
    "task_named",
]

SERVICE: Final = "iam.amazonaws.com"
"""The service that an organization trusts with root access (IAM-RAC-003)."""

CREDENTIALS: Final = "RootCredentialsManagement"
SESSIONS: Final = "RootSessions"
FEATURES: Final = (SESSIONS, CREDENTIALS)
"""The features, in the order in which answers list them."""

_SPOKEN: Final = {CREDENTIALS: "Root credentials management", SESSIONS: "Root sessions"}

TASKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "IAMAuditRootUserCredentials": CREDENTIALS,
        "IAMCreateRootUserPassword": CREDENTIALS,
        "IAMDeleteRootUserCredentials": CREDENTIALS,
        "S3UnlockBucketPolicy": SESSIONS,
        "SQSUnlockQueuePolicy": SESSIONS,
    }
)
"""Name of the task policy → the feature that unlocks it (STS-ROOT-007, STS-ROOT-T01…T05)."""


def root_account(target: str, partition: str) -> str:
    """The account of a TargetPrincipal: an account id, or the ARN of an account's root user (STS-ROOT-003).

    ValidationError for everything else.
    """
    if arn.is_account_id(target):
        return target
    try:
        account = Arn.parse(target).account
    except ValueError:
        account = ""
    if not arn.is_account_id(account) or target != arn.account_root(partition, account):
        raise ValidationError("Request must contain a valid target principal")
    return account


def task_named(policy_arn: str | None, partition: str) -> str:
    """The name of the task whose policy this is; ValidationError for another policy or none (STS-ROOT-005)."""
    if policy_arn is None:
        raise ValidationError(
            "1 validation error detected: Value null at 'taskPolicyArn' failed to satisfy constraint: "
            "Member must not be null"
        )
    name = policy_arn.removeprefix(f"arn:{partition}:iam::aws:policy{ROOT_TASKS}")
    if name == policy_arn or name not in TASKS:
        raise ValidationError("Request must contain valid AWS managed task policy ARN")
    return name


def is_within_reach(target: OrgFacts | None, task: str) -> bool:
    """Whether root of an account can be assumed for a task by anybody at all (R34).

    It is a member of an organization, not its management account, which has all features, trusts IAM and has the
    task's feature on (STS-ROOT-004, STS-ROOT-007, IAM-RAC-003).  Asked again at each use of such a session.
    """
    return (
        target is not None
        and target.all_features
        and SERVICE in target.services
        and not target.is_management
        and TASKS[task] in target.root_features
    )


def _governs(caller: OrgFacts | None, target: OrgFacts | None) -> bool:
    return (
        caller is not None
        and target is not None
        and caller.id == target.id
        and (caller.is_management or caller.administers(SERVICE))
    )


def may_open(caller: OrgFacts | None, target: OrgFacts | None, task: str) -> bool:
    """Whether an account may open sessions as another one's root for a task (STS-ROOT-002, IAM-RAC-004, ORG-022)."""
    return _governs(caller, target) and is_within_reach(target, task)


def missing(caller: OrgFacts | None, target: OrgFacts | None, task: str) -> str | None:
    """What the organization has not switched on for a task, in AWS's words; None where something else is in the way.

    Only who governs the target's organization is told.
    """
    if target is None or not _governs(caller, target) or target.is_management or not target.all_features:
        return None
    if SERVICE not in target.services:
        return "Service not enabled for AWS Organizations."
    if TASKS[task] in target.root_features:
        return None
    return f"{_SPOKEN[TASKS[task]]} feature is not enabled for your AWS Organization."
