"""Sealed tokens: what leaves the server and comes back intact, or is refused.

A token is the base64 text (RFC 4648 section 4, padded, canonical) of, byte by byte::

    0       1  version, 1
    1       1  type tag, the number of its Purpose
    2       4  id of the ring key
    6      12  nonce, random, never used twice
    18      n  AES-256-GCM ciphertext and its 16-byte tag

The first six bytes are the associated data.  Each pair of ring key and purpose has its own AES key, derived by
HKDF-SHA-256.  The claims of a session are a msgpack array in the order of :class:`~locum.core.session.Session`;
``docs/token-format.md`` is the whole story, with the rule by which the format grows.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from locum.core.records import RingKey
from locum.core.sealing import KEY_SIZE, NONCE_SIZE, Vault, derive
from locum.core.session import MAXIMUM_LIFETIME, Session, SessionKind
from locum.policy.managed import ROOT_TASKS
from locum.secret import Secret

__all__ = [
    "MAXIMUM_TOKEN",
    "KeyRing",
    "Purpose",
    "SealingKey",
    "TokenNotIntact",
    "TokenTooLarge",
    "open_ring",
    "secret_access_key",
]

MAXIMUM_TOKEN: Final = 8_192
"""Characters of the longest token, in either direction; twice what a client may ask for (STS-SP-020)."""

_VERSION: Final = 1
_HEADER: Final = 6
_BODY: Final = _HEADER + NONCE_SIZE
_TAG: Final = 16
_SECRET: Final = 40
_MINIMUM_TOKEN: Final = 4 * -(-(_BODY + _TAG) // 3)
_MAXIMUM_PLAINTEXT: Final = MAXIMUM_TOKEN // 4 * 3 - _BODY - _TAG


class TokenNotIntact(Exception):
    """A token is not one that this ring sealed, or no longer.

    There is one public answer for every cause (STS-SIG-T20); the text names the cause for the log and holds nothing of
    the token but the id of a ring key.
    """


class TokenTooLarge(ValueError):
    """What is to be sealed does not fit into :data:`MAXIMUM_TOKEN` characters."""


class Purpose(IntEnum):
    """The kinds of sealed things (R14); the number is the token's type tag and never changes meaning."""

    SESSION_TOKEN = 1
    PAGINATION_MARKER = 2
    AUTHORIZATION_MESSAGE = 3
    TRADE_IN_TOKEN = 4


class SealingKey:
    """One key of the ring: an id of 8 lower-case hexadecimal digits, the time it was made, 32 random bytes."""

    __slots__ = ("created", "id", "secret")

    def __init__(self, id: str, created: int, secret: bytes) -> None:
        if len(id) != 8 or not set(id) <= set("0123456789abcdef"):
            raise ValueError("the id of a ring key is 8 lower-case hexadecimal digits")
        if len(secret) != KEY_SIZE:
            raise ValueError(f"a ring key has {KEY_SIZE} bytes, not {len(secret)}")
        self.id: Final = id
        self.created: Final = created
        self.secret: Final = secret

    def __repr__(self) -> str:
        return f"SealingKey(id={self.id!r}, created={self.created})"


