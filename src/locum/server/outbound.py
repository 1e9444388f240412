"""GetWebIdentityToken, and the public pages by which others verify its tokens (area GWT).

Signing takes half a millisecond, in which OpenSSL lets other threads run: it is done in a thread, so that the event
loop goes on answering.  The keys are kept opened among the facts.
"""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Mapping
from typing import Final

from locum.api import sts
from locum.core import outbound
from locum.errors import OutboundWebIdentityFederationDisabledException
from locum.guard.directory import Directory
from locum.http import Response
from locum.secret import Secret
from locum.server.handlers import Call, handles

__all__ = ["get_web_identity_token", "published"]

_ID_BYTES: Final = 16
_PAGE: Final = re.compile(
    rf"{re.escape(outbound.PATH)}([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})"
    rf"({re.escape(outbound.DISCOVERY)}|{re.escape(outbound.JWKS)})"
)
_HEADERS: Final = (
    ("content-type", "application/json"),
    ("cache-control", f"public, max-age={outbound.FRESH}"),
)


def _check(call: Call[sts.GetWebIdentityTokenCommand]) -> None:
    outbound.check(call.command)


@handles(sts.GetWebIdentityTokenCommand, before=_check)
def get_web_identity_token(call: Call[sts.GetWebIdentityTokenCommand]) -> sts.GetWebIdentityTokenResponse:
    """A token that says who the caller is, for whom the command names (area GWT)."""
    command, caller = call.command, call.caller
    expires = outbound.expiry(command, caller.session, call.now)
    issuer = call.directory.issuer(call.account)
    if issuer is None or not issuer.record.enabled:
        raise OutboundWebIdentityFederationDisabledException("OutboundWebIdentityFederation is disabled.")
    payload = outbound.payload(
        outbound.claims(
            command,
            caller,
            issuer=outbound.issuer_url(call.url, issuer.record.id),
            region=call.region,
            tags=_own_tags(call),
            issued=int(call.now),
            expires=expires,
            id=str(uuid.UUID(bytes=call.random(_ID_BYTES), version=4)),
            organization=call.directory.organization_of(call.account),
        )
    )
    return sts.GetWebIdentityTokenResponse(
        web_identity_token=Secret(issuer.token(command.signing_algorithm, payload, call.now)),
        expiration=datetime.datetime.fromtimestamp(expires, datetime.UTC),
    )


def _own_tags(call: Call[sts.GetWebIdentityTokenCommand]) -> Mapping[str, str]:
    """The tags of the caller's user or role; root has none."""
    if call.caller.is_root:
        return {}
    holder = call.directory.holder(call.caller.principal_id)
    if holder is None:
        raise LookupError("the caller was authenticated under an id that is not there")
    return holder.tags


def published(path: str, directory: Directory, url: str, now: float) -> Response | None:
    """The page of an issuer at a path, for anyone; None where there is none.

    ``url`` is the server's public one.  Nothing tells whether the account issues tokens at present (STS-GWT-011).
    """
    page = _PAGE.fullmatch(path)
    issuer = None if page is None else directory.issuer_by_id(page[1])
    if page is None or issuer is None:
        return None
    if page[2] == outbound.JWKS:
        return Response(200, _HEADERS, outbound.jwks(issuer.keys, now))
    return Response(200, _HEADERS, outbound.discovery(outbound.issuer_url(url, issuer.record.id)))
