"""Pages of an identity provider that were made for a browser: forms, redirects, cookies, and nothing else of one.

:func:`read_forms` reads a page's forms, :class:`Visit` goes from page to page.  A visit stays on the origins that it
was given: no password and no cookie ever goes to another one.  Scripts do not run.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urlencode, urljoin

import msgspec

from locum.client.credentials.base import cut
from locum.client.effects import Flow, Now
from locum.client.failures import ConfigurationFailure
from locum.client.login.failures import LoginFailure
from locum.client.login.places import MAX_ANSWER, Place, exchange, place
from locum.http import Headers, Response

__all__ = ["MAX_COOKIES", "MAX_FIELDS", "MAX_FORMS", "MAX_REDIRECTS", "Field", "Form", "Page", "Visit", "read_forms"]

MAX_FORMS: Final = 32
"""Forms of a page."""

MAX_FIELDS: Final = 256
"""Fields of all forms of a page together."""

MAX_REDIRECTS: Final = 10
"""Redirects from one page to the next."""

MAX_COOKIES: Final = 64
"""Cookies of an origin."""

_LONGEST_COOKIE: Final = 8192
_HTML: Final = "text/html,application/xhtml+xml"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SAME_AGAIN: Final = frozenset({307, 308})
_WRITTEN: Final = frozenset({"text", "email", "tel", "number", "password", "search", "url"})
_PRESSED: Final = frozenset({"submit", "image"})
_LEFT_OUT: Final = frozenset({"button", "reset", "file"})


class Field(msgspec.Struct, frozen=True):
    """A field of a form; ``kind`` is its type in lower case, ``text`` where none is said."""

    name: str
    kind: str
    value: str = ""

    @property
    def written(self) -> bool:
        """Whether a person writes something into it."""
        return self.kind in _WRITTEN

    def __repr__(self) -> str:
        """Without the value: it may be a secret."""
        return f"Field({self.name!r}, {self.kind!r})"


class Form(msgspec.Struct, frozen=True):
    """A form of a page; ``action`` stands as it does on the page."""

    action: str
    method: str
    fields: tuple[Field, ...]

    def named(self, name: str) -> tuple[Field, ...]:
        """The fields of that name."""
        return tuple([field for field in self.fields if field.name == name])

    def of_kind(self, kind: str) -> tuple[Field, ...]:
        """The fields of that kind."""
        return tuple([field for field in self.fields if field.kind == kind])


class Page(msgspec.Struct, frozen=True):
    """Where a visit is, and the forms that are there."""

    place: Place
    status: int
    forms: tuple[Form, ...]


def read_forms(page: str) -> tuple[Form, ...]:
    """The forms of a page in its order, each with what a browser would send.

    Raises LoginFailure where there are too many, or where the page changes what its addresses mean.
    """
    if len(page) > MAX_ANSWER:
        raise LoginFailure(f"the page is longer than {MAX_ANSWER} characters")
    reader = _Reader()
    try:
        reader.feed(page)
        reader.close()
    except AssertionError:
        # The parser's own way to say that a marked section is none, such as <![x[.
        raise LoginFailure("the page is no HTML that can be read") from None
    return tuple([Form(each.action, each.method, tuple(each.fields)) for each in reader.forms])


class _Open(msgspec.Struct):
    action: str
    method: str
    fields: list[Field]
    pressed: bool = False


class _Reader(HTMLParser):
    """A form that stands inside another one does not exist, as in browsers; fields outside of all forms neither."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[_Open] = []
        self._current: _Open | None = None
        self._fields = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # The first of two attributes counts, as in browsers.
        values = {name: value or "" for name, value in reversed(attrs)}
        if tag == "base" and "href" in values:
            raise LoginFailure("the page has a base address; its forms cannot be trusted to go where they seem to")
        if tag == "form" and self._current is None:
            if len(self.forms) == MAX_FORMS:
                raise LoginFailure(f"the page has more than {MAX_FORMS} forms")
            self._current = _Open(values.get("action", "").strip(), values.get("method", "get").strip().lower(), [])
            self.forms.append(self._current)
        elif tag in ("input", "button", "textarea", "select") and self._current is not None:
            self._add(self._current, tag, values)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._current = None

    def _add(self, form: _Open, tag: str, values: dict[str, str]) -> None:
        usual = {"input": "text", "button": "submit", "textarea": "text", "select": "select"}[tag]
        kind = values.get("type", usual).strip().lower() or usual if tag in ("input", "button") else usual
        if not values.get("name") or "disabled" in values or kind in _LEFT_OUT:
            return
        if kind in ("checkbox", "radio") and "checked" not in values:
            return
        if kind in _PRESSED:
            # One button is pressed, and only that one is sent.
            if form.pressed:
                return
            form.pressed = True
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise LoginFailure(f"the page has more than {MAX_FIELDS} fields")
        value = values.get("value", "on" if kind in ("checkbox", "radio") else "")
        form.fields.append(Field(values["name"], kind, value))