class KeyRing:
    """The keys that seal and open tokens; immutable.

    The newest key (by ``created``, then ``id``) seals, every key of the ring opens.  A retired key is simply not in
    the ring: nothing that it sealed opens any more (R13).
    """

    __slots__ = ("_ciphers", "_sealing", "key_ids", "sealing_key_id")

    def __init__(self, keys: Iterable[SealingKey]) -> None:
        ordered = sorted(keys, key=lambda each: (each.created, each.id))
        self.key_ids: Final = tuple(each.id for each in ordered)
        """The ids of the keys, oldest first."""
        if not ordered:
            raise ValueError("a key ring has at least one key")
        if len(set(self.key_ids)) != len(ordered):
            raise ValueError("the keys of a ring have different ids")
        self.sealing_key_id: Final = self.key_ids[-1]
        """The id of the key that seals."""
        self._ciphers: Final = {
            _header(each.id, purpose): AESGCM(
                derive(each.secret, bytes.fromhex(each.id), f"locum token v1 {purpose.name}")
            )
            for each in ordered
            for purpose in Purpose
        }
        self._sealing: Final = {
            purpose: (header, self._ciphers[header])
            for purpose in Purpose
            for header in (_header(self.sealing_key_id, purpose),)
        }

    def __repr__(self) -> str:
        return f"KeyRing(key_ids={self.key_ids!r})"

    def seal(self, purpose: Purpose, plaintext: bytes, nonce: bytes) -> str:
        """The token of ``plaintext``; ``nonce`` is 12 fresh random bytes, for this token alone (R15).

        :class:`TokenTooLarge` where it would exceed :data:`MAXIMUM_TOKEN`; ValueError where the nonce has another size.
        """
        if len(nonce) != NONCE_SIZE:
            raise ValueError(f"a nonce has {NONCE_SIZE} bytes, not {len(nonce)}")
        if len(plaintext) > _MAXIMUM_PLAINTEXT:
            raise TokenTooLarge(f"{len(plaintext)} bytes are too many to seal: {_MAXIMUM_PLAINTEXT} at most")
        header, cipher = self._sealing[purpose]
        return b2a_base64(header + nonce + cipher.encrypt(nonce, plaintext, header), newline=False).decode()

    def open(self, purpose: Purpose, token: str) -> bytes:
        """What was sealed into ``token`` for this purpose; :class:`TokenNotIntact` for every other text.

        Work is bounded by :data:`MAXIMUM_TOKEN`; a token of an unknown key costs its decoding and one look-up.
        """
        if not _MINIMUM_TOKEN <= len(token) <= MAXIMUM_TOKEN:
            raise TokenNotIntact("the token has a length that none has")
        try:
            raw = a2b_base64(token, strict_mode=True)
        except ValueError:
            raise TokenNotIntact("the token is not base64") from None
        # The decoder ignores the unused bits of the last character: only the canonical end is ours.
        if b2a_base64(raw[-(len(raw) % 3 or 3) :], newline=False).decode() != token[-4:]:
            raise TokenNotIntact("the token is not canonical base64")
        header = raw[:_HEADER]
        cipher = self._ciphers.get(header)
        if cipher is None or header[1] != purpose:
            raise TokenNotIntact(_why_unknown(purpose, header))
        try:
            return cipher.decrypt(raw[_HEADER:_BODY], raw[_BODY:], header)
        except InvalidTag:
            raise TokenNotIntact("the token was altered") from None

    def seal_session(self, session: Session, nonce: bytes) -> str:
        """The session token of ``session`` (STS-AR-046, STS-SP-021); errors as in :meth:`seal`."""
        return self.seal(Purpose.SESSION_TOKEN, _encode(session), nonce)

    def open_session(self, token: str) -> Session:
        """The session of a token, every claim of it checked (R16); :class:`TokenNotIntact` for every other text.

        Whether the session has expired is for the caller to say, who knows the time (STS-SIG-T21).
        """
        plaintext = self.open(Purpose.SESSION_TOKEN, token)
        if not plaintext.startswith(_ARRAYS):
            raise TokenNotIntact("the session has a number of claims that this release does not know")
        try:
            session = _decode(plaintext)
        except (msgspec.DecodeError, ValueError):
            raise TokenNotIntact("the session's claims are not well formed") from None
        kind = session.kind
        least = 0 if kind is SessionKind.ROOT_TASK else 1
        if not least <= session.expires - session.issued <= MAXIMUM_LIFETIME[kind] or session.issued < 0:
            raise TokenNotIntact("the session's times are out of bounds")
        if _IDENTITIES[kind](f"{session.access_key_id} {session.account} {session.principal_id}") is None:
            raise TokenNotIntact("the session's identifiers are not those of its kind")
        if len(session.secret) != _SECRET:
            raise TokenNotIntact("the session's secret is not a secret access key")
        if kind is SessionKind.ROLE:
            if not session.name:
                raise TokenNotIntact("the role session has no name")
            if session.mfa is not None:
                raise TokenNotIntact("the role session has a mark of MFA")
        elif kind is SessionKind.ROOT_TASK:
            _check_task(session)
        else:
            _check_own(session)
        return session


