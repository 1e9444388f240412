"""Callers, what follows from them, and the names inside stored policies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.errors import MalformedPolicyDocumentException
from locum.policy import (
    Ask,
    Effect,
    Layer,
    Policies,
    PolicyError,
    PolicyKind,
    Principal,
    compile_policy,
    decide,
    named_entities,
    parse,
    principal_context,
    render_principals,
    store_principals,
)

ACCOUNT, OTHER = "111122223333", "444455556666"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ALICE_ARN, ALICE_ID = f"arn:aws:iam::{ACCOUNT}:user/dev/alice", "AIDAALICEALICEALICE00"
APP_ARN, APP_ID = f"arn:aws:iam::{ACCOUNT}:role/ops/app", "AROAAPPAPPAPPAPPAPP00"
SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s1"
BOB_ARN = f"arn:aws:sts::{ACCOUNT}:federated-user/bob"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example.net"

ALICE = Principal.user(ALICE_ARN, ACCOUNT, ALICE_ID)
APP = Principal.role_session(SESSION_ARN, ACCOUNT, APP_ARN, APP_ID, "s1")
BOB = Principal.federated_user(BOB_ARN, ACCOUNT, "bob", ALICE_ARN, ALICE_ID)
CALLERS = {
    "user": ALICE,
    "session": APP,
    "federated": BOB,
    "root": Principal.root(ACCOUNT),
    "root session": Principal.root(ACCOUNT, session=True),
    "service": Principal.service("ec2.amazonaws.com"),
    "anonymous": Principal.anonymous(),
    "web": Principal.web_identity(PROVIDER, ACCOUNT),
    "saml": Principal.saml(f"arn:aws:iam::{ACCOUNT}:saml-provider/corp", ACCOUNT),
}


def denied(principal: Principal, named: Any, element: str = "Principal", *, boundary: bool = False) -> bool:
    """Whether a Deny of a resource policy concerns a caller."""
    statement = {"Effect": "Deny", element: named, "Action": "*", "Resource": "*"}
    policy = compile_policy(parse(json.dumps({"Statement": statement})), PolicyKind.RESOURCE)
    everything = parse(json.dumps({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}))
    limit = compile_policy(everything, PolicyKind.MANAGED) if boundary else None
    decision = decide(Ask(principal, "s3:GetObject", "*", ACCOUNT, {}), Policies(resource=policy, boundary=limit))
    return decision.effect is Effect.EXPLICIT_DENY


@pytest.mark.facts("POL-PR-020", "POL-PR-001")
@pytest.mark.parametrize(
    ("named", "concerned"),
    [
        ("*", set(CALLERS)),
        ({"AWS": "*"}, set(CALLERS)),
        ({"AWS": ACCOUNT}, {"user", "session", "federated", "root", "root session"}),
        ({"AWS": ROOT}, {"user", "session", "federated", "root", "root session"}),
        ({"AWS": OTHER}, set()),
        pytest.param(
            {"AWS": f"arn:aws-cn:iam::{ACCOUNT}:root"}, set(), marks=pytest.mark.facts("POL-PR-016", "POL-XA-007")
        ),
        ({"AWS": ALICE_ARN}, {"user", "federated"}),
        ({"AWS": ALICE_ID}, {"user", "federated"}),
        pytest.param({"AWS": ALICE_ARN.replace("alice", "Alice")}, set(), marks=pytest.mark.facts("POL-PR-006")),
        ({"AWS": APP_ARN}, {"session"}),
        ({"AWS": APP_ID}, {"session"}),
        ({"AWS": SESSION_ARN}, {"session"}),
        ({"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s2"}, set()),
        ({"AWS": BOB_ARN}, {"federated"}),
        ({"Service": "ec2.amazonaws.com"}, {"service"}),
        ({"Service": "ec2.us-east-1.amazonaws.com"}, set()),
        pytest.param({"Federated": PROVIDER}, {"web"}, marks=pytest.mark.facts("POL-PR-013")),
        ({"AWS": PROVIDER}, set()),
        ({"Federated": ALICE_ARN, "Service": ALICE_ARN}, set()),
        pytest.param({"AWS": f"arn:aws:iam::{ACCOUNT}:group/g"}, set(), marks=pytest.mark.facts("POL-PR-015")),
        ({"AWS": ""}, set()),
        pytest.param(
            {"Service": "ec2.amazonaws.com", "AWS": [APP_ARN, BOB_ARN]},
            {"service", "session", "federated"},
            marks=pytest.mark.facts("R29"),
        ),
    ],
)
def test_which_callers_a_principal_names(named: Any, concerned: set[str]) -> None:
    assert {name for name, caller in CALLERS.items() if denied(caller, named)} == concerned


def test_an_empty_name_matches_no_caller_with_an_empty_id() -> None:
    assert not denied(Principal.user(ALICE_ARN, ACCOUNT, ""), {"AWS": ""})
    assert not denied(Principal.federated_user(BOB_ARN, ACCOUNT, "bob", ALICE_ARN, ""), {"AWS": ["", "x"]})


@pytest.mark.facts("POL-PR-030", "POL-PR-031")
@pytest.mark.parametrize(
    ("listed", "spared"),
    [
        ({"AWS": [ALICE_ARN, ROOT]}, {"user", "root", "root session"}),
        ({"AWS": [ALICE_ID, ACCOUNT]}, {"user", "root", "root session"}),
        ({"AWS": ALICE_ARN}, set()),
        ({"AWS": ROOT}, {"root", "root session"}),
        ({"AWS": [SESSION_ARN, APP_ARN, ROOT]}, {"session", "root", "root session"}),
        ({"AWS": [SESSION_ARN, APP_ARN]}, set()),
        ({"AWS": [SESSION_ARN, ROOT]}, {"root", "root session"}),
        ({"AWS": [APP_ARN, ROOT]}, {"root", "root session"}),
        ({"AWS": [BOB_ARN, ROOT]}, {"federated", "root", "root session"}),
        ({"Service": "ec2.amazonaws.com"}, {"service"}),
        ({"Federated": PROVIDER}, set()),
        ({"AWS": OTHER}, set()),
        ("*", set(CALLERS)),
    ],
)
def test_whom_a_not_principal_spares(listed: Any, spared: set[str]) -> None:
    found = {name for name, caller in CALLERS.items() if not denied(caller, listed, "NotPrincipal")}
    assert found - {"web"} == spared - {"web"}


@pytest.mark.facts("POL-PR-032")
@pytest.mark.parametrize("listed", [{"AWS": [ALICE_ARN, ROOT]}, "*"])
def test_a_not_principal_never_spares_a_caller_with_a_boundary(listed: Any) -> None:
    assert denied(ALICE, listed, "NotPrincipal", boundary=True)


@pytest.mark.facts("POL-PR-003", "POL-PR-012", "POL-PR-014", "R28")
@pytest.mark.parametrize(
    "named",
    [
        {"AWS": f"arn:aws:iam::{ACCOUNT}:role/*"},
        {"AWS": ["*", "arn:aws:iam::*:root"]},
        {"Service": "*"},
        {"Service": "*.amazonaws.com"},
        {"Federated": "*"},
        {"CanonicalUser": "7"},
        {},
        {"AWS": []},
    ],
)
def test_a_principal_that_nobody_can_be_is_not_evaluated(named: Any) -> None:
    with pytest.raises(PolicyError):
        denied(ALICE, named)


def trusted(principal: Principal, named: Any, effect: str = "Allow") -> bool:
    """Whether a trust policy's statement lets the caller in, or (Deny) keeps it out."""
    allow = {"Effect": "Allow", "Principal": {"AWS": "*", "Federated": PROVIDER}, "Action": "sts:*"}
    statement = {"Effect": effect, "Principal": named, "Action": "sts:*"}
    document = {"Statement": [statement] if effect == "Allow" else [allow, statement]}
    policy = compile_policy(parse(json.dumps(document)), PolicyKind.TRUST)
    action = "sts:AssumeRoleWithWebIdentity" if principal.kind.value == "WebIdentity" else "sts:AssumeRole"
    around = Policies(resource=policy, resource_layer=Layer.TRUST, resource_policy_required=True)
    return decide(Ask(principal, action, APP_ARN, ACCOUNT, {}), around).allowed


