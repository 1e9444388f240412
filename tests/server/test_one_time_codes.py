"""One-time codes in calls to STS: whose, when, how often, and what is written (sts.md section 10)."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum import errors
from locum.api import sts
from locum.api.iam import mfa, users
from locum.core import totp
from locum.core.records import MfaCodes, MfaDevice, decode
from locum.secret import Secret
from locum.server.mfa import MAXIMUM_TRIES, WINDOW_SECONDS
from locum.store import Key, Locked
from locum.store.facts import Miss
from locum.store.memory import MemoryTransaction
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, OTHER, World, document
from .phones import Phone, enable, new_phone, phone_of, session_token

EVERYTHING = document(Effect="Allow", Action="*", Resource="*")
UNABLE = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  "
    "Please verify your MFA serial number is valid and associated with this user."
)
INVALID = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
HALF = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def asked(which: str, **proof: Any) -> Any:
    """The two operations that take a code."""
    if which == "GetSessionToken":
        return sts.GetSessionTokenCommand(**proof)
    return sts.AssumeRoleCommand(role_arn=f"arn:aws:iam::{ACCOUNT}:role/r", role_session_name="s1", **proof)


BOTH = pytest.mark.parametrize("which", ["AssumeRole", "GetSessionToken"])


def alice_with_phone(world: World, drift: int = 0) -> tuple[Credentials, Phone]:
    alice = world.user("alice", EVERYTHING)
    world.role("r", {"AWS": ACCOUNT})
    return alice, phone_of(world, "alice", drift=drift)


def codes(world: World) -> MfaCodes:
    with world.store.snapshot() as rows:
        row = rows.get(Key(ACCOUNT, MfaCodes.kind, "phone"))
    assert row is not None
    return decode(row.data, MfaCodes)


def tried(world: World) -> int:
    return codes(world).tries


class Writes:
    """Every record that is written while it is watched."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys: list[tuple[str, bool]] = []
        real_put, real_delete = MemoryTransaction.put, MemoryTransaction.delete

        def put(
            transaction: MemoryTransaction,
            key: Key,
            data: bytes,
            *,
            expect: int | None,
            indexes: Iterable[tuple[str, str]] = (),
            quiet: bool = False,
        ) -> int:
            assert expect is not None
            self.keys.append((key.kind, quiet))
            return real_put(transaction, key, data, expect=expect, indexes=indexes, quiet=quiet)

        def delete(transaction: MemoryTransaction, key: Key, *, expect: int | None = None, quiet: bool = False) -> None:
            self.keys.append((f"delete {key.kind}", quiet))
            real_delete(transaction, key, expect=expect, quiet=quiet)

        monkeypatch.setattr(MemoryTransaction, "put", put)
        monkeypatch.setattr(MemoryTransaction, "delete", delete)


@BOTH
@pytest.mark.facts("STS-MFA-001", "STS-MFA-004")
def test_a_right_code_is_accepted(world: World, which: str) -> None:
    alice, phone = alice_with_phone(world)
    assert world.call(alice, asked(which, **phone.proof(world))).credentials is not None


@pytest.mark.facts("STS-MFA-001")
def test_no_other_operation_takes_a_code() -> None:
    taking = {name for name, command in sts.COMMANDS.items() if "token_code" in command.__struct_fields__}
    assert taking == {"AssumeRole", "GetSessionToken"}


@BOTH
@pytest.mark.facts("STS-MFA-005", "R41")
@pytest.mark.parametrize("drift", [0, -300, 1_000])
@pytest.mark.parametrize(("away", "right"), [(-3, False), (-2, True), (0, True), (2, True), (3, False)])
def test_a_code_counts_two_steps_around_the_devices_own_time(
    world: World, which: str, drift: int, away: int, right: bool
) -> None:
    alice, phone = alice_with_phone(world, drift)
    world.now += 600
    command = asked(which, **phone.proof(world, away))
    if right:
        world.call(alice, command)
    else:
        assert world.refusal(alice, command, errors.AccessDenied) == INVALID


