"""One-time codes against the devices in the store: verified, counted and spent (sts.md section 10, R10, R41).

The whole installation shares the counts and the spent codes: they are one quiet record for each device, and each
verification is one conditional write of it.  Nothing is counted against a device that is not the caller's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from locum.arn import Arn
from locum.core import totp
from locum.core.records import MfaCodes, MfaDevice, encode
from locum.core.sealing import Vault
from locum.core.session import CallerKind
from locum.errors import AccessDenied, ServiceUnavailable, Throttling
from locum.secret import Secret
from locum.server.handlers import Call
from locum.store import Key, Locked, Store, Transaction
from locum.store.records import Records, Stored

__all__ = [
    "MAXIMUM_TRIES",
    "WINDOW_SECONDS",
    "count_pair",
    "find_device",
    "forget",
    "open_seed",
    "seal_seed",
    "verify",
]

MAXIMUM_TRIES: Final = 9
"""Verifications of a device in one time window, right ones included (STS-MFA-009)."""

WINDOW_SECONDS: Final = 180
"""Length of a time window; the windows stand fixed in UTC."""

_PURPOSE: Final = "mfa-device"
_KINDS: Final = frozenset({CallerKind.USER, CallerKind.USER_SESSION, CallerKind.ROOT})
"""Callers that can have a device (STS-AR-027)."""

_INCOMPLETE: Final = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
_UNABLE: Final = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  "
    "Please verify your MFA serial number is valid and associated with this user."
)
_INVALID: Final = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
"""AWS's own, with the blank at its end."""


def find_device(records: Records, account: str, partition: str, serial_number: str) -> Stored[MfaDevice] | None:
    """The account's device whose serial number is exactly this ARN, path and case included."""
    try:
        parsed = Arn.parse(serial_number)
    except ValueError:
        return None
    _, name = parsed.path_and_name
    if parsed.account != account or parsed.kind != MfaDevice.kind or not name:
        return None
    stored = records.get(MfaDevice, account, name)
    return stored if stored is not None and stored.record.arn(partition) == serial_number else None


def seal_seed(vault: Vault, account: str, name: str, seed: bytes, nonce: bytes) -> bytes:
    """A device's TOTP key as the store keeps it (R44); ``nonce`` is 12 fresh random bytes."""
    return vault.wrap(seed, purpose=_PURPOSE, name=f"{account}/{name.lower()}", nonce=nonce)


def open_seed(vault: Vault, device: MfaDevice) -> bytes:
    """A device's TOTP key."""
    return vault.unwrap(device.seed, purpose=_PURPOSE, name=f"{device.account}/{device.name.lower()}")


def verify(call: Call[Any], serial_number: str | None, token_code: Secret | None) -> int:
    """When the caller proved to hold its MFA device, in epoch seconds: now; the code is spent with that.

    Raises AccessDenied in AWS's words: half of the pair (STS-MFA-010); a device that is not there, not the caller's or
    tried too often (STS-MFA-008, STS-MFA-009); a wrong or a spent code, which look alike (STS-MFA-007).  Miss on the
    event loop, before anything was read: this writes.
    """
    if serial_number is None or token_code is None:
        raise AccessDenied(_INCOMPLETE)
    store = call.store
    # Whoever has nothing to gain gets no turn to write.
    with store.snapshot() as rows:
        records = Records(rows)
        device = _own_device(records, call, serial_number)
        if device is None or _codes(records, device, call.now).record.tries >= MAXIMUM_TRIES:
            raise AccessDenied(_UNABLE)
    with _turn(store) as transaction:
        device = _own_device(Records(transaction), call, serial_number)
        refusal = _UNABLE if device is None else _spend(call, transaction, device, token_code)
    if refusal is not None:
        call.attempts.failed(call.peer, call.caller.access_key_id, call.now)
        raise AccessDenied(refusal)
    return int(call.now)


def count_pair(call: Call[Any], device: MfaDevice) -> None:
    """Count a pair of codes that enables or resynchronizes a device; Throttling beyond what one may try (R10).

    Two codes right out of two thousand pairs would be worth guessing if it cost nothing.  They have a count of their
    own, so that nobody who sets up a device uses up the sign-ins of the next minutes.
    """
    with _turn(call.store) as transaction:
        codes = _codes(Records(transaction), device, call.now)
        if codes.record.pairs >= MAXIMUM_TRIES:
            raise Throttling("Rate exceeded")
        _write(transaction, codes, pairs=codes.record.pairs + 1)


def forget(records: Records, device: MfaDevice, now: float) -> None:
    """Drop what was spent of a device, within the transaction that deletes it, and what was tried in past windows.

    What was tried in this one counts for the next device of that name, too (STS-MFA-009): deleting gives no new tries.
    """
    window = int(now) // WINDOW_SECONDS
    for key in records.found("mfa-retired", device.account):
        old = records.get(MfaCodes, key.account, key.name)
        if old is not None and old.record.window < window:
            records.delete(old)
    stored = records.get(MfaCodes, device.account, device.name)
    if stored is None:
        return
    if stored.record.window < window or not stored.record.tries:
        records.delete(stored)
    else:
        records.change(stored, spent=(), pairs=0, retired=True)


def _own_device(records: Records, call: Call[Any], serial_number: str) -> MfaDevice | None:
    caller = call.caller
    if caller.kind not in _KINDS:
        return None
    stored = find_device(records, caller.account, caller.partition, serial_number)
    return stored.record if stored is not None and stored.record.owner == caller.principal_id else None


def _codes(records: Records, device: MfaDevice, now: float) -> Stored[MfaCodes]:
    """What was spent of a device, and tried in the window of ``now``; version 0 where there is no record yet."""
    window = int(now) // WINDOW_SECONDS
    stored = records.get(MfaCodes, device.account, device.name)
    if stored is None:
        return Stored(MfaCodes(account=device.account, name=device.name, window=window), 0)
    # A request that took its time must not bring back a window that is over, and with it a new set of tries.
    if window <= stored.record.window:
        return stored
    return Stored(msgspec.structs.replace(stored.record, window=window, tries=0, pairs=0), stored.version)


def _spend(call: Call[Any], transaction: Transaction, device: MfaDevice, token_code: Secret) -> str | None:
    """Count a verification and, where it succeeds, spend the code, in one write; why it fails, or None."""
    codes = _codes(Records(transaction), device, call.now)
    if codes.record.tries >= MAXIMUM_TRIES:
        return _UNABLE
    step = totp.step_at(call.now)
    matches = totp.matching_steps(open_seed(call.vault, device), token_code.reveal(), step + device.drift)
    spent = codes.record.spent
    accepted = bool(matches) and not any(each in spent for each in matches)
    if accepted:
        # What is older than this no drift can bring back, whatever becomes of the device's.
        oldest = step - totp.BACKWARD - totp.WINDOW
        spent = (*(each for each in spent if each >= oldest), *matches)
    _write(transaction, codes, tries=codes.record.tries + 1, spent=spent)
    return None if accepted else _INVALID


def _write(transaction: Transaction, stored: Stored[MfaCodes], **changes: Any) -> None:
    record = msgspec.structs.replace(stored.record, retired=False, **changes)
    transaction.put(Key(*record.key), encode(record), expect=stored.version, quiet=True)


@contextmanager
def _turn(store: Store) -> Iterator[Transaction]:
    try:
        with store.transaction() as transaction:
            yield transaction
    except Locked:
        raise ServiceUnavailable("The store is busy with other changes. Try again.") from None
