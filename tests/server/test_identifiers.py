"""Identifiers as the API gives them out and takes them: prefixes, ARNs, principals (areas ID, GCI; STS-V-016)."""

from __future__ import annotations

import json

import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import policies, roles, users

from .conftest import ACCOUNT, OTHER, World, document

WHO = sts.GetCallerIdentityCommand()
NOTHING = json.dumps(document(Effect="Deny", Action="s3:x", Resource="*"))


@pytest.mark.facts("STS-ID-001", "STS-ID-002", "STS-AR-046", "IAM-GEN-010")
def test_each_kind_of_thing_has_its_prefix_and_length(world: World) -> None:
    user = world.call(world.root, users.CreateUserCommand(user_name="alice")).user
    role_arn = world.role("deploy", {"AWS": "*"})
    role = world.call(world.root, roles.GetRoleCommand(role_name="deploy")).role
    policy = world.call(world.root, policies.CreatePolicyCommand(policy_name="nothing", policy_document=NOTHING)).policy
    key = world.user("bob")
    session = world.assume(key, role_arn)
    assert user is not None
    assert policy is not None
    found = {
        "AIDA": user.user_id,
        "AROA": role.role_id,
        "ANPA": policy.policy_id,
        "AKIA": key.access_key_id,
        "ASIA": session.access_key_id,
    }
    for prefix, identifier in found.items():
        assert identifier is not None
        assert identifier.startswith(prefix)
        assert len(identifier) == (20 if prefix in ("AKIA", "ASIA") else 21)
    assert len(session.secret_access_key) == 40


@pytest.mark.facts("STS-ID-003")
def test_a_temporary_key_id_means_nothing_without_the_token_and_secret_of_the_same_session(world: World) -> None:
    alice, role = world.user("alice"), world.role("open", {"AWS": "*"})
    one, two = world.assume(alice, role), world.assume(alice, role)
    assert one.access_key_id != two.access_key_id
    for mixed in (
        type(one)(one.access_key_id, two.secret_access_key, one.session_token),
        type(one)(one.access_key_id, one.secret_access_key, two.session_token),
        type(one)(one.access_key_id, two.secret_access_key, two.session_token),
    ):
        with pytest.raises((errors.InvalidClientTokenId, errors.SignatureDoesNotMatch)):
            world.call(mixed, WHO)


@pytest.mark.facts("STS-ID-004", "POL-RS-020")
def test_arns_have_the_forms_of_the_reference(world: World) -> None:
    user = world.call(world.root, users.CreateUserCommand(user_name="alice", path="/eng/de/")).user
    policy = world.call(
        world.root, policies.CreatePolicyCommand(policy_name="p", path="/team/", policy_document=NOTHING)
    ).policy
    assert user is not None
    assert policy is not None
    assert user.arn == f"arn:aws:iam::{ACCOUNT}:user/eng/de/alice"
    assert policy.arn == f"arn:aws:iam::{ACCOUNT}:policy/team/p"
    assert world.role("deploy", {"AWS": "*"}, path="/ops/") == f"arn:aws:iam::{ACCOUNT}:role/ops/deploy"
    assert world.call(world.root, WHO).arn == f"arn:aws:iam::{ACCOUNT}:root"
    ours = world.call(world.root, policies.GetPolicyCommand(policy_arn="arn:aws:iam::aws:policy/AdministratorAccess"))
    assert ours.policy is not None
    assert ours.policy.arn == "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.mark.facts("STS-ID-005", "STS-AR-014", "STS-AR-044", "STS-AR-045", "POL-PR-022", "POL-CK-001")
def test_a_roles_path_is_in_its_own_arn_and_in_no_session_arn(world: World) -> None:
    alice = world.user("alice")
    allowed = document(
        Effect="Allow",
        Action="iam:GetRole",
        Resource="*",
        Condition={"StringEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/ops/deploy"}},
    )
    role_arn = world.role("deploy", {"AWS": "*"}, allowed, path="/ops/")
    answer = world.call(alice, sts.AssumeRoleCommand(role_arn=role_arn, role_session_name="s1"))
    assert answer.assumed_role_user is not None
    assert answer.assumed_role_user.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/s1"
    role = world.call(world.root, roles.GetRoleCommand(role_name="deploy")).role
    assert answer.assumed_role_user.assumed_role_id == f"{role.role_id}:s1"
    session = world.assume(alice, role_arn)
    assert world.call(session, roles.GetRoleCommand(role_name="deploy")).role.role_name == "deploy"
    issuer = world.records()[-1]["userIdentity"]["sessionContext"]["sessionIssuer"]
    assert issuer["arn"] == role_arn


