"""When credentials are renewed and by whom: the pure states, and storms of threads and tasks on one session."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import warnings
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.client.aio import Concurrent
from locum.client.credentials import Credentials
from locum.client.effects import Effect, Flow, Now, Spawn, Wait
from locum.client.failures import CredentialsFailure
from locum.client.refresh import JITTER, LONGEST_PAUSE, WINDOW, Refreshing, State, Turn
from locum.client.transport import Blocking
from locum.errors import AccessDenied

from .stage import START, Source, Stage, credentials, scattered

MANY = 1_000
DEAD = ConnectionError("nobody answers")
CHANCE = st.floats(0, 1, exclude_max=True)


def fetched(lifetime: float, chance: float = 0.5) -> State:
    return State().succeeded(credentials("A", START + lifetime), START, chance)


# The states


@pytest.mark.parametrize("lifetime", [900, 3600, 43_200, 129_600])
@given(CHANCE)
def test_a_renewal_begins_in_the_last_quarter_of_any_lifetime(lifetime: int, chance: float) -> None:
    state = fetched(lifetime, chance)
    earliest, latest = (1 - WINDOW - JITTER) * lifetime, (1 - WINDOW + JITTER) * lifetime
    assert state.turn(START + earliest - 1) is Turn.USE
    assert state.turn(START + latest + 1) is Turn.BEHIND
    assert state.turn(START + lifetime - 0.001) is Turn.BEHIND
    assert state.turn(START + lifetime) is Turn.WAIT


def test_a_session_of_900_seconds_is_left_alone_for_ten_minutes() -> None:
    """Under AWS's windows of 15 and 10 minutes it would be renewed at every use (STS-CL-030)."""
    for chance in (0.0, 0.5, 0.999):
        assert fetched(900, chance).turn(START + 600) is Turn.USE


def test_processes_that_began_together_do_not_renew_together() -> None:
    dues = {fetched(3600, chance).due for chance in (0.0, 0.25, 0.5, 0.75)}
    assert len(dues) == 4
    assert max(dues) - min(dues) > 3600 * JITTER


def test_what_does_not_expire_is_never_renewed() -> None:
    state = State().succeeded(credentials("A"), START, 0.5)
    assert state.turn(START + 1e9) is Turn.USE


@pytest.mark.facts("STS-CL-030")
def test_renewed_credentials_that_have_expired_are_an_error() -> None:
    with pytest.raises(CredentialsFailure, match="expired 5 seconds ago"):
        State().succeeded(credentials("A", START - 5), START, 0.5)


@given(st.integers(1, 40), CHANCE)
def test_pauses_between_failures_are_bounded_and_never_longer_than_the_credentials(times: int, chance: float) -> None:
    state = fetched(900)
    now = state.due
    for _ in range(times):
        state = state.failed(DEAD, now, chance)
        assert 0.5 <= state.retry - now <= LONGEST_PAUSE
        assert state.retry < state.expires + 1
        assert state.turn(now) is (Turn.USE if now < state.expires else Turn.REFUSE)
        if (now := state.retry) >= state.expires:
            break
        assert state.turn(now) is Turn.BEHIND


def test_without_credentials_the_first_failure_costs_no_pause_and_later_ones_do() -> None:
    state = State().failed(DEAD, START, 0.5)
    assert state.turn(START) is Turn.WAIT
    pauses = []
    for _ in range(12):
        state = state.failed(DEAD, START, 0.999)
        assert state.turn(START) is Turn.REFUSE
        assert state.turn(state.retry) is Turn.WAIT
        pauses.append(round(state.retry - START))
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30]


def test_a_clock_that_was_put_back_does_not_keep_anybody_waiting() -> None:
    state = fetched(3600)
    failed = state.failed(DEAD, state.due, 0.5)
    assert failed.turn(failed.due) is Turn.USE
    gone = State().failed(DEAD, START, 0.5).failed(DEAD, START, 0.5)
    assert gone.turn(START) is Turn.REFUSE
    assert gone.turn(START - 3600) is Turn.WAIT


def test_success_forgets_failures() -> None:
    state = fetched(3600).failed(DEAD, START, 0.5).succeeded(credentials("B", START + 7200), START, 0.5)
    assert (state.failures, state.error) == (0, None)


# One caller


