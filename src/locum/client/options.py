"""How a client is set up: what is given in code, else the environment, else the profile, else a default.

:data:`SETTINGS` is the one table of what can be set from outside, under the names that the AWS tools use.
"""

from __future__ import annotations

import functools
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypedDict, TypeVar, cast

import msgspec

from locum import __version__
from locum.client import endpoints, profiles
from locum.client.credentials.base import Provider
from locum.client.effects import Flow
from locum.client.failures import ConfigurationFailure
from locum.client.middleware import Middleware
from locum.client.proxies import Proxies, environment_proxies, given_proxies
from locum.client.retry import MODES, Mode, RetryMode
from locum.secret import Secret

if TYPE_CHECKING:
    import logging

__all__ = ["SETTINGS", "CallOptions", "ClientOptions", "Keys", "Setting", "Settings", "configure", "seconds"]

Parsed = TypeVar("Parsed")


class Keys(Protocol):
    """What signs a request: ``Credentials`` of an answer, of a provider or of :mod:`locum.wire.sigv4`."""

    @property
    def access_key_id(self) -> str: ...
    @property
    def secret_access_key(self) -> Secret: ...
    @property
    def session_token(self) -> Secret | None: ...


class CallOptions(TypedDict, total=False):
    """What may be said for one call.

    ``timeout``: seconds for the whole call, all attempts and pauses.  ``middleware`` comes after the client's own.
    ``credentials`` and ``region`` stand in for the client's; a provider given here is asked in every attempt.
    """

    timeout: float | None
    middleware: Sequence[Middleware]
    credentials: Keys | Provider
    region: str


class ClientOptions(TypedDict, total=False):
    """How a client is set up; None is the same as leaving an option out.

    ``region``, ``endpoint_url``, ``use_fips_endpoint``, ``use_dualstack_endpoint`` and ``use_global_endpoint`` say
    where STS is (STS-EP-001), ``profile`` which profile of the shared files counts.  ``credentials`` are keys or a
    provider, whose credentials are kept and renewed in time; without them the default chain is asked (STS-CL-017).

    ``connect_timeout`` (10) and ``read_timeout`` (60) are seconds for a connection and for more bytes to come,
    ``timeout`` for a whole call.  ``retry_mode`` is ``standard``, ``adaptive`` or ``legacy``, ``max_attempts`` counts
    the first one too.  ``proxies`` are URLs by scheme, ``ca_bundle`` a file of trusted certificates.

    ``user_agent_extra`` and ``app_id`` end up in the ``User-Agent``.  ``logger`` gets debug lines and never a secret.
    ``prompt`` asks a person for an MFA code.  ``environment`` stands in for ``os.environ``.
    """

    region: str | None
    endpoint_url: str | None
    profile: str | None
    credentials: Keys | Provider | None
    use_fips_endpoint: bool | None
    use_dualstack_endpoint: bool | None
    use_global_endpoint: bool | None
    connect_timeout: float | None
    read_timeout: float | None
    timeout: float | None
    retry_mode: RetryMode | None
    max_attempts: int | None
    proxies: Mapping[str, str] | None
    ca_bundle: str | os.PathLike[str] | None
    user_agent_extra: str | None
    app_id: str | None
    middleware: Sequence[Middleware] | None
    logger: logging.Logger | None
    prompt: Callable[[str], str] | None
    environment: Mapping[str, str] | None


def _text(value: str) -> str:
    return value


def _one_of(words: Mapping[str, Parsed]) -> Callable[[str], Parsed]:
    def parse(value: str) -> Parsed:
        found = words.get(value.lower())
        if found is None:
            raise ValueError(f"write {' or '.join(words)}")
        return found

    return parse


def _attempts(value: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) < 6 and int(value) > 0):
        raise ValueError("write a number from 1 to 99999")
    return int(value)


_FLAG: Final = _one_of({"true": True, "false": False})


class Setting(NamedTuple):
    """One thing that can be set from outside: its option, its environment variables in order, its profile setting."""

    option: str
    variables: tuple[str, ...]
    setting: str
    parse: Callable[[str], Any] = _text


