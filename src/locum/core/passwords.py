"""Passwords of login profiles: their form at rest and the rules for new ones (R44, IAM-LGN-002, IAM-SHD-001).

A hash at rest is a version byte, 1, and 32 bytes of Argon2id (RFC 9106) with two passes over 19 MiB in one lane.  All
hashes of one profile share its salt of 16 bytes: one computation tells whether a new password is one of the last 24.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from locum.core.account_records import PasswordRules

__all__ = ["KEPT", "SALT_SIZE", "conforms", "hash_password", "is_among"]

SALT_SIZE: Final = 16
"""Bytes of a salt."""

KEPT: Final = 24
"""Passwords that a profile remembers, the present one among them: as many as a policy can forbid to use again."""

_VERSION: Final = b"\x01"
_SIZE: Final = 32
_PASSES: Final = 2
_MEMORY: Final = 19 * 1_024
"""KiB."""

_SYMBOLS: Final = frozenset("!@#$%^&*()_+-=[]{}|'")
_NUMBERS: Final = frozenset("0123456789")
_LOWERCASE: Final = frozenset("abcdefghijklmnopqrstuvwxyz")
_UPPERCASE: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DEFAULT_LENGTH: Final = 8
_DEFAULT_KINDS: Final = 3


def hash_password(password: str, salt: bytes) -> bytes:
    """The form of a password at rest; takes about a tenth of a second and 19 MiB on purpose.

    ValueError for a salt of another size than :data:`SALT_SIZE`.
    """
    if len(salt) != SALT_SIZE:
        raise ValueError(f"a salt has {SALT_SIZE} bytes, not {len(salt)}")
    stretching = Argon2id(salt=salt, length=_SIZE, iterations=_PASSES, lanes=1, memory_cost=_MEMORY)
    return _VERSION + stretching.derive(password.encode())


def is_among(hashed: bytes, hashes: Iterable[bytes]) -> bool:
    """Whether a hash is one of others under the same salt, in a time that does not depend on which."""
    return sum(hmac.compare_digest(hashed, each) for each in hashes) > 0


def conforms(password: str, rules: PasswordRules | None, names: Iterable[str]) -> bool:
    """Whether a password may be set under an account's rules, or under AWS's default ones for None.

    These want eight characters of three kinds out of four, and none of ``names``: the account's name and address.
    """
    characters = frozenset(password)
    has = [bool(characters & each) for each in (_SYMBOLS, _NUMBERS, _UPPERCASE, _LOWERCASE)]
    if rules is None:
        return len(password) >= _DEFAULT_LENGTH and sum(has) >= _DEFAULT_KINDS and password not in set(names)
    wanted = (rules.symbols, rules.numbers, rules.uppercase, rules.lowercase)
    return len(password) >= rules.minimum_length and all(
        present for present, want in zip(has, wanted, strict=True) if want
    )
