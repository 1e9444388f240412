"""awsQuery answers: result and error ⇄ XML or JSON, both ends derived from the command's declaration.

The server writes with :func:`encode_response` and :func:`encode_error`, the client reads with
:func:`decode_response` and :func:`decode_error`: the output that was encoded, or an error of the same class.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import msgspec

from locum.api.shapes import Command, Kind, Member, Service, Shape, members
from locum.errors import ServiceException, error_for
from locum.http import Headers
from locum.secret import Secret
from locum.wire.query import format_time, parse_time
from locum.wire.xml import PLAIN, Element, UnreadableAnswer, escape, parse_xml

__all__ = [
    "JSON",
    "XML",
    "UnreadableAnswer",
    "decode_error",
    "decode_response",
    "encode_error",
    "encode_response",
    "request_id_of",
    "wants_json",
]

XML: Final = "text/xml"
"""The content type of answers, without a character set (STS-W-025)."""

JSON: Final = "application/json"
"""The content type of answers to those who ask for it (STS-W-032)."""

Output = TypeVar("Output", bound=Shape)
Writer = Callable[[Any], str]

_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_RETRYABLE_STATUS: Final = frozenset({429, 500, 502, 503, 504})
_NESTED: Final = (Kind.STRUCTURE, Kind.LIST, Kind.MAP)


def wants_json(accept: str | None) -> bool:
    """Whether an ``Accept`` header asks for JSON: its first media range is ``application/json`` (STS-W-032, W-038)."""
    return accept is not None and accept.partition(",")[0].partition(";")[0].strip().lower() == JSON


def encode_response(response: Shape, command_type: type[Command[Any]], request_id: str, *, json: bool = False) -> bytes:
    """The body of a success (STS-W-022, STS-W-033).

    Absent members are omitted (STS-W-029), an operation without output has no result element (IAM-GEN-002), texts are
    escaped (R37).  ``request_id`` is the server's own UUID.
    """
    if json:
        return _encode_json_response(response, command_type, request_id)
    head, writer, tail, end = _envelope(command_type)
    return f"{head}{writer(response)}{tail}{request_id}{end}".encode()


def encode_error(
    error: ServiceException, service: Service, request_id: str, *, json: bool = False
) -> tuple[int, str, bytes]:
    """Status, content type and body of an error answer (STS-W-023, STS-W-024, STS-W-034).

    An error without text has no element for it in XML (IAM-ACC-006).
    """
    fault = "Sender" if error.fault == "client" else "Receiver"
    if json:
        # Imported where JSON is spoken: clients of STS never do.
        from locum.wire.json import sound

        document = {
            "Error": {"Code": sound(error.code), "Message": sound(error.message), "Type": fault},
            "RequestId": request_id,
        }
        return error.status, JSON, msgspec.json.encode(document)
    message = f"    <Message>{escape(error.message)}</Message>\n" if error.message else ""
    body = (
        f'<ErrorResponse xmlns="{service.namespace}">\n'
        "  <Error>\n"
        f"    <Type>{fault}</Type>\n"
        f"    <Code>{escape(error.code)}</Code>\n"
        f"{message}"
        "  </Error>\n"
        f"  <RequestId>{request_id}</RequestId>\n"
        "</ErrorResponse>\n"
    )
    return error.status, XML, body.encode()


@functools.cache
def _envelope(command_type: type[Command[Any]]) -> tuple[str, Writer, str, str]:
    """What stands before the result's members, how these are written, what stands around the request id."""
    operation, output = command_type.operation, command_type.output()
    head = f'<{operation.name}Response xmlns="{operation.service.namespace}">\n'
    tail = "  <ResponseMetadata>\n    <RequestId>"
    end = f"</RequestId>\n  </ResponseMetadata>\n</{operation.name}Response>\n"
    result = f"{operation.name}Result"
    if not _has_result(command_type):
        return head, lambda _: "", tail, end
    if _never_empty(output):
        return f"{head}  <{result}>\n", _structure_writer(output, 2), f"  </{result}>\n{tail}", end
    return head, _element(result, _structure_writer(output, 2), 1), tail, end


