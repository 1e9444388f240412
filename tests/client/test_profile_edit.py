"""Settings written into shared files: what is asked for changes, and not a byte beside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.client.failures import ConfigurationFailure
from locum.client.profile_edit import MAX_NAME, check_name, edit
from locum.client.profiles import MAX_BYTES, parse

FILE = "the file"


def put(text: str, name: str = "me", kind: str = "", /, **settings: str | dict[str, str] | None) -> str:
    return edit(text.encode(), FILE, kind, name, settings).decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[me]\na = 1\n"),
        ("# mine", "# mine\n\n[me]\na = 1\n"),
        ("[x]\nb=2\n", "[x]\nb=2\n\n[me]\na = 1\n"),
        ("[x]\r\nb=2\r\n\r\n", "[x]\r\nb=2\r\n\r\n[me]\r\na = 1\r\n"),
        ("\ufeff[x]\nb = 2\n", "\ufeff[x]\nb = 2\n\n[me]\na = 1\n"),
        ("[me]\na = 0\n", "[me]\na = 1\n"),
        ("[me]\nA=0 ; old\n# c\n[x]", "[me]\na = 1\n# c\n[x]"),
        ("[me]", "[me]\na = 1\n"),
        ("[me]  # c\n\n[x]\na = 0\n", "[me]  # c\na = 1\n\n[x]\na = 0\n"),
        ("[me]\nb = 2\n# about x\n\n[x]\n", "[me]\nb = 2\na = 1\n# about x\n\n[x]\n"),
        ("[me]\n  a =\n    s = 1\n    t = 2\n  b = 2\n", "[me]\n  a = 1\n  b = 2\n"),
        ("[me]\na = 0\n  more\n  # c\n\nb = 2\n", "[me]\na = 1\n  # c\n\nb = 2\n"),
        ("[me]\nb =\n  s = 1\n[x]\n", "[me]\nb =\n  s = 1\na = 1\n[x]\n"),
        ("[me]\nb = 2", "[me]\nb = 2\na = 1\n"),
        ("[x]\nme = 1\n[ me ]\n", "[x]\nme = 1\n[ me ]\n\n[me]\na = 1\n"),
    ],
)
def test_a_setting_is_written_where_it_belongs(before: str, after: str) -> None:
    assert put(before, a="1") == after


def test_settings_are_removed_and_added_in_one_step() -> None:
    before = "[me]\na = 0\nold = 1\n  more\nb = 2\n"
    assert put(before, a="1", old=None, none=None, new="3") == "[me]\na = 1\nb = 2\nnew = 3\n"


def test_the_config_file_has_kinds_of_sections() -> None:
    before = "[default]\na = 0\n[profile 'me']\na = 0\n[me]\na = 0\n[profile \"]\n"
    assert put(before, "me", "profile", a="1") == before.replace("'me']\na = 0", "'me']\na = 1")
    assert put(before, "default", "profile", a="1") == before.replace("[default]\na = 0", "[default]\na = 1")
    assert put("", "other", "profile", a="1") == "[profile other]\na = 1\n"
    inner = {"endpoint_url": "http://127.0.0.1:1"}
    made = put("", "s", "services", sts=inner, iam=inner)
    assert made == (
        "[services s]\nsts =\n  endpoint_url = http://127.0.0.1:1\niam =\n  endpoint_url = http://127.0.0.1:1\n"
    )
    assert put(made, "s", "services", sts={"endpoint_url": "x"}) == made.replace("http://127.0.0.1:1", "x", 1)


@pytest.mark.parametrize("value", ["", "a\nb", "a\n[x]", " a", "a ", "a\x00", "a\x7f", "a\rb", "\u2028a"])
def test_a_value_that_would_be_read_differently_is_not_written(value: str) -> None:
    if value == "":
        assert put("[me]\nb = 2\n", a="") == "[me]\nb = 2\na = \n"
        return
    with pytest.raises(ConfigurationFailure, match="edit it by hand"):
        put("[me]\nb = 2\n", a=value)


def test_a_file_that_cannot_be_read_is_left_alone() -> None:
    for before in ("a = 1\n", "[me]\n[me]\n", "[me]\na = 1\na = 2\n", "[me\n", "[DEFAULT]\n"):
        with pytest.raises(ConfigurationFailure, match="the file, line"):
            put(before, a="1")
    with pytest.raises(ConfigurationFailure, match="larger"):
        put("#" * (MAX_BYTES + 1), a="1")
    with pytest.raises(ConfigurationFailure, match="by hand"):
        put("#" * MAX_BYTES, a="1")


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a]", "[a", "a\n", "é", "-a", "#a", "DEFAULT", "a" * (MAX_NAME + 1), "'a'"]
)
def test_a_name_that_tools_read_differently_is_not_written(name: str) -> None:
    with pytest.raises(ConfigurationFailure, match="profile's name"):
        check_name(name)
    with pytest.raises(ConfigurationFailure, match="profile's name"):
        put("", name, a="1")


names = st.sampled_from(["me", "x", "profile me", "services me", "a b", "default"])
settings = st.sampled_from(["a", "b", "aws_session_token", "Region"])
values = st.sampled_from(["", "1", "x = y", "# 1", "a b", "[z]"])
spaces = st.sampled_from(["", "", " ", "  ", "\t"])
ends = st.sampled_from(["\n", "\n", "\r\n", "\r"])
files = st.lists(
    st.one_of(
        st.builds("{}[{}]{}".format, spaces, names, st.sampled_from(["", " # c", "  "])),
        st.builds("{}{}{}={}{}".format, spaces, settings, spaces, spaces, values),
        st.builds("{}{}{}".format, spaces, st.sampled_from(["#", ";", ""]), values),
    ).flatmap(lambda line: ends.map(lambda end: line + end)),
    max_size=14,
).map("".join)


@given(files, names, st.sampled_from(["", "profile"]), st.dictionaries(settings.map(str.lower), values | st.none()))
def test_everything_else_means_what_it_meant(text: str, name: str, kind: str, wanted: dict[str, str | None]) -> None:
    try:
        before = parse(text.encode(), FILE)
        edited = edit(text.encode(), FILE, kind, name, wanted)
    except ConfigurationFailure:
        return
    title = name if kind == "" or name == "default" else f"profile {name}"
    after = {section.title: section.values for section in parse(edited, FILE)}
    mine = after.pop(title)
    assert after == {section.title: section.values for section in before if section.title != title}
    assert {key: mine.get(key) for key in wanted} == wanted
    rest = {key: value for section in before if section.title == title for key, value in section.values.items()}
    assert {k: v for k, v in mine.items() if k not in wanted} == {k: v for k, v in rest.items() if k not in wanted}
    comments = [line for line in text.splitlines() if line.strip().startswith(("#", ";"))]
    assert [line for line in edited.decode().splitlines() if line.strip() and line in comments] == comments
    assert edit(edited, FILE, kind, name, wanted) == edited
