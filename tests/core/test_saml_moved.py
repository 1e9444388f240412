"""Signed responses whose parts were moved about, doubled, renamed and forged: nobody gets to be anybody else (R35).

The known ways of wrapping a signature are among what comes out of it; the others are for those not yet known.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterable
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from locum.errors import ServiceException

from . import saml_idp as idp
from .saml_cases import refusal, verified

GOOD: Final = idp.respond()
BOTH: Final = idp.respond(response_form=idp.Form())
NAMES: Final = (
    *(f"{idp.SAML}{name}" for name in ("Assertion", "EncryptedAssertion", "Advice", "Issuer", "Subject", "Attribute")),
    *(f"{idp.SAMLP}{name}" for name in ("Response", "Extensions", "Status")),
    *(f"{idp.DS}{name}" for name in ("Signature", "Object", "KeyInfo", "SignedInfo", "Manifest")),
    "{urn:other}Assertion",
    "Assertion",
)
IDS: Final = ("_assertion", "_response", "_forged", "")


def forge(element: etree._Element) -> None:
    """Everything in it that says who somebody is says another."""
    for each in element.iter():
        if each.text and "alice" in each.text:
            each.text = each.text.replace("alice", "mallory")
        if each.text and idp.ROLE in each.text:
            each.text = each.text.replace("engineer", "admin")


@st.composite
def moved(draw: st.DrawFn) -> str:
    """A good response after one to four acts of an attacker, who may do anything but sign."""
    root = idp.parsed(draw(st.sampled_from([GOOD, BOTH])))

    def any_of(elements: Iterable[etree._Element]) -> etree._Element:
        found = list(elements)
        weighty = [each for each in found if each.tag.endswith(("Assertion", "Signature", "Response", "Subject"))]
        chosen: etree._Element = draw(st.one_of([st.sampled_from(each) for each in (found, weighty) if each]))
        return chosen

    for _ in range(draw(st.integers(1, 4))):
        act = draw(st.sampled_from(["copy", "move", "forge", "wrap", "rename", "name", "drop"]))
        element = any_of(root.iter())
        if act == "forge":
            forge(element)
        elif act == "rename":
            element.tag = draw(st.sampled_from(NAMES))
        elif act == "name":
            element.set(draw(st.sampled_from(["ID", "Id", "id", "AssertionID"])), draw(st.sampled_from(IDS)))
        elif element is root:
            if act == "wrap":
                outer = idp.parsed(GOOD)
                forge(outer)
                place = any_of(outer.iter())
                place.insert(draw(st.integers(0, len(place))), root)
                root = outer
        elif act == "drop":
            parent = element.getparent()
            assert parent is not None
            parent.remove(element)
        else:
            taken = copy.deepcopy(element) if act == "copy" else element
            inside = set(element.iter())
            place = any_of(each for each in root.iter() if each not in inside)
            if act == "copy" and draw(st.booleans()):
                forge(taken)
            if act == "wrap":
                shell = etree.Element(draw(st.sampled_from(NAMES)))
                shell.append(taken)
                taken = shell
            place.insert(draw(st.integers(0, len(place))), taken)
    return idp.written(root)


@pytest.mark.facts("R35")
@settings(max_examples=400)
@given(moved())
def test_a_response_whose_parts_were_moved_about_is_refused_or_says_what_was_signed(text: str) -> None:
    try:
        found = verified(text)
    except ServiceException as error:
        assert error.status in (400, 403)  # noqa: PT017 - either outcome is right
    else:
        assert found == verified(GOOD)


SIGNATURE: Final = GOOD[GOOD.index("<ds:Signature ") : GOOD.index("</ds:Signature>") + len("</ds:Signature>")]
SIGNED_INFO: Final = SIGNATURE[SIGNATURE.index("<ds:SignedInfo>") : SIGNATURE.index("<ds:SignatureValue>")]
DIGEST: Final = SIGNATURE[SIGNATURE.index("<ds:DigestValue>") : SIGNATURE.index("</ds:Reference>")]
VALUE: Final = SIGNATURE[SIGNATURE.index("<ds:SignatureValue>") : SIGNATURE.index("<ds:KeyInfo>")]
FORGED: Final = GOOD.replace("alice", "mallory")
BY_HAND: Final = {
    "two SignedInfos, the second signed": FORGED.replace(
        SIGNED_INFO, SIGNED_INFO.replace("_assertion", "_x") + SIGNED_INFO
    ),
    "two SignedInfos, the first signed": FORGED.replace(SIGNED_INFO, SIGNED_INFO * 2),
    "two digests": FORGED.replace(DIGEST, DIGEST * 2),
    "a digest with a comment": FORGED.replace("<ds:DigestValue>", "<ds:DigestValue><!--x-->"),
    "a digest in two texts": FORGED.replace(DIGEST, DIGEST.replace("</ds:", "<ds:x/></ds:")),
    "no digest": FORGED.replace(DIGEST, "<ds:DigestValue/>"),
    "no signature value": FORGED.replace(VALUE, "<ds:SignatureValue/>"),
    "blank signature value": FORGED.replace(VALUE, "<ds:SignatureValue> </ds:SignatureValue>"),
    "two signature values": FORGED.replace(VALUE, VALUE * 2),
    "signature value of zeros": FORGED.replace(VALUE, f"<ds:SignatureValue>{'A' * 344}</ds:SignatureValue>"),
    "a reference to nothing": FORGED.replace('URI="#_assertion"', 'URI="#_nobody"'),
    "an encoded reference": FORGED.replace('URI="#_assertion"', 'URI="#%5Fassertion"'),
    "a reference with a type": FORGED.replace('URI="#_assertion"', f'Type="{idp.DS[1:]}Object" URI="#_assertion"'),
    "an xml:id that is referred to": FORGED.replace(' ID="_assertion"', ' xml:id="_assertion"'),
    "the signature in another namespace": FORGED.replace(SIGNATURE, SIGNATURE.replace("xmldsig#", "xmldsig2#", 1)),
    "the assertion of SAML 1.1": FORGED.replace("SAML:2.0:assertion", "SAML:1.0:assertion"),
    "an entity for a letter": FORGED.replace("mallory", "&#109;allory"),
    "the signed info's namespace moved": FORGED.replace("<ds:SignedInfo>", f'<SignedInfo xmlns="{idp.DS[1:-1]}">'),
}


@pytest.mark.facts("R35")
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in BY_HAND.items()])
def test_a_forged_assertion_is_refused_however_its_signature_is_dressed(text: str) -> None:
    assert text not in (GOOD, FORGED)
    code, message = refusal(text)
    assert code == "InvalidIdentityToken"
    assert "mallory" not in message


@pytest.mark.facts("R35", "STS-SAML-T15")
@pytest.mark.parametrize("character", ["\u200b", "\u202e", "\u0301", "\u00a0", "ａ", "İ", "\U0001f600"])
def test_a_subject_is_who_was_signed_letter_by_letter(character: str) -> None:
    """Characters that look like nothing, or like others, are neither dropped nor folded."""
    name = f"al{character}ice"
    found = verified(idp.respond((">alice-4711<", f">{name}<"))).identity
    assert found.subject == found.keys["saml:sub"] == name


def test_what_is_not_a_document_of_text_is_refused_quickly() -> None:
    for data in (b"\x1f\x8b\x08" + b"\0" * 64, b"PK\x03\x04", b"\x78\x9c\xed\xc1\x01\x01", b"{}", b"\0" * 74_000):
        assert refusal(base64.b64encode(data).decode())[0] == "InvalidIdentityToken"
