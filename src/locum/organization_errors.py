"""The errors of Organizations, and of the protocol awsJson that it speaks: their code is their class's name.

They have names of their own here because some, such as ``InvalidInputException``, are other errors than IAM's of that
name.  Statuses are believed (ORG-GEN-001): the service model has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from locum import errors

__all__ = [
    "ORGANIZATIONS_ERRORS",
    "AWSOrganizationsNotInUseException",
    "AccessDeniedException",
    "AccessDeniedForDependencyException",
    "AccountAlreadyClosedException",
    "AccountAlreadyRegisteredException",
    "AccountNotFoundException",
    "AccountNotRegisteredException",
    "AlreadyInOrganizationException",
    "ChildNotFoundException",
    "ConcurrentModificationException",
    "ConflictException",
    "ConstraintViolationException",
    "CreateAccountStatusNotFoundException",
    "DestinationParentNotFoundException",
    "DuplicateAccountException",
    "DuplicateOrganizationalUnitException",
    "DuplicatePolicyAttachmentException",
    "DuplicatePolicyException",
    "FinalizingOrganizationException",
    "HandshakeConstraintViolationException",
    "IncompleteSignatureException",
    "InvalidInputException",
    "InvalidSignatureException",
    "MalformedPolicyDocumentException",
    "MasterCannotLeaveOrganizationException",
    "MissingAuthenticationTokenException",
    "OrganizationNotEmptyException",
    "OrganizationalUnitNotEmptyException",
    "OrganizationalUnitNotFoundException",
    "OrganizationsServiceException",
    "ParentNotFoundException",
    "PolicyChangesInProgressException",
    "PolicyInUseException",
    "PolicyNotAttachedException",
    "PolicyNotFoundException",
    "PolicyTypeAlreadyEnabledException",
    "PolicyTypeNotAvailableForOrganizationException",
    "PolicyTypeNotEnabledException",
    "ResourcePolicyNotFoundException",
    "RootNotFoundException",
    "SerializationException",
    "ServiceException",
    "SourceParentNotFoundException",
    "TargetNotFoundException",
    "TooManyRequestsException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "UnsupportedAPIEndpointException",
]


class OrganizationsServiceException(errors.ServiceException):
    """Base of the errors that Organizations answers, and of unknown codes in its answers.

    ``Reason`` is a member of some of them, which tells apart what has one code.
    """

    status = 400

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.code = cls.__name__

    def __init__(
        self,
        message: str = "",
        *,
        reason: str | None = None,
        request_id: str | None = None,
        decision: object | None = None,
    ) -> None:
        super().__init__(message, request_id=request_id, decision=decision)
        if reason is not None:
            self.details = {"Reason": reason}


class AccessDeniedException(OrganizationsServiceException):
    """The caller may not do this, or its account has no such part in the organization."""


class AccessDeniedForDependencyException(OrganizationsServiceException):
    """Something else that the operation needs is not allowed; ``Reason`` says what."""


class AccountAlreadyClosedException(OrganizationsServiceException):
    """The account is closed already."""


class AccountAlreadyRegisteredException(OrganizationsServiceException):
    """The account is a delegated administrator of the service already."""


class AccountNotFoundException(OrganizationsServiceException):
    """There is no such account in the organization."""


class AccountNotRegisteredException(OrganizationsServiceException):
    """The account is no delegated administrator of the service."""


class AlreadyInOrganizationException(OrganizationsServiceException):
    """The account is in an organization already."""


class AWSOrganizationsNotInUseException(OrganizationsServiceException):
    """The caller's account is in no organization."""


class ChildNotFoundException(OrganizationsServiceException):
    """There is no such account or unit."""


class ConcurrentModificationException(OrganizationsServiceException):
    """Another request changed the same thing at the same time."""

    retryable = True


class ConflictException(OrganizationsServiceException):
    """The request contradicts one that is under way."""


class ConstraintViolationException(OrganizationsServiceException):
    """A quota or a rule of organizations is in the way; ``Reason`` says which."""


