"""The command line: results on standard output, troubles on standard error, exit statuses."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest

from locum import __version__
from locum.cli import COMMANDS, cli
from locum.cli.report import report, table
from locum.core.sealing import CannotOpen
from locum.server.bootstrap import bootstrap
from locum.server.config import SETTINGS, ConfigError, Problem, Refused, Settings
from locum.server.data import open_data
from locum.server.ring import load_ring
from locum.store import Locked, StoreError

from .terminal import Terminal, settle


@pytest.fixture
def locum(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    settle(monkeypatch, tmp_path)
    return Terminal(capsys)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a data directory that a first start has made."""
    settings = Settings(data=tmp_path / "locum-data")
    data = open_data(settings, create=True)
    bootstrap(data.store, data.vault, settings, 1_700_000_000, os.urandom)
    data.store.close()
    return settings


def test_the_overview_names_every_command_without_importing_it() -> None:
    script = (
        "import sys\nfrom locum.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit as end:\n"
        "    print(end.code, 'sqlalchemy' in sys.modules, 'cryptography' in sys.modules, 'uvicorn' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    for name, (_, text) in COMMANDS.items():
        assert f"  {name}" in done.stdout
        assert text in done.stdout
    assert done.stdout.splitlines()[-1] == "0 False False False"


def test_every_command_is_the_one_that_the_overview_names() -> None:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name


def test_serve_has_an_option_for_every_setting_that_may_have_one(locum: Terminal) -> None:
    status, out, err = locum("serve", "--help")
    assert (status, err) == (0, "")
    flat = " ".join(out.split())
    for setting in SETTINGS.values():
        if setting.option is None:
            assert f"--{setting.key} " not in out
        else:
            assert f"  {setting.option}" in out
            assert setting.help in flat
            assert f"[{setting.variable}" in flat
    assert "--config FILE" in out


@pytest.mark.parametrize("asked", ["version", "--version"])
def test_version_is_the_result_alone(locum: Terminal, asked: str) -> None:
    assert locum(asked) == (0, f"{__version__}\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_result_that_finds_no_room_is_a_failure() -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "locum", "version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (
        1,
        "locum: the result cannot be written: No space left on device\n",
    )


@pytest.mark.parametrize(
    ("arguments", "text", "hint"),
    [
        (["sevre"], "there is no command 'sevre'", "did you mean serve?"),
        (["zzz"], "there is no command 'zzz'", "locum --help shows the commands"),
        (["keys", "lst"], "No such command 'lst'", "locum keys --help"),
        (["serve", "--prot", "1"], "No such option", "locum serve --help"),
        (["keys", "retire"], "Missing argument 'ID'", "locum keys retire --help"),
        (["serve", "--port", "x"], "--port must be a whole number", "Port to listen on"),
        (["serve", "--host", "0.0.0.0"], "listening on 0.0.0.0 without TLS", "--tls-terminated"),
    ],
)
def test_wrong_usage_is_status_two_with_a_hint(locum: Terminal, arguments: list[str], text: str, hint: str) -> None:
    status, out, err = locum(*arguments)
    assert (status, out) == (2, "")
    first, second = err.splitlines()
    assert first.startswith("locum: ")
    assert text in first
    assert second.startswith("hint: ")
    assert hint in second


def test_no_command_shows_the_help_as_wrong_usage(locum: Terminal) -> None:
    status, out, err = locum()
    assert (status, out) == (2, "")
    assert err.startswith("Usage: locum")


def test_a_data_directory_that_is_not_there_is_named(locum: Terminal) -> None:
    status, out, err = locum("keys", "list")
    assert (status, out) == (1, "")
    assert err.splitlines()[0].endswith("/locum-data")
    assert err.splitlines()[1].startswith("hint: name it with --data")


def test_the_environment_and_a_file_name_the_data_directory_too(
    locum: Terminal, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = settings.data.rename(tmp_path / "moved")
    assert locum("account", "list").status == 1
    assert locum("account", "list", "--data", "moved").status == 0
    monkeypatch.setenv("LOCUM_DATA", str(moved))
    assert locum("account", "list").status == 0
    monkeypatch.delenv("LOCUM_DATA")
    (tmp_path / "locum.toml").write_text('data = "moved"\nhost = "0.0.0.0"\n')
    assert locum("account", "list", "--config", "locum.toml").status == 0


def test_keys_are_listed_rotated_and_retired(locum: Terminal, settings: Settings) -> None:
    status, out, err = locum("keys", "list", "--json")
    (first,) = json.loads(out)
    assert (status, err) == (0, "")
    assert first == {"id": first["id"], "created": "2023-11-14T22:13:20Z", "state": "sealing"}
    status, out, err = locum("keys", "rotate")
    second = out.strip()
    assert (status, err) == (0, "")
    assert locum("keys", "list").out.splitlines()[1:] == [
        f"{first['id']}  {first['created']}  opening",
        locum("keys", "list").out.splitlines()[2],
    ]
    assert [each["state"] for each in json.loads(locum("keys", "list", "--json").out)] == ["opening", "sealing"]
    assert locum("keys", "retire", first["id"]) == (0, "", "")
    assert [each["state"] for each in json.loads(locum("keys", "list", "--json").out)] == ["retired", "sealing"]
    status, out, err = locum("keys", "retire", second)
    assert (status, out) == (1, "")
    assert "is the last one that is not retired" in err
    assert "hint: run `locum keys rotate` first" in err
    status, _, err = locum("keys", "retire", "ffffffff")
    assert status == 1
    assert "there is no ring key 'ffffffff'" in err


def test_a_server_that_has_the_directory_open_sees_what_a_command_changed(locum: Terminal, settings: Settings) -> None:
    server = open_data(settings)
    with server.store.snapshot() as rows:
        before = load_ring(rows, server.vault)
        revision = server.store.revision
    fresh = locum("keys", "rotate").out.strip()
    assert server.store.revision != revision
    with server.store.snapshot() as rows:
        after = load_ring(rows, server.vault)
    server.store.close()
    assert after.key_ids == (*before.key_ids, fresh)
    assert after.sealing_key_id == fresh


def test_an_account_is_made_and_its_key_is_shown_once(locum: Terminal, settings: Settings) -> None:
    status, out, err = locum("account", "create", "--name", "ops", "--id", "000000000042")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert "account 000000000042" in lines[0]
    assert [line.split(" = ")[0] for line in lines[1:]] == [
        "[default]",
        "aws_access_key_id",
        "aws_secret_access_key",
    ]
    listed = json.loads(locum("account", "list", "--json").out)
    assert [(each["id"], each["name"]) for each in listed][1:] == [("000000000042", "ops")]
    secret = lines[3].split(" = ")[1]
    assert secret not in locum("account", "list").out
    status, out, err = locum("account", "create", "--id", "000000000042")
    assert (status, out) == (1, "")
    assert "there is an account 000000000042 already" in err
    made = json.loads(locum("account", "create", "--json").out)
    assert sorted(made) == ["AccessKeyId", "Account", "SecretAccessKey"]


def test_a_root_key_is_replaced_and_the_file_with_it(locum: Terminal, settings: Settings) -> None:
    file = settings.data / "root-credentials"
    before = file.read_text()
    status, out, err = locum("root", "reset-key")
    assert (status, err) == (0, "")
    assert file.read_text() == out != before
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    other = json.loads(locum("account", "create", "--json").out)
    status, _, err = locum("root", "reset-key")
    assert status == 1
    assert "there are 2 accounts" in err
    fresh = json.loads(locum("root", "reset-key", "--account", other["Account"], "--json").out)
    assert fresh["Account"] == other["Account"]
    assert fresh["AccessKeyId"] != other["AccessKeyId"]
    assert file.read_text() == out


def test_a_missing_wrapping_key_is_named(locum: Terminal, settings: Settings) -> None:
    (settings.data / "wrapping.key").unlink()
    status, out, err = locum("keys", "rotate")
    assert (status, out) == (1, "")
    assert "wrapping key" in err
    assert "hint: " in err


def test_a_newer_schema_is_refused_in_clear_words(locum: Terminal, settings: Settings) -> None:
    with sqlite3.connect(settings.data / "locum.db") as connection:
        connection.execute("UPDATE locum_state SET schema_version = 99")
    connection.close()
    status, out, err = locum("account", "list")
    assert (status, out) == (1, "")
    assert err.startswith("locum: the database has schema version 99")


def test_health_without_a_server_is_status_one(locum: Terminal) -> None:
    status, out, err = locum("health", "--url", "http://127.0.0.1:1")
    assert (status, out) == (1, "")
    assert err.startswith("locum: no answer: ")
    assert locum("health", "--url", "ftp://x").status == 1


def test_results_bear_no_colour(locum: Terminal, settings: Settings) -> None:
    for arguments in (["keys", "list"], ["--help"], ["account", "list"], ["zzz"]):
        outcome = locum(*arguments)
        assert "\x1b" not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError(Problem("a", "b")), 2),
        (Refused(Problem("a", "b")), 1),
        (CannotOpen("x"), 1),
        (Locked("x"), 1),
        (StoreError("x"), 1),
        (ValueError("x"), None),
        (OSError("x"), None),
    ],
)
def test_an_expected_error_is_told_and_an_unexpected_one_is_not_hidden(error: Exception, status: int | None) -> None:
    assert report(error) == status


def test_a_table_has_its_columns_under_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    table([{"id": "a", "state": "sealing"}, {"id": "bcd", "state": "x"}])
    table([])
    assert capsys.readouterr().out == "ID   STATE\na    sealing\nbcd  x\n"


def test_the_package_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "locum", "version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{__version__}\n"
