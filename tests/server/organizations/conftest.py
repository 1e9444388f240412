"""An organization to test with: its management account's root calls."""

from __future__ import annotations

from typing import Any

import pytest

from locum.api.organizations import accounts, organization, policies, types, units
from locum.core.organization import OrgFacts
from locum.core.records import Account
from locum.guard.directory import Directory
from locum.secret import Secret
from locum.server.accounts import reset_root_key
from locum.store.facts import Facts
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from ..conftest import ACCOUNT, World

SCP = "SERVICE_CONTROL_POLICY"
RCP = "RESOURCE_CONTROL_POLICY"
FULL = {SCP: "p-FullAWSAccess", RCP: "p-RCPFullAWSAccess"}
DENY = '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:*","Resource":"*"}}'
NO_ROLES = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}}'
)


class Org:
    """An organization of the world's first account."""

    def __init__(self, world: World, **given: Any) -> None:
        self.world = world
        self.root = world.root
        self.shown = self.call(organization.CreateOrganizationCommand(**given)).organization
        self.id = self.shown.id
        self.top = self.call(organization.ListRootsCommand()).roots[0].id

    def call(self, command: Any, credentials: Credentials | None = None) -> Any:
        return self.world.call(credentials or self.root, command)

    def refused(self, command: Any, kind: Any, credentials: Credentials | None = None) -> str | None:
        """The reason that the refusal of exactly one kind has."""
        with pytest.raises(kind) as raised:
            self.call(command, credentials)
        assert type(raised.value) is kind
        assert raised.value.message
        reason: str | None = raised.value.details.get("Reason")
        return reason

    def create(self, name: str = "shop", email: str | None = None, **more: Any) -> accounts.CreateAccountStatus:
        """How the creation of an account went."""
        made = accounts.CreateAccountCommand(
            email=Secret(email or f"{name}@example.com"), account_name=Secret(name), **more
        )
        begun = self.call(made).create_account_status
        asked = accounts.DescribeCreateAccountStatusCommand(create_account_request_id=begun.id)
        status: accounts.CreateAccountStatus = self.call(asked).create_account_status
        return status

    def account(self, name: str = "shop", **more: Any) -> str:
        """The id of a new account."""
        id = self.create(name, **more).account_id
        assert id is not None
        return id

    def root_of(self, account: str) -> Credentials:
        """Root credentials of an account, as an operator makes them."""
        with self.world.store.transaction() as rows:
            key = reset_root_key(rows, self.world.vault, int(self.world.now), self.world.random, account)
        return Credentials(key.access_key_id, key.secret)

    def unit(self, name: str = "unit", parent: str | None = None, **more: Any) -> str:
        made = units.CreateOrganizationalUnitCommand(parent_id=parent or self.top, name=name, **more)
        return str(self.call(made).organizational_unit.id)

    def move(self, account: str, source: str, destination: str) -> None:
        self.call(
            accounts.MoveAccountCommand(account_id=account, source_parent_id=source, destination_parent_id=destination)
        )

    def enable(self, type: str = SCP) -> types.Root:
        root: types.Root = self.call(policies.EnablePolicyTypeCommand(root_id=self.top, policy_type=type)).root
        return root

    def policy(self, name: str = "no-s3", content: str = DENY, type: str = SCP, **more: Any) -> str:
        made = policies.CreatePolicyCommand(name=name, content=content, type=type, **({"description": ""} | more))
        return str(self.call(made).policy.policy_summary.id)

    def attach(self, policy: str, target: str) -> None:
        self.call(policies.AttachPolicyCommand(policy_id=policy, target_id=target))

    def detach(self, policy: str, target: str) -> None:
        self.call(policies.DetachPolicyCommand(policy_id=policy, target_id=target))

    def attached(self, target: str, type: str = SCP) -> list[str]:
        """The ids of what is attached to a target itself."""
        listed = self.call(policies.ListPoliciesForTargetCommand(target_id=target, filter=type))
        return [each.id for each in listed.policies]

    def targets(self, policy: str) -> list[str]:
        """The ids of what a policy is attached to."""
        return [each.target_id for each in self.call(policies.ListTargetsForPolicyCommand(policy_id=policy)).targets]

    def facts(self, account: str = ACCOUNT) -> OrgFacts | None:
        """What a decision about an account reads."""
        with Facts(self.world.store).reading() as view:
            return Directory(view, self.world.vault, "aws").organization_of(account)

    def record(self, account: str) -> Account:
        with self.world.store.snapshot() as rows:
            stored = Records(rows).get(Account, "", account)
        assert stored is not None
        return stored.record

    def delegate(self, account: str, service: str = "iam.amazonaws.com") -> None:
        self.call(organization.EnableAWSServiceAccessCommand(service_principal=service))
        self.call(organization.RegisterDelegatedAdministratorCommand(account_id=account, service_principal=service))


@pytest.fixture
def org(world: World) -> Org:
    return Org(world)
