"""The packed size of session policies and session tags."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum import errors
from locum.core.packing import packed_percentage, packed_policies, packed_tags
from locum.core.session import Tags

OWN: Final[Tags] = (("Department", "Engineering"), ("CostCenter", "12345"), ("Email", "alice@example.com"))
POD: Final[Tags] = (
    ("eks-cluster-arn", "arn:aws:eks:eu-west-1:111122223333:cluster/production"),
    ("eks-cluster-name", "production"),
    ("kubernetes-namespace", "payments"),
    ("kubernetes-service-account", "payments-api"),
    ("kubernetes-pod-name", "payments-api-6c9f7d5b8f-x2x7k"),
    ("kubernetes-pod-uid", "0b2f6f0e-5d5e-4f5b-9f3e-1f2a3b4c5d6e"),
)


def noise(count: int, size: int = 64) -> Tags:
    """Tags that do not pack."""
    return tuple((f"k{number}", hashlib.sha256(bytes([number])).hexdigest()[:size]) for number in range(count))


def policy(actions: int) -> str:
    names = [f"s3:{hashlib.sha256(bytes([number])).hexdigest()[:32]}" for number in range(actions)]
    return json.dumps({"Statement": [{"Effect": "Allow", "Action": names, "Resource": "*"}]})


tags = st.lists(st.tuples(st.text(min_size=1, max_size=20), st.text(max_size=40)), max_size=8).map(tuple)


@pytest.mark.facts("STS-SP-013")
@given(tags, tags)
def test_the_measure_of_tags_grows_with_them_and_never_by_more_than_they_have_alone(first: Tags, second: Tags) -> None:
    together = packed_tags(first + second)
    assert max(packed_tags(first), 0) <= together + 2
    assert together <= packed_tags(first) + packed_tags(second) + 8


@pytest.mark.facts("STS-SP-013")
def test_inherited_tags_and_own_ones_add_up() -> None:
    own, pod = packed_percentage(None, (), OWN), packed_percentage(None, (), POD)
    both = packed_percentage(None, (), POD + OWN)
    assert own is not None
    assert pod is not None
    assert both is not None
    assert max(own, pod) < both <= own + pod + 1


@pytest.mark.facts("STS-SP-010")
def test_policies_and_tags_share_one_allotment() -> None:
    document = policy(4)
    alone = packed_percentage(document, ())
    with_tags = packed_percentage(document, (), OWN)
    assert alone is not None
    assert with_tags is not None
    assert with_tags > alone
    total = packed_policies(document, ()) + packed_tags(OWN)
    assert with_tags == -(-total * 100 // 512)


@pytest.mark.facts("STS-AR-048")
def test_nothing_packs_to_no_size_at_all() -> None:
    assert packed_percentage(None, ()) is None
    assert packed_percentage(None, (), OWN) is not None


@pytest.mark.parametrize(
    ("given", "text"),
    [
        pytest.param(
            (policy(40), (), OWN),
            "Packed policy consumes {}% of allotted space, please use smaller policy.",
            marks=pytest.mark.facts("STS-E-T49", "STS-SP-017"),
        ),
        pytest.param(
            (None, (), noise(50)),
            "Packed size of session tags consumes {}% of allotted space.",
            marks=pytest.mark.facts("STS-E-T50", "STS-SP-017"),
        ),
        pytest.param(
            (policy(1), (), noise(50)),
            "Packed size of session tags consumes {}% of allotted space.",
            marks=pytest.mark.facts("STS-E-T50"),
        ),
    ],
)
def test_what_is_too_large_is_named_with_its_share(given: tuple[Any, ...], text: str) -> None:
    document, arns, tags = given
    share = -(-(packed_policies(document, arns) + packed_tags(tags)) * 100 // 512)
    assert share > 100
    with pytest.raises(errors.PackedPolicyTooLargeException) as refused:
        packed_percentage(document, arns, tags)
    assert refused.value.message == text.format(share)
