"""Credentials as shells and programs read them.

What a shell executes has every value in single quotes, in the way of that shell, so that nothing of a value is a
command, an expansion or the end of the line.  Values with control characters are refused: no key has any, and no
terminal should see them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC
from types import MappingProxyType
from typing import Final

from locum.client.credentials.base import Credentials
from locum.client.failures import CredentialsFailure

__all__ = ["FORMATS", "as_json", "credential_process", "dotenv", "fish", "posix", "powershell", "variables"]

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./+=:@%,-]*\Z", re.ASCII)
"""What means itself in every kind of ``.env`` file: they have no common way of quoting."""

_POWERSHELL_QUOTES: Final = re.compile("['‘’‚‛]")
"""PowerShell takes typographic quotes for the plain one."""


def variables(credentials: Credentials) -> dict[str, str]:
    """The environment variables in which all AWS tools look for credentials (STS-CL-017), values in the open.

    ``AWS_CREDENTIAL_EXPIRATION`` is there for credentials that expire, ``AWS_SESSION_TOKEN`` is empty for those that
    have none.
    """
    token = credentials.session_token
    found = {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key.reveal(),
        "AWS_SESSION_TOKEN": token.reveal() if token is not None else "",
    }
    if credentials.expiration is not None:
        found["AWS_CREDENTIAL_EXPIRATION"] = _expiration(credentials)
    return found


def posix(values: Mapping[str, str]) -> str:
    """Lines for ``eval`` in sh, bash, zsh, ksh and dash.  Raises as :func:`dotenv` does for control characters."""
    return _lines(values, lambda name, value: f"export {name}={_posix_quoted(value)}")


def _posix_quoted(value: str) -> str:
    quoted = value.replace("'", "'\\''")
    return f"'{quoted}'"


def fish(values: Mapping[str, str]) -> str:
    """Lines for ``source`` in fish, where a backslash counts inside single quotes too."""

    def line(name: str, value: str) -> str:
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"set -gx {name} '{quoted}'"

    return _lines(values, line)


def powershell(values: Mapping[str, str]) -> str:
    """Lines for ``Invoke-Expression`` in PowerShell, where a quote is doubled inside single quotes."""

    def line(name: str, value: str) -> str:
        quoted = _POWERSHELL_QUOTES.sub(lambda found: found[0] * 2, value)
        return f"$Env:{name} = '{quoted}'"

    return _lines(values, line)


def dotenv(values: Mapping[str, str]) -> str:
    """Lines for a ``.env`` file, without quotes: docker takes them for a part of the value.

    Raises CredentialsFailure for a value with characters that readers of such files disagree about.
    """
    for name, value in values.items():
        if _PLAIN.match(value) is None:
            raise CredentialsFailure(f"{name} has characters that .env files have no common way to write; try json")
    return _lines(values, lambda name, value: f"{name}={value}")


def _lines(values: Mapping[str, str], line: Callable[[str, str], str]) -> str:
    for name, value in values.items():
        if _NAME.match(name) is None:
            raise CredentialsFailure(f"{name!r} is no name of an environment variable")
        if not value.isprintable():
            raise CredentialsFailure(f"{name} has characters that cannot be printed; no key has any")
    return "".join(f"{line(name, value)}\n" for name, value in values.items())


def as_json(credentials: Credentials) -> str:
    """The credentials as an answer of STS has them, and the account of the session."""
    return json.dumps(_document(credentials), indent=2) + "\n"


def credential_process(credentials: Credentials) -> str:
    """What a ``credential_process`` of a profile writes (STS-CL-026)."""
    return json.dumps({"Version": 1, **_document(credentials)}, indent=2) + "\n"


def _document(credentials: Credentials) -> dict[str, str]:
    token = credentials.session_token
    found = {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key.reveal(),
        "SessionToken": token.reveal() if token is not None else None,
        "Expiration": _expiration(credentials) if credentials.expiration is not None else None,
        "AccountId": credentials.account_id,
    }
    return {name: value for name, value in found.items() if value is not None}


def _expiration(credentials: Credentials) -> str:
    assert credentials.expiration is not None
    return credentials.expiration.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


FORMATS: Final[Mapping[str, Callable[[Credentials], str]]] = MappingProxyType({
    "env": lambda credentials: posix(variables(credentials)),
    "json": as_json,
    "credential-process": credential_process,
    "dotenv": lambda credentials: dotenv(variables(credentials)),
    "fish": lambda credentials: fish(variables(credentials)),
    "powershell": lambda credentials: powershell(variables(credentials)),
})  # fmt: skip
"""What ``--format`` names → the text that is printed."""
