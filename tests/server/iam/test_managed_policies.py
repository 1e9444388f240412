"""Managed policies: versions, attachments, listings, and AWS's own (iam_api.md §5, policy.md §17)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import policies, roles, types, users
from locum.core.records import ManagedPolicy, PolicyVersion
from locum.store.records import Records

from ..conftest import ACCOUNT, OTHER, START, World, document

DOCUMENT = json.dumps(document(Effect="Allow", Action="iam:GetUser", Resource="*"))
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
MISSING = f"arn:aws:iam::{ACCOUNT}:policy/missing"
THEIRS = f"arn:aws:iam::{OTHER}:policy/theirs"


def create(world: World, name: str = "p", text: str = DOCUMENT, **more: Any) -> types.Policy:
    command = policies.CreatePolicyCommand(policy_name=name, policy_document=text, **more)
    made = world.call(world.root, command).policy
    assert made is not None
    return made


def arn(name: str = "p") -> str:
    return f"arn:aws:iam::{ACCOUNT}:policy/{name}"


def get(world: World, of: str) -> types.Policy:
    found = world.call(world.root, policies.GetPolicyCommand(policy_arn=of)).policy
    assert found is not None
    return found


def add_version(world: World, *, default: bool | None = None, text: str = DOCUMENT) -> types.PolicyVersion:
    command = policies.CreatePolicyVersionCommand(policy_arn=arn(), policy_document=text, set_as_default=default)
    made = world.call(world.root, command).policy_version
    assert made is not None
    return made


def versions(world: World) -> list[str | None]:
    listed = world.call(world.root, policies.ListPolicyVersionsCommand(policy_arn=arn())).versions
    return [each.version_id for each in listed]


def listed(world: World, **filters: Any) -> list[str | None]:
    command = policies.ListPoliciesCommand(**filters)
    return [each.policy_name for each in world.call(world.root, command).policies]


# Create, get, delete


@pytest.mark.facts("IAM-POL-001", "IAM-POL-002", "IAM-GEN-010")
def test_each_operation_shows_its_own_part_of_a_policy(world: World) -> None:
    tag = types.Tag(key="team", value="blue")
    made = create(world, path="/ops/", description="what for", tags=(tag,))
    assert made.arn == arn("ops/p")
    assert str(made.policy_id).startswith("ANPA")
    assert (made.policy_name, made.path, made.default_version_id, made.is_attachable) == ("p", "/ops/", "v1", True)
    assert (made.attachment_count, made.permissions_boundary_usage_count) == (0, 0)
    assert made.create_date == made.update_date
    assert (made.description, made.tags) == (None, (tag,))
    got = get(world, arn("ops/p"))
    assert (got.description, got.tags) == ("what for", (tag,))
    answer = world.call(world.root, policies.ListPoliciesCommand(scope="Local"))
    assert [(each.description, each.tags) for each in answer.policies] == [(None, None)]


@pytest.mark.facts("IAM-POL-001", "IAM-POL-002")
def test_a_policy_without_tags_and_description_shows_an_empty_list_of_tags(world: World) -> None:
    assert create(world, description="").tags is None
    body = world.send(world.request(policies.GetPolicyCommand(policy_arn=arn()), world.root)).body
    assert b"<Tags/>" in body or b"<Tags></Tags>" in body
    assert b"Description" not in body


@pytest.mark.facts("IAM-POL-003", "IAM-GEN-015")
def test_names_are_unique_whatever_case_and_path(world: World) -> None:
    create(world, "Reader", path="/a/")
    command = policies.CreatePolicyCommand(policy_name="rEADER", path="/b/", policy_document=DOCUMENT)
    assert world.refusal(world.root, command, errors.EntityAlreadyExistsException) == (
        "A policy called rEADER already exists. Duplicate names are not allowed."
    )


@pytest.mark.facts("IAM-POL-010", "IAM-GEN-044")
@pytest.mark.parametrize(
    ("make", "text"),
    [
        (policies.GetPolicyCommand, "Policy {} was not found."),
        (policies.DeletePolicyCommand, "Policy {} was not found."),
        (policies.ListPolicyTagsCommand, "Policy {} was not found."),
        (policies.ListPolicyVersionsCommand, "Policy {} was not found."),
        (
            lambda policy_arn: policies.TagPolicyCommand(policy_arn=policy_arn, tags=(types.Tag(key="k", value="v"),)),
            "Policy {} was not found.",
        ),
        (
            lambda policy_arn: policies.UntagPolicyCommand(policy_arn=policy_arn, tag_keys=("k",)),
            "Policy {} was not found.",
        ),
        (policies.ListEntitiesForPolicyCommand, "Policy {} does not exist or is not attachable."),
    ],
    ids=["get", "delete", "tags", "versions", "tag", "untag", "entities"],
)
def test_an_unknown_policy(world: World, make: Any, text: str) -> None:
    world.account(OTHER)
    create(world, "real", path="/x/")
    for unknown in (MISSING, THEIRS, arn("real"), arn("x/REAL"), "arn:aws:iam::aws:policy/administratoraccess"):
        assert world.refusal(world.root, make(policy_arn=unknown), errors.NoSuchEntityException) == text.format(unknown)
    malformed = "arn:aws:iam::policy-x"
    refused = world.refusal(world.root, make(policy_arn=malformed), errors.ValidationError)
    assert refused == f"ARN {malformed} is not valid."


@pytest.mark.facts("IAM-POL-009", "IAM-GEN-070")
def test_a_policy_in_use_or_with_versions_is_not_deleted(world: World) -> None:
    create(world)
    world.role("deploy", {"AWS": ACCOUNT})
    delete = policies.DeletePolicyCommand(policy_arn=arn())
    in_use = "Cannot delete a policy attached to entities."
    attach = roles.AttachRolePolicyCommand(role_name="deploy", policy_arn=arn())
    world.call(world.root, attach)
    assert world.refusal(world.root, delete, errors.DeleteConflictException) == in_use
    world.call(world.root, roles.DetachRolePolicyCommand(role_name="deploy", policy_arn=arn()))
    world.call(world.root, roles.PutRolePermissionsBoundaryCommand(role_name="deploy", permissions_boundary=arn()))
    assert world.refusal(world.root, delete, errors.DeleteConflictException) == in_use
    world.call(world.root, roles.DeleteRolePermissionsBoundaryCommand(role_name="deploy"))
    add_version(world)
    assert world.refusal(world.root, delete, errors.DeleteConflictException) == (
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
        "The default version is deleted with the policy."
    )
    world.call(world.root, policies.DeletePolicyVersionCommand(policy_arn=arn(), version_id="v2"))
    world.call(world.root, delete)
    world.refusal(world.root, delete, errors.NoSuchEntityException)


@pytest.mark.facts("IAM-GEN-011")
def test_a_policy_made_anew_has_another_id(world: World) -> None:
    first = create(world).policy_id
    world.call(world.root, policies.DeletePolicyCommand(policy_arn=arn()))
    assert create(world).policy_id != first


@pytest.mark.facts("POL-LM-001", "POL-VA-059")
def test_a_managed_policy_has_6144_characters_blanks_aside(world: World) -> None:
    def sized(size: int) -> str:
        statement = {"Sid": "", "Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"}
        statement["Sid"] = "x" * (size - len(json.dumps(document(statement), separators=(",", ":"))))
        return json.dumps(document(statement), indent=8)

    create(world, text=sized(6_144))
    for command in (
        policies.CreatePolicyCommand(policy_name="q", policy_document=sized(6_145)),
        policies.CreatePolicyVersionCommand(policy_arn=arn(), policy_document=sized(6_145)),
    ):
        refused = world.refusal(world.root, command, errors.LimitExceededException)
        assert refused == "Cannot exceed quota for PolicySize: 6144"


@pytest.mark.facts("POL-LM-009")
def test_an_account_has_1500_managed_policies(world: World) -> None:
    version = PolicyVersion(number=1, document=DOCUMENT, created=0)
    with world.store.transaction() as rows:
        records = Records(rows)
        for number in range(1_499):
            policy = ManagedPolicy(
                account=ACCOUNT,
                id=f"ANPA{number:017d}",
                name=f"p{number}",
                created=0,
                updated=0,
                versions=(version,),
                default=1,
                last_number=1,
            )
            records.create(policy)
    create(world, "last")
    over = policies.CreatePolicyCommand(policy_name="over", policy_document=DOCUMENT)
    refused = world.refusal(world.root, over, errors.LimitExceededException)
    assert refused == "Cannot exceed quota for PoliciesPerAccount: 1500"


# Versions


@pytest.mark.facts("IAM-POL-004", "IAM-POL-005", "IAM-GEN-053", "IAM-GEN-020")
def test_versions_count_up_and_never_come_again(world: World) -> None:
    create(world)
    other = DOCUMENT.replace("GetUser", "GetRole").replace(" ", "  ")
    made = add_version(world, text=other)
    assert (made.version_id, made.is_default_version, made.document) == ("v2", False, None)
    assert versions(world) == ["v2", "v1"]
    shown = world.call(world.root, policies.GetPolicyVersionCommand(policy_arn=arn(), version_id="v2")).policy_version
    assert shown is not None
    assert unquote(str(shown.document)) == other
    assert "+" not in str(shown.document)
    for number in (3, 4, 5):
        assert add_version(world).version_id == f"v{number}"
    for gone in ("v5", "v2"):
        world.call(world.root, policies.DeletePolicyVersionCommand(policy_arn=arn(), version_id=gone))
    assert add_version(world, default=True).version_id == "v6"
    world.call(world.root, policies.DeletePolicyVersionCommand(policy_arn=arn(), version_id="v4"))
    assert add_version(world, default=True).version_id == "v7"
    assert versions(world) == ["v7", "v6", "v3", "v1"]
    (first, *_, last) = world.call(world.root, policies.ListPolicyVersionsCommand(policy_arn=arn())).versions
    assert (first.is_default_version, last.is_default_version, first.document) == (True, False, None)


@pytest.mark.facts("IAM-POL-006", "POL-LM-006")
def test_there_are_five_versions_at_a_time(world: World) -> None:
    create(world)
    for _ in range(4):
        add_version(world)
    command = policies.CreatePolicyVersionCommand(policy_arn=arn(), policy_document=DOCUMENT)
    assert world.refusal(world.root, command, errors.LimitExceededException) == (
        "A managed policy can have up to 5 versions. Before you create a new version, "
        "you must delete an existing version."
    )


@pytest.mark.facts("IAM-POL-007")
@pytest.mark.parametrize(
    "make",
    [
        policies.GetPolicyVersionCommand,
        policies.DeletePolicyVersionCommand,
        policies.SetDefaultPolicyVersionCommand,
    ],
    ids=lambda make: make.__name__,
)
def test_an_unknown_version(world: World, make: Any) -> None:
    create(world)
    for policy, version in ((arn(), "v2"), (arn(), "v1.x"), (MISSING, "v1"), (THEIRS, "v1")):
        refused = world.refusal(world.root, make(policy_arn=policy, version_id=version), errors.NoSuchEntityException)
        assert refused == f"Policy {policy} version {version} does not exist or is not attachable."
    refused = world.refusal(world.root, make(policy_arn=arn(), version_id="2"), errors.ValidationError)
    assert refused == (
        "1 validation error detected: Value at 'versionId' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?"
    )


@pytest.mark.facts("IAM-POL-008", "IAM-POL-013")
def test_the_default_version_stays_and_sets_the_date_of_update(world: World) -> None:
    create(world)
    world.now += 10
    add_version(world)
    delete = policies.DeletePolicyVersionCommand(policy_arn=arn(), version_id="v1")
    refused = world.refusal(world.root, delete, errors.DeleteConflictException)
    assert refused == "Cannot delete the default version of a policy."

    def updated() -> float:
        date = get(world, arn()).update_date
        assert date is not None
        return date.timestamp()

    assert updated() == START
    world.call(world.root, policies.SetDefaultPolicyVersionCommand(policy_arn=arn(), version_id="v2"))
    assert updated() == START + 10
    assert get(world, arn()).default_version_id == "v2"
    world.call(world.root, delete)
    world.now += 10
    add_version(world, default=True)
    assert updated() == START + 20


@pytest.mark.facts("IAM-POL-014")
def test_a_new_default_version_is_in_force_at_once_everywhere(world: World) -> None:
    create(world, text=json.dumps(document(Effect="Allow", Action=["iam:GetUser", "sts:AssumeRole"], Resource="*")))
    alice = world.user("alice")
    role = world.role("deploy", {"AWS": ACCOUNT})
    world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=arn()))
    world.call(world.root, roles.AttachRolePolicyCommand(role_name="deploy", policy_arn=arn()))
    session = world.assume(alice, role)
    limited = world.assume(alice, role, "s2", policy=DOCUMENT)
    callers = (alice, session, limited)
    command = users.GetUserCommand(user_name="alice")
    for caller in callers:
        world.call(caller, command)
    add_version(world, default=True, text=DOCUMENT.replace("GetUser", "GetRole"))
    for caller in callers:
        world.refusal(caller, command, errors.AccessDenied)
    world.call(world.root, policies.SetDefaultPolicyVersionCommand(policy_arn=arn(), version_id="v1"))
    for caller in callers:
        world.call(caller, command)


@pytest.mark.facts("IAM-GEN-053")
def test_tags_are_listed_as_recorded_with_short_keys_first(world: World) -> None:
    keys = ("abc", "b", "z", "a", "B")
    given = tuple(types.Tag(key=key, value="") for key in keys)
    assert create(world, tags=given).tags == given
    listed, marker = [], None
    while True:
        command = policies.ListPolicyTagsCommand(policy_arn=arn(), marker=marker, max_items=2)
        answer = world.call(world.root, command)
        listed += [tag.key for tag in answer.tags]
        if not answer.is_truncated:
            break
        marker = answer.marker
    assert listed == ["B", "a", "b", "z", "abc"]


# Who uses a policy


@pytest.mark.facts("IAM-POL-012", "IAM-POL-013")
def test_attachments_and_boundaries_are_counted_and_listed_apart(world: World) -> None:
    made = create(world)
    for name, path in (("alice", "/a/"), ("bob", "/b/"), ("carol", "/a/")):
        world.call(world.root, users.CreateUserCommand(user_name=name, path=path))
    world.role("deploy", {"AWS": ACCOUNT}, path="/a/")
    for name in ("alice", "bob"):
        world.call(world.root, users.AttachUserPolicyCommand(user_name=name, policy_arn=arn()))
    world.call(world.root, roles.AttachRolePolicyCommand(role_name="deploy", policy_arn=arn()))
    for name in ("carol", "alice"):
        world.call(world.root, users.PutUserPermissionsBoundaryCommand(user_name=name, permissions_boundary=arn()))
    assert get(world, str(made.arn)).attachment_count == 3
    assert get(world, str(made.arn)).permissions_boundary_usage_count == 2

    def entities(**filters: Any) -> list[str | None]:
        command = policies.ListEntitiesForPolicyCommand(policy_arn=arn(), **filters)
        found = world.call(world.root, command)
        assert found.policy_groups == ()
        return [*(each.user_name for each in found.policy_users), *(each.role_name for each in found.policy_roles)]

    assert entities() == ["alice", "bob", "carol", "deploy"]
    assert entities(entity_filter="User") == ["alice", "bob", "carol"]
    assert entities(entity_filter="Role") == ["deploy"]
    assert entities(entity_filter="Group") == []
    assert entities(path_prefix="/a/") == ["alice", "carol", "deploy"]
    assert entities(policy_usage_filter="PermissionsPolicy") == ["alice", "bob", "deploy"]
    assert entities(policy_usage_filter="PermissionsBoundary") == ["alice", "carol"]
    paged: list[str | None] = []
    marker: str | None = None
    while True:
        command = policies.ListEntitiesForPolicyCommand(policy_arn=arn(), max_items=1, marker=marker)
        page = world.call(world.root, command)
        assert len(page.policy_users) + len(page.policy_roles) == 1
        paged += [each.user_name for each in page.policy_users] + [each.role_name for each in page.policy_roles]
        marker = page.marker
        if not page.is_truncated:
            break
    assert sorted(map(str, paged)) == ["alice", "bob", "carol", "deploy"]
    user_ids = world.call(world.root, policies.ListEntitiesForPolicyCommand(policy_arn=arn())).policy_users
    alice = world.call(world.root, users.GetUserCommand(user_name="alice")).user
    assert user_ids[0].user_id == alice.user_id


@pytest.mark.facts("IAM-POL-011")
def test_policies_are_listed_by_scope_path_and_use(world: World) -> None:
    create(world, "b", path="/x/")
    create(world, "A")
    assert listed(world, scope="Local") == ["A", "b"]
    aws = listed(world, scope="AWS")
    assert "AdministratorAccess" in aws
    assert not {"A", "b"} & set(aws)
    assert listed(world) == listed(world, scope="All") == ["A", "b", *aws]
    assert listed(world, path_prefix="/x/") == ["b"]
    assert listed(world, path_prefix="/job-function/") == ["ViewOnlyAccess"]
    assert listed(world, only_attached=True) == []
    world.call(world.root, users.CreateUserCommand(user_name="alice", permissions_boundary=arn("A")))
    world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=ADMINISTRATOR))
    assert listed(world, only_attached=True) == ["A", "AdministratorAccess"]
    assert listed(world, only_attached=True, policy_usage_filter="PermissionsBoundary") == ["A"]
    assert listed(world, only_attached=True, policy_usage_filter="PermissionsPolicy") == ["AdministratorAccess"]
    for kind in ("PermissionsBoundary", "PermissionsPolicy"):
        for only in (None, False):
            assert listed(world, policy_usage_filter=kind, only_attached=only, scope="Local") == ["A", "b"]


@pytest.mark.facts("IAM-GEN-050")
@pytest.mark.parametrize("size", [1, 3, 5])
def test_pages_of_policies_make_up_the_whole(world: World, size: int) -> None:
    for name in ("c", "A", "b"):
        create(world, name)
    whole = listed(world)
    seen: list[str | None] = []
    marker = None
    while True:
        page = world.call(world.root, policies.ListPoliciesCommand(max_items=size, marker=marker))
        seen += [each.policy_name for each in page.policies]
        marker = page.marker
        if not page.is_truncated:
            break
        assert len(page.policies) == size
    assert seen == whole


# AWS's policies


@pytest.mark.parametrize(
    ("path_and_name", "version", "sample"),
    [
        pytest.param(path_and_name, version, sample, marks=pytest.mark.facts(fact), id=path_and_name)
        for fact, path_and_name, version, sample in (
            ("POL-MP-010", "AdministratorAccess", "v1", {"Effect": "Allow", "Action": "*", "Resource": "*"}),
            (
                "POL-MP-011",
                "PowerUserAccess",
                "v6",
                {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
            ),
            ("POL-MP-012", "IAMFullAccess", "v2", "iam:*"),
            ("POL-MP-013", "IAMReadOnlyAccess", "v4", "iam:SimulatePrincipalPolicy"),
            ("POL-MP-014", "IAMUserChangePassword", "v2", "arn:aws:iam::*:user/${aws:username}"),
            (
                "POL-MP-015",
                "AWSDenyAll",
                "v2",
                {"Sid": "DenyAll", "Effect": "Deny", "Action": "*", "Resource": "*"},
            ),
            ("POL-MP-016", "ReadOnlyAccess", "v188", "organizations:Describe*"),
            ("POL-MP-017", "SecurityAudit", "v92", "iam:GenerateCredentialReport"),
            ("POL-MP-018", "job-function/ViewOnlyAccess", "v45", "iam:GetAccountSummary"),
        )
    ],
)
def test_policies_of_aws_are_there_to_read(world: World, path_and_name: str, version: str, sample: Any) -> None:
    policy = get(world, f"arn:aws:iam::aws:policy/{path_and_name}")
    assert f"{policy.path}{policy.policy_name}" == f"/{path_and_name}"
    assert policy.default_version_id == version
    command = policies.GetPolicyVersionCommand(policy_arn=str(policy.arn), version_id=version)
    shown = world.call(world.root, command).policy_version
    assert shown is not None
    text = json.loads(unquote(str(shown.document)))
    if isinstance(sample, dict):
        assert sample in [
            {key: value[0] if value == ["*"] else value for key, value in each.items()} for each in text["Statement"]
        ]
    else:
        assert json.dumps(sample) in json.dumps(text)


@pytest.mark.facts("POL-MP-030")
@pytest.mark.parametrize("name", ["ReadOnlyAccess", "SecurityAudit", "job-function/ViewOnlyAccess"])
def test_a_slice_says_that_it_is_one(world: World, name: str) -> None:
    assert "slice" in str(get(world, f"arn:aws:iam::aws:policy/{name}").description)


@pytest.mark.facts("POL-MP-001", "IAM-POL-020", "IAM-GEN-076")
@pytest.mark.parametrize(
    ("command", "text"),
    [
        (policies.DeletePolicyCommand(policy_arn=ADMINISTRATOR), "Cannot delete policies outside your own account."),
        (
            policies.DeletePolicyVersionCommand(policy_arn=ADMINISTRATOR, version_id="v9"),
            "Cannot delete policy versions for policies outside your own account.",
        ),
        (
            policies.SetDefaultPolicyVersionCommand(policy_arn=ADMINISTRATOR, version_id="v1"),
            "Cannot update policies outside your own account.",
        ),
        (policies.CreatePolicyVersionCommand(policy_arn=ADMINISTRATOR, policy_document=DOCUMENT), None),
        (policies.TagPolicyCommand(policy_arn=ADMINISTRATOR, tags=(types.Tag(key="k", value="v"),)), None),
        (policies.UntagPolicyCommand(policy_arn=ADMINISTRATOR, tag_keys=("k",)), None),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_policies_of_aws_are_changed_by_nobody(world: World, command: Any, text: str | None) -> None:
    before = get(world, ADMINISTRATOR)
    refused = world.refusal(world.root, command, errors.AccessDenied)
    if text is not None:
        assert refused == text
    assert get(world, ADMINISTRATOR) == before


@pytest.mark.facts("POL-MP-001", "IAM-POL-020", "IAM-POL-013")
def test_policies_of_aws_are_attached_and_counted_in_each_account_for_itself(world: World) -> None:
    other = world.account(OTHER)
    alice = world.user("alice")
    world.refusal(alice, users.ListUsersCommand(), errors.AccessDenied)
    world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=ADMINISTRATOR))
    world.call(alice, users.ListUsersCommand())
    for name in ("a", "b"):
        world.call(other, users.CreateUserCommand(user_name=name, permissions_boundary=ADMINISTRATOR))
        world.call(other, users.AttachUserPolicyCommand(user_name=name, policy_arn=ADMINISTRATOR))
    for root, count in ((world.root, 1), (other, 2)):
        shown = world.call(root, policies.GetPolicyCommand(policy_arn=ADMINISTRATOR)).policy
        assert shown is not None
        assert shown.attachment_count == count
        entities = world.call(root, policies.ListEntitiesForPolicyCommand(policy_arn=ADMINISTRATOR))
        assert len(entities.policy_users) == count
        found = world.call(root, policies.ListPoliciesCommand(scope="AWS")).policies
        assert {each.policy_name: each.attachment_count for each in found}["AdministratorAccess"] == count


# Other accounts


@pytest.mark.facts("R12", "POL-XA-008")
def test_policies_of_another_account_are_out_of_reach(world: World) -> None:
    other = world.account(OTHER)
    world.call(other, policies.CreatePolicyCommand(policy_name="theirs", policy_document=DOCUMENT))
    world.call(world.root, users.CreateUserCommand(user_name="alice"))
    world.role("deploy", {"AWS": ACCOUNT})
    for command in (
        users.AttachUserPolicyCommand(user_name="alice", policy_arn=THEIRS),
        users.PutUserPermissionsBoundaryCommand(user_name="alice", permissions_boundary=THEIRS),
        users.CreateUserCommand(user_name="bob", permissions_boundary=THEIRS),
        roles.AttachRolePolicyCommand(role_name="deploy", policy_arn=THEIRS),
        roles.PutRolePermissionsBoundaryCommand(role_name="deploy", permissions_boundary=THEIRS),
        policies.GetPolicyCommand(policy_arn=THEIRS),
        policies.GetPolicyVersionCommand(policy_arn=THEIRS, version_id="v1"),
        policies.CreatePolicyVersionCommand(policy_arn=THEIRS, policy_document=DOCUMENT),
        policies.DeletePolicyCommand(policy_arn=THEIRS),
    ):
        existing = world.refusal(world.root, command, errors.NoSuchEntityException)
        assert THEIRS in existing
    world.call(other, policies.GetPolicyCommand(policy_arn=THEIRS))


@pytest.mark.facts("POL-XA-008")
def test_a_session_policy_must_be_of_the_roles_account(world: World) -> None:
    other = world.account(OTHER)
    world.call(other, policies.CreatePolicyCommand(policy_name="theirs", policy_document=DOCUMENT))
    create(world)
    alice = world.user("alice", document(Effect="Allow", Action="*", Resource="*"))
    role = world.role("deploy", {"AWS": ACCOUNT}, document(Effect="Allow", Action="*", Resource="*"))

    def assume(policy: str) -> sts.AssumeRoleCommand:
        return sts.AssumeRoleCommand(
            role_arn=role, role_session_name="s1", policy_arns=(sts.PolicyDescriptorType(arn=policy),)
        )

    world.call(alice, assume(arn()))
    world.refusal(alice, assume(THEIRS), errors.MalformedPolicyDocumentException)
