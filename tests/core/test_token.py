"""Sealed tokens: what opens, and all that does not."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum import arn
from locum.core import token as token_module
from locum.core.session import MAXIMUM_LIFETIME, Session, SessionKind
from locum.core.token import (
    MAXIMUM_TOKEN,
    KeyRing,
    Purpose,
    SealingKey,
    TokenNotIntact,
    TokenTooLarge,
    secret_access_key,
)
from locum.secret import Secret

ACCOUNT: Final = "123456789012"
NOW: Final = 1_700_000_000
NONCE: Final = bytes(range(12))
SECRET: Final = "kmL9xQ2vT7wYbN4pR6sU8zA1cE3fG5hJ0iK/+oPq"


NOTHING_OR_ODD: Final[tuple[Any, ...]] = (None, "", -1, 1.5, True, [], {}, b"x", "x" * 20, 2**63)


def sealing_key(id: str, created: int = NOW) -> SealingKey:
    return SealingKey(id, created, hashlib.sha256(id.encode()).digest())


OLD: Final = sealing_key("0000000a", NOW - 100)
NEW: Final = sealing_key("0000000b")
RING: Final = KeyRing([OLD, NEW])
PRINCIPALS: Final = {
    SessionKind.USER: "AIDAQ2DZ5KX7N3M4P6R8B",
    SessionKind.ROOT: ACCOUNT,
    SessionKind.ROLE: "AROAQ2DZ5KX7N3M4P6R8A",
    SessionKind.FEDERATED: "AIDAQ2DZ5KX7N3M4P6R8B",
    SessionKind.ROOT_TASK: ACCOUNT,
}
TASK: Final = ("arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials",)


def session(kind: SessionKind = SessionKind.ROLE, *, seconds: int = 900, policy: str | None = None) -> Session:
    name = "build" if kind in (SessionKind.ROLE, SessionKind.FEDERATED) else ""
    key_id = arn.access_key_id("ASIA", ACCOUNT, b"\x01\x02\x03\x04\x05")
    arns = TASK if kind is SessionKind.ROOT_TASK else ()
    return Session(kind, key_id, Secret(SECRET), ACCOUNT, PRINCIPALS[kind], name, NOW, NOW + seconds, policy, arns)


def claims(kind: SessionKind = SessionKind.ROLE, /, **changed: Any) -> list[Any]:
    made = session(kind)
    named = {name: getattr(made, name) for name in Session.__struct_fields__}
    return list((named | {"kind": int(kind), "secret": SECRET} | changed).values())


def sealed(array: Any) -> str:
    return RING.seal(Purpose.SESSION_TOKEN, msgspec.msgpack.encode(array), NONCE)


def refused(token: str, purpose: Purpose = Purpose.SESSION_TOKEN, ring: KeyRing = RING) -> TokenNotIntact:
    with pytest.raises(TokenNotIntact) as caught:
        ring.open(purpose, token)
    return caught.value


sessions = st.builds(
    lambda kind, random, name, issued, share, policy, arns: Session(
        kind,
        arn.access_key_id("ASIA", ACCOUNT, random[:5]),
        secret_access_key(random[5:]),
        ACCOUNT,
        PRINCIPALS[kind],
        name if kind is not SessionKind.ROOT_TASK else "",
        issued,
        issued + 1 + int(share * (MAXIMUM_LIFETIME[kind] - 1)),
        policy if kind is not SessionKind.ROOT_TASK else None,
        tuple(arns) if kind is not SessionKind.ROOT_TASK else TASK,
    ),
    st.sampled_from(SessionKind),
    st.binary(min_size=35, max_size=35),
    st.text(min_size=1, max_size=64),
    st.integers(0, 2**40),
    st.floats(0, 1),
    st.none() | st.text(max_size=500),
    st.lists(st.text(max_size=100), max_size=10),
)


@given(sessions, st.binary(min_size=12, max_size=12))
def test_every_valid_session_survives_sealing(made: Session, nonce: bytes) -> None:
    assert RING.open_session(RING.seal_session(made, nonce)) == made


@given(st.sampled_from(Purpose), st.binary(max_size=600), st.binary(min_size=12, max_size=12))
def test_every_plaintext_survives_sealing(purpose: Purpose, plaintext: bytes, nonce: bytes) -> None:
    assert RING.open(purpose, RING.seal(purpose, plaintext, nonce)) == plaintext


@pytest.mark.facts("STS-AR-046")
@given(sessions, st.binary(min_size=12, max_size=12))
def test_credentials_have_the_form_that_clients_know(made: Session, nonce: bytes) -> None:
    token = RING.seal_session(made, nonce)
    assert base64.b64encode(base64.b64decode(token, validate=True)).decode() == token
    assert len(made.secret) == 40
    assert made.access_key_id.startswith("ASIA")
    assert len(made.access_key_id) == 20


def test_a_token_does_not_begin_like_one_of_aws() -> None:
    """Divergence from STS-ID-009: the first byte is our format's version."""
    assert RING.seal_session(session(), NONCE).startswith("AQ")


