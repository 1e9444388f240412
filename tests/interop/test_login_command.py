"""``locum login`` as people run it, with real identity providers and the small browser of these tests."""

from __future__ import annotations

import json
import os
import queue
import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from tests.interop.clients import TIMEOUT, Boto3
from tests.interop.idps.authority import Authority
from tests.interop.idps.browser import Browser
from tests.interop.idps.oidc import PROGRAM, OidcProvider, oidc_provider, why_not
from tests.interop.idps.saml import AWS, Samlp, Service, SimpleSamlPhp, role_attributes
from tests.interop.world import Account, trusts

from locum.testing import RunningServer, running_server

pytestmark = pytest.mark.xdist_group("interop-login-command")

ACCOUNT: Final = "111122223333"
MAIL: Final = "mia@company.example"
PEOPLE: Final[dict[str, dict[str, Any]]] = {"mia": {"email": MAIL}}
PROVIDER: Final = f"arn:aws:iam::{ACCOUNT}:saml-provider/company"
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/engineer"
OTHER: Final = f"arn:aws:iam::{ACCOUNT}:role/auditor"


class Running:
    """``locum …`` while it runs: what it says to the person, line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.put(line)
        self._lines.put(None)

    def hears(self, pattern: str) -> str:
        """The first group of the next line that fits."""
        while (line := self._lines.get(timeout=TIMEOUT)) is not None:
            self.said.append(line)
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError("".join(self.said))

    def end(self) -> tuple[int, str, str]:
        """Exit status and what was printed, once it ends."""
        assert self._process.stdout is not None
        out = self._process.stdout.read()
        status = self._process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)
        while not self._lines.empty():
            self.said.append(self._lines.get() or "")
        return status, out, "".join(self.said)


class Person:
    """Somebody with a home directory and no credentials."""

    def __init__(self, home: Path, server: RunningServer, **more: str) -> None:
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "HOME": str(home),
            "AWS_ENDPOINT_URL_STS": server.url,
            "AWS_REGION": server.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            **more,
        }

    @contextmanager
    def runs(self, *arguments: str) -> Iterator[Running]:
        """``locum`` with these arguments, ended with the block."""
        process = subprocess.Popen(
            [sys.executable, "-m", "locum", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        try:
            yield Running(process)
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                assert stream is not None
                stream.close()

    def does(self, *arguments: str) -> tuple[int, str, str]:
        """Run it to its end."""
        with self.runs(*arguments) as running:
            return running.end()

    def saves(self, name: str, text: str) -> str:
        """``@FILE`` with a secret in it."""
        path = self.home / name
        path.write_text(text)
        return f"@{path}"


def who(server: RunningServer, printed: str) -> str:
    found = json.loads(printed)
    session = boto3.Session(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"], server.region)
    client = session.client("sts", endpoint_url=server.url)
    try:
        return str(client.get_caller_identity()["Arn"])
    finally:
        client.close()


# --- OpenID Connect


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def idp(authority: Authority) -> Iterator[OidcProvider]:
    if reason := why_not():
        pytest.skip(reason)
    with oidc_provider(PEOPLE, authority) as running:
        yield running


@pytest.fixture(scope="module")
def certificate(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trust") / "company-ca.crt"
    path.write_text(authority.certificate)
    return path


@pytest.fixture(scope="module")
def port() -> int:
    """The port that a SAML provider and the server know as the people's own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        found: int = free.getsockname()[1]
    return found


@pytest.fixture(scope="module")
def server(certificate: Path, port: int) -> Iterator[RunningServer]:
    reached = {"provider": "*", "ca-file": str(certificate), "networks": ["127.0.0.0/8"]}
    here = {"provider": PROVIDER, "recipients": [f"http://127.0.0.1:{port}/saml"]}
    with running_server(oidc=[reached], saml=[here], account_id=ACCOUNT, on_disk=True) as running:
        yield running


@pytest.fixture(scope="module")
def first(server: RunningServer, boto: Boto3) -> Account:
    return Account(boto, server.root_credentials)


@pytest.fixture(scope="module")
def oidc_role(first: Account, idp: OidcProvider) -> str:
    name = idp.issuer.partition("://")[2]
    made = first.iam("CreateOpenIDConnectProvider", Url=f"https://{name}", ClientIDList=[PROGRAM])
    when = {"StringEquals": {f"{name}:sub": "mia", f"{name}:aud": PROGRAM}}
    trust = trusts(actions=("sts:AssumeRoleWithWebIdentity",), when=when, Federated=made["OpenIDConnectProviderArn"])
    return first.role(trust, RoleName="developer").arn


