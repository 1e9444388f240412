"""ID tokens of a provider: what is asked of whom, and which answers are not believed."""

from __future__ import annotations

import hashlib
import itertools
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.client.stage import Stage

from locum.client.effects import Send, Sleep
from locum.client.failures import CertificateFailure, ConfigurationFailure, ConnectionFailure
from locum.client.login.failures import LoginFailure, NotOurs
from locum.client.login.oidc import (
    MAX_DEVICE_SECONDS,
    MAX_ID_TOKEN,
    Attempt,
    Client,
    Device,
    Issuer,
    ask_device,
    await_device,
    begin,
    discover,
    redeem,
)
from locum.client.login.places import place
from locum.http import Response
from locum.secret import Secret

URL = "https://login.company.example/realm"
HERE = "http://127.0.0.1:49152/callback"
CLIENT = Client("people")
KNOWN = {
    "issuer": URL,
    "authorization_endpoint": f"{URL}/authorize?tenant=1",
    "token_endpoint": f"{URL}/token",
    "device_authorization_endpoint": f"{URL}/device",
}
ISSUER = Issuer(
    url=URL,
    authorization=place(f"{URL}/authorize?tenant=1", ""),
    token=place(f"{URL}/token", ""),
    device=place(f"{URL}/device", ""),
)
DEVICE = {"device_code": "d-1", "user_code": "ABCD-EFGH", "verification_uri": f"{URL}/go", "expires_in": 600}

Answers = Callable[[Send], Response]


def answer(document: Any, status: int = 200) -> Response:
    return Response(status, (("content-type", "application/json"),), json.dumps(document).encode())


def token(**claims: Any) -> str:
    said = {"iss": URL, "aud": "people", "sub": "mia", **claims}
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in (b"{}", json.dumps(said).encode(), b"s"))


def playing(*answers: Response | Exception) -> Stage:
    """A world in which these answers come one after another, the last one for ever."""
    stage, waiting = Stage(), list(answers)

    def next_answer(_: Send) -> Response:
        found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(found, Exception):
            raise found
        return found

    stage.answer = next_answer
    return stage


def asked(send: Send) -> dict[str, str]:
    pairs = parse_qsl(send.request.body.decode(), strict_parsing=True, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def numbered() -> Callable[[int], bytes]:
    numbers = itertools.count(1)
    return lambda length: bytes([next(numbers)]) * length


@pytest.fixture
def attempt() -> Attempt:
    return begin(ISSUER, CLIENT, HERE, numbered(), scopes=("openid", "email"))


# --- discovery


def test_a_provider_says_where_its_endpoints_are() -> None:
    stage = playing(answer(KNOWN))
    assert stage.play(discover(URL)) == ISSUER
    [send] = stage.of(Send)
    assert (send.origin, send.request.path) == (
        "https://login.company.example",
        "/realm/.well-known/openid-configuration",
    )


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (KNOWN | {"issuer": f"{URL}/"}, 200),
        (KNOWN | {"issuer": "https://evil.example"}, 200),
        (KNOWN | {"token_endpoint": "http://login.company.example/token"}, 200),
        (KNOWN | {"token_endpoint": "https://me@login.company.example/token"}, 200),
        (KNOWN | {"authorization_endpoint": "file:///etc/passwd"}, 200),
        (KNOWN | {"authorization_endpoint": "javascript:alert(1)"}, 200),
        (KNOWN | {"device_authorization_endpoint": "-e https://x.example"}, 200),
        ({"issuer": URL}, 200),
        ([], 200),
        (KNOWN, 302),
        (KNOWN, 404),
    ],
)
def test_a_provider_that_says_something_else_is_not_believed(document: Any, status: int) -> None:
    with pytest.raises(LoginFailure):
        playing(answer(document, status)).play(discover(URL))


def test_what_is_no_json_is_no_provider() -> None:
    for body in (b"", b"<html>", b"\xff", b"[" * 100_000):
        with pytest.raises(LoginFailure, match="JSON"):
            playing(Response(200, (), body)).play(discover(URL))


@pytest.mark.parametrize(
    "url",
    ["", "login.company.example", "http://login.company.example", f"{URL}?a=b", f"{URL}#x", "https://a b", "https://[",
     "https://login.company.example\n", "https://evil.example\\@login.company.example/"],
)  # fmt: skip
def test_an_issuer_is_a_url_over_tls(url: str) -> None:
    with pytest.raises(ConfigurationFailure):
        playing().play(discover(url))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost/x", "http://[::1]:8080"])
