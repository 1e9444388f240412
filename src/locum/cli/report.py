"""How commands speak: results to standard output, troubles to standard error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click
import msgspec

__all__ = ["as_json", "complain", "instant", "report", "result", "table"]

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
"""The option of every command that prints a list or a record."""


def complain(text: str, hint: str = "") -> None:
    """A trouble, and what to do about it."""
    click.echo(f"locum: {text}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)


def report(error: Exception) -> int | None:
    """Tell of an error that is expected to happen; its exit status, or None for one that is not expected."""
    # Imported where something went wrong: the commands of people who have no server never need them.
    from locum.core.sealing import CannotOpen
    from locum.server.config import ConfigError, Refused
    from locum.store import Locked, StoreError

    if isinstance(error, Refused):
        for each in error.problems:
            complain(each.text, each.hint)
        return 2 if isinstance(error, ConfigError) else 1
    if isinstance(error, CannotOpen):
        complain(
            str(error), "give the wrapping key that the data directory was made with, or restore both from a backup"
        )
    elif isinstance(error, Locked):
        complain(str(error), "try again")
    elif isinstance(error, StoreError):
        complain(str(error))
    else:
        return None
    return 1


def result(value: object) -> None:
    """Print a result as JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def table(rows: Sequence[Mapping[str, object]]) -> None:
    """Print a list as columns under their names in capitals; nothing where it is empty."""
    if not rows:
        return
    lines = [[name.upper() for name in rows[0]], *([str(each) for each in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def instant(seconds: int) -> str:
    """A time in epoch seconds as ISO 8601, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
