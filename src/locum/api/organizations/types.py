"""The texts and structures that several commands of Organizations share (ORG-GEN-003, ORG-GEN-004).

Patterns are AWS's own; what the model calls sensitive, such as e-mail addresses and names of accounts, is a secret here
too and stands in no audit line.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Final

from locum.api.shapes import Shape, integer, text
from locum.organization_errors import (
    AccessDeniedException,
    AWSOrganizationsNotInUseException,
    ServiceException,
    TooManyRequestsException,
)
from locum.secret import Secret

__all__ = [
    "COMMON",
    "Account",
    "AccountId",
    "AccountName",
    "Child",
    "ChildId",
    "DelegatedAdministrator",
    "DelegatedService",
    "Email",
    "EnabledServicePrincipal",
    "FeatureSet",
    "MaxResults",
    "NextToken",
    "Nothing",
    "Organization",
    "OrganizationalUnit",
    "OrganizationalUnitId",
    "OrganizationalUnitName",
    "Parent",
    "ParentId",
    "Policy",
    "PolicyContent",
    "PolicyDescription",
    "PolicyId",
    "PolicyName",
    "PolicySummary",
    "PolicyTargetId",
    "PolicyTargetSummary",
    "PolicyType",
    "PolicyTypeSummary",
    "Root",
    "RootId",
    "ServicePrincipal",
    "Tag",
    "TagKeys",
    "Tags",
]

COMMON: Final = (
    AccessDeniedException,
    AWSOrganizationsNotInUseException,
    ServiceException,
    TooManyRequestsException,
)
"""The errors of every operation inside an organization."""

_ROOT: Final = "r-[0-9a-z]{4,32}"
_UNIT: Final = "ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}"
_ORGANIZATION: Final = "o-[a-z0-9]{10,32}"
_ARN: Final = r"^arn:aws:organizations::\d{12}:"
_TAG: Final = r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$"
_STATUSES: Final = ("ACTIVE", "SUSPENDED", "PENDING_CLOSURE")
_STATES: Final = ("PENDING_ACTIVATION", "ACTIVE", "SUSPENDED", "PENDING_CLOSURE", "CLOSED")

AccountId = Annotated[str, text(None, 12, r"^\d{12}$")]
"""An account's id."""

AccountArn = Annotated[str, text(None, None, _ARN + rf"account\/{_ORGANIZATION}\/\d{{12}}")]

AccountName = Annotated[Secret, text(1, 128, r"[\s\S]*")]
"""An account's name."""

AccountStatus = Annotated[str, text(one_of=_STATUSES)]
AccountState = Annotated[str, text(one_of=_STATES)]
JoinedMethod = Annotated[str, text(one_of=("INVITED", "CREATED"))]

ChildId = Annotated[str, text(None, 100, rf"^(\d{{12}})|({_UNIT})$")]
"""An account or a unit."""

Email = Annotated[Secret, text(6, 64, r"[^\s@]+@[^\s@]+\.[^\s@]+")]
"""The address of an account's root user."""

FeatureSet = Annotated[str, text(one_of=("ALL", "CONSOLIDATED_BILLING"))]
"""What an organization can do: everything, or only pay together."""

MaxResults = Annotated[int, integer(1, 20)]
"""Items on a page at most (ORG-GEN-002)."""

NextToken = Annotated[str, text(None, 100_000, r"[\s\S]*")]
"""Where the last page ended."""

OrganizationalUnitId = Annotated[str, text(None, 68, rf"^{_UNIT}$")]
"""A unit's id, which begins with its root's."""

OrganizationalUnitName = Annotated[str, text(1, 128, r"[\s\S]*")]
"""A unit's name, unique under its parent (ORG-004)."""

ParentId = Annotated[str, text(None, 100, rf"^({_ROOT})|({_UNIT})$")]
"""The root or a unit."""

Path = Annotated[
    str,
    text(
        None, None, rf"^({_ORGANIZATION}\/r-[0-9a-z]{{4,32}}(\/ou\-[0-9a-z]{{4,32}}-[a-z0-9]{{8,32}})*(\/\d{{12}})*)\/"
    ),
]
"""From the organization down to a unit or an account, each followed by a slash."""

PolicyContent = Annotated[str, text(1, None, r"[\s\S]*")]
"""A policy's document, as it was given (ORG-023)."""

PolicyDescription = Annotated[str, text(None, 512, r"[\s\S]*")]
PolicyId = Annotated[str, text(None, 130, "^p-[0-9a-zA-Z_]{8,128}$")]
PolicyName = Annotated[str, text(1, 128, r"[\s\S]*")]
PolicyTargetId = Annotated[str, text(None, 100, rf"^({_ROOT})|(\d{{12}})|({_UNIT})$")]
"""What a policy is attached to: the root, an account or a unit."""

PolicyType = Annotated[
    str,
    text(
        one_of=(
            "SERVICE_CONTROL_POLICY",
            "RESOURCE_CONTROL_POLICY",
            "TAG_POLICY",
            "BACKUP_POLICY",
            "AISERVICES_OPT_OUT_POLICY",
            "CHATBOT_POLICY",
            "DECLARATIVE_POLICY_EC2",
            "SECURITYHUB_POLICY",
            "INSPECTOR_POLICY",
            "UPGRADE_ROLLOUT_POLICY",
            "BEDROCK_POLICY",
            "S3_POLICY",
            "NETWORK_SECURITY_DIRECTOR_POLICY",
            "GUARDDUTY_POLICY",
        )
    ),
]
"""A type of policy; this server has the first two."""

