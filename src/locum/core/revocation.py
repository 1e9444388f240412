"""Which sessions were revoked before their end.

Sessions are stored nowhere, so a revocation says which ones it hits: by what they are and by what their tokens tell of
where they come from, up to a moment of issue.  It lives as long as the longest session that it can hit.  A revoked
session takes along what it led to: each session's token holds the lineage of credentials from which it was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

from locum.core.records import Revocation
from locum.core.session import MAXIMUM_LIFETIME, Caller, SessionKind

__all__ = ["EVERY_ACCOUNT", "Revocations", "Subject", "lifetime_of"]

EVERY_ACCOUNT: Final = ""
"""The account of a revocation by source identity that only operators make: the sessions of every account."""


class Subject(Enum):
    """What a revocation names; the values are kept in records and never change meaning."""

    SESSION = "session"
    """The session of an access key id, and every session that its credentials led to; of a long-term key only these."""
    PRINCIPAL = "principal"
    """The sessions of a user, role or root user, and every session that its credentials led to.

    Of one session name of a role, or of one federated user, the sessions themselves.
    """
    ISSUER = "issuer"
    """Every session that a principal's credentials led to, and none of the principal's own."""
    SOURCE_IDENTITY = "source-identity"
    """The role sessions of an account that carry a source identity."""


def lifetime_of(subject: Subject, *, role: bool) -> int:
    """Seconds that the longest session lives which a revocation can hit; ``role``: the principal is a role.

    What a role's credentials lead to are role sessions, and so is whatever carries a source identity.
    """
    if subject is Subject.SOURCE_IDENTITY or (role and subject is not Subject.SESSION):
        return MAXIMUM_LIFETIME[SessionKind.ROLE]
    return max(MAXIMUM_LIFETIME.values())


class Revocations:
    """The revocations of a server, ready to be asked about any number of sessions; never changed."""

    __slots__ = ("_issuers", "_named", "_source_identities", "empty")

    def __init__(self, records: Iterable[Revocation]) -> None:
        named: dict[str, int] = {}
        issuers: dict[str, int] = {}
        source_identities: dict[tuple[str, str], int] = {}
        for each in records:
            if each.subject == Subject.SOURCE_IDENTITY.value:
                key = each.account, each.value
                source_identities[key] = max(each.before, source_identities.get(key, 0))
            else:
                # Access key ids and unique ids are drawn from different alphabets: one table serves both.
                table = issuers if each.subject == Subject.ISSUER.value else named
                table[each.value] = max(each.before, table.get(each.value, 0))
        self._named: Final = named
        self._issuers: Final = issuers
        self._source_identities: Final = source_identities
        self.empty: Final = not (named or issuers or source_identities)

    def hit(self, caller: Caller) -> bool:
        """Whether the session that a caller uses was revoked; each is judged by its own time of issue.

        As many look-ups as the session has ancestors, however many revocations there are.
        """
        session = caller.session
        if session is None:
            return False
        issued, named = session.issued, self._named
        if named and issued < max(
            named.get(session.access_key_id, 0), named.get(caller.principal_id, 0), named.get(caller.user_id, 0)
        ):
            return True
        if session.source_identity is not None and self._source_identities:
            identities, value = self._source_identities, session.source_identity
            if issued < max(identities.get((session.account, value), 0), identities.get((EVERY_ACCOUNT, value), 0)):
                return True
        return self.reaches(session.lineage, issued)

    def reaches(self, lineage: Iterable[str], moment: int) -> bool:
        """Whether any of the credentials that led to something was revoked that did so at a moment in epoch seconds."""
        named, issuers = self._named, self._issuers
        return any(moment < max(named.get(each, 0), issuers.get(each, 0)) for each in lineage)
