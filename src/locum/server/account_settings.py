"""The account's alias and settings, and what its password policy permits every user."""

from __future__ import annotations

import json
from typing import Any, Final

from locum.api.iam.login_profiles import ChangePasswordCommand, GetAccountPasswordPolicyCommand
from locum.core.account_records import AccountAlias, AccountSettings
from locum.policy import PolicyKind, load
from locum.server.handlers import Call
from locum.store.records import Stored

__all__ = ["OF_ONES_OWN", "OWN_PASSWORD", "alias_of", "may_change_own", "root_name", "settings_of"]

_PERMITTED: Final = (ChangePasswordCommand.operation, GetAccountPasswordPolicyCommand.operation)
OF_ONES_OWN: Final = frozenset(each.name for each in _PERMITTED)
"""What AllowUsersToChangePassword permits to every user of the account."""

OWN_PASSWORD: Final = load(
    json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": [each.action for each in _PERMITTED], "Resource": "*"}],
        }
    ),
    PolicyKind.INLINE,
    "AllowUsersToChangePassword",
)
"""That permission as a policy beside the user's own: a deny, a boundary or a session policy still counts."""


def alias_of(call: Call[Any]) -> Stored[AccountAlias] | None:
    """The alias of the account, which has one at most (IAM-ACC-001)."""
    for key in call.records.found("alias-account", call.account, limit=1):
        return call.records.get(AccountAlias, "", key.name)
    return None


def root_name(call: Call[Any]) -> str:
    """What root goes by where answers name a user: the account's alias, else its name (IAM-USR-009)."""
    alias = alias_of(call)
    return call.account_record.name if alias is None else alias.record.alias


def settings_of(call: Call[Any]) -> AccountSettings:
    """The account's settings, AWS's defaults where nothing was set."""
    stored = call.records.get(AccountSettings, call.account, "settings")
    return AccountSettings(account=call.account) if stored is None else stored.record


def may_change_own(call: Call[Any]) -> bool:
    """Whether the account lets its users change their passwords, and the caller is one of them."""
    rules = settings_of(call).passwords if call.caller.user_name else None
    return rules is not None and rules.users_may_change
