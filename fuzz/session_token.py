"""Session tokens: bytes that nobody sealed, and claims that should not have been sealed."""

from __future__ import annotations

import base64
from typing import Final

import msgspec

from locum.core.session import Session, SessionKind
from locum.core.token import KeyRing, Purpose, SealingKey, TokenNotIntact, TokenTooLarge
from locum.secret import Secret

_RING: Final = KeyRing([SealingKey("0123abcd", 1, bytes(range(32)))])
_NONCE: Final = bytes(12)
_CLAIMS: Final = [3, "ASIAQNZGKIQY56JQ7WML", "s" * 40, "111122223333", "AROAAAAAAAAAAAAAAAAAA", "s1", 1_000, 1_900]
SEEDS: Final = (
    msgspec.msgpack.encode(_CLAIMS),
    msgspec.msgpack.encode([*_CLAIMS, '{"Statement":[]}', ["arn:aws:iam::aws:policy/ReadOnlyAccess"]]),
    base64.b64encode(b"\x01\x01\x01\x23\xab\xcd" + bytes(40)),
    b"",
)


def run(data: bytes) -> None:
    """The data as a token, which never opens, and as sealed claims, which are whole or refused (R15, R16)."""
    for token in (data.decode("latin-1"), base64.b64encode(b"\x01\x01\x01\x23\xab\xcd" + data).decode()):
        try:
            _RING.open_session(token)
        except TokenNotIntact:
            continue
        raise AssertionError("a token was opened that nobody sealed")
    try:
        sealed = _RING.seal(Purpose.SESSION_TOKEN, data, _NONCE)
        session = _RING.open_session(sealed)
    except (TokenNotIntact, TokenTooLarge):
        return
    assert isinstance(session, Session)
    assert isinstance(session.kind, SessionKind)
    assert isinstance(session.secret, Secret)
    assert 0 < session.expires - session.issued <= 129_600
    assert _RING.open_session(_RING.seal_session(session, _NONCE)) == session
