"""SAML responses that are well signed and still refused: for what they lack, their times, audiences and attributes."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.core.saml import SamlRules, read_metadata
from locum.core.saml.response import MAX_CHARACTERS, decoded

from . import saml_idp as idp
from .saml_cases import AUDIENCE, BAD_SIGNATURE, MALFORMED, SUFFIX, refusal, refusal_of

LAX: Final = SamlRules(lax=True)
INVALID: Final = "InvalidIdentityToken"
EXPIRED: Final = ("ExpiredTokenException", "Response has expired")
TOO_OLD: Final = ("ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance")
EARLY: Final = (INVALID, "Response is not valid yet")
NAMES: Final = "[a-zA-Z_0-9+=,.@-]{2,64}"
BEFORE: Final = f'NotBefore="{idp.at(idp.NOW - 60)}"'
AFTER: Final = f'NotOnOrAfter="{idp.at(idp.NOW + 240)}"'
ISSUED: Final = f'<saml:Assertion ID="_assertion" Version="2.0" IssueInstant="{idp.at(idp.NOW - 60)}"'


def issued(seconds: float) -> tuple[str, str]:
    """The assertion issued so many seconds from now."""
    return ISSUED, ISSUED.replace(idp.at(idp.NOW - 60), idp.at(idp.NOW + seconds))


def attribute(name: str, *values: str) -> tuple[str, str]:
    """One more attribute of AWS's."""
    more = idp.attribute(f"{idp.ATTRIBUTES}{name}", *values)
    return idp.SESSION_NAME_ATTRIBUTE, idp.SESSION_NAME_ATTRIBUTE + more


TAG: Final = idp.attribute(f"{idp.ATTRIBUTES}PrincipalTag:k", "v")
FIFTY_ONE: Final = "".join(TAG.replace("Tag:k", f"Tag:k{number}") for number in range(51))


# --- what is missing or malformed: STS-SAML-T15, STS-SAML-T16

MISSING: Final = {
    "Conditions": (idp.CONDITIONS, ""),
    "two Conditions": (idp.CONDITIONS, idp.CONDITIONS * 2),
    "Recipient": (f' Recipient="{idp.RECIPIENT}"', ""),
    "empty Recipient": (f' Recipient="{idp.RECIPIENT}"', ' Recipient=""'),
    "AuthnStatement": (idp.AUTHN, ""),
    "NameID": (idp.NAME_ID, ""),
    "two NameIDs": (idp.NAME_ID, idp.NAME_ID * 2),
    "NameID Format": (' Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"', ""),
    "empty Format": ('Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"', 'Format=""'),
    "empty NameID": (">alice-4711<", "><"),
    "blank NameID": (">alice-4711<", ">  <"),
    "NameID with a line break": (">alice-4711<", ">alice\n4711<"),
    "NameID with an element": (">alice-4711<", ">alice<saml:x/>-4711<"),
    "endless NameID": (">alice-4711<", f">{'a' * 1025}<"),
    "Subject": (f"<saml:Subject>{idp.NAME_ID}{idp.CONFIRMATION}</saml:Subject>", ""),
    "subject NotOnOrAfter": (f" {AFTER} Recipient", " Recipient"),
    "SubjectConfirmation": (idp.CONFIRMATION, ""),
    "two SubjectConfirmations": (idp.CONFIRMATION, idp.CONFIRMATION * 2),
    "bearer": ("cm:bearer", "cm:holder-of-key"),
    "unparsable NotBefore": (BEFORE, 'NotBefore="yesterday"'),
    "NotBefore without a zone": (BEFORE, 'NotBefore="2026-01-02T03:04:05"'),
    "unparsable NotOnOrAfter": (AFTER, 'NotOnOrAfter="2026-13-02T03:04:05Z"'),
    "unparsable SessionNotOnOrAfter": ("<saml:AuthnStatement ", '<saml:AuthnStatement SessionNotOnOrAfter="" '),
    "IssueInstant": (ISSUED, ISSUED.rpartition(" ")[0]),
    "assertion version": ('_assertion" Version="2.0"', '_assertion" Version="1.1"'),
    "unknown condition": (idp.RESTRICTION, f"{idp.RESTRICTION}<saml:Condition/>"),
}


