"""What the IAM commands share: the limits of their members and the records that they show.

The limits and their patterns are the model's, written as AWS prints them in messages.  In a record, a list that is
None is left out of the answer and an empty one is sent as an empty list: ``tags`` of a policy without tags are ``()``
in GetPolicy and None in ListPolicies (IAM-POL-002).
"""

from __future__ import annotations

import datetime
from typing import Annotated, Final
from urllib.parse import quote, unquote

from locum.api.shapes import Shape, integer, items, text
from locum.secret import Secret

__all__ = [
    "AccessKey",
    "AccessKeyId",
    "AccessKeyLastUsed",
    "AccessKeyMetadata",
    "ArnText",
    "AttachedPermissionsBoundary",
    "AttachedPolicy",
    "Document",
    "EncodedDocument",
    "EntityKind",
    "ExistingUserName",
    "Group",
    "GroupName",
    "InstanceProfile",
    "InstanceProfileName",
    "KeyStatus",
    "ListedDocument",
    "Marker",
    "MaxItems",
    "MaxSessionDuration",
    "Nothing",
    "Path",
    "PathPrefix",
    "Policy",
    "PolicyDescription",
    "PolicyGroup",
    "PolicyName",
    "PolicyPath",
    "PolicyRole",
    "PolicyScope",
    "PolicyUsage",
    "PolicyUser",
    "PolicyVersion",
    "Role",
    "RoleDescription",
    "RoleLastUsed",
    "RoleName",
    "SomeTagKeys",
    "SomeTags",
    "SourceRoleTemplate",
    "Tag",
    "TagKey",
    "TagKeys",
    "TagValue",
    "Tags",
    "UniqueId",
    "User",
    "UserName",
    "VersionId",
    "decode_document",
    "encode_document",
]

_NAME: Final = r"[\w+=,.@-]+"
_NO_NAME: Final = (
    "The specified value for {} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
)
_NO_PATH: Final = (
    "The specified value for {} is invalid. "
    "It must begin and end with / and contain only alphanumeric characters and/or / characters."
)
_DOCUMENT: Final = text(1, 131072, r"[\u0009\u000A\u000D\u0020-\u00FF]+")

ArnText = Annotated[str, text(20, 2048)]
"""An ARN as it was sent: whether it can be read is checked later, with another error (IAM-GEN-044)."""

UserName = Annotated[str, text(1, 64, _NAME, misfit=_NO_NAME)]
"""The name of a user."""

ExistingUserName = Annotated[str, text(1, 128, _NAME, misfit=_NO_NAME)]
"""The name of a user that is looked up; older ones may be longer than a new one (IAM-GEN-012)."""

RoleName = Annotated[str, text(1, 64, _NAME, misfit=_NO_NAME)]
"""The name of a role."""

GroupName = Annotated[str, text(1, 128, _NAME, misfit=_NO_NAME)]
"""The name of a group."""

InstanceProfileName = Annotated[str, text(1, 128, _NAME, misfit=_NO_NAME)]
"""The name of an instance profile."""

PolicyName = Annotated[str, text(1, 128, _NAME, misfit=_NO_NAME)]
"""The name of a managed or an inline policy."""

UniqueId = Annotated[str, text(16, 128, r"[\w]+")]
"""The unique id of an entity; it is never used again (IAM-GEN-010, IAM-GEN-011)."""

AccessKeyId = Annotated[str, text(16, 128, r"[\w]+")]
"""The public part of an access key."""

KeyStatus = Annotated[str, text(one_of=("Active", "Inactive", "Expired"))]
"""Whether an access key is accepted."""

