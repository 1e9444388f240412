"""Every error that travels: code, HTTP status, fault, whether a retry helps, and the one table that maps codes back.

Unmodelled errors are classes named as their wire code (``AccessDenied``); modelled ones bear the exception names of
the AWS SDKs (``InvalidIdentityTokenException``, wire code ``InvalidIdentityToken``; STS-W-026).  Server and client use
the same classes: encoding an error and decoding the answer gives the same class again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, Literal

__all__ = [
    "ERRORS",
    "AccessDenied",
    "AccountNotManagementOrDelegatedAdministratorException",
    "CallerIsNotManagementAccountException",
    "ConcurrentModificationException",
    "CredentialReportExpiredException",
    "CredentialReportNotPresentException",
    "CredentialReportNotReadyException",
    "DeleteConflictException",
    "EntityAlreadyExistsException",
    "EntityTemporarilyUnmodifiableException",
    "ExpiredToken",
    "ExpiredTokenException",
    "ExpiredTradeInTokenException",
    "FeatureDisabledException",
    "FeatureEnabledException",
    "IAMServiceException",
    "IDPCommunicationErrorException",
    "IDPRejectedClaimException",
    "IncompleteSignature",
    "InternalFailure",
    "InvalidAction",
    "InvalidAuthenticationCodeException",
    "InvalidAuthorizationMessageException",
    "InvalidClientTokenId",
    "InvalidIdentityTokenException",
    "InvalidInputException",
    "InvalidParameterCombination",
    "InvalidParameterValue",
    "InvalidUserTypeException",
    "JWTPayloadSizeExceededException",
    "LimitExceededException",
    "MalformedInput",
    "MalformedPolicyDocumentException",
    "MalformedQueryString",
    "MissingAction",
    "MissingAuthenticationToken",
    "MissingParameter",
    "NoSuchEntityException",
    "OpenIdIdpCommunicationErrorException",
    "OptInRequired",
    "OrganizationNotFoundException",
    "OrganizationNotInAllFeaturesModeException",
    "OutboundWebIdentityFederationDisabledException",
    "PackedPolicyTooLargeException",
    "PasswordPolicyViolationException",
    "PolicyEvaluationException",
    "PolicyNotAttachableException",
    "RegionDisabledException",
    "RequestExpired",
    "STSServiceException",
    "ServiceAccessNotEnabledException",
    "ServiceException",
    "ServiceFailureException",
    "ServiceNotSupportedException",
    "ServiceUnavailable",
    "SessionDurationEscalationException",
    "SignatureDoesNotMatch",
    "Throttling",
    "UnmodifiableEntityException",
    "ValidationError",
    "error_for",
]


class ServiceException(Exception):
    """An error answer of a service.

    ``message`` is the public text; ``request_id`` is set by whoever decodes an answer; ``decision`` carries the
    policy decision behind an ``AccessDenied`` for the audit line and explanations and never travels by itself;
    ``details`` are further members that some errors of Organizations have, such as ``Reason``.  A client says how
    many ``attempts`` it made, 0 where nothing was sent, and how many seconds it paused between them
    (``total_retry_delay``, STS-CL-006).
    """

    code: ClassVar[str] = "InternalFailure"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    attempts: int = 0
    total_retry_delay: float = 0.0

    def __init__(self, message: str = "", *, request_id: str | None = None, decision: object | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.request_id = request_id
        self.decision = decision
        self.details: Mapping[str, str] = {}

    @property
    def fault(self) -> Literal["client", "server"]:
        """Whose fault it is; ``Sender`` and ``Receiver`` on the wire (STS-W-024)."""
        return "client" if self.status < 500 else "server"

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


class STSServiceException(ServiceException):
    """Base of the errors that the STS model declares, and of unknown codes in answers of STS."""


class IAMServiceException(ServiceException):
    """Base of the errors that the IAM model declares."""


class AccessDenied(ServiceException):
    """The caller may not do this (STS-E-T13)."""

    code = "AccessDenied"
    status = 403


class ExpiredToken(ServiceException):
    """The caller's session has expired (STS-E-T26)."""

    code = "ExpiredToken"
    status = 403


class IncompleteSignature(ServiceException):
    """The signature's parameters are malformed or incomplete (STS-E-T23)."""

    code = "IncompleteSignature"
    status = 400


class InternalFailure(ServiceException):
    """Something failed that the caller did not cause (STS-E-T31)."""

    code = "InternalFailure"
    status = 500
    retryable = True


class InvalidAction(ServiceException):
    """No such operation (STS-E-T20)."""

    code = "InvalidAction"
    status = 400


class InvalidClientTokenId(ServiceException):
    """The access key or the session token is not valid (STS-E-T25)."""

    code = "InvalidClientTokenId"
    status = 403


class InvalidParameterCombination(ServiceException):
    """Parameters that exclude each other (STS-E-T16)."""

    code = "InvalidParameterCombination"
    status = 400


class InvalidParameterValue(ServiceException):
    """A parameter breaks a rule of session tags (STS-E-T15)."""

    code = "InvalidParameterValue"
    status = 400


