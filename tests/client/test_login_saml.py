"""SAML responses by form and by browser: which pages are filled in, where a password goes, what a response says."""

from __future__ import annotations

import contextlib
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from tests.client.stage import START, Stage

from locum.client.effects import Prompt, Send
from locum.client.failures import ConfigurationFailure
from locum.client.login.failures import LoginFailure, NotOurs
from locum.client.login.landing import CODE, MAX_FIELDS, POSTED, Landing
from locum.client.login.pages import MAX_COOKIES, MAX_FORMS, read_forms
from locum.client.login.places import FORM
from locum.client.login.saml import MAX_CHOICES, MAX_RESPONSE, Answered, Choice, begin, read_response, sign_in
from locum.http import Request, Response
from locum.secret import Secret

START_URL = "https://login.company.example/sso?sp=aws"
ORIGIN = "https://login.company.example"
ROLE = "arn:aws:iam::111122223333:role/ops/engineer"
PROVIDER = "arn:aws:iam::111122223333:saml-provider/company"
LOGIN = '<form action="/check" method="post"><input name="user"><input type="password" name="pass"></form>'
PASSWORD = Secret("p&ss wörd")
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"


def document(*roles: str, status: str = "Success", answers: str = "_1", inside: str = "") -> str:
    values = "".join(f"<a:AttributeValue>{role}</a:AttributeValue>" for role in roles)
    return (
        f'<p:Response xmlns:p="{PROTOCOL}" xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion" InResponseTo="{answers}">'
        f'<p:Status><p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:{status}"/></p:Status>{inside}'
        '<a:Assertion><a:AttributeStatement><a:Attribute Name="other"><a:AttributeValue>x</a:AttributeValue>'
        f'</a:Attribute><a:Attribute Name="https://aws.amazon.com/SAML/Attributes/Role">{values}</a:Attribute>'
        "</a:AttributeStatement></a:Assertion></p:Response>"
    )


def packed(text: str) -> str:
    return b64encode(text.encode()).decode()


RESPONSE = packed(document(f"{ROLE},{PROVIDER}"))
DONE = f'<form action="https://signin.example/saml" method="post"><input name="SAMLResponse" value="{RESPONSE}"></form>'

Site = Callable[[Request], Any]


def page(text: str, *more: tuple[str, str], status: int = 200) -> Response:
    return Response(status, (("content-type", "text/html; charset=utf-8"), *more), text.encode())


def to(url: str, *more: tuple[str, str], status: int = 302) -> Response:
    return Response(status, (("location", url), *more))


def playing(site: Mapping[str, Response | list[Response]], prompt: str = "") -> Stage:
    """A world with these pages by method and URL; of several the first comes first."""
    stage = Stage()

    def answer(send: Send) -> Response:
        found = site[f"{send.request.method} {send.origin}{send.request.path}"]
        if isinstance(found, list):
            return found.pop(0) if len(found) > 1 else found[0]
        return found

    stage.answer = answer
    stage.prompt = lambda _: prompt
    return stage


def sent(stage: Stage) -> list[tuple[str, dict[str, str]]]:
    """Where forms were sent, and what stood in them."""
    return [
        (f"{send.origin}{send.request.path}", dict(parse_qsl(send.request.body.decode(), keep_blank_values=True)))
        for send in stage.of(Send)
        if send.request.method == "POST"
    ]


# --- the form


def test_a_password_is_entered_and_the_response_taken() -> None:
    fields = '<input type=hidden name=state value="a&amp;b"><button name=go value=1>Log in</button><button name=no>'
    stage = playing({
        "GET https://login.company.example/sso": to("/login?x=1", ("set-cookie", "sid=1; Path=/; Secure; HttpOnly")),
        "GET https://login.company.example/login": page(LOGIN.replace("</form>", fields + "</form>")),
        "POST https://login.company.example/check": to("/done", ("set-cookie", "sid=2"), ("set-cookie", "who=mia")),
        "GET https://login.company.example/done": page(DONE),
    })  # fmt: skip
    found = stage.play(sign_in(START_URL, "mia", PASSWORD))
    assert found == Answered(Secret(RESPONSE), (Choice(ROLE, PROVIDER),), "_1")
    filled = {"user": "mia", "pass": "p&ss wörd", "state": "a&b", "go": "1"}
    assert sent(stage) == [("https://login.company.example/check", filled)]
    assert [send.request.header("cookie") for send in stage.of(Send)] == [None, "sid=1", "sid=1", "sid=2; who=mia"]
    assert stage.of(Send)[0].request.query == "sp=aws"


