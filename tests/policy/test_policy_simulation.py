"""The pure part of the policy simulator: places of statements, context keys, typed context values, decisions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.errors import MalformedPolicyDocumentException
from locum.policy import Ask, Effect, PolicyKind, Principal, compile_policy, context, decide, parse, validate
from locum.policy.simulation import (
    BOUNDARY,
    IDENTITY,
    RESOURCE,
    Given,
    Source,
    context_keys,
    context_values,
    missing_keys,
    simulate,
)

ACCOUNT = "111122223333"
ALICE = Principal.user(f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT, "")
ALLOW: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
DENY = ALLOW | {"Effect": "Deny"}


def document(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def source(text: str, kind: PolicyKind = PolicyKind.INLINE, type: str = IDENTITY, id: str = "p") -> Source:
    return Source.of(parse(text), text, kind, id, type)


def keys(*texts: str) -> tuple[str, ...]:
    return context_keys(parse(text) for text in texts)


# Where AWS's answers say that statements stand: the texts and columns are those of published answers of the service
# (AdministratorAccess of 2015; documents written by json.dumps and without blanks; a bucket policy of two statements).
INDENTED = """{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "*",
      "Resource": "*"
    }
  ]
}"""
COMPACT = json.dumps({"Version": "2012-10-17", "Statement": [ALLOW, DENY]}, separators=(",", ":"))
FIRST_END = COMPACT.index("},{") + 2


@pytest.mark.facts("IAM-SIM-003")
@pytest.mark.parametrize(
    ("text", "places"),
    [
        pytest.param(INDENTED, [((3, 17), (8, 6))], id="indented"),
        pytest.param(document(ALLOW), [((1, 41), (1, len(document(ALLOW)) - 1))], id="with blanks"),
        pytest.param(
            COMPACT, [((1, 38), (1, FIRST_END)), ((1, FIRST_END), (1, len(COMPACT) - 1))], id="without blanks, two"
        ),
        pytest.param('{"Statement": {"Effect": "Allow"}}'.replace("}}", ',\n"Action":"*","Resource":"*"}}'),
                     [((1, 16), (2, 29))], id="in no list"),
    ],
)  # fmt: skip
def test_a_statement_stands_where_a_reader_comes_to_it(text: str, places: list[Any]) -> None:
    assert source(text).spans() == places


@given(st.lists(st.sampled_from([ALLOW, DENY]), min_size=1, max_size=5), st.sampled_from([None, 1, "\t"]))
def test_spans_follow_each_other_and_hold_their_statement(statements: list[Any], indent: Any) -> None:
    text = json.dumps({"Statement": statements}, indent=indent)
    lines = text.splitlines(keepends=True)

    def offset(position: tuple[int, int]) -> int:
        return sum(map(len, lines[: position[0] - 1])) + position[1] - 1

    for statement, (start, end) in zip(statements, source(text).spans(), strict=True):
        assert json.loads(text[offset(start) : offset(end)].lstrip(",\n\t ")) == statement


@pytest.mark.facts("IAM-SIM-007")
def test_keys_and_variables_are_named_once_in_the_case_of_their_first_occurrence() -> None:
    condition = {
        "StringEquals": {"aws:PrincipalTag/Team": "${AWS:PrincipalTag/team}", "S3:Prefix": ["${aws:username}/*", "x"]},
        "NumericLessThan": {"aws:MultiFactorAuthAge": "1"},
        "Bool": {"aws:SecureTransport": "${aws:ViaAWSService}"},
    }
    text = document(
        ALLOW | {"Resource": ["arn:aws:s3:::${aws:UserId}/${aws:userid}", "arn:aws:s3:::${aws:ref, 'none'}/${*}"]},
        ALLOW | {"Condition": condition},
    )
    assert keys(text, document(ALLOW | {"Condition": {"Null": {"aws:USERNAME": "true"}}})) == (
        "aws:UserId",
        "aws:ref",
        "aws:PrincipalTag/Team",
        "S3:Prefix",
        "aws:username",
        "aws:MultiFactorAuthAge",
        "aws:SecureTransport",
        "aws:ViaAWSService",
    )


@pytest.mark.facts("IAM-SIM-007")
def test_what_is_no_variable_names_no_key() -> None:
    resource = {"Resource": "arn:aws:s3:::${aws:username}"}
    assert keys(document(ALLOW | resource, version="2008-10-17")) == ()
    date = {"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}, "Null": {"aws:TokenIssueTime": "true"}}
    assert keys(document(ALLOW | {"Condition": date})) == ("aws:CurrentTime", "aws:TokenIssueTime")
    assert keys(document({"Effect": "Allow", "Action": "s3:${aws:username}", "Resource": "*"})) == ()


@pytest.mark.facts("POL-SM-003")
def test_missing_are_the_keys_of_every_policy_that_the_context_lacks() -> None:
    one = source(document(ALLOW | {"Condition": {"StringEquals": {"aws:Referer": "x"}}}))
    other = source(document(DENY | {"Action": "sqs:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}))
    assert missing_keys([one, other], {}) == ("aws:Referer", "aws:SecureTransport")
    assert missing_keys([one, other], context({"AWS:REFERER": "y"})) == ("aws:SecureTransport",)
    assert missing_keys([one, other], context({"aws:referer": "", "aws:securetransport": True})) == ()


@pytest.mark.facts("POL-SM-003")
@pytest.mark.parametrize(
    ("operator", "missing"),
    [
        ("StringEquals", True),
        ("ForAnyValue:StringNotEquals", True),
        ("StringNotEquals", False),
        ("StringNotEqualsIfExists", False),
        ("StringEqualsIfExists", False),
        ("ForAllValues:StringEquals", False),
        ("Null", False),
    ],
)
def test_a_key_is_not_missing_where_the_condition_holds_without_it(operator: str, missing: bool) -> None:
    given = source(document(ALLOW | {"Condition": {operator: {"aws:TagKeys": "true"}}}))
    assert missing_keys([given], {}) == (("aws:TagKeys",) if missing else ())


@pytest.mark.facts("POL-SM-006")
@pytest.mark.parametrize(
    ("type", "fits", "misfits"),
    [
        ("string", ["", "x", "1"], []),
        ("numeric", ["1", "-1.5", "10.0", "1e3"], ["", "x", "0x1", "1e"]),
        ("boolean", ["true", "False", "yes"], []),
        (
            "ip",
            ["203.0.113.7", "203.000.113.07", "2001:db8::1", "::ffff:203.0.113.7"],
            ["", "203.0.113.0/24", "203.0.113", "fe80::1%eth0"],
        ),
        ("binary", ["", "AAEC"], ["A", "%%%="]),
        ("date", ["2026-01-02T03:04:05Z", "1767323045"], ["", "tomorrow"]),
    ],
)
def test_a_type_takes_its_own_values_and_its_list_several(type: str, fits: list[str], misfits: list[str]) -> None:
    for value in fits:
        expected = ("true" if value.lower() == "true" else "false") if type == "boolean" else value
        assert context_values("svc:key", type, [value]) == expected
        assert context_values("svc:key", f"{type}List", [value]) == (expected,)
    several = context_values("svc:key", f"{type}List", fits)
    assert len(several) == len(fits)
    assert isinstance(several, tuple)
    for name in (type, f"{type}List"):
        with pytest.raises(ValueError, match=r"^Context values for context key svc:key cannot be null or empty\.$"):
            context_values("svc:key", name, [])
    with pytest.raises(ValueError, match=rf"^Context key {type} expected a single value, but received 2\.$"):
        context_values("svc:key", type, (fits * 2)[:2])
    for value in misfits:
        for name in (type, f"{type}List"):
            with pytest.raises(ValueError, match=r"^Invalid context value for key svc:key: expected "):
                context_values("svc:key", name, [fits[-1], value] if name != type else [value])


@pytest.mark.facts("POL-SM-006")
def test_a_key_known_to_hold_several_values_does_so_and_every_entry_has_a_type() -> None:
    assert context_values("aws:username", "string", ["a"]) == "a"
    assert context_values("aws:TagKeys", "string", ["a"]) == ("a",)
    for unknown in (None, "arn", "List", "", "stringlist", "numericListList"):
        with pytest.raises(ValueError, match=r"^Context key aws:username has invalid type "):
            context_values("aws:username", unknown, ["a"])


STATEMENTS = st.builds(
    lambda effect, action, resource, key: {
        "Effect": effect,
        "Action": action,
        "Resource": resource,
        **({"Condition": {"StringEquals": {key: "x"}}} if key else {}),
    },
    st.sampled_from(["Allow", "Deny"]),
    st.sampled_from(["*", "s3:*", "s3:GetObject", "s3:PutObject"]),
    st.sampled_from(["*", "arn:aws:s3:::a/*", "arn:aws:s3:::b"]),
    st.sampled_from(["", "aws:referer"]),
)
TEXTS = st.lists(STATEMENTS, min_size=1, max_size=3).map(lambda statements: document(*statements))
GIVEN = st.builds(
    lambda identity, boundary, resource, levels: Given(
        tuple(source(text, id=f"p{number}") for number, text in enumerate(identity)),
        None if boundary is None else source(boundary, type=BOUNDARY, id="b"),
        None
        if resource is None
        else source(resource.replace('"Effect"', '"Principal": "*", "Effect"'), PolicyKind.RESOURCE, RESOURCE, "r"),
        None
        if levels is None
        else tuple(
            tuple(compile_policy(parse(text), PolicyKind.SERVICE_CONTROL) for text in level) for level in levels
        ),
    ),
    st.lists(TEXTS, max_size=2),
    st.none() | TEXTS,
    st.none() | TEXTS,
    st.none() | st.lists(st.lists(TEXTS, max_size=2), max_size=2),
)


@pytest.mark.facts("R30")
@given(GIVEN, st.sampled_from(["s3:GetObject", "s3:PutObject", "sqs:SendMessage"]), st.booleans(), st.booleans())
def test_a_simulation_decides_as_the_engine_does_and_lists_statements_of_that_effect(
    policies: Given, action: str, across: bool, referred: bool
) -> None:
    owner = "444455556666" if across else ACCOUNT
    ask = Ask(ALICE, action, "arn:aws:s3:::a/1", owner, {"aws:referer": "x"} if referred else {})
    outcome = simulate(ask, policies)
    assert outcome.effect is decide(ask, policies.policies).effect
    wanted = {Effect.ALLOW: "Allow", Effect.EXPLICIT_DENY: "Deny"}
    effects = {match.source.policy.statements[match.number].effect for match in outcome.matches}
    assert effects <= {wanted.get(outcome.effect)}
    if outcome.effect is Effect.ALLOW:
        assert outcome.matches
        assert outcome.organization_allows is not False
    assert (outcome.boundary_allows is None) is (policies.boundary is None)
    assert (outcome.organization_allows is None) is (policies.scps is None)
    assert (outcome.by_type is None) is (not across or outcome.organization_allows is False)
    if outcome.effect is Effect.EXPLICIT_DENY and policies.scps is None:
        assert outcome.matches


NAMES = st.sampled_from(
    ["aws:username", "AWS:UserName", "aws:SourceIp", "${", "${aws:userid}", "*", "s3:*", "1", "true"]
)
VALUES = NAMES | st.lists(NAMES, max_size=2) | st.dictionaries(NAMES, NAMES, max_size=2) | st.text(max_size=3)
OPERATORS = st.sampled_from(["StringLike", "ForAllValues:ArnLike", "IpAddress", "Bool", "Null", "DateLessThan", "X"])
WILD = st.fixed_dictionaries(
    {},
    optional={
        "Sid": st.text(max_size=2),
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": VALUES,
        "NotAction": VALUES,
        "Resource": VALUES,
        "NotResource": VALUES,
        "Condition": st.dictionaries(OPERATORS, st.dictionaries(NAMES, VALUES, max_size=2), max_size=2) | VALUES,
    },
)


@given(
    st.lists(WILD, max_size=3) | WILD,
    st.sampled_from(["2012-10-17", "2008-10-17", ""]),
    st.sampled_from([None, 2]),
    st.sampled_from([PolicyKind.INLINE, PolicyKind.SERVICE_CONTROL]),
)
def test_every_document_that_can_be_stored_can_be_simulated(
    statement: Any, version: str, indent: int | None, kind: PolicyKind
) -> None:
    text = json.dumps({"Statement": statement, **({"Version": version} if version else {})}, indent=indent)
    try:
        policy = validate(text, kind)
    except MalformedPolicyDocumentException:
        return
    policies = Given((Source.of(policy, text, kind, "p", IDENTITY),))
    assert len(policies.identity[0].spans()) == len(policy.statements)
    names = missing_keys(policies.sources, {})
    assert len({name.lower() for name in names}) == len(names)
    for resource in ("*", "arn:aws:s3:::a"):
        simulate(Ask(ALICE, "s3:GetObject", resource, ACCOUNT, {name.lower(): "x" for name in names}), policies)
