"""An identity provider for tests: it writes SAML responses, good or with any change, signs and encrypts them.

It shares no code with locum and signs without the library that locum verifies with: digest and signature are computed
here from lxml's canonical form and cryptography's keys.  So the tests can also sign what no honest library would.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from lxml import etree

KEYS: Final = Path(__file__).parents[1] / "vectors" / "saml" / "keys"

NOW: Final = 1_767_323_045
"""2026-01-02T03:04:05Z: the moment at which the responses are verified; they are a minute old."""

ACCOUNT: Final = "111122223333"
PROVIDER: Final = f"arn:aws:iam::{ACCOUNT}:saml-provider/Company"
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/engineer"
ENTITY: Final = "https://idp.example.com/metadata"
RECIPIENT: Final = "https://signin.aws.amazon.com/saml"
ATTRIBUTES: Final = "https://aws.amazon.com/SAML/Attributes/"

SAML: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}"
SAMLP: Final = "{urn:oasis:names:tc:SAML:2.0:protocol}"
DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"
EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
XENC11: Final = "http://www.w3.org/2009/xmlenc11#"

Changes = Sequence[tuple[str, str]]
"""What to write instead of what; each old text is there."""


def at(seconds: float) -> str:
    """The xs:dateTime of an epoch second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def attribute(name: str, *values: str) -> str:
    """An attribute element with text values."""
    inner = "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
    return f'<saml:Attribute Name="{name}">{inner}</saml:Attribute>'


ROLE_ATTRIBUTE: Final = attribute(f"{ATTRIBUTES}Role", f"{ROLE},{PROVIDER}")
SESSION_NAME_ATTRIBUTE: Final = attribute(f"{ATTRIBUTES}RoleSessionName", "alice@example.com")
NAME_ID: Final = '<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">alice-4711</saml:NameID>'
CONFIRMATION_DATA: Final = f'<saml:SubjectConfirmationData NotOnOrAfter="{at(NOW + 240)}" Recipient="{RECIPIENT}"/>'
CONFIRMATION: Final = (
    f'<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">{CONFIRMATION_DATA}'
    "</saml:SubjectConfirmation>"
)
RESTRICTION: Final = (
    "<saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience></saml:AudienceRestriction>"
)
CONDITIONS: Final = (
    f'<saml:Conditions NotBefore="{at(NOW - 60)}" NotOnOrAfter="{at(NOW + 240)}">{RESTRICTION}</saml:Conditions>'
)
AUTHN: Final = (
    f'<saml:AuthnStatement AuthnInstant="{at(NOW - 60)}"><saml:AuthnContext><saml:AuthnContextClassRef>'
    "urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext>"
    "</saml:AuthnStatement>"
)
STATEMENT: Final = f"<saml:AttributeStatement>{ROLE_ATTRIBUTE}{SESSION_NAME_ATTRIBUTE}</saml:AttributeStatement>"
ISSUER: Final = f"<saml:Issuer>{ENTITY}</saml:Issuer>"
STATUS: Final = '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
ASSERTION: Final = (
    f'<saml:Assertion ID="_assertion" Version="2.0" IssueInstant="{at(NOW - 60)}">{ISSUER}'
    f"<saml:Subject>{NAME_ID}{CONFIRMATION}</saml:Subject>{CONDITIONS}{AUTHN}{STATEMENT}</saml:Assertion>"
)
RESPONSE: Final = (
    '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
    'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:xs="http://www.w3.org/2001/XMLSchema" '
    f'ID="_response" Version="2.0" IssueInstant="{at(NOW - 60)}" Destination="{RECIPIENT}">'
    f"{ISSUER}{STATUS}{ASSERTION}</samlp:Response>"
)
"""A response before it is signed: what every test begins with."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """A private key and its certificate."""

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def text(self) -> str:
        return base64.b64encode(self.der).decode()


def private_key(name: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    """A key of the test vectors."""
    key = load_pem_private_key((KEYS / f"{name}.key").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return key


def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """An RSA key of the test vectors."""
    key = private_key(name)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def pair(name: str) -> Pair:
    """A pair of the test vectors."""
    return Pair(private_key(name), x509.load_pem_x509_certificate((KEYS / f"{name}.crt").read_bytes()))


IDP: Final = pair("idp")
"""The provider's; the certificate is expired."""
IDP_NEXT: Final = pair("idp-next")
IDP_EC: Final = pair("idp-ec")
STRANGER: Final = pair("stranger")
"""Nobody trusts it."""
SERVICE: Final = rsa_key("service")
SERVICE_NEXT: Final = rsa_key("service-next")
"""What opens encrypted assertions."""


