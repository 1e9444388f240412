"""Accounts of an organization, through the whole pipeline."""

from __future__ import annotations

import json

import pytest

from locum.api import sts
from locum.api.iam import roles, users
from locum.api.organizations import accounts, organization, types, units
from locum.errors import InvalidClientTokenId
from locum.organization_errors import (
    AccountAlreadyClosedException,
    AccountNotFoundException,
    ConstraintViolationException,
    CreateAccountStatusNotFoundException,
    DestinationParentNotFoundException,
    DuplicateAccountException,
    InvalidInputException,
    MasterCannotLeaveOrganizationException,
    ParentNotFoundException,
    SourceParentNotFoundException,
)
from locum.secret import Secret
from locum.server.accounts import list_accounts

from ..conftest import ACCOUNT, OTHER, World, document
from .conftest import SCP, Org


@pytest.mark.facts("ORG-002", "ORG-GEN-004", "ORG-GEN-005")
def test_an_account_is_made_under_the_root_and_its_status_tells(org: Org) -> None:
    command = accounts.CreateAccountCommand(email=Secret("Shop@example.com"), account_name=Secret("The shop"))
    begun = org.call(command).create_account_status
    assert begun.id.startswith("car-")
    assert (begun.state, begun.account_id, begun.account_name) == ("IN_PROGRESS", None, Secret("The shop"))
    assert begun.requested_timestamp.timestamp() == int(org.world.now)
    status = org.call(accounts.DescribeCreateAccountStatusCommand(create_account_request_id=begun.id))
    done = status.create_account_status
    assert (done.state, done.failure_reason) == ("SUCCEEDED", None)
    shown = org.call(accounts.DescribeAccountCommand(account_id=done.account_id)).account
    assert shown == types.Account(
        id=done.account_id,
        arn=f"arn:aws:organizations::{ACCOUNT}:account/{org.id}/{done.account_id}",
        email=Secret("Shop@example.com"),
        name=Secret("The shop"),
        status="ACTIVE",
        state="ACTIVE",
        paths=(f"{org.id}/{org.top}/{done.account_id}/",),
        joined_method="CREATED",
        joined_timestamp=begun.requested_timestamp,
    )
    parents = org.call(units.ListParentsCommand(child_id=done.account_id)).parents
    assert parents == (types.Parent(id=org.top, type="ROOT"),)


@pytest.mark.facts("ORG-002")
@pytest.mark.parametrize("role", [None, "Keepers"])
def test_the_management_account_administers_a_new_account_by_a_role(org: Org, role: str | None) -> None:
    id = org.account(role_name=role)
    name = role or "OrganizationAccountAccessRole"
    allow = document(Effect="Allow", Action="sts:AssumeRole", Resource=f"arn:aws:iam::{id}:role/{name}")
    keeper = org.world.user("keeper", allow)
    session = org.world.assume(keeper, f"arn:aws:iam::{id}:role/{name}")
    org.world.call(session, users.CreateUserCommand(user_name="first"))
    shown = org.world.call(session, roles.GetRoleCommand(role_name=name)).role
    assert shown.role_id.startswith("AROA")
    assert org.world.call(session, sts.GetCallerIdentityCommand()).account == id


def test_a_new_account_has_no_root_key(org: Org) -> None:
    id = org.account()
    with org.world.store.snapshot() as rows:
        assert rows.find("key-owner", id) == []
        assert id in {each.id for each in list_accounts(rows)}


@pytest.mark.facts("ORG-002")
def test_an_address_that_is_taken_fails_the_creation(org: Org) -> None:
    org.account(email="shop@example.com")
    for email in ("SHOP@example.com", f"{ACCOUNT}@locum.invalid"):
        failed = org.create("another", email=email)
        assert (failed.state, failed.failure_reason, failed.account_id) == ("FAILED", "EMAIL_ALREADY_EXISTS", None)
    org.account("third", email=f"{OTHER}@locum.invalid")
    unknown = accounts.DescribeCreateAccountStatusCommand(create_account_request_id="car-00000000")
    org.refused(unknown, CreateAccountStatusNotFoundException)


def test_creations_are_listed_by_state(org: Org) -> None:
    org.account("one")
    org.create("two", email="one@example.com")

    def states(*asked: str) -> list[str]:
        listed = org.call(accounts.ListCreateAccountStatusCommand(states=asked)).create_account_statuses
        return sorted(each.state for each in listed)

    assert states() == ["FAILED", "SUCCEEDED"]
    assert states("FAILED", "IN_PROGRESS") == ["FAILED"]
    assert states("IN_PROGRESS") == []