class CreateAccountStatusNotFoundException(OrganizationsServiceException):
    """There is no such request to create an account."""


class DestinationParentNotFoundException(OrganizationsServiceException):
    """There is no root or unit to move the account to."""


class DuplicateAccountException(OrganizationsServiceException):
    """The account is there already."""


class DuplicateOrganizationalUnitException(OrganizationsServiceException):
    """The parent has a unit of this name."""


class DuplicatePolicyAttachmentException(OrganizationsServiceException):
    """The policy is attached to the target already."""


class DuplicatePolicyException(OrganizationsServiceException):
    """There is a policy of this type and name."""


class FinalizingOrganizationException(OrganizationsServiceException):
    """The organization is not ready yet."""

    retryable = True


class HandshakeConstraintViolationException(OrganizationsServiceException):
    """A rule of handshakes is in the way; ``Reason`` says which."""


class InvalidInputException(OrganizationsServiceException):
    """Input that cannot be; ``Reason`` says why."""


class MalformedPolicyDocumentException(OrganizationsServiceException):
    """The document is no policy of its type."""


class MasterCannotLeaveOrganizationException(OrganizationsServiceException):
    """The management account cannot leave its organization."""


class OrganizationalUnitNotEmptyException(OrganizationsServiceException):
    """The unit has accounts or units."""


class OrganizationalUnitNotFoundException(OrganizationsServiceException):
    """There is no such unit."""


class OrganizationNotEmptyException(OrganizationsServiceException):
    """The organization has accounts beside the management account."""


class ParentNotFoundException(OrganizationsServiceException):
    """There is no such root or unit."""


class PolicyChangesInProgressException(OrganizationsServiceException):
    """Policies are being changed."""

    retryable = True


class PolicyInUseException(OrganizationsServiceException):
    """The policy is attached somewhere."""


class PolicyNotAttachedException(OrganizationsServiceException):
    """The policy is not attached to the target."""


class PolicyNotFoundException(OrganizationsServiceException):
    """There is no such policy."""


class PolicyTypeAlreadyEnabledException(OrganizationsServiceException):
    """The policy type is enabled already."""


class PolicyTypeNotAvailableForOrganizationException(OrganizationsServiceException):
    """The organization cannot have policies of this type."""


class PolicyTypeNotEnabledException(OrganizationsServiceException):
    """The policy type is not enabled."""


class ResourcePolicyNotFoundException(OrganizationsServiceException):
    """The organization has no resource policy."""


class RootNotFoundException(OrganizationsServiceException):
    """There is no such root."""


class ServiceException(OrganizationsServiceException):
    """The service failed."""

    status = 500
    retryable = True


class SourceParentNotFoundException(OrganizationsServiceException):
    """The account is not under this root or unit."""


class TargetNotFoundException(OrganizationsServiceException):
    """There is no such root, unit, account or policy."""


class TooManyRequestsException(OrganizationsServiceException):
    """Too many requests."""

    retryable = True


class UnsupportedAPIEndpointException(OrganizationsServiceException):
    """Not in this region."""


class IncompleteSignatureException(OrganizationsServiceException):
    """The signature's parameters are malformed or incomplete."""


class InvalidSignatureException(OrganizationsServiceException):
    """The signature is wrong, out of scope or out of time."""


class MissingAuthenticationTokenException(OrganizationsServiceException):
    """The request is not signed."""


class SerializationException(OrganizationsServiceException):
    """The JSON document of a request cannot be read."""


class UnknownOperationException(OrganizationsServiceException):
    """No such operation."""


class UnrecognizedClientException(OrganizationsServiceException):
    """The access key or the session token is not valid."""


ORGANIZATIONS_ERRORS: Final[Mapping[str, type[errors.ServiceException]]] = {
    **errors.ERRORS,
    **{error.code: error for error in OrganizationsServiceException.__subclasses__()},
}
"""Wire code → class in answers of Organizations, those that other services have too among them."""
