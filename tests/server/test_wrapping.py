"""Where the wrapping key comes from."""

from __future__ import annotations

import base64
import os
import select
import shlex
import stat
import sys
from pathlib import Path

import msgspec
import pytest

from locum.secret import Secret
from locum.server import wrapping
from locum.server.config import Settings
from locum.server.wrapping import KEY_FILE, WrappingKeyError, load_wrapping_key

KEY = bytes(range(32))
OTHER = bytes(range(32, 64))
TEXT = base64.b64encode(KEY).decode()


def settings(data: Path, *, key: str | None = None, command: str | None = None) -> Settings:
    return Settings(data=data, wrapping_key=None if key is None else Secret(key), wrapping_key_command=command)


def python(code: str) -> str:
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


def refusal(given: Settings) -> str:
    with pytest.raises(WrappingKeyError) as caught:
        load_wrapping_key(given)
    assert all(each.hint for each in caught.value.problems)
    return str(caught.value)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / KEY_FILE
    path.write_text(TEXT + "\n")
    path.chmod(0o600)
    return path


def test_the_setting_comes_before_the_command_and_the_command_before_the_file(key_file: Path) -> None:
    data = key_file.parent
    key_file.write_text(base64.b64encode(OTHER[::-1]).decode())
    command = python(f"print({base64.b64encode(OTHER).decode()!r})")
    assert load_wrapping_key(settings(data, key=TEXT, command=command)) == KEY
    assert load_wrapping_key(settings(data, command=command)) == OTHER
    assert load_wrapping_key(settings(data)) == OTHER[::-1]


@pytest.mark.facts("R44")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777], ids=oct)
def test_the_first_start_creates_a_random_file_for_the_owner_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        made = load_wrapping_key(settings(tmp_path))
    finally:
        os.umask(before)
    assert len(made) == 32
    assert [each.name for each in tmp_path.iterdir()] == [KEY_FILE]
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert load_wrapping_key(settings(tmp_path)) == made
    assert base64.b64decode((tmp_path / KEY_FILE).read_bytes()) == made


@pytest.mark.facts("R39")
def test_each_first_start_makes_another_key(tmp_path: Path) -> None:
    made = set()
    for name in "abc":
        (tmp_path / name).mkdir()
        made.add(load_wrapping_key(settings(tmp_path / name)))
    assert len(made) == 3


def test_nothing_is_created_where_another_source_gives_the_key(tmp_path: Path) -> None:
    load_wrapping_key(settings(tmp_path, key=TEXT))
    load_wrapping_key(settings(tmp_path, command=python(f"print({TEXT!r})")))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_not_replaced_for_a_database_that_exists(tmp_path: Path) -> None:
    with pytest.raises(WrappingKeyError, match="missing") as caught:
        load_wrapping_key(settings(tmp_path), create=False)
    assert "backup" in caught.value.problems[0].hint
    assert list(tmp_path.iterdir()) == []


def test_the_first_of_two_starts_at_once_decides(tmp_path: Path) -> None:
    def while_another_process_is_faster(size: int) -> bytes:
        assert load_wrapping_key(settings(tmp_path), random=lambda _: KEY) == KEY
        return OTHER[:size]

    assert load_wrapping_key(settings(tmp_path), random=while_another_process_is_faster) == KEY
    assert [each.name for each in tmp_path.iterdir()] == [KEY_FILE]


