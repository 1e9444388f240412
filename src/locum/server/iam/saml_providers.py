"""SAML providers: metadata of identity providers, and keys for assertions that are encrypted (iam_api.md section 8).

Of a private key only the id is ever shown; the key itself is kept sealed (R44).
"""

from __future__ import annotations

import base64
from typing import Any, Final

import msgspec

from locum.api.iam import saml_providers as api
from locum.api.iam import types
from locum.core.records import SamlKey, SamlProvider
from locum.core.sealing import NONCE_SIZE
from locum.errors import (
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
    ServiceFailureException,
)
from locum.secret import Secret
from locum.server import saml_keys
from locum.server.handlers import Call, handles
from locum.server.iam.answers import moment
from locum.server.iam.limits import check_quota
from locum.server.iam.providers import provider
from locum.server.iam.tags import list_tags, merged_tags, tag, tags_of, untag
from locum.store.records import Stored

__all__ = [
    "create_saml_provider",
    "delete_saml_provider",
    "get_saml_provider",
    "list_saml_provider_tags",
    "list_saml_providers",
    "tag_saml_provider",
    "untag_saml_provider",
    "update_saml_provider",
]

_ID_BYTES: Final = 20
"""32 characters in base32, which fit the form of ids (IAM-OP-GetSAMLProvider)."""

_CENTURY: Final = 36_525 * 86_400
"""Seconds that metadata hold which do not say until when (IAM-SML-008)."""

_REQUIRED: Final = "Required"
_NOT_FOUND: Final = "Manifest not found for arn {arn}"


def _provider(call: Call[Any]) -> Stored[SamlProvider]:
    """The provider that the call names; NoSuchEntity where there is none (IAM-SML-004)."""
    return provider(call, SamlProvider, call.command.saml_provider_arn, _NOT_FOUND)


def _new_id(call: Call[Any]) -> str:
    return base64.b32encode(call.random(_ID_BYTES)).decode()


def _valid_until(call: Call[Any], document: str) -> int:
    """Until when metadata hold, in epoch seconds; InvalidInput with the reason where they cannot be used.

    ServiceFailure where the packages that read them are not installed.
    """
    try:
        from locum.core.saml import MetadataError, read_metadata
    except ImportError:
        raise ServiceFailureException(
            "SAML needs packages that this server has not got. Its operator runs: pip install 'locum[saml]'"
        ) from None
    try:
        metadata = read_metadata(document)
    except MetadataError as error:
        raise InvalidInputException(f"Could not parse metadata: {error}") from None
    return int(call.now) + _CENTURY if metadata.valid_until is None else metadata.valid_until


def _with_key(call: Call[Any], made: SamlProvider, pem: Secret) -> SamlProvider:
    """The provider with one more private key; LimitExceeded beyond two (STS-SAML-018)."""
    der = saml_keys.read_key(pem)
    if len(made.private_keys) >= saml_keys.MAXIMUM_KEYS:
        raise LimitExceededException(f"Cannot exceed quota for PrivateKeysPerSAMLProvider: {saml_keys.MAXIMUM_KEYS}")
    id = _new_id(call)
    sealed = saml_keys.seal_key(call.vault, made.account, made.name, id, der, call.random(NONCE_SIZE))
    added = SamlKey(id=id, created=int(call.now), secret=sealed)
    return msgspec.structs.replace(made, private_keys=(*made.private_keys, added))


def _without_key(made: SamlProvider, id: str) -> SamlProvider:
    kept = tuple(each for each in made.private_keys if each.id != id)
    if len(kept) == len(made.private_keys):
        raise NoSuchEntityException(f"The private key with id {id} cannot be found.")
    return msgspec.structs.replace(made, private_keys=kept)


def _check_encryption(made: SamlProvider) -> None:
    """InvalidInput where assertions must be encrypted but none could be decrypted."""
    if made.encryption_mode == _REQUIRED and not made.private_keys:
        raise InvalidInputException("The assertion encryption mode Required needs a private key.")


def _check_key(call: Call[api.CreateSAMLProviderCommand] | Call[api.UpdateSAMLProviderCommand]) -> None:
    if call.command.add_private_key is not None:
        saml_keys.check_key(call.command.add_private_key)


