"""Security requirements seen from outside: each holds for every operation, not for the one that somebody thought of."""

from __future__ import annotations

import ast
import json
import re
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum import errors
from locum.api import sts
from locum.api.iam import users
from locum.core.records import Role
from locum.core.session import Session, SessionKind
from locum.guard.context import request_context
from locum.http import Request
from locum.policy import KEY_FAMILIES, KEYS
from locum.secret import Secret
from locum.server.config import SETTINGS, ConfigError, Settings, load_settings
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, HOST, OTHER, START, World, document
from .inspection import WHO, claims_of, everything_of, few, managed, modules, seal
from .operations import ADMIN, ALL, OPERATIONS, UNDENIABLE, VERSIONS, ask, kind, perform, refusal

# R12: ownership


@pytest.mark.facts("R12")
def test_no_operation_reaches_into_another_account(world: World) -> None:
    alice = world.user("thing", ADMIN)
    world.role("thing", {"AWS": ACCOUNT}, ADMIN)
    arn = managed(world, "thing", ADMIN)
    world.call(world.root, users.AttachUserPolicyCommand(user_name="thing", policy_arn=arn))
    before = everything_of(world, ACCOUNT)
    assert len(before) == 4
    strangers = [world.account(OTHER)]
    strangers.append(world.user("stranger", ADMIN, root=strangers[0]))
    for operation in OPERATIONS:
        for stranger in strangers:
            claims = {"AccountId": ACCOUNT, "Account": ACCOUNT, "OwnerId": ACCOUNT, "aws:PrincipalAccount": ACCOUNT}
            answer = perform(world, operation, stranger, AccessKeyId=alice.access_key_id, **claims)
            if answer.status == 200 and operation[1] != "GetAccessKeyInfo":
                assert ACCOUNT.encode() not in answer.body.replace(b"%22AWS%22%3A%22" + ACCOUNT.encode(), b""), (
                    operation
                )
    assert everything_of(world, ACCOUNT) == before


# R16: what a sealed session must hold, at use


@pytest.mark.facts("R16")
@pytest.mark.parametrize(
    ("change", "accepted"),
    [
        ({}, True),
        ({"expires": int(START) + 43_200}, True),
        ({"expires": int(START) + 43_201}, False),
        ({"issued": int(START) - 10, "expires": int(START) + 43_191}, False),
        ({"expires": int(START)}, False),
        ({"expires": 2**62}, False),
        ({"expires": None}, False),
        ({"issued": None}, False),
        ({"issued": -1}, False),
        ({"kind": SessionKind.USER}, False),
        ({"kind": SessionKind.ROOT}, False),
        ({"kind": 9}, False),
        ({"kind": None}, False),
        ({"account": OTHER}, False),
        ({"account": ""}, False),
        ({"principal_id": "AROAAAAAAAAAAAAAAAAAA"}, False),
        ({"principal_id": ""}, False),
        ({"name": ""}, False),
        ({"access_key_id": ""}, False),
        ({"secret": ""}, False),
        ({"policy_arns": None}, False),
    ],
    ids=lambda value: "-".join(f"{name}={text}" for name, text in value.items()) if isinstance(value, dict) else None,
)
def test_a_sealed_session_without_all_it_must_hold_is_no_session(
    world: World, change: dict[str, Any], accepted: bool
) -> None:
    world.role("thing", {"AWS": ACCOUNT})
    with world.store.snapshot() as snapshot:
        role = Records(snapshot).get(Role, ACCOUNT, "thing")
    assert role is not None
    key_id, secret, now = "ASIAQNZGKIQY56JQ7WML", Secret("s" * 40), int(START)
    whole = Session(SessionKind.ROLE, key_id, secret, ACCOUNT, role.record.id, "s1", now, now + 900)
    values = dict(zip(whole.__struct_fields__, claims_of(whole), strict=True)) | change
    token = seal(world, list(values.values()))
    answer = world.send(world.request(WHO, Credentials(key_id, secret, token)))
    if accepted:
        assert world.read(answer, WHO).arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/thing/s1"
    else:
        assert kind(answer) in (errors.InvalidClientTokenId, errors.ExpiredToken)
    for length in range(8):
        short = Credentials(key_id, secret, seal(world, list(values.values())[:length]))
        assert kind(world.send(world.request(WHO, short))) is errors.InvalidClientTokenId