def test_on_this_machine_tls_is_not_needed(url: str) -> None:
    found = playing(answer({"issuer": url, "token_endpoint": f"{url}/token"})).play(discover(url))
    assert (found.authorization, found.device) == (None, None)
    with pytest.raises(LoginFailure, match="use the device flow"):
        begin(found, CLIENT, HERE, numbered())
    with pytest.raises(LoginFailure, match="use the browser"):
        playing().play(ask_device(found, CLIENT))


# --- the authorization code flow


def test_a_browser_is_sent_off_with_a_challenge_and_comes_back_with_a_code(attempt: Attempt) -> None:
    sent = dict(parse_qsl(urlsplit(attempt.url).query, strict_parsing=True))
    challenge = sent.pop("code_challenge")
    assert attempt.url.startswith(f"{URL}/authorize?tenant=1&")
    assert sent == {
        "tenant": "1",
        "response_type": "code",
        "client_id": "people",
        "redirect_uri": HERE,
        "scope": "openid email",
        "state": attempt.state.reveal(),
        "nonce": attempt.nonce.reveal(),
        "code_challenge_method": "S256",
    }
    assert len({attempt.state, attempt.nonce, attempt.verifier}) == 3
    assert len(attempt.verifier) >= 43
    code = attempt.code({"code": "c-1", "state": attempt.state.reveal()})
    stage = playing(answer({"id_token": token(nonce=attempt.nonce.reveal(), email="mia@company.example")}))
    found = stage.play(redeem(attempt, code))
    assert (found.subject, found.email) == ("mia", "mia@company.example")
    [send] = stage.of(Send)
    form = asked(send)
    verifier = form.pop("code_verifier")
    assert urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode() == challenge
    assert form == {"grant_type": "authorization_code", "code": "c-1", "redirect_uri": HERE, "client_id": "people"}


@pytest.mark.parametrize("state", [None, "", "x", "é"])
def test_a_browser_that_comes_from_elsewhere_is_not_heard(attempt: Attempt, state: str | None) -> None:
    said = {"code": "c-1"} if state is None else {"code": "c-1", "state": state}
    with pytest.raises(NotOurs):
        attempt.code(said)
    with pytest.raises(NotOurs):
        attempt.code({"error": "access_denied"} | ({} if state is None else {"state": state}))


def test_a_provider_may_refuse(attempt: Attempt) -> None:
    state = attempt.state.reveal()
    with pytest.raises(LoginFailure, match="access_denied: not you") as refused:
        attempt.code({"state": state, "error": "access_denied", "error_description": "not you"})
    assert refused.value.denied
    with pytest.raises(LoginFailure, match="server_error") as failed:
        attempt.code({"state": state, "error": "server_error"})
    assert not failed.value.denied
    with pytest.raises(LoginFailure, match="without a code"):
        attempt.code({"state": state})


def test_a_provider_that_names_itself_has_to_be_the_one_that_was_asked(attempt: Attempt) -> None:
    """RFC 9207: who mixes up two providers would give the code of one to the other."""
    said = {"code": "c-1", "state": attempt.state.reveal()}
    assert attempt.code(said | {"iss": URL}) == Secret("c-1")
    with pytest.raises(LoginFailure, match="another provider"):
        attempt.code(said | {"iss": "https://evil.example"})
    stage = playing(answer(KNOWN | {"authorization_response_iss_parameter_supported": True}))
    strict = begin(stage.play(discover(URL)), CLIENT, HERE, numbered())
    with pytest.raises(LoginFailure, match="another provider"):
        strict.code({"code": "c-1", "state": strict.state.reveal()})


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"aud": "another"}, "another client"),
        ({"aud": []}, "another client"),
        ({"aud": ["people", "another"], "azp": "another"}, "another client"),
        ({"nonce": "n"}, "another login"),
        ({"nonce": None}, "another login"),
        ({"sub": None}, "JSON"),
        ({"aud": 1}, "JSON"),
    ],
)
def test_a_token_for_something_else_is_not_used(attempt: Attempt, claims: dict[str, Any], reason: str) -> None:
    said = {"nonce": attempt.nonce.reveal()} | claims
    with pytest.raises(LoginFailure, match=reason):
        playing(answer({"id_token": token(**said)})).play(redeem(attempt, Secret("c")))


@pytest.mark.parametrize(
    "text",
    ["", "a.b", "a.b.c.d", "a.b.c\n", "a.b.é", "a.!!.c", ".b.c", f"a.{'b' * MAX_ID_TOKEN}.c", "a.b.c", "a.W10.c"],
)
def test_what_is_no_token_is_none(attempt: Attempt, text: str) -> None:
    with pytest.raises(LoginFailure):
        playing(answer({"id_token": text})).play(redeem(attempt, Secret("c")))


