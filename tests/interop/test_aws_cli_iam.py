"""The AWS CLI on the control plane: runbooks as administrators write them, and what exactly the CLI asks the server."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from tests.interop.clients import AwsCli
from tests.interop.world import Account, World, allow, policy, trusts

from locum.testing import Credentials, RunningServer

pytestmark = pytest.mark.xdist_group("interop-aws-cli-iam")

SCRIPTS: Final = Path(__file__).parent / "scripts"
PNG: Final = b"\x89PNG\r\n\x1a\n"
SCRIPT_TIMEOUT: Final = 240


class Shell:
    """Runs the scripts with a user's credentials, in a folder with the documents that they read."""

    def __init__(self, cli: AwsCli, account: Account, folder: Path) -> None:
        self._environment = cli.environment(account.user(allow("*"), UserName="admin").key)
        self._environment["PATH"] = f"{cli.program.parent}:{os.environ['PATH']}"
        self._folder = folder
        documents = {
            "invoices": policy(allow("s3:GetObject", on="arn:aws:s3:::invoices/*")),
            "self": policy(allow("iam:GetUser", on=f"arn:aws:iam::{account.id}:user/billing/${{aws:username}}")),
            "trust": policy(trusts(Service="ec2.amazonaws.com")),
        }
        for name, document in documents.items():
            (folder / f"{name}.json").write_text(document)

    def run(self, script: str, *arguments: str) -> list[str]:
        """The lines that a script prints; it must end well."""
        done = subprocess.run(
            ["sh", str(SCRIPTS / script), *arguments],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=SCRIPT_TIMEOUT,
        )
        assert (done.returncode, done.stderr.strip()) == (0, "")
        return done.stdout.splitlines()


@pytest.fixture
def shell(cli: AwsCli, account: Account, tmp_path: Path) -> Shell:
    return Shell(cli, account, tmp_path)


class Heard:
    """The requests of one access key that the server has recorded since this was made."""

    def __init__(self, server: RunningServer, key: Credentials) -> None:
        self._path = server.audit_path
        self._begun = self._path.stat().st_size if self._path.exists() else 0
        self._key = key.access_key_id

    def calls(self) -> list[str]:
        """Service and operation of each request, in order."""
        with self._path.open("rb") as file:
            file.seek(self._begun)
            records = [json.loads(line) for line in file]
        return [
            f"{each['eventSource'].partition('.')[0]}:{each['eventName']}"
            for each in records
            if each["userIdentity"].get("accessKeyId") == self._key
        ]


def inventory(account: Account) -> dict[str, Any]:
    details = account.iam("GetAccountAuthorizationDetails", Filter=["User", "Role", "Group", "LocalManagedPolicy"])
    return {name: details[name] for name in ("UserDetailList", "RoleDetailList", "GroupDetailList", "Policies")}


def test_a_runbook_sets_up_what_another_takes_down(shell: Shell, account: Account) -> None:
    before = inventory(account)
    assert shell.run("onboard.sh") == [
        f"arn:aws:iam::{account.id}:policy/billing/invoices",
        f"arn:aws:iam::{account.id}:user/billing/billing-bot",
        "bots",
        f"arn:aws:iam::{account.id}:role/billing/billing",
        f"arn:aws:iam::{account.id}:instance-profile/billing",
    ]
    (role,) = account.iam("GetInstanceProfile", InstanceProfileName="billing")["InstanceProfile"]["Roles"]
    assert (role["RoleName"], role["Path"]) == ("billing", "/billing/")
    assert account.iam("ListAccountAliases")["AccountAliases"] == ["acme-billing"]
    rules = account.iam("GetAccountPasswordPolicy")["PasswordPolicy"]
    assert (rules["MinimumPasswordLength"], rules["RequireSymbols"], rules["MaxPasswordAge"]) == (16, True, 90)
    account.iam(
        "CreatePolicyVersion",
        PolicyArn=f"arn:aws:iam::{account.id}:policy/billing/invoices",
        PolicyDocument=policy(allow("s3:*")),
    )
    assert shell.run("offboard.sh") == []
    assert inventory(account) == before
    assert account.iam("ListAccountAliases")["AccountAliases"] == []


def test_a_key_is_rotated_without_a_gap(shell: Shell, account: Account) -> None:
    user = account.user(UserName="bot")
    arn, listed = shell.run("rotate.sh", "bot")
    assert arn == user.arn
    key, status = listed.split("\t")
    assert (key != user.key.access_key_id, status) == (True, "Active")


