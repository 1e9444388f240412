"""Middleware: which step sees what, in which order, how often, and what it may change."""

from __future__ import annotations

import pytest

from locum.api.shapes import Shape
from locum.api.sts import GetAccessKeyInfoCommand, GetCallerIdentityCommand
from locum.client.effects import Flow, Now
from locum.client.failures import ConfigurationFailure
from locum.client.middleware import Call, Middleware, Proceed
from locum.errors import ServiceException, ServiceUnavailable, ValidationError
from locum.http import Response

from .far_end import GOOD, ME, START, FarEnd, answer, calls, refusal

ASK = GetCallerIdentityCommand()


class Notes(Middleware):
    """Writes down every step on its way in and out."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self._name = name
        self._notes = notes

    def _note(self, step: str, call: Call) -> None:
        signed = "signed" if call.request.header("authorization") else "unsigned"
        self._notes.append(f"{self._name} {step} {call.attempt} {signed if call.request.body else 'empty'}")

    def initialize(self, call: Call, proceed: Proceed[Shape]) -> Flow[Shape]:
        self._note("initialize", call)
        result = yield from proceed(call)
        self._notes.append(f"{self._name} done")
        return result

    def build(self, call: Call, proceed: Proceed[Shape]) -> Flow[Shape]:
        self._note("build", call)
        return proceed(call)

    def finalize(self, call: Call, proceed: Proceed[Shape]) -> Flow[Shape]:
        self._note("finalize", call)
        try:
            return (yield from proceed(call))
        except ServiceException as error:
            self._notes.append(f"{self._name} saw {error.code}")
            raise

    def deserialize(self, call: Call, proceed: Proceed[Response]) -> Flow[Response]:
        self._note("deserialize", call)
        response = yield from proceed(call)
        self._notes.append(f"{self._name} got {response.status}")
        return response


def test_steps_stand_around_each_other_in_order() -> None:
    notes: list[str] = []
    client = calls(middleware=[Notes("a", notes)])
    far_end = FarEnd(refusal(ServiceUnavailable("later")), GOOD)
    assert far_end.play(client.call(ASK, {"middleware": [Notes("b", notes)]})) == ME
    assert notes == [
        *("a initialize 0 empty", "b initialize 0 empty", "a build 0 unsigned", "b build 0 unsigned"),
        *("a finalize 1 unsigned", "b finalize 1 unsigned", "a deserialize 1 signed", "b deserialize 1 signed"),
        *("b got 503", "a got 503", "b saw ServiceUnavailable", "a saw ServiceUnavailable"),
        *("a finalize 2 unsigned", "b finalize 2 unsigned", "a deserialize 2 signed", "b deserialize 2 signed"),
        *("b got 200", "a got 200", "b done", "a done"),
    ]


class Header(Middleware):
    def __init__(self, step: str) -> None:
        setattr(self, step, lambda call, proceed: proceed(call.with_header("X-Trace", "42")))


@pytest.mark.parametrize(("step", "signed"), [("build", True), ("finalize", True), ("deserialize", False)])
def test_a_header_is_signed_if_it_is_there_in_time(step: str, signed: bool) -> None:
    far_end = FarEnd(GOOD)
    far_end.play(calls(middleware=[Header(step)]).call(ASK))
    (sent,) = far_end.sent
    assert sent.request.header("x-trace") == "42"
    authorization = sent.request.header("authorization") or ""
    assert ("x-trace" in authorization) == signed


def test_a_header_takes_the_place_of_others_of_its_name() -> None:
    far_end = FarEnd(GOOD)
    far_end.play(calls(middleware=[Header("build"), Header("finalize")]).call(ASK))
    assert [line for line in far_end.sent[0].request.headers if line[0] == "x-trace"] == [("x-trace", "42")]


class Other(Middleware):
    def initialize(self, call: Call, proceed: Proceed[Shape]) -> Flow[Shape]:
        return proceed(call.with_command(GetAccessKeyInfoCommand(access_key_id="short")))


def test_a_command_that_was_changed_is_validated() -> None:
    far_end = FarEnd(GOOD)
    with pytest.raises(ValidationError, match="accessKeyId"):
        far_end.play(calls(middleware=[Other()]).call(ASK))
    assert far_end.sent == []


class Remembers(Middleware):
    """Answers by itself the second time; a flow with effects of its own."""

    def __init__(self) -> None:
        self.answers: list[Shape] = []

    def initialize(self, call: Call, proceed: Proceed[Shape]) -> Flow[Shape]:
        assert (yield from Now()) >= START
        if not self.answers:
            self.answers.append((yield from proceed(call)))
        return self.answers[0]


def test_a_step_may_answer_by_itself() -> None:
    far_end = FarEnd(GOOD)
    client = calls(middleware=[Remembers()])
    assert far_end.play(client.call(ASK)) == far_end.play(client.call(ASK)) == ME
    assert len(far_end.sent) == 1


class Rewrites(Middleware):
    def deserialize(self, call: Call, proceed: Proceed[Response]) -> Flow[Response]:
        response = yield from proceed(call)
        return Response(response.status, response.headers, response.body.replace(b"alice", b"bob"))


def test_an_answer_may_be_changed_before_it_is_read() -> None:
    assert FarEnd(answer(ME)).play(calls(middleware=[Rewrites()]).call(ASK)).arn.endswith("user/bob")


def test_a_header_that_cannot_be_sent_is_refused() -> None:
    class Evil(Middleware):
        def build(self, call: Call, proceed: Proceed[Shape]) -> Flow[Shape]:
            return proceed(call.with_header("x-evil", "1\r\nhost: elsewhere"))

    far_end = FarEnd(GOOD)
    with pytest.raises(ConfigurationFailure, match="header 'x-evil' holds"):
        far_end.play(calls(middleware=[Evil()]).call(ASK))
    assert far_end.sent == []