@handles(api.CreateSAMLProviderCommand, once=_check_key)
def create_saml_provider(call: Call[api.CreateSAMLProviderCommand]) -> api.CreateSAMLProviderResponse:
    """Make a provider (IAM-SML-001, IAM-SML-002, IAM-SML-007)."""
    command = call.command
    if call.records.get(SamlProvider, call.account, command.name) is not None:
        raise EntityAlreadyExistsException(f"Provider with name {command.name} already exists.")
    made = SamlProvider(
        account=call.account,
        name=command.name,
        uuid=_new_id(call),
        created=int(call.now),
        metadata=command.saml_metadata_document,
        valid_until=_valid_until(call, command.saml_metadata_document),
        tags=merged_tags({}, command.tags, folded=False),
        encryption_mode=command.assertion_encryption_mode or "Allowed",
    )
    if command.add_private_key is not None:
        made = _with_key(call, made, command.add_private_key)
    _check_encryption(made)
    check_quota(call, "SAMLProvidersPerAccount", call.records.count(SamlProvider, call.account) + 1)
    call.records.create(made)
    return api.CreateSAMLProviderResponse(saml_provider_arn=made.arn(call.partition), tags=tags_of(made.tags) or None)


@handles(api.GetSAMLProviderCommand)
def get_saml_provider(call: Call[api.GetSAMLProviderCommand]) -> api.GetSAMLProviderResponse:
    """One provider, its metadata as they were given (IAM-SML-003)."""
    found = _provider(call).record
    return api.GetSAMLProviderResponse(
        saml_provider_uuid=found.uuid,
        saml_metadata_document=found.metadata,
        create_date=moment(found.created),
        valid_until=moment(found.valid_until),
        tags=tags_of(found.tags),
        assertion_encryption_mode=found.encryption_mode,
        private_key_list=tuple(
            api.SAMLPrivateKey(key_id=each.id, timestamp=moment(each.created)) for each in found.private_keys
        ),
    )


@handles(api.UpdateSAMLProviderCommand, once=_check_key)
def update_saml_provider(call: Call[api.UpdateSAMLProviderCommand]) -> api.UpdateSAMLProviderResponse:
    """Change what is given of a provider; nothing given changes nothing (IAM-SML-005)."""
    command = call.command
    stored = _provider(call)
    changed = stored.record
    if command.saml_metadata_document is not None:
        changed = msgspec.structs.replace(
            changed,
            metadata=command.saml_metadata_document,
            valid_until=_valid_until(call, command.saml_metadata_document),
        )
    if command.assertion_encryption_mode is not None:
        changed = msgspec.structs.replace(changed, encryption_mode=command.assertion_encryption_mode)
    if command.remove_private_key is not None:
        changed = _without_key(changed, command.remove_private_key)
    if command.add_private_key is not None:
        changed = _with_key(call, changed, command.add_private_key)
    _check_encryption(changed)
    call.records.replace(stored, changed)
    return api.UpdateSAMLProviderResponse(saml_provider_arn=command.saml_provider_arn)


@handles(api.ListSAMLProvidersCommand)
def list_saml_providers(call: Call[api.ListSAMLProvidersCommand]) -> api.ListSAMLProvidersResponse:
    """Every provider of the account, ascending by name: as many as its quota allows (IAM-SML-006)."""
    return api.ListSAMLProvidersResponse(
        saml_provider_list=tuple(
            api.SAMLProviderListEntry(
                arn=stored.record.arn(call.partition),
                valid_until=moment(stored.record.valid_until),
                create_date=moment(stored.record.created),
            )
            for stored in call.records.each(SamlProvider, call.account)
        )
    )


@handles(api.DeleteSAMLProviderCommand)
def delete_saml_provider(call: Call[api.DeleteSAMLProviderCommand]) -> types.Nothing:
    """Delete a provider, whoever trusts it."""
    call.records.delete(_provider(call))
    return types.Nothing()


@handles(api.TagSAMLProviderCommand)
def tag_saml_provider(call: Call[api.TagSAMLProviderCommand]) -> types.Nothing:
    """Tag a provider; keys are case-sensitive (IAM-GEN-061)."""
    return tag(call, _provider(call))


@handles(api.UntagSAMLProviderCommand)
def untag_saml_provider(call: Call[api.UntagSAMLProviderCommand]) -> types.Nothing:
    """Remove tags from a provider."""
    return untag(call, _provider(call))


@handles(api.ListSAMLProviderTagsCommand)
def list_saml_provider_tags(call: Call[api.ListSAMLProviderTagsCommand]) -> api.ListSAMLProviderTagsResponse:
    """The tags of a provider."""
    tags, shown = list_tags(call, _provider(call).record.tags)
    return api.ListSAMLProviderTagsResponse(tags=tags, is_truncated=shown.is_truncated, marker=shown.marker)
