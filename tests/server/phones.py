"""Phones that show one-time codes, for tests: virtual MFA devices of the server under test."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from locum.api import sts
from locum.api.iam import mfa
from locum.core import totp
from locum.secret import Secret
from locum.wire.sigv4 import Credentials

from .conftest import World


class Phone(NamedTuple):
    """A virtual device: its serial number, its seed, and by how many steps its clock is ahead."""

    serial: str
    seed: bytes
    drift: int = 0

    def code(self, world: World, away: int = 0) -> str:
        """What it shows ``away`` steps from now."""
        return totp.code(self.seed, totp.step_at(world.now) + self.drift + away)

    def proof(self, world: World, away: int = 0) -> dict[str, Any]:
        """The parameters of a call to STS that carries the code."""
        return {"serial_number": self.serial, "token_code": Secret(self.code(world, away))}

    def pair(self, world: World, away: int = 0) -> dict[str, Any]:
        """The serial number and the two codes that lead up to now."""
        return {
            "serial_number": self.serial,
            "authentication_code1": Secret(self.code(world, away - 1)),
            "authentication_code2": Secret(self.code(world, away)),
        }


def new_phone(world: World, name: str = "phone", *, root: Credentials | None = None, drift: int = 0) -> Phone:
    """A new device that belongs to nobody."""
    made = world.call(
        root or world.root, mfa.CreateVirtualMFADeviceCommand(virtual_mfa_device_name=name)
    ).virtual_mfa_device
    assert made.base32_string_seed is not None
    return Phone(made.serial_number, base64.b32decode(made.base32_string_seed), drift)


def enable(world: World, phone: Phone, user: str, *, root: Credentials | None = None) -> Phone:
    """Assign a device to a user."""
    world.call(root or world.root, mfa.EnableMFADeviceCommand(user_name=user, **phone.pair(world)))
    return phone


def phone_of(world: World, user: str, name: str = "phone", *, drift: int = 0) -> Phone:
    """A new device of a user."""
    return enable(world, new_phone(world, name, drift=drift), user)


def session_token(world: World, who: Credentials, phone: Phone, away: int = 0) -> Credentials:
    """Credentials from GetSessionToken with a code of the device."""
    issued = world.call(who, sts.GetSessionTokenCommand(**phone.proof(world, away))).credentials
    assert issued is not None
    return Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
