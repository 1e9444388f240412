"""``locum doctor``: what it says of tokens and assertions, by a server and beside it, and what to do about them."""

from __future__ import annotations

import ast
import base64
import json
import shlex
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core import saml_idp as idp
from tests.interop.clients import Boto3, Place
from tests.interop.world import Account, World, allow, trusts
from tests.server.bearers import Issuer, private_key

from locum.cli.doctor import read_assertion
from locum.cli.remedies import ASSERTION, TOKEN, remedy
from locum.core import oidc, saml
from locum.core.proof import Check
from locum.policy.explanation import Explanation
from locum.server import diagnosis, federation, issuers
from locum.testing import Credentials, running_server

from .terminal import Terminal, settle

pytestmark = pytest.mark.xdist_group("doctor")

URL: Final = "https://idp.example.com"
CLIENT: Final = "web"
SUBJECT: Final = "alice"


@pytest.fixture
def locum(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    settle(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return Terminal(capsys, "doctor")


def token(**claims: Any) -> str:
    """A token that is good for a long time."""
    usual = {"iss": URL, "sub": SUBJECT, "aud": CLIENT, "iat": 1_600_000_000, "exp": 4_000_000_000}
    return jwt.encode({**usual, **claims}, private_key("first"), algorithm="RS256", headers={"kid": "first"})


class Scene(NamedTuple):
    """A server that knows an issuer and a SAML provider, and the configuration file that says the same."""

    world: World
    account: Account
    data: str
    config: str
    provider: str
    company: str
    role: str


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("doctor")
    keys = folder / "keys.json"
    keys.write_bytes(Issuer().key_set())
    tables: list[dict[str, object]] = [
        {"provider": "*idp.example.com*", "jwks-file": str(keys)},
        {"provider": "*", "loopback-http": True},
    ]
    with running_server(on_disk=True, oidc=tables) as server:
        boto = Boto3(Place(server.url, server.region))
        world = World(server, boto)
        account = world.account()
        made = account.iam("CreateOpenIDConnectProvider", Url=URL, ClientIDList=[CLIENT])
        provider = made["OpenIDConnectProviderArn"]
        made = account.iam("CreateSAMLProvider", Name="Company", SAMLMetadataDocument=idp.metadata())
        statement = trusts(actions=("sts:AssumeRoleWithWebIdentity",), Federated=provider)
        role = account.role(statement | {"Condition": {"StringEquals": {"idp.example.com:sub": SUBJECT}}}).arn
        config = folder / "locum.toml"
        data = str(server.audit_path.parent)
        config.write_text(
            f"data = {json.dumps(data)}\npublic-url = {json.dumps(server.url)}\n"
            f'[[oidc]]\nprovider = "*idp.example.com*"\njwks-file = {json.dumps(str(keys))}\n'
            '[[oidc]]\nprovider = "*"\nloopback-http = true\n'
        )
        yield Scene(world, account, data, str(config), provider, made["SAMLProviderArn"], role)
        boto.close()


@pytest.fixture(params=["a server", "the data directory"])
def where(request: pytest.FixtureRequest, scene: Scene, monkeypatch: pytest.MonkeyPatch, locum: Terminal) -> list[str]:
    """The options for where it is diagnosed; both must say the same."""
    if request.param == "the data directory":
        return ["--config", scene.config]
    log_in(monkeypatch, scene.account.root)
    return ["--endpoint-url", scene.world.server.url]


def log_in(monkeypatch: pytest.MonkeyPatch, who: Credentials) -> None:
    for name, value in who.environment().items():
        monkeypatch.setenv(name, value)


def saved(text: str, name: str = "proof") -> str:
    """The name of a file with a text, in the directory of the test."""
    Path(name).write_text(text)
    return name


def marks(out: str) -> dict[str, str]:
    """Name of a check → the rest of its line, mark first."""
    lines = [line for line in out.splitlines() if line[:2] in ("✓ ", "✗ ")]
    return {line[2:].split("  ")[0].strip(): f"{line[0]} {line[2:].partition('  ')[2].strip()}" for line in lines}


# A token


def test_a_good_token_passes_every_check(locum: Terminal, scene: Scene, where: list[str]) -> None:
    status, out, err = locum(
        "oidc", f"@{saved(token())}", "--role-arn", scene.role, "--provider-arn", scene.provider, *where
    )
    assert (status, err) == (0, "")
    told = marks(out)
    assert list(told) == [
        *("format", "provider", "algorithm", "issuer", "key", "signature", "expiry", "issued", "audience"),
        *("role", "trust policy", "session"),
    ]
    assert told["audience"] == f"✓ {CLIENT}"
    assert out.splitlines()[-1] == "STS would open a session."


def test_the_failed_check_its_values_the_answer_and_the_fix(locum: Terminal, scene: Scene, where: list[str]) -> None:
    other = "o'ther"
    status, out, err = locum("oidc", f"@{saved(token(aud=other))}", "--role-arn", scene.role, *where)
    assert (status, err) == (1, "")
    assert marks(out)["audience"] == f"✗ expected {CLIENT}, found {other}"
    answer, hint = out.splitlines()[-2:]
    assert answer == "STS would answer InvalidIdentityToken: Incorrect token audience"
    assert shlex.split(hint.removeprefix("hint: ")) == [
        *("aws", "iam", "add-client-id-to-open-id-connect-provider"),
        *("--open-id-connect-provider-arn", scene.provider, "--client-id", other),
    ]


def test_the_hint_is_what_mends_it(
    locum: Terminal, scene: Scene, where: list[str], request: pytest.FixtureRequest
) -> None:
    """The very parameters of the command, given to IAM."""
    client = f"new-{len(where[1])}"
    document = locum("oidc", f"@{saved(token(aud=client))}", "--role-arn", scene.role, "--json", *where)
    assert document.status == 1
    words = shlex.split(json.loads(document.out)["hint"])
    assert words[:3] == ["aws", "iam", "add-client-id-to-open-id-connect-provider"]
    named = dict(zip(words[3::2], words[4::2], strict=True))
    scene.account.iam(
        "AddClientIDToOpenIDConnectProvider",
        OpenIDConnectProviderArn=named["--open-id-connect-provider-arn"],
        ClientID=named["--client-id"],
    )
    assert locum("oidc", f"@{saved(token(aud=client))}", "--role-arn", scene.role, *where).status == 0


def test_a_trust_policy_that_refuses_is_explained_as_by_explain(
    locum: Terminal, scene: Scene, where: list[str]
) -> None:
    status, out, _ = locum("oidc", f"@{saved(token(sub='bob'))}", "--role-arn", scene.role, *where)
    assert status == 1
    assert marks(out)["trust policy"] == "✗ expected allows sts:AssumeRoleWithWebIdentity, found does not allow it"
    assert "DENIED   sts:AssumeRoleWithWebIdentity" in out
    assert "StringEquals idp.example.com:sub" in out
    assert "fix:" in out
    assert "STS would answer AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity" in out
    document = json.loads(locum("oidc", f"@{saved(token(sub='bob'))}", "--role-arn", scene.role, "--json", *where).out)
    assert not Explanation.from_json(json.dumps(document["explanation"])).decision.allowed
    assert document["outcome"] == "AccessDenied"
    assert document["checks"][-1] == {
        "name": "trust policy",
        "passed": False,
        "expected": "allows sts:AssumeRoleWithWebIdentity",
        "found": "does not allow it",
    }


def test_without_a_role_the_token_alone_is_tried(locum: Terminal, scene: Scene, where: list[str]) -> None:
    status, out, _ = locum("oidc", token(), "--provider-arn", scene.provider, *where)
    assert (status, out.splitlines()[-1]) == (
        0,
        "The proof is good; with --role-arn a role's trust policy is asked too.",
    )


def test_the_session_is_the_one_that_is_asked_for(locum: Terminal, scene: Scene, where: list[str]) -> None:
    asked = ["oidc", f"@{saved(token())}", "--role-arn", scene.role, "--session-name", "job", "--duration-seconds"]
    assert marks(locum(*asked, "900", *where).out)["session"] == "✓ 900 seconds, as job"
    status, out, _ = locum(*asked, "7200", *where)
    assert status == 1
    assert "MaxSessionDuration" in marks(out)["session"]


def test_no_part_of_the_token_is_printed(locum: Terminal, scene: Scene, where: list[str]) -> None:
    for claims in ({}, {"aud": "x"}, {"exp": 1_600_000_001}, {"sub": "bob"}, {"iss": f"{URL}/"}):
        text = token(**claims)
        for style in ([], ["--json"]):
            told = locum("oidc", f"@{saved(text)}", "--role-arn", scene.role, *style, *where)
            assert told.out
            for part in (text, *text.split(".")):
                assert part not in told.out + told.err


def test_values_of_a_token_do_not_drive_the_terminal(locum: Terminal, scene: Scene, where: list[str]) -> None:
    text = token(aud="a\x1b[31mb\nSTS would open a session.")
    out = locum("oidc", f"@{saved(text)}", *where, "--role-arn", scene.role).out
    assert "\x1b" not in out
    assert "STS would open a session." not in out.splitlines()


def test_the_token_comes_from_a_file_standard_input_or_the_command_line(
    locum: Terminal, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = token()
    half = len(text) // 2
    options = ["--config", scene.config, "--role-arn", scene.role]
    assert locum("oidc", text, *options).status == 0
    broken = f"{text[:half]}\n{text[half:]}\n"
    assert locum("oidc", f"@{saved(broken)}", *options).status == 0
    monkeypatch.setattr("sys.stdin", StringIO(f" {text}\n"))
    assert locum("oidc", "-", *options).status == 0


class Pages(BaseHTTPRequestHandler):
    """An issuer on loopback, without TLS."""

    def do_GET(self) -> None:
        url = f"http://{self.headers['host']}"
        pages = {
            "/.well-known/openid-configuration": json.dumps({"issuer": url, "jwks_uri": f"{url}/keys"}).encode(),
            "/keys": Issuer().key_set(),
        }
        body = pages.get(self.path, b"")
        self.send_response(200 if body else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def loopback() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_beside_the_server_every_step_of_fetching_keys_is_told(locum: Terminal, scene: Scene, loopback: str) -> None:
    url = loopback.replace("http://", "https://")
    scene.account.iam("CreateOpenIDConnectProvider", Url=url, ClientIDList=[CLIENT])
    provider = scene.provider.replace(URL.partition("://")[2], url.partition("://")[2])
    options = ["--config", scene.config, "--provider-arn", provider]
    status, out, err = locum("oidc", f"@{saved(token(iss=loopback))}", *options)
    assert (status, err) == (0, "")
    told = marks(out)
    assert list(told)[:6] == ["format", "provider", "address", "discovery", "keys", "algorithm"]
    assert told["keys"] == "✓ first"
    strange = jwt.encode({"iss": loopback}, private_key("second"), algorithm="RS256", headers={"kid": "second"})
    status, out, _ = locum("oidc", f"@{saved(strange)}", *options)
    assert (status, marks(out)["key"]) == (1, "✗ expected first, found second, which is not there")


def test_keys_that_cannot_be_fetched_are_told_with_the_reason(locum: Terminal, scene: Scene) -> None:
    """Beside the server the step, without another line of the log; by the server what it knows."""
    closed = "http://127.0.0.1:9"
    url = closed.replace("http://", "https://")
    scene.account.iam("CreateOpenIDConnectProvider", Url=url, ClientIDList=[CLIENT])
    provider = scene.provider.replace(URL.partition("://")[2], url.partition("://")[2])
    status, out, err = locum(
        "oidc", f"@{saved(token(iss=closed))}", "--config", scene.config, "--provider-arn", provider
    )
    assert (status, err) == (1, "")
    failed = {name: text for name, text in marks(out).items() if text[0] == "✗"}
    assert list(failed) == ["discovery"]
    assert "cannot be asked" in failed["discovery"]
    assert out.splitlines()[-1].startswith("hint: the issuer's URL followed by /.well-known/openid-configuration")


# An assertion


def response() -> str:
    """A response of now: an assertion is good for five minutes."""
    text, now = idp.RESPONSE, int(time.time())
    for shift in (-60, 240):
        text = text.replace(idp.at(idp.NOW + shift), idp.at(now + shift))
    return text


@pytest.fixture
def engineer(scene: Scene) -> str:
    return scene.account.role(trusts(actions=("sts:AssumeRoleWithSAML",), Federated=scene.company)).arn


def signed(scene: Scene, role: str, *changes: tuple[str, str]) -> str:
    return idp.respond((f"{idp.ROLE},{idp.PROVIDER}", f"{role},{scene.company}"), *changes, text=response())


def test_an_assertion_in_every_form_that_people_have(
    locum: Terminal, scene: Scene, where: list[str], engineer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = signed(scene, engineer)
    options = ["--provider-arn", scene.company, "--role-arn", engineer, *where]
    encoded = idp.encoded(text)
    forms = [
        text,
        encoded,
        quote(encoded, safe=""),
        urlencode({"RelayState": "x", "SAMLResponse": encoded}),
        f"SAMLResponse={encoded}",
    ]
    for form in forms:
        status, out, err = locum("saml", saved(f"{form}\n"), *options)
        assert (status, err) == (0, ""), out
        assert out.splitlines()[-1] == "STS would open a session."
    monkeypatch.setattr("sys.stdin", StringIO(text))
    assert locum("saml", "-", *options).status == 0


def test_an_assertions_failed_check_with_both_values(
    locum: Terminal, scene: Scene, where: list[str], engineer: str
) -> None:
    text = signed(scene, engineer, ("urn:amazon:webservices", "urn:else"))
    status, out, _ = locum("saml", saved(text), "--provider-arn", scene.company, "--role-arn", engineer, *where)
    assert status == 1
    told = marks(out)
    assert told["Audience"].startswith("✗ expected ")
    assert told["Audience"].endswith(", found urn:else")
    assert f"{scene.world.server.url}/saml/metadata" in told["Audience"]
    assert out.splitlines()[-1].startswith("hint: let the provider use this server's entity id")
    assert "STS would answer InvalidIdentityToken: Response does not contain the required audience." in out
    for part in (text, idp.encoded(text)[:60]):
        assert part not in out


@given(st.text(max_size=200))
def test_any_text_is_read_as_something(text: str) -> None:
    assert isinstance(read_assertion(text), str)


@given(st.binary(min_size=1, max_size=200))
def test_base64_is_read_as_it_is_in_every_form(data: bytes) -> None:
    encoded = base64.b64encode(data).decode()
    for form in (encoded, quote(encoded, safe=""), f"SAMLResponse={quote(encoded, safe='')}&RelayState=a%3Db"):
        assert read_assertion(form) == encoded


# Who may, and how it is used


def test_a_server_that_does_not_let_is_status_three(
    locum: Terminal, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = scene.account.user(allow("iam:*")).key
    log_in(monkeypatch, nobody)
    status, out, err = locum("oidc", f"@{saved(token())}", "--endpoint-url", scene.world.server.url)
    assert (status, out) == (3, "")
    assert "hint: an administrator of the account can allow sts:DiagnoseWebIdentityToken" in err
    monkeypatch.setenv("AWS_ENDPOINT_URL", scene.world.server.url)
    doctor = scene.account.user(allow("sts:DiagnoseWebIdentityToken", on=scene.provider)).key
    log_in(monkeypatch, doctor)
    assert locum("oidc", f"@{saved(token())}").status == 0


WRONG: Final[dict[str, tuple[list[str], str]]] = {
    "nothing": (["oidc"], "Missing argument"),
    "no provider": (["saml", "proof"], "--provider-arn"),
    "no file": (["oidc", "@none"], "none cannot be read"),
    "a directory": (["saml", ".", "--provider-arn", "arn:aws:iam::111122223333:saml-provider/x"], "cannot be read"),
    "both": (["oidc", "a.b.c", "--data", "d", "--endpoint-url", "http://127.0.0.1:1"], "excludes"),
    "too short": (["oidc", "a", "--data", "d"], "webIdentityToken"),
    "too long": (["oidc", "a" * 20_001, "--data", "d"], "webIdentityToken"),
    "bad duration": (["oidc", "a.b.c", "--duration-seconds", "1", "--data", "d"], "durationSeconds"),
    "no url": (["oidc", "a.b.c", "--endpoint-url", "ftp://example.com"], "is not the URL of a server"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_is_status_two(locum: Terminal, scene: Scene, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    log_in(monkeypatch, scene.account.root)
    arguments, text = WRONG[case]
    saved(token())
    status, out, err = locum(*arguments)
    assert (status, out) == (2, "")
    assert text in err
    assert "\nhint: " in err
    assert "a" * 100 not in err


def test_several_accounts_need_one_to_be_named(locum: Terminal, scene: Scene) -> None:
    scene.world.account()
    status, _, err = locum("oidc", f"@{saved(token())}", "--config", scene.config)
    assert status == 2
    assert "several accounts" in err
    foreign = scene.role.replace(scene.account.id, "999988887777")
    status, _, err = locum("oidc", f"@{saved(token())}", "--config", scene.config, "--role-arn", foreign)
    assert status == 2
    assert "is of no account here" in err


def test_an_arn_of_another_account_is_status_one(locum: Terminal, scene: Scene, where: list[str]) -> None:
    other = scene.world.account().id
    foreign = scene.provider.replace(scene.account.id, other)
    status, out, err = locum("oidc", f"@{saved(token())}", "--role-arn", scene.role, "--provider-arn", foreign, *where)
    assert (status, out) == (1, "")
    assert f"There is no {foreign}" in err


def test_no_server_is_status_one(locum: Terminal, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(monkeypatch, scene.account.root)
    status, out, err = locum("oidc", "a.b.c", "--endpoint-url", "http://127.0.0.1:1")
    assert (status, out) == (1, "")
    assert "http://127.0.0.1:1 gave no answer" in err


def test_help_prefers_files_to_the_command_line(locum: Terminal) -> None:
    out = " ".join(locum("oidc", "--help").out.split())
    assert "Every user of the machine can see a TOKEN that stands on the command line: prefer @FILE" in out


# Remedies


def checks_in(*files: Path) -> set[str]:
    """The names of checks that modules write: the literals where a check is noted."""
    places = {"_refuse": 1, "_passed": 1, "_failed": 1, "note": 0, "check": 0, "failed": 0, "passed": 0}
    places |= {"get": 2, "_named": 0, "_signed": 0, "Check": 0, "_moment": 1}
    found = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            place = places.get(name)
            if place is not None and len(node.args) > place:
                value = node.args[place]
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    found.add(value.value)
    return found


def sources(*modules: Any) -> list[Path]:
    return [Path(module.__file__) for module in modules]


def test_every_check_of_a_token_has_a_remedy() -> None:
    names = checks_in(*sources(oidc, issuers)) | {"sub", "aud", "iat", "exp", "nbf"}
    assert len(names) > 15
    assert not names - TOKEN.keys()


def test_every_check_of_an_assertion_has_a_remedy() -> None:
    folder = Path(str(saml.__file__)).parent
    names = checks_in(*folder.glob("*.py")) | {"Subject NotOnOrAfter", "Conditions NotBefore"}
    assert len(names) > 30
    unknown = [
        Check(name, False) for name in sorted(names) if remedy(ASSERTION, [Check(name, False)]).startswith("docs/")
    ]
    assert unknown == []


def test_every_check_of_roles_and_sessions_has_a_remedy() -> None:
    names = checks_in(*sources(diagnosis, federation))
    assert {"role", "trust policy", "session", "provider", "single use"} <= names
    assert not names - (TOKEN.keys() | ASSERTION.keys())


def test_what_passed_needs_none() -> None:
    assert remedy(TOKEN, [Check("audience", True)]) == ""