@pytest.mark.parametrize(
    ("name", "login"),
    [
        ("another origin", LOGIN.replace("/check", "https://evil.example/check")),
        ("another port", LOGIN.replace("/check", "https://login.company.example:8443/check")),
        ("no TLS", LOGIN.replace("/check", "http://login.company.example/check")),
        ("a script", LOGIN.replace("/check", "javascript:alert(1)")),
        ("another host by a trick", LOGIN.replace("/check", "//evil.example/check")),
        ("an address that shows it", LOGIN.replace('"post"', '"get"')),
        ("the usual method", LOGIN.replace('method="post"', "")),
        ("a base", '<base href="https://evil.example/">' + LOGIN),
        ("two forms", LOGIN + LOGIN),
        ("two passwords", LOGIN.replace("<input name", '<input type=password name="again"><input name')),
        ("no form", LOGIN.replace("form", "div")),
        ("nothing", ""),
    ],
)
def test_a_password_goes_to_no_other_place(name: str, login: str) -> None:
    stage = playing({"GET https://login.company.example/sso": page(login)})
    with pytest.raises(LoginFailure):
        stage.play(sign_in(START_URL, "mia", PASSWORD))
    assert sent(stage) == []


def test_a_redirect_takes_neither_a_password_nor_cookies_elsewhere() -> None:
    here = "GET https://login.company.example/sso"
    stage = playing({here: to("https://evil.example/")})
    with pytest.raises(LoginFailure, match=r"--also https://evil\.example"):
        stage.play(sign_in(START_URL, "mia", PASSWORD))
    for status in (307, 308):
        stage = playing({here: page(LOGIN), "POST https://login.company.example/check": to("/more", status=status)})
        with pytest.raises(LoginFailure, match="once more"):
            stage.play(sign_in(START_URL, "mia", PASSWORD))
        assert len(sent(stage)) == 1
    stage = playing({here: to("/sso")})
    with pytest.raises(LoginFailure, match="redirects"):
        stage.play(sign_in(START_URL, "mia", PASSWORD))


def test_another_origin_can_be_allowed_and_gets_only_its_own_cookies() -> None:
    stage = playing({
        "GET https://login.company.example/sso": to("https://id.example/in", ("set-cookie", "a=1; Domain=example")),
        "GET https://id.example/in": page(LOGIN, ("set-cookie", "b=2")),
        "POST https://id.example/check": to(f"{ORIGIN}/done"),
        "GET https://login.company.example/done": page(DONE),
    })  # fmt: skip
    stage.play(sign_in(START_URL, "mia", PASSWORD, also=("https://ID.example:443/any",)))
    assert [send.request.header("cookie") for send in stage.of(Send)] == [None, None, "b=2", "a=1"]


def test_a_wrong_password_is_told_from_a_page_that_nobody_understands() -> None:
    here, check = "GET https://login.company.example/sso", "POST https://login.company.example/check"
    with pytest.raises(LoginFailure, match="not accepted") as refused:
        playing({here: page(LOGIN), check: page(LOGIN, status=401)}).play(sign_in(START_URL, "mia", PASSWORD))
    assert refused.value.denied
    with pytest.raises(LoginFailure, match="status 500, a page without") as failed:
        playing({here: page(LOGIN), check: page("<p>oops", status=500)}).play(sign_in(START_URL, "mia", PASSWORD))
    assert not failed.value.denied
    assert "wörd" not in str(refused.value) + str(failed.value)
    with pytest.raises(LoginFailure, match="several SAML responses"):
        playing({here: page(LOGIN), check: page(DONE + DONE)}).play(sign_in(START_URL, "mia", PASSWORD))
    with pytest.raises(LoginFailure, match="no page"):
        playing({here: Response(200, (("content-type", "application/json"),), b"{}")}).play(
            sign_in(START_URL, "mia", PASSWORD)
        )


