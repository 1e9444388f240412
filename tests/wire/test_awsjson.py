"""awsJson 1.1: both ends of the codec against each other and against botocore, and what no document may do."""

from __future__ import annotations

import datetime
import functools
import json
from typing import Any, Final

import botocore.parsers
import botocore.serialize
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum import errors
from locum.api.organizations import COMMANDS, ORGANIZATIONS
from locum.api.organizations.accounts import CreateAccountCommand, DescribeAccountCommand, ListAccountsCommand
from locum.api.organizations.policies import ListPoliciesCommand
from locum.api.organizations.units import CreateOrganizationalUnitCommand, TagResourceCommand, UntagResourceCommand
from locum.api.shapes import Command, Shape, members, violations
from locum.errors import ServiceException
from locum.organization_errors import (
    ORGANIZATIONS_ERRORS,
    AccessDeniedException,
    ConcurrentModificationException,
    ConstraintViolationException,
    IncompleteSignatureException,
    InvalidInputException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    OrganizationsServiceException,
    SerializationException,
    TooManyRequestsException,
    UnknownOperationException,
    UnrecognizedClientException,
)
from locum.secret import Secret
from locum.wire import json as aws_json
from locum.wire.xml import MAX_BYTES, UnreadableAnswer

from .test_query_roundtrip import few, model, plain, shapes

OWN_WORDS: Final = {
    errors.AccessDenied: "You don't have permissions to access this resource.",
    errors.ConcurrentModificationException: (
        "AWS Organizations can't complete your request because it conflicts with another attempt to modify the same "
        "entity. Try again later."
    ),
}
INVALID: Final = "You specified an invalid value."
MISSING: Final = "You must provide a value for the parameter."
TOO_LARGE: Final = "You provided a value that exceeds the maximum allowed."
TOO_LONG: Final = "You provided a string that exceeds that maximum length."
TOO_SMALL: Final = "You provided a value that is below the minimum allowed."
ALL: Final = [pytest.param(command, id=name) for name, command in COMMANDS.items()]


@pytest.mark.parametrize("command_type", ALL)
def test_a_command_comes_back_from_its_document(command_type: type[Command[Any]]) -> None:
    @few
    @given(shapes(command_type))
    def check(command: Command[Any]) -> None:
        assert violations(command) == []
        assert aws_json.decode_command(command_type, aws_json.encode_command(command)) == command

    check()


@pytest.mark.facts("R37")
@pytest.mark.parametrize("command_type", ALL)
def test_an_answer_comes_back_from_its_document(command_type: type[Command[Any]]) -> None:
    @few
    @given(shapes(command_type.output()))
    def check(response: Shape) -> None:
        assert aws_json.decode_response(aws_json.encode_response(response), command_type) == response

    check()


@pytest.mark.facts("ORG-GEN-001")
@pytest.mark.parametrize("command_type", ALL)
def test_requests_of_botocore_decode_to_the_same_command(command_type: type[Command[Any]]) -> None:
    serializer = botocore.serialize.create_serializer("json", include_validation=False)

    @few
    @given(shapes(command_type))
    def check(command: Command[Any]) -> None:
        request = serializer.serialize_to_request(plain(command), model(command_type))
        assert (request["method"], request["url_path"]) == ("POST", "/")
        assert request["headers"]["X-Amz-Target"] == aws_json.target_of(command)
        assert request["headers"]["Content-Type"] == aws_json.CONTENT_TYPE
        assert aws_json.decode_command(command_type, request["body"]) == command
        assert json.loads(aws_json.encode_command(command)) == json.loads(request["body"])

    check()


@pytest.mark.facts("ORG-GEN-001", "ORG-GEN-005")
@pytest.mark.parametrize("command_type", ALL)
def test_answers_are_read_by_botocore_as_they_were_meant(command_type: type[Command[Any]]) -> None:
    parser = botocore.parsers.JSONParser()

    @few
    @given(shapes(command_type.output()))
    def check(response: Shape) -> None:
        answer = {"body": aws_json.encode_response(response), "headers": {}, "status_code": 200}
        parsed = parser.parse(answer, model(command_type).output_shape)
        parsed.pop("ResponseMetadata")
        assert parsed == plain(response)

    check()


@pytest.mark.facts("ORG-GEN-001")
@pytest.mark.parametrize("error", ORGANIZATIONS_ERRORS.values(), ids=lambda error: error.code)
def test_errors_are_read_alike_by_botocore_and_by_us(error: type[ServiceException]) -> None:
    raised = error("told")
    status, content_type, body = aws_json.encode_error(raised)
    meant = aws_json.spoken(raised)
    told = OWN_WORDS.get(error, "told")
    decoded = aws_json.decode_error(status, body, (("x-amzn-requestid", "id"),))
    assert content_type == aws_json.CONTENT_TYPE
    assert (type(decoded), decoded.message, decoded.request_id) == (type(meant), told, "id")
    parsed = botocore.parsers.JSONParser().parse({"body": body, "headers": {}, "status_code": status}, None)
    assert parsed["Error"]["Code"] == meant.code
    assert parsed["Error"]["Message"] == told
    assert parsed["ResponseMetadata"]["HTTPStatusCode"] == status == meant.status


