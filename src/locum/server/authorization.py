"""Authorization as the pipeline does it: what a command declares becomes actions, a resource and context keys.

A handler runs only when every action that the call needs was allowed; a denial comes before any word on whether the
target exists.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from locum import arn
from locum.api.iam import IAM
from locum.api.organizations import ORGANIZATIONS
from locum.api.shapes import Target
from locum.api.sts import (
    AssumeRoleWithSAMLCommand,
    AssumeRootCommand,
    GetFederationTokenCommand,
    GetWebIdentityTokenCommand,
    Tag,
)
from locum.core.issue import role_named
from locum.core.organization import OrgFacts
from locum.core.outbound import lifetime
from locum.core.records import Role, User
from locum.core.root_access import root_account
from locum.core.service_linked_roles import LinkedService
from locum.core.session import Caller, Session
from locum.errors import AccessDenied
from locum.guard.context import mark_mfa, owner_keys, proof_context, request_context, tag_keys
from locum.guard.directory import CallerPolicies, Holder
from locum.http import Request
from locum.policy import Effect, Layer, denial_text
from locum.server import targets
from locum.server.account_settings import OF_ONES_OWN, OWN_PASSWORD, may_change_own
from locum.server.delegation import OF_OWNERS, OWNERS_RIGHTS
from locum.server.denials import denied
from locum.server.handlers import Call, Found
from locum.server.mfa import verify
from locum.server.organizations import targets as organizations
from locum.store.records import Stored

__all__ = ["Authorized", "authorize", "authorize_by_proof", "is_allowed"]

_Context = dict[str, str | tuple[str, ...]]
_RESOURCE_TAGS: Final = ("aws:resourcetag/", "iam:resourcetag/")
_TAG_SESSION: Final = "sts:TagSession"
_SET_SOURCE_IDENTITY: Final = "sts:SetSourceIdentity"
_SET_CONTEXT: Final = "sts:SetContext"
_TAG_IDENTITY: Final = "sts:TagGetWebIdentityToken"
_TAG_RESOURCE: Final = "organizations:TagResource"
_FEDERATION: Final = GetFederationTokenCommand.operation
_ROOT: Final = AssumeRootCommand.operation
_PASSING: Final = "iam:PassRole"
_MACHINES: Final = "ec2.amazonaws.com"
"""The service that roles in instance profiles are passed to."""
_LISTED: Final = {
    "ListGroups": "group",
    "ListInstanceProfiles": "instance-profile",
    "ListRoles": "role",
    "ListUsers": "user",
    "ListVirtualMFADevices": "mfa",
}
"""What IAM lists by path → the kind in the ARN by which a denial names it."""
_RESERVED_FOR_SSO: Final = "AWSReservedSSO_"
"""Roles of these names are not for SAML providers of anybody's own (STS-SAML-004)."""
_IDENTITY: Final = GetWebIdentityTokenCommand.operation


class Authorized(NamedTuple):
    """What the audit line shows of an authorized call: the resources, and their account where it is another one."""

    resources: tuple[dict[str, str], ...] = ()
    owner: str = ""


_NOTHING: Final = Authorized()


