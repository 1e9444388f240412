"""Credentials for other programs on this machine, in the way in which containers get theirs (STS-CL-027 … STS-CL-029).

Every AWS SDK asks a URL with a token that it finds in its environment, and asks again before what it got expires.
:class:`Handout` is what answers; :mod:`locum.client.loopback` is where it can be asked.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import UTC
from typing import Final

import msgspec

from locum.client.credentials.base import Credentials
from locum.client.failures import ClientFailure, CredentialsFailure
from locum.errors import ServiceException
from locum.http import Request, Response
from locum.secret import Secret

__all__ = ["PATH", "Handout", "check_temporary"]

PATH: Final = "/credentials"
"""Where credentials are."""

_HEADERS: Final = (("content-type", "application/json"),)


class Handout:
    """Answers requests for credentials; call it from any number of threads.

    ``current`` gives valid credentials, ``token`` is what a request has to say in its ``Authorization`` header, and
    ``trouble`` is told why there are none: whoever asked learns only that.  Long-term keys are never handed out.
    """

    def __init__(
        self, current: Callable[[], Credentials], token: Secret, *, trouble: Callable[[Exception], object]
    ) -> None:
        self._current: Final = current
        self._token: Final = token
        self._trouble: Final = trouble

    def __call__(self, request: Request) -> Response:
        """The answer: 200 with credentials, 401 without the token, 503 where there are none to be had."""
        if not self._may(request):
            return _problem(401, "Unauthorized", "the authorization token is missing or wrong")
        if request.path != PATH:
            return _problem(404, "NotFound", f"credentials are at {PATH}")
        if request.method != "GET":
            return _problem(405, "MethodNotAllowed", "credentials are asked for by GET")
        try:
            found = self._current()
            check_temporary(found)
            document = _document(found)
        except (ClientFailure, ServiceException) as error:
            self._trouble(error)
            return _problem(503, "NoCredentials", "there are no credentials; who runs the endpoint was told why")
        return Response(200, _HEADERS, msgspec.json.encode(document))

    def _may(self, request: Request) -> bool:
        """R23.  A browser says where a page came from, an SDK never does."""
        said = [value for name, value in request.headers if name == "authorization"]
        right = hmac.compare_digest("".join(said).encode(), self._token.reveal().encode())
        return right and len(said) == 1 and request.header("origin") is None


def check_temporary(credentials: Credentials) -> None:
    """Raise CredentialsFailure for credentials that do not end by themselves."""
    if credentials.session_token is None or credentials.expiration is None:
        raise CredentialsFailure(
            "these credentials do not expire, and are not handed out; assume a role, or get a session token for them"
        )


def _document(credentials: Credentials) -> dict[str, str]:
    """What SDKs read; ``Token``, and not ``SessionToken`` (STS-CL-029)."""
    token, expiration = credentials.session_token, credentials.expiration
    assert token is not None
    assert expiration is not None
    account = {} if credentials.account_id is None else {"AccountId": credentials.account_id}
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key.reveal(),
        "Token": token.reveal(),
        "Expiration": expiration.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **account,
    }


def _problem(status: int, code: str, message: str) -> Response:
    return Response(status, _HEADERS, msgspec.json.encode({"Code": code, "Message": message}))
