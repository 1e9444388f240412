"""The organization, its root, trusted access and delegated administrators, through the whole pipeline."""

from __future__ import annotations

import pytest

from locum.api.organizations import accounts, organization, policies, units
from locum.organization_errors import (
    AccessDeniedException,
    AccountAlreadyRegisteredException,
    AccountNotFoundException,
    AccountNotRegisteredException,
    AlreadyInOrganizationException,
    AWSOrganizationsNotInUseException,
    ConstraintViolationException,
    InvalidInputException,
    OrganizationNotEmptyException,
)
from locum.secret import Secret

from ..conftest import ACCOUNT, OTHER, World
from .conftest import SCP, Org

IAM = "iam.amazonaws.com"
SSO = "sso.amazonaws.com"


@pytest.mark.facts("ORG-001", "ORG-GEN-003", "ORG-GEN-004")
def test_an_organization_is_made_of_the_callers_account(org: Org) -> None:
    shown = org.shown
    assert shown.id.startswith("o-")
    assert len(shown.id) == 12
    assert shown.arn == f"arn:aws:organizations::{ACCOUNT}:organization/{shown.id}"
    assert shown.feature_set == "ALL"
    # Nobody gave the first account an address; clients take it that there is one.
    placeholder = Secret(f"{ACCOUNT}@locum.invalid")
    assert (shown.master_account_id, shown.master_account_email) == (ACCOUNT, placeholder)
    assert shown.master_account_arn == f"arn:aws:organizations::{ACCOUNT}:account/{shown.id}/{ACCOUNT}"
    assert [(each.type, each.status) for each in shown.available_policy_types] == [(SCP, "ENABLED")]
    (root,) = org.call(organization.ListRootsCommand()).roots
    assert root.arn == f"arn:aws:organizations::{ACCOUNT}:root/{org.id}/{root.id}"
    assert (root.name, root.policy_types) == ("Root", ())
    (account,) = org.call(accounts.ListAccountsCommand()).accounts
    assert (account.id, account.status, account.state, account.joined_method) == (
        ACCOUNT,
        "ACTIVE",
        "ACTIVE",
        "INVITED",
    )
    assert account.email == placeholder
    assert account.paths == (f"{org.id}/{root.id}/{ACCOUNT}/",)
    assert account.joined_timestamp.timestamp() == int(org.world.now)
    assert org.call(organization.DescribeOrganizationCommand()).organization == shown


@pytest.mark.facts("ORG-001")
def test_an_account_is_in_one_organization_at_most(org: Org) -> None:
    member = org.root_of(org.account())
    for who in (org.root, member):
        org.refused(organization.CreateOrganizationCommand(), AlreadyInOrganizationException, who)


@pytest.mark.facts("ORG-001", "ORG-010")
def test_an_organization_for_billing_has_no_policies_and_no_services(world: World) -> None:
    org = Org(world, feature_set="CONSOLIDATED_BILLING")
    assert org.shown.feature_set == "CONSOLIDATED_BILLING"
    assert org.shown.available_policy_types == ()
    for command in (
        organization.EnableAWSServiceAccessCommand(service_principal=IAM),
        organization.ListAWSServiceAccessForOrganizationCommand(),
    ):
        reason = org.refused(command, ConstraintViolationException)
        assert reason == "ORGANIZATION_NOT_IN_ALL_FEATURES_MODE"
        with pytest.raises(ConstraintViolationException, match="does not have all features enabled"):
            org.call(command)


def test_the_management_accounts_address_is_shown_where_there_is_one(world: World) -> None:
    member = Org(world).account(email="shop@example.com")
    org = Org.__new__(Org)
    org.world, org.root = world, world.root
    org.root = org.root_of(member)
    org.call(accounts.LeaveOrganizationCommand())
    shown = org.call(organization.CreateOrganizationCommand()).organization
    assert shown.master_account_email == Secret("shop@example.com")


@pytest.mark.facts("ORG-GEN-006")
@pytest.mark.parametrize(
    "command",
    [
        organization.DescribeOrganizationCommand(),
        organization.ListRootsCommand(),
        organization.DeleteOrganizationCommand(),
        accounts.ListAccountsCommand(),
        accounts.LeaveOrganizationCommand(),
        accounts.DescribeAccountCommand(account_id=ACCOUNT),
        accounts.MoveAccountCommand(account_id=ACCOUNT, source_parent_id="r-abcd", destination_parent_id="r-abce"),
        units.ListParentsCommand(child_id=ACCOUNT),
        units.TagResourceCommand(resource_id="p-abcdefghij", tags=()),
        policies.AttachPolicyCommand(policy_id="p-abcdefghij", target_id="r-abcd"),
        policies.CreatePolicyCommand(content="{}", description="", name="n", type=SCP),
    ],
    ids=lambda command: command.operation.name,
)
def test_outside_of_an_organization_there_is_nothing(world: World, command: object) -> None:
    if isinstance(command, units.TagResourceCommand):
        command = units.UntagResourceCommand(resource_id="p-abcdefghij", tag_keys=("a",))
    world.refusal(world.root, command, AWSOrganizationsNotInUseException)  # type: ignore[arg-type]


