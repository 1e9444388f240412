"""The switch of an account's own issuer (iam_api.md section 12)."""

from __future__ import annotations

import uuid
from typing import Any

from locum.api.iam import outbound as api
from locum.api.iam import types
from locum.core.outbound import issuer_url
from locum.core.records import OutboundIssuer
from locum.errors import FeatureDisabledException, FeatureEnabledException
from locum.server.handlers import Call, handles
from locum.server.iam.answers import change
from locum.server.signing_keys import add_keys, new_keys
from locum.store.records import Records, Stored

__all__ = [
    "disable_outbound_web_identity_federation",
    "enable_outbound_web_identity_federation",
    "get_outbound_web_identity_federation_info",
]

_ID_BYTES = 16


def _issuer(call: Call[Any], records: Records) -> Stored[OutboundIssuer] | None:
    return records.get(OutboundIssuer, call.account, OutboundIssuer.kind)


def _enabled(call: Call[Any], state: str = "disabled") -> Stored[OutboundIssuer]:
    """The account's issuer; FeatureDisabled where it issues nothing."""
    stored = _issuer(call, call.records)
    if stored is None or not stored.record.enabled:
        raise FeatureDisabledException(f"Outbound identity federation is {state} for account {call.account}")
    return stored


def _make_issuer(call: Call[api.EnableOutboundWebIdentityFederationCommand]) -> None:
    """See to it that the account has an issuer with keys, switched off.

    Keys are drawn here, before the transaction of the call, so that no writer waits for them.
    """
    if _issuer(call, call.records) is not None:
        return
    made = new_keys(call.random)
    with call.store.transaction() as rows:
        records = Records(rows)
        if _issuer(call, records) is None:
            now = int(call.now)
            id = str(uuid.UUID(bytes=call.random(_ID_BYTES), version=4))
            records.create(OutboundIssuer(account=call.account, id=id, created=now))
            add_keys(records, call.vault, call.account, made, now, call.random, signs=now)


@handles(api.EnableOutboundWebIdentityFederationCommand, once=_make_issuer)
def enable_outbound_web_identity_federation(
    call: Call[api.EnableOutboundWebIdentityFederationCommand],
) -> api.EnableOutboundWebIdentityFederationResponse:
    """Let the account issue tokens (IAM-OUT-001)."""
    stored = _issuer(call, call.records)
    if stored is None:
        raise LookupError("the issuer was made before the call")
    if stored.record.enabled:
        raise FeatureEnabledException(f"Outbound identity federation is already enabled for account {call.account}")
    call.records.change(stored, enabled=True)
    return api.EnableOutboundWebIdentityFederationResponse(issuer_identifier=issuer_url(call.url, stored.record.id))


@handles(api.DisableOutboundWebIdentityFederationCommand)
def disable_outbound_web_identity_federation(
    call: Call[api.DisableOutboundWebIdentityFederationCommand],
) -> types.Nothing:
    """Stop issuing tokens from the next request on; the keys stay published (STS-GWT-011)."""
    return change(call, _enabled(call, "already disabled"), enabled=False)


@handles(api.GetOutboundWebIdentityFederationInfoCommand)
def get_outbound_web_identity_federation_info(
    call: Call[api.GetOutboundWebIdentityFederationInfoCommand],
) -> api.GetOutboundWebIdentityFederationInfoResponse:
    """Where the account's tokens are verified (IAM-OUT-001)."""
    return api.GetOutboundWebIdentityFederationInfoResponse(
        issuer_identifier=issuer_url(call.url, _enabled(call).record.id), jwt_vending_enabled=True
    )
