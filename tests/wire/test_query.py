"""Requests: how parameters become a command, what is malformed, and the exact texts of what is not valid."""

from __future__ import annotations

import contextlib
import datetime
from typing import Annotated, Any, ClassVar, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.api.iam import COMMANDS as IAM_COMMANDS
from locum.api.iam import IAM
from locum.api.registry import CONTRACTS
from locum.api.shapes import Authorization, Command, Operation, Shape, items, refuse, text, violations
from locum.api.sts import (
    STS,
    AssumeRoleCommand,
    AssumeRoleWithSAMLCommand,
    AssumeRoleWithWebIdentityCommand,
    AssumeRootCommand,
    GetAccessKeyInfoCommand,
    GetDelegatedAccessTokenCommand,
    GetSessionTokenCommand,
    GetWebIdentityTokenCommand,
    PolicyDescriptorType,
    Tag,
)
from locum.errors import MalformedInput, MalformedQueryString, ValidationError
from locum.secret import Secret
from locum.wire import form
from locum.wire.query import (
    CONTENT_TYPE,
    MAX_SEGMENTS,
    decode_command,
    encode_command,
    encode_form,
    format_time,
    gather,
    parse_time,
)

ROLE_ARN: Final = "arn:aws:iam::123456789012:role/demo"
REQUEST: Final = {"RoleArn": ROLE_ARN, "RoleSessionName": "s1"}
KEY_PATTERN: Final = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+"


def assume(**parameters: str) -> AssumeRoleCommand:
    return decode_command(AssumeRoleCommand, REQUEST | parameters)


def refused(command_type: type[Command[Any]], parameters: dict[str, str]) -> str:
    with pytest.raises(ValidationError) as caught:
        decode_command(command_type, parameters)
    return caught.value.message


def tagged(**names: str) -> tuple[Tag, ...]:
    return assume(**{f"Tags.member.{name.replace('_', '.')}": value for name, value in names.items()}).tags


class Everything(Shape):
    """The answer that nobody gives."""

    done: bool


class Inner(Shape):
    """A structure with each kind inside."""

    flag: bool | None = None
    moment: datetime.datetime | None = None
    data: bytes | None = None
    names: tuple[str, ...] = ()


class EveryKindCommand(Command[Everything]):
    """A command with what no real one of these services has as input: booleans, times, blobs, maps, nesting."""

    operation: ClassVar[Operation] = Operation(STS, "EveryKind", Authorization())
    inner: Inner | None = None
    inners: Annotated[tuple[Inner, ...], items(most=3)] = ()
    counts: dict[str, int] | None = None
    by_name: dict[str, Inner] | None = None
    flags: tuple[bool, ...] = ()
    choice: Annotated[str, text(one_of=("a", "b"))] | None = None


@pytest.mark.facts("STS-W-001")
def test_a_request_is_a_form_with_action_and_version() -> None:
    command = AssumeRoleCommand(role_arn=ROLE_ARN, role_session_name="s1", duration_seconds=900)
    pairs = encode_command(command)
    assert pairs == [
        ("Action", "AssumeRole"),
        ("Version", "2011-06-15"),
        ("RoleArn", ROLE_ARN),
        ("RoleSessionName", "s1"),
        ("DurationSeconds", "900"),
    ]
    assert form.parse_form(encode_form(pairs)) == pairs
    assert CONTENT_TYPE == "application/x-www-form-urlencoded; charset=utf-8"


@pytest.mark.facts("STS-W-004")
def test_scalar_members_travel_under_their_names_in_their_case() -> None:
    saml = AssumeRoleWithSAMLCommand(role_arn=ROLE_ARN, principal_arn=ROLE_ARN, saml_assertion=Secret("PHg+"))
    web = AssumeRoleWithWebIdentityCommand(role_arn=ROLE_ARN, role_session_name="s1", web_identity_token=Secret("abcd"))
    assert ("SAMLAssertion", "PHg+") in encode_command(saml)
    assert ("WebIdentityToken", "abcd") in encode_command(web)
    assert decode_command(AssumeRoleWithSAMLCommand, dict(encode_command(saml))) == saml
    wrong_case = dict(encode_command(web)) | {"webidentitytoken": "wxyz"}
    assert decode_command(AssumeRoleWithWebIdentityCommand, wrong_case) == web


