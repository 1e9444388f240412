"""Federated users: how they are made, what they may do, on whom they depend (areas GFT, CALL)."""

from __future__ import annotations

import datetime
import json
from typing import Any, Final

import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import access_keys, policies, users
from locum.policy import Ask, CompiledPolicy, Policies, PolicyKind, decide, load
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, OTHER, START, World, document
from .test_sessions import (
    ADMIN,
    WHO,
    Seen,
    assuming,
    credentials_of,
    not_authorized,
    own_tags,
    principal_tags,
    seen,
    tags,
    trusting,
)

ALICE: Final = f"arn:aws:iam::{ACCOUNT}:user/alice"
BOB: Final = f"arn:aws:sts::{ACCOUNT}:federated-user/bob"
ROOT: Final = f"arn:aws:iam::{ACCOUNT}:root"
THING: Final = "arn:aws:s3:::ledger/a.csv"
READ: Final = document(Effect="Allow", Action="s3:GetObject", Resource="*")
WRITE: Final = document(Effect="Allow", Action="s3:PutObject", Resource="*")


def federation(**asked: Any) -> sts.GetFederationTokenCommand:
    return sts.GetFederationTokenCommand(**{"name": "bob", **asked})


def federated(world: World, by: Credentials, **asked: Any) -> Credentials:
    return credentials_of(world.call(by, federation(**asked)).credentials)


def resource_policy(*statements: dict[str, Any]) -> CompiledPolicy:
    return load(json.dumps(document(*statements)), PolicyKind.RESOURCE, "ledger")


def may(found: Seen, action: str, resource: CompiledPolicy | None = None) -> bool:
    """Whether a caller may do something at a service that asks the one decision function."""
    ask = Ask(found.caller.principal, action, THING, ACCOUNT, found.context)
    own = found.policies
    return decide(
        ask, Policies(identity=own.identity, boundary=own.boundary, session=own.session, resource=resource)
    ).allowed


# Making one


@pytest.mark.facts("STS-GFT-007", "STS-GCI-T06", "STS-CALL-T05", "STS-CALL-T17", "STS-CALL-T15", "STS-SP-016")
@pytest.mark.parametrize("by_root", [False, True])
def test_a_federated_user_is_who_it_was_said_to_be(world: World, by_root: bool) -> None:
    maker = world.root if by_root else world.user("alice", ADMIN)
    answer = world.call(maker, federation())
    assert answer.federated_user.arn == BOB
    assert answer.federated_user.federated_user_id == f"{ACCOUNT}:bob"
    assert answer.packed_policy_size == 0
    identity = world.call(credentials_of(answer.credentials), WHO)
    assert (identity.arn, identity.user_id, identity.account) == (BOB, f"{ACCOUNT}:bob", ACCOUNT)
    body = world.send(world.request(federation(), maker)).body
    assert b"<PackedPolicySize>0</PackedPolicySize>" in body


@pytest.mark.facts("STS-GFT-001", "STS-CALL-005", "STS-E-013", "STS-CALL-T17", "POL-EV-074", "STS-CALL-003")
def test_sessions_make_no_federated_users(world: World) -> None:
    alice = world.user("alice", ADMIN)
    sessions = [
        credentials_of(world.call(alice, sts.GetSessionTokenCommand()).credentials),
        credentials_of(world.call(world.root, sts.GetSessionTokenCommand()).credentials),
        world.assume(alice, world.role("r", trusting(), ADMIN)),
        federated(world, alice),
        federated(world, world.root),
    ]
    for session in sessions:
        refused = world.refusal(session, federation(), errors.AccessDenied)
        assert refused == "Cannot call GetFederationToken with session credentials"
        refused = world.refusal(session, sts.GetSessionTokenCommand(), errors.AccessDenied)
        assert refused == "Cannot call GetSessionToken with session credentials"


@pytest.mark.facts("STS-GFT-002", "STS-CTX-T55", "POL-EV-076")
def test_it_needs_leave_for_the_very_name(world: World) -> None:
    alice = world.user("alice", document(Effect="Allow", Action="sts:GetFederationToken", Resource=BOB))
    assert world.call(alice, federation()).federated_user.arn == BOB
    refused = world.refusal(alice, federation(name="eve"), errors.AccessDenied)
    resource = f"arn:aws:sts::{ACCOUNT}:federated-user/eve"
    assert refused == (
        not_authorized(ALICE, "sts:GetFederationToken", resource)
        + " because no identity-based policy allows the sts:GetFederationToken action"
    )


