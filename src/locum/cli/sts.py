"""``locum sts``: every operation of STS as a command, made from its declaration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import click

from locum.api.registry import CONTRACTS
from locum.api.shapes import Command
from locum.api.sts import STS
from locum.cli.caller import client_options, sts_client
from locum.cli.members import member_options, members_from
from locum.cli.report import as_json
from locum.cli.show import kebab, show
from locum.secret import Secret

__all__ = ["OPERATIONS", "command", "command_name"]

_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_FACTS: Final = re.compile(r"\s+\((?:[A-Z]+(?:-[A-Z]+)*-?\d+(?:, )?)+\)")
_ROLE: Final = re.compile(r":\w+:`~?(?:[\w.]*\.)?(\w+)`")
_LITERAL: Final = re.compile(r"``([^`]*)``")


def command_name(operation: str) -> str:
    """The name on the command line, as in the AWS CLI: ``AssumeRoleWithSAML`` → ``assume-role-with-saml``."""
    return _WORDS.sub("-", operation).lower()


def _operations() -> Mapping[str, type[Command[Any]]]:
    contract = CONTRACTS[STS.version]
    return {command_name(name): each for name, each in {**contract.commands, **contract.extensions}.items()}


OPERATIONS: Final = _operations()
"""Name on the command line → command of the API."""


class _Operations(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(OPERATIONS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command_type = OPERATIONS.get(cmd_name)
        return None if command_type is None else _command(cmd_name, command_type)


@click.group("sts", cls=_Operations, no_args_is_help=True)
def command() -> None:
    """Call any operation of STS: of this server's, or of AWS's.

    Text may come from a file: --policy @policy.json, or - for standard input; secrets only so. Structures are written
    key=team,value=blue or as JSON, lists by repeating the option or as a JSON list.
    """


def _command(name: str, command_type: type[Command[Any]]) -> click.Command:
    @client_options
    @as_json
    def call(as_json: bool, **options: Any) -> None:
        with sts_client(options) as client:
            given = members_from(command_type, options)
            if given.get("serial_number") and "token_code" in options and "token_code" not in given:
                given["token_code"] = Secret(_code(given["serial_number"]))
            show(client.send(command_type(**given)), as_json=as_json)

    made = click.command(name, help=_described(command_type))(call)
    made.params = [*member_options(command_type), *made.params]
    return made


def _code(serial: str) -> str:
    from locum.client.transport import ask

    return ask(f"Enter MFA code for {serial}: ").strip()


def _described(command_type: type[Command[Any]]) -> str:
    """What the declaration says of the operation, in words of the command line."""
    text = _FACTS.sub("", _ROLE.sub(r"\1", command_type.__doc__ or ""))
    attributes = set(command_type.__struct_fields__)
    return _LITERAL.sub(lambda found: f"--{kebab(found[1])}" if found[1] in attributes else found[1], text)
