"""A person at a terminal: the command line in this process, with a home of its own and nothing configured."""

from __future__ import annotations

from pathlib import Path

import pytest

from .terminal import Terminal, settle


class Person(Terminal):
    """Runs commands; ``home`` is the person's, and the environment has what is set here and nothing of AWS's."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._patch = patch
        super().__init__(capture)
        settle(patch, home)
        patch.setenv("NO_COLOR", "1")

    def has(self, environment: dict[str, str]) -> None:
        for name, value in environment.items():
            self._patch.setenv(name, value)

    def lacks(self, *names: str) -> None:
        for name in names:
            self._patch.delenv(name, raising=False)

    def file(self, name: str, text: str) -> str:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)
