"""The document of an encoded authorization message: AWS's layout, bounded, and silent about the other account."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from locum.policy import (
    Ask,
    CompiledPolicy,
    Effect,
    Layer,
    Policies,
    PolicyKind,
    Principal,
    authorization_message,
    context,
    decide,
    explain,
    load,
)
from locum.policy.message import MAX_MESSAGE

from . import cases, random_cases

ACCOUNT, OTHER = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
INSTANCE = f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/*"
ALICE = Principal.user(f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT, "AIDAALICEALICEALICE00")
SESSION = Principal.role_session(
    f"arn:aws:sts::{ACCOUNT}:assumed-role/Developer/session",
    ACCOUNT,
    f"arn:aws:iam::{ACCOUNT}:role/Developer",
    "AROAEXAMPLEEXAMPLE000",
    "session",
)


def policy(*statements: dict[str, Any], kind: PolicyKind = PolicyKind.INLINE, name: str = "p") -> CompiledPolicy:
    return load(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}), kind, name)


def message(policies: Policies, principal: Principal = SESSION, **given: Any) -> dict[str, Any]:
    asked = Ask(
        principal,
        given.get("action", "ec2:RunInstances"),
        given.get("resource", INSTANCE),
        given.get("owner", ACCOUNT),
        context(given.get("keys", {})),
    )
    return authorization_message(explain(asked, policies))


DENY = {"Sid": "VisualEditor0", "Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*"}
ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@pytest.mark.facts("STS-DAM-005", "STS-DAM-006", "STS-DAM-007", "STS-DAM-009")
def test_an_explicit_deny_in_the_recorded_layout_and_order() -> None:
    condition = {"StringEquals": {"ec2:InstanceType": ["t2.micro", "t2.nano"]}}
    denied = message(
        Policies(identity=(policy(ALLOW, {**DENY, "Condition": condition}),)), keys={"ec2:InstanceType": "t2.micro"}
    )
    assert json.dumps(denied) == json.dumps(
        {
            "allowed": False,
            "explicitDeny": True,
            "matchedStatements": {
                "items": [
                    {
                        "statementId": "VisualEditor0",
                        "effect": "DENY",
                        "principals": {"items": [{"value": "AROAEXAMPLEEXAMPLE000"}]},
                        "principalGroups": {"items": []},
                        "actions": {"items": [{"value": "ec2:RunInstances"}]},
                        "resources": {"items": [{"value": "*"}]},
                        "conditions": {
                            "items": [
                                {
                                    "key": "ec2:InstanceType",
                                    "values": {"items": [{"value": "t2.micro"}, {"value": "t2.nano"}]},
                                }
                            ]
                        },
                    }
                ]
            },
            "failures": {"items": []},
            "context": {
                "principal": {
                    "id": "AROAEXAMPLEEXAMPLE000:session",
                    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Developer/session",
                },
                "action": "ec2:RunInstances",
                "resource": INSTANCE,
                "conditions": {
                    "items": [{"key": "ec2:InstanceType", "values": {"items": [{"value": "t2.micro"}]}}],
                },
            },
        }
    )


@pytest.mark.facts("STS-DAM-006")
@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        (ALICE, {"id": "AIDAALICEALICEALICE00", "name": "alice", "arn": ALICE.arn}),
        (SESSION, {"id": "AROAEXAMPLEEXAMPLE000:session", "arn": SESSION.arn}),
        (Principal.root(ACCOUNT), {"id": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root"}),
        (Principal.service("ec2.amazonaws.com"), {"id": "ec2.amazonaws.com"}),
    ],
)
def test_the_caller_by_kind(principal: Principal, expected: dict[str, str]) -> None:
    assert json.dumps(message(Policies(), principal)["context"]["principal"]) == json.dumps(expected)


@pytest.mark.facts("STS-DAM-008")
def test_an_implicit_deny_matches_nothing() -> None:
    policies = Policies(identity=(policy(ALLOW),), boundary=policy({**ALLOW, "Action": "s3:*"}))
    denied = message(policies)
    assert (denied["allowed"], denied["explicitDeny"]) == (False, False)
    assert denied["matchedStatements"] == {"items": []}


@pytest.mark.facts("STS-DAM-009")
def test_an_allowed_request_names_the_statement_that_allowed() -> None:
    allowed = message(Policies(identity=(policy(ALLOW),)))
    assert (allowed["allowed"], allowed["explicitDeny"]) == (True, False)
    assert [each["effect"] for each in allowed["matchedStatements"]["items"]] == ["ALLOW"]


def test_every_deny_that_applies_is_listed_the_deciding_one_first() -> None:
    policies = Policies(
        identity=(policy({**DENY, "Sid": "Identity"}, {**DENY, "Sid": "Another"}),),
        session=(policy({**DENY, "Sid": "Session"}, kind=PolicyKind.SESSION),),
    )
    listed = [each["statementId"] for each in message(policies)["matchedStatements"]["items"]]
    assert listed == ["Identity", "Another", "Session"]


@pytest.mark.facts("STS-DAM-010")
def test_conditions_have_keys_and_values_and_negated_elements_have_no_member() -> None:
    statement = {
        "Effect": "Deny",
        "NotAction": "iam:*",
        "NotResource": "arn:aws:s3:::x",
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}},
    }
    (matched,) = message(Policies(identity=(policy(statement),)))["matchedStatements"]["items"]
    assert matched["conditions"] == {
        "items": [{"key": "aws:RequestedRegion", "values": {"items": [{"value": "eu-west-1"}]}}]
    }
    assert (matched["actions"], matched["resources"]) == ({"items": []}, {"items": []})
    assert list(matched) == [
        "statementId",
        "effect",
        "principals",
        "principalGroups",
        "actions",
        "resources",
        "conditions",
    ]


def test_the_principals_of_a_resource_policy_are_those_it_names() -> None:
    trust = policy(
        {"Effect": "Deny", "Principal": {"AWS": ALICE.arn, "Service": "ec2.amazonaws.com"}, "Action": "sts:*"},
        kind=PolicyKind.TRUST,
    )
    policies = Policies(resource=trust, resource_layer=Layer.TRUST, resource_policy_required=True)
    (matched,) = message(policies, ALICE, action="sts:AssumeRole", resource=ROLE)["matchedStatements"]["items"]
    assert matched["principals"] == {"items": [{"value": ALICE.arn}, {"value": "ec2.amazonaws.com"}]}


def test_a_foreign_caller_learns_nothing_of_the_resources_side() -> None:
    trust = policy({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:*"}, kind=PolicyKind.TRUST)
    bob = Principal.user(f"arn:aws:iam::{OTHER}:user/bob", OTHER, "AIDABOBBOBBOBBOBBOB00")
    around: dict[str, Any] = {"resource_layer": Layer.TRUST, "resource_policy_required": True}
    request: dict[str, Any] = {"action": "sts:AssumeRole", "resource": ROLE}
    denied = message(Policies(resource=trust, **around), bob, keys={"aws:ResourceTag/team": "x"}, **request)
    missing = message(Policies(resource=None, **around), bob, **request)
    assert denied == missing
    own = message(Policies(identity=(policy(DENY | {"Action": "sts:*"}),), resource=trust, **around), bob, **request)
    assert not own["explicitDeny"]


@given(random_cases.requests())
def test_every_decision_has_a_message_of_bounded_size(case: dict[str, Any]) -> None:
    asked, policies = cases.ask_of(case["request"]), cases.policies_of(case)
    decision, made = decide(asked, policies), authorization_message(explain(asked, policies))
    assert made["allowed"] is decision.allowed
    if not decision.cross_account:
        assert made["explicitDeny"] is (decision.effect is Effect.EXPLICIT_DENY)
        assert bool(made["matchedStatements"]["items"]) is bool(decision.statements)
    assert len(json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()) <= MAX_MESSAGE


def test_a_message_that_would_be_too_long_leaves_out_context_and_then_statements() -> None:
    statements = [
        {**DENY, "Sid": f"Deny{n}", "Condition": {"StringLike": {"a:b": [f"*{'y' * 500}{i}", "*"]}}}
        for n in range(30)
        for i in range(1)
    ]
    keys = {f"k:{n:03}": "é" * 900 for n in range(100)} | {"a:b": "x"}
    made = message(Policies(identity=(policy(*statements),)), keys=keys)
    size = len(json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode())
    assert MAX_MESSAGE - 2_500 < size <= MAX_MESSAGE
    assert made["matchedStatements"]["items"][0]["statementId"] == "Deny0"
    assert made["context"]["resource"] == INSTANCE
