"""Answers: the exact bytes of results and errors, and what a client makes of good and of hostile ones."""

from __future__ import annotations

import datetime
import json
from typing import Annotated, Any, ClassVar, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.api.iam import COMMANDS as IAM_COMMANDS
from locum.api.iam import IAM
from locum.api.shapes import Authorization, Command, Operation, Shape, named
from locum.api.sts import (
    STS,
    AssumedRoleUser,
    AssumeRoleCommand,
    AssumeRoleResponse,
    AssumeRoleWithWebIdentityCommand,
    AssumeRoleWithWebIdentityResponse,
    Credentials,
    GetAccessKeyInfoCommand,
    GetAccessKeyInfoResponse,
    GetCallerIdentityCommand,
    GetCallerIdentityResponse,
)
from locum.errors import (
    ERRORS,
    AccessDenied,
    CredentialReportNotPresentException,
    InternalFailure,
    InvalidIdentityTokenException,
    ServiceException,
    STSServiceException,
    Throttling,
)
from locum.secret import Secret
from locum.wire import xml
from locum.wire.answer import (
    JSON,
    XML,
    UnreadableAnswer,
    decode_error,
    decode_response,
    encode_error,
    encode_response,
    request_id_of,
    wants_json,
)
from locum.wire.xml import MAX_BYTES, MAX_DEPTH, escape, parse_xml

REQUEST_ID: Final = "01234567-89ab-cdef-0123-456789abcdef"
MOMENT: Final = datetime.datetime(2026, 1, 2, 4, 4, 5, tzinfo=datetime.UTC)
USER: Final = AssumedRoleUser(
    assumed_role_id="AROA3XFRBF535PLBIFPI4:s1", arn="arn:aws:sts::123456789012:assumed-role/demo/s1"
)
CREDENTIALS: Final = Credentials(
    access_key_id="ASIAIOSFODNN7EXAMPLE",
    secret_access_key=Secret("secret/key"),
    session_token=Secret("token+=="),
    expiration=MOMENT,
)
IDENTITY: Final = GetCallerIdentityResponse(arn=USER.arn, user_id=USER.assumed_role_id, account="123456789012")


class Deep(Shape):
    """A structure without anything required."""

    flag: bool | None = None
    data: bytes | None = None
    names: tuple[str, ...] | None = None


class EveryKindResponse(Shape):
    """An answer with each kind of member."""

    deep: Deep
    required_list: tuple[str, ...]
    optional_list: tuple[Deep, ...] = ()
    optional_deep: Deep | None = None
    counts: dict[str, int] | None = None
    moments: tuple[datetime.datetime, ...] = ()
    odd: Annotated[str, named("oddName")] | None = None


class EveryKindCommand(Command[EveryKindResponse]):
    """An operation whose answer holds each kind of member."""

    operation: ClassVar[Operation] = Operation(STS, "EveryKind", Authorization())


EVERY_KIND: Final = EveryKindResponse(
    deep=Deep(flag=True, data=b"\x00\xff", names=("<", "")),
    required_list=(),
    optional_list=(Deep(), Deep(names=())),
    counts={"a&b": -1, "": 2},
    moments=(MOMENT,),
)


def assume_role_answer() -> bytes:
    return encode_response(
        AssumeRoleResponse(assumed_role_user=USER, credentials=CREDENTIALS), AssumeRoleCommand, REQUEST_ID
    )


@pytest.mark.facts("STS-W-022", "STS-W-028", "STS-W-029")
def test_a_success_is_laid_out_as_aws_does() -> None:
    assert assume_role_answer().decode() == (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n'
        "  <AssumeRoleResult>\n"
        "    <AssumedRoleUser>\n"
        "      <AssumedRoleId>AROA3XFRBF535PLBIFPI4:s1</AssumedRoleId>\n"
        "      <Arn>arn:aws:sts::123456789012:assumed-role/demo/s1</Arn>\n"
        "    </AssumedRoleUser>\n"
        "    <Credentials>\n"
        "      <AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId>\n"
        "      <SecretAccessKey>secret/key</SecretAccessKey>\n"
        "      <SessionToken>token+==</SessionToken>\n"
        "      <Expiration>2026-01-02T04:04:05Z</Expiration>\n"
        "    </Credentials>\n"
        "  </AssumeRoleResult>\n"
        "  <ResponseMetadata>\n"
        "    <RequestId>01234567-89ab-cdef-0123-456789abcdef</RequestId>\n"
        "  </ResponseMetadata>\n"
        "</AssumeRoleResponse>\n"
    )


