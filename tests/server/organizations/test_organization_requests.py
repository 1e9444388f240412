"""How a request finds Organizations, what it must look like, and what its answers and audit lines are."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locum import errors
from locum.api.organizations import accounts, organization, policies, units
from locum.api.shapes import Command
from locum.http import Request, Response
from locum.organization_errors import (
    AccessDeniedException,
    DuplicateOrganizationalUnitException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    UnrecognizedClientException,
)
from locum.secret import Secret
from locum.server.pipeline import Pipeline
from locum.wire import json as aws_json
from locum.wire.sigv4 import Credentials, sign

from ..conftest import HOST, World
from .conftest import Org

LIST = organization.ListRootsCommand()
TARGET = aws_json.target_of(LIST)
JSON = ("content-type", aws_json.CONTENT_TYPE)


def send(world: World, *headers: tuple[str, str], service: str = "organizations", **changes: Any) -> Response:
    request = Request("POST", "/", "", (("host", HOST), *headers), b"{}", "198.51.100.7")
    request = msgspec.structs.replace(request, **changes)
    return world.send(sign(request, world.root, service=service, region="us-east-1", now=world.now))


def code(response: Response) -> str:
    with pytest.raises(errors.ServiceException) as raised:
        World.check(response)
    return raised.value.code


@pytest.mark.facts("ORG-GEN-001")
def test_an_answer_is_json_of_its_own_type(org: Org) -> None:
    response = send(org.world, JSON, ("x-amz-target", TARGET))
    assert response.status == 200
    assert JSON in response.headers
    assert "x-amzn-requestid" in dict(response.headers)
    document = json.loads(response.body)
    assert document["Roots"][0]["Id"] == org.top
    account = json.loads(org.world.send(org.world.request(accounts.ListAccountsCommand(), org.root)).body)
    assert account["Accounts"][0]["JoinedTimestamp"] == int(org.world.now)


@pytest.mark.facts("ORG-GEN-005")
def test_times_are_epoch_seconds(org: Org) -> None:
    body = org.world.send(org.world.request(accounts.ListAccountsCommand(), org.root)).body
    assert json.loads(body)["Accounts"][0]["JoinedTimestamp"] == 1_767_323_045


@pytest.mark.facts("R20", "ORG-GEN-001")
@pytest.mark.parametrize(
    ("headers", "changes", "expected"),
    [
        ((JSON, ("x-amz-target", "AWSOrganizationsV20161128.Nothing")), {}, "UnknownOperationException"),
        ((JSON, ("x-amz-target", "AWSOrganizationsV20161128")), {}, "UnknownOperationException"),
        ((JSON, ("x-amz-target", TARGET), ("x-amz-target", TARGET)), {}, "UnknownOperationException"),
        ((JSON, ("x-amz-target", TARGET.lower())), {}, "403"),
        ((("content-type", "application/json"), ("x-amz-target", TARGET)), {}, "UnknownOperationException"),
        ((("x-amz-target", TARGET),), {}, "UnknownOperationException"),
        ((JSON, ("x-amz-target", TARGET)), {"method": "GET", "body": b""}, "UnknownOperationException"),
        ((JSON, ("x-amz-target", TARGET)), {"query": "Action=ListUsers&Version=2010-05-08"}, "SerializationException"),
        ((JSON, ("x-amz-target", TARGET)), {"body": b"[]"}, "SerializationException"),
        ((JSON, ("x-amz-target", TARGET)), {"body": b"Action=ListUsers"}, "SerializationException"),
        ((JSON, ("x-amz-target", TARGET)), {"body": b" " * (1 << 21) + b"{}"}, "SerializationException"),
        ((JSON, ("x-amz-target", TARGET)), {"service": "iam"}, "InvalidSignatureException"),
        ((JSON, ("x-amz-target", TARGET)), {"service": "sts"}, "InvalidSignatureException"),
    ],
)
def test_a_request_that_is_none_of_this_service_is_refused(
    org: Org, headers: Sequence[tuple[str, str]], changes: dict[str, Any], expected: str
) -> None:
    response = send(org.world, *headers, **changes)
    if expected == "403":
        assert response.status == 403
    else:
        assert code(response) == expected


@pytest.mark.facts("R20")
def test_the_service_is_not_reached_by_a_query(world: World) -> None:
    form = ("content-type", "application/x-www-form-urlencoded")
    body = b"Action=CreateOrganization&Version=2016-11-28"
    assert code(send(world, form, body=body)) == "InvalidAction"
    assert code(send(world, form, ("x-amz-target", "DynamoDB_20120810.ListTables"), body=body)) == "InvalidAction"


@pytest.mark.facts("R19", "R22", "R43")
def test_a_request_must_be_signed_with_its_target_and_body(org: Org) -> None:
    world = org.world
    unsigned = Request("POST", "/", "", (("host", HOST), JSON, ("x-amz-target", TARGET)), b"{}", "198.51.100.7")
    assert code(world.send(unsigned)) == "MissingAuthenticationTokenException"
    signed = world.request(LIST, world.root)
    other = tuple((name, value.replace("ListRoots", "DeleteOrganization")) for name, value in signed.headers)
    for changed in (
        msgspec.structs.replace(signed, body=b'{"MaxResults":1}'),
        msgspec.structs.replace(signed, headers=other),
    ):
        assert code(world.send(changed)) == "InvalidSignatureException"
    bare = msgspec.structs.replace(unsigned, headers=unsigned.headers[:2])
    bare = sign(bare, world.root, service="organizations", region="us-east-1", now=world.now)
    moved = msgspec.structs.replace(bare, headers=(*bare.headers, ("x-amz-target", TARGET)))
    with pytest.raises(errors.ServiceException):
        World.check(world.send(moved))
    org.call(LIST)


@pytest.mark.facts("ORG-GEN-001")
def test_refusals_of_the_front_door_have_this_protocols_names(org: Org) -> None:
    world = org.world
    world.refusal(None, LIST, MissingAuthenticationTokenException)
    stranger = Credentials("AKIAQNZGKIQY56JQ7WML", Secret("x" * 40))
    world.refusal(stranger, LIST, UnrecognizedClientException)
    wrong = Credentials(world.root.access_key_id, Secret("x" * 40))
    world.refusal(wrong, LIST, InvalidSignatureException)
    message = world.refusal(world.user("nobody"), LIST, AccessDeniedException)
    assert message == "You don't have permissions to access this resource."
    denied = org.world.records()[-1]
    assert denied["errorMessage"] == (
        "User: arn:aws:iam::111122223333:user/nobody is not authorized to perform: organizations:ListRoots "
        "because no identity-based policy allows the organizations:ListRoots action"
    )
    assert (denied["eventName"], denied["errorCode"]) == ("ListRoots", "AccessDenied")


@pytest.mark.facts("R21", "R37")
def test_an_echo_is_no_markup(org: Org) -> None:
    name = "<ErrorResponse>&\"'</ErrorResponse>"
    unit = org.unit(name)
    request = org.world.request(units.DescribeOrganizationalUnitCommand(organizational_unit_id=unit), org.root)
    response = org.world.send(request)
    assert b"<" not in response.body
    assert json.loads(response.body)["OrganizationalUnit"]["Name"] == name


def test_audit_lines_tell_what_was_asked_and_changed(org: Org) -> None:
    unit = org.unit("works")
    org.refused(
        units.CreateOrganizationalUnitCommand(parent_id=org.top, name="works"), DuplicateOrganizationalUnitException
    )
    org.call(units.DescribeOrganizationalUnitCommand(organizational_unit_id=unit))
    made, refused, read = org.world.records()[-3:]
    assert made["eventSource"] == "organizations.amazonaws.com"
    assert made["requestParameters"] == {"parentId": org.top, "name": "works"}
    assert made["responseElements"]["organizationalUnit"]["id"] == unit
    assert (refused["errorCode"], refused["responseElements"]) == ("DuplicateOrganizationalUnitException", None)
    assert (read["readOnly"], read["responseElements"]) == (True, None)


@given(body=st.binary(max_size=60), target=st.sampled_from(["ListRoots", "CreateAccount", "AttachPolicy"]))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_body_has_an_answer(world: World, body: bytes, target: str) -> None:
    response = send(world, JSON, ("x-amz-target", f"AWSOrganizationsV20161128.{target}"), body=body)
    assert response.status in (200, 400)
    assert isinstance(json.loads(response.body), dict)


def answered_together(world: World, commands: Sequence[Command[Any]]) -> list[Response]:
    """The answers to commands that are sent at the same time, each in a thread of its own."""
    pipeline: Pipeline = world.pipeline
    requests = [world.request(command, world.root) for command in commands]
    gate = threading.Barrier(len(requests))
    responses: list[Response | None] = [None] * len(requests)

    def run(number: int) -> None:
        gate.wait()
        request_id = f"01234567-89ab-4def-8123-{number:012d}"
        responses[number] = pipeline.answer(requests[number], request_id, world.now, wait=True).response

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [each for each in responses if each is not None]


@pytest.mark.facts("ORG-004", "IAM-GEN-075")
def test_of_writers_at_the_same_time_nobody_is_lost(org: Org) -> None:
    same = [units.CreateOrganizationalUnitCommand(parent_id=org.top, name="one") for _ in range(6)]
    answers = answered_together(org.world, same)
    assert sorted(each.status for each in answers) == [200, *[400] * 5]
    org.enable()
    made = [org.policy(f"p{number}") for number in range(6)]
    attach = [policies.AttachPolicyCommand(policy_id=policy, target_id=org.top) for policy in made]
    assert [each.status for each in answered_together(org.world, attach)] == [200] * 6
    assert set(org.attached(org.top)) == {"p-FullAWSAccess", *made}
    services = [organization.EnableAWSServiceAccessCommand(service_principal=f"s{n}.amazonaws.com") for n in range(6)]
    assert [each.status for each in answered_together(org.world, services)] == [200] * 6
    facts = org.facts()
    assert facts is not None
    assert len(facts.services) == 6
