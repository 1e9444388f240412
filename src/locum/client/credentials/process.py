"""Credentials that a program writes: ``credential_process`` of a profile (STS-CL-026)."""

from __future__ import annotations

import shlex
import sys
from typing import Final

import msgspec

from locum.client.credentials.base import MAX_DOCUMENT, Credentials, cut, read_document
from locum.client.effects import Flow, Run
from locum.client.failures import ConfigurationFailure, CredentialsFailure, RunFailed

__all__ = ["Process", "arguments"]

_SECONDS: Final = 60.0
"""How long the program may take; some ask a person."""


def arguments(command: str, *, windows: bool = False) -> tuple[str, ...]:
    """The program and its arguments; quotes are understood, and nothing else of a shell.

    Raises ValueError where a quote is not closed or nothing is left.
    """
    parts = tuple(shlex.split(command, posix=not windows))
    if windows:
        parts = tuple(part[1:-1] if len(part) > 1 and part[0] == part[-1] == '"' else part for part in parts)
    if not parts:
        raise ValueError("the command is empty")
    return parts


class Process(msgspec.Struct, frozen=True):
    """The program that ``command`` runs, each time that credentials are needed.

    ``place`` is where the setting stands, for messages; ``account_id`` counts where the program tells none.
    """

    command: str
    place: str
    account_id: str | None = None

    def __repr__(self) -> str:
        """Without the command: arguments may be secrets."""
        return f"Process({self.place!r})"

    def resolve(self) -> Flow[Credentials]:
        """What the program writes to its standard output.

        Raises CredentialsFailure with what it wrote to its standard error where it fails.
        """
        source = f"{self.place}: credential_process"
        try:
            argv = arguments(self.command, windows=sys.platform == "win32")
        except ValueError as error:
            raise ConfigurationFailure(f"{source}: {error}".replace("closing quotation", "closing quote")) from None
        try:
            output = yield from Run(argv, _SECONDS, MAX_DOCUMENT)
        except RunFailed as error:
            told = cut(error.errors)
            status = f"ended with status {error.status}" if error.status is not None else cut(str(error))
            raise CredentialsFailure(f"{source} {status}{': ' if told else ''}{told}") from error
        found = read_document(output, source, process=True)
        if found.account_id is None and self.account_id:
            return msgspec.structs.replace(found, account_id=self.account_id)
        return found
