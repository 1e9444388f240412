"""What answers, logs and records show, and what they cannot be made to show."""

from __future__ import annotations

import json
import logging
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlencode

import botocore.loaders
import botocore.parsers
import msgspec
import pytest
from botocore.model import ServiceModel
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from locum import errors
from locum.api import sts
from locum.api.iam import access_keys, policies, roles, types, users
from locum.api.shapes import Command
from locum.core.records import RingKey
from locum.http import Headers, Request, Response
from locum.server.logs import configure
from locum.store.records import Records
from locum.wire.answer import decode_response
from locum.wire.sigv4 import Credentials, presign, sign

from .conftest import ACCOUNT, HOST, World, document
from .edge import Edge
from .operations import (
    ADMIN,
    FORM,
    VERSIONS,
    ask,
    kind,
)

WHO: Final = sts.GetCallerIdentityCommand()

# hypothesis may use one world for all its examples: what they change, they change back or set anew
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
few = settings(shared, max_examples=30)


# R21: the identity proof

SPECIAL: Final = "<>&\"'\\/ \t\r\n\0\x7f\x85é\u2028;:%$#{}[]()!*"
ENVELOPE: Final = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    f"<Arn>arn:aws:iam::{ACCOUNT}:root</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


@pytest.mark.facts("R21")
@pytest.mark.parametrize("character", SPECIAL, ids=repr)
def test_no_name_in_an_identity_holds_a_special_character(world: World, character: str) -> None:
    name = f"a{character}b"
    root, user = world.root, world.user("alice", ADMIN)
    arn = world.role("thing", {"AWS": ACCOUNT})
    trust = json.dumps(document(Effect="Allow", Principal={"AWS": ACCOUNT}, Action="sts:AssumeRole"))
    commands: list[tuple[Credentials, Command[Any]]] = [
        (root, users.CreateUserCommand(user_name=name)),
        (root, users.UpdateUserCommand(user_name="alice", new_user_name=name)),
        (root, roles.CreateRoleCommand(role_name=name, assume_role_policy_document=trust)),
        (user, sts.AssumeRoleCommand(role_arn=arn, role_session_name=name)),
    ]
    for who, command in commands:
        assert kind(world.send(world.request(command, who))) is errors.ValidationError


