"""``locum login``: credentials for somebody who has an account at a company's identity provider."""

from __future__ import annotations

import os
import re
import sys
import time
import webbrowser
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from locum.api.sts import AssumeRoleWithSAMLCommand, AssumeRoleWithWebIdentityCommand
from locum.cli.caller import DENIED, FAILED, client_options, client_settings
from locum.cli.formats import FORMATS
from locum.cli.members import member_options, members_from, read_secret
from locum.cli.remote import Usage, printable
from locum.cli.report import complain
from locum.client.credentials.assume import credentials_of, session_name
from locum.client.credentials.base import Credentials
from locum.client.effects import Flow
from locum.client.failures import ConnectionFailure, TimedOut
from locum.client.login.failures import LoginFailure
from locum.secret import Secret

if TYPE_CHECKING:
    from locum.client import STSClient
    from locum.client.login.oidc import Client, IdToken, Issuer
    from locum.client.login.saml import Answered, Choice
    from locum.client.transport import Blocking

__all__ = ["command"]

_PATIENCE: Final = 300.0
"""Seconds in which somebody has to log in with a browser."""

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_+=,.@-]+")
_LONGEST_NAME: Final = 64
_MOST_LISTED: Final = 100

Result = TypeVar("Result")
Decorated = TypeVar("Decorated", bound=click.Command)


@click.group("login", no_args_is_help=True)
def command() -> None:
    """Log in at your company's identity provider and get a role's credentials.

    They are printed, or saved as a profile that every AWS tool reads.
    """


def _outcome_options(command: Decorated) -> Decorated:
    command.params += [
        click.Option(
            ["--save-as"], metavar="NAME", help="Save the credentials as this profile instead of printing them."
        ),
        click.Option(["--format", "form"], type=click.Choice(list(FORMATS)), help="What to print.  [default: env]"),
    ]
    return command


_port: Final = click.Option(
    ["--port"],
    type=click.IntRange(0, 65535),
    default=0,
    help="Port of 127.0.0.1 to which the browser comes back.  [default: a free one]",
)
_no_browser: Final = click.Option(["--no-browser"], is_flag=True, help="Print the address instead of opening it.")


# --- OpenID Connect


@_outcome_options
@command.command(
    "oidc",
    params=[
        click.Option(["--issuer"], required=True, metavar="URL", help="The provider, as its tokens name it."),
        click.Option(["--client-id"], required=True, metavar="ID", help="How the provider knows this program."),
        click.Option(
            ["--client-secret"],
            metavar="@FILE|-",
            help="The client's secret, where it has one; never written out here.",
        ),
        click.Option(["--role", "role_arn"], required=True, metavar="ARN", help="The role to assume."),
        click.Option(["--device"], is_flag=True, help="Log in with a browser on another machine: enter a code there."),
        click.Option(["--scope", "scopes"], multiple=True, help="A scope to ask for beside openid."),
        _port,
        _no_browser,
        *member_options(
            AssumeRoleWithWebIdentityCommand,
            without=["role_arn", "web_identity_token", "provider_id"],
            optional=["role_session_name"],
        ),
    ],
)
@client_options
def oidc(
    issuer: str,
    client_id: str,
    client_secret: str | None,
    role_arn: str,
    device: bool,
    scopes: Sequence[str],
    port: int,
    no_browser: bool,
    save_as: str | None,
    form: str | None,
    **options: Any,
) -> int:
    """Log in at an OpenID Connect provider, in a browser here or with --device anywhere.

    The provider has to allow the redirect URI http://127.0.0.1:PORT/callback, or the device flow.
    """
    from locum.client.login.oidc import Client, discover

    _check_outcome(save_as, form)
    members = members_from(AssumeRoleWithWebIdentityCommand, options)
    secret = None if client_secret is None else read_secret("--client-secret", client_secret)
    client = Client(client_id, secret)
    wanted = tuple(dict.fromkeys(["openid", *scopes]))
    with _Login(options) as login:
        try:
            provider = login.run(discover(issuer))
            if device:
                token = _by_device(login, provider, client, wanted)
            else:
                token = _by_code(login, provider, client, wanted, port, no_browser=no_browser)
        except LoginFailure as error:
            return _failed(error)
        members.setdefault("role_session_name", _name_of(token))
        asked = AssumeRoleWithWebIdentityCommand(role_arn=role_arn, web_identity_token=token.token, **members)
        found = credentials_of(login.sts.send(asked), asked)
        _hand_over(found, save_as, form, login)
    return 0