@BOTH
@pytest.mark.facts("STS-MFA-003")
@pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "12 456", "١٢٣٤٥٦"])
def test_a_code_has_six_digits(world: World, which: str, code: str) -> None:
    alice, phone = alice_with_phone(world)
    command = asked(which, serial_number=phone.serial, token_code=Secret(code))
    message = world.refusal(alice, command, errors.ValidationError)
    assert "'tokenCode' failed to satisfy constraint" in message
    assert code not in message
    assert tried(world) == 0


@BOTH
@pytest.mark.facts("STS-MFA-006", "STS-MFA-007", "IAM-MFA-012", "IAM-MFA-013", "R41")
def test_a_code_counts_once_and_its_reuse_looks_like_a_wrong_code(world: World, which: str) -> None:
    alice, phone = alice_with_phone(world)
    for first in ("AssumeRole", "GetSessionToken"):
        proof = phone.proof(world)
        world.call(alice, asked(first, **proof))
        assert world.refusal(alice, asked(which, **proof), errors.AccessDenied) == INVALID
        world.now += totp.STEP_SECONDS
        assert world.refusal(alice, asked(which, **proof), errors.AccessDenied) == INVALID
        world.call(alice, asked(which, **phone.proof(world)))
        world.now += 10 * totp.STEP_SECONDS
    wrong = asked(which, serial_number=phone.serial, token_code=Secret("000000"))
    assert world.refusal(alice, wrong, errors.AccessDenied) == INVALID


@pytest.mark.facts("STS-MFA-006")
def test_an_earlier_code_that_was_not_used_still_counts(world: World) -> None:
    alice, phone = alice_with_phone(world)
    for away in (1, -2, 0, 2, -1):
        session_token(world, alice, phone, away)
    for away in (-2, -1, 0, 1, 2):
        refused = world.refusal(alice, sts.GetSessionTokenCommand(**phone.proof(world, away)), errors.AccessDenied)
        assert refused == (INVALID if tried(world) < MAXIMUM_TRIES or away == 1 else UNABLE)


def test_a_code_is_spent_though_the_call_is_refused_afterwards(world: World) -> None:
    alice = world.user("alice", EVERYTHING)
    world.role("r", {"AWS": OTHER})
    phone = phone_of(world, "alice")
    proof = phone.proof(world)
    denied = world.refusal(alice, asked("AssumeRole", **proof), errors.AccessDenied)
    assert "is not authorized to perform: sts:AssumeRole" in denied
    assert world.refusal(alice, asked("GetSessionToken", **proof), errors.AccessDenied) == INVALID


@pytest.mark.facts("R41", "STS-MFA-006")
@pytest.mark.parametrize("how", ["resync", "enable"])
def test_a_spent_code_stays_spent_when_the_devices_time_is_set_back(world: World, how: str) -> None:
    alice, phone = alice_with_phone(world)
    ahead = phone._replace(drift=500)
    world.call(world.root, mfa.ResyncMFADeviceCommand(user_name="alice", **ahead.pair(world)))
    proof = ahead.proof(world)
    world.call(alice, asked("GetSessionToken", **proof))
    world.now += 502 * totp.STEP_SECONDS
    if how == "enable":
        world.call(world.root, mfa.DeactivateMFADeviceCommand(user_name="alice", serial_number=phone.serial))
        world.call(world.root, mfa.EnableMFADeviceCommand(user_name="alice", **phone.pair(world)))
    else:
        world.call(world.root, mfa.ResyncMFADeviceCommand(user_name="alice", **phone.pair(world)))
    assert phone.proof(world, -2)["token_code"].reveal() == proof["token_code"].reveal()
    assert world.refusal(alice, asked("GetSessionToken", **proof), errors.AccessDenied) == INVALID
    world.call(alice, asked("GetSessionToken", **phone.proof(world, -1)))


@pytest.mark.facts("STS-MFA-011")
@pytest.mark.parametrize("how", ["enable", "resync"])
def test_codes_that_enabled_or_resynchronized_are_not_spent(world: World, how: str) -> None:
    alice, phone = alice_with_phone(world)
    if how == "resync":
        world.now += 10 * totp.STEP_SECONDS
        world.call(world.root, mfa.ResyncMFADeviceCommand(user_name="alice", **phone.pair(world)))
    for away in (-1, 0):
        session_token(world, alice, phone, away)


