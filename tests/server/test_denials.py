"""Refusals that explain themselves to those who may know: sealed messages, who can open them, the audit line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import policies, roles, types, users
from locum.api.shapes import Command
from locum.core.token import KeyRing
from locum.http import Response
from locum.policy import Effect
from locum.policy.explain import explain
from locum.policy.explanation import Explanation
from locum.secret import Secret
from locum.server import denials
from locum.server.ring import load_ring, retire, rotate
from locum.store.facts import Miss
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, HOST, OTHER, START, World, document

FORM = ("content-type", "application/x-www-form-urlencoded")
ALL = {"Action": "*", "Resource": "*"}
LIST = users.ListUsersCommand()
Made = tuple[Credentials, Command[Any]]


def decoding(message: str) -> sts.DecodeAuthorizationMessageCommand:
    return sts.DecodeAuthorizationMessageCommand(encoded_message=message)


def refused(world: World, credentials: Credentials, command: Command[Any]) -> Response:
    response = world.send(world.request(command, credentials))
    assert response.status == 403
    return response


def message_of(response: Response) -> str:
    return dict(response.headers)[denials.HEADER]


def decoded(world: World, message: str, credentials: Credentials | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.call(credentials or world.root, decoding(message)).decoded_message)
    return found


def explanation_of(document: dict[str, Any]) -> Explanation:
    return Explanation.from_json(json.dumps(document["explanation"]))


def ring_of(world: World) -> KeyRing:
    with world.store.snapshot() as rows:
        return load_ring(rows, world.vault)


def authorization(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.records()[-1]["additionalEventData"]["authorization"]
    return found


def boundary(world: World, *statements: dict[str, Any]) -> str:
    text = json.dumps(document(*statements))
    made = world.call(world.root, policies.CreatePolicyCommand(policy_name="limit", policy_document=text))
    assert made.policy is not None
    assert made.policy.arn is not None
    return made.policy.arn


def bounded(world: World, *statements: dict[str, Any]) -> Credentials:
    arn = boundary(world, *statements)
    user = world.user("alice", document({"Effect": "Allow", **ALL}))
    world.call(world.root, users.PutUserPermissionsBoundaryCommand(user_name="alice", permissions_boundary=arn))
    return user


def session(world: World, *statements: dict[str, Any]) -> Credentials:
    user = world.user("alice")
    role = world.role("worker", {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"}, document({"Effect": "Allow", **ALL}))
    return world.assume(user, role, policy=json.dumps(document(*statements)))


def assuming(world: World, trust: dict[str, Any]) -> Made:
    user = world.user("alice", document({"Effect": "Allow", **ALL}))
    role = world.role("worker", document({"Sid": "Door", "Action": "sts:AssumeRole", **trust}))
    return user, sts.AssumeRoleCommand(role_arn=role, role_session_name="s1")


LIST_ONLY_ROLES = {"Sid": "RolesOnly", "Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"}
ALLOWED = {"Effect": "Allow", **ALL}
NO_LISTS = {"Sid": "NoLists", "Effect": "Deny", "Action": "iam:List*", "Resource": "*"}


class Layer(NamedTuple):
    """One layer that refuses: how the scene is set, and what must be said of it."""

    name: str
    effect: str
    make: Callable[[World], Made]
    policy: str
    sid: str
    text: str


LAYERS = [
    Layer(
        "identity-based policy",
        "ImplicitDeny",
        lambda world: (world.user("alice", document(LIST_ONLY_ROLES)), LIST),
        "p",
        "RolesOnly",
        "because no identity-based policy allows the iam:ListUsers action",
    ),
    Layer(
        "identity-based policy",
        "ExplicitDeny",
        lambda world: (world.user("alice", document(ALLOWED, NO_LISTS)), LIST),
        "p",
        "NoLists",
        "with an explicit deny in an identity-based policy",
    ),
    Layer(
        "permissions boundary",
        "ImplicitDeny",
        lambda world: (bounded(world, LIST_ONLY_ROLES), LIST),
        f"arn:aws:iam::{ACCOUNT}:policy/limit",
        "RolesOnly",
        "because no permissions boundary allows the iam:ListUsers action",
    ),
    Layer(
        "permissions boundary",
        "ExplicitDeny",
        lambda world: (bounded(world, ALLOWED, NO_LISTS), LIST),
        f"arn:aws:iam::{ACCOUNT}:policy/limit",
        "NoLists",
        "with an explicit deny in a permissions boundary",
    ),
    Layer(
        "session policy",
        "ImplicitDeny",
        lambda world: (session(world, LIST_ONLY_ROLES), LIST),
        "",
        "RolesOnly",
        "because no session policy allows the iam:ListUsers action",
    ),
    Layer(
        "session policy",
        "ExplicitDeny",
        lambda world: (session(world, ALLOWED, NO_LISTS), LIST),
        "",
        "NoLists",
        "with an explicit deny in a session policy",
    ),
    Layer(
        "role trust policy",
        "ImplicitDeny",
        lambda world: assuming(world, {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}),
        f"arn:aws:iam::{ACCOUNT}:role/worker",
        "Door",
        "",
    ),
    Layer(
        "role trust policy",
        "ExplicitDeny",
        lambda world: assuming(world, {"Effect": "Deny", "Principal": {"AWS": "*"}}),
        f"arn:aws:iam::{ACCOUNT}:role/worker",
        "Door",
        "",
    ),
]


@pytest.mark.facts("STS-DAM-002", "STS-DAM-011", "STS-DAM-008")
@pytest.mark.parametrize("layer", LAYERS, ids=lambda each: f"{each.effect} {each.name}")
def test_every_layer_that_refuses_is_named_with_its_policy_in_message_and_audit_line(
    world: World, layer: Layer
) -> None:
    credentials, command = layer.make(world)
    response = refused(world, credentials, command)
    recorded = authorization(world)
    message = message_of(response)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,10240}", message)
    assert message.encode() not in response.body
    assert b"ncoded" not in response.body

    found = decoded(world, message)
    assert found["allowed"] is False
    assert found["explicitDeny"] is (layer.effect == "ExplicitDeny")
    if layer.effect == "ImplicitDeny":
        assert found["matchedStatements"] == {"items": []}
    else:
        assert [each["statementId"] for each in found["matchedStatements"]["items"]] == [layer.sid]
    explanation = explanation_of(found)
    assert (explanation.decision.effect.value, explanation.decision.layer) != ("Allow", None)
    assert explanation.decision.layer is not None
    assert (explanation.decision.effect.value, explanation.decision.layer.value) == (layer.effect, layer.name)
    report = next(each for each in explanation.layers if each.layer is explanation.decision.layer)
    (policy,) = report.policies
    assert policy.name == layer.policy
    statement = policy.matched[0] if layer.effect == "ExplicitDeny" else policy.nearest
    assert statement is not None
    assert statement.sid == layer.sid
    assert explanation.fixes

    assert (recorded["effect"], recorded["layer"]) == (layer.effect, layer.name)
    deciding = [{"policy": layer.policy, "sid": layer.sid, "index": statement.index}]
    assert recorded["statements"] == (deciding if layer.effect == "ExplicitDeny" else [])
    for_administrators = denials.open_message(ring_of(world), recorded["message"])
    assert for_administrators.explanation == explanation
    with pytest.raises(errors.AccessDenied) as raised:
        world.check(response)
    assert raised.value.message.endswith(layer.text or "role/worker")


@pytest.mark.facts("STS-DAM-004", "STS-DAM-005", "STS-DAM-006", "STS-DAM-007", "STS-DAM-009", "STS-DAM-010")
def test_the_document_has_the_recorded_layout_in_its_order_and_two_members_of_ours(world: World) -> None:
    condition = {"StringEquals": {"aws:username": ["alice", "bob"]}}
    alice = world.user("alice", document(ALLOWED, NO_LISTS | {"Condition": condition}))
    message = message_of(refused(world, alice, LIST))
    text = world.call(world.root, decoding(message)).decoded_message
    found = json.loads(text)
    context = found["context"]
    identity = world.call(alice, sts.GetCallerIdentityCommand())
    assert list(found) == [
        "allowed",
        "explicitDeny",
        "matchedStatements",
        "failures",
        "context",
        "request",
        "explanation",
    ]
    assert json.dumps(found["matchedStatements"]) == json.dumps(
        {
            "items": [
                {
                    "statementId": "NoLists",
                    "effect": "DENY",
                    "principals": {"items": [{"value": identity.user_id}]},
                    "principalGroups": {"items": []},
                    "actions": {"items": [{"value": "iam:List*"}]},
                    "resources": {"items": [{"value": "*"}]},
                    "conditions": {
                        "items": [{"key": "aws:username", "values": {"items": [{"value": "alice"}, {"value": "bob"}]}}]
                    },
                }
            ]
        }
    )
    assert found["failures"] == {"items": []}
    assert list(context) == ["principal", "action", "resource", "conditions"]
    assert list(context["principal"].items()) == [
        ("id", identity.user_id),
        ("name", "alice"),
        ("arn", f"arn:aws:iam::{ACCOUNT}:user/alice"),
    ]
    assert (context["action"], context["resource"]) == ("iam:ListUsers", "*")
    assert {"key": "aws:username", "values": {"items": [{"value": "alice"}]}} in context["conditions"]["items"]
    assert found["request"] == {
        "id": "01234567-89ab-4def-8123-456789abcdef",
        "time": int(START),
        "account": ACCOUNT,
        "resourceAccount": ACCOUNT,
        "shortened": False,
    }


@pytest.mark.facts("STS-DAM-006")
def test_a_role_session_has_an_id_and_an_arn_and_no_name(world: World) -> None:
    role = world.role("worker", {"AWS": "*"})
    found = decoded(world, message_of(refused(world, world.assume(world.user("alice"), role), LIST)))
    principal = found["context"]["principal"]
    assert list(principal) == ["id", "arn"]
    assert re.fullmatch(r"AROA[A-Z0-9]{17}:s1", principal["id"])
    assert principal["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/s1"


@pytest.mark.facts("STS-DAM-004")
def test_the_document_is_one_string_of_ascii_escaped_in_xml_and_in_json(world: World) -> None:
    alice = world.user("alice")
    headers = (("host", HOST), FORM, ("user-agent", 'é\x9b31m</DecodedMessage>"'))
    response = world.send(world.request(LIST, alice, headers=headers))
    command = decoding(message_of(response))
    xml = world.send(world.request(command, world.root))
    assert xml.body.isascii()
    assert xml.body.count(b"</DecodedMessage>") == 1
    text = world.read(xml, command).decoded_message
    agents = [each for each in json.loads(text)["context"]["conditions"]["items"] if each["key"] == "aws:UserAgent"]
    assert agents[0]["values"]["items"][0]["value"].endswith('31m</DecodedMessage>"')
    as_json = world.send(
        world.request(command, world.root, headers=(("host", HOST), FORM, ("accept", "application/json")))
    )
    envelope = json.loads(as_json.body)["DecodeAuthorizationMessageResponse"]
    assert envelope["DecodeAuthorizationMessageResult"]["DecodedMessage"] == text


# Who may decode


@pytest.mark.facts("STS-DAM-001", "STS-CALL-T13", "POL-AC-014", "STS-E-005")
def test_decoding_needs_its_permission_on_every_resource(world: World) -> None:
    message = message_of(refused(world, world.user("alice"), LIST))
    action = "sts:DecodeAuthorizationMessage"
    bob = world.user("bob", document(Effect="Allow", Action=action, Resource=f"arn:aws:iam::{ACCOUNT}:user/alice"))
    assert world.refusal(bob, decoding(message), errors.AccessDenied) == (
        f"User: arn:aws:iam::{ACCOUNT}:user/bob is not authorized to perform: {action} "
        f"because no identity-based policy allows the {action} action"
    )
    carol = world.user("carol", document(Effect="Allow", Action=action, Resource="*"))
    assert decoded(world, message, carol)["allowed"] is False


@pytest.mark.facts("STS-DAM-001", "STS-CALL-T13")
def test_users_root_and_role_sessions_may_decode_and_token_sessions_may_not(world: World) -> None:
    message = message_of(refused(world, world.user("alice"), LIST))
    powerful = world.user("bob", document(ALLOWED))
    role = world.role("worker", {"AWS": ACCOUNT}, document(ALLOWED))
    for credentials in (powerful, world.root, world.assume(powerful, role)):
        assert decoded(world, message, credentials)["explicitDeny"] is False
    for owner in (powerful, world.root):
        issued = world.call(owner, sts.GetSessionTokenCommand()).credentials
        assert issued is not None
        token = Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
        assert world.refusal(token, decoding(message), errors.AccessDenied)
    assert world.send(world.request(decoding(message), None)).status == 403


Spoil = Callable[[World, str], str]


def _to_standard(text: str) -> str:
    return text.translate(str.maketrans("-_", "+/"))


def _to_url(text: str) -> str:
    return text.translate(str.maketrans("+/", "-_", "="))


def _session_token(world: World) -> str:
    issued = world.call(world.root, sts.GetSessionTokenCommand()).credentials
    assert issued is not None
    return issued.session_token.reveal()


def _marker(world: World) -> str:
    world.user("second")
    marker = world.call(world.root, users.ListUsersCommand(max_items=1)).marker
    assert marker is not None
    return marker


SPOILED: dict[str, Spoil] = {
    "altered": lambda world, text: text[:100] + ("A" if text[100] != "A" else "B") + text[101:],
    "cut off": lambda world, text: text[:-4],
    "longer": lambda world, text: text + "AAAA",
    "with line breaks": lambda world, text: "\n".join(text[at : at + 76] for at in range(0, len(text), 76)),
    "with a line break at its end": lambda world, text: text + "\n",
    "with blanks": lambda world, text: f" {text}",
    "in the standard alphabet": lambda world, text: "+/" + _to_standard(text)[2:],
    "padded": lambda world, text: text[:-4] + "AA==",
    "garbage": lambda world, text: "x",
    "not ASCII": lambda world, text: "é" * 100,
    "as long as may be": lambda world, text: "A" * 10_240,
    "a session token": lambda world, text: _session_token(world),
    "a session token in the URL alphabet": lambda world, text: _to_url(_session_token(world)),
    "a pagination marker": lambda world, text: _to_url(_marker(world)),
    "the administrator's, from the audit line": lambda world, text: world.records()[-1]["additionalEventData"][
        "authorization"
    ]["message"],
}


@pytest.mark.facts("STS-DAM-003", "STS-E-T05", "R14", "R15")
@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_what_is_no_message_of_the_account_is_not_valid(world: World, spoil: Spoil) -> None:
    message = message_of(refused(world, world.user("alice"), LIST))
    response = world.send(world.request(decoding(spoil(world, message)), world.root))
    assert response.status == 400
    with pytest.raises(errors.InvalidAuthorizationMessageException) as raised:
        world.check(response)
    assert (raised.value.code, raised.value.message) == ("InvalidAuthorizationMessageException", "Message is not valid")


@pytest.mark.facts("STS-DAM-003")
def test_a_message_is_good_for_seven_days(world: World) -> None:
    message = message_of(refused(world, world.user("alice"), LIST))
    world.now = START + denials.LIFETIME - 1
    assert decoded(world, message)["request"]["time"] == int(START)
    world.now += 2
    assert world.refusal(world.root, decoding(message), errors.InvalidAuthorizationMessageException)
    assert denials.LIFETIME == 7 * 86_400


@pytest.mark.facts("STS-DAM-003", "R13")
def test_a_message_survives_rotation_and_dies_with_its_key(world: World) -> None:
    message = message_of(refused(world, world.user("alice"), LIST))
    (old,) = ring_of(world).key_ids
    with world.store.transaction() as rows:
        rotate(rows, world.vault, int(world.now), world.random)
    assert decoded(world, message)["allowed"] is False
    with world.store.transaction() as rows:
        retire(rows, old)
    assert world.refusal(world.root, decoding(message), errors.InvalidAuthorizationMessageException)


@pytest.mark.facts("R14")
def test_a_message_is_neither_a_session_token_nor_a_marker(world: World) -> None:
    message = message_of(refused(world, world.user("alice"), LIST))
    for text in (message, _to_standard(message)):
        stolen = Credentials("ASIAQNZGKIQY56JQ7WML", Secret("x" * 40), Secret(text))
        assert world.refusal(stolen, sts.GetCallerIdentityCommand(), errors.InvalidClientTokenId)
        listing = users.ListUsersCommand(marker=text[:320])
        assert world.refusal(world.root, listing, errors.ValidationError) == "Invalid Marker."
        whole = users.ListUsersCommand(marker=text)
        assert world.refusal(world.root, whole, errors.ValidationError)


# What the message may tell whom


def _scene(world: World, trust: dict[str, Any] | None, *, may: bool = True) -> tuple[Credentials, Credentials, str]:
    """A user of one account, the root of another, and the role there that the user asks for."""
    other = world.account(OTHER)
    if trust is not None:
        world.role("vault", document(trust), root=other, tags=(types.Tag(key="color", value="purple"),))
    mine = {"Sid": "Mine", "Effect": "Allow", "Action": "sts:*" if may else "iam:*", "Resource": "*"}
    return world.user("alice", document(mine)), other, f"arn:aws:iam::{OTHER}:role/vault"


SECRETIVE = {
    "Sid": "Concealed",
    "Effect": "Allow",
    "Principal": {"AWS": ACCOUNT},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"sts:ExternalId": "hidden-external-id"}},
}
FOREIGN: dict[str, dict[str, Any] | None] = {
    "no such role": None,
    "a condition that does not hold": SECRETIVE,
    "another principal": SECRETIVE | {"Principal": {"AWS": OTHER}, "Condition": {}},
    "an explicit deny": SECRETIVE | {"Effect": "Deny", "Condition": {}},
}


@pytest.mark.facts("POL-MSG-008", "STS-E-017")
@pytest.mark.parametrize("trust", FOREIGN.values(), ids=FOREIGN)
def test_across_accounts_nothing_tells_what_the_other_account_has(world: World, trust: dict[str, Any] | None) -> None:
    alice, other, role = _scene(world, trust)
    response = refused(world, alice, sts.AssumeRoleCommand(role_arn=role, role_session_name="s1"))
    recorded = authorization(world)
    found = decoded(world, message_of(response))
    text = json.dumps(found)
    for hidden in ("Concealed", "hidden-external-id", "purple", "color", "StringEquals", "explicit"):
        assert hidden not in text.replace('"explicitDeny"', "")
    explanation = explanation_of(found)
    assert (found["explicitDeny"], explanation.decision.layer) == (False, None)
    assert [each.layer.value for each in explanation.layers] == ["identity-based policy"]
    assert explanation.fixes[-1].text.startswith(f"the owner of the resource, account {OTHER}, must allow it too")
    assert {name: recorded[name] for name in recorded if name != "message"} == {
        "effect": "ImplicitDeny",
        "statements": [],
    }
    # The owner cannot open it either: whose call it was is the caller's account's to know.
    assert world.refusal(other, decoding(message_of(response)), errors.InvalidAuthorizationMessageException)
    assert world.refusal(other, decoding(recorded["message"]), errors.InvalidAuthorizationMessageException)
    whole = denials.open_message(ring_of(world), recorded["message"])
    assert (whole.reader, whole.account, whole.resource_account) == ("", ACCOUNT, OTHER)
    assert whole.explanation.decision.layer is not None
    assert whole.explanation.decision.layer.value == "role trust policy"
    assert ("Concealed" in whole.explanation.to_json()) is (trust is not None)


def test_across_accounts_the_callers_own_side_is_the_same_whatever_the_other_says(world: World) -> None:
    alice, other, role = _scene(world, FOREIGN["another principal"], may=False)
    command = sts.AssumeRoleCommand(role_arn=role, role_session_name="s1")
    distrusted = decoded(world, message_of(refused(world, alice, command)))
    open_door = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    world.call(
        other,
        roles.UpdateAssumeRolePolicyCommand(role_name="vault", policy_document=json.dumps(document(open_door))),
    )
    trusted = decoded(world, message_of(refused(world, alice, command)))
    world.call(other, roles.DeleteRoleCommand(role_name="vault"))
    gone = decoded(world, message_of(refused(world, alice, command)))
    assert distrusted == trusted == gone
    explanation = explanation_of(trusted)
    assert explanation.decision.layer is not None
    assert explanation.decision.layer.value == "identity-based policy"
    assert explanation.layers[0].policies[0].name == "p"


# The way of a request


@pytest.mark.parametrize("wrong", ["another decision", "an error"])
def test_a_refusal_stands_where_it_cannot_be_explained(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    def allowed(ask: Any, held: Any) -> Explanation:
        if wrong == "an error":
            raise ZeroDivisionError
        found = explain(ask, held)
        decision = msgspec.structs.replace(found.decision, effect=Effect.ALLOW)
        return msgspec.structs.replace(found, decision=decision)

    monkeypatch.setattr(denials, "explain", allowed)
    response = refused(world, world.user("alice"), LIST)
    assert denials.HEADER not in dict(response.headers)
    assert "authorization" not in world.records()[-1]["additionalEventData"]
    assert "the refusal cannot be explained" in caplog.text


def test_only_refusals_by_policy_are_explained(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = world.user("alice", document(ALLOWED))
    monkeypatch.setattr(denials, "explain", None)
    commands: list[tuple[Credentials, Command[Any]]] = [
        (alice, LIST),
        (alice, users.GetUserCommand(user_name="nobody")),
        (alice, sts.GetCallerIdentityCommand()),
        (world.root, sts.AssumeRoleCommand(role_arn=f"arn:aws:iam::{ACCOUNT}:role/x", role_session_name="s1")),
        (Credentials(alice.access_key_id, Secret("x" * 40)), LIST),
    ]
    for credentials, command in commands:
        response = world.send(world.request(command, credentials))
        assert denials.HEADER not in dict(response.headers)
        assert "authorization" not in world.records()[-1]["additionalEventData"]


def test_a_refusal_is_explained_in_a_thread_and_recorded_once(world: World) -> None:
    alice, command = assuming(world, {"Effect": "Deny", "Principal": {"AWS": "*"}})
    request = world.request(command, alice)
    world.send(request)
    before = len(world.records())
    with pytest.raises(Miss):
        world.pipeline.answer(request, "01234567-89ab-4def-8123-456789abcdef", world.now, wait=False)
    assert len(world.records()) == before
    assert message_of(world.send(request))
    assert len(world.records()) == before + 1


def test_the_audit_line_of_a_decoding_does_not_show_what_was_decoded(world: World) -> None:
    message = message_of(refused(world, world.user("alice", document(ALLOWED, NO_LISTS)), LIST))
    decoded(world, message)
    line = world.records()[-1]
    assert (line["eventName"], line["responseElements"]) == ("DecodeAuthorizationMessage", None)
    assert "NoLists" not in json.dumps(line)


def test_a_refused_write_is_explained_by_the_policies_that_refused_it(world: World) -> None:
    creator = document({"Effect": "Allow", "Action": "iam:CreateUser", "Resource": f"arn:aws:iam::{ACCOUNT}:user/a/*"})
    command = users.CreateUserCommand(user_name="bob", path="/b/")
    explanation = explanation_of(decoded(world, message_of(refused(world, world.user("alice", creator), command))))
    assert explanation.asked.resource == f"arn:aws:iam::{ACCOUNT}:user/b/bob"
    nearest = explanation.layers[0].policies[0].nearest
    assert nearest is not None
    assert [check.element for check in nearest.failed] == ["Resource"]