@pytest.mark.facts("STS-SP-021")
def test_the_size_follows_the_claims_and_is_typically_below_4096() -> None:
    plain = RING.seal_session(session(), NONCE)
    largest_policy = RING.seal_session(session(policy="x" * 2048), NONCE)
    assert len(plain) < 256
    assert len(plain) + 2048 < len(largest_policy) < 4096


# What is not intact


def _flips(data: bytes) -> Iterator[bytes]:
    for index, byte in enumerate(data):
        for bit in range(8):
            yield data[:index] + bytes((byte ^ 1 << bit,)) + data[index + 1 :]


@pytest.mark.facts("R15")
@pytest.mark.parametrize("padding", range(3))
def test_flipping_any_bit_of_any_byte_of_the_sealed_bytes_fails(padding: int) -> None:
    raw = base64.b64decode(RING.seal(Purpose.SESSION_TOKEN, bytes(40 + padding), NONCE))
    for altered in _flips(raw):
        refused(base64.b64encode(altered).decode())


@pytest.mark.facts("R15")
@pytest.mark.parametrize("padding", range(3))
def test_flipping_any_bit_of_any_character_fails(padding: int) -> None:
    token = RING.seal(Purpose.SESSION_TOKEN, bytes(40 + padding), NONCE)
    for altered in _flips(token.encode()):
        refused(altered.decode("latin-1"))


@pytest.mark.facts("R15")
@pytest.mark.parametrize("padding", range(3))
def test_every_truncation_and_extension_fails(padding: int) -> None:
    token = RING.seal(Purpose.SESSION_TOKEN, bytes(40 + padding), NONCE)
    for end in range(len(token)):
        refused(token[:end])
        refused(token[end + 1 :])
    raw = base64.b64decode(token)
    for end in range(len(raw)):
        refused(base64.b64encode(raw[:end]).decode())
    refused(base64.b64encode(raw + b"\0").decode())


@pytest.mark.facts("R15")
@pytest.mark.parametrize("padding", range(3))
def test_another_spelling_of_the_same_bytes_fails(padding: int) -> None:
    token = RING.seal(Purpose.SESSION_TOKEN, bytes(40 + padding), NONCE)
    spellings = [token + "\n", " " + token, token[:8] + "\n" + token[8:], token + "=", token + "====", token + "AA=="]
    spellings += [token[:8] + "=" + token[8:], token[:8] + "====" + token[8:], token + token, "\ufeff" + token]
    spellings += ["\ud800" * 60, "\0" * 60, "=" * 60, "é" * 60, token[:-1] + "\ud800"]
    if "=" in token:
        body = token.rstrip("=")
        spellings += [body, token.replace("=", ""), body[:-1] + chr(ord(body[-1]) + 1) + token[len(body) :]]
    if "/" in token or "+" in token:
        spellings.append(token.replace("/", "_").replace("+", "-"))
    for spelling in spellings:
        refused(spelling)


@pytest.mark.facts("R15")
@given(st.binary(max_size=3), st.text("ABCDwxyz0189+/=", min_size=4, max_size=4))
def test_only_the_canonical_ending_opens(plaintext: bytes, ending: str) -> None:
    token = RING.seal(Purpose.PAGINATION_MARKER, plaintext, NONCE)
    altered = token[:-4] + ending
    if altered != token:
        refused(altered, Purpose.PAGINATION_MARKER)


@pytest.mark.facts("R15")
def test_the_header_is_authenticated_and_so_is_the_nonce() -> None:
    raw = base64.b64decode(RING.seal_session(session(), NONCE))
    twin = KeyRing([SealingKey("0000000b", NOW, NEW.secret), SealingKey("0000000c", NOW, NEW.secret)])
    for header in (b"\x02" + raw[1:6], raw[:2] + bytes.fromhex("0000000c"), raw[:2] + bytes.fromhex("0000000a")):
        refused(base64.b64encode(header + raw[6:]).decode(), ring=twin)
    refused(base64.b64encode(raw[:6] + bytes(12) + raw[18:]).decode())


