"""Organizational units and what is under what (ORG-004, ORG-005), and tags of everything in an organization."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from locum.api.organizations.service import ORGANIZATIONS
from locum.api.organizations.types import (
    COMMON,
    Child,
    ChildId,
    MaxResults,
    NextToken,
    Nothing,
    OrganizationalUnit,
    OrganizationalUnitId,
    OrganizationalUnitName,
    Parent,
    ParentId,
    TagKeys,
    Tags,
)
from locum.api.shapes import Authorization, Command, Operation, Shape, Target, items, text
from locum.organization_errors import (
    ChildNotFoundException,
    ConcurrentModificationException,
    ConstraintViolationException,
    DuplicateOrganizationalUnitException,
    InvalidInputException,
    OrganizationalUnitNotEmptyException,
    OrganizationalUnitNotFoundException,
    ParentNotFoundException,
    TargetNotFoundException,
)

__all__ = [
    "COMMANDS",
    "CreateOrganizationalUnitCommand",
    "CreateOrganizationalUnitResponse",
    "DeleteOrganizationalUnitCommand",
    "DescribeOrganizationalUnitCommand",
    "DescribeOrganizationalUnitResponse",
    "ListChildrenCommand",
    "ListChildrenResponse",
    "ListOrganizationalUnitsForParentCommand",
    "ListOrganizationalUnitsForParentResponse",
    "ListParentsCommand",
    "ListParentsResponse",
    "ListTagsForResourceCommand",
    "ListTagsForResourceResponse",
    "TagResourceCommand",
    "UntagResourceCommand",
    "UpdateOrganizationalUnitCommand",
    "UpdateOrganizationalUnitResponse",
]

_PARENT: Final = Target("org-place", "parent_id")
_UNIT: Final = Target("org-place", "organizational_unit_id")
_RESOURCE: Final = Target("org-resource", "resource_id")
_UNDER: Final = (*COMMON, InvalidInputException, ParentNotFoundException)
_TAGGING: Final = (
    *COMMON,
    ConcurrentModificationException,
    TargetNotFoundException,
    ConstraintViolationException,
    InvalidInputException,
)

TaggableResourceId = Annotated[
    str,
    text(
        None,
        130,
        r"^(r-[0-9a-z]{4,32})|(\d{12})|(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})|(^p-[0-9a-zA-Z_]{8,128})"
        r"|(^rp-[0-9a-zA-Z_]{4,128})|(^rt-[0-9a-zA-Z_]{8,32})$",
    ),
]
"""The root, an account, a unit or a policy; other kinds of things there are none of."""


class CreateOrganizationalUnitResponse(Shape):
    """The unit that was made."""

    organizational_unit: OrganizationalUnit


class CreateOrganizationalUnitCommand(Command[CreateOrganizationalUnitResponse]):
    """Make a unit under the root or another unit, at most five deep (ORG-004)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "CreateOrganizationalUnit",
        Authorization(_PARENT, keys=("aws:RequestTag/", "aws:TagKeys")),
        errors=(
            *COMMON,
            ConcurrentModificationException,
            ConstraintViolationException,
            DuplicateOrganizationalUnitException,
            InvalidInputException,
            ParentNotFoundException,
        ),
        read_only=False,
        writes=True,
    )

    parent_id: ParentId
    name: OrganizationalUnitName
    tags: Tags = ()


class DescribeOrganizationalUnitResponse(Shape):
    """The unit."""

    organizational_unit: OrganizationalUnit


class DescribeOrganizationalUnitCommand(Command[DescribeOrganizationalUnitResponse]):
    """Show a unit."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "DescribeOrganizationalUnit",
        Authorization(_UNIT),
        errors=(*COMMON, InvalidInputException, OrganizationalUnitNotFoundException),
    )

    organizational_unit_id: OrganizationalUnitId


class UpdateOrganizationalUnitResponse(Shape):
    """The unit as it is now."""

    organizational_unit: OrganizationalUnit


class UpdateOrganizationalUnitCommand(Command[UpdateOrganizationalUnitResponse]):
    """Rename a unit; what is under it and attached to it stays."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "UpdateOrganizationalUnit",
        Authorization(_UNIT),
        errors=(
            *COMMON,
            ConcurrentModificationException,
            DuplicateOrganizationalUnitException,
            InvalidInputException,
            OrganizationalUnitNotFoundException,
        ),
        read_only=False,
        writes=True,
    )

    organizational_unit_id: OrganizationalUnitId
    name: OrganizationalUnitName | None = None


