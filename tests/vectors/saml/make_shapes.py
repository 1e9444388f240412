"""Writes ../good/saml/shapes.json: responses in the shapes in which well-known identity providers write them.

Each is written by hand after what such a product sends: its prefixes and default namespaces, where its signatures
stand, its types, statements and superfluous attributes.  Nothing was recorded, and nobody's names are real.  Run by
hand with the project's Python, from anywhere; needs no locum.  The keys are those of keys/, for tests only.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from lxml import etree

HERE: Final = Path(__file__).parent
spec = importlib.util.spec_from_file_location("saml_idp", HERE.parents[1] / "core" / "saml_idp.py")
assert spec is not None
assert spec.loader is not None
idp: Any = importlib.util.module_from_spec(spec)
sys.modules["saml_idp"] = idp
spec.loader.exec_module(idp)

AWS: Final = "https://signin.aws.amazon.com/saml"
REGIONAL: Final = "https://eu-west-1.signin.aws.amazon.com/saml"
EXCLUSIVE: Final = idp.EXCLUSIVE
XS: Final = 'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
ASSERTION: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
CLASSES: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes"
FORMAT_1: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format"
FORMAT_2: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format"
NAME_FORMAT: Final = "urn:oasis:names:tc:SAML:2.0:attrname-format"
CLAIMS: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
MICROSOFT: Final = "http://schemas.microsoft.com"
INCLUDED: Final = f'<{{0}}InclusiveNamespaces xmlns{{1}}="{EXCLUSIVE}" PrefixList="{{2}}"/>'
PLAIN_KEY_INFO: Final = "<{0}X509Data><{0}X509Certificate>{cert}</{0}X509Certificate></{0}X509Data>"

KNOWN: Final = {
    "ROLE": idp.ROLE,
    "PROVIDER": idp.PROVIDER,
    "AWS": AWS,
    "REGIONAL": REGIONAL,
    "AUDIENCE": "urn:amazon:webservices",
    "A": idp.ATTRIBUTES.rstrip("/"),
    "BEFORE": idp.at(idp.NOW - 360).replace("Z", ".017Z"),
    "ISSUED": idp.at(idp.NOW - 60).replace("Z", ".017Z"),
    "SOON": idp.at(idp.NOW + 240).replace("Z", ".017Z"),
    "LATE": idp.at(idp.NOW + 36_000),
    "ASSERTION": ASSERTION,
    "PROTOCOL": PROTOCOL,
    "SUCCESS": SUCCESS,
    "BEARER": BEARER,
    "CLASSES": CLASSES,
    "XS": XS,
    "F1": FORMAT_1,
    "F2": FORMAT_2,
    "NF": NAME_FORMAT,
    "CLAIMS": CLAIMS,
    "MS": MICROSOFT,
}


def filled(text: str) -> str:
    """The text with ``$NAME`` replaced, without its indentation and line breaks."""
    text = "".join(line.strip() + (" " if line.rstrip()[-1:] not in ("", ">") else "") for line in text.splitlines())
    for name in sorted(KNOWN, key=len, reverse=True):
        text = text.replace(f"${name}", KNOWN[name])
    assert "$" not in text, text[text.index("$") :][:20]
    return text


def sign(
    element: etree._Element,
    prefix: str = "ds",
    *,
    included: str | None = None,
    included_prefix: str = "ec",
    key_info: str = PLAIN_KEY_INFO,
    wrapped: int = 0,
    spaced: str = "",
) -> None:
    """Sign an element behind its Issuer, as a product with such prefixes and line breaks would write it."""
    begins, declared = (f"{prefix}:", f":{prefix}") if prefix else ("", "")
    prefixes: Sequence[str] = (included or "").split()
    nested = ""
    if included is not None:
        nested = INCLUDED.format(
            f"{included_prefix}:" if included_prefix else "", f":{included_prefix}" if included_prefix else "", included
        )
    digest = base64.b64encode(hashlib.sha256(idp.canonical(element, prefixes)).digest()).decode()
    certificate = idp.IDP.text
    if wrapped:
        certificate = "\n" + "\n".join(textwrap.wrap(certificate, wrapped)) + "\n"
    s, b = spaced, begins
    transform = f'<{b}Transform Algorithm="{EXCLUSIVE}">{nested}</{b}Transform>'
    text = (
        f'<{b}Signature xmlns{declared}="{idp.DS[1:-1]}">{s}<{b}SignedInfo>{s}'
        f'<{b}CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>{s}'
        f'<{b}SignatureMethod Algorithm="{idp.RSA_SHA256}"/>{s}'
        f'<{b}Reference URI="#{element.get("ID")}">{s}<{b}Transforms>{s}'
        f'<{b}Transform Algorithm="{idp.ENVELOPED}"/>{s}{transform}{s}'
        f'</{b}Transforms>{s}<{b}DigestMethod Algorithm="{idp.SHA256}"/>{s}<{b}DigestValue>{digest}</{b}DigestValue>{s}'
        f"</{b}Reference>{s}</{b}SignedInfo>{s}<{b}SignatureValue></{b}SignatureValue>{s}"
        f"<{b}KeyInfo>{key_info.format(b, cert=certificate)}</{b}KeyInfo>{s}</{b}Signature>"
    )
    signature = etree.fromstring(text)
    element.insert(1, signature)
    made = base64.b64encode(idp.IDP.key.sign(idp.canonical(signature[0]), PKCS1v15(), hashes.SHA256())).decode()
    signature[1].text = "\n" + "\n".join(textwrap.wrap(made, wrapped)) + "\n" if wrapped else made


def assertion_of(root: etree._Element) -> etree._Element:
    found = root.find(f"{idp.SAML}Assertion")
    assert found is not None
    return found


ENTRA: Final = """
<samlp:Response ID="_4f1c2a52-7e0e-4a55-9d4d-0d4b7a2d7b11" Version="2.0" IssueInstant="$ISSUED" Destination="$AWS"
 InResponseTo="id6c1c178c166d486687be4aaf5e482730" xmlns:samlp="$PROTOCOL">
