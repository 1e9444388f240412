"""One-time codes: the vectors of the RFCs, the window, and the search for a device's drift."""

from __future__ import annotations

import hmac
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.core import totp

SEED: Final = b"12345678901234567890"
"""The key of both RFCs."""

# RFC 4226, appendix D: the codes of the counters 0 to 9.
HOTP: Final = ("755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489")

# RFC 6238, appendix B, SHA-1: seconds since the epoch and the code, of which we show the last six of its eight digits.
TOTP: Final = (
    (59, "94287082"),
    (1_111_111_109, "07081804"),
    (1_111_111_111, "14050471"),
    (1_234_567_890, "89005924"),
    (2_000_000_000, "69279037"),
    (20_000_000_000, "65353130"),
)

NOW: Final = 58_910_768
"""The step at 2026-01-02T03:04:00Z."""

seeds = st.binary(min_size=1, max_size=64)
steps = st.integers(min_value=2_000, max_value=1 << 40)


@pytest.mark.facts("STS-MFA-004", "R41")
@pytest.mark.parametrize(("counter", "code"), list(enumerate(HOTP)))
def test_a_code_is_that_of_rfc_4226(counter: int, code: str) -> None:
    assert totp.code(SEED, counter) == code


@pytest.mark.facts("STS-MFA-004", "IAM-MFA-005", "R41")
@pytest.mark.parametrize(("seconds", "code"), TOTP)
def test_a_code_is_that_of_rfc_6238(seconds: int, code: str) -> None:
    assert totp.code(SEED, totp.step_at(seconds)) == code[-6:]
    assert totp.code(SEED, totp.step_at(seconds + 0.9)) == code[-6:]


@pytest.mark.facts("STS-MFA-005", "R41")
@pytest.mark.parametrize(("away", "accepted"), [(-3, False), (-2, True), (-1, True), (0, True), (2, True), (3, False)])
def test_a_code_counts_two_steps_around_the_devices_time(away: int, accepted: bool) -> None:
    found = totp.matching_steps(SEED, totp.code(SEED, NOW + away), NOW)
    assert found == ((NOW + away,) if accepted else ())


def test_the_window_at_the_epoch_has_no_steps_before_it() -> None:
    assert totp.matching_steps(SEED, HOTP[0], 0) == (0,)


@given(seeds, steps, st.integers(-totp.WINDOW, totp.WINDOW))
def test_every_code_of_the_window_is_found(seed: bytes, step: int, away: int) -> None:
    assert step + away in totp.matching_steps(seed, totp.code(seed, step + away), step)


@given(seeds, steps, st.text("0123456789", min_size=6, max_size=6))
def test_what_matches_is_a_code_of_the_window(seed: bytes, step: int, given_code: str) -> None:
    expected = [each for each in range(step - 2, step + 3) if totp.code(seed, each) == given_code]
    assert list(totp.matching_steps(seed, given_code, step)) == expected


@pytest.mark.facts("R41", "R23")
@pytest.mark.parametrize("given_code", [totp.code(SEED, NOW - 2), totp.code(SEED, NOW + 2), "000000"])
def test_a_right_and_a_wrong_code_cost_the_same_comparisons(monkeypatch: pytest.MonkeyPatch, given_code: str) -> None:
    compared: list[tuple[object, object]] = []
    real = hmac.compare_digest

    def counted(a: str, b: str) -> bool:
        compared.append((a, b))
        return real(a, b)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    totp.matching_steps(SEED, given_code, NOW)
    assert [b for _, b in compared] == [given_code] * 5
    assert len({a for a, _ in compared}) == 5


@pytest.mark.facts("STS-MFA-011")
@pytest.mark.parametrize("drift", [-998, -997, -3, -1, 0, 1, 5, 999, 1_000])
def test_two_consecutive_codes_tell_how_far_a_clock_is_off(drift: int) -> None:
    shown = NOW + drift
    assert totp.drift(SEED, totp.code(SEED, shown - 1), totp.code(SEED, shown), NOW) == drift


@pytest.mark.facts("STS-MFA-011")
@pytest.mark.parametrize("drift", [-1_000, -999, 1_001, 1_002])
def test_a_clock_that_is_off_too_far_is_not_found(drift: int) -> None:
    shown = NOW + drift
    assert totp.drift(SEED, totp.code(SEED, shown - 1), totp.code(SEED, shown), NOW) is None


@pytest.mark.facts("IAM-MFA-005", "STS-MFA-011")
@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (-2, 0), (0, 2)])
def test_codes_that_do_not_follow_each_other_tell_nothing(first: int, second: int) -> None:
    assert totp.drift(SEED, totp.code(SEED, NOW + first), totp.code(SEED, NOW + second), NOW) is None


def test_the_nearest_drift_counts_where_several_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totp, "code", lambda _, step: f"{step % 50:06d}")
    assert totp.drift(SEED, f"{(NOW + 9) % 50:06d}", f"{(NOW + 10) % 50:06d}", NOW) == 10
    assert totp.drift(SEED, f"{(NOW + 44) % 50:06d}", f"{(NOW + 45) % 50:06d}", NOW) == -5