@pytest.mark.facts("STS-SAML-T15", "STS-SAML-010", "STS-SAML-011", "STS-SAML-013", "STS-SAML-015")
@pytest.mark.parametrize("rules", [SamlRules(), LAX], ids=["strict", "lax"])
@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in MISSING.items()])
def test_what_is_missing_or_malformed_is_refused(change: tuple[str, str], rules: SamlRules) -> None:
    assert refusal(idp.respond(change), rules) == (INVALID, MALFORMED)


@pytest.mark.facts("STS-SAML-T16")
@pytest.mark.parametrize(
    "change",
    [
        (idp.CONFIRMATION_DATA, ""),
        (idp.CONFIRMATION_DATA, "<saml:SubjectConfirmationData/>"),
        (idp.CONFIRMATION_DATA, idp.CONFIRMATION_DATA * 2),
    ],
)
def test_a_confirmation_without_recipient_and_end_has_its_own_text(change: tuple[str, str]) -> None:
    text = "Responses must contain SubjectConfirmatonData with a Recipient and NotOnOrAfter"
    assert refusal(idp.respond(change)) == (INVALID, text)


@pytest.mark.facts("STS-SAML-T15", "R35")
@pytest.mark.parametrize(
    "assertion",
    [
        pytest.param("", id="empty"),
        pytest.param("AAAA", id="no XML"),
        pytest.param("====", id="no base64"),
        pytest.param("é" * 8, id="not ASCII"),
        pytest.param(idp.respond(), id="not encoded"),
        pytest.param(idp.encoded(idp.respond())[:-4] + "!!!!", id="other characters"),
        pytest.param(idp.encoded(idp.respond())[:-1], id="cut off"),
        pytest.param(idp.encoded(idp.respond()[:-1]), id="cut off inside"),
        pytest.param(base64.urlsafe_b64encode(b"\xfb\xff\xfe" * 40).decode(), id="base64url"),
        pytest.param(base64.b64encode(zlib.compress(idp.respond().encode(), wbits=-15)).decode(), id="deflated"),
        pytest.param(base64.b64encode(zlib.compress(b"<" * 10**8)).decode(), id="compression bomb"),
        pytest.param(idp.encoded(f"<a>{'x' * 74_980}</a>"), id="no response"),
        pytest.param("A" * (MAX_CHARACTERS + 4), id="oversize"),
        pytest.param(
            idp.encoded(idp.ASSERTION.replace(" ", f' xmlns:saml="{idp.SAML[1:-1]}" ', 1)), id="bare assertion"
        ),
    ],
)
def test_what_is_no_response_is_refused(assertion: str) -> None:
    assert refusal_of(assertion) == (INVALID, MALFORMED)


_PIECES: Final = st.sampled_from(
    ["AAAA", "QUI=", "QQ==", "QR==", "=", "A", "-_", "+/+/", "\r\n", " ", "é", "\ud800", "\0"]
)


@given(st.lists(_PIECES, max_size=6).map("".join) | st.binary().map(base64.b64encode).map(bytes.decode) | st.text())
def test_base64_is_read_as_the_strict_decoder_reads_it(text: str) -> None:
    def outcome(decode: Callable[[str], bytes]) -> bytes | None:
        try:
            return decode(text)
        except ValueError:
            return None

    assert outcome(decoded) == outcome(lambda text: binascii.a2b_base64("".join(text.split()), strict_mode=True))


@pytest.mark.facts("STS-SAML-001")
def test_the_size_of_a_response_is_bounded_and_line_breaks_are_not_its_content() -> None:
    plain = idp.encoded(idp.respond())
    wrapped = "\r\n".join(plain[start : start + 76] for start in range(0, len(plain), 76))
    assert refusal_of(wrapped) == ("", "")
    assert refusal_of(plain + " " * (MAX_CHARACTERS - len(plain))) == ("", "")
    assert refusal_of(plain + " " * (MAX_CHARACTERS - len(plain) + 1)) == (INVALID, MALFORMED)


ENVELOPE: Final = {
    "root": ("samlp:Response", "samlp:LogoutResponse"),
    "version": ('_response" Version="2.0"', '_response" Version="1.1"'),
    "no ID": (' ID="_response"', ""),
    "foreign element": (idp.STATUS, f"{idp.STATUS}<saml:Advice/>"),
    "extensions": (idp.STATUS, f"<samlp:Extensions/>{idp.STATUS}"),
    "two states": (idp.STATUS, idp.STATUS * 2),
    "order": (idp.ISSUER + idp.STATUS, idp.STATUS + idp.ISSUER),
}


