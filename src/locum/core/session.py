"""Who calls, and what a temporary credential claims.

A :class:`Session` is everything that a session token carries, sealed: nothing is stored per session.  A
:class:`Caller` is the outcome of authentication, the only thing that later steps believe of the requester (R12, R24).
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final

import msgspec

from locum.policy import Principal
from locum.secret import Secret

__all__ = ["MAXIMUM_LIFETIME", "Caller", "CallerKind", "Session", "SessionKind"]


class SessionKind(IntEnum):
    """What made a session; the numbers are in the token format and never change meaning."""

    USER = 1
    """GetSessionToken by a user (STS-CALL-T03)."""
    ROOT = 2
    """GetSessionToken by root (STS-CALL-T04)."""
    ROLE = 3
    """AssumeRole and its federated relatives (STS-CALL-T06)."""


MAXIMUM_LIFETIME: Final = {SessionKind.USER: 129_600, SessionKind.ROOT: 3_600, SessionKind.ROLE: 43_200}
"""Seconds that a session of each kind can live at most; checked at issue and again at use (R16, STS-CALL-T20…T27)."""


class Session(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The claims of a temporary credential, in the order in which the token holds them; new ones go to the end.

    ``principal_id`` is the unique id of the user or role (the account id for root), ``name`` the role session's name,
    ``issued`` and ``expires`` are epoch seconds.  ``policy`` is the inline session policy, ``policy_arns`` the managed
    ones, read live at use (STS-SP-006).
    """

    kind: SessionKind
    access_key_id: str
    secret: Secret
    account: str
    principal_id: str
    name: str
    issued: int
    expires: int
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()


class CallerKind(Enum):
    """The kinds of callers that exist (STS-CALL-T01…T08)."""

    USER = "user"
    ROOT = "root"
    USER_SESSION = "user session"
    ROOT_SESSION = "root session"
    ROLE_SESSION = "role session"


class Caller(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A verified caller.

    ``arn`` and ``user_id`` are what GetCallerIdentity answers (STS-GCI-T01…T03); ``principal_id`` is the unique id of
    the user or role whose policies apply (the account id for root); ``principal_arn`` is ``aws:PrincipalArn``: the
    role's ARN with its path for a role session.  ``principal`` is the caller as policies name it.  ``user_name`` is
    empty for all but users and their sessions.
    """

    kind: CallerKind
    partition: str
    account: str
    arn: str
    user_id: str
    principal_id: str
    principal_arn: str
    access_key_id: str
    principal: Principal
    user_name: str = ""
    session: Session | None = None

    @property
    def is_root(self) -> bool:
        """Whether this is an account's root user, by key or by session."""
        return self.kind is CallerKind.ROOT or self.kind is CallerKind.ROOT_SESSION
