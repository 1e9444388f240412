"""What ends a call without an error answer of the service: nothing here has a wire code.

Errors that the service reports are in :mod:`locum.errors`.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AnswerTooLarge",
    "CertificateFailure",
    "ClientFailure",
    "ConfigurationFailure",
    "ConnectionFailure",
    "CredentialsFailure",
    "NoCredentials",
    "RunFailed",
    "TimedOut",
    "UnreadableResponse",
]


class ClientFailure(Exception):
    """The call ended on this side; ``retryable`` tells whether the same call may succeed when made again.

    ``attempts`` were made, 0 where nothing was sent, with ``total_retry_delay`` seconds of pauses between them.
    """

    retryable: ClassVar[bool] = False
    attempts: int = 0
    total_retry_delay: float = 0.0


class ConnectionFailure(ClientFailure):
    """No connection, or one that broke before the whole answer was there."""

    retryable = True


class CertificateFailure(ConnectionFailure):
    """The server's certificate is not trusted; trying again does not help."""

    retryable = False


class TimedOut(ClientFailure):
    """Nothing came in time."""

    retryable = True


class AnswerTooLarge(ClientFailure):
    """The answer is larger than any answer of the service."""


class UnreadableResponse(ClientFailure):
    """What came back is not an answer of the protocol: truncated XML, somebody else's page."""

    def __init__(self, message: str, *, status: int, request_id: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id


class ConfigurationFailure(ClientFailure):
    """A setting is missing, contradicts another or cannot be read; the message names where it was set."""


class CredentialsFailure(ClientFailure):
    """There are no credentials to sign with, or they could not be got."""


class NoCredentials(CredentialsFailure):
    """None of the places where credentials are looked for has any; the message names them."""


class RunFailed(ClientFailure):
    """A program failed: its exit status (None where it did not end by itself) and what it wrote to standard error."""

    def __init__(self, message: str, *, status: int | None, errors: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.errors = errors
