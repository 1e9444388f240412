"""The files that people share between all their tools: ``~/.aws/config`` and ``~/.aws/credentials``.

:func:`parse` reads one file as the AWS tools do: sections, ``name = value`` settings, values that go on in indented
lines, one level of settings inside a setting.  :func:`combine` makes profiles of the two files (STS-CL-020,
STS-CL-033), and :func:`load` is the flow that finds and reads them.  Files are bounded, and what cannot be read is a
:class:`~locum.client.failures.ConfigurationFailure` that names file, line and what to write instead; it never quotes
the line, which may hold a secret.
"""

from __future__ import annotations

import difflib
import os.path
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import msgspec

from locum.client.effects import Flow, ReadFile
from locum.client.failures import ConfigurationFailure

__all__ = [
    "DEFAULT",
    "MAX_BYTES",
    "MAX_SECTIONS",
    "Files",
    "Profile",
    "Profiles",
    "Section",
    "Value",
    "chosen_name",
    "combine",
    "files",
    "load",
    "parse",
]

MAX_BYTES: Final = 1 << 20
"""Bytes of one file."""

MAX_SECTIONS: Final = 10_000
"""Sections of one file; organizations generate thousands of profiles."""

DEFAULT: Final = "default"
"""The profile that is meant where none is named."""

Value: TypeAlias = str | Mapping[str, str]
"""A setting's value: a text, or the settings inside it."""

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_HEADER: Final = re.compile(r"\[([^\]]+)\]\s*(?:[#;].*)?\Z")
_SETTING: Final = re.compile(r"(?P<name>[^=:]*?)\s*[=:]\s*(?P<value>.*)\Z", re.DOTALL)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_COMMENT: Final = ("#", ";")


class Section(msgspec.Struct, frozen=True):
    """One ``[title]`` of a file: its settings, names in lower case, and the line on which each stands."""

    title: str
    file: str
    line: int
    values: dict[str, Value]
    lines: dict[str, int]

    def __repr__(self) -> str:
        """Without the values: they may be secrets."""
        return f"Section([{self.title}], line {self.line})"


def parse(data: bytes, file: str) -> tuple[Section, ...]:
    """The sections of a file in its order; ``file`` is its name in messages.

    Raises ConfigurationFailure for what is too long, no UTF-8, or no line of this format.
    """
    if len(data) > MAX_BYTES:
        raise ConfigurationFailure(f"{file}: the file is larger than {MAX_BYTES} bytes; no configuration is that long")
    sections: list[_Open] = []
    titles: set[str] = set()
    indent, name = 0, ""
    for number, line in _lines(data, file):
        text = line.strip()
        if text.startswith(_COMMENT):
            continue
        current = sections[-1] if sections else None
        if not text:
            if current is not None and name:
                current.texts[name].append((number, ""))
            continue
        depth = len(line) - len(line.lstrip())
        if current is not None and name and depth > indent:
            current.texts[name].append((number, text))
            continue
        indent = depth
        if text.startswith("["):
            title, name = _title(text, file, number), ""
            if title in titles:
                raise _wrong(file, number, f"there is a section [{title}] already", "merge the two")
            if len(sections) == MAX_SECTIONS:
                raise _wrong(file, number, f"there are more than {MAX_SECTIONS} sections", "remove some")
            titles.add(title)
            sections.append(_Open(title, number, {}))
            continue
        if current is None:
            raise _wrong(file, number, "a setting stands before the first section", "write [default] above it")
        name = _begin(current, text, file, number)
    return tuple(_close(section, file) for section in sections)


class _Open(msgspec.Struct):
    """A section that is being read; each value still in lines."""

    title: str
    line: int
    texts: dict[str, list[tuple[int, str]]]


