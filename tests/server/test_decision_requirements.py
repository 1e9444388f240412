"""Security requirements on decisions: each holds in every layer, for every policy and for every operation."""

from __future__ import annotations

import ast
import json
from typing import Any, Final

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from locum import errors
from locum.api import sts
from locum.api.iam import roles, users
from locum.core.records import ManagedPolicy, Record, Role, User, decode
from locum.core.session import Session, SessionKind
from locum.guard import directory
from locum.policy import Decision, Effect, Layer
from locum.secret import Secret
from locum.store import Key
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, OTHER, START, World, document
from .inspection import WHO, claims_of, everything_of, few, managed, modules, seal
from .operations import ADMIN, ALL, DENIABLE, OPERATIONS, UNDENIABLE, kind, perform, refusal


def change(world: World, record: type[User] | type[Role] | type[ManagedPolicy], name: str, **members: Any) -> None:
    """Damage a record directly in the store, as no operation would."""
    with world.store.transaction() as rows:
        stored = Records(rows).get(record, ACCOUNT, name)
        assert stored is not None
        Records(rows).replace(stored, msgspec.structs.replace(stored.record, **members))


# R28: what cannot be read denies

UNREADABLE: Final = [
    "",
    "{",
    "null",
    "[]",
    '"*"',
    "{}",
    '{"Statement": [{"Effect": "Allow", "Action": "*"}]}',
    '{"Statement": [{"Effect": "Permit", "Action": "*", "Resource": "*"}]}',
    '{"Statement": [{"Effect": "Allow", "Effect": "Deny", "Action": "*", "Resource": "*"}]}',
    '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Unless": {}}]}',
    '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Sometimes": {"a": "b"}}}]}',
    '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"a": "b"}}}]}',
    '{"Version": "2030-01-01", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}',
    '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}',
]
"""None of these is a policy of an identity, and nothing in them may count."""


def may(world: World, who: Credentials) -> bool:
    """Whether a caller may do something harmless that must be allowed; no other answer than yes or AccessDenied."""
    found = kind(perform(world, ("iam", "ListUsers"), who))
    assert found in (None, errors.AccessDenied)
    return found is None


@pytest.mark.facts("R28")
@pytest.mark.parametrize("text", UNREADABLE)
def test_an_identity_policy_that_cannot_be_read_denies(world: World, text: str) -> None:
    alice = world.user("alice", ADMIN)
    bob = world.user("bob", ADMIN)
    arn = managed(world, "m", ADMIN)
    world.call(world.root, users.AttachUserPolicyCommand(user_name="bob", policy_arn=arn))
    session = world.assume(alice, world.role("r", {"AWS": ACCOUNT}, ADMIN))
    assert may(world, alice)
    assert may(world, bob)
    assert may(world, session)
    change(world, User, "alice", inline={"p": json.dumps(ADMIN), "q": text})
    assert not may(world, alice)
    assert may(world, bob)
    assert world.call(alice, WHO).account == ACCOUNT
    damage_policy(world, "m", text)
    assert not may(world, bob)
    change(world, Role, "r", inline={"p": json.dumps(ADMIN), "q": text})
    assert not may(world, session)


def damage_policy(world: World, name: str, text: str) -> None:
    with world.store.snapshot() as snapshot:
        stored = Records(snapshot).get(ManagedPolicy, ACCOUNT, name)
    assert stored is not None
    versions = tuple(msgspec.structs.replace(each, document=text) for each in stored.record.versions)
    change(world, ManagedPolicy, name, versions=versions)
    with world.store.snapshot() as snapshot:
        stored = Records(snapshot).get(ManagedPolicy, ACCOUNT, name)
    assert stored is not None
    assert stored.record.document == text


