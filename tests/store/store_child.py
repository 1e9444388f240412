"""A process with a store of its own, for tests that need another one: ``python store_child.py MODE URL``.

``obey`` takes a JSON line ``[account, kind, name, data or null, [[index, value], …]]`` for each change, makes it, and
answers with the revision.  ``write`` commits numbered records for ever and writes each number once it is committed.
``die`` announces a revision and is killed before the commit.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from locum.store import Key, Store, open_store
from locum.store.sql import SQLStore

COUNTER = Key("1", "counter", "last")


def obey(store: Store) -> None:
    for line in sys.stdin:
        account, kind, name, data, pairs = json.loads(line)
        with store.transaction() as transaction:
            if data is None:
                transaction.delete(Key(account, kind, name))
            else:
                transaction.put(Key(account, kind, name), data.encode(), expect=None, indexes=map(tuple, pairs))
        sys.stdout.write(f"{store.revision}\n")
        sys.stdout.flush()


def write(store: Store) -> None:
    while True:
        with store.transaction() as transaction:
            row = transaction.get(COUNTER)
            number, version = (int(row.data) + 1, row.version) if row is not None else (1, 0)
            transaction.put(COUNTER, b"%d" % number, expect=version)
            record = Key("1", "record", f"{number:08d}")
            transaction.put(record, b"%d " % number * 1_000, expect=0, indexes=[("parity", str(number % 2))])
        os.write(1, b"%d\n" % number)


def die(store: Store) -> None:
    assert isinstance(store, SQLStore)
    database = store.database
    announce = database.announce

    def announce_and_die(revision: int) -> None:
        announce(revision)
        os.kill(os.getpid(), signal.SIGKILL)

    database.announce = announce_and_die  # type: ignore[method-assign]
    with store.transaction() as transaction:
        transaction.put(COUNTER, b"never", expect=None)


if __name__ == "__main__":
    {"obey": obey, "write": write, "die": die}[sys.argv[1]](open_store(sys.argv[2]))
