"""Users: people and programs with long-term credentials, their policies, boundary and tags (IAM-CL-001).

A user's name is found ignoring case and shown as it was written (IAM-GEN-012).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import (
    ArnText,
    AttachedPolicy,
    Document,
    EncodedDocument,
    ExistingUserName,
    Marker,
    MaxItems,
    Nothing,
    Path,
    PathPrefix,
    PolicyName,
    PolicyPath,
    SomeTags,
    TagKeys,
    Tags,
    User,
    UserName,
)
from locum.api.shapes import Authorization, Command, Operation, Shape, Target
from locum.errors import (
    ConcurrentModificationException,
    DeleteConflictException,
    EntityAlreadyExistsException,
    EntityTemporarilyUnmodifiableException,
    InvalidInputException,
    LimitExceededException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
    PolicyNotAttachableException,
    ServiceFailureException,
)

__all__ = [
    "COMMANDS",
    "AttachUserPolicyCommand",
    "CreateUserCommand",
    "CreateUserResponse",
    "DeleteUserCommand",
    "DeleteUserPermissionsBoundaryCommand",
    "DeleteUserPolicyCommand",
    "DetachUserPolicyCommand",
    "GetUserCommand",
    "GetUserPolicyCommand",
    "GetUserPolicyResponse",
    "GetUserResponse",
    "ListAttachedUserPoliciesCommand",
    "ListAttachedUserPoliciesResponse",
    "ListUserPoliciesCommand",
    "ListUserPoliciesResponse",
    "ListUserTagsCommand",
    "ListUserTagsResponse",
    "ListUsersCommand",
    "ListUsersResponse",
    "PutUserPermissionsBoundaryCommand",
    "PutUserPolicyCommand",
    "TagUserCommand",
    "UntagUserCommand",
    "UpdateUserCommand",
]


class CreateUserResponse(Shape):
    """The new user; ``tags`` and boundary only when given (IAM-USR-001)."""

    user: User | None = None


class CreateUserCommand(Command[CreateUserResponse]):
    """Create a user without any rights.

    ``path`` is ``/`` unless given; ``permissions_boundary`` is the ARN of a managed policy that limits the user.  The
    name must differ from every other user's, whatever the path and ignoring case (IAM-USR-002).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "CreateUser",
        Authorization(
            Target("user", "user_name", creates=True),
            keys=("aws:RequestTag/", "aws:TagKeys", "iam:PermissionsBoundary"),
        ),
        errors=(
            LimitExceededException,
            EntityAlreadyExistsException,
            NoSuchEntityException,
            InvalidInputException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    path: Path | None = None
    user_name: UserName
    permissions_boundary: ArnText | None = None
    tags: Tags = ()


class GetUserResponse(Shape):
    """The user with boundary and tags (IAM-USR-001)."""

    user: User


class GetUserCommand(Command[GetUserResponse]):
    """Show one user, the calling one without ``user_name``.

    Root sees itself: the ARN ends with ``:root`` and the id is the account's (IAM-USR-009).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "GetUser",
        Authorization(Target("user", "user_name", or_caller=True)),
        errors=(NoSuchEntityException, ServiceFailureException),
    )

    user_name: ExistingUserName | None = None


class UpdateUserCommand(Command[Nothing]):
    """Rename a user or move it to another path.

    Id, access keys, policies and everything else stay; the ARN changes and the old name is free (IAM-USR-003).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UpdateUser",
        Authorization(Target("user", "user_name")),
        errors=(
            NoSuchEntityException,
            LimitExceededException,
            EntityAlreadyExistsException,
            EntityTemporarilyUnmodifiableException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    user_name: ExistingUserName
    new_path: Path | None = None
    new_user_name: UserName | None = None


class DeleteUserCommand(Command[Nothing]):
    """Delete a user.

    Its access keys, inline policies and attachments must be gone before; a boundary does not hinder (IAM-USR-004).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteUser",
        Authorization(Target("user", "user_name")),
        errors=(
            LimitExceededException,
            NoSuchEntityException,
            DeleteConflictException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    user_name: ExistingUserName


class ListUsersResponse(Shape):
    """One page of users, without tags and boundaries (IAM-USR-001)."""

    users: tuple[User, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListUsersCommand(Command[ListUsersResponse]):
    """List the users below a path, page by page.

    ``path_prefix`` is compared as plain text (IAM-GEN-014); without it every user is listed.
    """

    operation: ClassVar[Operation] = Operation(IAM, "ListUsers", Authorization("*"), errors=(ServiceFailureException,))

    path_prefix: PathPrefix | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class TagUserCommand(Command[Nothing]):
    """Add tags to a user or replace the values of tags it has.

    Keys are compared ignoring case (IAM-GEN-061); a user has at most 50 tags.
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "TagUser",
        Authorization(Target("user", "user_name"), keys=("aws:RequestTag/", "aws:TagKeys")),
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

    user_name: ExistingUserName
    tags: SomeTags


class UntagUserCommand(Command[Nothing]):
    """Remove tags from a user; keys it does not have are ignored (IAM-GEN-064)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UntagUser",
        Authorization(Target("user", "user_name"), keys=("aws:TagKeys",)),
        errors=(NoSuchEntityException, ConcurrentModificationException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    user_name: ExistingUserName
    tag_keys: TagKeys


class ListUserTagsResponse(Shape):
    """One page of tags."""

    tags: Tags
    is_truncated: bool = False
    marker: str | None = None


class ListUserTagsCommand(Command[ListUserTagsResponse]):
    """List a user's tags, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListUserTags",
        Authorization(Target("user", "user_name")),
        errors=(NoSuchEntityException, ServiceFailureException),
    )

    user_name: ExistingUserName
    marker: Marker | None = None
    max_items: MaxItems | None = None


class PutUserPolicyCommand(Command[Nothing]):
    """Write an inline policy of a user; an older one of the same name is replaced (IAM-USR-005).

    The document is refused if it is malformed (POL-VA-005); all inline policies of a user together have 2048
    characters (POL-VA-062).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "PutUserPolicy",
        Authorization(Target("user", "user_name"), keys=("iam:PermissionsBoundary",)),
        errors=(
            LimitExceededException,
            MalformedPolicyDocumentException,
            NoSuchEntityException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    user_name: ExistingUserName
    policy_name: PolicyName
    policy_document: Document


class GetUserPolicyResponse(Shape):
    """One inline policy."""

    user_name: ExistingUserName
    policy_name: PolicyName
    policy_document: EncodedDocument


class GetUserPolicyCommand(Command[GetUserPolicyResponse]):
    """Show one inline policy of a user."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "GetUserPolicy",
        Authorization(Target("user", "user_name")),
        errors=(NoSuchEntityException, ServiceFailureException),
    )

    user_name: ExistingUserName
    policy_name: PolicyName


