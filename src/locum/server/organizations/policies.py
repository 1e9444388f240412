"""Service control policies and resource control policies (ORG-010…017, POL-OR-003, POL-OR-005, POL-OR-021)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from locum.api.organizations import policies as api
from locum.api.organizations import types
from locum.core.organization import (
    FULL_ACCESS,
    KINDS_OF_POLICY,
    RESOURCE_CONTROL,
    SERVICE_CONTROL,
    in_force,
    kept_document,
)
from locum.core.organization_records import Organization, OrgPolicy, OrgUnit, name_mark
from locum.core.records import Account
from locum.errors import MalformedPolicyDocumentException as Malformed
from locum.organization_errors import (
    ConstraintViolationException,
    DuplicatePolicyAttachmentException,
    DuplicatePolicyException,
    InvalidInputException,
    MalformedPolicyDocumentException,
    PolicyInUseException,
    PolicyNotAttachedException,
    PolicyNotFoundException,
    PolicyTypeAlreadyEnabledException,
    PolicyTypeNotAvailableForOrganizationException,
    PolicyTypeNotEnabledException,
    RootNotFoundException,
    TargetNotFoundException,
)
from locum.policy import PolicyKind, validate
from locum.policy.sizes import SIZES
from locum.server.handlers import Call, handles
from locum.server.organizations.answers import (
    ROOT_NAME,
    arn_in,
    merged_tags,
    new_id,
    page,
    root_shown,
    summary_of,
)
from locum.server.organizations.members import Place, find_place, most, organization_managed, organization_read
from locum.server.organizations.targets import find_policy
from locum.store import Key
from locum.store.organizations import each_found
from locum.store.records import Stored

__all__ = [
    "attach_policy",
    "create_policy",
    "delete_policy",
    "describe_policy",
    "detach_policy",
    "disable_policy_type",
    "enable_policy_type",
    "list_policies",
    "list_policies_for_target",
    "list_targets_for_policy",
    "update_policy",
]

_QUOTAS: Final = {
    SERVICE_CONTROL: "ServiceControlPoliciesPerOrganization",
    RESOURCE_CONTROL: "ResourceControlPoliciesPerOrganization",
}
_ATTACHED: Final = {
    SERVICE_CONTROL: "ServiceControlPoliciesPerTarget",
    RESOURCE_CONTROL: "ResourceControlPoliciesPerTarget",
}


def _root(call: Call[Any]) -> Stored[Organization]:
    stored = organization_managed(call)
    if call.command.root_id != stored.record.root:
        raise RootNotFoundException("You specified a root that doesn't exist.")
    return stored


def _check_type(organization: Organization, type: str) -> None:
    if type not in KINDS_OF_POLICY or organization.feature_set != "ALL":
        raise PolicyTypeNotAvailableForOrganizationException("This policy type is not available for your organization.")


@handles(api.EnablePolicyTypeCommand)
def enable_policy_type(call: Call[api.EnablePolicyTypeCommand]) -> api.EnablePolicyTypeResponse:
    """Enable a type; AWS's own policy is attached everywhere at once (ORG-010, ORG-011)."""
    stored = _root(call)
    organization, type = stored.record, call.command.policy_type
    _check_type(organization, type)
    if type in organization.policy_types:
        raise PolicyTypeAlreadyEnabledException("The specified policy type is already enabled.")
    organization = call.records.change(stored, policy_types=(*organization.policy_types, type))
    return api.EnablePolicyTypeResponse(root=root_shown(call, organization))


@handles(api.DisablePolicyTypeCommand)
def disable_policy_type(call: Call[api.DisablePolicyTypeCommand]) -> api.DisablePolicyTypeResponse:
    """Disable a type and detach all of its policies (ORG-011, POL-OR-005)."""
    stored = _root(call)
    organization, type = stored.record, call.command.policy_type
    if type not in organization.policy_types:
        raise PolicyTypeNotEnabledException("This operation can be performed only for enabled policy types.")
    for key in _attached_keys(call, organization, type):
        place = call.records.read(key)
        if place is not None and not isinstance(place.record, Organization):
            call.records.replace(place, _without_own(place.record, type))
    rest = tuple(each for each in organization.policy_types if each != type)
    organization = msgspec.structs.replace(_without_own(organization, type), policy_types=rest)
    call.records.replace(stored, organization)
    return api.DisablePolicyTypeResponse(root=root_shown(call, organization))


