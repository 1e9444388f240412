"""What the libraries that verify do alone: joserfc with a token, signxml with the signature of an assertion."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from cryptography import x509

from benchmarks import federation

__all__ = ["joserfc", "signxml"]


def joserfc(key_set: Mapping[str, Any], issuer: str) -> Callable[[str], object]:
    """Verification of a token with keys imported before: signature, issuer, audience and times."""
    from joserfc import jwt
    from joserfc.jwk import KeySet

    keys = KeySet.import_key_set(key_set)  # type: ignore[arg-type]
    claims = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer}, aud={"essential": True, "value": federation.CLIENT}
    )

    def verify(token: str) -> object:
        decoded = jwt.decode(token, keys, algorithms=["RS256"])
        claims.validate(decoded.claims)
        return decoded

    return verify


def signxml(certificate: x509.Certificate) -> Callable[[str], object]:
    """Verification of the signature in a response, as base64, by a certificate; nothing else is looked at."""
    from signxml.verifier import SignatureConfiguration, XMLVerifier

    configuration = SignatureConfiguration(location=".//")

    def verify(response: str) -> object:
        return XMLVerifier().verify(
            base64.b64decode(response), x509_cert=certificate, id_attribute="ID", expect_config=configuration
        )

    return verify
