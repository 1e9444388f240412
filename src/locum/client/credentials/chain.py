"""Where credentials are looked for when none are given, in botocore's order (STS-CL-017).

Environment, then the profile (a role to assume, a web identity token, keys, a program), then the container's agent,
then instance metadata.  A profile that somebody chose in code comes before the environment's keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from locum.api.sts import AssumeRoleCommand
from locum.client import profiles
from locum.client.credentials.assume import Ask, AssumeRole, Cache
from locum.client.credentials.base import Credentials, Provider, Static
from locum.client.credentials.container import Container
from locum.client.credentials.environment import Environment
from locum.client.credentials.metadata import Metadata, metadata
from locum.client.credentials.process import Process
from locum.client.credentials.web_identity import WebIdentity
from locum.client.effects import Flow
from locum.client.failures import ConfigurationFailure, CredentialsFailure
from locum.client.profiles import Profile, Profiles, Value
from locum.client.refresh import Refreshing
from locum.secret import Secret

__all__ = ["MAX_SOURCES", "Chain", "ProfileSources"]

MAX_SOURCES: Final = 32
"""Profiles that may stand behind one another by ``source_profile``."""

_KEY: Final = "aws_access_key_id"
_SECRET: Final = "aws_secret_access_key"  # noqa: S105 - a name
_TOKENS: Final = ("aws_security_token", "aws_session_token")
_SSO: Final = ("sso_session", "sso_start_url", "sso_region", "sso_account_id", "sso_role_name")
_LOGIN: Final = "login_session"


class Chain:
    """The provider that is used where no other is given; what it finds first it stays with.

    ``profile`` is the profile that was chosen in code; without it ``AWS_PROFILE`` counts.  ``ask`` calls STS.  The
    environment's variables are read when they are needed.
    """

    def __init__(
        self, environment: Mapping[str, str], ask: Ask, *, profile: str | None = None, cache: Cache | None = None
    ) -> None:
        self._environment: Final = environment
        self._ask: Final = ask
        self._profile: Final = profile
        self._cache: Final = cache
        self._found: Provider | None = None

    def __repr__(self) -> str:
        return f"Chain({self._found!r})"

    def resolve(self) -> Flow[Credentials]:
        """The credentials of the first place that has any.

        Raises CredentialsFailure where there is none, naming what was looked at, and ConfigurationFailure for a place
        that is set up in a way that makes no sense.
        """
        if self._found is not None:
            return (yield from self._found.resolve())
        found, machine = yield from self._find()
        if found is None:
            raise CredentialsFailure(
                f"no credentials found: {self._looked_at()}, and AWS_EC2_METADATA_DISABLED is true"
            )
        if not machine:
            self._found = found
            return (yield from found.resolve())
        try:
            credentials = yield from found.resolve()
        except CredentialsFailure as error:
            raise CredentialsFailure(f"no credentials found: {self._looked_at()}; {error}") from error
        self._found = found
        return credentials

    def _find(self) -> Flow[tuple[Provider | None, bool]]:
        """The provider to use, and whether it is the machine's own, which everybody is referred to in the end."""
        environment = Environment(self._environment)
        if self._profile is None and environment.applies:
            return environment, False
        files = yield from profiles.load(self._environment)
        name = self._profile or profiles.chosen_name(self._environment)
        if name is not None:
            files.find(name)
        sources = ProfileSources(files, self._environment, self._ask, self._cache)
        found = sources.provider(name or profiles.DEFAULT, variables=self._profile is None)
        if found is not None:
            return found, False
        container = Container(self._environment)
        if container.applies:
            return container, False
        return sources.machine(files.get(name or profiles.DEFAULT)), True

    def _looked_at(self) -> str:
        name = self._profile or profiles.chosen_name(self._environment) or profiles.DEFAULT
        where = profiles.files(self._environment)
        return (
            f"the environment has no AWS_ACCESS_KEY_ID, the profile {name!r} of {where.config} and"
            f" {where.credentials} has no credentials, no container agent is named"
        )


