"""The client of STS that people's commands share: its options, and what is said where a call fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from locum.cli.report import complain, printable

if TYPE_CHECKING:
    from locum.client import ClientOptions, STSClient

__all__ = ["DENIED", "FAILED", "WRONG", "client_options", "client_settings", "report_call", "sts_client"]

FAILED: Final = 1
WRONG: Final = 2
DENIED: Final = 3

Decorated = TypeVar("Decorated", bound=Callable[..., Any] | click.Command)


def client_options(command: Decorated) -> Decorated:
    """Give a command ``--endpoint-url``, ``--region`` and ``--profile``: the same that all AWS tools have."""
    for option in (
        click.option("--profile", metavar="NAME", help="Profile of the shared configuration files.  [AWS_PROFILE]"),
        click.option("--region", metavar="REGION", help="Region to sign for.  [AWS_REGION]"),
        click.option("--endpoint-url", metavar="URL", help="The server.  [AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL]"),
    ):
        command = option(command)
    return command


def client_settings(options: dict[str, Any]) -> ClientOptions:
    """What :func:`client_options` gave, as options of a client; taken out of ``options``."""
    return {
        "endpoint_url": options.pop("endpoint_url"),
        "region": options.pop("region"),
        "profile": options.pop("profile"),
    }


def sts_client(options: dict[str, Any]) -> STSClient:
    """A client for what :func:`client_options` gave; these are taken out of ``options``."""
    from locum.client import STSClient

    return STSClient(**client_settings(options))


def report_call(error: Exception) -> int | None:
    """Tell of a call that failed; its exit status, or None for what is no failure of a call.

    3 where access or a proof is denied, 2 where nothing was sent because set-up or input make no sense, else 1.
    """
    from locum.client.failures import ClientFailure, ConfigurationFailure, ConnectionFailure, NoCredentials
    from locum.client.identity import IdentityRefused
    from locum.errors import AccessDenied, ExpiredToken, ServiceException, ValidationError

    if isinstance(error, ServiceException):
        hint = ""
        if isinstance(error, AccessDenied):
            hint = f"locum explain {error.request_id} tells an operator why" if error.request_id else ""
        elif isinstance(error, ExpiredToken):
            hint = "sign in or assume the role again"
        complain(printable(str(error)), printable(hint))
        if isinstance(error, ValidationError) and not error.attempts:
            return WRONG
        return DENIED if isinstance(error, AccessDenied) else FAILED
    if not isinstance(error, ClientFailure):
        return None
    if isinstance(error, IdentityRefused):
        complain(printable(str(error)))
        return DENIED
    if isinstance(error, ConnectionFailure):
        hint = "is the server running, and --endpoint-url or AWS_ENDPOINT_URL_STS the right one?"
    elif isinstance(error, NoCredentials):
        hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile"
    else:
        hint = ""
    complain(printable(str(error)), hint)
    return WRONG if isinstance(error, ConfigurationFailure) else FAILED