def test_so_many_creations_are_kept_and_the_oldest_give_way(org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locum.server.organizations.accounts._CREATIONS", 2)
    first = org.create("shop").id
    failed = []
    for _ in range(12):
        org.world.now += 1
        failed.append(org.create("shop").id)
    listed = org.call(accounts.ListCreateAccountStatusCommand()).create_account_statuses
    # Ten accounts are allowed, and two creations more are kept; the order is that of time.
    assert [each.id for each in listed] == failed
    asked = accounts.DescribeCreateAccountStatusCommand(create_account_request_id=first)
    org.refused(asked, CreateAccountStatusNotFoundException)


@pytest.mark.facts("POL-LM-011")
def test_an_organization_has_ten_accounts_by_default(org: Org) -> None:
    for number in range(9):
        org.account(f"a{number}")
    command = accounts.CreateAccountCommand(email=Secret("x@example.com"), account_name=Secret("x"))
    assert org.refused(command, ConstraintViolationException) == "ACCOUNT_NUMBER_LIMIT_EXCEEDED"


def test_accounts_are_listed_by_id_and_by_parent(org: Org) -> None:
    unit = org.unit()
    inside, outside = org.account("a"), org.account("b")
    org.move(inside, org.top, unit)

    def under(parent: str) -> list[str]:
        return [each.id for each in org.call(accounts.ListAccountsForParentCommand(parent_id=parent)).accounts]

    assert [each.id for each in org.call(accounts.ListAccountsCommand()).accounts] == sorted((ACCOUNT, inside, outside))
    assert under(org.top) == sorted((ACCOUNT, outside))
    assert under(unit) == [inside]
    org.refused(accounts.ListAccountsForParentCommand(parent_id="r-zzzz"), ParentNotFoundException)


@pytest.mark.facts("ORG-003", "ORG-024")
def test_an_account_moves_from_the_parent_that_it_has(org: Org) -> None:
    account, unit, other = org.account(), org.unit("a"), org.unit("b")

    def move(id: str, source: str, destination: str) -> accounts.MoveAccountCommand:
        return accounts.MoveAccountCommand(account_id=id, source_parent_id=source, destination_parent_id=destination)

    org.refused(move(OTHER, org.top, unit), AccountNotFoundException)
    org.refused(move(account, "ou-zzzz-zzzzzzzz", unit), SourceParentNotFoundException)
    org.refused(move(account, unit, other), AccountNotFoundException)
    org.refused(move(account, org.top, "ou-zzzz-zzzzzzzz"), DestinationParentNotFoundException)
    org.refused(move(account, org.top, org.top), DuplicateAccountException)
    org.call(move(account, org.top, unit))
    org.refused(move(account, org.top, unit), AccountNotFoundException)
    shown = org.call(accounts.DescribeAccountCommand(account_id=account)).account
    assert shown.paths == (f"{org.id}/{org.top}/{unit}/{account}/",)
    facts = org.facts(account)
    assert facts is not None
    assert facts.path == f"{org.id}/{org.top}/{unit}/"
    org.call(move(account, unit, org.top))
    facts = org.facts(account)
    assert facts is not None
    assert facts.path == f"{org.id}/{org.top}/"


def test_a_closed_account_is_shown_and_can_do_nothing(org: Org) -> None:
    id = org.account()
    root = org.root_of(id)
    world = org.world
    user = world.user("worker", document(Effect="Allow", Action="*", Resource="*"), root=root)
    role = world.role("r", {"AWS": id}, root=root)
    session = world.assume(user, role)
    keeper = world.user("keeper", document(Effect="Allow", Action="*", Resource="*"))
    taken = world.assume(keeper, f"arn:aws:iam::{id}:role/OrganizationAccountAccessRole")
    org.call(accounts.CloseAccountCommand(account_id=id))
    for who in (root, user, session, taken):
        world.refusal(who, sts.GetCallerIdentityCommand(), InvalidClientTokenId)
    shown = org.call(accounts.DescribeAccountCommand(account_id=id)).account
    assert (shown.status, shown.state) == ("SUSPENDED", "CLOSED")
    org.refused(accounts.CloseAccountCommand(account_id=id), AccountAlreadyClosedException)
    org.refused(accounts.CloseAccountCommand(account_id=OTHER), AccountNotFoundException)
    reason = org.refused(accounts.CloseAccountCommand(account_id=ACCOUNT), ConstraintViolationException)
    assert reason == "CANNOT_CLOSE_MANAGEMENT_ACCOUNT"
    command = sts.AssumeRoleCommand(
        role_arn=f"arn:aws:iam::{id}:role/OrganizationAccountAccessRole", role_session_name="s"
    )
    world.refusal(keeper, command)


def test_a_root_session_of_a_closed_account_ends(org: Org) -> None:
    id = org.account()
    issued = org.world.call(org.root_of(id), sts.GetSessionTokenCommand()).credentials
    assert issued is not None
    from locum.wire.sigv4 import Credentials

    session = Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
    org.call(accounts.CloseAccountCommand(account_id=id))
    org.world.refusal(session, sts.GetCallerIdentityCommand(), InvalidClientTokenId)


def test_a_removed_account_stands_alone_with_what_it_has(org: Org) -> None:
    id = org.account(tags=(types.Tag(key="team", value="a"),))
    org.enable()
    org.attach(org.policy(), id)
    root = org.root_of(id)
    org.call(accounts.RemoveAccountFromOrganizationCommand(account_id=id))
    record = org.record(id)
    assert (record.organization, record.parent, record.tags, record.scps) == (None, "", {}, None)
    assert org.facts(id) is None
    org.world.call(root, roles.GetRoleCommand(role_name="OrganizationAccountAccessRole"))
    org.refused(accounts.DescribeAccountCommand(account_id=id), AccountNotFoundException)


@pytest.mark.parametrize("leaves", [False, True])
def test_who_cannot_leave(org: Org, leaves: bool) -> None:
    def command(id: str) -> object:
        if leaves:
            return accounts.LeaveOrganizationCommand()
        return accounts.RemoveAccountFromOrganizationCommand(account_id=id)

    org.refused(command(ACCOUNT), MasterCannotLeaveOrganizationException)
    id = org.account()
    org.delegate(id)
    who = org.root_of(id) if leaves else org.root
    reason = org.refused(command(id), ConstraintViolationException, who)
    assert reason == "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG"
    with pytest.raises(ConstraintViolationException, match=r"without de-registering the account\.$"):
        org.call(command(id), who)
    org.call(organization.DeregisterDelegatedAdministratorCommand(account_id=id, service_principal="iam.amazonaws.com"))
    org.call(command(id), who)
    assert org.record(id).organization is None


def test_an_account_of_another_organization_is_unknown(org: Org, world: World) -> None:
    mine = org.account()
    stranger = world.account(OTHER)
    theirs = Org.__new__(Org)
    theirs.world, theirs.root = world, stranger
    theirs.call(organization.CreateOrganizationCommand())
    theirs.top = theirs.call(organization.ListRootsCommand()).roots[0].id
    for command in (
        accounts.DescribeAccountCommand(account_id=mine),
        accounts.CloseAccountCommand(account_id=mine),
        accounts.RemoveAccountFromOrganizationCommand(account_id=mine),
        accounts.MoveAccountCommand(account_id=mine, source_parent_id=org.top, destination_parent_id=theirs.top),
    ):
        theirs.refused(command, AccountNotFoundException)
    theirs.refused(units.CreateOrganizationalUnitCommand(parent_id=org.top, name="u"), ParentNotFoundException)


@pytest.mark.facts("R38")
def test_names_and_addresses_stand_in_no_audit_line(org: Org) -> None:
    org.account("verynameofit", email="verysecret@example.com")
    lines = org.world.audit_file.read_text()
    assert "CreateAccount" in lines
    assert "verysecret" not in lines
    assert "verynameofit" not in lines
    record = next(each for each in org.world.records() if each["eventName"] == "CreateAccount")
    assert record["eventSource"] == "organizations.amazonaws.com"
    assert record["readOnly"] is False
    assert record["responseElements"]["createAccountStatus"]["state"] == "IN_PROGRESS"
    assert json.dumps(record)


def test_tags_of_a_new_account_are_kept(org: Org) -> None:
    id = org.account(tags=(types.Tag(key="team", value="a"), types.Tag(key="Team", value="b")))
    listed = org.call(units.ListTagsForResourceCommand(resource_id=id)).tags
    assert listed == (types.Tag(key="Team", value="b"), types.Tag(key="team", value="a"))
    again = accounts.CreateAccountCommand(
        email=Secret("y@example.com"),
        account_name=Secret("y"),
        tags=(types.Tag(key="a", value=""), types.Tag(key="a", value="")),
    )
    assert org.refused(again, InvalidInputException) == "DUPLICATE_TAG_KEY"


def test_a_policy_follows_the_account_to_its_new_place(org: Org) -> None:
    org.enable()
    id, unit = org.account(), org.unit()
    policy = org.policy()
    org.attach(policy, unit)
    facts = org.facts(id)
    assert facts is not None
    assert facts.scps is not None
    assert [[each.name for each in level] for level in facts.scps] == [["p-FullAWSAccess"]] * 2
    org.move(id, org.top, unit)
    facts = org.facts(id)
    assert facts is not None
    assert facts.scps is not None
    assert [[each.name for each in level] for level in facts.scps] == [
        ["p-FullAWSAccess"],
        ["p-FullAWSAccess", policy],
        ["p-FullAWSAccess"],
    ]
    assert facts.policy_types == {SCP}
