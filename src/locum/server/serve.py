"""``locum serve``: hold the data directory, bind, make what the first start makes, announce, answer until stopped."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import shlex
import shutil
import signal
import socket
import ssl
import sys
import tempfile
import time
from binascii import b2a_base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import msgspec

from locum import __version__
from locum.secret import Secret
from locum.server import logs, metrics, throttle
from locum.server.accounts import RootKey
from locum.server.bootstrap import Bootstrap, bootstrap
from locum.server.config import Problem, Refused, Settings, is_loopback
from locum.server.data import CREDENTIALS_FILE, hold, open_data, prepare
from locum.server.workers import Supervisor, Worker, stopping_signals
from locum.server.wrapping import load_wrapping_key

__all__ = ["Factory", "bind", "serve"]

Factory = Callable[[Settings], Any]
"""Makes the ASGI application of one worker from its settings; called after the fork."""

_log = logging.getLogger("locum.serve")


def serve(settings: Settings, factory: Factory | None = None) -> int:
    """Run a server until it is told to stop; the exit status: 0 where every request in flight was finished.

    ``settings`` are checked ones (``load_settings(..., serving=True)``).  Without ``factory`` the application is
    :func:`locum.server.app.create_app`.  Raises :class:`Refused` and what :func:`open_data` and :func:`bootstrap` do.
    """
    logs.configure(settings.log_level, settings.log_format)
    with ExitStack() as held:
        held.enter_context(_stoppable())
        if settings.ephemeral:
            settings = msgspec.structs.replace(settings, data=held.enter_context(_temporary()))
        prepare(settings.data, create=True)
        held.enter_context(hold(settings.data))
        _check_certificate(settings)
        sockets = bind(settings)
        for each in sockets:
            held.callback(each.close)
        settings = msgspec.structs.replace(settings, port=sockets[0].getsockname()[1])
        if settings.wrapping_key_command is not None:
            # Once for all workers, and for those that replace them while the key service is away.
            key = Secret(b2a_base64(load_wrapping_key(settings), newline=False).decode())
            settings = msgspec.structs.replace(settings, wrapping_key=key, wrapping_key_command=None)
        start = _prepare_data(settings)
        if factory is None:
            factory = importlib.import_module("locum.server.app").create_app
        try:
            return _run(settings, factory, sockets, lambda: _announce(settings, start))
        finally:
            _ignore_signals()


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let a signal that comes before the server heeds it end the process in order, so that nothing is left behind."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        _ignore_signals()
        raise SystemExit(0)

    before = {each: signal.signal(each, stop) for each in stopping_signals()}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _ignore_signals() -> None:
    """Let the end that has begun come to its end."""
    for each in stopping_signals():
        signal.signal(each, signal.SIG_IGN)


@contextmanager
def _temporary() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="locum-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _check_certificate(settings: Settings) -> None:
    if settings.tls_cert is None or settings.tls_key is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except (OSError, ValueError) as error:
        raise Refused(
            Problem(
                f"the certificate {settings.tls_cert} with the key {settings.tls_key} cannot be used: "
                f"{error.strerror if isinstance(error, OSError) and error.strerror else error}",
                "both are PEM files; the key is the first certificate's and has no password",
            )
        ) from None


def bind(settings: Settings) -> list[socket.socket]:
    """Sockets bound to every address of the host, not yet listening, all on one port.

    :class:`Refused` where an address cannot be had, or where one is not loopback and neither TLS nor the statement
    that a proxy terminates it allows that (R45), whatever the host's name promised.  An address of a family that this
    machine does not have, such as ``::1`` without IPv6, is left out as long as there is another.
    """
    with ExitStack() as undo:
        sockets: list[socket.socket] = []
        missing: OSError | None = None
        port = settings.port
        try:
            found = socket.getaddrinfo(settings.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, kind, protocol, _, address in dict.fromkeys(found):
                host = str(address[0])
                if not (is_loopback(host) or settings.tls or settings.tls_terminated):
                    raise Refused(
                        Problem(
                            f"{settings.host} is {host}, which is not loopback, and there is no TLS",
                            "give --tls-cert and --tls-key, or state with --tls-terminated that a proxy speaks TLS",
                        )
                    )
                try:
                    listener = _bound(family, kind, protocol, (host, port, *address[2:]))
                except OSError as error:
                    if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                        raise
                    missing = error
                    continue
                undo.callback(listener.close)
                sockets.append(listener)
                port = listener.getsockname()[1]
            if missing is not None and not sockets:
                raise missing
        except OSError as error:
            raise Refused(
                Problem(
                    f"cannot listen on {settings.host} port {port}: {error.strerror or error}",
                    "choose another port with --port, or another address with --host",
                )
            ) from None
        undo.pop_all()
        return sockets


def _bound(family: int, kind: int, protocol: int, address: tuple[Any, ...]) -> socket.socket:
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
    except BaseException:
        listener.close()
        raise
    return listener


def _prepare_data(settings: Settings) -> Bootstrap:
    data = open_data(settings, create=True)
    try:
        return bootstrap(data.store, data.vault, settings, int(time.time()), os.urandom)
    except OSError as error:
        raise Refused(
            Problem(f"{settings.data / CREDENTIALS_FILE} cannot be written: {error.strerror}", "make room for it")
        ) from None
    finally:
        # Nothing of an open database may be carried over a fork.
        data.store.close()


def _run(settings: Settings, factory: Factory, sockets: Sequence[socket.socket], ready: Callable[[], None]) -> int:
    if settings.workers == 1:
        return Worker(settings, factory(settings), ready).serve_until_stopped(sockets)
    metrics.share(settings.workers)
    throttle.share()

    def work(index: int, tell: Callable[[], None], lifeline: int) -> int:
        metrics.take(index)
        return Worker(settings, factory(settings), tell, lifeline).serve_until_stopped(sockets)

    return Supervisor(
        settings.workers, work, graceful_timeout=settings.graceful_timeout, ready=ready, sockets=sockets
    ).run()


def _announce(settings: Settings, start: Bootstrap) -> None:
    url = settings.url
    for warning in (*start.warnings, *settings.federation.warnings()):
        _log.warning("%s", warning)
    where = "kept nowhere" if settings.ephemeral else f"data in {settings.data}"
    if settings.log_format == "json":
        _log.info("serving on %s", url, extra={"url": url, "account": start.account, "version": __version__})
    else:
        print(  # noqa: T201
            f"locum: serving on {url} (account {start.account}, region {settings.region}, {where})",
            file=sys.stderr,
            flush=True,
        )
    if start.credentials is not None:
        _show_credentials(settings, start.credentials, url)


def _show_credentials(settings: Settings, key: RootKey, url: str) -> None:
    path = (settings.data / CREDENTIALS_FILE).absolute()
    if not sys.stdout.isatty():
        _log.info("the root credentials of account %s are in %s", key.account, path)
        return
    print(  # noqa: T201
        f"""
The root credentials of account {key.account}, shown this once and kept in {path}:

  access key id      {key.access_key_id}
  secret access key  {key.secret.reveal()}

To use them with boto3 and the AWS CLI, in another terminal:

  export AWS_SHARED_CREDENTIALS_FILE={shlex.quote(str(path))}
  export AWS_ENDPOINT_URL_STS={url} AWS_ENDPOINT_URL_IAM={url}
  export AWS_DEFAULT_REGION={settings.region}

  aws sts get-caller-identity
  python -c 'import boto3; print(boto3.client("sts").get_caller_identity()["Arn"])'
""",
        flush=True,
    )
