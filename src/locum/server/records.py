from __future__ import annotations

from locum.store.records import Records, Stored

__all__ = ["Records", "Stored"]
