"""Roles and their trust policies (iam_api.md §4, POL-PR-010, POL-PR-011)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import policies, roles, types, users
from locum.core.records import Role
from locum.store.records import Records

from ..conftest import ACCOUNT, OTHER, START, World, document

TRUST = document(Effect="Allow", Principal={"AWS": ACCOUNT}, Action="sts:AssumeRole")
DOCUMENT = json.dumps(document(Effect="Allow", Action="iam:GetRole", Resource="*"))
EVERYTHING = document(Effect="Allow", Action="*", Resource="*")
READER = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
MISSING = f"arn:aws:iam::{ACCOUNT}:policy/missing"


def create(world: World, name: str = "deploy", trust: Any = TRUST, **more: Any) -> types.Role:
    text = trust if isinstance(trust, str) else json.dumps(trust)
    command = roles.CreateRoleCommand(role_name=name, assume_role_policy_document=text, **more)
    return world.call(world.root, command).role


def get(world: World, name: str = "deploy") -> types.Role:
    return world.call(world.root, roles.GetRoleCommand(role_name=name)).role


def trusted(role: types.Role) -> Any:
    """The AWS principal of the only statement of a role's trust policy."""
    return json.loads(unquote(str(role.assume_role_policy_document)))["Statement"][0]["Principal"]["AWS"]


def trusting(principal: Any) -> str:
    return json.dumps(document(Effect="Allow", Principal={"AWS": principal}, Action="sts:AssumeRole"))


# Create, get, list, update


@pytest.mark.facts("IAM-ROL-001", "IAM-ROL-002", "IAM-ROL-003", "IAM-ROL-012")
def test_each_operation_shows_its_own_part_of_a_role(world: World) -> None:
    tag = types.Tag(key="team", value="blue")
    full: dict[str, Any] = {"path": "/ops/", "description": "what for", "max_session_duration": 7200, "tags": (tag,)}
    made = create(world, **full, permissions_boundary=READER)
    assert made.arn == f"arn:aws:iam::{ACCOUNT}:role/ops/deploy"
    assert made.role_id.startswith("AROA")
    assert made.create_date.timestamp() == START
    assert made.tags == (tag,)
    assert (made.description, made.max_session_duration, made.role_last_used) == (None, None, None)
    got = get(world)
    assert (got.description, got.max_session_duration, got.tags) == ("what for", 7200, (tag,))
    assert got.role_last_used == types.RoleLastUsed()
    assert got.permissions_boundary is not None
    assert got.permissions_boundary.permissions_boundary_arn == READER
    (listed,) = world.call(world.root, roles.ListRolesCommand()).roles
    assert (listed.description, listed.max_session_duration) == ("what for", 7200)
    assert (listed.tags, listed.role_last_used, listed.permissions_boundary) == (None, None, None)
    assert listed.assume_role_policy_document == got.assume_role_policy_document


@pytest.mark.facts("IAM-ROL-002")
def test_a_plain_role_has_an_hour_and_no_description_or_tags(world: World) -> None:
    made = create(world)
    assert made.tags is None
    got = get(world)
    assert (got.path, got.description, got.tags, got.max_session_duration) == ("/", None, None, 3600)
    body = world.send(world.request(roles.GetRoleCommand(role_name="deploy"), world.root)).body
    assert b"<RoleLastUsed/>" in body or b"<RoleLastUsed></RoleLastUsed>" in body
    assert b"Tags" not in body
    assert b"Description" not in body


@pytest.mark.facts("IAM-ROL-004", "IAM-GEN-012", "IAM-GEN-015")
def test_names_are_unique_whatever_case_and_path(world: World) -> None:
    create(world, "Deploy", path="/a/")
    command = roles.CreateRoleCommand(role_name="dEPLOY", path="/b/", assume_role_policy_document="not JSON")
    assert world.refusal(world.root, command, errors.EntityAlreadyExistsException) == (
        "Role with name dEPLOY already exists."
    )
    assert get(world, "deploy").role_name == "Deploy"


