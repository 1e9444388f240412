"""MFA devices: virtual ones, which show one-time codes by RFC 6238, for users and for root (IAM-CL-009).

The serial number of a virtual device is its ARN.  STS takes it together with a code: see
:class:`~locum.api.sts.AssumeRoleCommand` and :class:`~locum.api.sts.GetSessionTokenCommand`.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import (
    ExistingUserName,
    Marker,
    MaxItems,
    Nothing,
    Path,
    SomeTagKeys,
    SomeTags,
    Tags,
    User,
    UserName,
)
from locum.api.shapes import Authorization, Command, Operation, Shape, Target, named, text
from locum.errors import (
    ConcurrentModificationException,
    DeleteConflictException,
    EntityAlreadyExistsException,
    EntityTemporarilyUnmodifiableException,
    InvalidAuthenticationCodeException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
    ServiceFailureException,
)
from locum.secret import Secret

__all__ = [
    "COMMANDS",
    "CreateVirtualMFADeviceCommand",
    "CreateVirtualMFADeviceResponse",
    "DeactivateMFADeviceCommand",
    "DeleteVirtualMFADeviceCommand",
    "EnableMFADeviceCommand",
    "GetMFADeviceCommand",
    "GetMFADeviceResponse",
    "ListMFADeviceTagsCommand",
    "ListMFADeviceTagsResponse",
    "ListMFADevicesCommand",
    "ListMFADevicesResponse",
    "ListVirtualMFADevicesCommand",
    "ListVirtualMFADevicesResponse",
    "MFADevice",
    "ResyncMFADeviceCommand",
    "TagMFADeviceCommand",
    "UntagMFADeviceCommand",
    "VirtualMFADevice",
]

_DEVICE: Final = Target("mfa", "serial_number")
_OWNER: Final = Target("user", "user_name")
_OWN: Final = Target("user", "user_name", or_caller=True)
_NO_NAME: Final = (
    "The specified value for {} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
)

SerialNumber = Annotated[str, text(9, 256, r"[\w+=/:,.@-]+")]
"""The number of a device: the ARN of a virtual one."""

DeviceName = Annotated[str, text(1, pattern=r"[\w+=,.@-]+", misfit=_NO_NAME)]
"""The name of a new virtual device; the model has no upper bound, the server has (see its handler)."""

AuthenticationCode = Annotated[Secret, text(6, 6, r"[\d]+")]
"""Six digits that a device showed."""

BootstrapDatum = Annotated[bytes, text(secret=True)]
"""What makes a device of a phone, in an answer that is given once."""

AssignmentStatus = Annotated[str, text(one_of=("Assigned", "Unassigned", "Any"))]
"""Which virtual devices to list; ``Any`` unless given."""

CertificationValue = Annotated[str, text(1, 32, r"[\u0020-\u00FF]+")]
"""What a hardware device is certified for; a virtual one is for nothing."""


class VirtualMFADevice(Shape):
    """A virtual device (IAM-MFA-001).

    ``base32_string_seed`` holds the 64 base32 characters of the seed, ``qrcode_png`` a picture of it for the camera of
    a phone: both only in the answer to CreateVirtualMFADevice.  ``user`` and ``enable_date`` stand only in an assigned
    device (IAM-MFA-002).
    """

    serial_number: SerialNumber
    base32_string_seed: Annotated[BootstrapDatum, named("Base32StringSeed")] | None = None
    qrcode_png: Annotated[BootstrapDatum, named("QRCodePNG")] | None = None
    user: User | None = None
    enable_date: datetime.datetime | None = None
    tags: Tags | None = None


class MFADevice(Shape):
    """A device that is assigned to a user (IAM-MFA-008)."""

    user_name: UserName
    serial_number: SerialNumber
    enable_date: datetime.datetime


class CreateVirtualMFADeviceResponse(Shape):
    """The device with its seed, which is never shown again."""

    virtual_mfa_device: Annotated[VirtualMFADevice, named("VirtualMFADevice")]


class CreateVirtualMFADeviceCommand(Command[CreateVirtualMFADeviceResponse]):
    """Make a virtual device, which belongs to nobody until it is enabled.

    The name must differ from every other device's, whatever the path and ignoring case (IAM-MFA-003).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "CreateVirtualMFADevice",
        Authorization(Target("mfa", "virtual_mfa_device_name", creates=True), keys=("aws:RequestTag/", "aws:TagKeys")),
        errors=(
            LimitExceededException,
            InvalidInputException,
            EntityAlreadyExistsException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    path: Path | None = None
    virtual_mfa_device_name: Annotated[DeviceName, named("VirtualMFADeviceName")]
    tags: Tags = ()


class DeleteVirtualMFADeviceCommand(Command[Nothing]):
    """Delete a virtual device that nobody has; its seed is gone for good (IAM-MFA-009)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteVirtualMFADevice",
        Authorization(_DEVICE),
        errors=(
            NoSuchEntityException,
            DeleteConflictException,
            LimitExceededException,
            ServiceFailureException,
            ConcurrentModificationException,
        ),
        read_only=False,
        writes=True,
    )

    serial_number: SerialNumber


class ListVirtualMFADevicesResponse(Shape):
    """One page of virtual devices, without seeds (IAM-MFA-002)."""

    virtual_mfa_devices: Annotated[tuple[VirtualMFADevice, ...], named("VirtualMFADevices")]
    is_truncated: bool = False
    marker: str | None = None


class ListVirtualMFADevicesCommand(Command[ListVirtualMFADevicesResponse]):
    """List the account's virtual devices, page by page."""

    operation: ClassVar[Operation] = Operation(IAM, "ListVirtualMFADevices", Authorization())

    assignment_status: AssignmentStatus | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class EnableMFADeviceCommand(Command[Nothing]):
    """Assign a device to a user who proves to hold it by two consecutive codes (IAM-MFA-005, STS-MFA-011).

    A user has at most eight devices (IAM-MFA-010).  Root, calling for itself, gives its account id as the user's name.
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "EnableMFADevice",
        Authorization(_OWNER),
        errors=(
            EntityAlreadyExistsException,
            EntityTemporarilyUnmodifiableException,
            InvalidAuthenticationCodeException,
            LimitExceededException,
            NoSuchEntityException,
            ServiceFailureException,
            ConcurrentModificationException,
        ),
        read_only=False,
        writes=True,
    )

    user_name: ExistingUserName
    serial_number: SerialNumber
    authentication_code1: AuthenticationCode
    authentication_code2: AuthenticationCode


class DeactivateMFADeviceCommand(Command[Nothing]):
    """Take a device from its user, the calling one without ``user_name``."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeactivateMFADevice",
        Authorization(_OWN),
        errors=(
            EntityTemporarilyUnmodifiableException,
            NoSuchEntityException,
            LimitExceededException,
            ServiceFailureException,
            ConcurrentModificationException,
        ),
        read_only=False,
        writes=True,
    )

    user_name: ExistingUserName | None = None
    serial_number: SerialNumber


