"""AssumeRoleWithWebIdentity: who gets a session of what role, by which token, in which order things are checked."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import jwt
import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import oidc_providers
from locum.http import Request
from locum.secret import Secret
from locum.server.federation_settings import FederationSettings, OidcTable
from locum.wire.query import encode_command, encode_form
from locum.wire.sigv4 import Credentials

from .bearers import (
    CLIENT,
    PREFIX,
    PROVIDER,
    ROLES,
    SERVER_URL,
    SOURCE_IDENTITY,
    SUBJECT,
    TAGS,
    URL,
    FederatedWorld,
    Issuer,
    asking,
    private_key,
    trusting,
)
from .conftest import ACCOUNT, HOST, OTHER, START, document

DENIED: Final = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
NO_KEY: Final = (
    "Couldn't retrieve verification key from your identity provider,  "
    "please reference AssumeRoleWithWebIdentity documentation for requirements"
)
WHO: Final = sts.GetCallerIdentityCommand()
ANYTHING: Final = document(Effect="Allow", Action="*", Resource="*")


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def world(tmp_path: Path, issuer: Issuer) -> Iterator[FederatedWorld]:
    made = FederatedWorld(tmp_path, issuer)
    yield made
    made.audit.close()
    made.store.close()


@pytest.fixture
def role(world: FederatedWorld) -> str:
    """A role that the provider's bearers may assume, tags and source identity included."""
    world.provider()
    return world.role("deploy", trusting(PROVIDER, "sts:TagSession", "sts:SetSourceIdentity"), ANYTHING)


def of(response: sts.AssumeRoleWithWebIdentityResponse) -> Credentials:
    issued = response.credentials
    return Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)


def why(world: FederatedWorld, command: sts.AssumeRoleWithWebIdentityCommand) -> tuple[str, str]:
    """Code and message of a refusal."""
    with pytest.raises(errors.ServiceException) as raised:
        world.call(None, command)
    return raised.value.code, raised.value.message


# The call and its answer


@pytest.mark.facts(
    "STS-WI-001",
    "STS-WI-004",
    "STS-WI-045",
    "STS-WI-046",
    "STS-WI-047",
    "STS-CALL-T11",
    "STS-CALL-T22",
    "STS-GCI-T04",
    "R43",
)
def test_a_bearer_gets_a_session_of_the_role(world: FederatedWorld, role: str) -> None:
    answer = world.call(None, asking(role, world.issuer.token(), "build"))
    assert answer.provider == PROVIDER
    assert answer.audience == CLIENT
    assert answer.subject_from_web_identity_token == SUBJECT
    assert answer.packed_policy_size is None
    assert answer.source_identity is None
    assert answer.assumed_role_user.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/build"
    assert answer.credentials.expiration.timestamp() == START + 3600
    who = world.call(of(answer), WHO)
    assert (who.arn, who.account) == (answer.assumed_role_user.arn, ACCOUNT)
    assert who.user_id == answer.assumed_role_user.assumed_role_id
    assert world.issuer.asked == [URL]


@pytest.mark.facts("STS-WI-046")
def test_a_subject_may_be_shorter_than_it_is_declared(world: FederatedWorld, role: str) -> None:
    assert world.call(None, asking(role, world.issuer.token(sub="x"))).subject_from_web_identity_token == "x"


@pytest.mark.facts("STS-WI-046")
def test_the_authorized_party_is_the_audience_of_the_answer(world: FederatedWorld, role: str) -> None:
    token = world.issuer.token(aud=["a", "b"], azp=CLIENT)
    assert world.call(None, asking(role, token)).audience == CLIENT


@pytest.mark.facts("STS-WI-004")
@pytest.mark.parametrize(
    "role_arn",
    [f"arn:aws:iam::{OTHER}:role/deploy", f"arn:aws-cn:iam::{ACCOUNT}:role/deploy"],
    ids=["account", "partition"],
)
def test_the_provider_must_be_in_the_roles_account_and_partition(
    world: FederatedWorld, role: str, role_arn: str
) -> None:
    other = world.account(OTHER)
    world.role("deploy", trusting(), root=other)
    code, message = why(world, asking(role_arn, world.issuer.token()))
    assert (code, message) == ("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {URL}")
    assert world.issuer.asked == []


