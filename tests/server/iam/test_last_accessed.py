"""Reports on last uses, and the policies that give the use of services (IAM-CL-023, 026, 027, 030)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import groups, policies, roles, users
from locum.api.iam import last_accessed as api
from locum.core.records import Use
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from ..conftest import ACCOUNT, OTHER, START, World, document

ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
EVERYTHING = document(Effect="Allow", Action="*", Resource="*")
READER = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
DAY = 86_400


def allow(*actions: str) -> dict[str, Any]:
    return document(Effect="Allow", Action=list(actions), Resource="*")


def generate(world: World, arn: str, who: Credentials | None = None, **more: Any) -> str:
    answer = world.call(who or world.root, api.GenerateServiceLastAccessedDetailsCommand(arn=arn, **more))
    assert answer.job_id is not None
    return answer.job_id


def details(world: World, arn: str, **more: Any) -> api.GetServiceLastAccessedDetailsResponse:
    job = generate(world, arn, **more)
    return world.call(world.root, api.GetServiceLastAccessedDetailsCommand(job_id=job))


def services(world: World, arn: str, **more: Any) -> dict[str, api.ServiceLastAccessed]:
    return {each.service_namespace: each for each in details(world, arn, **more).services_last_accessed}


def entities(world: World, arn: str, namespace: str = "iam") -> dict[str, api.EntityDetails]:
    command = api.GetServiceLastAccessedDetailsWithEntitiesCommand(
        job_id=generate(world, arn), service_namespace=namespace
    )
    return {each.entity_info.name: each for each in world.call(world.root, command).entity_details_list}


def granting(world: World, arn: str, *namespaces: str) -> list[Any]:
    command = api.ListPoliciesGrantingServiceAccessCommand(arn=arn, service_namespaces=namespaces)
    found = world.call(world.root, command).policies_granting_service_access
    return [(each.service_namespace, [policy.policy_name for policy in each.policies or ()]) for each in found]


def managed(world: World, name: str, text: Any) -> str:
    command = policies.CreatePolicyCommand(policy_name=name, policy_document=json.dumps(text))
    made = world.call(world.root, command).policy
    assert made is not None
    assert made.arn is not None
    return made.arn


def crew(world: World, *members: str, policy: Any = None) -> str:
    world.call(world.root, groups.CreateGroupCommand(group_name="crew"))
    for name in members:
        world.call(world.root, groups.AddUserToGroupCommand(group_name="crew", user_name=name))
    if policy is not None:
        command = groups.PutGroupPolicyCommand(group_name="crew", policy_name="in", policy_document=json.dumps(policy))
        world.call(world.root, command)
    return f"arn:aws:iam::{ACCOUNT}:group/crew"


# Reports


@pytest.mark.facts("IAM-CL-023", "IAM-CL-026")
def test_a_report_lists_what_policies_give_with_the_last_uses(world: World) -> None:
    alice = world.user("alice", allow("iam:*", "s3:Get*", "sts:*"))
    world.call(alice, users.GetUserCommand())
    world.now += 60
    world.call(alice, users.ListUsersCommand())
    world.now += 60
    answer = details(world, ALICE)
    assert (answer.job_status, answer.job_type, answer.is_truncated) == ("COMPLETED", "SERVICE_LEVEL", False)
    assert answer.job_creation_date.timestamp() == answer.job_completion_date.timestamp() == START + 120
    iam, s3, own = answer.services_last_accessed
    assert (iam.service_namespace, iam.service_name) == ("iam", "AWS Identity and Access Management")
    assert iam.last_authenticated is not None
    assert iam.last_authenticated.timestamp() == START + 60
    assert (iam.last_authenticated_entity, iam.last_authenticated_region) == (ALICE, "us-east-1")
    assert (iam.total_authenticated_entities, iam.tracked_actions_last_accessed) == (1, None)
    assert (s3.service_namespace, s3.last_authenticated, s3.last_authenticated_entity) == ("s3", None, None)
    assert (own.service_namespace, own.total_authenticated_entities) == ("sts", 0)


@pytest.mark.facts("IAM-CL-023", "IAM-CL-026")
def test_a_report_can_go_down_to_actions(world: World) -> None:
    alice = world.user("alice", allow("iam:*", "s3:*"))
    world.call(alice, users.ListUsersCommand())
    world.now += 60
    world.call(alice, users.GetUserCommand())
    found = services(world, ALICE, granularity="ACTION_LEVEL")
    tracked = found["iam"].tracked_actions_last_accessed or ()
    names = [each.action_name or "" for each in tracked]
    assert names == sorted(names)
    assert {"CreateUser", "GetRole"} < set(names)
    tracked = tuple(each for each in tracked if each.last_accessed_time is not None)
    assert [(each.action_name, each.last_accessed_time.timestamp()) for each in tracked if each.last_accessed_time] == [
        ("GetUser", START + 60),
        ("ListUsers", START),
    ]
    assert {(each.last_accessed_entity, each.last_accessed_region) for each in tracked} == {(ALICE, "us-east-1")}
    assert found["s3"].tracked_actions_last_accessed is None
    assert details(world, ALICE, granularity="ACTION_LEVEL").job_type == "ACTION_LEVEL"


@pytest.mark.facts("IAM-CL-026")
def test_uses_survive_in_the_store_and_end_with_their_user(world: World) -> None:
    world.call(world.root, users.CreateUserCommand(user_name="keyless"))
    role = world.role("deploy", {"AWS": ACCOUNT}, EVERYTHING)
    session = world.assume(world.user("alice", EVERYTHING), role)
    world.call(session, users.ListUsersCommand())
    world.pipeline.usage.flush(world.store)
    world.now += 60
    world.call(session, roles.ListRolesCommand())
    found = services(world, role, granularity="ACTION_LEVEL")["iam"]
    assert found.last_authenticated_entity == role
    used = [each.action_name for each in found.tracked_actions_last_accessed or () if each.last_accessed_time]
    assert used == ["ListRoles", "ListUsers"]
    world.pipeline.usage.flush(world.store)
    world.call(world.root, roles.DeleteRolePolicyCommand(role_name="deploy", policy_name="p"))
    unique_id = world.call(world.root, roles.GetRoleCommand(role_name="deploy")).role.role_id
    world.call(world.root, roles.DeleteRoleCommand(role_name="deploy"))
    with world.store.snapshot() as rows:
        left = [stored.record.id for stored in Records(rows).each(Use, "") if unique_id in stored.record.id]
    assert left == []


@pytest.mark.facts("IAM-CL-026")
def test_calls_to_sts_are_seen_too(world: World) -> None:
    alice = world.user("alice", EVERYTHING)
    world.assume(alice, world.role("deploy", {"AWS": ACCOUNT}))
    world.call(alice, sts.GetCallerIdentityCommand())
    found = services(world, ALICE, granularity="ACTION_LEVEL")
    assert set(found) == {"iam", "organizations", "sts"}
    assert {each.action_name for each in found["sts"].tracked_actions_last_accessed or ()} >= {"AssumeRole"}
    assert found["organizations"].last_authenticated is None


@pytest.mark.facts("IAM-CL-026")
def test_a_group_and_a_policy_tell_of_who_used_them(world: World) -> None:
    alice, bob = world.user("alice"), world.user("bob")
    own = managed(world, "own", allow("iam:ListUsers"))
    group = crew(world, "alice", "bob")
    world.call(world.root, groups.AttachGroupPolicyCommand(group_name="crew", policy_arn=own))
    world.call(alice, users.ListUsersCommand())
    world.now += 60
    world.call(bob, users.ListUsersCommand())
    for arn in (group, own):
        found = services(world, arn)["iam"]
        assert found.last_authenticated is not None
        assert found.last_authenticated.timestamp() == START + 60
        assert found.last_authenticated_entity == f"arn:aws:iam::{ACCOUNT}:user/bob"
        assert found.total_authenticated_entities == 2
    world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=own))
    assert services(world, own)["iam"].total_authenticated_entities == 2


@pytest.mark.facts("IAM-CL-027")
def test_entities_are_listed_with_their_own_last_use(world: World) -> None:
    alice = world.user("alice", allow("iam:ListUsers"))
    world.call(world.root, users.CreateUserCommand(user_name="bob"))
    own = managed(world, "own", allow("iam:ListUsers"))
    group = crew(world, "alice", "bob", policy=allow("iam:ListUsers"))
    world.role("deploy", {"AWS": ACCOUNT})
    world.call(world.root, roles.AttachRolePolicyCommand(role_name="deploy", policy_arn=own))
    world.call(world.root, groups.AttachGroupPolicyCommand(group_name="crew", policy_arn=own))
    world.call(alice, users.ListUsersCommand())
    (mine,) = entities(world, ALICE).values()
    assert (mine.entity_info.arn, mine.entity_info.type, mine.entity_info.path) == (ALICE, "USER", "/")
    assert mine.entity_info.id.startswith("AIDA")
    assert mine.last_authenticated is not None
    assert mine.last_authenticated.timestamp() == START
    members = entities(world, group)
    assert list(members) == ["alice", "bob"]
    assert [each.last_authenticated is not None for each in members.values()] == [True, False]
    holders = entities(world, own)
    kinds = [(name, each.entity_info.type) for name, each in holders.items()]
    assert kinds == [("alice", "USER"), ("bob", "USER"), ("deploy", "ROLE")]
    assert holders["alice"].last_authenticated is not None
    assert holders["deploy"].last_authenticated is None
    assert entities(world, ALICE, "sts") == {}


@pytest.mark.facts("IAM-CL-026", "IAM-CL-027", "IAM-GEN-050")
def test_reports_come_in_pages(world: World) -> None:
    world.user("alice", allow("a:*", "b:*", "c:*"))
    job = generate(world, ALICE)
    found: list[str] = []
    marker: str | None = None
    while True:
        command = api.GetServiceLastAccessedDetailsCommand(job_id=job, max_items=2, marker=marker)
        page = world.call(world.root, command)
        found += [each.service_namespace for each in page.services_last_accessed]
        marker = page.marker
        if not page.is_truncated:
            break
    assert found == ["a", "b", "c"]
    world.call(world.root, users.CreateUserCommand(user_name="bob"))
    group = generate(world, crew(world, "alice", "bob", policy=allow("iam:*")))
    asked: dict[str, Any] = {"job_id": group, "service_namespace": "iam", "max_items": 1}
    first = world.call(world.root, api.GetServiceLastAccessedDetailsWithEntitiesCommand(**asked))
    second = world.call(world.root, api.GetServiceLastAccessedDetailsWithEntitiesCommand(**asked, marker=first.marker))
    names = [each.entity_info.name for page in (first, second) for each in page.entity_details_list]
    assert (names, first.is_truncated, second.is_truncated) == (["alice", "bob"], True, False)


@pytest.mark.facts("IAM-CL-026")
def test_nobody_else_reads_a_report_and_nobody_after_a_week(world: World) -> None:
    alice = world.user("alice", EVERYTHING)
    bob = world.user("bob", EVERYTHING)
    job = generate(world, ALICE, alice)
    command = api.GetServiceLastAccessedDetailsCommand(job_id=job)
    world.call(alice, command)
    other = world.account(OTHER)
    for who in (bob, world.root, other):
        refused = world.refusal(who, command, errors.NoSuchEntityException)
        assert refused == f"Job {job} does not exist."
    role = world.role("deploy", {"AWS": ACCOUNT}, EVERYTHING)
    job = generate(world, ALICE, world.assume(alice, role))
    again = api.GetServiceLastAccessedDetailsCommand(job_id=job)
    world.call(world.assume(bob, role, "s1"), again)
    world.refusal(world.assume(bob, role, "s2"), again, errors.NoSuchEntityException)
    world.now += 7 * DAY
    world.refusal(alice, command, errors.NoSuchEntityException)
    world.refusal(alice, api.GetServiceLastAccessedDetailsCommand(job_id="x" * 36), errors.NoSuchEntityException)


@pytest.mark.facts("IAM-CL-023")
def test_reports_of_an_account_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locum.server.iam.last_accessed._MOST", 3)
    world.user("alice", EVERYTHING)
    jobs = []
    for _ in range(5):
        jobs.append(generate(world, ALICE))
        world.now += 1
    for number, job in enumerate(jobs):
        command = api.GetServiceLastAccessedDetailsCommand(job_id=job)
        if number < 2:
            world.refusal(world.root, command, errors.NoSuchEntityException)
        else:
            world.call(world.root, command)


@pytest.mark.facts("IAM-CL-026")
def test_a_report_stays_as_it_was_but_for_names_and_for_who_went(world: World) -> None:
    for name in ("alice", "bob"):
        world.call(world.root, users.CreateUserCommand(user_name=name))
    group = crew(world, "alice", policy=allow("s3:*"))
    job = generate(world, group)
    services_command = api.GetServiceLastAccessedDetailsCommand(job_id=job)
    command = api.GetServiceLastAccessedDetailsWithEntitiesCommand(job_id=job, service_namespace="s3")

    def shown() -> tuple[list[str], list[str]]:
        listed = world.call(world.root, services_command).services_last_accessed
        return [each.service_namespace for each in listed], [
            each.entity_info.arn for each in world.call(world.root, command).entity_details_list
        ]

    assert shown() == (["s3"], [ALICE])
    world.call(world.root, groups.RemoveUserFromGroupCommand(group_name="crew", user_name="alice"))
    world.call(world.root, groups.AddUserToGroupCommand(group_name="crew", user_name="bob"))
    text = json.dumps(allow("sqs:*"))
    world.call(world.root, groups.PutGroupPolicyCommand(group_name="crew", policy_name="in", policy_document=text))
    world.call(world.root, users.UpdateUserCommand(user_name="alice", new_path="/x/", new_user_name="alicia"))
    assert shown() == (["s3"], [f"arn:aws:iam::{ACCOUNT}:user/x/alicia"])
    world.call(world.root, users.DeleteUserCommand(user_name="alicia"))
    assert shown() == (["s3"], [])


@pytest.mark.facts("IAM-CL-026", "IAM-CL-027", "IAM-GEN-051")
def test_a_marker_goes_with_its_report(world: World) -> None:
    world.user("alice", allow("a:*", "b:*", "s3:*", "sqs:*"))
    job, other = generate(world, ALICE), generate(world, ALICE)
    first = world.call(world.root, api.GetServiceLastAccessedDetailsCommand(job_id=job, max_items=1)).marker
    foreign = "The marker passed in the request was invalid."
    for command, kind, message in (
        (api.GetServiceLastAccessedDetailsCommand(job_id=other, marker=first), errors.InvalidInputException, foreign),
        (
            api.GetServiceLastAccessedDetailsWithEntitiesCommand(job_id=job, service_namespace="s3", marker=first),
            errors.InvalidInputException,
            foreign,
        ),
        (
            api.GetServiceLastAccessedDetailsCommand(job_id=job, marker="invalid"),
            errors.ValidationError,
            "Invalid Marker.",
        ),
    ):
        assert world.refusal(world.root, command, kind) == message
    world.call(world.root, users.CreateUserCommand(user_name="bob"))
    job = generate(world, crew(world, "alice", "bob", policy=allow("s3:*", "sqs:*")))
    asked: dict[str, Any] = {"job_id": job, "max_items": 1}
    command = api.GetServiceLastAccessedDetailsWithEntitiesCommand(**asked, service_namespace="s3")
    marker = world.call(world.root, command).marker
    command = api.GetServiceLastAccessedDetailsWithEntitiesCommand(**asked, service_namespace="sqs", marker=marker)
    (last,) = world.call(world.root, command).entity_details_list
    assert last.entity_info.name == "bob"


@pytest.mark.facts("IAM-OP-GenerateServiceLastAccessedDetails", "IAM-OP-ListPoliciesGrantingServiceAccess")
@pytest.mark.parametrize(
    ("arn", "kind", "message"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/nobody", errors.NoSuchEntityException, "ARN {} does not exist."),
        (f"arn:aws:iam::{ACCOUNT}:role/alice", errors.NoSuchEntityException, "ARN {} does not exist."),
        (
            f"arn:aws:iam::{OTHER}:user/alice",
            errors.AccessDenied,
            f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform the operation on {{}}",
        ),
        ("not an ARN but long enough", errors.InvalidInputException, "ARN {} is not valid."),
        (f"arn:aws:iam::{ACCOUNT}:mfa/alice", errors.InvalidInputException, "Invalid Entity Arn: {} is not supported."),
        (f"arn:aws:sts::{ACCOUNT}:user/alice", errors.ValidationError, "Invalid service in ARN"),
        (f"arn:aws-cn:iam::{ACCOUNT}:user/alice", errors.ValidationError, "Invalid ARN partition"),
    ],
)
def test_who_is_not_there_has_neither_reports_nor_policies(
    world: World, arn: str, kind: type[errors.ServiceException], message: str
) -> None:
    world.user("alice", EVERYTHING)
    report = api.GenerateServiceLastAccessedDetailsCommand(arn=arn)
    assert world.refusal(world.root, report, kind) == message.format(arn)
    command = api.ListPoliciesGrantingServiceAccessCommand(arn=arn, service_namespaces=("iam",))
    assert world.refusal(world.root, command, kind) == message.format(arn)


@pytest.mark.facts("IAM-CL-023", "IAM-CL-030")
def test_the_path_of_an_arn_may_be_another_but_permission_is_asked_on_the_entitys_own(world: World) -> None:
    world.user("alice", allow("s3:*"))
    elsewhere = f"arn:aws:iam::{ACCOUNT}:user/x/alice"
    assert granting(world, elsewhere, "s3") == [("s3", ["p"])]
    assert list(services(world, elsewhere)) == ["s3"]
    bob = world.user("bob", document(Effect="Allow", Action="iam:*", Resource=elsewhere))
    world.refusal(bob, api.GenerateServiceLastAccessedDetailsCommand(arn=elsewhere), errors.AccessDenied)


@pytest.mark.facts("IAM-CL-027", "IAM-CL-030")
def test_namespaces_are_in_lower_case_and_listed_once(world: World) -> None:
    world.user("alice", allow("s3:*"))
    own = managed(world, "own", EVERYTHING)
    root = f"arn:aws:iam::{ACCOUNT}:root"
    assert granting(world, ALICE, "s3", "s3", "iam") == [("s3", ["p"]), ("iam", [])]
    for arn, namespaces, message in (
        (ALICE, ("S3", "s3", "a_b"), "Invalid service namespace: [S3, a_b]"),
        (own, ("s3",), f"Invalid Entity Arn: {own} is not supported."),
        (root, ("s3",), f"Could not extract entity from ARN : {root}"),
    ):
        command = api.ListPoliciesGrantingServiceAccessCommand(arn=arn, service_namespaces=namespaces)
        assert world.refusal(world.root, command, errors.InvalidInputException) == message
    asked = api.GetServiceLastAccessedDetailsWithEntitiesCommand(job_id=generate(world, ALICE), service_namespace="S3")
    message = "Service namepace S3 is either invalid or unsupported."
    assert world.refusal(world.root, asked, errors.InvalidInputException) == message


@pytest.mark.facts("IAM-OP-GenerateServiceLastAccessedDetails", "IAM-CL-023")
def test_permission_is_asked_on_what_the_report_is_about(world: World) -> None:
    own = managed(world, "own", EVERYTHING)
    world.user("alice")
    group = crew(world, "alice")
    role = world.role("deploy", {"AWS": ACCOUNT})
    for number, arn in enumerate((ALICE, group, role, own, READER)):
        name = f"asker{number}"
        asker = world.user(
            name, document(Effect="Allow", Action="iam:GenerateServiceLastAccessedDetails", Resource=arn)
        )
        generate(world, arn, asker)
        other = f"arn:aws:iam::{ACCOUNT}:user/{name}"
        world.refusal(asker, api.GenerateServiceLastAccessedDetailsCommand(arn=other), errors.AccessDenied)


# Which policies


@pytest.mark.facts("IAM-CL-030", "IAM-OP-ListPoliciesGrantingServiceAccess")
def test_policies_that_give_a_service_are_listed_service_by_service(world: World) -> None:
    world.user("alice", allow("s3:Get*"))
    own = managed(world, "own", allow("s3:*", "sqs:*"))
    group = crew(world, "alice", policy=allow("*"))
    world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=own))
    world.call(world.root, groups.AttachGroupPolicyCommand(group_name="crew", policy_arn=own))
    assert granting(world, ALICE, "sqs", "s3", "kms") == [
        ("sqs", ["own", "in"]),
        ("s3", ["p", "own", "in"]),
        ("kms", ["in"]),
    ]
    command = api.ListPoliciesGrantingServiceAccessCommand(arn=ALICE, service_namespaces=("s3",))
    (entry,) = world.call(world.root, command).policies_granting_service_access
    inline, attached, of_group = entry.policies or ()
    assert (inline.policy_type, inline.policy_arn) == ("INLINE", None)
    assert (inline.entity_type, inline.entity_name) == ("USER", "alice")
    assert (attached.policy_type, attached.policy_arn) == ("MANAGED", own)
    assert (attached.entity_type, attached.entity_name) == (None, None)
    assert (of_group.entity_type, of_group.entity_name) == ("GROUP", "crew")
    assert granting(world, group, "s3") == [("s3", ["in", "own"])]
    role = world.role("deploy", {"AWS": ACCOUNT}, allow("sts:*"))
    assert granting(world, role, "sts", "s3") == [("sts", ["p"]), ("s3", [])]


@pytest.mark.facts("IAM-CL-030")
def test_many_services_come_on_one_page(world: World) -> None:
    world.user("alice", allow("*"))
    namespaces = tuple(f"service{number}" for number in range(200))
    command = api.ListPoliciesGrantingServiceAccessCommand(arn=ALICE, service_namespaces=namespaces)
    answer = world.call(world.root, command)
    assert [each.service_namespace for each in answer.policies_granting_service_access] == list(namespaces)
    assert not answer.is_truncated
    world.call(world.root, users.DeleteUserPolicyCommand(user_name="alice", policy_name="p"))
    many = [json.dumps(allow(*(f"s{number}:*" for number in range(start, start + 105)))) for start in (0, 105)]
    for name, text in zip("ab", many, strict=True):
        world.call(world.root, users.PutUserPolicyCommand(user_name="alice", policy_name=name, policy_document=text))
    report = details(world, ALICE)
    assert (len(report.services_last_accessed), report.is_truncated) == (200, True)
