"""SAML providers: identity providers, known by their metadata, whose assertions roles may accept (IAM-CL-008).

A role names a provider as its principal by ARN; see :class:`~locum.api.sts.AssumeRoleWithSAMLCommand`.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import ArnText, Marker, MaxItems, Nothing, SomeTagKeys, SomeTags, Tags
from locum.api.shapes import Authorization, Command, Operation, Shape, Target, items, named, text
from locum.errors import (
    ConcurrentModificationException,
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
    ServiceFailureException,
)
from locum.secret import Secret

__all__ = [
    "COMMANDS",
    "CreateSAMLProviderCommand",
    "CreateSAMLProviderResponse",
    "DeleteSAMLProviderCommand",
    "GetSAMLProviderCommand",
    "GetSAMLProviderResponse",
    "ListSAMLProviderTagsCommand",
    "ListSAMLProviderTagsResponse",
    "ListSAMLProvidersCommand",
    "ListSAMLProvidersResponse",
    "SAMLPrivateKey",
    "SAMLProviderListEntry",
    "TagSAMLProviderCommand",
    "UntagSAMLProviderCommand",
    "UpdateSAMLProviderCommand",
    "UpdateSAMLProviderResponse",
]

_PROVIDER: Final = Target("saml-provider", "saml_provider_arn")

MetadataDocument = Annotated[str, text(1000, 10000000)]
"""The metadata of an identity provider, an XML document (IAM-SML-002); a request must not be longer than the server
takes, which is less unless it is configured so."""

ProviderName = Annotated[str, text(1, 128, r"[\w._-]+")]
"""The name of a provider."""

EncryptionMode = Annotated[str, text(one_of=("Required", "Allowed"))]
"""Whether assertions must be encrypted; ``Allowed`` unless given."""

PrivateKey = Annotated[Secret, text(1, 16384, r"[\u0009\u000A\u000D\u0020-\u00FF]+", secret=True)]
"""A private key in PEM that decrypts assertions."""

KeyId = Annotated[str, text(22, 64, r"[A-Z0-9]+")]
"""The id of a private key, or of a provider."""


class CreateSAMLProviderResponse(Shape):
    """The new provider's ARN; the tags where there are some (IAM-SML-001)."""

    saml_provider_arn: ArnText
    tags: Tags | None = None


class CreateSAMLProviderCommand(Command[CreateSAMLProviderResponse]):
    """Make a provider of an identity provider's metadata.

    The name must differ from every other provider's, ignoring case (POL-LM-010).
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "CreateSAMLProvider",
        Authorization(Target("saml-provider", "name", creates=True), keys=("aws:RequestTag/", "aws:TagKeys")),
        errors=(
            InvalidInputException,
            EntityAlreadyExistsException,
            LimitExceededException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    saml_metadata_document: MetadataDocument
    name: ProviderName
    tags: Tags = ()
    assertion_encryption_mode: EncryptionMode | None = None
    add_private_key: PrivateKey | None = None


class SAMLPrivateKey(Shape):
    """A private key that a provider has: its id, and since when.  The key itself is never shown."""

    key_id: KeyId
    timestamp: datetime.datetime


class GetSAMLProviderResponse(Shape):
    """A provider, with its metadata as they were given (IAM-SML-003)."""

    saml_provider_uuid: Annotated[KeyId, named("SAMLProviderUUID")] | None = None
    saml_metadata_document: MetadataDocument | None = None
    create_date: datetime.datetime | None = None
    valid_until: datetime.datetime | None = None
    tags: Tags | None = None
    assertion_encryption_mode: EncryptionMode | None = None
    private_key_list: Annotated[tuple[SAMLPrivateKey, ...], items(most=2)] | None = None


class GetSAMLProviderCommand(Command[GetSAMLProviderResponse]):
    """Show a provider."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "GetSAMLProvider",
        Authorization(_PROVIDER),
        errors=(NoSuchEntityException, InvalidInputException, ServiceFailureException),
    )

    saml_provider_arn: ArnText


class UpdateSAMLProviderResponse(Shape):
    """The provider's ARN (IAM-SML-005)."""

    saml_provider_arn: ArnText


class UpdateSAMLProviderCommand(Command[UpdateSAMLProviderResponse]):
    """Change a provider's metadata, whether assertions must be encrypted, or its private keys.

    A key is removed before one is added, so that one request can put a new key in the place of an old one.
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UpdateSAMLProvider",
        Authorization(_PROVIDER),
        errors=(
            NoSuchEntityException,
            InvalidInputException,
            LimitExceededException,
            ServiceFailureException,
            ConcurrentModificationException,
        ),
        read_only=False,
        writes=True,
    )

    saml_metadata_document: MetadataDocument | None = None
    saml_provider_arn: ArnText
    assertion_encryption_mode: EncryptionMode | None = None
    add_private_key: PrivateKey | None = None
    remove_private_key: KeyId | None = None


class SAMLProviderListEntry(Shape):
    """A provider in a list (IAM-SML-006)."""

    arn: ArnText | None = None
    valid_until: datetime.datetime | None = None
    create_date: datetime.datetime | None = None


class ListSAMLProvidersResponse(Shape):
    """Every provider of the account (IAM-SML-006)."""

    saml_provider_list: tuple[SAMLProviderListEntry, ...]


class ListSAMLProvidersCommand(Command[ListSAMLProvidersResponse]):
    """List the account's providers, all at once (IAM-GEN-052)."""

    operation: ClassVar[Operation] = Operation(
        IAM, "ListSAMLProviders", Authorization(), errors=(ServiceFailureException,)
    )


class DeleteSAMLProviderCommand(Command[Nothing]):
    """Delete a provider and its keys.  Roles that trust it stay, and cannot be assumed with it any more."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteSAMLProvider",
        Authorization(_PROVIDER),
        errors=(InvalidInputException, LimitExceededException, NoSuchEntityException, ServiceFailureException),
        read_only=False,
        writes=True,
    )

    saml_provider_arn: ArnText


class TagSAMLProviderCommand(Command[Nothing]):
    """Put tags on a provider, over those with the same key; keys are case-sensitive (IAM-GEN-061)."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "TagSAMLProvider",
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

    saml_provider_arn: ArnText
    tags: SomeTags


class UntagSAMLProviderCommand(Command[Nothing]):
    """Remove tags from a provider; keys that it has not do no harm."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "UntagSAMLProvider",
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

    saml_provider_arn: ArnText
    tag_keys: SomeTagKeys


class ListSAMLProviderTagsResponse(Shape):
    """One page of tags."""

    tags: Tags
    is_truncated: bool = False
    marker: str | None = None


class ListSAMLProviderTagsCommand(Command[ListSAMLProviderTagsResponse]):
    """List the tags of a provider, page by page."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListSAMLProviderTags",
        Authorization(_PROVIDER),
        errors=(NoSuchEntityException, ServiceFailureException, InvalidInputException),
    )

    saml_provider_arn: ArnText
    marker: Marker | None = None
    max_items: MaxItems | None = None


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    CreateSAMLProviderCommand,
    GetSAMLProviderCommand,
    UpdateSAMLProviderCommand,
    ListSAMLProvidersCommand,
    DeleteSAMLProviderCommand,
    TagSAMLProviderCommand,
    UntagSAMLProviderCommand,
    ListSAMLProviderTagsCommand,
)
"""The commands of this module."""
