"""YAML and JSON files, read with the line and column of everything in them.

Both come out as the same tree.  What a scalar means is the reader's to say who knows what is expected: its text is kept
as it was written, so that an account id keeps its zeros and ``2012-10-17`` is no date.  YAML's anchors and aliases are
understood, its tags and merge keys are not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from locum.server.problems import Problem, Refused

__all__ = [
    "MAX_CHARACTERS",
    "MAX_DEPTH",
    "MAX_NODES",
    "NUMBER",
    "Fault",
    "Node",
    "Number",
    "Place",
    "SourceError",
    "plain",
    "read_json",
    "read_source",
    "read_yaml",
    "values_of",
]

MAX_CHARACTERS: Final = 33_554_432
"""The longest file, in characters."""
MAX_DEPTH: Final = 32
"""How deep a file may be nested; a policy document takes at most eight levels of it."""
MAX_NODES: Final = 2_000_000
"""Values and names in a file, those behind an alias counted each time that it stands there."""

NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+][0-9]+)?)?", re.ASCII)
"""Plain scalars of YAML that are numbers in a policy document: those that are numbers to every reader of YAML."""
_JSON_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", re.ASCII)
_TOKEN: Final = re.compile(r'[ \t\r\n]*+(?:("(?:[^"\\\x00-\x1f]|\\.)*+")|([\[\]{}:,])|([^\s\[\]{}:,"]+))')
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_YAML_WORDS: Final = _WORDS | {"~": None, "": None}


class Place(NamedTuple):
    """A line and a column of the file, both from 1."""

    line: int = 1
    column: int = 1


class Fault(NamedTuple):
    """What is wrong at a place of the file."""

    place: Place
    text: str


class SourceError(Exception):
    """The file is no YAML or JSON, or more of it than is read."""

    def __init__(self, place: Place, text: str) -> None:
        super().__init__(text)
        self.fault: Final = Fault(place, text)


class Number(str):
    """A number as it was written."""

    __slots__ = ()


class Node(msgspec.Struct, frozen=True, gc=False):
    """A value and where it stands.

    ``value`` is the text of a scalar, or a list of nodes, or the members of a mapping by name.  ``bare`` tells that a
    scalar stands without quotes and is a number, true, false or null, unless a text is expected.  ``names`` has the
    places of a mapping's names, ``size`` counts the values and names inside.
    """

    place: Place
    value: str | list[Node] | dict[str, Node]
    bare: bool = False
    names: dict[str, Place] = {}
    size: int = 1


def read_source(text: str, name: str) -> Node:
    """The tree of a file; SourceError where it cannot be read, Refused where that takes a package that is not there.

    ``name`` decides by its end: ``.json`` is JSON, ``.yaml`` and ``.yml`` are YAML.  Any other file is JSON where it
    begins with a brace.
    """
    if name.endswith((".yaml", ".yml")) or not (name.endswith(".json") or text.lstrip().startswith("{")):
        return read_yaml(text)
    return read_json(text)


def _check_size(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise SourceError(Place(), f"the file is longer than {MAX_CHARACTERS} characters")


def _checked(place: Place, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SourceError(place, "half of a surrogate pair is no character") from None
    return text


class _Builder:
    """Puts nodes together in the order in which a file brings them, with the bounds on how many there may be."""

    def __init__(self) -> None:
        self._open: list[tuple[Place, dict[str, Node] | list[Node], dict[str, Place], str, int]] = []
        self._anchors: dict[str, Node] = {}
        self._names: list[tuple[str, Place] | None] = []
        self._count = 0
        self.root: Node | None = None

    @property
    def expects_name(self) -> bool:
        """Whether the next scalar is a member's name."""
        return bool(self._open) and isinstance(self._open[-1][1], dict) and self._names[-1] is None

    def open(self, place: Place, anchor: str, *, mapping: bool) -> None:
        if self.expects_name:
            raise SourceError(place, "a name is a plain text, not a list or a mapping")
        if len(self._open) >= MAX_DEPTH:
            raise SourceError(place, f"the file is nested deeper than {MAX_DEPTH} levels")
        self._open.append((place, {} if mapping else [], {}, anchor, self._count))
        self._names.append(None)
        self._add(place, 1)

    def close(self) -> None:
        place, value, names, anchor, before = self._open.pop()
        self._names.pop()
        self._place(Node(place, value, names=names, size=self._count - before), anchor)

    def scalar(self, place: Place, text: str, anchor: str = "", *, bare: bool) -> None:
        _checked(place, text)
        if self.expects_name:
            names = self._open[-1][2]
            if text in names:
                raise SourceError(place, f"the name {_shown(text)} stands here a second time")
            names[text] = place
            self._names[-1] = text, place
            self._add(place, 1)
            if anchor:
                self._anchors[anchor] = Node(place, text, bare)
            return
        self._add(place, 1)
        self._place(Node(place, text, bare), anchor)

    def alias(self, place: Place, anchor: str) -> None:
        node = self._anchors.get(anchor)
        if node is None:
            raise SourceError(place, f"there is no anchor &{anchor[:64]} before this")
        if self.expects_name:
            raise SourceError(place, "a name is written out, not taken from an anchor")
        self._add(place, node.size)
        if len(self._open) + _depth(node) > MAX_DEPTH:
            raise SourceError(place, f"the file is nested deeper than {MAX_DEPTH} levels")
        self._place(node, "")

    def _add(self, place: Place, count: int) -> None:
        self._count += count
        if self._count > MAX_NODES:
            raise SourceError(place, f"the file has more than {MAX_NODES} values and names")

    def _place(self, node: Node, anchor: str) -> None:
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        into = self._open[-1][1]
        if isinstance(into, list):
            into.append(node)
            return
        name = self._names[-1]
        self._names[-1] = None
        if name is not None:
            into[name[0]] = node


