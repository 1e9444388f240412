"""Every operation of the server, asked with parameters that pass; for tests of what holds for all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import pytest

from locum import errors
from locum.http import Request, Response
from locum.server.handlers import HANDLERS
from locum.wire.json import CONTENT_TYPE
from locum.wire.sigv4 import Credentials, sign

from .conftest import ACCOUNT, HOST, OTHER, World, document
from .saml_documents import metadata

TASK: Final = "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"
REQUEST: Final = "a-request-that-is-not-there"
JOB: Final = "0f0e0d0c-0b0a-4908-8706-050403020100"
FORM: Final = ("content-type", "application/x-www-form-urlencoded")
ALL: Final = {"Action": "*", "Resource": "*"}
ADMIN: Final = document(Effect="Allow", **ALL)
VERSIONS: Final = {"sts": "2011-06-15", "iam": "2010-05-08"}
OPERATIONS: Final = sorted(
    (each.operation.service.name, each.operation.name) for each in HANDLERS if each.operation.signed
)
UNDENIABLE: Final = {"GetCallerIdentity", "GetSessionToken"}
DENIABLE: Final = [each for each in OPERATIONS if each[1] not in UNDENIABLE]


def parameters(name: str, **given: str) -> dict[str, str]:
    """Parameters with which any operation passes its declared constraints, all of them naming ``name``."""
    policy = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
    statement = json.dumps(document(Effect="Allow", Action="iam:GetUser", Resource="*"))
    trust = json.dumps(document(Effect="Allow", Principal={"AWS": ACCOUNT}, Action="sts:AssumeRole"))
    return {
        "UserName": name,
        "RoleName": name,
        "GroupName": name,
        "InstanceProfileName": name,
        "PolicyName": name,
        "PolicyArn": policy,
        "PermissionsBoundary": policy,
        "PolicyDocument": trust if given.get("Action") == "UpdateAssumeRolePolicy" else statement,
        "AssumeRolePolicyDocument": trust,
        "AccessKeyId": "AKIAQNZGKIQY56JQ7WML",
        "Status": "Inactive",
        "SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/{name}",
        "VirtualMFADeviceName": name,
        "Url": f"https://{name}.example.com",
        "OpenIDConnectProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}.example.com",
        "ClientID": "client",
        "ThumbprintList.member.1": "0" * 40,
        "Name": name,
        "SAMLProviderArn": f"arn:aws:iam::{ACCOUNT}:saml-provider/{name}",
        "SAMLMetadataDocument": metadata(),
        "AuthenticationCode1": "000000",
        "AuthenticationCode2": "000000",
        "VersionId": "v1",
        "Description": "changed",
        "Tags.member.1.Key": "changed",
        "Tags.member.1.Value": "changed",
        "TagKeys.member.1": "team",
        "NewPath": "/changed/",
        "PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "PolicyInputList.member.1": statement,
        "ActionNames.member.1": "iam:GetUser",
        "AccountAlias": "an-alias",
        "GlobalEndpointTokenVersion": "v2Token",
        "Password": "Correct-horse-7",
        "OldPassword": "Correct-horse-7",
        "NewPassword": "Correct-horse-8",
        "CertificateId": "TA7SMP42TDN5Z26OBPJE7EXAMPLE",
        "AWSServiceName": "autoscaling.amazonaws.com",
        "DeletionTaskId": f"task/aws-service-role/autoscaling.amazonaws.com/{name}/{JOB}",
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "JobId": JOB,
        "ServiceNamespace": "iam",
        "ServiceNamespaces.member.1": "iam",
        "DelegationRequestId": REQUEST,
        "Permissions.PolicyTemplateArn": policy,
        "RequestorWorkflowId": "a workflow",
        "NotificationChannel": "nowhere",
        "SessionDuration": "900",
    } | given


def ask(
    world: World,
    service: str,
    given: Mapping[str, str],
    who: Credentials | None,
    headers: tuple[tuple[str, str], ...] = (),
) -> Response:
    """The answer to parameters as they stand."""
    body = urlencode(given).encode()
    request = Request("POST", "/", "", (("host", HOST), FORM, *headers), body, "198.51.100.7")
    if who is not None:
        request = sign(request, who, service=service, region="us-east-1", now=world.now)
    return world.send(request)


def perform(world: World, operation: tuple[str, str], who: Credentials | None, **given: str) -> Response:
    """The answer to an operation about entities of one name, ``thing`` unless given."""
    service, action = operation
    if service == "organizations":
        return _organize(world, action, who)
    name = given.pop("name", "thing")
    if service == "sts":
        body = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{name}", "RoleSessionName": "session", "EncodedMessage": "x"}
        body |= {"Audience.member.1": "someone", "SigningAlgorithm": "ES384"}
        body |= {"PrincipalArn": f"arn:aws:iam::{ACCOUNT}:saml-provider/{name}", "SAMLAssertion": "none"}
        body |= {"WebIdentityToken": "none", "TradeInToken": "none", "DelegationRequestId": REQUEST}
        body |= {"TargetPrincipal": OTHER, "TaskPolicyArn.arn": TASK}
        body |= {"AccessKeyId": "AKIAQNZGKIQY56JQ7WML", "Name": name, **given}
    else:
        body = parameters(name, Action=action, **given)
    return ask(world, service, {"Action": action, "Version": VERSIONS[service], **body}, who)


ORGANIZATION: Final = {
    "AccountId": ACCOUNT,
    "AccountName": "thing",
    "ChildId": ACCOUNT,
    "ChildType": "ACCOUNT",
    "Content": json.dumps(document(Effect="Deny", Action="s3:*", Resource="*")),
    "CreateAccountRequestId": "car-ab12cd34",
    "Description": "",
    "DestinationParentId": "r-ab12",
    "Email": "thing@example.com",
    "Filter": "SERVICE_CONTROL_POLICY",
    "Name": "thing",
    "OrganizationalUnitId": "ou-ab12-ab12cd34",
    "ParentId": "r-ab12",
    "PolicyId": "p-FullAWSAccess",
    "PolicyType": "SERVICE_CONTROL_POLICY",
    "ResourceId": ACCOUNT,
    "RootId": "r-ab12",
    "ServicePrincipal": "iam.amazonaws.com",
    "SourceParentId": "r-ab12",
    "TagKeys": ["team"],
    "Tags": [{"Key": "changed", "Value": "changed"}],
    "TargetId": ACCOUNT,
    "Type": "SERVICE_CONTROL_POLICY",
}
"""Members with which any operation of Organizations passes its declared constraints."""


def _organize(world: World, action: str, who: Credentials | None) -> Response:
    headers = (("host", HOST), ("content-type", CONTENT_TYPE), ("x-amz-target", f"AWSOrganizationsV20161128.{action}"))
    request = Request("POST", "/", "", headers, json.dumps(ORGANIZATION).encode(), "198.51.100.7")
    if who is not None:
        request = sign(request, who, service="organizations", region="us-east-1", now=world.now)
    return world.send(request)


SPOKEN: Final[dict[str, type[errors.ServiceException]]] = {
    "AccessDeniedException": errors.AccessDenied,
    "IncompleteSignatureException": errors.IncompleteSignature,
    "InvalidSignatureException": errors.SignatureDoesNotMatch,
    "MissingAuthenticationTokenException": errors.MissingAuthenticationToken,
    "TooManyRequestsException": errors.Throttling,
    "UnrecognizedClientException": errors.InvalidClientTokenId,
}
"""What services that speak awsJson call the errors that all services have → the errors."""


def refusal(response: Response) -> errors.ServiceException:
    with pytest.raises(errors.ServiceException) as raised:
        World.check(response)
    refused = raised.value
    return SPOKEN[refused.code](refused.message) if refused.code in SPOKEN else refused


def kind(response: Response) -> type[errors.ServiceException] | None:
    return None if response.status == 200 else type(refusal(response))
