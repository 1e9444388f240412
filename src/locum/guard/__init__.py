"""The front door: who is calling, and may they?  The server uses it on itself; any HTTP service can (R30).

``authenticate`` verifies a signed request and gives the :class:`~locum.core.session.Caller`; ``authorize`` asks the one
decision function with that caller's policies, read live.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Sequence
from typing import Final

from locum import arn
from locum.core.root_access import is_within_reach, task_named
from locum.core.service_linked_roles import service_of
from locum.core.session import CALLER_KINDS, Caller, CallerKind, Session, SessionKind
from locum.core.token import TokenNotIntact
from locum.errors import ExpiredToken, InvalidClientTokenId, SignatureDoesNotMatch, ValidationError
from locum.guard.attempts import Attempts
from locum.guard.directory import Directory, Holder
from locum.guard.revoked import refuse_revoked
from locum.http import Request
from locum.policy import Principal
from locum.secret import Secret
from locum.wire.sigv4 import SigningKeys
from locum.wire.sigv4_verify import Authentication, require_authentication, verify

__all__ = ["Guard"]

_NOT_INTACT: Final = "The security token included in the request is invalid"
_KEY_INVALID: Final = "The security token included in the request is invalid."
_EXPIRED: Final = "The security token included in the request is expired"


class Guard:
    """Authenticates signed requests for one partition and a set of regions.

    It keeps derived signing keys and counts of failures, both bounded, and nothing of any caller.
    """

    def __init__(self, partition: str, regions: Collection[str], *, attempts: Attempts | None = None) -> None:
        self._partition: Final = partition
        self._regions: Final = frozenset(regions)
        self._keys: Final = SigningKeys()
        self._attempts: Final = attempts or Attempts()
        self._decoy: Final = Secret(os.urandom(30).hex())

    def authenticate(
        self, request: Request, query: Sequence[tuple[str, str]], directory: Directory, *, service: str, now: float
    ) -> tuple[Caller, str]:
        """The verified caller and the region that it signed for.

        ``query`` is the decoded query string that the handler reads too (R20).  Raises the errors of area SIG in
        their recorded order: what is malformed, the token (STS-SIG-T20, T21), the key (T22), the signature (T23).  A
        key that does not exist goes the way of one that does, with a decoy for its secret (R10, R23).
        """
        claims = require_authentication(request, query, service=service, regions=self._regions, now=now)
        attempts = self._attempts
        attempts.check(request.peer, claims.key_id, now)
        try:
            if claims.session_token is not None:
                return self._of_session(claims, claims.session_token, directory, now), claims.region
            return self._of_key(claims, directory), claims.region
        except (InvalidClientTokenId, SignatureDoesNotMatch):
            attempts.failed(request.peer, claims.key_id, now)
            raise

    def _check(self, claims: Authentication, secret: Secret) -> None:
        verify(claims, self._keys(secret, claims.date, claims.region, claims.service))

    def _of_key(self, claims: Authentication, directory: Directory) -> Caller:
        key = directory.access_key(claims.key_id)
        if key is None or not key.active:
            with contextlib.suppress(SignatureDoesNotMatch):
                self._check(claims, self._decoy)
            raise InvalidClientTokenId(_KEY_INVALID)
        self._check(claims, key.secret)
        return key.caller

    def _of_session(self, claims: Authentication, token: str, directory: Directory, now: float) -> Caller:
        try:
            session = directory.ring().open_session(token)
        except TokenNotIntact:
            raise InvalidClientTokenId(_NOT_INTACT) from None
        if session.access_key_id != claims.key_id:
            raise InvalidClientTokenId(_NOT_INTACT)
        if session.expires <= now:
            raise ExpiredToken(_EXPIRED)
        self._check(claims, session.secret)
        return refuse_revoked(self._caller(session, directory), directory)

    def _caller(self, session: Session, directory: Directory) -> Caller:
        """The caller of a session; the user or role must still exist, under the very id of then (POL-SS-008)."""
        partition, account = self._partition, session.account
        if session.principal_id == account:
            found = directory.account(account)
            if found is None or found.closed:
                raise InvalidClientTokenId(_NOT_INTACT)
            if session.kind is SessionKind.FEDERATED:
                return self._federated_user(session, arn.account_root(partition, account), account)
            if session.kind is SessionKind.ROOT_TASK and not self._is_within_reach(session, directory):
                raise InvalidClientTokenId(_NOT_INTACT)
            return Caller.root(account, session.access_key_id, partition=partition, session=session)
        holder: Holder | None = directory.holder(session.principal_id)
        if holder is None or holder.account != account:
            raise InvalidClientTokenId(_NOT_INTACT)
        if session.kind is SessionKind.FEDERATED:
            return self._federated_user(session, holder.arn, holder.id)
        if session.kind is SessionKind.USER:
            own_arn, user_id, user_name = holder.arn, holder.id, holder.name
            principal = Principal.user(own_arn, account, holder.id, partition=partition)
        else:
            own_arn = arn.assumed_role(partition, account, holder.name, session.name)
            user_id, user_name = f"{holder.id}:{session.name}", ""
            principal = Principal.role_session(
                own_arn,
                account,
                holder.arn,
                holder.id,
                session.name,
                partition=partition,
                service_linked=service_of(holder.record.path) is not None,
            )
        return Caller(
            kind=CALLER_KINDS[session.kind],
            partition=partition,
            account=account,
            arn=own_arn,
            user_id=user_id,
            principal_id=holder.id,
            principal_arn=holder.arn,
            access_key_id=session.access_key_id,
            principal=principal,
            user_name=user_name,
            session=session,
        )

    def _is_within_reach(self, session: Session, directory: Directory) -> bool:
        """Whether what let a session act as its account's root is still so: a feature switched off ends it (R34)."""
        try:
            task = task_named(session.policy_arns[0], self._partition)
        except ValidationError:
            return False
        return is_within_reach(directory.organization_of(session.account), task)

    def _federated_user(self, session: Session, issuer_arn: str, issuer_id: str) -> Caller:
        """A federated user, who depends on the user, or the root user, that vouched (STS-GFT-010)."""
        partition, account = self._partition, session.account
        own_arn = arn.federated_user(partition, account, session.name)
        return Caller(
            kind=CallerKind.FEDERATED_USER,
            partition=partition,
            account=account,
            arn=own_arn,
            user_id=f"{account}:{session.name}",
            principal_id=session.principal_id,
            principal_arn=own_arn,
            access_key_id=session.access_key_id,
            principal=Principal.federated_user(
                own_arn, account, session.name, issuer_arn, issuer_id, partition=partition
            ),
            session=session,
            issuer_arn=issuer_arn,
        )