def open_ring(keys: Iterable[RingKey], vault: Vault) -> KeyRing:
    """The ring of every record that is not retired.

    CannotOpen where the wrapping key is another one; ValueError where no key is left, or a record is damaged.
    """
    return KeyRing(
        SealingKey(each.id, each.created, vault.unwrap(each.secret, purpose=RingKey.kind, name=each.id))
        for each in keys
        if each.active
    )


def secret_access_key(random: bytes) -> Secret:
    """A secret access key: 40 base64 characters of exactly 30 random bytes (STS-AR-046)."""
    if len(random) != 30:
        raise ValueError("a secret access key is made from 30 random bytes")
    return Secret(b2a_base64(random, newline=False).decode())


def _header(key_id: str, purpose: Purpose) -> bytes:
    return bytes((_VERSION, purpose)) + bytes.fromhex(key_id)


def _why_unknown(purpose: Purpose, header: bytes) -> str:
    if header[0] != _VERSION:
        return "the token has an unknown version"
    if header[1] != purpose:
        return "the token was sealed for another purpose"
    return f"the token was sealed by the ring key {header[2:].hex()}, which is unknown or retired"


def _check_own(session: Session) -> None:
    """TokenNotIntact for claims that a session of a user, of root or of a federated user never has."""
    if session.transitive_tags or session.source_identity is not None or session.federation is not None:
        raise TokenNotIntact("the session has claims of a role session")
    if session.kind is SessionKind.FEDERATED:
        if not session.name:
            raise TokenNotIntact("the federated user has no name")
        if session.mfa is not None:
            raise TokenNotIntact("the federated user has a mark of MFA")
        by_root = session.principal_id == session.account
        if by_root and session.expires - session.issued > MAXIMUM_LIFETIME[SessionKind.ROOT]:
            raise TokenNotIntact("the federated user of root outlives an hour")
    else:
        if session.tags:
            raise TokenNotIntact("the session has tags, and is of a kind that has none")
        if session.mfa is not None and not 0 <= session.mfa <= session.issued:
            raise TokenNotIntact("the MFA of the session is later than the session")


def _check_task(session: Session) -> None:
    """TokenNotIntact for a root session without exactly a task policy, or with what it never has (R34)."""
    if session.policy is not None or len(session.policy_arns) != 1 or _TASK(session.policy_arns[0]) is None:
        raise TokenNotIntact("the root session is not bounded by a task policy")
    if session.name or session.tags or session.transitive_tags or session.mfa is not None or session.federation:
        raise TokenNotIntact("the root session has claims of another kind")


def _reveal(value: Any) -> str:
    if type(value) is Secret:
        return value.reveal()
    raise TypeError(f"{type(value).__name__} is not a claim")


def _conceal(_: type, value: Any) -> Secret:
    if type(value) is str:
        return Secret(value)
    raise ValueError("a secret is text")


_encode = msgspec.msgpack.Encoder(enc_hook=_reveal).encode
_decode = msgspec.msgpack.Decoder(Session, dec_hook=_conceal).decode

_TASK: Final = re.compile(rf"arn:[a-z-]+:iam::aws:policy{ROOT_TASKS}[A-Za-z0-9]+\Z").match

# Key id, account and principal of a session of each kind (STS-AR-046, STS-ID-001, STS-ID-002, STS-GCI-T01).
_IDENTITIES: Final = {
    kind: re.compile(rf"ASIA[A-Z0-9]{{16}} ([0-9]{{12}}) {principal}\Z", re.ASCII).match
    for kind, principal in {
        SessionKind.USER: r"AIDA[A-Z0-9]{12,124}",
        SessionKind.ROOT: r"\1",
        SessionKind.ROLE: r"AROA[A-Z0-9]{12,124}",
        SessionKind.FEDERATED: r"(?:AIDA[A-Z0-9]{12,124}|\1)",
        SessionKind.ROOT_TASK: r"\1",
    }.items()
}

# A newer release's extra claim may narrow the session, so an array longer than ours is refused, not read in part.
_ARRAYS: Final = tuple(
    msgspec.msgpack.encode([None] * count)[:-count]
    for count in range(
        len(Session.__struct_fields__) - len(Session.__struct_defaults__), len(Session.__struct_fields__) + 1
    )
)