class MalformedInput(ServiceException):
    """The request's parameters cannot be read (STS-E-T18)."""

    code = "MalformedInput"
    status = 400


class MalformedQueryString(ServiceException):
    """A percent escape cannot be read (STS-E-T19)."""

    code = "MalformedQueryString"
    status = 400


class MissingAction(ServiceException):
    """The request names no operation (STS-E-T21)."""

    code = "MissingAction"
    status = 400


class MissingAuthenticationToken(ServiceException):
    """The request is not signed (STS-E-T22)."""

    code = "MissingAuthenticationToken"
    status = 403


class MissingParameter(ServiceException):
    """A required parameter is absent (STS-E-T17)."""

    code = "MissingParameter"
    status = 400


class OptInRequired(ServiceException):
    """The account is not subscribed to the service (STS-E-T27)."""

    code = "OptInRequired"
    status = 403


class RequestExpired(ServiceException):
    """The request is too old (STS-E-T28)."""

    code = "RequestExpired"
    status = 400


class ServiceUnavailable(ServiceException):
    """The service cannot answer now (STS-E-T30)."""

    code = "ServiceUnavailable"
    status = 503
    retryable = True


class SignatureDoesNotMatch(ServiceException):
    """The signature is wrong, out of scope or out of time (STS-E-T24)."""

    code = "SignatureDoesNotMatch"
    status = 403


class Throttling(ServiceException):
    """Too many requests (STS-E-T29)."""

    code = "Throttling"
    status = 400
    retryable = True


class ValidationError(ServiceException):
    """Input breaks a declared constraint or makes no sense (STS-E-T14)."""

    code = "ValidationError"
    status = 400


class ExpiredTokenException(STSServiceException):
    """A token passed as input has expired (STS-E-T01)."""

    code = "ExpiredTokenException"
    status = 400


class ExpiredTradeInTokenException(STSServiceException):
    """The trade-in token has expired (STS-E-T02)."""

    code = "ExpiredTradeInTokenException"
    status = 400


class IDPCommunicationErrorException(STSServiceException):
    """The identity provider cannot be reached (STS-E-T03)."""

    code = "IDPCommunicationError"
    status = 400
    retryable = True


class IDPRejectedClaimException(STSServiceException):
    """The identity provider refused the claim (STS-E-T04)."""

    code = "IDPRejectedClaim"
    status = 403


class InvalidAuthorizationMessageException(STSServiceException):
    """The encoded message cannot be opened (STS-E-T05)."""

    code = "InvalidAuthorizationMessageException"
    status = 400


class InvalidIdentityTokenException(STSServiceException):
    """The identity token is not valid (STS-E-T06)."""

    code = "InvalidIdentityToken"
    status = 400


class JWTPayloadSizeExceededException(STSServiceException):
    """The token's claims are too large (STS-E-T07)."""

    code = "JWTPayloadSizeExceededException"
    status = 400


class MalformedPolicyDocumentException(STSServiceException):
    """A policy document is malformed (STS-E-T08)."""

    code = "MalformedPolicyDocument"
    status = 400


class OutboundWebIdentityFederationDisabledException(STSServiceException):
    """The account issues no web identity tokens (STS-E-T09)."""

    code = "OutboundWebIdentityFederationDisabledException"
    status = 403


class PackedPolicyTooLargeException(STSServiceException):
    """Session policies and tags are too large when packed (STS-E-T10)."""

    code = "PackedPolicyTooLarge"
    status = 400


class RegionDisabledException(STSServiceException):
    """STS is not active for the account in this region (STS-E-T11)."""

    code = "RegionDisabledException"
    status = 403


class SessionDurationEscalationException(STSServiceException):
    """The token would outlive the session that asks for it (STS-E-T12)."""

    code = "SessionDurationEscalationException"
    status = 403


class AccountNotManagementOrDelegatedAdministratorException(IAMServiceException):
    """The account is neither management nor delegated administrator."""

    code = "AccountNotManagementOrDelegatedAdministratorException"
    status = 400


class CallerIsNotManagementAccountException(IAMServiceException):
    """The caller is not the management account."""

    code = "CallerIsNotManagementAccountException"
    status = 400


class ConcurrentModificationException(IAMServiceException):
    """The entity was changed by another request at the same time (IAM-GEN-075)."""

    code = "ConcurrentModification"
    status = 409
    retryable = True


class CredentialReportExpiredException(IAMServiceException):
    """The credential report has expired."""

    code = "ReportExpired"
    status = 410


class CredentialReportNotPresentException(IAMServiceException):
    """No credential report was generated."""

    code = "ReportNotPresent"
    status = 410


class CredentialReportNotReadyException(IAMServiceException):
    """The credential report is being generated."""

    code = "ReportInProgress"
    status = 404


class DeleteConflictException(IAMServiceException):
    """The entity is still in use (IAM-GEN-070)."""

    code = "DeleteConflict"
    status = 409


class EntityAlreadyExistsException(IAMServiceException):
    """The name is taken."""

    code = "EntityAlreadyExists"
    status = 409


