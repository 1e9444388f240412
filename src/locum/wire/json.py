"""awsJson 1.1: a command ⇄ a JSON document, an answer ⇄ another, both ends derived from the command's declaration.

Organizations speaks it (ORG-GEN-001): the header ``X-Amz-Target`` names the operation, the body is one JSON object
whose members have their wire names, times are epoch seconds.  ``decode_command(encode_command(x)) == x`` for every
valid command.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re
from typing import Any, Final, TypeVar, cast

import msgspec

from locum import errors
from locum.api.shapes import Command, Kind, Member, Shape, Violation, members, refuse, travels, violations
from locum.errors import ServiceException, error_for
from locum.http import Headers
from locum.organization_errors import (
    ORGANIZATIONS_ERRORS,
    AccessDeniedException,
    ConcurrentModificationException,
    IncompleteSignatureException,
    InvalidInputException,
    InvalidSignatureException,
    MalformedPolicyDocumentException,
    MissingAuthenticationTokenException,
    OrganizationsServiceException,
    SerializationException,
    TooManyRequestsException,
    UnknownOperationException,
    UnrecognizedClientException,
)
from locum.secret import Secret
from locum.wire.strict_json import JsonError, read_json
from locum.wire.xml import MAX_BYTES, UnreadableAnswer

__all__ = [
    "CONTENT_TYPE",
    "MAX_CONTAINERS",
    "decode_command",
    "decode_error",
    "decode_response",
    "encode_command",
    "encode_error",
    "encode_response",
    "from_json",
    "read_answer",
    "sound",
    "spoken",
    "target_of",
    "to_json",
]

CONTENT_TYPE: Final = "application/x-amz-json-1.1"
"""The content type of requests and answers (ORG-GEN-001)."""

MAX_CONTAINERS: Final = 512
"""Objects and lists of a request's document."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_CAPITAL: Final = re.compile("(?=[A-Z])")
_INVALID_VALUE: Final = "You specified an invalid value."
_RETRYABLE_STATUS: Final = frozenset({429, 500, 502, 503, 504})

AnyCommand = TypeVar("AnyCommand", bound=Command[Any])
Output = TypeVar("Output", bound=Shape)
AnyShape = TypeVar("AnyShape", bound=Shape)


def target_of(command: Command[Any] | type[Command[Any]]) -> str:
    """The value of ``X-Amz-Target`` for a command."""
    return f"{command.operation.service.target}.{command.operation.name}"


def decode_command(command_type: type[AnyCommand], body: bytes) -> AnyCommand:
    """The command that a request's body expresses; an empty body is an empty object.

    SerializationException where it cannot be read, otherwise InvalidInputException with the first broken limit's reason
    in AWS's words, and with every one of them in a member of ours, ``Violations``.  Unknown members are
    ignored, null means absent.
    """
    try:
        command = from_json(read_json(body, containers=MAX_CONTAINERS) if body else {}, command_type, complete=False)
    except (JsonError, UnreadableAnswer) as error:
        raise SerializationException(f"The request cannot be read: {error}") from None
    found = violations(command)
    if found:
        reason, text = _reason(found[0])
        refusal = InvalidInputException(text)
        refusal.details = {"Reason": reason, "Violations": refuse(found, command_type.operation.service).message}
        raise refusal
    return command


_REASONS: Final = (
    ("Member must not be null", "INPUT_REQUIRED", "You must provide a value for the parameter."),
    (
        "Member must satisfy regular expression pattern",
        "INVALID_PATTERN",
        "You provided a value that does not match the required pattern.",
    ),
    ("Member must have length less", "MAX_LENGTH_EXCEEDED", "You provided a string that exceeds that maximum length."),
    ("Member must have length greater", "MIN_LENGTH_EXCEEDED", _INVALID_VALUE),
    ("Member must have value less", "MAX_VALUE_EXCEEDED", "You provided a value that exceeds the maximum allowed."),
    ("Member must have value greater", "MIN_VALUE_EXCEEDED", "You provided a value that is below the minimum allowed."),
    ("Member must satisfy enum value set", "INVALID_ENUM", _INVALID_VALUE),
)
"""How a constraint begins → the beginning of ``Reason`` and the message, AWS's own where an answer of it is known."""


