"""As much of S3 as Terraform's backend asks for, in memory, remembering who asked."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

_EMPTY: Final = (
    b"<ListBucketResult><Name>state</Name><Prefix></Prefix><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys>"
    b"<IsTruncated>false</IsTruncated></ListBucketResult>"
)
_GONE: Final = b"<Error><Code>NoSuchKey</Code><Message>There is no such key.</Message></Error>"


class Bucket:
    """Objects by path, and the access key id and session token of every request."""

    def __init__(self) -> None:
        self.url = ""
        self.objects: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of an answer."""
        path, query = urlsplit(target).path, urlsplit(target).query
        if method == "PUT":
            self.objects[path] = body
            return 200, b""
        if method == "DELETE":
            self.objects.pop(path, None)
            return 204, b""
        if "list-type=2" in query:
            return 200, _EMPTY
        found = self.objects.get(path)
        return (404, _GONE) if found is None else (200, found)


class _Handler(http.server.BaseHTTPRequestHandler):
    bucket: Bucket

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        key = self.headers.get("authorization", "").partition("Credential=")[2].partition("/")[0]
        self.bucket.asked.append((key, self.headers.get("x-amz-security-token", "")))
        status, content = self.bucket.answer(self.command, self.path, body)
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on standard error."""


@contextmanager
def running_bucket() -> Iterator[Bucket]:
    """A bucket on a free loopback port until the block ends."""
    bucket = Bucket()
    handler = type("Handler", (_Handler,), {"bucket": bucket})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        bucket.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, name="bucket", daemon=True)
        thread.start()
        try:
            yield bucket
        finally:
            server.shutdown()
            thread.join()
