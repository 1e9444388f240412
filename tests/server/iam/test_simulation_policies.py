"""Organizations, resources' policies and the policies of users and roles in the simulator (iam_api.md §11)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from locum.api.iam import policies, users
from locum.api.iam.simulation import (
    GetContextKeysForCustomPolicyCommand,
    GetContextKeysForPrincipalPolicyCommand,
    PolicyIdentifier,
    SimulatePrincipalPolicyCommand,
)

from ..conftest import ACCOUNT, OTHER, World, document
from .simulated import (
    ALICE,
    INLINE,
    OBJECT,
    READER,
    allow,
    command,
    custom,
    deny,
    levels,
    on_bucket,
    principal,
    sources,
    text,
)

# Organizations


@pytest.mark.facts("POL-SM-004", "IAM-SIM-005", "POL-SM-002")
@pytest.mark.parametrize(
    ("given", "expected", "allowed"),
    [
        (((allow(),), (allow(),)), "allowed", True),
        (((allow(),), (allow("sqs:*"), allow("s3:*"))), "allowed", True),
        (((allow(),), (allow("sqs:*"),)), "implicitDeny", False),
        (((allow("sqs:*"),), (allow(),)), "implicitDeny", False),
        (((allow(),), (allow(), deny("s3:*"))), "explicitDeny", False),
        (((allow(),), ()), "implicitDeny", False),
    ],
)
def test_every_level_of_an_organization_must_allow(
    world: World, given: tuple[Any, ...], expected: str, allowed: bool
) -> None:
    result = custom(world, allow(), ordered_organization_policy_input_list=levels(*given), resource_arns=(OBJECT,))
    assert result.eval_decision == expected
    assert result.organizations_decision_detail is not None
    assert result.organizations_decision_detail.allowed_by_organizations is allowed
    # A denial by an organization ends the simulation: no statements, no word on other policies.
    assert (result.eval_decision_details is None) is not allowed
    assert bool(result.matched_statements) is allowed


@pytest.mark.facts("POL-SM-004", "IAM-SIM-001")
def test_an_organization_has_at_most_seven_levels(world: World) -> None:
    seven = custom(world, allow(), ordered_organization_policy_input_list=levels(*[(allow(),)] * 7))
    assert seven.eval_decision == "allowed"
    refused = world.refusal(
        world.root, command(allow(), ordered_organization_policy_input_list=levels(*[(allow(),)] * 8))
    )
    assert refused == (
        "1 validation error detected: Value at 'orderedOrganizationPolicyInputList' failed to satisfy constraint: "
        "Member must have length less than or equal to 7"
    )


def test_the_identity_is_what_an_organization_leaves(world: World) -> None:
    result = custom(world, allow("sqs:*"), ordered_organization_policy_input_list=levels((allow(),)))
    assert result.eval_decision == "implicitDeny"
    assert result.organizations_decision_detail is not None
    assert result.organizations_decision_detail.allowed_by_organizations


# A resource's policy


@pytest.mark.facts("IAM-SIM-006", "POL-SM-002")
@pytest.mark.parametrize(
    ("identity", "resource_policy", "expected"),
    [
        (allow("sqs:*"), on_bucket(allow("s3:*"), ALICE), "allowed"),
        (allow("s3:*"), on_bucket(allow("sqs:*")), "allowed"),
        (allow("sqs:*"), on_bucket(allow("s3:*"), f"arn:aws:iam::{ACCOUNT}:root"), "implicitDeny"),
        (allow("sqs:*"), on_bucket(allow("s3:*"), f"arn:aws:iam::{ACCOUNT}:user/bob"), "implicitDeny"),
        (allow("s3:*"), on_bucket(deny("s3:*"), ALICE), "explicitDeny"),
        (allow("s3:*"), on_bucket(deny("s3:*"), f"arn:aws:iam::{ACCOUNT}:user/bob"), "allowed"),
    ],
)
def test_within_an_account_the_resources_policy_adds_to_the_identitys(
    world: World, identity: Any, resource_policy: str, expected: str
) -> None:
    result = custom(world, identity, resource_policy=resource_policy, caller_arn=ALICE, resource_arns=(OBJECT,))
    assert (result.eval_decision, result.eval_decision_details) == (expected, {})
    (specific,) = result.resource_specific_results or ()
    assert specific.eval_decision_details is None


@pytest.mark.facts("IAM-SIM-006")
@pytest.mark.parametrize(
    ("identity", "statement", "expected", "details"),
    [
        (allow("s3:*"), allow("s3:*"), "allowed", ("allowed", "allowed")),
        (allow("sqs:*"), allow("s3:*"), "implicitDeny", ("implicitDeny", "allowed")),
        (allow("s3:*"), allow("sqs:*"), "implicitDeny", ("allowed", "implicitDeny")),
        (allow("s3:*"), deny("s3:*"), "explicitDeny", ("allowed", "explicitDeny")),
        (deny("s3:*"), allow("s3:*"), "explicitDeny", ("explicitDeny", "allowed")),
    ],
)
@pytest.mark.parametrize("owner", [f"arn:aws:iam::{OTHER}:root", OTHER])
def test_an_owner_of_another_account_makes_both_sides_necessary(
    world: World, identity: Any, statement: Any, expected: str, details: tuple[str, str], owner: str
) -> None:
    result = custom(
        world,
        identity,
        resource_policy=on_bucket(statement, ALICE),
        caller_arn=ALICE,
        resource_owner=owner,
        resource_arns=(OBJECT,),
        permissions_boundary_policy_input_list=(text(allow()),),
    )
    assert result.eval_decision == expected
    by_type = dict(zip(("IAM Policy", "Resource Policy"), details, strict=True))
    by_type["Permissions Boundary Policy"] = "allowed"
    assert result.eval_decision_details == by_type
    (specific,) = result.resource_specific_results or ()
    assert specific.eval_decision_details == by_type


@pytest.mark.facts("IAM-SIM-006")
def test_an_arn_with_an_account_names_its_owner_itself(world: World) -> None:
    queue = f"arn:aws:sqs:eu-central-1:{OTHER}:q"
    policy = text({"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": queue})
    asked: dict[str, Any] = {"resource_policy": policy, "caller_arn": ALICE, "action_names": ("sqs:SendMessage",)}
    across = custom(world, allow("s3:*"), resource_arns=(queue,), resource_owner=ACCOUNT, **asked)
    assert across.eval_decision == "implicitDeny"
    own = custom(
        world,
        allow("s3:*"),
        resource_arns=(queue.replace(OTHER, ACCOUNT),),
        resource_owner=OTHER,
        **asked | {"resource_policy": policy.replace(OTHER, ACCOUNT)},
    )
    assert own.eval_decision == "allowed"


@pytest.mark.facts("IAM-SIM-003")
def test_statements_of_the_resources_policy_are_listed_first_and_under_its_name(world: World) -> None:
    for statement, expected in ((allow("s3:*"), 2), (deny("s3:*"), 1)):
        result = custom(
            world,
            allow("s3:*"),
            resource_policy=text(
                {**deny("sqs:*"), "Principal": "*", "Resource": OBJECT},
                {**statement, "Principal": {"AWS": [ALICE, f"arn:aws:iam::{ACCOUNT}:user/bob"]}, "Resource": OBJECT},
                {**statement, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"}, "Resource": OBJECT},
            ),
            caller_arn=ALICE,
            resource_arns=(OBJECT,),
        )
        listed = [("ResourcePolicy", "Resource Policy"), ("PolicyInputList.1", "IAM Policy")]
        assert sources(result.matched_statements) == listed[:expected]


@pytest.mark.facts("POL-SM-002")
def test_without_its_policy_a_resource_of_another_account_is_judged_by_the_identity_alone(world: World) -> None:
    role = f"arn:aws:iam::{OTHER}:role/deploy"
    result = custom(world, allow("sts:*"), action_names=("sts:AssumeRole",), resource_arns=(role,))
    assert (result.eval_decision, result.eval_decision_details) == ("allowed", {})


# A user or role


@pytest.mark.facts("IAM-SIM-001", "IAM-SIM-003")
def test_a_user_is_simulated_with_all_its_policies_and_those_given(world: World) -> None:
    world.user("alice", text(allow("s3:*")))
    own = policies.CreatePolicyCommand(policy_name="own", path="/ops/", policy_document=text(allow("s3:GetObject")))
    made = world.call(world.root, own).policy
    assert made is not None
    assert made.arn is not None
    for policy in (made.arn, READER):
        world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=policy))
    result = principal(world, ALICE, policy_input_list=(text(allow()),))
    assert sources(result.matched_statements) == [
        ("user_alice_p", "IAM Policy"),
        ("own", "IAM Policy"),
        ("PolicyInputList.1", "IAM Policy"),
    ]
    listed = principal(world, ALICE, action_names=("iam:ListUsers",))
    assert sources(listed.matched_statements) == [("IAMReadOnlyAccess", "IAM Policy")]


@pytest.mark.facts("IAM-SIM-001")
def test_a_role_is_simulated_without_its_trust_policy(world: World) -> None:
    role = world.role("deploy", {"AWS": ACCOUNT}, document(**allow("s3:*")), path="/ops/")
    result = principal(world, role)
    assert result.eval_decision == "allowed"
    assert sources(result.matched_statements) == [("role_deploy_p", "IAM Policy")]
    assert principal(world, role, action_names=("sts:AssumeRole",)).eval_decision == "implicitDeny"


@pytest.mark.facts("IAM-SIM-005")
def test_the_boundary_of_a_user_counts_unless_another_is_given(world: World) -> None:
    world.user("alice", text(allow()))
    world.call(world.root, users.PutUserPermissionsBoundaryCommand(user_name="alice", permissions_boundary=READER))
    result = principal(world, ALICE)
    assert result.eval_decision == "implicitDeny"
    assert result.permissions_boundary_decision_detail is not None
    assert result.permissions_boundary_decision_detail.allowed_by_permissions_boundary is False
    for more in (
        {"permissions_boundary_policy_input_list": (text(allow("s3:*")),)},
        {"policy_exclusion_list": (PolicyIdentifier(policy_type="permission-boundary"),)},
    ):
        assert principal(world, ALICE, **more).eval_decision == "allowed"
    denied = principal(world, ALICE, permissions_boundary_policy_input_list=(text(deny("s3:*")),))
    assert sources(denied.matched_statements) == [
        ("PermissionsBoundaryPolicyInputList.1", "Permissions Boundary Policy")
    ]


def test_a_change_of_a_policy_shows_in_the_next_simulation(world: World) -> None:
    world.user("alice", text(allow("s3:*")))
    assert principal(world, ALICE).eval_decision == "allowed"
    world.call(world.root, users.DeleteUserPolicyCommand(user_name="alice", policy_name="p"))
    assert principal(world, ALICE).eval_decision == "implicitDeny"


@pytest.mark.facts("IAM-SIM-006")
def test_the_source_is_the_caller_unless_another_is_named(world: World) -> None:
    world.user("alice", text(allow("sqs:*")))
    more: dict[str, Any] = {"resource_policy": on_bucket(allow("s3:*"), ALICE), "resource_arns": (OBJECT,)}
    assert principal(world, ALICE, **more).eval_decision == "allowed"
    bob = f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert principal(world, ALICE, caller_arn=bob, **more).eval_decision == "implicitDeny"


@pytest.mark.facts("IAM-SIM-001")
@pytest.mark.parametrize(
    ("identifier", "left"),
    [
        (PolicyIdentifier(policy_type="inline"), {"own", "IAMReadOnlyAccess"}),
        (PolicyIdentifier(policy_type="aws-managed"), {"user_alice_p", "own"}),
        (PolicyIdentifier(policy_type="user-managed"), {"user_alice_p", "IAMReadOnlyAccess"}),
        (PolicyIdentifier(policy_type="scp"), {"user_alice_p", "own", "IAMReadOnlyAccess"}),
        (PolicyIdentifier(policy_type="rcp"), {"user_alice_p", "own", "IAMReadOnlyAccess"}),
        (PolicyIdentifier(policy_arn=READER), {"user_alice_p", "own"}),
        (PolicyIdentifier(policy_arn=f"arn:aws:iam::{ACCOUNT}:policy/ops/o?*"), {"user_alice_p", "IAMReadOnlyAccess"}),
        (
            PolicyIdentifier(policy_arn=f"arn:aws:iam::{ACCOUNT}:policy/o*"),
            {"user_alice_p", "IAMReadOnlyAccess"},
        ),
        (
            PolicyIdentifier(policy_arn=f"arn:aws:iam::{ACCOUNT}:policy/own"),
            {"user_alice_p", "own", "IAMReadOnlyAccess"},
        ),
        (PolicyIdentifier(inline_policy_identifier=INLINE), {"own", "IAMReadOnlyAccess"}),
        (
            PolicyIdentifier(inline_policy_identifier=msgspec.structs.replace(INLINE, attachment_type="role")),
            {"user_alice_p", "own", "IAMReadOnlyAccess"},
        ),
        (
            PolicyIdentifier(inline_policy_identifier=msgspec.structs.replace(INLINE, attachment_name="?")),
            {"user_alice_p", "own", "IAMReadOnlyAccess"},
        ),
        (
            PolicyIdentifier(inline_policy_identifier=msgspec.structs.replace(INLINE, policy_name="q")),
            {"user_alice_p", "own", "IAMReadOnlyAccess"},
        ),
    ],
    ids=lambda value: repr(sorted(value)) if isinstance(value, set) else repr(value),
)
def test_policies_are_left_out_by_kind_arn_and_name(world: World, identifier: PolicyIdentifier, left: set[str]) -> None:
    world.user("alice", text(allow("iam:*")))
    own = policies.CreatePolicyCommand(policy_name="own", path="/ops/", policy_document=text(allow("iam:*")))
    made = world.call(world.root, own).policy
    assert made is not None
    assert made.arn is not None
    for policy in (made.arn, READER):
        world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=policy))
    result = principal(world, ALICE, action_names=("iam:GetUser",), policy_exclusion_list=(identifier,))
    assert {id for id, _ in sources(result.matched_statements)} == left


def test_at_most_256_identifiers_leave_policies_out(world: World) -> None:
    world.user("alice")
    identifiers = (PolicyIdentifier(policy_type="inline"),) * 257
    assert principal(world, ALICE, policy_exclusion_list=identifiers[1:]).eval_decision == "implicitDeny"
    refused = world.refusal(
        world.root,
        SimulatePrincipalPolicyCommand(
            policy_source_arn=ALICE, action_names=("s3:Get",), policy_exclusion_list=identifiers
        ),
    )
    assert refused.endswith("Member must have length less than or equal to 256")


# Context keys


@pytest.mark.facts("IAM-SIM-007")
def test_context_keys_of_policies_given_and_attached(world: World) -> None:
    one = text(
        allow("s3:*", "arn:aws:s3:::${aws:username}"), allow(Condition={"Bool": {"aws:SecureTransport": "true"}})
    )
    two = text(allow(Condition={"StringEquals": {"AWS:UserName": "x", "aws:Referer": "${aws:userid}"}}))
    found = world.call(world.root, GetContextKeysForCustomPolicyCommand(policy_input_list=(one, two)))
    assert found.context_key_names == ("aws:username", "aws:SecureTransport", "aws:Referer", "aws:userid")
    world.user("alice", two)
    world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=READER))
    of_alice = GetContextKeysForPrincipalPolicyCommand(policy_source_arn=ALICE)
    assert world.call(world.root, of_alice).context_key_names == ("AWS:UserName", "aws:Referer", "aws:userid")
    both = GetContextKeysForPrincipalPolicyCommand(policy_source_arn=ALICE, policy_input_list=(one,))
    assert world.call(world.root, both).context_key_names == (
        "AWS:UserName",
        "aws:Referer",
        "aws:userid",
        "aws:SecureTransport",
    )
    nothing = GetContextKeysForCustomPolicyCommand(policy_input_list=(text(allow()),))
    assert world.call(world.root, nothing).context_key_names == ()
    assert b"<ContextKeyNames/>" in world.send(world.request(nothing, world.root)).body
