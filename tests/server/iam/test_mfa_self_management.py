"""Who has an MFA device adds and removes their own ones with it, not with an access key alone."""

from __future__ import annotations

import pytest

from locum import errors
from locum.api.iam import mfa

from ..conftest import ACCOUNT, World, document
from ..phones import enable, new_phone, phone_of, session_token

ACTIONS = ["iam:EnableMFADevice", "iam:DeactivateMFADevice", "iam:ResyncMFADevice", "iam:ListMFADevices"]
POLICY = document(Effect="Allow", Action=ACTIONS, Resource="*")
REFUSED = (
    "To complete this action, please ensure that you are authenticated with an MFA device that is enabled for this "
    "user."
)
MISSING = f"arn:aws:iam::{ACCOUNT}:mfa/missing"


def of(world: World, user: str | None) -> list[str]:
    answer = world.call(world.root, mfa.ListMFADevicesCommand(user_name=user))
    return [each.serial_number.rpartition("/")[2] for each in answer.mfa_devices]


@pytest.mark.parametrize("named", [True, False])
def test_an_access_key_alone_neither_adds_nor_removes_a_device_beside_another(world: World, named: bool) -> None:
    alice = world.user("alice", POLICY)
    first, second = new_phone(world, "first"), new_phone(world, "second")
    world.call(alice, mfa.EnableMFADeviceCommand(user_name="alice", **first.pair(world)))
    whose = {"user_name": "alice"} if named else {}
    for command in (
        mfa.EnableMFADeviceCommand(user_name="alice", **second.pair(world)),
        # What is wrong with the device is not told either.
        mfa.EnableMFADeviceCommand(user_name="alice", **first.pair(world, 9)),
        mfa.DeactivateMFADeviceCommand(**whose, serial_number=first.serial),
        mfa.DeactivateMFADeviceCommand(**whose, serial_number=MISSING),
    ):
        assert world.refusal(alice, command, errors.AccessDenied) == REFUSED
    assert of(world, "alice") == ["first"]


def test_a_session_that_was_proved_with_a_device_adds_and_removes_them_down_to_the_last(world: World) -> None:
    alice = world.user("alice", POLICY)
    first, second = phone_of(world, "alice", "first"), new_phone(world, "second")
    # A device is set right with its own codes.
    world.call(alice, mfa.ResyncMFADeviceCommand(user_name="alice", **first.pair(world, 2)))
    proved = session_token(world, alice, first, 2)
    world.call(proved, mfa.EnableMFADeviceCommand(user_name="alice", **second.pair(world)))
    assert of(world, "alice") == ["first", "second"]
    for phone in (first, second):
        world.call(proved, mfa.DeactivateMFADeviceCommand(user_name="alice", serial_number=phone.serial))
    world.now += 300
    world.call(alice, mfa.EnableMFADeviceCommand(user_name="alice", **second.pair(world)))
    assert of(world, "alice") == ["second"]


def test_the_devices_of_others_and_of_root_are_managed_with_a_key(world: World) -> None:
    admin = world.user("admin", POLICY)
    world.user("bob")
    phone_of(world, "admin", "mine")
    phone = new_phone(world)
    world.call(admin, mfa.EnableMFADeviceCommand(user_name="bob", **phone.pair(world)))
    world.call(admin, mfa.DeactivateMFADeviceCommand(user_name="bob", serial_number=phone.serial))
    for name in ("one", "two"):
        enable(world, new_phone(world, name), ACCOUNT)
    assert of(world, None) == ["one", "two"]