@pytest.mark.facts("STS-SAML-T15", "R35")
@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in ENVELOPE.items()])
def test_a_response_has_one_form(change: tuple[str, str]) -> None:
    old, new = change
    text = idp.respond().replace(*change) if old.startswith("samlp:") else idp.respond(change)
    assert new in text
    assert refusal(text) == (INVALID, MALFORMED)


@pytest.mark.facts("STS-SAML-T20")
def test_the_providers_no_is_told_as_one() -> None:
    code, text = refusal(idp.respond(("status:Success", "status:Responder")))
    assert code == "IDPRejectedClaim"
    assert "status" in text
    denied = idp.changed(idp.RESPONSE, ("status:Success", "status:Requester"), (idp.ASSERTION, ""))
    assert refusal(denied)[0] == "IDPRejectedClaim"
    assert refusal(idp.respond((idp.STATUS, "")))[0] == "IDPRejectedClaim"


@pytest.mark.facts("STS-SAML-T12", "STS-SAML-007")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(idp.RESPONSE, id="nothing is signed"),
        pytest.param(idp.respond(form=None, response_form=idp.Form()), id="only the response is"),
        pytest.param(idp.changed(idp.RESPONSE, (idp.ASSERTION, "")), id="no assertion"),
    ],
)
def test_the_assertion_must_be_signed(text: str) -> None:
    message = f"Response (with optional signature) must contain an assertion with a mandatory signature {SUFFIX}"
    assert refusal(text) == (INVALID, message)


# --- issuer: STS-SAML-008, STS-SAML-T13


@pytest.mark.facts("STS-SAML-008", "STS-SAML-T13")
@pytest.mark.parametrize("issuer", ["https://other.example.com/metadata", f"{idp.ENTITY}/", idp.ENTITY.upper(), ""])
def test_another_issuer_than_the_metadatas_is_refused(issuer: str) -> None:
    head, tail = idp.RESPONSE.split(idp.ASSERTION)
    assertion = idp.changed(idp.ASSERTION, (idp.ISSUER, f"<saml:Issuer>{issuer}</saml:Issuer>"))
    message = f"Issuer not present in specified provider {SUFFIX}"
    assert refusal(idp.respond(text=head + assertion + tail)) == (INVALID, message)


@pytest.mark.facts("STS-SAML-008")
def test_the_issuer_of_the_response_itself_may_be_another() -> None:
    assert refusal(idp.respond((idp.ISSUER, "<saml:Issuer>urn:proxy</saml:Issuer>"))) == ("", "")
    assert refusal(idp.respond((idp.ISSUER, ""))) == ("", "")


def test_each_issuer_of_a_metadata_document_has_its_own_certificates() -> None:
    first = idp.metadata(idp.IDP).partition("\n")[2]
    second = idp.metadata(idp.IDP_NEXT, entity="urn:second").partition("\n")[2]
    start = '<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">'
    metadata = read_metadata(f"{start}{first}{second}</md:EntitiesDescriptor>")
    head, tail = idp.RESPONSE.split(idp.ASSERTION)
    other = head + idp.changed(idp.ASSERTION, (idp.ENTITY, "urn:second")) + tail
    next_form = idp.Form(by=idp.IDP_NEXT)
    assert refusal(idp.respond(), metadata=metadata) == ("", "")
    assert refusal(idp.respond(text=other, form=next_form), metadata=metadata) == ("", "")
    assert refusal(idp.respond(form=next_form), metadata=metadata) == (INVALID, BAD_SIGNATURE)
    assert refusal(idp.respond(text=other), metadata=metadata) == (INVALID, BAD_SIGNATURE)


# --- time: R36, STS-SAML-005, STS-SAML-T17, STS-SAML-T18