def _by_code(
    login: _Login, issuer: Issuer, client: Client, scopes: tuple[str, ...], port: int, *, no_browser: bool
) -> IdToken:
    from locum.client.login.landing import CODE, Landing
    from locum.client.login.oidc import begin, redeem

    with Landing[Secret](CODE, port=port) as landing:
        attempt = begin(issuer, client, landing.url, os.urandom, scopes=scopes)
        landing.read = attempt.code
        _send_off(attempt.url, no_browser=no_browser)
        code = login.wait(landing.wait)
    return login.run(redeem(attempt, code))


def _by_device(login: _Login, issuer: Issuer, client: Client, scopes: tuple[str, ...]) -> IdToken:
    from locum.client.login.oidc import ask_device, await_device

    device = login.run(ask_device(issuer, client, scopes=scopes))
    _say(f"open {device.url} in any browser and enter the code {device.user_code}")
    if device.complete is not None:
        _say(f"or open {device.complete} and compare the code")
    return login.run(await_device(issuer, client, device))


def _name_of(token: IdToken) -> str:
    """A session name that tells people who it was."""
    for said in (token.email, token.preferred_username, token.subject):
        name = _NOT_IN_NAMES.sub("-", said or "").strip("-")[:_LONGEST_NAME]
        if len(name) > 1:
            return name
    return session_name(time.time())


# --- SAML


@_outcome_options
@command.command(
    "saml",
    params=[
        click.Option(
            ["--idp-url"], required=True, metavar="URL", help="The login page, or the address for single sign-on."
        ),
        click.Option(
            ["--role", "role_arn"], metavar="ARN", help="The role to assume.  [default: the only one, or ask]"
        ),
        click.Option(
            ["--provider", "principal_arn"], metavar="ARN", help="The provider in IAM, where the response is encrypted."
        ),
        click.Option(["--user"], metavar="NAME", help="User name.  [default: ask]"),
        click.Option(["--password"], metavar="@FILE|-", help="The password, never written out here.  [default: ask]"),
        click.Option(["--user-field"], metavar="NAME", help="The form's field for the user, where it has several."),
        click.Option(["--also"], multiple=True, metavar="URL", help="Another origin to which the login may go on."),
        click.Option(["--browser"], is_flag=True, help="Log in with a browser, which brings the response back here."),
        click.Option(
            ["--entity-id"], metavar="NAME", help="With --browser: the service.  [default: urn:amazon:webservices]"
        ),
        _port,
        _no_browser,
        *member_options(AssumeRoleWithSAMLCommand, without=["role_arn", "principal_arn", "saml_assertion"]),
    ],
)
@client_options
def saml(
    idp_url: str,
    role_arn: str | None,
    principal_arn: str | None,
    user: str | None,
    password: str | None,
    user_field: str | None,
    also: Sequence[str],
    browser: bool,
    entity_id: str | None,
    port: int,
    no_browser: bool,
    save_as: str | None,
    form: str | None,
    **options: Any,
) -> int:
    """Log in at a SAML identity provider, by its form for user and password or with a browser.

    With --browser the provider has to know http://127.0.0.1:PORT/saml as an assertion consumer service, and the
    server has to accept it as a recipient.
    """
    _check_outcome(save_as, form)
    if browser and (user, password, user_field, *also) != (None, None, None):
        raise Usage("--browser leaves user and password to the browser", "leave out --user, --password and the like")
    members = members_from(AssumeRoleWithSAMLCommand, options)
    with _Login(options) as login:
        try:
            if browser:
                answered = _by_browser(login, idp_url, entity_id, port, no_browser=no_browser)
            else:
                answered = _by_form(login, idp_url, user, password, user_field, tuple(also))
            choice = _choice(answered, role_arn, principal_arn)
        except LoginFailure as error:
            return _failed(error)
        asked = AssumeRoleWithSAMLCommand(
            role_arn=choice.role_arn, principal_arn=choice.provider_arn, saml_assertion=answered.response, **members
        )
        found = credentials_of(login.sts.send(asked), asked)
        _hand_over(found, save_as, form, login)
    return 0


