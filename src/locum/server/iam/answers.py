"""What the IAM handlers share: pages, times, new identifiers, and what changes a record."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol, TypeVar

import msgspec

from locum import arn
from locum.api.iam import types
from locum.core.records import Role, User
from locum.errors import ServiceException, ValidationError
from locum.server.handlers import Call
from locum.server.pages import NotAMark, paged
from locum.store.records import Stored

__all__ = [
    "Page",
    "boundary_of",
    "change",
    "moment",
    "new_id",
    "page",
]

_PAGE: Final = 100
_ID_BYTES: Final = 11


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


def _invalid(mark: NotAMark) -> ServiceException:
    return ValidationError("Invalid Marker.")


def page(
    call: Call[Any],
    entries: Callable[[str], Iterable[tuple[str, Item]]],
    *,
    limit: int = _PAGE,
    filters: object = None,
    refused: Callable[[NotAMark], ServiceException] = _invalid,
) -> tuple[tuple[Item, ...], Page]:
    """One page of a listing, of ``limit`` entries unless the call says how many.

    ``entries`` gives (position, item) in ascending order of position, beginning after the one it is told.  A marker is
    sealed (R14) and good for the same operation, account and ``filters`` (every parameter but those of paging) only;
    for any other the error that ``refused`` makes, ValidationError ``Invalid Marker.`` (IAM-GEN-051).
    """
    command: _Paged = call.command
    try:
        size = getattr(command, "max_items", None) or limit
        taken, marker = paged(call, entries, mark=command.marker, limit=size, filters=filters)
    except NotAMark as mark:
        raise refused(mark) from None
    return taken, Page(marker is not None, marker)
