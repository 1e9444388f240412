"""Reading documents: the grammar, bounds, and hostile text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.policy import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_STATEMENTS,
    CompiledPolicy,
    Policy,
    PolicyError,
    PolicyKind,
    Problem,
    compile_policy,
    counted_size,
    load,
    parse,
)

STATEMENT: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


def document(statement: dict[str, Any] | None = None, /, **others: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": STATEMENT | (statement or {})} | others)


def without(*elements: str) -> str:
    return json.dumps({"Statement": {key: value for key, value in STATEMENT.items() if key not in elements}})


REFUSED = [
    pytest.param("", Problem.JSON, id="empty"),
    pytest.param("{", Problem.JSON, marks=pytest.mark.facts("POL-GR-018"), id="not json"),
    pytest.param('{"Statement": [],}', Problem.JSON, marks=pytest.mark.facts("POL-GR-018"), id="trailing comma"),
    pytest.param('{"Statement": {} /* x */}', Problem.JSON, marks=pytest.mark.facts("POL-GR-018"), id="comment"),
    pytest.param('{"Statement": NaN}', Problem.JSON, id="nan"),
    pytest.param('\ufeff{"Statement": []}', Problem.JSON, id="byte order mark"),
    pytest.param(document(Sid="\ud800"), Problem.JSON, id="lone surrogate"),
    pytest.param("[]", Problem.SYNTAX, marks=pytest.mark.facts("POL-GR-001"), id="list"),
    pytest.param("1", Problem.SYNTAX, id="number"),
    pytest.param(document(Other=1), Problem.SYNTAX, marks=pytest.mark.facts("POL-GR-001"), id="unknown element"),
    pytest.param(document(statement=[]), Problem.SYNTAX, marks=pytest.mark.facts("POL-GR-021"), id="lower case"),
    pytest.param("{}", Problem.NO_STATEMENTS, marks=pytest.mark.facts("POL-GR-001"), id="no statement"),
    pytest.param(document(Version="2013-10-17"), Problem.VERSION, marks=pytest.mark.facts("POL-GR-002"), id="later"),
    pytest.param(document(Version="2012-10-18"), Problem.VERSION, marks=pytest.mark.facts("POL-GR-002"), id="next day"),
    pytest.param(document(Version=None), Problem.VERSION, id="null version"),
    pytest.param(document(Version=["2012-10-17"]), Problem.VERSION, id="list version"),
    pytest.param(document(Id=["a"]), Problem.SYNTAX, marks=pytest.mark.facts("POL-GR-008"), id="list id"),
    pytest.param(document(Id={}), Problem.SYNTAX, marks=pytest.mark.facts("POL-GR-008"), id="object id"),
    pytest.param(document(Statement=[]), Problem.NO_STATEMENTS, marks=pytest.mark.facts("POL-GR-009"), id="none"),
    pytest.param(document(Statement=["x"]), Problem.SYNTAX, marks=pytest.mark.facts("POL-GR-009"), id="string in list"),
    pytest.param(document(Statement="x"), Problem.SYNTAX, id="string statement"),
    pytest.param(document({"Other": 1}), Problem.SYNTAX, marks=pytest.mark.facts("POL-GR-010"), id="unknown key"),
    pytest.param(document({"effect": "Deny"}), Problem.SYNTAX, marks=pytest.mark.facts("POL-GR-021"), id="effect key"),
    pytest.param(without("Effect"), Problem.NO_EFFECT, marks=pytest.mark.facts("POL-GR-011"), id="no effect"),
    pytest.param(document({"Effect": "x"}), Problem.UNKNOWN_EFFECT, marks=pytest.mark.facts("POL-GR-011"), id="effect"),
    pytest.param(document({"Effect": ["Allow"]}), Problem.SYNTAX, id="list effect"),
    pytest.param(document({"Sid": ["a"]}), Problem.SYNTAX, marks=pytest.mark.facts("POL-GR-012"), id="list sid"),
    pytest.param(document({"Sid": 5}), Problem.SYNTAX, marks=pytest.mark.facts("POL-GR-012"), id="number sid"),
    pytest.param(document({"NotAction": []}), Problem.SYNTAX, marks=pytest.mark.facts("POL-GR-013"), id="both actions"),
    pytest.param(document({"NotResource": []}), Problem.SYNTAX, marks=pytest.mark.facts("POL-GR-014"), id="both"),
    pytest.param(document({"Action": [["a:b"]]}), Problem.SYNTAX, marks=pytest.mark.facts("POL-GR-020"), id="nested"),
    pytest.param(document({"Resource": [{}]}), Problem.SYNTAX, marks=pytest.mark.facts("POL-GR-020"), id="object"),
    pytest.param(document({"Action": {}}), Problem.SYNTAX, id="object action"),
    pytest.param(document({"Action": 1}), Problem.SYNTAX, id="number action"),
    pytest.param(document({"Principal": "x"}), Problem.PRINCIPAL_NOT_OBJECT, id="string principal"),
    pytest.param(
        document({"Principal": {"Aws": "*"}}), Problem.SYNTAX, marks=pytest.mark.facts("POL-PR-001"), id="aws"
    ),
    pytest.param(document({"Principal": {"AWS": [1]}}), Problem.SYNTAX, id="number principal"),
    pytest.param(document({"Principal": "*", "NotPrincipal": "*"}), Problem.SYNTAX, id="both principals"),
    pytest.param(document({"Condition": []}), Problem.SYNTAX, marks=pytest.mark.facts("POL-CO-001"), id="condition"),
    pytest.param(document({"Condition": {"Bool": []}}), Problem.SYNTAX, marks=pytest.mark.facts("POL-CO-007"), id="op"),
    pytest.param(
        document({"Condition": {"Equals": {"k": "v"}}}),
        Problem.SYNTAX,
        marks=pytest.mark.facts("POL-CO-007"),
        id="operator",
    ),
    pytest.param(document({"Condition": {"ForAnyValue::StringEquals": {"k": "v"}}}), Problem.SYNTAX, id="two colons"),
    pytest.param(document({"Condition": {"StringEquals": {"k": {}}}}), Problem.SYNTAX, id="object value"),
    pytest.param(document({"Condition": {"StringEquals": {"k": None}}}), Problem.SYNTAX, id="null value"),
    pytest.param(document({"Condition": {"StringEquals": {"k": [[]]}}}), Problem.SYNTAX, id="list of lists"),
    pytest.param(
        '{"Statement": {"Effect": "Allow", "Effect": "Deny", "Action": "*", "Resource": "*"}}',
        Problem.SYNTAX,
        marks=pytest.mark.facts("POL-GR-007"),
        id="effect twice",
    ),
    pytest.param(
        '{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": '
        '{"Bool": {"a:b": "true"}, "Bool": {"a:c": "true"}}}}',
        Problem.SYNTAX,
        marks=pytest.mark.facts("POL-GR-007", "POL-CO-008"),
        id="operator twice",
    ),
    pytest.param(
        '{"Statement": {"Effect": "Deny", "\\u0045ffect": "Allow", "Action": "*", "Resource": "*"}}',
        Problem.SYNTAX,
        marks=pytest.mark.facts("POL-GR-007"),
        id="escaped twin",
    ),
    pytest.param("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), Problem.DEPTH, id="deep"),
    pytest.param("[" * 100_000, Problem.DEPTH, id="very deep"),
    pytest.param(" " * MAX_CHARACTERS + "{}", Problem.JSON, id="long"),
    pytest.param(
        json.dumps({"Statement": [STATEMENT] * (MAX_STATEMENTS + 1)})[:MAX_CHARACTERS], Problem.JSON, id="cut"
    ),
    pytest.param(json.dumps({"Statement": [1] * (MAX_STATEMENTS + 1)}), Problem.SYNTAX, id="many statements"),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED)
def test_what_is_no_policy_is_refused(text: str, problem: Problem) -> None:
    with pytest.raises(PolicyError) as refused:
        parse(text)
    assert refused.value.problem is problem


def only_statement(text: str) -> Any:
    (statement,) = parse(text).statements
    return statement


@pytest.mark.facts("POL-GR-003")
def test_a_missing_version_has_no_variables() -> None:
    assert not parse(without()).has_variables
    assert not parse(document(Version="2008-10-17")).has_variables
    assert parse(document()).has_variables


@pytest.mark.facts("POL-GR-008")
def test_a_string_id_is_kept() -> None:
    assert parse(document(Id="cd3ad3d9")).id == "cd3ad3d9"


@pytest.mark.facts("POL-GR-009", "POL-GR-015")
def test_single_values_and_lists_of_one_are_the_same() -> None:
    listed = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"]}
    assert parse(json.dumps({"Version": "2012-10-17", "Statement": [listed]})) == parse(document())


@pytest.mark.facts("POL-GR-006")
def test_elements_may_come_in_any_order() -> None:
    turned = {"Resource": "*", "Action": "s3:GetObject", "Effect": "Allow"}
    assert parse(json.dumps({"Statement": turned, "Version": "2012-10-17"})) == parse(document())


@pytest.mark.facts("POL-GR-016")
def test_unquoted_numbers_and_booleans_mean_their_text() -> None:
    block = {"NumericLessThan": {"s3:max-keys": [10, 1.50]}, "Bool": {"aws:SecureTransport": False}}
    text = document({"Condition": block}).replace("1.5", "1.50")
    assert [condition.values for condition in only_statement(text).conditions] == [("10", "1.50"), ("false",)]


@pytest.mark.facts("POL-CO-001")
def test_conditions_are_read_operator_by_operator_and_key_by_key() -> None:
    block = {"StringEquals": {"a:x": "1", "a:y": ["2", "3"]}, "Bool": {"a:z": "true"}}
    found = [(str(c.operator), c.key, c.values) for c in only_statement(document({"Condition": block})).conditions]
    assert found == [
        ("StringEquals", "a:x", ("1",)),
        ("StringEquals", "a:y", ("2", "3")),
        ("Bool", "a:z", ("true",)),
    ]


@pytest.mark.facts("POL-CO-007")
@pytest.mark.parametrize("block", [{}, {"StringEquals": {}}, {"Unheard": {}}])
def test_empty_conditions_are_always_true(block: dict[str, Any]) -> None:
    assert only_statement(document({"Condition": block})).conditions == ()


@pytest.mark.facts("POL-LM-001")
@pytest.mark.parametrize(
    ("text", "size"),
    [("{ }", 2), ('{"a b":\t"c  d"}\r\n', 14), ('" \\" "', 6), ("", 0), ('{\n  "a": [1, 2]\n}', 11)],
)
def test_white_space_outside_strings_does_not_count(text: str, size: int) -> None:
    assert counted_size(text) == size


NAMES = [
    "Version",
    "Id",
    "Statement",
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
    "AWS",
    "Service",
    "StringEquals",
    "Null",
    "k:v",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["*", "Allow", "Deny", "s3:Get*", "2012-10-17", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
DEEPER = st.fixed_dictionaries(
    {
        "Statement": st.lists(
            st.fixed_dictionaries(
                {"Effect": st.just("Allow")},
                optional={
                    "Action": JSON,
                    "Resource": JSON,
                    "Principal": JSON,
                    "NotPrincipal": JSON,
                    "Condition": JSON,
                    "Sid": JSON,
                },
            ),
            max_size=2,
        )
    }
)


def read(text: str) -> Policy | None:
    try:
        return parse(text)
    except PolicyError:
        return None


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_a_policy_or_a_declared_error(text: str) -> None:
    read(text)


@given((JSON | DEEPER).map(json.dumps), st.sampled_from(PolicyKind))
def test_any_json_is_a_policy_or_a_declared_error_and_can_always_be_loaded(text: str, kind: PolicyKind) -> None:
    policy = read(text)
    loaded = load(text, kind, "name")
    assert isinstance(loaded, CompiledPolicy)
    compiles = policy is not None
    if policy is not None:
        try:
            compile_policy(policy, kind)
        except PolicyError:
            compiles = False
    assert compiles is not bool(loaded.problem)
