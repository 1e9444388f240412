"""``locum presign-identity`` and ``locum verify-identity``, and the completion of both and of all others."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from locum.cli import COMMANDS
from locum.testing import RunningServer, server_fixture

from .person import Person
from .terminal import Outcome

pytestmark = pytest.mark.xdist_group("running-server")
running = server_fixture(scope="module", region="eu-central-1", account_id="111122223333")

CLUSTER: Final = ("--cluster", "production")
ROOT: Final = "arn:aws:iam::111122223333:root"


@pytest.fixture
def person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], running: RunningServer
) -> Person:
    person = Person(tmp_path, monkeypatch, capsys)
    person.has(running.environment())
    return person


def verified(person: Person, proof: str, *arguments: str) -> Outcome:
    person.file("proof", proof)
    return person("verify-identity", "@proof", *arguments)


@pytest.mark.facts("R21")
@pytest.mark.parametrize("form", ["url", "token", "login"])
@pytest.mark.parametrize(
    "audience",
    [CLUSTER, ("--vault", "vault.example"), ("--header", "x-for=me", "--header", "x-and=you"), ("--any-audience",)],
)
def test_a_proof_is_verified_by_whoever_it_is_for(person: Person, form: str, audience: tuple[str, ...]) -> None:
    status, proof, err = person("presign-identity", "--format", form, *audience)
    assert (status, err, proof.count("\n")) == (0, "", 1)
    person.lacks("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    status, out, err = verified(person, proof, *audience)
    assert (status, err) == (0, "")
    assert f"arn            {ROOT}" in out.splitlines()
    document = json.loads(verified(person, proof, *audience, "--json").out)
    assert (document["Arn"], document["PrincipalArn"], document["Account"]) == (ROOT, ROOT, "111122223333")
    other = verified(person, proof, "--cluster", "other")
    assert (other.status, other.out) == (3, "")


def test_a_proof_comes_from_standard_input(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    proof = person("presign-identity", *CLUSTER).out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(proof.encode())))
    assert person("verify-identity", *CLUSTER).status == 0


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        (None, "v1"),
        ('{"apiVersion": "client.authentication.k8s.io/v1beta1"}', "v1beta1"),
        ('{"apiVersion": "evil/v9"}', "v1"),
        ("{", "v1"),
        ("[]", "v1"),
        ("[" * 10_000, "v1"),
    ],
)
def test_kubectl_gets_what_it_takes_from_a_plugin(person: Person, asked: str | None, version: str) -> None:
    if asked is not None:
        person.has({"KUBERNETES_EXEC_INFO": asked})
    document = json.loads(person("presign-identity", *CLUSTER, "--format", "exec-credential").out)
    assert document["apiVersion"] == f"client.authentication.k8s.io/{version}"
    assert document["kind"] == "ExecCredential"
    ends = datetime.strptime(document["status"]["expirationTimestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert 800 < (ends - datetime.now(UTC)).total_seconds() < 860
    assert verified(person, document["status"]["token"], *CLUSTER).status == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["presign-identity"], "for whom"),
        (["verify-identity", "@proof"], "for whom"),
        (["presign-identity", *CLUSTER, "--any-audience"], "to somebody and to nobody"),
        (["presign-identity", "--header", "x-for"], "has no value"),
        (["presign-identity", *CLUSTER, "--header", "X-K8s-Aws-Id=b"], "or two"),
        (["presign-identity", "--header", "host=evil.example"], "no header that a proof can be bound by"),
        (["presign-identity", "--cluster", "a\nb"], "printable ASCII"),
        (["verify-identity", "https://sts.amazonaws.com/", *CLUSTER], "everybody on this machine"),
        (["verify-identity", "@missing", *CLUSTER], "cannot be read"),
        (["verify-identity", "@proof", *CLUSTER, "--max-age", "1000"], "--max-age"),
    ],
)
def test_wrong_usage_of_proofs(person: Person, arguments: list[str], said: str) -> None:
    person.file("proof", "x")
    status, out, err = person(*arguments)
    assert (status, out) == (2, "")
    assert said in err


def test_what_proves_nothing_is_denied_and_a_missing_server_is_a_failure(person: Person) -> None:
    proof = person("presign-identity", *CLUSTER).out.strip()
    assert verified(person, "hello", *CLUSTER).status == 3
    changed = verified(person, proof[:-1] + ("0" if proof[-1] == "1" else "1"), *CLUSTER)
    assert (changed.status, changed.out) == (3, "")
    assert "SignatureDoesNotMatch" in changed.err
    person.has({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    proof = person("presign-identity", *CLUSTER).out
    assert verified(person, proof, *CLUSTER).status == 1


# Completion


def completed(words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "locum"],
        env={
            **os.environ,
            "_LOCUM_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("locum who", ["whoami"]),
        ("locum sts get-c", ["get-caller-identity"]),
        ("locum sts assume-role --role-", ["--role-arn", "--role-session-name"]),
        ("locum assume deploy --format cred", ["credential-process"]),
        ("locum --he", ["--help"]),
        ("locum completion ", ["bash", "zsh", "fish"]),
    ],
)
def test_words_are_completed(words: str, found: list[str]) -> None:
    assert completed(words) == found


def test_every_command_is_offered() -> None:
    assert completed("locum ") == [*COMMANDS]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_takes_what_the_command_prints(person: Person, shell: str) -> None:
    status, out, err = person("completion", shell)
    assert (status, err) == (0, "")
    assert "_LOCUM_COMPLETE" in out
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed: what it would source was printed only")
    before = "compdef() { }\n" if shell == "zsh" else ""
    subprocess.run([found, "-c", before + out], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
