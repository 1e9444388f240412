"""Managed policies: the account's own with their versions, and AWS's, which everybody may read and attach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from locum.api.iam import policies as api
from locum.api.iam import types
from locum.core.records import Group, ManagedPolicy, PolicyVersion, Role, User
from locum.errors import (
    AccessDenied,
    DeleteConflictException,
    EntityAlreadyExistsException,
    LimitExceededException,
    NoSuchEntityException,
)
from locum.server.handlers import Call, handles
from locum.server.iam import documents
from locum.server.iam.answers import change, moment, new_id, page
from locum.server.iam.limits import check_quota, most
from locum.server.iam.tags import list_tags, merged_tags, tag, tags_of, untag
from locum.store import Key
from locum.store.records import Stored

__all__ = [
    "create_policy",
    "create_policy_version",
    "delete_policy",
    "delete_policy_version",
    "get_policy",
    "get_policy_version",
    "list_entities_for_policy",
    "list_policies",
    "list_policy_versions",
    "policy_shown",
    "set_default_policy_version",
    "users_of",
]

_LATER: Final = 1_000
_NOT_FOUND: Final = "Policy {arn} was not found."
_NOT_ATTACHABLE: Final = "Policy {arn} does not exist or is not attachable."
_NO_VERSION: Final = "Policy {arn} version {version} does not exist or is not attachable."


def _missing(call: Call[Any], text: str) -> NoSuchEntityException:
    command = call.command
    return NoSuchEntityException(text.format(arn=command.policy_arn, version=getattr(command, "version_id", "")))


def _policy(call: Call[Any], missing: str = _NOT_FOUND) -> Stored[ManagedPolicy]:
    """The account's or AWS's policy that the call names; NoSuchEntity with ``missing`` otherwise (IAM-POL-010)."""
    documents.check_arn(call.command.policy_arn)
    stored = call.found(ManagedPolicy)
    if stored is None:
        raise _missing(call, missing)
    return stored


def _own(call: Call[Any], refusal: str, missing: str = _NOT_FOUND) -> Stored[ManagedPolicy]:
    """A policy that the account may change; AccessDenied with ``refusal`` for AWS's (IAM-POL-020)."""
    stored = _policy(call, missing)
    if stored.record.account != call.account:
        raise AccessDenied(refusal)
    return stored


def _version(call: Call[Any], stored: Stored[ManagedPolicy]) -> PolicyVersion:
    for version in stored.record.versions:
        if version.id == call.command.version_id:
            return version
    raise _missing(call, _NO_VERSION)


def users_of(call: Call[Any], index: str, policy: str) -> Iterator[Key]:
    """The keys of this account's holders of a policy, or of those whose boundary it is."""
    after: Key | None = Key(call.account, "", "")
    while keys := call.records.found(index, policy, after=after, limit=_LATER):
        for key in keys:
            if key.account != call.account:
                return
            yield key
        after = keys[-1]


def policy_shown(call: Call[Any], policy: ManagedPolicy, **details: Any) -> types.Policy:
    name = policy.arn(call.partition)
    return types.Policy(
        policy_name=policy.name,
        policy_id=policy.id,
        arn=name,
        path=policy.path,
        default_version_id=f"v{policy.default}",
        attachment_count=sum(1 for _ in users_of(call, "attached", name)),
        permissions_boundary_usage_count=sum(1 for _ in users_of(call, "boundary", name)),
        is_attachable=policy.is_attachable,
        create_date=moment(policy.created),
        update_date=moment(policy.updated),
        **details,
    )


@handles(api.CreatePolicyCommand)
def create_policy(call: Call[api.CreatePolicyCommand]) -> api.CreatePolicyResponse:
    """Create a managed policy; its document is version v1 (IAM-POL-001, IAM-POL-003)."""
    command = call.command
    if call.records.get(ManagedPolicy, call.account, command.policy_name) is not None:
        raise EntityAlreadyExistsException(
            f"A policy called {command.policy_name} already exists. Duplicate names are not allowed."
        )
    documents.check_identity(call, command.policy_document, managed=True)
    now = int(call.now)
    policy = ManagedPolicy(
        account=call.account,
        id=new_id(call, "ANPA"),
        name=command.policy_name,
        path=command.path or "/",
        created=now,
        updated=now,
        tags=merged_tags({}, command.tags, folded=False),
        versions=(PolicyVersion(number=1, document=command.policy_document, created=now),),
        default=1,
        last_number=1,
        description=command.description or None,
    )
    check_quota(call, "PoliciesPerAccount", call.records.count(ManagedPolicy, call.account) + 1)
    call.records.create(policy)
    return api.CreatePolicyResponse(policy=policy_shown(call, policy, tags=tags_of(policy.tags) or None))