def _lines(data: bytes, file: str) -> Iterator[tuple[int, str]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad = data.count(b"\n", 0, error.start) + 1
        raise _wrong(file, bad, "this is not UTF-8", "save the file as UTF-8") from None
    for number, line in enumerate(_LINE_END.split(text), 1):
        if _CONTROL.search(line):
            raise _wrong(file, number, "there is a control character", "remove it")
        yield number, line


def _title(text: str, file: str, number: int) -> str:
    header = _HEADER.match(text)
    if header is None:
        raise _wrong(file, number, "this is no section", "write [profile NAME], and nothing after it but a comment")
    title = header[1]
    if title == "DEFAULT":
        raise _wrong(file, number, "[DEFAULT] means different things to different tools", "write [default]")
    return title


def _begin(section: _Open, text: str, file: str, number: int) -> str:
    setting = _SETTING.match(text)
    if setting is None or not setting["name"]:
        raise _wrong(file, number, "this is no setting", "write name = value, or begin the line with # for a comment")
    name = setting["name"].lower()
    if name in section.texts:
        raise _wrong(file, number, f"[{section.title}] has {name} already", "remove one of the two")
    section.texts[name] = [(number, setting["value"].strip())]
    return name


def _close(section: _Open, file: str) -> Section:
    values: dict[str, Value] = {}
    for name, texts in section.texts.items():
        while len(texts) > 1 and not texts[-1][1]:
            texts.pop()
        nested = len(texts) > 1 and not texts[0][1]
        values[name] = _inner(texts[1:], file) if nested else "\n".join(text for _, text in texts)
    lines = {name: texts[0][0] for name, texts in section.texts.items()}
    return Section(section.title, file, section.line, values, lines)


def _inner(texts: list[tuple[int, str]], file: str) -> dict[str, str]:
    inner: dict[str, str] = {}
    for number, text in texts:
        if not text:
            continue
        name, equals, value = text.partition("=")
        if not equals:
            raise _wrong(file, number, "this is no setting", "write name = value, or end the indentation")
        inner[name.strip()] = value.strip()
    return inner


def _wrong(file: str, line: int, what: str, fix: str) -> ConfigurationFailure:
    return ConfigurationFailure(f"{file}, line {line}: {what}; {fix}")


class Profile(msgspec.Struct, frozen=True):
    """What both files say of one profile.

    ``values`` are the settings of both, those of the credentials file first where both have one.  ``stored`` is what
    the credentials file alone says and ``configured`` what the config file alone says: an access key's parts belong
    together and are never mixed from two files.  ``places`` says where each setting stands, as ``file, line 3``.
    """

    name: str
    values: Mapping[str, Value] = {}
    stored: Mapping[str, Value] = {}
    configured: Mapping[str, Value] = {}
    places: Mapping[str, str] = {}

    def __repr__(self) -> str:
        """Without the values: they may be secrets."""
        return f"Profile({self.name!r})"

    def text(self, name: str) -> str | None:
        """A setting's text, None where it is absent or holds settings of its own."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def inner(self, name: str) -> Mapping[str, str]:
        """The settings inside a setting; empty where there are none."""
        value = self.values.get(name)
        return value if isinstance(value, Mapping) else {}

    def place(self, name: str) -> str:
        """Where a setting stands, for messages."""
        return self.places.get(name, f"profile {self.name}")


class Profiles(msgspec.Struct, frozen=True):
    """What the two files say: profiles, ``services`` sections (STS-CL-033) and the names of ``sso-session`` ones.

    ``files`` are the names of the files that were looked for.
    """

    profiles: Mapping[str, Profile] = {}
    services: Mapping[str, Mapping[str, Value]] = {}
    sso_sessions: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()

    def find(self, name: str) -> Profile:
        """The profile of that name.

        Raises ConfigurationFailure where there is none, with the files that were read and the nearest name.
        """
        found = self.profiles.get(name)
        if found is None:
            near = difflib.get_close_matches(name, list(self.profiles)[:MAX_SECTIONS], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigurationFailure(f"there is no profile {name!r} in {' or '.join(self.files) or 'any file'}{hint}")
        return found

    def get(self, name: str) -> Profile:
        """The profile of that name, an empty one where there is none."""
        return self.profiles.get(name) or Profile(name)

    def service(self, profile: Profile, service: str) -> Mapping[str, str]:
        """The settings that a profile's ``services`` section has for a service, such as ``endpoint_url``.

        Raises ConfigurationFailure where the profile names a section that does not exist.
        """
        name = profile.text("services")
        if name is None:
            return {}
        section = self.services.get(name)
        if section is None:
            raise ConfigurationFailure(
                f"{profile.place('services')}: there is no section [services {name}]; add it, or remove the setting"
            )
        inner = section.get(service)
        return inner if isinstance(inner, Mapping) else {}


def combine(config: tuple[Section, ...], credentials: tuple[Section, ...], names: tuple[str, ...] = ()) -> Profiles:
    """The profiles of a parsed config file and a parsed credentials file.

    The config file has ``[default]`` and ``[profile NAME]``, the credentials file plain ``[NAME]``.  Sections of other
    kinds are left alone: they are other tools'.
    """
    configured: dict[str, Section] = {}
    services: dict[str, Mapping[str, Value]] = {}
    sessions: set[str] = set()
    for section in config:
        kind, name = _kind(section.title)
        if kind == "profile":
            configured[name] = section
        elif kind == "services":
            services[name] = section.values
        elif kind == "sso-session":
            sessions.add(name)
    stored = {section.title: section for section in credentials}
    profiles = {
        name: _profile(name, configured.get(name), stored.get(name)) for name in dict.fromkeys((*configured, *stored))
    }
    return Profiles(profiles, services, frozenset(sessions), names)


def _kind(title: str) -> tuple[str, str]:
    if title == DEFAULT:
        return "profile", DEFAULT
    try:
        kind, name = shlex.split(title)
    except ValueError:
        return "", ""
    return kind, name


def _profile(name: str, configured: Section | None, stored: Section | None) -> Profile:
    values: dict[str, Value] = {}
    places: dict[str, str] = {}
    for section in (configured, stored):
        if section is not None:
            values |= section.values
            places |= {key: f"{section.file}, line {line}" for key, line in section.lines.items()}
    return Profile(
        name,
        values,
        stored.values if stored is not None else {},
        configured.values if configured is not None else {},
        places,
    )


class Files(msgspec.Struct, frozen=True):
    """Where the two files are."""

    config: str
    credentials: str


def files(environment: Mapping[str, str]) -> Files:
    """Where the two files are: ``AWS_CONFIG_FILE`` and ``AWS_SHARED_CREDENTIALS_FILE``, else in ``~/.aws``."""
    return Files(
        _home(environment.get("AWS_CONFIG_FILE") or "~/.aws/config", environment),
        _home(environment.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials", environment),
    )


def _home(path: str, environment: Mapping[str, str]) -> str:
    home = environment.get("HOME") or environment.get("USERPROFILE")
    if home and (path == "~" or path.startswith("~/")):
        return home.rstrip("/") + path[1:]
    return os.path.expanduser(path)  # noqa: PTH111 - a path may be any user's


def chosen_name(environment: Mapping[str, str]) -> str | None:
    """The profile that the environment names; ``AWS_DEFAULT_PROFILE`` comes first, as it does in botocore."""
    return environment.get("AWS_DEFAULT_PROFILE") or environment.get("AWS_PROFILE") or None


def load(environment: Mapping[str, str]) -> Flow[Profiles]:
    """Read both files; one that does not exist is empty.

    Raises ConfigurationFailure for a file that cannot be read or parsed.
    """
    where = files(environment)
    config = yield from _read(where.config)
    credentials = yield from _read(where.credentials)
    return combine(config, credentials, (where.config, where.credentials))


def _read(path: str) -> Flow[tuple[Section, ...]]:
    try:
        data = yield from ReadFile(path, MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise ConfigurationFailure(f"{path}: cannot be read: {error.strerror or error}") from error
    return parse(data, path)
