"""Outbound web identity: whether the account is an issuer of identity tokens to others (IAM-CL-014).

The tokens themselves come from GetWebIdentityToken of STS.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import Nothing
from locum.api.shapes import Authorization, Command, Operation, Shape
from locum.errors import FeatureDisabledException, FeatureEnabledException

__all__ = [
    "COMMANDS",
    "DisableOutboundWebIdentityFederationCommand",
    "EnableOutboundWebIdentityFederationCommand",
    "EnableOutboundWebIdentityFederationResponse",
    "GetOutboundWebIdentityFederationInfoCommand",
    "GetOutboundWebIdentityFederationInfoResponse",
]


class EnableOutboundWebIdentityFederationResponse(Shape):
    """The URL of the account's issuer, the claim ``iss`` of its tokens."""

    issuer_identifier: str | None = None


class EnableOutboundWebIdentityFederationCommand(Command[EnableOutboundWebIdentityFederationResponse]):
    """Let the account issue identity tokens; its issuer is made the first time and is the same ever after.

    :class:`FeatureEnabledException` where it may already (IAM-OUT-001).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "EnableOutboundWebIdentityFederation",
        Authorization(),
        errors=(FeatureEnabledException,),
        read_only=False,
        writes=True,
    )


class DisableOutboundWebIdentityFederationCommand(Command[Nothing]):
    """Stop issuing identity tokens; those that were issued can still be verified (STS-GWT-011).

    :class:`FeatureDisabledException` where none are issued (IAM-OUT-001).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DisableOutboundWebIdentityFederation",
        Authorization(),
        errors=(FeatureDisabledException,),
        read_only=False,
        writes=True,
    )


class GetOutboundWebIdentityFederationInfoResponse(Shape):
    """The URL of the account's issuer, and that it issues tokens."""

    issuer_identifier: str | None = None
    jwt_vending_enabled: bool | None = None


class GetOutboundWebIdentityFederationInfoCommand(Command[GetOutboundWebIdentityFederationInfoResponse]):
    """Tell the account's issuer; :class:`FeatureDisabledException` while it issues no tokens (STS-GWT-002)."""

    operation: ClassVar[Operation] = Operation(
        IAM, "GetOutboundWebIdentityFederationInfo", Authorization(), errors=(FeatureDisabledException,)
    )


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    EnableOutboundWebIdentityFederationCommand,
    DisableOutboundWebIdentityFederationCommand,
    GetOutboundWebIdentityFederationInfoCommand,
)
"""The commands of this module."""
