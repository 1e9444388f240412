"""The blocking driver: performs a flow's effects in the thread that asks."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Generator
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar, cast

from locum.client import log
from locum.client.effects import (
    Effect,
    Flow,
    Monotonic,
    Now,
    Prompt,
    Random,
    ReadFile,
    Run,
    Send,
    Sleep,
    Spawn,
    Wait,
)
from locum.client.failures import CredentialsFailure, RunFailed, TimedOut
from locum.client.proxies import Proxies
from locum.http import Response

if TYPE_CHECKING:
    import subprocess

    from locum.client.connections import Connections
    from locum.client.proxied import Proxied

__all__ = ["Blocking", "ask", "read_file", "run_program"]

Result = TypeVar("Result")

_CHUNK: Final = 1 << 16
_ERRORS: Final = 4000
_MAX_POOLS: Final = 16


class Blocking:
    """Performs flows one effect after another; any number of threads may use it at once.

    ``prompt`` asks a person; without it the terminal is asked.
    """

    def __init__(
        self,
        *,
        proxies: Proxies | None = None,
        ca_bundle: str | None = None,
        prompt: Callable[[str], str] | None = None,
        connections: int = 50,
    ) -> None:
        self._proxies = proxies or Proxies()
        self._ca_bundle = ca_bundle
        self._prompt = prompt or ask
        self._connections = connections
        self._lock = threading.Lock()
        self._pools: dict[tuple[str, str | None], Connections | Proxied] = {}
        self._owner = os.getpid()

    def run(self, flow: Generator[Effect[Any], Any, Result]) -> Result:
        """Perform a flow to its end: its result, or what it raises."""
        perform = _PERFORM
        try:
            effect = next(flow)
            while True:
                try:
                    result = perform[type(effect)](self, effect)
                except BaseException as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(result)
        except StopIteration as end:
            value: Result = end.value
            return value

    def close(self) -> None:
        """Close all connections; later requests open new ones."""
        with self._lock:
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.close()

    def _send(self, effect: Send) -> Response:
        proxy = self._proxies.for_origin(effect.origin) if effect.proxied else None
        return self._pool(effect.origin, proxy).exchange(effect)

    def _pool(self, origin: str, proxy: str | None) -> Connections | Proxied:
        if self._owner != os.getpid():
            # After a fork connections are the parent's, and two processes must not speak on one; the lock may be held
            # by a thread that does not exist here.
            self._lock, self._pools, self._owner = threading.Lock(), {}, os.getpid()
        with self._lock:
            pool = self._pools.get((origin, proxy))
            if pool is None:
                while len(self._pools) >= _MAX_POOLS:
                    self._pools.pop(next(iter(self._pools))).close()
                pool = self._pools[origin, proxy] = self._make_pool(origin, proxy)
            return pool

    def _make_pool(self, origin: str, proxy: str | None) -> Connections | Proxied:
        secure = origin.startswith("https:") or (proxy or "").startswith("https:")
        context = None
        if secure:
            from locum.client.tls import tls_context

            context = tls_context(self._ca_bundle)
        if proxy is not None:
            from locum.client.proxied import Proxied

            return Proxied(proxy, context, self._connections)
        from locum.client.connections import Connections

        return Connections(origin, context, self._connections)

    def _spawn(self, effect: Spawn) -> None:
        threading.Thread(target=self._behind, args=(effect.flow,), name="locum-behind", daemon=True).start()

    def _behind(self, flow: Flow[Any]) -> None:
        try:
            self.run(flow)
        except Exception as error:
            log.warning("what ran behind a call failed: %s", error)

    def _wait(self, effect: Wait) -> Any:
        from concurrent.futures import wait

        if not wait([effect.future], effect.timeout).done:
            raise TimedOut("what another call is doing was not done in time")
        return effect.future.result()


_PERFORM: Final[dict[type, Callable[[Blocking, Any], Any]]] = {
    Send: Blocking._send,
    Sleep: lambda _, effect: time.sleep(effect.seconds),
    Now: lambda _, effect: time.time(),
    Monotonic: lambda _, effect: time.monotonic(),
    Random: lambda _, effect: int.from_bytes(os.urandom(6)) / 2**48,
    Run: lambda _, effect: run_program(effect),
    Prompt: lambda blocking, effect: blocking._prompt(effect.text),
    ReadFile: lambda _, effect: read_file(effect),
    Wait: Blocking._wait,
    Spawn: Blocking._spawn,
}
"""Effect → how it is performed."""


def ask(text: str) -> str:
    """Ask at the terminal without echo; CredentialsFailure where there is none."""
    if not sys.stdin or not sys.stdin.isatty():
        raise CredentialsFailure(f"there is no terminal for {text.strip()!r}; give the client a prompt")
    import getpass

    try:
        return getpass.getpass(text)
    except EOFError:
        raise CredentialsFailure("nothing was entered") from None


def read_file(effect: ReadFile) -> bytes:
    """The bytes of a file, as :class:`~locum.client.effects.ReadFile` says."""
    with open(effect.path, "rb") as file:  # noqa: PTH123 - what a profile names is a text
        data = file.read(effect.most + 1)
    if len(data) > effect.most:
        raise OSError(f"{effect.path}: the file has more than {effect.most} bytes")
    return data


def run_program(effect: Run) -> bytes:
    """The output of a program, as :class:`~locum.client.effects.Run` says."""
    import subprocess

    name = effect.argv[0] if effect.argv else ""
    try:
        program = subprocess.Popen(  # noqa: S603 - without a shell; what is run is the user's own setting
            effect.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except (OSError, ValueError, IndexError) as error:
        raise RunFailed(f"{name}: cannot be run: {error}", status=None) from None
    with program:
        try:
            output, errors = _outputs(program, effect)
        except BaseException:
            program.kill()
            raise
        status = program.wait()
    if status:
        raise RunFailed(f"{name}: exit status {status}", status=status, errors=_shown(errors))
    return output


def _outputs(program: subprocess.Popen[bytes], effect: Run) -> tuple[bytes, bytes]:
    import selectors
    import subprocess

    deadline = time.monotonic() + effect.timeout
    streams: dict[IO[bytes], bytearray] = {stream: bytearray() for stream in (program.stdout, program.stderr) if stream}
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(deadline - time.monotonic(), 0))
            if not ready:
                raise RunFailed(f"{effect.argv[0]}: not done after {effect.timeout:g} s", status=None)
            for key, _ in ready:
                stream = cast("IO[bytes]", key.fileobj)
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(stream)
                streams[stream] += chunk
                if len(streams[stream]) > effect.most:
                    raise RunFailed(f"{effect.argv[0]}: wrote more than {effect.most} bytes", status=None)
    output, errors = streams.values()
    try:
        program.wait(max(deadline - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        raise RunFailed(f"{effect.argv[0]}: not done after {effect.timeout:g} s", status=None) from None
    return bytes(output), bytes(errors)


def _shown(errors: bytes) -> str:
    return errors[:_ERRORS].decode("utf-8", "replace").strip()
