"""Policy documents in files, as commands read them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO, Final

import click

from locum.policy import CompiledPolicy, PolicyError, PolicyKind, compile_policy, parse

__all__ = ["KINDS", "LONGEST_FILE", "compiled", "read_document"]

KINDS: Final = {
    "managed": PolicyKind.MANAGED,
    "inline": PolicyKind.INLINE,
    "trust": PolicyKind.TRUST,
    "session": PolicyKind.SESSION,
    "resource": PolicyKind.RESOURCE,
    "scp": PolicyKind.SERVICE_CONTROL,
    "rcp": PolicyKind.RESOURCE_CONTROL,
}
"""What a document is used as, by the word of ``--kind``."""

LONGEST_FILE: Final = 1_048_576
"""Bytes of a file that is read; a document has at most an eighth of that in characters."""

_WORDS: Final = {kind: word for word, kind in KINDS.items()}


class _Unusable(click.UsageError):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def read_document(name: str) -> str:
    """The text of a file, or of standard input for ``-``; a usage error where it cannot be read."""
    try:
        if name == "-":
            data = _start(sys.stdin.buffer)
        else:
            with Path(name).open("rb") as file:
                data = _start(file)
    except OSError as error:
        raise _Unusable(f"{name} cannot be read: {error.strerror}", "name a file, or - for standard input") from None
    if len(data) > LONGEST_FILE:
        raise _Unusable(f"{name} is longer than {LONGEST_FILE} bytes", "is it a policy document?")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _Unusable(f"{name} is not UTF-8 at byte {error.start}", "save it as UTF-8") from None


def _start(file: BinaryIO) -> bytes:
    return file.read(LONGEST_FILE + 1)


def compiled(name: str, kind: PolicyKind) -> CompiledPolicy:
    """The document of a file, ready for decisions and named after the file; a usage error where it is none."""
    text = read_document(name)
    try:
        return compile_policy(parse(text), kind, name)
    except PolicyError as error:
        raise _Unusable(
            f"{name} is no {kind.value}: {error}",
            f"locum policy check --kind {_WORDS[kind]} {name} shows where and why",
        ) from None