def authorize(call: Call[Any], request: Request, region: str) -> Authorized:
    """Ask for every permission that the call needs; AccessDenied for the first that is not given.

    Sets ``call.target``.  The text of a denial is AWS's: with the reason at IAM and for operations without a resource,
    without it for roles (STS-E-003, STS-E-005, POL-MSG-002), but that a resource control policy of the caller's own
    organization denies a role is told (POL-MSG-008).
    """
    declared = call.command.operation.authorization
    if declared is None:
        return _NOTHING
    caller = call.caller
    policies = call.directory.policies_of(caller)
    if call.command.operation.name in OF_ONES_OWN and may_change_own(call):
        policies = msgspec.structs.replace(policies, identity=(*policies.identity, OWN_PASSWORD))
    organization = policies.organization
    context = request_context(caller, request, region, call.now, policies.tags, organization)
    if declared.trust:
        return _authorize_role(call, policies, context)
    if call.command.operation is _ROOT:
        return _authorize_root(call, policies, context)
    policies = policies.over(organization, call.command.operation.service.name)
    resource = "*"
    if isinstance(declared.resource, Target):
        if declared.resource.kind == "federated-user":
            call.target = Found(arn.federated_user(call.partition, caller.account, call.command.name))
        elif declared.resource.kind == "service-linked-role":
            call.target = Found(_linked_role(call))
        else:
            call.target = targets.resolve(call.records, caller, call.command, declared.resource)
        resource = call.target.arn
    elif declared.resource != "*":
        resource = declared.resource.format(partition=call.partition, account=caller.account)
    owner = _owner(call, organization)
    owner_keys(context, caller.account if owner is None else owner.account, owner)
    stored = call.target.stored
    if stored is not None:
        tag_keys(context, getattr(stored.record, "tags", {}), prefixes=_RESOURCE_TAGS)
        if call.command.operation.name in OF_OWNERS and getattr(stored.record, "owner", "") == caller.principal_id:
            policies = msgspec.structs.replace(policies, identity=(*policies.identity, OWNERS_RIGHTS))
    for key in declared.keys:
        _KEYS[key](call, context)
    action = call.command.operation.action
    for asked in (resource, targets.moved(call.target, caller, call.command), *organizations.beside(call)):
        if asked is None:
            continue
        decision = policies.decide(action, asked, caller.account, context)
        if not decision.allowed:
            raise AccessDenied(
                denial_text(caller.arn, action, _named(call, asked), decision),
                decision=denied(decision, policies, action, asked, caller.account, context),
            )
    if call.command.operation is _FEDERATION and call.command.tags:
        # Tags for a federated user (STS-GFT-002).
        _ask(_TAG_SESSION, resource, caller, policies, context)
    elif call.command.operation is _IDENTITY and call.command.tags:
        # Tags for an identity token; unlike for sessions the text tells the reason (STS-GWT-003, STS-E-006).
        _ask(_TAG_IDENTITY, resource, caller, policies, context, reason=True)
    elif call.command.operation.service is ORGANIZATIONS and getattr(call.command, "tags", None):
        # What is made with tags is tagged, too.
        _ask(_TAG_RESOURCE, resource, caller, policies, context)
    if declared.passes is not None:
        _ask_to_pass(call, declared.passes, policies, context)
    return _NOTHING


def _owner(call: Call[Any], organization: OrgFacts | None) -> OrgFacts | None:
    """The account whose resources a call is about, as keys tell of it, None for the caller's outside an organization.

    An organization and all that is in it is its management account's, whoever asks, AWS's own policies included.
    """
    if organization is None or organization.is_management or call.command.operation.service is not ORGANIZATIONS:
        return organization
    return call.directory.organization_of(organization.management)


def _named(call: Call[Any], asked: str) -> str:
    """What the text of a denial says was asked for: of ``*`` nothing (STS-E-005), but at IAM a path or ``*``.

    IAM's words are those of published answers of AWS (POL-MSG-002).
    """
    operation = call.command.operation
    if asked != "*" or operation.service is not IAM:
        return "" if asked == "*" else asked
    prefix = getattr(call.command, "path_prefix", None) or "/"
    if operation.name == "ListPolicies":
        return f"policy path {prefix}"
    kind = _LISTED.get(operation.name)
    return "*" if kind is None else arn.iam(call.partition, call.caller.account, kind, prefix, "")


def is_allowed(call: Call[Any], action: str, resource: str) -> bool:
    """Whether the caller's policies allow an action on a resource of its account, with no context key at hand."""
    return call.directory.policies_of(call.caller).decide(action, resource, call.account, {}).allowed


def _ask_to_pass(call: Call[Any], passes: Target, policies: CallerPolicies, context: _Context) -> None:
    """Ask for permission to pass a role, which need not exist, to the machines that an instance profile is for."""
    caller = call.caller
    role = targets.resolve(call.records, caller, call.command, passes)
    context = {key: value for key, value in context.items() if not key.startswith(_RESOURCE_TAGS)}
    context["iam:passedtoservice"] = _MACHINES
    if role.stored is not None:
        tag_keys(context, role.stored.record.tags, prefixes=_RESOURCE_TAGS)
    decision = policies.decide(_PASSING, role.arn, caller.account, context)
    if not decision.allowed:
        raise AccessDenied(
            denial_text(caller.arn, _PASSING, role.arn, decision),
            decision=denied(decision, policies, _PASSING, role.arn, caller.account, context),
        )


def _ask(
    action: str,
    resource: str,
    caller: Caller,
    policies: CallerPolicies,
    context: _Context,
    *,
    reason: bool = False,
) -> None:
    """Ask the caller's policies for what comes beside a call's own action; most texts have no reason (STS-E-003)."""
    decision = policies.decide(action, resource, caller.account, context)
    if not decision.allowed:
        raise AccessDenied(
            denial_text(caller.arn, action, resource, decision if reason else None),
            decision=denied(decision, policies, action, resource, caller.account, context),
        )


