"""Every operation by each Python client at locum and at moto: the table in docs/client.md is what happens here.

moto is the mock that people know: it signs nothing in and refuses nobody, so what is compared there is the protocol
alone.  Both servers get the same scene and the same calls; new credentials are used once, as their bearer would.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import pytest
from botocore.parsers import ResponseParserError
from tests.interop.clients import Boto3, Place, Refused, credentials_in
from tests.interop.idps.issuer import Issuer
from tests.interop.world import allow, policy, trusts

from locum.api.shapes import Kind, Member, Shape, members
from locum.api.sts import COMMANDS
from locum.cli.show import as_document
from locum.client import AsyncSTSClient, STSClient
from locum.errors import ServiceException
from locum.secret import Secret
from locum.testing import Clock, Credentials, running_server

pytestmark = pytest.mark.xdist_group("client-matrix")

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "client.md"
MOTO: Final = Path(sys.executable).with_name("moto_server")
ACCOUNT: Final = "111122223333"
ISSUER: Final = "https://ci.example.com"
SUBJECT: Final = "repo:acme/shop"
START_SECONDS: Final = 60
NOBODY: Final = Credentials(
    account_id=ACCOUNT, access_key_id="AKIAIOSFODNN7NOBODY1", secret_access_key=Secret("a-secret-of-nobody")
)


class Client(Protocol):
    """One call to STS under the names of the API; :class:`Refused` where the server answers an error."""

    def sts(self, who: Credentials, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """The answer's members."""


def shaped(shape: type[Shape], given: dict[str, Any]) -> dict[str, Any]:
    """Members by attribute from members by wire name."""
    return {
        member.attribute: _value(member, given[member.wire_name])
        for member in members(shape)
        if member.wire_name in given
    }


def _value(member: Member, value: Any) -> Any:
    if member.kind is Kind.LIST and member.element is not None:
        return tuple(_value(member.element, each) for each in value)
    if member.kind is Kind.STRUCTURE and member.shape is not None:
        return member.shape(**shaped(member.shape, value))
    return Secret(value) if member.limits.secret else value


def documented(answer: Shape) -> dict[str, Any]:
    document: dict[str, Any] = as_document(answer)
    return document


