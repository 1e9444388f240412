"""The keys of an account's issuer over time, what is published of them, and what they sign (area GWT)."""

from __future__ import annotations

import json
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK, JWKSet
from jwcrypto.jwt import JWT

from locum.core import jose, outbound
from locum.core.outbound import AHEAD, BEHIND
from locum.core.records import OutboundIssuer, SigningKey
from locum.core.sealing import CannotOpen, Vault

ACCOUNT: Final = "123456789012"
NOW: Final = 1_767_323_045
VAULT: Final = Vault(bytes(range(32)))
RECORD: Final = OutboundIssuer(account=ACCOUNT, id="0a1b2c3d-0000-4000-8000-00000000000a", created=NOW, enabled=True)
DRAWN: Final[dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey]] = {
    "RS256": rsa.generate_private_key(65_537, 2_048),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "small": rsa.generate_private_key(65_537, 1_024),
    "P-256": ec.generate_private_key(ec.SECP256R1()),
}
DOCUMENTS: Final = {
    name: each.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()) for name, each in DRAWN.items()
}


def key(id: str, signs: int, *, algorithm: str = "RS256", created: int = NOW, vault: Vault = VAULT) -> SigningKey:
    document = DOCUMENTS[algorithm]
    public = jose.public_jwk(jose.read_private_key(document, algorithm), key_id=id, algorithm=algorithm)
    secret = vault.wrap(document, purpose="signing-key", name=f"{ACCOUNT}/{id}", nonce=bytes(12))
    return SigningKey(
        account=ACCOUNT, id=id, algorithm=algorithm, created=created, signs=signs, jwk=public, secret=secret
    )


def shown(keys: list[SigningKey], now: float) -> dict[str, str]:
    return {each.id: state for each, state in outbound.states(keys, now)}


def published(keys: list[SigningKey], now: float) -> list[str]:
    return [each["kid"] for each in json.loads(outbound.jwks(keys, now))["keys"]]


# A rotation at NOW of a key from the day before: (seconds after it, the old key, the new one).
ROTATION: Final = [
    (0, "signing", "announced"),
    (AHEAD - 1, "signing", "announced"),
    (AHEAD, "published", "signing"),
    (AHEAD + BEHIND - 1, "published", "signing"),
    (AHEAD + BEHIND, "withdrawn", "signing"),
    (10 * BEHIND, "withdrawn", "signing"),
    (-86_400 - 1, "signing", "announced"),
]


@pytest.mark.parametrize(("after", "old", "new"), ROTATION)
def test_a_rotation_overlaps_on_both_sides(after: int, old: str, new: str) -> None:
    keys = [key("new", NOW + AHEAD), key("old", NOW - 86_400, created=NOW - 86_400)]
    assert shown(keys, NOW + after) == {"old": old, "new": new}
    expected = [id for id, state in (("old", old), ("new", new)) if state != "withdrawn"]
    assert published(keys, NOW + after) == expected


def test_the_new_key_is_known_before_it_signs_and_the_old_one_until_its_last_token_is_over() -> None:
    assert AHEAD > outbound.FRESH
    assert BEHIND >= 3_600


def test_the_later_one_signs_of_two_that_begin_in_the_same_second() -> None:
    keys = [key("b", NOW), key("a", NOW, created=NOW + 1)]
    assert shown(keys, NOW) == {"b": "published", "a": "signing"}


def test_each_algorithm_has_a_key_of_its_own_that_signs() -> None:
    keys = [key("r", NOW), key("e", NOW + AHEAD, algorithm="ES384")]
    assert shown(keys, NOW) == {"r": "signing", "e": "signing"}
    assert outbound.signing([keys[0]], "ES384", NOW) is None


TIMES: Final = st.integers(-3 * BEHIND, 3 * BEHIND)
PLAIN: Final = {id: key(id, NOW) for id in "abcdef"}


@given(st.lists(TIMES, min_size=1, max_size=6), TIMES, st.integers(60, 3_600))
def test_whatever_signs_is_published_for_as_long_as_the_token_lives(starts: list[int], now: int, lives: int) -> None:
    keys = [
        SigningKey(
            account=ACCOUNT, id=id, algorithm="RS256", created=NOW, signs=NOW + at, jwk=PLAIN[id].jwk, secret=b""
        )
        for id, at in zip("abcdef", starts, strict=False)
    ]
    signer = outbound.signing(keys, "RS256", NOW + now)
    assert signer is not None
    for later in (0, 1, lives):
        assert signer.id in published(keys, NOW + now + later)
    assert list(shown(keys, NOW + now).values()).count("signing") == 1


