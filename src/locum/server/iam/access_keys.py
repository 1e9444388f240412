"""Access keys of users, and of root where root asks for itself (IAM-GEN-073)."""

from __future__ import annotations

from typing import Any, Final

from locum import arn
from locum.api.iam import access_keys as api
from locum.api.iam import types
from locum.core.records import AccessKey, User
from locum.core.token import secret_access_key
from locum.errors import AccessDenied, InvalidInputException, NoSuchEntityException
from locum.server.account_settings import root_name
from locum.server.handlers import Call, handles
from locum.server.iam import holders
from locum.server.iam.answers import change, moment, page
from locum.server.iam.limits import check_quota
from locum.server.pages import whole
from locum.store.records import Stored

__all__ = [
    "create_access_key",
    "delete_access_key",
    "get_access_key_last_used",
    "list_access_keys",
    "update_access_key",
]

_KEY_BYTES: Final = 5
_SECRET_BYTES: Final = 30
_NONCE_BYTES: Final = 12
_NEVER: Final = "N/A"


def _owner(call: Call[Any]) -> tuple[str, str]:
    """Unique id and name of the keys' owner: the named user, else the caller's own user, else root."""
    if call.command.user_name is None and call.caller.is_root:
        return call.account, root_name(call)
    user = holders.holder(call, User).record
    return user.id, user.name


def _keys(call: Call[Any], owner: str) -> list[Stored[AccessKey]]:
    found = (call.records.get(AccessKey, "", key.name) for key in call.records.found("key-owner", owner))
    return [stored for stored in found if stored is not None]


def _key(call: Call[Any], owner: str) -> Stored[AccessKey]:
    stored = call.records.get(AccessKey, "", call.command.access_key_id)
    if stored is None or stored.record.owner != owner:
        raise NoSuchEntityException(f"The Access Key with id {call.command.access_key_id} cannot be found.")
    return stored


@handles(api.CreateAccessKeyCommand)
def create_access_key(call: Call[api.CreateAccessKeyCommand]) -> api.CreateAccessKeyResponse:
    """Make a key; this answer is the only one that holds its secret (IAM-KEY-001, IAM-KEY-002)."""
    owner, name = _owner(call)
    check_quota(call, "AccessKeysPerUser", len(_keys(call, owner)) + 1)
    key_id = arn.access_key_id("AKIA", call.account, call.random(_KEY_BYTES))
    secret = secret_access_key(call.random(_SECRET_BYTES))
    key = AccessKey(
        id=key_id,
        account=call.account,
        owner=owner,
        created=int(call.now),
        secret=call.vault.wrap(
            secret.reveal().encode(), purpose=AccessKey.kind, name=key_id, nonce=call.random(_NONCE_BYTES)
        ),
    )
    call.records.create(key)
    return api.CreateAccessKeyResponse(
        access_key=types.AccessKey(
            user_name=name,
            access_key_id=key_id,
            status="Active",
            secret_access_key=secret,
            create_date=moment(key.created),
        )
    )


@handles(api.UpdateAccessKeyCommand)
def update_access_key(call: Call[api.UpdateAccessKeyCommand]) -> types.Nothing:
    """Switch a key on or off; an inactive one fails authentication at once (IAM-KEY-003, IAM-KEY-008)."""
    owner, _ = _owner(call)
    stored = _key(call, owner)
    if call.command.status == "Expired":
        raise InvalidInputException("Status must be Active or Inactive: a key expires by itself only.")
    return change(call, stored, active=call.command.status == "Active")


@handles(api.DeleteAccessKeyCommand)
def delete_access_key(call: Call[api.DeleteAccessKeyCommand]) -> types.Nothing:
    """Delete a key."""
    owner, _ = _owner(call)
    call.records.delete(_key(call, owner))
    call.usage.forget(call.records, call.command.access_key_id)
    return types.Nothing()


@handles(api.ListAccessKeysCommand)
def list_access_keys(call: Call[api.ListAccessKeysCommand]) -> api.ListAccessKeysResponse:
    """A user's keys without their secrets (IAM-KEY-004)."""
    owner, name = _owner(call)
    held = {
        stored.record.id: types.AccessKeyMetadata(
            user_name=name,
            access_key_id=stored.record.id,
            status="Active" if stored.record.active else "Inactive",
            create_date=moment(stored.record.created),
        )
        for stored in _keys(call, owner)
    }
    shown, paged = page(call, whole(held.items()))
    return api.ListAccessKeysResponse(access_key_metadata=shown, is_truncated=paged.is_truncated, marker=paged.marker)


@handles(api.GetAccessKeyLastUsedCommand)
def get_access_key_last_used(call: Call[api.GetAccessKeyLastUsedCommand]) -> api.GetAccessKeyLastUsedResponse:
    """Whose key it is and when it was last used (IAM-KEY-006); an unknown key is a denied one (IAM-KEY-007)."""
    key_id = call.command.access_key_id
    stored = call.records.get(AccessKey, "", key_id)
    if stored is None or stored.record.account != call.account:
        raise AccessDenied(
            f"User: {call.caller.arn} is not authorized to perform iam:GetAccessKeyLastUsed "
            f"on resource: access key {key_id}"
        )
    key = stored.record
    user = call.records.by_id(key.owner)
    use = call.usage.last(call.records, key_id)
    return api.GetAccessKeyLastUsedResponse(
        user_name=user.record.name if user is not None else root_name(call),
        access_key_last_used=types.AccessKeyLastUsed(
            last_used_date=None if use is None else moment(use.used),
            service_name=_NEVER if use is None else use.service,
            region=_NEVER if use is None else use.region,
        ),
    )
