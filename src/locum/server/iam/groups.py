"""Groups and who is in them.

A user's record names its groups, and an index answers who names a group: neither side grows with the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from locum.api.iam import groups as api
from locum.api.iam import types
from locum.core.records import Group, User
from locum.errors import DeleteConflictException, NoSuchEntityException
from locum.server.handlers import Call, handles
from locum.server.iam import holders
from locum.server.iam.answers import change, moment, new_id, page
from locum.server.iam.limits import check_quota
from locum.server.iam.users import user_shown
from locum.server.pages import whole
from locum.store import Key
from locum.store.records import Stored

__all__ = [
    "add_user_to_group",
    "create_group",
    "delete_group",
    "get_group",
    "group_shown",
    "groups_of",
    "list_groups",
    "list_groups_for_user",
    "members_of",
    "remove_user_from_group",
    "update_group",
]


def group_shown(call: Call[Any], group: Group) -> types.Group:
    """A group as answers show it (IAM-GRP-001)."""
    return types.Group(
        path=group.path,
        group_name=group.name,
        group_id=group.id,
        arn=group.arn(call.partition),
        create_date=moment(group.created),
    )


def groups_of(call: Call[Any], user: User) -> list[Group]:
    """The groups that a user is in, in ascending order of their names."""
    found = (call.records.group(each) for each in user.groups)
    return sorted((stored.record for stored in found if stored is not None), key=lambda group: group.key[2])


def members_of(call: Call[Any], group: Group, after: str = "") -> Iterator[tuple[str, User]]:
    """The users in a group after a folded name, each with its own, ascending."""
    last = Key(call.account, User.kind, after)
    while keys := call.records.found("member", group.id, after=last):
        for key in keys:
            stored = call.records.read(key)
            if stored is not None and isinstance(stored.record, User):
                yield key.name, stored.record
        last = keys[-1]


def _user(call: Call[Any]) -> Stored[User]:
    stored = call.records.get(User, call.account, call.command.user_name)
    if stored is None:
        raise NoSuchEntityException(f"The user with name {call.command.user_name} cannot be found.")
    return stored


@handles(api.CreateGroupCommand)
def create_group(call: Call[api.CreateGroupCommand]) -> api.CreateGroupResponse:
    """Create a group (IAM-GRP-001)."""
    command = call.command
    holders.check_free(call, Group, command.group_name)
    group = Group(
        account=call.account,
        id=new_id(call, "AGPA"),
        name=command.group_name,
        path=command.path or "/",
        created=int(call.now),
    )
    holders.create(call, group)
    return api.CreateGroupResponse(group=group_shown(call, group))


@handles(api.GetGroupCommand)
def get_group(call: Call[api.GetGroupCommand]) -> api.GetGroupResponse:
    """A group and its members, ascending by name (IAM-GRP-002)."""
    group = holders.holder(call, Group).record

    def entries(after: str) -> Iterator[tuple[str, types.User]]:
        for name, user in members_of(call, group, after):
            yield name, user_shown(call, user, whole=False)

    users, shown = page(call, entries)
    return api.GetGroupResponse(
        group=group_shown(call, group), users=users, is_truncated=shown.is_truncated, marker=shown.marker
    )


@handles(api.UpdateGroupCommand)
def update_group(call: Call[api.UpdateGroupCommand]) -> types.Nothing:
    """Rename or move a group; its id, members and policies stay (IAM-GRP-004)."""
    command = call.command
    stored = holders.holder(call, Group)
    name = command.new_group_name or stored.record.name
    if name.lower() != stored.record.name.lower():
        holders.check_free(call, Group, name)
    return change(call, stored, name=name, path=command.new_path or stored.record.path)


@handles(api.DeleteGroupCommand)
def delete_group(call: Call[api.DeleteGroupCommand]) -> types.Nothing:
    """Delete a group without members and policies (IAM-GRP-005)."""
    stored = holders.holder(call, Group)
    if call.records.found("member", stored.record.id, limit=1):
        raise DeleteConflictException("Cannot delete entity, must remove users from group first.")
    holders.check_deletable(stored.record)
    call.records.delete(stored)
    return types.Nothing()


@handles(api.ListGroupsCommand)
def list_groups(call: Call[api.ListGroupsCommand]) -> api.ListGroupsResponse:
    """Groups under a path prefix, ascending by name (IAM-GEN-014, IAM-GEN-053)."""
    prefix = call.command.path_prefix or "/"

    def entries(after: str) -> Iterator[tuple[str, types.Group]]:
        for stored in call.records.each(Group, call.account, after=after):
            if stored.record.path.startswith(prefix):
                yield stored.record.key[2], group_shown(call, stored.record)

    groups, shown = page(call, entries)
    return api.ListGroupsResponse(groups=groups, is_truncated=shown.is_truncated, marker=shown.marker)


@handles(api.AddUserToGroupCommand)
def add_user_to_group(call: Call[api.AddUserToGroupCommand]) -> types.Nothing:
    """Put a user into a group; once more does no harm (IAM-GRP-003, IAM-GRP-007)."""
    stored = _user(call)
    group = holders.holder(call, Group).record.id
    held = stored.record.groups
    if group not in held:
        check_quota(call, "GroupsPerUser", len(held) + 1)
        call.records.change(stored, groups=(*held, group))
    return types.Nothing()


@handles(api.RemoveUserFromGroupCommand)
def remove_user_from_group(call: Call[api.RemoveUserFromGroupCommand]) -> types.Nothing:
    """Take a user out of a group; an unknown user is reported before an unknown group (IAM-GRP-003)."""
    stored = _user(call)
    group = holders.holder(call, Group).record.id
    held = stored.record.groups
    if group in held:
        call.records.change(stored, groups=tuple(each for each in held if each != group))
    return types.Nothing()


@handles(api.ListGroupsForUserCommand)
def list_groups_for_user(call: Call[api.ListGroupsForUserCommand]) -> api.ListGroupsForUserResponse:
    """The groups that a user is in, ascending by name."""
    held = groups_of(call, holders.holder(call, User).record)
    groups, shown = page(call, whole((group.key[2], group_shown(call, group)) for group in held))
    return api.ListGroupsForUserResponse(groups=groups, is_truncated=shown.is_truncated, marker=shown.marker)


@handles(api.PutGroupPolicyCommand)
def put_group_policy(call: Call[api.PutGroupPolicyCommand]) -> types.Nothing:
    """Write an inline policy of a group."""
    return holders.put_inline(call, Group)


@handles(api.GetGroupPolicyCommand)
def get_group_policy(call: Call[api.GetGroupPolicyCommand]) -> api.GetGroupPolicyResponse:
    """An inline policy of a group, as it was stored."""
    group, text = holders.inline(call, Group)
    return api.GetGroupPolicyResponse(
        group_name=group.name, policy_name=call.command.policy_name, policy_document=types.encode_document(text)
    )


@handles(api.DeleteGroupPolicyCommand)
def delete_group_policy(call: Call[api.DeleteGroupPolicyCommand]) -> types.Nothing:
    """Remove an inline policy of a group."""
    return holders.delete_inline(call, Group)


@handles(api.ListGroupPoliciesCommand)
def list_group_policies(call: Call[api.ListGroupPoliciesCommand]) -> api.ListGroupPoliciesResponse:
    """The names of a group's inline policies."""
    names, shown = holders.inline_names(call, Group)
    return api.ListGroupPoliciesResponse(policy_names=names, is_truncated=shown.is_truncated, marker=shown.marker)


@handles(api.AttachGroupPolicyCommand)
def attach_group_policy(call: Call[api.AttachGroupPolicyCommand]) -> types.Nothing:
    """Attach a managed policy to a group."""
    return holders.attach(call, Group)


@handles(api.DetachGroupPolicyCommand)
def detach_group_policy(call: Call[api.DetachGroupPolicyCommand]) -> types.Nothing:
    """Detach a managed policy from a group."""
    return holders.detach(call, Group)


@handles(api.ListAttachedGroupPoliciesCommand)
def list_attached_group_policies(
    call: Call[api.ListAttachedGroupPoliciesCommand],
) -> api.ListAttachedGroupPoliciesResponse:
    """The managed policies attached to a group."""
    policies, shown = holders.attached(call, Group)
    return api.ListAttachedGroupPoliciesResponse(
        attached_policies=policies, is_truncated=shown.is_truncated, marker=shown.marker
    )
