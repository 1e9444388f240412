"""One-time codes of MFA devices: RFC 6238 over RFC 4226, HMAC-SHA-1, 30 seconds, 6 digits (STS-MFA-004).

A *step* is the number of 30-second intervals since the epoch; a device's *drift* is how many steps its clock is ahead
of ours.  Pure: the time is an argument.  Codes are compared in constant time, and every candidate is looked at.
"""

from __future__ import annotations

import hmac
from typing import Final

__all__ = ["BACKWARD", "FORWARD", "STEP_SECONDS", "WINDOW", "code", "drift", "matching_steps", "step_at"]

STEP_SECONDS: Final = 30
"""Seconds of a step (RFC 6238, 4.1)."""

WINDOW: Final = 2
"""Steps around the device's own time in which a code is accepted (STS-MFA-005)."""

BACKWARD: Final = 998
FORWARD: Final = 1_000
"""How many steps a device's clock may be behind, or ahead, and still be found (STS-MFA-011): about eight hours."""

_MODULUS: Final = 10**6


def step_at(now: float) -> int:
    """The step at ``now`` in epoch seconds."""
    return int(now) // STEP_SECONDS


def code(seed: bytes, step: int) -> str:
    """The six digits that a device with ``seed`` shows in a step (RFC 4226, 5.3)."""
    digest = hmac.digest(seed, step.to_bytes(8, "big"), "sha1")
    offset = digest[19] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % _MODULUS:06d}"


def matching_steps(seed: bytes, given: str, step: int) -> tuple[int, ...]:
    """The steps within :data:`WINDOW` of ``step`` whose code is ``given``; empty for a wrong code.

    ``given`` is ASCII.  More than one step is a coincidence of one in a million: whoever accepts the code spends all.
    """
    steps = range(max(step - WINDOW, 0), step + WINDOW + 1)
    matches = [hmac.compare_digest(code(seed, each), given) for each in steps]
    return tuple(each for each, matched in zip(steps, matches, strict=True) if matched)


def drift(seed: bytes, first: str, second: str, step: int, after: int = 0) -> int | None:
    """How far a device's clock is ahead of ours, told by two consecutive codes that it showed; None if it showed none.

    ``second`` is taken for the code of now, at ``step``.  The whole reach is searched, and the drift nearest to none
    counts.  A pair with a code of step ``after`` or before counts for nothing, where it is not 0: a pair of codes is
    good once.  Both codes are ASCII.
    """
    steps = range(max(step - BACKWARD, after + 2 if after else 1), step + FORWARD + 1)
    if not steps:
        return None
    before = code(seed, steps[0] - 1)
    found: int | None = None
    for each in steps:
        shown = code(seed, each)
        matched = hmac.compare_digest(before, first) & hmac.compare_digest(shown, second)
        if matched and (found is None or abs(each - step) < abs(found)):
            found = each - step
        before = shown
    return found
