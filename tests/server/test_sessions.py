"""Chains of sessions: what passes on from one to the next, as docs/sessions.md tells it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from locum import errors
from locum.api import sts
from locum.api.extensions import RevokeSessionsCommand
from locum.api.iam import access_keys, roles, types, users
from locum.api.shapes import Command
from locum.core.session import Caller
from locum.guard.context import request_context
from locum.guard.directory import CallerPolicies, Directory
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, World, document

WHO: Final = sts.GetCallerIdentityCommand()
ADMIN: Final = document(Effect="Allow", Action="*", Resource="*")
PAGE: Final = Path(__file__).parents[2] / "docs" / "sessions.md"


class Seen(NamedTuple):
    """What the server knows of a caller: who it is, under which policies, with which condition keys."""

    caller: Caller
    policies: CallerPolicies
    context: Mapping[str, str | tuple[str, ...]]


def seen(world: World, credentials: Credentials) -> Seen:
    """A caller as every decision about it begins."""
    request = world.request(WHO, credentials)
    with world.pipeline.facts.reading() as view:
        directory = Directory(view, world.vault, "aws")
        caller, region = world.pipeline.guard.authenticate(request, (), directory, service="sts", now=world.now)
        policies = directory.policies_of(caller)
    return Seen(caller, policies, request_context(caller, request, region, world.now, policies.tags))


def principal_tags(world: World, credentials: Credentials) -> dict[str, Any]:
    """Key in lower case → value of ``aws:PrincipalTag``."""
    beginning = "aws:principaltag/"
    context = seen(world, credentials).context
    return {key.removeprefix(beginning): value for key, value in context.items() if key.startswith(beginning)}


def trusting(*actions: str, principal: Any = ACCOUNT, **more: Any) -> dict[str, Any]:
    """A trust policy for an account, which allows some actions; all three of AssumeRole where none is named."""
    named = list(actions or ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"))
    return document(Effect="Allow", Principal={"AWS": principal}, Action=named, **more)


def tags(**pairs: str) -> tuple[sts.Tag, ...]:
    return tuple(sts.Tag(key=key, value=value) for key, value in pairs.items())


def own_tags(**pairs: str) -> tuple[types.Tag, ...]:
    """Tags of a user or role."""
    return tuple(types.Tag(key=key, value=value) for key, value in pairs.items())


def assuming(role_arn: str, session: str = "s1", **more: Any) -> sts.AssumeRoleCommand:
    return sts.AssumeRoleCommand(role_arn=role_arn, role_session_name=session, **more)


def credentials_of(issued: sts.Credentials) -> Credentials:
    return Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)


def not_authorized(caller_arn: str, action: str, resource: str) -> str:
    return f"User: {caller_arn} is not authorized to perform: {action} on resource: {resource}"


# The worked example of the reference


@pytest.mark.facts("STS-TAG-T01", "STS-TAG-T02", "STS-TAG-T03", "STS-TAG-008", "STS-TAG-009", "STS-TAG-010")
def test_the_worked_example_of_a_chain_of_three_roles(world: World) -> None:
    user = world.user("alice", ADMIN)
    role1 = world.role("Role1", trusting(), ADMIN)
    role2 = world.role("Role2", trusting(), ADMIN, tags=own_tags(Sun="2"))
    role3 = world.role("Role3", trusting(), ADMIN, tags=own_tags(Lightning="3", Star="3"))
    first = world.assume(user, role1, tags=tags(Star="1", Heart="1"), transitive_tag_keys=("Star", "Heart"))
    assert principal_tags(world, first) == {"star": "1", "heart": "1"}
    second = world.assume(first, role2)
    assert principal_tags(world, second) == {"star": "1", "heart": "1", "sun": "2"}
    third = world.assume(second, role3)
    assert principal_tags(world, third) == {"star": "1", "heart": "1", "lightning": "3"}


# The page: a chain alice → A → B → C


class Chain:
    """The chain of docs/sessions.md."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.alice = world.user("alice", ADMIN)
        world.call(world.root, users.TagUserCommand(user_name="alice", tags=own_tags(Team="Blue")))
        self.arns = {
            name: world.role(name, trusting(), tags=own_tags(Tier=name.lower()), max_session_duration=43_200)
            for name in "ABC"
        }
        for name in "ABC":
            self.allow(name)
        asked = {
            "tags": tags(Project="Atlas", Ticket="42"),
            "transitive_tag_keys": ("Project",),
            "source_identity": "alice",
            "policy": json.dumps(document(Effect="Allow", Action=["sts:*", "iam:GetRole"], Resource="*")),
        }
        a = world.assume(self.alice, self.arns["A"], "first", **asked)
        world.now += 60
        b = world.assume(a, self.arns["B"], "second", tags=tags(Env="prod"), transitive_tag_keys=("Env",))
        world.now += 60
        self.sessions = {"A": a, "B": b, "C": world.assume(b, self.arns["C"], "third")}

    def allow(self, name: str, condition: Mapping[str, Any] | None = None) -> None:
        """Let a role do everything, under a condition."""
        statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition or {}}
        policy = json.dumps(document(statement if condition else ADMIN["Statement"][0]))
        command = roles.PutRolePolicyCommand(role_name=name, policy_name="p", policy_document=policy)
        self.world.call(self.world.root, command)

    def may(self, name: str, action: str) -> bool:
        """Whether a session of the chain is allowed something."""
        commands: dict[str, Command[Any]] = {
            "iam:GetRole": roles.GetRoleCommand(role_name=name),
            "iam:ListRoles": roles.ListRolesCommand(),
        }
        try:
            self.world.call(self.sessions[name], commands[action])
        except errors.AccessDenied:
            return False
        return True

    def works(self, name: str) -> bool:
        """Whether a session of the chain is one at all."""
        try:
            self.world.call(self.sessions[name], WHO)
        except (errors.InvalidClientTokenId, errors.ExpiredToken):
            return False
        return True


