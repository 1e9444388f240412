"""The credential report: made once in four hours at most, and kept as it was (IAM-ACC-005…007)."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from locum import arn
from locum.api.iam import credential_report as api
from locum.core.account_records import CredentialReport, LoginProfile
from locum.core.records import AccessKey, Account, User
from locum.errors import CredentialReportExpiredException, CredentialReportNotPresentException
from locum.server.account_settings import settings_of
from locum.server.handlers import Call, handles
from locum.server.iam.answers import moment
from locum.store.records import Records, Stored

__all__ = ["COLUMNS", "generate_credential_report", "get_credential_report"]

_NAME: Final = "newest"
_FRESH_SECONDS: Final = 4 * 3_600
_DAY: Final = 86_400
_KEYS: Final = 2
_NONE: Final = "N/A"
_UNKNOWN: Final = "no_information"
_UNSUPPORTED: Final = "not_supported"
_OF_KEY: Final = ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")

COLUMNS: Final = (
    *("user", "arn", "user_creation_time"),
    *("password_enabled", "password_last_used", "password_last_changed", "password_next_rotation", "mfa_active"),
    *(f"access_key_{number}_{what}" for number in (1, 2) for what in _OF_KEY),
    *(f"cert_{number}_{what}" for number in (1, 2) for what in ("active", "last_rotated")),
)
"""The columns in order (IAM-ACC-007)."""


def _time(seconds: int) -> str:
    return moment(seconds).isoformat().replace("+00:00", "Z")


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _profile(call: Call[Any], owner: str) -> LoginProfile | None:
    stored = call.records.get(LoginProfile, call.account, owner)
    return None if stored is None else stored.record


def _password(profile: LoginProfile | None, maximum_age: int) -> tuple[str, str, str, str]:
    """Whether there is a password, its last use, its last change, and when the next one is due."""
    if profile is None:
        return "false", _NONE, _NONE, _NONE
    due = _time(profile.changed + maximum_age * _DAY) if maximum_age else _NONE
    # Nobody signs in with a password here, so that none was ever used.
    return "true", _UNKNOWN, _time(profile.changed), due


def _keys(call: Call[Any], owner: str) -> Iterator[str]:
    found = (call.records.get(AccessKey, "", key.name) for key in call.records.found("key-owner", owner))
    keys = sorted((stored.record for stored in found if stored is not None), key=lambda key: (key.created, key.id))
    for key in keys[:_KEYS]:
        use = call.usage.last(call.records, key.id)
        yield from (_truth(key.active), _time(key.created))
        yield from (_NONE,) * 3 if use is None else (_time(use.used), use.region, use.service)
    for _ in range(_KEYS - len(keys)):
        yield from ("false", *[_NONE] * 4)


def _row(
    call: Call[Any], name: str, shown_arn: str, created: int, owner: str, password: tuple[str, str, str, str]
) -> Sequence[str]:
    has_device = bool(call.records.found("mfa-owner", owner, limit=1))
    no_certificates = ("false", _NONE) * 2
    return (name, shown_arn, _time(created), *password, _truth(has_device), *_keys(call, owner), *no_certificates)


def _rows(call: Call[Any]) -> Iterator[Sequence[str]]:
    yield COLUMNS
    account: Account = call.account_record
    # Root's password does not grow old.
    root = (*_password(_profile(call, call.account), 0)[:3], _UNSUPPORTED)
    yield _row(
        call, "<root_account>", arn.account_root(call.partition, call.account), account.created, call.account, root
    )
    rules = settings_of(call).passwords
    for stored in call.records.each(User, call.account):
        user = stored.record
        password = _password(_profile(call, user.id), 0 if rules is None else rules.maximum_age)
        yield _row(call, user.name, user.arn(call.partition), user.created, user.id, password)


def _newest(records: Records, account: str) -> Stored[CredentialReport] | None:
    return records.get(CredentialReport, account, _NAME)


def _is_fresh(call: Call[Any], report: CredentialReport) -> bool:
    return call.now < report.generated + _FRESH_SECONDS


def _make(call: Call[api.GenerateCredentialReportCommand]) -> CredentialReport | None:
    """A new report where one is due, from what is committed: the writers need not wait for it."""
    newest = _newest(call.records, call.account)
    if newest is not None and _is_fresh(call, newest.record):
        return None
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(_rows(call))
    text = table.getvalue().removesuffix("\n")
    return CredentialReport(account=call.account, generated=int(call.now), content=zlib.compress(text.encode()))


@handles(api.GenerateCredentialReportCommand, once=_make)
def generate_credential_report(call: Call[api.GenerateCredentialReportCommand]) -> api.GenerateCredentialReportResponse:
    """Begin a report, or tell that the last one is still fresh (IAM-ACC-005)."""
    newest = _newest(call.records, call.account)
    if newest is not None and _is_fresh(call, newest.record):
        return api.GenerateCredentialReportResponse(state="COMPLETE")
    made: CredentialReport | None = call.prepared
    if made is None:
        return api.GenerateCredentialReportResponse(state="INPROGRESS")
    if newest is None:
        call.records.create(made)
        reason = "No report exists."
    else:
        call.records.replace(newest, made)
        reason = "The last report is more than four hours old."
    return api.GenerateCredentialReportResponse(
        state="STARTED", description=f"{reason} Starting a new report generation task"
    )


@handles(api.GetCredentialReportCommand)
def get_credential_report(call: Call[api.GetCredentialReportCommand]) -> api.GetCredentialReportResponse:
    """The newest report, while it is fresh (IAM-ACC-006)."""
    newest = _newest(call.records, call.account)
    if newest is None:
        raise CredentialReportNotPresentException
    if not _is_fresh(call, newest.record):
        raise CredentialReportExpiredException(
            "The credential report has expired. GenerateCredentialReport makes a new one."
        )
    return api.GetCredentialReportResponse(
        content=zlib.decompress(newest.record.content),
        report_format="text/csv",
        generated_time=moment(newest.record.generated),
    )
