"""GetAccountAuthorizationDetails: all that authorizes anybody in an account, in pages (IAM-ACC-003, IAM-ACC-004)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from locum import errors
from locum.api.iam import account, groups, instance_profiles, policies, roles, types, users

from ..conftest import ACCOUNT, OTHER, START, World, document

TEXT = json.dumps(document(Effect="Allow", Action="s3:ListBucket", Resource="*"))
TRUST = document(Effect="Allow", Principal={"Service": "ec2.amazonaws.com"}, Action="sts:AssumeRole")
READER = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
TAGS = (types.Tag(key="team", value="blue"),)
KINDS = ["User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy"]
MISMATCH = "Marker and Filter do not match"


def details(world: World, *filter: str, **more: Any) -> account.GetAccountAuthorizationDetailsResponse:
    return world.call(world.root, account.GetAccountAuthorizationDetailsCommand(filter=filter, **more))


def policy(world: World, name: str = "own") -> str:
    made = world.call(world.root, policies.CreatePolicyCommand(policy_name=name, policy_document=TEXT, path="/p/"))
    assert made.policy is not None
    assert made.policy.arn is not None
    return made.policy.arn


def names(answer: account.GetAccountAuthorizationDetailsResponse) -> list[list[str | None]]:
    return [
        [each.user_name for each in answer.user_detail_list or ()],
        [each.group_name for each in answer.group_detail_list or ()],
        [each.role_name for each in answer.role_detail_list or ()],
        [each.policy_name for each in answer.policies or ()],
    ]


def furnish(world: World) -> str:
    """A user in a group, a role in a profile, a policy on each of the three; the policy's ARN."""
    root, own = world.root, policy(world)
    world.call(root, users.CreateUserCommand(user_name="alice", path="/u/", tags=TAGS, permissions_boundary=READER))
    world.call(root, groups.CreateGroupCommand(group_name="crew", path="/g/"))
    world.call(root, groups.AddUserToGroupCommand(group_name="crew", user_name="alice"))
    world.role("deploy", TRUST, path="/r/", tags=TAGS, description="what for", max_session_duration=7200)
    profile = instance_profiles.CreateInstanceProfileCommand(instance_profile_name="machine", path="/i/", tags=TAGS)
    world.call(root, profile)
    command = instance_profiles.AddRoleToInstanceProfileCommand(instance_profile_name="machine", role_name="deploy")
    world.call(root, command)
    inline = {"policy_name": "in", "policy_document": TEXT}
    world.call(root, users.PutUserPolicyCommand(user_name="alice", **inline))
    world.call(root, groups.PutGroupPolicyCommand(group_name="crew", **inline))
    world.call(root, roles.PutRolePolicyCommand(role_name="deploy", **inline))
    world.call(root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=own))
    world.call(root, groups.AttachGroupPolicyCommand(group_name="crew", policy_arn=own))
    world.call(root, roles.AttachRolePolicyCommand(role_name="deploy", policy_arn=own))
    return own


@pytest.mark.facts("IAM-ACC-003")
def test_a_filter_selects_and_the_other_lists_are_empty(world: World) -> None:
    furnish(world)
    aws = ["IAMReadOnlyAccess"]  # alice's boundary: of AWS's policies only those in use are there
    everything = [["alice"], ["crew"], ["deploy"], ["own"]]
    for place, kind in enumerate(KINDS[:4]):
        expected = [found if place == number else [] for number, found in enumerate(everything)]
        assert names(details(world, kind)) == expected
    assert names(details(world, "AWSManagedPolicy")) == [[], [], [], aws]
    assert names(details(world, "Role", "User")) == [["alice"], [], ["deploy"], []]
    assert names(details(world, *KINDS)) == [["alice"], ["crew"], ["deploy"], ["own", *aws]]
    body = world.send(world.request(account.GetAccountAuthorizationDetailsCommand(filter=("User",)), world.root)).body
    places = [
        body.index(f"<{each}".encode()) for each in ("Policies", "UserDetailList", "RoleDetailList", "GroupDetail")
    ]
    assert places == sorted(places)
    world.refusal(world.root, account.GetAccountAuthorizationDetailsCommand(filter=("Nobody",)), errors.ValidationError)


