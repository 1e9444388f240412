"""``locum whoami``: who the credentials belong to, and which server says so."""

from __future__ import annotations

from typing import Any

import click

from locum.api.sts import GetCallerIdentityCommand
from locum.cli.caller import client_options, sts_client
from locum.cli.report import as_json, result
from locum.cli.show import as_document, rows, show_rows

__all__ = ["command"]


@click.command("whoami")
@client_options
@as_json
def command(as_json: bool, **options: Any) -> None:
    """Say who the credentials belong to that all AWS tools would find here, and which server says so."""
    with sts_client(options) as client:
        endpoint = client.settings.endpoint()
        answer = client.send(GetCallerIdentityCommand())
    if as_json:
        result({**as_document(answer), "Endpoint": endpoint.url, "Region": endpoint.signing_region})
    else:
        show_rows([*rows(answer), ("endpoint", endpoint.url), ("region", endpoint.signing_region)])
