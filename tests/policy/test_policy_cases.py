"""Every case of tests/vectors/policy_cases.jsonl: one decision each, over all kinds of policy."""

from __future__ import annotations

from typing import Any

import pytest

from locum.policy import context, decide, principal_context

from .cases import CASES, ask_of, policies_of, principal_of


def facts_of(case: dict[str, Any]) -> list[str]:
    principal = case["request"]["principal"]
    facts = [case["rule"]]
    if principal.keys() & {"service_linked", "management_account"} or case["request"].get("resource_policy_required"):
        facts.append("POL-CASES-001")
    if principal["type"] == "RootSession":
        facts.append("POL-CASES-003")
    return facts


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["id"], marks=pytest.mark.facts(*facts_of(case))) for case in CASES]
)
def test_the_decision_is_the_expected_one(case: dict[str, Any]) -> None:
    decision = decide(ask_of(case["request"]), policies_of(case))
    assert decision.effect.value == case["expected"], case["why"]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_the_context_that_follows_from_the_caller_agrees_with_the_case(case: dict[str, Any]) -> None:
    derived = principal_context(principal_of(case["request"]["principal"]))
    listed = context(case["request"]["context"])
    assert {key: listed[key] for key in derived.keys() & listed.keys()} == {
        key: derived[key] for key in derived.keys() & listed.keys()
    }
