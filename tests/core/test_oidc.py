"""Identity tokens: hints, issuers, verification, and what goes with it (area WI)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.core.key_set import KeySet, read_keys
from locum.core.oidc import (
    ANY_AUDIENCE,
    BUILT_IN,
    Claims,
    IssuerRules,
    UnknownKey,
    built_in,
    hints,
    provider_arn,
    verify,
)
from locum.errors import ExpiredTokenException, InvalidIdentityTokenException

from .issuer import ISSUER, NOW, key_set, public, token

RULES = IssuerRules()
OLD = read_keys(key_set(public("p256", kid="k")))
ROTATED = read_keys(key_set(public("rsa", kid="k")))


def check(made: str, keys: KeySet, *, now: float = NOW, issuer: str = ISSUER, rules: IssuerRules = RULES) -> Claims:
    return verify(made, keys, issuer=issuer, client_ids=["client-1"], rules=rules, now=now)


@pytest.mark.facts("R6")
def test_hints_are_read_before_anything_is_believed_and_show_no_token() -> None:
    made = token("forger", kid="k")
    read = hints(made)
    assert (read.issuer, read.key_id, read.algorithm) == (ISSUER, "k", "RS256")
    assert repr(read) == f"Hints(issuer={ISSUER!r}, key_id='k', algorithm='RS256')"
    assert hints(token(kid=None)).key_id is None


@pytest.mark.facts("R4")
@pytest.mark.parametrize(
    ("forged", "by_old_key"),
    [
        (token("forger", kid="k"), False),
        (token("p256", "ES256", kid="k"), True),
        (token("rsa", kid="other"), False),
        (token("rsa", kid="k")[:-4] + "AAAA", False),
    ],
    ids=["by a forger", "by the old key", "by a key of another id", "altered"],
)
def test_new_keys_refuse_what_they_did_not_sign_as_the_old_ones_did(forged: str, by_old_key: bool) -> None:
    for keys in (OLD, ROTATED):
        if keys is OLD and by_old_key:
            assert check(forged, keys).subject == "alice"
            continue
        with pytest.raises(UnknownKey):
            check(forged, keys)


@pytest.mark.facts("R4")
def test_the_second_verification_checks_everything_that_the_first_did() -> None:
    for made, error in (
        (token(kid="k", aud="client-2"), InvalidIdentityTokenException),
        (token(kid="k", exp=NOW - 300), ExpiredTokenException),
        (token(kid="k", iss="https://evil.example"), InvalidIdentityTokenException),
        (token(kid="k", algorithm="PS256"), InvalidIdentityTokenException),
    ):
        for keys in (OLD, ROTATED):
            with pytest.raises(error if keys is ROTATED else InvalidIdentityTokenException):
                check(made, keys)
    assert check(token(kid="k"), ROTATED).subject == "alice"


@pytest.mark.facts("STS-WI-018")
def test_a_key_that_does_not_fit_is_the_recorded_refusal() -> None:
    with pytest.raises(UnknownKey) as refused:
        check(token(), OLD)
    assert refused.value.code == "InvalidIdentityToken"
    assert refused.value.message == (
        "Couldn't retrieve verification key from your identity provider,  please reference "
        "AssumeRoleWithWebIdentity documentation for requirements"
    )


@pytest.mark.facts("STS-WI-011", "STS-WI-012")
def test_time_is_compared_to_the_fraction_of_a_second() -> None:
    made = token(kid="k", exp=NOW, iat=NOW - 60)
    assert check(made, ROTATED, now=NOW + 299.999).expires == NOW
    with pytest.raises(ExpiredTokenException) as refused:
        check(made, ROTATED, now=NOW + 300.9)
    assert refused.value.message == (
        f"Token expired: current date/time {NOW + 300} must be before the expiration date/time {NOW}"
    )


@pytest.mark.facts("STS-WI-007", "R2")
@pytest.mark.parametrize("algorithm", ["PS256", "PS384", "PS512"])
def test_an_extra_algorithm_is_for_the_issuers_whose_rules_name_it(algorithm: str) -> None:
    made = token(kid="k", algorithm=algorithm)
    rules = IssuerRules(extra_algorithms=(algorithm,))
    assert check(made, ROTATED, rules=rules).subject == "alice"
    others = tuple({"PS256", "PS384", "PS512", "EdDSA"} - {algorithm})
    with pytest.raises(InvalidIdentityTokenException):
        check(made, ROTATED, rules=IssuerRules(extra_algorithms=others))


@pytest.mark.facts("R1", "R2")
def test_no_rule_allows_an_algorithm_without_keys_or_with_shared_ones() -> None:
    rules = IssuerRules(extra_algorithms=("none", "HS256"))
    header = "eyJhbGciOiJub25lIiwia2lkIjoiayJ9"
    _, body, signature = token(kid="k").split(".")
    for made in (f"{header}.{body}.{signature}", f"eyJhbGciOiJIUzI1NiIsImtpZCI6ImsifQ.{body}.{signature}"):
        with pytest.raises(InvalidIdentityTokenException):
            check(made, ROTATED, rules=rules)


@pytest.mark.facts("STS-WI-006")
def test_an_issuer_without_tls_needs_its_rule() -> None:
    issuer = "http://127.0.0.1:8080"
    made = token(kid="k", iss=issuer)
    with pytest.raises(InvalidIdentityTokenException, match="No OpenIDConnect provider found in your account for http"):
        check(made, ROTATED, issuer=issuer)
    assert check(made, ROTATED, issuer=issuer, rules=IssuerRules(loopback_http=True)).issuer == issuer


@pytest.mark.facts("STS-WI-004", "STS-WI-006")
@pytest.mark.parametrize(
    ("issuer", "name"),
    [
        ("https://idp.example.com", "idp.example.com"),
        ("https://idp.example.com/", "idp.example.com/"),
        ("https://IDP.example.com/A/b", "IDP.example.com/A/b"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
    ],
)
def test_the_provider_is_named_by_the_issuer_character_by_character(issuer: str, name: str) -> None:
    assert provider_arn("aws", "111122223333", issuer) == f"arn:aws:iam::111122223333:oidc-provider/{name}"


@pytest.mark.facts("STS-WI-006", "STS-WI-017")
@pytest.mark.parametrize(
    "issuer", ["", "idp.example.com", "ftp://idp.example.com", "https://", "HTTPS://idp.example.com"]
)
def test_an_issuer_that_is_no_url_has_no_provider(issuer: str) -> None:
    with pytest.raises(InvalidIdentityTokenException) as refused:
        provider_arn("aws", "111122223333", issuer)
    assert refused.value.message == f"No OpenIDConnect provider found in your account for {issuer}"


@pytest.mark.facts("STS-WI-005")
def test_built_in_issuers_are_known_in_their_spellings_and_no_other() -> None:
    google, cognito = BUILT_IN
    assert built_in("https://accounts.google.com") is built_in("accounts.google.com") is google
    assert built_in("https://cognito-identity.amazonaws.com") is cognito
    for other in ("https://accounts.google.com/", "http://accounts.google.com", "cognito-identity.amazonaws.com", ""):
        assert built_in(other) is None
    assert (google.name, cognito.name) == ("accounts.google.com", "cognito-identity.amazonaws.com")


@pytest.mark.facts("STS-WI-005")
def test_spellings_of_one_built_in_issuer_are_one_and_of_two_are_not() -> None:
    for issuer in ("https://accounts.google.com", "accounts.google.com"):
        assert check(token(kid="k", iss="accounts.google.com"), ROTATED, issuer=issuer).issuer == "accounts.google.com"
    with pytest.raises(InvalidIdentityTokenException):
        check(token(kid="k", iss="accounts.google.com"), ROTATED, issuer="https://cognito-identity.amazonaws.com")


@pytest.mark.facts("R8")
def test_a_built_in_issuer_needs_an_audience_too() -> None:
    google = BUILT_IN[0]
    assert google.client_ids is ANY_AUDIENCE
    for audience in ("", [], None, 1, [""]):
        with pytest.raises(InvalidIdentityTokenException):
            verify(
                token(kid="k", iss=google.issuer, aud=audience),
                ROTATED,
                issuer=google.issuer,
                client_ids=google.client_ids,
                rules=RULES,
                now=NOW,
            )
    assert repr(ANY_AUDIENCE) == "any audience, which the trust policy must test"
    assert list(ANY_AUDIENCE) == []


@given(st.text(max_size=200) | st.text("eyJ.-_=09", max_size=60))
def test_any_text_is_a_token_that_is_refused(text: str) -> None:
    with pytest.raises(InvalidIdentityTokenException):
        check(text, ROTATED)
