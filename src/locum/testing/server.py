"""An enforcing STS in the process of a test: on a free loopback port, with nothing kept afterwards."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from locum.secret import Secret

if TYPE_CHECKING:
    from locum.server.accounts import RootKey
    from locum.server.bootstrap import Bootstrap
    from locum.server.config import Settings
    from locum.server.data import Data

__all__ = ["Clock", "Credentials", "RunningServer", "running_server", "server_fixture"]

_START_SECONDS: Final = 30.0
_PATIENCE: Final = 5.0
"""Seconds beyond the graceful timeout that the server's thread may take to end."""
_NOT_SETTINGS: Final = frozenset({"data", "ephemeral", "workers"})
"""Settings that make no sense for a server inside a test: it is one process whose data go with it."""


class Clock:
    """The time of a server: the wall clock, turned by as much as a test wants.

    SDKs sign with the wall clock, and a signature is good for 15 minutes on either side of the server's time
    (STS-SIG-018).  A session lives 900 seconds at least.  So a session expires in a test like this: turned back by 890
    seconds, let the session be issued; turned forward to 20 seconds past the wall clock, use it.
    """

    __slots__ = ("_offset",)

    def __init__(self) -> None:
        self._offset = 0.0

    def __call__(self) -> float:
        """The server's time in seconds since the epoch."""
        return time.time() + self._offset

    @property
    def offset(self) -> float:
        """By how many seconds the clock is ahead of the wall clock; negative where it is behind."""
        return self._offset

    def turn(self, seconds: float) -> None:
        """Turn the clock forward, or back by a negative number."""
        self._offset += seconds

    @contextmanager
    def turned(self, seconds: float) -> Iterator[None]:
        """The clock turned inside a ``with`` block, and turned back by as much after it."""
        self.turn(seconds)
        try:
            yield
        finally:
            self.turn(-seconds)


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials that a server made, in the forms that clients take.  ``session_token`` belongs to temporary ones."""

    account_id: str
    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None

    def boto3_arguments(self) -> dict[str, str]:
        """Keyword arguments for ``boto3.client`` and ``boto3.Session``."""
        arguments = {
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret_access_key.reveal(),
        }
        if self.session_token is not None:
            arguments["aws_session_token"] = self.session_token.reveal()
        return arguments

    def environment(self) -> dict[str, str]:
        """Environment variables that every AWS SDK and tool reads."""
        return {name.upper(): value for name, value in self.boto3_arguments().items()}


class RunningServer:
    """A server that answers, as :func:`running_server` hands it out."""

    def __init__(self, settings: Settings, data: Data, root: RootKey, clock: Clock) -> None:
        self._settings: Final = settings
        self._data: Final = data
        self._root: Final = _credentials(root)
        self.clock: Final = clock
        """The server's clock; turn it."""

    @property
    def url(self) -> str:
        """The endpoint for every service that the server speaks, STS and IAM among them."""
        return self._settings.url

    @property
    def region(self) -> str:
        """The region that clients sign for."""
        return self._settings.region

    @property
    def account_id(self) -> str:
        """The id of the first account."""
        return self._root.account_id

    @property
    def root_credentials(self) -> Credentials:
        """The access key of the first account's root user."""
        return self._root

    @property
    def audit_path(self) -> Path:
        """The file with one JSON object for each request that was answered; gone when the server stops."""
        return self._settings.audit_path

    def create_account(self, name: str = "another") -> Credentials:
        """Make a further account, apart from all others; the access key of its root user."""
        from locum.server.accounts import create_account

        with self._data.store.transaction() as rows:
            return _credentials(create_account(rows, self._data.vault, int(self.clock()), os.urandom, name=name))

    def boto3_arguments(self, credentials: Credentials | None = None) -> dict[str, str]:
        """Keyword arguments for ``boto3.client``: endpoint, region and credentials, root's where none are given."""
        chosen = credentials if credentials is not None else self._root
        return {"endpoint_url": self.url, "region_name": self.region, **chosen.boto3_arguments()}

    def environment(self, credentials: Credentials | None = None) -> dict[str, str]:
        """Environment variables that point programs at this server: endpoint, region and credentials."""
        chosen = credentials if credentials is not None else self._root
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            **chosen.environment(),
        }


