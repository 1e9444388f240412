"""Typed access to the records of one snapshot or transaction.

The store moves bytes; here they are users, roles, policies and keys.  Every write names the version that it replaces,
so that nothing is overwritten that the request has not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast

import msgspec

from locum.arn import Arn, is_account_id
from locum.core.aws_policies import AWS_ACCOUNT, aws_policy
from locum.core.records import (
    KINDS,
    Group,
    ManagedPolicy,
    OidcProvider,
    Record,
    Role,
    SamlProvider,
    User,
    decode,
    encode,
)
from locum.store import PAGE, Key, Row, Transaction

__all__ = ["Records", "Rows", "Stored"]

RecordType = TypeVar("RecordType", bound=Record)
ProviderType = TypeVar("ProviderType", OidcProvider, SamlProvider)

_LONGEST_PROVIDER = 255
"""Characters of the longest URL of an OIDC provider; names of SAML providers are shorter (IAM-OID-001, IAM-SML-002)."""
_FIRST_READ, _LARGEST_READ = 64, 512
"""Rows that a walk over all records reads at first, and at most, at a time."""


class Rows(Protocol):
    """What records are read from: a snapshot, a transaction, or the reader of a fact."""

    def get(self, key: Key) -> Row | None:
        """As :meth:`locum.store.Snapshot.get`."""

    def list(self, account: str, kind: str, *, after: str = "", prefix: str = "", limit: int) -> Sequence[Row]:
        """As :meth:`locum.store.Snapshot.list`."""

    def find(self, index: str, value: str, *, after: Key | None = None, limit: int = PAGE) -> Sequence[Key]:
        """As :meth:`locum.store.Snapshot.find`."""

    def count(self, account: str, kind: str) -> int:
        """As :meth:`locum.store.Snapshot.count`."""


class Stored(NamedTuple, Generic[RecordType]):
    """A record and the version under which it was read."""

    record: RecordType
    version: int


class Records:
    """The records of one consistent read or of one transaction."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def get(self, kind: type[RecordType], account: str, name: str) -> Stored[RecordType] | None:
        """A record by name, without regard to case for the kinds whose names are unique so (POL-LM-010)."""
        folded = kind.folded(name) if account else name
        return self._stored(kind, self._rows.get(Key(account, kind.kind, folded)))

    def page(
        self, kind: type[RecordType], account: str, *, after: str = "", prefix: str = "", limit: int = 100
    ) -> list[Stored[RecordType]]:
        """At most ``limit`` records of an account in ascending order of their folded names, beginning after one.

        Only those whose folded names begin with ``prefix``.
        """
        rows = self._rows.list(account, kind.kind, after=after, prefix=prefix, limit=limit)
        return [Stored(decode(row.data, kind), row.version) for row in rows]

    def each(
        self, kind: type[RecordType], account: str, *, after: str = "", prefix: str = ""
    ) -> Iterator[Stored[RecordType]]:
        """Every record of a kind in an account after a folded name, ascending.

        They are read in growing pieces and decoded one by one: who needs a few does not pay for the many behind them.
        """
        size = _FIRST_READ
        while rows := self._rows.list(account, kind.kind, after=after, prefix=prefix, limit=size):
            for row in rows:
                yield Stored(decode(row.data, kind), row.version)
            after = rows[-1].key.name
            size = min(2 * size, _LARGEST_READ)

    def by_id(self, unique_id: str) -> Stored[User] | Stored[Role] | None:
        """The user or role with a unique id."""
        for key in self._rows.find("id", unique_id, limit=1):
            row = self._rows.get(key)
            if key.kind in (User.kind, Role.kind):
                return self._stored(User, row) if key.kind == User.kind else self._stored(Role, row)
        return None

    def group(self, unique_id: str) -> Stored[Group] | None:
        """The group with a unique id, which is no principal and so none of :meth:`by_id` (POL-GR-031)."""
        for key in self._rows.find("id", unique_id, limit=1):
            if key.kind == Group.kind:
                return self._stored(Group, self._rows.get(key))
        return None

    def managed_policy(self, policy_arn: str, account: str, partition: str) -> Stored[ManagedPolicy] | None:
        """The account's or AWS's managed policy under exactly this ARN, path and case included (POL-XA-008)."""
        try:
            parsed = Arn.parse(policy_arn)
        except ValueError:
            return None
        _, name = parsed.path_and_name
        stored: Stored[ManagedPolicy] | None = None
        if parsed.account == AWS_ACCOUNT:
            policy = aws_policy(name, partition)
            stored = None if policy is None else Stored(policy, 0)
        elif parsed.account == account and name and parsed.kind == ManagedPolicy.kind:
            stored = self.get(ManagedPolicy, account, name)
        return stored if stored is not None and stored.record.arn(partition) == policy_arn else None

    def provider(self, kind: type[ProviderType], provider_arn: str, partition: str) -> Stored[ProviderType] | None:
        """The identity provider of any account under exactly this ARN, case included (STS-WI-006)."""
        try:
            parsed = Arn.parse(provider_arn)
        except ValueError:
            return None
        _, _, name = parsed.resource.partition("/")
        if parsed.kind != kind.kind or not is_account_id(parsed.account) or not 0 < len(name) <= _LONGEST_PROVIDER:
            return None
        stored = self.get(kind, parsed.account, name)
        return stored if stored is not None and stored.record.arn(partition) == provider_arn else None

    def found(self, index: str, value: str, *, after: Key | None = None, limit: int = PAGE) -> Sequence[Key]:
        """The keys of the records that answer an index look-up, in ascending order."""
        return self._rows.find(index, value, after=after, limit=limit)

    def read(self, key: Key) -> Stored[Record] | None:
        """The record under a key that an index look-up gave."""
        row = self._rows.get(key)
        return None if row is None else Stored(decode(row.data, KINDS[key.kind]), row.version)

    def count(self, kind: type[Record], account: str) -> int:
        """How many records of a kind an account has."""
        return self._rows.count(account, kind.kind)

    def create(self, record: Record) -> None:
        """Write a new record; store.Conflict where its name is taken."""
        self._put(record, 0)

    def replace(self, stored: Stored[RecordType], record: RecordType) -> None:
        """Write a record in place of the one that was read, under a new name too; store.Conflict where it changed.

        Nothing is written where the two are the same.
        """
        if stored.record == record:
            return
        if stored.record.key == record.key:
            self._put(record, stored.version)
        else:
            self.delete(stored)
            self._put(record, 0)

    def change(self, stored: Stored[RecordType], **changes: Any) -> RecordType:
        """Replace what was read by the same with other values of some members, and return that."""
        changed = msgspec.structs.replace(stored.record, **changes)
        self.replace(stored, changed)
        return changed

    def delete(self, stored: Stored[RecordType]) -> None:
        """Remove the record that was read; store.Conflict where it changed."""
        self._transaction().delete(Key(*stored.record.key), expect=stored.version)

    def _put(self, record: Record, expect: int) -> None:
        self._transaction().put(Key(*record.key), encode(record), expect=expect, indexes=record.indexes)

    def _transaction(self) -> Transaction:
        if not hasattr(self._rows, "put"):
            raise TypeError("this read changes nothing: the operation must be declared as one that writes")
        return cast("Transaction", self._rows)

    @staticmethod
    def _stored(kind: type[RecordType], row: Row | None) -> Stored[RecordType] | None:
        return None if row is None else Stored(decode(row.data, kind), row.version)
