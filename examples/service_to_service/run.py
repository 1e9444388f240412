"""One service proves to another who it is with a token of its role; the other needs no account and no secret."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import boto3
import jwt

from locum.testing import running_server


def fetch(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


class Billing:
    """The service that is called. It knows the issuer's address and whom it serves, nothing else."""

    def __init__(self, issuer: str) -> None:
        discovery = fetch(f"{issuer}/.well-known/openid-configuration")
        self._issuer = issuer
        self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(fetch(discovery["jwks_uri"])).keys}

    def serve(self, token: str) -> str:
        """What it answers to a request with this bearer token."""
        try:
            key = self._keys[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(token, key, algorithms=["ES384"], audience="billing", issuer=self._issuer)
        except (KeyError, jwt.InvalidTokenError) as error:
            return f"401 {error}"
        if claims["sub"] != "arn:aws:iam::111122223333:role/checkout":
            return f"403 {claims['sub']} has no business here"
        return f"200 hello {claims['sub']}, on behalf of order {claims['https://sts.amazonaws.com/']['request_tags']}"


with running_server(account_id="111122223333") as server:
    iam = boto3.client("iam", **server.boto3_arguments())
    issuer = iam.enable_outbound_web_identity_federation()["IssuerIdentifier"]
    billing = Billing(issuer)

    iam.create_user(UserName="host")
    key = iam.create_access_key(UserName="host")["AccessKey"]
    host = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    place = {"endpoint_url": server.url, "region_name": server.region}
    sts = boto3.client("sts", **place, **host)
    trust = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:user/host"},
            "Action": "sts:AssumeRole",
        },
    }
    vouch = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": ["sts:GetWebIdentityToken", "sts:TagGetWebIdentityToken"],
            "Resource": "*",
            "Condition": {"ForAllValues:StringEquals": {"sts:IdentityTokenAudience": ["billing", "mail"]}},
        },
    }
    for name in ("checkout", "newsletter"):
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
        iam.put_role_policy(RoleName=name, PolicyName="vouch", PolicyDocument=json.dumps(vouch))
        given = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="pod-1")["Credentials"]
        service = boto3.client(
            "sts",
            **place,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )
        for audience in ("billing", "mail"):
            answer = service.get_web_identity_token(
                Audience=[audience], SigningAlgorithm="ES384", Tags=[{"Key": "order", "Value": "1742"}]
            )
            print(f"{name} with a token for {audience}:", billing.serve(answer["WebIdentityToken"]))
