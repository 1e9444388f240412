"""What the tests of SAML expect of a response, and how they verify one."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from locum.core.proof import FederatedIdentity, Trail
from locum.core.saml import Expected, SamlRules, Verified, read_metadata, verify
from locum.errors import ServiceException

from . import saml_idp as idp

REQUEST: Final = "c6104cbe-af31-11e0-8154-cbc7ccf896c7"
SUFFIX: Final = (
    "(Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: AuthSamlInvalidSamlResponseException; "
    f"Request ID: {REQUEST}; Proxy: null)"
)
BAD_SIGNATURE: Final = "Response signature invalid"
MALFORMED: Final = f"Invalid base64 SAMLResponse {SUFFIX}"
AUDIENCE: Final = "Response does not contain the required audience."

STRICT: Final = SamlRules()

_PLAIN: Final = Expected(
    provider_arn=idp.PROVIDER,
    account=idp.ACCOUNT,
    provider_name="Company",
    role_arn=idp.ROLE,
    metadata=read_metadata(idp.metadata()),
    entity_ids=("urn:locum:test",),
    recipients=("https://sts.example.com/saml/acs",),
)


def expected(rules: SamlRules = STRICT, **changes: Any) -> Expected:
    """What a response must fit, with these changes."""
    return msgspec.structs.replace(_PLAIN, rules=rules, **changes)


def verified(
    text: str,
    rules: SamlRules = STRICT,
    *,
    now: float = idp.NOW,
    trail: Trail | None = None,
    **changes: Any,
) -> Verified:
    """What a response proves."""
    return verify(idp.encoded(text), expected(rules, **changes), now, trail, request_id=REQUEST)


def identity(text: str, rules: SamlRules = STRICT, **changes: Any) -> FederatedIdentity:
    """For whom a response vouches."""
    return verified(text, rules, **changes).identity


def refusal(text: str, rules: SamlRules = STRICT, **changes: Any) -> tuple[str, str]:
    """Code and text of the error that answers a response; empty ones where it is accepted."""
    return refusal_of(idp.encoded(text), rules, **changes)


def refusal_of(
    assertion: str,
    rules: SamlRules = STRICT,
    *,
    now: float = idp.NOW,
    trail: Trail | None = None,
    **changes: Any,
) -> tuple[str, str]:
    """The same for a response as it travels."""
    try:
        verify(assertion, expected(rules, **changes), now, trail, request_id=REQUEST)
    except ServiceException as error:
        return error.code, error.message
    return "", ""
