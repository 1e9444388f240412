"""What a request leaves behind: its audit line, and what must never be in any output."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from locum.api import sts
from locum.api.iam import users
from locum.api.shapes import Command
from locum.secret import Secret
from locum.wire.sigv4 import Credentials

from .callers import ADMIN, WHO, error, role_for, token_session
from .conftest import ACCOUNT, OTHER, World


@pytest.mark.facts("R24")
def test_the_actor_is_the_verified_caller_or_nobody(world: World) -> None:
    world.call(world.root, WHO)
    assert world.records()[-1]["userIdentity"]["arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    error(world, world.request(WHO, Credentials(world.root.access_key_id, Secret("x" * 40))))
    record = world.records()[-1]
    assert record["userIdentity"] == {"type": "Unknown"}
    assert record["recipientAccountId"] is None
    assert record["errorCode"] == "SignatureDoesNotMatch"
    assert world.root.access_key_id not in json.dumps(record)


def test_every_request_leaves_one_line_before_its_answer(world: World) -> None:
    requests = [
        world.request(WHO, world.root),
        world.request(WHO, None),
        world.request(WHO, world.root, path="/%"),
        world.request(WHO, None, body=b"Action=Nothing&Version=2011-06-15"),
        world.request(sts.GetAccessKeyInfoCommand(access_key_id="!" * 20), world.root),
    ]
    for count, request in enumerate(requests, 1):
        world.send(request)
        assert len(world.records()) == count


def test_a_request_that_cannot_be_recorded_is_not_answered(world: World) -> None:
    world.audit.close()
    assert world.send(world.request(WHO, world.root)).status == 503
    world.audit = type(world.audit)(world.audit_file)


@pytest.mark.facts("R38", "STS-CT-007")
def test_no_secret_of_a_run_is_in_logs_audit_or_errors(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    alice = world.user("alice", ADMIN)
    session = world.assume(alice, role_for(world, policy=ADMIN))
    answers = [
        world.send(world.request(users.ListUsersCommand(), session)).body,
        world.send(world.request(sts.GetAccessKeyInfoCommand(access_key_id="!"), session)).body,
        world.send(world.request(WHO, Credentials(alice.access_key_id, Secret("x" * 40)))).body,
    ]
    token = token_session(world, alice)
    assert session.session_token is not None
    assert token.session_token is not None
    secrets = [
        world.root.secret_access_key,
        alice.secret_access_key,
        session.secret_access_key,
        session.session_token,
        token.secret_access_key,
        token.session_token,
    ]
    outputs = world.audit_file.read_text() + caplog.text + "".join(map(bytes.decode, answers)) + repr(secrets)
    for secret in secrets:
        assert secret.reveal() not in outputs
        assert secret.reveal()[:30] not in outputs


@pytest.mark.facts("STS-CT-001", "STS-CT-002", "STS-CT-003", "STS-CT-004", "STS-CT-T07")
def test_the_record_of_get_caller_identity(world: World) -> None:
    world.call(world.root, WHO)
    record = world.records()[-1]
    assert record.pop("eventID") != record.pop("requestID")
    assert record.pop("userAgent") == ""
    assert record.pop("userIdentity")["type"] == "Root"
    assert record == {
        "eventVersion": "1.11",
        "eventTime": "2026-01-02T03:04:05Z",
        "eventSource": "sts.amazonaws.com",
        "eventName": "GetCallerIdentity",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "198.51.100.7",
        "requestParameters": None,
        "responseElements": None,
        "additionalEventData": {"RequestDetails": {"awsServingRegion": "us-east-1", "endpointType": "regional"}},
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }


@pytest.mark.facts("STS-CT-011", "STS-CT-012", "STS-CT-T01", "STS-CT-008")
def test_a_cross_account_assume_role_has_two_records(world: World) -> None:
    other = world.account(OTHER)
    arn = world.role("deploy", {"AWS": ACCOUNT}, root=other)
    alice = world.user("alice", ADMIN)
    world.assume(alice, arn, external_id="secret-handshake")
    ours, theirs = world.records()[-2:]
    assert ours["recipientAccountId"] == ACCOUNT
    assert theirs["recipientAccountId"] == OTHER
    assert ours["sharedEventID"] == theirs["sharedEventID"]
    assert ours["eventID"] != theirs["eventID"]
    assert ours["requestID"] == theirs["requestID"]
    assert theirs["userIdentity"] == {
        "type": "AWSAccount",
        "principalId": ours["userIdentity"]["principalId"],
        "accountId": ACCOUNT,
    }
    assert ours["requestParameters"] == {"roleArn": arn, "roleSessionName": "s1", "externalId": "secret-handshake"}
    assert ours["responseElements"]["credentials"]["expiration"] == "Jan 2, 2026, 4:04:05 AM"
    assert set(ours["responseElements"]["credentials"]) == {"accessKeyId", "expiration"}
    assert ours["resources"] == [{"ARN": arn, "accountId": OTHER, "type": "AWS::IAM::Role"}]
    before = len(world.records())
    error(world, world.request(sts.AssumeRoleCommand(role_arn=arn, role_session_name="s1"), world.user("bob")))
    denied = world.records()[-1]
    assert denied["recipientAccountId"] == ACCOUNT
    assert denied["requestParameters"] is None
    assert "sharedEventID" not in denied
    assert len(world.records()) == before + 3


def test_an_unforeseen_exception_is_an_internal_failure_and_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from locum.server import handlers

    def broken(call: Any) -> Any:
        raise RuntimeError("the secret plan")

    kind: type[Command[Any]] = sts.GetCallerIdentityCommand
    handler = handlers.HANDLERS[kind]
    monkeypatch.setitem(handlers.HANDLERS, kind, handler._replace(run=broken))
    response = world.send(world.request(WHO, world.root))
    assert response.status == 500
    assert b"the secret plan" not in response.body
    assert b"<Code>InternalFailure</Code>" in response.body
    assert b"<Type>Receiver</Type>" in response.body
    assert "the secret plan" in caplog.text
