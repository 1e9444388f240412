"""The readers of YAML and JSON: the same tree with the place of everything, bounded, and one kind of refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.server.declared import source
from locum.server.declared.form import _MEMBERS, _TOP
from locum.server.declared.source import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_NODES,
    Node,
    Number,
    Place,
    SourceError,
    plain,
    read_json,
    read_source,
    read_yaml,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def loosely(values: Any) -> Any:
    """A value of Python's own JSON reader as ours has it."""
    if isinstance(values, dict):
        return {name: loosely(each) for name, each in values.items()}
    if isinstance(values, list):
        return [loosely(each) for each in values]
    return Number(values) if isinstance(values, _Numeral) else values


class _Numeral(str):
    pass


@given(JSON, st.sampled_from([None, 1, "\t"]))
def test_json_is_read_as_everybody_reads_it(values: Any, indent: int | str | None) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=False)
    expected = loosely(json.loads(text, parse_int=_Numeral, parse_float=_Numeral))
    assert plain(read_json(text)) == expected


@given(st.text(alphabet='{}[]:,"\\u0123eE+-. \n\ttrueflsn😀', max_size=40))
def test_what_is_json_to_us_is_json_to_everybody(text: str) -> None:
    try:
        ours = plain(read_json(text))
    except SourceError:
        return
    theirs = json.loads(text, parse_int=_Numeral, parse_float=_Numeral)
    assert loosely(theirs) == ours


@given(st.text() | st.text(alphabet="&*!|>-?:[]{},'\"#% \n\tab12~"))
def test_any_text_is_a_tree_or_a_declared_error(text: str) -> None:
    for read in (read_yaml, read_json):
        try:
            node = read(text)
        except SourceError as error:
            place = error.fault.place
            assert place.line >= 1
            assert place.column >= 1
            assert place.line <= text.count("\n") + text.count("\r") + 5
        else:
            plain(node)


def at(node: Node, *path: str | int) -> Node:
    found: Any = node
    for step in path:
        found = found.value[step]
    assert isinstance(found, Node)
    return found


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_yaml, "a:\n  b: [x, 'yy',\n    {c: d}]\n"),
        (read_json, '{"a":\n  {"b":["x", "yy",\n    {"c": "d"}]}}\n'),
    ],
)
def test_everything_has_its_line_and_column(read: Any, text: str) -> None:
    node = read(text)
    assert plain(node) == {"a": {"b": ["x", "yy", {"c": "d"}]}}
    lines = text.splitlines()
    for path, written in (("a", "b", 0), "x"), (("a", "b", 1), "yy"), (("a", "b", 2, "c"), "d"):
        place = at(node, *path).place
        assert lines[place.line - 1][place.column - 1 :].lstrip("\"'").startswith(written)
    assert at(node, "a", "b", 2).names["c"].line == 3


def test_yaml_means_what_it_says() -> None:
    text = "n: 012\nno: no\nday: 2012-10-17\nnumber: 12\nf: 1.50\nt: true\nnull: ~\ne: 1e3\nq: '12'\nl: |\n  a\n  b\n"
    assert plain(read_yaml(text)) == {
        "n": "012",
        "no": "no",
        "day": "2012-10-17",
        "number": Number("12"),
        "f": Number("1.50"),
        "t": True,
        "null": None,
        "e": "1e3",
        "q": "12",
        "l": "a\nb\n",
    }
    assert type(plain(read_yaml("'12'"))) is str
    assert plain(read_yaml("")) == {}


def test_an_anchor_stands_for_what_it_names() -> None:
    assert plain(read_yaml("a: &x {b: [1]}\nc: *x\n")) == {"a": {"b": ["1"]}, "c": {"b": ["1"]}}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: [1, 2\nc: }\n", 3, "no YAML"),
        ("a: 1\na: 2\n", 2, "a second time"),
        ("a: !!str 1\n", 1, "tags have no meaning"),
        ("a: !x {b: 1}\n", 1, "tags have no meaning"),
        ("a: 1\n--- \nb: 2\n", 2, "a second document"),
        ("a: *x\n", 1, "no anchor &x"),
        ("a: &x\n  b: *x\n", 2, "no anchor &x"),
        ("? [a]\n: b\n", 1, "a name is a plain text"),
        ("a: \x01\n", 1, "no YAML"),
        ('{"a": 1,\n "a": 2}', 2, "a second time"),
        ('{"a": 1,}', 1, "expected name"),
        ('{"a" 1}', 1, "expected :"),
        ('{"a": 1} x', 1, "after its end"),
        ('{"a": [1\n', 2, "before it is complete"),
        ('{"a": "\\x"}', 1, "escape"),
        ('{"a": "\\ud800"}', 1, "surrogate"),
        ('{"a": 01}', 1, "is no value"),
        ('{"a": NaN}', 1, "is no value"),
        ('{"a": "x\ny"}', 1, "no JSON"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(SourceError, match=said) as refused:
        read_source(text, "")
    assert refused.value.fault.place.line == line


@pytest.mark.parametrize("read", [read_yaml, read_json])
def test_depth_is_bounded(read: Any) -> None:
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 5_000):
        with pytest.raises(SourceError, match="deeper"):
            read("[" * depth + "]" * depth)


def test_aliases_make_nothing_larger_or_deeper_than_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_NODES", 10_000)
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join(f'*a{n - 1}' for _ in range(10))}]\n" for n in range(1, 9)
    )
    with pytest.raises(SourceError, match="more than 10000 values"):
        read_yaml(laughs)
    nested = "a0: &a0 []\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 40))
    with pytest.raises(SourceError, match="deeper"):
        read_yaml(nested)


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_CHARACTERS", 10)
    for read in (read_yaml, read_json):
        assert read('["12345" ]') is not None
        with pytest.raises(SourceError, match="longer"):
            read('["123456" ]')


@pytest.mark.parametrize(
    ("name", "text", "json"),
    [
        ("a.json", "{a: b}", True),
        ("a.yaml", "{a: b}", False),
        ("a.yml", "{a: b}", False),
        ("-", " \n{a: b}", True),
        ("-", "a: b", False),
    ],
)
def test_the_name_or_the_first_character_tells_json_from_yaml(name: str, text: str, json: bool) -> None:
    if json:
        with pytest.raises(SourceError, match="no JSON"):
            read_source(text, name)
    else:
        assert plain(read_source(text, name)) == {"a": "b"}


def test_places_count_from_one() -> None:
    assert read_json("\n  7").place == Place(2, 3)
    assert read_yaml("\n  7").place == Place(2, 3)


def test_the_page_names_every_member_of_the_form() -> None:
    page = (Path(__file__).parents[2] / "docs" / "apply.md").read_text().partition("\n## The form\n")[2]
    members = {name for each in _MEMBERS.values() for name in each} | set(_TOP)
    assert {name for name in members if f"`{name}`" not in page} == set()
    assert f"{MAX_CHARACTERS:,} characters" in page
    assert f"{MAX_NODES:,} values" in page
    assert f"{MAX_DEPTH}\nlevels" in page