RootId = Annotated[str, text(None, 34, f"^{_ROOT}$")]
"""The root's id."""

ServicePrincipal = Annotated[str, text(1, 128, r"[\w+=,.@-]*")]
"""A service, such as ``iam.amazonaws.com``."""


class Nothing(Shape):
    """The answer of operations that answer nothing."""


class Tag(Shape):
    """A tag; keys are case-sensitive."""

    key: Annotated[str, text(1, 128, _TAG)]
    value: Annotated[str, text(0, 256, _TAG)]


Tags = tuple[Tag, ...]
"""Tags; how many there may be is the server's rule."""

TagKeys = tuple[Annotated[str, text(1, 128, _TAG)], ...]
"""Keys of tags to remove."""


class PolicyTypeSummary(Shape):
    """A type of policy that is enabled in the root (ORG-010)."""

    type: PolicyType
    status: Annotated[str, text(one_of=("ENABLED", "PENDING_ENABLE", "PENDING_DISABLE"))]


class Organization(Shape):
    """An organization; its policy types as they are in the root are in the answer of ListRoots."""

    id: Annotated[str, text(None, None, f"^{_ORGANIZATION}$")]
    arn: Annotated[str, text(None, None, _ARN + rf"organization\/{_ORGANIZATION}")]
    feature_set: FeatureSet
    master_account_arn: AccountArn
    master_account_id: AccountId
    master_account_email: Email | None = None
    available_policy_types: tuple[PolicyTypeSummary, ...] = ()


class Root(Shape):
    """The root of an organization."""

    id: RootId
    arn: Annotated[str, text(None, None, _ARN + rf"root\/{_ORGANIZATION}\/{_ROOT}")]
    name: Annotated[str, text(1, 128)]
    policy_types: tuple[PolicyTypeSummary, ...]


class Account(Shape):
    """An account of an organization; ``paths`` is where it stands (ORG-GEN-004)."""

    id: AccountId
    arn: AccountArn
    email: Email | None = None
    name: AccountName
    status: AccountStatus
    state: AccountState
    paths: tuple[Path, ...] = ()
    joined_method: JoinedMethod
    joined_timestamp: datetime.datetime


class OrganizationalUnit(Shape):
    """A unit of an organization (ORG-004)."""

    id: OrganizationalUnitId
    arn: Annotated[str, text(None, None, _ARN + rf"ou\/{_ORGANIZATION}\/ou-[0-9a-z]{{4,32}}-[0-9a-z]{{8,32}}")]
    name: OrganizationalUnitName
    path: Path


class Parent(Shape):
    """What an account or a unit is under."""

    id: ParentId
    type: Annotated[str, text(one_of=("ROOT", "ORGANIZATIONAL_UNIT"))]


class Child(Shape):
    """An account or a unit that is under something."""

    id: ChildId
    type: Annotated[str, text(one_of=("ACCOUNT", "ORGANIZATIONAL_UNIT"))]


class PolicySummary(Shape):
    """A policy without its document; ``aws_managed`` ones nobody can change (ORG-014).

    An answer to UpdatePolicy has name and description only where the request gave them.
    """

    id: PolicyId
    arn: Annotated[
        str,
        text(
            None,
            None,
            rf"^(arn:aws:organizations::\d{{12}}:policy\/{_ORGANIZATION}\/[0-9a-z_]+\/p-[0-9a-z]{{10,32}})"
            r"|(arn:aws:organizations::aws:policy\/[0-9a-z_]+\/p-[0-9a-zA-Z_]{10,128})",
        ),
    ]
    name: PolicyName | None = None
    description: PolicyDescription | None = None
    type: PolicyType
    aws_managed: bool


class Policy(Shape):
    """A policy with its document (ORG-012)."""

    policy_summary: PolicySummary
    content: PolicyContent


class PolicyTargetSummary(Shape):
    """What a policy is attached to (ORG-015)."""

    target_id: PolicyTargetId
    arn: Annotated[str, text(None, None, "^arn:aws:organizations::.+:.+")]
    name: Annotated[str, text(1, 128)]
    type: Annotated[str, text(one_of=("ACCOUNT", "ORGANIZATIONAL_UNIT", "ROOT"))]


class EnabledServicePrincipal(Shape):
    """A service with trusted access, and since when (ORG-020)."""

    service_principal: ServicePrincipal
    date_enabled: datetime.datetime


class DelegatedAdministrator(Shape):
    """An account that administers a service for the organization (ORG-021)."""

    id: AccountId
    arn: AccountArn
    email: Email | None = None
    name: AccountName
    status: AccountStatus
    state: AccountState
    joined_method: JoinedMethod
    joined_timestamp: datetime.datetime
    delegation_enabled_date: datetime.datetime


class DelegatedService(Shape):
    """A service that an account administers, and since when."""

    service_principal: ServicePrincipal
    delegation_enabled_date: datetime.datetime
