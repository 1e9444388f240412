"""What a CI service shows of its identities: two documents, and a token for each job."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import RSAKey


class Provider:
    """The CI service."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)

    def publish(self, site: Path) -> None:
        """Write the discovery document, and the keys that it names."""
        discovery = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/.well-known/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        folder = site / ".well-known"
        folder.mkdir(parents=True)
        (folder / "openid-configuration").write_text(json.dumps(discovery))
        (folder / "jwks").write_text(json.dumps({"keys": [self._key.as_dict(private=False)]}))

    def token(self, repository: str, ref: str) -> str:
        """The token of a job that runs for a branch or a tag."""
        now = int(time.time())
        owner = repository.partition("/")[0]
        claims = {
            "actor": "mia",
            "aud": "sts.amazonaws.com",
            "event_name": "push",
            "exp": now + 300,
            "iat": now,
            "iss": self.issuer,
            "job_workflow_ref": f"{repository}/.github/workflows/deploy.yml@{ref}",
            "jti": str(uuid.uuid4()),
            "nbf": now,
            "ref": ref,
            "ref_type": "branch",
            "repository": repository,
            "repository_owner": owner,
            "runner_environment": "self-hosted",
            "sub": f"repo:{repository}:ref:{ref}",
            "workflow": "deploy",
        }
        return jwt.encode({"alg": "RS256", "kid": self._key.kid, "typ": "JWT"}, claims, self._key)


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def running_provider(site: Path) -> Iterator[Provider]:
    """A provider on a free port of this machine, with its documents in ``site``."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=site)) as server:
        provider = Provider(f"http://127.0.0.1:{server.server_port}")
        provider.publish(site)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield provider
        server.shutdown()
