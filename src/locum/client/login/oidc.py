"""ID tokens of an OpenID Connect provider, for somebody who is at this machine or at another one.

With a browser at hand: the authorization code flow with PKCE (RFC 7636) and a redirect to this machine (RFC 8252)::

    issuer = run(discover("https://login.example.com"))
    attempt = begin(issuer, client, landing.url, os.urandom)
    ...                                    # the browser opens attempt.url and comes back
    token = run(redeem(attempt, code))

Without one: the device flow (RFC 8628), :func:`ask_device` and :func:`await_device`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from locum.client.credentials.base import cut
from locum.client.effects import Flow, Monotonic, Sleep
from locum.client.failures import ConfigurationFailure, ConnectionFailure, TimedOut
from locum.client.login.failures import LoginFailure, NotOurs
from locum.client.login.places import Place, exchange, place
from locum.http import Response
from locum.secret import Secret

__all__ = [
    "MAX_DEVICE_SECONDS",
    "MAX_ID_TOKEN",
    "SCOPES",
    "Attempt",
    "Client",
    "Device",
    "IdToken",
    "Issuer",
    "ask_device",
    "await_device",
    "begin",
    "discover",
    "redeem",
]

MAX_ID_TOKEN: Final = 20_000
"""Characters of an ID token: more AssumeRoleWithWebIdentity does not take."""

MAX_DEVICE_SECONDS: Final = 1800.0
"""How long a person's consent on another device is waited for at most."""

SCOPES: Final = ("openid",)
"""What is asked for unless told otherwise."""

_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_JSON: Final = "application/json"
_SHORTEST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_SLOWER: Final = 5.0
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")

Document = TypeVar("Document")


class Client(msgspec.Struct, frozen=True):
    """How the provider knows this program; ``secret`` is None for a public client, which a program usually is."""

    id: str
    secret: Secret | None = None


class Issuer(msgspec.Struct, frozen=True):
    """An OpenID provider: its URL and where its endpoints are.

    ``says_issuer`` tells whether it names itself when it sends a browser back (RFC 9207), ``secret_in_body`` whether a
    client's secret has to stand in the form instead of a header.
    """

    url: str
    token: Place
    authorization: Place | None = None
    device: Place | None = None
    says_issuer: bool = False
    secret_in_body: bool = False


class IdToken(msgspec.Struct, frozen=True):
    """An ID token as the token endpoint gave it, and what it says of the person; the signature is not verified."""

    token: Secret
    subject: str
    email: str | None = None
    preferred_username: str | None = None


class Device(msgspec.Struct, frozen=True):
    """What a person enters where, in another device's browser, and what is asked for meanwhile.

    ``complete`` is a URL that holds the code already.  ``interval`` are the seconds between questions, ``expires`` the
    seconds after which the code is worth nothing.
    """

    secret: Secret
    user_code: str
    url: str
    complete: str | None
    interval: float
    expires: float


# --- documents


class _Discovery(msgspec.Struct):
    issuer: str
    token_endpoint: str
    authorization_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    authorization_response_iss_parameter_supported: bool = False
    token_endpoint_auth_methods_supported: tuple[str, ...] | None = None


class _Tokens(msgspec.Struct):
    id_token: str


class _DeviceCode(msgspec.Struct):
    device_code: str
    user_code: str
    verification_uri: str
    expires_in: float
    verification_uri_complete: str | None = None
    interval: float = _SLOWER


class _Error(msgspec.Struct):
    error: str
    error_description: str = ""


class _Claims(msgspec.Struct):
    iss: str
    sub: str
    aud: str | tuple[str, ...]
    nonce: str | None = None
    azp: str | None = None
    email: str | None = None
    preferred_username: str | None = None


def _read(kind: type[Document], data: bytes, what: str) -> Document:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = f": {error}" if isinstance(error, msgspec.ValidationError) else ""
        raise LoginFailure(f"{what}: the answer is not the JSON document of the protocol{reason}") from None


# --- discovery


