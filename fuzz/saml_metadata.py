"""SAML metadata: what an operator's document says, or why it is refused."""

from __future__ import annotations

from typing import Final

from locum.core.saml import Metadata, MetadataError, read_metadata

_CERTIFICATE: Final = (
    "MIIBIDCBx6ADAgECAgEBMAoGCCqGSM49BAMCMBoxGDAWBgNVBAMMD2lkcC5leGFtcGxlLmNvbTAeFw0yNjAxMDEwMDAwMDBaFw0zNjAxMDEwMDAw"
    "MDBaMBoxGDAWBgNVBAMMD2lkcC5leGFtcGxlLmNvbTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDXEqboN/kA9w3AyFF9q6u239jAVUS6A49tr"
    "o9dmHYNMyR7ABRSJdgAzDylA97GMuEmj3RxPkspHAXpgxLBDzeYwCgYIKoZIzj0EAwIDSAAwRQIhAMByMTbc4TR4I4VvzX52fe5t7HiKPPkYmE3f"
    "PxYHQpwYAiBqivnWLlpyBvfIyDLmxlUB99EPFGTTDrAiMejDYqK7UQ=="
)
_DOCUMENT: Final = (
    '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="urn:a" '
    'validUntil="2036-01-02T03:04:05Z"><md:IDPSSODescriptor '
    'protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:KeyDescriptor use="signing">'
    '<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>'
    f"{_CERTIFICATE}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService "
    'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://a/"/></md:IDPSSODescriptor>'
    "</md:EntityDescriptor>"
)
SEEDS: Final = (
    _DOCUMENT.encode(),
    b'<?xml version="1.0" encoding="UTF-8"?>' + _DOCUMENT.replace("<md:IDP", "<!-- a --><md:IDP", 1).encode(),
    _DOCUMENT.replace("EntityDescriptor", "EntitiesDescriptor").replace("><", f">{_DOCUMENT}<", 1).encode(),
    b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
)


def run(data: bytes) -> None:
    """A document that says who and with which certificates, or a declared error."""
    try:
        found = read_metadata(data.decode("utf-8", "surrogateescape"))
    except MetadataError:
        return
    assert isinstance(found, Metadata)
    for each in (found, *found.others):
        assert 0 < len(each.entity_id) <= 1024
        assert each.certificates