def test_an_interrupted_creation_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert "No space left" in refusal(settings(tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert len(load_wrapping_key(settings(tmp_path))) == 32


@pytest.mark.facts("R44")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o620, 0o777], ids=oct)
def test_a_file_that_others_can_reach_is_refused_with_the_remedy(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    with pytest.raises(WrappingKeyError, match=f"open to others .mode {mode:04o}") as caught:
        load_wrapping_key(settings(key_file.parent))
    assert f"chmod 600 {shlex.quote(str(key_file))}" in caught.value.problems[0].hint


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_the_owner_alone_is_read(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    assert load_wrapping_key(settings(key_file.parent)) == KEY


def test_only_a_plain_file_is_read(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_text(TEXT)
    target.chmod(0o600)
    path = tmp_path / KEY_FILE
    path.symlink_to(target)
    assert "cannot be read" in refusal(settings(tmp_path))
    path.unlink()
    path.mkdir(mode=0o700)
    assert "not a plain file" in refusal(settings(tmp_path))
    path.rmdir()
    os.mkfifo(path, 0o600)
    assert "not a plain file" in refusal(settings(tmp_path))


def test_a_data_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "missing" / KEY_FILE) in refusal(settings(tmp_path / "missing"))


BAD_KEYS = [
    pytest.param("", id="empty"),
    pytest.param(TEXT[:-1], id="without padding"),
    pytest.param(base64.b64encode(KEY[:31]).decode(), id="31 bytes"),
    pytest.param(base64.b64encode(KEY + b"x").decode(), id="33 bytes"),
    pytest.param(KEY.hex(), id="hexadecimal"),
    pytest.param(TEXT[:20] + "\n" + TEXT[20:], id="two lines"),
    pytest.param(TEXT[:-2] + "9=", id="unused bits set"),
    pytest.param("é" * 44, id="not ASCII"),
    pytest.param(TEXT * 1000, id="too long"),
    pytest.param("correct horse battery staple secret passphrase", id="a passphrase"),
]


@pytest.mark.parametrize("text", BAD_KEYS)
def test_a_malformed_key_is_refused_from_every_source_and_never_printed(key_file: Path, text: str) -> None:
    key_file.write_text(text)
    data = key_file.parent
    shown = [
        refusal(settings(data)),
        refusal(settings(data, key=text)),
        refusal(settings(data, command=python(f"import sys; sys.stdout.buffer.write({text.encode()!r})"))),
    ]
    assert "LOCUM_WRAPPING_KEY" in shown[1]
    assert str(key_file) in shown[0]
    assert all(not text or text not in each for each in shown)


@pytest.mark.facts("R39")
@pytest.mark.parametrize("key", [bytes(32), b"A" * 32, b"password" * 4, b"0123456789" * 3 + b"01"])
def test_a_key_that_is_plainly_not_random_is_refused(tmp_path: Path, key: bytes) -> None:
    assert "not random" in refusal(settings(tmp_path, key=base64.b64encode(key).decode()))


def test_white_space_around_the_key_does_not_matter(tmp_path: Path) -> None:
    assert load_wrapping_key(settings(tmp_path, key=f" {TEXT}\r\n")) == KEY


def test_the_command_is_run_without_a_shell_and_gets_no_input(tmp_path: Path) -> None:
    code = f"import sys; assert sys.argv[1:] == ['$HOME', '; echo'] and not sys.stdin.read(); print({TEXT!r})"
    assert load_wrapping_key(settings(tmp_path, command=f"{python(code)} '$HOME' '; echo'")) == KEY


@pytest.mark.parametrize(
    ("command", "text"),
    [
        pytest.param(python(f"print({TEXT!r}); raise SystemExit(3)"), "failed with status 3", id="failure"),
        pytest.param(python("pass"), "does not hold a wrapping key", id="no output"),
        pytest.param("/does/not/exist --at all", "'/does/not/exist' cannot be run: No such file", id="missing"),
        pytest.param("'unbalanced", "not a program", id="unbalanced"),
        pytest.param("  ", "not a program", id="blank"),
        pytest.param("a\0b", "cannot be run", id="NUL"),
    ],
)
def test_a_command_that_gives_no_key_is_refused(tmp_path: Path, command: str, text: str) -> None:
    shown = refusal(settings(tmp_path, command=command))
    assert text in shown
    assert TEXT not in shown
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_hangs_is_ended_with_all_that_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrapping, "COMMAND_TIMEOUT", 0.5)
    os.mkfifo(tmp_path / "alive")
    alive = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    try:
        shell = f"{python('import signal; signal.pause()')} 3>{shlex.quote(str(tmp_path / 'alive'))} & wait"
        assert "0.5 seconds" in refusal(settings(tmp_path, command=f"sh -c {shlex.quote(shell)}"))
        poll = select.poll()
        poll.register(alive)
        poll.poll(10_000)
        assert os.read(alive, 1) == b""
    finally:
        os.close(alive)


def test_settings_do_not_print_the_key(tmp_path: Path) -> None:
    assert TEXT not in repr(settings(tmp_path, key=TEXT))
    assert TEXT not in repr(msgspec.structs.asdict(settings(tmp_path, key=TEXT)))
