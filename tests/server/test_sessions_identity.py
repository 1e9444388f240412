"""Source identity and context assertions: who may set them, what becomes of them (areas SI, AR)."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import roles
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, OTHER, World, document
from .test_sessions import ADMIN, assuming, credentials_of, not_authorized, seen, tags, trusting

ALICE: Final = f"arn:aws:iam::{ACCOUNT}:user/alice"
FIRST: Final = f"arn:aws:sts::{ACCOUNT}:assumed-role/first/s1"
SET: Final = "sts:SetSourceIdentity"


def chained(world: World, source: str | None = "alice") -> Credentials:
    """A role session that may do everything, with a source identity."""
    alice = world.user("alice", ADMIN)
    return world.assume(alice, world.role("first", trusting(), ADMIN), source_identity=source)


@pytest.mark.facts("STS-AR-020", "STS-SI-006", "STS-AR-024")
@pytest.mark.parametrize("owner", [ACCOUNT, OTHER])
def test_setting_a_source_identity_needs_the_trust_policys_leave(world: World, owner: str) -> None:
    root = world.root if owner == ACCOUNT else world.account(owner)
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting("sts:AssumeRole", "sts:TagSession"), root=root)
    refused = world.refusal(alice, assuming(role, source_identity="alice"), errors.AccessDenied)
    assert refused == not_authorized(ALICE, SET, role)
    answer = world.call(alice, assuming(world.role("s", trusting(), root=root), source_identity="alice"))
    assert answer.source_identity == "alice"


@pytest.mark.facts("STS-AR-021", "STS-SI-006")
@pytest.mark.parametrize("owner", [ACCOUNT, OTHER])
def test_setting_it_needs_the_callers_own_leave_too(world: World, owner: str) -> None:
    root = world.root if owner == ACCOUNT else world.account(owner)
    alice = world.user("alice", document(Effect="Allow", Action="sts:AssumeRole", Resource="*"))
    role = world.role("r", trusting(), root=root)
    world.assume(alice, role)
    refused = world.refusal(alice, assuming(role, source_identity="alice"), errors.AccessDenied)
    assert refused == not_authorized(ALICE, SET, role)


@pytest.mark.facts("STS-AR-020", "STS-AR-T19", "STS-SI-006", "STS-AR-021")
@pytest.mark.parametrize("asked", [None, "alice"])
def test_carrying_one_needs_the_same_leave_whether_it_is_repeated_or_not(world: World, asked: str | None) -> None:
    session = chained(world)
    plain = world.role("plain", trusting("sts:AssumeRole"))
    refused = world.refusal(session, assuming(plain, source_identity=asked), errors.AccessDenied)
    assert refused == not_authorized(FIRST, SET, plain)
    policy = json.dumps(document(Effect="Allow", Action="sts:AssumeRole", Resource="*"))
    world.call(world.root, roles.PutRolePolicyCommand(role_name="first", policy_name="p", policy_document=policy))
    whole = world.role("whole", trusting())
    refused = world.refusal(session, assuming(whole, source_identity=asked), errors.AccessDenied)
    assert refused == not_authorized(FIRST, SET, whole)


@pytest.mark.facts("STS-SI-004", "STS-SI-005", "STS-AR-047", "STS-CTX-T26", "POL-CK-008")
def test_it_passes_on_by_itself_and_cannot_be_changed(world: World) -> None:
    session = chained(world)
    role = world.role("second", trusting(), ADMIN)
    answer = world.call(session, assuming(role))
    assert answer.source_identity == "alice"
    assert world.call(session, assuming(role, source_identity="alice")).source_identity == "alice"
    for other in ("Alice", "mallory"):
        refused = world.refusal(session, assuming(role, source_identity=other), errors.AccessDenied)
        assert refused == not_authorized(FIRST, SET, role)
    second = credentials_of(answer.credentials)
    assert seen(world, second).context["aws:sourceidentity"] == "alice"
    assert world.call(second, assuming(role)).source_identity == "alice"


@pytest.mark.facts("STS-AR-047")
def test_a_session_without_one_says_nothing_of_it(world: World) -> None:
    session = chained(world, None)
    role = world.role("second", trusting())
    answer = world.call(session, assuming(role))
    assert answer.source_identity is None
    assert b"SourceIdentity" not in world.send(world.request(assuming(role), session)).body
    assert "aws:sourceidentity" not in seen(world, session).context
    assert world.call(session, assuming(role, source_identity="late")).source_identity == "late"


@pytest.mark.facts("STS-SI-002")
@pytest.mark.parametrize("value", ["x", "x" * 65, "aws:alice", "a b", "ä"])
def test_a_bad_one_is_a_constraint_error(world: World, value: str) -> None:
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting())
    refused = world.refusal(alice, assuming(role, source_identity=value), errors.ValidationError)
    assert "at 'sourceIdentity' failed to satisfy constraint" in refused


def lets_in(world: World, caller: Credentials, condition: dict[str, Any], **asked: Any) -> bool:
    """Whether a trust policy with a condition admits a call."""
    trust = json.dumps(trusting(Condition=condition))
    world.call(world.root, roles.UpdateAssumeRolePolicyCommand(role_name="r", policy_document=trust))
    try:
        world.call(caller, assuming(f"arn:aws:iam::{ACCOUNT}:role/r", **asked))
    except errors.AccessDenied:
        return False
    return True


@pytest.mark.facts("STS-SI-007", "STS-CTX-T40", "POL-CK-022", "STS-CTX-T26")
def test_the_key_of_the_request_and_the_key_of_the_session(world: World) -> None:
    session = chained(world)
    alice = world.user("bob", ADMIN)
    world.role("r", trusting())
    asked = {"StringEquals": {"sts:SourceIdentity": "alice"}}
    has = {"StringEquals": {"aws:SourceIdentity": "alice"}}
    neither = {"Null": {"sts:SourceIdentity": "true", "aws:SourceIdentity": "true"}}
    assert lets_in(world, alice, asked | {"Null": {"aws:SourceIdentity": "true"}}, source_identity="alice")
    assert not lets_in(world, alice, has, source_identity="alice")
    assert lets_in(world, session, asked | {"StringLike": {"aws:SourceIdentity": "alice"}})
    assert lets_in(world, alice, neither)
    assert not lets_in(world, session, neither)


@pytest.mark.facts("STS-SI-010", "STS-CTX-T60")
def test_a_trust_policy_is_what_restricts_its_value(world: World) -> None:
    alice = world.user("alice", ADMIN)
    assert world.call(alice, assuming(world.role("open", trusting()), source_identity="root")).source_identity == "root"
    own = {"StringEquals": {"sts:SourceIdentity": "${aws:username}"}}
    role = world.role(
        "r",
        document(*trusting("sts:AssumeRole")["Statement"], *trusting(SET, Condition=own)["Statement"]),
    )
    assert world.call(alice, assuming(role, source_identity="alice")).source_identity == "alice"
    refused = world.refusal(alice, assuming(role, source_identity="root"), errors.AccessDenied)
    assert refused == not_authorized(ALICE, SET, role)


# Context assertions

PROVIDER: Final = "arn:aws:iam::aws:contextProvider/IdentityCenter"


def contexts(provider: str | None = PROVIDER, assertion: str | None = "assertion") -> tuple[sts.ProvidedContext, ...]:
    return (sts.ProvidedContext(provider_arn=provider, context_assertion=assertion),)


@pytest.mark.facts("STS-AR-022")
def test_context_assertions_need_leave(world: World) -> None:
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting())
    refused = world.refusal(alice, assuming(role, provided_contexts=contexts()), errors.AccessDenied)
    assert refused == not_authorized(ALICE, "sts:SetContext", role)
    allowed = document(Effect="Allow", Action=["sts:AssumeRole"], Resource="*")
    bob = world.user("bob", allowed)
    role = world.role("s", trusting("sts:AssumeRole", "sts:SetContext"))
    refused = world.refusal(bob, assuming(role, provided_contexts=contexts()), errors.AccessDenied)
    assert refused == not_authorized(ALICE.replace("alice", "bob"), "sts:SetContext", role)
    some = document(Effect="Allow", Action=["sts:AssumeRole", "sts:SetContext"], Resource=[role])
    carol = world.user("carol", some)
    refused = world.refusal(carol, assuming(role, provided_contexts=contexts()), errors.AccessDenied)
    assert refused == not_authorized(ALICE.replace("alice", "carol"), "sts:SetContext", PROVIDER)


@pytest.mark.facts("STS-AR-023", "R42", "STS-E-002", "STS-E-T01")
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (contexts(), errors.ExpiredTokenException),
        (contexts(assertion=None), errors.ValidationError),
        (contexts(provider=None), errors.ValidationError),
        (contexts("arn:aws:iam::aws:contextProvider/Other"), errors.ValidationError),
        (contexts(f"arn:aws:iam::{ACCOUNT}:role/ops"), errors.ValidationError),
        ((*contexts(), *contexts("arn:aws:iam::aws:contextProvider/Other")), errors.ValidationError),
    ],
)
def test_no_assertion_is_good_and_none_is_ignored(
    world: World, given: Any, kind: type[errors.ServiceException]
) -> None:
    alice = world.user("alice", ADMIN)
    condition = {"ForAnyValue:ArnEquals": {"sts:RequestContextProviders": [given[0].provider_arn or PROVIDER]}}
    trust = document(
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"},
        {
            "Effect": "Allow",
            "Principal": {"AWS": ACCOUNT},
            "Action": "sts:SetContext",
            **({"Condition": condition} if given[0].provider_arn else {}),
        },
    )
    role = world.role("r", trust)
    refused = world.refusal(alice, assuming(role, provided_contexts=given), kind)
    assert refused.startswith("ProvidedContexts: ")


def test_the_keys_of_an_assume_role_are_there_together(world: World) -> None:
    alice = world.user("alice", ADMIN)
    world.role("r", trusting())
    condition = {
        "StringEquals": {
            "aws:RequestTag/Team": "Blue",
            "sts:ExternalId": "shake",
            "sts:RoleSessionName": "s1",
            "sts:SourceIdentity": "alice",
        },
        "ForAllValues:StringEquals": {"aws:TagKeys": ["Team"], "sts:TransitiveTagKeys": ["Team"]},
    }
    asked: dict[str, Any] = {
        "tags": tags(Team="Blue"),
        "transitive_tag_keys": ("Team",),
        "external_id": "shake",
        "source_identity": "alice",
    }
    assert lets_in(world, alice, condition, **asked)
    for name, value in (("external_id", "fist"), ("source_identity", "bob"), ("tags", tags(Team="Red"))):
        assert not lets_in(world, alice, condition, **asked | {name: value}), name
