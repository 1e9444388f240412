"""XML from strangers, strictly and within bounds: the only place of the package that parses.

What SAML has no use for is refused before the parser sees it: DTDs and thereby entities, processing instructions,
CDATA sections, encodings other than UTF-8, and comments, which cut a text in two for whoever reads only its first part
(R35).  In well-formed XML all of them begin with ``<!`` or ``<?``, and neither can stand anywhere else.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import msgspec
from lxml import etree

__all__ = ["METADATA", "PARSER", "RESPONSE", "Bounds", "DocumentError", "parse"]


class Bounds(msgspec.Struct, frozen=True):
    """The size of a document: bytes; tags, opening and closing ones; quotes, two an attribute; and levels of nesting.

    All but the nesting are counted before anything is built.  ``comments`` lets them pass, and drops them.
    """

    size: int
    tags: int
    quotes: int
    depth: int = 32
    comments: bool = False


RESPONSE: Final = Bounds(size=75_000, tags=4_000, quotes=8_000)
"""A response: 100,000 characters of base64 (STS-SAML-001) are 75,000 bytes."""

METADATA: Final = Bounds(size=30_000_000, tags=40_000, quotes=80_000, comments=True)
"""A metadata document: at most 10 million characters (IAM-SML-002)."""


def _parser(*, remove_comments: bool) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        collect_ids=False,
        recover=False,
        remove_comments=remove_comments,
        encoding="utf-8",
    )


PARSER: Final = _parser(remove_comments=False)
"""For what has passed :func:`parse` once: the parser of the signature library."""

_COMMENTLESS: Final = _parser(remove_comments=True)

_DECLARATION: Final = re.compile(
    rb"<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*([\"'])1\.0\1"
    rb"(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*([\"'])(?i:utf-8)\2)?"
    rb"(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*([\"'])(?:yes|no)\3)?[ \t\r\n]*\?>"
)

_IDS: Final = etree.XPath("//@ID | //@Id | //@id | //@xml:id", smart_strings=False)
"""What signatures, encryption and schemas call an ID; the same name in a namespace, the signature library looks at."""


@lru_cache(maxsize=4)
def _deeper_than(depth: int) -> etree.XPath:
    return etree.XPath(f"boolean({'/*' * (depth + 1)})")


class DocumentError(ValueError):
    """A document that is refused; the text says why and quotes nothing of it."""


def parse(data: bytes, bounds: Bounds) -> etree._Element:
    """The root of the document in ``data``, in which no ID occurs twice; or DocumentError."""
    if len(data) > bounds.size:
        raise DocumentError(f"it is larger than {bounds.size} bytes")
    if data.startswith(b"\xef\xbb\xbf"):
        raise DocumentError("it begins with a byte order mark")
    try:
        data.decode()
    except UnicodeDecodeError:
        raise DocumentError("it is not UTF-8") from None
    begins = declared.end() if (declared := _DECLARATION.match(data)) else 0
    # Looking for a rare byte costs nothing; looking for a pair stops at every "<".
    if b"?" in data and data.find(b"<?", begins) >= 0:
        raise DocumentError("it has a processing instruction, or an XML declaration that is not of XML 1.0 in UTF-8")
    if b"!" in data and data.count(b"<!") > (data.count(b"<!--") if bounds.comments else 0):
        raise DocumentError("it has a comment, a CDATA section, a document type or an entity declaration")
    if data.count(b"<") > bounds.tags:
        raise DocumentError(f"it has more than {bounds.tags} tags")
    if len(data) > bounds.quotes and data.count(b'"') + data.count(b"'") > bounds.quotes:
        raise DocumentError(f"it has more than {bounds.quotes} quotes")
    try:
        root = etree.fromstring(data, _COMMENTLESS if bounds.comments else PARSER)
    except etree.XMLSyntaxError:
        raise DocumentError("it is not well-formed XML") from None
    if _deeper_than(bounds.depth)(root):
        raise DocumentError(f"its elements are nested more than {bounds.depth} deep")
    ids = _IDS(root)
    if isinstance(ids, list) and len(set(ids)) != len(ids):
        raise DocumentError("two of its elements have the same ID")
    return root
