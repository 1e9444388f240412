"""The application in an ASGI server other than ours: granian, in a process of its own, over a data directory."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from tests.interop.clients import HERE, TIMEOUT, Boto3, Place
from tests.interop.scene import WITHOUT_CLOCK, Stage

from locum.server.accounts import RootKey, create_account
from locum.server.bootstrap import bootstrap
from locum.server.config import Settings
from locum.server.data import open_data
from locum.testing import Credentials

pytestmark = pytest.mark.xdist_group("interop-granian")

GRANIAN: Final = Path(sys.executable).with_name("granian")


class Hosted(NamedTuple):
    """The server's place and the root keys of two accounts."""

    place: Place
    first: Credentials
    second: Credentials


def credentials(key: RootKey | None) -> Credentials:
    assert key is not None
    return Credentials(account_id=key.account, access_key_id=key.access_key_id, secret_access_key=key.secret)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    settings = Settings(data=tmp_path / "data", port=free_port())
    data = open_data(settings, create=True)
    first = bootstrap(data.store, data.vault, settings, int(time.time()), os.urandom).credentials
    with data.store.transaction() as rows:
        second = create_account(rows, data.vault, int(time.time()), os.urandom, name="second")
    data.store.close()
    place = Place(settings.url, settings.region)
    command = [str(GRANIAN), "--interface", "asgi", "--factory", "--no-ws", "--port", str(settings.port)]
    environment = {"PATH": os.environ["PATH"], "LOCUM_DATA": str(settings.data), "LOCUM_PORT": str(settings.port)}
    with subprocess.Popen([*command, "granian_app:application"], cwd=HERE, env=environment) as process:
        try:
            await_ready(place, process)
            yield Hosted(place, credentials(first), credentials(second))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(TIMEOUT)


def await_ready(place: Place, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{place.url}/health/ready", timeout=TIMEOUT) as answer:
                assert answer.read() == b"ready\n"
            return
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError("granian does not serve the application")


def test_boto3_plays_the_scene_with_granian_as_the_server(hosted: Hosted) -> None:
    boto = Boto3(hosted.place)
    try:
        Stage(boto, hosted.first, hosted.second).play(WITHOUT_CLOCK)
    finally:
        boto.close()
