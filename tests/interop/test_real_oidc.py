"""npm's certified OpenID provider: people log in with a code flow, and their ID tokens become sessions.

The tokens are first verified by PyJWT and jwcrypto from the published keys: what they accept is what must be accepted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import jwt
import pytest
from jwcrypto import jwk
from jwcrypto import jwt as jwcrypto_jwt
from tests.interop.clients import Boto3, Client, Place, Refused, credentials_in
from tests.interop.idps.authority import Authority
from tests.interop.idps.oidc import OidcProvider, oidc_provider, why_not
from tests.interop.world import Account, Role, World, allow, told, trusts

from locum.testing import Clock, RunningServer, running_server

pytestmark = pytest.mark.xdist_group("interop-real-oidc")

ACCOUNT: Final = "111122223333"
"""The account whose providers may also sign with PS256 and EdDSA."""
LOGIN: Final = "sts:AssumeRoleWithWebIdentity"
WITH_TAGS: Final = (LOGIN, "sts:TagSession", "sts:SetSourceIdentity")
AS_AWS: Final = ["RS256", "ES256", "ES384"]
OPTED_IN: Final = ["PS256", "EdDSA"]
NO_KEY: Final = (
    "InvalidIdentityToken",
    "Couldn't retrieve verification key from your identity provider,  "
    "please reference AssumeRoleWithWebIdentity documentation for requirements",
    400,
)
NOT_THAT_CERTIFICATE: Final = (
    "InvalidIdentityToken",
    "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
    400,
)
GOOGLE: Final = {"StringEquals": {"accounts.google.com:aud": "portal"}}
NOT_ALLOWED: Final = ("AccessDenied", f"Not authorized to perform {LOGIN}", 403)

PEOPLE: Final[dict[str, dict[str, Any]]] = {
    "mia": {
        "https://aws.amazon.com/tags": {
            "principal_tags": {"team": ["blue"], "stage": ["test"]},
            "transitive_tag_keys": ["team"],
        },
        "https://aws.amazon.com/source_identity": "mia@company.example",
        "email": "mia@company.example",
    },
    "otto": {},
}


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
def first(server: RunningServer, boto: Boto3) -> Account:
    return Account(boto, server.root_credentials)


def name_of(idp: OidcProvider) -> str:
    """The issuer as provider ARNs and condition keys have it."""
    return idp.issuer.partition("://")[2]


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def reached(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the server must be told of the provider to reach it: its authority, and that its address is private."""
    certificate = tmp_path_factory.mktemp("trust") / "company-ca.crt"
    certificate.write_text(authority.certificate)
    return {"ca-file": str(certificate), "networks": ["127.0.0.0/8"]}


@pytest.fixture(scope="module")
def server(idp: OidcProvider, reached: dict[str, Any], clock: Clock) -> Iterator[RunningServer]:
    generous = {"provider": f"arn:aws:iam::{ACCOUNT}:oidc-provider/*", "extra-algorithms": OPTED_IN}
    tables = [generous | reached, {"provider": f"arn:aws:iam::*:oidc-provider/{name_of(idp)}"} | reached]
    with running_server(oidc=tables, account_id=ACCOUNT, clock=clock, on_disk=True) as running:
        yield running


def trusting(account: Account, idp: OidcProvider, *actions: str, **asked: str) -> Role:
    """A role that trusts the provider's people where the claims ``asked`` are so; the provider is made with it."""
    clients = [idp.client_id(algorithm) for algorithm in [*AS_AWS, *OPTED_IN, "HS256"]]
    url = f"https://{name_of(idp)}"
    try:
        made = account.iam("CreateOpenIDConnectProvider", Url=url, ClientIDList=clients)["OpenIDConnectProviderArn"]
    except Refused:
        made = f"arn:aws:iam::{account.id}:oidc-provider/{name_of(idp)}"
    when = {"StringEquals": {f"{name_of(idp)}:{claim}": value for claim, value in asked.items()}}
    own_team = {"StringEquals": {"aws:PrincipalTag/team": "blue"}}
    return account.role(
        trusts(actions=actions, when=when, Federated=made), may=(allow("iam:ListRoles", when=own_team),)
    )


def login(account: Account, role: Role, token: str, client: Client | None = None, **more: Any) -> dict[str, Any]:
    parameters = {"RoleArn": role.arn, "RoleSessionName": "portal", "WebIdentityToken": token, **more}
    return (client or account.boto).call(account.root, "sts", "AssumeRoleWithWebIdentity", parameters)


