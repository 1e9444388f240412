"""The private keys of SAML providers: read from what was sent, sealed for rest, opened for an assertion (R44).

A key is kept as PKCS #8 in DER, sealed under the account, the provider's name and its own id.
"""

from __future__ import annotations

import re
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from locum.core.records import SamlKey, SamlProvider
from locum.core.sealing import Vault
from locum.errors import InvalidInputException
from locum.secret import Secret

__all__ = ["MAXIMUM_BITS", "MAXIMUM_KEYS", "MINIMUM_BITS", "check_key", "open_keys", "read_key", "seal_key"]

MAXIMUM_KEYS: Final = 2
"""Private keys that a provider may have (STS-SAML-018)."""

MINIMUM_BITS: Final = 2_048
"""Length of the shortest RSA key (NIST SP 800-131A)."""

MAXIMUM_BITS: Final = 4_096
"""Length of the longest RSA key: checking one takes a time that grows with the fourth power of this."""

_PURPOSE: Final = "saml-key"
_PEM: Final = re.compile(r"-----BEGIN (?:RSA )?PRIVATE KEY-----\s[^-]*-----END (?:RSA )?PRIVATE KEY-----")


def _loaded(pem: Secret, *, checked: bool) -> RSAPrivateKey:
    text = pem.reveal().strip()
    if _PEM.fullmatch(text) is None:
        raise InvalidInputException("The private key must be one unencrypted RSA key in PEM.")
    try:
        key = load_pem_private_key(text.encode(), None, unsafe_skip_rsa_key_validation=not checked)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidInputException("The private key cannot be read.") from None
    if not isinstance(key, RSAPrivateKey):
        raise InvalidInputException("The private key must be an RSA key.")
    return key


def read_key(pem: Secret) -> bytes:
    """The key in a PEM text, as PKCS #8 in DER; whether its numbers belong together is not looked at.

    InvalidInput for anything but one unencrypted RSA key of :data:`MINIMUM_BITS` to :data:`MAXIMUM_BITS` bits.
    """
    key = _loaded(pem, checked=False)
    if not MINIMUM_BITS <= key.key_size <= MAXIMUM_BITS:
        raise InvalidInputException(f"The private key must have {MINIMUM_BITS} to {MAXIMUM_BITS} bits.")
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def check_key(pem: Secret) -> None:
    """InvalidInput for what :func:`read_key` refuses, and for a key whose numbers do not belong together.

    That takes tenths of a second: not for the event loop, nor while others wait to write.
    """
    read_key(pem)
    _loaded(pem, checked=True)


def _name(account: str, provider: str, id: str) -> str:
    return f"{account}/{provider}/{id}"


def seal_key(vault: Vault, account: str, provider: str, id: str, der: bytes, nonce: bytes) -> bytes:
    """A provider's key as the store keeps it; ``nonce`` is 12 fresh random bytes."""
    return vault.wrap(der, purpose=_PURPOSE, name=_name(account, provider, id), nonce=nonce)


def open_keys(vault: Vault, provider: SamlProvider) -> tuple[RSAPrivateKey, ...]:
    """A provider's keys, oldest first; :class:`~locum.core.sealing.CannotOpen` where one was tampered with."""
    return tuple(_opened(vault, provider, key) for key in provider.private_keys)


def _opened(vault: Vault, provider: SamlProvider, key: SamlKey) -> RSAPrivateKey:
    der = vault.unwrap(key.secret, purpose=_PURPOSE, name=_name(provider.account, provider.name, key.id))
    # Its numbers were checked before it was sealed.
    opened = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(opened, RSAPrivateKey):
        raise TypeError("a SAML provider has a key that is not an RSA key")
    return opened
