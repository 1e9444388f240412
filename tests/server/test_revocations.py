"""Revoking sessions through the API: who may, which sessions end, and what stays."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from locum import errors
from locum.api import sts
from locum.api.extensions import ListRevocationsCommand, RevokeSessionsCommand
from locum.api.iam import access_keys, roles, users
from locum.api.iam.types import Tag
from locum.core.records import Revocation
from locum.server import revocations
from locum.server.revocations import prune
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, OTHER, START, World, document

WHO = sts.GetCallerIdentityCommand()
ALL = document(Effect="Allow", Action="*", Resource="*")
DAY = 86_400


class Chain:
    """Alice, her session of role A, that session's session of role B, and that one's of role C."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.admin = world.user("admin", ALL)
        self.alice = world.user("alice", ALL)
        trust = document(Effect="Allow", Principal={"AWS": ACCOUNT}, Action=["sts:AssumeRole", "sts:SetSourceIdentity"])
        for name in "ABC":
            world.role(name, trust, ALL)
        self.a = world.assume(self.alice, role("A"), "sA", source_identity="alice")
        self.b = world.assume(self.a, role("B"), "sB")
        self.c = world.assume(self.b, role("C"), "sC")
        self.all = (self.alice, self.a, self.b, self.c)
        world.now += 1

    @property
    def alive(self) -> str:
        """Whose credentials are good: x for Alice's."""
        return "".join(name for name, each in zip("xabc", self.all, strict=True) if lives(self.world, each))

    def revoke(self, **named: Any) -> None:
        """Revoke as the administrator."""
        self.world.call(self.admin, RevokeSessionsCommand(**named))


@pytest.fixture
def chain(world: World) -> Chain:
    return Chain(world)


def lives(world: World, credentials: Credentials) -> bool:
    response = world.send(world.request(WHO, credentials))
    if response.status != 200:
        with pytest.raises(errors.ExpiredToken):
            world.check(response)
    return response.status == 200


def role(name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


NAMED: Final[dict[str, Callable[[Chain], dict[str, Any]]]] = {
    "session of A": lambda chain: {"access_key_id": chain.a.access_key_id},
    "session of B": lambda chain: {"access_key_id": chain.b.access_key_id},
    "session of C": lambda chain: {"access_key_id": chain.c.access_key_id},
    "alice's key": lambda chain: {"access_key_id": chain.alice.access_key_id},
    "role A": lambda _: {"role_arn": role("A")},
    "role B": lambda _: {"role_arn": role("B")},
    "alice": lambda _: {"principal_arn": f"arn:aws:iam::{ACCOUNT}:user/alice"},
    "role A as principal": lambda _: {"principal_arn": role("A")},
    "session name of A": lambda _: {"principal_arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/A/sA"},
    "another session name": lambda _: {"principal_arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/A/sB"},
    "alice as issuer": lambda _: {"issuer_arn": f"arn:aws:iam::{ACCOUNT}:user/alice"},
    "role A as issuer": lambda _: {"issuer_arn": role("A")},
    "role C as issuer": lambda _: {"issuer_arn": role("C")},
    "source identity": lambda _: {"source_identity": "alice"},
    "another source identity": lambda _: {"source_identity": "bob"},
    "the root user": lambda _: {"principal_arn": f"arn:aws:iam::{ACCOUNT}:root"},
}


@pytest.mark.parametrize(
    ("named", "alive"),
    [
        ("session of A", "x"),
        ("session of B", "xa"),
        ("session of C", "xab"),
        ("alice's key", "x"),
        ("role A", "x"),
        ("role B", "xa"),
        ("alice", "x"),
        ("role A as principal", "x"),
        ("session name of A", "xbc"),
        ("another session name", "xabc"),
        ("alice as issuer", "x"),
        ("role A as issuer", "xa"),
        ("role C as issuer", "xabc"),
        ("source identity", "x"),
        ("another source identity", "xabc"),
        ("the root user", "xabc"),
    ],
)
def test_what_survives_of_a_chain(world: World, chain: Chain, named: str, alive: str) -> None:
    assert chain.alive == "xabc"
    chain.revoke(**NAMED[named](chain))
    assert chain.alive == alive


def test_the_sessions_of_a_user_and_of_root_end_and_their_keys_do_not(world: World, chain: Chain) -> None:
    def token(who: Credentials) -> Credentials:
        issued = world.call(who, sts.GetSessionTokenCommand()).credentials
        assert issued is not None
        return Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)

    def federated(who: Credentials, name: str) -> Credentials:
        issued = world.call(who, sts.GetFederationTokenCommand(name=name)).credentials
        assert issued is not None
        return Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)

    alices, roots, bobs = token(chain.alice), token(world.root), federated(chain.alice, "bob")
    carols = federated(chain.alice, "carol")
    chain.revoke(principal_arn=f"arn:aws:sts::{ACCOUNT}:federated-user/bob")
    assert [lives(world, each) for each in (alices, roots, bobs, carols)] == [True, True, False, True]
    chain.revoke(principal_arn=f"arn:aws:iam::{ACCOUNT}:root")
    assert [lives(world, each) for each in (alices, roots, bobs, carols)] == [True, False, False, True]
    chain.revoke(principal_arn=f"arn:aws:iam::{ACCOUNT}:user/alice")
    assert [lives(world, each) for each in (alices, roots, bobs, carols)] == [False, False, False, False]
    assert lives(world, world.root)
    assert lives(world, chain.alice)