def _attached_keys(call: Call[Any], organization: Organization, type: str) -> list[Key]:
    keys: list[Key] = []
    while page := call.records.found("org-attached", f"{organization.id}/{type}", after=keys[-1] if keys else None):
        keys += page
    return keys


def _without_own(place: Any, type: str) -> Any:
    return msgspec.structs.replace(place, **({"scps": None} if type == SERVICE_CONTROL else {"rcps": ()}))


def _checked(organization: Organization, type: str, content: str) -> str:
    """A document that can be stored as a policy of a type, as it is kept (ORG-023, R28)."""
    kind = KINDS_OF_POLICY[type]
    _check_size(kind, content)
    try:
        validate(content, kind)
    except Malformed as refused:
        raise MalformedPolicyDocumentException(refused.message) from refused
    if type != RESOURCE_CONTROL:
        return content
    kept = msgspec.json.encode(kept_document(type, msgspec.json.decode(content, type=dict[str, Any]))).decode()
    _check_size(kind, kept)
    return kept


def _check_size(kind: PolicyKind, content: str) -> None:
    if len(content) > SIZES[kind].characters:
        raise ConstraintViolationException(
            "You have exceeded the maximum policy size.", reason="POLICY_CONTENT_LIMIT_EXCEEDED"
        )


def _check_name(call: Call[Any], organization: Organization, type: str, name: str) -> None:
    if name == FULL_ACCESS[type].name or call.records.found(
        "org-policy-name", name_mark(f"{organization.id}/{type}", name), limit=1
    ):
        raise DuplicatePolicyException("A policy with the specified name and type already exists.")


def _shown(call: Call[Any], organization: Organization, policy: OrgPolicy) -> types.Policy:
    return types.Policy(policy_summary=summary_of(call, organization, policy), content=policy.content)


@handles(api.CreatePolicyCommand)
def create_policy(call: Call[api.CreatePolicyCommand]) -> api.CreatePolicyResponse:
    """Make a policy that is attached nowhere yet (ORG-012)."""
    organization, command = organization_managed(call).record, call.command
    type = command.type
    _check_type(organization, type)
    tags = merged_tags({}, command.tags)
    content = _checked(organization, type, command.content)
    _check_name(call, organization, type, command.name)
    allowed = most(call, organization, _QUOTAS[type])
    of_type = f"{organization.id}/{type}"
    if allowed == 0 or len(call.records.found("org-policies", of_type, limit=allowed)) >= allowed:
        raise ConstraintViolationException(
            "You have exceeded the allowed number of policies.", reason="POLICY_NUMBER_LIMIT_EXCEEDED"
        )
    policy = OrgPolicy(
        id=new_id(call, "p-", 10),
        organization=organization.id,
        type=type,
        name=command.name,
        created=int(call.now),
        content=content,
        description=command.description,
        tags=tags,
    )
    call.records.create(policy)
    return api.CreatePolicyResponse(policy=_shown(call, organization, policy))


def _policy(call: Call[Any], organization: Organization) -> Stored[OrgPolicy]:
    found = find_policy(call.records, organization, call.command.policy_id)
    if found is None:
        raise PolicyNotFoundException("You specified a policy that doesn't exist.")
    return found


def _own_policy(call: Call[Any], organization: Organization) -> Stored[OrgPolicy]:
    found = _policy(call, organization)
    if found.record.organization != organization.id:
        raise InvalidInputException("You cannot change or delete a policy of AWS.", reason="IMMUTABLE_POLICY")
    return found


