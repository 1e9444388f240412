"""What IAM refuses in policy documents, through the operations that store them (policy.md §9)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum import errors
from locum.api.iam import policies, roles, users
from locum.api.shapes import Command

from ..conftest import ACCOUNT, World

SYNTAX = "Syntax errors in policy."
VERSION = "Policy document must be version 2012-10-17 or greater."
SID = "Statement IDs (SID) in a single policy must be unique."
LEGACY = "The policy failed legacy parsing"
NO_ACTIONS = "Policy statement must contain actions."
NO_RESOURCES = "Policy statement must contain resources."
NO_COLON = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
NO_ARN = 'Resource x must be in ARN format or "*".'
IAM_KINDS = (
    'IAM resource path must either be "*", root, or start with user/, federated-user/, role/, group/, '
    "instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, "
    "access-report/."
)
LEFT_OUT = object()


def changed(given: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (given | changes).items() if value is not LEFT_OUT}


def whole(*statements: dict[str, Any], **changes: Any) -> str:
    return json.dumps(changed({"Version": "2012-10-17", "Statement": list(statements)}, changes))


def identity(**changes: Any) -> dict[str, Any]:
    return changed({"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"}, changes)


def one(**changes: Any) -> str:
    return whole(identity(**changes))


def date(value: str) -> dict[str, Any]:
    return {"DateLessThan": {"aws:CurrentTime": value}}


REFUSED: list[tuple[str, str, str, str]] = [
    ("POL-VA-010", "no JSON", "{", SYNTAX),
    ("POL-VA-010", "unknown date", whole(identity(), Version="2012-10-18"), SYNTAX),
    ("POL-VA-010", "no Statement", whole(Statement=LEFT_OUT), SYNTAX),
    ("POL-VA-010", "Statement is empty", whole(), SYNTAX),
    ("POL-VA-010", "Statement holds a string", whole(Statement=["x"]), SYNTAX),
    ("POL-VA-010", "unknown key at the top", whole(identity(), Extra="x"), SYNTAX),
    ("POL-VA-010", "unknown key in a statement", one(Extra="x"), SYNTAX),
    ("POL-VA-010", "Id is a list", whole(identity(), Id=["x"]), SYNTAX),
    ("POL-VA-010", "no Effect", one(Effect=LEFT_OUT), SYNTAX),
    ("POL-VA-010", "unknown Effect", one(Effect="invalid"), SYNTAX),
    ("POL-VA-010", "Action is an object", one(Action={}), SYNTAX),
    ("POL-VA-010", "Action holds a list", one(Action=[["iam:GetUser"]]), SYNTAX),
    ("POL-VA-010", "Resource is an object", one(Resource={}), SYNTAX),
    ("POL-VA-010", "Action and NotAction", one(NotAction=[]), SYNTAX),
    ("POL-VA-010", "Resource and NotResource", one(NotResource=[]), SYNTAX),
    ("POL-VA-010", "Condition is a string", one(Condition="x"), SYNTAX),
    ("POL-VA-010", "operator is a list", one(Condition={"StringEquals": []}), SYNTAX),
    ("POL-VA-010", "value is an object", one(Condition={"StringEquals": {"aws:userid": {}}}), SYNTAX),
    ("POL-VA-010", "unknown operator", one(Condition={"StringIs": {"aws:userid": "x"}}), SYNTAX),
    ("POL-VA-010", "two colons in a set form", one(Condition={"ForAnyValue::StringLike": {"a": "x"}}), SYNTAX),
    ("POL-VA-010", "Sid is an object", one(Sid={}), SYNTAX),
    ("POL-VA-012", "equal Sids", whole(identity(Sid="a"), identity(Sid="a")), SID),
    ("POL-VA-013", "Effect in another case", one(Effect="allow"), LEGACY),
    ("POL-VA-013", "a bad date", one(Condition=date("yesterday")), LEGACY),
    ("POL-VA-013", "no service", one(Resource="arn:aws:::x"), LEGACY),
    ("POL-VA-013", "five segments", one(Resource="arn:aws:s3::bucket"), LEGACY),
    ("POL-VA-013", "five segments in NotResource", one(Resource=LEFT_OUT, NotResource="arn:aws:s3::b"), LEGACY),
    ("POL-VA-014", "no Action", one(Action=LEFT_OUT), NO_ACTIONS),
    ("POL-VA-014", "Action is empty", one(Action=[]), NO_ACTIONS),
    ("POL-VA-015", "no Resource", one(Resource=LEFT_OUT), NO_RESOURCES),
    ("POL-VA-015", "Resource is empty", one(Resource=[]), NO_RESOURCES),
    ("POL-VA-016", "no colon", one(Action="GetUser"), NO_COLON),
    ("POL-VA-016", "empty action", one(Action=""), NO_COLON),
    ("POL-VA-017", "two colons", one(Action="iam:Get:User"), "Actions/Condition can contain only one colon."),
    ("POL-VA-018", "a blank in the prefix", one(Action="i am:GetUser"), "Vendor i am is not valid"),
    ("POL-VA-020", "no ARN", one(Resource="x"), NO_ARN),
    ("POL-VA-020", "empty resource", one(Resource=""), 'Resource  must be in ARN format or "*".'),
    (
        "POL-VA-021",
        "unknown partition",
        one(Resource="x:moon:s3"),
        'Partition "moon" is not valid for resource "arn:moon:s3:*:*:*".',
    ),
    (
        "POL-VA-022",
        "no service",
        one(Resource="arn:aws"),
        "Resource vendor must be fully qualified and cannot contain regexes.",
    ),
    (
        "POL-VA-023",
        "IAM in a region",
        one(Resource="arn:aws:iam:us-east-1:111122223333:user/x"),
        "IAM resource arn:aws:iam:us-east-1:111122223333:user/x cannot contain region information.",
    ),
    (
        "POL-VA-024",
        "a bucket in a region",
        one(Resource="arn:aws:s3:us-east-1::bucket"),
        "Resource arn:aws:s3:us-east-1::bucket can not contain region information.",
    ),
    ("POL-VA-025", "unknown kind", one(Resource="arn:aws:iam::111122223333:thing/x"), IAM_KINDS),
    (
        "POL-VA-026",
        "Principal",
        one(Principal={"AWS": ACCOUNT}),
        "Policy document should not specify a principal.",
    ),
    (
        "POL-VA-027",
        "Sid with a blank",
        one(Sid="a b"),
        "Statement IDs (SID) must be alpha-numeric. "
        "Check that your input satisfies the regular expression [0-9A-Za-z]*",
    ),
    ("POL-VA-003", "effect before Sid", whole(identity(Effect="ALLOW", Sid="a"), identity(Sid="a")), LEGACY),
    ("POL-VA-003", "date before actions", one(Condition=date("x"), Action=LEFT_OUT), LEGACY),
    ("POL-VA-003", "ARN before partition", one(Resource=["arn:moon:s3:::x", "arn:aws:s3::b"]), LEGACY),
    ("POL-VA-003", "actions before resources", one(Action=LEFT_OUT, Resource=LEFT_OUT), NO_ACTIONS),
    ("POL-VA-003", "no resources before a bad action", one(Action="GetUser", Resource=LEFT_OUT), NO_RESOURCES),
    ("POL-VA-003", "a bad resource before a bad action", one(Action="GetUser", Resource="x"), NO_ARN),
    ("POL-VA-004", "Sid before actions", whole(identity(Sid="a"), identity(Sid="a", Action=LEFT_OUT)), SID),
    ("POL-VA-031", "the first bad resource", whole(identity(Resource=["*", "x"]), identity(Resource="y")), NO_ARN),
]
MANAGED_ONLY: list[tuple[str, str, str, str]] = [
    ("POL-VA-011", "no Version", whole(identity(), Version=LEFT_OUT), VERSION),
    ("POL-VA-011", "the old Version", whole(identity(), Version="2008-10-17"), VERSION),
    ("POL-VA-003", "version before effect", whole(identity(Effect="ALLOW"), Version="2008-10-17"), VERSION),
    ("POL-VA-003", "version before date", whole(identity(Condition=date("x")), Version="2008-10-17"), VERSION),
    ("POL-VA-003", "version before Sid", whole(*[identity(Sid="a")] * 2, Version="2008-10-17"), VERSION),
    ("POL-VA-002", "syntax before version", whole(identity(Extra=1), Version="2008-10-17"), SYNTAX),
]
ACCEPTED = {
    "unknown service and action": one(Action="moon:Land", Resource="arn:aws:moon:::x"),
    "another service's resource": one(Resource="arn:aws:s3:::bucket"),
    "blank in the action": one(Action="iam:Get User"),
    "odd prefixes": one(Action=["a-b:c", "a.b:c"]),
    "empty Condition": one(Condition={}),
    "unknown empty operator": one(Condition={"StringIs": {}}),
    "empty operator": one(Condition={"StringEquals": {}}),
    "no values": one(Condition={"StringEquals": {"aws:userid": []}}),
    "IfExists": one(Condition={"ForAnyValue:StringEqualsIfExists": {"moon:Phase": "full"}}),
    "NotResource of everything": one(Resource=LEFT_OUT, NotResource="*"),
    "NotAction": one(Action=LEFT_OUT, NotAction="iam:*"),
    "words in an ARN": one(Resource="arn:aws:s3:::account-id/region"),
    "iam without account": one(Resource="arn:aws:iam:::user/x"),
    "an hour of no day": one(Condition=date("01T")),
    "Id": whole(identity(), Id="any text"),
}

Make = Callable[[str], Command[Any]]
INLINE: dict[str, Make] = {
    "PutUserPolicy": lambda text: users.PutUserPolicyCommand(user_name="u", policy_name="p", policy_document=text),
    "PutRolePolicy": lambda text: roles.PutRolePolicyCommand(role_name="r", policy_name="p", policy_document=text),
}
MANAGED: dict[str, Make] = {
    "CreatePolicy": lambda text: policies.CreatePolicyCommand(policy_name="new", policy_document=text),
    "CreatePolicyVersion": lambda text: policies.CreatePolicyVersionCommand(
        policy_arn=f"arn:aws:iam::{ACCOUNT}:policy/p", policy_document=text
    ),
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A user, a role and a policy that every refusal leaves as they are."""
    world = World(tmp_path_factory.mktemp("scene"))
    world.call(world.root, users.CreateUserCommand(user_name="u"))
    world.role("r", {"AWS": ACCOUNT})
    world.call(world.root, policies.CreatePolicyCommand(policy_name="p", policy_document=one()))
    yield world
    world.audit.close()
    world.store.close()