def _has_result(command_type: type[Command[Any]]) -> bool:
    """Whether an answer has a result element: only an operation without output has none (IAM-GEN-002)."""
    return command_type.output().__name__ != "Nothing"


def _element(name: str, writer: Writer, level: int) -> Writer:
    """A writer of an element around what another writes; without content it is an empty element."""
    indent = "  " * level

    def write(value: Any) -> str:
        inner = writer(value)
        return f"{indent}<{name}>\n{inner}{indent}</{name}>\n" if inner else f"{indent}<{name}/>\n"

    return write


@functools.cache
def _structure_writer(shape: type[Shape], level: int) -> Writer:
    """A function that writes the members of a shape, one line an element, and is compiled."""
    source = _WriterSource()
    template = source.block(shape, "value", level, "    ")
    lines = ["def write(value):", *source.lines, f'    return f"{template}"']
    exec("\n".join(lines), source.scope)  # noqa: S102
    return cast("Writer", source.scope["write"])


class _WriterSource:
    """The source of a writer: it holds nothing but names of our own declarations.

    Required structures are written in place.  All texts of a block are looked at together, and escaped one by one
    only where one of them needs it.
    """

    def __init__(self) -> None:
        self.scope: dict[str, Any] = {"PLAIN": PLAIN, "escape": escape, "format_time": format_time}
        self.lines: list[str] = []
        self._count = 0

    def block(self, shape: type[Shape], source: str, level: int, pad: str) -> str:
        """Write out how the members of ``source`` become variables; what remains is one template of them."""
        texts: list[str] = []
        late: list[str] = []
        template = self._members(shape, source, level, pad, texts, late)
        if texts:
            together = "".join(f"{{{text}}}" for text in texts)
            self.lines += [
                f"{pad}try:",
                f"{pad}    other = f'{together}'.encode().translate(None, PLAIN)",
                f"{pad}except UnicodeEncodeError:",
                f"{pad}    other = True",
                f"{pad}if other:",
                *[f"{pad}    {text} = escape({text})" for text in texts],
            ]
        self.lines += late
        return template

    def _members(self, shape: type[Shape], source: str, level: int, pad: str, texts: list[str], late: list[str]) -> str:
        pieces = []
        indent = "  " * level
        for member in members(shape):
            self._count += 1
            value = f"m{self._count}"
            head, tail = f"{indent}<{member.wire_name}>", f"</{member.wire_name}>\\n"
            self.lines.append(f"{pad}{value} = {source}.{member.attribute}")
            if member.kind in _NESTED:
                if member.shape is not None and member.required and _never_empty(member.shape):
                    inner = self._members(member.shape, value, level + 1, pad, texts, late)
                    pieces.append(f"{head}\\n{inner}{indent}{tail}")
                else:
                    self._nested(member, value, level, pad)
                    pieces.append(f"{{{value}}}")
                continue
            if member.kind is Kind.TEXT:
                texts.append(value)
            converted = self._converted(member, value)
            if member.required:
                self.lines += [f"{pad}{value} = {converted}"] if converted != value else []
                pieces.append(f"{head}{{{value}}}{tail}")
            else:
                if converted != value:
                    self.lines += [f"{pad}if {value} is not None:", f"{pad}    {value} = {converted}"]
                late.append(f"{pad}{value} = '' if {value} is None else f'{head}{{{value}}}{tail}'")
                pieces.append(f"{{{value}}}")
        return "".join(pieces)

    def _nested(self, member: Member, value: str, level: int, pad: str) -> None:
        """A structure, list or map that may be absent or empty."""
        if not member.required:
            test = f"{value} is None" if member.absent is None else f"not {value}"
            self.lines += [f"{pad}if {test}:", f"{pad}    {value} = ''", f"{pad}else:"]
            pad += "    "
        if member.shape is not None and _never_empty(member.shape):
            inner = self.block(member.shape, value, level + 1, pad)
            name, indent = member.wire_name, "  " * level
            self.lines.append(f"{pad}{value} = f'{indent}<{name}>\\n{inner}{indent}</{name}>\\n'")
        else:
            writer = f"write{self._count}"
            self.scope[writer] = _element(member.wire_name, _content_writer(member, level + 1), level)
            self.lines.append(f"{pad}{value} = {writer}({value})")

    def _converted(self, member: Member, value: str) -> str:
        if member.kind is Kind.TEXT:
            return f"{value}.reveal()" if member.limits.secret else value
        if member.kind is Kind.INTEGER:
            return value
        if member.kind is Kind.TIMESTAMP:
            return f"format_time({value})"
        self.scope[f"format{self._count}"] = _TEXT_OF[member.kind]
        return f"format{self._count}({value})"


