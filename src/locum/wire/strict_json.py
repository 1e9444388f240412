"""JSON as only one reader can understand it: the one place that takes JSON of strangers apart.

A member that occurs twice in an object, text that is no Unicode, and numbers that JSON has not are refused: two
readers could see two documents (R3, R20).  Depth is bounded by what the caller says and never by Python's stack,
whose limit differs between its versions.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any, Final, NoReturn

__all__ = ["MAX_DEPTH", "JsonDepthError", "JsonError", "JsonStructureError", "decode", "read_json"]

MAX_DEPTH: Final = 64
"""Nested objects and lists, unless the caller says otherwise."""

_NESTING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|([\[{])|([\]}])', re.DOTALL)


class JsonError(ValueError):
    """What is no JSON text, or none that may be read; it says why and quotes nothing of it."""


class JsonStructureError(JsonError):
    """A JSON text that has too many objects and lists, is nested too deep, or has a member twice."""


class JsonDepthError(JsonStructureError):
    """A JSON text that is nested too deep."""


def read_json(document: bytes, *, containers: int, depth: int = MAX_DEPTH) -> Any:
    """The value of a JSON document in UTF-8 with at most so many objects and lists; JsonError for what is none."""
    if document.count(b"{") + document.count(b"[") > containers:
        raise JsonStructureError(f"it has more than {containers} objects and lists")
    try:
        text = document.decode()
    except UnicodeDecodeError:
        raise JsonError("it is not JSON: it is not UTF-8") from None
    return decode(text, depth=depth)


def decode(text: str, *, depth: int = MAX_DEPTH, number: Callable[[str], Any] | None = None) -> Any:
    """The value of a JSON text; ``number`` makes the values of its numbers.  JsonError for what is none."""
    if text.count("{") + text.count("[") > depth:
        _check_depth(text, depth)
    try:
        value = _decoder(number).decode(text)
        (json.dumps(value, ensure_ascii=False) if "\\u" in text else text).encode()
    except JsonError:
        raise
    except json.JSONDecodeError as error:
        raise JsonError(f"it is not JSON: {error}") from None
    except ValueError:
        raise JsonError("it is not JSON: it has text that is no Unicode, or a number of too many digits") from None
    return value


def _check_depth(text: str, most: int) -> None:
    depth = 0
    for token in _NESTING.finditer(text):
        if token.group(1):
            depth += 1
            if depth > most:
                raise JsonDepthError(f"it is nested deeper than {most} levels")
        elif token.group(2):
            depth -= 1


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonStructureError("it has a member twice")
    return found


def _refuse_constant(_: str) -> NoReturn:
    raise JsonError("it is not JSON: it has a number that JSON has not")


@functools.cache
def _decoder(number: Callable[[str], Any] | None) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_members, parse_int=number, parse_float=number, parse_constant=_refuse_constant
    )
