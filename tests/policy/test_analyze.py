"""Findings about policy documents: each mistake at its place, and none that is no mistake."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locum.errors import MalformedPolicyDocumentException
from locum.policy import (
    AWS_MANAGED_POLICIES,
    MAX_CHARACTERS,
    Ask,
    Policies,
    PolicyError,
    PolicyKind,
    Principal,
    compile_policy,
    context,
    decide,
    parse,
    validate,
)
from locum.policy.analyze import MAX_FINDINGS, Finding, Severity, analyze, guess_kind
from locum.policy.overlap import covers
from locum.policy.patterns import any_of, text_template
from locum.policy.sizes import SIZES

ROOT = Path(__file__).parents[2]
NOW = 1_800_000_000
STATEMENT: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::ledger/*"}
TRUST: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
    "Action": "sts:AssumeRole",
}
GITHUB = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
SUB = "token.actions.githubusercontent.com:sub"
WEB: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Federated": GITHUB},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {"StringEquals": {SUB: "repo:acme/app:ref:refs/heads/main"}},
}
RCP: dict[str, Any] = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}

MANAGED, INLINE, SESSION = PolicyKind.MANAGED, PolicyKind.INLINE, PolicyKind.SESSION
TRUSTS, RESOURCE = PolicyKind.TRUST, PolicyKind.RESOURCE
SCPS, RCPS = PolicyKind.SERVICE_CONTROL, PolicyKind.RESOURCE_CONTROL


def fact(*ids: str) -> pytest.MarkDecorator:
    return pytest.mark.facts(*ids)


def document(*statements: Any, **others: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | others)


def one(*drop: str, **elements: Any) -> str:
    return document({key: value for key, value in (STATEMENT | elements).items() if key not in drop})


def when(**operators: Any) -> str:
    return one(Condition={name.replace("__", ":"): keys for name, keys in operators.items()})


def found(text: str, kind: PolicyKind = MANAGED, now: int | None = NOW) -> list[Finding]:
    return list(analyze(text, kind, now=now).findings)


def brief(findings: list[Finding]) -> list[tuple[str, str]]:
    return sorted((each.code, each.path) for each in findings)


SYNTAX = "Syntax errors in policy."

ERRORS = [
    (one(Resources="*"), MANAGED, "invalid-element", "Statement[0].Resources", SYNTAX, fact("POL-VA-010")),
    (document(STATEMENT, "x"), MANAGED, "invalid-statement", "Statement[1]", SYNTAX, fact("POL-VA-010")),
    (document(STATEMENT, Foo=1), MANAGED, "invalid-element", "Foo", SYNTAX, fact("POL-GR-001")),
    (document(), MANAGED, "invalid-statement", "Statement", SYNTAX, fact("POL-GR-009")),
    ('{"Version": "2012-10-17"}', MANAGED, "missing-statement", "document", SYNTAX, fact("POL-GR-001")),
    (
        json.dumps({"Statement": STATEMENT}),
        MANAGED,
        "missing-version",
        "document",
        "Policy document must be version 2012-10-17 or greater.",
        fact("POL-VA-011"),
    ),
    (
        document(STATEMENT, Version="2008-10-17"),
        MANAGED,
        "invalid-version",
        "Version",
        "Policy document must be version 2012-10-17 or greater.",
        fact("POL-VA-011"),
    ),
    (one("Effect"), MANAGED, "missing-effect", "Statement[0]", SYNTAX, fact("POL-VA-010")),
    (
        one(Effect="allow"),
        MANAGED,
        "invalid-effect",
        "Statement[0].Effect",
        "The policy failed legacy parsing",
        fact("POL-VA-013"),
    ),
    (
        one(Resource=["*", "arn:aws:iam:us-east-1:111122223333:root"]),
        INLINE,
        "invalid-resource",
        "Statement[0].Resource[1]",
        "IAM resource arn:aws:iam:us-east-1:111122223333:root cannot contain region information.",
        fact("POL-VA-023"),
    ),
    (
        one(Resource="arn:aws:s3:us-east-1::bucket"),
        INLINE,
        "invalid-resource",
        "Statement[0].Resource",
        "Resource arn:aws:s3:us-east-1::bucket can not contain region information.",
        fact("POL-VA-024"),
    ),
    (
        one(Action=["s3:GetObject", "GetObject"]),
        INLINE,
        "invalid-action",
        "Statement[0].Action[1]",
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        fact("POL-VA-016"),
    ),
    (
        one(Resource=["*", "arn:aws:*:::ledger", "*"]),
        SESSION,
        "invalid-resource",
        "Statement[0].Resource[1]",
        "Resource vendor must be fully qualified and cannot contain regexes.",
        fact("POL-VA-022"),
    ),
    (one(NotAction=["iam:*"]), MANAGED, "both-forms", "Statement[0].NotAction", SYNTAX, fact("POL-GR-013")),
    (
        when(StringEqual={"aws:username": "a"}),
        MANAGED,
        "invalid-condition",
        "Statement[0].Condition.StringEqual",
        SYNTAX,
        fact("POL-CO-007"),
    ),
    (
        when(StringEquals={"aws:username": ["a", "${aws:username"]}),
        MANAGED,
        "invalid-condition",
        'Statement[0].Condition.StringEquals["aws:username"][1]',
        SYNTAX,
        fact("POL-VR-012"),
    ),
    (
        when(DateLessThan={"aws:CurrentTime": "soon"}),
        MANAGED,
        "invalid-condition",
        'Statement[0].Condition.DateLessThan["aws:CurrentTime"]',
        "The policy failed legacy parsing",
        fact("POL-CO-045"),
    ),
    (
        document(STATEMENT | {"Sid": "a"}, STATEMENT | {"Sid": "a", "Action": "s3:PutObject"}),
        MANAGED,
        "duplicate-sid",
        "Statement[1].Sid",
        "Statement IDs (SID) in a single policy must be unique.",
        fact("POL-VA-012"),
    ),
    (
        document(TRUST | {"Sid": "a"}, WEB | {"Sid": "a"}),
        TRUSTS,
        "duplicate-sid",
        "Statement[1].Sid",
        "The Statement Ids in the policy are not unique",
        fact("POL-VA-048"),
    ),
    (
        document(TRUST | {"Principal": {"AWS": ["111122223333", "arn:aws:iam::111122223333:role/*"]}}),
        TRUSTS,
        "invalid-principal",
        "Statement[0].Principal.AWS[1]",
        'Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:role/*"',
        fact("POL-VA-040"),
    ),
    (
        document(WEB | {"Condition": {"StringEquals": {SUB.replace("sub", "aud"): "sts.amazonaws.com"}}}),
        TRUSTS,
        "shared-issuer",
        "Statement[0].Principal.Federated",
        f"A condition on {SUB} must be present for the shared provider token.actions.githubusercontent.com",
        fact("POL-VA-052"),
    ),
    (
        document({key: value for key, value in WEB.items() if key != "Condition"}, TRUST),
        TRUSTS,
        "shared-issuer",
        "Statement[0].Principal.Federated",
        f"A condition on {SUB} must be present for the shared provider token.actions.githubusercontent.com",
        fact("POL-VA-052"),
    ),
    (
        document(TRUST | {"Resource": "*"}),
        TRUSTS,
        "invalid-resource",
        "Statement[0].Resource",
        "Has prohibited field Resource",
        fact("POL-VA-043"),
    ),
    (
        one(Principal={"AWS": "111122223333"}),
        MANAGED,
        "invalid-principal",
        "Statement[0].Principal.AWS",
        "Policy document should not specify a principal.",
        fact("POL-VA-026"),
    ),
    *(
        (
            document(RCP | elements),
            RCPS,
            code,
            path,
            "The provided policy document does not meet the requirements of the specified policy type.",
            fact("POL-VA-072"),
        )
        for elements, code, path in (
            ({"Effect": "Allow"}, "invalid-effect", "Statement[0].Effect"),
            ({"Action": ["s3:*", "*"]}, "invalid-action", "Statement[0].Action[1]"),
            ({"Principal": {"AWS": "111122223333"}}, "invalid-principal", "Statement[0].Principal.AWS"),
        )
    ),
]


@pytest.mark.parametrize(
    ("text", "kind", "code", "path", "message"), [pytest.param(*case[:5], marks=case[5]) for case in ERRORS]
)
def test_a_mistake_is_found_where_it_is_with_the_message_of_aws(
    text: str, kind: PolicyKind, code: str, path: str, message: str
) -> None:
    errors = [each for each in found(text, kind) if each.severity is Severity.ERROR]
    assert [(each.code, each.path, each.message) for each in errors] == [(code, path, message)]
    with pytest.raises(MalformedPolicyDocumentException) as refused:
        validate(text, kind)
    assert refused.value.message == message
    assert errors[0].why


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        (one(Resources="*"), "did you mean Resource?"),
        (when(StringEqual={"a:b": "c"}), "did you mean StringEquals?"),
        (when(ForAnyValue__StringLikes={"a:b": "c"}), "did you mean StringLike?"),
        (when(ForAnyValues__StringLike={"a:b": "c"}), "set operators are ForAllValues: and ForAnyValue:"),
        (document(TRUST | {"Principal": {"Role": "x"}}), "it is one of AWS, Federated, Service, CanonicalUser"),
    ],
)
def test_a_misspelt_name_brings_the_right_one(text: str, fix: str) -> None:
    kind = guess_kind(text)
    assert any(each.fix.startswith(fix) for each in found(text, kind))


def test_all_mistakes_are_told_at_once() -> None:
    text = """{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "allow", "Action": ["s3:Get*", "x", "a:b:c"], "Resources": "*"},
    {"Sid": "a", "Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:*:::x", "*"],
     "Condition": {"StringEqual": {"a:b": "c"}, "DateLessThan": {"aws:CurrentTime": ["2030-01-01", "soon"]}}},
    {"Sid": "a", "Effect": "Deny", "Action": "s3:*"}
  ]
}"""
    places = [(each.line, each.column, each.end_column, each.code) for each in found(text)]
    assert [place for place in places if not place[3].startswith("redundant")] == [
        (4, 5, 78, "missing-resource"),
        (4, 16, 22, "invalid-effect"),
        (4, 47, 49, "invalid-action"),
        (4, 52, 58, "invalid-action"),
        (4, 62, 77, "invalid-element"),
        (5, 68, 82, "invalid-resource"),
        (6, 20, 46, "invalid-condition"),
        (6, 100, 105, "invalid-condition"),
        (7, 5, 52, "missing-resource"),
        (7, 13, 15, "duplicate-sid"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "fix"),
    [
        ("", 1, 1, ""),
        ('{"Version": "2012-10-17",\n}', 1, 25, "remove this comma"),
        ('{"Statement": [\n  1,\n]}', 2, 4, "remove this comma"),
        ('{"Version": "2012-10-17"\n // why\n}', 2, 2, "JSON has no comments"),
        ("{\n 'Version': 1}", 2, 2, "JSON strings stand in plain double quotes"),
        ('{"Version": “2012-10-17”}', 1, 13, "JSON strings stand in plain double quotes"),
    ],
)
def test_what_is_no_json_is_shown_where_it_breaks_off(text: str, line: int, column: int, fix: str) -> None:
    (error,) = [each for each in found(text) if each.code == "invalid-json"]
    # Python 3.13 names the comma, older ones what follows it.
    assert (error.line, error.column) == (line, column) or error.fix == "remove the comma before it"
    assert error.message == SYNTAX
    assert error.fix.startswith(fix) or error.fix == "remove the comma before it"


@fact("POL-GR-007", "POL-CO-008")
def test_a_name_that_stands_twice_is_shown() -> None:
    text = '{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "*",\n "Effect": "Deny"}}'
    (error,) = found(text)
    assert (error.code, error.path, error.line, error.column) == ("duplicate-key", "Statement.Effect", 2, 2)


@fact("POL-GR-017")
@pytest.mark.parametrize(("character", "bad"), [("é", False), ("ÿ", False), ("€", True), ("😀", True)])
def test_a_character_that_no_parameter_may_hold_is_found(character: str, bad: bool) -> None:
    text = json.dumps(json.loads(one(Resource=f"arn:aws:s3:::{character}")), ensure_ascii=False)
    errors = [each for each in found(text) if each.code == "invalid-character"]
    assert [each.column for each in errors] == ([text.index(character) + 1] if bad else [])


def long(characters: int, kind: PolicyKind) -> str:
    """A document of the kind whose counted size is exactly this."""
    base = {TRUSTS: TRUST, RCPS: RCP}.get(kind, STATEMENT)

    def made(padding: str) -> str:
        return json.dumps({"Version": "2012-10-17", "Id": padding, "Statement": [base]}, separators=(",", ":"))

    return made("i" * (characters - len(made(""))))


@pytest.mark.parametrize(
    ("kind", "limit", "message"),
    [
        (MANAGED, 6_144, "Cannot exceed quota for PolicySize: 6144"),
        (INLINE, 10_240, "Maximum policy size of 10240 bytes exceeded for role"),
        (TRUSTS, 2_048, "Cannot exceed quota for ACLSizePerRole: 2048"),
        (SESSION, 2_048, "Member must have length less than or equal to 2048"),
        (SCPS, 10_240, "POLICY_CONTENT_LIMIT_EXCEEDED"),
        (RCPS, 5_120, "POLICY_CONTENT_LIMIT_EXCEEDED"),
    ],
)
def test_a_document_that_is_too_large_is_found(kind: PolicyKind, limit: int, message: str) -> None:
    def errors(text: str) -> list[Finding]:
        return [each for each in found(text, kind) if each.severity is Severity.ERROR]

    assert errors(long(limit, kind)) == []
    (error,) = errors(long(limit + 1, kind))
    assert error.code == "too-large"
    assert message in error.message
    spaced = long(limit, kind).replace(":", ": ", 1)
    assert bool(errors(spaced)) is (kind in (SESSION, SCPS, RCPS))


def test_an_inline_policy_may_fit_a_role_and_not_a_user() -> None:
    assert found(long(2_048, INLINE), INLINE) == []
    (warning,) = found(long(2_049, INLINE), INLINE)
    assert (warning.severity, warning.message) == (
        Severity.WARNING,
        "too large to be an inline policy of a user",
    )
    (warning,) = found(long(5_121, INLINE), INLINE)
    assert "user or of a group" in warning.message


def test_the_sizes_can_be_those_of_an_account() -> None:
    sizes = SIZES | {TRUSTS: SIZES[TRUSTS]._replace(characters=4_096)}
    assert not analyze(long(4_000, TRUSTS), TRUSTS, sizes=sizes).has_errors
    (error,) = analyze(long(5_000, TRUSTS), TRUSTS, sizes=sizes).findings
    assert error.fix == "shorten it, or raise ACLSizePerRole (at most 8192)"


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


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (one(), MANAGED),
        (document(TRUST), TRUSTS),
        (one(Principal="*"), RESOURCE),
        (json.dumps({"Statement": TRUST}), TRUSTS),
        ("{", MANAGED),
        ("[]", MANAGED),
        ('{"Statement": 5}', MANAGED),
        ("[" * 100_000, MANAGED),
    ],
)
def test_the_kind_of_a_document_follows_from_its_elements(text: str, kind: PolicyKind) -> None:
    assert guess_kind(text) is kind


def test_the_findings_of_one_document_are_bounded() -> None:
    analysis = analyze(document(*[{"Effect": "x"}] * 500), MANAGED)
    assert (len(analysis.findings), analysis.cut) == (MAX_FINDINGS, True)
    many = document(*[STATEMENT | {"Action": f"s3:{n}"} for n in range(900)])
    assert brief(found(many)) == [("too-large", "document")]
    assert len(many) < MAX_CHARACTERS


def test_every_code_is_in_the_documentation_and_no_other() -> None:
    source = ROOT / "src" / "locum" / "policy"
    used = {
        argument.value
        for name in ("advice", "analyze", "condition_advice", "overlap", "refusals")
        for call in ast.walk(ast.parse((source / f"{name}.py").read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("warn", "suggest", "Draft")
        for argument in call.args[: 2 if ast.unparse(call.func) == "Draft" else 1]
        if isinstance(argument, ast.Constant)
    }
    table = (ROOT / "docs" / "policy-tools.md").read_text().partition("### Codes")[2].partition("In a program")[0]
    told = {
        code for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for code in re.findall("`([a-z-]+)`", row)
    }
    assert used <= told
    made = {
        *(f"invalid-{name}" for name in ("document", "element", "statement", "version", "id", "sid", "effect")),
        *(f"invalid-{name}" for name in ("principal", "action", "resource", "condition")),
        *(f"missing-{name}" for name in ("version", "statement", "effect", "principal", "action", "resource")),
        *("both-forms", "shared-issuer"),
    }
    assert told == used | made


# --- properties

ACTIONS = [
    "*",
    "s3:*",
    "s3:Get*",
    "s3:GetObject",
    "s3:G?tObject",
    "s3:PutObject",
    "iam:*",
    "sts:AssumRole",
    "x",
    "a:b:c",
]
RESOURCES = [
    "*",
    "arn:aws:s3:::a*",
    "arn:aws:s3:::a/*",
    "arn:aws:s3:::a/b",
    "arn:aws:s3:::*/b",
    "arn:aws:s3:::a?b*",
    "arn:aws:s3:*:*:a/b",
    "arn:aws:s3:::${aws:username}",
    "arn:aws:*:::x",
    "arn:aws:s3:::${aws:username",
]
OPERATORS = [
    "StringEquals",
    "StringNotLike",
    "ForAllValues:StringLike",
    "IpAddressIfExists",
    "Null",
    "Bool",
    "StringEqual",
]
KEYS = ["aws:username", "aws:TagKeys", "aws:SourceIp", "aws:MultiFactorAuthPresent"]
VALUES: list[Any] = ["alice", "a*", "true", "10.0.0.0/8", "${aws:userid}", "${", ["alice", "bob"], [], True, 5, None]


def some(values: list[str]) -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(values), st.lists(st.sampled_from(values), max_size=3))


CONDITIONS = st.dictionaries(
    st.sampled_from(OPERATORS), st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=2), max_size=2
)
PRINCIPALS = st.sampled_from(
    ["*", {"AWS": "*"}, {"AWS": ["111122223333", "x"]}, {"Service": "ec2.amazonaws.com"}, {"Federated": GITHUB}, {}, 5]
)
STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Allow", "Deny", "Deny", "allow", "x", 1])},
    optional={
        "Sid": st.sampled_from(["", "a", "b", "a b", 1]),
        "Action": some(ACTIONS),
        "NotAction": some(ACTIONS),
        "Resource": some(RESOURCES),
        "NotResource": some(RESOURCES),
        "Principal": PRINCIPALS,
        "Condition": CONDITIONS,
        "Foo": st.just(1),
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {"Statement": st.one_of(STATEMENTS, st.lists(STATEMENTS, max_size=3))},
    optional={
        "Version": st.sampled_from(["2012-10-17", "2012-10-17", "2008-10-17", "2020-01-01", 1]),
        "Id": st.just("i"),
    },
)


CODES = frozenset(re.findall("`([a-z]+(?:-[a-z]+)*)`", (ROOT / "docs" / "policy-tools.md").read_text()))


def is_refused(text: str, kind: PolicyKind) -> bool:
    try:
        compile_policy(validate(text, kind), kind)
    except (MalformedPolicyDocumentException, PolicyError):
        return True
    return False


@given(DOCUMENTS, st.sampled_from(PolicyKind), st.sampled_from([None, 1]))
def test_errors_are_found_exactly_where_storing_is_refused(made: Any, kind: PolicyKind, indent: int | None) -> None:
    text = json.dumps(made, indent=indent)
    analysis = analyze(text, kind, now=NOW)
    assert analysis.has_errors is is_refused(text, kind)
    lines = text.split("\n")
    assert {each.code for each in analysis.findings} <= CODES
    for each in analysis.findings:
        assert 1 <= each.column <= len(lines[each.line - 1])
        assert (each.line, each.column) <= (each.end_line, each.end_column)


@given(st.text(), st.sampled_from(PolicyKind))
def test_any_text_is_examined(text: str, kind: PolicyKind) -> None:
    assert analyze(text, kind).has_errors


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["Allow", "*", "Statement"]),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["Statement", "Effect", "Action", "x"]), inner),
        max_leaves=12,
    ),
    st.sampled_from(PolicyKind),
)
def test_any_json_is_examined(made: Any, kind: PolicyKind) -> None:
    assert analyze(json.dumps(made), kind).has_errors


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
