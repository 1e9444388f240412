"""The base of all records: what a record of any kind tells the store of itself."""

from __future__ import annotations

from typing import ClassVar

import msgspec

__all__ = ["AccountRecord", "InstallationRecord", "NamedRecord", "Record"]


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Base of the records.  ``key`` is ``(account, kind, name)``; ``indexes`` are the reverse look-ups it answers."""

    kind: ClassVar[str]

    @property
    def key(self) -> tuple[str, str, str]:
        """Where the record lives; the account is empty for records of the whole installation."""
        raise TypeError(f"{type(self).__name__} has no key")

    @property
    def indexes(self) -> list[tuple[str, str]]:
        """Rows ``(index, value)`` under which the record is found."""
        return []

    @classmethod
    def folded(cls, name: str) -> str:
        """A name as it stands in the key of a record that belongs to an account: equal for names that are the same."""
        return name.lower()


class InstallationRecord(Record, frozen=True, kw_only=True):
    """A record of the whole installation, under its id."""

    id: str

    @property
    def key(self) -> tuple[str, str, str]:
        return "", self.kind, self.id


class AccountRecord(Record, frozen=True, kw_only=True):
    """A record of one account, under its id."""

    account: str
    id: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.account, self.kind, self.id


class NamedRecord(Record, frozen=True, kw_only=True):
    """A record of one account, under its name without regard to case (POL-LM-010)."""

    account: str
    name: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.account, self.kind, self.folded(self.name)