@pytest.mark.facts("IAM-ROL-004", "IAM-ROL-011", "IAM-ROL-009")
@pytest.mark.parametrize(
    "command",
    [
        roles.GetRoleCommand(role_name="nothing"),
        roles.UpdateRoleCommand(role_name="nothing"),
        roles.UpdateRoleDescriptionCommand(role_name="nothing", description=""),
        roles.UpdateAssumeRolePolicyCommand(role_name="nothing", policy_document="not JSON"),
        roles.DeleteRoleCommand(role_name="nothing"),
        roles.TagRoleCommand(role_name="nothing", tags=(types.Tag(key="k", value="v"),)),
        roles.UntagRoleCommand(role_name="nothing", tag_keys=("k",)),
        roles.ListRoleTagsCommand(role_name="nothing"),
        roles.PutRolePolicyCommand(role_name="nothing", policy_name="p", policy_document="not JSON"),
        roles.GetRolePolicyCommand(role_name="nothing", policy_name="p"),
        roles.DeleteRolePolicyCommand(role_name="nothing", policy_name="p"),
        roles.ListRolePoliciesCommand(role_name="nothing"),
        roles.AttachRolePolicyCommand(role_name="nothing", policy_arn=MISSING),
        roles.DetachRolePolicyCommand(role_name="nothing", policy_arn=MISSING),
        roles.ListAttachedRolePoliciesCommand(role_name="nothing"),
        roles.PutRolePermissionsBoundaryCommand(role_name="nothing", permissions_boundary="not the ARN of a policy"),
        roles.DeleteRolePermissionsBoundaryCommand(role_name="nothing"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_an_unknown_role_is_reported_before_anything_else(world: World, command: roles.GetRoleCommand) -> None:
    refused = world.refusal(world.root, command, errors.NoSuchEntityException)
    assert refused == "The role with name nothing cannot be found."


@pytest.mark.facts("IAM-ROL-005")
def test_what_an_update_leaves_out_stays(world: World) -> None:
    create(world, description="first", max_session_duration=7200)
    for command, expected in (
        (roles.UpdateRoleCommand(role_name="deploy"), ("first", 7200)),
        (roles.UpdateRoleCommand(role_name="deploy", max_session_duration=43200), ("first", 43200)),
        (roles.UpdateRoleCommand(role_name="deploy", description="second"), ("second", 43200)),
        (roles.UpdateRoleCommand(role_name="deploy", description=""), ("", 43200)),
    ):
        assert world.call(world.root, command) == roles.UpdateRoleResponse()
        role = get(world)
        assert (role.description, role.max_session_duration) == expected
    for seconds in (3599, 43201):
        command = roles.UpdateRoleCommand(role_name="deploy", max_session_duration=seconds)
        world.refusal(world.root, command, errors.ValidationError)


@pytest.mark.facts("IAM-ROL-002", "IAM-ROL-003", "IAM-ROL-005")
@pytest.mark.parametrize(
    "command",
    [
        roles.UpdateRoleCommand(role_name="plain", description=""),
        roles.UpdateRoleDescriptionCommand(role_name="plain", description=""),
        roles.CreateRoleCommand(role_name="new", assume_role_policy_document=json.dumps(TRUST), description=""),
    ],
    ids=lambda command: type(command).__name__,
)
def test_an_empty_description_is_one_and_tools_that_asked_for_it_find_it(world: World, command: Any) -> None:
    create(world, "plain")
    assert get(world, "plain").description is None
    world.call(world.root, command)
    assert get(world, command.role_name).description == ""
    listed = {role.role_name: role.description for role in world.call(world.root, roles.ListRolesCommand()).roles}
    assert listed[command.role_name] == ""


@pytest.mark.facts("IAM-ROL-006")
def test_the_old_way_to_describe_answers_the_role(world: World) -> None:
    create(world)
    command = roles.UpdateRoleDescriptionCommand(role_name="deploy", description="what for")
    role = world.call(world.root, command).role
    assert role is not None
    assert role.description == "what for"
    assert (role.max_session_duration, role.role_last_used) == (None, None)
    assert get(world).description == "what for"


@pytest.mark.facts("IAM-ROL-031")
@pytest.mark.parametrize("path", ["/aws-service-role/ec2.amazonaws.com/", "/aws-reserved/sso/"])
def test_paths_of_aws_are_reserved(world: World, path: str) -> None:
    command = roles.CreateRoleCommand(role_name="r", path=path, assume_role_policy_document=json.dumps(TRUST))
    world.refusal(world.root, command, errors.ValidationError)


@pytest.mark.facts("IAM-ROL-008")
def test_the_last_use_of_a_role_is_that_of_its_sessions(world: World) -> None:
    alice = world.user("alice", EVERYTHING)
    session = world.assume(alice, create(world).arn)
    assert get(world).role_last_used == types.RoleLastUsed()
    world.now += 60
    world.call(session, sts.GetCallerIdentityCommand())
    used = get(world).role_last_used
    assert used is not None
    assert used.last_used_date is not None
    assert (used.last_used_date.timestamp(), used.region) == (START + 60, "us-east-1")


@pytest.mark.facts("POL-LM-009")
def test_an_account_has_1000_roles(world: World) -> None:
    trust = json.dumps(TRUST)
    with world.store.transaction() as rows:
        records = Records(rows)
        for number in range(999):
            records.create(Role(account=ACCOUNT, id=f"AROA{number:017d}", name=f"r{number}", created=0, trust=trust))
    create(world, "last")
    over = roles.CreateRoleCommand(role_name="over", assume_role_policy_document=trust)
    refused = world.refusal(world.root, over, errors.LimitExceededException)
    assert refused == "Cannot exceed quota for RolesPerAccount: 1000"


# Trust policies


@pytest.mark.facts("POL-PR-010", "IAM-GEN-021", "IAM-ROL-007")
def test_users_and_roles_are_stored_by_id_and_shown_by_arn(world: World) -> None:
    alice = world.call(world.root, users.CreateUserCommand(user_name="alice", path="/ops/")).user
    assert alice is not None
    source = create(world, "source")
    text = trusting([alice.arn, source.arn]).replace(", ", " ,\n  ")
    made = create(world, "deploy", text)
    assert unquote(str(made.assume_role_policy_document)) == text
    with world.store.snapshot() as rows:
        stored = Records(rows).get(Role, ACCOUNT, "deploy")
        assert stored is not None
        assert stored.record.trust == text.replace(alice.arn, alice.user_id).replace(source.arn, source.role_id)
    assert trusted(get(world)) == [alice.arn, source.arn]
    update = roles.UpdateAssumeRolePolicyCommand(role_name="deploy", policy_document=trusting(alice.user_id))
    world.call(world.root, update)
    assert trusted(get(world)) == alice.arn


@pytest.mark.facts("POL-PR-004", "IAM-GEN-021")
def test_the_answer_to_create_role_is_what_was_sent_and_others_name_an_account_by_its_root(world: World) -> None:
    text = trusting([ACCOUNT, OTHER]).replace(", ", " ,\n  ")
    assert unquote(str(create(world, "deploy", text).assume_role_policy_document)) == text
    roots = [f"arn:aws:iam::{account}:root" for account in (ACCOUNT, OTHER)]
    assert trusted(get(world)) == roots
    (listed,) = world.call(world.root, roles.ListRolesCommand()).roles
    assert trusted(listed) == roots


@pytest.mark.facts("POL-PR-010")
def test_whoever_takes_an_old_name_is_not_trusted(world: World) -> None:
    allowed = document(Effect="Allow", Action="sts:*", Resource="*")
    first = world.user("alice", allowed)
    alice = world.call(world.root, users.GetUserCommand(user_name="alice")).user
    role = create(world, "deploy", trusting(alice.arn)).arn
    world.assume(first, role)
    world.call(world.root, users.UpdateUserCommand(user_name="alice", new_user_name="old"))
    again = world.user("alice", allowed)
    command = sts.AssumeRoleCommand(role_arn=role, role_session_name="s1")
    world.refusal(again, command, errors.AccessDenied)
    world.call(first, command)


@pytest.mark.facts("POL-PR-010")
def test_a_deleted_principal_is_shown_by_its_id(world: World) -> None:
    source = create(world, "source")
    create(world, "deploy", trusting(source.arn))
    world.call(world.root, roles.DeleteRoleCommand(role_name="source"))
    assert trusted(get(world)) == source.role_id
    create(world, "source")
    assert trusted(get(world)) == source.role_id


@pytest.mark.facts("POL-PR-010", "POL-SS-008")
def test_a_role_made_anew_is_not_trusted(world: World) -> None:
    alice = world.user("alice", EVERYTHING)
    source = create(world, "source").arn
    target = create(world, "target", trusting(source)).arn
    world.call(
        world.root,
        roles.PutRolePolicyCommand(role_name="source", policy_name="p", policy_document=json.dumps(EVERYTHING)),
    )
    old = world.assume(alice, source)
    world.assume(old, target)
    world.call(world.root, roles.DeleteRolePolicyCommand(role_name="source", policy_name="p"))
    world.call(world.root, roles.DeleteRoleCommand(role_name="source"))
    world.refusal(old, sts.GetCallerIdentityCommand(), errors.InvalidClientTokenId)
    world.role("source", {"AWS": ACCOUNT}, EVERYTHING)
    world.refusal(old, sts.GetCallerIdentityCommand(), errors.InvalidClientTokenId)
    command = sts.AssumeRoleCommand(role_arn=target, role_session_name="s1")
    world.refusal(world.assume(alice, source), command, errors.AccessDenied)


@pytest.mark.facts("POL-PR-011", "POL-VA-040", "IAM-ROL-014", "IAM-ROL-007")
@pytest.mark.parametrize(
    "principal",
    [
        f"arn:aws:iam::{ACCOUNT}:user/nobody",
        f"arn:aws:iam::{ACCOUNT}:role/nothing",
        f"arn:aws:iam::{ACCOUNT}:user/alice",
        f"arn:aws:iam::{ACCOUNT}:user/ops/Alice",
        f"arn:aws-cn:iam::{ACCOUNT}:user/ops/alice",
        f"arn:aws:iam::{OTHER}:user/ops/alice",
        f"arn:aws:iam::{ACCOUNT}:role/ops/alice",
        "AIDAAAAAAAAAAAAAAAAAA",
        f"arn:aws:iam::{ACCOUNT}:user/*",
        f"arn:aws:iam::{ACCOUNT}:group/admins",
        "nonsense",
    ],
)
def test_principals_must_exist_exactly_as_they_are_named(world: World, principal: str) -> None:
    world.call(world.root, users.CreateUserCommand(user_name="alice", path="/ops/"))
    create(world, "r")
    for command in (
        roles.CreateRoleCommand(role_name="deploy", assume_role_policy_document=trusting(principal)),
        roles.UpdateAssumeRolePolicyCommand(role_name="r", policy_document=trusting(principal)),
    ):
        refused = world.refusal(world.root, command, errors.MalformedPolicyDocumentException)
        assert refused == f'Invalid principal in policy: "AWS":"{principal}"'
    assert trusted(get(world, "r")) == f"arn:aws:iam::{ACCOUNT}:root"


@pytest.mark.facts("IAM-ROL-014", "POL-PR-011")
def test_unknown_accounts_and_arns_in_conditions_are_not_looked_up(world: World) -> None:
    unknown = f"arn:aws:iam::{OTHER}:role/nothing"
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": [OTHER, f"arn:aws:iam::{OTHER}:root"]},
        "Action": "sts:AssumeRole",
        "Condition": {"ArnEquals": {"aws:PrincipalArn": unknown}},
    }
    assert unknown in unquote(str(create(world, trust=document(statement)).assume_role_policy_document))


def test_principals_of_other_accounts_are_trusted_by_id_too(world: World) -> None:
    other = world.account(OTHER)
    bob = world.user("bob", EVERYTHING, root=other)
    arn = f"arn:aws:iam::{OTHER}:user/bob"
    role = create(world, trust=trusting(arn))
    assert trusted(role) == arn
    world.assume(bob, role.arn)


@pytest.mark.facts("POL-VA-060", "POL-LM-003")
def test_a_trust_policy_has_2048_characters_blanks_aside(world: World) -> None:
    def sized(size: int) -> str:
        statement = {"Sid": "", **TRUST["Statement"][0]}
        statement["Sid"] = "x" * (size - len(json.dumps(document(statement), separators=(",", ":"))))
        return json.dumps(document(statement), indent=4)

    create(world, trust=sized(2_048))
    for command in (
        roles.CreateRoleCommand(role_name="r", assume_role_policy_document=sized(2_049)),
        roles.UpdateAssumeRolePolicyCommand(role_name="deploy", policy_document=sized(2_049)),
    ):
        refused = world.refusal(world.root, command, errors.LimitExceededException)
        assert refused == "Cannot exceed quota for ACLSizePerRole: 2048"


# Policies and boundaries of roles


@pytest.mark.facts("IAM-ROL-009", "IAM-GEN-021")
def test_inline_policies_come_back_in_the_form_in_which_they_were_stored(world: World) -> None:
    create(world)
    text = '{"Version":"2012-10-17",  "Statement":{"Effect":"Allow","Action":"iam:GetRole","Resource":"*"}}'
    for document_ in (DOCUMENT, text):
        put = roles.PutRolePolicyCommand(role_name="deploy", policy_name="p", policy_document=document_)
        world.call(world.root, put)
    answer = world.call(world.root, roles.GetRolePolicyCommand(role_name="deploy", policy_name="p"))
    assert unquote(answer.policy_document) == text
    assert answer.policy_document.count("%20") == 2
    missing = roles.GetRolePolicyCommand(role_name="deploy", policy_name="q")
    refused = world.refusal(world.root, missing, errors.NoSuchEntityException)
    assert refused == "The role policy with name q cannot be found."


@pytest.mark.facts("IAM-ROL-013", "POL-VA-062", "POL-LM-002")
def test_inline_policies_of_a_role_have_10240_characters_together(world: World) -> None:
    create(world)

    def put(name: str, size: int) -> roles.PutRolePolicyCommand:
        statement = {"Sid": "", "Effect": "Allow", "Action": "iam:GetRole", "Resource": "*"}
        statement["Sid"] = "x" * (size - len(json.dumps(document(statement), separators=(",", ":"))))
        text = json.dumps(document(statement))
        return roles.PutRolePolicyCommand(role_name="deploy", policy_name=name, policy_document=text)

    world.call(world.root, put("a", 10_000))
    world.call(world.root, put("b", 240))
    refused = world.refusal(world.root, put("c", 100), errors.LimitExceededException)
    assert refused == "Maximum policy size of 10240 bytes exceeded for role deploy"


@pytest.mark.facts("IAM-ROL-010", "IAM-GEN-070", "IAM-GEN-071")
def test_a_role_is_deleted_when_its_policies_are_gone(world: World) -> None:
    create(world, permissions_boundary=READER)
    world.call(world.root, roles.PutRolePolicyCommand(role_name="deploy", policy_name="p", policy_document=DOCUMENT))
    world.call(world.root, roles.AttachRolePolicyCommand(role_name="deploy", policy_arn=READER))
    delete = roles.DeleteRoleCommand(role_name="deploy")
    for step, conflict in (
        (
            roles.DetachRolePolicyCommand(role_name="deploy", policy_arn=READER),
            "Cannot delete entity, must detach all policies first.",
        ),
        (
            roles.DeleteRolePolicyCommand(role_name="deploy", policy_name="p"),
            "Cannot delete entity, must delete policies first.",
        ),
    ):
        assert world.refusal(world.root, delete, errors.DeleteConflictException) == conflict
        world.call(world.root, step)
    world.call(world.root, delete)
    assert world.call(world.root, roles.ListRolesCommand()).roles == ()


@pytest.mark.facts("POL-VA-061", "POL-LM-005", "IAM-POL-010")
def test_ten_policies_can_be_attached(world: World) -> None:
    create(world)
    for number in range(10):
        name = f"p{number}"
        made = world.call(world.root, policies.CreatePolicyCommand(policy_name=name, policy_document=DOCUMENT)).policy
        assert made is not None
        world.call(world.root, roles.AttachRolePolicyCommand(role_name="deploy", policy_arn=str(made.arn)))
    attach = roles.AttachRolePolicyCommand(role_name="deploy", policy_arn=READER)
    refused = world.refusal(world.root, attach, errors.LimitExceededException)
    assert refused == "Cannot exceed quota for PoliciesPerRole: 10"
    missing = roles.AttachRolePolicyCommand(role_name="deploy", policy_arn=MISSING)
    assert world.refusal(world.root, missing, errors.NoSuchEntityException) == (
        f"Policy {MISSING} does not exist or is not attachable."
    )


@pytest.mark.facts("IAM-ROL-011")
@pytest.mark.parametrize("creating", [True, False])
def test_a_boundary_must_be_a_policy_in_reach(world: World, creating: bool) -> None:
    if not creating:
        create(world)

    def command(arn: str) -> roles.CreateRoleCommand | roles.PutRolePermissionsBoundaryCommand:
        if creating:
            return roles.CreateRoleCommand(
                role_name="deploy", assume_role_policy_document=json.dumps(TRUST), permissions_boundary=arn
            )
        return roles.PutRolePermissionsBoundaryCommand(role_name="deploy", permissions_boundary=arn)

    refused = world.refusal(world.root, command("no-arn-of-any-policy"), errors.InvalidInputException)
    assert refused == "ARN no-arn-of-any-policy is not valid."
    refused = world.refusal(world.root, command(MISSING), errors.NoSuchEntityException)
    assert refused == f"Scope ARN: {MISSING} does not exist or is not attachable."


def test_a_boundary_limits_running_sessions_at_once(world: World) -> None:
    session = world.assume(world.user("alice", EVERYTHING), world.role("deploy", {"AWS": ACCOUNT}, EVERYTHING))
    tag = roles.TagRoleCommand(role_name="deploy", tags=(types.Tag(key="k", value="v"),))
    world.call(session, tag)
    world.call(world.root, roles.PutRolePermissionsBoundaryCommand(role_name="deploy", permissions_boundary=READER))
    world.refusal(session, tag, errors.AccessDenied)
    world.call(session, roles.GetRoleCommand(role_name="deploy"))
    remove = roles.DeleteRolePermissionsBoundaryCommand(role_name="deploy")
    world.call(world.root, remove)
    world.call(session, tag)
    world.refusal(world.root, remove, errors.NoSuchEntityException)
