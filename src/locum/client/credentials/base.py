"""What credentials are to the client, who provides them, and the JSON in which programs and services hand them over."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from locum.client.effects import Flow
from locum.client.failures import CredentialsFailure
from locum.secret import Secret

__all__ = ["MAX_DOCUMENT", "MAX_TOKEN", "Credentials", "Provider", "Static", "cut", "moment", "read_document"]

MAX_TOKEN: Final = 1 << 16
"""Characters of a session token, and of any other text that becomes a header of a request."""

MAX_DOCUMENT: Final = 1 << 18
"""Bytes of a JSON document with credentials."""

_MOST_SHOWN: Final = 500
"""Characters of somebody else's text in a message of ours."""

_PLAIN: Final = re.compile(r"[!-~]+\Z")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class Credentials(msgspec.Struct, frozen=True):
    """What requests are signed with.

    ``session_token`` belongs to temporary credentials; ``expiration`` is an aware time, None for what does not
    expire; ``account_id`` is told where the source knows it.

    Raises CredentialsFailure where the access key id or the session token could not stand in a header.
    """

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None
    expiration: datetime | None = None
    account_id: str | None = None

    def __post_init__(self) -> None:
        _check("access key id", self.access_key_id)
        for name in ("secret_access_key", "session_token"):
            given: object = getattr(self, name)
            if isinstance(given, str):
                msgspec.structs.force_setattr(self, name, Secret(given))
        if not len(self.secret_access_key):
            raise CredentialsFailure("the secret access key is empty")
        if self.session_token is not None:
            _check("session token", self.session_token.reveal())
        if self.expiration is not None and self.expiration.tzinfo is None:
            raise CredentialsFailure("the expiration has no time zone")


def _check(what: str, text: str) -> None:
    if not text:
        raise CredentialsFailure(f"the {what} is empty")
    if len(text) > MAX_TOKEN:
        raise CredentialsFailure(f"the {what} is longer than {MAX_TOKEN} characters")
    if _PLAIN.match(text) is None:
        raise CredentialsFailure(f"the {what} has spaces, line breaks or other characters that no key has")


class Provider(Protocol):
    """Where credentials come from."""

    def resolve(self) -> Flow[Credentials]:
        """A flow that gets credentials anew.

        Raises CredentialsFailure where there are none, ConfigurationFailure where a setting makes no sense, and what
        a call of STS raises where one is made.
        """


class Static(msgspec.Struct, frozen=True):
    """Credentials that are given and never change."""

    credentials: Credentials

    def resolve(self) -> Flow[Credentials]:
        """The credentials."""
        yield from ()
        return self.credentials


class _Document(msgspec.Struct, rename="pascal"):
    access_key_id: str
    secret_access_key: str
    version: int | float | None = None
    session_token: str | None = None
    token: str | None = None
    expiration: str | None = None
    account_id: str | None = None


_decoder: Final = msgspec.json.Decoder(_Document)


def read_document(data: bytes, source: str, *, process: bool = False) -> Credentials:
    """The credentials in a JSON document; ``source`` names it in messages.

    A ``process`` writes ``Version`` 1, ``SessionToken``, and no expiration where the credentials stay (STS-CL-026);
    services call the token ``Token`` and both it and the expiration have to be there (STS-CL-029).

    Raises CredentialsFailure, which never quotes the document.
    """
    if len(data) > MAX_DOCUMENT:
        raise CredentialsFailure(f"{source}: more than {MAX_DOCUMENT} bytes came")
    try:
        document = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = f": {error}" if isinstance(error, msgspec.ValidationError) else ""
        raise CredentialsFailure(f"{source}: what came is no JSON document with credentials{reason}") from None
    if process and document.version != 1:
        raise CredentialsFailure(f"{source}: Version is {document.version}, and has to be 1")
    token = document.session_token if process else document.token
    if not process:
        for name, value in (("Token", token), ("Expiration", document.expiration)):
            if not value:
                raise CredentialsFailure(f"{source}: {name} is missing")
    try:
        return Credentials(
            document.access_key_id,
            Secret(document.secret_access_key),
            Secret(token) if token else None,
            moment(document.expiration) if document.expiration else None,
            document.account_id or None,
        )
    except CredentialsFailure as error:
        raise CredentialsFailure(f"{source}: {error}") from None


def moment(text: str) -> datetime:
    """The time that an ISO 8601 text with a zone means.

    Raises CredentialsFailure for any other text.
    """
    try:
        when = datetime.fromisoformat(text.strip())
        return when.astimezone(UTC) if when.tzinfo is not None else _zoneless()
    except (ValueError, OverflowError):
        raise CredentialsFailure(
            "the expiration is no ISO 8601 time with a zone, such as 2030-01-31T23:59:00Z"
        ) from None


def _zoneless() -> datetime:
    raise ValueError("no zone")


def cut(text: str) -> str:
    """Somebody else's text made fit for a message: one line of bounded length."""
    line = _CONTROL.sub(" ", text).strip()
    return line if len(line) <= _MOST_SHOWN else f"{line[:_MOST_SHOWN]}…"
