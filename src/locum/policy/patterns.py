"""Wildcards and policy variables: the text patterns of actions, resources and condition values.

``*`` and ``?`` are the only wildcards; everything else, regular-expression characters included, is literal (R29).
A pattern is turned into a set look-up, a prefix test or a regular expression whose every star is committed by an
atomic group, so that no pattern makes matching backtrack exponentially: the work is at most the square of the
subject's length times the pattern's, and in the common forms linear.

Where the reference leaves open whether a pattern matches, there are two answers: ``generous`` says yes and its
opposite says no.  The compiler asks generously for a Deny and strictly for an Allow, so that the open point always
falls on the side of refusing.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from .context import Context

__all__ = [
    "Matcher",
    "Template",
    "Variable",
    "Wild",
    "any_of",
    "arn_template",
    "literal_template",
    "match_actions",
    "resource_template",
    "substitute",
    "text_template",
    "variables_are_well_formed",
]

Matcher: TypeAlias = Callable[[str, Context], bool]
"""Whether a request's text matches, given the context that variables are taken from."""

_TOKEN: Final = re.compile(r"\$\{(?:([*?$])|([^,'${}*?]+)(?:, '([^']*)')?)\}|([*?])")
_SUPPLEMENTARY: Final = re.compile("[\U00010000-\U0010ffff]")
_RESOLVED_PATTERNS: Final = 1024
"""How many patterns made from resolved variables are kept compiled, in each process."""


class Wild(enum.Enum):
    """A wildcard; those ``WITHIN`` a segment do not match a colon."""

    STAR = "*"
    STAR_WITHIN = "*:"
    ANY = "?"
    ANY_WITHIN = "?:"


class Variable(NamedTuple):
    """``${key}`` or ``${key, 'default'}``; ``key`` in lower case (POL-VR-001, POL-VR-004).

    The value of one ``within`` a component of an ARN must not hold a colon.
    """

    key: str
    default: str | None
    within: bool = False


Piece: TypeAlias = str | Variable | Wild
Template: TypeAlias = tuple[Piece, ...]
"""A pattern taken apart: literal text, wildcards and variables; neighbouring literals are joined."""


def _take_apart(text: str, *, wildcards: bool, variables: bool) -> list[Piece]:
    """Literals, wildcards and variables of a policy's text.

    ``${*}``, ``${?}`` and ``${$}`` are literal characters (POL-VR-005); what looks like a variable and is none stays
    as it is (POL-VR-012).
    """
    pieces: list[Piece] = []
    literal: list[str] = []
    position = 0
    for token in _TOKEN.finditer(text):
        escaped, key, default, wildcard = token.groups()
        if (wildcard and not wildcards) or (not wildcard and not variables):
            if wildcard or not wildcards:
                continue
            # Without variables the braces are text, but a star between them is still a wildcard (POL-GR-004).
            literal.append(text[position : token.start()])
            for character in token.group():
                if character in "*?":
                    _flush(literal, pieces)
                    pieces.append(Wild(character))
                else:
                    literal.append(character)
            position = token.end()
            continue
        literal.append(text[position : token.start()])
        position = token.end()
        if escaped:
            literal.append(escaped)
            continue
        _flush(literal, pieces)
        if wildcard:
            if not (wildcard == "*" and pieces and pieces[-1] is Wild.STAR):
                pieces.append(Wild(wildcard))
        else:
            pieces.append(Variable(key.lower(), default))
    literal.append(text[position:])
    _flush(literal, pieces)
    return pieces


def _flush(literal: list[str], pieces: list[Piece]) -> None:
    if text := "".join(literal):
        pieces.append(text)
    literal.clear()


def variables_are_well_formed(text: str) -> bool:
    """Whether every ``${`` of a text begins a variable or an escaped character."""
    return "${" not in _TOKEN.sub("", text)


def literal_template(text: str, *, variables: bool) -> Template:
    """Text without wildcards, for the operators that compare exactly (POL-CO-030)."""
    return tuple(_take_apart(text, wildcards=False, variables=variables))


def text_template(text: str, *, variables: bool) -> Template:
    """Text whose wildcards match anything, colons and slashes included (POL-CO-032)."""
    return tuple(_take_apart(text, wildcards=True, variables=variables))