class ResyncMFADeviceCommand(Command[Nothing]):
    """Learn anew how far a device's clock is off, from two consecutive codes (IAM-MFA-011)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ResyncMFADevice",
        Authorization(_OWNER),
        errors=(
            InvalidAuthenticationCodeException,
            NoSuchEntityException,
            LimitExceededException,
            ServiceFailureException,
            ConcurrentModificationException,
        ),
        read_only=False,
        writes=True,
    )

    user_name: ExistingUserName
    serial_number: SerialNumber
    authentication_code1: AuthenticationCode
    authentication_code2: AuthenticationCode


class ListMFADevicesResponse(Shape):
    """One page of a user's devices (IAM-MFA-008)."""

    mfa_devices: Annotated[tuple[MFADevice, ...], named("MFADevices")]
    is_truncated: bool = False
    marker: str | None = None


class ListMFADevicesCommand(Command[ListMFADevicesResponse]):
    """List a user's devices, the calling user's without ``user_name``, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM, "ListMFADevices", Authorization(_OWN), errors=(NoSuchEntityException, ServiceFailureException)
    )

    user_name: ExistingUserName | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class GetMFADeviceResponse(Shape):
    """Whose device it is and since when; certifications are a matter of hardware devices."""

    user_name: UserName | None = None
    serial_number: SerialNumber
    enable_date: datetime.datetime | None = None
    certifications: dict[str, CertificationValue] | None = None


class GetMFADeviceCommand(Command[GetMFADeviceResponse]):
    """Show one device of a user, the calling one without ``user_name``; virtual devices too (IAM-MFA-011)."""

    operation: ClassVar[Operation] = Operation(
        IAM, "GetMFADevice", Authorization(_OWN), errors=(NoSuchEntityException, ServiceFailureException)
    )

    serial_number: SerialNumber
    user_name: UserName | None = None


class TagMFADeviceCommand(Command[Nothing]):
    """Put tags on a virtual device, over those with the same key; keys are case-sensitive (IAM-GEN-061)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "TagMFADevice",
        Authorization(_DEVICE, keys=("aws:RequestTag/", "aws:TagKeys")),
        errors=(
            InvalidInputException,
            NoSuchEntityException,
            LimitExceededException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    serial_number: SerialNumber
    tags: SomeTags


class UntagMFADeviceCommand(Command[Nothing]):
    """Remove tags from a virtual device; keys that it has not do no harm."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UntagMFADevice",
        Authorization(_DEVICE, keys=("aws:TagKeys",)),
        errors=(
            NoSuchEntityException,
            InvalidInputException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    serial_number: SerialNumber
    tag_keys: SomeTagKeys


class ListMFADeviceTagsResponse(Shape):
    """One page of tags."""

    tags: Tags
    is_truncated: bool = False
    marker: str | None = None


class ListMFADeviceTagsCommand(Command[ListMFADeviceTagsResponse]):
    """List the tags of a virtual device, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListMFADeviceTags",
        Authorization(_DEVICE),
        errors=(NoSuchEntityException, InvalidInputException, ServiceFailureException),
    )

    serial_number: SerialNumber
    marker: Marker | None = None
    max_items: MaxItems | None = None


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    CreateVirtualMFADeviceCommand,
    DeleteVirtualMFADeviceCommand,
    ListVirtualMFADevicesCommand,
    EnableMFADeviceCommand,
    DeactivateMFADeviceCommand,
    ResyncMFADeviceCommand,
    ListMFADevicesCommand,
    GetMFADeviceCommand,
    TagMFADeviceCommand,
    UntagMFADeviceCommand,
    ListMFADeviceTagsCommand,
)
"""The commands of this module."""
