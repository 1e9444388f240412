"""Encrypted assertions: what opens, what never does, and that every failure is told in the same way."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from locum.core.proof import Trail
from locum.core.saml import SamlRules
from locum.core.saml.encryption import DecryptionError, decrypt

from . import saml_idp as idp
from .saml_cases import BAD_SIGNATURE, MALFORMED, identity, refusal

INVALID: Final = "InvalidIdentityToken"
REFUSED: Final = (INVALID, BAD_SIGNATURE)
ACCEPTED: Final = ("", "")
KEYS: Final[dict[str, Any]] = {"private_keys": (idp.SERVICE,)}
CBC: Final = SamlRules(allow_cbc=True)
PLAIN: Final = idp.Encryption()
XENC: Final = f"{{{idp.XENC}}}"
SHA256: Final = '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'


def encrypted(**changes: Any) -> str:
    """A response with a signed, encrypted assertion."""
    return idp.respond(encryption=dataclasses.replace(PLAIN, **changes))


@pytest.mark.facts("STS-SAML-018", "STS-SAML-019")
def test_a_response_may_be_encrypted_and_is_read_the_same() -> None:
    assert identity(encrypted(), **KEYS) == identity(idp.respond())


@pytest.mark.facts("STS-SAML-018")
def test_either_of_two_private_keys_opens() -> None:
    both: dict[str, Any] = {"private_keys": (idp.SERVICE, idp.SERVICE_NEXT)}
    for key in (idp.SERVICE, idp.SERVICE_NEXT):
        assert refusal(encrypted(to=key), **both) == ACCEPTED
    assert refusal(encrypted(to=idp.SERVICE_NEXT), **KEYS) == REFUSED
    assert refusal(encrypted()) == REFUSED


@pytest.mark.facts("STS-SAML-018")
def test_where_encryption_is_required_a_plain_assertion_is_refused() -> None:
    assert refusal(idp.respond(), encryption_required=True, **KEYS) == (INVALID, MALFORMED)
    assert refusal(encrypted(), encryption_required=True, **KEYS) == ACCEPTED
    assert refusal(idp.respond(), **KEYS) == ACCEPTED


NEW: Final = f"{idp.XENC11}rsa-oaep"


def mask(name: str) -> str:
    return f'<xenc11:MGF Algorithm="{idp.XENC11}mgf1{name}"/>'


@pytest.mark.facts("STS-SAML-019")
@pytest.mark.parametrize("data", ["aes128-gcm", "aes256-gcm"])
@pytest.mark.parametrize(
    "how",
    [
        {"key": NEW, "oaep": SHA256 + mask("sha256"), "digest": hashes.SHA256, "mask": hashes.SHA256},
        {"key": NEW, "oaep": SHA256 + mask("sha1"), "digest": hashes.SHA256, "mask": hashes.SHA1},
        {"key": NEW, "oaep": SHA256, "digest": hashes.SHA256, "mask": hashes.SHA1},
        {"key": NEW, "oaep": mask("sha256"), "digest": hashes.SHA1, "mask": hashes.SHA256},
        {"oaep": SHA256, "digest": hashes.SHA256},
        {"oaep": ""},
    ],
)
def test_the_digests_of_oaep_are_those_that_are_named(data: str, how: dict[str, Any]) -> None:
    assert refusal(encrypted(data=f"{idp.XENC11}{data}", **how), **KEYS) == ACCEPTED


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"retrieval": '<ds:RetrievalMethod URI="#_key"/>'},
        {"retrieval": f'<ds:RetrievalMethod Type="{idp.XENC}EncryptedKey" URI="#_key"/>'},
        {"retrieval": "<ds:KeyName>x</ds:KeyName>"},
    ],
)
@pytest.mark.parametrize("beside", [False, True])
def test_the_key_is_inside_or_beside(how: dict[str, Any], beside: bool) -> None:
    assert refusal(encrypted(beside=beside, **how), **KEYS) == ACCEPTED


@pytest.mark.facts("STS-SAML-019")
@pytest.mark.parametrize("name", ["aes128-cbc", "aes256-cbc"])
def test_cbc_is_for_those_who_allow_it(name: str) -> None:
    assert refusal(encrypted(data=f"{idp.XENC}{name}"), **KEYS) == REFUSED
    assert refusal(encrypted(data=f"{idp.XENC}{name}"), CBC, **KEYS) == ACCEPTED


NEVER: Final[dict[str, dict[str, Any]]] = {
    "3DES": {"data": f"{idp.XENC}tripledes-cbc", "size": 24},
    "AES-192-GCM": {"data": f"{idp.XENC11}aes192-gcm"},
    "AES-192-CBC": {"data": f"{idp.XENC}aes192-cbc"},
    "no algorithm": {"data": ""},
    "RSA 1.5": {"key": f"{idp.XENC}rsa-1_5", "oaep": ""},
    "AES key wrap": {"key": f"{idp.XENC}kw-aes256", "oaep": ""},
    "SHA-512": {
        "oaep": '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha512"/>',
        "digest": hashes.SHA512,
    },
    "MD5": {"oaep": '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#md5"/>'},
    "MGF1 with SHA-512": {"key": NEW, "oaep": mask("sha512"), "mask": hashes.SHA512},
    "an MGF where there is none": {"oaep": mask("sha256"), "mask": hashes.SHA256},
    "OAEP with a label": {"oaep": "<xenc:OAEPparams>AAAA</xenc:OAEPparams>"},
    "a key of another size": {"size": 16},
    "content, not an element": {"data_type": f' Type="{idp.XENC}Content"'},
    "a reference elsewhere": {"beside": True, "retrieval": '<ds:RetrievalMethod URI="#_other"/>'},
    "an outside reference": {"beside": True, "retrieval": '<ds:RetrievalMethod URI="https://idp.example.com/key"/>'},
    "a transformed reference": {
        "beside": True,
        "retrieval": '<ds:RetrievalMethod URI="#_key"><ds:Transforms/></ds:RetrievalMethod>',
    },
}


@pytest.mark.facts("STS-SAML-019")
@pytest.mark.parametrize("how", [pytest.param(how, id=name) for name, how in NEVER.items()])
def test_other_ways_of_encryption_are_never_accepted(how: dict[str, Any]) -> None:
    assert refusal(encrypted(**how), SamlRules(allow_cbc=True, allow_sha1=True, lax=True), **KEYS) == REFUSED


def _forged() -> bytes:
    """An assertion that a stranger signed."""
    root = idp.parsed(idp.respond(form=idp.Form(by=idp.STRANGER)))
    return etree.tostring(root[-1], with_tail=False)


def _bare(*changes: tuple[str, str]) -> bytes:
    """A signed assertion as it stands in its response, whose prefixes are declared there."""
    text = idp.respond(*changes)
    return text[text.index("<saml:Assertion") : text.index("</samlp:Response>")].encode()


BARE: Final = _bare()


def enveloped(content: bytes, *declared: str) -> str:
    """A response with this content encrypted, whose EncryptedAssertion declares more."""
    mark = "<saml:EncryptedAssertion "
    return encrypted(content=content).replace(mark, mark + " ".join(declared) + " ", 1)


@pytest.mark.facts("STS-SAML-019")
@pytest.mark.parametrize(
    "content", [BARE, _bare((idp.RESTRICTION, f'{idp.RESTRICTION}<OneTimeUse xmlns="{idp.SAML[1:-1]}"/>'))]
)
def test_prefixes_may_be_declared_around_what_is_encrypted(content: bytes) -> None:
    assert b"xmlns:saml=" not in content
    assert identity(encrypted(content=content), **KEYS) == identity(idp.respond())


@pytest.mark.facts("R35")
@pytest.mark.parametrize(
    "text",
    [
        enveloped(BARE.replace(b"saml:", b"other:"), f'xmlns:other="{idp.SAML[1:-1]}"'),
        enveloped(BARE.replace(b"saml:", b"").replace(b"alice", b"mallory"), f'xmlns="{idp.SAML[1:-1]}"'),
        enveloped(BARE.replace(b"saml:", b"other:"), 'xmlns:other="urn:other"'),
        encrypted(content=b"alice" + BARE),
        encrypted(content=BARE + b"alice"),
        encrypted(content=BARE * 2),
        encrypted(content=b"</context><context>" + BARE),
        encrypted(content=BARE + b"</context><context>"),
        encrypted(content=b"</context>" + BARE + b"<context>"),
        encrypted(content=BARE.replace(b"alice", b"mallory")),
        encrypted(content=b"<!-- -->" + BARE),
    ],
)
def test_what_is_declared_around_changes_nothing_that_was_signed(text: str) -> None:
    assert refusal(text, **KEYS) == REFUSED


CONTENTS: Final = {
    "nothing": b"",
    "no XML": b"alice",
    "two assertions": etree.tostring(idp.parsed(idp.respond())[-1], with_tail=False) * 2,
    "a response": idp.respond().encode(),
    "unsigned": etree.tostring(idp.parsed(idp.RESPONSE)[-1], with_tail=False),
    "signed by a stranger": _forged(),
    "another issuer": etree.tostring(idp.parsed(idp.RESPONSE.replace(idp.ENTITY, "urn:other"))[-1], with_tail=False),
    "a comment": etree.tostring(idp.parsed(idp.respond())[-1], with_tail=False) + b"<!-- -->",
    "an entity": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "an assertion in an assertion": etree.tostring(
        idp.parsed(idp.respond((idp.STATEMENT, f"{idp.STATEMENT}<saml:Assertion/>")))[-1], with_tail=False
    ),
    "encrypted again": etree.tostring(idp.encrypt(idp.parsed(idp.respond())[-1], PLAIN)),
    "a bomb": b"<a>" * 9_000,
}


@pytest.mark.facts("R35")
@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in CONTENTS.items()])
@pytest.mark.parametrize("data", [f"{idp.XENC11}aes256-gcm", f"{idp.XENC}aes256-cbc"], ids=["GCM", "CBC"])
def test_whatever_was_encrypted_is_one_assertion_signed_by_the_provider_or_told_as_a_bad_signature(
    content: bytes, data: str
) -> None:
    assert refusal(encrypted(content=content, data=data), CBC, **KEYS) == REFUSED


@pytest.mark.facts("R35")
@given(st.integers(0, 4000), st.sampled_from([f"{idp.XENC11}aes256-gcm", f"{idp.XENC}aes256-cbc"]))
def test_a_changed_ciphertext_is_told_in_one_way_wherever_it_breaks(place: int, data: str) -> None:
    """No answer tells padding, XML and signature apart, so that none of them is an oracle for a plaintext."""
    assert refusal(encrypted(flip=place, data=data), CBC, **KEYS) == REFUSED


def test_the_operator_is_told_what_the_caller_is_not() -> None:
    found = set()
    for name in ("3DES", "RSA 1.5", "a key of another size", "OAEP with a label"):
        trail = Trail()
        refusal(encrypted(**NEVER[name]), trail=trail, **KEYS)
        last = trail.checks[-1]
        assert (last.name, last.passed) == ("decryption", False)
        found.add(last.found)
    assert len(found) == 4


@pytest.mark.parametrize(
    ("tag", "how"),
    [
        ("EncryptedData", "removed"),
        ("EncryptedData", "doubled"),
        ("EncryptionMethod", "removed"),
        ("EncryptedKey", "removed"),
        ("EncryptedKey", "doubled"),
        ("CipherData", "removed"),
        ("CipherData", "doubled"),
        ("CipherValue", "removed"),
        ("CipherValue", "emptied"),
        ("CipherValue", "no base64"),
        ("CipherValue", "short"),
    ],
)
def test_parts_that_are_missing_or_doubled_are_refused(tag: str, how: str) -> None:
    for number in range(2):
        root = idp.parsed(encrypted(beside=True))
        elements = list(root.iter(f"{XENC}{tag}"))
        element = elements[min(number, len(elements) - 1)]
        parent = element.getparent()
        assert parent is not None
        if how == "removed":
            parent.remove(element)
        elif how == "doubled":
            parent.append(etree.fromstring(etree.tostring(element).replace(b"_key", b"_key2")))
        else:
            element.text = {"emptied": "", "no base64": "!", "short": "AAAA"}[how]
        assert refusal(idp.written(root), **KEYS) == REFUSED


@pytest.mark.parametrize("size", [0, 11, 12, 27, 28, 33])
def test_a_ciphertext_of_any_size_is_refused_as_any_other(size: int) -> None:
    for data in (f"{idp.XENC11}aes256-gcm", f"{idp.XENC}aes256-cbc"):
        element = idp.encrypt(idp.parsed(idp.RESPONSE)[-1], dataclasses.replace(PLAIN, data=data))
        value = list(element.iter(f"{XENC}CipherValue"))[-1]
        value.text = base64.b64encode(b"\x07" * size).decode()
        with pytest.raises(DecryptionError, match="no private key"):
            decrypt(element, (idp.SERVICE,), allow_cbc=True)
