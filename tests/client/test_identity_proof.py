"""Proofs of identity: what is made, what is accepted, and that nothing a stranger writes shapes what STS is asked."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.client import AsyncSTSClient, STSClient
from locum.client import identity as proofs
from locum.client.credentials import Credentials
from locum.client.effects import Send
from locum.client.failures import ClientFailure, ConfigurationFailure, ConnectionFailure, UnreadableResponse
from locum.client.identity import Form, Identity, IdentityRefused
from locum.errors import InternalFailure, InvalidClientTokenId, ServiceException, Throttling
from locum.http import Response
from locum.secret import Secret
from locum.testing import RunningServer, server_fixture
from locum.wire.sigv4 import Credentials as Keys

from .far_end import GOOD, ME, START, FarEnd, answer, calls, refusal, settings

CLUSTER: Final = {"x-k8s-aws-id": "my-cluster"}
SESSION: Final = Keys(
    "ASIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), Secret("SESSION/TOKEN+EXAMPLE==")
)
HERE: Final = settings(region="us-east-1")
URL: Final = "https://sts.us-east-1.amazonaws.com/?"


def made(form: Form = Form.URL, headers: dict[str, str] = CLUSTER, keys: Keys = SESSION, **options: Any) -> str:
    flow = proofs._proving(calls(**{"credentials": keys, "region": "us-east-1"} | options), headers, form)
    return FarEnd(GOOD).play(flow).reveal()


def tried(
    proof: str, *answers: Any, headers: dict[str, str] = CLUSTER, max_age: float = 900, now: float = START
) -> tuple[Identity | Exception, list[Send]]:
    far_end = FarEnd(*(answers or (GOOD,)), now=now)
    try:
        found: Identity | Exception = far_end.play(proofs._verifying(HERE, proof, headers, max_age))
    except (ClientFailure, ServiceException) as error:
        found = error
    return found, far_end.sent


# What is made


@pytest.mark.facts("STS-SIG-029")
def test_a_plain_proof_is_the_known_url() -> None:
    keys = Keys("AKIDEXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"))
    url = made(headers={}, keys=keys)
    assert url.endswith("&X-Amz-Signature=4e39cda38cc8b405d98303c0134a35ad91da88a679bfdbda6fa31655ac1a0de2")
    assert url.startswith(f"{URL}Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&")
    assert "&X-Amz-Expires=60&X-Amz-SignedHeaders=host&" in url


@pytest.mark.facts("STS-SIG-009", "STS-SIG-030")
def test_a_proof_of_a_session_for_a_cluster_is_the_known_url() -> None:
    url = made()
    assert url.endswith("&X-Amz-Signature=c46eb60c18494c70983aa236e71467f8327db9a12a6596f00fb62db6905d3132")
    assert "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Security-Token=SESSION%2FTOKEN%2BEXAMPLE%3D%3D&" in url


@pytest.mark.facts("STS-SIG-011")
def test_a_token_is_the_same_url_in_unpadded_base64() -> None:
    token = made(Form.TOKEN)
    head, _, rest = token.partition("k8s-aws-v1.")
    assert (head, set("=+/") & set(rest)) == ("", set())
    assert base64.urlsafe_b64decode(rest + "=" * (-len(rest) % 4)).decode() == made()


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "sts.evil.example"},
        {"x-amz-date": "20260102T030405Z"},
        {"X-Amz-Target": "x"},
        {"accept": "application/json"},
        {"content-type": "x"},
        {"user-agent": "x"},
        {"authorization": "x"},
        {"x-id": "a\r\nx: y"},
        {"x-id": ""},
        {"x-id": " a"},
        {"x-id": "a  b"},
        {"x-id": "ü"},
        {"x_id": "a"},
        {"x-id": "a", "X-ID": "a"},
        {f"x-{number}": "a" for number in range(9)},
        {"x-id": "a" * 1001},
    ],
)
def test_headers_that_cannot_bind_a_proof_are_refused_at_both_ends(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigurationFailure, match="headers"):
        made(headers=headers)
    found, sent = tried(made(), headers=headers)
    assert (type(found), sent) == (ConfigurationFailure, [])


# What is accepted


@pytest.mark.parametrize("form", Form)
@pytest.mark.facts("R21")
def test_every_form_leads_to_the_same_answer(form: Form) -> None:
    found, (sent,) = tried(made(form), now=START + 899)
    assert isinstance(found, Identity)
    assert (found.arn, found.account, found.user_id) == (ME.arn, ME.account, ME.user_id)
    assert found.principal_arn == ME.arn
    assert found.access_key_id == "ASIAIOSFODNN7EXAMPLE"
    assert found.signed_at.timestamp() == START
    assert (sent.origin, sent.request.path) == ("https://sts.us-east-1.amazonaws.com", "/")
    assert sent.request.header("x-k8s-aws-id") == "my-cluster"
    assert "SESSION" not in repr(found)


def test_a_proof_has_one_id_however_it_is_wrapped() -> None:
    ids = {tried(proof)[0].proof_id for proof in (made(), made(Form.TOKEN), made())}  # type: ignore[union-attr]
    others = {tried(made(headers=CLUSTER | {"x-more": "a"}), headers=CLUSTER | {"x-more": "a"})[0].proof_id}  # type: ignore[union-attr]
    assert len(ids) == 1
    assert ids.isdisjoint(others)


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        ("arn:aws:sts::111122223333:assumed-role/deploy/me", "arn:aws:iam::111122223333:role/deploy"),
        ("arn:aws:sts::111122223333:federated-user/me", "arn:aws:sts::111122223333:federated-user/me"),
        ("arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:root"),
    ],
)
def test_a_session_is_looked_up_by_its_role(arn: str, principal: str) -> None:
    said = type(ME)(arn=arn, user_id="AROAIOSFODNN7TESTKEY:me", account="111122223333")
    found, _ = tried(made(), answer(said))
    assert isinstance(found, Identity)
    assert found.principal_arn == principal


PARAMETERS: Final = made().partition("?")[2]


def swapped(name: str, value: str) -> str:
    return "&".join(f"{name}={value}" if each.startswith(f"{name}=") else each for each in PARAMETERS.split("&"))


@pytest.mark.facts("R21")
@pytest.mark.parametrize(
    "proof",
    [
        "",
        "k8s-aws-v1.",
        "k8s-aws-v1.!!",
        "K8S-AWS-V1." + made(Form.TOKEN).partition(".")[2],
        made(Form.TOKEN) + "=",
        made(Form.TOKEN) + "\n",
        "k8s-aws-v1." + made(Form.TOKEN).replace("k8s-aws-v1.", "k8s-aws-v1.k8s-aws-v1."),
        f"{URL}{PARAMETERS}#{PARAMETERS}",
        f"{URL}{PARAMETERS}\n",
        f" {URL}{PARAMETERS}",
        f"{URL}{PARAMETERS}&",
        f"https://sts.evil.example/?{PARAMETERS}",
        f"https://sts.us-east-1.amazonaws.com.evil.example/?{PARAMETERS}",
        f"https://sts.us-east-1.amazonaws.com@evil.example/?{PARAMETERS}",
        f"https://evil.example@sts.us-east-1.amazonaws.com/?{PARAMETERS}",
        f"https://sts.us-east-1.amazonaws.com:8443/?{PARAMETERS}",
        f"https://sts.us-east-1.amazonaws.com\\@evil.example/?{PARAMETERS}",
        f"https://sts.eu-west-1.amazonaws.com/?{PARAMETERS}",
        f"http://sts.us-east-1.amazonaws.com/?{PARAMETERS}",
        f"https://sts.us-east-1.amazonaws.com/x/?{PARAMETERS}",
        f"https://sts.us-east-1.amazonaws.com//?{PARAMETERS}",
        f"https://sts.us-east-1.amazonaws.com/x/../?{PARAMETERS}",
        f"https://sts.us-east-1.amazonaws.com?{PARAMETERS}",
        "https://sts.us-east-1.amazonaws.com/",
        URL + swapped("Action", "AssumeRole"),
        URL + swapped("Action", "getcalleridentity"),
        URL + swapped("Version", "2010-05-08"),
        URL + swapped("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"),
        URL + swapped("X-Amz-Credential", "ASIAIOSFODNN7EXAMPLE%2F20260102%2Feu-west-1%2Fsts%2Faws4_request"),
        URL + swapped("X-Amz-Credential", "ASIAIOSFODNN7EXAMPLE%2F20260102%2Fus-east-1%2Fiam%2Faws4_request"),
        URL + swapped("X-Amz-Credential", "ASIAIOSFODNN7EXAMPLE%2F20260101%2Fus-east-1%2Fsts%2Faws4_request"),
        URL + swapped("X-Amz-Credential", "x"),
        URL + swapped("X-Amz-Date", "20260102T030405"),
        URL + swapped("X-Amz-Date", "20260102T990405Z"),
        URL + swapped("X-Amz-Expires", "901"),
        URL + swapped("X-Amz-Expires", "-1"),
        URL + swapped("X-Amz-Expires", "%D9%A1"),
        URL + swapped("X-Amz-SignedHeaders", "host"),
        URL + swapped("X-Amz-SignedHeaders", "x-k8s-aws-id"),
        URL + swapped("X-Amz-SignedHeaders", "x-k8s-aws-id%3Bhost"),
        URL + swapped("X-Amz-SignedHeaders", "host%3Bhost%3Bx-k8s-aws-id"),
        URL + swapped("X-Amz-SignedHeaders", "accept%3Bhost%3Bx-k8s-aws-id"),
        URL + swapped("X-Amz-Signature", "0" * 63),
        URL + swapped("X-Amz-Signature", "A" * 64),
        URL + swapped("X-Amz-Security-Token", "a%0D%0Ab"),
        URL + swapped("X-Amz-Security-Token", "a%FFb"),
        URL + swapped("X-Amz-Security-Token", "%zz"),
        URL + swapped("X-Amz-Security-Token", ""),
        URL + PARAMETERS.replace("&X-Amz-Date=", "&x-amz-date="),
        f"{URL}{PARAMETERS}&Action=AssumeRole",
        f"{URL}{PARAMETERS}&Action=GetCallerIdentity",
        f"{URL}{PARAMETERS}&RoleArn=x",
        f"{URL}{PARAMETERS}&X-Amz-Security-Token",
        f"{URL}{PARAMETERS}&%41ction=GetCallerIdentity",
        URL + PARAMETERS + "&" + "a" * 20_000,
    ],
)
def test_what_is_not_exactly_a_presigned_identity_is_never_sent(proof: str) -> None:
    found, sent = tried(proof)
    assert (type(found), sent) == (IdentityRefused, [])
    assert "SESSION" not in str(found)


def login(change: Callable[[dict[str, Any]], object] | None = None, /, **headers: Any) -> str:
    """A login, its document changed, and headers replaced or, where None, taken away."""
    document = json.loads(made(Form.LOGIN))
    said = json.loads(base64.b64decode(document["iam_request_headers"])) | headers
    said = {name: value for name, value in said.items() if value is not None}
    document["iam_request_headers"] = b64(json.dumps(said))
    if change is not None:
        change(document)
    return json.dumps(document)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def put(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda document: document.update(values)


SIGNED: Final[str] = json.loads(base64.b64decode(json.loads(made(Form.LOGIN))["iam_request_headers"]))["authorization"][
    0
]


@pytest.mark.facts("R21", "STS-SIG-012")
@pytest.mark.parametrize(
    "proof",
    [
        "{",
        "{}",
        "{" * 5000,
        login(put(iam_http_request_method="GET")),
        login(put(iam_request_url=b64("https://sts.evil.example/"))),
        login(put(iam_request_url=b64("https://sts.us-east-1.amazonaws.com/?Action=AssumeRole"))),
        login(put(iam_request_url="https://sts.us-east-1.amazonaws.com/")),
        login(put(iam_request_url=None)),
        login(put(iam_request_body=b64("Action=GetCallerIdentity&Version=2011-06-15&Action=AssumeRole"))),
        login(put(iam_request_body=b64("Action=AssumeRole&Version=2011-06-15"))),
        login(put(iam_request_body=b64("{}"))),
        login(put(iam_request_headers=[])),
        login(put(iam_request_headers=b64("[]"))),
        login(put(iam_request_headers=b64('{"host": "a", "host": "b"}'))),
        login(host="sts.evil.example"),
        login(Host="sts.us-east-1.amazonaws.com"),
        login(accept="application/json"),
        login(**{"x-amz-target": "AssumeRole"}),
        login(**{"transfer-encoding": "chunked"}),
        login(**{"content-length": "1"}),
        login(**{"content-type": "application/json"}),
        login(**{"content-type": None}),
        login(**{"x-k8s-aws-id": "other"}),
        login(**{"x-k8s-aws-id": ["my-cluster", "other"]}),
        login(**{"x-k8s-aws-id": None}),
        login(**{"x-amz-date": "yesterday"}),
        login(**{"x-amz-date": None}),
        login(**{"x-amz-security-token": "a b"}),
        login(authorization=None),
        login(authorization=SIGNED + "0"),
        login(authorization=SIGNED.replace(";x-k8s-aws-id", "")),
        login(authorization=SIGNED.replace("host;", "")),
        login(authorization=SIGNED.replace(";x-amz-security-token", "")),
        login(authorization=SIGNED.replace("host;", "host;user-agent;")),
        login(authorization=SIGNED.replace("us-east-1", "eu-west-1")),
    ],
)
def test_what_is_not_exactly_a_signed_identity_is_never_sent(proof: str) -> None:
    found, sent = tried(proof)
    assert (type(found), sent) == (IdentityRefused, [])


def test_the_headers_of_a_login_may_be_texts_and_an_object() -> None:
    document = json.loads(made(Form.LOGIN))
    said = json.loads(base64.b64decode(document["iam_request_headers"]))
    document["iam_request_headers"] = {name.title(): value[0] for name, value in said.items()}
    document["iam_request_headers"] |= {"User-Agent": "vault", "Accept-Encoding": "gzip", "Content-Length": "43"}
    document["role"] = "dev"
    found, (sent,) = tried(json.dumps(document))
    assert isinstance(found, Identity)
    assert sent.request.header("accept-encoding") is None


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("headers", [{}, {"x-k8s-aws-id": "other"}, {"x-other": "my-cluster"}, CLUSTER | {"x-b": "c"}])
def test_a_proof_for_others_is_not_taken_as_one_for_us(form: Form, headers: dict[str, str]) -> None:
    found, sent = tried(made(form), refusal(InvalidClientTokenId("")), headers=headers)
    assert isinstance(found, IdentityRefused)
    # Of a presigned URL the value is known to the signature alone, so STS is asked about the one that is expected.
    assert [each.request.header("x-k8s-aws-id") for each in sent] == (
        ["other"] if form is not Form.LOGIN and headers.get("x-k8s-aws-id") == "other" else []
    )


@pytest.mark.facts("STS-SIG-010", "STS-SIG-018")
@pytest.mark.parametrize(
    ("later", "max_age", "fine"),
    [(899, 900, True), (61, 900, True), (901, 900, False), (31, 30, False), (-900, 900, True), (-901, 900, False)],
)
def test_a_proof_counts_for_a_time_that_its_own_expires_does_not_say(later: float, max_age: float, fine: bool) -> None:
    found, sent = tried(made(), max_age=max_age, now=START + later)
    assert isinstance(found, Identity if fine else IdentityRefused)
    assert len(sent) == fine


@pytest.mark.parametrize("max_age", [0, -1, 901, float("nan"), float("inf")])
def test_an_age_beyond_what_sts_takes_is_wrong(max_age: float) -> None:
    assert isinstance(tried(made(), max_age=max_age)[0], ConfigurationFailure)


@pytest.mark.facts("R21")
@given(
    st.one_of(st.text(), st.text().map(lambda text: f"{URL}{text}"), st.text().map(lambda text: "k8s-aws-v1." + text))
)
def test_any_text_is_refused_and_never_sent(text: str) -> None:
    found, sent = tried(text)
    assert (type(found), sent) == (IdentityRefused, [])


@pytest.mark.facts("R21")
@given(st.sampled_from([*Form]), st.data())
def test_whatever_is_changed_the_question_stays_the_same(form: Form, data: st.DataObject) -> None:
    proof = made(form)
    at = data.draw(st.integers(0, len(proof) - 1))
    changed = proof[:at] + data.draw(st.one_of(st.characters(), st.text(max_size=3))) + proof[at + 1 :]
    found, sent = tried(changed)
    assert isinstance(found, Identity | IdentityRefused)
    for each in sent:
        request = each.request
        assert each.origin == "https://sts.us-east-1.amazonaws.com"
        assert (request.path, request.header("host")) == ("/", "sts.us-east-1.amazonaws.com")
        assert request.header("x-k8s-aws-id") == "my-cluster"
        asked = parse_qs(request.query or request.body.decode(), strict_parsing=True)
        assert (asked["Action"], asked["Version"]) == (["GetCallerIdentity"], ["2011-06-15"])
        assert {name for name, _ in request.headers} <= {
            *("host", "x-k8s-aws-id", "content-type", "x-amz-date", "x-amz-security-token", "authorization"),
        }


# What is made of answers

XML_ANSWER: Final = GOOD.body.decode()


@pytest.mark.facts("R21")
@pytest.mark.parametrize(
    ("prepared", "kind"),
    [
        (refusal(InvalidClientTokenId("The security token included in the request is invalid.")), IdentityRefused),
        (refusal(Throttling("Rate exceeded")), Throttling),
        (refusal(InternalFailure("")), InternalFailure),
        (ConnectionFailure("gone"), ConnectionFailure),
        (Response(302, (("location", "https://evil.example/"),), b""), UnreadableResponse),
        (
            Response(200, (("content-type", "application/json"),), b'{"GetCallerIdentityResponse": {}}'),
            UnreadableResponse,
        ),
        (Response(200, (), GOOD.body), UnreadableResponse),
        (Response(200, GOOD.headers, b"<html/>"), UnreadableResponse),
        (
            Response(200, GOOD.headers, XML_ANSWER.replace("GetCallerIdentityR", "AssumeRoleR").encode()),
            UnreadableResponse,
        ),
        (Response(200, GOOD.headers, XML_ANSWER.replace("<Account>1", "<Account>2").encode()), UnreadableResponse),
        (Response(200, GOOD.headers, XML_ANSWER.replace("arn:aws:iam", "arn:aws:s3").encode()), UnreadableResponse),
        (Response(200, GOOD.headers, XML_ANSWER.replace("AIDA", "&#10;").encode()), UnreadableResponse),
        (
            Response(200, GOOD.headers, XML_ANSWER.replace("<Arn>", "<Arn>arn:aws:iam::1:root</Arn><Arn>").encode()),
            UnreadableResponse,
        ),
    ],
)
def test_an_answer_that_is_not_the_one_expected_proves_nothing(prepared: Any, kind: type[Exception]) -> None:
    found, _ = tried(made(), prepared)
    assert type(found) is kind


# A real server

pytestmark = pytest.mark.xdist_group("running-server")
running = server_fixture(scope="module", region="eu-central-1", account_id="111122223333")


@pytest.fixture
def client(running: RunningServer) -> Iterator[STSClient]:
    environment = {"HOME": "/nowhere", **running.environment()}
    with STSClient(environment=environment) as client:
        yield client


@pytest.mark.facts("STS-SIG-009", "STS-SIG-012", "STS-SIG-013")
@pytest.mark.parametrize("form", Form)
def test_a_server_says_who_made_a_proof_again_and_again(client: STSClient, form: Form) -> None:
    proof = proofs.prove(client, headers=CLUSTER, form=form)
    anybody = client.with_options()
    found = [proofs.verify(anybody, proof, headers=CLUSTER) for _ in range(2)]
    assert found[0] == found[1]
    assert found[0].arn == "arn:aws:iam::111122223333:root"


@pytest.mark.parametrize("form", Form)
def test_a_server_refuses_a_proof_that_was_changed_or_is_for_others(client: STSClient, form: Form) -> None:
    proof = proofs.prove(client, headers=CLUSTER, form=Form.URL).reveal()
    last = "1" if proof[-1] == "0" else "0"
    with pytest.raises(IdentityRefused, match="SignatureDoesNotMatch"):
        proofs.verify(client, proof[:-1] + last, headers=CLUSTER)
    with pytest.raises(IdentityRefused):
        proofs.verify(client, proofs.prove(client, headers=CLUSTER, form=form), headers={"x-k8s-aws-id": "other"})


def test_what_boto3_presigns_for_a_cluster_is_accepted(running: RunningServer, client: STSClient) -> None:
    sts = boto3.client("sts", **running.boto3_arguments())
    sts.meta.events.register(
        "before-sign.sts.GetCallerIdentity",
        lambda request, **_: request.headers.add_header("x-k8s-aws-id", "production"),
    )
    url = sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    assert urlsplit(url).query.count("x-k8s-aws-id") == 1
    found = proofs.verify(client, url, headers={"X-K8s-Aws-Id": "production"})
    assert found.access_key_id == running.root_credentials.access_key_id


def test_a_verifier_needs_no_credentials_and_works_in_asyncio(running: RunningServer, client: STSClient) -> None:
    proof = proofs.prove(client, headers=CLUSTER)
    there: Any = {"HOME": "/nowhere", "AWS_EC2_METADATA_DISABLED": "true"}

    async def ask() -> Identity:
        async with AsyncSTSClient(endpoint_url=running.url, region="eu-central-1", environment=there) as verifier:
            return await proofs.async_verify(verifier, proof, headers=CLUSTER)

    async def make() -> Secret:
        keys = running.root_credentials
        credentials = Credentials(keys.access_key_id, keys.secret_access_key)
        async with AsyncSTSClient(
            endpoint_url=running.url, region="eu-central-1", credentials=credentials, environment=there
        ) as maker:
            return await proofs.async_prove(maker, headers=CLUSTER, form=Form.TOKEN)

    assert asyncio.run(ask()).account == "111122223333"
    assert proofs.verify(client, asyncio.run(make()), headers=CLUSTER).account == "111122223333"
