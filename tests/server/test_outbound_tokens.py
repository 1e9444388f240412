"""GetWebIdentityToken through the pipeline: who gets a token, for whom, what refuses it and in which order (GWT)."""

from __future__ import annotations

import base64
import datetime
import json
from typing import Any, Final

import jwt
import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import outbound as switch
from locum.api.iam import users
from locum.arn import Arn
from locum.core import outbound
from locum.core.session import Federation, FederationKind, Session, SessionKind
from locum.guard.directory import Directory
from locum.secret import Secret
from locum.server.outbound import published
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, OTHER, START, World, document
from .test_sessions import ADMIN, credentials_of, not_authorized, own_tags, tags, trusting

SELF: Final = f"arn:aws:sts::{ACCOUNT}:self"
ALICE: Final = f"arn:aws:iam::{ACCOUNT}:user/alice"
STS: Final = "https://sts.amazonaws.com/"
GET: Final = "sts:GetWebIdentityToken"
TAG: Final = "sts:TagGetWebIdentityToken"
ENABLE: Final = switch.EnableOutboundWebIdentityFederationCommand()


def asking(**asked: Any) -> sts.GetWebIdentityTokenCommand:
    return sts.GetWebIdentityTokenCommand(**{"audience": ("api",), "signing_algorithm": "ES384", **asked})


def keys(world: World) -> str:
    """The keys that the account's issuer publishes."""
    with world.pipeline.facts.reading() as view:
        directory = Directory(view, world.vault, "aws")
        issuer = directory.issuer(ACCOUNT)
        assert issuer is not None
        page = published(f"/issuer/{issuer.record.id}/.well-known/jwks.json", directory, "", world.now)
    assert page is not None
    return page.body.decode()