@pytest.mark.facts("STS-W-005")
def test_structure_members_are_dotted_and_arn_is_in_lower_case() -> None:
    parameters = {"TargetPrincipal": "123456789012", "TaskPolicyArn.arn": ROLE_ARN}
    command = decode_command(AssumeRootCommand, parameters)
    assert command.task_policy_arn == PolicyDescriptorType(arn=ROLE_ARN)
    assert ("TaskPolicyArn.arn", ROLE_ARN) in encode_command(command)
    assert decode_command(AssumeRootCommand, parameters | {"TaskPolicyArn.Arn": "x"}) == command


@pytest.mark.facts("STS-W-006", "IAM-GEN-004")
def test_list_elements_are_numbered_members() -> None:
    command = assume(**{
        "Tags.member.1.Key": "a",
        "Tags.member.1.Value": "b",
        "PolicyArns.member.1.arn": ROLE_ARN,
        "PolicyArns.member.2.arn": ROLE_ARN + "2",
        "TransitiveTagKeys.member.1": "a",
        "ProvidedContexts.member.1.ProviderArn": ROLE_ARN,
        "ProvidedContexts.member.1.ContextAssertion": "abcd",
    })  # fmt: skip
    assert command.tags == (Tag(key="a", value="b"),)
    assert command.policy_arns == (PolicyDescriptorType(arn=ROLE_ARN), PolicyDescriptorType(arn=ROLE_ARN + "2"))
    assert command.transitive_tag_keys == ("a",)
    assert command.provided_contexts[0].context_assertion == "abcd"
    audience = {"Audience.member.1": "x", "Audience.member.2": "y", "SigningAlgorithm": "RS256"}
    assert decode_command(GetWebIdentityTokenCommand, audience).audience == ("x", "y")
    assert assume(**{"Tags.1.Key": "a", "Tags.Member.1.Key": "b"}).tags == ()


@pytest.mark.facts("STS-W-007")
def test_a_bare_list_name_without_value_is_an_empty_list() -> None:
    assert assume(Tags="", PolicyArns="", TransitiveTagKeys="") == assume()
    with pytest.raises(MalformedInput, match="Tags"):
        assume(Tags="x")


@pytest.mark.facts("STS-W-008", "STS-V-003")
@pytest.mark.parametrize("audience", [{}, {"Audience": ""}])
def test_an_absent_and_an_empty_list_are_alike(audience: dict[str, str]) -> None:
    assert refused(GetWebIdentityTokenCommand, {"SigningAlgorithm": "RS256"} | audience) == (
        "1 validation error detected: Value null at 'audience' failed to satisfy constraint: Member must not be null"
    )


@pytest.mark.facts("STS-W-009")
@pytest.mark.parametrize("sent", ["900", "0900", "+900", "0000000900"])
def test_integers_are_decimal_text(sent: str) -> None:
    assert assume(DurationSeconds=sent).duration_seconds == 900


@pytest.mark.facts("STS-W-009")
@pytest.mark.parametrize(
    "sent",
    [" 900", "900 ", "900.0", "9e2", "2147483648", "-2147483649", "9" * 5000, "", "+", "0x384", "٩٠٠", "9_00", "--900"],
)
def test_other_integers_are_malformed(sent: str) -> None:
    with pytest.raises(MalformedInput, match="DurationSeconds"):
        assume(DurationSeconds=sent)


