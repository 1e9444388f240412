"""What a client sends and reads: requests against botocore's serializer and signer, answers and errors of all kinds."""

from __future__ import annotations

import calendar
import contextlib
import datetime
import re
from typing import Any, Final

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given, settings
from tests.wire.test_query_roundtrip import few, plain, shapes, without_empty

from locum.api.extensions import ListRevocationsCommand, ListRevocationsResponse
from locum.api.iam import COMMANDS as IAM_COMMANDS
from locum.api.shapes import Command, Shape
from locum.api.sts import (
    COMMANDS,
    AssumeRoleCommand,
    AssumeRoleWithWebIdentityCommand,
    GetCallerIdentityCommand,
    GetSessionTokenCommand,
    GetSessionTokenResponse,
    PolicyDescriptorType,
    Tag,
)
from locum.client.effects import Flow
from locum.client.failures import ConfigurationFailure, CredentialsFailure, UnreadableResponse
from locum.client.middleware import Call, Middleware, Proceed
from locum.errors import ERRORS, ServiceException, STSServiceException, ValidationError
from locum.http import Request, Response
from locum.secret import Secret
from locum.wire.answer import encode_response
from locum.wire.sigv4 import Credentials

from .far_end import GOOD, KEYS, ME, FarEnd, answer, calls, refusal

SESSION_KEYS: Final = Credentials("ASIAIOSFODNN7TESTKEY", KEYS.secret_access_key, Secret("FwoGZXIvYXdzE/token+=="))
ROLE: Final = "arn:aws:iam::111122223333:role/demo"
OPERATIONS: Final = [pytest.param(command, id=name) for name, command in COMMANDS.items()]


class Botocore:
    """The locked botocore as an oracle: a client whose requests are taken before they are sent."""

    def __init__(self, keys: Credentials) -> None:
        session = botocore.session.Session()
        token = keys.session_token
        self._client = session.create_client(
            "sts",
            region_name="eu-west-1",
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key.reveal(),
            aws_session_token=None if token is None else token.reveal(),
            config=Config(parameter_validation=False),
        )
        self._client.meta.events.register("before-send.sts.*", self._take)
        self.sent: list[Any] = []

    def _take(self, request: Any, **_: object) -> AWSResponse:
        self.sent.append(request)
        response = AWSResponse(request.url, 400, {}, None)
        response._content = b"<ErrorResponse><Error><Code>Enough</Code></Error></ErrorResponse>"
        return response

    def request(self, operation: str, parameters: dict[str, Any]) -> tuple[str, Any, dict[str, str], bytes]:
        """Method, URL, headers and body of a call."""
        with contextlib.suppress(ClientError):
            self._client._make_api_call(operation, parameters)
        request = self.sent.pop()
        headers = {
            name.lower(): value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
        }
        body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
        return request.method, request.url, headers, body


class SameCall(Middleware):
    """Gives a call the id that another client drew for it."""

    def __init__(self, invocation: str) -> None:
        self._invocation = invocation

    def deserialize(self, call: Call, proceed: Proceed[Response]) -> Flow[Response]:
        return proceed(call.with_header("amz-sdk-invocation-id", self._invocation))


