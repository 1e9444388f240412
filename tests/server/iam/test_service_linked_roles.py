"""Service-linked roles: making, protecting, deleting (IAM-SHD-002, IAM-ROL-030, IAM-ROL-031)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from locum import errors
from locum.api.iam import instance_profiles, roles, types
from locum.api.iam import service_linked_roles as api
from locum.core.service_linked_roles import LinkedService, extended
from locum.server.config import ConfigError, load_settings
from locum.server.pipeline import Pipeline

from ..conftest import ACCOUNT, OTHER, World, document

SERVICE = "autoscaling.amazonaws.com"
NAME = "AWSServiceRoleForAutoScaling"
ARN = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{SERVICE}/{NAME}"
READER = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
TEXT = json.dumps(document(Effect="Allow", Action="iam:GetUser", Resource="*"))
TRUST = json.dumps(document(Effect="Allow", Principal={"AWS": ACCOUNT}, Action="sts:AssumeRole"))
TAGS = (types.Tag(key="team", value="blue"),)


def create(service: str = SERVICE, **more: Any) -> api.CreateServiceLinkedRoleCommand:
    return api.CreateServiceLinkedRoleCommand(aws_service_name=service, **more)


def status(task: str) -> api.GetServiceLinkedRoleDeletionStatusCommand:
    return api.GetServiceLinkedRoleDeletionStatusCommand(deletion_task_id=task)


def delete(world: World, name: str = NAME) -> str:
    return world.call(world.root, api.DeleteServiceLinkedRoleCommand(role_name=name)).deletion_task_id


def get(world: World, name: str = NAME) -> types.Role:
    return world.call(world.root, roles.GetRoleCommand(role_name=name)).role


# Create


@pytest.mark.facts("IAM-SHD-002", "IAM-CL-019", "IAM-ROL-031", "STS-ID-006")
def test_a_service_has_a_role_that_only_it_may_assume(world: World) -> None:
    made = world.call(world.root, create(description="scales")).role
    assert made is not None
    assert (made.arn, made.path, made.role_name) == (ARN, f"/aws-service-role/{SERVICE}/", NAME)
    assert made.role_id.startswith("AROA")
    role = get(world)
    assert (role.description, role.max_session_duration) == ("scales", 3600)
    trust = json.loads(types.decode_document(str(role.assume_role_policy_document)))
    assert trust["Statement"] == [{"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}]
    answered = json.loads(types.decode_document(str(made.assume_role_policy_document)))
    assert answered["Statement"] == [
        {"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [SERVICE]}}
    ]
    alice = world.user("alice", document(Effect="Allow", Action="*", Resource="*"))
    with pytest.raises(errors.AccessDenied):
        world.assume(alice, ARN)


@pytest.mark.facts("IAM-SHD-002")
@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("dms", "DMSServerless"),
        ("ecr", "ECRTemplate"),
        ("opsinsights.ssm", "AmazonSSM_OpsInsights"),
        ("cassandra.application-autoscaling", "ApplicationAutoScaling_CassandraTable"),
        ("vpcorigin.cloudfront", "CloudFrontVPCOrigin"),
    ],
)
def test_the_name_of_a_role_is_the_one_that_the_service_looks_for(world: World, service: str, name: str) -> None:
    made = world.call(world.root, create(f"{service}.amazonaws.com")).role
    assert made is not None
    assert made.arn.endswith(f":role/aws-service-role/{service}.amazonaws.com/AWSServiceRoleFor{name}")


@pytest.mark.facts("IAM-SHD-002")
def test_the_same_role_cannot_be_made_twice_but_under_a_suffix(world: World) -> None:
    world.call(world.root, create())
    refused = world.refusal(world.root, create(), errors.InvalidInputException)
    assert refused == f"Service role name {NAME} has been taken in this account, please try a different suffix."
    made = world.call(world.root, create(custom_suffix="blue")).role
    assert made is not None
    assert made.role_name == f"{NAME}_blue"
    assert world.refusal(world.root, create(custom_suffix="blue"), errors.InvalidInputException)
    world.call(world.account(OTHER), create())


@pytest.mark.facts("IAM-SHD-002")
@pytest.mark.parametrize(
    "command",
    [
        create("ecs.amazonaws.com", custom_suffix="blue"),
        create("nothing.amazonaws.com"),
        create("AUTOSCALING.amazonaws.com"),
        create(custom_suffix="x" * 40),
    ],
    ids=["no suffixes here", "unknown service", "another case", "too long a name"],
)
def test_what_the_table_does_not_have_is_refused(world: World, command: api.CreateServiceLinkedRoleCommand) -> None:
    world.refusal(world.root, command, errors.InvalidInputException)
    assert world.call(world.root, roles.ListRolesCommand()).roles == ()


@pytest.mark.facts("IAM-OP-CreateServiceLinkedRole", "IAM-CL-019")
def test_permission_is_asked_on_the_role_and_the_service(world: World) -> None:
    resource = f"arn:aws:iam::*:role/aws-service-role/{SERVICE}/{NAME}*"
    condition = {"StringLike": {"iam:AWSServiceName": SERVICE}}
    may = document(Effect="Allow", Action="iam:CreateServiceLinkedRole", Resource=resource, Condition=condition)
    alice = world.user("alice", may)
    world.call(alice, create())
    world.call(alice, create(custom_suffix="blue"))
    world.refusal(alice, create("ecs.amazonaws.com"), errors.AccessDenied)
    refused = world.refusal(alice, create("nothing.amazonaws.com"), errors.AccessDenied)
    assert "role/aws-service-role/nothing.amazonaws.com/AWSServiceRoleFor" in refused
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    condition = {"StringNotEquals": {"iam:AWSServiceName": SERVICE}}
    deny = {"Effect": "Deny", "Action": "iam:CreateServiceLinkedRole", "Resource": "*", "Condition": condition}
    bob = world.user("bob", document(everything, deny))
    world.refusal(bob, create("ecs.amazonaws.com"), errors.AccessDenied)
    world.call(bob, create(custom_suffix="green"))


@pytest.mark.facts("IAM-SHD-002")
def test_the_operator_can_add_services(world: World) -> None:
    setting = {"service_linked_role": ["backup.aws.internal=AWSServiceRoleForOurBackup"]}
    settings = load_settings(setting, {})
    assert settings.service_linked_role == (
        LinkedService("backup.aws.internal", "AWSServiceRoleForOurBackup", suffix=True),
    )
    world.refusal(world.root, create("backup.aws.internal"), errors.InvalidInputException)
    world.pipeline = Pipeline(
        world.store,
        world.vault,
        world.audit,
        partition="aws",
        region="eu-central-1",
        regions={"eu-central-1", "us-east-1"},
        random=world.random,
        max_body=1 << 20,
        services=extended(settings.service_linked_role),
    )
    made = world.call(world.root, create("backup.aws.internal", custom_suffix="2")).role
    assert made is not None
    assert made.arn.endswith(":role/aws-service-role/backup.aws.internal/AWSServiceRoleForOurBackup_2")
    world.call(world.root, create())


@pytest.mark.parametrize(
    "text", ["backup.aws.internal", "backup=R", "backup.example.com=R", "a.aws.internal=", "a.aws.internal=x/y"]
)
def test_what_is_no_service_with_a_role_is_refused_at_start(text: str) -> None:
    with pytest.raises(ConfigError, match="service-linked-role must be SERVICE=ROLE"):
        load_settings({"service_linked_role": [text]}, {})


# Protect


@pytest.mark.facts("IAM-ROL-030", "IAM-GEN-076")
@pytest.mark.parametrize(
    "command",
    [
        roles.DeleteRoleCommand(role_name=NAME),
        roles.UpdateRoleCommand(role_name=NAME, max_session_duration=7200),
        roles.UpdateAssumeRolePolicyCommand(role_name=NAME, policy_document=TRUST),
        roles.PutRolePolicyCommand(role_name=NAME, policy_name="p", policy_document=TEXT),
        roles.DeleteRolePolicyCommand(role_name=NAME, policy_name="p"),
        roles.AttachRolePolicyCommand(role_name=NAME, policy_arn=READER),
        roles.DetachRolePolicyCommand(role_name=NAME, policy_arn=READER),
        roles.PutRolePermissionsBoundaryCommand(role_name=NAME, permissions_boundary=READER),
        roles.DeleteRolePermissionsBoundaryCommand(role_name=NAME),
        instance_profiles.AddRoleToInstanceProfileCommand(instance_profile_name="i", role_name=NAME),
    ],
    ids=lambda command: type(command).__name__,
)
def test_nobody_changes_a_service_linked_role(world: World, command: Any) -> None:
    world.call(world.root, create())
    world.call(world.root, instance_profiles.CreateInstanceProfileCommand(instance_profile_name="i"))
    before = get(world)
    refused = world.refusal(world.root, command, errors.UnmodifiableEntityException)
    assert refused == (
        f"Cannot perform the operation on the protected role '{NAME}' - this role is only modifiable by AWS"
    )
    assert get(world) == before


@pytest.mark.facts("IAM-ROL-030")
def test_what_the_model_knows_no_refusal_for_is_allowed(world: World) -> None:
    world.call(world.root, create())
    world.call(world.root, roles.TagRoleCommand(role_name=NAME, tags=TAGS))
    world.call(world.root, roles.UpdateRoleDescriptionCommand(role_name=NAME, description="ours"))
    world.call(world.root, roles.UpdateRoleCommand(role_name=NAME, description="still ours"))
    assert (get(world).tags, get(world).description) == (TAGS, "still ours")
    world.call(world.root, roles.UntagRoleCommand(role_name=NAME, tag_keys=("team",)))


# Delete


@pytest.mark.facts("IAM-SHD-002", "IAM-CL-021", "IAM-CL-028")
def test_a_deletion_is_a_task_that_can_be_asked_for(world: World) -> None:
    world.call(world.root, create())
    task = delete(world)
    prefix = f"task/aws-service-role/{SERVICE}/{NAME}/"
    assert task.startswith(prefix)
    assert len(task) == len(prefix) + 36
    assert world.call(world.root, status(task)).status == "SUCCEEDED"
    world.refusal(world.root, roles.GetRoleCommand(role_name=NAME), errors.NoSuchEntityException)
    world.call(world.root, create())
    assert delete(world) != task


@pytest.mark.facts("IAM-SHD-002")
def test_a_task_that_there_is_not(world: World) -> None:
    world.call(world.root, create())
    task = delete(world)
    other = world.account(OTHER)
    wrong = [task[:-1] + ("0" if task[-1] != "0" else "1"), task.replace(NAME, "Other"), "task", "x" * 1000, "é"]
    for each in wrong:
        world.refusal(world.root, status(each), errors.NoSuchEntityException)
    world.refusal(other, status(task), errors.NoSuchEntityException)
    world.now += 86_400
    world.call(world.root, create())
    delete(world)
    world.refusal(world.root, status(task), errors.NoSuchEntityException)


@pytest.mark.facts("IAM-OP-DeleteServiceLinkedRole", "IAM-CL-021")
def test_only_service_linked_roles_are_deleted_so(world: World) -> None:
    world.role("deploy", {"AWS": ACCOUNT})
    for name in ("deploy", "nothing"):
        command = api.DeleteServiceLinkedRoleCommand(role_name=name)
        world.refusal(world.root, command, errors.NoSuchEntityException)
    assert get(world, "deploy").role_name == "deploy"


@pytest.mark.facts("IAM-OP-GetServiceLinkedRoleDeletionStatus", "IAM-CL-028")
def test_permission_to_ask_is_on_the_role(world: World) -> None:
    action = "iam:GetServiceLinkedRoleDeletionStatus"
    alice = world.user("alice", document(Effect="Allow", Action=action, Resource=ARN))
    world.call(world.root, create())
    world.call(world.root, create("ecs.amazonaws.com"))
    world.call(alice, status(delete(world)))
    world.refusal(alice, status(delete(world, "AWSServiceRoleForECS")), errors.AccessDenied)
    world.refusal(alice, status("task"), errors.AccessDenied)