def test_one_more_question_is_put_to_the_person() -> None:
    otp = "<form method=post action=/otp><input type=hidden name=t value=1><input type=tel name=code></form>"
    stage = playing(
        {
            "GET https://login.company.example/sso": page(LOGIN),
            "POST https://login.company.example/check": page(otp),
            "POST https://login.company.example/otp": [page(otp), page(DONE)],
        },
        prompt=" 123456 ",
    )
    stage.play(sign_in(START_URL, "mia", PASSWORD))
    assert [effect.text for effect in stage.of(Prompt)] == ["https://login.company.example asks for 'code': "] * 2
    assert sent(stage)[1:] == [("https://login.company.example/otp", {"t": "1", "code": "123456"})] * 2
    stage = playing(
        {
            "GET https://login.company.example/sso": page(LOGIN),
            "POST https://login.company.example/check": page(otp),
            "POST https://login.company.example/otp": page(otp),
        }
    )
    with pytest.raises(LoginFailure, match="too many questions"):
        stage.play(sign_in(START_URL, "mia", PASSWORD))


def test_the_field_for_the_user_is_named_where_there_are_several() -> None:
    login = LOGIN.replace("<input name", "<input name=company><input name")
    site = {
        "GET https://login.company.example/sso": page(login),
        "POST https://login.company.example/check": page(DONE),
    }
    for wrong in (None, "pass"):
        with pytest.raises(ConfigurationFailure, match="company, user"):
            playing(site).play(sign_in(START_URL, "mia", PASSWORD, user_field=wrong))
    stage = playing(site)
    stage.play(sign_in(START_URL, "mia", PASSWORD, user_field="user"))
    assert sent(stage)[0][1] == {"company": "", "user": "mia", "pass": "p&ss wörd"}


@pytest.mark.parametrize("url", ["http://login.company.example/", "login.company.example", "https://a:b@c.example/"])
def test_a_login_page_is_asked_over_tls(url: str) -> None:
    with pytest.raises(ConfigurationFailure):
        Stage().play(sign_in(url, "mia", PASSWORD))


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("a=2", "b=1; a=2"),
        ("a=", "b=1; a="),
        ("a=2; Max-Age=0", "b=1"),
        ("a=2; max-age=-1", "b=1"),
        ("a=2; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "b=1; a=2"),
        ("a=2; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "b=1"),
        ("a=2; Expires=Thu, 01 Jan 2060 00:00:00 GMT", "b=1; a=2"),
        ("a=2; Expires=never", "b=1; a=2"),
        ("nothing", "a=1; b=1"),
        ("=2", "a=1; b=1"),
        ("c=\xe9", "a=1; b=1"),
        (f"c={'x' * 10_000}", "a=1; b=1"),
    ],
)
def test_cookies_are_kept_and_forgotten(line: str, kept: str) -> None:
    both = (("set-cookie", "a=1"), ("set-cookie", "b=1"))
    stage = playing({
        "GET https://login.company.example/sso": to("/2", *both),
        "GET https://login.company.example/2": to("/3", ("set-cookie", line)),
        "GET https://login.company.example/3": page(""),
    })  # fmt: skip
    with pytest.raises(LoginFailure):
        stage.play(sign_in(START_URL, "mia", PASSWORD))
    assert stage.of(Send)[-1].request.header("cookie") == kept


def test_cookies_are_bounded() -> None:
    many = [("set-cookie", f"c{number}=1") for number in range(MAX_COOKIES + 10)]
    stage = playing({"GET https://login.company.example/sso": to("/2", *many), f"GET {ORIGIN}/2": page("")})
    with pytest.raises(LoginFailure):
        stage.play(sign_in(START_URL, "mia", PASSWORD))
    assert (stage.of(Send)[-1].request.header("cookie") or "").count("=") == MAX_COOKIES


# --- reading forms