@pytest.mark.facts("STS-ID-007")
def test_a_trust_policy_takes_every_form_of_principal_and_no_wildcard_inside_an_arn(world: World) -> None:
    world.account(OTHER)
    alice = world.user("alice")
    role_arn = world.role("first", {"AWS": OTHER})
    shown = world.call(world.root, roles.GetRoleCommand(role_name="first")).role.assume_role_policy_document
    assert shown is not None
    assert f"iam%3A%3A{OTHER}%3Aroot" in shown
    forms = [
        {"AWS": "*"},
        {"AWS": f"arn:aws:iam::{OTHER}:root"},
        {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"},
        {"AWS": role_arn},
        {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/first/s1"},
        {"AWS": f"arn:aws:sts::{ACCOUNT}:federated-user/bob"},
        {"Service": "ec2.amazonaws.com"},
    ]
    for number, principal in enumerate(forms):
        world.role(f"r{number}", principal)
    assert world.call(alice, WHO).account == ACCOUNT
    for wildcard in (f"arn:aws:iam::{ACCOUNT}:role/*", f"arn:aws:iam::{ACCOUNT}:user/ali?e", "arn:aws:iam::*:root"):
        with pytest.raises(errors.MalformedPolicyDocumentException):
            world.role("bad", {"AWS": wildcard})


@pytest.mark.facts("STS-GCI-005")
def test_get_caller_identity_declares_no_errors() -> None:
    assert WHO.operation.errors == ()


@pytest.mark.facts("STS-V-016", "STS-V-015", "STS-E-T42")
@pytest.mark.parametrize(
    ("role_arn", "message"),
    [
        (f"arn:aws:iam::{ACCOUNT}:saml-provider/company", "Request ARN is invalid"),
        (f"arn:aws:iam::{ACCOUNT}:user/alice", "Request ARN is invalid"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/a/b", "Request ARN is invalid"),
        ("nothing-valid-in-here", "nothing-valid-in-here is invalid"),
        ("arn::b:::something/test-role", "arn::b:::something/test-role is invalid"),
        ("arn:a::::something/test-role", "arn:a::::something/test-role is invalid"),
        ("arn:a:::something/test-role", "arn:a:::something/test-role is invalid"),
        ("arn:a:a::aaaaaaaaaa:", "arn:a:a::aaaaaaaaaa: is invalid"),
        ("arn:aws:iam:012345678901:role/x", "arn:aws:iam:012345678901:role/x is invalid"),
    ],
)
def test_what_is_no_role_is_refused_before_authorization(world: World, role_arn: str, message: str) -> None:
    command = sts.AssumeRoleCommand(role_arn=role_arn, role_session_name="s1")
    for caller in (world.user("alice"), world.root):
        assert world.refusal(caller, command, errors.ValidationError) == message


@pytest.mark.facts("POL-GR-017", "POL-VA-001")
def test_a_documents_characters_are_checked_before_its_grammar(world: World) -> None:
    good = document(Effect="Allow", Action="s3:GetObject", Resource="arn:aws:s3:::caf\u00e9/*")
    world.call(
        world.root,
        policies.CreatePolicyCommand(policy_name="latin", policy_document=json.dumps(good, ensure_ascii=False)),
    )
    for bad in ('{"price": "\u20ac"}', "\U0001f600", "\x00{}", "{\u2028}"):
        command = policies.CreatePolicyCommand(policy_name="other", policy_document=bad)
        refusal = world.refusal(world.root, command, errors.ValidationError)
        assert "at 'policyDocument' failed to satisfy constraint: Member must satisfy regular expression" in refusal
