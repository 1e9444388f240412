"""DiagnoseWebIdentityToken and DiagnoseSAMLAssertion: what they tell, to whom, and that it is what STS would answer."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.core import saml_idp as idp

from locum import errors
from locum.api import extensions, sts
from locum.api.extensions import OK, DiagnoseSAMLAssertionCommand, DiagnoseWebIdentityTokenCommand, Diagnosis
from locum.api.iam import saml_providers
from locum.api.shapes import Command
from locum.core.records import SpentAssertion
from locum.policy.explanation import Explanation
from locum.secret import Secret
from locum.server.diagnosis import MAX_TEXT
from locum.server.federation_settings import FederationSettings, SamlTable
from locum.server.jwks import KeysNeeded
from locum.server.providers import Providers
from locum.store.facts import Miss
from locum.store.records import Records

from .bearers import (
    CLIENT,
    PREFIX,
    PROVIDER,
    ROLES,
    SERVER_URL,
    SOURCE_IDENTITY,
    TAGS,
    URL,
    FederatedWorld,
    Issuer,
    asking,
    trusting,
)
from .conftest import ACCOUNT, OTHER, REQUEST_ID, START, World, document

ANYTHING: Final = document(Effect="Allow", Action="*", Resource="*")
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/deploy"


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def world(tmp_path: Path, issuer: Issuer) -> Iterator[FederatedWorld]:
    made = FederatedWorld(tmp_path, issuer)
    made.provider()
    made.role("deploy", trusting(PROVIDER, "sts:TagSession", "sts:SetSourceIdentity"), ANYTHING)
    yield made
    made.audit.close()
    made.store.close()


def of(token: str, **more: Any) -> DiagnoseWebIdentityTokenCommand:
    return DiagnoseWebIdentityTokenCommand(web_identity_token=Secret(token), **more)


def names(found: Diagnosis) -> list[str]:
    return [each.name for each in found.checks]


def failed(found: Diagnosis) -> list[tuple[str, str | None, str | None]]:
    """The checks that did not pass, with both values."""
    return [(each.name, each.expected, each.found) for each in found.checks if not each.passed]


def answered(world: World, command: Command[Any]) -> tuple[str, str | None]:
    """What STS answers: code and text, or ``(OK, None)``."""
    try:
        world.call(None, command)
    except errors.ServiceException as error:
        return error.code, error.message
    return OK, None


# A token


def test_every_check_of_a_good_token_stands_in_its_order(world: FederatedWorld) -> None:
    found = world.call(world.root, of(world.issuer.token(), role_arn=ROLE))
    assert (found.outcome, found.message, found.explanation) == (OK, None, None)
    assert names(found) == [
        *("format", "provider", "algorithm", "issuer", "key", "signature", "expiry", "issued", "audience"),
        *("role", "trust policy", "session"),
    ]
    assert failed(found) == []
    assert found.checks[-1].found == "3600 seconds, as doctor"
    assert world.issuer.asked == [URL]


CASES: Final[dict[str, tuple[dict[str, Any], tuple[str, str | None, str | None]]]] = {
    "audience": ({"aud": "another"}, ("audience", CLIENT, "another")),
    "expiry": ({"exp": int(START) - 400}, ("expiry", f"after {int(START)}", str(int(START) - 400))),
    "issued": ({"iat": int(START) + 400}, ("issued", f"until {int(START)}", str(int(START) + 400))),
    "not before": ({"nbf": int(START) + 400}, ("not before", f"until {int(START)}", str(int(START) + 400))),
    "no subject": ({"sub": None}, ("sub", "a claim sub", None)),
    "provider": ({"iss": f"{URL}/"}, ("provider", f"{PROVIDER}/", "no such provider")),
    "issuer": ({"iss": f"http://{PREFIX}"}, ("issuer", URL, f"http://{PREFIX}")),
    "key": (
        {"header": {"kid": "other"}},
        ("key", "first", "other, which is not there"),
    ),
    "roles": ({"more": {ROLES: f"{ROLE}s"}}, ("roles", ROLE, f"{ROLE}s")),
    "tags": (
        {"more": {TAGS: {"principal_tags": {"a": ["1", "2"]}}}},
        ("tags", "a list of one text for a", None),
    ),
    "source identity": (
        {"more": {SOURCE_IDENTITY: "aws:x"}},
        ("source identity", "2 to 64 characters of a-z A-Z 0-9 _ + = , . @ -", None),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_check_that_fails_is_the_last_and_the_outcome_is_that_of_sts(world: FederatedWorld, case: str) -> None:
    claims, wanted = CASES[case]
    token = world.issuer.token(**claims)
    found = world.call(world.root, of(token, role_arn=ROLE))
    assert failed(found) == [wanted]
    assert names(found)[-1] == wanted[0]
    assert (found.outcome, found.message) == answered(world, asking(ROLE, token))
    assert found.outcome != OK


def test_a_forged_signature_is_told_from_an_unknown_key(world: FederatedWorld) -> None:
    token = world.issuer.token(by="stranger", header={"kid": "first"})
    found = world.call(world.root, of(token))
    assert failed(found) == [("signature", "made with the key first", "another one")]
    assert found.outcome == "InvalidIdentityToken"


@pytest.mark.parametrize("token", ["opaque-access-token", "a.b.c", "....", "e30.e30.e30"])
def test_what_is_no_token_fails_its_first_check(world: FederatedWorld, token: str) -> None:
    found = world.call(world.root, of(token))
    assert [name for name, _, _ in failed(found)] == ["format"]
    assert found.outcome == "InvalidIdentityToken"


def test_keys_that_cannot_be_had_are_a_check_with_the_reason(world: FederatedWorld) -> None:
    world.issuer.down = True
    token = world.issuer.token()
    found = world.call(world.root, of(token, role_arn=ROLE))
    assert failed(found) == [("keys", "the issuer's keys", "fetch: it is down")]
    assert (found.outcome, found.message) == ("IDPCommunicationError", "it cannot be reached")
    assert world.issuer.asked == [URL]


def test_a_diagnosis_fetches_no_more_than_the_cache_allows(world: FederatedWorld) -> None:
    """However often somebody asks for keys that are not there."""
    for number in range(9):
        found = world.call(world.root, of(world.issuer.token(header={"kid": f"unknown-{number}"})))
        assert found.outcome == "InvalidIdentityToken"
    assert len(world.issuer.asked) <= 3


def test_where_nothing_can_be_fetched_any_more_it_answers_and_says_so(world: FederatedWorld) -> None:
    request = world.request(of(world.issuer.token()), world.root)
    with pytest.raises(Miss):
        world.pipeline.answer(request, REQUEST_ID, world.now, wait=False)
    with pytest.raises(KeysNeeded):
        world.pipeline.answer(request, REQUEST_ID, world.now, wait=True)
    answer = world.pipeline.answer(request, REQUEST_ID, world.now, wait=True, fetch=False)
    found = world.read(answer.response, of(""))
    assert [name for name, _, _ in failed(found)] == ["keys"]
    assert found.outcome == "IDPCommunicationError"
    assert world.issuer.asked == []


def test_the_servers_own_tokens_are_told_as_such(world: FederatedWorld) -> None:
    own = f"{SERVER_URL}/issuer/0123"
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{own.partition('://')[2]}"
    world.provider(own.replace("http://", "https://"))
    found = world.call(world.root, of(world.issuer.token(iss=own)))
    assert found.checks[1].found == arn
    assert failed(found) == [("issuer", "somebody else", "this server itself")]
    assert world.issuer.asked == []


def test_a_provider_that_is_named_is_held_against_the_issuer(world: FederatedWorld) -> None:
    """Also where the token is another provider's: that one was not asked for."""
    other = world.provider("https://other.example.com")
    for name, wanted in ((PROVIDER, []), (other, [("provider", "https://other.example.com", URL)])):
        found = world.call(world.root, of(world.issuer.token(), open_id_connect_provider_arn=name))
        assert failed(found) == wanted
        assert names(found)[:2] == ["format", "provider"]
        assert found.outcome == ("InvalidIdentityToken" if wanted else OK)
    missing = f"{PROVIDER}-none"
    found = world.call(world.root, of(world.issuer.token(), open_id_connect_provider_arn=missing))
    assert failed(found) == [("provider", missing, URL)]


