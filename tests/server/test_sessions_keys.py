"""The condition keys of sessions: MFA, issue time, what is never there; and who root is by a session (area CTX)."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import users
from locum.http import Request
from locum.wire.query import encode_command, encode_form
from locum.wire.sigv4 import Credentials, sign

from .conftest import ACCOUNT, OTHER, World, document
from .phones import phone_of, session_token
from .test_sessions import ADMIN, WHO, assuming, credentials_of, seen, tags, trusting

ROOT: Final = f"arn:aws:iam::{ACCOUNT}:root"
PRESENT: Final = "aws:multifactorauthpresent"
AGE: Final = "aws:multifactorauthage"


def callers(world: World) -> dict[str, Credentials]:
    """One of every kind that there is."""
    alice = world.user("alice", ADMIN)
    phone = phone_of(world, "alice")
    federated = world.call(alice, sts.GetFederationTokenCommand(name="bob")).credentials
    role = world.role("r", trusting(), ADMIN)
    return {
        "user": alice,
        "root": world.root,
        "user session": credentials_of(world.call(alice, sts.GetSessionTokenCommand()).credentials),
        "user session with MFA": session_token(world, alice, phone),
        "root session": credentials_of(world.call(world.root, sts.GetSessionTokenCommand()).credentials),
        "role session": world.assume(alice, role, **phone.proof(world, 1)),
        "federated user": credentials_of(federated),
    }


@pytest.mark.facts("STS-CTX-T22", "STS-CTX-T23", "STS-CTX-T24", "POL-CK-005", "POL-CK-006", "POL-CK-007", "STS-AR-028")
def test_each_kind_of_caller_has_its_marks_of_mfa_and_of_its_issue(world: World) -> None:
    found = callers(world)
    world.now += 100
    marks = {
        name: tuple(seen(world, who).context.get(key) for key in (PRESENT, AGE, "aws:tokenissuetime"))
        for name, who in found.items()
    }
    issued = "2026-01-02T03:04:05Z"
    assert marks == {
        "user": (None, None, None),
        "root": (None, None, None),
        "user session": ("false", None, issued),
        "user session with MFA": ("true", "100", issued),
        "root session": ("false", None, issued),
        "role session": (None, None, issued),
        "federated user": ("false", None, issued),
    }


@pytest.mark.facts("STS-AR-027", "STS-AR-029", "STS-CTX-T22", "STS-CTX-T23")
def test_a_code_in_the_call_counts_as_one_of_the_session(world: World) -> None:
    alice = world.user("alice", ADMIN)
    phone = phone_of(world, "alice")
    fresh = {"Bool": {"aws:MultiFactorAuthPresent": "true"}, "NumericLessThan": {"aws:MultiFactorAuthAge": "60"}}
    role = world.role("r", trusting(Condition=fresh))
    with_mfa = session_token(world, alice, phone)
    without = credentials_of(world.call(alice, sts.GetSessionTokenCommand()).credentials)
    world.assume(with_mfa, role)
    for who in (alice, without):
        world.refusal(who, assuming(role), errors.AccessDenied)
    world.now += 90
    world.refusal(with_mfa, assuming(role), errors.AccessDenied)
    for number, who in enumerate((alice, without, with_mfa)):
        world.assume(who, role, **phone.proof(world, number - 1))


@pytest.mark.facts("STS-AR-027", "STS-AR-040")
def test_a_code_changes_nothing_where_no_policy_asks_for_it(world: World) -> None:
    alice = world.user("alice", ADMIN)
    phone = phone_of(world, "alice")
    role = world.role("r", trusting(), ADMIN)
    plain, proven = world.assume(alice, role), world.assume(alice, role, **phone.proof(world))
    assert seen(world, plain).context == seen(world, proven).context
    assert seen(world, plain).policies == seen(world, proven).policies


@pytest.mark.facts("STS-CALL-008", "STS-CALL-T04", "STS-CALL-T09", "STS-GCI-T01")
def test_a_session_of_root_is_root(world: World) -> None:
    session = credentials_of(world.call(world.root, sts.GetSessionTokenCommand()).credentials)
    found = seen(world, session)
    assert found.caller.is_root
    assert (found.context["aws:userid"], found.context["aws:principaltype"]) == (ACCOUNT, "Account")
    assert found.policies.decide("s3:GetObject", "arn:aws:s3:::x/y", ACCOUNT, found.context).allowed
    assert not found.policies.decide("s3:GetObject", "arn:aws:s3:::x/y", OTHER, found.context).allowed
    assert world.call(session, WHO).arn == ROOT
    world.refusal(session, users.ListUsersCommand(), errors.InvalidClientTokenId)
    role = world.role("r", trusting(principal="*"))
    assert world.refusal(session, assuming(role), errors.AccessDenied) == "Roles may not be assumed by root accounts."


NEVER: Final = (
    *("aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast", "aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp"),
    *("aws:Ec2InstanceSourceVpc", "aws:Ec2InstanceSourcePrivateIPv4", "aws:SourceAccount", "aws:SourceArn"),
    *(
        "aws:FederatedProvider",
        "aws:AssumedRoot",
        "sts:TaskPolicyArn",
        "sts:RoleAuthorizedByIdp",
        "sts:DurationSeconds",
    ),
    *("sts:AWSServiceName", "sts:IdentityTokenAudience", "sts:SigningAlgorithm"),
)


@pytest.mark.facts("STS-CTX-T09", "STS-CTX-T28", "STS-CTX-T29", "STS-CTX-T30", "STS-CTX-004")
def test_keys_of_networks_services_and_other_operations_are_in_no_context(world: World) -> None:
    for name, who in callers(world).items():
        assert not {key.lower() for key in NEVER} & set(seen(world, who).context), name
    alice = world.user("zoe", ADMIN)
    for number, key in enumerate(NEVER):
        role = world.role(f"r{number}", trusting(Condition={"Null": {key: "true"}}))
        world.assume(alice, role, tags=tags(Team="Blue"), source_identity="zoe", duration_seconds=900)


@pytest.mark.facts("STS-CTX-T41")
def test_the_transitive_keys_of_a_session_are_in_each_of_its_requests(world: World) -> None:
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting(), ADMIN)
    session = world.assume(alice, role, tags=tags(Star="1", Moon="2"), transitive_tag_keys=("star",))
    assert seen(world, session).context["sts:transitivetagkeys"] == ("Star",)
    assert "sts:transitivetagkeys" not in seen(world, world.assume(alice, role, tags=tags(Star="1"))).context


# R25: what the server knows comes last

NAMES: Final = (
    *("aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge", "aws:SourceIdentity", "sts:SourceIdentity"),
    *("sts:TransitiveTagKeys", "aws:TagKeys", "aws:PrincipalTag/Team", "aws:RequestTag/Team", "aws:ResourceTag/Team"),
    *("aws:TokenIssueTime", "aws:PrincipalType", "sts:RequestContextProviders", "sts:ExternalId"),
)


@pytest.mark.facts("R25")
@pytest.mark.parametrize("name", NAMES)
def test_nothing_named_like_a_key_of_sessions_becomes_one(world: World, name: str) -> None:
    """Parameters, headers and tags named like a key, against a trust policy that wants the key to be absent."""
    alice = world.user("alice", ADMIN)
    absent: dict[str, Any] = {"StringEquals": {"aws:PrincipalType": "User"}, "Null": {name: "true"}}
    if name == "aws:PrincipalType":
        absent = {"StringEquals": {name: "User"}}
    if name == "aws:TagKeys":
        absent = {"ForAllValues:StringEquals": {name: [name]}}
    role = world.role("r", trusting(Condition=absent))
    command = assuming(role, tags=(sts.Tag(key=name, value="forged"),) if not name.startswith("aws:") else ())
    body = encode_form([*encode_command(command), (name, "forged"), (name.lower(), "forged")])
    request = Request(
        "POST",
        "/",
        "",
        (
            ("host", "127.0.0.1:8380"),
            ("content-type", "application/x-www-form-urlencoded"),
            (name.lower().replace(":", "-").replace("/", "-"), "forged"),
        ),
        body,
        "198.51.100.7",
    )
    signed: Any = sign(request, alice, service="sts", region="us-east-1", now=world.now)
    assert world.read(world.send(signed), command).credentials is not None


@pytest.mark.facts("R25")
def test_a_tag_cannot_stand_in_for_another_key(world: World) -> None:
    """The family's prefix is ours: a tag's key only ever comes after it."""
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting(), ADMIN)
    odd = ("sts:SourceIdentity", "PrincipalTag/Team", "/", ":", "=")
    given = tuple(sts.Tag(key=key, value="forged") for key in odd)
    session = world.assume(alice, role, tags=given, transitive_tag_keys=odd)
    context = seen(world, session).context
    forged = {key for key, value in context.items() if value == "forged"}
    assert forged == {f"aws:principaltag/{key.lower()}" for key in odd}
    assert world.call(session, assuming(role)).source_identity is None
    assert context["aws:tokenissuetime"] == "2026-01-02T03:04:05Z"


@pytest.mark.facts("STS-CTX-T57", "STS-CTX-T53", "STS-CTX-T51", "STS-CTX-T52", "STS-CALL-006")
def test_four_operations_have_no_resource_and_two_of_them_ask_nobody(world: World) -> None:
    alice = world.user("alice", document(Effect="Deny", Action="*", Resource="*"))
    world.call(alice, WHO)
    world.call(alice, sts.GetSessionTokenCommand())
    info = sts.GetAccessKeyInfoCommand(access_key_id=alice.access_key_id)
    message = sts.DecodeAuthorizationMessageCommand(encoded_message="x")
    for command in (info, message):
        name = command.operation.action
        arn = f"arn:aws:iam::{ACCOUNT}:user/alice"
        narrow = world.user(f"n{name[4:]}", document(Effect="Allow", Action=name, Resource=arn))
        world.refusal(narrow, command, errors.AccessDenied)
        wide = world.user(f"w{name[4:]}", document(Effect="Allow", Action=name, Resource="*"))
        if command is info:
            assert world.call(wide, command) is not None
        else:
            world.refusal(wide, command, errors.InvalidAuthorizationMessageException)
        refused = world.refusal(alice, command, errors.AccessDenied)
        assert refused == (
            f"User: {arn} is not authorized to perform: {name} with an explicit deny in an identity-based policy"
        )


@pytest.mark.facts("STS-E-009", "STS-E-010")
def test_of_several_policies_that_deny_one_kind_is_named_and_nothing_more(world: World) -> None:
    """Two statements of the user and its session deny; the text ends with the kind."""
    denying = document(
        *ADMIN["Statement"], *[{"Effect": "Deny", "Action": "sts:GetAccessKeyInfo", "Resource": "*"}] * 2
    )
    alice = world.user("alice", ADMIN)
    role = world.role("r", trusting(), denying)
    session = world.assume(alice, role, policy=json.dumps(denying))
    info = sts.GetAccessKeyInfoCommand(access_key_id=alice.access_key_id)
    assert world.refusal(session, info, errors.AccessDenied) == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/r/s1 is not authorized to perform: sts:GetAccessKeyInfo "
        "with an explicit deny in an identity-based policy"
    )
