"""Who may open a session as a member's root, as a table; and what a token of such a session must hold (R34)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from locum.core.delegation import TradeIn
from locum.core.organization import OrgFacts
from locum.core.root_access import CREDENTIALS, SERVICE, SESSIONS, TASKS, is_within_reach, may_open
from locum.core.session import MAXIMUM_LIFETIME, Federation, FederationKind, Session, SessionKind
from locum.core.token import KeyRing, Purpose, SealingKey, TokenNotIntact
from locum.secret import Secret

MANAGEMENT: Final = "111122223333"
MEMBER: Final = "444455556666"
DEPUTY: Final = "555566667777"
BASE: Final[dict[str, Any]] = {
    "id": "o-abcdefghij",
    "management": MANAGEMENT,
    "path": "o-abcdefghij/r-ab12/",
    "all_features": True,
    "policy_types": frozenset(),
    "services": frozenset({SERVICE}),
    "delegated": {SERVICE: frozenset({DEPUTY}), "guardduty.amazonaws.com": frozenset({MEMBER})},
    "root_features": frozenset({CREDENTIALS, SESSIONS}),
}


def place(account: str, **changes: Any) -> OrgFacts:
    return OrgFacts(**(BASE | changes), account=account)


@pytest.mark.facts("R34", "STS-ROOT-002", "STS-ROOT-004", "STS-ROOT-007", "POL-RT-001", "POL-RT-002", "ORG-022")
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("caller", "target", "changes", "opens"),
    [
        (MANAGEMENT, MEMBER, {}, True),
        (DEPUTY, MEMBER, {}, True),
        (DEPUTY, DEPUTY, {}, True),
        (MANAGEMENT, DEPUTY, {}, True),
        (MEMBER, MEMBER, {}, False),
        (MEMBER, DEPUTY, {}, False),
        (MANAGEMENT, MANAGEMENT, {}, False),
        (DEPUTY, MANAGEMENT, {}, False),
        (MANAGEMENT, MEMBER, {"all_features": False}, False),
        (MANAGEMENT, MEMBER, {"services": frozenset()}, False),
        (MANAGEMENT, MEMBER, {"root_features": frozenset()}, False),
    ],
)
def test_who_may_open(task: str, caller: str, target: str, changes: dict[str, Any], opens: bool) -> None:
    assert may_open(place(caller, **changes), place(target, **changes), task) is opens
    one = place(target, **(changes | {"root_features": frozenset({TASKS[task]})}))
    if "root_features" not in changes:
        assert may_open(place(caller, **changes), one, task) is opens
    other = place(target, **(changes | {"root_features": frozenset({CREDENTIALS, SESSIONS} - {TASKS[task]})}))
    assert not may_open(place(caller, **changes), other, task)


@pytest.mark.facts("R34")
def test_nobody_opens_across_organizations_or_without_one() -> None:
    task = "IAMAuditRootUserCredentials"
    assert not may_open(None, place(MEMBER), task)
    assert not may_open(place(MANAGEMENT), None, task)
    assert not may_open(place(MANAGEMENT), place(MEMBER, id="o-zzzzzzzzzz"), task)
    assert not is_within_reach(None, task)


# Tokens

RING: Final = KeyRing([SealingKey("c0ffee01", 1_700_000_000, bytes(range(32)))])
GOOD: Final = Session(
    SessionKind.ROOT_TASK,
    "ASIAQNZGKIQY56JQ7WML",
    Secret("s" * 40),
    MEMBER,
    MEMBER,
    "",
    1_700_000_000,
    1_700_000_900,
    policy_arns=("arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials",),
    source_identity="alice",
    lineage=("AKIAQNZGKIQY56JQ7WML", "AIDAALICEALICEALICE00"),
)


@pytest.mark.facts("STS-ROOT-006", "R16")
def test_a_root_task_session_opens_as_it_was_sealed_and_may_have_no_time() -> None:
    assert RING.open_session(RING.seal_session(GOOD, bytes(12))) == GOOD
    over = msgspec.structs.replace(GOOD, expires=GOOD.issued)
    assert RING.open_session(RING.seal_session(over, bytes(12))) == over
    assert MAXIMUM_LIFETIME[SessionKind.ROOT_TASK] == 900


@pytest.mark.facts("R16", "R34", "R32")
@pytest.mark.parametrize(
    "changes",
    [
        {"policy_arns": ()},
        {"policy_arns": GOOD.policy_arns * 2},
        {"policy_arns": ("arn:aws:iam::aws:policy/AdministratorAccess",)},
        {"policy_arns": (f"{GOOD.policy_arns[0]}\n",)},
        {"policy_arns": ("arn:aws:iam::444455556666:policy/root-task/Mine",)},
        {"policy": '{"Statement":[]}'},
        {"expires": GOOD.issued + 901},
        {"expires": GOOD.issued - 1},
        {"principal_id": MANAGEMENT},
        {"principal_id": "AIDAALICEALICEALICE00"},
        {"name": "session"},
        {"tags": (("a", "b"),)},
        {"transitive_tags": (("a", "b"),)},
        {"mfa": GOOD.issued},
        {"federation": Federation(FederationKind.SAML, "arn:aws:iam::444455556666:saml-provider/x")},
    ],
    ids=str,
)
def test_what_no_root_task_session_holds_does_not_open(changes: dict[str, Any]) -> None:
    token = RING.seal_session(msgspec.structs.replace(GOOD, **changes), bytes(12))
    with pytest.raises(TokenNotIntact):
        RING.open_session(token)


FOLDER: Final = Path(__file__).parents[1] / "vectors" / "tokens"
STORED: Final[dict[str, Any]] = json.loads((FOLDER / "v1_root.json").read_text())
OLDEST: Final[dict[str, Any]] = json.loads((FOLDER / "v1.json").read_text())
STORED_RING: Final = KeyRing(
    SealingKey(each["id"], each["created"], bytes.fromhex(each["secret"])) for each in OLDEST["ring"]
)


@pytest.mark.parametrize("vector", STORED["sessions"], ids=lambda each: str(each["name"]))
def test_stored_root_task_sessions_open_with_their_claims(vector: dict[str, Any]) -> None:
    claims = vector["claims"]
    opened = STORED_RING.open_session(vector["token"])
    assert opened.kind is SessionKind.ROOT_TASK
    assert opened.secret.reveal() == claims["secret"]
    for name in ("access_key_id", "account", "principal_id", "issued", "expires", "source_identity", "policy"):
        assert getattr(opened, name) == claims[name]
    assert [*opened.policy_arns] == claims["policy_arns"]
    assert [*opened.lineage] == claims["lineage"]


@pytest.mark.facts("R14")
def test_stored_trade_in_tokens_open_and_are_nothing_else() -> None:
    for vector in STORED["trade_in_tokens"]:
        opened = STORED_RING.open(Purpose.TRADE_IN_TOKEN, vector["token"])
        expected = TradeIn(vector["request"], vector["requestor"], vector["finalized"])
        assert msgspec.msgpack.decode(opened, type=TradeIn) == expected
        for purpose in set(Purpose) - {Purpose.TRADE_IN_TOKEN}:
            with pytest.raises(TokenNotIntact, match="another purpose"):
                STORED_RING.open(purpose, vector["token"])
