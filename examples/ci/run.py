"""A deployment job may assume a role from the main branch, and from nowhere else."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from provider import running_provider

from locum.testing import running_server

with tempfile.TemporaryDirectory() as site, running_provider(Path(site)) as ci:
    issuer = ci.issuer.removeprefix("http://")
    trusted = {
        "provider": f"arn:aws:iam::*:oidc-provider/{issuer}",
        "loopback-http": True,
    }
    with running_server(oidc=[trusted], account_id="111122223333", on_disk=True) as server:
        iam = boto3.client("iam", **server.boto3_arguments())
        provider = iam.create_open_id_connect_provider(Url=f"https://{issuer}", ClientIDList=["sts.amazonaws.com"])
        trust = {
            "Version": "2012-10-17",
            "Statement": {
                "Sid": "DeployFromMain",
                "Effect": "Allow",
                "Principal": {"Federated": provider["OpenIDConnectProviderArn"]},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        f"{issuer}:aud": "sts.amazonaws.com",
                        f"{issuer}:sub": "repo:acme/shop:ref:refs/heads/main",
                    }
                },
            },
        }
        role = iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=json.dumps(trust))["Role"]

        # A job has no keys of its own: it sends its token, unsigned.
        place = {"endpoint_url": server.url, "region_name": server.region}
        sts = boto3.client("sts", **place, config=Config(signature_version=UNSIGNED))
        for branch in ("main", "try-this"):
            token = ci.token("acme/shop", f"refs/heads/{branch}")
            try:
                answer = sts.assume_role_with_web_identity(
                    RoleArn=role["Arn"], RoleSessionName="deploy-1742", WebIdentityToken=token
                )
            except ClientError as refused:
                print(f"{branch}: {refused.response['Error']['Message']}\n", flush=True)
                request = refused.response["ResponseMetadata"]["RequestId"]
                subprocess.run(["locum", "explain", request, "--data", server.audit_path.parent], check=False)
            else:
                print(f"{branch}: {answer['AssumedRoleUser']['Arn']}")
