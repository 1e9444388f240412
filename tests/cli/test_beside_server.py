"""Admin commands beside the running server: the next request sees what they did; and nothing prints a secret."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

WRAPPING_KEY = b64encode(bytes(range(100, 132))).decode()


class Beside:
    """A real server with two workers, and the commands that run beside it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("LOCUM_", "AWS_"))}
        self._environ = {**clean, "LOCUM_DATA": str(directory), "LOCUM_WRAPPING_KEY": WRAPPING_KEY}
        self.log = directory.with_name("log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "locum", "serve", "--port", "0", "--workers", "2", "--log-level", "debug"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environ,
            )

    def wait_ready(self, attempts: int = 600) -> Beside:
        for _ in range(attempts):
            if found := re.search(r"serving on (http://\S+)", self.log.read_text()):
                self.url = found[1]
                return self
            try:
                self.process.wait(0.1)
                break
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError(self.log.read_text())

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "locum", *arguments], capture_output=True, text=True, env=self._environ, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sts(self, key_id: str, secret: str, token: str | None = None) -> Any:
        return boto3.client(
            "sts",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def fetch(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
            text: str = answer.read().decode()
        return text


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    return str(refused.value.response["Error"]["Code"])


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Beside]:
    server = Beside(tmp_path / "data")
    try:
        yield server.wait_ready()
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        if server.process.stdout is not None:
            server.process.stdout.close()


@pytest.mark.facts("R13", "R38")
def test_every_command_is_seen_by_the_next_request_and_no_secret_is_printed(beside: Beside) -> None:
    profile = configparser.RawConfigParser()
    profile.read(beside.directory / "root-credentials")
    root = (profile["default"]["aws_access_key_id"], profile["default"]["aws_secret_access_key"])
    secrets = {WRAPPING_KEY, root[1]}
    session = beside.sts(*root).get_session_token()["Credentials"]
    secrets |= {session["SecretAccessKey"], session["SessionToken"]}
    holder = beside.sts(session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    me = holder.get_caller_identity

    assert beside.run("health", "--port", beside.url.rpartition(":")[2]) == "ready\n"
    (old,) = json.loads(beside.run("keys", "list", "--json"))
    beside.run("keys", "rotate")
    for _ in range(4):  # whichever worker answers
        assert me()["Arn"].endswith(":root")
    beside.run("keys", "retire", old["id"])
    for _ in range(4):
        assert code_of(me) == "InvalidClientTokenId"

    other = json.loads(beside.run("account", "create", "--json"))
    secrets.add(other["SecretAccessKey"])
    caller = beside.sts(other["AccessKeyId"], other["SecretAccessKey"])
    assert caller.get_caller_identity()["Account"] == other["Account"]

    fresh = json.loads(beside.run("root", "reset-key", "--account", other["Account"], "--json"))
    secrets.add(fresh["SecretAccessKey"])
    for _ in range(4):
        assert code_of(caller.get_caller_identity) == "InvalidClientTokenId"
    renewed = beside.sts(fresh["AccessKeyId"], fresh["SecretAccessKey"])
    assert renewed.get_caller_identity()["Account"] == other["Account"]
    assert code_of(lambda: beside.sts(fresh["AccessKeyId"], "wrong" * 8).get_caller_identity()) == (
        "SignatureDoesNotMatch"
    )

    metrics = beside.fetch("/metrics")
    beside.process.terminate()
    printed, _ = beside.process.communicate()
    assert beside.process.returncode == 0
    audit = (beside.directory / "audit.jsonl").read_text()
    assert audit.count("GetCallerIdentity") >= 8
    assert 'operation="GetCallerIdentity"' in metrics
    for place in (printed, beside.log.read_text(), audit, metrics):
        assert not [each for each in secrets if each in place]