@pytest.mark.facts("ORG-GEN-001")
@pytest.mark.parametrize(
    ("shared", "here"),
    [
        (errors.AccessDenied, AccessDeniedException),
        (errors.ConcurrentModificationException, ConcurrentModificationException),
        (errors.ExpiredToken, errors.ExpiredTokenException),
        (errors.IncompleteSignature, IncompleteSignatureException),
        (errors.InvalidAction, UnknownOperationException),
        (errors.InvalidClientTokenId, UnrecognizedClientException),
        (errors.MissingAuthenticationToken, MissingAuthenticationTokenException),
        (errors.SignatureDoesNotMatch, InvalidSignatureException),
        (errors.Throttling, TooManyRequestsException),
    ],
)
def test_what_all_services_refuse_has_its_own_name_here(
    shared: type[ServiceException], here: type[ServiceException]
) -> None:
    status, _, body = aws_json.encode_error(shared("told"))
    assert status == 400
    decoded = aws_json.decode_error(status, body)
    assert (type(decoded), decoded.message) == (here, OWN_WORDS.get(shared, "told"))


@pytest.mark.facts("ORG-GEN-001")
def test_a_reason_travels() -> None:
    status, _, body = aws_json.encode_error(ConstraintViolationException("no", reason="OU_DEPTH_LIMIT_EXCEEDED"))
    assert json.loads(body) == {
        "__type": "ConstraintViolationException",
        "Message": "no",
        "Reason": "OU_DEPTH_LIMIT_EXCEEDED",
    }
    assert aws_json.decode_error(status, body).details == {"Reason": "OU_DEPTH_LIMIT_EXCEEDED"}


@pytest.mark.parametrize(
    ("status", "body", "code", "message"),
    [
        (400, b'{"__type":"com.amazon#NewException","message":"m"}', "NewException", "m"),
        (503, b"<html>", "503", ""),
        (500, b"[]", "500", ""),
        (400, b'{"__type":7}', "400", ""),
    ],
)
def test_an_answer_of_a_stranger_is_an_error_with_its_code(status: int, body: bytes, code: str, message: str) -> None:
    decoded = aws_json.decode_error(status, body)
    assert type(decoded) is OrganizationsServiceException
    assert (decoded.code, decoded.message, decoded.status) == (code, message, status)
    assert decoded.retryable == (status >= 500)


UNREADABLE: Final = [
    b"{",
    b"[]",
    b'"text"',
    b"null",
    b"\xff",
    b'{"MaxResults":1,"MaxResults":2}',
    b'{"MaxResults":NaN}',
    b'{"MaxResults":true}',
    b'{"MaxResults":"1"}',
    b'{"MaxResults":1.5}',
    b'{"MaxResults":1e400}',
    b'{"NextToken":1}',
    b'{"NextToken":"\\ud800"}',
    b'{"NextToken":["a"]}',
    b"[" * 600,
    b'{"x":' * 600,
    b'{"x":' * 100 + b"1" + b"}" * 99,
    b"9" * 5_000,
    b"{}x",
]


@pytest.mark.facts("R20")
@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
def test_a_document_that_two_could_read_differently_is_refused(body: bytes) -> None:
    with pytest.raises(SerializationException):
        aws_json.decode_command(ListAccountsCommand, body)


def test_nothing_absent_and_unknown_are_no_members() -> None:
    for body in (b"", b"{}", b' {"MaxResults": null, "Other": {"a": [1]}} '):
        assert aws_json.decode_command(ListAccountsCommand, body) == ListAccountsCommand()


def test_a_list_of_the_wrong_things_is_refused() -> None:
    for tags in ('"a"', '[{"Key":1,"Value":""}]', '["a"]', '{"Key":"a"}'):
        with pytest.raises(SerializationException):
            aws_json.decode_command(TagResourceCommand, b'{"ResourceId":"r-abcd","Tags":%s}' % tags.encode())
    with pytest.raises(InvalidInputException):
        aws_json.decode_command(TagResourceCommand, b'{"ResourceId":"r-abcd","Tags":[{"Key":"a"}]}')


