"""What an account's issuer publishes over HTTP, to anybody and at any time (STS-GWT-011, IAM-OUT-002)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
from jwcrypto.jwk import JWKSet
from jwcrypto.jws import JWS

from locum.api import sts
from locum.api.iam.outbound import (
    DisableOutboundWebIdentityFederationCommand,
    EnableOutboundWebIdentityFederationCommand,
)
from locum.core.outbound import AHEAD, BEHIND, FRESH
from locum.server.signing_keys import list_issuer_keys, retire, rotate
from locum.wire.answer import decode_response

from .conftest import ACCOUNT, START
from .edge import Answer, Edge

URL: Final = "https://sts.example.org"


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    made = Edge(tmp_path, public_url=URL)
    yield made
    made.lifespan("shutdown")


def enable(edge: Edge) -> str:
    """The path of the account's issuer."""
    answer = edge.call(EnableOutboundWebIdentityFederationCommand(), edge.root)
    url = decode_response(answer.body, EnableOutboundWebIdentityFederationCommand).issuer_identifier
    assert url is not None
    assert url.startswith(f"{URL}/issuer/")
    return url.removeprefix(URL)


def page(edge: Edge, target: str, **more: Any) -> Answer:
    return edge.get(target, headers=(("host", "sts.example.org"),), **more)


def document(edge: Edge, target: str) -> dict[str, Any]:
    answer = page(edge, target)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    read: dict[str, Any] = json.loads(answer.body)
    return read


def token(edge: Edge, algorithm: str = "RS256") -> str:
    command = sts.GetWebIdentityTokenCommand(audience=("api",), signing_algorithm=algorithm, duration_seconds=3_600)
    answer = edge.call(command, edge.root)
    return decode_response(answer.body, sts.GetWebIdentityTokenCommand).web_identity_token.reveal()


def verify(edge: Edge, issuer: str, text: str) -> dict[str, Any]:
    """What two independent libraries read in a token, with the keys that the discovery document leads to."""
    found = document(edge, f"{issuer}/.well-known/openid-configuration")
    published = json.dumps(document(edge, found["jwks_uri"].removeprefix(URL)))
    header = jwt.get_unverified_header(text)
    key = jwt.PyJWKSet.from_json(published)[header["kid"]]
    options: Any = {"verify_exp": False, "verify_iat": False}
    algorithms = found["id_token_signing_alg_values_supported"]
    claims: dict[str, Any] = jwt.decode(
        text, key, algorithms=algorithms, audience="api", issuer=found["issuer"], options=options
    )
    assert edge.now < claims["exp"]
    other = JWS()
    other.deserialize(text, JWKSet.from_json(published).get_key(header["kid"]), alg=header["alg"])
    assert json.loads(other.payload) == claims
    return claims


@pytest.mark.facts("STS-GWT-011", "IAM-OUT-002", "IAM-OUT-004")
@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_anybody_verifies_a_token_from_its_issuer_alone(edge: Edge, algorithm: str) -> None:
    issuer = enable(edge)
    text = token(edge, algorithm)
    claims = verify(edge, issuer, text)
    assert claims["iss"] == URL + issuer
    assert claims["sub"] == f"arn:aws:iam::{ACCOUNT}:root"


@pytest.mark.facts("STS-GWT-011")
def test_tokens_are_verified_after_the_account_stopped_issuing(edge: Edge) -> None:
    issuer = enable(edge)
    text = token(edge)
    assert edge.call(DisableOutboundWebIdentityFederationCommand(), edge.root).status == 200
    assert verify(edge, issuer, text)["iss"] == URL + issuer


def test_the_pages_may_be_kept_for_less_long_than_a_key_is_announced(edge: Edge) -> None:
    issuer = enable(edge)
    for name in ("openid-configuration", "jwks.json"):
        answer = page(edge, f"{issuer}/.well-known/{name}")
        assert answer.headers["cache-control"] == f"public, max-age={FRESH}"
    assert FRESH < AHEAD


