"""XML as the query protocol uses it: text made safe to write, documents read without surprises.

Writing is string building with :func:`escape`; reading is expat with DTDs, and with them entities, refused and with
size, depth and count bounded.
"""

from __future__ import annotations

import re
from typing import Final
from xml.parsers import expat

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_ELEMENTS", "PLAIN", "Element", "UnreadableAnswer", "escape", "parse_xml"]

MAX_BYTES: Final = 16 << 20
"""Bytes of a document that :func:`parse_xml` reads."""

MAX_DEPTH: Final = 32
"""Depth of elements that :func:`parse_xml` reads."""

MAX_ELEMENTS: Final = 500_000
"""Elements of a document that :func:`parse_xml` reads."""

PLAIN: Final = bytes(code for code in (9, 10, *range(32, 127)) if code not in b"&<>")
"""The bytes that stand for themselves in the content of an element: ``bytes.translate(None, PLAIN)`` finds others."""

# What XML 1.0 lacks (2.2), rather than what it has: this compiles in an eighth of the time.
_NOT_A_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class UnreadableAnswer(ValueError):
    """What came back is not an answer of the protocol."""


def escape(text: str | None) -> str | None:
    """The text as content of an element; what XML 1.0 cannot hold becomes U+FFFD (R37).

    A carriage return is written as a reference, or parsers would read a line feed.  None stays None.
    """
    if text is None or not text.encode("utf-8", "surrogatepass").translate(None, PLAIN):
        return text
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _NOT_A_CHARACTER.sub("\ufffd", text).replace("\r", "&#xD;")


class Element:
    """An element: its local name, its own text and its children in order; attributes are not kept."""

    __slots__ = ("children", "name", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ""
        self.children: list[Element] = []

    def find(self, name: str) -> Element | None:
        """The child of that name, None where there is none; UnreadableAnswer where there are several."""
        found = [child for child in self.children if child.name == name]
        if len(found) > 1:
            raise UnreadableAnswer(f"the element {name} is repeated")
        return found[0] if found else None


def parse_xml(document: bytes) -> Element:
    """The root element of a UTF-8 document; UnreadableAnswer where it is not well-formed, has a DTD or is too large."""
    if len(document) > MAX_BYTES:
        raise UnreadableAnswer("the answer is too large")
    top = Element("")
    stack = [top]
    texts: list[list[str]] = [[]]
    count = 0

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(stack) > MAX_DEPTH or count > MAX_ELEMENTS:
            raise UnreadableAnswer("the answer has too many elements")
        element = Element(name.rpartition(":")[2])
        stack[-1].children.append(element)
        stack.append(element)
        texts.append([])

    def end(_: str) -> None:
        stack.pop().text = "".join(texts.pop())

    def data(text: str) -> None:
        texts[-1].append(text)

    def doctype(*_: object) -> None:
        raise UnreadableAnswer("the answer declares a document type")

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = data
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise UnreadableAnswer(f"the answer is not well-formed XML: {error}") from None
    return top.children[0]
