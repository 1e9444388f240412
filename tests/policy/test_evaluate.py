"""The decision beyond the cases file: who decided, in which words, and that there is only one decision function."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

import locum
from locum.policy import (
    Ask,
    CompiledPolicy,
    Decision,
    Effect,
    Layer,
    Policies,
    PolicyKind,
    Principal,
    StatementRef,
    compile_policy,
    context,
    decide,
    denial_text,
    load,
    parse,
)

ACCOUNT, OTHER = "111122223333", "444455556666"
USER = f"arn:aws:iam::{ACCOUNT}:user/alice"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
OBJECT = "arn:aws:s3:::ledger/a"
ALICE = Principal.user(USER, ACCOUNT, "AIDAALICEALICEALICE00")
SESSION = Principal.role_session(
    f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s1", ACCOUNT, ROLE, "AROAAPPAPPAPPAPPAPP00", "s1"
)
BOB = Principal.federated_user(f"arn:aws:sts::{ACCOUNT}:federated-user/bob", ACCOUNT, "bob", USER, ALICE.unique_id)


def policy(effect: str, action: str = "*", kind: PolicyKind = PolicyKind.INLINE, **elements: Any) -> CompiledPolicy:
    """One statement; for every resource, and for everyone where the kind names principals."""
    statement = {"Effect": effect, "Action": action, **elements}
    if kind is not PolicyKind.TRUST:
        statement.setdefault("Resource", "*")
    if kind in (PolicyKind.TRUST, PolicyKind.RESOURCE, PolicyKind.RESOURCE_CONTROL):
        statement.setdefault("Principal", {"AWS": "*"})
    document = {"Version": "2012-10-17", "Statement": statement}
    return compile_policy(parse(json.dumps(document)), kind, f"{effect} {kind.value}")


ALLOW = policy("Allow")
OTHERS = policy("Allow", "ec2:*")
DENY = policy("Deny")


def ask(principal: Principal = ALICE, action: str = "s3:GetObject", resource: str = OBJECT, **given: Any) -> Ask:
    return Ask(principal, action, resource, given.pop("owner", ACCOUNT), context(given))


@pytest.mark.facts("POL-EV-003")
def test_explicit_denies_are_named_in_the_order_of_evaluation() -> None:
    stages: list[tuple[str, Any, Layer]] = [
        ("rcps", ((policy("Deny", kind=PolicyKind.RESOURCE_CONTROL),),), Layer.RESOURCE_CONTROL),
        ("scps", ((DENY,),), Layer.SERVICE_CONTROL),
        ("resource", policy("Deny", kind=PolicyKind.RESOURCE), Layer.RESOURCE),
        ("identity", (DENY,), Layer.IDENTITY),
        ("boundary", DENY, Layer.BOUNDARY),
        ("session", (DENY,), Layer.SESSION),
    ]
    for first in range(len(stages)):
        around: dict[str, Any] = {name: value for name, value, _ in stages[first:]}
        decision = decide(ask(SESSION), Policies(**around))
        assert (decision.effect, decision.layer) == (Effect.EXPLICIT_DENY, stages[first][2])


@pytest.mark.facts("POL-EV-003", "POL-EV-006")
def test_implicit_denies_are_named_in_the_order_of_evaluation() -> None:
    silent: dict[str, Any] = {"scps": ((OTHERS,),), "identity": (OTHERS,), "boundary": OTHERS, "session": (OTHERS,)}
    for name, layer in [
        ("scps", Layer.SERVICE_CONTROL),
        ("identity", Layer.IDENTITY),
        ("boundary", Layer.BOUNDARY),
        ("session", Layer.SESSION),
    ]:
        decision = decide(ask(SESSION), Policies(**silent))
        assert (decision.effect, decision.layer, decision.statements) == (Effect.IMPLICIT_DENY, layer, ())
        silent[name] = {"scps": ((ALLOW,),), "identity": (ALLOW,), "boundary": ALLOW, "session": (ALLOW,)}[name]
    assert decide(ask(SESSION), Policies(**silent)).allowed


@pytest.mark.facts("POL-EV-004", "STS-SP-004")
@pytest.mark.parametrize("kind", ["identity", "session"])
def test_one_policy_of_a_kind_that_allows_is_enough(kind: str) -> None:
    around: dict[str, Any] = {"identity": (ALLOW,), "session": (ALLOW,)} | {kind: (OTHERS, ALLOW)}
    assert decide(ask(SESSION), Policies(**around)).allowed
    assert not decide(ask(SESSION), Policies(**around | {kind: (OTHERS, OTHERS)})).allowed


@pytest.mark.facts("POL-EV-007")
def test_the_order_of_policies_has_no_influence() -> None:
    for identity in ((ALLOW, DENY), (DENY, ALLOW)):
        assert decide(ask(), Policies(identity=identity)).effect is Effect.EXPLICIT_DENY


@pytest.mark.facts("POL-GR-031", "POL-EV-010")
def test_the_policies_of_a_group_are_the_members_own() -> None:
    assert decide(ask(), Policies(identity=(OTHERS, policy("Allow", "s3:*")))).allowed


@pytest.mark.facts("POL-GR-030", "POL-EV-008")
def test_a_boundary_limits_and_grants_nothing() -> None:
    assert not decide(ask(), Policies(boundary=ALLOW)).allowed
    assert not decide(ask(), Policies(identity=(ALLOW,), boundary=OTHERS)).allowed


@pytest.mark.facts("POL-EV-012", "STS-CALL-007")
def test_a_get_session_token_session_is_its_user() -> None:
    mfa = policy("Allow", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})
    keys = {"aws:MultiFactorAuthPresent": True}
    assert decide(Ask(ALICE, "s3:GetObject", OBJECT, ACCOUNT, context(keys)), Policies(identity=(mfa,))).allowed
    assert not decide(ask(), Policies(identity=(mfa,))).allowed


@pytest.mark.facts("POL-EV-013", "STS-GFT-006")
def test_a_federated_user_issued_by_root_has_its_session_policies() -> None:
    root = f"arn:aws:iam::{ACCOUNT}:root"
    issued = Principal.federated_user(BOB.arn, ACCOUNT, "bob", root, ACCOUNT)
    assert decide(ask(issued), Policies(session=(ALLOW,))).allowed
    assert not decide(ask(issued), Policies(session=(OTHERS,))).allowed
    assert not decide(ask(issued), Policies()).allowed


@pytest.mark.facts("POL-EV-053", "POL-EV-054")
def test_root_needs_the_other_accounts_consent() -> None:
    root = Principal.root(ACCOUNT)
    assert decide(ask(root), Policies()).allowed
    assert not decide(ask(root, owner=OTHER), Policies()).allowed
    assert not decide(ask(root), Policies(resource_policy_required=True)).allowed


@pytest.mark.facts("POL-IT-023", "POL-TR-010")
@pytest.mark.parametrize("named", [{"AWS": USER}, {"AWS": "*"}])
def test_a_users_boundary_limits_what_a_trust_policy_grants_it(named: Any) -> None:
    trust = policy("Allow", "sts:AssumeRole", PolicyKind.TRUST, Principal=named)
    around: dict[str, Any] = {"resource": trust, "resource_layer": Layer.TRUST, "resource_policy_required": True}
    asked = ask(action="sts:AssumeRole", resource=ROLE)
    assert decide(asked, Policies(**around)).allowed
    assert decide(asked, Policies(**around, boundary=OTHERS)) == Decision(Effect.IMPLICIT_DENY, Layer.BOUNDARY)


@pytest.mark.facts("POL-TR-001", "POL-EV-030")
def test_a_trust_policy_must_allow_within_the_account_too() -> None:
    silent = policy("Allow", "sts:AssumeRole", PolicyKind.TRUST, Principal={"AWS": OTHER})
    around = Policies(identity=(ALLOW,), resource=silent, resource_layer=Layer.TRUST, resource_policy_required=True)
    decision = decide(ask(action="sts:AssumeRole", resource=ROLE), around)
    assert decision == Decision(Effect.IMPLICIT_DENY, Layer.TRUST)


@pytest.mark.facts("POL-TR-017")
def test_a_role_assumes_itself_only_where_its_trust_policy_says_so() -> None:
    def outcome(named: str, identity: CompiledPolicy) -> bool:
        trust = policy("Allow", "sts:AssumeRole", PolicyKind.TRUST, Principal={"AWS": named})
        around = Policies(
            identity=(identity,), resource=trust, resource_layer=Layer.TRUST, resource_policy_required=True
        )
        return decide(ask(SESSION, "sts:AssumeRole", ROLE), around).allowed

    assert outcome(ROLE, OTHERS)
    assert outcome(ACCOUNT, ALLOW)
    assert not outcome(ACCOUNT, OTHERS)
    assert not outcome(OTHER, ALLOW)


@pytest.mark.facts("POL-TR-016")
@pytest.mark.parametrize(
    ("caller", "own"),
    [
        (Principal.web_identity("accounts.google.com"), "sts:AssumeRoleWithWebIdentity"),
        (Principal.saml("arn:aws:iam::111122223333:saml-provider/corp"), "sts:AssumeRoleWithSAML"),
    ],
)
def test_a_proof_is_good_for_its_own_operation_only(caller: Principal, own: str) -> None:
    trust = policy("Allow", "sts:*", PolicyKind.TRUST, Principal={"Federated": caller.name})
    around = Policies(resource=trust, resource_layer=Layer.TRUST, resource_policy_required=True)
    actions = ["sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:TagSession"]
    allowed = [action for action in actions if decide(ask(caller, action, ROLE), around).allowed]
    assert allowed == [own, "sts:TagSession"]


@pytest.mark.facts("POL-IT-005", "POL-IT-006", "POL-SS-005", "STS-SP-005")
@pytest.mark.parametrize(
    ("named", "session", "allowed"), [(BOB.arn, None, True), (USER, None, False), (USER, (ALLOW,), True)]
)
def test_grants_to_a_federated_user_and_to_its_issuer(named: str, session: Any, allowed: bool) -> None:
    grant = policy("Allow", kind=PolicyKind.RESOURCE, Principal={"AWS": named})
    assert decide(ask(BOB), Policies(resource=grant, session=session)).allowed is allowed


@pytest.mark.facts("POL-EV-040", "POL-IT-003", "POL-IT-022")
@pytest.mark.parametrize("named", [{"AWS": SESSION.arn}, {"AWS": "*"}, "*"])
def test_a_grant_to_the_session_or_to_everyone_is_a_direct_one(named: Any) -> None:
    grant = policy("Allow", kind=PolicyKind.RESOURCE, Principal=named)
    silent = Policies(identity=(OTHERS,), boundary=OTHERS, session=(OTHERS,), resource=grant)
    assert decide(ask(SESSION), silent).allowed


@pytest.mark.facts("POL-PR-005", "POL-EV-041")
@pytest.mark.parametrize("named", [{"AWS": ACCOUNT}, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}])
def test_a_grant_to_the_account_leaves_it_to_the_identity_policies(named: Any) -> None:
    grant = policy("Allow", kind=PolicyKind.RESOURCE, Principal=named)
    for caller in (ALICE, SESSION):
        around = Policies(resource=grant, resource_policy_required=True)
        assert not decide(ask(caller), around).allowed
        around = Policies(identity=(ALLOW,), resource=grant, resource_policy_required=True)
        assert decide(ask(caller), around).allowed
    around = Policies(identity=(ALLOW,), resource_policy_required=True)
    assert not decide(ask(ALICE), around).allowed


@pytest.mark.facts("POL-IT-010", "POL-IT-020")
@pytest.mark.parametrize("kind", ["identity", "boundary", "session"])
def test_a_direct_grant_does_not_survive_an_explicit_deny(kind: str) -> None:
    grant = policy("Allow", kind=PolicyKind.RESOURCE, Principal={"AWS": SESSION.arn})
    around: dict[str, Any] = {kind: DENY if kind == "boundary" else (DENY,)}
    assert decide(ask(SESSION), Policies(resource=grant)).allowed
    assert decide(ask(SESSION), Policies(resource=grant, **around)).effect is Effect.EXPLICIT_DENY


@pytest.mark.facts("POL-RT-008")
def test_assume_root_is_decided_on_the_callers_side() -> None:
    asked = ask(SESSION, "sts:AssumeRoot", f"arn:aws:iam::{OTHER}:root", owner=OTHER)
    assert decide(asked, Policies(identity=(ALLOW,))).allowed
    assert not decide(asked, Policies(identity=(ALLOW,), session=(OTHERS,))).allowed
    anonymous = ask(Principal.anonymous(), "sts:AssumeRoot", f"arn:aws:iam::{OTHER}:root")
    assert not decide(anonymous, Policies(identity=(ALLOW,))).allowed


@pytest.mark.facts("POL-EV-070", "POL-EV-071", "STS-CALL-006", "R31")
@pytest.mark.parametrize("action", ["sts:GetCallerIdentity", "sts:GetSessionToken", "STS:getcalleridentity"])
def test_two_operations_cannot_be_denied(action: str) -> None:
    decision = decide(ask(action=action, resource="*"), Policies(identity=(DENY,), boundary=DENY, scps=((DENY,),)))
    assert decision.allowed
    assert decision.reason(action) == ""


@pytest.mark.facts("POL-EV-021", "POL-EV-022", "POL-AC-008")
@pytest.mark.parametrize("other", ["sts:TagSession", "sts:SetSourceIdentity", "sts:SetContext", "iam:PassRole"])
def test_permission_only_actions_are_decided_by_themselves(other: str) -> None:
    only = policy("Allow", "sts:AssumeRole")
    assert decide(ask(action="sts:AssumeRole", resource=ROLE), Policies(identity=(only,))).allowed
    assert not decide(ask(action=other, resource=ROLE), Policies(identity=(only,))).allowed
    assert decide(ask(action=other, resource=ROLE), Policies(identity=(only, policy("Allow", other)))).allowed


def test_a_decision_names_its_statement() -> None:
    text = json.dumps(
        {
            "Statement": [
                {"Effect": "Deny", "Action": "x:y", "Resource": "*"},
                {"Sid": "Reading", "Effect": "Allow", "Action": "s3:Get*", "Resource": "*"},
            ]
        }
    )
    named = load(text, PolicyKind.INLINE, "readers")
    decision = decide(ask(), Policies(identity=(OTHERS, named)))
    assert decision.statements == (StatementRef("readers", "Reading", 1),)
    assert decision.layer is Layer.IDENTITY


BROKEN = [
    "",
    "{",
    '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Extra": 1}}',
    '{"Statement": {"Effect": "allow", "Action": "*", "Resource": "*"}}',
    '{"Statement": {"Effect": "Allow", "Action": "*"}}',
    '{"Statement": {"Effect": "Allow", "Resource": "*"}}',
    '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}}',
    '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"NumericEquals": {"a:b": "x"}}}}',
    '{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"a:b": "x"}}}}',
]


@pytest.mark.facts("R28")
@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("kind", ["identity", "boundary", "session", "scps"])
def test_a_policy_that_cannot_be_read_denies(text: str, kind: str) -> None:
    broken = load(text, PolicyKind.INLINE, "broken")
    around: dict[str, Any] = {"identity": (ALLOW,), "boundary": ALLOW, "session": (ALLOW,), "scps": ((ALLOW,),)}
    around[kind] = {
        "identity": (ALLOW, broken),
        "boundary": broken,
        "session": (ALLOW, broken),
        "scps": ((ALLOW, broken),),
    }[kind]
    decision = decide(ask(SESSION), Policies(**around))
    assert decision.effect is Effect.EXPLICIT_DENY
    assert decision.statements == (StatementRef("broken", "", -1),)
    assert broken.problem


@pytest.mark.facts("R28")
@pytest.mark.parametrize(
    "text", ["{", '{"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "*", "Resource": "*"}}']
)
def test_a_trust_policy_that_cannot_be_read_denies_everyone(text: str) -> None:
    around = Policies(
        identity=(ALLOW,),
        resource=load(text, PolicyKind.TRUST),
        resource_layer=Layer.TRUST,
        resource_policy_required=True,
    )
    for caller in (ALICE, SESSION, Principal.root(ACCOUNT), Principal.web_identity("accounts.google.com")):
        assert decide(ask(caller, "sts:AssumeRole", ROLE), around).effect is Effect.EXPLICIT_DENY


KINDS = [
    (Layer.IDENTITY, "because no identity-based policy allows the {} action", "an identity-based policy", "STS-E-T32"),
    (Layer.SESSION, "because no session policy allows the {} action", "a session policy", "STS-E-T33"),
    (Layer.BOUNDARY, "because no permissions boundary allows the {} action", "a permissions boundary", "STS-E-T34"),
    (Layer.TRUST, "because no role trust policy allows the {} action", "the role trust policy", "STS-E-T35"),
    (Layer.RESOURCE, "because no resource-based policy allows the {} action", "a resource-based policy", "STS-E-T36"),
    (
        Layer.SERVICE_CONTROL,
        "because no service control policy allows the {} action",
        "a service control policy",
        "STS-E-T37",
    ),
    (
        Layer.RESOURCE_CONTROL,
        "because no resource control policy allows the {} action",
        "a resource control policy",
        "STS-E-T38",
    ),
]


@pytest.mark.parametrize(
    ("layer", "implicit", "explicit"),
    [pytest.param(a, b, c, marks=pytest.mark.facts(d, "POL-MSG-004", "STS-E-008")) for a, b, c, d in KINDS],
)
def test_the_reason_of_a_denial_in_the_words_of_its_kind(layer: Layer, implicit: str, explicit: str) -> None:
    action = "sts:AssumeRole"
    assert Decision(Effect.IMPLICIT_DENY, layer).reason(action) == implicit.format(action)
    assert Decision(Effect.EXPLICIT_DENY, layer).reason(action) == f"with an explicit deny in {explicit}"
    assert Decision(Effect.ALLOW, layer).reason(action) == ""


@pytest.mark.facts("POL-MSG-002", "POL-MSG-003", "POL-MSG-005", "STS-E-004", "STS-E-006", "STS-E-007")
def test_the_text_of_a_denial() -> None:
    implicit = decide(ask(SESSION), Policies())
    assert denial_text(SESSION.arn, "s3:GetObject", OBJECT, implicit) == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/app/s1 is not authorized to perform: s3:GetObject on resource: "
        f"{OBJECT} because no identity-based policy allows the s3:GetObject action"
    )
    explicit = decide(ask(SESSION), Policies(identity=(ALLOW,), session=(DENY,)))
    assert denial_text(SESSION.arn, "s3:GetObject", OBJECT, explicit).endswith(
        f" on resource: {OBJECT} with an explicit deny in a session policy"
    )


@pytest.mark.facts("STS-E-005")
def test_the_text_of_a_denial_without_a_resource() -> None:
    decision = decide(ask(action="sts:GetAccessKeyInfo", resource="*"), Policies())
    assert denial_text(USER, "sts:GetAccessKeyInfo", "", decision) == (
        f"User: {USER} is not authorized to perform: sts:GetAccessKeyInfo "
        "because no identity-based policy allows the sts:GetAccessKeyInfo action"
    )


@pytest.mark.facts("POL-MSG-007", "POL-MSG-008", "STS-E-003")
def test_across_accounts_no_reason_is_given() -> None:
    decision = decide(ask(action="sts:AssumeRole", resource=ROLE, owner=OTHER), Policies(identity=(DENY,)))
    assert decision.cross_account
    plain = f"User: {USER} is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
    assert denial_text(USER, "sts:AssumeRole", ROLE, decision) == plain
    assert denial_text(USER, "sts:AssumeRole", ROLE) == plain


STS_ACTIONS = [
    (
        "POL-AC-010",
        "sts:AssumeRole",
        ROLE,
        "sts:ExternalId sts:RoleSessionName sts:SourceIdentity aws:RequestTag/a aws:ResourceTag/a",
        "sts:TransitiveTagKeys aws:TagKeys",
    ),
    (
        "POL-AC-011",
        "sts:AssumeRoleWithSAML",
        ROLE,
        "saml:aud saml:sub sts:RoleSessionName sts:SourceIdentity aws:RequestTag/a",
        "saml:cn sts:TransitiveTagKeys aws:TagKeys",
    ),
    (
        "POL-AC-012",
        "sts:AssumeRoleWithWebIdentity",
        ROLE,
        "issuer.example.net:sub sts:RoleSessionName sts:SourceIdentity aws:RequestTag/a",
        "issuer.example.net:amr sts:TransitiveTagKeys aws:TagKeys",
    ),
    ("POL-AC-013", "sts:AssumeRoot", f"arn:aws:iam::{ACCOUNT}:root", "sts:TaskPolicyArn", ""),
    *(
        ("POL-AC-014", f"sts:{name}", "*", "", "")
        for name in ("DecodeAuthorizationMessage", "GetAccessKeyInfo", "GetDelegatedAccessToken")
    ),
    ("POL-AC-015", "sts:GetFederationToken", BOB.arn, "aws:RequestTag/a", "aws:TagKeys"),
    (
        "POL-AC-016",
        "sts:GetWebIdentityToken",
        "*",
        "sts:SigningAlgorithm aws:RequestTag/a",
        "sts:IdentityTokenAudience aws:TagKeys",
    ),
    ("POL-AC-017", "sts:TagGetWebIdentityToken", "*", "aws:RequestTag/a", "aws:TagKeys"),
    ("POL-AC-018", "sts:TagSession", ROLE, "aws:RequestTag/a saml:aud", "aws:TagKeys sts:TransitiveTagKeys"),
    ("POL-AC-019", "sts:SetSourceIdentity", ROLE, "sts:SourceIdentity", ""),
    (
        "POL-AC-020",
        "sts:SetContext",
        f"arn:aws:sts::{ACCOUNT}:self",
        "sts:RequestContext/a",
        "sts:RequestContextProviders",
    ),
    ("POL-AC-021", "sts:GetServiceBearerToken", "*", "sts:AWSServiceName", ""),
]


@pytest.mark.parametrize(
    ("action", "resource", "single", "multivalued"),
    [pytest.param(*row, marks=pytest.mark.facts(fact)) for fact, *row in STS_ACTIONS],
)
def test_an_sts_action_is_decided_by_its_resource_and_its_keys(
    action: str, resource: str, single: str, multivalued: str
) -> None:
    conditions = {
        "StringEquals": dict.fromkeys(single.split(), "v"),
        "ForAllValues:StringEquals": {key: ["v", "w"] for key in multivalued.split()},
        "Null": dict.fromkeys(multivalued.split(), "false"),
    }
    allow = policy("Allow", action, Resource=resource, Condition=conditions)
    given: dict[str, Any] = dict.fromkeys(f"{single} {multivalued}".split(), "v")

    def allowed(change: dict[str, Any], resource: str = resource) -> bool:
        return decide(
            Ask(ALICE, action, resource, ACCOUNT, context(given | change)), Policies(identity=(allow,))
        ).allowed

    assert allowed({})
    assert allowed({key: ["v", "w"] for key in multivalued.split()})
    for key in given:
        assert not allowed({key: "x"})
    for key in multivalued.split():
        plain = policy("Allow", action, Condition={"StringEquals": {key: "v"}})
        assert not decide(Ask(ALICE, action, resource, ACCOUNT, context(given)), Policies(identity=(plain,))).allowed
    if resource != "*":
        assert not allowed({}, "*")


@pytest.mark.facts("POL-AC-012", "POL-AC-016", "POL-AC-021")
def test_the_typed_keys_of_sts_actions_compare_by_their_type() -> None:
    allow = policy(
        "Allow",
        "sts:*",
        Condition={
            "NumericLessThanEquals": {"sts:DurationSeconds": "300"},
            "Bool": {"sts:RoleAuthorizedByIdp": "true"},
        },
    )

    def allowed(duration: int, authorized: bool) -> bool:
        keys = context({"sts:DurationSeconds": duration, "sts:RoleAuthorizedByIdp": authorized})
        return decide(Ask(ALICE, "sts:GetWebIdentityToken", "*", ACCOUNT, keys), Policies(identity=(allow,))).allowed

    assert allowed(60, True)
    assert not allowed(1000, True)
    assert not allowed(60, False)


@pytest.mark.facts("R30")
def test_there_is_one_decision_function() -> None:
    """Only policy/evaluate.py looks at what compiled statements say, and only its decide() makes decisions.

    The simulator lists the statements behind a decision of decide(), and a property test holds it to that.
    """
    source = Path(locum.__file__).parent
    allowed = {Path("policy/evaluate.py"), Path("policy/compile.py"), Path("policy/simulation.py")}
    for path in sorted(source.rglob("*.py")):
        if path.relative_to(source) in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                assert node.attr != "candidates", f"{path}:{node.lineno} evaluates policies"
            if isinstance(node, ast.Name):
                assert node.id != "CompiledStatement", f"{path}:{node.lineno} evaluates policies"
            if isinstance(node, ast.Call):
                assert getattr(node.func, "id", "") != "Decision", f"{path}:{node.lineno} makes a decision"


def test_a_policy_remembers_a_bounded_number_of_actions() -> None:
    from locum.policy.compile import _ACTIONS_PER_POLICY

    many = load('{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}', PolicyKind.INLINE)
    for number in range(_ACTIONS_PER_POLICY + 10):
        assert decide(ask(action=f"s3:Action{number}"), Policies(identity=(many,))).allowed
    assert len(many._by_action) == _ACTIONS_PER_POLICY
    assert not decide(ask(action="ec2:Action"), Policies(identity=(many,))).allowed