def _reason(broken: Violation) -> tuple[str, str]:
    """What Organizations calls a broken limit: ``Reason``, which ends with the member's name, and the message."""
    known = ((name, said) for begin, name, said in _REASONS if broken.constraint.startswith(begin))
    name, said = next(known, ("INVALID_LIST_MEMBER", _INVALID_VALUE))
    member = _CAPITAL.sub("_", broken.path).replace(".", "_").upper()
    return f"{name}:{member}", said


def encode_command(command: Command[Any]) -> bytes:
    """The body of a request; secrets are in it as they are."""
    return msgspec.json.encode(to_json(command))


def encode_response(response: Shape) -> bytes:
    """The body of a success; an operation without output answers an empty object."""
    return msgspec.json.encode(to_json(response))


def decode_response(body: bytes, command_type: type[Command[Output]]) -> Output:
    """The output that the body of a success holds; UnreadableAnswer where it is not this operation's answer."""
    output = cast("type[Output]", command_type.output())
    return from_json(read_answer(body) if body else {}, output)


_SPOKEN: Final[dict[type[ServiceException], type[ServiceException]]] = {
    errors.AccessDenied: AccessDeniedException,
    errors.ConcurrentModificationException: ConcurrentModificationException,
    errors.ExpiredToken: errors.ExpiredTokenException,
    errors.IncompleteSignature: IncompleteSignatureException,
    errors.InvalidAction: UnknownOperationException,
    errors.InvalidClientTokenId: UnrecognizedClientException,
    errors.MalformedPolicyDocumentException: MalformedPolicyDocumentException,
    errors.MissingAuthenticationToken: MissingAuthenticationTokenException,
    errors.RequestExpired: InvalidSignatureException,
    errors.SignatureDoesNotMatch: InvalidSignatureException,
    errors.Throttling: TooManyRequestsException,
    errors.ValidationError: InvalidInputException,
}
"""What services that speak awsQuery and the steps that all share raise → how services that speak awsJson call it."""


_SAID: Final[dict[type[ServiceException], str]] = {
    AccessDeniedException: "You don't have permissions to access this resource.",
    ConcurrentModificationException: (
        "AWS Organizations can't complete your request because it conflicts with another attempt to modify the same "
        "entity. Try again later."
    ),
}
"""What Organizations says in words of its own, of a denial whichever policy it is for."""


def spoken(error: ServiceException) -> ServiceException:
    """The error as a service that speaks awsJson has it: the same unless it has another name there.

    Of a denial it does not say what was missing; the encoded authorization message beside it does, and the audit line.
    """
    kind = _SPOKEN.get(type(error))
    if kind is None:
        return error
    renamed = kind(_SAID.get(kind, error.message), decision=error.decision)
    renamed.details = error.details
    return renamed


def encode_error(error: ServiceException) -> tuple[int, str, bytes]:
    """Status, content type and body of an error answer (ORG-GEN-001); details are the error's own members."""
    error = spoken(error)
    document = {"__type": sound(error.code), "Message": sound(error.message)}
    document |= {name: sound(value) for name, value in error.details.items()}
    return error.status, CONTENT_TYPE, msgspec.json.encode(document)


