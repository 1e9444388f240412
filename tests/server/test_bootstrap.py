"""The data directory, the first start, accounts and their root keys."""

from __future__ import annotations

import configparser
import errno
import itertools
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from locum import arn
from locum.core.records import AccessKey, Account
from locum.core.sealing import CannotOpen
from locum.secret import Secret
from locum.server import bootstrap as bootstrap_module
from locum.server.accounts import create_account, list_accounts, reset_root_key
from locum.server.bootstrap import Bootstrap, bootstrap
from locum.server.config import Refused, Settings
from locum.server.data import Data, hold, open_data, prepare, write_private
from locum.server.ring import list_keys, load_ring
from locum.store import SchemaTooNew
from locum.store.records import Records

NOW = 1_700_000_000
KEY_ID = "AKIAIRANDOMLOOKINGID"
SECRET = "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"


def drawn(seed: int = 0) -> Callable[[int], bytes]:
    """Bytes that differ at every draw, the same for the same seed."""
    count = itertools.count(seed * 1_000)
    return lambda size: b"".join(next(count).to_bytes(8, "big")[::-1] for _ in range(size // 8 + 1))[:size]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


def started(settings: Settings, now: int = NOW, random: Callable[[int], bytes] = os.urandom) -> Bootstrap:
    data = open_data(settings, create=True)
    try:
        return bootstrap(data.store, data.vault, settings, now, random)
    finally:
        data.store.close()


def root_key(data: Data, key_id: str) -> tuple[AccessKey, str]:
    with data.store.snapshot() as rows:
        stored = Records(rows).get(AccessKey, "", key_id)
    assert stored is not None
    secret = data.vault.unwrap(stored.record.secret, purpose="access-key", name=key_id).decode()
    return stored.record, secret


def modes(path: Path) -> dict[str, int]:
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.iterdir()}


@pytest.mark.facts("R39")
def test_the_first_start_draws_an_account_a_root_key_and_a_ring(settings: Settings) -> None:
    outcome = started(settings)
    data = open_data(settings)
    assert outcome.created
    assert outcome.credentials is not None
    record, secret = root_key(data, outcome.credentials.access_key_id)
    assert (record.account, record.owner, record.active) == (outcome.account, outcome.account, True)
    assert secret == outcome.credentials.secret.reveal()
    assert len(secret) == 40
    assert arn.account_of_access_key(record.id) == outcome.account
    with data.store.snapshot() as rows:
        assert [each.name for each in list_accounts(rows)] == ["default"]
        assert [each.state for each in list_keys(rows)] == ["sealing"]
    data.store.close()


@pytest.mark.facts("R39")
def test_two_installations_share_no_secret(tmp_path: Path) -> None:
    first, second = (started(Settings(data=tmp_path / name)) for name in "ab")
    assert first.credentials is not None
    assert second.credentials is not None
    assert first.account != second.account
    assert first.credentials.secret != second.credentials.secret
    keys = [(tmp_path / name / "wrapping.key").read_text() for name in "ab"]
    assert keys[0] != keys[1]


def test_the_credentials_file_is_one_that_aws_tools_read(settings: Settings) -> None:
    outcome = started(settings)
    assert outcome.credentials is not None
    profiles = configparser.RawConfigParser()
    profiles.read(settings.data / "root-credentials")
    assert dict(profiles["default"]) == {
        "aws_access_key_id": outcome.credentials.access_key_id,
        "aws_secret_access_key": outcome.credentials.secret.reveal(),
    }


@pytest.mark.facts("R44")
@pytest.mark.parametrize("umask", [0o000, 0o277])
def test_the_directory_and_its_files_are_for_their_owner_alone_whatever_the_umask(
    settings: Settings, umask: int
) -> None:
    before = os.umask(umask)
    try:
        started(settings)
        with hold(settings.data):
            found = modes(settings.data)
    finally:
        os.umask(before)
    assert stat.S_IMODE(settings.data.stat().st_mode) == 0o700
    assert {"locum.db", "wrapping.key", "root-credentials", "lock"} <= set(found)
    assert set(found.values()) == {0o600}


@pytest.mark.facts("R44")
def test_no_secret_stands_in_the_database(settings: Settings) -> None:
    outcome = started(settings)
    assert outcome.credentials is not None
    data = open_data(settings)
    with data.store.snapshot() as rows:
        load_ring(rows, data.vault)
    data.store.close()
    stored = b"".join(each.read_bytes() for each in settings.data.glob("locum.db*"))
    assert outcome.credentials.access_key_id.encode() in stored
    assert outcome.credentials.secret.reveal().encode() not in stored


def test_a_later_start_changes_nothing(settings: Settings) -> None:
    first = started(settings)
    content = (settings.data / "root-credentials").read_text()
    again = started(settings, NOW + 1)
    assert again == Bootstrap(False, first.account)
    assert (settings.data / "root-credentials").read_text() == content


def test_the_environment_sets_account_and_root_key_and_then_no_file_is_written(settings: Settings) -> None:
    settings = msgspec.structs.replace(
        settings, account_id="111122223333", root_access_key_id=KEY_ID, root_secret_access_key=Secret(SECRET)
    )
    outcome = started(settings)
    assert outcome == Bootstrap(True, "111122223333")
    assert not (settings.data / "root-credentials").exists()
    data = open_data(settings)
    record, secret = root_key(data, KEY_ID)
    data.store.close()
    assert (record.owner, secret) == ("111122223333", SECRET)
    assert started(settings).warnings == ()


def test_a_root_key_that_comes_too_late_is_reported_and_not_taken(settings: Settings) -> None:
    started(settings)
    late = msgspec.structs.replace(
        settings, account_id="111122223333", root_access_key_id=KEY_ID, root_secret_access_key=Secret(SECRET)
    )
    warnings = started(late).warnings
    assert ["account-id" in each for each in warnings] == [True, False]
    assert "root reset-key" in warnings[1]
    data = open_data(settings)
    with data.store.snapshot() as rows:
        assert Records(rows).get(AccessKey, "", KEY_ID) is None
    data.store.close()


def test_a_start_that_cannot_write_the_credentials_makes_no_account(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bootstrap_module, "write_private", full)
    with pytest.raises(OSError, match="No space"):
        started(settings)
    monkeypatch.undo()
    assert started(settings).created


def test_a_start_that_was_killed_before_the_commit_leaves_nothing_in_the_way(settings: Settings) -> None:
    prepare(settings.data, create=True)
    write_private(settings.data / "root-credentials", "stale")
    assert started(settings).created
    assert "aws_access_key_id" in (settings.data / "root-credentials").read_text()


@pytest.mark.facts("R44")
def test_another_wrapping_key_opens_nothing(settings: Settings) -> None:
    started(settings)
    (settings.data / "wrapping.key").unlink()
    with pytest.raises(Refused, match="wrapping key"):
        started(settings)
    elsewhere = settings.data.parent / "other"
    started(Settings(data=elsewhere))
    (elsewhere / "wrapping.key").rename(settings.data / "wrapping.key")
    with pytest.raises((CannotOpen, Refused), match="wrapping key"):
        started(settings)


def test_a_newer_schema_is_refused_in_clear_words(settings: Settings) -> None:
    started(settings)
    with sqlite3.connect(settings.data / "locum.db") as connection:
        connection.execute("UPDATE locum_state SET schema_version = 99")
    connection.close()
    with pytest.raises(SchemaTooNew, match=r"schema version 99.*run a newer locum"):
        started(settings)


def test_a_directory_without_a_database_is_not_made_by_an_admin_command(settings: Settings) -> None:
    with pytest.raises(Refused, match="there is no data directory"):
        open_data(settings)
    prepare(settings.data, create=True)
    with pytest.raises(Refused, match="has no database"):
        open_data(settings)
    assert list(settings.data.iterdir()) == []


@pytest.mark.facts("R44")
def test_an_empty_directory_is_closed_and_one_in_use_that_is_open_is_refused(settings: Settings) -> None:
    settings.data.mkdir()
    settings.data.chmod(0o755)
    started(settings)
    assert stat.S_IMODE(settings.data.stat().st_mode) == 0o700
    settings.data.chmod(0o750)
    with pytest.raises(Refused) as caught:
        started(settings)
    (problem,) = caught.value.problems
    assert "is open to others (mode 0750)" in problem.text
    assert "chmod 700" in problem.hint


@pytest.mark.parametrize("name", ["locum.db", "wrapping.key", "root-credentials"])
@pytest.mark.facts("R44")
def test_a_file_with_secrets_that_is_open_to_others_is_refused(settings: Settings, name: str) -> None:
    started(settings)
    (settings.data / name).chmod(0o640)
    with pytest.raises(Refused, match=rf"{name} is open to others \(mode 0640\)") as caught:
        started(settings)
    assert "chmod 600" in caught.value.problems[0].hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused(settings: Settings) -> None:
    started(settings)
    os.chown(settings.data, 65_534, -1)
    with pytest.raises(Refused, match="belongs to another user"):
        open_data(settings)


def test_a_file_in_the_place_of_the_directory_is_refused(settings: Settings) -> None:
    settings.data.write_text("")
    with pytest.raises(Refused, match="cannot be used: it is not a directory"):
        prepare(settings.data, create=True)


def test_a_name_that_no_database_address_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="question mark"):
        open_data(Settings(data=tmp_path / "what?"), create=True)


