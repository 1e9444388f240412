"""Credentials that an agent hands to a container over HTTP (STS-CL-027 … STS-CL-029)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from locum.client.credentials.base import MAX_DOCUMENT, MAX_TOKEN, Credentials, cut, read_document
from locum.client.effects import Flow, ReadFile, Send, Sleep
from locum.client.failures import ClientFailure, ConfigurationFailure, CredentialsFailure
from locum.http import Request

__all__ = ["Container"]

_AGENT: Final = "169.254.170.2"
_HOSTS: Final = frozenset({"localhost", _AGENT, "169.254.170.23", "fd00:ec2::23"})
"""Where plain HTTP is allowed beside loopback addresses: the agents of ECS and EKS."""

_SECONDS: Final = 2.0
_TRIES: Final = 3
_PAUSE: Final = 1.0
_RELATIVE: Final = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
_FULL: Final = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_TOKEN: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105 - a name
_TOKEN_FILE: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"  # noqa: S105 - a name


class Container:
    """The agent that the environment names; asked anew each time, with the token that is in its file then."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment: Final = environment

    @property
    def applies(self) -> bool:
        """Whether the environment names an agent."""
        return _RELATIVE in self._environment or _FULL in self._environment

    def resolve(self) -> Flow[Credentials]:
        """What the agent answers.

        Raises ConfigurationFailure for a URL that credentials must not be asked of, CredentialsFailure where the
        agent does not answer them in three tries.
        """
        name = _RELATIVE if _RELATIVE in self._environment else _FULL
        url = self._url(name)
        headers = [("host", url.netloc), ("accept", "application/json")]
        token = yield from self._token()
        if token is not None:
            headers.append(("authorization", token))
        send = Send(
            origin=f"{url.scheme}://{url.netloc}",
            request=Request("GET", url.path or "/", url.query, tuple(headers)),
            connect=_SECONDS,
            read=_SECONDS,
            total=2 * _SECONDS,
            most=MAX_DOCUMENT,
            proxied=False,
        )
        source = f"the container's credentials ({name})"
        failure = CredentialsFailure(source)
        for attempt in range(_TRIES):
            if attempt:
                yield from Sleep(_PAUSE)
            try:
                answer = yield from send
                if answer.status != 200:
                    raise CredentialsFailure(f"{source}: the answer had status {answer.status}")
                return read_document(answer.body, source)
            except CredentialsFailure as error:
                failure = error
            except ClientFailure as error:
                failure = CredentialsFailure(f"{source}: {cut(str(error)) or type(error).__name__}")
        raise failure

    def _url(self, name: str) -> SplitResult:
        text = self._environment.get(name, "")
        if name == _RELATIVE:
            if not text.startswith("/"):
                raise ConfigurationFailure(f"{name} has to begin with a slash")
            text = f"http://{_AGENT}{text}"
        try:
            url = urlsplit(text)
            host, port = url.hostname, url.port
        except ValueError:
            url, host, port = urlsplit(""), None, 0
        if not host or port == 0 or "@" in url.netloc or not text.isascii() or not text.isprintable() or " " in text:
            raise ConfigurationFailure(f"{name} is no URL")
        if url.scheme != "https" and not (url.scheme == "http" and _trusted(host)):
            raise ConfigurationFailure(
                f"{name} names the host {host!r}: without https, credentials are asked of this machine"
                f" (a loopback address) and of the agents {', '.join(sorted(_HOSTS))} only"
            )
        return url

    def _token(self) -> Flow[str | None]:
        path = self._environment.get(_TOKEN_FILE)
        if path is not None:
            try:
                content = yield from ReadFile(path, MAX_TOKEN)
                token: str | None = content.decode("ascii")
            except OSError as error:
                raise CredentialsFailure(f"{_TOKEN_FILE}: {path}: {error.strerror or error}") from error
            except UnicodeDecodeError:
                raise CredentialsFailure(f"{_TOKEN_FILE}: {path}: no token, but other bytes") from None
            name = _TOKEN_FILE
        else:
            token, name = self._environment.get(_TOKEN), _TOKEN
        if token is not None and not (token.isascii() and token.isprintable() and len(token) <= MAX_TOKEN):
            raise CredentialsFailure(f"{name}: a line break or another character that no header can have")
        return token or None


def _trusted(host: str) -> bool:
    if host in _HOSTS:
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
