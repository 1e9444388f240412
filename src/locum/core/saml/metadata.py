"""The metadata of identity providers: who they are and which certificates their signatures verify against.

A document holds an EntityDescriptor with an IDPSSODescriptor and a signing certificate (IAM-SML-007), or an
EntitiesDescriptor of several.  A signature on it is not looked at: whoever may write the provider vouches for it.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from itertools import chain
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree

from locum.core.saml import document
from locum.core.saml.document import DocumentError
from locum.core.saml.instants import epoch
from locum.core.saml.names import PROTOCOL, dsig, md
from locum.core.saml.shapes import Metadata, MetadataError

__all__ = ["MAX_CERTIFICATES", "MAX_CHARACTERS", "MAX_ENTITIES", "read_metadata"]

MAX_CHARACTERS: Final = 10_000_000
"""The longest document (IAM-SML-002)."""

MAX_ENTITIES: Final = 10
MAX_CERTIFICATES: Final = 10
"""How many entity descriptors, and signing keys in all, a document may have (STS-SAML-033)."""

_TOO_MANY_CERTIFICATES: Final = f"the document has more than {MAX_CERTIFICATES} signing certificates"

_MAX_NAME: Final = 1024
"""The longest entity id and address, in characters (SAML core, 8.3.6)."""

_RSA_BITS: Final = range(1024, 8193)
"""The sizes of RSA keys: AWS's least (STS-SAML-009), and the most that we calculate with."""

_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


def read_metadata(text: str) -> Metadata:
    """What a metadata document says; MetadataError, with the reason, for one that is refused."""
    if len(text) > MAX_CHARACTERS:
        raise MetadataError(f"the document is longer than {MAX_CHARACTERS} characters")
    if text.startswith("\ufeff"):
        raise MetadataError("the document begins with a byte order mark")
    try:
        root = document.parse(text.encode(), document.METADATA)
    except UnicodeEncodeError:
        raise MetadataError("the document cannot be written as UTF-8") from None
    except DocumentError as problem:
        raise MetadataError(f"the document is refused: {problem}") from None
    if root.tag not in (md("EntityDescriptor"), md("EntitiesDescriptor")):
        raise MetadataError("the document is neither an EntityDescriptor nor an EntitiesDescriptor of SAML 2.0")
    entities = list(root.iter(md("EntityDescriptor")))
    if len(entities) > MAX_ENTITIES:
        raise MetadataError(f"the document has more than {MAX_ENTITIES} entity descriptors")
    found = list(chain.from_iterable(map(_providers, entities)))
    if not found:
        raise MetadataError("the document has no IDPSSODescriptor for SAML 2.0")
    if len({each.entity_id for each in found}) != len(found):
        raise MetadataError("two identity providers of the document have the same entityID")
    if sum(len(each.certificates) for each in found) > MAX_CERTIFICATES:
        raise MetadataError(_TOO_MANY_CERTIFICATES)
    first, *others = found
    return Metadata(first.entity_id, first.certificates, _end(root), first.sso_urls, tuple(others))


def _providers(entity: etree._Element) -> Iterator[Metadata]:
    """The identity provider that an entity descriptor describes, if it is one."""
    roles = [
        role
        for role in entity.findall(md("IDPSSODescriptor"))
        if PROTOCOL in role.get("protocolSupportEnumeration", "").split()
    ]
    if not roles:
        return
    entity_id = entity.get("entityID", "")
    if not entity_id or len(entity_id) > _MAX_NAME:
        raise MetadataError(f"an entityID is missing, or longer than {_MAX_NAME} characters")
    texts = dict.fromkeys(
        "".join((element.text or "").split())
        for role in roles
        for key in role.findall(md("KeyDescriptor"))
        if key.get("use", "signing") == "signing"
        for element in key.iterfind(f"{dsig('KeyInfo')}/{dsig('X509Data')}/{dsig('X509Certificate')}")
    )
    if not texts:
        raise MetadataError("an identity provider of the document has no signing certificate")
    if len(texts) > MAX_CERTIFICATES:
        raise MetadataError(_TOO_MANY_CERTIFICATES)
    addresses = dict.fromkeys(
        location
        for role in roles
        for service in role.findall(md("SingleSignOnService"))
        if (location := service.get("Location", "")).startswith(("https://", "http://")) and len(location) <= _MAX_NAME
    )
    yield Metadata(entity_id, tuple(map(_certificate, texts)), None, tuple(addresses))


def _certificate(text: str) -> bytes:
    """The DER of a certificate that could verify a signature; its dates do not matter (STS-SAML-009)."""
    try:
        der = binascii.a2b_base64(text, strict_mode=True)
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        _ = certificate.extensions, certificate.not_valid_before_utc
    except x509.DuplicateExtension:
        raise MetadataError("a certificate repeats an extension") from None
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.UnsupportedGeneralNameType):
        raise MetadataError("a certificate cannot be read") from None
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in _RSA_BITS:
            raise MetadataError(f"a certificate has an RSA key of {key.key_size} bits, not of 1024 to 8192")
    elif not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)):
        raise MetadataError("a certificate has a key that is neither RSA nor on P-256, P-384 or P-521")
    return der


def _end(root: etree._Element) -> int | None:
    """When the document says that it ends: the earliest validUntil of it and its descriptors (IAM-SML-008)."""
    stated = [
        until
        for element in root.iter(md("EntitiesDescriptor"), md("EntityDescriptor"), md("IDPSSODescriptor"))
        if (until := element.get("validUntil")) is not None
    ]
    try:
        return min((int(epoch(each)) for each in stated), default=None)
    except (ValueError, OverflowError):
        raise MetadataError("a validUntil is not a date and time with a zone") from None