class Visit:
    """One person's way through the pages of ``origins``, such as ``https://login.example.com``."""

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins: Final = origins
        self._cookies: Final[dict[str, dict[str, str]]] = {}

    def open(self, where: Place) -> Flow[Page]:
        """Open a page, following redirects.

        Raises LoginFailure where they lead to another origin or nowhere, or there is no page.
        """
        return (yield from self._go(where, None))

    def submit(self, page: Page, form: Form, filled: dict[str, str]) -> Flow[Page]:
        """Send a form with some of its fields filled in, and give the page that comes.

        Raises LoginFailure as :meth:`open` does, and for a form that would put what was filled in into an address.
        """
        if form.method != "post":
            raise LoginFailure(f"{page.place.origin}: the form would put what is entered into an address")
        where = self._at(page.place, form.action or str(page.place))
        pairs = [(field.name, filled.get(field.name, field.value)) for field in form.fields]
        return (yield from self._go(where, urlencode(pairs).encode()))

    def _go(self, where: Place, body: bytes | None) -> Flow[Page]:
        for _ in range(MAX_REDIRECTS + 1):
            self._check(where)
            answer = yield from exchange(where, body, self._cookie(where), accept=_HTML)
            self._remember(where, answer, (yield from Now()))
            if answer.status not in _REDIRECTS:
                return _page(where, answer)
            if answer.status in _SAME_AGAIN and body is not None:
                raise LoginFailure(f"{where.origin}: a redirect would send what was entered once more")
            where, body = self._at(where, _header(answer, "location")), None
        raise LoginFailure(f"{where.origin}: more than {MAX_REDIRECTS} redirects")

    def _check(self, where: Place) -> None:
        if where.origin not in self._origins:
            raise LoginFailure(
                f"the login goes on at {where.origin}; allow that with --also {where.origin} if it is your company's"
            )

    def _at(self, base: Place, address: str) -> Place:
        try:
            return place(urljoin(str(base), address), "an address on the page")
        except (ConfigurationFailure, ValueError):
            raise LoginFailure(f"{base.origin}: the page leads to {cut(address)!r}: no https address") from None

    def _cookie(self, where: Place) -> Headers:
        held = self._cookies.get(where.origin)
        return (("cookie", "; ".join(f"{name}={value}" for name, value in held.items())),) if held else ()

    def _remember(self, where: Place, answer: Response, now: float) -> None:
        held = self._cookies.setdefault(where.origin, {})
        for name, value in answer.headers:
            if name == "set-cookie":
                _set_cookie(held, value, now)
        while len(held) > MAX_COOKIES:
            held.pop(next(iter(held)))


def _page(where: Place, answer: Response) -> Page:
    kind = _header(answer, "content-type").lower()
    if "html" not in kind:
        raise LoginFailure(f"{where.origin}: status {answer.status}, and no page")
    try:
        text = answer.body.decode("utf-8")
    except UnicodeDecodeError:
        text = answer.body.decode("latin-1")
    return Page(where, answer.status, read_forms(text))


def _set_cookie(held: dict[str, str], line: str, now: float) -> None:
    """Keep a cookie for the origin that set it (RFC 6265 section 5.2, without paths and other hosts)."""
    pair, *attributes = line.split(";")
    name, equals, value = pair.partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not name or len(pair) > _LONGEST_COOKIE or not pair.isascii() or not pair.isprintable():
        return
    held.pop(name, None)
    if not _is_over(attributes, now):
        held[name] = value


def _is_over(attributes: list[str], now: float) -> bool:
    said = {name.strip().lower(): value.strip() for name, _, value in (each.partition("=") for each in attributes)}
    if "max-age" in said:
        return said["max-age"] == "0" or said["max-age"].startswith("-")
    try:
        return "expires" in said and parsedate_to_datetime(said["expires"]).timestamp() <= now
    except (ValueError, OverflowError):
        return False


def _header(answer: Response, wanted: str) -> str:
    return next((value for name, value in answer.headers if name == wanted), "")