@pytest.mark.facts("ORG-GEN-006")
def test_a_member_sees_the_organization_and_no_more(org: Org) -> None:
    member = org.root_of(org.account())
    shown = org.call(organization.DescribeOrganizationCommand(), member).organization
    assert shown == org.shown
    for command in (organization.ListRootsCommand(), accounts.ListAccountsCommand()):
        org.refused(command, AccessDeniedException, member)


@pytest.mark.facts("ORG-GEN-006", "ORG-021")
def test_a_delegated_administrator_reads_and_changes_nothing(org: Org) -> None:
    account = org.account()
    org.delegate(account)
    member = org.root_of(account)
    assert org.call(organization.ListRootsCommand(), member).roots[0].id == org.top
    assert len(org.call(accounts.ListAccountsCommand(), member).accounts) == 2
    org.refused(units.CreateOrganizationalUnitCommand(parent_id=org.top, name="u"), AccessDeniedException, member)
    org.call(organization.DeregisterDelegatedAdministratorCommand(account_id=account, service_principal=IAM))
    org.refused(organization.ListRootsCommand(), AccessDeniedException, member)


@pytest.mark.facts("ORG-020")
def test_services_get_and_lose_trusted_access(org: Org) -> None:
    for service in (SSO, IAM, IAM):
        org.call(organization.EnableAWSServiceAccessCommand(service_principal=service))
        org.world.now += 10
    listed = org.call(organization.ListAWSServiceAccessForOrganizationCommand()).enabled_service_principals
    begun = org.world.now - 30
    assert [(each.service_principal, each.date_enabled.timestamp()) for each in listed] == [
        (IAM, begun + 10),
        (SSO, begun),
    ]
    for _ in range(2):
        org.call(organization.DisableAWSServiceAccessCommand(service_principal=SSO))
    listed = org.call(organization.ListAWSServiceAccessForOrganizationCommand()).enabled_service_principals
    assert [each.service_principal for each in listed] == [IAM]
    strange = organization.EnableAWSServiceAccessCommand(service_principal="example.com")
    assert org.refused(strange, InvalidInputException) == "UNRECOGNIZED_SERVICE_PRINCIPAL"


@pytest.mark.facts("ORG-020")
def test_a_service_keeps_its_access_while_it_has_delegated_administrators(org: Org) -> None:
    account = org.account()
    org.delegate(account)
    gone = organization.DisableAWSServiceAccessCommand(service_principal=IAM)
    assert org.refused(gone, ConstraintViolationException) == "DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE"
    org.call(organization.DeregisterDelegatedAdministratorCommand(account_id=account, service_principal=IAM))
    org.call(gone)
    assert org.call(organization.ListAWSServiceAccessForOrganizationCommand()).enabled_service_principals == ()


@pytest.mark.facts("ORG-021")
def test_a_delegated_administrator_is_registered_once_and_only_a_member(org: Org) -> None:
    account = org.account()

    def register(id: str, service: str = IAM) -> organization.RegisterDelegatedAdministratorCommand:
        return organization.RegisterDelegatedAdministratorCommand(account_id=id, service_principal=service)

    assert org.refused(register(account), ConstraintViolationException) == "SERVICE_ACCESS_NOT_ENABLED"
    org.delegate(account)
    org.refused(register(account), AccountAlreadyRegisteredException)
    reason = org.refused(register(ACCOUNT), ConstraintViolationException)
    assert reason == "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR"
    org.refused(register(OTHER), AccountNotFoundException)
    closed = org.account("closed")
    org.call(accounts.CloseAccountCommand(account_id=closed))
    reason = org.refused(register(closed), ConstraintViolationException)
    assert reason == "CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR"

    def drop(id: str, service: str = IAM) -> organization.DeregisterDelegatedAdministratorCommand:
        return organization.DeregisterDelegatedAdministratorCommand(account_id=id, service_principal=service)

    org.refused(drop(OTHER), AccountNotFoundException)
    reason = org.refused(drop(ACCOUNT), ConstraintViolationException)
    assert reason == "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR"
    assert org.refused(drop(account, SSO), InvalidInputException) == "UNRECOGNIZED_SERVICE_PRINCIPAL"
    org.call(drop(account))
    org.refused(drop(account), AccountNotRegisteredException)
    assert org.call(organization.ListDelegatedAdministratorsCommand()).delegated_administrators == ()


