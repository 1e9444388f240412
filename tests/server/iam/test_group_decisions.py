"""What a group's policies mean for its members: in decisions, refusals and simulations (POL-EV-010, POL-GR-031)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import groups, policies, roles, users
from locum.api.iam.simulation import (
    GetContextKeysForPrincipalPolicyCommand,
    InlinePolicyIdentifierType,
    PolicyIdentifier,
    SimulatePrincipalPolicyCommand,
)
from locum.api.shapes import Command
from locum.core.records import Group
from locum.guard.directory import Directory
from locum.server import denials
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from ..conftest import ACCOUNT, World, document
from .simulated import ALICE, allow, deny, principal, sources, text

STAFF = f"arn:aws:iam::{ACCOUNT}:group/staff"
READER = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
OWN = f"arn:aws:iam::{ACCOUNT}:policy/own"
LIST = users.ListUsersCommand()


def may(world: World, who: Credentials, command: Command[Any] = LIST) -> bool:
    return world.send(world.request(command, who)).status == 200


def staff(world: World, *statements: dict[str, Any], name: str = "staff") -> None:
    """A group with these statements as its inline policy ``p``, if there are any."""
    world.call(world.root, groups.CreateGroupCommand(group_name=name))
    if statements:
        put(world, *statements, name=name)


def put(world: World, *statements: dict[str, Any], name: str = "staff") -> None:
    command = groups.PutGroupPolicyCommand(group_name=name, policy_name="p", policy_document=text(*statements))
    world.call(world.root, command)


def join(world: World, user: str = "alice", name: str = "staff") -> None:
    world.call(world.root, groups.AddUserToGroupCommand(group_name=name, user_name=user))


def leave(world: World, user: str = "alice", name: str = "staff") -> None:
    world.call(world.root, groups.RemoveUserFromGroupCommand(group_name=name, user_name=user))


# Decisions


@pytest.mark.facts("POL-EV-010", "POL-GR-031")
def test_a_member_may_do_what_its_groups_may(world: World) -> None:
    alice, bob = world.user("alice"), world.user("bob")
    staff(world, allow("iam:ListUsers"))
    staff(world, allow("iam:ListRoles"), name="crew")
    world.call(world.root, groups.CreateGroupCommand(group_name="readers"))
    world.call(world.root, groups.AttachGroupPolicyCommand(group_name="readers", policy_arn=READER))
    join(world)
    join(world, name="crew")
    join(world, "bob", "readers")
    assert [may(world, alice, each) for each in (LIST, roles.ListRolesCommand(), groups.ListGroupsCommand())] == [
        True,
        True,
        False,
    ]
    assert may(world, bob, groups.ListGroupsCommand())


@pytest.mark.facts("POL-EV-010")
def test_every_change_of_a_group_counts_in_the_next_request(world: World) -> None:
    alice = world.user("alice")
    staff(world)
    changes: list[tuple[Command[Any], bool]] = [
        (groups.AddUserToGroupCommand(group_name="staff", user_name="alice"), False),
        (
            groups.PutGroupPolicyCommand(group_name="staff", policy_name="p", policy_document=text(allow("iam:*"))),
            True,
        ),
        (groups.UpdateGroupCommand(group_name="staff", new_group_name="crew", new_path="/x/"), True),
        (groups.DeleteGroupPolicyCommand(group_name="crew", policy_name="p"), False),
        (policies.CreatePolicyCommand(policy_name="own", policy_document=text(allow("sqs:*"))), False),
        (groups.AttachGroupPolicyCommand(group_name="crew", policy_arn=OWN), False),
        (
            policies.CreatePolicyVersionCommand(
                policy_arn=OWN, policy_document=text(allow("iam:*")), set_as_default=True
            ),
            True,
        ),
        (groups.RemoveUserFromGroupCommand(group_name="crew", user_name="alice"), False),
        (groups.AddUserToGroupCommand(group_name="crew", user_name="alice"), True),
        (users.UpdateUserCommand(user_name="alice", new_user_name="zoe"), True),
        (groups.DetachGroupPolicyCommand(group_name="crew", policy_arn=OWN), False),
    ]
    assert not may(world, alice)
    for command, expected in changes:
        world.call(world.root, command)
        assert may(world, alice) is expected, command


@pytest.mark.facts("POL-EV-010", "POL-EV-015")
def test_a_deny_of_a_group_wins_over_what_the_user_is_allowed(world: World) -> None:
    alice = world.user("alice", document(**allow()))
    staff(world, deny("iam:ListUsers"))
    assert may(world, alice)
    join(world)
    assert not may(world, alice)
    refused = world.refusal(alice, LIST, errors.AccessDenied)
    assert refused.endswith("with an explicit deny in an identity-based policy")


def test_the_boundary_of_a_user_limits_what_its_groups_lend(world: World) -> None:
    alice = world.user("alice")
    staff(world, allow())
    join(world)
    assert may(world, alice, users.CreateUserCommand(user_name="one"))
    world.call(world.root, users.PutUserPermissionsBoundaryCommand(user_name="alice", permissions_boundary=READER))
    assert may(world, alice)
    assert not may(world, alice, users.CreateUserCommand(user_name="two"))


@pytest.mark.facts("POL-EV-010")
def test_sessions_of_a_user_have_its_groups_policies_while_it_is_in_them(world: World) -> None:
    alice = world.user("alice")
    role = world.role("deploy", {"AWS": ACCOUNT})
    staff(world, allow("sts:AssumeRole"))
    join(world)
    issued = world.call(alice, sts.GetSessionTokenCommand()).credentials
    assert issued is not None
    session = Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
    world.assume(session, role)
    leave(world)
    world.refusal(session, sts.AssumeRoleCommand(role_arn=role, role_session_name="s1"), errors.AccessDenied)


@pytest.mark.facts("POL-EV-015")
def test_a_policy_that_comes_from_two_sides_counts_once(world: World) -> None:
    alice = world.user("alice")
    for name in ("staff", "crew"):
        staff(world, name=name)
        world.call(world.root, groups.AttachGroupPolicyCommand(group_name=name, policy_arn=READER))
        join(world, name=name)
    world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=READER))
    with world.pipeline.facts.reading() as view:
        directory = Directory(view, world.vault, "aws")
        key = directory.access_key(alice.access_key_id)
        assert key is not None
        assert [each.name for each in directory.policies_of(key.caller).identity] == [READER]
    result = principal(world, ALICE, action_names=("iam:ListUsers",))
    assert sources(result.matched_statements) == [("IAMReadOnlyAccess", "IAM Policy")]


@pytest.mark.facts("R28")
def test_a_group_that_is_not_there_denies_everything(world: World) -> None:
    alice = world.user("alice", document(**allow()))
    staff(world, allow())
    join(world)
    with world.store.transaction() as rows:
        records = Records(rows)
        stored = records.get(Group, ACCOUNT, "staff")
        assert stored is not None
        records.delete(stored)
    assert not may(world, alice)


def test_a_refusal_tells_the_policies_of_a_user_and_of_a_group_apart(world: World) -> None:
    alice = world.user("alice", document(**allow()))
    staff(world, deny("iam:ListUsers", Sid="Hands"))
    join(world)
    response = world.send(world.request(LIST, alice))
    assert response.status == 403
    found = world.records()[-1]["additionalEventData"]["authorization"]
    assert found["statements"] == [{"policy": "group/staff/p", "sid": "Hands", "index": 0}]
    message = dict(response.headers)[denials.HEADER]
    decode = sts.DecodeAuthorizationMessageCommand(encoded_message=message)
    decoded = json.loads(world.call(world.root, decode).decoded_message)
    assert [each["statementId"] for each in decoded["matchedStatements"]["items"]] == ["Hands"]
    named = [policy["name"] for layer in decoded["explanation"]["layers"] for policy in layer["policies"]]
    assert sorted(named) == ["group/staff/p", "p"]


# Caches


def test_a_change_of_a_group_leaves_the_keys_of_its_members_where_they_are(world: World) -> None:
    """Opening a key costs much more than compiling policies: only the latter depend on the groups."""
    alice = world.user("alice")
    staff(world, allow("iam:ListUsers"))
    join(world)
    assert may(world, alice)
    find = world.pipeline.facts.find
    key = ("access-key", alice.access_key_id)
    before = find(key)
    assert before is not None
    put(world, allow("iam:*"))
    world.pipeline.facts.begin()
    assert find(key) is before
    world.call(world.root, users.UpdateUserCommand(user_name="alice", new_path="/x/"))
    world.pipeline.facts.begin()
    assert find(key) is None


# Simulation


@pytest.mark.facts("IAM-SIM-001", "IAM-SIM-003", "POL-EV-010")
def test_a_user_is_simulated_with_its_groups(world: World) -> None:
    world.user("alice", text(allow("s3:*")))
    staff(world, allow("s3:GetObject"))
    put(world, deny("s3:Put*"), allow("s3:GetObject"))
    join(world)
    world.call(world.root, groups.CreateGroupCommand(group_name="others"))
    command = groups.PutGroupPolicyCommand(group_name="others", policy_name="p", policy_document=text(deny()))
    world.call(world.root, command)
    result = principal(world, ALICE)
    assert sources(result.matched_statements) == [("user_alice_p", "IAM Policy"), ("group_staff_p", "IAM Policy")]
    denied = principal(world, ALICE, action_names=("s3:PutObject",))
    assert denied.eval_decision == "explicitDeny"
    assert sources(denied.matched_statements) == [("group_staff_p", "IAM Policy")]


@pytest.mark.facts("IAM-SIM-001")
def test_a_group_is_simulated_by_itself(world: World) -> None:
    world.user("alice", text(deny()))
    staff(world, allow("s3:GetObject"))
    join(world)
    world.call(world.root, groups.AttachGroupPolicyCommand(group_name="staff", policy_arn=READER))
    result = principal(world, STAFF)
    assert result.eval_decision == "allowed"
    assert result.permissions_boundary_decision_detail is None
    assert sources(result.matched_statements) == [("group_staff_p", "IAM Policy")]
    listed = principal(world, STAFF, action_names=("iam:ListUsers",))
    assert sources(listed.matched_statements) == [("IAMReadOnlyAccess", "IAM Policy")]
    narrow = world.user("bob", document(**allow("iam:SimulatePrincipalPolicy", STAFF)))
    world.call(narrow, SimulatePrincipalPolicyCommand(policy_source_arn=STAFF, action_names=("s3:GetObject",)))
    other = SimulatePrincipalPolicyCommand(policy_source_arn=ALICE, action_names=("s3:GetObject",))
    world.refusal(narrow, other, errors.AccessDenied)


def test_policies_of_groups_can_be_left_out(world: World) -> None:
    world.user("alice", text(allow("s3:*")))
    staff(world, deny())
    join(world)
    for kind, expected in (("group", "allowed"), ("user", "explicitDeny"), ("role", "explicitDeny")):
        named = InlinePolicyIdentifierType(policy_name="p", attachment_type=kind, attachment_name="sta*")
        without = (PolicyIdentifier(inline_policy_identifier=named),)
        assert principal(world, ALICE, policy_exclusion_list=without).eval_decision == expected


@pytest.mark.facts("IAM-SIM-007")
@pytest.mark.parametrize("source", [ALICE, STAFF])
def test_context_keys_of_groups_are_found(world: World, source: str) -> None:
    world.user("alice", text(allow("s3:*", Condition={"StringEquals": {"aws:PrincipalTag/own": "x"}})))
    staff(world, allow("s3:*", Condition={"StringEquals": {"aws:SourceVpc": "x"}}))
    join(world)
    command = GetContextKeysForPrincipalPolicyCommand(policy_source_arn=source)
    own = ("aws:PrincipalTag/own",) if source == ALICE else ()
    assert world.call(world.root, command).context_key_names == (*own, "aws:SourceVpc")