<Issuer xmlns="$ASSERTION">https://sts.windows.net/11111111-2222-3333-4444-555555555555/</Issuer>
<samlp:Status><samlp:StatusCode Value="$SUCCESS"/></samlp:Status>
<Assertion ID="_0be1a8d3-0c52-4d6b-a5e1-f9b9c2a83c00" IssueInstant="$ISSUED" Version="2.0" xmlns="$ASSERTION">
<Issuer>https://sts.windows.net/11111111-2222-3333-4444-555555555555/</Issuer>
<Subject><NameID Format="$F1:emailAddress">mia@company.example</NameID>
<SubjectConfirmation Method="$BEARER">
<SubjectConfirmationData InResponseTo="id6c1c178c166d486687be4aaf5e482730" NotOnOrAfter="$SOON" Recipient="$AWS"/>
</SubjectConfirmation></Subject>
<Conditions NotBefore="$BEFORE" NotOnOrAfter="$SOON">
<AudienceRestriction><Audience>$AWS</Audience></AudienceRestriction></Conditions>
<AttributeStatement>
<Attribute Name="$MS/identity/claims/tenantid">
<AttributeValue>11111111-2222-3333-4444-555555555555</AttributeValue></Attribute>
<Attribute Name="$MS/identity/claims/displayname"><AttributeValue>Mia Müller 三</AttributeValue></Attribute>
<Attribute Name="$MS/claims/authnmethodsreferences">
<AttributeValue>$MS/claims/multipleauthn</AttributeValue></Attribute>
<Attribute Name="$CLAIMS/givenname"><AttributeValue>Mia</AttributeValue></Attribute>
<Attribute Name="$CLAIMS/name"><AttributeValue>mia@company.example</AttributeValue></Attribute>
<Attribute Name="$A/RoleSessionName"><AttributeValue>mia@company.example</AttributeValue></Attribute>
<Attribute Name="$A/Role"><AttributeValue>$ROLE,$PROVIDER</AttributeValue></Attribute>
<Attribute Name="$A/SessionDuration"><AttributeValue>3600</AttributeValue></Attribute>
</AttributeStatement>
<AuthnStatement AuthnInstant="$ISSUED" SessionIndex="_0be1a8d3-0c52-4d6b-a5e1-f9b9c2a83c00"><AuthnContext>
<AuthnContextClassRef>$CLASSES:Password</AuthnContextClassRef></AuthnContext></AuthnStatement>
</Assertion></samlp:Response>
"""

ADFS: Final = """
<samlp:Response ID="_b6b9e4d7-9c2b-4cf0-8a3e-51d4a0a3a0a1" Version="2.0" IssueInstant="$ISSUED" Destination="$AWS"
 Consent="urn:oasis:names:tc:SAML:2.0:consent:unspecified" xmlns:samlp="$PROTOCOL">