class Locum:
    """locum's blocking client."""

    def __init__(self, place: Place) -> None:
        self._client = STSClient(**_options(place))

    def sts(self, who: Credentials, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        command = COMMANDS[operation]
        try:
            return documented(self._client.send(command(**shaped(command, parameters)), credentials=who))
        except ServiceException as error:
            raise Refused(error.code, error.message, error.status) from None

    def close(self) -> None:
        self._client.close()


class AsyncLocum:
    """locum's client for asyncio, on a loop of its own."""

    def __init__(self, place: Place) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = AsyncSTSClient(**_options(place))

    def sts(self, who: Credentials, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        command = COMMANDS[operation]
        sending = self._client.send(command(**shaped(command, parameters)), credentials=who)
        try:
            return documented(self._loop.run_until_complete(sending))
        except ServiceException as error:
            raise Refused(error.code, error.message, error.status) from None

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


class Botocore:
    """boto3."""

    def __init__(self, place: Place) -> None:
        self._boto = Boto3(place)

    def sts(self, who: Credentials, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._boto.call(who, "sts", operation, parameters)
        except ResponseParserError:
            raise Refused("unreadable", "") from None

    def close(self) -> None:
        self._boto.close()


def _options(place: Place) -> Any:
    environment = {"HOME": "/nowhere", "AWS_EC2_METADATA_DISABLED": "true"}
    return {"endpoint_url": place.url, "region": place.region, "environment": environment, "max_attempts": 1}


CLIENTS: Final[dict[str, Callable[[Place], Any]]] = {
    "`STSClient`": Locum,
    "`AsyncSTSClient`": AsyncLocum,
    "boto3": Botocore,
}


class Scene(NamedTuple):
    """What is there before the calls: keys, roles, and what identity providers vouch with."""

    place: Place
    alice: Credentials
    mine: str
    closed: str
    saml: tuple[str, str]
    assertion: Callable[[], str]
    token: Callable[[], str]
    message: str


Check = Callable[[dict[str, Any], str], bool]


class Line(NamedTuple):
    """A row of the table: the call, and what its answer has to be; ``who`` is alice unless said otherwise."""

    title: str
    operation: str
    asked: Callable[[Scene], dict[str, Any]]
    right: Callable[[dict[str, Any]], bool]
    who: Credentials | None = None


def lasts(answer: dict[str, Any]) -> bool:
    """Whether the credentials of an answer have an end."""
    until = answer["Credentials"]["Expiration"]
    found = until if isinstance(until, datetime.datetime) else datetime.datetime.fromisoformat(until)
    return found.tzinfo is not None


def session_of(role: str, name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda answer: answer["AssumedRoleUser"]["Arn"].endswith(f":assumed-role/{role}/{name}") and lasts(answer)


LINES: Final = (
    Line(
        "AssumeRole",
        "AssumeRole",
        lambda scene: {
            "RoleArn": scene.mine,
            "RoleSessionName": "job",
            "DurationSeconds": 900,
            "Tags": [{"Key": "team", "Value": "blue"}],
        },
        session_of("mine", "job"),
    ),
    Line(
        "AssumeRoleWithSAML",
        "AssumeRoleWithSAML",
        lambda scene: (
            dict(zip(("RoleArn", "PrincipalArn"), scene.saml, strict=True)) | {"SAMLAssertion": scene.assertion()}
        ),
        session_of("engineer", "dana"),
    ),
    Line(
        "AssumeRoleWithWebIdentity",
        "AssumeRoleWithWebIdentity",
        lambda scene: {"RoleArn": scene.mine, "RoleSessionName": "job", "WebIdentityToken": scene.token()},
        session_of("mine", "job"),
    ),
    Line(
        "AssumeRoot",
        "AssumeRoot",
        lambda scene: {
            "TargetPrincipal": ACCOUNT,
            "TaskPolicyArn": {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"},
        },
        lasts,
    ),
    Line(
        "DecodeAuthorizationMessage",
        "DecodeAuthorizationMessage",
        lambda scene: {"EncodedMessage": scene.message},
        lambda answer: '"allowed":false' in answer["DecodedMessage"],
    ),
    Line(
        "GetAccessKeyInfo",
        "GetAccessKeyInfo",
        lambda scene: {"AccessKeyId": scene.alice.access_key_id},
        lambda answer: len(answer["Account"]) == 12,
    ),
    Line(
        "GetCallerIdentity",
        "GetCallerIdentity",
        lambda scene: {},
        lambda answer: answer["Arn"].endswith(":user/alice"),
    ),
    Line(
        "GetDelegatedAccessToken",
        "GetDelegatedAccessToken",
        lambda scene: {"TradeInToken": "a token"},
        lasts,
    ),
    Line(
        "GetFederationToken",
        "GetFederationToken",
        lambda scene: {"Name": "bob", "Policy": policy(allow("s3:GetObject"))},
        lambda answer: answer["FederatedUser"]["Arn"].endswith(":federated-user/bob") and lasts(answer),
    ),
    Line("GetSessionToken", "GetSessionToken", lambda scene: {"DurationSeconds": 900}, lasts),
    Line(
        "GetWebIdentityToken",
        "GetWebIdentityToken",
        lambda scene: {"Audience": ["api"], "SigningAlgorithm": "ES384"},
        lambda answer: answer["WebIdentityToken"].count(".") == 2,
    ),
    Line(
        "AssumeRole, role trusts somebody else",
        "AssumeRole",
        lambda scene: {"RoleArn": scene.closed, "RoleSessionName": "job"},
        session_of("closed", "job"),
    ),
    Line("GetCallerIdentity, unknown key", "GetCallerIdentity", lambda scene: {}, lambda _: True, NOBODY),
    Line(
        "AssumeRole, session policy is no JSON",
        "AssumeRole",
        lambda scene: {"RoleArn": scene.mine, "RoleSessionName": "job", "Policy": "{"},
        session_of("mine", "job"),
    ),
)


def outcome(client: Client, scene: Scene, line: Line) -> str:
    """``yes`` where the answer is right and its credentials are good for a call, else the code of the refusal."""
    try:
        answer = client.sts(line.who or scene.alice, line.operation, line.asked(scene))
        if not line.right(answer):
            return "wrong answer"
        if "Credentials" in answer:
            client.sts(credentials_in(answer), "GetCallerIdentity", {})
    except Refused as refused:
        return f"`{refused.code}`"
    return "yes"


# --- the two servers


@pytest.fixture(scope="module")
def company() -> Any:
    recipe = ROOT / "examples" / "company_login" / "identity_provider.py"
    return runpy.run_path(str(recipe))["IdentityProvider"]()


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer(ISSUER, Clock())


def set_up(place: Place, root: Credentials, company: Any, issuer: Issuer, message: str) -> Scene:
    """The same scene at either server, by boto3."""
    boto = Boto3(place)

    def iam(operation: str, **parameters: Any) -> dict[str, Any]:
        return boto.call(root, "iam", operation, parameters)

    alice = iam("CreateUser", UserName="alice")["User"]["Arn"]
    iam("PutUserPolicy", UserName="alice", PolicyName="all", PolicyDocument=policy(allow("*")))
    key = credentials_in(iam("CreateAccessKey", UserName="alice"))
    oidc = iam("CreateOpenIDConnectProvider", Url=ISSUER, ClientIDList=["sts.amazonaws.com"])
    saml = iam("CreateSAMLProvider", Name="company", SAMLMetadataDocument=company.metadata())["SAMLProviderArn"]
    login = trusts(
        actions=("sts:AssumeRoleWithWebIdentity",),
        when={"StringEquals": {"ci.example.com:aud": "sts.amazonaws.com", "ci.example.com:sub": SUBJECT}},
        Federated=oidc["OpenIDConnectProviderArn"],
    )
    made = {
        name: iam("CreateRole", RoleName=name, AssumeRolePolicyDocument=policy(*trust))["Role"]["Arn"]
        for name, trust in {
            "mine": (trusts(alice, actions=("sts:AssumeRole", "sts:TagSession")), login),
            "closed": (trusts(Service="ec2.amazonaws.com"),),
            "engineer": (
                trusts(
                    actions=("sts:AssumeRoleWithSAML",),
                    when={"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
                    Federated=saml,
                ),
            ),
        }.items()
    }
    boto.close()
    return Scene(
        place,
        key,
        made["mine"],
        made["closed"],
        (made["engineer"], saml),
        lambda: str(company.login("dana", Role=f"{made['engineer']},{saml}", RoleSessionName="dana")),
        lambda: issuer.token(SUBJECT),
        message,
    )


@pytest.fixture(scope="module")
def locum_scene(company: Any, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    keys = tmp_path_factory.mktemp("issuer") / "keys.json"
    keys.write_text(issuer.keys())
    table = {"provider": "arn:aws:iam::*:oidc-provider/ci.example.com", "jwks-file": str(keys)}
    with running_server(account_id=ACCOUNT, oidc=[table]) as running:
        place = Place(running.url, running.region)
        scene = set_up(place, running.root_credentials, company, issuer, "")
        boto = Boto3(place)
        boto.call(running.root_credentials, "iam", "EnableOutboundWebIdentityFederation", {})
        yield scene._replace(message=denial(boto, running.root_credentials))
        boto.close()


def denial(boto: Boto3, root: Credentials) -> str:
    """The encoded message that comes with a denial."""
    boto.call(root, "iam", "CreateUser", {"UserName": "carol"})
    carol = credentials_in(boto.call(root, "iam", "CreateAccessKey", {"UserName": "carol"}))
    client = boto.client(carol, "iam")
    heard: list[str] = []
    client.meta.events.register(
        "after-call.iam",
        lambda http_response, **_: heard.append(http_response.headers["x-locum-authorization-message"]),
    )
    with pytest.raises(Refused, match="AccessDenied"):
        boto.call(carol, "iam", "ListRoles", {})
    return heard[0]


@pytest.fixture(scope="module")
def moto_scene(company: Any, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    if not MOTO.exists():
        pytest.skip(f"{MOTO.name} is not installed (make dev): the clients are NOT tested against moto")
    root = Credentials(
        account_id=ACCOUNT, access_key_id="AKIAMOTOMOTOMOTOMOT1", secret_access_key=Secret("any secret will do")
    )
    with moto_server(tmp_path_factory.mktemp("moto")) as url:
        yield set_up(Place(url, "us-east-1"), root, company, issuer, "a message")


@contextmanager
def moto_server(folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "MOTO_ACCOUNT_ID": ACCOUNT}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(MOTO), "-H", "127.0.0.1", "-p", str(port)], cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
                break
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# --- the table


def column(scene: Scene, make: Callable[[Place], Any]) -> list[str]:
    client = make(scene.place)
    try:
        return [outcome(client, scene, line) for line in LINES]
    finally:
        client.close()


def stated(server: str, name: str) -> dict[str, str]:
    """What the page says of a client at a server: row → cell."""
    part = PAGE.read_text().partition("<!-- matrix: held by tests/interop/test_client_matrix.py -->\n")[2]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in part.partition("\n\n")[0].splitlines()]
    heads = rows[0]
    place = heads.index(f"{server}: {name}")
    return {row[0]: row[place] for row in rows[2:]}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_at_locum(name: str, locum_scene: Scene) -> None:
    found = dict(zip([line.title for line in LINES], column(locum_scene, CLIENTS[name]), strict=True))
    assert stated("locum", name) == found


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_at_moto(name: str, moto_scene: Scene) -> None:
    found = dict(zip([line.title for line in LINES], column(moto_scene, CLIENTS[name]), strict=True))
    assert stated("moto", name) == found


def test_every_operation_has_its_row() -> None:
    assert [line.title for line in LINES][: len(COMMANDS)] == list(COMMANDS)
