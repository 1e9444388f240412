"""Several tools at once on one account: real processes on a server with two workers, and ``locum`` beside it.

Whatever they do at the same moment, everything that was answered as done is there at the end, limits and names hold,
and nobody ever sees half a change.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from tests.interop.clients import PLAIN, TIMEOUT
from tests.interop.world import allow, policy, trusts

from locum.secret import Secret
from locum.testing import Credentials

pytestmark = pytest.mark.xdist_group("interop-concurrent-writers")

HERE: Final = Path(__file__).parent
WRITERS: Final = 4
ACCOUNT: Final = "111122223333"
ROOT: Final = Credentials(
    account_id=ACCOUNT,
    access_key_id="AKIAIRANDOMLOOKINGID",
    secret_access_key=Secret("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"),
)
READY: Final = re.compile(r"locum: serving on (http://\S+) ")

Call = tuple[str, str, dict[str, Any]]
Outcomes = list[list[str]]


def iam_call(operation: str, **parameters: Any) -> Call:
    return ("iam", operation, parameters)


class Server:
    """``locum serve --workers 2`` as a program of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self.process: Final = subprocess.Popen(
            [sys.executable, "-m", "locum", "serve", "--port", "0", "--workers", "2"],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        try:
            self.url: Final = self._await_ready()
        except BaseException:
            self.process.kill()
            self.process.communicate()
            raise
        assert self.process.stderr is not None
        self._drain = threading.Thread(target=self.process.stderr.read, daemon=True)
        self._drain.start()

    def _await_ready(self) -> str:
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line)
            if found := READY.search(line):
                return found[1]
        raise AssertionError(f"the server does not start:\n{''.join(said)}")

    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LOCUM_", "AWS_"))},
            "LOCUM_DATA": str(self.folder),
            "LOCUM_ACCOUNT_ID": ACCOUNT,
            "LOCUM_ROOT_ACCESS_KEY_ID": ROOT.access_key_id,
            "LOCUM_ROOT_SECRET_ACCESS_KEY": ROOT.secret_access_key.reveal(),
            "LOCUM_IAM_REQUESTS_PER_SECOND": "0",
        }

    def locum(self, *arguments: str) -> None:
        """Run ``locum`` on the same data."""
        command = [sys.executable, "-m", "locum", *arguments]
        subprocess.run(command, env=self.environment(), capture_output=True, check=True, timeout=TIMEOUT)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(TIMEOUT)
        self._drain.join(TIMEOUT)
        assert self.process.stderr is not None
        self.process.stderr.close()


class Writers:
    """Clients in processes of their own, which begin their work together."""

    def __init__(self, url: str) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ENDPOINT_URL": url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            **ROOT.environment(),
        }
        self._processes = [
            subprocess.Popen(
                [sys.executable, str(HERE / "writer.py")],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="utf-8",
            )
            for _ in range(WRITERS)
        ]
        self.work([[]] * WRITERS)

    def begin(self, jobs: list[list[Call]]) -> None:
        """Let each writer begin its own calls."""
        for process, calls in zip(self._processes, jobs, strict=True):
            assert process.stdin is not None
            process.stdin.write(f"{json.dumps(calls)}\n")
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.flush()

    def end(self) -> Outcomes:
        """The outcome of each writer's calls."""
        outcomes = []
        for process in self._processes:
            assert process.stdout is not None
            outcomes.append(json.loads(process.stdout.readline()))
        return outcomes

    def work(self, jobs: list[list[Call]]) -> Outcomes:
        """Both."""
        self.begin(jobs)
        return self.end()

    def all_done(self, jobs: list[list[Call]]) -> None:
        """Work in which no call may fail."""
        assert self.work(jobs) == [[""] * len(calls) for calls in jobs]

    def close(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.wait(TIMEOUT)
            process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("data"))
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def writers(server: Server) -> Iterator[Writers]:
    clients = Writers(server.url)
    yield clients
    clients.close()


@pytest.fixture(scope="module")
def iam(server: Server) -> Iterator[Any]:
    client = boto3.client(
        "iam", endpoint_url=server.url, region_name="us-east-1", config=PLAIN, **ROOT.boto3_arguments()
    )
    yield client
    client.close()


@pytest.fixture
def role(iam: Any, request: pytest.FixtureRequest) -> str:
    """The name of a new role."""
    name = re.sub(r"\W", "-", request.node.name)[:64]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trusts(ACCOUNT)))
    return name


def policies(iam: Any, prefix: str, count: int) -> list[str]:
    document = policy(allow("s3:GetObject"))
    made = (iam.create_policy(PolicyName=f"{prefix}-{n}", PolicyDocument=document) for n in range(count))
    return [each["Policy"]["Arn"] for each in made]


