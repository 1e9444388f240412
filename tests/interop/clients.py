"""Three real clients behind one call, so that one scene runs with each: boto3, the AWS CLI, the SDK for JavaScript.

The clients are as published and only told where the endpoint is.  Parameters and answers have the names of the API.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from locum.secret import Secret
from locum.testing import Credentials

HERE: Final = Path(__file__).parent
PLAIN: Final = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
"""Every answer is seen as it came, and what a client would refuse itself reaches the server."""
CLI: Final = Path(sys.executable).with_name("aws")
TIMEOUT: Final = 60
"""Seconds after which a program of these tests is taken to hang."""


class Place(NamedTuple):
    """Where a server is."""

    url: str
    region: str


class Refused(Exception):
    """An error answer: code, message and HTTP status as the client's own error shows them; 0 where it shows none."""

    def __init__(self, code: str, message: str, status: int = 0, request_id: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code: Final = code
        self.message: Final = message
        self.status: Final = status
        self.request_id: Final = request_id


class Client(Protocol):
    """One call with given credentials; :class:`Refused` where the server answers an error."""

    def call(self, who: Credentials, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """The answer's members, times as the client prints them."""


def credentials_in(answer: dict[str, Any], account: str = "") -> Credentials:
    """The credentials in the answer of AssumeRole, GetSessionToken or CreateAccessKey."""
    found = answer["Credentials"] if "Credentials" in answer else answer["AccessKey"]
    token = found.get("SessionToken")
    return Credentials(
        account_id=account,
        access_key_id=found["AccessKeyId"],
        secret_access_key=Secret(found["SecretAccessKey"]),
        session_token=None if token is None else Secret(token),
    )


class Boto3:
    """boto3, one client for each service and credentials."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._clients: dict[tuple[str, Credentials], Any] = {}

    def client(self, who: Credentials, service: str) -> Any:
        """boto3's own client."""
        key = (service, who)
        if key not in self._clients:
            self._clients[key] = boto3.client(
                service,
                endpoint_url=self._place.url,
                region_name=self._place.region,
                config=PLAIN,
                **who.boto3_arguments(),
            )
        return self._clients[key]

    def call(self, who: Credentials, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """See :class:`Client`."""
        try:
            answer: dict[str, Any] = getattr(self.client(who, service), xform_name(operation))(**parameters)
        except ClientError as error:
            raise refused(error) from None
        del answer["ResponseMetadata"]
        return answer

    def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            client.close()


def refused(error: ClientError) -> Refused:
    """What botocore knows of an error answer."""
    metadata = error.response["ResponseMetadata"]
    return Refused(
        error.response["Error"]["Code"],
        error.response["Error"]["Message"],
        metadata["HTTPStatusCode"],
        metadata["RequestId"],
    )


class Node:
    """The AWS SDK for JavaScript, in one process that runs ``runner.mjs``."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._process = _program(["node", "runner.mjs"])

    @staticmethod
    def missing() -> str:
        """Why it cannot run here; empty where it can."""
        if shutil.which("node") is None:
            return "node is not installed: the AWS SDK for JavaScript is NOT tested"
        if not (HERE / "node_modules" / "@aws-sdk" / "client-sts").is_dir():
            return "tests/interop/node_modules is missing (npm ci): the AWS SDK for JavaScript is NOT tested"
        return ""

    def call(self, who: Credentials, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """See :class:`Client`."""
        credentials = {"accessKeyId": who.access_key_id, "secretAccessKey": who.secret_access_key.reveal()}
        if who.session_token is not None:
            credentials["sessionToken"] = who.session_token.reveal()
        request = {
            "service": service,
            "endpoint": self._place.url,
            "region": self._place.region,
            "credentials": credentials,
            "operation": operation,
            "parameters": parameters,
        }
        outcome = _ask(self._process, request)
        if error := outcome.get("error"):
            raise Refused(error["code"], error["message"], error.get("status", 0), error.get("requestId", ""))
        answer: dict[str, Any] = outcome["answer"]
        return answer

    def close(self) -> None:
        """End the process."""
        _end(self._process)


class AwsCli:
    """The AWS CLI with an empty home: ``program`` is the executable."""

    def __init__(self, place: Place, home: Path, program: Path) -> None:
        self._place = place
        self._home = home
        self.program: Final = program

    def environment(self, who: Credentials | None = None) -> dict[str, str]:
        """The whole environment of a call, with credentials where they are given."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "AWS_ENDPOINT_URL": self._place.url,
            "AWS_DEFAULT_REGION": self._place.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
            "PYTHONUTF8": "1",
            **(who.environment() if who is not None else {}),
        }

    def run(self, *arguments: str, who: Credentials | None = None, more: Mapping[str, str] | None = None) -> str:
        """What the program ``aws …`` prints; :class:`Refused` where it reports an error.  ``more`` is environment."""
        done = subprocess.run(
            [str(self.program), *arguments],
            env=self.environment(who) | dict(more or {}),
            capture_output=True,
            check=False,
            timeout=TIMEOUT,
        )
        # Not in text mode, which would change line ends that are a part of what is printed.
        return _printed(done.returncode, done.stdout.decode(), done.stderr.decode())

    def call(self, who: Credentials, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """See :class:`Client`."""
        options = [
            part
            for name, value in parameters.items()
            for part in (f"--{xform_name(name, '-')}", value if isinstance(value, str) else json.dumps(value))
        ]
        command = [service, xform_name(operation, "-"), "--output", "json", *options]
        printed = self.run(*command, who=who)
        answer: dict[str, Any] = json.loads(printed) if printed.strip() else {}
        return answer


def _program(command: list[str]) -> subprocess.Popen[str]:
    """A program that answers each line with one."""
    return subprocess.Popen(
        command,
        cwd=HERE,
        env={"PATH": os.environ["PATH"], "PYTHONUTF8": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def _ask(process: subprocess.Popen[str], question: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{json.dumps(question)}\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.wait(TIMEOUT)
    process.stdout.close()


def _printed(status: int, out: str, err: str) -> str:
    if status:
        raise _reported(err)
    return out


def _reported(stderr: str) -> Refused:
    """``An error occurred (Code) when calling the X operation: message`` taken apart."""
    _, _, rest = stderr.strip().partition("An error occurred (")
    code, _, rest = rest.partition(")")
    _, separator, message = rest.partition(" operation: ")
    if not separator:
        raise AssertionError(f"the AWS CLI failed: {stderr}")
    return Refused(code, message)


def instant(value: Any) -> datetime.datetime:
    """A time as any of the clients gives it."""
    return value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(value)