@pytest.mark.facts("STS-W-001", "STS-W-002", "STS-CL-001")
@pytest.mark.parametrize("keys", [KEYS, SESSION_KEYS], ids=["long-term", "session"])
@pytest.mark.parametrize("command_type", OPERATIONS)
def test_a_request_is_the_one_that_botocore_sends(command_type: type[Command[Any]], keys: Credentials) -> None:
    oracle = Botocore(keys)

    @few
    @given(shapes(command_type))
    def check(command: Command[Any]) -> None:
        parameters = plain(command)
        if parameters != without_empty(parameters):
            return
        method, url, headers, body = oracle.request(command_type.operation.name, parameters)
        date = headers.get("x-amz-date", "20260102T030405Z")
        now = calendar.timegm(datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").timetuple())
        far_end = FarEnd(answer_to(command_type), now=now)
        same = SameCall(headers["amz-sdk-invocation-id"])
        client = calls(credentials=keys, middleware=[same])
        with pytest.raises(UnreadableResponse):
            far_end.play(client.call(command))
        (sent,) = far_end.sent
        assert (sent.request.method, sent.origin + sent.request.path, sent.request.query) == (method, url, "")
        assert sent.request.body == body
        # Host and length are written by the transports of both.
        ours = dict(sent.request.headers) | {"content-length": str(len(body))}
        assert ours.pop("host") == "sts.eu-west-1.amazonaws.com"
        for agent in (ours.pop("user-agent"), headers.pop("user-agent")):
            assert agent
        assert ours == headers
        assert ("authorization" in ours) == command_type.operation.signed

    check()


def answer_to(command_type: type[Command[Any]]) -> Response:
    """Something that is no answer, where only the request matters."""
    return Response(200, (("content-type", "text/xml"),), f"<Not{command_type.operation.name}/>".encode())


@pytest.mark.parametrize("json", [False, True], ids=["xml", "json"])
@pytest.mark.parametrize("command_type", OPERATIONS)
def test_an_answer_is_read_as_it_was_meant(command_type: type[Command[Any]], json: bool) -> None:
    command = _any_command(command_type)

    @settings(few, max_examples=5)
    @given(shapes(command_type.output()))
    def check(response: Shape) -> None:
        content_type = "application/json" if json else "text/xml"
        body = encode_response(response, command_type, "id", json=json)
        far_end = FarEnd(Response(200, (("content-type", content_type),), body))
        assert far_end.play(calls().call(command)) == response

    check()


def _any_command(command_type: type[Command[Any]]) -> Command[Any]:
    found: list[Command[Any]] = []

    @settings(few, max_examples=1)
    @given(shapes(command_type))
    def draw(command: Command[Any]) -> None:
        found.append(command)

    draw()
    return found[0]


@pytest.mark.facts("STS-CL-009")
def test_a_time_without_fraction_is_aware_and_in_utc() -> None:
    expires = datetime.datetime(2026, 1, 2, 4, 4, 5, tzinfo=datetime.UTC)
    body = (
        b"<GetSessionTokenResponse><GetSessionTokenResult><Credentials><AccessKeyId>ASIAIOSFODNN7TESTKEY</AccessKeyId>"
        b"<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        b"<Expiration>2026-01-02T04:04:05Z</Expiration></Credentials></GetSessionTokenResult></GetSessionTokenResponse>"
    )
    response = FarEnd(Response(200, (), body)).play(calls().call(GetSessionTokenCommand()))
    assert isinstance(response, GetSessionTokenResponse)
    assert response.credentials.expiration == expires
    assert response.credentials.expiration.tzinfo is datetime.UTC


CATALOGUE: Final[list[tuple[str, str, str, int, bool]]] = [
    # fact, wire code, class, status, retryable
    ("STS-E-T01", "ExpiredTokenException", "ExpiredTokenException", 400, False),
    ("STS-E-T02", "ExpiredTradeInTokenException", "ExpiredTradeInTokenException", 400, False),
    ("STS-E-T03", "IDPCommunicationError", "IDPCommunicationErrorException", 400, True),
    ("STS-E-T04", "IDPRejectedClaim", "IDPRejectedClaimException", 403, False),
    ("STS-E-T05", "InvalidAuthorizationMessageException", "InvalidAuthorizationMessageException", 400, False),
    ("STS-E-T06", "InvalidIdentityToken", "InvalidIdentityTokenException", 400, False),
    ("STS-E-T07", "JWTPayloadSizeExceededException", "JWTPayloadSizeExceededException", 400, False),
    ("STS-E-T08", "MalformedPolicyDocument", "MalformedPolicyDocumentException", 400, False),
    (
        "STS-E-T09",
        "OutboundWebIdentityFederationDisabledException",
        "OutboundWebIdentityFederationDisabledException",
        403,
        False,
    ),
    ("STS-E-T10", "PackedPolicyTooLarge", "PackedPolicyTooLargeException", 400, False),
    ("STS-E-T11", "RegionDisabledException", "RegionDisabledException", 403, False),
    ("STS-E-T12", "SessionDurationEscalationException", "SessionDurationEscalationException", 403, False),
    ("STS-E-T13", "AccessDenied", "AccessDenied", 403, False),
    ("STS-E-T14", "ValidationError", "ValidationError", 400, False),
    ("STS-E-T15", "InvalidParameterValue", "InvalidParameterValue", 400, False),
    ("STS-E-T16", "InvalidParameterCombination", "InvalidParameterCombination", 400, False),
    ("STS-E-T17", "MissingParameter", "MissingParameter", 400, False),
    ("STS-E-T18", "MalformedInput", "MalformedInput", 400, False),
    ("STS-E-T19", "MalformedQueryString", "MalformedQueryString", 400, False),
    ("STS-E-T20", "InvalidAction", "InvalidAction", 400, False),
    ("STS-E-T21", "MissingAction", "MissingAction", 400, False),
    ("STS-E-T22", "MissingAuthenticationToken", "MissingAuthenticationToken", 403, False),
    ("STS-E-T23", "IncompleteSignature", "IncompleteSignature", 400, False),
    ("STS-E-T24", "SignatureDoesNotMatch", "SignatureDoesNotMatch", 403, False),
    ("STS-E-T25", "InvalidClientTokenId", "InvalidClientTokenId", 403, False),
    ("STS-E-T26", "ExpiredToken", "ExpiredToken", 403, False),
    ("STS-E-T27", "OptInRequired", "OptInRequired", 403, False),
    ("STS-E-T28", "RequestExpired", "RequestExpired", 400, False),
    ("STS-E-T29", "Throttling", "Throttling", 400, True),
    ("STS-E-T30", "ServiceUnavailable", "ServiceUnavailable", 503, True),
    ("STS-E-T31", "InternalFailure", "InternalFailure", 500, True),
]


@pytest.mark.facts("STS-CL-005", "STS-CL-007", "STS-W-026")
@pytest.mark.parametrize(
    ("code", "name", "status", "retryable"),
    [pytest.param(*row[1:], marks=pytest.mark.facts(row[0]), id=row[1]) for row in CATALOGUE],
)
def test_an_error_of_the_service_is_a_class_that_says_everything(
    code: str, name: str, status: int, retryable: bool
) -> None:
    body = (
        f'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>x</Type><Code>{code}</Code>'
        "<Message>What happened</Message></Error><RequestId>01234567-89ab</RequestId></ErrorResponse>"
    )
    far_end = FarEnd(Response(status, (("content-type", "text/xml"),), body.encode()))
    with pytest.raises(ServiceException) as raised:
        far_end.play(calls(max_attempts=1).call(GetCallerIdentityCommand()))
    error = raised.value
    assert type(error).__name__ == name
    assert (error.code, error.status, error.retryable) == (code, status, retryable)
    assert error.fault == ("server" if status >= 500 else "client")
    assert (error.message, error.request_id) == ("What happened", "01234567-89ab")
    modelled = {each for command in COMMANDS.values() for each in command.operation.errors}
    assert isinstance(error, STSServiceException) == (type(error) in modelled)


@pytest.mark.facts("STS-CL-005", "STS-CL-007")
def test_an_unknown_error_keeps_its_code() -> None:
    body = b"<ErrorResponse><Error><Code>NewlyInvented</Code><Message>Hm</Message></Error></ErrorResponse>"
    response = Response(418, (("content-type", "text/xml"), ("x-amzn-requestid", "from-the-header")), body)
    with pytest.raises(STSServiceException) as raised:
        FarEnd(response).play(calls().call(GetCallerIdentityCommand()))
    assert type(raised.value) is STSServiceException
    assert (raised.value.code, raised.value.status, raised.value.fault) == ("NewlyInvented", 418, "client")
    assert raised.value.request_id == "from-the-header"
    assert "NewlyInvented" not in ERRORS


def test_input_is_validated_before_sending_with_every_violation_at_once() -> None:
    far_end = FarEnd(GOOD)
    command = AssumeRoleCommand(
        role_arn="short",
        role_session_name="not a name!",
        duration_seconds=5,
        tags=(Tag(key="", value="x" * 300),),
        token_code=Secret("12345x"),
    )
    with pytest.raises(ValidationError) as raised:
        far_end.play(calls().call(command))
    found = re.findall(r"at '([^']+)'", raised.value.message)
    tag = "tags.1.member"
    assert found == [
        "tokenCode",
        "durationSeconds",
        "roleArn",
        "roleSessionName",
        f"{tag}.value",
        f"{tag}.key",
        f"{tag}.key",
    ]
    assert raised.value.message.startswith("7 validation errors detected: ")
    assert "12345x" not in raised.value.message
    assert far_end.sent == []


def test_violations_are_all_told_however_many_though_a_server_stops_at_ten() -> None:
    command = AssumeRoleCommand(
        role_arn="short", role_session_name="name", tags=tuple(Tag(key="k", value="x" * 300) for _ in range(40))
    )
    with pytest.raises(ValidationError, match="41 validation errors detected: "):
        FarEnd(GOOD).play(calls().call(command))


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"role_arn": 5}, "roleArn"),
        ({"role_session_name": b"bytes"}, "roleSessionName"),
        ({"duration_seconds": "900"}, "durationSeconds"),
        ({"duration_seconds": True}, "durationSeconds"),
        ({"duration_seconds": 900.0}, "durationSeconds"),
        ({"tags": "key"}, "tags"),
        ({"tags": [{"Key": "a", "Value": "b"}]}, "tags.1.member"),
        ({"tags": (Tag(key="k", value=3),) * 60}, "tags"),  # type: ignore[arg-type]
        ({"transitive_tag_keys": (1, 2)}, "transitiveTagKeys"),
        ({"transitive_tag_keys": ("a",) * 60 + (1,)}, "transitiveTagKeys"),
        ({"policy_arns": (PolicyDescriptorType(arn=("a",)),)}, "policyArns.1.member.arn"),  # type: ignore[arg-type]
        ({"token_code": 123456}, "tokenCode"),
    ],
)
def test_a_value_of_the_wrong_type_is_a_violation(members: dict[str, Any], path: str) -> None:
    far_end = FarEnd(GOOD)
    command = AssumeRoleCommand(**{"role_arn": ROLE, "role_session_name": "me"} | members)
    with pytest.raises(ValidationError, match=f"at '{re.escape(path)}' failed to satisfy constraint: Member must"):
        far_end.play(calls().call(command))
    assert far_end.sent == []


