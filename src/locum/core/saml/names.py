"""The names that SAML messages are made of: namespaces, element tags, and AWS's attributes."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ASSERTION",
    "ATTRIBUTES",
    "DSIG",
    "ENCRYPTED_ASSERTION",
    "METADATA",
    "PROTOCOL",
    "RESPONSE",
    "SAML",
    "SIGNATURE",
    "XENC",
    "XENC11",
    "dsig",
    "md",
    "saml",
    "samlp",
    "xenc",
    "xenc11",
]

SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
METADATA: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
XENC11: Final = "http://www.w3.org/2009/xmlenc11#"

ATTRIBUTES: Final = "https://aws.amazon.com/SAML/Attributes/"
"""What the names of AWS's attributes begin with (sts.md, 11.2)."""


def saml(name: str) -> str:
    """The tag of an element of assertions."""
    return f"{{{SAML}}}{name}"


def samlp(name: str) -> str:
    """The tag of an element of the protocol."""
    return f"{{{PROTOCOL}}}{name}"


def md(name: str) -> str:
    """The tag of an element of metadata."""
    return f"{{{METADATA}}}{name}"


def dsig(name: str) -> str:
    """The tag of an element of XML signatures."""
    return f"{{{DSIG}}}{name}"


def xenc(name: str) -> str:
    """The tag of an element of XML encryption 1.0."""
    return f"{{{XENC}}}{name}"


def xenc11(name: str) -> str:
    """The tag of an element of XML encryption 1.1."""
    return f"{{{XENC11}}}{name}"


RESPONSE: Final = samlp("Response")
ASSERTION: Final = saml("Assertion")
ENCRYPTED_ASSERTION: Final = saml("EncryptedAssertion")
SIGNATURE: Final = dsig("Signature")
