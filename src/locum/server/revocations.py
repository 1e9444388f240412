"""Revoking sessions: what whoever revokes names becomes a record, which every process honours in its next request."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from locum import arn
from locum.api import extensions
from locum.arn import Arn
from locum.core.records import AccessKey, Account, Revocation, Role, User
from locum.core.revocation import EVERY_ACCOUNT, Subject, lifetime_of
from locum.errors import LimitExceededException, NoSuchEntityException, ValidationError
from locum.server.handlers import Call, handles
from locum.store import Store
from locum.store.records import Records, Stored

__all__ = [
    "MOST",
    "MOST_OF_ACCOUNT",
    "Named",
    "Sessions",
    "find_principal",
    "in_force",
    "list_revocations",
    "of_principal",
    "of_session",
    "of_source_identity",
    "prune",
    "revoke",
    "revoke_sessions",
]

MOST: Final = 10_000
"""Revocations that a server keeps at most: all of them are in the memory of every process."""

MOST_OF_ACCOUNT: Final = 1_000
"""Revocations that the callers of one account can make, so that none uses up the place of the others."""

_HOLDERS: Final[dict[str, type[User] | type[Role]]] = {User.kind: User, Role.kind: Role}


class Named(NamedTuple):
    """A principal as an ARN names it.

    ``value`` is what its sessions are known by: a unique id, or the user id of one name's sessions.  ``resource`` is
    the ARN that policies see, and ``stored`` the user or role behind it.
    """

    value: str
    resource: str
    stored: Stored[Any] | None = None


class Sessions(NamedTuple):
    """The sessions that are to be revoked; ``seconds`` is how long one of them can live at most."""

    subject: Subject
    account: str
    value: str
    named: str
    seconds: int


def find_principal(records: Records, partition: str, text: str, account: str) -> Named | None:
    """The principal of an account that an ARN names, exactly as it is written; None where there is none.

    A user, a role, the root user; the sessions of a role under one name; a federated user's, who need not exist.
    """
    try:
        parsed = Arn.parse(text)
    except ValueError:
        return None
    if parsed.partition != partition or parsed.region or parsed.account != account:
        return None
    kind = parsed.kind
    _, _, rest = parsed.resource.partition("/")
    if parsed.service == "sts":
        if kind == "federated-user" and rest and "/" not in rest:
            return Named(f"{account}:{rest}", text)
        name, _, session = rest.partition("/")
        role = records.get(Role, account, name) if kind == "assumed-role" and name else None
        if role is None or role.record.name != name or not session or "/" in session:
            return None
        return Named(f"{role.record.id}:{session}", role.record.arn(partition), role)
    if parsed.service != "iam":
        return None
    if parsed.resource == "root":
        return Named(account, text) if records.get(Account, "", account) is not None else None
    holder = _HOLDERS.get(kind)
    name = parsed.path_and_name[1]
    stored: Stored[Any] | None = records.get(holder, account, name) if holder is not None and name else None
    if stored is None or stored.record.arn(partition) != text:
        return None
    return Named(stored.record.id, text, stored)


def of_session(records: Records, key_id: str) -> Sessions:
    """The session of an access key id and what it led to, or what a long-term key led to.

    A temporary key's id tells the account that it was issued for, a long-term key's record too; NoSuchEntity where
    neither does.
    """
    stored = records.get(AccessKey, "", key_id)
    account = arn.account_of_access_key(key_id) if stored is None else stored.record.account
    if account is None:
        raise NoSuchEntityException(f"There is no access key {key_id}.")
    return Sessions(Subject.SESSION, account, key_id, key_id, lifetime_of(Subject.SESSION, role=False))


def of_principal(
    records: Records, partition: str, text: str, account: str, *, issuer: bool = False, role: bool = False
) -> Sessions:
    """The sessions of a principal of an account or, for an ``issuer``, those that its credentials led to.

    ``role``: nothing but a role may be named.  NoSuchEntity for what is not there; an issuer has an identity of its
    own, so that no session is one.
    """
    found = find_principal(records, partition, text, account)
    is_role = found is not None and found.stored is not None and isinstance(found.stored.record, Role)
    if found is None or (role and not is_role) or ((issuer or role) and found.resource != text):
        kinds = "role" if role else "user, role or root user" if issuer else "user, role, root user or session"
        raise NoSuchEntityException(f"There is no {kinds} {text} in account {account}.")
    if issuer and ":" in found.value:
        raise NoSuchEntityException(f"The credentials of {text} lead to no other session.")
    subject = Subject.ISSUER if issuer else Subject.PRINCIPAL
    return Sessions(subject, account, found.value, text, lifetime_of(subject, role=is_role))


def of_source_identity(value: str, account: str = EVERY_ACCOUNT) -> Sessions:
    """The role sessions of an account, or of every account, that carry a source identity."""
    subject = Subject.SOURCE_IDENTITY
    return Sessions(subject, account, value, value, lifetime_of(subject, role=True))


def in_force(records: Records, now: float) -> list[Revocation]:
    """The revocations that can still hit a session, in the order in which they were made."""
    found = [stored.record for stored in records.each(Revocation, "") if stored.record.expires > now]
    return sorted(found, key=lambda each: each.created)


def revoke(records: Records, sessions: Sessions, before: float | None, now: float) -> Revocation:
    """Revoke the sessions that were issued before a moment in epoch seconds, every one there is without it.

    Tokens hold whole seconds, so without a moment those of the running second count as issued.  Naming the same
    sessions again can only move the moment forward.  What has expired is forgotten meanwhile.  ValidationError for a
    moment that has not come, or that is so long ago that no such session is left; LimitExceeded beyond :data:`MOST`
    and :data:`MOST_OF_ACCOUNT`.
    """
    latest = int(now) + 1
    moment = latest if before is None else math.ceil(before)
    if moment > latest:
        raise ValidationError("Before lies in the future: only sessions that were issued already can be revoked")
    if moment + sessions.seconds <= now:
        raise ValidationError("No session that was issued before then is left: the longest one has ended")
    kept = list(_kept(records, now))
    same = next((each for each in kept if _same(each.record, sessions)), None)
    if same is not None:
        moment = max(moment, same.record.before)
    else:
        _check_room(sum(each.record.account == sessions.account for each in kept), len(kept), sessions.account)
    made = Revocation(
        account=sessions.account,
        subject=sessions.subject.value,
        value=sessions.value,
        named=sessions.named,
        before=moment,
        created=int(now),
        expires=moment + sessions.seconds,
    )
    if same is None:
        records.create(made)
    else:
        records.replace(same, made)
    return made


def _kept(records: Records, now: float) -> Iterator[Stored[Revocation]]:
    """The revocations in force; the others are removed on the way."""
    for stored in list(records.each(Revocation, "")):
        if stored.record.expires > now:
            yield stored
        else:
            records.delete(stored)


def _same(record: Revocation, sessions: Sessions) -> bool:
    return (record.account, record.subject, record.value) == (
        sessions.account,
        sessions.subject.value,
        sessions.value,
    )


def _check_room(of_account: int, of_all: int, account: str) -> None:
    if of_account >= MOST_OF_ACCOUNT and account != EVERY_ACCOUNT:
        raise LimitExceededException(
            f"Account {account} has {MOST_OF_ACCOUNT} revocations in force, which is the most: "
            "revoke by role, principal or source identity, which covers many sessions at once."
        )
    if of_all >= MOST:
        raise LimitExceededException(f"{MOST} revocations are in force, which is the most that a server keeps.")


def prune(store: Store, now: float) -> None:
    """Forget the revocations that can hit nothing any more; writes only where there are some."""
    with store.snapshot() as rows:
        if all(stored.record.expires > now for stored in Records(rows).each(Revocation, "")):
            return
    with store.transaction() as writing:
        for _ in _kept(Records(writing), now):
            pass


def _shown(made: Revocation) -> extensions.SessionRevocation:
    return extensions.SessionRevocation(
        subject=made.subject,
        named=made.named,
        before=datetime.datetime.fromtimestamp(made.before, datetime.UTC),
        expires=datetime.datetime.fromtimestamp(made.expires, datetime.UTC),
    )


def _sessions(call: Call[extensions.RevokeSessionsCommand]) -> Sessions:
    command, account = call.command, call.account
    naming = (command.access_key_id, command.role_arn, command.principal_arn, command.issuer_arn)
    if sum(each is not None for each in (*naming, command.source_identity)) != 1:
        raise ValidationError(
            "Exactly one of AccessKeyId, RoleArn, PrincipalArn, IssuerArn and SourceIdentity names the sessions"
        )
    if command.source_identity is not None:
        return of_source_identity(command.source_identity, account)
    if command.access_key_id is not None:
        sessions = of_session(call.records, command.access_key_id)
        if sessions.account != account:
            raise NoSuchEntityException(f"There is no access key {command.access_key_id} in account {account}.")
        return sessions
    text = command.principal
    assert text is not None
    role, issuer = command.role_arn is not None, command.issuer_arn is not None
    return of_principal(call.records, call.partition, text, account, issuer=issuer, role=role)


@handles(extensions.RevokeSessionsCommand)
def revoke_sessions(call: Call[extensions.RevokeSessionsCommand]) -> extensions.RevokeSessionsResponse:
    """End sessions of the caller's account before their time."""
    before = call.command.before
    made = revoke(call.records, _sessions(call), None if before is None else before.timestamp(), call.now)
    return extensions.RevokeSessionsResponse(revocation=_shown(made))


@handles(extensions.ListRevocationsCommand)
def list_revocations(call: Call[extensions.ListRevocationsCommand]) -> extensions.ListRevocationsResponse:
    """The revocations of the caller's account that are in force."""
    found = [_shown(each) for each in in_force(call.records, call.now) if each.account == call.account]
    return extensions.ListRevocationsResponse(revocations=tuple(found))