@pytest.mark.facts("STS-SAML-T17", "R36", "STS-SAML-013")
@pytest.mark.parametrize(
    ("change", "late"),
    [
        pytest.param((idp.CONDITIONS, idp.CONDITIONS.replace(AFTER, 'NotOnOrAfter="{}"')), True, id="conditions"),
        pytest.param(
            (idp.CONFIRMATION_DATA, idp.CONFIRMATION_DATA.replace(AFTER, 'NotOnOrAfter="{}"')), True, id="subject"
        ),
    ],
)
def test_the_end_counts_with_five_minutes_of_skew(change: tuple[str, str], late: bool) -> None:
    old, new = change
    for rules in (SamlRules(), LAX):
        assert refusal(idp.respond((old, new.format(idp.at(idp.NOW - 299)))), rules) == ("", "")
        assert refusal(idp.respond((old, new.format(idp.at(idp.NOW - 300)))), rules) == EXPIRED


@pytest.mark.facts("STS-SAML-T17", "STS-SAML-015")
def test_a_session_that_is_over_is_expired_without_skew() -> None:
    old, new = "<saml:AuthnStatement ", '<saml:AuthnStatement SessionNotOnOrAfter="{}" '
    assert refusal(idp.respond((old, new.format(idp.at(idp.NOW + 1))))) == ("", "")
    assert refusal(idp.respond((old, new.format(idp.at(idp.NOW))))) == EXPIRED


@pytest.mark.facts("STS-SAML-013")
def test_conditions_need_no_end() -> None:
    assert refusal(idp.respond((f" {AFTER}>", ">"))) == ("", "")


@pytest.mark.facts("STS-SAML-005", "STS-SAML-T18")
def test_a_response_is_redeemed_within_five_minutes() -> None:
    for rules in (SamlRules(), LAX):
        assert refusal(idp.respond(issued(-299)), rules) == ("", "")
        assert refusal(idp.respond(issued(-300)), rules) == TOO_OLD


@pytest.mark.facts("R36", "STS-SAML-013")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param((BEFORE, 'NotBefore="{}"'), id="conditions"),
        pytest.param((f" {AFTER} Recipient", f' NotBefore="{{}}" {AFTER} Recipient'), id="subject"),
        pytest.param((ISSUED, ISSUED.replace(idp.at(idp.NOW - 60), "{}")), id="issued"),
    ],
)
def test_what_is_not_valid_yet_is_refused_unless_the_rules_are_lax(change: tuple[str, str]) -> None:
    old, new = change
    assert refusal(idp.respond((old, new.format(idp.at(idp.NOW + 299))))) == ("", "")
    for seconds in (301, 86_400):
        text = idp.respond((old, new.format(idp.at(idp.NOW + seconds))))
        assert refusal(text) == EARLY
        assert refusal(text, LAX) == ("", "")


# --- for whom: R36, STS-SAML-012, STS-SAML-014


def audience(*values: str) -> tuple[str, str]:
    """A restriction to these audiences."""
    inner = "".join(f"<saml:Audience>{value}</saml:Audience>" for value in values)
    return idp.RESTRICTION, f"<saml:AudienceRestriction>{inner}</saml:AudienceRestriction>"


def recipient(value: str) -> tuple[str, str]:
    """Another Recipient."""
    return f'Recipient="{idp.RECIPIENT}"', f'Recipient="{value}"'


@pytest.mark.facts("R36", "STS-SAML-014")
@pytest.mark.parametrize(
    "change",
    [
        audience("https://signin.aws.amazon.com/saml"),
        audience("urn:locum:test"),
        audience("urn:configured"),
        audience("urn:other", "urn:amazon:webservices"),
        audience("https://eu-central-1.signin.aws.amazon.com/saml"),
        audience("https://signin.aws.amazon.com/saml/acs/SAMLP1"),
        audience("urn:amazon:webservices:cn-north-1"),
        audience("urn:amazon:webservices:govcloud"),
        (idp.RESTRICTION, f"{idp.RESTRICTION}<saml:OneTimeUse/><saml:ProxyRestriction/>"),
    ],
)
def test_audiences_that_are_accepted(change: tuple[str, str]) -> None:
    rules = SamlRules(audiences=("urn:configured",))
    assert refusal(idp.respond(change), rules, provider_id="SAMLP1") == ("", "")