def _authorize_role(call: Call[Any], policies: CallerPolicies, context: _Context) -> Authorized:
    """Permission to assume the role that the command names: its trust policy must allow in every case (STS-AR-007).

    It must allow what else the call does, too: passing or inheriting tags, setting or carrying a source identity,
    passing context assertions (STS-AR-017…022).  sts:AssumeRole comes first (STS-AR-024), and before all of them a
    one-time code is verified, whose outcome they may ask for (STS-AR-040).
    """
    command, caller, directory = call.command, call.caller, call.directory
    if command.serial_number is not None or command.token_code is not None:
        mark_mfa(context, verify(call, command.serial_number, command.token_code), int(call.now))
    role_arn = command.role_arn
    parsed = role_named(role_arn)
    holder: Holder | None = directory.role(parsed)
    context["sts:rolesessionname"] = command.role_session_name
    if command.external_id is not None:
        context["sts:externalid"] = command.external_id
    account = parsed.account
    owner = directory.organization_of(account)
    owner_keys(context, account, owner)
    policies = policies.over(owner, command.operation.service.name)
    if holder is not None:
        tag_keys(context, holder.tags, prefixes=_RESOURCE_TAGS)
    session = caller.session
    carried = None if session is None else session.source_identity
    actions = [command.operation.action]
    if command.tags or command.transitive_tag_keys or (session is not None and session.transitive_tags):
        actions.append(_TAG_SESSION)
        _session_tag_keys(command.tags, command.transitive_tag_keys, session, context)
    if command.source_identity is not None or carried is not None:
        actions.append(_SET_SOURCE_IDENTITY)
        context["sts:sourceidentity"] = command.source_identity or carried or ""
    providers = [each.provider_arn for each in command.provided_contexts if each.provider_arn is not None]
    if command.provided_contexts:
        actions.append(_SET_CONTEXT)
        context["sts:requestcontextproviders"] = tuple(providers)
    # A role that does not exist is asked for like one that trusts nobody (STS-E-017).
    trust = None if holder is None else holder.trust
    for action in actions:
        decision = policies.may_assume(action, role_arn, account, trust, context)
        if not decision.allowed:
            told = policies.organization is not None and owner is not None and policies.organization.id == owner.id
            by_owner = decision.layer is Layer.RESOURCE_CONTROL and decision.effect is Effect.EXPLICIT_DENY
            reason = f" {decision.reason(action)}" if told and by_owner else ""
            raise AccessDenied(
                denial_text(caller.arn, action, role_arn) + reason,
                decision=denied(decision, policies, action, role_arn, account, context, trust=trust, role=True),
            )
    if carried is not None and command.source_identity not in (None, carried):
        raise AccessDenied(denial_text(caller.arn, _SET_SOURCE_IDENTITY, role_arn))
    for provider in providers:
        _ask(_SET_CONTEXT, provider, caller, policies, context)
    if holder is None:
        raise AccessDenied(denial_text(caller.arn, command.operation.action, role_arn))
    call.target = Found(role_arn, Stored(holder.record, 0))
    return Authorized((_role_resource(role_arn, account),), account if account != caller.account else "")


def _authorize_root(call: Call[Any], policies: CallerPolicies, context: _Context) -> Authorized:
    """Permission to act as the root user of the member account that the command names (STS-ROOT-008, POL-RT-008).

    Only the caller's side is asked: the member has nothing that must consent.  Whether account and feature qualify is
    for :mod:`locum.server.root_access` to say.
    """
    command, caller = call.command, call.caller
    account = root_account(command.target_principal, call.partition)
    resource = arn.account_root(call.partition, account)
    owner_keys(context, account, call.directory.organization_of(account))
    context["sts:taskpolicyarn"] = command.task_policy_arn.arn
    action = command.operation.action
    decision = policies.decide(action, resource, account, context)
    if not decision.allowed:
        raise AccessDenied(
            denial_text(caller.arn, action, resource),
            decision=denied(decision, policies, action, resource, account, context),
        )
    call.target = Found(resource)
    return _NOTHING


