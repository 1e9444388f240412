"""Credentials for a token in a file, as Kubernetes and CI systems put one there (STS-CL-025)."""

from __future__ import annotations

from typing import Final

from locum.api.sts import AssumeRoleWithWebIdentityCommand
from locum.client.credentials.assume import Ask, credentials_of, session_name
from locum.client.credentials.base import MAX_TOKEN, Credentials
from locum.client.effects import Flow, Now, ReadFile
from locum.client.failures import CredentialsFailure
from locum.secret import Secret

__all__ = ["WebIdentity"]


class WebIdentity:
    """The session of a role, for the web identity token in a file; the file is read each time, since it changes.

    Without ``role_session_name`` one is made up and kept.  ``place`` is where the file was named, for messages.
    """

    def __init__(
        self,
        ask: Ask,
        token_file: str,
        role_arn: str,
        role_session_name: str | None = None,
        *,
        place: str = "web_identity_token_file",
    ) -> None:
        self._ask: Final = ask
        self._token_file: Final = token_file
        self._role_arn: Final = role_arn
        self._role_session_name = role_session_name
        self._place: Final = place

    def __repr__(self) -> str:
        return f"WebIdentity({self._token_file!r}, {self._role_arn!r})"

    def resolve(self) -> Flow[Credentials]:
        """Credentials of a session that begins now.

        Raises CredentialsFailure where the file has no token, and what AssumeRoleWithWebIdentity raises.
        """
        token = yield from self._token()
        if not self._role_session_name:
            self._role_session_name = session_name((yield from Now()))
        command = AssumeRoleWithWebIdentityCommand(
            role_arn=self._role_arn, role_session_name=self._role_session_name, web_identity_token=Secret(token)
        )
        return credentials_of((yield from self._ask(command, None)), command)

    def _token(self) -> Flow[str]:
        source = f"{self._place}: {self._token_file}"
        try:
            content = yield from ReadFile(self._token_file, MAX_TOKEN)
        except OSError as error:
            raise CredentialsFailure(f"{source}: {error.strerror or error}") from error
        try:
            token = content.decode("ascii").strip()
        except UnicodeDecodeError:
            token = ""
        if not token:
            raise CredentialsFailure(f"{source}: there is no token in the file")
        return token
