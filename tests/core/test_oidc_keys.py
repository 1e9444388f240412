"""JWKS documents: which keys count, under which id, and what is refused (STS-WI-022)."""

from __future__ import annotations

import base64
import datetime
import json
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto import jwk

from locum.core.jose import JoseError, read_jwk
from locum.core.key_set import MAXIMUM_KEY_SET, MAXIMUM_KEYS, KeySetError, read_keys
from locum.core.oidc import IssuerRules, UnknownKey, verify

from .issuer import ISSUER, KEYS, NOW, key_set, public, token

EC: Final = public("p256")


def verifies(document: bytes, made: str) -> bool:
    try:
        verify(made, read_keys(document), issuer=ISSUER, client_ids=["client-1"], rules=IssuerRules(), now=NOW)
    except UnknownKey:
        return False
    return True


def certificate(name: str) -> str:
    """A self-signed certificate for the key, as ``x5c`` has it."""
    private: Any = jwk.JWK(**KEYS[name]).get_op_key("sign")
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, private.public_key(), 1, start, start.replace(year=2040))
        .sign(private, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )
    return base64.b64encode(made).decode()


@pytest.mark.facts("STS-WI-022")
@pytest.mark.parametrize(
    "keys",
    [
        [public("rsa")],
        [public("rsa", use="sig")],
        [public("rsa", alg="ES256")],
        [public("rsa", alg="RS512", use="sig")],
        [public("rsa", x5c=[certificate("rsa")])],
        [public("rsa", x5c=[certificate("rsa"), "not looked at"])],
        [public("rsa", x5t="wrong", extra={"a": [1]})],
        [KEYS["rsa"]],
        [public("forger", kid="rsa"), public("rsa")],
        [public("rsa"), public("forger", kid="rsa", use="enc")],
        [public("rsa"), {"kty": "oct", "k": "c2VjcmV0", "kid": "rsa"}],
        [1, None, [], {}, {"kty": "RSA"}, {"kty": 1, "kid": "x"}, public("rsa")],
    ],
)
def test_a_key_that_counts(keys: list[Any]) -> None:
    assert verifies(key_set(*keys), token())


