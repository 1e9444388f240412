"""The key ring in the store."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

import msgspec
import pytest

from locum.core.records import RingKey, encode
from locum.core.sealing import Vault
from locum.core.token import KeyRing, Purpose, TokenNotIntact
from locum.server.ring import RingEntry, RingError, create_ring_key, list_keys, load_ring, retire, rotate
from locum.store import Conflict, Key, Store, open_store

VAULT = Vault(bytes(range(32)))
NOW = 1_700_000_000


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store("memory:")
    yield opened
    opened.close()


def counting() -> Callable[[int], bytes]:
    """A source of bytes that never repeats and that a test can predict."""
    drawn = 0

    def random(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return bytes((drawn,)) * size

    return random


def make(store: Store, *times: int) -> list[str]:
    random = counting()
    ids: list[str] = []
    for now in times:
        with store.transaction() as rows:
            ids.append((rotate if ids else create_ring_key)(rows, VAULT, now, random).id)
    return ids


def ring(store: Store, vault: Vault = VAULT) -> KeyRing:
    with store.snapshot() as rows:
        return load_ring(rows, vault)


def drop(store: Store, id: str) -> None:
    with store.transaction() as rows:
        retire(rows, id)


def seal(store: Store) -> str:
    return ring(store).seal(Purpose.SESSION_TOKEN, b"claims", bytes(12))


def opens(store: Store, token: str) -> bool:
    try:
        return ring(store).open(Purpose.SESSION_TOKEN, token) == b"claims"
    except TokenNotIntact:
        return False


def states(store: Store) -> list[tuple[str, str]]:
    with store.snapshot() as rows:
        return [(each.id, each.state) for each in list_keys(rows)]


@pytest.mark.facts("R13")
def test_rotation_seals_with_the_new_key_and_still_opens_with_the_old(store: Store) -> None:
    [first] = make(store, NOW)
    before = seal(store)
    with store.transaction() as rows:
        second = rotate(rows, VAULT, NOW + 60, counting_from_nine()).id
    after = seal(store)
    assert opens(store, before)
    assert opens(store, after)
    assert [base64.b64decode(token)[2:6].hex() for token in (before, after)] == [first, second]
    assert states(store) == [(first, "opening"), (second, "sealing")]


def counting_from_nine() -> Callable[[int], bytes]:
    random = counting()
    for _ in range(9):
        random(1)
    return random


@pytest.mark.facts("R13")
def test_retiring_a_key_kills_its_tokens_and_only_these(store: Store) -> None:
    [first] = make(store, NOW)
    before = seal(store)
    with store.transaction() as rows:
        second = rotate(rows, VAULT, NOW + 60, counting_from_nine()).id
    after = seal(store)
    drop(store, first)
    assert not opens(store, before)
    assert opens(store, after)
    assert states(store) == [(first, "retired"), (second, "sealing")]


@pytest.mark.facts("R13")
def test_retiring_deletes_the_secret_for_good(store: Store) -> None:
    first, _ = make(store, NOW, NOW + 1)
    with store.snapshot() as rows:
        row = rows.get(Key("", "ring-key", first))
        assert row is not None
        sealed = msgspec.msgpack.decode(row.data)["secret"]
    drop(store, first)
    with store.snapshot() as rows:
        row = rows.get(Key("", "ring-key", first))
        assert row is not None
    assert len(sealed) == 5 + 12 + 32 + 16
    assert sealed not in row.data
    assert len(row.data) < len(sealed) + 20


def test_the_sealing_key_can_be_retired_while_another_is_left(store: Store) -> None:
    first, second = make(store, NOW, NOW + 1)
    drop(store, second)
    assert states(store) == [(first, "sealing"), (second, "retired")]
    assert ring(store).sealing_key_id == first


def test_the_last_key_is_not_retired(store: Store) -> None:
    first, second = make(store, NOW, NOW + 1)
    drop(store, first)
    with pytest.raises(RingError, match="last one") as caught:
        drop(store, second)
    assert "keys rotate" in caught.value.problems[0].hint
    assert opens(store, seal(store))


@pytest.mark.parametrize("id", ["ffffffff", "", "FFFFFFFF", "x" * 5000, "\0", "\ud800"])
def test_an_unknown_key_is_not_retired(store: Store, id: str) -> None:
    make(store, NOW, NOW + 1)
    with pytest.raises(RingError, match="no ring key"):
        drop(store, id)


def test_a_retired_key_is_not_retired_again(store: Store) -> None:
    first, _, _ = make(store, NOW, NOW + 1, NOW + 2)
    drop(store, first)
    with pytest.raises(RingError, match="retired already"):
        drop(store, first)


@pytest.mark.facts("R13")
@pytest.mark.parametrize("later", [0, -1, -86_400, 5], ids=lambda each: f"{each:+} s")
def test_the_rotated_key_seals_whatever_the_clock_says(store: Store, later: int) -> None:
    ids = make(store, NOW, NOW + later, NOW + later)
    assert ring(store).sealing_key_id == ids[-1]
    assert [id for id, _ in states(store)] == ids


@pytest.mark.facts("R13")
def test_secret_id_and_nonce_of_a_key_are_separate_draws(store: Store) -> None:
    drawn: list[bytes] = []
    random = counting()

    def recording(size: int) -> bytes:
        drawn.append(random(size))
        return drawn[-1]

    with store.transaction() as rows:
        made = create_ring_key(rows, VAULT, NOW, recording)
    assert sorted(map(len, drawn)) == [4, 12, 32]
    assert made.id == drawn[0].hex()
    secret = next(each for each in drawn if len(each) == 32)
    assert VAULT.unwrap(made.secret, purpose="ring-key", name=made.id) == secret
    assert made.secret[5:17] == next(each for each in drawn if len(each) == 12)


@pytest.mark.facts("R44")
def test_the_store_holds_no_ring_key_in_the_clear(store: Store) -> None:
    [id] = make(store, NOW)
    with store.snapshot() as rows:
        row = rows.get(Key("", "ring-key", id))
    assert row is not None
    assert b"\x02" * 32 not in row.data
    assert b"\x03" * 12 in row.data


def test_an_id_that_is_taken_is_refused_even_after_retirement(store: Store) -> None:
    first, _ = make(store, NOW, NOW + 1)
    drop(store, first)
    with pytest.raises(Conflict), store.transaction() as rows:
        create_ring_key(rows, VAULT, NOW, counting())


def test_an_empty_ring_is_an_error_that_names_the_remedy(store: Store) -> None:
    with pytest.raises(RingError, match="empty") as caught:
        ring(store)
    assert "locum keys rotate" in caught.value.problems[0].hint
    assert states(store) == []


@pytest.mark.facts("R44")
def test_another_wrapping_key_neither_loads_nor_rotates_the_ring(store: Store) -> None:
    make(store, NOW)
    other = Vault(bytes(32))
    with pytest.raises(RingError, match=f"{VAULT.key_id}.*{other.key_id}"):
        ring(store, other)
    with pytest.raises(RingError, match="wrapping key"), store.transaction() as rows:
        rotate(rows, other, NOW, counting_from_nine())
    assert len(states(store)) == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xc1\xff", id="no msgpack"),
        pytest.param(encode(RingKey(id="00000001", created=NOW, secret=b"")), id="no secret"),
        pytest.param(
            encode(
                RingKey(
                    id="00000001",
                    created=NOW,
                    secret=VAULT.wrap(bytes(31), purpose="ring-key", name="00000001", nonce=bytes(12)),
                )
            ),
            id="a secret of another length",
        ),
        pytest.param(
            encode(
                RingKey(
                    id="00000001",
                    created=NOW,
                    secret=VAULT.wrap(bytes(32), purpose="ring-key", name="00000002", nonce=bytes(12)),
                )
            ),
            id="the secret of another key",
        ),
    ],
)
def test_a_damaged_record_is_a_declared_error(store: Store, data: bytes) -> None:
    make(store, NOW)
    with store.transaction() as rows:
        rows.put(Key("", "ring-key", "00000001"), data, expect=0)
    with pytest.raises(RingError, match="damaged"):
        ring(store)


def test_many_keys_are_all_loaded_and_listed_oldest_first(store: Store) -> None:
    counter = iter(range(10**9))

    def random(size: int) -> bytes:
        return (next(counter) * 2654435761 % 2**32).to_bytes(4, "big") * (size // 4)

    for step in range(600):
        with store.transaction() as rows:
            create_ring_key(rows, VAULT, NOW + step, random)
    with store.snapshot() as seen:
        listed = list_keys(seen)
    assert len(ring(store).key_ids) == 600
    assert [each.created for each in listed] == [NOW + step for step in range(600)]
    assert listed[-1] == RingEntry(ring(store).sealing_key_id, NOW + 599, "sealing")
