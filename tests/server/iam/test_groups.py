"""Groups, their members and their policies (iam_api.md §3.3)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from locum import errors
from locum.api.iam import groups, policies, roles, types, users
from locum.api.shapes import Command
from locum.core.records import Group, User
from locum.server.handlers import HANDLERS
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from ..conftest import ACCOUNT, OTHER, START, World, document

DOCUMENT = json.dumps(document(Effect="Allow", Action="iam:GetUser", Resource="*"))
READER = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
MISSING = f"arn:aws:iam::{ACCOUNT}:policy/missing"


def create(world: World, name: str = "staff", root: Credentials | None = None, **more: Any) -> types.Group:
    return world.call(root or world.root, groups.CreateGroupCommand(group_name=name, **more)).group


def join(world: World, user: str, group: str = "staff") -> None:
    world.call(world.root, groups.AddUserToGroupCommand(group_name=group, user_name=user))


def leave(world: World, user: str, group: str = "staff") -> None:
    world.call(world.root, groups.RemoveUserFromGroupCommand(group_name=group, user_name=user))


def user(world: World, *names: str, **more: Any) -> None:
    for name in names:
        world.call(world.root, users.CreateUserCommand(user_name=name, **more))


def members(world: World, group: str = "staff") -> list[str | None]:
    return [each.user_name for each in world.call(world.root, groups.GetGroupCommand(group_name=group)).users]


def groups_of(world: World, name: str) -> list[str]:
    found = world.call(world.root, groups.ListGroupsForUserCommand(user_name=name)).groups
    return [each.group_name for each in found]


def paged(world: World, command: Command[Any], member: str) -> list[Any]:
    """The entries of a list, read with a page for each."""
    found: list[Any] = []
    marker: str | None = None
    while True:
        page = world.call(world.root, msgspec.structs.replace(command, max_items=1, marker=marker))
        found += getattr(page, member)
        marker = page.marker
        if not page.is_truncated:
            return found
        assert len(getattr(page, member)) == 1


@pytest.mark.facts("IAM-CL-003", "IAM-CL-001")
def test_every_operation_is_answered() -> None:
    names = {"CreateGroup", "GetGroup", "UpdateGroup", "DeleteGroup", "ListGroups"}
    names |= {"AddUserToGroup", "RemoveUserFromGroup", "ListGroupsForUser"}
    names |= {f"{verb}GroupPolicy" for verb in ("Put", "Get", "Delete", "Attach", "Detach")}
    names |= {"ListGroupPolicies", "ListAttachedGroupPolicies"}
    assert {each.operation.name for each in HANDLERS if "Group" in each.operation.name} == names


# Create, get, list, update


@pytest.mark.facts("IAM-GRP-001", "IAM-GRP-007", "IAM-GEN-010")
def test_a_group_has_an_id_an_arn_and_no_more(world: World) -> None:
    made = create(world, "Staff", path="/a/b/")
    assert (made.path, made.group_name) == ("/a/b/", "Staff")
    assert made.arn == f"arn:aws:iam::{ACCOUNT}:group/a/b/Staff"
    assert made.group_id.startswith("AGPA")
    assert len(made.group_id) == 21
    assert made.create_date.timestamp() == START
    found = world.call(world.root, groups.GetGroupCommand(group_name="sTAFF"))
    assert (found.group, found.users, found.is_truncated) == (made, (), False)
    assert world.call(world.root, groups.ListGroupsCommand()).groups == (made,)
    assert create(world, "plain").path == "/"


@pytest.mark.facts("IAM-GRP-001", "IAM-GEN-012", "IAM-GEN-015")
def test_names_are_unique_whatever_case_and_path(world: World) -> None:
    create(world, "Staff", path="/a/")
    again = groups.CreateGroupCommand(group_name="sTAFF", path="/b/")
    assert world.refusal(world.root, again, errors.EntityAlreadyExistsException) == (
        "Group with name sTAFF already exists."
    )
    user(world, "Staff")
    create(world, "Staff", world.account(OTHER))


@pytest.mark.facts("IAM-GRP-001", "IAM-GRP-006")
@pytest.mark.parametrize(
    "command",
    [
        groups.GetGroupCommand(group_name="nothing"),
        groups.UpdateGroupCommand(group_name="nothing", new_group_name="staff"),
        groups.DeleteGroupCommand(group_name="nothing"),
        groups.AddUserToGroupCommand(group_name="nothing", user_name="alice"),
        groups.RemoveUserFromGroupCommand(group_name="nothing", user_name="alice"),
        groups.PutGroupPolicyCommand(group_name="nothing", policy_name="p", policy_document="not JSON"),
        groups.GetGroupPolicyCommand(group_name="nothing", policy_name="p"),
        groups.DeleteGroupPolicyCommand(group_name="nothing", policy_name="p"),
        groups.ListGroupPoliciesCommand(group_name="nothing"),
        groups.AttachGroupPolicyCommand(group_name="nothing", policy_arn=MISSING),
        groups.DetachGroupPolicyCommand(group_name="nothing", policy_arn=MISSING),
        groups.ListAttachedGroupPoliciesCommand(group_name="nothing"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_an_unknown_group_is_reported_before_anything_else(world: World, command: Command[Any]) -> None:
    user(world, "alice", "nothing")
    create(world)
    create(world, "nothing", world.account(OTHER))
    refused = world.refusal(world.root, command, errors.NoSuchEntityException)
    assert refused == "The group with name nothing cannot be found."


@pytest.mark.facts("IAM-GRP-004")
def test_a_renamed_group_keeps_id_members_and_policies(world: World) -> None:
    made = create(world)
    alice = world.user("alice")
    join(world, "alice")
    world.call(world.root, groups.AttachGroupPolicyCommand(group_name="staff", policy_arn=READER))
    answer = world.call(
        world.root, groups.UpdateGroupCommand(group_name="staff", new_group_name="Crew", new_path="/ship/")
    )
    assert answer == types.Nothing()
    found = world.call(world.root, groups.GetGroupCommand(group_name="crew"))
    assert found.group == msgspec.structs.replace(
        made, group_name="Crew", path="/ship/", arn=f"arn:aws:iam::{ACCOUNT}:group/ship/Crew"
    )
    assert [each.user_name for each in found.users] == ["alice"]
    assert groups_of(world, "alice") == ["Crew"]
    world.call(alice, users.ListUsersCommand())
    world.refusal(world.root, groups.GetGroupCommand(group_name="staff"), errors.NoSuchEntityException)
    create(world)


@pytest.mark.facts("IAM-GRP-004")
def test_a_new_name_must_be_free_but_may_be_written_otherwise(world: World) -> None:
    create(world)
    create(world, "crew")
    taken = groups.UpdateGroupCommand(group_name="staff", new_group_name="CREW")
    assert world.refusal(world.root, taken, errors.EntityAlreadyExistsException) == (
        "Group with name CREW already exists."
    )
    world.call(world.root, groups.UpdateGroupCommand(group_name="staff", new_group_name="STAFF"))
    assert world.call(world.root, groups.GetGroupCommand(group_name="staff")).group.group_name == "STAFF"


def test_moving_a_group_takes_permission_at_both_places(world: World) -> None:
    create(world, path="/a/")
    arn = f"arn:aws:iam::{ACCOUNT}:group"
    alice = world.user("alice", document(Effect="Allow", Action="iam:UpdateGroup", Resource=f"{arn}/a/*"))
    for command in (
        groups.UpdateGroupCommand(group_name="staff", new_path="/b/"),
        groups.UpdateGroupCommand(group_name="staff", new_path="/", new_group_name="crew"),
    ):
        world.refusal(alice, command, errors.AccessDenied)
    world.call(alice, groups.UpdateGroupCommand(group_name="staff", new_group_name="crew"))


@pytest.mark.facts("IAM-GEN-014", "IAM-GEN-053")
def test_groups_are_listed_by_name_below_a_path(world: World) -> None:
    for name, path in (("b", "/test/"), ("C", "/test-x/"), ("a", "/other/")):
        create(world, name, path=path)
    listing = groups.ListGroupsCommand()
    assert [each.group_name for each in world.call(world.root, listing).groups] == ["a", "b", "C"]
    assert [each.group_name for each in paged(world, listing, "groups")] == ["a", "b", "C"]
    below = groups.ListGroupsCommand(path_prefix="/test")
    assert [each.group_name for each in world.call(world.root, below).groups] == ["b", "C"]
    assert world.call(world.account(OTHER), listing).groups == ()


# Members


@pytest.mark.facts("IAM-GRP-002", "IAM-GRP-003")
def test_members_are_shown_by_name_like_in_a_list_of_users(world: World) -> None:
    create(world)
    create(world, "other")
    tag = types.Tag(key="team", value="blue")
    for name in ("carol", "Bob", "alice", "dave"):
        user(world, name, tags=(tag,), permissions_boundary=READER)
    for name in ("carol", "Bob", "alice", "carol"):
        join(world, name)
    join(world, "dave", "other")
    command = groups.GetGroupCommand(group_name="staff")
    listed = [each for each in world.call(world.root, users.ListUsersCommand()).users if each.user_name != "dave"]
    assert list(world.call(world.root, command).users) == listed
    assert [each.user_name for each in paged(world, command, "users")] == ["alice", "Bob", "carol"]
    first = world.call(world.root, groups.GetGroupCommand(group_name="staff", max_items=2))
    leave(world, "Bob")
    rest = world.call(world.root, groups.GetGroupCommand(group_name="staff", marker=first.marker))
    assert [each.user_name for each in rest.users] == ["carol"]


@pytest.mark.facts("IAM-GRP-003")
def test_what_is_already_so_is_no_mistake(world: World) -> None:
    create(world)
    user(world, "alice")
    leave(world, "alice")
    join(world, "alice")
    join(world, "ALICE", "STAFF")
    assert (members(world), groups_of(world, "alice")) == (["alice"], ["staff"])
    leave(world, "ALICE", "STAFF")
    leave(world, "alice")
    assert (members(world), groups_of(world, "alice")) == ([], [])


@pytest.mark.facts("IAM-GRP-003")
@pytest.mark.parametrize("command", [groups.AddUserToGroupCommand, groups.RemoveUserFromGroupCommand])
def test_an_unknown_user_is_reported_before_an_unknown_group(world: World, command: Any) -> None:
    create(world)
    world.user("nobody", root=world.account(OTHER))
    for group in ("staff", "nothing"):
        refused = world.refusal(world.root, command(group_name=group, user_name="nobody"), errors.NoSuchEntityException)
        assert refused == "The user with name nobody cannot be found."


def test_the_groups_of_a_user_are_listed_by_name(world: World) -> None:
    user(world, "alice", "bob")
    for name in ("b", "C", "a", "d"):
        create(world, name)
    for name in ("b", "C", "a"):
        join(world, "alice", name)
    join(world, "bob", "d")
    command = groups.ListGroupsForUserCommand(user_name="ALICE")
    assert groups_of(world, "alice") == ["a", "b", "C"]
    assert [each.group_name for each in paged(world, command, "groups")] == ["a", "b", "C"]
    unknown = groups.ListGroupsForUserCommand(user_name="nobody")
    assert world.refusal(world.root, unknown, errors.NoSuchEntityException) == (
        "The user with name nobody cannot be found."
    )


@pytest.mark.facts("IAM-USR-003", "IAM-GRP-002")
def test_a_renamed_user_stays_in_its_groups(world: World) -> None:
    create(world)
    user(world, "alice")
    join(world, "alice")
    world.call(world.root, users.UpdateUserCommand(user_name="alice", new_user_name="zoe"))
    assert (members(world), groups_of(world, "zoe")) == (["zoe"], ["staff"])
    user(world, "alice")
    assert groups_of(world, "alice") == []


@pytest.mark.facts("IAM-GRP-007", "POL-LM-009", "IAM-GEN-072")
def test_a_user_is_in_ten_groups(world: World) -> None:
    user(world, "alice")
    for number in range(11):
        create(world, f"g{number}")
    for number in range(10):
        join(world, "alice", f"g{number}")
    one_more = groups.AddUserToGroupCommand(group_name="g10", user_name="alice")
    assert world.refusal(world.root, one_more, errors.LimitExceededException) == (
        "Cannot exceed quota for GroupsPerUser: 10"
    )
    join(world, "alice", "g9")
    leave(world, "alice", "g0")
    join(world, "alice", "g10")


def test_who_is_in_a_group_is_decided_by_permissions_on_the_group(world: World) -> None:
    create(world)
    create(world, "admins")
    staff = f"arn:aws:iam::{ACCOUNT}:group/staff"
    alice = world.user("alice", document(Effect="Allow", Action="iam:*UserToGroup", Resource=staff))
    world.call(alice, groups.AddUserToGroupCommand(group_name="staff", user_name="alice"))
    for name in ("admins", "nothing"):
        command = groups.AddUserToGroupCommand(group_name=name, user_name="alice")
        refused = world.refusal(alice, command, errors.AccessDenied)
        assert f"on resource: arn:aws:iam::{ACCOUNT}:group/{name} because" in refused
    world.refusal(alice, groups.ListGroupsForUserCommand(user_name="alice"), errors.AccessDenied)


# Deleting


@pytest.mark.facts("IAM-GRP-005", "IAM-GEN-070", "IAM-GEN-071")
def test_a_group_is_deleted_when_nothing_hangs_on_it(world: World) -> None:
    create(world)
    user(world, "alice")
    join(world, "alice")
    world.call(world.root, groups.AttachGroupPolicyCommand(group_name="staff", policy_arn=READER))
    put = groups.PutGroupPolicyCommand(group_name="staff", policy_name="p", policy_document=DOCUMENT)
    world.call(world.root, put)
    delete = groups.DeleteGroupCommand(group_name="staff")
    undo: list[tuple[str, Command[Any]]] = [
        ("remove users from group", groups.RemoveUserFromGroupCommand(group_name="staff", user_name="alice")),
        ("detach all policies", groups.DetachGroupPolicyCommand(group_name="staff", policy_arn=READER)),
        ("delete policies", groups.DeleteGroupPolicyCommand(group_name="staff", policy_name="p")),
    ]
    for what, command in undo:
        refused = world.refusal(world.root, delete, errors.DeleteConflictException)
        assert refused == f"Cannot delete entity, must {what} first."
        world.call(world.root, command)
    world.call(world.root, delete)
    world.refusal(world.root, delete, errors.NoSuchEntityException)


@pytest.mark.facts("IAM-USR-004", "IAM-GEN-070")
def test_a_user_is_deleted_when_it_is_in_no_group(world: World) -> None:
    create(world)
    user(world, "alice")
    join(world, "alice")
    delete = users.DeleteUserCommand(user_name="alice")
    assert world.refusal(world.root, delete, errors.DeleteConflictException) == (
        "Cannot delete entity, must remove users from group first."
    )
    leave(world, "alice")
    world.call(world.root, delete)
    world.call(world.root, groups.DeleteGroupCommand(group_name="staff"))


# Policies


@pytest.mark.facts("IAM-GRP-006", "IAM-GEN-020", "IAM-GEN-021")
def test_an_inline_policy_comes_back_as_it_was_written(world: World) -> None:
    create(world, "Staff")
    for name, text in (("p", DOCUMENT), ("p", DOCUMENT.replace(" ", "  ")), ("a", DOCUMENT)):
        put = groups.PutGroupPolicyCommand(group_name="staff", policy_name=name, policy_document=text)
        assert world.call(world.root, put) == types.Nothing()
    get = groups.GetGroupPolicyCommand(group_name="staff", policy_name="p")
    found = world.call(world.root, get)
    assert (found.group_name, found.policy_name) == ("Staff", "p")
    assert types.decode_document(found.policy_document) == DOCUMENT.replace(" ", "  ")
    names = groups.ListGroupPoliciesCommand(group_name="staff")
    assert world.call(world.root, names).policy_names == ("a", "p")
    assert paged(world, names, "policy_names") == ["a", "p"]
    world.call(world.root, groups.DeleteGroupPolicyCommand(group_name="staff", policy_name="p"))
    for command in (get, groups.DeleteGroupPolicyCommand(group_name="staff", policy_name="p")):
        refused = world.refusal(world.root, command, errors.NoSuchEntityException)
        assert refused == "The group policy with name p cannot be found."


@pytest.mark.facts("POL-LM-002", "POL-VA-062", "POL-VA-005")
def test_inline_policies_of_a_group_have_5120_characters_together(world: World) -> None:
    create(world)

    def put(name: str, size: int) -> groups.PutGroupPolicyCommand:
        text = json.dumps(document(Effect="Allow", Action="iam:GetUser", Resource="*", Sid=""), separators=(",", ":"))
        text = text.replace('"Sid":""', f'"Sid":"{"x" * (size - len(text))}"')
        return groups.PutGroupPolicyCommand(group_name="staff", policy_name=name, policy_document=text)

    world.call(world.root, put("a", 2_560))
    world.call(world.root, put("b", 2_560))
    assert world.refusal(world.root, put("b", 2_561), errors.LimitExceededException) == (
        "Maximum policy size of 5120 bytes exceeded for group staff"
    )
    malformed = groups.PutGroupPolicyCommand(group_name="staff", policy_name="p", policy_document="{}")
    world.refusal(world.root, malformed, errors.MalformedPolicyDocumentException)


@pytest.mark.facts("POL-VA-061", "POL-LM-005", "IAM-POL-010")
def test_ten_managed_policies_are_attached_to_a_group(world: World) -> None:
    create(world)

    def attach(arn: str) -> groups.AttachGroupPolicyCommand:
        return groups.AttachGroupPolicyCommand(group_name="staff", policy_arn=arn)

    made = []
    for number in range(10):
        arn = f"arn:aws:iam::{ACCOUNT}:policy/x/p{number}"
        command = policies.CreatePolicyCommand(policy_name=f"p{number}", policy_document=DOCUMENT, path="/x/")
        world.call(world.root, command)
        made.append(arn)
    for arn in (*made[:9], READER, READER):
        world.call(world.root, attach(arn))
    assert world.refusal(world.root, attach(made[9]), errors.LimitExceededException) == (
        "Cannot exceed quota for PoliciesPerGroup: 10"
    )
    listing = groups.ListAttachedGroupPoliciesCommand(group_name="staff")
    assert [each.policy_arn for each in world.call(world.root, listing).attached_policies] == [READER, *made[:9]]
    below = msgspec.structs.replace(listing, path_prefix="/x/")
    assert [each.policy_arn for each in paged(world, below, "attached_policies")] == made[:9]
    assert world.refusal(world.root, attach(MISSING), errors.NoSuchEntityException) == (
        f"Policy {MISSING} does not exist or is not attachable."
    )
    detach = groups.DetachGroupPolicyCommand(group_name="staff", policy_arn=READER)
    world.call(world.root, detach)
    assert world.refusal(world.root, detach, errors.NoSuchEntityException) == f"Policy {READER} was not found."


@pytest.mark.facts("POL-CK-027")
def test_which_policy_is_attached_can_be_limited(world: World) -> None:
    create(world)
    condition = {"ArnEquals": {"iam:PolicyARN": READER}}
    alice = world.user("alice", document(Effect="Allow", Action="iam:*GroupPolicy", Resource="*", Condition=condition))
    for make in (groups.AttachGroupPolicyCommand, groups.DetachGroupPolicyCommand):
        world.refusal(alice, make(group_name="staff", policy_arn=ADMINISTRATOR), errors.AccessDenied)
        world.call(alice, make(group_name="staff", policy_arn=READER))


@pytest.mark.facts("IAM-POL-012", "IAM-POL-013", "IAM-POL-009")
def test_a_managed_policy_knows_its_groups(world: World) -> None:
    world.call(world.root, policies.CreatePolicyCommand(policy_name="own", policy_document=DOCUMENT))
    own = f"arn:aws:iam::{ACCOUNT}:policy/own"
    staff = create(world, path="/a/")
    crew = create(world, "crew")
    user(world, "alice")
    world.role("deploy", {"AWS": ACCOUNT})
    for name in ("staff", "crew"):
        world.call(world.root, groups.AttachGroupPolicyCommand(group_name=name, policy_arn=own))
    world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=own))
    world.call(world.root, roles.AttachRolePolicyCommand(role_name="deploy", policy_arn=own))
    policy = world.call(world.root, policies.GetPolicyCommand(policy_arn=own)).policy
    assert policy is not None
    assert policy.attachment_count == 4

    def found(**filters: Any) -> tuple[list[str | None], int]:
        command = policies.ListEntitiesForPolicyCommand(policy_arn=own, **filters)
        page = world.call(world.root, command)
        others = len(page.policy_users) + len(page.policy_roles)
        assert {each.group_id for each in page.policy_groups} <= {staff.group_id, crew.group_id}
        return [each.group_name for each in page.policy_groups], others

    assert found() == (["crew", "staff"], 2)
    assert found(entity_filter="Group") == (["crew", "staff"], 0)
    assert found(entity_filter="Role") == ([], 1)
    assert found(entity_filter="LocalManagedPolicy") == ([], 0)
    assert found(path_prefix="/a/") == (["staff"], 0)
    assert found(policy_usage_filter="PermissionsBoundary") == ([], 0)
    assert found(max_items=1) == (["crew"], 0)
    for entity in ("alice", "deploy"):
        kind = "user" if entity == "alice" else "role"
        make = users.DetachUserPolicyCommand if kind == "user" else roles.DetachRolePolicyCommand
        world.call(world.root, make(**{f"{kind}_name": entity, "policy_arn": own}))
    delete = policies.DeletePolicyCommand(policy_arn=own)
    for name in ("staff", "crew"):
        assert world.refusal(world.root, delete, errors.DeleteConflictException) == (
            "Cannot delete a policy attached to entities."
        )
        world.call(world.root, groups.DetachGroupPolicyCommand(group_name=name, policy_arn=own))
    world.call(world.root, delete)


@pytest.mark.facts("POL-LM-009")
def test_an_account_has_300_groups(world: World) -> None:
    with world.store.transaction() as rows:
        records = Records(rows)
        for number in range(299):
            records.create(Group(account=ACCOUNT, id=f"AGPA{number:017d}", name=f"g{number}", created=0))
    create(world, "last")
    refused = world.refusal(world.root, groups.CreateGroupCommand(group_name="over"), errors.LimitExceededException)
    assert refused == "Cannot exceed quota for GroupsPerAccount: 300"
    create(world, "over", world.account(OTHER))


def test_a_page_of_members_and_the_groups_of_one_read_no_other_user(world: World, monkeypatch: Any) -> None:
    """What 2,000 users in one group cost: a page of GetGroup reads its own, ListGroupsForUser only the user."""
    group = create(world).group_id
    with world.store.transaction() as rows:
        records = Records(rows)
        for number in range(2_000):
            name = f"u{number:04d}"
            records.create(User(account=ACCOUNT, id=f"AIDA{number:017d}", name=name, created=0, groups=(group,)))
    read = 0
    whole = Records.read

    def counted(self: Records, key: Any) -> Any:
        nonlocal read
        read += 1
        return whole(self, key)

    monkeypatch.setattr(Records, "read", counted)
    first = world.call(world.root, groups.GetGroupCommand(group_name="staff", max_items=1_000))
    assert [each.user_name for each in first.users] == [f"u{number:04d}" for number in range(1_000)]
    assert read <= 1_001
    last = world.call(world.root, groups.GetGroupCommand(group_name="staff", max_items=1_000, marker=first.marker))
    assert [each.user_name for each in last.users] == [f"u{number:04d}" for number in range(1_000, 2_000)]
    assert last.is_truncated is False
    read = 0
    assert groups_of(world, "u1999") == ["staff"]
    assert read == 0
