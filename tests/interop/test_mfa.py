"""MFA as people use it: a device set up with boto3 and the AWS CLI, and profiles that ask for its code."""

from __future__ import annotations

import configparser
import json
import subprocess
import sys
from base64 import b32decode
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from tests.interop.clients import CLI, TIMEOUT, AwsCli, Boto3, Refused, credentials_in
from tests.interop.world import Account, Person, Role, World, allow, told, trusts

from locum.core import totp

pytestmark = pytest.mark.xdist_group("interop-aws-cli")

OWNER_ONLY: Final = 0o600
MFA: Final = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
INVALID: Final = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
WHO_BY_PROFILE: Final = "import boto3; print(boto3.Session().client('sts').get_caller_identity()['Arn'])"


class Phone(NamedTuple):
    """A virtual device, as its owner holds it."""

    serial: str
    seed: bytes
    world: World

    def code(self, away: int = 0) -> str:
        """What it shows ``away`` steps from the server's now."""
        return totp.code(self.seed, totp.step_at(self.world.server.clock()) + away)

    def proof(self, away: int = 0) -> dict[str, str]:
        return {"SerialNumber": self.serial, "TokenCode": self.code(away)}

    def pair(self, away: int = 0) -> dict[str, str]:
        return {
            "SerialNumber": self.serial,
            "AuthenticationCode1": self.code(away - 1),
            "AuthenticationCode2": self.code(away),
        }


def new_phone(world: World, account: Account, name: str) -> Phone:
    made = account.iam("CreateVirtualMFADevice", VirtualMFADeviceName=name)["VirtualMFADevice"]
    assert made["QRCodePNG"].startswith(b"\x89PNG")
    return Phone(made["SerialNumber"], b32decode(made["Base32StringSeed"]), world)


@pytest.fixture
def alice(account: Account) -> Person:
    return account.user(allow("sts:AssumeRole"), allow("iam:GetUser"), UserName="alice")


@pytest.fixture
def phone(world: World, account: Account, alice: Person) -> Phone:
    made = new_phone(world, account, "alice-phone")
    account.iam("EnableMFADevice", UserName=alice.name, **made.pair())
    return made


@pytest.fixture
def careful(account: Account, alice: Person) -> Role:
    return account.role(trusts(alice.arn, when=MFA), RoleName="careful")


@pytest.fixture
def profile(tmp_path: Path, alice: Person, phone: Phone, careful: Role) -> dict[str, str]:
    """The environment of a profile that assumes the role with the device."""
    credentials, config = configparser.RawConfigParser(), configparser.RawConfigParser()
    credentials["alice"] = alice.key.boto3_arguments()
    config["profile careful"] = {
        "source_profile": "alice",
        "role_arn": careful.arn,
        "role_session_name": "by-profile",
        "mfa_serial": phone.serial,
    }
    for name, parser in (("credentials", credentials), ("config", config)):
        with (tmp_path / name).open("w") as file:
            parser.write(file)
        (tmp_path / name).chmod(OWNER_ONLY)
    return {
        "HOME": str(tmp_path),
        "AWS_PROFILE": "careful",
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }


def typed(cli: AwsCli, command: list[str], more: dict[str, str], code: str) -> subprocess.CompletedProcess[str]:
    """What a program does that asks for a code on its standard input, for want of a terminal."""
    return subprocess.run(
        command,
        env=cli.environment() | more,
        input=f"{code}\n",
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=TIMEOUT,
        start_new_session=True,
    )


@pytest.mark.facts("IAM-MFA-001", "IAM-MFA-002", "IAM-MFA-008", "STS-MFA-011")
def test_boto3_sets_up_lists_and_takes_down_a_device(world: World, account: Account, alice: Person) -> None:
    phone = new_phone(world, account, "alice-phone")
    assert phone.serial == f"arn:aws:iam::{account.id}:mfa/alice-phone"
    client = account.boto.client(account.root, "iam")
    assert account.iam("ListVirtualMFADevices", AssignmentStatus="Unassigned")["VirtualMFADevices"] == [
        {"SerialNumber": phone.serial}
    ]
    client.enable_mfa_device(UserName=alice.name, **phone.pair())
    (listed,) = client.get_paginator("list_virtual_mfa_devices").paginate().build_full_result()["VirtualMFADevices"]
    assert listed["SerialNumber"] == phone.serial
    assert listed["User"]["Arn"] == alice.arn
    (own,) = client.list_mfa_devices(UserName=alice.name)["MFADevices"]
    assert (own["UserName"], own["SerialNumber"], own["EnableDate"]) == (alice.name, phone.serial, listed["EnableDate"])
    client.tag_mfa_device(SerialNumber=phone.serial, Tags=[{"Key": "team", "Value": "blue"}])
    assert client.list_mfa_device_tags(SerialNumber=phone.serial)["Tags"] == [{"Key": "team", "Value": "blue"}]
    client.resync_mfa_device(UserName=alice.name, **phone.pair(2))
    client.deactivate_mfa_device(UserName=alice.name, SerialNumber=phone.serial)
    client.delete_virtual_mfa_device(SerialNumber=phone.serial)
    assert account.iam("ListVirtualMFADevices")["VirtualMFADevices"] == []


