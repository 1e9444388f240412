"""AssumeRoleWithSAML: who gets a session of what role, by which assertion, and what stays of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.core import saml_idp as idp

from locum import errors
from locum.api import sts
from locum.api.extensions import RevokeSessionsCommand
from locum.api.iam import saml_providers
from locum.api.iam.types import Tag
from locum.core.records import SpentAssertion
from locum.secret import Secret
from locum.server.federation import forget_spent
from locum.server.federation_settings import FederationSettings, SamlTable
from locum.server.providers import Providers
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from .bearers import SERVER_URL
from .conftest import ACCOUNT, OTHER, REQUEST_ID, START, World, document
from .edge import Edge

DENIED: Final = "Not authorized to perform sts:AssumeRoleWithSAML"
WHO: Final = sts.GetCallerIdentityCommand()
INFO: Final = sts.GetAccessKeyInfoCommand(access_key_id="AKIAQNZGKIQY56JQ7WML")
ANYTHING: Final = document(Effect="Allow", Action="*", Resource="*")
EXTRAS: Final = ("sts:TagSession", "sts:SetSourceIdentity")
SUBJECT: Final = "alice-4711"
NAME: Final = "alice@example.com"
QUALIFIER: Final = "saml:namequalifier"


def a_world(folder: Path, *tables: SamlTable) -> World:
    """A server that knows the identity provider."""
    world = World(folder, Providers(FederationSettings(saml=tables), url=SERVER_URL))
    made = saml_providers.CreateSAMLProviderCommand(name="Company", saml_metadata_document=idp.metadata())
    assert world.call(world.root, made).saml_provider_arn == idp.PROVIDER
    return world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = a_world(tmp_path)
    yield made
    made.audit.close()
    made.store.close()


def trusting(*more: str, **condition: Any) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Federated": idp.PROVIDER},
        "Action": ["sts:AssumeRoleWithSAML", *more],
    }
    if condition:
        statement["Condition"] = condition
    return document(statement)


def attributes(*more: str) -> tuple[str, str]:
    """The change that adds attributes to a response."""
    return idp.SESSION_NAME_ATTRIBUTE, idp.SESSION_NAME_ATTRIBUTE + "".join(more)


def own(name: str, *values: str) -> str:
    return idp.attribute(f"{idp.ATTRIBUTES}{name}", *values)


def asking(*changes: tuple[str, str], role: str = idp.ROLE, **more: Any) -> sts.AssumeRoleWithSAMLCommand:
    """The call with a response of the provider, after the changes."""
    response = idp.respond(*changes, **{key: more.pop(key) for key in ("form", "encryption") if key in more})
    given = {"principal_arn": idp.PROVIDER, "saml_assertion": Secret(idp.encoded(response)), **more}
    return sts.AssumeRoleWithSAMLCommand(role_arn=role, **given)


def of(response: sts.AssumeRoleWithSAMLResponse) -> Credentials:
    issued = response.credentials
    return Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)


def why(world: World, command: sts.AssumeRoleWithSAMLCommand) -> tuple[str, str]:
    """Code and message of a refusal."""
    with pytest.raises(errors.ServiceException) as raised:
        world.call(None, command)
    return raised.value.code, raised.value.message


# The call and its answer


@pytest.mark.facts(
    *("STS-SAML-001", "STS-SAML-002", "STS-SAML-029", "STS-SAML-030", "STS-SAML-031", "STS-SAML-032"),
    *("STS-CALL-T10", "STS-CALL-T21", "STS-GCI-T04", "R43"),
)
def test_a_subject_gets_a_session_of_the_role(world: World) -> None:
    world.role("engineer", trusting())
    answer = world.call(None, asking())
    assert answer.assumed_role_user.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/engineer/{NAME}"
    assert (answer.subject, answer.subject_type) == (SUBJECT, "persistent")
    assert (answer.issuer, answer.audience) == (idp.ENTITY, idp.RECIPIENT)
    assert answer.packed_policy_size is None
    assert answer.source_identity is None
    assert answer.credentials.expiration.timestamp() == START + 3600
    assert world.call(of(answer), WHO).arn == answer.assumed_role_user.arn


@pytest.mark.facts("STS-SAML-012", "R36")
def test_an_assertion_may_be_for_the_address_of_its_provider_and_of_no_other(world: World) -> None:
    world.role("engineer", trusting())
    found = world.call(world.root, saml_providers.GetSAMLProviderCommand(saml_provider_arn=idp.PROVIDER))
    usual = f'Recipient="{idp.RECIPIENT}"'
    own_address = f"{idp.RECIPIENT}/acs/{found.saml_provider_uuid}"
    assert world.call(None, asking((usual, f'Recipient="{own_address}"'))).audience == own_address
    refused = ("InvalidIdentityToken", "Response does not contain the required audience.")
    assert why(world, asking((usual, f'Recipient="{own_address}X"'))) == refused


@pytest.mark.facts("STS-SAML-031")
def test_the_name_qualifier_is_of_issuer_account_and_provider(world: World) -> None:
    import base64
    import hashlib

    world.role("engineer", trusting())
    digest = hashlib.sha1(f"{idp.ENTITY}{ACCOUNT}/Company".encode(), usedforsecurity=False).digest()
    assert world.call(None, asking()).name_qualifier == base64.b64encode(digest).decode()


@pytest.mark.facts("STS-SAML-003", "STS-SAML-T14")
def test_the_provider_must_be_there_in_the_roles_account(world: World) -> None:
    other = world.account(OTHER)
    world.role("engineer", trusting(), root=other)
    world.role("engineer", trusting())
    suffix = (
        "(Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: AuthSamlManifestNotFoundException; "
        f"Request ID: {REQUEST_ID}; Proxy: null)"
    )
    expected = ("InvalidIdentityToken", f"Specified provider doesn't exist {suffix}")
    assert why(world, asking(role=f"arn:aws:iam::{OTHER}:role/engineer")) == expected
    missing = f"arn:aws:iam::{ACCOUNT}:saml-provider/Another"
    assert why(world, asking(principal_arn=missing)) == expected


@pytest.mark.facts("STS-SAML-028", "STS-SAML-T19", "STS-E-011", "STS-E-017")
def test_whatever_is_not_allowed_has_one_text(world: World) -> None:
    assert why(world, asking()) == ("AccessDenied", DENIED)
    world.role("engineer", trusting(StringEquals={"saml:sub": "somebody"}))
    assert why(world, asking()) == ("AccessDenied", DENIED)


@pytest.mark.facts("STS-SAML-028", "STS-TAG-016", "STS-SAML-024")
@pytest.mark.parametrize("missing", EXTRAS)
def test_tags_and_a_source_identity_must_be_allowed(world: World, missing: str) -> None:
    world.role("engineer", trusting(*(each for each in EXTRAS if each != missing)))
    change = attributes(own("PrincipalTag:Team", "blue"), own("SourceIdentity", "alice"))
    assert why(world, asking(change)) == ("AccessDenied", DENIED)


@pytest.mark.facts("STS-SAML-024", "STS-SAML-026", "STS-CTX-T48", "STS-CTX-T36", "STS-CTX-T11", "POL-CK-025")
def test_the_trust_policy_sees_the_provider_and_the_assertion(world: World) -> None:
    wanted = {
        "StringEquals": {
            "aws:PrincipalAccount": ACCOUNT,
            "aws:PrincipalType": "User",
            "aws:userid": idp.PROVIDER,
            "aws:ResourceTag/team": "blue",
            "sts:RoleSessionName": NAME,
            "sts:SourceIdentity": "alice",
            "aws:RequestTag/Team": "red",
            "saml:aud": idp.RECIPIENT,
            "saml:iss": idp.ENTITY,
            "saml:doc": f"{ACCOUNT}/Company",
            "saml:sub": SUBJECT,
            "saml:sub_type": "persistent",
            "saml:edupersonprincipalname": NAME,
        },
        "ForAllValues:StringEquals": {"aws:TagKeys": ["Team"], "sts:TransitiveTagKeys": ["Team"]},
        "ForAnyValue:StringEquals": {"saml:cn": ["Alice"]},
        "Null": {
            "aws:PrincipalArn": "true",
            "aws:FederatedProvider": "true",
            "aws:SourceIdentity": "true",
            "aws:TagKeys": "false",
            "sts:TransitiveTagKeys": "false",
            "sts:RoleAuthorizedByIdp": "true",
        },
    }
    world.role("engineer", trusting(*EXTRAS, **wanted), tags=(Tag(key="Team", value="blue"),))
    change = attributes(
        own("PrincipalTag:Team", "red"),
        own("TransitiveTagKeys", "Team"),
        own("SourceIdentity", "alice"),
        idp.attribute("urn:oid:2.5.4.3", "Alice"),
        idp.attribute("urn:oid:1.3.6.1.4.1.5923.1.1.1.6", NAME),
    )
    answer = world.call(None, asking(change))
    assert answer.source_identity == "alice"
    assert answer.packed_policy_size is not None
    assert why(world, asking(change, (SUBJECT, "bob"))) == ("AccessDenied", DENIED)


@pytest.mark.facts("STS-TAG-017", "STS-CTX-T62", "STS-TAG-016")
def test_passing_tags_has_its_own_statement_and_keys(world: World) -> None:
    wanted = {
        "StringEquals": {
            "aws:RequestTag/Team": "red",
            "aws:ResourceTag/Floor": "3",
            "iam:ResourceTag/Floor": "3",
            "saml:aud": idp.RECIPIENT,
        },
        "ForAnyValue:StringEquals": {"aws:TagKeys": "Team", "sts:TransitiveTagKeys": "Team"},
        "Null": {"aws:PrincipalTag/Team": "true"},
    }
    trust = trusting()
    trust["Statement"].append(
        {
            "Effect": "Allow",
            "Principal": {"Federated": idp.PROVIDER},
            "Action": "sts:TagSession",
            "Condition": wanted,
        }
    )
    world.role("engineer", trust, tags=(Tag(key="floor", value="3"),))
    keys = own("TransitiveTagKeys", "Team")
    world.call(None, asking(attributes(own("PrincipalTag:Team", "red"), keys)))
    assert why(world, asking(attributes(own("PrincipalTag:Team", "blue"), keys))) == ("AccessDenied", DENIED)


@pytest.mark.facts("STS-SAML-025")
def test_the_world_at_large_is_not_the_bearer(world: World) -> None:
    world.role("engineer", document(Effect="Allow", Principal={"AWS": "*"}, Action="sts:AssumeRoleWithSAML"))
    assert why(world, asking()) == ("AccessDenied", DENIED)


@pytest.mark.facts("STS-SAML-004")
def test_roles_of_the_console_are_not_for_ones_own_providers(world: World) -> None:
    role = world.role("AWSReservedSSO_admin", trusting())
    pair = (f"{idp.ROLE},{idp.PROVIDER}", f"{role},{idp.PROVIDER}")
    assert why(world, asking(pair, role=role)) == ("AccessDenied", DENIED)
    other = world.role("SSO_admin", trusting())
    world.call(None, asking((pair[0], f"{other},{idp.PROVIDER}"), role=other))


@pytest.mark.facts("STS-SAML-027")
def test_a_provider_made_anew_goes_on_matching(world: World) -> None:
    world.role("engineer", trusting())
    world.call(world.root, saml_providers.DeleteSAMLProviderCommand(saml_provider_arn=idp.PROVIDER))
    assert why(world, asking())[0] == "InvalidIdentityToken"
    made = saml_providers.CreateSAMLProviderCommand(name="Company", saml_metadata_document=idp.metadata())
    world.call(world.root, made)
    world.call(None, asking())


@pytest.mark.facts("STS-SAML-002")
def test_the_metadata_of_the_moment_counts(world: World) -> None:
    world.role("engineer", trusting())
    world.call(None, asking())
    update = saml_providers.UpdateSAMLProviderCommand(
        saml_provider_arn=idp.PROVIDER, saml_metadata_document=idp.metadata(idp.IDP_NEXT)
    )
    world.call(world.root, update)
    assert why(world, asking()) == ("InvalidIdentityToken", "Response signature invalid")
    world.call(None, asking(form=idp.Form(by=idp.IDP_NEXT)))


# How long


@pytest.mark.facts("STS-SAML-020", "STS-SAML-021", "STS-SAML-022")
@pytest.mark.parametrize(
    ("asked", "attribute", "until", "granted"),
    [
        (None, None, None, 3600),
        (None, "900", None, 900),
        (None, "7200", None, 3600),
        (7200, "3600", None, 3600),
        (7200, None, None, 7200),
        (7200, None, 600, 600),
        (900, "3600", 1800, 900),
    ],
)
def test_a_session_ends_at_the_earliest_of_three_moments(
    world: World, asked: int | None, attribute: str | None, until: int | None, granted: int
) -> None:
    world.role("engineer", trusting(), max_session_duration=7200)
    changes = []
    if attribute is not None:
        changes.append(attributes(own("SessionDuration", attribute)))
    if until is not None:
        changes.append(
            ("<saml:AuthnStatement ", f'<saml:AuthnStatement SessionNotOnOrAfter="{idp.at(START + until)}" ')
        )
    answer = world.call(None, asking(*changes, duration_seconds=asked))
    assert answer.credentials.expiration.timestamp() == START + granted
    world.call(of(answer), WHO)


@pytest.mark.facts("STS-SAML-023")
def test_the_parameter_must_not_exceed_the_roles_maximum(world: World) -> None:
    world.role("engineer", trusting())
    assert why(world, asking(attributes(own("SessionDuration", "900")), duration_seconds=3601)) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )


@pytest.mark.facts("STS-SAML-005", "STS-SAML-T18")
def test_an_assertion_is_redeemed_within_five_minutes(world: World) -> None:
    world.role("engineer", trusting())
    command = asking()
    world.now = START + 239
    world.call(None, command)
    world.now = START + 240
    assert why(world, command) == ("ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance")


# Several times, or once


@pytest.mark.facts("STS-SAML-006", "R36")
def test_an_assertion_may_open_several_sessions(world: World) -> None:
    world.role("engineer", trusting())
    command = asking()
    first, second = world.call(None, command), world.call(None, command)
    assert first.credentials.access_key_id != second.credentials.access_key_id


@pytest.mark.facts("R36")
def test_an_assertion_opens_one_session_where_the_setting_says_so(tmp_path: Path) -> None:
    world = a_world(tmp_path, SamlTable(provider="arn:aws:iam::*:saml-provider/Company", single_use=True))
    world.role("engineer", trusting())
    command = asking()
    assert why(world, asking(duration_seconds=7200))[0] == "ValidationError"
    world.call(None, command)
    code, message = why(world, command)
    assert code == "InvalidIdentityToken"
    assert "was used before" in message
    world.call(None, asking(("_assertion", "_another")))
    with world.store.snapshot() as rows:
        kept = [each.record for each in Records(rows).each(SpentAssertion, "")]
    assert len(kept) == 2
    assert {each.expires for each in kept} == {int(START) + 240}
    forget_spent(world.store, START + 239)
    assert why(world, command)[0] == "InvalidIdentityToken"
    forget_spent(world.store, START + 240)
    with world.store.snapshot() as rows:
        assert list(Records(rows).each(SpentAssertion, "")) == []


@pytest.mark.facts("R36")
def test_a_refused_call_does_not_use_an_assertion_up(tmp_path: Path) -> None:
    world = a_world(tmp_path, SamlTable(provider="*", single_use=True))
    command = asking()
    assert why(world, command) == ("AccessDenied", DENIED)
    world.role("engineer", trusting())
    world.call(None, command)


# Strict and lax, own names, encryption


@pytest.mark.facts("R36", "STS-SAML-012", "STS-SAML-014")
def test_recipient_and_audience_must_be_known_unless_a_setting_says_otherwise(tmp_path: Path) -> None:
    def meant_for(audience: str, recipient: str) -> tuple[tuple[str, str], ...]:
        data = idp.CONFIRMATION_DATA
        return ("urn:amazon:webservices", audience), (data, data.replace(idp.RECIPIENT, recipient))

    strange = meant_for("urn:else", "https://else.example.com")
    ours = meant_for(f"{SERVER_URL}/saml/metadata", f"{SERVER_URL}/saml/acs")
    tables: list[tuple[SamlTable, bool]] = [
        (SamlTable(provider="*other"), False),
        (SamlTable(provider="*", lax=True), True),
        (SamlTable(provider="*", audiences=("urn:else",), recipients=("https://else.example.com",)), True),
        (SamlTable(provider="*", audiences=("urn:else",)), False),
    ]
    for number, (table, passes) in enumerate(tables):
        folder = tmp_path / str(number)
        folder.mkdir()
        world = a_world(folder, table)
        world.role("engineer", trusting())
        if passes:
            world.call(None, asking(*strange))
        else:
            assert why(world, asking(*strange))[0] == "InvalidIdentityToken"
        answer = world.call(None, asking(*ours))
        assert answer.audience == f"{SERVER_URL}/saml/acs"


@pytest.mark.facts("STS-SAML-018")
def test_a_provider_with_a_key_takes_encrypted_assertions_and_may_want_them(world: World) -> None:
    world.role("engineer", trusting())
    encrypted = asking(encryption=idp.Encryption())
    assert why(world, encrypted)[0] == "InvalidIdentityToken"
    pem = idp.SERVICE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    update = saml_providers.UpdateSAMLProviderCommand
    world.call(world.root, update(saml_provider_arn=idp.PROVIDER, add_private_key=Secret(pem)))
    assert world.call(None, encrypted).subject == SUBJECT
    world.call(None, asking())
    world.call(world.root, update(saml_provider_arn=idp.PROVIDER, assertion_encryption_mode="Required"))
    world.call(None, encrypted)
    assert why(world, asking())[0] == "InvalidIdentityToken"


@pytest.mark.facts("STS-E-T04", "STS-SAML-T20")
def test_an_identity_provider_that_says_no_is_heard(world: World) -> None:
    world.role("engineer", trusting())
    with pytest.raises(errors.IDPRejectedClaimException) as raised:
        world.call(None, asking(("status:Success", "status:Responder")))
    assert raised.value.status == 403


@pytest.mark.facts("R35")
def test_a_response_that_was_changed_opens_nothing(world: World) -> None:
    world.role("engineer", trusting())
    forged = idp.respond().replace(SUBJECT, "root-0001")
    command = sts.AssumeRoleWithSAMLCommand(
        role_arn=idp.ROLE, principal_arn=idp.PROVIDER, saml_assertion=Secret(idp.encoded(forged))
    )
    assert why(world, command) == ("InvalidIdentityToken", "Response signature invalid")
    for _ in range(59):
        why(world, command)
    assert why(world, asking()) == ("Throttling", "Rate exceeded")


# Afterwards


@pytest.mark.facts("STS-CTX-007", "STS-CTX-T25", "STS-SAML-T24", "STS-SAML-T25", "POL-CK-025", "POL-CK-009")
def test_three_keys_and_the_provider_stay_in_the_session(world: World) -> None:
    stays = {
        "StringEquals": {"aws:FederatedProvider": idp.PROVIDER, "saml:sub": SUBJECT, "saml:sub_type": "persistent"},
        "Null": {QUALIFIER: "false", "saml:aud": "true", "saml:iss": "true", "saml:doc": "true", "saml:cn": "true"},
    }
    world.role("engineer", trusting(), document(Effect="Allow", Action="*", Resource="*", Condition=stays))
    who = of(world.call(None, asking(attributes(idp.attribute("urn:oid:2.5.4.3", "Alice")))))
    world.call(who, INFO)


@pytest.mark.facts("STS-SI-001", "STS-SI-003", "STS-SI-004", "STS-TAG-001")
def test_tags_and_the_source_identity_are_those_of_the_assertion(world: World) -> None:
    wanted = {"StringEquals": {"aws:PrincipalTag/Team": "red", "aws:SourceIdentity": "alice"}}
    world.role("engineer", trusting(*EXTRAS), document(Effect="Allow", Action="*", Resource="*", Condition=wanted))
    change = attributes(own("PrincipalTag:Team", "red"), own("SourceIdentity", "alice"))
    answer = world.call(None, asking(change))
    who = of(answer)
    world.call(who, INFO)
    world.now += 1
    world.call(world.root, RevokeSessionsCommand(source_identity="alice"))
    world.refusal(who, WHO, errors.ExpiredToken)
    bad = attributes(own("SourceIdentity", "aws:alice"))
    assert why(world, asking(bad)) == (
        "InvalidIdentityToken",
        'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"',
    )


@pytest.mark.facts("STS-CT-008", "STS-CT-012", "STS-CT-020", "STS-CT-T02", "STS-CT-009", "STS-CT-013")
def test_the_call_is_recorded_with_what_the_assertion_says(world: World) -> None:
    world.role("engineer", trusting(*EXTRAS))
    change = attributes(
        own("PrincipalTag:Team", "red"), own("TransitiveTagKeys", "Team"), own("SourceIdentity", "alice")
    )
    answer = world.call(None, asking(change, duration_seconds=900))
    line = world.records()[-1]
    qualifier = answer.name_qualifier
    assert line["userIdentity"] == {
        "type": "SAMLUser",
        "principalId": f"{qualifier}:{SUBJECT}",
        "userName": SUBJECT,
        "identityProvider": qualifier,
    }
    assert line["recipientAccountId"] == ACCOUNT
    assert list(line["requestParameters"].items()) == [
        ("sAMLAssertionID", "_assertion"),
        ("roleSessionName", NAME),
        ("roleArn", idp.ROLE),
        ("principalArn", idp.PROVIDER),
        ("durationSeconds", 900),
        ("principalTags", {"Team": "red"}),
        ("transitiveTagKeys", ["Team"]),
        ("sourceIdentity", "alice"),
    ]
    assert list(line["responseElements"])[:8] == [
        *("subject", "subjectType", "issuer", "nameQualifier", "audience"),
        *("credentials", "assumedRoleUser", "sourceIdentity"),
    ]
    assert line["resources"] == [
        {"ARN": idp.ROLE, "accountId": ACCOUNT, "type": "AWS::IAM::Role"},
        {"ARN": idp.PROVIDER, "accountId": ACCOUNT, "type": "AWS::IAM::SAMLProvider"},
    ]
    world.call(of(answer), WHO)
    assert "webIdFederationData" not in world.records()[-1]["userIdentity"]["sessionContext"]


@pytest.mark.facts("R38", "R24")
def test_no_line_holds_an_assertion(world: World) -> None:
    world.role("engineer", trusting())
    for command in (asking(), asking(form=idp.Form(by=idp.STRANGER))):
        world.send(world.request(command, None))
        assert command.saml_assertion.reveal()[:60] not in world.audit_file.read_text()
    line = world.records()[-1]
    assert line["userIdentity"] == {"type": "Unknown"}
    assert line["recipientAccountId"] is None
    assert line["errorCode"] == "InvalidIdentityTokenException"
    assert set(line["requestParameters"]) == {"roleArn", "principalArn"}


# Without the extra, and the side routes


def test_without_the_extra_the_answer_says_what_is_missing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.role("engineer", trusting())
    command = asking()
    for name in [name for name in sys.modules if name.startswith("locum.core.saml.")]:
        if name.rpartition(".")[2] not in ("shapes",):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lxml", None)
    code, message = why(world, command)
    assert code == "InvalidAction"
    assert "pip install 'locum[saml]'" in message


def test_the_server_tells_identity_providers_about_itself(tmp_path: Path) -> None:
    edge = Edge(tmp_path, public_url="https://sts.example.com")
    answer = edge.get("/saml/metadata")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/samlmetadata+xml")
    root = ElementTree.fromstring(answer.body)
    assert root.get("entityID") == "https://sts.example.com/saml/metadata"
    locations = [each.get("Location") for each in root.iter() if each.tag.endswith("AssertionConsumerService")]
    assert locations == ["https://sts.example.com/saml/acs"]


def test_a_browser_that_posts_an_assertion_is_told_where_it_belongs(tmp_path: Path) -> None:
    edge = Edge(tmp_path)
    for method in ("GET", "POST"):
        answer = edge.get("/saml/acs", method=method)
        assert answer.status == 200
        assert "AssumeRoleWithSAML" in answer.text
    assert edge.get("/saml/acs", method="PUT").status == 405
    assert edge.get("/saml/metadata", method="POST").status == 405


def test_the_session_policy_of_the_call_limits(world: World) -> None:
    world.role("engineer", trusting(), ANYTHING)
    policy = json.dumps(document(Effect="Allow", Action="iam:GetUser", Resource="*"))
    answer = world.call(None, asking(policy=policy))
    assert answer.packed_policy_size is not None
    world.refusal(of(answer), INFO, errors.AccessDenied)