@pytest.mark.facts("R36", "STS-SAML-014")
@pytest.mark.parametrize(
    "change",
    [
        audience("urn:other"),
        audience("urn:amazon:webservices2", "urn:amazon:webservice"),
        audience("https://signin.aws.amazon.com/saml/acs/SAMLP1"),
        audience("https://sts.example.com/saml/acs"),
        audience(),
        (idp.RESTRICTION, ""),
        (idp.RESTRICTION, idp.RESTRICTION + audience("urn:other")[1]),
        audience("urn:amazon:webservices<saml:x/>"),
    ],
)
def test_other_audiences_are_refused_unless_the_rules_are_lax(change: tuple[str, str]) -> None:
    assert refusal(idp.respond(change)) == (INVALID, AUDIENCE)
    assert refusal(idp.respond(change), LAX) == ("", "")


@pytest.mark.facts("R36", "STS-SAML-012")
@pytest.mark.parametrize(
    "value",
    [
        "https://signin.aws.amazon.com/saml",
        "https://eu-central-1.signin.aws.amazon.com/saml",
        "https://signin.aws.amazon.com/static/saml",
        "https://signin.aws.amazon.com/saml/acs/SAMLP1",
        "https://eu-central-1.signin.aws.amazon.com/saml/acs/SAMLP1",
        "https://signin.amazonaws.cn/saml",
        "https://cn-north-1.signin.amazonaws.cn/saml",
        "https://signin.amazonaws-us-gov.com/saml",
        "https://sts.example.com/saml/acs",
        "urn:configured",
    ],
)
def test_recipients_that_are_accepted(value: str) -> None:
    rules = SamlRules(recipients=("urn:configured",))
    assert refusal(idp.respond(recipient(value)), rules, provider_id="SAMLP1") == ("", "")


@pytest.mark.facts("R36", "STS-SAML-012")
@pytest.mark.parametrize(
    "value",
    [
        "https://signin.aws.amazon.com/saml/",
        "https://signin.aws.amazon.com.example.com/saml",
        "https://evil.example/signin.aws.amazon.com/saml",
        "https://a.b.signin.aws.amazon.com/saml",
        "https://evil.example#.signin.aws.amazon.com/saml",
        "https://signinXaws.amazon.com/saml",
        "https://eu-central-1.signin.aws.amazon.com/static/saml",
        "http://signin.aws.amazon.com/saml",
        "https://signin.aws.amazon.com/saml/acs/SAMLP2",
        "https://signin.aws.amazon.com/saml/acs/SAMLP1/",
        "https://signin.aws.amazon.com/saml/acs/",
        "https://signin.amazonaws.com/saml",
        "https://other.example.com/saml/acs",
        "not a URL",
    ],
)
def test_other_recipients_are_refused_unless_the_rules_are_lax(value: str) -> None:
    assert refusal(idp.respond(recipient(value)), provider_id="SAMLP1") == (INVALID, AUDIENCE)
    assert refusal(idp.respond(recipient(value)), LAX) == ("", "")


@pytest.mark.facts("R36")
def test_a_destination_is_one_of_the_recipients() -> None:
    old = f'Destination="{idp.RECIPIENT}"'
    assert refusal(idp.respond((old, ""))) == ("", "")
    other = idp.respond((old, 'Destination="https://other.example.com/saml"'))
    assert refusal(other) == (INVALID, AUDIENCE)
    assert refusal(other, LAX) == ("", "")


# --- attributes


@pytest.mark.facts("STS-SAML-T01", "STS-SAML-T10")
@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ((idp.ROLE_ATTRIBUTE, ""), {}),
        ((idp.ROLE_ATTRIBUTE, idp.attribute(f"{idp.ATTRIBUTES}Role")), {}),
        ((f"{idp.ROLE},{idp.PROVIDER}", idp.ROLE), {}),
        ((f"{idp.ROLE},{idp.PROVIDER}", f"{idp.ROLE},{idp.PROVIDER},{idp.PROVIDER}"), {}),
        ((f"{idp.ROLE},{idp.PROVIDER}", f"{idp.ROLE},{idp.ROLE}"), {}),
        ((f"{idp.ROLE},{idp.PROVIDER}", f"{idp.ROLE.upper()},{idp.PROVIDER}"), {}),
        ((f"{idp.ROLE},{idp.PROVIDER}", f"<saml:x>{idp.ROLE},{idp.PROVIDER}</saml:x>"), {}),
        ((f"{idp.ROLE},", f"{idp.ROLE}-2,"), {}),
        ((f"{idp.ATTRIBUTES}Role", f"{idp.ATTRIBUTES}role"), {}),
        ((idp.ENTITY, idp.ENTITY), {"role_arn": f"{idp.ROLE}-2"}),
        ((idp.ENTITY, idp.ENTITY), {"provider_arn": f"{idp.PROVIDER}-2"}),
    ],
)
def test_the_pair_that_is_asked_for_must_be_there(change: tuple[str, str], asked: dict[str, Any]) -> None:
    message = "SAML Assertion doesn't contain the requested Role and Metadata in the attributes"
    assert refusal(idp.respond(change), **asked) == (INVALID, message)


