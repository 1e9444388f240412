"""What is refused when a policy is stored: AWS's messages, in AWS's order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.errors import MalformedPolicyDocumentException
from locum.policy import AWS_MANAGED_POLICIES, Policy, PolicyKind, compile_policy, validate

STATEMENT: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
TRUST: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
    "Action": "sts:AssumeRole",
}
SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
VERSION = "Policy document must be version 2012-10-17 or greater."
DUPLICATE = "Statement IDs (SID) in a single policy must be unique."
NO_ACTIONS = "Policy statement must contain actions."
NO_RESOURCES = "Policy statement must contain resources."
NO_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
TWO_COLONS = "Actions/Condition can contain only one colon."
SID = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
PRINCIPAL = "Policy document should not specify a principal."
REGEX_VENDOR = "Resource vendor must be fully qualified and cannot contain regexes."
IAM_KIND = (
    'IAM resource path must either be "*", root, or start with user/, federated-user/, role/, group/, '
    "instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, "
    "access-report/."
)


def fact(*ids: str) -> pytest.MarkDecorator:
    return pytest.mark.facts(*ids)


def one(*drop: str, **elements: Any) -> str:
    """A document of one statement: the usual one with elements changed and others left out."""
    statement = {key: value for key, value in (STATEMENT | elements).items() if key not in drop}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def many(*statements: dict[str, Any], **others: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | others)


def refusal(text: str, kind: PolicyKind = PolicyKind.MANAGED) -> str:
    with pytest.raises(MalformedPolicyDocumentException) as refused:
        validate(text, kind)
    assert refused.value.code == "MalformedPolicyDocument"
    assert refused.value.status == 400
    return refused.value.message


IDENTITY = [
    (one(Other=1), SYNTAX, fact("POL-VA-010", "POL-GR-010")),
    ("not json", SYNTAX, fact("POL-VA-010", "POL-GR-018")),
    (one(Effect="invalid"), SYNTAX, fact("POL-VA-010", "POL-GR-011")),
    (one("Effect"), SYNTAX, fact("POL-VA-010")),
    (json.dumps({"Version": "2015-10-17", "Statement": STATEMENT}), SYNTAX, fact("POL-VA-010", "POL-GR-002")),
    (one(NotAction=[]), SYNTAX, fact("POL-VA-010", "POL-GR-013")),
    (one(NotResource=[]), SYNTAX, fact("POL-VA-010", "POL-GR-014")),
    (one(Condition={"ForAnyValue::StringEquals": {"a:b": "c"}}), SYNTAX, fact("POL-VA-010")),
    (one(Condition={"StringEquals": {"a:b": {}}}), SYNTAX, fact("POL-VA-010")),
    (one(Condition={"Unknown": {"a:b": "c"}}), SYNTAX, fact("POL-VA-010")),
    (json.dumps({"Statement": STATEMENT}), VERSION, fact("POL-VA-011", "POL-GR-005")),
    (json.dumps({"Version": "2008-10-17", "Statement": STATEMENT}), VERSION, fact("POL-VA-011", "POL-GR-005")),
    (many({**STATEMENT, "Sid": "a"}, {**STATEMENT, "Sid": "a"}), DUPLICATE, fact("POL-VA-012", "POL-GR-012")),
    (one(Effect="denY"), LEGACY, fact("POL-VA-013", "POL-GR-011")),
    (one(Effect="allow"), LEGACY, fact("POL-VA-013", "POL-GR-011")),
    (one(Condition={"DateLessThan": {"aws:CurrentTime": "soon"}}), LEGACY, fact("POL-VA-013", "POL-CO-045")),
    (one(Condition={"DateLessThan": {"aws:CurrentTime": "234-13"}}), LEGACY, fact("POL-VA-013", "POL-CO-045")),
    (one(Resource="arn:aws::::bucket"), LEGACY, fact("POL-VA-013")),
    (one(Resource="arn:aws:s3::bucket"), LEGACY, fact("POL-VA-013")),
    (one("Resource", NotResource="arn:aws:s3::bucket"), LEGACY, fact("POL-VA-013")),
    (one(Condition={"NumericLessThan": {"a:b": "ten"}}), LEGACY, fact("R28")),
    (one(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/40"}}), LEGACY, fact("R28")),
    (one(Condition={"ArnLike": {"aws:SourceArn": "topic"}}), LEGACY, fact("R28")),
    (one(Condition={"BinaryEquals": {"a:b": "%"}}), LEGACY, fact("R28", "POL-CO-049")),
    (one(Condition={"IpAddress": {"aws:SourceIp": "2001:db8::5/64"}}), LEGACY, fact("POL-CO-054")),
    (one(Resource="arn:aws:s3:::${aws:username"), SYNTAX, fact("R28")),
    (one(Condition={"StringEquals": {"a:b": "${}"}}), SYNTAX, fact("R28")),
    (one("Action"), NO_ACTIONS, fact("POL-VA-014")),
    (one(Action=[]), NO_ACTIONS, fact("POL-VA-014")),
    (one("Resource"), NO_RESOURCES, fact("POL-VA-015", "POL-GR-014")),
    (one(Resource=[]), NO_RESOURCES, fact("POL-VA-015")),
    (one(Action="GetObject"), NO_VENDOR, fact("POL-VA-016", "POL-AC-005")),
    (one(Action=""), NO_VENDOR, fact("POL-VA-016")),
    (one("Action", NotAction="GetObject"), NO_VENDOR, fact("POL-VA-016")),
    (one(Action="s3:Get:Object"), TWO_COLONS, fact("POL-VA-017", "POL-AC-005")),
    (one(Action="a a:GetObject"), "Vendor a a is not valid", fact("POL-VA-018", "POL-AC-004")),
    (
        one(Action="s*:GetObject"),
        "Action vendors (e.g., aws, ec2, etc.) must not contain wildcards.",
        fact("POL-AC-007"),
    ),
    (one(Action="*:*"), "Action vendors (e.g., aws, ec2, etc.) must not contain wildcards.", fact("POL-AC-007")),
    (one(Action=":x"), "Vendor  is not valid", fact("POL-VA-018")),
    (one(Resource="bucket"), 'Resource bucket must be in ARN format or "*".', fact("POL-VA-020", "POL-RS-001")),
    (one(Resource=""), 'Resource  must be in ARN format or "*".', fact("POL-VA-020")),
    (one(Resource="foo:aws:s3:::x"), 'Resource foo:aws:s3:::x must be in ARN format or "*".', fact("R28")),
    (one(Resource="arn:awd:s3:::x"), 'Partition "awd" is not valid for resource "arn:awd:s3:::x".', fact("POL-VA-021")),
    (one(Resource="a:b"), 'Partition "b" is not valid for resource "arn:b:*:*:*:*".', fact("POL-VA-021", "POL-RS-014")),
    (one(Resource="arn:aws"), REGEX_VENDOR, fact("POL-VA-022", "POL-RS-014")),
    (one(Resource="arn:aws:s*:::x"), REGEX_VENDOR, fact("POL-VA-022", "POL-RS-002")),
    (
        one(Resource="arn:aws:iam:us-east-1:111122223333:root"),
        "IAM resource arn:aws:iam:us-east-1:111122223333:root cannot contain region information.",
        fact("POL-VA-023", "POL-RS-014"),
    ),
    (
        one(Resource="arn:aws:s3:us-east-1::bucket"),
        "Resource arn:aws:s3:us-east-1::bucket can not contain region information.",
        fact("POL-VA-024", "POL-RS-014"),
    ),
    (one(Resource="arn:aws:iam::111122223333:thing/x"), IAM_KIND, fact("POL-VA-025", "POL-RS-014")),
    (one(Principal="*"), PRINCIPAL, fact("POL-VA-026", "POL-GR-019", "STS-SP-009")),
    (one(NotPrincipal={"AWS": "*"}), PRINCIPAL, fact("POL-VA-026", "POL-GR-019", "POL-PR-033")),
    (one(Sid="a b"), SID, fact("POL-VA-027", "POL-GR-012")),
]


@pytest.mark.parametrize(("text", "message"), [pytest.param(t, m, marks=f) for t, m, f in IDENTITY])
def test_an_identity_policy_is_refused_with_its_message(text: str, message: str) -> None:
    assert refusal(text) == message


@pytest.mark.facts("POL-VA-005", "STS-SP-008")
@pytest.mark.parametrize("kind", [PolicyKind.INLINE, PolicyKind.SESSION])
@pytest.mark.parametrize(("text", "message"), [(t, m) for t, m, _ in IDENTITY if m != VERSION and t != "not json"])
def test_inline_and_session_policies_are_refused_alike(text: str, message: str, kind: PolicyKind) -> None:
    assert refusal(text, kind) == message


@pytest.mark.facts("POL-GR-005", "POL-VA-005")
@pytest.mark.parametrize("kind", [PolicyKind.INLINE, PolicyKind.SESSION])
def test_inline_policies_may_have_any_version_or_none(kind: PolicyKind) -> None:
    for version in ({}, {"Version": "2008-10-17"}, {"Version": "2012-10-17"}):
        assert validate(json.dumps({**version, "Statement": STATEMENT}), kind).statements


def test_a_session_policy_that_is_no_json_has_a_text_of_its_own() -> None:
    assert refusal("i am no json", PolicyKind.SESSION) == "The policy is not in the valid JSON format."


OLD = {"Version": "2008-10-17"}
BAD_DATE = {"DateLessThan": {"aws:CurrentTime": "soon"}}
DOUBLE = ({**STATEMENT, "Sid": "a"}, {**STATEMENT, "Sid": "a"})
NO_ACTION = {"Effect": "Allow", "Resource": "*"}
ORDER = [
    (many({**STATEMENT, "Other": 1}, **OLD), SYNTAX),
    (many({**STATEMENT, "Effect": "allow"}, **OLD), VERSION),
    (many({**STATEMENT, "Condition": BAD_DATE}, **OLD), VERSION),
    (many(*DOUBLE, **OLD), VERSION),
    (many(*DOUBLE, {**STATEMENT, "Effect": "allow"}), LEGACY),
    (many({"Effect": "allow", "Resource": "*"}), LEGACY),
    (many({**STATEMENT, "Effect": "allow", "Resource": "arn:awd:s3:::x"}), LEGACY),
    (many(*DOUBLE, NO_ACTION), DUPLICATE),
    (many({"Effect": "Allow", "Action": "s3:x"}, NO_ACTION), NO_ACTIONS),
    (many({"Effect": "Allow"}), NO_ACTIONS),
    (many({"Effect": "Allow", "Action": "bad"}), NO_RESOURCES),
    (
        many({**STATEMENT, "Action": "bad"}, {**STATEMENT, "Resource": "bad"}),
        'Resource bad must be in ARN format or "*".',
    ),
]


@pytest.mark.facts("POL-VA-002", "POL-VA-003")
@pytest.mark.parametrize(("text", "message"), ORDER)
def test_kinds_of_mistake_are_reported_in_their_order(text: str, message: str) -> None:
    assert refusal(text) == message


@pytest.mark.facts("POL-VA-004")
def test_a_double_sid_is_reported_before_missing_actions() -> None:
    assert refusal(many(*DOUBLE, NO_ACTION)) == DUPLICATE


@pytest.mark.facts("POL-VA-031")
def test_the_first_bad_string_is_the_one_reported() -> None:
    assert refusal(many({**STATEMENT, "Action": ["s3:a", "one:two:three", "four"]})) == TWO_COLONS
    resources = [{**STATEMENT, "Resource": ["*", "first"]}, {**STATEMENT, "Resource": "second"}]
    assert refusal(many(*resources)).startswith("Resource first ")


@pytest.mark.facts("POL-VA-030", "POL-VA-006")
@pytest.mark.parametrize(
    "text",
    [
        one(Action="unknown:Action"),
        one(Action="s3:GetObject", Resource="arn:aws:sqs:::queue"),
        one(Action="s3:Get Object"),
        one(Action="my-service.v2:x"),
        one(Condition={}),
        one(Condition={"Unknown": {}}),
        one(Condition={"StringEquals": {}}),
        one(Condition={"DateGreaterThan": {"a": []}}),
        one(Condition={"StringEqualsIfExists": {"anything": "x"}}),
        pytest.param(one(Condition={"ForAnyValue:StringEqualsIfExists": {"a:b": "c"}}), marks=fact("POL-CO-025")),
        one("Resource", NotResource="*"),
        one("Action", NotAction="s3:x"),
        one(Resource="arn:aws:ec2:region:account-id:instance/*"),
        one(Resource="arn:aws:iam:::user/alice"),
        one(Resource="arn:aws:unknown:::x"),
        pytest.param(one(Resource="arn:aws:something"), marks=fact("POL-RS-014")),
        one(Resource="arn:aws:s3:us-east-1:111122223333:accesspoint/x"),
        one(Condition={"DateLessThan": {"aws:CurrentTime": "01T"}}),
        pytest.param(many(STATEMENT, Id="an-id"), marks=fact("POL-GR-008")),
        pytest.param(many({**STATEMENT, "Sid": ""}, {**STATEMENT, "Sid": ""}), marks=fact("POL-GR-012")),
    ],
)
def test_odd_documents_that_are_stored_can_be_enforced(text: str) -> None:
    assert compile_policy(validate(text, PolicyKind.MANAGED), PolicyKind.MANAGED).statements


def trust(*drop: str, **elements: Any) -> str:
    statement = {key: value for key, value in (TRUST | elements).items() if key not in drop}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def invalid(name: str, kind: str = "AWS") -> str:
    return f'Invalid principal in policy: "{kind}":"{name}"'


PROVIDER = "arn:aws:iam::111122223333:oidc-provider/"
GITHUB = PROVIDER + "token.actions.githubusercontent.com"
ONLY_STS = "AssumeRole policy may only specify STS AssumeRole actions."
TRUST_REFUSALS = [
    ("not json", "This policy contains invalid Json", fact("POL-VA-041")),
    (trust(Action="s3:GetObject"), ONLY_STS, fact("POL-VA-042", "POL-TR-002")),
    (trust(Action="*"), ONLY_STS, fact("POL-VA-042", "POL-TR-002")),
    (trust(Action="sts:GetCallerIdentity"), ONLY_STS, fact("POL-VA-042", "POL-TR-002")),
    (trust(Action="sts:AssumeRoot"), ONLY_STS, fact("POL-TR-002")),
    (
        trust(Resource="*"),
        "Has prohibited field Resource",
        fact("POL-VA-043", "POL-RS-010", "POL-GR-019", "POL-TR-003"),
    ),
    (trust(NotResource="*"), "AssumeRole policy must not contain resources.", fact("POL-VA-044", "POL-GR-019")),
    (
        trust("Principal", NotPrincipal={"AWS": "111122223333"}),
        "AssumeRole policy must not contain NotPrincipal field.",
        fact("POL-VA-045", "POL-PR-033", "POL-GR-019"),
    ),
    (trust("Principal"), "Missing required field Principal", fact("POL-VA-046")),
    (trust("Action"), "Missing required field Action", fact("POL-VA-046")),
    (trust("Effect"), "Missing required field Effect", fact("POL-VA-046")),
    (trust(Principal={}), "Missing required field Principal cannot be empty!", fact("POL-VA-046")),
    (json.dumps({"Statement": []}), "Could not parse the policy: Statement is empty!", fact("POL-VA-047")),
    (
        many({**TRUST, "Sid": "a"}, {**TRUST, "Sid": "a"}),
        "The Statement Ids in the policy are not unique",
        fact("POL-VA-048"),
    ),
    (trust(Sid="a b"), SID, fact("POL-VA-027", "POL-GR-012")),
    (trust(Effect="Perhaps"), "Invalid effect: Perhaps", fact("POL-VA-049")),
    (trust(Effect="allow"), "Invalid effect: allow", fact("POL-VA-049")),
    (trust(Principal="alice"), "Principal must be a JSON object.", fact("POL-VA-049")),
    (
        json.dumps({"Version": "2020-01-01", "Statement": TRUST}),
        "The policy must contain a valid version string",
        fact("POL-VA-049"),
    ),
    (trust(Other=1), "Syntax error in policy.", fact("POL-VA-049")),
    (trust(Condition={"NumericEquals": {"a:b": "perhaps"}}), "Syntax error in policy.", fact("R28")),
    (
        trust(Principal={"Federated": "cognito-identity.amazonaws.com"}, Action="sts:AssumeRoleWithWebIdentity"),
        "A condition block must be present for the Cognito provider",
        fact("POL-VA-050"),
    ),
    (
        trust(Principal="*"),
        'AssumeRolepolicy contained an invalid principal: "STAR":"*".',
        fact("POL-VA-051", "POL-PR-002"),
    ),
    *(
        (trust(Principal={"AWS": name}), invalid(name), fact("POL-VA-040", *facts))
        for name, *facts in (
            ("alice",),
            ("",),
            ("arn:aws:iam::111122223333:role/*", "POL-PR-003"),
            ("arn:aws:sts::111122223333:assumed-role/app/*", "POL-PR-003", "POL-PR-008"),
            ("arn:aws:iam::*:root", "POL-PR-003"),
            ("arn:aws:iam::111122223333:group/admins", "POL-PR-015", "POL-GR-031"),
            ("arn:aws:iam::111122223333:instance-profile/web", "POL-PR-015"),
            ("arn:aws:s3:::bucket",),
            ("arn:moon:iam::111122223333:root",),
            ("11112222333",),
        )
    ),
    *(
        (trust(Principal={"Service": name}), invalid(name, "SERVICE"), fact("POL-VA-040", "POL-PR-012"))
        for name in ("*", "*.amazonaws.com", "ec2", "https://ec2.amazonaws.com")
    ),
    *(
        (trust(Principal={"Federated": name}), invalid(name, "FEDERATED"), fact("POL-VA-053", "POL-PR-013"))
        for name in ("*", "token.example.net", PROVIDER + "*", PROVIDER, "arn:aws:iam::111122223333:role/x")
    ),
    (
        trust(Principal={"CanonicalUser": "79a59df9"}),
        invalid("79a59df9", "CANONICALUSER"),
        fact("POL-PR-014"),
    ),
]


@pytest.mark.parametrize(("text", "message"), [pytest.param(t, m, marks=f) for t, m, f in TRUST_REFUSALS])
def test_a_trust_policy_is_refused_with_its_message(text: str, message: str) -> None:
    assert refusal(text, PolicyKind.TRUST) == message


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(trust(Action="sts:*"), marks=fact("POL-TR-002")),
        pytest.param(trust(Action="sts:AssumeRole*"), marks=fact("POL-TR-002")),
        pytest.param(
            trust(Action=["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity", "sts:SetContext"]),
            marks=fact("POL-TR-002"),
        ),
        pytest.param(trust(Principal={"AWS": "*"}), marks=fact("POL-PR-002", "POL-TR-003")),
        pytest.param(trust(Principal={"AWS": "111122223333"}), marks=fact("POL-PR-004")),
        pytest.param(trust(Principal={"AWS": "AROAAPPAPPAPPAPPAPP00"}), marks=fact("POL-PR-010")),
        pytest.param(
            trust(Principal={"AWS": ["arn:aws:iam::111122223333:user/a/alice", "arn:aws:iam::111122223333:role/app"]}),
            marks=fact("POL-PR-006", "POL-PR-007", "POL-TR-003"),
        ),
        pytest.param(
            trust(Principal={"AWS": "arn:aws:sts::111122223333:assumed-role/app/s1"}), marks=fact("POL-PR-008")
        ),
        pytest.param(
            trust(Principal={"AWS": "arn:aws:sts::111122223333:federated-user/bob"}), marks=fact("POL-PR-009")
        ),
        pytest.param(trust(Principal={"Service": "ec2.eu-south-1.amazonaws.com"}), marks=fact("POL-PR-012")),
        *(
            pytest.param(trust(Principal={"Federated": name}), marks=fact("POL-PR-013"))
            for name in (
                PROVIDER + "issuer.example.net/id/1",
                "arn:aws:iam::111122223333:saml-provider/corp",
                "www.amazon.com",
                "graph.facebook.com",
                "accounts.google.com",
            )
        ),
        json.dumps({"Version": "2008-10-17", "Statement": TRUST}),
        json.dumps({"Statement": [TRUST]}),
        trust(Effect="Deny", Condition={"StringNotEquals": {"sts:ExternalId": "x"}}),
    ],
)
def test_a_trust_policy_that_is_stored_can_be_enforced(text: str) -> None:
    assert compile_policy(validate(text, PolicyKind.TRUST), PolicyKind.TRUST).statements


SHARED = [
    ("cognito-identity.amazonaws.com", "cognito-identity.amazonaws.com:aud"),
    (GITHUB, "token.actions.githubusercontent.com:sub"),
    *(
        (PROVIDER + issuer, f"{issuer}:{claim}")
        for claim, issuers in {
            "sub": "agent.buildkite.com oidc.codefresh.io studio.datachain.ai/api gitlab.com scalr.io "
            "oidc-configuration.audit-log.githubusercontent.com vstoken.actions.githubusercontent.com "
            "tokens.cloud.shisho.dev app.terraform.io proidc.upbound.io",
            "aud": "api.pulumi.com/oidc sandboxes.cloud oidc.vercel.com",
        }.items()
        for issuer in issuers.split()
    ),
    (PROVIDER + "sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d", "sts:RoleSessionName"),
]


@pytest.mark.facts("POL-VA-052", "R9")
@pytest.mark.parametrize(("provider", "key"), SHARED)
def test_a_shared_issuer_is_not_trusted_without_its_claim(provider: str, key: str) -> None:
    def attempt(condition: dict[str, Any], effect: str = "Allow") -> str:
        return trust(
            Effect=effect,
            Principal={"Federated": provider},
            Action="sts:AssumeRoleWithWebIdentity",
            Condition=condition,
        )

    weaker: tuple[dict[str, Any], ...] = (
        {"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
        {"StringLike": {key: "*"}},
        {"StringLike": {key: ["org:acme", "**"]}},
        {"StringNotEquals": {key: "org:other"}},
        {"StringEqualsIfExists": {key: "org:acme"}},
        {"ForAllValues:StringEquals": {key: "org:acme"}},
        {"Null": {key: "false"}},
        {"StringEquals": {key: []}},
    )
    for weak in weaker:
        assert key in refusal(attempt(weak), PolicyKind.TRUST)
    for fine in (
        attempt({"StringLike": {key.upper(): "org:acme:*"}}),
        attempt({"ForAnyValue:StringEquals": {key: "org:acme"}}),
        attempt({"Bool": {"aws:SecureTransport": "false"}}, "Deny"),
    ):
        assert validate(fine, PolicyKind.TRUST).statements


ORGANIZATIONS = "The provided policy document does not meet the requirements of the specified policy type."
RCP = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}


@pytest.mark.facts("POL-VA-070")
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (PolicyKind.SERVICE_CONTROL, "not json"),
        pytest.param(PolicyKind.SERVICE_CONTROL, one(Principal="*"), marks=fact("POL-VA-071", "POL-GR-019")),
        pytest.param(PolicyKind.SERVICE_CONTROL, one(NotPrincipal="*"), marks=fact("POL-VA-071", "POL-PR-033")),
        (PolicyKind.SERVICE_CONTROL, one("Resource")),
        *(
            pytest.param(PolicyKind.RESOURCE_CONTROL, many({**RCP, **change}), marks=fact("POL-VA-072"))
            for change in (
                {"Effect": "Allow"},
                {"Principal": ["*"]},
                {"Principal": {"AWS": ["*", "111122223333"]}},
                {"Principal": {"AWS": "111122223333"}},
                {"Action": "*"},
                {"Action": "iam:CreateUser"},
                {"Action": ["s3:x", "nowhere:Read"]},
                {"Action": ["s3:x", "*"]},
            )
        ),
        pytest.param(
            PolicyKind.RESOURCE_CONTROL,
            many({"Effect": "Deny", "Principal": "*", "NotAction": "s3:*", "Resource": "*"}),
            marks=fact("POL-VA-072"),
        ),
        pytest.param(
            PolicyKind.RESOURCE_CONTROL,
            many({"Effect": "Deny", "NotPrincipal": "*", "Action": "s3:*", "Resource": "*"}),
            marks=fact("POL-VA-072", "POL-PR-033", "POL-GR-019"),
        ),
    ],
)
def test_organizations_refuses_its_policies_with_one_text(kind: PolicyKind, text: str) -> None:
    assert refusal(text, kind) == ORGANIZATIONS


@pytest.mark.facts("POL-VA-071", "POL-VA-072")
@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        (PolicyKind.SERVICE_CONTROL, {"Effect": "Allow", "NotAction": "s3:*", "NotResource": "arn:aws:s3:::x"}),
        (PolicyKind.SERVICE_CONTROL, {**STATEMENT, "Action": "s3:*Object", "Condition": {"Bool": {"a:b": True}}}),
        (PolicyKind.RESOURCE_CONTROL, RCP),
        (PolicyKind.RESOURCE_CONTROL, {**RCP, "Principal": {"AWS": "*"}, "Action": ["SQS:SendMessage", "sqs:Nothing"]}),
        (
            PolicyKind.RESOURCE_CONTROL,
            {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "NotResource": "arn:aws:s3:::x"},
        ),
    ],
)
def test_organizations_stores_the_full_language(kind: PolicyKind, statement: dict[str, Any]) -> None:
    assert compile_policy(validate(many(statement), kind), kind).statements


@pytest.mark.facts("POL-VA-071")
@pytest.mark.parametrize("version", [{}, {"Version": "2008-10-17"}, {"Version": "2012-10-17"}])
def test_a_service_control_policy_needs_no_version(version: dict[str, str]) -> None:
    assert validate(json.dumps({**version, "Statement": [STATEMENT]}), PolicyKind.SERVICE_CONTROL).statements


@pytest.mark.facts("POL-VA-072")
@pytest.mark.parametrize("version", ['"Version": "2008-10-17", ', ""])
def test_a_resource_control_policy_may_have_the_old_version(version: str) -> None:
    text = f'{{{version}"Statement": {json.dumps(RCP)}}}'
    assert not validate(text, PolicyKind.RESOURCE_CONTROL).has_variables


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"Principal": None}, "Missing required field Principal", id="no principal"),
        pytest.param(
            {"Principal": None, "NotPrincipal": "*"},
            "Allow with NotPrincipal is not allowed.",
            marks=fact("POL-PR-030", "POL-VA-045"),
            id="allow NotPrincipal",
        ),
        pytest.param(
            {"Principal": {"AWS": "arn:aws:iam::111122223333:role/*"}},
            invalid("arn:aws:iam::111122223333:role/*"),
            marks=fact("POL-PR-003"),
            id="partial wildcard",
        ),
        pytest.param({"Principal": {"CanonicalUser": "7"}}, invalid("7", "CANONICALUSER"), id="canonical"),
    ],
)
def test_a_resource_policy_is_refused(change: dict[str, Any], message: str) -> None:
    statement = {key: value for key, value in ({**STATEMENT, "Principal": "*"} | change).items() if value is not None}
    assert refusal(many(statement), PolicyKind.RESOURCE) == message


@pytest.mark.parametrize("policy", AWS_MANAGED_POLICIES, ids=lambda policy: str(policy.name))
def test_the_shipped_policies_are_valid(policy: Any) -> None:
    assert isinstance(validate(policy.document, PolicyKind.MANAGED), Policy)


WORDS = st.sampled_from(
    [
        *("*", "s3:*", "bad", "a:b:c", "arn:aws:s3:::x", "arn:aws:s*:::x", "arn:x", "111122223333", "${", "${a:b}"),
        *("", "sts:AssumeRole", "10.0.0.0/8", "true", "2026-01-01", GITHUB, "ec2.amazonaws.com"),
    ]
)
STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny", "allow"])},
    optional={
        "Sid": WORDS,
        "Action": WORDS | st.lists(WORDS, max_size=2),
        "Resource": WORDS | st.lists(WORDS, max_size=2),
        "NotResource": WORDS,
        "NotPrincipal": st.dictionaries(st.sampled_from(["AWS", "Service"]), WORDS, max_size=2),
        "Principal": st.just("*")
        | st.dictionaries(st.sampled_from(["AWS", "Service", "Federated", "CanonicalUser"]), WORDS),
        "Condition": st.dictionaries(
            st.sampled_from(["StringLike", "IpAddress", "Bool", "Null", "DateLessThan", "NumericEquals", "ArnLike"]),
            st.dictionaries(st.sampled_from(["a:b", "aws:SourceIp"]), WORDS, max_size=2),
            max_size=2,
        ),
    },
)


@pytest.mark.facts("R28")
@given(st.lists(STATEMENTS, max_size=3), st.sampled_from(PolicyKind), st.booleans())
def test_whatever_is_stored_can_be_enforced(statements: list[dict[str, Any]], kind: PolicyKind, new: bool) -> None:
    version = {"Version": "2012-10-17"} if new else {}
    try:
        policy = validate(json.dumps({**version, "Statement": statements}), kind)
    except MalformedPolicyDocumentException:
        return
    compile_policy(policy, kind)
