"""Makes the keys of the identity providers that the tests of SAML play: run once, by hand, from this folder.

All are for tests only and open nothing.  The certificate of the first provider is long expired, on purpose: every
response that the tests accept is proof that a certificate's dates do not matter (STS-SAML-009).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

KEYS: Final = Path(__file__).with_name("keys")
YEARS: Final = {"idp": (2001, 2002), "idp-next": (2025, 2045), "idp-ec": (2025, 2045), "stranger": (2025, 2045)}
"""Name of a provider's pair → the first and the last year of its certificate."""


def main() -> None:
    KEYS.mkdir(exist_ok=True)
    for name, (first, last) in YEARS.items():
        key = (
            ec.generate_private_key(ec.SECP256R1())
            if name.endswith("-ec")
            else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"locum tests only: {name}")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(first, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(last, 1, 1, tzinfo=UTC))
            .sign(key, hashes.SHA256())
        )
        write(name, key)
        (KEYS / f"{name}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    for name in ("service", "service-next"):
        write(name, rsa.generate_private_key(public_exponent=65537, key_size=2048))


def write(name: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    (KEYS / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


main()
