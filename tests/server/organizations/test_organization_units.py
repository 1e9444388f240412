"""Organizational units, what is under what, and tags, through the whole pipeline."""

from __future__ import annotations

import pytest

from locum.api.organizations import types, units
from locum.core.limits import with_limits
from locum.organization_errors import (
    ChildNotFoundException,
    ConstraintViolationException,
    DuplicateOrganizationalUnitException,
    InvalidInputException,
    OrganizationalUnitNotEmptyException,
    OrganizationalUnitNotFoundException,
    ParentNotFoundException,
    TargetNotFoundException,
)
from locum.store.records import Records

from ..conftest import ACCOUNT, OTHER
from .conftest import FULL, SCP, Org


@pytest.mark.facts("ORG-004", "ORG-GEN-003", "ORG-GEN-004")
def test_a_unit_is_made_shown_renamed_and_deleted(org: Org) -> None:
    made = org.call(units.CreateOrganizationalUnitCommand(parent_id=org.top, name="Works")).organizational_unit
    part = org.top.removeprefix("r-")
    assert made.id.startswith(f"ou-{part}-")
    assert made.arn == f"arn:aws:organizations::{ACCOUNT}:ou/{org.id}/{made.id}"
    assert (made.name, made.path) == ("Works", f"{org.id}/{org.top}/{made.id}/")
    asked = units.DescribeOrganizationalUnitCommand(organizational_unit_id=made.id)
    assert org.call(asked).organizational_unit == made
    renamed = org.call(units.UpdateOrganizationalUnitCommand(organizational_unit_id=made.id, name="Plays"))
    assert renamed.organizational_unit.name == "Plays"
    same = org.call(units.UpdateOrganizationalUnitCommand(organizational_unit_id=made.id))
    assert same.organizational_unit.name == "Plays"
    org.unit("Works")
    org.call(units.DeleteOrganizationalUnitCommand(organizational_unit_id=made.id))
    org.refused(asked, OrganizationalUnitNotFoundException)
    for command in (
        units.UpdateOrganizationalUnitCommand(organizational_unit_id=made.id, name="x"),
        units.DeleteOrganizationalUnitCommand(organizational_unit_id=made.id),
    ):
        org.refused(command, OrganizationalUnitNotFoundException)


@pytest.mark.facts("ORG-004")
def test_names_are_unique_under_a_parent(org: Org) -> None:
    first, second = org.unit("a"), org.unit("b")
    org.unit("a", first)
    again = units.CreateOrganizationalUnitCommand(parent_id=org.top, name="a")
    org.refused(again, DuplicateOrganizationalUnitException)
    taken = units.UpdateOrganizationalUnitCommand(organizational_unit_id=second, name="a")
    org.refused(taken, DuplicateOrganizationalUnitException)
    org.call(units.UpdateOrganizationalUnitCommand(organizational_unit_id=second, name="b"))
    org.refused(units.CreateOrganizationalUnitCommand(parent_id="ou-zzzz-zzzzzzzz", name="x"), ParentNotFoundException)
    org.refused(units.CreateOrganizationalUnitCommand(parent_id="r-zzzz", name="x"), ParentNotFoundException)


def test_a_blank_name_changes_nothing(org: Org) -> None:
    unit = org.unit("kept")
    for name in (None, " ", "\t \n"):
        given = units.UpdateOrganizationalUnitCommand(organizational_unit_id=unit, name=name)
        assert org.call(given).organizational_unit.name == "kept"
    shown = org.call(units.DescribeOrganizationalUnitCommand(organizational_unit_id=unit)).organizational_unit
    assert shown.name == "kept"


@pytest.mark.parametrize("name", ["\0", "\U0010ffff", " ", "é" * 128, '<"&>'])
def test_any_name_can_be_kept(org: Org, name: str) -> None:
    unit = org.unit(name)
    shown = org.call(units.DescribeOrganizationalUnitCommand(organizational_unit_id=unit)).organizational_unit
    assert shown.name == name
    org.refused(
        units.CreateOrganizationalUnitCommand(parent_id=org.top, name=name), DuplicateOrganizationalUnitException
    )


@pytest.mark.facts("ORG-004", "POL-LM-011")
def test_units_are_five_deep_at_most(org: Org) -> None:
    parent = org.top
    path = f"{org.id}/{org.top}/"
    account = org.account()
    for number in range(5):
        unit = org.unit(f"u{number}", parent)
        path += f"{unit}/"
        org.move(account, parent, unit)
        parent = unit
    shown = org.call(units.DescribeOrganizationalUnitCommand(organizational_unit_id=parent)).organizational_unit
    assert shown.path == path
    deeper = units.CreateOrganizationalUnitCommand(parent_id=parent, name="six")
    assert org.refused(deeper, ConstraintViolationException) == "OU_DEPTH_LIMIT_EXCEEDED"
    facts = org.facts(account)
    assert facts is not None
    assert facts.path == path


@pytest.mark.facts("POL-LM-011")
def test_an_organization_has_so_many_units(org: Org) -> None:
    with org.world.store.transaction() as rows:
        records = Records(rows)
        stored = records.get(type(org.record(ACCOUNT)), "", ACCOUNT)
        assert stored is not None
        records.replace(stored, with_limits(stored.record, {"OrganizationalUnitsPerOrganization": 2}))
    org.unit("b", org.unit("a"))
    more = units.CreateOrganizationalUnitCommand(parent_id=org.top, name="c")
    assert org.refused(more, ConstraintViolationException) == "OU_NUMBER_LIMIT_EXCEEDED"