<Issuer xmlns="$ASSERTION">http://adfs.company.example/adfs/services/trust</Issuer>
<samlp:Status><samlp:StatusCode Value="$SUCCESS"/></samlp:Status>
<Assertion ID="_7d1c7c0c-2d2f-4f0a-9b0b-0fb07e5b8d22" IssueInstant="$ISSUED" Version="2.0" xmlns="$ASSERTION">
<Issuer>http://adfs.company.example/adfs/services/trust</Issuer>
<Subject><NameID Format="$F2:persistent">COMPANY\\mia</NameID>
<SubjectConfirmation Method="$BEARER"><SubjectConfirmationData NotOnOrAfter="$SOON" Recipient="$AWS"/>
</SubjectConfirmation></Subject>
<Conditions NotBefore="$ISSUED" NotOnOrAfter="$SOON">
<AudienceRestriction><Audience>$AUDIENCE</Audience></AudienceRestriction></Conditions>
<AttributeStatement>
<Attribute Name="$A/RoleSessionName"><AttributeValue>mia@company.example</AttributeValue></Attribute>
<Attribute Name="$A/Role">
<AttributeValue>$PROVIDER,arn:aws:iam::111122223333:role/ADFS-Production</AttributeValue>
<AttributeValue>$PROVIDER,$ROLE</AttributeValue></Attribute>
</AttributeStatement>
<AuthnStatement AuthnInstant="$ISSUED" SessionIndex="_7d1c7c0c-2d2f-4f0a-9b0b-0fb07e5b8d22"><AuthnContext>
<AuthnContextClassRef>urn:federation:authentication:windows</AuthnContextClassRef></AuthnContext></AuthnStatement>
</Assertion></samlp:Response>
"""

OKTA: Final = """
<saml2p:Response Destination="$AWS" ID="id41842530236549071853711271" IssueInstant="$ISSUED" Version="2.0"
 xmlns:saml2p="$PROTOCOL" xmlns:xs="http://www.w3.org/2001/XMLSchema">
<saml2:Issuer Format="$F2:entity" xmlns:saml2="$ASSERTION">http://www.okta.com/exk1a2b3c4d5e6f7g8h9</saml2:Issuer>
<saml2p:Status xmlns:saml2p="$PROTOCOL"><saml2p:StatusCode Value="$SUCCESS"/></saml2p:Status>
<saml2:Assertion ID="id41842530237245791231488193" IssueInstant="$ISSUED" Version="2.0" xmlns:saml2="$ASSERTION"
 xmlns:xs="http://www.w3.org/2001/XMLSchema">
