"""Explanations of random requests: they agree with the decision and with the plain evaluator."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.policy import Effect, Explanation, Layer, Verdict, decide, explain
from locum.policy.explanation import IMPOSSIBLE, MAX_FIXES
from locum.policy.remedy import remedies

from . import cases, oracle, random_cases


def documents_of(case: dict[str, Any], layer: Layer, level: int) -> list[dict[str, Any]]:
    match layer:
        case Layer.IDENTITY:
            found = case["identity_policies"]
        case Layer.BOUNDARY:
            found = [case["permissions_boundary"]]
        case Layer.SESSION:
            found = case["session_policies"]
        case Layer.SERVICE_CONTROL:
            found = case["scps"][level - 1]
        case Layer.RESOURCE_CONTROL:
            found = case["rcps"][level - 1]
        case _:
            found = [case["resource_policy"]]
    assert isinstance(found, list)
    return found


def applies(statement: dict[str, Any], document: dict[str, Any], question: Any, layer: Layer) -> bool:
    """The opinion of the plain evaluator."""
    if not oracle.statement_applies(statement, document, question):
        return False
    if layer not in (Layer.RESOURCE, Layer.TRUST, Layer.RESOURCE_CONTROL):
        return True
    if statement["Effect"] == "Deny":
        return bool(oracle.names_caller(statement, question))
    return bool(oracle.matched_as(statement, question))


@pytest.mark.facts("R30")
@given(random_cases.requests())
def test_an_explanation_never_disagrees_with_the_decision(case: dict[str, Any]) -> None:
    asked, policies = cases.ask_of(case["request"]), cases.policies_of(case)
    explanation = explain(asked, policies)
    decision = decide(asked, policies)
    assert explanation.decision == decision
    denying = [layer.layer for layer in explanation.layers if layer.verdict is Verdict.DENIES]
    assert bool(denying) is (decision.effect is Effect.EXPLICIT_DENY)
    if denying:
        assert denying[0] is decision.layer
    elif decision.effect is Effect.IMPLICIT_DENY:
        assert Verdict.SILENT in [layer.verdict for layer in explanation.layers if layer.layer is decision.layer]
    elif decision.statements:
        assert Verdict.ALLOWS in [layer.verdict for layer in explanation.layers if layer.layer is decision.layer]
    for reference in decision.statements:
        assert any(
            (each.name, statement.index) == (reference.policy, reference.index)
            for layer in explanation.layers
            if layer.layer is decision.layer
            for each in layer.policies
            for statement in each.matched
        )


@pytest.mark.facts("R30")
@given(random_cases.requests())
def test_what_is_said_to_apply_applies_and_a_nearest_miss_does_not(case: dict[str, Any]) -> None:
    asked = cases.question_of(case)
    explanation = explain(cases.ask_of(case["request"]), cases.policies_of(case))
    for layer in explanation.layers:
        for report, document in zip(
            layer.policies, documents_of(case, layer.layer, layer.level) if layer.policies else [], strict=True
        ):
            statements = document["Statement"]
            matching = {n for n, each in enumerate(statements) if applies(each, document, asked, layer.layer)}
            assert {statement.index for statement in report.matched} == matching
            assert all(check.held for statement in report.matched for check in statement.checks)
            allows = {n for n, each in enumerate(statements) if each["Effect"] == "Allow"}
            assert (report.nearest is not None) is (bool(allows) and not allows & matching)
            if report.nearest is not None:
                assert report.nearest.index in allows
                assert report.nearest.failed


@given(random_cases.requests())
def test_every_check_says_of_its_element_what_the_plain_evaluator_says(case: dict[str, Any]) -> None:
    asked = cases.question_of(case)
    explanation = explain(cases.ask_of(case["request"]), cases.policies_of(case))
    for layer in explanation.layers:
        for report, document in zip(
            layer.policies, documents_of(case, layer.layer, layer.level) if layer.policies else [], strict=True
        ):
            for statement in (*report.matched, *([report.nearest] if report.nearest else [])):
                written = document["Statement"][statement.index]
                for check in statement.checks:
                    alone = {"Effect": written["Effect"], "Action": "*", "Resource": "*"}
                    if check.element == "Condition":
                        alone["Condition"] = {check.operator: {check.key: list(check.wanted)}}
                    elif check.element in ("Action", "NotAction", "Resource", "NotResource"):
                        alone.pop(check.element.removeprefix("Not"))
                        alone[check.element] = list(check.wanted)
                    else:
                        continue
                    assert oracle.statement_applies(alone, document, asked) is check.held


@given(random_cases.requests())
def test_the_fixes_together_lead_to_an_allowed_request(case: dict[str, Any]) -> None:
    asked, policies = cases.ask_of(case["request"]), cases.policies_of(case)
    steps, complete = remedies(asked, policies)
    explanation = explain(asked, policies)
    assert [step.fix for step in steps] == list(explanation.fixes)
    assert explanation.complete is complete
    assert bool(steps) is (not explanation.decision.allowed)
    if complete:
        assert not steps or decide(steps[-1].ask, steps[-1].policies).allowed
    else:
        assert len(steps) == MAX_FIXES or steps[-1].fix.text.startswith(IMPOSSIBLE)
        assert explanation.needs_more is (not steps[-1].fix.text.startswith(IMPOSSIBLE))


@given(random_cases.requests())
def test_an_explanation_survives_json(case: dict[str, Any]) -> None:
    explanation = explain(cases.ask_of(case["request"]), cases.policies_of(case))
    assert Explanation.from_json(explanation.to_json()) == explanation


def kinds_of(case: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The documents of a case by the kind that :func:`random_cases.documents` knows, each as it stands in the case."""
    trust = case["request"]["action"].startswith("sts:")
    return [
        ("identity", case["identity_policies"]),
        ("identity", [case["permissions_boundary"]] if case["permissions_boundary"] else []),
        ("identity", case["session_policies"] or []),
        ("trust" if trust else "resource", [case["resource_policy"]] if case["resource_policy"] else []),
        *(("scp", level) for level in case["scps"] or []),
        *(("rcp", level) for level in case["rcps"] or []),
    ]


