"""The switches of centralized root access (iam_api.md section 12)."""

from __future__ import annotations

from typing import Any, TypeVar

from locum.api.iam import root_access as api
from locum.api.shapes import Shape
from locum.core.organization import OrgFacts
from locum.core.organization_records import Organization
from locum.core.root_access import CREDENTIALS, FEATURES, SERVICE, SESSIONS
from locum.errors import (
    AccountNotManagementOrDelegatedAdministratorException,
    CallerIsNotManagementAccountException,
    OrganizationNotFoundException,
    OrganizationNotInAllFeaturesModeException,
    ServiceAccessNotEnabledException,
)
from locum.server.handlers import Call, handles
from locum.store.records import Stored

__all__ = [
    "disable_organizations_root_credentials_management",
    "disable_organizations_root_sessions",
    "enable_organizations_root_credentials_management",
    "enable_organizations_root_sessions",
    "list_organizations_features",
]

AnswerType = TypeVar("AnswerType", bound=Shape)


def _place(call: Call[Any], *, enables: bool = False) -> OrgFacts:
    """The caller's place in its organization, where that lets it use these operations (IAM-RAC-002, IAM-RAC-003)."""
    account = call.account
    place = call.directory.organization_of(account)
    if place is None:
        raise OrganizationNotFoundException(f"The account {account} is not a member of an organization.")
    if not place.all_features:
        raise OrganizationNotInAllFeaturesModeException(
            f"The organization of account {account} does not have all features enabled."
        )
    if not place.is_management and not place.administers(SERVICE):
        raise AccountNotManagementOrDelegatedAdministratorException(
            f"Input account {account} is neither management account nor delegated admin."
        )
    if enables and not place.is_management:
        raise CallerIsNotManagementAccountException(
            f"Caller account {account} is not management account of the organization and cannot enable IAM features."
        )
    if SERVICE not in place.services:
        raise ServiceAccessNotEnabledException(
            f"Trusted Access for IAM not enabled by organization of input account {account}."
        )
    return place


def _shown(kind: type[AnswerType], id: str, features: tuple[str, ...]) -> AnswerType:
    return kind(organization_id=id, enabled_features=tuple(each for each in FEATURES if each in features))


def _switch(call: Call[Any], kind: type[AnswerType], feature: str, *, on: bool) -> AnswerType:
    """Switch a feature; that it is so already does no harm."""
    place = _place(call, enables=on)
    stored: Stored[Organization] | None = call.records.get(Organization, "", place.id)
    if stored is None:
        raise LookupError("an account is in an organization that is not there")
    others = tuple(each for each in stored.record.root_features if each != feature)
    features = (*others, feature) if on else others
    if set(features) != set(stored.record.root_features):
        call.records.change(stored, root_features=features)
    return _shown(kind, place.id, features)


@handles(api.EnableOrganizationsRootCredentialsManagementCommand)
def enable_organizations_root_credentials_management(
    call: Call[api.EnableOrganizationsRootCredentialsManagementCommand],
) -> api.EnableOrganizationsRootCredentialsManagementResponse:
    """Open the tasks on credentials (IAM-RAC-001)."""
    return _switch(call, api.EnableOrganizationsRootCredentialsManagementResponse, CREDENTIALS, on=True)


@handles(api.EnableOrganizationsRootSessionsCommand)
def enable_organizations_root_sessions(
    call: Call[api.EnableOrganizationsRootSessionsCommand],
) -> api.EnableOrganizationsRootSessionsResponse:
    """Open the tasks on resources (IAM-RAC-001)."""
    return _switch(call, api.EnableOrganizationsRootSessionsResponse, SESSIONS, on=True)


@handles(api.DisableOrganizationsRootCredentialsManagementCommand)
def disable_organizations_root_credentials_management(
    call: Call[api.DisableOrganizationsRootCredentialsManagementCommand],
) -> api.DisableOrganizationsRootCredentialsManagementResponse:
    """Close the tasks on credentials."""
    return _switch(call, api.DisableOrganizationsRootCredentialsManagementResponse, CREDENTIALS, on=False)


@handles(api.DisableOrganizationsRootSessionsCommand)
def disable_organizations_root_sessions(
    call: Call[api.DisableOrganizationsRootSessionsCommand],
) -> api.DisableOrganizationsRootSessionsResponse:
    """Close the tasks on resources."""
    return _switch(call, api.DisableOrganizationsRootSessionsResponse, SESSIONS, on=False)


@handles(api.ListOrganizationsFeaturesCommand)
def list_organizations_features(
    call: Call[api.ListOrganizationsFeaturesCommand],
) -> api.ListOrganizationsFeaturesResponse:
    """The features that are on."""
    place = _place(call)
    return _shown(api.ListOrganizationsFeaturesResponse, place.id, tuple(place.root_features))
