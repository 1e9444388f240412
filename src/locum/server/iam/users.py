"""Users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from locum.api.iam import types
from locum.api.iam import users as api
from locum.arn import account_root
from locum.core.account_records import LoginProfile
from locum.core.records import User
from locum.errors import DeleteConflictException
from locum.server.account_settings import alias_of
from locum.server.handlers import Call, handles
from locum.server.iam import documents, holders
from locum.server.iam.answers import boundary_of, change, moment, new_id, page
from locum.server.iam.tags import list_tags, merged_tags, tag, tags_of, untag

__all__ = ["create_user", "delete_user", "get_user", "list_users", "root_shown", "update_user", "user_shown"]


def user_shown(call: Call[Any], user: User, *, whole: bool) -> types.User:
    """A user as answers show it; lists leave out tags and boundary (IAM-USR-001)."""
    return types.User(
        path=user.path,
        user_name=user.name,
        user_id=user.id,
        arn=user.arn(call.partition),
        create_date=moment(user.created),
        permissions_boundary=boundary_of(user) if whole else None,
        tags=tags_of(user.tags) if whole and user.tags else None,
    )


def root_shown(call: Call[Any]) -> types.User:
    """The account's root user as answers show it (IAM-USR-009)."""
    alias = alias_of(call)
    return types.User(
        user_name=None if alias is None else alias.record.alias,
        user_id=call.account,
        arn=account_root(call.partition, call.account),
        create_date=moment(call.account_record.created),
    )


@handles(api.CreateUserCommand)
def create_user(call: Call[api.CreateUserCommand]) -> api.CreateUserResponse:
    """Create a user (IAM-USR-001, IAM-USR-002)."""
    command = call.command
    holders.check_free(call, User, command.user_name)
    if command.permissions_boundary is not None:
        documents.check_boundary(call, command.permissions_boundary)
    user = User(
        account=call.account,
        id=new_id(call, "AIDA"),
        name=command.user_name,
        path=command.path or "/",
        created=int(call.now),
        tags=merged_tags({}, command.tags, folded=True),
        boundary=command.permissions_boundary,
    )
    holders.create(call, user)
    return api.CreateUserResponse(user=user_shown(call, user, whole=True))


@handles(api.GetUserCommand)
def get_user(call: Call[api.GetUserCommand]) -> api.GetUserResponse:
    """A user, or the caller itself (IAM-USR-001, IAM-USR-009)."""
    if call.command.user_name is None and call.caller.is_root:
        return api.GetUserResponse(user=root_shown(call))
    return api.GetUserResponse(user=user_shown(call, holders.holder(call, User).record, whole=True))


@handles(api.UpdateUserCommand)
def update_user(call: Call[api.UpdateUserCommand]) -> types.Nothing:
    """Rename or move a user; its id, keys and policies stay (IAM-USR-003)."""
    command = call.command
    stored = holders.holder(call, User)
    name = command.new_user_name or stored.record.name
    if name.lower() != stored.record.name.lower():
        holders.check_free(call, User, name)
    return change(call, stored, name=name, path=command.new_path or stored.record.path)


@handles(api.DeleteUserCommand)
def delete_user(call: Call[api.DeleteUserCommand]) -> types.Nothing:
    """Delete a user that has no keys, password, MFA devices or policies and is in no group (IAM-USR-004)."""
    stored = holders.holder(call, User)
    if call.records.found("mfa-owner", stored.record.id, limit=1):
        raise DeleteConflictException("Cannot delete entity, must remove tokens from principal first.")
    if call.records.found("key-owner", stored.record.id, limit=1):
        raise DeleteConflictException("Cannot delete entity, must delete access keys first.")
    if call.records.get(LoginProfile, call.account, stored.record.id) is not None:
        raise DeleteConflictException("Cannot delete entity, must delete login profile first.")
    if stored.record.groups:
        raise DeleteConflictException("Cannot delete entity, must remove users from group first.")
    holders.check_deletable(stored.record)
    call.records.delete(stored)
    call.usage.forget(call.records, stored.record.id)
    return types.Nothing()


