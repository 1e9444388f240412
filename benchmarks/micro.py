"""The parts of a request in process, each beside the plain way of doing the same."""

from __future__ import annotations

import base64
import json
import os
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from benchmarks import federation, libraries
from benchmarks.policy import DECISIONS
from benchmarks.signing import Keys, prepare
from benchmarks.timing import Pair

__all__ = ["TIMINGS"]

_NOW: Final = 1_798_761_600.0
_ACCOUNT: Final = "111122223333"


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


def _token_verify() -> Pair:
    from locum.core import oidc

    now = time.time()
    token = federation.token("builder-01")
    keys = oidc.read_keys(json.dumps(federation.key_set()).encode())
    rules, issuer, clients = oidc.IssuerRules(loopback_http=True), federation.issuer(), (federation.CLIENT,)

    def ours() -> object:
        return oidc.verify(oidc.hints(token), keys, issuer=issuer, client_ids=clients, rules=rules, now=now)

    verify = libraries.joserfc(federation.key_set(), issuer)
    title = f"verify a token of {len(token)} characters, RS256"
    return Pair(title, ours, "joserfc, keys imported before", lambda: verify(token))


def _assertion_verify() -> Pair:
    from locum.core import saml

    now = time.time()
    role, provider = f"arn:aws:iam::{_ACCOUNT}:role/builder-1", f"arn:aws:iam::{_ACCOUNT}:saml-provider/Company"
    response = federation.response("builder-01", role, provider)
    encoded = base64.b64encode(response).decode()
    expected = saml.Expected(
        provider_arn=provider,
        account=_ACCOUNT,
        provider_name="Company",
        role_arn=role,
        metadata=saml.read_metadata(federation.metadata()),
    )

    def ours() -> object:
        return saml.verify(encoded, expected, now, request_id="")

    verify = libraries.signxml(federation.certificate())
    title = f"verify a SAML response of {len(response)} bytes"
    return Pair(title, ours, "signxml, the signature alone", lambda: verify(encoded))


TIMINGS: Final[dict[str, Callable[[], Pair]]] = {
    **DECISIONS,
    "sigv4": _sigv4_verify,
    "form": _form,
    "answer": _answer,
    "seal": _seal,
    "open": _open,
    "token-verify": _token_verify,
    "assertion-verify": _assertion_verify,
}
"""Name → what is timed."""