@pytest.mark.facts("R43")
def test_credentials_that_come_along_do_not_matter(world: FederatedWorld, role: str) -> None:
    """Neither good ones, nor bad ones: the bearer is whom the token speaks of."""
    alice = world.user("alice")
    forged = Credentials(alice.access_key_id, world.root.secret_access_key, Secret("token"))
    for signer in (alice, forged):
        answer = world.call(signer, asking(role, world.issuer.token()))
        assert world.call(of(answer), WHO).arn.endswith(":assumed-role/deploy/s1")
        line = world.records()[-2]
        assert line["userIdentity"]["type"] == "WebIdentityUser"


@pytest.mark.facts("STS-E-011", "STS-WI-030", "STS-E-017")
def test_whatever_is_not_allowed_has_one_text(world: FederatedWorld, role: str) -> None:
    token = world.issuer.token()
    untrusting = world.role("closed", trusting(f"arn:aws:iam::{ACCOUNT}:oidc-provider/other.example.com"))
    for role_arn in (untrusting, f"arn:aws:iam::{ACCOUNT}:role/missing"):
        assert why(world, asking(role_arn, token)) == ("AccessDenied", DENIED)


# Who is trusted


@pytest.mark.facts("STS-WI-029", "STS-WI-031", "STS-CTX-T10", "STS-CTX-T12", "STS-CTX-T13", "STS-CTX-T36")
def test_the_trust_policy_sees_the_provider(world: FederatedWorld) -> None:
    world.provider()
    wanted = {
        "StringEquals": {
            "aws:PrincipalAccount": ACCOUNT,
            "aws:PrincipalType": "User",
            "aws:userid": PROVIDER,
            "aws:ResourceAccount": ACCOUNT,
            "aws:ResourceTag/team": "blue",
            "sts:RoleSessionName": "build",
            f"{PREFIX}:sub": SUBJECT,
            f"{PREFIX}:aud": CLIENT,
        },
        "Null": {
            "aws:PrincipalArn": "true",
            "aws:username": "true",
            "aws:TokenIssueTime": "true",
            "aws:FederatedProvider": "true",
            "aws:SourceIdentity": "true",
            "sts:SourceIdentity": "true",
            "aws:MultiFactorAuthPresent": "true",
        },
        "IpAddress": {"aws:SourceIp": "198.51.100.7"},
        "DateEquals": {"aws:CurrentTime": "2026-01-02T03:04:05Z"},
        "Bool": {"aws:SecureTransport": "false", "sts:RoleAuthorizedByIdp": "false"},
    }
    from locum.api.iam.types import Tag

    role = world.role("deploy", trusting(PROVIDER, **wanted), tags=(Tag(key="Team", value="blue"),))
    world.call(None, asking(role, world.issuer.token(), "build"))
    assert why(world, asking(role, world.issuer.token(), "other")) == ("AccessDenied", DENIED)
    assert why(world, asking(role, world.issuer.token(sub="else"), "build")) == ("AccessDenied", DENIED)


@pytest.mark.facts("STS-WI-031")
def test_the_world_at_large_is_not_the_bearer(world: FederatedWorld) -> None:
    world.provider()
    trust = document(Effect="Allow", Principal={"AWS": "*"}, Action="sts:AssumeRoleWithWebIdentity")
    assert why(world, asking(world.role("open", trust), world.issuer.token())) == ("AccessDenied", DENIED)


@pytest.mark.facts("STS-WI-029")
def test_the_role_of_another_operation_is_not_open(world: FederatedWorld) -> None:
    world.provider()
    trust = document(Effect="Allow", Principal={"Federated": PROVIDER}, Action="sts:AssumeRole")
    role = world.role("saml", trust)
    assert why(world, asking(role, world.issuer.token())) == ("AccessDenied", DENIED)


