"""Delegation requests: somebody asks for some of your rights for a while, and you hand out a token for them.

AWS's own flow is for its partners alone; what is not public of it is ours here (docs/delegation.md).  The token is
traded in at GetDelegatedAccessToken of STS.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import ArnText, Marker, MaxItems, Nothing
from locum.api.shapes import Authorization, Command, Operation, Shape, Target, integer, items, named, text
from locum.errors import (
    ConcurrentModificationException,
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
    ServiceFailureException,
)

__all__ = [
    "COMMANDS",
    "AcceptDelegationRequestCommand",
    "AssociateDelegationRequestCommand",
    "CreateDelegationRequestCommand",
    "CreateDelegationRequestResponse",
    "DelegationPermission",
    "DelegationRequest",
    "GetDelegationRequestCommand",
    "GetDelegationRequestResponse",
    "ListDelegationRequestsCommand",
    "ListDelegationRequestsResponse",
    "PolicyParameter",
    "RejectDelegationRequestCommand",
    "SendDelegationTokenCommand",
    "UpdateDelegationRequestCommand",
]

_LATIN: Final = r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]"
_REQUEST: Final = Target("delegation-request", "delegation_request_id")
_CHANGES: Final = (NoSuchEntityException, ServiceFailureException, ConcurrentModificationException)

RequestId = Annotated[str, text(16, 128, r"[\w-]+")]
"""The id of a delegation request, which cannot be guessed."""

AccountId = Annotated[str, text(pattern=r"\d{12}")]
"""An account id."""

Description = Annotated[str, text(most=1000, pattern=f"{_LATIN}*")]
"""What a delegation request is for."""

RequestMessage = Annotated[str, text(most=200, pattern=f"{_LATIN}*")]
"""What the requestor has to say in one case."""

Notes = Annotated[str, text(most=500, pattern=f"{_LATIN}*")]
"""What the owner's side has to say."""

OwnerId = Annotated[str, text(20, 2048, r"^[a-zA-Z0-9:/+=,.@_-]+$")]
"""The ARN of an identity that owns delegation requests."""

RedirectUrl = Annotated[str, text(1, 255, r"^http(s?)://[a-zA-Z0-9._/-]*(\?[a-zA-Z0-9._=&-]*)?(#[a-zA-Z0-9._/-]*)?$")]
"""Where the requestor wants its customer back."""

SessionDuration = Annotated[int, integer(300, 43200)]
"""Seconds for which the rights are delegated, from when the token is sent."""

State = Annotated[
    str,
    text(one_of=("UNASSIGNED", "ASSIGNED", "PENDING_APPROVAL", "FINALIZED", "ACCEPTED", "REJECTED", "EXPIRED")),
]
"""How far a delegation request is (IAM-SHD-004)."""


class PolicyParameter(Shape):
    """A value for a placeholder of the template: one of a ``string``, any number of a ``stringList``."""

    name: Annotated[str, text(5, 256, r"[ -~]+")] | None = None
    values: tuple[Annotated[str, text(pattern=r"[ -~]+")], ...] = ()
    type: Annotated[str, text(one_of=("string", "stringList"))] | None = None


class DelegationPermission(Shape):
    """The rights that are asked for: a template and the values for its placeholders."""

    policy_template_arn: ArnText | None = None
    parameters: Annotated[tuple[PolicyParameter, ...], items(most=50)] = ()


class DelegationRequest(Shape):
    """A delegation request; ``permission_policy`` is the policy that bounds what is delegated."""

    delegation_request_id: RequestId | None = None
    owner_account_id: AccountId | None = None
    description: Description | None = None
    request_message: RequestMessage | None = None
    permissions: DelegationPermission | None = None
    permission_policy: str | None = None
    role_permission_restriction_arns: tuple[ArnText, ...] = ()
    owner_id: OwnerId | None = None
    approver_id: ArnText | None = None
    state: State | None = None
    expiration_time: datetime.datetime | None = None
    requestor_id: AccountId | None = None
    requestor_name: Annotated[str, text(most=30, pattern=f"{_LATIN}*")] | None = None
    create_date: datetime.datetime | None = None
    session_duration: SessionDuration | None = None
    redirect_url: RedirectUrl | None = None
    notes: Notes | None = None
    rejection_reason: Notes | None = None
    only_send_by_owner: bool | None = None
    updated_time: datetime.datetime | None = None


class CreateDelegationRequestResponse(Shape):
    """The id by which the owner finds the request; there is no console, so there is no link to one."""

    console_deep_link: Annotated[str, text(1, 255)] | None = None
    delegation_request_id: RequestId | None = None


