"""Users: what the operations answer, refuse and keep (iam_api.md §3.1)."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import access_keys, policies, roles, types, users
from locum.core.records import User
from locum.store.records import Records

from ..conftest import ACCOUNT, START, World, document

DOCUMENT = json.dumps(document(Effect="Allow", Action="iam:GetUser", Resource="*"))
DENYING = DOCUMENT.replace("Allow", "Deny")
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
READER = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
MISSING = f"arn:aws:iam::{ACCOUNT}:policy/missing"


def get(world: World, name: str) -> types.User:
    return world.call(world.root, users.GetUserCommand(user_name=name)).user


def create(world: World, name: str, **more: object) -> types.User:
    made = world.call(world.root, users.CreateUserCommand(user_name=name, **more)).user  # type: ignore[arg-type]
    assert made is not None
    return made


# Create, get, list


@pytest.mark.facts("IAM-USR-001", "IAM-GEN-010", "IAM-GEN-006", "IAM-GEN-013")
def test_a_new_user_is_shown_with_what_was_given_and_nothing_else(world: World) -> None:
    plain = create(world, "alice")
    assert plain.arn == f"arn:aws:iam::{ACCOUNT}:user/alice"
    assert (plain.path, plain.user_name) == ("/", "alice")
    assert plain.user_id.startswith("AIDA")
    assert len(plain.user_id) == 21
    assert plain.create_date.timestamp() == START
    assert (plain.tags, plain.permissions_boundary, plain.password_last_used) == (None, None, None)
    tag = types.Tag(key="team", value="blue")
    full = create(world, "bob", path="/ops/", permissions_boundary=READER, tags=(tag,))
    assert full.arn == f"arn:aws:iam::{ACCOUNT}:user/ops/bob"
    assert full.tags == (tag,)
    assert full.permissions_boundary == types.AttachedPermissionsBoundary(
        permissions_boundary_type="Policy", permissions_boundary_arn=READER
    )


@pytest.mark.facts("IAM-USR-001", "IAM-GEN-053")
def test_get_shows_tags_and_boundary_and_lists_do_not(world: World) -> None:
    tag = types.Tag(key="team", value="blue")
    made = create(world, "bob", permissions_boundary=READER, tags=(tag,))
    create(world, "alice")
    assert get(world, "bob") == made
    assert get(world, "alice").tags is None
    listed = world.call(world.root, users.ListUsersCommand()).users
    assert [each.user_name for each in listed] == ["alice", "bob"]
    assert (listed[1].tags, listed[1].permissions_boundary) == (None, None)
    assert listed[1].user_id == made.user_id


@pytest.mark.facts("IAM-USR-002", "IAM-GEN-012", "IAM-GEN-015", "POL-LM-010")
def test_names_are_unique_whatever_case_and_path_and_keep_their_case(world: World) -> None:
    create(world, "Alice", path="/a/")
    refused = world.refusal(
        world.root, users.CreateUserCommand(user_name="aLICE", path="/b/"), errors.EntityAlreadyExistsException
    )
    assert refused == "User with name aLICE already exists."
    assert get(world, "ALICE").user_name == "Alice"
    # A role is of another kind.
    world.role("alice", {"AWS": ACCOUNT})


@pytest.mark.facts("IAM-USR-002")
@pytest.mark.parametrize(
    "command",
    [
        users.GetUserCommand(user_name="nobody"),
        users.UpdateUserCommand(user_name="nobody", new_path="/x/"),
        users.DeleteUserCommand(user_name="nobody"),
        users.TagUserCommand(user_name="nobody", tags=(types.Tag(key="k", value="v"),)),
        users.UntagUserCommand(user_name="nobody", tag_keys=("k",)),
        users.ListUserTagsCommand(user_name="nobody"),
        users.PutUserPolicyCommand(user_name="nobody", policy_name="p", policy_document="not even JSON"),
        users.GetUserPolicyCommand(user_name="nobody", policy_name="p"),
        users.DeleteUserPolicyCommand(user_name="nobody", policy_name="p"),
        users.ListUserPoliciesCommand(user_name="nobody"),
        users.AttachUserPolicyCommand(user_name="nobody", policy_arn=MISSING),
        users.DetachUserPolicyCommand(user_name="nobody", policy_arn=MISSING),
        users.ListAttachedUserPoliciesCommand(user_name="nobody"),
        users.PutUserPermissionsBoundaryCommand(user_name="nobody", permissions_boundary=MISSING),
        users.DeleteUserPermissionsBoundaryCommand(user_name="nobody"),
        access_keys.CreateAccessKeyCommand(user_name="nobody"),
        access_keys.ListAccessKeysCommand(user_name="nobody"),
        access_keys.DeleteAccessKeyCommand(user_name="nobody", access_key_id="A" * 20),
    ],
    ids=lambda command: type(command).__name__,
)
def test_an_unknown_user_is_reported_before_anything_else(world: World, command: users.GetUserCommand) -> None:
    refused = world.refusal(world.root, command, errors.NoSuchEntityException)
    assert refused == "The user with name nobody cannot be found."


@pytest.mark.facts("IAM-GEN-011")
def test_a_user_made_anew_has_another_id(world: World) -> None:
    first = create(world, "alice").user_id
    world.call(world.root, users.DeleteUserCommand(user_name="alice"))
    assert create(world, "alice").user_id != first


@pytest.mark.facts("IAM-GEN-013", "IAM-GEN-014")
def test_paths_may_hold_empty_segments_and_prefixes_are_plain_texts(world: World) -> None:
    create(world, "one", path="/a//b/")
    create(world, "two", path="/test-x/")
    create(world, "three")

    def found(prefix: str) -> list[str | None]:
        command = users.ListUsersCommand(path_prefix=prefix)
        return [each.user_name for each in world.call(world.root, command).users]

    assert found("/a//") == ["one"]
    assert found("/test") == ["two"]
    assert found("/") == ["one", "three", "two"]
    assert found("/A") == []


# Root and the caller itself


@pytest.mark.facts("IAM-GEN-073", "IAM-USR-009")
def test_without_a_name_the_caller_is_meant(world: World) -> None:
    alice = world.user("alice", document(Effect="Allow", Action="iam:GetUser", Resource="*"))
    assert world.call(alice, users.GetUserCommand()).user.user_name == "alice"
    root = world.call(world.root, users.GetUserCommand()).user
    assert root.arn == f"arn:aws:iam::{ACCOUNT}:root"
    assert root.user_id == ACCOUNT


@pytest.mark.facts("IAM-GEN-044")
def test_a_role_session_must_name_the_user(world: World) -> None:
    everything = document(Effect="Allow", Action="*", Resource="*")
    session = world.assume(world.user("alice", everything), world.role("r", {"AWS": ACCOUNT}, everything))
    refused = world.refusal(session, users.GetUserCommand(), errors.ValidationError)
    assert refused == "Must specify userName when calling with non-User credentials"
    assert world.call(session, users.GetUserCommand(user_name="alice")).user.user_name == "alice"


# Update


@pytest.mark.facts("IAM-USR-003", "POL-PR-010")
def test_a_renamed_user_keeps_everything_but_its_arn(world: World) -> None:
    alice = world.user("alice", document(Effect="Allow", Action="*", Resource="*"))
    before = get(world, "alice")
    world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=READER))
    role = world.role("deploy", {"AWS": before.arn})
    world.call(world.root, users.UpdateUserCommand(user_name="alice", new_user_name="carol", new_path="/x/"))
    after = get(world, "carol")
    assert after.user_id == before.user_id
    assert after.create_date == before.create_date
    assert world.call(alice, sts.GetCallerIdentityCommand()).arn == f"arn:aws:iam::{ACCOUNT}:user/x/carol"
    world.refusal(world.root, users.GetUserCommand(user_name="alice"), errors.NoSuchEntityException)
    assert world.call(world.root, users.ListUserPoliciesCommand(user_name="carol")).policy_names == ("p",)
    keys = world.call(world.root, access_keys.ListAccessKeysCommand(user_name="carol")).access_key_metadata
    assert [each.access_key_id for each in keys] == [alice.access_key_id]
    world.assume(alice, role)
    trust = world.call(world.root, roles.GetRoleCommand(role_name="deploy")).role.assume_role_policy_document
    assert json.loads(unquote(str(trust)))["Statement"][0]["Principal"]["AWS"] == after.arn
    assert world.call(world.root, policies.GetPolicyCommand(policy_arn=READER)).policy.attachment_count == 1  # type: ignore[union-attr]


@pytest.mark.facts("IAM-USR-003")
def test_a_user_cannot_take_the_name_of_another_and_can_change_the_case_of_its_own(world: World) -> None:
    create(world, "alice")
    create(world, "Bob")
    command = users.UpdateUserCommand(user_name="alice", new_user_name="bob")
    assert world.refusal(world.root, command, errors.EntityAlreadyExistsException) == (
        "User with name bob already exists."
    )
    world.call(world.root, users.UpdateUserCommand(user_name="alice", new_user_name="ALICE"))
    assert get(world, "alice").user_name == "ALICE"
    world.call(world.root, users.UpdateUserCommand(user_name="alice"))
    assert [each.user_name for each in world.call(world.root, users.ListUsersCommand()).users] == ["ALICE", "Bob"]


def test_moving_a_user_needs_permission_for_both_places(world: World) -> None:
    create(world, "bob", path="/dev/")
    resource = f"arn:aws:iam::{ACCOUNT}:user/dev/*"
    admin = world.user("admin", document(Effect="Allow", Action="iam:UpdateUser", Resource=resource))
    world.call(admin, users.UpdateUserCommand(user_name="bob", new_user_name="rob"))
    command = users.UpdateUserCommand(user_name="rob", new_path="/prod/")
    assert f"arn:aws:iam::{ACCOUNT}:user/prod/rob" in world.refusal(admin, command, errors.AccessDenied)
    assert get(world, "rob").path == "/dev/"


# Delete


@pytest.mark.facts("IAM-USR-004", "IAM-GEN-070", "IAM-GEN-071")
def test_a_user_is_deleted_when_keys_and_policies_are_gone(world: World) -> None:
    key = world.user("alice").access_key_id
    world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=READER))
    world.call(world.root, users.PutUserPolicyCommand(user_name="alice", policy_name="p", policy_document=DOCUMENT))
    world.call(world.root, users.PutUserPermissionsBoundaryCommand(user_name="alice", permissions_boundary=READER))
    delete = users.DeleteUserCommand(user_name="alice")
    for step, conflict in (
        (
            access_keys.DeleteAccessKeyCommand(user_name="alice", access_key_id=key),
            "Cannot delete entity, must delete access keys first.",
        ),
        (
            users.DetachUserPolicyCommand(user_name="alice", policy_arn=READER),
            "Cannot delete entity, must detach all policies first.",
        ),
        (
            users.DeleteUserPolicyCommand(user_name="alice", policy_name="p"),
            "Cannot delete entity, must delete policies first.",
        ),
    ):
        assert world.refusal(world.root, delete, errors.DeleteConflictException) == conflict
        world.call(world.root, step)
    world.call(world.root, delete)
    world.refusal(world.root, users.GetUserCommand(user_name="alice"), errors.NoSuchEntityException)


@pytest.mark.facts("POL-SS-008", "POL-SS-009")
def test_the_sessions_of_a_user_outlive_its_key_and_end_with_it(world: World) -> None:
    alice = world.user("alice")
    token = world.call(alice, sts.GetSessionTokenCommand()).credentials
    assert token is not None
    session = type(alice)(token.access_key_id, token.secret_access_key, token.session_token)
    world.call(session, sts.GetCallerIdentityCommand())
    key = access_keys.DeleteAccessKeyCommand(user_name="alice", access_key_id=alice.access_key_id)
    world.call(world.root, key)
    world.call(session, sts.GetCallerIdentityCommand())
    world.call(world.root, users.DeleteUserCommand(user_name="alice"))
    world.call(world.root, users.CreateUserCommand(user_name="alice"))
    world.refusal(session, sts.GetCallerIdentityCommand(), errors.InvalidClientTokenId)
    world.refusal(alice, sts.GetCallerIdentityCommand(), errors.InvalidClientTokenId)


# Inline policies


@pytest.mark.facts("IAM-USR-005", "IAM-USR-007", "IAM-GEN-021")
def test_inline_policies_are_replaced_and_given_back_as_they_were_written(world: World) -> None:
    create(world, "alice")
    spaced = DOCUMENT.replace(", ", " ,\n\t")
    for text in (DOCUMENT, spaced):
        world.call(world.root, users.PutUserPolicyCommand(user_name="alice", policy_name="p", policy_document=text))
    world.call(world.root, users.PutUserPolicyCommand(user_name="alice", policy_name="a", policy_document=DOCUMENT))
    answer = world.call(world.root, users.GetUserPolicyCommand(user_name="alice", policy_name="p"))
    assert (answer.user_name, answer.policy_name, unquote(answer.policy_document)) == ("alice", "p", spaced)
    assert world.call(world.root, users.ListUserPoliciesCommand(user_name="alice")).policy_names == ("a", "p")
    world.call(world.root, users.DeleteUserPolicyCommand(user_name="alice", policy_name="p"))
    for command in (
        users.GetUserPolicyCommand(user_name="alice", policy_name="p"),
        users.DeleteUserPolicyCommand(user_name="alice", policy_name="p"),
    ):
        refused = world.refusal(world.root, command, errors.NoSuchEntityException)
        assert refused == "The user policy with name p cannot be found."


@pytest.mark.facts("IAM-USR-005")
def test_an_inline_policy_is_the_same_whatever_the_case_of_its_name(world: World) -> None:
    create(world, "alice")
    for name, text in (("MixedName", DOCUMENT), ("MIXEDNAME", DENYING)):
        world.call(world.root, users.PutUserPolicyCommand(user_name="alice", policy_name=name, policy_document=text))
    assert world.call(world.root, users.ListUserPoliciesCommand(user_name="alice")).policy_names == ("MixedName",)
    answer = world.call(world.root, users.GetUserPolicyCommand(user_name="alice", policy_name="MIXEDNAME"))
    assert (answer.policy_name, unquote(answer.policy_document)) == ("MIXEDNAME", DENYING)
    world.call(world.root, users.DeleteUserPolicyCommand(user_name="alice", policy_name="mixedname"))
    assert world.call(world.root, users.ListUserPoliciesCommand(user_name="alice")).policy_names == ()


@pytest.mark.facts("POL-LM-002", "POL-VA-062")
def test_inline_policies_of_a_user_have_2048_characters_together_blanks_aside(world: World) -> None:
    create(world, "alice")
    base = document(Sid="", Effect="Allow", Action="iam:GetUser", Resource="*")

    def sized(size: int) -> str:
        base["Statement"][0]["Sid"] = ""
        base["Statement"][0]["Sid"] = "x" * (size - len(json.dumps(base, separators=(",", ":"))))
        return json.dumps(base, indent=8)

    put = users.PutUserPolicyCommand(user_name="alice", policy_name="a", policy_document=sized(1_000))
    world.call(world.root, put)
    world.call(world.root, users.PutUserPolicyCommand(user_name="alice", policy_name="b", policy_document=sized(1_048)))
    too_long = users.PutUserPolicyCommand(user_name="alice", policy_name="b", policy_document=sized(1_049))
    refused = world.refusal(world.root, too_long, errors.LimitExceededException)
    assert refused == "Maximum policy size of 2048 bytes exceeded for user alice"


# Attached policies and boundaries


@pytest.mark.facts("IAM-USR-006", "IAM-USR-007", "IAM-GEN-044", "POL-VA-061", "POL-LM-005", "POL-LM-007")
def test_ten_policies_can_be_attached_once_each(world: World) -> None:
    create(world, "alice", permissions_boundary=READER)

    def attach(arn: str) -> users.AttachUserPolicyCommand:
        return users.AttachUserPolicyCommand(user_name="alice", policy_arn=arn)

    made = [
        world.call(
            world.root, policies.CreatePolicyCommand(policy_name=f"p{n}", path="/x/", policy_document=DOCUMENT)
        ).policy
        for n in range(9)
    ]
    arns = [str(each.arn) for each in made if each is not None] + [ADMINISTRATOR]
    for arn in (*arns, *arns):
        world.call(world.root, attach(arn))
    refused = world.refusal(world.root, attach(READER), errors.LimitExceededException)
    assert refused == "Cannot exceed quota for PoliciesPerUser: 10"
    listed = world.call(world.root, users.ListAttachedUserPoliciesCommand(user_name="alice")).attached_policies
    assert listed[:2] == (
        types.AttachedPolicy(policy_name="AdministratorAccess", policy_arn=ADMINISTRATOR),
        types.AttachedPolicy(policy_name="p0", policy_arn=arns[0]),
    )
    assert len(listed) == 10
    below = users.ListAttachedUserPoliciesCommand(user_name="alice", path_prefix="/x/")
    assert len(world.call(world.root, below).attached_policies) == 9
    assert world.refusal(world.root, attach(MISSING), errors.NoSuchEntityException) == (
        f"Policy {MISSING} does not exist or is not attachable."
    )
    for malformed in ("arn:aws:iam::aws-policy-x", "x" * 20, f"arn:aws:iam::{ACCOUNT}:role/deploy"):
        refused = world.refusal(world.root, attach(malformed), errors.ValidationError)
        assert refused == f"ARN {malformed} is not valid."


@pytest.mark.facts("IAM-USR-006", "IAM-POL-010")
def test_what_is_not_attached_cannot_be_detached(world: World) -> None:
    create(world, "alice")
    world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=READER))
    detach = users.DetachUserPolicyCommand(user_name="alice", policy_arn=READER)
    world.call(world.root, detach)
    assert world.refusal(world.root, detach, errors.NoSuchEntityException) == f"Policy {READER} was not found."
    malformed = users.DetachUserPolicyCommand(user_name="alice", policy_arn="x" * 20)
    assert world.refusal(world.root, malformed, errors.ValidationError) == f"ARN {'x' * 20} is not valid."


def test_policies_of_one_name_from_two_owners_are_both_listed_page_by_page(world: World) -> None:
    create(world, "alice")
    own = world.call(
        world.root, policies.CreatePolicyCommand(policy_name="IAMReadOnlyAccess", policy_document=DOCUMENT)
    ).policy
    assert own is not None
    for arn in (READER, str(own.arn)):
        world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=arn))
    first = world.call(world.root, users.ListAttachedUserPoliciesCommand(user_name="alice", max_items=1))
    rest = world.call(world.root, users.ListAttachedUserPoliciesCommand(user_name="alice", marker=first.marker))
    assert {each.policy_arn for each in (*first.attached_policies, *rest.attached_policies)} == {READER, own.arn}


@pytest.mark.facts("IAM-USR-008")
def test_a_boundary_is_set_shown_and_removed(world: World) -> None:
    create(world, "alice")
    for arn in (READER, ADMINISTRATOR):
        world.call(world.root, users.PutUserPermissionsBoundaryCommand(user_name="alice", permissions_boundary=arn))
    boundary = get(world, "alice").permissions_boundary
    assert boundary is not None
    assert (boundary.permissions_boundary_type, boundary.permissions_boundary_arn) == ("Policy", ADMINISTRATOR)
    remove = users.DeleteUserPermissionsBoundaryCommand(user_name="alice")
    world.call(world.root, remove)
    assert get(world, "alice").permissions_boundary is None
    world.refusal(world.root, remove, errors.NoSuchEntityException)


@pytest.mark.facts("IAM-USR-008")
@pytest.mark.parametrize("creating", [True, False])
def test_a_boundary_must_be_a_policy_in_reach(world: World, creating: bool) -> None:
    if not creating:
        create(world, "alice")

    def command(arn: str) -> users.CreateUserCommand | users.PutUserPermissionsBoundaryCommand:
        if creating:
            return users.CreateUserCommand(user_name="alice", permissions_boundary=arn)
        return users.PutUserPermissionsBoundaryCommand(user_name="alice", permissions_boundary=arn)

    malformed = "no-arn-of-any-policy"
    assert world.refusal(world.root, command(malformed), errors.InvalidInputException) == (
        f"ARN {malformed} is not valid."
    )
    assert world.refusal(world.root, command(MISSING), errors.NoSuchEntityException) == (
        f"Scope ARN: {MISSING} does not exist or is not attachable."
    )


@pytest.mark.facts("POL-LM-009")
def test_an_account_has_5000_users(world: World) -> None:
    with world.store.transaction() as rows:
        records = Records(rows)
        for number in range(4_999):
            records.create(User(account=ACCOUNT, id=f"AIDA{number:017d}", name=f"u{number}", created=0))
    create(world, "last")
    refused = world.refusal(world.root, users.CreateUserCommand(user_name="over"), errors.LimitExceededException)
    assert refused == "Cannot exceed quota for UsersPerAccount: 5000"
    world.call(world.account("444455556666"), users.CreateUserCommand(user_name="over"))
