"""Managed policies: documents with versions, attached to users and roles or set as boundaries (IAM-CL-005).

Beside those of the account there are AWS's own, which everybody may use and nobody change (IAM-POL-020).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import (
    ArnText,
    Document,
    EntityKind,
    Marker,
    MaxItems,
    Nothing,
    Path,
    Policy,
    PolicyDescription,
    PolicyGroup,
    PolicyName,
    PolicyPath,
    PolicyRole,
    PolicyScope,
    PolicyUsage,
    PolicyUser,
    PolicyVersion,
    SomeTagKeys,
    SomeTags,
    Tags,
    VersionId,
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
    ServiceFailureException,
)

__all__ = [
    "COMMANDS",
    "CreatePolicyCommand",
    "CreatePolicyResponse",
    "CreatePolicyVersionCommand",
    "CreatePolicyVersionResponse",
    "DeletePolicyCommand",
    "DeletePolicyVersionCommand",
    "GetPolicyCommand",
    "GetPolicyResponse",
    "GetPolicyVersionCommand",
    "GetPolicyVersionResponse",
    "ListEntitiesForPolicyCommand",
    "ListEntitiesForPolicyResponse",
    "ListPoliciesCommand",
    "ListPoliciesResponse",
    "ListPolicyTagsCommand",
    "ListPolicyTagsResponse",
    "ListPolicyVersionsCommand",
    "ListPolicyVersionsResponse",
    "SetDefaultPolicyVersionCommand",
    "TagPolicyCommand",
    "UntagPolicyCommand",
]


class CreatePolicyResponse(Shape):
    """The new policy, without its description (IAM-POL-001)."""

    policy: Policy | None = None


class CreatePolicyCommand(Command[CreatePolicyResponse]):
    """Create a managed policy; its document becomes version ``v1``.

    The name must differ from every other policy's, whatever the path (IAM-POL-003).  The document is refused if it is
    malformed (POL-VA-002) or longer than 6144 characters (POL-VA-059).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "CreatePolicy",
        Authorization(Target("policy", "policy_name", creates=True), keys=("aws:RequestTag/", "aws:TagKeys")),
        errors=(
            InvalidInputException,
            LimitExceededException,
            EntityAlreadyExistsException,
            MalformedPolicyDocumentException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    policy_name: PolicyName
    path: PolicyPath | None = None
    policy_document: Document
    description: PolicyDescription | None = None
    tags: Tags = ()


class GetPolicyResponse(Shape):
    """The policy with description and tags (IAM-POL-002)."""

    policy: Policy | None = None


class GetPolicyCommand(Command[GetPolicyResponse]):
    """Show one managed policy without its document (for that see :class:`GetPolicyVersionCommand`)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "GetPolicy",
        Authorization(Target("policy", "policy_arn")),
        errors=(NoSuchEntityException, InvalidInputException, ServiceFailureException),
    )

    policy_arn: ArnText


class DeletePolicyCommand(Command[Nothing]):
    """Delete a managed policy.

    It must be attached nowhere and have no version but the default one (IAM-POL-009).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeletePolicy",
        Authorization(Target("policy", "policy_arn")),
        errors=(
            NoSuchEntityException,
            LimitExceededException,
            InvalidInputException,
            DeleteConflictException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    policy_arn: ArnText


class ListPoliciesResponse(Shape):
    """One page of policies, without descriptions and tags (IAM-POL-002)."""

    policies: tuple[Policy, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListPoliciesCommand(Command[ListPoliciesResponse]):
    """List managed policies, page by page.

    ``scope`` is ``All`` unless given, ``AWS`` or ``Local`` (IAM-POL-011); the other members narrow the list to
    policies in use, used as permissions or as boundaries, and below a path.
    """

    operation: ClassVar[Operation] = Operation(
        IAM, "ListPolicies", Authorization("*"), errors=(ServiceFailureException,)
    )

    scope: PolicyScope | None = None
    only_attached: bool | None = None
    path_prefix: PolicyPath | None = None
    policy_usage_filter: PolicyUsage | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class CreatePolicyVersionResponse(Shape):
    """The new version without its document (IAM-POL-004)."""

    policy_version: PolicyVersion | None = None


class CreatePolicyVersionCommand(Command[CreatePolicyVersionResponse]):
    """Add a version to a managed policy; ``set_as_default`` makes it the one in force (IAM-POL-004).

    A policy has at most five versions; numbers are never used again (IAM-POL-006).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "CreatePolicyVersion",
        Authorization(Target("policy", "policy_arn")),
        errors=(
            NoSuchEntityException,
            MalformedPolicyDocumentException,
            InvalidInputException,
            LimitExceededException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    policy_arn: ArnText
    policy_document: Document
    set_as_default: bool | None = None


class GetPolicyVersionResponse(Shape):
    """The version with its document (IAM-POL-005)."""

    policy_version: PolicyVersion | None = None


class GetPolicyVersionCommand(Command[GetPolicyVersionResponse]):
    """Show one version of a managed policy."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "GetPolicyVersion",
        Authorization(Target("policy", "policy_arn")),
        errors=(NoSuchEntityException, InvalidInputException, ServiceFailureException),
    )

    policy_arn: ArnText
    version_id: VersionId


class DeletePolicyVersionCommand(Command[Nothing]):
    """Delete a version that is not the default one (IAM-POL-008)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeletePolicyVersion",
        Authorization(Target("policy", "policy_arn")),
        errors=(
            NoSuchEntityException,
            LimitExceededException,
            InvalidInputException,
            DeleteConflictException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    policy_arn: ArnText
    version_id: VersionId


class ListPolicyVersionsResponse(Shape):
    """One page of versions, without documents (IAM-POL-005)."""

    versions: tuple[PolicyVersion, ...] = ()
    is_truncated: bool = False
    marker: str | None = None


class ListPolicyVersionsCommand(Command[ListPolicyVersionsResponse]):
    """List the versions of a managed policy, newest first, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListPolicyVersions",
        Authorization(Target("policy", "policy_arn")),
        errors=(NoSuchEntityException, InvalidInputException, ServiceFailureException),
    )

    policy_arn: ArnText
    marker: Marker | None = None
    max_items: MaxItems | None = None


class SetDefaultPolicyVersionCommand(Command[Nothing]):
    """Put another version of a managed policy in force, at once and for running sessions too (IAM-POL-014)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "SetDefaultPolicyVersion",
        Authorization(Target("policy", "policy_arn")),
        errors=(NoSuchEntityException, InvalidInputException, LimitExceededException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    policy_arn: ArnText
    version_id: VersionId


class ListEntitiesForPolicyResponse(Shape):
    """One page over groups, users and roles together (IAM-POL-012)."""

    policy_groups: tuple[PolicyGroup, ...]
    policy_users: tuple[PolicyUser, ...]
    policy_roles: tuple[PolicyRole, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListEntitiesForPolicyCommand(Command[ListEntitiesForPolicyResponse]):
    """List who uses a managed policy, page by page.

    ``entity_filter`` and ``policy_usage_filter`` narrow the list to a kind of user or of use, ``path_prefix`` to
    users, roles and groups below a path (IAM-POL-012).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListEntitiesForPolicy",
        Authorization(Target("policy", "policy_arn")),
        errors=(NoSuchEntityException, InvalidInputException, ServiceFailureException),
    )

    policy_arn: ArnText
    entity_filter: EntityKind | None = None
    path_prefix: Path | None = None
    policy_usage_filter: PolicyUsage | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class TagPolicyCommand(Command[Nothing]):
    """Add tags to a managed policy or replace the values of tags it has.

    Keys differ by case (IAM-GEN-061); a policy has at most 50 tags.
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "TagPolicy",
        Authorization(Target("policy", "policy_arn"), keys=("aws:RequestTag/", "aws:TagKeys")),
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

    policy_arn: ArnText
    tags: SomeTags


class UntagPolicyCommand(Command[Nothing]):
    """Remove tags from a managed policy; keys it does not have are ignored (IAM-GEN-064)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UntagPolicy",
        Authorization(Target("policy", "policy_arn"), keys=("aws:TagKeys",)),
        errors=(NoSuchEntityException, InvalidInputException, ConcurrentModificationException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    policy_arn: ArnText
    tag_keys: SomeTagKeys


class ListPolicyTagsResponse(Shape):
    """One page of tags."""

    tags: Tags
    is_truncated: bool = False
    marker: str | None = None


class ListPolicyTagsCommand(Command[ListPolicyTagsResponse]):
    """List the tags of a managed policy, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListPolicyTags",
        Authorization(Target("policy", "policy_arn")),
        errors=(NoSuchEntityException, ServiceFailureException, InvalidInputException),
    )

    policy_arn: ArnText
    marker: Marker | None = None
    max_items: MaxItems | None = None


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    CreatePolicyCommand,
    GetPolicyCommand,
    DeletePolicyCommand,
    ListPoliciesCommand,
    CreatePolicyVersionCommand,
    GetPolicyVersionCommand,
    DeletePolicyVersionCommand,
    ListPolicyVersionsCommand,
    SetDefaultPolicyVersionCommand,
    ListEntitiesForPolicyCommand,
    TagPolicyCommand,
    UntagPolicyCommand,
    ListPolicyTagsCommand,
)
"""The commands of this module."""
