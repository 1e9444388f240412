"""An issuer whose keys are handed over as a file: it signs any claims at any time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from jwcrypto import jwk, jwt

__all__ = ["Issuer"]


class Issuer:
    """An OIDC issuer by its URL, with one RSA key; ``clock`` gives epoch seconds."""

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        self.url: Final = url
        self._clock = clock
        self._key = jwk.JWK.generate(kty="RSA", size=2048, kid="k-1", use="sig", alg="RS256")

    @property
    def name(self) -> str:
        """The URL without its scheme, as provider ARNs and condition keys have it."""
        return self.url.removeprefix("https://")

    def keys(self) -> str:
        """The JWKS, JSON."""
        return json.dumps({"keys": [self._key.export_public(as_dict=True)]})

    def token(self, subject: str, *, audience: str = "sts.amazonaws.com", lives: int = 300, **claims: Any) -> str:
        """An ID token that was issued now and lives for so many seconds."""
        now = int(self._clock())
        said = {"iss": self.url, "sub": subject, "aud": audience, "iat": now, "exp": now + lives, **claims}
        token = jwt.JWT(header={"alg": "RS256", "kid": "k-1"}, claims=said)
        token.make_signed_token(self._key)
        return str(token.serialize())