def _credentials(key: RootKey) -> Credentials:
    return Credentials(account_id=key.account, access_key_id=key.access_key_id, secret_access_key=key.secret)


@contextmanager
def running_server(
    *,
    clock: Clock | None = None,
    on_disk: bool = False,
    oidc: Sequence[Mapping[str, object]] = (),
    saml: Sequence[Mapping[str, object]] = (),
    **settings: object,
) -> Iterator[RunningServer]:
    """An enforcing STS on a free port of the loopback address, in a thread of this process, until the block ends.

    ``settings`` are those of ``locum serve`` by their field names, as text, number or boolean, such as
    ``region="eu-central-1"`` or ``account_id="111122223333"``; the environment and configuration files are not read.
    Records live in memory, or ``on_disk`` in SQLite in a private temporary directory as in production.  ``oidc`` and
    ``saml`` are the tables of a configuration file on identity providers, with their keys as the file has them::

        running_server(oidc=[{"provider": "*", "loopback-http": True}])

    Raises TypeError for what is no setting here, ConfigError and Refused as ``locum serve`` would refuse, and
    RuntimeError where the server does not come up.
    """
    from locum.server.app import Application
    from locum.server.bootstrap import bootstrap
    from locum.server.data import prepare
    from locum.server.serve import bind
    from locum.server.workers import Worker

    clock = clock if clock is not None else Clock()
    with ExitStack() as held:
        directory = Path(tempfile.mkdtemp(prefix="locum-"))
        held.callback(shutil.rmtree, directory, ignore_errors=True)
        checked = _checked(settings, directory, {"oidc": oidc, "saml": saml})
        prepare(directory, create=True)
        sockets = bind(checked)
        for each in sockets:
            held.callback(each.close)
        checked = msgspec.structs.replace(checked, port=sockets[0].getsockname()[1])
        data = _data(checked, on_disk=on_disk)
        held.callback(data.store.close)
        root = _root_key(checked, bootstrap(data.store, data.vault, checked, int(clock()), os.urandom))
        ready = threading.Event()
        worker = Worker(checked, Application(checked, data, clock=clock), ready.set)
        thread = threading.Thread(target=worker.serve_until_stopped, args=(sockets,), name="locum-server", daemon=True)
        thread.start()
        try:
            _wait(ready, thread)
            yield RunningServer(checked, data, root, clock)
        finally:
            worker.should_exit = True
            thread.join(checked.graceful_timeout + _PATIENCE)


def _checked(settings: dict[str, object], directory: Path, tables: Mapping[str, object]) -> Settings:
    from locum.server.config import SETTINGS, load_settings

    for name in settings:
        if name not in SETTINGS or name in _NOT_SETTINGS:
            raise TypeError(f"running_server() takes no setting {name!r}")
    texts = {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
    return load_settings({"port": 0, **texts, "data": str(directory)}, {}, tables=tables, serving=True)


def _data(settings: Settings, *, on_disk: bool) -> Data:
    from locum.core.sealing import KEY_SIZE, Vault
    from locum.server.data import Data, open_data
    from locum.store import open_store

    if on_disk:
        return open_data(settings, create=True)
    return Data(settings.data, open_store("memory:"), Vault(os.urandom(KEY_SIZE)))


def _root_key(settings: Settings, start: Bootstrap) -> RootKey:
    from locum.server.accounts import RootKey

    if start.credentials is not None:
        return start.credentials
    key_id, secret = settings.root_access_key_id, settings.root_secret_access_key
    assert key_id is not None
    assert secret is not None
    return RootKey(start.account, key_id, secret)


def _wait(ready: threading.Event, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready.wait(0.05):
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the server did not start; its log says why")


def server_fixture(
    *,
    scope: Literal["session", "package", "module", "class", "function"] = "function",
    on_disk: bool = False,
    **settings: Any,
) -> Any:
    """A pytest fixture that runs a server of its own for each ``scope``; its value is the :class:`RunningServer`.

    No plugin is registered: a test module or ``conftest.py`` assigns the fixture to the name that its tests use.
    ``on_disk`` and ``settings`` are those of :func:`running_server`.
    """
    import pytest

    @pytest.fixture(scope=scope)
    def server() -> Iterator[RunningServer]:
        with running_server(on_disk=on_disk, **settings) as running:
            yield running

    return server
