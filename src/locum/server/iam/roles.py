"""Roles and their trust policies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from locum.api.iam import roles as api
from locum.api.iam import types
from locum.core.records import Role
from locum.errors import DeleteConflictException, UnmodifiableEntityException, ValidationError
from locum.server.handlers import Call, handles
from locum.server.iam import documents, holders
from locum.server.iam.answers import boundary_of, change, moment, new_id, page
from locum.server.iam.tags import list_tags, merged_tags, tag, tags_of, untag
from locum.store.records import Stored

__all__ = [
    "check_modifiable",
    "create_role",
    "delete_role",
    "get_role",
    "list_roles",
    "role_shown",
    "update_assume_role_policy",
    "update_role",
]

_RESERVED_PATHS = ("/aws-service-role/", "/aws-reserved/")


def check_modifiable(role: Role) -> None:
    """UnmodifiableEntity for a role of AWS's or of a service, which nobody else changes (IAM-ROL-030)."""
    if role.path.startswith(_RESERVED_PATHS):
        raise UnmodifiableEntityException(
            f"Cannot perform the operation on the protected role '{role.name}' - this role is only modifiable by AWS"
        )


def _modifiable(call: Call[Any]) -> Stored[Role]:
    stored = holders.holder(call, Role)
    check_modifiable(stored.record)
    return stored


def role_shown(call: Call[Any], role: Role, **details: Any) -> types.Role:
    """A role as every answer shows it, with ``details`` of the operation's own."""
    return types.Role(
        path=role.path,
        role_name=role.name,
        role_id=role.id,
        arn=role.arn(call.partition),
        create_date=moment(role.created),
        assume_role_policy_document=documents.trust_shown(call, role),
        **details,
    )


@handles(api.CreateRoleCommand)
def create_role(call: Call[api.CreateRoleCommand]) -> api.CreateRoleResponse:
    """Create a role; the answer leaves out description and maximum duration (IAM-ROL-001).

    It shows the trust policy as it was sent: an account's id stays one here, other operations show the root ARN.
    """
    command = call.command
    path = command.path or "/"
    if path.startswith(_RESERVED_PATHS):
        raise ValidationError("The specified value for path is invalid: it is reserved for roles of services.")
    holders.check_free(call, Role, command.role_name)
    trust = documents.stored_trust(call, command.assume_role_policy_document)
    if command.permissions_boundary is not None:
        documents.check_boundary(call, command.permissions_boundary)
    role = Role(
        account=call.account,
        id=new_id(call, "AROA"),
        name=command.role_name,
        path=path,
        created=int(call.now),
        tags=merged_tags({}, command.tags, folded=True),
        boundary=command.permissions_boundary,
        trust=trust,
        description=command.description,
        max_session_duration=command.max_session_duration or 3_600,
    )
    holders.create(call, role)
    shown = role_shown(call, role, tags=tags_of(role.tags) or None, permissions_boundary=boundary_of(role))
    sent = types.encode_document(command.assume_role_policy_document)
    return api.CreateRoleResponse(role=msgspec.structs.replace(shown, assume_role_policy_document=sent))


@handles(api.GetRoleCommand)
def get_role(call: Call[api.GetRoleCommand]) -> api.GetRoleResponse:
    """A role with everything that is known of it (IAM-ROL-002)."""
    role = holders.holder(call, Role).record
    return api.GetRoleResponse(
        role=role_shown(
            call,
            role,
            description=role.description,
            max_session_duration=role.max_session_duration,
            permissions_boundary=boundary_of(role),
            tags=tags_of(role.tags) or None,
            role_last_used=documents.role_last_used(call, role),
        )
    )


@handles(api.UpdateRoleCommand)
def update_role(call: Call[api.UpdateRoleCommand]) -> api.UpdateRoleResponse:
    """Change description or maximum duration; what is left out stays, an empty description is kept (IAM-ROL-005)."""
    command = call.command
    stored = holders.holder(call, Role)
    changes: dict[str, Any] = {}
    if command.description is not None:
        changes["description"] = command.description
    if command.max_session_duration is not None:
        check_modifiable(stored.record)
        changes["max_session_duration"] = command.max_session_duration
    call.records.change(stored, **changes)
    return api.UpdateRoleResponse()


@handles(api.UpdateRoleDescriptionCommand)
def update_role_description(call: Call[api.UpdateRoleDescriptionCommand]) -> api.UpdateRoleDescriptionResponse:
    """Change the description, the old way, which answers the role (IAM-ROL-006)."""
    role = call.records.change(holders.holder(call, Role), description=call.command.description)
    return api.UpdateRoleDescriptionResponse(role=role_shown(call, role, description=role.description))


@handles(api.UpdateAssumeRolePolicyCommand)
def update_assume_role_policy(call: Call[api.UpdateAssumeRolePolicyCommand]) -> types.Nothing:
    """Replace the trust policy (IAM-ROL-007)."""
    stored = _modifiable(call)
    return change(call, stored, trust=documents.stored_trust(call, call.command.policy_document))


