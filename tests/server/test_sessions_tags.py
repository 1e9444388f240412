"""Session tags: who may pass them, what policies see of them, how they are refused (areas AR, SP, TAG)."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import msgspec
import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import roles, users
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, OTHER, World, document
from .test_sessions import (
    ADMIN,
    assuming,
    credentials_of,
    not_authorized,
    own_tags,
    principal_tags,
    tags,
    trusting,
)

ALICE: Final = f"arn:aws:iam::{ACCOUNT}:user/alice"
TEAM: Final = tags(Team="Blue")
DUPLICATES: Final = "Duplicate tag keys found. Please note that Tag keys are case insensitive."


def noise(count: int) -> tuple[sts.Tag, ...]:
    """Tags that do not pack."""
    return tuple(
        sts.Tag(key=f"k{number}", value=hashlib.sha256(bytes([number])).hexdigest()) for number in range(count)
    )


def assume_only(*actions: str) -> dict[str, Any]:
    return document(Effect="Allow", Action=list(actions), Resource="*")


# Permission


@pytest.mark.facts("STS-AR-017", "STS-AR-T17", "STS-AR-024", "STS-E-003", "POL-EV-022")
@pytest.mark.parametrize("owner", [ACCOUNT, OTHER])
def test_tags_need_the_trust_policys_leave(world: World, owner: str) -> None:
    root = world.root if owner == ACCOUNT else world.account(owner)
    alice = world.user("alice", assume_only("sts:AssumeRole", "sts:TagSession"))
    role = world.role("r", trusting("sts:AssumeRole"), root=root)
    world.assume(alice, role)
    refused = world.refusal(alice, assuming(role, tags=TEAM), errors.AccessDenied)
    assert refused == not_authorized(ALICE, "sts:TagSession", role)
    allowed = world.role("s", trusting("sts:AssumeRole", "sts:TagSession"), root=root)
    world.assume(alice, allowed, tags=TEAM)


@pytest.mark.facts("STS-AR-019", "STS-AR-T18", "STS-AR-024")
@pytest.mark.parametrize("owner", [ACCOUNT, OTHER])
def test_tags_need_the_callers_own_leave_where_the_account_is_trusted(world: World, owner: str) -> None:
    root = world.root if owner == ACCOUNT else world.account(owner)
    alice = world.user("alice", assume_only("sts:AssumeRole"))
    role = world.role("r", trusting(), root=root)
    refused = world.refusal(alice, assuming(role, tags=TEAM), errors.AccessDenied)
    assert refused == not_authorized(ALICE, "sts:TagSession", role)


@pytest.mark.facts("STS-AR-017")
def test_a_direct_grant_of_the_trust_policy_is_enough_for_tags_in_one_account(world: World) -> None:
    alice = world.user("alice")
    role = world.role("r", trusting("sts:AssumeRole", "sts:TagSession", principal=ALICE))
    world.assume(alice, role, tags=TEAM)


@pytest.mark.facts("STS-AR-018")
def test_inherited_tags_need_leave_though_none_was_passed(world: World) -> None:
    alice = world.user("alice", ADMIN)
    first = world.role("first", trusting(), ADMIN)
    plain = world.role("plain", trusting("sts:AssumeRole"))
    staying = world.assume(alice, first, tags=TEAM)
    world.assume(staying, plain)
    lasting = world.assume(alice, first, tags=TEAM, transitive_tag_keys=("Team",))
    caller = f"arn:aws:sts::{ACCOUNT}:assumed-role/first/s1"
    assert world.refusal(lasting, assuming(plain), errors.AccessDenied) == not_authorized(
        caller, "sts:TagSession", plain
    )
    world.assume(lasting, world.role("open", trusting()))


@pytest.mark.facts("STS-AR-024")
def test_who_may_not_assume_the_role_at_all_is_told_so_first(world: World) -> None:
    alice = world.user("alice")
    role = world.role("r", trusting())
    refused = world.refusal(alice, assuming(role, tags=TEAM, source_identity="alice"), errors.AccessDenied)
    assert refused == not_authorized(ALICE, "sts:AssumeRole", role)


@pytest.mark.facts("R31")
@pytest.mark.parametrize("action", ["sts:TagSession", "sts:SetSourceIdentity"])
def test_a_deny_of_a_part_refuses_the_whole(world: World, action: str) -> None:
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    alice = world.user("alice", document(*ADMIN["Statement"], statement))
    role = world.role("r", trusting(principal=ALICE))
    refused = world.refusal(alice, assuming(role, tags=TEAM, source_identity="alice"), errors.AccessDenied)
    assert refused == not_authorized(ALICE, action, role)


# What policies see


def admits(
    world: World, condition: dict[str, Any], caller: Credentials, *, action: str = "sts:TagSession", **asked: Any
) -> bool:
    """Whether a role whose trust policy has a condition on one action lets a caller in."""
    others = {"sts:AssumeRole", "sts:TagSession"} - {action}
    trust = document(*trusting(*others)["Statement"], *trusting(action, Condition=condition)["Statement"])
    command = roles.UpdateAssumeRolePolicyCommand(role_name="r", policy_document=json.dumps(trust))
    world.call(world.root, command)
    try:
        world.call(caller, assuming(f"arn:aws:iam::{ACCOUNT}:role/r", **asked))
    except errors.AccessDenied:
        return False
    return True


@pytest.mark.facts("STS-TAG-014", "STS-CTX-T18", "STS-CTX-T19", "STS-CTX-T41", "POL-CK-012", "POL-CK-023")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"aws:RequestTag/team": "Blue"}}, True),
        ({"StringEquals": {"aws:RequestTag/team": "blue"}}, False),
        ({"StringEquals": {"aws:RequestTag/Own": "Green"}}, False),
        ({"StringEquals": {"aws:PrincipalTag/Own": "Green"}}, True),
        ({"StringEquals": {"aws:PrincipalTag/Team": "Blue"}}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Team", "Ticket"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}, False),
        ({"ForAnyValue:StringEquals": {"sts:TransitiveTagKeys": ["Team"]}}, True),
        ({"ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["Team"]}}, True),
        ({"ForAnyValue:StringEquals": {"sts:TransitiveTagKeys": ["Ticket"]}}, False),
        ({"StringEquals": {"aws:ResourceTag/Kind": "Target"}}, True),
        ({"StringEquals": {"iam:ResourceTag/Kind": "Target"}}, True),
        ({"StringEquals": {"aws:ResourceTag/Team": "Blue"}}, False),
    ],
)
def test_what_the_trust_policy_sees_of_passed_tags(world: World, condition: dict[str, Any], expected: bool) -> None:
    alice = world.user("alice", ADMIN)
    world.call(world.root, users.TagUserCommand(user_name="alice", tags=own_tags(Own="Green")))
    world.role("r", trusting(), tags=own_tags(Kind="Target"))
    asked = {"tags": tags(Team="Blue", Ticket="42"), "transitive_tag_keys": ("Team",)}
    for action in ("sts:TagSession", "sts:AssumeRole"):
        assert admits(world, condition, alice, action=action, **asked) == expected


@pytest.mark.facts("STS-TAG-013", "STS-CTX-T20", "STS-CTX-T41")
def test_an_inherited_tag_stands_in_for_the_roles_own_while_its_trust_policy_is_asked(world: World) -> None:
    alice = world.user("alice", ADMIN)
    first = world.role("first", trusting(), ADMIN)
    world.role("r", trusting(), tags=own_tags(star="3", Sun="2"))
    session = world.assume(alice, first, tags=tags(Star="1", Moon="4"), transitive_tag_keys=("Star", "Moon"))
    for prefix in ("aws:ResourceTag", "iam:ResourceTag"):
        assert admits(world, {"StringEquals": {f"{prefix}/Star": "1", f"{prefix}/Sun": "2"}}, session)
        assert not admits(world, {"StringEquals": {f"{prefix}/Star": "3"}}, session)
        assert admits(world, {"Null": {f"{prefix}/Moon": "true"}}, session)
        assert not admits(world, {"StringEquals": {f"{prefix}/Star": "3"}}, session, action="sts:AssumeRole")
        assert admits(world, {"StringEquals": {f"{prefix}/Star": "3"}}, alice, action="sts:AssumeRole")
    inherited = {"ForAnyValue:StringEquals": {"sts:TransitiveTagKeys": "Moon"}, "Null": {"aws:TagKeys": "true"}}
    assert admits(world, inherited, session)
    assert not admits(world, inherited, alice, action="sts:AssumeRole")


@pytest.mark.facts("STS-TAG-010", "POL-CK-004", "STS-TAG-003", "STS-TAG-019", "STS-CTX-T15")
def test_session_tags_win_over_the_roles_whatever_their_case(world: World) -> None:
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting(), ADMIN, tags=own_tags(Team="Role", Kept="yes"))
    session = world.assume(alice, role, tags=tags(TEAM="Session", Empty=""))
    assert principal_tags(world, session) == {"team": "Session", "kept": "yes", "empty": ""}
    allowed = document(
        Effect="Allow",
        Action="iam:GetRole",
        Resource="*",
        Condition={"StringEquals": {"aws:PrincipalTag/tEaM": "Session"}},
    )
    command = roles.PutRolePolicyCommand(role_name="r", policy_name="p", policy_document=json.dumps(allowed))
    world.call(world.root, command)
    assert world.call(session, roles.GetRoleCommand(role_name="r")).role.role_name == "r"
    with pytest.raises(errors.AccessDenied):
        world.call(world.assume(alice, role), roles.GetRoleCommand(role_name="r"))


@pytest.mark.facts("STS-TAG-012")
def test_the_callers_own_tags_do_not_become_the_sessions(world: World) -> None:
    alice = world.user("alice", ADMIN)
    world.call(world.root, users.TagUserCommand(user_name="alice", tags=own_tags(Team="Blue")))
    assert principal_tags(world, world.assume(alice, world.role("r", trusting()))) == {}


# What is refused, and when


@pytest.mark.facts("STS-E-016", "STS-E-T15", "STS-TAG-004", "STS-TAG-005", "STS-TAG-007", "STS-TAG-018")
@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"tags": tags(Team="a", team="a")}, DUPLICATES),
        (
            {"tags": TEAM, "transitive_tag_keys": ("Cost",)},
            "The specified transitive tag key must be included in the requested tags.",
        ),
        (
            {"tags": tags(LASTING="same")},
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
            "from the calling session.",
        ),
        ({"tags": tags(**{"aws:x": "y"})}, "aws: prefixed tag key names are not allowed for external use."),
    ],
)
def test_a_broken_rule_of_tags_is_an_invalid_parameter_value(world: World, asked: dict[str, Any], text: str) -> None:
    alice = world.user("alice", ADMIN)
    first = world.role("first", trusting(), ADMIN)
    target = world.role("r", trusting())
    session = world.assume(alice, first, tags=tags(Lasting="same"), transitive_tag_keys=("lasting",))
    response = world.send(world.request(assuming(target, **asked), session))
    assert response.status == 400
    assert b"<Code>InvalidParameterValue</Code>" in response.body
    refused = world.refusal(session, assuming(target, **asked), errors.InvalidParameterValue)
    assert refused == text


@pytest.mark.facts("STS-TAG-002")
def test_fifty_tags_are_enough_and_keys_and_values_have_lengths(world: World) -> None:
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting())
    fifty = tuple(sts.Tag(key=f"k{number}", value="v") for number in range(50))
    world.assume(alice, role, tags=fifty)
    for asked, limit in (
        ((*fifty, sts.Tag(key="more", value="v")), "50"),
        ((sts.Tag(key="k" * 129, value="v"),), "128"),
        ((sts.Tag(key="k", value="v" * 257),), "256"),
    ):
        refused = world.refusal(alice, assuming(role, tags=asked), errors.ValidationError)
        assert refused.endswith(f"Member must have length less than or equal to {limit}")
    world.assume(alice, role, tags=(sts.Tag(key="k" * 128, value="v" * 256),))


@pytest.mark.facts("STS-AR-038", "STS-AR-041", "STS-AR-042", "STS-E-T40")
def test_the_checks_of_an_assume_role_come_in_their_order(world: World) -> None:
    """Each request breaks a rule and all that come after it: authorization, tags, duration, policies, size."""
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting())
    wrong: dict[str, Any] = {
        "tags": (*noise(49), *tags(Team="a", team="b")[:1]),
        "policy": "{",
        "duration_seconds": 43_200,
    }
    twice = (*noise(10), *tags(Team="a", team="b"))
    nobody = world.user("nobody")
    refused = world.refusal(nobody, assuming(role, **wrong | {"tags": twice}), errors.AccessDenied)
    assert refused.endswith(f"sts:AssumeRole on resource: {role}")
    assert world.refusal(alice, assuming(role, **wrong | {"tags": twice}), errors.InvalidParameterValue) == DUPLICATES
    refused = world.refusal(alice, assuming(role, **wrong), errors.ValidationError)
    assert refused == "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    del wrong["duration_seconds"]
    world.refusal(alice, assuming(role, **wrong), errors.MalformedPolicyDocumentException)
    del wrong["policy"]
    world.refusal(alice, assuming(role, **wrong), errors.PackedPolicyTooLargeException)


@pytest.mark.facts("STS-AR-034", "STS-AR-035", "STS-E-T41", "STS-GST-007")
def test_a_chained_session_lasts_an_hour_at_most(world: World) -> None:
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting(), ADMIN, max_session_duration=43_200)
    issued = world.call(alice, sts.GetSessionTokenCommand()).credentials
    for session in (world.assume(alice, role), credentials_of(issued)):
        world.assume(session, role, duration_seconds=3_600)
        refused = world.refusal(session, assuming(role, duration_seconds=3_601), errors.ValidationError)
        assert refused == (
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )


# Sizes


def size(world: World, caller: Credentials, role: str, **asked: Any) -> int | None:
    return world.call(caller, assuming(role, **asked)).packed_policy_size


@pytest.mark.facts("STS-SP-010", "STS-SP-013", "STS-SP-015", "STS-AR-048", "STS-SP-016")
def test_tags_count_once_whether_they_are_passed_or_inherited(world: World) -> None:
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting(), ADMIN)
    assert size(world, alice, role) is None
    given = tags(Department="Engineering", Email="alice@example.com")
    staying = size(world, alice, role, tags=given)
    lasting = size(world, alice, role, tags=given, transitive_tag_keys=("Department", "Email"))
    assert staying == lasting
    assert staying is not None
    assert staying > 0
    session = world.assume(alice, role, tags=given, transitive_tag_keys=("Department", "Email"))
    assert size(world, session, role) == staying
    more = size(world, session, role, tags=tags(Ticket="42"))
    assert more is not None
    assert more > staying
    both = size(world, alice, role, tags=given, policy=json.dumps(ADMIN))
    assert both is not None
    assert both > staying


@pytest.mark.facts("STS-SP-013", "STS-SP-017", "STS-E-T50")
def test_own_and_inherited_tags_can_be_too_large_together(world: World) -> None:
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting(), ADMIN)
    some, others = noise(8), noise(16)[8:]
    session = world.assume(alice, role, tags=some, transitive_tag_keys=tuple(tag.key for tag in some))
    world.assume(alice, role, tags=others)
    refused = world.refusal(session, assuming(role, tags=others), errors.PackedPolicyTooLargeException)
    assert refused.startswith("Packed size of session tags consumes 1")
    assert refused.endswith("% of allotted space.")


@pytest.mark.facts("STS-E-T51", "STS-SP-011", "STS-SP-017")
def test_what_packs_well_and_fits_no_token_is_refused(world: World) -> None:
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting())
    many = tuple(sts.Tag(key=f"k{number}", value="x" * 256) for number in range(40))
    refused = world.refusal(alice, assuming(role, tags=many), errors.PackedPolicyTooLargeException)
    assert refused == "Serialized token too large for session"


@pytest.mark.facts("STS-SP-018", "STS-SP-019", "STS-SP-020", "R42")
@pytest.mark.parametrize("operation", ["AssumeRole", "GetSessionToken", "GetFederationToken"])
def test_the_size_of_a_token_is_told_and_can_be_raised(world: World, operation: str) -> None:
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting())

    def answer(**asked: Any) -> Any:
        commands: dict[str, Any] = {
            "AssumeRole": sts.AssumeRoleCommand(role_arn=role, role_session_name="s1"),
            "GetSessionToken": sts.GetSessionTokenCommand(),
            "GetFederationToken": sts.GetFederationTokenCommand(name="bob"),
        }
        return world.call(alice, msgspec.structs.replace(commands[operation], **asked))

    plain = answer()
    assert plain.session_token_size == len(plain.credentials.session_token.reveal())
    assert plain.session_token_utilization == -(-plain.session_token_size * 100 // 8_192)
    assert answer(minimum_session_token_size=0).session_token_size == plain.session_token_size
    for least in (1, 500, 501, 502, 503, 4_096):
        longer = answer(minimum_session_token_size=least)
        assert longer.session_token_size == len(longer.credentials.session_token.reveal())
        assert longer.session_token_utilization == -(-longer.session_token_size * 100 // 8_192)
        assert max(least, plain.session_token_size) <= longer.session_token_size
        assert longer.session_token_size <= max(least + 8, plain.session_token_size)
        session = credentials_of(longer.credentials)
        assert world.call(session, sts.GetCallerIdentityCommand()).account == ACCOUNT
    with pytest.raises(errors.ValidationError):
        answer(minimum_session_token_size=4_097)
