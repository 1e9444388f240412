"""Amazon Resource Names, partitions, and the identifiers of principals and keys.

Sources: STS-ID-001…006, POL-RS-020 (ARN forms), STS-AKI-005…007 (the account inside an access key id),
STS-EP-T01…T08 (partitions).
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final, NamedTuple

__all__ = [
    "PARTITIONS",
    "Arn",
    "access_key_id",
    "account_of_access_key",
    "account_root",
    "assumed_role",
    "federated_user",
    "iam",
    "is_account_id",
    "is_unique_id",
    "unique_id",
]

PARTITIONS: Final = frozenset(
    {"aws", "aws-cn", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-us-gov"}
)
"""Every partition that an ARN may name."""

_ACCOUNT = re.compile(r"[0-9]{12}\Z", re.ASCII)
_UNIQUE_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,124}\Z", re.ASCII)
_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS: Final = tuple(first + second for first in _BASE32 for second in _BASE32)
_SHIFTS: Final = range(70, -1, -10)


class Arn(NamedTuple):
    """The six parts of an ARN; ``resource`` is everything after the fifth colon."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Split an ARN; ValueError where ``text`` has fewer than six parts or does not begin with ``arn``."""
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn":
            raise ValueError("not an ARN: six colon-separated parts are needed, beginning with 'arn'")
        return cls(*parts[1:])

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"

    @property
    def kind(self) -> str:
        """The resource's kind: ``role`` of ``role/ops/deploy``, ``root`` of ``root``."""
        return self.resource.partition("/")[0]

    @property
    def path_and_name(self) -> tuple[str, str]:
        """``("/ops/", "deploy")`` of ``role/ops/deploy``."""
        _, _, rest = self.resource.partition("/")
        path, _, name = rest.rpartition("/")
        return (f"/{path}/" if path else "/"), name


def is_account_id(text: str) -> bool:
    """Whether ``text`` is an account id: exactly 12 ASCII digits."""
    return _ACCOUNT.match(text) is not None


def is_unique_id(text: str) -> bool:
    """Whether ``text`` has the form of a unique id such as ``AROA…`` (STS-ID-001)."""
    return _UNIQUE_ID.match(text) is not None


def account_root(partition: str, account: str) -> str:
    """The ARN of an account's root user, which also stands for the account as a principal (POL-PR-004)."""
    return f"arn:{partition}:iam::{account}:root"


def iam(partition: str, account: str, kind: str, path: str, name: str) -> str:
    """The ARN of an IAM entity; ``path`` begins and ends with a slash and is kept (STS-ID-004)."""
    return f"arn:{partition}:iam::{account}:{kind}{path}{name}"


def assumed_role(partition: str, account: str, role_name: str, session_name: str) -> str:
    """The ARN of a role session; the role's path is dropped (STS-AR-044, STS-ID-005)."""
    return f"arn:{partition}:sts::{account}:assumed-role/{role_name}/{session_name}"


def federated_user(partition: str, account: str, name: str) -> str:
    """The ARN of a GetFederationToken session (STS-ID-004)."""
    return f"arn:{partition}:sts::{account}:federated-user/{name}"


def unique_id(prefix: str, random: bytes) -> str:
    """A unique id: ``prefix`` (``AROA``, ``AIDA`` …) and 17 base32 characters from 11 random bytes (STS-ID-002)."""
    if len(random) < 11:
        raise ValueError("a unique id is made from 11 random bytes")
    return prefix + base64.b32encode(random[:11]).decode()[:17]


def access_key_id(prefix: str, account: str, random: bytes) -> str:
    """An access key id of 20 characters that encodes its account (STS-AKI-005, STS-AKI-006).

    ``prefix`` is ``AKIA`` for a long-term and ``ASIA`` for a temporary key.  The 80 bits after it hold the
    generation bit 1, 40 bits of account id and 39 bits taken from ``random`` (5 bytes).
    """
    if not is_account_id(account):
        raise ValueError("an account id has 12 digits")
    if len(random) < 5:
        raise ValueError("an access key id is made from 5 random bytes")
    bits = (1 << 79) | (int(account) << 39) | (int.from_bytes(random[:5], "big") & ((1 << 39) - 1))
    # Twice as fast as base64.b32encode, which is written in Python, and this runs for every session.
    pairs = _PAIRS
    return prefix + "".join([pairs[(bits >> shift) & 1023] for shift in _SHIFTS])


def account_of_access_key(key_id: str) -> str | None:
    """The account that an access key id of the new generation encodes, or None where it encodes none.

    Only 20-character ids whose fifth character is ``Q``–``Z`` or ``2``–``7`` carry an account (STS-AKI-007).
    A hint for GetAccessKeyInfo only: nothing is ever authorized by it (R24).
    """
    if len(key_id) != 20 or _BASE32.find(key_id[4]) < 16:
        return None
    try:
        raw = base64.b32decode(key_id[4:])
    except binascii.Error:
        return None
    account = (int.from_bytes(raw[:6], "big") & 0x7FFFFFFFFF80) >> 7
    return f"{account:012d}" if account < 10**12 else None
