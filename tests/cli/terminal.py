"""The command line in this process: what a command prints where, and how it ends."""

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


def run(capture: pytest.CaptureFixture[str], *arguments: str) -> Outcome:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    out, err = capture.readouterr()
    assert isinstance(ended.value.code, int)
    return Outcome(ended.value.code, out, err)


class Terminal:
    """Runs commands; each begins with ``words``."""

    def __init__(self, capture: pytest.CaptureFixture[str], *words: str) -> None:
        self._capture = capture
        self._words = words

    def __call__(self, *arguments: str) -> Outcome:
        return run(self._capture, *self._words, *arguments)


def settle(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Work from a home of its own, with nothing configured but that nobody beyond this machine is asked."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "LOCUM_", "XDG_", "KUBERNETES_")):
            patch.delenv(name)
    patch.setenv("HOME", str(home))
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    patch.chdir(home)
