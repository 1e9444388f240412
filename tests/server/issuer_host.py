"""Hosts on loopback that serve an issuer's documents over TLS, with a certificate authority of their own.

A :class:`Host` answers each connection with the bytes that a test gives for a path, so that it can misbehave at will.
"""

from __future__ import annotations

import datetime
import functools
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

START: Final = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
END: Final = datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC)
NAME: Final = "idp.test"


class Certified:
    """A certificate with its key, signed by the one above it or by itself."""

    def __init__(
        self, name: str, above: Certified | None = None, *, ca: bool = True, end: datetime.datetime = END
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        signer = above or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(above.certificate.subject if above else subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(START)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False)
        )
        if not ca:
            names: list[x509.GeneralName] = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        self.certificate: x509.Certificate = builder.sign(signer.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def thumbprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA1()).hex()

    def context(self, folder: Path, *chain: Certified) -> ssl.SSLContext:
        """What a server shows: this certificate, then those of the chain."""
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        path = folder / f"{self.certificate.serial_number}.pem"
        path.write_text(private + self.pem + "".join(each.pem for each in chain))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


@functools.cache
def authority() -> Certified:
    return Certified("test root")


@functools.cache
def leaf() -> Certified:
    return Certified(NAME, authority(), ca=False)


def answer(body: bytes | dict[str, Any], *, status: str = "200 OK", headers: str = "", length: bool = True) -> bytes:
    """An HTTP answer, byte by byte."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    counted = f"Content-Length: {len(body)}\r\n" if length else ""
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{counted}{headers}\r\n".encode() + body


Serve = Callable[[socket.socket, str], None]


class Host:
    """A listening host; ``pages`` are its answers by path, a function there is given the connection itself."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        self.pages: dict[str, bytes | Serve] = {}
        self.requests: list[str] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: Final[int] = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def authority(self) -> str:
        return f"{NAME}:{self.port}"

    def issuer(self, path: str = "") -> str:
        """The URL of an issuer here, whose discovery document is served from now on."""
        url = f"{'https' if self.context else 'http'}://{self.authority}{path}"
        self.discover(path, issuer=url, jwks_uri=f"{url}/keys")
        return url

    def discover(self, path: str = "", **members: Any) -> None:
        self.pages[f"{path}/.well-known/openid-configuration"] = answer(members)

    def _listen(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                plain.settimeout(30)
                connection = self.context.wrap_socket(plain, server_side=True) if self.context else plain
            except (OSError, ValueError):
                plain.close()
                continue
            with connection:
                try:
                    self._answer(connection)
                except (OSError, ValueError):
                    continue

    def _answer(self, connection: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (part := connection.recv(4_096)):
                return
            head += part
        self.requests.append(head.decode())
        path = head.split(b" ")[1].decode()
        page = self.pages.get(path, answer(b"{}", status="404 Not Found"))
        if isinstance(page, bytes):
            connection.sendall(page)
        else:
            page(connection, path)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@contextmanager
def host(context: ssl.SSLContext | None = None) -> Iterator[Host]:
    made = Host(context)
    try:
        yield made
    finally:
        made.close()
