"""One function per issuing command: who asks, for what, at what time → the session that is sealed into a token.

Pure: the time, and the random bytes behind keys and secrets, are arguments.  Authorization has happened before.
"""

from __future__ import annotations

import functools
from typing import Final

import msgspec

from locum import arn
from locum.api.sts import (
    AssumeRoleCommand,
    AssumeRoleWithSAMLCommand,
    AssumeRoleWithWebIdentityCommand,
    AssumeRootCommand,
    GetFederationTokenCommand,
    GetSessionTokenCommand,
    PolicyDescriptorType,
    ProvidedContext,
    Tag,
)
from locum.arn import Arn
from locum.core.proof import FederatedIdentity
from locum.core.records import Role
from locum.core.session import (
    MAXIMUM_LIFETIME,
    Caller,
    CallerKind,
    Federation,
    FederationKind,
    Session,
    SessionKind,
    Tags,
)
from locum.core.token import secret_access_key
from locum.errors import ExpiredTokenException, InvalidParameterValue, ValidationError
from locum.policy import PrincipalKind
from locum.secret import Secret

__all__ = [
    "RANDOM_BYTES",
    "assume_role",
    "assume_role_by_proof",
    "assume_root",
    "get_federation_token",
    "get_session_token",
    "lineage",
    "managed_arns",
    "padded",
    "refuse_contexts",
    "role_named",
    "session_keys",
    "session_tags",
]

RANDOM_BYTES: Final = 35
"""Random bytes that each function takes: 5 for the access key id, 30 for the secret access key."""

_BEYOND_ROLE: Final = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
_DEFAULT_ROLE_SECONDS: Final = 3_600
_CHAINED_SECONDS: Final = 3_600
_DEFAULT_TOKEN_SECONDS: Final = 43_200
_DEFAULT_TASK_SECONDS: Final = 900
_ROOT_SECONDS: Final = 3_600
_RESERVED: Final = "aws:"
_CONTEXT_PROVIDER: Final = "iam::aws:contextProvider/IdentityCenter"


@functools.lru_cache(maxsize=4_096)
def role_named(text: str) -> Arn:
    """The ARN of a role as AssumeRole's RoleArn takes it.

    ValidationError: ``… is invalid`` for what is no ARN (STS-V-015), ``Request ARN is invalid`` for an ARN of
    something else (STS-V-016).
    """
    try:
        parsed = Arn.parse(text)
    except ValueError:
        parsed = None
    if parsed is None or not (parsed.partition and parsed.service and parsed.resource):
        raise ValidationError(f"{text} is invalid")
    if parsed.service != "iam" or parsed.region or parsed.kind != "role" or not parsed.path_and_name[1]:
        raise ValidationError("Request ARN is invalid")
    return parsed


def refuse_contexts(contexts: tuple[ProvidedContext, ...], partition: str) -> None:
    """Refuse context assertions: this server mints none, so none can be good (STS-AR-023, R42).

    ValidationError for a provider that there is not, ExpiredTokenException for an assertion of the one that there is.
    """
    if not contexts:
        return
    for number, each in enumerate(contexts, 1):
        if each.provider_arn != f"arn:{partition}:{_CONTEXT_PROVIDER}":
            raise ValidationError(f"ProvidedContexts: the ProviderArn of member {number} is no context provider")
        if each.context_assertion is None:
            raise ValidationError(f"ProvidedContexts: member {number} has no ContextAssertion")
    raise ExpiredTokenException("ProvidedContexts: the context assertion is expired or is not valid")


