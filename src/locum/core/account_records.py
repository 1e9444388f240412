"""What is kept of an account beside its entities: alias, settings, login profiles, reports and finished tasks.

Times are whole seconds since the epoch, owners are unique ids, as in :mod:`locum.core.records`.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from locum.core.record import AccountRecord, Record

__all__ = [
    "AccessReport",
    "AccountAlias",
    "AccountSettings",
    "CredentialReport",
    "LoginProfile",
    "PasswordRules",
    "RoleDeletion",
]


class AccountAlias(Record, frozen=True, kw_only=True):
    """The other name of an account, which no two accounts share (IAM-ACC-001)."""

    kind: ClassVar[str] = "account-alias"
    alias: str
    account: str

    @property
    def key(self) -> tuple[str, str, str]:
        return "", self.kind, self.alias

    @property
    def indexes(self) -> list[tuple[str, str]]:
        return [("alias-account", self.account)]


class PasswordRules(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """An account's own password policy (IAM-SHD-001); 0 where a number was not set, ``maximum_age`` is in days."""

    minimum_length: int = 6
    symbols: bool = False
    numbers: bool = False
    uppercase: bool = False
    lowercase: bool = False
    users_may_change: bool = False
    maximum_age: int = 0
    reuse_prevention: int = 0
    hard_expiry: bool | None = None


class AccountSettings(Record, frozen=True, kw_only=True):
    """What an account's administrators set for all of it; ``passwords`` is None where AWS's defaults count.

    ``token_version`` is that of the global endpoint's tokens, 1 or 2 (IAM-SHD-005).
    """

    kind: ClassVar[str] = "account-settings"
    account: str
    token_version: int = 1
    passwords: PasswordRules | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.account, self.kind, "settings"


class LoginProfile(Record, frozen=True, kw_only=True):
    """The password of a user, or of root, for whom ``owner`` is the account id.

    ``hashes`` are those of the password and of the ones before it, newest first, all under one ``salt`` (R44,
    :mod:`locum.core.passwords`); none where root may set one but has not.  ``changed`` is when the newest was set.
    """

    kind: ClassVar[str] = "login-profile"
    account: str
    owner: str
    created: int
    changed: int
    salt: bytes = b""
    hashes: tuple[bytes, ...] = ()
    reset_required: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        return self.account, self.kind, self.folded(self.owner)


class CredentialReport(Record, frozen=True, kw_only=True):
    """The newest credential report: CSV, compressed."""

    kind: ClassVar[str] = "credential-report"
    account: str
    generated: int
    content: bytes

    @property
    def key(self) -> tuple[str, str, str]:
        return self.account, self.kind, "newest"


class AccessReport(AccountRecord, frozen=True, kw_only=True):
    """A report on the last uses of services: of which entity, by ARN, and by whom, as GetCallerIdentity tells it.

    ``actions``: down to single actions.  What could be used then, and by whom, stays as it was: the namespaces
    of ``services``, the actions ``granted`` (``iam:GetUser``) where it goes down to them, the unique ids of ``users``,
    users and roles.
    """

    kind: ClassVar[str] = "access-report"
    entity: str
    creator: str
    created: int
    actions: bool = False
    services: tuple[str, ...] = ()
    granted: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


class RoleDeletion(AccountRecord, frozen=True, kw_only=True):
    """A service-linked role that was deleted; ``id`` ends the id of the task (IAM-SHD-002)."""

    kind: ClassVar[str] = "role-deletion"
    service: str
    role: str
    created: int

    @property
    def task(self) -> str:
        """The task's id on the wire."""
        return f"task/aws-service-role/{self.service}/{self.role}/{self.id}"
