"""The URLs of identity providers: which ones are good enough to send a password or a code to, and how to ask them."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlencode, urlsplit

import msgspec

from locum.client.effects import Flow, Send
from locum.client.failures import ConfigurationFailure
from locum.http import Headers, Request, Response

__all__ = ["FORM", "MAX_ANSWER", "MAX_URL", "Place", "exchange", "place"]

MAX_URL: Final = 16_384
"""Characters of a URL."""

MAX_ANSWER: Final = 1 << 20
"""Bytes of a page or of a token endpoint's answer."""

FORM: Final = "application/x-www-form-urlencoded"
"""The content type of forms."""

_VISIBLE: Final = re.compile(r"[!-~]+\Z")


class Place(msgspec.Struct, frozen=True):
    """A URL taken apart: ``origin`` is scheme and authority, in lower case and without the scheme's own port."""

    origin: str
    path: str
    query: str = ""

    def __str__(self) -> str:
        return f"{self.origin}{self.path}" + (f"?{self.query}" if self.query else "")

    def asking(self, **parameters: str) -> Place:
        """The same with parameters added to its query."""
        more = urlencode(parameters)
        return msgspec.structs.replace(self, query=f"{self.query}&{more}" if self.query else more)


def place(url: str, what: str) -> Place:
    """A URL that may be asked: ``https``, or ``http`` of a loopback address; a fragment is dropped.

    ``what`` names it in messages.  Raises ConfigurationFailure for any other text.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or len(url) > MAX_URL or _VISIBLE.match(url) is None or "@" in parts.netloc or "\\" in url:
        raise ConfigurationFailure(f"{what} is no URL such as https://login.example.com/")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ConfigurationFailure(f"{what} has to begin with https: secrets are sent there")
    usual = 443 if parts.scheme == "https" else 80
    authority = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{authority}" + ("" if port in (None, usual) else f":{port}")
    return Place(origin, parts.path or "/", parts.query)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def exchange(where: Place, body: bytes | None = None, headers: Headers = (), *, accept: str) -> Flow[Response]:
    """What a place answers to a GET, or to a POST of ``body`` as a form; redirects are not followed."""
    host = where.origin.partition("://")[2]
    lines = [("host", host), ("accept", accept), *headers]
    if body is not None:
        lines.append(("content-type", FORM))
    request = Request("GET" if body is None else "POST", where.path, where.query, tuple(lines), body or b"")
    return (yield from Send(origin=where.origin, request=request, read=30.0, total=60.0, most=MAX_ANSWER))