@pytest.mark.facts("STS-W-009")
def test_zero_is_an_integer_and_out_of_range() -> None:
    assert refused(AssumeRoleCommand, REQUEST | {"DurationSeconds": "0"}).endswith(
        "Value '0' at 'durationSeconds' failed to satisfy constraint: "
        "Member must have value greater than or equal to 900"
    )
    assert (
        decode_command(
            AssumeRootCommand,
            {"TargetPrincipal": "123456789012", "TaskPolicyArn.arn": ROLE_ARN, "DurationSeconds": "0"},
        ).duration_seconds
        == 0
    )


@pytest.mark.facts("STS-W-013")
def test_unknown_parameters_are_ignored() -> None:
    plain = assume(**{"Tags.member.1.Key": "a", "Tags.member.1.Value": "b"})
    assert plain == assume(**{
        "Tags.member.1.Key": "a",
        "Tags.member.1.Value": "b",
        "Tags.member.1.Color": "red",
        "Tags.member.1.Color.member.0": "red",
        "Nope": "x",
        "Nope.member.0": "x",
        "Nope.1.2": "x",
        "nope.": "",
        "roleArn": "x",
        "RoleArn.arn": "x",
        "": "x",
        ".": "x",
    })  # fmt: skip


@pytest.mark.facts("STS-W-014")
def test_of_a_repeated_plain_parameter_the_last_one_counts() -> None:
    assert gather([("RoleArn", "a"), ("Tags.member.1.Key", "x"), ("RoleArn", "b")])["RoleArn"] == "b"


@pytest.mark.facts("R20")
@pytest.mark.parametrize(
    "name", ["Action", "Version", "X-Amz-Date", "X-Amz-Security-Token", "x-amz-signature", "X-Amz-Unheard-Of"]
)
@pytest.mark.parametrize("second", ["same", "other"])
def test_a_repeated_routing_or_signature_parameter_is_refused(name: str, second: str) -> None:
    with pytest.raises(MalformedInput, match=name):
        gather([(name, "same"), ("RoleArn", "x"), (name, second)])


def test_the_number_of_parameters_is_bounded() -> None:
    pairs = [(f"p{number}", "") for number in range(form.MAX_PARAMETERS + 1)]
    assert len(gather(pairs[:-1])) == form.MAX_PARAMETERS
    with pytest.raises(MalformedInput):
        gather(pairs)


@pytest.mark.facts("STS-W-015")
@pytest.mark.parametrize(("sent", "meant"), [("true", True), ("false", False), ("1", True), ("0", False)])
def test_booleans_have_four_spellings(sent: str, meant: bool) -> None:
    command = IAM_COMMANDS["CreatePolicyVersion"]
    parameters = {"PolicyArn": ROLE_ARN, "PolicyDocument": "{}", "SetAsDefault": sent}
    decoded: Any = decode_command(command, parameters)
    assert decoded.set_as_default is meant
    for other in (sent.upper() if sent.isalpha() else sent * 2, f" {sent}", "", "yes"):
        with pytest.raises(MalformedInput, match="SetAsDefault"):
            decode_command(command, parameters | {"SetAsDefault": other})


def test_every_kind_of_member_travels() -> None:
    moment = datetime.datetime(2021, 8, 16, 20, 52, 53, tzinfo=datetime.UTC)
    inner = Inner(flag=False, moment=moment, data=b"\x00\xff", names=("x", "y"))
    command = EveryKindCommand(
        inner=Inner(),
        inners=(inner, Inner()),
        counts={"a": 1, "b": -2},
        by_name={"n": inner},
        flags=(True, False),
        choice="a",
    )
    pairs = encode_command(command)
    assert ("Inner", "") in pairs
    assert ("Inners.member.1.Moment", "2021-08-16T20:52:53Z") in pairs
    assert ("Counts.entry.2.value", "-2") in pairs
    assert decode_command(EveryKindCommand, gather(pairs)) == command


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Inner", "x"),
        ("Inner.Moment", "yesterday"),
        ("Inner.Moment", "9999-12-31T23:59:59-14:00"),
        ("Inner.Moment", "2021-13-01T00:00:00Z"),
        ("Inner.Data", "?"),
        ("Inner.Data", "é"),
        ("Inners", "x"),
        ("Counts", "x"),
        ("Counts.entry.1.value", "1"),
        ("Counts.entry.1.key", "1"),
        ("Counts.entry.2.key", "1"),
        ("Flags.member.1", "maybe"),
    ],
)
def test_what_cannot_be_read_is_malformed(name: str, value: str) -> None:
    with pytest.raises(MalformedInput, match=name.partition(".")[0]):
        decode_command(EveryKindCommand, {name: value})


