"""``locum login`` and ``locum credentials serve``: what is refused before anybody logs in, and what is said."""

from __future__ import annotations

import io
import sys
import webbrowser
from pathlib import Path

import pytest

from locum.cli.login import _choice, _name_of, _send_off
from locum.cli.report import Usage
from locum.client.login.failures import LoginFailure
from locum.client.login.oidc import IdToken
from locum.client.login.saml import Answered, Choice
from locum.secret import Secret

from .terminal import run

OIDC = ("login", "oidc", "--issuer", "https://login.example", "--client-id", "me", "--role", "arn:aws:iam::1:role/r")
SAML = ("login", "saml", "--idp-url", "https://login.example")
PROVIDER = "arn:aws:iam::111122223333:saml-provider/p"
ONE, TWO = (Choice(f"arn:aws:iam::111122223333:role/{name}", PROVIDER) for name in "ab")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No terminal, no credentials, no files; nothing listens where the server is said to be."""
    for name in (
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_ENDPOINT_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "HOME": str(tmp_path),
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdin", io.StringIO())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((*OIDC, "--save-as", "me", "--format", "json"), "exclude each other"),
        ((*OIDC, "--save-as", "a b"), "profile's name"),
        ((*OIDC, "--save-as", "keys"), "long-term keys"),
        ((*OIDC, "--client-secret", "hush-hush"), "is a secret"),
        ((*OIDC, "--issuer", "http://login.example"), "https"),
        ((*SAML, "--password", "hush-hush", "--user", "mia"), "is a secret"),
        ((*SAML, "--browser", "--user", "mia"), "leaves user and password to the browser"),
        ((*SAML, "--browser", "--also", "https://x.example"), "leaves user and password to the browser"),
        ((*SAML, "--browser", "--idp-url", "http://login.example"), "https"),
        (SAML, "--user"),
        (("credentials", "serve", "--tags", "key=a,value=b"), "for a role"),
        (("credentials", "serve", "--role", "r", "--session-token"), "exclude each other"),
        (("credentials", "serve", "--format", "env", "--", "true"), "in its environment"),
        (("credentials", "serve", "--port", "70000"), "70000"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(
    arguments: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / ".aws").mkdir(mode=0o700)
    (tmp_path / ".aws" / "credentials").write_text("[keys]\naws_access_key_id = AKIAX\naws_secret_access_key = y\n")
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert text in err
    assert "hush" not in err


def test_a_provider_that_cannot_be_reached_is_told_from_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, *OIDC, "--issuer", "http://127.0.0.1:9")
    assert (status, out) == (1, "")
    assert "the identity provider cannot be reached: http://127.0.0.1:9" in err
    assert "--endpoint-url" not in err


def test_without_credentials_there_is_nothing_to_serve(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "credentials", "serve")
    assert (status, out) == (1, "")
    assert "no credentials found" in err


def test_the_browser_is_opened_and_the_address_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not opened.append(url))  # type: ignore[func-returns-value]
    _send_off("https://login.example/?a=b", no_browser=True)
    assert opened == []
    _send_off("https://login.example/?a=b", no_browser=False)
    assert opened == ["https://login.example/?a=b"]
    out, err = capsys.readouterr()
    assert (out, err.count("\nhttps://login.example/?a=b\n")) == ("", 2)


@pytest.mark.parametrize(
    ("token", "name"),
    [
        (IdToken(Secret(""), "s-1", "mia@company.example", "mia"), "mia@company.example"),
        (IdToken(Secret(""), "s-1", None, "Mia Müller"), "Mia-M-ller"),
        (IdToken(Secret(""), "auth0|123"), "auth0-123"),
        (IdToken(Secret(""), "x" * 100), "x" * 64),
    ],
)
def test_a_session_is_named_after_the_person(token: IdToken, name: str) -> None:
    assert _name_of(token) == name
    assert _name_of(IdToken(Secret(""), "é")).startswith("locum-session-")


def test_a_role_is_named_or_the_only_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    both = Answered(Secret("x"), (ONE, TWO))
    assert _choice(Answered(Secret("x"), (ONE,)), None, None) == ONE
    assert _choice(both, TWO.role_arn, None) == TWO
    assert _choice(Answered(Secret("x")), "a", "b") == Choice("a", "b")
    for answered, role in ((Answered(Secret("x")), None), (both, "arn:aws:iam::111122223333:role/c")):
        with pytest.raises(LoginFailure):
            _choice(answered, role, None)
    with pytest.raises(Usage, match="--role"):
        _choice(both, None, None)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    for picked in ("0", "3", "-1", "x", "²", ""):
        monkeypatch.setattr("click.prompt", lambda *_, picked=picked, **__: picked)
        with pytest.raises(Usage, match="none of the numbers"):
            _choice(both, None, None)
    monkeypatch.setattr("click.prompt", lambda *_, **__: "2")
    assert _choice(both, None, None) == TWO
    assert capsys.readouterr().err.count("2  arn:aws:iam::111122223333:role/b") == 8