def metadata(*pairs: Pair, entity: str = ENTITY, until: str = "", more: str = "") -> str:
    """The metadata document of a provider with these signing certificates."""
    keys = "".join(
        '<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>'
        f"<ds:X509Certificate>{each.text}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        for each in pairs or (IDP,)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity}"{until}>'
        '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
        f"{keys}{more}"
        '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
        'Location="https://idp.example.com/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>'
    )


def changed(text: str, *changes: tuple[str, str]) -> str:
    """The text with each change made once."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def canonical(element: etree._Element, prefixes: Sequence[str] = ()) -> bytes:
    """Exclusive canonicalization of an element in its place."""
    return etree.tostring(
        element, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=list(prefixes) or None
    )


@dataclasses.dataclass(frozen=True)
class Form:
    """How a signature is written: algorithms and parts, and the key that makes it."""

    by: Pair = IDP
    method: str = RSA_SHA256
    digest: str = SHA256
    transforms: str = f'<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{EXCLUSIVE}"/>'
    canonicalization: str = f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
    uri: str | None = None
    key_info: str | None = None
    references: int = 1
    prefixes: tuple[str, ...] = ()
    hmac_key: bytes | None = None
    extra: str = ""


_HASHES: Final[dict[str, type[Any]]] = {
    "1": hashes.SHA1,
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}


def _hash(algorithm: str) -> hashes.HashAlgorithm:
    name = algorithm.partition("#")[2].replace("-rsa-MGF1", "").rpartition("sha")[2]
    made: hashes.HashAlgorithm = _HASHES[name]()
    return made


def _sign(data: bytes, form: Form) -> bytes:
    algorithm = _hash(form.method)
    if form.hmac_key is not None:
        return hmac.digest(form.hmac_key, data, algorithm.name)
    if isinstance(form.by.key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(form.by.key.sign(data, ec.ECDSA(algorithm)))
        size = (form.by.key.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    if form.method.endswith("MGF1"):
        return form.by.key.sign(data, PSS(MGF1(algorithm), algorithm.digest_size), algorithm)
    return form.by.key.sign(data, PKCS1v15(), algorithm)


def sign(element: etree._Element, form: Form = Form()) -> etree._Element:
    """Sign an element of a document in its place: the signature comes after its Issuer, or first."""
    digest = hashlib.new(_hash(form.digest).name, canonical(element, form.prefixes)).digest()
    uri = f"#{element.get('ID')}" if form.uri is None else form.uri
    reference = (
        f'<ds:Reference URI="{uri}"><ds:Transforms>{form.transforms}</ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{form.digest}"/>'
        f"<ds:DigestValue>{base64.b64encode(digest).decode()}</ds:DigestValue></ds:Reference>"
    )
    key_info = form.key_info
    if key_info is None:
        key_info = f"<ds:X509Data><ds:X509Certificate>{form.by.text}</ds:X509Certificate></ds:X509Data>"
    signature = etree.fromstring(
        f'<ds:Signature xmlns:ds="{DS[1:-1]}"><ds:SignedInfo>{form.canonicalization}'
        f'<ds:SignatureMethod Algorithm="{form.method}"/>{reference * form.references}</ds:SignedInfo>'
        f"<ds:SignatureValue></ds:SignatureValue>{f'<ds:KeyInfo>{key_info}</ds:KeyInfo>' if key_info else ''}"
        f"{form.extra}</ds:Signature>"
    )
    issuer = element.find(f"{SAML}Issuer")
    element.insert(0 if issuer is None else element.index(issuer) + 1, signature)
    value = base64.b64encode(_sign(canonical(signature[0], form.prefixes), form)).decode()
    signature[1].text = value
    return signature


def parsed(text: str) -> etree._Element:
    """The root of a document; comments and instructions stay."""
    return etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False, strip_cdata=False))


def written(root: etree._Element) -> str:
    return etree.tostring(root, encoding="unicode")


def respond(
    *changes: tuple[str, str],
    text: str = RESPONSE,
    form: Form | None = Form(),
    response_form: Form | None = None,
    encryption: Encryption | None = None,
) -> str:
    """A response after the changes, with its assertion signed, then encrypted, then the response signed."""
    root = parsed(changed(text, *changes))
    assertion = root.find(f"{SAML}Assertion")
    if form is not None and assertion is not None:
        sign(assertion, form)
    if encryption is not None and assertion is not None:
        root.replace(assertion, encrypt(assertion, encryption))
    if response_form is not None:
        sign(root, response_form)
    return written(root)


def encoded(text: str) -> str:
    """The base64 that a browser would post."""
    return base64.b64encode(text.encode()).decode()


@dataclasses.dataclass(frozen=True)
class Encryption:
    """How an assertion is encrypted; ``to`` is whose key opens it."""

    data: str = f"{XENC11}aes256-gcm"
    key: str = f"{XENC}rsa-oaep-mgf1p"
    oaep: str = '<ds:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"/>'
    digest: type[hashes.HashAlgorithm] = hashes.SHA1
    mask: type[hashes.HashAlgorithm] = hashes.SHA1
    to: rsa.RSAPrivateKey = SERVICE
    beside: bool = False
    retrieval: str = ""
    content: bytes | None = None
    data_type: str = f' Type="{XENC}Element"'
    size: int | None = None
    flip: int | None = None
    """A byte of the ciphertext to change."""


def _ciphertext(key: bytes, content: bytes, encryption: Encryption) -> bytes:
    if encryption.data.endswith("gcm"):
        nonce = os.urandom(12)
        sealed = nonce + AESGCM(key).encrypt(nonce, content, None)
    else:
        padder = padding.ANSIX923(128).padder()
        padded = padder.update(content) + padder.finalize()
        vector = os.urandom(16)
        encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
        sealed = vector + encryptor.update(padded) + encryptor.finalize()
    if encryption.flip is not None:
        place = encryption.flip % len(sealed)
        sealed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
    return sealed


def encrypt(assertion: etree._Element, encryption: Encryption) -> etree._Element:
    """The EncryptedAssertion of an assertion."""
    content = encryption.content
    if content is None:
        content = etree.tostring(assertion, with_tail=False)
    size = encryption.size or (16 if "128" in encryption.data else 24 if "192" in encryption.data else 32)
    key = os.urandom(size)
    ciphertext = base64.b64encode(
        os.urandom(64) if "tripledes" in encryption.data else _ciphertext(key, content, encryption)
    ).decode()
    public = encryption.to.public_key()
    wrapped = base64.b64encode(
        public.encrypt(key, PKCS1v15())
        if encryption.key.endswith("rsa-1_5")
        else public.encrypt(key, OAEP(MGF1(encryption.mask()), encryption.digest(), None))
    ).decode()
    carrier = (
        f'<xenc:EncryptedKey Id="_key"><xenc:EncryptionMethod Algorithm="{encryption.key}">{encryption.oaep}'
        f"</xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>{wrapped}</xenc:CipherValue></xenc:CipherData>"
        "</xenc:EncryptedKey>"
    )
    inside, beside = (encryption.retrieval, carrier) if encryption.beside else (carrier + encryption.retrieval, "")
    return etree.fromstring(
        f'<saml:EncryptedAssertion xmlns:saml="{SAML[1:-1]}" xmlns:xenc="{XENC}" xmlns:xenc11="{XENC11}" '
        f'xmlns:ds="{DS[1:-1]}"><xenc:EncryptedData{encryption.data_type}>'
        f'<xenc:EncryptionMethod Algorithm="{encryption.data}"/><ds:KeyInfo>{inside}</ds:KeyInfo>'
        f"<xenc:CipherData><xenc:CipherValue>{ciphertext}</xenc:CipherValue></xenc:CipherData>"
        f"</xenc:EncryptedData>{beside}</saml:EncryptedAssertion>"
    )
