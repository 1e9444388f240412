"""The typed clients of STS: commands in, answers out, blocking or asyncio.

::

    from locum import AssumeRoleCommand, STSClient

    with STSClient(region="eu-west-1") as client:
        answer = client.send(AssumeRoleCommand(role_arn="arn:aws:iam::111122223333:role/demo", role_session_name="me"))
        answer = client.assume_role(role_arn="arn:aws:iam::111122223333:role/demo", role_session_name="me")

Both ways are the same call and give the same :class:`~locum.api.sts.AssumeRoleResponse`.  What the service refuses is
raised as a class of :mod:`locum.errors`, what goes wrong on this side as one of :mod:`locum.client.failures`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, Unpack, cast, overload

from locum.api.shapes import Command, Shape
from locum.api.sts import (
    AssumeRoleCommand,
    AssumeRoleWithSAMLCommand,
    AssumeRoleWithWebIdentityCommand,
    AssumeRootCommand,
    DecodeAuthorizationMessageCommand,
    GetAccessKeyInfoCommand,
    GetCallerIdentityCommand,
    GetDelegatedAccessTokenCommand,
    GetFederationTokenCommand,
    GetSessionTokenCommand,
    GetWebIdentityTokenCommand,
)
from locum.client.call import Calls
from locum.client.closing import AsyncClosing, Closing
from locum.client.credentials.base import Provider
from locum.client.middleware import Call, Middleware, Proceed
from locum.client.options import CallOptions, ClientOptions, Keys, Settings, configure
from locum.client.transport import Blocking

if TYPE_CHECKING:
    from locum.client.aio import Concurrent

__all__ = [
    "AsyncSTSClient",
    "Call",
    "CallOptions",
    "ClientOptions",
    "Keys",
    "Middleware",
    "Proceed",
    "Provider",
    "STSClient",
]

Given = ParamSpec("Given")
Output = TypeVar("Output", bound=Shape)


class operation(Generic[Given, Output]):
    """A method that makes a command of its keywords and sends it; its types are those of the command."""

    def __init__(self, command: Callable[Given, Command[Output]]) -> None:
        self._command = command
        self.__doc__ = command.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: STSClient, owner: type) -> Callable[Given, Output]: ...
    @overload
    def __get__(self, client: AsyncSTSClient, owner: type) -> Callable[Given, Coroutine[Any, Any, Output]]: ...
    def __get__(self, client: STSClient | AsyncSTSClient | None, owner: type) -> Any:
        if client is None:
            return self
        command, send = self._command, client.send

        def method(*args: Given.args, **kwargs: Given.kwargs) -> Any:
            return send(command(*args, **kwargs))

        method.__name__, method.__doc__ = self._name, self.__doc__
        method.__wrapped__ = command  # type: ignore[attr-defined]
        return method


class _Operations:
    """The operations of STS, one line each; the same for both clients."""

    assume_role = operation(AssumeRoleCommand)
    assume_role_with_saml = operation(AssumeRoleWithSAMLCommand)
    assume_role_with_web_identity = operation(AssumeRoleWithWebIdentityCommand)
    assume_root = operation(AssumeRootCommand)
    decode_authorization_message = operation(DecodeAuthorizationMessageCommand)
    get_access_key_info = operation(GetAccessKeyInfoCommand)
    get_caller_identity = operation(GetCallerIdentityCommand)
    get_delegated_access_token = operation(GetDelegatedAccessTokenCommand)
    get_federation_token = operation(GetFederationTokenCommand)
    get_session_token = operation(GetSessionTokenCommand)
    get_web_identity_token = operation(GetWebIdentityTokenCommand)

    _calls: Calls
    _options: CallOptions

    @property
    def settings(self) -> Settings:
        """The set-up, complete."""
        return self._calls.settings

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.settings.endpoint(self._options.get('region')).url})"

    def with_options(self, **options: Unpack[CallOptions]) -> Self:
        """The same client, connections and memory shared, with other options for its calls."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._options = _joined(self._options, options)
        return other


def _joined(first: CallOptions, then: CallOptions) -> CallOptions:
    joined = {**first, **then}
    if "middleware" in joined:
        joined["middleware"] = (*(first.get("middleware") or ()), *(then.get("middleware") or ()))
    return cast("CallOptions", joined)


class STSClient(_Operations, Closing):
    """A client of STS that blocks; safe to share among threads, and usable after a fork.

    Options are those of :class:`~locum.client.options.ClientOptions`.  Raises
    :class:`~locum.client.failures.ConfigurationFailure` where the set-up makes no sense.
    """

    def __init__(self, **options: Unpack[ClientOptions]) -> None:
        settings, self._calls = _set_up(options)
        self._options = CallOptions()
        self._driver = Blocking(
            proxies=settings.proxies, ca_bundle=settings.ca_bundle, prompt=options.get("prompt")
        )  # fmt: skip

    def send(self, command: Command[Output], **options: Unpack[CallOptions]) -> Output:
        """Make a call and wait for its answer.

        Raises ValidationError with every violation at once before anything is sent, the error that the service
        answered (:mod:`locum.errors`), or a :class:`~locum.client.failures.ClientFailure`.
        """
        return self._driver.run(self._calls.call(command, _joined(self._options, options)))

    def close(self) -> None:
        """Close the connections."""
        self._driver.close()


class AsyncSTSClient(_Operations, AsyncClosing):
    """A client of STS for asyncio; needs aiohttp (``pip install 'locum[async]'``).

    Making one reads the shared configuration files and blocks that long.  Options and errors are those of
    :class:`STSClient`.
    """

    def __init__(self, **options: Unpack[ClientOptions]) -> None:
        from locum.client.aio import Concurrent, require_aiohttp

        require_aiohttp()
        settings, self._calls = _set_up(options)
        self._options = CallOptions()
        self._driver: Concurrent = Concurrent(
            proxies=settings.proxies, ca_bundle=settings.ca_bundle, prompt=options.get("prompt")
        )

    async def send(self, command: Command[Output], **options: Unpack[CallOptions]) -> Output:
        """Make a call; raises as :meth:`STSClient.send` does."""
        return await self._driver.run(self._calls.call(command, _joined(self._options, options)))

    async def close(self) -> None:
        """Close the connections."""
        await self._driver.close()


def _set_up(options: ClientOptions) -> tuple[Settings, Calls]:
    given = options.get("environment")
    environment = os.environ if given is None else given
    settings = Blocking().run(configure(options, environment))
    calls = Calls(settings, None, options.get("middleware") or (), options.get("logger"))
    calls.credentials = _credentials(options, environment, calls)
    return settings, calls


def _credentials(options: ClientOptions, environment: Mapping[str, str], calls: Calls) -> Keys | Provider:
    """What was given, a provider with its memory; the default chain where nothing was."""
    found = options.get("credentials")
    if found is not None and not hasattr(found, "resolve"):
        return found
    from locum.client.refresh import Refreshing

    if isinstance(found, Refreshing):
        return found
    if found is None:
        from locum.client.credentials.chain import Chain

        found = Chain(environment, calls.ask, profile=options.get("profile"))
    return Refreshing(cast("Provider", found))
