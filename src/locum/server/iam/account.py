"""The account as a whole (iam_api.md section 10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import msgspec

from locum.api.iam import account as api
from locum.api.iam import types
from locum.arn import Arn
from locum.core.account_records import AccountAlias, AccountSettings, LoginProfile
from locum.core.records import Group, InstanceProfile, ManagedPolicy, MfaDevice, OidcProvider, Role, SamlProvider, User
from locum.errors import EntityAlreadyExistsException, NoSuchEntityException, ValidationError
from locum.server.account_settings import alias_of, settings_of
from locum.server.handlers import Call, handles
from locum.server.iam import documents
from locum.server.iam.answers import boundary_of, moment, page
from locum.server.iam.groups import groups_of
from locum.server.iam.instance_profiles import profile_shown, profiles_of
from locum.server.iam.limits import most
from locum.server.iam.policies import policy_shown, users_of
from locum.server.iam.tags import tags_of
from locum.server.pages import NotAMark, whole

__all__ = [
    "create_account_alias",
    "delete_account_alias",
    "get_account_authorization_details",
    "get_account_summary",
    "list_account_aliases",
    "save_settings",
    "set_security_token_service_preferences",
]

_TOKENS: Final = {"v1Token": 1, "v2Token": 2}
_ID_DIGITS: Final = 12
_PROVIDERS: Final = (OidcProvider, SamlProvider)
"""The kinds of records that the summary counts as identity providers."""

_QUOTAS: Final = {
    "AccessKeysPerUserQuota": "AccessKeysPerUser",
    "AssumeRolePolicySizeQuota": "ACLSizePerRole",
    "AttachedPoliciesPerGroupQuota": "PoliciesPerGroup",
    "AttachedPoliciesPerRoleQuota": "PoliciesPerRole",
    "AttachedPoliciesPerUserQuota": "PoliciesPerUser",
    "GroupPolicySizeQuota": "GroupPolicySize",
    "GroupsPerUserQuota": "GroupsPerUser",
    "GroupsQuota": "GroupsPerAccount",
    "InstanceProfilesQuota": "InstanceProfilesPerAccount",
    "PoliciesQuota": "PoliciesPerAccount",
    "PolicySizeQuota": "PolicySize",
    "RolePolicySizeQuota": "RolePolicySize",
    "RolesQuota": "RolesPerAccount",
    "UserPolicySizeQuota": "UserPolicySize",
    "UsersQuota": "UsersPerAccount",
    "VersionsPerPolicyQuota": "VersionsPerPolicy",
}
"""Name in the summary → the quota of :mod:`locum.core.limits`."""

_UNKEPT: Final = {
    "AccountSigningCertificatesPresent": 0,
    "PolicyVersionsInUseQuota": 10_000,
    "ServerCertificates": 0,
    "ServerCertificatesQuota": 20,
    "SigningCertificatesPerUserQuota": 2,
}
"""What this server neither keeps nor limits, as a standard account of AWS shows it."""


# Alias


@handles(api.CreateAccountAliasCommand)
def create_account_alias(call: Call[api.CreateAccountAliasCommand]) -> types.Nothing:
    """Give the account an alias in place of its old one (IAM-ACC-001)."""
    alias = call.command.account_alias
    if len(alias) == _ID_DIGITS and alias.isdecimal():
        raise ValidationError("The specified value for accountAlias is invalid. It must not be a 12-digit number.")
    if call.records.get(AccountAlias, "", alias) is not None:
        raise EntityAlreadyExistsException(f"The account alias {alias} already exists.")
    old = alias_of(call)
    if old is not None:
        call.records.delete(old)
    call.records.create(AccountAlias(alias=alias, account=call.account))
    return types.Nothing()


@handles(api.DeleteAccountAliasCommand)
def delete_account_alias(call: Call[api.DeleteAccountAliasCommand]) -> types.Nothing:
    """Take the alias from the account."""
    stored = alias_of(call)
    if stored is None or stored.record.alias != call.command.account_alias:
        raise NoSuchEntityException(f"The account alias {call.command.account_alias} cannot be found.")
    call.records.delete(stored)
    return types.Nothing()


@handles(api.ListAccountAliasesCommand)
def list_account_aliases(call: Call[api.ListAccountAliasesCommand]) -> api.ListAccountAliasesResponse:
    """The alias of the account, if it has one."""
    stored = alias_of(call)
    names = [] if stored is None else [stored.record.alias]
    aliases, shown = page(call, whole((name, name) for name in names))
    return api.ListAccountAliasesResponse(account_aliases=aliases, is_truncated=shown.is_truncated, marker=shown.marker)


# Settings


def save_settings(call: Call[Any], **changes: Any) -> types.Nothing:
    """Write some of the account's settings."""
    stored = call.records.get(AccountSettings, call.account, "settings")
    settings = msgspec.structs.replace(settings_of(call), **changes)
    if stored is None:
        call.records.create(settings)
    else:
        call.records.replace(stored, settings)
    return types.Nothing()