@pytest.mark.facts("R28")
@pytest.mark.parametrize("text", UNREADABLE)
def test_a_boundary_that_cannot_be_read_denies(world: World, text: str) -> None:
    alice = world.user("alice", ADMIN)
    arn = managed(world, "edge", ADMIN)
    world.call(world.root, users.PutUserPermissionsBoundaryCommand(user_name="alice", permissions_boundary=arn))
    assert may(world, alice)
    damage_policy(world, "edge", text)
    assert not may(world, alice)


@pytest.mark.facts("R28")
@pytest.mark.parametrize(
    "text",
    [
        *UNREADABLE,
        json.dumps(ADMIN),
        '{"Statement": [{"Effect": "Allow", "NotPrincipal": "*", "Action": "sts:AssumeRole"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": {"Moon": "*"}, "Action": "sts:AssumeRole"}]}',
    ],
)
def test_a_trust_policy_that_cannot_be_read_denies(world: World, text: str) -> None:
    alice = world.user("alice", ADMIN)
    arn = world.role("r", {"AWS": ACCOUNT}, ADMIN)
    session = world.assume(alice, arn)
    change(world, Role, "r", trust=text)
    refused = world.refusal(alice, sts.AssumeRoleCommand(role_arn=arn, role_session_name="s1"), errors.AccessDenied)
    assert refused.endswith(f"is not authorized to perform: sts:AssumeRole on resource: {arn}")
    assert may(world, session)


@pytest.mark.facts("R28", "STS-SP-006")
@pytest.mark.parametrize("text", UNREADABLE)
def test_a_session_policy_that_cannot_be_read_denies(world: World, text: str) -> None:
    alice = world.user("alice", ADMIN)
    arn = world.role("r", {"AWS": ACCOUNT}, ADMIN)
    limit = managed(world, "limit", ADMIN)
    by_arn = world.assume(alice, arn, policy_arns=(sts.PolicyDescriptorType(arn=limit),))
    with world.store.snapshot() as snapshot:
        role = Records(snapshot).get(Role, ACCOUNT, "r")
    assert role is not None
    key_id, secret, now = "ASIAQNZGKIQY56JQ7WML", Secret("s" * 40), int(START)
    whole = Session(SessionKind.ROLE, key_id, secret, ACCOUNT, role.record.id, "s1", now, now + 900)
    sealed = seal(world, claims_of(msgspec.structs.replace(whole, policy=json.dumps(ADMIN))))
    assert may(world, Credentials(key_id, secret, sealed))
    assert not may(
        world, Credentials(key_id, secret, seal(world, claims_of(msgspec.structs.replace(whole, policy=text))))
    )
    assert may(world, by_arn)
    damage_policy(world, "limit", text)
    assert not may(world, by_arn)


@pytest.mark.facts("R28")
@pytest.mark.parametrize("where", ["attached", "boundary", "session"])
def test_a_managed_policy_that_is_gone_denies(world: World, where: str) -> None:
    alice = world.user("alice", ADMIN)
    arn = managed(world, "m", ADMIN)
    who = alice
    if where == "attached":
        change(world, User, "alice", attached=(arn,))
    elif where == "boundary":
        change(world, User, "alice", boundary=arn)
    else:
        role = world.role("r", {"AWS": ACCOUNT}, ADMIN)
        who = world.assume(alice, role, policy_arns=(sts.PolicyDescriptorType(arn=arn),))
    assert may(world, who)
    with world.store.transaction() as rows:
        stored = Records(rows).get(ManagedPolicy, ACCOUNT, "m")
        assert stored is not None
        Records(rows).delete(stored)
    assert not may(world, who)
    for name in ("arn:aws:iam::aws:policy/NoSuchPolicy", f"arn:aws:iam::{OTHER}:policy/m", "nonsense"):
        if where != "session":
            change(world, User, "alice", **{where: (name,) if where == "attached" else name})
            assert not may(world, who)


