"""A whole server without HTTP: signed requests through the pipeline, a store in memory, a clock that tests turn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import pytest

from locum.api import sts
from locum.api.iam import access_keys, roles, users
from locum.api.shapes import Command, Shape
from locum.core.sealing import Vault
from locum.errors import ServiceException
from locum.http import Request, Response
from locum.server import app as _handlers  # noqa: F401 - registers the handlers
from locum.server.accounts import create_account
from locum.server.auditfile import AuditLog
from locum.server.jwks import KeysNeeded
from locum.server.pipeline import Answered, Pipeline
from locum.server.providers import Providers
from locum.server.ring import create_ring_key
from locum.store.facts import Miss
from locum.store.memory import MemoryStore
from locum.wire import json as aws_json
from locum.wire.answer import decode_error, decode_response
from locum.wire.query import encode_command, encode_form
from locum.wire.sigv4 import Credentials, presign, sign

if TYPE_CHECKING:
    from .edge import Edge

HOST = "127.0.0.1:8380"
ACCOUNT = "111122223333"
OTHER = "444455556666"
REQUEST_ID = "01234567-89ab-4def-8123-456789abcdef"
START = 1_767_323_045.0
"""2026-01-02T03:04:05Z."""

Output = TypeVar("Output", bound=Shape)


class World:
    """A server, its clock, and what tests do with it."""

    def __init__(self, folder: Path, providers: Providers | None = None) -> None:
        self.now = START
        self._drawn = 0
        self.store = MemoryStore()
        self.vault = Vault(bytes(range(32)))
        self.audit_file = folder / "audit.jsonl"
        self.audit = AuditLog(self.audit_file)
        self.pipeline = Pipeline(
            self.store,
            self.vault,
            self.audit,
            partition="aws",
            region="eu-central-1",
            regions={"eu-central-1", "us-east-1"},
            random=self.random,
            max_body=1 << 20,
            providers=providers,
        )
        with self.store.transaction() as rows:
            create_ring_key(rows, self.vault, int(self.now), self.random)
        self.root = self.account(ACCOUNT)

    def random(self, size: int) -> bytes:
        """Bytes that differ every time and are the same in every run."""
        self._drawn += 1
        return hashlib.shake_256(self._drawn.to_bytes(8, "big")).digest(size)

    def account(self, id: str) -> Credentials:
        """A new account's root credentials."""
        with self.store.transaction() as rows:
            key = create_account(rows, self.vault, int(self.now), self.random, name=f"account {id[-4:]}", id=id)
        return Credentials(key.access_key_id, key.secret)

    def request(self, command: Command[Any], credentials: Credentials | None, **changes: Any) -> Request:
        """The signed request of a command; ``changes`` replace members of the request before it is signed."""
        headers: tuple[tuple[str, str], ...]
        if command.operation.service.target:
            headers = (("content-type", aws_json.CONTENT_TYPE), ("x-amz-target", aws_json.target_of(command)))
            body = aws_json.encode_command(command)
        else:
            headers = (("content-type", "application/x-www-form-urlencoded; charset=utf-8"),)
            body = encode_form(encode_command(command))
        request = Request("POST", "/", "", (("host", HOST), *headers), body, "198.51.100.7")
        request = msgspec.structs.replace(request, **changes)
        if credentials is None:
            return request
        service = command.operation.service.name
        return sign(request, credentials, service=service, region="us-east-1", now=self.now)

    def presigned(self, command: Command[Any], credentials: Credentials, **changes: Any) -> Request:
        """The command as a presigned GET."""
        query = encode_form(encode_command(command)).decode()
        request = msgspec.structs.replace(Request("GET", "/", query, (("host", HOST),), b"", "198.51.100.7"), **changes)
        service = command.operation.service.name
        return presign(request, credentials, service=service, region="us-east-1", now=self.now)

    def answered(self, request: Request) -> Answered:
        """The answer, as the server comes to it: on the loop where it can, else in a thread."""
        fetches = 0
        for wait in (False, True, True, True):
            try:
                return self.pipeline.answer(request, REQUEST_ID, self.now, wait=wait, fetch=fetches < 2)
            except Miss:
                continue
            except KeysNeeded as need:
                fetches += 1
                self.pipeline.providers.keys.fetch(need)
        raise AssertionError("the request is never answered")

    def send(self, request: Request) -> Response:
        """The HTTP answer to a request."""
        return self.answered(request).response

    def call(self, credentials: Credentials | None, command: Command[Output], **changes: Any) -> Output:
        """The output of a command; raises the error that the server answers."""
        return self.read(self.send(self.request(command, credentials, **changes)), command)

    def refusal(
        self, credentials: Credentials | None, command: Command[Any], kind: type[ServiceException] = ServiceException
    ) -> str:
        """The message of the error, which must be of exactly one ``kind``, that a command is answered with."""
        with pytest.raises(ServiceException) as raised:
            self.call(credentials, command)
        assert kind is ServiceException or type(raised.value) is kind, raised.value
        return raised.value.message

    @staticmethod
    def read(response: Response, command: Command[Output]) -> Output:
        """What a client makes of an answer."""
        World.check(response)
        if command.operation.service.target:
            return aws_json.decode_response(response.body, type(command))
        return decode_response(response.body, type(command))

    @staticmethod
    def check(response: Response) -> None:
        """Raise the error that an answer holds, if it holds one."""
        if response.status != 200 and ("content-type", aws_json.CONTENT_TYPE) in response.headers:
            raise aws_json.decode_error(response.status, response.body, response.headers)
        if response.status != 200:
            raise decode_error(response.status, response.body, headers=response.headers)

    def records(self) -> list[dict[str, Any]]:
        """The audit lines so far."""
        return [json.loads(line) for line in self.audit_file.read_text().splitlines()]

    def user(self, name: str, policy: Any = None, *, root: Credentials | None = None) -> Credentials:
        """A new user's long-term credentials; ``policy`` becomes an inline policy."""
        root = root or self.root
        self.call(root, users.CreateUserCommand(user_name=name))
        if policy is not None:
            document = policy if isinstance(policy, str) else json.dumps(policy)
            self.call(root, users.PutUserPolicyCommand(user_name=name, policy_name="p", policy_document=document))
        key = self.call(root, access_keys.CreateAccessKeyCommand(user_name=name)).access_key
        return Credentials(key.access_key_id, key.secret_access_key)

    def role(self, name: str, trust: Any, policy: Any = None, *, root: Credentials | None = None, **more: Any) -> str:
        """A new role's ARN; ``trust`` is a principal or a whole trust policy."""
        root = root or self.root
        if "Statement" not in trust:
            trust = document(Effect="Allow", Principal=trust, Action="sts:AssumeRole")
        command = roles.CreateRoleCommand(role_name=name, assume_role_policy_document=json.dumps(trust), **more)
        created = self.call(root, command).role
        if policy is not None:
            self.call(
                root,
                roles.PutRolePolicyCommand(role_name=name, policy_name="p", policy_document=json.dumps(policy)),
            )
        return created.arn

    def assume(self, credentials: Credentials, role_arn: str, session: str = "s1", **more: Any) -> Credentials:
        """Credentials of a new session of a role."""
        command = sts.AssumeRoleCommand(role_arn=role_arn, role_session_name=session, **more)
        issued = self.call(credentials, command).credentials
        assert issued is not None
        return Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)


def document(*statements: dict[str, Any], **statement: Any) -> dict[str, Any]:
    """A policy document of the statements given, or of the one given by keywords."""
    return {"Version": "2012-10-17", "Statement": [*statements, *([statement] if statement else [])]}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.audit.close()
    made.store.close()


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    from .edge import Edge  # which needs this module

    made = Edge(tmp_path)
    yield made
    made.lifespan("shutdown")
