"""MFA devices of users, and of root where root asks for itself (iam_api.md section 9).

The seed is shown once, in the answer that makes the device, and kept sealed (R44).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from locum.api.iam import mfa as api
from locum.api.iam import types
from locum.core import totp
from locum.core.limits import limit
from locum.core.records import MfaDevice, User
from locum.core.sealing import NONCE_SIZE
from locum.core.session import CallerKind
from locum.errors import (
    AccessDenied,
    DeleteConflictException,
    EntityAlreadyExistsException,
    InvalidAuthenticationCodeException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
    ServiceFailureException,
    ValidationError,
)
from locum.server import mfa
from locum.server.account_settings import root_name
from locum.server.handlers import Call, handles
from locum.server.iam import holders
from locum.server.iam.answers import change, moment, page
from locum.server.iam.tags import list_tags, merged_tags, tag, tags_of, untag
from locum.server.iam.users import root_shown, user_shown
from locum.store.records import Stored

__all__ = [
    "create_virtual_mfa_device",
    "deactivate_mfa_device",
    "delete_virtual_mfa_device",
    "enable_mfa_device",
    "get_mfa_device",
    "list_mfa_device_tags",
    "list_mfa_devices",
    "list_virtual_mfa_devices",
    "resync_mfa_device",
    "tag_mfa_device",
    "untag_mfa_device",
]

_SEED_BYTES: Final = 40
"""64 characters in base32 (IAM-MFA-001)."""

_MAXIMUM_NAME: Final = 128
_MAXIMUM_SERIAL: Final = 256
_QUOTA: Final = "MFADevicesPerUser"
_ISSUER: Final = "Amazon Web Services"
_PIXELS: Final = 4
"""Width of a module of the QR code."""

_OF_USERS: Final = frozenset({CallerKind.USER, CallerKind.USER_SESSION})
_NOT_FIDO: Final = (
    "The MFA device serial number sent in the request is invalid or not supported by this API. "
    "Currently, only hardware FIDO security keys are supported. Please use the compatible device or API."
)


def _owner(call: Call[Any]) -> tuple[str, str]:
    """Unique id and name of the devices' owner: the named user, else the caller's own user, else root.

    Where a name must be given, root gives its account id; a user who has that name comes first.
    """
    name = call.command.user_name
    if call.caller.is_root and call.target.stored is None and name in (None, call.account):
        return call.account, root_name(call)
    user = holders.holder(call, User).record
    return user.id, user.name


def _unknown(call: Call[Any]) -> NoSuchEntityException:
    return NoSuchEntityException(f"MFA Device with serial number {call.command.serial_number} does not exist.")


def _device(call: Call[Any]) -> Stored[MfaDevice]:
    """The device that the call names; NoSuchEntity where there is none (IAM-MFA-007)."""
    stored = mfa.find_device(call.records, call.account, call.partition, call.command.serial_number)
    if stored is None:
        raise _unknown(call)
    return stored


def _held(call: Call[Any], owner: str) -> Stored[MfaDevice]:
    """The device that the call names, of the user that it names; NoSuchEntity for another's."""
    stored = _device(call)
    if stored.record.owner != owner:
        raise NoSuchEntityException("MFA Device invalid for user.")
    return stored


def _check_proved(call: Call[Any], owner: str) -> None:
    """AccessDenied for users who would give themselves a device, or take one, past the device that they have.

    Whatever policies allow, an access key alone must not do that: who found one would replace the device.  It comes
    before anything that is said of the device.
    """
    caller = call.caller
    if caller.kind not in _OF_USERS or caller.principal_id != owner or _is_proved(call):
        return
    if call.records.found("mfa-owner", owner, limit=1):
        raise AccessDenied(
            "To complete this action, please ensure that you are authenticated with an MFA device that is enabled for "
            "this user."
        )


def _is_proved(call: Call[Any]) -> bool:
    session = call.caller.session
    return session is not None and session.mfa is not None


def _picture(text: str) -> bytes:
    """A PNG with the QR code of a text; ServiceFailure where the package for it is not installed."""
    try:
        import segno
    except ImportError:
        raise ServiceFailureException(
            "QR codes need the package segno, which this server has not got. Its operator installs locum[mfa]."
        ) from None
    picture = io.BytesIO()
    segno.make_qr(text).save(picture, kind="png", scale=_PIXELS)
    return picture.getvalue()


