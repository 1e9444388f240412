"""``locum account``: the accounts of a server."""

from __future__ import annotations

import os
import time
from typing import Any

import click

from locum.cli.options import as_json, data_options, opened
from locum.cli.report import instant, result, table
from locum.server.accounts import RootKey, create_account, list_accounts

__all__ = ["command", "show"]


@click.group("account", no_args_is_help=True)
def command() -> None:
    """Accounts: each has its own root user, users, roles and policies, apart from every other's."""


def show(key: RootKey, as_json: bool) -> None:
    """Print a new root key, the only time that it is shown."""
    if as_json:
        result(
            {"Account": key.account, "AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret.reveal()},
        )
    else:
        click.echo(key.profile(), nl=False)


@data_options
@command.command("create")
@click.option("--name", default="account", metavar="TEXT", help="A name for people.", show_default=True)
@click.option("--id", metavar="ID", help="12 digits.  [default: random]")
@as_json
def create(name: str, id: str | None, as_json: bool, **options: Any) -> None:
    """Make an account and print its root access key, which is shown only now, as an AWS credentials file."""
    with opened(options) as data, data.store.transaction() as rows:
        key = create_account(rows, data.vault, int(time.time()), os.urandom, name=name, id=id)
    show(key, as_json)


@data_options
@command.command("list")
@as_json
def list_(as_json: bool, **options: Any) -> None:
    """Show every account, oldest first."""
    with opened(options) as data, data.store.snapshot() as rows:
        accounts = [
            {"id": each.id, "created": instant(each.created), "name": each.name} for each in list_accounts(rows)
        ]
    if as_json:
        result(accounts)
    else:
        table(accounts)
