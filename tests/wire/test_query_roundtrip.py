"""Both ends of the codec against each other and against botocore, for every command of every service.

The strategies follow the declarations: what they draw is valid by them, and the tests check that it is.
"""

from __future__ import annotations

import datetime
import functools
from typing import Any, Final, cast
from xml.parsers import expat

import botocore.model
import botocore.parsers
import botocore.serialize
import botocore.session
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locum.api.registry import CONTRACTS
from locum.api.shapes import Command, Kind, Member, Shape, members, travels, violations
from locum.api.sts import STS, GetAccessKeyInfoCommand, GetAccessKeyInfoResponse
from locum.errors import ERRORS, AccessDenied, ServiceException
from locum.secret import Secret
from locum.wire.answer import JSON, XML, decode_error, decode_response, encode_error, encode_response
from locum.wire.form import parse_form
from locum.wire.query import decode_command, encode_command, encode_form, gather

COMMANDS: Final = [
    pytest.param(command, id=f"{contract.service.name}-{name}")
    for contract in CONTRACTS.values()
    for name, command in contract.commands.items()
    if not contract.service.target
]
SAMPLES: Final = (
    *("/", "/a/", "/a/b/", "v1", "v20.x", "1", "123456789012", "https://a.example/b?c=d#e"),
    *("o-ab12cd34ef", "r-ab12", "ou-ab12-ab12cd34", "p-ab12cd34ef", "car-ab12cd34", "root@example.com"),
    *(
        "o-ab12cd34ef/r-ab12/",
        "o-ab12cd34ef/r-ab12/ou-ab12-ab12cd34/",
        "arn:aws:organizations::aws:policy/a/p-FullAWSAccess",
    ),
    *(
        f"arn:aws:organizations::123456789012:{each}"
        for each in (
            "organization/o-ab12cd34ef",
            "account/o-ab12cd34ef/123456789012",
            "root/o-ab12cd34ef/r-ab12",
            "ou/o-ab12cd34ef/ou-ab12-ab12cd34",
        )
    ),
)
"""Texts for patterns that are more than a class of characters."""

CANDIDATES: Final = "".join(map(chr, range(32, 256))) + "\t\n\rŁжあ部\u2028\U0001d4b3😀"
TEXTS: Final = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=20).map(
    lambda drawn: "".join(each for each in drawn if each in "\t\n\r" or each >= " ")
)
MOMENTS: Final = st.datetimes(
    min_value=datetime.datetime(1971, 1, 1), max_value=datetime.datetime(2100, 1, 1), timezones=st.just(datetime.UTC)
).map(lambda moment: moment.replace(microsecond=0))

few = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])


@functools.cache
def texts(member: Member) -> st.SearchStrategy[str]:
    limits = member.limits
    if limits.one_of:
        return st.sampled_from(limits.one_of)
    least = limits.least or 0
    most = min(limits.most if limits.most is not None else 10**9, least + 12)
    if limits.pattern is None:
        return TEXTS.map(lambda drawn: drawn[:most].ljust(least, "x"))
    fits = limits.pattern.regex.fullmatch
    letters = [each for each in CANDIDATES if fits(each)]
    if letters and fits("".join(letters) * 2):
        return st.text(st.sampled_from(letters), min_size=max(least, int(fits("") is None)), max_size=most)
    return st.sampled_from([each for each in SAMPLES if fits(each) and least <= len(each) <= (limits.most or 10**9)])


def values(member: Member) -> st.SearchStrategy[Any]:
    kind, limits = member.kind, member.limits
    if kind is Kind.TEXT:
        return texts(member).map(Secret) if limits.secret else texts(member)
    if kind is Kind.INTEGER:
        return st.integers(limits.least or 0, limits.most or 2**31 - 1)
    if kind is Kind.BOOLEAN:
        return st.booleans()
    if kind is Kind.TIMESTAMP:
        return MOMENTS
    if kind is Kind.BLOB:
        return st.binary(max_size=20)
    if kind is Kind.STRUCTURE:
        return shapes(cast("type[Shape]", member.shape))
    inner = values(cast("Member", member.element))
    if kind is Kind.MAP:
        return st.dictionaries(st.text("abc&<é", max_size=4), inner, max_size=3)
    least = max(limits.least or 0, int(member.required))
    return st.lists(inner, min_size=least, max_size=min(limits.most or 4, least + 3)).map(tuple)