def _check_new(call: Call[api.CreateVirtualMFADeviceCommand], serial_number: str) -> None:
    name = call.command.virtual_mfa_device_name
    if len(name) > _MAXIMUM_NAME:
        raise ValidationError(
            "1 validation error detected: Value at 'virtualMFADeviceName' failed to satisfy constraint: "
            f"Member must have length less than or equal to {_MAXIMUM_NAME}"
        )
    if len(serial_number) > _MAXIMUM_SERIAL:
        raise InvalidInputException(
            f"With this path and name the serial number would have more than {_MAXIMUM_SERIAL} characters."
        )
    if call.records.get(MfaDevice, call.account, name) is not None:
        raise EntityAlreadyExistsException("MFA device already exists.")
    # As many devices as users, as the quotas page of AWS has it; nobody is known to have met its words.
    most = limit(call.account_record, "UsersPerAccount")
    if call.records.count(MfaDevice, call.account) >= most:
        raise LimitExceededException(f"Cannot exceed quota for VirtualMFADevicesPerAccount: {most}")


@handles(api.CreateVirtualMFADeviceCommand)
def create_virtual_mfa_device(call: Call[api.CreateVirtualMFADeviceCommand]) -> api.CreateVirtualMFADeviceResponse:
    """Make a device; this answer is the only one that holds its seed (IAM-MFA-001, IAM-MFA-003)."""
    command = call.command
    _check_new(call, call.target.arn)
    name = command.virtual_mfa_device_name
    seed = call.random(_SEED_BYTES)
    shown = base64.b32encode(seed)
    issuer = quote(_ISSUER)
    label = f"{issuer}:{quote(name)}@{call.account}"
    device = MfaDevice(
        account=call.account,
        name=name,
        path=command.path or "/",
        created=int(call.now),
        seed=mfa.seal_seed(call.vault, call.account, name, seed, call.random(NONCE_SIZE)),
        tags=merged_tags({}, command.tags, folded=False),
    )
    picture = _picture(f"otpauth://totp/{label}?secret={shown.decode()}&issuer={issuer}")
    call.records.create(device)
    return api.CreateVirtualMFADeviceResponse(
        virtual_mfa_device=api.VirtualMFADevice(
            serial_number=call.target.arn,
            base32_string_seed=shown,
            qrcode_png=picture,
            tags=tags_of(device.tags) if device.tags else None,
        )
    )


@handles(api.DeleteVirtualMFADeviceCommand)
def delete_virtual_mfa_device(call: Call[api.DeleteVirtualMFADeviceCommand]) -> types.Nothing:
    """Delete a device that nobody has (IAM-MFA-009)."""
    stored = _device(call)
    if stored.record.owner is not None:
        raise DeleteConflictException("MFA VirtualDevice in use. Must deactivate first.")
    mfa.forget(call.records, stored.record, call.now)
    call.records.delete(stored)
    return types.Nothing()


@handles(api.ListVirtualMFADevicesCommand)
def list_virtual_mfa_devices(call: Call[api.ListVirtualMFADevicesCommand]) -> api.ListVirtualMFADevicesResponse:
    """The account's virtual devices, ascending by name, without seeds (IAM-MFA-002)."""
    wanted = call.command.assignment_status or "Any"

    def entries(after: str) -> Iterator[tuple[str, api.VirtualMFADevice]]:
        for stored in call.records.each(MfaDevice, call.account, after=after):
            device = stored.record
            if wanted == "Any" or (wanted == "Assigned") == (device.owner is not None):
                yield device.key[2], _listed(call, device)

    devices, shown = page(call, entries)
    return api.ListVirtualMFADevicesResponse(
        virtual_mfa_devices=devices, is_truncated=shown.is_truncated, marker=shown.marker
    )


def _listed(call: Call[Any], device: MfaDevice) -> api.VirtualMFADevice:
    serial_number = device.arn(call.partition)
    if device.owner is None:
        return api.VirtualMFADevice(serial_number=serial_number)
    user = None
    if device.owner == call.account:
        user = root_shown(call)
    elif (stored := call.records.by_id(device.owner)) is not None and isinstance(stored.record, User):
        user = user_shown(call, stored.record, whole=False)
    return api.VirtualMFADevice(serial_number=serial_number, user=user, enable_date=moment(device.enabled))


def _enabling(call: Call[api.EnableMFADeviceCommand]) -> tuple[str, Stored[MfaDevice]]:
    """The owner to be and the device, which must be free (IAM-MFA-006, IAM-MFA-010)."""
    owner, name = _owner(call)
    _check_proved(call, owner)
    stored = _device(call)
    if stored.record.owner == owner:
        raise EntityAlreadyExistsException(f"MFA Device for user {name} already exists.")
    if stored.record.owner is not None:
        raise EntityAlreadyExistsException("MFA Device is already in use.")
    most = limit(call.account_record, _QUOTA)
    if len(call.records.found("mfa-owner", owner)) >= most:
        raise LimitExceededException(f"Cannot exceed quota for {_QUOTA}: {most}")
    return owner, stored


