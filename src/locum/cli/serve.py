"""``locum serve``."""

from __future__ import annotations

from typing import Any

import click

from locum.cli.options import settings_from, settings_options

__all__ = ["command"]


@settings_options()
@click.command("serve")
def command(**options: Any) -> int:
    """Run the server until it is told to stop.

    The first start makes an account with a root access key, which it writes to DATA/root-credentials and shows once on
    a terminal. Every setting can also be given in the environment or in a TOML file; the secrets
    LOCUM_WRAPPING_KEY and LOCUM_ROOT_SECRET_ACCESS_KEY only in the environment.
    """
    settings = settings_from(options, serving=True)
    from locum.server.serve import serve

    return serve(settings)
