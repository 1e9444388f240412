"""The account as a whole: alias, summary, everything that authorizes anybody in it, and the version of its tokens."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import (
    ArnText,
    AttachedPermissionsBoundary,
    AttachedPolicy,
    EncodedDocument,
    EntityKind,
    GroupName,
    InstanceProfile,
    Marker,
    MaxItems,
    Nothing,
    Path,
    PolicyDescription,
    PolicyName,
    PolicyPath,
    PolicyVersion,
    RoleLastUsed,
    RoleName,
    Tags,
    UniqueId,
    UserName,
    VersionId,
)
from locum.api.shapes import Authorization, Command, Operation, Shape, text
from locum.errors import (
    ConcurrentModificationException,
    EntityAlreadyExistsException,
    LimitExceededException,
    NoSuchEntityException,
    ServiceFailureException,
)

__all__ = [
    "COMMANDS",
    "CreateAccountAliasCommand",
    "DeleteAccountAliasCommand",
    "GetAccountAuthorizationDetailsCommand",
    "GetAccountAuthorizationDetailsResponse",
    "GetAccountSummaryCommand",
    "GetAccountSummaryResponse",
    "GroupDetail",
    "ListAccountAliasesCommand",
    "ListAccountAliasesResponse",
    "ManagedPolicyDetail",
    "PolicyDetail",
    "RoleDetail",
    "SetSecurityTokenServicePreferencesCommand",
    "UserDetail",
]

AccountAlias = Annotated[str, text(3, 63, r"^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$")]
"""The other name of an account (IAM-ACC-001)."""

TokenVersion = Annotated[str, text(one_of=("v1Token", "v2Token"), told=("v2Token", "v1Token"))]
"""The version of the tokens of the global endpoint."""


class CreateAccountAliasCommand(Command[Nothing]):
    """Give the account another name, in place of the one that it has (IAM-ACC-001)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "CreateAccountAlias",
        Authorization(),
        errors=(
            ConcurrentModificationException,
            EntityAlreadyExistsException,
            LimitExceededException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    account_alias: AccountAlias


class DeleteAccountAliasCommand(Command[Nothing]):
    """Take the account's other name from it."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteAccountAlias",
        Authorization(),
        errors=(
            ConcurrentModificationException,
            NoSuchEntityException,
            LimitExceededException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    account_alias: AccountAlias


class ListAccountAliasesResponse(Shape):
    """The account's other name, or none."""

    account_aliases: tuple[AccountAlias, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListAccountAliasesCommand(Command[ListAccountAliasesResponse]):
    """List the account's other names, of which there is one at most."""

    operation: ClassVar[Operation] = Operation(
        IAM, "ListAccountAliases", Authorization(), errors=(ServiceFailureException,)
    )

    marker: Marker | None = None
    max_items: MaxItems | None = None


class GetAccountSummaryResponse(Shape):
    """Numbers of entities, and quotas, by name (IAM-ACC-002)."""

    summary_map: dict[str, int] | None = None


class GetAccountSummaryCommand(Command[GetAccountSummaryResponse]):
    """Count what the account has of everything, beside what it may have."""

    operation: ClassVar[Operation] = Operation(
        IAM, "GetAccountSummary", Authorization(), errors=(ServiceFailureException,)
    )


class PolicyDetail(Shape):
    """An inline policy with its text."""

    policy_name: PolicyName | None = None
    policy_document: EncodedDocument | None = None


class UserDetail(Shape):
    """A user with everything that authorizes it (IAM-ACC-004)."""

    path: Path | None = None
    user_name: UserName | None = None
    user_id: UniqueId | None = None
    arn: ArnText | None = None
    create_date: datetime.datetime | None = None
    user_policy_list: tuple[PolicyDetail, ...] | None = None
    group_list: tuple[GroupName, ...] | None = None
    attached_managed_policies: tuple[AttachedPolicy, ...] | None = None
    permissions_boundary: AttachedPermissionsBoundary | None = None
    tags: Tags | None = None


class GroupDetail(Shape):
    """A group with its policies (IAM-ACC-004)."""

    path: Path | None = None
    group_name: GroupName | None = None
    group_id: UniqueId | None = None
    arn: ArnText | None = None
    create_date: datetime.datetime | None = None
    group_policy_list: tuple[PolicyDetail, ...] | None = None
    attached_managed_policies: tuple[AttachedPolicy, ...] | None = None


class RoleDetail(Shape):
    """A role with everything that authorizes it, and the instance profiles that hold it (IAM-ACC-004)."""

    path: Path | None = None
    role_name: RoleName | None = None
    role_id: UniqueId | None = None
    arn: ArnText | None = None
    create_date: datetime.datetime | None = None
    assume_role_policy_document: EncodedDocument | None = None
    instance_profile_list: tuple[InstanceProfile, ...] | None = None
    role_policy_list: tuple[PolicyDetail, ...] | None = None
    attached_managed_policies: tuple[AttachedPolicy, ...] | None = None
    permissions_boundary: AttachedPermissionsBoundary | None = None
    tags: Tags | None = None
    role_last_used: RoleLastUsed | None = None


class ManagedPolicyDetail(Shape):
    """A managed policy with all of its versions (IAM-ACC-004)."""

    policy_name: PolicyName | None = None
    policy_id: UniqueId | None = None
    arn: ArnText | None = None
    path: PolicyPath | None = None
    default_version_id: VersionId | None = None
    attachment_count: int | None = None
    permissions_boundary_usage_count: int | None = None
    is_attachable: bool | None = None
    description: PolicyDescription | None = None
    create_date: datetime.datetime | None = None
    update_date: datetime.datetime | None = None
    policy_version_list: tuple[PolicyVersion, ...] | None = None


class GetAccountAuthorizationDetailsResponse(Shape):
    """One page; what was not asked for is an empty list (IAM-ACC-003)."""

    policies: tuple[ManagedPolicyDetail, ...] | None = None
    user_detail_list: tuple[UserDetail, ...] | None = None
    role_detail_list: tuple[RoleDetail, ...] | None = None
    group_detail_list: tuple[GroupDetail, ...] | None = None
    is_truncated: bool = False
    marker: str | None = None


class GetAccountAuthorizationDetailsCommand(Command[GetAccountAuthorizationDetailsResponse]):
    """Show everything in the account that authorizes anybody, page by page.

    Those policies of AWS that nobody in the account uses are never shown (IAM-ACC-003).
    """

    operation: ClassVar[Operation] = Operation(
        IAM, "GetAccountAuthorizationDetails", Authorization(), errors=(ServiceFailureException,)
    )

    filter: tuple[EntityKind, ...] = ()
    marker: Marker | None = None
    max_items: MaxItems | None = None


class SetSecurityTokenServicePreferencesCommand(Command[Nothing]):
    """Choose the version of the tokens of the global endpoint, which the account's summary shows (IAM-SHD-005)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "SetSecurityTokenServicePreferences",
        Authorization(),
        errors=(ServiceFailureException,),
        read_only=False,
        writes=True,
    )

    global_endpoint_token_version: TokenVersion


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    CreateAccountAliasCommand,
    DeleteAccountAliasCommand,
    ListAccountAliasesCommand,
    GetAccountSummaryCommand,
    GetAccountAuthorizationDetailsCommand,
    SetSecurityTokenServicePreferencesCommand,
)
"""The commands of this module."""
