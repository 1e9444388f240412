"""The two drivers: every effect has the same result, the same failure and the same end in both."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import pytest

from locum.client import AsyncSTSClient, STSClient
from locum.client.aio import Concurrent
from locum.client.effects import (
    Effect,
    Flow,
    Monotonic,
    Now,
    Prompt,
    Random,
    ReadFile,
    Run,
    Sleep,
    Spawn,
    Wait,
)
from locum.client.failures import ConfigurationFailure, CredentialsFailure, RunFailed, TimedOut
from locum.client.transport import Blocking, _close

from .far_end import GOOD, KEYS, ME, listening, raw, says

Perform = Callable[[Generator[Effect[Any], Any, Any]], Any]


def blocking(flow: Flow[Any]) -> Any:
    return Blocking(prompt=lambda text: f"{text}123456").run(flow)


def concurrent(flow: Flow[Any]) -> Any:
    return asyncio.run(Concurrent(prompt=lambda text: f"{text}123456").run(flow))


both = pytest.mark.parametrize("perform", [blocking, concurrent])


def just(effect: Effect[Any]) -> Flow[Any]:
    return (yield from effect)


@both
def test_effects_give_their_results(perform: Perform, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    done: Future[str] = Future()
    done.set_result("done")

    def flow() -> Flow[list[Any]]:
        yield from Sleep(0)
        return [
            (yield from Now()) > 1_600_000_000,
            isinstance((yield from Monotonic()), float),
            0 <= (yield from Random()) < 1,
            (yield from ReadFile(str(tmp_path / "file"))),
            (yield from Prompt("code? ")),
            (yield from Wait(done)),
            (yield from Run((sys.executable, "-c", "import sys; print(sys.stdin.read() + 'out')"))),
        ]

    assert perform(flow()) == [True, True, True, b"content", "code? 123456", "done", b"out\n"]


@both
def test_a_failure_is_thrown_where_the_effect_was_asked_for(perform: Perform, tmp_path: Path) -> None:
    def flow() -> Flow[str]:
        try:
            yield from ReadFile(str(tmp_path / "missing"))
        except FileNotFoundError:
            return "handled"
        return "not reached"

    assert perform(flow()) == "handled"
    with pytest.raises(FileNotFoundError):
        perform(just(ReadFile(str(tmp_path / "missing"))))


@both
def test_a_file_that_is_too_large_is_not_read(perform: Perform, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 11)
    with pytest.raises(OSError, match="more than 10 bytes"):
        perform(just(ReadFile(str(tmp_path / "file"), most=10)))
    assert len(perform(just(ReadFile(str(tmp_path / "file"), most=11)))) == 11


PROGRAMS: Final[dict[str, tuple[str, int | None, str]]] = {
    "fails": ("import sys; sys.stderr.write('why\\n'); sys.exit(3)", 3, "why"),
    "is killed": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9, ""),
    "writes too much": ("print('x' * 2000)", None, ""),
    "complains too much": ("import sys; sys.stderr.write('x' * 2000)", None, ""),
    "does not end": ("import threading; threading.Event().wait()", None, ""),
    "closes its output and does not end": (
        "import os, threading; os.close(1); os.close(2); threading.Event().wait()",
        None,
        "",
    ),
}


@both
@pytest.mark.parametrize("what", PROGRAMS)
def test_a_program_that_fails_says_how(perform: Perform, what: str) -> None:
    code, status, errors = PROGRAMS[what]
    timeout = 1.0 if "not end" in what else 60.0
    with pytest.raises(RunFailed) as raised:
        perform(just(Run((sys.executable, "-c", code), timeout=timeout, most=1000)))
    assert (raised.value.status, raised.value.errors) == (status, errors)


@both
@pytest.mark.parametrize("argv", [(), ("",), ("/nowhere/program",), ("with\0nul",)])
def test_a_program_that_cannot_be_run_is_a_failure(perform: Perform, argv: tuple[str, ...]) -> None:
    with pytest.raises(RunFailed, match="cannot be run"):
        perform(just(Run(argv)))


@both
def test_a_program_gets_no_shell(perform: Perform, tmp_path: Path) -> None:
    program = "import sys; print(sys.argv[1:])"
    assert perform(just(Run((sys.executable, "-c", program, "$HOME; ls", "*")))) == b"['$HOME; ls', '*']\n"


@both
def test_waiting_gets_what_another_flow_ended_with(perform: Perform) -> None:
    failed: Future[None] = Future()
    failed.set_exception(CredentialsFailure("theirs"))
    with pytest.raises(CredentialsFailure, match="theirs"):
        perform(just(Wait(failed)))
    pending: Future[None] = Future()
    with pytest.raises(TimedOut):
        perform(just(Wait(pending, timeout=0.01)))
    assert not pending.done()
    later: Future[int] = Future()
    thread = threading.Thread(target=lambda: later.set_result(7))
    thread.start()
    assert perform(just(Wait(later, timeout=30))) == 7
    thread.join()


@both
def test_a_flow_behind_goes_its_own_way(perform: Perform, caplog: pytest.LogCaptureFixture) -> None:
    done: Future[str] = Future()

    def behind() -> Flow[None]:
        yield from Sleep(0)
        done.set_result("behind")
        raise CredentialsFailure("nobody sees this but the log")

    def flow() -> Flow[Any]:
        yield from Spawn(behind())
        first = yield from Wait(done, timeout=30)
        # The failure is logged by whoever performs the flow, a little later.
        for _ in range(1000):
            if caplog.records:
                break
            yield from Sleep(0.005)
        return first

    assert perform(flow()) == "behind"
    assert "what ran behind a call failed: nobody sees this but the log" in caplog.text


def test_a_cancelled_task_runs_the_flows_finally() -> None:
    seen = []

    def flow() -> Flow[None]:
        try:
            yield from Sleep(3600)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            seen.append("finally")

    async def main() -> None:
        task = asyncio.create_task(Concurrent().run(flow()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == ["cancelled", "finally"]


def test_an_interrupt_runs_the_flows_finally(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def interrupted(_: str) -> str:
        raise KeyboardInterrupt

    def flow() -> Flow[None]:
        try:
            yield from Prompt("")
        finally:
            seen.append("finally")

    with pytest.raises(KeyboardInterrupt):
        Blocking(prompt=interrupted).run(flow())
    assert seen == ["finally"]


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(CredentialsFailure, match="'Enter MFA code for x:'"):
        Blocking().run(just(Prompt("Enter MFA code for x: ")))


def test_giving_up_waiting_does_not_stop_what_is_done() -> None:
    pending: Future[int] = Future()

    async def main() -> None:
        task = asyncio.create_task(Concurrent().run(just(Wait(pending))))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not pending.cancelled()
    pending.set_result(1)


def options(url: str) -> Any:
    return {"endpoint_url": url, "region": "eu-west-1", "credentials": KEYS, "environment": {"HOME": "/nowhere"}}


def test_a_client_is_shared_by_threads_and_loops() -> None:
    with listening([says(raw(GOOD))]) as url:
        with STSClient(**options(url)) as client:
            found: list[Any] = []
            threads = [threading.Thread(target=lambda: found.append(client.get_caller_identity())) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert found == [ME] * 8
            client.close()
            assert client.get_caller_identity() == ME
        other = AsyncSTSClient(**options(url))

        async def one_loop() -> Any:
            try:
                return await asyncio.gather(*[other.get_caller_identity() for _ in range(3)])
            finally:
                await other.close()

        assert asyncio.run(one_loop()) == asyncio.run(one_loop()) == [ME] * 3


def test_another_process_makes_connections_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening([says(raw(GOOD))]) as url, STSClient(**options(url)) as client:
        assert client.get_caller_identity() == ME
        parents = dict(client._driver._pools)
        monkeypatch.setattr(os, "getpid", lambda: -1)
        assert client.get_caller_identity() == ME
        assert set(parents.values()).isdisjoint(client._driver._pools.values())
        for pool in parents.values():
            _close(pool)


def test_many_origins_leave_few_pools() -> None:
    driver = Blocking()
    for number in range(40):
        driver._pool(f"http://host-{number}.example.com", None)
    assert len(driver._pools) == 16
    driver.close()


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(ConfigurationFailure, match=r"pip install 'locum\[async\]'"):
        AsyncSTSClient(**options("http://127.0.0.1:9"))