@pytest.mark.facts("IAM-GEN-075")
def test_no_tag_of_any_writer_is_lost(iam: Any, server: Server, writers: Writers, role: str) -> None:
    """They write one record, tag by tag, while ``locum`` writes another record of the account."""
    jobs = [
        [iam_call("TagRole", RoleName=role, Tags=[{"Key": f"{writer}-{n}", "Value": str(n)}]) for n in range(12)]
        for writer in range(WRITERS)
    ]
    writers.begin(jobs)
    server.locum("account", "limits", ACCOUNT, "PoliciesPerRole=20")
    assert writers.end() == [[""] * 12] * WRITERS
    found = iam.list_role_tags(RoleName=role)["Tags"]
    assert {tag["Key"] for tag in found} == {f"{writer}-{n}" for writer in range(WRITERS) for n in range(12)}
    writers.all_done(
        [
            [iam_call("UntagRole", RoleName=role, TagKeys=[f"{writer}-{n}"]) for n in range(12)]
            for writer in range(WRITERS)
        ]
    )
    assert iam.list_role_tags(RoleName=role)["Tags"] == []
    server.locum("account", "limits", ACCOUNT, "PoliciesPerRole=default")


@pytest.mark.facts("IAM-GEN-075")
def test_no_policy_of_any_writer_is_lost(iam: Any, writers: Writers, role: str) -> None:
    arns = policies(iam, "kept", WRITERS * 2)
    jobs = [
        [
            call
            for n in range(2)
            for call in (
                iam_call("AttachRolePolicy", RoleName=role, PolicyArn=arns[writer * 2 + n]),
                iam_call(
                    "PutRolePolicy",
                    RoleName=role,
                    PolicyName=f"{writer}-{n}",
                    PolicyDocument=policy(allow(f"s3:Get{writer}{n}*")),
                ),
            )
        ]
        for writer in range(WRITERS)
    ]
    writers.all_done(jobs)
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert {each["PolicyArn"] for each in attached} == set(arns)
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    assert names == sorted(f"{writer}-{n}" for writer in range(WRITERS) for n in range(2))
    for name in names:
        got = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        assert got["Statement"][0]["Action"] == [f"s3:Get{name.replace('-', '')}*"]
    for arn in arns:
        assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
        holders = iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]
        assert [each["RoleName"] for each in holders] == [role]


def test_members_of_a_group_and_their_policies_from_all_writers(iam: Any, writers: Writers) -> None:
    iam.create_group(GroupName="crowd")
    jobs = [
        [
            call
            for n in range(5)
            for call in (
                iam_call("CreateUser", UserName=f"member-{writer}-{n}"),
                iam_call("AddUserToGroup", GroupName="crowd", UserName=f"member-{writer}-{n}"),
            )
        ]
        for writer in range(WRITERS)
    ]
    writers.all_done(jobs)
    members = iam.get_group(GroupName="crowd")["Users"]
    assert {each["UserName"] for each in members} == {f"member-{w}-{n}" for w in range(WRITERS) for n in range(5)}
    assert len({each["UserId"] for each in members}) == WRITERS * 5


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("CreateUser", {"UserName": "same"}),
        ("CreateUser", {"UserName": "Same"}),
        ("CreateGroup", {"GroupName": "same"}),
        ("CreateInstanceProfile", {"InstanceProfileName": "same"}),
        ("CreateRole", {"RoleName": "same", "AssumeRolePolicyDocument": policy(trusts(ACCOUNT))}),
        ("CreatePolicy", {"PolicyName": "same", "PolicyDocument": policy(allow("s3:*"))}),
        ("CreateVirtualMFADevice", {"VirtualMFADeviceName": "same"}),
    ],
)
def test_one_name_is_taken_once(iam: Any, writers: Writers, operation: str, parameters: dict[str, Any]) -> None:
    outcomes = [each for (each,) in writers.work([[iam_call(operation, **parameters)]] * WRITERS)]
    taken = ["EntityAlreadyExists"] * (WRITERS - 1)
    if parameters.get("UserName") == "Same":
        taken.append("EntityAlreadyExists")
    assert sorted(outcomes) == [""] * (WRITERS - len(taken)) + taken


def test_quotas_hold_against_all_writers(iam: Any, writers: Writers, role: str) -> None:
    arns = policies(iam, "quota", 5 * WRITERS)
    jobs = [
        [iam_call("AttachRolePolicy", RoleName=role, PolicyArn=arn) for arn in arns[writer::WRITERS]]
        for writer in range(WRITERS)
    ]
    outcomes = [code for codes in writers.work(jobs) for code in codes]
    assert sorted(outcomes) == [""] * 10 + ["LimitExceeded"] * (len(arns) - 10)
    assert len(iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]) == 10
    iam.create_user(UserName="keys")
    made = [
        code for codes in writers.work([[iam_call("CreateAccessKey", UserName="keys")]] * WRITERS) for code in codes
    ]
    assert sorted(made) == [""] * 2 + ["LimitExceeded"] * (WRITERS - 2)
    assert len(iam.list_access_keys(UserName="keys")["AccessKeyMetadata"]) == 2
    version = iam_call(
        "CreatePolicyVersion", PolicyArn=arns[0], PolicyDocument=policy(allow("s3:*")), SetAsDefault=True
    )
    made = [code for codes in writers.work([[version] * 2] * WRITERS) for code in codes]
    assert sorted(made) == [""] * 4 + ["LimitExceeded"] * (2 * WRITERS - 4)
    versions = iam.list_policy_versions(PolicyArn=arns[0])["Versions"]
    assert {each["VersionId"] for each in versions} == {"v1", "v2", "v3", "v4", "v5"}
    assert [each["VersionId"] for each in versions if each["IsDefaultVersion"]] == ["v5"]


