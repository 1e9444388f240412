"""Sessions that an identity provider opened: what stays in them, what records say, how they end and how they chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from locum import errors
from locum.api import sts
from locum.api.extensions import RevokeSessionsCommand
from locum.api.iam import roles, users
from locum.server import denials
from locum.wire.sigv4 import Credentials

from .bearers import CLIENT, PREFIX, PROVIDER, SOURCE_IDENTITY, SUBJECT, TAGS, FederatedWorld, Issuer, asking, trusting
from .conftest import ACCOUNT, OTHER, START, document

WHO: Final = sts.GetCallerIdentityCommand()
INFO: Final = sts.GetAccessKeyInfoCommand(access_key_id="AKIAQNZGKIQY56JQ7WML")
ANYTHING: Final = document(Effect="Allow", Action="*", Resource="*")
EXTRAS: Final = ("sts:TagSession", "sts:SetSourceIdentity")
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/deploy"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[FederatedWorld]:
    made = FederatedWorld(tmp_path, Issuer())
    made.provider()
    yield made
    made.audit.close()
    made.store.close()


def session(world: FederatedWorld, more: dict[str, Any] | None = None, **claims: Any) -> Credentials:
    """The credentials of a bearer's session."""
    issued = world.call(None, asking(ROLE, world.issuer.token(more, **claims))).credentials
    return Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)


def only_if(condition: dict[str, Any]) -> dict[str, Any]:
    return document(Effect="Allow", Action="*", Resource="*", Condition=condition)


# Condition keys of later requests


@pytest.mark.facts("STS-WI-036", "STS-CTX-007", "STS-CTX-T25", "STS-CTX-T47", "POL-CK-009", "POL-CK-026")
def test_the_provider_and_three_claims_stay_in_the_session(world: FederatedWorld) -> None:
    stays = {
        "StringEquals": {
            "aws:FederatedProvider": PROVIDER,
            f"{PREFIX}:sub": SUBJECT,
            f"{PREFIX}:aud": CLIENT,
        },
        "ForAnyValue:StringEquals": {f"{PREFIX}:amr": "mfa"},
        "Null": {f"{PREFIX}:email": "true", f"{PREFIX}:oaud": "true", "sts:RoleAuthorizedByIdp": "true"},
    }
    first = trusting(PROVIDER, StringEquals={f"{PREFIX}:email": "alice@example.com", f"{PREFIX}:oaud": CLIENT})
    world.role("deploy", first, only_if(stays))
    who = session(world, email="alice@example.com", amr=["pwd", "mfa"])
    world.call(who, INFO)
    next_role = world.role(
        "next", document(Effect="Allow", Principal={"AWS": ROLE}, Action="sts:AssumeRole", Condition=stays)
    )
    chained = world.assume(who, next_role)
    gone = only_if({"Null": {"aws:FederatedProvider": "true", f"{PREFIX}:sub": "true"}})
    world.call(
        world.root,
        roles.PutRolePolicyCommand(role_name="next", policy_name="p", policy_document=json.dumps(gone)),
    )
    world.call(chained, INFO)


@pytest.mark.facts("STS-CTX-007")
def test_sessions_of_others_have_no_provider(world: FederatedWorld) -> None:
    world.role("deploy", {"AWS": ACCOUNT}, only_if({"Null": {"aws:FederatedProvider": "false"}}))
    plain = world.assume(world.user("alice", ANYTHING), ROLE)
    world.refusal(plain, INFO, errors.AccessDenied)


@pytest.mark.facts("R25", "STS-CTX-T25")
def test_nothing_in_a_request_stands_in_for_the_provider(world: FederatedWorld) -> None:
    world.role("deploy", trusting(), only_if({"StringEquals": {"aws:FederatedProvider": "www.amazon.com"}}))
    junk = (("host", "127.0.0.1:8380"), ("aws:federatedprovider", "www.amazon.com"))
    form = ("content-type", "application/x-www-form-urlencoded")
    with pytest.raises(errors.AccessDenied):
        world.call(session(world), INFO, headers=(*junk, form))


# Tags and source identity go on


@pytest.mark.facts("STS-TAG-001", "STS-SI-001", "STS-SI-004", "STS-TAG-006")
def test_transitive_tags_and_the_source_identity_go_along_the_chain(world: FederatedWorld) -> None:
    world.role("deploy", trusting(PROVIDER, *EXTRAS), ANYTHING)
    trust = document(Effect="Allow", Principal={"AWS": ACCOUNT}, Action=["sts:AssumeRole", *EXTRAS])
    wanted = {"StringEquals": {"aws:PrincipalTag/Team": "blue", "aws:SourceIdentity": "alice"}}
    wanted["Null"] = {"aws:PrincipalTag/Cost": "true"}
    world.role("next", trust, only_if(wanted))
    tags = {"principal_tags": {"Team": ["blue"], "Cost": ["7"]}, "transitive_tag_keys": ["team"]}
    who = session(world, {TAGS: tags, SOURCE_IDENTITY: "alice"})
    world.call(world.assume(who, f"arn:aws:iam::{ACCOUNT}:role/next"), INFO)


