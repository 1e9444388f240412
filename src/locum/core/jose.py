"""JSON Object Signing: the one module that touches the JOSE library.

Algorithms are always named by the caller and never taken from a token alone (R1, R2): a token's ``alg`` only selects
among :data:`VERIFYING_ALGORITHMS`, each of which goes with keys of one type, and none of which is symmetric.

Tokens are taken apart here and not by the library, which is laxer: every member once, every character canonical (R3).
"""

from __future__ import annotations

import base64
from binascii import a2b_base64
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import load_der_private_key
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from locum.wire.strict_json import JsonError, read_json

__all__ = [
    "MAXIMUM_CONTAINERS",
    "MAXIMUM_HEADER",
    "MAXIMUM_TOKEN",
    "RSA_BITS",
    "SIGNING_ALGORITHMS",
    "VERIFYING_ALGORITHMS",
    "Compact",
    "JoseError",
    "PrivateKey",
    "PublicKey",
    "public_jwk",
    "read_compact",
    "read_jwk",
    "read_private_key",
    "sign",
]

PrivateKey = RSAKey | ECKey
"""A private key that signs; its ``repr`` shows nothing of it."""

SIGNING_ALGORITHMS: Final = ("RS256", "ES384")
"""What this server signs with: RSA of 2,048 bits with SHA-256, and P-384 with SHA-384 (STS-GWT-011)."""

_RSA_BITS: Final = 2_048


def read_private_key(document: bytes, algorithm: str) -> PrivateKey:
    """The key of one of :data:`SIGNING_ALGORITHMS` in PKCS #8 DER.

    The document must be one of our own that was opened from its seal: the numbers of an RSA key are not checked again,
    which would take 50 ms.  ValueError for what is no such key.
    """
    try:
        key = load_der_private_key(document, None, unsafe_skip_rsa_key_validation=True)
    except (TypeError, UnsupportedAlgorithm):
        raise ValueError("this is no private key in PKCS #8 that can be read") from None
    if algorithm == "RS256" and isinstance(key, RSAPrivateKey) and key.key_size == _RSA_BITS:
        return RSAKey.import_key(key)
    if algorithm == "ES384" and isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP384R1):
        return ECKey.import_key(key)
    raise ValueError(f"this is no key for {algorithm}")


def public_jwk(key: PrivateKey, *, key_id: str, algorithm: str) -> dict[str, str]:
    """The public half of a signing key as a JWK set lists it (RFC 7517 section 4)."""
    numbers = {name: str(value) for name, value in key.as_dict(private=False).items()}
    return {**numbers, "kid": key_id, "alg": algorithm, "use": "sig"}


def sign(header: Mapping[str, str], payload: bytes, key: PrivateKey) -> str:
    """The compact serialization of a signed payload (RFC 7515 section 7.1); ``header`` names the algorithm.

    ValueError where that is none of :data:`SIGNING_ALGORITHMS`.
    """
    algorithm = header.get("alg", "")
    if algorithm not in SIGNING_ALGORITHMS:
        raise ValueError(f"this server does not sign with {algorithm!r}")
    return jws.serialize_compact(dict(header), payload, key, algorithms=[algorithm])


# Reading what others signed

MAXIMUM_TOKEN: Final = 20_000
"""Characters of a token (STS-V-T23)."""
MAXIMUM_HEADER: Final = 4_096
"""Characters of a token's encoded header."""
MAXIMUM_CONTAINERS: Final = 512
"""Objects and lists of a token's header or payload, which bounds their depth too."""
RSA_BITS: Final = range(2_048, 8_193)
"""Sizes of RSA keys that verify: smaller ones can be broken, larger ones take a verifier's time."""

_EXPONENT_BITS: Final = 64

_URL_SAFE: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
_LAST: Final = {2: frozenset(b"AQgw"), 3: frozenset(b"AEIMQUYcgkosw048")}
"""Length modulo 4 → the last characters whose unused bits are zero (RFC 4648 section 3.5); no length leaves 1."""


