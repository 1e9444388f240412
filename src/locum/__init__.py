"""locum: a self-hosted Security Token Service, wire-compatible with AWS STS.

The client and all that belongs to it can be had from here, under the names of the AWS SDKs; each name brings its
module when it is first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # importing typing takes longer than all the rest of this
if TYPE_CHECKING:
    from typing import Any

    from locum.api.sts import (
        AssumedRoleUser,
        AssumeRoleCommand,
        AssumeRoleResponse,
        AssumeRoleWithSAMLCommand,
        AssumeRoleWithSAMLResponse,
        AssumeRoleWithWebIdentityCommand,
        AssumeRoleWithWebIdentityResponse,
        AssumeRootCommand,
        AssumeRootResponse,
        Credentials,
        DecodeAuthorizationMessageCommand,
        DecodeAuthorizationMessageResponse,
        FederatedUser,
        GetAccessKeyInfoCommand,
        GetAccessKeyInfoResponse,
        GetCallerIdentityCommand,
        GetCallerIdentityResponse,
        GetDelegatedAccessTokenCommand,
        GetDelegatedAccessTokenResponse,
        GetFederationTokenCommand,
        GetFederationTokenResponse,
        GetSessionTokenCommand,
        GetSessionTokenResponse,
        GetWebIdentityTokenCommand,
        GetWebIdentityTokenResponse,
        PolicyDescriptorType,
        ProvidedContext,
        Tag,
    )
    from locum.client import AsyncSTSClient, CallOptions, ClientOptions, STSClient
    from locum.client.adapters import aiobotocore_session, boto3_session, botocore_session
    from locum.client.failures import (
        AnswerTooLarge,
        CertificateFailure,
        ClientFailure,
        ConfigurationFailure,
        ConnectionFailure,
        CredentialsFailure,
        RunFailed,
        TimedOut,
        UnreadableResponse,
    )
    from locum.client.middleware import Call, Middleware, Proceed
    from locum.client.sessions import (
        AsyncRefreshingSession,
        RefreshingSession,
        async_default_role_assumer,
        async_default_role_assumer_with_web_identity,
        async_refreshing_session,
        default_role_assumer,
        default_role_assumer_with_web_identity,
        refreshing_session,
    )
    from locum.errors import (
        AccessDenied,
        ExpiredToken,
        ExpiredTokenException,
        ExpiredTradeInTokenException,
        IDPCommunicationErrorException,
        IDPRejectedClaimException,
        IncompleteSignature,
        InternalFailure,
        InvalidAction,
        InvalidAuthorizationMessageException,
        InvalidClientTokenId,
        InvalidIdentityTokenException,
        InvalidParameterCombination,
        InvalidParameterValue,
        JWTPayloadSizeExceededException,
        MalformedInput,
        MalformedPolicyDocumentException,
        MalformedQueryString,
        MissingAction,
        MissingAuthenticationToken,
        MissingParameter,
        OptInRequired,
        OutboundWebIdentityFederationDisabledException,
        PackedPolicyTooLargeException,
        RegionDisabledException,
        RequestExpired,
        ServiceException,
        ServiceUnavailable,
        SessionDurationEscalationException,
        SignatureDoesNotMatch,
        STSServiceException,
        Throttling,
        ValidationError,
    )
    from locum.secret import Secret

__all__ = [
    "AccessDenied",
    "AnswerTooLarge",
    "AssumeRoleCommand",
    "AssumeRoleResponse",
    "AssumeRoleWithSAMLCommand",
    "AssumeRoleWithSAMLResponse",
    "AssumeRoleWithWebIdentityCommand",
    "AssumeRoleWithWebIdentityResponse",
    "AssumeRootCommand",
    "AssumeRootResponse",
    "AssumedRoleUser",
    "AsyncRefreshingSession",
    "AsyncSTSClient",
    "Call",
    "CallOptions",
    "CertificateFailure",
    "ClientFailure",
    "ClientOptions",
    "ConfigurationFailure",
    "ConnectionFailure",
    "Credentials",
    "CredentialsFailure",
    "DecodeAuthorizationMessageCommand",
    "DecodeAuthorizationMessageResponse",
    "ExpiredToken",
    "ExpiredTokenException",
    "ExpiredTradeInTokenException",
    "FederatedUser",
    "GetAccessKeyInfoCommand",
    "GetAccessKeyInfoResponse",
    "GetCallerIdentityCommand",
    "GetCallerIdentityResponse",
    "GetDelegatedAccessTokenCommand",
    "GetDelegatedAccessTokenResponse",
    "GetFederationTokenCommand",
    "GetFederationTokenResponse",
    "GetSessionTokenCommand",
    "GetSessionTokenResponse",
    "GetWebIdentityTokenCommand",
    "GetWebIdentityTokenResponse",
    "IDPCommunicationErrorException",
    "IDPRejectedClaimException",
    "IncompleteSignature",
    "InternalFailure",
    "InvalidAction",
    "InvalidAuthorizationMessageException",
    "InvalidClientTokenId",
    "InvalidIdentityTokenException",
    "InvalidParameterCombination",
    "InvalidParameterValue",
    "JWTPayloadSizeExceededException",
    "MalformedInput",
    "MalformedPolicyDocumentException",
    "MalformedQueryString",
    "Middleware",
    "MissingAction",
    "MissingAuthenticationToken",
    "MissingParameter",
    "OptInRequired",
    "OutboundWebIdentityFederationDisabledException",
    "PackedPolicyTooLargeException",
    "PolicyDescriptorType",
    "Proceed",
    "ProvidedContext",
    "RefreshingSession",
    "RegionDisabledException",
    "RequestExpired",
    "RunFailed",
    "STSClient",
    "STSServiceException",
    "Secret",
    "ServiceException",
    "ServiceUnavailable",
    "SessionDurationEscalationException",
    "SignatureDoesNotMatch",
    "Tag",
    "Throttling",
    "TimedOut",
    "UnreadableResponse",
    "ValidationError",
    "__version__",
    "aiobotocore_session",
    "async_default_role_assumer",
    "async_default_role_assumer_with_web_identity",
    "async_refreshing_session",
    "boto3_session",
    "botocore_session",
    "default_role_assumer",
    "default_role_assumer_with_web_identity",
    "refreshing_session",
]

_HOMES = (
    "errors",
    "api.sts",
    "client.failures",
    "client.middleware",
    "secret",
    "client",
    "client.sessions",
    "client.adapters",
)
"""Where the names live; looked for in this order, the lighter modules first."""


def __getattr__(name: str) -> Any:
    if name in __all__:
        import importlib

        for home in _HOMES:
            module = importlib.import_module(f"{__name__}.{home}")
            if name in module.__all__:
                globals()[name] = getattr(module, name)
                return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
