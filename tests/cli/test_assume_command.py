"""``locum assume``: credentials for a shell, a program, one command; and the sessions that it keeps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b32decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import boto3
import pytest

from locum.cli.assume import environment_for
from locum.cli.cache import cache_directory
from locum.client.credentials.base import Credentials
from locum.core import totp
from locum.secret import Secret
from locum.testing import RunningServer, server_fixture

from .person import Person

pytestmark = pytest.mark.xdist_group("running-server")
running = server_fixture(scope="module", region="eu-central-1", account_id="111122223333")

ROLE: Final = "arn:aws:iam::111122223333:role/team/deploy"


class Scene(NamedTuple):
    person: Person
    server: RunningServer

    def sessions(self) -> int:
        """How many sessions the server has issued."""
        lines = self.server.audit_path.read_text().splitlines()
        return sum(each["eventName"] == "AssumeRole" and "errorCode" not in each for each in map(json.loads, lines))

    def shell(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "locum", *arguments],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def allow(action: str, **principal: object) -> str:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": action, **(principal or {"Resource": "*"})}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


@pytest.fixture(scope="module")
def keys(running: RunningServer) -> dict[str, str]:
    iam = boto3.client("iam", **running.boto3_arguments())
    trust = allow("sts:AssumeRole", Principal={"AWS": running.account_id})
    iam.create_role(Path="/team/", RoleName="deploy", AssumeRolePolicyDocument=trust)
    iam.create_user(UserName="alice")
    iam.put_user_policy(UserName="alice", PolicyName="may", PolicyDocument=allow("sts:*"))
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


@pytest.fixture
def scene(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    running: RunningServer,
    keys: dict[str, str],
) -> Iterator[Scene]:
    person = Person(tmp_path, monkeypatch, capsys)
    person.has(running.environment() | keys)
    yield Scene(person, running)
    for path in cache_directory(os.environ).glob("*"):
        assert path.stat().st_mode & 0o077 == 0


def save_keys(person: Person, profile: str) -> None:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    lines = "".join(f"{name.lower()} = {os.environ[name]}\n" for name in names)
    person.file(".aws/credentials", f"[{profile}]\n{lines}")


def arn_of(scene: Scene, document: dict[str, str]) -> str:
    sts = boto3.client(
        "sts",
        endpoint_url=scene.server.url,
        region_name="eu-central-1",
        aws_access_key_id=document["AccessKeyId"],
        aws_secret_access_key=document["SecretAccessKey"],
        aws_session_token=document["SessionToken"],
    )
    return str(sts.get_caller_identity()["Arn"])


@pytest.mark.parametrize("role", [ROLE, "team/deploy", "/team/deploy"])
def test_a_role_is_an_arn_or_a_name_in_ones_own_account(scene: Scene, role: str) -> None:
    status, out, err = scene.person("assume", role, "--format", "json", "--role-session-name", "me")
    assert (status, err) == (0, "")
    document = json.loads(out)
    assert arn_of(scene, document) == "arn:aws:sts::111122223333:assumed-role/deploy/me"
    assert document["AccountId"] == "111122223333"


def test_the_printed_lines_are_what_a_shell_needs(scene: Scene) -> None:
    command = f'eval "$({sys.executable} -m locum assume {ROLE})" && {sys.executable} -m locum whoami --json'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["Arn"].startswith("arn:aws:sts::111122223333:assumed-role/deploy/locum-session-")


@pytest.mark.facts("STS-CL-026")
def test_a_profile_of_any_sdk_can_get_them_from_the_command(scene: Scene) -> None:
    save_keys(scene.person, "me")
    scene.person.file(
        ".aws/config",
        f"[profile dev]\ncredential_process = {sys.executable} -m locum assume {ROLE} --profile me"
        " --format credential-process\n",
    )
    scene.person.lacks("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    session = boto3.Session(profile_name="dev")
    assert ":assumed-role/deploy/" in session.client("sts").get_caller_identity()["Arn"]


# One command


def test_a_command_gets_the_session_and_its_status_is_the_answer(scene: Scene) -> None:
    done = scene.shell(
        "assume", ROLE, "--exec", "--", sys.executable, "-m", "locum", "whoami", "--json", AWS_PROFILE=""
    )
    assert done.returncode == 0, done.stderr
    assert ":assumed-role/deploy/" in json.loads(done.stdout)["Arn"]
    done = scene.shell("assume", ROLE, "--exec", "--", "sh", "-c", 'echo "$1"; exit 42', "sh", "--format $(x)")
    assert (done.returncode, done.stdout, done.stderr) == (42, "--format $(x)\n", "")


@pytest.mark.parametrize(("program", "status"), [("./missing", 127), ("./plain", 126)])
def test_a_command_that_cannot_be_run_has_the_status_of_shells(scene: Scene, program: str, status: int) -> None:
    scene.person.file("plain", "x")
    done = scene.shell("assume", ROLE, "--exec", "--", program)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(f"locum: {program} cannot be run")


def test_a_command_is_not_run_where_the_role_cannot_be_assumed(scene: Scene) -> None:
    done = scene.shell("assume", ROLE + "x", "--exec", "--", "touch", str(scene.person.home / "run"))
    assert done.returncode == 3
    assert "AccessDenied" in done.stderr
    assert not (scene.person.home / "run").exists()


def test_a_command_has_these_credentials_and_no_others() -> None:
    before = {
        "PATH": "/bin",
        "AWS_PROFILE": "dev",
        "AWS_SECURITY_TOKEN": "old",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "token",
        "AWS_CA_BUNDLE": "ca.pem",
        "AWS_REGION": "eu-west-1",
    }
    found = environment_for(
        Credentials("ASIAIOSFODNN7EXAMPLE", Secret("s"), Secret("t")),
        {"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1"},
        before,
    )
    assert found == {
        "PATH": "/bin",
        "AWS_CA_BUNDLE": "ca.pem",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_SESSION_TOKEN": "t",
    }


def test_region_and_endpoints_of_a_profile_go_along(scene: Scene, running: RunningServer) -> None:
    scene.person.file(
        ".aws/config",
        "[profile dev]\nregion = eu-central-1\n"
        f"endpoint_url = {running.url}\nservices = all\n[services all]\nsts =\n  endpoint_url = {running.url}/\n",
    )
    save_keys(scene.person, "dev")
    for name in list(os.environ):
        if name.startswith("AWS_") and name != "AWS_EC2_METADATA_DISABLED":
            scene.person.lacks(name)
    done = scene.shell("assume", ROLE, "--profile", "dev", "--exec", "--", "env")
    assert done.returncode == 0, done.stderr
    lines = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    assert (lines["AWS_REGION"], lines["AWS_DEFAULT_REGION"]) == ("eu-central-1", "eu-central-1")
    assert (lines["AWS_ENDPOINT_URL"], lines["AWS_ENDPOINT_URL_STS"]) == (running.url, f"{running.url}/")


# The sessions that are kept


def test_a_session_is_used_again_and_not_by_others(scene: Scene, running: RunningServer) -> None:
    person, before = scene.person, scene.sessions()
    first = person("assume", ROLE, "--format", "json")
    assert person("assume", ROLE, "--format", "json").out == first.out
    assert scene.sessions() == before + 1
    other = person("assume", ROLE, "--format", "json", "--duration-seconds", "900").out
    fresh = person("assume", ROLE, "--format", "json", "--no-cache").out
    assert len({first.out, other, fresh}) == 3
    assert scene.sessions() == before + 3
    assert person("assume", ROLE, "--format", "json").out == first.out
    iam = boto3.client("iam", **running.boto3_arguments())
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    person.has({"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]})
    assert person("assume", ROLE, "--format", "json").out != first.out
    iam.delete_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"])


def test_nothing_is_kept_that_should_not_be(scene: Scene) -> None:
    assert scene.person("assume", ROLE, "--no-cache").status == 0
    assert not cache_directory(os.environ).exists()


def test_an_unsafe_directory_is_refused_with_what_to_do(scene: Scene) -> None:
    directory = cache_directory(os.environ)
    directory.mkdir(parents=True)
    directory.chmod(0o777)
    status, out, err = scene.person("assume", ROLE)
    assert (status, out) == (1, "")
    assert "chmod 700" in err
    assert "--no-cache" in err
    assert scene.person("assume", ROLE, "--no-cache").status == 0


def test_a_code_is_asked_for_once_and_then_the_session_is_kept(
    scene: Scene, running: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    iam = boto3.client("iam", **running.boto3_arguments())
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="alice")["VirtualMFADevice"]
    serial, seed = device["SerialNumber"], b32decode(device["Base32StringSeed"])
    step = totp.step_at(running.clock())
    iam.enable_mfa_device(
        UserName="alice",
        SerialNumber=serial,
        AuthenticationCode1=totp.code(seed, step - 1),
        AuthenticationCode2=totp.code(seed, step),
    )
    asked: list[str] = []

    def ask(text: str) -> str:
        asked.append(text)
        return totp.code(seed, step + 1)

    monkeypatch.setattr("locum.client.transport.ask", ask)
    arguments = ("assume", ROLE, "--serial-number", serial, "--format", "json")
    status, first, err = scene.person(*arguments)
    assert (status, err) == (0, "")
    assert scene.person(*arguments).out == first
    assert asked == [f"Enter MFA code for {serial}: "]
    assert scene.person("assume", ROLE, "--format", "json").out != first


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--exec"], "--exec needs a command"),
        (["--", "ls"], "without --exec"),
        (["--exec", "--format", "env", "--", "ls"], "exclude each other"),
        (["--format", "xml"], "'xml'"),
        (["--role-arn", ROLE], "No such option"),
        (["--token-code", "123456"], "everybody on this machine"),
        (["--duration-seconds", "1"], "'durationSeconds'"),
    ],
)
def test_wrong_usage(scene: Scene, arguments: list[str], said: str) -> None:
    status, out, err = scene.person("assume", ROLE, *arguments)
    assert (status, out) == (2, "")
    assert said in err
