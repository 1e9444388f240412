"""locum: a self-hosted Security Token Service, wire-compatible with AWS STS."""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__"]
