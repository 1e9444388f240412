"""The keys of the accounts' issuers in the store: rotated, bounded, retired."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from locum.core.outbound import AHEAD, BEHIND, MAXIMUM_KEYS
from locum.core.records import OutboundIssuer
from locum.core.sealing import CannotOpen, Vault
from locum.server.signing_keys import IssuerKeyError, NewKey, add_keys, list_issuer_keys, new_keys, retire, rotate
from locum.store import Store
from locum.store.memory import MemoryStore
from locum.store.records import Records

ACCOUNT: Final = "111122223333"
NOW: Final = 1_767_323_045
VAULT: Final = Vault(bytes(range(32)))
DRAWN: Final = new_keys(os.urandom)


def counting() -> Callable[[int], bytes]:
    """Bytes that differ every time."""
    drawn = 0

    def random(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(drawn.to_bytes(4, "big")).digest(size)

    return random


RANDOM: Final = counting()


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys under new names, not drawn anew every time."""
    monkeypatch.setattr(
        "locum.server.signing_keys.new_keys",
        lambda random: [each._replace(id=(id := random(8).hex()), jwk=each.jwk | {"kid": id}) for each in DRAWN],
    )


def make(store: Store, account: str = ACCOUNT, now: int = NOW, vault: Vault = VAULT) -> list[str]:
    """An account's issuer, as enabling makes it; the ids of its keys."""
    made: list[NewKey] = [each._replace(id=RANDOM(8).hex()) for each in DRAWN]
    with store.transaction() as rows:
        records = Records(rows)
        id = f"00000000-0000-4000-8000-{account}"
        records.create(OutboundIssuer(account=account, id=id, created=now, enabled=True))
        add_keys(records, vault, account, made, now, RANDOM, signs=now)
    return [each.id for each in made]


def shown(store: Store, now: int) -> dict[str, str]:
    with store.snapshot() as rows:
        return {each.id: each.state for each in list_issuer_keys(rows, [ACCOUNT], now)}


@pytest.fixture
def store() -> Iterator[Store]:
    opened = MemoryStore()
    yield opened
    opened.close()


def test_a_rotation_forgets_the_keys_whose_last_token_is_over(store: Store) -> None:
    first = make(store)
    second = [each.id for each in rotate(store, VAULT, ACCOUNT, NOW + 100, RANDOM)]
    over = NOW + 100 + AHEAD + BEHIND
    assert shown(store, over) == dict.fromkeys(first, "withdrawn") | dict.fromkeys(second, "signing")
    third = [each.id for each in rotate(store, VAULT, ACCOUNT, over, RANDOM)]
    assert shown(store, over) == dict.fromkeys(second, "signing") | dict.fromkeys(third, "announced")


def test_a_rotation_in_the_second_of_another_comes_after_it(store: Store) -> None:
    make(store)
    ids = [each.id for _ in range(2) for each in rotate(store, VAULT, ACCOUNT, NOW, RANDOM, at_once=True)]
    states = shown(store, NOW)
    assert [states[id] for id in ids] == ["published", "published", "signing", "signing"]


def test_an_issuer_has_not_ever_more_keys(store: Store) -> None:
    make(store)
    for _ in range(MAXIMUM_KEYS - 1):
        rotate(store, VAULT, ACCOUNT, NOW, RANDOM)
    with pytest.raises(IssuerKeyError, match=f"has {MAXIMUM_KEYS} keys"):
        rotate(store, VAULT, ACCOUNT, NOW, RANDOM)
    rotate(store, VAULT, ACCOUNT, NOW + AHEAD + BEHIND, RANDOM)


def test_a_rotation_under_another_wrapping_key_changes_nothing(store: Store) -> None:
    make(store)
    before = shown(store, NOW)
    with pytest.raises(CannotOpen):
        rotate(store, Vault(bytes(range(1, 33))), ACCOUNT, NOW, RANDOM)
    assert shown(store, NOW) == before


def test_the_key_that_signs_is_not_retired_and_others_are(store: Store) -> None:
    old = make(store)
    fresh = [each.id for each in rotate(store, VAULT, ACCOUNT, NOW, RANDOM)]
    with store.transaction() as rows:
        for id in old:
            with pytest.raises(IssuerKeyError, match="signs"):
                retire(rows, ACCOUNT, id, NOW)
        retire(rows, ACCOUNT, old[0], NOW + AHEAD)
        retire(rows, ACCOUNT, fresh[1], NOW)
    assert shown(store, NOW + AHEAD) == {fresh[0]: "signing", old[1]: "signing"}
    for account, id in ((ACCOUNT, old[0]), (ACCOUNT, "ffffffff"), ("999999999999", old[1])):
        with store.transaction() as rows, pytest.raises(IssuerKeyError, match="has no"):
            retire(rows, account, id, NOW)


def test_a_new_key_does_not_print() -> None:
    assert repr(DRAWN[0]) == f"NewKey('RS256', '{DRAWN[0].id}')"
    assert DRAWN[0].document.hex() not in repr(DRAWN)
