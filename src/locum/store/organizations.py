"""Reading an organization's records: what stands above a place, and what is under an index, in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from locum.core.organization import MAX_UNIT_DEPTH
from locum.core.organization_records import Organization, OrgUnit
from locum.core.records import Record
from locum.store import Key
from locum.store.records import Records, Stored

__all__ = ["each_found", "units_above"]

RecordType = TypeVar("RecordType", bound=Record)


def units_above(records: Records, organization: Organization, parent: str) -> list[OrgUnit]:
    """The units from an organization's root down to ``parent``, that one included; none where it is the root.

    LookupError where they do not lead to the root: then nothing about what is under them can be decided (R28).
    """
    units: list[OrgUnit] = []
    while parent != organization.root:
        stored = records.get(OrgUnit, "", parent)
        if stored is None or stored.record.organization != organization.id or len(units) == MAX_UNIT_DEPTH:
            raise LookupError("the organizational units do not lead to the root")
        units.insert(0, stored.record)
        parent = stored.record.parent
    return units


def each_found(
    records: Records, kind: type[RecordType], index: str, value: str, *, after: str = ""
) -> Iterator[Stored[RecordType]]:
    """Every record of a kind, of no account, that answers an index look-up, by name, beginning after one."""
    last = Key("", kind.kind, after) if after else None
    while keys := records.found(index, value, after=last, limit=200):
        for key in keys:
            stored = records.get(kind, "", key.name) if key.kind == kind.kind else None
            if stored is not None:
                yield stored
        last = keys[-1]