class ProfileSources:
    """What a profile says about where its credentials come from."""

    def __init__(self, files: Profiles, environment: Mapping[str, str], ask: Ask, cache: Cache | None = None) -> None:
        self._files: Final = files
        self._environment: Final = environment
        self._ask: Final = ask
        self._cache: Final = cache

    def provider(self, name: str, *, variables: bool = False) -> Provider | None:
        """The provider of a profile, None where it has no credentials.

        With ``variables`` the environment's web identity token comes before the profile's (STS-CL-025).
        """
        profile = self._files.get(name)
        if _assumes(profile):
            return self._role(profile, (name,))
        return self._direct(profile, variables=variables)

    def machine(self, profile: Profile) -> Metadata | None:
        """The instance metadata as a profile sets it up."""
        texts = {key: value for key, value in profile.values.items() if isinstance(value, str)}
        return metadata(self._environment, texts)

    def _direct(self, profile: Profile, *, variables: bool) -> Provider | None:
        """All but a role that is assumed with other credentials, in botocore's order (STS-CL-017)."""
        identity = self._web_identity(profile, variables=variables)
        if identity is not None:
            return identity
        _refuse_sign_in(profile, _SSO, "IAM Identity Center")
        stored = _static(profile, profile.stored)
        if stored is not None:
            return stored
        _refuse_sign_in(profile, (_LOGIN,), "a sign-in in the browser")
        command = profile.text("credential_process")
        if command is not None:
            return Process(command, profile.place("credential_process"), profile.text("aws_account_id"))
        return _static(profile, profile.configured)

    def _web_identity(self, profile: Profile, *, variables: bool) -> WebIdentity | None:
        environment = self._environment if variables else {}

        def setting(variable: str, name: str) -> str | None:
            return environment.get(variable) or profile.text(name) or None

        path = setting("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file")
        if path is None:
            return None
        by_variable = bool(environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"))
        place = "AWS_WEB_IDENTITY_TOKEN_FILE" if by_variable else profile.place("web_identity_token_file")
        role_arn = setting("AWS_ROLE_ARN", "role_arn")
        if role_arn is None:
            raise ConfigurationFailure(
                f"{place}: a web identity token needs a role: set AWS_ROLE_ARN, or role_arn in the profile"
            )
        name = setting("AWS_ROLE_SESSION_NAME", "role_session_name")
        return WebIdentity(self._ask, path, role_arn, name, place=place)

    def _role(self, profile: Profile, visited: tuple[str, ...]) -> Provider:
        """The role that a profile assumes (STS-CL-018); ``visited`` are the profiles on the way, its own the last."""
        place, role_arn = profile.place("role_arn"), profile.text("role_arn")
        source, kind = profile.text("source_profile"), profile.text("credential_source")
        if not role_arn:
            raise ConfigurationFailure(f"{place}: role_arn is empty; write the ARN of a role")
        if source is not None and kind is not None:
            raise ConfigurationFailure(
                f"{profile.place('source_profile')}: the profile {profile.name!r} has both source_profile and"
                " credential_source; remove one of the two"
            )
        if source is not None:
            credentials = self._source(profile, source, visited)
        elif kind is not None:
            credentials = self._named(profile, kind)
        else:
            raise ConfigurationFailure(
                f"{place}: the profile {profile.name!r} has a role_arn and nothing to assume it with; add"
                " source_profile or credential_source"
            )
        command = AssumeRoleCommand(
            role_arn=role_arn,
            role_session_name=profile.text("role_session_name") or "",
            external_id=profile.text("external_id"),
            serial_number=profile.text("mfa_serial"),
            duration_seconds=_integer(profile.text("duration_seconds")),
        )
        return AssumeRole(self._ask, credentials, command, cache=self._cache)

    def _source(self, profile: Profile, name: str, visited: tuple[str, ...]) -> Provider:
        place = profile.place("source_profile")
        source = self._files.profiles.get(name)
        if source is None:
            raise ConfigurationFailure(f"{place}: there is no profile {name!r}; correct source_profile or add it")
        static = _KEY in source.values or _SECRET in source.values
        if name in visited and not (name == profile.name and static):
            way = " → ".join((*visited, name))
            raise ConfigurationFailure(f"{place}: the source profiles go round in a circle: {way}; change one of them")
        if len(visited) > MAX_SOURCES:
            raise ConfigurationFailure(f"{place}: more than {MAX_SOURCES} profiles stand behind one another")
        if _assumes(source) and not static:
            return Refreshing(self._role(source, (*visited, name)))
        found = self._direct(source, variables=False)
        if found is None:
            raise ConfigurationFailure(f"{place}: the source profile {name!r} has no credentials; add some")
        return found if isinstance(found, Static) else Refreshing(found)

    def _named(self, profile: Profile, kind: str) -> Provider:
        """What ``credential_source`` names (STS-CL-019)."""
        place = profile.place("credential_source")
        if kind == "Environment":
            environment = Environment(self._environment)
            if not environment.applies:
                raise CredentialsFailure(f"{place}: the environment has no AWS_ACCESS_KEY_ID")
            return environment
        if kind == "EcsContainer":
            container = Container(self._environment)
            if not container.applies:
                raise CredentialsFailure(f"{place}: the environment names no container agent")
            return Refreshing(container)
        if kind == "Ec2InstanceMetadata":
            machine = self.machine(profile)
            if machine is None:
                raise CredentialsFailure(f"{place}: AWS_EC2_METADATA_DISABLED is true")
            return Refreshing(machine)
        raise ConfigurationFailure(
            f"{place}: credential_source has to be Environment, EcsContainer or Ec2InstanceMetadata"
        )


def _assumes(profile: Profile) -> bool:
    """Whether the profile's role is assumed with other credentials (STS-CL-021)."""
    return "role_arn" in profile.values and "web_identity_token_file" not in profile.values


def _static(profile: Profile, values: Mapping[str, Value]) -> Static | None:
    """The keys that one of the two files has for a profile; they are never put together from both."""
    key_id = values.get(_KEY)
    if key_id is None:
        return None
    place = profile.place(_KEY)
    secret = values.get(_SECRET)
    if not isinstance(key_id, str) or not isinstance(secret, str) or not secret:
        raise CredentialsFailure(f"{place}: {_KEY} stands without {_SECRET} in the same file; add it")
    token = next((value for name in _TOKENS if isinstance(value := values.get(name), str) and value), None)
    account = values.get("aws_account_id")
    try:
        return Static(
            Credentials(
                key_id,
                Secret(secret),
                Secret(token) if token else None,
                account_id=account if isinstance(account, str) and account else None,
            )
        )
    except CredentialsFailure as error:
        raise CredentialsFailure(f"{place}: {error}") from None


def _refuse_sign_in(profile: Profile, names: tuple[str, ...], what: str) -> None:
    name = next((name for name in names if name in profile.values), None)
    if name is not None:
        raise ConfigurationFailure(
            f"{profile.place(name)}: the profile {profile.name!r} is for {what}, which locum does not do; let the AWS"
            f" CLI sign in, and write credential_process = aws configure export-credentials --profile {profile.name}"
            " in another profile"
        )


def _integer(text: str | None) -> int | None:
    """An integer, None for what is none: it is ignored (STS-CL-018)."""
    try:
        return int(text) if text is not None and len(text) < 20 else None
    except ValueError:
        return None