def test_without_a_role_the_proof_alone_is_looked_at(world: FederatedWorld) -> None:
    found = world.call(
        world.root, of(world.issuer.token(more={ROLES: f"{ROLE}s", TAGS: {"principal_tags": {"a": []}}}))
    )
    assert "role" not in names(found)
    assert ("roles", True, f"{ROLE}s") in [(each.name, each.passed, each.found) for each in found.checks]
    assert [name for name, _, _ in failed(found)] == ["tags"]


@pytest.mark.facts("R30")
def test_the_trust_policy_is_explained_where_it_refuses(world: FederatedWorld) -> None:
    world.role("strict", trusting(StringEquals={f"{PREFIX}:sub": "repo:acme/app:ref:release"}), ANYTHING)
    role = f"arn:aws:iam::{ACCOUNT}:role/strict"
    token = world.issuer.token()
    found = world.call(world.root, of(token, role_arn=role))
    assert failed(found) == [("trust policy", "allows sts:AssumeRoleWithWebIdentity", "does not allow it")]
    assert names(found)[-1] == "trust policy"
    assert (found.outcome, found.message) == answered(world, asking(role, token))
    assert found.explanation is not None
    explanation = Explanation.from_json(found.explanation)
    assert not explanation.decision.allowed
    nearest = explanation.layers[0].policies[0].nearest
    assert nearest is not None
    ((check,),) = (nearest.failed,)
    assert (check.wanted, check.given) == (("repo:acme/app:ref:release",), (json_subject(token),))


