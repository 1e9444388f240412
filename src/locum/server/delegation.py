"""GetDelegatedAccessToken, and how a trade-in token reaches who asked for it (area GDT; ours, docs/delegation.md).

A token holds no rights: it names a request, and everything is read live when it is traded in.  It is sealed when it is
fetched, under a purpose key of its own (R14), and nothing of it is stored.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from locum.api import extensions, sts
from locum.core.delegation import FINALIZED, TradeIn, ends, session_of
from locum.core.delegation_records import DelegationRequest
from locum.core.issue import RANDOM_BYTES
from locum.core.token import Purpose, TokenNotIntact
from locum.errors import AccessDenied, ExpiredTradeInTokenException, NoSuchEntityException
from locum.policy import PolicyKind, denial_text, load
from locum.secret import Secret
from locum.server.handlers import Call, handles
from locum.server.issuing import credentials_of
from locum.store.organizations import each_found
from locum.store.records import Records, Stored

__all__ = [
    "OF_OWNERS",
    "OWNERS_RIGHTS",
    "each_request",
    "get_delegated_access_token",
    "receive_delegation_token",
]

OF_OWNERS: Final = frozenset({"GetDelegationRequest", "UpdateDelegationRequest"})
"""What the owner of a delegation request may do with it unless a policy denies it (IAM-SHD-004)."""

OWNERS_RIGHTS: Final = load(
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:GetDelegationRequest",'
    '"iam:UpdateDelegationRequest"],"Resource":"*"}}',
    PolicyKind.INLINE,
    "owner of the delegation request",
)
"""The policy that says so; it is asked beside an owner's own, for that owner's request alone."""

_NONCE_BYTES: Final = 12


def each_request(records: Records, index: str, account: str, *, after: str = "") -> Iterator[Stored[DelegationRequest]]:
    """The delegation requests that an account made or owns, by id."""
    return each_found(records, DelegationRequest, index, account, after=after)


@handles(extensions.ReceiveDelegationTokenCommand)
def receive_delegation_token(
    call: Call[extensions.ReceiveDelegationTokenCommand],
) -> extensions.ReceiveDelegationTokenResponse:
    """The token of a request of the caller's account, once it was sent."""
    id = call.command.delegation_request_id
    stored = call.records.get(DelegationRequest, "", id)
    request = None if stored is None else stored.record
    if request is None or request.requestor != call.account or request.state != FINALIZED:
        raise NoSuchEntityException(f"There is no token for a delegation request {id} of account {call.account}.")
    if call.now >= ends(request):
        raise ExpiredTradeInTokenException("The delegated time of the request is over.")
    sealed = call.ring.seal(
        Purpose.TRADE_IN_TOKEN,
        msgspec.msgpack.encode(TradeIn(id, request.requestor, request.updated)),
        call.random(_NONCE_BYTES),
    )
    return extensions.ReceiveDelegationTokenResponse(
        trade_in_token=Secret(sealed), expiration=datetime.datetime.fromtimestamp(ends(request), datetime.UTC)
    )


@handles(sts.GetDelegatedAccessTokenCommand)
def get_delegated_access_token(
    call: Call[sts.GetDelegatedAccessTokenCommand],
) -> sts.GetDelegatedAccessTokenResponse:
    """Credentials with the rights that were delegated, until the delegated time is over (STS-GDT-001)."""
    traded = _opened(call)
    stored = call.records.get(DelegationRequest, "", traded.request)
    request = None if stored is None else stored.record
    if (
        request is None
        or request.grant is None
        or request.state != FINALIZED
        or (request.requestor, request.updated) != (traded.requestor, traded.finalized)
    ):
        raise _refused(call)
    if call.now >= ends(request):
        raise ExpiredTradeInTokenException("The trade-in token has expired.")
    grant = request.grant
    holder = call.directory.holder(grant.principal)
    if holder is None or call.directory.revocations().reaches(grant.lineage, grant.granted):
        raise _refused(call)
    session = session_of(request, grant, holder.record, call.caller, call.now, call.random(RANDOM_BYTES))
    return sts.GetDelegatedAccessTokenResponse(credentials=credentials_of(call, session), assumed_principal=holder.arn)


def _opened(call: Call[sts.GetDelegatedAccessTokenCommand]) -> TradeIn:
    """What the token holds; AccessDenied for what was not sealed as one, or for another account (R12)."""
    try:
        opened = call.ring.open(Purpose.TRADE_IN_TOKEN, call.command.trade_in_token.reveal())
        traded = msgspec.msgpack.decode(opened, type=TradeIn)
    except (TokenNotIntact, msgspec.DecodeError):
        raise _refused(call) from None
    if traded.requestor != call.account:
        raise _refused(call)
    return traded


def _refused(call: Call[Any]) -> AccessDenied:
    return AccessDenied(denial_text(call.caller.arn, call.command.operation.action, ""))
