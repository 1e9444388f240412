"""One audit line for every request, in CloudTrail's shape, written before the answer leaves.

A line never holds a secret: members of type :class:`~locum.secret.Secret` are left out by their type, and session
tokens too, where AWS prints them (divergence from STS-CT-007).  The actor is the verified caller or nobody (R24).
"""

from __future__ import annotations

import datetime
import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from locum.api.shapes import Kind, Member, Shape, members
from locum.core.session import Caller, CallerKind, SessionKind
from locum.errors import ServiceException

__all__ = ["AuditLog", "Event", "identity_of", "lines_of", "parameters_of"]

_EVENT_VERSION: Final = "1.11"
_MAXIMUM_TEXT: Final = 1_024
"""Characters of a client-chosen header value that a line keeps."""

_encoder = msgspec.json.Encoder()


class Event(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """What happened in one request.  ``now`` is epoch seconds; ``new_id`` draws the UUIDs of the records."""

    now: float
    event_source: str
    name: str
    region: str
    request_id: str
    new_id: Callable[[], str]
    peer: str
    host: str
    user_agent: str
    secure: bool
    read_only: bool
    caller: Caller | None
    error: ServiceException | None = None
    parameters: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    resources: tuple[dict[str, str], ...] = ()
    owner: str = ""
    """The account of the resource where it is not the caller's: it gets a record of its own (STS-CT-011)."""


@functools.lru_cache(maxsize=256)
def _instant(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _spoken(moment: datetime.datetime) -> str:
    """A date as CloudTrail prints it in parameters: ``Oct 25, 2024, 9:07:11 PM`` (STS-CT-007)."""
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[moment.month - 1]
    hour, half = moment.hour % 12 or 12, "AM" if moment.hour < 12 else "PM"
    return f"{month} {moment.day}, {moment.year}, {hour}:{moment.minute:02d}:{moment.second:02d} {half}"


def _writer(member: Member) -> Callable[[Any], Any] | None:
    """How a value of a member is shown; None where it is shown as it is."""
    if member.kind is Kind.STRUCTURE:
        return parameters_of
    if member.kind is Kind.TIMESTAMP:
        return _spoken
    if member.kind is Kind.LIST and member.element is not None:
        write = _writer(member.element)
        return list if write is None else lambda value: [write(each) for each in value]
    return None


@functools.cache
def _fields(shape: type[Shape]) -> tuple[tuple[str, str, Callable[[Any], Any] | None], ...]:
    """What of a shape may be shown: attribute, name in the line, writer.  Secrets and binary data are not in it."""
    return tuple(
        (member.attribute, member.path, _writer(member))
        for member in members(shape)
        if not member.limits.secret and member.kind is not Kind.BLOB
    )


def parameters_of(shape: Shape) -> dict[str, Any] | None:
    """The members of a command or an answer in lower camel case (STS-CT-008), secrets and absent ones left out."""
    shown = {}
    for attribute, name, write in _fields(type(shape)):
        value = getattr(shape, attribute)
        if value is not None and value != ():
            shown[name] = value if write is None else write(value)
    return shown or None


def identity_of(caller: Caller | None) -> dict[str, Any]:
    """CloudTrail's ``userIdentity`` of a caller (STS-CT-015, STS-CT-018 and the shapes of section 25.2)."""
    if caller is None:
        return {"type": "Unknown"}
    identity: dict[str, Any] = {
        "type": "Root" if caller.is_root else "AssumedRole" if caller.kind is CallerKind.ROLE_SESSION else "IAMUser",
        "principalId": caller.user_id,
        "arn": caller.arn,
        "accountId": caller.account,
        "accessKeyId": caller.access_key_id,
    }
    if caller.user_name:
        identity["userName"] = caller.user_name
    session = caller.session
    if session is not None:
        context: dict[str, Any] = {}
        if session.kind is SessionKind.ROLE:
            context["sessionIssuer"] = {
                "type": "Role",
                "principalId": caller.principal_id,
                "arn": caller.principal_arn,
                "accountId": caller.account,
                "userName": caller.principal_arn.rpartition("/")[2],
            }
        context["attributes"] = {"creationDate": _instant(session.issued), "mfaAuthenticated": "false"}
        identity["sessionContext"] = context
    return identity


def _record(event: Event, identity: dict[str, Any], recipient: str | None, shared: str) -> dict[str, Any]:
    error = event.error
    record: dict[str, Any] = {
        "eventVersion": _EVENT_VERSION,
        "userIdentity": identity,
        "eventTime": _instant(int(event.now)),
        "eventSource": event.event_source,
        "eventName": event.name,
        "awsRegion": event.region,
        "sourceIPAddress": event.peer,
        "userAgent": event.user_agent[:_MAXIMUM_TEXT],
    }
    if error is not None:
        # The class name where it differs from the wire code for modelled errors (STS-CT-006).
        record["errorCode"] = type(error).__name__
        record["errorMessage"] = error.message
    record["requestParameters"] = event.parameters
    record["responseElements"] = event.answer
    record["additionalEventData"] = {"RequestDetails": {"awsServingRegion": event.region, "endpointType": "regional"}}
    record["requestID"] = event.request_id
    record["eventID"] = event.new_id()
    record["readOnly"] = event.read_only
    if event.resources:
        record["resources"] = event.resources
    record["eventType"] = "AwsApiCall"
    record["managementEvent"] = True
    record["recipientAccountId"] = recipient
    if shared:
        record["sharedEventID"] = shared
    record["eventCategory"] = "Management"
    if event.secure:
        record["tlsDetails"] = {"clientProvidedHostHeader": event.host[:_MAXIMUM_TEXT]}
    return record


def lines_of(event: Event) -> Iterator[bytes]:
    """The records of an event: one, or two that share an id where the resource is another account's (STS-CT-011)."""
    caller = event.caller
    shared = event.new_id() if event.owner else ""
    yield _encoder.encode(_record(event, identity_of(caller), None if caller is None else caller.account, shared))
    if event.owner and caller is not None:
        stranger = {"type": "AWSAccount", "principalId": caller.user_id, "accountId": caller.account}
        yield _encoder.encode(_record(event, stranger, event.owner, shared))


class AuditLog:
    """The file that audit lines are appended to: mode 0600, one write for all lines of a request.

    Several processes append to the same file; a line is never split, since each write is one append.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(self._descriptor, 0o600)

    def write(self, lines: Iterable[bytes]) -> None:
        """Append whole lines; OSError where the file cannot take them all."""
        data = b"".join(line + b"\n" for line in lines)
        written = os.write(self._descriptor, data)
        if written != len(data):
            raise OSError(f"the audit file took {written} of {len(data)} bytes")

    def close(self) -> None:
        """Close the file; later writes fail."""
        os.close(self._descriptor)