def _depth(node: Node) -> int:
    depth, level = 0, [node]
    while level:
        inner = [each for one in level for each in _inside(one) if not isinstance(each.value, str)]
        # The same node many times over is looked at once.
        level = [*{id(each): each for each in inner}.values()]
        depth += 1
    return depth


def _inside(node: Node) -> Iterator[Node]:
    if isinstance(node.value, dict):
        yield from node.value.values()
    elif isinstance(node.value, list):
        yield from node.value


def _shown(text: str) -> str:
    return json.dumps(text[:64], ensure_ascii=False)


# YAML


def read_yaml(text: str) -> Node:
    """The tree of one YAML document; an empty one is an empty mapping."""
    _check_size(text)
    try:
        import yaml
    except ImportError:
        raise Refused(
            Problem("YAML needs a package that is not installed", "pip install 'locum[yaml]', or write JSON")
        ) from None
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    build = _Builder()
    documents = 0
    try:
        for event in yaml.parse(text, Loader=loader):
            mark: Any = event.start_mark
            place = Place(mark.line + 1, mark.column + 1)
            anchor = getattr(event, "anchor", None) or ""
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise SourceError(place, "a second document begins here: one file is one document")
            elif isinstance(event, yaml.AliasEvent):
                build.alias(place, anchor)
            elif isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None) not in (None, "!"):
                raise SourceError(place, "tags have no meaning here: put a text in quotes")
            elif isinstance(event, yaml.ScalarEvent):
                bare = bool(event.implicit[0]) and event.style in (None, "") and _is_literal(event.value)
                build.scalar(place, event.value, anchor, bare=bare)
            elif isinstance(event, yaml.CollectionStartEvent):
                build.open(place, anchor, mapping=isinstance(event, yaml.MappingStartEvent))
            elif isinstance(event, yaml.CollectionEndEvent):
                build.close()
    except yaml.YAMLError as error:
        raise _yaml_fault(error, text) from None
    return build.root or Node(Place(), {})


def _is_literal(text: str) -> bool:
    word = text.lower()
    is_word = word in _YAML_WORDS and text in (word, word.upper(), word.capitalize())
    return is_word or NUMBER.fullmatch(text) is not None


def _yaml_fault(error: Any, text: str) -> SourceError:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        problem = str(getattr(error, "problem", None) or "this is no YAML")
        return SourceError(Place(mark.line + 1, mark.column + 1), f"this is no YAML: {problem}")
    position = getattr(error, "position", None)
    before = text[:position] if isinstance(position, int) else ""
    place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
    return SourceError(place, "this is no YAML: a character that it does not allow")


# JSON


class _Lines:
    """Turns offsets that only grow into places."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._line = 1
        self._start = 0
        self._seen = 0

    def place(self, offset: int) -> Place:
        self._line += self._text.count("\n", self._seen, offset)
        self._start = max(self._start, self._text.rfind("\n", self._seen, offset) + 1)
        self._seen = offset
        return Place(self._line, offset - self._start + 1)


def read_json(text: str) -> Node:
    """The tree of a JSON text (RFC 8259)."""
    _check_size(text)
    lines = _Lines(text)
    build = _Builder()
    position = 0
    # What may come next: a value, a name, ``:`` or ``,``; ``]`` and ``}`` where a list or an object may end.
    opened: list[str] = []
    expected = "value"
    while build.root is None:
        found = _TOKEN.match(text, position)
        if found is None:
            end = lines.place(len(text) - len(text[position:].lstrip(" \t\r\n")))
            raise SourceError(end, "this is no JSON: it ends, or a string does, before it is complete")
        place = lines.place(found.start(found.lastindex or 0))
        string, symbol, word = found.groups()
        position = found.end()
        if symbol in ("{", "[") and expected.startswith("value"):
            build.open(place, "", mapping=symbol == "{")
            opened.append(symbol)
            expected = "name or }" if symbol == "{" else "value or ]"
        elif symbol in ("}", "]") and opened and expected.endswith(f"or {symbol}"):
            build.close()
            opened.pop()
            expected = _after(opened)
        elif symbol == "," and expected.startswith(", or"):
            expected = "name" if opened[-1] == "{" else "value"
        elif symbol == ":" and expected == ":":
            expected = "value"
        elif string is not None and expected.startswith(("name", "value")):
            is_name = expected.startswith("name")
            build.scalar(place, _string(place, string), bare=False)
            expected = ":" if is_name else _after(opened)
        elif word is not None and expected.startswith("value"):
            if word not in _WORDS and not _JSON_NUMBER.fullmatch(word):
                raise SourceError(place, f"this is no JSON: {_shown(word)} is no value")
            build.scalar(place, word, bare=True)
            expected = _after(opened)
        else:
            raise SourceError(place, f"this is no JSON: expected {expected}")
    rest = text[position:].lstrip(" \t\r\n")
    if rest:
        raise SourceError(lines.place(len(text) - len(rest)), "this is no JSON: something stands after its end")
    return build.root


def _after(opened: list[str]) -> str:
    return "" if not opened else ", or }" if opened[-1] == "{" else ", or ]"


def _string(place: Place, token: str) -> str:
    try:
        value: str = json.loads(token)
    except ValueError:
        raise SourceError(place, "this is no JSON: a string holds an escape that there is not") from None
    return value


# What a tree means


def plain(node: Node) -> Any:
    """The value of a tree as of a JSON text; numbers are kept as they were written, in :class:`Number`."""
    value = node.value
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not node.bare:
        return value
    word = value.lower()
    return _YAML_WORDS[word] if word in _YAML_WORDS else Number(value)


def values_of(text: str) -> Any:
    """The same of a JSON text; SourceError where it is none."""
    return plain(read_json(text))
