"""Instance profiles: the names under which machines are given roles, one role in each (IAM-CL-006).

A profile's name is found ignoring case and shown as it was written (IAM-GEN-012); it has nothing to do with the names
of roles (IAM-INS-005).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import (
    InstanceProfile,
    InstanceProfileName,
    Marker,
    MaxItems,
    Nothing,
    Path,
    PathPrefix,
    RoleName,
    SomeTagKeys,
    SomeTags,
    Tags,
)
from locum.api.shapes import Authorization, Command, Operation, Shape, Target
from locum.errors import (
    ConcurrentModificationException,
    DeleteConflictException,
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
    ServiceFailureException,
    UnmodifiableEntityException,
)

__all__ = [
    "COMMANDS",
    "AddRoleToInstanceProfileCommand",
    "CreateInstanceProfileCommand",
    "CreateInstanceProfileResponse",
    "DeleteInstanceProfileCommand",
    "GetInstanceProfileCommand",
    "GetInstanceProfileResponse",
    "ListInstanceProfileTagsCommand",
    "ListInstanceProfileTagsResponse",
    "ListInstanceProfilesCommand",
    "ListInstanceProfilesForRoleCommand",
    "ListInstanceProfilesForRoleResponse",
    "ListInstanceProfilesResponse",
    "RemoveRoleFromInstanceProfileCommand",
    "TagInstanceProfileCommand",
    "UntagInstanceProfileCommand",
]

_PROFILE: Final = Target("instance-profile", "instance_profile_name")


class CreateInstanceProfileResponse(Shape):
    """The new profile, which holds no role yet (IAM-INS-001)."""

    instance_profile: InstanceProfile


class CreateInstanceProfileCommand(Command[CreateInstanceProfileResponse]):
    """Create an instance profile.

    ``path`` is ``/`` unless given.  The name must differ from every other profile's, whatever the path and ignoring
    case (IAM-INS-002).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "CreateInstanceProfile",
        Authorization(
            Target("instance-profile", "instance_profile_name", creates=True), keys=("aws:RequestTag/", "aws:TagKeys")
        ),
        errors=(
            EntityAlreadyExistsException,
            InvalidInputException,
            LimitExceededException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    instance_profile_name: InstanceProfileName
    path: Path | None = None
    tags: Tags = ()


class GetInstanceProfileResponse(Shape):
    """The profile with its role and its tags (IAM-INS-001)."""

    instance_profile: InstanceProfile


class GetInstanceProfileCommand(Command[GetInstanceProfileResponse]):
    """Show one instance profile."""

    operation: ClassVar[Operation] = Operation(
        IAM, "GetInstanceProfile", Authorization(_PROFILE), errors=(NoSuchEntityException, ServiceFailureException)
    )

    instance_profile_name: InstanceProfileName


class DeleteInstanceProfileCommand(Command[Nothing]):
    """Delete an instance profile; its role must be taken out before (IAM-INS-004)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteInstanceProfile",
        Authorization(_PROFILE),
        errors=(NoSuchEntityException, DeleteConflictException, LimitExceededException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    instance_profile_name: InstanceProfileName


class ListInstanceProfilesResponse(Shape):
    """One page of instance profiles with their roles, without tags."""

    instance_profiles: tuple[InstanceProfile, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListInstanceProfilesCommand(Command[ListInstanceProfilesResponse]):
    """List the instance profiles below a path, page by page.

    ``path_prefix`` is compared as plain text (IAM-GEN-014); without it every profile is listed.
    """

    operation: ClassVar[Operation] = Operation(
        IAM, "ListInstanceProfiles", Authorization("*"), errors=(ServiceFailureException,)
    )

    path_prefix: PathPrefix | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ListInstanceProfilesForRoleResponse(Shape):
    """One page of instance profiles with the role, without tags."""

    instance_profiles: tuple[InstanceProfile, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListInstanceProfilesForRoleCommand(Command[ListInstanceProfilesForRoleResponse]):
    """List the instance profiles that hold a role, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListInstanceProfilesForRole",
        Authorization(Target("role", "role_name")),
        errors=(NoSuchEntityException, ServiceFailureException),
    )

    role_name: RoleName
    marker: Marker | None = None
    max_items: MaxItems | None = None


class AddRoleToInstanceProfileCommand(Command[Nothing]):
    """Put a role into an instance profile, which has place for one (IAM-INS-003).

    Whoever does it must be allowed to pass the role to machines, too: iam:PassRole (POL-TR-020).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "AddRoleToInstanceProfile",
        Authorization(_PROFILE, passes=Target("role", "role_name")),
        errors=(
            NoSuchEntityException,
            EntityAlreadyExistsException,
            LimitExceededException,
            UnmodifiableEntityException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    instance_profile_name: InstanceProfileName
    role_name: RoleName


class RemoveRoleFromInstanceProfileCommand(Command[Nothing]):
    """Take a role out of an instance profile (IAM-INS-003)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "RemoveRoleFromInstanceProfile",
        Authorization(_PROFILE),
        errors=(NoSuchEntityException, LimitExceededException, UnmodifiableEntityException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    instance_profile_name: InstanceProfileName
    role_name: RoleName


class TagInstanceProfileCommand(Command[Nothing]):
    """Add tags to an instance profile or replace the values of tags it has; keys are compared as written."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "TagInstanceProfile",
        Authorization(_PROFILE, keys=("aws:RequestTag/", "aws:TagKeys")),
        errors=(
            NoSuchEntityException,
            InvalidInputException,
            LimitExceededException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    instance_profile_name: InstanceProfileName
    tags: SomeTags


class UntagInstanceProfileCommand(Command[Nothing]):
    """Remove tags from an instance profile; keys it does not have are ignored (IAM-GEN-064)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UntagInstanceProfile",
        Authorization(_PROFILE, keys=("aws:TagKeys",)),
        errors=(NoSuchEntityException, InvalidInputException, ConcurrentModificationException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    instance_profile_name: InstanceProfileName
    tag_keys: SomeTagKeys


class ListInstanceProfileTagsResponse(Shape):
    """One page of tags."""

    tags: Tags
    is_truncated: bool = False
    marker: str | None = None


class ListInstanceProfileTagsCommand(Command[ListInstanceProfileTagsResponse]):
    """List an instance profile's tags, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM, "ListInstanceProfileTags", Authorization(_PROFILE), errors=(NoSuchEntityException, ServiceFailureException)
    )

    instance_profile_name: InstanceProfileName
    marker: Marker | None = None
    max_items: MaxItems | None = None


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    CreateInstanceProfileCommand,
    GetInstanceProfileCommand,
    DeleteInstanceProfileCommand,
    ListInstanceProfilesCommand,
    ListInstanceProfilesForRoleCommand,
    AddRoleToInstanceProfileCommand,
    RemoveRoleFromInstanceProfileCommand,
    TagInstanceProfileCommand,
    UntagInstanceProfileCommand,
    ListInstanceProfileTagsCommand,
)
"""The commands of this module."""
