"""Settings written into the files that people share between all their tools, without touching anything else in them.

:func:`edit` changes the lines of the settings that it is given and no other byte: comments, order, other tools'
sections and line ends stay.  The outcome is read again before it is given, and a file in which it would mean anything
else than what was asked for is left to its owner to edit.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Final

from locum.client.failures import ConfigurationFailure
from locum.client.profiles import DEFAULT, Section, Value, parse

__all__ = ["MAX_NAME", "check_name", "edit", "find", "title"]

MAX_NAME: Final = 128
"""Characters of a profile's name that is written."""

_NAME: Final = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.@/+:-]{{0,{MAX_NAME - 1}}}\Z")
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_COMMENT: Final = ("#", ";")


def check_name(name: str) -> None:
    """Raise ConfigurationFailure for a profile's name that not every tool reads the same way."""
    if _NAME.match(name) is None or name == "DEFAULT":
        raise ConfigurationFailure(
            f"{name!r} is not written as a profile's name: letters, digits and _ . @ / + : - make one"
        )


def title(kind: str, name: str) -> str:
    """The title of a section: ``kind`` is ``profile`` or ``services`` in the config file, empty in the other one."""
    return f"{kind} {name}" if kind and (kind, name) != ("profile", DEFAULT) else name


def find(sections: tuple[Section, ...], kind: str, name: str) -> Section | None:
    """The section of that kind and name, however its title is quoted."""
    wanted = title(kind, name).split()
    for section in sections:
        try:
            if (shlex.split(section.title) if kind else [section.title]) == wanted:
                return section
        except ValueError:
            continue
    return None


def edit(data: bytes, file: str, kind: str, name: str, settings: Mapping[str, Value | None]) -> bytes:
    """The file with a section saying ``settings``, which is added where it is not there; None removes a setting.

    ``kind`` is that of :func:`title`, ``file`` the file's name in messages.

    Raises ConfigurationFailure for a file that cannot be read, a name or a value that cannot be written, and a file
    in which the change would mean something else.
    """
    check_name(name)
    sections = parse(data, file)
    section = find(sections, kind, name)
    text = data.decode("utf-8")
    lines = [line for line in _LINE.findall(text) if line]
    end = _line_end(lines)
    if section is None:
        wanted = title(kind, name)
        outcome = _appended(lines, wanted, settings, end)
        expected = [*_meanings(sections), (wanted, _written({}, settings))]
    else:
        outcome = _changed(lines, section, _after(sections, section, len(lines)), settings, end)
        expected = [
            (each.title, _written(each.values, settings) if each is section else dict(each.values)) for each in sections
        ]
    edited = "".join(outcome).encode("utf-8")
    try:
        understood = _meanings(parse(edited, file)) == expected
    except ConfigurationFailure:
        understood = False
    if not understood:
        raise ConfigurationFailure(f"{file}: [{title(kind, name)}] cannot be written into this file; edit it by hand")
    return edited


def _meanings(sections: tuple[Section, ...]) -> list[tuple[str, dict[str, Value]]]:
    return [(section.title, dict(section.values)) for section in sections]


def _written(values: Mapping[str, Value], settings: Mapping[str, Value | None]) -> dict[str, Value]:
    kept = {name: value for name, value in values.items() if name not in settings}
    return kept | {name: value for name, value in settings.items() if value is not None}


def _line_end(lines: list[str]) -> str:
    return next((line[len(line.rstrip("\r\n")) :] for line in lines if line[-1] in "\r\n"), "\n")


def _after(sections: tuple[Section, ...], section: Section, last: int) -> int:
    """The index of the line after a section."""
    place = sections.index(section)
    return sections[place + 1].line - 1 if place + 1 < len(sections) else last


def _appended(lines: list[str], wanted: str, settings: Mapping[str, Value | None], end: str) -> list[str]:
    before = list(lines)
    if before and before[-1][-1] not in "\r\n":
        before[-1] += end
    if before and before[-1].strip():
        before.append(end)
    return [*before, f"[{wanted}]{end}", *_settings(settings, "", end)]


def _settings(settings: Mapping[str, Value | None], indent: str, end: str) -> list[str]:
    return [
        line for name, value in settings.items() if value is not None for line in _setting(name, value, indent, end)
    ]


def _setting(name: str, value: Value, indent: str, end: str) -> list[str]:
    if isinstance(value, str):
        return [f"{indent}{name} = {value}{end}"]
    return [f"{indent}{name} ={end}", *(f"{indent}  {key} = {inner}{end}" for key, inner in value.items())]


def _changed(
    lines: list[str], section: Section, after: int, settings: Mapping[str, Value | None], end: str
) -> list[str]:  # fmt: skip
    """Each setting where it stands, new ones behind the section's last."""
    numbers = {number: name for name, number in section.lines.items()}
    body: list[str] = []
    name, last, indent = "", 0, ""
    for number in range(section.line + 1, after + 1):
        line = lines[number - 1]
        text = line.strip()
        if number in numbers:
            name = numbers[number]
            indent = line[: len(line) - len(line.lstrip())]
            value = settings.get(name)
            if name in settings:
                if value is not None:
                    body += _setting(name, value, indent, end)
                    last = len(body)
                continue
        elif name in settings and text and not text.startswith(_COMMENT):
            continue  # a further line of a value that is replaced
        body.append(line)
        if text and not text.startswith(_COMMENT):
            last = len(body)
    header = lines[: section.line]
    new = {key: value for key, value in settings.items() if key not in section.lines}
    return _joined([*header, *body[:last]], [*_settings(new, indent, end), *body[last:], *lines[after:]], end)


def _joined(first: list[str], then: list[str], end: str) -> list[str]:
    """Both parts, with a line end between them."""
    if then and first and first[-1][-1] not in "\r\n":
        first[-1] += end
    return [*first, *then]
