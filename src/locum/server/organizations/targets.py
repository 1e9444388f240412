"""The ARNs under which policies see what an operation of Organizations is about, and its context keys.

Where the caller's account is in no organization the resource is ``*``: permission is asked before a word about that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from locum.api.organizations.accounts import MoveAccountCommand
from locum.api.organizations.policies import AttachPolicyCommand, DetachPolicyCommand
from locum.api.shapes import Command, Target
from locum.core.organization import FULL_ACCESS
from locum.core.organization_records import Organization, OrgPolicy
from locum.core.session import Caller
from locum.server.handlers import Call, Found
from locum.server.organizations.answers import arn_in, policy_arn
from locum.server.organizations.members import find_organization, find_place
from locum.store.records import Records, Stored

__all__ = ["RESOLVERS", "beside", "find_policy", "policy_type", "service_principal"]

_Resolver = Callable[[Records, Caller, Command[Any], Target], Found]


def find_policy(records: Records, organization: Organization, id: str) -> Stored[OrgPolicy] | None:
    """A policy of the organization or of AWS; AWS's has no version, since nobody writes it."""
    for full in FULL_ACCESS.values():
        if id == full.id:
            return Stored(full, 0)
    found = records.get(OrgPolicy, "", id)
    return found if found is not None and found.record.organization == organization.id else None


def _place(records: Records, partition: str, organization: Stored[Organization], id: str) -> Found:
    kind = "root" if id.startswith("r-") else "ou" if id.startswith("ou-") else "account"
    return Found(arn_in(partition, organization.record, kind, id), find_place(records, organization, id))


def _policy(records: Records, partition: str, organization: Stored[Organization], id: str) -> Found:
    found = find_policy(records, organization.record, id)
    return Found("*") if found is None else Found(policy_arn(partition, organization.record, found.record), found)


def _resource(records: Records, partition: str, organization: Stored[Organization], id: str) -> Found:
    return (_policy if id.startswith("p-") else _place)(records, partition, organization, id)


def _resolver(find: Callable[[Records, str, Stored[Organization], str], Found]) -> _Resolver:
    def resolve(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
        organization = find_organization(records, caller.account)
        if organization is None:
            return Found("*")
        value: str = getattr(command, target.member)
        if target.creates:
            # The id is not drawn yet.
            return Found(arn_in(caller.partition, organization.record, "policy", value.lower(), "p-*"))
        return find(records, caller.partition, organization, value)

    return resolve


RESOLVERS: Final[dict[str, _Resolver]] = {
    "org-account": _resolver(_place),
    "org-place": _resolver(_place),
    "org-policy": _resolver(_policy),
    "org-resource": _resolver(_resource),
}
"""Kind of a declared target → what finds it."""

_BESIDE: Final[dict[type[Command[Any]], tuple[str, ...]]] = {
    AttachPolicyCommand: ("target_id",),
    DetachPolicyCommand: ("target_id",),
    MoveAccountCommand: ("source_parent_id", "destination_parent_id"),
}


def beside(call: Call[Any]) -> list[str]:
    """The ARNs for which a call needs permission beside that of its target."""
    names = _BESIDE.get(type(call.command))
    if names is None:
        return []
    organization = find_organization(call.records, call.account)
    if organization is None:
        return []
    return [_place(call.records, call.partition, organization, getattr(call.command, name)).arn for name in names]


def policy_type(call: Call[Any], context: dict[str, str | tuple[str, ...]]) -> None:
    """Set ``organizations:PolicyType`` where the call names a type of policy, or a policy that has one."""
    stored = call.target.stored
    if stored is not None and isinstance(stored.record, OrgPolicy):
        context["organizations:policytype"] = stored.record.type
        return
    for name in ("policy_type", "type", "filter"):
        given = getattr(call.command, name, None)
        if given is not None:
            context["organizations:policytype"] = given


def service_principal(call: Call[Any], context: dict[str, str | tuple[str, ...]]) -> None:
    """Set ``organizations:ServicePrincipal`` where the call names a service."""
    if call.command.service_principal is not None:
        context["organizations:serviceprincipal"] = call.command.service_principal
