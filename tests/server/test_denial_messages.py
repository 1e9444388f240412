"""Sealed messages as values: what opens, what does not, how long they are, and what is left out to fit."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from locum import errors
from locum.core.token import KeyRing, SealingKey, TokenNotIntact
from locum.policy import Ask, Policies, PolicyKind, Principal, context, decide, load
from locum.policy.explain import explain
from locum.server import denials

from .conftest import ACCOUNT, START, document

LIST_ONLY_ROLES = {"Sid": "RolesOnly", "Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"}
NO_LISTS = {"Sid": "NoLists", "Effect": "Deny", "Action": "iam:List*", "Resource": "*"}
RING = KeyRing([SealingKey("c0ffee01", 1_700_000_000, bytes(range(32)))])


@pytest.mark.facts("STS-DAM-003", "R14")
@given(
    st.text(max_size=200)
    | st.text(alphabet="ABYZabyz0189-_", max_size=11_000)
    | st.binary().map(lambda raw: base64.urlsafe_b64encode(b"\x01\x03\xc0\xff\xee\x01" + raw).decode().rstrip("="))
)
@example("")
@example("A" * 10_241)
def test_any_text_is_no_message_and_says_so_in_one_way(text: str) -> None:
    with pytest.raises(TokenNotIntact):
        denials.open_message(RING, text)
    with pytest.raises(errors.InvalidAuthorizationMessageException, match="Message is not valid"):
        denials.decode(RING, text, ACCOUNT, START)


@pytest.mark.facts("R15")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, denials.HEADER_CHARACTERS - 1), bit=st.integers(0, 63))
def test_no_character_of_a_message_can_be_another(at: int, bit: int) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    changed = MESSAGE[:at] + alphabet[bit] + MESSAGE[at + 1 :]
    if changed != MESSAGE:
        with pytest.raises(TokenNotIntact):
            denials.open_message(RING, changed)
    assert denials.open_message(RING, MESSAGE).reader == ACCOUNT


def _question(identity: dict[str, Any]) -> denials.Denied:
    alice = Principal.user(f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT, "AIDAALICEALICEALICE00")
    held = Policies(identity=(load(json.dumps(identity), PolicyKind.INLINE, "p"),))
    ask = Ask(alice, "iam:ListUsers", "*", ACCOUNT, context({"aws:username": "alice"}))
    return denials.Denied(decide(ask, held), ask, held)


def _sealed(denied: denials.Denied) -> denials.Denial:
    return denials.explained(
        denied, RING, request_id="01234567-89ab-4def-8123-456789abcdef", now=START, random=lambda size: bytes(size)
    )


MESSAGE = _sealed(_question(document(LIST_ONLY_ROLES))).message


VECTORS = Path(__file__).parents[1] / "vectors" / "authorization_messages"


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.json")), ids=lambda path: path.stem)
def test_a_message_of_an_earlier_release_still_opens(path: Path) -> None:
    vector = json.loads(path.read_text())
    ring = KeyRing(SealingKey(each["id"], each["created"], bytes.fromhex(each["secret"])) for each in vector["ring"])
    message = denials.open_message(ring, vector["message"])
    expected = vector["opened"]
    assert {name: getattr(message, name) for name in expected} == expected
    found = message.explanation
    assert found.decision.effect.value == vector["effect"]
    assert (found.asked.action, found.asked.arn) == (vector["action"], vector["arn"])
    assert [fix.text for fix in found.fixes] == vector["fixes"]
    assert denials.decode(ring, vector["message"], message.reader, message.time)


@pytest.mark.parametrize("statements", [0, 1, 40])
def test_the_length_of_a_callers_message_tells_nothing(statements: int) -> None:
    policy = document(NO_LISTS, *(LIST_ONLY_ROLES | {"Sid": f"S{number}"} for number in range(statements)))
    assert len(_sealed(_question(policy)).message) == denials.HEADER_CHARACTERS == len(MESSAGE)


def _crowded(count: int, *, deny: bool) -> denials.Denied:
    """A question that many long policies answer: more than any message holds."""

    def statement(number: int) -> dict[str, Any]:
        values = [f"{base64.b32encode(f'{number} {each} {number * each}'.encode()).decode()}" for each in range(12)]
        return {
            "Sid": f"S{number}",
            "Effect": "Allow",
            "Action": "iam:ListUsers",
            "Resource": "*",
            "Condition": {"StringEquals": {f"aws:PrincipalTag/{values[0]}": values}},
        }

    held = [load(json.dumps(document(statement(number))), PolicyKind.INLINE, f"p{number}") for number in range(count)]
    if deny:
        held.append(load(json.dumps(document(NO_LISTS)), PolicyKind.INLINE, "last"))
    alice = Principal.user(f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT, "AIDAALICEALICEALICE00")
    keys = {f"aws:requesttag/{base64.b32encode(str(each**3).encode()).decode()}": f"{each**5}" for each in range(100)}
    policies_held = Policies(identity=tuple(held))
    ask = Ask(alice, "iam:ListUsers", "*", ACCOUNT, context(keys))
    return denials.Denied(decide(ask, policies_held), ask, policies_held)


@pytest.mark.facts("STS-DAM-002")
@pytest.mark.parametrize("deny", [True, False])
@pytest.mark.parametrize("count", [1, 5, 20, 60])
def test_an_explanation_that_is_too_long_is_shortened_and_keeps_what_decided(count: int, deny: bool) -> None:
    denied = _crowded(count, deny=deny)
    sealed = _sealed(denied)
    assert len(sealed.message) == denials.HEADER_CHARACTERS
    assert len(sealed.record["message"]) <= 8_192
    for text in (sealed.message, sealed.record["message"]):
        message = denials.open_message(RING, text)
        assert message.explanation.decision == denied.decision
        assert message.explanation.fixes
        if deny:
            assert [each["statementId"] for each in denials.document(message)["matchedStatements"]["items"]] == [
                "NoLists"
            ]
    assert denials.open_message(RING, sealed.message).shortened is (count > 5)


def test_what_shortening_leaves_out_is_counted() -> None:
    crowd = _crowded(20, deny=False)
    whole = explain(crowd.ask, crowd.policies)
    held, keys = len(whole.layers[0].policies), len(whole.asked.context)
    for each in denials._ever_shorter(whole):
        assert len(each.asked.context) + each.asked.cut == keys
        for report in each.layers:
            assert len(report.policies) + report.cut == held
    assert each.layers == ()


def test_a_refusal_whose_texts_fit_nowhere_has_no_message_and_a_short_record() -> None:
    noise = base64.b32encode(hashlib.shake_256(b"noise").digest(9_000)).decode().rstrip("=")
    denied = _question(document(NO_LISTS | {"Sid": noise}))
    statement = {"policy": "p", "sid": noise[:1_024], "index": 0}
    assert _sealed(denied) == denials.Denial(
        "", {"effect": "ExplicitDeny", "layer": "identity-based policy", "statements": [statement]}
    )