# How they end


@pytest.mark.facts("POL-SS-008")
def test_a_session_ends_with_its_role_and_not_with_its_provider(world: FederatedWorld) -> None:
    from locum.api.iam import oidc_providers

    world.role("deploy", trusting())
    who = session(world)
    world.call(world.root, oidc_providers.DeleteOpenIDConnectProviderCommand(open_id_connect_provider_arn=PROVIDER))
    world.call(who, WHO)
    world.call(world.root, roles.DeleteRoleCommand(role_name="deploy"))
    world.refusal(who, WHO, errors.InvalidClientTokenId)


@pytest.mark.parametrize("by", ["access_key_id", "role_arn", "source_identity"])
def test_a_session_can_be_revoked(world: FederatedWorld, by: str) -> None:
    world.role("deploy", trusting(PROVIDER, *EXTRAS), ANYTHING)
    trust = document(Effect="Allow", Principal={"AWS": ACCOUNT}, Action=["sts:AssumeRole", *EXTRAS])
    next_role = world.role("after", trust)
    who = session(world, {SOURCE_IDENTITY: "alice"})
    chained = world.assume(who, next_role)
    other = world.assume(world.user("bob", ANYTHING), next_role)
    world.now += 1
    named: dict[str, Any] = {"access_key_id": who.access_key_id, "role_arn": ROLE, "source_identity": "alice"}
    world.call(world.root, RevokeSessionsCommand(**{by: named[by]}))
    world.refusal(who, WHO, errors.ExpiredToken)
    world.refusal(chained, WHO, errors.ExpiredToken)
    world.call(other, WHO)
    world.now += 1
    world.call(session(world, {SOURCE_IDENTITY: "alice"}) if by != "role_arn" else other, WHO)


def test_the_role_was_last_used_when_its_session_was(world: FederatedWorld) -> None:
    world.role("deploy", trusting())
    who = session(world)
    world.now += 60
    world.call(who, WHO)
    used = world.call(world.root, roles.GetRoleCommand(role_name="deploy")).role.role_last_used
    assert used is not None
    assert used.last_used_date is not None
    assert used.last_used_date.timestamp() == START + 60


# Refusals explain themselves to the role's account


@pytest.mark.facts("STS-DAM-001", "STS-E-011")
def test_a_refusal_explains_itself_to_the_account_of_the_role(world: FederatedWorld) -> None:
    world.role("deploy", trusting(PROVIDER, StringEquals={f"{PREFIX}:sub": "somebody"}))
    response = world.send(world.request(asking(ROLE, world.issuer.token()), None))
    message = dict(response.headers)[denials.HEADER]
    told = world.call(world.root, sts.DecodeAuthorizationMessageCommand(encoded_message=message)).decoded_message
    document = json.loads(told)
    assert document["allowed"] is False
    assert document["context"]["action"] == "sts:AssumeRoleWithWebIdentity"
    assert document["context"]["resource"] == ROLE
    assert "somebody" in told
    assert SUBJECT in told
    stranger = world.account(OTHER)
    with pytest.raises(errors.InvalidAuthorizationMessageException):
        world.call(stranger, sts.DecodeAuthorizationMessageCommand(encoded_message=message))
    line = world.records()[-3]
    assert line["additionalEventData"]["authorization"]["effect"] == "ImplicitDeny"
    assert line["additionalEventData"]["authorization"]["layer"] == "role trust policy"


def test_a_role_that_is_not_there_is_explained_like_one_that_trusts_nobody(world: FederatedWorld) -> None:
    world.role("deploy", trusting(f"{PROVIDER}/else"))
    sizes = set()
    for name in ("deploy", "missing"):
        command = asking(f"arn:aws:iam::{ACCOUNT}:role/{name}", world.issuer.token())
        response = world.send(world.request(command, None))
        sizes.add((response.status, len(dict(response.headers)[denials.HEADER])))
    assert len(sizes) == 1


# Audit lines


