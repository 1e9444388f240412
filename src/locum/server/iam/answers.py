"""What the IAM handlers share: pages, tags, times, new identifiers, and the texts of common errors."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol, TypeVar

import msgspec

from locum import arn
from locum.api.iam import types
from locum.core.limits import LIMITS
from locum.core.records import Role, User
from locum.errors import InvalidInputException, LimitExceededException, ValidationError
from locum.server.handlers import Call
from locum.server.pages import NotAMark, paged
from locum.store.records import Stored

__all__ = [
    "Page",
    "boundary_of",
    "change",
    "merged_tags",
    "moment",
    "new_id",
    "page",
    "tags_of",
    "without_tags",
]

_PAGE: Final = 100
_ID_BYTES: Final = 11
_DUPLICATE_FOLDED: Final = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
_DUPLICATE_EXACT: Final = "Duplicate tag keys found."
_RESERVED: Final = "aws: prefixed tag key names are not allowed for external use."


def moment(seconds: int) -> datetime.datetime:
    """Epoch seconds as the aware time that answers carry."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def new_id(call: Call[Any], prefix: str) -> str:
    """A unique id that was never used before (IAM-GEN-011)."""
    return arn.unique_id(prefix, call.random(_ID_BYTES))


def boundary_of(holder: User | Role) -> types.AttachedPermissionsBoundary | None:
    """A holder's permissions boundary as answers show it (IAM-USR-008)."""
    if holder.boundary is None:
        return None
    return types.AttachedPermissionsBoundary(
        permissions_boundary_type="Policy", permissions_boundary_arn=holder.boundary
    )


def tags_of(tags: dict[str, str]) -> tuple[types.Tag, ...]:
    """Stored tags as answers show them."""
    return tuple(types.Tag(key=key, value=value) for key, value in tags.items())


def merged_tags(old: dict[str, str], new: Iterable[types.Tag], *, folded: bool) -> dict[str, str]:
    """``old`` with ``new`` put over it.

    ``folded``: keys are compared without regard to case, as for users and roles (IAM-GEN-061).  InvalidInput for a key
    twice in ``new`` (IAM-GEN-062), LimitExceeded beyond 50 tags, which no account can change (IAM-GEN-063).
    """
    fold: Callable[[str], str] = str.lower if folded else str
    given: dict[str, types.Tag] = {}
    for tag in new:
        if tag.key.lower().startswith("aws:"):
            raise InvalidInputException(_RESERVED)
        if fold(tag.key) in given:
            raise InvalidInputException(_DUPLICATE_FOLDED if folded else _DUPLICATE_EXACT)
        given[fold(tag.key)] = tag
    merged = {key: value for key, value in old.items() if fold(key) not in given}
    merged |= {tag.key: tag.value for tag in given.values()}
    if len(merged) > LIMITS["TagsPerEntity"].maximum:
        raise LimitExceededException("The number of tags has reached the maximum limit.")
    return merged


def without_tags(old: dict[str, str], keys: Iterable[str], *, folded: bool) -> dict[str, str]:
    """``old`` less the tags named by ``keys``; unknown keys do no harm (IAM-GEN-064)."""
    fold: Callable[[str], str] = str.lower if folded else str
    removed = {fold(key) for key in keys}
    return {key: value for key, value in old.items() if fold(key) not in removed}


def change(call: Call[Any], stored: Stored[Any], **changes: Any) -> types.Nothing:
    """Change members of a record, and answer nothing."""
    call.records.change(stored, **changes)
    return types.Nothing()


class _Paged(Protocol):
    @property
    def marker(self) -> str | None: ...
    @property
    def max_items(self) -> int | None: ...


Item = TypeVar("Item")


class Page(msgspec.Struct, frozen=True):
    """The members that every paged answer has (IAM-GEN-050)."""

    is_truncated: bool
    marker: str | None


def page(call: Call[Any], entries: Callable[[str], Iterable[tuple[str, Item]]]) -> tuple[tuple[Item, ...], Page]:
    """One page of a listing.

    ``entries`` gives (position, item) in ascending order of position, beginning after the one it is told.  A marker is
    sealed (R14) and good for the same operation, account and filters only; ValidationError ``Invalid Marker.`` for any
    other (IAM-GEN-051).
    """
    command: _Paged = call.command
    try:
        taken, marker = paged(call, entries, mark=command.marker, limit=getattr(command, "max_items", None) or _PAGE)
    except NotAMark:
        raise ValidationError("Invalid Marker.") from None
    return taken, Page(marker is not None, marker)
