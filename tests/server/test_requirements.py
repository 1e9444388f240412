"""Security requirements seen from outside: each holds for every operation, not for the one that somebody thought of."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from locum import errors
from locum.api import sts
from locum.api.iam import policies, roles, users
from locum.core.records import KINDS, ManagedPolicy, Record, RingKey, Role, User, decode
from locum.core.session import Session, SessionKind
from locum.core.token import KeyRing, Purpose, SealingKey
from locum.guard import directory
from locum.guard.context import request_context
from locum.http import Request
from locum.policy import KEY_FAMILIES, KEYS, Decision, Effect, Layer
from locum.secret import Secret
from locum.server.config import SETTINGS, ConfigError, Settings, load_settings
from locum.store import Key
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, HOST, OTHER, START, World, document
from .operations import (
    ADMIN,
    ALL,
    DENIABLE,
    OPERATIONS,
    UNDENIABLE,
    VERSIONS,
    ask,
    kind,
    perform,
    refusal,
)

SOURCE: Final = Path(__file__).parents[2] / "src" / "locum"
WHO: Final = sts.GetCallerIdentityCommand()

# hypothesis may use one world for all its examples: what they change, they change back or set anew
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
few = settings(shared, max_examples=30)


def change(world: World, record: type[User] | type[Role] | type[ManagedPolicy], name: str, **members: Any) -> None:
    """Damage a record directly in the store, as no operation would."""
    with world.store.transaction() as rows:
        stored = Records(rows).get(record, ACCOUNT, name)
        assert stored is not None
        Records(rows).replace(stored, msgspec.structs.replace(stored.record, **members))


def managed(world: World, name: str, policy: Any) -> str:
    command = policies.CreatePolicyCommand(policy_name=name, policy_document=json.dumps(policy))
    made = world.call(world.root, command).policy
    assert made is not None
    assert made.arn is not None
    return made.arn


# R12: ownership


def everything_of(world: World, account: str) -> list[tuple[Key, bytes, int]]:
    """All rows that belong to an account."""
    kinds = (User, Role, ManagedPolicy)
    with world.store.snapshot() as snapshot:
        rows = [row for each in kinds for row in snapshot.list(account, each.kind, limit=100)]
        owners = [decode(row.data, KINDS[row.key.kind]) for row in rows]
        keys = [key for owner in owners for key in snapshot.find("key-owner", getattr(owner, "id", ""))]
        rows += [row for key in keys if (row := snapshot.get(key)) is not None]
    return [(row.key, row.data, row.version) for row in rows]


@pytest.mark.facts("R12")
def test_no_operation_reaches_into_another_account(world: World) -> None:
    alice = world.user("thing", ADMIN)
    world.role("thing", {"AWS": ACCOUNT}, ADMIN)
    arn = managed(world, "thing", ADMIN)
    world.call(world.root, users.AttachUserPolicyCommand(user_name="thing", policy_arn=arn))
    before = everything_of(world, ACCOUNT)
    assert len(before) == 4
    strangers = [world.account(OTHER)]
    strangers.append(world.user("stranger", ADMIN, root=strangers[0]))
    for operation in OPERATIONS:
        for stranger in strangers:
            claims = {"AccountId": ACCOUNT, "Account": ACCOUNT, "OwnerId": ACCOUNT, "aws:PrincipalAccount": ACCOUNT}
            answer = perform(world, operation, stranger, AccessKeyId=alice.access_key_id, **claims)
            if answer.status == 200 and operation[1] != "GetAccessKeyInfo":
                assert ACCOUNT.encode() not in answer.body.replace(b"%22AWS%22%3A%22" + ACCOUNT.encode(), b""), (
                    operation
                )
    assert everything_of(world, ACCOUNT) == before


# R16: what a sealed session must hold, at use


def seal(world: World, claims: list[Any]) -> Secret:
    """A token that the server's own key seals, whatever is in it."""
    with world.store.snapshot() as snapshot:
        keys = [stored.record for stored in Records(snapshot).each(RingKey, "")]
    secrets = [world.vault.unwrap(key.secret, purpose=RingKey.kind, name=key.id) for key in keys]
    ring = KeyRing(SealingKey(key.id, key.created, secret) for key, secret in zip(keys, secrets, strict=True))
    return Secret(ring.seal(Purpose.SESSION_TOKEN, msgspec.msgpack.encode(claims), world.random(12)))


def claims_of(session: Session) -> list[Any]:
    values = [getattr(session, name) for name in session.__struct_fields__]
    return [value.reveal() if isinstance(value, Secret) else value for value in values]