def json_subject(token: str) -> str:
    payload = token.split(".")[1]
    found: str = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
    return found


@pytest.mark.facts("R30")
def test_tags_need_the_trust_policys_permission_too(world: FederatedWorld) -> None:
    world.role("plain", trusting(), ANYTHING)
    role = f"arn:aws:iam::{ACCOUNT}:role/plain"
    token = world.issuer.token(more={TAGS: {"principal_tags": {"team": ["blue"]}}})
    found = world.call(world.root, of(token, role_arn=role))
    ((name, expected, _),) = failed(found)
    assert (name, expected) == ("trust policy", "allows sts:TagSession")
    assert (found.outcome, found.message) == answered(world, asking(role, token))


def test_a_role_that_is_not_there_is_told(world: FederatedWorld) -> None:
    token = world.issuer.token()
    found = world.call(world.root, of(token, role_arn=f"{ROLE}-none"))
    assert failed(found) == [("role", f"{ROLE}-none", "no such role")]
    assert (found.outcome, found.message) == answered(world, asking(f"{ROLE}-none", token))


def test_the_rules_of_sessions_are_asked_last(world: FederatedWorld) -> None:
    token = world.issuer.token()
    found = world.call(world.root, of(token, role_arn=ROLE, duration_seconds=7200))
    ((name, _, text),) = failed(found)
    assert (name, text) == ("session", found.message)
    assert (found.outcome, found.message) == answered(world, asking(ROLE, token, duration_seconds=7200))
    fine = world.call(world.root, of(token, role_arn=ROLE, duration_seconds=900, role_session_name="job"))
    assert fine.checks[-1].found == "900 seconds, as job"


def test_the_trust_policy_sees_the_session_name_that_is_given(world: FederatedWorld) -> None:
    world.role("named", trusting(StringEquals={"sts:RoleSessionName": "job"}), ANYTHING)
    command = of(world.issuer.token(), role_arn=f"arn:aws:iam::{ACCOUNT}:role/named")
    assert world.call(world.root, command).outcome == "AccessDenied"
    assert (
        world.call(world.root, of(world.issuer.token(), role_arn=command.role_arn, role_session_name="job")).outcome
        == OK
    )


# Who may ask


PERMITTED: Final = document(Effect="Allow", Action="sts:DiagnoseWebIdentityToken", Resource=PROVIDER)


def test_it_needs_permission_for_the_provider(world: FederatedWorld) -> None:
    elsewhere = document(Effect="Allow", Action="sts:*", Resource=f"{PROVIDER}/*")
    nobody, other = world.user("nobody"), world.user("other", elsewhere)
    for who in (nobody, other):
        text = world.refusal(who, of(world.issuer.token()), errors.AccessDenied)
        assert "sts:DiagnoseWebIdentityToken" in text
        assert PROVIDER in text
    assert world.issuer.asked == []
    doctor = world.user("doctor", PERMITTED)
    assert world.call(doctor, of(world.issuer.token())).outcome == OK
    for another in (of("no.token.here"), of(world.issuer.token(iss=f"{URL}/"))):
        world.refusal(doctor, another, errors.AccessDenied)