def test_what_is_no_page_is_not_found_and_nothing_is_kept_of_it(edge: Edge) -> None:
    issuer = enable(edge)
    kept = len(edge.app._pipeline.facts)
    strange = "/issuer/00000000-0000-4000-8000-000000000000"
    for target in (
        f"{strange}/.well-known/jwks.json",
        f"{strange}/.well-known/openid-configuration",
        "/issuer/",
        f"{issuer}",
        f"{issuer}/",
        f"{issuer}/.well-known/",
        f"{issuer}/.well-known/jwks.json/",
        f"{issuer}/.well-known/jwks.json%00",
        f"{issuer.upper().replace('ISSUER', 'issuer')}/.well-known/jwks.json",
        f"/issuer/../issuer/{issuer[8:]}/.well-known/jwks.json",
        f"/issuer/{ACCOUNT}/.well-known/jwks.json",
        "/issuer/" + "a" * 10_000,
        "/issuer/%zz",
    ):
        assert page(edge, target).status == 404, target
    assert len(edge.app._pipeline.facts) == kept


def test_the_pages_are_only_read(edge: Edge) -> None:
    issuer = enable(edge)
    for _ in range(2):  # the second time from what is kept
        assert page(edge, f"{issuer}/.well-known/jwks.json", method="POST").status == 405
        assert page(edge, f"{issuer}/.well-known/jwks.json", method="HEAD").status == 200
        assert page(edge, f"{issuer}/.well-known/jwks.json").status == 200


def test_a_host_that_is_not_ours_gets_no_page(edge: Edge) -> None:
    issuer = enable(edge)
    assert edge.get(f"{issuer}/.well-known/jwks.json", headers=(("host", "evil.example"),)).status == 400


def test_a_kept_page_needs_neither_a_thread_nor_the_store(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = enable(edge)
    first = page(edge, f"{issuer}/.well-known/jwks.json")

    def unread(*_: object) -> None:
        raise AssertionError("the store was read")

    monkeypatch.setattr(type(edge.store), "snapshot", unread)
    assert page(edge, f"{issuer}/.well-known/jwks.json") == first


def test_a_page_that_cannot_be_made_is_unavailable_and_tells_nothing(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = enable(edge)

    def broken(*_: object) -> None:
        raise OSError("disk on fire")

    monkeypatch.setattr(type(edge.store), "snapshot", broken)
    answer = page(edge, f"{issuer}/.well-known/jwks.json")
    assert (answer.status, "fire" in answer.text) == (503, False)


# Rotation


def states(edge: Edge) -> dict[str, str]:
    with edge.store.snapshot() as rows:
        found = list_issuer_keys(rows, [ACCOUNT], int(edge.now))
    return {each.id: each.state for each in found if each.algorithm == "RS256"}


def kid(text: str) -> str:
    found: str = jwt.get_unverified_header(text)["kid"]
    return found


def test_a_rotation_breaks_no_token(edge: Edge) -> None:
    """The last token of the old key is good until its very end, and the first of the new one to whoever kept keys."""
    issuer = enable(edge)
    edge.now += 1_000
    old = kid(token(edge))
    (new, _) = rotate(edge.store, edge.vault, ACCOUNT, int(edge.now), edge.random)
    kept = document(edge, f"{issuer}/.well-known/jwks.json")
    assert states(edge) == {old: "signing", new.id: "announced"}
    edge.now += AHEAD - 1
    last = token(edge)
    assert kid(last) == old
    edge.now += 1
    first = token(edge)
    assert kid(first) == new.id
    assert new.id in [each["kid"] for each in kept["keys"]]
    edge.now += 3_598
    verify(edge, issuer, last)
    edge.now += BEHIND - 3_598
    assert states(edge) == {old: "withdrawn", new.id: "signing"}
    found = document(edge, f"{issuer}/.well-known/jwks.json")
    assert old not in [each["kid"] for each in found["keys"]]
    assert len(found["keys"]) == 2


def test_a_key_in_wrong_hands_is_replaced_and_withdrawn_at_once(edge: Edge) -> None:
    issuer = enable(edge)
    forged = token(edge)
    rotate(edge.store, edge.vault, ACCOUNT, int(edge.now), edge.random, at_once=True)
    assert kid(token(edge)) != kid(forged)
    with edge.store.transaction() as rows:
        retire(rows, ACCOUNT, kid(forged), int(edge.now))
    verify(edge, issuer, token(edge))
    with pytest.raises(KeyError):
        verify(edge, issuer, forged)
    assert edge.now == START
