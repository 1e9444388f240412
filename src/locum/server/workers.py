"""The processes that answer requests: one uvicorn server in each, and a supervisor where there are several.

uvicorn's own supervisor starts workers by spawning, each with its own copy of every module; ours forks after everything
was imported.  A lone uvicorn server raises the signal that stopped it again after its graceful stop and so exits with
status 143; ours ends with 0, because a server that was asked to stop and did has succeeded.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

import uvicorn

from locum.server.app import Application
from locum.server.config import Settings
from locum.server.protocol import Protocol

__all__ = ["Supervisor", "Worker", "stopping_signals"]

_log = logging.getLogger("locum.workers")

_PATIENCE: Final = 5.0
"""Seconds beyond the graceful timeout after which the supervisor kills a worker."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 30.0
_SETTLED: Final = 10.0
"""Seconds that a worker must have lived for its end not to count as one more failure in a row."""


def stopping_signals() -> tuple[signal.Signals, ...]:
    """The signals that stop a server; a hang-up is one unless whoever started it, such as nohup, ignores it."""
    stopping = (signal.SIGTERM, signal.SIGINT)
    return stopping if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (*stopping, signal.SIGHUP)


class Worker(uvicorn.Server):
    """One process's server: tells when it is ready, ends with status 0 when told to stop.

    ``lifeline`` is the reading end of a pipe whose other end the supervisor holds: when that dies, the worker stops,
    since nobody would be left to stop it.
    """

    def __init__(self, settings: Settings, app: Any, ready: Callable[[], None], lifeline: int | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http=Protocol if isinstance(app, Application) else "httptools",
                ws="none",
                interface="asgi3",
                lifespan="on",
                workers=1,
                log_config=None,
                access_log=False,
                proxy_headers=False,  # the application believes the configured proxies and no other (R26)
                server_header=False,
                date_header=True,
                timeout_keep_alive=settings.keep_alive,
                timeout_graceful_shutdown=settings.graceful_timeout,
                ssl_certfile=settings.tls_cert,
                ssl_keyfile=settings.tls_key,
            )
        )
        self._ready = ready
        self._lifeline = lifeline

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal, and do not raise it again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in stopping_signals()}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gracefully; at the second interrupt, at once."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self._lifeline is not None:
            asyncio.get_running_loop().add_reader(self._lifeline, self._orphaned, self._lifeline)
        self._ready()

    def _orphaned(self, lifeline: int) -> None:
        asyncio.get_running_loop().remove_reader(lifeline)
        _log.warning("the supervisor is gone: stopping")
        self.should_exit = True

    def serve_until_stopped(self, sockets: Sequence[socket.socket]) -> int:
        """Serve on listening sockets; the exit status, 1 where the application did not start."""
        try:
            self.run(list(sockets))
        except SystemExit:
            return 1
        return 0


class _Child:
    __slots__ = ("index", "ready", "ready_end", "started")

    def __init__(self, index: int, ready_end: int, started: float) -> None:
        self.index = index
        self.ready_end = ready_end
        self.started = started
        self.ready = False


