"""An account that asks for delegation, and the ways of its requests."""

from __future__ import annotations

import json
from typing import Any, Final

from locum.api import sts
from locum.api.extensions import ReceiveDelegationTokenCommand
from locum.api.iam import delegation as api
from locum.api.iam import policies
from locum.secret import Secret
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, OTHER, World, document

ADMIN: Final = document(Effect="Allow", Action="*", Resource="*")
DAY: Final = 86_400
TEMPLATE: Final = document(
    {"Effect": "Allow", "Action": ["iam:GetUser", "iam:ListUsers"], "Resource": "arn:aws:iam::@{account}:user/*"},
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::@{account}:role/@{the-roles}"},
)
ROLES: Final = (f"arn:aws:iam::{ACCOUNT}:role/a", f"arn:aws:iam::{ACCOUNT}:role/b")


def credentials(issued: sts.Credentials) -> Credentials:
    return Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)


class Partner:
    """An account that asks for delegation, and another one whose administrator is asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.root = world.account(OTHER)
        self.bot = world.user("bot", ADMIN, root=self.root)
        self.admin = world.user("admin", ADMIN)
        self.template = self.make("template", TEMPLATE)
        self._asked = 0

    def make(self, name: str, policy: Any) -> str:
        text = json.dumps(policy)
        made = self.world.call(self.root, policies.CreatePolicyCommand(policy_name=name, policy_document=text)).policy
        assert made is not None
        assert made.arn is not None
        return made.arn

    def asking(self, **more: Any) -> api.CreateDelegationRequestCommand:
        self._asked += 1
        permissions = api.DelegationPermission(
            policy_template_arn=self.template,
            parameters=(
                api.PolicyParameter(name="account", values=(ACCOUNT,), type="string"),
                api.PolicyParameter(name="the-roles", values=("a", "b"), type="stringList"),
            ),
        )
        given: dict[str, Any] = {
            "owner_account_id": ACCOUNT,
            "description": "Set things up",
            "permissions": permissions,
            "requestor_workflow_id": f"workflow {self._asked}",
            "notification_channel": "arn:aws:sns:us-east-1:444455556666:delegations",
            "session_duration": 3600,
        }
        return api.CreateDelegationRequestCommand(**(given | more))

    def ask(self, **more: Any) -> str:
        id = self.world.call(self.bot, self.asking(**more)).delegation_request_id
        assert id is not None
        return id

    def do(self, kind: Any, id: str, by: Credentials | None = None, **more: Any) -> Any:
        return self.world.call(by or self.admin, kind(delegation_request_id=id, **more))

    def shown(self, id: str, by: Credentials | None = None) -> api.DelegationRequest:
        found: api.DelegationRequest = self.do(api.GetDelegationRequestCommand, id, by).delegation_request
        return found

    def accepted(self, by: Credentials | None = None, **more: Any) -> str:
        id = self.ask(**more)
        self.do(api.AssociateDelegationRequestCommand, id)
        self.do(api.AcceptDelegationRequestCommand, id, by)
        return id

    def sent(self, by: Credentials | None = None, **more: Any) -> str:
        id = self.accepted(by, **more)
        self.do(api.SendDelegationTokenCommand, id)
        return id

    def token(self, id: str, by: Credentials | None = None) -> Secret:
        command = ReceiveDelegationTokenCommand(delegation_request_id=id)
        return self.world.call(by or self.bot, command).trade_in_token

    def traded(self, token: Secret, by: Credentials | None = None) -> sts.GetDelegatedAccessTokenResponse:
        return self.world.call(by or self.bot, sts.GetDelegatedAccessTokenCommand(trade_in_token=token))

    def session(self, id: str) -> Credentials:
        return credentials(self.traded(self.token(id)).credentials)

    def refused(self, kind: Any, id: str, error: Any, by: Credentials | None = None) -> str:
        return self.world.refusal(by or self.admin, kind(delegation_request_id=id), error)
