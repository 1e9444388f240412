"""Login profiles: the passwords of users, and the rules for them.

Nothing here signs anybody in: this server has no console.  The records are what audits, Terraform and the root tasks of
AssumeRoot read and remove (IAM-CL-011).
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import Nothing, UserName
from locum.api.shapes import Authorization, Command, Operation, Shape, Target, integer, text
from locum.errors import (
    EntityAlreadyExistsException,
    EntityTemporarilyUnmodifiableException,
    InvalidUserTypeException,
    LimitExceededException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
    PasswordPolicyViolationException,
    ServiceFailureException,
)
from locum.secret import Secret

__all__ = [
    "COMMANDS",
    "ChangePasswordCommand",
    "CreateLoginProfileCommand",
    "CreateLoginProfileResponse",
    "DeleteAccountPasswordPolicyCommand",
    "DeleteLoginProfileCommand",
    "GetAccountPasswordPolicyCommand",
    "GetAccountPasswordPolicyResponse",
    "GetLoginProfileCommand",
    "GetLoginProfileResponse",
    "LoginProfile",
    "PasswordPolicy",
    "UpdateAccountPasswordPolicyCommand",
    "UpdateLoginProfileCommand",
]

_OWNER: Final = Target("user", "user_name")
_OWN: Final = Target("user", "user_name", or_caller=True)

Password = Annotated[Secret, text(1, 128, r"[\u0009\u000A\u000D\u0020-\u00FF]+")]
"""A password (IAM-LGN-002)."""

MinimumPasswordLength = Annotated[int, integer(6, 128)]
"""The fewest characters of a password."""

MaxPasswordAge = Annotated[int, integer(1, 1095)]
"""Days after which a password is to be changed."""

PasswordReusePrevention = Annotated[int, integer(1, 24)]
"""How many of the last passwords may not be used again."""


class LoginProfile(Shape):
    """A password's record, without the password (IAM-LGN-001); the root user's has no name in it."""

    user_name: UserName | None = None
    create_date: datetime.datetime
    password_reset_required: bool | None = None


class CreateLoginProfileResponse(Shape):
    """The new login profile."""

    login_profile: LoginProfile


class CreateLoginProfileCommand(Command[CreateLoginProfileResponse]):
    """Give a user a password.

    Only the session of a root task leaves out name and password: then root may set one again (IAM-LGN-002).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "CreateLoginProfile",
        Authorization(_OWN),
        errors=(
            EntityAlreadyExistsException,
            NoSuchEntityException,
            PasswordPolicyViolationException,
            LimitExceededException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    user_name: UserName | None = None
    password: Password | None = None
    password_reset_required: bool = False


class GetLoginProfileResponse(Shape):
    """The login profile."""

    login_profile: LoginProfile


class GetLoginProfileCommand(Command[GetLoginProfileResponse]):
    """Show whether a user, the calling one without ``user_name``, has a password, and since when (IAM-LGN-003)."""

    operation: ClassVar[Operation] = Operation(
        IAM, "GetLoginProfile", Authorization(_OWN), errors=(NoSuchEntityException, ServiceFailureException)
    )

    user_name: UserName | None = None


class DeleteLoginProfileCommand(Command[Nothing]):
    """Take the password from a user, the calling one without ``user_name``; its keys still work (IAM-LGN-003)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteLoginProfile",
        Authorization(_OWN),
        errors=(
            EntityTemporarilyUnmodifiableException,
            NoSuchEntityException,
            LimitExceededException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    user_name: UserName | None = None


class UpdateLoginProfileCommand(Command[Nothing]):
    """Change a user's password, or whether it must be changed; what is left out stays."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UpdateLoginProfile",
        Authorization(_OWNER),
        errors=(
            EntityTemporarilyUnmodifiableException,
            NoSuchEntityException,
            PasswordPolicyViolationException,
            LimitExceededException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    user_name: UserName
    password: Password | None = None
    password_reset_required: bool | None = None


class ChangePasswordCommand(Command[Nothing]):
    """Change the calling user's own password, which it must know."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ChangePassword",
        Authorization(Target("caller", "")),
        errors=(
            NoSuchEntityException,
            InvalidUserTypeException,
            LimitExceededException,
            EntityTemporarilyUnmodifiableException,
            PasswordPolicyViolationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    old_password: Password
    new_password: Password


class PasswordPolicy(Shape):
    """The account's own rules for passwords; ``expire_passwords`` follows from ``max_password_age`` (IAM-SHD-001)."""

    minimum_password_length: MinimumPasswordLength | None = None
    require_symbols: bool | None = None
    require_numbers: bool | None = None
    require_uppercase_characters: bool | None = None
    require_lowercase_characters: bool | None = None
    allow_users_to_change_password: bool | None = None
    expire_passwords: bool | None = None
    max_password_age: MaxPasswordAge | None = None
    password_reuse_prevention: PasswordReusePrevention | None = None
    hard_expiry: bool | None = None


class GetAccountPasswordPolicyResponse(Shape):
    """The rules."""

    password_policy: PasswordPolicy


class GetAccountPasswordPolicyCommand(Command[GetAccountPasswordPolicyResponse]):
    """Show the account's own rules for passwords."""

    operation: ClassVar[Operation] = Operation(
        IAM, "GetAccountPasswordPolicy", Authorization(), errors=(NoSuchEntityException, ServiceFailureException)
    )


class UpdateAccountPasswordPolicyCommand(Command[Nothing]):
    """Replace the account's rules for passwords as a whole: what is left out gets its default (IAM-SHD-001)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UpdateAccountPasswordPolicy",
        Authorization(),
        errors=(
            NoSuchEntityException,
            MalformedPolicyDocumentException,
            LimitExceededException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    minimum_password_length: MinimumPasswordLength | None = None
    require_symbols: bool = False
    require_numbers: bool = False
    require_uppercase_characters: bool = False
    require_lowercase_characters: bool = False
    allow_users_to_change_password: bool = False
    max_password_age: MaxPasswordAge | None = None
    password_reuse_prevention: PasswordReusePrevention | None = None
    hard_expiry: bool | None = None


class DeleteAccountPasswordPolicyCommand(Command[Nothing]):
    """Return to AWS's default rules for passwords."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteAccountPasswordPolicy",
        Authorization(),
        errors=(NoSuchEntityException, LimitExceededException, ServiceFailureException),
        read_only=False,
        writes=True,
    )


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    CreateLoginProfileCommand,
    GetLoginProfileCommand,
    DeleteLoginProfileCommand,
    UpdateLoginProfileCommand,
    ChangePasswordCommand,
    GetAccountPasswordPolicyCommand,
    UpdateAccountPasswordPolicyCommand,
    DeleteAccountPasswordPolicyCommand,
)
"""The commands of this module."""
