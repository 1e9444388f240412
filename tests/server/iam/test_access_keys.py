"""Access keys: making, switching off, deleting, and when they were last used (iam_api.md §3.2)."""

from __future__ import annotations

import re

import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import access_keys, types, users
from locum.core.records import Use
from locum.store import Key
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from ..conftest import ACCOUNT, OTHER, START, World, document

EVERYTHING = document(Effect="Allow", Action="*", Resource="*")
WHO = sts.GetCallerIdentityCommand()
UNKNOWN = "AKIAAAAAAAAAAAAAAAAA"


def create(world: World, name: str | None = "alice", credentials: Credentials | None = None) -> types.AccessKey:
    command = access_keys.CreateAccessKeyCommand(user_name=name)
    return world.call(credentials or world.root, command).access_key


def listed(
    world: World, name: str | None = "alice", credentials: Credentials | None = None
) -> tuple[types.AccessKeyMetadata, ...]:
    command = access_keys.ListAccessKeysCommand(user_name=name)
    return world.call(credentials or world.root, command).access_key_metadata


@pytest.mark.facts("IAM-KEY-001", "IAM-KEY-004", "IAM-GEN-010")
def test_the_secret_is_shown_once(world: World) -> None:
    world.call(world.root, users.CreateUserCommand(user_name="alice"))
    key = create(world)
    assert (key.user_name, key.status) == ("alice", "Active")
    assert key.create_date is not None
    assert key.create_date.timestamp() == START
    assert re.fullmatch(r"AKIA[A-Z2-7]{16}", key.access_key_id)
    assert re.fullmatch(r"[A-Za-z0-9+/]{40}", key.secret_access_key.reveal())
    assert world.call(Credentials(key.access_key_id, key.secret_access_key), WHO).arn.endswith("user/alice")
    assert listed(world) == (
        types.AccessKeyMetadata(
            user_name="alice", access_key_id=key.access_key_id, status="Active", create_date=key.create_date
        ),
    )
    answer = world.send(world.request(access_keys.ListAccessKeysCommand(user_name="alice"), world.root)).body
    assert b"Secret" not in answer
    assert key.secret_access_key.reveal().encode() not in answer
    with world.store.snapshot() as rows:
        row = rows.get(Key("", "access-key", key.access_key_id))
        assert row is not None
        assert key.secret_access_key.reveal().encode() not in row.data


@pytest.mark.facts("IAM-KEY-002", "POL-LM-009")
def test_a_user_and_root_have_two_keys_inactive_ones_counted(world: World) -> None:
    world.call(world.root, users.CreateUserCommand(user_name="alice"))
    first = create(world)
    create(world)
    command = access_keys.UpdateAccessKeyCommand(
        user_name="alice", access_key_id=first.access_key_id, status="Inactive"
    )
    world.call(world.root, command)
    third = access_keys.CreateAccessKeyCommand(user_name="alice")
    refused = world.refusal(world.root, third, errors.LimitExceededException)
    assert refused == "Cannot exceed quota for AccessKeysPerUser: 2"
    create(world, None)
    world.refusal(world.root, access_keys.CreateAccessKeyCommand(), errors.LimitExceededException)


@pytest.mark.facts("IAM-KEY-003", "IAM-KEY-008")
def test_an_inactive_key_fails_at_once_and_works_again_when_active(world: World) -> None:
    alice = world.user("alice")
    for status in ("Inactive", "Active"):
        world.call(
            world.root,
            access_keys.UpdateAccessKeyCommand(user_name="alice", access_key_id=alice.access_key_id, status=status),
        )
        assert [each.status for each in listed(world)] == [status]
        if status == "Inactive":
            world.refusal(alice, WHO, errors.InvalidClientTokenId)
        else:
            world.call(alice, WHO)
    expired = access_keys.UpdateAccessKeyCommand(user_name="alice", access_key_id=alice.access_key_id, status="Expired")
    world.refusal(world.root, expired, errors.InvalidInputException)
    assert [each.status for each in listed(world)] == ["Active"]


@pytest.mark.facts("IAM-KEY-003")
def test_a_key_is_found_only_with_its_own_user(world: World) -> None:
    alice, _ = world.user("alice"), world.user("bob")
    other = world.account(OTHER)
    for credentials, owner, key in (
        (world.root, "alice", UNKNOWN),
        (world.root, "bob", alice.access_key_id),
        (world.root, None, alice.access_key_id),
        (other, None, alice.access_key_id),
        (other, None, world.root.access_key_id),
    ):
        for command in (
            access_keys.UpdateAccessKeyCommand(user_name=owner, access_key_id=key, status="Inactive"),
            access_keys.DeleteAccessKeyCommand(user_name=owner, access_key_id=key),
        ):
            refused = world.refusal(credentials, command, errors.NoSuchEntityException)
            assert refused == f"The Access Key with id {key} cannot be found."
    world.call(alice, WHO)