@BOTH
@pytest.mark.facts("STS-MFA-010", "STS-E-015")
@pytest.mark.parametrize("half", ["serial_number", "token_code"])
def test_half_a_proof_is_refused(world: World, which: str, half: str) -> None:
    alice, phone = alice_with_phone(world)
    proof = {half: phone.proof(world)[half]}
    assert world.refusal(alice, asked(which, **proof), errors.AccessDenied) == HALF
    assert tried(world) == 0


@BOTH
@pytest.mark.facts("STS-MFA-008", "STS-MFA-002", "STS-E-015")
@pytest.mark.parametrize(
    "whose", ["unknown", "hardware", "bob", "nobody", "deactivated", "other case", "root", "OTHER"]
)
def test_a_device_that_is_not_the_callers_is_refused(world: World, which: str, whose: str) -> None:
    alice, phone = alice_with_phone(world)
    other = world.account(OTHER)
    if whose == "unknown":
        phone = phone._replace(serial=f"arn:aws:iam::{ACCOUNT}:mfa/unknown")
    elif whose == "hardware":
        phone = phone._replace(serial="GAHT12345678")
    elif whose == "other case":
        phone = phone._replace(serial=f"arn:aws:iam::{ACCOUNT}:mfa/Phone")
    elif whose == "bob":
        world.user("bob")
        phone = phone_of(world, "bob", "other")
    elif whose == "nobody":
        phone = new_phone(world, "other")
    elif whose == "root":
        phone = enable(world, new_phone(world, "root-account-mfa-device"), ACCOUNT)
    elif whose == "OTHER":
        phone = enable(world, new_phone(world, root=other), OTHER, root=other)
    else:
        world.call(world.root, mfa.DeactivateMFADeviceCommand(user_name="alice", serial_number=phone.serial))
    before = codes(world)
    assert world.refusal(alice, asked(which, **phone.proof(world)), errors.AccessDenied) == UNABLE
    assert codes(world) == before


@pytest.mark.facts("R10", "STS-MFA-008")
def test_nobody_else_uses_up_the_tries_of_a_device(world: World) -> None:
    alice, phone = alice_with_phone(world)
    bob = world.user("bob")
    wrong = asked("GetSessionToken", serial_number=phone.serial, token_code=Secret("000000"))
    for _ in range(MAXIMUM_TRIES + 1):
        assert world.refusal(bob, wrong, errors.AccessDenied) == UNABLE
    session_token(world, alice, phone)


@pytest.mark.facts("STS-AR-027", "STS-MFA-008")
def test_a_code_is_a_matter_of_users(world: World) -> None:
    alice, phone = alice_with_phone(world)
    role = world.role("first", {"AWS": ACCOUNT}, EVERYTHING)
    session = world.assume(alice, role)
    command = asked("AssumeRole", **phone.proof(world))
    assert world.refusal(session, command, errors.AccessDenied) == UNABLE
    plain = world.call(alice, sts.GetSessionTokenCommand()).credentials
    assert plain is not None
    token = Credentials(plain.access_key_id, plain.secret_access_key, plain.session_token)
    world.call(token, command)