def allowed(case: dict[str, Any]) -> bool:
    return decide(cases.ask_of(case["request"]), cases.policies_of(case)).allowed


@given(random_cases.requests(), st.data())
def test_a_deny_more_never_allows_more(case: dict[str, Any], data: st.DataObject) -> None:
    before = allowed(case)
    for kind, found in kinds_of(case):
        for document in found:
            if data.draw(st.booleans()):
                extra = data.draw(random_cases.documents(kind))["Statement"][0]
                document["Statement"] = [*document["Statement"], {**extra, "Effect": "Deny"}]
    assert before or not allowed(case)


@given(random_cases.requests(), st.data())
def test_an_allow_less_never_allows_more(case: dict[str, Any], data: st.DataObject) -> None:
    before = allowed(case)
    for _, found in kinds_of(case):
        for document in found:
            document["Statement"] = [
                {key: value for key, value in each.items() if key != "NotAction"} | {"Action": "none:None"}
                if each["Effect"] == "Allow" and data.draw(st.booleans())
                else each
                for each in document["Statement"]
            ]
    assert before or not allowed(case)


@pytest.mark.facts("POL-EV-007", "POL-EV-015")
@given(random_cases.requests(), st.randoms(use_true_random=False))
def test_order_and_repetition_never_change_an_answer(case: dict[str, Any], random: Any) -> None:
    before = decide(cases.ask_of(case["request"]), cases.policies_of(case))
    for _, found in kinds_of(case):
        for document in found:
            random.shuffle(document["Statement"])
    for member in ("identity_policies", "session_policies"):
        again = [*case[member], *case[member]]
        random.shuffle(again)
        case[member] = again
    for level in case["scps"] or []:
        random.shuffle(level)
    after = decide(cases.ask_of(case["request"]), cases.policies_of(case))
    assert (after.effect, after.layer) == (before.effect, before.layer)


@given(st.text() | st.binary())
def test_any_text_is_an_explanation_or_refused(text: str | bytes) -> None:
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        Explanation.from_json(text)
