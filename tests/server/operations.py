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
from locum.wire.sigv4 import Credentials, sign

from .conftest import ACCOUNT, HOST, World, document
from .saml_documents import metadata

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
    name = given.pop("name", "thing")
    if service == "sts":
        body = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{name}", "RoleSessionName": "session", "EncodedMessage": "x"}
        body |= {"Audience.member.1": "someone", "SigningAlgorithm": "ES384"}
        body |= {"AccessKeyId": "AKIAQNZGKIQY56JQ7WML", "Name": name, **given}
    else:
        body = parameters(name, Action=action, **given)
    return ask(world, service, {"Action": action, "Version": VERSIONS[service], **body}, who)


def refusal(response: Response) -> errors.ServiceException:
    with pytest.raises(errors.ServiceException) as raised:
        World.check(response)
    return raised.value


def kind(response: Response) -> type[errors.ServiceException] | None:
    return None if response.status == 200 else type(refusal(response))
