"""The credential report: a table of the account's users with their passwords, keys and devices."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.shapes import Authorization, Command, Operation, Shape, text
from locum.errors import (
    CredentialReportExpiredException,
    CredentialReportNotPresentException,
    CredentialReportNotReadyException,
    LimitExceededException,
    ServiceFailureException,
)

__all__ = [
    "COMMANDS",
    "GenerateCredentialReportCommand",
    "GenerateCredentialReportResponse",
    "GetCredentialReportCommand",
    "GetCredentialReportResponse",
]

ReportState = Annotated[str, text(one_of=("STARTED", "INPROGRESS", "COMPLETE"))]
"""How far a report is."""

ReportFormat = Annotated[str, text(one_of=("text/csv",))]
"""How a report is written."""


class GenerateCredentialReportResponse(Shape):
    """How far the report is; ``description`` only of one that was just begun (IAM-ACC-005)."""

    state: ReportState | None = None
    description: str | None = None


class GenerateCredentialReportCommand(Command[GenerateCredentialReportResponse]):
    """Make a report, unless there is one of the last four hours (IAM-ACC-005)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "GenerateCredentialReport",
        Authorization(),
        errors=(LimitExceededException, ServiceFailureException),
        read_only=False,
        writes=True,
    )


class GetCredentialReportResponse(Shape):
    """The report; its columns are those of IAM-ACC-007."""

    content: bytes | None = None
    report_format: ReportFormat | None = None
    generated_time: datetime.datetime | None = None


class GetCredentialReportCommand(Command[GetCredentialReportResponse]):
    """Show the newest report (IAM-ACC-006)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "GetCredentialReport",
        Authorization(),
        errors=(
            CredentialReportNotPresentException,
            CredentialReportExpiredException,
            CredentialReportNotReadyException,
            ServiceFailureException,
        ),
    )


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (GenerateCredentialReportCommand, GetCredentialReportCommand)
"""The commands of this module."""
