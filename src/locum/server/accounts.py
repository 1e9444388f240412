"""Accounts and their root keys in the store: create, list, reset.

What operators do beside the API: no request of a client reaches this module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from locum import arn
from locum.core.records import AccessKey, Account
from locum.core.sealing import NONCE_SIZE, Vault
from locum.core.token import secret_access_key
from locum.secret import Secret
from locum.server.config import Problem, Refused
from locum.store import Snapshot, Transaction
from locum.store.records import Records

__all__ = ["MAXIMUM_NAME", "RootKey", "create_account", "first_account", "free_id", "list_accounts", "reset_root_key"]

Random = Callable[[int], bytes]

MAXIMUM_NAME: Final = 50
"""Characters of the longest account name, as AWS Organizations allows."""

_DRAWS: Final = 100


class RootKey(msgspec.Struct, frozen=True):
    """The access key of an account's root user, the only time that its secret can be read."""

    account: str
    access_key_id: str
    secret: Secret

    def profile(self) -> str:
        """The key as an AWS credentials file that SDKs and tools read."""
        return (
            f"# The root key of account {self.account}. Whoever holds it may do everything in that account.\n"
            "[default]\n"
            f"aws_access_key_id = {self.access_key_id}\n"
            f"aws_secret_access_key = {self.secret.reveal()}\n"
        )


def list_accounts(rows: Snapshot) -> list[Account]:
    """Every account, in the order in which they were made."""
    return sorted((each.record for each in Records(rows).each(Account, "")), key=lambda each: (each.created, each.id))


def first_account(rows: Snapshot) -> Account | None:
    """The account that the first start made; None before it."""
    accounts = list_accounts(rows)
    return accounts[0] if accounts else None


def create_account(
    rows: Transaction,
    vault: Vault,
    now: int,
    random: Random,
    *,
    name: str,
    id: str | None = None,
    key: tuple[str, Secret] | None = None,
) -> RootKey:
    """Make an account and its root key, drawn where not given; :class:`Refused` where the id or the name cannot be.

    ``now`` is in epoch seconds, ``random(n)`` gives n random bytes.
    """
    if not 0 < len(name) <= MAXIMUM_NAME or not name.isprintable():
        raise Refused(Problem(f"an account's name has 1 to {MAXIMUM_NAME} printable characters", "choose another name"))
    records = Records(rows)
    if id is None:
        id = free_id(records, random)
    elif not arn.is_account_id(id):
        raise Refused(Problem(f"{id!r} is not an account id", "an account id has 12 digits"))
    elif records.get(Account, "", id) is not None:
        raise Refused(Problem(f"there is an account {id} already", "`locum account list` shows them"))
    records.create(Account(id=id, name=name, created=now))
    return _add_root_key(records, vault, now, random, id, key)


def free_id(records: Records, random: Random) -> str:
    """An account id that nobody has; :class:`Refused` where none was drawn."""
    for _ in range(_DRAWS):
        id = f"{10**11 + int.from_bytes(random(8), 'big') % (9 * 10**11):012d}"
        if records.get(Account, "", id) is None:
            return id
    raise Refused(Problem("no free account id was drawn", "give one: --id"))


def _add_root_key(
    records: Records, vault: Vault, now: int, random: Random, account: str, key: tuple[str, Secret] | None
) -> RootKey:
    key_id, secret = key or (arn.access_key_id("AKIA", account, random(5)), secret_access_key(random(30)))
    sealed = vault.wrap(secret.reveal().encode(), purpose=AccessKey.kind, name=key_id, nonce=random(NONCE_SIZE))
    records.create(AccessKey(id=key_id, account=account, owner=account, created=now, secret=sealed))
    return RootKey(account, key_id, secret)


def reset_root_key(rows: Transaction, vault: Vault, now: int, random: Random, account: str | None = None) -> RootKey:
    """Replace every root key of an account by a new one; the old ones stop working with the transaction.

    Without ``account`` the only one is meant.  :class:`Refused` where there is no such account.
    """
    records = Records(rows)
    if account is None:
        accounts = list_accounts(rows)
        if len(accounts) != 1:
            raise Refused(Problem(f"there are {len(accounts)} accounts", "say which one: --account ID"))
        account = accounts[0].id
    elif not arn.is_account_id(account) or records.get(Account, "", account) is None:
        raise Refused(Problem(f"there is no account {account!r}", "`locum account list` shows them"))
    for found in records.found("key-owner", account):
        old = records.get(AccessKey, "", found.name)
        if old is not None:
            records.delete(old)
    return _add_root_key(records, vault, now, random, account, None)