# Documents


def test_the_discovery_document_names_the_issuer_its_keys_and_algorithms() -> None:
    url = outbound.issuer_url("https://sts.example.org", RECORD.id)
    document = json.loads(outbound.discovery(url))
    assert url == "https://sts.example.org/issuer/0a1b2c3d-0000-4000-8000-00000000000a"
    assert document["issuer"] == url
    assert document["jwks_uri"] == f"{url}/.well-known/jwks.json"
    assert document["id_token_signing_alg_values_supported"] == ["RS256", "ES384"]
    assert document["subject_types_supported"] == ["public"]
    assert document["response_types_supported"] == ["id_token"]


PRIVATE: Final = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}


@pytest.mark.facts("STS-GWT-011")
def test_published_keys_are_public_and_of_the_promised_sizes() -> None:
    keys = [key("r", NOW), key("e", NOW, algorithm="ES384")]
    found: dict[str, dict[str, Any]] = {each["kid"]: each for each in json.loads(outbound.jwks(keys, NOW))["keys"]}
    assert [each & PRIVATE for each in map(set, found.values())] == [set(), set()]
    assert {name: (each["kty"], each["alg"], each["use"]) for name, each in found.items()} == {
        "r": ("RSA", "RS256", "sig"),
        "e": ("EC", "ES384", "sig"),
    }
    assert found["e"]["crv"] == "P-384"
    assert jwt.PyJWK(found["r"]).key.key_size == 2_048


# Signing


@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_others_verify_what_an_issuer_signs(algorithm: str) -> None:
    keys = [key("r", NOW), key("e", NOW, algorithm="ES384")]
    issuer = outbound.open_issuer(RECORD, keys, VAULT)
    token = issuer.token(algorithm, json.dumps({"aud": "api", "sub": "x"}).encode(), NOW)
    document = outbound.jwks(keys, NOW).decode()
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "kid": algorithm[0].lower(), "typ": "JWT"}
    theirs = jwt.PyJWKSet.from_json(document)[algorithm[0].lower()]
    assert jwt.decode(token, theirs, algorithms=[algorithm], audience="api")["sub"] == "x"
    other = JWT(jwt=token, key=JWKSet.from_json(document), algs=[algorithm])
    assert json.loads(other.claims)["sub"] == "x"


def test_an_issuer_without_a_key_signs_nothing() -> None:
    with pytest.raises(LookupError):
        outbound.open_issuer(RECORD, [key("r", NOW)], VAULT).token("ES384", b"{}", NOW)


def test_only_the_two_algorithms_are_signed_with() -> None:
    private = jose.read_private_key(DOCUMENTS["RS256"], "RS256")
    for header in ({"alg": "none"}, {"alg": "HS256"}, {"alg": "PS256"}, {}):
        with pytest.raises(ValueError, match="does not sign"):
            jose.sign(header, b"{}", private)


@pytest.mark.parametrize(
    ("document", "algorithm"),
    [("RS256", "ES384"), ("ES384", "RS256"), ("small", "RS256"), ("P-256", "ES384"), ("RS256", "PS256")],
)
def test_a_key_of_another_kind_is_refused(document: str, algorithm: str) -> None:
    with pytest.raises(ValueError, match="no key for"):
        jose.read_private_key(DOCUMENTS[document], algorithm)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_key_are_refused(document: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the library's own words
        jose.read_private_key(document, "RS256")


@pytest.mark.facts("R44")
def test_a_key_opens_under_its_own_wrapping_key_account_and_id_only() -> None:
    sealed = key("r", NOW)
    assert DOCUMENTS["RS256"] not in sealed.secret
    moved = [
        SigningKey(
            account=account, id=id, algorithm="RS256", created=NOW, signs=NOW, jwk=sealed.jwk, secret=sealed.secret
        )
        for account, id in (("999999999999", "r"), (ACCOUNT, "s"))
    ]
    for each, vault in ((sealed, Vault(bytes(range(1, 33)))), *((each, VAULT) for each in moved)):
        with pytest.raises(CannotOpen):
            outbound.open_issuer(RECORD, [each], vault)


@pytest.mark.facts("R38")
def test_opened_keys_do_not_print() -> None:
    issuer = outbound.open_issuer(RECORD, [key("r", NOW)], VAULT)
    numbers = JWK.from_pem(jose.read_private_key(DOCUMENTS["RS256"], "RS256").as_pem(private=True)).export(
        private_key=True, as_dict=True
    )
    assert numbers["d"] not in repr(issuer)
