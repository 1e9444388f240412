"""Programs that tests start: each ends with its block, by its own process, and tells when it is ready."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

__all__ = ["INTEROP", "READY", "node_is_missing", "program"]

INTEROP: Final = Path(__file__).parents[1]
READY: Final = r"^ready (\S+)$"
"""The line with which a program of ours says that it listens, and where."""
PATIENCE: Final = 60
"""Seconds in which a program must be ready, and must end when it is told to."""


@contextmanager
def program(
    command: list[str], ready: str = READY, *, told: object = None, more: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run ``command``; the block begins when a printed line matches ``ready`` and is given its first group.

    ``told`` is sent as one line of JSON; ``more`` is added to an environment that else has a PATH alone.
    """
    process = subprocess.Popen(
        command,
        cwd=INTEROP,
        env={"PATH": os.environ["PATH"], **(more or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert process.stdin is not None
    assert process.stdout is not None
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        if told is not None:
            process.stdin.write(f"{json.dumps(told)}\n")
            process.stdin.flush()
        yield _await(lines, ready, command)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdin.close()
        reader.join(PATIENCE)
        process.stdout.close()


def _read(output: IO[str], lines: queue.SimpleQueue[str | None]) -> None:
    """A program must never wait for its output to be read."""
    for line in output:
        lines.put(line)
    lines.put(None)


def _await(lines: queue.SimpleQueue[str | None], ready: str, command: list[str]) -> str:
    printed = []
    try:
        while (line := lines.get(timeout=PATIENCE)) is not None:
            printed.append(line)
            if found := re.search(ready, line):
                return found[1]
    except queue.Empty:
        pass
    raise RuntimeError(f"{command[0]} did not start:\n{''.join(printed)}")


def node_is_missing(*packages: str) -> str:
    """Why a Node program cannot run here; empty where it can."""
    from shutil import which

    if which("node") is None:
        return f"node is not installed: {', '.join(packages)} is NOT tested"
    absent = [name for name in packages if not (INTEROP / "node_modules" / name).is_dir()]
    return f"npm ci was not run in tests/interop: {', '.join(absent)} is NOT tested" if absent else ""
