"""TLS as clients speak it: whom they trust, and what they tell of a handshake that failed."""

from __future__ import annotations

import ssl

from locum.client.failures import CertificateFailure, ConfigurationFailure, ConnectionFailure

__all__ = ["tls_context", "tls_failure"]


def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """TLS 1.2 or newer with the system's trusted certificates, or those of a file.

    ConfigurationFailure where the file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:
        raise ConfigurationFailure(f"ca_bundle: {ca_bundle}: no certificates can be read from it: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def tls_failure(origin: str, error: BaseException) -> ConnectionFailure:
    """What is told of a handshake that failed, and of what urllib3 makes of one."""
    cause: BaseException | None = error
    for _ in range(8):
        if cause is None or isinstance(cause, ssl.SSLCertVerificationError):
            break
        cause = cause.args[0] if cause.args and isinstance(cause.args[0], BaseException) else cause.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return CertificateFailure(f"{origin}: the certificate is not trusted: {cause.verify_message}")
    reason = getattr(error, "reason", None)
    shown = f" ({reason})" if isinstance(reason, str) else ""
    return ConnectionFailure(f"{origin}: TLS failed: {type(error).__name__}{shown}")
