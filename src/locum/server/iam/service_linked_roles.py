"""Service-linked roles: made by the table of services, deleted at once, changed by nobody (IAM-SHD-002, IAM-ROL-030).

Which permissions such a role has is the service's own business: none are attached here.
"""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

import msgspec

from locum.api.iam import service_linked_roles as api
from locum.api.iam import types
from locum.core.account_records import RoleDeletion
from locum.core.records import Role
from locum.core.service_linked_roles import LinkedService, service_of
from locum.errors import InvalidInputException, NoSuchEntityException
from locum.server.handlers import Call, handles
from locum.server.iam import holders
from locum.server.iam.answers import new_id
from locum.server.iam.roles import role_shown

__all__ = ["create_service_linked_role", "delete_service_linked_role", "get_service_linked_role_deletion_status"]

_LONGEST_NAME: Final = 64
_KEPT_SECONDS: Final = 86_400
"""How long a deletion can be asked for."""

_UUID_BYTES: Final = 16


def _service(call: Call[api.CreateServiceLinkedRoleCommand]) -> LinkedService:
    """The service that the call names; InvalidInput where it has no such role, or not with a suffix."""
    principal = call.command.aws_service_name
    service = call.services.get(principal)
    if service is None:
        raise InvalidInputException(f"There is no service-linked role for the service {principal}.")
    if call.command.custom_suffix is not None and not service.suffix:
        raise InvalidInputException(f"Custom suffix is not allowed for {principal}")
    return service


def _trust(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@handles(api.CreateServiceLinkedRoleCommand)
def create_service_linked_role(
    call: Call[api.CreateServiceLinkedRoleCommand],
) -> api.CreateServiceLinkedRoleResponse:
    """Make the role of a service, which that service alone may assume.

    Other operations show the same trust policy without lists in it, as AWS's do.
    """
    command = call.command
    service = _service(call)
    name = service.name(command.custom_suffix)
    if len(name) > _LONGEST_NAME:
        raise InvalidInputException(
            f"With this suffix the role's name would have more than {_LONGEST_NAME} characters."
        )
    if call.records.get(Role, call.account, name) is not None:
        raise InvalidInputException(
            f"Service role name {name} has been taken in this account, please try a different suffix."
        )
    role = Role(
        account=call.account,
        id=new_id(call, "AROA"),
        name=name,
        path=service.path,
        created=int(call.now),
        trust=_trust({"Effect": "Allow", "Principal": {"Service": service.principal}, "Action": "sts:AssumeRole"}),
        description=command.description,
    )
    holders.create(call, role)
    listed = _trust({"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [service.principal]}})
    return api.CreateServiceLinkedRoleResponse(
        role=msgspec.structs.replace(role_shown(call, role), assume_role_policy_document=types.encode_document(listed))
    )


def _forget_old(call: Call[Any]) -> None:
    for stored in list(call.records.each(RoleDeletion, call.account)):
        if stored.record.created + _KEPT_SECONDS <= call.now:
            call.records.delete(stored)


@handles(api.DeleteServiceLinkedRoleCommand)
def delete_service_linked_role(call: Call[api.DeleteServiceLinkedRoleCommand]) -> api.DeleteServiceLinkedRoleResponse:
    """Delete the role of a service; nothing that is in use stands in the way, so it is gone with the answer."""
    stored = holders.holder(call, Role)
    role = stored.record
    service = service_of(role.path)
    if service is None:
        raise NoSuchEntityException(f"The service-linked role with name {call.command.role_name} cannot be found.")
    call.records.delete(stored)
    call.usage.forget(call.records, role.id)
    _forget_old(call)
    id = str(uuid.UUID(bytes=call.random(_UUID_BYTES), version=4))
    deletion = RoleDeletion(account=call.account, id=id, service=service, role=role.name, created=int(call.now))
    call.records.create(deletion)
    return api.DeleteServiceLinkedRoleResponse(deletion_task_id=deletion.task)


@handles(api.GetServiceLinkedRoleDeletionStatusCommand)
def get_service_linked_role_deletion_status(
    call: Call[api.GetServiceLinkedRoleDeletionStatusCommand],
) -> api.GetServiceLinkedRoleDeletionStatusResponse:
    """How a deletion of the last day went: well, since it is over before it can be asked for."""
    task = call.command.deletion_task_id
    id = task.rpartition("/")[2]
    stored = call.records.get(RoleDeletion, call.account, id) if id.isascii() and 0 < len(id) <= 36 else None
    if stored is None or stored.record.task != task:
        raise NoSuchEntityException(f"The deletion task {task} cannot be found.")
    return api.GetServiceLinkedRoleDeletionStatusResponse(status="SUCCEEDED")