class JoseError(ValueError):
    """What is no token, no key, or not signed by the key; the text says why and holds nothing of a token."""


class Compact(NamedTuple):
    """A token taken apart, nothing of it verified: header and payload, the bytes that were signed, the signature."""

    header: dict[str, Any]
    payload: dict[str, Any]
    signed: bytes
    signature: bytes


def read_compact(token: str) -> Compact:
    """Take a signed token apart (RFC 7515 section 7.1); JoseError for every other text.

    Stricter than AWS where R3 asks for it.  Refused are members that occur twice, padding and other characters beyond
    base64url, unused bits that are set, headers that bring or name a key of their own, extensions (``crit``), and a
    payload that is not encoded (``b64``).
    """
    if len(token) > MAXIMUM_TOKEN:
        raise JoseError(f"it has more than {MAXIMUM_TOKEN} characters")
    try:
        signed, _, last = token.encode("ascii").rpartition(b".")
    except UnicodeEncodeError:
        raise JoseError("it has characters that no token has") from None
    first, _, second = signed.partition(b".")
    if not (first and second and last) or b"." in second:
        raise JoseError("it has not three parts")
    if len(first) > MAXIMUM_HEADER:
        raise JoseError(f"its header has more than {MAXIMUM_HEADER} characters")
    header = _object(_decoded(first), "header")
    _check_header(header)
    return Compact(header, _object(_decoded(second), "payload"), signed, _decoded(last))


def _check_header(header: dict[str, Any]) -> None:
    if type(header.get("alg")) is not str:
        raise JoseError("its header names no algorithm")
    if (key_id := header.get("kid")) is not None and type(key_id) is not str:
        raise JoseError("its header's kid is not text")
    if header.keys() & _REFUSED_HEADERS:
        raise JoseError(f"its header has {', '.join(sorted(header.keys() & _REFUSED_HEADERS))}")
    if header.get("b64", True) is not True:
        raise JoseError("its payload is not encoded")


_REFUSED_HEADERS: Final = frozenset({"crit", "jku", "jwk", "x5c", "x5u", "zip", "enc"})
"""Keys come from the issuer alone; no extension is understood (RFC 7515 section 4.1.11)."""


def _decoded(part: bytes) -> bytes:
    """The bytes of canonical base64url without padding (RFC 7515 section 2)."""
    over = len(part) & 3
    if over == 1 or (over and part[-1] not in _LAST[over]):
        raise JoseError("it is not canonical base64url")
    try:
        return a2b_base64(part.translate(_URL_SAFE) + b"==="[: -over & 3], strict_mode=True)
    except ValueError:
        raise JoseError("it is not base64url") from None


def _object(document: bytes, what: str) -> dict[str, Any]:
    try:
        value = read_json(document, containers=MAXIMUM_CONTAINERS)
    except JsonError as error:
        raise JoseError(str(error)) from None
    if type(value) is not dict:
        raise JoseError(f"its {what} is not an object")
    return value


class _Algorithm(NamedTuple):
    key_type: str
    curves: tuple[str, ...]
    model: Any


VERIFYING_ALGORITHMS: Final[Mapping[str, _Algorithm]] = {
    name: _Algorithm(key_type, curves, jws.JWSRegistry.algorithms[name])
    for name, key_type, curves in (
        *((f"{family}{size}", "RSA", ()) for family in ("RS", "PS") for size in (256, 384, 512)),
        ("ES256", "EC", ("P-256",)),
        ("ES384", "EC", ("P-384",)),
        ("ES512", "EC", ("P-521",)),
        ("EdDSA", "OKP", ("Ed25519", "Ed448")),
    )
}
"""Every algorithm that a configuration can allow, with the type of its keys; there is no way to any other (R1, R2)."""

_CURVES: Final = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_EDWARDS: Final = {
    "Ed25519": ed25519.Ed25519PublicKey.from_public_bytes,
    "Ed448": ed448.Ed448PublicKey.from_public_bytes,
}


