"""Servers as child processes: started, watched until they answer, measured through /proc, stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

__all__ = ["CannotStart", "Server", "free_ports", "machine"]

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PATIENCE: Final = 60.0
_PROC: Final = Path("/proc")
_TAIL: Final = 2_000


class CannotStart(RuntimeError):
    """A server did not come up; the text ends with the last lines of its log."""


def free_ports(count: int) -> list[int]:
    """Different TCP ports that nobody listens on just now."""
    listeners = [socket.socket() for _ in range(count)]
    try:
        for each in listeners:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in listeners]
    finally:
        for each in listeners:
            each.close()


class Server:
    """A server in a process group of its own, from the start of its command until the ``with`` block ends.

    ``ready`` is the path whose answer below 500 means that the server works; ``started`` the seconds that took.
    """

    def __init__(
        self, command: Sequence[str | Path], port: int, folder: Path, *, ready: str, environment: Mapping[str, str]
    ) -> None:
        self.port: Final = port
        self.url: Final = f"http://127.0.0.1:{port}"
        self.started = 0.0
        self._ready: Final = ready
        self._log: Final = folder / f"{Path(command[0]).name}-{port}.log"
        home = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "LANG": "C.UTF-8"}
        with self._log.open("wb") as log:
            self._begun: Final = time.perf_counter()
            self._process: Final = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**home, **environment},
                start_new_session=True,
            )

    def __enter__(self) -> Server:
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        self.started = time.perf_counter() - self._begun
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()

    def _wait(self) -> None:
        asked = f"GET {self._ready} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: close\r\n\r\n".encode()
        while time.perf_counter() - self._begun < _PATIENCE:
            if self._process.poll() is not None:
                break
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as link:
                link.sendall(asked)
                status = link.recv(64).split(b" ")
                if len(status) > 1 and status[1] < b"500":
                    return
            time.sleep(0.005)
        tail = self._log.read_bytes()[-_TAIL:].decode("utf-8", "replace")
        raise CannotStart(f"{self._log.name.removesuffix('.log')} does not answer on port {self.port}:\n{tail}")

    def stop(self) -> None:
        """End the process group: asked first, then made to."""
        for number, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
                return

    def pids(self) -> list[int]:
        """The processes of the server: the one started and all its descendants."""
        parents = {}
        for entry in _PROC.iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    parents[int(entry.name)] = int(_fields(entry)[1])
        tree = [self._process.pid]
        for pid in tree:
            tree += [child for child, parent in parents.items() if parent == pid]
        return tree

    def cpu(self) -> float:
        """Seconds of user and system time that the living processes of the server have used."""
        total = 0
        for pid in self.pids():
            with suppress(OSError):
                fields = _fields(_PROC / str(pid))
                total += int(fields[11]) + int(fields[12])
        return total / _TICKS

    def pss(self) -> float:
        """Proportional set size of all processes together, in MiB."""
        total = 0
        for pid in self.pids():
            with suppress(OSError):
                for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
        return total / 1024


def _fields(entry: Path) -> list[str]:
    """The fields of /proc/PID/stat from the third on (the second may hold blanks)."""
    return (entry / "stat").read_text().rpartition(")")[2].split()


def machine() -> str:
    """What the figures were measured on, in one line."""
    import platform

    model = "unknown processor"
    for line in (_PROC / "cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    system = f"{platform.system()} {platform.release()}"
    python = f"Python {platform.python_version()}"
    return f"{os.cpu_count()} cores of {model}, {system}, {python}, load average {os.getloadavg()[0]:.1f} before"
