"""The tree of an explanation: complete, wrapped, and harmless to a terminal."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.policy import Ask, Explanation, Layer, Policies, PolicyKind, Principal, context, explain, load, render

from . import cases, random_cases

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
ALICE = Principal.user(f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT, "AIDAALICEALICEALICE00")
STYLE = re.compile("\x1b\\[[0-9;]*m")


def explained(
    keys: dict[str, Any], *statements: dict[str, Any], resource: str = "arn:aws:s3:::ledger/a"
) -> Explanation:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    policies = Policies(identity=(load(json.dumps(document), PolicyKind.INLINE, "readers"),))
    return explain(Ask(ALICE, "s3:GetObject", resource, ACCOUNT, context(keys)), policies)


def allow(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:*", "Resource": "*", **more}


def test_a_refusal_is_told_from_the_request_to_the_fix() -> None:
    condition = {"StringEquals": {"aws:ResourceTag/team": ["blue", "green"]}}
    assert render(explained({"aws:ResourceTag/team": "red"}, allow(Sid="Own", Condition=condition))) == "\n".join(
        [
            "DENIED   s3:GetObject on arn:aws:s3:::ledger/a",
            "caller   arn:aws:iam::111122223333:user/alice",
            "because  no identity-based policy allows the s3:GetObject action",
            "",
            "└─ ✗ identity-based policy: does not allow ← decided",
            "   └─ readers",
            "      └─ nearest: Allow statement Own",
            "         └─ ✗ Condition StringEquals aws:ResourceTag/team",
            "              policy   blue, green",
            "              request  red",
            "",
            "fix:     change aws:ResourceTag/team from red to blue or green",
        ]
    )


def test_an_allowed_request_is_told_with_the_statement_that_allows() -> None:
    assert render(explained({}, allow())) == "\n".join(
        [
            "ALLOWED  s3:GetObject on arn:aws:s3:::ledger/a",
            "caller   arn:aws:iam::111122223333:user/alice",
            "because  an allow in the identity-based policy",
            "",
            "└─ ✓ identity-based policy: allows ← decided",
            "   └─ readers",
            "      └─ Allow statement 1 applies",
        ]
    )


def test_a_layer_whose_permission_was_not_needed_is_no_obstacle() -> None:
    trust = load(
        json.dumps({"Statement": {"Effect": "Allow", "Principal": {"AWS": ALICE.arn}, "Action": "sts:AssumeRole"}}),
        PolicyKind.TRUST,
        ROLE,
    )
    policies = Policies(resource=trust, resource_layer=Layer.TRUST, resource_policy_required=True)
    tree = render(explain(Ask(ALICE, "sts:AssumeRole", ROLE, ACCOUNT, {}), policies))
    assert "✓ role trust policy: allows ← decided" in tree
    assert "– identity-based policy: does not allow (there is none)" in tree
    assert "✗" not in tree


def test_an_action_that_needs_no_permission_has_no_tree() -> None:
    tree = render(explain(Ask(ALICE, "sts:GetCallerIdentity", "*", ACCOUNT, {}), Policies()))
    assert tree.splitlines()[-1] == "because  an action that needs no permission"


def test_only_the_level_that_decided_is_marked() -> None:
    def scp(action: str) -> Any:
        text = json.dumps({"Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}})
        return (load(text, PolicyKind.SERVICE_CONTROL, action),)

    policies = Policies(scps=(scp("*"), scp("ec2:*"), scp("sqs:*")))
    tree = render(explain(Ask(ALICE, "s3:GetObject", "*", ACCOUNT, {}), policies))
    assert [line for line in tree.splitlines() if "decided" in line] == [
        "├─ ✗ service control policy (level 2): does not allow ← decided"
    ]


@pytest.mark.parametrize("hostile", ["\x1b[2J", "a\nb", "\u202ereversed", "\r", "\x00", "\udc80", "tab\there"])
def test_nothing_in_a_request_or_a_policy_drives_the_terminal(hostile: str) -> None:
    explanation = explained(
        {"a:b": hostile},
        allow(Sid="S", Condition={"StringEquals": {"a:b": "x"}}),
        resource=f"arn:aws:s3:::{hostile}",
    )
    assert hostile not in render(explanation)
    assert all(line.isprintable() for line in render(explanation).split("\n"))


def test_a_value_that_looks_like_nothing_is_quoted() -> None:
    tree = render(explained({"a:b": " x"}, allow(Condition={"StringEquals": {"a:b": ["", "a, b"]}})))
    assert 'policy   "", "a, b"' in tree
    assert 'request  " x"' in tree


def test_colours_change_nothing_but_colours() -> None:
    explanation = explained({}, allow(Action="ec2:*"))
    coloured = render(explanation, color=True)
    assert coloured != render(explanation)
    assert STYLE.sub("", coloured) == render(explanation)


def test_a_reader_of_one_account_is_told_that_there_is_more() -> None:
    other = Principal.user("arn:aws:iam::444455556666:user/bob", "444455556666", "AIDABOBBOBBOBBOBBOB00")
    asked = Ask(other, "s3:GetObject", "arn:aws:s3:::ledger/a", ACCOUNT, {})
    tree = render(explain(asked, Policies()).seen_from(other.account))
    assert "because  the other account's policies do not allow it" in tree
    assert "no identity-based policy allows" in tree
    assert tree.endswith("and more than this")


@given(random_cases.requests(), st.integers(0, 120), st.booleans())
def test_every_explanation_has_a_tree_of_its_width(case: dict[str, Any], width: int, color: bool) -> None:
    explanation = explain(cases.ask_of(case["request"]), cases.policies_of(case))
    tree = STYLE.sub("", render(explanation, color=color, width=width))
    assert tree.startswith("ALLOWED" if explanation.decision.allowed else "DENIED")
    for line in tree.split("\n"):
        assert line == line.rstrip()
        text = line.lstrip("│├└─ ✓✗–→")
        label = re.match(r"(policy|meaning|request|fix \d:|fix:|DENIED|ALLOWED|caller|because|\(level) *", text)
        words = text[label.end() :] if label else text
        assert len(line) <= max(width, 40) or " " not in words, line