@pytest.mark.facts("R16")
@pytest.mark.parametrize(
    ("change", "accepted"),
    [
        ({}, True),
        ({"expires": int(START) + 43_200}, True),
        ({"expires": int(START) + 43_201}, False),
        ({"issued": int(START) - 10, "expires": int(START) + 43_191}, False),
        ({"expires": int(START)}, False),
        ({"expires": 2**62}, False),
        ({"expires": None}, False),
        ({"issued": None}, False),
        ({"issued": -1}, False),
        ({"kind": SessionKind.USER}, False),
        ({"kind": SessionKind.ROOT}, False),
        ({"kind": 9}, False),
        ({"kind": None}, False),
        ({"account": OTHER}, False),
        ({"account": ""}, False),
        ({"principal_id": "AROAAAAAAAAAAAAAAAAAA"}, False),
        ({"principal_id": ""}, False),
        ({"name": ""}, False),
        ({"access_key_id": ""}, False),
        ({"secret": ""}, False),
        ({"policy_arns": None}, False),
    ],
    ids=lambda value: "-".join(f"{name}={text}" for name, text in value.items()) if isinstance(value, dict) else None,
)
def test_a_sealed_session_without_all_it_must_hold_is_no_session(
    world: World, change: dict[str, Any], accepted: bool
) -> None:
    world.role("thing", {"AWS": ACCOUNT})
    with world.store.snapshot() as snapshot:
        role = Records(snapshot).get(Role, ACCOUNT, "thing")
    assert role is not None
    key_id, secret, now = "ASIAQNZGKIQY56JQ7WML", Secret("s" * 40), int(START)
    whole = Session(SessionKind.ROLE, key_id, secret, ACCOUNT, role.record.id, "s1", now, now + 900)
    values = dict(zip(whole.__struct_fields__, claims_of(whole), strict=True)) | change
    token = seal(world, list(values.values()))
    answer = world.send(world.request(WHO, Credentials(key_id, secret, token)))
    if accepted:
        assert world.read(answer, WHO).arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/thing/s1"
    else:
        assert kind(answer) in (errors.InvalidClientTokenId, errors.ExpiredToken)
    for length in range(8):
        short = Credentials(key_id, secret, seal(world, list(values.values())[:length]))
        assert kind(world.send(world.request(WHO, short))) is errors.InvalidClientTokenId


# R19: every x-amz header is signed


@pytest.mark.facts("R19")
@pytest.mark.parametrize("name", ["x-amz-meta-note", "x-amz-content-sha256", "x-amz-security-token", "x-amz-"])
def test_an_amz_header_that_is_not_signed_is_refused(world: World, name: str) -> None:
    for request in (world.request(WHO, world.root), world.presigned(WHO, world.root)):
        assert world.send(request).status == 200
        more = msgspec.structs.replace(request, headers=(*request.headers, (name, "x")))
        refused = refusal(world.send(more))
        assert type(refused) is errors.SignatureDoesNotMatch
        assert f"'{name}'" in refused.message.lower()
    harmless = world.request(WHO, world.root)
    harmless = msgspec.structs.replace(harmless, headers=(*harmless.headers, ("x-amzn-trace-id", "x")))
    assert world.send(harmless).status == 200


# R25: the server's own context keys

NAMES: Final = sorted([key.name for key in KEYS.values()] + [f"{key.name}team" for key in KEY_FAMILIES.values()])
FALSE: Final = "evil"


def junk_headers(value: str) -> tuple[tuple[str, str], ...]:
    names = [name.lower() for name in NAMES]
    return tuple((name, value) for name in [*names, *(f"x-{name.replace(':', '-')}" for name in names)])


def junk_parameters(value: str) -> dict[str, str]:
    given = dict.fromkeys(NAMES, value)
    given |= {name.lower(): value for name in NAMES}
    for index, name in enumerate(NAMES, 1):
        given |= {f"Context.{name}": value, f"ContextEntries.member.{index}.ContextKeyName": name}
        given |= {f"ContextEntries.member.{index}.ContextKeyValues.member.1": value, f"Context[{name}]": value}
    return given


@pytest.mark.facts("R25")
def test_nothing_named_like_a_context_key_becomes_one(world: World) -> None:
    """For each key: a policy that wants a value of the client's choice, and a request that says it everywhere."""
    alice = world.user("alice")
    arn = world.role("thing", {"AWS": ACCOUNT})
    junk = {
        "GetAccessKeyInfo": {"AccessKeyId": "AKIAQNZGKIQY56JQ7WML"},
        "AssumeRole": {"RoleArn": arn, "RoleSessionName": "s1"},
    }
    for name in NAMES:
        wanted = {"ForAnyValue:StringEquals": {name: FALSE}}
        policy = json.dumps(document(Effect="Allow", **ALL, Condition=wanted))
        world.call(world.root, users.PutUserPolicyCommand(user_name="alice", policy_name="p", policy_document=policy))
        for action, form in junk.items():
            body = {"Action": action, "Version": VERSIONS["sts"], **junk_parameters(FALSE), **form}
            assert kind(ask(world, "sts", body, alice, junk_headers(FALSE))) is errors.AccessDenied, name