<saml2:Issuer Format="$F2:entity" xmlns:saml2="$ASSERTION">http://www.okta.com/exk1a2b3c4d5e6f7g8h9</saml2:Issuer>
<saml2:Subject xmlns:saml2="$ASSERTION"><saml2:NameID Format="$F1:unspecified">mia@company.example</saml2:NameID>
<saml2:SubjectConfirmation Method="$BEARER">
<saml2:SubjectConfirmationData NotOnOrAfter="$SOON" Recipient="$AWS"/></saml2:SubjectConfirmation></saml2:Subject>
<saml2:Conditions NotBefore="$BEFORE" NotOnOrAfter="$SOON" xmlns:saml2="$ASSERTION">
<saml2:AudienceRestriction><saml2:Audience>$AUDIENCE</saml2:Audience></saml2:AudienceRestriction></saml2:Conditions>
<saml2:AuthnStatement AuthnInstant="$ISSUED" SessionIndex="id1767322985017.1" xmlns:saml2="$ASSERTION">
<saml2:AuthnContext><saml2:AuthnContextClassRef>$CLASSES:PasswordProtectedTransport</saml2:AuthnContextClassRef>
</saml2:AuthnContext></saml2:AuthnStatement>
<saml2:AttributeStatement xmlns:saml2="$ASSERTION">
<saml2:Attribute Name="$A/Role" NameFormat="$NF:uri">
<saml2:AttributeValue xmlns:xs="http://www.w3.org/2001/XMLSchema"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">$PROVIDER,$ROLE</saml2:AttributeValue>
</saml2:Attribute>
<saml2:Attribute Name="$A/RoleSessionName" NameFormat="$NF:basic">
<saml2:AttributeValue $XS xsi:type="xs:string">mia@company.example</saml2:AttributeValue></saml2:Attribute>
<saml2:Attribute Name="$A/SessionDuration" NameFormat="$NF:basic">
<saml2:AttributeValue $XS xsi:type="xs:string">43200</saml2:AttributeValue></saml2:Attribute>
</saml2:AttributeStatement></saml2:Assertion></saml2p:Response>
"""

KEYCLOAK: Final = """
<samlp:Response xmlns:samlp="$PROTOCOL" xmlns:saml="$ASSERTION" Destination="$AWS"
 ID="ID_3b2b8f7e-63e0-4f0f-8a0e-1f0d9d3d7a55" IssueInstant="$ISSUED" Version="2.0">
<saml:Issuer>https://sso.company.example/realms/staff</saml:Issuer>
<samlp:Status><samlp:StatusCode Value="$SUCCESS"/></samlp:Status>
<saml:Assertion xmlns="$ASSERTION" ID="ID_9f3d5b7f-3a5a-4f7f-94f9-0a6a9c5a1e66" IssueInstant="$ISSUED" Version="2.0">
<saml:Issuer>https://sso.company.example/realms/staff</saml:Issuer>
<saml:Subject><saml:NameID Format="$F2:persistent">G-7a1d6a5e-6d3c-4b11-9f3e-9a4ef0ad9c01</saml:NameID>
<saml:SubjectConfirmation Method="$BEARER">
<saml:SubjectConfirmationData NotOnOrAfter="$SOON" Recipient="$AWS"/></saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="$ISSUED" NotOnOrAfter="$SOON"><saml:AudienceRestriction>
<saml:Audience>$AUDIENCE</saml:Audience></saml:AudienceRestriction></saml:Conditions>
<saml:AuthnStatement AuthnInstant="$ISSUED" SessionIndex="b0f8a1f0-6d3c::5f8e4f50" SessionNotOnOrAfter="$LATE">
<saml:AuthnContext><saml:AuthnContextClassRef>$CLASSES:unspecified</saml:AuthnContextClassRef></saml:AuthnContext>
</saml:AuthnStatement>
<saml:AttributeStatement>
<saml:Attribute FriendlyName="Session Name" Name="$A/RoleSessionName" NameFormat="$NF:basic">
<saml:AttributeValue $XS xsi:type="xs:string">mia@company.example</saml:AttributeValue></saml:Attribute>
<saml:Attribute FriendlyName="Session Role" Name="$A/Role" NameFormat="$NF:basic">
<saml:AttributeValue $XS xsi:type="xs:string">arn:aws:iam::444455556666:role/other,$PROVIDER</saml:AttributeValue>
</saml:Attribute>
<saml:Attribute Name="$A/Role" NameFormat="$NF:basic">
<saml:AttributeValue $XS xsi:type="xs:string">$ROLE,$PROVIDER</saml:AttributeValue></saml:Attribute>
</saml:AttributeStatement></saml:Assertion></samlp:Response>
"""

GOOGLE: Final = """
<saml2p:Response xmlns:saml2p="$PROTOCOL" Destination="$AWS" ID="_2f4f2c7b18c0f7d3e8a3f4a87f9c1b70"
 IssueInstant="$ISSUED" Version="2.0">
