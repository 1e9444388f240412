"""The contract of STS: its eleven operations as typed commands and answers.

Limits and patterns are those of the service model, API version 2011-06-15 (STS-V-T01…T62); what AWS states in prose
only, such as ten managed session policies, is checked later and not here (STS-V-020).  The members of an answer stand
in the order in which the service sends them (STS-W-028).  :data:`COMMANDS` names every operation.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, ClassVar, Final

from locum.api.shapes import (
    Authorization,
    Command,
    Operation,
    Service,
    Shape,
    Target,
    integer,
    items,
    named,
    text,
)
from locum.errors import (
    ExpiredTokenException,
    ExpiredTradeInTokenException,
    IDPCommunicationErrorException,
    IDPRejectedClaimException,
    InvalidAuthorizationMessageException,
    InvalidIdentityTokenException,
    JWTPayloadSizeExceededException,
    MalformedPolicyDocumentException,
    OutboundWebIdentityFederationDisabledException,
    PackedPolicyTooLargeException,
    RegionDisabledException,
    SessionDurationEscalationException,
)
from locum.secret import Secret

__all__ = [
    "COMMANDS",
    "STS",
    "AssumeRoleCommand",
    "AssumeRoleResponse",
    "AssumeRoleWithSAMLCommand",
    "AssumeRoleWithSAMLResponse",
    "AssumeRoleWithWebIdentityCommand",
    "AssumeRoleWithWebIdentityResponse",
    "AssumeRootCommand",
    "AssumeRootResponse",
    "AssumedRoleUser",
    "Credentials",
    "DecodeAuthorizationMessageCommand",
    "DecodeAuthorizationMessageResponse",
    "FederatedUser",
    "GetAccessKeyInfoCommand",
    "GetAccessKeyInfoResponse",
    "GetCallerIdentityCommand",
    "GetCallerIdentityResponse",
    "GetDelegatedAccessTokenCommand",
    "GetDelegatedAccessTokenResponse",
    "GetFederationTokenCommand",
    "GetFederationTokenResponse",
    "GetSessionTokenCommand",
    "GetSessionTokenResponse",
    "GetWebIdentityTokenCommand",
    "GetWebIdentityTokenResponse",
    "PolicyDescriptorType",
    "ProvidedContext",
    "Tag",
]

STS: Final = Service("sts", "2011-06-15", "https://sts.amazonaws.com/doc/2011-06-15/", echoes=True)
"""AWS Security Token Service: protocol awsQuery (STS-W-001)."""

_NAME: Final = r"[\w+=,.@-]*"
_ID_AND_NAME: Final = r"[\w+=,.@:-]*"
_POLICY: Final = r"[\u0009\u000A\u000D\u0020-\u00FF]+"
_ARN: Final = r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+"  # as AWS prints it

ArnText = Annotated[str, text(20, 2048, _ARN)]
"""Text where an ARN belongs; whether it is one is checked after the declared limits (STS-V-012, STS-V-015)."""

RoleSessionName = Annotated[str, text(2, 64, _NAME)]
"""The name that the caller gives a role session: the last part of its ARN (STS-AR-030)."""

SourceIdentityText = Annotated[str, text(2, 64, _NAME)]
"""Who is behind a chain of sessions, set once."""

SessionPolicy = Annotated[str, text(1, 2048, _POLICY)]
"""A policy document in JSON that limits the session."""

RoleDuration = Annotated[int, integer(900, 43200)]
"""The lifetime of a role session in seconds."""

TokenDuration = Annotated[int, integer(900, 129600)]
"""The lifetime of a user's session in seconds."""

TokenSize = Annotated[int, integer(0, 4096)]
"""The least size in bytes that the session token is padded to; 0 leaves it as it is (STS-SP-020)."""

AccessKeyId = Annotated[str, text(16, 128, r"[\w]*")]
"""The public part of a key: ``AKIA…`` long-term, ``ASIA…`` temporary."""

SerialNumber = Annotated[str, text(9, 256, r"[\w+=/:,.@-]*")]
"""The ARN of a virtual MFA device or the number of a hardware one."""

TokenCode = Annotated[Secret, text(6, 6, r"[\d]*")]
"""The six digits that an MFA device shows."""

