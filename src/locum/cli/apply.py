"""``locum apply``: make accounts and everything in them what a file says."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from locum.cli.options import opened, settings_from, settings_options
from locum.cli.report import complain, result
from locum.server.config import Problem, Refused
from locum.server.declared.execute import MAX_FAULTS, Plan, execute, read_declared
from locum.server.declared.run import Change
from locum.server.declared.source import MAX_CHARACTERS

__all__ = ["command"]

_MOST_KEPT = 20


@settings_options("data", "wrapping_key_command", "partition")
@click.command("apply")
@click.argument("file", metavar="FILE")
@click.option("--prune", is_flag=True, help="Delete what the sections of the file do not mention.")
@click.option("--yes", is_flag=True, help="Apply without asking.")
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@click.option("--check", is_flag=True, help="The same, and exit status 1 where something would change.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def command(file: str, prune: bool, yes: bool, dry_run: bool, check: bool, as_json: bool, **options: Any) -> int:
    """Make accounts and everything in them what a YAML or JSON FILE says, in one transaction; - is standard input.

    Shows first what is made (+), changed (~) and deleted (-), and asks. Nothing is deleted without --prune. A file with
    any mistake changes nothing; each mistake is told with its line. A running server follows with its next request.
    """
    dry_run = dry_run or check
    asks = not yes and not dry_run
    if asks and (file == "-" or not sys.stdin.isatty()):
        raise click.UsageError("nobody can be asked here: add --yes, or --dry-run to see the plan")
    declared = read_declared(_read(file), file)
    settings = settings_from(dict(options))
    now = int(time.time())
    with opened(options) as data:

        def run(agreed: Plan | None) -> Plan:
            return execute(
                data.store,
                data.vault,
                declared,
                now,
                os.urandom,
                partition=settings.partition,
                prune=prune,
                commit=lambda plan: not dry_run and (yes or plan.changes == (agreed and agreed.changes)),
            )

        plan = run(None)
        if plan.faults:
            for place, text in plan.faults:
                complain(f"{file}:{place.line}:{place.column}: {_shown(text)}")
            if len(plan.faults) == MAX_FAULTS:
                complain(f"these are the first {MAX_FAULTS} mistakes")
            complain("nothing was changed", "correct the file; --dry-run tries it without changing anything")
            return 1
        _show(plan, as_json)
        if plan.changes and asks:
            if not click.confirm("Apply this?", err=True):
                raise Refused(Problem("nothing was changed"))
            # Nobody is kept from writing while somebody reads a plan, so it is made again.
            again = run(plan)
            if again.faults or again.changes != plan.changes:
                raise Refused(
                    Problem("something else was changed meanwhile, and nothing by this", "look at the plan anew")
                )
    _advise(plan, dry_run=dry_run)
    return 1 if check and plan.changes else 0


def _read(file: str) -> str:
    try:
        if file == "-":
            data = sys.stdin.buffer.read(MAX_CHARACTERS + 1)
        else:
            with Path(file).open("rb") as opened_file:
                data = opened_file.read(MAX_CHARACTERS + 1)
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from None
    if len(data) > MAX_CHARACTERS:
        raise click.UsageError(f"{file} is longer than {MAX_CHARACTERS} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise click.UsageError(f"{file}:{line}: this is not UTF-8") from None


def _shown(text: str) -> str:
    # Messages quote the file as it is.
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _show(plan: Plan, as_json: bool) -> None:
    if as_json:
        result({"changes": plan.changes, "kept": plan.kept})
        return
    scope = None
    for change in plan.changes:
        if change.scope != scope:
            scope = change.scope
            click.echo(scope if " " in scope else f"account {scope}")
        click.echo(f"  {change.sign} {change.kind} {_shown(change.name)}")
        for line in change.details:
            click.echo(f"      {_shown(line)}")
    if plan.changes:
        made, changed, deleted = (plan.count(sign) for sign in "+~-")
        click.echo(f"{made} to make, {changed} to change, {deleted} to delete")
    else:
        click.echo("nothing to change")


def _advise(plan: Plan, *, dry_run: bool) -> None:
    if plan.kept:
        more = f", and {len(plan.kept) - _MOST_KEPT} more" if len(plan.kept) > _MOST_KEPT else ""
        listed = ", ".join(map(_shown, plan.kept[:_MOST_KEPT]))
        complain(f"not in the file, and left alone: {listed}{more}", "--prune deletes them")
    made = [each.name for each in plan.changes if _is_new_account(each)]
    if made and not dry_run:
        complain(
            f"new accounts have no root key: {', '.join(made)}",
            f"locum root reset-key --account {made[0]} makes one",
        )


def _is_new_account(change: Change) -> bool:
    return change.sign == "+" and change.kind == "account"