@pytest.mark.facts("POL-PR-002", "STS-WI-031", "STS-SAML-025")
def test_everyone_does_not_let_in_the_bearer_of_a_proof() -> None:
    for name in ("web", "saml"):
        assert not trusted(CALLERS[name], {"AWS": "*"})
        assert not trusted(CALLERS[name], "*")
    assert trusted(ALICE, {"AWS": "*"})


def test_everyone_keeps_out_the_bearer_of_a_proof() -> None:
    assert trusted(CALLERS["web"], {"AWS": ALICE_ARN}, "Deny")
    assert not trusted(CALLERS["web"], {"AWS": "*"}, "Deny")


@pytest.mark.facts("POL-PR-016", "POL-XA-007")
def test_a_caller_of_another_partition_reaches_nothing() -> None:
    chinese = Principal.user(f"arn:aws-cn:iam::{ACCOUNT}:user/alice", ACCOUNT, ALICE_ID, partition="aws-cn")
    assert not trusted(chinese, {"AWS": [chinese.arn, ACCOUNT]})
    assert not trusted(chinese, {"AWS": "*"})


CONTEXTS = [
    ("user", {"aws:principalarn": ALICE_ARN, "aws:userid": ALICE_ID, "aws:username": "alice"}, "User", ACCOUNT),
    ("session", {"aws:principalarn": APP_ARN, "aws:userid": f"{APP_ID}:s1"}, "AssumedRole", ACCOUNT),
    ("federated", {"aws:principalarn": BOB_ARN, "aws:userid": f"{ACCOUNT}:bob"}, "FederatedUser", ACCOUNT),
    ("root", {"aws:principalarn": ROOT, "aws:userid": ACCOUNT}, "Account", ACCOUNT),
    ("root session", {"aws:principalarn": ROOT, "aws:userid": ACCOUNT}, "Account", ACCOUNT),
    ("anonymous", {"aws:userid": "anonymous"}, "Anonymous", "anonymous"),
    ("web", {"aws:userid": PROVIDER}, "User", ACCOUNT),
]


