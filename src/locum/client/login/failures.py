"""How a login ends where it does not end well."""

from __future__ import annotations

from locum.client.failures import ClientFailure

__all__ = ["LoginFailure", "NotOurs"]


class LoginFailure(ClientFailure):
    """The login at the identity provider led to nothing; ``denied`` where the provider or the person said no."""

    def __init__(self, message: str, *, denied: bool = False) -> None:
        super().__init__(message)
        self.denied = denied


class NotOurs(ValueError):
    """A request that is not the answer to what was begun here; it changes nothing."""
