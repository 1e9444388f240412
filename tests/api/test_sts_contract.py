"""The STS contract, row by row of the reference: limits of every input, members of every answer, errors.

``INPUTS`` holds the values of STS-V-T01…T50 as the reference prints them, and each row is tried at its edges through
the decoder of requests.
"""

from __future__ import annotations

import datetime
from typing import Any, Final

import pytest

from locum.api.registry import find_command, unknown_operation
from locum.api.shapes import Kind, members, violations
from locum.api.sts import COMMANDS, STS, Credentials, GetCallerIdentityCommand, PolicyDescriptorType, Tag
from locum.errors import ERRORS, InvalidAction, MissingAction, ServiceException, ValidationError
from locum.secret import Secret
from locum.wire.query import decode_command

ARN: Final = r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+"
NAME: Final = r"[\w+=,.@-]*"
POLICY: Final = r"[\u0009\u000A\u000D\u0020-\u00FF]+"
SERIAL: Final = r"[\w+=/:,.@-]*"
KEY: Final = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+"
VALUE: Final = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*"

ROLE: Final = {"RoleArn": "arn:aws:iam::123456789012:role/demo"}
VALID: Final[dict[str, dict[str, str]]] = {
    "AssumeRole": {**ROLE, "RoleSessionName": "s1"},
    "AssumeRoleWithSAML": {
        **ROLE,
        "PrincipalArn": "arn:aws:iam::123456789012:saml-provider/x",
        "SAMLAssertion": "PHg+",
    },
    "AssumeRoleWithWebIdentity": {**ROLE, "RoleSessionName": "s1", "WebIdentityToken": "a.b.c"},
    "AssumeRoot": {"TargetPrincipal": "123456789012", "TaskPolicyArn.arn": "arn:aws:iam::aws:policy/root-task/X"},
    "DecodeAuthorizationMessage": {"EncodedMessage": "x"},
    "GetAccessKeyInfo": {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"},
    "GetCallerIdentity": {},
    "GetDelegatedAccessToken": {"TradeInToken": "x"},
    "GetFederationToken": {"Name": "bob"},
    "GetSessionToken": {},
    "GetWebIdentityToken": {"Audience.member.1": "https://a", "SigningAlgorithm": "RS256"},
}

TAGS: Final = {"Tags.member.1.Key": (1, 128, KEY, "\t"), "Tags.member.1.Value": (0, 256, VALUE, "\t")}
MEMBER_ARN: Final = {"PolicyArns.member.1.arn": (20, 2048, ARN, "\x00")}
Row = tuple[str, str, str, bool, Any]

INPUTS: Final[list[Row]] = [
    ("STS-V-T01", "AssumeRole", "RoleArn", True, (20, 2048, ARN, "\x00")),
    ("STS-V-T02", "AssumeRole", "RoleSessionName", True, (2, 64, NAME, ":")),
    ("STS-V-T03", "AssumeRole", "PolicyArns", False, MEMBER_ARN),
    ("STS-V-T04", "AssumeRole", "Policy", False, (1, None, POLICY, "\u0100")),
    ("STS-V-T05", "AssumeRole", "DurationSeconds", False, range(900, 43200)),
    ("STS-V-T06", "AssumeRole", "Tags", False, TAGS),
    ("STS-V-T07", "AssumeRole", "TransitiveTagKeys", False, {"TransitiveTagKeys.member.1": (1, 128, KEY, "\t")}),
    ("STS-V-T08", "AssumeRole", "ExternalId", False, (2, 1224, r"[\w+=,.@:\/-]*", "#")),
    ("STS-V-T09", "AssumeRole", "SerialNumber", False, (9, 256, SERIAL, "#")),
    ("STS-V-T10", "AssumeRole", "TokenCode", False, (6, 6, r"[\d]*", "x")),
    ("STS-V-T11", "AssumeRole", "SourceIdentity", False, (2, 64, NAME, ":")),
    (
        "STS-V-T12",
        "AssumeRole",
        "ProvidedContexts",
        False,
        {
            "ProvidedContexts.member.1.ProviderArn": (20, 2048, ARN, "\x00"),
            "ProvidedContexts.member.1.ContextAssertion": (4, 2048, None, None),
        },
    ),
    ("STS-V-T13", "AssumeRole", "MinimumSessionTokenSize", False, range(4096)),
    ("STS-V-T14", "AssumeRoleWithSAML", "RoleArn", True, (20, 2048, ARN, "\x00")),
    ("STS-V-T15", "AssumeRoleWithSAML", "PrincipalArn", True, (20, 2048, ARN, "\x00")),
    ("STS-V-T16", "AssumeRoleWithSAML", "SAMLAssertion", True, (4, 100000, None, None)),
    ("STS-V-T17", "AssumeRoleWithSAML", "PolicyArns", False, MEMBER_ARN),
    ("STS-V-T18", "AssumeRoleWithSAML", "Policy", False, (1, 2048, POLICY, "\u0100")),
    ("STS-V-T19", "AssumeRoleWithSAML", "DurationSeconds", False, range(900, 43200)),
    ("STS-V-T20", "AssumeRoleWithSAML", "MinimumSessionTokenSize", False, range(4096)),
    ("STS-V-T21", "AssumeRoleWithWebIdentity", "RoleArn", True, (20, 2048, ARN, "\x00")),
    ("STS-V-T22", "AssumeRoleWithWebIdentity", "RoleSessionName", True, (2, 64, NAME, ":")),
    ("STS-V-T23", "AssumeRoleWithWebIdentity", "WebIdentityToken", True, (4, 20000, None, None)),
    ("STS-V-T24", "AssumeRoleWithWebIdentity", "ProviderId", False, (4, 2048, None, None)),
    ("STS-V-T25", "AssumeRoleWithWebIdentity", "PolicyArns", False, MEMBER_ARN),
    ("STS-V-T26", "AssumeRoleWithWebIdentity", "Policy", False, (1, 2048, POLICY, "\u0100")),
    ("STS-V-T27", "AssumeRoleWithWebIdentity", "DurationSeconds", False, range(900, 43200)),
    ("STS-V-T28", "AssumeRoleWithWebIdentity", "MinimumSessionTokenSize", False, range(4096)),
    ("STS-V-T29", "AssumeRoot", "TargetPrincipal", True, (12, 2048, None, None)),
    ("STS-V-T30", "AssumeRoot", "TaskPolicyArn", True, {"TaskPolicyArn.arn": (20, 2048, ARN, "\x00")}),
    ("STS-V-T31", "AssumeRoot", "DurationSeconds", False, range(900)),
    ("STS-V-T32", "AssumeRoot", "MinimumSessionTokenSize", False, range(4096)),
    ("STS-V-T33", "DecodeAuthorizationMessage", "EncodedMessage", True, (1, 10240, None, None)),
    ("STS-V-T34", "GetAccessKeyInfo", "AccessKeyId", True, (16, 128, r"[\w]*", "-")),
    ("STS-V-T36", "GetDelegatedAccessToken", "TradeInToken", True, (None, None, None, None)),
    ("STS-V-T37", "GetFederationToken", "Name", True, (2, 32, NAME, ":")),
    ("STS-V-T38", "GetFederationToken", "Policy", False, (1, 2048, POLICY, "\u0100")),
    ("STS-V-T39", "GetFederationToken", "PolicyArns", False, MEMBER_ARN),
    ("STS-V-T40", "GetFederationToken", "DurationSeconds", False, range(900, 129600)),
    ("STS-V-T41", "GetFederationToken", "Tags", False, TAGS),
    ("STS-V-T42", "GetFederationToken", "MinimumSessionTokenSize", False, range(4096)),
    ("STS-V-T43", "GetSessionToken", "DurationSeconds", False, range(900, 129600)),
    ("STS-V-T44", "GetSessionToken", "SerialNumber", False, (9, 256, SERIAL, "#")),
    ("STS-V-T45", "GetSessionToken", "TokenCode", False, (6, 6, r"[\d]*", "x")),
    ("STS-V-T46", "GetSessionToken", "MinimumSessionTokenSize", False, range(4096)),
    ("STS-V-T47", "GetWebIdentityToken", "Audience", True, {"Audience.member.1": (1, 1000, None, None)}),
    ("STS-V-T48", "GetWebIdentityToken", "DurationSeconds", False, range(60, 3600)),
    ("STS-V-T49", "GetWebIdentityToken", "SigningAlgorithm", True, (5, 5, None, None)),
    ("STS-V-T50", "GetWebIdentityToken", "Tags", False, TAGS),
]

COUNTS: Final[dict[str, tuple[int, dict[str, str]]]] = {
    "Tags": (50, {".Key": "k", ".Value": "v"}),
    "TransitiveTagKeys": (50, {"": "k"}),
    "ProvidedContexts": (5, {".ContextAssertion": "abcd"}),
    "Audience": (10, {"": "a"}),
}
"""Lists with a declared count: the most, and one valid element."""


def refusals(operation: str, parameters: dict[str, str]) -> list[str]:
    """The details of the validation error for the parameters on top of a valid request, none where it is accepted."""
    tags = (
        {"Tags.member.1.Key": "k", "Tags.member.1.Value": "v"} if any(n.startswith("Tags.") for n in parameters) else {}
    )
    request = {**VALID[operation], **tags, **parameters}
    try:
        decode_command(COMMANDS[operation], {name: value for name, value in request.items() if value != "\0absent"})
    except ValidationError as error:
        return error.message.partition("detected: ")[2].split("; ")
    return []


def try_text(operation: str, name: str, limits: tuple[int | None, int | None, str | None, str | None]) -> None:
    least, most, pattern, foreign = limits
    filler = "1"
    scalar_list = name.endswith(".1")
    for length, allowed in (
        (least, True),
        (most, True),
        (None if not least else least - 1, False),
        (None if most is None else most + 1, False),
    ):
        if length is not None:
            found = refusals(operation, {name: filler * length})
            if allowed:
                assert found == []
            else:
                word = (
                    f"less than or equal to {most}"
                    if most is not None and length > most
                    else f"greater than or equal to {least}"
                )
                assert f"Member must have length {word}" in found[0]
    if pattern is not None:
        assert foreign is not None
        (detail,) = refusals(
            operation, {name: filler * (least or 1) + foreign if least != most else filler * 5 + foreign}
        )
        assert detail.endswith(f"pattern: {pattern}]" if scalar_list else f"pattern: {pattern}")


@pytest.mark.parametrize(
    ("operation", "name", "required", "limits"),
    [pytest.param(*row[1:], id=f"{row[1]}-{row[2]}", marks=pytest.mark.facts(row[0])) for row in INPUTS],
)
def test_an_input_has_the_declared_limits(operation: str, name: str, required: bool, limits: Any) -> None:
    member = {each.wire_name: each for each in members(COMMANDS[operation])}[name]
    assert member.required == required
    without = {key: "\0absent" for key in VALID[operation] if key.partition(".")[0] == name}
    found = refusals(operation, without)
    null = f"Value null at '{member.path}' failed to satisfy constraint: Member must not be null"
    assert found == ([null] if required else [])
    if isinstance(limits, range):
        least, most = limits.start, limits.stop
        for value, word in (
            (least, ""),
            (most, ""),
            (least - 1, f"greater than or equal to {least}"),
            (most + 1, f"less than or equal to {most}"),
        ):
            found = refusals(operation, {name: str(value)})
            assert found == (
                [f"Value '{value}' at '{member.path}' failed to satisfy constraint: Member must have value {word}"]
                if word
                else []
            )
    elif isinstance(limits, dict):
        for path, inner in limits.items():
            try_text(operation, path, inner)
    else:
        try_text(operation, name, limits)
    if name in COUNTS:
        most, element = COUNTS[name]
        for count in (most, most + 1):
            found = refusals(
                operation,
                {f"{name}.member.{n}{suffix}": text for n in range(1, count + 1) for suffix, text in element.items()},
            )
            assert bool(found) == (count > most)
            assert all(f"Member must have length less than or equal to {most}" in each for each in found[-1:])


def test_the_table_of_inputs_is_complete() -> None:
    declared = {(name, member.wire_name) for name, command in COMMANDS.items() for member in members(command)}
    assert {(operation, name) for _, operation, name, _, _ in INPUTS} == declared


@pytest.mark.facts("STS-V-T35")
def test_get_caller_identity_asks_for_nothing() -> None:
    assert members(GetCallerIdentityCommand) == ()
    assert decode_command(GetCallerIdentityCommand, {"Action": "GetCallerIdentity"}) == GetCallerIdentityCommand()


USED: Final = ["PackedPolicySize", "SourceIdentity", "SessionTokenUtilization", "SessionTokenSize"]
OUTPUTS: Final[list[tuple[str, str, list[str]]]] = [
    ("STS-V-T51", "AssumeRole", ["Credentials", "AssumedRoleUser", *USED]),
    (
        "STS-V-T52",
        "AssumeRoleWithSAML",
        ["Credentials", "AssumedRoleUser", *USED, "Subject", "SubjectType", "Issuer", "Audience", "NameQualifier"],
    ),
    (
        "STS-V-T53",
        "AssumeRoleWithWebIdentity",
        ["Credentials", "AssumedRoleUser", *USED, "SubjectFromWebIdentityToken", "Provider", "Audience"],
    ),
    ("STS-V-T54", "AssumeRoot", ["Credentials", *USED[1:]]),
    ("STS-V-T55", "DecodeAuthorizationMessage", ["DecodedMessage"]),
    ("STS-V-T56", "GetAccessKeyInfo", ["Account"]),
    ("STS-V-T57", "GetCallerIdentity", ["UserId", "Account", "Arn"]),
    ("STS-V-T58", "GetDelegatedAccessToken", ["Credentials", "PackedPolicySize", "AssumedPrincipal"]),
    ("STS-V-T59", "GetFederationToken", ["Credentials", "FederatedUser", "PackedPolicySize", *USED[2:]]),
    ("STS-V-T60", "GetSessionToken", ["Credentials", *USED[2:]]),
    ("STS-V-T61", "GetWebIdentityToken", ["WebIdentityToken", "Expiration"]),
]
INSIDE: Final = {"AssumedRoleUser": {"AssumedRoleId", "Arn"}, "FederatedUser": {"FederatedUserId", "Arn"}}
OUTPUT_LIMITS: Final[dict[str, tuple[int | None, int | None]]] = {
    "PackedPolicySize": (0, None),
    "SubjectFromWebIdentityToken": (6, 255),
    "AssumedRoleId": (2, 193),
    "FederatedUserId": (2, 193),
}


@pytest.mark.parametrize(
    ("operation", "names"), [pytest.param(*row[1:], id=row[1], marks=pytest.mark.facts(row[0])) for row in OUTPUTS]
)
def test_an_answer_has_the_declared_members(operation: str, names: list[str]) -> None:
    declared = {member.wire_name: member for member in members(COMMANDS[operation].output())}
    assert set(declared) == set(names)
    for name in declared.keys() & INSIDE.keys():
        shape = declared[name].shape
        assert shape is not None
        inside = {member.wire_name: member for member in members(shape)}
        assert set(inside) == INSIDE[name]
        declared |= inside
    for name in declared.keys() & OUTPUT_LIMITS.keys():
        assert (declared[name].limits.least, declared[name].limits.most) == OUTPUT_LIMITS[name]


@pytest.mark.facts("STS-V-T62")
def test_credentials_have_four_required_members() -> None:
    declared = members(Credentials)
    assert {member.wire_name for member in declared} == {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    assert all(member.required for member in declared)
    limits = {member.wire_name: (member.limits.least, member.limits.most) for member in declared}
    assert limits["AccessKeyId"] == (16, 128)
    assert {member.wire_name for member in declared if member.limits.secret} == {"SecretAccessKey", "SessionToken"}
    assert {member.wire_name: member.kind for member in declared}["Expiration"] is Kind.TIMESTAMP


FOUR: Final = ["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"]
MODELLED: Final[list[tuple[str, str, str, int, bool, list[str]]]] = [
    ("STS-E-T01", "ExpiredTokenException", "ExpiredTokenException", 400, False, [*FOUR, "AssumeRoot"]),
    (
        "STS-E-T02",
        "ExpiredTradeInTokenException",
        "ExpiredTradeInTokenException",
        400,
        False,
        ["GetDelegatedAccessToken"],
    ),
    ("STS-E-T03", "IDPCommunicationError", "IDPCommunicationErrorException", 400, True, FOUR[2:]),
    ("STS-E-T04", "IDPRejectedClaim", "IDPRejectedClaimException", 403, False, FOUR[1:]),
    (
        "STS-E-T05",
        "InvalidAuthorizationMessageException",
        "InvalidAuthorizationMessageException",
        400,
        False,
        ["DecodeAuthorizationMessage"],
    ),
    ("STS-E-T06", "InvalidIdentityToken", "InvalidIdentityTokenException", 400, False, FOUR[1:]),
    (
        "STS-E-T07",
        "JWTPayloadSizeExceededException",
        "JWTPayloadSizeExceededException",
        400,
        False,
        ["GetWebIdentityToken"],
    ),
    (
        "STS-E-T08",
        "MalformedPolicyDocument",
        "MalformedPolicyDocumentException",
        400,
        False,
        [*FOUR, "GetFederationToken"],
    ),
    (
        "STS-E-T09",
        "OutboundWebIdentityFederationDisabledException",
        "OutboundWebIdentityFederationDisabledException",
        403,
        False,
        ["GetWebIdentityToken"],
    ),
    (
        "STS-E-T10",
        "PackedPolicyTooLarge",
        "PackedPolicyTooLargeException",
        400,
        False,
        [*FOUR, "GetFederationToken", "GetDelegatedAccessToken"],
    ),
    (
        "STS-E-T11",
        "RegionDisabledException",
        "RegionDisabledException",
        403,
        False,
        [*FOUR, "AssumeRoot", "GetFederationToken", "GetSessionToken", "GetDelegatedAccessToken"],
    ),
    (
        "STS-E-T12",
        "SessionDurationEscalationException",
        "SessionDurationEscalationException",
        403,
        False,
        ["GetWebIdentityToken"],
    ),
]
UNMODELLED: Final[list[tuple[str, str, int]]] = [
    ("STS-E-T13", "AccessDenied", 403),
    ("STS-E-T14", "ValidationError", 400),
    ("STS-E-T15", "InvalidParameterValue", 400),
    ("STS-E-T16", "InvalidParameterCombination", 400),
    ("STS-E-T17", "MissingParameter", 400),
    ("STS-E-T18", "MalformedInput", 400),
    ("STS-E-T19", "MalformedQueryString", 400),
    ("STS-E-T20", "InvalidAction", 400),
    ("STS-E-T21", "MissingAction", 400),
    ("STS-E-T22", "MissingAuthenticationToken", 403),
    ("STS-E-T23", "IncompleteSignature", 400),
    ("STS-E-T24", "SignatureDoesNotMatch", 403),
    ("STS-E-T25", "InvalidClientTokenId", 403),
    ("STS-E-T26", "ExpiredToken", 403),
    ("STS-E-T27", "OptInRequired", 403),
    ("STS-E-T28", "RequestExpired", 400),
    ("STS-E-T29", "Throttling", 400),
    ("STS-E-T30", "ServiceUnavailable", 503),
    ("STS-E-T31", "InternalFailure", 500),
]


@pytest.mark.parametrize(
    ("code", "name", "status", "retryable", "operations"),
    [pytest.param(*row[1:], id=row[1], marks=pytest.mark.facts(row[0])) for row in MODELLED],
)
def test_a_modelled_error_has_code_class_status_and_operations(
    code: str, name: str, status: int, retryable: bool, operations: list[str]
) -> None:
    error = ERRORS[code]
    assert (error.__name__, error.code, error.status, error.retryable) == (name, code, status, retryable)
    assert {each for each, command in COMMANDS.items() if error in command.operation.errors} == set(operations)


@pytest.mark.parametrize(
    ("code", "status"), [pytest.param(*row[1:], id=row[1], marks=pytest.mark.facts(row[0])) for row in UNMODELLED]
)
def test_an_unmodelled_error_is_a_class_named_as_its_code(code: str, status: int) -> None:
    error: type[ServiceException] = ERRORS[code]
    assert (error.__name__, error.status) == (code, status)


@pytest.mark.facts("STS-E-002")
def test_assume_role_declares_four_errors() -> None:
    assert {error.code for error in COMMANDS["AssumeRole"].operation.errors} == {
        "MalformedPolicyDocument",
        "PackedPolicyTooLarge",
        "RegionDisabledException",
        "ExpiredTokenException",
    }


@pytest.mark.facts("STS-CT-004")
def test_the_trail_marks_these_operations_as_reading() -> None:
    assert {name for name, command in COMMANDS.items() if command.operation.read_only} == {
        *FOUR,
        "GetCallerIdentity",
        "GetAccessKeyInfo",
    }


def test_two_operations_need_no_permission() -> None:
    assert {name for name, command in COMMANDS.items() if command.operation.authorization is None} == {
        "GetCallerIdentity",
        "GetSessionToken",
    }
    assert COMMANDS["AssumeRole"].operation.action == "sts:AssumeRole"


def test_the_three_role_operations_ask_the_trust_policy_of_their_role() -> None:
    for name in FOUR:
        authorization = COMMANDS[name].operation.authorization
        assert authorization is not None
        assert authorization.trust
        assert not isinstance(authorization.resource, str)
        assert (authorization.resource.kind, authorization.resource.member) == ("role", "role_arn")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.operation.name)
def test_an_authorization_names_a_member_that_exists(command: Any) -> None:
    authorization = command.operation.authorization
    if authorization is not None and not isinstance(authorization.resource, str):
        assert authorization.resource.member in {member.attribute for member in members(command)}


@pytest.mark.facts("STS-W-016", "STS-E-T20")
def test_an_unknown_operation_is_named_with_its_version() -> None:
    assert find_command("GetCallerIdentity", "2011-06-15") is GetCallerIdentityCommand
    for action, version in (
        ("Nope", "2011-06-15"),
        ("GetCallerIdentity", "2010-05-08"),
        ("GetCallerIdentity", "2012-01-01"),
    ):
        with pytest.raises(InvalidAction) as caught:
            find_command(action, version)
        assert caught.value.message == f"Could not find operation {action} for version {version}"
    with pytest.raises(InvalidAction):
        find_command("getcalleridentity", "2011-06-15")


@pytest.mark.facts("STS-W-017")
@pytest.mark.parametrize("version", [None, ""])
def test_a_request_without_version_says_so(version: str | None) -> None:
    with pytest.raises(
        InvalidAction, match=r"^InvalidAction: Could not find operation AssumeRole for version NO_VERSION_SPECIFIED$"
    ):
        find_command("AssumeRole", version)
    assert unknown_operation("AssumeRole", version).message.endswith("NO_VERSION_SPECIFIED")


@pytest.mark.parametrize("action", [None, ""])
def test_a_request_without_action_is_refused(action: str | None) -> None:
    with pytest.raises(MissingAction):
        find_command(action, STS.version)


def test_secrets_of_commands_and_answers_do_not_print() -> None:
    moment = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    credentials = Credentials(
        access_key_id="ASIAIOSFODNN7EXAMPLE",
        secret_access_key=Secret("hidden1"),
        session_token=Secret("hidden2"),
        expiration=moment,
    )
    assert "hidden" not in repr(credentials) + str(credentials) + f"{credentials}"


@pytest.mark.facts("STS-V-020")
def test_limits_that_stand_in_prose_only_are_not_declared() -> None:
    command = COMMANDS["AssumeRole"](
        role_arn="arn:aws:iam::123456789012:role/demo",
        role_session_name="s1",
        policy="x" * 5000,
        policy_arns=tuple(PolicyDescriptorType(arn="arn:aws:iam::aws:policy/ReadOnlyAccess") for _ in range(11)),
        tags=(Tag(key="aws:x", value=""), Tag(key="AWS:X", value="")),
    )
    assert violations(command) == []
