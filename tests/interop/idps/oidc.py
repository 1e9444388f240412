"""npm's ``oidc-provider``, a certified OpenID provider, and a relying party's code flow with it."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from jwcrypto import jwk
from tests.interop.idps.authority import Authority
from tests.interop.idps.browser import Browser
from tests.interop.idps.programs import node_is_missing, program

__all__ = ["ALGORITHMS", "PROGRAM", "OidcProvider", "oidc_provider", "why_not"]

CALLBACK: Final = "https://portal.example.com/callback"
"""Where the provider sends the browser; nothing runs there."""

ALGORITHMS: Final[Mapping[str, dict[str, Any]]] = {
    "RS256": {"kty": "RSA", "size": 2048},
    "ES256": {"kty": "EC", "crv": "P-256"},
    "ES384": {"kty": "EC", "crv": "P-384"},
    "EdDSA": {"kty": "OKP", "crv": "Ed25519"},
}
"""The algorithms that :func:`oidc_provider` has a key and a client for; PS256 and HS256 have clients too."""
PROGRAM: Final = "people-s-program"
"""A public client: it may have the browser sent to any port of this machine, and use the device flow."""
SECRET: Final = "a client's secret of a test, long enough for HS256"


def why_not() -> str:
    """Why the provider cannot run here; empty where it can."""
    return node_is_missing("oidc-provider")


def client_id(algorithm: str) -> str:
    """The client whose ID tokens are signed with ``algorithm``."""
    return f"portal-{algorithm.lower()}"


class OidcProvider:
    """A provider that runs, seen by a company's portal that people log in to."""

    def __init__(self, issuer: str, authority: Authority | None) -> None:
        self.issuer: Final = issuer
        self.authority: Final = None if authority is None else authority.certificate
        """PEM of the authority behind the provider's certificate; None where it speaks plain HTTP."""
        self._trust = ssl.create_default_context(cadata=self.authority)

    def client_id(self, algorithm: str = "RS256") -> str:
        """The client whose ID tokens are signed with ``algorithm``."""
        return client_id(algorithm)

    def fetch(self, url: str, form: Mapping[str, str] | None = None, *, client: str = "") -> Any:
        """The JSON that a back channel's request answers."""
        request = urllib.request.Request(url, None if form is None else urlencode(form).encode())
        if client:
            basic = base64.b64encode(urlencode({client: SECRET}).replace("=", ":", 1).encode()).decode()
            request.add_header("Authorization", f"Basic {basic}")
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._trust)
        )
        with opener.open(request, timeout=30) as answer:
            return json.load(answer)

    def keys(self) -> dict[str, Any]:
        """The JWKS, found as every verifier finds it."""
        document = self.fetch(f"{self.issuer}/.well-known/openid-configuration")
        keys: dict[str, Any] = self.fetch(document["jwks_uri"])
        return keys

    def login(self, who: str, algorithm: str = "RS256") -> str:
        """The ID token for somebody who logs in with the authorization code flow: PKCE, login and consent pages."""
        discovered = self.fetch(f"{self.issuer}/.well-known/openid-configuration")
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        client = client_id(algorithm)
        asked = {
            "client_id": client,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid",
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        browser = Browser(self.authority)
        page = browser.get(discovered["authorization_endpoint"], asked)
        page = browser.submit(page.form, login=who, password="any")
        page = browser.submit(page.form)
        sent = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
        assert page.url.startswith(CALLBACK), page
        assert sent["state"] == state
        granted = {
            "grant_type": "authorization_code",
            "code": sent["code"],
            "redirect_uri": CALLBACK,
            "code_verifier": verifier,
        }
        tokens = self.fetch(discovered["token_endpoint"], granted, client=client)
        return str(tokens["id_token"])


@contextmanager
def oidc_provider(accounts: Mapping[str, Mapping[str, Any]], authority: Authority | None) -> Iterator[OidcProvider]:
    """The provider on a free port, with ``accounts`` of claims by login; plain HTTP where there is no ``authority``."""
    keys = [
        json.loads(jwk.JWK.generate(**form, alg=name, use="sig", kid=f"key-{name.lower()}").export())
        for name, form in ALGORITHMS.items()
    ]
    # The RSA key also serves PS256: there its algorithm must not be fixed.
    del keys[0]["alg"]
    clients = [
        {
            "client_id": client_id(algorithm),
            "client_secret": SECRET,
            "redirect_uris": [CALLBACK],
            "id_token_signed_response_alg": algorithm,
        }
        for algorithm in [*ALGORITHMS, "PS256", "HS256"]
    ]
    program_of_people: dict[str, Any] = {
        "client_id": PROGRAM,
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"],
        "redirect_uris": ["http://127.0.0.1/callback"],
    }
    server = None if authority is None else authority.loopback()
    told = {
        "jwks": {"keys": keys},
        "clients": [*clients, program_of_people],
        "accounts": accounts,
        "tls": None if server is None else {"key": server.key, "cert": server.certificate},
    }
    with program(["node", "idps/oidc_provider.mjs"], told=told) as issuer:
        yield OidcProvider(issuer, authority)