@pytest.mark.facts("R25")
def test_nothing_named_like_a_context_key_replaces_one(world: World) -> None:
    """For each key that a request has: a policy that wants its true value goes on to see it."""
    wanted = {
        "StringEquals": {
            "aws:username": "alice",
            "aws:PrincipalType": "User",
            "aws:PrincipalAccount": ACCOUNT,
            "aws:RequestedRegion": "us-east-1",
            "aws:ResourceAccount": ACCOUNT,
            "aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/alice",
        },
        "IpAddress": {"aws:SourceIp": "198.51.100.7"},
        "Bool": {"aws:SecureTransport": "false", "aws:ViaAWSService": "false"},
        "DateEquals": {"aws:CurrentTime": "2026-01-02T03:04:05Z"},
        "NumericEquals": {"aws:EpochTime": str(int(START))},
        "Null": {"aws:TokenIssueTime": "true", "aws:MultiFactorAuthPresent": "true", "sts:ExternalId": "true"},
    }
    alice = world.user("alice", document(Effect="Allow", **ALL, Condition=wanted))
    body = {"Action": "GetAccessKeyInfo", "Version": VERSIONS["sts"], "AccessKeyId": "AKIAQNZGKIQY56JQ7WML"}
    assert ask(world, "sts", body, alice).status == 200
    assert ask(world, "sts", body | junk_parameters(FALSE), alice, junk_headers(FALSE)).status == 200


@pytest.mark.facts("R25")
@few
@given(
    st.lists(st.tuples(st.sampled_from(NAMES).map(str.lower), st.text(max_size=20)), max_size=20),
    st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=20)), max_size=20),
)
def test_the_context_is_the_same_whatever_junk_comes_along(
    world: World, headers: list[tuple[str, str]], query: list[tuple[str, str]]
) -> None:
    plain = Request("POST", "/", "", (("host", HOST), ("user-agent", "x")), b"", "198.51.100.7")
    junk = Request("POST", "/", urlencode(query), (*plain.headers, *headers), urlencode(query).encode(), plain.peer)
    caller = _caller(world)
    tags = {"team": "blue"}
    assert request_context(caller, junk, "us-east-1", START, tags) == request_context(
        caller, plain, "us-east-1", START, tags
    )


def _caller(world: World) -> Any:
    """The verified root of a request."""
    seen: list[Any] = []
    authenticate = world.pipeline.guard.authenticate

    def spy(*args: Any, **kwargs: Any) -> Any:
        found = authenticate(*args, **kwargs)
        seen.append(found[0])
        return found

    world.pipeline.guard.authenticate = spy  # type: ignore[method-assign]
    try:
        world.call(world.root, WHO)
    finally:
        del world.pipeline.guard.authenticate
    return seen[-1]


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


def modules() -> dict[str, ast.Module]:
    return {path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text()) for path in SOURCE.rglob("*.py")}


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
        if operation[1] not in ("AssumeRole", "AssumeRoot"):  # whose texts give no reason (STS-E-003, STS-ROOT-009)
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


# R39: no secret that somebody else knows