@handles(api.GetPolicyCommand)
def get_policy(call: Call[api.GetPolicyCommand]) -> api.GetPolicyResponse:
    """A policy with its description and tags (IAM-POL-002)."""
    policy = _policy(call).record
    return api.GetPolicyResponse(
        policy=policy_shown(call, policy, description=policy.description, tags=tags_of(policy.tags))
    )


@handles(api.DeletePolicyCommand)
def delete_policy(call: Call[api.DeletePolicyCommand]) -> types.Nothing:
    """Delete a policy that hangs nowhere and has one version (IAM-POL-009)."""
    stored = _own(call, "Cannot delete policies outside your own account.")
    name = stored.record.arn(call.partition)
    if any(True for index in ("attached", "boundary") for _ in users_of(call, index, name)):
        raise DeleteConflictException("Cannot delete a policy attached to entities.")
    if len(stored.record.versions) > 1:
        raise DeleteConflictException(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy."
        )
    call.records.delete(stored)
    return types.Nothing()


@handles(api.ListPoliciesCommand)
def list_policies(call: Call[api.ListPoliciesCommand]) -> api.ListPoliciesResponse:
    """Policies by scope, path prefix and use (IAM-POL-011); the account's own before AWS's."""
    command = call.command
    scope, prefix = command.scope or "All", command.path_prefix or "/"

    def candidates(after: str) -> Iterator[tuple[str, ManagedPolicy]]:
        if scope != "AWS" and not after.startswith("aws/"):
            for stored in call.records.each(ManagedPolicy, call.account, after=after.removeprefix("account/")):
                yield f"account/{stored.record.key[2]}", stored.record
        if scope != "Local":
            for policy in documents.aws_managed_policies():
                if f"aws/{policy.key[2]}" > after:
                    yield f"aws/{policy.key[2]}", policy

    def entries(after: str) -> Iterator[tuple[str, types.Policy]]:
        for position, policy in candidates(after):
            if not policy.path.startswith(prefix):
                continue
            shown = policy_shown(call, policy)
            attached, bounding = shown.attachment_count, shown.permissions_boundary_usage_count
            uses = {"PermissionsPolicy": attached, "PermissionsBoundary": bounding}
            # Without OnlyAttached the kind of use hides nothing.
            if command.only_attached and not uses.get(command.policy_usage_filter or "", attached or bounding):
                continue
            yield position, shown

    policies, shown = page(call, entries)
    return api.ListPoliciesResponse(policies=policies, is_truncated=shown.is_truncated, marker=shown.marker)


def _version_shown(policy: ManagedPolicy, version: PolicyVersion, *, whole: bool = False) -> types.PolicyVersion:
    return types.PolicyVersion(
        document=types.encode_document(version.document) if whole else None,
        version_id=version.id,
        is_default_version=version.number == policy.default,
        create_date=moment(version.created),
    )


@handles(api.CreatePolicyVersionCommand)
def create_policy_version(call: Call[api.CreatePolicyVersionCommand]) -> api.CreatePolicyVersionResponse:
    """Add a version, as the default where asked; numbers are never used again (IAM-POL-004, IAM-POL-006)."""
    command = call.command
    stored = _own(call, "Cannot create policy versions for policies outside your own account.")
    policy = stored.record
    documents.check_identity(call, command.policy_document, managed=True)
    allowed = most(call, "VersionsPerPolicy")
    if len(policy.versions) >= allowed:
        raise LimitExceededException(
            f"A managed policy can have up to {allowed} versions. Before you create a new version, "
            "you must delete an existing version."
        )
    now, number = int(call.now), policy.last_number + 1
    version = PolicyVersion(number=number, document=command.policy_document, created=now)
    changed = call.records.change(
        stored,
        versions=(*policy.versions, version),
        last_number=number,
        default=number if command.set_as_default else policy.default,
        updated=now if command.set_as_default else policy.updated,
    )
    return api.CreatePolicyVersionResponse(policy_version=_version_shown(changed, version))


@handles(api.GetPolicyVersionCommand)
def get_policy_version(call: Call[api.GetPolicyVersionCommand]) -> api.GetPolicyVersionResponse:
    """A version with its document (IAM-POL-005)."""
    stored = _policy(call, _NO_VERSION)
    version = _version(call, stored)
    return api.GetPolicyVersionResponse(policy_version=_version_shown(stored.record, version, whole=True))