def test_permission_for_one_provider_tells_nothing_of_another(world: FederatedWorld) -> None:
    """Naming the one that is permitted does not lead to the other one, whose clients would be told."""
    world.provider("https://other.example.com", "secret-client")
    doctor = world.user("doctor", PERMITTED)
    token = world.issuer.token(iss="https://other.example.com")
    found = world.call(doctor, of(token, open_id_connect_provider_arn=PROVIDER))
    assert failed(found) == [("provider", URL, "https://other.example.com")]
    assert "secret-client" not in repr(found)
    assert world.issuer.asked == []


@pytest.mark.facts("R12")
@pytest.mark.parametrize("member", ["role_arn", "open_id_connect_provider_arn"])
def test_of_other_accounts_nothing_is_told(world: FederatedWorld, member: str) -> None:
    """Neither roles nor providers, whether they are there or not."""
    other = world.account(OTHER)
    world.provider(root=other)
    world.role("deploy", trusting(PROVIDER.replace(ACCOUNT, OTHER)), ANYTHING, root=other)
    own = {"role_arn": ROLE, "open_id_connect_provider_arn": PROVIDER}[member]
    texts = [
        world.refusal(world.root, of(world.issuer.token(), **{member: arn}), errors.NoSuchEntityException)
        for arn in (own.replace(ACCOUNT, OTHER), f"{own.replace(ACCOUNT, OTHER)}-none")
    ]
    assert [text.replace("-none", "") for text in texts] == [texts[0]] * 2
    assert world.issuer.asked == []


def test_another_accounts_caller_asks_for_a_provider_of_its_own(world: FederatedWorld) -> None:
    found = world.call(world.account(OTHER), of(world.issuer.token()))
    assert failed(found) == [("provider", PROVIDER.replace(ACCOUNT, OTHER), "no such provider")]
    assert world.issuer.asked == []


def test_nobody_asks_without_a_signature(world: FederatedWorld) -> None:
    world.refusal(None, of(world.issuer.token()), errors.MissingAuthenticationToken)


def test_a_diagnosis_uses_up_none_of_the_attempts_of_an_address(world: FederatedWorld) -> None:
    """It is signed, and limited as every signed call is."""
    bad = world.issuer.token(by="stranger", header={"kid": "first"})
    for _ in range(80):
        assert world.call(world.root, of(bad, role_arn=ROLE)).outcome == "InvalidIdentityToken"
    assert answered(world, asking(ROLE, world.issuer.token())) == (OK, None)


# What is never told


def parts_of(token: str) -> list[str]:
    return [part for part in token.split(".") if part]


def test_neither_answer_nor_audit_line_holds_any_part_of_the_token(world: FederatedWorld) -> None:
    changes: list[dict[str, Any]] = [{}, *(claims for claims, _ in CASES.values())]
    for claims in changes:
        token = world.issuer.token(**claims)
        response = world.send(world.request(of(token, role_arn=ROLE), world.root))
        assert response.status == 200
        for part in (token, *parts_of(token)):
            assert part not in response.body.decode()
            assert part not in world.audit_file.read_text()
    line = world.records()[-1]
    assert line["eventName"] == "DiagnoseWebIdentityToken"
    assert line["readOnly"] is True
    assert line["responseElements"] is None
    assert line["requestParameters"] == {"roleArn": ROLE}


def test_values_are_bounded_and_printable(world: FederatedWorld) -> None:
    found = world.call(world.root, of(world.issuer.token(aud=["\x1b[31m" + "x" * 9_000])))
    ((_, _, shown),) = failed(found)
    assert shown is not None
    assert len(shown) == MAX_TEXT
    assert shown.isprintable()
    assert shown.endswith("…")


def test_no_session_comes_of_it(world: FederatedWorld) -> None:
    response = world.send(world.request(of(world.issuer.token(), role_arn=ROLE), world.root))
    assert not re.search(rb"ASIA|SessionToken|SecretAccessKey", response.body)
    assert world.records()[-1]["eventName"] == "DiagnoseWebIdentityToken"


# An assertion


