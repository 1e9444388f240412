"""The bound on guessing, with bounded memory (R10)."""

from __future__ import annotations

import pytest

from locum.errors import Throttling
from locum.guard.attempts import Attempts

NOW = 1_767_323_040.0
"""The first second of a window."""


def refused(attempts: Attempts, address: str, key_id: str, now: float = NOW) -> bool:
    try:
        attempts.check(address, key_id, now)
    except Throttling:
        return True
    return False


@pytest.mark.facts("R10")
def test_tries_are_refused_from_the_limit_on_until_the_window_ends() -> None:
    attempts = Attempts(per_address=5, per_key=2)
    for count in range(2):
        assert not refused(attempts, "a", "k"), count
        attempts.failed("a", "k", NOW)
    assert refused(attempts, "a", "k", NOW + 59)
    assert not refused(attempts, "a", "other", NOW + 59)
    assert not refused(attempts, "b", "k", NOW + 59)
    assert not refused(attempts, "a", "k", NOW + 60)
    attempts.failed("a", "k", NOW + 60)
    assert not refused(attempts, "a", "k", NOW + 60)


@pytest.mark.facts("R10")
def test_an_address_is_bounded_whatever_keys_it_tries() -> None:
    attempts = Attempts(per_address=5, per_key=2)
    for key in "vwxyz":
        assert not refused(attempts, "a", key)
        attempts.failed("a", key, NOW)
    assert refused(attempts, "a", "a key that never failed")
    assert not refused(attempts, "b", "v")


@pytest.mark.facts("R10")
def test_memory_is_bounded_in_entries_and_in_their_size() -> None:
    attempts = Attempts()
    for number in range(12_000):
        attempts.failed(f"address {number}", f"{number:0128}" + "x" * 8_000, NOW)
    assert len(attempts._failed) == 10_000
    assert max(len(key_id) for _, key_id in attempts._failed) == 128


@pytest.mark.facts("R10")
def test_who_goes_on_failing_is_not_forgotten_when_the_table_is_full() -> None:
    attempts = Attempts(per_address=100, per_key=50)
    for number in range(20_000):
        if number % 400 == 0:
            attempts.failed("a", "k", NOW)
        attempts.failed(f"address {number}", "k", NOW)
    assert refused(attempts, "a", "k")