@pytest.mark.facts("STS-MFA-001", "STS-MFA-006", "STS-MFA-007", "STS-MFA-015", "STS-MFA-016", "IAM-MFA-013")
def test_boto3_signs_in_with_a_code_once(account: Account, alice: Person, phone: Phone, careful: Role) -> None:
    proof = phone.proof()
    session = account.assume(alice.key, careful, **proof)
    assert account.identity(session.key)["Arn"].endswith(":assumed-role/careful/job")
    for operation, parameters in (
        ("AssumeRole", {"RoleArn": careful.arn, "RoleSessionName": "again"}),
        ("GetSessionToken", {}),
    ):
        with pytest.raises(Refused) as refused:
            account.sts(alice.key, operation, **parameters, **proof)
        assert told(refused.value) == ("AccessDenied", INVALID, 403)
    token = credentials_in(account.sts(alice.key, "GetSessionToken", **phone.proof(1)), account.id)
    assert account.boto.call(token, "iam", "GetUser", {})["User"]["Arn"] == alice.arn
    account.assume(token, careful)


@pytest.mark.facts("STS-MFA-017")
def test_a_role_that_asks_for_mfa_is_out_of_reach_without(account: Account, alice: Person, careful: Role) -> None:
    with pytest.raises(Refused) as refused:
        account.assume(alice.key, careful)
    text = f"User: {alice.arn} is not authorized to perform: sts:AssumeRole on resource: {careful.arn}"
    assert told(refused.value) == ("AccessDenied", text, 403)


def test_the_aws_cli_sets_up_a_device(
    cli: AwsCli, world: World, account: Account, alice: Person, tmp_path: Path
) -> None:
    for method, name in (("QRCodePNG", "code.png"), ("Base32StringSeed", "seed")):
        command = ("iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", f"phone-{name}")
        output = ("--outfile", str(tmp_path / name), "--bootstrap-method", method)
        made = json.loads(cli.run(*command, *output, who=account.root))["VirtualMFADevice"]
    assert (tmp_path / "code.png").read_bytes().startswith(b"\x89PNG")
    phone = Phone(made["SerialNumber"], b32decode((tmp_path / "seed").read_bytes()), world)
    pair = ("--authentication-code1", phone.code(-1), "--authentication-code2", phone.code())
    named = ("--user-name", alice.name, "--serial-number", phone.serial)
    cli.run("iam", "enable-mfa-device", *named, *pair, who=account.root)
    listed = json.loads(cli.run("iam", "list-mfa-devices", "--user-name", alice.name, who=account.root))
    assert [device["SerialNumber"] for device in listed["MFADevices"]] == [phone.serial]
    proof = ("--serial-number", phone.serial, "--token-code", phone.code())
    assert "Credentials" in json.loads(cli.run("sts", "get-session-token", *proof, who=alice.key))


def test_the_aws_cli_asks_for_the_code_of_a_profile_and_keeps_the_session(
    cli: AwsCli, phone: Phone, profile: dict[str, str]
) -> None:
    who = [str(CLI), "sts", "get-caller-identity", "--query", "Arn", "--output", "text"]
    wrong = typed(cli, who, profile, "000000")
    assert wrong.returncode != 0
    assert INVALID in wrong.stderr
    right = typed(cli, who, profile, phone.code())
    assert f"Enter MFA code for {phone.serial}: " in right.stdout + right.stderr
    assert right.stdout.endswith(":assumed-role/careful/by-profile\n")
    kept = typed(cli, who, profile, "")
    assert kept.stdout == right.stdout[right.stdout.index("arn:aws:sts:") :]


def test_boto3_asks_for_the_code_of_a_profile(cli: AwsCli, phone: Phone, profile: dict[str, str]) -> None:
    program = [sys.executable, "-W", "ignore", "-c", WHO_BY_PROFILE]
    code = phone.code()
    done = typed(cli, program, profile, code)
    assert f"Enter MFA code for {phone.serial}: " in done.stdout + done.stderr
    assert done.stdout.endswith(":assumed-role/careful/by-profile\n"), done.stderr
    again = typed(cli, program, profile, code)
    assert INVALID in again.stderr


def test_root_has_a_device_of_its_own(world: World, account: Account, boto: Boto3) -> None:
    phone = new_phone(world, account, "root-account-mfa-device")
    account.iam("EnableMFADevice", UserName=account.id, **phone.pair())
    shown: dict[str, Any] = account.iam("ListMFADevices")
    assert [device["SerialNumber"] for device in shown["MFADevices"]] == [phone.serial]
    token = credentials_in(boto.call(account.root, "sts", "GetSessionToken", dict(phone.proof())), account.id)
    assert boto.call(token, "iam", "GetUser", {})["User"]["Arn"] == f"arn:aws:iam::{account.id}:root"
