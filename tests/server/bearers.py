"""An OpenID Connect issuer without a network, a server that may ask it, and the bearers of its tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from locum.api import sts
from locum.api.iam import oidc_providers
from locum.core.key_set import read_keys
from locum.core.oidc import IssuerRules
from locum.errors import IDPCommunicationErrorException
from locum.secret import Secret
from locum.server.federation_settings import FederationSettings
from locum.server.issuers import Fetched, FetchError
from locum.server.jwks import IssuerKeys
from locum.server.providers import Providers

from .conftest import ACCOUNT, START, World

URL: Final = "https://idp.example.com/tenant"
PREFIX: Final = "idp.example.com/tenant"
PROVIDER: Final = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{PREFIX}"
CLIENT: Final = "locum-tests"
SUBJECT: Final = "repo:acme/app:ref:main"
TAGS: Final = "https://aws.amazon.com/tags"
SOURCE_IDENTITY: Final = "https://aws.amazon.com/source_identity"
ROLES: Final = "https://aws.amazon.com/roles"
SERVER_URL: Final = "http://127.0.0.1:8380"


@lru_cache(maxsize=8)
def private_key(name: str) -> rsa.RSAPrivateKey:
    """A key of this run; the same for the same name."""
    return rsa.generate_private_key(65537, 2048)


class Issuer:
    """Signs tokens, and hands out its keys unless it is ``down``; ``asked`` lists whom of it was fetched."""

    def __init__(self, url: str = URL) -> None:
        self.url = url
        self.down = False
        self.key_ids = ["first"]
        self.asked: list[str] = []

    def key_set(self) -> bytes:
        """The JWKS document."""
        keys = [
            {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private_key(name).public_key())), "kid": name}
            for name in self.key_ids
        ]
        for each in keys:
            each.pop("key_ops", None)
        return json.dumps({"keys": keys}).encode()

    def token(
        self,
        more: Mapping[str, Any] | None = None,
        *,
        by: str = "first",
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A token signed with the key of that name; claims given replace the usual ones, None leaves one out."""
        usual = {"iss": self.url, "sub": SUBJECT, "aud": CLIENT, "iat": int(START) - 10, "exp": int(START) + 600}
        members = {name: value for name, value in {**usual, **claims, **(more or {})}.items() if value is not None}
        return jwt.encode(members, private_key(by), algorithm="RS256", headers={"kid": by, **(header or {})})

    def fetch(self, issuer: str, rules: IssuerRules, thumbprints: tuple[str, ...]) -> Fetched:
        """What the server does to have its keys."""
        self.asked.append(issuer)
        if self.down:
            raise FetchError("it is down", IDPCommunicationErrorException, "it cannot be reached")
        return Fetched(read_keys(self.key_set()))


class FederatedWorld(World):
    """A server that knows an issuer."""

    def __init__(self, folder: Path, issuer: Issuer, settings: FederationSettings | None = None) -> None:
        self.issuer = issuer
        keys = IssuerKeys(clock=lambda: self.now, own_prefix=f"{SERVER_URL}/issuer/", fetcher=issuer.fetch)
        super().__init__(folder, Providers(settings, url=SERVER_URL, keys=keys))

    def provider(self, url: str = URL, *client_ids: str, root: Any = None) -> str:
        """A new OIDC provider's ARN."""
        command = oidc_providers.CreateOpenIDConnectProviderCommand(url=url, client_id_list=client_ids or (CLIENT,))
        return self.call(root or self.root, command).open_id_connect_provider_arn


def asking(role_arn: str, token: str, session: str = "s1", **more: Any) -> sts.AssumeRoleWithWebIdentityCommand:
    """The call of a bearer."""
    return sts.AssumeRoleWithWebIdentityCommand(
        role_arn=role_arn, role_session_name=session, web_identity_token=Secret(token), **more
    )


def trusting(provider: str = PROVIDER, *more: str, **condition: Any) -> dict[str, Any]:
    """A trust policy for a provider; ``more`` are further actions, and operators of conditions stand by their names."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": ["sts:AssumeRoleWithWebIdentity", *more],
    }
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}
