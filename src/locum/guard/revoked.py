"""The door is closed to sessions that were revoked, from the first request after the revocation on."""

from __future__ import annotations

from typing import Final

from locum.core.session import Caller
from locum.errors import ExpiredToken
from locum.guard.directory import Directory

__all__ = ["refuse_revoked"]

_REVOKED: Final = "The security token included in the request is expired: its session was revoked"


def refuse_revoked(caller: Caller, directory: Directory) -> Caller:
    """The caller of a session that is in force; ExpiredToken for one that was revoked.

    To clients it is a session that is over, for which their SDKs know what to do: get another one.  Asked after the
    signature was verified, so that nobody learns of it who does not hold the credentials.
    """
    revocations = directory.revocations()
    if not revocations.empty and revocations.hit(caller):
        raise ExpiredToken(_REVOKED)
    return caller
