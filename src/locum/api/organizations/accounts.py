"""The accounts of an organization: made, shown, moved, closed, removed (ORG-002, ORG-003)."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, ClassVar, Final

from locum.api.organizations.service import ORGANIZATIONS
from locum.api.organizations.types import (
    COMMON,
    Account,
    AccountId,
    Email,
    MaxResults,
    NextToken,
    Nothing,
    ParentId,
    Tags,
)
from locum.api.shapes import Authorization, Command, Operation, Shape, Target, text
from locum.organization_errors import (
    AccountAlreadyClosedException,
    AccountNotFoundException,
    ConcurrentModificationException,
    ConflictException,
    ConstraintViolationException,
    CreateAccountStatusNotFoundException,
    DestinationParentNotFoundException,
    DuplicateAccountException,
    FinalizingOrganizationException,
    InvalidInputException,
    MasterCannotLeaveOrganizationException,
    ParentNotFoundException,
    SourceParentNotFoundException,
    UnsupportedAPIEndpointException,
)
from locum.secret import Secret

__all__ = [
    "COMMANDS",
    "CloseAccountCommand",
    "CreateAccountCommand",
    "CreateAccountResponse",
    "CreateAccountStatus",
    "DescribeAccountCommand",
    "DescribeAccountResponse",
    "DescribeCreateAccountStatusCommand",
    "DescribeCreateAccountStatusResponse",
    "LeaveOrganizationCommand",
    "ListAccountsCommand",
    "ListAccountsForParentCommand",
    "ListAccountsForParentResponse",
    "ListAccountsResponse",
    "ListCreateAccountStatusCommand",
    "ListCreateAccountStatusResponse",
    "MoveAccountCommand",
    "RemoveAccountFromOrganizationCommand",
]

_ACCOUNT: Final = Target("org-account", "account_id")
_LEAVING: Final = (
    *COMMON,
    AccountNotFoundException,
    ConcurrentModificationException,
    ConstraintViolationException,
    InvalidInputException,
    MasterCannotLeaveOrganizationException,
)

CreateAccountName = Annotated[Secret, text(1, 50, r"[\u0020-\u007E]+")]
CreateAccountRequestId = Annotated[str, text(None, 36, "^car-[a-z0-9]{8,32}$")]
CreateAccountState = Annotated[str, text(one_of=("IN_PROGRESS", "SUCCEEDED", "FAILED"))]
RoleName = Annotated[str, text(None, 64, r"[\w+=,.@-]{1,64}")]
BillingAccess = Annotated[str, text(one_of=("ALLOW", "DENY"))]
CreateAccountFailureReason = Annotated[
    str,
    text(
        one_of=(
            "ACCOUNT_LIMIT_EXCEEDED",
            "EMAIL_ALREADY_EXISTS",
            "INVALID_ADDRESS",
            "INVALID_EMAIL",
            "CONCURRENT_ACCOUNT_MODIFICATION",
            "INTERNAL_FAILURE",
            "GOVCLOUD_ACCOUNT_ALREADY_EXISTS",
            "MISSING_BUSINESS_VALIDATION",
            "FAILED_BUSINESS_VALIDATION",
            "PENDING_BUSINESS_VALIDATION",
            "INVALID_IDENTITY_FOR_BUSINESS_VALIDATION",
            "UNKNOWN_BUSINESS_VALIDATION",
            "MISSING_PAYMENT_INSTRUMENT",
            "INVALID_PAYMENT_INSTRUMENT",
            "UPDATE_EXISTING_RESOURCE_POLICY_WITH_TAGS_NOT_SUPPORTED",
        )
    ),
]


class CreateAccountStatus(Shape):
    """How far the creation of an account has come (ORG-002)."""

    id: CreateAccountRequestId
    account_name: CreateAccountName
    state: CreateAccountState
    requested_timestamp: datetime.datetime
    completed_timestamp: datetime.datetime | None = None
    account_id: AccountId | None = None
    gov_cloud_account_id: AccountId | None = None
    failure_reason: CreateAccountFailureReason | None = None


class CreateAccountResponse(Shape):
    """The creation as it begins."""

    create_account_status: CreateAccountStatus


class CreateAccountCommand(Command[CreateAccountResponse]):
    """Make an account under the root, with a role that the management account may assume to administer it (ORG-002).

    The answer says ``IN_PROGRESS`` and DescribeCreateAccountStatus how it went.  ``role_name`` is
    ``OrganizationAccountAccessRole`` unless given; the account has no root key (``locum root reset-key`` makes one).
    """

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "CreateAccount",
        Authorization(keys=("aws:RequestTag/", "aws:TagKeys")),
        errors=(
            *COMMON,
            ConcurrentModificationException,
            ConstraintViolationException,
            InvalidInputException,
            FinalizingOrganizationException,
            UnsupportedAPIEndpointException,
        ),
        read_only=False,
        writes=True,
    )

    email: Email
    account_name: CreateAccountName
    role_name: RoleName | None = None
    iam_user_access_to_billing: BillingAccess | None = None
    tags: Tags = ()


class DescribeCreateAccountStatusResponse(Shape):
    """The creation as it stands."""

    create_account_status: CreateAccountStatus


class DescribeCreateAccountStatusCommand(Command[DescribeCreateAccountStatusResponse]):
    """Show how the creation of an account went."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "DescribeCreateAccountStatus",
        Authorization(),
        errors=(
            *COMMON,
            CreateAccountStatusNotFoundException,
            InvalidInputException,
            UnsupportedAPIEndpointException,
        ),
    )

    create_account_request_id: CreateAccountRequestId


