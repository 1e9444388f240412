"""Every service that this server speaks for, and how a request finds its command (R20, STS-W-016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from locum.api import extensions, iam, sts
from locum.api.shapes import Command, Service
from locum.errors import InvalidAction, MissingAction

__all__ = ["CONTRACTS", "Contract", "find_command", "unknown_operation"]


class Contract(NamedTuple):
    """A service and its commands by operation name; ``extensions`` are those that AWS does not have."""

    service: Service
    commands: Mapping[str, type[Command[Any]]]
    extensions: Mapping[str, type[Command[Any]]] = {}


CONTRACTS: Final[Mapping[str, Contract]] = {
    contract.service.version: contract
    for contract in (Contract(sts.STS, sts.COMMANDS, extensions.COMMANDS), Contract(iam.IAM, iam.COMMANDS))
}
"""API version → contract: the version of a query request names the service."""


def unknown_operation(action: str, version: str | None) -> InvalidAction:
    """The error for an operation that does not exist, or that this server does not answer (STS-W-016, STS-W-017)."""
    return InvalidAction(f"Could not find operation {action} for version {version or 'NO_VERSION_SPECIFIED'}")


def find_command(
    action: str | None, version: str | None, contracts: Mapping[str, Contract] = CONTRACTS
) -> type[Command[Any]]:
    """The command that ``Action`` and ``Version`` of a request name.

    Raises MissingAction without an action and InvalidAction where there is no such operation; names are
    case-sensitive.
    """
    if not action:
        raise MissingAction("The request is missing an action or a required parameter.")
    contract = contracts.get(version or "")
    command = None if contract is None else contract.commands.get(action) or contract.extensions.get(action)
    if command is None:
        raise unknown_operation(action, version)
    return command
