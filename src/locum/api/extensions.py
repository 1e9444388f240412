"""The operations of our own: AWS has none like them, and its SDKs do not know them.

They are called as every operation of the service is, by a signed request that names ``Action`` and ``Version``, and
their permissions are the service's: ``sts:RevokeSessions``, ``sts:ListRevocations``.
"""

from __future__ import annotations

import datetime
from typing import Any, ClassVar, Final

from locum.api.shapes import Authorization, Command, Operation, Shape, Target
from locum.api.sts import STS, AccessKeyId, ArnText, SourceIdentityText

__all__ = [
    "COMMANDS",
    "ListRevocationsCommand",
    "ListRevocationsResponse",
    "RevokeSessionsCommand",
    "RevokeSessionsResponse",
    "SessionRevocation",
]


class SessionRevocation(Shape):
    """One revocation: sessions of this subject that were issued before ``before`` are over.

    ``subject`` is ``session``, ``principal``, ``issuer`` or ``source-identity``, and ``named`` how the sessions were
    named; after ``expires`` it can hit nothing any more and is forgotten.
    """

    subject: str
    named: str
    before: datetime.datetime
    expires: datetime.datetime


class RevokeSessionsResponse(Shape):
    """The revocation that is in force from the next request on."""

    revocation: SessionRevocation


class RevokeSessionsCommand(Command[RevokeSessionsResponse]):
    """End sessions of the caller's account before their time; exactly one member beside ``before`` names them.

    ``access_key_id``: that session, or what a long-term key led to.  ``role_arn``, ``principal_arn``: the sessions of
    a role, user or root user, or of one role session name or federated user.  ``issuer_arn``: what a principal's
    credentials led to, but not its own sessions.  ``source_identity``: the account's role sessions that carry it.
    The first three take along what those sessions led to.  ``before`` is the moment up to which sessions were issued,
    now where it is left out.

    Refused with ``ValidationError`` for anything else, ``NoSuchEntity`` for a principal that is not there, and
    ``LimitExceeded`` where there are too many revocations.
    """

    operation: ClassVar[Operation] = Operation(
        STS,
        "RevokeSessions",
        Authorization(Target("sessions", "principal")),
        read_only=False,
        writes=True,
    )
    access_key_id: AccessKeyId | None = None
    role_arn: ArnText | None = None
    principal_arn: ArnText | None = None
    issuer_arn: ArnText | None = None
    source_identity: SourceIdentityText | None = None
    before: datetime.datetime | None = None

    @property
    def principal(self) -> str | None:
        """The ARN of the principal whose sessions are meant, where one names them."""
        return self.role_arn or self.principal_arn or self.issuer_arn


class ListRevocationsResponse(Shape):
    """Every revocation in force, in the order in which they were made."""

    revocations: tuple[SessionRevocation, ...] = ()


class ListRevocationsCommand(Command[ListRevocationsResponse]):
    """The revocations of the caller's account that can still hit a session."""

    operation: ClassVar[Operation] = Operation(STS, "ListRevocations", Authorization())


COMMANDS: Final[dict[str, type[Command[Any]]]] = {
    command.operation.name: command for command in (ListRevocationsCommand, RevokeSessionsCommand)
}
"""Operation name → command type."""
