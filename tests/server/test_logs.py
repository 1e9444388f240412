"""Structured logs: one line for a message, no secret in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.secret import Secret
from locum.server import logs


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("locum")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], root.level, ours.level = before
    logging.captureWarnings(False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def record(message: object, *args: object, **members: object) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": "locum.x", "levelname": "INFO", "created": 1.5, "msg": message, "args": args, **members}
    )


def test_a_line_is_json_with_time_level_message_and_members() -> None:
    text = logs.JSONFormatter().format(record("did %s", "it", operation="AssumeRole", count=2))
    assert json.loads(text) == {
        "time": "1970-01-01T00:00:01.500Z",
        "level": "info",
        "logger": "locum.x",
        "message": "did it",
        "operation": "AssumeRole",
        "count": 2,
    }


def test_lines_of_one_request_bear_its_id() -> None:
    token = logs.request_id.set("7f0b")
    try:
        assert json.loads(logs.JSONFormatter().format(record("x")))["request_id"] == "7f0b"
        assert logs.TextFormatter().format(record("x")) == "locum: x request_id=7f0b"
    finally:
        logs.request_id.reset(token)
    assert "request_id" not in json.loads(logs.JSONFormatter().format(record("x")))


def test_members_cannot_stand_in_for_the_ones_that_the_formatter_sets() -> None:
    line = json.loads(logs.JSONFormatter().format(record("x", level="debug", request_id="forged", time="never")))
    assert (line["level"], line["time"]) == ("info", "1970-01-01T00:00:01.500Z")
    assert "request_id" not in line


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.facts("R38")
def test_a_secret_never_prints_wherever_it_is(form: str) -> None:
    stream = io.StringIO()
    logs.configure("debug", form, stream)
    secret = Secret("hushhush")
    log = logging.getLogger("locum.test")
    log.debug("an argument: %s %r", secret, secret)
    log.debug(f"formatted: {secret} {secret!r} {secret:>20}")
    log.debug("a member", extra={"key": secret, "nested": {"list": [secret]}})
    try:
        raise ValueError(secret)
    except ValueError:
        log.exception("an exception")
    assert "hushhush" not in stream.getvalue()
    assert stream.getvalue().count("***") >= 6


def test_a_terminal_gets_text_and_everything_else_json() -> None:
    stream = io.StringIO()
    logs.configure("info", "auto", stream)
    logging.getLogger("locum.test").info("x")
    assert lines(stream)[0]["message"] == "x"
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    logs.configure("info", "auto", terminal)
    logging.getLogger("locum.test").warning("x")
    assert terminal.getvalue() == "locum: warning: x\n"


def test_other_libraries_log_warnings_only_at_every_level() -> None:
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    logging.getLogger("sqlalchemy.engine").info("INSERT")
    logging.getLogger("asyncio").debug("x")
    logging.getLogger("uvicorn.error").warning("odd")
    logging.getLogger("locum.x").debug("ours")
    assert [each["message"] for each in lines(stream)] == ["odd", "ours"]


def test_the_level_is_the_least_that_is_logged() -> None:
    stream = io.StringIO()
    logs.configure("error", "json", stream)
    logging.getLogger("locum.x").warning("x")
    assert stream.getvalue() == ""


def test_text_stays_one_line() -> None:
    assert logs.TextFormatter().format(record("a\nlocum: b\x1b[31m")) == "locum: a\\nlocum: b\\x1b[31m"


def test_an_exception_comes_with_its_trace() -> None:
    try:
        raise ValueError("bad")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    assert "ValueError: bad" in json.loads(logs.JSONFormatter().format(record("x", exc_info=info)))["error"]
    assert logs.TextFormatter().format(record("x", exc_info=info)).startswith("locum: x\nTraceback")


def test_a_long_text_is_cut() -> None:
    line = json.loads(logs.JSONFormatter().format(record("x" * 100_000, member="y" * 100_000, other=object)))
    assert len(line["message"]) == len(line["member"]) == 8_192


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(object),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=5,
)


@given(st.text() | st.characters(categories=["Cs"]), values)
def test_whatever_is_logged_becomes_one_line(message: str, value: object) -> None:
    text = logs.JSONFormatter().format(record(message, member=value))
    assert isinstance(json.loads(text), dict)
    assert "\n" not in text
    assert "\n" not in logs.TextFormatter().format(record(message, member=value))
