"""The key ring in the store: load, rotate, retire, list.

Ring keys are records of the whole installation; their secrets are sealed for rest (R44), bound to the key's id.
A retired key keeps its record, so that its id is never given out again, but not its secret.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from locum.core.records import RingKey
from locum.core.sealing import KEY_SIZE, NONCE_SIZE, CannotOpen, Vault
from locum.core.token import KeyRing, open_ring
from locum.server.config import Problem, Refused
from locum.store import Snapshot, Transaction
from locum.store.records import Records, Stored

__all__ = ["RingEntry", "RingError", "create_ring_key", "list_keys", "load_ring", "retire", "rotate"]


class RingError(Refused):
    """The ring cannot be used or changed as asked."""


class RingEntry(NamedTuple):
    """One key as ``locum keys list`` shows it: ``state`` is ``sealing``, ``opening`` or ``retired``."""

    id: str
    created: int
    state: str


def load_ring(rows: Snapshot, vault: Vault) -> KeyRing:
    """The ring of every key that is not retired.

    RingError where there is none, a record is damaged, or the wrapping key is another one.
    """
    keys = [each.record for each in _stored(rows) if each.record.active]
    if not keys:
        raise _refused("the key ring is empty", "run `locum keys rotate` to make a key")
    try:
        return open_ring(keys, vault)
    except CannotOpen as why:
        raise _refused(str(why), "start with the wrapping key that this data directory was made with") from None
    except ValueError as why:
        raise _refused(f"the key ring is damaged: {why}", "restore the database from a backup") from None


def create_ring_key(rows: Transaction, vault: Vault, now: int, random: Callable[[int], bytes]) -> RingKey:
    """Add a key, which seals from now on; ``random(n)`` gives n random bytes, ``now`` is in epoch seconds.

    A key made in the same second as the newest, or after the clock went back, is dated a second after it.
    store.Conflict where the random id is taken.
    """
    newest = max((each.record.created for each in _stored(rows)), default=now - 1)
    id = random(4).hex()
    sealed = vault.wrap(random(KEY_SIZE), purpose=RingKey.kind, name=id, nonce=random(NONCE_SIZE))
    key = RingKey(id=id, created=max(now, newest + 1), secret=sealed)
    Records(rows).create(key)
    return key


def rotate(rows: Transaction, vault: Vault, now: int, random: Callable[[int], bytes]) -> RingKey:
    """Add the key that seals from now on; the others go on opening what they sealed, until they are retired (R13).

    The present ring is opened first, so that a wrong wrapping key cannot add a key that the others do not go with.
    """
    if any(each.record.active for each in _stored(rows)):
        load_ring(rows, vault)
    return create_ring_key(rows, vault, now, random)


def retire(rows: Transaction, id: str) -> None:
    """Delete the secret of a key: no token that it sealed opens any more, whatever its expiry (R13).

    RingError where there is no such key, it is retired already, or it is the last one that is not.
    """
    keys = _stored(rows)
    found = next((each for each in keys if each.record.id == id), None)
    if found is None:
        raise _refused(f"there is no ring key {id!r}", "`locum keys list` shows the ids")
    if not found.record.active:
        raise _refused(f"the ring key {id!r} is retired already", "`locum keys list` shows the states")
    if sum(each.record.active for each in keys) == 1:
        raise _refused(
            f"the ring key {id!r} is the last one that is not retired",
            "run `locum keys rotate` first, so that there is a key to seal with",
        )
    Records(rows).change(found, active=False, secret=b"")


def list_keys(rows: Snapshot) -> list[RingEntry]:
    """Every key that the ring ever had, oldest first; needs no wrapping key."""
    keys = sorted((each.record for each in _stored(rows)), key=lambda each: (each.created, each.id))
    sealing = max((each for each in keys if each.active), key=lambda each: (each.created, each.id), default=None)
    return [
        RingEntry(each.id, each.created, "sealing" if each is sealing else "opening" if each.active else "retired")
        for each in keys
    ]


def _refused(text: str, hint: str) -> RingError:
    return RingError(Problem(text, hint))


def _stored(rows: Snapshot) -> list[Stored[RingKey]]:
    try:
        return list(Records(rows).each(RingKey, ""))
    except msgspec.DecodeError:
        raise _refused("a record of the key ring is damaged", "restore the database from a backup") from None
