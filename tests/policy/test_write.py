"""Documents written from values read as the same values again."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.policy import (
    MAX_CHARACTERS,
    Condition,
    Policy,
    PolicyError,
    Principals,
    Statement,
    parse,
    render_policy,
)
from locum.policy.conditions import NEGATIONS, OPERATORS, Operator

from . import random_cases
from .cases import CASES
from .test_document import DEEPER, JSON, read

KINDS = ("identity", "resource", "trust", "scp", "rcp")
ALLOW = Statement("Allow", actions=("s3:Get*",), resources=("*",))
EQUALS = Operator("StringEquals")


@given(st.sampled_from(KINDS).flatmap(random_cases.documents).map(json.dumps))
def test_a_random_policy_reads_back_from_what_is_written(text: str) -> None:
    policy = parse(text)
    assert parse(render_policy(policy)) == policy


@given((JSON | DEEPER).map(json.dumps))
def test_whatever_can_be_read_can_be_written(text: str) -> None:
    policy = read(text)
    if policy is not None:
        assert parse(render_policy(policy)) == policy


TEXTS = st.text(max_size=8)
LISTS = st.lists(TEXTS, max_size=3).map(tuple)
QUANTIFIERS = st.sampled_from(["", "ForAllValues", "ForAnyValue"])
OPERATIONS = (
    st.builds(Operator, st.sampled_from(sorted(OPERATORS)), st.just(False), st.booleans(), QUANTIFIERS)
    | st.builds(Operator, st.sampled_from(sorted(set(NEGATIONS.values()))), st.just(True), st.booleans(), QUANTIFIERS)
    | st.just(Operator("Null"))
)
CONDITIONS = st.lists(st.builds(Condition, OPERATIONS, st.sampled_from(["a:k", "A:k", "b:k"]), LISTS), max_size=5)
STATEMENTS = st.builds(
    Statement,
    st.sampled_from(["Allow", "Deny", "allow", "DENY"]),
    sid=TEXTS,
    principals=st.none()
    | st.just(Principals(anyone=True))
    | st.builds(Principals, aws=LISTS, federated=LISTS, service=LISTS, canonical=LISTS),
    actions=st.none() | LISTS,
    resources=st.none() | LISTS,
    conditions=CONDITIONS.map(tuple),
)


def negated(statement: Statement, choices: tuple[bool, bool, bool]) -> Statement:
    """The same with ``Not…`` forms of the elements that are there."""
    principal, action, resource = choices
    return msgspec.structs.replace(
        statement,
        not_principal=principal and statement.principals is not None,
        not_action=action and statement.actions is not None,
        not_resource=resource and statement.resources is not None,
    )


@given(
    st.builds(
        Policy,
        st.lists(
            st.builds(negated, STATEMENTS, st.tuples(st.booleans(), st.booleans(), st.booleans())),
            min_size=1,
            max_size=3,
        ).map(tuple),
        st.sampled_from(["", "2008-10-17", "2012-10-17"]),
        TEXTS,
    )
)
def test_any_policy_of_the_grammar_can_be_written(policy: Policy) -> None:
    assert parse(render_policy(policy)) == policy


def test_every_policy_of_the_cases_reads_back() -> None:
    for case in CASES:
        for document in case["identity_policies"]:
            policy = parse(json.dumps(document))
            assert parse(render_policy(policy)) == policy


@pytest.mark.parametrize(
    ("document", "written"),
    [
        pytest.param(
            {"Statement": {"Resource": ["*"], "Action": ["s3:Get*"], "Effect": "Allow"}},
            {"Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]},
            id="lists of one",
        ),
        pytest.param(
            {"Id": "", "Version": "2012-10-17", "Statement": [{"Sid": "", "Effect": "Deny", "Condition": {}}]},
            {"Version": "2012-10-17", "Statement": [{"Effect": "Deny"}]},
            id="empty members",
        ),
        pytest.param(
            {"Statement": [{"Effect": "Deny", "NotPrincipal": {"AWS": []}, "NotAction": [], "NotResource": []}]},
            {"Statement": [{"Effect": "Deny", "NotPrincipal": {}, "NotAction": [], "NotResource": []}]},
            id="empty lists are not absent",
        ),
        pytest.param(
            {
                "Statement": [
                    {"Effect": "Allow", "Condition": {"numericlessthan": {"k:a": 1.50}, "Bool": {"k:b": True}}}
                ]
            },
            {
                "Statement": [
                    {"Effect": "Allow", "Condition": {"NumericLessThan": {"k:a": "1.5"}, "Bool": {"k:b": "true"}}}
                ]
            },
            id="values and operators in their usual form",
        ),
        pytest.param(
            {"Statement": [{"Effect": "Allow", "Principal": {"AWS": ["1", "2"], "Service": ["é.example"]}}]},
            {"Statement": [{"Effect": "Allow", "Principal": {"AWS": ["1", "2"], "Service": "é.example"}}]},
            id="principals",
        ),
    ],
)
def test_what_is_written(document: dict[str, Any], written: dict[str, Any]) -> None:
    text = render_policy(parse(json.dumps(document)))
    assert text == json.dumps(written, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.facts("POL-CO-009")
def test_conditions_that_repeat_an_operator_and_a_key_stay_apart_and_in_order() -> None:
    text = (
        '{"Statement":[{"Effect":"Allow","Condition":{"StringEquals":{"k:a":"1","k:b":"2"},"Bool":{"k:c":"true"},'
        '"stringEquals":{"k:a":"3"},"STringEquals":{"k:a":"4"}}}]}'
    )
    policy = parse(text)
    assert len(policy.statements[0].conditions) == 5
    assert render_policy(policy) == text


def test_an_operator_can_be_repeated_as_often_as_a_document_can_spell_it() -> None:
    def policy(count: int) -> Policy:
        conditions = (Condition(Operator("Bool"), "k:a", ("true",)),) * count
        return Policy((msgspec.structs.replace(ALLOW, conditions=conditions),))

    assert parse(render_policy(policy(16))) == policy(16)
    with pytest.raises(PolicyError, match="more often than it can be spelled"):
        render_policy(policy(17))


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(Policy(()), id="no statements"),
        pytest.param(Policy((ALLOW,), version="2013-10-17"), id="version"),
        pytest.param(Policy((Statement("Perhaps"),)), id="effect"),
        pytest.param(Policy((Statement("Allow", not_action=True),)), id="not of nothing"),
        pytest.param(Policy((Statement("Allow", principals=Principals(True, ("x",))),)), id="anyone and somebody"),
        pytest.param(Policy((ALLOW,), id="\ud800"), id="no text"),
        pytest.param(Policy((ALLOW,), id="x" * MAX_CHARACTERS), id="too long"),
        *(
            pytest.param(
                Policy((msgspec.structs.replace(ALLOW, conditions=(Condition(operator, "k", ("v",)),)),)),
                id=f"{operator.base} {operator.negated}",
            )
            for operator in (
                Operator("Sounds"),
                Operator("Bool", negated=True),
                Operator("Null", if_exists=True),
                EQUALS._replace(quantifier="ForSome"),
            )
        ),
    ],
)
def test_what_no_document_says_is_refused(policy: Policy) -> None:
    with pytest.raises(PolicyError):
        render_policy(policy)