def arn_template(text: str, *, variables: bool, generous: bool) -> Template | None:
    """An ARN whose six components are matched one by one (POL-CO-061); None where it can match nothing.

    What a text of fewer than six components matches is not decided (POL-CO-063): generously every ARN, strictly none,
    and so it is with one whose variables would have to bring the missing components.
    """
    pieces = _take_apart(text, wildcards=True, variables=variables)
    if sum(piece.count(":") for piece in pieces if isinstance(piece, str)) < 5:
        return (Wild.STAR,) if generous else None
    colons = 0
    for index, piece in enumerate(pieces):
        if isinstance(piece, str):
            colons += piece.count(":")
        elif colons < 5:
            if isinstance(piece, Variable):
                pieces[index] = piece._replace(within=not generous)
            else:
                pieces[index] = Wild.STAR_WITHIN if piece is Wild.STAR else Wild.ANY_WITHIN
    return tuple(pieces)


def resource_template(text: str, *, variables: bool, generous: bool) -> Template | None:
    """A string of ``Resource``; None where it can match nothing.

    Missing segments at the end of an ARN are filled with ``*`` (POL-RS-014).  A wildcard stays within its segment,
    but a star that ends its segment, or stands in the sixth part, runs over colons (POL-RS-003); whether ``?`` does
    so there is open.  Wildcards in the service segment and variables before the sixth part have no meaning
    (POL-RS-002, POL-RS-007): strictly they match nothing.
    """
    pieces = _take_apart(text, wildcards=True, variables=variables)
    colons = sum(piece.count(":") for piece in pieces if isinstance(piece, str))
    if colons < 5 and text.startswith("arn:"):
        pieces = _take_apart(text + ":*" * (5 - colons), wildcards=True, variables=variables)
    colons = 0
    for index, piece in enumerate(pieces):
        if isinstance(piece, str):
            colons += piece.count(":")
            continue
        before_resource = text.startswith("arn:") and colons < 5
        if before_resource and not generous and (isinstance(piece, Variable) or colons == 2):
            return None
        if isinstance(piece, Variable):
            continue
        following = pieces[index + 1] if index + 1 < len(pieces) else ":"
        ends_segment = isinstance(following, str) and following.startswith(":")
        if piece is Wild.STAR:
            if before_resource and not ends_segment:
                pieces[index] = Wild.STAR_WITHIN
        elif not (generous and not before_resource):
            pieces[index] = Wild.ANY_WITHIN
    return tuple(pieces)


def any_of(templates: Iterable[Template]) -> Matcher | None:
    """Whether one of the patterns matches; None where one of them matches everything."""
    exact: set[str] = set()
    prefixes: list[str] = []
    expressions: list[re.Pattern[str]] = []
    dynamic: list[Matcher] = []
    for template in templates:
        if template == (Wild.STAR,):
            return None
        if any(isinstance(piece, Variable) for piece in template):
            dynamic.append(_dynamic(template))
        elif (text := _as_text(template)) is not None:
            exact.add(text)
        elif (text := _as_text(template[:-1])) is not None and template[-1] is Wild.STAR:
            prefixes.append(text)
        else:
            expressions.append(_compiled(template))
    return _combined(frozenset(exact), tuple(prefixes), tuple(expressions), tuple(dynamic))


def _combined(
    exact: frozenset[str],
    prefixes: tuple[str, ...],
    expressions: tuple[re.Pattern[str], ...],
    dynamic: tuple[Matcher, ...],
) -> Matcher:
    if not expressions and not dynamic:
        if not prefixes:
            if len(exact) == 1:
                (only,) = exact
                return lambda value, _: value == only
            return lambda value, _: value in exact
        if not exact:
            if len(prefixes) == 1:
                (prefix,) = prefixes
                return lambda value, _: value.startswith(prefix)
            return lambda value, _: value.startswith(prefixes)
    if len(dynamic) == 1 and not exact and not prefixes and not expressions:
        return dynamic[0]

    def matches(value: str, context: Context) -> bool:
        if value in exact or value.startswith(prefixes):
            return True
        if expressions:
            units = _units(value)
            for expression in expressions:
                if expression.match(units):
                    return True
        return any(matcher(value, context) for matcher in dynamic)

    return matches


