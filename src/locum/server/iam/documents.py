"""Policy documents at the moment they are written: what is refused, and what is stored in their place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from locum import arn
from locum.api.iam import types
from locum.arn import Arn
from locum.core.aws_policies import AWS_POLICIES
from locum.core.records import ManagedPolicy, Role, User
from locum.errors import (
    InvalidInputException,
    NoSuchEntityException,
    PolicyNotAttachableException,
    ValidationError,
)
from locum.policy import (
    PolicyKind,
    counted_size,
    invalid_principal,
    named_entities,
    render_principals,
    store_principals,
    validate,
)
from locum.server.handlers import Call
from locum.server.iam.answers import moment
from locum.server.iam.limits import check_quota
from locum.store.records import Records

__all__ = [
    "aws_managed_policies",
    "check_arn",
    "check_attachable",
    "check_boundary",
    "check_identity",
    "path_and_name",
    "rendered_trust",
    "role_last_used",
    "size",
    "stored_trust",
    "trust_shown",
]

size = counted_size
"""Characters of a document that count against a quota: white space outside strings does not (POL-LM-001)."""


def aws_managed_policies() -> Iterator[ManagedPolicy]:
    """AWS's managed policies in ascending order of their names."""
    yield from sorted(AWS_POLICIES.values(), key=lambda each: each.key[2])


def check_identity(call: Call[Any], text: str, *, managed: bool) -> None:
    """Refuse a document that cannot be an identity policy (POL-VA-002, POL-VA-005, POL-VA-059)."""
    validate(text, PolicyKind.MANAGED if managed else PolicyKind.INLINE)
    if managed:
        check_quota(call, "PolicySize", size(text))


def check_arn(text: str) -> None:
    """ValidationError for what is no ARN of a managed policy (IAM-GEN-044)."""
    try:
        parsed = Arn.parse(text)
    except ValueError:
        raise ValidationError(f"ARN {text} is not valid.") from None
    if parsed.service != "iam" or parsed.region or not parsed.resource.startswith("policy/"):
        raise ValidationError(f"ARN {text} is not valid.")


def path_and_name(policy_arn: str) -> tuple[str, str]:
    """Path and name of a managed policy by its ARN."""
    return Arn.parse(policy_arn).path_and_name


def _check_exists(call: Call[Any], policy_arn: str, named: str) -> None:
    """NoSuchEntity for what is out of reach, PolicyNotAttachable for the policy of a root task (POL-RT-005)."""
    stored = call.records.managed_policy(policy_arn, call.account, call.partition)
    if stored is None:
        raise NoSuchEntityException(f"{named} {policy_arn} does not exist or is not attachable.")
    if not stored.record.is_attachable:
        raise PolicyNotAttachableException(f"{named} {policy_arn} is not attachable.")


def check_attachable(call: Call[Any], policy_arn: str) -> None:
    """NoSuchEntity where the policy is neither the account's own nor AWS's (IAM-USR-006, POL-XA-008)."""
    check_arn(policy_arn)
    _check_exists(call, policy_arn, "Policy")


def check_boundary(call: Call[Any], policy_arn: str) -> None:
    """Refuse a permissions boundary that is no managed policy in reach (IAM-USR-008)."""
    try:
        check_arn(policy_arn)
    except ValidationError as refused:
        raise InvalidInputException(refused.message) from None
    _check_exists(call, policy_arn, "Scope ARN:")


def stored_trust(call: Call[Any], text: str) -> str:
    """The trust policy as it is stored: users and roles by unique id, which must exist (POL-PR-010, POL-PR-011)."""
    policy = validate(text, PolicyKind.TRUST)
    check_quota(call, "ACLSizePerRole", size(text))
    ids: dict[str, str] = {}
    for name in named_entities(policy):
        if arn.is_unique_id(name):
            if call.records.by_id(name) is None:
                raise invalid_principal("AWS", name)
        else:
            unique_id = _id_of(call, name)
            if unique_id is None:
                raise invalid_principal("AWS", name)
            ids[name] = unique_id
    return store_principals(text, ids, call.partition)


def _id_of(call: Call[Any], name: str) -> str | None:
    """The unique id of the user or role with an ARN, in any account; names are case-sensitive here (POL-PR-006)."""
    parsed = Arn.parse(name)
    kind: type[User] | type[Role] = User if parsed.kind == User.kind else Role
    _, short = parsed.path_and_name
    stored: Any = call.records.get(kind, parsed.account, short) if short else None
    return stored.record.id if stored is not None and stored.record.arn(call.partition) == name else None


def rendered_trust(records: Records, partition: str, text: str) -> str:
    """A stored trust policy as it is shown: ARNs of the entities that still exist (POL-PR-010)."""

    def entity_arn(unique_id: str) -> str | None:
        stored = records.by_id(unique_id)
        return None if stored is None else stored.record.arn(partition)

    return render_principals(text, entity_arn)


def trust_shown(call: Call[Any], role: Role) -> str:
    """A role's trust policy as answers carry it (IAM-GEN-020)."""
    return types.encode_document(rendered_trust(call.records, call.partition, role.trust))


def role_last_used(call: Call[Any], role: Role) -> types.RoleLastUsed:
    """When the role's sessions were last used; empty where they never were (IAM-ROL-008)."""
    use = call.usage.last(call.records, role.id)
    return (
        types.RoleLastUsed() if use is None else types.RoleLastUsed(last_used_date=moment(use.used), region=use.region)
    )
