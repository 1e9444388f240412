"""This server as a service provider: the metadata that identity providers read (SAML metadata, 2.4.4)."""

from __future__ import annotations

from typing import Final

from lxml import etree

from locum.core.saml.attributes import ROLE, ROLE_SESSION_NAME
from locum.core.saml.names import METADATA, PROTOCOL, md

__all__ = ["sp_metadata"]

_POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_FORMATS: Final = ("persistent", "transient")
_URI: Final = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"


def sp_metadata(entity_id: str, acs_url: str) -> bytes:
    """The metadata document of a service provider that wants assertions signed and sent to ``acs_url`` by POST.

    It names the attributes without which AssumeRoleWithSAML refuses a response (STS-SAML-T01, T02).  ValueError for
    text that XML cannot hold.
    """
    entity = etree.Element(md("EntityDescriptor"), {"entityID": entity_id}, nsmap={"md": METADATA})
    role = etree.SubElement(
        entity,
        md("SPSSODescriptor"),
        {
            "AuthnRequestsSigned": "false",
            "WantAssertionsSigned": "true",
            "protocolSupportEnumeration": PROTOCOL,
        },
    )
    for name in _FORMATS:
        etree.SubElement(role, md("NameIDFormat")).text = f"urn:oasis:names:tc:SAML:2.0:nameid-format:{name}"
    etree.SubElement(
        role,
        md("AssertionConsumerService"),
        {"Binding": _POST, "Location": acs_url, "index": "0", "isDefault": "true"},
    )
    wanted = etree.SubElement(role, md("AttributeConsumingService"), {"index": "0", "isDefault": "true"})
    service = etree.SubElement(wanted, md("ServiceName"), {"{http://www.w3.org/XML/1998/namespace}lang": "en"})
    service.text = "locum"
    for attribute in (ROLE, ROLE_SESSION_NAME):
        etree.SubElement(
            wanted,
            md("RequestedAttribute"),
            {"Name": attribute, "NameFormat": _URI, "isRequired": "true"},
        )
    return etree.tostring(entity, xml_declaration=True, encoding="utf-8", pretty_print=True)
