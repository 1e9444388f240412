"""Terraform itself: its S3 backend keeps a state with the session of a role that it assumes here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.interop.bucket import Bucket, running_bucket
from tests.interop.clients import TIMEOUT
from tests.interop.world import Account, Person, Role, allow, policy, trusts

from locum.testing import RunningServer

pytestmark = pytest.mark.xdist_group("interop-terraform")

SINCE: Final = (1, 6)
"""The first release whose backend takes ``assume_role`` and ``endpoints`` as blocks."""
CONFIGURATION: Final = """\
terraform {
  backend "s3" {}
}
output "answer" { value = 42 }
"""


class Done(Exception):
    """Terraform failed; the text is what it said."""


class Terraform:
    """The program in a folder of its own."""

    def __init__(self, folder: Path, key: dict[str, str]) -> None:
        self._folder = folder
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "AWS_EC2_METADATA_DISABLED": "true",
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": os.devnull,
            "TF_IN_AUTOMATION": "1",
            **key,
        }

    def run(self, *arguments: str) -> str:
        """What it prints; :class:`Done` where it fails."""
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=TIMEOUT,
        )
        if done.returncode:
            raise Done(" ".join(done.stderr.split()))
        return done.stdout


def version() -> tuple[int, int]:
    told = subprocess.run(["terraform", "version", "-json"], capture_output=True, check=True, timeout=TIMEOUT).stdout
    major, minor, *_ = json.loads(told)["terraform_version"].split(".")
    return int(major), int(minor)


@pytest.fixture(autouse=True)
def installed() -> None:
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed: its S3 backend is NOT tested")
    if version() < SINCE:
        pytest.skip(f"terraform is older than {SINCE}: its S3 backend is NOT tested")


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with running_bucket() as running:
        yield running


@pytest.fixture
def ci(account: Account) -> Person:
    return account.user(allow("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"), UserName="ci")


@pytest.fixture
def role(account: Account, ci: Person) -> Role:
    asked = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
    needed = {"StringEquals": {"aws:RequestTag/team": "blue"}}
    return account.role(trusts(ci.arn, actions=asked, when=needed), RoleName="terraform", Path="/ci/")


def backend(server: RunningServer, bucket: Bucket, role: Role, team: str) -> str:
    return f"""\
bucket         = "state"
key            = "prod/terraform.tfstate"
region         = "us-east-1"
use_path_style = true
endpoints = {{ s3 = "{bucket.url}", sts = "{server.url}", iam = "{server.url}" }}
assume_role = {{
  role_arn        = "{role.arn}"
  session_name    = "terraform"
  duration        = "30m"
  source_identity = "ci"
  tags            = {{ team = "{team}" }}
  policy          = {json.dumps(policy(allow("s3:*")))}
}}
"""


def recorded(server: RunningServer, role: Role) -> list[dict[str, Any]]:
    """The records of AssumeRole for the role."""
    records = [json.loads(line) for line in server.audit_path.read_text().splitlines()]
    return [
        each
        for each in records
        if each["eventName"] == "AssumeRole" and (each.get("requestParameters") or {}).get("roleArn") == role.arn
    ]


def test_a_state_is_kept_with_the_session_of_a_role(
    server: RunningServer, bucket: Bucket, ci: Person, role: Role, tmp_path: Path
) -> None:
    (tmp_path / "main.tf").write_text(CONFIGURATION)
    (tmp_path / "backend.hcl").write_text(backend(server, bucket, role, "blue"))
    terraform = Terraform(tmp_path, ci.key.environment())
    terraform.run("init", "-input=false", "-backend-config=backend.hcl")
    terraform.run("apply", "-input=false", "-auto-approve")
    assert json.loads(terraform.run("output", "-json"))["answer"]["value"] == 42
    assert json.loads(bucket.objects["/state/prod/terraform.tfstate"])["outputs"]["answer"]["value"] == 42
    handed = {
        each["responseElements"]["credentials"]["accessKeyId"]
        for each in recorded(server, role)
        if each["requestParameters"]["sourceIdentity"] == "ci"
    }
    assert handed
    assert {key for key, _ in bucket.asked} <= handed
    assert all(token for _, token in bucket.asked)


def test_a_role_that_does_not_trust_the_request_keeps_terraform_out(
    server: RunningServer, bucket: Bucket, ci: Person, role: Role, tmp_path: Path
) -> None:
    (tmp_path / "main.tf").write_text(CONFIGURATION)
    (tmp_path / "backend.hcl").write_text(backend(server, bucket, role, "red"))
    with pytest.raises(Done, match=r"AccessDenied: User: .*:user/ci is not authorized to perform: sts:AssumeRole"):
        Terraform(tmp_path, ci.key.environment()).run(
            "init", "-input=false", "-no-color", "-backend-config=backend.hcl"
        )
    assert bucket.asked == []
