"""What to do about a check that a token or an assertion did not pass: name of the check → hint."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from locum.arn import Arn
from locum.core.proof import Check

__all__ = ["ASSERTION", "TOKEN", "remedy"]

_CLOCKS: Final = "the clocks of issuer and server differ, or the proof is for later: set both by NTP"
_SETTINGS: Final = "docs/federation.md shows the settings"
_ANEW: Final = "get a new one"

_BOTH: Final[Mapping[str, str]] = {
    "role": "name a role that exists, by its whole ARN with its path: aws iam get-role shows it",
    "trust policy": "change the role's trust policy: aws iam update-assume-role-policy; what is missing stands above",
    "session": "ask for a shorter session or fewer tags, or let the role last longer: aws iam update-role",
    "tags": "a tag has one text; at most 50 tags, keys up to 128 and values up to 256 characters",
}

TOKEN: Final[Mapping[str, str]] = {
    **_BOTH,
    "format": "send the ID token, three parts with dots between and nothing around it; not an access token",
    "provider": "the token's iss and the provider's URL must be equal letter by letter, a slash at the end included",
    "algorithm": "let the issuer sign with RS256 or ES256; PS256 and EdDSA need extra-algorithms in its [[oidc]] table",
    "issuer": "the token's iss must be the provider's URL; http:// needs loopback-http in the [[oidc]] table",
    "address": "an issuer in a private network needs networks in its [[oidc]] table, one on this machine loopback-http",
    "certificate": "name the issuer's authority with ca-file in its [[oidc]] table, or the provider's thumbprint: "
    "aws iam update-open-id-connect-provider-thumbprint",
    "discovery": "the issuer's URL followed by /.well-known/openid-configuration must answer at once, not redirect "
    "elsewhere, and name that very issuer; jwks-file in its [[oidc]] table does without",
    "keys": "the issuer's key set must be there for this server: try its URL with curl; jwks-file in its [[oidc]] "
    "table does without",
    "key": "the issuer does not publish the key that signed: wait a minute after a rotation, or update the jwks-file",
    "signature": "the token was changed, or another issuer's key of the same name signed it: " + _ANEW,
    "sub": "let the issuer put a subject into the token",
    "aud": "let the issuer put an audience into the token",
    "iat": "let the issuer put the time of issue into the token, in whole epoch seconds",
    "exp": "let the issuer put the end of validity into the token, in whole epoch seconds",
    "nbf": "let the issuer write nbf in whole epoch seconds, or leave it out",
    "expiry": "the token is too old: " + _ANEW,
    "issued": _CLOCKS,
    "not before": _CLOCKS,
    "audience": "let the client ask for a token with an audience that the provider knows",
    "roles": "the claim https://aws.amazon.com/roles must name the role's ARN, or be left out",
    "amr": "the claim amr is a list of texts",
    "source identity": "2 to 64 letters, digits and _+=,.@- that do not begin with aws:",
}
"""Checks of a token."""

ASSERTION: Final[Mapping[str, str]] = {
    **_BOTH,
    "provider": "name a provider of the account: aws iam list-saml-providers",
    "size": "a response has at most 100,000 characters in base64: let the provider send fewer attributes",
    "base64": "send the value of the form field SAMLResponse, as it is",
    "document": "send the Response of the HTTP-POST binding: plain XML, without comments, not compressed",
    "root": "send the whole Response of SAML 2.0, not its Assertion alone",
    "status": "the identity provider refused the login itself: its log says why",
    "form": "the response must have one Assertion, or one EncryptedAssertion, as its last element",
    "one assertion": "the response must have exactly one Assertion or EncryptedAssertion, as its last element",
    "assertion": "the response must have exactly one Assertion or EncryptedAssertion, as its last element",
    "Destination": "let the provider send to this server's ACS URL, see /saml/metadata, or add its own to recipients",
    "response signature": "take the provider's metadata anew: aws iam update-saml-provider",
    "encryption": "the provider must encrypt: give it this server's certificate, or make encryption Allowed",
    "decryption": "the provider must encrypt for a private key that is registered: aws iam update-saml-provider "
    "--add-private-key; AES-GCM and RSA-OAEP",
    "encrypted content": "the provider must encrypt one signed Assertion",
    "decryption and signature": "the provider must sign, and encrypt for a private key that is registered; locum "
    "doctor --data tells more",
    "assertion is signed": "let the provider sign the assertion, not only the response",
    "assertion signature": "take the provider's metadata anew, it may sign with another certificate: "
    "aws iam update-saml-provider; signatures with SHA-1 need allow-sha1",
    "version": "the provider must speak SAML 2.0",
    "issuer": "the metadata is another provider's: aws iam update-saml-provider",
    "NameID": "let the provider send a NameID",
    "NameID Format": "let the provider state the NameID's Format, such as persistent",
    "SubjectConfirmation": "let the provider send exactly one SubjectConfirmation with the method bearer",
    "SubjectConfirmationData": "let the provider state Recipient and NotOnOrAfter",
    "SubjectConfirmationData is whole": "let the provider state Recipient and NotOnOrAfter",
    "Recipient": "let the provider use this server's ACS URL, see /saml/metadata, or add its own to recipients",
    "Conditions": "let the provider send one Conditions, with an AudienceRestriction",
    "NotBefore": _CLOCKS,
    "NotOnOrAfter": "the response is too old, or the clocks differ: " + _ANEW,
    "Audience": "let the provider use this server's entity id, the URL of /saml/metadata, or add its own to audiences",
    "IssueInstant": _CLOCKS,
    "age": "a response is good for 5 minutes after its issue: " + _ANEW,
    "AuthnStatement": "let the provider send an AuthnStatement",
    "SessionNotOnOrAfter": "the login at the identity provider is over: log in again",
    "Role": "the attribute https://aws.amazon.com/SAML/Attributes/Role must hold ROLE_ARN,PROVIDER_ARN",
    "RoleSessionName is there": "map a user name to the attribute https://aws.amazon.com/SAML/Attributes/RoleSessionName",
    "RoleSessionName": "one value of 2 to 64 letters, digits and _+=,.@-",
    "SourceIdentity": "one value of 2 to 64 letters, digits and _+=,.@- that does not begin with aws:",
    "SessionDuration": "one value from 900 to 43200, in seconds",
    "single use": "the provider is set to single-use: log in again for another session",
}
"""Checks of an assertion."""


def remedy(table: Mapping[str, str], checks: Sequence[Check]) -> str:
    """What to do about the check that failed; empty where none did.

    Where the values of the checks say what is missing in IAM, it is the command that adds it.
    """
    failed = next((each for each in checks if not each.passed), None)
    if failed is None:
        return ""
    if table is TOKEN:
        provider = next((each.expected for each in checks if each.name == "provider"), "")
        if failed.name == "provider" and (url := _url(failed.expected)):
            return (
                f"{TOKEN['provider']}; or aws iam create-open-id-connect-provider --url {url} --client-id-list CLIENT"
            )
        if failed.name == "audience" and failed.found and _url(provider) and ", " not in failed.found:
            return (
                f"aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn "
                f"{shlex.quote(provider)} --client-id {shlex.quote(failed.found)}"
            )
    general = next((text for name, text in table.items() if failed.name.endswith(f" {name}")), _SETTINGS)
    return table.get(failed.name, general)


def _url(provider_arn: str) -> str:
    """The URL of an OIDC provider, quoted for a shell; empty where the text is no ARN of one."""
    try:
        kind, _, rest = Arn.parse(provider_arn).resource.partition("/")
    except ValueError:
        return ""
    return shlex.quote(f"https://{rest}") if kind == "oidc-provider" else ""
