"""A running server, asked over its API with the credentials of the environment."""

from __future__ import annotations

import configparser
import os
import ssl
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click

from locum.api.shapes import Command, Shape
from locum.http import Request
from locum.secret import Secret
from locum.wire.answer import UnreadableAnswer, decode_error, decode_response
from locum.wire.query import CONTENT_TYPE, encode_command, encode_form
from locum.wire.sigv4 import Credentials, sign

__all__ = ["NoAnswer", "Usage", "ask", "endpoint", "endpoint_options", "printable"]

_LONGEST_ANSWER: Final = 4_194_304
"""Bytes of a server's answer that are read."""
_SECONDS: Final = 30

Output = TypeVar("Output", bound=Shape)
Decorated = TypeVar("Decorated", bound=Callable[..., Any] | click.Command)


class NoAnswer(Exception):
    """A server that gives no answer, or none that can be read; the text says why."""


class Usage(click.UsageError):
    """A command line that is wrong, with what to do about it."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


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
    """The answer to a command; errors of the service are raised as they are, NoAnswer for everything else."""
    environment = os.environ
    region = region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or parts.hostname is None or parts.username is not None:
        raise Usage(f"{url!r} is not the URL of a server", "it looks like http://127.0.0.1:8380")
    try:
        request = sign(
            Request(
                "POST",
                "/",
                "",
                (("host", parts.netloc), ("content-type", CONTENT_TYPE)),
                encode_form(encode_command(command)),
            ),
            _credentials(environment),
            service=command.operation.service.name,
            region=region,
            now=time.time(),
        )
        return _exchange(parts.scheme, parts.hostname, parts.port, request, command)
    except (OSError, HTTPException, ValueError, UnreadableAnswer) as error:
        raise NoAnswer(f"{url} gave no answer: {error}") from None


def _exchange(scheme: str, host: str, port: int | None, request: Request, command: Command[Output]) -> Output:
    connection: HTTPConnection
    if scheme == "https":
        trusted = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
        connection = HTTPSConnection(host, port, timeout=_SECONDS, context=trusted)
    else:
        connection = HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("POST", "/", request.body, dict(request.headers))
        answer = connection.getresponse()
        body = answer.read(_LONGEST_ANSWER)
        if answer.status != 200:
            raise decode_error(answer.status, body, answer.headers.get("content-type", ""))
        return decode_response(body, type(command))
    finally:
        connection.close()


def _credentials(environment: Mapping[str, str]) -> Credentials:
    """The credentials of the environment, else of the shared credentials file (AWS_PROFILE chooses the profile)."""
    source: Mapping[str, str] = {name.lower(): environment[name] for name in environment if name.startswith("AWS_")}
    if "aws_access_key_id" not in source:
        shared = environment.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
        path, profile = Path(shared).expanduser(), environment.get("AWS_PROFILE") or "default"
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            raise Usage(f"{path} is not a credentials file", "it has lines like aws_access_key_id = …") from None
        source = parser[profile] if parser.has_section(profile) else {}
    key_id, secret = source.get("aws_access_key_id"), source.get("aws_secret_access_key")
    if not key_id or not secret:
        raise Usage("there are no credentials", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name --data")
    token = source.get("aws_session_token")
    return Credentials(key_id, Secret(secret), Secret(token) if token else None)


def printable(text: str) -> str:
    """Text of elsewhere without anything that a terminal would obey."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
