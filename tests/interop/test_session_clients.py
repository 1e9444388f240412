"""Sessions through real clients: what a chain of roles passes on, federated users, revocation, rates."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import boto3
import pytest
from botocore.config import Config
from tests.interop.clients import HERE, TIMEOUT, AwsCli, Boto3, Client, Node, Place, Refused, credentials_in
from tests.interop.world import ASSUME, Account, Person, Role, Session, Statement, World, allow, policy, trusts

from locum.testing import Clock, Credentials, running_server

pytestmark = pytest.mark.xdist_group("interop-sessions")

OWNER_ONLY: Final = 0o600
HOUR: Final = 3_600
LONGEST: Final = 43_200
TAG: Final = "sts:TagSession"
SET: Final = "sts:SetSourceIdentity"
STEP: Final = (ASSUME, TAG, SET)
"""What a step of a chain needs that carries tags and a source identity."""

CONFLICT: Final = (
    "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
    "from the calling session."
)
DUPLICATES: Final = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
NOT_PASSED: Final = "The specified transitive tag key must be included in the requested tags."
CHAINED: Final = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
REVOKED: Final = ("ExpiredToken", "The security token included in the request is expired: its session was revoked")
INVALID_TOKEN: Final = ("InvalidClientTokenId", "The security token included in the request is invalid")
NO_FEDERATION: Final = ("AccessDenied", "Cannot call GetFederationToken with session credentials")

DOORS: Final[dict[str, dict[str, dict[str, str]]]] = {
    "ListRoles": {"StringEquals": {"aws:PrincipalTag/project": "Atlas"}},
    "ListUsers": {"StringEquals": {"aws:PrincipalTag/Ticket": "42"}},
    "ListPolicies": {"StringEquals": {"aws:PrincipalTag/Env": "prod"}},
    "ListRolePolicies": {"StringEquals": {"aws:PrincipalTag/Tier": "c"}},
    "ListVirtualMFADevices": {"StringEquals": {"aws:SourceIdentity": "alice"}},
    "ListRoleTags": {"Null": {"aws:PrincipalTag/Team": "false"}},
}
"""Operations of IAM that stand open to sessions with one thing each."""
PARAMETERS: Final = {operation: {"RoleName": "A"} for operation in ("ListRolePolicies", "ListRoleTags")}


def refusal(client: Client, who: Credentials, operation: str, **parameters: Any) -> tuple[str, str]:
    """Code and text of the error that STS must answer."""
    with pytest.raises(Refused) as refused:
        client.call(who, "sts", operation, parameters)
    return refused.value.code, refused.value.message


def tags(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def not_authorized(caller: str, action: str, resource: str) -> tuple[str, str]:
    return "AccessDenied", f"User: {caller} is not authorized to perform: {action} on resource: {resource}"


def opened(client: Client, who: Credentials) -> set[str]:
    """The doors that stand open to a session."""
    found = set()
    for operation in DOORS:
        try:
            client.call(who, "iam", operation, PARAMETERS.get(operation, {}))
        except Refused as refused:
            if refused.code != "AccessDenied":
                raise
        else:
            found.add(operation)
    return found


def assume(client: Client, who: Credentials, role: Role, name: str, **asked: Any) -> Session:
    answer = client.call(who, "sts", "AssumeRole", {"RoleArn": role.arn, "RoleSessionName": name, **asked})
    return Session(credentials_in(answer), answer["AssumedRoleUser"]["Arn"], answer)


@pytest.fixture(params=["boto", "cli", "node"])
def client(request: pytest.FixtureRequest) -> Client:
    found: Client = request.getfixturevalue(request.param)
    return found


class Chain(NamedTuple):
    """A user and three roles, each of which trusts its account and may go on to the next."""

    alice: Person
    a: Role
    b: Role
    c: Role


@pytest.fixture
def chain(account: Account) -> Chain:
    going_on = allow(*STEP)
    doors: list[Statement] = [allow(f"iam:{name}", when=when) for name, when in DOORS.items()]

    def role(name: str) -> Role:
        trust = trusts(account.id, actions=STEP)
        return account.role(
            trust,
            may=(going_on, *doors),
            RoleName=name,
            MaxSessionDuration=LONGEST,
            Tags=tags(Tier=name.lower(), Project="none"),
        )

    alice = account.user(going_on, UserName="alice", Tags=tags(Team="Blue"))
    return Chain(alice, role("A"), role("B"), role("C"))


def first(client: Client, chain: Chain) -> Session:
    """Alice's session of role A, with all that a session may carry."""
    return assume(
        client,
        chain.alice.key,
        chain.a,
        "one",
        Tags=tags(Project="Atlas", Ticket="42"),
        TransitiveTagKeys=["Project"],
        SourceIdentity="alice",
    )


