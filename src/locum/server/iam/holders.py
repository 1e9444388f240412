"""What users, groups and roles have in common: inline and attached policies; of users and roles a boundary.

Each function takes the call and the kind of holder, so that the modules of holders are a line per operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeVar

from locum.api.iam import types
from locum.arn import Arn
from locum.core.records import Group, Role, User
from locum.errors import (
    DeleteConflictException,
    EntityAlreadyExistsException,
    LimitExceededException,
    NoSuchEntityException,
)
from locum.server.handlers import Call
from locum.server.iam import documents
from locum.server.iam.answers import Page, change, page
from locum.server.iam.limits import check_quota, most
from locum.server.pages import whole
from locum.store.records import Stored

__all__ = [
    "Holding",
    "attach",
    "attached",
    "check_deletable",
    "check_free",
    "create",
    "delete_boundary",
    "delete_inline",
    "detach",
    "holder",
    "inline",
    "inline_names",
    "put_boundary",
    "put_inline",
]

HolderType = TypeVar("HolderType", bound=User | Role | Group)
PrincipalType = TypeVar("PrincipalType", bound=User | Role)


class Holding(NamedTuple):
    """What is particular to one kind of holder."""

    noun: str
    attached: str
    inline: str
    total: str


HOLDINGS: Final[Mapping[str, Holding]] = {
    User.kind: Holding("user", "PoliciesPerUser", "UserPolicySize", "UsersPerAccount"),
    Role.kind: Holding("role", "PoliciesPerRole", "RolePolicySize", "RolesPerAccount"),
    Group.kind: Holding("group", "PoliciesPerGroup", "GroupPolicySize", "GroupsPerAccount"),
}


def holder(call: Call[Any], kind: type[HolderType]) -> Stored[HolderType]:
    """The holder that the call names; NoSuchEntity where there is none (IAM-USR-002, IAM-ROL-004, IAM-GRP-001)."""
    stored: Stored[HolderType] | None = call.found(kind)
    if stored is None:
        noun = HOLDINGS[kind.kind].noun
        name = getattr(call.command, f"{noun}_name")
        raise NoSuchEntityException(f"The {noun} with name {name} cannot be found.")
    return stored


def check_free(call: Call[Any], kind: type[User] | type[Role] | type[Group], name: str) -> None:
    """EntityAlreadyExists where another holder has the name, in whatever case (POL-LM-010)."""
    if call.records.get(kind, call.account, name) is not None:
        raise EntityAlreadyExistsException(f"{HOLDINGS[kind.kind].noun.capitalize()} with name {name} already exists.")


def create(call: Call[Any], record: User | Role | Group) -> None:
    """Write a new holder; LimitExceeded where the account has as many as it may have (POL-LM-009)."""
    check_quota(call, HOLDINGS[record.kind].total, call.records.count(type(record), call.account) + 1)
    call.records.create(record)


def check_deletable(stored: User | Role | Group) -> None:
    """DeleteConflict while policies hang on the holder: attached ones are reported first (IAM-GEN-071)."""
    if stored.attached:
        raise DeleteConflictException("Cannot delete entity, must detach all policies first.")
    if stored.inline:
        raise DeleteConflictException("Cannot delete entity, must delete policies first.")


def put_inline(call: Call[Any], kind: type[HolderType]) -> types.Nothing:
    """Write an inline policy over the one of the same name (IAM-USR-005, IAM-ROL-009)."""
    stored = holder(call, kind)
    command = call.command
    documents.check_identity(call, command.policy_document, managed=False)
    kept = _name_kept(stored.record, command.policy_name) or command.policy_name
    policies = stored.record.inline | {kept: command.policy_document}
    allowed = most(call, HOLDINGS[kind.kind].inline)
    if sum(documents.size(each) for each in policies.values()) > allowed:
        noun = HOLDINGS[kind.kind].noun
        raise LimitExceededException(f"Maximum policy size of {allowed} bytes exceeded for {noun} {stored.record.name}")
    return change(call, stored, inline=policies)


def inline(call: Call[Any], kind: type[HolderType]) -> tuple[HolderType, str]:
    """A holder and the text of the inline policy that the call names."""
    stored = holder(call, kind)
    kept = _name_kept(stored.record, call.command.policy_name)
    if kept is None:
        raise NoSuchEntityException(
            f"The {HOLDINGS[kind.kind].noun} policy with name {call.command.policy_name} cannot be found."
        )
    return stored.record, stored.record.inline[kept]


def _name_kept(holder: User | Role | Group, name: str) -> str | None:
    """The name under which a holder keeps an inline policy: the first that it was written with, whatever its case."""
    if name in holder.inline:
        return name
    return next((each for each in holder.inline if each.lower() == name.lower()), None)


def delete_inline(call: Call[Any], kind: type[HolderType]) -> types.Nothing:
    """Remove an inline policy."""
    inline(call, kind)
    stored = holder(call, kind)
    gone = _name_kept(stored.record, call.command.policy_name)
    kept = {name: text for name, text in stored.record.inline.items() if name != gone}
    return change(call, stored, inline=kept)


def inline_names(call: Call[Any], kind: type[HolderType]) -> tuple[tuple[str, ...], Page]:
    """The names of the inline policies, ascending."""
    return page(call, whole((name, name) for name in holder(call, kind).record.inline))


def attach(call: Call[Any], kind: type[HolderType]) -> types.Nothing:
    """Attach a managed policy; once more does no harm (IAM-USR-006)."""
    stored = holder(call, kind)
    policy = call.command.policy_arn
    documents.check_attachable(call, policy)
    if policy in stored.record.attached:
        return types.Nothing()
    check_quota(call, HOLDINGS[kind.kind].attached, len(stored.record.attached) + 1)
    return change(call, stored, attached=(*stored.record.attached, policy))


def detach(call: Call[Any], kind: type[HolderType]) -> types.Nothing:
    """Detach a managed policy; NoSuchEntity where it is not attached."""
    stored = holder(call, kind)
    policy = call.command.policy_arn
    documents.check_arn(policy)
    if policy not in stored.record.attached:
        raise NoSuchEntityException(f"Policy {policy} was not found.")
    return change(call, stored, attached=tuple(each for each in stored.record.attached if each != policy))


def attached(call: Call[Any], kind: type[HolderType]) -> tuple[tuple[types.AttachedPolicy, ...], Page]:
    """The attached policies under a path prefix, in ascending order of their names."""
    prefix = call.command.path_prefix or "/"
    held = (
        # The account's own policy and AWS's may have one name; no name has a blank in it.
        (f"{name} {Arn.parse(policy).account}", types.AttachedPolicy(policy_name=name, policy_arn=policy))
        for policy in holder(call, kind).record.attached
        for path, name in (documents.path_and_name(policy),)
        if path.startswith(prefix)
    )
    return page(call, whole(held))


def put_boundary(call: Call[Any], kind: type[PrincipalType]) -> types.Nothing:
    """Set the permissions boundary (IAM-USR-008, IAM-ROL-011)."""
    stored = holder(call, kind)
    boundary = call.command.permissions_boundary
    documents.check_boundary(call, boundary)
    return change(call, stored, boundary=boundary)


def delete_boundary(call: Call[Any], kind: type[PrincipalType]) -> types.Nothing:
    """Remove the permissions boundary; NoSuchEntity where there is none."""
    stored = holder(call, kind)
    if stored.record.boundary is None:
        noun = HOLDINGS[kind.kind].noun
        raise NoSuchEntityException(f"The {noun} {stored.record.name} does not have a permissions boundary.")
    return change(call, stored, boundary=None)