class DeleteUserPolicyCommand(Command[Nothing]):
    """Delete one inline policy of a user."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteUserPolicy",
        Authorization(Target("user", "user_name"), keys=("iam:PermissionsBoundary",)),
        errors=(NoSuchEntityException, LimitExceededException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    user_name: ExistingUserName
    policy_name: PolicyName


class ListUserPoliciesResponse(Shape):
    """One page of names of inline policies."""

    policy_names: tuple[PolicyName, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListUserPoliciesCommand(Command[ListUserPoliciesResponse]):
    """List the names of a user's inline policies, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListUserPolicies",
        Authorization(Target("user", "user_name")),
        errors=(NoSuchEntityException, ServiceFailureException),
    )

    user_name: ExistingUserName
    marker: Marker | None = None
    max_items: MaxItems | None = None


class AttachUserPolicyCommand(Command[Nothing]):
    """Attach a managed policy to a user; doing it again changes nothing (IAM-USR-006)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "AttachUserPolicy",
        Authorization(Target("user", "user_name"), keys=("iam:PermissionsBoundary", "iam:PolicyARN")),
        errors=(
            NoSuchEntityException,
            LimitExceededException,
            InvalidInputException,
            PolicyNotAttachableException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    user_name: UserName
    policy_arn: ArnText


class DetachUserPolicyCommand(Command[Nothing]):
    """Detach a managed policy from a user."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DetachUserPolicy",
        Authorization(Target("user", "user_name"), keys=("iam:PermissionsBoundary", "iam:PolicyARN")),
        errors=(NoSuchEntityException, LimitExceededException, InvalidInputException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    user_name: UserName
    policy_arn: ArnText


class ListAttachedUserPoliciesResponse(Shape):
    """One page of names and ARNs of managed policies."""

    attached_policies: tuple[AttachedPolicy, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListAttachedUserPoliciesCommand(Command[ListAttachedUserPoliciesResponse]):
    """List the managed policies attached to a user, page by page.

    ``path_prefix`` selects by the path of the policies.
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListAttachedUserPolicies",
        Authorization(Target("user", "user_name")),
        errors=(NoSuchEntityException, InvalidInputException, ServiceFailureException),
    )

    user_name: UserName
    path_prefix: PolicyPath | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class PutUserPermissionsBoundaryCommand(Command[Nothing]):
    """Make a managed policy the boundary of a user: the most that it can be allowed (IAM-USR-008)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "PutUserPermissionsBoundary",
        Authorization(Target("user", "user_name"), keys=("iam:PermissionsBoundary",)),
        errors=(NoSuchEntityException, InvalidInputException, PolicyNotAttachableException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    user_name: UserName
    permissions_boundary: ArnText


class DeleteUserPermissionsBoundaryCommand(Command[Nothing]):
    """Take the boundary of a user away (IAM-USR-008)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteUserPermissionsBoundary",
        Authorization(Target("user", "user_name"), keys=("iam:PermissionsBoundary",)),
        errors=(NoSuchEntityException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    user_name: UserName


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    CreateUserCommand,
    GetUserCommand,
    UpdateUserCommand,
    DeleteUserCommand,
    ListUsersCommand,
    TagUserCommand,
    UntagUserCommand,
    ListUserTagsCommand,
    PutUserPolicyCommand,
    GetUserPolicyCommand,
    DeleteUserPolicyCommand,
    ListUserPoliciesCommand,
    AttachUserPolicyCommand,
    DetachUserPolicyCommand,
    ListAttachedUserPoliciesCommand,
    PutUserPermissionsBoundaryCommand,
    DeleteUserPermissionsBoundaryCommand,
)
"""The commands of this module."""
