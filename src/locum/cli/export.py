"""``locum export``: accounts and everything in them as a file for ``locum apply``."""

from __future__ import annotations

from typing import Any

import click

from locum.cli.options import opened, settings_from, settings_options
from locum.server.declared.export import exported, json_text, yaml_text

__all__ = ["command"]


@settings_options("data", "wrapping_key_command", "partition")
@click.command("export")
@click.option("--account", "accounts", multiple=True, metavar="ID", help="Only this account; repeatable.")
@click.option("--format", "form", type=click.Choice(("yaml", "json")), default="yaml", show_default=True)
def command(accounts: tuple[str, ...], form: str, **options: Any) -> None:
    """Print accounts and everything in them as the file that `locum apply` reads.

    No secret is in it: access keys, passwords, MFA devices and private keys are not described.
    """
    settings = settings_from(dict(options))
    with opened(options) as data, data.store.snapshot() as rows:
        values = exported(rows, settings.partition, accounts or None)
    click.echo((yaml_text if form == "yaml" else json_text)(values), nl=False)