def test_a_form_has_what_a_browser_would_send() -> None:
    text = (
        '<input name=outside><FORM ACTION=" /a?b&amp;c " METHOD=Post><input name=one value=1 value=2><input value=x>'
        "<input type=CHECKBOX name=no><input type=checkbox name=yes checked><input type=radio name=r value=2 checked>"
        "<input name=off disabled><input type=file name=f><input type=button name=b><textarea name=t>x</textarea>"
        "<select name=s></select><form action=/inner><input name=two></form><input name=after></FORM><form>"
    )
    first, last = read_forms(text)
    assert (first.action, first.method) == ("/a?b&c", "post")
    assert [(field.name, field.kind, field.value) for field in first.fields] == [
        ("one", "text", "1"),
        ("yes", "checkbox", "on"),
        ("r", "radio", "2"),
        ("t", "text", ""),
        ("s", "select", ""),
        ("two", "text", ""),
    ]
    assert (last.action, last.method, last.fields) == ("", "get", ())
    assert "secret" not in repr(read_forms("<form><input name=a value=secret>"))


PIECES = [
    *("<form", " action=", "'", '"', ">", "<input", " name=a", "</form>", "<!--", "<![CDATA[", "<![x[", "<![", "<!"),
    *("<script>", "</script>", "&#x", "/", "<textarea", "<base href=x", "]]>", "-->"),
]


@given(st.text(max_size=400) | st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_any_page_has_forms_or_is_refused(text: str) -> None:
    try:
        forms = read_forms(text)
    except LoginFailure:
        return
    assert len(forms) <= MAX_FORMS


def test_a_page_with_too_much_is_refused() -> None:
    for text in ("<form></form>" * (MAX_FORMS + 1), "<form>" + "<input name=a>" * 300, " " * (2 << 20)):
        with pytest.raises(LoginFailure):
            read_forms(text)


# --- responses


def test_a_response_shows_the_roles_to_choose_from() -> None:
    other = "arn:aws:iam::444455556666:role/auditor"
    text = packed(document(f"{ROLE},{PROVIDER}", f" {PROVIDER} , {other} ", f"{ROLE},{PROVIDER}"))
    folded = "\r\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    found = read_response(folded)
    assert found.choices == (Choice(ROLE, PROVIDER), Choice(other, PROVIDER))
    assert found.response == Secret(text)
    assert text not in repr(found)
    assert read_response(packed(document())).choices == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%%%%",
        "é" * 8,
        "A" * 5,
        "A" * (MAX_RESPONSE + 1),
        packed(""),
        packed("<a"),
        packed(f'<!DOCTYPE r [<!ENTITY e "x">]>{document()}'),
        packed(document(inside="<x>" * 70 + "</x>" * 70)),
        packed(document(inside="<x/>" * 21_000))[:MAX_RESPONSE],
        packed("<Response/>"),
        packed(document().replace("p:Response", "p:Request")),
        packed(document(ROLE)),
        packed(document(f"{ROLE},{ROLE}")),
        packed(document(f"{PROVIDER},{PROVIDER}")),
        packed(document(f"{ROLE},{PROVIDER},x")),
        packed(document("x,y")),
    ],
)
def test_what_is_no_response_is_refused(text: str) -> None:
    with pytest.raises(LoginFailure):
        read_response(text)


def test_a_response_may_say_that_the_login_failed() -> None:
    with pytest.raises(LoginFailure, match="status:Responder") as refused:
        read_response(packed(document(f"{ROLE},{PROVIDER}", status="Responder")))
    assert refused.value.denied


@given(st.binary(max_size=400))
def test_any_bytes_are_a_response_or_refused(data: bytes) -> None:
    for text in (data.decode("latin-1"), b64encode(data).decode(), packed(document(inside=data.decode("latin-1")))):
        with contextlib.suppress(LoginFailure):
            assert len(read_response(text).choices) <= MAX_CHOICES


# --- the browser


def numbers(length: int) -> bytes:
    return b"\x01" * length