def test_a_reader_sees_whole_changes_only(iam: Any, writers: Writers, role: str) -> None:
    """Each writer gives the role a description and a duration that belong together."""
    rounds = 25
    durations = {f"by {writer}": 3_600 * (writer + 1) for writer in range(WRITERS)}
    jobs = [
        [iam_call("UpdateRole", RoleName=role, Description=who, MaxSessionDuration=duration)] * rounds
        for who, duration in durations.items()
    ]
    iam.update_role(RoleName=role, Description="by 0", MaxSessionDuration=3_600)
    writers.begin(jobs)
    for _ in range(100):
        shown = iam.get_role(RoleName=role)["Role"]
        assert shown["MaxSessionDuration"] == durations[shown["Description"]]
    assert writers.end() == [[""] * rounds] * WRITERS


def test_a_policy_is_never_attached_to_a_role_that_is_gone(iam: Any, writers: Writers) -> None:
    """Two writers make and delete a role over and over while two attach a policy to it and detach it."""
    (arn,) = policies(iam, "hunted", 1)
    trust = policy(trusts(ACCOUNT))
    coming = [
        iam_call("CreateRole", RoleName="ghost", AssumeRolePolicyDocument=trust),
        iam_call("DeleteRole", RoleName="ghost"),
    ]
    holding = [
        iam_call("AttachRolePolicy", RoleName="ghost", PolicyArn=arn),
        iam_call("DetachRolePolicy", RoleName="ghost", PolicyArn=arn),
    ]
    outcomes = writers.work([coming * 15, coming * 15, holding * 15, holding * 15])
    assert {code for codes in outcomes for code in codes} <= {
        "",
        "EntityAlreadyExists",
        "NoSuchEntity",
        "DeleteConflict",
    }
    holders = [each["RoleName"] for each in iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == len(holders)
    listed = iam.get_paginator("list_roles").paginate().build_full_result()["Roles"]
    present = "ghost" in [each["RoleName"] for each in listed]
    attached = iam.list_attached_role_policies(RoleName="ghost")["AttachedPolicies"] if present else []
    assert holders == (["ghost"] if attached else [])


def test_a_user_who_is_renamed_by_everyone_keeps_one_name(iam: Any, writers: Writers) -> None:
    created = iam.create_user(UserName="nomad-0")["User"]
    iam.put_user_policy(UserName="nomad-0", PolicyName="p", PolicyDocument=policy(allow("s3:*")))
    jobs = [
        [
            iam_call("UpdateUser", UserName=f"nomad-{n % 5}", NewUserName=f"nomad-{(n + writer + 1) % 5}")
            for n in range(20)
        ]
        for writer in range(WRITERS)
    ]
    outcomes = [code for codes in writers.work(jobs) for code in codes]
    assert "" in outcomes
    assert set(outcomes) <= {"", "NoSuchEntity", "EntityAlreadyExists"}
    users = iam.get_paginator("list_users").paginate().build_full_result()["Users"]
    (found,) = (each for each in users if each["UserName"].startswith("nomad-"))
    assert found["UserId"] == created["UserId"]
    assert iam.list_user_policies(UserName=found["UserName"])["PolicyNames"] == ["p"]


def test_an_applied_file_is_seen_whole_or_not_at_all(
    iam: Any, server: Server, writers: Writers, tmp_path: Path
) -> None:
    """Two administrators apply different files over and over, while writers go on and somebody reads."""
    for name in ("one", "two"):
        iam.create_role(RoleName=f"applied-{name}", AssumeRolePolicyDocument=policy(trusts(ACCOUNT)))
    files = []
    for stage in ("blue", "green"):
        trust = json.loads(policy(trusts(ACCOUNT)))
        roles = {f"applied-{name}": {"trust": trust, "tags": {"stage": stage}} for name in ("one", "two")}
        files.append(tmp_path / f"{stage}.json")
        files[-1].write_text(json.dumps({"locum": 1, "accounts": {ACCOUNT: {"roles": roles}}}))
    server.locum("apply", str(files[0]), "--yes")
    writers.begin(
        [[iam_call("CreateGroup", GroupName=f"beside-{writer}-{n}") for n in range(20)] for writer in range(WRITERS)]
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "locum", "apply", str(file), "--yes"],
            env=server.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for file in files * 2
    ]
    seen = set()
    while any(run.poll() is None for run in runs):
        details = iam.get_account_authorization_details(Filter=["Role"], MaxItems=1_000)["RoleDetailList"]
        stages = [each["Tags"][0]["Value"] for each in details if each["RoleName"].startswith("applied-")]
        assert stages in (["blue", "blue"], ["green", "green"])
        seen.add(stages[0])
    assert [run.returncode for run in runs] == [0] * len(runs)
    assert seen
    assert writers.end() == [[""] * 20] * WRITERS
