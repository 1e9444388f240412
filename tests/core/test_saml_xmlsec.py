"""SAML with the program ``xmlsec1`` on the other side: what it signs and encrypts is accepted, and it accepts ours."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from locum.core.saml import SamlRules, read_metadata

from . import saml_idp as idp
from .saml_cases import identity

XMLSEC: Final = shutil.which("xmlsec1") or ""
SAML: Final = idp.SAML[1:-1]
PREFIXED: Final = (
    f'<ds:Transform Algorithm="{idp.EXCLUSIVE}"><ec:InclusiveNamespaces xmlns:ec="{idp.EXCLUSIVE}" PrefixList="xs"/>'
    "</ds:Transform>"
)

pytestmark = pytest.mark.skipif(not XMLSEC, reason="xmlsec1 is not installed: SAML is NOT tested against it")


def xmlsec(*arguments: str | Path) -> None:
    done = subprocess.run([XMLSEC, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def template(method: str, digest: str, transform: str = f'<ds:Transform Algorithm="{idp.EXCLUSIVE}"/>') -> str:
    """A signature that xmlsec1 is to complete."""
    return (
        f'<ds:Signature xmlns:ds="{idp.DS[1:-1]}"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{idp.EXCLUSIVE}"/><ds:SignatureMethod Algorithm="{method}"/>'
        f'<ds:Reference URI="#_assertion"><ds:Transforms><ds:Transform Algorithm="{idp.ENVELOPED}"/>{transform}'
        f'</ds:Transforms><ds:DigestMethod Algorithm="{digest}"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>'
        "<ds:SignatureValue/><ds:KeyInfo><ds:X509Data/></ds:KeyInfo></ds:Signature>"
    )


def signed(folder: Path, template: str, key: str = "idp") -> str:
    """The response of all tests, its assertion signed by xmlsec1."""
    head, tail = idp.RESPONSE.split(idp.ASSERTION)
    source, target = folder / "response.xml", folder / "signed.xml"
    source.write_text(head + idp.changed(idp.ASSERTION, (idp.ISSUER, idp.ISSUER + template)) + tail)
    keys = f"{idp.KEYS / key}.key,{idp.KEYS / key}.crt"
    xmlsec("--sign", "--privkey-pem", keys, "--id-attr:ID", f"{SAML}:Assertion", "--output", target, source)
    return target.read_text()


@pytest.mark.facts("R35", "STS-SAML-002")
@pytest.mark.parametrize(
    ("method", "digest", "key"),
    [
        (idp.RSA_SHA256, idp.SHA256, "idp"),
        ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", "http://www.w3.org/2001/04/xmlenc#sha512", "idp-next"),
        ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", idp.SHA256, "idp-ec"),
    ],
)
def test_what_xmlsec_signs_is_accepted(method: str, digest: str, key: str, tmp_path: Path) -> None:
    metadata = read_metadata(idp.metadata(idp.pair(key)))
    assert identity(signed(tmp_path, template(method, digest), key), metadata=metadata).subject == "alice-4711"


def test_namespaces_that_xmlsec_keeps_by_name_are_those_that_we_keep(tmp_path: Path) -> None:
    text = signed(tmp_path, template(idp.RSA_SHA256, idp.SHA256, PREFIXED))
    assert identity(text).subject == "alice-4711"


@pytest.mark.facts("STS-SAML-019")
@pytest.mark.parametrize(
    ("data", "session", "rules"),
    [
        (f"{idp.XENC11}aes128-gcm", "aes-128", SamlRules()),
        (f"{idp.XENC11}aes256-gcm", "aes-256", SamlRules()),
        (f"{idp.XENC}aes256-cbc", "aes-256", SamlRules(allow_cbc=True)),
    ],
)
def test_what_xmlsec_encrypts_is_accepted(data: str, session: str, rules: SamlRules, tmp_path: Path) -> None:
    root = idp.parsed(signed(tmp_path, template(idp.RSA_SHA256, idp.SHA256)))
    assertion, source, target = tmp_path / "assertion.xml", tmp_path / "template.xml", tmp_path / "encrypted.xml"
    assertion.write_bytes(etree.tostring(root[-1], with_tail=False))
    source.write_text(
        f'<xenc:EncryptedData xmlns:xenc="{idp.XENC}" Type="{idp.XENC}Element">'
        f'<xenc:EncryptionMethod Algorithm="{data}"/><ds:KeyInfo xmlns:ds="{idp.DS[1:-1]}"><xenc:EncryptedKey>'
        f'<xenc:EncryptionMethod Algorithm="{idp.XENC}rsa-oaep-mgf1p"/><ds:KeyInfo><ds:KeyName/></ds:KeyInfo>'
        "<xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>"
        "<xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>"
    )
    public = tmp_path / "service.pem"
    public.write_bytes(idp.SERVICE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    xmlsec(
        "--encrypt",
        "--pubkey-pem",
        public,
        "--session-key",
        session,
        "--xml-data",
        assertion,
        "--output",
        target,
        source,
    )
    carrier = etree.Element(f"{idp.SAML}EncryptedAssertion")
    carrier.append(idp.parsed(target.read_text()))
    root.replace(root[-1], carrier)
    assert identity(idp.written(root), rules, private_keys=(idp.SERVICE,)).subject == "alice-4711"


def test_xmlsec_verifies_what_the_provider_of_these_tests_signs(tmp_path: Path) -> None:
    """So that the other tests' responses are good by more than our own judgement."""
    response = tmp_path / "response.xml"
    response.write_text(idp.respond(form=idp.Form(by=idp.IDP_NEXT)))
    certificate = idp.KEYS / "idp-next.crt"
    xmlsec("--verify", "--pubkey-cert-pem", certificate, "--id-attr:ID", f"{SAML}:Assertion", response)
