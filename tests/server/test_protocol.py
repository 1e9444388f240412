"""A client that never completes its headers is given up; large bodies and many requests on one connection are not."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from locum.server.protocol import MAXIMUM_HEAD
from locum.testing import RunningServer, server_fixture

server = server_fixture(scope="module")


def connected(server: RunningServer) -> socket.socket:
    address = urlsplit(server.url)
    assert address.hostname is not None
    assert address.port is not None
    return socket.create_connection((address.hostname, address.port), timeout=20)


def is_given_up(client: socket.socket, more: bytes) -> bool:
    """Whether the server ends the connection while we send four times what it should bear."""
    try:
        for _ in range(4 * MAXIMUM_HEAD // len(more)):
            client.sendall(more)
        return client.recv(4096) == b""
    except (BrokenPipeError, ConnectionResetError):
        return True


@pytest.mark.parametrize("endless", [b"X-Filler: " + b"a" * 4096, b"X: y\r\n" * 700])
def test_endless_headers_close_the_connection(server: RunningServer, endless: bytes) -> None:
    with connected(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\n" + endless)
        more = endless.partition(b" ")[2] if endless.startswith(b"X-Filler") else endless
        assert is_given_up(client, more)


def test_a_body_larger_than_the_bound_for_heads_arrives(server: RunningServer) -> None:
    host = urlsplit(server.url).netloc.encode()
    body = b"Action=GetCallerIdentity&Version=2011-06-15&Filler=" + b"a" * (3 * MAXIMUM_HEAD)
    head = (
        b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n"
    )
    with connected(server) as client:
        client.sendall(head % (host, len(body)) + body)
        assert client.recv(4096).startswith(b"HTTP/1.1 403 ")


def test_many_requests_in_a_row_are_all_answered(server: RunningServer) -> None:
    host = urlsplit(server.url).netloc.encode()
    request = b"GET /health/live HTTP/1.1\r\nHost: %b\r\nX-Filler: %b\r\n\r\n" % (host, b"a" * 4096)
    count = 2 * MAXIMUM_HEAD // len(request)
    with connected(server) as client:
        answers = b""
        for _ in range(count):
            client.sendall(request)
        while answers.count(b"HTTP/1.1 200 ") < count:
            received = client.recv(65536)
            assert received
            answers += received
