"""Three SAML identity providers: npm's ``samlp``, Debian's SimpleSAMLphp and pysaml2, and a browser that logs in.

Each gives the ``SAMLResponse`` that the browser would post to the service, which does not run here.
"""

from __future__ import annotations

import datetime
import json
import shutil
import warnings
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from tests.interop.idps.authority import KeyPair, pair
from tests.interop.idps.browser import Browser
from tests.interop.idps.programs import node_is_missing, program

__all__ = [
    "AWS",
    "ROLE",
    "SESSION_NAME",
    "IdentityProvider",
    "PySaml2",
    "Samlp",
    "Service",
    "SimpleSamlPhp",
    "role_attributes",
]

_ATTRIBUTES: Final = "https://aws.amazon.com/SAML/Attributes/"
ROLE: Final = f"{_ATTRIBUTES}Role"
SESSION_NAME: Final = f"{_ATTRIBUTES}RoleSessionName"
PERSISTENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
SIMPLESAMLPHP: Final = Path("/usr/share/simplesamlphp")

Attributes = Mapping[str, list[str]]


class Service(NamedTuple):
    """A service provider as an identity provider knows it; with a certificate, assertions to it are encrypted.

    ``metadata`` is its own metadata document, where it has one; :class:`PySaml2` reads that.
    """

    entity: str = "urn:amazon:webservices"
    acs: str = "https://signin.aws.amazon.com/saml"
    encryption: KeyPair | None = None
    metadata: str = ""


AWS: Final = Service()
"""What the templates of every product have for AWS."""


def role_attributes(
    *pairs: tuple[str, str], session_name: str, source_identity: str = "", transitive: tuple[str, ...] = (), **tags: str
) -> Attributes:
    """The attributes that AWS asks for: pairs of role and provider ARN, the session's name, tags."""
    more = {"SourceIdentity": [source_identity] if source_identity else [], "TransitiveTagKeys": list(transitive)}
    return {
        ROLE: [f"{role},{provider}" for role, provider in pairs],
        SESSION_NAME: [session_name],
        **{f"{_ATTRIBUTES}{name}": values for name, values in more.items() if values},
        **{f"{_ATTRIBUTES}PrincipalTag:{key}": [value] for key, value in tags.items()},
    }


class IdentityProvider(Protocol):
    """What the three have in common."""

    entity: str
    """The entity id, which is the assertions' issuer."""

    def metadata(self) -> str:
        """The metadata document, as the provider publishes it."""

    def login(self, who: str, service: Service = AWS) -> str:
        """The ``SAMLResponse`` for somebody who logs in, base64."""


