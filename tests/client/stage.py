"""A driver for flows whose world is in its attributes: the clock, files, programs and answers of services.

Nothing waits: :class:`Sleep` turns the clock, and :class:`Spawn` keeps flows until the test lets them run.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any, TypeVar

from locum.api.shapes import Command
from locum.api.sts import AssumedRoleUser, AssumeRoleResponse
from locum.api.sts import Credentials as Answered
from locum.client.credentials import Credentials
from locum.client.effects import Effect, Flow, Monotonic, Now, Prompt, Random, ReadFile, Run, Send, Sleep, Spawn, Wait
from locum.http import Response
from locum.secret import Secret
from locum.wire.query import encode_command

Result = TypeVar("Result")

START = 1_800_000_000.0


def credentials(name: str = "A", expires: float | None = None) -> Credentials:
    """Credentials that can be told apart by a name and expire at a time."""
    return Credentials(
        f"ASIA{name}",
        Secret(f"secret-{name}"),
        Secret(f"token-{name}"),
        None if expires is None else datetime.fromtimestamp(expires, UTC),
    )


class Stage:
    """Performs flows in a made-up world and notes what they asked for."""

    def __init__(self) -> None:
        self.now = START
        self.chance = 0.5
        self.files: dict[str, bytes | OSError] = {}
        self.run_program: Callable[[Run], bytes] = _unexpected
        self.answer: Callable[[Send], Response] = _unexpected
        self.prompt: Callable[[str], str] = _unexpected
        self.behind: deque[Flow[Any]] = deque()
        self.done: list[Effect[Any]] = []

    def play(self, flow: Generator[Effect[Any], Any, Result]) -> Result:
        """Perform a flow to its end."""
        try:
            effect = next(flow)
            while True:
                self.done.append(effect)
                try:
                    outcome = self._perform(effect)
                except BaseException as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
        except StopIteration as end:
            result: Result = end.value
            return result

    def play_behind(self) -> None:
        """Perform what was begun behind a caller's back."""
        while self.behind:
            self.play(self.behind.popleft())

    def of(self, kind: type[Effect[Any]]) -> list[Any]:
        """The effects of one kind, in order."""
        return [effect for effect in self.done if isinstance(effect, kind)]

    def _perform(self, effect: Effect[Any]) -> Any:
        match effect:
            case Now() | Monotonic():
                return self.now
            case Random():
                return self.chance
            case Sleep():
                self.now += effect.seconds
                return None
            case ReadFile():
                content = self.files.get(effect.path, FileNotFoundError(2, "No such file or directory"))
                if isinstance(content, OSError):
                    raise content
                return content
            case Run():
                return self.run_program(effect)
            case Send():
                return self.answer(effect)
            case Prompt():
                return self.prompt(effect.text)
            case Spawn():
                self.behind.append(effect.flow)
                return None
            case Wait():
                if not effect.future.done():
                    self.play_behind()
                return effect.future.result(0)
        raise AssertionError(f"unexpected effect {effect!r}")


def _unexpected(effect: Any) -> Any:
    raise AssertionError(f"unexpected {effect!r}")


class Source:
    """A provider that counts; each outcome is credentials, an error to raise, or a function that gives either."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.asked = 0

    def resolve(self) -> Flow[Credentials]:
        """The next outcome; the last one stays."""
        self.asked += 1
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if callable(outcome):
            outcome = outcome()
        if isinstance(outcome, BaseException):
            raise outcome
        yield from Now()
        return outcome  # type: ignore[no-any-return]


def scattered(seed: int) -> Callable[[], float]:
    """Numbers from 0 up to 1 that are the same in every run."""
    return random.Random(seed).random


ROLE = "arn:aws:iam::111122223333:role/demo"
SESSION = "arn:aws:sts::111122223333:assumed-role/demo/me"
Calls = list[tuple[str, str | None, dict[str, str]]]
"""What STS was asked: operation, the key that signed it, parameters."""


class Sts:
    """Answers AssumeRole and AssumeRoleWithWebIdentity, and notes what it was asked."""

    def __init__(self, lifetime: float = 3600) -> None:
        self.calls: Calls = []
        self.lifetime = lifetime

    def ask(self, command: Command[Any], credentials: Credentials | None, /) -> Flow[Any]:
        arguments = {key: value for key, value in encode_command(command) if key not in ("Action", "Version")}
        key = None if credentials is None else credentials.access_key_id
        now = yield from Now()
        self.calls.append((command.operation.name, key, arguments))
        until = datetime.fromtimestamp(now + self.lifetime, UTC)
        return answered(f"ASIA{len(self.calls)}", until)


def answered(key: str, until: datetime) -> AssumeRoleResponse:
    return AssumeRoleResponse(
        assumed_role_user=AssumedRoleUser(assumed_role_id="AROA1:me", arn=SESSION),
        credentials=Answered(
            access_key_id=key, secret_access_key=Secret("s"), session_token=Secret("t"), expiration=until
        ),
    )
