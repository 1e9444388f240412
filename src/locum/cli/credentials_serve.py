"""``locum credentials serve``: refreshing credentials for every AWS SDK on this machine."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click

from locum.api.sts import AssumeRoleCommand, GetSessionTokenCommand
from locum.cli.assume import place_of, without_credentials
from locum.cli.caller import client_options, client_settings, report_call
from locum.cli.formats import dotenv, fish, posix, powershell
from locum.cli.members import member_options, members_from
from locum.cli.remote import Usage
from locum.cli.report import complain
from locum.secret import Secret

__all__ = ["command"]

_URI: Final = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_TOKEN: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105 - a name
_TOKEN_FILE: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"  # noqa: S105 - a name
_TOKEN_BYTES: Final = 32
_NOT_FOUND: Final = 127
_NOT_RUN: Final = 126
_BY_SIGNAL: Final = 128

_FORMATS: Final[Mapping[str, Callable[[Mapping[str, str]], str]]] = {
    "env": posix,
    "dotenv": dotenv,
    "fish": fish,
    "powershell": powershell,
}
_OF_SESSION_TOKEN: Final = ("duration_seconds", "serial_number", "token_code")
_OWN: Final = frozenset({
    *("aws_access_key_id", "role_arn", "credential_process", "web_identity_token_file"),
    *("sso_session", "sso_start_url", "login_session"),
})  # fmt: skip
"""Settings by which the default profile has credentials: SDKs take those before they ask an endpoint."""


@click.group("credentials", no_args_is_help=True)
def command() -> None:
    """Credentials for other programs on this machine."""


@command.command(
    "serve",
    params=[
        click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND…]"),
        click.Option(["--role", "role_arn"], metavar="ARN", help="Assume this role.  [default: what is found here]"),
        click.Option(["--session-token", "session"], is_flag=True, help="Get a session token for long-term keys."),
        click.Option(["--port"], type=click.IntRange(0, 65535), default=0, help="Port.  [default: a free one]"),
        click.Option(
            ["--token-file"], metavar="FILE", help="Write the authorization token to this file, and print its name."
        ),
        click.Option(
            ["--format", "form"], type=click.Choice(list(_FORMATS)), help="How to print variables.  [default: env]"
        ),
        *member_options(AssumeRoleCommand, without=["role_arn"], optional=["role_session_name"]),
    ],
)
@client_options
def serve(
    arguments: tuple[str, ...],
    role_arn: str | None,
    session: bool,
    port: int,
    token_file: str | None,
    form: str | None,
    **options: Any,
) -> int:
    """Hand out credentials that renew themselves to any AWS SDK, over HTTP on 127.0.0.1.

    \b
    one command:  locum credentials serve --role ARN -- terraform plan
    others:       locum credentials serve --role ARN --port 9911 --token-file ~/.locum-token
                  then set what it prints where the programs run

    Whoever asks needs the token that is printed or in the file; it is another one with every start. Long-term keys are
    never handed out. Ends with the command, or with Ctrl-C.
    """
    from locum.client.handout import PATH, Handout, check_temporary
    from locum.client.loopback import Loopback
    from locum.client.sessions import refreshing_session

    if arguments and form is not None:
        raise Usage("--format is for what is printed", "a command gets the variables in its environment")
    asked = _asked(role_arn, session, options)
    token = Secret(secrets.token_urlsafe(_TOKEN_BYTES))
    with refreshing_session(asked, **client_settings(options)) as source:
        check_temporary(source.credentials())
        handout = Handout(source.credentials, token, trouble=report_call)
        with Loopback(handout, port=port) as loopback, _token_variable(token, token_file) as told:
            variables = {_URI: loopback.origin + PATH, **told}
            if arguments:
                place = place_of(source.client.settings)
                return _run(arguments, {**without_credentials(os.environ), **place, **variables})
            _warn_of_own_credentials(os.environ)
            return _until_told(_FORMATS[form or "env"](variables))


def _asked(role_arn: str | None, session: bool, options: dict[str, Any]) -> Any:
    """The command whose credentials are handed out; None for those that are found here."""
    members = members_from(AssumeRoleCommand, options)
    if role_arn is not None:
        if session:
            raise Usage("--role and --session-token exclude each other", "a role's session is temporary already")
        return AssumeRoleCommand(role_arn=role_arn, **{"role_session_name": "", **members})
    known = {name: members.pop(name) for name in _OF_SESSION_TOKEN if name in members} if session else {}
    if members:
        raise Usage("these options are for a role, and there is none", "name it with --role")
    if not session:
        return None
    if "serial_number" in known and "token_code" not in known:
        from locum.client.transport import ask

        known["token_code"] = Secret(ask(f"Enter MFA code for {known['serial_number']}: ").strip())
    return GetSessionTokenCommand(**known)


@contextmanager
def _token_variable(token: Secret, name: str | None) -> Iterator[dict[str, str]]:
    """The variable with the token, or with the name of a file that holds it until the end."""
    if name is None:
        yield {_TOKEN: token.reveal()}
        return
    from locum.server.data import write_private

    path = Path(name).expanduser().absolute()
    try:
        # Without a line end: it would be a part of the header (STS-CL-028).
        write_private(path, token.reveal())
    except OSError as error:
        raise Usage(f"--token-file {name}: cannot be written: {error.strerror or error}", "name another file") from None
    try:
        yield {_TOKEN_FILE: str(path)}
    finally:
        with contextlib.suppress(OSError):
            if path.read_text() == token.reveal():
                path.unlink()


def _run(arguments: tuple[str, ...], environment: dict[str, str]) -> int:
    """Run a command with the endpoint as its only place for credentials; its exit status."""
    if _own_credentials(environment):
        # Nothing but these files stands before an endpoint in the SDKs' chains now.
        environment |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    try:
        process = subprocess.Popen(arguments, env=environment)  # noqa: S603 - the user's command, without a shell
    except (OSError, ValueError) as error:
        complain(f"{arguments[0]} cannot be run: {getattr(error, 'strerror', None) or error}")
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUN

    def forward(number: int, _: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)

    # The terminal sends its own interrupts to the command as well: this side only waits for it.
    with _handling({signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: forward, signal.SIGHUP: forward}):
        status = process.wait()
    return status if status >= 0 else _BY_SIGNAL - status


def _until_told(text: str) -> int:
    """Print what programs need, and wait for the end."""
    over = threading.Event()
    with _handling(dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), lambda *_: over.set())):
        click.echo(text, nl=False)
        sys.stdout.flush()
        over.wait()
    return 0


@contextmanager
def _handling(handlers: Mapping[signal.Signals, Any]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _own_credentials(environment: Mapping[str, str]) -> bool:
    """Whether the default profile has credentials of its own."""
    from locum.client import profiles
    from locum.client.transport import Blocking

    found = Blocking().run(profiles.load(environment)).get(profiles.DEFAULT)
    return not _OWN.isdisjoint(found.values)


def _warn_of_own_credentials(environment: Mapping[str, str]) -> None:
    if _own_credentials(environment):
        complain(
            "SDKs take the credentials of the default profile before they ask this endpoint",
            "set AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE to an empty file where the programs run",
        )