def _authentication_request(service: Service, destination: str) -> str:
    """An AuthnRequest in the encoding of the HTTP redirect binding."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    xml = (
        '<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
        'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_request" Version="2.0" '
        f'IssueInstant="{now}" Destination="{destination}" AssertionConsumerServiceURL="{service.acs}">'
        f"<saml:Issuer>{service.entity}</saml:Issuer></samlp:AuthnRequest>"
    )
    deflated = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return b64encode(deflated.compress(xml.encode()) + deflated.flush()).decode()


# --- samlp


class Samlp:
    """A running ``samlp``; what it encrypts, it encrypts with AES-256-GCM and RSA-OAEP."""

    def __init__(self, url: str, entity: str) -> None:
        self._url = url
        self.entity = entity

    @staticmethod
    def why_not() -> str:
        """Why it cannot run here; empty where it can."""
        return node_is_missing("samlp", "express")

    @classmethod
    @contextmanager
    def running(
        cls, accounts: Mapping[str, Attributes], *services: Service, entity: str = "urn:company:samlp"
    ) -> Iterator[Samlp]:
        """The provider with ``accounts`` of attributes by login, for ``services``."""
        keys = pair("samlp")
        told = {
            "entity": entity,
            "key": keys.key,
            "certificate": keys.certificate,
            "serviceProviders": {
                each.entity: {
                    "acs": each.acs,
                    "encrypt": each.encryption
                    and {"certificate": each.encryption.certificate, "key": each.encryption.public_key},
                }
                for each in services
            },
            "accounts": {who: {"format": PERSISTENT, "attributes": has} for who, has in accounts.items()},
        }
        with program(["node", "idps/samlp.mjs"], told=told) as url:
            yield cls(url, entity)

    def metadata(self) -> str:
        """See :class:`IdentityProvider`."""
        return Browser().get(f"{self._url}/metadata").text

    def login(self, who: str, service: Service = AWS, *, whole: bool = False) -> str:
        """See :class:`IdentityProvider`; ``whole`` signs the Response as well as the assertion."""
        asked = {"login": who, "SAMLRequest": _authentication_request(service, f"{self._url}/sso")}
        page = Browser().get(f"{self._url}/sso", asked | ({"whole": "1"} if whole else {}))
        assert page.form.action == service.acs
        return page.form.fields["SAMLResponse"]


# --- SimpleSAMLphp


class SimpleSamlPhp:
    """A running SimpleSAMLphp 1.19, which signs response and assertion and can encrypt with AES-128-CBC alone."""

    entity = "urn:company:simplesamlphp"
    PASSWORD: Final = "any word"

    def __init__(self, url: str) -> None:
        self._url = url

    @staticmethod
    def why_not() -> str:
        """Why it cannot run here; empty where it can."""
        if shutil.which("php") is None or not SIMPLESAMLPHP.is_dir():
            return "php or Debian's simplesamlphp is not installed: SimpleSAMLphp is NOT tested"
        return ""

    @classmethod
    @contextmanager
    def running(cls, folder: Path, accounts: Mapping[str, Attributes], *services: Service) -> Iterator[SimpleSamlPhp]:
        """The provider with its files in ``folder``, with ``accounts`` of attributes by login, for ``services``."""
        keys = pair("simplesamlphp")
        for name in ("cert", "data", "log", "metadata", "sessions", "temporary"):
            (folder / name).mkdir()
        (folder / "cert" / "idp.pem").write_text(keys.key)
        (folder / "cert" / "idp.crt").write_text(keys.certificate)
        for number, each in enumerate(services):
            if each.encryption is not None:
                (folder / "cert" / f"sp-{number}.crt").write_text(each.encryption.certificate)
        told = {
            "entity": cls.entity,
            "password": cls.PASSWORD,
            "accounts": accounts,
            "services": [
                {"entity": each.entity, "acs": each.acs, "certificate": each.encryption and f"sp-{number}.crt"}
                for number, each in enumerate(services)
            ],
        }
        (folder / "told.json").write_text(json.dumps(told))
        for source in (Path(__file__).with_name("simplesamlphp")).rglob("*.php"):
            shutil.copy(source, folder / source.relative_to(Path(__file__).with_name("simplesamlphp")))
        # The address is in no file: SimpleSAMLphp takes it from each request.
        command = ["php", "-d", f"session.save_path={folder / 'sessions'}", "-S", "127.0.0.1:0"]
        more = {"SIMPLESAMLPHP_CONFIG_DIR": str(folder), "TMPDIR": str(folder / "temporary")}
        with program(
            [*command, "-t", str(SIMPLESAMLPHP / "www")], r"Development Server \((\S+)\) started", more=more
        ) as url:
            yield cls(url)

    def metadata(self) -> str:
        """See :class:`IdentityProvider`."""
        return Browser().get(f"{self._url}/saml2/idp/metadata.php").text

    def login(self, who: str, service: Service = AWS) -> str:
        """See :class:`IdentityProvider`; the login begins at the provider and nothing asked for it."""
        browser = Browser()
        page = browser.get(f"{self._url}/saml2/idp/SSOService.php", {"spentityid": service.entity})
        page = browser.submit(page.form, username=who, password=self.PASSWORD)
        assert page.form.action == service.acs, page
        return page.form.fields["SAMLResponse"]


# --- pysaml2


class PySaml2:
    """pysaml2 in this process; it encrypts with 3DES alone, through Debian's ``xmlsec1``.

    ``digest`` is ``sha256``, or ``sha1`` as it comes: then also its signatures are RSA with SHA-1.
    """

    entity = "urn:company:pysaml2"

    def __init__(
        self, folder: Path, accounts: Mapping[str, Attributes], *services: Service, digest: str = "sha256"
    ) -> None:
        with warnings.catch_warnings(action="ignore"):  # its own use of cryptography is behind the times
            from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
            from saml2.config import IdPConfig
            from saml2.server import Server

        self._accounts = accounts
        self._digest = digest
        keys = pair("pysaml2")
        (folder / "idp.pem").write_text(keys.key)
        (folder / "idp.crt").write_text(keys.certificate)
        for number, each in enumerate(services):
            (folder / f"sp-{number}.xml").write_text(each.metadata or _service_metadata(each))
        configuration = IdPConfig().load(
            {
                "entityid": self.entity,
                "key_file": str(folder / "idp.pem"),
                "cert_file": str(folder / "idp.crt"),
                "xmlsec_binary": shutil.which("xmlsec1"),
                "metadata": {"local": [str(folder / f"sp-{number}.xml") for number in range(len(services))]},
                "service": {
                    "idp": {
                        "endpoints": {
                            "single_sign_on_service": [("https://idp.company.example/sso", BINDING_HTTP_REDIRECT)]
                        },
                        "name_id_format": [PERSISTENT],
                        "policy": {"default": {"lifetime": {"minutes": 5}, "attribute_restrictions": None}},
                    }
                },
            }
        )
        self._server: Any = Server(config=configuration)
        self._binding = BINDING_HTTP_POST

    @staticmethod
    def why_not() -> str:
        """Why it cannot run here; empty where it can."""
        if shutil.which("xmlsec1") is None:
            return "Debian's xmlsec1 is not installed: pysaml2 is NOT tested"
        return ""

    def metadata(self) -> str:
        """See :class:`IdentityProvider`."""
        from saml2.metadata import entity_descriptor

        return str(entity_descriptor(self._server.config))

    def login(self, who: str, service: Service = AWS) -> str:
        """See :class:`IdentityProvider`."""
        from saml2 import xmldsig
        from saml2.saml import NameID

        strong = self._digest == "sha256"
        response = self._server.create_authn_response(
            dict(self._accounts[who]),
            "_request",
            service.acs,
            service.entity,
            name_id=NameID(format=PERSISTENT, text=who),
            authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"},
            sign_assertion=True,
            sign_response=False,
            sign_alg=xmldsig.SIG_RSA_SHA256 if strong else xmldsig.SIG_RSA_SHA1,
            digest_alg=xmldsig.DIGEST_SHA256 if strong else xmldsig.DIGEST_SHA1,
            encrypt_assertion=service.encryption is not None,
        )
        return b64encode(str(response).encode()).decode()


def _service_metadata(service: Service) -> str:
    """A service's metadata for a provider that reads it from a file."""
    keys = ""
    if service.encryption is not None:
        body = "".join(service.encryption.certificate.split("\n")[1:-2])
        keys = (
            '<md:KeyDescriptor use="encryption"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>'
            f"<ds:X509Certificate>{body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        )
    return (
        f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{service.entity}">'
        '<md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
        f'{keys}<md:AssertionConsumerService index="0" Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
        f'Location="{service.acs}"/></md:SPSSODescriptor></md:EntityDescriptor>'
    )