def test_a_map_has_each_key_once() -> None:
    entry = {
        "Counts.entry.1.key": "a",
        "Counts.entry.1.value": "1",
        "Counts.entry.2.key": "a",
        "Counts.entry.2.value": "2",
    }
    with pytest.raises(MalformedInput):
        decode_command(EveryKindCommand, entry)


@pytest.mark.facts("STS-V-001", "STS-V-002", "STS-V-009")
@pytest.mark.parametrize(
    ("command_type", "parameters", "message"),
    [
        (
            AssumeRoleCommand,
            REQUEST | {"RoleSessionName": "Session1:2"},
            r"1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [\w+=,.@-]*",
        ),
        (
            AssumeRoleCommand,
            REQUEST | {"RoleSessionName": "n" * 65},
            f"1 validation error detected: Value '{'n' * 65}' at 'roleSessionName' failed to satisfy constraint: "
            "Member must have length less than or equal to 64",
        ),
        (
            AssumeRoleCommand,
            REQUEST | {"DurationSeconds": "86400"},
            "1 validation error detected: Value '86400' at 'durationSeconds' failed to satisfy constraint: "
            "Member must have value less than or equal to 43200",
        ),
        (
            AssumeRoleCommand,
            REQUEST | {"DurationSeconds": "899"},
            "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: "
            "Member must have value greater than or equal to 900",
        ),
        (
            AssumeRootCommand,
            {"TargetPrincipal": "123456789012", "TaskPolicyArn.arn": ROLE_ARN, "DurationSeconds": "901"},
            "1 validation error detected: Value '901' at 'durationSeconds' failed to satisfy constraint: "
            "Member must have value less than or equal to 900",
        ),
        (
            AssumeRoleCommand,
            REQUEST | {"RoleSessionName": "n", "DurationSeconds": "1"},
            "2 validation errors detected: Value '1' at 'durationSeconds' failed to satisfy constraint: "
            "Member must have value greater than or equal to 900; Value 'n' at 'roleSessionName' failed to satisfy "
            "constraint: Member must have length greater than or equal to 2",
        ),
    ],
)
def test_recorded_texts(command_type: type[Command[Any]], parameters: dict[str, str], message: str) -> None:
    assert refused(command_type, parameters) == message


@pytest.mark.facts("STS-V-003")
@pytest.mark.parametrize(
    ("command_type", "parameters", "path"),
    [
        (AssumeRoleWithWebIdentityCommand, REQUEST, "webIdentityToken"),
        (GetWebIdentityTokenCommand, {"Audience.member.1": "a"}, "signingAlgorithm"),
        (GetWebIdentityTokenCommand, {"SigningAlgorithm": "RS256"}, "audience"),
        (AssumeRootCommand, {"TargetPrincipal": "123456789012"}, "taskPolicyArn"),
    ],
)
def test_a_missing_member_is_null_without_quotes(
    command_type: type[Command[Any]], parameters: dict[str, str], path: str
) -> None:
    assert refused(command_type, parameters) == (
        f"1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null"
    )


