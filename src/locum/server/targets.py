"""From a command's declared target to the ARN that policies see and the record behind it.

Reading only: whether the caller may know of the record is decided afterwards, so that a denial comes before any word on
existence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from locum import arn
from locum.api.extensions import DiagnoseWebIdentityTokenCommand
from locum.api.shapes import Command, Target
from locum.arn import Arn
from locum.core import oidc
from locum.core.delegation import may_see
from locum.core.delegation_records import DelegationRequest
from locum.core.records import (
    AccessKey,
    Group,
    InstanceProfile,
    ManagedPolicy,
    MfaDevice,
    OidcProvider,
    Role,
    SamlProvider,
    User,
)
from locum.core.session import Caller
from locum.errors import InvalidIdentityTokenException, ValidationError
from locum.server.handlers import Found
from locum.server.mfa import find_device
from locum.server.organizations.targets import RESOLVERS as _OF_ORGANIZATIONS
from locum.server.revocations import find_principal
from locum.store.records import Records, Stored

__all__ = ["moved", "resolve"]

ProviderType = TypeVar("ProviderType", OidcProvider, SamlProvider)


def _named(
    kind: type[User] | type[Role] | type[Group] | type[InstanceProfile],
) -> Callable[[Records, Caller, Command[Any], Target], Found]:
    def resolve(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
        name = getattr(command, target.member)
        if name is None:
            if caller.is_root:
                return Found(caller.arn)
            if not caller.user_name:
                raise ValidationError("Must specify userName when calling with non-User credentials")
            name = caller.user_name
        stored: Stored[Any] | None = records.get(kind, caller.account, name)
        if stored is not None and not target.creates:
            return Found(stored.record.arn(caller.partition), stored)
        path = (getattr(command, "path", None) or "/") if target.creates else "/"
        return Found(arn.iam(caller.partition, caller.account, kind.kind, path, name), None)

    return resolve


def _policy(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
    value = getattr(command, target.member)
    if target.creates:
        path = getattr(command, "path", None) or "/"
        return Found(arn.iam(caller.partition, caller.account, ManagedPolicy.kind, path, value))
    return Found(value, records.managed_policy(value, caller.account, caller.partition))


def _holder(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
    """A user, role or group of the caller's account by its ARN, exactly as it is written."""
    value = getattr(command, target.member)
    try:
        parsed = Arn.parse(value)
    except ValueError:
        return Found(value)
    kind = _HOLDERS.get(parsed.kind)
    _, name = parsed.path_and_name
    if kind is None or parsed.account != caller.account or not name:
        return Found(value)
    stored: Stored[Any] | None = records.get(kind, caller.account, name)
    found = stored is not None and stored.record.arn(caller.partition) == value
    return Found(value, stored if found else None)


