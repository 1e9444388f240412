"""Identity tokens and key sets: what strangers and their issuers send, read and refused."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import Final

from locum.core.jose import JoseError, read_compact
from locum.core.key_set import KeySet, KeySetError, read_keys
from locum.core.oidc import IssuerRules, hints, identity, verify
from locum.errors import ExpiredTokenException, InvalidIdentityTokenException
from locum.wire.strict_json import JsonError, read_json

_JWKS: Final = (
    b'{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",'
    b'"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},{"kty":"RSA","kid":"b","n":"AQAB","e":"AQAB"},'
    b'{"kty":"OKP","crv":"Ed25519","kid":"c","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'
)
_KEYS: Final = read_keys(_JWKS)
_ISSUER: Final = "https://idp.example.com"
_RULES: Final = IssuerRules(extra_algorithms=("EdDSA",))
_ROLE: Final = "arn:aws:iam::111122223333:role/x"
_HEADER: Final = b'{"alg":"EdDSA","kid":"c"}'
_CLAIMS: Final = (
    b'{"iss":"https://idp.example.com","sub":"s","aud":["a","b"],"azp":"a","iat":1,"exp":"9","amr":["pwd"],'
    b'"https://aws.amazon.com/tags":{"principal_tags":{"k":["v"]},"transitive_tag_keys":["k"]},'
    b'"https://aws.amazon.com/roles":"arn:aws:iam::111122223333:role/x","https://aws.amazon.com/source_identity":"ab"}'
)
SEEDS: Final = (
    _CLAIMS,
    _HEADER,
    _JWKS,
    b'{"alg":"RS256","jwk":{},"crit":["b64"],"b64":false,"alg":"none"}',
    b"eyJhbGciOiJFZERTQSIsImtpZCI6ImMifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlLmNvbSJ9.AAAA",
)


class _Believing:
    """A key that takes every signature, so that claims are reached which nobody can sign."""

    key_type = "OKP"
    curve = "Ed25519"

    def fits(self, algorithm: str) -> bool:
        return algorithm == "EdDSA"

    def verify(self, algorithm: str, signed: bytes, signature: bytes) -> None:
        return


_BELIEVING: Final = KeySet({"c": _Believing()})  # type: ignore[dict-item]


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _check(token: str, keys: KeySet) -> bool:
    try:
        claims = verify(token, keys, issuer=_ISSUER, client_ids=("a",), rules=_RULES, now=100.0)
        who = identity(claims, provider="p", account="111122223333", prefix="idp.example.com", role_arn=_ROLE)
    except (ExpiredTokenException, InvalidIdentityTokenException):
        return False
    assert who.keys["idp.example.com:sub"] == claims.subject
    who.subject.encode()
    return True


def run(data: bytes) -> None:
    """The data as a token, as its header, as its claims and as a key set: a value or a declared error (R3)."""
    for token in (
        data.decode("latin-1"),
        f"{_part(data)}.{_part(_CLAIMS)}.AAAA",
        f"{_part(_HEADER)}.{_part(data)}.AAAA",
    ):
        assert not _check(token, _KEYS), "a token was believed that nobody signed"
        try:
            compact = read_compact(token)
            assert compact.signed == token.rpartition(".")[0].encode()
            assert hints(token).algorithm == compact.header["alg"]
        except (JoseError, InvalidIdentityTokenException):
            continue
    _check(f"{_part(_HEADER)}.{_part(data)}.AAAA", _BELIEVING)
    with suppress(JsonError):
        read_json(data, containers=64)
    try:
        keys = read_keys(data)
    except KeySetError:
        return
    assert all(keys.find(key_id) is not None for key_id in keys.key_ids)
