"""``locum root``: an account's root user."""

from __future__ import annotations

import os
import time
from typing import Any

import click

from locum.cli.account import show
from locum.cli.options import as_json, data_options, opened
from locum.server.accounts import first_account, reset_root_key
from locum.server.data import CREDENTIALS_FILE, write_private

__all__ = ["command"]


@click.group("root", no_args_is_help=True)
def command() -> None:
    """The root user, who may do everything in an account."""


@data_options
@command.command("reset-key")
@click.option("--account", metavar="ID", help="The account.  [default: the only one]")
@as_json
def reset_key(account: str | None, as_json: bool, **options: Any) -> None:
    """Replace the root access key of an account and print the new one; the old one stops working at once.

    The first account's key is written to DATA/root-credentials too.
    """
    with opened(options) as data, data.store.transaction() as rows:
        key = reset_root_key(rows, data.vault, int(time.time()), os.urandom, account)
        first = first_account(rows)
        if first is not None and first.id == key.account:
            write_private(data.path / CREDENTIALS_FILE, key.profile())
    show(key, as_json)
