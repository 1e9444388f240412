"""Virtual MFA devices: making, enabling, resynchronizing, listing, deleting (iam_api.md section 9)."""

from __future__ import annotations

import base64
import builtins
import io
import struct
import sys
import zlib
from typing import Any

import pytest
import segno

from locum import errors
from locum.api import sts
from locum.api.iam import access_keys, mfa, types, users
from locum.core.records import MfaCodes, MfaDevice
from locum.secret import Secret
from locum.server.mfa import MAXIMUM_TRIES, WINDOW_SECONDS
from locum.store.records import Records

from ..conftest import ACCOUNT, OTHER, START, World, document
from ..phones import Phone, enable, new_phone, phone_of, session_token

SERIAL = f"arn:aws:iam::{ACCOUNT}:mfa/phone"
WRONG = "Authentication code for device is not valid."


def unknown(serial: str) -> str:
    return f"MFA Device with serial number {serial} does not exist."


def listed(world: World, status: str | None = None) -> dict[str, mfa.VirtualMFADevice]:
    answer = world.call(world.root, mfa.ListVirtualMFADevicesCommand(assignment_status=status))
    return {each.serial_number.rpartition("/")[2]: each for each in answer.virtual_mfa_devices}


def of(world: World, user: str | None) -> list[str]:
    answer = world.call(world.root, mfa.ListMFADevicesCommand(user_name=user))
    return [each.serial_number.rpartition("/")[2] for each in answer.mfa_devices]


def device(world: World, name: str = "phone") -> MfaDevice:
    with world.store.snapshot() as rows:
        stored = Records(rows).get(MfaDevice, ACCOUNT, name)
    assert stored is not None
    return stored.record


