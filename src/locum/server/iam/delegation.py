"""Delegation requests: made, owned, accepted or rejected, and their tokens let go (iam_api.md section 13)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any, Final

from locum.api.iam import delegation as api
from locum.api.iam import types
from locum.core.delegation import (
    ACCEPTED,
    ASSIGNED,
    EXPIRED,
    FINALIZED,
    MAXIMUM_POLICY,
    PENDING,
    REJECTED,
    UNASSIGNED,
    expires,
    filled,
    grant_of,
    state_at,
)
from locum.core.delegation_records import DelegationRequest, Parameter
from locum.core.limits import limit
from locum.core.organization_records import name_mark
from locum.errors import (
    AccessDenied,
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
    ServiceException,
    ValidationError,
)
from locum.policy import PolicyKind, parse, validate
from locum.server.authorization import is_allowed
from locum.server.delegation import each_request
from locum.server.handlers import Call, handles
from locum.server.iam.answers import change, moment, page
from locum.store.records import Stored

__all__ = [
    "accept_delegation_request",
    "associate_delegation_request",
    "create_delegation_request",
    "get_delegation_request",
    "list_delegation_requests",
    "reject_delegation_request",
    "send_delegation_token",
    "update_delegation_request",
]

_QUOTA: Final = "DelegationRequestsPerAccount"
_ID_BYTES: Final = 24
_WILD: Final = re.compile(r"[*?]|\$\{")


# Asking


@handles(api.CreateDelegationRequestCommand)
def create_delegation_request(
    call: Call[api.CreateDelegationRequestCommand],
) -> api.CreateDelegationRequestResponse:
    """Ask for rights; the policy is what the template says now (IAM-SHD-004)."""
    command, now = call.command, int(call.now)
    if call.records.found("delegation-workflow", name_mark(call.account, command.requestor_workflow_id), limit=1):
        raise EntityAlreadyExistsException(
            f"A delegation request with the workflow id {command.requestor_workflow_id} already exists."
        )
    _make_room(call)
    permissions = command.permissions
    request = DelegationRequest(
        id=base64.urlsafe_b64encode(call.random(_ID_BYTES)).decode(),
        requestor=call.account,
        workflow=command.requestor_workflow_id,
        template=permissions.policy_template_arn or "",
        policy=_policy(call, permissions),
        description=command.description,
        channel=command.notification_channel,
        duration=command.session_duration,
        created=now,
        updated=now,
        parameters=tuple(
            Parameter(each.name or "", each.values, each.type == "stringList") for each in permissions.parameters
        ),
        message=command.request_message,
        redirect=command.redirect_url,
        only_send_by_owner=command.only_send_by_owner,
        owner_account=command.owner_account_id or "",
    )
    call.records.create(request)
    return api.CreateDelegationRequestResponse(delegation_request_id=request.id)


def _make_room(call: Call[Any]) -> None:
    """LimitExceeded where the account has asked too often; requests that are over give their places away."""
    most = limit(call.account_record, _QUOTA)
    requests = list(each_request(call.records, "delegation-requestor", call.account))
    if len(requests) < most:
        return
    over = [each for each in requests if state_at(each.record, call.now) == EXPIRED]
    if len(requests) - len(over) >= most:
        raise LimitExceededException(f"Cannot exceed quota for {_QUOTA}: {most}")
    for each in over:
        call.records.delete(each)


def _policy(call: Call[Any], permissions: api.DelegationPermission) -> str:
    """What the template comes to with its parameters; InvalidInput for what can bound no session."""
    parameters: dict[str, str | tuple[str, ...]] = {}
    for each in permissions.parameters:
        if each.name is None or each.name in parameters:
            raise InvalidInputException("A parameter must have a name of its own.")
        if each.type == "stringList":
            parameters[each.name] = each.values
        elif len(each.values) == 1:
            parameters[each.name] = each.values[0]
        else:
            raise InvalidInputException(f"The parameter {each.name} must have exactly one value.")
    template = permissions.policy_template_arn
    stored = None if template is None else call.records.managed_policy(template, call.account, call.partition)
    if stored is None:
        raise InvalidInputException("The policy template must be a managed policy of the account.")
    try:
        text = filled(stored.record.document, parameters)
        if len(text) > MAXIMUM_POLICY:
            raise InvalidInputException(
                f"The filled template has {len(text)} characters; {MAXIMUM_POLICY} are allowed."
            )
        validate(text, PolicyKind.SESSION)
    except MalformedPolicyDocumentException as refused:
        raise InvalidInputException(f"The filled template is no session policy: {refused.message}") from None
    except ValueError as error:
        raise InvalidInputException(str(error)) from None
    return text


# Answering


def _request(call: Call[Any]) -> Stored[DelegationRequest]:
    """The request that the call names; NoSuchEntity where there is none that its account may know of."""
    stored = call.target.stored
    if stored is None or not isinstance(stored.record, DelegationRequest):
        raise NoSuchEntityException(f"Delegation request {call.command.delegation_request_id} cannot be found.")
    return stored


def _in(
    call: Call[Any], *states: str, kind: type[ServiceException] = InvalidInputException
) -> Stored[DelegationRequest]:
    """A request that somebody of the account owns, in one of some states; an error of ``kind`` in any other."""
    stored = _request(call)
    request = stored.record
    if not request.owner or request.owner_account != call.account:
        if request.owner_account not in ("", call.account):
            raise AccessDenied("Only the account of its owner can do this with a delegation request.")
        raise kind("The delegation request must be associated with its owner first.")
    _check_state(call, request, *states, kind=kind)
    return stored


def _check_state(call: Call[Any], request: DelegationRequest, *states: str, kind: type[ServiceException]) -> None:
    state = state_at(request, call.now)
    if state not in states:
        raise kind(f"The delegation request is in the state {state}; this needs {' or '.join(states)}.")


def _save(call: Call[Any], stored: Stored[DelegationRequest], state: str, **changes: Any) -> types.Nothing:
    return change(call, stored, state=state, updated=int(call.now), **changes)


@handles(api.AssociateDelegationRequestCommand)
def associate_delegation_request(call: Call[api.AssociateDelegationRequestCommand]) -> types.Nothing:
    """Own a request that is for nobody or for the caller's account."""
    stored = _request(call)
    request, caller = stored.record, call.caller
    if request.owner_account not in ("", call.account):
        raise AccessDenied("Only identities of the account that a delegation request is for can own it.")
    _check_state(call, request, UNASSIGNED, kind=InvalidInputException)
    return _save(call, stored, ASSIGNED, owner=caller.principal_id, owner_arn=caller.arn, owner_account=caller.account)