def test_a_first_use_fetches_and_later_ones_do_not() -> None:
    stage, source = Stage(), Source(credentials("A", START + 3600))
    held = Refreshing(source)
    assert held.at(START) is None
    for _ in range(5):
        assert stage.play(held.resolve()).access_key_id == "ASIAA"
    assert source.asked == 1
    assert held.at(START) is not None
    assert held.at(START + 3599) is None


def test_a_renewal_happens_behind_the_caller_s_back() -> None:
    stage, source = Stage(), Source(credentials("A", START + 3600), credentials("B", START + 7200))
    held = Refreshing(source)
    stage.play(held.resolve())
    stage.now += 3400
    for _ in range(3):
        assert stage.play(held.resolve()).access_key_id == "ASIAA"
    assert (source.asked, len(stage.behind)) == (1, 1)
    stage.play_behind()
    assert stage.play(held.resolve()).access_key_id == "ASIAB"
    assert source.asked == 2


def test_a_dead_service_does_not_break_what_is_still_valid(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    source = Source(credentials("A", START + 3600), DEAD)
    held = Refreshing(source)
    stage.play(held.resolve())
    with caplog.at_level(logging.WARNING, "locum.client"):
        for second in range(2000, 3600):
            stage.now = START + second
            assert stage.play(held.resolve()).access_key_id == "ASIAA"
            stage.play_behind()
    assert 5 < source.asked < 100
    assert "nobody answers" in caplog.text
    assert "secret" not in caplog.text
    stage.now = START + 3660
    with pytest.raises(ConnectionError, match="nobody answers"):
        stage.play(held.resolve())
    source.outcomes = [credentials("B", START + 9000)]
    stage.now += 31
    assert stage.play(held.resolve()).access_key_id == "ASIAB"


def test_expired_answers_of_a_source_leave_the_valid_ones_in_use() -> None:
    stage = Stage()
    held = Refreshing(Source(credentials("A", START + 3600), credentials("B", START + 10)))
    stage.play(held.resolve())
    stage.now += 3500
    stage.play(held.resolve())
    stage.play_behind()
    assert stage.play(held.resolve()).access_key_id == "ASIAA"


def test_an_error_of_the_service_is_raised_as_itself_and_does_not_grow() -> None:
    stage, error = Stage(), AccessDenied("no")
    held = Refreshing(Source(error))
    depths = set()
    for _ in range(20):
        with pytest.raises(AccessDenied) as caught:
            stage.play(held.resolve())
        assert caught.value is error
        depths.add(len(list(caught.traceback)))
    assert len(depths) < 5


def test_forgotten_credentials_are_fetched_anew() -> None:
    stage, source = Stage(), Source(credentials("A"), credentials("B"))
    held = Refreshing(source)
    stage.play(held.resolve())
    held.forget()
    assert stage.play(held.resolve()).access_key_id == "ASIAB"


def test_a_thread_that_cannot_be_started_leaves_the_valid_ones_in_use() -> None:
    class Full(Stage):
        def _perform(self, effect: Effect[Any]) -> Any:
            if isinstance(effect, Spawn):
                raise RuntimeError("can't start new thread")
            return super()._perform(effect)

    stage, source = Full(), Source(credentials("A", START + 3600), credentials("B", START + 7200))
    held = Refreshing(source)
    stage.play(held.resolve())
    stage.now += 3500
    assert stage.play(held.resolve()).access_key_id == "ASIAA"
    stage.now += 100
    assert stage.play(held.resolve()).access_key_id == "ASIAB"


# Threads


class Threads(Stage):
    """A stage on which many threads stand: they really wait, and what is spawned gets a thread of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.spawned: list[threading.Thread] = []

    def _perform(self, effect: Effect[Any]) -> Any:
        if isinstance(effect, Spawn):
            thread = threading.Thread(target=self.play, args=(effect.flow,))
            self.spawned.append(thread)
            thread.start()
            return None
        return effect.future.result(60) if isinstance(effect, Wait) else super()._perform(effect)


class Gated:
    """A provider whose fetch ends when the test says so."""

    def __init__(self, outcome: Callable[[], Credentials]) -> None:
        self.outcome = outcome
        self.gate: Future[None] = Future()
        self.entered = threading.Event()
        self.asked = 0

    def resolve(self) -> Flow[Credentials]:
        self.asked += 1
        self.entered.set()
        yield from Wait(self.gate)
        return self.outcome()


def storm(stage: Stage, held: Refreshing, number: int = MANY) -> tuple[list[str], Callable[[], None]]:
    """Threads that all ask at once; the results appear in the list, and the function waits for them."""
    results: list[str] = []
    barrier = threading.Barrier(number + 1)

    def ask() -> None:
        barrier.wait()
        try:
            results.append(stage.play(held.resolve()).access_key_id)
        except Exception as error:
            results.append(type(error).__name__)

    threads = [threading.Thread(target=ask) for _ in range(number)]
    for thread in threads:
        thread.start()
    barrier.wait()

    def finish() -> None:
        for thread in threads:
            thread.join(60)

    return results, finish


def test_a_thousand_threads_cause_one_first_fetch() -> None:
    source = Gated(lambda: credentials("A", START + 900))
    results, finish = storm(Threads(), Refreshing(source))
    assert source.entered.wait(60)
    source.gate.set_result(None)
    finish()
    assert results == ["ASIAA"] * MANY
    assert source.asked == 1


def test_a_thousand_threads_cause_one_renewal_and_none_waits_for_it() -> None:
    stage = Threads()
    held = Refreshing(source := Gated(lambda: credentials("A", START + 900)))
    source.gate.set_result(None)
    stage.play(held.resolve())
    source.gate, source.asked, source.outcome = Future(), 0, lambda: credentials("B", START + 1800)
    stage.now += 890
    results, finish = storm(stage, held)
    finish()
    # All are done, and the gate is still shut.
    assert results == ["ASIAA"] * MANY
    source.gate.set_result(None)
    for thread in stage.spawned:
        thread.join(60)
    assert source.asked == len(stage.spawned) == 1
    assert stage.play(held.resolve()).access_key_id == "ASIAB"


def test_a_thousand_threads_and_a_dead_service_cause_few_tries() -> None:
    def fail() -> Credentials:
        raise DEAD

    source = Gated(fail)
    stage = Threads()
    results, finish = storm(stage, held := Refreshing(source))
    assert source.entered.wait(60)
    source.gate.set_result(None)
    finish()
    assert set(results) == {"ConnectionError"}
    # One for all who waited; whoever came later tried once more, and then there is a pause.
    assert source.asked <= 2
    for _ in range(10):
        with pytest.raises(ConnectionError):
            stage.play(held.resolve())
    assert source.asked <= 3


def test_who_is_stopped_while_fetching_hands_over_to_those_who_wait() -> None:
    class Stopped(Stage):
        def _perform(self, effect: Effect[Any]) -> Any:
            if isinstance(effect, Wait):
                raise KeyboardInterrupt
            return super()._perform(effect)

    source = Gated(lambda: credentials("A", START + 900))
    held = Refreshing(source)
    with pytest.raises(KeyboardInterrupt):
        Stopped().play(held.resolve())
    results, finish = storm(Threads(), held, 5)
    source.gate.set_result(None)
    finish()
    assert results == ["ASIAA"] * 5
    assert source.asked == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_keeps_the_credentials_and_renews_by_itself() -> None:
    stage, source = Stage(), Source(credentials("A", START + 3600), credentials("B", START + 7200))
    held = Refreshing(source)
    stage.play(held.resolve())
    before = held._state.due
    stage.now = START + 3500
    stage.play(held.resolve())  # a renewal is under way in the parent, by a thread that the child does not have
    reader, writer = os.pipe()
    with held._lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        stage.behind.clear()
        stage.chance = 0.9
        report = "nothing"
        try:
            kept = held.at(START) is None and stage.play(held.resolve()).access_key_id
            moved = held._state.due != before
            stage.play_behind()
            report = f"{kept} {moved} {stage.play(held.resolve()).access_key_id} {source.asked}"
        finally:
            os.write(writer, report.encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        report = pipe.read()
    os.waitpid(child, 0)
    assert report == "ASIAA True ASIAB 2"
    assert held.at(START) is not None


# Tasks


class Tasks(Stage):
    """A stage for the tasks of one event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: set[asyncio.Task[Any]] = set()

    async def act(self, flow: Generator[Effect[Any], Any, Any]) -> Any:
        try:
            effect = next(flow)
            while True:
                try:
                    outcome = await self._act(effect)
                except BaseException as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
        except StopIteration as end:
            return end.value

    async def _act(self, effect: Effect[Any]) -> Any:
        if isinstance(effect, Wait):
            return await asyncio.wrap_future(effect.future)
        if isinstance(effect, Spawn):
            self.tasks.add(asyncio.create_task(self.act(effect.flow)))
            return None
        return self._perform(effect)


async def pass_turns(number: int = 10) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def test_a_thousand_tasks_cause_one_first_fetch() -> None:
    async def scene() -> None:
        source = Gated(lambda: credentials("A", START + 900))
        held, stage = Refreshing(source), Tasks()
        tasks = [asyncio.create_task(stage.act(held.resolve())) for _ in range(MANY)]
        await pass_turns()
        source.gate.set_result(None)
        assert {each.access_key_id for each in await asyncio.gather(*tasks)} == {"ASIAA"}
        assert source.asked == 1

    asyncio.run(scene())


def test_a_thousand_tasks_cause_one_renewal_and_none_waits_for_it() -> None:
    async def scene() -> None:
        source = Gated(lambda: credentials("A", START + 900))
        source.gate.set_result(None)
        held, stage = Refreshing(source), Tasks()
        await stage.act(held.resolve())
        source.gate, source.asked, source.outcome = Future(), 0, lambda: credentials("B", START + 1800)
        stage.now += 890
        found = await asyncio.gather(*[stage.act(held.resolve()) for _ in range(MANY)])
        assert {each.access_key_id for each in found} == {"ASIAA"}
        source.gate.set_result(None)
        await asyncio.gather(*stage.tasks)
        assert (source.asked, len(stage.tasks)) == (1, 1)
        assert (await stage.act(held.resolve())).access_key_id == "ASIAB"

    asyncio.run(scene())


def test_a_cancelled_task_hands_over_to_those_who_wait() -> None:
    async def scene() -> None:
        source = Gated(lambda: credentials("A", START + 900))
        held, stage = Refreshing(source), Tasks()
        tasks = [asyncio.create_task(stage.act(held.resolve())) for _ in range(10)]
        await pass_turns()
        tasks[0].cancel()
        source.gate = Future()
        await pass_turns()
        source.gate.set_result(None)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert {getattr(each, "access_key_id", each) for each in found[1:]} == {"ASIAA"}
        assert source.asked == 2

    asyncio.run(scene())


def test_a_cancelled_waiter_stops_nobody_else() -> None:
    async def scene() -> None:
        source = Gated(lambda: credentials("A", START + 900))
        held, stage = Refreshing(source), Tasks()
        tasks = [asyncio.create_task(stage.act(held.resolve())) for _ in range(10)]
        await pass_turns()
        tasks[5].cancel()
        await pass_turns()
        source.gate.set_result(None)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each).__name__ for each in found].count("Credentials") == 9
        assert source.asked == 1

    asyncio.run(scene())