@handles(api.SetSecurityTokenServicePreferencesCommand)
def set_security_token_service_preferences(
    call: Call[api.SetSecurityTokenServicePreferencesCommand],
) -> types.Nothing:
    """Note the version of the global endpoint's tokens (IAM-SHD-005)."""
    return save_settings(call, token_version=_TOKENS[call.command.global_endpoint_token_version])


# Summary


@handles(api.GetAccountSummaryCommand)
def get_account_summary(call: Call[api.GetAccountSummaryCommand]) -> api.GetAccountSummaryResponse:
    """Every number of IAM-ACC-002; those that this server has no entities for are what an empty account shows."""
    records, account = call.records, call.account

    def has(index: str) -> int:
        return len(records.found(index, account, limit=1))

    summary = {name: most(call, quota) for name, quota in _QUOTAS.items()} | _UNKEPT
    summary |= {
        "AccountAccessKeysPresent": has("key-owner"),
        "AccountMFAEnabled": has("mfa-owner"),
        "AccountPasswordPresent": int(records.get(LoginProfile, account, account) is not None),
        "GlobalEndpointTokenVersion": settings_of(call).token_version,
        "Groups": records.count(Group, account),
        "InstanceProfiles": records.count(InstanceProfile, account),
        "MFADevices": records.count(MfaDevice, account),
        "MFADevicesInUse": sum(stored.record.owner is not None for stored in records.each(MfaDevice, account)),
        "Policies": records.count(ManagedPolicy, account),
        # Of a policy in use, AWS's own among them, the default version is.
        "PolicyVersionsInUse": sum(_in_use(call, policy) for policy in _managed_policies(call)),
        "Providers": sum(records.count(kind, account) for kind in _PROVIDERS),
        "Roles": records.count(Role, account),
        "Users": records.count(User, account),
    }
    return api.GetAccountSummaryResponse(summary_map=dict(sorted(summary.items())))


# Authorization details

_Detail: TypeAlias = api.UserDetail | api.GroupDetail | api.RoleDetail | api.ManagedPolicyDetail


def _inline(policies: dict[str, str]) -> tuple[api.PolicyDetail, ...]:
    return tuple(
        api.PolicyDetail(policy_name=name, policy_document=types.encode_document(text))
        for name, text in sorted(policies.items())
    )


def _attached(policies: tuple[str, ...]) -> tuple[types.AttachedPolicy, ...]:
    named = sorted((Arn.parse(policy).path_and_name[1], policy) for policy in policies)
    return tuple(types.AttachedPolicy(policy_name=name, policy_arn=policy) for name, policy in named)


def _user(call: Call[Any], user: User) -> api.UserDetail:
    return api.UserDetail(
        path=user.path,
        user_name=user.name,
        user_id=user.id,
        arn=user.arn(call.partition),
        create_date=moment(user.created),
        user_policy_list=_inline(user.inline) or None,
        group_list=tuple(group.name for group in groups_of(call, user)),
        attached_managed_policies=_attached(user.attached),
        permissions_boundary=boundary_of(user),
        tags=tags_of(user.tags),
    )


def _group(call: Call[Any], group: Group) -> api.GroupDetail:
    return api.GroupDetail(
        path=group.path,
        group_name=group.name,
        group_id=group.id,
        arn=group.arn(call.partition),
        create_date=moment(group.created),
        group_policy_list=_inline(group.inline),
        attached_managed_policies=_attached(group.attached),
    )


def _role(call: Call[Any], role: Role) -> api.RoleDetail:
    return api.RoleDetail(
        path=role.path,
        role_name=role.name,
        role_id=role.id,
        arn=role.arn(call.partition),
        create_date=moment(role.created),
        assume_role_policy_document=documents.trust_shown(call, role),
        instance_profile_list=tuple(profile_shown(call, profile) for profile in profiles_of(call, role)),
        role_policy_list=_inline(role.inline),
        attached_managed_policies=_attached(role.attached),
        permissions_boundary=boundary_of(role),
        tags=tags_of(role.tags),
        role_last_used=documents.role_last_used(call, role),
    )


