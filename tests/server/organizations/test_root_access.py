"""Centralized root access: the features, AssumeRoot, and what its sessions may do (areas ROOT and IAM-RAC)."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest

from locum import errors
from locum.api import sts
from locum.api.extensions import RevokeSessionsCommand
from locum.api.iam import access_keys, account, groups, login_profiles, mfa, other_credentials, policies, roles, users
from locum.api.iam import root_access as api
from locum.api.iam.types import decode_document
from locum.api.organizations import accounts, organization
from locum.api.shapes import Command
from locum.policy.managed import AWS_MANAGED_POLICIES, ROOT_TASKS
from locum.wire.sigv4 import Credentials

from ..conftest import ACCOUNT, OTHER, World, document
from .conftest import Org

ADMIN: Final = document(Effect="Allow", Action="*", Resource="*")
IAM: Final = "iam.amazonaws.com"
CREDENTIALS: Final = "RootCredentialsManagement"
SESSIONS: Final = "RootSessions"
TASKS: Final = {
    "IAMAuditRootUserCredentials": CREDENTIALS,
    "IAMCreateRootUserPassword": CREDENTIALS,
    "IAMDeleteRootUserCredentials": CREDENTIALS,
    "S3UnlockBucketPolicy": SESSIONS,
    "SQSUnlockQueuePolicy": SESSIONS,
}
ENABLE: Final[dict[str, Command[Any]]] = {
    CREDENTIALS: api.EnableOrganizationsRootCredentialsManagementCommand(),
    SESSIONS: api.EnableOrganizationsRootSessionsCommand(),
}
DISABLE: Final[dict[str, Command[Any]]] = {
    CREDENTIALS: api.DisableOrganizationsRootCredentialsManagementCommand(),
    SESSIONS: api.DisableOrganizationsRootSessionsCommand(),
}
LIST: Final = api.ListOrganizationsFeaturesCommand()
ALL: Final[list[Command[Any]]] = [*ENABLE.values(), *DISABLE.values(), LIST]
TRUST: Final = organization.EnableAWSServiceAccessCommand(service_principal=IAM)
AUDIT: Final = "IAMAuditRootUserCredentials"
DELETE: Final = "IAMDeleteRootUserCredentials"


def root_arn(account: str) -> str:
    return f"arn:aws:iam::{account}:root"


def asking(target: str, task: str = AUDIT, **more: Any) -> sts.AssumeRootCommand:
    policy = sts.PolicyDescriptorType(arn=f"arn:aws:iam::aws:policy/root-task/{task}")
    return sts.AssumeRootCommand(target_principal=target, task_policy_arn=policy, **more)


def of(issued: sts.Credentials) -> Credentials:
    return Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)


class Realm:
    """An organization that trusts IAM and has both features on, with one member and an administrator."""

    def __init__(self, org: Org) -> None:
        self.org, self.world = org, org.world
        org.call(TRUST)
        for command in ENABLE.values():
            org.call(command)
        self.member = org.account("shop")
        self.admin = self.world.user("admin", ADMIN)

    def open(self, task: str = AUDIT, by: Credentials | None = None, **more: Any) -> Credentials:
        return of(self.world.call(by or self.admin, asking(self.member, task, **more)).credentials)

    def refused(self, command: Command[Any], by: Credentials | None = None) -> str:
        return self.world.refusal(by or self.admin, command, errors.AccessDenied)


@pytest.fixture
def realm(org: Org) -> Realm:
    return Realm(org)


# The features


@pytest.mark.facts("IAM-RAC-001", "IAM-CL-013")
def test_features_are_switched_one_by_one(org: Org) -> None:
    org.call(TRUST)
    assert org.call(LIST).enabled_features == ()
    for command, features in (
        (ENABLE[SESSIONS], (SESSIONS,)),
        (ENABLE[CREDENTIALS], (SESSIONS, CREDENTIALS)),
        (ENABLE[CREDENTIALS], (SESSIONS, CREDENTIALS)),
        (DISABLE[SESSIONS], (CREDENTIALS,)),
        (DISABLE[SESSIONS], (CREDENTIALS,)),
        (DISABLE[CREDENTIALS], ()),
    ):
        answer = org.call(command)
        assert (answer.organization_id, answer.enabled_features) == (org.id, features)
        assert org.call(LIST).enabled_features == features


@pytest.mark.facts("IAM-RAC-002", "IAM-GEN-032")
@pytest.mark.parametrize("command", ALL, ids=lambda each: each.operation.name)
def test_who_may_use_the_features(org: Org, command: Command[Any]) -> None:
    alone = org.world.account(OTHER)
    assert OTHER in org.world.refusal(alone, command, errors.OrganizationNotFoundException)
    shop = org.account("shop")
    org.call(TRUST)
    refused = org.world.refusal(
        org.root_of(shop), command, errors.AccountNotManagementOrDelegatedAdministratorException
    )
    assert refused == f"Input account {shop} is neither management account nor delegated admin."
    deputy = org.account("deputy", email="deputy@example.com")
    org.delegate(deputy)
    if command in ENABLE.values():
        refused = org.world.refusal(org.root_of(deputy), command, errors.CallerIsNotManagementAccountException)
        assert refused == (
            f"Caller account {deputy} is not management account of the organization and cannot enable IAM features."
        )
    else:
        assert org.call(command, org.root_of(deputy)).organization_id == org.id
    assert org.call(command).organization_id == org.id


@pytest.mark.facts("IAM-RAC-003", "STS-ROOT-012", "IAM-RAC-002")
@pytest.mark.parametrize("command", ALL, ids=lambda each: each.operation.name)
def test_the_organization_must_trust_iam(org: Org, command: Command[Any]) -> None:
    refused = org.world.refusal(org.root, command, errors.ServiceAccessNotEnabledException)
    assert refused == f"Trusted Access for IAM not enabled by organization of input account {ACCOUNT}."


@pytest.mark.facts("IAM-RAC-003", "IAM-RAC-002")
@pytest.mark.parametrize("command", ALL, ids=lambda each: each.operation.name)
def test_the_organization_must_have_all_features(world: World, command: Command[Any]) -> None:
    Org(world, feature_set="CONSOLIDATED_BILLING")
    assert ACCOUNT in world.refusal(world.root, command, errors.OrganizationNotInAllFeaturesModeException)


@pytest.mark.parametrize("command", ALL, ids=lambda each: each.operation.name)
def test_each_needs_leave(org: Org, command: Command[Any]) -> None:
    action = f"iam:{command.operation.name}"
    alice = org.world.user("alice", document(Effect="Allow", NotAction=action, Resource="*"))
    org.call(TRUST)
    assert action in org.world.refusal(alice, command, errors.AccessDenied)
    assert org.call(LIST).enabled_features == ()


@pytest.mark.facts("IAM-RAC-006")
def test_new_members_have_no_root_credentials(realm: Realm) -> None:
    session = realm.open()
    assert realm.world.call(session, access_keys.ListAccessKeysCommand()).access_key_metadata == ()
    assert realm.world.call(session, mfa.ListMFADevicesCommand()).mfa_devices == ()
    refused = realm.world.refusal(session, login_profiles.GetLoginProfileCommand(), errors.NoSuchEntityException)
    assert refused == "Login Profile for User null cannot be found."


@pytest.mark.facts("IAM-RAC-005", "IAM-USR-009")
def test_a_root_task_makes_a_login_profile_that_names_nobody(realm: Realm) -> None:
    session = realm.open("IAMCreateRootUserPassword")
    made = realm.world.call(session, login_profiles.CreateLoginProfileCommand()).login_profile
    assert (made.user_name, made.password_reset_required) == (None, False)
    refused = realm.world.refusal(
        session, login_profiles.CreateLoginProfileCommand(), errors.EntityAlreadyExistsException
    )
    assert refused == f"Login Profile for account {realm.member} already exists."


# AssumeRoot: who, whom, for what


@pytest.mark.facts("STS-ROOT-002", "IAM-RAC-004", "ORG-022", "POL-RT-001", "R34", "STS-CALL-T12")
def test_users_and_roles_of_management_and_of_the_delegated_administrator_may_open_sessions(realm: Realm) -> None:
    world = realm.world
    role = world.role("admins", {"AWS": ACCOUNT}, ADMIN)
    deputy = realm.org.account("deputy", email="deputy@example.com")
    deputy_root = realm.org.root_of(deputy)
    deputies = world.user("carol", ADMIN, root=deputy_root)
    command = asking(realm.member)
    text = f" is not authorized to perform: sts:AssumeRoot on resource: {root_arn(realm.member)}"
    assert realm.refused(command, deputies) == f"User: arn:aws:iam::{deputy}:user/carol{text}"
    realm.org.delegate(deputy)
    for caller in (realm.admin, world.assume(realm.admin, role), deputies):
        session = of(world.call(caller, command).credentials)
        assert world.call(session, sts.GetCallerIdentityCommand()).account == realm.member
    session_token = of(world.call(realm.admin, sts.GetSessionTokenCommand()).credentials)
    federated = sts.GetFederationTokenCommand(name="guest", policy=json.dumps(ADMIN))
    for caller, who in (
        (world.root, root_arn(ACCOUNT)),
        (of(world.call(world.root, sts.GetSessionTokenCommand()).credentials), root_arn(ACCOUNT)),
        (deputy_root, root_arn(deputy)),
        (session_token, f"arn:aws:iam::{ACCOUNT}:user/admin"),
        (of(world.call(realm.admin, federated).credentials), f"arn:aws:sts::{ACCOUNT}:federated-user/guest"),
    ):
        assert realm.refused(command, caller) == f"User: {who}{text}"
    assert realm.refused(command, realm.open()) == f"User: {root_arn(realm.member)}{text}"


@pytest.mark.facts("STS-ROOT-001", "R43")
def test_nobody_opens_one_without_a_signature(realm: Realm) -> None:
    realm.world.refusal(None, asking(realm.member), errors.MissingAuthenticationToken)


@pytest.mark.facts("STS-ROOT-003", "STS-E-T43")
def test_the_target_is_an_account_or_its_root(realm: Realm) -> None:
    world = realm.world
    for target in (realm.member, root_arn(realm.member)):
        session = of(world.call(realm.admin, asking(target)).credentials)
        assert world.call(session, sts.GetCallerIdentityCommand()).arn == root_arn(realm.member)
    for target in (
        f"arn:aws:iam::{realm.member}:user/root",
        f"arn:aws-cn:iam::{realm.member}:root",
        f"arn:aws:sts::{realm.member}:root",
        f"arn:aws:iam:us-east-1:{realm.member}:root",
        f"{realm.member}1",
        "arn:aws:iam::١١١١٢٢٢٢٣٣٣٣:root",
        "not an account",
    ):
        refused = world.refusal(realm.admin, asking(target), errors.ValidationError)
        assert refused == "Request must contain a valid target principal"


@pytest.mark.facts("STS-ROOT-005", "STS-E-T43", "POL-RT-003")
def test_the_task_is_one_of_five(realm: Realm) -> None:
    for task in TASKS:
        realm.open(task)
    for policy in (
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "arn:aws:iam::aws:policy/root-task/AdministratorAccess",
        f"arn:aws:iam::aws:policy/{AUDIT}",
        f"arn:aws-cn:iam::aws:policy/root-task/{AUDIT}",
        f"arn:aws:iam::{ACCOUNT}:policy/root-task/{AUDIT}",
        f"arn:aws:iam::aws:policy/root-task/{AUDIT.lower()}",
        "x" * 20,
    ):
        command = asking(realm.member)
        command = sts.AssumeRootCommand(
            target_principal=command.target_principal, task_policy_arn=sts.PolicyDescriptorType(arn=policy)
        )
        refused = realm.world.refusal(realm.admin, command, errors.ValidationError)
        assert refused == "Request must contain valid AWS managed task policy ARN"


@pytest.mark.facts("STS-ROOT-005", "STS-V-003")
def test_a_task_must_be_named(realm: Realm) -> None:
    body = f"Action=AssumeRoot&Version=2011-06-15&TargetPrincipal={realm.member}".encode()
    request = realm.world.request(asking(realm.member), realm.admin, body=body)
    with pytest.raises(errors.ValidationError) as refused:
        realm.world.check(realm.world.send(request))
    assert refused.value.message == (
        "1 validation error detected: Value null at 'taskPolicyArn' failed to satisfy constraint: "
        "Member must not be null"
    )


@pytest.mark.facts("STS-ROOT-007", "POL-RT-002", "R34", "STS-ROOT-009")
@pytest.mark.parametrize("task", TASKS)
def test_each_feature_unlocks_its_own_tasks_and_switching_it_off_ends_their_sessions(realm: Realm, task: str) -> None:
    world, org = realm.world, realm.org
    feature = TASKS[task]
    (other,) = {CREDENTIALS, SESSIONS} - {feature}
    org.call(DISABLE[other])
    session = realm.open(task)
    org.call(DISABLE[feature])
    org.call(ENABLE[other])
    spoken = {CREDENTIALS: "Root credentials management", SESSIONS: "Root sessions"}[feature]
    told = f"{spoken} feature is not enabled for your AWS Organization."
    assert realm.refused(asking(realm.member, task)) == told
    for target in (ACCOUNT, "999900001111"):
        assert realm.refused(asking(target, task)).endswith(f"sts:AssumeRoot on resource: {root_arn(target)}")
    outsider = world.user("eve", ADMIN, root=org.root_of(realm.member))
    assert realm.refused(asking(realm.member, task), outsider).endswith(root_arn(realm.member))
    world.refusal(session, sts.GetCallerIdentityCommand(), errors.InvalidClientTokenId)
    org.call(ENABLE[feature])
    world.call(session, sts.GetCallerIdentityCommand())


@pytest.mark.facts("STS-ROOT-004", "STS-ROOT-009", "R34")
def test_only_open_members_of_the_callers_organization_can_be_assumed(realm: Realm) -> None:
    org, world = realm.org, realm.world
    closed = org.account("closed", email="closed@example.com")
    org.call(accounts.CloseAccountCommand(account_id=closed))
    alone, left = "555566667777", org.account("left", email="left@example.com")
    world.account(alone)
    org.call(accounts.RemoveAccountFromOrganizationCommand(account_id=left))
    foreign = World.account(world, OTHER)
    world.call(foreign, organization.CreateOrganizationCommand())
    for target in (ACCOUNT, closed, left, alone, OTHER, "999900001111"):
        assert realm.refused(asking(target)) == (
            f"User: arn:aws:iam::{ACCOUNT}:user/admin is not authorized to perform: "
            f"sts:AssumeRoot on resource: {root_arn(target)}"
        )


@pytest.mark.facts("R34", "IAM-RAC-003")
def test_nothing_opens_without_trusted_access_and_sessions_end_with_the_membership(realm: Realm) -> None:
    org, world = realm.org, realm.world
    session = realm.open()
    org.call(organization.DisableAWSServiceAccessCommand(service_principal=IAM))
    assert realm.refused(asking(realm.member)) == "Service not enabled for AWS Organizations."
    world.refusal(session, sts.GetCallerIdentityCommand(), errors.InvalidClientTokenId)
    org.call(TRUST)
    world.call(session, sts.GetCallerIdentityCommand())
    org.call(accounts.RemoveAccountFromOrganizationCommand(account_id=realm.member))
    world.refusal(session, sts.GetCallerIdentityCommand(), errors.InvalidClientTokenId)


@pytest.mark.facts("STS-ROOT-008", "POL-RT-006", "POL-RT-008", "POL-AC-013", "STS-CTX-T42", "STS-CTX-T50")
def test_the_callers_policies_decide_by_root_user_and_task(realm: Realm) -> None:
    world = realm.world
    member, other = realm.member, realm.org.account("other", email="other@example.com")
    task = {"ArnEquals": {"sts:TaskPolicyArn": f"arn:aws:iam::aws:policy/root-task/{AUDIT}"}}
    auditor = world.user(
        "auditor", document(Effect="Allow", Action="sts:AssumeRoot", Resource=root_arn(member), Condition=task)
    )
    world.call(auditor, asking(member))
    nobody = world.user("nobody")
    for who, caller, command in (
        ("auditor", auditor, asking(member, DELETE)),
        ("auditor", auditor, asking(other)),
        ("nobody", nobody, asking(member)),
    ):
        account = other if command.target_principal == other else member
        assert realm.refused(command, caller) == (
            f"User: arn:aws:iam::{ACCOUNT}:user/{who} is not authorized to perform: "
            f"sts:AssumeRoot on resource: {root_arn(account)}"
        )


@pytest.mark.facts("POL-RT-007", "POL-OR-006")
def test_the_callers_scps_apply_to_the_call_but_not_to_management(realm: Realm) -> None:
    org, world = realm.org, realm.world
    deputy = org.account("deputy", email="deputy@example.com")
    org.delegate(deputy)
    carol = world.user("carol", ADMIN, root=org.root_of(deputy))
    org.enable()
    denying = '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"sts:AssumeRoot","Resource":"*"}}'
    org.attach(org.policy("no-root", denying), org.top)
    assert "sts:AssumeRoot" in realm.refused(asking(realm.member), carol)
    world.call(realm.admin, asking(realm.member))


# The session


@pytest.mark.facts("STS-ROOT-010", "STS-ROOT-011", "STS-GCI-T01", "STS-CALL-T07", "POL-RT-001")
def test_the_session_is_the_members_root(realm: Realm) -> None:
    world = realm.world
    answer = world.call(realm.admin, asking(realm.member, minimum_session_token_size=1_000))
    assert answer.source_identity is None
    assert answer.session_token_size == len(answer.credentials.session_token.reveal()) >= 1_000
    assert answer.session_token_utilization == -(-answer.session_token_size * 100 // 8192)
    assert (answer.credentials.expiration.timestamp() - world.now) == 900
    assert re.fullmatch("ASIA[A-Z0-9]{16}", answer.credentials.access_key_id)
    identity = world.call(of(answer.credentials), sts.GetCallerIdentityCommand())
    assert (identity.arn, identity.user_id, identity.account) == (root_arn(realm.member), realm.member, realm.member)


@pytest.mark.facts("STS-ROOT-006", "STS-CALL-T23")
def test_it_lives_fifteen_minutes_at_most_and_may_be_over_at_once(realm: Realm) -> None:
    world = realm.world
    refused = world.refusal(realm.admin, asking(realm.member, duration_seconds=901), errors.ValidationError)
    assert "Value '901' at 'durationSeconds'" in refused
    assert refused.endswith("Member must have value less than or equal to 900")
    over = realm.open(duration_seconds=0)
    world.refusal(over, sts.GetCallerIdentityCommand(), errors.ExpiredToken)
    short, whole = realm.open(duration_seconds=1), realm.open()
    world.call(short, sts.GetCallerIdentityCommand())
    world.now += 899
    world.refusal(short, sts.GetCallerIdentityCommand(), errors.ExpiredToken)
    world.call(whole, sts.GetCallerIdentityCommand())
    world.now += 1
    world.refusal(whole, sts.GetCallerIdentityCommand(), errors.ExpiredToken)


@pytest.mark.facts("STS-SI-009", "STS-SI-008", "STS-ROOT-010")
def test_it_carries_the_callers_source_identity(realm: Realm) -> None:
    world, org = realm.world, realm.org
    trust = document(Effect="Allow", Principal={"AWS": ACCOUNT}, Action=["sts:AssumeRole", "sts:SetSourceIdentity"])
    caller = world.assume(realm.admin, world.role("admins", trust, ADMIN), source_identity="alice")
    answer = world.call(caller, asking(realm.member))
    assert answer.source_identity == "alice"
    session = of(answer.credentials)
    world.call(session, users.GetUserCommand())
    org.enable()
    named = {"StringEquals": {"aws:SourceIdentity": "alice"}}
    text = json.dumps(document(Effect="Deny", Action="iam:GetUser", Resource="*", Condition=named))
    org.attach(org.policy("not-alice", text), realm.member)
    assert "service control policy" in world.refusal(session, users.GetUserCommand(), errors.AccessDenied)


@pytest.mark.facts("STS-ROOT-011", "STS-CTX-T27", "POL-RT-007", "POL-OR-001", "POL-EV-051")
def test_the_members_scps_limit_it_and_can_tell_it_from_root(realm: Realm) -> None:
    org, world = realm.org, realm.world
    session, own = realm.open(), org.root_of(realm.member)
    org.enable()
    text = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iam:GetUser","Resource":"*",'
        '"Condition":{"Bool":{"aws:AssumedRoot":"true"}}}}'
    )
    policy = org.policy("no-assumed-root", text)
    org.attach(policy, realm.member)
    assert world.refusal(session, users.GetUserCommand(), errors.AccessDenied) == (
        f"User: {root_arn(realm.member)} is not authorized to perform: iam:GetUser on resource: "
        f"{root_arn(realm.member)} with an explicit deny in a service control policy"
    )
    world.call(own, users.GetUserCommand())
    world.call(realm.admin, users.GetUserCommand())
    org.detach(policy, realm.member)
    world.call(session, users.GetUserCommand())


READS: Final[list[Command[Any]]] = [
    users.GetUserCommand(),
    access_keys.ListAccessKeysCommand(),
    mfa.ListMFADevicesCommand(),
    other_credentials.ListSigningCertificatesCommand(),
]


@pytest.mark.facts("IAM-RAC-005", "STS-ROOT-T01", "POL-RT-010", "POL-RT-004")
def test_an_audit_looks_at_roots_credentials_and_at_nothing_else(realm: Realm) -> None:
    world, org = realm.world, realm.org
    own = org.root_of(realm.member)
    world.user("bob", root=own)
    session = realm.open()
    for command in READS:
        world.call(session, command)
    world.call(session, account.GetAccountSummaryCommand())
    (key,) = world.call(session, access_keys.ListAccessKeysCommand()).access_key_metadata
    assert key.access_key_id == own.access_key_id
    used = access_keys.GetAccessKeyLastUsedCommand(access_key_id=own.access_key_id)
    last = world.call(session, used).access_key_last_used
    assert last is not None
    assert last.service_name == "iam"
    task = "with an explicit deny in a session policy"
    for denied in (
        users.GetUserCommand(user_name="bob"),
        access_keys.ListAccessKeysCommand(user_name="bob"),
        access_keys.DeleteAccessKeyCommand(access_key_id=own.access_key_id),
        access_keys.CreateAccessKeyCommand(),
        login_profiles.CreateLoginProfileCommand(),
        users.ListUsersCommand(),
        roles.ListRolesCommand(),
        groups.ListGroupsCommand(),
    ):
        assert world.refusal(session, denied, errors.AccessDenied).endswith(task)
    with pytest.raises(errors.ServiceException):
        world.call(session, accounts.LeaveOrganizationCommand())
    assert world.records()[-1]["errorMessage"].endswith(task)


@pytest.mark.facts("IAM-RAC-005", "STS-ROOT-T02", "POL-RT-011")
def test_the_password_task_lets_root_set_a_password_again(realm: Realm) -> None:
    world = realm.world
    session = realm.open("IAMCreateRootUserPassword")
    made = world.call(session, login_profiles.CreateLoginProfileCommand()).login_profile
    assert world.call(session, login_profiles.GetLoginProfileCommand()).login_profile == made
    world.refusal(session, login_profiles.CreateLoginProfileCommand(), errors.EntityAlreadyExistsException)
    for denied in (login_profiles.DeleteLoginProfileCommand(), users.GetUserCommand()):
        world.refusal(session, denied, errors.AccessDenied)


@pytest.mark.facts("IAM-RAC-005", "STS-ROOT-T03", "POL-RT-012")
def test_the_deletion_task_takes_roots_credentials_away(realm: Realm) -> None:
    world, org = realm.world, realm.org
    own = org.root_of(realm.member)
    world.call(realm.open("IAMCreateRootUserPassword"), login_profiles.CreateLoginProfileCommand())
    session = realm.open(DELETE)
    for command in READS:
        world.call(session, command)
    world.call(session, login_profiles.GetLoginProfileCommand())
    world.call(session, login_profiles.DeleteLoginProfileCommand())
    world.refusal(session, login_profiles.GetLoginProfileCommand(), errors.NoSuchEntityException)
    serial = f"arn:aws:iam::{realm.member}:mfa/none"
    world.refusal(session, mfa.DeactivateMFADeviceCommand(serial_number=serial), errors.NoSuchEntityException)
    certificate = other_credentials.DeleteSigningCertificateCommand(certificate_id="X" * 24)
    world.refusal(session, certificate, errors.NoSuchEntityException)
    world.call(session, access_keys.DeleteAccessKeyCommand(access_key_id=own.access_key_id))
    world.refusal(own, users.GetUserCommand(), errors.InvalidClientTokenId)
    for denied in (
        account.GetAccountSummaryCommand(),
        login_profiles.CreateLoginProfileCommand(),
        access_keys.CreateAccessKeyCommand(),
        users.DeleteUserCommand(user_name="bob"),
    ):
        world.refusal(session, denied, errors.AccessDenied)


@pytest.mark.facts("STS-ROOT-T04", "STS-ROOT-T05", "POL-RT-013", "POL-RT-014")
@pytest.mark.parametrize("task", ["S3UnlockBucketPolicy", "SQSUnlockQueuePolicy"])
def test_an_unlocking_session_can_do_nothing_here(realm: Realm, task: str) -> None:
    session = realm.open(task)
    for denied in [*READS, sts.GetSessionTokenCommand(), account.GetAccountSummaryCommand()]:
        realm.world.refusal(session, denied, errors.AccessDenied)


@pytest.mark.facts("STS-CALL-T07")
def test_at_sts_it_may_ask_who_it_is_and_no_more(realm: Realm) -> None:
    world = realm.world
    role = world.role("any", {"AWS": "*"}, root=realm.org.root_of(realm.member))
    session = realm.open()
    for denied in (
        sts.AssumeRoleCommand(role_arn=role, role_session_name="x1"),
        sts.GetSessionTokenCommand(),
        sts.GetFederationTokenCommand(name="guest"),
        sts.GetAccessKeyInfoCommand(access_key_id=session.access_key_id),
        sts.GetWebIdentityTokenCommand(audience=("a",), signing_algorithm="RS256"),
        sts.DecodeAuthorizationMessageCommand(encoded_message="x"),
    ):
        world.refusal(session, denied, errors.AccessDenied)
    world.call(session, sts.GetCallerIdentityCommand())


# What is recorded


@pytest.mark.facts("STS-CT-T04", "STS-CT-004")
def test_the_record_of_the_call(realm: Realm) -> None:
    realm.open(duration_seconds=300)
    record = realm.world.records()[-1]
    assert (record["eventName"], record["readOnly"], record["recipientAccountId"]) == ("AssumeRoot", False, ACCOUNT)
    assert list(record["requestParameters"].items()) == [
        ("targetPrincipal", realm.member),
        ("taskPolicyArn", {"arn": f"arn:aws:iam::aws:policy/root-task/{AUDIT}"}),
        ("durationSeconds", 300),
    ]
    assert list(record["responseElements"]) == ["credentials"]


@pytest.mark.facts("STS-CT-019")
def test_the_record_of_a_later_call_says_that_root_was_assumed(realm: Realm) -> None:
    session = realm.open()
    opened = realm.world.records()[-1]["eventTime"]
    realm.world.now += 60
    realm.world.call(session, users.GetUserCommand())
    assert realm.world.records()[-1]["userIdentity"] == {
        "type": "Root",
        "principalId": realm.member,
        "arn": root_arn(realm.member),
        "accountId": realm.member,
        "accessKeyId": session.access_key_id,
        "sessionContext": {
            "attributes": {"creationDate": opened, "mfaAuthenticated": "false"},
            "assumedRoot": "true",
        },
    }
    realm.world.call(realm.world.root, users.GetUserCommand())
    assert "sessionContext" not in realm.world.records()[-1]["userIdentity"]


# The policies


@pytest.mark.facts("POL-RT-005", "POL-RT-003", "POL-MP-019")
def test_task_policies_are_there_to_read_and_not_to_attach(world: World) -> None:
    listed = world.call(world.root, policies.ListPoliciesCommand(scope="AWS", path_prefix=ROOT_TASKS)).policies
    assert {each.policy_name for each in listed} == TASKS.keys()
    assert {each.is_attachable for each in listed} == {False}
    texts = {each.name: each.document for each in AWS_MANAGED_POLICIES}
    world.user("alice")
    world.role("deploy", {"AWS": ACCOUNT})
    world.call(world.root, groups.CreateGroupCommand(group_name="staff"))
    for policy in listed:
        assert policy.arn is not None
        version = world.call(
            world.root, policies.GetPolicyVersionCommand(policy_arn=policy.arn, version_id="v1")
        ).policy_version
        assert version is not None
        assert version.is_default_version
        assert version.document is not None
        assert decode_document(version.document) == texts[str(policy.policy_name)]
        for command in (
            users.AttachUserPolicyCommand(user_name="alice", policy_arn=policy.arn),
            roles.AttachRolePolicyCommand(role_name="deploy", policy_arn=policy.arn),
            groups.AttachGroupPolicyCommand(group_name="staff", policy_arn=policy.arn),
            users.PutUserPermissionsBoundaryCommand(user_name="alice", permissions_boundary=policy.arn),
        ):
            refused = world.refusal(world.root, command, errors.PolicyNotAttachableException)
            assert policy.arn in refused


def test_revoking_the_administrator_reaches_the_session(realm: Realm) -> None:
    world = realm.world
    session = realm.open()
    world.now += 1
    world.call(world.root, RevokeSessionsCommand(issuer_arn=f"arn:aws:iam::{ACCOUNT}:user/admin"))
    world.refusal(session, sts.GetCallerIdentityCommand(), errors.ExpiredToken)
    world.now += 1
    world.call(realm.open(), sts.GetCallerIdentityCommand())
