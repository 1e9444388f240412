"""Signed requests that somebody else sends: presigned URLs, the Kubernetes authenticator's token, Vault's proof.

The signing is done by real clients; the sending as those verifiers do it, with nothing but HTTP.
"""

from __future__ import annotations

import base64
import http.client
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from tests.interop.clients import AwsCli, credentials_in
from tests.interop.world import Account, trusts

from locum.testing import Credentials, RunningServer

pytestmark = pytest.mark.xdist_group("interop-replay")

NAMESPACE = {"sts": "https://sts.amazonaws.com/doc/2011-06-15/"}
MISMATCH = "SignatureDoesNotMatch"
CLUSTER = "demo"
TOKEN_PREFIX = "k8s-aws-v1."
LONGEST_TOKEN = 4_096
TOKEN_PARAMETERS = {
    *("action", "version", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires"),
    *("x-amz-security-token", "x-amz-signature", "x-amz-signedheaders"),
}
SERVER_ID = "X-Vault-AWS-IAM-Server-ID"


class Answer(NamedTuple):
    status: int
    kind: str
    body: str

    def member(self, name: str) -> str | None:
        """The text of an element of an XML answer."""
        return ElementTree.fromstring(self.body).findtext(f".//sts:{name}", namespaces=NAMESPACE)


def send(method: str, url: str, body: str = "", headers: Mapping[str, str] | None = None) -> Answer:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        connection.request(method, target, body or None, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.headers["Content-Type"], response.read().decode())
    finally:
        connection.close()


def presigned(account: Account, who: Credentials, seconds: int = 60) -> str:
    url: str = account.boto.client(who, "sts").generate_presigned_url(
        "get_caller_identity", ExpiresIn=seconds, HttpMethod="GET"
    )
    return url


@pytest.mark.facts("STS-SIG-013", "STS-W-003", "STS-SIG-007", "STS-SIG-015")
def test_a_presigned_url_tells_who_signed_it_as_often_as_it_is_sent(account: Account) -> None:
    user = account.user()
    role = account.role(trusts(user.arn))
    session = account.assume(user.key, role)
    for key, own in ((user.key, user.arn), (session.key, session.arn)):
        url = presigned(account, key)
        answers = [send("GET", url) for _ in range(3)]
        assert [(each.status, each.kind, each.member("Arn")) for each in answers] == [(200, "text/xml", own)] * 3


@pytest.mark.facts("STS-GCI-003")
def test_the_members_of_an_identity_are_in_awss_order(account: Account) -> None:
    result = ElementTree.fromstring(send("GET", presigned(account, account.root)).body)[0]
    assert [each.tag.rpartition("}")[2] for each in result] == ["Arn", "UserId", "Account"]


@pytest.mark.facts("STS-SIG-010", "STS-SIG-018", "STS-SIG-T16")
def test_a_presigned_url_is_good_for_15_minutes_whatever_it_says(server: RunningServer, account: Account) -> None:
    for seconds in (1, 60, 604_800):
        url = presigned(account, account.root, seconds)
        for turned in (-890, 0, 890):
            with server.clock.turned(turned):
                assert send("GET", url).status == 200
        for turned, text in ((-915, "Signature not yet current: "), (915, "Signature expired: ")):
            with server.clock.turned(turned):
                answer = send("GET", url)
            assert (answer.status, answer.member("Code")) == (403, MISMATCH)
            assert (answer.member("Message") or "").startswith(text)


@pytest.mark.facts("R22")
def test_a_presigned_url_is_good_for_what_was_signed_and_nothing_else(account: Account) -> None:
    url = presigned(account, account.root)
    other = url.replace("Action=GetCallerIdentity", "Action=GetSessionToken")
    moved = send("POST", url, headers={"Content-Type": "application/x-www-form-urlencoded"})
    added = send("GET", f"{url}&DurationSeconds=900")
    for answer in (send("GET", other), moved, added):
        assert (answer.status, answer.member("Code")) == (403, MISMATCH)


def authenticator(token: str, *, cluster: str = CLUSTER) -> Answer:
    """What the Kubernetes authenticator does with a token (STS-SIG-011)."""
    assert token.startswith(TOKEN_PREFIX)
    assert len(token) <= LONGEST_TOKEN
    encoded = token.removeprefix(TOKEN_PREFIX)
    assert "=" not in encoded
    url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    parts = urllib.parse.urlsplit(url)
    given = {name.lower(): value for name, value in urllib.parse.parse_qsl(parts.query, keep_blank_values=True)}
    assert parts.path == "/"
    assert set(given) <= TOKEN_PARAMETERS
    assert given["action"] == "GetCallerIdentity"
    assert "x-k8s-aws-id" in given["x-amz-signedheaders"].split(";")
    return send("GET", url, headers={"x-k8s-aws-id": cluster, "Accept": "application/json"})


@pytest.mark.facts("STS-SIG-011", "STS-SIG-009", "STS-SIG-013", "STS-W-032", "STS-W-033")
def test_a_token_of_aws_eks_get_token_proves_who_made_it(cli: AwsCli, account: Account) -> None:
    user = account.user()
    role = account.role(trusts(user.arn))
    session = account.assume(user.key, role)
    for key, own, user_id in ((user.key, user.arn, user.id), (session.key, session.arn, f"{role.id}:job")):
        printed = json.loads(cli.run("eks", "get-token", "--cluster-name", CLUSTER, who=key))
        token = printed["status"]["token"]
        for _ in range(2):
            answer = authenticator(token)
            assert (answer.status, answer.kind) == (200, "application/json")
            document = json.loads(answer.body)
            assert set(document) == {"GetCallerIdentityResponse"}
            assert document["GetCallerIdentityResponse"]["GetCallerIdentityResult"] == {
                "Account": account.id,
                "Arn": own,
                "UserId": user_id,
            }
            assert document["GetCallerIdentityResponse"]["ResponseMetadata"]["RequestId"]
        refused = authenticator(token, cluster="another")
        assert (refused.status, json.loads(refused.body)["Error"]["Code"]) == (403, MISMATCH)


def vault_login(server: RunningServer, who: Credentials) -> dict[str, str]:
    """What a client of Vault's AWS auth method hands over: a signed request, taken apart."""
    request = AWSRequest(
        "POST",
        f"{server.url}/",
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", SERVER_ID: "vault.example.com"},
        data="Action=GetCallerIdentity&Version=2011-06-15",
    )
    token = who.session_token
    signer = BotocoreCredentials(
        who.access_key_id, who.secret_access_key.reveal(), None if token is None else token.reveal()
    )
    SigV4Auth(signer, "sts", server.region).add_auth(request)
    headers = {name: [value] for name, value in request.headers.items()}
    return {
        "iam_http_request_method": "POST",
        "iam_request_url": base64.b64encode(request.url.encode()).decode(),
        "iam_request_body": base64.b64encode(request.data.encode()).decode(),
        "iam_request_headers": base64.b64encode(json.dumps(headers).encode()).decode(),
    }


def vault(login: dict[str, str], **changed: str) -> Answer:
    """What Vault does with it."""
    url, body = (base64.b64decode(login[name]).decode() for name in ("iam_request_url", "iam_request_body"))
    headers: dict[str, list[str]] = json.loads(base64.b64decode(login["iam_request_headers"]))
    sent = {name: ", ".join(values) for name, values in headers.items()} | changed
    return send(login["iam_http_request_method"], url, body, sent)


@pytest.mark.facts("STS-SIG-012", "STS-SIG-009", "STS-SIG-013", "STS-SIG-014")
def test_vault_learns_who_signed_a_request_that_it_is_handed(server: RunningServer, account: Account) -> None:
    user = account.user()
    keys: list[Any] = [user.key, credentials_in(account.sts(user.key, "GetSessionToken"))]
    for key in keys:
        login = vault_login(server, key)
        for turned in (0, 600):
            with server.clock.turned(turned):
                answer = vault(login)
            assert (answer.status, answer.member("Arn"), answer.member("UserId")) == (200, user.arn, user.id)
        answer = vault(login, Accept="application/json")
        assert json.loads(answer.body)["GetCallerIdentityResponse"]["GetCallerIdentityResult"]["Arn"] == user.arn
        refused = vault(login, **{SERVER_ID: "evil.example.com"})
        assert (refused.status, refused.member("Code")) == (403, MISMATCH)


@pytest.mark.facts("STS-SIG-025", "STS-SIG-T06", "STS-CALL-T08", "R43")
def test_a_request_without_a_signature_is_told_so(server: RunningServer) -> None:
    answer = send("GET", f"{server.url}/?Action=GetCallerIdentity&Version=2011-06-15")
    assert (answer.status, answer.member("Code"), answer.member("Message")) == (
        403,
        "MissingAuthenticationToken",
        "Request is missing Authentication Token",
    )


@pytest.mark.facts("STS-SIG-025", "STS-SIG-T10")
def test_a_request_with_half_a_signature_is_told_so(server: RunningServer) -> None:
    answer = send(
        "POST",
        f"{server.url}/",
        "Action=GetCallerIdentity&Version=2011-06-15",
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": "AWS4-HMAC-SHA256 SignedHeaders=host",
            "X-Amz-Date": "20260102T030405Z",
        },
    )
    assert (answer.status, answer.member("Code")) == (400, "IncompleteSignature")
