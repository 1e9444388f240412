"""Identity tokens in files: each hostile one is refused for its own reason, each good one is accepted, by oracles too.

``tests/vectors/make_oidc.py`` makes them without our code; files of tokens that real identity providers issued stand
beside made.json, in the same form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
from jwcrypto import jwk, jws

from locum.core.key_set import KeySet, read_keys
from locum.core.oidc import ANY_AUDIENCE, Claims, IssuerRules, hints, identity, verify
from locum.core.proof import Trail
from locum.errors import STSServiceException

VECTORS: Final = Path(__file__).parents[1] / "vectors"
HOSTILE: Final[dict[str, Any]] = json.loads((VECTORS / "oidc" / "hostile.json").read_text())
GOOD: Final[list[dict[str, Any]]] = [
    {"jwks": document["jwks"], **each}
    for path in sorted((VECTORS / "good" / "oidc").glob("*.json"))
    for document in (json.loads(path.read_text()),)
    for each in document["good"]
]
FACT: Final = re.compile(r"R\d{1,2}|STS-[A-Z]+-T?\d{2,3}")


def parameters(vectors: Iterable[dict[str, Any]]) -> list[Any]:
    return [pytest.param(each, id=each["name"], marks=pytest.mark.facts(*each["facts"])) for each in vectors]


def key_set(document: dict[str, Any]) -> KeySet:
    return read_keys(json.dumps(document["jwks"]).encode())


COMMON: Final = key_set(HOSTILE)


def check(vector: dict[str, Any], trail: Trail | None = None) -> Claims:
    return verify(
        vector["token"],
        key_set(vector),
        issuer=vector["issuer"],
        client_ids=ANY_AUDIENCE if vector["client_ids"] is None else vector["client_ids"],
        rules=IssuerRules(extra_algorithms=tuple(vector["extra_algorithms"])),
        now=vector["now"],
        trail=trail,
    )


@pytest.mark.facts("R6")
@pytest.mark.parametrize("vector", parameters(HOSTILE["hostile"]))
def test_a_hostile_token_is_refused_and_the_trail_says_why(vector: dict[str, Any]) -> None:
    trail = Trail()
    for followed in (None, trail):
        with pytest.raises(STSServiceException) as refused:
            verify(
                vector["token"],
                COMMON,
                issuer=HOSTILE["issuer"],
                client_ids=["client-1"],
                rules=IssuerRules(),
                now=HOSTILE["now"],
                trail=followed,
            )
        assert (refused.value.code, refused.value.message) == (vector["error"], vector["message"])
        assert refused.value.status == 400
        assert refused.value.__notes__[0].startswith(f"{vector['check']}: ")
    last = trail.checks[-1]
    assert (last.name, last.passed) == (vector["check"], False)
    assert all(each.passed for each in trail.checks[:-1])
    signature = vector["token"].rpartition(".")[2]
    if len(signature) > 16:
        assert not any(signature in each.expected + each.found for each in trail.checks)


@pytest.mark.parametrize("vector", parameters(GOOD))
def test_a_good_token_is_accepted(vector: dict[str, Any]) -> None:
    trail = Trail()
    claims = check(vector, trail)
    assert (claims.subject, claims.audience) == (vector["subject"], vector["audience"])
    assert all(each.passed for each in trail.checks)
    names = [each.name for each in trail.checks if each.name != "not before"]
    assert names == ["format", "algorithm", "issuer", "key", "signature", "expiry", "issued", "audience"]


@pytest.mark.parametrize("vector", parameters(GOOD))
def test_a_good_token_says_who_its_bearer_is(vector: dict[str, Any]) -> None:
    prefix = vector["issuer"].removeprefix("https://")
    found = identity(check(vector), provider="provider", account="111122223333", prefix=prefix, role_arn=None)
    assert (found.subject, found.audience) == (vector["subject"], vector["audience"])
    assert found.keys[f"{prefix.lower()}:sub"] == vector["subject"]
    assert found.keys[f"{prefix.lower()}:aud"] == vector["audience"]


@pytest.mark.parametrize("vector", parameters(GOOD))
def test_independent_libraries_accept_its_signature_too(vector: dict[str, Any]) -> None:
    read = hints(vector["token"])
    members = {each["kid"]: each for each in vector["jwks"]["keys"]}
    member = members[read.key_id] if read.key_id else next(iter(members.values()))
    known = {name: value for name, value in member.items() if name not in ("alg", "use", "x5c", "x5t", "x5t#S256")}
    theirs = jwt.decode_complete(
        vector["token"],
        jwt.PyJWK({**known, "alg": read.algorithm}).key,
        algorithms=[read.algorithm],
        options={
            "verify_aud": False,
            "verify_exp": False,
            "verify_iat": False,
            "verify_nbf": False,
            "verify_sub": False,
        },
    )
    signed = jws.JWS()
    signed.allowed_algs = [read.algorithm]
    signed.deserialize(vector["token"], jwk.JWK(**known))
    assert dict(check(vector).members) == theirs["payload"] == json.loads(signed.payload)


def test_every_fact_that_a_vector_names_has_the_form_of_an_id() -> None:
    facts = {fact for vector in (*HOSTILE["hostile"], *GOOD) for fact in vector["facts"]}
    assert [fact for fact in facts if not FACT.fullmatch(fact)] == []