def rows(table: list[tuple[str, str, str, str]], operations: dict[str, Make], *more: str) -> Iterator[Any]:
    for operation, make in operations.items():
        for fact, what, text, message in table:
            facts = [fact, *more]
            yield pytest.param(
                make, text, message, id=f"{operation}: {what}", marks=pytest.mark.facts(*dict.fromkeys(facts))
            )


@pytest.mark.parametrize(
    ("make", "text", "message"),
    [
        *rows(REFUSED, {"CreatePolicy": MANAGED["CreatePolicy"]}, "POL-VA-002", "IAM-POL-015"),
        *rows(REFUSED, {"CreatePolicyVersion": MANAGED["CreatePolicyVersion"]}, "POL-VA-005"),
        *rows(REFUSED, INLINE, "POL-VA-005"),
        *rows(MANAGED_ONLY, MANAGED, "POL-GR-005"),
    ],
)
def test_a_bad_document_is_refused_with_the_message_of_its_first_fault(
    scene: World, make: Make, text: str, message: str
) -> None:
    assert scene.refusal(scene.root, make(text), errors.MalformedPolicyDocumentException) == message


@pytest.mark.facts("POL-VA-030", "POL-VA-006")
@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_odd_documents_are_stored(world: World, text: str) -> None:
    world.call(world.root, users.CreateUserCommand(user_name="u"))
    for make in (MANAGED["CreatePolicy"], INLINE["PutUserPolicy"]):
        world.call(world.root, make(text))