class Supervisor:
    """Forks ``count`` workers, replaces those that crash, and stops them all when it is told to stop.

    ``work(index, ready, lifeline)`` runs in the child and returns its exit status; it calls ``ready`` when it answers.
    ``ready`` here is called once, when every worker has.  Workers that end before that are not replaced: the
    configuration is at fault, not chance.  ``sockets`` are closed here when the stop begins, so that nobody is left
    waiting in their queue.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[int, Callable[[], None], int], int],
        *,
        graceful_timeout: float,
        ready: Callable[[], None],
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        self._count: Final = count
        self._work: Final = work
        self._timeout: Final = graceful_timeout + _PATIENCE
        self._ready: Final = ready
        self._sockets: Final = sockets
        self._signals: Final = (*stopping_signals(), signal.SIGCHLD)
        self._children: dict[int, _Child] = {}
        self._due: list[tuple[float, int]] = []
        self._failures = [0] * count
        self._settled = False
        self._deadline: float | None = None
        self._status = 0

    def run(self) -> int:
        """Supervise until stopped; 0 where every request in flight was finished, else 1."""
        self._lifeline, self._lifeline_end = os.pipe()
        self._wake, self._wake_end = os.pipe()
        for end in (self._wake, self._wake_end):
            os.set_blocking(end, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake, selectors.EVENT_READ)
        before = {each: signal.signal(each, _heed) for each in self._signals}
        waker = signal.set_wakeup_fd(self._wake_end, warn_on_full_buffer=False)
        gc.collect()
        gc.freeze()
        try:
            for index in range(self._count):
                self._start(index)
            while self._children or self._due:
                self._wait()
                self._reap()
                self._keep_time()
        finally:
            signal.set_wakeup_fd(waker)
            for each, handler in before.items():
                signal.signal(each, handler)
            gc.unfreeze()
            self._selector.close()
            for end in (self._lifeline, self._lifeline_end, self._wake, self._wake_end):
                os.close(end)
        return self._status

    def _start(self, index: int) -> None:
        ready_end, ready = os.pipe()
        # Signals wait until the child has its own ways to heed them: ours would write to the supervisor's pipe.
        signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            self._be_child(index, ready)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._signals)
        os.close(ready)
        self._children[pid] = _Child(index, ready_end, time.monotonic())
        self._selector.register(ready_end, selectors.EVENT_READ, pid)

    def _be_child(self, index: int, ready: int) -> None:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for each in self._signals:
                signal.signal(each, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._signals)
            self._selector.close()
            for end in (
                self._lifeline_end,
                self._wake,
                self._wake_end,
                *(c.ready_end for c in self._children.values()),
            ):
                with suppress(OSError):
                    os.close(end)

            def tell() -> None:
                os.write(ready, b"+")
                os.close(ready)

            status = self._work(index, tell, self._lifeline)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _wait(self) -> None:
        moments = [moment for moment, _ in self._due]
        if self._deadline is not None:
            moments.append(self._deadline)
        timeout = max(0.0, min(moments) - time.monotonic()) if moments else None
        for key, _ in self._selector.select(timeout):
            if key.data is not None:
                self._hear(self._children[key.data])
                continue
            for number in os.read(self._wake, 512):
                if number != signal.SIGCHLD:
                    self._stop(number)

    def _hear(self, child: _Child) -> None:
        child.ready = os.read(child.ready_end, 1) == b"+"
        self._selector.unregister(child.ready_end)
        os.close(child.ready_end)
        child.ready_end = -1
        if not self._settled and all(each.ready for each in self._children.values()):
            self._settled = True
            self._ready()

    def _stop(self, number: int) -> None:
        first = self._deadline is None
        if first:
            self._deadline = time.monotonic() + self._timeout
            self._due.clear()
            for each in self._sockets:
                each.close()
        for pid in self._children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if first else number)

    def _reap(self) -> None:
        for pid, child in list(self._children.items()):
            ended, raw = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._children[pid]
                if child.ready_end >= 0:
                    ready_end = child.ready_end
                    child.ready = os.read(ready_end, 1) == b"+"
                    self._selector.unregister(ready_end)
                    os.close(ready_end)
                if self._deadline is None:
                    self._replace(pid, child, os.waitstatus_to_exitcode(raw))

    def _replace(self, pid: int, child: _Child, status: int) -> None:
        index = child.index
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        if not self._settled and not child.ready:
            _log.error("worker %d (pid %d) %s before it was ready: stopping", index, pid, how)
            self._status = 1
            self._stop(signal.SIGTERM)
            return
        lived = time.monotonic() - child.started
        self._failures[index] = 1 if lived >= _SETTLED else self._failures[index] + 1
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._failures[index] - 1, 16))
        _log.error("worker %d (pid %d) %s; another one starts in %.1f s", index, pid, how, pause)
        self._due.append((time.monotonic() + pause, index))

    def _keep_time(self) -> None:
        now = time.monotonic()
        for moment, index in list(self._due):
            if moment <= now:
                self._due.remove((moment, index))
                self._start(index)
        if self._deadline is not None and now >= self._deadline:
            _log.error("workers did not stop in time: killing them")
            self._status = 1
            self._deadline = now + _PATIENCE
            for pid in self._children:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _heed(_number: int, _frame: FrameType | None) -> None:
    """Python calls it after the wake-up descriptor was written to, which is all that is needed."""
