"""``locum sessions``: end sessions before their time."""

from __future__ import annotations

import time
from typing import Any

import click

from locum.arn import Arn, is_account_id
from locum.cli.moments import moment
from locum.cli.options import as_json, data_options, opened, settings_from
from locum.cli.report import instant, result, table
from locum.core.records import Account, Revocation
from locum.core.revocation import EVERY_ACCOUNT
from locum.errors import LimitExceededException, NoSuchEntityException, ValidationError
from locum.server.config import Problem, Refused
from locum.server.revocations import (
    Sessions,
    in_force,
    of_principal,
    of_session,
    of_source_identity,
    revoke,
)
from locum.store.records import Records

__all__ = ["command"]


@click.group("sessions", no_args_is_help=True)
def command() -> None:
    """Sessions: revoke them, and show what was revoked. A running server follows with its next request."""


@data_options
@command.command("revoke")
@click.option("--session", metavar="ACCESS_KEY_ID", help="This session, or what this long-term key led to.")
@click.option("--role", metavar="ARN", help="The sessions of this role.")
@click.option(
    "--principal", metavar="ARN", help="The sessions of this user, role, root user, session name or federated user."
)
@click.option("--issuer", metavar="ARN", help="What the credentials of this principal led to, not its own sessions.")
@click.option("--source-identity", metavar="VALUE", help="The role sessions that carry this source identity.")
@click.option("--account", metavar="ID", help="With --source-identity: of this account only.  [default: every one]")
@click.option(
    "--before", callback=moment, metavar="TIME", help="Only sessions issued before: 2026-01-02T03:04:05Z, or 2h ago."
)
@as_json
def revoke_(
    session: str | None,
    role: str | None,
    principal: str | None,
    issuer: str | None,
    source_identity: str | None,
    account: str | None,
    before: float | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Revoke sessions at once; exactly one option says which.

    What a revoked session, role or principal led to, by assuming further roles, ends with it. Their long-term keys and
    new sessions are not affected.
    """
    naming = (session, role, principal, issuer, source_identity)
    if sum(each is not None for each in naming) != 1:
        raise click.UsageError("one of --session, --role, --principal, --issuer and --source-identity is needed")
    if account is not None and (source_identity is None or not is_account_id(account)):
        raise click.UsageError("--account is 12 digits, beside --source-identity; the others name their account")
    partition = settings_from(options).partition
    try:
        with opened(options) as data, data.store.transaction() as rows:
            records = Records(rows)
            if session is not None:
                sessions = of_session(records, session)
            elif source_identity is not None:
                sessions = of_source_identity(source_identity, _existing(records, account))
            else:
                sessions = _of_principal(records, partition, role, principal, issuer)
            made = revoke(records, sessions, before, time.time())
    except ValidationError as error:
        raise click.UsageError(error.message) from None
    except NoSuchEntityException as error:
        raise Refused(
            Problem(
                error.message,
                "sessions of what was deleted are over; name what they led to by --session or --source-identity",
            )
        ) from None
    except LimitExceededException as error:
        raise Refused(Problem(error.message, "locum sessions revocations shows when they expire")) from None
    _print([made], as_json)


def _of_principal(
    records: Records, partition: str, role: str | None, principal: str | None, issuer: str | None
) -> Sessions:
    text = role or principal or issuer or ""
    try:
        account = Arn.parse(text).account
    except ValueError:
        raise click.UsageError(f"{text!r} is not an ARN such as arn:{partition}:iam::123456789012:role/name") from None
    return of_principal(records, partition, text, account, issuer=issuer is not None, role=role is not None)


def _existing(records: Records, account: str | None) -> str:
    if account is None:
        return EVERY_ACCOUNT
    if records.get(Account, "", account) is None:
        raise Refused(Problem(f"there is no account {account!r}", "`locum account list` shows them"))
    return account


@data_options
@command.command("revocations")
@as_json
def revocations(as_json: bool, **options: Any) -> None:
    """Show every revocation that can still hit a session, oldest first."""
    with opened(options) as data, data.store.snapshot() as rows:
        found = in_force(Records(rows), time.time())
    _print(found, as_json)


def _print(found: list[Revocation], as_json: bool) -> None:
    shown = [
        {
            "subject": each.subject,
            "named": each.named,
            "account": each.account or "every",
            "before": instant(each.before),
            "expires": instant(each.expires),
        }
        for each in found
    ]
    if as_json:
        result(shown)
    else:
        table(shown)