@pytest.mark.facts("R28")
@pytest.mark.parametrize("data", [b"", b"\0", b"{}", b"[]", b'{"account": 1}'])
@pytest.mark.parametrize(("record", "name"), [(User, "alice"), (Role, "r")])
def test_a_record_that_cannot_be_read_lets_nobody_in(
    world: World, record: type[Record], name: str, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    alice = world.user("alice", ADMIN)
    arn = world.role("r", {"AWS": ACCOUNT}, ADMIN)
    session = world.assume(alice, arn)
    key = Key(ACCOUNT, record.kind, name)
    with world.store.transaction() as rows:
        row = rows.get(key)
        assert row is not None
        rows.put(key, data, expect=row.version, indexes=decode(row.data, record).indexes)
    who = alice if record is User else session
    for command in (WHO, users.ListUsersCommand()):
        assert kind(world.send(world.request(command, who))) is errors.InternalFailure
    if record is Role:
        again = sts.AssumeRoleCommand(role_arn=arn, role_session_name="s1")
        assert kind(world.send(world.request(again, alice))) is errors.InternalFailure
    assert "the request failed" in caplog.text


# R29: principals are OR-ed, and only * and ? are wildcards


@pytest.mark.facts("R29")
def test_each_principal_of_a_trust_policy_counts_for_itself(world: World) -> None:
    several = {"Service": "ec2.amazonaws.com", "AWS": [OTHER, ACCOUNT]}
    world.assume(world.user("alice", ADMIN), world.role("several", several))
    nobody = {"Service": "ec2.amazonaws.com", "AWS": OTHER}
    arn = world.role("nobody", nobody)
    world.refusal(
        world.user("bob", ADMIN), sts.AssumeRoleCommand(role_arn=arn, role_session_name="s1"), errors.AccessDenied
    )


@pytest.mark.facts("R29")
@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("a.c", {"a.c"}),
        ("a?c", {"a.c", "abc", "a+c"}),
        ("a?*c", {"a.c", "abc", "a+c", "abbc"}),
        ("a+c", {"a+c"}),
        ("(abc)", set()),
        ("[ab]*", set()),
        ("ABC", set()),
        ("a.*c", {"a.c"}),
        ("a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*z", set()),
    ],
)
def test_only_the_two_wildcards_are_wild(world: World, pattern: str, matches: set[str]) -> None:
    resource = f"arn:aws:iam::{ACCOUNT}:user/{pattern}"
    alice = world.user("alice", document(Effect="Allow", Action="iam:GetUser", Resource=resource))
    names = ["a.c", "abc", "a+c", "abbc", "a" * 64]
    for name in names:
        world.call(world.root, users.CreateUserCommand(user_name=name))
    allowed = {name for name in names if kind(perform(world, ("iam", "GetUser"), alice, name=name)) is None}
    assert allowed == matches


# R30: one decision function


@pytest.mark.facts("R30")
def test_one_function_decides_and_everybody_asks_it() -> None:
    """Who looks at single statements, to explain or to simulate, has the outcome from the one function too."""
    defines, asks, looks, concludes, permits = set(), set(), set(), set(), set()
    for name, tree in modules().items():
        for node in ast.walk(tree):
            match node:
                case ast.FunctionDef(name="decide") if node in tree.body:
                    defines.add(name)
                case ast.Call(func=ast.Name(id="decide")):
                    asks.add(name)
                case ast.Call(func=ast.Name(id="Decision")):
                    concludes.add(name)
                case ast.Attribute(attr="candidates"):
                    looks.add(name)
                case ast.Attribute(attr="decide" | "may_assume"):
                    permits.add(name)
    assert defines == {"policy/evaluate.py"}
    assert concludes == {"policy/evaluate.py"}
    assert {name for name in asks if not name.startswith("policy/")} == {"guard/directory.py"}
    assert {name for name in looks if not name.startswith("policy/")} == set()
    assert looks - asks == {"policy/evaluate.py"}
    assert permits == {"server/authorization.py"}


