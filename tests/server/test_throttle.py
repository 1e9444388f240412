"""Rates: what each account and principal may ask for in a second, and what those who ask for more are told."""

from __future__ import annotations

import json
import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum import errors
from locum.api import sts
from locum.api.iam import users
from locum.api.registry import CONTRACTS
from locum.http import Request
from locum.secret import Secret
from locum.server import throttle
from locum.server.handlers import HANDLERS
from locum.server.pipeline import Pipeline
from locum.server.throttle import SHARED_OPERATIONS, Buckets, Throttle
from locum.store.facts import Miss
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, OTHER, World, document
from .operations import perform

WHO = sts.GetCallerIdentityCommand()
NOW = 1_767_323_045.25
ADMIN = document(Effect="Allow", Action="*", Resource="*")


# One bucket


@pytest.mark.parametrize("rate", [1, 2, 5, 600, 10_000])
def test_a_full_bucket_holds_a_second_s_worth(rate: int) -> None:
    buckets = Buckets()
    near = rate // 1_000
    for moment, tokens in ((NOW, rate), (NOW + 0.5, rate // 2), (NOW + 60, rate)):
        taken = sum(buckets.take(7, 1 / rate, moment) for _ in range(rate + 100))
        assert tokens <= taken <= tokens + near


@given(
    st.integers(1, 50),
    st.lists(st.floats(0, 0.5, allow_nan=False), min_size=1, max_size=200),
)
def test_no_pattern_of_requests_gets_more_than_the_rate_and_one_second_s_worth(rate: int, waits: list[float]) -> None:
    buckets, now, taken = Buckets(), NOW, 0
    for wait in waits:
        now += wait
        taken += buckets.take(7, 1 / rate, now)
        assert taken <= rate * (now - NOW) + rate + 0.051


@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=50))
def test_a_clock_that_jumps_never_locks_anybody_out(jumps: list[float]) -> None:
    buckets = Buckets()
    for jump in jumps:
        for _ in range(20):
            buckets.take(7, 0.1, NOW + jump)
        # Two seconds later, by the same clock, the bucket is full again.
        assert sum(buckets.take(7, 0.1, NOW + jump + 2.0) for _ in range(20)) == 10


@pytest.mark.parametrize("rubbish", [float("nan"), float("inf"), -1.0, 1e300, NOW, 1e6])
def test_what_cannot_stand_in_a_bucket_counts_as_full(rubbish: float) -> None:
    buckets = Buckets()
    buckets.take(7, 0.1, NOW)
    buckets._full[buckets._slot(7)] = rubbish
    assert sum(buckets.take(7, 0.1, NOW) for _ in range(20)) == 10


def test_memory_is_bounded_and_the_busiest_buckets_stay() -> None:
    buckets = Buckets()
    busy = throttle._GROUPS * 5
    while buckets.take(busy, 0.1, NOW):
        pass
    size = buckets._full.nbytes + buckets._marks.nbytes
    for number in range(6, 100_000):
        buckets.take(throttle._GROUPS * number, 0.1, NOW)  # all in the same few places
    assert not buckets.take(busy, 0.1, NOW)
    assert buckets._full.nbytes + buckets._marks.nbytes == size == throttle._SLOTS * 16


def test_workers_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_memory", None)
    throttle.share()
    reading, writing = os.pipe()
    for _ in range(2):
        pid = os.fork()
        if not pid:
            buckets = Buckets()
            os.write(writing, bytes([sum(buckets.take(7, 0.05, NOW) for _ in range(8))]))
            os._exit(0)
        os.waitpid(pid, 0)
    os.close(writing)
    assert os.read(reading, 10) == bytes([8, 8])
    os.close(reading)
    assert sum(Buckets().take(7, 0.05, NOW) for _ in range(20)) == 4


# Through the pipeline


@pytest.fixture
def limited(world: World) -> World:
    """A server with ten requests a second for each account, four for each principal, three to IAM."""
    return limit(world, account=10, principal=4, control=3)


def limit(world: World, account: int = 0, principal: int = 0, control: int = 0) -> World:
    world.pipeline = Pipeline(
        world.store,
        world.vault,
        world.audit,
        partition="aws",
        region="eu-central-1",
        regions={"eu-central-1", "us-east-1"},
        random=world.random,
        max_body=1 << 20,
        throttle=Throttle(account=account, principal=principal, control=control),
    )
    return world


def answered(world: World, request: Request, times: int) -> list[str]:
    return [world.answered(request).outcome for _ in range(times)]


@pytest.mark.facts("STS-Q-001", "STS-E-T29", "STS-E-T60")
def test_beyond_the_rate_the_answer_is_throttling(world: World) -> None:
    limit(world, account=5)
    request = world.request(WHO, world.root)
    assert answered(world, request, 6) == ["ok"] * 5 + ["Throttling"]
    response = world.send(request)
    assert response.status == 400
    with pytest.raises(errors.Throttling) as refused:
        world.check(response)
    assert refused.value.message == "Rate exceeded"
    assert refused.value.retryable
    world.now += 1
    assert answered(world, world.request(WHO, world.root), 1) == ["ok"]


@pytest.mark.facts("STS-W-035")
def test_json_is_told_in_json(world: World) -> None:
    limit(world, account=1)
    request = world.request(WHO, world.root)
    world.send(request)
    accepting = msgspec.structs.replace(request, headers=(*request.headers, ("accept", "application/json")))
    response = world.send(accepting)
    assert response.status == 400
    found = json.loads(response.body)
    assert found["Error"] == {"Code": "Throttling", "Message": "Rate exceeded", "Type": "Sender"}


