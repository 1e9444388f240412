"""The AWS CLI as people use it: profiles that assume roles, documents from files, pages, waiters, exit statuses."""

from __future__ import annotations

import configparser
import json
import subprocess
from pathlib import Path

import pytest
from tests.interop.clients import CLI, TIMEOUT, AwsCli, Place, Refused
from tests.interop.world import Account, Person, Role, allow, policy, trusts

pytestmark = pytest.mark.xdist_group("interop-aws-cli")

OWNER_ONLY = 0o600


@pytest.fixture(scope="module")
def cli(place: Place, tmp_path_factory: pytest.TempPathFactory) -> AwsCli:
    """The installed program itself, from its start."""
    return AwsCli(place, tmp_path_factory.mktemp("home"), CLI)


@pytest.fixture
def alice(account: Account) -> Person:
    return account.user(allow("sts:AssumeRole"), UserName="alice")


@pytest.fixture
def deploy(account: Account, alice: Person) -> Role:
    needed = {"StringEquals": {"sts:ExternalId": "xyz-42"}}
    return account.role(trusts(alice.arn, when=needed), may=(allow("iam:ListRoles"),), RoleName="deploy", Path="/ops/")


@pytest.fixture
def files(tmp_path: Path, alice: Person, deploy: Role) -> dict[str, str]:
    """An AWS credentials file and a configuration file with profiles that assume the role."""
    credentials, config = configparser.RawConfigParser(), configparser.RawConfigParser()
    credentials["alice"] = alice.key.boto3_arguments()
    assume = {"source_profile": "alice", "role_arn": deploy.arn, "role_session_name": "by-profile"}
    config["profile deploy"] = assume | {"external_id": "xyz-42", "duration_seconds": "3600"}
    config["profile wrong"] = assume | {"external_id": "xyz-43"}
    config["profile chained"] = {"source_profile": "deploy", "role_arn": deploy.arn}
    for name, parser in (("credentials", credentials), ("config", config)):
        with (tmp_path / name).open("w") as file:
            parser.write(file)
        (tmp_path / name).chmod(OWNER_ONLY)
    return {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }


def test_a_profile_assumes_a_role_with_its_source_and_its_external_id(
    cli: AwsCli, account: Account, deploy: Role, files: dict[str, str]
) -> None:
    printed = cli.run("sts", "get-caller-identity", "--profile", "deploy", more=files)
    session = f"arn:aws:sts::{account.id}:assumed-role/deploy/by-profile"
    assert json.loads(printed) == {"UserId": f"{deploy.id}:by-profile", "Account": account.id, "Arn": session}
    listed = cli.run(
        *("iam", "list-roles", "--profile", "deploy", "--path-prefix", "/ops/"),
        *("--query", "Roles[].RoleName", "--output", "text"),
        more=files,
    )
    assert listed == "deploy\n"
    with pytest.raises(Refused) as refused:
        cli.run("iam", "get-role", "--role-name", "deploy", "--profile", "deploy", more=files)
    assert (refused.value.code, refused.value.message) == (
        "AccessDenied",
        f"User: {session} is not authorized to perform: iam:GetRole on resource: {deploy.arn} "
        "because no identity-based policy allows the iam:GetRole action",
    )


@pytest.mark.parametrize("profile", ["wrong", "chained"])
def test_a_profile_that_the_role_does_not_trust_is_refused(
    cli: AwsCli, account: Account, alice: Person, deploy: Role, files: dict[str, str], profile: str
) -> None:
    caller = alice.arn if profile == "wrong" else f"arn:aws:sts::{account.id}:assumed-role/deploy/by-profile"
    with pytest.raises(Refused) as refused:
        cli.run("sts", "get-caller-identity", "--profile", profile, more=files)
    assert (refused.value.code, refused.value.message) == (
        "AccessDenied",
        f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {deploy.arn}",
    )


def test_a_cached_session_outlives_the_key_that_made_it(
    cli: AwsCli, account: Account, alice: Person, files: dict[str, str], tmp_path: Path
) -> None:
    who = ("sts", "get-caller-identity", "--profile", "deploy", "--query", "Arn", "--output", "text")
    home = files | {"HOME": str(tmp_path)}
    session = f"arn:aws:sts::{account.id}:assumed-role/deploy/by-profile\n"
    assert cli.run(*who, more=home) == session
    account.iam("DeleteAccessKey", UserName="alice", AccessKeyId=alice.key.access_key_id)
    assert cli.run(*who, more=home) == session
    for cached in (tmp_path / ".aws" / "cli" / "cache").iterdir():
        cached.unlink()
    with pytest.raises(Refused) as refused:
        cli.run(*who, more=home)
    assert refused.value.code == "InvalidClientTokenId"


def test_iam_commands_of_a_newcomer_work_as_typed(cli: AwsCli, account: Account, tmp_path: Path) -> None:
    document = tmp_path / "trust.json"
    document.write_text(policy(trusts(account.id)))
    made = json.loads(
        cli.run(
            *("iam", "create-role", "--role-name", "Reader", "--path", "/team/", "--description", "reads <all> & more"),
            *("--assume-role-policy-document", f"file://{document}"),
            *("--tags", "Key=team,Value=blue", "Key=Zoë,Value=ñandú 漢字"),
            who=account.root,
        )
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{account.id}:role/team/Reader"
    assert made["AssumeRolePolicyDocument"] == json.loads(document.read_text())
    assert {tag["Key"]: tag["Value"] for tag in made["Tags"]} == {"team": "blue", "Zoë": "ñandú 漢字"}
    cli.run("iam", "wait", "role-exists", "--role-name", "Reader", who=account.root)
    for number in range(3):
        account.iam("CreateUser", UserName=f"u{number}")
    listed = json.loads(cli.run("iam", "list-users", "--max-items", "2", who=account.root))
    assert [user["UserName"] for user in listed["Users"]] == ["u0", "u1"]
    rest = json.loads(cli.run("iam", "list-users", "--starting-token", listed["NextToken"], who=account.root))
    assert [user["UserName"] for user in rest["Users"]] == ["u2"]


def test_an_error_has_the_clis_exit_status_and_words(cli: AwsCli, account: Account) -> None:
    done = subprocess.run(
        [str(CLI), "iam", "get-user", "--user-name", "nobody"],
        env=cli.environment(account.root),
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=TIMEOUT,
    )
    assert done.returncode in (254, 255)
    assert done.stdout == ""
    assert done.stderr.strip() == (
        "An error occurred (NoSuchEntity) when calling the GetUser operation: "
        "The user with name nobody cannot be found."
    )
