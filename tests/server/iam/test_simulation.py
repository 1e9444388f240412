"""The policy simulator over the wire (iam_api.md §11, policy.md §19)."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import msgspec
import pytest
from botocore.parsers import create_parser

from locum import errors
from locum.api.iam import policies, types, users
from locum.api.iam.simulation import (
    ContextEntry,
    EvaluationResult,
    GetContextKeysForCustomPolicyCommand,
    GetContextKeysForPrincipalPolicyCommand,
    InlinePolicyIdentifierType,
    OrderedOrganizationPolicyType,
    PolicyIdentifier,
    Position,
    SimulateCustomPolicyCommand,
    SimulatePrincipalPolicyCommand,
)
from locum.core.records import User
from locum.server.iam import simulation as handlers
from locum.store.records import Records

from ..conftest import ACCOUNT, OTHER, World, document

BUCKET = "arn:aws:s3:::ledger"
OBJECT = "arn:aws:s3:::ledger/a"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
READER = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"


def text(*statements: dict[str, Any], **statement: Any) -> str:
    return json.dumps(document(*statements, **statement))


def allow(action: str = "*", resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str = "*", resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def command(*inputs: Any, **more: Any) -> SimulateCustomPolicyCommand:
    """A simulation of policies, each a statement; of s3:GetObject unless other actions are named."""
    more.setdefault("action_names", ("s3:GetObject",))
    return SimulateCustomPolicyCommand(policy_input_list=tuple(text(each) for each in inputs), **more)


def custom(world: World, *inputs: Any, **more: Any) -> EvaluationResult:
    """The only result of a simulation."""
    (result,) = world.call(world.root, command(*inputs, **more)).evaluation_results
    return result


def principal(world: World, source: str, **more: Any) -> EvaluationResult:
    more.setdefault("action_names", ("s3:GetObject",))
    simulate = SimulatePrincipalPolicyCommand(policy_source_arn=source, **more)
    (result,) = world.call(world.root, simulate).evaluation_results
    return result


def levels(*given: tuple[Any, ...]) -> tuple[OrderedOrganizationPolicyType, ...]:
    return tuple(
        OrderedOrganizationPolicyType(service_control_policy_input_list=tuple(text(each) for each in level))
        for level in given
    )


def sources(statements: Any) -> list[tuple[str, str]]:
    return [(each.source_policy_id, each.source_policy_type) for each in statements]


def entry(name: str, *values: str, type: str | None = None) -> ContextEntry:
    return ContextEntry(context_key_name=name, context_key_values=values, context_key_type=type)


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
    assert "on resource" not in refused


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
    assert refused.endswith("Member must satisfy enum value set")


# Organizations


@pytest.mark.facts("POL-SM-004", "IAM-SIM-005", "POL-SM-002")
@pytest.mark.parametrize(
    ("given", "expected", "allowed"),
    [
        (((allow(),), (allow(),)), "allowed", True),
        (((allow(),), (allow("sqs:*"), allow("s3:*"))), "allowed", True),
        (((allow(),), (allow("sqs:*"),)), "implicitDeny", False),
        (((allow("sqs:*"),), (allow(),)), "implicitDeny", False),
        (((allow(),), (allow(), deny("s3:*"))), "explicitDeny", False),
        (((allow(),), ()), "implicitDeny", False),
    ],
)
def test_every_level_of_an_organization_must_allow(
    world: World, given: tuple[Any, ...], expected: str, allowed: bool
) -> None:
    result = custom(world, allow(), ordered_organization_policy_input_list=levels(*given), resource_arns=(OBJECT,))
    assert result.eval_decision == expected
    assert result.organizations_decision_detail is not None
    assert result.organizations_decision_detail.allowed_by_organizations is allowed
    # A denial by an organization ends the simulation: no statements, no word on other policies.
    assert (result.eval_decision_details is None) is not allowed
    assert bool(result.matched_statements) is allowed


@pytest.mark.facts("POL-SM-004", "IAM-SIM-001")
def test_an_organization_has_at_most_seven_levels(world: World) -> None:
    seven = custom(world, allow(), ordered_organization_policy_input_list=levels(*[(allow(),)] * 7))
    assert seven.eval_decision == "allowed"
    refused = world.refusal(
        world.root, command(allow(), ordered_organization_policy_input_list=levels(*[(allow(),)] * 8))
    )
    assert refused == (
        "1 validation error detected: Value at 'orderedOrganizationPolicyInputList' failed to satisfy constraint: "
        "Member must have length less than or equal to 7"
    )


def test_the_identity_is_what_an_organization_leaves(world: World) -> None:
    result = custom(world, allow("sqs:*"), ordered_organization_policy_input_list=levels((allow(),)))
    assert result.eval_decision == "implicitDeny"
    assert result.organizations_decision_detail is not None
    assert result.organizations_decision_detail.allowed_by_organizations


# A resource's policy


def on_bucket(statement: dict[str, Any], principal: Any = "*") -> str:
    named = principal if principal == "*" else {"AWS": principal}
    return text({**statement, "Principal": named, "Resource": "arn:aws:s3:::ledger/*"})


@pytest.mark.facts("IAM-SIM-006", "POL-SM-002")
@pytest.mark.parametrize(
    ("identity", "resource_policy", "expected"),
    [
        (allow("sqs:*"), on_bucket(allow("s3:*"), ALICE), "allowed"),
        (allow("s3:*"), on_bucket(allow("sqs:*")), "allowed"),
        (allow("sqs:*"), on_bucket(allow("s3:*"), f"arn:aws:iam::{ACCOUNT}:root"), "implicitDeny"),
        (allow("sqs:*"), on_bucket(allow("s3:*"), f"arn:aws:iam::{ACCOUNT}:user/bob"), "implicitDeny"),
        (allow("s3:*"), on_bucket(deny("s3:*"), ALICE), "explicitDeny"),
        (allow("s3:*"), on_bucket(deny("s3:*"), f"arn:aws:iam::{ACCOUNT}:user/bob"), "allowed"),
    ],
)
def test_within_an_account_the_resources_policy_adds_to_the_identitys(
    world: World, identity: Any, resource_policy: str, expected: str
) -> None:
    result = custom(world, identity, resource_policy=resource_policy, caller_arn=ALICE, resource_arns=(OBJECT,))
    assert (result.eval_decision, result.eval_decision_details) == (expected, {})
    (specific,) = result.resource_specific_results or ()
    assert specific.eval_decision_details is None


@pytest.mark.facts("IAM-SIM-006")
@pytest.mark.parametrize(
    ("identity", "statement", "expected", "details"),
    [
        (allow("s3:*"), allow("s3:*"), "allowed", ("allowed", "allowed")),
        (allow("sqs:*"), allow("s3:*"), "implicitDeny", ("implicitDeny", "allowed")),
        (allow("s3:*"), allow("sqs:*"), "implicitDeny", ("allowed", "implicitDeny")),
        (allow("s3:*"), deny("s3:*"), "explicitDeny", ("allowed", "explicitDeny")),
        (deny("s3:*"), allow("s3:*"), "explicitDeny", ("explicitDeny", "allowed")),
    ],
)
@pytest.mark.parametrize("owner", [f"arn:aws:iam::{OTHER}:root", OTHER])
def test_an_owner_of_another_account_makes_both_sides_necessary(
    world: World, identity: Any, statement: Any, expected: str, details: tuple[str, str], owner: str
) -> None:
    result = custom(
        world,
        identity,
        resource_policy=on_bucket(statement, ALICE),
        caller_arn=ALICE,
        resource_owner=owner,
        resource_arns=(OBJECT,),
        permissions_boundary_policy_input_list=(text(allow()),),
    )
    assert result.eval_decision == expected
    by_type = dict(zip(("IAM Policy", "Resource Policy"), details, strict=True))
    by_type["Permissions Boundary Policy"] = "allowed"
    assert result.eval_decision_details == by_type
    (specific,) = result.resource_specific_results or ()
    assert specific.eval_decision_details == by_type


@pytest.mark.facts("IAM-SIM-006")
def test_an_arn_with_an_account_names_its_owner_itself(world: World) -> None:
    queue = f"arn:aws:sqs:eu-central-1:{OTHER}:q"
    policy = text({"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": queue})
    asked: dict[str, Any] = {"resource_policy": policy, "caller_arn": ALICE, "action_names": ("sqs:SendMessage",)}
    across = custom(world, allow("s3:*"), resource_arns=(queue,), resource_owner=ACCOUNT, **asked)
    assert across.eval_decision == "implicitDeny"
    own = custom(
        world,
        allow("s3:*"),
        resource_arns=(queue.replace(OTHER, ACCOUNT),),
        resource_owner=OTHER,
        **asked | {"resource_policy": policy.replace(OTHER, ACCOUNT)},
    )
    assert own.eval_decision == "allowed"


@pytest.mark.facts("IAM-SIM-003")
def test_statements_of_the_resources_policy_are_listed_first_and_under_its_name(world: World) -> None:
    for statement, expected in ((allow("s3:*"), 2), (deny("s3:*"), 1)):
        result = custom(
            world,
            allow("s3:*"),
            resource_policy=text(
                {**deny("sqs:*"), "Principal": "*", "Resource": OBJECT},
                {**statement, "Principal": {"AWS": [ALICE, f"arn:aws:iam::{ACCOUNT}:user/bob"]}, "Resource": OBJECT},
                {**statement, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"}, "Resource": OBJECT},
            ),
            caller_arn=ALICE,
            resource_arns=(OBJECT,),
        )
        listed = [("ResourcePolicy", "Resource Policy"), ("PolicyInputList.1", "IAM Policy")]
        assert sources(result.matched_statements) == listed[:expected]


@pytest.mark.facts("POL-SM-002")
def test_without_its_policy_a_resource_of_another_account_is_judged_by_the_identity_alone(world: World) -> None:
    role = f"arn:aws:iam::{OTHER}:role/deploy"
    result = custom(world, allow("sts:*"), action_names=("sts:AssumeRole",), resource_arns=(role,))
    assert (result.eval_decision, result.eval_decision_details) == ("allowed", {})


# A user or role


@pytest.mark.facts("IAM-SIM-001", "IAM-SIM-003")
def test_a_user_is_simulated_with_all_its_policies_and_those_given(world: World) -> None:
    world.user("alice", text(allow("s3:*")))
    own = policies.CreatePolicyCommand(policy_name="own", path="/ops/", policy_document=text(allow("s3:GetObject")))
    made = world.call(world.root, own).policy
    assert made is not None
    assert made.arn is not None
    for policy in (made.arn, READER):
        world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=policy))
    result = principal(world, ALICE, policy_input_list=(text(allow()),))
    assert sources(result.matched_statements) == [
        ("user_alice_p", "IAM Policy"),
        ("own", "IAM Policy"),
        ("PolicyInputList.1", "IAM Policy"),
    ]
    listed = principal(world, ALICE, action_names=("iam:ListUsers",))
    assert sources(listed.matched_statements) == [("IAMReadOnlyAccess", "IAM Policy")]


@pytest.mark.facts("IAM-SIM-001")
def test_a_role_is_simulated_without_its_trust_policy(world: World) -> None:
    role = world.role("deploy", {"AWS": ACCOUNT}, document(**allow("s3:*")), path="/ops/")
    result = principal(world, role)
    assert result.eval_decision == "allowed"
    assert sources(result.matched_statements) == [("role_deploy_p", "IAM Policy")]
    assert principal(world, role, action_names=("sts:AssumeRole",)).eval_decision == "implicitDeny"


@pytest.mark.facts("IAM-SIM-005")
def test_the_boundary_of_a_user_counts_unless_another_is_given(world: World) -> None:
    world.user("alice", text(allow()))
    world.call(world.root, users.PutUserPermissionsBoundaryCommand(user_name="alice", permissions_boundary=READER))
    result = principal(world, ALICE)
    assert result.eval_decision == "implicitDeny"
    assert result.permissions_boundary_decision_detail is not None
    assert result.permissions_boundary_decision_detail.allowed_by_permissions_boundary is False
    for more in (
        {"permissions_boundary_policy_input_list": (text(allow("s3:*")),)},
        {"policy_exclusion_list": (PolicyIdentifier(policy_type="permission-boundary"),)},
    ):
        assert principal(world, ALICE, **more).eval_decision == "allowed"
    denied = principal(world, ALICE, permissions_boundary_policy_input_list=(text(deny("s3:*")),))
    assert sources(denied.matched_statements) == [
        ("PermissionsBoundaryPolicyInputList.1", "Permissions Boundary Policy")
    ]


def test_a_change_of_a_policy_shows_in_the_next_simulation(world: World) -> None:
    world.user("alice", text(allow("s3:*")))
    assert principal(world, ALICE).eval_decision == "allowed"
    world.call(world.root, users.DeleteUserPolicyCommand(user_name="alice", policy_name="p"))
    assert principal(world, ALICE).eval_decision == "implicitDeny"


@pytest.mark.facts("IAM-SIM-006")
def test_the_source_is_the_caller_unless_another_is_named(world: World) -> None:
    world.user("alice", text(allow("sqs:*")))
    more: dict[str, Any] = {"resource_policy": on_bucket(allow("s3:*"), ALICE), "resource_arns": (OBJECT,)}
    assert principal(world, ALICE, **more).eval_decision == "allowed"
    bob = f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert principal(world, ALICE, caller_arn=bob, **more).eval_decision == "implicitDeny"


INLINE = InlinePolicyIdentifierType(policy_name="p", attachment_type="user", attachment_name="a*e")


@pytest.mark.facts("IAM-SIM-001")
@pytest.mark.parametrize(
    ("identifier", "left"),
    [
        (PolicyIdentifier(policy_type="inline"), {"own", "IAMReadOnlyAccess"}),
        (PolicyIdentifier(policy_type="aws-managed"), {"user_alice_p", "own"}),
        (PolicyIdentifier(policy_type="user-managed"), {"user_alice_p", "IAMReadOnlyAccess"}),
        (PolicyIdentifier(policy_type="scp"), {"user_alice_p", "own", "IAMReadOnlyAccess"}),
        (PolicyIdentifier(policy_type="rcp"), {"user_alice_p", "own", "IAMReadOnlyAccess"}),
        (PolicyIdentifier(policy_arn=READER), {"user_alice_p", "own"}),
        (PolicyIdentifier(policy_arn=f"arn:aws:iam::{ACCOUNT}:policy/ops/o?*"), {"user_alice_p", "IAMReadOnlyAccess"}),
        (
            PolicyIdentifier(policy_arn=f"arn:aws:iam::{ACCOUNT}:policy/o*"),
            {"user_alice_p", "IAMReadOnlyAccess"},
        ),
        (
            PolicyIdentifier(policy_arn=f"arn:aws:iam::{ACCOUNT}:policy/own"),
            {"user_alice_p", "own", "IAMReadOnlyAccess"},
        ),
        (PolicyIdentifier(inline_policy_identifier=INLINE), {"own", "IAMReadOnlyAccess"}),
        (
            PolicyIdentifier(inline_policy_identifier=msgspec.structs.replace(INLINE, attachment_type="role")),
            {"user_alice_p", "own", "IAMReadOnlyAccess"},
        ),
        (
            PolicyIdentifier(inline_policy_identifier=msgspec.structs.replace(INLINE, attachment_name="?")),
            {"user_alice_p", "own", "IAMReadOnlyAccess"},
        ),
        (
            PolicyIdentifier(inline_policy_identifier=msgspec.structs.replace(INLINE, policy_name="q")),
            {"user_alice_p", "own", "IAMReadOnlyAccess"},
        ),
    ],
    ids=repr,
)
def test_policies_are_left_out_by_kind_arn_and_name(world: World, identifier: PolicyIdentifier, left: set[str]) -> None:
    world.user("alice", text(allow("iam:*")))
    own = policies.CreatePolicyCommand(policy_name="own", path="/ops/", policy_document=text(allow("iam:*")))
    made = world.call(world.root, own).policy
    assert made is not None
    assert made.arn is not None
    for policy in (made.arn, READER):
        world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=policy))
    result = principal(world, ALICE, action_names=("iam:GetUser",), policy_exclusion_list=(identifier,))
    assert {id for id, _ in sources(result.matched_statements)} == left


def test_at_most_256_identifiers_leave_policies_out(world: World) -> None:
    world.user("alice")
    identifiers = (PolicyIdentifier(policy_type="inline"),) * 257
    assert principal(world, ALICE, policy_exclusion_list=identifiers[1:]).eval_decision == "implicitDeny"
    refused = world.refusal(
        world.root,
        SimulatePrincipalPolicyCommand(
            policy_source_arn=ALICE, action_names=("s3:Get",), policy_exclusion_list=identifiers
        ),
    )
    assert refused.endswith("Member must have length less than or equal to 256")


# Context keys


@pytest.mark.facts("IAM-SIM-007")
def test_context_keys_of_policies_given_and_attached(world: World) -> None:
    one = text(
        allow("s3:*", "arn:aws:s3:::${aws:username}"), allow(Condition={"Bool": {"aws:SecureTransport": "true"}})
    )
    two = text(allow(Condition={"StringEquals": {"AWS:UserName": "x", "aws:Referer": "${aws:userid}"}}))
    found = world.call(world.root, GetContextKeysForCustomPolicyCommand(policy_input_list=(one, two)))
    assert found.context_key_names == ("aws:username", "aws:SecureTransport", "aws:Referer", "aws:userid")
    world.user("alice", two)
    world.call(world.root, users.AttachUserPolicyCommand(user_name="alice", policy_arn=READER))
    of_alice = GetContextKeysForPrincipalPolicyCommand(policy_source_arn=ALICE)
    assert world.call(world.root, of_alice).context_key_names == ("AWS:UserName", "aws:Referer", "aws:userid")
    both = GetContextKeysForPrincipalPolicyCommand(policy_source_arn=ALICE, policy_input_list=(one,))
    assert world.call(world.root, both).context_key_names == (
        "AWS:UserName",
        "aws:Referer",
        "aws:userid",
        "aws:SecureTransport",
    )
    nothing = GetContextKeysForCustomPolicyCommand(policy_input_list=(text(allow()),))
    assert world.call(world.root, nothing).context_key_names == ()
    assert b"<ContextKeyNames/>" in world.send(world.request(nothing, world.root)).body


# Refusals


@pytest.mark.facts("IAM-SIM-008")
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"policy_input_list": (text(allow()), "{")}, "PolicyInputList.2: Syntax errors in policy."),
        (
            {"policy_input_list": (text({"Effect": "Allow", "Action": "s3:*"}),)},
            "PolicyInputList.1: Policy statement must contain resources.",
        ),
        (
            {"permissions_boundary_policy_input_list": (text({**allow(), "Principal": "*"}),)},
            "PermissionsBoundaryPolicyInputList.1: Policy document should not specify a principal.",
        ),
        (
            {"permissions_boundary_policy_input_list": (text(allow()),) * 2},
            "Only one permissions boundary can be simulated.",
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
        ({"action_names": ("s3:Get*",)}, "Invalid action name: s3:Get*"),
        ({"action_names": ("GetObject",)}, "Invalid action name: GetObject"),
        ({"action_names": ("s3:Get\u0661",)}, "Invalid action name: s3:Get\u0661"),
        (
            {"context_entries": (entry("aws:username", "a"), entry("AWS:username", "b"))},
            "The context key AWS:username is given twice.",
        ),
        ({"context_entries": (ContextEntry(),)}, "A context entry must have a key name."),
        (
            {"context_entries": (entry("aws:SourceIp", "x", type="ip"),)},
            "A value of the context key aws:SourceIp is not of the type ip.",
        ),
        ({"resource_handling_option": "EC2-Classic-EBS"}, "Invalid resource handling option: EC2-Classic-EBS"),
        (
            {
                "resource_handling_option": "EC2-VPC-EBS",
                "resource_arns": ("arn:aws:ec2:us-east-1:111122223333:instance/*", "arn:aws:ec2:us-east-1::image/*"),
            },
            "The scenario EC2-VPC-EBS needs resources of the kinds security-group, network-interface, volume.",
        ),
    ],
)  # fmt: skip
def test_input_that_makes_no_sense_is_refused(world: World, bad: dict[str, Any], message: str) -> None:
    simulate = msgspec.structs.replace(command(allow()), **bad)
    assert world.refusal(world.root, simulate, errors.InvalidInputException) == message


def test_a_scenario_with_all_its_resources_is_simulated(world: World) -> None:
    resources = tuple(
        f"arn:aws:ec2:eu-central-1:{ACCOUNT}:{kind}/*"
        for kind in ("instance", "image", "security-group", "network-interface", "volume")
    )
    more: dict[str, Any] = {"resource_handling_option": "EC2-VPC-EBS", "resource_arns": resources}
    assert custom(world, allow(), action_names=("ec2:RunInstances",), **more).eval_decision == "allowed"


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
        ("user", "ops/alice"),
        ("user", "ALICE"),
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
