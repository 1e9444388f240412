"""How much may limit a session, what a refusal is, and what a session keeps from the moment it was issued."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import policies, roles, users
from locum.api.shapes import Command
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, World, document

CHARACTERS: Final = 2_048
ARNS: Final = 10
ADMIN: Final = document(Effect="Allow", Action="*", Resource="*")
LIST_USERS: Final = document(Effect="Allow", Action="iam:ListUsers", Resource="*")
READS: Final[dict[str, Command[Any]]] = {
    "iam:ListUsers": users.ListUsersCommand(),
    "iam:ListRoles": roles.ListRolesCommand(),
    "iam:ListPolicies": policies.ListPoliciesCommand(),
}


def managed(world: World, name: str, content: Any = LIST_USERS) -> str:
    """The ARN of a new managed policy."""
    command = policies.CreatePolicyCommand(policy_name=name, policy_document=json.dumps(content))
    made = world.call(world.root, command).policy
    assert made is not None
    assert made.arn is not None
    return made.arn


def described(arns: list[str]) -> tuple[sts.PolicyDescriptorType, ...]:
    return tuple(sts.PolicyDescriptorType(arn=arn) for arn in arns)


def of_size(characters: int) -> str:
    """A session policy of so many characters."""
    text = json.dumps(LIST_USERS)
    return text + " " * (characters - len(text))


def asked(role: str, **limits: Any) -> sts.AssumeRoleCommand:
    return sts.AssumeRoleCommand(role_arn=role, role_session_name="s1", **limits)


def rights(world: World, who: Credentials) -> set[str]:
    """Which of the reading actions a caller may do."""
    return {action for action, command in READS.items() if world.send(world.request(command, who)).status == 200}


@pytest.fixture
def user(world: World) -> Credentials:
    return world.user("alice", ADMIN)


@pytest.fixture
def role(world: World, user: Credentials) -> str:
    return world.role("app", {"AWS": ACCOUNT}, ADMIN)


@pytest.mark.facts("POL-LM-004")
@pytest.mark.parametrize(("characters", "accepted"), [(CHARACTERS, True), (CHARACTERS + 1, False)])
def test_an_inline_session_policy_has_at_most_2048_characters(
    world: World, user: Credentials, role: str, characters: int, accepted: bool
) -> None:
    command = asked(role, policy=of_size(characters))
    if accepted:
        assert world.call(user, command).packed_policy_size is not None
    else:
        world.refusal(user, command, errors.ValidationError)


@pytest.mark.facts("POL-LM-004")
@pytest.mark.parametrize(("beyond", "accepted"), [(0, True), (1, False)])
def test_the_inline_policy_and_the_arns_share_the_2048_characters(
    world: World, user: Credentials, role: str, beyond: int, accepted: bool
) -> None:
    arns = [managed(world, f"limit-{number}") for number in range(2)]
    inline = of_size(CHARACTERS - sum(map(len, arns)) + beyond)
    command = asked(role, policy=inline, policy_arns=described(arns))
    if accepted:
        world.call(user, command)
    else:
        world.refusal(user, command, errors.ValidationError)


@pytest.mark.facts("POL-LM-004")
@pytest.mark.parametrize(("count", "accepted"), [(ARNS, True), (ARNS + 1, False)])
def test_a_session_has_at_most_ten_managed_policies(
    world: World, user: Credentials, role: str, count: int, accepted: bool
) -> None:
    arns = [managed(world, f"limit-{number}") for number in range(count)]
    command = asked(role, policy_arns=described(arns))
    if accepted:
        world.call(user, command)
    else:
        world.refusal(user, command, errors.ValidationError)


@pytest.mark.facts("POL-LM-004")
def test_session_policies_have_a_packed_size_in_percent_and_are_refused_above_a_hundred(
    world: World, user: Credentials, role: str
) -> None:
    def noise(count: int) -> str:
        actions = [f"s3:{hashlib.sha256(bytes([number])).hexdigest()}" for number in range(count)]
        return json.dumps(document(Effect="Allow", Action=actions, Resource="*"))

    sizes = [world.call(user, asked(role, policy=noise(count))).packed_policy_size for count in (1, 4, 8)]
    assert all(size is not None and 0 < size <= 100 for size in sizes)
    assert sizes == sorted(set(sizes), key=lambda size: size or 0)
    assert len(noise(27)) <= CHARACTERS
    text = world.refusal(user, asked(role, policy=noise(27)), errors.PackedPolicyTooLargeException)
    consumed = int(text.removeprefix("Packed policy consumes ").partition("%")[0])
    assert consumed > 100


@pytest.mark.facts("POL-SS-001")
def test_a_session_takes_one_inline_policy_and_ten_managed_ones_together(
    world: World, user: Credentials, role: str
) -> None:
    fillers = [
        managed(world, f"filler-{number}", document(Effect="Deny", Action="s3:*", Resource="*")) for number in range(9)
    ]
    roles_only = managed(world, "roles-only", document(Effect="Allow", Action="iam:ListRoles", Resource="*"))
    inline = json.dumps(LIST_USERS)
    every = described([*fillers, roles_only])
    assert rights(world, world.assume(user, role)) == set(READS)
    assert rights(world, world.assume(user, role, policy=inline)) == {"iam:ListUsers"}
    assert rights(world, world.assume(user, role, policy_arns=every)) == {"iam:ListRoles"}
    assert rights(world, world.assume(user, role, policy=inline, policy_arns=every)) == {
        "iam:ListUsers",
        "iam:ListRoles",
    }


@pytest.mark.facts("POL-MSG-001")
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(users.ListUsersCommand(), id="IAM, no policy allows"),
        pytest.param(users.CreateUserCommand(user_name="new"), id="IAM, a policy denies"),
        pytest.param(asked(f"arn:aws:iam::{ACCOUNT}:role/app"), id="STS, the trust policy does not allow"),
        pytest.param(asked(f"arn:aws:iam::{ACCOUNT}:role/missing"), id="STS, no such role"),
        pytest.param(sts.DecodeAuthorizationMessageCommand(encoded_message="x"), id="STS, no policy allows"),
    ],
)
def test_every_denial_is_access_denied_with_status_403(world: World, command: Command[Any]) -> None:
    world.role("app", {"Service": "ec2.amazonaws.com"})
    nobody = world.user("nobody", document(Effect="Deny", Action="iam:Create*", Resource="*"))
    answer = world.send(world.request(command, nobody))
    assert answer.status == 403
    assert b"<Code>AccessDenied</Code>" in answer.body


def when_issued(moment: str) -> str:
    condition = {"DateEquals": {"aws:TokenIssueTime": moment}}
    return json.dumps(document(Effect="Allow", Action="iam:ListUsers", Resource="*", Condition=condition))


@pytest.mark.facts("POL-CK-016")
def test_a_session_keeps_the_moment_at_which_it_was_issued(world: World, user: Credentials, role: str) -> None:
    """Of two sessions of one role, asked at one moment, each has its own; a changed role does not change that."""
    early = world.assume(user, role)
    world.now += 600
    late = world.assume(user, role)
    world.now += 600
    for moment, who in (("2026-01-02T03:04:05Z", early), ("2026-01-02T03:14:05Z", late)):
        put = roles.PutRolePolicyCommand(role_name="app", policy_name="p", policy_document=when_issued(moment))
        world.call(world.root, put)
        assert [rights(world, each) == {"iam:ListUsers"} for each in (early, late)] == [
            each is who for each in (early, late)
        ]


@pytest.mark.facts("POL-CK-016")
def test_a_session_keeps_whether_it_was_issued_with_mfa(world: World, user: Credentials) -> None:
    """One without MFA says so for as long as it lives; the key that it was issued to says nothing."""
    condition = {"Bool": {"aws:MultiFactorAuthPresent": "false"}}
    trust = document(Effect="Allow", Principal={"AWS": ACCOUNT}, Action="sts:AssumeRole", Condition=condition)
    command = asked(world.role("marked", trust))
    issued = world.call(user, sts.GetSessionTokenCommand()).credentials
    assert issued is not None
    session = Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
    for _ in range(2):
        world.call(session, command)
        world.refusal(user, command, errors.AccessDenied)
        world.now += 3_600


@pytest.mark.facts("STS-Q-004", "STS-TAG-002", "STS-V-007")
def test_fifty_tags_and_2048_characters_are_the_most_of_a_session(world: World) -> None:
    trust = document(Effect="Allow", Principal={"AWS": "*"}, Action=["sts:AssumeRole", "sts:TagSession"])
    alice, role = world.user("alice"), world.role("open", trust)
    tags = tuple(sts.Tag(key=f"k{number}", value="v") for number in range(51))
    assert world.assume(alice, role, tags=tags[:50]).session_token is not None
    command = sts.AssumeRoleCommand(role_arn=role, role_session_name="s1", tags=tags)
    refusal = world.refusal(alice, command, errors.ValidationError)
    assert refusal.startswith("1 validation error detected: Value '[Tag(key=k0, value=v), Tag(key=k1, value=v), ")
    assert refusal.endswith("at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50")
    policy = json.dumps(document(Effect="Allow", Action="s3:GetObject", Resource="*"))
    assert world.assume(alice, role, policy=policy.ljust(2048)).session_token is not None
    long = sts.AssumeRoleCommand(role_arn=role, role_session_name="s1", policy=policy.ljust(2049))
    with pytest.raises(errors.ServiceException):
        world.call(alice, long)
