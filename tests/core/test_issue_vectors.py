"""Stored session tokens with all claims open forever, and the shorter ones of before mean what they meant."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from locum.core.session import Federation, FederationKind, Session, SessionKind
from locum.core.token import KeyRing, Purpose, SealingKey
from locum.secret import Secret

FOLDER: Final = Path(__file__).parents[1] / "vectors" / "tokens"
OLD: Final[dict[str, Any]] = json.loads((FOLDER / "v1.json").read_text())
FULL: Final[dict[str, Any]] = json.loads((FOLDER / "v1_sessions.json").read_text())
FEDERATED: Final[dict[str, Any]] = json.loads((FOLDER / "v1_federation.json").read_text())
RING: Final = KeyRing(SealingKey(each["id"], each["created"], bytes.fromhex(each["secret"])) for each in OLD["ring"])


def session_of(claims: dict[str, Any]) -> Session:
    def fixed(value: Any) -> Any:
        return tuple(map(fixed, value)) if isinstance(value, list) else value

    changed = {"kind": SessionKind[claims["kind"]], "secret": Secret(claims["secret"])}
    if "padding" in claims:
        changed["padding"] = bytes.fromhex(claims["padding"])
    return Session(**{**{name: fixed(value) for name, value in claims.items()}, **changed})


@pytest.mark.parametrize("vector", FULL["sessions"], ids=lambda each: str(each["name"]))
def test_a_stored_token_opens_with_all_its_claims(vector: dict[str, Any]) -> None:
    session = session_of(vector["claims"])
    assert RING.open_session(vector["token"]) == session
    assert session.federation is None


@pytest.mark.parametrize("vector", FEDERATED["sessions"], ids=lambda each: str(each["name"]))
def test_a_stored_token_of_federation_opens_and_is_what_is_sealed_today(vector: dict[str, Any]) -> None:
    kind, provider, keys = vector["claims"]["federation"]
    kept = tuple((key, tuple(value) if isinstance(value, list) else value) for key, value in keys)
    claims = {name: value for name, value in vector["claims"].items() if name != "federation"}
    federation = Federation(FederationKind(kind), provider, kept)
    session = msgspec.structs.replace(session_of(claims), federation=federation)
    assert RING.open_session(vector["token"]) == session
    secret = next(bytes.fromhex(each["secret"]) for each in OLD["ring"] if each["id"] == vector["key"])
    ring = KeyRing([SealingKey(vector["key"], 1, secret)])
    assert ring.seal_session(session, bytes.fromhex(vector["nonce"])) == vector["token"]


@pytest.mark.parametrize("vector", OLD["sessions"], ids=lambda each: str(each["name"]))
def test_a_token_of_before_has_no_tags_no_mfa_and_nobody_behind_it(vector: dict[str, Any]) -> None:
    opened = RING.open_session(vector["token"])
    assert opened == session_of(vector["claims"])
    assert (opened.tags, opened.transitive_tags, opened.source_identity) == ((), (), None)
    assert (opened.mfa, opened.lineage, opened.padding) == (None, (), b"")


def test_the_claims_stand_in_the_documented_order() -> None:
    vector = FULL["sessions"][0]
    array = msgspec.msgpack.decode(RING.open(Purpose.SESSION_TOKEN, vector["token"]))
    claims = vector["claims"]
    names = ["tags", "transitive_tags", "source_identity", "mfa", "lineage"]
    assert array[10:15] == [claims[name] for name in names]
    assert array[15] == b""
    assert len(array) == 16
    assert tuple(Session.__struct_fields__[10:]) == (*names, "padding", "federation")


@pytest.mark.facts("STS-SP-020")
def test_a_padded_token_is_as_long_as_was_asked_for() -> None:
    vector = next(each for each in FULL["sessions"] if "padded" in each["name"])
    assert len(vector["token"]) >= 1_024
    assert len(base64.b64decode(vector["token"])) == len(vector["token"]) // 4 * 3 - vector["token"].count("=")
