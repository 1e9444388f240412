"""One connection, byte by byte, on a clock that only the tests turn: order, bounds, time and the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from uvicorn import Config
from uvicorn.server import ServerState

from locum.http import Response
from locum.server.app import Application, Incoming
from locum.server.protocol import MAXIMUM_HEAD, REQUEST_SECONDS, Protocol

MOST = 1000
IDLE = 5
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


class Echo(Application):
    """Answers with what it was given; a target that begins with ``/later`` waits for its gate."""

    def __init__(self) -> None:
        self.begun: list[Incoming] = []
        self.gates: dict[bytes, asyncio.Event] = {}
        self.response: Response | None = None

    @property
    def max_body(self) -> int:
        return MOST

    def too_large(self) -> Response:
        return Response(413, (), b"too large")

    def begin(self, incoming: Incoming) -> Response | Coroutine[Any, Any, Response]:
        self.begun.append(incoming)
        if incoming.path == b"/broken":
            raise RuntimeError("the plan")
        if incoming.path.startswith(b"/later"):
            return self._gated(incoming)
        return self.response or _echo(incoming)

    async def _gated(self, incoming: Incoming) -> Response:
        await self.gates.setdefault(incoming.path, asyncio.Event()).wait()
        if incoming.path == b"/later-broken":
            raise RuntimeError("the plan")
        return _echo(incoming)


def _echo(incoming: Incoming) -> Response:
    return Response(200, (("x-method", incoming.method),), incoming.path + b"?" + incoming.query + b" " + incoming.body)


class Clock:
    """The part of an event loop that a protocol needs, with the time in our hands."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []
        self.soon: list[Callable[[], object]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        self.timers.append(Timer(when, callback))
        return self.timers[-1]

    def call_soon(self, callback: Callable[[], object]) -> None:
        self.soon.append(callback)

    def create_task(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(coroutine)

    def pass_on(self, seconds: float) -> None:
        """Let time pass, and whatever is due happen at its time."""
        end = self.now + seconds
        while due := [each for each in self.timers if not each.over and each.when_ <= end]:
            first = min(due, key=lambda each: each.when_)
            self.now, first.over = max(self.now, first.when_), True
            first.callback()
        self.now = end

    def turn(self) -> None:
        soon, self.soon = self.soon, []
        for each in soon:
            each()


class Timer:
    def __init__(self, when: float, callback: Callable[[], object]) -> None:
        self.when_ = when
        self.callback = callback
        self.over = False

    def cancel(self) -> None:
        self.over = True


class Wire(asyncio.Transport):
    """What a connection writes, and what it does to the socket."""

    def __init__(self) -> None:
        super().__init__({"peername": ("198.51.100.7", 40_000)})
        self.written = b""
        self.paused = self.closed = self.aborted = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written += bytes(data)

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True


class Connection:
    def __init__(self) -> None:
        self.app, self.clock, self.wire, self.state = Echo(), Clock(), Wire(), ServerState()
        self.state.default_headers = [(b"date", b"today")]
        config = Config(self.app, timeout_keep_alive=IDLE, log_config=None)
        self.protocol = Protocol(config, self.state, {}, self.clock)  # type: ignore[arg-type]
        self.protocol.connection_made(self.wire)

    def closed(self) -> bool:
        return self.wire.closed

    def paused(self) -> bool:
        return self.wire.paused

    def send(self, *pieces: bytes) -> list[bytes]:
        """What is answered to these bytes, answer by answer."""
        for piece in pieces:
            self.protocol.data_received(piece)
        return self.answers()

    def answers(self) -> list[bytes]:
        while self.clock.soon:
            self.clock.turn()
        answers = self.wire.written.split(b"HTTP/1.1 ")[1:]
        self.wire.written = b""
        return answers


def statuses(answers: Sequence[bytes]) -> list[int]:
    return [int(each[:3]) for each in answers]


def bodies(answers: Sequence[bytes]) -> list[bytes]:
    return [each.partition(b"\r\n\r\n")[2] for each in answers]


def post(body: bytes, more: bytes = b"", target: bytes = b"/a") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n%b" % (target, more, len(body), body)


def test_a_request_is_handed_over_whole_and_answered_in_one_piece() -> None:
    connection = Connection()
    (answer,) = connection.send(
        b"POST /p%20q?a=b?c HTTP/1.1\r\nHOST: X\r\nX-A: 1 \r\nContent-", b"Length: 2\r\n\r\nh", b"i"
    )
    assert answer == (
        b"200 OK\r\nx-method: POST\r\ndate: today\r\ncontent-length: 15\r\n\r\n/p%20q?a=b?c hi"
    )  # fmt: skip
    assert connection.app.begun == [
        Incoming(
            *("POST", b"/p%20q", b"a=b?c", (("host", "X"), ("x-a", "1"), ("content-length", "2")), 25),
            *(b"hi", "198.51.100.7", False),
        )
    ]
    assert not connection.closed()
    assert connection.state.total_requests == 1


def test_an_absolute_target_is_taken_apart() -> None:
    assert bodies(Connection().send(b"GET http://h:1/a?b HTTP/1.1\r\nHost: h:1\r\n\r\n")) == [b"/a?b "]


PIPELINED = [
    GET,
    post(b"x" * 30),
    b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Late: 1\r\n\r\n",
    b"\r\n" + GET,
    b"HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n",
    post(b"", target=b"/e"),
]


@given(st.lists(st.sampled_from(PIPELINED), max_size=30), st.data())
@example(PIPELINED * 4, None)
def test_however_the_bytes_come_the_answers_are_the_same(requests: list[bytes], data: st.DataObject | None) -> None:
    whole = b"".join(requests)
    cuts = [*range(1, len(whole))]
    if data is not None:
        cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=20)))
    connection = Connection()
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    answers = connection.send(*pieces)
    wanted = [Connection().send(each)[0] for each in requests]
    assert answers == wanted
    assert all("x-late" not in dict(each.headers) for each in connection.app.begun)
    assert not connection.closed()
    assert not connection.paused()


