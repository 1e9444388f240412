"""Ansible's modules for IAM and STS, as its collections publish them: run again, a playbook changes nothing.

``make ansible`` puts it into an environment of its own, where these tests look for it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from tests.interop.world import EVERYTHING, Account, World, allow
from tests.server.saml_documents import metadata

from locum.testing import RunningServer

pytestmark = pytest.mark.xdist_group("interop-ansible")

ROOT: Final = Path(__file__).parents[2]
ENVIRONMENT: Final = ROOT / "build" / "venv-ansible"
PLAYBOOKS: Final = Path(__file__).parent / "ansible"
TIMEOUT: Final = 240

UNCHECKED: Final = ("inline policy of a group", "inline policy of a role", "password policy")
"""Tasks that make no sense in check mode; site.yml says why."""
CHANGING: Final = ("managed policy", "role")
SITE: Final = (
    "managed policy",
    "boundary",
    "user",
    "group",
    "inline policy of a group",
    "role",
    "inline policy of a role",
    "instance profile",
    "password policy",
    "SAML provider",
)

Tasks = dict[str, dict[str, Any]]
"""Name of a task → its result as the module returned it."""
Play = Callable[..., Tasks]


@pytest.fixture(scope="module")
def own(world: World) -> Account:
    return world.account()


@pytest.fixture(scope="module")
def play(server: RunningServer, own: Account, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Runs a playbook as an administrator, who is a user with a policy, not root."""
    if not (ENVIRONMENT / "bin" / "ansible-playbook").exists():
        pytest.skip(f"no {ENVIRONMENT.relative_to(ROOT)} (make ansible): Ansible is NOT tested")
    home = tmp_path_factory.mktemp("ansible")
    (home / "metadata.xml").write_text(metadata())
    admin = own.user(allow(EVERYTHING), UserName="admin")
    variables = {
        "ansible_python_interpreter": str(ENVIRONMENT / "bin" / "python"),
        "account_id": own.id,
        "metadata": str(home / "metadata.xml"),
    }
    environment = {
        "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        **server.environment(admin.key),
    }

    def run(playbook: str, *options: str, **more: Any) -> Tasks:
        command = ["ansible-playbook", "-c", "local", "-e", json.dumps(variables | more), *options]
        done = subprocess.run(
            [str(ENVIRONMENT / "bin" / command[0]), *command[1:], str(PLAYBOOKS / playbook)],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=TIMEOUT,
        )
        assert "{" in done.stdout, done.stderr
        (played,) = json.loads(done.stdout[done.stdout.index("{") :])["plays"]
        results = {task["task"]["name"]: task["hosts"]["localhost"] for task in played["tasks"]}
        failed = {name: result.get("msg") for name, result in results.items() if result.get("failed")}
        assert (failed, done.returncode) == ({}, 0)
        return results

    return run


def changed(tasks: Tasks) -> list[str]:
    return [name for name, result in tasks.items() if result["changed"]]


def held(account: Account) -> dict[str, Any]:
    """All that the account has, by its authorization details, and the providers besides."""
    pages = account.boto.client(account.root, "iam").get_paginator("get_account_authorization_details").paginate()
    details: dict[str, Any] = pages.build_full_result()
    details["Policies"] = [each for each in details["Policies"] if f":{account.id}:" in each["Arn"]]
    return details | {"SAML": account.iam("ListSAMLProviders")["SAMLProviderList"]}


# Each stage of the story stands on the one before: whichever test is run alone brings about what it needs.


@pytest.fixture(scope="module")
def before(own: Account, play: Play) -> dict[str, Any]:
    return held(own)


@pytest.fixture(scope="module")
def checked(play: Play, before: dict[str, Any]) -> Tasks:
    return play("site.yml", "--check", "--skip-tags", "unchecked")


@pytest.fixture(scope="module")
def unwritten(own: Account, checked: Tasks) -> dict[str, Any]:
    return held(own)


@pytest.fixture(scope="module")
def applied(play: Play, unwritten: dict[str, Any]) -> Tasks:
    return play("site.yml")


@pytest.fixture(scope="module")
def written(own: Account, applied: Tasks) -> dict[str, Any]:
    return held(own)


def test_check_mode_tells_what_would_change_and_writes_nothing(
    checked: Tasks, before: dict[str, Any], unwritten: dict[str, Any]
) -> None:
    assert changed(checked) == [name for name in SITE if name not in UNCHECKED]
    assert unwritten == before