@pytest.mark.facts("POL-GR-005", "POL-VA-005")
@pytest.mark.parametrize("version", [LEFT_OUT, "2008-10-17", "2012-10-17"])
@pytest.mark.parametrize("make", INLINE.values(), ids=INLINE.keys())
def test_inline_policies_may_have_either_version_or_none(scene: World, make: Make, version: Any) -> None:
    scene.call(scene.root, make(whole(identity(), Version=version)))


@pytest.mark.facts("POL-VA-001")
@pytest.mark.parametrize("make", [*INLINE.values(), *MANAGED.values()], ids=[*INLINE, *MANAGED])
def test_an_empty_document_breaks_a_constraint(scene: World, make: Make) -> None:
    assert "'policyDocument' failed to satisfy constraint: Member must have length greater than or equal to 1" in (
        scene.refusal(scene.root, make(""), errors.ValidationError)
    )


# Trust policies


def trust(**changes: Any) -> dict[str, Any]:
    return changed({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}, changes)


def trusts(**changes: Any) -> str:
    return whole(trust(**changes))


def invalid(kind: str, name: str) -> str:
    return f'Invalid principal in policy: "{kind}":"{name}"'


GITHUB = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
COGNITO = "cognito-identity.amazonaws.com"
WEB = "sts:AssumeRoleWithWebIdentity"
FEDERATED = {"Federated": COGNITO}
ONLY_STS = "AssumeRole policy may only specify STS AssumeRole actions."
REFUSED_TRUST: list[tuple[str, str, str, str]] = [
    (
        "POL-VA-040",
        "partial wildcard",
        trusts(Principal={"AWS": "arn:aws:iam::*:root"}),
        invalid("AWS", "arn:aws:iam::*:root"),
    ),
    ("POL-VA-040", "unknown service", trusts(Principal={"Service": "moon"}), invalid("SERVICE", "moon")),
    ("POL-VA-040", "malformed provider", trusts(Principal={"Federated": "x"}), invalid("FEDERATED", "x")),
    ("POL-VA-041", "no JSON", "{", "This policy contains invalid Json"),
    ("POL-VA-042", "another service", trusts(Action="iam:GetUser"), ONLY_STS),
    ("POL-VA-042", "everything", trusts(Action="*"), ONLY_STS),
    ("POL-VA-042", "another action of STS", trusts(Action="sts:GetCallerIdentity"), ONLY_STS),
    ("POL-VA-043", "Resource", trusts(Resource="*"), "Has prohibited field Resource"),
    ("POL-VA-044", "NotResource", trusts(NotResource="*"), "AssumeRole policy must not contain resources."),
    (
        "POL-VA-045",
        "NotPrincipal",
        trusts(Principal=LEFT_OUT, NotPrincipal={"AWS": ACCOUNT}, Effect="Deny"),
        "AssumeRole policy must not contain NotPrincipal field.",
    ),
    ("POL-VA-046", "no Principal", trusts(Principal=LEFT_OUT), "Missing required field Principal"),
    ("POL-VA-046", "no Action", trusts(Action=LEFT_OUT), "Missing required field Action"),
    ("POL-VA-046", "no Effect", trusts(Effect=LEFT_OUT), "Missing required field Effect"),
    ("POL-VA-046", "empty Principal", trusts(Principal={}), "Missing required field Principal cannot be empty!"),
    ("POL-VA-047", "no statements", whole(), "Could not parse the policy: Statement is empty!"),
    ("POL-VA-048", "equal Sids", whole(*[trust(Sid="a")] * 2), "The Statement Ids in the policy are not unique"),
    ("POL-VA-049", "unknown Effect", trusts(Effect="Maybe"), "Invalid effect: Maybe"),
    ("POL-VA-049", "Principal is a string", trusts(Principal="x"), "Principal must be a JSON object."),
    (
        "POL-VA-049",
        "unknown Version",
        whole(trust(), Version="1999-01-01"),
        "The policy must contain a valid version string",
    ),
    ("POL-VA-049", "unknown key", trusts(Extra=1), "Syntax error in policy."),
    (
        "POL-VA-050",
        "Cognito for everybody",
        trusts(Principal=FEDERATED, Action=WEB),
        "A condition block must be present for the Cognito provider",
    ),
    (
        "POL-VA-051",
        "everybody",
        trusts(Principal="*"),
        'AssumeRolepolicy contained an invalid principal: "STAR":"*".',
    ),
]
TRUST: dict[str, Make] = {
    "CreateRole": lambda text: roles.CreateRoleCommand(role_name="new", assume_role_policy_document=text),
    "UpdateAssumeRolePolicy": lambda text: roles.UpdateAssumeRolePolicyCommand(role_name="r", policy_document=text),
}


