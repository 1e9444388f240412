"""``locum doctor``: why a token or a SAML assertion opens no session, check by check."""

from __future__ import annotations

import base64
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import click

from locum.api.extensions import (
    OK,
    DiagnoseSAMLAssertionCommand,
    DiagnoseWebIdentityTokenCommand,
    Diagnosis,
)
from locum.api.shapes import Command, violations
from locum.arn import Arn
from locum.cli.options import as_json, opened, settings_from, settings_options
from locum.cli.remedies import ASSERTION, TOKEN, remedy
from locum.cli.remote import NoAnswer, Usage, ask, endpoint, endpoint_options, printable
from locum.cli.report import complain, result
from locum.core import outbound
from locum.core.proof import Check, Trail
from locum.core.records import Account
from locum.errors import AccessDenied, ServiceException
from locum.guard.attempts import Attempts
from locum.guard.directory import Directory
from locum.policy.explanation import Explanation
from locum.policy.render import render
from locum.secret import Secret
from locum.server.data import Data
from locum.server.diagnosis import Outcome, of_assertion, of_token
from locum.server.handlers import Call
from locum.server.identifiers import new_uuid
from locum.server.issuers import fetch_keys
from locum.server.jwks import IssuerKeys, KeysNeeded
from locum.server.providers import Providers
from locum.server.usage import Usage as Uses
from locum.store.facts import Facts
from locum.store.records import Records

__all__ = ["command", "read_assertion"]

_LONGEST: Final = 1_048_576
"""Characters of a file that are read."""
_FETCHES: Final = 2
"""How often keys are fetched for one token: because there are none, and because they do not fit."""
_WIDTH: Final = 110
_DENIED: Final = 3
_DATA: Final = ("data", "wrapping_key_command", "public_url")


class _Found(NamedTuple):
    """A diagnosis, wherever it was made; ``outcome`` is :data:`OK` or the code of the error."""

    checks: list[Check]
    outcome: str
    message: str
    explanation: Explanation | None

    @property
    def passed(self) -> bool:
        return self.outcome == OK and all(each.passed for each in self.checks)


@click.group("doctor", no_args_is_help=True)
def command() -> None:
    """Say why a token or a SAML assertion opens no session: every check in order, and both compared values.

    A server does it for callers who are allowed sts:DiagnoseWebIdentityToken or sts:DiagnoseSAMLAssertion on the
    provider; --data does it on the machine itself, whether a server runs or not. The proof itself is never printed.

    Exit status 0: every check passed; 1: a check failed; 2: wrong usage; 3: the server does not let you.
    """


