"""Encryption at rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.core.sealing import MAXIMUM_SECRET, CannotOpen, Vault

KEY = bytes(range(32))
VAULT = Vault(KEY)
NONCE = bytes(range(12))
PLAIN = b"wJalrXUtnFEMI-not-this-one-but-alike"


def sealed() -> bytes:
    return VAULT.wrap(PLAIN, purpose="access-key", name="AKIAQZGUFHYFAAAAAAAB", nonce=NONCE)


def refused(data: bytes, purpose: str = "access-key", name: str = "AKIAQZGUFHYFAAAAAAAB", vault: Vault = VAULT) -> str:
    with pytest.raises(CannotOpen) as caught:
        vault.unwrap(data, purpose=purpose, name=name)
    return str(caught.value)


@pytest.mark.facts("R44")
@given(
    st.binary(max_size=200),
    st.text(max_size=30),
    st.text(max_size=30),
    st.binary(min_size=12, max_size=12),
    st.binary(min_size=32, max_size=32),
)
def test_what_is_wrapped_is_unwrapped_and_cannot_be_read_meanwhile(
    plaintext: bytes, purpose: str, name: str, nonce: bytes, key: bytes
) -> None:
    vault = Vault(key)
    data = vault.wrap(plaintext, purpose=purpose, name=name, nonce=nonce)
    assert vault.unwrap(data, purpose=purpose, name=name) == plaintext
    assert len(plaintext) < 8 or plaintext not in data[17:]


@pytest.mark.facts("R44")
def test_flipping_any_bit_fails() -> None:
    data = sealed()
    for index in range(len(data)):
        for bit in range(8):
            refused(data[:index] + bytes((data[index] ^ 1 << bit,)) + data[index + 1 :])


def test_every_truncation_and_extension_fails() -> None:
    data = sealed()
    for end in range(len(data)):
        refused(data[:end])
    refused(data + b"\0")
    refused(data + bytes(MAXIMUM_SECRET))


@pytest.mark.parametrize(
    ("purpose", "name"),
    [
        ("ring-key", "AKIAQZGUFHYFAAAAAAAB"),
        ("access-key", "AKIAQZGUFHYFAAAAAAAC"),
        ("access-keyA", "KIAQZGUFHYFAAAAAAAB"),
        ("access-ke", "yAKIAQZGUFHYFAAAAAAAB"),
        ("", "access-keyAKIAQZGUFHYFAAAAAAAB"),
    ],
)
def test_a_secret_moved_to_another_record_or_use_does_not_open(purpose: str, name: str) -> None:
    assert "another record" in refused(sealed(), purpose, name)


def test_the_text_tells_a_wrong_wrapping_key_from_damage_and_from_a_newer_format() -> None:
    data, other = sealed(), Vault(bytes(32))
    wrong = refused(data, vault=other)
    assert VAULT.key_id in wrong
    assert other.key_id in wrong
    assert "access-key 'AKIAQZGUFHYFAAAAAAAB'" in wrong
    assert "damaged" in refused(data[:-1])
    assert "damaged" in refused(data[:10])
    assert "version 2" in refused(b"\x02" + data[1:])


def test_a_key_whose_id_collides_does_not_open_either() -> None:
    other = Vault(bytes(32))
    data = other.wrap(PLAIN, purpose="access-key", name="AKIAQZGUFHYFAAAAAAAB", nonce=NONCE)
    refused(sealed()[:5] + data[5:])


def test_bounds() -> None:
    data = VAULT.wrap(bytes(MAXIMUM_SECRET), purpose="p", name="n", nonce=NONCE)
    assert VAULT.unwrap(data, purpose="p", name="n") == bytes(MAXIMUM_SECRET)
    with pytest.raises(ValueError, match="at most"):
        VAULT.wrap(bytes(MAXIMUM_SECRET + 1), purpose="p", name="n", nonce=NONCE)
    for size in (0, 11, 13):
        with pytest.raises(ValueError, match="nonce"):
            VAULT.wrap(PLAIN, purpose="p", name="n", nonce=bytes(size))
    for size in (0, 16, 31, 33):
        with pytest.raises(ValueError, match="wrapping key"):
            Vault(bytes(size))


def test_a_vault_and_its_errors_print_no_secret() -> None:
    shown = repr(VAULT) + str(VAULT) + refused(sealed() + b"x") + refused(sealed(), vault=Vault(bytes(32)))
    assert KEY.hex() not in shown
    assert repr(KEY) not in shown
    assert PLAIN.decode() not in shown


@given(st.binary(max_size=300))
def test_arbitrary_bytes_cannot_be_opened(data: bytes) -> None:
    refused(data)
    refused(sealed()[:5] + data)
