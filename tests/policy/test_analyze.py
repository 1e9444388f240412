"""Findings about policy documents: each mistake at its place, with the message of AWS."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.errors import MalformedPolicyDocumentException
from locum.policy import MAX_CHARACTERS, PolicyError, PolicyKind, compile_policy, validate
from locum.policy.analyze import MAX_FINDINGS, Finding, Severity, analyze, guess_kind
from locum.policy.sizes import SIZES

from .examined import (
    GITHUB,
    INLINE,
    MANAGED,
    NOW,
    RCP,
    RCPS,
    RESOURCE,
    RESOURCES,
    SCPS,
    SESSION,
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

ROOT = Path(__file__).parents[2]
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