@settings_options(*_DATA)
@command.command("oidc")
@click.argument("token", metavar="TOKEN|@FILE|-")
@click.option("--role-arn", metavar="ARN", help="Ask this role's trust policy too, and the rules of its sessions.")
@click.option("--provider-arn", metavar="ARN", help="The provider that it should be for.  [default: by its issuer]")
@click.option("--session-name", metavar="NAME", help="Session name that the trust policy sees.  [default: doctor]")
@click.option("--duration-seconds", metavar="N", type=int, help="Seconds that the session should last.")
@endpoint_options("diagnose")
@as_json
def oidc(
    token: str,
    role_arn: str | None,
    provider_arn: str | None,
    session_name: str | None,
    duration_seconds: int | None,
    endpoint_url: str | None,
    region: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Try an OpenID Connect token as AssumeRoleWithWebIdentity would.

    Every user of the machine can see a TOKEN that stands on the command line: prefer @FILE, or - for standard input.
    """
    text = _read(token[1:] if token.startswith("@") else "-") if token[:1] in ("@", "-") else token
    asked = DiagnoseWebIdentityTokenCommand(
        web_identity_token=Secret("".join(text.split())),
        role_arn=role_arn,
        open_id_connect_provider_arn=provider_arn,
        role_session_name=session_name,
        duration_seconds=duration_seconds,
    )
    return _run(asked, TOKEN, endpoint_url, region, options, as_json=as_json)


@settings_options(*_DATA)
@command.command("saml")
@click.argument("file", metavar="FILE|-")
@click.option("--provider-arn", metavar="ARN", required=True, help="The provider that it should be of.")
@click.option("--role-arn", metavar="ARN", help="Ask this role's trust policy too, and the rules of its sessions.")
@click.option("--duration-seconds", metavar="N", type=int, help="Seconds that the session should last.")
@endpoint_options("diagnose")
@as_json
def saml(
    file: str,
    provider_arn: str,
    role_arn: str | None,
    duration_seconds: int | None,
    endpoint_url: str | None,
    region: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Try a SAML response as AssumeRoleWithSAML would.

    FILE holds it as XML, in base64, or as the form that a browser posts, SAMLResponse=…; - is standard input.
    """
    asked = DiagnoseSAMLAssertionCommand(
        principal_arn=provider_arn,
        saml_assertion=Secret(read_assertion(_read(file))),
        role_arn=role_arn,
        duration_seconds=duration_seconds,
    )
    return _run(asked, ASSERTION, endpoint_url, region, options, as_json=as_json)


def _read(name: str) -> str:
    try:
        if name == "-":
            text = sys.stdin.read(_LONGEST + 1)
        else:
            with Path(name).open(encoding="utf-8-sig") as file:
                text = file.read(_LONGEST + 1)
    except OSError as error:
        raise Usage(f"{name} cannot be read: {error.strerror}", "name a file, or - for standard input") from None
    except UnicodeDecodeError:
        raise Usage(f"{name} is not text", "it holds a token, XML or base64") from None
    if len(text) > _LONGEST:
        raise Usage(f"{name} has more than {_LONGEST} characters", "no token and no assertion has") from None
    return text


def read_assertion(text: str) -> str:
    """The base64 of a SAML response: of XML, of base64, or of a posted form with ``SAMLResponse``, encoded or not."""
    text = text.strip()
    if text.startswith("<"):
        return base64.b64encode(text.encode()).decode()
    for pair in text.split("&"):
        name, separator, value = pair.partition("=")
        if separator and name.strip() == "SAMLResponse":
            text = value
    # A plus sign is one: in a form it would stand for a space, which base64 has not.
    return "".join(unquote(text).split())


def _run(
    asked: Command[Any],
    remedies: Mapping[str, str],
    endpoint_url: str | None,
    region: str | None,
    options: dict[str, Any],
    *,
    as_json: bool,
) -> int:
    if broken := violations(asked):
        raise Usage(f"{broken[0].path}: {broken[0].constraint}", "no call to STS can have it")
    here = options.get("data") is not None or options.get("config") is not None
    if endpoint_url is not None and here:
        raise Usage("--endpoint-url excludes --data and --config", "a server has its own")
    url = None if here else endpoint(endpoint_url)
    try:
        found = _by_data(asked, options) if url is None else _by_server(asked, url, region)
    except AccessDenied as error:
        action = asked.operation.action
        complain(printable(error.message), f"an administrator of the account can allow {action} on the provider")
        return _DENIED
    except (ServiceException, NoAnswer) as error:
        hint = "is the URL right, and the server running?" if isinstance(error, NoAnswer) else "locum doctor --help"
        complain(printable(str(error)), hint)
        return 1
    hint = remedy(remedies, found.checks)
    if as_json:
        result(_document(found, hint))
    else:
        click.echo(_report(found, hint, asked))
    return 0 if found.passed else 1


# Where it is diagnosed


def _by_server(asked: Command[Any], url: str, region: str | None) -> _Found:
    answer = ask(url, asked, region)
    assert isinstance(answer, Diagnosis)
    checks = [Check(each.name, each.passed, each.expected or "", each.found or "") for each in answer.checks]
    explanation = None
    if answer.explanation is not None:
        try:
            explanation = Explanation.from_json(answer.explanation)
        except ValueError:
            raise NoAnswer(f"{url} explains in a way that this release does not know") from None
    return _Found(checks, answer.outcome, answer.message or "", explanation)


def _by_data(asked: Any, options: dict[str, Any]) -> _Found:
    """What a server of these settings would say, on its own data directory."""
    # What the log would tell of a failed fetch is among the checks.
    logging.getLogger("locum").addHandler(logging.NullHandler())
    settings = settings_from(options)
    fetched = Trail()
    keys = IssuerKeys(
        clock=time.monotonic,
        own_prefix=f"{settings.url}{outbound.PATH}",
        fetcher=lambda issuer, rules, thumbprints: fetch_keys(issuer, rules, thumbprints, trail=fetched),
    )
    providers = Providers(settings.federation, url=settings.url, keys=keys)
    with opened(options) as data:
        facts = Facts(data.store)
        account = _account(asked, data)
        for fetches in range(_FETCHES + 1):
            try:
                with facts.reading() as view:
                    call: Call[Any] = Call(
                        asked,
                        None,
                        time.time(),
                        partition=settings.partition,
                        random=os.urandom,
                        directory=Directory(view, data.vault, settings.partition),
                        vault=data.vault,
                        usage=Uses(),
                        attempts=Attempts(),
                        peer="",
                        request_id=new_uuid(),
                        providers=providers,
                        url=settings.url,
                        region=settings.region,
                        may_fetch=fetches < _FETCHES,
                    )
                    call.records_ = Records(view.rows)
                    return _told(_diagnosed(call, account, fetched))
            except KeysNeeded as need:
                fetched.checks.clear()
                keys.fetch(need)
    raise AssertionError("a call that may not fetch asks for it")


def _diagnosed(call: Call[Any], account: str, fetched: Trail) -> Outcome:
    if isinstance(call.command, DiagnoseWebIdentityTokenCommand):
        return of_token(call, account, fetched=fetched.checks)
    return of_assertion(call, account)


def _told(outcome: Outcome) -> _Found:
    error = outcome.error
    code, message = (OK, "") if error is None else (error.code, error.message)
    return _Found(list(outcome.checks), code, message, outcome.explanation)


def _account(asked: Any, data: Data) -> str:
    """The account of the role or provider that is named, else the only one that there is."""
    is_token = isinstance(asked, DiagnoseWebIdentityTokenCommand)
    named = asked.role_arn or (asked.open_id_connect_provider_arn if is_token else asked.principal_arn)
    with data.store.snapshot() as rows:
        accounts = [stored.record.id for stored in Records(rows).each(Account, "")]
    if named is not None:
        try:
            account = Arn.parse(named).account
        except ValueError:
            account = ""
        if account not in accounts:
            raise Usage(f"{named!r} is of no account here", "`locum account list` shows them")
        return account
    if len(accounts) != 1:
        raise Usage("there are several accounts", "name --role-arn or --provider-arn")
    return accounts[0]


# What is told


def _document(found: _Found, hint: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "checks": [
            {"name": each.name, "passed": each.passed, "expected": each.expected, "found": each.found}
            for each in found.checks
        ],
        "outcome": found.outcome,
        "message": found.message,
    }
    if found.explanation is not None:
        shown["explanation"] = json.loads(found.explanation.to_json())
    return shown | {"hint": hint} if hint else shown


def _report(found: _Found, hint: str, asked: Any) -> str:
    width = max((len(each.name) for each in found.checks), default=0)
    lines = [_line(each, width) for each in found.checks]
    if found.explanation is not None:
        lines += ["", *_tree(found.explanation).splitlines()]
    lines.append("")
    if found.outcome != OK:
        lines.append(f"STS would answer {found.outcome}: {printable(found.message)}")
    elif asked.role_arn is not None:
        lines.append("STS would open a session.")
    else:
        lines.append("The proof is good; with --role-arn a role's trust policy is asked too.")
    if hint:
        lines.append(f"hint: {printable(hint)}")
    return "\n".join(lines)


def _line(check: Check, width: int) -> str:
    name = check.name.ljust(width)
    if check.passed:
        return f"✓ {name}  {printable(check.found or check.expected)}".rstrip()
    values = [f"expected {check.expected}" if check.expected else "", f"found {check.found}" if check.found else ""]
    return f"✗ {name}  {printable(', '.join(filter(None, values)))}".rstrip()


def _tree(explanation: Explanation) -> str:
    on_terminal = sys.stdout.isatty()
    color = on_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return render(explanation, color=color, width=shutil.get_terminal_size().columns if on_terminal else _WIDTH)
