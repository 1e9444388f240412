"""How a response is refused: AWS's codes and texts (sts.md, 11.7), and the checks that lead to them."""

from __future__ import annotations

from typing import Final, NamedTuple

from locum.core.proof import Trail
from locum.core.saml.shapes import suffix
from locum.errors import (
    ExpiredTokenException,
    IDPRejectedClaimException,
    InvalidIdentityTokenException,
    ServiceException,
)

__all__ = [
    "BAD_DURATION",
    "BAD_SESSION_NAME",
    "BAD_SIGNATURE",
    "BAD_SOURCE_IDENTITY",
    "BAD_TAGS",
    "EXPIRED",
    "MALFORMED",
    "NO_CONFIRMATION",
    "NO_SESSION_NAME",
    "OTHER_AUDIENCE",
    "OTHER_ISSUER",
    "OTHER_ROLE",
    "REJECTED",
    "TOO_EARLY",
    "TOO_OLD",
    "UNSIGNED",
    "Examination",
    "Refusal",
]

_LONGEST_FOUND: Final = 256
"""Characters of a value that a trail shows."""


class Refusal(NamedTuple):
    """A cause: the error, its text, and whether AWS's text ends with the request id."""

    error: type[ServiceException]
    text: str
    suffixed: bool = False


_NAME: Final = "[a-zA-Z_0-9+=,.@-]{2,64}"

NO_SESSION_NAME: Final = Refusal(
    InvalidIdentityTokenException, "RoleSessionName is required in AuthnResponse"
)  # STS-SAML-T07
BAD_SESSION_NAME: Final = Refusal(
    InvalidIdentityTokenException, f"RoleSessionName in AuthnResponse must match {_NAME}"
)  # STS-SAML-T08
BAD_SOURCE_IDENTITY: Final = Refusal(
    InvalidIdentityTokenException, f'Source Identity must match {_NAME} and not begin with "aws:"'
)  # STS-SAML-T09, STS-SI-003
OTHER_ROLE: Final = Refusal(
    InvalidIdentityTokenException, "SAML Assertion doesn't contain the requested Role and Metadata in the attributes"
)  # STS-SAML-T10
BAD_SIGNATURE: Final = Refusal(InvalidIdentityTokenException, "Response signature invalid")  # STS-SAML-T11
UNSIGNED: Final = Refusal(
    InvalidIdentityTokenException,
    "Response (with optional signature) must contain an assertion with a mandatory signature",
    suffixed=True,
)  # STS-SAML-T12
OTHER_ISSUER: Final = Refusal(
    InvalidIdentityTokenException, "Issuer not present in specified provider", suffixed=True
)  # STS-SAML-T13
MALFORMED: Final = Refusal(InvalidIdentityTokenException, "Invalid base64 SAMLResponse", suffixed=True)  # STS-SAML-T15
NO_CONFIRMATION: Final = Refusal(
    InvalidIdentityTokenException, "Responses must contain SubjectConfirmatonData with a Recipient and NotOnOrAfter"
)  # STS-SAML-T16
EXPIRED: Final = Refusal(ExpiredTokenException, "Response has expired")  # STS-SAML-T17
TOO_OLD: Final = Refusal(
    ExpiredTokenException, "Token must be redeemed within 5 minutes of issuance"
)  # STS-SAML-T18, STS-SAML-005
REJECTED: Final = Refusal(
    IDPRejectedClaimException, "The identity provider's response has a status other than success"
)  # STS-SAML-T20
OTHER_AUDIENCE: Final = Refusal(
    InvalidIdentityTokenException, "Response does not contain the required audience."
)  # STS-SAML-014
TOO_EARLY: Final = Refusal(InvalidIdentityTokenException, "Response is not valid yet")  # R36
BAD_DURATION: Final = Refusal(
    InvalidIdentityTokenException, "SessionDuration in AuthnResponse must be an integer from 900 to 43200"
)  # STS-SAML-T03
BAD_TAGS: Final = Refusal(
    InvalidIdentityTokenException, "Session tags passed in AuthnResponse are not in correct format."
)  # STS-TAG-020


class Examination:
    """The checks of one response: each is written to the trail, and the first that fails ends it.

    AWS's texts tell little, so the error has a note with the cause, for the log (R6).
    """

    def __init__(self, trail: Trail | None, request_id: str) -> None:
        self._trail = trail
        self._request_id = request_id

    def check(self, name: str, passed: bool, refusal: Refusal, *, expected: str = "", found: str | float = "") -> None:
        """Go on if ``passed``, else raise the refusal's error; a number is found in seconds, counted from now."""
        if passed and self._trail is None:
            return
        shown = found[:_LONGEST_FOUND] if isinstance(found, str) else f"{found:+.0f} s from now"
        if self._trail is not None:
            self._trail.note(name, passed, expected=expected, found=shown)
        if not passed:
            text = f"{refusal.text} {suffix(self._request_id)}" if refusal.suffixed else refusal.text
            error = refusal.error(text)
            error.add_note(f"{name}: expected {expected}" + (f", found {shown}" if shown else ""))
            raise error