@pytest.mark.facts("STS-W-028")
def test_the_recorded_orders_of_elements() -> None:
    def order(body: bytes) -> list[str]:
        result = parse_xml(body).children[0]
        return [child.name for child in result.children]

    assert order(encode_response(IDENTITY, GetCallerIdentityCommand, REQUEST_ID)) == ["Arn", "UserId", "Account"]
    web = AssumeRoleWithWebIdentityResponse(
        audience="a", assumed_role_user=USER, provider="p", credentials=CREDENTIALS, subject_from_web_identity_token="s"
    )
    assert order(encode_response(web, AssumeRoleWithWebIdentityCommand, REQUEST_ID)) == [
        "Audience",
        "AssumedRoleUser",
        "Provider",
        "Credentials",
        "SubjectFromWebIdentityToken",
    ]


@pytest.mark.facts("STS-W-023", "STS-W-024", "STS-W-026", "IAM-GEN-003")
def test_an_error_is_laid_out_as_aws_does() -> None:
    message = "No OpenIDConnect provider found in your account for https://example.com/issuer"
    status, content_type, body = encode_error(InvalidIdentityTokenException(message), STS, REQUEST_ID)
    assert (status, content_type) == (400, "text/xml")
    assert body.decode() == (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n'
        "  <Error>\n"
        "    <Type>Sender</Type>\n"
        "    <Code>InvalidIdentityToken</Code>\n"
        f"    <Message>{message}</Message>\n"
        "  </Error>\n"
        f"  <RequestId>{REQUEST_ID}</RequestId>\n"
        "</ErrorResponse>\n"
    )
    status, _, body = encode_error(InternalFailure("x"), IAM, REQUEST_ID)
    assert status == 500
    assert b"<Type>Receiver</Type>" in body
    assert b'xmlns="https://iam.amazonaws.com/doc/2010-05-08/"' in body


@pytest.mark.facts("IAM-ACC-006")
def test_an_error_without_text_has_no_element_for_it() -> None:
    _, _, body = encode_error(CredentialReportNotPresentException(), IAM, REQUEST_ID)
    assert b"Message" not in body
    assert decode_error(410, body).message == ""


@pytest.mark.facts("STS-W-024")
@pytest.mark.parametrize("error", ERRORS.values(), ids=lambda error: error.code)
def test_the_type_of_an_error_follows_from_its_status(error: type[ServiceException]) -> None:
    status, _, body = encode_error(error("m"), STS, REQUEST_ID)
    fault = b"Sender" if 400 <= status < 500 else b"Receiver"
    assert b"<Type>" + fault + b"</Type>" in body


@pytest.mark.facts("IAM-GEN-002")
def test_an_operation_without_output_has_no_result_element() -> None:
    command = IAM_COMMANDS["DeleteRole"]
    body = encode_response(command.output()(), command, REQUEST_ID)
    assert body.decode() == (
        '<DeleteRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">\n'
        "  <ResponseMetadata>\n"
        f"    <RequestId>{REQUEST_ID}</RequestId>\n"
        "  </ResponseMetadata>\n"
        "</DeleteRoleResponse>\n"
    )
    assert decode_response(body, command) == command.output()()
    text = encode_response(command.output()(), command, REQUEST_ID, json=True)
    assert json.loads(text) == {"DeleteRoleResponse": {"ResponseMetadata": {"RequestId": REQUEST_ID}}}
    assert decode_response(text, command, JSON) == command.output()()


