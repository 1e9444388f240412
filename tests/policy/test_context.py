"""Contexts made from values written by hand."""

from __future__ import annotations

import doctest

import pytest

import locum.policy
from locum.policy import KEYS, KeyType, context, key_of


@pytest.mark.facts("POL-CO-005")
def test_names_of_keys_are_compared_without_regard_to_case() -> None:
    assert context({"AWS:SourceIp": "10.0.0.1"}) == {"aws:sourceip": "10.0.0.1"}
    assert context({"aws:ResourceTag/Team": "a"}) == {"aws:resourcetag/team": "a"}


@pytest.mark.facts("POL-CO-006")
def test_of_two_tags_that_differ_by_case_one_is_seen() -> None:
    assert context({"aws:ResourceTag/Team": "a", "aws:ResourceTag/team": "b"}) == {"aws:resourcetag/team": "b"}


@pytest.mark.facts("POL-CO-026", "POL-CK-012", "POL-CK-023")
def test_one_value_of_a_multivalued_key_is_a_set_of_one() -> None:
    assert context({"aws:TagKeys": "a", "sts:TransitiveTagKeys": ["a", "b"]}) == {
        "aws:tagkeys": ("a",),
        "sts:transitivetagkeys": ("a", "b"),
    }


def test_booleans_and_numbers_become_their_text() -> None:
    assert context({"aws:SecureTransport": True, "sts:DurationSeconds": 900}) == {
        "aws:securetransport": "true",
        "sts:durationseconds": "900",
    }


@pytest.mark.parametrize(
    ("name", "type_", "multivalued"),
    [
        pytest.param("aws:multifactorauthage", KeyType.NUMERIC, False, marks=pytest.mark.facts("POL-CK-006")),
        pytest.param("AWS:TokenIssueTime", KeyType.DATE, False, marks=pytest.mark.facts("POL-CK-007")),
        pytest.param("aws:SourceIp", KeyType.IP, False, marks=pytest.mark.facts("POL-CK-010")),
        pytest.param("aws:PrincipalOrgPaths", KeyType.STRING, True, marks=pytest.mark.facts("POL-CK-014")),
        pytest.param("sts:IdentityTokenAudience", KeyType.STRING, True, marks=pytest.mark.facts("POL-CK-024")),
        pytest.param("issuer.example.net/id:amr", KeyType.STRING, True, marks=pytest.mark.facts("POL-CK-026")),
        pytest.param("issuer.example.net/id:sub", KeyType.STRING, False, marks=pytest.mark.facts("POL-CK-026")),
        pytest.param("saml:cn", KeyType.STRING, True, marks=pytest.mark.facts("POL-CK-029")),
        pytest.param("saml:aud", KeyType.STRING, False, marks=pytest.mark.facts("POL-CK-029")),
        pytest.param("aws:PrincipalTag/Cost/Center", KeyType.STRING, False, marks=pytest.mark.facts("POL-CK-004")),
        ("unknown:key", KeyType.STRING, False),
    ],
)
def test_what_is_known_of_a_key(name: str, type_: KeyType, multivalued: bool) -> None:
    known = key_of(name)
    assert (known.name.lower(), known.type, known.multivalued) == (name.lower(), type_, multivalued)


def test_the_table_is_keyed_by_the_names_in_lower_case() -> None:
    assert all(name == key.name.lower() for name, key in KEYS.items())


def test_the_example_of_the_package_runs() -> None:
    assert doctest.testmod(locum.policy).failed == 0


def test_the_public_names_are_sorted_and_exist() -> None:
    names = locum.policy.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert all(hasattr(locum.policy, name) for name in names)