@pytest.mark.facts("IAM-ACC-003")
def test_without_a_filter_of_awss_policies_only_those_in_use_are_there(world: World) -> None:
    furnish(world)
    assert names(details(world))[3] == ["own", "IAMReadOnlyAccess"]  # alice's boundary
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    world.call(world.root, roles.AttachRolePolicyCommand(role_name="deploy", policy_arn=administrator))
    assert names(details(world))[3] == ["own", "AdministratorAccess", "IAMReadOnlyAccess"]
    other = world.account(OTHER)
    assert names(world.call(other, account.GetAccountAuthorizationDetailsCommand())) == [[], [], [], []]


INLINE = (account.PolicyDetail(policy_name="in", policy_document=types.encode_document(TEXT)),)


@pytest.mark.facts("IAM-ACC-004")
def test_a_user_with_all_that_it_has(world: World) -> None:
    own = furnish(world)
    (user,) = details(world, "User").user_detail_list or ()
    assert (user.path, user.user_name, user.arn) == ("/u/", "alice", f"arn:aws:iam::{ACCOUNT}:user/u/alice")
    assert user.user_id is not None
    assert user.user_id.startswith("AIDA")
    assert user.create_date is not None
    assert user.create_date.timestamp() == START
    assert user.user_policy_list == INLINE
    assert user.group_list == ("crew",)
    assert user.attached_managed_policies == (types.AttachedPolicy(policy_name="own", policy_arn=own),)
    assert user.permissions_boundary is not None
    assert user.permissions_boundary.permissions_boundary_arn == READER
    assert user.tags == TAGS


@pytest.mark.facts("IAM-ACC-004")
def test_a_group_with_all_that_it_has(world: World) -> None:
    own = furnish(world)
    (group,) = details(world, "Group").group_detail_list or ()
    assert (group.path, group.group_name, group.arn) == ("/g/", "crew", f"arn:aws:iam::{ACCOUNT}:group/g/crew")
    assert group.group_policy_list == INLINE
    assert group.attached_managed_policies == (types.AttachedPolicy(policy_name="own", policy_arn=own),)


@pytest.mark.facts("IAM-ACC-004", "IAM-ROL-008")
def test_a_role_with_all_that_it_has(world: World) -> None:
    own = furnish(world)
    (role,) = details(world, "Role").role_detail_list or ()
    assert (role.path, role.role_name, role.arn) == ("/r/", "deploy", f"arn:aws:iam::{ACCOUNT}:role/r/deploy")
    assert role.assume_role_policy_document == types.encode_document(json.dumps(TRUST))
    assert role.role_policy_list == INLINE
    assert role.attached_managed_policies == (types.AttachedPolicy(policy_name="own", policy_arn=own),)
    assert role.tags == TAGS
    assert role.role_last_used == types.RoleLastUsed()
    (profile,) = role.instance_profile_list or ()
    assert (profile.arn, profile.tags) == (f"arn:aws:iam::{ACCOUNT}:instance-profile/i/machine", None)
    (embedded,) = profile.roles
    assert (embedded.role_name, embedded.tags, embedded.max_session_duration) == ("deploy", None, None)
    assert not {"description", "max_session_duration"} & set(account.RoleDetail.__struct_fields__)


@pytest.mark.facts("IAM-ACC-004")
def test_a_policy_with_all_of_its_versions(world: World) -> None:
    own = furnish(world)
    world.call(
        world.root,
        policies.CreatePolicyVersionCommand(
            policy_arn=own, policy_document=TEXT.replace("List", "Get"), set_as_default=True
        ),
    )
    (shown,) = details(world, "LocalManagedPolicy").policies or ()
    assert (shown.arn, shown.path, shown.default_version_id, shown.is_attachable) == (own, "/p/", "v2", True)
    assert (shown.attachment_count, shown.permissions_boundary_usage_count) == (3, 0)
    found = [(each.version_id, each.is_default_version, each.document) for each in shown.policy_version_list or ()]
    assert found == [
        ("v2", True, types.encode_document(TEXT.replace("List", "Get"))),
        ("v1", False, types.encode_document(TEXT)),
    ]