# R19: every x-amz header is signed


@pytest.mark.facts("R19")
@pytest.mark.parametrize("name", ["x-amz-meta-note", "x-amz-content-sha256", "x-amz-security-token", "x-amz-"])
def test_an_amz_header_that_is_not_signed_is_refused(world: World, name: str) -> None:
    for request in (world.request(WHO, world.root), world.presigned(WHO, world.root)):
        assert world.send(request).status == 200
        more = msgspec.structs.replace(request, headers=(*request.headers, (name, "x")))
        refused = refusal(world.send(more))
        assert type(refused) is errors.SignatureDoesNotMatch
        assert f"'{name}'" in refused.message.lower()
    harmless = world.request(WHO, world.root)
    harmless = msgspec.structs.replace(harmless, headers=(*harmless.headers, ("x-amzn-trace-id", "x")))
    assert world.send(harmless).status == 200


# R25: the server's own context keys

NAMES: Final = sorted([key.name for key in KEYS.values()] + [f"{key.name}team" for key in KEY_FAMILIES.values()])
FALSE: Final = "evil"


def junk_headers(value: str) -> tuple[tuple[str, str], ...]:
    names = [name.lower() for name in NAMES]
    return tuple((name, value) for name in [*names, *(f"x-{name.replace(':', '-')}" for name in names)])


def junk_parameters(value: str) -> dict[str, str]:
    given = dict.fromkeys(NAMES, value)
    given |= {name.lower(): value for name in NAMES}
    for index, name in enumerate(NAMES, 1):
        given |= {f"Context.{name}": value, f"ContextEntries.member.{index}.ContextKeyName": name}
        given |= {f"ContextEntries.member.{index}.ContextKeyValues.member.1": value, f"Context[{name}]": value}
    return given


@pytest.mark.facts("R25")
def test_nothing_named_like_a_context_key_becomes_one(world: World) -> None:
    """For each key: a policy that wants a value of the client's choice, and a request that says it everywhere."""
    alice = world.user("alice")
    arn = world.role("thing", {"AWS": ACCOUNT})
    junk = {
        "GetAccessKeyInfo": {"AccessKeyId": "AKIAQNZGKIQY56JQ7WML"},
        "AssumeRole": {"RoleArn": arn, "RoleSessionName": "s1"},
    }
    for name in NAMES:
        wanted = {"ForAnyValue:StringEquals": {name: FALSE}}
        policy = json.dumps(document(Effect="Allow", **ALL, Condition=wanted))
        world.call(world.root, users.PutUserPolicyCommand(user_name="alice", policy_name="p", policy_document=policy))
        for action, form in junk.items():
            body = {"Action": action, "Version": VERSIONS["sts"], **junk_parameters(FALSE), **form}
            assert kind(ask(world, "sts", body, alice, junk_headers(FALSE))) is errors.AccessDenied, name


