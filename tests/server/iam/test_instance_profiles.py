"""Instance profiles and the roles in them (iam_api.md §6)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from locum import errors
from locum.api.iam import instance_profiles as api
from locum.api.iam import roles, types
from locum.api.shapes import Command
from locum.core.records import InstanceProfile
from locum.server.handlers import HANDLERS
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from ..conftest import ACCOUNT, OTHER, START, World, document

PROFILE = f"arn:aws:iam::{ACCOUNT}:instance-profile"
ROLE = f"arn:aws:iam::{ACCOUNT}:role"
DOCUMENT = json.dumps(document(Effect="Allow", Action="iam:GetUser", Resource="*"))
READER = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
ONE_TAG = (types.Tag(key="team", value="blue"),)


def create(world: World, name: str = "web", root: Credentials | None = None, **more: Any) -> types.InstanceProfile:
    command = api.CreateInstanceProfileCommand(instance_profile_name=name, **more)
    return world.call(root or world.root, command).instance_profile


def get(world: World, name: str = "web") -> types.InstanceProfile:
    return world.call(world.root, api.GetInstanceProfileCommand(instance_profile_name=name)).instance_profile


def adding(role: str = "deploy", name: str = "web") -> api.AddRoleToInstanceProfileCommand:
    return api.AddRoleToInstanceProfileCommand(instance_profile_name=name, role_name=role)


def removing(role: str = "deploy", name: str = "web") -> api.RemoveRoleFromInstanceProfileCommand:
    return api.RemoveRoleFromInstanceProfileCommand(instance_profile_name=name, role_name=role)


def names(page: Any) -> list[str]:
    return [each.instance_profile_name for each in page.instance_profiles]


def paged(world: World, command: Command[Any]) -> list[str]:
    """The names in a list, read with a page for each."""
    found: list[str] = []
    marker: str | None = None
    while True:
        page = world.call(world.root, msgspec.structs.replace(command, max_items=1, marker=marker))
        found += names(page)
        marker = page.marker
        if not page.is_truncated:
            return found
        assert len(names(page)) == 1


@pytest.mark.facts("IAM-CL-006")
def test_every_operation_is_answered() -> None:
    expected = {f"{verb}InstanceProfile" for verb in ("Create", "Get", "Delete", "Tag", "Untag")}
    expected |= {"AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile", "ListInstanceProfileTags"}
    expected |= {"ListInstanceProfiles", "ListInstanceProfilesForRole"}
    assert {each.operation.name for each in HANDLERS if "InstanceProfile" in each.operation.name} == expected


# Create, get, list


@pytest.mark.facts("IAM-INS-001", "IAM-GEN-010")
def test_a_new_profile_has_no_roles_and_tags_only_where_given(world: World) -> None:
    made = create(world, "Web", path="/a/")
    assert (made.path, made.instance_profile_name, made.arn) == ("/a/", "Web", f"{PROFILE}/a/Web")
    assert made.instance_profile_id.startswith("AIPA")
    assert len(made.instance_profile_id) == 21
    assert made.create_date.timestamp() == START
    assert (made.roles, made.tags) == ((), None)
    assert get(world, "wEB") == msgspec.structs.replace(made, tags=())
    body = world.send(world.request(api.GetInstanceProfileCommand(instance_profile_name="Web"), world.root)).body
    assert b"<Tags" in body
    assert b"<Roles" in body
    tagged = create(world, "tagged", tags=ONE_TAG)
    assert (tagged.tags, get(world, "tagged").tags) == (ONE_TAG, ONE_TAG)


@pytest.mark.facts("IAM-INS-001")
def test_a_profile_shows_its_role_as_a_new_one_is_shown(world: World) -> None:
    create(world)
    text = json.dumps(document(Effect="Allow", Principal={"Service": "ec2.amazonaws.com"}, Action="sts:AssumeRole"))
    command = roles.CreateRoleCommand(
        role_name="Deploy", assume_role_policy_document=text, path="/b/", max_session_duration=7_200
    )
    role = world.call(world.root, command).role
    world.call(world.root, adding())
    (shown,) = get(world).roles
    assert shown == role
    assert types.decode_document(shown.assume_role_policy_document or "") == text
    assert shown.max_session_duration is None
    every = world.call(world.root, api.ListInstanceProfilesCommand()).instance_profiles
    assert [(each.roles, each.tags) for each in every] == [((role,), None)]
    of_role = api.ListInstanceProfilesForRoleCommand(role_name="deploy")
    assert world.call(world.root, of_role).instance_profiles == every


@pytest.mark.facts("IAM-INS-002", "IAM-INS-005", "IAM-GEN-012", "IAM-GEN-015")
def test_names_are_unique_whatever_case_and_path_and_apart_from_roles(world: World) -> None:
    world.role("web", {"AWS": ACCOUNT})
    create(world, "Web", path="/a/")
    again = api.CreateInstanceProfileCommand(instance_profile_name="wEB", path="/b/")
    assert world.refusal(world.root, again, errors.EntityAlreadyExistsException) == (
        "Instance Profile wEB already exists."
    )
    world.role("other", {"AWS": ACCOUNT})
    create(world, "other")
    create(world, "Web", world.account(OTHER))


@pytest.mark.facts("IAM-INS-002", "IAM-INS-003")
@pytest.mark.parametrize(
    "command",
    [
        api.GetInstanceProfileCommand(instance_profile_name="nothing"),
        api.DeleteInstanceProfileCommand(instance_profile_name="nothing"),
        adding("missing", "nothing"),
        removing("missing", "nothing"),
        api.TagInstanceProfileCommand(instance_profile_name="nothing", tags=ONE_TAG),
        api.UntagInstanceProfileCommand(instance_profile_name="nothing", tag_keys=("team",)),
        api.ListInstanceProfileTagsCommand(instance_profile_name="nothing"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_an_unknown_profile_is_reported_before_anything_else(world: World, command: Command[Any]) -> None:
    create(world, "nothing", world.account(OTHER))
    refused = world.refusal(world.root, command, errors.NoSuchEntityException)
    assert refused == "Instance Profile nothing cannot be found."


@pytest.mark.facts("IAM-GEN-014", "IAM-GEN-053")
def test_profiles_are_listed_by_name_below_a_path(world: World) -> None:
    for name, path in (("b", "/test/"), ("C", "/test-x/"), ("a", "/other/")):
        create(world, name, path=path)
    listing = api.ListInstanceProfilesCommand()
    assert names(world.call(world.root, listing)) == ["a", "b", "C"]
    assert paged(world, listing) == ["a", "b", "C"]
    assert names(world.call(world.root, api.ListInstanceProfilesCommand(path_prefix="/test"))) == ["b", "C"]
    assert names(world.call(world.account(OTHER), listing)) == []


@pytest.mark.facts("POL-LM-009")
def test_an_account_has_1000_profiles(world: World) -> None:
    with world.store.transaction() as rows:
        records = Records(rows)
        for number in range(999):
            records.create(InstanceProfile(account=ACCOUNT, id=f"AIPA{number:017d}", name=f"p{number}", created=0))
    create(world, "last")
    over = api.CreateInstanceProfileCommand(instance_profile_name="over")
    assert world.refusal(world.root, over, errors.LimitExceededException) == (
        "Cannot exceed quota for InstanceProfilesPerAccount: 1000"
    )


# Roles


@pytest.mark.facts("IAM-INS-003", "IAM-GEN-072")
def test_a_profile_has_place_for_one_role(world: World) -> None:
    create(world)
    for name in ("deploy", "other"):
        world.role(name, {"AWS": ACCOUNT})
    world.call(world.root, adding())
    for name in ("other", "deploy"):
        assert world.refusal(world.root, adding(name), errors.LimitExceededException) == (
            "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"
        )
    world.call(world.root, removing("DEPLOY"))
    world.call(world.root, adding("other"))
    assert [each.role_name for each in get(world).roles] == ["other"]


@pytest.mark.facts("IAM-INS-003")
def test_a_role_that_is_not_in_a_profile_cannot_be_taken_out(world: World) -> None:
    create(world)
    world.role("deploy", {"AWS": ACCOUNT})
    world.role("missing", {"AWS": OTHER}, root=world.account(OTHER))
    for command in (adding("missing"), removing("missing")):
        refused = world.refusal(world.root, command, errors.NoSuchEntityException)
        assert refused == "The role with name missing cannot be found."
    outside = "Role deploy in Instance Profile web cannot be found."
    assert world.refusal(world.root, removing(), errors.NoSuchEntityException) == outside
    world.call(world.root, adding())
    world.call(world.root, removing())
    assert get(world).roles == ()
    assert world.refusal(world.root, removing(), errors.NoSuchEntityException) == outside


def test_a_role_can_be_in_many_profiles_and_tells_which(world: World) -> None:
    for name in ("deploy", "other"):
        world.role(name, {"AWS": ACCOUNT})
    for name, role in (("b", "deploy"), ("C", "deploy"), ("a", "deploy"), ("d", "other")):
        create(world, name)
        world.call(world.root, adding(role, name))
    listing = api.ListInstanceProfilesForRoleCommand(role_name="DEPLOY")
    assert names(world.call(world.root, listing)) == ["a", "b", "C"]
    assert paged(world, listing) == ["a", "b", "C"]
    world.call(world.root, removing(name="b"))
    assert names(world.call(world.root, listing)) == ["a", "C"]
    unknown = api.ListInstanceProfilesForRoleCommand(role_name="missing")
    assert world.refusal(world.root, unknown, errors.NoSuchEntityException) == (
        "The role with name missing cannot be found."
    )


@pytest.mark.facts("IAM-INS-004", "IAM-GEN-070")
def test_a_profile_is_deleted_when_it_holds_no_role(world: World) -> None:
    create(world)
    world.role("deploy", {"AWS": ACCOUNT})
    world.call(world.root, adding())
    delete = api.DeleteInstanceProfileCommand(instance_profile_name="web")
    assert world.refusal(world.root, delete, errors.DeleteConflictException) == (
        "Cannot delete entity, must remove roles from instance profile first."
    )
    world.call(world.root, removing())
    world.call(world.root, delete)
    world.refusal(world.root, delete, errors.NoSuchEntityException)


@pytest.mark.facts("IAM-ROL-010", "IAM-GEN-070", "IAM-GEN-071")
def test_a_role_is_deleted_when_no_profile_holds_it(world: World) -> None:
    create(world)
    world.role("deploy", {"AWS": ACCOUNT})
    put = roles.PutRolePolicyCommand(role_name="deploy", policy_name="p", policy_document=DOCUMENT)
    for command in (roles.AttachRolePolicyCommand(role_name="deploy", policy_arn=READER), put, adding()):
        world.call(world.root, command)
    undo: list[tuple[str, Command[Any]]] = [
        ("detach all policies", roles.DetachRolePolicyCommand(role_name="deploy", policy_arn=READER)),
        ("delete policies", roles.DeleteRolePolicyCommand(role_name="deploy", policy_name="p")),
        ("remove roles from instance profile", removing()),
    ]
    delete = roles.DeleteRoleCommand(role_name="deploy")
    for what, undoing in undo:
        refused = world.refusal(world.root, delete, errors.DeleteConflictException)
        assert refused == f"Cannot delete entity, must {what} first."
        world.call(world.root, undoing)
    world.call(world.root, delete)


# Tags and permissions


@pytest.mark.facts("IAM-GEN-061", "IAM-GEN-062", "IAM-GEN-063", "IAM-GEN-064")
def test_tags_of_profiles_heed_case(world: World) -> None:
    def tags(**given: str) -> tuple[types.Tag, ...]:
        return tuple(types.Tag(key=key, value=value) for key, value in given.items())

    create(world, tags=tags(a="1"))
    tag = api.TagInstanceProfileCommand(instance_profile_name="web", tags=tags(A="2", b=""))
    world.call(world.root, tag)
    listing = api.ListInstanceProfileTagsCommand(instance_profile_name="web")
    assert world.call(world.root, listing).tags == tags(A="2", a="1", b="")
    first = world.call(world.root, api.ListInstanceProfileTagsCommand(instance_profile_name="web", max_items=1))
    rest = api.ListInstanceProfileTagsCommand(instance_profile_name="web", marker=first.marker)
    assert world.call(world.root, rest).tags == tags(a="1", b="")
    untag = api.UntagInstanceProfileCommand(instance_profile_name="web", tag_keys=("a", "B", "unknown"))
    world.call(world.root, untag)
    assert world.call(world.root, listing).tags == tags(A="2", b="")
    twice = api.TagInstanceProfileCommand(instance_profile_name="web", tags=(*tags(a="1"), *tags(a="2")))
    assert world.refusal(world.root, twice, errors.InvalidInputException) == "Duplicate tag keys found."
    many = tags(**{f"k{number}": "v" for number in range(49)})
    world.refusal(
        world.root, api.TagInstanceProfileCommand(instance_profile_name="web", tags=many), errors.LimitExceededException
    )


@pytest.mark.facts("POL-CK-012", "POL-CK-013")
def test_permissions_can_follow_the_tags_of_a_profile(world: World) -> None:
    condition = {"StringEquals": {"aws:RequestTag/team": "blue"}}
    maker = world.user("maker", document(Effect="Allow", Action="iam:Create*", Resource="*", Condition=condition))
    world.refusal(maker, api.CreateInstanceProfileCommand(instance_profile_name="red"), errors.AccessDenied)
    world.call(maker, api.CreateInstanceProfileCommand(instance_profile_name="web", tags=ONE_TAG))
    create(world, "red")
    condition = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
    alice = world.user("alice", document(Effect="Allow", Action="iam:Get*", Resource="*", Condition=condition))
    world.call(alice, api.GetInstanceProfileCommand(instance_profile_name="web"))
    world.refusal(alice, api.GetInstanceProfileCommand(instance_profile_name="red"), errors.AccessDenied)


def test_a_profile_is_asked_for_under_its_whole_arn(world: World) -> None:
    create(world, path="/a/")
    alice = world.user("alice", document(Effect="Allow", Action="iam:*", Resource=f"{PROFILE}/a/*"))
    world.call(alice, api.GetInstanceProfileCommand(instance_profile_name="web"))
    world.call(alice, api.CreateInstanceProfileCommand(instance_profile_name="new", path="/a/"))
    for command in (
        api.CreateInstanceProfileCommand(instance_profile_name="new", path="/b/"),
        api.GetInstanceProfileCommand(instance_profile_name="nothing"),
    ):
        world.refusal(alice, command, errors.AccessDenied)


@pytest.mark.facts("POL-TR-020", "POL-CK-027")
def test_who_puts_a_role_into_a_profile_must_be_allowed_to_pass_it(world: World) -> None:
    create(world)
    world.role("deploy", {"AWS": ACCOUNT}, path="/a/", tags=ONE_TAG)
    world.role("admin", {"AWS": ACCOUNT})
    add = {"Effect": "Allow", "Action": "iam:AddRoleToInstanceProfile", "Resource": f"{PROFILE}/web"}

    def passing(**condition: Any) -> dict[str, Any]:
        return {"Effect": "Allow", "Action": "iam:PassRole", "Resource": f"{ROLE}/a/*", "Condition": condition}

    for number, (passes, role) in enumerate(
        [
            ((), "deploy"),
            ((passing(),), "admin"),
            ((passing(),), "missing"),
            ((passing(StringEquals={"iam:PassedToService": "lambda.amazonaws.com"}),), "deploy"),
            ((passing(StringEquals={"iam:ResourceTag/team": "red"}),), "deploy"),
        ]
    ):
        who = world.user(f"u{number}", document(add, *passes))
        refused = world.refusal(who, adding(role), errors.AccessDenied)
        arn = f"{ROLE}/a/{role}" if role == "deploy" else f"{ROLE}/{role}"
        assert refused == (
            f"User: arn:aws:iam::{ACCOUNT}:user/u{number} is not authorized to perform: iam:PassRole on resource: "
            f"{arn} because no identity-based policy allows the iam:PassRole action"
        )
    assert get(world).roles == ()
    narrow = {"iam:PassedToService": "ec2.amazonaws.com", "iam:ResourceTag/team": "blue"}
    alice = world.user("alice", document(add, passing(StringEquals=narrow)))
    world.call(alice, adding())
    only = world.user("only", document(passing()))
    assert "iam:AddRoleToInstanceProfile" in world.refusal(only, adding(), errors.AccessDenied)


def test_a_role_of_the_same_name_that_is_made_anew_is_in_no_profile(world: World) -> None:
    create(world)
    world.role("deploy", {"AWS": ACCOUNT})
    world.call(world.root, adding())
    world.call(world.root, removing())
    world.call(world.root, roles.DeleteRoleCommand(role_name="deploy"))
    world.role("deploy", {"AWS": ACCOUNT})
    listing = api.ListInstanceProfilesForRoleCommand(role_name="deploy")
    assert world.call(world.root, listing).instance_profiles == ()
