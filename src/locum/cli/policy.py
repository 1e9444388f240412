"""``locum policy``: look at policy documents without a server."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import click

from locum.cli import policy_size
from locum.cli.documents import KINDS, read_document
from locum.cli.options import as_json, data_options, opened
from locum.cli.report import complain, result
from locum.core.limits import policy_sizes
from locum.core.records import Account
from locum.policy.analyze import MAX_FINDINGS, Analysis, Finding, Severity, analyze, guess_kind
from locum.server.config import Problem, Refused
from locum.store.records import Records

__all__ = ["command"]


@click.group("policy", no_args_is_help=True)
def command() -> None:
    """Policy documents: what is wrong with them and how large they are, before somebody depends on them."""


command.add_command(policy_size.command)


@data_options
@command.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--kind",
    type=click.Choice(tuple(KINDS)),
    help="What the documents are used as.  [default: managed; trust or resource for those that name principals]",
)
@click.option("--account", metavar="ID", help="Apply the limits of this account of the data directory.")
@click.option("--strict", is_flag=True, help="Let warnings fail too.")
@as_json
def check(
    files: tuple[str, ...], kind: str | None, account: str | None, strict: bool, as_json: bool, **options: Any
) -> int:
    """Check policy documents: errors, for which storing them would be refused, warnings and suggestions.

    Each finding has file, line and column. An error's message is the one of AWS; what it means follows below it.
    A FILE of - is standard input. Exit status 1: there are errors.
    """
    sizes = policy_sizes(_account(account, options))
    now = int(time.time())
    checked: list[tuple[str, Analysis]] = []
    for name in files:
        text = read_document(name)
        found = analyze(text, KINDS[kind] if kind is not None else guess_kind(text), now=now, sizes=sizes)
        checked.append((name, found))
    if as_json:
        result(
            [
                {"file": name, "kind": each.kind.value, "cut": each.cut, "findings": each.findings}
                for name, each in checked
            ]
        )
    else:
        for name, each in checked:
            for finding in each.findings:
                click.echo(_text(name, finding))
    for name, each in checked:
        if each.cut:
            complain(f"{name} has more than {MAX_FINDINGS} findings", "correct these first")
    counts = Counter(finding.severity for _, each in checked for finding in each.findings)
    if counts:
        complain(", ".join(_counted(counts[severity], severity) for severity in Severity if counts[severity]))
    failed = counts[Severity.ERROR] or (strict and counts[Severity.WARNING])
    return 1 if failed else 0


def _account(id: str | None, options: dict[str, Any]) -> Account | None:
    if id is None:
        return None
    with opened(options) as data, data.store.snapshot() as rows:
        stored = Records(rows).get(Account, "", id)
    if stored is None:
        raise Refused(Problem(f"there is no account {id!r}", "`locum account list` shows them"))
    return stored.record


def _counted(number: int, severity: Severity) -> str:
    return f"{number} {severity.value}{'' if number == 1 else 's'}"


def _text(file: str, finding: Finding) -> str:
    lines = [f"{file}:{finding.line}:{finding.column}: {finding.severity.value}: {finding.message} [{finding.code}]"]
    lines.append(f"    {finding.path}{': ' if finding.why else ''}{finding.why}")
    if finding.fix:
        lines.append(f"    hint: {finding.fix}")
    # AWS's messages quote the document as it is.
    return "\n".join(
        "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line) for line in lines
    )
