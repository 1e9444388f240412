"""A server for each module, and the real clients that are pointed at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.interop import aws_program
from tests.interop.clients import AwsCli, Boto3, Node, Place
from tests.interop.world import Account, World

from locum.testing import RunningServer, running_server

pytest.register_assert_rewrite("tests.interop.scene")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server(on_disk=True) as running:
        yield running


@pytest.fixture(scope="module")
def place(server: RunningServer) -> Place:
    return Place(server.url, server.region)


@pytest.fixture(scope="module")
def boto(place: Place) -> Iterator[Boto3]:
    client = Boto3(place)
    yield client
    client.close()


@pytest.fixture(scope="module")
def node(place: Place) -> Iterator[Node]:
    if reason := Node.missing():
        pytest.skip(reason)
    client = Node(place)
    yield client
    client.close()


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with aws_program.install(tmp_path_factory.mktemp("aws")) as program:
        yield program


@pytest.fixture(scope="module")
def cli(place: Place, aws: Path, tmp_path_factory: pytest.TempPathFactory) -> AwsCli:
    return AwsCli(place, tmp_path_factory.mktemp("home"), aws)


@pytest.fixture(scope="module")
def world(server: RunningServer, boto: Boto3) -> World:
    return World(server, boto)


@pytest.fixture
def account(world: World) -> Account:
    return world.account()