def test_a_second_holder_is_refused_with_the_pid_of_the_first(settings: Settings) -> None:
    prepare(settings.data, create=True)
    script = (
        "import sys, pathlib\nfrom locum.server.config import Refused\nfrom locum.server.data import hold\n"
        "try:\n    with hold(pathlib.Path(sys.argv[1])): print('held')\nexcept Refused as error: print(error)\n"
    )

    def other() -> str:
        done = subprocess.run(
            [sys.executable, "-c", script, str(settings.data)], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    with hold(settings.data):
        assert other() == f"another server, with pid {os.getpid()}, uses the data directory {settings.data}"
    assert other() == "held"


def test_a_lock_file_that_is_a_link_is_refused(settings: Settings) -> None:
    prepare(settings.data, create=True)
    (settings.data / "lock").symlink_to("elsewhere")
    with pytest.raises(Refused, match="lock cannot be opened"), hold(settings.data):
        pass


def test_a_private_file_is_replaced_whole_and_follows_no_link(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("untouched")
    (tmp_path / "file").symlink_to(target)
    write_private(tmp_path / "file", "secret")
    assert target.read_text() == "untouched"
    assert not (tmp_path / "file").is_symlink()
    assert modes(tmp_path)["file"] == 0o600
    assert sorted(modes(tmp_path)) == ["file", "target"]


def test_accounts_are_made_with_keys_of_their_own(settings: Settings) -> None:
    first = started(settings)
    data = open_data(settings)
    with data.store.transaction() as rows:
        drawn_id = create_account(rows, data.vault, NOW + 1, os.urandom, name="b")
        given_id = create_account(rows, data.vault, NOW + 2, os.urandom, name="c", id="000000000042")
    with data.store.snapshot() as rows:
        assert [each.id for each in list_accounts(rows)] == [first.account, drawn_id.account, "000000000042"]
    assert root_key(data, given_id.access_key_id)[1] == given_id.secret.reveal()
    assert arn.account_of_access_key(given_id.access_key_id) == "000000000042"
    data.store.close()


@pytest.mark.parametrize(
    ("id", "name", "text"),
    [
        ("111122223333", "x", "there is an account 111122223333 already"),
        ("42", "x", "'42' is not an account id"),
        (None, "", "an account's name has 1 to 50"),
        (None, "x" * 51, "an account's name has 1 to 50"),
        (None, "a\nb", "an account's name has 1 to 50"),
    ],
)
def test_an_account_that_cannot_be_is_refused(settings: Settings, id: str | None, name: str, text: str) -> None:
    data = open_data(settings, create=True)
    with data.store.transaction() as rows:
        create_account(rows, data.vault, NOW, os.urandom, name="a", id="111122223333")
    with pytest.raises(Refused, match=text), data.store.transaction() as rows:
        create_account(rows, data.vault, NOW, os.urandom, name=name, id=id)
    data.store.close()


def test_a_drawn_account_id_that_is_taken_is_drawn_again(settings: Settings) -> None:
    data = open_data(settings, create=True)
    with data.store.transaction() as rows:
        taken = create_account(rows, data.vault, NOW, drawn(), name="a")
    with data.store.transaction() as rows:
        other = create_account(rows, data.vault, NOW, drawn(), name="b")
        with pytest.raises(Refused, match="no free account id"):
            create_account(rows, data.vault, NOW, lambda size: drawn()(size), name="c")
        assert len(list_accounts(rows)) == 2
    assert taken.account != other.account
    data.store.close()


def test_a_reset_replaces_every_root_key_of_the_account_and_no_other(settings: Settings) -> None:
    first = started(settings)
    assert first.credentials is not None
    data = open_data(settings)
    with data.store.transaction() as rows:
        other = create_account(rows, data.vault, NOW + 1, os.urandom, name="b")
    with data.store.transaction() as rows:
        fresh = reset_root_key(rows, data.vault, NOW + 2, os.urandom, first.account)
    with data.store.snapshot() as rows:
        records = Records(rows)
        assert [each.name for each in records.found("key-owner", first.account)] == [fresh.access_key_id]
        assert records.get(AccessKey, "", first.credentials.access_key_id) is None
        assert records.get(AccessKey, "", other.access_key_id) is not None
        assert records.get(Account, "", first.account) is not None
    assert root_key(data, fresh.access_key_id)[1] == fresh.secret.reveal()
    with pytest.raises(Refused, match="there are 2 accounts"), data.store.transaction() as rows:
        reset_root_key(rows, data.vault, NOW, os.urandom)
    with pytest.raises(Refused, match="there is no account"), data.store.transaction() as rows:
        reset_root_key(rows, data.vault, NOW, os.urandom, "999999999999")
    data.store.close()


@pytest.mark.facts("R38")
def test_a_root_key_does_not_print_its_secret(settings: Settings) -> None:
    outcome = started(settings)
    assert outcome.credentials is not None
    assert outcome.credentials.secret.reveal() not in repr(outcome) + str(outcome)