class EntityTemporarilyUnmodifiableException(IAMServiceException):
    """The entity cannot be changed for the moment."""

    code = "EntityTemporarilyUnmodifiable"
    status = 409


class FeatureDisabledException(IAMServiceException):
    """The feature is off for this account."""

    code = "FeatureDisabled"
    status = 404


class FeatureEnabledException(IAMServiceException):
    """The feature is on already."""

    code = "FeatureEnabled"
    status = 409


class InvalidAuthenticationCodeException(IAMServiceException):
    """The MFA codes are not right."""

    code = "InvalidAuthenticationCode"
    status = 403


class InvalidInputException(IAMServiceException):
    """Input that makes no sense."""

    code = "InvalidInput"
    status = 400


class InvalidUserTypeException(IAMServiceException):
    """Not for this type of user."""

    code = "InvalidUserType"
    status = 400


class LimitExceededException(IAMServiceException):
    """A quota is used up (IAM-GEN-072)."""

    code = "LimitExceeded"
    status = 409


class NoSuchEntityException(IAMServiceException):
    """There is no such entity."""

    code = "NoSuchEntity"
    status = 404


class OpenIdIdpCommunicationErrorException(IAMServiceException):
    """The OpenID provider cannot be reached."""

    code = "OpenIdIdpCommunicationError"
    status = 400


class OrganizationNotFoundException(IAMServiceException):
    """The account is in no organization."""

    code = "OrganizationNotFoundException"
    status = 400


class OrganizationNotInAllFeaturesModeException(IAMServiceException):
    """The organization has not all features on."""

    code = "OrganizationNotInAllFeaturesModeException"
    status = 400


class PasswordPolicyViolationException(IAMServiceException):
    """The password breaks the account's policy."""

    code = "PasswordPolicyViolation"
    status = 400


class PolicyEvaluationException(IAMServiceException):
    """A policy could not be evaluated."""

    code = "PolicyEvaluation"
    status = 500


class PolicyNotAttachableException(IAMServiceException):
    """The policy cannot be attached."""

    code = "PolicyNotAttachable"
    status = 400


class ServiceAccessNotEnabledException(IAMServiceException):
    """Trusted access is off."""

    code = "ServiceAccessNotEnabledException"
    status = 400


class ServiceFailureException(IAMServiceException):
    """The service failed."""

    code = "ServiceFailure"
    status = 500
    retryable = True


class ServiceNotSupportedException(IAMServiceException):
    """The service is not supported."""

    code = "NotSupportedService"
    status = 404


class UnmodifiableEntityException(IAMServiceException):
    """Only AWS changes this entity."""

    code = "UnmodifiableEntity"
    status = 400


ERRORS: Final[dict[str, type[ServiceException]]] = {
    error.code: error
    for error in (
        AccessDenied, ExpiredToken, IncompleteSignature, InternalFailure, InvalidAction, InvalidClientTokenId,
        InvalidParameterCombination, InvalidParameterValue, MalformedInput, MalformedQueryString, MissingAction,
        MissingAuthenticationToken, MissingParameter, OptInRequired, RequestExpired, ServiceUnavailable,
        SignatureDoesNotMatch, Throttling, ValidationError, ExpiredTokenException, ExpiredTradeInTokenException,
        IDPCommunicationErrorException, IDPRejectedClaimException, InvalidAuthorizationMessageException,
        InvalidIdentityTokenException, JWTPayloadSizeExceededException, MalformedPolicyDocumentException,
        OutboundWebIdentityFederationDisabledException, PackedPolicyTooLargeException, RegionDisabledException,
        SessionDurationEscalationException, AccountNotManagementOrDelegatedAdministratorException,
        CallerIsNotManagementAccountException, ConcurrentModificationException, CredentialReportExpiredException,
        CredentialReportNotPresentException, CredentialReportNotReadyException, DeleteConflictException,
        EntityAlreadyExistsException, EntityTemporarilyUnmodifiableException, FeatureDisabledException,
        FeatureEnabledException, InvalidAuthenticationCodeException, InvalidInputException, InvalidUserTypeException,
        LimitExceededException, NoSuchEntityException, OpenIdIdpCommunicationErrorException,
        OrganizationNotFoundException, OrganizationNotInAllFeaturesModeException, PasswordPolicyViolationException,
        PolicyEvaluationException, PolicyNotAttachableException, ServiceAccessNotEnabledException,
        ServiceFailureException, ServiceNotSupportedException, UnmodifiableEntityException,
    )
}  # fmt: skip
"""Wire code → class, for every error of every service."""


def error_for(
    code: str,
    message: str,
    *,
    unknown: type[ServiceException] = ServiceException,
    request_id: str | None = None,
    errors: Mapping[str, type[ServiceException]] = ERRORS,
) -> ServiceException:
    """The exception for a wire code; an unknown code becomes an instance of ``unknown`` that keeps its code."""
    known = errors.get(code)
    if known is not None:
        return known(message, request_id=request_id)
    error = unknown(message, request_id=request_id)
    error.__dict__["code"] = code
    return error
