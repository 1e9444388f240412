"""An OpenID Connect issuer for tests: its keys, the JWKS that it publishes, and the tokens that it signs (by PyJWT)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import jwt
from jwcrypto import jwk

ISSUER: Final = "https://idp.example.com"
NOW: Final = 1_800_000_100
ROLE: Final = "arn:aws:iam::111122223333:role/ops/deploy"
CLAIMS: Final[dict[str, Any]] = {
    "iss": ISSUER,
    "sub": "alice",
    "aud": "client-1",
    "iat": 1_800_000_000,
    "exp": 1_800_003_600,
}
KEYS: Final[dict[str, dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "oidc" / "keys.json").read_text()
)
"""Name → JWK with its private members: ``rsa``, ``forger``, ``p256``, ``p384``, ``p521``, ``ed25519``, ``ed448``."""


def public(name: str, **members: Any) -> dict[str, Any]:
    """The public JWK of a key; members that are None are left out."""
    shown = {**jwk.JWK(**KEYS[name]).export_public(as_dict=True), **members}
    return {name: value for name, value in shown.items() if value is not None}


def key_set(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def token(key: str = "rsa", algorithm: str = "RS256", *, kid: str | None = "", **claims: Any) -> str:
    """A token of the issuer; ``kid`` is the key's name unless another is given, None for no kid."""
    pem = jwk.JWK(**KEYS[key]).export_to_pem(private_key=True, password=None)
    headers = None if kid is None else {"kid": kid or key}
    return jwt.encode({**CLAIMS, **claims}, pem, algorithm=algorithm, headers=headers)
