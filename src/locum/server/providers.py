"""What the proofs of identity providers are verified with beside records: issuers' keys, settings, our own names."""

from __future__ import annotations

import time
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from locum.core import outbound
from locum.core.oidc import Claims, Hints, IssuerRules
from locum.core.proof import Trail
from locum.core.saml import SamlRules
from locum.server.federation_settings import FederationSettings
from locum.server.jwks import IssuerKeys

__all__ = ["ACS_PATH", "METADATA_PATH", "Providers"]

METADATA_PATH: Final = "/saml/metadata"
"""Where this server tells identity providers about itself; its URL is the entity id."""

ACS_PATH: Final = "/saml/acs"
"""Where browsers would bring assertions; its URL is a Recipient that is accepted."""

_RULES_KEPT: Final = 1_024


class Providers:
    """The settings and the keys of identity providers, for one process and any of its threads.

    ``url`` is the server's public URL: what is under it are our own issuers, whose tokens are not taken (STS-WI-024),
    and our names as a service provider.
    """

    def __init__(
        self, settings: FederationSettings | None = None, *, url: str = "", keys: IssuerKeys | None = None
    ) -> None:
        self._settings: Final = settings or FederationSettings()
        own = f"{url}{outbound.PATH}" if url else None
        self.keys: Final = keys or IssuerKeys(clock=time.monotonic, own_prefix=own)
        self.entity_id: Final = f"{url}{METADATA_PATH}"
        self.acs_url: Final = f"{url}{ACS_PATH}"
        self.issuer: Final = lru_cache(maxsize=_RULES_KEPT)(self._issuer)
        """The rules of an OIDC provider, by its ARN or built-in name."""
        self.saml: Final = lru_cache(maxsize=_RULES_KEPT)(self._saml)
        """The rules of a SAML provider, by its ARN."""

    def _issuer(self, provider: str) -> IssuerRules:
        table = self._settings.oidc(provider)
        return IssuerRules(
            extra_algorithms=table.extra_algorithms,
            jwks=table.jwks,
            ca=table.ca,
            networks=table.networks,
            loopback_http=table.loopback_http,
        )

    def _saml(self, provider: str) -> SamlRules:
        table = self._settings.saml(provider)
        return SamlRules(
            audiences=table.audiences,
            recipients=table.recipients,
            allow_cbc=table.allow_cbc,
            allow_sha1=table.allow_sha1,
            single_use=table.single_use,
            lax=table.lax,
        )

    def verify(
        self,
        token: Hints,
        provider: str,
        *,
        account: str,
        issuer: str,
        client_ids: Collection[str],
        thumbprints: tuple[str, ...],
        now: float,
        trail: Trail | None = None,
    ) -> Claims:
        """The claims of a token of ``provider``, as :meth:`locum.server.jwks.IssuerKeys.verify` finds them.

        ``account`` is the provider's, empty for a built-in one.
        """
        return self.keys.verify(
            token,
            issuer=issuer,
            client_ids=client_ids,
            rules=self.issuer(provider),
            now=now,
            thumbprints=thumbprints,
            account=account,
            trail=trail,
        )