@pytest.mark.facts("STS-GFT-002", "STS-CTX-T55")
def test_tags_need_leave_of_their_own_and_are_keys(world: World) -> None:
    own = {"Effect": "Allow", "Action": "sts:GetFederationToken", "Resource": "*"}
    alice = world.user("alice", document(own))
    given = tags(Team="Blue", Ticket="42")
    refused = world.refusal(alice, federation(tags=given), errors.AccessDenied)
    assert refused == not_authorized(ALICE, "sts:TagSession", BOB)
    for conditions, allowed in (
        ({"StringEquals": {"aws:RequestTag/team": "Blue"}}, True),
        ({"StringEquals": {"aws:RequestTag/Team": "Red"}}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Team", "Ticket"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}, False),
    ):
        tagging = {"Effect": "Allow", "Action": "sts:TagSession", "Resource": BOB, "Condition": conditions}
        policy = json.dumps(document(own, tagging))
        put = users.PutUserPolicyCommand(user_name="alice", policy_name="p", policy_document=policy)
        world.call(world.root, put)
        if allowed:
            world.call(alice, federation(tags=given))
        else:
            assert world.refusal(alice, federation(tags=given), errors.AccessDenied) == refused
    denying = {"Effect": "Allow", "Action": "*", "Resource": "*"}, {**own, "Effect": "Deny"}
    policy = json.dumps(document(*denying))
    world.call(world.root, users.PutUserPolicyCommand(user_name="alice", policy_name="p", policy_document=policy))
    refused = world.refusal(alice, federation(), errors.AccessDenied)
    assert refused.endswith("with an explicit deny in an identity-based policy")


@pytest.mark.facts("STS-GFT-003")
@pytest.mark.parametrize("name", ["x", "x" * 33, "a b"])
def test_the_name_has_two_to_32_characters(world: World, name: str) -> None:
    refused = world.refusal(world.root, federation(name=name), errors.ValidationError)
    assert "at 'name' failed to satisfy constraint" in refused
    world.call(world.root, federation(name="x" * 32))


@pytest.mark.facts("STS-CALL-T24", "STS-CALL-T25", "STS-GFT-006", "STS-CALL-009", "STS-CALL-T17")
@pytest.mark.parametrize(
    ("by_root", "asked", "seconds"),
    [
        (False, None, 43_200),
        (False, 900, 900),
        (False, 129_600, 129_600),
        (True, None, 3_600),
        (True, 900, 900),
        (True, 129_600, 3_600),
    ],
)
def test_a_federated_user_lives_as_long_as_its_maker_can_make_it(
    world: World, by_root: bool, asked: int | None, seconds: int
) -> None:
    maker = world.root if by_root else world.user("alice", ADMIN)
    issued = world.call(maker, federation(duration_seconds=asked)).credentials
    assert issued.expiration == datetime.datetime.fromtimestamp(START + seconds, datetime.UTC)
    world.now = START + seconds - 1
    assert world.call(credentials_of(issued), WHO).arn == BOB
    world.now = START + seconds
    world.refusal(credentials_of(issued), WHO, errors.ExpiredToken)


@pytest.mark.facts("STS-SP-001", "STS-SP-002", "STS-SP-008", "STS-SP-017")
def test_its_session_policies_are_checked_as_those_of_a_role(world: World) -> None:
    alice = world.user("alice", ADMIN)
    missing = sts.PolicyDescriptorType(arn=f"arn:aws:iam::{ACCOUNT}:policy/nothing")
    foreign = world.call(
        world.account(OTHER), policies.CreatePolicyCommand(policy_name="theirs", policy_document=json.dumps(READ))
    ).policy
    assert foreign is not None
    assert foreign.arn is not None
    for asked in (
        {"policy": "{"},
        {"policy": json.dumps(trusting())},
        {"policy_arns": (missing,)},
        {"policy_arns": (sts.PolicyDescriptorType(arn=foreign.arn),)},
    ):
        world.refusal(alice, federation(**asked), errors.MalformedPolicyDocumentException)
    eleven = tuple(sts.PolicyDescriptorType(arn=f"arn:aws:iam::aws:policy/x{number}") for number in range(11))
    world.refusal(alice, federation(policy_arns=eleven), errors.ValidationError)
    refused = world.refusal(alice, federation(policy="{" + " " * 2_048), errors.ValidationError)
    assert refused.startswith("1 validation error detected: Value '")
    assert refused.endswith(
        "at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048"
    )
    aws = sts.PolicyDescriptorType(arn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    size = world.call(alice, federation(policy=json.dumps(READ), policy_arns=(aws,))).packed_policy_size
    assert size is not None
    assert 0 < size < 100


@pytest.mark.facts("STS-GFT-008", "STS-TAG-011", "STS-TAG-015", "STS-TAG-004", "STS-E-T45")
def test_its_tags_win_over_the_users_and_never_last(world: World) -> None:
    alice = world.user("alice", ADMIN)
    world.call(world.root, users.TagUserCommand(user_name="alice", tags=own_tags(Team="Blue", Kept="yes")))
    assert principal_tags(world, federated(world, alice)) == {"team": "Blue", "kept": "yes"}
    assert principal_tags(world, federated(world, alice, tags=tags(TEAM="Red"))) == {"team": "Red", "kept": "yes"}
    assert principal_tags(world, federated(world, world.root, tags=tags(Team="Red"))) == {"team": "Red"}
    token = credentials_of(world.call(alice, sts.GetSessionTokenCommand()).credentials)
    assert principal_tags(world, token) == {"team": "Blue", "kept": "yes"}
    assert "sts:transitivetagkeys" not in seen(world, federated(world, alice, tags=tags(TEAM="Red"))).context
    refused = world.refusal(alice, federation(tags=tags(a="1", A="2")), errors.InvalidParameterValue)
    assert refused == "Duplicate tag keys found. Please note that Tag keys are case insensitive."


# What one may do


@pytest.mark.facts("STS-CALL-001", "STS-GFT-009", "POL-EV-073", "STS-AR-003", "STS-CALL-T09", "STS-SIG-021")
@pytest.mark.facts("STS-CALL-T13", "STS-CALL-T14", "STS-E-004")
@pytest.mark.parametrize("by_root", [False, True])
def test_it_reaches_no_iam_and_one_operation_of_sts(world: World, by_root: bool) -> None:
    maker = world.root if by_root else world.user("alice", ADMIN)
    bob = federated(world, maker, policy=json.dumps(ADMIN))
    for command in (users.ListUsersCommand(), users.GetUserCommand(user_name="alice")):
        refused = world.refusal(bob, command, errors.InvalidClientTokenId)
        assert refused == "The security token included in the request is invalid"
    assert world.call(bob, WHO).arn == BOB
    role = world.role("r", trusting(principal="*"))
    assert world.refusal(bob, assuming(role), errors.AccessDenied) == not_authorized(BOB, "sts:AssumeRole", role)
    missing = f"arn:aws:iam::{ACCOUNT}:role/nothing"
    refused = world.refusal(bob, assuming(missing), errors.AccessDenied)
    assert refused == not_authorized(BOB, "sts:AssumeRole", missing)
    info = sts.GetAccessKeyInfoCommand(access_key_id=bob.access_key_id)
    refused = world.refusal(bob, info, errors.AccessDenied)
    assert refused == f"User: {BOB} is not authorized to perform: sts:GetAccessKeyInfo"
    message = sts.DecodeAuthorizationMessageCommand(encoded_message="x")
    assert "sts:DecodeAuthorizationMessage" in world.refusal(bob, message, errors.AccessDenied)


@pytest.mark.facts("STS-GFT-004", "R33", "POL-EV-013", "POL-SS-003", "STS-SP-007")
def test_it_may_do_what_both_its_maker_and_its_session_policies_allow(world: World) -> None:
    alice = world.user("alice", READ)
    grant = {"Effect": "Allow", "Action": "sts:GetFederationToken", "Resource": "*"}
    policy = json.dumps(document(*READ["Statement"], grant))
    world.call(world.root, users.PutUserPolicyCommand(user_name="alice", policy_name="p", policy_document=policy))
    actions = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")

    def allowed(**asked: Any) -> list[bool]:
        found = seen(world, federated(world, alice, **asked))
        return [may(found, action) for action in actions]

    assert [may(seen(world, alice), action) for action in actions] == [True, False, False]
    assert allowed() == [False, False, False]
    assert allowed(policy=json.dumps(READ)) == [True, False, False]
    assert allowed(policy=json.dumps(WRITE)) == [False, False, False]
    assert allowed(policy=json.dumps(ADMIN)) == [True, False, False]
    managed = sts.PolicyDescriptorType(arn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert allowed(policy_arns=(managed,), policy=json.dumps(READ)) == [True, False, False]


@pytest.mark.facts("STS-GFT-006", "R33")
def test_of_root_it_may_do_what_the_session_policies_allow(world: World) -> None:
    reader = seen(world, federated(world, world.root, policy=json.dumps(READ)))
    assert [may(reader, action) for action in ("s3:GetObject", "s3:PutObject")] == [True, False]
    nobody = seen(world, federated(world, world.root))
    assert not may(nobody, "s3:GetObject")
    denying = document(*ADMIN["Statement"], {"Effect": "Deny", "Action": "s3:Put*", "Resource": "*"})
    most = seen(world, federated(world, world.root, policy=json.dumps(denying)))
    assert [may(most, action) for action in ("s3:GetObject", "s3:PutObject")] == [True, False]


@pytest.mark.facts("STS-GFT-005", "POL-IT-005", "POL-IT-006", "STS-SP-005")
def test_a_resources_own_policy_grants_to_its_arn_and_through_its_makers_within_limits(world: World) -> None:
    alice = world.user("alice", ADMIN)
    bare = seen(world, federated(world, alice))
    reader = seen(world, federated(world, alice, policy=json.dumps(READ)))
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    for principal, action, of_bare, of_reader in (
        (BOB, "s3:PutObject", True, True),
        (ALICE, "s3:GetObject", False, True),
        (ALICE, "s3:PutObject", False, False),
        (ACCOUNT, "s3:GetObject", False, True),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/eve", "s3:PutObject", False, False),
    ):
        granting = resource_policy({**everything, "Principal": {"AWS": principal}})
        assert may(bare, action, granting) == of_bare, (principal, action)
        assert may(reader, action, granting) == of_reader, (principal, action)
    refusing = resource_policy(
        {**everything, "Principal": {"AWS": BOB}}, {**everything, "Effect": "Deny", "Principal": {"AWS": ALICE}}
    )
    assert not may(reader, "s3:GetObject", refusing)


# On whom it depends


@pytest.mark.facts("STS-GFT-010", "POL-SS-008")
def test_it_ends_with_its_maker_and_a_new_user_of_the_name_does_not_revive_it(world: World) -> None:
    alice = world.user("alice", ADMIN)
    bob = federated(world, alice, policy=json.dumps(ADMIN))
    assert may(seen(world, bob), "s3:GetObject")
    denying = json.dumps(document(Effect="Deny", Action="*", Resource="*"))
    world.call(world.root, users.PutUserPolicyCommand(user_name="alice", policy_name="p", policy_document=denying))
    assert not may(seen(world, bob), "s3:GetObject")
    assert world.call(bob, WHO).arn == BOB
    world.call(world.root, users.DeleteUserPolicyCommand(user_name="alice", policy_name="p"))
    key = access_keys.DeleteAccessKeyCommand(user_name="alice", access_key_id=alice.access_key_id)
    world.call(world.root, key)
    assert world.call(bob, WHO).arn == BOB
    world.call(world.root, users.DeleteUserCommand(user_name="alice"))
    gone = "The security token included in the request is invalid"
    assert world.refusal(bob, WHO, errors.InvalidClientTokenId) == gone
    world.user("alice", ADMIN)
    assert world.refusal(bob, WHO, errors.InvalidClientTokenId) == gone


@pytest.mark.facts("STS-GFT-011", "STS-CTX-T33", "POL-CK-003")
@pytest.mark.parametrize("by_root", [False, True])
def test_the_condition_keys_of_a_federated_user(world: World, by_root: bool) -> None:
    maker = world.root if by_root else world.user("alice", ADMIN)
    context = seen(world, federated(world, maker)).context
    assert context["aws:principaltype"] == "FederatedUser"
    assert context["aws:principalarn"] == BOB
    assert context["aws:userid"] == f"{ACCOUNT}:bob"
    assert context["aws:principalaccount"] == ACCOUNT
    assert "aws:username" not in context
    assert context["aws:multifactorauthpresent"] == "false"
    assert context["aws:tokenissuetime"] == "2026-01-02T03:04:05Z"


@pytest.mark.facts("STS-CTX-T31", "STS-CALL-T02")
def test_the_condition_keys_of_root(world: World) -> None:
    context = seen(world, world.root).context
    assert (context["aws:userid"], context["aws:principaltype"]) == (ACCOUNT, "Account")
    assert context["aws:principalarn"] == ROOT
    assert "aws:username" not in context


@pytest.mark.facts("R32")
def test_no_mark_of_its_maker_travels_into_a_role_session(world: World) -> None:
    """Two users, an administrator and one who may do nothing else, get the same session."""
    admin = world.user("admin", ADMIN)
    other = world.user("other", document(Effect="Allow", Action="sts:*", Resource="*"))
    role = world.role("r", trusting())
    first, second = seen(world, world.assume(admin, role)), seen(world, world.assume(other, role))
    assert first.policies == second.policies
    assert first.context == second.context
    assert not first.caller.is_root
    assert not may(first, "s3:GetObject")