@pytest.mark.facts("STS-MFA-009", "R10", "R41")
@pytest.mark.parametrize("how", ["wrong", "reused", "right"])
def test_a_device_has_nine_tries_in_each_window_of_three_minutes(world: World, how: str) -> None:
    alice, phone = alice_with_phone(world)
    world.now = (int(world.now) // WINDOW_SECONDS + 1) * WINDOW_SECONDS
    reused = phone.proof(world)
    outcomes = []
    for number in range(MAXIMUM_TRIES):
        if how == "right":
            # Five codes are good at a time, and a new one each half minute.
            world.now += totp.STEP_SECONDS if number > 4 else 0
            proof = phone.proof(world, (-2, -1, 0, 1, 2)[min(number, 4)])
        else:
            proof = reused if how == "reused" else reused | {"token_code": Secret("000000")}
        try:
            world.call(alice, asked("GetSessionToken", **proof))
            outcomes.append("ok")
        except errors.AccessDenied as refused:
            outcomes.append(refused.message)
    assert (
        outcomes
        == {
            "wrong": [INVALID] * 9,
            "reused": ["ok"] + [INVALID] * 8,
            "right": ["ok"] * 9,
        }[how]
    )
    before = codes(world)
    for _ in range(3):
        command = asked("AssumeRole", **phone.proof(world, 2 if how != "right" else 0))
        assert world.refusal(alice, command, errors.AccessDenied) == UNABLE
    assert codes(world) == before
    world.now = (int(world.now) // WINDOW_SECONDS + 1) * WINDOW_SECONDS - 0.5
    world.refusal(alice, asked("AssumeRole", **phone.proof(world, 2)), errors.AccessDenied)
    world.now += 0.5
    world.call(alice, asked("AssumeRole", **phone.proof(world, 2)))
    assert tried(world) == 1


@pytest.mark.facts("STS-MFA-009", "R10")
def test_a_request_from_before_a_window_gives_no_new_tries(world: World) -> None:
    alice, phone = alice_with_phone(world)
    world.now = (int(world.now) // WINDOW_SECONDS + 1) * WINDOW_SECONDS
    wrong = asked("GetSessionToken", serial_number=phone.serial, token_code=Secret("000000"))
    for back in (0, 1) * 4:
        world.now -= back
        assert world.refusal(alice, wrong, errors.AccessDenied) == INVALID
        world.now += back
    assert tried(world) == 8
    world.refusal(alice, wrong, errors.AccessDenied)
    for back in (1, 0):
        assert world.refusal(alice, asked("GetSessionToken", **phone.proof(world, back)), errors.AccessDenied) == UNABLE


@pytest.mark.facts("STS-MFA-009", "STS-MFA-006")
def test_tries_and_spent_codes_are_those_of_all_workers(world: World) -> None:
    alice, phone = alice_with_phone(world)
    proof = phone.proof(world)
    session_token(world, alice, phone)
    first, second = (
        world.pipeline,
        type(world.pipeline)(
            world.store,
            world.vault,
            world.audit,
            partition="aws",
            region="eu-central-1",
            regions={"eu-central-1", "us-east-1"},
            random=world.random,
            max_body=1 << 20,
        ),
    )
    for number in range(MAXIMUM_TRIES - 1):
        world.pipeline = (first, second)[number % 2]
        assert world.refusal(alice, asked("GetSessionToken", **proof), errors.AccessDenied) == INVALID
    for world.pipeline in (first, second):
        assert world.refusal(alice, asked("GetSessionToken", **phone.proof(world, 1)), errors.AccessDenied) == UNABLE


@pytest.mark.facts("R10")
def test_an_address_that_guesses_is_slowed_down_whatever_devices_it_tries(world: World) -> None:
    alice, _ = alice_with_phone(world)
    phones = [phone_of(world, "alice", f"p{number}") for number in range(7)]
    outcomes = []
    for phone in phones:
        wrong = asked("GetSessionToken", serial_number=phone.serial, token_code=Secret("000000"))
        for _ in range(MAXIMUM_TRIES):
            with pytest.raises(errors.ServiceException) as raised:
                world.call(alice, wrong)
            outcomes.append(type(raised.value))
    assert outcomes == [errors.AccessDenied] * 60 + [errors.Throttling] * 3


@pytest.mark.parametrize(
    ("which", "proof", "written"),
    [
        pytest.param("AssumeRole", "right", 1, marks=pytest.mark.facts("R41")),
        pytest.param("GetSessionToken", "right", 1, marks=pytest.mark.facts("R41")),
        ("AssumeRole", "wrong", 1),
        ("AssumeRole", "none", 0),
        ("GetSessionToken", "none", 0),
        ("AssumeRole", "unknown", 0),
        ("AssumeRole", "half", 0),
    ],
)
def test_a_verified_code_is_one_quiet_conditional_write_and_nothing_else_is_written(
    world: World, monkeypatch: pytest.MonkeyPatch, which: str, proof: str, written: int
) -> None:
    alice, phone = alice_with_phone(world)
    given_proof: dict[str, Any] = {
        "right": phone.proof(world),
        "wrong": {"serial_number": phone.serial, "token_code": Secret("000000")},
        "none": {},
        "unknown": {"serial_number": f"{phone.serial}x", "token_code": Secret("000000")},
        "half": {"serial_number": phone.serial},
    }[proof]
    request = world.request(asked(which, **given_proof), alice)
    revision = world.store.revision
    writes = Writes(monkeypatch)
    response = world.send(request)
    assert writes.keys == [(MfaCodes.kind, True)] * written
    assert (response.status == 200) == (proof in ("right", "none"))
    assert world.store.revision == revision


def test_the_event_loop_neither_reads_nor_spends_a_code(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, phone = alice_with_phone(world)
    for which in ("AssumeRole", "GetSessionToken"):
        world.call(alice, asked(which))
        world.pipeline.answer(world.request(asked(which), alice), "id", world.now, wait=False)
        monkeypatch.setattr(world.store, "snapshot", None)
        monkeypatch.setattr(world.store, "transaction", None)
        with pytest.raises(Miss):
            world.pipeline.answer(world.request(asked(which, **phone.proof(world)), alice), "id", world.now, wait=False)
        monkeypatch.undo()
    assert tried(world) == 0


@pytest.mark.facts("STS-MFA-006", "R41")
def test_of_two_calls_at_once_one_gets_the_code(world: World) -> None:
    alice, phone = alice_with_phone(world)
    requests = [world.request(asked("GetSessionToken", **phone.proof(world)), alice) for _ in range(6)]
    statuses: list[int] = []
    start = threading.Barrier(len(requests))

    def send(request: Any) -> None:
        start.wait()
        statuses.append(world.pipeline.answer(request, "id", world.now, wait=True).response.status)

    threads = [threading.Thread(target=send, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [403] * 5


def test_a_store_that_is_busy_is_no_wrong_code(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, phone = alice_with_phone(world)

    def locked() -> None:
        raise Locked("busy")

    monkeypatch.setattr(world.store, "transaction", locked)
    world.refusal(alice, asked("GetSessionToken", **phone.proof(world)), errors.ServiceUnavailable)
    monkeypatch.undo()
    session_token(world, alice, phone)


@pytest.mark.facts("R10")
def test_what_is_kept_of_a_device_stays_small(world: World) -> None:
    alice, phone = alice_with_phone(world)
    with world.store.transaction() as rows:
        records = Records(rows)
        stored = records.get(MfaCodes, ACCOUNT, "phone")
        assert stored is not None
        step = totp.step_at(world.now)
        kept = (*range(step - 1_500, step - 990), step + 1_002)
        records.replace(stored, MfaCodes(account=ACCOUNT, name="phone", spent=kept))
    session_token(world, alice, phone)
    assert codes(world).spent == (*range(step - 1_000, step - 990), step + 1_002, step)


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(-3, 3)), max_size=15))
def test_any_run_of_codes_is_judged_as_the_rules_say(
    tmp_path_factory: pytest.TempPathFactory, attempts: list[tuple[int, int]]
) -> None:
    world = World(tmp_path_factory.mktemp("run"))
    alice, phone = alice_with_phone(world)
    spent: set[int] = set()
    tries: dict[int, int] = {}
    for seconds, away in attempts:
        world.now += seconds
        window, step = int(world.now) // 180, int(world.now) // 30 + away
        tries[window] = tries.get(window, 0) + 1
        expected = ""
        if tries[window] > 9:
            expected = UNABLE
        elif abs(away) > 2 or step in spent:
            expected = INVALID
        else:
            spent.add(step)
        command = asked("GetSessionToken", **phone.proof(world, away))
        if expected:
            assert world.refusal(alice, command, errors.AccessDenied) == expected
        else:
            world.call(alice, command)
    world.audit.close()


# --- what policies see of it


def trusting(world: World, condition: dict[str, Any], name: str = "careful") -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole", "Condition": condition}
    return world.role(name, document(statement), EVERYTHING)


@pytest.mark.facts("STS-MFA-016", "STS-MFA-017", "STS-MFA-013")
def test_a_role_that_asks_for_mfa_is_assumed_with_a_code_and_refused_without(world: World) -> None:
    alice, phone = alice_with_phone(world)
    role = trusting(world, WITH_MFA)
    refused = world.refusal(alice, sts.AssumeRoleCommand(role_arn=role, role_session_name="s1"), errors.AccessDenied)
    assert refused == (
        f"User: arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform: sts:AssumeRole on resource: {role}"
    )
    world.assume(alice, role, **phone.proof(world))


@pytest.mark.facts("STS-MFA-013")
def test_long_term_keys_have_no_mfa_keys_at_all(world: World) -> None:
    alice, _ = alice_with_phone(world)
    absent = {"Null": {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "true"}}
    world.assume(alice, trusting(world, absent))
    role = trusting(world, {"Bool": {"aws:MultiFactorAuthPresent": "false"}}, "present")
    world.refusal(alice, sts.AssumeRoleCommand(role_arn=role, role_session_name="s1"), errors.AccessDenied)


@pytest.mark.facts("STS-AR-028", "STS-MFA-016", "R41")
def test_a_role_session_carries_no_mark_of_the_code_that_it_was_assumed_with(world: World) -> None:
    alice, phone = alice_with_phone(world)
    session = world.assume(alice, trusting(world, WITH_MFA), **phone.proof(world))
    world.assume(session, trusting(world, {"Null": {"aws:MultiFactorAuthPresent": "true"}}, "absent"))
    for condition in (WITH_MFA, {"Null": {"aws:MultiFactorAuthAge": "false"}}):
        role = trusting(world, condition, f"r{len(str(condition))}")
        world.refusal(session, sts.AssumeRoleCommand(role_arn=role, role_session_name="s1"), errors.AccessDenied)


@pytest.mark.facts("STS-MFA-014", "STS-MFA-015", "STS-AR-029", "R41")
def test_a_session_with_mfa_tells_how_long_ago_the_code_was(world: World) -> None:
    alice, phone = alice_with_phone(world)
    token = session_token(world, alice, phone)
    role = trusting(world, {**WITH_MFA, "NumericEquals": {"aws:MultiFactorAuthAge": "100"}})
    world.now += 99
    command = sts.AssumeRoleCommand(role_arn=role, role_session_name="s1")
    world.refusal(token, command, errors.AccessDenied)
    world.now += 1
    world.call(token, command)
    world.now += 1
    world.refusal(token, command, errors.AccessDenied)


@pytest.mark.facts("STS-MFA-014")
def test_the_age_of_a_code_in_the_call_itself_is_zero(world: World) -> None:
    alice, phone = alice_with_phone(world)
    world.assume(alice, trusting(world, {"NumericEquals": {"aws:MultiFactorAuthAge": "0"}}), **phone.proof(world))


@pytest.mark.facts("STS-MFA-015", "STS-GST-003", "STS-GST-005")
def test_a_session_with_mfa_reaches_iam_and_one_without_says_false(world: World) -> None:
    alice, phone = alice_with_phone(world)
    command = users.GetUserCommand()
    token = session_token(world, alice, phone)
    assert world.call(token, command).user.user_name == "alice"
    plain = world.call(alice, sts.GetSessionTokenCommand()).credentials
    assert plain is not None
    without = Credentials(plain.access_key_id, plain.secret_access_key, plain.session_token)
    world.refusal(without, command, errors.InvalidClientTokenId)
    world.assume(without, trusting(world, {"Bool": {"aws:MultiFactorAuthPresent": "false"}}))
    role = trusting(world, WITH_MFA, "strict")
    world.refusal(without, sts.AssumeRoleCommand(role_arn=role, role_session_name="s1"), errors.AccessDenied)


def test_neither_code_nor_seed_is_in_an_audit_line(world: World) -> None:
    alice, phone = alice_with_phone(world)
    session_token(world, alice, phone)
    assert phone.code(world) not in world.audit_file.read_text()
    with world.store.snapshot() as rows:
        stored = Records(rows).get(MfaDevice, ACCOUNT, "phone")
    assert stored is not None
    assert phone.seed not in stored.record.seed