@functools.cache
def shapes(shape: type[Shape]) -> st.SearchStrategy[Any]:
    drawn = {
        member.attribute: values(member) if member.required else st.one_of(st.just(member.absent), values(member))
        for member in members(shape)
    }
    return st.builds(shape, **drawn)


@pytest.mark.parametrize("command_type", COMMANDS)
def test_a_command_comes_back_from_its_form(command_type: type[Command[Any]]) -> None:
    @few
    @given(shapes(command_type))
    def check(command: Command[Any]) -> None:
        assert violations(command) == []
        pairs = encode_command(command)
        assert decode_command(command_type, gather(pairs)) == command
        assert decode_command(command_type, gather(parse_form(encode_form(pairs)))) == command
        assert decode_command(command_type, dict(reversed(pairs))) == command

    check()


@pytest.mark.facts("R37")
@pytest.mark.parametrize("command_type", COMMANDS)
def test_an_answer_comes_back_from_xml_and_json(command_type: type[Command[Any]]) -> None:
    @few
    @given(shapes(command_type.output()))
    def check(response: Shape) -> None:
        for as_json in (False, True):
            body = encode_response(response, command_type, "id", json=as_json)
            assert decode_response(body, command_type, JSON if as_json else XML) == response

    check()


@functools.cache
def service_model(name: str, version: str) -> Any:
    loader = botocore.session.get_session().get_component("data_loader")
    return botocore.model.ServiceModel(loader.load_service_model(name, "service-2", api_version=version), name)


def model(command_type: type[Command[Any]]) -> Any:
    service = command_type.operation.service
    return service_model(service.name, service.version).operation_model(command_type.operation.name)


def plain(value: Any) -> Any:
    """A shape as botocore's users write it and its parser gives it."""
    if isinstance(value, Shape):
        return {
            member.wire_name: plain(inner)
            for member in members(type(value))
            if travels(member, inner := getattr(value, member.attribute))
        }
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value.reveal() if isinstance(value, Secret) else value


def without_empty(given: Any) -> Any:
    """Parameters as botocore can say them: a structure with nothing inside is not sent."""
    if isinstance(given, dict):
        return {name: without_empty(each) for name, each in given.items() if each != {}}
    return [without_empty(each) for each in given if each != {}] if isinstance(given, list) else given


@pytest.mark.facts("STS-W-001", "STS-W-004", "STS-W-005", "STS-W-006", "IAM-GEN-001")
@pytest.mark.parametrize("command_type", COMMANDS)
def test_requests_of_botocore_decode_to_the_same_command(command_type: type[Command[Any]]) -> None:
    serializer = botocore.serialize.create_serializer("query", include_validation=False)

    @few
    @given(shapes(command_type))
    def check(command: Command[Any]) -> None:
        parameters = without_empty(plain(command))
        if parameters != plain(command):
            return
        request = serializer.serialize_to_request(parameters, model(command_type))
        assert (request["method"], request["url_path"]) == ("POST", "/")
        sent = {name: str(value) for name, value in request["body"].items()}
        assert decode_command(command_type, sent) == command
        assert dict(encode_command(command)) == sent

    check()