@pytest.mark.facts("STS-SAML-T02", "STS-SAML-T07")
@pytest.mark.parametrize("stated", ["", idp.attribute(f"{idp.ATTRIBUTES}RoleSessionName")])
def test_a_session_name_is_required(stated: str) -> None:
    message = "RoleSessionName is required in AuthnResponse"
    assert refusal(idp.respond((idp.SESSION_NAME_ATTRIBUTE, stated))) == (INVALID, message)


@pytest.mark.facts("STS-SAML-T02", "STS-SAML-T08")
@pytest.mark.parametrize(
    "values", [["a"], ["a" * 65], ["a b"], ["ä" * 2], ["a:b"], [""], ["ab", "cd"], ["<saml:x/>"], ["ab\n"]]
)
def test_a_session_name_is_one_plain_name(values: list[str]) -> None:
    stated = idp.attribute(f"{idp.ATTRIBUTES}RoleSessionName", *values)
    message = f"RoleSessionName in AuthnResponse must match {NAMES}"
    assert refusal(idp.respond((idp.SESSION_NAME_ATTRIBUTE, stated))) == (INVALID, message)


@pytest.mark.facts("STS-SAML-T06", "STS-SAML-T09", "STS-SI-003")
@pytest.mark.parametrize(
    "values", [["a"], ["a" * 65], ["a b"], ["aws:me"], ["AWS:me"], [""], ["ab", "cd"], ["<saml:x/>"]]
)
def test_a_source_identity_is_one_plain_name(values: list[str]) -> None:
    message = f'Source Identity must match {NAMES} and not begin with "aws:"'
    assert refusal(idp.respond(attribute("SourceIdentity", *values))) == (INVALID, message)


@pytest.mark.facts("STS-SAML-T03")
@pytest.mark.parametrize(
    "values", [["899"], ["43201"], ["-900"], ["1e3"], [" 900"], ["٩٠٠"], [""], ["900", "900"], ["9" * 9]]
)
def test_a_session_duration_is_one_number_of_seconds(values: list[str]) -> None:
    code, text = refusal(idp.respond(attribute("SessionDuration", *values)))
    assert code == INVALID
    assert "SessionDuration" in text


@pytest.mark.facts("STS-SAML-T04", "STS-SAML-T05", "STS-TAG-020")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(attribute("PrincipalTag:team"), id="no value"),
        pytest.param(attribute("PrincipalTag:team", "blue", "red"), id="two values"),
        pytest.param(attribute("PrincipalTag:", "blue"), id="no key"),
        pytest.param(attribute("PrincipalTag:team", "<saml:x/>"), id="an element"),
        pytest.param(attribute("PrincipalTag:team", "b" * 257), id="long value"),
        pytest.param(attribute(f"PrincipalTag:{'t' * 129}", "blue"), id="long key"),
        pytest.param(attribute("PrincipalTag:a*", "blue"), id="other characters in the key"),
        pytest.param(attribute("PrincipalTag:team", "b*"), id="other characters in the value"),
        pytest.param(attribute("TransitiveTagKeys", "t" * 129), id="long transitive key"),
        pytest.param(attribute("TransitiveTagKeys", "<saml:x/>"), id="an element as transitive key"),
        pytest.param(attribute("TransitiveTagKeys", *["a"] * 51), id="too many transitive keys"),
        pytest.param(
            (idp.STATEMENT, idp.STATEMENT.replace(*attribute("PrincipalTag:k", "v")).replace(TAG, FIFTY_ONE)),
            id="too many",
        ),
    ],
)  # fmt: skip
def test_tags_keep_to_their_limits(change: tuple[str, str]) -> None:
    code, text = refusal(idp.respond(change))
    assert code == INVALID
    assert "tags" in text