@pytest.mark.facts("CLI-001")
def test_a_command_calls_its_own_operation_only_follows_markers_and_prints_documents(
    cli: AwsCli, server: RunningServer, account: Account
) -> None:
    admin = account.user(allow("*"), UserName="admin").key
    for number in range(6):
        account.iam("CreateUser", UserName=f"u{number}")
    heard = Heard(server, admin)
    listed = json.loads(cli.run("iam", "list-users", "--page-size", "3", who=admin))
    assert [user["UserName"] for user in listed["Users"]] == ["admin", *(f"u{number}" for number in range(6))]
    assert "Marker" not in listed
    assert heard.calls() == ["iam:ListUsers"] * 3
    heard = Heard(server, admin)
    first = json.loads(cli.run("iam", "list-users", "--no-paginate", "--max-items", "3", who=admin))
    assert (len(first["Users"]), first["IsTruncated"]) == (3, True)
    assert heard.calls() == ["iam:ListUsers"]
    document = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::a+% ü/*"},
    }
    given = json.dumps(document, ensure_ascii=False)
    cli.run(
        *("iam", "put-user-policy", "--user-name", "u0", "--policy-name", "p", "--policy-document", given), who=admin
    )
    heard = Heard(server, admin)
    got = json.loads(cli.run("iam", "get-user-policy", "--user-name", "u0", "--policy-name", "p", who=admin))
    assert got["PolicyDocument"] == document
    assert heard.calls() == ["iam:GetUserPolicy"]


@pytest.mark.facts("CLI-002")
@pytest.mark.parametrize("what", ["user", "role", "policy", "instance-profile"])
def test_a_wait_asks_for_the_entity_and_ends_well(
    cli: AwsCli, server: RunningServer, account: Account, what: str
) -> None:
    admin = account.user(allow("*"), UserName="admin").key
    arn = account.managed(allow("s3:*"))
    account.iam("CreateUser", UserName="it")
    account.role(trusts(account.id), RoleName="it")
    account.iam("CreateInstanceProfile", InstanceProfileName="it")
    which = ["--policy-arn", arn] if what == "policy" else [f"--{what}-name", "it"]
    heard = Heard(server, admin)
    assert cli.run("iam", "wait", f"{what}-exists", *which, who=admin) == ""
    assert heard.calls() == [f"iam:Get{what.title().replace('-', '')}"]


@pytest.mark.facts("CLI-003")
@pytest.mark.parametrize("method", ["QRCodePNG", "Base32StringSeed"])
def test_a_virtual_device_writes_its_seed_to_a_file(cli: AwsCli, account: Account, tmp_path: Path, method: str) -> None:
    out = tmp_path / "seed"
    printed = cli.run(
        *("iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", "phone"),
        *("--outfile", str(out), "--bootstrap-method", method),
        who=account.root,
    )
    assert json.loads(printed)["VirtualMFADevice"] == {"SerialNumber": f"arn:aws:iam::{account.id}:mfa/phone"}
    seed = out.read_bytes()
    if method == "QRCodePNG":
        assert seed.startswith(PNG)
    else:
        assert len(seed) == 64
        assert seed.isalnum()
        assert seed.isupper()


@pytest.mark.facts("CLI-004")
def test_the_profile_of_a_role_calls_assume_role_only(
    cli: AwsCli, server: RunningServer, account: Account, tmp_path: Path
) -> None:
    alice = account.user(allow("sts:AssumeRole"), UserName="alice")
    role = account.role(trusts(alice.arn), RoleName="deploy")
    credentials, config = configparser.RawConfigParser(), configparser.RawConfigParser()
    credentials["alice"] = alice.key.boto3_arguments()
    config["profile deploy"] = {"source_profile": "alice", "role_arn": role.arn}
    for name, parser in (("credentials", credentials), ("config", config)):
        with (tmp_path / name).open("w") as file:
            parser.write(file)
    files = {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }
    heard = Heard(server, alice.key)
    printed = cli.run("sts", "get-caller-identity", "--profile", "deploy", "--query", "Arn", more=files)
    assert f":assumed-role/{role.name}/" in printed
    assert heard.calls() == ["sts:AssumeRole"]


@pytest.mark.parametrize("command", ["list-users", "list-roles", "list-groups", "list-policies", "list-saml-providers"])
def test_an_empty_account_answers_empty_lists(cli: AwsCli, world: World, command: str) -> None:
    scope = ["--scope", "Local"] if command == "list-policies" else []
    (listed,) = json.loads(cli.run("iam", command, *scope, who=world.account().root)).values()
    assert listed == []


def test_lists_that_belong_to_an_entity_are_empty_and_not_missing(cli: AwsCli, account: Account) -> None:
    account.role(trusts(account.id), RoleName="bare")
    account.iam("CreateUser", UserName="bare")
    account.iam("CreateGroup", GroupName="bare")
    arn = account.managed(allow("s3:*"))
    for holder in ("User", "Role", "Group"):
        for kind, member in (("Policies", "PolicyNames"), ("AttachedPolicies", "AttachedPolicies")):
            operation = f"List{kind.removesuffix('Policies')}{holder}Policies"
            assert cli.call(account.root, "iam", operation, {f"{holder}Name": "bare"})[member] == []
    holders = cli.call(account.root, "iam", "ListEntitiesForPolicy", {"PolicyArn": arn})
    assert {name: holders[name] for name in ("PolicyGroups", "PolicyUsers", "PolicyRoles")} == {
        "PolicyGroups": [],
        "PolicyUsers": [],
        "PolicyRoles": [],
    }