def test_several_audiences_are_fine_where_this_client_is_meant(attempt: Attempt) -> None:
    text = token(nonce=attempt.nonce.reveal(), aud=["another", "people"], azp="people")
    assert playing(answer({"id_token": text})).play(redeem(attempt, Secret("c"))).token == Secret(text)


def test_an_access_token_alone_is_none(attempt: Attempt) -> None:
    with pytest.raises(LoginFailure, match="id_token"):
        playing(answer({"access_token": token()})).play(redeem(attempt, Secret("c")))


@pytest.mark.parametrize(
    ("methods", "in_body"),
    [(None, False), (["client_secret_basic", "client_secret_post"], False), (["client_secret_post"], True)],
)
def test_a_client_s_secret_goes_where_the_provider_wants_it(methods: list[str] | None, in_body: bool) -> None:
    more = {} if methods is None else {"token_endpoint_auth_methods_supported": methods}
    stage = playing(answer(KNOWN | more), answer({"error": "invalid_grant", "error_description": "a\x1b[2Jb"}, 400))
    client = Client("pe:ople", Secret("s e+c"))
    made = begin(stage.play(discover(URL)), client, HERE, numbered())
    with pytest.raises(LoginFailure, match=r"invalid_grant: a \[2Jb"):
        stage.play(redeem(made, Secret("c")))
    send = stage.of(Send)[-1]
    if in_body:
        assert send.request.header("authorization") is None
        assert (asked(send)["client_id"], asked(send)["client_secret"]) == ("pe:ople", "s e+c")
    else:
        assert send.request.header("authorization") == "Basic cGUlM0FvcGxlOnMlMjBlJTJCYw=="
        assert "client_secret" not in asked(send)
    assert "s e" not in repr(client) + repr(made)


# --- the device flow


def device(**more: Any) -> Device:
    return playing(answer(DEVICE | more)).play(ask_device(ISSUER, CLIENT))


def test_a_person_enters_a_code_while_the_provider_is_asked() -> None:
    stage = playing(answer(DEVICE | {"interval": 3, "verification_uri_complete": f"{URL}/go?code=ABCD-EFGH"}))
    found = stage.play(ask_device(ISSUER, CLIENT, scopes=("openid", "email")))
    assert (found.user_code, found.url, found.complete) == ("ABCD-EFGH", f"{URL}/go", f"{URL}/go?code=ABCD-EFGH")
    assert asked(stage.of(Send)[0]) == {"client_id": "people", "scope": "openid email"}
    pending = answer({"error": "authorization_pending"}, 400)
    slower = answer({"error": "slow_down"}, 400)
    stage = playing(pending, slower, pending, ConnectionFailure("x"), answer({"id_token": token()}))
    assert stage.play(await_device(ISSUER, CLIENT, found)).subject == "mia"
    assert [effect.seconds for effect in stage.of(Sleep)] == [3, 3, 8, 8, 16]
    assert asked(stage.of(Send)[-1]) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": "d-1",
        "client_id": "people",
    }


def test_a_person_may_refuse_or_take_too_long() -> None:
    for error, denied in (("access_denied", True), ("expired_token", False), ("", False)):
        with pytest.raises(LoginFailure, match=error or "status 400") as refused:
            playing(answer({"error": error}, 400)).play(await_device(ISSUER, CLIENT, device()))
        assert refused.value.denied is denied
    stage = playing(answer({"error": "authorization_pending"}, 400))
    with pytest.raises(LoginFailure, match="in time"):
        stage.play(await_device(ISSUER, CLIENT, device(expires_in=60, interval=5)))
    assert sum(effect.seconds for effect in stage.of(Sleep)) <= 60
    with pytest.raises(CertificateFailure):
        playing(CertificateFailure("x")).play(await_device(ISSUER, CLIENT, device()))


def test_a_provider_does_not_make_this_side_ask_without_end_or_pause() -> None:
    eager = device(interval=0, expires_in=1e9)
    assert (eager.interval, eager.expires) == (1.0, MAX_DEVICE_SECONDS)
    assert device(interval=1e6).interval == 60.0
    assert device().interval == 5.0


@pytest.mark.parametrize(
    "more",
    [
        {"verification_uri": "http://evil.example"},
        {"verification_uri_complete": "javascript:alert(1)"},
        {"user_code": ""},
        {"user_code": "A\x1b[2J"},
        {"user_code": "A" * 65},
        {"user_code": "АBCD"},
    ],
)
def test_what_cannot_be_shown_to_a_person_is_not_shown(more: dict[str, Any]) -> None:
    with pytest.raises(LoginFailure):
        device(**more)