def verified(world: World, answer: sts.GetWebIdentityTokenResponse, audience: str = "api") -> dict[str, Any]:
    """The claims of a token whose signature an independent library has verified."""
    token = answer.web_identity_token.reveal()
    header = jwt.get_unverified_header(token)
    key = jwt.PyJWKSet.from_json(keys(world))[header["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=[header["alg"]], audience=audience, options={"verify_exp": False, "verify_iat": False}
    )
    return claims


@pytest.fixture
def enabled(world: World) -> World:
    world.call(world.root, ENABLE)
    return world


# Who gets one


@pytest.mark.facts("STS-GWT-004", "STS-GWT-012", "STS-GWT-015", "STS-CALL-T19", "STS-CALL-004", "STS-CALL-T28")
@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_users_their_sessions_and_role_sessions_get_one(enabled: World, algorithm: str) -> None:
    world = enabled
    alice = world.user("alice", ADMIN)
    own = credentials_of(world.call(alice, sts.GetSessionTokenCommand()).credentials)
    role = world.role("deploy", trusting(), ADMIN, path="/a/b/")
    for who, subject in ((alice, ALICE), (own, ALICE), (world.assume(alice, role), role)):
        answer = world.call(who, asking(signing_algorithm=algorithm))
        claims = verified(world, answer)
        assert claims["sub"] == claims[STS]["principal_id"] == subject
        assert claims["iat"] == int(START)
        assert answer.expiration == datetime.datetime.fromtimestamp(claims["exp"], datetime.UTC)
        assert claims["exp"] - claims["iat"] == 300
        assert jwt.get_unverified_header(answer.web_identity_token.reveal())["alg"] == algorithm
    assert role.endswith(":role/a/b/deploy")


@pytest.mark.facts("STS-GWT-004", "STS-E-014", "STS-CALL-T19", "STS-CALL-001")
@pytest.mark.parametrize("policy", [None, json.dumps(ADMIN)])
def test_federated_users_get_none(enabled: World, policy: str | None) -> None:
    asked = sts.GetFederationTokenCommand(name="bob", policy=policy)
    bob = credentials_of(enabled.call(enabled.user("alice", ADMIN), asked).credentials)
    refused = enabled.refusal(bob, asking(), errors.AccessDenied)
    assert refused == "GetWebIdentityToken does not support federated user sessions"


@pytest.mark.facts("STS-CALL-T19")
def test_root_gets_one_with_its_key_and_none_with_a_session(enabled: World) -> None:
    claims = verified(enabled, enabled.call(enabled.root, asking()))
    assert claims["sub"] == f"arn:aws:iam::{ACCOUNT}:root"
    session = credentials_of(enabled.call(enabled.root, sts.GetSessionTokenCommand()).credentials)
    refused = enabled.refusal(session, asking(), errors.AccessDenied)
    assert refused == f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: {GET}"


@pytest.mark.facts("STS-GWT-001", "R43")
def test_nobody_gets_one_without_a_signature(enabled: World) -> None:
    enabled.refusal(None, asking(), errors.MissingAuthenticationToken)


# What it says


@pytest.mark.facts("STS-GWT-011", "STS-GWT-013", "STS-GWT-014", "IAM-OUT-004")
def test_a_session_says_what_it_is(enabled: World) -> None:
    world = enabled
    alice = world.user("alice", ADMIN)
    role = world.role("deploy", trusting(), ADMIN, tags=own_tags(Team="Red", Tier="1"))
    session = world.assume(alice, role, tags=tags(team="Blue"), source_identity="alice", duration_seconds=900)
    world.now += 60
    command = asking(audience=("api", "web"), duration_seconds=600, tags=tags(Purpose="deploy"))
    claims = verified(world, world.call(session, command), "web")
    issuer = switch.GetOutboundWebIdentityFederationInfoCommand()
    assert claims.pop("iss") == world.call(alice, issuer).issuer_identifier
    assert len(claims.pop("jti")) == 36
    assert claims == {
        "sub": role,
        "aud": ["api", "web"],
        "iat": int(START) + 60,
        "exp": int(START) + 660,
        STS: {
            "aws_account": ACCOUNT,
            "source_region": "us-east-1",
            "principal_id": role,
            "principal_tags": {"Tier": "1", "team": "Blue"},
            "request_tags": {"Purpose": "deploy"},
            "original_session_exp": "2026-01-02T03:19:05Z",
            "source_identity": "alice",
        },
    }


@pytest.mark.facts("STS-GWT-014")
def test_a_user_says_its_tags(enabled: World) -> None:
    alice = enabled.user("alice", ADMIN)
    enabled.call(enabled.root, users.TagUserCommand(user_name="alice", tags=own_tags(Team="Red")))
    assert verified(enabled, enabled.call(alice, asking()))[STS]["principal_tags"] == {"Team": "Red"}


@pytest.mark.facts("STS-GWT-014", "IAM-OUT-004")
def test_a_session_of_a_federated_bearer_says_who_vouched(enabled: World) -> None:
    world = enabled
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example"
    world.role("deploy", trusting(), ADMIN)
    with world.pipeline.facts.reading() as view:
        directory = Directory(view, world.vault, "aws")
        role = directory.role(Arn.parse(f"arn:aws:iam::{ACCOUNT}:role/deploy"))
        ring = directory.ring()
    assert role is not None
    session = Session(
        SessionKind.ROLE,
        "ASIARTX3GSDS5ZRPAEHR",
        Secret("s" * 40),
        ACCOUNT,
        role.id,
        "s1",
        int(START),
        int(START) + 900,
        federation=Federation(FederationKind.WEB_IDENTITY, provider, (("idp.example:sub", "bob"),)),
    )
    token = ring.seal_session(session, bytes(12))
    bearer = Credentials(session.access_key_id, session.secret, Secret(token))
    assert verified(world, world.call(bearer, asking()))[STS]["federated_provider"] == provider


def test_every_token_has_an_id_of_its_own(enabled: World) -> None:
    found = {verified(enabled, enabled.call(enabled.root, asking()))["jti"] for _ in range(5)}
    assert len(found) == 5


@pytest.mark.facts("STS-GWT-011")
def test_each_account_is_an_issuer_of_its_own(enabled: World) -> None:
    world = enabled
    other = world.account(OTHER)
    world.call(other, ENABLE)
    info = switch.GetOutboundWebIdentityFederationInfoCommand()
    ours, theirs = (world.call(who, info).issuer_identifier for who in (world.root, other))
    assert ours != theirs
    token = world.call(other, asking()).web_identity_token.reveal()
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iss"], claims[STS]["aws_account"]) == (theirs, OTHER)
    assert jwt.get_unverified_header(token)["kid"] not in keys(world)


# Permissions


@pytest.mark.facts("STS-GWT-003", "STS-CTX-T58", "POL-AC-016", "POL-EV-076", "STS-E-T32")
@pytest.mark.parametrize(("resource", "allowed"), [("*", True), (SELF, True), (f"arn:aws:sts::{OTHER}:self", False)])
def test_it_needs_leave_for_the_callers_own_account(enabled: World, resource: str, allowed: bool) -> None:
    alice = enabled.user("alice", document(Effect="Allow", Action=GET, Resource=resource))
    if allowed:
        enabled.call(alice, asking())
        return
    refused = enabled.refusal(alice, asking(), errors.AccessDenied)
    assert refused == not_authorized(ALICE, GET, SELF) + f" because no identity-based policy allows the {GET} action"


@pytest.mark.facts("STS-E-006", "STS-GWT-003", "STS-CTX-T61", "POL-AC-017", "POL-EV-076")
def test_tags_need_leave_of_their_own(enabled: World) -> None:
    alice = enabled.user("alice", document(Effect="Allow", Action=GET, Resource="*"))
    refused = enabled.refusal(alice, asking(tags=tags(Team="Blue")), errors.AccessDenied)
    assert refused == not_authorized(ALICE, TAG, SELF) + f" because no identity-based policy allows the {TAG} action"
    bob = enabled.user("bob", document(Effect="Allow", Action=[GET, TAG], Resource="*"))
    assert verified(enabled, enabled.call(bob, asking(tags=tags(Team="Blue"))))[STS]["request_tags"] == {"Team": "Blue"}
    for who in (alice, bob):
        enabled.call(who, asking(tags=()))


@pytest.mark.facts("STS-E-007", "STS-E-T33")
def test_a_session_policy_can_deny_it(enabled: World) -> None:
    alice = enabled.user("alice", ADMIN)
    policy = json.dumps(document(*ADMIN["Statement"], {"Effect": "Deny", "Action": GET, "Resource": "*"}))
    session = enabled.assume(alice, enabled.role("r", trusting(), ADMIN), policy=policy)
    refused = enabled.refusal(session, asking(), errors.AccessDenied)
    caller = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s1"
    assert refused == not_authorized(caller, GET, SELF) + " with an explicit deny in a session policy"


CONDITIONS: Final = [
    ({"ForAllValues:StringEquals": {"sts:IdentityTokenAudience": ["api", "web"]}}, {}, True),
    ({"ForAllValues:StringEquals": {"sts:IdentityTokenAudience": ["api"]}}, {"audience": ("api", "web")}, False),
    ({"ForAnyValue:StringEquals": {"sts:IdentityTokenAudience": ["web"]}}, {"audience": ("api", "web")}, True),
    ({"ForAnyValue:StringEquals": {"sts:IdentityTokenAudience": ["web"]}}, {}, False),
    ({"StringEquals": {"sts:SigningAlgorithm": "ES384"}}, {}, True),
    ({"StringEquals": {"sts:SigningAlgorithm": "ES384"}}, {"signing_algorithm": "RS256"}, False),
    ({"NumericLessThanEquals": {"sts:DurationSeconds": "300"}}, {}, True),
    ({"NumericLessThan": {"sts:DurationSeconds": "300"}}, {}, False),
    ({"NumericLessThanEquals": {"sts:DurationSeconds": "600"}}, {"duration_seconds": 601}, False),
    ({"NumericLessThanEquals": {"sts:DurationSeconds": "600"}}, {"duration_seconds": 600}, True),
    ({"StringEquals": {"aws:RequestTag/team": "Blue"}}, {"tags": tags(Team="Blue")}, True),
    ({"StringEquals": {"aws:RequestTag/team": "Red"}}, {"tags": tags(Team="Blue")}, False),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}, {"tags": tags(Team="Blue")}, True),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}, {"tags": tags(Ticket="1")}, False),
]


