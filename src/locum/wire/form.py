"""Form-encoded parameters and the raw request target: the first text of a request that anything reads.

One decoder serves the query string and the ``application/x-www-form-urlencoded`` body, so that the signature's
verifier and the handler read the same values (R20).  Strict where lenient decoders guess: every ``%`` begins a
two-digit escape, and the result is UTF-8.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from locum.errors import MalformedInput, MalformedQueryString

__all__ = ["MAX_BYTES", "MAX_PARAMETERS", "MAX_PATH", "check_target", "parse_form"]

MAX_BYTES: Final = 1 << 20
"""Encoded size of a form that :func:`parse_form` reads unless told otherwise."""

MAX_PARAMETERS: Final = 4096
"""Parameters of a form that :func:`parse_form` reads unless told otherwise; empty ones between two ``&`` count."""

MAX_PATH: Final = 8192
"""Characters of a raw path that :func:`check_target` accepts."""

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_TARGET = re.compile(r"/(?:[!-$&-~]++|%[0-9A-Fa-f]{2})*+", re.ASCII)


def parse_form(
    data: bytes | str, *, max_bytes: int = MAX_BYTES, max_parameters: int = MAX_PARAMETERS
) -> list[tuple[str, str]]:
    """The decoded ``(name, value)`` pairs of a form body or a raw query string, in order, repeats kept.

    A query string is text with one character a byte.  ``+`` is a blank; a parameter without ``=`` has an empty value;
    nothing between two ``&`` is no parameter.

    Raises MalformedQueryString where an escape cannot be read (STS-SIG-T04) or the decoded bytes are not UTF-8, and
    MalformedInput beyond ``max_bytes`` or ``max_parameters``.
    """
    if not data:
        return []
    if len(data) > max_bytes:
        raise MalformedInput(f"The request's parameters are longer than {max_bytes} bytes")
    text = data if isinstance(data, str) else data.decode("latin-1")
    pieces = text.replace("+", " ").split("&", max_parameters)
    if len(pieces) > max_parameters:
        raise MalformedInput(f"The request has more than {max_parameters} parameters")
    ascii_only = text.isascii()
    if ascii_only and "%" not in text:
        return [piece.partition("=")[::2] for piece in pieces if piece]
    if not ascii_only or "\n" in text or "\r" in text:
        _require_escapes(text)
    pairs = []
    try:
        for piece in pieces:
            name, _, value = piece.partition("=")
            if "%" in name or not ascii_only:
                name = _decoded(name)
            if "%" in value or not ascii_only:
                value = _decoded(value)
            if piece:
                pairs.append((name, value))
    except _Unreadable:
        _require_escapes(text)
        raise
    except UnicodeError:
        raise MalformedQueryString("The request's parameters are not valid UTF-8") from None
    return pairs


def check_target(path: str) -> bool:
    """Whether a raw request path may be looked at: absolute, readable escapes, never above the root.

    A path that fails is answered with 400 and an empty body before anything else (STS-W-019, STS-SIG-T01).  Escaped
    dots count as dots; empty segments do not count as depth; blanks, controls and bytes beyond ASCII are not a path.
    """
    if path == "/":
        return True
    if len(path) > MAX_PATH or _TARGET.fullmatch(path) is None:
        return False
    depth = 0
    for segment in path.replace("%2e", ".").replace("%2E", ".").split("/"):
        if segment == "..":
            depth -= 1
            if depth < 0:
                return False
        elif segment not in ("", "."):
            depth += 1
    return True


class _Unreadable(MalformedQueryString):
    """An escape that could not be decoded; replaced by the error that names it."""


def _decoded(text: str) -> str:
    """A component with its escapes decoded; _Unreadable where one is malformed, given that no raw CR or LF is there.

    Percent-encoding is quoted-printable with another escape character, and binascii decodes that in C.  It leaves
    what it cannot read longer than an escape decodes to, so the length shows whether every escape was read; soft line
    breaks, the one exception, need a raw CR or LF.
    """
    plain = binascii.a2b_qp(text.encode("latin-1").replace(b"=", b"=3D").replace(b"%", b"="))
    if len(plain) + 2 * text.count("%") != len(text):
        raise _Unreadable
    return plain.decode("utf-8")


def _require_escapes(text: str) -> None:
    """Raise MalformedQueryString for the first unreadable escape; one ends where its name or value ends."""
    bad = _BAD_ESCAPE.search(text)
    if bad is None:
        return
    start = bad.start()
    component = text[start : start + 3].partition("&")[0]
    if "=" not in text[text.rfind("&", 0, start) + 1 : start]:
        component = component.partition("=")[0]
    if len(component) < 3:
        raise MalformedQueryString("Incomplete trailing escape % sequence")
    raise MalformedQueryString(f"Illegal hex character in escape % pattern: {component}")