@few
@given(
    st.dictionaries(
        st.sampled_from(["Accept", "Arn", "Account", "UserId", "Format", "ContentType", "callback", "X", ENVELOPE]),
        st.sampled_from(["application/json", ENVELOPE, "text/html", "x"]),
    ),
    st.sampled_from(["*/*", "application/json", "application/json;q=1,text/xml", "text/html", "application/xml"]),
    st.sampled_from([None, ENVELOPE, "https://evil.example"]),
    st.sampled_from(["POST", "GET", "presigned"]),
)
def check_the_proof(world: World, given: dict[str, str], accept: str, junk: str | None, way: str) -> None:
    body = urlencode({"Action": "GetCallerIdentity", "Version": VERSIONS["sts"], **given})
    headers: Headers = (("host", HOST), FORM, ("accept", accept))
    if junk is not None:
        headers = (*headers, ("referer", junk), ("origin", junk), ("user-agent", junk), ("x-forwarded-host", junk))
    request = Request("POST", "/", "", headers, body.encode())
    if way != "POST":
        request = Request("GET", "/", body, headers)
    signer = presign if way == "presigned" else sign
    response = world.send(signer(request, world.root, service="sts", region="us-east-1", now=world.now))
    names = dict(response.headers)
    assert response.status == 200
    assert "location" not in names
    identity = decode_response(response.body, sts.GetCallerIdentityCommand, names["content-type"])
    assert (identity.arn, identity.account) == (f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    assert response.body.count(b"GetCallerIdentityResponse") == (
        1 if names["content-type"] == "application/json" else 2
    )
    assert b"evil" not in response.body


@pytest.mark.facts("R21")
def test_the_answer_to_a_proof_says_who_signed_it_and_nothing_of_the_request(world: World) -> None:
    check_the_proof(world)


@pytest.mark.facts("R21")
@pytest.mark.parametrize("accept", ["application/json", "text/xml"])
def test_no_other_answer_can_be_taken_for_a_proof(world: World, accept: str) -> None:
    """Some readers find the first thing that looks like XML, wherever it stands."""
    world.call(
        world.root,
        policies.CreatePolicyCommand(policy_name="p", policy_document=json.dumps(ADMIN), description=ENVELOPE),
    )
    arn = f"arn:aws:iam::{ACCOUNT}:policy/p"
    headers = (("accept", accept),)
    asked = [
        ("sts", {"Action": ENVELOPE, "Version": VERSIONS["sts"]}),
        ("sts", {"Action": "GetCallerIdentity", "Version": ENVELOPE}),
        ("sts", {"Action": "AssumeRole", "RoleArn": ENVELOPE, "RoleSessionName": ENVELOPE}),
        ("sts", {"Action": "AssumeRole", "RoleArn": ENVELOPE, "RoleSessionName": "s1"}),
        ("sts", {"Action": "GetAccessKeyInfo", "AccessKeyId": ENVELOPE}),
        ("iam", {"Action": "GetUser", "UserName": ENVELOPE}),
        ("iam", {"Action": "GetPolicy", "PolicyArn": arn}),
    ]
    echoes = 0
    for service, form in asked:
        response = ask(world, service, {"Version": VERSIONS[service], **form}, world.root, headers)
        assert b"<GetCallerIdentity" not in response.body
        assert (b"<" in response.body) == (accept == "text/xml")
        shown = response.body.decode() if accept == "text/xml" else json.dumps(json.loads(response.body))
        echoes += "GetCallerIdentityResponse" in shown
    assert echoes >= 5


@pytest.mark.facts("R21")
def test_a_signed_request_is_redirected_to_one_place_or_nowhere(world: World) -> None:
    for query in ("", "Version=2011-06-15", f"RedirectUrl=https://evil.example&x={urlencode({'y': ENVELOPE})}"):
        request = Request("GET", "/", query, (("host", HOST), ("referer", "https://evil.example")))
        response = world.send(sign(request, world.root, service="sts", region="us-east-1", now=world.now))
        assert (response.status, response.body) == (302, b"")
        assert response.headers == (("location", "https://aws.amazon.com/iam"),)


# R37: whatever is echoed is read as it was sent

NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
HOSTILE: Final = st.text(
    st.one_of(
        st.sampled_from("<>&\"'\0\x01\x08\x0b\x1f\x7f\x85\u2028\ufffe\uffff\r\n\t]"),
        st.characters(exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=40,
)
XML: Final = {"s": "https://sts.amazonaws.com/doc/2011-06-15/", "i": "https://iam.amazonaws.com/doc/2010-05-08/"}


def model(service: str) -> ServiceModel:
    return ServiceModel(botocore.loaders.Loader().load_service_model(service, "service-2"), service)


IAM_MODEL: Final = model("iam")


def seen_by_botocore(response: Response, operation: str) -> Any:
    shape = IAM_MODEL.operation_model(operation).output_shape
    given = {"body": response.body, "headers": dict(response.headers), "status_code": response.status}
    return botocore.parsers.QueryParser().parse(given, shape)


def both(world: World, service: str, form: Mapping[str, str]) -> tuple[Response, ET.Element, Any]:
    """The answer in XML, that answer read by expat, and the same answer in JSON."""
    xml = ask(world, service, form, world.root)
    other = ask(world, service, form, world.root, (("accept", "application/json"),))
    assert xml.status == other.status
    return xml, ET.fromstring(xml.body), json.loads(other.body)


STS: Final = {"Version": "2011-06-15"}
IAM: Final = {"Version": "2010-05-08"}
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/thing"
ECHOES: Final[dict[str, tuple[str, Callable[[str], dict[str, str]]]]] = {
    "Action": ("sts", lambda text: STS | {"Action": text}),
    "Version": ("sts", lambda text: {"Action": "GetCallerIdentity", "Version": text}),
    "RoleArn": (
        "sts",
        lambda text: STS | {"Action": "AssumeRole", "RoleSessionName": "s1", "RoleArn": f"arn:aws:iam:x{text}"},
    ),
    "RoleSessionName": (
        "sts",
        lambda text: STS | {"Action": "AssumeRole", "RoleArn": ROLE, "RoleSessionName": f"!{text}"},
    ),
    "UserName": ("iam", lambda text: IAM | {"Action": "GetUser", "UserName": f"!{text}"}),
    "PathPrefix": ("iam", lambda text: IAM | {"Action": "ListUsers", "PathPrefix": f"x{text}"}),
    "list index": ("iam", lambda text: IAM | {"Action": "CreateUser", "UserName": "x", f"Tags.member.1.2{text}": "x"}),
}
NAMES_ONLY: Final = {"UserName", "PathPrefix", "list index"}
"""Fields of which the message tells the name at most."""


@pytest.mark.facts("R37")
@pytest.mark.parametrize("field", ECHOES)
def test_an_error_echoes_what_was_sent(world: World, field: str) -> None:
    @few
    @given(HOSTILE)
    def check(text: str) -> None:
        service, form = ECHOES[field]
        xml, tree, other = both(world, service, form(text))
        message = other["Error"]["Message"]
        namespaces = {"n": tree.tag.partition("}")[0].strip("{")}
        read = tree.findtext("n:Error/n:Message", "", namespaces)
        assert read == NOT_XML.sub("\ufffd", message)
        assert {child.tag.rpartition("}")[2] for child in tree.iter()} == {
            *("ErrorResponse", "Error", "Type", "Code", "Message", "RequestId"),
        }
        assert seen_by_botocore(xml, "GetUser")["Error"]["Message"] == read
        assert field in NAMES_ONLY or text in message

    check()


@pytest.mark.facts("R37")
@few
@given(st.text(st.characters(max_codepoint=255), min_size=1, max_size=30))
def test_an_error_echoes_what_a_header_held(world: World, text: str) -> None:
    request = Request(
        "POST", "/", "", (("host", HOST), FORM, ("authorization", text)), b"Action=ListUsers&Version=2010-05-08"
    )
    for accept in ("*/*", "application/json"):
        response = world.send(msgspec.structs.replace(request, headers=(*request.headers, ("accept", accept))))
        assert 400 <= response.status < 500
        if accept == "*/*":
            message = ET.fromstring(response.body).findtext("i:Error/i:Message", "", XML)
        else:
            told = json.loads(response.body)["Error"]["Message"]
            assert NOT_XML.sub("\ufffd", told) == message
            assert text.partition(" ")[0] in told
    target = world.send(Request("POST", "/", "", (("host", HOST), FORM, ("x-amz-target", text))))
    assert NOT_XML.sub("\ufffd", text) in ET.fromstring(target.body).findtext("s:Error/s:Message", "", XML)


LATIN: Final = st.text(
    st.one_of(
        st.sampled_from("<>&\"'\r\n\t]"),
        st.characters(min_codepoint=32, max_codepoint=126),
        st.characters(min_codepoint=0xA1, max_codepoint=0xFF),
    ),
    min_size=1,
    max_size=40,
)
LETTERS: Final = st.text(
    st.one_of(st.sampled_from("_.:/=+-@ \u2028\u3000"), st.characters(categories=["L", "N", "Zs", "Zl", "Zp"])),
    min_size=1,
    max_size=40,
)


@pytest.mark.facts("R37")
@few
@given(LATIN, LETTERS, LETTERS, HOSTILE)
def test_an_answer_holds_what_was_stored(world: World, description: str, key: str, value: str, policy: str) -> None:
    assume(not key.lower().startswith("aws:"))
    trust = document(Effect="Allow", Principal={"AWS": ACCOUNT}, Action="sts:AssumeRole")
    trust["Statement"][0]["Condition"] = {"StringEquals": {"aws:username": f"{description}x"}}
    made = roles.CreateRoleCommand(
        role_name="echo",
        assume_role_policy_document=json.dumps(trust, ensure_ascii=False),
        description=description,
        tags=(types.Tag(key=key, value=value),),
    )
    world.call(world.root, made)
    arn = world.call(
        world.root,
        policies.CreatePolicyCommand(policy_name="echo", policy_document=json.dumps(ADMIN), description=policy),
    ).policy
    assert arn is not None
    try:
        xml, tree, other = both(world, "iam", {"Action": "GetRole", "Version": "2010-05-08", "RoleName": "echo"})
        seen = seen_by_botocore(xml, "GetRole")["Role"]
        told = other["GetRoleResponse"]["GetRoleResult"]["Role"]
        role = tree.find("i:GetRoleResult/i:Role", XML)
        assert role is not None
        assert role.findtext("i:Description", "", XML) == description == seen["Description"] == told["Description"]
        assert role.findtext("i:Tags/i:member/i:Key", "", XML) == key == seen["Tags"][0]["Key"]
        assert role.findtext("i:Tags/i:member/i:Value", "", XML) == value == seen["Tags"][0]["Value"]
        assert told["Tags"] == [{"Key": key, "Value": value}]
        shown = unquote(role.findtext("i:AssumeRolePolicyDocument", "", XML))
        assert shown == unquote(seen["AssumeRolePolicyDocument"]) == unquote(told["AssumeRolePolicyDocument"])
        assert json.loads(shown)["Statement"][0]["Condition"] == trust["Statement"][0]["Condition"]
        xml, tree, other = both(
            world, "iam", {"Action": "GetPolicy", "Version": "2010-05-08", "PolicyArn": arn.arn or ""}
        )
        read = tree.findtext("i:GetPolicyResult/i:Policy/i:Description", "", XML)
        assert read == NOT_XML.sub("\ufffd", policy)
        assert seen_by_botocore(xml, "GetPolicy")["Policy"]["Description"] == read
        assert other["GetPolicyResponse"]["GetPolicyResult"]["Policy"]["Description"] == policy
    finally:
        world.call(world.root, roles.DeleteRoleCommand(role_name="echo"))
        world.call(world.root, policies.DeletePolicyCommand(policy_arn=arn.arn or ""))


# R38: secrets stay out of logs, metrics and the audit file


@pytest.mark.facts("R38")
def test_no_secret_of_a_run_is_in_logs_metrics_or_audit(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    level, handlers = logging.getLogger().level, logging.getLogger().handlers[:]
    edge = Edge(tmp_path)
    secrets: dict[str, str] = {"root": edge.root.secret_access_key.reveal(), "wrapping key": bytes(range(32)).hex()}

    def noted(name: str, made: Any) -> Credentials:
        secrets[name] = made.secret_access_key.reveal()
        token = getattr(made, "session_token", None)
        if token is not None:
            secrets[f"{name}'s token"] = token.reveal()
        return Credentials(made.access_key_id, made.secret_access_key, token)

    try:
        configure("debug", "json")
        caplog.set_level(logging.DEBUG)
        told = edge.call(users.CreateUserCommand(user_name="alice"), edge.root).text
        made = edge.call(access_keys.CreateAccessKeyCommand(user_name="alice"), edge.root)
        alice = noted("alice", decode_response(made.body, access_keys.CreateAccessKeyCommand).access_key)
        issued = edge.call(sts.GetSessionTokenCommand(), alice)
        session = noted("session", decode_response(issued.body, sts.GetSessionTokenCommand).credentials)
        trust = json.dumps(document(Effect="Allow", Principal={"AWS": "*"}, Action="sts:AssumeRole"))
        told += edge.call(roles.CreateRoleCommand(role_name="r", assume_role_policy_document=trust), edge.root).text
        command = sts.AssumeRoleCommand(role_arn=f"arn:aws:iam::{ACCOUNT}:role/r", role_session_name="s1")
        assumed = edge.call(command, session)
        role = noted("role", decode_response(assumed.body, sts.AssumeRoleCommand).credentials)
        wrong = Credentials(alice.access_key_id, role.secret_access_key, role.session_token)
        told += "".join(edge.call(WHO, who).text for who in (session, role, alice, wrong, None))
        told += edge.call(users.ListUsersCommand(), session).text
        presigned = presign(
            Request("GET", "/", "Action=ListUsers&Version=2010-05-08", (("host", HOST),)),
            role,
            service="iam",
            region="us-east-1",
            now=edge.now,
        )
        told += edge.send(presigned).text
        monkeypatch.setattr("locum.server.authorization.request_context", broken)
        told += edge.call(users.ListUsersCommand(), role).text
        told += edge.get("/metrics").text
        with edge.store.snapshot() as snapshot:
            for stored in Records(snapshot).each(RingKey, ""):
                key = edge.vault.unwrap(stored.record.secret, purpose=RingKey.kind, name=stored.record.id)
                secrets[f"ring key {stored.record.id}"] = key.hex()
        edge.lifespan("shutdown")
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
    printed = "".join(capsys.readouterr()) + caplog.text
    assert "the request failed" in printed
    told += printed + (tmp_path / "audit.jsonl").read_text()
    assert told.count("GetCallerIdentity") > 5
    assert len(secrets) == 8
    for name, secret in secrets.items():
        assert secret not in told, name
        assert secret[:24] not in told, name


def broken(*_: object) -> Any:
    raise RuntimeError("unforeseen")
