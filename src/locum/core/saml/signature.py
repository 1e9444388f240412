"""XML signatures, by signxml behind a strict form (R35).

Only one form of signature gets to the library: a child of what it signs, over exactly that element, named by its ID,
after the enveloped-signature and the exclusive canonicalization transform and no other (SAML core, 5.4.4).  The library
is handed that element alone, so that nothing around it can be found in its place, one certificate of the metadata at a
time, and never a key of the document.  Who reads, reads what it gives back: the canonical bytes that were verified,
parsed anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from cryptography import exceptions, x509
from lxml import etree
from signxml import processor
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from locum.core.saml.document import PARSER
from locum.core.saml.names import SIGNATURE, dsig

__all__ = ["SignatureError", "verified"]

# The library logs the canonical bytes of whole assertions at the debug level (R38).
processor.logger.disabled = True

_METHODS: Final = frozenset({
    *(SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512),
    *(SignatureMethod.SHA256_RSA_MGF1, SignatureMethod.SHA384_RSA_MGF1, SignatureMethod.SHA512_RSA_MGF1),
    *(SignatureMethod.ECDSA_SHA256, SignatureMethod.ECDSA_SHA384, SignatureMethod.ECDSA_SHA512),
})  # fmt: skip
_DIGESTS: Final = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})

_WITH_SHA1: Final = (_METHODS | {SignatureMethod.RSA_SHA1}, _DIGESTS | {DigestAlgorithm.SHA1})
_WITHOUT_SHA1: Final = (_METHODS, _DIGESTS)

_ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_CANONICAL: Final = frozenset({_EXCLUSIVE, f"{_EXCLUSIVE}WithComments"})
"""With comments or without is one here: there are none."""

_PREFIX: Final = r"(?:#default|[A-Za-z_][\w.-]{0,63})"
_PREFIXES: Final = re.compile(rf"(?:{_PREFIX}(?: {_PREFIX}){{0,15}})?", re.A)
"""Names with a space between them, or none at all, as some libraries write it."""
_ID: Final = re.compile(r"[A-Za-z_][\w.-]{0,255}", re.A)

_KEY_INFO: Final = dsig("KeyInfo")
_FORMS: Final = (
    [dsig("SignedInfo"), dsig("SignatureValue")],
    [dsig("SignedInfo"), dsig("SignatureValue"), _KEY_INFO],
)
_SIGNED_INFO: Final = [dsig("CanonicalizationMethod"), dsig("SignatureMethod"), dsig("Reference")]
_ATTRIBUTES: Final = frozenset({"URI", "Id"})
_REFERENCE: Final = [dsig("Transforms"), dsig("DigestMethod"), dsig("DigestValue")]
_TRANSFORMS: Final = [dsig("Transform"), dsig("Transform")]


class _Verifier(XMLVerifier):
    """The library's verifier, of an element where it stands.

    By itself it writes the element and parses it once more before anything else, and then works on further copies.
    """

    def get_root(self, data: etree._Element) -> etree._Element:
        """The element itself."""
        return data


class SignatureError(ValueError):
    """An element that is not signed as it must be; the text says why and quotes nothing of it."""


def verified(element: etree._Element, certificates: Iterable[bytes], *, allow_sha1: bool = False) -> etree._Element:
    """The element as it was signed, parsed anew and without the signature; SignatureError.

    ``certificates`` are the trusted ones in DER: any of them may have signed, whatever its dates (STS-SAML-009).  The
    signature's KeyInfo, which nobody signed and nothing reads, is taken out of the element, and so is what follows it.
    """
    signatures = list(element.iterchildren(SIGNATURE))
    if len(signatures) != 1:
        raise SignatureError("it has not exactly one signature")
    name = element.get("ID", "")
    if not _ID.fullmatch(name):
        raise SignatureError("its ID is missing or not a plain name")
    (signature,) = signatures
    _check_form(signature, name)
    for key_info in list(signature.iterchildren(_KEY_INFO)):
        signature.remove(key_info)
    element.tail = None  # it would be copied, too
    for der in certificates:
        certificate, configuration = _trusted(der, allow_sha1)
        try:
            result = _Verifier().verify(
                element,
                x509_cert=certificate,
                id_attribute="ID",
                parser=PARSER,
                validate_schema=False,  # the form above is narrower
                expect_config=configuration,
            )
        except (SignXMLException, etree.LxmlError, exceptions.UnsupportedAlgorithm, ValueError, TypeError):
            continue
        signed = None if isinstance(result, list) else result.signed_xml
        if (
            signed is None
            or signed.tag != element.tag
            or signed.get("ID") != name
            or next(signed.iterchildren(SIGNATURE), None) is not None
        ):
            raise SignatureError("the signature is over something else")
        return signed
    raise SignatureError("no certificate of the metadata verifies the signature")


@lru_cache(maxsize=256)
def _trusted(der: bytes, allow_sha1: bool) -> tuple[x509.Certificate, SignatureConfiguration]:
    """A certificate, and how the library is to verify with it: as if in its first second."""
    certificate = x509.load_der_x509_certificate(der)
    methods, digests = _WITH_SHA1 if allow_sha1 else _WITHOUT_SHA1
    return certificate, SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=methods,
        digest_algorithms=digests,
        ignore_ambiguous_key_info=True,
        verification_time=certificate.not_valid_before_utc,
    )


def _tags(children: Iterable[etree._Element]) -> list[str]:
    return [child.tag for child in children]


def _check_form(signature: etree._Element, name: str) -> None:
    """SignatureError unless the signature has the one form that is accepted, over the element with this ID."""
    parts = list(signature)
    if _tags(parts) not in _FORMS or _tags(signed_info := list(parts[0])) != _SIGNED_INFO:
        raise SignatureError("the signature has other parts than SAML's")
    canonicalization, method, reference = signed_info
    if not _is_exclusive(canonicalization):
        raise SignatureError("the signature is not canonicalized exclusively")
    if len(method) or not parts[1].text:
        raise SignatureError("the signature has other parts than SAML's")
    if reference.get("URI") != f"#{name}" or not _ATTRIBUTES.issuperset(reference.keys()):
        raise SignatureError("the signature refers to something else than its parent")
    referring = list(reference)
    if _tags(referring) != _REFERENCE or not referring[2].text or len(referring[1]):
        raise SignatureError("the signature has other parts than SAML's")
    if _tags(transforms := list(referring[0])) != _TRANSFORMS:
        raise SignatureError("the signature has other transforms than SAML's two")
    enveloped, exclusive = transforms
    if enveloped.get("Algorithm") != _ENVELOPED or len(enveloped) or not _is_exclusive(exclusive):
        raise SignatureError("the signature has other transforms than SAML's two")


def _is_exclusive(method: etree._Element) -> bool:
    """Whether a transform is exclusive canonicalization, with at most a list of prefixes to keep."""
    if method.get("Algorithm") not in _CANONICAL:
        return False
    if len(method) == 0:
        return True
    return (
        _tags(method) == [f"{{{_EXCLUSIVE}}}InclusiveNamespaces"]
        and len(method[0]) == 0
        and _PREFIXES.fullmatch(method[0].get("PrefixList", " ")) is not None
    )
