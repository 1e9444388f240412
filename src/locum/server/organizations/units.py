"""Organizational units, what is under what (ORG-004, ORG-005), and tags of everything in an organization."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from locum.api.organizations import types
from locum.api.organizations import units as api
from locum.core.organization import MAX_UNIT_DEPTH
from locum.core.organization_records import Organization, OrgPolicy, OrgUnit, name_mark
from locum.core.records import Account
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
from locum.server.handlers import Call, handles
from locum.server.organizations.answers import merged_tags, new_id, page, tags_of, unit_shown
from locum.server.organizations.members import find_place, most, organization_managed, organization_read
from locum.server.organizations.targets import find_policy
from locum.server.pages import whole
from locum.store.organizations import each_found, units_above
from locum.store.records import Stored

__all__ = [
    "create_organizational_unit",
    "delete_organizational_unit",
    "describe_organizational_unit",
    "list_children",
    "list_organizational_units_for_parent",
    "list_parents",
    "list_tags_for_resource",
    "tag_resource",
    "untag_resource",
    "update_organizational_unit",
]


def _check_parent(call: Call[Any], organization: Stored[Organization]) -> None:
    if find_place(call.records, organization, call.command.parent_id) is None:
        raise ParentNotFoundException("You specified a parent that doesn't exist.")


def _check_name(call: Call[Any], parent: str, name: str) -> None:
    if call.records.found("unit-name", name_mark(parent, name), limit=1):
        raise DuplicateOrganizationalUnitException("An OU with the same name already exists.")


def _unit(call: Call[Any], organization: Organization) -> Stored[OrgUnit]:
    stored = call.records.get(OrgUnit, "", call.command.organizational_unit_id)
    if stored is None or stored.record.organization != organization.id:
        raise OrganizationalUnitNotFoundException("You specified an organizational unit that doesn't exist.")
    return stored


def _too_many(call: Call[Any], organization: Organization) -> bool:
    allowed = most(call, organization, "OrganizationalUnitsPerOrganization")
    return allowed == 0 or len(call.records.found("org-unit", organization.id, limit=allowed)) >= allowed


@handles(api.CreateOrganizationalUnitCommand)
def create_organizational_unit(
    call: Call[api.CreateOrganizationalUnitCommand],
) -> api.CreateOrganizationalUnitResponse:
    """Make a unit (ORG-004)."""
    stored = organization_managed(call)
    organization, command = stored.record, call.command
    tags = merged_tags({}, command.tags)
    _check_parent(call, stored)
    if len(units_above(call.records, organization, command.parent_id)) >= MAX_UNIT_DEPTH:
        raise ConstraintViolationException(
            f"Organizational units can be nested {MAX_UNIT_DEPTH} levels deep.", reason="OU_DEPTH_LIMIT_EXCEEDED"
        )
    if _too_many(call, organization):
        raise ConstraintViolationException(
            "You have exceeded the allowed number of organizational units.", reason="OU_NUMBER_LIMIT_EXCEEDED"
        )
    _check_name(call, command.parent_id, command.name)
    unit = OrgUnit(
        id=new_id(call, f"ou-{organization.root.removeprefix('r-')}-", 8),
        organization=organization.id,
        parent=command.parent_id,
        name=command.name,
        created=int(call.now),
        tags=tags,
    )
    call.records.create(unit)
    return api.CreateOrganizationalUnitResponse(organizational_unit=unit_shown(call, organization, unit))


@handles(api.DescribeOrganizationalUnitCommand)
def describe_organizational_unit(
    call: Call[api.DescribeOrganizationalUnitCommand],
) -> api.DescribeOrganizationalUnitResponse:
    """A unit with its path."""
    organization = organization_read(call).record
    unit = _unit(call, organization).record
    return api.DescribeOrganizationalUnitResponse(organizational_unit=unit_shown(call, organization, unit))


@handles(api.UpdateOrganizationalUnitCommand)
def update_organizational_unit(
    call: Call[api.UpdateOrganizationalUnitCommand],
) -> api.UpdateOrganizationalUnitResponse:
    """Rename a unit; a blank name changes nothing."""
    organization = organization_managed(call).record
    stored = _unit(call, organization)
    unit, name = stored.record, call.command.name
    if name is not None and name.strip() and name != unit.name:
        _check_name(call, unit.parent, name)
        unit = call.records.change(stored, name=name)
    return api.UpdateOrganizationalUnitResponse(organizational_unit=unit_shown(call, organization, unit))


@handles(api.DeleteOrganizationalUnitCommand)
def delete_organizational_unit(call: Call[api.DeleteOrganizationalUnitCommand]) -> types.Nothing:
    """Delete an empty unit; what is attached to it goes with it (ORG-004)."""
    stored = _unit(call, organization_managed(call).record)
    if any(call.records.found(index, stored.record.id, limit=1) for index in ("account-parent", "unit-parent")):
        raise OrganizationalUnitNotEmptyException("The organizational unit (OU) is not empty.")
    call.records.delete(stored)
    return types.Nothing()


@handles(api.ListOrganizationalUnitsForParentCommand)
def list_organizational_units_for_parent(
    call: Call[api.ListOrganizationalUnitsForParentCommand],
) -> api.ListOrganizationalUnitsForParentResponse:
    """The units directly under the root or a unit, by id."""
    stored = organization_read(call)
    _check_parent(call, stored)

    def entries(after: str) -> Iterator[tuple[str, types.OrganizationalUnit]]:
        for unit in each_found(call.records, OrgUnit, "unit-parent", call.command.parent_id, after=after):
            yield unit.record.id, unit_shown(call, stored.record, unit.record)

    units, token = page(call, entries)
    return api.ListOrganizationalUnitsForParentResponse(organizational_units=units, next_token=token)


@handles(api.ListParentsCommand)
def list_parents(call: Call[api.ListParentsCommand]) -> api.ListParentsResponse:
    """The one parent of an account or unit (ORG-005)."""
    stored = organization_read(call)
    child = find_place(call.records, stored, call.command.child_id)
    if child is None:
        raise ChildNotFoundException("You specified a child that doesn't exist.")
    id = child.record.parent
    parent = types.Parent(id=id, type="ROOT" if id == stored.record.root else "ORGANIZATIONAL_UNIT")
    parents, token = page(call, lambda after: [] if after else [(id, parent)])
    return api.ListParentsResponse(parents=parents, next_token=token)


@handles(api.ListChildrenCommand)
def list_children(call: Call[api.ListChildrenCommand]) -> api.ListChildrenResponse:
    """The accounts, or the units, directly under the root or a unit, by id (ORG-005)."""
    _check_parent(call, organization_read(call))
    command = call.command
    of_accounts = command.child_type == "ACCOUNT"
    kind: type[Account] | type[OrgUnit] = Account if of_accounts else OrgUnit
    index = "account-parent" if of_accounts else "unit-parent"

    def entries(after: str) -> Iterator[tuple[str, types.Child]]:
        for child in each_found(call.records, kind, index, command.parent_id, after=after):
            yield child.record.id, types.Child(id=child.record.id, type=command.child_type)

    children, token = page(call, entries)
    return api.ListChildrenResponse(children=children, next_token=token)


def _tagged(call: Call[Any], organization: Stored[Organization]) -> Stored[Any]:
    """What the call names: root, unit, account or policy; TargetNotFound for anything else."""
    id = call.command.resource_id
    found: Stored[Any] | None
    if id.startswith("p-"):
        found = find_policy(call.records, organization.record, id)
    else:
        found = find_place(call.records, organization, id)
    if found is None:
        raise TargetNotFoundException("You specified a target that doesn't exist.")
    return found


def _save_tags(call: Call[Any], stored: Stored[Any], tags: dict[str, str]) -> types.Nothing:
    if isinstance(stored.record, OrgPolicy) and stored.version == 0:
        raise InvalidInputException("You cannot tag a policy of AWS.", reason="TARGET_NOT_SUPPORTED")
    call.records.change(stored, tags=tags)
    return types.Nothing()


@handles(api.TagResourceCommand)
def tag_resource(call: Call[api.TagResourceCommand]) -> types.Nothing:
    """Put tags on something in the organization."""
    stored = _tagged(call, organization_managed(call))
    return _save_tags(call, stored, merged_tags(stored.record.tags, call.command.tags))


@handles(api.UntagResourceCommand)
def untag_resource(call: Call[api.UntagResourceCommand]) -> types.Nothing:
    """Remove tags from something in the organization."""
    stored = _tagged(call, organization_managed(call))
    rest = {key: value for key, value in stored.record.tags.items() if key not in call.command.tag_keys}
    return _save_tags(call, stored, rest)


@handles(api.ListTagsForResourceCommand)
def list_tags_for_resource(call: Call[api.ListTagsForResourceCommand]) -> api.ListTagsForResourceResponse:
    """The tags of something in the organization, by key."""
    tags = _tagged(call, organization_read(call)).record.tags
    shown, token = page(call, whole((tag.key, tag) for tag in tags_of(tags)))
    return api.ListTagsForResourceResponse(tags=shown, next_token=token)
