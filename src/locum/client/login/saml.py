"""SAML responses of an identity provider: by a form with user and password, or by a browser that brings one here.

:func:`sign_in` walks through the provider's login pages.  :func:`begin` makes the request with which a browser goes
there, and reads what it brings back.  What a response says of roles serves to choose one; STS verifies it.
"""

from __future__ import annotations

import binascii
import hmac
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

import msgspec

from locum.arn import Arn
from locum.client.credentials.base import cut
from locum.client.effects import Flow, Prompt
from locum.client.failures import ConfigurationFailure
from locum.client.login.failures import LoginFailure, NotOurs
from locum.client.login.pages import Form, Page, Visit
from locum.client.login.places import place
from locum.secret import Secret
from locum.wire.xml import escape

__all__ = [
    "AWS",
    "MAX_CHOICES",
    "MAX_QUESTIONS",
    "MAX_RESPONSE",
    "Answered",
    "Attempt",
    "Choice",
    "begin",
    "read_response",
    "sign_in",
]

AWS: Final = "urn:amazon:webservices"
"""The service provider's name that identity providers' templates have for AWS."""

MAX_RESPONSE: Final = 100_000
"""Characters of a response in base64: more AssumeRoleWithSAML does not take."""

MAX_CHOICES: Final = 2_000
"""Values of the role attribute."""

MAX_QUESTIONS: Final = 3
"""Pages that ask something more after the password, such as a one-time code."""

_ROLE: Final = "https://aws.amazon.com/SAML/Attributes/Role"
_ASSERTION: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
_PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
_POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_MAX_DEPTH: Final = 64
_MAX_ELEMENTS: Final = 20_000
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}\Z")
_SPACE: Final = re.compile(r"[ \t\r\n]+")
_NAME: Final = re.compile(r"[!-~][ -~]{0,1023}\Z")


class Choice(msgspec.Struct, frozen=True):
    """A role that the response offers, and the provider in IAM that vouches for it."""

    role_arn: str
    provider_arn: str


class Answered(msgspec.Struct, frozen=True):
    """A SAML response, base64, and what it says without having been verified.

    ``choices`` is empty where the assertion is encrypted or has no roles.
    """

    response: Secret
    choices: tuple[Choice, ...] = ()
    in_response_to: str | None = None


# --- reading


def read_response(text: str) -> Answered:
    """A response as a form has it.

    Raises LoginFailure for what is no SAML response, or one that says that the login failed.
    """
    text = _SPACE.sub("", text)
    if not 4 <= len(text) <= MAX_RESPONSE or _BASE64.match(text) is None:
        raise LoginFailure(f"the SAML response is not base64 of at most {MAX_RESPONSE} characters")
    try:
        document = b64decode(text, validate=True)
    except binascii.Error:
        raise LoginFailure("the SAML response is not base64") from None
    reader = _Reader()
    reader.read(document)
    if reader.status is not None and not reader.status.endswith(":Success"):
        raise LoginFailure(f"the identity provider says that the login failed: {cut(reader.status)}", denied=True)
    choices = tuple(dict.fromkeys([_choice(value) for value in reader.roles]))
    return Answered(Secret(text), choices, reader.in_response_to)


def _choice(value: str) -> Choice:
    """A role and a provider, joined by a comma in either order."""
    try:
        one, other = (Arn.parse(part.strip()) for part in value.split(","))
    except ValueError:
        raise LoginFailure(f"the response names a role that is none: {cut(value)!r}") from None
    role, provider = (one, other) if one.resource.startswith("role/") else (other, one)
    if not role.resource.startswith("role/") or not provider.resource.startswith("saml-provider/"):
        raise LoginFailure(f"the response names a role that is none: {cut(value)!r}")
    return Choice(str(role), str(provider))


