"""``locum explain``: why a request was refused, and what would have allowed it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import click
import msgspec

from locum.api.sts import DecodeAuthorizationMessageCommand
from locum.cli.options import as_json, opened, settings_from, settings_options
from locum.cli.remote import NoAnswer, Usage, ask, endpoint, endpoint_options, printable
from locum.cli.report import complain, instant, result
from locum.core.token import KeyRing, TokenNotIntact
from locum.errors import AccessDenied, ServiceException
from locum.policy.explanation import Explanation
from locum.policy.render import render
from locum.server.auditfile import audit_files, lines_backwards, recovered
from locum.server.denials import Message, document, open_message
from locum.server.ring import load_ring

__all__ = ["command"]

_REQUEST_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_WIDTH: Final = 110
_DENIED: Final = 3


class _Found(NamedTuple):
    """A refusal to be shown: the document as JSON has it, and the explanation where there is one."""

    document: dict[str, Any]
    explanation: Explanation | None


class _NotFound(Exception):
    """There is nothing to explain; the text says why not."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


@settings_options("data", "wrapping_key_command", "audit_file")
@click.command("explain")
@click.argument("what", metavar="REQUEST_ID|MESSAGE")
@endpoint_options("decode the message")
@as_json
def command(what: str, endpoint_url: str | None, region: str | None, as_json: bool, **options: Any) -> int:
    """Explain a refused request: policy, statement, element, both values, and what would have allowed it.

    REQUEST_ID is looked up in the audit file of a data directory. MESSAGE is what the header
    x-locum-authorization-message held: it is opened with the key ring of a data directory, or by a server for callers
    who are allowed sts:DecodeAuthorizationMessage.

    Exit status 1: there is nothing to explain; 3: the server does not let you decode messages.
    """
    try:
        found = _find(what.strip(), endpoint_url, region, options)
    except AccessDenied as error:
        complain(printable(error.message), "an administrator of the account can allow sts:DecodeAuthorizationMessage")
        return _DENIED
    except ServiceException as error:
        complain(printable(str(error)), "it may be damaged, older than seven days, or another account's")
        return 1
    except _NotFound as error:
        complain(str(error), error.hint)
        return 1
    if as_json or found.explanation is None:
        result(found.document)
    else:
        click.echo(_tree(found.document["request"], found.explanation))
    return 0


def _find(what: str, endpoint_url: str | None, region: str | None, options: dict[str, Any]) -> _Found:
    by_id = _REQUEST_ID.match(what) is not None
    if endpoint_url is not None and (by_id or options.get("data") is not None):
        raise Usage("a server decodes messages only", "give a message and --endpoint-url, or --data alone")
    if not by_id and options.get("data") is None:
        url = endpoint(endpoint_url)
        if url:
            return _decoded(what, url, region)
    if by_id:
        sealed = _recorded(settings_from(options).audit_path, what)
        message = _opened(sealed, options)
        if message.request_id != what:
            raise _NotFound(f"the audit line of request {what} holds the message of another", "it was tampered with")
    else:
        message = _opened(what, options)
    return _Found(document(message), message.explanation)


def _opened(sealed: str, options: dict[str, Any]) -> Message:
    with opened(options) as data:
        with data.store.snapshot() as rows:
            ring: KeyRing = load_ring(rows, data.vault)
        try:
            return open_message(ring, sealed)
        except TokenNotIntact as why:
            raise _NotFound(f"the message cannot be opened: {why}", "is it this data directory's?") from None


# The audit file


class _Authorization(msgspec.Struct):
    effect: str = ""
    message: str = ""


class _Additional(msgspec.Struct):
    authorization: _Authorization | None = None


class _Line(msgspec.Struct, rename={"id": "requestID", "code": "errorCode", "text": "errorMessage"}):
    id: str
    code: str = ""
    text: str = ""
    additional: _Additional = msgspec.field(name="additionalEventData", default_factory=_Additional)


def _recorded(path: Path, request_id: str) -> str:
    """The sealed message in the audit line of a request, found from the end of the files in bounded memory."""
    line = None
    try:
        for each in reversed(audit_files(path) or [path]):
            with each.open("rb") as file:
                line = _line_of(file, request_id)
            if line is not None:
                break
    except OSError as error:
        raise _NotFound(f"{path} cannot be read: {error.strerror}", "name the data directory: --data") from None
    if line is None:
        raise _NotFound(
            f"{path} has no request {request_id}", "is it another server's, or in a file that was moved away?"
        )
    refusal = line.additional.authorization
    if refusal is None:
        answer = f"refused, but by no policy: {line.code}: {line.text}" if line.code else "answered, not refused"
        raise _NotFound(f"request {request_id} was {printable(answer)}")
    if not refusal.message:
        raise _NotFound(
            f"request {request_id} was refused, and no explanation could be kept", "the server's log says why"
        )
    return refusal.message


def _line_of(file: BinaryIO, request_id: str) -> _Line | None:
    needle = request_id.encode()
    for text in lines_backwards(file):
        if needle in text:
            try:
                line = msgspec.json.decode(recovered(text), type=_Line)
            except msgspec.DecodeError:
                continue
            if line.id == request_id:
                return line
    return None


# The server


def _decoded(message: str, url: str, region: str | None) -> _Found:
    try:
        answer = ask(url, DecodeAuthorizationMessageCommand(encoded_message=message), region)
        decoded = json.loads(answer.decoded_message)
        if not isinstance(decoded, dict):
            raise ValueError("the decoded message is no document")
    except NoAnswer as error:
        raise _NotFound(str(error), "is the URL right, and the server running?") from None
    except ValueError as error:
        raise _NotFound(f"{url} gave no answer: {error}", "is the URL right, and the server running?") from None
    return _Found(decoded, _explanation_in(decoded))


def _explanation_in(decoded: dict[str, Any]) -> Explanation | None:
    """The explanation of one of our documents; None for a document of AWS, or of a release that we do not know."""
    try:
        if {"id", "time", "shortened"} <= decoded["request"].keys():
            return Explanation.from_json(json.dumps(decoded["explanation"]))
    except (KeyError, AttributeError, ValueError):
        pass
    return None


# The tree


def _tree(request: Mapping[str, Any], explanation: Explanation) -> str:
    on_terminal = sys.stdout.isatty()
    color = on_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    width = shutil.get_terminal_size().columns if on_terminal else _WIDTH
    heading = f"request {printable(str(request['id']))}, {instant(int(request['time']))}"
    if request["shortened"]:
        heading += " (shortened to fit into the message)"
    return f"{heading}\n{render(explanation, color=color, width=width).rstrip()}"