@pytest.mark.facts("STS-W-007")
@pytest.mark.parametrize("command_type", COMMANDS)
def test_empty_lists_of_botocore_are_empty(command_type: type[Command[Any]]) -> None:
    serializer = botocore.serialize.create_serializer("query", include_validation=False)
    lists = [member for member in members(command_type) if member.kind is Kind.LIST and not member.required]

    @few
    @given(shapes(command_type))
    def check(command: Command[Any]) -> None:
        parameters = plain(command)
        if parameters != without_empty(parameters):
            return
        parameters |= {member.wire_name: [] for member in lists}
        sent = serializer.serialize_to_request(parameters, model(command_type))["body"]
        assert all(sent[member.wire_name] == "" for member in lists)
        decoded = decode_command(command_type, {name: str(value) for name, value in sent.items()})
        assert all(getattr(decoded, member.attribute) == () for member in lists)

    check()


def normal(value: Any) -> Any:
    """What botocore parsed, without the metadata that it adds."""
    if isinstance(value, dict):
        return {name: normal(each) for name, each in value.items() if name != "ResponseMetadata"}
    return [normal(each) for each in value] if isinstance(value, list) else value


@pytest.mark.facts("STS-W-022", "R37")
@pytest.mark.parametrize("command_type", COMMANDS)
def test_answers_are_read_by_botocore_as_they_were_meant(command_type: type[Command[Any]]) -> None:
    parser = botocore.parsers.QueryParser()

    @few
    @given(shapes(command_type.output()))
    def check(response: Shape) -> None:
        body = encode_response(response, command_type, "request-id")
        answer = {"body": body, "headers": {}, "status_code": 200}
        parsed = parser.parse(answer, model(command_type).output_shape)
        assert parsed["ResponseMetadata"]["RequestId"] == "request-id"
        assert normal(parsed) == plain(response)

    check()


@pytest.mark.facts("STS-W-023", "STS-W-026", "R37")
@pytest.mark.parametrize("error", ERRORS.values(), ids=lambda error: error.code)
def test_errors_are_read_by_botocore_as_they_were_meant(error: type[ServiceException]) -> None:
    @few
    @given(TEXTS)
    def check(message: str) -> None:
        status, _, body = encode_error(error(message), STS, "request-id")
        parsed = botocore.parsers.QueryParser().parse({"body": body, "headers": {}, "status_code": status}, None)
        fault = "Sender" if status < 500 else "Receiver"
        assert parsed["Error"] == {"Type": fault, "Code": error.code} | ({"Message": message} if message else {})
        assert parsed["ResponseMetadata"] == {"RequestId": "request-id", "HTTPStatusCode": status, "HTTPHeaders": {}}

    check()


@pytest.mark.facts("R37")
@given(st.text())
def test_any_echoed_text_is_read_alike_by_every_parser(echoed: str) -> None:
    status, _, body = encode_error(AccessDenied(echoed), STS, "id")
    pieces: list[str] = []
    inside = [""]
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, _: inside.append(name)
    parser.EndElementHandler = lambda _: inside.pop()
    parser.CharacterDataHandler = lambda data: pieces.append(data) if inside[-1] == "Message" else None
    parser.Parse(body, True)
    by_botocore = botocore.parsers.QueryParser().parse({"body": body, "headers": {}, "status_code": status}, None)
    by_us = decode_error(status, body)
    assert "".join(pieces) == by_botocore["Error"].get("Message", "") == by_us.message
    assert type(by_us) is AccessDenied
    assert all(ours in (theirs, "\ufffd") for ours, theirs in zip(by_us.message, echoed, strict=True))
    answer = encode_response(GetAccessKeyInfoResponse(account=echoed), GetAccessKeyInfoCommand, "id")
    assert decode_response(answer, GetAccessKeyInfoCommand).account == by_us.message


@pytest.mark.facts("R37")
@given(st.text(), st.sampled_from(sorted(ERRORS)))
def test_any_echoed_text_survives_json(echoed: str, code: str) -> None:
    status, content_type, body = encode_error(ERRORS[code](echoed), STS, "id", json=True)
    decoded = decode_error(status, body, content_type)
    assert type(decoded) is ERRORS[code]
    assert decoded.message == echoed
