"""The requests of the load: what an unmodified boto3 would send, byte for byte, kept instead of sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import botocore.config
import botocore.session

__all__ = ["REGION", "Keys", "client", "prepare"]

REGION: Final = "us-east-1"


class Keys(NamedTuple):
    """What a client signs with."""

    id: str
    secret: str
    token: str | None = None


class _KeptError(Exception):
    pass


def client(service: str, url: str, keys: Keys) -> Any:
    """A botocore client that sends, without retries and without looking for configuration."""
    session = botocore.session.Session()
    session.set_config_variable("config_file", "/dev/null")
    return session.create_client(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=keys.id,
        aws_secret_access_key=keys.secret,
        aws_session_token=keys.token,
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )


def prepare(
    url: str, keys: Keys, operation: str, calls: Iterable[Mapping[str, Any]], service: str = "sts"
) -> list[bytes]:
    """Whole HTTP requests, signed now, for an operation of a service with each of these parameters."""
    kept: list[bytes] = []

    def keep(request: Any, **_: Any) -> None:
        head = [f"{request.method} / HTTP/1.1", f"Host: {url.partition('//')[2]}"]
        for name, value in request.headers.items():
            head.append(f"{name}: {value.decode() if isinstance(value, bytes) else value}")
        body = request.body if isinstance(request.body, bytes) else request.body.encode()
        kept.append("\r\n".join([*head, "", ""]).encode() + body)
        raise _KeptError

    sender = client(service, url, keys)
    sender.meta.events.register(f"before-send.{service}", keep)
    send = getattr(sender, operation)
    for parameters in calls:
        try:
            send(**parameters)
        except _KeptError:
            continue
        raise RuntimeError("a request was not kept")
    return kept
