"""Authorization as the pipeline does it: what a command declares becomes actions, a resource and context keys.

A handler runs only when every action that the call needs was allowed; a denial comes before any word on whether the
target exists.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from locum.api.shapes import Target
from locum.core.issue import role_named
from locum.core.records import Role, User
from locum.errors import AccessDenied
from locum.guard.context import request_context, tag_keys
from locum.guard.directory import CallerPolicies, Holder
from locum.http import Request
from locum.policy import denial_text
from locum.server import targets
from locum.server.denials import denied
from locum.server.handlers import Call, Found
from locum.store.records import Stored

__all__ = ["Authorized", "authorize"]

_Context = dict[str, str | tuple[str, ...]]
_RESOURCE_TAGS: Final = ("aws:resourcetag/", "iam:resourcetag/")


class Authorized(NamedTuple):
    """What the audit line shows of an authorized call: the resources, and their account where it is another one."""

    resources: tuple[dict[str, str], ...] = ()
    owner: str = ""


_NOTHING: Final = Authorized()


def authorize(call: Call[Any], request: Request, region: str) -> Authorized:
    """Ask for every permission that the call needs; AccessDenied for the first that is not given.

    Sets ``call.target``.  The text of a denial is AWS's: with the reason at IAM and for operations without a resource,
    without it for roles (STS-E-003, STS-E-005, POL-MSG-002).
    """
    declared = call.command.operation.authorization
    if declared is None:
        return _NOTHING
    caller = call.caller
    policies = call.directory.policies_of(caller)
    context = request_context(caller, request, region, call.now, policies.tags)
    if declared.trust:
        return _authorize_role(call, policies, context)
    resource = "*"
    if isinstance(declared.resource, Target):
        call.target = targets.resolve(call.records, caller, call.command, declared.resource)
        resource = call.target.arn
    context["aws:resourceaccount"] = caller.account
    stored = call.target.stored
    if stored is not None:
        tag_keys(context, stored.record.tags, prefixes=_RESOURCE_TAGS)
    for key in declared.keys:
        _KEYS[key](call, context)
    action = call.command.operation.action
    for asked in (resource, targets.moved(call.target, caller, call.command)):
        if asked is None:
            continue
        decision = policies.decide(action, asked, caller.account, context)
        if not decision.allowed:
            named = "" if asked == "*" else asked
            raise AccessDenied(
                denial_text(caller.arn, action, named, decision),
                decision=denied(decision, policies, action, asked, caller.account, context),
            )
    return _NOTHING


def _authorize_role(call: Call[Any], policies: CallerPolicies, context: _Context) -> Authorized:
    """Permission to assume the role that the command names: its trust policy must allow in every case (STS-AR-007)."""
    command, caller, directory = call.command, call.caller, call.directory
    role_arn = command.role_arn
    parsed = role_named(role_arn)
    holder: Holder | None = directory.role(parsed)
    context["sts:rolesessionname"] = command.role_session_name
    if command.external_id is not None:
        context["sts:externalid"] = command.external_id
    account = parsed.account
    context["aws:resourceaccount"] = account
    action = command.operation.action
    if holder is None:
        # A role that does not exist is asked for like one that trusts nobody (STS-E-017).
        decision = policies.may_assume(action, role_arn, account, None, context)
        raise AccessDenied(
            denial_text(caller.arn, action, role_arn),
            decision=denied(decision, policies, action, role_arn, account, context, role=True),
        )
    tag_keys(context, holder.tags, prefixes=_RESOURCE_TAGS)
    decision = policies.may_assume(action, role_arn, account, holder.trust, context)
    if not decision.allowed:
        raise AccessDenied(
            denial_text(caller.arn, action, role_arn),
            decision=denied(decision, policies, action, role_arn, account, context, trust=holder.trust, role=True),
        )
    call.target = Found(role_arn, Stored(holder.record, 0))
    return Authorized(
        ({"ARN": role_arn, "accountId": account, "type": "AWS::IAM::Role"},),
        account if account != caller.account else "",
    )


def _request_tags(call: Call[Any], context: _Context) -> None:
    tag_keys(context, {tag.key: tag.value for tag in getattr(call.command, "tags", ())}, prefixes=("aws:requesttag/",))


def _tag_keys(call: Call[Any], context: _Context) -> None:
    keys = getattr(call.command, "tag_keys", None) or tuple(tag.key for tag in getattr(call.command, "tags", ()))
    if keys:
        context["aws:tagkeys"] = tuple(keys)


def _boundary(call: Call[Any], context: _Context) -> None:
    """The boundary that the call sets, else the one that the target has (POL-CK-027)."""
    boundary = getattr(call.command, "permissions_boundary", None)
    stored = call.target.stored
    if boundary is None and stored is not None and isinstance(stored.record, User | Role):
        boundary = stored.record.boundary
    if boundary is not None:
        context["iam:permissionsboundary"] = boundary


def _policy_arn(call: Call[Any], context: _Context) -> None:
    context["iam:policyarn"] = call.command.policy_arn


_KEYS: Final = {
    "aws:RequestTag/": _request_tags,
    "aws:TagKeys": _tag_keys,
    "iam:PermissionsBoundary": _boundary,
    "iam:PolicyARN": _policy_arn,
}
"""Context key that a command declares → how its value follows from the call."""