def decode_error(
    status: int,
    body: bytes,
    headers: Headers = (),
    *,
    unknown: type[ServiceException] = OrganizationsServiceException,
) -> ServiceException:
    """The error that an answer reports, of the class of its code, with message, details and request id.

    A body that is no error document gives an error whose code is the HTTP status.
    """
    try:
        document = read_answer(body)
    except UnreadableAnswer:
        document = {}
    texts = {name: value for name, value in document.items() if isinstance(value, str)}
    code = texts.get("__type", "").rpartition("#")[2] or str(status)
    message = texts.get("Message") or texts.get("message") or ""
    request_id = next((value for name, value in headers if name == "x-amzn-requestid"), None)
    decoded = error_for(code, message, unknown=unknown, request_id=request_id, errors=ORGANIZATIONS_ERRORS)
    decoded.details = {name: value for name, value in texts.items() if name not in ("__type", "Message", "message")}
    if "code" in decoded.__dict__:
        decoded.__dict__.update(status=status, retryable=status in _RETRYABLE_STATUS)
    return decoded


def read_answer(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer; UnreadableAnswer for anything else."""
    if len(body) > MAX_BYTES:
        raise UnreadableAnswer("the answer is too large")
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UnreadableAnswer(f"the answer is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise UnreadableAnswer("the answer is not a JSON object")
    return document


# Values


def to_json(value: Any) -> Any:
    """A shape, or a member's value, as JSON has it: wire names, what is absent left out, times in epoch seconds."""
    if isinstance(value, Shape):
        return {
            member.wire_name: to_json(inner)
            for member in members(type(value))
            if travels(member, inner := getattr(value, member.attribute))
        }
    if isinstance(value, tuple):
        return [to_json(each) for each in value]
    if isinstance(value, dict):
        return {sound(key): to_json(each) for key, each in value.items()}
    if isinstance(value, datetime.datetime):
        return int(value.timestamp())
    if isinstance(value, Secret):
        return sound(value.reveal())
    if isinstance(value, str):
        return sound(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def sound(text: str) -> str:
    """A text as UTF-8 can have it: lone surrogates are replaced."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def from_json(document: Any, shape: type[AnyShape], *, complete: bool = True) -> AnyShape:
    """The shape that a JSON object holds; UnreadableAnswer where a member is of another kind.

    A required member that is missing is refused too, or, where the shape need not be ``complete``, left None for
    :func:`~locum.api.shapes.violations` to report.
    """
    if not isinstance(document, dict):
        raise UnreadableAnswer(f"the structure {shape.__name__} is not a JSON object")
    values = {}
    for member in members(shape):
        found = document.get(member.wire_name)
        if found is not None:
            values[member.attribute] = _value(found, member, complete)
        elif member.required:
            if complete:
                raise UnreadableAnswer(f"the answer has no {member.wire_name}")
            values[member.attribute] = member.absent
    return shape(**values)


_TYPES: Final[dict[Kind, type | tuple[type, ...]]] = {
    Kind.TEXT: str,
    Kind.INTEGER: int,
    Kind.BOOLEAN: bool,
    Kind.TIMESTAMP: (int, float),
    Kind.BLOB: str,
    Kind.LIST: list,
    Kind.MAP: dict,
    Kind.STRUCTURE: dict,
}


def _value(value: Any, member: Member, complete: bool) -> Any:
    kind = member.kind
    types: Any = _TYPES[kind]
    if not isinstance(value, types) or (isinstance(value, bool) and kind is not Kind.BOOLEAN):
        raise UnreadableAnswer(f"the member {member.wire_name} is not a {kind.value}")
    if kind is Kind.STRUCTURE:
        return from_json(value, cast("type[Shape]", member.shape), complete=complete)
    inner = cast("Member", member.element)
    if kind is Kind.LIST:
        return tuple([None if each is None else _value(each, inner, complete) for each in value])
    if kind is Kind.MAP:
        return {key: _value(each, inner, complete) for key, each in value.items()}
    if kind is Kind.TEXT:
        return Secret(value) if member.limits.secret else value
    try:
        if kind is Kind.TIMESTAMP:
            return datetime.datetime.fromtimestamp(value, datetime.UTC)
        if kind is Kind.BLOB:
            return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, OverflowError, OSError):
        raise UnreadableAnswer(f"the member {member.wire_name} is not a {kind.value}") from None
    return value