def test_no_policy_shows_its_description(world: World) -> None:
    """The model allows for one, but AWS answers without it even for a policy of its own that has one."""
    described = policies.CreatePolicyCommand(policy_name="described", policy_document=TEXT, description="what for")
    world.call(world.root, described)
    command = users.CreateUserCommand(user_name="alice", permissions_boundary=READER)
    world.call(world.root, command)
    shown = [each for kind in KINDS[-2:] for each in details(world, kind).policies or ()]
    assert [each.policy_name for each in shown] == ["described", "IAMReadOnlyAccess"]
    assert {each.description for each in shown} == {None}
    for each in shown:
        found = world.call(world.root, policies.GetPolicyCommand(policy_arn=each.arn or "")).policy
        assert found is not None
        assert found.description


@pytest.mark.facts("IAM-ACC-004")
def test_who_has_nothing_has_empty_lists_but_for_a_users_inline_policies(world: World) -> None:
    world.call(world.root, users.CreateUserCommand(user_name="alice"))
    world.call(world.root, groups.CreateGroupCommand(group_name="crew"))
    world.role("deploy", TRUST)
    body = world.send(world.request(account.GetAccountAuthorizationDetailsCommand(), world.root)).body.decode()
    assert "UserPolicyList" not in body
    assert "PermissionsBoundary>" not in body
    shown = details(world)
    (user,), (group,) = shown.user_detail_list or (), shown.group_detail_list or ()
    (role,) = shown.role_detail_list or ()
    assert (user.group_list, user.attached_managed_policies, user.tags) == ((), (), ())
    assert (group.group_policy_list, group.attached_managed_policies) == ((), ())
    assert (role.instance_profile_list, role.role_policy_list, role.attached_managed_policies) == ((), (), ())
    assert (role.tags, role.role_last_used) == ((), types.RoleLastUsed())
    for each in ("GroupList", "AttachedManagedPolicies", "Tags", "GroupPolicyList", "InstanceProfileList"):
        assert f"<{each}" in body
    assert "<RoleLastUsed" in body


@pytest.mark.facts("IAM-ACC-003", "IAM-GEN-050")
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_together_hold_everything_once(world: World, size: int) -> None:
    for number in range(3):
        world.call(world.root, users.CreateUserCommand(user_name=f"User{number}"))
        world.call(world.root, groups.CreateGroupCommand(group_name=f"group{number}"))
        world.role(f"Role{number}", TRUST)
        policy(world, f"policy{number}")
    whole = details(world)
    assert not whole.is_truncated
    found: list[list[str | None]] = [[], [], [], []]
    marker: str | None = None
    while True:
        page = details(world, max_items=size, marker=marker)
        for gathered, more in zip(found, names(page), strict=True):
            gathered += more
        marker = page.marker
        if not page.is_truncated:
            break
    assert found == names(whole)
    first = details(world, max_items=1)
    assert details(world, marker=first.marker).user_detail_list == (whole.user_detail_list or ())[1:]


@pytest.mark.facts("IAM-ACC-003")
def test_users_come_before_roles_and_roles_before_groups(world: World) -> None:
    furnish(world)
    assert names(details(world, "Group", "Role", "User", max_items=1)) == [["alice"], [], [], []]
    assert names(details(world, "LocalManagedPolicy", "Group", "Role", max_items=1)) == [[], [], ["deploy"], []]
    assert names(details(world, "LocalManagedPolicy", "Group", max_items=1)) == [[], ["crew"], [], []]


@pytest.mark.facts("IAM-ACC-003", "IAM-GEN-051")
def test_a_marker_goes_with_its_filter_in_whatever_order_and_spelling(world: World) -> None:
    for number in range(3):
        world.call(world.root, users.CreateUserCommand(user_name=f"user{number}"))
    default = details(world, max_items=1).marker
    some = details(world, "Group", "User", max_items=1).marker
    second = [["user1"], [], [], []]
    assert names(details(world, *reversed(KINDS), max_items=1, marker=default)) == second
    assert names(details(world, "User", "Group", "User", max_items=1, marker=some)) == second
    for filter, marker, message in (
        (("User",), "garbled", MISMATCH),
        (("Group",), some, MISMATCH),
        ((), some, "Invalid Marker."),
        (KINDS[:4], default, "Invalid Marker."),
    ):
        command = account.GetAccountAuthorizationDetailsCommand(filter=tuple(filter), marker=marker)
        assert world.refusal(world.root, command, errors.ValidationError) == message