@handles(api.DeleteRoleCommand)
def delete_role(call: Call[api.DeleteRoleCommand]) -> types.Nothing:
    """Delete a role without policies and profiles; its sessions end at once (IAM-ROL-010, POL-SS-008)."""
    stored = _modifiable(call)
    holders.check_deletable(stored.record)
    if call.records.found("profile-role", stored.record.id, limit=1):
        raise DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
    call.records.delete(stored)
    call.usage.forget(call.records, stored.record.id)
    return types.Nothing()


@handles(api.ListRolesCommand)
def list_roles(call: Call[api.ListRolesCommand]) -> api.ListRolesResponse:
    """Roles under a path prefix, ascending by name; without tags, last use and boundary (IAM-ROL-003)."""
    prefix = call.command.path_prefix or "/"

    def entries(after: str) -> Iterator[tuple[str, types.Role]]:
        for stored in call.records.each(Role, call.account, after=after):
            role = stored.record
            if role.path.startswith(prefix):
                yield (
                    role.key[2],
                    role_shown(
                        call, role, description=role.description, max_session_duration=role.max_session_duration
                    ),
                )

    roles, shown = page(call, entries)
    return api.ListRolesResponse(roles=roles, is_truncated=shown.is_truncated, marker=shown.marker)


@handles(api.TagRoleCommand)
def tag_role(call: Call[api.TagRoleCommand]) -> types.Nothing:
    """Tag a role."""
    return tag(call, holders.holder(call, Role))


@handles(api.UntagRoleCommand)
def untag_role(call: Call[api.UntagRoleCommand]) -> types.Nothing:
    """Remove tags from a role."""
    return untag(call, holders.holder(call, Role))


@handles(api.ListRoleTagsCommand)
def list_role_tags(call: Call[api.ListRoleTagsCommand]) -> api.ListRoleTagsResponse:
    """The tags of a role."""
    tags, shown = list_tags(call, holders.holder(call, Role).record.tags)
    return api.ListRoleTagsResponse(tags=tags, is_truncated=shown.is_truncated, marker=shown.marker)


@handles(api.PutRolePolicyCommand)
def put_role_policy(call: Call[api.PutRolePolicyCommand]) -> types.Nothing:
    """Write an inline policy of a role."""
    _modifiable(call)
    return holders.put_inline(call, Role)


@handles(api.GetRolePolicyCommand)
def get_role_policy(call: Call[api.GetRolePolicyCommand]) -> api.GetRolePolicyResponse:
    """An inline policy of a role, as it was stored (IAM-ROL-009)."""
    role, text = holders.inline(call, Role)
    return api.GetRolePolicyResponse(
        role_name=role.name, policy_name=call.command.policy_name, policy_document=types.encode_document(text)
    )


@handles(api.DeleteRolePolicyCommand)
def delete_role_policy(call: Call[api.DeleteRolePolicyCommand]) -> types.Nothing:
    """Remove an inline policy of a role."""
    _modifiable(call)
    return holders.delete_inline(call, Role)


@handles(api.ListRolePoliciesCommand)
def list_role_policies(call: Call[api.ListRolePoliciesCommand]) -> api.ListRolePoliciesResponse:
    """The names of a role's inline policies."""
    names, shown = holders.inline_names(call, Role)
    return api.ListRolePoliciesResponse(policy_names=names, is_truncated=shown.is_truncated, marker=shown.marker)


@handles(api.AttachRolePolicyCommand)
def attach_role_policy(call: Call[api.AttachRolePolicyCommand]) -> types.Nothing:
    """Attach a managed policy to a role."""
    _modifiable(call)
    return holders.attach(call, Role)


@handles(api.DetachRolePolicyCommand)
def detach_role_policy(call: Call[api.DetachRolePolicyCommand]) -> types.Nothing:
    """Detach a managed policy from a role."""
    _modifiable(call)
    return holders.detach(call, Role)


@handles(api.ListAttachedRolePoliciesCommand)
def list_attached_role_policies(
    call: Call[api.ListAttachedRolePoliciesCommand],
) -> api.ListAttachedRolePoliciesResponse:
    """The managed policies attached to a role."""
    policies, shown = holders.attached(call, Role)
    return api.ListAttachedRolePoliciesResponse(
        attached_policies=policies, is_truncated=shown.is_truncated, marker=shown.marker
    )


@handles(api.PutRolePermissionsBoundaryCommand)
def put_role_permissions_boundary(call: Call[api.PutRolePermissionsBoundaryCommand]) -> types.Nothing:
    """Set the permissions boundary of a role."""
    _modifiable(call)
    return holders.put_boundary(call, Role)


@handles(api.DeleteRolePermissionsBoundaryCommand)
def delete_role_permissions_boundary(call: Call[api.DeleteRolePermissionsBoundaryCommand]) -> types.Nothing:
    """Remove the permissions boundary of a role."""
    _modifiable(call)
    return holders.delete_boundary(call, Role)