def test_text_that_no_form_can_hold_is_refused() -> None:
    far_end = FarEnd(GOOD)
    command = AssumeRoleWithWebIdentityCommand(
        role_arn=ROLE, role_session_name="me", web_identity_token=Secret("\ud800" * 5)
    )
    with pytest.raises(ValidationError, match="Unicode"):
        far_end.play(calls().call(command))
    assert far_end.sent == []


def test_a_list_may_be_given_where_a_tuple_is_declared() -> None:
    far_end = FarEnd(Response(200, (), b"<x/>"))
    command = AssumeRoleCommand(role_arn=ROLE, role_session_name="me", tags=[Tag(key="k", value="v")])  # type: ignore[arg-type]
    with pytest.raises(UnreadableResponse):
        far_end.play(calls().call(command))
    assert b"Tags.member.1.Key=k&Tags.member.1.Value=v" in far_end.sent[0].request.body


@pytest.mark.parametrize("command", ["GetCallerIdentity", GetCallerIdentityCommand, None])
def test_only_commands_are_sent(command: Any) -> None:
    with pytest.raises(TypeError, match="is no command, such as"):
        FarEnd(GOOD).play(calls().call(command))


def test_none_is_no_middleware() -> None:
    assert FarEnd(GOOD).play(calls().call(GetCallerIdentityCommand(), {"middleware": None})) == ME  # type: ignore[arg-type]