Path = Annotated[str, text(1, 512, r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)", misfit=_NO_PATH)]
"""The path of a user, a group, a role or an instance profile (IAM-GEN-013)."""

PathPrefix = Annotated[str, text(1, 512, r"\u002F[\u0021-\u007F]*")]
"""The beginning of a path (IAM-GEN-014)."""

PolicyPath = Annotated[str, text(1, 512, r"((/[A-Za-z0-9\.,\+@=_-]+)*)/")]
"""The path of a managed policy, or the beginning of one."""

Document = Annotated[str, _DOCUMENT]
"""The text of a policy in a request, plain (POL-GR-017, IAM-GEN-022)."""

ListedDocument = Annotated[str, text(1, 131072, r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]+")]
"""One of the policies of a list that is simulated: AWS prints another pattern for those than its model has."""

EncodedDocument = Annotated[str, _DOCUMENT]
"""The text of a policy in an answer, URL-encoded (IAM-GEN-020): made by :func:`encode_document`."""

VersionId = Annotated[str, text(pattern=r"v[1-9][0-9]*(\.[A-Za-z0-9-]*)?")]
"""The name of a version of a managed policy, ``v1``, ``v2`` …"""

RoleDescription = Annotated[str, text(most=1000, pattern=r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*")]
"""What a role is for."""

PolicyDescription = Annotated[str, text(most=1000)]
"""What a managed policy is for."""

MaxSessionDuration = Annotated[int, integer(3600, 43200)]
"""The longest session of a role that may be asked for, in seconds."""

PolicyScope = Annotated[str, text(one_of=("All", "AWS", "Local"))]
"""Whose managed policies."""

PolicyUsage = Annotated[str, text(one_of=("PermissionsPolicy", "PermissionsBoundary"))]
"""What a managed policy is used as."""

EntityKind = Annotated[
    str,
    text(
        one_of=("User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"),
        told=("LocalManagedPolicy", "User", "AWSManagedPolicy", "Role", "Group"),
    ),
]
"""A kind of entity, as a filter; in the order in which AWS prints them."""

Marker = Annotated[str, text(1, 320, r"[\u0020-\u00FF]+")]
"""Where the next page begins: from the answer with the page before (IAM-GEN-050)."""

MaxItems = Annotated[int, integer(1, 1000)]
"""The most entries of a page; 100 unless given (IAM-GEN-050)."""

TagKey = Annotated[str, text(1, 128, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+")]
"""The key of a tag (IAM-GEN-060)."""

TagValue = Annotated[str, text(0, 256, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*")]
"""The value of a tag; it may be empty (IAM-GEN-064)."""

TagKeys = Annotated[tuple[TagKey, ...], items(most=50, no_nulls=True)]
"""The keys of tags to remove."""

SomeTagKeys = Annotated[TagKeys, items(empty=True)]
"""The keys of tags to remove, of which there must be one: the handler says so (IAM-GEN-064)."""


def encode_document(document: str) -> str:
    """The text of a policy as answers carry it: percent-encoded as in RFC 3986, blanks as ``%20`` (IAM-GEN-020)."""
    return quote(document, safe="")


def decode_document(encoded: str) -> str:
    """The text of a policy from an answer; :class:`ValueError` if it is not the encoding of UTF-8 text."""
    return unquote(encoded, errors="strict")


class Nothing(Shape):
    """The answer of an operation without output: the envelope alone, without a result element (IAM-GEN-002)."""


class Tag(Shape):
    """A key and its value, put on an entity (IAM-GEN-060)."""

    key: TagKey
    value: TagValue


Tags = Annotated[tuple[Tag, ...], items(most=50)]
"""The tags of one entity."""

SomeTags = Annotated[Tags, items(empty=True)]
"""The tags to put on an entity, of which there must be one: the handler says so (IAM-GEN-064)."""


class AttachedPermissionsBoundary(Shape):
    """The managed policy that limits a user or role.

    The type is ``Policy`` in AWS's answers, although its model lists another word (IAM-USR-008).
    """

    permissions_boundary_type: Annotated[str, text(one_of=("PermissionsBoundaryPolicy",))] | None = None
    permissions_boundary_arn: ArnText | None = None


class User(Shape):
    """A user (IAM-USR-001); ``password_last_used`` only after a sign-in at a console.

    The account's root user has no path, and no name but the account's alias (IAM-USR-009).
    """

    path: Path | None = None
    user_name: UserName | None = None
    user_id: UniqueId
    arn: ArnText
    create_date: datetime.datetime
    password_last_used: datetime.datetime | None = None
    permissions_boundary: AttachedPermissionsBoundary | None = None
    tags: Tags | None = None


class RoleLastUsed(Shape):
    """When and in which region sessions of a role were last used; empty if never (IAM-ROL-002, IAM-ROL-008)."""

    last_used_date: datetime.datetime | None = None
    region: str | None = None


class SourceRoleTemplate(Shape):
    """The template that AWS made a role from; this server has none (IAM-CL-041)."""

    template_arn: ArnText
    template_minor_version: int


class Role(Shape):
    """A role (IAM-ROL-001, IAM-ROL-002); which members are shown depends on the operation."""

    path: Path
    role_name: RoleName
    role_id: UniqueId
    arn: ArnText
    create_date: datetime.datetime
    assume_role_policy_document: EncodedDocument | None = None
    description: RoleDescription | None = None
    max_session_duration: MaxSessionDuration | None = None
    permissions_boundary: AttachedPermissionsBoundary | None = None
    tags: Tags | None = None
    role_last_used: RoleLastUsed | None = None
    source_role_template: SourceRoleTemplate | None = None


class Group(Shape):
    """A group (IAM-GRP-001)."""

    path: Path
    group_name: GroupName
    group_id: UniqueId
    arn: ArnText
    create_date: datetime.datetime


class InstanceProfile(Shape):
    """An instance profile with the role that it holds, if it holds one (IAM-INS-001)."""

    path: Path
    instance_profile_name: InstanceProfileName
    instance_profile_id: UniqueId
    arn: ArnText
    create_date: datetime.datetime
    roles: tuple[Role, ...]
    tags: Tags | None = None


class Policy(Shape):
    """A managed policy (IAM-POL-001, IAM-POL-002); the counts are of users, groups and roles (IAM-POL-013)."""

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
    tags: Tags | None = None


class PolicyVersion(Shape):
    """A version of a managed policy; only GetPolicyVersion shows the document (IAM-POL-005)."""

    document: EncodedDocument | None = None
    version_id: VersionId | None = None
    is_default_version: bool | None = None
    create_date: datetime.datetime | None = None


class AttachedPolicy(Shape):
    """A managed policy that is attached to an entity (IAM-USR-007)."""

    policy_name: PolicyName | None = None
    policy_arn: ArnText | None = None


class PolicyGroup(Shape):
    """A group that uses a managed policy (IAM-POL-012)."""

    group_name: GroupName | None = None
    group_id: UniqueId | None = None


class PolicyUser(Shape):
    """A user that uses a managed policy (IAM-POL-012)."""

    user_name: UserName | None = None
    user_id: UniqueId | None = None


class PolicyRole(Shape):
    """A role that uses a managed policy (IAM-POL-012)."""

    role_name: RoleName | None = None
    role_id: UniqueId | None = None


class AccessKey(Shape):
    """A new access key with its secret (IAM-KEY-001)."""

    user_name: UserName
    access_key_id: AccessKeyId
    status: KeyStatus
    secret_access_key: Secret
    create_date: datetime.datetime | None = None


class AccessKeyMetadata(Shape):
    """An access key without its secret (IAM-KEY-004)."""

    user_name: UserName | None = None
    access_key_id: AccessKeyId | None = None
    status: KeyStatus | None = None
    create_date: datetime.datetime | None = None


class AccessKeyLastUsed(Shape):
    """When, for which service and in which region a key was last used; ``N/A`` and no date if never (IAM-KEY-006)."""

    last_used_date: datetime.datetime | None = None
    service_name: str
    region: str
