"""Credentials in environment variables (STS-CL-032)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from locum.client.credentials.base import Credentials, moment
from locum.client.effects import Flow
from locum.client.failures import CredentialsFailure
from locum.secret import Secret

__all__ = ["Environment"]

_TOKENS: Final = ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")
"""In the order in which botocore looks at them; the first is the older name."""


class Environment:
    """``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``, with the session token of temporary credentials.

    They are read anew each time: a program may be given others, whose ``AWS_CREDENTIAL_EXPIRATION`` says when.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment: Final = environment

    @property
    def applies(self) -> bool:
        """Whether there is an access key id."""
        return bool(self._environment.get("AWS_ACCESS_KEY_ID"))

    def resolve(self) -> Flow[Credentials]:
        """The credentials; CredentialsFailure where a part is missing."""
        yield from ()
        get = self._environment.get
        key_id, secret = get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")
        for name, value in (("AWS_ACCESS_KEY_ID", key_id), ("AWS_SECRET_ACCESS_KEY", secret)):
            if not value:
                raise CredentialsFailure(f"the environment variable {name} is not set")
        token = next((value for name in _TOKENS if (value := get(name))), None)
        expiration = get("AWS_CREDENTIAL_EXPIRATION")
        try:
            return Credentials(
                key_id or "",
                Secret(secret or ""),
                Secret(token) if token else None,
                moment(expiration) if expiration else None,
                get("AWS_ACCOUNT_ID") or None,
            )
        except CredentialsFailure as error:
            raise CredentialsFailure(f"the environment variables: {error}") from None