@pytest.mark.facts("STS-CTX-T45", "STS-GWT-003", "POL-CK-024", "POL-AC-016", "STS-CTX-T58", "STS-CTX-T61")
@pytest.mark.parametrize(("condition", "asked", "allowed"), CONDITIONS)
def test_conditions_see_what_is_asked_for(
    enabled: World, condition: dict[str, Any], asked: dict[str, Any], allowed: bool
) -> None:
    policy = document(Effect="Allow", Action=[GET, TAG], Resource="*", Condition=condition)
    alice = enabled.user("alice", policy)
    if allowed:
        enabled.call(alice, asking(**asked))
    else:
        enabled.refusal(alice, asking(**asked), errors.AccessDenied)


# Refusals


@pytest.mark.facts("STS-GWT-002", "STS-E-T57", "STS-E-T09", "IAM-OUT-003")
@pytest.mark.parametrize("ever", [False, True])
def test_an_account_that_issues_none_says_so(world: World, ever: bool) -> None:
    if ever:
        world.call(world.root, ENABLE)
        world.call(world.root, asking())
        world.call(world.root, switch.DisableOutboundWebIdentityFederationCommand())
    refused = world.refusal(world.root, asking(), errors.OutboundWebIdentityFederationDisabledException)
    assert refused == "OutboundWebIdentityFederation is disabled."


