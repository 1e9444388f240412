"""``locum simulate``: the server's decision, from files or from a data directory, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from locum.core.organization import joined
from locum.core.organization_records import Organization, OrgPolicy
from locum.core.records import Account, ManagedPolicy, PolicyVersion, Role, User
from locum.policy import Ask, Policies, PolicyKind, Principal, decide, load
from locum.server.bootstrap import bootstrap
from locum.server.config import Settings
from locum.server.data import open_data
from locum.store.records import Records

from .terminal import Outcome, Terminal, run, settle

ACCOUNT, OTHER = "111122223333", "444455556666"
READ = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::ledger/*"}
OBJECT = "arn:aws:s3:::ledger/a.csv"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/people/alice"
DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/ops/deploy"
ORGANIZED = {"StringEquals": {"aws:PrincipalOrgID": "o-ab12cd34ef", "aws:PrincipalAccount": ACCOUNT}}


class Simulated(Outcome):
    @property
    def answers(self) -> list[Any]:
        return list(json.loads(self.out))

    @property
    def effects(self) -> list[str]:
        return [each["decision"]["effect"] for each in self.answers]


class Simulate(Terminal):
    """Runs ``locum simulate`` in this process, in a directory of its own."""

    def __init__(self, capture: pytest.CaptureFixture[str], directory: Path) -> None:
        super().__init__(capture, "simulate")
        self.directory = directory

    def write(self, name: str, *statements: Any) -> str:
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        (self.directory / name).write_text(text)
        return name

    def __call__(self, *arguments: str) -> Simulated:
        return Simulated(*super().__call__(*arguments))


@pytest.fixture
def simulate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Simulate:
    settle(monkeypatch, tmp_path)
    return Simulate(capsys, tmp_path)


def get(*more: str) -> tuple[str, ...]:
    return ("--action", "s3:GetObject", "--resource", OBJECT, *more)


def test_an_allowed_request_is_status_zero(simulate: Simulate) -> None:
    status, out, err = simulate("--identity", simulate.write("read.json", READ), *get())
    assert (status, err) == (0, "")
    assert out.splitlines()[0].split() == ["ALLOWED", "s3:GetObject", "on", OBJECT]
    assert "read.json" in out


def test_a_denied_request_is_status_three_and_shows_the_nearest_miss(simulate: Simulate) -> None:
    file = simulate.write("read.json", READ | {"Condition": {"StringEquals": {"aws:PrincipalTag/team": "blue"}}})
    status, out, err = simulate("--identity", file, *get("--context", "aws:PrincipalTag/team=Blue"))
    assert (status, err) == (3, "")
    assert out.startswith("DENIED")
    assert "policy   blue" in out
    assert "request  Blue" in out
    assert simulate("--identity", file, *get("--context", "aws:PrincipalTag/team=blue")).status == 0


def test_every_action_is_asked_for_on_every_resource(simulate: Simulate) -> None:
    file = simulate.write("read.json", READ)
    more = ("--action", "s3:PutObject", "--resource", "arn:aws:s3:::other/x", "--json")
    outcome = simulate("--identity", file, *get(*more))
    asked = [(each["asked"]["action"], each["asked"]["resource"]) for each in outcome.answers]
    assert asked == [
        (action, resource)
        for action in ("s3:GetObject", "s3:PutObject")
        for resource in (OBJECT, "arn:aws:s3:::other/x")
    ]
    assert outcome.effects == ["Allow", "ImplicitDeny", "ImplicitDeny", "ImplicitDeny"]
    assert outcome.status == 3


PRINCIPALS = [
    (ALICE, Principal.user(ALICE, ACCOUNT, "AIDASIMULATED00000000")),
    (
        DEPLOY,
        Principal.role_session(
            f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/simulated",
            ACCOUNT,
            DEPLOY,
            "AROASIMULATED00000000",
            "simulated",
        ),
    ),
    (
        f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci",
        Principal.role_session(
            f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci",
            ACCOUNT,
            f"arn:aws:iam::{ACCOUNT}:role/deploy",
            "AROASIMULATED00000000",
            "ci",
        ),
    ),
    (f"arn:aws:iam::{ACCOUNT}:root", Principal.root(ACCOUNT)),
    ("ec2.amazonaws.com", Principal.service("ec2.amazonaws.com")),
    ("anonymous", Principal.anonymous()),
    ("accounts.google.com", Principal.web_identity("accounts.google.com")),
    (
        f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example/x",
        Principal.web_identity(f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example/x", ACCOUNT),
    ),
    (
        f"arn:aws:iam::{ACCOUNT}:saml-provider/adfs",
        Principal.saml(f"arn:aws:iam::{ACCOUNT}:saml-provider/adfs", ACCOUNT),
    ),
]
POLICIES = {
    "everyone": {**READ, "Principal": "*"},
    "account": {**READ, "Principal": {"AWS": ACCOUNT}},
    "role": {**READ, "Principal": {"AWS": DEPLOY}},
    "id": {**READ, "Principal": {"AWS": "AROASIMULATED00000000"}},
    "service": {**READ, "Principal": {"Service": "ec2.amazonaws.com"}},
    "deny": {**READ, "Principal": "*", "Effect": "Deny"},
}


@pytest.mark.facts("R30")
@pytest.mark.parametrize(("name", "principal"), PRINCIPALS, ids=[name for name, _ in PRINCIPALS])
@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
@pytest.mark.parametrize("owner", [ACCOUNT, OTHER])
def test_the_answer_is_that_of_the_decision_function(
    simulate: Simulate, name: str, principal: Principal, policy: dict[str, Any], owner: str
) -> None:
    file, own = simulate.write("resource.json", policy), simulate.write("own.json", READ)
    outcome = simulate(
        *("--principal", name, "--resource-policy", file, "--identity", own, "--resource-account", owner),
        *get("--json"),
    )
    policies = Policies(
        identity=(load((simulate.directory / own).read_text(), PolicyKind.INLINE),),
        resource=load((simulate.directory / file).read_text(), PolicyKind.RESOURCE),
    )
    decision = decide(Ask(principal, "s3:GetObject", OBJECT, owner, {}), policies)
    assert outcome.effects == [decision.effect.value]
    assert outcome.status == (0 if decision.allowed else 3)


def test_each_kind_of_policy_takes_part(simulate: Simulate) -> None:
    own = ("--identity", simulate.write("own.json", READ))
    none = simulate.write("none.json", READ | {"Action": "s3:List*"})
    every = simulate.write("all.json", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    rcp = simulate.write("rcp.json", {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"})
    for option, layer in (
        ("--boundary", "permissions boundary"),
        ("--session", "session policy"),
        ("--scp-level", "service control policy"),
    ):
        assert simulate(*own, option, every, *get()).status == 0
        (answer,) = simulate(*own, option, none, *get("--json")).answers
        assert (answer["decision"]["effect"], answer["decision"]["layer"]) == ("ImplicitDeny", layer)
    assert simulate(*own, "--session", none, "--session", every, *get()).status == 0
    assert simulate(*own, "--scp-level", f"{none},{every}", *get()).status == 0
    assert simulate(*own, "--scp-level", none, "--scp-level", every, *get()).status == 3
    (answer,) = simulate(*own, "--rcp-level", rcp, *get("--json")).answers
    assert answer["decision"]["layer"] == "resource control policy"


def test_a_federated_user_has_the_rights_of_the_issuer_within_the_session_policies(simulate: Simulate) -> None:
    file = simulate.write("read.json", READ)
    who = ("--principal", f"arn:aws:sts::{ACCOUNT}:federated-user/bob", "--identity", file)
    status, _, err = simulate(*who, *get())
    assert status == 2
    assert "hint: name the issuer: --issuer ARN" in err
    assert simulate(*who, "--issuer", ALICE, *get()).status == 3
    assert simulate(*who, "--issuer", ALICE, "--session", file, *get()).status == 0


@pytest.mark.facts("POL-EV-030")
def test_a_role_is_assumed_only_where_its_trust_policy_lets_the_caller(simulate: Simulate) -> None:
    own = simulate.write("own.json", {"Effect": "Allow", "Action": "sts:*", "Resource": "*"})
    asked = ("--principal", ALICE, "--identity", own, "--action", "sts:AssumeRole", "--resource", DEPLOY)
    assert simulate(*asked).status == 3
    trust = {"Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": "sts:AssumeRole"}
    assert simulate(*asked, "--trust", simulate.write("trust.json", trust)).status == 0
    other = simulate.write("other.json", trust | {"Principal": {"AWS": OTHER}})
    status, out, _ = simulate(*asked, "--trust", other)
    assert status == 3
    assert f"names account {OTHER}" in out


def test_a_context_key_may_have_several_values(simulate: Simulate) -> None:
    tags = {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b,c"]}, "Null": {"aws:TagKeys": "false"}}
    own = ("--identity", simulate.write("own.json", READ | {"Condition": tags}))
    assert simulate(*own, *get()).status == 3
    assert simulate(*own, *get("--context", r"aws:tagkeys=a,b\,c")).status == 0
    assert simulate(*own, *get("--context", "aws:TagKeys=a", "--context", r"aws:TagKeys=b\,c")).status == 0
    assert simulate(*own, *get("--context", "aws:TagKeys=a,b,c")).status == 3


def test_keys_that_follow_from_the_caller_and_the_time_are_there(simulate: Simulate) -> None:
    conditions = {
        "StringEquals": {"aws:username": "alice", "aws:ResourceAccount": OTHER, "aws:userid": "AIDAALICEALICEALICE00"},
        "DateGreaterThan": {"aws:CurrentTime": "2024-01-01T00:00:00Z"},
        "Null": {"aws:TokenIssueTime": "true"},
    }
    own = simulate.write("own.json", READ | {"Condition": conditions})
    everyone = simulate.write("everyone.json", {**READ, "Principal": "*"})
    who = ("--principal", ALICE, "--principal-id", "AIDAALICEALICEALICE00", "--identity", own)
    asked = get("--resource-account", OTHER, "--resource-policy", everyone)
    assert simulate(*who, *asked).status == 0
    assert simulate(*who, *asked, "--context", "aws:CurrentTime=2020-01-01T00:00:00Z").status == 3


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "Missing option '--action'"),
        (("--action", "GetObject"), "'GetObject' is no action"),
        (("--action", "s3:*"), "'s3:*' is no action"),
        (get("--context", "x"), "'x' is not KEY=VALUE"),
        (get("--principal", "alice"), "'alice' is neither an ARN"),
        (get("--principal", "arn:aws:s3:::alice"), "'arn:aws:s3:::alice' is no principal"),
        (get("--principal", f"arn:aws:iam::{ACCOUNT}:group/g"), "is no principal"),
        (get("--identity", "missing.json"), "missing.json cannot be read"),
        (get("--identity", "broken.json"), "broken.json is no inline policy: Statement[0]: has no actions"),
        (get("--trust", "t.json", "--resource-policy", "t.json"), "--trust and --resource-policy"),
        (("--action", "sts:AssumeRole", "--trust", "t.json"), "--trust is the policy of a role"),
    ],
)
def test_wrong_usage_is_status_two_with_a_hint(simulate: Simulate, arguments: tuple[str, ...], text: str) -> None:
    simulate.write("broken.json", {"Effect": "Allow", "Resource": "*"})
    simulate.write("t.json", {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
    status, out, err = simulate(*arguments)
    assert (status, out) == (2, "")
    first, second = err.splitlines()
    assert first.startswith("locum: ")
    assert text in first
    assert second.startswith("hint: ")


def test_too_many_questions_are_refused(simulate: Simulate) -> None:
    actions = [part for n in range(1_001) for part in ("--action", f"s3:A{n}")]
    assert simulate(*actions).err.startswith("locum: 1001 questions are more than 1000")


# --- from a data directory


@pytest.fixture
def data(simulate: Simulate) -> Path:
    """A data directory with an account, a user, a role and a policy."""
    settings = Settings(data=simulate.directory / "data")
    opened = open_data(settings, create=True)
    bootstrap(opened.store, opened.vault, settings, 1_700_000_000, os.urandom)

    def document(*statements: Any) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": statements})

    managed = ManagedPolicy(
        account=ACCOUNT,
        id="ANPAMANAGEDMANAGED000",
        name="read",
        created=1,
        updated=1,
        versions=(PolicyVersion(number=1, document=document(READ), created=1),),
        default=1,
        last_number=1,
    )
    read = managed.arn("aws")
    tagged = {"StringEquals": {"aws:ResourceTag/env": "${aws:PrincipalTag/env}"}}
    with opened.store.transaction() as rows:
        records = Records(rows)
        records.create(Account(id=ACCOUNT, name="ops", created=1))
        records.create(managed)
        records.create(
            User(
                account=ACCOUNT,
                id="AIDAALICEALICEALICE00",
                name="alice",
                path="/people/",
                created=1,
                tags={"env": "prod"},
                attached=(read,),
            )
        )
        records.create(
            Role(
                account=ACCOUNT,
                id="AROADEPLOYDEPLOYDEP00",
                name="deploy",
                path="/ops/",
                created=1,
                tags={"env": "prod"},
                attached=(read,),
                boundary="arn:aws:iam::aws:policy/IAMReadOnlyAccess",
                trust=document(
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": "AIDAALICEALICEALICE00"},
                        "Action": "sts:AssumeRole",
                        "Condition": tagged,
                    }
                ),
            )
        )
    opened.store.close()
    return settings.data


def test_the_policies_of_a_stored_user_are_read(simulate: Simulate, data: Path) -> None:
    stored = ("--data", str(data), "--principal", ALICE)
    (answer,) = simulate(*stored, *get("--json")).answers
    assert answer["decision"]["statements"][0]["policy"] == f"arn:aws:iam::{ACCOUNT}:policy/read"
    assert answer["asked"]["unique_id"] == "AIDAALICEALICEALICE00"
    assert simulate(*stored, "--action", "s3:PutObject", "--resource", OBJECT).status == 3
    wider = simulate.write("put.json", READ | {"Action": "s3:Put*"})
    assert simulate(*stored, "--identity", wider, "--action", "s3:PutObject", "--resource", OBJECT).status == 0


def test_a_stored_organization_limits_its_members(simulate: Simulate, data: Path) -> None:
    """The account becomes a member of an organization that denies reading objects to callers and roles to everybody."""
    opened = open_data(Settings(data=data), create=False)
    with opened.store.transaction() as rows:
        records = Records(rows)
        stored = records.get(Account, "", ACCOUNT)
        assert stored is not None
        reading = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*", "Condition": ORGANIZED}
        assuming = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Resource": "*"}
        organization = Organization(
            id="o-ab12cd34ef",
            root="r-ab12",
            management=OTHER,
            created=1,
            policy_types=("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"),
            scps=("p-FullAWSAccess", "p-reading1"),
            rcps=("p-assuming",),
        )
        records.create(organization)
        for id, type, statement in (
            ("p-reading1", "SERVICE_CONTROL_POLICY", reading),
            ("p-assuming", "RESOURCE_CONTROL_POLICY", assuming),
        ):
            text = json.dumps({"Version": "2012-10-17", "Statement": statement})
            records.create(OrgPolicy(id=id, organization=organization.id, type=type, name=id, created=1, content=text))
        records.replace(stored, joined(stored.record, organization, 1, invited=True))
    opened.store.close()
    stored_world = ("--data", str(data), "--principal", ALICE)
    (answer,) = simulate(*stored_world, *get("--json")).answers
    assert answer["decision"]["layer"] == "service control policy"
    (answer,) = simulate(*stored_world, "--action", "sts:AssumeRole", "--resource", DEPLOY, "--json").answers
    assert answer["decision"]["layer"] == "resource control policy"
    allowing = simulate.write("scp.json", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    assert simulate(*stored_world, "--scp-level", allowing, *get()).status == 0


def test_a_stored_role_brings_its_boundary(simulate: Simulate, data: Path) -> None:
    for name in (DEPLOY, f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci"):
        (answer,) = simulate("--data", str(data), "--principal", name, *get("--json")).answers
        assert answer["decision"]["layer"] == "permissions boundary"
        assert answer["asked"]["unique_id"] == "AROADEPLOYDEPLOYDEP00"


def test_a_stored_role_brings_its_trust_policy_and_tags(simulate: Simulate, data: Path) -> None:
    asked = ("--data", str(data), "--principal", ALICE, "--action", "sts:AssumeRole", "--resource")
    assert simulate(*asked, DEPLOY).status == 0
    assert simulate(*asked, DEPLOY, "--context", "aws:ResourceTag/env=test").status == 3
    nobody = f"arn:aws:iam::{ACCOUNT}:role/nobody"
    (answer,) = simulate(*asked, nobody, "--context", "aws:ResourceTag/env=prod", "--json").answers
    assert answer["decision"]["layer"] == "role trust policy"
    other = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "sts:AssumeRole"}
    assert simulate(*asked, DEPLOY, "--trust", simulate.write("trust.json", other)).status == 3


@pytest.mark.parametrize(
    "name",
    [
        f"arn:aws:iam::{ACCOUNT}:user/alice",
        f"arn:aws:iam::{ACCOUNT}:user/people/Alice",
        f"arn:aws:iam::{OTHER}:user/people/alice",
        f"arn:aws:iam::{ACCOUNT}:role/deploy",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/nobody/x",
    ],
)
def test_a_principal_that_is_not_stored_is_named(simulate: Simulate, data: Path, name: str) -> None:
    status, out, err = simulate("--data", str(data), "--principal", name, *get())
    assert (status, out) == (1, "")
    assert err.startswith(f"locum: there is no {'user' if ':user/' in name else 'role'} {name}\nhint: ")


def test_the_issuer_of_a_federated_user_is_read(simulate: Simulate, data: Path) -> None:
    who = ("--data", str(data), "--principal", f"arn:aws:sts::{ACCOUNT}:federated-user/bob", "--issuer", ALICE)
    read = simulate.write("read.json", READ)
    assert simulate(*who, *get()).status == 3
    assert simulate(*who, "--session", read, *get()).status == 0


def test_root_needs_no_policy(simulate: Simulate, data: Path) -> None:
    assert simulate("--data", str(data), "--principal", f"arn:aws:iam::{ACCOUNT}:root", *get()).status == 0


def test_nothing_is_changed(simulate: Simulate, data: Path) -> None:
    settings = Settings(data=data)
    server = open_data(settings)
    revision = server.store.revision
    simulate("--data", str(data), "--principal", ALICE, *get())
    assert server.store.revision == revision
    server.store.close()


def test_it_runs_as_a_program_without_a_data_directory(simulate: Simulate) -> None:
    file = simulate.write("read.json", READ)
    command = [sys.executable, "-m", "locum", "simulate", "--identity", file, *get()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert not list(simulate.directory.glob("locum-data*"))


# --- the limits of an account


def test_limits_are_shown_set_and_put_back(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits = ["account", "limits", ACCOUNT, "--data", str(data)]
    shown = {each["name"]: each for each in Simulated(*run(capsys, *limits, "--json")).answers}
    assert shown["PoliciesPerRole"] == {
        "name": "PoliciesPerRole",
        "limit": 10,
        "default": 10,
        "maximum": 25,
        "counts": "managed policies attached to a role",
    }
    (changed,) = Simulated(*run(capsys, *limits, "PoliciesPerRole=25", "--json")).answers
    assert changed["limit"] == 25
    (line,) = run(capsys, *limits, "PoliciesPerRole=default").out.splitlines()[1:]
    assert line.split()[:4] == ["PoliciesPerRole", "10", "10", "25"]
    opened = open_data(Settings(data=data))
    with opened.store.snapshot() as rows:
        stored = Records(rows).get(Account, "", ACCOUNT)
    opened.store.close()
    assert stored is not None
    assert stored.record.limits == {}


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        ([OTHER], 1, f"there is no account '{OTHER}'"),
        ([ACCOUNT, "PoliciesPerRole"], 2, "'PoliciesPerRole' is not NAME=VALUE"),
        ([ACCOUNT, "PoliciesPerRole=-1"], 2, "is not NAME=VALUE"),
        ([ACCOUNT, "PoliciesPerRole=26"], 2, "PoliciesPerRole can be 0 to 25"),
        ([ACCOUNT, "RolesPerUser=1"], 2, "there is no limit 'RolesPerUser'"),
    ],
)
def test_a_limit_that_cannot_be_is_refused(
    data: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, text: str
) -> None:
    outcome = run(capsys, "account", "limits", *arguments, "--data", str(data))
    assert (outcome.status, outcome.out) == (status, "")
    assert text in outcome.err
