"""The ASGI application with a store in memory, and what stands in for the server that hosts it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from locum.api import sts
from locum.api.shapes import Command
from locum.core.sealing import Vault
from locum.http import Headers, Request
from locum.server.accounts import create_account
from locum.server.app import Application
from locum.server.config import load_settings
from locum.server.data import Data
from locum.server.ring import create_ring_key
from locum.store.memory import MemoryStore
from locum.wire.answer import decode_error, decode_response
from locum.wire.query import encode_command, encode_form
from locum.wire.sigv4 import Credentials, sign

from .conftest import ACCOUNT, HOST, START

PEER = "198.51.100.7"
FORM = ("content-type", "application/x-www-form-urlencoded; charset=utf-8")
WHO = sts.GetCallerIdentityCommand()
QUERY = "Action=GetCallerIdentity&Version=2011-06-15"
MOST = 65_536
"""Bytes of the largest body, where a test bounds it."""
Message = dict[str, Any]


class Answer(NamedTuple):
    """What the application sent; a status of 0 where it sent nothing."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Exchange:
    """One request as the server hands it over: messages are given one by one, and counted."""

    def __init__(self, scope: Message, messages: Iterable[Message]) -> None:
        self.scope = scope
        self._messages = iter(messages)
        self.received = 0
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        message = next(self._messages, {"type": "http.disconnect"})
        self.received += 1
        return message

    async def send(self, message: Any) -> None:
        self.sent.append(dict(message))

    @property
    def answer(self) -> Answer:
        if not self.sent:
            return Answer(0, {}, b"")
        start, *rest = self.sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        assert [each["type"] for each in rest] == ["http.response.body"]
        assert headers["content-length"] == str(len(rest[0]["body"]))
        return Answer(start["status"], headers, rest[0]["body"])


def account_of(answer: Answer) -> str | None:
    assert answer.status == 200, answer.text
    return decode_response(answer.body, sts.GetCallerIdentityCommand).account


def code_of(answer: Answer) -> str:
    return decode_error(answer.status, answer.body).code


def pieces(*parts: bytes) -> list[Message]:
    """The messages of a body that arrives in parts."""
    last = len(parts) - 1
    return [{"type": "http.request", "body": part, "more_body": at < last} for at, part in enumerate(parts)]


class Edge:
    """An application, its clock, and a client without a network."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.now = START
        self.store = MemoryStore()
        self.vault = Vault(bytes(range(32)))
        self._drawn = 0
        with self.store.transaction() as rows:
            create_ring_key(rows, self.vault, int(START), self.random)
            key = create_account(rows, self.vault, int(START), self.random, name="main", id=ACCOUNT)
        self.root = Credentials(key.access_key_id, key.secret)
        self.folder = folder
        self.settings = load_settings({"data": str(folder), "region": "eu-central-1", **settings}, {}, serving=True)
        self.app = Application(
            self.settings, Data(folder, self.store, self.vault), clock=lambda: self.now, random=self.random
        )

    def random(self, size: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(b"edge" + self._drawn.to_bytes(8, "big")).digest(size)

    def request(self, command: Command[Any], credentials: Credentials | None, *, extra: Headers = ()) -> Request:
        """A signed request; ``extra`` headers are not covered by the signature."""
        request = Request("POST", "/", "", (("host", HOST), FORM), encode_form(encode_command(command)))
        if credentials is not None:
            service = command.operation.service.name
            request = sign(request, credentials, service=service, region="us-east-1", now=self.now)
        return msgspec.structs.replace(request, headers=(*request.headers, *extra))

    @staticmethod
    def exchange(request: Request, *, messages: Sequence[Message] | None = None, **scope: Any) -> Exchange:
        """The request in the form that ASGI gives it; ``scope`` replaces members."""
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]
        whole = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": request.path,
            "raw_path": request.path.encode("latin-1"),
            "query_string": request.query.encode("latin-1"),
            "root_path": "",
            "headers": headers,
            "client": (PEER, 40_000),
            "server": ("127.0.0.1", 8380),
        }
        return Exchange({**whole, **scope}, pieces(request.body) if messages is None else messages)

    async def answered(self, request: Request, **more: Any) -> Answer:
        exchange = self.exchange(request, **more)
        await self.app(exchange.scope, exchange.receive, exchange.send)
        return exchange.answer

    def send(self, request: Request, **more: Any) -> Answer:
        return asyncio.run(self.answered(request, **more))

    def call(self, command: Command[Any], credentials: Credentials | None, **more: Any) -> Answer:
        return self.send(self.request(command, credentials), **more)

    def get(self, target: str, /, *, method: str = "GET", headers: Headers = (("host", HOST),), **more: Any) -> Answer:
        return self.send(Request(method, target, "", headers), **more)

    def records(self) -> list[dict[str, Any]]:
        """The audit lines so far."""
        return [json.loads(line) for line in (self.folder / "audit.jsonl").read_text().splitlines()]

    def lifespan(self, *kinds: str) -> list[str]:
        """What the application says to the events of its life."""
        exchange = Exchange({"type": "lifespan"}, [{"type": f"lifespan.{kind}"} for kind in kinds])
        asyncio.run(self.app(exchange.scope, exchange.receive, exchange.send))
        return [each["type"] for each in exchange.sent]
