"""What the handlers of Organizations share: ids, ARNs, shapes of answers, pages, tags."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from locum.api.organizations import types
from locum.core.limits import LIMITS
from locum.core.organization import org_path
from locum.core.organization_records import Organization, OrgPolicy, OrgUnit
from locum.core.records import Account
from locum.organization_errors import ConstraintViolationException, InvalidInputException
from locum.secret import Secret
from locum.server.handlers import Call
from locum.server.pages import NotAMark, paged
from locum.store.organizations import units_above

__all__ = [
    "ROOT_NAME",
    "account_details",
    "account_shown",
    "address_of",
    "arn_in",
    "merged_tags",
    "moment",
    "new_id",
    "page",
    "policy_arn",
    "root_shown",
    "summary_of",
    "tags_of",
    "unit_shown",
]

_PAGE: Final = 20
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
ROOT_NAME: Final = "Root"

Item = TypeVar("Item")


def moment(seconds: int) -> datetime.datetime:
    """Epoch seconds as the aware time that answers carry."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def new_id(call: Call[Any], prefix: str, size: int) -> str:
    """An id: ``prefix`` and so many lower-case letters and digits (ORG-GEN-003)."""
    number = int.from_bytes(call.random(size), "big")
    drawn = []
    for _ in range(size):
        number, digit = divmod(number, len(_LETTERS))
        drawn.append(_LETTERS[digit])
    return prefix + "".join(drawn)


def arn_in(partition: str, organization: Organization, kind: str, *ids: str) -> str:
    """The ARN of something in an organization; it bears the management account (POL-RS-020)."""
    path = "/".join((kind, organization.id, *ids))
    return f"arn:{partition}:organizations::{organization.management}:{path}"


def policy_arn(partition: str, organization: Organization, policy: OrgPolicy) -> str:
    """The ARN of a policy, AWS's own or the organization's."""
    if policy.organization != organization.id:
        return f"arn:{partition}:organizations::{policy.organization}:policy/{policy.type.lower()}/{policy.id}"
    return arn_in(partition, organization, "policy", policy.type.lower(), policy.id)


def root_shown(call: Call[Any], organization: Organization) -> types.Root:
    """The root with the policy types that are enabled (ORG-010)."""
    return types.Root(
        id=organization.root,
        arn=arn_in(call.partition, organization, "root", organization.root),
        name=ROOT_NAME,
        policy_types=tuple(
            types.PolicyTypeSummary(type=each, status="ENABLED") for each in sorted(organization.policy_types)
        ),
    )


def address_of(account: Account) -> Secret:
    """An account's address; clients take it that each has one, so one that nobody gave stands for what is not there."""
    return Secret(account.email or f"{account.id}@locum.invalid")


def account_details(call: Call[Any], organization: Organization, account: Account) -> dict[str, Any]:
    """The members that every shape of an account has (ORG-GEN-004)."""
    return {
        "id": account.id,
        "arn": arn_in(call.partition, organization, "account", account.id),
        "email": address_of(account),
        "name": Secret(account.name),
        "status": "SUSPENDED" if account.closed else "ACTIVE",
        "state": "CLOSED" if account.closed else "ACTIVE",
        "joined_method": "INVITED" if account.invited else "CREATED",
        "joined_timestamp": moment(account.joined),
    }


def account_shown(call: Call[Any], organization: Organization, account: Account) -> types.Account:
    """An account with the path to it."""
    above = org_path(organization, units_above(call.records, organization, account.parent))
    return types.Account(**account_details(call, organization, account), paths=(f"{above}{account.id}/",))


def unit_shown(call: Call[Any], organization: Organization, unit: OrgUnit) -> types.OrganizationalUnit:
    """A unit with its path."""
    return types.OrganizationalUnit(
        id=unit.id,
        arn=arn_in(call.partition, organization, "ou", unit.id),
        name=unit.name,
        path=org_path(organization, [*units_above(call.records, organization, unit.parent), unit]),
    )


def summary_of(call: Call[Any], organization: Organization, policy: OrgPolicy) -> types.PolicySummary:
    """A policy without its document."""
    return types.PolicySummary(
        id=policy.id,
        arn=policy_arn(call.partition, organization, policy),
        name=policy.name,
        description=policy.description,
        type=policy.type,
        aws_managed=policy.organization != organization.id,
    )


def page(call: Call[Any], entries: Callable[[str], Iterable[tuple[str, Item]]]) -> tuple[tuple[Item, ...], str | None]:
    """One page of a listing, and the token of the next one (ORG-GEN-002).

    ``entries`` is as :func:`~locum.server.pages.paged` wants it; InvalidInput for a token that is none of the listing.
    """
    limit = getattr(call.command, "max_results", None) or _PAGE
    try:
        return paged(call, entries, mark=call.command.next_token, limit=limit)
    except NotAMark:
        raise InvalidInputException(
            "You specified an invalid value for nextToken. "
            "You must get the value from the response to a previous call to the API.",
            reason="INVALID_NEXT_TOKEN",
        ) from None


def tags_of(tags: dict[str, str]) -> tuple[types.Tag, ...]:
    """Stored tags as answers show them."""
    return tuple(types.Tag(key=key, value=value) for key, value in tags.items())


def merged_tags(old: dict[str, str], new: Iterable[types.Tag]) -> dict[str, str]:
    """``old`` with ``new`` put over it; keys are case-sensitive.

    InvalidInput for a key twice in ``new`` and for one of AWS's, ConstraintViolation beyond 50 (POL-LM-011).
    """
    given: dict[str, str] = {}
    for tag in new:
        if tag.key.lower().startswith("aws:"):
            raise InvalidInputException(
                "aws: prefixed tag key names are not allowed for external use.", reason="INVALID_SYSTEM_TAGS_PARAMETER"
            )
        if tag.key in given:
            raise InvalidInputException("Your request includes duplicate tag keys.", reason="DUPLICATE_TAG_KEY")
        given[tag.key] = tag.value
    merged = old | given
    if len(merged) > LIMITS["TagsPerEntity"].maximum:
        raise ConstraintViolationException(
            "The number of tags has reached the maximum limit.", reason="MAX_TAG_LIMIT_EXCEEDED"
        )
    return merged
