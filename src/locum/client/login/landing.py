"""The page on this machine to which a browser comes back from an identity provider (RFC 8252 section 7.3).

Any page that a browser has open can send requests here while somebody logs in.  What is not the answer to the login
that was begun is refused and changes nothing: the person's own answer may still come.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Final, Generic, TypeVar
from urllib.parse import parse_qsl

from locum.client.closing import Closing
from locum.client.failures import TimedOut
from locum.client.login.failures import LoginFailure, NotOurs
from locum.client.login.places import FORM
from locum.client.loopback import Loopback
from locum.http import Request, Response

__all__ = ["CODE", "MAX_FIELDS", "POSTED", "Landing"]

MAX_FIELDS: Final = 32
"""Fields of the query or form that a browser brings."""

CODE: Final = ("GET", "/callback")
"""Where a browser brings an authorization code."""

POSTED: Final = ("POST", "/saml")
"""Where a browser brings a SAML response."""

Landed = TypeVar("Landed")

_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>locum</title>'
    "<p>{}</p><p>You may close this page.</p></html>\n"
)
_HEADERS: Final = (
    ("content-type", "text/html; charset=utf-8"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
)


class Landing(Closing, Generic[Landed]):
    """Waits for a browser to come by; its ``with`` block is as long as the page is there.

    ``way`` is :data:`CODE` or :data:`POSTED`.  ``read`` makes of the fields that the browser brings what
    :meth:`wait` gives; where it raises NotOurs the request counts for nothing, and
    LoginFailure ends the login.  It has to be set before the browser is sent off.
    """

    def __init__(self, way: tuple[str, str], *, port: int = 0) -> None:
        self._way: Final = way
        self.read: Callable[[Mapping[str, str]], Landed] | None = None
        self._outcome: Final[Future[Landed]] = Future()
        self._turn: Final[queue.SimpleQueue[None]] = queue.SimpleQueue()
        self._turn.put(None)
        self._loopback: Final = Loopback(self._answer, port=port)

    @property
    def url(self) -> str:
        """What the identity provider has to know as the redirect URI or the assertion consumer service."""
        return self._loopback.origin + self._way[1]

    def wait(self, seconds: float) -> Landed:
        """What the browser brought; raises what ``read`` raised, and TimedOut where nobody came in time."""
        try:
            return self._outcome.result(seconds)
        except TimeoutError:
            raise TimedOut(f"nobody logged in within {seconds:g} seconds; try again") from None

    def close(self) -> None:
        """Wait for nobody any more."""
        self._loopback.close()

    def _answer(self, request: Request) -> Response:
        if request.path != self._way[1]:
            return _page(404, "There is nothing here.")
        if request.method != self._way[0]:
            return _page(405, "The identity provider sent the browser here in another way than was asked.")
        fields = _fields(request)
        if fields is None or self.read is None:
            return _page(400, "This is not the answer of an identity provider.")
        try:
            landed = self.read(fields)
        except NotOurs:
            return _page(400, "This is not the answer to the login that was begun here.")
        except LoginFailure as error:
            self._settle(error=error)
            return _page(403, "The login failed; the terminal says why.")
        return _page(200, "You are logged in.") if self._settle(landed) else _page(400, "The login is over.")

    def _settle(self, landed: Landed | None = None, error: LoginFailure | None = None) -> bool:
        """The first outcome counts."""
        try:
            self._turn.get_nowait()
        except queue.Empty:
            return False
        if error is not None:
            self._outcome.set_exception(error)
        else:
            self._outcome.set_result(landed)  # type: ignore[arg-type]
        return True


def _fields(request: Request) -> dict[str, str] | None:
    """The fields by name, None where they cannot be read or one is there twice."""
    text = request.query
    if request.method == "POST":
        if (request.header("content-type") or "").partition(";")[0].strip().lower() != FORM:
            return None
        text = request.body.decode("latin-1")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None


def _page(status: int, text: str) -> Response:
    return Response(status, _HEADERS, _PAGE.format(text).encode())
