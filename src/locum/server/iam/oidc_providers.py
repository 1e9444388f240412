"""OpenID Connect providers: an issuer's URL, the audiences and thumbprints that go with it (iam_api.md section 7)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from locum.api.iam import oidc_providers as api
from locum.api.iam import types
from locum.core.records import OidcProvider
from locum.errors import EntityAlreadyExistsException, InvalidInputException, ValidationError
from locum.server.handlers import Call, handles
from locum.server.iam.answers import change, moment
from locum.server.iam.limits import check_quota
from locum.server.iam.providers import provider
from locum.server.iam.tags import list_tags, merged_tags, tag, tags_of, untag
from locum.store.records import Stored

__all__ = [
    "add_client_id_to_open_id_connect_provider",
    "create_open_id_connect_provider",
    "delete_open_id_connect_provider",
    "get_open_id_connect_provider",
    "list_open_id_connect_provider_tags",
    "list_open_id_connect_providers",
    "remove_client_id_from_open_id_connect_provider",
    "tag_open_id_connect_provider",
    "untag_open_id_connect_provider",
    "update_open_id_connect_provider_thumbprint",
]

_SCHEME: Final = "https://"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_URL: Final = re.compile(
    rf"https://{_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?(?:/(?:[A-Za-z0-9._~!$&'()+,;=:@/-]|%[0-9A-Fa-f]{{2}})*)?\Z"
)
"""A host, perhaps a port, perhaps a path; no user, query or fragment (RFC 3986 section 3), and no wildcard."""

_MAXIMUM_PORT: Final = 65_535
_MAXIMUM_THUMBPRINTS: Final = 5
_THUMBPRINT: Final = re.compile(r"[0-9A-Fa-f]{40}\Z")
_NOT_FOUND: Final = "OpenIDConnect Provider not found for arn {arn}"
_NOT_DELETED: Final = "OpenId connect Provider {arn} cannot be found."
_QUOTA: Final = "ClientIdsPerOpenIdConnectProvider"


def _provider(call: Call[Any], missing: str = _NOT_FOUND) -> Stored[OidcProvider]:
    return provider(call, OidcProvider, call.command.open_id_connect_provider_arn, missing)


def _checked_url(url: str) -> str:
    """A provider's URL without the scheme; ValidationError for one that no provider can have (IAM-OID-001)."""
    fits = _URL.match(url) is not None
    _, _, port = url.removeprefix(_SCHEME).partition("/")[0].partition(":")
    if not fits or (port and not 0 < int(port) <= _MAXIMUM_PORT):
        raise ValidationError("Invalid Open ID Connect Provider URL")
    return url.removeprefix(_SCHEME)


def _checked_thumbprints(thumbprints: Iterable[str]) -> tuple[str, ...]:
    """Thumbprints in lower case; InvalidInput for more than five (IAM-OID-004), or for what is not hexadecimal."""
    listed = tuple(each.lower() for each in thumbprints)
    if len(listed) > _MAXIMUM_THUMBPRINTS:
        raise InvalidInputException(f"Thumbprint list must contain fewer than {_MAXIMUM_THUMBPRINTS} entries.")
    if not all(_THUMBPRINT.match(each) for each in listed):
        raise InvalidInputException("A thumbprint must consist of 40 hexadecimal digits.")
    return listed


@handles(api.CreateOpenIDConnectProviderCommand)
def create_open_id_connect_provider(
    call: Call[api.CreateOpenIDConnectProviderCommand],
) -> api.CreateOpenIDConnectProviderResponse:
    """Make a provider; nothing is fetched from it (IAM-OID-001, IAM-OID-003…005)."""
    command = call.command
    url = _checked_url(command.url)
    if call.records.get(OidcProvider, call.account, url) is not None:
        raise EntityAlreadyExistsException(f"Provider with url {command.url} already exists.")
    client_ids = tuple(dict.fromkeys(command.client_id_list))
    check_quota(call, _QUOTA, len(client_ids))
    made = OidcProvider(
        account=call.account,
        url=url,
        created=int(call.now),
        client_ids=client_ids,
        thumbprints=_checked_thumbprints(command.thumbprint_list),
        tags=merged_tags({}, command.tags, folded=False),
    )
    check_quota(call, "OpenIDConnectProvidersPerAccount", call.records.count(OidcProvider, call.account) + 1)
    call.records.create(made)
    return api.CreateOpenIDConnectProviderResponse(
        open_id_connect_provider_arn=made.arn(call.partition), tags=tags_of(made.tags) or None
    )