def test_sessions_issued_afterwards_live(world: World, chain: Chain) -> None:
    chain.revoke(role_arn=role("A"))
    assert not lives(world, world.assume(chain.alice, role("A"), "same second"[:4]))
    world.now += 1
    assert lives(world, world.assume(chain.alice, role("A")))


def test_only_what_was_issued_before_a_moment_ends(world: World, chain: Chain) -> None:
    world.now += 100
    later = world.assume(chain.alice, role("A"))
    chain.revoke(role_arn=role("A"), before=datetime.datetime.fromtimestamp(START + 50, datetime.UTC))
    assert not lives(world, chain.a)
    assert lives(world, later)


def test_a_moment_only_moves_forward(world: World, chain: Chain) -> None:
    chain.revoke(role_arn=role("A"))
    chain.revoke(role_arn=role("A"), before=datetime.datetime.fromtimestamp(START - 50, datetime.UTC))
    assert not lives(world, chain.a)
    assert len(records(world)) == 1


def records(world: World) -> list[Revocation]:
    with world.store.snapshot() as rows:
        return [stored.record for stored in Records(rows).each(Revocation, "")]


def test_a_revocation_is_forgotten_when_the_longest_session_has_ended(world: World, chain: Chain) -> None:
    chain.revoke(role_arn=role("A"))
    chain.revoke(principal_arn=f"arn:aws:iam::{ACCOUNT}:user/alice")
    (short, long) = sorted(each.expires for each in records(world))
    assert (short, long) == (int(world.now) + 1 + 43_200, int(world.now) + 1 + 129_600)
    prune(world.store, short - 1)
    assert len(records(world)) == 2
    revision = world.store.revision
    prune(world.store, short - 1)
    assert world.store.revision == revision
    prune(world.store, short)
    assert [each.expires for each in records(world)] == [long]
    world.now = long + 1.0
    assert world.call(chain.admin, ListRevocationsCommand()).revocations == ()
    chain.revoke(role_arn=role("B"))
    assert [each.named for each in records(world)] == [role("B")]


def test_revocations_are_bounded_for_each_account_and_for_the_server(
    world: World, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocations, "MOST_OF_ACCOUNT", 2)
    monkeypatch.setattr(revocations, "MOST", 3)
    chain.revoke(role_arn=role("A"))
    chain.revoke(role_arn=role("B"))
    refused = world.refusal(chain.admin, RevokeSessionsCommand(role_arn=role("C")), errors.LimitExceededException)
    assert f"Account {ACCOUNT} has 2 revocations" in refused
    chain.revoke(role_arn=role("A"))  # what is there already takes no more room
    stranger = world.user("stranger", ALL, root=world.account(OTHER))
    world.call(stranger, RevokeSessionsCommand(source_identity="alice"))
    refused = world.refusal(stranger, RevokeSessionsCommand(source_identity="bob"), errors.LimitExceededException)
    assert refused.startswith("3 revocations are in force")
    world.now += 2 * DAY
    chain.revoke(role_arn=role("C"))


