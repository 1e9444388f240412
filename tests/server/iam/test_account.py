"""Alias, summary and settings of an account (iam_api.md §10, IAM-SHD-005)."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from locum import errors
from locum.api.iam import access_keys, account, groups, instance_profiles, login_profiles, mfa, policies, users
from locum.api.shapes import Command
from locum.core.limits import with_limits
from locum.core.records import Account, OidcProvider, SamlProvider
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from ..conftest import ACCOUNT, OTHER, World, document
from ..phones import phone_of

DOCUMENT = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"}}'


def create(alias: str) -> account.CreateAccountAliasCommand:
    return account.CreateAccountAliasCommand(account_alias=alias)


def delete(alias: str) -> account.DeleteAccountAliasCommand:
    return account.DeleteAccountAliasCommand(account_alias=alias)


def aliases(world: World, who: Credentials | None = None) -> tuple[str, ...]:
    return world.call(who or world.root, account.ListAccountAliasesCommand()).account_aliases


def summary(world: World) -> dict[str, int]:
    shown = world.call(world.root, account.GetAccountSummaryCommand()).summary_map
    assert shown is not None
    return shown


# Alias


@pytest.mark.facts("IAM-ACC-001")
def test_an_account_has_one_alias_at_most_and_a_new_one_replaces_it(world: World) -> None:
    assert aliases(world) == ()
    world.call(world.root, create("first-name"))
    assert aliases(world) == ("first-name",)
    world.call(world.root, create("second-name"))
    assert aliases(world) == ("second-name",)
    other = world.account(OTHER)
    world.call(other, create("first-name"))
    assert aliases(world, other) == ("first-name",)


@pytest.mark.facts("IAM-ACC-001")
def test_no_two_accounts_have_one_alias(world: World) -> None:
    other = world.account(OTHER)
    world.call(world.root, create("ours"))
    for who in (other, world.root):
        refused = world.refusal(who, create("ours"), errors.EntityAlreadyExistsException)
        assert refused == "The account alias ours already exists."
    assert aliases(world, other) == ()
    world.refusal(other, delete("ours"), errors.NoSuchEntityException)
    world.call(world.root, delete("ours"))
    world.call(other, create("ours"))


@pytest.mark.facts("IAM-ACC-001")
def test_only_the_accounts_own_alias_can_be_deleted(world: World) -> None:
    refused = world.refusal(world.root, delete("nothing"), errors.NoSuchEntityException)
    assert refused == "The account alias nothing cannot be found."
    world.call(world.root, create("ours"))
    world.refusal(world.root, delete("theirs"), errors.NoSuchEntityException)
    world.call(world.root, delete("ours"))
    assert aliases(world) == ()


@pytest.mark.facts("IAM-ACC-001")
@pytest.mark.parametrize("alias", ["ab", "Abc", "-abc", "abc-", "a--b", "a_b", "a" * 64, "123456789012"])
def test_what_cannot_be_an_alias(world: World, alias: str) -> None:
    world.refusal(world.root, create(alias), errors.ValidationError)
    assert aliases(world) == ()


@pytest.mark.facts("IAM-ACC-001")
@pytest.mark.parametrize("alias", ["abc", "a" * 63, "a-b-c", "12345678901", "1234567890123"])
def test_what_can_be_an_alias(world: World, alias: str) -> None:
    world.call(world.root, create(alias))
    assert aliases(world) == (alias,)


@pytest.mark.facts("IAM-USR-009")
def test_root_is_shown_under_the_alias(world: World) -> None:
    nameless = world.call(world.root, users.GetUserCommand()).user
    assert (nameless.user_name, nameless.path, nameless.user_id) == (None, None, ACCOUNT)
    world.call(world.root, create("ours"))
    assert world.call(world.root, users.GetUserCommand()).user.user_name == "ours"
    (key,) = world.call(world.root, access_keys.ListAccessKeysCommand()).access_key_metadata
    assert key.user_name == "ours"
    used = access_keys.GetAccessKeyLastUsedCommand(access_key_id=world.root.access_key_id)
    assert world.call(world.root, used).user_name == "ours"
    assert world.call(world.root, access_keys.CreateAccessKeyCommand()).access_key.user_name == "ours"
    phone_of(world, ACCOUNT)
    (device,) = world.call(world.root, mfa.ListMFADevicesCommand()).mfa_devices
    assert device.user_name == "ours"


# Summary

STANDARD = {
    "AccessKeysPerUserQuota": 2,
    "AccountAccessKeysPresent": 1,
    "AccountMFAEnabled": 0,
    "AccountPasswordPresent": 0,
    "AccountSigningCertificatesPresent": 0,
    "AssumeRolePolicySizeQuota": 2048,
    "AttachedPoliciesPerGroupQuota": 10,
    "AttachedPoliciesPerRoleQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "GlobalEndpointTokenVersion": 1,
    "GroupPolicySizeQuota": 5120,
    "Groups": 0,
    "GroupsPerUserQuota": 10,
    "GroupsQuota": 300,
    "InstanceProfiles": 0,
    "InstanceProfilesQuota": 1000,
    "MFADevices": 0,
    "MFADevicesInUse": 0,
    "Policies": 0,
    "PoliciesQuota": 1500,
    "PolicySizeQuota": 6144,
    "PolicyVersionsInUse": 0,
    "PolicyVersionsInUseQuota": 10000,
    "Providers": 0,
    "RolePolicySizeQuota": 10240,
    "Roles": 0,
    "RolesQuota": 1000,
    "ServerCertificates": 0,
    "ServerCertificatesQuota": 20,
    "SigningCertificatesPerUserQuota": 2,
    "UserPolicySizeQuota": 2048,
    "Users": 0,
    "UsersQuota": 5000,
    "VersionsPerPolicyQuota": 5,
}


@pytest.mark.facts("IAM-ACC-002")
def test_a_new_account_has_the_standard_summary(world: World) -> None:
    assert summary(world) == STANDARD
    words = botocore.session.get_session().get_service_model("iam").shape_for("summaryKeyType").enum
    assert set(STANDARD) == set(words)


@pytest.mark.facts("IAM-ACC-002")
def test_the_summary_counts(world: World) -> None:
    root = world.root
    for name in ("alice", "bob"):
        world.user(name)
    world.role("deploy", {"AWS": ACCOUNT})
    world.call(root, groups.CreateGroupCommand(group_name="g"))
    world.call(root, instance_profiles.CreateInstanceProfileCommand(instance_profile_name="i"))
    made = world.call(root, policies.CreatePolicyCommand(policy_name="p", policy_document=DOCUMENT)).policy
    assert made is not None
    assert made.arn is not None
    world.call(root, policies.CreatePolicyVersionCommand(policy_arn=made.arn, policy_document=DOCUMENT))
    for name in ("one", "two"):
        world.call(root, mfa.CreateVirtualMFADeviceCommand(virtual_mfa_device_name=name))
    with world.store.transaction() as rows:
        records = Records(rows)
        records.create(OidcProvider(account=ACCOUNT, url="id.example.com", created=1))
        records.create(SamlProvider(account=ACCOUNT, name="s", uuid="u", created=1, metadata="", valid_until=2))
    changed = {
        "Groups": 1,
        "InstanceProfiles": 1,
        "MFADevices": 2,
        "Policies": 1,
        "PolicyVersionsInUse": 0,
        "Providers": 2,
        "Roles": 1,
        "Users": 2,
    }
    assert summary(world) == STANDARD | changed
    # A policy that somebody has counts once, however many versions it has, AWS's own too and as a boundary as well.
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    world.call(root, users.PutUserPermissionsBoundaryCommand(user_name="alice", permissions_boundary=made.arn))
    assert summary(world) == STANDARD | changed | {"PolicyVersionsInUse": 1}
    world.call(root, users.PutUserPermissionsBoundaryCommand(user_name="bob", permissions_boundary=administrator))
    world.call(root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=administrator))
    assert summary(world) == STANDARD | changed | {"PolicyVersionsInUse": 2}
    other = world.account(OTHER)
    assert world.call(other, account.GetAccountSummaryCommand()).summary_map == STANDARD


@pytest.mark.facts("IAM-ACC-002")
def test_the_summary_shows_the_accounts_own_limits_and_roots_device(world: World) -> None:
    phone_of(world, ACCOUNT)
    with world.store.transaction() as rows:
        stored = Records(rows).get(Account, "", ACCOUNT)
        assert stored is not None
        Records(rows).replace(stored, with_limits(stored.record, {"RolesPerAccount": 7, "PoliciesPerRole": 20}))
    shown = summary(world)
    assert (shown["RolesQuota"], shown["AttachedPoliciesPerRoleQuota"]) == (7, 20)
    assert (shown["MFADevices"], shown["MFADevicesInUse"], shown["AccountMFAEnabled"]) == (1, 1, 1)


# Settings


@pytest.mark.facts("IAM-SHD-005", "IAM-CL-037")
def test_the_version_of_tokens_is_kept_and_shown(world: World) -> None:
    for word, number in (("v2Token", 2), ("v1Token", 1)):
        command = account.SetSecurityTokenServicePreferencesCommand(global_endpoint_token_version=word)
        world.call(world.root, command)
        assert summary(world)["GlobalEndpointTokenVersion"] == number
    command = account.SetSecurityTokenServicePreferencesCommand(global_endpoint_token_version="v3Token")
    world.refusal(world.root, command, errors.ValidationError)


def test_settings_are_kept_apart(world: World) -> None:
    world.call(world.root, login_profiles.UpdateAccountPasswordPolicyCommand(minimum_password_length=9))
    world.call(world.root, account.SetSecurityTokenServicePreferencesCommand(global_endpoint_token_version="v2Token"))
    world.call(world.root, login_profiles.UpdateAccountPasswordPolicyCommand(minimum_password_length=10))
    assert summary(world)["GlobalEndpointTokenVersion"] == 2
    rules = world.call(world.root, login_profiles.GetAccountPasswordPolicyCommand()).password_policy
    assert rules.minimum_password_length == 10


@pytest.mark.facts("IAM-CL-010")
@pytest.mark.parametrize(
    "command",
    [
        create("x-y"),
        delete("x-y"),
        account.ListAccountAliasesCommand(),
        account.GetAccountSummaryCommand(),
        account.GetAccountAuthorizationDetailsCommand(),
        account.SetSecurityTokenServicePreferencesCommand(global_endpoint_token_version="v2Token"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_permission_is_asked_on_everything(world: World, command: Command[Any]) -> None:
    action = command.operation.action
    alice = world.user("alice", document(Effect="Allow", Action=action, Resource="*"))
    everything = f"arn:aws:iam::{ACCOUNT}:*"
    bob = world.user("bob", document(Effect="Allow", Action=action, Resource=everything))
    world.refusal(bob, command, errors.AccessDenied)
    if isinstance(command, account.DeleteAccountAliasCommand):
        world.refusal(alice, command, errors.NoSuchEntityException)
    else:
        world.call(alice, command)