@pytest.mark.facts("STS-WI-029", "R31")
def test_only_the_trust_policy_is_evaluated_and_its_denials_win(world: FederatedWorld) -> None:
    world.provider()
    nothing = document(Effect="Deny", Action="*", Resource="*")
    role = world.role("deploy", trusting(), nothing)
    world.call(None, asking(role, world.issuer.token()))
    closed = trusting()
    closed["Statement"].append(
        {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "sts:*",
            "Condition": {"StringLike": {f"{PREFIX}:sub": "repo:*"}},
        }
    )
    assert why(world, asking(world.role("closed", closed), world.issuer.token())) == ("AccessDenied", DENIED)


@pytest.mark.facts("STS-TAG-016", "STS-WI-029", "STS-SI-006")
@pytest.mark.parametrize("missing", ["sts:TagSession", "sts:SetSourceIdentity"])
def test_tags_and_a_source_identity_must_be_allowed(world: FederatedWorld, missing: str) -> None:
    world.provider()
    token = world.issuer.token({TAGS: {"principal_tags": {"Team": ["blue"]}}, SOURCE_IDENTITY: "alice"})
    actions = {"sts:TagSession", "sts:SetSourceIdentity"}
    closed = world.role("closed", trusting(PROVIDER, *(actions - {missing})))
    assert why(world, asking(closed, token)) == ("AccessDenied", DENIED)
    world.call(None, asking(world.role("open", trusting(PROVIDER, *actions)), token))


@pytest.mark.facts("STS-TAG-001", "STS-TAG-016", "STS-SI-001", "STS-SI-008", "STS-CTX-T43", "STS-CTX-T49")
def test_the_claims_shape_the_session(world: FederatedWorld) -> None:
    world.provider()
    wanted = {
        "StringEquals": {"aws:RequestTag/Team": "blue", "sts:SourceIdentity": "alice"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["Team", "Cost"], "sts:TransitiveTagKeys": ["Team"]},
        "Null": {"aws:TagKeys": "false", "sts:TransitiveTagKeys": "false"},
    }
    role = world.role(
        "deploy",
        {
            "Version": "2012-10-17",
            "Statement": [
                *trusting(PROVIDER, "sts:TagSession", "sts:SetSourceIdentity", **wanted)["Statement"],
            ],
        },
        document(
            Effect="Allow",
            Action="sts:GetAccessKeyInfo",
            Resource="*",
            Condition={
                "StringEquals": {
                    "aws:PrincipalTag/Team": "blue",
                    "aws:PrincipalTag/Cost": "7",
                    "aws:SourceIdentity": "alice",
                },
                "ForAnyValue:StringEquals": {"sts:TransitiveTagKeys": "Team"},
            },
        ),
    )
    token = world.issuer.token(
        {
            TAGS: {"principal_tags": {"Team": ["blue"], "Cost": ["7"]}, "transitive_tag_keys": ["Team"]},
            SOURCE_IDENTITY: "alice",
        }
    )
    answer = world.call(None, asking(role, token))
    assert answer.source_identity == "alice"
    assert answer.packed_policy_size is not None
    world.call(of(answer), sts.GetAccessKeyInfoCommand(access_key_id="AKIAQNZGKIQY56JQ7WML"))


@pytest.mark.facts("STS-WI-032", "STS-WI-033", "STS-WI-034", "STS-WI-048")
def test_a_claim_on_roles_comes_before_the_trust_policy(world: FederatedWorld, role: str) -> None:
    missing = f"arn:aws:iam::{ACCOUNT}:role/missing"
    elsewhere = world.issuer.token({ROLES: [role]})
    code, message = why(world, asking(missing, elsewhere))
    assert (code, message) == (
        "InvalidIdentityToken",
        "The target role ARN is not present in the roles claim of the identity token",
    )
    wanted = world.role("told", trusting(PROVIDER, Bool={"sts:RoleAuthorizedByIdp": "true"}))
    world.call(None, asking(wanted, world.issuer.token({ROLES: f"{role};{wanted}"})))
    assert why(world, asking(wanted, world.issuer.token())) == ("AccessDenied", DENIED)


