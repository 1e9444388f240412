"""Writes down what real identity providers issue, as vectors that must be accepted, or refused, for ever.

Run by hand, from the repository's root: ``python -m tests.interop.idps.record``.  Every key is new each time and for
tests only.  The files are ``good/oidc/recorded.json``, ``good/saml/recorded.json`` and ``saml/recorded.json`` of
``tests/vectors``; the time of each is the time at which it was issued.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import jwt
from tests.interop.idps.authority import Authority, pair
from tests.interop.idps.oidc import oidc_provider
from tests.interop.idps.programs import INTEROP
from tests.interop.idps.saml import AWS, IdentityProvider, PySaml2, Samlp, Service, SimpleSamlPhp, role_attributes

VECTORS: Final = INTEROP.parent / "vectors"
ACCOUNT: Final = "111122223333"
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/engineer"
PROVIDER: Final = f"arn:aws:iam::{ACCOUNT}:saml-provider/company"
TAGS: Final = {
    "https://aws.amazon.com/tags": {
        "principal_tags": {"team": ["blue"], "stage": ["test"]},
        "transitive_tag_keys": ["team"],
    },
    "https://aws.amazon.com/source_identity": "mia@company.example",
}


def _version(package: str) -> str:
    found: dict[str, str] = json.loads((INTEROP / "node_modules" / package / "package.json").read_text())
    return f"npm {package} {found['version']}"


def _write(path: str, document: dict[str, Any]) -> None:
    target = VECTORS / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=1) + "\n")


def oidc() -> dict[str, Any]:
    """ID tokens of a code flow, in the form of made.json beside them."""
    good = []
    with oidc_provider({"mia": TAGS, "otto": {}}, Authority()) as idp:
        for who, algorithm in [(who, name) for who in ("mia", "otto") for name in ("RS256", "ES256", "ES384")] + [
            ("mia", "PS256"),
            ("mia", "EdDSA"),
        ]:
            good.append(
                {
                    "name": f"{algorithm} for {who} by oidc-provider",
                    "facts": ["STS-WI-007"] if not algorithm.startswith(("PS", "Ed")) else [],
                    "token": (token := idp.login(who, algorithm)),
                    "issuer": idp.issuer,
                    "client_ids": [idp.client_id(algorithm)],
                    "extra_algorithms": [algorithm] if algorithm.startswith(("PS", "Ed")) else [],
                    "now": jwt.decode(token, options={"verify_signature": False})["iat"],
                    "subject": who,
                    "audience": idp.client_id(algorithm),
                }
            )
        keys = idp.keys()
    flow = "authorization code flow with PKCE, driven by tests/interop/idps"
    return {"provenance": f"Issued by {_version('oidc-provider')} in an {flow}.", "jwks": keys, "good": good}


def _responses(idp: IdentityProvider, product: str, *services: tuple[str, Service]) -> Iterator[dict[str, Any]]:
    for how, service in services:
        yield {
            "name": f"{how} by {product}",
            "provider_metadata": idp.metadata(),
            "response": idp.login("mia", service),
            "now": int(time.time()),
            "rules": {},
            "issuer": idp.entity,
            "subject": "mia",
            "subject_type": "persistent",
            "audience": service.acs,
            "session_name": "mia@company.example",
            "source_identity": "mia",
            "tags": {"team": "blue", "stage": "test"},
            "transitive_tag_keys": ["team"],
        }


def saml() -> tuple[dict[str, Any], dict[str, Any]]:
    """Responses that are good, under their rules, and those that no rule makes good."""
    attributes = role_attributes(
        (ROLE, PROVIDER),
        session_name="mia@company.example",
        source_identity="mia",
        transitive=("team",),
        team="blue",
        stage="test",
    )
    people = {"mia": attributes}
    key = pair("a service of a test")
    signed, encrypted = ("signed", AWS), ("encrypted", Service("https://signin.aws.amazon.com/saml", AWS.acs, key))
    services = (AWS, encrypted[1])
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        for name in ("php", "python", "python-sha1"):
            (folder / name).mkdir()
        samlp = held.enter_context(Samlp.running(people, *services))
        simple = held.enter_context(SimpleSamlPhp.running(folder / "php", people, *services))
        good = [
            *_responses(samlp, _version("samlp"), signed, encrypted),
            *_responses(simple, "SimpleSAMLphp 1.19", signed, encrypted),
            *_responses(PySaml2(folder / "python", people, AWS), "pysaml2", signed),
            *_responses(PySaml2(folder / "python-sha1", people, AWS, digest="sha1"), "pysaml2 with SHA-1", signed),
        ]
        refused = list(_responses(PySaml2(folder / "python", people, *services), "pysaml2 with 3DES", encrypted))
    good[3]["rules"] = {"allow_cbc": True}
    good[5]["rules"] = {"allow_sha1": True}
    common = {
        "role": ROLE,
        "provider": PROVIDER,
        "account": ACCOUNT,
        "provider_name": "company",
        "private_key": key.key,
    }
    provenance = (
        "Issued by the named products, started and logged in to by tests/interop/idps; the key is for tests only."
    )
    return (
        {"provenance": provenance, **common, "good": good},
        {"provenance": provenance, **common, "refused": refused},
    )


def main() -> None:
    """Write the files."""
    _write("good/oidc/recorded.json", oidc())
    good, refused = saml()
    _write("good/saml/recorded.json", good)
    _write("saml/recorded.json", refused)
    subprocess.run(["git", "diff", "--stat", "--", str(VECTORS)], check=False)


if __name__ == "__main__":
    main()
