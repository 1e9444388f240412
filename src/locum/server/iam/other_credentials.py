"""Credentials of kinds that this server does not keep: their lists are empty, and none of them can be found."""

from __future__ import annotations

from typing import Any, Final

from locum.api.iam import other_credentials as api
from locum.api.iam import types
from locum.core.records import User
from locum.errors import NoSuchEntityException, ValidationError
from locum.server.handlers import Call, handles
from locum.server.iam import holders
from locum.server.iam.answers import Page, page

__all__ = [
    "delete_signing_certificate",
    "list_server_certificates",
    "list_service_specific_credentials",
    "list_signing_certificates",
    "list_ssh_public_keys",
]

_SERVICES: Final = frozenset({"bedrock.amazonaws.com", "cassandra.amazonaws.com", "codecommit.amazonaws.com"})
"""What AWS has service-specific credentials for."""


def _check_owner(call: Call[Any]) -> None:
    """NoSuchEntity for a user that there is not; root, calling for itself, is none and needs none."""
    if call.command.user_name is not None or not call.caller.is_root:
        holders.holder(call, User)


def _nothing(call: Call[Any]) -> Page:
    """The only page; a marker is checked as always."""
    _, shown = page(call, lambda _: ())
    return shown


@handles(api.ListSSHPublicKeysCommand)
def list_ssh_public_keys(call: Call[api.ListSSHPublicKeysCommand]) -> api.ListSSHPublicKeysResponse:
    """No keys, of a user that there is (IAM-SHD-003)."""
    _check_owner(call)
    return api.ListSSHPublicKeysResponse(ssh_public_keys=(), is_truncated=_nothing(call).is_truncated)


@handles(api.ListServerCertificatesCommand)
def list_server_certificates(call: Call[api.ListServerCertificatesCommand]) -> api.ListServerCertificatesResponse:
    """No certificates."""
    return api.ListServerCertificatesResponse(
        server_certificate_metadata_list=(), is_truncated=_nothing(call).is_truncated
    )


@handles(api.ListServiceSpecificCredentialsCommand)
def list_service_specific_credentials(
    call: Call[api.ListServiceSpecificCredentialsCommand],
) -> api.ListServiceSpecificCredentialsResponse:
    """No credentials, for a service that has some at AWS (IAM-SHD-003)."""
    command = call.command
    if command.all_users:
        if command.user_name is not None:
            raise ValidationError("UserName and AllUsers exclude each other")
    else:
        _check_owner(call)
    if command.service_name is not None and command.service_name not in _SERVICES:
        raise NoSuchEntityException(
            f"No such service {command.service_name} is supported for Service Specific Credentials"
        )
    return api.ListServiceSpecificCredentialsResponse(
        service_specific_credentials=(), is_truncated=_nothing(call).is_truncated
    )


@handles(api.ListSigningCertificatesCommand)
def list_signing_certificates(call: Call[api.ListSigningCertificatesCommand]) -> api.ListSigningCertificatesResponse:
    """No certificates, of a user that there is (IAM-SHD-003)."""
    _check_owner(call)
    return api.ListSigningCertificatesResponse(certificates=(), is_truncated=_nothing(call).is_truncated)


@handles(api.DeleteSigningCertificateCommand)
def delete_signing_certificate(call: Call[api.DeleteSigningCertificateCommand]) -> types.Nothing:
    """Never: there is no such certificate (IAM-SHD-003)."""
    _check_owner(call)
    raise NoSuchEntityException(f"The Certificate with id {call.command.certificate_id} cannot be found.")