@pytest.mark.facts("STS-CT-013", "STS-CT-021", "STS-CT-T03", "STS-CT-009", "STS-CT-010", "STS-CT-004", "R24")
def test_the_call_is_recorded_with_what_the_token_says(world: FederatedWorld) -> None:
    world.role("deploy", trusting(PROVIDER, *EXTRAS))
    tags = {"principal_tags": {"Team": ["blue"]}, "transitive_tag_keys": ["Team"]}
    token = world.issuer.token({TAGS: tags, SOURCE_IDENTITY: "alice"})
    answer = world.call(None, asking(ROLE, token, "build", duration_seconds=900))
    line = world.records()[-1]
    assert line["userIdentity"] == {
        "type": "WebIdentityUser",
        "principalId": f"{PROVIDER}:{CLIENT}:{SUBJECT}",
        "userName": SUBJECT,
        "identityProvider": PROVIDER,
    }
    assert line["recipientAccountId"] == ACCOUNT
    assert line["readOnly"] is True
    assert list(line["requestParameters"].items()) == [
        ("roleArn", ROLE),
        ("roleSessionName", "build"),
        ("durationSeconds", 900),
        ("principalTags", {"Team": "blue"}),
        ("transitiveTagKeys", ["Team"]),
        ("sourceIdentity", "alice"),
    ]
    shown = line["responseElements"]
    assert list(shown)[:6] == [
        *("provider", "subjectFromWebIdentityToken", "audience", "credentials", "assumedRoleUser", "sourceIdentity")
    ]
    assert shown["credentials"] == {
        "accessKeyId": answer.credentials.access_key_id,
        "expiration": "Jan 2, 2026, 3:19:05 AM",
    }
    assert line["resources"] == [{"ARN": ROLE, "accountId": ACCOUNT, "type": "AWS::IAM::Role"}]
    assert "errorCode" not in line


@pytest.mark.facts("R24", "STS-CT-003", "STS-CT-006")
def test_refusals_are_recorded_and_an_unproved_bearer_is_nobody(world: FederatedWorld) -> None:
    world.role("closed", trusting(f"{PROVIDER}/else"))
    closed = f"arn:aws:iam::{ACCOUNT}:role/closed"
    for token in (world.issuer.token(), world.issuer.token(by="stranger"), world.issuer.token(exp=1)):
        world.send(world.request(asking(closed, token), None))
    denied, forged, stale = world.records()[-3:]
    assert (denied["errorCode"], denied["recipientAccountId"]) == ("AccessDenied", ACCOUNT)
    assert denied["userIdentity"]["userName"] == SUBJECT
    assert denied["requestParameters"] is None
    for line, code in ((forged, "InvalidIdentityTokenException"), (stale, "ExpiredTokenException")):
        assert line["errorCode"] == code
        assert line["userIdentity"] == {"type": "Unknown"}
        assert line["recipientAccountId"] is None
        assert line["requestParameters"] == {"roleArn": closed, "roleSessionName": "s1"}
        assert line["responseElements"] is None


@pytest.mark.facts("STS-CT-016")
def test_later_calls_of_the_session_are_recorded_with_their_provider(world: FederatedWorld) -> None:
    world.role("deploy", trusting())
    world.call(session(world, amr=["pwd"]), WHO)
    context = world.records()[-1]["userIdentity"]["sessionContext"]
    assert list(context) == ["sessionIssuer", "webIdFederationData", "attributes"]
    assert context["webIdFederationData"] == {
        "federatedProvider": PROVIDER,
        "attributes": {f"{PREFIX}:sub": SUBJECT, f"{PREFIX}:aud": CLIENT},
    }


def test_the_chain_of_sessions_begins_with_the_bearer(
    world: FederatedWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    from locum.cli import main

    world.role("deploy", trusting(), ANYTHING)
    next_role = world.role("next", {"AWS": ACCOUNT})
    world.call(world.assume(session(world), next_role), WHO)
    session(world, sub="somebody else")
    world.send(world.request(asking(ROLE, world.issuer.token(by="stranger")), None))
    options = ("--audit-file", str(world.audit_file), "--action", "sts:GetCallerIdentity", "--chain")
    with pytest.raises(SystemExit) as ended:
        main(["audit", "search", *options])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert told.splitlines()[0] == f"{SUBJECT} of {PROVIDER}"
    assert "sts:AssumeRoleWithWebIdentity" in told.splitlines()[1]
    assert "sts:AssumeRole →" in told.splitlines()[2]
    assert "somebody else" not in told


# Charged to the role's account


@pytest.mark.facts("R24", "STS-Q-001")
def test_a_call_counts_against_the_roles_account_once_it_is_proved(world: FederatedWorld) -> None:
    from locum.server.throttle import Throttle

    world.role("deploy", trusting())
    world.pipeline._throttle = Throttle(control=2)  # type: ignore[misc]
    forged = asking(ROLE, world.issuer.token(by="stranger"))
    for _ in range(5):
        world.refusal(None, forged, errors.InvalidIdentityTokenException)
    for _ in range(2):
        session(world)
    world.refusal(None, asking(ROLE, world.issuer.token()), errors.Throttling)
    assert world.records()[-1]["recipientAccountId"] == ACCOUNT
    other = world.account(OTHER)
    world.call(other, users.ListUsersCommand())


def test_a_fetch_in_between_is_not_charged_twice(world: FederatedWorld) -> None:
    from locum.server.throttle import Throttle

    world.role("deploy", trusting(f"{PROVIDER}/else"))
    world.pipeline._throttle = Throttle(control=1)  # type: ignore[misc]
    world.refusal(None, asking(ROLE, world.issuer.token()), errors.AccessDenied)
    world.now += 1
    world.refusal(None, asking(ROLE, world.issuer.token()), errors.AccessDenied)
