"""Why the server, or a command, does not go on: every reason at once, each with what to do about it."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["Problem", "Refused"]


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, in one line, and what to do about it."""

    text: str
    hint: str = ""


class Refused(Exception):
    """The server or a command does not go on; every reason is in ``problems``."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(each.text for each in problems))
        self.problems: Final = problems
