"""Login profiles and the rules for passwords (iam_api.md sections 10 and 13).

Passwords are hashed before the transaction begins: that takes a tenth of a second, in which no writer shall wait.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from locum.api.iam import login_profiles as api
from locum.api.iam import types
from locum.core import passwords
from locum.core.account_records import LoginProfile, PasswordRules
from locum.core.records import User
from locum.core.session import CallerKind
from locum.errors import (
    AccessDenied,
    EntityAlreadyExistsException,
    EntityTemporarilyUnmodifiableException,
    InvalidUserTypeException,
    NoSuchEntityException,
    PasswordPolicyViolationException,
    ValidationError,
)
from locum.server.account_settings import settings_of
from locum.server.handlers import Call, handles
from locum.server.iam import holders
from locum.server.iam.account import save_settings
from locum.server.iam.answers import change, moment
from locum.store.records import Stored

__all__ = [
    "change_password",
    "create_login_profile",
    "delete_account_password_policy",
    "delete_login_profile",
    "get_account_password_policy",
    "get_login_profile",
    "update_account_password_policy",
    "update_login_profile",
]

_OWN_CREDENTIALS: Final = (CallerKind.ROOT, CallerKind.ROOT_SESSION)


class _Hashed(NamedTuple):
    """A password's hash and salt; ``version`` is that of the profile which it is for, 0 for a new one."""

    hash: bytes
    salt: bytes
    version: int = 0


def _owner(call: Call[Any]) -> tuple[str, str | None]:
    """Unique id and name of whose profile is meant: the named user, else the calling one, else root, without a name.

    Root leaves out the name in the session of a root task alone (IAM-RAC-005).
    """
    if call.command.user_name is None and call.caller.is_root:
        if call.caller.kind in _OWN_CREDENTIALS:
            raise ValidationError("Must specify userName when calling with root credentials")
        return call.account, None
    user = holders.holder(call, User).record
    return user.id, user.name


def _find(call: Call[Any], owner: str) -> Stored[LoginProfile] | None:
    return call.records.get(LoginProfile, call.account, owner)


def _profile(call: Call[Any]) -> tuple[Stored[LoginProfile], str | None]:
    owner, name = _owner(call)
    stored = _find(call, owner)
    if stored is None:
        raise NoSuchEntityException(f"Login Profile for User {name or 'null'} cannot be found.")
    return stored, name


def _shown(profile: LoginProfile, name: str | None) -> api.LoginProfile:
    return api.LoginProfile(
        user_name=name, create_date=moment(profile.created), password_reset_required=profile.reset_required
    )


def _check(call: Call[Any], password: str) -> None:
    """PasswordPolicyViolation for a password that the account's rules, or AWS's, do not take (IAM-LGN-002)."""
    account = call.account_record
    if not passwords.conforms(password, settings_of(call).passwords, (account.name, account.email)):
        raise _violation()


def _violation() -> PasswordPolicyViolationException:
    return PasswordPolicyViolationException("Password does not conform to the account password policy.")


# Create, get, delete


def _new(call: Call[api.CreateLoginProfileCommand]) -> tuple[str, str | None, str | None]:
    """Whose profile is to be made, by id and name, and the password; None for root's, which has none yet."""
    command = call.command
    owner, name = _owner(call)
    if _find(call, owner) is not None:
        whose = f"account {owner}" if name is None else f"user {name}"
        raise EntityAlreadyExistsException(f"Login Profile for {whose} already exists.")
    if owner == call.account:
        if command.password is not None:
            raise ValidationError("A root task makes a login profile without a password")
        return owner, name, None
    if command.password is None:
        raise ValidationError(
            "1 validation error detected: Value at 'password' failed to satisfy constraint: Member must not be null"
        )
    password = command.password.reveal()
    _check(call, password)
    return owner, name, password


def _hash_new(call: Call[api.CreateLoginProfileCommand]) -> _Hashed | None:
    _, _, password = _new(call)
    salt = call.random(passwords.SALT_SIZE)
    return None if password is None else _Hashed(passwords.hash_password(password, salt), salt)


@handles(api.CreateLoginProfileCommand, once=_hash_new)
def create_login_profile(call: Call[api.CreateLoginProfileCommand]) -> api.CreateLoginProfileResponse:
    """Give a user a password (IAM-LGN-001)."""
    owner, name, _ = _new(call)
    hashed: _Hashed | None = call.prepared
    now = int(call.now)
    profile = LoginProfile(
        account=call.account,
        owner=owner,
        created=now,
        changed=now,
        salt=b"" if hashed is None else hashed.salt,
        hashes=() if hashed is None else (hashed.hash,),
        reset_required=call.command.password_reset_required,
    )
    call.records.create(profile)
    return api.CreateLoginProfileResponse(login_profile=_shown(profile, name))


@handles(api.GetLoginProfileCommand)
def get_login_profile(call: Call[api.GetLoginProfileCommand]) -> api.GetLoginProfileResponse:
    """Whether somebody has a password."""
    stored, name = _profile(call)
    return api.GetLoginProfileResponse(login_profile=_shown(stored.record, name))


@handles(api.DeleteLoginProfileCommand)
def delete_login_profile(call: Call[api.DeleteLoginProfileCommand]) -> types.Nothing:
    """Take a password away."""
    stored, _ = _profile(call)
    call.records.delete(stored)
    return types.Nothing()