# --- what a step passes on


@pytest.mark.facts("STS-TAG-006", "STS-TAG-008", "STS-TAG-009", "STS-TAG-010", "STS-TAG-012")
@pytest.mark.facts("STS-SI-004", "STS-SI-005")
def test_transitive_tags_and_the_source_identity_open_doors_at_the_end_of_a_chain(client: Client, chain: Chain) -> None:
    a = first(client, chain)
    b = assume(client, a.key, chain.b, "two", Tags=tags(Env="prod"), TransitiveTagKeys=["Env"])
    c = assume(client, b.key, chain.c, "three", SourceIdentity="alice")
    assert [step.answer["SourceIdentity"] for step in (a, b, c)] == ["alice"] * 3
    lasting = {"ListRoles", "ListVirtualMFADevices"}
    assert opened(client, a.key) == lasting | {"ListUsers"}
    assert opened(client, b.key) == lasting | {"ListPolicies"}
    assert opened(client, c.key) == lasting | {"ListPolicies", "ListRolePolicies"}


@pytest.mark.facts("STS-TAG-004", "STS-TAG-005", "STS-TAG-007", "STS-E-016", "STS-E-T45", "STS-SI-005")
def test_what_a_chain_cannot_be_told_is_refused_in_awss_words(client: Client, chain: Chain) -> None:
    a = first(client, chain)

    def told(**asked: Any) -> tuple[str, str]:
        return refusal(client, a.key, "AssumeRole", RoleArn=chain.b.arn, RoleSessionName="two", **asked)

    assert told(Tags=tags(PROJECT="Atlas")) == ("InvalidParameterValue", CONFLICT)
    assert told(Tags=tags(Env="x", env="y")) == ("InvalidParameterValue", DUPLICATES)
    assert told(Tags=tags(Env="x"), TransitiveTagKeys=["Cost"]) == ("InvalidParameterValue", NOT_PASSED)
    assert told(SourceIdentity="mallory") == not_authorized(a.arn, SET, chain.b.arn)


@pytest.mark.facts("STS-AR-017", "STS-AR-018", "STS-AR-020", "STS-AR-024", "STS-AR-047")
@pytest.mark.facts("STS-SI-006", "STS-E-003")
def test_the_permission_that_is_missing_is_named(client: Client, account: Account, chain: Chain) -> None:
    plain = account.role(trusts(account.id), RoleName="plain")
    target = {"RoleArn": plain.arn, "RoleSessionName": "two"}
    alice = chain.alice
    told = refusal(client, alice.key, "AssumeRole", **target, Tags=tags(Env="x"))
    assert told == not_authorized(alice.arn, TAG, plain.arn)
    told = refusal(client, alice.key, "AssumeRole", **target, SourceIdentity="alice")
    assert told == not_authorized(alice.arn, SET, plain.arn)
    tagged = assume(client, alice.key, chain.a, "tagged", Tags=tags(Env="x"), TransitiveTagKeys=["Env"])
    assert "SourceIdentity" not in tagged.answer
    assert refusal(client, tagged.key, "AssumeRole", **target) == not_authorized(tagged.arn, TAG, plain.arn)
    marked = assume(client, alice.key, chain.a, "marked", SourceIdentity="alice")
    assert marked.answer["SourceIdentity"] == "alice"
    assert refusal(client, marked.key, "AssumeRole", **target) == not_authorized(marked.arn, SET, plain.arn)
    assume(client, assume(client, alice.key, chain.a, "plain", Tags=tags(Env="x")).key, plain, "fine")


