"""Metadata documents of SAML identity providers, for tests of the operations that take them.

The certificate was made for this file with cryptography (ECDSA on P-256, self-signed); its key was not kept.
"""

from __future__ import annotations

from typing import Final

CERTIFICATE: Final = """
MIIBIDCBx6ADAgECAgEBMAoGCCqGSM49BAMCMBoxGDAWBgNVBAMMD2lkcC5leGFtcGxlLmNvbTAe
Fw0yNjAxMDEwMDAwMDBaFw0zNjAxMDEwMDAwMDBaMBoxGDAWBgNVBAMMD2lkcC5leGFtcGxlLmNv
bTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDXEqboN/kA9w3AyFF9q6u239jAVUS6A49tro9dm
HYNMyR7ABRSJdgAzDylA97GMuEmj3RxPkspHAXpgxLBDzeYwCgYIKoZIzj0EAwIDSAAwRQIhAMBy
MTbc4TR4I4VvzX52fe5t7HiKPPkYmE3fPxYHQpwYAiBqivnWLlpyBvfIyDLmxlUB99EPFGTTDrAi
MejDYqK7UQ==
"""

_BINDING: Final = "urn:oasis:names:tc:SAML:2.0:bindings"


def metadata(entity_id: str = "https://idp.example.com/saml", *, valid_until: str | None = None) -> str:
    """A metadata document with one identity provider, long enough for the declared least of 1,000 characters."""
    until = "" if valid_until is None else f' validUntil="{valid_until}"'
    return f'''<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity_id}"{until}>
  <md:IDPSSODescriptor WantAuthnRequestsSigned="false"
      protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing">
      <ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
        <ds:X509Data><ds:X509Certificate>{CERTIFICATE}</ds:X509Certificate></ds:X509Data>
      </ds:KeyInfo>
    </md:KeyDescriptor>
    <md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>
    <md:SingleSignOnService Binding="{_BINDING}:HTTP-Redirect" Location="https://idp.example.com/sso"/>
    <md:SingleSignOnService Binding="{_BINDING}:HTTP-POST" Location="https://idp.example.com/sso"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>
'''
