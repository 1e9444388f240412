"""The floor: uvicorn with the options of ``locum serve``, its own protocol class, and an application that only answers.

``python -m benchmarks.floor PORT`` reads each form to its end and sends the same bytes, an AssumeRole answer's size.
With the name of a file it verifies what bearers show besides, by the libraries alone: that a verification costs more in
a server, which does other things in between, than in a tight loop, is nobody's fault.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cryptography import x509

from benchmarks import libraries
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

Look = Callable[[bytes], object]
"""What is done with a body before the answer."""


def application(look: Look | None = None) -> Callable[..., Awaitable[None]]:
    """Plain ASGI: read the body, look at it, answer."""

    async def answer(
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
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
        if look is not None:
            look(body)
        await send(_START)
        await send(_ANSWER)

    return answer


def _looking(file: Path) -> Look:
    """Verify the token or the SAML response in a form; ``file`` holds keys, issuer and certificate."""
    told = json.loads(file.read_text(encoding="utf-8"))
    token = libraries.joserfc(told["keys"], told["issuer"])
    assertion = libraries.signxml(x509.load_pem_x509_certificate(told["certificate"].encode()))

    def look(body: bytes) -> object:
        for name, verify in ((b"WebIdentityToken=", token), (b"SAMLAssertion=", assertion)):
            _, found, rest = body.partition(name)
            if found:
                return verify(unquote(rest.partition(b"&")[0].decode("ascii")))
        return None

    return look


def main() -> int:
    """Serve on the port that the command line names."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[1])))
    look = _looking(Path(sys.argv[2])) if len(sys.argv) > 2 else None
    return Worker(Settings(), application(look), lambda: None).serve_until_stopped([listener])


if __name__ == "__main__":
    sys.exit(main())