class DeleteOrganizationalUnitCommand(Command[Nothing]):
    """Delete a unit that has neither accounts nor units (ORG-004)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "DeleteOrganizationalUnit",
        Authorization(_UNIT),
        errors=(
            *COMMON,
            ConcurrentModificationException,
            InvalidInputException,
            OrganizationalUnitNotEmptyException,
            OrganizationalUnitNotFoundException,
        ),
        read_only=False,
        writes=True,
    )

    organizational_unit_id: OrganizationalUnitId


class ListOrganizationalUnitsForParentResponse(Shape):
    """One page of units."""

    organizational_units: tuple[OrganizationalUnit, ...]
    next_token: NextToken | None = None


class ListOrganizationalUnitsForParentCommand(Command[ListOrganizationalUnitsForParentResponse]):
    """List the units directly under the root or a unit, by id."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS, "ListOrganizationalUnitsForParent", Authorization(_PARENT), errors=_UNDER
    )

    parent_id: ParentId
    next_token: NextToken | None = None
    max_results: MaxResults | None = None


class ListParentsResponse(Shape):
    """The one parent."""

    parents: tuple[Parent, ...]
    next_token: NextToken | None = None


class ListParentsCommand(Command[ListParentsResponse]):
    """Show what an account or a unit is under: exactly one root or unit (ORG-005)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "ListParents",
        Authorization(Target("org-place", "child_id")),
        errors=(*COMMON, ChildNotFoundException, InvalidInputException),
    )

    child_id: ChildId
    next_token: NextToken | None = None
    max_results: MaxResults | None = None


class ListChildrenResponse(Shape):
    """One page of accounts, or of units."""

    children: tuple[Child, ...]
    next_token: NextToken | None = None


class ListChildrenCommand(Command[ListChildrenResponse]):
    """List the accounts, or the units, directly under the root or a unit, by id (ORG-005)."""

    operation: ClassVar[Operation] = Operation(ORGANIZATIONS, "ListChildren", Authorization(_PARENT), errors=_UNDER)

    parent_id: ParentId
    child_type: Annotated[str, text(one_of=("ACCOUNT", "ORGANIZATIONAL_UNIT"))]
    next_token: NextToken | None = None
    max_results: MaxResults | None = None


class TagResourceCommand(Command[Nothing]):
    """Put tags on the root, a unit, an account or a policy, over those with the same key."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "TagResource",
        Authorization(_RESOURCE, keys=("aws:RequestTag/", "aws:TagKeys", "organizations:PolicyType")),
        errors=_TAGGING,
        read_only=False,
        writes=True,
    )

    resource_id: TaggableResourceId
    tags: Annotated[Tags, items(empty=True)]


class UntagResourceCommand(Command[Nothing]):
    """Remove tags; keys that are not there do no harm."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "UntagResource",
        Authorization(_RESOURCE, keys=("aws:TagKeys", "organizations:PolicyType")),
        errors=_TAGGING,
        read_only=False,
        writes=True,
    )

    resource_id: TaggableResourceId
    tag_keys: Annotated[TagKeys, items(empty=True)]


class ListTagsForResourceResponse(Shape):
    """One page of tags."""

    tags: Tags
    next_token: NextToken | None = None


class ListTagsForResourceCommand(Command[ListTagsForResourceResponse]):
    """List the tags of the root, a unit, an account or a policy."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "ListTagsForResource",
        Authorization(_RESOURCE, keys=("organizations:PolicyType",)),
        errors=(*COMMON, TargetNotFoundException, InvalidInputException),
    )

    resource_id: TaggableResourceId
    next_token: NextToken | None = None


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    CreateOrganizationalUnitCommand,
    DescribeOrganizationalUnitCommand,
    UpdateOrganizationalUnitCommand,
    DeleteOrganizationalUnitCommand,
    ListOrganizationalUnitsForParentCommand,
    ListParentsCommand,
    ListChildrenCommand,
    TagResourceCommand,
    UntagResourceCommand,
    ListTagsForResourceCommand,
)
"""The commands of this module."""