# Change


def _hash_next(call: Call[Any], stored: Stored[LoginProfile], password: str) -> _Hashed:
    """The hash of a password that is to follow; PasswordPolicyViolation for one that was used lately."""
    _check(call, password)
    profile = stored.record
    salt = profile.salt or call.random(passwords.SALT_SIZE)
    hashed = passwords.hash_password(password, salt)
    rules = settings_of(call).passwords
    if rules is not None and passwords.is_among(hashed, profile.hashes[: rules.reuse_prevention]):
        raise _violation()
    return _Hashed(hashed, salt, stored.version)


def _change(call: Call[Any], stored: Stored[LoginProfile], hashed: _Hashed | None, **changes: Any) -> types.Nothing:
    """Write a profile; EntityTemporarilyUnmodifiable where another change came between hashing and writing."""
    if hashed is not None:
        if hashed.version != stored.version:
            raise EntityTemporarilyUnmodifiableException("The login profile was changed at the same time. Try again.")
        kept = stored.record.hashes[: passwords.KEPT - 1]
        changes |= {"salt": hashed.salt, "hashes": (hashed.hash, *kept), "changed": int(call.now)}
    return change(call, stored, **changes)


def _hash_update(call: Call[api.UpdateLoginProfileCommand]) -> _Hashed | None:
    stored, _ = _profile(call)
    password = call.command.password
    return None if password is None else _hash_next(call, stored, password.reveal())


@handles(api.UpdateLoginProfileCommand, once=_hash_update)
def update_login_profile(call: Call[api.UpdateLoginProfileCommand]) -> types.Nothing:
    """Change a user's password, or whether it must be changed."""
    stored, _ = _profile(call)
    required = call.command.password_reset_required
    changes = {} if required is None else {"reset_required": required}
    return _change(call, stored, call.prepared, **changes)


def _own(call: Call[api.ChangePasswordCommand]) -> Stored[LoginProfile]:
    caller, found = call.caller, call.target.stored
    if caller.kind not in (CallerKind.USER, CallerKind.USER_SESSION) or found is None:
        raise InvalidUserTypeException("Only IAM Users can change their own password.")
    stored = _find(call, found.record.id)
    if stored is None:
        raise NoSuchEntityException(f"Login Profile for User {found.record.name} cannot be found.")
    return stored


def _hash_own(call: Call[api.ChangePasswordCommand]) -> _Hashed:
    stored = _own(call)
    profile, command = stored.record, call.command
    old = passwords.hash_password(command.old_password.reveal(), profile.salt)
    if not passwords.is_among(old, profile.hashes[:1]):
        call.attempts.failed(call.peer, call.caller.access_key_id, call.now)
        raise AccessDenied("The old password was incorrect.")
    return _hash_next(call, stored, command.new_password.reveal())


@handles(api.ChangePasswordCommand, once=_hash_own)
def change_password(call: Call[api.ChangePasswordCommand]) -> types.Nothing:
    """Change the calling user's password."""
    return _change(call, _own(call), call.prepared, reset_required=False)


# Rules


@handles(api.GetAccountPasswordPolicyCommand)
def get_account_password_policy(
    call: Call[api.GetAccountPasswordPolicyCommand],
) -> api.GetAccountPasswordPolicyResponse:
    """The account's own rules (IAM-SHD-001)."""
    rules = settings_of(call).passwords
    if rules is None:
        raise NoSuchEntityException(f"The Password Policy with domain name {call.account} cannot be found.")
    return api.GetAccountPasswordPolicyResponse(
        password_policy=api.PasswordPolicy(
            minimum_password_length=rules.minimum_length,
            require_symbols=rules.symbols,
            require_numbers=rules.numbers,
            require_uppercase_characters=rules.uppercase,
            require_lowercase_characters=rules.lowercase,
            allow_users_to_change_password=rules.users_may_change,
            expire_passwords=rules.maximum_age > 0,
            max_password_age=rules.maximum_age or None,
            password_reuse_prevention=rules.reuse_prevention or None,
            hard_expiry=rules.hard_expiry,
        )
    )


@handles(api.UpdateAccountPasswordPolicyCommand)
def update_account_password_policy(call: Call[api.UpdateAccountPasswordPolicyCommand]) -> types.Nothing:
    """Replace the rules as a whole (IAM-SHD-001)."""
    command = call.command
    rules = PasswordRules(
        minimum_length=command.minimum_password_length or PasswordRules().minimum_length,
        symbols=command.require_symbols,
        numbers=command.require_numbers,
        uppercase=command.require_uppercase_characters,
        lowercase=command.require_lowercase_characters,
        users_may_change=command.allow_users_to_change_password,
        maximum_age=command.max_password_age or 0,
        reuse_prevention=command.password_reuse_prevention or 0,
        hard_expiry=command.hard_expiry,
    )
    return save_settings(call, passwords=rules)


@handles(api.DeleteAccountPasswordPolicyCommand)
def delete_account_password_policy(call: Call[api.DeleteAccountPasswordPolicyCommand]) -> types.Nothing:
    """Return to AWS's rules."""
    if settings_of(call).passwords is None:
        raise NoSuchEntityException("The account policy with name PasswordPolicy cannot be found.")
    return save_settings(call, passwords=None)