class ListCreateAccountStatusResponse(Shape):
    """One page of creations."""

    create_account_statuses: tuple[CreateAccountStatus, ...]
    next_token: NextToken | None = None


class ListCreateAccountStatusCommand(Command[ListCreateAccountStatusResponse]):
    """List the creations of accounts, those in some states or all, the oldest first."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "ListCreateAccountStatus",
        Authorization(),
        errors=(*COMMON, InvalidInputException, UnsupportedAPIEndpointException),
    )

    states: tuple[CreateAccountState, ...] = ()
    next_token: NextToken | None = None
    max_results: MaxResults | None = None


class DescribeAccountResponse(Shape):
    """The account."""

    account: Account


class DescribeAccountCommand(Command[DescribeAccountResponse]):
    """Show an account of the organization."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "DescribeAccount",
        Authorization(_ACCOUNT),
        errors=(*COMMON, AccountNotFoundException, InvalidInputException),
    )

    account_id: AccountId


class ListAccountsResponse(Shape):
    """One page of accounts."""

    accounts: tuple[Account, ...]
    next_token: NextToken | None = None


class ListAccountsCommand(Command[ListAccountsResponse]):
    """List the accounts of the organization, by id."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS, "ListAccounts", Authorization(), errors=(*COMMON, InvalidInputException)
    )

    next_token: NextToken | None = None
    max_results: MaxResults | None = None


class ListAccountsForParentResponse(Shape):
    """One page of accounts."""

    accounts: tuple[Account, ...]
    next_token: NextToken | None = None


class ListAccountsForParentCommand(Command[ListAccountsForParentResponse]):
    """List the accounts directly under the root or a unit, by id."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "ListAccountsForParent",
        Authorization(Target("org-place", "parent_id")),
        errors=(*COMMON, InvalidInputException, ParentNotFoundException),
    )

    parent_id: ParentId
    next_token: NextToken | None = None
    max_results: MaxResults | None = None


class MoveAccountCommand(Command[Nothing]):
    """Move an account from its parent to another one (ORG-003).

    Permission is asked for the account and for both parents.
    """

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "MoveAccount",
        Authorization(_ACCOUNT),
        errors=(
            *COMMON,
            InvalidInputException,
            SourceParentNotFoundException,
            DestinationParentNotFoundException,
            DuplicateAccountException,
            AccountNotFoundException,
            ConcurrentModificationException,
        ),
        read_only=False,
        writes=True,
    )

    account_id: AccountId
    source_parent_id: ParentId
    destination_parent_id: ParentId


class CloseAccountCommand(Command[Nothing]):
    """Close a member account for good: nobody can call with its credentials any more."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "CloseAccount",
        Authorization(_ACCOUNT),
        errors=(
            *COMMON,
            AccountAlreadyClosedException,
            AccountNotFoundException,
            ConcurrentModificationException,
            ConflictException,
            ConstraintViolationException,
            InvalidInputException,
            UnsupportedAPIEndpointException,
        ),
        read_only=False,
        writes=True,
    )

    account_id: AccountId


class RemoveAccountFromOrganizationCommand(Command[Nothing]):
    """Make a member account one that stands alone again."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "RemoveAccountFromOrganization",
        Authorization(_ACCOUNT),
        errors=_LEAVING,
        read_only=False,
        writes=True,
    )

    account_id: AccountId


class LeaveOrganizationCommand(Command[Nothing]):
    """Leave the organization, called by the member account itself."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS, "LeaveOrganization", Authorization(), errors=_LEAVING, read_only=False, writes=True
    )


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    CreateAccountCommand,
    DescribeCreateAccountStatusCommand,
    ListCreateAccountStatusCommand,
    DescribeAccountCommand,
    ListAccountsCommand,
    ListAccountsForParentCommand,
    MoveAccountCommand,
    CloseAccountCommand,
    RemoveAccountFromOrganizationCommand,
    LeaveOrganizationCommand,
)
"""The commands of this module."""
