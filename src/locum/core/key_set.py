"""The public keys of an issuer, as its JWKS document lists them (RFC 7517 section 5, STS-WI-022)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from locum.core.jose import JoseError, PublicKey, read_jwk
from locum.wire.strict_json import JsonError, read_json

__all__ = ["MAXIMUM_KEYS", "MAXIMUM_KEY_SET", "MAXIMUM_RSA_KEYS", "KeySet", "KeySetError", "read_keys"]

MAXIMUM_KEY_SET: Final = 262_144
"""Bytes of a JWKS document."""
MAXIMUM_KEYS: Final = 500
"""Keys of a JWKS document, usable or not."""
MAXIMUM_RSA_KEYS: Final = 100
"""RSA keys of a JWKS document; with more of them none is used (STS-WI-022)."""


class KeySetError(ValueError):
    """A document that is no JWKS; the text says why."""


class KeySet:
    """The usable keys of an issuer, by id (STS-WI-022).

    ``unusable`` says of the others why: the key's id, or its place in the document, and the reason.
    """

    __slots__ = ("_keys", "_single", "unusable")

    def __init__(self, keys: Mapping[str, PublicKey], *, unusable: tuple[tuple[str, str], ...] = ()) -> None:
        self._keys: Final = dict(keys)
        self.unusable: Final = unusable
        self._single: Final = next(iter(self._keys.values())) if len(self._keys) == 1 else None

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key_id: object) -> bool:
        """Whether there is a key for tokens that name this key id, or None for tokens that name none."""
        return self._single is not None if key_id is None else key_id in self._keys

    def find(self, key_id: str | None) -> PublicKey | None:
        """The key of that id; without an id the only key, where there is exactly one."""
        return self._single if key_id is None else self._keys.get(key_id)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the usable keys, in the order of the document."""
        return tuple(self._keys)


def read_keys(document: bytes) -> KeySet:
    """The usable keys of a JWKS document (RFC 7517 section 5, STS-WI-022); there may be none.

    KeySetError for what is no JWKS, and beyond :data:`MAXIMUM_KEY_SET` and :data:`MAXIMUM_KEYS`.
    """
    if len(document) > MAXIMUM_KEY_SET:
        raise KeySetError(f"it has more than {MAXIMUM_KEY_SET} bytes")
    try:
        value = read_json(document, containers=8 * MAXIMUM_KEYS)
    except JsonError as error:
        raise KeySetError(str(error)) from None
    listed = value.get("keys") if type(value) is dict else None
    if type(listed) is not list:
        raise KeySetError("it has no list of keys")
    if len(listed) > MAXIMUM_KEYS:
        raise KeySetError(f"it has more than {MAXIMUM_KEYS} keys")
    crowded = sum(type(each) is dict and each.get("kty") == "RSA" for each in listed) > MAXIMUM_RSA_KEYS
    keys: dict[str, PublicKey] = {}
    unusable: list[tuple[str, str]] = []
    for number, each in enumerate(listed, 1):
        name = f"key {number}"
        try:
            if type(each) is not dict:
                raise JoseError("it is not an object")
            if type(key_id := each.get("kid")) is not str or not key_id:
                raise JoseError("it has no kid")
            name = key_id
            if crowded and each.get("kty") == "RSA":
                raise JoseError(f"there are more than {MAXIMUM_RSA_KEYS} RSA keys")
            keys[key_id] = read_jwk(each)
        except JoseError as error:
            unusable.append((name, str(error)))
    return KeySet(keys, unusable=tuple(unusable))
