"""The scene of scene.py with each real client."""

from __future__ import annotations

import pytest
from tests.interop.clients import AwsCli, Boto3, Node
from tests.interop.scene import SCENE, Stage

from locum.testing import RunningServer

pytestmark = pytest.mark.xdist_group("interop-scene")


def stage(client: Boto3 | Node | AwsCli, server: RunningServer) -> Stage:
    return Stage(client, server.create_account("first"), server.create_account("second"), server.clock)


def test_boto3_plays_the_scene(server: RunningServer, boto: Boto3) -> None:
    stage(boto, server).play(SCENE)


def test_the_sdk_for_javascript_plays_the_scene(server: RunningServer, node: Node) -> None:
    stage(node, server).play(SCENE)


def test_the_aws_cli_plays_the_scene(server: RunningServer, cli: AwsCli) -> None:
    stage(cli, server).play(SCENE)