def discover(url: str) -> Flow[Issuer]:
    """What the provider says of itself (OpenID Connect Discovery 1.0).

    Raises ConfigurationFailure for a URL that cannot be an issuer's, LoginFailure for an answer that cannot be read or
    that speaks for somebody else.
    """
    known = place(url, "the issuer")
    if known.query or "#" in url:
        raise ConfigurationFailure("the issuer has no ? and no #")
    asked = msgspec.structs.replace(known, path=known.path.rstrip("/") + _WELL_KNOWN)
    answer = yield from exchange(asked, accept=_JSON)
    if answer.status != 200:
        raise LoginFailure(f"{asked}: status {answer.status}; is this an OpenID provider's URL?")
    found = _read(_Discovery, answer.body, str(asked))
    if found.issuer != url:
        raise LoginFailure(f"{asked}: this is the issuer {cut(found.issuer)!r}, and not {url!r}; write it the same way")
    methods = found.token_endpoint_auth_methods_supported or ("client_secret_basic",)
    try:
        return Issuer(
            url=url,
            token=place(found.token_endpoint, "token_endpoint"),
            authorization=_endpoint(found.authorization_endpoint, "authorization_endpoint"),
            device=_endpoint(found.device_authorization_endpoint, "device_authorization_endpoint"),
            says_issuer=found.authorization_response_iss_parameter_supported,
            secret_in_body="client_secret_basic" not in methods and "client_secret_post" in methods,
        )
    except ConfigurationFailure as error:
        raise LoginFailure(f"{asked}: {error}") from None


def _endpoint(url: str | None, what: str) -> Place | None:
    return None if url is None else place(url, what)


# --- the authorization code flow


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One login that was begun: ``url`` is where the browser goes."""

    issuer: Issuer
    client: Client
    redirect: str
    url: str
    state: Secret
    nonce: Secret
    verifier: Secret

    def code(self, parameters: Mapping[str, str]) -> Secret:
        """The code with which the browser came back.

        Raises NotOurs where this is not the answer to this attempt, LoginFailure where the provider refuses.
        """
        if not hmac.compare_digest(parameters.get("state", "").encode(), self.state.reveal().encode()):
            raise NotOurs("the state is not the one of this login")
        told = parameters.get("iss")
        if (told is not None or self.issuer.says_issuer) and told != self.issuer.url:
            raise LoginFailure("another provider answered than was asked (RFC 9207)")
        if "error" in parameters:
            raise _refused(_Error(parameters["error"], parameters.get("error_description", "")), self.issuer.url)
        if not parameters.get("code"):
            raise LoginFailure("the provider sent the browser back without a code")
        return Secret(parameters["code"])


def begin(
    issuer: Issuer,
    client: Client,
    redirect: str,
    random: Callable[[int], bytes],
    *,
    scopes: tuple[str, ...] = SCOPES,
) -> Attempt:
    """Begin a login in a browser that is sent back to ``redirect``; ``random`` gives that many random bytes.

    Raises LoginFailure where the provider has no authorization endpoint.
    """
    if issuer.authorization is None:
        raise LoginFailure(f"{issuer.url}: the provider has no login in the browser; use the device flow")
    state, nonce, verifier = (_text(random(32)) for _ in range(3))
    url = issuer.authorization.asking(
        response_type="code",
        client_id=client.id,
        redirect_uri=redirect,
        scope=" ".join(scopes),
        state=state,
        nonce=nonce,
        code_challenge=_text(hashlib.sha256(verifier.encode()).digest()),
        code_challenge_method="S256",
    )
    return Attempt(
        issuer=issuer,
        client=client,
        redirect=redirect,
        url=str(url),
        state=Secret(state),
        nonce=Secret(nonce),
        verifier=Secret(verifier),
    )


def redeem(attempt: Attempt, code: Secret) -> Flow[IdToken]:
    """The ID token for a code; raises LoginFailure where there is none, or it is not for this login."""
    answer = yield from _ask(
        attempt.issuer.token,
        attempt.issuer,
        attempt.client,
        grant_type="authorization_code",
        code=code.reveal(),
        redirect_uri=attempt.redirect,
        code_verifier=attempt.verifier.reveal(),
    )
    return _token(answer, attempt.issuer, attempt.client, attempt.nonce)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# --- the device flow


def ask_device(issuer: Issuer, client: Client, *, scopes: tuple[str, ...] = SCOPES) -> Flow[Device]:
    """Begin a login on another device.

    Raises LoginFailure where the provider does not offer it or refuses.
    """
    if issuer.device is None:
        raise LoginFailure(f"{issuer.url}: the provider has no device flow; use the browser")
    answer = yield from _ask(issuer.device, issuer, client, scope=" ".join(scopes))
    if answer.status != 200:
        raise _refusal(answer, issuer.device)
    found = _read(_DeviceCode, answer.body, str(issuer.device))
    try:
        url = str(place(found.verification_uri, "verification_uri"))
        complete = _endpoint(found.verification_uri_complete, "verification_uri_complete")
    except ConfigurationFailure as error:
        raise LoginFailure(f"{issuer.device}: {error}") from None
    if not (found.user_code.isascii() and found.user_code.isprintable() and 0 < len(found.user_code) <= 64):
        raise LoginFailure(f"{issuer.device}: the code for the person cannot be shown")
    return Device(
        Secret(found.device_code),
        found.user_code,
        url,
        None if complete is None else str(complete),
        min(max(found.interval, _SHORTEST_PAUSE), _LONGEST_PAUSE),
        min(found.expires_in, MAX_DEVICE_SECONDS),
    )


def await_device(issuer: Issuer, client: Client, device: Device) -> Flow[IdToken]:
    """The ID token, once the person has consented (RFC 8628 section 3.5).

    Raises LoginFailure where the person refuses or takes too long.
    """
    until = (yield from Monotonic()) + device.expires
    pause = device.interval
    while (yield from Monotonic()) + pause < until:
        yield from Sleep(pause)
        try:
            answer = yield from _ask(
                issuer.token, issuer, client, grant_type=_DEVICE_GRANT, device_code=device.secret.reveal()
            )
        except (TimedOut, ConnectionFailure) as error:
            if not error.retryable:
                raise
            pause = min(pause * 2, _LONGEST_PAUSE)
            continue
        if answer.status == 200:
            return _token(answer, issuer, client, None)
        problem = _problem(answer)
        if problem.error == "slow_down":
            pause = min(pause + _SLOWER, _LONGEST_PAUSE)
        elif problem.error != "authorization_pending":
            raise _refused(problem, str(issuer.token), answer.status)
    raise LoginFailure("nobody entered the code in time; try again")


# --- what both have in common


def _ask(where: Place, issuer: Issuer, client: Client, **form: str) -> Flow[Response]:
    headers: tuple[tuple[str, str], ...] = ()
    if client.secret is None or issuer.secret_in_body:
        form["client_id"] = client.id
        if client.secret is not None:
            form["client_secret"] = client.secret.reveal()
    else:
        # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
        pair = f"{quote(client.id, safe='')}:{quote(client.secret.reveal(), safe='')}"
        headers = (("authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"),)
    return (yield from exchange(where, urlencode(form).encode(), headers, accept=_JSON))


def _problem(answer: Response) -> _Error:
    try:
        return msgspec.json.decode(answer.body, type=_Error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Error("")


def _refusal(answer: Response, where: Place) -> LoginFailure:
    return _refused(_problem(answer), str(where), answer.status)


def _refused(problem: _Error, where: str, status: int = 0) -> LoginFailure:
    """The provider's refusal, in its own words."""
    said = cut(problem.error) or f"status {status}"
    if problem.error_description:
        said = f"{said}: {cut(problem.error_description)}"
    return LoginFailure(f"{where}: {said}", denied=problem.error == "access_denied")