# The order of checks


@pytest.mark.facts("STS-WI-048")
def test_the_order_is_constraints_proof_trust_and_then_the_session(world: FederatedWorld) -> None:
    world.provider()
    closed = world.role("closed", trusting(f"{PROVIDER}/else"))
    role = world.role("deploy", trusting(PROVIDER, "sts:TagSession"))
    doubled = {TAGS: {"principal_tags": {"a": ["1"], "A": ["2"]}}}
    bad = world.issuer.token(doubled, by="stranger")
    good = world.issuer.token(doubled)
    found = [
        why(world, asking(closed, bad, "s", duration_seconds=5))[0],
        why(world, asking("x" * 30, bad, duration_seconds=7200))[0],
        why(world, asking(closed, bad, duration_seconds=7200)),
        why(world, asking(closed, good, duration_seconds=7200)),
        why(world, asking(role, good, duration_seconds=7200))[0],
        why(world, asking(role, world.issuer.token(), duration_seconds=7200, policy="{"))[1],
        why(world, asking(role, world.issuer.token(), policy="{"))[0],
    ]
    assert found == [
        "ValidationError",
        "ValidationError",
        ("InvalidIdentityToken", NO_KEY),
        ("AccessDenied", DENIED),
        "InvalidParameterValue",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        "MalformedPolicyDocument",
    ]


@pytest.mark.facts("STS-WI-043", "STS-WI-044")
def test_a_session_may_outlive_the_token_but_not_the_roles_maximum(world: FederatedWorld) -> None:
    world.provider()
    role = world.role("deploy", trusting(), max_session_duration=7200)
    token = world.issuer.token(exp=int(START) + 60)
    answer = world.call(None, asking(role, token, duration_seconds=7200))
    assert answer.credentials.expiration.timestamp() == START + 7200
    assert world.call(None, asking(role, token)).credentials.expiration.timestamp() == START + 3600
    assert why(world, asking(role, token, duration_seconds=7201)) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )


@pytest.mark.facts("STS-WI-047", "STS-SP-003")
def test_session_policies_limit_and_are_packed(world: FederatedWorld, role: str) -> None:
    policy = json.dumps(document(Effect="Allow", Action="iam:GetUser", Resource="*"))
    answer = world.call(None, asking(role, world.issuer.token(), policy=policy))
    assert answer.packed_policy_size is not None
    world.refusal(of(answer), sts.GetAccessKeyInfoCommand(access_key_id="AKIAQNZGKIQY56JQ7WML"), errors.AccessDenied)


# Providers that are built in, and those of old


@pytest.mark.facts("STS-WI-005", "STS-WI-045")
def test_a_built_in_issuer_needs_no_provider(tmp_path: Path) -> None:
    google = Issuer("accounts.google.com")
    settings = FederationSettings(oidc=(OidcTable(provider="accounts.google.com", jwks=google.key_set().decode()),))
    world = FederatedWorld(tmp_path, google, settings)
    condition = {"StringEquals": {"accounts.google.com:aud": "app"}}
    role = world.role("deploy", trusting("accounts.google.com", **condition))
    for spelling in ("accounts.google.com", "https://accounts.google.com"):
        answer = world.call(None, asking(role, google.token(iss=spelling, aud="app")))
        assert answer.provider == "accounts.google.com"
    assert why(world, asking(role, google.token(aud="other"))) == ("AccessDenied", DENIED)
    assert google.asked == []


@pytest.mark.facts("STS-WI-002", "STS-WI-003", "STS-E-T04", "STS-E-T06")
@pytest.mark.parametrize(
    ("provider_id", "code", "status"),
    [
        ("www.amazon.com", "InvalidIdentityToken", 400),
        ("graph.facebook.com", "IDPRejectedClaim", 403),
        ("accounts.google.com", "AccessDenied", 403),
        ("idp.example.com", "AccessDenied", 403),
    ],
)
def test_a_provider_id_leads_nowhere(
    world: FederatedWorld, role: str, provider_id: str, code: str, status: int
) -> None:
    """Its two providers' tokens can be verified by nobody but them."""
    command = asking(role, world.issuer.token(), provider_id=provider_id)
    response = world.send(world.request(command, None))
    assert response.status == status
    assert why(world, command)[0] == code


