"""Refusing what is beyond a quota; the quotas themselves, and each account's own, are in :mod:`locum.core.limits`."""

from __future__ import annotations

from typing import Any

from locum.core.limits import limit
from locum.errors import LimitExceededException
from locum.server.handlers import Call

__all__ = ["check_quota", "most"]


def most(call: Call[Any], quota: str) -> int:
    """The most that a quota allows in the account that the call acts in."""
    return limit(call.account_record, quota)


def check_quota(call: Call[Any], quota: str, amount: int) -> None:
    """LimitExceeded, in AWS's words, where ``amount`` is more than a quota allows (IAM-GEN-072)."""
    allowed = most(call, quota)
    if amount > allowed:
        raise LimitExceededException(f"Cannot exceed quota for {quota}: {allowed}")