@handles(api.DescribePolicyCommand)
def describe_policy(call: Call[api.DescribePolicyCommand]) -> api.DescribePolicyResponse:
    """A policy with its document (ORG-023)."""
    organization = organization_read(call).record
    return api.DescribePolicyResponse(policy=_shown(call, organization, _policy(call, organization).record))


@handles(api.UpdatePolicyCommand)
def update_policy(call: Call[api.UpdatePolicyCommand]) -> api.UpdatePolicyResponse:
    """Change what is given of a policy; it counts in the very next request.

    An empty description changes nothing, and the answer has no other name and description than what was given.
    """
    organization, command = organization_managed(call).record, call.command
    stored = _own_policy(call, organization)
    policy = stored.record
    changes: dict[str, str] = {}
    if command.name is not None and command.name != policy.name:
        _check_name(call, organization, policy.type, command.name)
        changes["name"] = command.name
    if command.description:
        changes["description"] = command.description
    if command.content is not None:
        changes["content"] = _checked(organization, policy.type, command.content)
    changed = call.records.change(stored, **changes)
    summary = summary_of(call, organization, changed)
    given = msgspec.structs.replace(summary, name=command.name, description=command.description)
    return api.UpdatePolicyResponse(policy=types.Policy(policy_summary=given, content=changed.content))


@handles(api.DeletePolicyCommand)
def delete_policy(call: Call[api.DeletePolicyCommand]) -> types.Nothing:
    """Delete a policy that is attached nowhere (ORG-014)."""
    organization = organization_managed(call).record
    stored = _own_policy(call, organization)
    if call.records.found("org-policy", f"{organization.id}/{stored.record.id}", limit=1):
        raise PolicyInUseException("The specified policy is in use and cannot be deleted.")
    call.records.delete(stored)
    return types.Nothing()


@handles(api.ListPoliciesCommand)
def list_policies(call: Call[api.ListPoliciesCommand]) -> api.ListPoliciesResponse:
    """The policies of a type, AWS's own first, then the organization's by id (ORG-015)."""
    organization, type = organization_read(call).record, call.command.filter

    def entries(after: str) -> Iterator[tuple[str, types.PolicySummary]]:
        if type not in KINDS_OF_POLICY:
            return
        if not after:
            yield "p-", summary_of(call, organization, FULL_ACCESS[type])
        for stored in each_found(call.records, OrgPolicy, "org-policies", f"{organization.id}/{type}", after=after):
            yield stored.record.id, summary_of(call, organization, stored.record)

    policies, token = page(call, entries)
    return api.ListPoliciesResponse(policies=policies, next_token=token)


def _target(call: Call[Any], organization: Stored[Organization]) -> Stored[Any]:
    found = find_place(call.records, organization, call.command.target_id)
    if found is None:
        raise TargetNotFoundException("You specified a target that doesn't exist.")
    return found


@handles(api.AttachPolicyCommand)
def attach_policy(call: Call[api.AttachPolicyCommand]) -> types.Nothing:
    """Attach a policy to the root, a unit or an account (ORG-013)."""
    stored = organization_managed(call)
    organization = stored.record
    policy = _policy(call, organization).record
    target = _target(call, stored)
    if policy.type not in organization.policy_types:
        raise PolicyTypeNotEnabledException("This operation can be performed only for enabled policy types.")
    attached = in_force(target.record, policy.type, organization.policy_types)
    if policy.id in attached:
        raise DuplicatePolicyAttachmentException("A policy with the specified name and type already exists.")
    if len(attached) >= most(call, organization, _ATTACHED[policy.type]):
        raise ConstraintViolationException(
            "You have attached the maximum number of policies to the specified target.",
            reason="MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
        )
    return _attach(call, target, policy.type, (*attached, policy.id))


