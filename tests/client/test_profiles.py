"""Shared configuration files: read as botocore reads them, and refused with file, line and what to write instead."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import botocore.configloader
import botocore.exceptions
import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.client import profiles
from locum.client.failures import ConfigurationFailure
from locum.client.profiles import MAX_BYTES, MAX_SECTIONS, Profiles, Section, chosen_name, combine, files, load, parse

from .stage import Stage

CONFIG = b"""\
# people comment
[default]
region = eu-central-1
output=json

[profile ops]
role_arn: arn:aws:iam::111122223333:role/ops
source_profile = default
services = local
s3 =
    addressing_style = path
    # a comment inside
    signature_version = s3v4

[profile "with space"]
Region = us-west-2

[services local]
sts =
  endpoint_url = http://127.0.0.1:8080
iam =
  endpoint_url = http://127.0.0.1:8081

[sso-session corp]
sso_region = eu-west-1

[plugins]
cli_legacy_plugin_path = somewhere
"""
CREDENTIALS = b"""\
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = se/cr=et

[ci]
aws_access_key_id = AKIACI
aws_secret_access_key = other
region = ap-south-1
"""


def both(config: bytes = CONFIG, credentials: bytes = CREDENTIALS) -> Profiles:
    return combine(parse(config, "config"), parse(credentials, "credentials"), ("config", "credentials"))


# What is read


def test_profiles_of_both_files() -> None:
    read = both()
    assert list(read.profiles) == ["default", "ops", "with space", "ci"]
    assert read.get("with space").text("region") == "us-west-2"
    assert read.get("ops").text("role_arn") == "arn:aws:iam::111122223333:role/ops"
    assert read.get("default").values == {
        "region": "eu-central-1",
        "output": "json",
        "aws_access_key_id": "AKIADEFAULT",
        "aws_secret_access_key": "se/cr=et",
    }
    assert read.get("default").stored.keys() == {"aws_access_key_id", "aws_secret_access_key"}
    assert read.get("default").configured.keys() == {"region", "output"}
    assert read.sso_sessions == {"corp"}


def test_the_credentials_file_comes_first_where_both_have_a_setting() -> None:
    read = both(b"[default]\nregion = a\n", b"[default]\nregion = b\n")
    assert read.get("default").text("region") == "b"
    assert read.get("default").place("region") == "credentials, line 2"
    assert read.get("default").configured == {"region": "a"}


def test_settings_inside_a_setting() -> None:
    ops = both().get("ops")
    assert ops.inner("s3") == {"addressing_style": "path", "signature_version": "s3v4"}
    assert ops.text("s3") is None
    assert ops.inner("region") == {}


@pytest.mark.facts("STS-CL-033")
def test_a_services_section_gives_the_endpoint_of_a_service() -> None:
    read = both()
    assert read.service(read.get("ops"), "sts") == {"endpoint_url": "http://127.0.0.1:8080"}
    assert read.service(read.get("ops"), "s3") == {}
    assert read.service(read.get("default"), "sts") == {}


def test_a_services_section_that_does_not_exist_is_named_with_its_place() -> None:
    read = both(b"[default]\n\nservices = nowhere\n", b"")
    with pytest.raises(ConfigurationFailure, match=r"^config, line 3: there is no section \[services nowhere\]"):
        read.service(read.get("default"), "sts")


def test_a_profile_that_does_not_exist_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigurationFailure) as caught:
        both().find("opps")
    assert str(caught.value) == "there is no profile 'opps' in config or credentials; did you mean 'ops'?"
    assert both().get("opps").values == {}


# The same as botocore reads


NAME = st.sampled_from(["region", "Region", "s3", "aws_access_key_id", "x y", "", "a.b"])
TEXT = st.sampled_from(["1", "a = b", "", "a:b", "x # no comment", "[z]", "  padded  ", "ä", "#", "';"])
INDENT = st.sampled_from(["", "", "", " ", "  ", "\t"])
LINE = st.one_of(
    st.builds(
        lambda title: f"[{title}]",
        st.sampled_from(
            ["default", "profile a", "profile b", "a", "b", "services s", 'profile "q r"', "sso-session o"]
        ),
    ),
    st.builds(lambda title: f"[{title}] # and a comment", st.sampled_from(["profile c", "c"])),
    st.builds(
        lambda *parts: "".join(parts), INDENT, NAME, st.sampled_from(["=", " = ", ":", " : ", "", " =", "= "]), TEXT
    ),
    st.builds(lambda indent, mark: f"{indent}{mark} comment", INDENT, st.sampled_from("#;")),
    st.sampled_from(["", "   ", "[profile", "[]", "nonsense"]),
)


SETTING = st.builds(
    lambda name, equals, value, inner: [f"{name}{equals}{value}", *(f"  {each}" for each in inner)],
    st.sampled_from(["region", "S3", "aws_access_key_id", "x y", "a.b"]),
    st.sampled_from(["=", " = ", ":", " : "]),
    TEXT,
    st.lists(st.sampled_from(["a = 1", "b=2=3", "# c", "", "plain", "C = x # y"]), max_size=3),
)
SECTION = st.builds(
    lambda title, settings: [f"[{title}]", *(line for setting in settings for line in setting)],
    st.sampled_from(["default", "profile a", "profile b", "other", "services s", 'profile "q r"', "sso-session o"]),
    st.lists(SETTING, max_size=4, unique_by=lambda lines: lines[0][:2].lower()),
)
TIDY = st.lists(SECTION, max_size=4, unique_by=lambda lines: lines[0]).map(lambda all: [x for y in all for x in y])


def botocore_reads(path: Path) -> Any:
    try:
        return botocore.configloader.load_config(str(path))
    except (botocore.exceptions.ConfigParseError, UnicodeDecodeError):
        return None


def test_files_are_read_as_botocore_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "config"
    seen = agreed = 0

    @given(st.one_of(st.lists(LINE, max_size=8), TIDY), st.sampled_from(["\n", "\r\n"]))
    def compare(lines: list[str], end: str) -> None:
        nonlocal seen, agreed
        seen += 1
        data = end.join(lines).encode()
        path.write_bytes(data)
        theirs = botocore_reads(path)
        try:
            ours = combine(parse(data, "config"), ())
        except ConfigurationFailure:
            # botocore takes "[profile = x" for a setting; everything else that we refuse, it refuses.
            assert theirs is None or any(line.lstrip().startswith("[") and "]" not in line for line in lines)
            return
        assert theirs is not None
        assert {name: dict(each.values) for name, each in ours.profiles.items()} == theirs["profiles"]
        assert {name: dict(each) for name, each in ours.services.items()} == theirs["services"]
        assert ours.sso_sessions == set(theirs["sso_sessions"])
        agreed += bool(ours.profiles)

    compare()
    assert agreed > seen / 5


def test_both_files_together_are_read_as_botocore_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, variable, data in (
        ("config", "AWS_CONFIG_FILE", CONFIG),
        ("credentials", "AWS_SHARED_CREDENTIALS_FILE", CREDENTIALS),
    ):
        (tmp_path / name).write_bytes(data)
        monkeypatch.setenv(variable, str(tmp_path / name))
    theirs = botocore.session.Session().full_config["profiles"]
    assert {name: dict(each.values) for name, each in both().profiles.items()} == theirs


# What is refused


@pytest.mark.parametrize(
    ("data", "line", "fix"),
    [
        (b"region = x\n", 1, "write [default] above it"),
        (b"[default]\nregion\n", 2, "write name = value"),
        (b"[default]\n= x\n", 2, "write name = value"),
        (b"[default\n", 1, "write [profile NAME]"),
        (b"[]\n", 1, "write [profile NAME]"),
        (b"[profile a] b\n", 1, "write [profile NAME]"),
        (b"[DEFAULT]\nregion = x\n", 1, "write [default]"),
        (b"[default]\n\n[default]\n", 3, "merge the two"),
        (b"[default]\na = 1\nA = 2\n", 3, "remove one of the two"),
        (b"[default]\ns3 =\n  a = 1\n  b\n", 4, "write name = value"),
        (b"[default]\na = \xff\n", 2, "save the file as UTF-8"),
        (b"[default]\na = x\x00y\n", 2, "remove it"),
        (b"[default]\na = x\x1by\n", 2, "remove it"),
    ],
)
def test_what_cannot_be_read_is_named_with_file_line_and_fix(data: bytes, line: int, fix: str) -> None:
    with pytest.raises(ConfigurationFailure) as caught:
        parse(data, "the file")
    assert str(caught.value).startswith(f"the file, line {line}: ")
    assert fix in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"[default]\naws_secret_access_key wJalrXSECRET\n",
        b"aws_secret_access_key = wJalrXSECRET\n",
        b"[default]\ns3 =\n  wJalrXSECRET\n",
        b"[wJalrXSECRET\n",
        b"[default]\n=wJalrXSECRET\n",
    ],
)
@pytest.mark.facts("R38")
def test_messages_never_quote_a_line(data: bytes) -> None:
    with pytest.raises(ConfigurationFailure) as caught:
        parse(data, "the file")
    assert "wJalrXSECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.facts("R38")
def test_what_was_read_does_not_print() -> None:
    shown = f"{parse(CREDENTIALS, 'credentials')!r} {both().get('default')!r}"
    assert "se/cr=et" not in shown
    assert "AKIADEFAULT" not in shown


def test_size_and_number_of_sections_are_bounded() -> None:
    with pytest.raises(ConfigurationFailure, match="larger than"):
        parse(b"#" * (MAX_BYTES + 1), "config")
    many = b"".join(b"[p%d]\n" % number for number in range(MAX_SECTIONS + 1))
    assert len(parse(many[: many.rindex(b"[")], "config")) == MAX_SECTIONS
    with pytest.raises(ConfigurationFailure, match=f"line {MAX_SECTIONS + 1}: there are more than"):
        parse(many, "config")


@given(st.binary(max_size=200))
def test_any_bytes_give_sections_or_the_declared_error(data: bytes) -> None:
    with contextlib.suppress(ConfigurationFailure):
        assert all(isinstance(each, Section) for each in parse(data, "config"))


def test_other_tools_sections_and_a_byte_order_mark_do_no_harm() -> None:
    read = combine(parse(b"\xef\xbb\xbf[default]\na = 1\n[profile x y z]\nb = 1\n[toolbox]\nc = 1\n", "config"), ())
    assert list(read.profiles) == ["default"]


# Where the files are


def test_the_files_that_are_read() -> None:
    assert files({"HOME": "/h"}) == profiles.Files("/h/.aws/config", "/h/.aws/credentials")
    chosen = {"HOME": "/h", "AWS_CONFIG_FILE": "~/c", "AWS_SHARED_CREDENTIALS_FILE": "/etc/k"}
    assert files(chosen) == profiles.Files("/h/c", "/etc/k")


def test_loading_reads_both_and_takes_a_missing_one_for_empty() -> None:
    stage = Stage()
    environment = {"HOME": "/h"}
    assert stage.play(load(environment)).profiles == {}
    stage.files = {"/h/.aws/config": CONFIG}
    assert "ops" in stage.play(load(environment)).profiles
    stage.files["/h/.aws/credentials"] = CREDENTIALS
    assert "ci" in stage.play(load(environment)).profiles
    stage.files["/h/.aws/credentials"] = b"nonsense"
    with pytest.raises(ConfigurationFailure, match=r"^/h/\.aws/credentials, line 1: "):
        stage.play(load(environment))


def test_a_file_that_may_not_be_read_is_no_empty_file() -> None:
    stage = Stage()
    stage.files = {"/h/.aws/config": PermissionError(13, "Permission denied")}
    with pytest.raises(ConfigurationFailure, match=r"^/h/.aws/config: cannot be read: Permission denied$"):
        stage.play(load({"HOME": "/h"}))


@pytest.mark.parametrize(
    "environment",
    [{}, {"AWS_PROFILE": "a"}, {"AWS_DEFAULT_PROFILE": "b"}, {"AWS_PROFILE": "a", "AWS_DEFAULT_PROFILE": "b"}],
)
def test_the_chosen_profile_is_the_one_that_botocore_chooses(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert chosen_name(environment) == botocore.session.Session().get_config_variable("profile")