class CreateDelegationRequestCommand(Command[CreateDelegationRequestResponse]):
    """Ask somebody, of ``owner_account_id`` where that is known, to delegate some rights for a while.

    ``permissions`` name a managed policy of the caller's account as template and the values for its placeholders.

    :class:`EntityAlreadyExistsException` where the account has a request with this workflow id.
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "CreateDelegationRequest",
        Authorization(
            Target("delegation-request", "requestor_workflow_id", creates=True),
            keys=("iam:DelegationDuration", "iam:NotificationChannel", "iam:TemplateArn"),
        ),
        errors=(
            EntityAlreadyExistsException,
            ServiceFailureException,
            InvalidInputException,
            LimitExceededException,
            ConcurrentModificationException,
        ),
        read_only=False,
        writes=True,
    )

    owner_account_id: AccountId | None = None
    description: Description
    permissions: DelegationPermission
    request_message: RequestMessage | None = None
    requestor_workflow_id: Annotated[str, text(5, 400, f"{_LATIN}+")]
    redirect_url: RedirectUrl | None = None
    notification_channel: Annotated[str, text(2, 400, r"^[a-zA-Z0-9:_.-]+$")]
    session_duration: SessionDuration
    only_send_by_owner: bool = False


class AssociateDelegationRequestCommand(Command[Nothing]):
    """Become the owner of a request that nobody owns; :class:`InvalidInputException` where somebody does."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "AssociateDelegationRequest",
        Authorization(_REQUEST),
        errors=(*_CHANGES, InvalidInputException),
        read_only=False,
        writes=True,
    )

    delegation_request_id: RequestId


class UpdateDelegationRequestCommand(Command[Nothing]):
    """Ask somebody with more rights to accept the request: it is then pending approval."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UpdateDelegationRequest",
        Authorization(_REQUEST),
        errors=(*_CHANGES, InvalidInputException),
        read_only=False,
        writes=True,
    )

    delegation_request_id: RequestId
    notes: Notes | None = None


class AcceptDelegationRequestCommand(Command[Nothing]):
    """Delegate one's own rights, as far as the request's policy allows them."""

    operation: ClassVar[Operation] = Operation(
        IAM, "AcceptDelegationRequest", Authorization(_REQUEST), errors=_CHANGES, read_only=False, writes=True
    )

    delegation_request_id: RequestId


class RejectDelegationRequestCommand(Command[Nothing]):
    """Refuse a request for good, until its token was sent."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "RejectDelegationRequest",
        Authorization(_REQUEST),
        errors=(*_CHANGES, InvalidInputException),
        read_only=False,
        writes=True,
    )

    delegation_request_id: RequestId
    notes: Notes | None = None


class SendDelegationTokenCommand(Command[Nothing]):
    """Let the requestor have the token of a request that was accepted; from then on the time runs."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "SendDelegationToken",
        Authorization(_REQUEST),
        errors=(*_CHANGES, InvalidInputException),
        read_only=False,
        writes=True,
    )

    delegation_request_id: RequestId


class GetDelegationRequestResponse(Shape):
    """The request, and whether the caller has the rights that it asks for, where that was asked."""

    delegation_request: DelegationRequest | None = None
    permission_check_status: Annotated[str, text(one_of=("COMPLETE", "IN_PROGRESS", "FAILED"))] | None = None
    permission_check_result: Annotated[str, text(one_of=("ALLOWED", "DENIED", "UNSURE"))] | None = None


class GetDelegationRequestCommand(Command[GetDelegationRequestResponse]):
    """Show a request to its owner's account and the requestor's; to anybody while it is meant for no account yet."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "GetDelegationRequest",
        Authorization(_REQUEST),
        errors=(NoSuchEntityException, ServiceFailureException),
    )

    delegation_request_id: RequestId
    delegation_permission_check: bool = False


class ListDelegationRequestsResponse(Shape):
    """The requests that somebody of the caller's account owns."""

    delegation_requests: tuple[DelegationRequest, ...] = ()
    marker: Marker | None = None
    is_truncated: Annotated[bool, named("isTruncated")] = False


class ListDelegationRequestsCommand(Command[ListDelegationRequestsResponse]):
    """List the requests that somebody of the caller's account owns, or one owner's."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListDelegationRequests",
        Authorization(keys=("iam:DelegationRequestOwner",)),
        errors=(NoSuchEntityException, ServiceFailureException, InvalidInputException),
    )

    owner_id: OwnerId | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    CreateDelegationRequestCommand,
    AssociateDelegationRequestCommand,
    UpdateDelegationRequestCommand,
    AcceptDelegationRequestCommand,
    RejectDelegationRequestCommand,
    SendDelegationTokenCommand,
    GetDelegationRequestCommand,
    ListDelegationRequestsCommand,
)
"""The commands of this module."""
