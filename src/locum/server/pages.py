"""Pages of listings and the sealed marks between them, whatever the service calls them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import msgspec

from locum.core.token import Purpose, TokenNotIntact
from locum.server.handlers import Call

__all__ = ["NotAMark", "paged", "whole"]

_NONCE_BYTES: Final = 12
_PAGING: Final = frozenset({"marker", "max_items", "max_results", "next_token"})

Item = TypeVar("Item")


class NotAMark(ValueError):
    """What was given as the end of the last page is none of this listing.

    ``after`` is the position that it names in another listing, None where it was not sealed here.
    """

    def __init__(self, message: str, after: str | None = None) -> None:
        super().__init__(message)
        self.after = after


class _Mark(msgspec.Struct, frozen=True, array_like=True):
    scope: bytes
    after: str


def paged(
    call: Call[Any],
    entries: Callable[[str], Iterable[tuple[str, Item]]],
    *,
    mark: str | None,
    limit: int,
    filters: object = None,
) -> tuple[tuple[Item, ...], str | None]:
    """One page of a listing with at most ``limit`` items, and the mark of its end where more follow.

    ``entries`` gives (position, item) in ascending order of position, beginning after the one it is told.  A mark is
    sealed (R14) and good for the same operation, account and filters only; NotAMark for any other.  ``filters`` are
    the parameters that count, all but those of paging where they are not given.
    """
    scope = _scope(call, filters)
    after = "" if mark is None else _opened(call, mark, scope)
    taken: list[tuple[str, Item]] = []
    for entry in entries(after):
        if len(taken) == limit:
            end = msgspec.msgpack.encode(_Mark(scope, taken[-1][0]))
            sealed = call.ring.seal(Purpose.PAGINATION_MARKER, end, call.random(_NONCE_BYTES))
            return tuple(item for _, item in taken), sealed
        taken.append(entry)
    return tuple(item for _, item in taken), None


def whole(held: Iterable[tuple[str, Item]]) -> Callable[[str], Iterable[tuple[str, Item]]]:
    """What :func:`paged` takes, of entries that are all at hand, in whatever order."""
    ordered = sorted(held, key=lambda entry: entry[0])
    return lambda after: (entry for entry in ordered if entry[0] > after)


def _scope(call: Call[Any], filters: object) -> bytes:
    """What a mark is bound to: the operation, the account and the filters."""
    command = call.command
    if filters is None:
        members = {name: getattr(command, name) for name in command.__struct_fields__ if name not in _PAGING}
        filters = sorted(members.items())
    described = repr((command.operation.name, call.account, filters)).encode()
    return hashlib.sha256(described).digest()[:8]


def _opened(call: Call[Any], mark: str, scope: bytes) -> str:
    try:
        opened = msgspec.msgpack.decode(call.ring.open(Purpose.PAGINATION_MARKER, mark), type=_Mark)
    except (TokenNotIntact, msgspec.DecodeError):
        raise NotAMark("it was not sealed here") from None
    if opened.scope != scope:
        raise NotAMark("it is of another listing", opened.after)
    return opened.after
