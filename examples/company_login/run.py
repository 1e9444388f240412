"""People log in at their company's SAML identity provider and get a role; their team becomes a tag of the session."""

from __future__ import annotations

import json

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from identity_provider import IdentityProvider

from locum.testing import running_server

company = IdentityProvider()

with running_server(account_id="111122223333") as server:
    iam = boto3.client("iam", **server.boto3_arguments())
    provider = iam.create_saml_provider(Name="acme", SAMLMetadataDocument=company.metadata())["SAMLProviderArn"]
    trust = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
            "Condition": {"StringEquals": {"saml:aud": "https://signin.aws.amazon.com/saml"}},
        },
    }
    role = iam.create_role(RoleName="engineer", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    own_team = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": ["iam:CreateUser", "iam:GetUser"],
            "Resource": "arn:aws:iam::111122223333:user/${aws:PrincipalTag/team}/*",
        },
    }
    iam.put_role_policy(RoleName="engineer", PolicyName="own-team", PolicyDocument=json.dumps(own_team))

    # Mia logs in: her browser would bring this response here, and her command line needs no other secret.
    response = company.login(
        "mia", Role=f"{role},{provider}", RoleSessionName="mia@acme.example", PrincipalTag__team="shop"
    )
    place = {"endpoint_url": server.url, "region_name": server.region}
    sts = boto3.client("sts", **place, config=Config(signature_version=UNSIGNED))
    answer = sts.assume_role_with_saml(RoleArn=role, PrincipalArn=provider, SAMLAssertion=response)
    print(answer["AssumedRoleUser"]["Arn"], "for", answer["Subject"], "of", answer["Issuer"])

    given = answer["Credentials"]
    mine = boto3.client(
        "iam",
        **place,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    for team in ("shop", "bank"):
        try:
            print(team, mine.create_user(UserName=f"{team}-robot", Path=f"/{team}/")["User"]["Arn"])
        except ClientError as refused:
            print(team, refused.response["Error"]["Code"])
