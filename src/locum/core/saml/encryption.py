"""Encrypted assertions (XML encryption 1.1, 4 and 5): AES under a key that came with RSA-OAEP, and nothing else.

AES-GCM is authenticated.  AES-CBC is not, and whoever may alter ciphertexts and watch the answers could decrypt with
them, so it is for those who ask for it.  3DES and RSA 1.5 are never accepted (STS-SAML-019).  Whatever fails between
here and a valid signature of the decrypted assertion is to be told in one way.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

from locum.core.saml.names import XENC, XENC11, dsig, xenc, xenc11

__all__ = ["DecryptionError", "decrypt"]

_GCM: Final = {f"{XENC11}aes128-gcm": 16, f"{XENC11}aes256-gcm": 32}
_CBC: Final = {f"{XENC}aes128-cbc": 16, f"{XENC}aes256-cbc": 32}
"""Algorithm → bytes of its key."""

_OAEP_MGF1_SHA1: Final = f"{XENC}rsa-oaep-mgf1p"
_OAEP: Final = f"{XENC11}rsa-oaep"
_MASKS: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    f"{XENC11}mgf1sha1": hashes.SHA1,
    f"{XENC11}mgf1sha256": hashes.SHA256,
}
_DIGESTS: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    "http://www.w3.org/2000/09/xmldsig#sha1": hashes.SHA1,
    f"{XENC}sha256": hashes.SHA256,
}
_NONCE: Final = 12
_TAG: Final = 16
_BLOCK: Final = 16


class DecryptionError(ValueError):
    """An encrypted assertion that does not open; the text quotes nothing of it, and is for the operator only."""


def decrypt(encrypted: etree._Element, keys: Iterable[RSAPrivateKey], *, allow_cbc: bool = False) -> bytes:
    """The content of an EncryptedAssertion, by the first of the private keys that opens it; DecryptionError.

    The EncryptedKey is in the KeyInfo of the EncryptedData or beside it; there is exactly one.
    """
    data = _only(encrypted, xenc("EncryptedData"), "EncryptedData")
    if data.get("Type", f"{XENC}Element") != f"{XENC}Element":
        raise DecryptionError("what is encrypted is not an element")
    algorithm = _only(data, xenc("EncryptionMethod"), "EncryptionMethod").get("Algorithm", "")
    size = _GCM.get(algorithm) or (_CBC.get(algorithm) if allow_cbc else None)
    if size is None:
        raise DecryptionError("the data's algorithm is not AES-GCM" + ("" if allow_cbc else "; allow-cbc is off"))
    carrier = _encrypted_key(encrypted, data)
    padding = _padding(_only(carrier, xenc("EncryptionMethod"), "EncryptionMethod"))
    wrapped, ciphertext = _cipher_value(carrier), _cipher_value(data)
    for private_key in keys:
        try:
            key = private_key.decrypt(wrapped, padding)
            if len(key) == size:
                return _open(key, ciphertext) if algorithm in _GCM else _open_cbc(key, ciphertext)
        except (ValueError, InvalidTag):
            continue
    raise DecryptionError("no private key of the provider opens it")


def _only(parent: etree._Element, tag: str, name: str) -> etree._Element:
    found = parent.findall(tag)
    if len(found) != 1:
        raise DecryptionError(f"there is not exactly one {name}")
    return found[0]


def _encrypted_key(encrypted: etree._Element, data: etree._Element) -> etree._Element:
    """The one EncryptedKey; a reference to it, where there is one, names it."""
    beside = encrypted.findall(xenc("EncryptedKey"))
    inside = data.findall(f"{dsig('KeyInfo')}/{xenc('EncryptedKey')}")
    if len(beside) + len(inside) != 1:
        raise DecryptionError("there is not exactly one EncryptedKey")
    (carrier,) = beside or inside
    for reference in data.iterfind(f"{dsig('KeyInfo')}/{dsig('RetrievalMethod')}"):
        name = carrier.get("Id")
        if not name or reference.get("URI") != f"#{name}" or len(reference):
            raise DecryptionError("the RetrievalMethod does not simply name the EncryptedKey")
    return carrier


def _padding(method: etree._Element) -> OAEP:
    """RSA-OAEP with the digests that the method names; SHA-1 is the default of both (XML encryption 1.1, 5.5.2)."""
    algorithm = method.get("Algorithm", "")
    if algorithm not in (_OAEP_MGF1_SHA1, _OAEP):
        raise DecryptionError("the key's algorithm is not RSA-OAEP")
    digest: type[hashes.HashAlgorithm] | None = hashes.SHA1
    mask: type[hashes.HashAlgorithm] | None = hashes.SHA1
    for child in method:
        if child.tag == dsig("DigestMethod"):
            digest = _DIGESTS.get(child.get("Algorithm", ""))
        elif child.tag == xenc11("MGF") and algorithm == _OAEP:
            mask = _MASKS.get(child.get("Algorithm", ""))
        else:
            raise DecryptionError("the key's RSA-OAEP has parameters that are not accepted")
    if digest is None or mask is None:
        raise DecryptionError("the key's RSA-OAEP uses another digest than SHA-1 or SHA-256")
    return OAEP(mgf=MGF1(mask()), algorithm=digest(), label=None)


def _cipher_value(parent: etree._Element) -> bytes:
    value = _only(_only(parent, xenc("CipherData"), "CipherData"), xenc("CipherValue"), "CipherValue")
    try:
        return binascii.a2b_base64("".join((value.text or "").split()), strict_mode=True)
    except ValueError:
        raise DecryptionError("a CipherValue is not base64") from None


def _open(key: bytes, ciphertext: bytes) -> bytes:
    if len(ciphertext) < _NONCE + _TAG:
        raise ValueError("too short")
    return AESGCM(key).decrypt(ciphertext[:_NONCE], ciphertext[_NONCE:], None)


def _open_cbc(key: bytes, ciphertext: bytes) -> bytes:
    """AES-CBC with XML encryption's padding: the last byte says how many bytes are no content (5.2.2)."""
    if len(ciphertext) < 2 * _BLOCK or len(ciphertext) % _BLOCK:
        raise ValueError("not whole blocks")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(ciphertext[:_BLOCK])).decryptor()
    padded = decryptor.update(ciphertext[_BLOCK:]) + decryptor.finalize()
    if not 1 <= padded[-1] <= _BLOCK:
        raise ValueError("not padded")
    return padded[: -padded[-1]]
