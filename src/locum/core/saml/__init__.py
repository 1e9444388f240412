"""SAML 2.0: what a provider's metadata says, and what a signed response of it proves (AssumeRoleWithSAML).

The values that travel between the rooms need nothing; the functions need the extra ``saml`` (lxml and signxml) and
are loaded when they are first asked for, so that a server without SAML neither has nor loads those libraries.

- :func:`read_metadata` reads the metadata document of a provider.
- :func:`verify` verifies a response (R35, R36) and says for whom it vouches.
- :func:`sp_metadata` is what an identity provider needs to know of this server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locum.core.saml.shapes import Expected, Metadata, MetadataError, SamlRules, Verified, provider_unknown

if TYPE_CHECKING:
    from locum.core.saml.metadata import read_metadata
    from locum.core.saml.response import verify
    from locum.core.saml.sp import sp_metadata

__all__ = [
    "Expected",
    "Metadata",
    "MetadataError",
    "SamlRules",
    "Verified",
    "provider_unknown",
    "read_metadata",
    "sp_metadata",
    "verify",
]


def __getattr__(name: str) -> Any:
    """The functions that need lxml; ImportError where the extra ``saml`` is not installed."""
    if name == "read_metadata":
        from locum.core.saml.metadata import read_metadata

        return read_metadata
    if name == "verify":
        from locum.core.saml.response import verify

        return verify
    if name == "sp_metadata":
        from locum.core.saml.sp import sp_metadata

        return sp_metadata
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