@pytest.mark.facts("R15")
def test_a_nonce_has_its_size_and_reaches_every_byte() -> None:
    for size in (0, 8, 11, 13, 16):
        with pytest.raises(ValueError, match="nonce"):
            RING.seal_session(session(), bytes(size))
    one, other = (base64.b64decode(RING.seal_session(session(), bytes((each,)) * 12)) for each in (1, 2))
    assert one[6:18] != other[6:18]
    assert sum(a == b for a, b in zip(one[18:], other[18:], strict=True)) < len(one) // 8


@pytest.mark.facts("R14")
def test_each_purpose_has_its_own_tag_and_key() -> None:
    tokens = {purpose: RING.seal(purpose, bytes(32), NONCE) for purpose in Purpose}
    assert len({base64.b64decode(token)[1] for token in tokens.values()}) == len(Purpose)
    assert len({base64.b64decode(token)[18:50] for token in tokens.values()}) == len(Purpose)
    for purpose, token in tokens.items():
        for other in set(Purpose) - {purpose}:
            assert "purpose" in str(refused(token, other))
            raw = base64.b64decode(token)
            refused(base64.b64encode(raw[:1] + bytes((other,)) + raw[2:]).decode(), other)


@pytest.mark.facts("R14")
def test_a_marker_that_holds_claims_is_no_session() -> None:
    marker = RING.seal(Purpose.PAGINATION_MARKER, msgspec.msgpack.encode(claims()), NONCE)
    with pytest.raises(TokenNotIntact):
        RING.open_session(marker)


@pytest.mark.facts("R14")
def test_the_secret_is_neither_in_the_token_nor_computed_from_it() -> None:
    token = RING.seal_session(session(), NONCE)
    raw = base64.b64decode(token)
    for shown in (SECRET.encode(), base64.b64decode(SECRET), base64.b64encode(SECRET.encode())[:50]):
        assert shown not in raw
        assert shown not in token.encode()
    alike = msgspec.structs.replace(session(), secret=Secret(SECRET[::-1]))
    assert RING.open_session(RING.seal_session(alike, NONCE)).secret.reveal() == SECRET[::-1]


@pytest.mark.facts("R13")
def test_old_keys_open_and_the_newest_seals() -> None:
    before = KeyRing([OLD]).seal_session(session(), NONCE)
    after = RING.seal_session(session(), NONCE)
    assert RING.open_session(before) == RING.open_session(after) == session()
    assert base64.b64decode(after)[2:6].hex() == NEW.id == RING.sealing_key_id
    assert KeyRing([NEW, OLD]).sealing_key_id == NEW.id
    assert KeyRing([sealing_key("0000000b"), sealing_key("0000000c")]).sealing_key_id == "0000000c"
    assert RING.key_ids == (OLD.id, NEW.id)


@pytest.mark.facts("R13")
def test_a_key_that_has_left_the_ring_kills_its_tokens() -> None:
    before = KeyRing([OLD]).seal_session(session(), NONCE)
    assert "0000000a" in str(refused(before, ring=KeyRing([NEW])))
    impostor = SealingKey(OLD.id, OLD.created, NEW.secret)
    refused(before, ring=KeyRing([impostor]))


def test_an_unknown_key_costs_no_decryption(monkeypatch: pytest.MonkeyPatch) -> None:
    class Untouchable:
        def __init__(self, _: bytes) -> None: ...
        def decrypt(self, *_: bytes) -> bytes:
            raise AssertionError("decrypted")

    monkeypatch.setattr(token_module, "AESGCM", Untouchable)
    ring = KeyRing([NEW])
    refused(_token_with_the_header_of_the_old_key(), ring=ring)


def _token_with_the_header_of_the_old_key() -> str:
    raw = base64.b64decode(RING.seal_session(session(), NONCE))
    return base64.b64encode(raw[:2] + bytes.fromhex(OLD.id) + raw[6:]).decode()


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param([], id="none"),
        pytest.param([OLD, SealingKey(OLD.id, NOW, NEW.secret)], id="the same id twice"),
    ],
)
def test_a_ring_without_keys_or_with_equal_ids_is_refused(keys: list[SealingKey]) -> None:
    with pytest.raises(ValueError, match="ring"):
        KeyRing(keys)


@pytest.mark.parametrize(("id", "size"), [("0000000", 32), ("0000000G", 32), ("0000000A", 32), ("00000001", 31)])
def test_a_malformed_ring_key_is_refused(id: str, size: int) -> None:
    with pytest.raises(ValueError, match="ring key"):
        SealingKey(id, NOW, bytes(size))


