"""Sessions that stay valid, and the role assumers of AWS's SDK for JavaScript.

A refreshing session is made once, shared by all threads or tasks, and asked whenever credentials are needed::

    session = refreshing_session(AssumeRoleCommand(role_arn="…", role_session_name="nightly"))
    session.credentials()

It can also be handed to a client, ``STSClient(credentials=session)``, and to other SDKs
(:mod:`locum.client.adapters`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, Unpack, cast

from locum.api.shapes import Command
from locum.api.sts import AssumeRoleCommand, AssumeRoleWithWebIdentityCommand
from locum.client.closing import AsyncClosing, Closing
from locum.client.credentials.assume import Ask, AssumeRole, Cache, Issued, credentials_of
from locum.client.credentials.base import Credentials, Provider, Static
from locum.client.failures import ConfigurationFailure
from locum.client.options import CallOptions, ClientOptions
from locum.client.refresh import Refreshing

if TYPE_CHECKING:
    from locum.client import AsyncSTSClient, STSClient

__all__ = [
    "DEFAULT_REGION",
    "AsyncRefreshingSession",
    "AsyncRoleAssumer",
    "AsyncWebIdentityAssumer",
    "RefreshingSession",
    "RoleAssumer",
    "WebIdentityAssumer",
    "async_default_role_assumer",
    "async_default_role_assumer_with_web_identity",
    "async_refreshing_session",
    "default_role_assumer",
    "default_role_assumer_with_web_identity",
    "refreshing_session",
]

DEFAULT_REGION: Final = "us-east-1"
"""Where credentials are asked for when nothing names a region (STS-CL-014)."""

ClientType = TypeVar("ClientType")

Source = Credentials | Provider | None
"""What a session is assumed with: credentials, a provider, or None for the client's own."""


class _Session(Refreshing, Generic[ClientType]):
    def __init__(self, provider: Provider, client: ClientType) -> None:
        """``client`` is what the provider's calls go through; the session closes it."""
        super().__init__(provider)
        self._client: Final[ClientType] = client

    @property
    def client(self) -> ClientType:
        """What the provider's calls go through."""
        return self._client


class RefreshingSession(_Session["STSClient"], Closing):
    """Credentials that stay valid, for any number of threads; see :class:`~locum.client.refresh.Refreshing`."""

    def credentials(self) -> Credentials:
        """Valid credentials, most of the time at once.

        Raises what the provider raises where there are none and none can be had.
        """
        found = self.at(time.time())
        return found if found is not None else self._client._driver.run(self.resolve())

    def close(self) -> None:
        """Close the client's connections."""
        self._client.close()


class AsyncRefreshingSession(_Session["AsyncSTSClient"], AsyncClosing):
    """Credentials that stay valid, for any number of tasks; see :class:`~locum.client.refresh.Refreshing`."""

    async def credentials(self) -> Credentials:
        """Valid credentials, most of the time at once.

        Raises what the provider raises where there are none and none can be had.
        """
        found = self.at(time.time())
        return found if found is not None else await self._client._driver.run(self.resolve())

    async def close(self) -> None:
        """Close the client's connections, after a renewal that is under way."""
        await self._client.close()


def refreshing_session(
    command: Command[Any] | None = None,
    *,
    source: Source = None,
    cache: Cache | None = None,
    **options: Unpack[ClientOptions],
) -> RefreshingSession:
    """A session that stays valid, by a command that answers credentials: AssumeRole and its relatives.

    ``source`` signs the command, the client's own credentials where it is left out.  Without a command the session
    is those credentials themselves: the default chain, or ``credentials``.  ``cache`` is where AssumeRole's answers are
    kept and looked for (STS-CL-024); it tells apart who asks whom.  ``options`` set up the client.
    """
    client = _blocking_client(options)
    return RefreshingSession(_provider(client, command, source, cache), client)


def async_refreshing_session(
    command: Command[Any] | None = None,
    *,
    source: Source = None,
    cache: Cache | None = None,
    **options: Unpack[ClientOptions],
) -> AsyncRefreshingSession:
    """The same as :func:`refreshing_session`, for asyncio."""
    client = _async_client(options)
    return AsyncRefreshingSession(_provider(client, command, source, cache), client)


def _provider(
    client: STSClient | AsyncSTSClient, command: Command[Any] | None, source: Source, cache: Cache | None
) -> Provider:
    own: Any = client._calls.credentials if source is None else source
    provider: Provider = own if hasattr(own, "resolve") else Static(_own(own))
    if command is None:
        return provider.provider if isinstance(provider, Refreshing) else provider
    if not isinstance(provider, Refreshing | Static):
        provider = Refreshing(provider)
    ask: Ask = client._calls.ask
    if isinstance(command, AssumeRoleCommand):
        return AssumeRole(ask, provider, command, cache=cache)
    return Issued(ask, provider, command)