def test_the_answer_to_a_head_is_one_without_its_body() -> None:
    (answer,) = Connection().send(b"HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"content-length: 4\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_others_have_their_turn_before_a_long_row_of_requests_is_answered() -> None:
    connection = Connection()
    connection.protocol.data_received(GET * 20)
    assert connection.wire.written.count(b"HTTP/1.1 ") == 8
    assert connection.paused()
    connection.clock.turn()
    assert connection.wire.written.count(b"HTTP/1.1 ") == 16
    connection.clock.turn()
    assert connection.wire.written.count(b"HTTP/1.1 ") == 20
    assert not connection.paused()
    assert not connection.clock.soon


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_an_answer_that_takes_long_holds_back_those_behind_it() -> None:
    async def scenario() -> None:
        connection = Connection()
        assert bodies(connection.send(GET + b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n" + GET)) == [b"/a? "]
        assert connection.paused()
        await settled()
        connection.clock.pass_on(10 * REQUEST_SECONDS)
        assert connection.answers() == []
        assert not connection.closed()
        assert len(connection.state.tasks) == 1
        connection.app.gates[b"/later"].set()
        await settled()
        assert bodies(connection.answers()) == [b"/later? ", b"/a? "]
        assert not connection.paused()
        assert not connection.state.tasks

    asyncio.run(scenario())


def test_what_is_answered_when_nobody_is_there_any_more_is_finished_and_dropped() -> None:
    async def scenario() -> None:
        connection = Connection()
        connection.send(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n" + GET)
        await settled()
        connection.wire.closed = True
        connection.protocol.connection_lost(None)
        assert not connection.state.connections
        connection.app.gates[b"/later"].set()
        await settled()
        assert connection.answers() == []
        assert not connection.state.tasks
        assert len(connection.app.begun) == 1
        connection.clock.pass_on(10 * REQUEST_SECONDS)

    asyncio.run(scenario())


@pytest.mark.parametrize("target", [b"/broken", b"/later-broken"])
def test_an_application_that_fails_is_answered_for_and_says_so(target: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        connection = Connection()
        connection.app.gates[target] = asyncio.Event()
        connection.app.gates[target].set()
        connection.send(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target)
        connection.wire.written = b""
        connection.protocol.data_received(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target)
        await settled()
        answers = connection.answers()
        assert set(statuses(answers)) == {500}
        assert b"the plan" not in b"".join(answers)

    asyncio.run(scenario())
    assert "the plan" in caplog.text


@pytest.mark.parametrize("value", ["a\r\nx-b: c", "a\nb", "a\rb", "a\0b", "\u2028"])
def test_a_header_of_an_answer_is_one_line_or_none(value: str) -> None:
    connection = Connection()
    connection.app.response = Response(200, (("x-a", value),), b"secret")
    (answer,) = connection.send(GET)
    assert statuses([answer]) == [500]
    assert b"x-a" not in answer
    assert b"secret" not in answer


# The end of a connection


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /a HTTP/1.0\r\nHost: x\r\n\r\n",
        b"GET /a HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    ],
)
def test_a_connection_ends_with_a_request_that_says_so(request_: bytes) -> None:
    connection = Connection()
    answers = connection.send(GET + request_ + GET + b"\0 no http")
    assert statuses(answers) == [200, 200]
    assert b"connection: close\r\n" in answers[1]
    assert b"connection: close\r\n" not in answers[0]
    assert connection.closed()


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        b"GET /a HTTP/1.1\nHost: x\n\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost : x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_behind_what_came_before(data: bytes) -> None:
    connection = Connection()
    answers = connection.send(GET, data, GET)
    assert statuses(answers) == [200, 400]
    assert b"connection: close\r\n" in answers[1]
    assert connection.closed()
    assert len(connection.app.begun) == 1


def test_a_body_that_is_too_large_is_refused_while_it_still_comes() -> None:
    connection = Connection()
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (10 * MOST)
    (answer,) = connection.send(head, b"x" * MOST, b"x")
    assert statuses([answer]) == [413]
    assert b"connection: close\r\n" in answer
    # Closed at once, the answer would be lost to a client that is still sending.
    assert not connection.closed()
    assert connection.send(b"x" * MOST, GET) == []
    connection.clock.pass_on(2)
    assert connection.closed()
    assert connection.app.begun == []


def test_a_body_may_be_as_large_as_it_may_be() -> None:
    connection = Connection()
    assert statuses(connection.send(post(b"x" * MOST))) == [200]


def test_who_asks_whether_to_go_on_is_told_so_or_refused() -> None:
    connection = Connection()
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    assert connection.send(head % 2) == [b"100 Continue\r\n\r\n"]
    assert bodies(connection.send(b"hi")) == [b"/a? hi"]
    assert statuses(connection.send(head % (MOST + 1))) == [413]


EXPECTING = b"POST /b HTTP/%b\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"


def test_who_asks_behind_another_request_is_told_after_its_answer() -> None:
    connection = Connection()
    assert statuses(connection.send(GET + EXPECTING % (b"1.1", 2))) == [200, 100]
    assert bodies(connection.send(b"hi")) == [b"/b? hi"]
    assert statuses(connection.send(GET + EXPECTING % (b"1.1", MOST + 1))) == [200, 413]


@pytest.mark.parametrize("head", [EXPECTING % (b"1.0", 2), EXPECTING % (b"1.1", 0), EXPECTING % (b"1.1", 1) + b"x"])
def test_who_is_of_an_older_time_or_sends_at_once_is_told_nothing(head: bytes) -> None:
    assert 100 not in statuses(Connection().send(head))


@pytest.mark.parametrize("begun", [b"0\r\nX-Late: ", b"1;"])
def test_what_stands_around_a_body_is_bounded_too(begun: bytes) -> None:
    connection = Connection()
    connection.send(b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n" + begun)
    for _ in range(MAXIMUM_HEAD // 1024 + 1):
        connection.send(b"a" * 1024)
    assert connection.wire.aborted


def test_pieces_of_a_body_may_be_small() -> None:
    connection = Connection()
    connection.send(b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(MOST):
        connection.send(b"1;%b\r\nx\r\n" % (b"a" * 256))
    assert statuses(connection.send(b"0\r\n\r\n")) == [200]


def test_a_head_without_end_is_given_up() -> None:
    connection = Connection()
    connection.send(b"GET /a HTTP/1.1\r\n")
    sent = 0
    while not connection.closed():
        connection.send(b"x: y\r\n" * 100)
        sent += 600
        assert sent <= MAXIMUM_HEAD + 600
    assert sent > MAXIMUM_HEAD - 600
    assert connection.wire.aborted


def test_the_bound_of_a_head_is_for_each_request() -> None:
    connection = Connection()
    request = b"GET /a HTTP/1.1\r\nHost: x\r\nX-Filler: %b\r\n\r\n" % (b"a" * (MAXIMUM_HEAD // 3))
    for _ in range(10):
        assert statuses(connection.send(request[:100], request[100:] + request[:50], request[50:])) == [200, 200]


# Time


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /a HTTP/1.1\r\nHost",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\nab",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ],
)
def test_a_request_that_drips_in_is_given_up(begun: bytes) -> None:
    connection = Connection()
    connection.send(begun)
    for _ in range(59):
        connection.clock.pass_on(1)
        connection.send(b"a")
        assert not connection.closed()
    connection.clock.pass_on(1)
    assert statuses(connection.answers()) == [408]
    assert connection.closed()


def test_a_connection_on_which_nothing_comes_is_closed() -> None:
    connection = Connection()
    connection.clock.pass_on(REQUEST_SECONDS - 1)
    assert statuses(connection.send(GET)) == [200]
    connection.clock.pass_on(IDLE - 1)
    assert statuses(connection.send(GET)) == [200]
    connection.clock.pass_on(IDLE - 0.5)
    connection.send(b"\r\n\r\n")
    assert not connection.closed()
    connection.clock.pass_on(0.5)
    assert connection.closed()
    assert connection.answers() == []


def test_a_request_behind_an_answer_has_as_long_to_come_as_any() -> None:
    connection = Connection()
    assert statuses(connection.send(GET + b"GET /a HTTP/1.1\r\n")) == [200]
    connection.clock.pass_on(REQUEST_SECONDS - 1)
    assert statuses(connection.send(b"Host: x\r\n\r\n")) == [200]


def test_a_timer_that_fires_early_is_as_good_as_one_that_does_not() -> None:
    """Those of uvloop do; and where next to no time is left it gives a handle that knows no time."""
    connection = Connection()
    connection.send(GET)
    (timer,) = [each for each in connection.clock.timers if not each.over]
    timer.over, connection.clock.now = True, timer.when_ - 0.0004
    timer.callback()
    assert connection.closed()


@pytest.mark.parametrize("closed", [b"GET /a HTTP/1.0\r\nHost: x\r\n\r\n", GET, b"GET /a HT", b"\0"])
def test_who_does_not_read_its_last_answer_is_given_up(closed: bytes) -> None:
    connection = Connection()
    connection.send(closed)
    connection.clock.pass_on(REQUEST_SECONDS - 1)
    assert not connection.wire.aborted
    connection.clock.pass_on(REQUEST_SECONDS + 1)
    assert connection.wire.aborted


def test_who_does_not_read_its_answers_is_not_served_and_given_up() -> None:
    connection = Connection()
    connection.protocol.pause_writing()
    connection.protocol.data_received(GET * 3)
    assert connection.answers() == []
    assert connection.paused()
    connection.clock.pass_on(REQUEST_SECONDS - 1)
    connection.protocol.resume_writing()
    assert statuses(connection.answers()) == [200] * 3
    connection.protocol.pause_writing()
    connection.protocol.data_received(GET)
    connection.clock.pass_on(REQUEST_SECONDS)
    assert connection.wire.aborted
    assert connection.answers() == []


# The end of the server


def test_a_stop_closes_what_is_idle_and_what_has_only_begun() -> None:
    for sent in (b"", GET, b"GET /a HT"):
        connection = Connection()
        connection.send(sent)
        connection.protocol.shutdown()
        assert connection.closed()


def test_a_stop_waits_for_a_body_that_is_coming() -> None:
    connection = Connection()
    connection.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
    connection.protocol.shutdown()
    assert not connection.closed()
    (answer,) = connection.send(b"hi")
    assert b"connection: close\r\n" in answer
    assert connection.closed()


def test_a_stop_waits_for_the_answers_to_what_has_come() -> None:
    async def scenario() -> None:
        connection = Connection()
        connection.send(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n" + GET)
        await settled()
        connection.protocol.shutdown()
        assert not connection.closed()
        connection.app.gates[b"/later"].set()
        await settled()
        answers = connection.answers()
        assert bodies(answers) == [b"/later? ", b"/a? "]
        assert [b"connection: close\r\n" in each for each in answers] == [False, True]
        assert connection.closed()

    asyncio.run(scenario())


def test_a_stop_answers_no_request_behind_the_one_that_was_told_to_be_the_last() -> None:
    async def scenario() -> None:
        connection = Connection()
        connection.send(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /a HT")
        await settled()
        connection.protocol.shutdown()
        connection.app.gates[b"/later"].set()
        await settled()
        assert b"connection: close\r\n" in connection.answers()[0]
        assert connection.send(b"TP/1.1\r\nHost: x\r\n\r\n") == []
        assert len(connection.app.begun) == 1

    asyncio.run(scenario())


def test_a_stop_waits_for_a_body_that_is_coming_behind_an_answer() -> None:
    async def scenario() -> None:
        connection = Connection()
        connection.send(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n" + post(b"hi")[:-1])
        await settled()
        connection.protocol.shutdown()
        connection.app.gates[b"/later"].set()
        await settled()
        answers = connection.answers() + connection.send(b"i")
        assert [b"connection: close\r\n" in each for each in answers] == [False, True]
        assert connection.closed()

    asyncio.run(scenario())


def test_no_request_is_begun_whose_answer_nobody_can_have() -> None:
    connection = Connection()
    connection.protocol.data_received(GET * 20)
    connection.wire.closed = True
    connection.answers()
    assert len(connection.app.begun) == 8


def test_an_answer_that_the_stop_does_not_wait_for_is_told_as_a_failure() -> None:
    async def scenario() -> None:
        connection = Connection()
        connection.send(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n" + GET)
        await settled()
        connection.protocol.shutdown()
        for task in connection.state.tasks:
            task.cancel()
        await settled()
        assert statuses(connection.answers()) == [500]
        assert len(connection.app.begun) == 1
        assert connection.closed()

    asyncio.run(scenario())


def test_it_speaks_to_no_other_application() -> None:
    async def other(*_: Any) -> None:
        """An ASGI application."""

    with pytest.raises(TypeError, match="locum"):
        Protocol(Config(other, log_config=None), ServerState(), {})