TagKey = Annotated[str, text(1, 128, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+")]
"""The key of a session tag; letters, separators and numbers are Unicode's (STS-V-011)."""

TagValue = Annotated[str, text(0, 256, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*")]
"""The value of a session tag; it may be empty."""

Count = Annotated[int, integer(0)]
"""A count or a percentage."""


class PolicyDescriptorType(Shape):
    """A managed policy by its ARN: the only member of STS that travels in lower case (STS-W-005)."""

    arn: Annotated[ArnText, named("arn")] | None = None


class Tag(Shape):
    """A session tag: key and value."""

    key: TagKey
    value: TagValue


class ProvidedContext(Shape):
    """A context assertion and the provider that made it (STS-AR-022)."""

    provider_arn: ArnText | None = None
    context_assertion: Annotated[str, text(4, 2048)] | None = None


class Credentials(Shape):
    """Temporary credentials: all three parts sign a request, until ``expiration`` (UTC, whole seconds)."""

    access_key_id: AccessKeyId
    secret_access_key: Secret
    session_token: Secret
    expiration: datetime.datetime


class AssumedRoleUser(Shape):
    """The role session as a principal: its unique id ``AROA…:name`` and its ARN."""

    assumed_role_id: Annotated[str, text(2, 193, _ID_AND_NAME)]
    arn: ArnText


class FederatedUser(Shape):
    """The federated user as a principal: ``account:name`` and its ARN."""

    federated_user_id: Annotated[str, text(2, 193, r"[\w+=,.@\:-]*")]
    arn: ArnText


PolicyArns = tuple[PolicyDescriptorType, ...]
"""Managed policies that limit the session; AWS's prose allows ten."""

Tags = Annotated[tuple[Tag, ...], items(most=50)]
"""At most 50 tags."""


class AssumeRoleResponse(Shape):
    """The credentials of the new role session and who they are."""

    assumed_role_user: AssumedRoleUser
    credentials: Credentials
    packed_policy_size: Count | None = None
    source_identity: SourceIdentityText | None = None
    session_token_utilization: Count | None = None
    session_token_size: Count | None = None


class AssumeRoleCommand(Command[AssumeRoleResponse]):
    """Get temporary credentials of a role that trusts the caller.

    ``role_session_name`` names the session in its ARN and in the audit trail.  ``policy`` and ``policy_arns`` limit
    what the session may do and never add to it; ``duration_seconds`` is 3600 unless given and at most the role's own
    maximum, one hour when the caller is a role session itself.  ``tags`` become tags of the session, those listed in
    ``transitive_tag_keys`` also of sessions assumed from it.  ``external_id`` and the two MFA members are there for
    the conditions of the role's trust policy.

    Refused with ``AccessDenied`` where trust policy or the caller's own policies do not allow it, whether or not the
    role exists; :class:`MalformedPolicyDocumentException` and :class:`PackedPolicyTooLargeException` are about the
    session policies, :class:`ExpiredTokenException` about ``provided_contexts`` (STS-E-002).
    """

    operation: ClassVar[Operation] = Operation(
        STS,
        "AssumeRole",
        Authorization(
            Target("role", "role_arn"),
            keys=(
                "aws:RequestTag/",
                "aws:TagKeys",
                "sts:ExternalId",
                "sts:RoleSessionName",
                "sts:SourceIdentity",
                "sts:TransitiveTagKeys",
            ),
            trust=True,
        ),
        errors=(
            MalformedPolicyDocumentException,
            PackedPolicyTooLargeException,
            RegionDisabledException,
            ExpiredTokenException,
        ),
    )
    role_arn: ArnText
    role_session_name: RoleSessionName
    policy_arns: PolicyArns = ()
    policy: Annotated[str, text(1, None, _POLICY)] | None = None
    duration_seconds: RoleDuration | None = None
    tags: Tags = ()
    transitive_tag_keys: Annotated[tuple[TagKey, ...], items(most=50)] = ()
    external_id: Annotated[str, text(2, 1224, r"[\w+=,.@:\/-]*")] | None = None
    serial_number: SerialNumber | None = None
    token_code: TokenCode | None = None
    source_identity: SourceIdentityText | None = None
    provided_contexts: Annotated[tuple[ProvidedContext, ...], items(1, 5)] = ()
    minimum_session_token_size: TokenSize | None = None


class AssumeRoleWithSAMLResponse(Shape):
    """The credentials of the new role session and what the assertion said about its subject."""

    assumed_role_user: AssumedRoleUser
    credentials: Credentials
    packed_policy_size: Count | None = None
    subject: str | None = None
    subject_type: str | None = None
    issuer: str | None = None
    audience: str | None = None
    name_qualifier: str | None = None
    source_identity: SourceIdentityText | None = None
    session_token_utilization: Count | None = None
    session_token_size: Count | None = None


class AssumeRoleWithSAMLCommand(Command[AssumeRoleWithSAMLResponse]):
    """Get temporary credentials of a role for whom a SAML identity provider vouches; the call is not signed.

    ``principal_arn`` is the provider registered in IAM, ``saml_assertion`` its base64 answer.  Session name, tags and
    source identity come from the assertion.

    Refused with ``AccessDenied`` where the role does not trust the provider,
    :class:`InvalidIdentityTokenException` where the assertion cannot be verified,
    :class:`IDPRejectedClaimException` where it says that authentication failed,
    :class:`ExpiredTokenException` where it is out of time.
    """

    operation: ClassVar[Operation] = Operation(
        STS,
        "AssumeRoleWithSAML",
        Authorization(
            Target("role", "role_arn"),
            keys=(
                "aws:RequestTag/",
                "aws:TagKeys",
                "sts:RoleSessionName",
                "sts:SourceIdentity",
                "sts:TransitiveTagKeys",
            ),
            trust=True,
        ),
        errors=(
            MalformedPolicyDocumentException,
            PackedPolicyTooLargeException,
            IDPRejectedClaimException,
            InvalidIdentityTokenException,
            ExpiredTokenException,
            RegionDisabledException,
        ),
        signed=False,
    )
    role_arn: ArnText
    principal_arn: ArnText
    saml_assertion: Annotated[Secret, text(4, 100000)]
    policy_arns: PolicyArns = ()
    policy: SessionPolicy | None = None
    duration_seconds: RoleDuration | None = None
    minimum_session_token_size: TokenSize | None = None


class AssumeRoleWithWebIdentityResponse(Shape):
    """The credentials of the new role session and what the token said about its subject."""

    audience: str | None = None
    assumed_role_user: AssumedRoleUser
    provider: str | None = None
    credentials: Credentials
    subject_from_web_identity_token: Annotated[str, text(6, 255)] | None = None
    packed_policy_size: Count | None = None
    source_identity: SourceIdentityText | None = None
    session_token_utilization: Count | None = None
    session_token_size: Count | None = None


class AssumeRoleWithWebIdentityCommand(Command[AssumeRoleWithWebIdentityResponse]):
    """Get temporary credentials of a role for whom an OpenID Connect provider vouches; the call is not signed.

    ``web_identity_token`` is the provider's ID token; ``provider_id`` belongs to OAuth 2.0 access tokens only.  Tags
    and source identity come from the token's claims.

    Refused with ``AccessDenied`` where the role does not trust the provider,
    :class:`InvalidIdentityTokenException` where the token cannot be verified,
    :class:`ExpiredTokenException` where it is out of time, :class:`IDPRejectedClaimException` where the provider
    refuses it; :class:`IDPCommunicationErrorException` where the provider cannot be reached, which a retry may cure.
    """

    operation: ClassVar[Operation] = Operation(
        STS,
        "AssumeRoleWithWebIdentity",
        Authorization(
            Target("role", "role_arn"),
            keys=(
                "aws:RequestTag/",
                "aws:TagKeys",
                "sts:RoleAuthorizedByIdp",
                "sts:RoleSessionName",
                "sts:SourceIdentity",
                "sts:TransitiveTagKeys",
            ),
            trust=True,
        ),
        errors=(
            MalformedPolicyDocumentException,
            PackedPolicyTooLargeException,
            IDPRejectedClaimException,
            IDPCommunicationErrorException,
            InvalidIdentityTokenException,
            ExpiredTokenException,
            RegionDisabledException,
        ),
        signed=False,
    )
    role_arn: ArnText
    role_session_name: RoleSessionName
    web_identity_token: Annotated[Secret, text(4, 20000)]
    provider_id: Annotated[str, text(4, 2048)] | None = None
    policy_arns: PolicyArns = ()
    policy: SessionPolicy | None = None
    duration_seconds: RoleDuration | None = None
    minimum_session_token_size: TokenSize | None = None


class AssumeRootResponse(Shape):
    """The credentials of the privileged session in a member account."""

    credentials: Credentials
    source_identity: SourceIdentityText | None = None
    session_token_utilization: Count | None = None
    session_token_size: Count | None = None


class AssumeRootCommand(Command[AssumeRootResponse]):
    """Get short credentials for one root task in a member account of the caller's organization.

    ``target_principal`` is the member account's id or the ARN of its root user; ``task_policy_arn`` names one of the
    five ``root-task`` policies, which bounds the session.  ``duration_seconds`` is 900 unless given, and at most that.

    Refused with ``AccessDenied`` where caller, account or feature do not qualify (STS-ROOT-009).
    """

    operation: ClassVar[Operation] = Operation(
        STS,
        "AssumeRoot",
        Authorization(Target("account", "target_principal"), keys=("sts:TaskPolicyArn",)),
        errors=(RegionDisabledException, ExpiredTokenException),
        read_only=False,
    )
    target_principal: Annotated[str, text(12, 2048)]
    task_policy_arn: PolicyDescriptorType
    duration_seconds: Annotated[int, integer(0, 900)] | None = None
    minimum_session_token_size: TokenSize | None = None


class DecodeAuthorizationMessageResponse(Shape):
    """The decoded message: a JSON document as text (STS-DAM-004)."""

    decoded_message: str


class DecodeAuthorizationMessageCommand(Command[DecodeAuthorizationMessageResponse]):
    """Read the encoded explanation that came with a refused call.

    :class:`InvalidAuthorizationMessageException` where the message cannot be opened.
    """

    operation: ClassVar[Operation] = Operation(
        STS,
        "DecodeAuthorizationMessage",
        Authorization("*"),
        errors=(InvalidAuthorizationMessageException,),
        read_only=False,
    )
    encoded_message: Annotated[str, text(1, 10240)]


class GetAccessKeyInfoResponse(Shape):
    """The account that an access key id belongs to."""

    account: str


class GetAccessKeyInfoCommand(Command[GetAccessKeyInfoResponse]):
    """Find out which account an access key id belongs to; says nothing about the key's state (STS-AKI-002)."""

    operation: ClassVar[Operation] = Operation(STS, "GetAccessKeyInfo", Authorization("*"))
    access_key_id: AccessKeyId


class GetCallerIdentityResponse(Shape):
    """Who signed the call: ARN, unique id and account."""

    arn: ArnText
    user_id: str
    account: str


class GetCallerIdentityCommand(Command[GetCallerIdentityResponse]):
    """Find out who the credentials belong to.  Nobody can be denied this (STS-CALL-006)."""

    operation: ClassVar[Operation] = Operation(STS, "GetCallerIdentity", None)


class GetDelegatedAccessTokenResponse(Shape):
    """Credentials of the principal that delegated; ``packed_policy_size`` is never filled in (STS-GDT-001)."""

    credentials: Credentials
    packed_policy_size: Count | None = None
    assumed_principal: ArnText | None = None


class GetDelegatedAccessTokenCommand(Command[GetDelegatedAccessTokenResponse]):
    """Trade a delegation token for temporary credentials: AWS's product integration only (STS-GDT-002).

    :class:`ExpiredTradeInTokenException` where the token is out of time.
    """

    operation: ClassVar[Operation] = Operation(
        STS,
        "GetDelegatedAccessToken",
        Authorization("*"),
        errors=(ExpiredTradeInTokenException, RegionDisabledException, PackedPolicyTooLargeException),
        read_only=False,
    )
    trade_in_token: Secret


class GetFederationTokenResponse(Shape):
    """The credentials of the federated user and who they are."""

    credentials: Credentials
    federated_user: FederatedUser
    packed_policy_size: Count | None = None
    session_token_utilization: Count | None = None
    session_token_size: Count | None = None


class GetFederationTokenCommand(Command[GetFederationTokenResponse]):
    """Get temporary credentials for someone whom the calling IAM user vouches for.

    The session may do what both the user and the session policies allow; without a session policy, nothing
    (STS-GFT-004).  ``duration_seconds`` is 43200 unless given; of the root user 3600.

    Only long-term credentials may call it: any session is refused with ``AccessDenied``.
    """

    operation: ClassVar[Operation] = Operation(
        STS,
        "GetFederationToken",
        Authorization(Target("federated-user", "name", creates=True), keys=("aws:RequestTag/", "aws:TagKeys")),
        errors=(MalformedPolicyDocumentException, PackedPolicyTooLargeException, RegionDisabledException),
        read_only=False,
    )
    name: Annotated[str, text(2, 32, _NAME)]
    policy: SessionPolicy | None = None
    policy_arns: PolicyArns = ()
    duration_seconds: TokenDuration | None = None
    tags: Tags = ()
    minimum_session_token_size: TokenSize | None = None


class GetSessionTokenResponse(Shape):
    """Temporary credentials with the caller's own identity."""

    credentials: Credentials
    session_token_utilization: Count | None = None
    session_token_size: Count | None = None


class GetSessionTokenCommand(Command[GetSessionTokenResponse]):
    """Get temporary credentials for the calling user, with MFA where a serial number and a code are given.

    ``duration_seconds`` is 43200 unless given; of the root user 3600.  Nobody can be denied this by a policy
    (STS-CALL-006); only long-term credentials may call it.
    """

    operation: ClassVar[Operation] = Operation(
        STS, "GetSessionToken", None, errors=(RegionDisabledException,), read_only=False
    )
    duration_seconds: TokenDuration | None = None
    serial_number: SerialNumber | None = None
    token_code: TokenCode | None = None
    minimum_session_token_size: TokenSize | None = None


class GetWebIdentityTokenResponse(Shape):
    """A signed token that says who the caller is, and when it expires."""

    web_identity_token: Secret
    expiration: datetime.datetime


class GetWebIdentityTokenCommand(Command[GetWebIdentityTokenResponse]):
    """Get a signed JSON web token that proves the caller's identity to services outside.

    ``audience`` says for whom it is, ``signing_algorithm`` is ``RS256`` or ``ES384``; ``duration_seconds`` is 300
    unless given.  ``tags`` become claims.

    :class:`OutboundWebIdentityFederationDisabledException` where the account has the feature off,
    :class:`SessionDurationEscalationException` where the token would outlive the caller's session,
    :class:`JWTPayloadSizeExceededException` where the claims are too large.
    """

    operation: ClassVar[Operation] = Operation(
        STS,
        "GetWebIdentityToken",
        Authorization(
            "arn:{partition}:sts::{account}:self",
            keys=(
                "aws:RequestTag/",
                "aws:TagKeys",
                "sts:DurationSeconds",
                "sts:IdentityTokenAudience",
                "sts:SigningAlgorithm",
            ),
        ),
        errors=(
            SessionDurationEscalationException,
            OutboundWebIdentityFederationDisabledException,
            JWTPayloadSizeExceededException,
        ),
        read_only=False,
    )
    audience: Annotated[tuple[Annotated[str, text(1, 1000)], ...], items(1, 10)]
    duration_seconds: Annotated[int, integer(60, 3600)] | None = None
    signing_algorithm: Annotated[str, text(5, 5)]
    tags: Tags = ()


COMMANDS: Final[dict[str, type[Command[Any]]]] = {
    command.operation.name: command
    for command in (
        AssumeRoleCommand,
        AssumeRoleWithSAMLCommand,
        AssumeRoleWithWebIdentityCommand,
        AssumeRootCommand,
        DecodeAuthorizationMessageCommand,
        GetAccessKeyInfoCommand,
        GetCallerIdentityCommand,
        GetDelegatedAccessTokenCommand,
        GetFederationTokenCommand,
        GetSessionTokenCommand,
        GetWebIdentityTokenCommand,
    )
}
"""Operation name → command type."""
