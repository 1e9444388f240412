"""What the audit lines say of sessions: who, with which tags, behind whom (area CT)."""

from __future__ import annotations

from typing import Any, Final

import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import users
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, OTHER, World, document
from .phones import phone_of, session_token
from .test_sessions import ADMIN, WHO, assuming, credentials_of, tags, trusting

ROOT: Final = f"arn:aws:iam::{ACCOUNT}:root"
CREATED: Final = "2026-01-02T03:04:05Z"
EXPIRES: Final = "Jan 2, 2026, 4:04:05 AM"


def identity(world: World, who: Credentials) -> dict[str, Any]:
    """The ``userIdentity`` of a caller's next request."""
    world.call(who, WHO)
    found: dict[str, Any] = world.records()[-1]["userIdentity"]
    return found


def context(mfa: str = "false", **more: Any) -> dict[str, Any]:
    return {**more, "attributes": {"creationDate": CREATED, "mfaAuthenticated": mfa}}


# Who


@pytest.mark.facts("STS-CT-015")
def test_a_user_by_a_session_is_a_user_with_its_context(world: World) -> None:
    alice = world.user("alice", ADMIN)
    phone = phone_of(world, "alice")
    plain = credentials_of(world.call(alice, sts.GetSessionTokenCommand()).credentials)
    for session, mfa in ((plain, "false"), (session_token(world, alice, phone), "true")):
        found = identity(world, session)
        assert list(found) == [
            *("type", "principalId", "arn", "accountId", "accessKeyId", "userName", "sessionContext")
        ]
        assert (found["type"], found["userName"], found["accessKeyId"]) == ("IAMUser", "alice", session.access_key_id)
        assert found["principalId"].startswith("AIDA")
        assert found["sessionContext"] == context(mfa)


@pytest.mark.facts("STS-CT-018")
def test_root_is_root_by_key_and_by_session(world: World) -> None:
    own = {"type": "Root", "principalId": ACCOUNT, "arn": ROOT, "accountId": ACCOUNT}
    assert identity(world, world.root) == own | {"accessKeyId": world.root.access_key_id}
    session = credentials_of(world.call(world.root, sts.GetSessionTokenCommand()).credentials)
    assert identity(world, session) == own | {"accessKeyId": session.access_key_id, "sessionContext": context()}


@pytest.mark.facts("STS-CT-017")
def test_a_federated_user_is_one_with_its_maker_behind_it(world: World) -> None:
    alice = world.user("alice", ADMIN)
    made_by = {
        "type": "IAMUser",
        "principalId": identity(world, alice)["principalId"],
        "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
        "accountId": ACCOUNT,
        "userName": "alice",
    }
    root = {"type": "Root", "principalId": ACCOUNT, "arn": ROOT, "accountId": ACCOUNT}
    for maker, issuer in ((alice, made_by), (world.root, root)):
        bob = credentials_of(world.call(maker, sts.GetFederationTokenCommand(name="bob")).credentials)
        assert identity(world, bob) == {
            "type": "FederatedUser",
            "principalId": f"{ACCOUNT}:bob",
            "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
            "accountId": ACCOUNT,
            "accessKeyId": bob.access_key_id,
            "sessionContext": context(sessionIssuer=issuer),
        }


# What


@pytest.mark.facts("STS-CT-009", "STS-CT-010", "STS-CT-011", "STS-CT-T01", "STS-CT-008", "STS-CT-012")
def test_a_step_of_a_chain_across_accounts_is_told_as_in_the_worked_example(world: World) -> None:
    alice = world.user("alice", ADMIN)
    hop1 = world.role("Hop1", trusting(), ADMIN, path="/team/")
    hop2 = world.role("Hop2", trusting(), root=world.account(OTHER))
    first = world.assume(
        alice,
        hop1,
        "first",
        tags=tags(Department="Engineering", Ticket="42"),
        transitive_tag_keys=("Department",),
        source_identity="alice",
    )
    asked = assuming(
        hop2, "second", tags=tags(Email="alice@example.com"), transitive_tag_keys=("Email",), duration_seconds=3_600
    )
    second = world.call(first, asked)
    ours, theirs = world.records()[-2:]
    role_id = ours["userIdentity"]["sessionContext"]["sessionIssuer"]["principalId"]
    assert role_id.startswith("AROA")
    assert ours["userIdentity"] == {
        "type": "AssumedRole",
        "principalId": f"{role_id}:first",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Hop1/first",
        "accountId": ACCOUNT,
        "accessKeyId": first.access_key_id,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role_id,
                "arn": f"arn:aws:iam::{ACCOUNT}:role/team/Hop1",
                "accountId": ACCOUNT,
                "userName": "Hop1",
            },
            "attributes": {"creationDate": CREATED, "mfaAuthenticated": "false"},
            "sourceIdentity": "alice",
        },
    }
    assert list(ours["userIdentity"]["sessionContext"]) == ["sessionIssuer", "attributes", "sourceIdentity"]
    parameters = {
        "incomingTransitiveTags": {"Department": "Engineering"},
        "tags": [{"key": "Email", "value": "alice@example.com"}],
        "transitiveTagKeys": ["Email"],
        "roleArn": hop2,
        "roleSessionName": "second",
        "sourceIdentity": "alice",
        "durationSeconds": 3_600,
    }
    assert ours["requestParameters"] == parameters
    assert list(ours["requestParameters"]) == list(parameters)
    answer = {
        "credentials": {"accessKeyId": second.credentials.access_key_id, "expiration": EXPIRES},
        "assumedRoleUser": {
            "assumedRoleId": second.assumed_role_user.assumed_role_id,
            "arn": f"arn:aws:sts::{OTHER}:assumed-role/Hop2/second",
        },
        "packedPolicySize": second.packed_policy_size,
        "sourceIdentity": "alice",
    }
    assert ours["responseElements"] == answer
    assert list(ours["responseElements"]) == list(answer)
    assert ours["resources"] == [{"ARN": hop2, "accountId": OTHER, "type": "AWS::IAM::Role"}]
    assert theirs["userIdentity"] == {"type": "AWSAccount", "principalId": f"{role_id}:first", "accountId": ACCOUNT}
    assert (ours["recipientAccountId"], theirs["recipientAccountId"]) == (ACCOUNT, OTHER)
    assert ours["sharedEventID"] == theirs["sharedEventID"]
    assert ours["requestID"] == theirs["requestID"]
    assert ours["eventID"] != theirs["eventID"]
    assert theirs["requestParameters"] == parameters
    assert theirs["responseElements"] == answer


