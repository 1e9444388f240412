"""Which kinds of callers an operation admits at all, before any policy is read (area CALL).

The rules here are AWS's own and no policy can change them: session credentials that carry no MFA mark reach no IAM
operation, GetSessionToken credentials reach two operations of STS, a federated user's one, and so on.
"""

from __future__ import annotations

from typing import Any, Final

from locum import arn
from locum.api.shapes import Command
from locum.core.root_access import root_account
from locum.core.session import Caller, CallerKind
from locum.errors import AccessDenied, InvalidClientTokenId
from locum.policy import denial_text

__all__ = ["ROOT_ASSUMES_NO_ROLES", "admit", "admit_session"]

ROOT_ASSUMES_NO_ROLES: Final = "Roles may not be assumed by root accounts."

_ADMITTED: Final = {
    CallerKind.USER_SESSION: frozenset({"AssumeRole", "GetCallerIdentity", "GetWebIdentityToken"}),
    CallerKind.ROOT_SESSION: frozenset({"GetCallerIdentity"}),
    CallerKind.FEDERATED_USER: frozenset({"GetCallerIdentity"}),
    CallerKind.ASSUMED_ROOT: frozenset({"GetCallerIdentity"}),
}
"""The operations of STS that sessions can call; what is not here is not limited in this way."""
_AT_IAM: Final = frozenset({CallerKind.ROLE_SESSION, CallerKind.ASSUMED_ROOT})
"""The sessions that need no MFA at IAM; what a root task may do there its policy says (IAM-RAC-005)."""
_LONG_TERM_ONLY: Final = frozenset({"GetFederationToken", "GetSessionToken"})


def admit_session(caller: Caller, service: str) -> None:
    """InvalidClientTokenId at IAM for federated users and for GetSessionToken credentials without MFA.

    STS-SIG-021, STS-GST-005, STS-CALL-001, STS-CALL-002.
    """
    session = caller.session
    if session is None or service != "iam" or caller.kind in _AT_IAM or session.mfa is not None:
        return
    raise InvalidClientTokenId("The security token included in the request is invalid")


def admit(caller: Caller, command: Command[Any]) -> None:
    """AccessDenied for a kind of caller that an operation of STS never takes.

    Root on AssumeRole (STS-AR-002), sessions on GetSessionToken and GetFederationToken (STS-CALL-005), a user's
    GetSessionToken credentials on anything but AssumeRole, GetCallerIdentity and GetWebIdentityToken (STS-CALL-002,
    STS-CALL-004), root's and federated users on anything but GetCallerIdentity (STS-CALL-001), root on AssumeRoot
    (STS-ROOT-002); the text for a federated user on AssumeRole is the plain one (STS-AR-003), on GetWebIdentityToken
    one of its own (STS-E-014).
    """
    kind, operation = caller.kind, command.operation
    if kind is CallerKind.USER or operation.service.name != "sts":
        return
    name = operation.name
    if name == "AssumeRole" and caller.is_root:
        raise AccessDenied(ROOT_ASSUMES_NO_ROLES)
    if name == "AssumeRoot" and (caller.is_root or kind in _ADMITTED):
        raise AccessDenied(denial_text(caller.arn, operation.action, _root_of(caller, command)))
    if caller.session is None:
        return
    if name in _LONG_TERM_ONLY:
        raise AccessDenied(f"Cannot call {name} with session credentials")
    admitted = _ADMITTED.get(kind)
    if admitted is not None and name not in admitted:
        if name == "GetWebIdentityToken" and kind is CallerKind.FEDERATED_USER:
            raise AccessDenied("GetWebIdentityToken does not support federated user sessions")
        raise AccessDenied(denial_text(caller.arn, operation.action, getattr(command, "role_arn", "")))


def _root_of(caller: Caller, command: Any) -> str:
    """The root user that AssumeRoot names, by its ARN."""
    return arn.account_root(caller.partition, root_account(command.target_principal, caller.partition))