@pytest.mark.facts("IAM-KEY-005", "IAM-GEN-073")
def test_without_a_name_the_own_keys_are_meant(world: World) -> None:
    own = document(Effect="Allow", Action="iam:*AccessKey*", Resource=f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}")
    alice = world.user("alice", own)
    world.user("bob")
    key = create(world, None, alice)
    assert key.user_name == "alice"
    assert {each.access_key_id for each in listed(world, None, alice)} == {alice.access_key_id, key.access_key_id}
    world.call(alice, access_keys.DeleteAccessKeyCommand(access_key_id=key.access_key_id))
    world.refusal(alice, access_keys.ListAccessKeysCommand(user_name="bob"), errors.AccessDenied)
    assert [each.access_key_id for each in listed(world, None)] == [world.root.access_key_id]


@pytest.mark.facts("IAM-KEY-005", "IAM-GEN-044")
@pytest.mark.parametrize(
    "command",
    [
        access_keys.ListAccessKeysCommand(),
        access_keys.CreateAccessKeyCommand(),
        access_keys.UpdateAccessKeyCommand(access_key_id=UNKNOWN, status="Active"),
        access_keys.DeleteAccessKeyCommand(access_key_id=UNKNOWN),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_role_session_must_name_the_user(world: World, command: access_keys.ListAccessKeysCommand) -> None:
    session = world.assume(world.user("alice", EVERYTHING), world.role("r", {"AWS": ACCOUNT}, EVERYTHING))
    assert world.refusal(session, command, errors.ValidationError) == (
        "Must specify userName when calling with non-User credentials"
    )


def test_a_deleted_key_is_gone(world: World) -> None:
    alice = world.user("alice")
    world.call(alice, WHO)
    world.pipeline.usage.flush(world.store)
    world.call(alice, WHO)
    command = access_keys.DeleteAccessKeyCommand(user_name="alice", access_key_id=alice.access_key_id)
    world.call(world.root, command)
    world.refusal(alice, WHO, errors.InvalidClientTokenId)
    assert listed(world) == ()
    world.pipeline.usage.flush(world.store)
    with world.store.snapshot() as rows:
        assert Records(rows).get(Use, "", alice.access_key_id) is None


@pytest.mark.facts("IAM-KEY-006")
@pytest.mark.parametrize("flushed", [False, True])
def test_the_last_use_of_a_key(world: World, flushed: bool) -> None:
    alice = world.user("alice")
    command = access_keys.GetAccessKeyLastUsedCommand(access_key_id=alice.access_key_id)
    answer = world.call(world.root, command)
    assert answer.user_name == "alice"
    assert answer.access_key_last_used == types.AccessKeyLastUsed(service_name="N/A", region="N/A")
    world.now += 60
    world.call(alice, WHO)
    if flushed:
        world.pipeline.usage.flush(world.store)
    used = world.call(world.root, command).access_key_last_used
    assert used is not None
    assert used.last_used_date is not None
    assert (used.last_used_date.timestamp(), used.service_name, used.region) == (START + 60, "sts", "us-east-1")


@pytest.mark.facts("IAM-KEY-007")
def test_an_unknown_key_has_no_last_use_but_a_denial(world: World) -> None:
    theirs = world.account(OTHER).access_key_id
    for key in (UNKNOWN, theirs):
        command = access_keys.GetAccessKeyLastUsedCommand(access_key_id=key)
        assert world.refusal(world.root, command, errors.AccessDenied) == (
            f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform iam:GetAccessKeyLastUsed "
            f"on resource: access key {key}"
        )


@pytest.mark.facts("R12")
def test_a_denial_tells_a_key_of_another_account_from_no_key_by_nothing(world: World) -> None:
    theirs = world.user("theirs", root=world.account(OTHER)).access_key_id
    nobody = world.user("nobody")
    texts = {
        world.refusal(nobody, access_keys.GetAccessKeyLastUsedCommand(access_key_id=key), errors.AccessDenied)
        for key in (theirs, UNKNOWN)
    }
    assert len(texts) == 1


@pytest.mark.facts("IAM-OP-GetAccessKeyLastUsed")
def test_the_last_use_of_a_key_is_a_matter_of_its_user(world: World) -> None:
    alice, bob = world.user("alice"), world.user("bob")
    world.call(world.root, users.TagUserCommand(user_name="alice", tags=(types.Tag(key="team", value="blue"),)))
    may = document(
        Effect="Allow",
        Action="iam:GetAccessKeyLastUsed",
        Resource=f"arn:aws:iam::{ACCOUNT}:user/*",
        Condition={"StringEquals": {"aws:ResourceTag/team": "blue"}},
    )
    auditor = world.user("auditor", may)
    world.call(auditor, access_keys.GetAccessKeyLastUsedCommand(access_key_id=alice.access_key_id))
    for key in (bob.access_key_id, UNKNOWN):
        command = access_keys.GetAccessKeyLastUsedCommand(access_key_id=key)
        world.refusal(auditor, command, errors.AccessDenied)
