"""``locum keys``: the ring of keys that seal session tokens."""

from __future__ import annotations

import os
import time
from typing import Any

import click

from locum.cli.options import as_json, data_options, opened
from locum.cli.report import instant, result, table
from locum.server.ring import list_keys, retire, rotate

__all__ = ["command"]


@click.group("keys", no_args_is_help=True)
def command() -> None:
    """The keys that seal session tokens.

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