@pytest.mark.facts("ORG-004")
def test_a_unit_is_deleted_only_when_empty(org: Org) -> None:
    unit, account = org.unit("a"), org.account()
    inner = org.unit("b", unit)
    command = units.DeleteOrganizationalUnitCommand(organizational_unit_id=unit)
    org.refused(command, OrganizationalUnitNotEmptyException)
    org.call(units.DeleteOrganizationalUnitCommand(organizational_unit_id=inner))
    org.move(account, org.top, unit)
    org.refused(command, OrganizationalUnitNotEmptyException)
    org.move(account, unit, org.top)
    org.call(command)


@pytest.mark.facts("ORG-005")
def test_parents_and_children_are_the_direct_ones(org: Org) -> None:
    unit = org.unit("a")
    inner = org.unit("b", unit)
    account = org.account()
    org.move(account, org.top, inner)

    def parents(child: str) -> list[tuple[str, str]]:
        return [(each.id, each.type) for each in org.call(units.ListParentsCommand(child_id=child)).parents]

    def children(parent: str, kind: str) -> list[tuple[str, str]]:
        listed = org.call(units.ListChildrenCommand(parent_id=parent, child_type=kind)).children
        return [(each.id, each.type) for each in listed]

    assert parents(account) == [(inner, "ORGANIZATIONAL_UNIT")]
    assert parents(inner) == [(unit, "ORGANIZATIONAL_UNIT")]
    assert parents(unit) == [(org.top, "ROOT")]
    assert parents(ACCOUNT) == [(org.top, "ROOT")]
    assert children(org.top, "ACCOUNT") == [(ACCOUNT, "ACCOUNT")]
    assert children(org.top, "ORGANIZATIONAL_UNIT") == [(unit, "ORGANIZATIONAL_UNIT")]
    assert children(unit, "ACCOUNT") == []
    assert children(inner, "ACCOUNT") == [(account, "ACCOUNT")]
    org.refused(units.ListParentsCommand(child_id=OTHER), ChildNotFoundException)
    org.refused(units.ListChildrenCommand(parent_id="r-zzzz", child_type="ACCOUNT"), ParentNotFoundException)


@pytest.mark.facts("ORG-GEN-002", "ORG-005")
def test_units_are_listed_page_by_page(org: Org) -> None:
    made = sorted(org.unit(f"u{number}") for number in range(45))
    org.unit("inside", made[0])
    found, token, pages = [], None, 0
    while pages == 0 or token is not None:
        command = units.ListOrganizationalUnitsForParentCommand(parent_id=org.top, next_token=token)
        listed = org.call(command)
        found += [each.id for each in listed.organizational_units]
        token = listed.next_token
        pages += 1
    assert found == made
    assert pages == 3


def resources(org: Org) -> list[str]:
    return [org.top, org.unit(), org.account(), org.policy()]


def test_root_units_accounts_and_policies_have_tags(org: Org) -> None:
    for resource in resources(org):
        org.call(
            units.TagResourceCommand(
                resource_id=resource, tags=(types.Tag(key="a", value="1"), types.Tag(key="b", value="2"))
            )
        )
        org.call(units.TagResourceCommand(resource_id=resource, tags=(types.Tag(key="b", value="3"),)))
        org.call(units.UntagResourceCommand(resource_id=resource, tag_keys=("a", "never")))
        listed = org.call(units.ListTagsForResourceCommand(resource_id=resource)).tags
        assert listed == (types.Tag(key="b", value="3"),)


def test_what_is_not_there_has_no_tags(org: Org) -> None:
    for resource in ("r-zzzz", "ou-zzzz-zzzzzzzz", OTHER, "p-zzzzzzzz", "rp-zzzz", "rt-zzzzzzzz"):
        org.refused(units.ListTagsForResourceCommand(resource_id=resource), TargetNotFoundException)
        tags = (types.Tag(key="a", value=""),)
        org.refused(units.TagResourceCommand(resource_id=resource, tags=tags), TargetNotFoundException)
    assert org.call(units.ListTagsForResourceCommand(resource_id=FULL[SCP])).tags == ()
    own = units.TagResourceCommand(resource_id=FULL[SCP], tags=(types.Tag(key="a", value=""),))
    assert org.refused(own, InvalidInputException) == "TARGET_NOT_SUPPORTED"


@pytest.mark.facts("POL-LM-011")
def test_the_rules_of_tags(org: Org) -> None:
    def tag(*keys: str) -> units.TagResourceCommand:
        return units.TagResourceCommand(resource_id=org.top, tags=tuple(types.Tag(key=key, value="") for key in keys))

    org.call(tag())
    org.call(units.UntagResourceCommand(resource_id=org.top, tag_keys=()))
    assert org.refused(tag("a", "a"), InvalidInputException) == "DUPLICATE_TAG_KEY"
    assert org.refused(tag("AWS:a"), InvalidInputException) == "INVALID_SYSTEM_TAGS_PARAMETER"
    assert org.refused(tag(*map(str, range(51))), ConstraintViolationException) == "MAX_TAG_LIMIT_EXCEEDED"
    org.call(tag(*map(str, range(50))))
    assert org.refused(tag("one more"), ConstraintViolationException) == "MAX_TAG_LIMIT_EXCEEDED"
    org.call(tag("0"))
    listed = org.call(units.ListTagsForResourceCommand(resource_id=org.top))
    assert len(listed.tags) == 20
    rest = org.call(units.ListTagsForResourceCommand(resource_id=org.top, next_token=listed.next_token))
    assert rest.tags[0].key > listed.tags[-1].key