@pytest.mark.facts("POL-VR-010", "POL-VR-011", "POL-PR-022", "POL-CK-001", "POL-CK-002", "POL-CK-003")
@pytest.mark.parametrize(("caller", "expected", "type_", "account"), CONTEXTS)
def test_the_keys_that_follow_from_a_caller(caller: str, expected: dict[str, str], type_: str, account: str) -> None:
    common = {"aws:principaltype": type_, "aws:principalaccount": account, "aws:principalisawsservice": "false"}
    assert principal_context(CALLERS[caller]) == expected | common


@pytest.mark.facts("POL-CK-015")
def test_the_keys_that_follow_from_a_service() -> None:
    keys = principal_context(CALLERS["service"])
    assert keys == {"aws:principalisawsservice": "true", "aws:principalservicename": "ec2.amazonaws.com"}


@pytest.mark.facts("POL-PR-021")
def test_the_arn_of_a_caller_as_a_principal() -> None:
    assert [caller.arn for caller in (ALICE, APP, BOB, CALLERS["root"])] == [ALICE_ARN, SESSION_ARN, BOB_ARN, ROOT]


STORED = """{
  "Statement": [ {"Effect":"Allow",  "Principal": {"AWS" : ["<alice>", "<app>",
      "arn:aws:iam::444455556666:root"], "Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole",
      "Condition": {"ArnEquals": {"aws:PrincipalArn": "<kept>"}, "StringEquals": {"AWS": "<kept>"}} },
    {"Principal":{"AWS":"<alice>"},"Effect":"Deny","Sid":"Principal","Action":"sts:TagSession"} ]
}
"""