def not_logged_in(account: Account, role: Role, token: str) -> tuple[str, str, int]:
    with pytest.raises(Refused) as error:
        login(account, role, token)
    return told(error.value)


@pytest.mark.parametrize("algorithm", [*AS_AWS, *OPTED_IN])
@pytest.mark.parametrize("verifier", ["pyjwt", "jwcrypto"])
def test_independent_libraries_accept_the_tokens(idp: OidcProvider, algorithm: str, verifier: str) -> None:
    token, keys = idp.login("mia", algorithm), idp.keys()
    if verifier == "pyjwt":
        chosen = jwt.PyJWKSet.from_dict(keys)[str(jwt.get_unverified_header(token)["kid"])]
        key = jwt.PyJWK.from_dict(chosen._jwk_data | {"alg": algorithm}).key
        claims = jwt.decode(token, key, algorithms=[algorithm], audience=idp.client_id(algorithm), issuer=idp.issuer)
    else:
        checked = jwcrypto_jwt.JWT(jwt=token, key=jwk.JWKSet.from_json(json.dumps(keys)), algs=[algorithm])
        claims = json.loads(checked.claims)
    assert {name: claims[name] for name in PEOPLE["mia"]} == PEOPLE["mia"]
    assert (claims["iss"], claims["sub"], claims["aud"]) == (idp.issuer, "mia", idp.client_id(algorithm))


@pytest.mark.facts("STS-WI-045", "STS-WI-046")
@pytest.mark.parametrize("algorithm", AS_AWS)
@pytest.mark.parametrize("name", ["boto", "cli", "node"])
def test_a_login_becomes_a_session(
    idp: OidcProvider, account: Account, algorithm: str, name: str, request: pytest.FixtureRequest
) -> None:
    client: Client = request.getfixturevalue(name)
    role = trusting(account, idp, *WITH_TAGS, sub="mia", aud=idp.client_id(algorithm))
    answer = login(account, role, idp.login("mia", algorithm), client)
    session = f"arn:aws:sts::{account.id}:assumed-role/{role.name}/portal"
    assert answer["AssumedRoleUser"]["Arn"] == session
    assert answer["Provider"] == f"arn:aws:iam::{account.id}:oidc-provider/{name_of(idp)}"
    assert answer["Audience"] == idp.client_id(algorithm)
    assert answer["SubjectFromWebIdentityToken"] == "mia"
    assert answer["SourceIdentity"] == "mia@company.example"
    assert answer["PackedPolicySize"] > 0
    key = credentials_in(answer, account.id)
    assert account.identity(key)["Arn"] == session
    assert account.boto.call(key, "iam", "ListRoles", {})["Roles"], "the tag of the token is in the session"


@pytest.mark.facts("STS-WI-047")
def test_who_has_no_tags_has_none_in_the_session(idp: OidcProvider, account: Account) -> None:
    answer = login(account, trusting(account, idp, LOGIN, sub="otto"), idp.login("otto"))
    assert not {"PackedPolicySize", "SourceIdentity"} & set(answer)
    with pytest.raises(Refused, match="AccessDenied"):
        account.boto.call(credentials_in(answer, account.id), "iam", "ListRoles", {})


@pytest.mark.facts("STS-WI-029", "STS-WI-030")
@pytest.mark.parametrize(
    ("who", "actions", "asked"),
    [
        ("otto", WITH_TAGS, {"sub": "mia"}),
        ("mia", (LOGIN,), {"sub": "mia"}),
        ("mia", (LOGIN, "sts:TagSession"), {"sub": "mia"}),
        ("mia", WITH_TAGS, {"sub": "mia", "aud": "portal-es256"}),
    ],
    ids=["somebody else", "tags not allowed", "source identity not allowed", "another client"],
)
def test_the_trust_policy_decides(
    idp: OidcProvider, account: Account, who: str, actions: tuple[str, ...], asked: dict[str, str]
) -> None:
    assert not_logged_in(account, trusting(account, idp, *actions, **asked), idp.login(who)) == NOT_ALLOWED


@pytest.mark.facts("R2", "STS-WI-007")
@pytest.mark.parametrize("algorithm", [*OPTED_IN, "HS256"])
def test_an_algorithm_that_aws_does_not_take_is_refused(idp: OidcProvider, account: Account, algorithm: str) -> None:
    assert not_logged_in(account, trusting(account, idp, *WITH_TAGS, sub="mia"), idp.login("mia", algorithm)) == NO_KEY


