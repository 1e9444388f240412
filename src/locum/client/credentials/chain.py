"""Where credentials are looked for when none are given, in botocore's order (STS-CL-017).

Environment, then the profile (a role to assume, a web identity token, keys, a program), then the container's agent,
then instance metadata.  A profile that somebody chose in code comes before the environment's keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from locum.client import profiles
from locum.client.credentials.base import Credentials, Provider
from locum.client.credentials.environment import Environment
from locum.client.effects import Flow
from locum.client.failures import CredentialsFailure, NoCredentials

if TYPE_CHECKING:
    from locum.client.credentials.assume import Ask, Cache

__all__ = ["Chain"]


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

        Raises NoCredentials where there is none, naming what was looked at, and ConfigurationFailure for a place
        that is set up in a way that makes no sense.
        """
        if self._found is not None:
            return (yield from self._found.resolve())
        found, machine = yield from self._find()
        if found is None:
            raise NoCredentials(f"no credentials found: {self._looked_at()}, and AWS_EC2_METADATA_DISABLED is true")
        if not machine:
            self._found = found
            return (yield from found.resolve())
        try:
            credentials = yield from found.resolve()
        except CredentialsFailure as error:
            raise NoCredentials(f"no credentials found: {self._looked_at()}; {error}") from error
        self._found = found
        return credentials

    def _find(self) -> Flow[tuple[Provider | None, bool]]:
        """The provider to use, and whether it is the machine's own, which everybody is referred to in the end."""
        environment = Environment(self._environment)
        if self._profile is None and environment.applies:
            return environment, False
        from locum.client.credentials.container import Container
        from locum.client.credentials.sources import ProfileSources

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
