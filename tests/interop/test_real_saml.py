"""Real SAML identity providers: npm's ``samlp``, Debian's SimpleSAMLphp, pysaml2; what they post becomes sessions.

The responses are first verified, and decrypted, by Debian's ``xmlsec1`` with the certificate of the metadata: what it
accepts is what must be accepted.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import urllib.request
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from lxml import etree
from tests.interop.clients import Boto3, Client, Refused, credentials_in
from tests.interop.idps.authority import pair
from tests.interop.idps.saml import AWS, IdentityProvider, PySaml2, Samlp, Service, SimpleSamlPhp, role_attributes
from tests.interop.world import Account, allow, told, trusts

from locum.testing import Clock, RunningServer, running_server

pytestmark = pytest.mark.xdist_group("interop-real-saml")

ACCOUNT: Final = "111122223333"
LOGIN: Final = "sts:AssumeRoleWithSAML"
WITH_TAGS: Final = (LOGIN, "sts:TagSession", "sts:SetSourceIdentity")
KINDS: Final = ["samlp", "simplesamlphp", "pysaml2"]
NAMES: Final = ["plain", "required", "old-ciphers"]
"""Providers in IAM: with metadata alone, with encryption required, and with encryption and every weak algorithm."""
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/engineer"
ENCRYPTED: Final = Service("https://signin.aws.amazon.com/saml", AWS.acs, pair("locum"))
ANOTHER: Final = Service("urn:another:service", AWS.acs)
PEOPLE: Final = {
    "mia": role_attributes(
        *((ROLE, f"arn:aws:iam::{ACCOUNT}:saml-provider/{name}") for name in NAMES),
        session_name="mia@company.example",
        source_identity="mia",
        transitive=("team",),
        team="blue",
        stage="test",
    )
}

INVALID: Final = ("InvalidIdentityToken", "Response signature invalid", 400)
NOT_ALLOWED: Final = ("AccessDenied", f"Not authorized to perform {LOGIN}", 403)


@pytest.fixture(scope="module", params=KINDS)
def idp(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    kind: Any = {"samlp": Samlp, "simplesamlphp": SimpleSamlPhp, "pysaml2": PySaml2}[request.param]
    if reason := kind.why_not():
        pytest.skip(reason)
    if request.param == "pysaml2":
        yield PySaml2(tmp_path_factory.mktemp("pysaml2"), PEOPLE, AWS, ENCRYPTED, ANOTHER)
    elif request.param == "samlp":
        with Samlp.running(PEOPLE, AWS, ENCRYPTED, ANOTHER) as samlp:
            yield samlp
    else:
        with SimpleSamlPhp.running(tmp_path_factory.mktemp("simplesamlphp"), PEOPLE, AWS, ENCRYPTED, ANOTHER) as simple:
            yield simple


@pytest.fixture(scope="module")
def samlp() -> Iterator[Samlp]:
    if reason := Samlp.why_not():
        pytest.skip(reason)
    with Samlp.running(PEOPLE, AWS, ENCRYPTED, ANOTHER) as running:
        yield running


class XmlSec:
    """Debian's ``xmlsec1`` program."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def verify(self, document: str, metadata: str, elements: list[str]) -> None:
        """The signatures of these elements of a response, by the certificate of the metadata."""
        found = re.search(r"X509Certificate>([^<]+)<", metadata)
        assert found is not None
        body = "".join(found[1].split())
        certificate = self._file("idp.crt", f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        checked = self._file("response.xml", document)
        for element in elements:
            space = "protocol" if element == "Response" else "assertion"
            self._run(
                *("--verify", "--pubkey-cert-pem", str(certificate), "--enabled-key-data", "rsa"),
                *("--id-attr:ID", f"urn:oasis:names:tc:SAML:2.0:{space}:{element}"),
                *("--node-xpath", f"//*[local-name()='{element}']/*[local-name()='Signature']", str(checked)),
            )

    def decrypt(self, document: str, key: str) -> str:
        """A response whose encrypted assertion is in the clear."""
        private = self._file("key.pem", key)
        checked = self._file("encrypted.xml", document)
        return self._run("--decrypt", "--privkey-pem", str(private), str(checked))

    def _file(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text)
        return path

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(["xmlsec1", *arguments], capture_output=True, check=False, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def xmlsec(tmp_path: Path) -> XmlSec:
    if shutil.which("xmlsec1") is None:
        pytest.skip("Debian's xmlsec1 is not installed: the providers' responses are NOT verified independently")
    return XmlSec(tmp_path)


@pytest.mark.parametrize("service", [AWS, ENCRYPTED], ids=["signed", "encrypted"])
def test_an_independent_program_accepts_the_responses(idp: IdentityProvider, service: Service, xmlsec: XmlSec) -> None:
    document = b64decode(idp.login("mia", service)).decode()
    whole = ["Response"] if isinstance(idp, SimpleSamlPhp) else []
    if service.encryption is None:
        xmlsec.verify(document, idp.metadata(), [*whole, "Assertion"])
    else:
        assert "PrincipalTag" not in document
        xmlsec.verify(document, idp.metadata(), whole)
        document = xmlsec.decrypt(document, service.encryption.key)
        xmlsec.verify(document, idp.metadata(), ["Assertion"])
    assert "PrincipalTag:team" in document


# --- with the server


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def server(clock: Clock) -> Iterator[RunningServer]:
    weak = {"provider": "arn:aws:iam::*:saml-provider/old-ciphers", "allow-cbc": True, "allow-sha1": True}
    with running_server(saml=[weak], account_id=ACCOUNT, clock=clock, on_disk=True) as running:
        yield running


@pytest.fixture
def account(server: RunningServer, boto: Boto3) -> Iterator[Account]:
    """The first account: the responses name its role and its providers.  It is left empty."""
    first = Account(boto, server.root_credentials)
    yield first
    for each in first.iam("ListSAMLProviders")["SAMLProviderList"]:
        first.iam("DeleteSAMLProvider", SAMLProviderArn=each["Arn"])
    for role in first.iam("ListRoles")["Roles"]:
        first.iam("DeleteRolePolicy", RoleName=role["RoleName"], PolicyName="p")
        first.iam("DeleteRole", RoleName=role["RoleName"])


def provider(account: Account, idp: IdentityProvider, name: str) -> str:
    """The ARN of a new provider; all but the plain one can decrypt."""
    more: dict[str, Any] = {}
    if name != "plain":
        assert ENCRYPTED.encryption is not None
        mode = "Required" if name == "required" else "Allowed"
        more = {"AddPrivateKey": ENCRYPTED.encryption.key, "AssertionEncryptionMode": mode}
    document = idp.metadata()
    return str(account.iam("CreateSAMLProvider", Name=name, SAMLMetadataDocument=document, **more)["SAMLProviderArn"])


def trusting(account: Account, named: str, *actions: str, **asked: str) -> None:
    """The role of the responses, for everybody whom the provider vouches for and who is as ``asked``."""
    when = {"StringEquals": {f"saml:{key}": value for key, value in asked.items()}}
    own_team = {"StringEquals": {"aws:PrincipalTag/team": "blue"}}
    account.role(
        trusts(actions=actions, when=when if asked else None, Federated=named),
        may=(allow("iam:ListRoles", when=own_team),),
        RoleName="engineer",
    )


def login(account: Account, named: str, response: str, client: Client | None = None) -> dict[str, Any]:
    parameters = {"RoleArn": ROLE, "PrincipalArn": named, "SAMLAssertion": response}
    return (client or account.boto).call(account.root, "sts", "AssumeRoleWithSAML", parameters)


def not_logged_in(account: Account, named: str, response: str) -> tuple[str, str, int]:
    with pytest.raises(Refused) as error:
        login(account, named, response)
    return told(error.value)


def changed(response: str, old: str, new: str) -> str:
    document = b64decode(response).decode()
    assert old in document
    return b64encode(document.replace(old, new, 1).encode()).decode()


@pytest.mark.facts("STS-SAML-031")
@pytest.mark.parametrize("name", ["boto", "cli", "node"])
def test_a_login_becomes_a_session(
    idp: IdentityProvider, account: Account, name: str, request: pytest.FixtureRequest
) -> None:
    client: Client = request.getfixturevalue(name)
    named = provider(account, idp, "plain")
    trusting(account, named, *WITH_TAGS, aud=AWS.acs, iss=idp.entity, sub="mia", sub_type="persistent")
    answer = login(account, named, idp.login("mia"), client)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/engineer/mia@company.example"
    digest = hashlib.sha1(f"{idp.entity}{ACCOUNT}/plain".encode()).digest()
    assert answer["AssumedRoleUser"]["Arn"] == session
    assert {name: answer[name] for name in ("Subject", "SubjectType", "Issuer", "Audience", "SourceIdentity")} == {
        "Subject": "mia",
        "SubjectType": "persistent",
        "Issuer": idp.entity,
        "Audience": AWS.acs,
        "SourceIdentity": "mia",
    }
    assert answer["NameQualifier"] == b64encode(digest).decode()
    key = credentials_in(answer, ACCOUNT)
    assert account.identity(key)["Arn"] == session
    assert account.boto.call(key, "iam", "ListRoles", {})["Roles"], "the tag of the assertion is in the session"


def test_an_encrypted_assertion_is_decrypted(samlp: Samlp, account: Account) -> None:
    """AES-256-GCM and RSA-OAEP, which need no permission."""
    named = provider(account, samlp, "required")
    trusting(account, named, *WITH_TAGS)
    assert login(account, named, samlp.login("mia", ENCRYPTED))["Subject"] == "mia"


@pytest.mark.facts("STS-SAML-018")
def test_an_assertion_that_must_be_encrypted_is_refused_in_the_clear(samlp: Samlp, account: Account) -> None:
    named = provider(account, samlp, "required")
    trusting(account, named, *WITH_TAGS)
    assert not_logged_in(account, named, samlp.login("mia"))[::2] == ("InvalidIdentityToken", 400)


@pytest.mark.parametrize("idp", ["simplesamlphp", "pysaml2"], indirect=True)
@pytest.mark.parametrize("name", ["required", "old-ciphers"])
def test_old_ciphers_are_refused_or_need_permission(idp: IdentityProvider, account: Account, name: str) -> None:
    """AES-CBC of SimpleSAMLphp needs it; 3DES of pysaml2 is refused whatever is permitted."""
    named = provider(account, idp, name)
    trusting(account, named, *WITH_TAGS)
    response = idp.login("mia", ENCRYPTED)
    if isinstance(idp, SimpleSamlPhp) and name == "old-ciphers":
        assert login(account, named, response)["Subject"] == "mia"
    else:
        assert not_logged_in(account, named, response)[::2] == ("InvalidIdentityToken", 400)


@pytest.mark.parametrize(("name", "works"), [("plain", False), ("old-ciphers", True)])
def test_sha_1_needs_permission(account: Account, tmp_path: Path, name: str, works: bool) -> None:
    """pysaml2 as it comes signs with SHA-1."""
    if reason := PySaml2.why_not():
        pytest.skip(reason)
    idp = PySaml2(tmp_path, PEOPLE, AWS, digest="sha1")
    named = provider(account, idp, name)
    trusting(account, named, *WITH_TAGS)
    if works:
        assert login(account, named, idp.login("mia"))["Subject"] == "mia"
    else:
        assert not_logged_in(account, named, idp.login("mia"))[::2] == ("InvalidIdentityToken", 400)


@pytest.mark.facts("STS-SAML-007")
def test_a_signed_response_is_signed_truly(samlp: Samlp, account: Account) -> None:
    """The signature of the whole response counts as well, where there is one."""
    named = provider(account, samlp, "plain")
    trusting(account, named, *WITH_TAGS)
    whole = samlp.login("mia", whole=True)
    assert login(account, named, whole)["Subject"] == "mia"
    assert not_logged_in(account, named, changed(whole, '"_request"', '"_other"')) == INVALID
    assert login(account, named, changed(samlp.login("mia"), '"_request"', '"_other"'))["Subject"] == "mia"


@pytest.mark.facts("STS-SAML-T11")
def test_what_was_changed_is_noticed(idp: IdentityProvider, account: Account) -> None:
    named = provider(account, idp, "plain")
    trusting(account, named, *WITH_TAGS)
    response = idp.login("mia")
    assert not_logged_in(account, named, changed(response, ">blue<", ">gold<")) == INVALID


def test_another_providers_response_is_refused(idp: IdentityProvider, samlp: Samlp, account: Account) -> None:
    """Even where it has the entity id of the right one: the key counts."""
    named = provider(account, idp, "plain")
    trusting(account, named, *WITH_TAGS)
    with Samlp.running(PEOPLE, AWS, entity=idp.entity) as impostor:
        assert not_logged_in(account, named, impostor.login("mia")) == INVALID


@pytest.mark.facts("R36")
def test_a_response_for_another_service_is_refused(samlp: Samlp, account: Account) -> None:
    named = provider(account, samlp, "plain")
    trusting(account, named, *WITH_TAGS)
    text = "Response does not contain the required audience."
    assert not_logged_in(account, named, samlp.login("mia", ANOTHER)) == ("InvalidIdentityToken", text, 400)


@pytest.mark.facts("STS-SAML-028")
def test_the_trust_policy_decides(samlp: Samlp, account: Account) -> None:
    named = provider(account, samlp, "plain")
    trusting(account, named, *WITH_TAGS, sub="otto")
    assert not_logged_in(account, named, samlp.login("mia")) == NOT_ALLOWED


def test_a_response_ends(idp: IdentityProvider, account: Account, clock: Clock) -> None:
    named = provider(account, idp, "plain")
    trusting(account, named, *WITH_TAGS)
    response = idp.login("mia")
    with clock.turned(290):
        assert login(account, named, response)["Subject"] == "mia"
    with clock.turned(310):
        assert not_logged_in(account, named, response)[::2] == ("ExpiredTokenException", 400)


def test_the_servers_own_metadata_suffice_for_a_provider(
    server: RunningServer, account: Account, tmp_path: Path
) -> None:
    """pysaml2 reads entity id and ACS URL from the document that the server publishes."""
    if reason := PySaml2.why_not():
        pytest.skip(reason)
    with urllib.request.urlopen(f"{server.url}/saml/metadata", timeout=30) as answer:
        document = answer.read().decode()
    root = etree.fromstring(document.encode())
    [consumer] = root.iter("{urn:oasis:names:tc:SAML:2.0:metadata}AssertionConsumerService")
    own = Service(str(root.attrib["entityID"]), str(consumer.attrib["Location"]), metadata=document)
    assert own.acs.startswith(server.url)
    idp = PySaml2(tmp_path, PEOPLE, own)
    named = provider(account, idp, "plain")
    trusting(account, named, *WITH_TAGS, aud=own.acs)
    assert login(account, named, idp.login("mia", own))["Audience"] == own.acs