EXAMPLES: Final = [
    ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("AKIAI44QH8DHBEXAMPLE", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"),
    ("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("minioadmin", "minioadmin"),
    ("test", "test"),
    ("admin", "admin"),
    ("root", "root"),
    ("anonymous", ""),
    (ACCOUNT, "test"),
    ("", ""),
]


@pytest.mark.facts("R39", "R40")
@pytest.mark.parametrize(("key_id", "secret"), EXAMPLES)
def test_credentials_that_everybody_knows_are_nobodys(world: World, key_id: str, secret: str) -> None:
    for operation in OPERATIONS:
        answer = perform(world, operation, Credentials(key_id, Secret(secret)))
        assert kind(answer) in (errors.InvalidClientTokenId, errors.Throttling), operation
    if not key_id:  # as good as not set
        return
    with pytest.raises(ConfigError):
        load_settings({}, {"LOCUM_ROOT_ACCESS_KEY_ID": key_id, "LOCUM_ROOT_SECRET_ACCESS_KEY": secret}, serving=True)


@pytest.mark.facts("R39")
def test_no_setting_has_a_secret_as_its_default() -> None:
    plain = Settings()
    for name, setting in SETTINGS.items():
        if setting.secret or "key" in name or "secret" in name:
            assert getattr(plain, name) is None, name


LITERAL: Final = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{16}|[A-Za-z0-9/+]{40}|[0-9a-f]{64}|-----BEGIN [A-Z ]*PRIVATE KEY")


@pytest.mark.facts("R39")
def test_no_literal_in_the_source_is_a_key() -> None:
    found = [
        (name, node.value)
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str | bytes)
        and (text := node.value if isinstance(node.value, str) else node.value.decode("latin-1"))
        and not text.startswith(("http://", "https://"))
        and (match := LITERAL.search(text))
        and re.search(r"[0-9]", match[0])
        and re.search(r"[A-Z]|[a-f]", match[0])
    ]
    assert found == []


@pytest.mark.facts("R39")
@pytest.mark.parametrize("text", ['x = "AKIAIRANDOMLOOKINGID"', 'x = "q8Zr2LxW0vJt5NfKc7YbHgUe3DmPaSi1oT9+EkQj"'])
def test_the_search_for_keys_sees_one(text: str) -> None:
    assert LITERAL.search(text)


# R40: nobody passes without being somebody


@pytest.mark.facts("R40", "R43")
def test_every_operation_wants_a_signature_and_a_right_one(world: World) -> None:
    wrong = Credentials(world.root.access_key_id, Secret("x" * 40))
    for operation in OPERATIONS:
        assert kind(perform(world, operation, None)) is errors.MissingAuthenticationToken, operation
        world.now += 60  # the next window of the bound on guessing
        assert kind(perform(world, operation, wrong)) is errors.SignatureDoesNotMatch, operation


@pytest.mark.facts("R40")
def test_a_user_without_policies_may_do_what_nobody_can_be_denied(world: World) -> None:
    nobody = world.user("nobody")
    world.role("thing", {"AWS": ACCOUNT})
    found = {action for service, action in OPERATIONS if perform(world, (service, action), nobody).status == 200}
    assert found == UNDENIABLE


@pytest.mark.facts("R40")
def test_no_setting_turns_the_checks_off() -> None:
    loose = re.compile(
        r"allow.?all|insecure|no.?auth|anonym|permissive|bypass|skip|disable|unsafe|dev|debug|open|trust"
    )
    assert [name for name in SETTINGS if loose.search(name)] == ["trusted_proxy"]
    switches = {name for name, setting in SETTINGS.items() if setting.flag}
    assert switches == {"ephemeral", "tls_terminated"}


# R42: what cannot be enforced is refused, by name; context assertions are in test_sessions_identity.py

UNABLE: Final = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  "
    "Please verify your MFA serial number is valid and associated with this user."
)
HALF: Final = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."


@pytest.mark.facts("R42")
@pytest.mark.parametrize("serial", [f"arn:aws:iam::{ACCOUNT}:mfa/alice", "GAHT12345678"])
@pytest.mark.parametrize(
    ("which", "text"),
    [
        pytest.param(("serial_number", "token_code"), UNABLE, marks=pytest.mark.facts("STS-MFA-008")),
        pytest.param(("serial_number",), HALF, marks=pytest.mark.facts("STS-MFA-010")),
        pytest.param(("token_code",), HALF, marks=pytest.mark.facts("STS-MFA-010")),
    ],
)
def test_a_one_time_code_of_no_device_fails_the_call(
    world: World, serial: str, which: tuple[str, ...], text: str
) -> None:
    alice = world.user("alice", ADMIN)
    arn = world.role("r", {"AWS": ACCOUNT})
    given: dict[str, Any] = {"serial_number": serial, "token_code": Secret("123456")}
    given = {name: given[name] for name in which}
    for command in (
        sts.AssumeRoleCommand(role_arn=arn, role_session_name="s1", **given),
        sts.GetSessionTokenCommand(**given),
    ):
        assert world.refusal(alice, command, errors.AccessDenied) == text


@pytest.mark.facts("STS-AR-040")
def test_a_bad_code_fails_before_any_policy_is_asked(world: World) -> None:
    nobody = world.user("nobody")
    command = sts.AssumeRoleCommand(
        role_arn=world.role("r", {"AWS": OTHER}),
        role_session_name="s1",
        serial_number="GAHT12345678",
        token_code=Secret("918273"),
    )
    assert world.refusal(nobody, command, errors.AccessDenied) == UNABLE
    assert "918273" not in world.audit_file.read_text()