@pytest.mark.facts("STS-AR-034", "STS-AR-035", "STS-E-T41")
def test_a_chained_session_lasts_an_hour_and_the_first_one_longer(
    client: Client, account: Account, chain: Chain
) -> None:
    a = assume(client, chain.alice.key, chain.a, "one", DurationSeconds=LONGEST)
    token = credentials_in(account.sts(chain.alice.key, "GetSessionToken"))
    for key in (a.key, token):
        assume(client, key, chain.b, "two", DurationSeconds=HOUR)
        asked = {"RoleArn": chain.b.arn, "RoleSessionName": "two", "DurationSeconds": HOUR + 1}
        assert refusal(client, key, "AssumeRole", **asked) == ("ValidationError", CHAINED)


# --- profiles


BOTO_PROGRAM: Final = """
import boto3, json
session = boto3.Session()
arn = session.client("sts").get_caller_identity()["Arn"]
print(json.dumps([arn, len(session.client("iam").list_roles(PathPrefix="/end/")["Roles"])]))
"""
NODE_PROGRAM: Final = """
import { STSClient, GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { IAMClient, ListRolesCommand } from "@aws-sdk/client-iam";
const { Arn } = await new STSClient({}).send(new GetCallerIdentityCommand({}));
const { Roles } = await new IAMClient({}).send(new ListRolesCommand({ PathPrefix: "/end/" }));
console.log(JSON.stringify([Arn, Roles.length]));
"""


class Profiles(NamedTuple):
    """The environment of programs with a profile for each step of a chain, and who they end up as."""

    environment: dict[str, str]
    last: Role
    arn: str


@pytest.fixture
def profiles(cli: AwsCli, account: Account, tmp_path: Path) -> Profiles:
    """alice → A, by the AWS CLI with a transitive tag and a source identity; A → B → C → D by profiles.

    The last role may be assumed and used only with the tag and the source identity of the first step, and each profile
    knows the external id of its own role alone.
    """

    def when(name: str) -> dict[str, Any]:
        return {"StringEquals": {"sts:ExternalId": f"id-{name}", "sts:RoleSessionName": f"as-{name}"}}

    carried = {"StringEquals": {"aws:PrincipalTag/Project": "Atlas", "aws:SourceIdentity": "alice"}}
    alice = account.user(allow(*STEP))
    roles = {}
    for name in "ABC":
        trust = (trusts(account.id, when=when(name)), trusts(account.id, actions=STEP[1:]))
        roles[name] = account.role(*trust, may=(allow(*STEP),), RoleName=name)
    last_when = {"StringEquals": when("D")["StringEquals"] | carried["StringEquals"]}
    trust = (trusts(account.id, when=last_when), trusts(account.id, actions=STEP[1:]))
    last = account.role(*trust, may=(allow("iam:ListRoles", when=carried),), RoleName="D", Path="/end/")
    roles["D"] = last
    made = json.loads(
        cli.run(
            *("sts", "assume-role", "--role-arn", roles["A"].arn, "--role-session-name", "as-A"),
            *("--external-id", "id-A", "--source-identity", "alice", "--transitive-tag-keys", "Project"),
            *("--tags", "Key=Project,Value=Atlas", "Key=Ticket,Value=42"),
            who=alice.key,
        )
    )
    assert made["SourceIdentity"] == "alice"
    assert made["PackedPolicySize"] > 0
    credentials, config = configparser.RawConfigParser(), configparser.RawConfigParser()
    credentials["A"] = credentials_in(made).boto3_arguments()
    for source, name in ("AB", "BC", "CD"):
        config[f"profile {name}"] = {
            "source_profile": source,
            "role_arn": roles[name].arn,
            "role_session_name": f"as-{name}",
            "external_id": f"id-{name}",
        }
    config["profile stranger"] = dict(config["profile D"]) | {"external_id": "id-C"}
    for name, parser in (("credentials", credentials), ("config", config)):
        with (tmp_path / name).open("w") as file:
            parser.write(file)
        (tmp_path / name).chmod(OWNER_ONLY)
    environment = {
        "HOME": str(tmp_path),
        "AWS_PROFILE": "D",
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }
    return Profiles(environment, last, f"arn:aws:sts::{account.id}:assumed-role/D/as-D")


