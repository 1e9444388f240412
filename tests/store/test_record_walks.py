"""Walks over all records of a kind: in order, whole, and no dearer than what is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import pytest

from locum.core.records import User
from locum.store import Key, Row
from locum.store.memory import MemoryStore
from locum.store.records import Records

ACCOUNT = "111122223333"
COUNT = 1_500


def name(number: int) -> str:
    return f"{'uU'[number % 2]}ser-{number:04d}"


class Counted:
    """A snapshot that counts the rows which are read from it."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows
        self.read: list[int] = []

    def list(self, *arguments: Any, **options: Any) -> Sequence[Row]:
        found: Sequence[Row] = self._rows.list(*arguments, **options)
        self.read.append(len(found))
        return found

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._rows, attribute)


@pytest.fixture(scope="module")
def store() -> Iterator[MemoryStore]:
    filled = MemoryStore()
    with filled.transaction() as rows:
        for number in range(COUNT):
            Records(rows).create(User(account=ACCOUNT, id=f"AIDA{number:016d}", name=name(number), created=0))
    yield filled
    filled.close()


@pytest.fixture
def rows(store: MemoryStore) -> Iterator[Counted]:
    with store.snapshot() as snapshot:
        yield Counted(snapshot)


def test_a_walk_meets_every_record_once_in_order(rows: Counted) -> None:
    met = [stored.record.name for stored in Records(rows).each(User, ACCOUNT)]
    assert met == [name(number) for number in range(COUNT)]
    assert max(rows.read) <= 512
    assert len(rows.read) < 10


@pytest.mark.parametrize("wanted", [1, 51, 101, 1_001])
def test_a_walk_that_ends_early_reads_little_more_than_it_gives(rows: Counted, wanted: int) -> None:
    taken = list(islice(Records(rows).each(User, ACCOUNT), wanted))
    assert len(taken) == wanted
    assert sum(rows.read) <= max(64, 2 * wanted)


@pytest.mark.parametrize("after", [0, 62, 63, 64, 700, COUNT - 2, COUNT - 1])
def test_a_walk_goes_on_after_a_name(rows: Counted, after: int) -> None:
    met = [stored.record.name for stored in Records(rows).each(User, ACCOUNT, after=name(after).lower())]
    assert met == [name(number) for number in range(after + 1, COUNT)]


def test_a_walk_keeps_to_its_prefix_and_its_account(store: MemoryStore, rows: Counted) -> None:
    met = [stored.record.name for stored in Records(rows).each(User, ACCOUNT, prefix="user-01")]
    assert met == [name(number) for number in range(100, 200)]
    assert list(Records(rows).each(User, "444455556666")) == []
    assert rows.get(Key(ACCOUNT, "user", "user-0000")) is not None