@pytest.mark.facts("STS-WI-022")
@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (public("rsa", kid=None), "it has no kid"),
        (public("rsa", kid=""), "it has no kid"),
        (public("rsa", kid=1), "it has no kid"),
        (public("rsa", use="enc"), "its use is not sig"),
        (public("rsa", use=["sig"]), "its use is not sig"),
        (public("rsa", key_ops=["verify"]), "it has key_ops"),
        (public("rsa", key_ops=[]), "it has key_ops"),
        (public("rsa", x5c=[certificate("forger")]), "its certificate is for another key"),
        (public("rsa", x5c=[certificate("p256")]), "its certificate is for another key"),
        (public("rsa", x5c=["AAAA"]), "its numbers are those of no key"),
        (public("rsa", x5c=[]), "its x5c holds no certificate"),
        (public("rsa", n=None, e=None, x5c=[certificate("rsa")]), "it has no n"),
        (public("rsa", e=None), "it has no e"),
        (public("rsa", e="AQ"), "its numbers are those of no key"),
        (public("rsa", n=public("rsa")["n"] + "="), "it is not canonical base64url"),
        (public("rsa", n="é!"), "it is not canonical base64url"),
        (public("rsa", n="AAA!AAAA"), "it is not base64url"),
        (public("rsa", n=["AQAB"]), "it has no n"),
        (public("rsa", kty="EC"), "its type is none that verifies"),
        (public("p256", crv="P-384"), "its numbers are those of no key"),
        (public("p256", crv="secp256k1"), "its type is none that verifies"),
        (public("p256", crv=["P-256"]), "its type is none that verifies"),
        (public("p256", x=EC["y"]), "its numbers are those of no key"),
        (public("ed25519", x="AA"), "its numbers are those of no key"),
        (public("ed25519", crv="X25519"), "its type is none that verifies"),
        ({"kty": "oct", "k": "c2VjcmV0", "kid": "x"}, "its type is none that verifies"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_key_that_does_not_count_says_why(key: dict[str, Any], reason: str) -> None:
    keys = read_keys(key_set(key))
    assert len(keys) == 0
    assert [why for _, why in keys.unusable] == [reason]
    assert not verifies(key_set(key), token())


@pytest.mark.parametrize("bits", [1_024, 2_047, 8_193])
def test_an_rsa_key_has_a_size_that_is_neither_weak_nor_slow(bits: int) -> None:
    number = ((1 << bits) - 1).to_bytes((bits + 7) // 8, "big")
    with pytest.raises(JoseError, match=f"it has {bits} bits, not 2048 to 8192"):
        read_jwk({"kty": "RSA", "n": base64.urlsafe_b64encode(number).rstrip(b"=").decode(), "e": "AQAB"})


def test_an_rsa_key_has_an_exponent_that_is_not_slow() -> None:
    with pytest.raises(JoseError, match="exponent"):
        read_jwk(public("rsa", e=public("rsa")["n"]))


@pytest.mark.facts("STS-WI-022")
def test_of_two_keys_with_one_id_the_later_counts() -> None:
    both = key_set(public("rsa"), public("forger", kid="rsa"))
    assert not verifies(both, token())
    assert verifies(both, token("forger", kid="rsa"))
    other_type = key_set(public("rsa"), public("p256", kid="rsa"))
    assert not verifies(other_type, token())
    assert verifies(other_type, token("p256", "ES256", kid="rsa"))


@pytest.mark.facts("STS-WI-022")
def test_a_token_without_kid_needs_exactly_one_key_that_counts() -> None:
    made = token(kid=None)
    assert verifies(key_set(public("rsa")), made)
    assert verifies(key_set(public("rsa"), public("p256", use="enc")), made)
    assert not verifies(key_set(public("rsa"), public("p256")), made)
    assert not verifies(key_set(), made)


@pytest.mark.facts("STS-WI-022")
def test_beyond_a_hundred_rsa_keys_only_the_others_count() -> None:
    hundred = [public("rsa", kid=f"rsa-{number}") for number in range(99)] + [public("rsa"), public("p256")]
    assert verifies(key_set(*hundred), token())
    more = [*hundred, public("rsa", kid="one more")]
    assert not verifies(key_set(*more), token())
    assert verifies(key_set(*more), token("p256", "ES256"))
    assert read_keys(key_set(*more)).key_ids == ("p256",)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "it is not JSON"),
        (b"[]", "it has no list of keys"),
        (b"{}", "it has no list of keys"),
        (b'{"keys":{}}', "it has no list of keys"),
        (b'{"keys":[],"keys":[]}', "it has a member twice"),
        (b'{"keys":[]} ', None),
        (b'{"keys":[]}x', "it is not JSON"),
        (b'{"keys":[\xff]}', "it is not JSON"),
        (b'{"keys":[' + b"[" * 5_000, "it has more than 4000 objects and lists"),
        (b'{"keys":[' + b"[" * 3_000 + b"]" * 3_000 + b"]}", "it is nested deeper than 64 levels"),
        (b" " * (MAXIMUM_KEY_SET + 1), f"it has more than {MAXIMUM_KEY_SET} bytes"),
        (json.dumps({"keys": [1] * (MAXIMUM_KEYS + 1)}).encode(), f"it has more than {MAXIMUM_KEYS} keys"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_document_that_is_no_key_set(document: bytes, reason: str | None) -> None:
    if reason is None:
        assert len(read_keys(document)) == 0
        return
    with pytest.raises(KeySetError, match=reason):
        read_keys(document)


def test_a_key_verifies_nothing_for_an_algorithm_of_another_type() -> None:
    key = read_jwk(public("p256"))
    for algorithm in ("RS256", "ES384", "EdDSA", "HS256", "none", ""):
        assert not key.fits(algorithm)
        with pytest.raises(JoseError):
            key.verify(algorithm, b"", b"")


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), nested, max_leaves=8
)
MEMBERS: Final = st.fixed_dictionaries(
    {"kid": st.just("k") | JSON, "kty": st.sampled_from(["RSA", "EC", "OKP", "oct"]) | JSON},
    optional={
        name: JSON | st.sampled_from([public("rsa").get(name, ""), EC.get(name, ""), "P-256", "Ed25519"])
        for name in ("n", "e", "x", "y", "crv", "use", "x5c", "key_ops")
    },
)


@given(st.lists(MEMBERS | JSON, max_size=4))
def test_any_list_of_anything_is_a_key_set_or_refused(keys: list[Any]) -> None:
    document = json.dumps({"keys": keys}).encode()
    try:
        read = read_keys(document)
    except KeySetError:
        return
    assert len(read) + len(read.unusable) <= len(keys)
    assert all(read.find(each) is not None for each in read.key_ids)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_key_set_or_refused(data: bytes) -> None:
    try:
        read_keys(data)
    except KeySetError:
        return


def test_keys_of_unusual_public_exponents_count() -> None:
    private = rsa.generate_private_key(3, 2048)
    made = jwk.JWK.from_pyca(private.public_key())
    assert read_jwk(json.loads(made.export_public())).key_type == "RSA"


CERTIFICATE: Final = base64.b64decode(certificate("rsa"))


@given(st.integers(0, len(CERTIFICATE) - 1), st.integers(1, 255))
def test_a_certificate_with_another_byte_makes_a_key_or_none(place: int, change: int) -> None:
    der = bytearray(CERTIFICATE)
    der[place] ^= change
    assert len(read_keys(key_set(public("rsa", x5c=[base64.b64encode(der).decode()])))) in (0, 1)


def test_a_certificate_of_an_unknown_version_makes_no_key() -> None:
    der = CERTIFICATE.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020131"), 1)
    assert der != CERTIFICATE
    assert len(read_keys(key_set(public("rsa", x5c=[base64.b64encode(der).decode()])))) == 0
