"""``locum assume``: the credentials of a role, for a shell, for a program's configuration, or for one command."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import click

from locum.api.sts import AssumeRoleCommand
from locum.cli.caller import client_options, client_settings
from locum.cli.formats import FORMATS, variables
from locum.cli.members import member_options, members_from
from locum.cli.remote import Usage
from locum.cli.report import complain
from locum.client.credentials.base import Credentials

__all__ = ["command", "environment_for", "place_of", "without_credentials"]

_NOT_FOUND: Final = 127
_NOT_RUN: Final = 126
"""What shells answer for a command that is not there, and for one that cannot be run."""

_OTHERS: Final = frozenset({
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_CREDENTIAL_EXPIRATION", "AWS_ACCOUNT_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
    *("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
})  # fmt: skip
"""What names other credentials: a command that gets a session gets nothing else to take instead."""


@click.command(
    "assume",
    context_settings={"ignore_unknown_options": False},
    params=[
        click.Argument(["role"]),
        click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND…]"),
        click.Option(["--exec", "execute"], is_flag=True, help="Run the command after -- with the credentials."),
        click.Option(
            ["--format", "form"],
            type=click.Choice(list(FORMATS)),
            help="What to print.  [default: env]",
        ),
        click.Option(["--no-cache"], is_flag=True, help="Neither use a session that was kept nor keep this one."),
        *member_options(AssumeRoleCommand, without=["role_arn"], optional=["role_session_name"]),
    ],
)
@client_options
def command(
    role: str, arguments: tuple[str, ...], execute: bool, form: str | None, no_cache: bool, **options: Any
) -> None:
    """Assume ROLE, an ARN or the name of a role in your own account, and print its credentials.

    \b
    sh, bash, zsh:  eval "$(locum assume deploy)"
    fish:           locum assume deploy --format fish | source
    PowerShell:     locum assume deploy --format powershell | Invoke-Expression
    one command:    locum assume deploy --exec -- aws s3 ls
    ~/.aws/config:  credential_process = locum assume deploy --format credential-process

    With --serial-number the code of the device is asked for. A session is kept until a quarter of its time is left, in
    a directory that only you can read. The exit status of a command is its own.
    """
    if execute and form is not None:
        raise Usage("--exec and --format exclude each other", "a command gets the credentials in its environment")
    if execute != bool(arguments):
        raise Usage(
            "--exec needs a command" if execute else "a command stands there without --exec",
            "locum assume ROLE --exec -- aws s3 ls",
        )
    credentials, settings = _assumed(role, options, keep=not no_cache)
    if execute:
        _run(arguments, environment_for(credentials, settings, os.environ))
    click.echo(FORMATS[form or "env"](credentials), nl=False)


def _assumed(role: str, options: dict[str, Any], *, keep: bool) -> tuple[Credentials, Mapping[str, str]]:
    """The credentials of the role's session, and what else a command needs to know to use them."""
    from locum.client.sessions import refreshing_session

    where = client_settings(options)
    with refreshing_session(**where) as source:
        client = source.client
        caller = source.credentials()
        assume = {"role_session_name": "", **members_from(AssumeRoleCommand, options)}
        assume["role_arn"] = role if role.startswith("arn:") else _in_own_account(role, client)
        command = AssumeRoleCommand(**assume)
        endpoint = client.settings.endpoint()
        scope = {"endpoint": endpoint.url, "region": endpoint.signing_region, "caller": caller.access_key_id}
        with (
            _cache(scope, keep=keep) as cache,
            refreshing_session(command, source=caller, cache=cache, **where) as session,
        ):
            found = session.credentials()
        return found, place_of(client.settings, where["profile"])


def _in_own_account(role: str, client: Any) -> str:
    from locum.arn import Arn

    me = Arn.parse(client.get_caller_identity().arn)
    return str(Arn(me.partition, "iam", "", me.account, f"role/{role.removeprefix('/')}"))


@contextmanager
def _cache(scope: Mapping[str, str | None], *, keep: bool) -> Iterator[Any]:
    if not keep:
        yield None
        return
    from locum.cli.cache import FileCache, cache_directory

    with FileCache(cache_directory(os.environ), scope) as cache:
        yield cache


def place_of(settings: Any, profile: str | None = None) -> Mapping[str, str]:
    """Region and endpoints of the set-up as variables: a profile, which may have named them, is not passed on.

    ``profile`` is the one that was chosen on the command line.
    """
    from locum.client import profiles
    from locum.client.transport import Blocking

    found: dict[str, str] = {}
    if settings.region is not None:
        found |= {"AWS_REGION": settings.region, "AWS_DEFAULT_REGION": settings.region}
    if settings.endpoint_url is not None:
        found["AWS_ENDPOINT_URL_STS"] = settings.endpoint_url
        name = profile or profiles.chosen_name(os.environ)
        url = Blocking().run(profiles.load(os.environ)).get(name).text("endpoint_url") if name else None
        if url and "AWS_ENDPOINT_URL" not in os.environ:
            found["AWS_ENDPOINT_URL"] = url
    return found


def environment_for(
    credentials: Credentials, place: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, str]:
    """An environment with these credentials and no others, and with region and endpoint where they were found."""
    return {**without_credentials(environment), **place, **variables(credentials)}


def without_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment that names no credentials at all."""
    return {name: value for name, value in environment.items() if name not in _OTHERS}


def _run(arguments: Iterable[str], environment: Mapping[str, str]) -> NoReturn:
    argv = tuple(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(argv[0], argv, environment)  # noqa: S606 - running the user's command is what this is for
    except (OSError, ValueError) as error:
        complain(f"{argv[0]} cannot be run: {getattr(error, 'strerror', None) or error}")
        sys.exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUN)
