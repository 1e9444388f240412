"""Where credentials are looked for, and what profiles say: the same as botocore, wherever it is deterministic."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import botocore.credentials
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.api.shapes import Command
from locum.api.sts import (
    AssumeRoleCommand,
    AssumeRoleWithWebIdentityCommand,
)
from locum.client.credentials import Chain, Credentials, cache_key
from locum.client.credentials.assume import credentials_of
from locum.client.credentials.chain import MAX_SOURCES
from locum.client.effects import Flow, Prompt, ReadFile
from locum.client.failures import ClientFailure, ConfigurationFailure, CredentialsFailure
from locum.client.refresh import Refreshing
from locum.secret import Secret
from locum.wire.query import encode_command

from .stage import ROLE, START, Stage, Sts, answered

ENVIRONMENT = {"HOME": "/h", "AWS_EC2_METADATA_DISABLED": "true"}
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "env"}


def chain(
    environment: Mapping[str, str] = {},
    config: str = "",
    credentials: str = "",
    *,
    profile: str | None = None,
    sts: Sts | None = None,
) -> tuple[Stage, Chain]:
    stage = Stage()
    stage.files = {"/h/.aws/config": config.encode(), "/h/.aws/credentials": credentials.encode()}
    return stage, Chain({**ENVIRONMENT, **environment}, (sts or Sts()).ask, profile=profile)


def found(*arguments: Any, **named: Any) -> Credentials:
    stage, looking = chain(*arguments, **named)
    return stage.play(looking.resolve())


STORED = "[default]\naws_access_key_id = AKIASTORED\naws_secret_access_key = stored\n"
CONFIGURED = "[default]\naws_access_key_id = AKIACONFIG\naws_secret_access_key = configured\n"
ROLE_PROFILE = f"[profile r]\nrole_arn = {ROLE}\nsource_profile = default\n"


# The order


def test_the_environment_comes_first_and_no_file_is_read() -> None:
    stage, looking = chain({**KEYS, "AWS_PROFILE": "nowhere"}, "nonsense", "nonsense")
    assert stage.play(looking.resolve()).access_key_id == "AKIAENV"
    assert stage.of(ReadFile) == []


@pytest.mark.facts("STS-CL-017")
def test_a_profile_that_was_chosen_in_code_comes_before_the_environment() -> None:
    assert found(KEYS, CONFIGURED, profile="default").access_key_id == "AKIACONFIG"
    assert found(KEYS, CONFIGURED).access_key_id == "AKIAENV"


def test_nothing_found_names_what_was_looked_at() -> None:
    with pytest.raises(CredentialsFailure) as caught:
        found()
    assert str(caught.value) == (
        "no credentials found: the environment has no AWS_ACCESS_KEY_ID, the profile 'default' of /h/.aws/config and"
        " /h/.aws/credentials has no credentials, no container agent is named, and AWS_EC2_METADATA_DISABLED is true"
    )


def test_a_chosen_profile_has_to_exist() -> None:
    with pytest.raises(ConfigurationFailure, match="there is no profile 'nowhere'"):
        found({"AWS_PROFILE": "nowhere"}, CONFIGURED)


def test_what_was_found_first_stays() -> None:
    stage, looking = chain({}, CONFIGURED)
    stage.play(looking.resolve())
    stage.files = {}
    assert stage.play(looking.resolve()).access_key_id == "AKIACONFIG"


# Environment


@pytest.mark.facts("STS-CL-032")
def test_credentials_of_the_environment() -> None:
    got = found({
        **KEYS,
        "AWS_SESSION_TOKEN": "t",
        "AWS_CREDENTIAL_EXPIRATION": "2030-01-31T23:59:00Z",
        "AWS_ACCOUNT_ID": "111122223333",
    })  # fmt: skip
    assert got == Credentials(
        "AKIAENV", Secret("env"), Secret("t"), datetime(2030, 1, 31, 23, 59, tzinfo=UTC), "111122223333"
    )
    assert found({**KEYS, "AWS_SECURITY_TOKEN": "older"}).session_token == Secret("older")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"AWS_ACCESS_KEY_ID": "AKIA"}, "AWS_SECRET_ACCESS_KEY is not set"),
        ({"AWS_ACCESS_KEY_ID": "AKIA x", "AWS_SECRET_ACCESS_KEY": "s"}, "spaces, line breaks"),
        ({**KEYS, "AWS_SESSION_TOKEN": "a\r\nx-evil: 1"}, "spaces, line breaks"),
        ({**KEYS, "AWS_CREDENTIAL_EXPIRATION": "tomorrow"}, "ISO 8601"),
        ({**KEYS, "AWS_CREDENTIAL_EXPIRATION": "2030-01-01T00:00:00"}, "ISO 8601"),
    ],
)
def test_half_or_broken_credentials_of_the_environment_are_refused(environment: dict[str, str], message: str) -> None:
    with pytest.raises(CredentialsFailure, match=message) as caught:
        found(environment)
    assert "evil" not in str(caught.value)


# Keys in files


def test_the_credentials_file_comes_before_the_config_file() -> None:
    assert found({}, CONFIGURED, STORED).access_key_id == "AKIASTORED"
    assert found({}, CONFIGURED).access_key_id == "AKIACONFIG"


def test_keys_are_not_put_together_from_two_files() -> None:
    with pytest.raises(CredentialsFailure, match=r"^/h/\.aws/credentials, line 2: aws_access_key_id stands without"):
        found({}, CONFIGURED, "[default]\naws_access_key_id = AKIAHALF\n")


# Roles


@pytest.mark.facts("STS-CL-018", "STS-CL-010")
def test_a_profile_s_role_is_assumed_with_its_source_profile() -> None:
    sts = Sts()
    got = found(
        {},
        ROLE_PROFILE + "external_id = x1\nrole_session_name = me\nduration_seconds = 900\n",
        STORED,
        profile="r",
        sts=sts,
    )
    asked = {"RoleArn": ROLE, "RoleSessionName": "me", "ExternalId": "x1", "DurationSeconds": "900"}
    assert sts.calls == [("AssumeRole", "AKIASTORED", asked)]
    assert (got.access_key_id, got.account_id) == ("ASIA1", "111122223333")


def test_a_duration_that_is_no_integer_is_ignored() -> None:
    sts = Sts()
    found({}, ROLE_PROFILE + "duration_seconds = an hour\n", STORED, profile="r", sts=sts)
    assert "DurationSeconds" not in sts.calls[0][2]


@pytest.mark.facts("STS-CL-023")
def test_a_session_name_is_made_up_once() -> None:
    sts = Sts()
    stage, looking = chain({}, ROLE_PROFILE, STORED, profile="r", sts=sts)
    for _ in range(2):
        stage.play(looking.resolve())
        stage.now += 5
    assert [arguments["RoleSessionName"] for _, _, arguments in sts.calls] == [f"locum-session-{int(START)}"] * 2


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            f"[profile r]\nrole_arn = {ROLE}\nsource_profile = default\ncredential_source = Environment\n",
            "line 3: the profile 'r' has both source_profile and credential_source; remove one",
        ),
        (f"[profile r]\nrole_arn = {ROLE}\n", "line 2: the profile 'r' has a role_arn and nothing to assume it with"),
        (f"[profile r]\nrole_arn = {ROLE}\nsource_profile = x\n", "line 3: there is no profile 'x'; correct"),
        (f"[profile r]\nrole_arn = {ROLE}\nsource_profile = r\n", "line 3: the source profiles go round in a circle"),
        (
            f"[profile r]\nrole_arn = {ROLE}\nsource_profile = s\n[profile s]\nrole_arn = {ROLE}\nsource_profile = r\n",
            "line 6: the source profiles go round in a circle: r → s → r; change one",
        ),
        (
            f"[profile r]\nrole_arn = {ROLE}\nsource_profile = s\n[profile s]\nregion = x\n",
            "line 3: the source profile 's' has no credentials; add some",
        ),
        (f"[profile r]\nrole_arn = {ROLE}\ncredential_source = Ec2\n", "line 3: credential_source has to be Environ"),
        ("[profile r]\nrole_arn =\nsource_profile = default\n", "line 2: role_arn is empty"),
    ],
)
@pytest.mark.facts("STS-CL-018", "STS-CL-019", "STS-CL-020")
def test_roles_that_are_set_up_wrongly_are_named_with_file_and_line(config: str, message: str) -> None:
    with pytest.raises(ConfigurationFailure) as caught:
        found({}, config, STORED, profile="r")
    assert f"/h/.aws/config, {message}" in str(caught.value)


@pytest.mark.facts("STS-CL-020")
def test_a_profile_with_keys_may_be_its_own_source() -> None:
    sts = Sts()
    config = f"[profile r]\nrole_arn = {ROLE}\nsource_profile = r\naws_access_key_id = AKIAR\n"
    assert found({}, config + "aws_secret_access_key = s\n", profile="r", sts=sts).access_key_id == "ASIA1"
    assert sts.calls[0][1] == "AKIAR"


@pytest.mark.facts("STS-CL-019")
def test_the_environment_as_credential_source() -> None:
    sts = Sts()
    config = f"[profile r]\nrole_arn = {ROLE}\ncredential_source = Environment\n"
    assert found(KEYS, config, profile="r", sts=sts).access_key_id == "ASIA1"
    assert sts.calls[0][1] == "AKIAENV"
    with pytest.raises(CredentialsFailure, match="line 3: the environment has no AWS_ACCESS_KEY_ID"):
        found({}, config, profile="r")


def test_a_long_row_of_source_profiles_is_bounded() -> None:
    config = "".join(f"[profile p{n}]\nrole_arn = {ROLE}\nsource_profile = p{n + 1}\n" for n in range(MAX_SOURCES * 40))
    with pytest.raises(ConfigurationFailure, match=f"more than {MAX_SOURCES} profiles"):
        found({}, config, profile="p0")


def test_a_source_role_is_kept_while_it_is_valid() -> None:
    sts = Sts(lifetime=900)
    config = f"{ROLE_PROFILE}[profile q]\nrole_arn = {ROLE}\nsource_profile = r\n"
    stage, looking = chain({}, config, STORED, profile="q", sts=sts)
    stage.play(looking.resolve())
    stage.now += 60
    stage.play(looking.resolve())
    assert [key for _, key, _ in sts.calls] == ["AKIASTORED", "ASIA1", "ASIA1"]


# MFA


MFA_PROFILE = ROLE_PROFILE + "mfa_serial = arn:aws:iam::111122223333:mfa/me\n"


@pytest.mark.facts("STS-CL-022")
def test_a_person_is_asked_for_the_code_once_and_never_behind_their_back() -> None:
    sts = Sts(lifetime=900)
    stage, looking = chain({}, MFA_PROFILE, STORED, profile="r", sts=sts)
    stage.prompt = lambda text: " 123456\n"
    held = Refreshing(looking)
    stage.play(held.resolve())
    assert [each.text for each in stage.of(Prompt)] == ["Enter MFA code for arn:aws:iam::111122223333:mfa/me: "]
    assert sts.calls[0][2]["TokenCode"] == "123456"
    stage.now += 890
    stage.play(held.resolve())
    stage.play_behind()
    stage.now += 20
    with pytest.raises(CredentialsFailure, match="needs a new code of the MFA device arn:aws:iam::111122223333:mfa/me"):
        stage.play(held.resolve())
    assert len(stage.of(Prompt)) == len(sts.calls) == 1


def test_a_wrong_code_may_be_tried_again() -> None:
    class Wrong(Sts):
        def ask(self, command: Command[Any], credentials: Credentials | None, /) -> Flow[Any]:
            if dict(encode_command(command))["TokenCode"] == "000000":
                raise CredentialsFailure("wrong")
            return (yield from super().ask(command, credentials))

    codes = iter(["000000", "123456"])
    stage, looking = chain({}, MFA_PROFILE, STORED, profile="r", sts=Wrong())
    stage.prompt = lambda text: next(codes)
    with pytest.raises(CredentialsFailure, match="wrong"):
        stage.play(looking.resolve())
    assert stage.play(looking.resolve()).access_key_id == "ASIA1"


# Web identity


@pytest.mark.facts("STS-CL-021", "STS-CL-025")
def test_a_web_identity_token_is_read_from_its_file_each_time() -> None:
    sts = Sts()
    config = f"[profile w]\nrole_arn = {ROLE}\nweb_identity_token_file = /token\nsource_profile = default\n"
    stage, looking = chain({}, config, STORED, profile="w", sts=sts)
    for token in (b"first", b"second\n"):
        stage.files["/token"] = token
        stage.play(looking.resolve())
    assert [(name, key, each["WebIdentityToken"]) for name, key, each in sts.calls] == [
        ("AssumeRoleWithWebIdentity", None, "first"),
        ("AssumeRoleWithWebIdentity", None, "second"),
    ]


@pytest.mark.facts("STS-CL-025")
def test_the_environment_s_web_identity_comes_before_the_profile_s() -> None:
    sts = Sts()
    config = "[default]\nrole_arn = arn:aws:iam::111122223333:role/p\nweb_identity_token_file = /profile\n"
    variables = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/env", "AWS_ROLE_ARN": ROLE, "AWS_ROLE_SESSION_NAME": "pod"}
    stage, looking = chain(variables, config, sts=sts)
    stage.files |= {"/profile": b"profile", "/env": b"environment"}
    stage.play(looking.resolve())
    asked = {"RoleArn": ROLE, "RoleSessionName": "pod", "WebIdentityToken": "environment"}
    assert sts.calls == [("AssumeRoleWithWebIdentity", None, asked)]
    with pytest.raises(ConfigurationFailure, match=r"^AWS_WEB_IDENTITY_TOKEN_FILE: .* needs a role: set AWS_ROLE_ARN"):
        found({"AWS_WEB_IDENTITY_TOKEN_FILE": "/env"})


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", OSError(2, "No such file or directory")])
def test_a_file_without_a_token_is_named(content: bytes | OSError) -> None:
    stage, looking = chain({"AWS_WEB_IDENTITY_TOKEN_FILE": "/env", "AWS_ROLE_ARN": ROLE})
    stage.files["/env"] = content
    with pytest.raises(CredentialsFailure, match=r"^AWS_WEB_IDENTITY_TOKEN_FILE: /env: "):
        stage.play(looking.resolve())


# What locum does not do


@pytest.mark.parametrize("name", ["sso_session", "sso_start_url", "login_session"])
def test_sign_in_by_browser_is_refused_with_the_way_round_it(name: str) -> None:
    with pytest.raises(ConfigurationFailure) as caught:
        found({}, f"[profile corp]\nregion = x\n{name} = y\n", profile="corp")
    message = str(caught.value)
    assert message.startswith("/h/.aws/config, line 3: the profile 'corp' is for ")
    assert "credential_process = aws configure export-credentials --profile corp" in message


# Caches


ARGUMENTS = st.fixed_dictionaries(
    {"role_arn": st.just(ROLE)},
    optional={
        "duration_seconds": st.integers(900, 43_200),
        "external_id": st.text("abc:/", min_size=2, max_size=5),
        "policy": st.sampled_from(['{"b": 1, "a": [2]}', "{}"]),
        "role_session_name": st.just("me"),
        "serial_number": st.just("arn:aws:iam::111122223333:mfa/me"),
    },
)


@given(ARGUMENTS)
@pytest.mark.facts("STS-CL-024")
def test_the_cache_key_is_botocore_s(arguments: dict[str, Any]) -> None:
    theirs_named = {
        "duration_seconds": "DurationSeconds",
        "external_id": "ExternalId",
        "policy": "Policy",
        "role_session_name": "RoleSessionName",
        "serial_number": "SerialNumber",
    }
    extra = {theirs_named[name]: value for name, value in arguments.items() if name != "role_arn"}
    fetcher = botocore.credentials.AssumeRoleCredentialFetcher(None, None, ROLE, extra_args=extra)
    command = AssumeRoleCommand(**{"role_session_name": "made-up", **arguments})
    named = "role_session_name" in arguments
    assert cache_key(command, generated_name=not named) == fetcher._cache_key
    coded = AssumeRoleCommand(**{"role_session_name": "made-up", **arguments}, token_code=Secret("123456"))
    assert cache_key(coded, generated_name=not named) == fetcher._cache_key


def test_a_policy_that_is_not_json_has_no_cache_key() -> None:
    with pytest.raises(ConfigurationFailure, match="not JSON"):
        cache_key(AssumeRoleCommand(role_arn=ROLE, role_session_name="me", policy="{"))


def test_cached_credentials_are_used_while_a_quarter_of_the_time_is_left() -> None:
    from locum.client.credentials import AssumeRole, Static

    cache: dict[str, Credentials] = {}
    sts, stage = Sts(lifetime=900), Stage()
    source = Static(Credentials("AKIA", Secret("s")))
    command = AssumeRoleCommand(role_arn=ROLE, role_session_name="", duration_seconds=900)

    def other_program() -> str:
        return stage.play(AssumeRole(sts.ask, source, command, cache=cache).resolve()).access_key_id

    assert [other_program(), other_program()] == ["ASIA1", "ASIA1"]
    stage.now += 674
    assert other_program() == "ASIA1"
    stage.now += 2
    assert other_program() == "ASIA2"
    assert len(cache) == 1


# Answers


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            AssumeRoleCommand(role_arn=ROLE, role_session_name="me"),
            f"Invalid response from STS.assumeRole call with role {ROLE}",
        ),
        (
            AssumeRoleWithWebIdentityCommand(role_arn=ROLE, role_session_name="me", web_identity_token=Secret("token")),
            f"Invalid response from STS.assumeRoleWithWebIdentity call with role {ROLE}",
        ),
    ],
)
@pytest.mark.parametrize("lacking", ["credentials", "access_key_id", "secret_access_key"])
@pytest.mark.facts("STS-CL-015")
def test_an_answer_without_credentials_is_refused(command: Command[Any], message: str, lacking: str) -> None:
    parts = {
        "access_key_id": "ASIA",
        "secret_access_key": Secret("s"),
        "session_token": Secret("t"),
        "expiration": datetime(2030, 1, 1, tzinfo=UTC),
    }
    inner = None if lacking == "credentials" else mock.Mock(**{**parts, lacking: None})
    with pytest.raises(CredentialsFailure) as caught:
        credentials_of(mock.Mock(credentials=inner, assumed_role_user=None, federated_user=None), command)
    assert str(caught.value) == message


@pytest.mark.facts("STS-CL-016", "STS-CL-010")
def test_an_answer_s_credentials_carry_expiration_and_account() -> None:
    until = datetime(2030, 1, 1, tzinfo=UTC)
    command = AssumeRoleCommand(role_arn=ROLE, role_session_name="me")
    assert credentials_of(answered("ASIA", until), command) == Credentials(
        "ASIA", Secret("s"), Secret("t"), until, "111122223333"
    )


@pytest.mark.facts("R38")
def test_credentials_do_not_print() -> None:
    shown = repr(Credentials("AKIA", Secret("hush"), Secret("quiet")))
    assert "AKIA" in shown
    assert not any(word in shown for word in ("hush", "quiet"))


def test_every_failure_of_the_chain_is_the_client_s_own() -> None:
    for config, variables in itertools.product(("nonsense", ROLE_PROFILE), ({"AWS_PROFILE": "r"}, {})):
        with pytest.raises(ClientFailure):
            found(variables, config)
