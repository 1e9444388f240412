"""What is sent through a proxy: by urllib3, which is not imported for anything else."""

from __future__ import annotations

import ssl
import time
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import urllib3

from locum.client.effects import Send
from locum.client.failures import AnswerTooLarge, ConnectionFailure, TimedOut
from locum.client.tls import tls_failure
from locum.http import Response

__all__ = ["Proxied"]

_CHUNK: Final = 1 << 16
_ALONE: Final = urllib3.Retry(total=False, redirect=False)
"""Neither redirects nor retries by the transport: both are the flow's business."""


class Proxied:
    """Connections to or through a proxy; any number of threads may use them at once.

    ``context`` is for https, of the proxy and beyond it; ``most`` is how many connections are kept.
    """

    def __init__(self, proxy: str, context: ssl.SSLContext | None, most: int) -> None:
        arguments: dict[str, Any] = {"maxsize": most}
        if context is not None:
            arguments["ssl_context"] = context
            if proxy.startswith("https:"):
                arguments["proxy_ssl_context"] = context
        self._manager: Final = urllib3.ProxyManager(proxy, proxy_headers=_headers(proxy), **arguments)

    def exchange(self, effect: Send) -> Response:
        """Send a request and read its answer, as :class:`~locum.client.effects.Send` says."""
        deadline = None if effect.total is None else time.monotonic() + effect.total
        request = effect.request
        target = f"{request.path}?{request.query}" if request.query else request.path
        try:
            answer = self._manager.urlopen(
                request.method,
                effect.origin + target,
                body=request.body or None,
                headers=request.lines,
                redirect=False,
                retries=_ALONE,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=effect.connect, read=effect.read, total=effect.total),
            )
            try:
                if 100 <= answer.status < 200:
                    # The answer itself is still to come, and would be taken for that of the next request.
                    raise ConnectionFailure(f"{effect.origin}: an interim answer came in place of the answer")
                body = _body(answer, effect, deadline)
            except BaseException:
                answer.close()
                raise
            answer.release_conn()
            headers = tuple([(name.lower(), value) for name, value in answer.headers.iteritems()])
            return Response(answer.status, headers, body)
        except urllib3.exceptions.NewConnectionError as error:
            raise ConnectionFailure(f"{effect.origin}: no connection: {type(error).__name__}") from error
        except urllib3.exceptions.TimeoutError as error:
            raise TimedOut(f"{effect.origin}: no answer in time") from error
        except urllib3.exceptions.SSLError as error:
            raise tls_failure(effect.origin, error) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ConnectionFailure(f"{effect.origin}: {type(error).__name__}") from error

    def close(self) -> None:
        """Close all connections."""
        self._manager.clear()


def _body(answer: Any, effect: Send, deadline: float | None) -> bytes:
    chunks, size = [], 0
    # Reading on to the empty end is what finds out that an answer was cut off.
    while chunk := answer.read(effect.most + 1) if deadline is None else answer.read1(_CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > effect.most:
            raise AnswerTooLarge(f"{effect.origin}: the answer has more than {effect.most} bytes")
        if deadline is not None and time.monotonic() > deadline:
            raise TimedOut(f"{effect.origin}: the answer was not complete in time")
    return b"".join(chunks)


def _headers(proxy: str) -> dict[str, str]:
    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    known = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return dict(urllib3.make_headers(proxy_basic_auth=known))