@pytest.mark.facts("STS-Q-002")
def test_the_operations_of_sts_share_one_rate_for_each_account(world: World) -> None:
    alice = world.user("alice", ADMIN)
    world.role("thing", {"AWS": ACCOUNT})
    limit(world, account=6)
    for name in sorted(SHARED_OPERATIONS):
        given = {"Name": "bob"} if name == "GetFederationToken" else {}
        assert perform(world, ("sts", name), alice, **given).status in (200, 400), name
    assert world.answered(world.request(WHO, alice)).outcome == "Throttling"
    assert world.answered(world.request(WHO, world.root)).outcome == "Throttling"
    world.call(world.root, users.GetUserCommand(user_name="alice"))


@pytest.mark.facts("STS-Q-002")
def test_the_shared_operations_are_the_signed_ones_of_sts() -> None:
    handled = {
        name
        for name, command in CONTRACTS["2011-06-15"].commands.items()
        if command in HANDLERS and command.operation.signed
    }
    # Signing an identity token costs more than all of these: it counts with IAM's operations.
    assert handled - {"GetWebIdentityToken", "AssumeRoot", "GetDelegatedAccessToken"} == SHARED_OPERATIONS


@pytest.mark.facts("STS-Q-002")
def test_assuming_a_role_elsewhere_counts_for_the_caller_s_account(world: World) -> None:
    stranger = world.account(OTHER)
    arn = world.role("guest", {"AWS": ACCOUNT}, root=stranger)
    alice = world.user("alice", ADMIN)
    limit(world, account=3)
    for _ in range(3):
        world.assume(alice, arn)
    world.refusal(alice, sts.AssumeRoleCommand(role_arn=arn, role_session_name="s1"), errors.Throttling)
    assert answered(world, world.request(WHO, stranger), 4) == ["ok"] * 3 + ["Throttling"]


def test_one_account_s_load_is_no_other_s(limited: World) -> None:
    other = limited.account(OTHER)
    mine, theirs = limited.request(WHO, limited.root), limited.request(WHO, other)
    assert answered(limited, mine, 50)[4:] == ["Throttling"] * 46
    assert answered(limited, theirs, 5) == ["ok"] * 4 + ["Throttling"]


def test_one_principal_does_not_use_up_its_account(world: World) -> None:
    people = [world.user(name, ADMIN) for name in ("alice", "bob", "carol")]
    limit(world, account=10, principal=4)
    got = [answered(world, world.request(WHO, each), 6).count("ok") for each in people]
    assert got == [4, 4, 2]


def test_the_sessions_of_a_role_count_together(world: World) -> None:
    alice = world.user("alice", ADMIN)
    arn = world.role("A", {"AWS": ACCOUNT}, ADMIN)
    sessions = [world.assume(alice, arn, f"s{number}") for number in range(3)]
    limit(world, account=100, principal=4)
    got = [answered(world, world.request(WHO, each), 2).count("ok") for each in sessions]
    assert got == [2, 2, 0]


def test_iam_has_a_rate_of_its_own(limited: World) -> None:
    limited.now += 1
    list_users = limited.request(users.ListUsersCommand(), limited.root)
    assert answered(limited, list_users, 5) == ["ok"] * 3 + ["Throttling"] * 2
    assert answered(limited, limited.request(WHO, limited.root), 1) == ["ok"]


def test_without_rates_nothing_is_counted(world: World) -> None:
    limit(world)
    assert set(answered(world, world.request(WHO, world.root), 50)) == {"ok"}


def test_a_write_counts_once_though_it_is_decided_twice(world: World) -> None:
    limit(world, control=3)
    made = [
        world.answered(world.request(users.CreateUserCommand(user_name=f"u{number}"), world.root)).outcome
        for number in range(4)
    ]
    assert made == ["ok"] * 3 + ["Throttling"]


def test_a_request_that_goes_on_in_a_thread_counts_once(world: World) -> None:
    alice = world.user("alice", ADMIN)
    arn = world.role("A", {"AWS": ACCOUNT})
    limit(world, account=4)
    world.send(world.request(WHO, alice))
    request = world.request(sts.AssumeRoleCommand(role_arn=arn, role_session_name="s1"), alice)
    for _ in range(20):  # the caller is known, the role is not: each goes as far as the role, and is not answered
        with pytest.raises(Miss):
            world.pipeline.answer(request, "01234567-89ab-4def-8123-456789abcdef", world.now, wait=False)
    assert answered(world, request, 4) == ["ok"] * 3 + ["Throttling"]


@pytest.mark.facts("R24")
def test_whoever_is_not_verified_uses_up_nothing(world: World) -> None:
    limit(world, account=3)
    forged = Credentials(world.root.access_key_id, Secret("x" * 40))
    outcomes = answered(world, world.request(WHO, forged), 5)
    assert set(outcomes) <= {"SignatureDoesNotMatch", "Throttling"}
    world.now += 60  # the bound on guessing is another one, and over
    assert set(answered(world, world.request(WHO, forged), 3)) == {"SignatureDoesNotMatch"}
    other_peer = world.request(WHO, world.root, peer="203.0.113.9")
    assert answered(world, other_peer, 4) == ["ok"] * 3 + ["Throttling"]


def test_a_throttled_request_is_recorded_with_its_caller(world: World) -> None:
    limit(world, account=1)
    answered(world, world.request(WHO, world.root), 2)
    record = world.records()[-1]
    assert (record["errorCode"], record["errorMessage"]) == ("Throttling", "Rate exceeded")
    assert record["userIdentity"]["arn"] == f"arn:aws:iam::{ACCOUNT}:root"
