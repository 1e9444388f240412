"""A program that serves a small application as ``locum serve`` serves the real one, for test_serve.

Its arguments are those of ``locum serve``.  The application tells on standard error when a worker is up (``up PID``)
and when a request has begun (``begun PATH``); it answers with its process id, or for
``/peer`` with what the server says of the client.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

from locum.server import serve as module
from locum.server.config import Settings

Message = MutableMapping[str, Any]


def tell(text: str) -> None:
    os.write(2, f"{text}\n".encode())


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    if scope["type"] == "lifespan":
        await receive()
        if os.environ.get("PROGRAM_FAILS"):
            await send({"type": "lifespan.startup.failed", "message": "as told"})
            return
        tell(f"up {os.getpid()}")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        tell(f"down {os.getpid()}")
        await send({"type": "lifespan.shutdown.complete"})
        return
    tell(f"begun {scope['path']}")
    if scope["path"] == "/crash":
        os._exit(9)
    if scope["path"] == "/never":
        await asyncio.Event().wait()
    while (await receive()).get("more_body"):
        pass
    body = str(os.getpid()).encode()
    if scope["path"] == "/peer":
        body = f"{scope['scheme']} {scope['client'][0]}".encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def create_app(settings: Settings) -> Any:
    tell(f"settings {settings!r}")
    return application


if __name__ == "__main__":
    from locum.cli import main

    serve = module.serve
    module.serve = partial(serve, factory=create_app)
    main(["serve", *sys.argv[1:]])
