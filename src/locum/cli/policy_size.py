"""``locum policy size``: what session policies and session tags take of a session's packed size."""

from __future__ import annotations

from typing import Any, Final

import click

from locum.cli.documents import read_document
from locum.cli.options import as_json
from locum.cli.report import complain, result, table
from locum.core.packing import ALLOTTED_BYTES, packed_policies, packed_tags

__all__ = ["command"]

_PLAIN_CHARACTERS: Final = 2_048
_MOST_ARNS: Final = 10
_MOST_TAGS: Final = 50
_KEY_CHARACTERS: Final = 128
_VALUE_CHARACTERS: Final = 256


@click.command("size")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--policy-arn", "arns", multiple=True, metavar="ARN", help="A managed session policy.  May be repeated.")
@click.option(
    "--tag", "tags", multiple=True, metavar="K=V", help="A session tag, or one that is inherited.  May be repeated."
)
@as_json
def command(files: tuple[str, ...], arns: tuple[str, ...], tags: tuple[str, ...], as_json: bool) -> int:
    """Show what each part of a session adds to its packed size, before a call fails.

    Each FILE is an inline session policy, of which a session has one: several files are measured one by one, each with
    all ARNs and tags. A FILE of - is standard input. Exit status 1: a session would be refused.
    """
    if not (files or arns or tags):
        raise click.UsageError("there is nothing to measure: give a FILE, --policy-arn or --tag")
    pairs = tuple(_pair(each) for each in tags)
    if len({key.lower() for key, _ in pairs}) != len(pairs):
        raise click.UsageError("two tags have the same key, which case does not tell apart")
    measured = [_measure(name, arns, pairs) for name in files or (None,)]
    if as_json:
        result(measured)
    else:
        for each in measured:
            table(
                [
                    {"part": part["part"], "characters": part["characters"], "packed": part["bytes"]}
                    | {"percent": f"{part['percent']}%"}
                    for part in each["parts"]
                ]
            )
    refused = [(each["file"], why) for each in measured for why in each["refused"]]
    for name, why in refused:
        complain(f"{name}: {why}" if name else why, _HINTS[why.partition(":")[0]])
    return 1 if refused else 0


_HINTS: Final = {
    "packed": "shorten what adds most: white space and repetition cost little, names and tags much",
    "plain": f"Policy and PolicyArns have at most {_PLAIN_CHARACTERS} characters together",
    "arns": f"a session has at most {_MOST_ARNS} managed session policies",
    "tags": f"a session has at most {_MOST_TAGS} tags, keys of 1 to {_KEY_CHARACTERS} characters "
    f"and values of up to {_VALUE_CHARACTERS}",
}


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.UsageError(f"{text!r} is not KEY=VALUE")
    return key, value


def _measure(name: str | None, arns: tuple[str, ...], tags: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """The parts of one session in the order in which they are packed, each with the bytes that it adds."""
    policy = read_document(name) if name is not None else None
    parts: list[dict[str, Any]] = []
    before = 0

    def add(part: str, characters: int, packed: int) -> None:
        nonlocal before
        share = _share(packed) - _share(before)
        parts.append({"part": part, "characters": characters, "bytes": packed - before, "percent": share})
        before = packed

    if policy is not None:
        add(f"policy {name}", len(policy), packed_policies(policy, ()))
    for count, each in enumerate(arns, 1):
        add(f"policy ARN {each}", len(each), packed_policies(policy, arns[:count]))
    policies = before
    for count, (key, value) in enumerate(tags, 1):
        add(f"tag {key}", len(key) + len(value), policies + packed_tags(tags[:count]))
    plain = len(policy or "") + sum(map(len, arns))
    percent = _share(before)
    parts.append(
        {
            "part": "together",
            "characters": sum(each["characters"] for each in parts),
            "bytes": before,
            "percent": percent,
        }
    )
    refused = []
    if percent > 100:
        refused.append(f"packed: {before} of {ALLOTTED_BYTES} bytes, {percent}%")
    if plain > _PLAIN_CHARACTERS:
        refused.append(f"plain: the policies have {plain} characters")
    if len(arns) > _MOST_ARNS:
        refused.append(f"arns: {len(arns)} managed policies")
    if len(tags) > _MOST_TAGS or any(
        len(key) > _KEY_CHARACTERS or len(value) > _VALUE_CHARACTERS for key, value in tags
    ):
        refused.append("tags: too many, or too long")
    return {"file": name, "parts": parts, "refused": refused}


def _share(packed: int) -> int:
    return -(-packed * 100 // ALLOTTED_BYTES)
