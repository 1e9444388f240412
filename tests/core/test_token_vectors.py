"""Stored tokens of every released format version open forever, and the format is the documented one.

The reading side below is written from docs/token-format.md alone, with the standard library's HMAC for HKDF; the stored
vectors were sealed by its counterpart, not by the code under test.
"""

from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from locum.core.sealing import Vault
from locum.core.session import Session, SessionKind
from locum.core.token import KeyRing, Purpose, SealingKey
from locum.secret import Secret

VECTORS: Final = Path(__file__).parents[1] / "vectors"
TOKENS: Final[dict[str, Any]] = json.loads((VECTORS / "tokens" / "v1.json").read_text())
AT_REST: Final[dict[str, Any]] = json.loads((VECTORS / "sealing" / "v1.json").read_text())
RING: Final = KeyRing(SealingKey(each["id"], each["created"], bytes.fromhex(each["secret"])) for each in TOKENS["ring"])


def hkdf(key: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    """RFC 5869 for outputs of one block."""
    extracted = hmac.digest(salt or bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")[:size]


def session_of(claims: dict[str, Any]) -> Session:
    kind = SessionKind[claims["kind"]]
    rest = {"policy_arns": tuple(claims["policy_arns"]), "secret": Secret(claims["secret"]), "kind": kind}
    return Session(**{**claims, **rest})


@pytest.mark.parametrize("vector", TOKENS["sessions"], ids=lambda each: str(each["name"]))
def test_stored_session_token_opens_with_its_claims(vector: dict[str, Any]) -> None:
    assert RING.open_session(vector["token"]) == session_of(vector["claims"])


@pytest.mark.parametrize("vector", TOKENS["sessions"], ids=lambda each: str(each["name"]))
def test_sealing_the_claims_again_gives_a_token_of_the_same_version_that_opens(vector: dict[str, Any]) -> None:
    newest = KeyRing([SealingKey(vector["key"], 1, _secret(vector["key"]))])
    token = newest.seal_session(session_of(vector["claims"]), bytes.fromhex(vector["nonce"]))
    raw = base64.b64decode(token)
    assert raw[:18] == base64.b64decode(vector["token"])[:18]
    assert RING.open_session(token) == session_of(vector["claims"])


@pytest.mark.parametrize("vector", TOKENS["markers"], ids=lambda each: str(each["name"]))
def test_stored_marker_opens(vector: dict[str, Any]) -> None:
    assert RING.open(Purpose.PAGINATION_MARKER, vector["token"]) == bytes.fromhex(vector["plaintext"])


@pytest.mark.facts("R14", "R15")
@pytest.mark.parametrize("purpose", Purpose, ids=lambda each: str(each.name))
def test_a_token_is_laid_out_as_documented(purpose: Purpose) -> None:
    key, nonce = TOKENS["ring"][-1], bytes(range(12))
    raw = base64.b64decode(RING.seal(purpose, b"plaintext", nonce), validate=True)
    assert raw[:6] == bytes((1, purpose)) + bytes.fromhex(key["id"])
    assert raw[6:18] == nonce
    info = f"locum token v1 {purpose.name}".encode()
    derived = hkdf(bytes.fromhex(key["secret"]), bytes.fromhex(key["id"]), info, 32)
    assert AESGCM(derived).decrypt(nonce, raw[18:], raw[:6]) == b"plaintext"


def test_claims_are_an_array_in_the_documented_order() -> None:
    vector = TOKENS["sessions"][0]
    claims = vector["claims"]
    token = RING.seal_session(session_of(claims), bytes(12))
    array = msgspec.msgpack.decode(RING.open(Purpose.SESSION_TOKEN, token))
    names = ["access_key_id", "secret", "account", "principal_id", "name", "issued", "expires", "policy", "policy_arns"]
    assert array[:10] == [SessionKind[claims["kind"]].value, *(claims[name] for name in names)]


@pytest.mark.facts("R44")
@pytest.mark.parametrize("vector", AT_REST["secrets"], ids=lambda each: str(each["name"]))
def test_stored_secret_at_rest_opens_and_is_laid_out_as_documented(vector: dict[str, Any]) -> None:
    wrapping = bytes.fromhex(AT_REST["wrapping_key"])
    sealed, plaintext = bytes.fromhex(vector["sealed"]), bytes.fromhex(vector["plaintext"])
    assert Vault(wrapping).unwrap(sealed, purpose=vector["purpose"], name=vector["name"]) == plaintext
    assert sealed[:5] == b"\x01" + hkdf(wrapping, b"", b"locum rest v1 id", 4)
    use = vector["purpose"].encode()
    associated = sealed[:5] + len(use).to_bytes(2, "big") + use + vector["name"].encode()
    cipher = AESGCM(hkdf(wrapping, b"", b"locum rest v1 key", 32))
    assert cipher.decrypt(sealed[5:17], sealed[17:], associated) == plaintext


def _secret(key_id: str) -> bytes:
    return bytes.fromhex(next(each["secret"] for each in TOKENS["ring"] if each["id"] == key_id))
