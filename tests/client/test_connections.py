"""Connections without a proxy: what is kept, what is closed, and what is not even imported."""

from __future__ import annotations

import gc
import json
import os
import ssl
import subprocess
import sys
from typing import Any

import pytest

from locum.client import STSClient
from locum.client.connections import Connections
from locum.client.effects import Send
from locum.client.failures import ConnectionFailure
from locum.client.proxied import Proxied
from locum.http import Request

from .far_end import GOOD, KEYS, ME, listening, raw, received, says


def client(url: str) -> STSClient:
    return STSClient(endpoint_url=url, region="eu-west-1", credentials=KEYS, environment={"HOME": "/nowhere"})


def test_a_client_that_nobody_closed_leaves_no_open_socket() -> None:
    def keeps(connection: Any) -> None:
        while received(connection):
            connection.sendall(raw(GOOD))

    with listening([keeps]) as url:
        forgotten = client(url)
        assert forgotten.get_caller_identity() == ME
        (connections,) = forgotten._driver._pools.values()
        assert isinstance(connections, Connections)
        (kept,) = [connection.sock for connection in connections._idle]
        assert kept.fileno() >= 0
        del forgotten, connections
        gc.collect()
        assert kept.fileno() == -1


@pytest.mark.parametrize("headers", [(("x-note", "a-secret\r\nx: y"),), (("x-note", "a-secret\u2028"),)])
def test_what_cannot_be_written_down_is_not_sent_and_not_quoted(headers: tuple[tuple[str, str], ...]) -> None:
    with listening([says(raw(GOOD))]) as url:
        connections = Connections(url, None, 1)
        with pytest.raises(ConnectionFailure) as raised:
            connections.exchange(Send(origin=url, request=Request("GET", "/", "", headers)))
    assert "a-secret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_a_proxy_that_is_asked_over_tls_has_to_be_trusted_in_the_same_way() -> None:
    context = ssl.create_default_context()
    manager = Proxied("https://proxy.example.com:3129", context, 1)._manager
    assert manager.proxy_config is not None
    assert manager.proxy_config.ssl_context is context


def imported(program: str, **environment: str) -> set[str]:
    """The modules that a program has imported at its end; what it prints before is not read."""
    program += "\nimport json, sys; print(); print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
        capture_output=True,
        check=True,
        text=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


HEAVY = {
    *("urllib3", "aiohttp", "asyncio", "importlib.metadata", "cryptography", "pathlib", "tomllib"),
    *("locum.server", "locum.wire.json", "locum.client.credentials.assume"),
}
"""What a first call can do without, and takes long to import."""


@pytest.mark.parametrize(
    "program",
    [
        "import locum; locum.STSClient().get_caller_identity()",
        "from locum.cli import cli; cli.main(['whoami'], standalone_mode=False)",
    ],
)
def test_a_first_call_imports_little(program: str) -> None:
    with listening([says(raw(GOOD))]) as url:
        found = imported(
            program,
            HOME="/nowhere",
            AWS_REGION="eu-west-1",
            AWS_ENDPOINT_URL=url,
            AWS_ACCESS_KEY_ID=KEYS.access_key_id,
            AWS_SECRET_ACCESS_KEY=KEYS.secret_access_key.reveal(),
        )
    assert "http.client" in found
    assert HEAVY.isdisjoint(found - imported(""))
