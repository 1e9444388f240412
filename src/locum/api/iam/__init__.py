"""The contract of IAM: its typed commands, a module per family of entities.

:data:`COMMANDS` names every operation that this server knows; another one is answered ``InvalidAction``.
"""

from __future__ import annotations

from typing import Any, Final

from locum.api.iam import (
    access_keys,
    account,
    credential_report,
    delegation,
    groups,
    instance_profiles,
    last_accessed,
    login_profiles,
    mfa,
    oidc_providers,
    other_credentials,
    outbound,
    policies,
    roles,
    root_access,
    saml_providers,
    service_linked_roles,
    simulation,
    users,
)
from locum.api.iam.service import IAM
from locum.api.shapes import Command

__all__ = ["COMMANDS", "IAM"]

COMMANDS: Final[dict[str, type[Command[Any]]]] = {
    command.operation.name: command
    for command in (
        *users.COMMANDS,
        *access_keys.COMMANDS,
        *roles.COMMANDS,
        *policies.COMMANDS,
        *simulation.COMMANDS,
        *mfa.COMMANDS,
        *groups.COMMANDS,
        *instance_profiles.COMMANDS,
        *oidc_providers.COMMANDS,
        *saml_providers.COMMANDS,
        *outbound.COMMANDS,
        *account.COMMANDS,
        *credential_report.COMMANDS,
        *login_profiles.COMMANDS,
        *other_credentials.COMMANDS,
        *service_linked_roles.COMMANDS,
        *last_accessed.COMMANDS,
        *root_access.COMMANDS,
        *delegation.COMMANDS,
    )
}
"""Operation name → command type."""