@pytest.fixture
def chain(world: World) -> Chain:
    return Chain(world)


def table(heading: str) -> list[list[str]]:
    """The rows of the table below a heading of the page, without its own head."""
    section = PAGE.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


KEYS: Final = table("What survives a step")
ABSENT: Final = "–"


@pytest.mark.facts("STS-SI-004", "STS-TAG-006", "STS-TAG-008", "STS-TAG-012", "POL-CK-008", "STS-AR-028")
@pytest.mark.parametrize("row", KEYS, ids=lambda row: str(row[0]))
def test_each_session_of_the_chain_has_the_keys_that_the_page_tells(chain: Chain, row: list[str]) -> None:
    key = re.fullmatch(r"`([^`]+)`.*", row[0])
    assert key is not None, row
    for name, told in zip("ABC", row[1:], strict=True):
        value = told.strip("`")
        chain.allow(name, {"Null": {key[1]: "true" if told == ABSENT else "false"}})
        assert chain.may(name, "iam:GetRole"), (name, told)
        if told != ABSENT:
            for wanted, allowed in ((value.split(", "), True), (["something else"], False)):
                many = "ForAllValues:" if key[1] == "sts:TransitiveTagKeys" else ""
                chain.allow(name, {f"{many}StringEquals": {key[1]: wanted}, "Null": {key[1]: "false"}})
                assert chain.may(name, "iam:GetRole") == allowed, (name, wanted)
        chain.allow(name)


def test_a_session_policy_limits_the_one_session_that_it_was_passed_to(chain: Chain) -> None:
    assert [chain.may(name, "iam:ListRoles") for name in "ABC"] == [False, True, True]


def revocations_of(chain: Chain) -> dict[str, RevokeSessionsCommand]:
    """The revocations of the page's second table."""
    alice = f"arn:aws:iam::{ACCOUNT}:user/alice"
    return {
        "A's session is revoked": RevokeSessionsCommand(access_key_id=chain.sessions["A"].access_key_id),
        "C's session is revoked": RevokeSessionsCommand(access_key_id=chain.sessions["C"].access_key_id),
        "the sessions of role A are revoked": RevokeSessionsCommand(role_arn=chain.arns["A"]),
        "the sessions of role B are revoked": RevokeSessionsCommand(role_arn=chain.arns["B"]),
        "what role A's sessions led to is revoked": RevokeSessionsCommand(issuer_arn=chain.arns["A"]),
        "what alice's key led to is revoked": RevokeSessionsCommand(access_key_id=chain.alice.access_key_id),
        "alice's sessions are revoked": RevokeSessionsCommand(principal_arn=alice),
        "the source identity `alice` is revoked": RevokeSessionsCommand(source_identity="alice"),
    }


def _end(chain: Chain, how: str) -> None:
    """What is done to the chain, in the words of the page's second table."""
    world = chain.world
    if how == "alice is deleted":
        world.call(world.root, users.DeleteUserPolicyCommand(user_name="alice", policy_name="p"))
        key = access_keys.DeleteAccessKeyCommand(user_name="alice", access_key_id=chain.alice.access_key_id)
        world.call(world.root, key)
        world.call(world.root, users.DeleteUserCommand(user_name="alice"))
    elif how == "role A is deleted":
        world.call(world.root, roles.DeleteRolePolicyCommand(role_name="A", policy_name="p"))
        world.call(world.root, roles.DeleteRoleCommand(role_name="A"))
    elif how == "role A denies older sessions by `aws:TokenIssueTime`":
        now = world.now
        older = {"DateLessThan": {"aws:TokenIssueTime": str(int(now))}}
        policy = json.dumps(document(Effect="Deny", Action="*", Resource="*", Condition=older))
        command = roles.PutRolePolicyCommand(
            role_name="A", policy_name="AWSRevokeOlderSessions", policy_document=policy
        )
        world.call(world.root, command)
    elif how == "alice's policies are taken away":
        world.call(world.root, users.DeleteUserPolicyCommand(user_name="alice", policy_name="p"))
    elif how in (revocations := revocations_of(chain)):
        world.call(world.root, revocations[how])
    elif how == "an hour passes":
        world.now += 3_600
    else:
        raise AssertionError(f"the page tells of {how!r}, and no test does it")


ENDS: Final = table("What ends a session")


@pytest.mark.facts("POL-SS-008", "POL-EV-014", "POL-SS-007")
@pytest.mark.parametrize("row", ENDS, ids=lambda row: str(row[0]))
def test_what_ends_a_session_ends_what_the_page_tells(chain: Chain, row: list[str]) -> None:
    how, *told = row
    _end(chain, how)
    for name, state in zip("ABC", told, strict=True):
        if state == "over":
            assert not chain.works(name), name
        elif state == "denied":
            assert chain.works(name)
            assert not chain.may(name, "iam:GetRole"), name
        else:
            assert state == "goes on"
            assert chain.may(name, "iam:GetRole"), name
