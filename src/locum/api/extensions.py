"""The operations of our own: AWS has none like them, and its SDKs do not know them.

They are called as every operation of the service is, by a signed request that names ``Action`` and ``Version``, and
their permissions are the service's: ``sts:RevokeSessions``, ``sts:ListRevocations``, ``sts:DiagnoseWebIdentityToken``,
``sts:DiagnoseSAMLAssertion``, ``sts:ReceiveDelegationToken``.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, ClassVar, Final

from locum.api.shapes import Authorization, Command, Operation, Shape, Target, named, text
from locum.api.sts import STS, AccessKeyId, ArnText, RoleDuration, RoleSessionName, SourceIdentityText
from locum.secret import Secret

__all__ = [
    "COMMANDS",
    "OK",
    "DiagnoseSAMLAssertionCommand",
    "DiagnoseSAMLAssertionResponse",
    "DiagnoseWebIdentityTokenCommand",
    "DiagnoseWebIdentityTokenResponse",
    "Diagnosis",
    "DiagnosisCheck",
    "ListRevocationsCommand",
    "ListRevocationsResponse",
    "ReceiveDelegationTokenCommand",
    "ReceiveDelegationTokenResponse",
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


OK: Final = "ok"
"""The outcome of a proof that opens a session, or would with the right role."""


class DiagnosisCheck(Shape):
    """One check: its name, how it went, and both compared values as far as there are any."""

    name: str
    passed: bool
    expected: str | None = None
    found: str | None = None


class Diagnosis(Shape):
    """How a proof fared: every check in order, and what STS would answer to it now.

    ``outcome`` is :data:`OK` or the code of the error, and ``message`` its text.  ``explanation`` is there where the
    role's trust policy refuses: the JSON of :class:`locum.policy.explanation.Explanation`.  Nothing of it holds the
    proof or a part of it that could be used.
    """

    outcome: str
    checks: tuple[DiagnosisCheck, ...] = ()
    message: str | None = None
    explanation: str | None = None


class DiagnoseWebIdentityTokenResponse(Diagnosis):
    """How a token fared."""


class DiagnoseWebIdentityTokenCommand(Command[DiagnoseWebIdentityTokenResponse]):
    """Try a token as AssumeRoleWithWebIdentity would, and tell of every check; no session is issued.

    With ``role_arn``, a role of the caller's account, its trust policy and the rules of the session are asked too, as
    if the bearer called from where the caller does; ``role_session_name`` and ``duration_seconds`` are what the bearer
    would ask for.  ``open_id_connect_provider_arn`` says which provider the token should be for; without it the token's
    issuer does.

    The permission is needed on that provider.  Refused with ``NoSuchEntity`` for ARNs of other accounts.
    """

    operation: ClassVar[Operation] = Operation(
        STS,
        "DiagnoseWebIdentityToken",
        Authorization(Target("token-provider", "open_id_connect_provider_arn")),
    )
    web_identity_token: Annotated[Secret, text(4, 20000)]
    role_arn: ArnText | None = None
    open_id_connect_provider_arn: Annotated[ArnText | None, named("OpenIDConnectProviderArn")] = None
    role_session_name: RoleSessionName | None = None
    duration_seconds: RoleDuration | None = None


class DiagnoseSAMLAssertionResponse(Diagnosis):
    """How an assertion fared."""


class DiagnoseSAMLAssertionCommand(Command[DiagnoseSAMLAssertionResponse]):
    """Try a SAML response as AssumeRoleWithSAML would, and tell of every check; no session is issued, none is used up.

    ``principal_arn`` names the provider, of the caller's account; the rest is as for
    :class:`DiagnoseWebIdentityTokenCommand`.  What was wrong inside of an encrypted assertion is told as one check, so
    that nobody can decrypt one by asking.
    """

    operation: ClassVar[Operation] = Operation(
        STS,
        "DiagnoseSAMLAssertion",
        Authorization(Target("saml-provider", "principal_arn")),
    )
    principal_arn: ArnText
    saml_assertion: Annotated[Secret, text(4, 100000)]
    role_arn: ArnText | None = None
    duration_seconds: RoleDuration | None = None


class ReceiveDelegationTokenResponse(Shape):
    """The token that GetDelegatedAccessToken takes, and when the delegated time is over."""

    trade_in_token: Secret
    expiration: datetime.datetime


class ReceiveDelegationTokenCommand(Command[ReceiveDelegationTokenResponse]):
    """Fetch the token of a delegation request that the caller's account made, after SendDelegationToken let it go.

    It stands in for AWS's notification.  Refused with ``NoSuchEntity`` where no token was sent, and with
    ``ExpiredTradeInTokenException`` where the delegated time is over.
    """

    operation: ClassVar[Operation] = Operation(STS, "ReceiveDelegationToken", Authorization(), read_only=False)
    delegation_request_id: Annotated[str, text(16, 128, r"[\w-]+")]


COMMANDS: Final[dict[str, type[Command[Any]]]] = {
    command.operation.name: command
    for command in (
        DiagnoseSAMLAssertionCommand,
        DiagnoseWebIdentityTokenCommand,
        ListRevocationsCommand,
        ReceiveDelegationTokenCommand,
        RevokeSessionsCommand,
    )
}
"""Operation name → command type."""
