"""Sessions in files: nobody else can read them, nothing that others made is believed, and nothing lasts too long."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.cli import cache as module
from locum.cli.cache import CacheFailure, FileCache, cache_directory
from locum.client.credentials import Credentials
from locum.client.credentials.base import MAX_DOCUMENT
from locum.secret import Secret

SCOPE: Final = {"endpoint": "http://127.0.0.1:1", "region": "us-east-1", "caller": "AKIAIOSFODNN7EXAMPLE"}


def session(seconds: float = 3600, token: str = "token") -> Credentials:
    ends = (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)
    return Credentials("ASIAIOSFODNN7EXAMPLE", Secret("secret"), Secret(token), ends, "111122223333")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "locum" / "sessions"


@pytest.fixture
def cache(folder: Path) -> Iterator[FileCache]:
    with FileCache(folder, SCOPE) as cache:
        yield cache


def only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_a_session_is_found_again_by_the_next_run(folder: Path, cache: FileCache) -> None:
    kept = session()
    cache["key"] = kept
    with FileCache(folder, SCOPE) as again:
        assert again["key"] == kept
        assert len(again) == 1


@pytest.mark.parametrize("changed", ["endpoint", "region", "caller"])
def test_a_session_is_of_one_caller_at_one_server(folder: Path, cache: FileCache, changed: str) -> None:
    cache["key"] = session()
    with FileCache(folder, SCOPE | {changed: "other"}) as other:
        assert "key" not in other
    assert "other" not in cache
    del cache["key"]
    assert "key" not in cache
    with pytest.raises(KeyError):
        del cache["key"]


@pytest.mark.facts("R38", "R44")
def test_modes_are_private_whatever_the_umask_is_and_names_tell_nothing(folder: Path) -> None:
    before = os.umask(0)
    try:
        with FileCache(folder, SCOPE) as cache:
            cache["key"] = session()
    finally:
        os.umask(before)
    path = only(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.stem) == 64
    assert "secret" not in repr(cache)


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o770, 0o777])
def test_a_directory_that_is_open_to_others_is_refused(folder: Path, mode: int) -> None:
    folder.mkdir(parents=True)
    folder.chmod(mode)
    with pytest.raises(CacheFailure, match="chmod 700"):
        FileCache(folder, SCOPE)


def test_a_directory_of_somebody_else_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(parents=True, mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(CacheFailure, match="belongs to"):
        FileCache(folder, SCOPE)


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_link_or_a_file_in_place_of_the_directory_is_refused(folder: Path, tmp_path: Path, kind: str) -> None:
    folder.parent.mkdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    if kind == "link":
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.touch(mode=0o600)
    with pytest.raises(CacheFailure, match="cannot be used"):
        FileCache(folder, SCOPE)


@pytest.mark.parametrize("how", ["link", "hard link", "mode", "owner", "fifo", "directory", "huge"])
def test_a_file_that_is_not_the_users_own_alone_is_not_believed(
    folder: Path, cache: FileCache, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache["key"] = session()
    path, away = only(folder), tmp_path / "away"
    if how == "link":
        path.rename(away)
        path.symlink_to(away)
    elif how == "hard link":
        away.hardlink_to(path)
    elif how == "mode":
        path.chmod(0o640)
    elif how == "owner":
        monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    elif how == "huge":
        path.write_bytes(path.read_bytes() + b" " * MAX_DOCUMENT)
    else:
        path.unlink()
        os.mkfifo(path, 0o600) if how == "fifo" else path.mkdir(mode=0o700)
    assert "key" not in cache


def test_writing_replaces_a_planted_link_and_leaves_its_target_alone(
    folder: Path, cache: FileCache, tmp_path: Path
) -> None:
    cache["key"] = session()
    path, target = only(folder), tmp_path / "target"
    path.unlink()
    target.write_text("precious")
    path.symlink_to(target)
    kept = session(token="newer")
    cache["key"] = kept
    assert target.read_text() == "precious"
    assert cache["key"] == kept
    assert not path.is_symlink()


def test_a_file_is_replaced_in_one_step(folder: Path, cache: FileCache, monkeypatch: pytest.MonkeyPatch) -> None:
    old = session()
    cache["key"] = old

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "utime", full)
        with pytest.raises(OSError, match="space"):
            cache["key"] = session(token="newer")
    assert cache["key"] == old
    only(folder)


def test_what_has_expired_is_not_there_and_goes_with_the_next_one(folder: Path, cache: FileCache) -> None:
    cache["old"] = session(-1)
    assert "old" not in cache
    abandoned = folder / "0.new"
    abandoned.touch()
    os.utime(abandoned, (1, 1))
    cache["key"] = session()
    assert only(folder).stat().st_mtime > time.time()
    assert "key" in cache


def test_keys_that_stay_are_not_kept(cache: FileCache) -> None:
    cache["key"] = Credentials("AKIAIOSFODNN7EXAMPLE", Secret("secret"))
    assert len(cache) == 0
    assert list(cache) == []


def test_only_so_many_are_kept_and_those_that_end_last(cache: FileCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 3)
    for number in (5, 1, 4, 2, 3):
        cache[str(number)] = session(number * 1000)
    assert [number for number in "12345" if number in cache] == ["3", "4", "5"]


@given(st.binary() | st.just(b"[]") | st.just(b'{"Version": 1, "AccessKeyId": "a"}'))
def test_any_bytes_in_a_file_are_no_session(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-bytes"
    with FileCache(folder, SCOPE) as cache:
        cache["key"] = session()
        only(folder).write_bytes(data)
        assert "key" not in cache


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"HOME": "/home-of-me"}, "/home-of-me/.cache/locum/sessions"),
        ({"HOME": "/home-of-me", "XDG_CACHE_HOME": "/var/cached"}, "/var/cached/locum/sessions"),
        ({"HOME": "/home-of-me", "XDG_CACHE_HOME": ""}, "/home-of-me/.cache/locum/sessions"),
        ({"HOME": "/home-of-me", "XDG_CACHE_HOME": "relative"}, "/home-of-me/.cache/locum/sessions"),
    ],
)
def test_sessions_are_kept_where_caches_belong(environment: dict[str, str], path: str) -> None:
    assert str(cache_directory(environment)) == path