def test_length_is_bounded_in_both_directions() -> None:
    room = MAXIMUM_TOKEN // 4 * 3 - 34
    largest = RING.seal(Purpose.PAGINATION_MARKER, bytes(room), NONCE)
    assert len(largest) == MAXIMUM_TOKEN
    assert len(RING.open(Purpose.PAGINATION_MARKER, largest)) == room
    with pytest.raises(TokenTooLarge):
        RING.seal(Purpose.PAGINATION_MARKER, bytes(room + 1), NONCE)
    with pytest.raises(TokenTooLarge):
        RING.seal_session(session(policy="x" * 8000), NONCE)
    assert "length" in str(refused("A" * (MAXIMUM_TOKEN + 4)))


@given(st.text() | st.text("ABCQabc019+/=", max_size=300))
def test_arbitrary_text_is_not_intact(text: str) -> None:
    with pytest.raises(TokenNotIntact):
        RING.open_session(text)


@given(st.data())
def test_arbitrary_bytes_behind_a_good_header_are_not_intact(data: st.DataObject) -> None:
    header = base64.b64decode(RING.seal_session(session(), NONCE))[:18]
    with pytest.raises(TokenNotIntact):
        RING.open_session(base64.b64encode(header + data.draw(st.binary(max_size=400))).decode())


# What is intact, and still no session (R16)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20) | st.binary(),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.facts("R16")
@given(st.binary(max_size=300) | json_like.map(msgspec.msgpack.encode))
def test_sealed_nonsense_is_a_session_or_not_intact(plaintext: bytes) -> None:
    token = RING.seal(Purpose.SESSION_TOKEN, plaintext, NONCE)
    with pytest.raises(TokenNotIntact):
        RING.open_session(token)


@pytest.mark.facts("R16")
@given(st.integers(0, 9), json_like)
def test_a_session_with_one_claim_exchanged_keeps_every_rule(index: int, value: Any) -> None:
    array = claims()
    array[index] = value
    try:
        opened = RING.open_session(sealed(array))
    except TokenNotIntact:
        return
    assert 0 < opened.expires - opened.issued <= MAXIMUM_LIFETIME[opened.kind]
    assert opened.issued >= 0
    assert arn.is_unique_id(opened.principal_id)
    assert all(type(each) is str for each in (opened.name, opened.account, opened.access_key_id, *opened.policy_arns))


@pytest.mark.facts("R16")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        (name, value)
        for name in Session.__struct_fields__[:8]
        for value in NOTHING_OR_ODD
        if (name, value) != ("name", "x" * 20)
    ],
)
def test_no_required_claim_can_be_replaced_by_nothing_or_by_another_type(name: str, value: Any) -> None:
    with pytest.raises(TokenNotIntact):
        RING.open_session(sealed(claims(**{name: value})))


@pytest.mark.facts("R16")
@pytest.mark.parametrize("count", range(8))
def test_no_required_claim_can_be_left_out(count: int) -> None:
    with pytest.raises(TokenNotIntact, match="number of claims"):
        RING.open_session(sealed(claims()[:count]))


def test_claims_that_came_later_can_be_left_out() -> None:
    assert RING.open_session(sealed(claims()[:8])) == session()


@pytest.mark.facts("R16")
def test_a_claim_that_this_release_does_not_know_is_refused() -> None:
    with pytest.raises(TokenNotIntact, match="number of claims"):
        RING.open_session(sealed([*claims(), None]))
    with pytest.raises(TokenNotIntact):
        RING.open_session(RING.seal(Purpose.SESSION_TOKEN, msgspec.msgpack.encode(claims()) + b"\xc0", NONCE))


@pytest.mark.facts("R16")
@pytest.mark.parametrize("kind", SessionKind, ids=lambda each: str(each.name))
def test_the_lifetime_of_each_kind_is_enforced_at_use(kind: SessionKind) -> None:
    longest = MAXIMUM_LIFETIME[kind]
    assert RING.open_session(sealed(claims(kind, expires=NOW + longest))).expires == NOW + longest
    assert RING.open_session(sealed(claims(kind, expires=NOW + 1))).expires == NOW + 1
    at_once = () if kind is SessionKind.ROOT_TASK else (NOW,)
    for expires in (NOW + longest + 1, *at_once, NOW - 1, 0, 2**63):
        with pytest.raises(TokenNotIntact, match="times"):
            RING.open_session(sealed(claims(kind, expires=expires)))
    with pytest.raises(TokenNotIntact, match="times"):
        RING.open_session(sealed(claims(kind, issued=-5, expires=5)))


