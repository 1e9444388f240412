"""Identity providers for the load: an OpenID Connect issuer and a SAML provider, in this process and on loopback.

Issuer and keys live as long as the process, so that every server of a run knows them.  What a bearer shows is made when
requests are: a token is good for ten minutes, an assertion for five.
"""

from __future__ import annotations

import base64
import functools
import json
import socket
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

__all__ = [
    "CLIENT",
    "ENTITY",
    "RECIPIENT",
    "TABLES",
    "Hanging",
    "certificate",
    "issuer",
    "key_set",
    "metadata",
    "private_key",
    "response",
    "token",
]

CLIENT: Final = "build"
ENTITY: Final = "https://idp.example.com/metadata"
RECIPIENT: Final = "https://signin.aws.amazon.com/saml"
TABLES: Final = '[[oidc]]\nprovider = "*"\nloopback-http = true\n'
"""What a server's configuration file needs for the issuer on loopback."""

_KEY_ID: Final = "bench-1"
_ATTRIBUTES: Final = "https://aws.amazon.com/SAML/Attributes/"
_ASSERTION: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
_PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
_GROUPS: Final = 14


@functools.cache
def private_key() -> rsa.RSAPrivateKey:
    """The key of both providers: RSA, 2,048 bits."""
    return rsa.generate_private_key(65537, 2048)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def key_set() -> dict[str, Any]:
    """The issuer's JWKS."""
    numbers = private_key().public_key().public_numbers()
    modulus, exponent = (
        _base64url(each.to_bytes((each.bit_length() + 7) // 8, "big")) for each in (numbers.n, numbers.e)
    )
    return {"keys": [{"kty": "RSA", "kid": _KEY_ID, "use": "sig", "alg": "RS256", "n": modulus, "e": exponent}]}


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = f"http://{self.headers['host']}"
        document = {"issuer": url, "jwks_uri": f"{url}/keys"} if "well-known" in self.path else key_set()
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the progress of the run readable."""


@functools.cache
def issuer() -> str:
    """The URL of the issuer, which answers from the first call on."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


class Hanging:
    """A port that takes connections and never answers."""

    def __init__(self) -> None:
        self._listener: Final = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._held: Final[list[socket.socket]] = []
        self.url: Final = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                self._held.append(self._listener.accept()[0])

    def close(self) -> None:
        """Let everybody go."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._held:
            each.close()


def token(subject: str, *, by: str | None = None) -> str:
    """An identity token of the issuer, or of the one at ``by``, signed with RS256 now; about 700 characters."""
    from joserfc import jwt
    from joserfc.jwk import RSAKey

    now = int(time.time())
    claims = {
        "iss": by or issuer(),
        "sub": subject,
        "aud": CLIENT,
        "iat": now,
        "exp": now + 600,
        "jti": f"{now}-{subject}",
        "email": f"{subject}@example.com",
        "amr": ["pwd", "otp"],
    }
    return jwt.encode({"alg": "RS256", "kid": _KEY_ID}, claims, RSAKey.import_key(private_key()))


@functools.cache
def certificate() -> x509.Certificate:
    """The SAML provider's certificate."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp.example.com")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key().public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(private_key(), hashes.SHA256())
    )


def metadata() -> str:
    """The SAML provider's metadata."""
    shown = base64.b64encode(certificate().public_bytes(Encoding.DER)).decode()
    return (
        f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{ENTITY}">'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{_PROTOCOL}"><md:KeyDescriptor use="signing">'
        '<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>'
        f"<ds:X509Certificate>{shown}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
        'Location="https://idp.example.com/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>'
    )


def response(subject: str, role_arn: str, provider_arn: str) -> bytes:
    """A SAML response whose assertion is signed with RSA-SHA256 now; about 5.5 kB."""
    from lxml import etree
    from signxml.algorithms import CanonicalizationMethod
    from signxml.signer import XMLSigner

    now = datetime.now(UTC)

    def at(seconds: int) -> str:
        return (now + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def attribute(name: str, *values: str) -> str:
        inner = "".join(f"<saml:AttributeValue>{each}</saml:AttributeValue>" for each in values)
        return f'<saml:Attribute Name="{name}">{inner}</saml:Attribute>'

    groups = (f"cn=group-{number:03d},ou=engineering,dc=example,dc=com" for number in range(_GROUPS))
    attributes = (
        attribute(f"{_ATTRIBUTES}Role", f"{role_arn},{provider_arn}"),
        attribute(f"{_ATTRIBUTES}RoleSessionName", f"{subject}@example.com"),
        attribute(f"{_ATTRIBUTES}SessionDuration", "3600"),
        attribute("urn:oid:1.3.6.1.4.1.5923.1.1.1.1", "staff", "member"),
        attribute("http://schemas.xmlsoap.org/claims/Group", *groups),
    )
    assertion = etree.fromstring(
        f'<saml:Assertion xmlns:saml="{_ASSERTION}" ID="_{subject}" Version="2.0" IssueInstant="{at(-5)}">'
        f"<saml:Issuer>{ENTITY}</saml:Issuer>"
        '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"/><saml:Subject>'
        f'<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{subject}</saml:NameID>'
        '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
        f'<saml:SubjectConfirmationData NotOnOrAfter="{at(295)}" Recipient="{RECIPIENT}"/>'
        f'</saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{at(-5)}" NotOnOrAfter="{at(295)}">'
        "<saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience></saml:AudienceRestriction>"
        f'</saml:Conditions><saml:AuthnStatement AuthnInstant="{at(-5)}"><saml:AuthnContext>'
        "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>"
        "</saml:AuthnContext></saml:AuthnStatement>"
        f"<saml:AttributeStatement>{''.join(attributes)}</saml:AttributeStatement></saml:Assertion>"
    )
    signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    signed = signer.sign(
        assertion, key=private_key(), cert=[certificate()], reference_uri=f"_{subject}", id_attribute="ID"
    )
    text = etree.tostring(signed, encoding="unicode")
    return (
        f'<samlp:Response xmlns:samlp="{_PROTOCOL}" ID="_response-{subject}" Version="2.0" IssueInstant="{at(-5)}" '
        f'Destination="{RECIPIENT}"><saml:Issuer xmlns:saml="{_ASSERTION}">{ENTITY}</saml:Issuer>'
        '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
        f"{text}</samlp:Response>"
    ).encode()