# The client's own drivers


def test_threads_and_tasks_of_one_process_share_one_fetch() -> None:
    source = Gated(lambda: credentials("A"))
    held = Refreshing(source)
    blocking = Blocking()
    found: list[Credentials] = []
    threads = [threading.Thread(target=lambda: found.append(blocking.run(held.resolve()))) for _ in range(MANY // 2)]

    async def scene() -> list[Credentials]:
        driver = Concurrent()
        tasks = [asyncio.create_task(driver.run(held.resolve())) for _ in range(MANY // 2)]
        await pass_turns()
        for thread in threads:
            thread.start()
        source.gate.set_result(None)
        results = await asyncio.gather(*tasks)
        await driver.close()
        return results

    found += asyncio.run(scene())
    for thread in threads:
        thread.join(60)
    assert [each.access_key_id for each in found] == ["ASIAA"] * MANY
    assert source.asked == 1


@given(st.integers(0, 10_000))
def test_whatever_happens_nobody_gets_expired_credentials(seed: int) -> None:
    """A random life: the clock goes on, the source works or not, renewals happen soon or late."""
    chance, stage = scattered(seed), Stage()

    def outcome() -> Credentials | Exception:
        return DEAD if chance() < 0.4 else credentials("A", stage.now + 900 * chance() - 10)

    held = Refreshing(Source(outcome))
    for _ in range(60):
        stage.now += 120 * chance()
        stage.chance = chance()
        try:
            found = stage.play(held.resolve())
        except (ConnectionError, CredentialsFailure):
            continue
        assert found.expiration is not None
        assert found.expiration.timestamp() > stage.now
        if chance() < 0.5:
            stage.play_behind()


def test_waiting_costs_no_clock_and_no_chance_once_it_is_fetched() -> None:
    stage, held = Stage(), Refreshing(Source(credentials("A", START + 3600)))
    stage.play(held.resolve())
    stage.done.clear()
    stage.play(held.resolve())
    assert [type(each) for each in stage.done] == [Now]
