"""The contract of Organizations: its typed commands, a module per family.

:data:`COMMANDS` names every operation that this server knows; another one is answered ``UnknownOperationException``.
"""

from __future__ import annotations

from typing import Any, Final

from locum.api.organizations import accounts, organization, policies, units
from locum.api.organizations.service import ORGANIZATIONS
from locum.api.shapes import Command

__all__ = ["COMMANDS", "ORGANIZATIONS"]

COMMANDS: Final[dict[str, type[Command[Any]]]] = {
    command.operation.name: command
    for command in (*organization.COMMANDS, *accounts.COMMANDS, *units.COMMANDS, *policies.COMMANDS)
}
"""Operation name → command type."""