def test_a_browser_is_sent_off_with_a_request() -> None:
    here = "http://127.0.0.1:49152/saml"
    attempt = begin(START_URL, here, numbers, START + 0.9, entity='a"&<b>')
    query = dict(parse_qsl(urlsplit(attempt.url).query, strict_parsing=True))
    assert (query["sp"], query["RelayState"]) == ("aws", attempt.relay_state.reveal())
    request = etree.fromstring(zlib.decompress(b64decode(query["SAMLRequest"]), -15))
    assert request.tag == f"{{{PROTOCOL}}}AuthnRequest"
    assert request.get("ID") == attempt.id
    assert request.get("AssertionConsumerServiceURL") == here
    assert request.get("Destination") == START_URL
    assert request.get("IssueInstant") == "2027-01-15T08:00:00Z"
    assert request[0].text == 'a"&<b>'
    with pytest.raises(ConfigurationFailure):
        begin(START_URL, here, numbers, START, entity="a\nb")
    with pytest.raises(ConfigurationFailure):
        begin("http://login.company.example/", here, numbers, START)


def test_only_the_answer_to_this_request_counts() -> None:
    attempt = begin(START_URL, "http://127.0.0.1:1/saml", numbers, START)
    response = packed(document(f"{ROLE},{PROVIDER}", answers=attempt.id))
    relay_state = attempt.relay_state.reveal()
    assert attempt.answer({"RelayState": relay_state, "SAMLResponse": response}).choices == (Choice(ROLE, PROVIDER),)
    for said in ({}, {"RelayState": "x"}, {"RelayState": ""}):
        with pytest.raises(NotOurs):
            attempt.answer({**said, "SAMLResponse": response})
    with pytest.raises(LoginFailure, match="another request"):
        attempt.answer({"RelayState": relay_state, "SAMLResponse": RESPONSE})
    with pytest.raises(LoginFailure):
        attempt.answer({"RelayState": relay_state})


# --- the landing


def read(fields: Mapping[str, str]) -> str:
    if fields.get("state") != "right":
        raise NotOurs("x")
    if "error" in fields:
        raise LoginFailure("no")
    return fields["code"]


def bring(landing: Landing[str], method: str, path: str, query: str = "", body: str = "", kind: str = FORM) -> Response:
    return landing._answer(Request(method, path, query, (("content-type", kind),), body.encode()))


def test_the_first_answer_of_the_right_kind_is_what_is_waited_for() -> None:
    with Landing[str](CODE) as landing:
        assert bring(landing, "GET", "/callback", "state=right&code=early").status == 400
        landing.read = read
        assert landing.url.endswith("/callback")
        assert bring(landing, "GET", "/other", "state=right&code=1").status == 404
        assert bring(landing, "POST", "/callback", "state=right&code=1").status == 405
        assert bring(landing, "GET", "/callback", "state=wrong&code=1").status == 400
        assert bring(landing, "GET", "/callback", "state=wrong&error=1").status == 400
        assert bring(landing, "GET", "/callback", "state=wrong&state=right&code=1").status == 400
        assert bring(landing, "GET", "/callback", "&".join(["a=1"] * (MAX_FIELDS + 1))).status == 400
        done = bring(landing, "GET", "/callback", "state=right&code=1")
        assert done.status == 200
        assert dict(done.headers)["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert bring(landing, "GET", "/callback", "state=right&code=2").status == 400
        assert bring(landing, "GET", "/callback", "state=right&error=2").status == 403
        assert landing.wait(0) == "1"


def test_a_refusal_ends_the_waiting() -> None:
    with Landing[str](POSTED) as landing:
        landing.read = read
        assert bring(landing, "POST", "/saml", body="state=right&error=1", kind="text/plain").status == 400
        assert (
            bring(landing, "POST", "/saml", body="state=right&error=1", kind=f"{FORM.upper()}; charset=x").status == 403
        )
        with pytest.raises(LoginFailure, match="no"):
            landing.wait(0)


def test_nobody_comes() -> None:
    from locum.client.failures import TimedOut

    with Landing[str](CODE) as landing, pytest.raises(TimedOut, match="nobody logged in within 0 seconds"):
        landing.wait(0)