@pytest.fixture
def person(tmp_path: Path, server: RunningServer, certificate: Path) -> Person:
    return Person(tmp_path, server, AWS_CA_BUNDLE=str(certificate))


def oidc(idp: OidcProvider, role: str, *more: str) -> tuple[str, ...]:
    return ("login", "oidc", "--issuer", idp.issuer, "--client-id", PROGRAM, "--role", role, *more)


def log_in(idp: OidcProvider, url: str, who: str = "mia") -> tuple[Browser, str]:
    """The browser at the end of login and consent, and where it was sent."""
    browser = Browser(idp.authority)
    page = browser.get(url)
    page = browser.submit(page.form, login=who, password="any")
    page = browser.submit(page.form)
    assert page.status == 0, page
    return browser, page.url


def test_a_login_in_the_browser_becomes_a_session(
    person: Person, idp: OidcProvider, oidc_role: str, server: RunningServer
) -> None:
    with person.runs(*oidc(idp, oidc_role, "--no-browser", "--format", "json")) as running:
        browser, back = log_in(idp, running.hears(r"^(https://\S+)$"))
        assert browser.get(back).text.count("You are logged in.") == 1
        status, out, said = running.end()
    assert status == 0, said
    assert who(server, out) == f"arn:aws:sts::{ACCOUNT}:assumed-role/developer/{MAIL}"


def test_a_login_in_the_browser_is_saved_as_a_profile(
    person: Person, idp: OidcProvider, oidc_role: str, server: RunningServer
) -> None:
    shared = person.home / ".aws"
    shared.mkdir()
    (shared / "credentials").write_text("# mine\n[mine]\naws_access_key_id = AKIAX\naws_secret_access_key = y\n")
    (shared / "credentials").chmod(0o644)
    with person.runs(*oidc(idp, oidc_role, "--no-browser", "--save-as", "work")) as running:
        browser, back = log_in(idp, running.hears(r"^(https://\S+)$"))
        browser.get(back)
        status, out, said = running.end()
    assert (status, out) == (0, ""), said
    assert (shared / "credentials").read_text().startswith("# mine\n[mine]\naws_access_key_id = AKIAX\n")
    assert stat.S_IMODE((shared / "credentials").stat().st_mode) == 0o600
    environment = {name: value for name, value in person.environment.items() if name != "AWS_ENDPOINT_URL_STS"}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("aws")), "sts", "get-caller-identity", "--profile", "work"],
        env={**environment, "AWS_PAGER": ""}, capture_output=True, text=True, check=False, timeout=TIMEOUT,
    )  # fmt: skip
    assert json.loads(done.stdout)["Arn"].endswith(f"assumed-role/developer/{MAIL}"), done.stderr


def test_what_another_page_sends_while_somebody_logs_in_changes_nothing(
    person: Person, idp: OidcProvider, oidc_role: str
) -> None:
    with person.runs(*oidc(idp, oidc_role, "--no-browser", "--format", "json")) as running:
        url = running.hears(r"^(https://\S+)$")
        browser, back = log_in(idp, url)
        forged = back.partition("?")[0]
        assert browser.get(forged, {"code": "stolen", "state": "guessed"}).status == 400
        assert browser.get(forged, {"error": "access_denied", "state": "guessed"}).status == 400
        assert browser.get(back).status == 200
        assert running.end()[0] == 0


def test_a_provider_that_refuses_ends_the_login_as_denied(person: Person, idp: OidcProvider, oidc_role: str) -> None:
    with person.runs(*oidc(idp, oidc_role, "--no-browser")) as running:
        browser = Browser(idp.authority)
        page = browser.get(running.hears(r"^(https://\S+)$"))
        leave = re.search(r'href="([^"]*/abort)"', page.text)
        assert leave is not None
        page = browser.get(leave[1] if leave[1].startswith("https:") else idp.issuer + leave[1])
        assert browser.get(page.url).status == 403
        status, out, said = running.end()
    assert (status, out) == (3, "")
    assert "access_denied" in said


def test_a_role_that_does_not_trust_the_person_ends_the_login_as_denied(
    person: Person, idp: OidcProvider, oidc_role: str
) -> None:
    with person.runs(*oidc(idp, oidc_role.replace("developer", "nobody"), "--no-browser")) as running:
        browser, back = log_in(idp, running.hears(r"^(https://\S+)$"))
        browser.get(back)
        status, out, said = running.end()
    assert (status, out) == (3, "")
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in said


