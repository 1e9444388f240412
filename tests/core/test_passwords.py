"""Passwords at rest and the rules for new ones (R44, IAM-LGN-002, IAM-SHD-001)."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given, settings
from hypothesis import strategies as st

from locum.core.account_records import PasswordRules
from locum.core.passwords import SALT_SIZE, conforms, hash_password, is_among

SALT = bytes(range(SALT_SIZE))


@pytest.mark.facts("R44")
def test_a_password_at_rest_is_stretched_with_much_memory_and_says_how() -> None:
    hashed = hash_password("Correct-horse-7", SALT)
    assert hashed[:1] == b"\x01"
    stretching = Argon2id(salt=SALT, length=32, iterations=2, lanes=1, memory_cost=19_456)
    stretching.verify(b"Correct-horse-7", hashed[1:])
    assert b"Correct" not in hashed
    assert hash_password("Correct-horse-7", SALT[::-1]) != hashed


def test_a_salt_has_its_size() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        hash_password("x", b"salt")


def test_a_hash_is_found_among_others() -> None:
    hashes = [b"\x01a", b"\x01b", b"\x01c"]
    assert all(is_among(each, hashes) for each in hashes)
    assert not is_among(b"\x01d", hashes)
    assert not is_among(b"\x01a", [])


@settings(max_examples=3, deadline=None)
@given(st.text(min_size=1, max_size=128), st.text(min_size=1, max_size=128))
def test_two_passwords_have_one_hash_only_if_they_are_the_same(one: str, other: str) -> None:
    assert (hash_password(one, SALT) == hash_password(other, SALT)) == (one == other)


@pytest.mark.facts("IAM-LGN-002")
@pytest.mark.parametrize(
    ("password", "fine"),
    [
        ("abcdefG1", True),
        ("abcdef-1", True),
        ("ABCDEF-1", True),
        ("abcdeFG-", True),
        ("abcdeG1", False),
        ("abcdefg1", False),
        ("abcdefgH", False),
        ("12345678", False),
        ("Example-1", False),
        ("a@Example.org", False),
        ("äöüäöüÄ1", False),
    ],
)
def test_without_rules_of_its_own_an_account_has_those_of_aws(password: str, fine: bool) -> None:
    assert conforms(password, None, ("Example-1", "a@Example.org")) is fine


@pytest.mark.facts("IAM-LGN-002", "IAM-SHD-001")
@pytest.mark.parametrize(
    ("rules", "fine", "not_fine"),
    [
        (PasswordRules(), ["aaaaaa", "Example-1"], ["aaaaa"]),
        (PasswordRules(minimum_length=10), ["a" * 10], ["a" * 9]),
        (PasswordRules(symbols=True), ["aaaaa'", "aaaaa|"], ["aaaaaa", "aaaaa/", "aaaaa "]),
        (PasswordRules(numbers=True), ["aaaaa0"], ["aaaaaa", "aaaaa²"]),
        (PasswordRules(uppercase=True), ["aaaaaZ"], ["aaaaaa", "aaaaaÄ"]),
        (PasswordRules(lowercase=True), ["AAAAAz"], ["AAAAAA", "AAAAAä"]),
        (PasswordRules(symbols=True, numbers=True, uppercase=True, lowercase=True), ["aA1-aa"], ["aA1aaa", "aaa---"]),
    ],
)
def test_rules_of_an_account_are_kept(rules: PasswordRules, fine: list[str], not_fine: list[str]) -> None:
    assert [each for each in fine if not conforms(each, rules, ("Example-1",))] == []
    assert [each for each in not_fine if conforms(each, rules, ())] == []