@handles(api.UpdateDelegationRequestCommand)
def update_delegation_request(call: Call[api.UpdateDelegationRequestCommand]) -> types.Nothing:
    """Hand a request on for approval."""
    return _save(call, _in(call, ASSIGNED, PENDING), PENDING, notes=call.command.notes)


@handles(api.AcceptDelegationRequestCommand)
def accept_delegation_request(call: Call[api.AcceptDelegationRequestCommand]) -> types.Nothing:
    """Delegate the caller's rights."""
    stored = _in(call, ASSIGNED, PENDING, kind=ValidationError)
    return _save(call, stored, ACCEPTED, approver_arn=call.caller.arn, grant=grant_of(call.caller, call.now))


@handles(api.RejectDelegationRequestCommand)
def reject_delegation_request(call: Call[api.RejectDelegationRequestCommand]) -> types.Nothing:
    """Refuse for good, or take back before the token was sent."""
    return _save(call, _in(call, ASSIGNED, PENDING, ACCEPTED), REJECTED, rejection=call.command.notes, grant=None)


@handles(api.SendDelegationTokenCommand)
def send_delegation_token(call: Call[api.SendDelegationTokenCommand]) -> types.Nothing:
    """Let the requestor fetch the token."""
    stored = _in(call, ACCEPTED)
    request = stored.record
    if request.only_send_by_owner and request.owner != call.caller.principal_id:
        raise AccessDenied("Only its owner can send the token of this delegation request.")
    return _save(call, stored, FINALIZED)


# Showing


def _shown(call: Call[Any], request: DelegationRequest) -> api.DelegationRequest:
    requestor = call.directory.account(request.requestor)
    return api.DelegationRequest(
        delegation_request_id=request.id,
        owner_account_id=request.owner_account or None,
        description=request.description,
        request_message=request.message,
        permissions=api.DelegationPermission(
            policy_template_arn=request.template,
            parameters=tuple(
                api.PolicyParameter(name=each.name, values=each.values, type="stringList" if each.listed else "string")
                for each in request.parameters
            ),
        ),
        permission_policy=request.policy,
        owner_id=request.owner_arn or None,
        approver_id=request.approver_arn or None,
        state=state_at(request, call.now),
        expiration_time=moment(expires(request)),
        requestor_id=request.requestor,
        requestor_name=None if requestor is None else _latin(requestor.name)[:30],
        create_date=moment(request.created),
        session_duration=request.duration,
        redirect_url=request.redirect,
        notes=request.notes,
        rejection_reason=request.rejection,
        only_send_by_owner=request.only_send_by_owner,
        updated_time=moment(request.updated),
    )


def _latin(name: str) -> str:
    return name.encode("latin-1", "replace").decode("latin-1")


@handles(api.GetDelegationRequestCommand)
def get_delegation_request(call: Call[api.GetDelegationRequestCommand]) -> api.GetDelegationRequestResponse:
    """A request, and whether the caller has what it asks for."""
    request = _request(call).record
    checks = call.command.delegation_permission_check
    return api.GetDelegationRequestResponse(
        delegation_request=_shown(call, request),
        permission_check_status="COMPLETE" if checks else None,
        permission_check_result=_covered(call, request) if checks else None,
    )


def _covered(call: Call[Any], request: DelegationRequest) -> str:
    """Whether the caller may do what the request's policy allows, as far as that can be told without the requests.

    What has wildcards, variables or conditions is asked for as it is written: a yes is then no more than a maybe.
    """
    sure = True
    for statement in parse(request.policy).statements:
        if statement.effect != "Allow":
            continue
        if statement.actions is None or statement.not_action or statement.resources is None or statement.not_resource:
            sure = False
            continue
        sure = sure and not statement.conditions
        for action in statement.actions:
            for resource in statement.resources:
                sure = sure and not _WILD.search(action) and (resource == "*" or not _WILD.search(resource))
                if not is_allowed(call, action, resource):
                    return "DENIED"
    return "ALLOWED" if sure else "UNSURE"


@handles(api.ListDelegationRequestsCommand)
def list_delegation_requests(
    call: Call[api.ListDelegationRequestsCommand],
) -> api.ListDelegationRequestsResponse:
    """The requests that somebody of the account owns, by id."""
    owner = call.command.owner_id

    def entries(after: str) -> Iterator[tuple[str, api.DelegationRequest]]:
        for stored in each_request(call.records, "delegation-owner", call.account, after=after):
            if owner is None or stored.record.owner_arn == owner:
                yield stored.record.id, _shown(call, stored.record)

    requests, shown = page(call, entries)
    return api.ListDelegationRequestsResponse(
        delegation_requests=requests, is_truncated=shown.is_truncated, marker=shown.marker
    )