def authorize_by_proof(call: Call[Any], request: Request, region: str) -> Authorized:
    """Permission for whom an identity provider vouches to assume the role: its trust policy alone says (POL-EV-075).

    It must allow passing tags and setting a source identity, too, where the proof brings them (STS-TAG-016,
    STS-SI-006).  The text is the same for everything that is refused, a role that does not exist included (STS-E-011,
    STS-E-017).
    """
    command, directory, proof = call.command, call.directory, call.proof
    identity, operation = proof.identity, command.operation
    role_arn = command.role_arn
    parsed = role_named(role_arn)
    account = parsed.account
    owner = directory.organization_of(account)
    vouching = directory.organization_of(identity.principal.account) if identity.principal.account else None
    context = proof_context(identity, request, region, call.now, vouching)
    owner_keys(context, account, owner)
    context["sts:rolesessionname"] = proof.session_name
    holder: Holder | None = directory.role(parsed)
    if holder is not None:
        tag_keys(context, holder.tags, prefixes=_RESOURCE_TAGS)
    actions = [operation.action]
    if identity.tags or identity.transitive_tag_keys:
        actions.append(_TAG_SESSION)
        _session_tag_keys(identity.tags, identity.transitive_tag_keys, None, context)
    if identity.source_identity is not None:
        actions.append(_SET_SOURCE_IDENTITY)
        context["sts:sourceidentity"] = identity.source_identity
    policies = CallerPolicies(identity.principal, (), None, None, {}).over(owner, operation.service.name)
    trust = None if holder is None else holder.trust
    text = f"Not authorized to perform {operation.action}"
    for action in actions:
        decision = policies.may_assume(action, role_arn, account, trust, context)
        if not decision.allowed:
            refused = denied(decision, policies, action, role_arn, account, context, trust=trust, role=True)
            raise AccessDenied(text, decision=refused)
    if holder is None:
        raise AccessDenied(text)
    resources = [_role_resource(role_arn, account)]
    if isinstance(command, AssumeRoleWithSAMLCommand):
        if holder.name.startswith(_RESERVED_FOR_SSO):
            raise AccessDenied(text)
        resources.append({"ARN": command.principal_arn, "accountId": account, "type": "AWS::IAM::SAMLProvider"})
    call.target = Found(role_arn, Stored(holder.record, 0))
    return Authorized(tuple(resources))


def _role_resource(role_arn: str, account: str) -> dict[str, str]:
    return {"ARN": role_arn, "accountId": account, "type": "AWS::IAM::Role"}


def _session_tag_keys(
    tags: tuple[Tag, ...], transitive_tag_keys: tuple[str, ...], session: Session | None, context: _Context
) -> None:
    """The keys that tell of a role session's tags while the trust policy is asked (STS-TAG-013, STS-TAG-014)."""
    if tags:
        context["aws:tagkeys"] = tuple([tag.key for tag in tags])
        for tag in tags:
            context[f"aws:requesttag/{tag.key.lower()}"] = tag.value
    inherited = () if session is None else session.transitive_tags
    for key, value in inherited:
        for prefix in _RESOURCE_TAGS:
            name = f"{prefix}{key.lower()}"
            if name in context:
                context[name] = value
    lasting = (*(key for key, _ in inherited), *transitive_tag_keys)
    if lasting:
        context["sts:transitivetagkeys"] = lasting


def _linked_role(call: Call[Any]) -> str:
    """The ARN of the role that a service would have; without the end of its name where there is no such service."""
    principal = call.command.aws_service_name
    service = call.services.get(principal) or LinkedService(principal, "AWSServiceRoleFor")
    suffix = call.command.custom_suffix if service.suffix else None
    return arn.iam(call.partition, call.account, Role.kind, service.path, service.name(suffix))


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


def _service_name(call: Call[Any], context: _Context) -> None:
    context["iam:awsservicename"] = call.command.aws_service_name


def _audience(call: Call[Any], context: _Context) -> None:
    context["sts:identitytokenaudience"] = call.command.audience


def _signing_algorithm(call: Call[Any], context: _Context) -> None:
    context["sts:signingalgorithm"] = call.command.signing_algorithm


def _duration(call: Call[Any], context: _Context) -> None:
    context["sts:durationseconds"] = str(lifetime(call.command))


def _delegation_duration(call: Call[Any], context: _Context) -> None:
    context["iam:delegationduration"] = str(call.command.session_duration)


def _notification_channel(call: Call[Any], context: _Context) -> None:
    context["iam:notificationchannel"] = call.command.notification_channel


def _template_arn(call: Call[Any], context: _Context) -> None:
    if call.command.permissions.policy_template_arn is not None:
        context["iam:templatearn"] = call.command.permissions.policy_template_arn


def _delegation_owner(call: Call[Any], context: _Context) -> None:
    if call.command.owner_id is not None:
        context["iam:delegationrequestowner"] = call.command.owner_id


_KEYS: Final = {
    "aws:RequestTag/": _request_tags,
    "aws:TagKeys": _tag_keys,
    "iam:AWSServiceName": _service_name,
    "iam:DelegationDuration": _delegation_duration,
    "iam:DelegationRequestOwner": _delegation_owner,
    "iam:NotificationChannel": _notification_channel,
    "iam:PermissionsBoundary": _boundary,
    "iam:PolicyARN": _policy_arn,
    "iam:TemplateArn": _template_arn,
    "organizations:PolicyType": organizations.policy_type,
    "organizations:ServicePrincipal": organizations.service_principal,
    "sts:DurationSeconds": _duration,
    "sts:IdentityTokenAudience": _audience,
    "sts:SigningAlgorithm": _signing_algorithm,
}
"""Context key that a command declares → how its value follows from the call."""