@pytest.mark.facts("R16")
@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        pytest.param(SessionKind.ROLE, {"access_key_id": "AKIA" + "Q" * 16}, id="a long-term key id"),
        pytest.param(SessionKind.ROLE, {"access_key_id": "ASIA" + "Q" * 15}, id="a short key id"),
        pytest.param(SessionKind.ROLE, {"access_key_id": "ASIA" + "Q" * 17}, id="a long key id"),
        pytest.param(SessionKind.ROLE, {"access_key_id": "ASIA" + "q" * 16}, id="a key id in lower case"),
        pytest.param(SessionKind.ROLE, {"secret": SECRET[1:]}, id="a short secret"),
        pytest.param(SessionKind.ROLE, {"secret": SECRET + "x"}, id="a long secret"),
        pytest.param(SessionKind.ROLE, {"account": "12345678901"}, id="a short account"),
        pytest.param(SessionKind.ROLE, {"account": "1234567890123"}, id="a long account"),
        pytest.param(SessionKind.ROLE, {"account": "١٢٣٤٥٦٧٨٩٠١٢"}, id="digits that are not ASCII"),
        pytest.param(SessionKind.ROLE, {"account": f"{ACCOUNT} {ACCOUNT}"}, id="two accounts"),
        pytest.param(SessionKind.ROLE, {"principal_id": PRINCIPALS[SessionKind.USER]}, id="a role session of a user"),
        pytest.param(SessionKind.ROLE, {"principal_id": ACCOUNT}, id="a role session of root"),
        pytest.param(SessionKind.ROLE, {"principal_id": "AROAQ2DZ5KX7N3M4P6R8A\n"}, id="a line end in an id"),
        pytest.param(SessionKind.USER, {"principal_id": PRINCIPALS[SessionKind.ROLE]}, id="a user session of a role"),
        pytest.param(SessionKind.USER, {"principal_id": ACCOUNT}, id="a user session of root"),
        pytest.param(SessionKind.ROOT, {"principal_id": PRINCIPALS[SessionKind.USER]}, id="a root session of a user"),
        pytest.param(SessionKind.ROOT, {"principal_id": "210987654321"}, id="root of another account"),
        pytest.param(SessionKind.ROLE, {"name": ""}, id="a role session without a name"),
        pytest.param(SessionKind.ROLE, {"kind": 0}, id="kind 0"),
        pytest.param(SessionKind.ROLE, {"kind": 255}, id="an unknown kind"),
        pytest.param(SessionKind.ROLE, {"policy": ["x"]}, id="a policy that is no text"),
        pytest.param(SessionKind.ROLE, {"policy_arns": "x"}, id="policies that are no list"),
        pytest.param(SessionKind.ROLE, {"policy_arns": [None]}, id="a policy ARN that is no text"),
    ],
)
def test_claims_that_do_not_fit_are_refused(kind: SessionKind, changed: dict[str, Any]) -> None:
    assert RING.open_session(sealed(claims(kind))) == session(kind)
    with pytest.raises(TokenNotIntact):
        RING.open_session(sealed(claims(kind, **changed)))


# Secrets


def test_nothing_here_prints_a_secret() -> None:
    shown = " ".join(map(repr, (NEW, RING, session(), RING.open_session(sealed(claims())), Secret(SECRET))))
    shown += str(refused("AQ" + "A" * 200)) + str(NEW) + str(RING)
    assert SECRET not in shown
    assert repr(NEW.secret) not in shown
    assert NEW.secret.hex() not in shown


@pytest.mark.parametrize("changed", [{"secret": SECRET + "leak"}, {"secret": 5}, {"expires": 5}, {"account": "x"}])
def test_a_refusal_prints_no_claim(changed: dict[str, Any]) -> None:
    with pytest.raises(TokenNotIntact) as caught:
        RING.open_session(sealed(claims(**changed)))
    error: BaseException | None = caught.value
    assert SECRET not in str(error)
    assert error is not None
    assert error.__cause__ is None


@given(st.binary(min_size=30, max_size=30))
def test_a_secret_access_key_is_40_characters_that_hold_every_random_bit(random: bytes) -> None:
    made = secret_access_key(random).reveal()
    assert len(made) == 40
    assert base64.b64decode(made) == random


@pytest.mark.parametrize("size", [0, 29, 31])
def test_a_secret_access_key_takes_exactly_its_random_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="30"):
        secret_access_key(bytes(size))


def test_only_sessions_are_sealed_as_sessions() -> None:
    with pytest.raises(TypeError):
        RING.seal_session(object(), NONCE)  # type: ignore[arg-type]
