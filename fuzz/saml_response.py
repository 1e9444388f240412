"""SAML responses: nobody's signature makes any of them good, and what was signed cannot be changed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from locum.core.saml import Expected, SamlRules, read_metadata, verify
from locum.errors import ExpiredTokenException, IDPRejectedClaimException, InvalidIdentityTokenException

_VECTORS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "tests" / "vectors" / "good" / "saml" / "made.json").read_text()
)
_NAMES: Final = ("RSA with SHA-256", "the response signed too", "AES-256-GCM", "AES-128-CBC")
_GOOD: Final = [vector for vector in _VECTORS["good"] if vector["name"] in _NAMES]
_KEY: Final[Any] = load_pem_private_key(_VECTORS["private_key"].encode(), None)
_EXPECTED: Final = Expected(
    provider_arn=_VECTORS["provider"],
    account=_VECTORS["account"],
    provider_name=_VECTORS["provider_name"],
    role_arn=_VECTORS["role"],
    metadata=read_metadata(_GOOD[0]["provider_metadata"]),
    private_keys=(_KEY,),
    rules=SamlRules(allow_cbc=True, lax=True),
)
_REFUSALS: Final = (InvalidIdentityTokenException, ExpiredTokenException, IDPRejectedClaimException)
SEEDS: Final = (
    *(base64.b64decode(vector["response"]) for vector in _GOOD),
    b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    b'<?xml version="1.0"?><samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" Version="2.0" ID="a"/>',
)


def run(data: bytes) -> None:
    """The data as a response, and as its base64: a declared error, or the one identity that was signed (R35)."""
    for text in (base64.b64encode(data).decode(), data.decode("latin-1")):
        try:
            found = verify(text, _EXPECTED, _GOOD[0]["now"], request_id="r").identity
        except _REFUSALS:
            continue
        assert (found.issuer, found.subject) == (_GOOD[0]["issuer"], _GOOD[0]["subject"])
        assert {tag.key: tag.value for tag in found.tags} == _GOOD[0]["tags"]
