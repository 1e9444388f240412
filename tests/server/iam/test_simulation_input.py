"""What the policy simulator refuses (iam_api.md §11)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from locum import errors
from locum.api.iam import users
from locum.api.iam.simulation import (
    ContextEntry,
    GetContextKeysForCustomPolicyCommand,
    GetContextKeysForPrincipalPolicyCommand,
    PolicyIdentifier,
    SimulateCustomPolicyCommand,
    SimulatePrincipalPolicyCommand,
)
from locum.core.records import User
from locum.store.records import Records

from ..conftest import ACCOUNT, OTHER, World
from .simulated import (
    ALICE,
    INLINE,
    OBJECT,
    READER,
    allow,
    command,
    custom,
    entry,
    levels,
    on_bucket,
    text,
)

# Refusals


@pytest.mark.facts("IAM-SIM-008")
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"policy_input_list": (text(allow()), "{")}, "Policy input list item 2 has invalid content"),
        (
            {"policy_input_list": (text({"Effect": "Allow", "Action": "s3:*"}),)},
            "Policy input list item 1 has invalid content",
        ),
        (
            {"permissions_boundary_policy_input_list": (text({**allow(), "Principal": "*"}),)},
            "PermissionsBoundaryPolicyInputList.1: Policy document should not specify a principal.",
        ),
        (
            {"permissions_boundary_policy_input_list": (text(allow()),) * 2},
            "The list of Permissions Boundary policies cannot exceed 1 items.",
        ),
        (
            {"resource_policy": text(allow()), "caller_arn": ALICE, "resource_arns": (OBJECT,)},
            "ResourcePolicy: Missing required field Principal",
        ),
        (
            {"ordered_organization_policy_input_list": levels((allow(),), ({"Effect": "Allow", "Action": "*"},))},
            "OrderedOrganizationPolicyInputList.2.1: The provided policy document does not meet the requirements "
            "of the specified policy type.",
        ),
        (
            {"resource_policy": on_bucket(allow()), "caller_arn": ALICE},
            "Invalid Entity Arn: * does not clearly define entity type and name.",
        ),
        (
            {"resource_policy": on_bucket(allow()), "resource_arns": (OBJECT,)},
            "Invalid caller - Caller cannot be null or empty.",
        ),
        (
            {
                "resource_policy": on_bucket(allow()),
                "resource_arns": (OBJECT,),
                "caller_arn": f"arn:aws:iam::{ACCOUNT}:role/deploy",
            },
            "Invalid caller - Caller must be an IAM user in this context.",
        ),
        (
            {
                "resource_policy": on_bucket(allow()),
                "resource_arns": (f"arn:aws:iam::{ACCOUNT}:role/x",),
                "caller_arn": ALICE,
            },
            "Simulation of resource-based policies isn't supported for IAM roles.",
        ),
        *(
            (
                {"caller_arn": caller},
                "Invalid caller - Caller must be an IAM user, role or group in this context.",
            )
            for caller in (
                "alice",
                f"arn:aws:iam::{ACCOUNT}:root",
                f"arn:aws:iam::{ACCOUNT}:user/",
                "arn:aws:iam:::user/alice",
                f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/s1",
                f"arn:aws:sts::{ACCOUNT}:federated-user/alice",
            )
        ),
        ({"resource_arns": ("ledger",)}, "ResourceNames are not in a valid ARN format: ledger."),
        ({"resource_arns": (OBJECT, "*")}, "ResourceNames are not in a valid ARN format: *."),
        ({"resource_arns": ("arn:aws:s3:::",)}, "ResourceNames are not in a valid ARN format: arn:aws:s3:::."),
        ({"resource_owner": "nobody"}, "Invalid Resource Owner."),
        ({"resource_owner": f"arn:aws:s3::{OTHER}:root"}, "Invalid Resource Owner."),
        ({"action_names": ("GetObject",)}, "The action is invalid since it is missing names"),
        (
            {"context_entries": tuple(entry(f"{aws}:username", "a", type="string") for aws in ("aws", "AWS"))},
            "Duplicate context key: AWS:username.",
        ),
        ({"context_entries": (ContextEntry(),)}, "ContextKeyName cannot be null or empty."),
        ({"context_entries": (entry("svc:key", "x"),)}, "Context key svc:key has invalid type null."),
        (
            {"context_entries": (entry("svc:key", "1", "2", type="numeric"),)},
            "Context key numeric expected a single value, but received 2.",
        ),
        *(
            ({"context_entries": (entry("svc:key", "x", type=type),)}, f"Invalid context value for key svc:key: {why}")
            for type, why in (
                ("ip", "expected IP address."),
                ("numericList", "expected numeric format."),
                ("date", "expected DateTime format."),
                ("binary", "expected base-64 encoded binary format."),
            )
        ),
        (
            {"context_entries": (entry("svc:key", type="stringList"),)},
            "Context values for context key svc:key cannot be null or empty.",
        ),
        *(
            (
                {"resource_handling_option": option, "action_names": actions},
                f"Invalid resource handling option: {option}",
            )
            for option, *actions in (
                ("EC2-Mainframe", "ec2:RunInstances"),
                ("EC2-VPC-EBS", "s3:GetObject"),
                ("EC2-VPC-EBS", "ec2:RunInstances", "s3:GetObject"),
            )
        ),
    ],
)  # fmt: skip
def test_input_that_makes_no_sense_is_refused(world: World, bad: dict[str, Any], message: str) -> None:
    simulate = msgspec.structs.replace(command(allow()), **bad)
    assert world.refusal(world.root, simulate, errors.InvalidInputException) == message


@pytest.mark.parametrize(
    ("option", "action"),
    [
        ("EC2-VPC-EBS", "ec2:RunInstances"),
        ("EC2-Classic-EBS", "EC2:StopInstances"),
        ("CloudWatch-Alarm", "cloudwatch:PutMetricAlarm"),
    ],
)
def test_a_scenario_of_the_actions_service_needs_no_certain_resources(world: World, option: str, action: str) -> None:
    result = custom(world, allow(), action_names=(action,), resource_handling_option=option)
    assert result.eval_decision == "allowed"


def test_an_action_needs_no_more_than_a_colon(world: World) -> None:
    for action in ("s3:Get*", "s3:Get\u0661"):
        assert custom(world, allow("s3:*"), action_names=(action,)).eval_decision == "allowed"


@pytest.mark.parametrize(
    "identifier",
    [
        PolicyIdentifier(),
        PolicyIdentifier(policy_type="inline", policy_arn=READER),
        PolicyIdentifier(policy_arn="not-the-arn-of-a-policy"),
        PolicyIdentifier(policy_arn=f"arn:aws:iam::{ACCOUNT}:user/alice"),
        PolicyIdentifier(policy_arn="arn:aws:iam::*:policy/IAMReadOnlyAccess"),
        PolicyIdentifier(policy_arn="arn:aws:iam::aws:policy/o*/IAM*"),
        PolicyIdentifier(policy_arn="arn:aws:iam::aws:policy/IAM*Access*"),
        PolicyIdentifier(inline_policy_identifier=msgspec.structs.replace(INLINE, attachment_name="*a*")),
    ],
    ids=repr,
)
def test_an_identifier_that_is_unclear_is_refused(world: World, identifier: PolicyIdentifier) -> None:
    world.user("alice")
    simulate = SimulatePrincipalPolicyCommand(
        policy_source_arn=ALICE, action_names=("s3:Get",), policy_exclusion_list=(identifier,)
    )
    world.refusal(world.root, simulate, errors.InvalidInputException)


@pytest.mark.facts("IAM-SIM-001")
@pytest.mark.parametrize(
    "kind", [SimulatePrincipalPolicyCommand, GetContextKeysForPrincipalPolicyCommand], ids=lambda kind: kind.__name__
)
def test_the_source_is_a_user_role_or_group_of_the_account(world: World, kind: Any) -> None:
    more = {"action_names": ("s3:Get",)} if kind is SimulatePrincipalPolicyCommand else {}
    alice = world.user("alice")  # who may do nothing: what is no source at all is refused first
    for source in (
        "not the arn of anybody",
        f"arn:aws:iam::{ACCOUNT}:root",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/s1",
        f"arn:aws:iam::{ACCOUNT}:policy/deploy",
    ):
        refused = world.refusal(alice, kind(policy_source_arn=source, **more), errors.InvalidInputException)
        assert refused == f"Invalid Entity Arn: {source} does not clearly define entity type and name."
    world.account(OTHER)
    foreign = kind(policy_source_arn=f"arn:aws:iam::{OTHER}:user/alice", **more)
    assert world.refusal(alice, foreign, errors.InvalidInputException) == (
        f"Invalid Policy Source Arn: caller's account {ACCOUNT} does not have access to policies in account {OTHER}"
    )
    for noun, path in (
        ("user", "bob"),
        ("role", "alice"),
        ("group", "staff"),
    ):
        source = f"arn:aws:iam::{ACCOUNT}:{noun}/{path}"
        refused = world.refusal(world.root, kind(policy_source_arn=source, **more), errors.NoSuchEntityException)
        assert refused == f"The {noun} with name {path.rpartition('/')[2]} cannot be found."


@pytest.mark.facts("IAM-SIM-008")
def test_a_policy_in_force_that_nobody_can_evaluate_is_reported(world: World) -> None:
    alice = world.user("alice", text(allow("s3:*")))
    world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=READER))

    def store(**changed: Any) -> None:
        with world.store.transaction() as rows:
            records = Records(rows)
            stored = records.get(User, ACCOUNT, "alice")
            assert stored is not None
            records.replace(stored, msgspec.structs.replace(stored.record, **changed))

    simulate = SimulatePrincipalPolicyCommand(policy_source_arn=ALICE, action_names=("s3:GetObject",))
    missing = f"arn:aws:iam::{ACCOUNT}:policy/gone"
    for changed, name in (
        ({"inline": {"p": "{"}}, "user_alice_p"),
        ({"inline": {}, "attached": (missing,)}, missing),
        ({"attached": (), "boundary": missing}, missing),
    ):
        store(**changed)
        refused = world.refusal(world.root, simulate, errors.PolicyEvaluationException)
        assert refused.startswith(f"The policy {name} cannot be evaluated: ")
        response = world.send(world.request(simulate, world.root))
        assert response.status == 500
        # Such a policy denies everything (R28).
        world.refusal(alice, users.GetUserCommand(), errors.AccessDenied)


@pytest.mark.facts("IAM-SIM-001")
@pytest.mark.parametrize(
    ("kind", "members"),
    [
        (SimulateCustomPolicyCommand, ["policyInputList", "actionNames"]),
        (SimulatePrincipalPolicyCommand, ["policySourceArn", "actionNames"]),
        (GetContextKeysForCustomPolicyCommand, ["policyInputList"]),
        (GetContextKeysForPrincipalPolicyCommand, ["policySourceArn"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_must_be_given_is_missed_all_at_once(world: World, kind: Any, members: list[str]) -> None:
    empty = kind(**dict.fromkeys(kind.__struct_fields__))
    refused = world.refusal(world.root, empty, errors.ValidationError)
    assert [each.partition("'")[0] for each in refused.split("Value at '")[1:]] == members


def test_a_simulation_is_read_only_and_audited(world: World) -> None:
    custom(world, allow())
    line = world.records()[-1]
    assert (line["eventName"], line["readOnly"]) == ("SimulateCustomPolicy", True)
    assert line["requestParameters"]["actionNames"] == ["s3:GetObject"]