@pytest.mark.facts("STS-WI-024")
def test_tokens_of_this_servers_own_issuers_are_refused_before_anything_is_fetched(world: FederatedWorld) -> None:
    own = f"{SERVER_URL}/issuer/abc"
    provider = world.provider(own.replace("http://", "https://"))
    role = world.role("deploy", trusting(provider))
    code, message = why(world, asking(role, world.issuer.token(iss=own)))
    assert (code, message) == ("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {own}")
    assert world.issuer.asked == []


@pytest.mark.facts("R25")
@pytest.mark.parametrize("host", ["aws", "iam", "sts", "saml", "AWS"])
def test_a_provider_that_is_called_like_a_namespace_of_keys_proves_nothing(world: FederatedWorld, host: str) -> None:
    """Its claims would be the condition keys of others."""
    with world.store.transaction() as rows:
        from locum.core.records import OidcProvider
        from locum.store.records import Records

        Records(rows).create(OidcProvider(account=ACCOUNT, url=host, created=0, client_ids=(CLIENT,)))
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"
    role = world.role("deploy", trusting(provider))
    token = world.issuer.token(iss=f"https://{host}")
    assert why(world, asking(role, token))[0] == "InvalidIdentityToken"


@pytest.mark.facts("R25")
@pytest.mark.parametrize(
    "key",
    [
        *("aws:PrincipalArn", "aws:PrincipalAccount", "aws:SourceIp", "aws:userid", "aws:SourceIdentity"),
        *("sts:RoleSessionName", "sts:SourceIdentity", "sts:ExternalId", "sts:RoleAuthorizedByIdp", f"{PREFIX}:sub"),
        *("aws:RequestTag/Team", "aws:ResourceAccount", "aws:FederatedProvider", "aws:CurrentTime", "saml:sub"),
    ],
)
def test_nothing_that_comes_along_becomes_a_context_key(world: FederatedWorld, key: str) -> None:
    """Neither a parameter, nor a header, nor a claim of the key's name."""
    world.provider()
    closed = world.role("closed", trusting(PROVIDER, **{"ForAnyValue:StringEquals": {key: "wanted"}}))
    claims = {key: "wanted", key.lower(): "wanted", key.partition("/")[2] or "x": "wanted"}
    form = encode_form([*encode_command(asking(closed, world.issuer.token(claims))), (key, "wanted")])
    headers = (("host", HOST), ("content-type", "application/x-www-form-urlencoded"), (key.lower(), "wanted"))
    request = Request("POST", "/", urlencode({key: "wanted"}), headers, form, "198.51.100.7")
    with pytest.raises(errors.AccessDenied):
        world.check(world.send(request))


# Keys, and what is wrong with a proof


@pytest.mark.facts("STS-E-T03", "STS-WI-020")
def test_an_issuer_that_cannot_be_reached_is_worth_a_retry(world: FederatedWorld, role: str) -> None:
    world.issuer.down = True
    with pytest.raises(errors.IDPCommunicationErrorException) as raised:
        world.call(None, asking(role, world.issuer.token()))
    assert (raised.value.status, raised.value.retryable) == (400, True)
    world.issuer.down = False
    world.now += 6
    world.call(None, asking(role, world.issuer.token()))


@pytest.mark.facts("R4")
def test_a_forged_token_is_refused_after_the_keys_were_fetched_anew(world: FederatedWorld, role: str) -> None:
    world.call(None, asking(role, world.issuer.token()))
    world.issuer.key_ids = ["second"]
    forged = world.issuer.token(by="stranger", header={"kid": "second"})
    assert why(world, asking(role, forged)) == ("InvalidIdentityToken", NO_KEY)
    world.call(None, asking(role, world.issuer.token(by="second")))
    assert why(world, asking(role, world.issuer.token())) == ("InvalidIdentityToken", NO_KEY)