def test_a_code_entered_in_another_browser_becomes_a_session(
    person: Person, idp: OidcProvider, oidc_role: str, server: RunningServer
) -> None:
    with person.runs(*oidc(idp, oidc_role, "--device", "--format", "json")) as running:
        browser = Browser(idp.authority)
        page = browser.get(running.hears(r"^or open (\S+) and compare"))
        page = browser.submit(page.form)  # the page posts itself
        page = browser.submit(page.form)  # the code is the right one
        page = browser.submit(page.form, login="mia", password="any")
        page = browser.submit(page.form)
        assert "Sign-in Success" in page.text, page
        status, out, said = running.end()
    assert status == 0, said
    assert who(server, out) == f"arn:aws:sts::{ACCOUNT}:assumed-role/developer/{MAIL}"


# --- SAML


PEOPLE_OF_SAML: Final = {
    "mia": role_attributes((ROLE, PROVIDER), session_name=MAIL),
    "otto": role_attributes((ROLE, PROVIDER), (OTHER, PROVIDER), session_name="otto@company.example"),
}


@pytest.fixture(scope="module")
def saml_roles(first: Account) -> list[str]:
    trust = trusts(actions=("sts:AssumeRoleWithSAML",), Federated=PROVIDER)
    return [first.role(trust, RoleName=name).arn for name in ("engineer", "auditor")]


@contextmanager
def registered(first: Account, metadata: str) -> Iterator[None]:
    made = first.iam("CreateSAMLProvider", Name="company", SAMLMetadataDocument=metadata)["SAMLProviderArn"]
    yield
    first.iam("DeleteSAMLProvider", SAMLProviderArn=made)


@pytest.fixture
def simple(tmp_path: Path, first: Account, saml_roles: list[str]) -> Iterator[SimpleSamlPhp]:
    if reason := SimpleSamlPhp.why_not():
        pytest.skip(reason)
    folder = tmp_path / "simplesamlphp"
    folder.mkdir()
    with (
        SimpleSamlPhp.running(folder, PEOPLE_OF_SAML, AWS) as running,
        registered(first, running.metadata()),
    ):
        yield running


def by_form(person: Person, simple: SimpleSamlPhp, user: str, password: str, *more: str) -> tuple[int, str, str]:
    url = f"{simple._url}/saml2/idp/SSOService.php?spentityid={AWS.entity}"
    secret = person.saves("password", password)
    return person.does(
        "login", "saml", "--idp-url", url, "--user", user, "--password", secret, "--format", "json", *more
    )


def test_user_and_password_become_a_session(person: Person, simple: SimpleSamlPhp, server: RunningServer) -> None:
    status, out, said = by_form(person, simple, "mia", simple.PASSWORD)
    assert status == 0, said
    assert who(server, out) == f"arn:aws:sts::{ACCOUNT}:assumed-role/engineer/{MAIL}"
    status, out, said = by_form(person, simple, "mia", "wrong")
    assert (status, out) == (3, "")
    assert "not accepted" in said
    status, out, said = by_form(person, simple, "otto", simple.PASSWORD)
    assert status == 2
    assert f"1  {ROLE}" in said
    assert f"2  {OTHER}" in said
    status, out, said = by_form(person, simple, "otto", simple.PASSWORD, "--role", OTHER)
    assert who(server, out) == f"arn:aws:sts::{ACCOUNT}:assumed-role/auditor/otto@company.example"


@pytest.fixture
def samlp(port: int, first: Account, saml_roles: list[str]) -> Iterator[Samlp]:
    if reason := Samlp.why_not():
        pytest.skip(reason)
    here = Service(AWS.entity, f"http://127.0.0.1:{port}/saml")
    with Samlp.running(PEOPLE_OF_SAML, here) as running, registered(first, running.metadata()):
        yield running


def test_a_browser_that_comes_back_with_a_response_becomes_a_session(
    person: Person, samlp: Samlp, server: RunningServer, port: int
) -> None:
    arguments = ("login", "saml", "--browser", "--no-browser", "--port", str(port), "--format", "json")
    with person.runs(*arguments, "--idp-url", f"{samlp._url}/sso?login=mia") as running:
        browser = Browser()
        page = browser.get(running.hears(r"^(http://\S+)$"))
        stolen = page.form._replace(fields=page.form.fields | {"RelayState": "guessed"})
        assert browser.submit(stolen).status == 400
        assert browser.submit(page.form).text.count("You are logged in.") == 1
        status, out, said = running.end()
    assert status == 0, said
    assert who(server, out) == f"arn:aws:sts::{ACCOUNT}:assumed-role/engineer/{MAIL}"