@pytest.mark.facts("STS-V-004", "IAM-GEN-041")
def test_paths_begin_in_lower_case_and_number_list_elements() -> None:
    assert "at 'sAMLAssertion'" in refused(AssumeRoleWithSAMLCommand, {"RoleArn": ROLE_ARN, "PrincipalArn": ROLE_ARN})
    names = {
        "Tags.member.1.Key": "a",
        "Tags.member.1.Value": "\t",
        "Tags.member.2.Key": "\t",
        "Tags.member.2.Value": "",
    }
    message = refused(AssumeRoleCommand, REQUEST | names)
    assert "at 'tags.1.member.value'" in message
    assert "at 'tags.2.member.key'" in message


@pytest.mark.facts("STS-V-005")
def test_the_text_of_each_constraint() -> None:
    stated = {
        "Member must not be null": {"RoleArn": ROLE_ARN},
        "Member must have length greater than or equal to 2": REQUEST | {"RoleSessionName": "n"},
        "Member must have length less than or equal to 64": REQUEST | {"RoleSessionName": "n" * 65},
        r"Member must satisfy regular expression pattern: [\w+=,.@-]*": REQUEST | {"RoleSessionName": "n n"},
        "Member must have value greater than or equal to 900": REQUEST | {"DurationSeconds": "-5"},
        "Member must have value less than or equal to 43200": REQUEST | {"DurationSeconds": "43201"},
    }
    for constraint, parameters in stated.items():
        assert refused(AssumeRoleCommand, parameters).partition("constraint: ")[2] == constraint
    assert refused(EveryKindCommand, {"Choice": "c"}).endswith("Member must satisfy enum value set: [a, b]")


@pytest.mark.facts("STS-V-006")
@pytest.mark.parametrize(("elements", "shown"), [(["x" * 1001], f"[{'x' * 1001}]"), ([""], "[]"), (["a", ""], "[a, ]")])
def test_violations_inside_a_list_of_texts_are_one_for_the_list(elements: list[str], shown: str) -> None:
    parameters = {f"Audience.member.{number}": each for number, each in enumerate(elements, 1)}
    assert refused(GetWebIdentityTokenCommand, parameters | {"SigningAlgorithm": "RS256"}) == (
        f"1 validation error detected: Value '{shown}' at 'audience' failed to satisfy constraint: Member must satisfy "
        "constraint: [Member must have length less than or equal to 1000, "
        "Member must have length greater than or equal to 1]"
    )


@pytest.mark.facts("STS-V-007")
def test_too_many_elements_are_all_printed() -> None:
    audience = {f"Audience.member.{number + 1}": str(number) for number in range(11)}
    assert refused(GetWebIdentityTokenCommand, audience | {"SigningAlgorithm": "RS256"}) == (
        "1 validation error detected: Value '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]' at 'audience' "
        "failed to satisfy constraint: Member must have length less than or equal to 10"
    )
    tags: dict[str, str] = {}
    for number in range(51):
        tags |= {f"Tags.member.{number + 1}.Key": str(number), f"Tags.member.{number + 1}.Value": "test"}
    message = refused(AssumeRoleCommand, REQUEST | tags)
    assert message.startswith("1 validation error detected: Value '[Tag(key=0, value=test), Tag(key=1, value=test), ")
    assert message.endswith(
        "Tag(key=50, value=test)]' at 'tags' failed to satisfy constraint: "
        "Member must have length less than or equal to 50"
    )


@pytest.mark.facts("STS-V-008")
def test_one_member_can_break_length_and_pattern() -> None:
    assert refused(AssumeRoleCommand, REQUEST | {"Tags.member.1.Key": "", "Tags.member.1.Value": ""}) == (
        "2 validation errors detected: Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have "
        "length greater than or equal to 1; Value '' at 'tags.1.member.key' failed to satisfy constraint: "
        f"Member must satisfy regular expression pattern: {KEY_PATTERN}"
    )


@pytest.mark.facts("STS-V-010")
@pytest.mark.parametrize("name", ["name\n", "\nname", "na me", "n\u00e4me", "name\u0661", "name:x"])
def test_patterns_match_the_whole_value_in_ascii(name: str) -> None:
    assert "pattern" in refused(AssumeRoleCommand, REQUEST | {"RoleSessionName": name})