<saml2:Issuer xmlns:saml2="$ASSERTION">https://accounts.google.com/o/saml2?idpid=C01abc234</saml2:Issuer>
<saml2p:Status><saml2p:StatusCode Value="$SUCCESS"/></saml2p:Status>
<saml2:Assertion xmlns:saml2="$ASSERTION" ID="_c1bd4d5d8fd9a4b5a9fc6f3dbb7a0e11" IssueInstant="$ISSUED" Version="2.0">
<saml2:Issuer>https://accounts.google.com/o/saml2?idpid=C01abc234</saml2:Issuer>
<saml2:Subject><saml2:NameID Format="$F2:persistent">mia@company.example</saml2:NameID>
<saml2:SubjectConfirmation Method="$BEARER">
<saml2:SubjectConfirmationData NotOnOrAfter="$SOON" Recipient="$AWS"/></saml2:SubjectConfirmation></saml2:Subject>
<saml2:Conditions NotBefore="$BEFORE" NotOnOrAfter="$SOON"><saml2:AudienceRestriction>
<saml2:Audience>$AWS</saml2:Audience></saml2:AudienceRestriction></saml2:Conditions>
<saml2:AttributeStatement>
<saml2:Attribute Name="$A/RoleSessionName">
<saml2:AttributeValue $XS xsi:type="xs:anyType">mia@company.example</saml2:AttributeValue></saml2:Attribute>
<saml2:Attribute Name="$A/Role">
<saml2:AttributeValue $XS xsi:type="xs:anyType">$ROLE, $PROVIDER</saml2:AttributeValue></saml2:Attribute>
</saml2:AttributeStatement>
<saml2:AuthnStatement AuthnInstant="$ISSUED" SessionIndex="_c1bd4d5d8fd9a4b5a9fc6f3dbb7a0e11"><saml2:AuthnContext>
<saml2:AuthnContextClassRef>$CLASSES:unspecified</saml2:AuthnContextClassRef></saml2:AuthnContext>
</saml2:AuthnStatement></saml2:Assertion></saml2p:Response>
"""

SHIBBOLETH: Final = """
<saml2p:Response Destination="$AWS" ID="_5b1f7c0ea4d3bb57e2e4e45a8f8e8c01" InResponseTo="_req" IssueInstant="$ISSUED"
 Version="2.0" xmlns:saml2p="$PROTOCOL">
<saml2:Issuer xmlns:saml2="$ASSERTION">https://idp.university.example/idp/shibboleth</saml2:Issuer>
<saml2p:Status><saml2p:StatusCode Value="$SUCCESS"/></saml2p:Status>
<saml2:Assertion ID="_1d0a4a4d75b1a5aa5c7ea6b5f1a6ef02" IssueInstant="$ISSUED" Version="2.0"
 xmlns:saml2="$ASSERTION" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
<saml2:Issuer>https://idp.university.example/idp/shibboleth</saml2:Issuer>
<saml2:Subject><saml2:NameID Format="$F2:transient"
 NameQualifier="https://idp.university.example/idp/shibboleth" SPNameQualifier="$AUDIENCE"
 xmlns:saml2="$ASSERTION">AAdzZWNyZXQx4LbP5UJzG+O2ZbXcTVsY=</saml2:NameID>
