"""Delegation: what a request asks for, how far it is, and the session that comes of it.

The states and their lifetimes are AWS's (IAM-SHD-004); how the template is filled in, what the token is and whose
session it buys are ours, since AWS's are for its partners alone (docs/delegation.md).
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from locum.core.delegation_records import DelegationRequest, Grant
from locum.core.issue import lineage, session_keys
from locum.core.records import Role, User
from locum.core.session import Caller, CallerKind, Session, SessionKind
from locum.errors import AccessDenied

__all__ = [
    "ACCEPTED",
    "ASSIGNED",
    "EXPIRED",
    "FINALIZED",
    "MAXIMUM_POLICY",
    "MAXIMUM_TEXTS",
    "PENDING",
    "REJECTED",
    "UNASSIGNED",
    "TradeIn",
    "ends",
    "expires",
    "filled",
    "grant_of",
    "may_see",
    "session_of",
    "state_at",
]

UNASSIGNED: Final = "UNASSIGNED"
ASSIGNED: Final = "ASSIGNED"
PENDING: Final = "PENDING_APPROVAL"
ACCEPTED: Final = "ACCEPTED"
FINALIZED: Final = "FINALIZED"
REJECTED: Final = "REJECTED"
EXPIRED: Final = "EXPIRED"

MAXIMUM_POLICY: Final = 4_096
"""Characters of a filled template: with a session's other claims it fits into a token."""

MAXIMUM_TEXTS: Final = 1_000
"""Texts that one text of a template can become."""

_DAY: Final = 86_400
_PLACEHOLDER: Final = re.compile(r"@\{([^{}]{1,256})\}")
_DELEGATES: Final = frozenset({CallerKind.USER, CallerKind.USER_SESSION, CallerKind.ROLE_SESSION})


class TradeIn(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a trade-in token holds, in this order; new members go to the end.  Everything else is read live."""

    request: str
    requestor: str
    finalized: int


def expires(request: DelegationRequest) -> int:
    """When a request is over if nothing happens: a day after it was made while nobody owns it, else in seven days."""
    return request.updated + (_DAY if request.state == UNASSIGNED else 7 * _DAY)


def state_at(request: DelegationRequest, now: float) -> str:
    """The state of a request at a time in epoch seconds."""
    return EXPIRED if now >= expires(request) else request.state


def ends(request: DelegationRequest) -> int:
    """When what a finalized request delegates is over: its time runs from when the token was sent."""
    return request.updated + request.duration


def may_see(request: DelegationRequest, account: str) -> bool:
    """Whether callers of an account may know of a request: its own, one for it, or one for nobody yet."""
    return account in (request.requestor, request.owner_account) or not request.owner_account


def filled(template: str, parameters: Mapping[str, str | tuple[str, ...]]) -> str:
    """A policy with its placeholders ``@{name}`` replaced; a text with a list's becomes one text for each element.

    ValueError, in a sentence, for a placeholder without a parameter, a parameter without a placeholder, and more than
    :data:`MAXIMUM_TEXTS` texts out of one.
    """
    used: set[str] = set()

    def put(text: str) -> str | list[str]:
        names = list(dict.fromkeys(_PLACEHOLDER.findall(text)))
        for name in names:
            if name not in parameters:
                raise ValueError(f"The template needs the parameter {name}.")
        used.update(names)
        values = [parameters[name] for name in names]
        choices = [(each,) if isinstance(each, str) else each for each in values]
        if math.prod(map(len, choices)) > MAXIMUM_TEXTS:
            raise ValueError(f"The lists make more than {MAXIMUM_TEXTS} texts out of one of the template.")
        texts = []
        for chosen in itertools.product(*choices):
            given = dict(zip(names, chosen, strict=True))
            texts.append(_replaced(text, given))
        return texts[0] if all(isinstance(each, str) for each in values) else texts

    def walk(part: Any) -> Any:
        if isinstance(part, str):
            return put(part)
        if isinstance(part, dict):
            return {key: walk(each) for key, each in part.items()}
        if not isinstance(part, list):
            return part
        walked: list[Any] = []
        for each in part:
            found = walk(each)
            if isinstance(each, str) and isinstance(found, list):
                walked += found
            else:
                walked.append(found)
        return walked

    document = walk(msgspec.json.decode(template))
    if unused := sorted(set(parameters) - used):
        raise ValueError(f"The template has no place for the parameter {unused[0]}.")
    return msgspec.json.encode(document).decode()


def _replaced(text: str, given: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: given[match[1]], text)


def grant_of(caller: Caller, now: float) -> Grant:
    """The caller's own rights, to be delegated.

    AccessDenied for root, whose rights no policy could be told from, and for a session that session policies limit:
    the delegated session would be without them.
    """
    session = caller.session
    if caller.kind not in _DELEGATES:
        raise AccessDenied("Only users and roles can accept delegation requests.")
    if session is not None and (session.policy is not None or session.policy_arns):
        raise AccessDenied("Sessions with session policies cannot accept delegation requests.")
    granted = Grant(principal=caller.principal_id, arn=caller.principal_arn, granted=int(now), lineage=lineage(caller))
    if session is None:
        return granted
    return msgspec.structs.replace(
        granted,
        tags=session.tags,
        transitive_tags=session.transitive_tags,
        source_identity=session.source_identity,
        federation=session.federation,
    )


def session_of(
    request: DelegationRequest, grant: Grant, holder: User | Role, caller: Caller, now: float, random: bytes
) -> Session:
    """The session that a trade-in token buys: of the role that accepted, or a federated user of the user who did.

    Bounded by the request's policy, over when the delegated time is, and a role's not beyond the longest session that
    the role allows.  Revoking the sessions of either side reaches it by its lineage.
    """
    is_role = isinstance(holder, Role)
    issued = int(now)
    end = ends(request)
    if isinstance(holder, Role):
        end = min(end, issued + holder.max_session_duration)
    return Session(
        SessionKind.ROLE if is_role else SessionKind.FEDERATED,
        *session_keys(holder.account, random),
        holder.account,
        holder.id,
        f"delegated-{request.requestor}",
        issued,
        end,
        request.policy,
        tags=grant.tags,
        transitive_tags=grant.transitive_tags,
        source_identity=grant.source_identity,
        lineage=grant.lineage + lineage(caller),
        federation=grant.federation,
    )
