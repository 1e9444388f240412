"""ARNs and identifiers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum import arn
from locum.arn import Arn


@pytest.mark.facts("STS-AKI-005", "STS-AKI-008", "STS-AKI-009")
@pytest.mark.parametrize(
    ("key_id", "account"), [("ASIAY34FZKBOKMUTVV7A", "609629065308"), ("ASIAQNZGKIQY56JQ7WML", "029608264753")]
)
def test_account_is_decoded_from_a_key_id(key_id: str, account: str) -> None:
    assert arn.account_of_access_key(key_id) == account


@pytest.mark.facts("STS-AKI-007")
@pytest.mark.parametrize("key_id", ["AKIAIOSFODNN7EXAMPLE", "AKIAJAAAAAAAAAAAAAAA", "AKIAA", "AKIAQ" + "1" * 15])
def test_old_generation_ids_encode_no_account(key_id: str) -> None:
    assert arn.account_of_access_key(key_id) is None


@pytest.mark.facts("STS-AKI-006", "STS-ID-002")
@given(st.integers(0, 10**12 - 1), st.binary(min_size=5, max_size=5), st.sampled_from(["AKIA", "ASIA"]))
def test_made_key_ids_encode_their_account(account: int, random: bytes, prefix: str) -> None:
    key_id = arn.access_key_id(prefix, f"{account:012d}", random)
    assert len(key_id) == 20
    assert key_id.startswith(prefix)
    assert arn.account_of_access_key(key_id) == f"{account:012d}"


@pytest.mark.facts("STS-ID-002")
@given(st.binary(min_size=11, max_size=11), st.sampled_from(["AIDA", "AROA", "AGPA", "ANPA"]))
def test_unique_ids_have_21_base32_characters(random: bytes, prefix: str) -> None:
    made = arn.unique_id(prefix, random)
    assert len(made) == 21
    assert made.startswith(prefix)
    assert set(made) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


@given(st.text(max_size=60))
def test_parsing_gives_an_arn_or_value_error(text: str) -> None:
    try:
        parsed = Arn.parse(text)
    except ValueError:
        return
    assert str(parsed) == text


def test_path_and_name() -> None:
    assert Arn.parse("arn:aws:iam::123456789012:role/ops/eu/deploy").path_and_name == ("/ops/eu/", "deploy")
    assert Arn.parse("arn:aws:iam::123456789012:user/alice").path_and_name == ("/", "alice")