<saml2:SubjectConfirmation Method="$BEARER">
<saml2:SubjectConfirmationData Address="203.0.113.9" InResponseTo="_req" NotOnOrAfter="$SOON" Recipient="$AWS"/>
</saml2:SubjectConfirmation></saml2:Subject>
<saml2:Conditions NotBefore="$ISSUED" NotOnOrAfter="$SOON"><saml2:AudienceRestriction>
<saml2:Audience>$AUDIENCE</saml2:Audience></saml2:AudienceRestriction></saml2:Conditions>
<saml2:AuthnStatement AuthnInstant="$ISSUED" SessionIndex="_9f1a7a" SessionNotOnOrAfter="$LATE">
<saml2:SubjectLocality Address="203.0.113.9"/><saml2:AuthnContext>
<saml2:AuthnContextClassRef>$CLASSES:PasswordProtectedTransport</saml2:AuthnContextClassRef></saml2:AuthnContext>
</saml2:AuthnStatement>
<saml2:AttributeStatement>
<saml2:Attribute FriendlyName="eduPersonTargetedID" Name="urn:oid:1.3.6.1.4.1.5923.1.1.1.10" NameFormat="$NF:uri">
<saml2:AttributeValue><saml2:NameID Format="$F2:persistent">0f3b</saml2:NameID></saml2:AttributeValue>
</saml2:Attribute>
<saml2:Attribute FriendlyName="eduPersonAffiliation" Name="urn:oid:1.3.6.1.4.1.5923.1.1.1.1" NameFormat="$NF:uri">
<saml2:AttributeValue>staff</saml2:AttributeValue><saml2:AttributeValue>member</saml2:AttributeValue>
</saml2:Attribute>
<saml2:Attribute FriendlyName="Role" Name="$A/Role" NameFormat="$NF:uri">
<saml2:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:type="xsd:string">$PROVIDER,$ROLE</saml2:AttributeValue></saml2:Attribute>
<saml2:Attribute FriendlyName="RoleSessionName" Name="$A/RoleSessionName" NameFormat="$NF:uri">
<saml2:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:type="xsd:string">mia@company.example</saml2:AttributeValue></saml2:Attribute>
</saml2:AttributeStatement></saml2:Assertion></saml2p:Response>
"""

ONELOGIN: Final = """
<samlp:Response xmlns:saml="$ASSERTION" xmlns:samlp="$PROTOCOL" ID="R8a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
 Version="2.0" IssueInstant="$ISSUED" Destination="$AWS">