@pytest.mark.facts("R12")
def test_nobody_ends_the_sessions_of_another_account(world: World, chain: Chain) -> None:
    stranger = world.user("stranger", ALL, root=world.account(OTHER))
    for named in NAMED.values():
        command = RevokeSessionsCommand(**named(chain))
        if command.source_identity is not None:
            world.call(stranger, command)  # of its own account's sessions
        else:
            world.refusal(stranger, command, errors.NoSuchEntityException)
    assert chain.alive == "xabc"
    assert {each.account for each in records(world)} == {OTHER}
    listed = world.call(chain.admin, ListRevocationsCommand())
    assert listed.revocations == ()


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        (
            {"Resource": role("A")},
            {"role A", "session name of A", "another session name", "role A as principal", "role A as issuer"},
        ),
        ({"Resource": f"arn:aws:iam::{ACCOUNT}:user/*"}, {"alice", "alice as issuer"}),
        ({"Resource": "*"}, set(NAMED)),
        (
            {"Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}}},
            {"role B"},
        ),
    ],
)
def test_a_policy_says_whose_sessions_may_be_revoked(
    world: World, chain: Chain, policy: dict[str, Any], allowed: set[str]
) -> None:
    world.call(
        world.root,
        roles.TagRoleCommand(role_name="B", tags=(Tag(key="team", value="blue"),)),
    )
    granted = document(Effect="Allow", Action="sts:RevokeSessions", **policy)
    guard = world.user("guard", granted)
    done = set()
    for name, named in NAMED.items():
        response = world.send(world.request(RevokeSessionsCommand(**named(chain)), guard))
        if response.status == 200:
            done.add(name)
        else:
            with pytest.raises(errors.AccessDenied, match="sts:RevokeSessions"):
                world.check(response)
    assert done == allowed


