"""Policy documents to examine, and what is found in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from locum.policy import PolicyKind
from locum.policy.analyze import Finding, analyze

NOW = 1_800_000_000
STATEMENT: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::ledger/*"}
TRUST: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
    "Action": "sts:AssumeRole",
}
GITHUB = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
SUB = "token.actions.githubusercontent.com:sub"
WEB: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Federated": GITHUB},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {"StringEquals": {SUB: "repo:acme/app:ref:refs/heads/main"}},
}
RCP: dict[str, Any] = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}

MANAGED, INLINE, SESSION = PolicyKind.MANAGED, PolicyKind.INLINE, PolicyKind.SESSION
TRUSTS, RESOURCE = PolicyKind.TRUST, PolicyKind.RESOURCE
SCPS, RCPS = PolicyKind.SERVICE_CONTROL, PolicyKind.RESOURCE_CONTROL


def fact(*ids: str) -> pytest.MarkDecorator:
    return pytest.mark.facts(*ids)


def document(*statements: Any, **others: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | others)


def one(*drop: str, **elements: Any) -> str:
    return document({key: value for key, value in (STATEMENT | elements).items() if key not in drop})


def when(**operators: Any) -> str:
    return one(Condition={name.replace("__", ":"): keys for name, keys in operators.items()})


def found(text: str, kind: PolicyKind = MANAGED, now: int | None = NOW) -> list[Finding]:
    return list(analyze(text, kind, now=now).findings)


def brief(findings: list[Finding]) -> list[tuple[str, str]]:
    return sorted((each.code, each.path) for each in findings)


RESOURCES = [
    "*",
    "arn:aws:s3:::a*",
    "arn:aws:s3:::a/*",
    "arn:aws:s3:::a/b",
    "arn:aws:s3:::*/b",
    "arn:aws:s3:::a?b*",
    "arn:aws:s3:*:*:a/b",
    "arn:aws:s3:::${aws:username}",
    "arn:aws:*:::x",
    "arn:aws:s3:::${aws:username",
]
"""Of statements in random documents; only the first eight may be stored."""