@handles(api.DetachPolicyCommand)
def detach_policy(call: Call[api.DetachPolicyCommand]) -> types.Nothing:
    """Detach a policy; one service control policy stays, and AWS's resource control policy always (ORG-013)."""
    stored = organization_managed(call)
    organization = stored.record
    policy = _policy(call, organization).record
    target = _target(call, stored)
    attached = in_force(target.record, policy.type, organization.policy_types)
    if policy.id not in attached:
        raise PolicyNotAttachedException("The policy isn't attached to the specified target.")
    if policy.id == FULL_ACCESS[RESOURCE_CONTROL].id:
        raise InvalidInputException("You cannot detach this policy of AWS.", reason="NON_DETACHABLE_POLICY")
    if len(attached) == 1:
        raise ConstraintViolationException(
            "You cannot remove the last policy attached to the specified target. "
            "You must have at least one attached at all times.",
            reason="MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
        )
    return _attach(call, target, policy.type, tuple(each for each in attached if each != policy.id))


def _attach(call: Call[Any], target: Stored[Any], type: str, attached: tuple[str, ...]) -> types.Nothing:
    """Write what is attached to a target now; what is so everywhere from the start is not written down."""
    full = FULL_ACCESS[type].id
    if type == SERVICE_CONTROL:
        call.records.change(target, scps=None if attached == (full,) else attached)
    else:
        call.records.change(target, rcps=tuple(each for each in attached if each != full))
    return types.Nothing()


@handles(api.ListPoliciesForTargetCommand)
def list_policies_for_target(call: Call[api.ListPoliciesForTargetCommand]) -> api.ListPoliciesForTargetResponse:
    """The policies attached directly to a target, by id (ORG-015)."""
    stored = organization_read(call)
    organization = stored.record
    attached = sorted(in_force(_target(call, stored).record, call.command.filter, organization.policy_types))

    def entries(after: str) -> Iterator[tuple[str, types.PolicySummary]]:
        for id in attached:
            found = find_policy(call.records, organization, id) if id > after else None
            if found is not None:
                yield id, summary_of(call, organization, found.record)

    policies, token = page(call, entries)
    return api.ListPoliciesForTargetResponse(policies=policies, next_token=token)


def _places(call: Call[Any], stored: Stored[Organization], after: str) -> Iterator[tuple[str, Place]]:
    """Every account, unit and the root, each with its position in that order, beginning after one."""
    kind, _, name = after.partition("/")
    id = stored.record.id
    if kind <= "0":
        for account in each_found(call.records, Account, "org-account", id, after=name):
            yield f"0/{account.record.id}", account.record
    if kind <= "1":
        for unit in each_found(call.records, OrgUnit, "org-unit", id, after=name if kind == "1" else ""):
            yield f"1/{unit.record.id}", unit.record
        yield "2/", stored.record


@handles(api.ListTargetsForPolicyCommand)
def list_targets_for_policy(call: Call[api.ListTargetsForPolicyCommand]) -> api.ListTargetsForPolicyResponse:
    """What a policy is attached to: accounts, then units, then the root (ORG-015)."""
    stored = organization_read(call)
    organization = stored.record
    policy = _policy(call, organization).record

    def entries(after: str) -> Iterator[tuple[str, types.PolicyTargetSummary]]:
        for position, place in _places(call, stored, after):
            if policy.id in in_force(place, policy.type, organization.policy_types):
                yield position, _summary_of_target(call, organization, place)

    targets, token = page(call, entries)
    return api.ListTargetsForPolicyResponse(targets=targets, next_token=token)


def _summary_of_target(call: Call[Any], organization: Organization, place: Place) -> types.PolicyTargetSummary:
    if isinstance(place, Organization):
        id, kind, name, type = place.root, "root", ROOT_NAME, "ROOT"
    elif isinstance(place, OrgUnit):
        id, kind, name, type = place.id, "ou", place.name, "ORGANIZATIONAL_UNIT"
    else:
        id, kind, name, type = place.id, "account", place.name, "ACCOUNT"
    return types.PolicyTargetSummary(
        target_id=id, arn=arn_in(call.partition, organization, kind, id), name=name, type=type
    )