def _dynamic(template: Template) -> Matcher:
    """A pattern with variables; one whose variable has no value matches nothing (POL-VR-006, POL-RS-008)."""
    body = template[:-1] if template[-1] is Wild.STAR else template
    if not any(isinstance(piece, Wild) for piece in body):
        open_end = len(body) < len(template)

        def compares(value: str, context: Context) -> bool:
            text = substitute(body, context)
            if text is None:
                return False
            expected = "".join(text)  # type: ignore[arg-type]  # no wildcard is left in the body
            return value.startswith(expected) if open_end else value == expected

        return compares

    def matches(value: str, context: Context) -> bool:
        pieces = substitute(template, context)
        return pieces is not None and _compiled(tuple(pieces)).match(_units(value)) is not None

    return matches


def substitute(template: Template, context: Context) -> list[str | Wild] | None:
    """The pattern with the values of its variables, which are literal text (POL-VR-008)."""
    pieces: list[str | Wild] = []
    for piece in template:
        if isinstance(piece, Variable):
            value = context.get(piece.key)
            if value is None or value == ():
                value = piece.default
            if not isinstance(value, str):  # a multivalued key has no value as a variable, nor a default (POL-VR-007)
                return None
            if piece.within and ":" in value:
                return None
            pieces.append(value)
        else:
            pieces.append(piece)
    return pieces


def _as_text(template: Template) -> str | None:
    if all(isinstance(piece, str) for piece in template):
        return "".join(template)  # type: ignore[arg-type]  # just established
    return None


@lru_cache(maxsize=_RESOLVED_PATTERNS)
def _compiled(pieces: tuple[str | Wild, ...]) -> re.Pattern[str]:
    return re.compile(_source(pieces), re.DOTALL)


def _source(pieces: Sequence[str | Wild]) -> str:
    """A regular expression for ``match`` that commits every star to its first fit.

    The first fit is as good as any for stars of one reach.  A star that stays within its segment before one that
    does not is sound too: its first fit ends before the next colon whatever came before, and a star that crosses
    colons either is followed by a colon or stands behind every star that does not cross.
    """
    runs: list[tuple[Wild | None, str]] = [(None, "")]
    for piece in pieces:
        star, text = runs[-1]
        if piece is not Wild.STAR and piece is not Wild.STAR_WITHIN:
            runs[-1] = (star, text + _single(piece))
        elif text or star is None:
            runs.append((piece, ""))
        elif piece is Wild.STAR:
            runs[-1] = (piece, "")
    source = ""
    open_group = False
    last = len(runs) - 1
    last_crossing = max((index for index, (star, _) in enumerate(runs) if star is Wild.STAR), default=-1)
    for index, (star, text) in enumerate(runs):
        end = r"\Z" if index == last else ""
        if star is Wild.STAR:
            source += ")" if open_group else ""
            open_group = False
            if index == last:
                return source if not text else f"{source}.*{text}{end}"
            if index < last_crossing:
                open_group = True
                source += "(?>"
            source += f".*?{text}"
        elif star is Wild.STAR_WITHIN:
            source += f"[^:]*{end}" if not text else f"(?>[^:]*?{text}{end})"
        else:
            source += text + end
    return source


def _single(piece: str | Wild) -> str:
    if piece is Wild.ANY:
        return "."
    if piece is Wild.ANY_WITHIN:
        return "[^:]"
    return re.escape(_units(str(piece)))


def _units(text: str) -> str:
    """A text as UTF-16 units: ``?`` is one of them, so that a character beyond U+FFFF needs two (POL-CO-032)."""
    return text if text.isascii() else _SUPPLEMENTARY.sub(_pair, text)


def _pair(found: re.Match[str]) -> str:
    offset = ord(found[0]) - 0x10000
    return chr(0xD800 | offset >> 10) + chr(0xDC00 | offset & 0x3FF)


def match_actions(patterns: Iterable[str], *, generous: bool) -> Callable[[str], bool]:
    """Whether an action in lower case is one of those that the patterns name (POL-AC-001…003).

    A wildcard before the colon and a pattern without a colon are refused when a policy is stored; in an evaluation
    they match only generously (POL-AC-005, POL-AC-007).
    """
    templates: list[Template] = []
    for pattern in patterns:
        vendor, colon, _ = pattern.partition(":")
        if pattern != "*" and not generous and (not colon or "*" in vendor or "?" in vendor):
            continue
        templates.append(text_template(pattern.lower(), variables=False))
    matcher = any_of(templates)
    if matcher is None:
        return lambda _: True
    return lambda action: matcher(action, {})
