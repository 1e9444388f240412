"""Advice about policy documents: what would be stored and is hardly meant, and nothing that is right."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locum.policy import (
    AWS_MANAGED_POLICIES,
    Ask,
    Policies,
    PolicyKind,
    Principal,
    compile_policy,
    context,
    decide,
    parse,
    validate,
)
from locum.policy.analyze import Severity, analyze
from locum.policy.overlap import covers
from locum.policy.patterns import any_of, text_template

from .examined import (
    INLINE,
    MANAGED,
    RCP,
    RCPS,
    RESOURCE,
    RESOURCES,
    STATEMENT,
    SUB,
    TRUST,
    TRUSTS,
    WEB,
    brief,
    document,
    fact,
    found,
    one,
    when,
)

TAGS = "aws:TagKeys"
DENY: dict[str, Any] = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
USERNAME = 'Statement[0].Condition.StringEquals["aws:username"]'

ADVICE = [
    (one("Action", NotAction="iam:*"), MANAGED, "allow-not-action", "Statement[0].NotAction"),
    (one("Resource", NotResource="arn:aws:s3:::x"), MANAGED, "allow-not-resource", "Statement[0].NotResource"),
    (one(Action="iam:PassRole", Resource="*"), MANAGED, "pass-role", "Statement[0].Resource"),
    (one(Action="iam:*", Resource="arn:aws:iam::*:role/*"), MANAGED, "pass-role", "Statement[0].Resource"),
    (one(Principal="*"), RESOURCE, "wildcard-principal", "Statement[0].Principal"),
    (
        one(Principal={"AWS": ["111122223333", "*"]}),
        RESOURCE,
        "wildcard-principal",
        "Statement[0].Principal.AWS[1]",
    ),
    (document(TRUST | {"Principal": {"AWS": "*"}}), TRUSTS, "wildcard-principal", "Statement[0].Principal.AWS[0]"),
    (
        document(TRUST | {"Principal": {"AWS": "*"}, "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}}),
        TRUSTS,
        "wildcard-principal",
        "Statement[0].Principal.AWS[0]",
    ),
    (
        one("Principal", Effect="Deny", NotPrincipal={"AWS": "111122223333"}),
        RESOURCE,
        "deny-not-principal",
        "Statement[0].NotPrincipal",
    ),
    (
        document(WEB | {"Action": "sts:AssumeRole"}),
        TRUSTS,
        "principal-action-mismatch",
        "Statement[0].Principal.Federated",
    ),
    (
        document(TRUST | {"Action": "sts:AssumeRoleWithWebIdentity"}),
        TRUSTS,
        "principal-action-mismatch",
        "Statement[0].Principal.AWS",
    ),
    *(
        (
            document(WEB | {"Condition": {"StringLike": {SUB: [value, "repo:acme/*"]}}}),
            TRUSTS,
            "broad-subject",
            f'Statement[0].Condition.StringLike["{SUB}"][0]',
        )
        for value in ("repo:*", "repo:ac*/app:*", "re*:acme/app", "repo:?cme/app")
    ),
    (one(Action=["sts:AssumRole"]), MANAGED, "unknown-action", "Statement[0].Action[0]"),
    (
        when(StringEquals={"aws:user": "a"}),
        MANAGED,
        "unknown-key",
        'Statement[0].Condition.StringEquals["aws:user"]',
    ),
    (
        when(StringEquals={"aws:PrincipalTag": "a"}),
        MANAGED,
        "unknown-key",
        'Statement[0].Condition.StringEquals["aws:PrincipalTag"]',
    ),
    (when(StringEquals={"team": "a"}), MANAGED, "unknown-key", "Statement[0].Condition.StringEquals.team"),
    (one(Resource="arn:aws:s3:::${aws:user}"), MANAGED, "unknown-key", "Statement[0].Resource[0]"),
    (
        when(ForAllValues__StringEquals={TAGS: "a"}),
        MANAGED,
        "unguarded-for-all-values",
        'Statement[0].Condition["ForAllValues:StringEquals"]["aws:TagKeys"]',
    ),
    (
        when(StringEquals={TAGS: "a"}),
        MANAGED,
        "plain-operator-on-list",
        'Statement[0].Condition.StringEquals["aws:TagKeys"]',
    ),
    (
        when(ForAnyValue__StringEquals={"aws:username": "a"}),
        MANAGED,
        "set-operator-on-single",
        'Statement[0].Condition["ForAnyValue:StringEquals"]["aws:username"]',
    ),
    (when(StringEquals={"aws:username": ["x", "a*"]}), MANAGED, "literal-wildcard", f"{USERNAME}[1]"),
    (when(StringEquals={"aws:username": []}), MANAGED, "empty-values", USERNAME),
    (
        when(StringEquals={"aws:SourceIp": "10.0.0.0/8"}),
        MANAGED,
        "never-matches",
        'Statement[0].Condition.StringEquals["aws:SourceIp"][0]',
    ),
    (
        when(ArnLike={"aws:PrincipalArn": "role/*"}),
        MANAGED,
        "never-matches",
        'Statement[0].Condition.ArnLike["aws:PrincipalArn"][0]',
    ),
    (
        when(IpAddress={"aws:SourceIp": "203.0.113.77/24"}),
        MANAGED,
        "host-bits",
        'Statement[0].Condition.IpAddress["aws:SourceIp"][0]',
    ),
    (
        when(NumericEquals={"aws:SourceIp": "10"}),
        MANAGED,
        "type-mismatch",
        'Statement[0].Condition.NumericEquals["aws:SourceIp"]',
    ),
    (
        when(DateLessThan={"aws:CurrentTime": ["2020-01-01", "2021-01-01T00:00:00Z"]}),
        MANAGED,
        "expired",
        'Statement[0].Condition.DateLessThan["aws:CurrentTime"][1]',
    ),
    (
        when(NumericLessThan={"sts:DurationSeconds": "10"}, NumericGreaterThan={"sts:DurationSeconds": "20"}),
        MANAGED,
        "contradiction",
        'Statement[0].Condition.NumericGreaterThan["sts:DurationSeconds"]',
    ),
    (
        when(Null={"aws:username": "true"}, StringEquals={"aws:username": "a"}),
        MANAGED,
        "contradiction",
        USERNAME,
    ),
    (
        one(Effect="Deny", Condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}}),
        MANAGED,
        "mfa-key-absent",
        'Statement[0].Condition.Bool["aws:MultiFactorAuthPresent"]',
    ),
    (
        document(STATEMENT | {"Resource": "arn:aws:s3:::${aws:username}"}, Version="2008-10-17"),
        INLINE,
        "variables-off",
        "Statement[0].Resource[0]",
    ),
    (one(Resource="arn:aws:s3:::${aws:TagKeys}"), MANAGED, "variable-list", "Statement[0].Resource[0]"),
    (
        one(Resource="arn:aws:sqs:${aws:RequestedRegion}:111122223333:q"),
        MANAGED,
        "variable-place",
        "Statement[0].Resource[0]",
    ),
    (document(STATEMENT, DENY), MANAGED, "unreachable-statement", "Statement[0]"),
    (
        document(STATEMENT, DENY | {"NotAction": "iam:*", "Action": None}).replace('"Action": null, ', ""),
        MANAGED,
        "unreachable-statement",
        "Statement[0]",
    ),
    (document(STATEMENT, STATEMENT), MANAGED, "redundant-statement", "Statement[1]"),
    (
        document(STATEMENT | {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, STATEMENT),
        MANAGED,
        "redundant-statement",
        "Statement[0]",
    ),
    (one(Action=["s3:GetObject", "s3:get*"]), MANAGED, "redundant-entry", "Statement[0].Action[0]"),
    (
        one(Resource=["arn:aws:s3:::ledger/*", "arn:aws:s3:::ledger/x/*"]),
        MANAGED,
        "redundant-entry",
        "Statement[0].Resource[1]",
    ),
]


@pytest.mark.parametrize(
    ("text", "kind", "code", "path"),
    [pytest.param(*case, marks=fact("POL-VA-006") if case[2].startswith("unknown") else ()) for case in ADVICE],
)
def test_what_would_be_stored_and_is_hardly_meant_is_told(text: str, kind: PolicyKind, code: str, path: str) -> None:
    validate(text, kind)
    findings = found(text, kind)
    assert brief(findings) == [(code, path)]
    assert findings[0].severity is not Severity.ERROR
    assert findings[0].message


NO_ADVICE = [
    (one(), MANAGED),
    (document(TRUST), TRUSTS),
    (document(WEB), TRUSTS),
    (document(RCP), RCPS),
    (one(Principal={"AWS": "111122223333"}), RESOURCE),
    (one(Effect="Deny", Principal="*"), RESOURCE),
    (one(Principal="*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), RESOURCE),
    (one(Effect="Deny", NotAction="iam:*").replace('"Action": "s3:GetObject", ', ""), MANAGED),
    (one(Action="iam:PassRole", Resource="*", Condition={"StringEquals": {"iam:PassedToService": "x"}}), MANAGED),
    (one(Action="iam:PassRole", Resource="arn:aws:iam::111122223333:role/app"), MANAGED),
    (document(WEB | {"Condition": {"StringLike": {SUB: "repo:acme/*"}}}), TRUSTS),
    (when(StringLike={"aws:username": "a*"}), MANAGED),
    (when(StringEquals={"aws:username": "a${*}"}), MANAGED),
    (when(StringEquals={"s3:prefix": "x", "AWS:USERNAME": "y", "aws:PrincipalTag/Any Thing": "z"}), MANAGED),
    (when(StringEquals={"saml:aud": "x", "aws:SourceVpce": "vpce-1"}), MANAGED),
    (when(ForAllValues__StringEquals={TAGS: "a"}, Null={TAGS: "false"}), MANAGED),
    (one(Effect="Deny", Condition={"ForAllValues:StringEquals": {TAGS: "a"}}), MANAGED),
    (when(ForAnyValue__StringEquals={TAGS: "a"}), MANAGED),
    (when(IpAddress={"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32", "10.0.0.1"]}), MANAGED),
    (when(DateLessThan={"aws:CurrentTime": ["2020-01-01", "2099-01-01"]}), MANAGED),
    (
        when(NumericLessThan={"sts:DurationSeconds": ["10", "30"]}, NumericGreaterThan={"sts:DurationSeconds": "20"}),
        MANAGED,
    ),
    (one(Effect="Deny", Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}), MANAGED),
    (one(Resource="arn:aws:s3:::home/${aws:PrincipalTag/team, 'none'}/${aws:username}"), MANAGED),
    (one(Action=["sts:Assume*", "sts:TagSession"]), MANAGED),
    (document(STATEMENT, DENY | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}), MANAGED),
    (document(STATEMENT, DENY | {"Resource": "arn:aws:s3:::ledger/secret/*"}), MANAGED),
    (document(STATEMENT, DENY | {"Action": "s3:Put*"}), MANAGED),
    (one(Resource=["arn:aws:s3:::a*b", "arn:aws:s3:::a:xb"]), MANAGED),
]


@pytest.mark.parametrize(("text", "kind"), NO_ADVICE)
def test_what_is_right_is_left_alone(text: str, kind: PolicyKind) -> None:
    assert brief(found(text, kind)) == []


def test_without_a_clock_nothing_has_expired() -> None:
    text = when(DateLessThan={"aws:CurrentTime": "2020-01-01"})
    assert found(text, now=None) == []
    assert brief(found(text, now=1_500_000_000)) == []


def test_the_policies_that_aws_ships_have_no_errors() -> None:
    for policy in AWS_MANAGED_POLICIES:
        analysis = analyze(policy.document, MANAGED)
        assert not analysis.has_errors
        assert {each.code for each in analysis.findings} <= {"pass-role", "allow-not-action"}


# --- properties

VALID_ACTIONS = ["*", "s3:*", "s3:Get*", "s3:GetObject", "s3:G?tObject", "s3:PutObject", "iam:*"]
VALID_RESOURCES = [*RESOURCES[:8], "arn:aws:s3:::a/*:b", "arn:aws:s3:*:1*:a/b"]
VALID = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "action": st.sampled_from(["Action", "Action", "NotAction"]),
        "actions": st.lists(st.sampled_from(VALID_ACTIONS), min_size=1, max_size=2),
        "resource": st.sampled_from(["Resource", "Resource", "NotResource"]),
        "resources": st.lists(st.sampled_from(VALID_RESOURCES), min_size=1, max_size=2),
        "Condition": st.sampled_from([{}, {}, {"StringEquals": {"aws:username": "a"}}]),
    }
).map(
    lambda each: {
        "Effect": each["Effect"],
        each["action"]: each["actions"],
        each["resource"]: each["resources"],
        "Condition": each["Condition"],
    }
)
ALICE = Principal.user("arn:aws:iam::111122223333:user/a", "111122223333", "AIDAALICEALICEALICE00")
ASKED = [
    Ask(ALICE, action, resource, "111122223333", context({"aws:username": name} if name else {}))
    for action in ("s3:GetObject", "s3:PutObject", "iam:GetUser")
    for resource in (
        *("*", "arn:aws:s3:::a", "arn:aws:s3:::a/b", "arn:aws:s3:::a/c:b", "arn:aws:s3:::c/b", "arn:aws:s3:::axb"),
        *("arn:aws:s3:x:1:a/b", "arn:aws:s3:x:1:y:a/b", "arn:aws:iam::111122223333:user/a", "arn:aws:s3:::axb:c"),
    )
    for name in ("a", "a/b", "")
]


SYMBOLS = st.text(alphabet="ab:*?/", max_size=7)


@given(SYMBOLS, SYMBOLS, st.text(alphabet="ab:/", max_size=9))
def test_a_pattern_that_covers_another_matches_what_it_matches(wide: str, narrow: str, text: str) -> None:
    if covers(wide, narrow):
        assert matches(narrow, text) <= matches(wide, text)


@given(SYMBOLS)
def test_a_pattern_covers_itself_and_is_covered_by_a_star(pattern: str) -> None:
    assert covers(pattern, pattern)
    assert covers("*", pattern)
    assert covers(pattern, "*") is (set(pattern) == {"*"})


def matches(pattern: str, text: str) -> bool:
    matcher = any_of([text_template(pattern, variables=False)])
    return matcher is None or matcher(text, {})


@settings(max_examples=150)
@given(st.lists(VALID, min_size=1, max_size=3))
def test_a_statement_or_entry_that_is_told_to_be_superfluous_can_be_removed(statements: list[Any]) -> None:
    text = document(*statements)
    before = compile_policy(parse(text), INLINE)
    for each in found(text, INLINE):
        changed = json.loads(text)["Statement"]
        if each.code in ("unreachable-statement", "redundant-statement"):
            del changed[int(each.path[len("Statement[") : -1])]
        elif each.code == "redundant-entry":
            index, element, place = each.path[len("Statement[") : -1].replace("].", " ").replace("[", " ").split()
            del changed[int(index)][element][int(place)]
        else:
            continue
        after = compile_policy(parse(document(*changed)), INLINE) if changed else None
        for ask in ASKED:
            left = decide(ask, Policies(identity=(before,)))
            right = decide(ask, Policies(identity=() if after is None else (after,)))
            assert left.allowed is right.allowed, (each, ask)