@pytest.mark.facts("R25")
def test_nothing_named_like_a_context_key_replaces_one(world: World) -> None:
    """For each key that a request has: a policy that wants its true value goes on to see it."""
    wanted = {
        "StringEquals": {
            "aws:username": "alice",
            "aws:PrincipalType": "User",
            "aws:PrincipalAccount": ACCOUNT,
            "aws:RequestedRegion": "us-east-1",
            "aws:ResourceAccount": ACCOUNT,
            "aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/alice",
        },
        "IpAddress": {"aws:SourceIp": "198.51.100.7"},
        "Bool": {"aws:SecureTransport": "false", "aws:ViaAWSService": "false"},
        "DateEquals": {"aws:CurrentTime": "2026-01-02T03:04:05Z"},
        "NumericEquals": {"aws:EpochTime": str(int(START))},
        "Null": {"aws:TokenIssueTime": "true", "aws:MultiFactorAuthPresent": "true", "sts:ExternalId": "true"},
    }
    alice = world.user("alice", document(Effect="Allow", **ALL, Condition=wanted))
    body = {"Action": "GetAccessKeyInfo", "Version": VERSIONS["sts"], "AccessKeyId": "AKIAQNZGKIQY56JQ7WML"}
    assert ask(world, "sts", body, alice).status == 200
    assert ask(world, "sts", body | junk_parameters(FALSE), alice, junk_headers(FALSE)).status == 200


@pytest.mark.facts("R25")
@few
@given(
    st.lists(st.tuples(st.sampled_from(NAMES).map(str.lower), st.text(max_size=20)), max_size=20),
    st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=20)), max_size=20),
)
def test_the_context_is_the_same_whatever_junk_comes_along(
    world: World, headers: list[tuple[str, str]], query: list[tuple[str, str]]
) -> None:
    plain = Request("POST", "/", "", (("host", HOST), ("user-agent", "x")), b"", "198.51.100.7")
    junk = Request("POST", "/", urlencode(query), (*plain.headers, *headers), urlencode(query).encode(), plain.peer)
    caller = _caller(world)
    tags = {"team": "blue"}
    assert request_context(caller, junk, "us-east-1", START, tags) == request_context(
        caller, plain, "us-east-1", START, tags
    )


def _caller(world: World) -> Any:
    """The verified root of a request."""
    seen: list[Any] = []
    authenticate = world.pipeline.guard.authenticate

    def spy(*args: Any, **kwargs: Any) -> Any:
        found = authenticate(*args, **kwargs)
        seen.append(found[0])
        return found

    world.pipeline.guard.authenticate = spy  # type: ignore[method-assign]
    try:
        world.call(world.root, WHO)
    finally:
        del world.pipeline.guard.authenticate
    return seen[-1]


# R39: no secret that somebody else knows