@pytest.mark.parametrize(
    ("command_type", "given_", "reason", "said"),
    [
        (DescribeAccountCommand, {}, "INPUT_REQUIRED:ACCOUNT_ID", MISSING),
        (
            DescribeAccountCommand,
            {"AccountId": "11112222333"},
            "INVALID_PATTERN:ACCOUNT_ID",
            "You provided a value that does not match the required pattern.",
        ),
        (DescribeAccountCommand, {"AccountId": "1" * 13}, "MAX_LENGTH_EXCEEDED:ACCOUNT_ID", TOO_LONG),
        (ListAccountsCommand, {"MaxResults": 0}, "MIN_VALUE_EXCEEDED:MAX_RESULTS", TOO_SMALL),
        (ListAccountsCommand, {"MaxResults": 21}, "MAX_VALUE_EXCEEDED:MAX_RESULTS", TOO_LARGE),
        (ListPoliciesCommand, {"Filter": "NO_POLICY"}, "INVALID_ENUM:FILTER", INVALID),
        (CreateOrganizationalUnitCommand, {"ParentId": "r-ab12", "Name": ""}, "MIN_LENGTH_EXCEEDED:NAME", INVALID),
        (
            TagResourceCommand,
            {"ResourceId": "r-ab12", "Tags": [{"Key": "a", "Value": ""}, {"Key": "é" * 129, "Value": ""}]},
            "MAX_LENGTH_EXCEEDED:TAGS_2_MEMBER_KEY",
            TOO_LONG,
        ),
        (TagResourceCommand, {"ResourceId": "r-ab12", "Tags": None}, "INPUT_REQUIRED:TAGS", MISSING),
        (UntagResourceCommand, {"ResourceId": "r-ab12"}, "INPUT_REQUIRED:TAG_KEYS", MISSING),
    ],
)  # fmt: skip
@pytest.mark.facts("ORG-GEN-002", "ORG-GEN-003")
def test_a_broken_limit_is_told_with_its_reason(
    command_type: type[Command[Any]], given_: dict[str, Any], reason: str, said: str
) -> None:
    with pytest.raises(InvalidInputException) as raised:
        aws_json.decode_command(command_type, json.dumps(given_).encode())
    assert raised.value.message == said
    assert raised.value.details["Reason"] == reason
    assert " detected: " in raised.value.details["Violations"]


@pytest.mark.parametrize(("command_type", "name"), [(TagResourceCommand, "Tags"), (UntagResourceCommand, "TagKeys")])
def test_an_empty_list_is_not_an_absent_one(command_type: type[Command[Any]], name: str) -> None:
    body = json.dumps({"ResourceId": "r-ab12", name: []}).encode()
    command = aws_json.decode_command(command_type, body)
    assert aws_json.encode_command(command) == body.replace(b" ", b"")


def test_an_address_that_takes_long_to_refuse_is_refused_soon() -> None:
    """A document of the largest size; with a pattern of quadratic time this test would not end."""
    for address in ("a@" + "." * 900_000 + " ", "a@" * 450_000, "." * 900_000):
        with pytest.raises(InvalidInputException):
            aws_json.decode_command(CreateAccountCommand, json.dumps({"Email": address, "AccountName": "n"}).encode())


def test_secrets_of_the_model_are_secret_here() -> None:
    command = aws_json.decode_command(CreateAccountCommand, b'{"Email":"root@example.com","AccountName":"shop"}')
    assert command.email == Secret("root@example.com")
    assert "example.com" not in repr(command)
    assert "shop" not in repr(command)
    assert json.loads(aws_json.encode_command(command)) == {"Email": "root@example.com", "AccountName": "shop"}


@functools.cache
def documents() -> st.SearchStrategy[bytes]:
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    names = st.sampled_from(sorted({member.wire_name for command in COMMANDS.values() for member in members(command)}))
    nested = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=12)
    return st.dictionaries(names, nested).map(lambda value: json.dumps(value).encode())


@pytest.mark.facts("R20")
@given(st.sampled_from(sorted(COMMANDS)), st.binary(max_size=200) | documents())
def test_any_bytes_give_a_command_or_a_declared_error(name: str, body: bytes) -> None:
    try:
        command = aws_json.decode_command(COMMANDS[name], body)
    except (SerializationException, InvalidInputException):
        return
    assert violations(command) == []


@given(st.sampled_from(sorted(COMMANDS)), st.binary(max_size=200) | documents())
def test_any_bytes_give_an_answer_or_none(name: str, body: bytes) -> None:
    try:
        answer = aws_json.decode_response(body, COMMANDS[name])
    except UnreadableAnswer:
        pass
    else:
        assert isinstance(answer, COMMANDS[name].output())
    assert isinstance(aws_json.decode_error(500, body), ServiceException)


def test_an_answer_that_is_too_large_is_not_read() -> None:
    with pytest.raises(UnreadableAnswer):
        aws_json.decode_response(b" " * (MAX_BYTES + 1), ListAccountsCommand)


def test_a_time_beyond_all_times_is_not_read() -> None:
    body = b'{"CreateAccountStatus":{"Id":"car-12345678","AccountName":"a","State":"FAILED","RequestedTimestamp":1e30}}'
    with pytest.raises(UnreadableAnswer):
        aws_json.decode_response(body, COMMANDS["CreateAccount"])
    read = aws_json.decode_response(body.replace(b"1e30", b"1.5"), COMMANDS["CreateAccount"])
    assert read.create_account_status.requested_timestamp == datetime.datetime.fromtimestamp(1.5, datetime.UTC)


@pytest.mark.facts("ORG-GEN-001")
def test_the_target_names_service_and_operation() -> None:
    assert aws_json.target_of(ListAccountsCommand) == "AWSOrganizationsV20161128.ListAccounts"
    assert aws_json.target_of(ListAccountsCommand()) == f"{ORGANIZATIONS.target}.ListAccounts"