@handles(api.GetOpenIDConnectProviderCommand)
def get_open_id_connect_provider(
    call: Call[api.GetOpenIDConnectProviderCommand],
) -> api.GetOpenIDConnectProviderResponse:
    """One provider, its URL without the scheme (IAM-OID-002)."""
    found = _provider(call).record
    return api.GetOpenIDConnectProviderResponse(
        url=found.url,
        client_id_list=found.client_ids,
        thumbprint_list=found.thumbprints,
        create_date=moment(found.created),
        tags=tags_of(found.tags),
    )


@handles(api.ListOpenIDConnectProvidersCommand)
def list_open_id_connect_providers(
    call: Call[api.ListOpenIDConnectProvidersCommand],
) -> api.ListOpenIDConnectProvidersResponse:
    """Every provider of the account, ascending by URL: as many as its quota allows (IAM-OID-007)."""
    return api.ListOpenIDConnectProvidersResponse(
        open_id_connect_provider_list=tuple(
            api.OpenIDConnectProviderListEntry(arn=stored.record.arn(call.partition))
            for stored in call.records.each(OidcProvider, call.account)
        )
    )


@handles(api.DeleteOpenIDConnectProviderCommand)
def delete_open_id_connect_provider(call: Call[api.DeleteOpenIDConnectProviderCommand]) -> types.Nothing:
    """Delete a provider, whoever trusts it; one that is not there is an error (IAM-OID-006, IAM-OID-009)."""
    call.records.delete(_provider(call, _NOT_DELETED))
    return types.Nothing()


@handles(api.UpdateOpenIDConnectProviderThumbprintCommand)
def update_open_id_connect_provider_thumbprint(
    call: Call[api.UpdateOpenIDConnectProviderThumbprintCommand],
) -> types.Nothing:
    """Replace a provider's thumbprints; an empty list counts as none given (STS-W-008)."""
    stored = _provider(call)
    return change(call, stored, thumbprints=_checked_thumbprints(call.command.thumbprint_list))


@handles(api.AddClientIDToOpenIDConnectProviderCommand)
def add_client_id_to_open_id_connect_provider(
    call: Call[api.AddClientIDToOpenIDConnectProviderCommand],
) -> types.Nothing:
    """Add an audience (IAM-OID-005)."""
    stored = _provider(call)
    client_ids = tuple(dict.fromkeys((*stored.record.client_ids, call.command.client_id)))
    if client_ids != stored.record.client_ids:
        check_quota(call, _QUOTA, len(client_ids))
    return change(call, stored, client_ids=client_ids)


@handles(api.RemoveClientIDFromOpenIDConnectProviderCommand)
def remove_client_id_from_open_id_connect_provider(
    call: Call[api.RemoveClientIDFromOpenIDConnectProviderCommand],
) -> types.Nothing:
    """Remove an audience (IAM-OID-005)."""
    stored = _provider(call)
    kept = tuple(each for each in stored.record.client_ids if each != call.command.client_id)
    return change(call, stored, client_ids=kept)


@handles(api.TagOpenIDConnectProviderCommand)
def tag_open_id_connect_provider(call: Call[api.TagOpenIDConnectProviderCommand]) -> types.Nothing:
    """Tag a provider; keys are case-sensitive (IAM-GEN-061)."""
    return tag(call, _provider(call))


@handles(api.UntagOpenIDConnectProviderCommand)
def untag_open_id_connect_provider(call: Call[api.UntagOpenIDConnectProviderCommand]) -> types.Nothing:
    """Remove tags from a provider."""
    return untag(call, _provider(call))


@handles(api.ListOpenIDConnectProviderTagsCommand)
def list_open_id_connect_provider_tags(
    call: Call[api.ListOpenIDConnectProviderTagsCommand],
) -> api.ListOpenIDConnectProviderTagsResponse:
    """The tags of a provider."""
    tags, shown = list_tags(call, _provider(call).record.tags)
    return api.ListOpenIDConnectProviderTagsResponse(tags=tags, is_truncated=shown.is_truncated, marker=shown.marker)
