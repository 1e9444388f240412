"""Which services policies give the use of (IAM-CL-023, IAM-CL-030)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from locum.policy import parse
from locum.policy.granting import grants, named_services, usable


def policy(*statements: dict[str, Any]) -> Any:
    filled = [{"Effect": "Allow", "Resource": "*"} | each for each in statements]
    return parse(json.dumps({"Version": "2012-10-17", "Statement": filled}))


def allow(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Action": list(actions), **more}


def deny(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": list(actions), **more}


CONDITION = {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.facts("IAM-CL-030")
@pytest.mark.parametrize(
    ("statements", "granted"),
    [
        ([allow("iam:GetUser")], True),
        ([allow("IAM:get*")], True),
        ([allow("*")], True),
        ([allow("i*:GetUser")], True),
        ([allow("s3:*")], False),
        ([allow("iamx:*")], False),
        ([{"NotAction": "iam:*"}], False),
        ([{"NotAction": "*"}], False),
        ([{"NotAction": "iam:Get*"}], True),
        ([{"NotAction": ["s3:*", "sts:*"]}], True),
        ([allow("iam:*", Resource="arn:aws:iam::111122223333:user/a")], True),
        ([allow("*", Condition=CONDITION)], True),
        ([deny("iam:*")], False),
        ([allow("*"), deny("iam:*")], False),
        ([allow("*"), deny("*")], False),
        ([allow("*"), deny("iam:Get*")], True),
        ([allow("*"), deny("s3:*")], True),
        ([allow("*"), deny("iam:*", Condition=CONDITION)], True),
        ([allow("*"), deny("iam:*", Resource="arn:aws:iam::111122223333:user/a")], True),
        ([allow("*"), {"Effect": "Deny", "NotAction": "s3:*"}], False),
        ([allow("*"), {"Effect": "Deny", "NotAction": "iam:GetUser"}], True),
        ([allow("*"), {"Effect": "Deny", "NotAction": "*"}], True),
    ],
)
def test_a_service_is_granted_unless_wholly_denied(statements: list[dict[str, Any]], granted: bool) -> None:
    assert grants([policy(*statements)], "iam") is granted
    assert grants([policy(each) for each in statements], "iam") is granted


A, B = "arn:aws:s3:::a/*", "arn:aws:s3:::b/*"


@pytest.mark.facts("IAM-CL-023", "IAM-CL-030")
@pytest.mark.parametrize(
    ("statements", "granted", "used"),
    [
        ([allow("s3:GetObject", Resource=A), deny("s3:*", Resource=A)], True, False),
        ([allow("s3:GetObject", Resource=A), deny("s3:GetObject", Resource=A)], True, False),
        ([allow("s3:GetObject", Resource=A), deny("s3:*", Resource="arn:aws:s3:::*")], True, False),
        ([allow("s3:GetObject", Resource=A), deny("s3:*", Resource=B)], True, True),
        ([allow("s3:GetObject"), deny("s3:*", Resource=A)], True, True),
        ([allow("s3:GetObject"), deny("s3:*", Condition=CONDITION)], True, True),
        ([allow("s3:GetObject"), deny("s3:*")], False, False),
        ([allow("s3:*"), deny("s3:GetObject")], True, True),
        ([allow("*"), {"Effect": "Deny", "NotAction": "iam:*"}], False, False),
        ([allow("s3:GetObject", Resource="arn:aws:iam::111122223333:user/a")], False, False),
        ([{"Action": "s3:GetObject", "Resource": None, "NotResource": "*"}], False, False),
        ([{"Action": "s3:GetObject", "Resource": None, "NotResource": A}], True, True),
        ([allow("sqs:*")], False, False),
    ],
)
def test_a_report_looks_at_the_resources_that_are_denied(
    statements: list[dict[str, Any]], granted: bool, used: bool
) -> None:
    filled = [{"Effect": "Allow", "Resource": "*"} | each for each in statements]
    kept = [{name: value for name, value in each.items() if value is not None} for each in filled]
    parsed = parse(json.dumps({"Version": "2012-10-17", "Statement": kept}))
    assert grants([parsed], "s3") is granted
    assert usable([parsed], "s3") is used


@pytest.mark.facts("IAM-CL-026")
def test_single_actions_can_be_asked_for() -> None:
    found = policy(allow("iam:Get*", "iam:PassRole"), deny("iam:GetRole"), {"NotAction": ["iam:*"]})
    assert [usable([found], "iam", each) for each in ("GetUser", "GetRole", "PutUserPolicy")] == [True, False, False]
    assert usable([found], "sts", "AssumeRole")


def test_without_policies_nothing_is_granted() -> None:
    assert not grants([], "iam")
    assert named_services([]) == frozenset()


@pytest.mark.facts("IAM-CL-023")
def test_services_are_known_by_name_where_a_statement_allows_them() -> None:
    policies = [
        policy(allow("S3:Get*", "sqs:*", "*"), deny("kms:*")),
        policy({"NotAction": "sns:*"}, allow("e?2:Run*", "dynamodb:*")),
    ]
    assert named_services(policies) == {"s3", "sqs", "dynamodb"}
