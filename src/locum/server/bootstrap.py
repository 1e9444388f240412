"""What the first start makes: an account, its root key, the key ring; and what a later start checks."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from locum.core.records import AccessKey, Account
from locum.core.sealing import Vault
from locum.server.accounts import RootKey, create_account, first_account
from locum.server.config import Settings
from locum.server.data import CREDENTIALS_FILE, write_private
from locum.server.ring import create_ring_key, load_ring
from locum.store import Snapshot, Store
from locum.store.records import Records

__all__ = ["FIRST_ACCOUNT_NAME", "Bootstrap", "bootstrap"]

FIRST_ACCOUNT_NAME = "default"
"""Name of the account that the first start makes."""


class Bootstrap(msgspec.Struct, frozen=True):
    """The outcome: the first account's id, whether this start made it, its key where that was drawn, and warnings."""

    created: bool
    account: str
    credentials: RootKey | None = None
    warnings: tuple[str, ...] = ()


def bootstrap(store: Store, vault: Vault, settings: Settings, now: int, random: Callable[[int], bytes]) -> Bootstrap:
    """Make what a new data directory lacks, in one transaction; check that the vault opens what an old one has.

    A root key that was drawn is in ``DATA/root-credentials`` (0600) before anything is committed: a server killed in
    between has at worst left a file whose key does not exist, which the next start replaces.  CannotOpen or RingError
    where the wrapping key is not the one that the directory was made with; OSError where the file cannot be written.
    """
    with store.transaction() as rows:
        present = first_account(rows)
        if present is not None:
            load_ring(rows, vault)
            return Bootstrap(False, present.id, warnings=_unheeded(rows, settings))
        key_id, secret = settings.root_access_key_id, settings.root_secret_access_key
        given = (key_id, secret) if key_id is not None and secret is not None else None
        key = create_account(rows, vault, now, random, name=FIRST_ACCOUNT_NAME, id=settings.account_id, key=given)
        create_ring_key(rows, vault, now, random)
        if given is None:
            write_private(settings.data / CREDENTIALS_FILE, key.profile())
    return Bootstrap(True, key.account, None if given is not None else key)


def _unheeded(rows: Snapshot, settings: Settings) -> tuple[str, ...]:
    records = Records(rows)
    warnings = []
    if settings.account_id is not None and records.get(Account, "", settings.account_id) is None:
        warnings.append(
            f"account-id {settings.account_id} counts on the first start only, and the data directory has no such "
            "account: `locum account create --id` makes it"
        )
    key_id = settings.root_access_key_id
    if key_id is not None and records.get(AccessKey, "", key_id) is None:
        warnings.append(
            f"root-access-key-id {key_id} counts on the first start only, and the data directory has no such key: "
            "`locum root reset-key` makes a new one"
        )
    return tuple(warnings)
