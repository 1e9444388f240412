"""What tests need: a real, enforcing STS in the test's own process, and the suite that every storage engine passes.

Who tests code that uses cloud credentials starts a server, and points unmodified SDKs at it::

    from locum.testing import running_server

    with running_server() as server:
        iam = boto3.client("iam", **server.boto3_arguments())
        iam.create_user(UserName="alice")

or, once for a whole module of pytest::

    sts_server = server_fixture(scope="module")

    def test_the_job_may_read_only(sts_server: RunningServer) -> None: ...

It is the server of ``locum serve``: policies are enforced, nobody passes without permission (R40).  A clock that can be
turned makes sessions expire without waiting; further accounts are one call each.

Importing this package loads neither a server nor pytest: each name brings what it needs when it is first used.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from locum.testing.server import Clock, Credentials, RunningServer, running_server, server_fixture
    from locum.testing.store import SharedStoreConformance, StoreConformance

__all__ = [
    "Clock",
    "Credentials",
    "RunningServer",
    "SharedStoreConformance",
    "StoreConformance",
    "running_server",
    "server_fixture",
]

_HOMES: Final[Mapping[str, str]] = MappingProxyType({
    "Clock": "server",
    "Credentials": "server",
    "RunningServer": "server",
    "SharedStoreConformance": "store",
    "StoreConformance": "store",
    "running_server": "server",
    "server_fixture": "server",
})  # fmt: skip


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