def _synchronized(call: Call[Any], device: MfaDevice) -> dict[str, int]:
    """What the call's two codes change: how far the device's clock is off, and the step of the later one.

    InvalidAuthenticationCode for wrong ones, and for such as are not newer than the pair before.
    """
    first, second = call.command.authentication_code1.reveal(), call.command.authentication_code2.reveal()
    step = totp.step_at(call.now)
    drift = totp.drift(mfa.open_seed(call.vault, device), first, second, step, device.paired)
    if drift is None:
        call.attempts.failed(call.peer, call.caller.access_key_id, call.now)
        raise InvalidAuthenticationCodeException("Authentication code for device is not valid.")
    return {"drift": drift, "paired": step + drift}


def _count_enabling(call: Call[api.EnableMFADeviceCommand]) -> None:
    _, stored = _enabling(call)
    mfa.count_pair(call, stored.record)


def _count_resync(call: Call[api.ResyncMFADeviceCommand]) -> None:
    mfa.count_pair(call, _held(call, _owner(call)[0]).record)


@handles(api.EnableMFADeviceCommand, once=_count_enabling)
def enable_mfa_device(call: Call[api.EnableMFADeviceCommand]) -> types.Nothing:
    """Assign a device; its codes are not spent by that (IAM-MFA-005, STS-MFA-011)."""
    owner, stored = _enabling(call)
    return change(call, stored, owner=owner, enabled=int(call.now), **_synchronized(call, stored.record))


@handles(api.DeactivateMFADeviceCommand)
def deactivate_mfa_device(call: Call[api.DeactivateMFADeviceCommand]) -> types.Nothing:
    """Take a device from its user; what it has spent stays spent."""
    owner, _ = _owner(call)
    _check_proved(call, owner)
    stored = _held(call, owner)
    return change(call, stored, owner=None, enabled=0, drift=0)


@handles(api.ResyncMFADeviceCommand, once=_count_resync)
def resync_mfa_device(call: Call[api.ResyncMFADeviceCommand]) -> types.Nothing:
    """Learn a device's drift anew (IAM-MFA-011); who has its codes need not prove more."""
    stored = _held(call, _owner(call)[0])
    return change(call, stored, **_synchronized(call, stored.record))


@handles(api.ListMFADevicesCommand)
def list_mfa_devices(call: Call[api.ListMFADevicesCommand]) -> api.ListMFADevicesResponse:
    """A user's devices, ascending by name (IAM-MFA-008)."""
    owner, name = _owner(call)

    def entries(after: str) -> Iterator[tuple[str, api.MFADevice]]:
        for key in call.records.found("mfa-owner", owner):
            stored = call.records.get(MfaDevice, key.account, key.name)
            if key.name > after and stored is not None:
                device = stored.record
                yield (
                    key.name,
                    api.MFADevice(
                        user_name=name, serial_number=device.arn(call.partition), enable_date=moment(device.enabled)
                    ),
                )

    devices, shown = page(call, entries)
    return api.ListMFADevicesResponse(mfa_devices=devices, is_truncated=shown.is_truncated, marker=shown.marker)


@handles(api.GetMFADeviceCommand)
def get_mfa_device(call: Call[api.GetMFADeviceCommand]) -> api.GetMFADeviceResponse:
    """ValidationError for every device: it tells of FIDO keys, and there are none (IAM-MFA-011)."""
    _owner(call)
    raise ValidationError(_NOT_FIDO)


@handles(api.TagMFADeviceCommand)
def tag_mfa_device(call: Call[api.TagMFADeviceCommand]) -> types.Nothing:
    """Tag a device; keys are case-sensitive (IAM-GEN-061)."""
    return tag(call, _device(call))


@handles(api.UntagMFADeviceCommand)
def untag_mfa_device(call: Call[api.UntagMFADeviceCommand]) -> types.Nothing:
    """Remove tags from a device."""
    return untag(call, _device(call))


@handles(api.ListMFADeviceTagsCommand)
def list_mfa_device_tags(call: Call[api.ListMFADeviceTagsCommand]) -> api.ListMFADeviceTagsResponse:
    """The tags of a device."""
    tags, shown = list_tags(call, _device(call).record.tags)
    return api.ListMFADeviceTagsResponse(tags=tags, is_truncated=shown.is_truncated, marker=shown.marker)
