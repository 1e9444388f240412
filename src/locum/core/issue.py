"""One function per issuing command: who asks, for what, at what time → the session that is sealed into a token.

Pure: the time, and the random bytes behind keys and secrets, are arguments.  Authorization has happened before.
"""

from __future__ import annotations

import functools
from typing import Final

from locum import arn
from locum.api.sts import AssumeRoleCommand, GetSessionTokenCommand
from locum.arn import Arn
from locum.core.records import Role
from locum.core.session import MAXIMUM_LIFETIME, Caller, CallerKind, Session, SessionKind
from locum.core.token import secret_access_key
from locum.errors import AccessDenied, ValidationError

__all__ = ["RANDOM_BYTES", "assume_role", "check_mfa", "get_session_token", "role_named", "unsupported"]

RANDOM_BYTES: Final = 35
"""Random bytes that each function takes: 5 for the access key id, 30 for the secret access key."""

_DEFAULT_ROLE_SECONDS: Final = 3_600
_CHAINED_SECONDS: Final = 3_600
_DEFAULT_TOKEN_SECONDS: Final = 43_200
_ROOT_SECONDS: Final = 3_600
_MFA_UNKNOWN: Final = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  "
    "Please verify your MFA serial number is valid and associated with this user."
)
_MFA_INCOMPLETE: Final = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
_UNSUPPORTED: Final = (
    ("Tags", "tags"),
    ("TransitiveTagKeys", "transitive_tag_keys"),
    ("SourceIdentity", "source_identity"),
    ("ProvidedContexts", "provided_contexts"),
    ("MinimumSessionTokenSize", "minimum_session_token_size"),
)
"""Members on the wire, and their attributes, that a session cannot carry yet."""


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


def unsupported(command: AssumeRoleCommand | GetSessionTokenCommand) -> None:
    """Refuse, by name, what cannot be enforced yet rather than ignore it: ValidationError (R42)."""
    for name, attribute in _UNSUPPORTED:
        if getattr(command, attribute, None):
            raise ValidationError(f"{name} is not supported by this version of locum; leave it out")


def check_mfa(command: AssumeRoleCommand | GetSessionTokenCommand) -> None:
    """AccessDenied for a one-time code that proves nothing.

    No MFA device can be assigned to anybody yet, so every serial number is unknown (STS-MFA-008), and half of the pair
    is incomplete (STS-MFA-010).  A bad code fails the call even where no policy asks for one (STS-AR-040).
    """
    serial_number, token_code = command.serial_number, command.token_code
    if serial_number is None and token_code is None:
        return
    raise AccessDenied(_MFA_INCOMPLETE if serial_number is None or token_code is None else _MFA_UNKNOWN)


def _credential(
    kind: SessionKind,
    account: str,
    principal_id: str,
    name: str,
    now: float,
    seconds: int,
    random: bytes,
    policy: str | None = None,
    policy_arns: tuple[str, ...] = (),
) -> Session:
    issued = int(now)
    return Session(
        kind,
        arn.access_key_id("ASIA", account, random[:5]),
        secret_access_key(random[5:RANDOM_BYTES]),
        account,
        principal_id,
        name,
        issued,
        issued + min(seconds, MAXIMUM_LIFETIME[kind]),
        policy,
        policy_arns,
    )


def assume_role(command: AssumeRoleCommand, caller: Caller, role: Role, now: float, random: bytes) -> Session:
    """The session of an AssumeRole that the trust policy allows.

    ValidationError where DurationSeconds exceeds the role's maximum (STS-AR-033) or the chaining hour
    (STS-AR-034, STS-AR-035).  ``random`` holds :data:`RANDOM_BYTES` bytes.
    """
    seconds = command.duration_seconds if command.duration_seconds is not None else _DEFAULT_ROLE_SECONDS
    if caller.session is not None and seconds > _CHAINED_SECONDS:
        raise ValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    if seconds > role.max_session_duration:
        raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return _credential(
        SessionKind.ROLE,
        role.account,
        role.id,
        command.role_session_name,
        now,
        seconds,
        random,
        command.policy,
        tuple(each.arn for each in command.policy_arns if each.arn is not None),
    )


def get_session_token(command: GetSessionTokenCommand, caller: Caller, now: float, random: bytes) -> Session:
    """The session of a GetSessionToken: the caller's own identity for a while.

    Root gets an hour at most without an error (STS-CALL-009).  Errors as of :func:`unsupported` and :func:`check_mfa`.
    """
    unsupported(command)
    check_mfa(command)
    seconds = command.duration_seconds if command.duration_seconds is not None else _DEFAULT_TOKEN_SECONDS
    kind = SessionKind.USER
    if caller.kind is CallerKind.ROOT:
        kind, seconds = SessionKind.ROOT, min(seconds, _ROOT_SECONDS)
    return _credential(kind, caller.account, caller.principal_id, "", now, seconds, random)