@handles(api.ListUsersCommand)
def list_users(call: Call[api.ListUsersCommand]) -> api.ListUsersResponse:
    """Users under a path prefix, ascending by name (IAM-GEN-014, IAM-GEN-053)."""
    prefix = call.command.path_prefix or "/"

    def entries(after: str) -> Iterator[tuple[str, types.User]]:
        for stored in call.records.each(User, call.account, after=after):
            if stored.record.path.startswith(prefix):
                yield stored.record.key[2], user_shown(call, stored.record, whole=False)

    users, shown = page(call, entries)
    return api.ListUsersResponse(users=users, is_truncated=shown.is_truncated, marker=shown.marker)


@handles(api.TagUserCommand)
def tag_user(call: Call[api.TagUserCommand]) -> types.Nothing:
    """Tag a user."""
    return tag(call, holders.holder(call, User))


@handles(api.UntagUserCommand)
def untag_user(call: Call[api.UntagUserCommand]) -> types.Nothing:
    """Remove tags from a user."""
    return untag(call, holders.holder(call, User))


@handles(api.ListUserTagsCommand)
def list_user_tags(call: Call[api.ListUserTagsCommand]) -> api.ListUserTagsResponse:
    """The tags of a user."""
    tags, shown = list_tags(call, holders.holder(call, User).record.tags)
    return api.ListUserTagsResponse(tags=tags, is_truncated=shown.is_truncated, marker=shown.marker)


@handles(api.PutUserPolicyCommand)
def put_user_policy(call: Call[api.PutUserPolicyCommand]) -> types.Nothing:
    """Write an inline policy of a user."""
    return holders.put_inline(call, User)


@handles(api.GetUserPolicyCommand)
def get_user_policy(call: Call[api.GetUserPolicyCommand]) -> api.GetUserPolicyResponse:
    """An inline policy of a user, as it was stored."""
    user, text = holders.inline(call, User)
    return api.GetUserPolicyResponse(
        user_name=user.name, policy_name=call.command.policy_name, policy_document=types.encode_document(text)
    )


@handles(api.DeleteUserPolicyCommand)
def delete_user_policy(call: Call[api.DeleteUserPolicyCommand]) -> types.Nothing:
    """Remove an inline policy of a user."""
    return holders.delete_inline(call, User)


@handles(api.ListUserPoliciesCommand)
def list_user_policies(call: Call[api.ListUserPoliciesCommand]) -> api.ListUserPoliciesResponse:
    """The names of a user's inline policies."""
    names, shown = holders.inline_names(call, User)
    return api.ListUserPoliciesResponse(policy_names=names, is_truncated=shown.is_truncated, marker=shown.marker)


@handles(api.AttachUserPolicyCommand)
def attach_user_policy(call: Call[api.AttachUserPolicyCommand]) -> types.Nothing:
    """Attach a managed policy to a user."""
    return holders.attach(call, User)


@handles(api.DetachUserPolicyCommand)
def detach_user_policy(call: Call[api.DetachUserPolicyCommand]) -> types.Nothing:
    """Detach a managed policy from a user."""
    return holders.detach(call, User)


@handles(api.ListAttachedUserPoliciesCommand)
def list_attached_user_policies(
    call: Call[api.ListAttachedUserPoliciesCommand],
) -> api.ListAttachedUserPoliciesResponse:
    """The managed policies attached to a user."""
    policies, shown = holders.attached(call, User)
    return api.ListAttachedUserPoliciesResponse(
        attached_policies=policies, is_truncated=shown.is_truncated, marker=shown.marker
    )


@handles(api.PutUserPermissionsBoundaryCommand)
def put_user_permissions_boundary(call: Call[api.PutUserPermissionsBoundaryCommand]) -> types.Nothing:
    """Set the permissions boundary of a user."""
    return holders.put_boundary(call, User)


@handles(api.DeleteUserPermissionsBoundaryCommand)
def delete_user_permissions_boundary(call: Call[api.DeleteUserPermissionsBoundaryCommand]) -> types.Nothing:
    """Remove the permissions boundary of a user."""
    return holders.delete_boundary(call, User)
