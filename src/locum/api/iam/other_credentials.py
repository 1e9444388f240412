"""Credentials that this server has none of: for git hosting, load balancers, SOAP and databases.

Inventory tools and Terraform list them, and what they get is the truth: nothing (IAM-CL-022, IAM-CL-031…034).
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import (
    ArnText,
    ExistingUserName,
    KeyStatus,
    Marker,
    MaxItems,
    Nothing,
    Path,
    PathPrefix,
    UniqueId,
    UserName,
)
from locum.api.shapes import Authorization, Command, Operation, Shape, Target, named, text
from locum.errors import (
    ConcurrentModificationException,
    LimitExceededException,
    NoSuchEntityException,
    ServiceFailureException,
    ServiceNotSupportedException,
)

__all__ = [
    "COMMANDS",
    "DeleteSigningCertificateCommand",
    "ListSSHPublicKeysCommand",
    "ListSSHPublicKeysResponse",
    "ListServerCertificatesCommand",
    "ListServerCertificatesResponse",
    "ListServiceSpecificCredentialsCommand",
    "ListServiceSpecificCredentialsResponse",
    "ListSigningCertificatesCommand",
    "ListSigningCertificatesResponse",
    "SSHPublicKeyMetadata",
    "ServerCertificateMetadata",
    "ServiceSpecificCredentialMetadata",
    "SigningCertificate",
]

_OWN: Final = Target("user", "user_name", or_caller=True)
_NAME: Final = r"[\w+=,.@-]+"

CertificateId = Annotated[str, text(24, 128, r"[\w]+")]
"""The id of a signing certificate."""

PublicKeyId = Annotated[str, text(20, 128, r"[\w]+")]
"""The id of an SSH public key."""

CertificateBody = Annotated[str, text(1, 16384, r"[\u0009\u000A\u000D\u0020-\u00FF]+")]
"""A certificate as PEM."""

CertificateName = Annotated[str, text(1, 128, _NAME)]
"""The name of a server certificate."""

CredentialId = Annotated[str, text(20, 128, r"[\w]+")]
"""The id of a service-specific credential."""


class SSHPublicKeyMetadata(Shape):
    """An SSH public key of a user."""

    user_name: UserName
    ssh_public_key_id: Annotated[PublicKeyId, named("SSHPublicKeyId")]
    status: KeyStatus
    upload_date: datetime.datetime


class ListSSHPublicKeysResponse(Shape):
    """No keys."""

    ssh_public_keys: Annotated[tuple[SSHPublicKeyMetadata, ...], named("SSHPublicKeys")] | None = None
    is_truncated: bool = False
    marker: str | None = None


class ListSSHPublicKeysCommand(Command[ListSSHPublicKeysResponse]):
    """List a user's keys for git hosting."""

    operation: ClassVar[Operation] = Operation(
        IAM, "ListSSHPublicKeys", Authorization(_OWN), errors=(NoSuchEntityException,)
    )

    user_name: UserName | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ServerCertificateMetadata(Shape):
    """A certificate of a load balancer."""

    path: Path
    server_certificate_name: CertificateName
    server_certificate_id: UniqueId
    arn: ArnText
    upload_date: datetime.datetime | None = None
    expiration: datetime.datetime | None = None


class ListServerCertificatesResponse(Shape):
    """No certificates."""

    server_certificate_metadata_list: tuple[ServerCertificateMetadata, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListServerCertificatesCommand(Command[ListServerCertificatesResponse]):
    """List the account's certificates for load balancers."""

    operation: ClassVar[Operation] = Operation(
        IAM, "ListServerCertificates", Authorization(), errors=(ServiceFailureException,)
    )

    path_prefix: PathPrefix | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class ServiceSpecificCredentialMetadata(Shape):
    """A password of a user for one service."""

    user_name: UserName
    status: KeyStatus
    service_user_name: Annotated[str, text(0, 200, r"[\w+=,.@-]*")] | None = None
    service_credential_alias: Annotated[str, text(0, 200, _NAME)] | None = None
    create_date: datetime.datetime
    expiration_date: datetime.datetime | None = None
    service_specific_credential_id: CredentialId
    service_name: str


class ListServiceSpecificCredentialsResponse(Shape):
    """No credentials."""

    service_specific_credentials: tuple[ServiceSpecificCredentialMetadata, ...] | None = None
    is_truncated: bool = False
    marker: str | None = None


class ListServiceSpecificCredentialsCommand(Command[ListServiceSpecificCredentialsResponse]):
    """List a user's passwords for single services, or everybody's."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "ListServiceSpecificCredentials",
        Authorization(Target("one-user-or-all", "user_name", or_caller=True)),
        errors=(NoSuchEntityException, ServiceNotSupportedException),
    )

    user_name: UserName | None = None
    service_name: str | None = None
    all_users: bool | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class SigningCertificate(Shape):
    """A certificate with which a user signed SOAP requests."""

    user_name: UserName
    certificate_id: CertificateId
    certificate_body: CertificateBody
    status: KeyStatus
    upload_date: datetime.datetime | None = None


class ListSigningCertificatesResponse(Shape):
    """No certificates."""

    certificates: tuple[SigningCertificate, ...]
    is_truncated: bool = False
    marker: str | None = None


class ListSigningCertificatesCommand(Command[ListSigningCertificatesResponse]):
    """List a user's signing certificates."""

    operation: ClassVar[Operation] = Operation(
        IAM, "ListSigningCertificates", Authorization(_OWN), errors=(NoSuchEntityException, ServiceFailureException)
    )

    user_name: ExistingUserName | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class DeleteSigningCertificateCommand(Command[Nothing]):
    """Delete a signing certificate, of which there is none."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "DeleteSigningCertificate",
        Authorization(_OWN),
        errors=(
            NoSuchEntityException,
            LimitExceededException,
            ConcurrentModificationException,
            ServiceFailureException,
        ),
        read_only=False,
        writes=True,
    )

    user_name: ExistingUserName | None = None
    certificate_id: CertificateId


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    ListSSHPublicKeysCommand,
    ListServerCertificatesCommand,
    ListServiceSpecificCredentialsCommand,
    ListSigningCertificatesCommand,
    DeleteSigningCertificateCommand,
)
"""The commands of this module."""