@pytest.mark.facts("IAM-GEN-004")
def test_each_kind_of_member_has_its_place() -> None:
    body = encode_response(EVERY_KIND, EveryKindCommand, REQUEST_ID).decode()
    assert body.partition("Result>\n")[2].partition("  </EveryKindResult>")[0] == (
        "    <Deep>\n"
        "      <Flag>true</Flag>\n"
        "      <Data>AP8=</Data>\n"
        "      <Names>\n"
        "        <member>&lt;</member>\n"
        "        <member></member>\n"
        "      </Names>\n"
        "    </Deep>\n"
        "    <RequiredList/>\n"
        "    <OptionalList>\n"
        "      <member/>\n"
        "      <member>\n"
        "        <Names/>\n"
        "      </member>\n"
        "    </OptionalList>\n"
        "    <Counts>\n"
        "      <entry>\n"
        "        <key>a&amp;b</key>\n"
        "        <value>-1</value>\n"
        "      </entry>\n"
        "      <entry>\n"
        "        <key></key>\n"
        "        <value>2</value>\n"
        "      </entry>\n"
        "    </Counts>\n"
        "    <Moments>\n"
        "      <member>2026-01-02T04:04:05Z</member>\n"
        "    </Moments>\n"
    )


@pytest.mark.facts("STS-W-037")
@pytest.mark.parametrize("as_json", [False, True])
def test_each_kind_of_member_comes_back(as_json: bool) -> None:
    body = encode_response(EVERY_KIND, EveryKindCommand, REQUEST_ID, json=as_json)
    assert decode_response(body, EveryKindCommand, JSON if as_json else XML) == EVERY_KIND
    if as_json:
        assert json.loads(body)["EveryKindResponse"]["EveryKindResult"]["Deep"]["Names"] == ["<", ""]


@pytest.mark.facts("STS-W-027", "IAM-GEN-005")
@pytest.mark.parametrize("moment", [MOMENT.replace(microsecond=999_999), MOMENT])
def test_times_are_whole_seconds_of_utc(moment: datetime.datetime) -> None:
    east = moment.astimezone(datetime.timezone(datetime.timedelta(hours=5, minutes=30)))
    response = AssumeRoleResponse(
        assumed_role_user=USER,
        credentials=Credentials(
            access_key_id="x", secret_access_key=Secret(""), session_token=Secret(""), expiration=east
        ),
    )
    assert b"<Expiration>2026-01-02T04:04:05Z<" in encode_response(response, AssumeRoleCommand, REQUEST_ID)


