"""The way of one call: validated, encoded, signed, sent, decoded, and made again where that helps.

A generator that does no input or output: it yields effects (:mod:`locum.client.effects`) that a driver performs.  From
the outside in, with the middleware of each step around it: *initialize* → validate and encode → *build* → retry →
*finalize* → credentials and signature → *deserialize* → send; then the answer is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlsplit

import msgspec

from locum.api.shapes import Command, Shape, refuse, violations
from locum.api.sts import STS
from locum.client import log
from locum.client.credentials.base import Credentials as ClientCredentials
from locum.client.credentials.base import Provider
from locum.client.effects import MAX_ANSWER, Flow, Monotonic, Now, Random, Send, Sleep
from locum.client.failures import (
    ClientFailure,
    ConfigurationFailure,
    CredentialsFailure,
    TimedOut,
    UnreadableResponse,
)
from locum.client.middleware import Call, Middleware, Proceed, chain
from locum.client.options import CallOptions, Keys, Settings, seconds
from locum.client.retry import Pace, Quota, throttled, worth_retrying
from locum.client.skew import offset_after
from locum.errors import ServiceException, STSServiceException, ValidationError
from locum.http import Request, Response
from locum.wire.answer import UnreadableAnswer, decode_error, decode_response, request_id_of
from locum.wire.query import CONTENT_TYPE, encode_command, encode_form
from locum.wire.sigv4 import Credentials, SigningKeys, sign

if TYPE_CHECKING:
    import logging

__all__ = ["Calls"]

Output = TypeVar("Output", bound=Shape)

_SIGNING_KEYS: Final = 64
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Calls:
    """Makes the calls of one client: its set-up, and what it has learned from earlier ones.

    ``skew`` is what is added to this machine's clock, in seconds.
    """

    def __init__(
        self,
        settings: Settings,
        credentials: Keys | Provider | None = None,
        middleware: Sequence[Middleware] = (),
        logger: logging.Logger | None = None,
    ) -> None:
        self.settings = settings
        self.credentials = credentials
        self.middleware = tuple(middleware)
        self.logger = logger
        self.quota = Quota()
        self.pace = Pace()
        self.skew = 0.0
        self._signing_keys = SigningKeys(_SIGNING_KEYS)

    def call(self, command: Command[Output], options: CallOptions | None = None) -> Flow[Output]:
        """The flow of one call.

        Raises ValidationError with every violation at once before anything is sent, the error that the service
        answered, or a :class:`~locum.client.failures.ClientFailure`.
        """
        return cast("Flow[Output]", _OneCall(self, options or {}).run(command))

    def ask(self, command: Command[Any], credentials: ClientCredentials | None, /) -> Flow[Any]:
        """The flow of a call with those credentials, or of an unsigned one: how providers call STS."""
        return self.call(command, {} if credentials is None else {"credentials": credentials})

    def correct_clock(self, offset: float) -> None:
        """Add that many seconds to this machine's clock from now on."""
        self.skew = offset