def _policy(call: Call[Any], policy: ManagedPolicy) -> api.ManagedPolicyDetail:
    """A policy as ListPolicies shows it, without the description that the model allows for, and its versions."""
    shown = policy_shown(call, policy)
    return api.ManagedPolicyDetail(
        policy_name=shown.policy_name,
        policy_id=shown.policy_id,
        arn=shown.arn,
        path=shown.path,
        default_version_id=shown.default_version_id,
        attachment_count=shown.attachment_count,
        permissions_boundary_usage_count=shown.permissions_boundary_usage_count,
        is_attachable=shown.is_attachable,
        create_date=shown.create_date,
        update_date=shown.update_date,
        policy_version_list=tuple(
            types.PolicyVersion(
                document=types.encode_document(version.document),
                version_id=version.id,
                is_default_version=version.number == policy.default,
                create_date=moment(version.created),
            )
            for version in reversed(policy.versions)
        ),
    )


def _managed_policies(call: Call[Any]) -> Iterator[ManagedPolicy]:
    """The account's managed policies and AWS's."""
    yield from (stored.record for stored in call.records.each(ManagedPolicy, call.account))
    yield from documents.aws_managed_policies()


def _in_use(call: Call[Any], policy: ManagedPolicy) -> bool:
    name = policy.arn(call.partition)
    return any(True for index in ("attached", "boundary") for _ in users_of(call, index, name))


def _each(kind: type[Any], shown: Callable[[Call[Any], Any], _Detail]) -> Callable[[Call[Any], str], Any]:
    def entries(call: Call[Any], after: str) -> Iterator[tuple[str, _Detail]]:
        for stored in call.records.each(kind, call.account, after=after):
            yield stored.record.key[2], shown(call, stored.record)

    return entries


def _aws_policies(call: Call[Any], after: str) -> Iterator[tuple[str, _Detail]]:
    for policy in documents.aws_managed_policies():
        if policy.key[2] > after and _in_use(call, policy):
            yield policy.key[2], _policy(call, policy)


_SECTIONS: Final[dict[str, Callable[[Call[Any], str], Iterator[tuple[str, _Detail]]]]] = {
    "User": _each(User, _user),
    "Role": _each(Role, _role),
    "Group": _each(Group, _group),
    "LocalManagedPolicy": _each(ManagedPolicy, _policy),
    "AWSManagedPolicy": _aws_policies,
}
"""Word of a filter → what stands under it, after a name; in this order on the pages."""


@handles(api.GetAccountAuthorizationDetailsCommand)
def get_account_authorization_details(
    call: Call[api.GetAccountAuthorizationDetailsCommand],
) -> api.GetAccountAuthorizationDetailsResponse:
    """Users, roles, groups and policies, each ascending by name (IAM-ACC-003, IAM-ACC-004).

    Of AWS's policies only those in use.
    """
    wanted = frozenset(call.command.filter or _SECTIONS)

    def entries(after: str) -> Iterator[tuple[str, _Detail]]:
        last, _, name = after.partition(" ")
        for number, (word, section) in enumerate(_SECTIONS.items()):
            if word in wanted and str(number) >= last:
                for position, detail in section(call, name if str(number) == last else ""):
                    yield f"{number} {position}", detail

    def refused(mark: NotAMark) -> ValidationError:
        number = (mark.after or "").partition(" ")[0]
        sections = {str(number): word for number, word in enumerate(_SECTIONS)}
        known = sections.get(number) in wanted
        return ValidationError("Invalid Marker." if known else "Marker and Filter do not match")

    details, shown = page(call, entries, filters=sorted(wanted), refused=refused)
    return api.GetAccountAuthorizationDetailsResponse(
        user_detail_list=tuple(each for each in details if isinstance(each, api.UserDetail)),
        group_detail_list=tuple(each for each in details if isinstance(each, api.GroupDetail)),
        role_detail_list=tuple(each for each in details if isinstance(each, api.RoleDetail)),
        policies=tuple(each for each in details if isinstance(each, api.ManagedPolicyDetail)),
        is_truncated=shown.is_truncated,
        marker=shown.marker,
    )
