"""``locum version``."""

from __future__ import annotations

import click

from locum import __version__

__all__ = ["command"]


@click.command("version")
def command() -> None:
    """Print the version."""
    click.echo(__version__)