def saml_world(folder: Path, **rules: Any) -> World:
    tables = [SamlTable(provider="*", **rules)] if rules else []
    made = World(folder, Providers(FederationSettings(saml=tables), url=SERVER_URL))
    made.call(
        made.root,
        saml_providers.CreateSAMLProviderCommand(
            name="Company",
            saml_metadata_document=idp.metadata(),
            add_private_key=Secret(
                idp.SERVICE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
            ),
        ),
    )
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": idp.PROVIDER},
        "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
    }
    made.role("engineer", document(statement), ANYTHING)
    return made


@pytest.fixture
def company(tmp_path: Path) -> Iterator[World]:
    made = saml_world(tmp_path)
    yield made
    made.audit.close()
    made.store.close()


def about(response: str, **more: Any) -> DiagnoseSAMLAssertionCommand:
    given: dict[str, Any] = {"role_arn": idp.ROLE, "principal_arn": idp.PROVIDER, **more}
    return DiagnoseSAMLAssertionCommand(saml_assertion=Secret(idp.encoded(response)), **given)


def redeeming(response: str, **more: Any) -> sts.AssumeRoleWithSAMLCommand:
    given: dict[str, Any] = {"role_arn": idp.ROLE, "principal_arn": idp.PROVIDER, **more}
    return sts.AssumeRoleWithSAMLCommand(saml_assertion=Secret(idp.encoded(response)), **given)


def test_every_check_of_a_good_assertion_is_told(company: World) -> None:
    found = company.call(company.root, about(idp.respond()))
    assert (found.outcome, found.message, failed(found)) == (OK, None, [])
    told = names(found)
    assert told[0] == "provider"
    wanted = ["document", "assertion signature", "Recipient", "Audience", "Role", "RoleSessionName"]
    assert [name for name in told if name in wanted] == wanted
    assert told[-3:] == ["role", "trust policy", "session"]
    assert found.checks[-1].found == "3600 seconds, as alice@example.com"


ASSERTIONS: Final[dict[str, tuple[str, tuple[str, str | None]]]] = {
    "audience": (idp.respond(("urn:amazon:webservices", "urn:else")), ("Audience", "urn:else")),
    "role": (
        idp.respond((idp.ROLE_ATTRIBUTE, idp.attribute(f"{idp.ATTRIBUTES}Role", "a,b"))),
        ("Role", "a,b"),
    ),
    "unsigned": (idp.respond(form=None), ("assertion is signed", None)),
    "stranger": (
        idp.respond(form=idp.Form(by=idp.STRANGER)),
        ("assertion signature", "no certificate of the metadata verifies the signature"),
    ),
    "no XML": ("no xml", ("document", "it is not well-formed XML")),
    "session name": (
        idp.respond((idp.SESSION_NAME_ATTRIBUTE, "")),
        ("RoleSessionName is there", None),
    ),
}


@pytest.mark.parametrize("case", ASSERTIONS)
def test_the_failed_check_of_an_assertion_and_what_sts_answers(company: World, case: str) -> None:
    response, (name, value) = ASSERTIONS[case]
    found = company.call(company.root, about(response))
    assert [(each, shown) for each, _, shown in failed(found)] == [(name, value)]
    assert names(found)[-1] == name
    assert (found.outcome, found.message) == answered(company, redeeming(response))


def test_an_assertion_that_is_too_old(company: World) -> None:
    company.now += 600
    found = company.call(company.root, about(idp.respond()))
    assert [name for name, _, _ in failed(found)] == ["Subject NotOnOrAfter"]
    assert found.outcome == "ExpiredTokenException"


def test_without_a_role_any_role_of_the_provider_will_do(company: World) -> None:
    assert company.call(company.root, about(idp.respond(), role_arn=None)).outcome == OK
    nothing = idp.respond((idp.ROLE_ATTRIBUTE, idp.attribute(f"{idp.ATTRIBUTES}Role", f"{idp.ROLE},another")))
    found = company.call(company.root, about(nothing, role_arn=None))
    assert failed(found) == [("Role", f"a role,{idp.PROVIDER}", f"{idp.ROLE},another")]


@pytest.mark.facts("R12")
@pytest.mark.parametrize("member", ["role_arn", "principal_arn"])
def test_of_another_accounts_assertions_nothing_is_told(company: World, member: str) -> None:
    foreign = {"role_arn": idp.ROLE, "principal_arn": idp.PROVIDER}[member].replace(ACCOUNT, OTHER)
    command = about(idp.respond(), **{member: foreign})
    company.refusal(company.root, command, errors.NoSuchEntityException)


