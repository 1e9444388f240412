"""``locum account``: the accounts of a server."""

from __future__ import annotations

import os
import time
from typing import Any

import click

from locum.cli.options import as_json, data_options, opened
from locum.cli.report import instant, result, table
from locum.core.limits import LIMITS, LimitError, limit, with_limits
from locum.core.records import Account
from locum.server.accounts import RootKey, create_account, list_accounts
from locum.server.config import Problem, Refused
from locum.store import Snapshot
from locum.store.records import Records, Stored

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


@data_options
@command.command("limits")
@click.argument("account")
@click.argument("changes", nargs=-1, metavar="[NAME=VALUE]...")
@as_json
def limits(account: str, changes: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Show the limits of an account, or set some of them: NAME=VALUE, or NAME=default.

    A running server follows with its next request. What exists already stays, however low a limit is set.
    """
    wanted = dict(_change(each) for each in changes)
    with opened(options) as data:
        if wanted:
            with data.store.transaction() as rows:
                stored = _account(rows, account)
                try:
                    changed = with_limits(stored.record, wanted)
                except LimitError as error:
                    raise click.UsageError(str(error)) from None
                Records(rows).replace(stored, changed)
        else:
            with data.store.snapshot() as rows:
                changed = _account(rows, account).record
    shown = [
        {"name": name, "limit": limit(changed, name), "default": each.default, "maximum": each.maximum}
        | {"counts": each.meaning}
        for name, each in LIMITS.items()
        if not wanted or name in wanted
    ]
    if as_json:
        result(shown)
    else:
        table(shown)


def _change(text: str) -> tuple[str, int | None]:
    name, equals, value = text.partition("=")
    if not equals or not (value == "default" or (value.isascii() and value.isdigit() and len(value) < 10)):
        raise click.UsageError(f"{text!r} is not NAME=VALUE with a whole number, or NAME=default")
    return name, None if value == "default" else int(value)


def _account(rows: Snapshot, id: str) -> Stored[Account]:
    stored = Records(rows).get(Account, "", id)
    if stored is None:
        raise Refused(Problem(f"there is no account {id!r}", "`locum account list` shows them"))
    return stored
