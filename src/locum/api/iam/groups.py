"""Groups: they lend their policies to the users in them, and are no principals themselves (IAM-CL-003, POL-GR-031).

A group's name is found ignoring case and shown as it was written (IAM-GEN-012).  Groups have neither tags nor a
boundary (IAM-GRP-007).
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
    Group,
    GroupName,
    Marker,
    MaxItems,
    Nothing,
    Path,
    PathPrefix,
    PolicyName,
    PolicyPath,
    User,
)
from locum.api.shapes import Authorization, Command, Operation, Shape, Target
from locum.errors import (
    DeleteConflictException,
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
    PolicyNotAttachableException,
    ServiceFailureException,
)

__all__ = [
    "COMMANDS",
    "AddUserToGroupCommand",
    "AttachGroupPolicyCommand",
    "CreateGroupCommand",
    "CreateGroupResponse",
    "DeleteGroupCommand",
    "DeleteGroupPolicyCommand",
    "DetachGroupPolicyCommand",
    "GetGroupCommand",
    "GetGroupPolicyCommand",
    "GetGroupPolicyResponse",
    "GetGroupResponse",
    "ListAttachedGroupPoliciesCommand",
    "ListAttachedGroupPoliciesResponse",
    "ListGroupPoliciesCommand",
    "ListGroupPoliciesResponse",
    "ListGroupsCommand",
    "ListGroupsForUserCommand",
    "ListGroupsForUserResponse",
    "ListGroupsResponse",
    "PutGroupPolicyCommand",
    "RemoveUserFromGroupCommand",
    "UpdateGroupCommand",
]

_GROUP: Final = Target("group", "group_name")


class CreateGroupResponse(Shape):
    """The new group (IAM-GRP-001)."""

    group: Group


class CreateGroupCommand(Command[CreateGroupResponse]):
    """Create a group without members and policies.

    ``path`` is ``/`` unless given.  The name must differ from every other group's, whatever the path and ignoring case
    (IAM-GRP-001).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "CreateGroup",
        Authorization(Target("group", "group_name", creates=True)),
        errors=(
            LimitExceededException,
            EntityAlreadyExistsException,
            NoSuchEntityException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    path: Path | None = None
    group_name: GroupName


class GetGroupResponse(Shape):
    """The group and one page of its members, without tags and boundaries (IAM-GRP-002)."""

    group: Group
    users: tuple[User, ...]
    is_truncated: bool = False
    marker: str | None = None


class GetGroupCommand(Command[GetGroupResponse]):
    """Show a group and the users in it, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM, "GetGroup", Authorization(_GROUP), errors=(NoSuchEntityException, ServiceFailureException)
    )

    group_name: GroupName
    marker: Marker | None = None
    max_items: MaxItems | None = None


class UpdateGroupCommand(Command[Nothing]):
    """Rename a group or move it to another path.

    Id, members and policies stay; the ARN changes and the old name is free (IAM-GRP-004).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UpdateGroup",
        Authorization(_GROUP),
        errors=(
            NoSuchEntityException,
            EntityAlreadyExistsException,
            LimitExceededException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    group_name: GroupName
    new_path: Path | None = None
    new_group_name: GroupName | None = None


class DeleteGroupCommand(Command[Nothing]):
    """Delete a group; its members and policies must be gone before (IAM-GRP-005)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteGroup",
        Authorization(_GROUP),
        errors=(NoSuchEntityException, DeleteConflictException, LimitExceededException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    group_name: GroupName


class ListGroupsResponse(Shape):
    """One page of groups."""

    groups: tuple[Group, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListGroupsCommand(Command[ListGroupsResponse]):
    """List the groups below a path, page by page.

    ``path_prefix`` is compared as plain text (IAM-GEN-014); without it every group is listed.
    """

    operation: ClassVar[Operation] = Operation(IAM, "ListGroups", Authorization("*"), errors=(ServiceFailureException,))

    path_prefix: PathPrefix | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class AddUserToGroupCommand(Command[Nothing]):
    """Put a user into a group; doing it again changes nothing (IAM-GRP-003).

    The group's policies are the user's from the next request on.
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "AddUserToGroup",
        Authorization(_GROUP),
        errors=(NoSuchEntityException, LimitExceededException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    group_name: GroupName
    user_name: ExistingUserName


class RemoveUserFromGroupCommand(Command[Nothing]):
    """Take a user out of a group; one that is not in it stays so (IAM-GRP-003)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "RemoveUserFromGroup",
        Authorization(_GROUP),
        errors=(NoSuchEntityException, LimitExceededException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    group_name: GroupName
    user_name: ExistingUserName


class ListGroupsForUserResponse(Shape):
    """One page of groups."""

    groups: tuple[Group, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListGroupsForUserCommand(Command[ListGroupsForUserResponse]):
    """List the groups that a user is in, page by page (IAM-CL-001)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListGroupsForUser",
        Authorization(Target("user", "user_name")),
        errors=(NoSuchEntityException, ServiceFailureException),
    )

    user_name: ExistingUserName
    marker: Marker | None = None
    max_items: MaxItems | None = None


class PutGroupPolicyCommand(Command[Nothing]):
    """Write an inline policy of a group; an older one of the same name is replaced.

    The document is refused if it is malformed (POL-VA-005); all inline policies of a group together have 5120
    characters (POL-VA-062).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "PutGroupPolicy",
        Authorization(_GROUP),
        errors=(
            LimitExceededException,
            MalformedPolicyDocumentException,
            NoSuchEntityException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    group_name: GroupName
    policy_name: PolicyName
    policy_document: Document


class GetGroupPolicyResponse(Shape):
    """One inline policy."""

    group_name: GroupName
    policy_name: PolicyName
    policy_document: EncodedDocument


class GetGroupPolicyCommand(Command[GetGroupPolicyResponse]):
    """Show one inline policy of a group (IAM-GRP-006)."""

    operation: ClassVar[Operation] = Operation(
        IAM, "GetGroupPolicy", Authorization(_GROUP), errors=(NoSuchEntityException, ServiceFailureException)
    )

    group_name: GroupName
    policy_name: PolicyName


class DeleteGroupPolicyCommand(Command[Nothing]):
    """Delete one inline policy of a group (IAM-GRP-006)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteGroupPolicy",
        Authorization(_GROUP),
        errors=(NoSuchEntityException, LimitExceededException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    group_name: GroupName
    policy_name: PolicyName


class ListGroupPoliciesResponse(Shape):
    """One page of names of inline policies."""

    policy_names: tuple[PolicyName, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListGroupPoliciesCommand(Command[ListGroupPoliciesResponse]):
    """List the names of a group's inline policies, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM, "ListGroupPolicies", Authorization(_GROUP), errors=(NoSuchEntityException, ServiceFailureException)
    )

    group_name: GroupName
    marker: Marker | None = None
    max_items: MaxItems | None = None


class AttachGroupPolicyCommand(Command[Nothing]):
    """Attach a managed policy to a group; doing it again changes nothing (IAM-USR-006)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "AttachGroupPolicy",
        Authorization(_GROUP, keys=("iam:PolicyARN",)),
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

    group_name: GroupName
    policy_arn: ArnText


class DetachGroupPolicyCommand(Command[Nothing]):
    """Detach a managed policy from a group."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DetachGroupPolicy",
        Authorization(_GROUP, keys=("iam:PolicyARN",)),
        errors=(NoSuchEntityException, LimitExceededException, InvalidInputException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    group_name: GroupName
    policy_arn: ArnText


class ListAttachedGroupPoliciesResponse(Shape):
    """One page of names and ARNs of managed policies."""

    attached_policies: tuple[AttachedPolicy, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListAttachedGroupPoliciesCommand(Command[ListAttachedGroupPoliciesResponse]):
    """List the managed policies attached to a group, page by page.

    ``path_prefix`` selects by the path of the policies.
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListAttachedGroupPolicies",
        Authorization(_GROUP),
        errors=(NoSuchEntityException, InvalidInputException, ServiceFailureException),
    )

    group_name: GroupName
    path_prefix: PolicyPath | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    ListGroupsForUserCommand,
    CreateGroupCommand,
    GetGroupCommand,
    UpdateGroupCommand,
    DeleteGroupCommand,
    ListGroupsCommand,
    AddUserToGroupCommand,
    RemoveUserFromGroupCommand,
    PutGroupPolicyCommand,
    GetGroupPolicyCommand,
    DeleteGroupPolicyCommand,
    ListGroupPoliciesCommand,
    AttachGroupPolicyCommand,
    DetachGroupPolicyCommand,
    ListAttachedGroupPoliciesCommand,
)
"""The commands of this module."""