def _own(keys: Any) -> Credentials:
    return Credentials(
        keys.access_key_id,
        keys.secret_access_key,
        keys.session_token,
        getattr(keys, "expiration", None),
        getattr(keys, "account_id", None),
    )


def _with_default_region(options: ClientOptions) -> Iterable[ClientOptions]:
    """The options as they are, and with the default region where they name none."""
    yield options
    if not options.get("region"):
        yield cast("ClientOptions", {**options, "region": DEFAULT_REGION})


def _made(make: Callable[..., Any], options: ClientOptions) -> Any:
    failure: ConfigurationFailure | None = None
    for each in _with_default_region(options):
        try:
            return make(**each)
        except ConfigurationFailure as error:
            failure = error
    assert failure is not None
    raise failure


def _blocking_client(options: ClientOptions) -> STSClient:
    from locum.client import STSClient

    return cast("STSClient", _made(STSClient, options))


def _async_client(options: ClientOptions) -> AsyncSTSClient:
    from locum.client import AsyncSTSClient

    return cast("AsyncSTSClient", _made(AsyncSTSClient, options))


class _Once:
    """A client that is made when it is first needed, and kept (STS-CL-013)."""

    def __init__(self, make: Callable[[ClientOptions], Any], options: ClientOptions) -> None:
        self._make: Final = make
        self._options: Final = options
        self._lock: Final = threading.Lock()
        self._made: Any = None

    def client(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self._make(self._options)
            return self._made

    def given_up(self) -> Any:
        """The client if there is one; the next call makes another."""
        with self._lock:
            made, self._made = self._made, None
            return made


class _Assumer(_Once, Closing):
    def __init__(self, options: ClientOptions) -> None:
        super().__init__(_blocking_client, options)

    def close(self) -> None:
        """Close the client's connections."""
        client = self.given_up()
        if client is not None:
            client.close()


class _AsyncAssumer(_Once, AsyncClosing):
    def __init__(self, options: ClientOptions) -> None:
        super().__init__(_async_client, options)

    async def close(self) -> None:
        """Close the client's connections."""
        client = self.given_up()
        if client is not None:
            await client.close()


class RoleAssumer(_Assumer):
    """Assumes roles with the credentials that it is given."""

    def __call__(self, source: Credentials, command: AssumeRoleCommand) -> Credentials:
        """Credentials of the role's session; raises what AssumeRole raises."""
        return credentials_of(self.client().send(command, **CallOptions(credentials=source)), command)


class WebIdentityAssumer(_Assumer):
    """Assumes roles with web identity tokens, without credentials."""

    def __call__(self, command: AssumeRoleWithWebIdentityCommand) -> Credentials:
        """Credentials of the role's session; raises what AssumeRoleWithWebIdentity raises."""
        return credentials_of(self.client().send(command), command)


class AsyncRoleAssumer(_AsyncAssumer):
    """Assumes roles with the credentials that it is given, for asyncio."""

    async def __call__(self, source: Credentials, command: AssumeRoleCommand) -> Credentials:
        """Credentials of the role's session; raises what AssumeRole raises."""
        return credentials_of(await self.client().send(command, **CallOptions(credentials=source)), command)


class AsyncWebIdentityAssumer(_AsyncAssumer):
    """Assumes roles with web identity tokens, without credentials, for asyncio."""

    async def __call__(self, command: AssumeRoleWithWebIdentityCommand) -> Credentials:
        """Credentials of the role's session; raises what AssumeRoleWithWebIdentity raises."""
        return credentials_of(await self.client().send(command), command)


def default_role_assumer(**options: Unpack[ClientOptions]) -> RoleAssumer:
    """What assumes a role with the credentials that each call gives it (STS-CL-012).

    Its client is made at the first call, with these options, and kept until it is closed.
    """
    return RoleAssumer(options)


def default_role_assumer_with_web_identity(**options: Unpack[ClientOptions]) -> WebIdentityAssumer:
    """What assumes a role with a web identity token, without credentials (STS-CL-012)."""
    return WebIdentityAssumer(options)


def async_default_role_assumer(**options: Unpack[ClientOptions]) -> AsyncRoleAssumer:
    """The same as :func:`default_role_assumer`, for asyncio."""
    return AsyncRoleAssumer(options)


def async_default_role_assumer_with_web_identity(**options: Unpack[ClientOptions]) -> AsyncWebIdentityAssumer:
    """The same as :func:`default_role_assumer_with_web_identity`, for asyncio."""
    return AsyncWebIdentityAssumer(options)
