"""What OIDC and SAML providers have in common: being found by ARN."""

from __future__ import annotations

from typing import Any, TypeVar

from locum.arn import Arn
from locum.core.records import OidcProvider, SamlProvider
from locum.errors import NoSuchEntityException, ValidationError
from locum.server.handlers import Call
from locum.store.records import Stored

__all__ = ["provider"]

ProviderType = TypeVar("ProviderType", OidcProvider, SamlProvider)


def provider(call: Call[Any], kind: type[ProviderType], provider_arn: str, missing: str) -> Stored[ProviderType]:
    """The account's provider that the call names; NoSuchEntity with ``missing`` and the ARN where there is none.

    ValidationError for what is no ARN of such a provider (IAM-GEN-044).
    """
    try:
        parsed = Arn.parse(provider_arn)
    except ValueError:
        raise ValidationError(f"ARN {provider_arn} is not valid.") from None
    if parsed.service != "iam" or parsed.region or not parsed.resource.startswith(f"{kind.kind}/"):
        raise ValidationError(f"ARN {provider_arn} is not valid.")
    stored: Stored[ProviderType] | None = call.found(kind)
    if stored is None:
        raise NoSuchEntityException(missing.format(arn=provider_arn))
    return stored
