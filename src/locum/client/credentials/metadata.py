"""Credentials of the role of a virtual machine: instance metadata, version 2 only.

Version 2 asks for a token with a PUT before anything else, which a careless proxy or a forged GET cannot do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from locum.client.credentials.base import MAX_DOCUMENT, MAX_TOKEN, Credentials, cut, read_document
from locum.client.effects import Flow, Send
from locum.client.failures import ClientFailure, ConfigurationFailure, CredentialsFailure
from locum.http import Request, Response

__all__ = ["Metadata", "metadata"]

_IPV4: Final = "http://169.254.169.254"
_IPV6: Final = "http://[fd00:ec2::254]"
_TOKEN_PATH: Final = "/latest/api/token"  # noqa: S105 - a path
_TOKEN_SECONDS: Final = "21600"  # noqa: S105 - a duration
_ROLE_PATH: Final = "/latest/meta-data/iam/security-credentials/"
_ROLE: Final = re.compile(r"[\w+=,.@-]{1,128}\Z", re.ASCII)
_TIMEOUT: Final = 1.0
_MOST_TRIES: Final = 10
_MOST_SECONDS: Final = 60.0


class Metadata(msgspec.Struct, frozen=True):
    """The role that the machine at hand has; ``origin`` is scheme and authority of the service.

    A whole exchange takes three requests, each of ``timeout`` seconds at most and made ``tries`` times.
    """

    origin: str = _IPV4
    timeout: float = _TIMEOUT
    tries: int = 1

    def resolve(self) -> Flow[Credentials]:
        """The role's credentials; CredentialsFailure where there is no service, no role or no sense in an answer."""
        token = yield from self._ask("PUT", _TOKEN_PATH, (("x-aws-ec2-metadata-token-ttl-seconds", _TOKEN_SECONDS),))
        text = _text(token, MAX_TOKEN)
        if re.fullmatch(r"[!-~]+", text) is None:
            raise CredentialsFailure("instance metadata: the token that came is none")
        proof = (("x-aws-ec2-metadata-token", text),)
        roles = yield from self._ask("GET", _ROLE_PATH, proof)
        role = _text(roles, MAX_TOKEN).partition("\n")[0].strip()
        if _ROLE.match(role) is None:
            raise CredentialsFailure("instance metadata: the machine has no role")
        answer = yield from self._ask("GET", _ROLE_PATH + role, proof)
        return read_document(answer.body, "instance metadata")

    def _ask(self, method: str, path: str, headers: tuple[tuple[str, str], ...]) -> Flow[Response]:
        parts = urlsplit(self.origin)
        request = Request(method, parts.path.rstrip("/") + path, "", (("host", parts.netloc), *headers))
        origin = f"{parts.scheme}://{parts.netloc}"
        problem = ""
        for _ in range(self.tries):
            try:
                answer = yield from Send(
                    origin=origin,
                    request=request,
                    connect=self.timeout,
                    read=self.timeout,
                    total=2 * self.timeout,
                    most=MAX_DOCUMENT,
                    proxied=False,
                )
            except ClientFailure as error:
                problem = cut(str(error)) or type(error).__name__
                continue
            if answer.status == 200 and answer.body:
                return answer
            problem = f"{method} {path} was answered with status {answer.status}"
            if answer.status in (400, 403, 404, 405):
                break
        hint = "; from inside a container the hop limit of the instance has to be 2" if method == "PUT" else ""
        raise CredentialsFailure(f"instance metadata: {problem}{hint}")


def _text(answer: Response, most: int) -> str:
    return answer.body[:most].decode("latin-1").strip()


def metadata(environment: Mapping[str, str], profile: Mapping[str, str] | None = None) -> Metadata | None:
    """The provider as environment and profile configure it, None where ``AWS_EC2_METADATA_DISABLED`` is true.

    ``AWS_EC2_METADATA_SERVICE_ENDPOINT`` wins over ``AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE`` (``IPv4`` or ``IPv6``);
    ``AWS_METADATA_SERVICE_TIMEOUT`` and ``AWS_METADATA_SERVICE_NUM_ATTEMPTS`` are bounded.  In a profile the names
    are the same in lower case, without ``aws_``.

    Raises ConfigurationFailure for a value that makes no sense.
    """
    if environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return None
    settings = profile or {}

    def setting(name: str) -> str | None:
        return environment.get(f"AWS_{name.upper()}") or settings.get(name) or None

    origin = setting("ec2_metadata_service_endpoint")
    mode = (setting("ec2_metadata_service_endpoint_mode") or "ipv4").lower()
    if mode not in ("ipv4", "ipv6"):
        raise ConfigurationFailure("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE has to be IPv4 or IPv6")
    if origin is None:
        origin = _IPV6 if mode == "ipv6" else _IPV4
    _check(origin)
    return Metadata(
        origin,
        _number(setting("metadata_service_timeout"), _TIMEOUT, _MOST_SECONDS, "AWS_METADATA_SERVICE_TIMEOUT"),
        int(_number(setting("metadata_service_num_attempts"), 1, _MOST_TRIES, "AWS_METADATA_SERVICE_NUM_ATTEMPTS")),
    )


def _check(origin: str) -> None:
    try:
        parts = urlsplit(origin)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not origin.isascii() or not origin.isprintable() or " " in origin or "@" in origin:
        raise ConfigurationFailure("AWS_EC2_METADATA_SERVICE_ENDPOINT is no URL such as http://127.0.0.1:1338")


def _number(text: str | None, default: float, most: float, name: str) -> float:
    try:
        value = float(text) if text is not None else default
    except ValueError:
        value = -1.0
    if not 0 < value <= most:
        raise ConfigurationFailure(f"{name} has to be a number above 0 and at most {most:g}")
    return max(value, 1.0) if name.endswith("ATTEMPTS") else value
