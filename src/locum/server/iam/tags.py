"""The tags of whatever IAM keeps: putting, removing and listing them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Final

from locum.api.iam import types
from locum.core.limits import LIMITS
from locum.core.records import Role, User
from locum.errors import InvalidInputException, LimitExceededException
from locum.server.handlers import Call
from locum.server.iam.answers import Page, change, page
from locum.server.pages import whole
from locum.store.records import Stored

__all__ = ["list_tags", "merged_tags", "tag", "tags_of", "untag", "without_tags"]

_DUPLICATE_FOLDED: Final = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
_DUPLICATE_EXACT: Final = "Duplicate tag keys found."
_NONE: Final = "Error occurred while validating input. "
_RESERVED: Final = "Tag keys beginning with aws: are reserved for system use."
_POSITION_BYTES: Final = 128


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


def _folds(stored: Stored[Any]) -> bool:
    """Whether the keys of an entity's tags are compared without regard to case (IAM-GEN-061)."""
    return isinstance(stored.record, User | Role)


def tag(call: Call[Any], stored: Stored[Any]) -> types.Nothing:
    """Put the call's tags over those that an entity has; InvalidInput where there are none."""
    if not call.command.tags:
        raise InvalidInputException(_NONE)
    return change(call, stored, tags=merged_tags(stored.record.tags, call.command.tags, folded=_folds(stored)))


def untag(call: Call[Any], stored: Stored[Any]) -> types.Nothing:
    """Remove the tags that the call names from an entity; InvalidInput where it names none."""
    if not call.command.tag_keys:
        raise InvalidInputException(_NONE)
    return change(call, stored, tags=without_tags(stored.record.tags, call.command.tag_keys, folded=_folds(stored)))


def list_tags(
    call: Call[Any], tags: dict[str, str], *, shorter_first: bool = False
) -> tuple[tuple[types.Tag, ...], Page]:
    """The tags of an entity in ascending order of their keys, or of their keys' lengths before that."""

    def position(key: str) -> str:
        return f"{len(key):03} {_position(key)}" if shorter_first else _position(key)

    return page(call, whole((position(tag.key), tag) for tag in tags_of(tags)))


def _position(key: str) -> str:
    """Where a tag stands in a listing: short enough for a marker of 320 characters (IAM-GEN-050)."""
    raw = key.encode()
    return key if len(raw) <= _POSITION_BYTES else f"{key[:24]}{hashlib.sha256(raw).hexdigest()[:16]}"