@pytest.mark.facts("STS-W-032", "STS-W-038")
@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("text/xml", False),
        ("application/xml", False),
        ("text/xml, application/json", False),
        ("application/jsonp", False),
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/json, text/plain, */*", True),
    ],
)
def test_json_is_for_those_who_ask_for_it_first(accept: str | None, expected: bool) -> None:
    assert wants_json(accept) is expected


@pytest.mark.facts("STS-W-033")
def test_a_json_success_has_the_same_envelope() -> None:
    body = encode_response(IDENTITY, GetCallerIdentityCommand, REQUEST_ID, json=True)
    assert json.loads(body) == {
        "GetCallerIdentityResponse": {
            "GetCallerIdentityResult": {
                "Account": "123456789012",
                "Arn": "arn:aws:sts::123456789012:assumed-role/demo/s1",
                "UserId": "AROA3XFRBF535PLBIFPI4:s1",
            },
            "ResponseMetadata": {"RequestId": REQUEST_ID},
        }
    }


@pytest.mark.facts("STS-W-034", "STS-W-035")
@pytest.mark.parametrize(
    ("error", "status"),
    [(AccessDenied("Roles may not be assumed by root accounts."), 403), (Throttling("Rate exceeded"), 400)],
)
def test_a_json_error_has_code_message_and_type(error: ServiceException, status: int) -> None:
    found, content_type, body = encode_error(error, STS, REQUEST_ID, json=True)
    assert (found, content_type) == (status, "application/json")
    assert json.loads(body) == {
        "Error": {"Code": error.code, "Message": error.message, "Type": "Sender"},
        "RequestId": REQUEST_ID,
    }


@pytest.mark.facts("STS-W-036")
def test_json_times_are_numbers_of_seconds() -> None:
    response = AssumeRoleResponse(assumed_role_user=USER, credentials=CREDENTIALS)
    body = json.loads(encode_response(response, AssumeRoleCommand, REQUEST_ID, json=True))
    assert body["AssumeRoleResponse"]["AssumeRoleResult"]["Credentials"]["Expiration"] == 1767326645


@pytest.mark.facts("STS-W-029")
def test_clients_read_null_in_json_as_absent() -> None:
    user = {"AssumedRoleId": USER.assumed_role_id, "Arn": USER.arn}
    credentials = {"AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c", "Expiration": 1.767326645e9}
    result = {"AssumedRoleUser": user, "Credentials": credentials, "PackedPolicySize": None}
    document = {"AssumeRoleResponse": {"AssumeRoleResult": result}}
    decoded = decode_response(json.dumps(document).encode(), AssumeRoleCommand, "application/json")
    assert decoded.packed_policy_size is None
    assert decoded.credentials.expiration == MOMENT


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("error", ERRORS.values(), ids=lambda error: error.code)
def test_every_error_comes_back_as_its_class(error: type[ServiceException], as_json: bool) -> None:
    status, content_type, body = encode_error(error("a <b> & 'c'"), STS, REQUEST_ID, json=as_json)
    decoded = decode_error(status, body, content_type)
    assert type(decoded) is error
    assert (decoded.code, decoded.status, decoded.message) == (error.code, error.status, "a <b> & 'c'")
    assert decoded.request_id == REQUEST_ID


def test_an_unknown_code_keeps_code_and_status() -> None:
    body = b"<ErrorResponse><Error><Code>BrandNew</Code><Message>m</Message></Error></ErrorResponse>"
    decoded = decode_error(418, body, unknown=STSServiceException)
    assert type(decoded) is STSServiceException
    assert (decoded.code, decoded.status, decoded.message, decoded.retryable) == ("BrandNew", 418, "m", False)


@pytest.mark.parametrize(("status", "retryable"), [(403, False), (503, True)])
@pytest.mark.parametrize("body", [b"", b"<html><body>No</body>", b"[]", b"\xff", b"<Error/>"])
@pytest.mark.parametrize("content_type", [XML, JSON, "text/html"])
def test_an_error_without_document_is_named_by_its_status(
    status: int, retryable: bool, body: bytes, content_type: str
) -> None:
    decoded = decode_error(status, body, content_type, (("x-amzn-requestid", "id"),))
    assert (decoded.code, decoded.status, decoded.retryable) == (str(status), status, retryable)
    assert decoded.request_id == "id"


@pytest.mark.facts("STS-W-030")
@pytest.mark.parametrize(
    ("body", "found"),
    [
        (
            b"<R><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata><RequestId>2</RequestId>"
            b"<requestId>3</requestId></R>",
            "1",
        ),
        (b"<R><requestId>3</requestId><RequestId>2</RequestId></R>", "2"),
        (b"<R><requestId>3</requestId></R>", "3"),
        (b"<R/>", "4"),
        (b"not XML", "4"),
    ],
)
def test_the_request_id_is_looked_for_in_four_places(body: bytes, found: str) -> None:
    assert request_id_of(body, XML, (("date", "x"), ("x-amzn-requestid", "4"))) == found


def test_the_request_id_of_json_is_inside_the_envelope() -> None:
    body = encode_response(IDENTITY, GetCallerIdentityCommand, REQUEST_ID, json=True)
    assert request_id_of(body, JSON) == REQUEST_ID
    assert request_id_of(b"{}", JSON) is None


SAMPLE: Final = assume_role_answer().decode()


@pytest.mark.parametrize(
    "body",
    [
        SAMPLE.replace("AssumeRoleResponse", "GetSessionTokenResponse"),
        SAMPLE.replace("AssumeRoleResult", "Result"),
        SAMPLE.replace("2026-01-02T04:04:05Z", "soon"),
        SAMPLE.replace("2026-01-02T04:04:05Z", "2026-01-02T04:04:05"),
        SAMPLE.replace("<SessionToken>token+==</SessionToken>", ""),
        SAMPLE.replace("<Arn>", "<Arn>a</Arn><Arn>"),
        SAMPLE.replace("</AssumeRoleResult>", "<PackedPolicySize>1.0</PackedPolicySize></AssumeRoleResult>"),
        SAMPLE.replace("</AssumeRoleResult>", "<SourceIdentity>a</SourceIdentity><SourceIdentity>b</SourceIdentity>"),
        SAMPLE + "<x/>",
        SAMPLE[:-30],
        "<!DOCTYPE x []>" + SAMPLE,
        '<!DOCTYPE x [<!ENTITY a "b">]>' + SAMPLE.replace("token", "&a;"),
        "",
        "{}",
        "<" * 100,
        "<a>" * (MAX_DEPTH + 1) + "</a>" * (MAX_DEPTH + 1),
    ],
)
def test_what_is_not_the_answer_is_unreadable(body: str) -> None:
    with pytest.raises(UnreadableAnswer):
        decode_response(body.encode(), AssumeRoleCommand)


def test_an_answer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for content_type in (XML, JSON):
        with pytest.raises(UnreadableAnswer, match="too large"):
            decode_response(b" " * (MAX_BYTES + 1), GetCallerIdentityCommand, content_type)
    monkeypatch.setattr(xml, "MAX_ELEMENTS", 100)
    assert len(parse_xml(b"<a>" + b"<b/>" * 99 + b"</a>").children) == 99
    with pytest.raises(UnreadableAnswer, match="elements"):
        parse_xml(b"<a>" + b"<b/>" * 100 + b"</a>")


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"AssumeRoleResponse": []},
        {"AssumeRoleResponse": {"AssumeRoleResult": []}},
        {"AssumeRoleResponse": {"AssumeRoleResult": {"AssumedRoleUser": "x", "Credentials": {}}}},
        {"AssumeRoleResponse": {"AssumeRoleResult": {"AssumedRoleUser": {"AssumedRoleId": 1, "Arn": "x"}}}},
        {"AssumeRoleResponse": {"AssumeRoleResult": {"PackedPolicySize": True}}},
        {"AssumeRoleResponse": {"AssumeRoleResult": {"PackedPolicySize": "1"}}},
        {"AssumeRoleResponse": {"AssumeRoleResult": {"Credentials": {"Expiration": 1e300}}}},
    ],
)
def test_json_of_another_shape_is_unreadable(document: Any) -> None:
    with pytest.raises(UnreadableAnswer):
        decode_response(json.dumps(document).encode(), AssumeRoleCommand, JSON)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b'{"a": 1', b'{"\\ud800": 1}'])
def test_json_that_is_none_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        decode_response(body, AssumeRoleCommand, JSON)


@pytest.mark.parametrize(
    "entries",
    ["<entry/>", "<entry><key>a</key></entry>", "<entry><key>a</key><value>1</value></entry>" * 2],
)
def test_a_map_needs_whole_entries(entries: str) -> None:
    body = encode_response(EVERY_KIND, EveryKindCommand, REQUEST_ID).decode()
    start, end = body.index("<Counts>"), body.index("</Counts>")
    with pytest.raises(UnreadableAnswer):
        decode_response((body[: start + 8] + entries + body[end:]).encode(), EveryKindCommand)


@pytest.mark.facts("R37")
def test_what_xml_cannot_hold_is_replaced() -> None:
    assert escape("a\x00b\x1fc\ud800d\uffffe") == "a\ufffdb\ufffdc\ufffdd\ufffde"
    assert escape("\t\n\r<&>\"'\x7f\u0085😀") == "\t\n&#xD;&lt;&amp;&gt;\"'\x7f\u0085😀"
    for value in ("\ud800", "\x00", "]]>", "</Account><Account>1", "<!--", "&lt;"):
        body = encode_response(GetAccessKeyInfoResponse(account=value), GetAccessKeyInfoCommand, REQUEST_ID)
        expected = value.translate({0xD800: 0xFFFD, 0: 0xFFFD})
        assert decode_response(body, GetAccessKeyInfoCommand).account == expected


def test_a_secret_in_an_answer_travels_as_it_is() -> None:
    decoded = decode_response(assume_role_answer(), AssumeRoleCommand)
    assert decoded.credentials.secret_access_key.reveal() == "secret/key"
    assert "secret/key" not in repr(decoded)


@given(st.binary(max_size=300), st.sampled_from([XML, JSON, "", "text/html; charset=x"]))
def test_any_bytes_give_an_answer_or_are_unreadable(body: bytes, content_type: str) -> None:
    commands: list[type[Command[Any]]] = [GetCallerIdentityCommand, EveryKindCommand]
    for command_type in commands:
        try:
            decode_response(body, command_type, content_type)
        except UnreadableAnswer:
            continue
    assert isinstance(decode_error(500, body, content_type), ServiceException)


@given(st.data())
def test_a_damaged_answer_is_read_or_unreadable(data: st.DataObject) -> None:
    body = bytearray(assume_role_answer())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_response(bytes(body), AssumeRoleCommand)
    except UnreadableAnswer:
        return
