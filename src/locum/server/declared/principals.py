"""What a file says of users, groups, roles and instance profiles, compared with what is there, and carried out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from locum import arn
from locum.api.iam import groups, instance_profiles, roles, users
from locum.core.records import Group, InstanceProfile, Role, User
from locum.errors import ServiceException
from locum.server.declared.accounts import fixed, same_name, undescribed
from locum.server.declared.form import AccountForm, Document, Entry, GroupForm, ProfileForm, RoleForm, Text, UserForm
from locum.server.declared.run import Run, document_details, read_stored
from locum.server.iam import documents
from locum.server.iam import groups as _groups  # noqa: F401 - registers handlers
from locum.server.iam import instance_profiles as _instance_profiles  # noqa: F401
from locum.server.iam import roles as _roles  # noqa: F401
from locum.server.iam import users as _users  # noqa: F401
from locum.store import Key

__all__ = ["Principals"]


class _Verbs(NamedTuple):
    """The operations on one kind of holder; ``member`` names it in each."""

    noun: str
    member: str
    put: type[Any]
    remove: type[Any]
    attach: type[Any]
    detach: type[Any]
    delete: type[Any]
    put_boundary: type[Any] | None = None
    delete_boundary: type[Any] | None = None
    tag: type[Any] | None = None
    untag: type[Any] | None = None


_VERBS: Final[Mapping[type[Entry], _Verbs]] = {
    UserForm: _Verbs(
        "user",
        "user_name",
        users.PutUserPolicyCommand,
        users.DeleteUserPolicyCommand,
        users.AttachUserPolicyCommand,
        users.DetachUserPolicyCommand,
        users.DeleteUserCommand,
        users.PutUserPermissionsBoundaryCommand,
        users.DeleteUserPermissionsBoundaryCommand,
        users.TagUserCommand,
        users.UntagUserCommand,
    ),
    RoleForm: _Verbs(
        "role",
        "role_name",
        roles.PutRolePolicyCommand,
        roles.DeleteRolePolicyCommand,
        roles.AttachRolePolicyCommand,
        roles.DetachRolePolicyCommand,
        roles.DeleteRoleCommand,
        roles.PutRolePermissionsBoundaryCommand,
        roles.DeleteRolePermissionsBoundaryCommand,
        roles.TagRoleCommand,
        roles.UntagRoleCommand,
    ),
    GroupForm: _Verbs(
        "group",
        "group_name",
        groups.PutGroupPolicyCommand,
        groups.DeleteGroupPolicyCommand,
        groups.AttachGroupPolicyCommand,
        groups.DetachGroupPolicyCommand,
        groups.DeleteGroupCommand,
    ),
}


def _by_name(record: Any) -> str:
    return str(record.name)


class Principals:
    """One account's users, groups, roles and instance profiles."""

    def __init__(self, run: Run, form: AccountForm) -> None:
        self._run = run
        self._form = form
        self._account = form.name
        self._details: dict[tuple[str, str], list[str]] = {}
        self._new: set[tuple[str, str]] = set()

    # First: whoever is not there

    def make(self) -> None:
        """Make users, groups, roles and profiles that are not there yet, and move what may be moved."""
        form = self._form
        for group in (form.groups or {}).values():
            self._make(Group, group, groups.CreateGroupCommand, groups.UpdateGroupCommand)
        for user in (form.users or {}).values():
            self._make(User, user, users.CreateUserCommand, users.UpdateUserCommand)
        for role in (form.roles or {}).values():
            self._make(Role, role, roles.CreateRoleCommand, None)
        for profile in (form.instance_profiles or {}).values():
            self._make(InstanceProfile, profile, instance_profiles.CreateInstanceProfileCommand, None)

    def _make(
        self,
        kind: type[User] | type[Group] | type[Role] | type[InstanceProfile],
        form: UserForm | GroupForm | RoleForm | ProfileForm,
        create: type[Any],
        update: type[Any] | None,
    ) -> None:
        run, account = self._run, self._account
        member = f"{kind.kind.replace('-', '_')}_name"
        stored: Any = run.records.get(kind, account, form.name)
        details = run.line("+" if stored is None else "~", account, kind.kind, form.name)
        if stored is None:
            more: dict[str, Any] = {}
            if isinstance(form, RoleForm):
                # Whom the role trusts may not be there yet; nobody sees it before the transaction ends.
                more["assume_role_policy_document"] = _closed(run.partition, account)
            made = create(**{member: form.name}, path=form.path, **more)
            if run.do(account, made, form.place, path=form.at("path")) is None:
                return
            self._new.add((kind.kind, form.name))
        else:
            if not same_name(run, form, kind.kind, form.name, stored.record.name):
                return
            if update is None:
                fixed(run, form, "path", form.path, stored.record.path, kind.kind)
            elif form.path != stored.record.path:
                details.append(f"~ path = {form.path} (was {stored.record.path})")
                moved = update(**{member: form.name}, new_path=form.path)
                run.do(account, moved, form.place, new_path=form.at("path"))
        self._details[kind.kind, form.name] = details

    # Then: what they hold

    def equip(self) -> None:
        """Give everyone the policies, boundaries, tags, groups and settings of the file, and take all others."""
        form = self._form
        for group in (form.groups or {}).values():
            stored = self._made(Group, group)
            if stored is not None:
                self._policies(group, stored)
        for user in (form.users or {}).values():
            found = self._made(User, user)
            if found is not None:
                self._policies(user, found)
                self._bounded(user, found)
                self._groups_of(user, found)
        for role in (form.roles or {}).values():
            one = self._made(Role, role)
            if one is not None:
                self._policies(role, one)
                self._bounded(role, one)
                self._settings(role, one)
        for profile in (form.instance_profiles or {}).values():
            which = self._made(InstanceProfile, profile)
            if which is not None:
                self._profile(profile, which)

    def _made(self, kind: type[Any], form: Entry) -> Any:
        if (kind.kind, form.name) not in self._details:
            return None
        stored: Any = self._run.records.get(kind, self._account, form.name)
        return None if stored is None else stored.record

    def _policies(self, form: UserForm | GroupForm | RoleForm, record: User | Group | Role) -> None:
        run, account, verbs = self._run, self._account, _VERBS[type(form)]
        details = self._details[record.kind, form.name]
        named = {verbs.member: form.name}
        for name in sorted(record.inline.keys() - form.policies.keys()):
            details.append(f"- inline policy {name}")
            run.do(account, verbs.remove(**named, policy_name=name), form.at("policies"))
        for name, document in form.policies.items():
            self._inline(form, record, verbs, name, document)
        wanted = {each.value for each in form.attached}
        for policy in sorted(set(record.attached) - wanted):
            details.append(f"- attached {policy}")
            run.do(account, verbs.detach(**named, policy_arn=policy), form.at("attached"))
        for text in form.attached:
            if text.value not in record.attached:
                details.append(f"+ attached {text.value}")
                run.do(account, verbs.attach(**named, policy_arn=text.value), text.place)

    def _inline(self, form: Entry, record: User | Group | Role, verbs: _Verbs, name: str, document: Document) -> None:
        run = self._run
        details = self._details[record.kind, form.name]
        old = record.inline.get(name)
        values = None if old is None else read_stored(old)
        if old is not None and values == document.values:
            return
        if old is None:
            details.append(f"+ inline policy {name}")
        else:
            details += document_details(f"inline policy {name}", values, document.values)
        if document.sound:
            put = verbs.put(**{verbs.member: form.name}, policy_name=name, policy_document=document.text)
            run.do(self._account, put, document.place)

    def _bounded(self, form: UserForm | RoleForm, record: User | Role) -> None:
        run, account, verbs = self._run, self._account, _VERBS[type(form)]
        details = self._details[record.kind, form.name]
        named = {verbs.member: form.name}
        if form.boundary != record.boundary:
            if form.boundary is None:
                details.append(f"- boundary {record.boundary}")
                command: Any = verbs.delete_boundary(**named) if verbs.delete_boundary else None
            else:
                details.append(f"{'+' if record.boundary is None else '~'} boundary {form.boundary}")
                put = verbs.put_boundary
                command = put(**named, permissions_boundary=form.boundary) if put else None
            run.do(account, command, form.at("boundary"))
        if verbs.untag is not None and verbs.tag is not None:
            run.retag(account, form, record.tags, form.tags, details, verbs.untag, verbs.tag, **named)

    def _groups_of(self, form: UserForm, user: User) -> None:
        run, account = self._run, self._account
        details = self._details[User.kind, form.name]
        found = {each: run.records.group(each) for each in user.groups}
        held = {group.record.name.lower(): group.record.name for group in found.values() if group is not None}
        wanted: dict[str, Text] = {text.value.lower(): text for text in form.groups}
        for folded in sorted(held.keys() - wanted.keys()):
            details.append(f"- group {held[folded]}")
            gone = groups.RemoveUserFromGroupCommand(group_name=held[folded], user_name=form.name)
            run.do(account, gone, form.at("groups"))
        for folded, text in wanted.items():
            if folded not in held:
                details.append(f"+ group {text.value}")
                run.do(account, groups.AddUserToGroupCommand(group_name=text.value, user_name=form.name), text.place)

    def _settings(self, form: RoleForm, role: Role) -> None:
        details = self._details[Role.kind, form.name]
        changes: dict[str, Any] = {}
        is_new = (Role.kind, form.name) in self._new

        def note(member: str, value: object, was: object) -> None:
            details.append(f"+ {member} = {value}" if is_new else f"~ {member} = {value} (was {was})")

        if (form.description or "") != (role.description or ""):
            note("description", form.description or "none", role.description or "none")
            changes["description"] = form.description or ""
        if form.max_session_duration != role.max_session_duration:
            note("max_session_duration", form.max_session_duration, role.max_session_duration)
            changes["max_session_duration"] = form.max_session_duration
        if changes:
            self._run.do(
                self._account,
                roles.UpdateRoleCommand(role_name=form.name, **changes),
                form.place,
                description=form.at("description"),
                max_session_duration=form.at("max_session_duration"),
            )

    def _profile(self, form: ProfileForm, profile: InstanceProfile) -> None:
        run, account = self._run, self._account
        details = self._details[InstanceProfile.kind, form.name]
        held = None if profile.role is None else run.records.by_id(profile.role)
        old = None if held is None else held.record.name
        if (form.role or "").lower() != (old or "").lower():
            named = {"instance_profile_name": form.name}
            if old is not None:
                details.append(f"- role {old}")
                gone = instance_profiles.RemoveRoleFromInstanceProfileCommand(**named, role_name=old)
                run.do(account, gone, form.at("role"))
            if form.role is not None:
                details.append(f"+ role {form.role}")
                more = instance_profiles.AddRoleToInstanceProfileCommand(**named, role_name=form.role)
                run.do(account, more, form.at("role"))
        untag, tag = instance_profiles.UntagInstanceProfileCommand, instance_profiles.TagInstanceProfileCommand
        run.retag(account, form, profile.tags, form.tags, details, untag, tag, instance_profile_name=form.name)

    # Then: whom roles trust

    def trust(self) -> None:
        """Write trust policies, now that everybody whom they may name is there (POL-PR-010, POL-PR-011)."""
        run, account = self._run, self._account
        for form in (self._form.roles or {}).values():
            role = self._made(Role, form)
            if role is None or not form.trust.sound:
                continue
            command = roles.UpdateAssumeRolePolicyCommand(role_name=form.name, policy_document=form.trust.text)
            call = run.call(account, command)
            shown = read_stored(documents.rendered_trust(call.records, call.partition, role.trust))
            if shown == form.trust.values:
                # Also where it names by its id somebody who was deleted, whom it could not name anew.
                continue
            try:
                stored = documents.stored_trust(call, form.trust.text)
            except ServiceException as refused:
                run.refuse(form.trust.place, refused.message)
                continue
            if read_stored(stored) == read_stored(role.trust):
                continue
            if (Role.kind, form.name) not in self._new:
                self._details[Role.kind, form.name] += document_details("trust", shown, form.trust.values)
            run.do(account, command, form.trust.place)

    # And: who is not mentioned

    def prune(self) -> None:
        """Delete users, instance profiles, roles and groups that sections of the file do not mention."""
        form, run, account = self._form, self._run, self._account
        if form.users is not None:
            for user in undescribed(run, User, account, form.users, "user", _by_name):
                self._strip(UserForm, user.record, form.at("users"))
        if form.instance_profiles is not None:
            section = form.instance_profiles
            for profile in undescribed(run, InstanceProfile, account, section, "instance-profile", _by_name):
                name = profile.record.name
                run.line("-", account, InstanceProfile.kind, name)
                self._empty(profile.record)
                command = instance_profiles.DeleteInstanceProfileCommand(instance_profile_name=name)
                run.do(account, command, form.at("instance_profiles"), f"instance-profile {name}")
        if form.roles is not None:
            for role in undescribed(run, Role, account, form.roles, "role", _by_name):
                for key in [*run.records.found("profile-role", role.record.id)]:
                    held = run.records.get(InstanceProfile, account, key.name)
                    if held is not None:
                        self._empty(held.record)
                self._strip(RoleForm, role.record, form.at("roles"))
        if form.groups is not None:
            for group in undescribed(run, Group, account, form.groups, "group", _by_name):
                self._strip(GroupForm, group.record, form.at("groups"))

    def _empty(self, profile: InstanceProfile) -> None:
        held = None if profile.role is None else self._run.records.by_id(profile.role)
        if held is not None:
            command = instance_profiles.RemoveRoleFromInstanceProfileCommand(
                instance_profile_name=profile.name, role_name=held.record.name
            )
            self._run.do(self._account, command, self._form.place, f"instance-profile {profile.name}")

    def _strip(self, kind: type[Entry], record: User | Role | Group, place: Any) -> None:
        """Take from somebody what hangs on it and delete it; credentials of users are not described, so they stay."""
        run, account, verbs = self._run, self._account, _VERBS[kind]
        run.line("-", account, record.kind, record.name)
        about, named = f"{verbs.noun} {record.name}", {verbs.member: record.name}
        for name in record.inline:
            run.do(account, verbs.remove(**named, policy_name=name), place, about)
        for policy in record.attached:
            run.do(account, verbs.detach(**named, policy_arn=policy), place, about)
        pairs: list[tuple[str, str]] = []
        if isinstance(record, User):
            found = (run.records.group(each) for each in record.groups)
            pairs = [(group.record.name, record.name) for group in found if group is not None]
        elif isinstance(record, Group):
            keys: list[Key] = []
            while more := run.records.found("member", record.id, after=keys[-1] if keys else None):
                keys += more
            members = (run.records.get(User, account, key.name) for key in keys)
            pairs = [(record.name, member.record.name) for member in members if member is not None]
        for group_name, user_name in pairs:
            command = groups.RemoveUserFromGroupCommand(group_name=group_name, user_name=user_name)
            run.do(account, command, place, about)
        run.do(account, verbs.delete(**named), place, about)


def _closed(partition: str, account: str) -> str:
    """A trust policy that anybody may store, of a role that is about to get its own."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Deny",
                    "Principal": {"AWS": arn.account_root(partition, account)},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
    )