def test_where_nothing_can_be_fetched_the_answer_says_to_try_again(world: FederatedWorld, role: str) -> None:
    request = world.request(asking(role, world.issuer.token()), None)
    answered = world.pipeline.answer(request, "id", world.now, wait=True, fetch=False)
    assert answered.outcome == "IDPCommunicationError"
    world.call(None, asking(role, world.issuer.token()))
    forged = world.request(asking(role, world.issuer.token(by="stranger", header={"kid": "first"})), None)
    assert world.pipeline.answer(forged, "id", world.now, wait=True, fetch=False).outcome == "InvalidIdentityToken"


@pytest.mark.facts("R10")
def test_proofs_that_are_not_good_are_counted_against_the_address(world: FederatedWorld, role: str) -> None:
    forged = asking(role, world.issuer.token(by="stranger", header={"kid": "first"}))
    for _ in range(60):
        assert why(world, forged)[0] == "InvalidIdentityToken"
    assert why(world, forged) == ("Throttling", "Rate exceeded")
    assert why(world, asking(role, world.issuer.token()))[0] == "Throttling"
    world.call(None, asking(role, world.issuer.token()), peer="198.51.100.8")
    world.now += 60
    world.call(None, asking(role, world.issuer.token()))


@pytest.mark.facts("R10", "STS-E-T54")
def test_a_token_out_of_time_is_no_guess(world: FederatedWorld, role: str) -> None:
    stale = asking(role, world.issuer.token(exp=int(START) - 400))
    for _ in range(61):
        assert why(world, stale)[0] == "ExpiredTokenException"
    world.call(None, asking(role, world.issuer.token()))


@pytest.mark.facts("R38", "R6")
def test_neither_logs_nor_answers_nor_audit_lines_hold_the_token(
    world: FederatedWorld, role: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    answers = b""
    for token in (world.issuer.token(), world.issuer.token(by="stranger"), world.issuer.token(sub=None), "ab.cd.ef"):
        answers += world.send(world.request(asking(role, token), None)).body
        whole = caplog.text + world.audit_file.read_text() + answers.decode()
        for part in token.split("."):
            assert len(part) < 10 or part not in whole
    assert any(getattr(each, "cause", "") for each in caplog.records)


def test_a_token_is_read_as_another_library_writes_it(world: FederatedWorld, role: str) -> None:
    """The same key and claims, put together by hand."""
    claims = {"iss": URL, "sub": SUBJECT, "aud": CLIENT, "iat": int(START), "exp": int(START) + 60}
    token = jwt.PyJWS().encode(
        json.dumps(claims).encode(), private_key("first"), algorithm="RS256", headers={"kid": "first"}
    )
    assert world.call(None, asking(role, token)).subject_from_web_identity_token == SUBJECT
    head, payload, signature = token.split(".")
    padded = base64.urlsafe_b64decode(payload + "==").replace(b"acme", b"evil")
    other = base64.urlsafe_b64encode(padded).rstrip(b"=").decode()
    assert why(world, asking(role, f"{head}.{other}.{signature}")) == ("InvalidIdentityToken", NO_KEY)


@pytest.mark.facts("IAM-OID-009")
def test_a_provider_that_is_deleted_proves_nothing_from_the_next_request_on(world: FederatedWorld, role: str) -> None:
    world.call(None, asking(role, world.issuer.token()))
    command = oidc_providers.DeleteOpenIDConnectProviderCommand(open_id_connect_provider_arn=PROVIDER)
    world.call(world.root, command)
    assert why(world, asking(role, world.issuer.token()))[0] == "InvalidIdentityToken"
    world.provider(URL, "another")
    assert why(world, asking(role, world.issuer.token())) == ("InvalidIdentityToken", "Incorrect token audience")


@pytest.mark.facts("STS-E-T55")
def test_the_answer_to_junk_is_a_declared_error(world: FederatedWorld, role: str) -> None:
    for junk in ("xxxx", "a.b.c", "....", "e30.e30.e30", "é" * 10, "x" * 20_000):
        assert why(world, asking(role, junk))[0] == "InvalidIdentityToken"
