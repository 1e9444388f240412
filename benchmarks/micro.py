"""The parts of a request in process, each beside the plain way of doing the same."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from benchmarks.signing import Keys, prepare

__all__ = ["TIMINGS", "Timing", "time_all"]

_ROUNDS: Final = 9
_ROUND_SECONDS: Final = 0.05
_NOW: Final = 1_798_761_600.0
_ROOT: Final = Path(__file__).parents[1]
_ACCOUNT: Final = "111122223333"
_USER: Final = f"arn:aws:iam::{_ACCOUNT}:user/builder"

Work = Callable[[], object]


class Timing(NamedTuple):
    """CPU µs of one call, of the plain way where there is one, and the median of their ratios."""

    name: str
    title: str
    ours: float
    against: str = ""
    reference: float | None = None
    ratio: float | None = None


class Pair(NamedTuple):
    """A part of locum, and the plain way of doing the same where there is one."""

    title: str
    ours: Work
    against: str = ""
    reference: Work | None = None


def _request() -> bytes:
    calls = [{"RoleArn": f"arn:aws:iam::{_ACCOUNT}:role/builder-1", "RoleSessionName": "build-0001@example.com"}]
    return prepare("http://127.0.0.1:8380", Keys("AKIABENCH7C5V4B3N6MK", "s" * 40), "assume_role", calls)[0]


def _sigv4_verify() -> Pair:
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials

    from locum.http import Request
    from locum.secret import Secret
    from locum.wire.sigv4 import SigningKeys
    from locum.wire.sigv4_verify import require_authentication, verify

    head, _, body = _request().partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
    request = Request("POST", "/", "", tuple((name.lower(), value) for name, _, value in lines), body)
    derive, secret, now = SigningKeys(), Secret("s" * 40), time.time()

    def ours() -> object:
        claims = require_authentication(request, (), service="sts", regions={"us-east-1"}, now=now)
        return verify(claims, derive(secret, claims.date, claims.region, claims.service))

    credentials = botocore.credentials.Credentials("AKIABENCH7C5V4B3N6MK", "s" * 40)
    signer = botocore.auth.SigV4Auth(credentials, "sts", "us-east-1")
    signed = ("content-type", "host", "x-amz-date")
    headers = {name: value for name, _, value in lines if name.lower() in signed}
    claimed = request.header("authorization")

    def reference() -> object:
        sent = botocore.awsrequest.AWSRequest("POST", "http://127.0.0.1:8380/", headers=headers, data=body)
        sent.context["timestamp"] = headers["X-Amz-Date"]
        text = signer.string_to_sign(sent, signer.canonical_request(sent))
        if not str(claimed).endswith(signer.signature(text, sent)):
            raise AssertionError("the signatures differ")
        return sent

    return Pair("SigV4: read and verify a signed request", ours, "botocore computing the signature", reference)


def _session() -> Any:
    from locum.core.session import Session, SessionKind
    from locum.secret import Secret

    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}'
    return Session(
        SessionKind.ROLE,
        "ASIABENCH7C5V4B3N6MK",
        Secret("s" * 40),
        _ACCOUNT,
        "AROABENCHBENCHBENCHBE",
        "build-0001@example.com",
        int(_NOW),
        int(_NOW) + 3_600,
        policy,
    )


def _ring() -> Any:
    from locum.core.token import KeyRing, SealingKey

    return KeyRing([SealingKey("0badcafe", int(_NOW), bytes(range(32)))])


def _seal() -> Pair:
    ring, session = _ring(), _session()
    return Pair("seal a session token", lambda: ring.seal_session(session, os.urandom(12)))


def _open() -> Pair:
    ring = _ring()
    token = ring.seal_session(_session(), bytes(12))
    return Pair("open a session token, every claim checked", lambda: ring.open_session(token))


def _form() -> Pair:
    from locum.wire.form import parse_form

    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    call = {"RoleArn": f"arn:aws:iam::{_ACCOUNT}:role/builder-1", "RoleSessionName": "build-0001", "Policy": policy}
    body = prepare("http://127.0.0.1:8380", Keys("AKIABENCH7C5V4B3N6MK", "s" * 40), "assume_role", [call])[0]
    form = body.partition(b"\r\n\r\n")[2]

    def reference() -> object:
        return parse_qsl(form.decode(), keep_blank_values=True, max_num_fields=4_096)

    return Pair(f"read a form of {len(form)} bytes", lambda: parse_form(form), "urllib's parse_qsl", reference)


def _answer() -> Pair:
    from locum.api import sts
    from locum.secret import Secret
    from locum.wire.answer import encode_response

    token = _ring().seal_session(_session(), bytes(12))
    arn = f"arn:aws:sts::{_ACCOUNT}:assumed-role/builder-1/build-0001@example.com"
    values = {
        "AssumedRoleUser": {"AssumedRoleId": "AROABENCHBENCHBENCHBE:build-0001@example.com", "Arn": arn},
        "Credentials": {
            "AccessKeyId": "ASIABENCH7C5V4B3N6MK",
            "SecretAccessKey": "s" * 40,
            "SessionToken": token,
            "Expiration": "2027-01-01T01:00:00Z",
        },
    }
    response = sts.AssumeRoleResponse(
        assumed_role_user=sts.AssumedRoleUser(
            assumed_role_id=values["AssumedRoleUser"]["AssumedRoleId"], arn=values["AssumedRoleUser"]["Arn"]
        ),
        credentials=sts.Credentials(
            access_key_id=values["Credentials"]["AccessKeyId"],
            secret_access_key=Secret(values["Credentials"]["SecretAccessKey"]),
            session_token=Secret(token),
            expiration=datetime.fromtimestamp(_NOW + 3_600, UTC),
        ),
    )
    request_id = "11111111-2222-4333-8444-555555555555"

    def reference() -> object:
        root = ET.Element("AssumeRoleResponse", xmlns="https://sts.amazonaws.com/doc/2011-06-15/")
        result = ET.SubElement(root, "AssumeRoleResult")
        for name, members in values.items():
            element = ET.SubElement(result, name)
            for member, text in members.items():
                ET.SubElement(element, member).text = text
        metadata = ET.SubElement(root, "ResponseMetadata")
        ET.SubElement(metadata, "RequestId").text = request_id
        return ET.tostring(root)

    def ours() -> object:
        return encode_response(response, sts.AssumeRoleCommand, request_id)

    return Pair("write an AssumeRole answer as XML", ours, "ElementTree", reference)


_TRUST: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sts:AssumeRole",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"AWS": _USER}, "Action": "sts:TagSession"},
        {
            "Effect": "Allow",
            "Principal": {"AWS": [_USER, f"arn:aws:iam::{_ACCOUNT}:user/other"]},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"sts:ExternalId": ["red-7731", "blue-1187"]},
                "IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"]},
            },
        },
    ],
}
_CONTEXT: Final = {
    "aws:securetransport": "true",
    "sts:externalid": "blue-1187",
    "aws:sourceip": "192.0.2.7",
    "aws:currenttime": "2027-01-01T00:00:00Z",
    "aws:principalarn": _USER,
    "aws:username": "builder",
}


def _trust_policy() -> Pair:
    from locum.policy.compile import load
    from locum.policy.document import PolicyKind
    from locum.policy.evaluate import Ask, Effect, Layer, Policies, decide
    from locum.policy.principals import Principal

    oracle = _oracle()
    compiled = load(json.dumps(_TRUST), PolicyKind.TRUST, "trust")
    policies = Policies(resource=compiled, resource_layer=Layer.TRUST, resource_policy_required=True)
    caller, role = "AIDABENCHBENCHBENCHBE", f"arn:aws:iam::{_ACCOUNT}:role/builder-1"
    ask = Ask(Principal.user(_USER, _ACCOUNT, caller), "sts:AssumeRole", role, _ACCOUNT, _CONTEXT)
    question = oracle.Question(
        principal={"type": "IAMUser", "arn": _USER, "account": _ACCOUNT, "id": caller},
        action="sts:AssumeRole",
        resource=role,
        resource_account=_ACCOUNT,
        context=_CONTEXT,
        resource_policy=_TRUST,
        required=True,
        trust=True,
    )
    if decide(ask, policies).effect is not Effect.ALLOW or oracle.evaluate(question) != "Allow":
        raise AssertionError("the caller is trusted, and an evaluator says otherwise")
    return Pair(
        "decide on a trust policy of 5 statements and 3 conditions",
        lambda: decide(ask, policies),
        "the tests' plain evaluator",
        lambda: oracle.evaluate(question),
    )


def _oracle() -> Any:
    """The plain evaluator that the tests hold the compiled one against."""
    path = _ROOT / "tests" / "policy" / "oracle.py"
    spec = importlib.util.spec_from_file_location("policy_oracle", path)
    if spec is None or spec.loader is None:
        raise ImportError(str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


TIMINGS: Final[dict[str, Callable[[], Pair]]] = {
    "trust-policy": _trust_policy,
    "sigv4": _sigv4_verify,
    "form": _form,
    "answer": _answer,
    "seal": _seal,
    "open": _open,
}
"""Name → what is timed."""


def time_all(names: list[str]) -> list[Timing]:
    """Each part beside its plain counterpart, in alternating rounds."""
    return [_time(name, TIMINGS[name]()) for name in names]


def _time(name: str, pair: Pair) -> Timing:
    works = [pair.ours] if pair.reference is None else [pair.ours, pair.reference]
    counts = [_calibrated(work) for work in works]
    taken = [[_loop(work, count) for work, count in zip(works, counts, strict=True)] for _ in range(_ROUNDS)]
    least = [min(each) for each in zip(*taken, strict=True)]
    if pair.reference is None:
        return Timing(name, pair.title, least[0])
    return Timing(name, pair.title, least[0], pair.against, least[1], median(two / one for one, two in taken))


def _calibrated(work: Work) -> int:
    count = 1
    while _loop(work, count) * count < _ROUND_SECONDS * 1e6 / 2:
        count *= 2
    return count


def _loop(work: Work, count: int) -> float:
    """CPU µs of one call, the mean of ``count``."""
    repeated = range(count)
    begun = time.thread_time_ns()
    for _ in repeated:
        work()
    return (time.thread_time_ns() - begun) / count / 1_000
