"""Over HTTP, by whoever is not this server: independent libraries verify its tokens, another locum accepts them."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any, Final

import boto3
import jwt
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from jwcrypto.jwk import JWKSet
from jwcrypto.jwt import JWT

from locum.testing import RunningServer, running_server

AUDIENCE: Final = "https://second.example"
ROOT: Final = "arn:aws:iam::111122223333:root"
QUICK: Final = Config(retries={"total_max_attempts": 1})


@pytest.fixture(scope="module")
def first() -> Iterator[RunningServer]:
    with running_server(account_id="111122223333") as server:
        client(server, "iam").enable_outbound_web_identity_federation()
        yield server


@pytest.fixture(scope="module")
def second() -> Iterator[RunningServer]:
    tables = [{"provider": "*", "loopback-http": True}]
    with running_server(account_id="444455556666", oidc=tables) as server:
        yield server


def client(server: RunningServer, service: str) -> Any:
    return boto3.client(service, config=QUICK, **server.boto3_arguments())


def issuer(server: RunningServer) -> str:
    found: str = client(server, "iam").get_outbound_web_identity_federation_info()["IssuerIdentifier"]
    return found


def token(server: RunningServer, algorithm: str, **more: Any) -> str:
    asked = {"Audience": [AUDIENCE], "SigningAlgorithm": algorithm} | more
    found: str = client(server, "sts").get_web_identity_token(**asked)["WebIdentityToken"]
    return found


def trusting(server: RunningServer, url: str, name: str) -> str:
    """A role of a server's account that an issuer's root user may assume; its ARN."""
    iam = client(server, "iam")
    bare = url.partition("://")[2]
    given = {"Url": f"https://{bare}", "ClientIDList": [AUDIENCE]}
    provider = iam.create_open_id_connect_provider(**given)["OpenIDConnectProviderArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{bare}:sub": ROOT, f"{bare}:aud": AUDIENCE}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    return role


def assume(server: RunningServer, role: str, text: str) -> dict[str, Any]:
    """The answer to a bearer without credentials."""
    sts = client(server, "sts")
    found: dict[str, Any] = sts.assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="from-the-first", WebIdentityToken=text
    )
    return found


@pytest.mark.facts("STS-GWT-011", "STS-GWT-015", "IAM-OUT-002")
@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_libraries_verify_a_token_with_nothing_but_the_issuer_in_it(first: RunningServer, algorithm: str) -> None:
    text = token(first, algorithm)
    url = jwt.decode(text, options={"verify_signature": False})["iss"]
    assert url == issuer(first)
    with urllib.request.urlopen(f"{url}/.well-known/openid-configuration", timeout=10) as response:
        found = json.load(response)
    assert found["issuer"] == url
    key = jwt.PyJWKClient(found["jwks_uri"], timeout=10).get_signing_key_from_jwt(text)
    claims = jwt.decode(text, key, algorithms=[algorithm], audience=AUDIENCE, issuer=url)
    assert claims["sub"] == ROOT
    with urllib.request.urlopen(found["jwks_uri"], timeout=10) as response:
        published = JWKSet.from_json(response.read().decode())
    assert json.loads(JWT(jwt=text, key=published, algs=[algorithm]).claims) == claims


@pytest.mark.facts("STS-GWT-011", "IAM-OUT-002", "IAM-OUT-004")
def test_another_locum_accepts_the_tokens_of_this_one(first: RunningServer, second: RunningServer) -> None:
    url = issuer(first)
    assert url.startswith(f"{first.url}/issuer/")
    role = trusting(second, url, "for-the-first")
    for algorithm in ("RS256", "ES384"):
        answer = assume(second, role, token(first, algorithm))
        assert answer["SubjectFromWebIdentityToken"] == ROOT
        assert answer["Audience"] == AUDIENCE
        keys = answer["Credentials"]
        arguments = second.boto3_arguments() | {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }
        who = boto3.client("sts", config=QUICK, **arguments).get_caller_identity()
        assert who["Arn"] == "arn:aws:sts::444455556666:assumed-role/for-the-first/from-the-first"
    with pytest.raises(ClientError) as refused:
        assume(second, role, token(first, "RS256", Audience=["https://another.example"]))
    assert refused.value.response["Error"]["Code"] == "InvalidIdentityToken"


@pytest.mark.facts("STS-WI-024", "IAM-OUT-003")
def test_no_locum_accepts_its_own_tokens(first: RunningServer) -> None:
    url = issuer(first)
    role = trusting(first, url, "for-myself")
    with pytest.raises(ClientError) as refused:
        assume(first, role, token(first, "RS256"))
    assert refused.value.response["Error"]["Code"] == "InvalidIdentityToken"
    assert url in refused.value.response["Error"]["Message"]
