"""Refreshing sessions for other SDKs: boto3 and aiobotocore sign with them, and need not know that they change.

::

    session = refreshing_session(AssumeRoleCommand(role_arn="…", role_session_name="nightly"))
    s3 = locum.boto3_session(session, region_name="eu-west-1").client("s3")

Neither package is one of locum's dependencies: they are imported when they are asked for.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any, Final

from locum.client.credentials.base import Credentials
from locum.client.failures import ConfigurationFailure
from locum.client.sessions import (
    AsyncRefreshingSession,
    RefreshingSession,
    async_refreshing_session,
    refreshing_session,
)

__all__ = ["aiobotocore_session", "boto3_session", "botocore_session"]

_METHOD: Final = "locum"
"""What botocore calls the place where credentials come from."""


def boto3_session(session: RefreshingSession | None = None, **arguments: Any) -> Any:
    """A ``boto3.Session`` whose clients always sign with valid credentials of a session.

    Without one the default chain is asked.  ``arguments`` go to ``boto3.Session``, such as ``region_name``.

    Raises ConfigurationFailure where boto3 is not installed.
    """
    boto3 = _imported("boto3", "boto3_session()")
    profile, region = arguments.get("profile_name"), arguments.get("region_name")
    if session is None:
        session = refreshing_session(profile=profile, region=region)
    return boto3.Session(botocore_session=botocore_session(session, profile=profile), **arguments)


def botocore_session(session: RefreshingSession | None = None, *, profile: str | None = None) -> Any:
    """A ``botocore.session.Session`` that asks a session for credentials; see :func:`boto3_session`."""
    module = _imported("botocore.session", "botocore_session()")
    if session is None:
        session = refreshing_session(profile=profile)
    credentials = _botocore_class()(session.credentials)
    return _registered(module.Session(profile=profile), _Chain(credentials))


def aiobotocore_session(session: AsyncRefreshingSession | None = None, *, profile: str | None = None) -> Any:
    """An ``aiobotocore.session.AioSession`` that asks a session for credentials.

    Without one the default chain is asked.  Raises ConfigurationFailure where aiobotocore is not installed.
    """
    module = _imported("aiobotocore.session", "aiobotocore_session()")
    if session is None:
        session = async_refreshing_session(profile=profile)
    credentials = _aiobotocore_class()(session.credentials)
    return _registered(module.AioSession(profile=profile), _AsyncChain(credentials))


def _registered(session: Any, chain: Any) -> Any:
    session.register_component("credential_provider", chain)
    return session


def _imported(module: str, caller: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ConfigurationFailure(f"{caller} needs {package}: pip install {package}") from error


class _Chain:
    """In the place of botocore's own chain: there is one place to look."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Any:
        return self._credentials


class _AsyncChain(_Chain):
    async def load_credentials(self) -> Any:
        return self._credentials


def _frozen(found: Credentials) -> Any:
    """Credentials in botocore's own form, all parts of one and the same session."""
    from botocore.credentials import ReadOnlyCredentials

    token = found.session_token
    return ReadOnlyCredentials(
        found.access_key_id,
        found.secret_access_key.reveal(),
        None if token is None else token.reveal(),
        found.account_id,
    )


@functools.cache
def _botocore_class() -> Any:
    from botocore.credentials import Credentials as Base

    class SessionCredentials(Base):  # type: ignore[misc]
        """Credentials that botocore asks for anew whenever it signs."""

        method = _METHOD

        def __init__(self, current: Any) -> None:
            self._current = current

        access_key = property(lambda self: self.get_frozen_credentials().access_key)
        secret_key = property(lambda self: self.get_frozen_credentials().secret_key)
        token = property(lambda self: self.get_frozen_credentials().token)
        account_id = property(lambda self: self.get_frozen_credentials().account_id)

        def get_frozen_credentials(self) -> Any:
            return _frozen(self._current())

        def __repr__(self) -> str:
            return "SessionCredentials()"

    return SessionCredentials


@functools.cache
def _aiobotocore_class() -> Any:
    from aiobotocore.credentials import AioCredentials as Base

    class AsyncSessionCredentials(Base):  # type: ignore[misc]
        """Credentials that aiobotocore asks for anew whenever it signs."""

        method = _METHOD

        def __init__(self, current: Any) -> None:
            self._current = current

        async def get_frozen_credentials(self) -> Any:
            return _frozen(await self._current())

        async def get_access_key(self) -> Any:
            return (await self.get_frozen_credentials()).access_key

        async def get_secret_key(self) -> Any:
            return (await self.get_frozen_credentials()).secret_key

        async def get_token(self) -> Any:
            return (await self.get_frozen_credentials()).token

        async def get_account_id(self) -> Any:
            return (await self.get_frozen_credentials()).account_id

        def __repr__(self) -> str:
            return "AsyncSessionCredentials()"

    return AsyncSessionCredentials
