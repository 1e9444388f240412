"""The keys of the accounts' issuers in the store: make, list, rotate, retire.

Making a key takes a tenth of a second of computing, in which the interpreter is free for others; it is never done on
the event loop, nor inside a transaction, which would keep every other writer waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from locum.core.jose import SIGNING_ALGORITHMS, public_jwk, read_private_key
from locum.core.outbound import AHEAD, MAXIMUM_KEYS, State, sealed_name, signing, states
from locum.core.records import OutboundIssuer, SigningKey
from locum.core.sealing import NONCE_SIZE, Vault
from locum.server.config import Problem, Refused
from locum.store import Snapshot, Store, Transaction
from locum.store.records import Records

__all__ = ["IssuerKey", "IssuerKeyError", "NewKey", "add_keys", "list_issuer_keys", "new_keys", "retire", "rotate"]

Random = Callable[[int], bytes]

_RSA_BITS: Final = 2_048
_RSA_EXPONENT: Final = 65_537
_ID_BYTES: Final = 8


class IssuerKeyError(Refused):
    """The keys of an issuer cannot be changed as asked."""


class NewKey(NamedTuple):
    """A key that no account has yet: algorithm, id, public half, and the private one in PKCS #8 (DER)."""

    algorithm: str
    id: str
    jwk: dict[str, str]
    document: bytes

    def __repr__(self) -> str:
        return f"NewKey({self.algorithm!r}, {self.id!r})"


class IssuerKey(NamedTuple):
    """A key as ``locum keys issuer list`` shows it; ``signs`` is when it begins or began to sign, in epoch seconds."""

    account: str
    id: str
    algorithm: str
    signs: int
    state: State


def new_keys(random: Random) -> list[NewKey]:
    """A fresh key for each algorithm; ``random`` gives the bytes of their ids, OpenSSL what is secret."""
    made: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
        "RS256": rsa.generate_private_key(_RSA_EXPONENT, _RSA_BITS),
        "ES384": ec.generate_private_key(ec.SECP384R1()),
    }
    found = []
    for algorithm in SIGNING_ALGORITHMS:
        document = made[algorithm].private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        id = random(_ID_BYTES).hex()
        jwk = public_jwk(read_private_key(document, algorithm), key_id=id, algorithm=algorithm)
        found.append(NewKey(algorithm, id, jwk, document))
    return found


def add_keys(
    records: Records, vault: Vault, account: str, made: Sequence[NewKey], now: int, random: Random, *, signs: int
) -> list[SigningKey]:
    """Give an account keys that sign from ``signs`` on, those of the same second in the order in which they came."""
    newest = max((each.record.created for each in records.each(SigningKey, account)), default=now - 1)
    added = []
    for each in made:
        secret = vault.wrap(
            each.document,
            purpose=SigningKey.kind,
            name=sealed_name(account, each.id),
            nonce=random(NONCE_SIZE),
        )
        key = SigningKey(
            account=account,
            id=each.id,
            algorithm=each.algorithm,
            created=max(now, newest + 1),
            signs=signs,
            jwk=each.jwk,
            secret=secret,
        )
        records.create(key)
        added.append(key)
    return added


def rotate(
    store: Store, vault: Vault, account: str, now: int, random: Random, *, at_once: bool = False
) -> list[SigningKey]:
    """Give an account's issuer a new key for each algorithm, and forget those whose last token is out of time.

    The new ones are published now and sign in :data:`~locum.core.outbound.AHEAD` seconds, ``at_once`` now: whoever has
    fetched the keys a moment ago then fails to verify until they fetch again.  IssuerKeyError where the account has no
    issuer, or too many keys; CannotOpen where the wrapping key is not the one of the present keys.
    """
    made = new_keys(random)
    with store.transaction() as rows:
        records = Records(rows)
        keys = _keys(rows, account)
        over = {each.id for each, state in states(keys, now) if state == "withdrawn"}
        for stored in list(records.each(SigningKey, account)):
            if stored.record.id in over:
                records.delete(stored)
        kept = [each for each in keys if each.id not in over]
        _check_vault(kept, vault)
        if any(sum(each.algorithm == name for each in kept) >= MAXIMUM_KEYS for name in SIGNING_ALGORITHMS):
            raise _refused(
                f"the issuer of account {account} has {MAXIMUM_KEYS} keys of an algorithm, which is the most",
                "rotate again when the oldest are no longer published, or retire some",
            )
        return add_keys(records, vault, account, made, now, random, signs=now if at_once else now + AHEAD)


def retire(rows: Transaction, account: str, id: str, now: int) -> None:
    """Remove a key at once: tokens that it signed verify no more as soon as verifiers have fetched the keys anew.

    IssuerKeyError where there is no such key, or where it is the one that signs.
    """
    keys = _keys(rows, account)
    records = Records(rows)
    stored = records.get(SigningKey, account, id)
    if stored is None:
        raise _refused(
            f"the issuer of account {account} has no key {id!r}", "`locum keys issuer list` shows the accounts and ids"
        )
    if signing(keys, stored.record.algorithm, now) == stored.record:
        raise _refused(f"the key {id!r} signs", f"run `locum keys issuer rotate {account} --at-once` first")
    records.delete(stored)


def list_issuer_keys(rows: Snapshot, accounts: Sequence[str], now: int) -> list[IssuerKey]:
    """The keys of the accounts' issuers by account and algorithm, in the order in which they sign."""
    records = Records(rows)
    return [
        IssuerKey(account, key.id, key.algorithm, key.signs, state)
        for account in accounts
        for key, state in states([each.record for each in records.each(SigningKey, account)], now)
    ]


def _keys(rows: Snapshot, account: str) -> list[SigningKey]:
    records = Records(rows)
    if records.get(OutboundIssuer, account, OutboundIssuer.kind) is None:
        raise _refused(
            f"account {account!r} has no issuer",
            "EnableOutboundWebIdentityFederation of IAM, called in the account, makes one",
        )
    return [each.record for each in records.each(SigningKey, account)]


def _check_vault(keys: Sequence[SigningKey], vault: Vault) -> None:
    """CannotOpen under another wrapping key than the present keys': a new one must go with them."""
    for key in keys[-1:]:
        vault.unwrap(key.secret, purpose=key.kind, name=sealed_name(key.account, key.id))


def _refused(text: str, hint: str) -> IssuerKeyError:
    return IssuerKeyError(Problem(text, hint))
