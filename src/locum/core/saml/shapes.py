"""The values of SAML: a provider's metadata and settings, what is expected of a response, and what one has proved."""

from __future__ import annotations

from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from locum.core.proof import FederatedIdentity
from locum.errors import InvalidIdentityTokenException

__all__ = ["Expected", "Metadata", "MetadataError", "SamlRules", "Verified", "provider_unknown", "suffix"]

INVALID_RESPONSE: Final = "AuthSamlInvalidSamlResponseException"
UNKNOWN_PROVIDER: Final = "AuthSamlManifestNotFoundException"


class SamlRules(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one provider, from the configuration file: IAM has no parameter for them.

    ``audiences`` and ``recipients`` are accepted besides AWS's values and this server's own.  ``allow_cbc`` lets
    assertions be encrypted with AES-CBC, which nothing protects against change; ``allow_sha1`` lets RSA signatures and
    digests use SHA-1.  ``single_use`` is the server's to enforce, with what :class:`Verified` says.  ``lax`` restores
    AWS's laxity: NotBefore, audience and recipient are not enforced (STS-SAML-012…014, R36).
    """

    audiences: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    allow_cbc: bool = False
    allow_sha1: bool = False
    single_use: bool = False
    lax: bool = False


class MetadataError(ValueError):
    """A metadata document that is refused; the text says why and quotes nothing of it."""


class Metadata(msgspec.Struct, frozen=True):
    """What a metadata document says of an identity provider (SAML metadata, 2.4.3).

    ``certificates`` are those that may have signed, in DER; their own dates do not matter (STS-SAML-009).
    ``valid_until`` is an epoch second, or None where the document has no end; ``sso_urls`` are where it takes requests
    to log in, by browser.  A document may describe several providers: the first is this one, ``others`` the rest.
    """

    entity_id: str
    certificates: tuple[bytes, ...]
    valid_until: int | None = None
    sso_urls: tuple[str, ...] = ()
    others: tuple[Metadata, ...] = ()

    def issuer(self, entity_id: str) -> Metadata | None:
        """The identity provider of this name, whose certificates count for its assertions only."""
        return next((each for each in (self, *self.others) if each.entity_id == entity_id), None)


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a response must fit: the registered provider, the role asked for, and who we are.

    ``account``, ``provider_name`` and ``provider_id`` are those of the provider; ``entity_ids`` and ``recipients`` are
    this server's own names and addresses (its entity id, its ACS URL).  ``role_arn`` is None where the response is
    looked at for whatever role of the provider it offers, as a diagnosis may do.  ``private_keys`` open encrypted
    assertions, at most two (STS-SAML-018), and ``encryption_required`` refuses plain ones.
    """

    provider_arn: str
    account: str
    provider_name: str
    role_arn: str | None
    metadata: Metadata
    provider_id: str = ""
    entity_ids: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    private_keys: tuple[RSAPrivateKey, ...] = ()
    encryption_required: bool = False
    rules: SamlRules = SamlRules()


class Verified(msgspec.Struct, frozen=True):
    """What a response has proved: the identity, and the assertion by its ID.

    From ``expires``, an epoch second, no check would pass it any more: until then a server that takes each assertion
    once remembers the ID, together with the issuer.
    """

    identity: FederatedIdentity
    assertion_id: str
    expires: int


def suffix(request_id: str, code: str = INVALID_RESPONSE) -> str:
    """The end of AWS's texts about a response (sts.md, 11.7)."""
    return (
        f"(Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: {code}; "
        f"Request ID: {request_id}; Proxy: null)"
    )


def provider_unknown(request_id: str) -> InvalidIdentityTokenException:
    """The answer for a provider that does not exist (STS-SAML-T14)."""
    return InvalidIdentityTokenException(f"Specified provider doesn't exist {suffix(request_id, UNKNOWN_PROVIDER)}")
