"""A response to AssumeRoleWithSAML, from its base64 to what it proves (STS-SAML-002, R35, R36).

A response is a form of the browser: anybody may have written the envelope.  So the envelope is only checked for having
one form, the assertion in it for being signed by the provider, and what is believed is read from what was signed.
"""

from __future__ import annotations

import binascii
from typing import Final, cast

import msgspec
from lxml.etree import _Element as Element
from lxml.etree import tostring

from locum.core.proof import Trail
from locum.core.saml import document, refusals
from locum.core.saml.assertion import accepts_recipient, read
from locum.core.saml.document import DocumentError
from locum.core.saml.encryption import DecryptionError, decrypt
from locum.core.saml.names import ASSERTION, ENCRYPTED_ASSERTION, RESPONSE, SIGNATURE, saml, samlp
from locum.core.saml.refusals import Examination
from locum.core.saml.shapes import Expected, Verified
from locum.core.saml.signature import SignatureError, verified

__all__ = ["MAX_CHARACTERS", "decoded", "verify"]

MAX_CHARACTERS: Final = 100_000
"""The longest response, in characters of base64 (STS-SAML-001)."""

_ISSUER: Final = saml("Issuer")
_STATUS: Final = samlp("Status")
_STATUS_CODE: Final = samlp("StatusCode")
_SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
_CHILDREN: Final = (_ISSUER, SIGNATURE, _STATUS, ASSERTION, ENCRYPTED_ASSERTION)
"""What a response may hold, in this order and each at most once."""

_WEIGHTY: Final = ("{*}Response", "{*}Assertion", "{*}EncryptedAssertion", "{*}Signature")
"""Every element that could be taken for the message, its assertion or a signature, in any namespace."""


def verify(assertion: str, expected: Expected, now: float, trail: Trail | None = None, *, request_id: str) -> Verified:
    """What a response proves to ``expected`` at the epoch second ``now``.

    ``assertion`` is the base64 of a Response as the browser has it; ``request_id`` is part of AWS's texts.  Raises
    InvalidIdentityTokenException, ExpiredTokenException or IDPRejectedClaimException (sts.md, 11.7).  Of an encrypted
    assertion every failure before its signature is verified is told as a signature that is invalid, so that nobody
    learns about a plaintext from the answers; the trail, which is the operator's, tells them apart.
    """
    examination = Examination(trail, request_id)
    check = examination.check
    root = _document(assertion, examination)
    check("root", _is_response(root), refusals.MALFORMED, expected="a Response of SAML 2.0 with an ID")
    children = list(root)
    tags = [child.tag for child in children]
    status = children[tags.index(_STATUS)] if _STATUS in tags else ()
    value = next((code.get("Value", "") for code in status if code.tag == _STATUS_CODE), "")
    check("status", value == _SUCCESS, refusals.REJECTED, expected=_SUCCESS, found=value)
    check("form", tags == [tag for tag in _CHILDREN if tag in tags], refusals.MALFORMED, expected="SAML's elements")
    carried = children[-1]
    encrypted = carried.tag == ENCRYPTED_ASSERTION
    check("assertion", encrypted or carried.tag == ASSERTION, refusals.UNSIGNED, expected="an assertion")
    signatures = [child for child, tag in zip(children, tags, strict=True) if tag == SIGNATURE]
    weighty = [root, *signatures, carried, *([] if encrypted else carried.iterchildren(SIGNATURE))]
    check("one assertion", list(root.iter(*_WEIGHTY)) == weighty, refusals.MALFORMED, expected="one, and its signature")
    destination = root.get("Destination", "")
    passed = not destination or expected.rules.lax or accepts_recipient(destination, expected)
    check("Destination", passed, refusals.OTHER_AUDIENCE, found=destination)
    if signatures:
        every = [der for issuer in (expected.metadata, *expected.metadata.others) for der in issuer.certificates]
        _signed("response signature", root, every, expected, examination)

    required = expected.encryption_required
    check("encryption", encrypted or not required, refusals.MALFORMED, expected="an encrypted assertion")
    if encrypted:
        carried = _decrypted(carried, expected, examination)
    unsigned = refusals.BAD_SIGNATURE if encrypted else refusals.UNSIGNED
    passed = next(carried.iterchildren(SIGNATURE), None) is not None
    check("assertion is signed", passed, unsigned, expected="a signature")
    issued_by = next(carried.iterchildren(_ISSUER), None)
    named = "" if issued_by is None else issued_by.text or ""
    issuer = expected.metadata.issuer(named)
    if issuer is None and not encrypted:
        check("issuer", False, refusals.OTHER_ISSUER, expected=expected.metadata.entity_id, found=named)
    issuer = issuer or expected.metadata
    signed = _signed("assertion signature", carried, issuer.certificates, expected, examination)
    return read(signed, issuer, expected, now, examination)