EXAMPLES: Final = [
    ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("AKIAI44QH8DHBEXAMPLE", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"),
    ("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("minioadmin", "minioadmin"),
    ("test", "test"),
    ("admin", "admin"),
    ("root", "root"),
    ("anonymous", ""),
    (ACCOUNT, "test"),
    ("", ""),
]


@pytest.mark.facts("R39", "R40")
@pytest.mark.parametrize(("key_id", "secret"), EXAMPLES)
def test_credentials_that_everybody_knows_are_nobodys(world: World, key_id: str, secret: str) -> None:
    for operation in OPERATIONS:
        answer = perform(world, operation, Credentials(key_id, Secret(secret)))
        assert kind(answer) in (errors.InvalidClientTokenId, errors.Throttling), operation
    if not key_id:  # as good as not set
        return
    with pytest.raises(ConfigError):
        load_settings({}, {"LOCUM_ROOT_ACCESS_KEY_ID": key_id, "LOCUM_ROOT_SECRET_ACCESS_KEY": secret}, serving=True)


@pytest.mark.facts("R39")
def test_no_setting_has_a_secret_as_its_default() -> None:
    plain = Settings()
    for name, setting in SETTINGS.items():
        if setting.secret or "key" in name or "secret" in name:
            assert getattr(plain, name) is None, name


LITERAL: Final = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{16}|[A-Za-z0-9/+]{40}|[0-9a-f]{64}|-----BEGIN [A-Z ]*PRIVATE KEY")


@pytest.mark.facts("R39")
def test_no_literal_in_the_source_is_a_key() -> None:
    found = [
        (name, node.value)
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str | bytes)
        and (text := node.value if isinstance(node.value, str) else node.value.decode("latin-1"))
        and not text.startswith(("http://", "https://"))
        and (match := LITERAL.search(text))
        and re.search(r"[0-9]", match[0])
        and re.search(r"[A-Z]|[a-f]", match[0])
    ]
    assert found == []


@pytest.mark.facts("R39")
@pytest.mark.parametrize("text", ['x = "AKIAIRANDOMLOOKINGID"', 'x = "q8Zr2LxW0vJt5NfKc7YbHgUe3DmPaSi1oT9+EkQj"'])
def test_the_search_for_keys_sees_one(text: str) -> None:
    assert LITERAL.search(text)


# R40: nobody passes without being somebody


@pytest.mark.facts("R40", "R43")
def test_every_operation_wants_a_signature_and_a_right_one(world: World) -> None:
    wrong = Credentials(world.root.access_key_id, Secret("x" * 40))
    for operation in OPERATIONS:
        assert kind(perform(world, operation, None)) is errors.MissingAuthenticationToken, operation
        world.now += 60  # the next window of the bound on guessing
        assert kind(perform(world, operation, wrong)) is errors.SignatureDoesNotMatch, operation


@pytest.mark.facts("R40")
def test_a_user_without_policies_may_do_what_nobody_can_be_denied(world: World) -> None:
    nobody = world.user("nobody")
    world.role("thing", {"AWS": ACCOUNT})
    found = {action for service, action in OPERATIONS if perform(world, (service, action), nobody).status == 200}
    assert found == UNDENIABLE


@pytest.mark.facts("R40")
def test_no_setting_turns_the_checks_off() -> None:
    loose = re.compile(
        r"allow.?all|insecure|no.?auth|anonym|permissive|bypass|skip|disable|unsafe|dev|debug|open|trust"
    )
    assert [name for name in SETTINGS if loose.search(name)] == ["trusted_proxy"]
    switches = {name for name, setting in SETTINGS.items() if setting.flag}
    assert switches == {"ephemeral", "tls_terminated"}


# R42: what cannot be enforced is refused, by name; context assertions are in test_sessions_identity.py

UNABLE: Final = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  "
    "Please verify your MFA serial number is valid and associated with this user."
)
HALF: Final = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."


@pytest.mark.facts("R42")
@pytest.mark.parametrize("serial", [f"arn:aws:iam::{ACCOUNT}:mfa/alice", "GAHT12345678"])
@pytest.mark.parametrize(
    ("which", "text"),
    [
        pytest.param(("serial_number", "token_code"), UNABLE, marks=pytest.mark.facts("STS-MFA-008")),
        pytest.param(("serial_number",), HALF, marks=pytest.mark.facts("STS-MFA-010")),
        pytest.param(("token_code",), HALF, marks=pytest.mark.facts("STS-MFA-010")),
    ],
)
def test_a_one_time_code_of_no_device_fails_the_call(
    world: World, serial: str, which: tuple[str, ...], text: str
) -> None:
    alice = world.user("alice", ADMIN)
    arn = world.role("r", {"AWS": ACCOUNT})
    given: dict[str, Any] = {"serial_number": serial, "token_code": Secret("123456")}
    given = {name: given[name] for name in which}
    for command in (
        sts.AssumeRoleCommand(role_arn=arn, role_session_name="s1", **given),
        sts.GetSessionTokenCommand(**given),
    ):
        assert world.refusal(alice, command, errors.AccessDenied) == text


@pytest.mark.facts("STS-AR-040")
def test_a_bad_code_fails_before_any_policy_is_asked(world: World) -> None:
    nobody = world.user("nobody")
    command = sts.AssumeRoleCommand(
        role_arn=world.role("r", {"AWS": OTHER}),
        role_session_name="s1",
        serial_number="GAHT12345678",
        token_code=Secret("918273"),
    )
    assert world.refusal(nobody, command, errors.AccessDenied) == UNABLE
    assert "918273" not in world.audit_file.read_text()
