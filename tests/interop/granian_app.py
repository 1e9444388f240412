"""The application as another ASGI server takes it: settings from the environment, a data directory that is set up."""

from __future__ import annotations

import os

from locum.server.app import Application, create_app
from locum.server.config import load_settings


def application() -> Application:
    return create_app(load_settings({}, os.environ, serving=True))
