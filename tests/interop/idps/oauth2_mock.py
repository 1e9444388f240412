"""npm's ``oauth2-mock-server``: a token with any claims, signed with any of its keys."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tests.interop.idps.programs import node_is_missing, program

__all__ = ["OAuth2Mock", "oauth2_mock"]


class OAuth2Mock:
    """The issuer; it speaks plain HTTP."""

    def __init__(self, issuer: str) -> None:
        self.issuer: Final = issuer
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @staticmethod
    def why_not() -> str:
        """Why it cannot run here; empty where it can."""
        return node_is_missing("oauth2-mock-server")

    @property
    def name(self) -> str:
        """The URL without its scheme, as provider ARNs and condition keys have it."""
        return self.issuer.removeprefix("http://")

    def token(self, key: str = "first", algorithm: str = "RS256", **claims: Any) -> str:
        """A token with ``claims`` that is signed with this key, which is published from then on."""
        asked = {"claims": claims, "kid": key, "algorithm": algorithm}
        with self._opener.open(f"{self.issuer}/mint", json.dumps(asked).encode(), timeout=30) as answer:
            return str(answer.read().decode())


@contextmanager
def oauth2_mock() -> Iterator[OAuth2Mock]:
    """The issuer on a free port."""
    with program(["node", "idps/oauth2_mock.mjs"]) as issuer:
        yield OAuth2Mock(issuer)
