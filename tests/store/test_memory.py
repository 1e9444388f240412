"""The memory engine passes the suite of every engine."""

from __future__ import annotations

import pytest

from locum.store import Key, StoreError, memory, open_store
from locum.store.memory import MemoryStore
from locum.testing import StoreConformance


class TestMemory(StoreConformance):
    @pytest.fixture
    def store_url(self) -> str:
        return "memory:"


@pytest.mark.parametrize("waiting", [0, 1_000])
def test_states_that_no_snapshot_can_see_are_dropped(waiting: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_DEAD", waiting)
    store = MemoryStore()
    key = Key("1", "role", "a")
    with store.snapshot() as snapshot:
        for number in range(5):
            with store.transaction() as transaction:
                transaction.put(key, b"", expect=None, indexes=[("uses", "replaced at once")])
                transaction.put(key, b"%d" % number, expect=None, indexes=[("uses", str(number))])
        with store.transaction() as transaction:
            transaction.put(Key("1", "role", "b"), b"", expect=0)
            transaction.delete(Key("1", "role", "b"))
            transaction.delete(key)
        assert snapshot.get(key) is None
        assert len(store.chains[key]) == 6
    with store.transaction() as transaction:
        transaction.put(Key("1", "user", "c"), b"", expect=0)
    assert [*store.chains] == [Key("1", "user", "c")]
    assert len(store.chains[Key("1", "user", "c")]) == 1


def test_the_memory_engine_takes_no_address() -> None:
    with pytest.raises(StoreError, match="memory:"):
        open_store("memory:///tmp/x")