<saml:Issuer>https://app.onelogin.com/saml/metadata/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0</saml:Issuer>
<samlp:Status><samlp:StatusCode Value="$SUCCESS"/></samlp:Status>
<saml:Assertion $XS Version="2.0" ID="pfx41d8ef22-e612-8c50-9960-1b16f15741b3" IssueInstant="$ISSUED">
<saml:Issuer>https://app.onelogin.com/saml/metadata/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0</saml:Issuer>
<saml:Subject><saml:NameID Format="$F2:transient">mia@company.example</saml:NameID>
<saml:SubjectConfirmation Method="$BEARER">
<saml:SubjectConfirmationData NotOnOrAfter="$SOON" Recipient="$REGIONAL"/></saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="$BEFORE" NotOnOrAfter="$SOON"><saml:AudienceRestriction>
<saml:Audience>https://signin.aws.amazon.com/saml</saml:Audience><saml:Audience>urn:example:second</saml:Audience>
</saml:AudienceRestriction></saml:Conditions>
<saml:AuthnStatement AuthnInstant="$ISSUED" SessionNotOnOrAfter="$LATE" SessionIndex="_6c1e5a50">
<saml:AuthnContext><saml:AuthnContextClassRef>$CLASSES:PasswordProtectedTransport</saml:AuthnContextClassRef>
</saml:AuthnContext></saml:AuthnStatement>
<saml:AttributeStatement>
<saml:Attribute NameFormat="$NF:basic" Name="$A/Role">
<saml:AttributeValue xsi:type="xs:string">$ROLE,$PROVIDER</saml:AttributeValue></saml:Attribute>
<saml:Attribute NameFormat="$NF:basic" Name="$A/RoleSessionName">
<saml:AttributeValue xsi:type="xs:string">mia@company.example</saml:AttributeValue></saml:Attribute>
<saml:Attribute NameFormat="$NF:basic" Name="memberOf"><saml:AttributeValue xsi:type="xs:string"/></saml:Attribute>
</saml:AttributeStatement></saml:Assertion></samlp:Response>
"""

FULL_KEY_INFO: Final = (
    "<{0}KeyName>FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE</{0}KeyName>"
    "<{0}X509Data><{0}X509SubjectName>CN=idp</{0}X509SubjectName><{0}X509Certificate>{cert}</{0}X509Certificate>"
    "</{0}X509Data><{0}KeyValue><{0}RSAKeyValue><{0}Modulus>AQAB</{0}Modulus><{0}Exponent>AQAB</{0}Exponent>"
    "</{0}RSAKeyValue></{0}KeyValue>"
)


def written(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def plain(text: str, **how: Any) -> bytes:
    """A response whose assertion alone is signed."""
    root = etree.fromstring(filled(text))
    sign(assertion_of(root), **how)
    return bytes(written(root))


def both(text: str, **how: Any) -> bytes:
    """A response that is signed itself, too."""
    root = etree.fromstring(filled(text))
    sign(assertion_of(root), **how)
    sign(root, **how)
    return bytes(written(root))


def encrypted(text: str, **how: Any) -> bytes:
    """A signed response whose assertion is signed, then encrypted."""
    root = etree.fromstring(filled(text))
    assertion = assertion_of(root)
    sign(assertion, **how)
    content = etree.tostring(etree.fromstring(etree.tostring(assertion)))
    hidden = idp.encrypt(assertion, idp.Encryption(data=f"{idp.XENC11}aes128-gcm", content=content))
    root.replace(assertion, hidden)
    sign(root, **how)
    return bytes(written(root))


def pretty(text: str) -> bytes:
    """A response that is indented before it is signed."""
    root = etree.fromstring(filled(text))
    etree.indent(root)
    sign(assertion_of(root), wrapped=76, spaced="\n      ")
    return bytes(written(root))


SHAPES: Final[dict[str, tuple[str, bytes]]] = {
    "Entra ID": (ENTRA, plain(ENTRA, prefix="")),
    "Entra ID, response and assertion": (ENTRA, both(ENTRA, prefix="")),
    "AD FS": (ADFS, plain(ADFS)),
    "AD FS, response and assertion": (ADFS, both(ADFS)),
    "Okta": (OKTA, both(OKTA, included="xs")),
    "Okta, assertion": (OKTA, plain(OKTA, included="xs")),
    "Keycloak": (KEYCLOAK, plain(KEYCLOAK, prefix="dsig", key_info=FULL_KEY_INFO)),
    "Keycloak, response and assertion": (KEYCLOAK, both(KEYCLOAK, prefix="dsig", key_info=FULL_KEY_INFO)),
    "Google Workspace": (GOOGLE, plain(GOOGLE, key_info=FULL_KEY_INFO, wrapped=76)),
    "Shibboleth": (SHIBBOLETH, both(SHIBBOLETH, included="xsd", wrapped=76, spaced="\n")),
    "Shibboleth, encrypted": (SHIBBOLETH, encrypted(SHIBBOLETH, included="xsd", wrapped=76, spaced="\n")),
    "OneLogin": (ONELOGIN, plain(ONELOGIN)),
    "OneLogin, response and assertion": (ONELOGIN, both(ONELOGIN)),
    "prefixes to keep, without a prefix": (OKTA, both(OKTA, included="#default xs saml2", included_prefix="")),
    "no prefixes to keep, in so many words": (OKTA, both(OKTA, included="")),
    "indented": (KEYCLOAK, pretty(KEYCLOAK)),
}


def case(name: str, text: str, response: bytes) -> dict[str, Any]:
    root = etree.fromstring(filled(text))
    name_id = root.find(f".//{idp.SAML}NameID")
    data = root.find(f".//{idp.SAML}SubjectConfirmationData")
    issuer = root.findtext(f"{idp.SAML}Issuer")
    assert name_id is not None
    assert data is not None
    return {
        "name": name,
        "provider_metadata": idp.metadata(idp.IDP_NEXT, idp.IDP, entity=issuer),
        "response": base64.b64encode(response).decode(),
        "now": idp.NOW,
        "rules": {},
        "issuer": issuer,
        "subject": name_id.text,
        "subject_type": name_id.get("Format", "").removeprefix(f"{FORMAT_2}:"),
        "audience": data.get("Recipient"),
        "session_name": "mia@company.example",
        "source_identity": None,
        "tags": {},
        "transitive_tag_keys": [],
    }


def main() -> None:
    vectors = {
        "provenance": "Made by tests/vectors/saml/make_shapes.py, after what products send; keys are for tests only.",
        "role": idp.ROLE,
        "provider": idp.PROVIDER,
        "account": idp.ACCOUNT,
        "provider_name": "Company",
        "private_key": (idp.KEYS / "service.key").read_text(),
        "good": [case(name, *shape) for name, shape in SHAPES.items()],
    }
    path = HERE.parent / "good" / "saml" / "shapes.json"
    path.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")


main()
