"""OpenID Connect providers: issuers whose tokens an account's roles may accept (IAM-CL-007).

A role names a provider as its principal by ARN; see :class:`~locum.api.sts.AssumeRoleWithWebIdentityCommand`.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import ArnText, Marker, MaxItems, Nothing, SomeTagKeys, SomeTags, Tags
from locum.api.shapes import Authorization, Command, Operation, Shape, Target, named, text
from locum.errors import (
    ConcurrentModificationException,
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
    OpenIdIdpCommunicationErrorException,
    ServiceFailureException,
)

__all__ = [
    "COMMANDS",
    "AddClientIDToOpenIDConnectProviderCommand",
    "CreateOpenIDConnectProviderCommand",
    "CreateOpenIDConnectProviderResponse",
    "DeleteOpenIDConnectProviderCommand",
    "GetOpenIDConnectProviderCommand",
    "GetOpenIDConnectProviderResponse",
    "ListOpenIDConnectProviderTagsCommand",
    "ListOpenIDConnectProviderTagsResponse",
    "ListOpenIDConnectProvidersCommand",
    "ListOpenIDConnectProvidersResponse",
    "OpenIDConnectProviderListEntry",
    "RemoveClientIDFromOpenIDConnectProviderCommand",
    "TagOpenIDConnectProviderCommand",
    "UntagOpenIDConnectProviderCommand",
    "UpdateOpenIDConnectProviderThumbprintCommand",
]

_PROVIDER: Final = Target("oidc-provider", "open_id_connect_provider_arn")

ProviderArn = Annotated[ArnText, named("OpenIDConnectProviderArn")]
"""The ARN of a provider: ``oidc-provider/`` and its URL without the scheme (STS-WI-025)."""

ProviderUrl = Annotated[str, text(1, 255)]
"""The URL of a provider, as tokens have it in ``iss``; answers leave the scheme out (IAM-OID-001, IAM-OID-002)."""

ClientId = Annotated[str, text(1, 255)]
"""An audience that the provider's tokens may be made for."""

ClientIds = Annotated[tuple[ClientId, ...], named("ClientIDList")]
"""Audiences; which ones are checked when a token comes (IAM-OID-005)."""

Thumbprint = Annotated[str, text(40, 40)]
"""The SHA-1 of a certificate in hexadecimal digits (STS-WI-027)."""


class CreateOpenIDConnectProviderResponse(Shape):
    """The new provider's ARN; the tags where there are some."""

    open_id_connect_provider_arn: ProviderArn
    tags: Tags | None = None


class CreateOpenIDConnectProviderCommand(Command[CreateOpenIDConnectProviderResponse]):
    """Make a provider of an issuer's URL.

    Nothing is fetched: without thumbprints there are none, and the issuer's certificate must be one that is trusted by
    its authority.
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "CreateOpenIDConnectProvider",
        Authorization(Target("oidc-provider", "url", creates=True), keys=("aws:RequestTag/", "aws:TagKeys")),
        errors=(
            InvalidInputException,
            EntityAlreadyExistsException,
            LimitExceededException,
            ConcurrentModificationException,
            ServiceFailureException,
            OpenIdIdpCommunicationErrorException,
        ),
        read_only=False,
        writes=True,
    )

    url: ProviderUrl
    client_id_list: ClientIds = ()
    thumbprint_list: tuple[Thumbprint, ...] = ()
    tags: Tags = ()


class GetOpenIDConnectProviderResponse(Shape):
    """A provider; its URL has no scheme, and the lists may be empty (IAM-OID-002)."""

    url: ProviderUrl | None = None
    client_id_list: ClientIds | None = None
    thumbprint_list: tuple[Thumbprint, ...] | None = None
    create_date: datetime.datetime | None = None
    tags: Tags | None = None


class GetOpenIDConnectProviderCommand(Command[GetOpenIDConnectProviderResponse]):
    """Show a provider."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "GetOpenIDConnectProvider",
        Authorization(_PROVIDER),
        errors=(InvalidInputException, NoSuchEntityException, ServiceFailureException),
    )

    open_id_connect_provider_arn: ProviderArn


class OpenIDConnectProviderListEntry(Shape):
    """A provider in a list."""

    arn: ArnText | None = None


class ListOpenIDConnectProvidersResponse(Shape):
    """Every provider of the account (IAM-OID-007)."""

    open_id_connect_provider_list: Annotated[
        tuple[OpenIDConnectProviderListEntry, ...], named("OpenIDConnectProviderList")
    ]