@pytest.mark.parametrize("algorithm", [*AS_AWS, *OPTED_IN])
def test_more_algorithms_work_where_the_server_is_told_so(idp: OidcProvider, first: Account, algorithm: str) -> None:
    role = trusting(first, idp, *WITH_TAGS, sub="mia")
    assert login(first, role, idp.login("mia", algorithm))["Audience"] == idp.client_id(algorithm)


def test_a_shared_secret_is_never_a_key(idp: OidcProvider, first: Account) -> None:
    role = trusting(first, idp, *WITH_TAGS, sub="mia")
    assert not_logged_in(first, role, idp.login("mia", "HS256")) == NO_KEY


def test_a_claim_that_was_changed_is_noticed(idp: OidcProvider, account: Account) -> None:
    role = trusting(account, idp, *WITH_TAGS, sub="mia")
    header, _, signature = idp.login("otto").split(".")
    _, payload, _ = idp.login("mia").split(".")
    assert not_logged_in(account, role, f"{header}.{payload}.{signature}") == NO_KEY


@pytest.mark.facts("STS-WI-016")
def test_a_client_that_is_not_registered_is_refused(idp: OidcProvider, account: Account) -> None:
    role = trusting(account, idp, *WITH_TAGS, sub="mia")
    provider = f"arn:aws:iam::{account.id}:oidc-provider/{name_of(idp)}"
    named = {"OpenIDConnectProviderArn": provider, "ClientID": idp.client_id("ES256")}
    account.iam("RemoveClientIDFromOpenIDConnectProvider", **named)
    refusal = ("InvalidIdentityToken", "Incorrect token audience", 400)
    assert not_logged_in(account, role, idp.login("mia", "ES256")) == refusal
    account.iam("AddClientIDToOpenIDConnectProvider", **named)
    assert login(account, role, idp.login("mia", "ES256"))["SubjectFromWebIdentityToken"] == "mia"


@pytest.mark.facts("STS-WI-011")
def test_a_token_ends(idp: OidcProvider, account: Account, clock: Clock) -> None:
    role = trusting(account, idp, *WITH_TAGS, sub="mia")
    token = idp.login("mia")
    with clock.turned(600 + 290):
        assert login(account, role, token)
    with clock.turned(600 + 310):
        code, message, status = not_logged_in(account, role, token)
    assert (code, status) == ("ExpiredTokenException", 400)
    assert message.startswith("Token expired: current date/time ")


@pytest.mark.facts("STS-WI-017")
def test_an_account_that_does_not_know_the_issuer_refuses_it(idp: OidcProvider, account: Account, world: World) -> None:
    role = world.account().role(trusts(actions=(LOGIN,), Federated="accounts.google.com", when=GOOGLE))
    message = f"No OpenIDConnect provider found in your account for {idp.issuer}"
    assert not_logged_in(account, role, idp.login("mia")) == ("InvalidIdentityToken", message, 400)


@pytest.mark.facts("R7", "STS-WI-019")
@pytest.mark.parametrize(
    ("untold", "refusal"), [("networks", NO_KEY), ("ca-file", NOT_THAT_CERTIFICATE)], ids=["address", "authority"]
)
def test_a_server_asks_only_whom_it_was_told_to_ask(
    idp: OidcProvider, reached: dict[str, Any], untold: str, refusal: tuple[str, str, int]
) -> None:
    table = {"provider": "*"} | {key: value for key, value in reached.items() if key != untold}
    with running_server(oidc=[table]) as careful:
        boto = Boto3(Place(careful.url, careful.region))
        account = Account(boto, careful.root_credentials)
        assert not_logged_in(account, trusting(account, idp, *WITH_TAGS, sub="mia"), idp.login("mia")) == refusal
        boto.close()


def test_a_provider_without_tls_works_on_this_machine_where_the_server_is_told_so() -> None:
    if reason := why_not():
        pytest.skip(reason)
    with oidc_provider(PEOPLE, None) as plain:
        assert plain.issuer.startswith("http://")
        table = {"provider": f"arn:aws:iam::*:oidc-provider/{name_of(plain)}", "loopback-http": True}
        with running_server(oidc=[table]) as server:
            boto = Boto3(Place(server.url, server.region))
            account = Account(boto, server.root_credentials)
            answer = login(account, trusting(account, plain, *WITH_TAGS, sub="mia"), plain.login("mia", "ES256"))
            assert answer["SubjectFromWebIdentityToken"] == "mia"
            boto.close()
