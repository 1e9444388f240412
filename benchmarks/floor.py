"""The floor: the HTTP stack of ``locum serve``, option for option, and an application that only answers.

``python -m benchmarks.floor PORT`` reads each form to its end and sends the same bytes, an AssumeRole answer's size.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from locum.server.config import Settings
from locum.server.workers import Worker

__all__ = ["application"]

_BODY = b"<AssumeRoleResponse>".ljust(1_100 - 21, b"x") + b"</AssumeRoleResponse>"
_HEADERS = [
    (b"x-amzn-requestid", b"11111111-2222-3333-4444-555555555555"),
    (b"content-type", b"text/xml"),
    (b"content-length", str(len(_BODY)).encode()),
]
_START = {"type": "http.response.start", "status": 200, "headers": _HEADERS}
_ANSWER = {"type": "http.response.body", "body": _BODY}


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Plain ASGI: read the body, answer."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message.get("more_body"):
            break
    await send(_START)
    await send(_ANSWER)


def main() -> int:
    """Serve on the port that the command line names."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[1])))
    return Worker(Settings(), application, lambda: None).serve_until_stopped([listener])


if __name__ == "__main__":
    sys.exit(main())
