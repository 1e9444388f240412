"""The credential report (IAM-ACC-005…007)."""

from __future__ import annotations

import csv
import datetime
import io

import pytest

from locum import errors
from locum.api.iam import access_keys, credential_report, login_profiles, users
from locum.core.account_records import LoginProfile
from locum.secret import Secret
from locum.store.records import Records

from ..conftest import ACCOUNT, OTHER, START, World, document
from ..phones import phone_of

GENERATE = credential_report.GenerateCredentialReportCommand()
GET = credential_report.GetCredentialReportCommand()
HOURS = 3_600
COLUMNS = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,"
    "mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,"
    "access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,"
    "access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,"
    "cert_1_last_rotated,cert_2_active,cert_2_last_rotated"
)
NEVER = {"last_used_date": "N/A", "last_used_region": "N/A", "last_used_service": "N/A"}


def report(world: World) -> dict[str, dict[str, str]]:
    """The rows of a new report by user."""
    world.now += 5 * HOURS
    assert world.call(world.root, GENERATE).state == "STARTED"
    return rows(world)


def rows(world: World) -> dict[str, dict[str, str]]:
    content = world.call(world.root, GET).content
    assert content is not None
    return {row["user"]: row for row in csv.DictReader(io.StringIO(content.decode()))}


def key(row: dict[str, str], number: int) -> dict[str, str]:
    prefix = f"access_key_{number}_"
    return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}


def at(seconds: float) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.facts("IAM-ACC-006", "IAM-GEN-030")
def test_before_any_report_there_is_none_to_get(world: World) -> None:
    response = world.send(world.request(GET, world.root))
    assert response.status == 410
    assert b"<Code>ReportNotPresent</Code>" in response.body
    assert b"Message" not in response.body
    assert world.refusal(world.root, GET, errors.CredentialReportNotPresentException) == ""


@pytest.mark.facts("IAM-ACC-005")
def test_a_report_is_begun_and_then_complete(world: World) -> None:
    begun = world.call(world.root, GENERATE)
    assert begun.state == "STARTED"
    assert begun.description == "No report exists. Starting a new report generation task"
    complete = world.call(world.root, GENERATE)
    assert (complete.state, complete.description) == ("COMPLETE", None)


@pytest.mark.facts("IAM-ACC-005", "IAM-ACC-006")
def test_a_report_is_used_again_for_four_hours(world: World) -> None:
    world.call(world.root, GENERATE)
    world.user("alice")
    world.now += 4 * HOURS - 1
    assert world.call(world.root, GENERATE).state == "COMPLETE"
    assert list(rows(world)) == ["<root_account>"]
    got = world.call(world.root, GET)
    assert got.report_format == "text/csv"
    assert got.generated_time is not None
    assert got.generated_time.timestamp() == START
    world.now += 1
    response = world.send(world.request(GET, world.root))
    assert response.status == 410
    assert b"<Code>ReportExpired</Code>" in response.body
    assert world.call(world.root, GENERATE).state == "STARTED"
    assert list(rows(world)) == ["<root_account>", "alice"]


@pytest.mark.facts("IAM-ACC-007")
def test_the_columns_are_in_order_and_root_comes_first(world: World) -> None:
    world.user("alice")
    world.call(world.root, GENERATE)
    content = world.call(world.root, GET).content
    assert content is not None
    lines = content.decode().split("\n")
    assert len(lines) == 3
    assert lines[0] == COLUMNS
    root = dict(zip(COLUMNS.split(","), lines[1].split(","), strict=True))
    assert (root["user"], root["arn"]) == ("<root_account>", f"arn:aws:iam::{ACCOUNT}:root")
    passwords = [root[f"password_{what}"] for what in ("enabled", "last_used", "last_changed", "next_rotation")]
    assert passwords == ["false", "N/A", "N/A", "not_supported"]
    assert root["user_creation_time"] == at(START)
    assert root["mfa_active"] == "false"
    assert root["access_key_1_active"] == "true"
    assert lines[2].startswith(f"alice,arn:aws:iam::{ACCOUNT}:user/alice,2026-01-02T03:04:05Z,false,N/A,N/A,N/A,")


@pytest.mark.facts("IAM-ACC-007")
def test_keys_come_by_age_with_their_last_uses(world: World) -> None:
    alice = world.user("alice", document(Effect="Allow", Action="*", Resource="*"))
    world.now += 60
    second = world.call(alice, access_keys.CreateAccessKeyCommand()).access_key
    used = world.now
    command = access_keys.UpdateAccessKeyCommand(
        user_name="alice", access_key_id=second.access_key_id, status="Inactive"
    )
    world.call(world.root, command)
    row = report(world)["alice"]
    assert key(row, 1) == {
        "active": "true",
        "last_rotated": at(START),
        "last_used_date": at(used),
        "last_used_region": "us-east-1",
        "last_used_service": "iam",
    }
    assert key(row, 2) == {"active": "false", "last_rotated": at(START + 60), **NEVER}
    assert [row[f"cert_{number}_active"] for number in (1, 2)] == ["false", "false"]
    assert [row[f"cert_{number}_last_rotated"] for number in (1, 2)] == ["N/A", "N/A"]
    world.call(world.root, users.CreateUserCommand(user_name="bob"))
    assert key(report(world)["bob"], 1) == {"active": "false", "last_rotated": "N/A", **NEVER}


@pytest.mark.facts("IAM-ACC-007")
def test_passwords_and_devices_are_told(world: World) -> None:
    world.user("alice")
    profile = login_profiles.CreateLoginProfileCommand(user_name="alice", password=Secret("Correct-horse-7"))
    world.call(world.root, profile)
    phone_of(world, "alice")
    row = report(world)["alice"]
    assert (row["password_enabled"], row["password_last_used"]) == ("true", "no_information")
    assert (row["password_last_changed"], row["password_next_rotation"]) == (at(START), "N/A")
    assert row["mfa_active"] == "true"
    world.call(world.root, login_profiles.UpdateAccountPasswordPolicyCommand(max_password_age=90))
    assert report(world)["alice"]["password_next_rotation"] == at(START + 90 * 86_400)


@pytest.mark.facts("IAM-ACC-007")
def test_a_password_of_root_is_told_and_does_not_grow_old(world: World) -> None:
    with world.store.transaction() as rows:
        Records(rows).create(LoginProfile(account=ACCOUNT, owner=ACCOUNT, created=int(START), changed=int(START) + 5))
    world.call(world.root, login_profiles.UpdateAccountPasswordPolicyCommand(max_password_age=90))
    root = report(world)["<root_account>"]
    passwords = [root[f"password_{what}"] for what in ("enabled", "last_used", "last_changed", "next_rotation")]
    assert passwords == ["true", "no_information", at(START + 5), "not_supported"]


def test_reports_of_accounts_are_apart(world: World) -> None:
    world.user("alice")
    world.call(world.root, GENERATE)
    other = world.account(OTHER)
    world.refusal(other, GET, errors.CredentialReportNotPresentException)
    assert world.call(other, GENERATE).state == "STARTED"
    content = world.call(other, GET).content
    assert content is not None
    assert ACCOUNT not in content.decode()
    assert "alice" not in content.decode()
