"""Which proxy a request goes through: given by scheme, or the environment's, as other HTTP tools read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from locum.client.failures import ConfigurationFailure

__all__ = ["Proxies", "environment_proxies", "given_proxies"]

_SCHEMES: Final = ("http", "https")


class Proxies(msgspec.Struct, frozen=True):
    """Proxy URL by the scheme of what is asked for, and the hosts that are asked directly."""

    urls: Mapping[str, str] = {}
    direct: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without the URLs: they may hold a password (R38)."""
        return f"Proxies(for {', '.join(sorted(self.urls)) or 'nothing'})"

    def for_origin(self, origin: str) -> str | None:
        """The proxy for a scheme and authority, None where there is none or the host is asked directly."""
        parts = urlsplit(origin)
        url = self.urls.get(parts.scheme)
        if url is None or not self.direct:
            return url
        host = (parts.hostname or "").rstrip(".")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return None if any(_covers(each, host, port) for each in self.direct) else url


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    if entry.startswith("["):
        name, _, own_port = entry[1:].partition("]")
        own_port = own_port.removeprefix(":")
    elif entry.count(":") == 1:
        name, _, own_port = entry.partition(":")
    else:
        name, own_port = entry, ""
    if own_port and own_port != str(port):
        return False
    name = name.removeprefix("*").lstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def environment_proxies(environment: Mapping[str, str]) -> Proxies:
    """What ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy`` say, in lower case before upper case.

    ``HTTP_PROXY`` is left out in a CGI program, where any visitor can set it by a header.
    """
    urls = {}
    for scheme in _SCHEMES:
        for name in (f"{scheme}_proxy", "all_proxy"):
            shouted = "" if name == "http_proxy" and "REQUEST_METHOD" in environment else name.upper()
            value = environment.get(name) or environment.get(shouted)
            if value:
                urls[scheme] = _checked(value if "://" in value else f"http://{value}", name.upper())
                break
    direct = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    return Proxies(urls, tuple([each for entry in direct.split(",") if (each := entry.strip().lower())]))


def given_proxies(urls: Mapping[str, str]) -> Proxies:
    """Proxies given in code; they hold for every host.  Raises ConfigurationFailure for what is no scheme or URL."""
    for scheme in urls:
        if scheme not in _SCHEMES:
            raise ConfigurationFailure(f"proxies: {scheme!r} is not one of {', '.join(_SCHEMES)}")
    return Proxies({scheme: _checked(url, "proxies") for scheme, url in urls.items()})


def _checked(url: str, where: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _SCHEMES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        # The URL is not quoted: it may hold a password.
        raise ConfigurationFailure(f"{where}: this is not a proxy's URL, such as http://proxy.example.com:3128")
    return url
