"""What good SAML responses prove: the identity, its condition keys, and what it asks for in the session."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from locum.api.sts import Tag
from locum.core.proof import Trail
from locum.core.saml import Expected, SamlRules, provider_unknown, read_metadata, verify
from locum.core.saml.assertion import name_qualifier
from locum.policy import Principal

from . import saml_idp as idp
from .saml_cases import REQUEST, identity, refusal, verified

VECTORS: Final = Path(__file__).parents[1] / "vectors"
GOOD: Final = [json.loads(path.read_text()) for path in sorted((VECTORS / "good" / "saml").glob("*.json"))]
PREFIX: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:"


def with_attributes(*attributes: str) -> str:
    """A signed response with more attributes."""
    return idp.respond((idp.SESSION_NAME_ATTRIBUTE, idp.SESSION_NAME_ATTRIBUTE + "".join(attributes)))


@pytest.mark.facts("STS-SAML-029", "STS-SAML-030", "STS-SAML-T21", "STS-SAML-T22", "STS-SAML-T23", "STS-SAML-T25")
def test_a_response_proves_who_it_is_about() -> None:
    found = identity(idp.respond())
    assert found.principal == Principal.saml(idp.PROVIDER, idp.ACCOUNT)
    assert (found.issuer, found.subject, found.subject_type) == (idp.ENTITY, "alice-4711", "persistent")
    assert found.audience == idp.RECIPIENT
    assert found.session_name == "alice@example.com"
    assert (found.until, found.duration, found.source_identity, found.tags) == (None, None, None, ())
    assert found.keys == {
        "saml:aud": idp.RECIPIENT,
        "saml:iss": idp.ENTITY,
        "saml:doc": f"{idp.ACCOUNT}/Company",
        "saml:namequalifier": found.name_qualifier,
        "saml:sub": "alice-4711",
        "saml:sub_type": "persistent",
    }
    assert sorted(found.lasting) == ["saml:namequalifier", "saml:sub", "saml:sub_type"]


@pytest.mark.facts("STS-SAML-031", "STS-SAML-T24")
def test_the_name_qualifier_is_the_documented_one() -> None:
    assert name_qualifier("https://example.com/saml", "123456789012", "MySAMLIdP") == "1uAJanUnBc2XeUkHURMht+xam2c="
    digest = hashlib.sha1(f"{idp.ENTITY}{idp.ACCOUNT}/Company".encode()).digest()
    assert identity(idp.respond()).name_qualifier == base64.b64encode(digest).decode()


@pytest.mark.facts("STS-SAML-029", "STS-SAML-010")
@pytest.mark.parametrize(
    ("stated", "shown"),
    [
        (f"{PREFIX}persistent", "persistent"),
        (f"{PREFIX}transient", "transient"),
        ("urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",) * 2,
        ("https://company.example/format",) * 2,
    ],
)
def test_the_subjects_type_is_the_format_without_its_usual_beginning(stated: str, shown: str) -> None:
    found = identity(idp.respond((f"{PREFIX}persistent", stated)))
    assert found.subject_type == found.keys["saml:sub_type"] == shown


@pytest.mark.facts("STS-SAML-030", "STS-SAML-T21")
def test_the_audience_is_the_recipient_not_that_of_the_restriction() -> None:
    own = "https://sts.example.com/saml/acs"
    found = identity(idp.respond((f'Recipient="{idp.RECIPIENT}"', f'Recipient="{own}"')))
    assert found.audience == found.keys["saml:aud"] == own


@pytest.mark.facts("STS-SAML-T01")
@pytest.mark.parametrize(
    "values",
    [
        [f"{idp.ROLE},{idp.PROVIDER}"],
        [f"{idp.PROVIDER},{idp.ROLE}"],
        [f"\n  {idp.ROLE} , {idp.PROVIDER}\n"],
        [f"{idp.ROLE}-2,{idp.PROVIDER}", f"{idp.ROLE},{idp.PROVIDER}", "nonsense", ""],
    ],
)
def test_the_pair_of_role_and_provider_may_come_in_either_order_and_among_others(values: list[str]) -> None:
    stated = idp.attribute(f"{idp.ATTRIBUTES}Role", *values)
    assert identity(idp.respond((idp.ROLE_ATTRIBUTE, stated))).subject == "alice-4711"


def test_roles_may_be_stated_one_attribute_each() -> None:
    other = idp.attribute(f"{idp.ATTRIBUTES}Role", f"{idp.ROLE}-2,{idp.PROVIDER}")
    assert identity(idp.respond((idp.ROLE_ATTRIBUTE, other + idp.ROLE_ATTRIBUTE))).subject == "alice-4711"


@pytest.mark.facts("STS-SAML-006")
def test_a_response_verifies_again_and_for_each_of_its_roles() -> None:
    other = f"{idp.ROLE}-2"
    both = idp.attribute(f"{idp.ATTRIBUTES}Role", f"{idp.ROLE},{idp.PROVIDER}", f"{other},{idp.PROVIDER}")
    text = idp.respond((idp.ROLE_ATTRIBUTE, both))
    first = verified(text)
    assert verified(text) == first
    assert verified(text, role_arn=other) == first


@pytest.mark.facts("STS-SAML-T02")
@pytest.mark.parametrize("name", ["ab", "a" * 64, "A_b=c,d.e@f-g+1"])
def test_a_session_name_has_two_to_sixty_four_plain_characters(name: str) -> None:
    assert identity(idp.respond(("alice@example.com", name))).session_name == name


@pytest.mark.facts("STS-SAML-T03")
@pytest.mark.parametrize("seconds", [900, 7200, 43200])
def test_the_session_duration_is_read(seconds: int) -> None:
    assert (
        identity(with_attributes(idp.attribute(f"{idp.ATTRIBUTES}SessionDuration", str(seconds)))).duration == seconds
    )


@pytest.mark.facts("STS-SAML-T04", "STS-SAML-T05", "STS-TAG-020")
def test_tags_and_transitive_keys_are_read() -> None:
    found = identity(
        with_attributes(
            idp.attribute(f"{idp.ATTRIBUTES}PrincipalTag:team", "blue"),
            idp.attribute(f"{idp.ATTRIBUTES}PrincipalTag:Größe: x", ""),
            idp.attribute(f"{idp.ATTRIBUTES}TransitiveTagKeys", "team", "Größe: x"),
        )
    )
    assert found.tags == (Tag(key="team", value="blue"), Tag(key="Größe: x", value=""))
    assert found.transitive_tag_keys == ("team", "Größe: x")


@pytest.mark.facts("STS-SAML-T06", "STS-SI-001")
def test_the_source_identity_is_read() -> None:
    assert (
        identity(with_attributes(idp.attribute(f"{idp.ATTRIBUTES}SourceIdentity", "alice"))).source_identity == "alice"
    )


@pytest.mark.facts("STS-SAML-016")
@pytest.mark.parametrize("name", ["sourceidentity", "SourceIdentity ", "Sourceidentity"])
def test_the_names_of_attributes_are_exact(name: str) -> None:
    assert identity(with_attributes(idp.attribute(f"{idp.ATTRIBUTES}{name}", "alice"))).source_identity is None


# --- time


@pytest.mark.facts("STS-SAML-015")
@pytest.mark.parametrize(
    ("ends", "until"), [([600], idp.NOW + 600), ([7200, 600, 3600], idp.NOW + 600), ([], None), ([1], idp.NOW + 1)]
)
def test_the_session_ends_when_the_first_statement_says_so(ends: list[int], until: int | None) -> None:
    statements = "".join(
        idp.changed(
            idp.AUTHN, ("<saml:AuthnStatement", f'<saml:AuthnStatement SessionNotOnOrAfter="{idp.at(idp.NOW + end)}"')
        )
        for end in ends
    )
    assert identity(idp.respond((idp.AUTHN, statements or idp.AUTHN))).until == until


def test_what_is_over_first_says_from_when_on_a_response_proves_nothing() -> None:
    later = (f'NotOnOrAfter="{idp.at(idp.NOW + 240)}"', f'NotOnOrAfter="{idp.at(idp.NOW + 7200)}"')
    ends = ("<saml:AuthnStatement", f'<saml:AuthnStatement SessionNotOnOrAfter="{idp.at(idp.NOW + 30)}"')
    soon = (f'NotOnOrAfter="{idp.at(idp.NOW + 240)}"', f'NotOnOrAfter="{idp.at(idp.NOW - 100)}"')
    for text, expires in (
        (idp.respond(later), idp.NOW + 240),
        (idp.respond(ends), idp.NOW + 30),
        (idp.respond(soon), idp.NOW + 200),
    ):
        assert verified(text).expires == expires
        assert verified(text, now=expires - 0.01).expires == expires
        assert refusal(text, now=expires) != ("", "")


@pytest.mark.parametrize(
    "moment", ["2026-01-02T04:04:05+01:00", "2026-01-02T03:04:05.123456789Z", "2026-01-01T22:04:05-05:00"]
)
def test_a_moment_may_have_an_offset_and_a_fraction(moment: str) -> None:
    assert (
        identity(idp.respond((f'NotBefore="{idp.at(idp.NOW - 60)}"', f'NotBefore="{moment}"'))).subject == "alice-4711"
    )


# --- condition keys

PERSON: Final = (
    *("affiliation", "nickname", "orgdn", "orgunitdn", "primaryaffiliation", "principalname", "entitlement"),
    *("primaryorgunitdn", "scopedaffiliation", "targetedid", "assurance"),
)
ORGANIZATION: Final = ("homepageuri", "identityauthnpolicyuri", "legalname", "superioruri", "whitepagesuri")
CLAIMS: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
KEYS: Final = [
    *((f"urn:oid:1.3.6.1.4.1.5923.1.1.1.{n}", f"eduperson{key}", "T28") for n, key in enumerate(PERSON, 1)),
    *((f"urn:oid:1.3.6.1.4.1.5923.1.2.1.{n}", f"eduorg{key}", "T29") for n, key in enumerate(ORGANIZATION, 2)),
    ("urn:oid:2.5.4.3", "cn", "T30"),
    *((f"{CLAIMS}{name}", key, "T31") for name, key in
      (("name", "name"), ("givenname", "givenname"), ("surname", "surname"), ("emailaddress", "mail"))),
    ("http://schemas.xmlsoap.org/claims/CommonName", "commonname", "T32"),
    ("http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid", "uid", "T33"),
    ("http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid", "primarygroupsid", "T33"),
    *((name, key, "T34") for name, key in
      (("2.5.4.3", "commonname"), ("2.5.4.4", "surname"), ("2.4.5.42", "givenname"),
       ("2.5.4.45", "x500uniqueidentifier"))),
    *((name, key, "T35") for name, key in
      (("0.9.2342.19200300100.1.1", "uid"), ("0.9.2342.19200300100.1.3", "mail"),
       ("0.9.2342.19200300.100.1.45", "organizationstatus"))),
]  # fmt: skip
STRINGS: Final = {
    f"saml:eduperson{name}" for name in ("orgdn", "primaryaffiliation", "primaryorgunitdn", "principalname")
}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        pytest.param(name, f"saml:{key}", marks=pytest.mark.facts(f"STS-SAML-{fact}"), id=f"{name}-{key}")
        for name, key, fact in KEYS
    ],
)
def test_an_attribute_becomes_a_condition_key(name: str, key: str) -> None:
    value = identity(with_attributes(idp.attribute(name, "one"))).keys[key]
    assert value in ("one", ("one",))


@pytest.mark.facts("STS-SAML-T26")
@pytest.mark.parametrize("key", sorted(STRINGS))
def test_these_keys_are_strings(key: str) -> None:
    name = next(name for name, found, _ in KEYS if f"saml:{found}" == key)
    assert identity(with_attributes(idp.attribute(name, "one"))).keys[key] == "one"


@pytest.mark.facts("STS-SAML-T27")
@pytest.mark.parametrize(
    ("name", "key"), [(name, f"saml:{key}") for name, key, _ in KEYS if f"saml:{key}" not in STRINGS]
)
def test_the_other_keys_are_lists(name: str, key: str) -> None:
    assert identity(with_attributes(idp.attribute(name, "one", "two"))).keys[key] == ("one", "two")


@pytest.mark.facts("STS-SAML-017")
def test_of_two_attributes_for_one_key_the_first_counts() -> None:
    mails = [
        idp.attribute(f"{CLAIMS}emailaddress", "a@b.example"),
        idp.attribute("0.9.2342.19200300100.1.3", "c@d.example"),
    ]
    assert identity(with_attributes(*mails)).keys["saml:mail"] == "a@b.example"
    assert identity(with_attributes(*reversed(mails))).keys["saml:mail"] == "c@d.example"


@pytest.mark.parametrize(
    "attribute",
    [
        idp.attribute("saml:sub", "root"),
        idp.attribute("sub", "root"),
        idp.attribute("urn:oid:2.5.4.3"),
        idp.attribute("urn:oid:2.5.4.3", f"<saml:NameID>{'x' * 10}</saml:NameID>"),
        idp.attribute("urn:oid:2.5.4.99", "root"),
        idp.attribute("", "root"),
    ],
)
def test_no_other_attribute_becomes_a_key(attribute: str) -> None:
    assert identity(with_attributes(attribute)).keys == identity(idp.respond()).keys


# --- good vectors, the trail


@pytest.mark.facts("STS-SAML-009", "STS-SAML-019")
@pytest.mark.parametrize(
    ("common", "vector"),
    [pytest.param(common, vector, id=vector["name"]) for common in GOOD for vector in common["good"]],
)
def test_a_good_vector_is_accepted(common: dict[str, Any], vector: dict[str, Any]) -> None:
    key = load_pem_private_key(common["private_key"].encode(), None)
    assert isinstance(key, RSAPrivateKey)
    found = verify(
        vector["response"],
        Expected(
            provider_arn=common["provider"],
            account=common["account"],
            provider_name=common["provider_name"],
            role_arn=common["role"],
            metadata=read_metadata(vector["provider_metadata"]),
            private_keys=(key,),
            rules=SamlRules(**vector["rules"]),
        ),
        vector["now"],
        request_id=REQUEST,
    ).identity
    assert found.tags == tuple(Tag(key=key, value=value) for key, value in vector["tags"].items())
    assert list(found.transitive_tag_keys) == vector["transitive_tag_keys"]
    names = ("issuer", "subject", "subject_type", "audience", "session_name", "source_identity")
    assert {name: getattr(found, name) for name in names} == {name: vector[name] for name in names}


def test_there_are_made_and_recorded_vectors() -> None:
    assert len(GOOD) >= 2
    assert sum(len(common["good"]) for common in GOOD) >= 20


def test_the_trail_holds_every_check_and_ends_with_the_one_that_failed() -> None:
    good, bad = Trail(), Trail()
    verified(idp.respond(), trail=good)
    assert all(check.passed for check in good.checks)
    assert len(good.checks) > 20
    refusal(idp.respond(), now=idp.NOW + 3600, trail=bad)
    *before, last = bad.checks
    assert before == [check for check in before if check.passed]
    assert (last.name, last.passed, last.found) == ("Subject NotOnOrAfter", False, "-3360 s from now")


@pytest.mark.parametrize("encryption", [None, idp.Encryption()])
def test_the_trail_never_holds_the_proof(encryption: idp.Encryption | None) -> None:
    trail = Trail()
    text = idp.respond(encryption=encryption)
    verified(text, trail=trail, private_keys=(idp.SERVICE,))
    values = [value for check in trail.checks for value in (check.expected, check.found)]
    assert not [value for value in values if "<" in value or len(value) > 256]
    for secret in re.findall(r"[A-Za-z0-9+/=]{40,}", text):
        assert not [value for value in values if secret[:40] in value and not value.startswith("http")]


@pytest.mark.facts("STS-SAML-T14")
def test_the_answer_for_an_unknown_provider() -> None:
    error = provider_unknown(REQUEST)
    assert (error.code, error.status) == ("InvalidIdentityToken", 400)
    assert error.message == (
        "Specified provider doesn't exist (Service: AWSOpenIdDiscoveryService; Status Code: 400; "
        f"Error Code: AuthSamlManifestNotFoundException; Request ID: {REQUEST}; Proxy: null)"
    )