def _document(assertion: str, examination: Examination) -> Element:
    """The document that was encoded."""
    passed = len(assertion) <= MAX_CHARACTERS
    examination.check("size", passed, refusals.MALFORMED, expected=f"{MAX_CHARACTERS} characters")
    try:
        data = decoded(assertion)
    except ValueError:
        examination.check("base64", False, refusals.MALFORMED, expected="base64")
        raise
    try:
        root = document.parse(data, document.RESPONSE)
    except DocumentError as problem:
        examination.check("document", False, refusals.MALFORMED, expected="plain XML", found=str(problem))
        raise
    examination.check("document", True, refusals.MALFORMED, expected="plain XML")
    return root


def decoded(text: str) -> bytes:
    """The bytes of a base64 text, whose line breaks do not matter; ValueError.

    msgspec reads plain ones several times as fast as binascii, which has the last word on whatever it does not take.
    """
    try:
        return msgspec.convert(text, bytes)
    except msgspec.ValidationError:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)


def _is_response(root: Element) -> bool:
    return root.tag == RESPONSE and root.get("Version") == "2.0" and bool(root.get("ID"))


def _decrypted(encrypted: Element, expected: Expected, examination: Examination) -> Element:
    """The one assertion, and nothing else, that was encrypted."""
    refusal, problem = refusals.BAD_SIGNATURE, ""
    root = None
    try:
        data = decrypt(encrypted, expected.private_keys, allow_cbc=expected.rules.allow_cbc)
        root = _in_place(data, encrypted)
    except (DecryptionError, DocumentError) as error:
        problem = str(error)
    examination.check("decryption", root is not None, refusal, expected="readable by a private key", found=problem)
    assert root is not None
    passed = root.tag == ASSERTION and list(root.iter(*_WEIGHTY)) == [root, *root.findall(SIGNATURE)]
    examination.check("encrypted content", passed, refusal, expected="an assertion")
    return root


def _in_place(data: bytes, encrypted: Element) -> Element:
    """The element that was encrypted; its prefixes may have been declared around it (XML encryption 1.1, 4.5).

    Whoever wrote the envelope may choose these namespaces, and the signature fails where they are not what was signed.
    """
    try:
        return document.parse(data, document.RESPONSE)
    except DocumentError:
        around = tostring(encrypted.makeelement("context", nsmap=cast("dict[str, str]", encrypted.nsmap)))
        context = document.parse(b"%b>%b</context>" % (around.removesuffix(b"/>"), data), document.RESPONSE)
    if len(context) != 1 or context.text or context[0].tail:
        raise DocumentError("it is not one element")
    return context[0]


def _signed(
    name: str,
    element: Element,
    certificates: list[bytes] | tuple[bytes, ...],
    expected: Expected,
    examination: Examination,
) -> Element:
    refusal = refusals.BAD_SIGNATURE
    wanted = f"a signature by one of {len(certificates)} certificates"
    try:
        signed = verified(element, certificates, allow_sha1=expected.rules.allow_sha1)
    except SignatureError as problem:
        examination.check(name, False, refusal, expected=wanted, found=str(problem))
        raise
    examination.check(name, True, refusal, expected=wanted)
    return signed
