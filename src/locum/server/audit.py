"""One audit line for every request, in CloudTrail's shape, written before the answer leaves.

A line never holds a secret: members of type :class:`~locum.secret.Secret` are left out by their type, and session
tokens too, where AWS prints them (divergence from STS-CT-007).  The actor is the verified caller or nobody (R24).
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Iterator
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
    """What happened in one request.  ``now`` is epoch seconds; ``event_ids`` are three UUIDs drawn by the edge."""

    now: float
    event_source: str
    name: str
    region: str
    request_id: str
    event_ids: tuple[str, str, str]
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


def _instant(now: float) -> str:
    return datetime.datetime.fromtimestamp(int(now), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _spoken(moment: datetime.datetime) -> str:
    """A date as CloudTrail prints it in parameters: ``Oct 25, 2024, 9:07:11 PM`` (STS-CT-007)."""
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[moment.month - 1]
    hour, half = moment.hour % 12 or 12, "AM" if moment.hour < 12 else "PM"
    return f"{month} {moment.day}, {moment.year}, {hour}:{moment.minute:02d}:{moment.second:02d} {half}"


def _shown(member: Member, value: Any) -> Any:
    if member.kind is Kind.STRUCTURE:
        return parameters_of(value)
    if member.kind is Kind.LIST:
        element = member.element
        return [_shown(element, each) for each in value] if element is not None else []
    if member.kind is Kind.TIMESTAMP:
        return _spoken(value)
    if member.kind is Kind.BLOB:
        return None
    return value


def parameters_of(shape: Shape) -> dict[str, Any] | None:
    """The members of a command or an answer in lower camel case (STS-CT-008), secrets and absent ones left out."""
    kind: type[Shape] = type(shape)
    shown = {}
    for member in members(kind):
        value = getattr(shape, member.attribute)
        if value is None or value == () or member.limits.secret:
            continue
        shown[member.path] = _shown(member, value)
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


def _record(event: Event, identity: dict[str, Any], event_id: str, recipient: str | None) -> dict[str, Any]:
    error = event.error
    record: dict[str, Any] = {
        "eventVersion": _EVENT_VERSION,
        "userIdentity": identity,
        "eventTime": _instant(event.now),
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
    record["eventID"] = event_id
    record["readOnly"] = event.read_only
    if event.resources:
        record["resources"] = event.resources
    record["eventType"] = "AwsApiCall"
    record["managementEvent"] = True
    record["recipientAccountId"] = recipient
    if event.owner:
        record["sharedEventID"] = event.event_ids[2]
    record["eventCategory"] = "Management"
    if event.secure:
        record["tlsDetails"] = {"clientProvidedHostHeader": event.host[:_MAXIMUM_TEXT]}
    return record


def lines_of(event: Event) -> Iterator[bytes]:
    """The records of an event: one, or two that share an id where the resource is another account's (STS-CT-011)."""
    caller = event.caller
    yield _encoder.encode(
        _record(event, identity_of(caller), event.event_ids[0], caller.account if caller is not None else None)
    )
    if event.owner and caller is not None:
        stranger = {"type": "AWSAccount", "principalId": caller.user_id, "accountId": caller.account}
        yield _encoder.encode(_record(event, stranger, event.event_ids[1], event.owner))


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
