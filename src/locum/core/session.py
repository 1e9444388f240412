"""Who calls, and what a temporary credential claims.

A :class:`Session` is everything that a session token carries, sealed: nothing is stored per session.  A
:class:`Caller` is the outcome of authentication, the only thing that later steps believe of the requester (R12, R24).
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final, Self

import msgspec

from locum import arn
from locum.policy import Principal
from locum.secret import Secret

__all__ = [
    "CALLER_KINDS",
    "MAXIMUM_LIFETIME",
    "Caller",
    "CallerKind",
    "Federation",
    "FederationKind",
    "Session",
    "SessionKind",
    "Tags",
]


class SessionKind(IntEnum):
    """What made a session; the numbers are in the token format and never change meaning."""

    USER = 1
    """GetSessionToken by a user (STS-CALL-T03)."""
    ROOT = 2
    """GetSessionToken by root (STS-CALL-T04)."""
    ROLE = 3
    """AssumeRole and its federated relatives (STS-CALL-T06)."""
    FEDERATED = 4
    """GetFederationToken, by a user or by root (STS-CALL-T05)."""
    ROOT_TASK = 5
    """AssumeRoot (STS-CALL-T07)."""


MAXIMUM_LIFETIME: Final = {
    SessionKind.USER: 129_600,
    SessionKind.ROOT: 3_600,
    SessionKind.ROLE: 43_200,
    SessionKind.FEDERATED: 129_600,
    SessionKind.ROOT_TASK: 900,
}
"""Seconds that a session of each kind can live at most; checked at issue and again at use (R16, STS-CALL-T20…T27).

What root makes lives an hour at most, a federated user too (STS-CALL-T25).  A root task's may live no time at all
(STS-ROOT-006).
"""

Tags = tuple[tuple[str, str], ...]
"""Session tags: key and value as they were given; no two keys are equal in lower case (STS-TAG-003)."""


class FederationKind(IntEnum):
    """Who vouched for the bearer of a session; the numbers are in the token format and never change meaning."""

    WEB_IDENTITY = 1
    """An OpenID Connect provider."""
    SAML = 2
    """A SAML provider."""


class Federation(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """What stays of a proof in the session that it opened.

    ``provider`` is ``aws:FederatedProvider``: the provider's ARN, or its built-in name (STS-CTX-T25).  ``keys`` are
    the condition keys, in lower case, that later requests of the session have (STS-WI-036, STS-CTX-007).
    """

    kind: FederationKind
    provider: str
    keys: tuple[tuple[str, str | tuple[str, ...]], ...] = ()


class Session(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The claims of a temporary credential, in the order in which the token holds them; new ones go to the end.

    ``principal_id`` is the unique id of the user or role whose policies apply (the account id for root): for a
    federated user that of the user who asked for the session.  ``name`` is the role session's or the federated user's
    name.  ``issued`` and ``expires`` are epoch seconds.  ``policy`` is the inline session policy, ``policy_arns`` the
    managed ones, read live at use (STS-SP-006); a root task has exactly its task policy there (R34).

    ``tags`` stay with this session, ``transitive_tags`` are those that sessions assumed from it inherit
    (STS-TAG-006).  ``source_identity`` is set once in a chain (STS-SI-004).  ``mfa`` is the time in epoch seconds at
    which a one-time code was verified, None where none was; role sessions never have it (R41).  ``lineage`` tells
    whose credentials led here, the first person first: pairs of an access key id and the unique id of its principal.
    ``padding`` makes the token longer and means nothing (STS-SP-020).  ``federation`` is there where an identity
    provider vouched for the bearer; sessions assumed from this one do not have it.
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
    tags: Tags = ()
    transitive_tags: Tags = ()
    source_identity: str | None = None
    mfa: int | None = None
    lineage: tuple[str, ...] = ()
    padding: bytes = b""
    federation: Federation | None = None


class CallerKind(Enum):
    """The kinds of callers that exist (STS-CALL-T01…T08)."""

    USER = "user"
    ROOT = "root"
    USER_SESSION = "user session"
    ROOT_SESSION = "root session"
    ROLE_SESSION = "role session"
    FEDERATED_USER = "federated user"
    ASSUMED_ROOT = "assumed root"


CALLER_KINDS: Final = {
    SessionKind.USER: CallerKind.USER_SESSION,
    SessionKind.ROOT: CallerKind.ROOT_SESSION,
    SessionKind.ROLE: CallerKind.ROLE_SESSION,
    SessionKind.FEDERATED: CallerKind.FEDERATED_USER,
    SessionKind.ROOT_TASK: CallerKind.ASSUMED_ROOT,
}
"""Who calls with a session of each kind."""


class Caller(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A verified caller.

    ``arn`` and ``user_id`` are what GetCallerIdentity answers (STS-GCI-T01…T06); ``principal_id`` is the unique id of
    the user or role whose policies apply (the account id for root); ``principal_arn`` is ``aws:PrincipalArn``: the
    role's ARN with its path for a role session.  ``principal`` is the caller as policies name it.  ``user_name`` is
    empty for all but users and their sessions.  ``issuer_arn`` is the user, or the root user, who made a federated
    user's session, and empty for all others.
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
    issuer_arn: str = ""

    @classmethod
    def root(cls, account: str, access_key_id: str, *, partition: str, session: Session | None = None) -> Self:
        """The root user of an account, by its key, or by a session of its own or one for a task."""
        kind = CallerKind.ROOT if session is None else CALLER_KINDS[session.kind]
        root_arn = arn.account_root(partition, account)
        return cls(
            kind=kind,
            partition=partition,
            account=account,
            arn=root_arn,
            user_id=account,
            principal_id=account,
            principal_arn=root_arn,
            access_key_id=access_key_id,
            principal=Principal.root(account, partition=partition, session=kind is CallerKind.ASSUMED_ROOT),
            session=session,
        )

    @property
    def is_root(self) -> bool:
        """Whether this is an account's root user, by key or by session; a root task's policy limits it all the same."""
        kind = self.kind
        return kind is CallerKind.ROOT or kind is CallerKind.ROOT_SESSION or kind is CallerKind.ASSUMED_ROOT
