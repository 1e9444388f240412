"""The condition keys that the server itself knows of a request (policy.md section 7).

Everything here comes from the verified caller, the connection and the clock; nothing that a client may name freely can
replace it (R25).  Key names are in lower case, as the policy engine compares them (STS-CTX-001).
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from locum.core.organization import OrgFacts
from locum.core.proof import FederatedIdentity
from locum.core.session import Caller, SessionKind
from locum.http import Request
from locum.policy import principal_context

__all__ = ["mark_mfa", "owner_keys", "place_keys", "proof_context", "request_context", "tag_keys"]


def _iso(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def request_context(
    caller: Caller,
    request: Request,
    region: str,
    now: float,
    tags: Mapping[str, str],
    organization: OrgFacts | None = None,
) -> dict[str, str | tuple[str, ...]]:
    """The global condition keys of a signed request.

    ``region`` is the verified scope's, ``now`` epoch seconds, ``tags`` the principal's tags, ``organization`` its
    account's.  A role session carries no MFA mark at all, other sessions one that says whether a one-time code was
    verified for them (POL-CK-005); long-term keys have neither key.
    """
    seconds = int(now)
    context: dict[str, str | tuple[str, ...]] = {}
    session = caller.session
    if session is not None and session.federation is not None:
        context.update(session.federation.keys)
    for key, value in tags.items():
        context[f"aws:principaltag/{key.lower()}"] = value
    _describe(request, region, seconds, context)
    context |= principal_context(caller.principal)
    place_keys(context, "principal", organization)
    if session is not None:
        context["aws:tokenissuetime"] = _iso(session.issued)
        if session.kind is SessionKind.ROLE:
            if session.source_identity is not None:
                context["aws:sourceidentity"] = session.source_identity
            if session.transitive_tags:
                context["sts:transitivetagkeys"] = tuple([key for key, _ in session.transitive_tags])
            if session.federation is not None:
                context["aws:federatedprovider"] = session.federation.provider
            return context
        if session.kind is SessionKind.ROOT_TASK:
            context["aws:assumedroot"] = "true"
            if session.source_identity is not None:
                context["aws:sourceidentity"] = session.source_identity
        if session.mfa is None:
            context["aws:multifactorauthpresent"] = "false"
        else:
            mark_mfa(context, session.mfa, seconds)
    return context


def proof_context(
    identity: FederatedIdentity, request: Request, region: str, now: float, organization: OrgFacts | None = None
) -> dict[str, str | tuple[str, ...]]:
    """The condition keys of a request that nobody signed, while the trust policy is asked for whom a proof speaks of.

    Those of the proof come first, so that whatever it says cannot stand in for what the server knows (R25); the rest is
    what every request has, and STS-WI-031 or STS-SAML-026.  ``organization`` is that of the provider's account.
    """
    context = dict(identity.keys)
    _describe(request, region, int(now), context)
    context |= principal_context(identity.principal)
    place_keys(context, "principal", organization)
    return context


def owner_keys(context: dict[str, str | tuple[str, ...]], account: str, organization: OrgFacts | None) -> None:
    """Say whose resource it is: the account, and its organization where it is in one (STS-CTX-T21, POL-CK-014)."""
    context["aws:resourceaccount"] = account
    place_keys(context, "resource", organization)


def place_keys(context: dict[str, str | tuple[str, ...]], whose: str, organization: OrgFacts | None) -> None:
    """Say where in an organization an account is, the ``principal``'s or the ``resource``'s (POL-CK-014)."""
    if organization is not None:
        context[f"aws:{whose}orgid"] = organization.id
        context[f"aws:{whose}orgpaths"] = (organization.path,)


def _describe(request: Request, region: str, seconds: int, context: dict[str, str | tuple[str, ...]]) -> None:
    """Add the keys that follow from the request alone, and from its moment."""
    context["aws:currenttime"] = _iso(seconds)
    context["aws:epochtime"] = str(seconds)
    context["aws:securetransport"] = "true" if request.secure else "false"
    if request.peer:
        context["aws:sourceip"] = request.peer
    lines = request.lines
    if "user-agent" in lines:
        context["aws:useragent"] = lines["user-agent"]
    if "referer" in lines:
        context["aws:referer"] = lines["referer"]
    context["aws:requestedregion"] = region
    context["aws:viaawsservice"] = "false"


def mark_mfa(context: dict[str, str | tuple[str, ...]], verified: int, now: int) -> None:
    """Say that a one-time code was verified, at ``verified`` (STS-CTX-T22, STS-CTX-T23); both in epoch seconds."""
    context["aws:multifactorauthpresent"] = "true"
    context["aws:multifactorauthage"] = str(max(0, now - verified))


def tag_keys(context: dict[str, str | tuple[str, ...]], tags: Mapping[str, str], *, prefixes: tuple[str, ...]) -> None:
    """Add one key per tag under each prefix, such as ``aws:resourcetag/``."""
    for key, value in tags.items():
        for prefix in prefixes:
            context[f"{prefix}{key.lower()}"] = value
