"""The positions of a list's elements in the names of parameters: holes, leaps, and what is no position."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from locum.api.iam import COMMANDS as IAM_COMMANDS
from locum.api.shapes import Command
from locum.api.sts import AssumeRoleCommand, Tag
from locum.errors import MalformedInput, ValidationError
from locum.wire import form
from locum.wire.query import MAX_SEGMENTS, decode_command

REQUEST: Final = {"RoleArn": "arn:aws:iam::123456789012:role/demo", "RoleSessionName": "s1"}


def assume(**parameters: str) -> AssumeRoleCommand:
    return decode_command(AssumeRoleCommand, REQUEST | parameters)


def refused(command_type: type[Command[Any]], parameters: dict[str, str]) -> str:
    with pytest.raises(ValidationError) as caught:
        decode_command(command_type, parameters)
    return caught.value.message


def tagged(**names: str) -> tuple[Tag, ...]:
    return assume(**{f"Tags.member.{name.replace('_', '.')}": value for name, value in names.items()}).tags


@pytest.mark.facts("STS-W-010")
def test_an_index_with_leading_zeros_is_the_same_index() -> None:
    assert tagged(**{"01_Key": "a", "1_Value": "b"}) == (Tag(key="a", value="b"),)


@pytest.mark.facts("STS-W-010")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Tags.member.0.Key", "0 is not a valid index"),
        ("Tags.member.-1.Key", "Key -1 may not have a leading '-'"),
        ("Tags.member.1.1.Key", "Two index elements may not occur back to back"),
        ("Tags.member.99999999999.Key", "Tags.member.99999999999.Key"),
        ("TransitiveTagKeys.member.0", "0 is not a valid index"),
        ("TransitiveTagKeys.member.1.2", "Two index elements may not occur back to back"),
        ("TransitiveTagKeys.member.", "Start of list found where not expected"),
        ("TransitiveTagKeys.member.x", "Start of list found where not expected"),
        ("TransitiveTagKeys.member.+1", "Start of list found where not expected"),
        ("Tags.member." + ".".join("a" * MAX_SEGMENTS), "Tags.member.a"),
    ],
)
def test_an_index_that_is_no_position_is_malformed(name: str, text: str) -> None:
    with pytest.raises(MalformedInput, match=re.escape(text)):
        assume(**{name: "v"})


@pytest.mark.facts("STS-W-010")
@pytest.mark.parametrize("index", ["x", "+1"])
def test_a_name_where_a_position_should_be_is_a_structure_of_unknown_members(index: str) -> None:
    names = {f"Tags.member.{index}.{each}": "v" for each in ("Key", "Value")}
    assert refused(AssumeRoleCommand, REQUEST | names) == (
        "2 validation errors detected: Value null at 'tags.1.member.value' failed to satisfy constraint: Member must "
        "not be null; Value null at 'tags.1.member.key' failed to satisfy constraint: Member must not be null"
    )
    with pytest.raises(MalformedInput):
        assume(**names, **{"Tags.member.1.Key": "k"})


@pytest.mark.facts("STS-W-011")
def test_a_hole_in_a_list_is_a_missing_element() -> None:
    assert refused(AssumeRoleCommand, REQUEST | {"Tags.member.2.Key": "k", "Tags.member.2.Value": "v"}) == (
        "2 validation errors detected: Value null at 'tags.1.member.value' failed to satisfy constraint: Member must "
        "not be null; Value null at 'tags.1.member.key' failed to satisfy constraint: Member must not be null"
    )
    assert "Value '[null, k]' at 'transitiveTagKeys'" in refused(
        AssumeRoleCommand, REQUEST | {"TransitiveTagKeys.member.2": "k"}
    )


@pytest.mark.facts("STS-W-012")
@pytest.mark.parametrize(
    ("positions", "skipped"),
    [
        ([11], 0),
        ([12], 11),
        ([51], 50),
        ([1, 8, 15], 0),
        ([15, 8, 1], 0),
        ([1, 12], 11),
        ([12, 1], 11),
        ([1, 22, 43], 21),
        ([*range(1, 11), 20], 0),
        ([*range(1, 11), 21], 11),
    ],
)
def test_an_index_may_be_only_a_little_beyond_the_elements(positions: list[int], skipped: int) -> None:
    names = {f"TransitiveTagKeys.member.{position}": "k" for position in positions}
    if not skipped:
        assert "transitiveTagKeys" in refused(AssumeRoleCommand, REQUEST | names)
    else:
        with pytest.raises(MalformedInput, match=f"Excessively sparse input would skip {skipped} list elements"):
            assume(**names)


@pytest.mark.facts("STS-W-011", "IAM-GEN-043")
def test_a_hole_among_texts_is_told_by_the_limits_of_the_texts() -> None:
    told = refused(IAM_COMMANDS["GetContextKeysForCustomPolicy"], {"PolicyInputList.member.11": "{}"})
    assert told.startswith(
        "1 validation error detected: Value at 'policyInputList' failed to satisfy constraint: Member must satisfy "
        "constraint: [Member must have length less than or equal to 131072, Member must have length greater than or "
        "equal to 1, Member must satisfy regular expression pattern: "
    )
    assert "null" not in told


@pytest.mark.facts("STS-W-011", "STS-V-001")
def test_an_error_names_ten_violations_at_most() -> None:
    several = refused(
        IAM_COMMANDS["TagUser"], {"UserName": "u", "Tags.member.11.Key": "k", "Tags.member.11.Value": "v"}
    )
    nulls = [f"tags.{number}.member.{each}" for number in range(1, 6) for each in ("value", "key")]
    assert several == "10 validation errors detected: " + "; ".join(
        f"Value at '{path}' failed to satisfy constraint: Member must not be null" for path in nulls
    )


def test_a_flood_of_indexes_costs_bounded_work() -> None:
    flood = {f"Tags.member.{number * 10}.Key": "k" for number in range(1, form.MAX_PARAMETERS - 2)}
    assert refused(AssumeRoleCommand, REQUEST | flood).startswith("10 validation errors detected: ")