@pytest.mark.facts("R30")
def test_every_operation_asks_the_one_function(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(question: Any, _: Any) -> Decision:
        asked.append(question.action)
        return Decision(Effect.IMPLICIT_DENY, Layer.IDENTITY)

    alice = world.user("thing", ADMIN)
    world.role("thing", {"AWS": ACCOUNT})
    monkeypatch.setattr(directory, "decide", refuse)
    before = everything_of(world, ACCOUNT)
    for service, action in OPERATIONS:
        for who in (world.root, alice) if service == "iam" else (alice,):
            asked.clear()
            found = kind(perform(world, (service, action), who))
            assert (found is None) == (action in UNDENIABLE)
            assert found in (None, errors.AccessDenied), action
            assert set(asked) == (set() if action in UNDENIABLE else {f"{service}:{action}"})
    assert everything_of(world, ACCOUNT) == before


# R31: an explicit deny wins

DENY: Final = {"Effect": "Deny", **ALL}
BUT: Final = document({"Effect": "Allow", **ALL}, DENY)


def layered(world: World, layer: str, policy: Any) -> Credentials:
    """Somebody who may do everything but for one policy."""
    if layer == "identity-based policy":
        return world.user("alice", policy)
    alice = world.user("alice", ADMIN)
    if layer == "permissions boundary":
        boundary = managed(world, "edge", policy)
        command = users.PutUserPermissionsBoundaryCommand(user_name="alice", permissions_boundary=boundary)
        world.call(world.root, command)
        return alice
    role = world.role("session", {"AWS": ACCOUNT}, ADMIN)
    if layer == "session policy":
        return world.assume(alice, role, policy=json.dumps(policy))
    arn = managed(world, "limit", policy)
    return world.assume(alice, role, policy_arns=(sts.PolicyDescriptorType(arn=arn),))


LAYERS: Final = ["identity-based policy", "permissions boundary", "session policy", "managed session policy"]


def callable_by(layer: str) -> list[tuple[str, str]]:
    """The operations that whom :func:`layered` makes may call at all: sessions make no federated users."""
    return [each for each in DENIABLE if "session" not in layer or each[1] != "GetFederationToken"]


@pytest.mark.facts("R31", "STS-CALL-006")
@pytest.mark.parametrize("layer", LAYERS)
def test_an_explicit_deny_wins_in_every_layer_for_every_operation_but_two(world: World, layer: str) -> None:
    alice = layered(world, layer, BUT)
    world.role("thing", {"AWS": ACCOUNT})
    before = everything_of(world, ACCOUNT)
    for operation in callable_by(layer):
        refused = refusal(perform(world, operation, alice))
        assert type(refused) is errors.AccessDenied, operation
        # Some texts give no reason (STS-E-003, STS-ROOT-009), those of Organizations among them.
        if operation[0] != "organizations" and operation[1] not in ("AssumeRole", "AssumeRoot"):
            assert "with an explicit deny in a" in refused.message
            assert refused.message.endswith(layer.removeprefix("managed "))
    assert everything_of(world, ACCOUNT) == before
    assert world.call(alice, WHO).account == ACCOUNT
    if "session" not in layer:
        assert world.call(alice, sts.GetSessionTokenCommand()).credentials is not None


ANSWERING_SO: Final = ("GetAccessKeyLastUsed", "AssumeRoot", "GetDelegatedAccessToken")
"""Operations that answer so for a key, a member account and a token that are not there, too."""


@pytest.mark.facts("R31")
@pytest.mark.parametrize("layer", LAYERS)
def test_without_the_deny_the_same_caller_may_do_it_all(world: World, layer: str) -> None:
    alice = layered(world, layer, ADMIN)
    world.role("thing", {"AWS": ACCOUNT})
    for operation in reversed(callable_by(layer)):
        if operation[1] not in ANSWERING_SO:
            assert kind(perform(world, operation, alice)) is not errors.AccessDenied, operation


@pytest.mark.facts("R31")
@pytest.mark.parametrize("principal", [{"AWS": "*"}, {"AWS": ACCOUNT}, {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"}])
def test_an_explicit_deny_in_a_trust_policy_wins(world: World, principal: Any) -> None:
    alice, bob = world.user("alice", ADMIN), world.user("bob", ADMIN)
    allow = {"Effect": "Allow", "Principal": {"AWS": [ACCOUNT, "*"]}, "Action": "sts:AssumeRole"}
    deny = {"Effect": "Deny", "Principal": principal, "Action": "sts:AssumeRole"}
    world.assume(alice, world.role("open", document(allow)))
    arn = world.role("closed", document(allow, deny))
    command = sts.AssumeRoleCommand(role_arn=arn, role_session_name="s1")
    world.refusal(alice, command, errors.AccessDenied)
    if principal == {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"}:
        world.assume(bob, arn)
    else:
        world.refusal(bob, command, errors.AccessDenied)


# R11: a session policy is an intersection

PROBES: Final = [
    *[("iam", name) for name in ("ListUsers", "GetUser", "ListRoles", "GetRole", "ListUserTags", "ListPolicies")],
    ("sts", "GetAccessKeyInfo"),
    ("sts", "AssumeRole"),
]
ACTIONS: Final = ["*", "iam:*", "iam:List*", "iam:Get*", "iam:GetUser", "iam:ListUsers", "iam:?etRole", "sts:*"]
ACTIONS_TOO: Final = [*ACTIONS, "sts:AssumeRole", "sts:GetAccessKeyInfo", "s3:*"]
RESOURCES: Final = ["*", f"arn:aws:iam::{ACCOUNT}:user/*", f"arn:aws:iam::{ACCOUNT}:role/thing", "arn:aws:s3:::x"]
CONDITIONS: Final = [
    {},
    {"Bool": {"aws:SecureTransport": "false"}},
    {"StringLike": {"aws:PrincipalArn": "*:role/limited"}},
    {"Null": {"aws:TokenIssueTime": "true"}},
]
STATEMENTS: Final = st.lists(
    st.builds(
        lambda effect, action, resource, condition: {
            "Effect": effect,
            action[0]: action[1],
            resource[0]: resource[1],
            **({"Condition": condition} if condition else {}),
        },
        st.sampled_from(["Allow", "Allow", "Allow", "Deny"]),
        st.tuples(st.sampled_from(["Action", "Action", "NotAction"]), st.sampled_from(ACTIONS_TOO)),
        st.tuples(st.sampled_from(["Resource", "Resource", "NotResource"]), st.sampled_from(RESOURCES)),
        st.sampled_from(CONDITIONS),
    ),
    min_size=1,
    max_size=4,
)


def allowed(world: World, who: Credentials) -> set[str]:
    return {probe[1] for probe in PROBES if kind(perform(world, probe, who)) is not errors.AccessDenied}


@few
@given(STATEMENTS, STATEMENTS)
def check_the_intersection(
    world: World, root_user: Credentials, limited: str, mine: list[dict[str, Any]], session: list[dict[str, Any]]
) -> None:
    def identity(policy: Any) -> None:
        command = roles.PutRolePolicyCommand(
            role_name="limited", policy_name="p", policy_document=json.dumps(document(*policy))
        )
        world.call(world.root, command)

    policy = json.dumps(document(*session))
    assume(len(policy) <= 2_048)
    plain, with_policy = world.assume(root_user, limited), world.assume(root_user, limited, policy=policy)
    identity([{"Effect": "Allow", **ALL}])
    ceiling = allowed(world, with_policy)
    identity(mine)
    assert allowed(world, with_policy) == allowed(world, plain) & ceiling


@pytest.mark.facts("R11", "STS-SP-003")
def test_a_session_with_a_session_policy_may_do_what_both_allow(world: World) -> None:
    """Every probe has no policy of its resource, but the role to assume, whose trust delegates to the account."""
    user = world.user("thing", ADMIN)
    world.role("thing", {"AWS": ACCOUNT})
    check_the_intersection(world, user, world.role("limited", {"AWS": ACCOUNT}))
