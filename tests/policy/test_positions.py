"""Where the parts of a document stand: every path leads to its very text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.policy import MAX_CHARACTERS
from locum.policy.positions import Path, Position, Span, locate

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


def paths(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


@given(JSON, st.sampled_from([None, 0, 3]), st.booleans())
def test_every_path_leads_to_its_value(value: Any, indent: int | None, escaped: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=escaped)
    places = locate(text)
    for path, inner in paths(value):
        if len(path) > 8:
            continue
        span = places.value(*path)
        assert json.loads(text[slice(*span)]) == inner
        start, end = places.ends(span)
        assert offset(text, start) == span.start
        assert offset(text, end) == span.end - 1
        if path and isinstance(path[-1], str):
            assert json.loads(f"{{{text[slice(*places.member(*path))]}}}") == {path[-1]: inner}
    assert places.repeated == {}


def offset(text: str, position: Position) -> int:
    """Where a line and a column are in a text."""
    return sum(len(line) + 1 for line in text.split("\n")[: position.line - 1]) + position.column - 1


def test_index_zero_of_what_is_no_list_is_the_thing_itself() -> None:
    text = '{"Statement": {"Action": "a:b"}}'
    places = locate(text)
    assert places.statement(0) == places.value("Statement") == Span(14, 31)
    assert places.statement(0, "Action", 0) == places.value("Statement", "Action")
    assert places.statement(3, "Action") == places.value("Statement")


def test_a_path_that_leads_nowhere_ends_where_it_is_lost() -> None:
    places = locate('{"Statement": [{"Action": "a:b"}]}')
    assert places.statement(0, "Resource", 5) == places.statement(0)
    assert places.value("Nothing") == places.value()


def test_lines_end_with_a_newline_and_with_both_characters() -> None:
    places = locate('{"a": 1,\r\n "b":\n2}')
    assert places.position(places.value("b").start) == Position(3, 1)
    assert places.position(places.member("b").start) == Position(2, 2)


def test_a_repeated_name_is_told_by_its_last_place() -> None:
    places = locate('{"a": 1, "b": {"a": 2, "\\u0061": 3}}')
    assert places.repeated == {("b", "a"): Span(23, 31)}


@pytest.mark.parametrize("text", ["", " ", "{", '{"a"', '{"a": ', "}", "]]", ",", "[1,", '{"a": "b', "[" * 10_000])
def test_of_a_broken_text_the_beginning_is_known(text: str) -> None:
    places = locate(text)
    start, end = places.ends(places.value("a", 0))
    assert start.line >= 1
    assert end.column >= 1


@given(st.text(alphabet='{}[]:," ab0\n\\', max_size=40))
def test_any_text_is_located(text: str) -> None:
    places = locate(text)
    for path in ((), ("a",), (0, "b"), ("Statement", 0)):
        span = places.member(*path)
        assert 0 <= span.start < span.end <= max(len(text), 1)


def test_what_is_beyond_the_longest_document_is_not_looked_at() -> None:
    places = locate('{"a": 1}' + " " * MAX_CHARACTERS + "\n" * 5)
    assert places.value() == Span(0, 8)
    assert places.position(MAX_CHARACTERS + 20).line == 1
