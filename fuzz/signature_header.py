"""The claims of a signed request: the Authorization header and its relatives in header and query."""

from __future__ import annotations

from typing import Final

from locum.errors import ServiceException
from locum.http import Request
from locum.secret import Secret
from locum.wire.form import parse_form
from locum.wire.sigv4 import SigningKeys
from locum.wire.sigv4_verify import Verified, read_authentication, verify

NOW: Final = 1_767_323_045.0
"""2026-01-02T03:04:05Z."""

SCOPE: Final = "AKIAQNZGKIQY56JQ7WML/20260102/us-east-1/sts/aws4_request"
SEEDS: Final = tuple(
    text.encode()
    for text in (
        f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}\n20260102T030405Z",
        f"AWS4-HMAC-SHA256 Credential={SCOPE},SignedHeaders=host,Signature=0\n2026-01-02T03:04:05Z\nx-amz-a: b",
        f"\n\n\nX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={SCOPE.replace('/', '%2F')}"
        "&X-Amz-Date=20260102T030405Z&X-Amz-SignedHeaders=host&X-Amz-Signature=0",
    )
)
_KEYS: Final = SigningKeys()
_SECRET: Final = Secret("nobody knows this secret of a key that is nobody's")


def run(data: bytes) -> None:
    """Four lines: authorization, date, another header, query.  Claims or a declared error, and never a proof."""
    authorization, date, other, query = (data.decode("latin-1").split("\n", 3) + [""] * 4)[:4]
    name, _, value = other.partition(": ")
    lines = [("host", "127.0.0.1:8380"), ("authorization", authorization), ("x-amz-date", date), (name.lower(), value)]
    request = Request("POST", "/", query, tuple(line for line in lines if line[1]), b"Action=GetCallerIdentity")
    try:
        claims = read_authentication(request, parse_form(query), service="sts", regions={"us-east-1"}, now=NOW)
        if claims is None:
            return
        proof = verify(claims, _KEYS(_SECRET, claims.date, claims.region, claims.service))
    except ServiceException:
        return
    assert not isinstance(proof, Verified), "a signature was found without the key"
