"""Where the wrapping key comes from: the key that seals every secret at rest and lives outside the database (R44).

In this order: the setting itself (``LOCUM_WRAPPING_KEY``), a command that prints it (a key management service's
decrypt call, say), or the file ``wrapping.key`` in the data directory, which the first start creates.
"""

from __future__ import annotations

import os
import shlex
import signal
import stat
import subprocess
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from locum.core.sealing import KEY_SIZE
from locum.server.config import Problem, Refused, Settings

__all__ = ["COMMAND_TIMEOUT", "KEY_FILE", "WrappingKeyError", "load_wrapping_key"]

KEY_FILE: Final = "wrapping.key"
"""Name of the key's file in the data directory."""

COMMAND_TIMEOUT: Final = 30.0
"""Seconds that the command may take."""

_MAXIMUM_TEXT: Final = 256
_LEAST_DISTINCT: Final = 12
_HINT: Final = f"it is the base64 of {KEY_SIZE} random bytes, as `openssl rand -base64 {KEY_SIZE}` prints them"


class WrappingKeyError(Refused):
    """There is no usable wrapping key.  The text never holds the key."""


def load_wrapping_key(settings: Settings, *, create: bool = True, random: Callable[[int], bytes] = os.urandom) -> bytes:
    """The 32 bytes of the wrapping key; :class:`WrappingKeyError` where there is none.

    ``create`` allows the file to be made where nothing else gives a key: to be false for a database that exists
    already, whose secrets a new key could not open.
    """
    if settings.wrapping_key is not None:
        return _decode(settings.wrapping_key.reveal(), "LOCUM_WRAPPING_KEY", _HINT)
    if settings.wrapping_key_command is not None:
        return _from_command(settings.wrapping_key_command)
    path = settings.data / KEY_FILE
    key = _from_file(path)
    if key is None and create:
        _create(path, b2a_base64(random(KEY_SIZE)))
        key = _from_file(path)
    if key is None:
        raise _refused(
            f"the wrapping key {path} is missing",
            "put it back from a backup, or set LOCUM_WRAPPING_KEY; without it the secrets in the database are lost",
        )
    return key


def _refused(text: str, hint: str) -> WrappingKeyError:
    return WrappingKeyError(Problem(text, hint))


def _decode(text: str, source: str, hint: str) -> bytes:
    text = text.strip()
    try:
        key = a2b_base64(text, strict_mode=True) if len(text) <= _MAXIMUM_TEXT else b""
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE or b2a_base64(key, newline=False).decode() != text:
        raise _refused(f"{source} does not hold a wrapping key", hint)
    if len(set(key)) < _LEAST_DISTINCT:
        raise _refused(f"{source} holds a key that is not random", hint)
    return key


def _from_command(line: str) -> bytes:
    hint = "try it in a shell: it prints the key in base64 on standard output and exits with status 0"
    try:
        arguments = shlex.split(line)
    except ValueError:
        arguments = []
    if not arguments:
        raise _refused("the wrapping key command is not a program and its arguments", "quote it as for a shell")
    program = f"the wrapping key command {arguments[0]!r}"
    try:
        status, output = _run(arguments)
    except subprocess.TimeoutExpired:
        raise _refused(f"{program} did not end within {COMMAND_TIMEOUT:g} seconds", hint) from None
    except (OSError, ValueError) as why:
        reason = why.strerror if isinstance(why, OSError) else why
        raise _refused(f"{program} cannot be run: {reason}", hint) from None
    if status != 0:
        raise _refused(f"{program} failed with status {status}", hint)
    return _decode(output.decode("ascii", "replace"), f"the output of {program}", hint)


def _run(arguments: list[str]) -> tuple[int, bytes]:
    # The operator's own configuration names the program; its messages go straight to our standard error.
    with subprocess.Popen(  # noqa: S603
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, process_group=0
    ) as process:
        try:
            output, _ = process.communicate(timeout=COMMAND_TIMEOUT)
        except BaseException:
            # Whatever the program has started may hold the pipe open: all of it goes, or we would wait for it.
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output


def _from_file(path: Path) -> bytes | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as why:
        raise _refused(
            f"the wrapping key {path} cannot be read: {why.strerror}",
            "it is a plain file that belongs to the user who runs locum",
        ) from None
    try:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise _refused(f"the wrapping key {path} is not a plain file", "move it away")
        if state.st_mode & 0o077:
            raise _refused(
                f"the wrapping key {path} is open to others (mode {stat.S_IMODE(state.st_mode):04o})",
                f"chmod 600 {shlex.quote(str(path))}; if others could have read it, take the secrets for stolen",
            )
        text = os.read(handle, _MAXIMUM_TEXT + 1)
    finally:
        os.close(handle)
    return _decode(text.decode("ascii", "replace"), str(path), "put the file back from a backup")


def _create(path: Path, text: bytes) -> None:
    """Make the file whole or not at all; a file that another process has made meanwhile stays."""
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}.new")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(handle, 0o600)
                file.write(text)
                file.flush()
                os.fsync(handle)
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as why:
        raise _refused(
            f"the wrapping key {path} cannot be created: {why.strerror}",
            "the data directory must exist and belong to the user who runs locum",
        ) from None
