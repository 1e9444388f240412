"""Policy documents: what is refused when it is written, and what denies when it is read."""

from __future__ import annotations

from typing import Final

from locum.errors import ServiceException
from locum.policy import Ask, Policies, PolicyError, PolicyKind, Principal, context, decide, load, parse, validate

_ACCOUNT: Final = "111122223333"
_ALICE: Final = Principal.user(f"arn:aws:iam::{_ACCOUNT}:user/alice", _ACCOUNT, "AIDAALICEALICEALICE00")
_CONTEXT: Final = context({"aws:username": "alice", "aws:SourceIp": "198.51.100.7", "aws:TagKeys": ["a", "b"]})
_ASKED: Final = [
    Ask(_ALICE, action, resource, _ACCOUNT, _CONTEXT)
    for action in ("iam:GetUser", "sts:AssumeRole", "s3:GetObject")
    for resource in ("*", f"arn:aws:iam::{_ACCOUNT}:role/x", "arn:aws:s3:::ledger/a*${b}")
]
SEEDS: Final = (
    b'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::a/*"}]}',
    b'{"Statement":{"Sid":"a","Effect":"Deny","NotAction":["iam:?et*"],"NotResource":"*","Condition":'
    b'{"ForAllValues:StringLikeIfExists":{"aws:TagKeys":["${aws:username}","a*"]},"Null":{"aws:x":"true"},'
    b'"IpAddress":{"aws:SourceIp":"198.51.100.0/24"},"DateLessThan":{"aws:CurrentTime":"2026-01-02T03:04:05Z"}}}}',
    b'{"Version":"2012-10-17","Id":"x","Statement":[{"Effect":"Allow","Principal":{"AWS":["*","111122223333"],'
    b'"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"Bool":{"a:b":true}}}]}',
)


def run(data: bytes) -> None:
    """A document or a declared error; what loads with a problem, or not at all, allows nothing."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        parse(text)
        readable = True
    except PolicyError:
        readable = False
    for kind in (PolicyKind.INLINE, PolicyKind.TRUST, PolicyKind.SESSION):
        try:
            validate(text, kind)
            valid = True
        except (PolicyError, ServiceException):
            valid = False
        compiled = load(text, kind, "p")
        assert readable or compiled.problem
        assert not (valid and compiled.problem), "what was stored cannot be read"
        for ask in _ASKED:
            decision = decide(ask, Policies(identity=(compiled,)))
            assert not (compiled.problem and decision.allowed), "what cannot be read allows"
