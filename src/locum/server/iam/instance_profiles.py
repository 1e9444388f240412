"""Instance profiles, each of which holds one role or none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from locum.api.iam import instance_profiles as api
from locum.api.iam import types
from locum.core.records import InstanceProfile, Role
from locum.errors import DeleteConflictException, EntityAlreadyExistsException, NoSuchEntityException
from locum.server.handlers import Call, handles
from locum.server.iam import holders
from locum.server.iam.answers import change, moment, new_id, page
from locum.server.iam.limits import check_quota
from locum.server.iam.roles import check_modifiable, role_shown
from locum.server.iam.tags import list_tags, merged_tags, tag, tags_of, untag
from locum.store import Key
from locum.store.records import Stored

__all__ = [
    "add_role_to_instance_profile",
    "create_instance_profile",
    "delete_instance_profile",
    "get_instance_profile",
    "list_instance_profiles",
    "list_instance_profiles_for_role",
    "profile_shown",
    "profiles_of",
    "remove_role_from_instance_profile",
]


def profile_shown(
    call: Call[Any], profile: InstanceProfile, *, tags: tuple[types.Tag, ...] | None = None
) -> types.InstanceProfile:
    """A profile as answers show it, with its role as CreateRole shows one (IAM-INS-001)."""
    stored = None if profile.role is None else call.records.by_id(profile.role)
    role = None if stored is None else stored.record
    return types.InstanceProfile(
        path=profile.path,
        instance_profile_name=profile.name,
        instance_profile_id=profile.id,
        arn=profile.arn(call.partition),
        create_date=moment(profile.created),
        roles=(role_shown(call, role),) if isinstance(role, Role) else (),
        tags=tags,
    )


def profiles_of(call: Call[Any], role: Role, after: str = "") -> Iterator[InstanceProfile]:
    """The profiles that hold a role, ascending by name, after a folded name."""
    last = Key(call.account, InstanceProfile.kind, after)
    while keys := call.records.found("profile-role", role.id, after=last):
        for key in keys:
            stored = call.records.read(key)
            if stored is not None and isinstance(stored.record, InstanceProfile):
                yield stored.record
        last = keys[-1]


def _profile(call: Call[Any]) -> Stored[InstanceProfile]:
    """The profile that the call names; NoSuchEntity where there is none (IAM-INS-002)."""
    stored = call.found(InstanceProfile)
    if stored is None:
        raise NoSuchEntityException(f"Instance Profile {call.command.instance_profile_name} cannot be found.")
    return stored


def _role(call: Call[Any]) -> Role:
    stored = call.records.get(Role, call.account, call.command.role_name)
    if stored is None:
        raise NoSuchEntityException(f"The role with name {call.command.role_name} cannot be found.")
    return stored.record


@handles(api.CreateInstanceProfileCommand)
def create_instance_profile(call: Call[api.CreateInstanceProfileCommand]) -> api.CreateInstanceProfileResponse:
    """Create a profile that holds no role (IAM-INS-001, IAM-INS-002)."""
    command = call.command
    name = command.instance_profile_name
    if call.records.get(InstanceProfile, call.account, name) is not None:
        raise EntityAlreadyExistsException(f"Instance Profile {name} already exists.")
    profile = InstanceProfile(
        account=call.account,
        id=new_id(call, "AIPA"),
        name=name,
        path=command.path or "/",
        created=int(call.now),
        tags=merged_tags({}, command.tags, folded=False),
    )
    check_quota(call, "InstanceProfilesPerAccount", call.records.count(InstanceProfile, call.account) + 1)
    call.records.create(profile)
    return api.CreateInstanceProfileResponse(
        instance_profile=profile_shown(call, profile, tags=tags_of(profile.tags) or None)
    )


@handles(api.GetInstanceProfileCommand)
def get_instance_profile(call: Call[api.GetInstanceProfileCommand]) -> api.GetInstanceProfileResponse:
    """A profile with its role and tags, an empty list where it has none (IAM-INS-001)."""
    profile = _profile(call).record
    return api.GetInstanceProfileResponse(instance_profile=profile_shown(call, profile, tags=tags_of(profile.tags)))


@handles(api.DeleteInstanceProfileCommand)
def delete_instance_profile(call: Call[api.DeleteInstanceProfileCommand]) -> types.Nothing:
    """Delete a profile that holds no role (IAM-INS-004)."""
    stored = _profile(call)
    if stored.record.role is not None:
        raise DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
    call.records.delete(stored)
    return types.Nothing()


@handles(api.ListInstanceProfilesCommand)
def list_instance_profiles(call: Call[api.ListInstanceProfilesCommand]) -> api.ListInstanceProfilesResponse:
    """Profiles under a path prefix, ascending by name (IAM-GEN-014, IAM-GEN-053)."""
    prefix = call.command.path_prefix or "/"

    def entries(after: str) -> Iterator[tuple[str, types.InstanceProfile]]:
        for stored in call.records.each(InstanceProfile, call.account, after=after):
            if stored.record.path.startswith(prefix):
                yield stored.record.key[2], profile_shown(call, stored.record)

    profiles, shown = page(call, entries)
    return api.ListInstanceProfilesResponse(
        instance_profiles=profiles, is_truncated=shown.is_truncated, marker=shown.marker
    )


@handles(api.ListInstanceProfilesForRoleCommand)
def list_instance_profiles_for_role(
    call: Call[api.ListInstanceProfilesForRoleCommand],
) -> api.ListInstanceProfilesForRoleResponse:
    """The profiles that hold a role, ascending by name."""
    role = holders.holder(call, Role).record

    def entries(after: str) -> Iterator[tuple[str, types.InstanceProfile]]:
        for profile in profiles_of(call, role, after):
            yield profile.key[2], profile_shown(call, profile)

    profiles, shown = page(call, entries)
    return api.ListInstanceProfilesForRoleResponse(
        instance_profiles=profiles, is_truncated=shown.is_truncated, marker=shown.marker
    )


@handles(api.AddRoleToInstanceProfileCommand)
def add_role_to_instance_profile(call: Call[api.AddRoleToInstanceProfileCommand]) -> types.Nothing:
    """Put a role into a profile that has none, not even this one (IAM-INS-003)."""
    stored = _profile(call)
    role = _role(call)
    check_modifiable(role)
    check_quota(call, "InstanceSessionsPerInstanceProfile", 1 if stored.record.role is None else 2)
    return change(call, stored, role=role.id)


@handles(api.RemoveRoleFromInstanceProfileCommand)
def remove_role_from_instance_profile(call: Call[api.RemoveRoleFromInstanceProfileCommand]) -> types.Nothing:
    """Take a role out of a profile; NoSuchEntity where it is not in it (IAM-INS-003)."""
    stored = _profile(call)
    if stored.record.role != _role(call).id:
        command = call.command
        raise NoSuchEntityException(
            f"Role {command.role_name} in Instance Profile {command.instance_profile_name} cannot be found."
        )
    return change(call, stored, role=None)


@handles(api.TagInstanceProfileCommand)
def tag_instance_profile(call: Call[api.TagInstanceProfileCommand]) -> types.Nothing:
    """Tag a profile; keys are compared as written (IAM-GEN-061)."""
    return tag(call, _profile(call))


@handles(api.UntagInstanceProfileCommand)
def untag_instance_profile(call: Call[api.UntagInstanceProfileCommand]) -> types.Nothing:
    """Remove tags from a profile."""
    return untag(call, _profile(call))


@handles(api.ListInstanceProfileTagsCommand)
def list_instance_profile_tags(
    call: Call[api.ListInstanceProfileTagsCommand],
) -> api.ListInstanceProfileTagsResponse:
    """The tags of a profile."""
    tags, shown = list_tags(call, _profile(call).record.tags)
    return api.ListInstanceProfileTagsResponse(tags=tags, is_truncated=shown.is_truncated, marker=shown.marker)