def test_only_operations_of_sts_are_sent() -> None:
    with pytest.raises(TypeError, match="GetUser is not an operation of STS"):
        FarEnd(GOOD).play(calls().call(IAM_COMMANDS["GetUser"]()))


def test_the_operations_of_our_own_are_sent_too() -> None:
    response = ListRevocationsResponse()
    far_end = FarEnd(answer(response, ListRevocationsCommand))
    assert far_end.play(calls().call(ListRevocationsCommand())) == response


class Keys:
    """Credentials that nobody checked."""

    def __init__(self, key_id: str, token: str | None) -> None:
        self.access_key_id = key_id
        self.secret_access_key = Secret("x")
        self.session_token = None if token is None else Secret(token)


@pytest.mark.facts("R38")
@pytest.mark.parametrize(
    "keys",
    [Keys("AKIA\r\nx: y", None), Keys("ASIA", "token\nx-evil: 1"), Keys("ASIA", "t\u20ac"), Keys("\ud800", None)],
)
def test_credentials_that_could_not_stand_in_a_header_are_refused_unquoted(keys: Keys) -> None:
    far_end = FarEnd(GOOD)
    with pytest.raises(ConfigurationFailure) as raised:
        far_end.play(calls(credentials=keys).call(GetCallerIdentityCommand()))
    assert far_end.sent == []
    assert "evil" not in str(raised.value)


