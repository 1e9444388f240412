"""Pods assume a role with the token of their service account, by a policy that says which account may."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3
from cluster import running_cluster

from locum.testing import running_server

with tempfile.TemporaryDirectory() as name, running_cluster(Path(name)) as cluster:
    issuer = cluster.issuer.removeprefix("https://")
    trusted = {
        "provider": f"arn:aws:iam::*:oidc-provider/{issuer}",
        "ca-file": str(cluster.authority),
        "networks": ["127.0.0.0/8"],
    }
    with running_server(oidc=[trusted], account_id="111122223333") as server:
        iam = boto3.client("iam", **server.boto3_arguments())
        provider = iam.create_open_id_connect_provider(Url=cluster.issuer, ClientIDList=["sts.amazonaws.com"])
        trust = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Federated": provider["OpenIDConnectProviderArn"]},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        f"{issuer}:aud": "sts.amazonaws.com",
                        f"{issuer}:sub": "system:serviceaccount:shop:reports",
                    }
                },
            },
        }
        role = iam.create_role(RoleName="reports", AssumeRolePolicyDocument=json.dumps(trust))["Role"]

        for account in ("reports", "checkout"):
            environment = {
                "PATH": os.environ["PATH"],
                "AWS_ENDPOINT_URL": server.url,
                "AWS_DEFAULT_REGION": server.region,
                "AWS_ROLE_ARN": role["Arn"],
                "AWS_ROLE_SESSION_NAME": account,
                "AWS_WEB_IDENTITY_TOKEN_FILE": str(cluster.project(Path(name), "shop", account)),
            }
            print(f"{account}: ", end="", flush=True)
            subprocess.run([sys.executable, Path(__file__).with_name("pod.py")], env=environment, check=True)