def _policy_source(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
    """A user, role or group of the caller's account by an ARN whose path counts for nothing; found with its own ARN."""
    value = getattr(command, target.member)
    try:
        parsed = Arn.parse(value)
    except ValueError:
        return Found(value)
    kind = _HOLDERS.get(parsed.kind)
    _, name = parsed.path_and_name
    if kind is None or parsed.account != caller.account or not name:
        return Found(value)
    stored: Stored[Any] | None = records.get(kind, caller.account, name)
    return Found(value) if stored is None else Found(stored.record.arn(caller.partition), stored)


def _access_key(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
    """The user whose key it is: policies see the user (IAM-OP-GetAccessKeyLastUsed)."""
    stored = records.get(AccessKey, "", getattr(command, target.member))
    if stored is None or stored.record.account != caller.account:
        return Found("*")
    owner = records.by_id(stored.record.owner)
    root = arn.account_root(caller.partition, caller.account)
    return Found(root) if owner is None else Found(owner.record.arn(caller.partition), owner)


def _mfa_device(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
    value = getattr(command, target.member)
    if target.creates:
        path = getattr(command, "path", None) or "/"
        return Found(arn.iam(caller.partition, caller.account, MfaDevice.kind, path, value))
    if not value.startswith("arn:"):
        # The number of a hardware device, of which there are none: asked for under the ARN that it would have.
        return Found(arn.iam(caller.partition, caller.account, MfaDevice.kind, "/", value))
    return Found(value, find_device(records, caller.account, caller.partition, value))


def _provider(kind: type[ProviderType]) -> Callable[[Records, Caller, Command[Any], Target], Found]:
    def resolve(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
        value = getattr(command, target.member)
        if target.creates:
            # Of a URL the scheme is no part of the name (STS-WI-025).
            name = value.removeprefix("https://")
            return Found(arn.iam(caller.partition, caller.account, kind.kind, "/", name))
        stored = records.provider(kind, value, caller.partition)
        return Found(value, stored if stored is not None and stored.record.account == caller.account else None)

    return resolve


def _token_provider(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
    """The provider that is named, else the one of the caller's account that the token says it is from (R6).

    ``*`` for what is no token, and for built-in issuers, which no account has.
    """
    named = getattr(command, target.member)
    if named is None and isinstance(command, DiagnoseWebIdentityTokenCommand):
        try:
            issuer = oidc.hints(command.web_identity_token.reveal()).issuer
            if oidc.built_in(issuer) is not None:
                return Found("*")
            named = oidc.provider_arn(caller.partition, caller.account, issuer)
        except InvalidIdentityTokenException:
            return Found("*")
    stored = records.provider(OidcProvider, named, caller.partition)
    return Found(named, stored if stored is not None and stored.record.account == caller.account else None)


def _caller(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
    """The caller itself: its user, or the role of its session."""
    return Found(caller.principal_arn, None if caller.is_root else records.by_id(caller.principal_id))


def _one_user_or_all(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
    """The named user, else the caller's own, unless all users are asked for, whoever is named besides."""
    if getattr(command, "all_users", False):
        return Found("*")
    return _RESOLVERS["user"](records, caller, command, target)


def _entity(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
    """A managed policy by its ARN, or a user, role or group by one whose path may be another.

    Permission is asked on the ARN that the entity has.
    """
    value = getattr(command, target.member)
    try:
        parsed = Arn.parse(value)
    except ValueError:
        return Found(value)
    if parsed.partition != caller.partition:
        return Found("*")
    if parsed.kind == ManagedPolicy.kind:
        return _policy(records, caller, command, target)
    kind = _HOLDERS.get(parsed.kind)
    _, name = parsed.path_and_name
    ours = parsed.service == "iam" and parsed.account == caller.account
    stored: Stored[Any] | None = records.get(kind, caller.account, name) if kind is not None and ours and name else None
    return Found(value) if stored is None else Found(stored.record.arn(caller.partition), stored)


def _deleted_role(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
    """The service-linked role that a deletion is about, by the deletion's id; ``*`` for what is no such id."""
    task = _TASK.fullmatch(getattr(command, target.member))
    return Found("*" if task is None else arn.iam(caller.partition, caller.account, Role.kind, task[1], task[2]))


def _delegation_request(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
    """A delegation request that the caller's account may know of; it stands among the account's own resources."""
    id = "*" if target.creates else getattr(command, target.member)
    found = Found(arn.iam(caller.partition, caller.account, DelegationRequest.kind, "/", id))
    stored = None if target.creates else records.get(DelegationRequest, "", id)
    return found if stored is None or not may_see(stored.record, caller.account) else found._replace(stored=stored)


def _sessions(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
    """The user or role whose sessions are meant; ``*`` for sessions that no principal names."""
    value = getattr(command, target.member)
    if value is None:
        return Found("*")
    named = find_principal(records, caller.partition, value, caller.account)
    return Found(value) if named is None else Found(named.resource, named.stored)


_HOLDERS: Final[dict[str, type[User] | type[Role] | type[Group]]] = {each.kind: each for each in (User, Role, Group)}
_TASK: Final = re.compile(r"task(/aws-service-role/[\w+=,.@-]{1,128}/)([\w+=,.@-]{1,64})/[0-9a-f-]{36}", re.ASCII)
_RESOLVERS: Final[dict[str, Callable[[Records, Caller, Command[Any], Target], Found]]] = {
    "user": _named(User),
    "role": _named(Role),
    "group": _named(Group),
    "instance-profile": _named(InstanceProfile),
    "policy": _policy,
    "holder": _holder,
    "policy-source": _policy_source,
    "access_key": _access_key,
    "mfa": _mfa_device,
    "oidc-provider": _provider(OidcProvider),
    "saml-provider": _provider(SamlProvider),
    "token-provider": _token_provider,
    "delegation-request": _delegation_request,
    "sessions": _sessions,
    "caller": _caller,
    "one-user-or-all": _one_user_or_all,
    "entity": _entity,
    "deleted-role": _deleted_role,
    **_OF_ORGANIZATIONS,
}


def resolve(records: Records, caller: Caller, command: Command[Any], target: Target) -> Found:
    """The target of a command in one consistent read.

    ValidationError where an optional name is left out by a caller that is no user (IAM-KEY-005).
    """
    return _RESOLVERS[target.kind](records, caller, command, target)


def moved(found: Found, caller: Caller, command: Command[Any]) -> str | None:
    """The ARN that a command would give to its target by renaming or moving it, where that is another one.

    Who may change what is under one path must not thereby reach another path: permission is asked for both.
    """
    path = getattr(command, "new_path", None)
    name = getattr(command, "new_user_name", None) or getattr(command, "new_group_name", None)
    if found.stored is None or (path is None and name is None):
        return None
    entity = found.stored.record
    renamed = arn.iam(caller.partition, entity.account, entity.kind, path or entity.path, name or entity.name)
    return renamed if renamed != found.arn else None
