"""Writes good/oidc/shapes.json: identity tokens in the shapes in which well-known issuers write them.

Each is written by hand after what such an issuer's documentation shows; nothing was recorded, and nobody's names are
real.  Run from anywhere: ``python tests/vectors/make_oidc_shapes.py``.  It shares no code with locum; the keys are
those of oidc/keys.json, and PyJWT signs.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from jwcrypto import jwk

HERE = Path(__file__).parent
NOW = 1_800_000_100
KEYS = {name: jwk.JWK(**members) for name, members in json.loads((HERE / "oidc" / "keys.json").read_text()).items()}
UUID = "5b1b3a0c-8f0e-4f6d-9d0a-3f8f2a4f7c11"
TENANT = "11111111-2222-3333-4444-555555555555"
TIMES: dict[str, Any] = {"iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 590}


def certificate(name: str) -> x509.Certificate:
    """A certificate of a key, made anew each time."""
    key = serialization.load_pem_private_key(KEYS[name].export_to_pem(private_key=True, password=None), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer of the tests")])
    builder = x509.CertificateBuilder(
        subject, subject, key.public_key(), 7, datetime.datetime(2020, 1, 1), datetime.datetime(2030, 1, 1)
    )
    return builder.sign(key, hashes.SHA256())


def listed(name: str, key_id: str, **more: Any) -> dict[str, Any]:
    """A key of the tests as a JWKS lists it under this id."""
    return {**KEYS[name].export_public(as_dict=True), "kid": key_id, **more}


def certified(name: str, key_id: str, **more: Any) -> dict[str, Any]:
    """The same with its certificate, and its thumbprint by SHA-1."""
    der = certificate(name).public_bytes(serialization.Encoding.DER)
    thumbprint = base64.urlsafe_b64encode(hashlib.sha1(der, usedforsecurity=False).digest()).rstrip(b"=").decode()
    return listed(name, key_id, x5t=thumbprint, x5c=[base64.b64encode(der).decode()], **more)


def signed(
    claims: dict[str, Any], key_id: str | None, *, by: str = "rsa", algorithm: str = "RS256", **header: Any
) -> str:
    pem = KEYS[by].export_to_pem(private_key=True, password=None)
    named = {"kid": key_id} if key_id is not None else {}
    return jwt.encode({**TIMES, **claims}, pem, algorithm=algorithm, headers={**named, **header})


CASES: list[dict[str, Any]] = []


def case(
    name: str,
    claims: dict[str, Any],
    keys: list[dict[str, Any]],
    *,
    clients: list[str] | None = None,
    audience: str = "sts.amazonaws.com",
    extra: tuple[str, ...] = (),
    no_key_id: bool = False,
    issuer: str | None = None,
    **how: Any,
) -> None:
    key_id = None if no_key_id else keys[0]["kid"]
    CASES.append(
        {
            "name": name,
            "facts": ["STS-WI-022"],
            "token": signed(claims, key_id, **how),
            "jwks": {"keys": keys},
            "issuer": issuer or claims["iss"],
            "client_ids": [audience] if clients is None else clients or None,
            "extra_algorithms": list(extra),
            "now": NOW,
            "subject": claims["sub"],
            "audience": audience,
        }
    )


def ci() -> None:
    """Builds."""
    github: dict[str, Any] = {
        "iss": "https://token.actions.githubusercontent.com",
        "aud": "sts.amazonaws.com",
        "jti": UUID,
        "sub": "repo:acme/app:environment:production",
        "ref": "refs/heads/main",
        "sha": "ab" * 20,
        "repository": "acme/app",
        "repository_owner": "acme",
        "run_id": "7102345678",
        "run_attempt": "1",
        "repository_visibility": "private",
        "repository_id": "412345678",
        "actor_id": "9876",
        "actor": "mia",
        "workflow": "deploy — Zürich 🚀",
        "head_ref": "",
        "base_ref": "",
        "event_name": "push",
        "ref_type": "branch",
        "job_workflow_ref": "acme/ci/.github/workflows/deploy.yml@refs/heads/main",
        "environment": "production",
        "runner_environment": "github-hosted",
        "ref_protected": "true",
        "enterprise_id": "42",
    }
    keys = [
        certified("rsa", "38826b17-6a30-5f9b-b169-8beb8202f723", use="sig", alg="RS256"),
        certified("forger", "C9F7"),
    ]
    case("GitHub Actions", github, keys, x5t=keys[0]["x5t"])
    gitlab: dict[str, Any] = {
        "iss": "https://gitlab.com",
        "aud": "https://gitlab.com",
        "jti": UUID,
        "sub": "project_path:acme/app:ref_type:branch:ref:main",
        "namespace_id": "72",
        "project_id": "20",
        "project_path": "acme/app",
        "user_id": "1",
        "user_login": "mia",
        "user_email": "mia@company.example",
        "user_access_level": "developer",
        "user_identities": [{"provider": "github", "extern_uid": "2435223452345"}],
        "pipeline_source": "web",
        "ref_protected": "true",
        "ref_path": "refs/heads/main",
        "runner_id": 1,
        "runner_environment": "gitlab-hosted",
        "groups_direct": [f"acme/team-{number}" for number in range(200)],
    }
    case(
        "GitLab",
        gitlab,
        [listed("rsa", "4i3sFE7sxqNPOT7FdvcGA1ZVGGI_r-tsDXnEuYT4ZqE", use="sig")],
        audience=gitlab["aud"],
    )
    buildkite: dict[str, Any] = {
        "iss": "https://agent.buildkite.com",
        "sub": "organization:acme:pipeline:app:ref:refs/heads/main:step:build",
        "aud": "sts.amazonaws.com",
        "build_number": 1234,
        "build_tag": None,
        "step_key": None,
        "cluster_id": UUID,
    }
    case("Buildkite", buildkite, [listed("rsa", "45d3", use="sig"), listed("p256", "46e4", use="sig")])
    circleci: dict[str, Any] = {
        "iss": f"https://oidc.circleci.com/org/{UUID}",
        "aud": UUID,
        "oidc.circleci.com/project-id": UUID,
        "sub": f"org/{UUID}/project/{UUID}/user/{UUID}",
        "oidc.circleci.com/context-ids": [UUID],
    }
    case("CircleCI", circleci, [listed("rsa", "01fa", use="sig")], audience=UUID)
    terraform: dict[str, Any] = {
        "iss": "https://app.terraform.io",
        "aud": ["aws.workload.identity"],
        "terraform_run_phase": "plan",
        "sub": "organization:acme:project:Default Project:workspace:net:run_phase:plan",
    }
    case("HCP Terraform", terraform, [listed("rsa", "tfc", use="sig")], audience="aws.workload.identity")


def clusters() -> None:
    """Workloads."""
    pod: dict[str, Any] = {
        "kubernetes.io": {"namespace": "shop", "pod": {"name": "cart-0", "uid": UUID}, "serviceaccount": {"uid": UUID}}
    }
    eks: dict[str, Any] = {
        "iss": "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF",
        **pod,
        "aud": ["sts.amazonaws.com"],
        "sub": "system:serviceaccount:shop:cart",
        "jti": UUID,
    }
    keys = [listed("rsa", "2f9f0a8c7d6e5b4a39281706f5e4d3c2b1a09f8e", use="sig"), listed("forger", "old", use="sig")]
    case("Amazon EKS", eks, keys)
    own = {**eks, "iss": "https://kubernetes.default.svc.cluster.example"}
    case("Kubernetes, ES256", own, [listed("p256", "k8s", use="sig")], by="p256", algorithm="ES256")
    case("Kubernetes, ES384", own, [listed("p384", "k8s", use="sig")], by="p384", algorithm="ES384")
    spire = {"iss": "https://spire.example/", "aud": ["sts.amazonaws.com"], "sub": "spiffe://example/ns/shop/sa/cart"}
    case("SPIRE", spire, [listed("p256", "J7Zq")], by="p256", algorithm="ES256")
    case(
        "one key, and none is named", {**spire, "iss": "https://plain.example"}, [listed("rsa", "only")], no_key_id=True
    )


def people() -> None:
    """Log-ins."""
    google: dict[str, Any] = {
        "iss": "https://accounts.google.com",
        "azp": "1234-abc.apps.googleusercontent.com",
        "email": "mia@company.example",
        "aud": "1234-abc.apps.googleusercontent.com",
        "sub": "110169484474386276334",
        "email_verified": True,
        "hd": "company.example",
        "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
        "name": "Mia",
        "locale": "de",
        "jti": "f1a2",
    }
    keys = [listed("forger", "b263", use="sig", alg="RS256"), listed("rsa", "c5a1", use="sig", alg="RS256")]
    case("Google", google, keys[::-1], clients=[], audience=google["aud"])
    account = {**google, "aud": "https://sts.company.example", "azp": "113328", "google": {"organization_number": 42}}
    case("Google, a service account", account, keys[::-1], clients=[], audience="113328")
    pool: dict[str, Any] = {
        "iss": "https://cognito-identity.amazonaws.com",
        "sub": f"eu-west-1:{UUID}",
        "aud": f"eu-west-1:{UUID}",
        "amr": ["authenticated", "login.company.example", f"login.company.example:eu-west-1:{UUID}:mia"],
    }
    names = listed("rsa", "eu-west-11", use="sig", alg="RS512")
    case("Cognito identity pool", pool, [names], clients=[], audience=pool["aud"], algorithm="RS512")
    user: dict[str, Any] = {
        "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab1Cd2Ef3",
        "sub": UUID,
        "aud": "1h57kf5cpq17m0eml12E",
        "token_use": "id",
        "auth_time": NOW - 20,
        "cognito:groups": ["admins"],
        "cognito:username": "mia",
        "email": "mia@company.example",
        "email_verified": True,
        "event_id": UUID,
        "origin_jti": UUID,
    }
    case("Cognito user pool", user, [listed("rsa", "abcdefghij=", use="sig", alg="RS256")], audience=user["aud"])
    auth0: dict[str, Any] = {
        "iss": "https://company.eu.auth0.com/",
        "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "azp": "my_client_id",
        "aud": ["https://api.company.example", "https://company.eu.auth0.com/userinfo"],
        "scope": "openid profile",
        "https://company.example/roles": ["admin"],
        "permissions": ["read:all"],
        "gty": "password",
    }
    keys = [certified("rsa", "NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg", use="sig", alg="RS256")]
    case("Auth0", auth0, keys, audience="my_client_id", typ="JWT")
    entra: dict[str, Any] = {
        "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
        "aud": UUID,
        "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
        "oid": UUID,
        "tid": TENANT,
        "uti": "KzS0",
        "ver": "2.0",
        "aio": "x" * 1_000,
        "rh": "0.AX8A.",
        "azpacr": "1",
        "preferred_username": "mia@company.example",
        "wids": [UUID] * 20,
        "groups": [UUID] * 200,
    }
    keys = [
        certified("rsa", "-KI3Q9nNR7bRofxmeZoXqbHZGew", use="sig", issuer=entra["iss"]),
        certified("forger", "other"),
    ]
    case("Entra ID, version 2", entra, keys, audience=UUID, x5t=keys[0]["x5t"])
    older = {**entra, "iss": f"https://sts.windows.net/{TENANT}/", "aud": f"api://{UUID}", "ver": "1.0", "appid": UUID}
    case("Entra ID, version 1", older, keys, audience=older["aud"], x5t=keys[0]["x5t"])
    okta: dict[str, Any] = {
        "iss": "https://company.okta.com/oauth2/default",
        "sub": "00uixa271s6x7qt8I0h7",
        "aud": "0oaoiuhhch8VRtBnC0h7",
        "ver": 1,
        "amr": ["mfa", "otp", "pwd"],
        "idp": "00oi",
        "auth_time": NOW - 20,
        "at_hash": "preview_at_hash",
    }
    case(
        "Okta",
        okta,
        [listed("rsa", "w5kbx1K0mXoEcRzk1f4aAYLOYpBeiBdNeuFrhRJUj7s", use="sig", alg="RS256")],
        audience=okta["aud"],
    )
    keycloak: dict[str, Any] = {
        "iss": "https://sso.company.example/realms/staff",
        "aud": ["account", "aws"],
        "azp": "aws",
        "typ": "ID",
        "sub": UUID,
        "acr": "1",
        "sid": UUID,
        "realm_access": {"roles": ["offline_access"]},
        "resource_access": {"account": {"roles": ["x"]}},
        "https://aws.amazon.com/tags": {"principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["team"]},
    }
    encrypting = certified("forger", "encrypting", use="enc", alg="RSA-OAEP")
    keys = [certified("rsa", "FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE", use="sig", alg="RS256"), encrypting]
    case("Keycloak", keycloak, keys, audience="aws")
    keys = [certified("rsa", "pss", use="sig", alg="PS256")]
    case("Keycloak, PS256", keycloak, keys, audience="aws", algorithm="PS256", extra=("PS256",))
    keys = [listed("p521", "p521", use="sig", alg="ES512")]
    case("Keycloak, ES512", keycloak, keys, audience="aws", by="p521", algorithm="ES512")


if __name__ == "__main__":
    ci()
    clusters()
    people()
    document: dict[str, Any] = {
        "provenance": "Made by tests/vectors/make_oidc_shapes.py with PyJWT, after what issuers document.",
        "good": [{"jwks": each.pop("jwks"), **each} for each in CASES],
        "jwks": {"keys": []},
    }
    path = HERE / "good" / "oidc" / "shapes.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
