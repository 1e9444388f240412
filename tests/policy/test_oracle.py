"""The compiled engine against the plain evaluator of oracle.py, over the cases and over random policies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.policy import decide

from . import oracle
from .cases import CASES, ask_of, policies_of, question_of
from .random_cases import requests


@pytest.mark.facts("POL-CASES-004")
@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_the_oracle_itself_is_right_about_every_case(case: dict[str, Any]) -> None:
    assert oracle.evaluate(question_of(case)) == case["expected"]


@pytest.mark.facts("POL-EV-090")
@given(requests())
def test_compiled_and_plain_evaluation_agree(case: dict[str, Any]) -> None:
    decision = decide(ask_of(case["request"]), policies_of(case))
    assert decision.effect.value == oracle.evaluate(question_of(case)), json.dumps(case, indent=1)


@pytest.mark.facts("R31")
@given(requests(), st.sampled_from(["identity", "boundary", "session", "resource", "scp", "rcp"]))
def test_an_explicit_deny_wins_from_every_kind_of_policy(case: dict[str, Any], kind: str) -> None:
    everything = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    trust = case["request"]["action"].startswith("sts:")
    to_all: dict[str, Any] = {"Effect": "Deny", "Action": "*", "Principal": "*"} | ({} if trust else {"Resource": "*"})
    match kind:
        case "identity":
            case["identity_policies"] = [*case["identity_policies"], {"Statement": everything}]
        case "boundary":
            case["permissions_boundary"] = {"Statement": everything}
        case "session":
            case["session_policies"] = [*case["session_policies"], {"Statement": everything}]
        case "resource":
            case["resource_policy"] = {"Statement": to_all}
        case "scp":
            case["scps"] = [[{"Statement": everything}]]
        case "rcp":
            case["rcps"] = [[{"Statement": {**to_all, "Resource": "*"}}]]
    decision = decide(ask_of(case["request"]), policies_of(case))
    principal = case["request"]["principal"]
    exempt = principal.get("service_linked") or principal["type"] in ("Service", "Anonymous", "WebIdentity", "SAML")
    if kind == "scp" and exempt:
        return
    if kind == "rcp" and principal.get("service_linked"):
        return
    assert decision.effect.value == "ExplicitDeny"
