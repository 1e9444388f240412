"""How the texts of IAM's denials name what was asked for where policies see ``*``."""

from __future__ import annotations

from typing import Any

import pytest

from locum import errors
from locum.api.iam import account, groups, instance_profiles, mfa, policies, roles, users
from locum.api.shapes import Command

from ..conftest import ACCOUNT, World


@pytest.mark.facts("POL-MSG-002")
@pytest.mark.parametrize(
    ("command", "named"),
    [
        (users.ListUsersCommand(), f"arn:aws:iam::{ACCOUNT}:user/"),
        (users.ListUsersCommand(path_prefix="/ops/e"), f"arn:aws:iam::{ACCOUNT}:user/ops/e"),
        (groups.ListGroupsCommand(), f"arn:aws:iam::{ACCOUNT}:group/"),
        (roles.ListRolesCommand(path_prefix="/aws-service-role/"), f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/"),
        (instance_profiles.ListInstanceProfilesCommand(), f"arn:aws:iam::{ACCOUNT}:instance-profile/"),
        (mfa.ListVirtualMFADevicesCommand(), f"arn:aws:iam::{ACCOUNT}:mfa/"),
        (policies.ListPoliciesCommand(), "policy path /"),
        (policies.ListPoliciesCommand(path_prefix="/ops/"), "policy path /ops/"),
        (account.GetAccountSummaryCommand(), "*"),
        (account.ListAccountAliasesCommand(), "*"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Command) else value,
)
def test_a_denial_names_what_is_listed(world: World, command: Command[Any], named: str) -> None:
    alice = world.user("alice")
    assert world.refusal(alice, command, errors.AccessDenied) == (
        f"User: arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform: {command.operation.action} "
        f"on resource: {named} because no identity-based policy allows the {command.operation.action} action"
    )