@pytest.mark.parametrize(("make", "text", "message"), [*rows(REFUSED_TRUST, TRUST, "IAM-ROL-007")])
def test_a_bad_trust_policy_is_refused(scene: World, make: Make, text: str, message: str) -> None:
    assert scene.refusal(scene.root, make(text), errors.MalformedPolicyDocumentException) == message


@pytest.mark.facts("POL-VA-052", "R9")
@pytest.mark.parametrize("make", TRUST.values(), ids=TRUST.keys())
def test_a_shared_issuer_is_trusted_only_with_its_claim(scene: World, make: Make) -> None:
    principal = {"Federated": GITHUB}
    claim = "token.actions.githubusercontent.com:sub"
    for condition in (
        LEFT_OUT,
        {"StringEquals": {"token.actions.githubusercontent.com:aud": "x"}},
        {"StringLike": {claim: "*"}},
        {"StringNotEquals": {claim: "x"}},
        {"StringEqualsIfExists": {claim: "x"}},
    ):
        bad = make(trusts(Principal=principal, Action=WEB, Condition=condition))
        assert claim in scene.refusal(scene.root, bad, errors.MalformedPolicyDocumentException)


@pytest.mark.facts("POL-VA-052", "POL-VA-053", "POL-GR-005")
@pytest.mark.parametrize(
    "text",
    [
        whole(trust(), Version=LEFT_OUT),
        whole(trust(), Version="2008-10-17"),
        trusts(Principal={"AWS": "*"}),
        trusts(Principal={"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}),
        trusts(Action=["sts:*", "sts:TagSession", "sts:SetSourceIdentity"]),
        trusts(
            Principal={"Federated": GITHUB},
            Action=WEB,
            Condition={"StringLike": {"token.actions.githubusercontent.com:sub": "repo:x/y:*"}},
        ),
        trusts(Principal={"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/none"}, Action="sts:AssumeRoleWithSAML"),
    ],
)
def test_good_trust_policies_are_stored(world: World, text: str) -> None:
    world.call(world.root, TRUST["CreateRole"](text))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(max_codepoint=255), max_size=12),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["Version", "Statement", "Effect", "Action", "Resource", "Principal", "AWS", "Condition", "Sid"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_json_is_given_the_document_is_stored_or_refused_with_a_declared_error(
    scene: World, given: Any
) -> None:
    for make in (INLINE["PutRolePolicy"], MANAGED["CreatePolicyVersion"], TRUST["UpdateAssumeRolePolicy"]):
        response = scene.send(scene.request(make(json.dumps(given)), scene.root))
        assert response.status in (200, 400, 409)
