"""The far end of a client: answers that are prepared, on a clock that only pauses turn, or over loopback sockets."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Final, TypeVar

from locum.api.shapes import Command, Shape
from locum.api.sts import STS, GetCallerIdentityCommand, GetCallerIdentityResponse
from locum.client.call import Calls
from locum.client.effects import Effect, Monotonic, Now, Random, ReadFile, Send, Sleep
from locum.client.options import ClientOptions, Settings, configure
from locum.errors import ServiceException
from locum.http import Response
from locum.secret import Secret
from locum.wire.answer import encode_error, encode_response
from locum.wire.sigv4 import Credentials

Result = TypeVar("Result")

START: Final = 1_767_323_045.0
"""2026-01-02T03:04:05Z."""
DATE: Final = "Fri, 02 Jan 2026 03:04:05 GMT"

KEYS: Final = Credentials("AKIAIOSFODNN7TESTKEY", Secret("a-secret-that-only-tests-know"))
ME: Final = GetCallerIdentityResponse(
    arn="arn:aws:iam::111122223333:user/alice", user_id="AIDAIOSFODNN7TESTKEY", account="111122223333"
)

Prepared = Response | BaseException | Callable[[Send], Response]


def answer(response: Shape, command_type: type[Command[Any]] = GetCallerIdentityCommand, **headers: str) -> Response:
    body = encode_response(response, command_type, "request-1")
    return Response(200, (("content-type", "text/xml"), *headers.items()), body)


def refusal(error: ServiceException, **headers: str) -> Response:
    status, content_type, body = encode_error(error, STS, "request-1")
    return Response(status, (("content-type", content_type), *headers.items()), body)


GOOD: Final = answer(ME)


class FarEnd:
    """Performs a flow: what is sent gets the next prepared answer; the last one stays."""

    def __init__(self, *answers: Prepared, now: float = START, chance: float = 0.5) -> None:
        self.answers = list(answers)
        self.now = now
        self.elapsed = 0.0
        self.chance = chance
        self.files: dict[str, bytes] = {}
        self.sent: list[Send] = []
        self.slept: list[float] = []

    def play(self, flow: Generator[Effect[Any], Any, Result]) -> Result:
        try:
            effect = next(flow)
            while True:
                try:
                    outcome = self._perform(effect)
                except BaseException as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
        except StopIteration as end:
            result: Result = end.value
            return result

    def _perform(self, effect: Effect[Any]) -> Any:
        match effect:
            case Now():
                return self.now + self.elapsed
            case Monotonic():
                return self.elapsed
            case Random():
                return self.chance
            case Sleep():
                self.slept.append(effect.seconds)
                self.elapsed += effect.seconds
                return None
            case ReadFile():
                if effect.path not in self.files:
                    raise FileNotFoundError(2, "No such file or directory")
                return self.files[effect.path]
            case Send():
                self.sent.append(effect)
                prepared = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if isinstance(prepared, BaseException):
                    raise prepared
                return prepared if isinstance(prepared, Response) else prepared(effect)
        raise AssertionError(f"unexpected {effect!r}")


def settings(environment: dict[str, str] | None = None, /, files: str = "", **options: Any) -> Settings:
    """The set-up for options, an environment and the text of a configuration file."""
    far_end = FarEnd(GOOD)
    far_end.files["/nowhere/.aws/config"] = files.encode()
    given: ClientOptions = options  # type: ignore[assignment]
    return far_end.play(configure(given, {"HOME": "/nowhere"} | (environment or {})))


def calls(**options: Any) -> Calls:
    """The calls of a client in eu-west-1 with :data:`KEYS`."""
    middleware, credentials = options.pop("middleware", ()), options.pop("credentials", KEYS)
    return Calls(settings(**{"region": "eu-west-1"} | options), credentials, middleware)


Script = Callable[[socket.socket], None]
"""What a server does with one connection."""


def received(connection: socket.socket) -> bytes:
    """One whole request, empty where the client went away."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (chunk := connection.recv(65536)):
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    (size,) = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")] or [0]
    while len(body) < size:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def raw(response: Response) -> bytes:
    lines = [f"HTTP/1.1 {response.status} X", *(f"{name}: {value}" for name, value in response.headers)]
    lines += [f"content-length: {len(response.body)}", "", ""]
    return "\r\n".join(lines).encode() + response.body


def says(data: bytes) -> Script:
    """Read a request, write these bytes, hang up."""

    def script(connection: socket.socket) -> None:
        received(connection)
        connection.sendall(data)

    return script


def resets(connection: socket.socket) -> None:
    received(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def keeps_silent(connection: socket.socket) -> None:
    """Read a request and say nothing until the client hangs up."""
    received(connection)
    with contextlib.suppress(OSError):
        connection.recv(1)


@contextlib.contextmanager
def listening(scripts: Sequence[Script]) -> Iterator[str]:
    """A server on a free loopback port that plays one script for each connection, the last one again and again."""
    waiting = list(scripts)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    if closing.is_set():
                        return
                    (waiting.pop(0) if len(waiting) > 1 else waiting[0])(connection)

        closing = threading.Event()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        host, port = server.getsockname()
        try:
            yield f"http://{host}:{port}"
        finally:
            closing.set()
            with contextlib.suppress(OSError):
                socket.create_connection((host, port), timeout=5).close()
            thread.join(10)
