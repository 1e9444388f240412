"""Changes of a record that was read: written once, and not at all where nothing is different."""

from __future__ import annotations

from typing import Any

import pytest

from locum.core.records import User
from locum.store import Conflict
from locum.store.memory import MemoryStore
from locum.store.records import Records

ALICE = User(account="111122223333", id="AIDA0000000000000000", name="alice", created=0)


@pytest.mark.parametrize(
    ("changes", "written"),
    [({"path": "/x/"}, True), ({"name": "bob"}, True), ({"path": "/"}, False), ({}, False)],
    ids=["a member", "the name", "the same value", "nothing"],
)
def test_what_changes_nothing_is_not_written(changes: dict[str, Any], written: bool) -> None:
    with MemoryStore().transaction() as rows:
        records = Records(rows)
        records.create(ALICE)
        stored = records.get(User, ALICE.account, "alice")
        assert stored is not None
        changed = records.change(stored, **changes)
        now = records.get(User, ALICE.account, changed.name)
        assert now is not None
        assert now.record == changed
        assert (now.version != stored.version) is written
        if written:
            with pytest.raises(Conflict):
                records.change(stored, path="/y/")