def test_something_else_than_credentials_is_refused() -> None:
    with pytest.raises(CredentialsFailure, match="neither keys nor a provider"):
        FarEnd(GOOD).play(calls(credentials=("a", "b")).call(GetCallerIdentityCommand()))


def test_credentials_of_an_answer_sign_the_next_call() -> None:
    response = FarEnd(
        Response(
            200,
            (),
            b"<GetSessionTokenResponse><GetSessionTokenResult><Credentials><AccessKeyId>ASIAIOSFODNN7NEWKEY1</AccessKeyId>"
            b"<SecretAccessKey>s</SecretAccessKey><SessionToken>the-token</SessionToken><Expiration>2026-01-02T04:04:05Z"
            b"</Expiration></Credentials></GetSessionTokenResult></GetSessionTokenResponse>",
        )
    ).play(calls().call(GetSessionTokenCommand()))
    far_end = FarEnd(GOOD)
    assert far_end.play(calls(credentials=response.credentials).call(GetCallerIdentityCommand())) == ME
    request: Request = far_end.sent[0].request
    assert request.header("x-amz-security-token") == "the-token"
    assert "Credential=ASIAIOSFODNN7NEWKEY1/20260102/eu-west-1/sts/aws4_request" in (
        request.header("authorization") or ""
    )


def test_options_of_a_call_stand_in_for_the_clients() -> None:
    far_end = FarEnd(GOOD)
    client = calls()
    far_end.play(client.call(GetCallerIdentityCommand(), {"region": "ap-south-1", "credentials": SESSION_KEYS}))
    (sent,) = far_end.sent
    assert sent.origin == "https://sts.ap-south-1.amazonaws.com"
    assert "Credential=ASIAIOSFODNN7TESTKEY/20260102/ap-south-1/" in (sent.request.header("authorization") or "")
    with pytest.raises(TypeError, match="unknown option 'regoin'"):
        client.call(GetCallerIdentityCommand(), {"regoin": "x"})  # type: ignore[arg-type]


def test_an_endpoint_may_have_a_port_and_a_path() -> None:
    far_end = FarEnd(GOOD)
    far_end.play(calls(endpoint_url="https://sts.example.com:8443/aws/sts").call(GetCallerIdentityCommand()))
    far_end.play(calls(endpoint_url="https://sts.example.com:443").call(GetCallerIdentityCommand()))
    first, second = far_end.sent
    assert (first.origin, first.request.path) == ("https://sts.example.com:8443", "/aws/sts/")
    assert first.request.header("host") == "sts.example.com:8443"
    assert (second.request.path, second.request.header("host")) == ("/", "sts.example.com")


@pytest.mark.facts("STS-CL-007")
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>a proxy's page</html>"),
        (200, encode_response(ME, GetCallerIdentityCommand, "id")[:-40]),
        (200, encode_response(ME, GetCallerIdentityCommand, "the-id").replace(b"Account>", b"Konto>")),
        (200, b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'),
        (204, b"\xff\xfe\x00"),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(status: int, body: bytes) -> None:
    far_end = FarEnd(Response(status, (("x-amzn-requestid", "the-id"),), body))
    with pytest.raises(UnreadableResponse, match="GetCallerIdentity") as raised:
        far_end.play(calls().call(GetCallerIdentityCommand()))
    assert (raised.value.status, raised.value.request_id) == (status, "the-id")
    assert len(far_end.sent) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308, 404])
def test_a_status_without_an_error_document_is_an_error_by_its_number(status: int) -> None:
    far_end = FarEnd(Response(status, (("location", "https://elsewhere.example.com/"),), b"<html/>"))
    with pytest.raises(STSServiceException) as raised:
        far_end.play(calls().call(GetCallerIdentityCommand()))
    assert (raised.value.code, raised.value.status) == (str(status), status)
    assert len(far_end.sent) == 1


def test_a_refusal_of_another_service_is_still_its_class() -> None:
    with pytest.raises(ERRORS["NoSuchEntity"]):
        FarEnd(refusal(ERRORS["NoSuchEntity"]("x"))).play(calls().call(GetCallerIdentityCommand()))