def scanlines(png: bytes) -> list[bytes]:
    """The rows of a black-and-white PNG, without their filter bytes."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place, data, width = 8, b"", 0
    while place < len(png):
        size, kind = struct.unpack(">I4s", png[place : place + 8])
        body = png[place + 8 : place + 8 + size]
        if kind == b"IHDR":
            width = struct.unpack(">I", body[:4])[0]
        elif kind == b"IDAT":
            data += body
        place += size + 12
    raw, length = zlib.decompress(data), (width + 7) // 8 + 1
    return [raw[start + 1 : start + length] for start in range(0, len(raw), length)]


@pytest.mark.facts("IAM-MFA-001")
def test_a_new_device_has_its_arn_as_serial_number_and_a_seed_of_64_characters(world: World) -> None:
    command = mfa.CreateVirtualMFADeviceCommand(virtual_mfa_device_name="Phone", path="/test//double/")
    response = world.send(world.request(command, world.root))
    made = world.read(response, command).virtual_mfa_device
    assert made.serial_number == f"arn:aws:iam::{ACCOUNT}:mfa/test//double/Phone"
    assert made.base32_string_seed is not None
    assert len(made.base32_string_seed) == 64
    assert len(base64.b32decode(made.base32_string_seed)) == 40
    assert (made.user, made.enable_date, made.tags) == (None, None, None)
    # The seed text is base32 already, and travels in base64 all the same.
    twice = base64.b64encode(made.base32_string_seed)
    assert b"<Base32StringSeed>" + twice + b"</Base32StringSeed>" in response.body


@pytest.mark.facts("IAM-MFA-001")
def test_the_picture_is_the_qr_code_of_the_seed(world: World) -> None:
    made = world.call(world.root, mfa.CreateVirtualMFADeviceCommand(virtual_mfa_device_name="a+b@c")).virtual_mfa_device
    assert made.base32_string_seed is not None
    assert made.qrcode_png is not None
    text = (
        f"otpauth://totp/Amazon%20Web%20Services:a%2Bb%40c@{ACCOUNT}"
        f"?secret={made.base32_string_seed.decode()}&issuer=Amazon%20Web%20Services"
    )
    expected = io.BytesIO()
    segno.make_qr(text).save(expected, kind="png", scale=4)
    assert scanlines(made.qrcode_png) == scanlines(expected.getvalue())


def test_without_the_package_for_pictures_the_error_says_what_to_install(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def lacking(name: str, *rest: Any, **more: Any) -> Any:
        if name == "segno":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "segno", raising=False)
    monkeypatch.setattr(builtins, "__import__", lacking)
    command = mfa.CreateVirtualMFADeviceCommand(virtual_mfa_device_name="phone")
    message = world.refusal(world.root, command, errors.ServiceFailureException)
    assert "segno" in message
    assert "locum[mfa]" in message
    monkeypatch.undo()
    assert listed(world) == {}


@pytest.mark.facts("R44", "R38")
def test_the_seed_is_shown_once_and_kept_sealed(world: World) -> None:
    phone = new_phone(world)
    alice = world.user("alice", document(Effect="Allow", Action="*", Resource="*"))
    enable(world, phone, "alice")
    shown = base64.b32encode(phone.seed)
    for command in (
        mfa.ListVirtualMFADevicesCommand(),
        mfa.ListMFADevicesCommand(user_name="alice"),
        mfa.GetMFADeviceCommand(serial_number=SERIAL, user_name="alice"),
    ):
        body = world.send(world.request(command, alice)).body
        assert b"Seed" not in body
        assert b"QRCode" not in body
    record = device(world)
    assert phone.seed not in record.seed
    audit = world.audit_file.read_bytes()
    for secret in (shown, base64.b64encode(shown), phone.code(world).encode(), phone.code(world, -1).encode()):
        assert secret not in audit
        assert secret.decode() not in repr(record)
    made = mfa.VirtualMFADevice(serial_number=SERIAL, base32_string_seed=shown, qrcode_png=b"picture")
    assert shown.decode() not in repr(made)
    assert "picture" not in repr(made)
    assert phone.code(world) not in repr(mfa.EnableMFADeviceCommand(user_name="alice", **phone.pair(world)))


@pytest.mark.facts("R44")
def test_a_seed_that_was_moved_to_another_device_does_not_open(world: World) -> None:
    world.user("alice")
    phone = new_phone(world, "one")
    other = new_phone(world, "two")
    with world.store.transaction() as rows:
        records = Records(rows)
        one, two = records.get(MfaDevice, ACCOUNT, "one"), records.get(MfaDevice, ACCOUNT, "two")
        assert one is not None
        assert two is not None
        moved = MfaDevice(account=ACCOUNT, name="two", created=0, seed=one.record.seed)
        records.replace(two, moved)
    command = mfa.EnableMFADeviceCommand(user_name="alice", **phone._replace(serial=other.serial).pair(world))
    world.refusal(world.root, command, errors.InternalFailure)


@pytest.mark.facts("IAM-MFA-003", "IAM-GEN-015")
@pytest.mark.parametrize(("name", "path"), [("phone", "/"), ("Phone", "/"), ("phone", "/other/")])
def test_a_name_is_taken_whatever_its_case_and_path(world: World, name: str, path: str) -> None:
    new_phone(world)
    command = mfa.CreateVirtualMFADeviceCommand(virtual_mfa_device_name=name, path=path)
    assert world.refusal(world.root, command, errors.EntityAlreadyExistsException) == "MFA device already exists."


@pytest.mark.facts("IAM-MFA-004", "IAM-GEN-013", "IAM-GEN-044")
@pytest.mark.parametrize("path", ["test", "/test", "test/"])
def test_a_path_begins_and_ends_with_a_slash(world: World, path: str) -> None:
    command = mfa.CreateVirtualMFADeviceCommand(virtual_mfa_device_name="phone", path=path)
    assert world.refusal(world.root, command, errors.ValidationError) == (
        "The specified value for path is invalid. "
        "It must begin and end with / and contain only alphanumeric characters and/or / characters."
    )


@pytest.mark.parametrize(
    ("name", "path", "kind"),
    [
        ("x" * 129, "/", errors.ValidationError),
        ("x", f"/{'p' * 250}/", errors.InvalidInputException),
        ("a b", "/", errors.ValidationError),
    ],
)
def test_a_serial_number_that_could_not_be_sent_is_not_given(
    world: World, name: str, path: str, kind: type[errors.ServiceException]
) -> None:
    world.refusal(world.root, mfa.CreateVirtualMFADeviceCommand(virtual_mfa_device_name=name, path=path), kind)
    assert listed(world) == {}


def test_an_account_has_as_many_devices_as_it_may_have_users(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    new_phone(world)
    monkeypatch.setattr("locum.server.iam.mfa.limit", lambda account, name: 1)
    command = mfa.CreateVirtualMFADeviceCommand(virtual_mfa_device_name="second")
    refused = world.refusal(world.root, command, errors.LimitExceededException)
    assert refused == "Cannot exceed quota for VirtualMFADevicesPerAccount: 1"


@pytest.mark.facts("IAM-MFA-005", "STS-MFA-011")
@pytest.mark.parametrize("drift", [-998, -20, 0, 3, 1_000])
def test_two_consecutive_codes_enable_a_device_and_its_drift_is_kept(world: World, drift: int) -> None:
    world.user("alice")
    phone_of(world, "alice", drift=drift)
    assert of(world, "alice") == ["phone"]
    assert device(world).drift == drift


@pytest.mark.facts("IAM-MFA-006", "IAM-MFA-005")
@pytest.mark.parametrize(
    ("first", "second"), [(0, -1), (0, 0), (-1, 1), (2_000, 2_001), (-1_003, -1_002), (None, 0), (-1, None)]
)
def test_wrong_codes_do_not_enable_a_device(world: World, first: int | None, second: int | None) -> None:
    world.user("alice")
    phone = new_phone(world)
    codes = ["000000" if away is None else phone.code(world, away) for away in (first, second)]
    command = mfa.EnableMFADeviceCommand(
        user_name="alice",
        serial_number=phone.serial,
        authentication_code1=Secret(codes[0]),
        authentication_code2=Secret(codes[1]),
    )
    assert world.refusal(world.root, command, errors.InvalidAuthenticationCodeException) == WRONG
    assert of(world, "alice") == []


@pytest.mark.facts("IAM-MFA-006")
@pytest.mark.parametrize("user", ["alice", "bob"])
def test_a_device_in_use_cannot_be_enabled_again(world: World, user: str) -> None:
    world.user("alice")
    world.user("bob")
    phone = phone_of(world, "alice")
    command = mfa.EnableMFADeviceCommand(user_name=user, **phone.pair(world))
    refused = world.refusal(world.root, command, errors.EntityAlreadyExistsException)
    assert (
        refused
        == {
            "alice": "MFA Device for user alice already exists.",
            "bob": "MFA Device is already in use.",
        }[user]
    )


@pytest.mark.facts("IAM-MFA-007")
@pytest.mark.parametrize(
    "kind", [mfa.EnableMFADeviceCommand, mfa.DeactivateMFADeviceCommand, mfa.ResyncMFADeviceCommand]
)
def test_an_unknown_user_is_reported_before_an_unknown_device(world: World, kind: Any) -> None:
    more = Phone(SERIAL, b"seed").pair(world)
    if kind is mfa.DeactivateMFADeviceCommand:
        more = {"serial_number": SERIAL}
    refused = world.refusal(world.root, kind(user_name="nobody", **more), errors.NoSuchEntityException)
    assert refused == "The user with name nobody cannot be found."
    world.user("nobody")
    assert world.refusal(world.root, kind(user_name="nobody", **more), errors.NoSuchEntityException) == unknown(SERIAL)


@pytest.mark.facts("IAM-MFA-007")
@pytest.mark.parametrize(
    "serial",
    [
        SERIAL,
        "GAHT12345678",
        f"arn:aws:iam::{ACCOUNT}:mfa/PHONE",
        f"arn:aws:iam::{ACCOUNT}:mfa/x/phone",
        f"arn:aws:iam::{ACCOUNT}:user/phone",
        f"arn:aws:iam::{OTHER}:mfa/phone",
        f"arn:aws:iam::{ACCOUNT}:mfa/",
    ],
)
def test_a_device_is_found_by_its_very_serial_number_only(world: World, serial: str) -> None:
    other = world.account(OTHER)
    if serial != SERIAL:
        new_phone(world)
        new_phone(world, root=other)
    for command in (
        mfa.DeleteVirtualMFADeviceCommand(serial_number=serial),
        mfa.ListMFADeviceTagsCommand(serial_number=serial),
        mfa.UntagMFADeviceCommand(serial_number=serial, tag_keys=("a",)),
        mfa.TagMFADeviceCommand(serial_number=serial, tags=(types.Tag(key="a", value="b"),)),
        mfa.DeactivateMFADeviceCommand(serial_number=serial),
    ):
        assert world.refusal(world.root, command, errors.NoSuchEntityException) == unknown(serial)


@pytest.mark.facts("IAM-MFA-010", "STS-MFA-012", "POL-LM-009")
def test_a_user_has_eight_devices_and_any_of_them_may_be_named(world: World) -> None:
    alice = world.user("alice")
    phones = [phone_of(world, "alice", f"phone-{number}") for number in range(8)]
    ninth = new_phone(world, "phone-9")
    command = mfa.EnableMFADeviceCommand(user_name="alice", **ninth.pair(world))
    refused = world.refusal(world.root, command, errors.LimitExceededException)
    assert refused == "Cannot exceed quota for MFADevicesPerUser: 8"
    for phone in phones:
        world.call(alice, sts.GetSessionTokenCommand(**phone.proof(world)))
    world.refusal(alice, sts.GetSessionTokenCommand(**ninth.proof(world)), errors.AccessDenied)


@pytest.mark.facts("IAM-MFA-002")
def test_virtual_devices_are_listed_by_assignment(world: World) -> None:
    world.user("alice")
    world.call(world.root, users.TagUserCommand(user_name="alice", tags=(types.Tag(key="team", value="blue"),)))
    phone_of(world, "alice", "used")
    new_phone(world, "free")
    assert set(listed(world)) == set(listed(world, "Any")) == {"used", "free"}
    assert set(listed(world, "Unassigned")) == {"free"}
    (used,) = listed(world, "Assigned").values()
    assert used.user is not None
    assert (used.user.user_name, used.user.arn) == ("alice", f"arn:aws:iam::{ACCOUNT}:user/alice")
    assert used.user.tags is None
    assert used.enable_date is not None
    assert used.enable_date.timestamp() == START
    assert (used.base32_string_seed, used.qrcode_png, used.tags) == (None, None, None)
    free = listed(world)["free"]
    assert (free.user, free.enable_date) == (None, None)


@pytest.mark.facts("IAM-GEN-050", "IAM-GEN-053")
def test_devices_are_listed_in_pages(world: World) -> None:
    world.user("alice")
    for name in ("c", "a", "B"):
        phone_of(world, "alice", name)
    names: list[str] = []
    own: list[str] = []
    marker = None
    for _ in range(2):
        answer = world.call(world.root, mfa.ListVirtualMFADevicesCommand(max_items=2, marker=marker))
        names += [each.serial_number[-1] for each in answer.virtual_mfa_devices]
        marker = answer.marker
    assert marker is None
    for _ in range(2):
        page = world.call(world.root, mfa.ListMFADevicesCommand(user_name="alice", max_items=2, marker=marker))
        own += [each.serial_number[-1] for each in page.mfa_devices]
        marker = page.marker
    assert names == own == ["a", "B", "c"]


@pytest.mark.facts("IAM-MFA-008", "IAM-GEN-073")
def test_without_a_name_the_own_devices_are_meant(world: World) -> None:
    own = document(Effect="Allow", Action="iam:*MFA*", Resource=f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}")
    alice = world.user("alice", own)
    world.user("bob")
    phone = phone_of(world, "alice")
    phone_of(world, "bob", "other")
    (shown,) = world.call(alice, mfa.ListMFADevicesCommand()).mfa_devices
    assert (shown.user_name, shown.serial_number) == ("alice", phone.serial)
    assert shown.enable_date.timestamp() == START
    world.refusal(alice, mfa.ListMFADevicesCommand(user_name="bob"), errors.AccessDenied)
    proved = session_token(world, alice, phone)
    world.call(proved, mfa.DeactivateMFADeviceCommand(serial_number=phone.serial))
    assert of(world, "alice") == []


@pytest.mark.facts("IAM-MFA-011")
def test_the_operation_that_tells_of_fido_keys_takes_no_virtual_device(world: World) -> None:
    world.user("alice")
    phone = phone_of(world, "alice")
    command = mfa.GetMFADeviceCommand(serial_number=phone.serial, user_name="alice")
    assert world.refusal(world.root, command, errors.ValidationError) == (
        "The MFA device serial number sent in the request is invalid or not supported by this API. Currently, only "
        "hardware FIDO security keys are supported. Please use the compatible device or API."
    )
    nobody = mfa.GetMFADeviceCommand(serial_number=phone.serial, user_name="nobody")
    assert world.refusal(world.root, nobody, errors.NoSuchEntityException) == (
        "The user with name nobody cannot be found."
    )


@pytest.mark.facts("IAM-MFA-007")
@pytest.mark.parametrize("held", [False, True])
def test_a_device_of_somebody_else_or_of_nobody_is_invalid_for_the_user(world: World, held: bool) -> None:
    world.user("alice")
    world.user("bob")
    phone = new_phone(world)
    if held:
        enable(world, phone, "bob")
    for command in (
        mfa.DeactivateMFADeviceCommand(user_name="alice", serial_number=phone.serial),
        mfa.ResyncMFADeviceCommand(user_name="alice", **phone.pair(world)),
    ):
        assert world.refusal(world.root, command, errors.NoSuchEntityException) == "MFA Device invalid for user."


@pytest.mark.facts("IAM-MFA-012", "STS-MFA-002")
@pytest.mark.parametrize("name", ["root-account-mfa-device", "roots-phone"])
def test_root_has_devices_of_its_own(world: World, name: str) -> None:
    phone = enable(world, new_phone(world, name), ACCOUNT)
    assert phone.serial == f"arn:aws:iam::{ACCOUNT}:mfa/{name}"
    assert of(world, None) == [name]
    (shown,) = listed(world, "Assigned").values()
    assert shown.user is not None
    assert (shown.user.arn, shown.user.user_id) == (f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    assert world.call(world.root, sts.GetSessionTokenCommand(**phone.proof(world))).credentials is not None
    drifted = phone._replace(drift=7)
    world.call(world.root, mfa.ResyncMFADeviceCommand(user_name=ACCOUNT, **drifted.pair(world)))
    assert device(world, name).drift == 7
    world.call(world.root, mfa.DeactivateMFADeviceCommand(serial_number=phone.serial))
    assert of(world, None) == []


def test_only_root_calls_root_by_the_account_id_and_a_user_of_that_name_comes_first(world: World) -> None:
    admin = world.user("admin", document(Effect="Allow", Action="*", Resource="*"))
    phone = new_phone(world)
    command = mfa.EnableMFADeviceCommand(user_name=ACCOUNT, **phone.pair(world))
    world.refusal(admin, command, errors.NoSuchEntityException)
    world.user(ACCOUNT)
    enable(world, phone, ACCOUNT)
    assert of(world, ACCOUNT) == ["phone"]
    assert of(world, None) == []


@pytest.mark.facts("IAM-MFA-009")
def test_a_device_in_use_cannot_be_deleted(world: World) -> None:
    world.user("alice")
    phone = phone_of(world, "alice")
    command = mfa.DeleteVirtualMFADeviceCommand(serial_number=phone.serial)
    refused = world.refusal(world.root, command, errors.DeleteConflictException)
    assert refused == "MFA VirtualDevice in use. Must deactivate first."
    world.call(world.root, mfa.DeactivateMFADeviceCommand(user_name="alice", serial_number=phone.serial))
    assert set(listed(world, "Unassigned")) == {"phone"}
    world.call(world.root, command)
    assert listed(world) == {}
    assert world.refusal(world.root, command, errors.NoSuchEntityException) == unknown(phone.serial)


def remove(world: World, phone: Phone) -> None:
    world.call(world.root, mfa.DeactivateMFADeviceCommand(user_name="alice", serial_number=phone.serial))
    world.call(world.root, mfa.DeleteVirtualMFADeviceCommand(serial_number=phone.serial))


def left(world: World) -> list[str]:
    """The names under which something is kept of what was tried or spent."""
    with world.store.snapshot() as rows:
        return [each.record.name for each in Records(rows).each(MfaCodes, ACCOUNT)]


def test_a_deleted_device_leaves_nothing_behind_and_a_new_one_of_its_name_has_another_seed(world: World) -> None:
    alice = world.user("alice")
    phone = phone_of(world, "alice")
    world.call(alice, sts.GetSessionTokenCommand(**phone.proof(world)))
    world.now += WINDOW_SECONDS
    remove(world, phone)
    assert left(world) == []
    again = phone_of(world, "alice")
    assert again.serial == phone.serial
    assert again.seed != phone.seed
    world.refusal(alice, sts.GetSessionTokenCommand(**phone.proof(world)), errors.AccessDenied)
    world.call(alice, sts.GetSessionTokenCommand(**again.proof(world)))


@pytest.mark.facts("STS-MFA-009", "STS-MFA-006", "R10")
def test_deleting_a_device_gives_its_name_no_new_tries_and_all_new_codes(world: World) -> None:
    alice = world.user("alice")
    world.now = (int(world.now) // WINDOW_SECONDS + 1) * WINDOW_SECONDS
    phone = phone_of(world, "alice")
    world.call(alice, sts.GetSessionTokenCommand(**phone.proof(world)))
    wrong = sts.GetSessionTokenCommand(serial_number=phone.serial, token_code=Secret("000000"))
    for _ in range(MAXIMUM_TRIES - 2):
        world.refusal(alice, wrong, errors.AccessDenied)
    remove(world, phone)
    again = phone_of(world, "alice")
    # The code of a step that was spent with the old seed is another one now.
    world.call(alice, sts.GetSessionTokenCommand(**again.proof(world)))
    refused = world.refusal(alice, sts.GetSessionTokenCommand(**again.proof(world, 1)), errors.AccessDenied)
    assert refused.startswith("MultiFactorAuthentication failed, unable to validate MFA code.")
    remove(world, again)
    assert left(world) == ["phone"]
    world.now += WINDOW_SECONDS
    last = phone_of(world, "alice")
    world.call(alice, sts.GetSessionTokenCommand(**last.proof(world)))


def test_what_was_tried_with_deleted_devices_is_dropped_with_a_later_one(world: World) -> None:
    alice = world.user("alice")
    for name in ("one", "two"):
        phone = phone_of(world, "alice", name)
        world.call(alice, sts.GetSessionTokenCommand(**phone.proof(world)))
        remove(world, phone)
    assert left(world) == ["one", "two"]
    world.now += WINDOW_SECONDS
    remove(world, phone_of(world, "alice", "three"))
    assert left(world) == []


@pytest.mark.facts("IAM-USR-004", "IAM-GEN-070")
def test_a_user_with_a_device_cannot_be_deleted(world: World) -> None:
    alice = world.user("alice")
    phone = phone_of(world, "alice")
    command = users.DeleteUserCommand(user_name="alice")
    # Devices are reported before keys.
    refused = world.refusal(world.root, command, errors.DeleteConflictException)
    assert refused == "Cannot delete entity, must remove tokens from principal first."
    world.call(world.root, access_keys.DeleteAccessKeyCommand(user_name="alice", access_key_id=alice.access_key_id))
    assert world.refusal(world.root, command, errors.DeleteConflictException) == refused
    world.call(world.root, mfa.DeactivateMFADeviceCommand(user_name="alice", serial_number=phone.serial))
    world.call(world.root, command)


@pytest.mark.facts("IAM-USR-003")
def test_a_renamed_user_keeps_its_devices(world: World) -> None:
    alice = world.user("alice")
    phone = phone_of(world, "alice")
    world.call(world.root, users.UpdateUserCommand(user_name="alice", new_user_name="alicia"))
    assert of(world, "alicia") == ["phone"]
    world.call(alice, sts.GetSessionTokenCommand(**phone.proof(world)))


@pytest.mark.facts("IAM-MFA-011")
def test_a_device_whose_clock_went_wrong_is_good_again_after_resync(world: World) -> None:
    alice = world.user("alice")
    phone = phone_of(world, "alice")._replace(drift=40)
    world.refusal(alice, sts.GetSessionTokenCommand(**phone.proof(world)), errors.AccessDenied)
    command = mfa.ResyncMFADeviceCommand(user_name="alice", **phone.pair(world))
    world.call(world.root, command)
    world.call(alice, sts.GetSessionTokenCommand(**phone.proof(world)))
    before = device(world)
    wrong = mfa.ResyncMFADeviceCommand(user_name="alice", **phone._replace(seed=b"other").pair(world))
    assert world.refusal(world.root, wrong, errors.InvalidAuthenticationCodeException) == WRONG
    assert device(world) == before


@pytest.mark.facts("R41")
@pytest.mark.parametrize("how", ["resync", "enable"])
@pytest.mark.parametrize(("away", "good"), [(-3, False), (-1, False), (0, False), (1, False), (2, True), (9, True)])
def test_a_pair_of_codes_must_be_newer_than_the_pair_before(world: World, how: str, away: int, good: bool) -> None:
    world.user("alice")
    world.user("bob")
    phone = phone_of(world, "alice")
    command: Any = mfa.ResyncMFADeviceCommand(user_name="alice", **phone.pair(world, away))
    if how == "enable":
        world.call(world.root, mfa.DeactivateMFADeviceCommand(user_name="alice", serial_number=phone.serial))
        command = mfa.EnableMFADeviceCommand(user_name="bob", **phone.pair(world, away))
    if good:
        world.call(world.root, command)
        assert device(world).drift == away
    else:
        assert world.refusal(world.root, command, errors.InvalidAuthenticationCodeException) == WRONG
        assert device(world).drift == 0


@pytest.mark.facts("R10")
@pytest.mark.parametrize("enabled", [False, True])
def test_pairs_of_codes_cannot_be_guessed_for_long(world: World, enabled: bool) -> None:
    alice = world.user("alice")
    phone = new_phone(world)
    kind: Any = mfa.EnableMFADeviceCommand
    if enabled:
        enable(world, phone, "alice")
        kind = mfa.ResyncMFADeviceCommand
        world.now += 180
    wrong = kind(user_name="alice", **phone._replace(seed=b"other").pair(world))
    for _ in range(MAXIMUM_TRIES):
        world.refusal(world.root, wrong, errors.InvalidAuthenticationCodeException)
    right = kind(user_name="alice", **phone.pair(world))
    assert world.refusal(world.root, right, errors.Throttling) == "Rate exceeded"
    if enabled:
        # The sign-ins of whoever holds the device are not used up.
        world.call(alice, sts.GetSessionTokenCommand(**phone.proof(world)))
    world.now += 180
    world.call(world.root, kind(user_name="alice", **phone.pair(world)))


@pytest.mark.facts("R10")
def test_whoever_may_not_enable_a_device_uses_up_none_of_its_tries(world: World) -> None:
    nobody = world.user("nobody")
    phone = new_phone(world)
    command = mfa.EnableMFADeviceCommand(user_name="nobody", **phone.pair(world))
    for _ in range(MAXIMUM_TRIES):
        world.refusal(nobody, command, errors.AccessDenied)
    world.call(world.root, command)


@pytest.mark.facts("IAM-GEN-061", "IAM-GEN-062", "IAM-GEN-063", "IAM-GEN-064")
def test_a_device_has_tags(world: World) -> None:
    command = mfa.CreateVirtualMFADeviceCommand(
        virtual_mfa_device_name="phone", tags=(types.Tag(key="a", value="1"), types.Tag(key="A", value="2"))
    )
    made = world.call(world.root, command).virtual_mfa_device
    assert {tag.key: tag.value for tag in made.tags or ()} == {"a": "1", "A": "2"}

    def tags() -> dict[str, str]:
        answer = world.call(world.root, mfa.ListMFADeviceTagsCommand(serial_number=SERIAL))
        return {tag.key: tag.value for tag in answer.tags}

    world.call(world.root, mfa.TagMFADeviceCommand(serial_number=SERIAL, tags=(types.Tag(key="a", value=""),)))
    assert tags() == {"a": "", "A": "2"}
    world.call(world.root, mfa.UntagMFADeviceCommand(serial_number=SERIAL, tag_keys=("a", "unknown")))
    assert tags() == {"A": "2"}
    twice = mfa.TagMFADeviceCommand(serial_number=SERIAL, tags=(types.Tag(key="x", value=""),) * 2)
    assert world.refusal(world.root, twice, errors.InvalidInputException) == "Duplicate tag keys found."
    many = tuple(types.Tag(key=f"k{number}", value="") for number in range(50))
    world.refusal(world.root, mfa.TagMFADeviceCommand(serial_number=SERIAL, tags=many), errors.LimitExceededException)
    assert tags() == {"A": "2"}


def test_permission_is_asked_for_the_device_with_its_tags(world: World) -> None:
    mine = document(
        Effect="Allow",
        Action=["iam:DeleteVirtualMFADevice", "iam:ListMFADeviceTags"],
        Resource=f"arn:aws:iam::{ACCOUNT}:mfa/team/*",
        Condition={"StringEquals": {"aws:ResourceTag/team": "blue"}},
    )
    alice = world.user("alice", mine)
    for name, path, team in (("a", "/team/", "blue"), ("b", "/team/", "red"), ("c", "/", "blue")):
        world.call(
            world.root,
            mfa.CreateVirtualMFADeviceCommand(
                virtual_mfa_device_name=name, path=path, tags=(types.Tag(key="team", value=team),)
            ),
        )
        command = mfa.DeleteVirtualMFADeviceCommand(serial_number=f"arn:aws:iam::{ACCOUNT}:mfa{path}{name}")
        if name == "a":
            world.call(alice, command)
        else:
            world.refusal(alice, command, errors.AccessDenied)


@pytest.mark.facts("R12")
def test_a_device_of_another_account_is_like_none(world: World) -> None:
    other = world.account(OTHER)
    phone = new_phone(world)
    world.user("alice")
    enable(world, phone, "alice")
    for serial in (phone.serial, f"arn:aws:iam::{ACCOUNT}:mfa/none"):
        for command in (
            mfa.DeleteVirtualMFADeviceCommand(serial_number=serial),
            mfa.DeactivateMFADeviceCommand(serial_number=serial),
            mfa.ListMFADeviceTagsCommand(serial_number=serial),
        ):
            assert world.refusal(other, command, errors.NoSuchEntityException) == unknown(serial)
    assert of(world, "alice") == ["phone"]
    answer = world.call(other, mfa.ListVirtualMFADevicesCommand())
    assert answer.virtual_mfa_devices == ()