def text(alice: str, app: str) -> str:
    return STORED.replace("<alice>", alice).replace("<app>", app).replace("<kept>", APP_ARN)


@pytest.mark.facts("POL-PR-010", "POL-PR-011", "IAM-GEN-021")
def test_only_principals_are_replaced_by_unique_ids_and_back() -> None:
    ids = {ALICE_ARN: ALICE_ID, APP_ARN: APP_ID}
    stored = store_principals(text(ALICE_ARN, APP_ARN), ids, "aws")
    assert stored == text(ALICE_ID, APP_ID)
    assert render_principals(stored, {ALICE_ID: ALICE_ARN, APP_ID: APP_ARN}.get) == text(ALICE_ARN, APP_ARN)


@pytest.mark.facts("POL-PR-010")
def test_the_id_of_a_deleted_entity_is_shown_as_it_is() -> None:
    assert render_principals(text(ALICE_ID, APP_ID), {APP_ID: APP_ARN}.get) == text(ALICE_ID, APP_ARN)


@pytest.mark.facts("POL-PR-011", "POL-VA-040")
def test_an_entity_that_does_not_exist_is_refused() -> None:
    with pytest.raises(MalformedPolicyDocumentException) as refused:
        store_principals(text(ALICE_ARN, APP_ARN), {ALICE_ARN: ALICE_ID}, "aws")
    assert refused.value.message == f'Invalid principal in policy: "AWS":"{APP_ARN}"'


@pytest.mark.facts("POL-PR-004")
def test_a_bare_account_id_is_stored_as_the_root_arn() -> None:
    given = '{"Statement":{"Principal":{"AWS":"111122223333"}}}'
    assert store_principals(given, {}, "aws-cn") == given.replace(ACCOUNT, f"arn:aws-cn:iam::{ACCOUNT}:root")


@pytest.mark.facts("POL-PR-011")
def test_the_entities_that_must_exist() -> None:
    document = json.loads(text(ALICE_ARN, APP_ID))
    assert named_entities(parse(json.dumps(document))) == {ALICE_ARN, APP_ID}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from([ALICE_ID, "Principal", "AWS"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Statement", "Principal", "NotPrincipal", "AWS", "x"]) | st.text(max_size=3), inner
        )
    ),
    max_leaves=15,
)


@given(JSON, st.booleans())
def test_rewriting_changes_principals_and_nothing_else(value: Any, spaced: bool) -> None:
    document = json.dumps(value, indent=2 if spaced else None)
    changed = json.loads(render_principals(document, {ALICE_ID: "changed"}.get))

    def expected(part: Any, path: tuple[str, ...]) -> Any:
        if isinstance(part, dict):
            return {key: expected(member, (*path, key)) for key, member in part.items()}
        if isinstance(part, list):
            return [expected(member, path) for member in part]
        principal = path in (("Statement", "Principal", "AWS"), ("Statement", "NotPrincipal", "AWS"))
        return "changed" if part == ALICE_ID and principal else part

    assert changed == expected(value, ())


def test_a_text_without_such_principals_is_returned_as_it_is() -> None:
    escaped = ALICE_ID.replace("A", "\\u0041", 1)
    odd = f'{{ "Statement" :\n[{{"Principal":{{"AWS":"{escaped}"}}}}]}}'
    assert render_principals(odd, {APP_ID: APP_ARN}.get) == odd
    assert render_principals(odd, {ALICE_ID: ALICE_ARN}.get) == odd.replace(escaped, ALICE_ARN)
    assert render_principals(text("*", APP_ARN), {"*": "x", APP_ARN: "x"}.get) == text("*", APP_ARN)
