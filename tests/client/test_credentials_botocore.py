"""Files and variables lead the client to the credentials that botocore finds by them, over generated set-ups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import botocore.credentials
import botocore.exceptions
import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locum.client.credentials import Chain
from locum.client.failures import ConfigurationFailure, CredentialsFailure
from locum.http import Response

from .stage import ROLE, SESSION, Calls, Stage, Sts

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "env"}


class TheirSts:
    """What botocore gets for a client of STS."""

    def __init__(self, calls: Calls, key: str | None) -> None:
        self.calls, self.key = calls, key

    def assume_role(self, **arguments: Any) -> Any:
        return self._answer("AssumeRole", arguments)

    def assume_role_with_web_identity(self, **arguments: Any) -> Any:
        return self._answer("AssumeRoleWithWebIdentity", arguments)

    def _answer(self, operation: str, arguments: dict[str, Any]) -> Any:
        self.calls.append((operation, self.key, {name: str(value) for name, value in arguments.items()}))
        return {
            "Credentials": {
                "AccessKeyId": f"ASIA{len(self.calls)}",
                "SecretAccessKey": "secret",
                "SessionToken": "token",
                "Expiration": datetime.now(UTC) + timedelta(hours=1),
            },
            "AssumedRoleUser": {"Arn": SESSION},
        }


def theirs(environment: dict[str, str], profile: str | None) -> tuple[str, Calls]:
    calls: Calls = []

    def creator(session: Any, region: Any) -> Any:
        return lambda service, **arguments: TheirSts(calls, arguments.get("aws_access_key_id"))

    fetched = {
        "AccessKeyId": "ASIACONTAINER",
        "SecretAccessKey": "c",
        "Token": "c",
        "Expiration": "2099-01-01T00:00:00Z",
    }
    with (
        mock.patch.dict("os.environ", environment, clear=True),
        mock.patch.object(botocore.credentials, "_get_client_creator", creator),
        mock.patch.object(botocore.credentials.getpass, "getpass", return_value="123456"),
        mock.patch.object(botocore.credentials.ContainerMetadataFetcher, "retrieve_full_uri", return_value=fetched),
    ):
        session = botocore.session.Session(profile=profile)
        try:
            resolver = botocore.credentials.create_credential_resolver(session)
            for provider in resolver.providers:
                if hasattr(provider, "_prompter"):
                    provider._prompter = lambda text: "123456"
            got = resolver.load_credentials()
            return ("nothing" if got is None else got.get_frozen_credentials().access_key), calls
        except (botocore.exceptions.BotoCoreError, ValueError):
            return "error", calls


def ours(environment: dict[str, str], profile: str | None) -> tuple[str, Calls]:
    sts, stage = Sts(), Stage()
    stage.prompt = lambda text: "123456"
    stage.answer = container_answer
    for path in (environment["AWS_CONFIG_FILE"], environment["AWS_SHARED_CREDENTIALS_FILE"], environment["TOKEN"]):
        stage.files[path] = Path(path).read_bytes()
    try:
        return stage.play(Chain(environment, sts.ask, profile=profile).resolve()).access_key_id, sts.calls
    except CredentialsFailure as error:
        return ("nothing" if str(error).startswith("no credentials found") else "error"), sts.calls
    except ConfigurationFailure:
        return "error", sts.calls


def container_answer(_: Any) -> Any:
    return Response(
        200,
        (),
        b'{"AccessKeyId":"ASIACONTAINER","SecretAccessKey":"c","Token":"c","Expiration":"2099-01-01T00:00:00Z"}',
    )


def without_made_up_names(calls: Calls) -> Calls:
    return [
        (operation, key, {
            name: value
            for name, value in arguments.items()
            if not value.startswith(("botocore-session-", "locum-session-"))
        })
        for operation, key, arguments in calls
    ]  # fmt: skip


PROFILE_NAMES = ["default", "a", "b"]
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "role_arn": st.just(ROLE),
        "source_profile": st.sampled_from([*PROFILE_NAMES, "nowhere"]),
        "credential_source": st.sampled_from(["Environment", "EcsContainer", "Nonsense"]),
        "mfa_serial": st.just("arn:aws:iam::111122223333:mfa/me"),
        "external_id": st.just("x1"),
        "role_session_name": st.just("me"),
        "duration_seconds": st.sampled_from(["900", "many"]),
        "web_identity_token_file": st.just("TOKEN"),
    },
)
STATIC = st.sampled_from([
    {},
    {"aws_access_key_id": "AKIA", "aws_secret_access_key": "s"},
    {"aws_access_key_id": "AKIA", "aws_secret_access_key": "s", "aws_session_token": "t"},
    {"aws_access_key_id": "AKIA"},
])  # fmt: skip
VARIABLES = st.sampled_from([
    {},
    KEYS,
    {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/x"},
    {"AWS_WEB_IDENTITY_TOKEN_FILE": "TOKEN", "AWS_ROLE_ARN": ROLE},
    {"AWS_WEB_IDENTITY_TOKEN_FILE": "TOKEN"},
    {"AWS_ACCESS_KEY_ID": "AKIAENV"},
])  # fmt: skip


@pytest.mark.facts("STS-CL-017", "STS-CL-018", "STS-CL-019", "STS-CL-020", "STS-CL-021", "STS-CL-025")
def test_files_and_variables_lead_where_botocore_goes(tmp_path: Path) -> None:
    config, stored, token = tmp_path / "config", tmp_path / "credentials", tmp_path / "token"
    token.write_text("web-token")
    outcomes: dict[str, int] = {}

    def section(title: str, values: dict[str, str], suffix: str) -> str:
        lines = [f"[{title}]"]
        for name, value in values.items():
            own = f"{value}{suffix}" if name == "aws_access_key_id" else value
            lines.append(f"{name} = {token if own == 'TOKEN' else own}")
        return "\n".join(lines) + "\n"

    @settings(max_examples=150)
    @given(
        st.dictionaries(st.sampled_from(PROFILE_NAMES), st.tuples(SETTINGS, STATIC), max_size=3),
        st.dictionaries(st.sampled_from(PROFILE_NAMES), STATIC, max_size=2),
        VARIABLES,
        st.sampled_from([None, None, "default", "a"]),
    )
    def compare(
        configured: dict[str, tuple[dict[str, str], dict[str, str]]],
        in_credentials: dict[str, dict[str, str]],
        variables: dict[str, str],
        profile: str | None,
    ) -> None:
        if profile is not None and profile not in {*configured, *in_credentials}:
            profile = None
        config.write_text("".join(
            section(name if name == "default" else f"profile {name}", {**given, **static}, f"CONFIG{name.upper()}")
            for name, (given, static) in configured.items()
        ))  # fmt: skip
        stored.write_text("".join(
            section(name, static, f"STORED{name.upper()}") for name, static in in_credentials.items()
        ))  # fmt: skip
        environment = {
            "AWS_CONFIG_FILE": str(config),
            "AWS_SHARED_CREDENTIALS_FILE": str(stored),
            "AWS_EC2_METADATA_DISABLED": "true",
            "TOKEN": str(token),
            **{name: str(token) if value == "TOKEN" else value for name, value in variables.items()},
        }
        (their_outcome, their_calls), (outcome, calls) = theirs(environment, profile), ours(environment, profile)
        assert outcome == their_outcome
        if outcome != "error":
            assert without_made_up_names(calls) == without_made_up_names(their_calls)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1

    compare()
    assert len(outcomes) >= 8
    assert outcomes["error"] < sum(outcomes.values()) / 2
