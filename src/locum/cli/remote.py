"""A running server that is asked in place of a data directory: by the client of everybody, with their credentials."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from locum.api.shapes import Command, Shape
from locum.cli.report import Usage, printable

__all__ = ["NoAnswer", "ask", "endpoint", "endpoint_options"]

Output = TypeVar("Output", bound=Shape)
Decorated = TypeVar("Decorated", bound=Callable[..., Any] | click.Command)


class NoAnswer(Exception):
    """A server that gives no answer, or none that can be read; the text says why."""


def endpoint_options(what: str) -> Callable[[Decorated], Decorated]:
    """``--endpoint-url`` and ``--region``; ``what`` is what the server is asked to do."""
    url = click.option(
        "--endpoint-url",
        metavar="URL",
        help=f"Let this server {what}, with the credentials of the environment.  [AWS_ENDPOINT_URL]",
    )
    region = click.option("--region", metavar="REGION", help="Region to sign for.  [AWS_REGION]")

    def add(command: Decorated) -> Decorated:
        return url(region(command))

    return add


def endpoint(given: str | None) -> str | None:
    """The server's URL: given, or the environment's."""
    return given or os.environ.get("AWS_ENDPOINT_URL_STS") or os.environ.get("AWS_ENDPOINT_URL")


def ask(url: str, command: Command[Output], region: str | None = None) -> Output:
    """The answer to a command; errors of the service are raised as they are, NoAnswer where nothing can be read.

    Raises Usage where the URL or the settings make no sense, and where there are no credentials.
    """
    from locum.client import STSClient
    from locum.client.endpoints import EndpointError, resolve
    from locum.client.failures import ClientFailure, ConfigurationFailure, CredentialsFailure

    try:
        resolve(None, endpoint_url=url)
    except EndpointError:
        shown = f"…@{url.rpartition('@')[2]}" if "@" in url else url
        raise Usage(f"{shown!r} is not the URL of a server", "it looks like http://127.0.0.1:8380") from None
    try:
        with STSClient(endpoint_url=url, region=region) as client:
            return client.send(command)
    except ConfigurationFailure as error:
        raise Usage(printable(str(error)), "correct it, or name --data to ask no server") from None
    except CredentialsFailure as error:
        raise Usage(
            printable(str(error)), "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name --data"
        ) from None  # fmt: skip
    except ClientFailure as error:
        raise NoAnswer(f"{url} gave no answer: {str(error).removeprefix(f'{url}: ')}") from None