@pytest.mark.facts("ORG-021")
def test_delegated_administrators_are_listed_by_service_and_by_account(org: Org) -> None:
    first, second = sorted((org.account("a"), org.account("b")))
    org.delegate(first, SSO)
    org.world.now += 60
    org.delegate(second, IAM)
    org.delegate(first, IAM)

    def administrators(service: str | None = None) -> list[tuple[str, float]]:
        command = organization.ListDelegatedAdministratorsCommand(service_principal=service)
        listed = org.call(command).delegated_administrators
        return [(each.id, each.delegation_enabled_date.timestamp()) for each in listed]

    now = int(org.world.now)
    assert administrators() == [(first, now - 60), (second, now)]
    assert administrators(IAM) == [(first, now), (second, now)]
    assert administrators(SSO) == [(first, now - 60)]
    command = organization.ListDelegatedServicesForAccountCommand(account_id=first)
    assert [each.service_principal for each in org.call(command).delegated_services] == [IAM, SSO]
    for id, kind in ((ACCOUNT, AccountNotRegisteredException), (OTHER, AWSOrganizationsNotInUseException)):
        org.refused(organization.ListDelegatedServicesForAccountCommand(account_id=id), kind)


@pytest.mark.facts("ORG-022", "ORG-024")
def test_the_engine_reads_who_administers_what(org: Org) -> None:
    account = org.account()
    org.delegate(account)
    facts = org.facts(account)
    assert facts is not None
    assert (facts.id, facts.management, facts.is_management) == (org.id, ACCOUNT, False)
    assert facts.administers(IAM)
    assert facts.is_delegated
    assert not facts.administers(SSO)
    assert facts.services == {IAM}
    org.call(organization.DeregisterDelegatedAdministratorCommand(account_id=account, service_principal=IAM))
    facts = org.facts(account)
    assert facts is not None
    assert not facts.administers(IAM)
    assert not facts.is_delegated
    management = org.facts()
    assert management is not None
    assert management.is_management
    assert org.facts(OTHER) is None


def test_an_organization_ends_when_only_its_management_account_is_left(org: Org) -> None:
    account = org.account()
    org.unit()
    org.enable()
    policy = org.policy()
    org.attach(policy, org.top)
    org.refused(organization.DeleteOrganizationCommand(), OrganizationNotEmptyException)
    org.call(accounts.RemoveAccountFromOrganizationCommand(account_id=account))
    org.call(organization.DeleteOrganizationCommand())
    org.refused(organization.DescribeOrganizationCommand(), AWSOrganizationsNotInUseException)
    assert org.facts() is None
    with org.world.store.snapshot() as rows:
        assert [rows.count("", kind) for kind in ("organization", "org-unit", "org-policy", "account-creation")] == [
            0
        ] * 4
    again = Org(org.world)
    assert again.id != org.id


@pytest.mark.facts("ORG-GEN-002")
def test_a_listing_goes_on_where_its_page_ended(org: Org) -> None:
    for number in range(5):
        org.call(organization.EnableAWSServiceAccessCommand(service_principal=f"s{number}.amazonaws.com"))
    names, token = [], None
    for _ in range(3):
        command = organization.ListAWSServiceAccessForOrganizationCommand(max_results=2, next_token=token)
        listed = org.call(command)
        names += [each.service_principal for each in listed.enabled_service_principals]
        token = listed.next_token
    assert token is None
    assert names == [f"s{number}.amazonaws.com" for number in range(5)]


@pytest.mark.facts("ORG-GEN-002", "R14")
def test_a_token_of_another_listing_is_refused(org: Org) -> None:
    org.account()
    token = org.call(accounts.ListAccountsCommand(max_results=1)).next_token
    assert token is not None
    for command in (
        accounts.ListAccountsForParentCommand(parent_id=org.top, next_token=token),
        accounts.ListAccountsCommand(next_token=f"{token}x"),
        accounts.ListAccountsCommand(next_token=""),
    ):
        assert org.refused(command, InvalidInputException) == "INVALID_NEXT_TOKEN"
    assert len(org.call(accounts.ListAccountsCommand(next_token=token)).accounts) == 1
