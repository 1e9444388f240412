"""``locum audit``: follow the audit files, and search them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from locum.cli.moments import moment
from locum.cli.options import settings_from, settings_options
from locum.cli.report import complain
from locum.cli.trail import Chain, Question, Record, chains_of, follow, newest, read_record, search
from locum.server.config import Problem, Refused

__all__ = ["command"]

_audit_options = settings_options("data", "audit_file")
_as_lines = click.option("--json", "as_json", is_flag=True, help="Print the records as they are, one a line.")


@click.group("audit", no_args_is_help=True)
def command() -> None:
    """The audit files of a server, those that were turned over included: one record for every request."""


@_audit_options
@command.command("tail")
@click.option(
    "-n", "--lines", type=click.IntRange(0, 100_000), default=10, help="Records to begin with.  [default: 10]"
)
@click.option("-f", "--follow", "following", is_flag=True, help="Go on with what is written, until interrupted.")
@_as_lines
def tail(lines: int, following: bool, as_json: bool, **options: Any) -> None:
    """Show the newest records."""
    path = settings_from(options).audit_path
    for line in _read(path, lambda: newest(path, lines)):
        _print(line, as_json)
    if following:
        for line in follow(path, time.sleep):
            _print(line, as_json)


@_audit_options
@command.command("search")
@click.option("--principal", metavar="WHO", help="Caller: ARN, name, session name, unique id or access key id.")
@click.option("--role", metavar="ROLE", help="ARN or name of the role that the caller is, or that it asked for.")
@click.option("--action", metavar="ACTION", help="Such as sts:AssumeRole, AssumeRole or iam:*.")
@click.option("--account", metavar="ID", help="Account of the caller, or of what it reached for.")
@click.option("--source-identity", metavar="VALUE", help="Source identity of the session, or asked for.")
@click.option("--request", metavar="ID", help="Id of one request.")
@click.option("--failed", is_flag=True, help="Only requests that were refused or failed.")
@click.option("--since", callback=moment, metavar="TIME", help="2026-01-02T03:04:05Z, or 90m, 36h, 7d for so long ago.")
@click.option("--until", callback=moment, metavar="TIME", help="The same.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1_000, help="Newest records shown.  [default: 1000]")
@click.option("--chain", is_flag=True, help="Show each session below those that it came from, up to the first person.")
@_as_lines
def search_(limit: int, chain: bool, as_json: bool, **options: Any) -> int:
    """Show who did what as which role: the records that fit every option, oldest first.

    WHO, ROLE, ACTION and VALUE may hold * and ?. Exit status 1: there is none.
    """
    if chain and as_json:
        raise click.UsageError("--chain prints a tree: leave --json out")
    question = Question(*[options.pop(name) for name in Question._fields])
    path = settings_from(options).audit_path
    found, more = _read(path, lambda: search(path, question, limit))
    if chain:
        for root in _read(path, lambda: chains_of(path, [record for _, record in found])):
            click.echo("\n".join(_tree(root)))
    else:
        for line, _ in found:
            _print(line, as_json)
    if more:
        complain(f"there are more than {limit} records", "say more precisely which, or give --limit")
    if not found:
        complain(f"no record in {path} and the files turned over from it fits")
    return 0 if found else 1


def _read(path: Path, reading: Any) -> Any:
    try:
        return reading()
    except OSError as error:
        raise Refused(
            Problem(f"{path} cannot be read: {error.strerror}", "name the data directory, --data, or --audit-file")
        ) from None


def _print(line: bytes, as_json: bool) -> None:
    if as_json:
        click.echo(line)
        return
    record = read_record(line)
    click.echo("(a line that is no record)" if record is None else _text(record))


def _text(record: Record) -> str:
    """Who did what, in one line."""
    about = f" {record.about}" if record.about and record.about != record.who else ""
    outcome = record.error or "ok"
    return _printable(f"{record.time} {record.who} {record.action}{about}: {outcome} (from {record.peer}, {record.id})")


def _tree(root: Chain) -> Iterator[str]:
    made = [*root.done, *(each.issued_by for each in root.led_to if each.issued_by is not None)]
    identity = made[0].who
    if made[0].caller.identity_provider:
        yield _printable(identity)
        yield from _below(root, "")
        return
    known = "" if not root.key_id.startswith("ASIA") else ", of whose issue no file tells"
    yield _printable(f"{identity} ({root.key_id or 'no key'}{known})")
    yield from _below(root, "")


def _below(chain: Chain, margin: str) -> Iterator[str]:
    """What a credential did and what it led to, in the order of time."""
    steps: list[tuple[str, Record | Chain]] = [(each.time, each) for each in chain.done]
    steps += [(each.issued_by.time, each) for each in chain.led_to if each.issued_by is not None]
    steps.sort(key=lambda step: step[0])
    for number, (_, step) in enumerate(steps, 1):
        last = number == len(steps)
        head, rest = ("└─ ", "   ") if last else ("├─ ", "│  ")
        if isinstance(step, Chain):
            assert step.issued_by is not None
            yield margin + head + _printable(_issue(step.issued_by, step.key_id))
            yield from _below(step, margin + rest)
        else:
            about = f" {step.about}" if step.about else ""
            text = f"{step.time} {step.action}{about}: {step.error or 'ok'} (from {step.peer}, {step.id})"
            yield margin + head + _printable(text)


def _issue(record: Record, key_id: str) -> str:
    became = record.about if record.name != "GetSessionToken" else record.who
    source = record.caller.session_context.source_identity or ""
    asked = record.asked.get("sourceIdentity") if record.asked else None
    behind = f", source identity {asked or source}" if asked or source else ""
    return f"{record.time} {record.action} → {became} ({key_id}{behind})"


def _printable(text: str) -> str:
    """Text of elsewhere without anything that a terminal would obey."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