def test_a_provider_that_is_not_there(company: World) -> None:
    arn = f"{idp.PROVIDER}-none"
    found = company.call(company.root, about(idp.respond(), principal_arn=arn))
    assert failed(found) == [("provider", arn, "no such provider")]
    assert (found.outcome, found.message) == answered(company, redeeming(idp.respond(), principal_arn=arn))


def test_assertions_need_permission_for_the_provider(company: World) -> None:
    text = company.refusal(company.user("nobody"), about(idp.respond()), errors.AccessDenied)
    assert "sts:DiagnoseSAMLAssertion" in text
    assert idp.PROVIDER in text
    policy = document(Effect="Allow", Action="sts:DiagnoseSAMLAssertion", Resource=idp.PROVIDER)
    assert company.call(company.user("doctor", policy), about(idp.respond())).outcome == OK


def test_a_diagnosis_uses_no_assertion_up_and_tells_which_was(tmp_path: Path) -> None:
    world = saml_world(tmp_path, single_use=True)
    response = idp.respond()
    for _ in range(2):
        found = world.call(world.root, about(response))
        assert (found.outcome, found.checks[-1].name, found.checks[-1].passed) == (OK, "single use", True)
    with world.store.snapshot() as rows:
        assert list(Records(rows).each(SpentAssertion, "")) == []
    assert answered(world, redeeming(response)) == (OK, None)
    for role in (idp.ROLE, None):
        found = world.call(world.root, about(response, role_arn=role))
        assert failed(found) == [("single use", "not used before", "used before")]
        assert (found.outcome, found.message) == answered(world, redeeming(response))
    world.audit.close()
    world.store.close()


BROKEN: Final = {
    "for another key": idp.Encryption(to=idp.SERVICE_NEXT),
    "changed": idp.Encryption(flip=-1),
    "nonsense inside": idp.Encryption(content=b"nonsense"),
    "another element inside": idp.Encryption(content=b"<a/>"),
    "changed cbc": idp.Encryption(data=f"{idp.XENC}aes128-cbc", flip=-1),
}


def test_what_is_wrong_inside_of_an_encrypted_assertion_is_one_check(tmp_path: Path) -> None:
    """Told apart, the causes would decrypt for whoever asks often enough."""
    world = saml_world(tmp_path, allow_cbc=True)
    good = world.call(world.root, about(idp.respond(encryption=idp.Encryption())))
    assert good.outcome == OK
    assert "decryption and signature" in names(good)
    forged = idp.respond(form=idp.Form(by=idp.STRANGER), encryption=idp.Encryption())
    unsigned = idp.respond(form=None, encryption=idp.Encryption())
    answers = set()
    for response in (*(idp.respond(encryption=each) for each in BROKEN.values()), forged, unsigned):
        found = world.call(world.root, about(response))
        assert failed(found)[0][0] == "decryption and signature"
        answers.add(repr(found))
    assert len(answers) == 1
    world.audit.close()
    world.store.close()


def test_neither_answer_nor_audit_line_holds_any_part_of_the_assertion(company: World) -> None:
    for response in (idp.respond(), *(text for text, _ in ASSERTIONS.values())):
        body = company.send(company.request(about(response), company.root)).body.decode()
        encoded = idp.encoded(response)
        secret = re.findall(r"<ds:(?:SignatureValue|DigestValue)>([^<]+)<", response)
        for part in (encoded, *(encoded[at : at + 40] for at in range(0, len(encoded) - 40, 40)), *secret):
            assert part not in body
            assert part not in company.audit_file.read_text()
        assert "<saml" not in body
        assert "&lt;saml" not in body
    line = company.records()[-1]
    assert line["responseElements"] is None
    assert line["requestParameters"] == {"principalArn": idp.PROVIDER, "roleArn": idp.ROLE}


def test_both_are_extensions_of_our_own() -> None:
    assert {"DiagnoseSAMLAssertion", "DiagnoseWebIdentityToken"} <= extensions.COMMANDS.keys()
    assert not extensions.COMMANDS.keys() & sts.COMMANDS.keys()
