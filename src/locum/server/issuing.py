"""What every operation that issues a session does with it: check its session policies, seal it, measure it."""

from __future__ import annotations

import datetime
import functools
from typing import Any, Final

from locum.api import sts
from locum.core import issue
from locum.core.session import Session
from locum.core.token import MAXIMUM_TOKEN, TokenTooLarge
from locum.errors import MalformedPolicyDocumentException, PackedPolicyTooLargeException, ValidationError
from locum.policy import PolicyKind, validate
from locum.secret import Secret
from locum.server.handlers import Call

__all__ = ["check_session_policies", "credentials_of", "utilization"]

_NONCE_BYTES: Final = 12
_SESSION_POLICY_ARNS: Final = 10
_SESSION_POLICY_CHARACTERS: Final = 2_048


def credentials_of(call: Call[Any], session: Session) -> sts.Credentials:
    """The session, sealed; PackedPolicyTooLarge where it does not fit into a token (STS-E-T51)."""
    try:
        token = call.ring.seal_session(session, call.random(_NONCE_BYTES))
        least = getattr(call.command, "minimum_session_token_size", None)
        if least is not None and len(token) < least:
            longer = issue.padded(session, len(token), least)
            token = call.ring.seal_session(longer, call.random(_NONCE_BYTES))
    except TokenTooLarge:
        raise PackedPolicyTooLargeException("Serialized token too large for session") from None
    return sts.Credentials(
        access_key_id=session.access_key_id,
        secret_access_key=session.secret,
        session_token=Secret(token),
        expiration=datetime.datetime.fromtimestamp(session.expires, datetime.UTC),
    )


def utilization(size: int) -> int:
    """The size of a token in percent of the largest there can be, rounded up (STS-SP-019)."""
    return -(-size * 100 // MAXIMUM_TOKEN)


@functools.lru_cache(maxsize=1_024)
def _check_session_policy(policy: str) -> None:
    """MalformedPolicyDocument for what is no session policy; a text that passed once is not read again."""
    validate(policy, PolicyKind.SESSION)


def check_session_policies(call: Call[Any], session: Session) -> None:
    """Refuse session policies that are too many, too long, malformed or out of reach (STS-SP-001, SP-002, SP-008)."""
    policy, arns = session.policy, session.policy_arns
    if policy is None and not arns:
        return
    if len(arns) > _SESSION_POLICY_ARNS:
        raise ValidationError(f"At most {_SESSION_POLICY_ARNS} PolicyArns can be passed, not {len(arns)}")
    size = len(policy or "") + sum(map(len, arns))
    if size > _SESSION_POLICY_CHARACTERS:
        raise ValidationError(
            f"Policy and PolicyArns together have {size} characters; at most {_SESSION_POLICY_CHARACTERS} are allowed"
        )
    for each in arns:
        if call.directory.managed_policy(each, session.account) is None:
            raise MalformedPolicyDocumentException(f"The managed policy {each} does not exist or cannot be used")
    if policy is not None:
        _check_session_policy(policy)
