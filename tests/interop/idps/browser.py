"""A browser as small as these tests need: cookies, redirects, the forms of a page."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import IO, Any, Final, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

__all__ = ["Browser", "Form", "Page"]

TIMEOUT: Final = 30


class Form(NamedTuple):
    """A form: where it is sent, and its fields with what stands in them."""

    action: str
    fields: dict[str, str]


class Page(NamedTuple):
    """Where the browser is.  ``status`` 0 means that it was sent to another site and has not gone there."""

    url: str
    status: int
    text: str

    @property
    def form(self) -> Form:
        """The page's first form."""
        reader = _FormReader()
        reader.feed(self.text)
        if reader.form is None:
            raise AssertionError(f"{self.url} ({self.status}) has no form:\n{self.text}")
        return Form(urljoin(self.url, reader.form.action), reader.form.fields)


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.form: Form | None = None
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and self.form is None:
            self.form, self._open = Form(values.get("action", ""), {}), True
        elif tag == "input" and self._open and self.form is not None and "name" in values:
            self.form.fields[values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False


class _SameSite(urllib.request.HTTPRedirectHandler):
    """Follows redirects inside one site only: the service that a login leads to does not run here."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            raise _Elsewhere(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Elsewhere(Exception):
    pass


class Browser:
    """One browser with its own cookies; ``authority`` is the PEM of the one certificate authority that it trusts."""

    def __init__(self, authority: str | None = None) -> None:
        trust = ssl.create_default_context(cadata=authority)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=trust),
            urllib.request.HTTPCookieProcessor(CookieJar()),
            _SameSite(),
        )

    def get(self, url: str, query: dict[str, str] | None = None) -> Page:
        """Open a page."""
        return self._open(urllib.request.Request(f"{url}?{urlencode(query)}" if query else url))

    def submit(self, form: Form, **filled: str) -> Page:
        """Send a form with some fields filled in."""
        return self._open(urllib.request.Request(form.action, urlencode(form.fields | filled).encode()))

    def _open(self, request: urllib.request.Request) -> Page:
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                return Page(answer.url, answer.status, answer.read().decode())
        except _Elsewhere as sent:
            return Page(str(sent), 0, "")
        except urllib.error.HTTPError as refused:
            with refused:
                return Page(refused.url, refused.code, refused.read().decode())