def test_the_first_run_makes_everything(own: Account, applied: Tasks, written: dict[str, Any]) -> None:
    assert changed(applied) == list(SITE)
    (role,) = written["RoleDetailList"]
    assert role["Arn"] == f"arn:aws:iam::{own.id}:role/rollout/deployer"
    assert {tag["Key"]: tag["Value"] for tag in role["Tags"]} == {"team": "blue", "cost center": "42"}
    assert sorted(each["PolicyName"] for each in role["AttachedManagedPolicies"]) == ["ReadOnlyAccess", "releases"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == f"arn:aws:iam::{own.id}:policy/boundary"
    assert [each["InstanceProfileName"] for each in role["InstanceProfileList"]] == ["builders"]
    (alice,) = (each for each in written["UserDetailList"] if each["UserName"] == "alice")
    assert {tag["Key"]: tag["Value"] for tag in alice["Tags"]} == {"Größe": "XL + 100", "team": "blue"}
    assert alice["GroupList"] == ["developers"]
    (releases,) = (each for each in written["Policies"] if each["PolicyName"] == "releases")
    (version,) = releases["PolicyVersionList"]
    condition = version["Document"]["Statement"][0]["Condition"]
    assert condition == {"StringLike": {"aws:PrincipalTag/team": ["blue+green", "100%"]}}
    assert own.iam("GetAccountPasswordPolicy")["PasswordPolicy"]["MinimumPasswordLength"] == 14


def test_the_second_run_changes_nothing(own: Account, play: Play, written: dict[str, Any]) -> None:
    again = play("site.yml")
    assert (list(again), changed(again)) == (list(SITE), [])
    assert held(own) == written


def test_a_change_is_told_by_check_mode_made_once_and_then_there(
    own: Account, play: Play, written: dict[str, Any]
) -> None:
    other = {"longest": 3_600, "description": "Rolls back", "actions": ["s3:GetObject"]}
    assert changed(play("site.yml", "--tags", "changing", "--check", **other)) == list(CHANGING)
    assert held(own) == written
    assert changed(play("site.yml", "--tags", "changing", **other)) == list(CHANGING)
    assert changed(play("site.yml", "--tags", "changing", **other)) == []
    role = own.iam("GetRole", RoleName="deployer")["Role"]
    assert (role["MaxSessionDuration"], role["Description"]) == (3_600, "Rolls back")
    arn = f"arn:aws:iam::{own.id}:policy/rollout/releases"
    assert own.iam("GetPolicy", PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    emptied = other | {"description": ""}
    assert changed(play("site.yml", "--tags", "changing", **emptied)) == ["role"]
    assert changed(play("site.yml", "--tags", "changing", **emptied)) == []


def test_the_modules_that_read_tell_what_there_is(own: Account, play: Play, written: dict[str, Any]) -> None:
    told = play("facts.yml")
    assert changed(told) == []
    (role,) = told["roles"]["iam_roles"]
    assert (role["role_name"], role["inline_policies"]) == ("deployer", ["self-service"])
    assert role["tags"] == {"team": "blue", "cost center": "42"}
    assert [user["arn"] for user in told["users"]["iam_users"]] == [f"arn:aws:iam::{own.id}:user/people/alice"]
    (profile,) = told["profiles"]["iam_instance_profiles"]
    assert [each["role_name"] for each in profile["roles"]] == ["deployer"]
    (inline,) = told["inline policies"]["policies"]
    assert inline["policy_document"]["Statement"]["Resource"] == "arn:aws:iam::*:user/${aws:username}"
    assert told["MFA devices"]["mfa_devices"] == []


def test_keys_are_made_used_and_taken_away(own: Account, play: Play, written: dict[str, Any]) -> None:
    done = play("keys.yml", role=f"arn:aws:iam::{own.id}:role/rollout/deployer")
    assert changed(done) == ["access key", "session", "session token", "key switched off", "key gone"]
    (key,) = done["keys"]["access_keys"]
    assert key["access_key_id"] == done["access key"]["access_key"]["access_key_id"]
    assert done["caller"]["arn"] == f"arn:aws:sts::{own.id}:assumed-role/deployer/ansible"
    assert done["key switched off"]["access_key"]["status"] == "Inactive"
    assert own.iam("ListAccessKeys", UserName="alice")["AccessKeyMetadata"] == []


def test_everything_is_taken_down_and_a_second_time_there_is_nothing(
    own: Account, play: Play, before: dict[str, Any], written: dict[str, Any]
) -> None:
    down = play("teardown.yml")
    assert changed(down) == list(down)
    assert held(own) == before
    assert changed(play("teardown.yml", still_there=False)) == []
