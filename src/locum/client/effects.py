"""What a flow of the client asks for: the effects that a driver performs for it.

Everything that the client does is written once, as a generator that does no input or output itself.  It yields an
effect and is resumed with its result; a failure of the effect is thrown into it at the same place.  Two drivers
perform effects: :class:`locum.client.transport.Blocking` and :class:`locum.client.aio.Concurrent`.

``yield from`` an effect gives its result with the right type::

    def age(path: str) -> Flow[float]:
        text = yield from ReadFile(path)
        return (yield from Now()) - float(text)

Whatever ends a flow early – a cancelled task, Control-C – is thrown into it too, so ``finally`` always runs.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import msgspec

from locum.http import Request, Response

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = [
    "MAX_ANSWER",
    "MAX_FILE",
    "MAX_OUTPUT",
    "Effect",
    "Flow",
    "Monotonic",
    "Now",
    "Prompt",
    "Random",
    "ReadFile",
    "Run",
    "Send",
    "Sleep",
    "Spawn",
    "Wait",
]

MAX_ANSWER = 4 << 20
"""Bytes of an HTTP body that :class:`Send` reads unless told otherwise."""

MAX_FILE = 1 << 20
"""Bytes that :class:`ReadFile` reads unless told otherwise."""

MAX_OUTPUT = 1 << 20
"""Bytes that :class:`Run` reads from each of a program's two streams unless told otherwise."""

Result = TypeVar("Result")


class Effect(msgspec.Struct, Generic[Result], frozen=True, gc=False):
    """Something that a flow asks its driver for; ``yield from`` one gives its result."""

    def __iter__(self) -> Generator[Effect[Any], Any, Result]:
        result: Result = yield self
        return result


Flow: TypeAlias = Generator[Effect[Any], Any, Result]
"""A generator that yields effects and returns a result."""


class Send(Effect[Response], frozen=True, kw_only=True):
    """Send one HTTP request and read the whole answer, whatever its status; redirects are not followed.

    ``origin`` is scheme and authority, ``https://sts.eu-west-1.amazonaws.com``; path and query go out as they are.
    ``connect`` and ``read`` bound the making of a connection and the waiting for more bytes, ``total`` everything,
    all in seconds.  ``proxied`` is False for what must not leave by a proxy, such as instance metadata.

    Raises ConnectionFailure, TimedOut, or AnswerTooLarge beyond ``most`` bytes of body.
    """

    origin: str
    request: Request
    connect: float = 10.0
    read: float = 60.0
    total: float | None = None
    most: int = MAX_ANSWER
    proxied: bool = True

    def __repr__(self) -> str:
        return f"Send({self.origin}, {self.request!r})"


class Sleep(Effect[None], frozen=True):
    """Let that many seconds pass."""

    seconds: float


class Now(Effect[float], frozen=True):
    """The time of day in epoch seconds: for signatures and expiries; it may jump."""


class Monotonic(Effect[float], frozen=True):
    """Seconds of a clock that never jumps and whose zero means nothing: for durations."""


class Random(Effect[float], frozen=True):
    """A number from 0 up to, not including, 1; for jitter and never for secrets."""


class Run(Effect[bytes], frozen=True):
    """Run a program without a shell and give what it wrote to its standard output (STS-CL-026).

    It inherits the environment and has no standard input.  Where it fails, RunFailed carries the exit status and what
    it wrote to standard error; it is also raised where the program is missing, takes longer than ``timeout`` seconds
    or writes more than ``most`` bytes.
    """

    argv: tuple[str, ...]
    timeout: float = 60.0
    most: int = MAX_OUTPUT

    def __repr__(self) -> str:
        return f"Run({self.argv[:1]!r})"


class Prompt(Effect[str], frozen=True):
    """Ask the person at the terminal, without echo; CredentialsFailure where there is nobody to ask."""

    text: str


class ReadFile(Effect[bytes], frozen=True):
    """The content of a file; OSError as :func:`open` raises it, and for one of more than ``most`` bytes."""

    path: str
    most: int = MAX_FILE


class Wait(Effect[Any], frozen=True):
    """The result of what another flow is doing, or the exception that it ended with.

    Raises TimedOut after ``timeout`` seconds.  Giving up waiting does not cancel what is being done.
    """

    future: Future[Any]
    timeout: float | None = None


class Spawn(Effect[None], frozen=True):
    """Begin a flow behind the caller's back: in a thread, or a task of the same loop; its result is dropped.

    What it raises is logged.
    """

    flow: Generator[Effect[Any], Any, Any]
