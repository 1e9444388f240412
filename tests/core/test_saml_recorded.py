"""What real SAML identity providers issued, in files: all in ``tests/vectors/good/saml`` is accepted, now and for ever.

``python -m tests.interop.idps.record`` wrote them; each says by what, and the time at which it is verified.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from locum.core.proof import Trail
from locum.core.saml import Expected, SamlRules, Verified, read_metadata, verify
from locum.errors import ExpiredTokenException, InvalidIdentityTokenException

VECTORS: Final = Path(__file__).parents[1] / "vectors"


def vectors(folder: str, kind: str) -> list[Any]:
    return [
        pytest.param({**document, **each}, id=each["name"])
        for path in sorted((VECTORS / folder).glob("recorded*.json"))
        for document in (json.loads(path.read_text()),)
        for each in document[kind]
    ]


GOOD: Final = vectors("good/saml", "good")
REFUSED: Final = vectors("saml", "refused")


def check(
    vector: dict[str, Any],
    trail: Trail | None = None,
    *,
    now: float | None = None,
    rules: dict[str, bool] | None = None,
) -> Verified:
    """Verify a response at its time under its rules, or others."""
    key = load_pem_private_key(vector["private_key"].encode(), None)
    assert isinstance(key, RSAPrivateKey)
    expected = Expected(
        provider_arn=vector["provider"],
        account=vector["account"],
        provider_name=vector["provider_name"],
        role_arn=vector["role"],
        metadata=read_metadata(vector["provider_metadata"]),
        private_keys=(key,),
        rules=msgspec.convert(vector["rules"] if rules is None else rules, SamlRules),
    )
    return verify(vector["response"], expected, vector["now"] if now is None else now, trail, request_id="r-1")


@pytest.mark.facts("STS-SAML-002", "STS-TAG-020")
@pytest.mark.parametrize("vector", GOOD)
def test_a_good_response_is_accepted(vector: dict[str, Any]) -> None:
    trail = Trail()
    proved = check(vector, trail).identity
    assert all(each.passed for each in trail.checks)
    assert {tag.key: tag.value for tag in proved.tags} == vector["tags"]
    assert list(proved.transitive_tag_keys) == vector["transitive_tag_keys"]
    for name in ("issuer", "subject", "subject_type", "audience", "session_name", "source_identity"):
        assert getattr(proved, name) == vector[name], name


@pytest.mark.parametrize("vector", [each for each in GOOD if each.values[0]["rules"]])
def test_what_needs_permission_is_refused_without(vector: dict[str, Any]) -> None:
    with pytest.raises(InvalidIdentityTokenException):
        check(vector, rules={})


@pytest.mark.parametrize("vector", REFUSED)
def test_what_no_permission_helps_is_refused(vector: dict[str, Any]) -> None:
    trail = Trail()
    with pytest.raises(InvalidIdentityTokenException):
        check(vector, trail, rules={"allow_cbc": True, "allow_sha1": True, "lax": True})
    assert [each.name for each in trail.checks if not each.passed] == ["decryption"]


@pytest.mark.parametrize("vector", GOOD)
def test_every_response_ends(vector: dict[str, Any]) -> None:
    check(vector, now=vector["now"] + 290)
    with pytest.raises(ExpiredTokenException):
        check(vector, now=vector["now"] + 310)
