"""Roles: what STS hands out, with trust policy, rights, boundary and tags (IAM-CL-004).

A role's name is found ignoring case and shown as it was written (IAM-GEN-012).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import (
    ArnText,
    AttachedPolicy,
    Document,
    EncodedDocument,
    Marker,
    MaxItems,
    MaxSessionDuration,
    Nothing,
    Path,
    PathPrefix,
    PolicyName,
    PolicyPath,
    Role,
    RoleDescription,
    RoleName,
    SomeTags,
    TagKeys,
    Tags,
)
from locum.api.shapes import Authorization, Command, Operation, Shape, Target
from locum.errors import (
    ConcurrentModificationException,
    DeleteConflictException,
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
    PolicyNotAttachableException,
    ServiceFailureException,
    UnmodifiableEntityException,
)

__all__ = [
    "COMMANDS",
    "AttachRolePolicyCommand",
    "CreateRoleCommand",
    "CreateRoleResponse",
    "DeleteRoleCommand",
    "DeleteRolePermissionsBoundaryCommand",
    "DeleteRolePolicyCommand",
    "DetachRolePolicyCommand",
    "GetRoleCommand",
    "GetRolePolicyCommand",
    "GetRolePolicyResponse",
    "GetRoleResponse",
    "ListAttachedRolePoliciesCommand",
    "ListAttachedRolePoliciesResponse",
    "ListRolePoliciesCommand",
    "ListRolePoliciesResponse",
    "ListRoleTagsCommand",
    "ListRoleTagsResponse",
    "ListRolesCommand",
    "ListRolesResponse",
    "PutRolePermissionsBoundaryCommand",
    "PutRolePolicyCommand",
    "TagRoleCommand",
    "UntagRoleCommand",
    "UpdateAssumeRolePolicyCommand",
    "UpdateRoleCommand",
    "UpdateRoleDescriptionCommand",
    "UpdateRoleDescriptionResponse",
    "UpdateRoleResponse",
]


class CreateRoleResponse(Shape):
    """The new role, without description, maximum duration and last use (IAM-ROL-001)."""

    role: Role


class CreateRoleCommand(Command[CreateRoleResponse]):
    """Create a role that the principals of its trust policy can assume.

    ``max_session_duration`` is in seconds, 3600 unless given.  The trust policy may name only users and roles that
    exist (POL-VA-040) and has 2048 characters (POL-VA-060).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "CreateRole",
        Authorization(
            Target("role", "role_name", creates=True),
            keys=("aws:RequestTag/", "aws:TagKeys", "iam:PermissionsBoundary"),
        ),
        errors=(
            LimitExceededException,
            InvalidInputException,
            EntityAlreadyExistsException,
            MalformedPolicyDocumentException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    path: Path | None = None
    role_name: RoleName
    assume_role_policy_document: Document
    description: RoleDescription | None = None
    max_session_duration: MaxSessionDuration | None = None
    permissions_boundary: ArnText | None = None
    tags: Tags = ()


class GetRoleResponse(Shape):
    """The role with all that is known of it (IAM-ROL-002)."""

    role: Role


class GetRoleCommand(Command[GetRoleResponse]):
    """Show one role."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "GetRole",
        Authorization(Target("role", "role_name"), keys=("iam:PermissionsBoundary",)),
        errors=(NoSuchEntityException, ServiceFailureException),
    )

    role_name: RoleName


class UpdateRoleResponse(Shape):
    """Empty, yet a declared answer (IAM-OP-UpdateRole): its result element is sent."""


class UpdateRoleCommand(Command[UpdateRoleResponse]):
    """Change the description or the longest session of a role; what is left out stays (IAM-ROL-005).

    ``max_session_duration`` is in seconds.
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UpdateRole",
        Authorization(Target("role", "role_name"), keys=("iam:PermissionsBoundary",)),
        errors=(UnmodifiableEntityException, NoSuchEntityException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    role_name: RoleName
    description: RoleDescription | None = None
    max_session_duration: MaxSessionDuration | None = None


class UpdateRoleDescriptionResponse(Shape):
    """The role, without maximum duration and last use (IAM-ROL-006)."""

    role: Role | None = None


class UpdateRoleDescriptionCommand(Command[UpdateRoleDescriptionResponse]):
    """Change the description of a role: the older way."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UpdateRoleDescription",
        Authorization(Target("role", "role_name"), keys=("iam:PermissionsBoundary",)),
        errors=(NoSuchEntityException, UnmodifiableEntityException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    role_name: RoleName
    description: RoleDescription


class UpdateAssumeRolePolicyCommand(Command[Nothing]):
    """Replace the trust policy of a role (IAM-ROL-007)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UpdateAssumeRolePolicy",
        Authorization(Target("role", "role_name"), keys=("iam:PermissionsBoundary",)),
        errors=(
            NoSuchEntityException,
            MalformedPolicyDocumentException,
            LimitExceededException,
            UnmodifiableEntityException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    role_name: RoleName
    policy_document: Document


class DeleteRoleCommand(Command[Nothing]):
    """Delete a role; running sessions lose their rights.

    Attached and inline policies must be gone before (IAM-ROL-010).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteRole",
        Authorization(Target("role", "role_name"), keys=("iam:PermissionsBoundary",)),
        errors=(
            NoSuchEntityException,
            DeleteConflictException,
            LimitExceededException,
            UnmodifiableEntityException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    role_name: RoleName


class ListRolesResponse(Shape):
    """One page of roles, without tags, boundaries and last use (IAM-ROL-003)."""

    roles: tuple[Role, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListRolesCommand(Command[ListRolesResponse]):
    """List the roles below a path, page by page.

    ``path_prefix`` is compared as plain text (IAM-GEN-014); without it every role is listed.
    """

    operation: ClassVar[Operation] = Operation(IAM, "ListRoles", Authorization("*"), errors=(ServiceFailureException,))

    path_prefix: PathPrefix | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class TagRoleCommand(Command[Nothing]):
    """Add tags to a role or replace the values of tags it has.

    Keys are compared ignoring case (IAM-GEN-061); a role has at most 50 tags.
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "TagRole",
        Authorization(Target("role", "role_name"), keys=("aws:RequestTag/", "aws:TagKeys")),
        errors=(
            NoSuchEntityException,
            LimitExceededException,
            InvalidInputException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    role_name: RoleName
    tags: SomeTags


class UntagRoleCommand(Command[Nothing]):
    """Remove tags from a role; keys it does not have are ignored (IAM-GEN-064)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UntagRole",
        Authorization(Target("role", "role_name"), keys=("aws:TagKeys",)),
        errors=(NoSuchEntityException, ConcurrentModificationException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    role_name: RoleName
    tag_keys: TagKeys


class ListRoleTagsResponse(Shape):
    """One page of tags."""

    tags: Tags
    is_truncated: bool = False
    marker: str | None = None


class ListRoleTagsCommand(Command[ListRoleTagsResponse]):
    """List a role's tags, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListRoleTags",
        Authorization(Target("role", "role_name")),
        errors=(NoSuchEntityException, ServiceFailureException),
    )

    role_name: RoleName
    marker: Marker | None = None
    max_items: MaxItems | None = None


class PutRolePolicyCommand(Command[Nothing]):
    """Write an inline policy of a role; an older one of the same name is replaced (IAM-ROL-009).

    The document is refused if it is malformed (POL-VA-005); all inline policies of a role together have 10240
    characters (POL-VA-062).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "PutRolePolicy",
        Authorization(Target("role", "role_name"), keys=("iam:PermissionsBoundary",)),
        errors=(
            LimitExceededException,
            MalformedPolicyDocumentException,
            NoSuchEntityException,
            UnmodifiableEntityException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    role_name: RoleName
    policy_name: PolicyName
    policy_document: Document


class GetRolePolicyResponse(Shape):
    """One inline policy."""

    role_name: RoleName
    policy_name: PolicyName
    policy_document: EncodedDocument


class GetRolePolicyCommand(Command[GetRolePolicyResponse]):
    """Show one inline policy of a role."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "GetRolePolicy",
        Authorization(Target("role", "role_name")),
        errors=(NoSuchEntityException, ServiceFailureException),
    )

    role_name: RoleName
    policy_name: PolicyName


class DeleteRolePolicyCommand(Command[Nothing]):
    """Delete one inline policy of a role."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteRolePolicy",
        Authorization(Target("role", "role_name"), keys=("iam:PermissionsBoundary",)),
        errors=(NoSuchEntityException, LimitExceededException, UnmodifiableEntityException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    role_name: RoleName
    policy_name: PolicyName


class ListRolePoliciesResponse(Shape):
    """One page of names of inline policies."""

    policy_names: tuple[PolicyName, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListRolePoliciesCommand(Command[ListRolePoliciesResponse]):
    """List the names of a role's inline policies, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListRolePolicies",
        Authorization(Target("role", "role_name")),
        errors=(NoSuchEntityException, ServiceFailureException),
    )

    role_name: RoleName
    marker: Marker | None = None
    max_items: MaxItems | None = None


class AttachRolePolicyCommand(Command[Nothing]):
    """Attach a managed policy to a role; doing it again changes nothing (IAM-USR-006)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "AttachRolePolicy",
        Authorization(Target("role", "role_name"), keys=("iam:PermissionsBoundary", "iam:PolicyARN")),
        errors=(
            NoSuchEntityException,
            LimitExceededException,
            InvalidInputException,
            UnmodifiableEntityException,
            PolicyNotAttachableException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    role_name: RoleName
    policy_arn: ArnText


class DetachRolePolicyCommand(Command[Nothing]):
    """Detach a managed policy from a role."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DetachRolePolicy",
        Authorization(Target("role", "role_name"), keys=("iam:PermissionsBoundary", "iam:PolicyARN")),
        errors=(
            NoSuchEntityException,
            LimitExceededException,
            InvalidInputException,
            UnmodifiableEntityException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    role_name: RoleName
    policy_arn: ArnText


class ListAttachedRolePoliciesResponse(Shape):
    """One page of names and ARNs of managed policies."""

    attached_policies: tuple[AttachedPolicy, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListAttachedRolePoliciesCommand(Command[ListAttachedRolePoliciesResponse]):
    """List the managed policies attached to a role, page by page.

    ``path_prefix`` selects by the path of the policies.
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListAttachedRolePolicies",
        Authorization(Target("role", "role_name")),
        errors=(NoSuchEntityException, InvalidInputException, ServiceFailureException),
    )

    role_name: RoleName
    path_prefix: PolicyPath | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class PutRolePermissionsBoundaryCommand(Command[Nothing]):
    """Make a managed policy the boundary of a role: the most that it can be allowed (IAM-ROL-011)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "PutRolePermissionsBoundary",
        Authorization(Target("role", "role_name"), keys=("iam:PermissionsBoundary",)),
        errors=(
            NoSuchEntityException,
            InvalidInputException,
            UnmodifiableEntityException,
            PolicyNotAttachableException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    role_name: RoleName
    permissions_boundary: ArnText


class DeleteRolePermissionsBoundaryCommand(Command[Nothing]):
    """Take the boundary of a role away (IAM-ROL-011)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteRolePermissionsBoundary",
        Authorization(Target("role", "role_name"), keys=("iam:PermissionsBoundary",)),
        errors=(NoSuchEntityException, UnmodifiableEntityException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    role_name: RoleName


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    CreateRoleCommand,
    GetRoleCommand,
    UpdateRoleCommand,
    UpdateRoleDescriptionCommand,
    UpdateAssumeRolePolicyCommand,
    DeleteRoleCommand,
    ListRolesCommand,
    TagRoleCommand,
    UntagRoleCommand,
    ListRoleTagsCommand,
    PutRolePolicyCommand,
    GetRolePolicyCommand,
    DeleteRolePolicyCommand,
    ListRolePoliciesCommand,
    AttachRolePolicyCommand,
    DetachRolePolicyCommand,
    ListAttachedRolePoliciesCommand,
    PutRolePermissionsBoundaryCommand,
    DeleteRolePermissionsBoundaryCommand,
)
"""The commands of this module."""
