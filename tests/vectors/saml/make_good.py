"""Writes ../good/saml/made.json: responses of every accepted form, by the identity provider of tests/core/saml_idp.py.

Run by hand with the project's Python, from anywhere; needs no locum.  The keys are those of keys/, for tests only.  The
file has the shape of its neighbour recorded.json: what is common to all, and a list of responses with what each proves.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes

HERE: Final = Path(__file__).parent
spec = importlib.util.spec_from_file_location("saml_idp", HERE.parents[1] / "core" / "saml_idp.py")
assert spec is not None
assert spec.loader is not None
idp: Any = importlib.util.module_from_spec(spec)
sys.modules["saml_idp"] = idp
spec.loader.exec_module(idp)

MORE: Final = "https://aws.amazon.com/SAML/Attributes/"
DSIG_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
NEW_OAEP: Final = (
    '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
    '<xenc11:MGF Algorithm="http://www.w3.org/2009/xmlenc11#mgf1{}"/>'
)
ATTRIBUTES: Final = (
    idp.attribute(f"{MORE}PrincipalTag:team", "blue")
    + idp.attribute(f"{MORE}PrincipalTag:stage", "test")
    + idp.attribute(f"{MORE}TransitiveTagKeys", "team")
    + idp.attribute(f"{MORE}SourceIdentity", "alice")
)
CHANGE: Final = (idp.SESSION_NAME_ATTRIBUTE, idp.SESSION_NAME_ATTRIBUTE + ATTRIBUTES)
KEPT: Final = f'<ec:InclusiveNamespaces xmlns:ec="{idp.EXCLUSIVE}" PrefixList="xs #default"/>'
PREFIXED: Final = idp.Form(
    transforms=f'<ds:Transform Algorithm="{idp.ENVELOPED}"/>'
    f'<ds:Transform Algorithm="{idp.EXCLUSIVE}">{KEPT}</ds:Transform>',
    canonicalization=f'<ds:CanonicalizationMethod Algorithm="{idp.EXCLUSIVE}">{KEPT}</ds:CanonicalizationMethod>',
    prefixes=("xs", "#default"),
)


def form(name: str, digest: str = "sha256", **more: Any) -> Any:
    digests = {"sha384": f"{DSIG_MORE}sha384", "sha1": "http://www.w3.org/2000/09/xmldsig#sha1"}
    return idp.Form(method=name, digest=digests.get(digest, f"{idp.XENC}{digest}"), **more)


def new_oaep(data: str, mask: type[hashes.HashAlgorithm], name: str, **more: Any) -> Any:
    return idp.Encryption(
        data=data,
        key=f"{idp.XENC11}rsa-oaep",
        oaep=NEW_OAEP.format(name),
        digest=hashes.SHA256,
        mask=mask,
        **more,
    )


FORMS: Final[dict[str, dict[str, Any]]] = {
    "RSA with SHA-256": {},
    "RSA with SHA-384": {"form": form(f"{DSIG_MORE}rsa-sha384", "sha384")},
    "RSA with SHA-512": {"form": form(f"{DSIG_MORE}rsa-sha512", "sha512")},
    "RSA-PSS with SHA-256": {"form": form("http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1")},
    "ECDSA with SHA-256": {"form": form(f"{DSIG_MORE}ecdsa-sha256", by=idp.IDP_EC)},
    "ECDSA with SHA-512": {"form": form(f"{DSIG_MORE}ecdsa-sha512", "sha512", by=idp.IDP_EC)},
    "RSA with SHA-1": {
        "form": form("http://www.w3.org/2000/09/xmldsig#rsa-sha1", "sha1"),
        "rules": {"allow_sha1": True},
    },
    "the second certificate": {"form": idp.Form(by=idp.IDP_NEXT)},
    "no KeyInfo": {"form": idp.Form(key_info="")},
    "namespaces kept by name": {"form": PREFIXED},
    "the response signed too": {"response_form": idp.Form(by=idp.IDP_NEXT)},
    "AES-256-GCM": {"encryption": idp.Encryption()},
    "AES-128-GCM": {"encryption": idp.Encryption(data=f"{idp.XENC11}aes128-gcm")},
    "RSA-OAEP with SHA-256, MGF1 with SHA-256": {
        "encryption": new_oaep(f"{idp.XENC11}aes256-gcm", hashes.SHA256, "sha256")
    },
    "RSA-OAEP with SHA-256, MGF1 with SHA-1": {"encryption": new_oaep(f"{idp.XENC11}aes128-gcm", hashes.SHA1, "sha1")},
    "the EncryptedKey beside, and named": {
        "encryption": idp.Encryption(beside=True, retrieval='<ds:RetrievalMethod URI="#_key"/>'),
        "response_form": idp.Form(),
    },
    "AES-256-CBC": {
        "encryption": idp.Encryption(data=f"{idp.XENC}aes256-cbc"),
        "rules": {"allow_cbc": True},
    },
    "AES-128-CBC": {
        "encryption": idp.Encryption(data=f"{idp.XENC}aes128-cbc"),
        "rules": {"allow_cbc": True},
    },
}


def main() -> None:
    metadata = idp.metadata(idp.IDP, idp.IDP_NEXT, idp.IDP_EC)
    good = []
    for name, how in FORMS.items():
        rules = how.pop("rules", {})
        good.append(
            {
                "name": name,
                "provider_metadata": metadata,
                "response": idp.encoded(idp.respond(CHANGE, **how)),
                "now": idp.NOW,
                "rules": rules,
                "issuer": idp.ENTITY,
                "subject": "alice-4711",
                "subject_type": "persistent",
                "audience": idp.RECIPIENT,
                "session_name": "alice@example.com",
                "source_identity": "alice",
                "tags": {"team": "blue", "stage": "test"},
                "transitive_tag_keys": ["team"],
            }
        )
    vectors = {
        "provenance": "Made by tests/vectors/saml/make_good.py; the keys are for tests only.",
        "role": idp.ROLE,
        "provider": idp.PROVIDER,
        "account": idp.ACCOUNT,
        "provider_name": "Company",
        "private_key": (idp.KEYS / "service.key").read_text(),
        "good": good,
    }
    path = HERE.parent / "good" / "saml" / "made.json"
    path.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")


main()
