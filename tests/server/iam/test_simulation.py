"""The policy simulator over the wire (iam_api.md §11, policy.md §19)."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import msgspec
import pytest
from botocore.parsers import create_parser

from locum import errors
from locum.api.iam import types, users
from locum.api.iam.simulation import (
    EvaluationResult,
    GetContextKeysForPrincipalPolicyCommand,
    Position,
    SimulateCustomPolicyCommand,
    SimulatePrincipalPolicyCommand,
)
from locum.server.iam import simulation as handlers

from ..conftest import ACCOUNT, World
from .simulated import (
    ALICE,
    BUCKET,
    OBJECT,
    allow,
    command,
    custom,
    deny,
    entry,
    levels,
    principal,
    sources,
    text,
)

# Decisions


@pytest.mark.facts("POL-SM-001", "IAM-SIM-005")
@pytest.mark.parametrize(
    ("inputs", "boundary", "expected"),
    [
        ([allow("s3:*")], None, "allowed"),
        ([allow("sqs:*"), allow("S3:getobject")], None, "allowed"),
        ([allow("sqs:*")], None, "implicitDeny"),
        ([allow(), deny("s3:Get*")], None, "explicitDeny"),
        ([allow()], allow("s3:*"), "allowed"),
        ([allow()], allow("sqs:*"), "implicitDeny"),
        ([allow("sqs:*")], allow(), "implicitDeny"),
        ([allow()], deny("s3:*"), "explicitDeny"),
        ([deny("s3:*")], allow(), "explicitDeny"),
    ],
)
def test_a_decision_is_the_union_of_policies_within_the_boundary(
    world: World, inputs: list[Any], boundary: Any, expected: str
) -> None:
    boundaries = () if boundary is None else (text(boundary),)
    result = custom(world, *inputs, permissions_boundary_policy_input_list=boundaries)
    assert result.eval_decision == expected
    detail = result.permissions_boundary_decision_detail
    if boundary is None:
        assert detail is None
    else:
        assert detail is not None
        assert detail.allowed_by_permissions_boundary is (
            boundary["Effect"] == "Allow" and boundary["Action"] != "sqs:*"
        )
    assert result.organizations_decision_detail is None


@pytest.mark.facts("R30")
@pytest.mark.parametrize(
    "policy",
    [
        allow("iam:GetUser"),
        allow("iam:GetUser", "arn:aws:iam::*:user/bo?"),
        allow("iam:GetUser", ALICE),
        deny("iam:*"),
        allow("iam:*", Condition={"StringEquals": {"aws:username": "alice"}}),
        allow("iam:*", Condition={"StringNotEquals": {"aws:username": "alice"}}),
    ],
    ids=json.dumps,
)
def test_a_simulation_says_what_the_server_does(world: World, policy: Any) -> None:
    alice = world.user("alice", text(policy))
    bob = world.call(world.root, users.CreateUserCommand(user_name="bob")).user
    assert bob is not None
    result = principal(
        world,
        ALICE,
        action_names=("iam:GetUser",),
        resource_arns=(bob.arn,),
        context_entries=(entry("aws:username", "alice", type="string"),),
    )
    try:
        world.call(alice, users.GetUserCommand(user_name="bob"))
        done = True
    except errors.AccessDenied:
        done = False
    assert (result.eval_decision == "allowed") is done


def test_what_nobody_can_be_denied_is_allowed(world: World) -> None:
    assert custom(world, deny(), action_names=("sts:GetCallerIdentity",)).eval_decision == "allowed"


@pytest.mark.facts("IAM-GEN-022")
def test_a_policy_is_read_as_it_stands_and_not_decoded_once_more(world: World) -> None:
    assert custom(world, allow("s3:*", "arn:aws:s3:::%2A"), resource_arns=(OBJECT,)).eval_decision == "implicitDeny"
    assert custom(world, allow("s3:*", "arn:aws:s3:::*"), resource_arns=(OBJECT,)).eval_decision == "allowed"


# The shape of an answer


@pytest.mark.facts("IAM-SIM-002", "POL-SM-005", "POL-SM-001")
def test_an_action_on_resources_has_the_strictest_decision_and_a_result_for_each(world: World) -> None:
    other = "arn:aws:s3:::other/b"
    result = custom(world, allow("s3:*", "arn:aws:s3:::ledger/*"), resource_arns=(OBJECT, other))
    assert (result.eval_action_name, result.eval_resource_name, result.eval_decision) == (
        "s3:GetObject",
        "*",
        "implicitDeny",
    )
    assert result.matched_statements == ()
    assert result.eval_decision_details == {}
    assert result.resource_specific_results is not None
    first, second = result.resource_specific_results
    assert (first.eval_resource_name, first.eval_resource_decision) == (OBJECT, "allowed")
    assert sources(first.matched_statements) == [("PolicyInputList.1", "IAM Policy")]
    assert (second.eval_resource_name, second.eval_resource_decision) == (other, "implicitDeny")
    assert second.matched_statements == ()
    assert second.missing_context_values == ()
    assert second.eval_decision_details is None


@pytest.mark.facts("IAM-SIM-002")
def test_one_resource_gives_the_result_its_name(world: World) -> None:
    result = custom(world, allow("s3:*"), resource_arns=(OBJECT,))
    assert result.eval_resource_name == OBJECT
    assert result.resource_specific_results is not None
    (specific,) = result.resource_specific_results
    assert specific.matched_statements == result.matched_statements


@pytest.mark.facts("IAM-SIM-001", "IAM-SIM-002")
def test_without_resources_everything_is_meant_and_nothing_said_of_single_ones(world: World) -> None:
    for resources in ((), ("*",)):
        simulate = command(allow(), resource_arns=resources)
        (result,) = world.call(world.root, simulate).evaluation_results
        assert result.eval_resource_name == "*"
        assert (result.eval_decision_details, result.resource_specific_results) == (None, None)
        body = world.send(world.request(simulate, world.root)).body
        assert b"<MissingContextValues/>" in body
        assert b"<ResourceSpecificResults" not in body
        assert b"<EvalDecisionDetails" not in body
    assert custom(world, allow("s3:*", OBJECT)).eval_decision == "implicitDeny"


@pytest.mark.facts("IAM-SIM-002")
def test_empty_lists_and_details_are_sent_and_read_by_an_sdk(world: World) -> None:
    simulate = command(
        allow("sqs:*"), resource_arns=(OBJECT,), ordered_organization_policy_input_list=levels((allow(),))
    )
    response = world.send(world.request(simulate, world.root))
    model = botocore.session.get_session().get_service_model("iam")
    output = model.operation_model("SimulateCustomPolicy").output_shape
    parsed = create_parser("query").parse(
        {"body": response.body, "headers": dict(response.headers), "status_code": response.status}, output
    )
    empty: list[Any] = []
    assert parsed["IsTruncated"] is False
    assert parsed["EvaluationResults"] == [
        {
            "EvalActionName": "s3:GetObject",
            "EvalResourceName": OBJECT,
            "EvalDecision": "implicitDeny",
            "MatchedStatements": empty,
            "MissingContextValues": empty,
            "OrganizationsDecisionDetail": {"AllowedByOrganizations": True},
            "EvalDecisionDetails": {},
            "ResourceSpecificResults": [
                {
                    "EvalResourceName": OBJECT,
                    "EvalResourceDecision": "implicitDeny",
                    "MatchedStatements": empty,
                    "MissingContextValues": empty,
                }
            ],
        }
    ]


@pytest.mark.facts("IAM-SIM-003", "POL-SM-005")
def test_matched_statements_name_policy_type_and_places(world: World) -> None:
    given = '{"Version":"2012-10-17","Statement":[\n  {"Effect":"Allow","Action":"*","Resource":"*"}]}'
    simulate = SimulateCustomPolicyCommand(policy_input_list=(text(allow("sqs:*")), given), action_names=("s3:Get",))
    (result,) = world.call(world.root, simulate).evaluation_results
    assert result.matched_statements is not None
    (statement,) = result.matched_statements
    assert sources([statement]) == [("PolicyInputList.2", "IAM Policy")]
    assert statement.start_position == Position(line=1, column=38)
    assert statement.end_position == Position(line=2, column=49)


@pytest.mark.facts("IAM-SIM-003")
def test_a_denial_lists_its_denies_and_an_allowed_request_what_allows_it(world: World) -> None:
    result = custom(
        world,
        allow("s3:*"),
        deny("s3:Get*"),
        deny("s3:*", OBJECT),
        permissions_boundary_policy_input_list=(text(deny("s3:GetObject")),),
    )
    assert sources(result.matched_statements) == [
        ("PolicyInputList.2", "IAM Policy"),
        ("PermissionsBoundaryPolicyInputList.1", "Permissions Boundary Policy"),
    ]
    within = custom(world, allow("s3:*"), allow(), permissions_boundary_policy_input_list=(text(allow()),))
    assert sources(within.matched_statements) == [
        ("PolicyInputList.1", "IAM Policy"),
        ("PolicyInputList.2", "IAM Policy"),
    ]


def test_the_union_lists_only_statements_of_the_reported_decision(world: World) -> None:
    result = custom(world, allow("s3:*"), deny("s3:*", BUCKET), resource_arns=(BUCKET, OBJECT, BUCKET))
    assert result.eval_decision == "explicitDeny"
    assert sources(result.matched_statements) == [("PolicyInputList.2", "IAM Policy")]


# Pages


@pytest.mark.facts("IAM-SIM-004")
def test_results_come_action_by_action_in_pages(world: World) -> None:
    names = tuple(f"s3:Get{number}" for number in range(5))
    simulate = command(allow(), action_names=names, resource_arns=(BUCKET, OBJECT), max_items=2)
    seen: list[EvaluationResult] = []
    marker, pages = None, 0
    while True:
        page = world.call(world.root, msgspec.structs.replace(simulate, marker=marker))
        seen += page.evaluation_results
        pages += 1
        assert page.is_truncated is (pages < 3)
        if not page.is_truncated:
            break
        marker = page.marker
    assert tuple(result.eval_action_name for result in seen) == names
    for result in seen:
        assert [each.eval_resource_name for each in result.resource_specific_results or ()] == [BUCKET, OBJECT]
    other = command(deny(), action_names=names, resource_arns=(BUCKET, OBJECT), marker=marker)
    assert world.refusal(world.root, other, errors.ValidationError) == "Invalid Marker."


def test_a_page_ends_early_where_it_would_be_too_much_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "MOST_TESTS", 6)
    names = ("s3:A", "s3:B", "s3:C")
    simulate = command(allow(), action_names=names, resource_arns=(BUCKET, OBJECT, "arn:aws:s3:::c"))
    first = world.call(world.root, simulate)
    assert [each.eval_action_name for each in first.evaluation_results] == ["s3:A", "s3:B"]
    assert first.is_truncated
    rest = world.call(world.root, msgspec.structs.replace(simulate, marker=first.marker))
    assert [each.eval_action_name for each in rest.evaluation_results] == ["s3:C"]
    assert not rest.is_truncated
    many = command(allow(), allow(), allow(), resource_arns=(BUCKET, OBJECT, "arn:aws:s3:::c"))
    assert "too many statements" in world.refusal(world.root, many, errors.InvalidInputException)


# Permission


@pytest.mark.facts("IAM-SIM-004", "POL-SM-002")
def test_the_callers_own_policies_permit_the_simulation_and_are_no_part_of_it(world: World) -> None:
    alice = world.user("alice", text(allow("iam:SimulateCustomPolicy"), deny("s3:*")))
    (result,) = world.call(alice, command(allow("s3:*"))).evaluation_results
    assert result.eval_decision == "allowed"
    bob = world.user("bob", text(allow("s3:*")))
    refused = world.refusal(bob, command(allow("s3:*")), errors.AccessDenied)
    assert "iam:SimulateCustomPolicy" in refused
    assert "on resource: * because no identity-based policy allows" in refused


@pytest.mark.parametrize(
    "kind", [SimulatePrincipalPolicyCommand, GetContextKeysForPrincipalPolicyCommand], ids=lambda kind: kind.__name__
)
def test_permission_is_asked_for_the_source(world: World, kind: Any) -> None:
    more = {"action_names": ("s3:Get",)} if kind is SimulatePrincipalPolicyCommand else {}
    tag = types.Tag(key="team", value="blue")
    world.call(world.root, users.CreateUserCommand(user_name="bob", path="/ops/", tags=(tag,)))
    world.call(world.root, users.CreateUserCommand(user_name="carol"))
    bob, carol = f"arn:aws:iam::{ACCOUNT}:user/ops/bob", f"arn:aws:iam::{ACCOUNT}:user/carol"
    action = kind.operation.action
    by_arn = world.user("alice", text(allow(action, bob)))
    by_tag = world.user("dave", text(allow(action, Condition={"StringEquals": {"aws:ResourceTag/team": "blue"}})))
    for credentials in (by_arn, by_tag):
        world.call(credentials, kind(policy_source_arn=bob, **more))
        for other in (carol, f"{bob}by", f"arn:aws:iam::{ACCOUNT}:user/bob"):
            refused = world.refusal(credentials, kind(policy_source_arn=other, **more), errors.AccessDenied)
            assert refused.endswith(
                f"{action} on resource: {other} because no identity-based policy allows the {action} action"
            )


# Context


@pytest.mark.facts("POL-SM-002")
def test_only_context_entries_are_known(world: World) -> None:
    conditions = {
        "Bool": {"aws:SecureTransport": "false"},
        "StringEquals": {"aws:username": "alice", "aws:PrincipalAccount": ACCOUNT},
        "IpAddress": {"aws:SourceIp": "0.0.0.0/0"},
        "DateGreaterThan": {"aws:CurrentTime": "2000-01-01T00:00:00Z"},
    }
    named = ("aws:SecureTransport", "aws:username", "aws:PrincipalAccount", "aws:SourceIp", "aws:CurrentTime")
    world.user("alice", text(allow(Condition=conditions)))
    result = principal(world, ALICE)
    assert (result.eval_decision, result.missing_context_values) == ("implicitDeny", named)
    entries = (
        entry("aws:SecureTransport", "false", type="boolean"),
        entry("AWS:UserName", "alice", type="string"),
        entry("aws:PrincipalAccount", ACCOUNT),
        entry("aws:SourceIp", "203.0.113.7", type="ip"),
        entry("aws:CurrentTime", "2026-01-01T00:00:00Z", type="date"),
    )
    result = principal(world, ALICE, context_entries=entries)
    assert (result.eval_decision, result.missing_context_values) == ("allowed", ())


@pytest.mark.facts("POL-SM-003")
def test_missing_keys_are_those_of_all_policies_but_service_control_policies(world: World) -> None:
    def on(key: str) -> dict[str, Any]:
        return {"Condition": {"StringLike": {key: "*"}}}

    result = custom(
        world,
        allow("s3:*", "arn:aws:s3:::${aws:username}/*"),
        deny("sqs:*", **on("aws:Referer")),
        permissions_boundary_policy_input_list=(text(allow(**on("aws:UserAgent"))),),
        ordered_organization_policy_input_list=levels((allow(**on("aws:RequestedRegion")),)),
        resource_policy=text({**allow(**on("aws:SourceVpc")), "Principal": "*", "Resource": OBJECT}),
        caller_arn=ALICE,
        resource_arns=(OBJECT,),
        context_entries=(entry("aws:referer", "x", type="string"),),
    )
    assert set(result.missing_context_values or ()) == {"aws:username", "aws:UserAgent", "aws:SourceVpc"}
    (specific,) = result.resource_specific_results or ()
    assert specific.missing_context_values == result.missing_context_values


@pytest.mark.facts("POL-SM-006")
@pytest.mark.parametrize(
    ("operator", "wanted", "type", "values"),
    [
        ("StringEquals", "x", "string", ("x",)),
        ("ForAnyValue:StringEquals", "x", "stringList", ("y", "x")),
        ("NumericLessThan", "5", "numeric", ("4.5",)),
        ("ForAllValues:NumericLessThan", "5", "numericList", ("1", "2")),
        ("Bool", "true", "boolean", ("True",)),
        ("ForAnyValue:Bool", "true", "booleanList", ("false", "true")),
        ("IpAddress", "203.0.113.0/24", "ip", ("203.0.113.7",)),
        ("ForAllValues:IpAddress", "203.0.113.0/24", "ipList", ("203.0.113.7", "203.0.113.8")),
        ("BinaryEquals", "AAEC", "binary", ("AAEC",)),
        ("ForAnyValue:BinaryEquals", "AAEC", "binaryList", ("AAEC",)),
        ("DateLessThan", "2026-01-01T00:00:00Z", "date", ("1",)),
        ("ForAnyValue:DateLessThan", "2026-01-01T00:00:00Z", "dateList", ("2025-12-31T00:00:00Z",)),
    ],
)
def test_each_type_of_context_entry_is_compared(
    world: World, operator: str, wanted: str, type: str, values: tuple[str, ...]
) -> None:
    statement = allow(Condition={operator: {"svc:key": wanted}})
    result = custom(world, statement, context_entries=(entry("svc:key", *values, type=type),))
    assert (result.eval_decision, result.missing_context_values) == ("allowed", ())


def test_an_unknown_type_breaks_the_model(world: World) -> None:
    refused = world.refusal(world.root, command(allow(), context_entries=(entry("svc:key", "x", type="arn"),)))
    assert "Member must satisfy enum value set: [string, stringList, " in refused