class _Reader:
    """Takes from a response its status, what it answers, and the values of the role attribute."""

    def __init__(self) -> None:
        self.status: str | None = None
        self.in_response_to: str | None = None
        self.roles: list[str] = []
        self._path: list[str] = []
        self._count = 0
        self._text: list[str] | None = None
        self._in_role = False

    def read(self, document: bytes) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.StartDoctypeDeclHandler = self._refuse
        try:
            parser.Parse(document, True)
        except expat.ExpatError:
            raise LoginFailure("the SAML response is not well-formed XML") from None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._path) >= _MAX_DEPTH or self._count > _MAX_ELEMENTS:
            raise LoginFailure("the SAML response has too many elements")
        if not self._path:
            if name != f"{_PROTOCOL} Response":
                raise LoginFailure("this is no SAML response")
            self.in_response_to = attributes.get("InResponseTo")
        elif name == f"{_PROTOCOL} StatusCode" and len(self._path) == 2:
            self.status = attributes.get("Value", "")
        elif name == f"{_ASSERTION} Attribute":
            self._in_role = attributes.get("Name") == _ROLE
        elif name == f"{_ASSERTION} AttributeValue" and self._in_role:
            self._text = []
        self._path.append(name)

    def _end(self, name: str) -> None:
        self._path.pop()
        if name == f"{_ASSERTION} AttributeValue" and self._text is not None:
            if len(self.roles) == MAX_CHOICES:
                raise LoginFailure(f"the SAML response names more than {MAX_CHOICES} roles")
            self.roles.append("".join(self._text))
            self._text = None

    def _data(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _refuse(self, *_: object) -> None:
        raise LoginFailure("the SAML response declares a document type")


# --- the form with a password


def sign_in(
    url: str, user: str, password: Secret, *, user_field: str | None = None, also: tuple[str, ...] = ()
) -> Flow[Answered]:
    """Log in at a page with user and password, and take the response that the provider posts in the end.

    The login stays on the page's own origin and those in ``also``.  ``user_field`` is the name of the field for the
    user, needed where the form has several texts to fill in.  A page that asks one more thing is put to the person.

    Raises LoginFailure where the pages are not of that kind, or the provider says no; ConfigurationFailure for a URL
    that a password must not be sent to.
    """
    start = place(url, "the identity provider's URL")
    others = [place(each, "an allowed origin").origin for each in also]
    visit = Visit(frozenset({start.origin, *others}))
    page = yield from visit.open(start)
    form = _login_form(page)
    secret = form.of_kind("password")[0]
    filled = {_user_field(form, user_field): user, secret.name: password.reveal()}
    page = yield from visit.submit(page, form, filled)
    for question in range(MAX_QUESTIONS + 1):
        response = _response(page)
        if response is not None:
            return read_response(response)
        if _asks_again(page):
            raise LoginFailure(f"{start.origin}: user name or password were not accepted", denied=True)
        form = _question(page)
        if question == MAX_QUESTIONS:
            break
        field = next(field for field in form.fields if field.written)
        said = yield from Prompt(f"{start.origin} asks for {cut(field.name)!r}: ")
        page = yield from visit.submit(page, form, {field.name: said.strip()})
    raise LoginFailure(f"{start.origin}: the identity provider asks too many questions; log in with a browser")


def _login_form(page: Page) -> Form:
    found = [form for form in page.forms if len(form.of_kind("password")) == 1]
    if len(found) != 1:
        what = "no form that asks for a password" if not found else "several forms that ask for a password"
        raise LoginFailure(f"{page.place.origin}: status {page.status}, {what}; log in with a browser")
    return found[0]


def _user_field(form: Form, wanted: str | None) -> str:
    names = list(dict.fromkeys([field.name for field in form.fields if field.written and field.kind != "password"]))
    if wanted is not None:
        if wanted not in names:
            raise ConfigurationFailure(f"the form has no text {wanted!r}; it has {_listed(names)}")
        return wanted
    if len(names) != 1:
        raise ConfigurationFailure(f"the form has the texts {_listed(names)}; say which is for the user")
    return names[0]


def _listed(names: list[str]) -> str:
    return ", ".join(cut(name) for name in names) or "none"


def _response(page: Page) -> str | None:
    found = [field.value for form in page.forms for field in form.named("SAMLResponse")]
    if len(found) > 1:
        raise LoginFailure(f"{page.place.origin}: the page has several SAML responses")
    return found[0] if found else None


def _asks_again(page: Page) -> bool:
    return any(
        form.of_kind("password") and any(field.written and field.kind != "password" for field in form.fields)
        for form in page.forms
    )


def _question(page: Page) -> Form:
    """The one form that asks for one thing."""
    found = [form for form in page.forms if len([field for field in form.fields if field.written]) == 1]
    if len(found) != 1:
        raise LoginFailure(
            f"{page.place.origin}: status {page.status}, a page without a SAML response; log in with a browser"
        )
    return found[0]


# --- the browser


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One login that was begun: ``url`` is where the browser goes."""

    url: str
    id: str
    relay_state: Secret

    def answer(self, fields: Mapping[str, str]) -> Answered:
        """What the browser brings.

        Raises NotOurs where it is not the answer to this attempt, LoginFailure where the login failed.
        """
        if not hmac.compare_digest(fields.get("RelayState", "").encode(), self.relay_state.reveal().encode()):
            raise NotOurs("the relay state is not the one of this login")
        answered = read_response(fields.get("SAMLResponse", ""))
        if answered.in_response_to != self.id:
            raise LoginFailure("the SAML response answers another request")
        return answered


def begin(url: str, landing: str, random: Callable[[int], bytes], now: float, *, entity: str = AWS) -> Attempt:
    """Begin a login in a browser: ``url`` is the provider's single sign-on address of the HTTP-Redirect binding.

    ``landing`` is the assertion consumer service to which the response is posted, ``entity`` the service provider's
    name, ``random`` gives random bytes, ``now`` is in epoch seconds.

    Raises ConfigurationFailure for a URL that is none, or a name that cannot be one.
    """
    where = place(url, "the identity provider's URL")
    if _NAME.match(entity) is None:
        raise ConfigurationFailure("the service provider's name has to be printable ASCII")
    made, relay_state = f"_{random(16).hex()}", random(32).hex()
    issued = datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = (
        f"<samlp:AuthnRequest xmlns:samlp={quoteattr(_PROTOCOL)} xmlns:saml={quoteattr(_ASSERTION)}"
        f' ID={quoteattr(made)} Version="2.0" IssueInstant={quoteattr(issued)} Destination={quoteattr(str(where))}'
        f" ProtocolBinding={quoteattr(_POST)} AssertionConsumerServiceURL={quoteattr(landing)}>"
        f"<saml:Issuer>{escape(entity)}</saml:Issuer></samlp:AuthnRequest>"
    )
    deflated = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = b64encode(deflated.compress(document.encode()) + deflated.flush()).decode()
    target = where.asking(SAMLRequest=packed, RelayState=relay_state)
    return Attempt(url=str(target), id=made, relay_state=Secret(relay_state))
