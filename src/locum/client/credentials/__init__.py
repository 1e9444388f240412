"""Credentials of the client: where they come from, and how they stay valid.

``Chain`` looks where all AWS tools look (STS-CL-017); every other provider can be used by itself.  ``Refreshing``
keeps what a provider gives and renews it in time.  Each name brings its module when it is first used.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from locum.client.credentials.assume import Ask, AssumeRole, Cache, Issued, cache_key
    from locum.client.credentials.base import Credentials, Provider, Static
    from locum.client.credentials.chain import Chain
    from locum.client.credentials.container import Container
    from locum.client.credentials.environment import Environment
    from locum.client.credentials.metadata import Metadata
    from locum.client.credentials.process import Process
    from locum.client.credentials.web_identity import WebIdentity

__all__ = [
    "Ask",
    "AssumeRole",
    "Cache",
    "Chain",
    "Container",
    "Credentials",
    "Environment",
    "Issued",
    "Metadata",
    "Process",
    "Provider",
    "Static",
    "WebIdentity",
    "cache_key",
]

_HOMES: Final[Mapping[str, str]] = MappingProxyType({
    "Ask": "assume",
    "AssumeRole": "assume",
    "Cache": "assume",
    "Chain": "chain",
    "Container": "container",
    "Credentials": "base",
    "Environment": "environment",
    "Issued": "assume",
    "Metadata": "metadata",
    "Process": "process",
    "Provider": "base",
    "Static": "base",
    "WebIdentity": "web_identity",
    "cache_key": "assume",
})  # fmt: skip


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