def _never_empty(shape: type[Shape]) -> bool:
    """Whether a structure always has an element inside."""
    return any(member.required for member in members(shape))


def _content_writer(member: Member, level: int) -> Writer:
    if member.kind is Kind.STRUCTURE:
        return _structure_writer(cast("type[Shape]", member.shape), level)
    element = cast("Member", member.element)
    if member.kind is Kind.LIST:
        each = _value_writer("member", element, level)
        return lambda value: "".join([each(item) for item in value])
    key, item = _value_writer("key", _TEXT_MEMBER, level + 1), _value_writer("value", element, level + 1)
    entry = _element("entry", lambda pair: key(pair[0]) + item(pair[1]), level)
    return lambda value: "".join([entry(pair) for pair in value.items()])


_TEXT_MEMBER: Final = Member("key", "key", "key", Kind.TEXT, True)


def _value_writer(name: str, member: Member, level: int) -> Writer:
    if member.kind in _NESTED:
        return _element(name, _content_writer(member, level + 1), level)
    indent, text_of = "  " * level, _TEXT_OF[member.kind]
    return lambda value: f"{indent}<{name}>{escape(text_of(value))}</{name}>\n"


def _revealed(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


_TEXT_OF: Final[dict[Kind, Callable[[Any], str]]] = {
    Kind.TEXT: _revealed,
    Kind.INTEGER: str,
    Kind.BOOLEAN: lambda value: "true" if value else "false",
    Kind.TIMESTAMP: format_time,
    Kind.BLOB: lambda value: base64.b64encode(value).decode(),
}


def _encode_json_response(response: Shape, command_type: type[Command[Any]], request_id: str) -> bytes:
    name = command_type.operation.name
    answer: dict[str, Any] = {"ResponseMetadata": {"RequestId": request_id}}
    if _has_result(command_type):
        from locum.wire.json import to_json

        answer = {f"{name}Result": to_json(response)} | answer
    return msgspec.json.encode({f"{name}Response": answer})


def decode_response(body: bytes, command_type: type[Command[Output]], content_type: str = XML) -> Output:
    """The output that the body of a success holds; UnreadableAnswer where it is not this operation's answer.

    Unknown members are ignored; one that is repeated is refused, since two readers could see two answers (R21).
    """
    name, output = command_type.operation.name, command_type.output()
    if _is_json(content_type):
        from locum.wire.json import from_json, read_answer

        result: Any = _member_of(_member_of(read_answer(body), f"{name}Response"), f"{name}Result")
        return cast("Output", from_json({} if result is None else result, output))
    root = parse_xml(body)
    if root.name != f"{name}Response":
        raise UnreadableAnswer(f"not an answer to {name}")
    return cast("Output", _from_xml_members(root.find(f"{name}Result") or Element(""), output))


def decode_error(
    status: int,
    body: bytes,
    content_type: str = XML,
    headers: Headers = (),
    *,
    unknown: type[ServiceException] = ServiceException,
) -> ServiceException:
    """The error that an answer reports, of the class of its code, with message and request id.

    A body that is no error document gives an error whose code is the HTTP status.  Errors of unknown code are
    ``unknown`` with the answer's own code and status.
    """
    code, message, request_id = "", "", None
    try:
        document = _document(body, content_type)
        error = _member_of(document, "Error")
        code, message = _text_of(error, "Code") or "", _text_of(error, "Message") or ""
        request_id = _find_request_id(document)
    except UnreadableAnswer:
        pass
    decoded = error_for(
        code or str(status), message, unknown=unknown, request_id=request_id or _request_id_header(headers)
    )
    if "code" in decoded.__dict__:
        decoded.__dict__.update(status=status, retryable=status in _RETRYABLE_STATUS)
    return decoded


def request_id_of(body: bytes, content_type: str = XML, headers: Headers = ()) -> str | None:
    """The request id of an answer: in the body at one of three places, else in the headers (STS-W-030)."""
    try:
        document = _document(body, content_type)
        if isinstance(document, dict) and len(document) == 1:
            (document,) = document.values()
        found = _find_request_id(document)
    except UnreadableAnswer:
        found = None
    return found or _request_id_header(headers)


def _document(body: bytes, content_type: str) -> Any:
    if not _is_json(content_type):
        return parse_xml(body)
    from locum.wire.json import read_answer

    return read_answer(body)


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == JSON


def _member_of(document: Any, name: str) -> Any:
    if isinstance(document, Element):
        return document.find(name)
    return document.get(name) if isinstance(document, dict) else None


def _text_of(document: Any, name: str) -> str | None:
    found = _member_of(document, name)
    if isinstance(found, Element):
        return found.text
    return found if isinstance(found, str) else None


def _find_request_id(document: Any) -> str | None:
    return (
        _text_of(_member_of(document, "ResponseMetadata"), "RequestId")
        or _text_of(document, "RequestId")
        or _text_of(document, "requestId")
    )


def _request_id_header(headers: Headers) -> str | None:
    return next((value for name, value in headers if name == "x-amzn-requestid"), None)


def _from_xml_members(element: Element, shape: type[Shape]) -> Shape:
    return _make(shape, {
        member.attribute: _from_xml(child, member)
        for member in members(shape)
        if (child := element.find(member.wire_name)) is not None
    })  # fmt: skip


def _from_xml(element: Element, member: Member) -> Any:
    kind = member.kind
    if kind is Kind.STRUCTURE:
        return _from_xml_members(element, cast("type[Shape]", member.shape))
    inner = cast("Member", member.element)
    if kind is Kind.LIST:
        return tuple(_from_xml(child, inner) for child in element.children if child.name == "member")
    if kind is Kind.MAP:
        entries = {}
        for entry in element.children:
            key, value = entry.find("key"), entry.find("value")
            if key is None or value is None or key.text in entries:
                raise UnreadableAnswer(f"an entry of {member.wire_name} has no key or value of its own")
            entries[key.text] = _from_xml(value, inner)
        return entries
    return _scalar(element.text, member)


def _scalar(text: str, member: Member) -> Any:
    kind = member.kind
    try:
        if kind is Kind.TEXT:
            return Secret(text) if member.limits.secret else text
        if kind is Kind.INTEGER and _INTEGER.fullmatch(text) is not None:
            return int(text)
        if kind is Kind.BOOLEAN and text in ("true", "false"):
            return text == "true"
        if kind is Kind.TIMESTAMP:
            return parse_time(text)
        if kind is Kind.BLOB:
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise UnreadableAnswer(f"the member {member.wire_name} is not a {kind.value}")


def _make(shape: type[Shape], values: dict[str, Any]) -> Shape:
    for member in members(shape):
        if member.required and member.attribute not in values:
            raise UnreadableAnswer(f"the answer has no {member.wire_name}")
    return shape(**values)
