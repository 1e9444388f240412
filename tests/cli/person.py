"""A person at a terminal: the command line in this process, with a home of its own and nothing configured."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from locum.cli import main


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


class Person:
    """Runs commands; ``home`` is the person's, and the environment has what is set here and nothing of AWS's."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._patch = patch
        self._capture = capture
        for name in list(os.environ):
            if name.startswith(("AWS_", "LOCUM_", "XDG_", "KUBERNETES_")):
                patch.delenv(name)
        patch.chdir(home)
        self.has({"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", "NO_COLOR": "1"})

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

    def __call__(self, *arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = self._capture.readouterr()
        assert isinstance(ended.value.code, int)
        return Outcome(ended.value.code, out, err)
