"""The condition keys of a request, for each kind of caller, as policies see them (sts.md §21, policy.md §7)."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import access_keys, roles, types, users
from locum.api.shapes import Command
from locum.http import Request
from locum.wire.sigv4 import Credentials, sign

from .conftest import ACCOUNT, OTHER, START, World, document

USER, USER_SESSION, ROLE_SESSION = "user", "user session", "role session"
KINDS: Final = (USER, USER_SESSION, ROLE_SESSION)
ABSENT: Final = None
AGENT: Final = "Boto3/1.40 (ünïcode; <x>)"
REFERER: Final = "https://console.example/iam?x=1"
USERS_ARN: Final = f"arn:aws:iam::{ACCOUNT}:user/ops/alice"
ROLES_ARN: Final = f"arn:aws:iam::{ACCOUNT}:role/ops/caller"

Row = tuple[str, str, str | None, str | None, str | None, str]


class Scene:
    """Callers of three kinds, all with the same policy, and a role that trusts the whole account."""

    def __init__(self, world: World, owner: str = ACCOUNT) -> None:
        self.world = world
        tag = (types.Tag(key="Team", value="Blue"),)
        user = users.CreateUserCommand(user_name="alice", path="/ops/", tags=tag)
        made = world.call(world.root, user).user
        assert made is not None
        trust = json.dumps(document(Effect="Allow", Principal={"AWS": USERS_ARN}, Action="sts:AssumeRole"))
        role = world.call(
            world.root,
            roles.CreateRoleCommand(role_name="caller", path="/ops/", assume_role_policy_document=trust, tags=tag),
        ).role
        root = world.root if owner == ACCOUNT else world.account(owner)
        self.target = world.role("target", {"AWS": ACCOUNT}, root=root, tags=(types.Tag(key="Kind", value="Target"),))
        self.ids = {USER: made.user_id, USER_SESSION: made.user_id, ROLE_SESSION: f"{role.role_id}:s1"}
        key = world.call(world.root, access_keys.CreateAccessKeyCommand(user_name="alice")).access_key
        alice = Credentials(key.access_key_id, key.secret_access_key)
        issued = world.call(alice, sts.GetSessionTokenCommand()).credentials
        assert issued is not None
        self.callers = {
            USER: alice,
            USER_SESSION: Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token),
            ROLE_SESSION: world.assume(alice, role.arn),
        }
        world.now += 5

    def allow_if(self, conditions: dict[str, Any]) -> None:
        """Give all callers one policy, which allows everything under conditions."""
        policy = json.dumps(document(Effect="Allow", Action="*", Resource="*", Condition=conditions))
        put_user = users.PutUserPolicyCommand(user_name="alice", policy_name="p", policy_document=policy)
        put_role = roles.PutRolePolicyCommand(role_name="caller", policy_name="p", policy_document=policy)
        self.world.call(self.world.root, put_user)
        self.world.call(self.world.root, put_role)

    def may(self, kind: str, command: Command[Any] | None = None, *, region: str = "us-east-1", **changes: Any) -> bool:
        """Whether a caller is allowed to assume the target, unless told what else."""
        if command is None:
            command = sts.AssumeRoleCommand(role_arn=self.target, role_session_name="next", external_id="shake")
        request = self.world.request(command, None)
        headers = (*request.headers, ("user-agent", AGENT), ("referer", REFERER))
        request = msgspec.structs.replace(request, **{"headers": headers, **changes})
        service = command.operation.service.name
        signed: Request = sign(request, self.callers[kind], service=service, region=region, now=self.world.now)
        try:
            self.world.check(self.world.send(signed))
        except errors.AccessDenied:
            return False
        return True


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


ROWS: Final = [
    # key, operator, values for: user, user session, role session; another value
    pytest.param(
        ("aws:CurrentTime", "DateEquals", *["2026-01-02T03:04:10Z"] * 3, "2026-01-02T03:04:11Z"),
        marks=pytest.mark.facts("STS-CTX-T01", "POL-CK-011"),
    ),
    pytest.param(
        ("aws:EpochTime", "NumericEquals", *[str(int(START) + 5)] * 3, str(int(START) + 6)),
        marks=pytest.mark.facts("STS-CTX-T02", "POL-CK-011"),
    ),
    pytest.param(
        ("aws:EpochTime", "DateEquals", *[str(int(START) + 5)] * 3, str(int(START))),
        marks=pytest.mark.facts("STS-CTX-T02"),
    ),
    pytest.param(
        ("aws:SecureTransport", "Bool", *["false"] * 3, "true"), marks=pytest.mark.facts("STS-CTX-T03", "POL-CK-011")
    ),
    pytest.param(
        ("aws:SourceIp", "IpAddress", *["198.51.100.7/32"] * 3, "198.51.100.8/32"),
        marks=pytest.mark.facts("STS-CTX-T04", "POL-CK-010"),
    ),
    pytest.param(
        ("aws:UserAgent", "StringEquals", *[AGENT] * 3, "Boto3"), marks=pytest.mark.facts("STS-CTX-T05", "POL-CK-011")
    ),
    pytest.param(
        ("aws:RequestedRegion", "StringEquals", *["us-east-1"] * 3, "eu-central-1"),
        marks=pytest.mark.facts("STS-CTX-T06", "POL-CK-011"),
    ),
    pytest.param(
        ("aws:referer", "StringEquals", *[REFERER] * 3, "x"), marks=pytest.mark.facts("STS-CTX-T07", "POL-CK-011")
    ),
    pytest.param(("aws:ViaAWSService", "Bool", *["false"] * 3, "true"), marks=pytest.mark.facts("STS-CTX-T08")),
    pytest.param(("aws:PrincipalAccount", "StringEquals", *[ACCOUNT] * 3, OTHER)),
    pytest.param(
        ("aws:PrincipalArn", "ArnEquals", USERS_ARN, USERS_ARN, ROLES_ARN, f"arn:aws:iam::{ACCOUNT}:user/alice"),
        marks=pytest.mark.facts("POL-CK-001"),
    ),
    pytest.param(
        ("aws:PrincipalType", "StringEquals", "User", "User", "AssumedRole", "Account"),
        marks=pytest.mark.facts("STS-CTX-T32", "STS-CTX-T34", "POL-CK-003"),
    ),
    pytest.param(
        ("aws:userid", "StringEquals", USER, USER_SESSION, ROLE_SESSION, "alice"),
        marks=pytest.mark.facts("STS-CTX-T32", "STS-CTX-T34", "POL-CK-003"),
    ),
    pytest.param(
        ("aws:username", "StringEquals", "alice", "alice", ABSENT, "caller"),
        marks=pytest.mark.facts("STS-CTX-T14", "STS-CTX-T32", "STS-CTX-T34", "POL-CK-003"),
    ),
    pytest.param(
        ("aws:PrincipalTag/Team", "StringEquals", *["Blue"] * 3, "blue"), marks=pytest.mark.facts("STS-CTX-T15")
    ),
    pytest.param(
        ("aws:PrincipalTag/Kind", "StringEquals", *[ABSENT] * 3, "Target"), marks=pytest.mark.facts("STS-CTX-T15")
    ),
    pytest.param(("aws:PrincipalIsAWSService", "Bool", *["false"] * 3, "true"), marks=pytest.mark.facts("STS-CTX-T17")),
    pytest.param(
        ("aws:ResourceTag/Kind", "StringEquals", *["Target"] * 3, "target"), marks=pytest.mark.facts("POL-CK-013")
    ),
    pytest.param(("iam:ResourceTag/Kind", "StringEquals", *["Target"] * 3, "x")),
    pytest.param(("aws:ResourceTag/Team", "StringEquals", *[ABSENT] * 3, "Blue")),
    pytest.param(("aws:ResourceAccount", "StringEquals", *[ACCOUNT] * 3, OTHER)),
    pytest.param(
        ("aws:MultiFactorAuthPresent", "Bool", ABSENT, "false", ABSENT, "true"),
    ),
    pytest.param(
        ("aws:MultiFactorAuthAge", "NumericLessThan", *[ABSENT] * 3, "999999"),
    ),
    pytest.param(
        ("aws:TokenIssueTime", "DateEquals", ABSENT, *["2026-01-02T03:04:05Z"] * 2, "2026-01-02T03:04:10Z"),
        marks=pytest.mark.facts("STS-CTX-T24", "POL-CK-007"),
    ),
    pytest.param(
        ("sts:ExternalId", "StringEquals", *["shake"] * 3, "Shake"),
        marks=pytest.mark.facts("STS-CTX-T38", "POL-CK-020"),
    ),
    pytest.param(("sts:RoleSessionName", "StringEquals", *["next"] * 3, "s1")),
    pytest.param(("sts:DurationSeconds", "StringLike", *[ABSENT] * 3, "*"), marks=pytest.mark.facts("STS-CTX-004")),
    pytest.param(("sts:FederatedProvider", "StringLike", *[ABSENT] * 3, "*"), marks=pytest.mark.facts("STS-CTX-005")),
    *[
        (key, "StringLike", *[ABSENT] * 3, "*")
        for key in (
            *("aws:CalledVia", "aws:CalledViaFirst", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths"),
            *("aws:PrincipalServiceName", "aws:RequestTag/Team", "aws:TagKeys", "aws:ResourceOrgID"),
            *("aws:FederatedProvider", "aws:SourceIdentity", "aws:AssumedRoot", "aws:SourceVpc", "aws:SourceVpce"),
            *("aws:Ec2InstanceSourceVpc", "aws:SourceAccount", "aws:SourceArn", "sts:SourceIdentity"),
            *("sts:TransitiveTagKeys", "sts:TaskPolicyArn", "sts:RoleAuthorizedByIdp", "sts:RequestContextProviders"),
        )
    ],
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_key_has_its_value_for_each_kind_of_caller(scene: Scene, row: Row) -> None:
    key, operator, *values, other = row
    for kind, value in zip(KINDS, values, strict=True):
        if value in KINDS:
            value = scene.ids[kind]
        scene.allow_if({"Null": {key: "true" if value is ABSENT else "false"}})
        assert scene.may(kind), kind
        scene.allow_if({"Null": {key: "false" if value is ABSENT else "true"}})
        assert not scene.may(kind), kind
        scene.allow_if({operator: {key: other}})
        assert not scene.may(kind), kind
        if value is not ABSENT:
            scene.allow_if({operator: {key: value}})
            assert scene.may(kind), kind


@pytest.mark.facts("STS-CTX-T05", "STS-CTX-T07")
@pytest.mark.parametrize("key", ["aws:UserAgent", "aws:referer"])
def test_a_header_that_is_not_sent_is_no_key(scene: Scene, key: str) -> None:
    scene.allow_if({"Null": {key: "true"}})
    assert not scene.may(USER)
    host = (("host", "127.0.0.1:8380"), ("content-type", "application/x-www-form-urlencoded"))
    assert scene.may(USER, headers=host)


@pytest.mark.facts("STS-CTX-T06")
def test_the_region_is_the_one_that_was_signed_for(scene: Scene) -> None:
    scene.allow_if({"StringEquals": {"aws:RequestedRegion": "eu-central-1"}})
    assert not scene.may(USER)
    assert scene.may(USER, region="eu-central-1")


def test_the_account_of_the_resource_is_the_roles_across_accounts(world: World) -> None:
    scene = Scene(world, OTHER)
    scene.allow_if({"StringEquals": {"aws:ResourceAccount": OTHER, "aws:PrincipalAccount": ACCOUNT}})
    assert all(scene.may(kind) for kind in KINDS)
    scene.allow_if({"StringEquals": {"aws:ResourceAccount": ACCOUNT}})
    assert not any(scene.may(kind) for kind in KINDS)


@pytest.mark.facts("STS-CTX-T38")
def test_an_external_id_that_is_not_passed_is_no_key(scene: Scene) -> None:
    scene.allow_if({"Null": {"sts:ExternalId": "true"}})
    assert scene.may(USER, sts.AssumeRoleCommand(role_arn=scene.target, role_session_name="next"))
    assert not scene.may(USER)


@pytest.mark.facts("STS-CTX-004")
def test_the_duration_of_a_role_session_is_no_key(scene: Scene) -> None:
    command = sts.AssumeRoleCommand(role_arn=scene.target, role_session_name="next", duration_seconds=900)
    scene.allow_if({"Null": {"sts:DurationSeconds": "true"}})
    assert all(scene.may(kind, command) for kind in KINDS)


TAGGING: Final[dict[str, Command[Any]]] = {
    "CreateUser": users.CreateUserCommand(user_name="new", tags=(types.Tag(key="Cost", value="Low"),)),
    "TagUser": users.TagUserCommand(user_name="alice", tags=(types.Tag(key="Cost", value="Low"),)),
    "TagRole": roles.TagRoleCommand(role_name="target", tags=(types.Tag(key="Cost", value="Low"),)),
}


@pytest.mark.facts("STS-CTX-T18", "STS-CTX-T19")
@pytest.mark.parametrize("operation", TAGGING)
@pytest.mark.parametrize("kind", [USER, ROLE_SESSION])
def test_the_tags_of_a_request_are_keys(scene: Scene, kind: str, operation: str) -> None:
    command = TAGGING[operation]
    for conditions, allowed in (
        ({"StringEquals": {"aws:RequestTag/Cost": "low"}}, False),
        ({"StringEquals": {"aws:RequestTag/Team": "Blue"}}, False),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": "Team"}}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}, False),
        ({"Null": {"aws:RequestTag/Cost": "true"}}, False),
        ({"StringEquals": {"aws:RequestTag/cost": "Low"}, "ForAllValues:StringEquals": {"aws:TagKeys": "Cost"}}, True),
    ):
        scene.allow_if(conditions)
        assert scene.may(kind, command) == allowed, conditions


@pytest.mark.facts("POL-CK-013")
def test_the_tags_of_a_user_are_keys_of_what_is_done_to_it(scene: Scene) -> None:
    command = users.GetUserCommand(user_name="alice")
    for key in ("aws:ResourceTag/Team", "iam:ResourceTag/Team"):
        scene.allow_if({"StringEquals": {key: "Blue"}})
        assert scene.may(ROLE_SESSION, command)
        scene.allow_if({"StringEquals": {key: "blue"}})
        assert not scene.may(ROLE_SESSION, command)


@pytest.mark.facts("STS-CTX-001")
@pytest.mark.parametrize(
    ("conditions", "allowed"),
    [
        ({"StringEquals": {"AWS:USERNAME": "alice"}}, True),
        ({"StringEquals": {"aws:UserName": "Alice"}}, False),
        ({"StringEquals": {"AWS:principaltag/tEAM": "Blue"}}, True),
        ({"StringEquals": {"aws:PrincipalTag/Team": "blue"}}, False),
    ],
)
def test_names_of_keys_have_no_case_and_values_have(scene: Scene, conditions: dict[str, Any], allowed: bool) -> None:
    scene.allow_if(conditions)
    assert scene.may(USER) == allowed


@pytest.mark.facts("STS-CTX-002")
@pytest.mark.parametrize(
    ("conditions", "allowed"),
    [
        ({"StringEquals": {"aws:SourceIdentity": "x"}}, False),
        ({"StringLike": {"aws:SourceIdentity": "*"}}, False),
        ({"StringEqualsIfExists": {"aws:SourceIdentity": "x"}}, True),
        ({"Null": {"aws:SourceIdentity": "true"}}, True),
        ({"Null": {"aws:SourceIdentity": "false"}}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": "x"}}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": "x"}}, False),
    ],
)
def test_what_a_key_that_is_absent_means(scene: Scene, conditions: dict[str, Any], allowed: bool) -> None:
    scene.allow_if(conditions)
    assert scene.may(USER) == allowed


@pytest.mark.facts("STS-CTX-006")
@pytest.mark.parametrize(("kind", "allowed"), [(USER, True), (USER_SESSION, True), (ROLE_SESSION, False)])
def test_a_trust_policy_can_want_the_users_own_name_as_the_sessions(scene: Scene, kind: str, allowed: bool) -> None:
    world = scene.world
    condition = {"StringEquals": {"sts:RoleSessionName": "${aws:username}"}}
    trust = document(Effect="Allow", Principal={"AWS": ACCOUNT}, Action="sts:AssumeRole", Condition=condition)
    arn = world.role("named", trust)
    scene.allow_if({"Null": {"aws:PrincipalArn": "false"}})
    assert scene.may(kind, sts.AssumeRoleCommand(role_arn=arn, role_session_name="alice")) == allowed
    for name in ("bob", "Alice", "caller", "s1"):
        assert not scene.may(kind, sts.AssumeRoleCommand(role_arn=arn, role_session_name=name))


@pytest.mark.facts("STS-CTX-003")
def test_sessions_issued_before_a_moment_can_be_revoked(scene: Scene) -> None:
    world = scene.world
    scene.allow_if({"Null": {"aws:PrincipalArn": "false"}})
    command = users.GetUserCommand(user_name="alice")
    assert scene.may(ROLE_SESSION, command)
    revoked = document(
        Effect="Deny",
        Action="*",
        Resource="*",
        Condition={"DateLessThan": {"aws:TokenIssueTime": "2026-01-02T03:04:06Z"}},
    )
    put = roles.PutRolePolicyCommand(role_name="caller", policy_name="revoke", policy_document=json.dumps(revoked))
    world.call(world.root, put)
    assert not scene.may(ROLE_SESSION, command)
    scene.callers[ROLE_SESSION] = world.assume(scene.callers[USER], ROLES_ARN)
    assert scene.may(ROLE_SESSION, command)
