"""Encryption at rest: what the store keeps of a secret (R44).

A sealed record secret is, byte by byte::

    0       1  version, 1
    1       4  id of the wrapping key: tells a wrong key from damage
    5      12  nonce, random, never used twice
    17      n  AES-256-GCM ciphertext and its 16-byte tag

The associated data is the first five bytes, the purpose and the record's name, so that a sealed secret moved to another
record or another use does not open.  The encryption key and the key's id both derive from the wrapping key by
HKDF-SHA-256 (RFC 5869) under different labels; the id says nothing about the key.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["KEY_SIZE", "MAXIMUM_SECRET", "NONCE_SIZE", "CannotOpen", "Vault", "derive"]

KEY_SIZE: Final = 32
"""Bytes of every symmetric key here: wrapping, ring and purpose keys."""

NONCE_SIZE: Final = 12
"""Bytes of an AES-GCM nonce (NIST SP 800-38D, 8.2.2: random)."""

MAXIMUM_SECRET: Final = 65_536
"""Bytes of the longest secret that is sealed for rest; private keys are the largest kind."""

_VERSION: Final = b"\x01"
_HEADER: Final = 5
_TAG: Final = 16


class CannotOpen(Exception):
    """A secret at rest does not open; the text says whether the wrapping key is wrong or the data are damaged."""


def derive(key: bytes, salt: bytes, info: str, size: int = KEY_SIZE) -> bytes:
    """``size`` bytes derived from ``key`` by HKDF-SHA-256 (RFC 5869)."""
    return HKDF(SHA256(), size, salt, info.encode()).derive(key)


class Vault:
    """Seals secrets for rest and opens them, under one wrapping key of 32 bytes.

    ``purpose`` names the kind of secret (the record's kind), ``name`` the record it belongs to; a secret opens only
    with the pair it was sealed with.  ``key_id`` is the public id of the wrapping key, 8 hexadecimal digits.
    """

    __slots__ = ("_cipher", "_header", "key_id")

    def __init__(self, wrapping_key: bytes) -> None:
        if len(wrapping_key) != KEY_SIZE:
            raise ValueError(f"a wrapping key has {KEY_SIZE} bytes, not {len(wrapping_key)}")
        self._cipher: Final = AESGCM(derive(wrapping_key, b"", "locum rest v1 key"))
        self._header: Final = _VERSION + derive(wrapping_key, b"", "locum rest v1 id", 4)
        self.key_id: Final = self._header[1:].hex()

    def __repr__(self) -> str:
        return f"Vault(key_id={self.key_id!r})"

    def _associated(self, purpose: str, name: str) -> bytes:
        use = purpose.encode()
        return self._header + len(use).to_bytes(2, "big") + use + name.encode()

    def wrap(self, plaintext: bytes, *, purpose: str, name: str, nonce: bytes) -> bytes:
        """The sealed form of a secret; ``nonce`` is 12 fresh random bytes.

        ValueError where the nonce has another size or the secret is longer than :data:`MAXIMUM_SECRET`.
        """
        if len(nonce) != NONCE_SIZE:
            raise ValueError(f"a nonce has {NONCE_SIZE} bytes, not {len(nonce)}")
        if len(plaintext) > MAXIMUM_SECRET:
            raise ValueError(f"a secret at rest has at most {MAXIMUM_SECRET} bytes, not {len(plaintext)}")
        return self._header + nonce + self._cipher.encrypt(nonce, plaintext, self._associated(purpose, name))

    def unwrap(self, sealed: bytes, *, purpose: str, name: str) -> bytes:
        """The secret in ``sealed``; :class:`CannotOpen` where it is not what :meth:`wrap` made for this record."""
        what = f"the sealed {purpose} {name!r}"
        if not _HEADER + NONCE_SIZE + _TAG <= len(sealed) <= _HEADER + NONCE_SIZE + _TAG + MAXIMUM_SECRET:
            raise CannotOpen(f"{what} is damaged: it has {len(sealed)} bytes")
        if sealed[:1] != _VERSION:
            raise CannotOpen(f"{what} has format version {sealed[0]}; this release knows version {_VERSION[0]} only")
        if sealed[:_HEADER] != self._header:
            raise CannotOpen(
                f"{what} was sealed under the wrapping key {sealed[1:_HEADER].hex()}, "
                f"but the wrapping key in use is {self.key_id}"
            )
        nonce, body = sealed[_HEADER : _HEADER + NONCE_SIZE], sealed[_HEADER + NONCE_SIZE :]
        try:
            return self._cipher.decrypt(nonce, body, self._associated(purpose, name))
        except InvalidTag:
            raise CannotOpen(f"{what} is damaged, or belongs to another record") from None
