"""Every service that this server speaks for, and how a request finds its command (R20, STS-W-016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from locum.api import extensions, iam, organizations, sts
from locum.api.shapes import Command, Service
from locum.errors import InvalidAction, MissingAction
from locum.organization_errors import UnknownOperationException

__all__ = ["CONTRACTS", "TARGETS", "Contract", "find_command", "find_target", "unknown_operation"]


class Contract(NamedTuple):
    """A service and its commands by operation name; ``extensions`` are those that AWS does not have."""

    service: Service
    commands: Mapping[str, type[Command[Any]]]
    extensions: Mapping[str, type[Command[Any]]] = {}


CONTRACTS: Final[Mapping[str, Contract]] = {
    contract.service.version: contract
    for contract in (
        Contract(sts.STS, sts.COMMANDS, extensions.COMMANDS),
        Contract(iam.IAM, iam.COMMANDS),
        Contract(organizations.ORGANIZATIONS, organizations.COMMANDS),
    )
}
"""API version → contract: the version of a query request names the service."""

TARGETS: Final[Mapping[str, Contract]] = {
    contract.service.target: contract for contract in CONTRACTS.values() if contract.service.target
}
"""Beginning of ``X-Amz-Target`` → contract, for the services that speak awsJson."""


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
    if contract is not None and contract.service.target:
        contract = None
    command = None if contract is None else contract.commands.get(action) or contract.extensions.get(action)
    if command is None:
        raise unknown_operation(action, version)
    return command


def find_target(target: str, contract: Contract) -> type[Command[Any]]:
    """The command of a service of :data:`TARGETS` that ``X-Amz-Target`` of a request names.

    UnknownOperationException where the service has no such operation.
    """
    name = target.partition(".")[2]
    command = contract.commands.get(name)
    if command is None:
        raise UnknownOperationException(f"Could not find operation {name[:128]} of {contract.service.name}")
    return command
