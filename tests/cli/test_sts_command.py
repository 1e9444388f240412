"""``locum sts`` and ``locum whoami``: every operation of the contract, as people and scripts call it."""

from __future__ import annotations

import io
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import boto3
import botocore.session
import click
import pytest
from botocore import xform_name
from hypothesis import given
from hypothesis import strategies as st

from locum.api.registry import CONTRACTS
from locum.api.shapes import members
from locum.api.sts import STS, AssumeRoleCommand, Credentials, GetWebIdentityTokenResponse, PolicyDescriptorType, Tag
from locum.cli.members import _pieces, member_options, members_from
from locum.cli.report import Usage
from locum.cli.show import kebab, show
from locum.cli.sts import OPERATIONS, command
from locum.secret import Secret
from locum.testing import RunningServer, server_fixture

from .person import Person

pytestmark = pytest.mark.xdist_group("running-server")
running = server_fixture(scope="module", region="eu-central-1", account_id="111122223333")

ROLE: Final = "arn:aws:iam::111122223333:role/deploy"


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Person:
    return Person(tmp_path, monkeypatch, capsys)


@pytest.fixture
def root(person: Person, running: RunningServer) -> Person:
    person.has(running.environment())
    return person


# The declaration


def test_every_operation_of_the_contract_is_a_command() -> None:
    contract = CONTRACTS[STS.version]
    context = click.Context(command)
    assert isinstance(command, click.Group)
    assert {each.operation.name for each in OPERATIONS.values()} == {*contract.commands, *contract.extensions}
    assert command.list_commands(context) == sorted(OPERATIONS)
    assert command.get_command(context, "assume-rule") is None


def test_names_and_options_are_those_of_the_aws_cli() -> None:
    model = botocore.session.Session().get_service_model("sts")
    for name in model.operation_names:
        shown = OPERATIONS[xform_name(name, "-")]
        theirs = {xform_name(each, "-") for each in model.operation_model(name).input_shape.members}
        # The members that AWS has no longer, or that botocore has not yet, are the contract tests' matter.
        ours = {option.opts[0].removeprefix("--") for option in member_options(shown)}
        assert ours & theirs == theirs & {kebab(each.attribute) for each in members(shown)}
        assert ours - theirs <= {"minimum-session-token-size"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_help_in_words_of_the_command_line(person: Person, name: str) -> None:
    status, out, err = person("sts", name, "--help")
    assert (status, err) == (0, "")
    for member in members(OPERATIONS[name]):
        assert f"--{kebab(member.attribute)} " in out
    assert "``" not in out
    assert ":class:" not in out
    assert re.search(r"\b(?:STS|IAM|POL)-[A-Z]+-T?\d", out) is None


def test_no_member_is_called_like_an_option_of_ours() -> None:
    for command_type in OPERATIONS.values():
        names = {kebab(each.attribute) for each in members(command_type)}
        assert names.isdisjoint({"endpoint-url", "region", "profile", "json", "help", "exec", "format", "no-cache"})


# Values


def read(**options: Any) -> dict[str, Any]:
    return members_from(AssumeRoleCommand, options)


@pytest.mark.parametrize(
    ("given", "tags"),
    [
        (["key=team,value=blue", "key=site,value="], (("team", "blue"), ("site", ""))),
        (["Key=team,Value=blue"], (("team", "blue"),)),
        ([" key=team, value=blue"], (("team", "blue"),)),
        (["key=a=b,value=c=d"], (("a=b", "c=d"),)),
        ([r"key=team,value=a\,b\\c\d"], (("team", r"a,b\c\d"),)),
        (['{"Key": "team", "Value": "a,b"}'], (("team", "a,b"),)),
        (
            ['[{"key": "a", "value": "b"}, {"Key": "c", "Value": "d"}]', "key=e,value=f"],
            (("a", "b"), ("c", "d"), ("e", "f")),
        ),
        (["@tags.json"], (("a", "b"),)),
        (["@@key=a,value=b"], None),
    ],
)
def test_structures_are_shorthand_or_json(
    person: Person, given: list[str], tags: tuple[tuple[str, str], ...] | None
) -> None:
    person.file("tags.json", '[{"Key": "a", "Value": "b"}]\n')
    if tags is None:
        with pytest.raises(Usage, match="has no '@key'"):
            read(tags=given)
    else:
        assert read(tags=given)["tags"] == tuple(Tag(key=key, value=value) for key, value in tags)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("tags", "key=team", "value is missing"),
        ("tags", "team", "no '='"),
        ("tags", "key=a,b,value=c", "no '='"),
        ("tags", "key=a,value=b,colour=c", "has no 'colour'"),
        ("tags", "key=a,key=b,value=c", "twice"),
        ("tags", "key=a,Key=b,value=c", "twice"),
        ("tags", "[1]", "list of structures"),
        ("tags", "[", "begins like JSON"),
        ("tags", '{"key": 1, "value": "b"}', "is not a text"),
        ("tags", "[" * 5000, "begins like JSON"),
        ("tags", '{"key": "\ud800"}', "begins like JSON"),
        ("transitive_tag_keys", "[1]", "something else"),
        ("policy", "@missing.json", "cannot be read"),
        ("policy", "@.", "cannot be read"),
        ("policy", "@binary", "not UTF-8 at byte 1"),
        ("policy", "@long", "more than 1048576 bytes"),
        ("token_code", "123456", "everybody on this machine"),
        ("token_code", "@@123456", "everybody on this machine"),
        ("token_code", "@missing", "cannot be read"),
    ],
)
def test_values_that_cannot_be_read_are_wrong_usage_with_a_hint(
    person: Person, option: str, value: str, said: str
) -> None:
    (person.home / "binary").write_bytes(b"a\xff")
    (person.home / "long").write_bytes(b"a" * ((1 << 20) + 1))
    many = option in {"tags", "transitive_tag_keys"}
    with pytest.raises(Usage, match=re.escape(said)) as refused:
        read(**{option: [value] if many else value})
    assert refused.value.hint
    assert "123456" not in str(refused.value)


