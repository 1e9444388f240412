"""The audit file: whole lines from several processes, turned over by size and time, none lost for want of room."""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum import errors
from locum.api import sts
from locum.api.iam import users
from locum.server import auditfile
from locum.server.auditfile import AuditLog, AuditWriteError, Rotation, audit_files, lines_backwards, recovered

from .conftest import World

HOUR = 3_600
LINE = b'{"eventVersion":"1.11","n":%d}'


class Clock:
    """The time that a log reads, which tests turn."""

    def __init__(self) -> None:
        self.now = float(int(time.time()) // 86_400 * 86_400 + 43_200)

    def __call__(self) -> float:
        return self.now


class Disk:
    """A disk that takes so many bytes more, and then says that it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None
        self._write = os.write
        monkeypatch.setattr("locum.server.auditfile.os.write", self.write)

    def write(self, descriptor: int, data: bytes) -> int:
        if self.room is None:
            return self._write(descriptor, data)
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = data[: self.room]
        self.room -= len(part)
        return self._write(descriptor, part)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def opened(path: Path, clock: Clock) -> Iterator[Callable[..., AuditLog]]:
    """Opens logs of the one file, as several workers do."""
    logs = []

    def open_(rotation: Rotation = Rotation(), **more: Any) -> AuditLog:  # noqa: B008
        made = AuditLog(path, rotation, clock=clock, **more)
        logs.append(made)
        return made

    yield open_
    for each in logs:
        each.close()


def numbers(*paths: Path) -> list[int]:
    return [json.loads(line)["n"] for each in paths for line in each.read_bytes().splitlines()]


def test_lines_are_whole_and_the_file_is_the_owner_s(path: Path, opened: Callable[..., AuditLog]) -> None:
    log = opened()
    log.write([LINE % 1, LINE % 2])
    log.write([LINE % 3])
    assert path.read_bytes() == b"".join(LINE % n + b"\n" for n in (1, 2, 3))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_of_a_certain_size_is_turned_over(path: Path, clock: Clock, opened: Callable[..., AuditLog]) -> None:
    log = opened(Rotation(size=100))
    for number in range(20):
        log.write([LINE % number])
        clock.now += 1
    files = audit_files(path)
    assert len(files) > 3
    assert files[-1] == path
    assert numbers(*files) == list(range(20))
    assert all(100 <= each.stat().st_size < 150 for each in files[:-1])
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}


def test_files_of_one_second_have_numbers_and_keep_their_order(
    path: Path, clock: Clock, opened: Callable[..., AuditLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditfile, "_LOOK_BYTES", 1)
    log = opened(Rotation(size=1))
    for number in range(14):
        log.write([LINE % number])
    files = audit_files(path)
    assert len(files) == 14
    assert numbers(*files) == list(range(14))


@pytest.mark.parametrize(
    ("seconds", "wait", "files"),
    [(HOUR, HOUR, 2), (HOUR, HOUR - 1, 1), (24 * HOUR, HOUR, 1), (24 * HOUR, 24 * HOUR, 2)],
)
def test_a_file_is_turned_over_when_its_period_is_over(
    path: Path, clock: Clock, opened: Callable[..., AuditLog], seconds: int, wait: int, files: int
) -> None:
    log = opened(Rotation(seconds=seconds))
    log.write([LINE % 1])
    os.utime(path, (clock.now, clock.now))
    clock.now += wait
    log.write([LINE % 2])
    assert len(audit_files(path)) == files
    assert numbers(*audit_files(path)) == [1, 2]


def test_a_server_that_starts_later_turns_over_what_it_finds(
    path: Path, clock: Clock, opened: Callable[..., AuditLog]
) -> None:
    opened(Rotation(seconds=HOUR)).write([LINE % 1])
    os.utime(path, (clock.now, clock.now))
    clock.now += 5 * HOUR
    opened(Rotation(seconds=HOUR)).write([LINE % 2])
    assert [numbers(each) for each in audit_files(path)] == [[1], [2]]


def test_an_empty_file_and_a_clock_that_is_set_back_turn_nothing_over(
    path: Path, clock: Clock, opened: Callable[..., AuditLog]
) -> None:
    log = opened(Rotation(seconds=HOUR))
    clock.now += 5 * HOUR
    log.write([LINE % 1])
    os.utime(path, (clock.now, clock.now))
    clock.now -= 3 * HOUR
    log.write([LINE % 2])
    assert audit_files(path) == [path]


def test_only_so_many_old_files_stay(path: Path, clock: Clock, opened: Callable[..., AuditLog]) -> None:
    (path.parent / "audit-notes.jsonl").write_text("somebody's own")
    log = opened(Rotation(size=1, keep=2))
    for number in range(6):
        log.write([LINE % number])
        clock.now += 1
    assert numbers(*audit_files(path)) == [3, 4, 5]
    assert (path.parent / "audit-notes.jsonl").exists()


def test_every_worker_follows_when_one_turns_the_file_over(
    path: Path, clock: Clock, opened: Callable[..., AuditLog]
) -> None:
    workers = [opened(Rotation(size=200)) for _ in range(3)]
    for number in range(60):
        workers[number % 3].write([LINE % number])
        clock.now += 0.25
    files = audit_files(path)
    assert sorted(numbers(*files)) == list(range(60))
    assert len(files) > 5
    assert all(each.stat().st_size >= 200 for each in files[:-1])  # and none was turned over by two of them


def test_what_another_program_moved_away_is_not_written_to_for_longer_than_a_second(
    path: Path, clock: Clock, opened: Callable[..., AuditLog]
) -> None:
    log = opened()
    log.write([LINE % 1])
    moved = path.rename(path.with_name("moved"))
    log.write([LINE % 2])
    clock.now += 1
    log.write([LINE % 3])
    assert (numbers(moved), numbers(path)) == ([1, 2], [3])


def test_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    children = []
    for worker in range(4):
        pid = os.fork()
        if not pid:
            log = AuditLog(path, Rotation(size=4_000))
            for number in range(300):
                if number % 50 == 0:
                    log._next_look = 0.0  # as if a second had passed
                log.write([LINE % (worker * 1_000 + number)])
            os._exit(0)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    found = numbers(*audit_files(path))
    assert sorted(found) == sorted(worker * 1_000 + number for worker in range(4) for number in range(300))
    assert len(audit_files(path)) > 2


@pytest.mark.parametrize("name", ["pipe", "link"])
def test_what_is_no_plain_file_is_never_turned_over(tmp_path: Path, clock: Clock, name: str) -> None:
    path = tmp_path / name
    if name == "pipe":
        os.mkfifo(path)
        reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    else:
        (tmp_path / "there").touch()
        path.symlink_to(tmp_path / "there")
        reading = os.open(tmp_path / "there", os.O_RDONLY)
    log = AuditLog(path, Rotation(size=1, seconds=1), clock=clock)
    for number in range(3):
        log.write([LINE % number])
        clock.now += 100
    assert os.read(reading, 1_000).count(b"\n") == 3
    assert audit_files(path) == [path]
    log.close()
    os.close(reading)


def test_a_file_that_cannot_be_turned_over_goes_on_taking_lines(
    path: Path, clock: Clock, opened: Callable[..., AuditLog], monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def never(*_: object) -> Path:
        raise PermissionError(errno.EPERM, "not here")

    log = opened(Rotation(size=1))
    monkeypatch.setattr(Path, "rename", never)
    for number in range(3):
        log.write([LINE % number])
        clock.now += 1
    assert numbers(path) == [0, 1, 2]
    assert "cannot be turned over: not here" in caplog.text


# A full disk


def test_lines_that_find_no_room_are_kept_and_written_in_order(
    path: Path, disk: Disk, opened: Callable[..., AuditLog]
) -> None:
    log = opened()
    log.write([LINE % 1])
    disk.room = 0
    for number in (2, 3):
        with pytest.raises(AuditWriteError):
            log.write([LINE % number])
    assert not log.ready()
    disk.room = None
    assert log.ready()
    log.write([LINE % 4])
    assert numbers(path) == [1, 2, 3, 4]


@pytest.mark.parametrize("room", range(1, len(LINE % 2) + 1))
def test_a_line_that_finds_room_for_a_part_leaves_no_part(
    path: Path, disk: Disk, opened: Callable[..., AuditLog], room: int
) -> None:
    log = opened()
    log.write([LINE % 1])
    disk.room = room
    with pytest.raises(AuditWriteError):
        log.write([LINE % 2])
    assert numbers(path) == [1]
    disk.room = None
    log.write([LINE % 3])
    assert numbers(path) == [1, 2, 3]


def test_a_part_that_cannot_be_taken_back_does_not_spoil_the_next_line(
    path: Path, disk: Disk, opened: Callable[..., AuditLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(*_: object) -> None:
        raise OSError(errno.EIO, "no")

    log = opened()
    log.write([LINE % 1])
    disk.room = 5
    monkeypatch.setattr("locum.server.auditfile.os.ftruncate", stuck)
    with pytest.raises(AuditWriteError):
        log.write([LINE % 2])
    disk.room = None
    log.write([LINE % 3])
    lines = path.read_bytes().splitlines()
    assert lines[1] == (LINE % 2)[:5]
    assert [json.loads(line)["n"] for line in (lines[0], *lines[2:])] == [1, 2, 3]


def test_what_is_kept_is_bounded_and_the_rest_is_counted(
    path: Path, disk: Disk, opened: Callable[..., AuditLog], monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(auditfile, "_OWED_BYTES", 3 * len(LINE % 1) + 3)
    log = opened()
    disk.room = 0
    for number in range(8):
        with pytest.raises(AuditWriteError):
            log.write([LINE % number])
    disk.room = None
    log.write([LINE % 8])
    assert numbers(path) == [0, 1, 2, 8]
    assert "5 were lost" in caplog.text


def test_lines_may_be_dropped_where_a_setting_says_so(
    path: Path, disk: Disk, opened: Callable[..., AuditLog], caplog: Any
) -> None:
    log = opened(drop=True)
    disk.room = 0
    for number in range(3):
        log.write([LINE % number])
        assert log.ready()
    assert caplog.text.count("lost from now on") == 1
    disk.room = None
    log.write([LINE % 3])
    assert numbers(path) == [3]
    assert "3 were lost" in caplog.text


def test_what_is_owed_to_the_end_goes_to_the_log(path: Path, clock: Clock, disk: Disk, caplog: Any) -> None:
    log = AuditLog(path, clock=clock)
    disk.room = 0
    with pytest.raises(AuditWriteError):
        log.write([LINE % 1])
    log.close()
    assert (LINE % 1).decode() in caplog.text


def test_a_full_disk_refuses_requests_before_they_change_anything(world: World, disk: Disk) -> None:
    caught = logging.getLogger("locum.server")
    caught.disabled = True
    try:
        disk.room = 0
        first = users.CreateUserCommand(user_name="first")
        second = users.CreateUserCommand(user_name="second")
        for command in (first, second, second):
            world.refusal(world.root, command, errors.ServiceUnavailable)
        assert world.answered(world.request(sts.GetCallerIdentityCommand(), world.root)).response.status == 503
        disk.room = None
    finally:
        caught.disabled = False
    world.call(world.root, second)
    # The first had happened when its line found no room; the others were not begun.
    told = [each for each in world.records() if each["eventName"] == "CreateUser"]
    assert [each["requestParameters"]["userName"] for each in told] == ["first", "second"]
    assert {each.user_name for each in world.call(world.root, users.ListUsersCommand()).users} == {"first", "second"}


# Reading


@given(
    st.lists(st.binary(max_size=12).filter(lambda line: b"\n" not in line), max_size=12),
    st.booleans(),
    st.integers(1, 9),
)
def test_lines_come_last_first_whatever_the_blocks(lines: list[bytes], ending: bool, block: int) -> None:
    text = b"\n".join(lines) + (b"\n" if ending and lines else b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auditfile, "_BLOCK", block)
        assert list(lines_backwards(BytesIO(text))) == text.split(b"\n")[::-1]


@given(st.text(max_size=20), st.integers(0, 60))
def test_a_record_is_found_behind_a_part_of_another(value: str, cut: int) -> None:
    record = json.dumps({"eventVersion": "1.11", "said": f'{{"eventVersion":{value}'}, separators=(",", ":")).encode()
    assert recovered(record) == record
    assert recovered(record[: min(cut, len(record) - 1)] + record) == record


def test_files_of_others_are_not_taken_for_ours(path: Path) -> None:
    for name in ("audit-x.jsonl", "audit-20260102T030405Z.json", "xaudit-20260102T030405Z.jsonl", "audit.jsonl.gz"):
        path.with_name(name).touch()
    assert audit_files(path) == []
    path.with_name("audit-20260102T030405Z.jsonl").touch()
    path.touch()
    assert [each.name for each in audit_files(path)] == ["audit-20260102T030405Z.jsonl", "audit.jsonl"]
