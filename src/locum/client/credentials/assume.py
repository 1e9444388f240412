"""Credentials that STS issues for others: by AssumeRole, and the cache of what it issued."""

from __future__ import annotations

import hashlib
import json
from collections.abc import MutableMapping
from typing import Any, Final, Protocol

import msgspec

from locum.api.shapes import Command, Shape, members, travels
from locum.api.sts import AssumeRoleCommand, AssumeRoleWithWebIdentityCommand
from locum.arn import Arn
from locum.client.credentials.base import Credentials, Provider
from locum.client.effects import Flow, Now, Prompt
from locum.client.failures import ConfigurationFailure, CredentialsFailure
from locum.client.refresh import WINDOW
from locum.secret import Secret

__all__ = ["Ask", "AssumeRole", "Cache", "Issued", "cache_key", "credentials_of", "session_name"]

_SESSION_NAME: Final = "locum-session-"
_DURATION: Final = 3600
"""Seconds of a session for which no duration is asked (STS-AR-036)."""


class Ask(Protocol):
    """A call of STS as a flow: with credentials signed, without them unsigned."""

    def __call__(self, command: Command[Any], credentials: Credentials | None, /) -> Flow[Any]: ...


Cache = MutableMapping[str, Credentials]
"""Credentials by :func:`cache_key`; whoever brings one bounds it."""


def session_name(now: float) -> str:
    """The role session name where none is given; botocore's begins with its own name (STS-CL-023)."""
    return f"{_SESSION_NAME}{int(now)}"


def credentials_of(answer: Any, command: Command[Any]) -> Credentials:
    """The credentials in the answer to a command, with the account of the session (STS-CL-010, STS-CL-016).

    Raises CredentialsFailure in the words of AWS's SDK for JavaScript where there are none (STS-CL-015).
    """
    operation = command.operation.name
    found = getattr(answer, "credentials", None)
    key_id, secret = getattr(found, "access_key_id", None), getattr(found, "secret_access_key", None)
    if not key_id or not secret:
        role = getattr(command, "role_arn", None)
        call = f"STS.{operation[0].lower()}{operation[1:]} call{f' with role {role}' if role else ''}"
        raise CredentialsFailure(f"Invalid response from {call}")
    user = getattr(answer, "assumed_role_user", None) or getattr(answer, "federated_user", None)
    arn = getattr(user, "arn", None)
    return Credentials(
        key_id,
        secret,
        getattr(found, "session_token", None),
        getattr(found, "expiration", None),
        _account(arn) if arn else None,
    )


def _account(arn: str) -> str | None:
    try:
        return Arn.parse(arn).account or None
    except ValueError:
        return None


def cache_key(command: AssumeRoleCommand | AssumeRoleWithWebIdentityCommand, *, generated_name: bool = False) -> str:
    """The name under which an answer is cached, the same as botocore's (STS-CL-024).

    The SHA-1 of the arguments as sorted JSON, without a generated session name, a one-time code or the web identity
    token, and with ``Policy`` parsed.

    Raises ConfigurationFailure for a policy that is not JSON.
    """
    arguments = _arguments(command)
    for name in ("TokenCode", "WebIdentityToken", *(["RoleSessionName"] if generated_name else [])):
        arguments.pop(name, None)
    if "Policy" in arguments:
        try:
            arguments["Policy"] = json.loads(arguments["Policy"])
        except (ValueError, RecursionError):
            raise ConfigurationFailure("the session policy is not JSON") from None
    # A name and no protection: the arguments hold no secret.
    return hashlib.sha1(json.dumps(arguments, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def _arguments(shape: Shape) -> dict[str, Any]:
    return {
        member.wire_name: _argument(value)
        for member in members(type(shape))
        if travels(member, value := getattr(shape, member.attribute)) and not isinstance(value, Secret)
    }


def _argument(value: Any) -> Any:
    if isinstance(value, Shape):
        return _arguments(value)
    return [_argument(each) for each in value] if isinstance(value, tuple) else value


class AssumeRole:
    """The session of a role, assumed with the credentials of another provider.

    ``command`` says what is asked for; an empty ``role_session_name`` means one is made up and kept.  With a
    ``serial_number`` a person is asked for the code, once: such a session cannot be renewed (STS-CL-022).
    ``cache`` is shared by those who ask for the same.
    """

    def __init__(self, ask: Ask, source: Provider, command: AssumeRoleCommand, *, cache: Cache | None = None) -> None:
        self._ask: Final = ask
        self._source: Final = source
        self._cache: Final = cache
        self._command = command
        self._prompted = False
        self._key: Final = "" if cache is None else cache_key(command, generated_name=not command.role_session_name)

    def __repr__(self) -> str:
        return f"AssumeRole({self._command.role_arn!r})"

    def resolve(self) -> Flow[Credentials]:
        """Credentials of a session that begins now, or of one in the cache of which enough is left.

        Raises CredentialsFailure where the code of a device would be asked for again, and what AssumeRole raises.
        """
        now = yield from Now()
        cached = self._cached(now)
        if cached is not None:
            return cached
        serial = self._command.serial_number
        if serial is not None and self._prompted:
            raise CredentialsFailure(
                f"the session of {self._command.role_arn} needs a new code of the MFA device {serial}, and is not"
                " renewed by itself: start the program again, or assume the role from code with a token_code"
            )
        if not self._command.role_session_name:
            self._command = msgspec.structs.replace(self._command, role_session_name=session_name(now))
        source = yield from self._source.resolve()
        command = self._command
        if serial is not None and command.token_code is None:
            code = yield from Prompt(f"Enter MFA code for {serial}: ")
            command = msgspec.structs.replace(command, token_code=Secret(code.strip()))
        found = credentials_of((yield from self._ask(command, source)), command)
        self._prompted = serial is not None
        if self._cache is not None:
            self._cache[self._key] = found
        return found

    def _cached(self, now: float) -> Credentials | None:
        if self._cache is None:
            return None
        found = self._cache.get(self._key)
        if found is None or found.expiration is None:
            return None
        enough = WINDOW * (self._command.duration_seconds or _DURATION)
        return found if found.expiration.timestamp() - now >= enough else None


class Issued(msgspec.Struct, frozen=True):
    """What a command of STS that answers credentials gives, made with the credentials of another provider."""

    ask: Ask
    source: Provider
    command: Command[Any]

    def __repr__(self) -> str:
        return f"Issued({self.command.operation.name})"

    def resolve(self) -> Flow[Credentials]:
        """Credentials of a session that begins now; raises what the command raises."""
        source = (yield from self.source.resolve()) if self.command.operation.signed else None
        return credentials_of((yield from self.ask(self.command, source)), self.command)
