"""What shells execute: each real shell reads back exactly the values, whatever they hold."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locum.cli.formats import FORMATS, dotenv, fish, posix, powershell, variables
from locum.client.credentials.base import Credentials, read_document
from locum.client.failures import CredentialsFailure
from locum.secret import Secret

CREDENTIALS: Final = Credentials(
    "ASIAIOSFODNN7EXAMPLE",
    Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    Secret("AQoDYXdzE//+=="),
    datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "111122223333",
)
HOSTILE: Final = (
    "",
    "'",
    "''",
    "'; touch owned; '",
    "$(touch owned)",
    "`touch owned`",
    "${HOME}",
    "$HOME",
    "a b  c ",
    " ",
    "\\",
    "\\'",
    "\\\\'",
    'a"b',
    "a\\nb",
    "*",
    "~",
    "=ls",
    "!!",
    "-n",
    "#",
    "%s%n",
    "‘a’‚b‛",
    "’; touch owned; ’",
    "“a”",
    "(touch owned)",
    "{a,b}",
    "a;b&c|d<e>f",
    "ü€😀",
)
PRINTABLE: Final = st.text(
    st.one_of(st.characters(exclude_categories=["C", "Z"]), st.sampled_from(" '\"\\$`!*?~#&;|<>(){}[]=%‘’‚‛“”"))
)

Writer = Callable[[Mapping[str, str]], str]


def in_place(name: str) -> str:
    """The path of a shell; the test is skipped, and says so, where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: its quoting is only compared with the text that it should be")
    return found


SHELLS: Final[dict[str, tuple[Writer, list[str]]]] = {
    "sh": (posix, ["-c", ". ./values; env -0"]),
    "dash": (posix, ["-c", ". ./values; env -0"]),
    "bash": (posix, ["--norc", "--noprofile", "-c", ". ./values; env -0"]),
    "zsh": (posix, ["-f", "-c", ". ./values; env -0"]),
    "fish": (fish, ["--no-config", "-c", "source ./values; env -0"]),
    "pwsh": (powershell, ["-NoProfile", "-Command", "Get-Content ./values | Invoke-Expression; env -0"]),
}


def read_back(shell: str, values: Mapping[str, str], folder: Path) -> dict[str, str]:
    writer, arguments = SHELLS[shell]
    (folder / "values").write_text(writer(values), encoding="utf-8")
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    done = subprocess.run(
        [in_place(shell), *arguments],
        cwd=folder,
        env=environment | {"HOME": str(folder), "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    pairs = (each.partition("=") for each in done.stdout.decode().split("\0"))
    return {name: value for name, _, value in pairs if name in values}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_reads_back_hostile_values_and_runs_nothing(shell: str, tmp_path: Path) -> None:
    values = {f"V{number}": value for number, value in enumerate(HOSTILE)}
    assert read_back(shell, values, tmp_path) == {
        name: value for name, value in values.items() if value or shell != "pwsh"
    }
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_reads_back_any_printable_values(shell: str, tmp_path: Path) -> None:
    @settings(max_examples=25)
    @given(st.lists(PRINTABLE.filter(bool), min_size=1, max_size=40))
    def holds(texts: list[str]) -> None:
        values = {f"V{number}": value for number, value in enumerate(texts)}
        assert read_back(shell, values, tmp_path) == values

    in_place(shell)
    holds()


@pytest.mark.parametrize("writer", [posix, fish, powershell])
@given(st.lists(PRINTABLE, min_size=1, max_size=5))
def test_every_value_is_one_line(writer: Writer, texts: list[str]) -> None:
    assert len(writer({f"V{number}": value for number, value in enumerate(texts)}).splitlines()) == len(texts)


@pytest.mark.parametrize(
    ("value", "quoted"),
    [("a'b", "'a''b'"), ("‘a’", "'‘‘a’’'"), ("‚a‛", "'‚‚a‛‛'"), ("$(x)`n", "'$(x)`n'"), ('"', "'\"'"), ("", "''")],
)
def test_powershell_takes_every_kind_of_single_quote_for_one(value: str, quoted: str) -> None:
    assert powershell({"A": value}) == f"$Env:A = {quoted}\n"


@pytest.mark.parametrize("writer", [posix, fish, powershell, dotenv])
@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "\x1b[2J", "\x85", "\u2028", "\u202e", "\udc80"])
def test_control_characters_are_refused_unseen(writer: Writer, value: str) -> None:
    with pytest.raises(CredentialsFailure) as refused:
        writer({"SECRET": value})
    assert value not in str(refused.value)


@pytest.mark.parametrize("writer", [posix, fish, powershell, dotenv])
@pytest.mark.parametrize("name", ["", "A B", "1A", "A;touch owned", "A\n", "Ä"])
def test_a_name_that_is_none_is_refused(writer: Writer, name: str) -> None:
    with pytest.raises(CredentialsFailure, match="is no name"):
        writer({name: "a"})


@given(st.text())
def test_a_dotenv_value_means_itself_or_is_refused(value: str) -> None:
    try:
        line = dotenv({"A": value})
    except CredentialsFailure:
        return
    assert line == f"A={value}\n"
    assert not set("'\"\\$`#; \t\n!(){}[]<>|&*?~^") & set(value)


@pytest.mark.facts("STS-CL-026")
def test_json_and_the_output_of_a_process_hold_all_that_is_known() -> None:
    document = json.loads(FORMATS["json"](CREDENTIALS))
    assert document == {
        "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "SessionToken": "AQoDYXdzE//+==",
        "Expiration": "2026-01-02T03:04:05Z",
        "AccountId": "111122223333",
    }
    written = FORMATS["credential-process"](CREDENTIALS)
    assert json.loads(written) == {"Version": 1, **document}
    assert read_document(written.encode(), "here", process=True) == CREDENTIALS


def test_keys_that_stay_have_no_expiration_and_an_empty_token() -> None:
    keys = Credentials("AKIAIOSFODNN7EXAMPLE", Secret("s"))
    assert variables(keys) == {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_SESSION_TOKEN": "",
    }
    assert json.loads(FORMATS["json"](keys)).keys() == {"AccessKeyId", "SecretAccessKey"}


@pytest.mark.parametrize(
    ("form", "first"),
    [
        ("env", "export AWS_ACCESS_KEY_ID='ASIAIOSFODNN7EXAMPLE'"),
        ("fish", "set -gx AWS_ACCESS_KEY_ID 'ASIAIOSFODNN7EXAMPLE'"),
        ("powershell", "$Env:AWS_ACCESS_KEY_ID = 'ASIAIOSFODNN7EXAMPLE'"),
        ("dotenv", "AWS_ACCESS_KEY_ID=ASIAIOSFODNN7EXAMPLE"),
    ],
)
def test_a_format_sets_the_four_variables(form: str, first: str) -> None:
    lines = FORMATS[form](CREDENTIALS).splitlines()
    assert (lines[0], len(lines)) == (first, 4)
