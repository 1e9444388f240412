"""Internet addresses and ranges as condition values write them.

The grammar is the one that AWS's recorded answers show (POL-CO-050…054).  The parts of an IPv4 address may have
leading zeros and are decimal.  Of an IPv6 address an empty group counts as zero and empty groups at the end count for
nothing; dotted endings are read in ``::ffff:192.0.2.1`` alone, and only of a request.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple

__all__ = ["Range", "parse_address", "parse_range", "parse_range_loosely"]

_DOTTED: Final = re.compile(r"([0-9]{1,5})\.([0-9]{1,5})\.([0-9]{1,5})\.([0-9]{1,5})\Z")
_PREFIX: Final = re.compile(r"\+?[0-9]{1,5}\Z")
_GROUP: Final = re.compile(r"[0-9A-Fa-f]{0,4}\Z")
_GROUPS: Final = 8
_LONGEST: Final = 64
"""Characters of the longest text that is looked at."""


class Range(NamedTuple):
    """The addresses of one family from the first to the last; ``version`` is 4 or 6."""

    version: int
    first: int
    last: int


def parse_address(text: str) -> tuple[int, int] | None:
    """The version and the number of a request's address, an IPv4-mapped one as IPv4; None for what is no address."""
    if len(text) > _LONGEST:
        return None
    address = _dotted(text)
    if address is not None:
        return 4, address
    if text[:7].lower() == "::ffff:" and (address := _dotted(text[7:])) is not None:
        return 4, address
    address = _grouped(text)
    if address is None:
        return None
    return (4, address & 0xFFFFFFFF) if address >> 32 == 0xFFFF else (6, address)


def parse_range(text: str) -> Range | None:
    """A policy's address or range: host bits count for nothing in IPv4 and make an IPv6 range none (POL-CO-054)."""
    written, slash, prefix = text.partition("/")
    if len(text) > _LONGEST or (slash and not _PREFIX.match(prefix)):
        return None
    for version, bits, address in ((4, 32, _dotted(written)), (6, 128, _grouped(written))):
        if address is None:
            continue
        free = bits - int(prefix) if slash else 0
        if free < 0:
            return None
        first = address >> free << free
        if version == 6 and first != address:
            return None
        return Range(version, first, first + (1 << free) - 1)
    return None


def parse_range_loosely(text: str) -> Range | None:
    """A range that :func:`parse_range` does not take and that earlier versions stored: what it was meant to hold."""
    if "%" in text:
        return None
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return Range(network.version, int(network.network_address), int(network.broadcast_address))


def _dotted(text: str) -> int | None:
    found = _DOTTED.match(text)
    if found is None:
        return None
    address = 0
    for part in map(int, found.groups()):
        if part > 255:
            return None
        address = address << 8 | part
    return address


def _grouped(text: str) -> int | None:
    head, gap, tail = text.partition("::")
    if "::" in tail:
        return None
    left, right = _groups_of(head), _groups_of(tail)
    if left is None or right is None:
        return None
    missing = _GROUPS - len(left) - len(right)
    if missing < 0 or bool(missing) is not bool(gap):
        return None
    address = 0
    for group in (*left, *(0 for _ in range(missing)), *right):
        address = address << 16 | group
    return address


def _groups_of(text: str) -> list[int] | None:
    groups = text.rstrip(":").split(":") if text.rstrip(":") else []
    if not all(map(_GROUP.match, groups)):
        return None
    return [int(group or "0", 16) for group in groups]
