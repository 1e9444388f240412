"""Sessions saved as a profile of the shared files, ``~/.aws/credentials`` and ``~/.aws/config``.

Other tools write these files too: each is changed under a lock on its directory, replaced in one step, closed to others
(0600), and everything else in it stays as it was.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Final

from locum.client.credentials.base import Credentials
from locum.client.failures import ConfigurationFailure
from locum.client.profile_edit import check_name, edit, find
from locum.client.profiles import MAX_BYTES, Section, Value, files, parse

__all__ = ["check_free", "save"]

_CONFIG: Final = "profile"
_CREDENTIALS: Final = ""
"""The kinds of a profile's sections in the two files."""

_KEY: Final = "aws_access_key_id"
_TOKEN: Final = "aws_session_token"  # noqa: S105 - a name
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ROLES: Final = ("role_arn", "credential_process", "web_identity_token_file", "sso_session", "sso_start_url")
_OTHER_WAYS: Final = (*_ROLES, "login_session", "credential_source", "source_profile", _KEY)
"""Settings of the config file with which a profile has credentials already, or gets them in another way."""


def check_free(name: str, environment: Mapping[str, str]) -> None:
    """Raise ConfigurationFailure where a session cannot be saved as this profile: before somebody logs in for it.

    A profile with long-term keys is not overwritten, and one that assumes a role or asks a program is left alone.
    """
    check_name(name)
    where = files(environment)
    for path, kind in ((where.config, _CONFIG), (where.credentials, _CREDENTIALS)):
        _check(find(parse(_read(_real(path)), path), kind, name), kind, name, path)


def save(
    name: str, credentials: Credentials, region: str | None, endpoint_url: str | None, environment: Mapping[str, str]
) -> tuple[str, ...]:
    """Write credentials as a profile, and where they are good for; the files that were written.

    ``endpoint_url`` is written for STS and IAM alone (STS-CL-033), and not where the profile names endpoints already.

    Raises ConfigurationFailure as :func:`check_free` does, and where a file cannot be written.
    """
    where = files(environment)
    token, expiration = credentials.session_token, credentials.expiration
    keys = {
        _KEY: credentials.access_key_id,
        "aws_secret_access_key": credentials.secret_access_key.reveal(),
        _TOKEN: None if token is None else token.reveal(),
        "aws_security_token": None,
        "aws_account_id": credentials.account_id,
        # The name that other tools which save sessions use for it.
        "x_security_token_expires": None if expiration is None else expiration.astimezone(UTC).isoformat(),
    }
    written: tuple[str, ...] = ()
    if region is not None or endpoint_url is not None:
        _replace(where.config, lambda before: _placed(before, where.config, name, region, endpoint_url))
        written = (where.config,)
    _replace(where.credentials, lambda before: _kept(before, where.credentials, name, keys))
    return (*written, where.credentials)


def _kept(before: bytes, path: str, name: str, keys: Mapping[str, str | None]) -> bytes:
    _check(find(parse(before, path), _CREDENTIALS, name), _CREDENTIALS, name, path)
    return edit(before, path, _CREDENTIALS, name, keys)


def _placed(before: bytes, path: str, name: str, region: str | None, endpoint_url: str | None) -> bytes:
    section = find(parse(before, path), _CONFIG, name)
    _check(section, _CONFIG, name, path)
    said: Mapping[str, Value] = {} if section is None else section.values
    services = f"locum-{name}"
    settings: dict[str, Value | None] = {} if region is None else {"region": region}
    if endpoint_url is not None and "endpoint_url" not in said and said.get("services", services) == services:
        settings["services"] = services
        endpoint = {"endpoint_url": endpoint_url}
        before = edit(before, path, "services", services, {"sts": endpoint, "iam": endpoint})
    return edit(before, path, _CONFIG, name, settings)


def _check(section: Section | None, kind: str, name: str, path: str) -> None:
    if section is None:
        return
    if kind == _CONFIG:
        taken = next((each for each in _OTHER_WAYS if each in section.values), None)
        if taken is not None:
            raise ConfigurationFailure(
                f"{path}, line {section.lines[taken]}: the profile {name!r} gets its credentials by {taken};"
                " save the session as another one"
            )
    elif _KEY in section.values and not (section.values.get(_TOKEN) or section.values.get("aws_security_token")):
        raise ConfigurationFailure(
            f"{path}, line {section.lines[_KEY]}: the profile {name!r} has long-term keys, which would be lost;"
            " save the session as another one"
        )


def _replace(path: str, change: Callable[[bytes], bytes]) -> None:
    from locum.server.data import write_private

    real = _real(path)
    try:
        with _locked(real.parent):
            write_private(real, change(_read(real)).decode())
    except OSError as error:
        raise ConfigurationFailure(f"{path}: cannot be written: {error.strerror or error}") from None


def _real(path: str) -> Path:
    """The file itself: people keep these files elsewhere and link to them."""
    return Path(os.path.realpath(path))


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Alone in a directory that nobody else can put files into."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        state = os.fstat(handle)
        if state.st_uid != os.geteuid() or state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ConfigurationFailure(f"{directory}: is not yours alone to write; chmod 700 your own directory")
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read(path: Path) -> bytes:
    """The file's content, empty where it is not there; only a regular file of the user's own is read."""
    try:
        handle = os.open(path, _READ)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ConfigurationFailure(f"{path}: cannot be read: {error.strerror}") from None
    with os.fdopen(handle, "rb") as file:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid():
            raise ConfigurationFailure(f"{path}: is not a file of your own")
        return file.read(MAX_BYTES + 1)
