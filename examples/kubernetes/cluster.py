"""What a Kubernetes cluster shows of its identities: two documents over HTTPS, and the tokens in its pods."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import RSAKey


class Cluster:
    """An API server; ``issuer`` is its ``--service-account-issuer``, ``authority`` the file that vouches for it."""

    def __init__(self, issuer: str, authority: Path) -> None:
        self.issuer = issuer
        self.authority = authority
        self._key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)

    def publish(self, site: Path) -> None:
        """Write what an API server answers to anybody: the discovery document, and the keys that it names."""
        discovery = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        for path, document in (
            (".well-known/openid-configuration", discovery),
            ("openid/v1/jwks", {"keys": [self._key.as_dict(private=False)]}),
        ):
            (site / path).parent.mkdir(parents=True)
            (site / path).write_text(json.dumps(document))

    def project(self, folder: Path, namespace: str, account: str) -> Path:
        """A file with a service account's token, as the kubelet projects it into a pod for the audience of AWS."""
        now = int(time.time())
        claims = {
            "aud": ["sts.amazonaws.com"],
            "exp": now + 3600,
            "iat": now,
            "iss": self.issuer,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": {
                "namespace": namespace,
                "pod": {"name": f"{account}-7c9f6d5b8-x2kqp", "uid": str(uuid.uuid4())},
                "serviceaccount": {"name": account, "uid": str(uuid.uuid4())},
            },
            "nbf": now,
            "sub": f"system:serviceaccount:{namespace}:{account}",
        }
        token = folder / f"{account}-token"
        token.write_text(jwt.encode({"alg": "RS256", "kid": self._key.kid}, claims, self._key))
        return token


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster on a free port of this machine, with its files in ``folder``."""
    authority, site = folder / "ca.crt", folder / "site"
    site.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=site)) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_certificate(authority, folder / "tls.key"), folder / "tls.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        cluster = Cluster(f"https://127.0.0.1:{server.server_port}", authority)
        cluster.publish(site)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield cluster
        server.shutdown()


def _certificate(path: Path, key_path: Path) -> Path:
    """A certificate for 127.0.0.1 that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.datetime.now(datetime.UTC)
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(host, critical=False)
        .sign(key, hashes.SHA256())
    )
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path
