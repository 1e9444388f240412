"""Command-line options that are made from the declaration of a command of the API.

Every member is an option under its own name in kebab case, as in the AWS CLI.  Values of text may come from a file
(``@path``) or from standard input (``-``), a text that begins with ``@`` is written ``@@…``; secrets come from there
only, or are asked for, as what stands on a command line can be read by everybody on the machine.  Structures are
written ``key=…,value=…`` (``\\,`` is a comma in a value) or as JSON, and lists by giving the option several times or as
a JSON list.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import click
import msgspec

from locum.api.shapes import Command, Kind, Member, Shape, members
from locum.cli.moments import moment
from locum.cli.remote import Usage
from locum.secret import Secret

__all__ = ["LONGEST_INPUT", "kebab", "member_options", "members_from", "read_secret", "read_text"]

LONGEST_INPUT: Final = 1 << 20
"""Bytes of a file or of standard input that become a value."""

_SCALARS: Final = (Kind.TEXT, Kind.INTEGER, Kind.TIMESTAMP)


def kebab(attribute: str) -> str:
    """The option's name of a member: ``role_arn`` → ``role-arn``."""
    return attribute.replace("_", "-")


def member_options(
    command_type: type[Command[Any]], *, without: Sequence[str] = (), optional: Sequence[str] = ()
) -> list[click.Option]:
    """An option for each member of a command but those named in ``without``; ``optional`` ones may be left out."""
    options = []
    for member in members(command_type):
        if member.attribute in without:
            continue
        if member.kind not in (*_SCALARS, Kind.STRUCTURE, Kind.LIST):
            raise TypeError(f"{command_type.__name__}.{member.attribute} cannot be an option")
        required = member.required and not member.limits.secret and member.attribute not in optional
        options.append(
            click.Option(
                [f"--{kebab(member.attribute)}", member.attribute],
                type=int if member.kind is Kind.INTEGER else str,
                required=required,
                multiple=member.kind is Kind.LIST,
                callback=moment if member.kind is Kind.TIMESTAMP else None,
                metavar=_metavar(member),
                help=_help(member),
            )
        )
    return options


