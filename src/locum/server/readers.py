"""How the text of a setting becomes its value.

A reader takes text, from wherever it came, and returns the value or raises ValueError with the rest of a sentence that
begins with the setting's name: ``must be a whole number from 1 to 64``.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from locum.core.service_linked_roles import LinkedService

__all__ = [
    "Network",
    "authority",
    "command_line",
    "host",
    "integer",
    "linked_service",
    "matching",
    "network",
    "one_of",
    "switch",
    "url",
]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_][a-z0-9_-]{0,62}(\.[a-z0-9_][a-z0-9_-]{0,62})*", re.ASCII)
_LINKED: Final = re.compile(
    r"(?=[^=]{1,128}=)([a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:amazonaws\.com(?:\.cn)?|amazon\.com|aws\.internal))"
    r"=([\w+=,.@-]{1,64})",
    re.ASCII,
)
_PORT: Final = re.compile(r":([0-9]{1,5})\Z", re.ASCII)


def switch(text: str) -> bool:
    """True or false, in the words that configuration files use."""
    word = text.lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise ValueError("must be true or false")


def integer(minimum: int, maximum: int) -> Callable[[str], int]:
    """A reader of whole numbers within bounds, in decimal digits."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) or not minimum <= int(text) <= maximum:
            raise ValueError(f"must be a whole number from {minimum} to {maximum}")
        return int(text)

    return read


def one_of(*choices: str) -> Callable[[str], str]:
    """A reader of one of a few words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return read


def matching(pattern: str, what: str) -> Callable[[str], str]:
    """A reader of text that matches a pattern as a whole; ``what`` describes it."""
    compiled = re.compile(pattern, re.ASCII)

    def read(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(f"must be {what}")
        return text

    return read


def host(text: str) -> str:
    """An address or a host name, in canonical lower case and without brackets."""
    name = text.lower()
    bracketed = name.startswith("[") and name.endswith("]")
    if bracketed:
        name = name[1:-1]
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        if bracketed or not _HOST_NAME.fullmatch(name):
            raise ValueError("must be an IP address or a host name") from None
        return name
    return str(address)


def authority(text: str) -> str:
    """A host with or without a port, as a Host header spells it."""
    port = _PORT.search(text)
    if port is None or (text.count(":") > 1 and not text.startswith("[")):
        name, suffix = text, ""
    else:
        name, suffix = text[: port.start()], port[0]
        if not 0 < int(port[1]) < 65_536:
            raise ValueError("has a port that does not exist")
    name = host(name)
    return (f"[{name}]" if ":" in name else name) + suffix


def url(text: str) -> str:
    """A URL of scheme, host and port only, without a slash at its end."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError("must be a URL such as https://sts.example.com") from None
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        raise ValueError("must be a URL such as https://sts.example.com")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("must end with the host or the port: signatures cover the path, so a prefix cannot work")
    return f"{parts.scheme}://{authority(parts.netloc)}"


def linked_service(text: str) -> LinkedService:
    """A service, by a principal that a trust policy can name, and the name of its role: ``SERVICE=ROLE``."""
    found = _LINKED.fullmatch(text)
    if found is None:
        raise ValueError("must be SERVICE=ROLE, such as backup.aws.internal=AWSServiceRoleForOurBackup")
    return LinkedService(found[1], found[2], suffix=True)


def network(text: str) -> Network:
    """An address or a network of addresses, but not all of them."""
    try:
        value = ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"must be an address or a network such as 10.0.0.0/8 ({error})") from None
    if value.prefixlen == 0:
        raise ValueError("covers every address, so that any client could choose its own: name the proxies")
    return value


def command_line(text: str) -> str:
    """A command and its arguments, quoted as for a shell."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"cannot be split into words: {error}") from None
    if not words:
        raise ValueError("must name a program")
    return text