@pytest.mark.facts("STS-GWT-010", "STS-GWT-005", "STS-GWT-009", "STS-GWT-007", "STS-E-T44", "STS-E-T12")
def test_the_first_of_several_mistakes_is_the_one_that_is_told(world: World) -> None:
    """Everything is wrong at first; each line mends what the line before was refused for."""
    alice = world.user("alice", ADMIN)
    session = world.assume(alice, world.role("r", trusting()), duration_seconds=900)
    asked: dict[str, Any] = {
        "duration_seconds": 3_601,
        "signing_algorithm": "HS256",
        "tags": (*tags(Team="a"), *tags(team="b")),
    }
    assert "constraint" in world.refusal(session, asking(**asked), errors.ValidationError)
    asked["duration_seconds"] = 3_600
    assert world.refusal(session, asking(**asked), errors.ValidationError).startswith("Requested SigningAlgorithm")
    asked["signing_algorithm"] = "RS256"
    assert world.refusal(session, asking(**asked), errors.InvalidParameterValue).startswith("Duplicate tag keys found.")
    asked["tags"] = tags(Team="a")
    assert GET in world.refusal(session, asking(**asked), errors.AccessDenied)
    session = world.assume(alice, world.role("s", trusting(), ADMIN), duration_seconds=900)
    world.refusal(session, asking(**asked), errors.SessionDurationEscalationException)
    asked["duration_seconds"] = 900
    world.refusal(session, asking(**asked), errors.OutboundWebIdentityFederationDisabledException)
    world.call(world.root, ENABLE)
    world.call(session, asking(**asked))


@pytest.mark.facts("STS-GWT-008", "STS-E-T07")
def test_claims_beyond_their_size_are_refused(enabled: World) -> None:
    audience = tuple(str(number) * 1_000 for number in range(10))
    many = tuple(sts.Tag(key=f"{number:0128d}", value="v" * 256) for number in range(13))
    enabled.call(enabled.root, asking(audience=audience))
    refused = enabled.refusal(
        enabled.root, asking(audience=audience, tags=many), errors.JWTPayloadSizeExceededException
    )
    assert refused == "JWT payload exceeds maximum allowed size"
    enabled.call(enabled.root, asking(tags=many))


@pytest.mark.facts("STS-GWT-006")
def test_ten_audiences_of_any_text_pass_the_wire(enabled: World) -> None:
    audience = (" ", "Ä", "a b", "a&b=c", "\U0001f600", "api", "api", "x" * 1_000, "\t", "urn:a")
    claims = verified(enabled, enabled.call(enabled.root, asking(audience=audience)))
    assert claims["aud"] == list(audience)
    for wrong in ((), ("",), ("x" * 1_001,), ("a",) * 11):
        enabled.refusal(enabled.root, asking(audience=wrong), errors.ValidationError)


# Keys over time


def test_the_keys_are_facts_and_no_token_needs_them_from_the_store(
    enabled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    enabled.call(enabled.root, asking())

    def unread(*_: object) -> None:
        raise AssertionError("the issuer was read again")

    monkeypatch.setattr(Directory, "_load_issuer", unread)
    enabled.call(enabled.root, asking())


# Records


@pytest.mark.facts("STS-GWT-016", "STS-CT-014", "STS-CT-T08", "STS-CT-004", "R38", "STS-CL-008")
def test_a_record_names_the_token_and_does_not_hold_it(enabled: World) -> None:
    command = asking(duration_seconds=600, tags=tags(Team="Blue"))
    answer = enabled.call(enabled.root, command)
    record = enabled.records()[-1]
    assert record["requestParameters"] == {
        "audience": ["api"],
        "signingAlgorithm": "ES384",
        "durationSeconds": 600,
        "tags": [{"key": "Team", "value": "Blue"}],
    }
    assert record["responseElements"] == {
        "webIdentityTokenId": verified(enabled, answer)["jti"],
        "expiration": "Jan 2, 2026, 3:14:05 AM",
    }
    assert record["readOnly"] is False
    log = enabled.audit_file.read_text()
    for part in answer.web_identity_token.reveal().split("."):
        assert part not in log
    assert "***" in repr(answer)


@pytest.mark.facts("STS-CT-014", "STS-CT-003")
def test_a_record_of_a_denial_has_no_parameters(enabled: World) -> None:
    enabled.refusal(enabled.user("alice"), asking(), errors.AccessDenied)
    record = enabled.records()[-1]
    assert (record["requestParameters"], record["responseElements"]) == (None, None)


def test_the_token_is_what_travels(enabled: World) -> None:
    response = enabled.send(enabled.request(asking(), enabled.root))
    token = enabled.read(response, asking()).web_identity_token.reveal()
    assert f"<WebIdentityToken>{token}</WebIdentityToken>".encode() in response.body
    header, body, _ = token.split(".")
    assert json.loads(base64.urlsafe_b64decode(body + "=="))["aud"] == "api"
    assert set(json.loads(base64.urlsafe_b64decode(header + "=="))) == {"alg", "kid", "typ"}
    assert len(base64.urlsafe_b64decode(body + "==")) <= outbound.MAXIMUM_PAYLOAD
