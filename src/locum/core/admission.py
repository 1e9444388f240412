"""Which kinds of callers an operation admits at all, before any policy is read (area CALL).

The rules here are AWS's own and no policy can change them: session credentials that carry no MFA mark reach no IAM
operation, GetSessionToken credentials reach two operations of STS, and so on.
"""

from __future__ import annotations

from typing import Final

from locum.core.session import Caller, CallerKind
from locum.errors import AccessDenied, InvalidClientTokenId
from locum.policy import denial_text

__all__ = ["ROOT_ASSUMES_NO_ROLES", "admit", "admit_session"]

ROOT_ASSUMES_NO_ROLES: Final = "Roles may not be assumed by root accounts."

_SESSIONS: Final = frozenset({CallerKind.USER_SESSION, CallerKind.ROOT_SESSION, CallerKind.ROLE_SESSION})
_TOKEN_SESSIONS: Final = frozenset({CallerKind.USER_SESSION, CallerKind.ROOT_SESSION})
_OF_TOKEN_SESSIONS: Final = frozenset({"AssumeRole", "GetCallerIdentity"})
_LONG_TERM_ONLY: Final = frozenset({"GetFederationToken", "GetSessionToken"})


def admit_session(caller: Caller, service: str) -> None:
    """InvalidClientTokenId for GetSessionToken credentials at IAM: they carry no MFA (STS-SIG-021, STS-GST-005)."""
    if service == "iam" and caller.kind in _TOKEN_SESSIONS:
        raise InvalidClientTokenId("The security token included in the request is invalid")


def admit(caller: Caller, service: str, operation: str) -> None:
    """AccessDenied for a kind of caller that an operation of STS never takes.

    Root on AssumeRole (STS-AR-002), sessions on GetSessionToken and GetFederationToken (STS-CALL-005), GetSessionToken
    credentials on anything but AssumeRole and GetCallerIdentity (STS-CALL-002).
    """
    kind = caller.kind
    if kind is CallerKind.USER or service != "sts":
        return
    if operation == "AssumeRole" and caller.is_root:
        raise AccessDenied(ROOT_ASSUMES_NO_ROLES)
    if kind in _SESSIONS and operation in _LONG_TERM_ONLY:
        raise AccessDenied(f"Cannot call {operation} with session credentials")
    if kind in _TOKEN_SESSIONS and operation not in _OF_TOKEN_SESSIONS:
        raise AccessDenied(denial_text(caller.arn, f"{service}:{operation}", ""))