SETTINGS: Final = (
    Setting("region", ("AWS_REGION", "AWS_DEFAULT_REGION"), "region"),
    Setting("use_fips_endpoint", ("AWS_USE_FIPS_ENDPOINT",), "use_fips_endpoint", _FLAG),
    Setting("use_dualstack_endpoint", ("AWS_USE_DUALSTACK_ENDPOINT",), "use_dualstack_endpoint", _FLAG),
    Setting(
        "use_global_endpoint",
        ("AWS_STS_REGIONAL_ENDPOINTS",),
        "sts_regional_endpoints",
        _one_of({"regional": False, "legacy": True}),
    ),
    Setting("retry_mode", ("AWS_RETRY_MODE",), "retry_mode", _one_of({name: name for name in MODES})),
    Setting("max_attempts", ("AWS_MAX_ATTEMPTS",), "max_attempts", _attempts),
    Setting("ca_bundle", ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"), "ca_bundle"),
    Setting("app_id", ("AWS_SDK_UA_APP_ID",), "sdk_ua_app_id"),
)
"""Everything but the endpoint's URL and the proxies, which have rules of their own (STS-CL-033)."""

_IGNORED: Final = Setting(
    "", ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",), "ignore_configured_endpoint_urls", _FLAG
)  # fmt: skip


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A client's set-up, complete and checked."""

    region: str | None
    endpoint_url: str | None
    use_fips_endpoint: bool
    use_dualstack_endpoint: bool
    use_global_endpoint: bool
    connect_timeout: float
    read_timeout: float
    timeout: float | None
    mode: Mode
    max_attempts: int
    proxies: Proxies
    ca_bundle: str | None
    user_agent: str

    def endpoint(self, region: str | None = None) -> endpoints.Endpoint:
        """Where STS is, for the set-up's region or another; ConfigurationFailure where the settings name nothing."""
        return _endpoint(
            region or self.region,
            self.use_fips_endpoint,
            self.use_dualstack_endpoint,
            self.use_global_endpoint,
            self.endpoint_url,
        )


@functools.lru_cache(maxsize=256)
def _endpoint(
    region: str | None, fips: bool, dual_stack: bool, global_endpoint: bool, url: str | None
) -> endpoints.Endpoint:
    if region is not None:
        # Names from before there was a setting for it, which all SDKs still take: fips-us-east-1, us-east-1-fips.
        real = region.removeprefix("fips-").removesuffix("-fips")
        region, fips = real, fips or real != region
    try:
        return endpoints.resolve(
            region, fips=fips, dual_stack=dual_stack, global_endpoint=global_endpoint, endpoint_url=url
        )
    except endpoints.EndpointError as error:
        hint = "" if region else "; give region=…, or set AWS_REGION or region in the profile"
        raise ConfigurationFailure(f"{error}{hint}") from None


def configure(options: ClientOptions, environment: Mapping[str, str]) -> Flow[Settings]:
    """The complete set-up for what was given in code.

    Raises ConfigurationFailure for a setting that cannot be read or contradicts another, naming where it was set.
    """
    unknown = sorted(set(options) - ClientOptions.__optional_keys__)
    if unknown:
        raise TypeError(f"unknown option {unknown[0]!r}; the options are {', '.join(ClientOptions.__annotations__)}")
    given = {name: value for name, value in options.items() if value is not None}
    files = yield from profiles.load(environment)
    name = cast("str | None", given.get("profile")) or profiles.chosen_name(environment)
    profile = files.find(name) if name else files.get(profiles.DEFAULT)
    found = {setting.option: _look_up(setting, given, environment, profile) for setting in SETTINGS}
    retry_mode: RetryMode = found["retry_mode"] or "standard"
    if retry_mode not in MODES:
        raise ConfigurationFailure(f"retry_mode: {retry_mode!r} is not one of {', '.join(MODES)}")
    mode = MODES[retry_mode]
    max_attempts = mode.attempts if found["max_attempts"] is None else found["max_attempts"]
    if not isinstance(max_attempts, int) or max_attempts < 1:
        raise ConfigurationFailure(
            f"max_attempts: {max_attempts!r} is not a number from 1 on; the first attempt counts too"
        )
    proxies = given.get("proxies")
    settings = Settings(
        region=found["region"],
        endpoint_url=_endpoint_url(given, environment, files, profile),
        use_fips_endpoint=bool(found["use_fips_endpoint"]),
        use_dualstack_endpoint=bool(found["use_dualstack_endpoint"]),
        use_global_endpoint=bool(found["use_global_endpoint"]),
        connect_timeout=seconds("connect_timeout", given.get("connect_timeout", 10.0)),
        read_timeout=seconds("read_timeout", given.get("read_timeout", 60.0)),
        timeout=seconds("timeout", given.get("timeout")),
        mode=mode,
        max_attempts=max_attempts,
        proxies=environment_proxies(environment) if proxies is None else given_proxies(cast("dict[str, str]", proxies)),
        ca_bundle=None if found["ca_bundle"] is None else os.fspath(found["ca_bundle"]),
        user_agent=_user_agent(found["app_id"], cast("str | None", given.get("user_agent_extra")), retry_mode),
    )
    settings.endpoint()
    return settings


def _look_up(
    setting: Setting, given: Mapping[str, Any], environment: Mapping[str, str], profile: profiles.Profile
) -> Any:
    if setting.option in given:
        return given[setting.option]
    where, value = "", None
    for variable in setting.variables:
        if value := environment.get(variable):
            where = variable
            break
    if not value:
        value, where = profile.text(setting.setting), ""
    if not value:
        return None
    try:
        return setting.parse(value)
    except ValueError as error:
        raise ConfigurationFailure(f"{where or profile.place(setting.setting)}: {value!r}: {error}") from None


def _endpoint_url(
    given: Mapping[str, Any], environment: Mapping[str, str], files: profiles.Profiles, profile: profiles.Profile
) -> str | None:
    """In code, for STS before for all services, in the environment before in the profile (STS-CL-033)."""
    if "endpoint_url" in given:
        return cast("str", given["endpoint_url"])
    if _look_up(_IGNORED, given, environment, profile):
        return None
    return (
        environment.get("AWS_ENDPOINT_URL_STS")
        or environment.get("AWS_ENDPOINT_URL")
        or files.service(profile, "sts").get("endpoint_url")
        or profile.text("endpoint_url")
        or None
    )


def seconds(name: str, value: Any) -> Any:
    """The value of an option that is a number of seconds or None; ConfigurationFailure for anything else."""
    if value is not None and not (isinstance(value, int | float) and 0 < value < 1e9):
        raise ConfigurationFailure(f"{name}: {value!r} is not a number of seconds above zero")
    return value


def _user_agent(app_id: str | None, extra: str | None, retry_mode: str) -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    parts = [
        f"locum/{__version__}",
        f"os/{sys.platform}",
        f"lang/python#{version}",
        f"md/{platform.python_implementation()}",
        f"cfg/retry-mode#{retry_mode}",
        *([f"app/{app_id}"] if app_id else []),
        *([extra] if extra else []),
    ]
    agent = " ".join(parts)
    if not agent.isascii() or not agent.isprintable():
        raise ConfigurationFailure("user_agent_extra and app_id: only printable ASCII characters can be sent")
    return agent