def test_revocations_are_listed_to_those_who_may_see_them(world: World, chain: Chain) -> None:
    chain.revoke(source_identity="alice")
    world.now += 1
    chain.revoke(role_arn=role("A"))
    reader = world.user("reader", document(Effect="Allow", Action="sts:ListRevocations", Resource="*"))
    shown = world.call(reader, ListRevocationsCommand()).revocations
    assert [(each.subject, each.named) for each in shown] == [("source-identity", "alice"), ("principal", role("A"))]
    assert shown[0].before.timestamp() == int(world.now)
    assert (shown[0].expires - shown[0].before).total_seconds() == 43_200
    world.refusal(chain.alice, RevokeSessionsCommand(), errors.ValidationError)
    world.refusal(world.user("nobody"), ListRevocationsCommand(), errors.AccessDenied)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (RevokeSessionsCommand(), errors.ValidationError),
        (RevokeSessionsCommand(role_arn=role("A"), source_identity="alice"), errors.ValidationError),
        (RevokeSessionsCommand(role_arn=role("a")), errors.NoSuchEntityException),
        (RevokeSessionsCommand(role_arn=f"arn:aws:iam::{ACCOUNT}:user/alice"), errors.NoSuchEntityException),
        (
            RevokeSessionsCommand(role_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/A/s1"),
            errors.NoSuchEntityException,
        ),
        (
            RevokeSessionsCommand(issuer_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/A/s1"),
            errors.NoSuchEntityException,
        ),
        (
            RevokeSessionsCommand(issuer_arn=f"arn:aws:sts::{ACCOUNT}:federated-user/bob"),
            errors.NoSuchEntityException,
        ),
        (
            RevokeSessionsCommand(principal_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/A/s1/x"),
            errors.NoSuchEntityException,
        ),
        (RevokeSessionsCommand(principal_arn=f"arn:aws-cn:iam::{ACCOUNT}:role/A"), errors.AccessDenied),
        (RevokeSessionsCommand(principal_arn=f"arn:aws:iam:x:{ACCOUNT}:role/A"), errors.NoSuchEntityException),
        (RevokeSessionsCommand(principal_arn=f"arn:aws:s3::{ACCOUNT}:role/A"), errors.NoSuchEntityException),
        (RevokeSessionsCommand(principal_arn="no ARN, but long enough"), errors.NoSuchEntityException),
        (RevokeSessionsCommand(access_key_id="ASIAIOSFODNN7NOTHING"), errors.NoSuchEntityException),
        (
            RevokeSessionsCommand(
                role_arn=role("A"), before=datetime.datetime.fromtimestamp(START + 100, datetime.UTC)
            ),
            errors.ValidationError,
        ),
        (
            RevokeSessionsCommand(
                role_arn=role("A"), before=datetime.datetime.fromtimestamp(START - DAY, datetime.UTC)
            ),
            errors.ValidationError,
        ),
    ],
)
def test_what_names_no_session_is_refused(
    world: World, chain: Chain, command: RevokeSessionsCommand, kind: type[errors.ServiceException]
) -> None:
    world.refusal(chain.admin, command, kind)
    assert records(world) == []
    assert chain.alive == "xabc"


def test_whoever_does_not_hold_the_secret_does_not_learn_that_a_session_was_revoked(world: World, chain: Chain) -> None:
    chain.revoke(role_arn=role("A"))
    forged = Credentials(chain.a.access_key_id, world.root.secret_access_key, chain.a.session_token)
    world.refusal(forged, WHO, errors.SignatureDoesNotMatch)
    assert "revoked" in world.refusal(chain.a, WHO, errors.ExpiredToken)


def test_an_old_revocation_does_not_hit_a_role_of_the_same_name(world: World, chain: Chain) -> None:
    chain.revoke(role_arn=role("C"), before=datetime.datetime.fromtimestamp(START + 1, datetime.UTC))
    world.call(world.root, roles.DeleteRolePolicyCommand(role_name="C", policy_name="p"))
    world.call(world.root, roles.DeleteRoleCommand(role_name="C"))
    world.now = START
    world.role("C", {"AWS": ACCOUNT})
    assert lives(world, world.assume(chain.admin, role("C")))


@pytest.mark.facts("R38")
def test_a_revocation_is_recorded_and_holds_no_secret(world: World, chain: Chain) -> None:
    chain.revoke(access_key_id=chain.a.access_key_id)
    world.call(chain.admin, ListRevocationsCommand())
    made, listed = world.records()[-2:]
    assert (made["eventSource"], made["eventName"], made["readOnly"]) == ("sts.amazonaws.com", "RevokeSessions", False)
    assert made["requestParameters"] == {"accessKeyId": chain.a.access_key_id}
    assert made["responseElements"]["revocation"]["subject"] == "session"
    assert (listed["eventName"], listed["readOnly"], listed["responseElements"]) == ("ListRevocations", True, None)
    text = world.audit_file.read_text()
    for each in chain.all:
        assert each.secret_access_key.reveal() not in text
        assert each.session_token is None or each.session_token.reveal() not in text


def test_sessions_cost_nothing_more_where_nothing_is_revoked(
    world: World, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> bool:
        raise AssertionError("there is nothing to ask")

    monkeypatch.setattr("locum.core.revocation.Revocations.hit", never)
    assert chain.alive == "xabc"


@pytest.mark.facts("POL-SS-007", "STS-CTX-003")
def test_the_way_of_aws_works_too(world: World, chain: Chain) -> None:
    moment = datetime.datetime.fromtimestamp(world.now, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    older = document(
        Effect="Deny",
        Action=["*"],
        Resource=["*"],
        Condition={"DateLessThan": {"aws:TokenIssueTime": moment}},
    )
    command = roles.PutRolePolicyCommand(
        role_name="A", policy_name="AWSRevokeOlderSessions", policy_document=json.dumps(older)
    )
    list_users = users.ListUsersCommand()
    world.call(chain.a, list_users)
    world.call(world.root, command)
    assert "explicit deny" in world.refusal(chain.a, list_users, errors.AccessDenied)
    world.call(chain.b, list_users)  # but what the session led to goes on
    world.call(world.assume(chain.alice, role("A")), list_users)


def test_a_deleted_key_can_still_be_named(world: World, chain: Chain) -> None:
    world.call(
        world.root,
        access_keys.DeleteAccessKeyCommand(user_name="alice", access_key_id=chain.alice.access_key_id),
    )
    assert lives(world, chain.a)
    chain.revoke(access_key_id=chain.alice.access_key_id)
    assert not any(lives(world, each) for each in (chain.a, chain.b, chain.c))