@pytest.mark.facts("STS-CT-T01", "STS-CT-009")
def test_what_was_not_passed_is_not_told(world: World) -> None:
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting())
    world.assume(alice, role)
    record = world.records()[-1]
    assert record["requestParameters"] == {"roleArn": role, "roleSessionName": "s1"}
    assert list(record["responseElements"]) == ["credentials", "assumedRoleUser"]


@pytest.mark.facts("STS-CT-T01")
def test_the_serial_number_is_told_and_the_code_is_not(world: World) -> None:
    alice = world.user("alice", ADMIN)
    phone = phone_of(world, "alice")
    role = world.role("r", trusting())
    proof = phone.proof(world)
    world.assume(alice, role, external_id="shake", **proof)
    record = world.records()[-1]
    assert record["requestParameters"] == {
        "roleArn": role,
        "roleSessionName": "s1",
        "externalId": "shake",
        "serialNumber": phone.serial,
    }
    assert proof["token_code"].reveal() not in str(record["requestParameters"]) + str(record["responseElements"])


@pytest.mark.facts("STS-CT-T05", "STS-CT-T06", "STS-CT-004", "STS-CT-007")
def test_the_records_of_the_other_two_that_issue(world: World) -> None:
    alice = world.user("alice", ADMIN)
    phone = phone_of(world, "alice")
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    command = sts.GetFederationTokenCommand(
        name="bob",
        duration_seconds=3_600,
        policy='{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}',
        policy_arns=(sts.PolicyDescriptorType(arn=arn),),
        tags=tags(Team="Blue"),
    )
    answer = world.call(alice, command)
    record = world.records()[-1]
    assert record["eventName"] == "GetFederationToken"
    assert record["readOnly"] is False
    assert record["requestParameters"] == {
        "name": "bob",
        "durationSeconds": 3_600,
        "policy": command.policy,
        "policyArns": [{"arn": arn}],
        "tags": [{"key": "Team", "value": "Blue"}],
    }
    assert record["responseElements"] == {
        "credentials": {"accessKeyId": answer.credentials.access_key_id, "expiration": EXPIRES},
        "federatedUser": {
            "federatedUserId": f"{ACCOUNT}:bob",
            "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
        },
        "packedPolicySize": answer.packed_policy_size,
    }
    assert list(record["responseElements"]) == ["credentials", "federatedUser", "packedPolicySize"]
    issued = world.call(alice, sts.GetSessionTokenCommand(duration_seconds=3_600, **phone.proof(world))).credentials
    record = world.records()[-1]
    assert (record["eventName"], record["readOnly"]) == ("GetSessionToken", False)
    assert record["requestParameters"] == {"durationSeconds": 3_600, "serialNumber": phone.serial}
    assert record["responseElements"] == {"credentials": {"accessKeyId": issued.access_key_id, "expiration": EXPIRES}}


@pytest.mark.facts("STS-CT-006", "STS-E-T10")
def test_an_error_is_named_by_its_class_where_that_differs_from_its_code(world: World) -> None:
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting())
    many = tuple(sts.Tag(key=f"k{number}", value="x" * 256) for number in range(40))
    response = world.send(world.request(assuming(role, tags=many), alice))
    assert b"<Code>PackedPolicyTooLarge</Code>" in response.body
    record = world.records()[-1]
    assert record["errorCode"] == "PackedPolicyTooLargeException"
    assert record["errorMessage"] == "Serialized token too large for session"
    assert record["responseElements"] is None
    world.refusal(world.user("bob"), assuming(role), errors.AccessDenied)
    assert world.records()[-1]["errorCode"] == "AccessDenied"


@pytest.mark.facts("STS-CT-003")
def test_a_denied_call_tells_no_parameters(world: World) -> None:
    alice = world.user("alice", document(Effect="Allow", Action="sts:AssumeRole", Resource="*"))
    role = world.role("r", trusting())
    world.refusal(alice, assuming(role, tags=tags(Team="Blue"), source_identity="alice"), errors.AccessDenied)
    record = world.records()[-1]
    assert (record["requestParameters"], record["responseElements"]) == (None, None)
    assert "sts:TagSession" in record["errorMessage"]


@pytest.mark.facts("STS-CT-005")
def test_the_region_is_the_one_that_clients_of_the_global_endpoint_sign_for(world: World) -> None:
    world.call(world.root, WHO)
    assert world.records()[-1]["awsRegion"] == "us-east-1"
    world.call(world.root, users.ListUsersCommand())
    assert world.records()[-1]["awsRegion"] == "us-east-1"
