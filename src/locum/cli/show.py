"""An answer of the API as a person or a program reads it; secrets in it are shown, since they are the result."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from locum.api.shapes import Kind, Member, Shape, members, travels
from locum.cli.members import kebab
from locum.cli.remote import printable
from locum.cli.report import result, table
from locum.secret import Secret

__all__ = ["as_document", "rows", "show", "show_rows"]


def show(answer: Shape, *, as_json: bool) -> None:
    """Print an answer: as JSON under the names of the API, or a name and its value a line, lists as tables."""
    if as_json:
        result(as_document(answer))
        return
    found = members(type(answer))
    lists = [each for each in found if each.kind is Kind.LIST]
    show_rows(list(rows(answer)))
    for each in lists:
        _show_list(each, getattr(answer, each.attribute))


def _show_list(member: Member, values: Sequence[Any]) -> None:
    shown = [dict(rows(each)) if isinstance(each, Shape) else {kebab(member.attribute): str(each)} for each in values]
    names = list(dict.fromkeys(name for each in shown for name in each))
    table([{name: each.get(name, "-") for name in names} for each in shown])


def as_document(value: Any) -> Any:
    """A shape as JSON has it: names of the API, times in ISO 8601, secrets in the open."""
    if isinstance(value, Shape):
        return {
            each.wire_name: as_document(inner)
            for each in members(type(value))
            if travels(each, inner := getattr(value, each.attribute))
        }
    if isinstance(value, tuple):
        return [as_document(each) for each in value]
    if isinstance(value, Secret):
        return value.reveal()
    return _time(value) if isinstance(value, datetime) else value


def rows(value: Shape, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The names and texts of a shape without its lists; what stands inside a structure bears the names of both."""
    for each in members(type(value)):
        inner = getattr(value, each.attribute)
        if not travels(each, inner) or each.kind is Kind.LIST:
            continue
        name = f"{prefix}{kebab(each.attribute)}"
        if isinstance(inner, Shape):
            yield from rows(inner, f"{name}.")
        else:
            yield name, printable(str(as_document(inner)))


def show_rows(found: Sequence[tuple[str, str]]) -> None:
    """Print names and values in two columns; on a terminal with names in bold, where ``rich`` is installed."""
    if not found:
        return
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
        try:
            _on_terminal(found)
            return
        except ImportError:
            pass
    width = max(len(name) for name, _ in found)
    for name, text in found:
        click.echo(f"{name.ljust(width)}  {text}")


def _on_terminal(found: Sequence[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in found:
        grid.add_row(Text(name, "bold"), Text(text))
    Console(soft_wrap=False).print(grid)


def _time(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