@pytest.mark.facts("STS-V-011")
@pytest.mark.parametrize(
    "key", ["Straße", "部門", "ключ", "a b", "a\u00a0b", "\u2028", "\u0661", "½", "𝒳", "_.:/=+-@", "k" * 128]
)
def test_tag_keys_are_letters_separators_and_numbers_of_every_script(key: str) -> None:
    assert tagged(**{"1_Key": key, "1_Value": key}) == (Tag(key=key, value=key),)


@pytest.mark.facts("STS-V-011")
@pytest.mark.parametrize("key", ["a\tb", "a\x00", "a#", "a,b", "e\u0301", "a\u20ac", "😀", "a*", "a\n", "a\u200b"])
def test_tag_keys_hold_nothing_else(key: str) -> None:
    message = refused(AssumeRoleCommand, REQUEST | {"Tags.member.1.Key": key, "Tags.member.1.Value": key})
    assert message.count("regular expression pattern") == 2


@pytest.mark.facts("STS-V-012")
def test_constraints_are_complete_before_any_meaning_is_looked_at() -> None:
    assert refused(AssumeRoleCommand, {"RoleArn": "nothing-valid-in-here", "RoleSessionName": "a:b"}).startswith(
        "1 validation error detected: Value 'a:b' at 'roleSessionName'"
    )


@pytest.mark.facts("STS-V-018")
def test_a_short_role_arn_breaks_a_constraint() -> None:
    assert refused(AssumeRoleCommand, REQUEST | {"RoleArn": "arn:aws:iam::1:x/y"}) == (
        "1 validation error detected: Value 'arn:aws:iam::1:x/y' at 'roleArn' failed to satisfy constraint: "
        "Member must have length greater than or equal to 20"
    )


@pytest.mark.facts("STS-V-019")
@pytest.mark.parametrize(
    ("command_type", "parameters", "path"),
    [
        (
            AssumeRoleWithSAMLCommand,
            {"RoleArn": ROLE_ARN, "PrincipalArn": ROLE_ARN, "SAMLAssertion": "~~~"},
            "sAMLAssertion",
        ),
        (AssumeRoleWithWebIdentityCommand, REQUEST | {"WebIdentityToken": "~~~"}, "webIdentityToken"),
        (GetSessionTokenCommand, {"TokenCode": "~~~"}, "tokenCode"),
    ],
)
def test_secret_members_are_not_echoed(command_type: type[Command[Any]], parameters: dict[str, str], path: str) -> None:
    message = refused(command_type, parameters)
    assert f"Value at '{path}' failed" in message
    assert "~" not in message


def test_secret_members_are_masked_in_commands() -> None:
    command = decode_command(GetDelegatedAccessTokenCommand, {"TradeInToken": "hidden"})
    assert command.trade_in_token.reveal() == "hidden"
    assert "hidden" not in repr(command)


@pytest.mark.facts("IAM-GEN-040", "IAM-GEN-042", "IAM-GEN-043")
def test_iam_does_not_quote_values() -> None:
    assert refused(IAM_COMMANDS["GetRole"], {"RoleName": "r" * 65}) == (
        "1 validation error detected: Value at 'roleName' failed to satisfy constraint: "
        "Member must have length less than or equal to 64"
    )
    assert refused(IAM_COMMANDS["GetRole"], {}) == (
        "1 validation error detected: Value at 'roleName' failed to satisfy constraint: Member must not be null"
    )
    assert refused(IAM_COMMANDS["UntagRole"], {"RoleName": "r", "TagKeys.member.1": ""}) == (
        "1 validation error detected: Value at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: "
        "[Member must have length less than or equal to 128, Member must have length greater than or equal to 1, "
        f"Member must satisfy regular expression pattern: {KEY_PATTERN}, Member must not be null]"
    )
    version = {"GlobalEndpointTokenVersion": "v3Token"}
    assert refused(IAM_COMMANDS["SetSecurityTokenServicePreferences"], version) == (
        "1 validation error detected: Value at 'globalEndpointTokenVersion' failed to satisfy constraint: "
        "Member must satisfy enum value set: [v2Token, v1Token]"
    )
    several = refused(IAM_COMMANDS["ListPolicies"], {"Scope": "Some", "MaxItems": "1001", "Marker": ""})
    assert several.startswith("4 validation errors detected: ")
    assert several.endswith("'scope' failed to satisfy constraint: Member must satisfy enum value set")
    assert (
        "Value at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000" in several
    )


