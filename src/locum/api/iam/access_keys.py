"""Access keys: the long-term credentials of users (IAM-CL-002).

Where ``user_name`` is left out, the user is the caller (IAM-GEN-073); a session of a role must name it
(IAM-KEY-005).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import (
    AccessKey,
    AccessKeyId,
    AccessKeyLastUsed,
    AccessKeyMetadata,
    ExistingUserName,
    KeyStatus,
    Marker,
    MaxItems,
    Nothing,
)
from locum.api.shapes import Authorization, Command, Operation, Shape, Target
from locum.errors import InvalidInputException, LimitExceededException, NoSuchEntityException, ServiceFailureException

__all__ = [
    "COMMANDS",
    "CreateAccessKeyCommand",
    "CreateAccessKeyResponse",
    "DeleteAccessKeyCommand",
    "GetAccessKeyLastUsedCommand",
    "GetAccessKeyLastUsedResponse",
    "ListAccessKeysCommand",
    "ListAccessKeysResponse",
    "UpdateAccessKeyCommand",
]


class CreateAccessKeyResponse(Shape):
    """The key with its secret, which is never shown again (IAM-KEY-001)."""

    access_key: AccessKey


class CreateAccessKeyCommand(Command[CreateAccessKeyResponse]):
    """Make an access key for a user, the calling one without ``user_name``.

    A user has at most two keys, inactive ones included (IAM-KEY-002).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "CreateAccessKey",
        Authorization(Target("user", "user_name", or_caller=True)),
        errors=(NoSuchEntityException, LimitExceededException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    user_name: ExistingUserName | None = None


class UpdateAccessKeyCommand(Command[Nothing]):
    """Make an access key active or inactive; an inactive one is refused at once (IAM-KEY-008).

    The status ``Expired`` is in the contract but not accepted (IAM-KEY-003).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UpdateAccessKey",
        Authorization(Target("user", "user_name", or_caller=True)),
        errors=(NoSuchEntityException, LimitExceededException, ServiceFailureException, InvalidInputException),
        read_only=False,
        writes=True,
    )

    user_name: ExistingUserName | None = None
    access_key_id: AccessKeyId
    status: KeyStatus


class DeleteAccessKeyCommand(Command[Nothing]):
    """Delete an access key for good."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteAccessKey",
        Authorization(Target("user", "user_name", or_caller=True)),
        errors=(NoSuchEntityException, LimitExceededException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    user_name: ExistingUserName | None = None
    access_key_id: AccessKeyId


class ListAccessKeysResponse(Shape):
    """One page of access keys, without secrets (IAM-KEY-004)."""

    access_key_metadata: tuple[AccessKeyMetadata, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListAccessKeysCommand(Command[ListAccessKeysResponse]):
    """List a user's access keys without their secrets, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListAccessKeys",
        Authorization(Target("user", "user_name", or_caller=True)),
        errors=(NoSuchEntityException, ServiceFailureException),
    )

    user_name: ExistingUserName | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class GetAccessKeyLastUsedResponse(Shape):
    """The key's user and its last use; ``N/A`` and no date if there was none (IAM-KEY-006)."""

    user_name: ExistingUserName | None = None
    access_key_last_used: AccessKeyLastUsed | None = None


class GetAccessKeyLastUsedCommand(Command[GetAccessKeyLastUsedResponse]):
    """Tell whose access key it is and when, where and for which service it was last used.

    Policies see the ARN of the key's user as the resource; an unknown key is answered like a denied one
    (IAM-KEY-007).
    """

    operation: ClassVar[Operation] = Operation(
        IAM, "GetAccessKeyLastUsed", Authorization(Target("access_key", "access_key_id"))
    )

    access_key_id: AccessKeyId


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    CreateAccessKeyCommand,
    UpdateAccessKeyCommand,
    DeleteAccessKeyCommand,
    ListAccessKeysCommand,
    GetAccessKeyLastUsedCommand,
)
"""The commands of this module."""
