"""Forms, query strings and raw paths: strict, bounded, and equal to the standard library for what is well-formed."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, quote_plus, unquote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from locum.errors import MalformedInput, MalformedQueryString
from locum.wire.form import MAX_PARAMETERS, MAX_PATH, check_target, parse_form

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@given(st.lists(st.tuples(TEXT, TEXT), max_size=8))
def test_what_was_encoded_comes_back(pairs: list[tuple[str, str]]) -> None:
    body = urlencode(pairs)
    assert parse_form(body) == parse_form(body.encode()) == pairs


@given(st.lists(st.one_of(TEXT.map(quote), TEXT.map(quote_plus), TEXT, st.sampled_from("&=+\r\n;")), max_size=12))
@example(["%3d%3D=", "&&", "a"])
def test_well_formed_bytes_are_read_as_the_standard_library_reads_them(parts: list[str]) -> None:
    body = "".join(parts).encode()
    if BAD_ESCAPE.search(body):
        return
    try:
        expected = parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(MalformedQueryString):
            parse_form(body)
    else:
        assert parse_form(body) == expected


@pytest.mark.facts("STS-SIG-T04")
@given(
    st.lists(st.sampled_from([b"%", b"%4", b"%41", b"%zz", b"\n", b"\r", b"=", b"7", b"&", b"4", b"%\n"]), max_size=9)
)
def test_an_escape_is_read_in_full_or_refused(parts: list[bytes]) -> None:
    body = b"".join(parts)
    if BAD_ESCAPE.search(body):
        with pytest.raises(MalformedQueryString):
            parse_form(body)
    else:
        text = body.decode()
        pieces = [piece.partition("=") for piece in text.split("&") if piece]
        assert parse_form(body) == [(unquote_plus(name), unquote_plus(value)) for name, _, value in pieces]


@given(st.binary(max_size=60))
def test_any_bytes_are_a_form_or_a_declared_error(body: bytes) -> None:
    try:
        assert all(isinstance(text, str) for pair in parse_form(body) for text in pair)
    except (MalformedQueryString, MalformedInput):
        return


@given(st.text(max_size=40))
def test_any_query_text_is_a_form_or_a_declared_error(query: str) -> None:
    try:
        parse_form(query)
    except (MalformedQueryString, MalformedInput):
        return


INCOMPLETE = "Incomplete trailing escape % sequence"
ILLEGAL = "Illegal hex character in escape % pattern: %"


@pytest.mark.facts("STS-SIG-T04")
@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("a=%", INCOMPLETE),
        ("a=%4", INCOMPLETE),
        ("a=%4&b=1", INCOMPLETE),
        ("a%=1", INCOMPLETE),
        ("a%4=1", INCOMPLETE),
        ("a=1&%", INCOMPLETE),
        ("a=%zz", ILLEGAL + "zz"),
        ("a=%4z1", ILLEGAL + "4z"),
        ("a=%=x", ILLEGAL + "=x"),
        ("a=b%2=", ILLEGAL + "2="),
        ("%zz=1", ILLEGAL + "zz"),
        ("a=%+1", ILLEGAL + "+1"),
        ("a=%%41", ILLEGAL + "%4"),
        ("a=%\n%41", ILLEGAL + "\n%"),
    ],
)
def test_unreadable_escapes_are_named(form: str, message: str) -> None:
    for data in (form, form.encode()):
        with pytest.raises(MalformedQueryString) as refused:
            parse_form(data)
        assert refused.value.message == message
        assert refused.value.status == 400
        assert type(refused.value).code == "MalformedQueryString"


@pytest.mark.parametrize("form", [b"a=%ff", b"a=\xff", b"%c3=1", b"a=%ed%a0%80", "a=Ā", b"\xc3=\xa9"])
def test_bytes_that_are_not_utf_8_are_refused(form: bytes | str) -> None:
    with pytest.raises(MalformedQueryString):
        parse_form(form)


def test_raw_utf_8_and_escaped_utf_8_are_the_same() -> None:
    raw = "näme=wért&a=%C3%A9é".encode()
    assert parse_form(raw) == parse_form(raw.decode("latin-1")) == [("näme", "wért"), ("a", "éé")]


def test_blank_names_values_and_pieces() -> None:
    assert parse_form("a&b=&&=c&d=e=f+g") == [("a", ""), ("b", ""), ("", "c"), ("d", "e=f g")]
    assert parse_form("%61&&%3D=%26") == [("a", ""), ("=", "&")]
    assert parse_form(b"") == parse_form("&") == []


def test_repeats_keep_their_order() -> None:
    assert parse_form("a=2&b=1&a=1") == [("a", "2"), ("b", "1"), ("a", "1")]


def test_size_is_bounded() -> None:
    assert parse_form(b"a=" + b"x" * 98, max_bytes=100) == [("a", "x" * 98)]
    with pytest.raises(MalformedInput):
        parse_form(b"a=" + b"x" * 99, max_bytes=100)


def test_the_number_of_parameters_is_bounded() -> None:
    assert len(parse_form("&".join(["a"] * MAX_PARAMETERS))) == MAX_PARAMETERS
    with pytest.raises(MalformedInput):
        parse_form("&" * MAX_PARAMETERS)
    assert parse_form("a&b", max_parameters=2) == [("a", ""), ("b", "")]
    with pytest.raises(MalformedInput):
        parse_form("a&b&c", max_parameters=2)


@pytest.mark.facts("STS-W-019", "STS-SIG-T01")
@pytest.mark.parametrize(
    ("path", "readable"),
    [
        ("/", True),
        ("/a/b%20c/", True),
        ("/a/../b", True),
        ("/a/./..", True),
        ("//", True),
        ("", False),
        ("*", False),
        ("a", False),
        ("http://host/", False),
        ("/%", False),
        ("/%4", False),
        ("/%4g", False),
        ("/..", False),
        ("/../a", False),
        ("/a/../../b", False),
        ("/%2e%2E/a", False),
        ("/a/.%2e/%2e./b", False),
        ("/./..", False),
        ("//..", False),
        ("/a b", False),
        ("/a\n", False),
        ("/é", False),
        ("/" + "a" * (MAX_PATH - 1), True),
        ("/" + "a" * MAX_PATH, False),
    ],
)
def test_a_path_is_absolute_readable_and_below_the_root(path: str, readable: bool) -> None:
    assert check_target(path) is readable


@given(st.text(max_size=40))
def test_every_target_has_an_answer(path: str) -> None:
    assert check_target(path) in (True, False)