class _OneCall:
    """What one call needs to remember between its steps."""

    def __init__(self, calls: Calls, options: CallOptions) -> None:
        unknown = sorted(set(options) - CallOptions.__optional_keys__)
        if unknown:
            raise TypeError(f"unknown option {unknown[0]!r}; the options are {', '.join(CallOptions.__annotations__)}")
        self._calls = calls
        settings = calls.settings
        self._settings = settings
        self._endpoint = settings.endpoint(options.get("region"))
        self._region = options.get("region") or settings.region or self._endpoint.signing_region
        self._credentials = options.get("credentials") or calls.credentials
        self._middleware = (*calls.middleware, *(options.get("middleware") or ()))
        self._timeout = seconds("timeout", options.get("timeout", settings.timeout))
        self._deadline: float | None = None
        self._invocation = ""
        self._clock = self._skew = 0.0
        self._answer: Response | None = None
        self._getting_credentials = False

    def run(self, command: Command[Any]) -> Flow[Shape]:
        if not isinstance(command, Command):
            raise TypeError(f"{command!r} is no command, such as GetCallerIdentityCommand()")
        if command.operation.service is not STS:
            raise TypeError(f"{command.operation.name} is not an operation of STS")
        if self._timeout is not None:
            self._deadline = (yield from Monotonic()) + self._timeout
        parts = urlsplit(self._endpoint.url)
        path = f"{parts.path.rstrip('/')}/"
        call = Call(
            command=command,
            origin=f"{parts.scheme}://{parts.netloc}",
            region=self._region,
            request=Request("POST", path, "", (("host", _host(parts.scheme, parts.netloc)),)),
        )
        outermost: Proceed[Shape] = chain([each.initialize for each in self._middleware], self._serialize)
        return (yield from outermost(call))

    def _serialize(self, call: Call) -> Flow[Shape]:
        command = call.command
        found = violations(command)
        if found:
            raise refuse(found, command.operation.service)
        try:
            body = encode_form(encode_command(command))
        except UnicodeEncodeError:
            raise ValidationError(f"A text of {command.operation.name} is not valid Unicode") from None
        except ValueError as error:
            raise ValidationError(f"{command.operation.name}: {error}") from None
        headers = (
            *call.request.headers,
            ("content-type", CONTENT_TYPE),
            ("user-agent", self._settings.user_agent),
        )
        call = msgspec.structs.replace(
            call, request=msgspec.structs.replace(call.request, headers=headers, body=body)
        )  # fmt: skip
        self._invocation = yield from _invocation_id()
        self._log("%s to %s: %r", command.operation.name, call.origin, command)
        proceed: Proceed[Shape] = chain([each.build for each in self._middleware], self._attempts)
        return (yield from proceed(call))

    def _attempts(self, call: Call) -> Flow[Shape]:
        """Make attempts until one succeeds, or another would not help."""
        calls, mode = self._calls, self._settings.mode
        one_attempt: Proceed[Shape] = chain([each.finalize for each in self._middleware], self._sign)
        attempt, cost, corrected, waited = 1, 0, False, 0.0
        while True:
            if mode.paced:
                while pause := calls.pace.wait((yield from Monotonic())):
                    yield from self._pause(pause, self._too_late())
            self._answer = None
            try:
                output = yield from one_attempt(msgspec.structs.replace(call, attempt=attempt))
            except (ServiceException, ClientFailure) as error:
                if self._getting_credentials:
                    # Whoever provides them has tried as often as it makes sense.
                    raise
                error.attempts, error.total_retry_delay = attempt, waited
                if mode.paced:
                    calls.pace.learn((yield from Monotonic()), throttled=throttled(error))
                self._log_failure(call, attempt, error)
                if attempt >= self._settings.max_attempts:
                    raise
                if not corrected and self._corrects_clock(error):
                    corrected = True
                elif not worth_retrying(mode, error, self._status()):
                    raise
                else:
                    if mode.frugal:
                        cost = calls.quota.take(error)
                        if not cost:
                            raise
                    delay = mode.delay(attempt, (yield from Random()))
                    yield from self._pause(delay, error)
                    waited += delay
                attempt += 1
            else:
                if mode.paced:
                    calls.pace.learn((yield from Monotonic()), throttled=False)
                if mode.frugal:
                    calls.quota.give_back(cost)
                return output

    def _status(self) -> int | None:
        return None if self._answer is None else self._answer.status

    def _corrects_clock(self, error: Exception) -> bool:
        if self._answer is None or not isinstance(error, ServiceException):
            return False
        # Another call may have corrected the clock meanwhile, so what counts is what this one signed with.
        offset = offset_after(error, self._answer, clock=self._clock, offset=self._skew)
        if offset is None:
            return False
        self._calls.correct_clock(offset)
        self._log("the clock is off by %.0f s; corrected", offset)
        return True

    def _pause(self, seconds: float, error: Exception) -> Flow[None]:
        """Wait before the next attempt; where the call's time would be over by then, the error stands."""
        if self._deadline is not None and (yield from Monotonic()) + seconds >= self._deadline:
            raise error
        yield from Sleep(seconds)

    def _too_late(self) -> TimedOut:
        return TimedOut(f"the call was not done within {self._timeout} s")

    def _sign(self, call: Call) -> Flow[Shape]:
        operation = call.command.operation
        request = call.request
        if operation.signed:
            credentials = yield from self._current_credentials()
            self._clock, self._skew = (yield from Now()), self._calls.skew
            try:
                request = sign(
                    request,
                    credentials,
                    service=self._endpoint.signing_name,
                    region=self._endpoint.signing_region,
                    now=self._clock + self._skew,
                    derive=self._calls._signing_keys,
                )
            except (ValueError, OverflowError, OSError):
                raise ConfigurationFailure("the headers or credentials of the request cannot be signed") from None
        # As botocore sends them: beside the signature, so that a proxy may drop them.
        noted = f"attempt={call.attempt}" + (f"; max={self._settings.max_attempts}" if call.attempt > 1 else "")
        headers = (*request.headers, ("amz-sdk-invocation-id", self._invocation), ("amz-sdk-request", noted))
        request = msgspec.structs.replace(request, headers=headers)
        for name, value in headers:
            if _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
                raise ConfigurationFailure(f"the header {name!r} holds characters that cannot be sent")
        proceed: Proceed[Response] = chain([each.deserialize for each in self._middleware], self._send)
        answer = yield from proceed(msgspec.structs.replace(call, request=request))
        self._answer = answer
        return _read(answer, call.command)

    def _current_credentials(self) -> Flow[Credentials]:
        found: Any = self._credentials
        if hasattr(found, "resolve"):
            self._getting_credentials = True
            found = yield from found.resolve()
            self._getting_credentials = False
        try:
            return Credentials(found.access_key_id, found.secret_access_key, found.session_token)
        except AttributeError:
            raise CredentialsFailure(
                "credentials: neither keys nor a provider, but an object without access_key_id, secret_access_key "
                "and session_token"
            ) from None

    def _send(self, call: Call) -> Flow[Response]:
        settings = self._settings
        left = None
        if self._deadline is not None:
            left = self._deadline - (yield from Monotonic())
            if left <= 0:
                raise self._too_late()
        began = yield from Monotonic()
        answer = yield from Send(
            origin=call.origin,
            request=call.request,
            connect=settings.connect_timeout,
            read=settings.read_timeout,
            total=left,
            most=MAX_ANSWER,
        )
        self._answer = answer
        took = (yield from Monotonic()) - began
        self._log("%s attempt %d: %d in %.3f s", call.command.operation.name, call.attempt, answer.status, took)
        return answer

    def _log_failure(self, call: Call, attempt: int, error: ServiceException | ClientFailure) -> None:
        # A service's message may quote what was sent, so only its code is written down.
        shown = f"{error.code} (request {error.request_id})" if isinstance(error, ServiceException) else error
        self._log("%s attempt %d: %s", call.command.operation.name, attempt, shown)

    def _log(self, message: str, *values: object) -> None:
        log.debug(self._calls.logger, message, *values)


def _read(answer: Response, command: Command[Any]) -> Shape:
    """The output that an answer holds; raises the error that it reports, or UnreadableResponse."""
    content_type = next((value for name, value in answer.headers if name == "content-type"), "")
    if not 200 <= answer.status < 300:
        raise decode_error(answer.status, answer.body, content_type, answer.headers, unknown=STSServiceException)
    try:
        return cast("Shape", decode_response(answer.body, type(command), content_type))
    except UnreadableAnswer as error:
        raise UnreadableResponse(
            f"{command.operation.name}: {error}",
            status=answer.status,
            request_id=request_id_of(answer.body, content_type, answer.headers),
        ) from None


def _host(scheme: str, authority: str) -> str:
    """The ``Host`` header: without the scheme's own port, as all HTTP clients send it."""
    return authority.removesuffix(":443" if scheme == "https" else ":80")


def _invocation_id() -> Flow[str]:
    """A random UUID that all attempts of a call share, so that a server's log can tell them from separate calls."""
    digits = ""
    for _ in range(3):
        digits += f"{int((yield from Random()) * 2**44):011x}"
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