def test_a_refusal_says_how_many_constraints_are_broken() -> None:
    found = violations(AssumeRoleCommand(role_arn="x", role_session_name="y"))
    assert [violation.path for violation in found] == ["roleArn", "roleSessionName"]
    assert refuse(found, STS).message.startswith("2 validation errors detected: Value 'x' at 'roleArn' failed")
    assert refuse(found, IAM).message.startswith("2 validation errors detected: Value at 'roleArn' failed")


def test_times_are_cut_to_whole_seconds_of_utc() -> None:
    east = datetime.timezone(datetime.timedelta(hours=2))
    assert format_time(datetime.datetime(2021, 8, 16, 22, 52, 53, 999999, tzinfo=east)) == "2021-08-16T20:52:53Z"
    assert format_time(datetime.datetime(9, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)) == "0009-01-02T03:04:05Z"
    with pytest.raises(ValueError, match="time zone"):
        format_time(datetime.datetime(2021, 8, 16))
    assert parse_time("2021-08-16T20:52:53.5+00:00") == datetime.datetime(2021, 8, 16, 20, 52, 53, 500000, datetime.UTC)


ALL_COMMANDS: Final = [
    command for contract in CONTRACTS.values() for command in contract.commands.values() if not contract.service.target
]
SEGMENTS: Final = st.one_of(
    st.sampled_from(
        ["member", "entry", "Tags", "Key", "Value", "key", "value", "arn", "1", "2", "0", "-1", "01", "12", ""]
    ),
    st.integers(0, 99999999999).map(str),
    st.text(max_size=5),
)
NAMES: Final = st.one_of(
    st.lists(SEGMENTS, min_size=1, max_size=MAX_SEGMENTS + 2).map(".".join),
    st.sampled_from([*REQUEST, "DurationSeconds", "Tags", "PolicyArns.member.1.arn", "TokenCode", "Inner", "Counts"]),
    st.tuples(
        st.sampled_from(["Tags", "Inners", "Counts", "ByName", "PolicyArns"]), st.lists(SEGMENTS, max_size=6)
    ).map(lambda drawn: ".".join([drawn[0], *drawn[1]])),
)


@given(
    st.sampled_from(
        [AssumeRoleCommand, AssumeRootCommand, GetWebIdentityTokenCommand, EveryKindCommand, *ALL_COMMANDS]
    ),
    st.lists(
        st.tuples(NAMES, st.one_of(st.text(max_size=30), st.sampled_from(["", "1", "900", ROLE_ARN]))), max_size=12
    ),
)
def test_any_parameters_give_a_command_or_a_declared_error(
    command_type: type[Command[Any]], pairs: list[tuple[str, str]]
) -> None:
    try:
        command = decode_command(command_type, gather(pairs))
    except (MalformedInput, ValidationError):
        return
    assert violations(command) == []
    assert decode_command(command_type, dict(encode_command(command))) == command


@given(st.binary(max_size=200))
def test_any_bytes_of_a_form_give_a_command_or_a_declared_error(body: bytes) -> None:
    with contextlib.suppress(MalformedInput, MalformedQueryString, ValidationError):
        parameters = gather(form.parse_form(body))
        for command_type in (EveryKindCommand, AssumeRoleCommand, GetAccessKeyInfoCommand):
            decode_command(command_type, parameters)
