"""``locum keys``: the ring of keys that seal session tokens, and the keys of the accounts' own issuers."""

from __future__ import annotations

import os
import time
from typing import Any

import click

from locum.cli.options import as_json, data_options, opened
from locum.cli.report import instant, result, table
from locum.core.outbound import AHEAD, BEHIND
from locum.server import signing_keys
from locum.server.accounts import list_accounts
from locum.server.ring import list_keys, retire, rotate

__all__ = ["command"]


@click.group("keys", no_args_is_help=True)
def command() -> None:
    """The keys that seal session tokens; under issuer those that sign identity tokens.

    The newest key seals; every key that is not retired opens what it sealed. A running server follows at once.
    """


@data_options
@command.command("list")
@as_json
def list_(as_json: bool, **options: Any) -> None:
    """Show every key, oldest first."""
    with opened(options) as data, data.store.snapshot() as rows:
        keys = [{"id": each.id, "created": instant(each.created), "state": each.state} for each in list_keys(rows)]
    if as_json:
        result(keys)
    else:
        table(keys)


@data_options
@command.command("rotate")
def rotate_(**options: Any) -> None:
    """Make a key that seals from now on, and print its id; the others go on opening."""
    with opened(options) as data, data.store.transaction() as rows:
        key = rotate(rows, data.vault, int(time.time()), os.urandom)
    click.echo(key.id)


@data_options
@command.command("retire")
@click.argument("id")
def retire_(id: str, **options: Any) -> None:
    """Destroy a key: no session token that it sealed is accepted any more."""
    with opened(options) as data, data.store.transaction() as rows:
        retire(rows, id)


@command.group("issuer", no_args_is_help=True)
def issuer() -> None:
    """The keys that sign the identity tokens of accounts, which anybody can verify.

    An account gets its first ones when its outbound web identity federation is enabled.
    """


@data_options
@issuer.command("list")
@click.option("--account", metavar="ID", help="The account.  [default: every one]")
@as_json
def list_issuer(account: str | None, as_json: bool, **options: Any) -> None:
    """Show the keys: announced ones are published but do not sign yet, published ones sign no more."""
    with opened(options) as data, data.store.snapshot() as rows:
        accounts = [each.id for each in list_accounts(rows)] if account is None else [account]
        keys = [
            {
                "account": each.account,
                "id": each.id,
                "algorithm": each.algorithm,
                "signs": instant(each.signs),
                "state": each.state,
            }
            for each in signing_keys.list_issuer_keys(rows, accounts, int(time.time()))
        ]
    if as_json:
        result(keys)
    else:
        table(keys)


@data_options
@issuer.command(
    "rotate",
    help="Make a key for each algorithm, and print their ids.\n\n"
    f"They are published now and sign in {AHEAD // 60} minutes, so that everybody who verifies has them by then; "
    f"the old ones stay published for {BEHIND // 60} minutes more, until the last token that they signed is over.",
)
@click.argument("account")
@click.option("--at-once", is_flag=True, help="Sign with the new keys now: an old one is in wrong hands.")
def rotate_issuer(account: str, at_once: bool, **options: Any) -> None:
    with opened(options) as data:
        made = signing_keys.rotate(data.store, data.vault, account, int(time.time()), os.urandom, at_once=at_once)
    for key in made:
        click.echo(key.id)


@data_options
@issuer.command("retire")
@click.argument("account")
@click.argument("id")
def retire_issuer(account: str, id: str, **options: Any) -> None:
    """Destroy a key that does not sign: no token that it signed is verified by those who fetch the keys from now on."""
    with opened(options) as data, data.store.transaction() as rows:
        signing_keys.retire(rows, account, id, int(time.time()))