class PublicKey:
    """A key that verifies, of type ``RSA``, ``EC`` or ``OKP`` (RFC 7518 section 6.1); ``curve`` is empty for RSA."""

    __slots__ = ("_key", "curve", "key_type")

    def __init__(self, key: RSAKey | ECKey | OKPKey, curve: str) -> None:
        self.key_type: Final = key.key_type
        self.curve: Final = curve
        self._key: Final = key

    def fits(self, algorithm: str) -> bool:
        """Whether the algorithm is one for keys of this type (R2)."""
        known = VERIFYING_ALGORITHMS.get(algorithm)
        return (
            known is not None and known.key_type == self.key_type and (not known.curves or self.curve in known.curves)
        )

    def verify(self, algorithm: str, signed: bytes, signature: bytes) -> None:
        """JoseError unless this key made the signature with this algorithm."""
        if not self.fits(algorithm):
            raise JoseError(f"a key of type {self.key_type} is not for {algorithm}")
        try:
            right = VERIFYING_ALGORITHMS[algorithm].model.verify(signed, signature, self._key)
        except (ValueError, UnsupportedAlgorithm):
            right = False
        if right is not True:
            raise JoseError("the signature is wrong")


def read_jwk(jwk: Mapping[str, Any]) -> PublicKey:
    """The public key of a JWK as AWS takes it (STS-WI-022); JoseError with the reason for what cannot be used.

    ``alg`` is ignored, ``use`` must be ``sig`` where there is one, ``key_ops`` must be absent, ``x5c`` must hold the
    same key.  Private members are not looked at.
    """
    if jwk.get("use", "sig") != "sig":
        raise JoseError("its use is not sig")
    if "key_ops" in jwk:
        raise JoseError("it has key_ops")
    key_type = jwk.get("kty")
    try:
        if key_type == "RSA":
            found: Any = _rsa(jwk)
            key = PublicKey(RSAKey.import_key(found), "")
        elif key_type == "EC" and (curve := _CURVES.get(str(jwk.get("crv")))) is not None:
            numbers = ec.EllipticCurvePublicNumbers(_number(jwk, "x"), _number(jwk, "y"), curve)
            found = numbers.public_key()
            key = PublicKey(ECKey.import_key(found), str(jwk["crv"]))
        elif key_type == "OKP" and (load := _EDWARDS.get(str(jwk.get("crv")))) is not None:
            found = load(_bytes(jwk, "x"))
            key = PublicKey(OKPKey.import_key(found), str(jwk["crv"]))
        else:
            raise JoseError("its type is none that verifies")
        if "x5c" in jwk and _certified(jwk["x5c"]) != found:
            raise JoseError("its certificate is for another key")
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise JoseError(str(error) if type(error) is JoseError else "its numbers are those of no key") from None
    return key


def _rsa(jwk: Mapping[str, Any]) -> RSAPublicKey:
    modulus, exponent = _number(jwk, "n"), _number(jwk, "e")
    if modulus.bit_length() not in RSA_BITS:
        raise JoseError(f"it has {modulus.bit_length()} bits, not {RSA_BITS[0]} to {RSA_BITS[-1]}")
    if exponent.bit_length() > _EXPONENT_BITS:
        raise JoseError(f"its exponent has more than {_EXPONENT_BITS} bits")
    return RSAPublicNumbers(exponent, modulus).public_key()


def _bytes(jwk: Mapping[str, Any], name: str) -> bytes:
    value = jwk.get(name)
    if type(value) is not str or not value:
        raise JoseError(f"it has no {name}")
    return _decoded(value.encode())


def _number(jwk: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(_bytes(jwk, name), "big")


def _certified(chain: Any) -> Any:
    """The public key of the first certificate of an ``x5c`` (RFC 7517 section 4.7)."""
    if type(chain) is not list or not chain or type(chain[0]) is not str:
        raise JoseError("its x5c holds no certificate")
    return x509.load_der_x509_certificate(base64.b64decode(chain[0], validate=True)).public_key()
