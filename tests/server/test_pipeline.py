"""The way of a request: protocol, authentication and callers, seen from outside."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locum import errors
from locum.api import sts
from locum.api.iam import access_keys, roles, users
from locum.api.shapes import Command
from locum.core.session import MAXIMUM_LIFETIME, SessionKind
from locum.http import Request
from locum.secret import Secret
from locum.wire import sigv4_verify
from locum.wire.sigv4 import Credentials, presign, sign

from .callers import ADMIN, WHO, error, role_for, token_session
from .conftest import ACCOUNT, HOST, OTHER, START, World, document
from .operations import perform

FORM = ("content-type", "application/x-www-form-urlencoded")


# The HTTP layer


@pytest.mark.facts("STS-W-019", "STS-SIG-T01")
@pytest.mark.parametrize("path", ["/%zz", "relative", "/..", "/a/../../b", "/%"])
def test_a_bad_target_gets_400_and_no_body(world: World, path: str) -> None:
    response = world.send(world.request(WHO, None, path=path))
    assert (response.status, response.body) == (400, b"")


@pytest.mark.facts("STS-W-018", "STS-SIG-T02")
@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_another_method_is_redirected_without_a_body(world: World, method: str) -> None:
    response = world.send(world.request(WHO, world.root, method=method))
    assert (response.status, response.body) == (302, b"")


@pytest.mark.facts("STS-W-018")
def test_a_browser_is_redirected(world: World) -> None:
    response = world.send(Request("GET", "/", "", (("host", HOST),)))
    assert (response.status, response.body) == (302, b"")


@pytest.mark.facts("STS-W-020", "STS-SIG-T03")
@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "multipart/form-data"])
def test_another_content_type_gets_403_and_html_before_authentication(world: World, content_type: str) -> None:
    request = world.request(WHO, None, headers=(("host", HOST), ("content-type", content_type)))
    response = world.send(request)
    assert response.status == 403
    assert dict(response.headers)["content-type"] == "text/html"
    assert response.body.startswith(b"<html>")


@pytest.mark.facts("STS-SIG-T04")
def test_a_bad_escape_is_reported_before_authentication(world: World) -> None:
    refused = error(world, world.request(WHO, None, body=b"Action=GetCallerIdentity&Version=%zz"))
    assert type(refused) is errors.MalformedQueryString
    assert refused.message == "Illegal hex character in escape % pattern: %zz"


@pytest.mark.facts("STS-W-003")
def test_get_carries_the_parameters_in_the_query(world: World) -> None:
    assert world.read(world.send(world.presigned(WHO, world.root)), WHO).account == ACCOUNT
    query = "Action=GetCallerIdentity&Version=2011-06-15"
    request = sign(
        Request("GET", "/", query, (("host", HOST),)), world.root, service="sts", region="us-east-1", now=world.now
    )
    assert world.read(world.send(request), WHO).account == ACCOUNT


@pytest.mark.facts("STS-W-016", "STS-W-021")
def test_an_unknown_operation_is_refused_before_authentication(world: World) -> None:
    refused = error(world, world.request(WHO, None, body=b"Action=Frobnicate&Version=2011-06-15"))
    assert type(refused) is errors.InvalidAction
    assert refused.message == "Could not find operation Frobnicate for version 2011-06-15"


@pytest.mark.facts("STS-W-017")
def test_a_missing_version_is_named(world: World) -> None:
    refused = error(world, world.request(WHO, None, body=b"Action=GetCallerIdentity"))
    assert refused.message == "Could not find operation GetCallerIdentity for version NO_VERSION_SPECIFIED"


def test_a_declared_operation_without_a_handler_is_refused_and_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from locum.server import handlers

    kind: type[Command[Any]] = sts.AssumeRootCommand
    monkeypatch.delitem(handlers.HANDLERS, kind)
    task = sts.PolicyDescriptorType(arn="arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials")
    command = sts.AssumeRootCommand(target_principal=OTHER, task_policy_arn=task)
    refused = error(world, world.request(command, world.root))
    assert type(refused) is errors.InvalidAction
    assert world.records()[-1]["eventName"] == "AssumeRoot"
    assert world.records()[-1]["errorCode"] == "InvalidAction"


@pytest.mark.facts("R20")
@pytest.mark.parametrize("name", ["Action", "Version"])
def test_a_repeated_routing_parameter_is_refused(world: World, name: str) -> None:
    body = (
        b"Action=GetCallerIdentity&Version=2011-06-15&"
        + {
            "Action": b"Action=AssumeRole",
            "Version": b"Version=2010-05-08",
        }[name]
    )
    assert type(error(world, world.request(WHO, world.root, body=body))) is errors.MalformedInput


@pytest.mark.facts("R20")
def test_the_query_and_the_body_cannot_name_two_operations(world: World) -> None:
    request = world.request(WHO, world.root, query="Action=AssumeRole&Version=2011-06-15")
    assert type(error(world, request)) is errors.MalformedInput


@pytest.mark.facts("R20")
def test_the_scope_must_be_of_the_routed_service(world: World) -> None:
    request = sign(world.request(WHO, None), world.root, service="iam", region="us-east-1", now=world.now)
    refused = error(world, request)
    assert type(refused) is errors.SignatureDoesNotMatch
    assert refused.message == "Credential should be scoped to correct service: 'sts'."


@pytest.mark.facts("STS-W-025")
def test_the_request_id_is_in_header_and_body(world: World) -> None:
    response = world.send(world.request(WHO, world.root))
    request_id = dict(response.headers)["x-amzn-requestid"]
    assert f"<RequestId>{request_id}</RequestId>".encode() in response.body
    assert dict(response.headers)["content-type"] == "text/xml"


@pytest.mark.facts("STS-W-032", "STS-W-033", "STS-W-034", "STS-W-038")
def test_json_is_answered_to_those_who_ask(world: World) -> None:
    json_headers = (("host", HOST), FORM, ("accept", "application/json"))
    answer = json.loads(world.send(world.request(WHO, world.root, headers=json_headers)).body)
    assert answer["GetCallerIdentityResponse"]["GetCallerIdentityResult"]["Account"] == ACCOUNT
    refusal = json.loads(world.send(world.request(WHO, None, headers=json_headers)).body)
    assert refusal["Error"]["Code"] == "MissingAuthenticationToken"
    assert world.send(world.request(WHO, world.root, headers=(("host", HOST), FORM))).body.startswith(b"<")


# Authentication


@pytest.mark.facts("R43", "STS-SIG-T06", "R18")
@pytest.mark.parametrize("command", [WHO, users.ListUsersCommand(), sts.GetSessionTokenCommand()])
def test_every_signed_operation_needs_a_signature(world: World, command: Any) -> None:
    refused = error(world, world.request(command, None))
    assert type(refused) is errors.MissingAuthenticationToken
    assert refused.message == "Request is missing Authentication Token"


@pytest.mark.facts("R43", "STS-SIG-004", "STS-CL-001")
def test_exactly_two_operations_are_declared_unsigned() -> None:
    unsigned = {name for name, command in sts.COMMANDS.items() if not command.operation.signed}
    assert unsigned == {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}


@pytest.mark.facts("R18", "STS-SIG-T05")
def test_credentials_in_header_and_query_are_refused(world: World) -> None:
    presigned = world.presigned(WHO, world.root)
    both = sign(presigned, world.root, service="sts", region="us-east-1", now=world.now)
    refused = error(world, both)
    assert type(refused) is errors.SignatureDoesNotMatch
    assert refused.message == ""


@pytest.mark.facts("STS-SIG-T22", "R10", "R23")
def test_an_unknown_key_is_refused_like_a_known_one_goes(world: World) -> None:
    stranger = Credentials("AKIARTX3GSDSVCVUWRDV", Secret("x" * 40))
    refused = error(world, world.request(WHO, stranger))
    assert type(refused) is errors.InvalidClientTokenId
    assert refused.message == "The security token included in the request is invalid."


@pytest.mark.facts("STS-SIG-T23", "STS-SIG-019", "R10")
def test_a_wrong_secret_is_a_wrong_signature(world: World) -> None:
    refused = error(world, world.request(WHO, Credentials(world.root.access_key_id, Secret("x" * 40))))
    assert type(refused) is errors.SignatureDoesNotMatch
    assert refused.message.startswith("The request signature we calculated does not match")


@pytest.mark.facts("R10", "R23")
def test_unknown_key_and_wrong_secret_do_the_same_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from locum.guard.directory import Directory

    counts: dict[str, int] = {}

    def counted(name: str, real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            counts[name] = counts.get(name, 0) + 1
            return real(*args, **kwargs)

        return call

    strangers = [
        world.request(WHO, Credentials("AKIARTX3GSDSVCVUWRDV", Secret("x" * 40))),
        world.request(WHO, Credentials(world.root.access_key_id, Secret("x" * 40))),
    ]
    for stranger in strangers:
        world.send(stranger)
    monkeypatch.setattr("locum.guard.verify", counted("mac", sigv4_verify.verify))
    monkeypatch.setattr(Directory, "access_key", counted("look-up", Directory.access_key))
    world.send(strangers[0])
    unknown, counts = counts, {}
    world.send(strangers[1])
    assert unknown == counts
    assert set(counts) == {"mac", "look-up"}


@pytest.mark.facts("R10")
def test_guessing_from_one_address_is_bounded(world: World) -> None:
    wrong = world.request(WHO, Credentials(world.root.access_key_id, Secret("x" * 40)))
    for _ in range(60):
        assert type(error(world, wrong)) is errors.SignatureDoesNotMatch
    assert type(error(world, wrong)) is errors.Throttling
    assert world.read(world.send(world.request(WHO, world.root, peer="203.0.113.9")), WHO).account == ACCOUNT
    world.now += 60
    assert world.call(world.root, WHO).account == ACCOUNT


@pytest.mark.facts("STS-SIG-022", "IAM-KEY-008")
def test_an_inactive_key_fails_at_once(world: World) -> None:
    alice = world.user("alice")
    assert world.call(alice, WHO).arn == f"arn:aws:iam::{ACCOUNT}:user/alice"
    world.call(
        world.root,
        access_keys.UpdateAccessKeyCommand(user_name="alice", access_key_id=alice.access_key_id, status="Inactive"),
    )
    refused = error(world, world.request(WHO, alice))
    assert type(refused) is errors.InvalidClientTokenId
    assert refused.message == "The security token included in the request is invalid."


@pytest.mark.facts("R17", "STS-SIG-023")
def test_a_temporary_key_without_its_token_is_refused(world: World) -> None:
    session = world.assume(world.user("alice"), world.role("r", {"AWS": ACCOUNT}) and role_for(world))
    bare = Credentials(session.access_key_id, session.secret_access_key)
    refused = error(world, world.request(WHO, bare))
    assert type(refused) is errors.InvalidClientTokenId
    assert refused.message == "The security token included in the request is invalid."


@pytest.mark.facts("R17", "STS-SIG-T20")
def test_a_long_term_key_with_a_token_is_refused(world: World) -> None:
    alice = world.user("alice")
    session = world.assume(alice, role_for(world))
    mixed = Credentials(alice.access_key_id, alice.secret_access_key, session.session_token)
    refused = error(world, world.request(WHO, mixed))
    assert type(refused) is errors.InvalidClientTokenId
    assert refused.message == "The security token included in the request is invalid"


@pytest.mark.facts("R14", "R17")
def test_a_token_proves_nothing_without_its_own_key_and_secret(world: World) -> None:
    alice = world.user("alice")
    one, other = world.assume(alice, role_for(world), "one"), world.assume(alice, role_for(world, "open2"), "two")
    stolen = Credentials(one.access_key_id, one.secret_access_key, other.session_token)
    assert type(error(world, world.request(WHO, stolen))) is errors.InvalidClientTokenId
    guessed = Credentials(one.access_key_id, Secret("x" * 40), one.session_token)
    assert type(error(world, world.request(WHO, guessed))) is errors.SignatureDoesNotMatch


@pytest.mark.facts("STS-SIG-T20", "R15")
def test_a_damaged_token_is_refused_before_the_signature(world: World) -> None:
    session = world.assume(world.user("alice"), role_for(world))
    assert session.session_token is not None
    token = session.session_token.reveal()
    altered = token[:60] + ("A" if token[60] != "A" else "B") + token[61:]
    damaged = Credentials(session.access_key_id, Secret("x" * 40), Secret(altered))
    refused = error(world, world.request(WHO, damaged))
    assert type(refused) is errors.InvalidClientTokenId
    assert refused.message == "The security token included in the request is invalid"


@pytest.mark.facts("R17", "STS-SIG-T21", "R16", "STS-CALL-011")
def test_a_session_ends_with_its_last_second(world: World) -> None:
    session = world.assume(world.user("alice"), role_for(world), duration_seconds=900)
    world.now = START + 899
    assert world.call(session, WHO).account == ACCOUNT
    world.now = START + 900
    refused = error(world, world.request(WHO, session))
    assert type(refused) is errors.ExpiredToken
    assert refused.message == "The security token included in the request is expired"


@pytest.mark.facts("POL-SS-008")
def test_a_session_dies_with_its_role_and_a_new_role_of_the_name_does_not_revive_it(world: World) -> None:
    alice = world.user("alice")
    session = world.assume(alice, role_for(world, "temporary"))
    world.call(world.root, roles.DeleteRoleCommand(role_name="temporary"))
    assert type(error(world, world.request(WHO, session))) is errors.InvalidClientTokenId
    role_for(world, "temporary")
    assert type(error(world, world.request(WHO, session))) is errors.InvalidClientTokenId


@pytest.mark.facts("STS-SIG-012", "STS-SIG-013")
def test_a_signed_request_may_be_replayed_inside_its_window(world: World) -> None:
    request = world.request(WHO, world.root)
    for later in (0, 1, 899):
        world.now = START + later
        assert world.read(world.send(request), WHO).account == ACCOUNT
    world.now = START + 901
    refused = error(world, request)
    assert refused.message == (
        "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z (20260102T031906Z - 15 min.)"
    )


@pytest.mark.facts("STS-SIG-010")
def test_the_expiry_of_a_presigned_request_is_ignored(world: World) -> None:
    query = "Action=GetCallerIdentity&Version=2011-06-15"
    request = Request("GET", "/", query, (("host", HOST),))
    signed = presign(request, world.root, service="sts", region="us-east-1", now=world.now, expires=1)
    world.now += 800
    assert world.read(world.send(signed), WHO).account == ACCOUNT


@pytest.mark.facts("R22")
@pytest.mark.parametrize(
    "change",
    [
        {"body": b"Action=GetSessionToken&Version=2011-06-15"},
        {"query": "X=1"},
        {"headers": "other host"},
        {"method": "GET", "body": b"", "query": "Action=GetCallerIdentity&Version=2011-06-15"},
    ],
)
def test_a_signature_holds_for_its_own_request_only(world: World, change: dict[str, Any]) -> None:
    request = world.request(WHO, world.root)
    if "headers" in change:
        change = {"headers": tuple((n, "elsewhere:8380" if n == "host" else v) for n, v in request.headers)}
    moved = msgspec.structs.replace(request, **change)
    assert type(error(world, moved)) is errors.SignatureDoesNotMatch


# Callers


@pytest.mark.facts("STS-GCI-T01", "STS-GCI-T02", "STS-GCI-T03", "STS-GCI-001", "STS-GCI-004", "STS-GCI-003")
def test_who_the_caller_is(world: World) -> None:
    alice = world.user("alice", document(Effect="Deny", Action="*", Resource="*"))
    identity = world.call(world.root, WHO)
    assert (identity.arn, identity.user_id, identity.account) == (f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, ACCOUNT)
    user = world.call(world.root, users.GetUserCommand(user_name="alice")).user
    identity = world.call(alice, WHO)
    assert (identity.arn, identity.user_id) == (f"arn:aws:iam::{ACCOUNT}:user/alice", user.user_id)
    other = world.account(OTHER)
    arn = world.role("deploy", {"AWS": "*"}, root=other, path="/ops/")
    bob = world.user("bob", ADMIN)
    identity = world.call(world.assume(bob, arn), WHO)
    assert identity.arn == f"arn:aws:sts::{OTHER}:assumed-role/deploy/s1"
    assert identity.user_id is not None
    assert identity.user_id.startswith("AROA")
    assert identity.user_id.endswith(":s1")
    assert identity.account == OTHER
    body = world.send(world.request(WHO, alice)).body
    assert body.index(b"<Arn>") < body.index(b"<UserId>") < body.index(b"<Account>")


@pytest.mark.facts("STS-GST-004", "STS-CALL-007", "STS-GCI-T02", "STS-CALL-T26", "STS-GST-006")
def test_get_session_token_is_the_user_for_a_while(world: World) -> None:
    alice = world.user("alice")
    answer = world.call(alice, sts.GetSessionTokenCommand())
    assert answer.credentials is not None
    assert answer.credentials.expiration.timestamp() == START + 43_200
    session = Credentials(
        answer.credentials.access_key_id, answer.credentials.secret_access_key, answer.credentials.session_token
    )
    assert world.call(session, WHO) == world.call(alice, WHO)


@pytest.mark.facts("STS-CALL-009", "STS-CALL-T27")
def test_root_gets_an_hour_whatever_it_asks_for(world: World) -> None:
    answer = world.call(world.root, sts.GetSessionTokenCommand(duration_seconds=100_000))
    assert answer.credentials is not None
    assert answer.credentials.expiration.timestamp() == START + 3_600


@pytest.mark.facts("STS-CALL-002", "STS-SIG-021", "STS-GST-005", "POL-EV-072")
def test_get_session_token_credentials_reach_no_iam(world: World) -> None:
    for whose in (world.user("alice", ADMIN), world.root):
        refused = error(world, world.request(users.ListUsersCommand(), token_session(world, whose)))
        assert type(refused) is errors.InvalidClientTokenId
        assert refused.message == "The security token included in the request is invalid"


@pytest.mark.facts("STS-CALL-002", "STS-CALL-T14", "POL-EV-072")
def test_get_session_token_credentials_reach_two_operations_of_sts(world: World) -> None:
    session = token_session(world, world.user("alice", ADMIN))
    assert world.call(session, WHO).account == ACCOUNT
    world.assume(session, role_for(world))
    command = sts.GetAccessKeyInfoCommand(access_key_id=session.access_key_id)
    assert type(error(world, world.request(command, session))) is errors.AccessDenied


@pytest.mark.facts("STS-E-013", "STS-CALL-005", "STS-GST-001", "STS-CALL-T18", "POL-EV-074", "STS-CALL-003")
def test_sessions_get_no_session_token(world: World) -> None:
    alice = world.user("alice", ADMIN)
    for session in (token_session(world, alice), world.assume(alice, role_for(world, policy=ADMIN))):
        refused = error(world, world.request(sts.GetSessionTokenCommand(), session))
        assert type(refused) is errors.AccessDenied
        assert refused.message == "Cannot call GetSessionToken with session credentials"


@pytest.mark.facts("STS-AR-002", "STS-E-012", "STS-AR-T20", "POL-EV-053", "STS-CALL-T09")
def test_root_assumes_no_roles(world: World) -> None:
    arn = role_for(world)
    for root in (world.root, token_session(world, world.root)):
        command = sts.AssumeRoleCommand(role_arn=arn, role_session_name="s1")
        refused = error(world, world.request(command, root))
        assert type(refused) is errors.AccessDenied
        assert refused.message == "Roles may not be assumed by root accounts."


@pytest.mark.facts("STS-CALL-006", "STS-GST-002", "R31", "POL-EV-070", "POL-EV-071")
def test_two_operations_cannot_be_denied_and_others_can(world: World) -> None:
    everything = {"Action": "*", "Resource": "*"}
    alice = world.user("alice", document({"Effect": "Allow", **everything}, {"Effect": "Deny", **everything}))
    assert world.call(alice, WHO).account == ACCOUNT
    assert world.call(alice, sts.GetSessionTokenCommand()).credentials is not None
    refused = error(world, world.request(users.ListUsersCommand(), alice))
    assert refused.message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform: iam:ListUsers "
        f"on resource: arn:aws:iam::{ACCOUNT}:user/ with an explicit deny in an identity-based policy"
    )


@pytest.mark.facts("STS-AKI-001", "STS-AKI-002", "STS-AKI-004", "STS-E-005", "STS-CALL-T14")
def test_get_access_key_info(world: World) -> None:
    allowed = world.user("alice", document(Effect="Allow", Action="sts:GetAccessKeyInfo", Resource="*"))
    command = sts.GetAccessKeyInfoCommand(access_key_id="ASIAQNZGKIQY56JQ7WML")
    assert world.call(allowed, command).account == "029608264753"
    altered = sts.GetAccessKeyInfoCommand(access_key_id="ASIAQNZGKIQY56JQ7AAA")
    assert world.call(allowed, altered).account == "029608264753"
    bob = world.user("bob")
    refused = error(world, world.request(command, bob))
    assert type(refused) is errors.AccessDenied
    assert refused.message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/bob is not authorized to perform: sts:GetAccessKeyInfo "
        "because no identity-based policy allows the sts:GetAccessKeyInfo action"
    )


@pytest.mark.facts("STS-AKI-003", "STS-AKI-007")
def test_an_id_that_encodes_no_account_is_an_error_and_a_deleted_key_is_not(world: World) -> None:
    command = sts.GetAccessKeyInfoCommand(access_key_id="AKIAIOSFODNN7EXAMPLE")
    assert type(error(world, world.request(command, world.root))) is errors.ValidationError
    alice = world.user("alice")
    world.call(world.root, access_keys.DeleteAccessKeyCommand(user_name="alice", access_key_id=alice.access_key_id))
    info = sts.GetAccessKeyInfoCommand(access_key_id=alice.access_key_id)
    assert world.call(world.root, info).account == ACCOUNT


@pytest.mark.facts("STS-V-014")
def test_authentication_comes_before_constraints(world: World) -> None:
    bad = sts.AssumeRoleCommand(role_arn="x", role_session_name="!")
    assert type(error(world, world.request(bad, None))) is errors.MissingAuthenticationToken
    assert type(error(world, world.request(bad, world.user("alice")))) is errors.ValidationError


@pytest.mark.facts("STS-V-013", "STS-V-012")
def test_constraints_come_before_meaning_and_authorization(world: World) -> None:
    nobody = world.user("alice")
    bad = sts.AssumeRoleCommand(role_arn="nothing-valid-in-here", role_session_name="Session1:2")
    refused = error(world, world.request(bad, nobody))
    assert refused.message == (
        "1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [\\w+=,.@-]*"
    )
    tag = users.CreateUserCommand(user_name="bob!")
    assert type(error(world, world.request(tag, nobody))) is errors.ValidationError


@pytest.mark.facts("R12")
def test_ownership_comes_from_the_caller(world: World) -> None:
    other = world.account(OTHER)
    world.user("alice")
    refused = error(world, world.request(users.GetUserCommand(user_name="alice"), other))
    assert type(refused) is errors.NoSuchEntityException
    assert world.call(other, users.ListUsersCommand()).users == ()


@pytest.mark.facts("R40", "R43")
def test_nothing_is_answered_without_a_decision(world: World) -> None:
    """Every operation of IAM is refused to a user without policies."""
    from locum.api.iam import COMMANDS

    nobody = world.user("nobody")
    for name in COMMANDS:
        with pytest.raises(errors.AccessDenied):
            world.check(perform(world, ("iam", name), nobody))


# Whatever arrives


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=300)
@given(
    st.binary(max_size=300),
    st.text(alphabet=st.characters(max_codepoint=255), max_size=200),
    st.lists(
        st.tuples(
            st.sampled_from(["host", "authorization", "x-amz-date", "content-type", "accept", "x-amz-target", "date"]),
            st.text(alphabet=st.characters(max_codepoint=255), max_size=60),
        ),
        max_size=8,
    ),
    st.sampled_from(["GET", "POST"]),
)
def test_arbitrary_requests_never_cause_a_5xx(
    world: World, body: bytes, query: str, headers: list[tuple[str, str]], method: str
) -> None:
    for prefix in (b"", b"Action=AssumeRole&Version=2011-06-15&"):
        response = world.send(Request(method, "/", query, tuple(headers), prefix + body))
        assert response.status < 500


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=100)
@given(st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=6), st.sampled_from(["sts", "iam"]))
def test_arbitrary_signed_parameters_never_cause_a_5xx(world: World, given: dict[str, str], service: str) -> None:
    from urllib.parse import urlencode

    action = {"sts": "AssumeRole", "iam": "CreateRole"}[service]
    version = {"sts": "2011-06-15", "iam": "2010-05-08"}[service]
    usual = {"RoleArn": "arn:aws:iam::111122223333:role/x", "RoleSessionName": "session", "RoleName": "x"}
    body = urlencode({**usual, **given, "Action": action, "Version": version}, errors="replace")
    request = Request("POST", "/", "", (("host", HOST), FORM), body.encode())
    response = world.send(sign(request, world.root, service=service, region="us-east-1", now=world.now))
    assert response.status < 500


def test_lifetimes_are_those_of_the_reference() -> None:
    assert MAXIMUM_LIFETIME == {
        SessionKind.USER: 129_600,
        SessionKind.ROOT: 3_600,
        SessionKind.ROLE: 43_200,
        SessionKind.FEDERATED: 129_600,
        SessionKind.ROOT_TASK: 900,
    }