@handles(api.DeletePolicyVersionCommand)
def delete_policy_version(call: Call[api.DeletePolicyVersionCommand]) -> types.Nothing:
    """Delete a version that is not the default (IAM-POL-007, IAM-POL-008)."""
    stored = _own(call, "Cannot delete policy versions for policies outside your own account.", _NO_VERSION)
    version = _version(call, stored)
    if version.number == stored.record.default:
        raise DeleteConflictException("Cannot delete the default version of a policy.")
    kept = tuple(each for each in stored.record.versions if each is not version)
    return change(call, stored, versions=kept)


@handles(api.ListPolicyVersionsCommand)
def list_policy_versions(call: Call[api.ListPolicyVersionsCommand]) -> api.ListPolicyVersionsResponse:
    """The versions, newest first, without their documents (IAM-POL-005)."""
    policy = _policy(call).record

    def entries(after: str) -> Iterator[tuple[str, types.PolicyVersion]]:
        for version in sorted(policy.versions, key=lambda each: -each.number):
            if not after or version.number < int(after):
                yield str(version.number), _version_shown(policy, version)

    versions, shown = page(call, entries)
    return api.ListPolicyVersionsResponse(versions=versions, is_truncated=shown.is_truncated, marker=shown.marker)


@handles(api.SetDefaultPolicyVersionCommand)
def set_default_policy_version(call: Call[api.SetDefaultPolicyVersionCommand]) -> types.Nothing:
    """Make a version the one in force, at once, for running sessions too (IAM-POL-014)."""
    stored = _own(call, "Cannot update policies outside your own account.", _NO_VERSION)
    version = _version(call, stored)
    return change(call, stored, default=version.number, updated=int(call.now))


@handles(api.ListEntitiesForPolicyCommand)
def list_entities_for_policy(call: Call[api.ListEntitiesForPolicyCommand]) -> api.ListEntitiesForPolicyResponse:
    """The groups, roles and users that a policy is attached to or limits (IAM-POL-012)."""
    command = call.command
    _policy(call, _NOT_ATTACHABLE)
    prefix = command.path_prefix or "/"
    indexes = {"PermissionsPolicy": ("attached",), "PermissionsBoundary": ("boundary",)}.get(
        command.policy_usage_filter or "", ("attached", "boundary")
    )
    every = (Group.kind, Role.kind, User.kind)
    kinds = every if command.entity_filter is None else (command.entity_filter.lower(),)
    keys = sorted({key for index in indexes for key in users_of(call, index, command.policy_arn) if key.kind in kinds})

    def entries(after: str) -> Iterator[tuple[str, types.PolicyGroup | types.PolicyUser | types.PolicyRole]]:
        for key in keys:
            position = f"{key.kind}/{key.name}"
            stored = call.records.read(key) if position > after else None
            entity = None if stored is None else stored.record
            if not isinstance(entity, Group | User | Role) or not entity.path.startswith(prefix):
                continue
            if isinstance(entity, User):
                yield position, types.PolicyUser(user_name=entity.name, user_id=entity.id)
            elif isinstance(entity, Group):
                yield position, types.PolicyGroup(group_name=entity.name, group_id=entity.id)
            else:
                yield position, types.PolicyRole(role_name=entity.name, role_id=entity.id)

    found, shown = page(call, entries)
    return api.ListEntitiesForPolicyResponse(
        policy_groups=tuple(each for each in found if isinstance(each, types.PolicyGroup)),
        policy_users=tuple(each for each in found if isinstance(each, types.PolicyUser)),
        policy_roles=tuple(each for each in found if isinstance(each, types.PolicyRole)),
        is_truncated=shown.is_truncated,
        marker=shown.marker,
    )


@handles(api.TagPolicyCommand)
def tag_policy(call: Call[api.TagPolicyCommand]) -> types.Nothing:
    """Tag a policy; keys are compared as written (IAM-GEN-061)."""
    return tag(call, _own(call, "Cannot tag policies outside your own account."))


@handles(api.UntagPolicyCommand)
def untag_policy(call: Call[api.UntagPolicyCommand]) -> types.Nothing:
    """Remove tags from a policy."""
    return untag(call, _own(call, "Cannot untag policies outside your own account."))


@handles(api.ListPolicyTagsCommand)
def list_policy_tags(call: Call[api.ListPolicyTagsCommand]) -> api.ListPolicyTagsResponse:
    """The tags of a policy, in the order of AWS's recorded answers: shorter keys first (IAM-GEN-053)."""
    tags, shown = list_tags(call, _policy(call).record.tags, shorter_first=True)
    return api.ListPolicyTagsResponse(tags=tags, is_truncated=shown.is_truncated, marker=shown.marker)