@pytest.mark.facts("R38")
def test_texts_and_secrets_come_from_files_and_standard_input(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    person.file("code", "123456\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"Version": "2012-10-17"}\r\n')))
    found = read(token_code="@code", policy="-", external_id="@@home", transitive_tag_keys=["a", '["b", "c"]'])
    assert found == {
        "token_code": Secret("123456"),
        "policy": '{"Version": "2012-10-17"}',
        "external_id": "@home",
        "transitive_tag_keys": ("a", "b", "c"),
    }
    assert "123456" not in repr(found)


def test_a_single_structure_is_shorthand_or_json() -> None:
    assume_root = OPERATIONS["assume-root"]
    for value in ("arn=arn:aws:iam::aws:policy/x", '{"arn": "arn:aws:iam::aws:policy/x"}'):
        found = members_from(assume_root, {"task_policy_arn": value})
        assert found["task_policy_arn"] == PolicyDescriptorType(arn="arn:aws:iam::aws:policy/x")


def test_what_was_left_out_is_left_out_and_times_have_a_zone() -> None:
    assert read(policy=None, tags=(), duration_seconds=None) == {}
    before = members_from(OPERATIONS["revoke-sessions"], {"before": 1_767_323_045.0})["before"]
    assert before == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_any_texts_survive_shorthand(pairs: list[tuple[str, str]]) -> None:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace(",", "\\,")

    line = ",".join(f"{escaped(name)}={escaped(value)}" for name, value in pairs)
    assert _pieces(line) == [f"{name}={value}" for name, value in pairs]


# Calls


def test_whoami_says_who_and_where(root: Person, running: RunningServer) -> None:
    status, out, err = root("whoami")
    assert (status, err) == (0, "")
    assert dict(line.split("  ", 1) for line in re.sub(" {2,}", "  ", out).splitlines()) == {
        "arn": "arn:aws:iam::111122223333:root",
        "user-id": "111122223333",
        "account": "111122223333",
        "endpoint": running.url,
        "region": "eu-central-1",
    }
    document = json.loads(root("whoami", "--json").out)
    assert document["Arn"] == "arn:aws:iam::111122223333:root"
    assert (document["Endpoint"], document["Region"]) == (running.url, "eu-central-1")


def test_json_is_what_an_sdk_gives(root: Person, running: RunningServer) -> None:
    sts = boto3.client("sts", **running.boto3_arguments())
    theirs = sts.get_caller_identity()
    del theirs["ResponseMetadata"]
    assert json.loads(root("sts", "get-caller-identity", "--json").out) == theirs
    session = json.loads(root("sts", "get-session-token", "--duration-seconds", "900", "--json").out)["Credentials"]
    assert session.keys() == sts.get_session_token()["Credentials"].keys()
    root.has(
        {
            "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
        }
    )
    assert root("whoami").status == 0


def test_options_and_profiles_name_server_region_and_credentials(person: Person, running: RunningServer) -> None:
    keys = running.root_credentials
    person.file(
        ".aws/credentials",
        f"[dev]\naws_access_key_id = {keys.access_key_id}\naws_secret_access_key = {keys.secret_access_key.reveal()}\n",
    )
    person.file(".aws/config", "[profile dev]\nregion = eu-west-1\nendpoint_url = http://127.0.0.1:9\n")
    status, out, _ = person(
        "whoami", "--profile", "dev", "--endpoint-url", running.url, "--region", "eu-central-1", "--json"
    )
    assert (status, json.loads(out)["Region"]) == (0, "eu-central-1")


@pytest.mark.parametrize(
    ("arguments", "status", "said", "hint"),
    [
        (["assume-role", "--role-arn", ROLE, "--role-session-name", "me"], 3, "AccessDenied", "locum explain "),
        (["assume-role", "--role-arn", "x", "--role-session-name", "me"], 2, "'roleArn' failed to satisfy", None),
        (["assume-role", "--role-arn", ROLE], 2, "--role-session-name", "locum sts assume-role --help"),
        (["assume-role", "--role-arn", ROLE, "--role-session-name", "me", "--tags", "a"], 2, "no '='", "key=…,value=…"),
        (
            ["assume-role", "--role-arn", ROLE, "--role-session-name", "me", "--duration-seconds", "x"],
            2,
            "'x'",
            "--help",
        ),
        (["get-session-token", "--duration-seconds", "1"], 2, "'durationSeconds'", None),
        (["decode-authorization-message", "--encoded-message", "x"], 1, "InvalidAuthorizationMessage", None),
        (["get-caller-identity", "--profile", "nobody"], 2, "there is no profile 'nobody'", None),
        (["get-caller-identity", "--endpoint-url", "ftp://x"], 2, "is not a URL", None),
        (["get-delegated-access-token"], 2, "--trade-in-token is missing", "--trade-in-token @FILE"),
        (["get-delegated-access-token", "--trade-in-token", "s3cret"], 2, "is a secret", "--trade-in-token @FILE"),
        (["assume-rule"], 2, "No such command", "--help"),
    ],
)
def test_exit_statuses_and_hints(root: Person, arguments: list[str], status: int, said: str, hint: str | None) -> None:
    found, out, err = root("sts", *arguments)
    assert (found, out) == (status, "")
    first, *others = err.splitlines()
    assert first.startswith("locum: ")
    assert said in first
    assert "s3cret" not in err
    if hint is not None:
        assert others[0].startswith("hint: ")
        assert hint in others[0]


def test_no_server_no_credentials_and_no_region_are_told_apart(person: Person) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7TESTKEY", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_MAX_ATTEMPTS": "1"}
    status, out, err = person("whoami")
    assert (status, out) == (2, "")
    assert "AWS_REGION" in err
    status, out, err = person("whoami", "--region", "eu-west-1")
    assert (status, out) == (1, "")
    assert "hint: set AWS_ACCESS_KEY_ID" in err
    person.has(keys)
    status, out, err = person("whoami", "--endpoint-url", "http://127.0.0.1:9")
    assert (status, out) == (1, "")
    assert "hint: is the server running" in err
    status, out, err = person("credentials", "serve", "--region", "eu-west-1", "--", "true")
    assert (status, out) == (1, "")
    assert "these credentials do not expire" in err
    assert "hint" not in err


def test_a_code_is_asked_for_where_a_device_is_named(root: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(text: str) -> str:
        asked.append(text)
        return "123456 "

    monkeypatch.setattr("locum.client.transport.ask", ask)
    device = "arn:aws:iam::111122223333:mfa/root-account-mfa-device"
    status, _, err = root("sts", "get-session-token", "--serial-number", device)
    assert asked == [f"Enter MFA code for {device}: "]
    assert (status, "AccessDenied" in err) == (3, True)
    assert "123456" not in err


def test_a_required_secret_is_asked_for_at_a_terminal(root: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locum.client.transport.ask", lambda text: {"Trade in token: ": "abcdef"}[text])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    status, _, err = root("sts", "get-delegated-access-token")
    assert status in (1, 3)
    assert "abcdef" not in err


# What is shown

CREDENTIALS: Final = Credentials(
    access_key_id="ASIAIOSFODNN7EXAMPLE",
    secret_access_key=Secret("\x1b[2Jsecret"),
    session_token=Secret("token"),
    expiration=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)


def test_nothing_that_is_shown_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(CREDENTIALS, as_json=False)
    out, _ = capsys.readouterr()
    assert out.splitlines() == [
        "access-key-id      ASIAIOSFODNN7EXAMPLE",
        "secret-access-key  �[2Jsecret",
        "session-token      token",
        "expiration         2026-01-02T03:04:05Z",
    ]
    show(CREDENTIALS, as_json=True)
    out, _ = capsys.readouterr()
    assert "\x1b" not in out


@pytest.mark.parametrize(("no_color", "bold"), [("", True), ("1", False)])
def test_names_are_bold_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, no_color: str, bold: bool
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    long = GetWebIdentityTokenResponse(
        web_identity_token=Secret("a" * 200 + "[b]"), expiration=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    )
    show(long, as_json=False)
    out, _ = capsys.readouterr()
    assert ("\x1b[1m" in out) is bold
    assert "a" * 200 + "[b]" in re.sub(r"\s", "", out)


def test_lists_are_tables(root: Person) -> None:
    name = "arn:aws:iam::111122223333:root"
    assert root("sts", "revoke-sessions", "--principal-arn", name, "--before", "1h").status == 0
    head, row, *_ = root("sts", "list-revocations").out.splitlines()
    assert head.split() == ["SUBJECT", "NAMED", "BEFORE", "EXPIRES"]
    assert row.split()[:2] == ["principal", name]