def _by_form(
    login: _Login, url: str, user: str | None, password: str | None, user_field: str | None, also: tuple[str, ...]
) -> Answered:
    from locum.client.login.saml import sign_in
    from locum.client.transport import ask

    if user is None:
        user = _asked("User name: ", "--user")
    secret = Secret(ask("Password: ")) if password is None else read_secret("--password", password)
    return login.run(sign_in(url, user, secret, user_field=user_field, also=also))


def _by_browser(login: _Login, url: str, entity: str | None, port: int, *, no_browser: bool) -> Answered:
    from locum.client.login.landing import POSTED, Landing
    from locum.client.login.saml import AWS, begin

    with Landing["Answered"](POSTED, port=port) as landing:
        attempt = begin(url, landing.url, os.urandom, time.time(), entity=entity or AWS)
        landing.read = attempt.answer
        _send_off(attempt.url, no_browser=no_browser)
        return login.wait(landing.wait)


def _choice(answered: Answered, role: str | None, provider: str | None) -> Choice:
    """The role to assume: named, the only one there is, or what the person picks."""
    from locum.client.login.saml import Choice

    if role is not None and provider is not None:
        return Choice(role, provider)
    fitting = [
        each for each in answered.choices if role in (None, each.role_arn) and provider in (None, each.provider_arn)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise LoginFailure(
            "the response offers no such role"
            if answered.choices
            else "the response shows no roles: it has none, or is encrypted; name --role and --provider"
        )
    for number, each in enumerate(fitting[:_MOST_LISTED], 1):
        _say(f"{number:>3}  {each.role_arn}  ({each.provider_arn})")
    picked = _asked("Number of the role: ", "--role").strip()
    if not (picked.isascii() and picked.isdecimal() and len(picked) < 4 and 0 < int(picked) <= len(fitting)):
        raise Usage("that is none of the numbers", "name the role with --role")
    return fitting[int(picked) - 1]


# --- what both have in common


class _Login:
    """A client of STS, and a driver for what is asked of the identity provider."""

    def __init__(self, options: dict[str, Any]) -> None:
        from locum.client import STSClient
        from locum.client.transport import Blocking

        self.sts: Final[STSClient] = STSClient(**client_settings(options))
        settings = self.sts.settings
        self._driver: Final[Blocking] = Blocking(proxies=settings.proxies, ca_bundle=settings.ca_bundle)

    def __enter__(self) -> _Login:
        return self

    def __exit__(self, *_: object) -> None:
        self._driver.close()
        self.sts.close()

    def run(self, flow: Flow[Result]) -> Result:
        """Perform a flow that speaks with the identity provider."""
        try:
            return self._driver.run(flow)
        except (ConnectionFailure, TimedOut) as error:
            raise LoginFailure(f"the identity provider cannot be reached: {error}") from None

    def wait(self, wait: Callable[[float], Result]) -> Result:
        """Wait for the browser."""
        try:
            return wait(_PATIENCE)
        except TimedOut as error:
            raise LoginFailure(str(error)) from None


def _failed(error: LoginFailure) -> int:
    complain(printable(str(error)))
    return DENIED if error.denied else FAILED


def _say(text: str) -> None:
    """To the person, and not into the result."""
    click.echo(printable(text), err=True)


def _asked(text: str, option: str) -> str:
    if not sys.stdin.isatty():
        raise Usage(f"there is no terminal to ask for what {option} says", f"give {option}")
    return str(click.prompt(text, prompt_suffix="", err=True))


def _send_off(url: str, *, no_browser: bool) -> None:
    if not no_browser and webbrowser.open(url):
        _say("a browser was opened for you to log in; if there is none, open")
    else:
        _say("open this address in a browser on this machine to log in:")
    _say(url)


def _check_outcome(save_as: str | None, form: str | None) -> None:
    if save_as is None:
        return
    if form is not None:
        raise Usage("--save-as and --format exclude each other", "what is saved is not printed")
    from locum.cli.saved_profiles import check_free

    check_free(save_as, os.environ)


def _hand_over(credentials: Credentials, save_as: str | None, form: str | None, login: _Login) -> None:
    if save_as is None:
        click.echo(FORMATS[form or "env"](credentials), nl=False)
        return
    from locum.cli.saved_profiles import save

    settings = login.sts.settings
    for path in save(save_as, credentials, settings.region, settings.endpoint_url, os.environ):
        _say(f"wrote the profile {save_as} to {path}")
