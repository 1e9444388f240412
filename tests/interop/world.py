"""Accounts for tests: policies as values, and a boto3 administrator who makes users, roles and sessions."""

from __future__ import annotations

import itertools
import json
from typing import Any, Final, NamedTuple

from tests.interop.clients import Boto3, Refused, credentials_in

from locum.testing import Credentials, RunningServer

ASSUME: Final = "sts:AssumeRole"
EVERYTHING: Final = "*"

Statement = dict[str, Any]


def policy(*statements: Statement) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, ensure_ascii=False)


def allow(*actions: str, on: str | list[str] = EVERYTHING, when: dict[str, Any] | None = None) -> Statement:
    """A statement of an identity policy."""
    return _statement("Allow", actions, {"Resource": on}, when)


def deny(*actions: str, on: str | list[str] = EVERYTHING, when: dict[str, Any] | None = None) -> Statement:
    """The same, denying."""
    return _statement("Deny", actions, {"Resource": on}, when)


def trusts(
    *principals: str, actions: tuple[str, ...] = (ASSUME,), when: dict[str, Any] | None = None, **others: str
) -> Statement:
    """A statement of a trust policy; ``others`` names principals of other types, such as ``Service``."""
    return _statement("Allow", actions, {"Principal": _named(principals, others)}, when)


def distrusts(*principals: str, when: dict[str, Any] | None = None) -> Statement:
    """The same, denying."""
    return _statement("Deny", (ASSUME,), {"Principal": _named(principals, {})}, when)


def _named(principals: tuple[str, ...], others: dict[str, str]) -> dict[str, Any]:
    return ({"AWS": list(principals)} if principals else {}) | others


def _statement(effect: str, actions: tuple[str, ...], about: dict[str, Any], when: dict[str, Any] | None) -> Statement:
    condition = {} if when is None else {"Condition": when}
    return {"Effect": effect, "Action": list(actions), **about, **condition}


class Person(NamedTuple):
    """A user with its long-term key."""

    name: str
    arn: str
    id: str
    key: Credentials


class Role(NamedTuple):
    """A role as CreateRole answered."""

    name: str
    arn: str
    id: str


class Session(NamedTuple):
    """What AssumeRole answered: credentials, and the whole answer."""

    key: Credentials
    arn: str
    answer: dict[str, Any]


class Account:
    """One account of a server, seen by its administrator, with boto3 as the only way in."""

    def __init__(self, boto: Boto3, root: Credentials) -> None:
        self.boto: Final = boto
        self.root: Final = root
        self.id: Final = root.account_id
        self._numbers = itertools.count(1)

    def _name(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}"

    def iam(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """A call to IAM as root."""
        return self.boto.call(self.root, "iam", operation, parameters)

    def user(self, *statements: Statement, boundary: Statement | None = None, **parameters: Any) -> Person:
        """A user with an inline policy of ``statements``, and a managed policy as its boundary."""
        parameters.setdefault("UserName", self._name("user"))
        if boundary is not None:
            parameters["PermissionsBoundary"] = self.managed(boundary)
        made = self.iam("CreateUser", **parameters)["User"]
        if statements:
            self.iam("PutUserPolicy", UserName=made["UserName"], PolicyName="p", PolicyDocument=policy(*statements))
        key = credentials_in(self.iam("CreateAccessKey", UserName=made["UserName"]), self.id)
        return Person(made["UserName"], made["Arn"], made["UserId"], key)

    def role(self, *trust: Statement, may: tuple[Statement, ...] = (), **parameters: Any) -> Role:
        """A role with a trust policy of ``trust`` and an inline policy of ``may``."""
        boundary = parameters.pop("boundary", None)
        parameters.setdefault("RoleName", self._name("role"))
        if boundary is not None:
            parameters["PermissionsBoundary"] = self.managed(boundary)
        made = self.iam("CreateRole", AssumeRolePolicyDocument=policy(*trust), **parameters)["Role"]
        if may:
            self.iam("PutRolePolicy", RoleName=made["RoleName"], PolicyName="p", PolicyDocument=policy(*may))
        return Role(made["RoleName"], made["Arn"], made["RoleId"])

    def managed(self, *statements: Statement) -> str:
        """The ARN of a new managed policy."""
        made = self.iam("CreatePolicy", PolicyName=self._name("policy"), PolicyDocument=policy(*statements))
        return str(made["Policy"]["Arn"])

    def sts(self, who: Credentials, operation: str, **parameters: Any) -> dict[str, Any]:
        """A call to STS by ``who``."""
        return self.boto.call(who, "sts", operation, parameters)

    def assume(self, who: Credentials, role: Role | str, name: str = "job", **parameters: Any) -> Session:
        """A session of ``role`` for ``who``."""
        role_arn = role if isinstance(role, str) else role.arn
        answer = self.sts(who, "AssumeRole", RoleArn=role_arn, RoleSessionName=name, **parameters)
        return Session(credentials_in(answer, self.id), answer["AssumedRoleUser"]["Arn"], answer)

    def identity(self, who: Credentials) -> dict[str, Any]:
        """What GetCallerIdentity answers."""
        return self.sts(who, "GetCallerIdentity")


class World:
    """A server and the accounts that a test makes in it."""

    def __init__(self, server: RunningServer, boto: Boto3) -> None:
        self.server: Final = server
        self.boto: Final = boto

    def account(self) -> Account:
        """A new account, empty but for its root."""
        return Account(self.boto, self.server.create_account())


def denied(caller: str, role: Role | str) -> tuple[str, str, int]:
    """AWS's answer to an AssumeRole that is not allowed, for whatever reason (STS-E-003)."""
    role_arn = role if isinstance(role, str) else role.arn
    text = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
    return "AccessDenied", text, 403


def told(error: Refused) -> tuple[str, str, int]:
    """What an error said, to compare it at once."""
    return error.code, error.message, error.status