class ListOpenIDConnectProvidersCommand(Command[ListOpenIDConnectProvidersResponse]):
    """List the account's providers, all at once (IAM-GEN-052)."""

    operation: ClassVar[Operation] = Operation(
        IAM, "ListOpenIDConnectProviders", Authorization(), errors=(ServiceFailureException,)
    )


class DeleteOpenIDConnectProviderCommand(Command[Nothing]):
    """Delete a provider.  Roles that trust it stay, and cannot be assumed with it any more (IAM-OID-009)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteOpenIDConnectProvider",
        Authorization(_PROVIDER),
        errors=(InvalidInputException, NoSuchEntityException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    open_id_connect_provider_arn: ProviderArn


class UpdateOpenIDConnectProviderThumbprintCommand(Command[Nothing]):
    """Put a list of thumbprints in place of the one that a provider has (IAM-OID-004)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UpdateOpenIDConnectProviderThumbprint",
        Authorization(_PROVIDER),
        errors=(
            ConcurrentModificationException,
            InvalidInputException,
            NoSuchEntityException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    open_id_connect_provider_arn: ProviderArn
    thumbprint_list: tuple[Thumbprint, ...]


class AddClientIDToOpenIDConnectProviderCommand(Command[Nothing]):
    """Accept tokens for one more audience; one that is there already does no harm (IAM-OID-005)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "AddClientIDToOpenIDConnectProvider",
        Authorization(_PROVIDER),
        errors=(
            ConcurrentModificationException,
            InvalidInputException,
            NoSuchEntityException,
            LimitExceededException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    open_id_connect_provider_arn: ProviderArn
    client_id: Annotated[ClientId, named("ClientID")]


class RemoveClientIDFromOpenIDConnectProviderCommand(Command[Nothing]):
    """Accept no more tokens for an audience; one that is not there does no harm (IAM-OID-005)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "RemoveClientIDFromOpenIDConnectProvider",
        Authorization(_PROVIDER),
        errors=(
            ConcurrentModificationException,
            InvalidInputException,
            NoSuchEntityException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    open_id_connect_provider_arn: ProviderArn
    client_id: Annotated[ClientId, named("ClientID")]


class TagOpenIDConnectProviderCommand(Command[Nothing]):
    """Put tags on a provider, over those with the same key; keys are case-sensitive (IAM-GEN-061)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "TagOpenIDConnectProvider",
        Authorization(_PROVIDER, keys=("aws:RequestTag/", "aws:TagKeys")),
        errors=(
            NoSuchEntityException,
            LimitExceededException,
            InvalidInputException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    open_id_connect_provider_arn: ProviderArn
    tags: SomeTags


class UntagOpenIDConnectProviderCommand(Command[Nothing]):
    """Remove tags from a provider; keys that it has not do no harm."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UntagOpenIDConnectProvider",
        Authorization(_PROVIDER, keys=("aws:TagKeys",)),
        errors=(
            NoSuchEntityException,
            InvalidInputException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    open_id_connect_provider_arn: ProviderArn
    tag_keys: SomeTagKeys


class ListOpenIDConnectProviderTagsResponse(Shape):
    """One page of tags."""

    tags: Tags
    is_truncated: bool = False
    marker: str | None = None


class ListOpenIDConnectProviderTagsCommand(Command[ListOpenIDConnectProviderTagsResponse]):
    """List the tags of a provider, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListOpenIDConnectProviderTags",
        Authorization(_PROVIDER),
        errors=(NoSuchEntityException, ServiceFailureException, InvalidInputException),
    )

    open_id_connect_provider_arn: ProviderArn
    marker: Marker | None = None
    max_items: MaxItems | None = None


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    CreateOpenIDConnectProviderCommand,
    GetOpenIDConnectProviderCommand,
    ListOpenIDConnectProvidersCommand,
    DeleteOpenIDConnectProviderCommand,
    UpdateOpenIDConnectProviderThumbprintCommand,
    AddClientIDToOpenIDConnectProviderCommand,
    RemoveClientIDFromOpenIDConnectProviderCommand,
    TagOpenIDConnectProviderCommand,
    UntagOpenIDConnectProviderCommand,
    ListOpenIDConnectProviderTagsCommand,
)
"""The commands of this module."""