def session_tags(given: tuple[Tag, ...], transitive: tuple[str, ...] = (), inherited: Tags = ()) -> tuple[Tags, Tags]:
    """The tags of a new session: those that stay with it, and the transitive ones, inherited ones first.

    InvalidParameterValue for keys that are equal but for case (STS-TAG-004), a transitive key that is not among the
    tags (STS-TAG-005), a key that is inherited (STS-TAG-007), and a key that begins with ``aws:`` (STS-TAG-018).
    """
    if not given and not transitive:
        return (), inherited
    keys = {tag.key.lower() for tag in given}
    if len(keys) != len(given):
        raise InvalidParameterValue("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    lasting = {key.lower() for key in transitive}
    if not lasting <= keys:
        raise InvalidParameterValue("The specified transitive tag key must be included in the requested tags.")
    if inherited and not keys.isdisjoint(key.lower() for key, _ in inherited):
        raise InvalidParameterValue(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
            "from the calling session."
        )
    if any(key.startswith(_RESERVED) for key in keys):
        raise InvalidParameterValue("aws: prefixed tag key names are not allowed for external use.")
    staying: list[tuple[str, str]] = []
    passed_on = [*inherited]
    for tag in given:
        (passed_on if tag.key.lower() in lasting else staying).append((tag.key, tag.value))
    return tuple(staying), tuple(passed_on)


def managed_arns(given: tuple[PolicyDescriptorType, ...]) -> tuple[str, ...]:
    """The ARNs of managed session policies, in their order."""
    return tuple([each.arn for each in given if each.arn is not None]) if given else ()


def session_keys(account: str, random: bytes) -> tuple[str, Secret]:
    """The access key of a new session of an account: its id and its secret, of :data:`RANDOM_BYTES` random bytes."""
    return arn.access_key_id("ASIA", account, random[:5]), secret_access_key(random[5:RANDOM_BYTES])


def assume_role(command: AssumeRoleCommand, caller: Caller, role: Role, now: float, random: bytes) -> Session:
    """The session of an AssumeRole that the trust policy allows.

    Errors of the tags (:func:`session_tags`) come first, then ValidationError where DurationSeconds exceeds the
    chaining hour (STS-AR-034, STS-AR-035) or the role's maximum (STS-AR-033).  ``random`` holds :data:`RANDOM_BYTES`
    bytes.
    """
    source_identity = command.source_identity
    inherited: Tags = ()
    session = caller.session
    if session is not None:
        inherited = session.transitive_tags
        source_identity = session.source_identity or source_identity
    tags, transitive_tags = session_tags(command.tags, command.transitive_tag_keys, inherited)
    seconds = command.duration_seconds if command.duration_seconds is not None else _DEFAULT_ROLE_SECONDS
    if session is not None and seconds > _CHAINED_SECONDS:
        raise ValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    if seconds > role.max_session_duration:
        raise ValidationError(_BEYOND_ROLE)
    issued = int(now)
    return Session(
        SessionKind.ROLE,
        *session_keys(role.account, random),
        role.account,
        role.id,
        command.role_session_name,
        issued,
        issued + min(seconds, MAXIMUM_LIFETIME[SessionKind.ROLE]),
        command.policy,
        managed_arns(command.policy_arns),
        tags,
        transitive_tags,
        source_identity,
        None,
        lineage(caller),
    )


def assume_role_by_proof(
    command: AssumeRoleWithSAMLCommand | AssumeRoleWithWebIdentityCommand,
    identity: FederatedIdentity,
    name: str,
    role: Role,
    now: float,
    random: bytes,
) -> Session:
    """The session, called ``name``, of whom an identity provider vouches for, which the trust policy allows.

    Errors of the tags as of :func:`session_tags`, ValidationError where DurationSeconds exceeds the role's maximum
    (STS-WI-044, STS-SAML-023).  A SAML assertion may shorten the session (STS-SAML-020…022), an OpenID Connect token
    never does (STS-WI-043); ExpiredTokenException where nothing would be left of it.
    """
    tags, transitive_tags = session_tags(identity.tags, identity.transitive_tag_keys)
    seconds = command.duration_seconds if command.duration_seconds is not None else _DEFAULT_ROLE_SECONDS
    if seconds > role.max_session_duration:
        raise ValidationError(_BEYOND_ROLE)
    if identity.duration is not None:
        seconds = min(seconds, identity.duration)
    issued = int(now)
    expires = issued + min(seconds, MAXIMUM_LIFETIME[SessionKind.ROLE])
    if identity.until is not None:
        expires = min(expires, identity.until)
        if expires <= issued:
            raise ExpiredTokenException("Response has expired")
    principal = identity.principal
    return Session(
        SessionKind.ROLE,
        *session_keys(role.account, random),
        role.account,
        role.id,
        name,
        issued,
        expires,
        command.policy,
        managed_arns(command.policy_arns),
        tags,
        transitive_tags,
        identity.source_identity,
        federation=Federation(
            FederationKind.SAML if principal.kind is PrincipalKind.SAML else FederationKind.WEB_IDENTITY,
            principal.name,
            tuple([(key, identity.keys[key]) for key in identity.lasting if key in identity.keys]),
        ),
    )


def get_session_token(
    command: GetSessionTokenCommand, caller: Caller, now: float, random: bytes, *, mfa: int | None = None
) -> Session:
    """The session of a GetSessionToken: the caller's own identity for a while.

    ``mfa`` is when the one-time code of the call was verified, None where it had none (STS-MFA-015).  Root gets an
    hour at most without an error (STS-CALL-009).
    """
    kind = SessionKind.ROOT if caller.kind is CallerKind.ROOT else SessionKind.USER
    issued = int(now)
    return Session(
        kind,
        *session_keys(caller.account, random),
        caller.account,
        caller.principal_id,
        "",
        issued,
        issued + _own_seconds(command.duration_seconds, caller, kind),
        mfa=mfa,
        lineage=lineage(caller),
    )


def get_federation_token(command: GetFederationTokenCommand, caller: Caller, now: float, random: bytes) -> Session:
    """The session of a federated user, for whom the calling user or root vouches (area GFT).

    Errors of the tags as of :func:`session_tags`.  Root's live an hour at most without an error (STS-CALL-T25).
    """
    tags, _ = session_tags(command.tags)
    issued = int(now)
    return Session(
        SessionKind.FEDERATED,
        *session_keys(caller.account, random),
        caller.account,
        caller.principal_id,
        command.name,
        issued,
        issued + _own_seconds(command.duration_seconds, caller, SessionKind.FEDERATED),
        command.policy,
        managed_arns(command.policy_arns),
        tags,
        lineage=lineage(caller),
    )


def assume_root(command: AssumeRootCommand, caller: Caller, account: str, now: float, random: bytes) -> Session:
    """The session as root of ``account`` for one task, bounded by the task's policy (STS-ROOT-006, STS-ROOT-010).

    The caller's source identity is handed on (STS-SI-009).  With a duration of 0 it is over at once.
    """
    policy = command.task_policy_arn.arn
    if policy is None:
        raise TypeError("the task policy was checked before")
    seconds = command.duration_seconds if command.duration_seconds is not None else _DEFAULT_TASK_SECONDS
    issued = int(now)
    return Session(
        SessionKind.ROOT_TASK,
        *session_keys(account, random),
        account,
        account,
        "",
        issued,
        issued + min(seconds, MAXIMUM_LIFETIME[SessionKind.ROOT_TASK]),
        policy_arns=(policy,),
        source_identity=None if caller.session is None else caller.session.source_identity,
        lineage=lineage(caller),
    )


def padded(session: Session, size: int, least: int) -> Session:
    """A session whose token has at least ``least`` characters, where it has ``size`` without padding (STS-SP-020)."""
    return msgspec.structs.replace(session, padding=bytes(-(-(least - size) // 4) * 3))


def _own_seconds(asked: int | None, caller: Caller, kind: SessionKind) -> int:
    seconds = asked if asked is not None else _DEFAULT_TOKEN_SECONDS
    return min(seconds, _ROOT_SECONDS if caller.kind is CallerKind.ROOT else MAXIMUM_LIFETIME[kind])


def lineage(caller: Caller) -> tuple[str, ...]:
    """The credentials from which the caller's sessions come: its session's ancestors, then its own."""
    own = (caller.access_key_id, caller.principal_id)
    session = caller.session
    return own if session is None else session.lineage + own