def members_from(command_type: type[Command[Any]], options: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`member_options` gave, as members of the command; what was left out is left out.

    A required secret that was not given is asked for at the terminal.  Raises :class:`Usage` for a value that cannot
    be read, without quoting it.
    """
    found = {}
    for member in members(command_type):
        value = options.get(member.attribute)
        if member.limits.secret and value is None and member.required and member.attribute in options:
            found[member.attribute] = _asked_for(member)
        elif value is not None and value != ():
            found[member.attribute] = _value(member, value)
    return found


def _asked_for(member: Member) -> Secret:
    if not sys.stdin.isatty():
        name = kebab(member.attribute)
        raise Usage(f"--{name} is missing", f"write --{name} @FILE, or --{name} - to read standard input")
    from locum.client.transport import ask

    return Secret(ask(f"{kebab(member.attribute).replace('-', ' ').capitalize()}: "))


# Values


def read_text(option: str, given: str) -> str:
    """The text that an option's value stands for: itself, a file's (``@path``) or standard input's (``-``).

    A line feed at the end of a file does not count.  Raises :class:`Usage` where it cannot be read.
    """
    if given.startswith("@@"):
        return given[1:]
    if given == "-" or given.startswith("@"):
        return _content(option, given)
    return given


def read_secret(option: str, given: str) -> Secret:
    """The same for a secret, which cannot stand for itself; see :func:`read_text`."""
    if given != "-" and (not given.startswith("@") or given.startswith("@@")):
        raise Usage(
            f"{option} is a secret, and everybody on this machine can read command lines",
            f"write {option} @FILE, or {option} - to read standard input",
        )
    return Secret(_content(option, given))


def _content(option: str, given: str) -> str:
    try:
        if given == "-":
            data = sys.stdin.buffer.read(LONGEST_INPUT + 1)
        else:
            with Path(given[1:]).expanduser().open("rb") as file:
                data = file.read(LONGEST_INPUT + 1)
    except OSError as error:
        raise Usage(f"{option}: {given[1:]} cannot be read: {error.strerror}", "name a file, or - for stdin") from None
    if len(data) > LONGEST_INPUT:
        raise Usage(f"{option}: there are more than {LONGEST_INPUT} bytes", "is it the right file?")
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise Usage(f"{option}: this is not UTF-8 at byte {error.start}", "save it as UTF-8") from None


def _value(member: Member, given: Any) -> Any:
    option = f"--{kebab(member.attribute)}"
    if member.limits.secret:
        return read_secret(option, given)
    if member.kind is Kind.LIST:
        return _list(member, option, given)
    if member.kind is Kind.STRUCTURE:
        text = read_text(option, given)
        return _structure(member, option, _json(option, text) if text.lstrip().startswith("{") else text)
    if member.kind is Kind.TIMESTAMP:
        return datetime.fromtimestamp(given, UTC)
    return read_text(option, given) if member.kind is Kind.TEXT else given


def _list(member: Member, option: str, given: Sequence[str]) -> tuple[Any, ...]:
    element = cast("Member", member.element)
    found: list[Any] = []
    for each in given:
        text = read_text(option, each)
        nested = element.kind is Kind.STRUCTURE
        value = _json(option, text) if text.lstrip().startswith(("[", "{") if nested else "[") else text
        found += value if isinstance(value, list) else [value]
    return tuple(_element(element, option, each) for each in found)


def _element(element: Member, option: str, value: Any) -> Any:
    if element.kind is Kind.STRUCTURE:
        return _structure(element, option, value)
    if not isinstance(value, str):
        raise Usage(f"{option}: a list of texts holds something else", f'write {option} \'["…", "…"]\'')
    return value


def _json(option: str, text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise Usage(f"{option}: this begins like JSON and is none: {error}", "put names and texts in quotes") from None


def _structure(member: Member, option: str, given: Any) -> Shape:
    shape = cast("type[Shape]", member.shape)
    inside = members(shape)
    pairs = list(given.items()) if isinstance(given, dict) else _pairs(option, given, shape)
    named = {_plain(name): each for each in inside for name in (each.attribute, each.wire_name)}
    found: dict[str, Any] = {}
    for name, value in pairs:
        each = named.get(_plain(name))
        if each is None:
            raise Usage(f"{option} has no {name!r}", f"write {_shorthand(shape)}")
        if each.attribute in found:
            raise Usage(f"{option} has {name!r} twice in one value", f"write {option} again for another one")
        if not isinstance(value, str):
            raise Usage(f"{option}: {name} is not a text", f"write {_shorthand(shape)}")
        found[each.attribute] = value
    missing = [kebab(each.attribute) for each in inside if each.required and each.attribute not in found]
    if missing:
        raise Usage(f"{option}: {missing[0]} is missing", f"write {_shorthand(shape)}")
    return shape(**found)


def _plain(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


def _pairs(option: str, given: Any, shape: type[Shape]) -> list[tuple[str, str]]:
    """The names and values of a shorthand text."""
    if not isinstance(given, str):
        raise Usage(f"{option}: a list of structures holds something else", f"write {_shorthand(shape)}")
    pairs = []
    for piece in _pieces(given):
        name, equals, value = piece.partition("=")
        if not equals:
            raise Usage(f"{option}: a part of the value has no '='", f"write {_shorthand(shape)}; \\, is a comma")
        pairs.append((name.strip(), value))
    return pairs


def _pieces(text: str) -> list[str]:
    """The parts between commas; after a backslash, a comma and a backslash are like other characters."""
    pieces, escaped = [""], False
    for each in text:
        if escaped:
            pieces[-1] += each if each in ",\\" else f"\\{each}"
            escaped = False
        elif each == "\\":
            escaped = True
        elif each == ",":
            pieces.append("")
        else:
            pieces[-1] += each
    if escaped:
        pieces[-1] += "\\"
    return pieces


# What the help says


def _shorthand(shape: type[Shape]) -> str:
    return ",".join(f"{kebab(each.attribute)}=…" for each in members(shape))


def _metavar(member: Member) -> str:
    if member.limits.secret:
        return "@FILE|-"
    of = cast("Member", member.element) if member.kind is Kind.LIST else member
    if of.kind is Kind.STRUCTURE:
        return _shorthand(cast("type[Shape]", of.shape))
    return {Kind.INTEGER: "NUMBER", Kind.TIMESTAMP: "TIME"}.get(of.kind, "TEXT")


def _help(member: Member) -> str:
    said: list[str] = []
    limits = member.limits
    if member.kind is Kind.LIST:
        said.append("Repeatable" + (f", at most {limits.most} times" if limits.most is not None else ""))
        limits = cast("Member", member.element).limits
    if limits.secret:
        said.append("A secret: from a file, or - for standard input")
    if limits.one_of:
        said.append(" or ".join(limits.one_of))
    elif member.kind is not Kind.TIMESTAMP and (limits.least is not None or limits.most is not None):
        unit = "" if member.kind is Kind.INTEGER else " characters"
        said.append(_range(limits.least, limits.most) + unit)
    elif member.kind is Kind.TIMESTAMP:
        said.append("2026-01-02T03:04:05Z, or 2h ago")
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _range(least: int | None, most: int | None) -> str:
    if least == most:
        return str(least)
    if not least and most is not None:
        return f"at most {most}"
    return f"at least {least}" if most is None else f"{least} to {most}"
