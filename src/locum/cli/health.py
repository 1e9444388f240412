"""``locum health``: for a container's or a supervisor's health check."""

from __future__ import annotations

import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import click

from locum.cli.options import settings_from, settings_options
from locum.cli.report import complain
from locum.server.config import Settings

__all__ = ["command"]


@settings_options("host", "port", "tls_cert", "tls_key")
@click.command("health")
@click.option("--url", metavar="URL", help="Another server, by its URL.")
@click.option("--timeout", default=5.0, metavar="SECONDS", help="Longest wait.", show_default=True)
def command(url: str | None, timeout: float, **options: Any) -> int:
    """Ask the server that these settings describe whether it is ready; exit status 0 if it is, 1 if not."""
    settings = settings_from(options)
    try:
        status = _ask(settings, url, timeout)
    except (OSError, HTTPException, ValueError) as error:
        complain(f"no answer: {error}", "is it running? locum serve")
        return 1
    if status != 200:
        complain(f"not ready: status {status}", "its log says why")
        return 1
    click.echo("ready")
    return 0


def _ask(settings: Settings, url: str | None, timeout: float) -> int:
    connection: HTTPConnection
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or parts.hostname is None:
            raise ValueError(f"{url!r} is not the URL of a server")
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=timeout)
    else:
        host = settings.reachable_host
        if settings.tls_cert is None:
            connection = HTTPConnection(host, settings.port, timeout=timeout)
        else:
            # The server's own certificate is trusted, under whatever name it bears: this is a call to ourselves.
            context = ssl.create_default_context(cafile=settings.tls_cert)
            context.check_hostname = False
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            connection = HTTPSConnection(host, settings.port, timeout=timeout, context=context)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status
    finally:
        connection.close()