def _token(answer: Response, issuer: Issuer, client: Client, nonce: Secret | None) -> IdToken:
    """The ID token of a token endpoint's answer, after the checks of OpenID Connect Core 3.1.3.7 without a key.

    It came straight from the endpoint over TLS, and STS verifies the signature.
    """
    if answer.status != 200:
        raise _refusal(answer, issuer.token)
    what = str(issuer.token)
    text = _read(_Tokens, answer.body, what).id_token
    if len(text) > MAX_ID_TOKEN or _TOKEN.match(text) is None:
        raise LoginFailure(f"{what}: the ID token is none that STS takes: too long, encrypted or no JWT")
    claims = _read(_Claims, _payload(text, what), "the ID token")
    audiences = (claims.aud,) if isinstance(claims.aud, str) else claims.aud
    if claims.iss != issuer.url:
        raise LoginFailure(f"the ID token is of the issuer {cut(claims.iss)!r}, and not of {issuer.url!r}")
    if client.id not in audiences or (claims.azp or client.id) != client.id:
        raise LoginFailure("the ID token is for another client")
    if nonce is not None and not hmac.compare_digest((claims.nonce or "").encode(), nonce.reveal().encode()):
        raise LoginFailure("the ID token belongs to another login: its nonce is not the one of this one")
    return IdToken(Secret(text), claims.sub, claims.email, claims.preferred_username)


def _payload(token: str, what: str) -> bytes:
    part = token.split(".")[1]
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise LoginFailure(f"{what}: the ID token is no JWT") from None