@pytest.mark.facts("STS-TAG-006", "STS-SI-004", "STS-AR-030")
def test_the_aws_cli_walks_a_chain_of_profiles(cli: AwsCli, profiles: Profiles) -> None:
    assert json.loads(cli.run("sts", "get-caller-identity", more=profiles.environment))["Arn"] == profiles.arn
    query = ("--path-prefix", "/end/", "--query", "Roles[].RoleName", "--output", "text")
    assert cli.run("iam", "list-roles", *query, more=profiles.environment) == "D\n"


@pytest.mark.facts("STS-AR-026")
def test_an_external_id_of_another_step_does_not_do(cli: AwsCli, account: Account, profiles: Profiles) -> None:
    with pytest.raises(Refused) as refused:
        cli.run("sts", "get-caller-identity", more=profiles.environment | {"AWS_PROFILE": "stranger"})
    caller = f"arn:aws:sts::{account.id}:assumed-role/C/as-C"
    assert (refused.value.code, refused.value.message) == not_authorized(caller, ASSUME, profiles.last.arn)


@pytest.mark.parametrize("program", ["boto3", "javascript"])
def test_other_sdks_walk_the_same_chain_of_profiles(cli: AwsCli, profiles: Profiles, program: str) -> None:
    if program == "boto3":
        command = [sys.executable, "-W", "ignore", "-c", BOTO_PROGRAM]
    elif reason := Node.missing():
        pytest.skip(reason)
    else:
        command = ["node", "--input-type=module", "--eval", NODE_PROGRAM]
    environment = cli.environment() | profiles.environment
    done = subprocess.run(
        command,
        cwd=HERE,
        env=environment | {"AWS_REGION": environment["AWS_DEFAULT_REGION"]},
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [profiles.arn, 1]


# --- federated users


@pytest.mark.facts("STS-GFT-001", "STS-GFT-007", "STS-GFT-009", "STS-CALL-001", "STS-CALL-005", "STS-SIG-021")
@pytest.mark.parametrize("policies", ["none", "all"])
def test_a_federated_user_is_somebody_and_reaches_no_iam(client: Client, account: Account, policies: str) -> None:
    alice = account.user(allow("*"))
    asked = {} if policies == "none" else {"Policy": policy(allow("*"))}
    answer = client.call(alice.key, "sts", "GetFederationToken", {"Name": "bob", **asked})
    arn = f"arn:aws:sts::{account.id}:federated-user/bob"
    assert answer["FederatedUser"] == {"FederatedUserId": f"{account.id}:bob", "Arn": arn}
    assert (answer["PackedPolicySize"] > 0) is bool(asked)
    bob = credentials_in(answer)
    who = client.call(bob, "sts", "GetCallerIdentity", {})
    assert {name: who[name] for name in ("UserId", "Account", "Arn")} == {
        "UserId": f"{account.id}:bob",
        "Account": account.id,
        "Arn": arn,
    }
    with pytest.raises(Refused) as refused:
        client.call(bob, "iam", "ListRoles", {})
    assert (refused.value.code, refused.value.message) == INVALID_TOKEN
    role = account.role(trusts("*"))
    told = refusal(client, bob, "AssumeRole", RoleArn=role.arn, RoleSessionName="job")
    assert told == not_authorized(arn, ASSUME, role.arn)
    assert refusal(client, bob, "GetFederationToken", Name="carol") == NO_FEDERATION


@pytest.mark.facts("STS-GFT-002", "STS-TAG-004")
def test_who_may_name_and_tag_federated_users(client: Client, account: Account) -> None:
    users = f"arn:aws:sts::{account.id}:federated-user"
    teams = {"StringEquals": {"aws:RequestTag/Team": "Blue"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}
    alice = account.user(allow("sts:GetFederationToken", on=f"{users}/b*"), allow(TAG, on=f"{users}/bob", when=teams))

    def told(name: str, *tagged: dict[str, str]) -> tuple[str, str]:
        return refusal(client, alice.key, "GetFederationToken", Name=name, Tags=list(tagged))

    made = client.call(alice.key, "sts", "GetFederationToken", {"Name": "bob", "Tags": tags(Team="Blue")})
    assert made["FederatedUser"]["Arn"] == f"{users}/bob"
    assert made["PackedPolicySize"] > 0
    client.call(alice.key, "sts", "GetFederationToken", {"Name": "bill"})
    for name, action, tagged in (
        ("carol", "sts:GetFederationToken", tags(Team="Blue")),
        ("bill", TAG, tags(Team="Blue")),
        ("bob", TAG, tags(Team="Red")),
        ("bob", TAG, tags(Team="Blue", Cost="1")),
    ):
        code, message = told(name, *tagged)
        assert code == "AccessDenied"
        assert message.startswith(not_authorized(alice.arn, action, f"{users}/{name}")[1])
    anyone = account.user(allow("sts:*"))
    doubled = {"Name": "bob", "Tags": tags(Team="Blue", team="Blue")}
    assert refusal(client, anyone.key, "GetFederationToken", **doubled) == ("InvalidParameterValue", DUPLICATES)


def test_the_aws_cli_makes_a_federated_user_as_typed(cli: AwsCli, account: Account, tmp_path: Path) -> None:
    document = tmp_path / "session.json"
    document.write_text(policy(allow("s3:GetObject")))
    made = json.loads(
        cli.run(
            *("sts", "get-federation-token", "--name", "bob", "--policy", f"file://{document}"),
            *("--tags", "Key=Team,Value=Blue", "--duration-seconds", "900"),
            who=account.user(allow("sts:*")).key,
        )
    )
    named = ("--query", "Arn", "--output", "text")
    who = cli.run("sts", "get-caller-identity", *named, who=credentials_in(made))
    assert who == f"arn:aws:sts::{account.id}:federated-user/bob\n"


@pytest.mark.facts("STS-GFT-010")
def test_a_federated_user_goes_with_the_user_behind(account: Account) -> None:
    alice = account.user(allow("sts:*"), UserName="alice")
    bob = credentials_in(account.sts(alice.key, "GetFederationToken", Name="bob"))
    account.identity(bob)
    account.iam("DeleteAccessKey", UserName="alice", AccessKeyId=alice.key.access_key_id)
    account.identity(bob)
    account.iam("DeleteUserPolicy", UserName="alice", PolicyName="p")
    account.iam("DeleteUser", UserName="alice")
    assert refusal(account.boto, bob, "GetCallerIdentity") == INVALID_TOKEN


# --- revocation


class Walk(NamedTuple):
    """The sessions of a walk from alice to role C."""

    a: Session
    b: Session
    c: Session

    def over(self, account: Account) -> str:
        """The names of the sessions that are over."""
        found = ""
        for name, session in zip("ABC", self, strict=True):
            try:
                assert account.identity(session.key)["Arn"] == session.arn
            except Refused as refused:
                if (refused.code, refused.message) != REVOKED:
                    raise
                found += name
        return found


@pytest.fixture
def walk(account: Account, chain: Chain) -> Walk:
    a = first(account.boto, chain)
    b = account.assume(a.key, chain.b, "two")
    return Walk(a, b, account.assume(b.key, chain.c, "three"))


def locum(world: World, *arguments: str) -> str:
    """What the program ``locum`` prints, beside the running server."""
    environment = {"PATH": os.environ["PATH"], "LOCUM_DATA": str(world.server.audit_path.parent), "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, "-m", "locum", *arguments],
        env=environment,
        capture_output=True,
        check=True,
        encoding="utf-8",
        timeout=TIMEOUT,
    ).stdout


@pytest.mark.parametrize(
    ("option", "over"),
    [("session of C", "C"), ("role B", "BC"), ("alice's key", "ABC"), ("source identity", "ABC"), ("issuer A", "BC")],
)
def test_a_revocation_beside_the_server_ends_sessions_with_the_next_request(
    world: World, account: Account, chain: Chain, walk: Walk, option: str, over: str
) -> None:
    options = {
        "session of C": ("--session", walk.c.key.access_key_id),
        "role B": ("--role", chain.b.arn),
        "alice's key": ("--session", chain.alice.key.access_key_id),
        "source identity": ("--source-identity", "alice", "--account", account.id),
        "issuer A": ("--issuer", chain.a.arn),
    }
    assert walk.over(account) == ""
    locum(world, "sessions", "revoke", *options[option])
    assert walk.over(account) == over
    with pytest.raises(Refused, match="ExpiredToken"):
        account.assume(walk.c.key, chain.a)
    with world.server.clock.turned(2):
        again = first(account.boto, chain)
        account.identity(again.key)


def test_the_aws_cli_and_a_federated_user_learn_of_a_revocation(
    world: World, account: Account, cli: AwsCli, chain: Chain, walk: Walk
) -> None:
    alice = account.user(allow("sts:*"))
    bob = credentials_in(account.sts(alice.key, "GetFederationToken", Name="bob"))
    locum(world, "sessions", "revoke", "--principal", alice.arn)
    locum(world, "sessions", "revoke", "--session", walk.a.key.access_key_id)
    for key in (bob, walk.c.key):
        with pytest.raises(Refused) as refused:
            cli.run("sts", "get-caller-identity", who=key)
        assert (refused.value.code, refused.value.message) == REVOKED
    account.identity(alice.key)
    account.identity(chain.alice.key)
    listed = json.loads(locum(world, "sessions", "revocations", "--json"))
    assert {alice.arn, walk.a.key.access_key_id} <= {each["named"] for each in listed}


def test_the_policy_of_awss_console_denies_older_sessions_of_one_role(
    world: World, account: Account, chain: Chain, walk: Walk
) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(world.server.clock() + 1))
    denial = {
        "Effect": "Deny",
        "Action": ["*"],
        "Resource": ["*"],
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": moment}},
    }
    assert "ListRoles" in opened(account.boto, walk.a.key)
    account.iam("PutRolePolicy", RoleName="A", PolicyName="AWSRevokeOlderSessions", PolicyDocument=policy(denial))
    assert opened(account.boto, walk.a.key) == set()
    step = {"RoleArn": chain.b.arn, "RoleSessionName": "two"}
    assert refusal(account.boto, walk.a.key, "AssumeRole", **step)[0] == "AccessDenied"
    assert walk.over(account) == ""
    assert "ListRoles" in opened(account.boto, walk.b.key)
    with world.server.clock.turned(2):
        assert "ListRoles" in opened(account.boto, first(account.boto, chain).key)


# --- rates


class Stopped(Clock):
    """A clock that only :meth:`turn` moves."""

    def __init__(self) -> None:
        super().__init__()
        self._start = time.time()

    def __call__(self) -> float:
        return self._start + self.offset


@pytest.fixture
def limited() -> Iterator[World]:
    """A server that grants four requests a second to an account, and stands still."""
    with running_server(clock=Stopped(), requests_per_second=4) as server:
        boto = Boto3(Place(server.url, server.region))
        yield World(server, boto)
        boto.close()


@pytest.mark.facts("STS-Q-001", "STS-Q-002", "STS-E-T29")
def test_boto3_is_told_to_slow_down(limited: World) -> None:
    account, other = limited.account(), limited.account()
    alice = account.user(allow("sts:*"))
    role = account.role(trusts(account.id))
    for _ in range(2):
        account.identity(alice.key)
        account.assume(alice.key, role)
    asked: tuple[tuple[str, dict[str, str]], ...] = (
        ("GetCallerIdentity", {}),
        ("GetSessionToken", {}),
        ("AssumeRole", {"RoleArn": role.arn, "RoleSessionName": "job"}),
    )
    for who in (alice.key, account.root):
        for operation, parameters in asked:
            with pytest.raises(Refused) as refused:
                account.sts(who, operation, **parameters)
            told = (refused.value.code, refused.value.message, refused.value.status)
            assert told == ("Throttling", "Rate exceeded", 400)
    other.identity(other.root)
    account.iam("GetUser", UserName=alice.name)
    limited.server.clock.turn(1)
    account.identity(alice.key)


@pytest.mark.facts("STS-Q-001")
@pytest.mark.parametrize("mode", ["legacy", "standard"])
def test_boto3_waits_and_tries_again_by_itself(limited: World, monkeypatch: pytest.MonkeyPatch, mode: Any) -> None:
    clock = limited.server.clock
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        clock.turn(1)

    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=sleep))
    account = limited.account()
    client = boto3.client("sts", config=Config(retries={"mode": mode}), **limited.server.boto3_arguments(account.root))
    for _ in range(4):
        client.get_caller_identity()
    assert waited == []
    answer = client.get_caller_identity()
    assert answer["ResponseMetadata"]["RetryAttempts"] == len(waited) == 1
    client.close()
