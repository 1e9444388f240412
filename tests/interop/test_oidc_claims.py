"""npm's ``oauth2-mock-server`` with every kind of claim, and with keys that come and go, through the whole server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from tests.interop.clients import Refused, credentials_in
from tests.interop.idps.oauth2_mock import OAuth2Mock, oauth2_mock
from tests.interop.world import Account, Role, allow, told, trusts

from locum.testing import RunningServer, running_server

pytestmark = pytest.mark.xdist_group("interop-real-oidc")

LOGIN: Final = "sts:AssumeRoleWithWebIdentity"
NOT_ALLOWED: Final = ("AccessDenied", f"Not authorized to perform {LOGIN}", 403)
NO_KEY: Final = "Couldn't retrieve verification key from your identity provider,  "
ROLES: Final = "https://aws.amazon.com/roles"


@pytest.fixture(scope="module")
def idp() -> Iterator[OAuth2Mock]:
    if reason := OAuth2Mock.why_not():
        pytest.skip(reason)
    with oauth2_mock() as running:
        yield running


@pytest.fixture
def new_idp(idp: OAuth2Mock) -> Iterator[OAuth2Mock]:
    """Another one, which the server has not asked for keys yet: it may do so a few times a minute."""
    with oauth2_mock() as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    table = {"provider": "arn:aws:iam::*:oidc-provider/127.0.0.1:*", "loopback-http": True}
    with running_server(oidc=[table], on_disk=True) as running:
        yield running


def registered(account: Account, idp: OAuth2Mock) -> str:
    """The ARN of a new provider."""
    made = account.iam("CreateOpenIDConnectProvider", Url=f"https://{idp.name}", ClientIDList=["app", "another"])
    return str(made["OpenIDConnectProviderArn"])


@pytest.fixture
def provider(account: Account, idp: OAuth2Mock) -> str:
    return registered(account, idp)


def login(account: Account, role: Role, token: str) -> dict[str, Any]:
    return account.sts(
        account.root, "AssumeRoleWithWebIdentity", RoleArn=role.arn, RoleSessionName="job", WebIdentityToken=token
    )


def refusal(account: Account, role: Role, token: str) -> tuple[str, str, int]:
    with pytest.raises(Refused) as error:
        login(account, role, token)
    return told(error.value)


GOOD: Final[dict[str, Any]] = {"sub": "mia", "aud": "app"}


@pytest.mark.facts("STS-WI-T02", "STS-WI-T03", "STS-WI-T04", "STS-WI-T05")
@pytest.mark.parametrize(
    ("claims", "operator", "key", "value", "other"),
    [
        (GOOD, "StringEquals", "sub", "mia", "otto"),
        (GOOD, "StringEquals", "aud", "app", "another"),
        (GOOD | {"aud": ["app", "x"], "azp": "another"}, "StringEquals", "aud", "another", "app"),
        (GOOD | {"azp": "another"}, "StringEquals", "oaud", "app", "another"),
        (GOOD | {"amr": ["pwd", "mfa"]}, "ForAnyValue:StringEquals", "amr", "mfa", "sms"),
        (GOOD | {"email": "mia@company.example"}, "StringLike", "email", "*@company.example", "*@company"),
    ],
    ids=["sub", "aud", "azp", "oaud", "amr", "email"],
)
def test_a_claim_is_a_condition_key(
    idp: OAuth2Mock,
    account: Account,
    provider: str,
    claims: dict[str, Any],
    operator: str,
    key: str,
    value: str,
    other: str,
) -> None:
    token = idp.token(**claims)
    fits, does_not = (
        account.role(trusts(actions=(LOGIN,), when={operator: {f"{idp.name}:{key}": each}}, Federated=provider))
        for each in (value, other)
    )
    assert login(account, fits, token)["SubjectFromWebIdentityToken"] == "mia"
    assert refusal(account, does_not, token) == NOT_ALLOWED


@pytest.mark.facts("STS-WI-042", "R5")
@pytest.mark.parametrize("claims", [{"team": "blue"}, {"more": {"team": "blue"}}])
def test_other_claims_are_no_condition_keys(
    idp: OAuth2Mock, account: Account, provider: str, claims: dict[str, Any]
) -> None:
    role = account.role(
        trusts(actions=(LOGIN,), when={"StringEquals": {f"{idp.name}:team": "blue"}}, Federated=provider)
    )
    assert refusal(account, role, idp.token(**(GOOD | claims))) == NOT_ALLOWED


@pytest.mark.facts("STS-WI-014")
def test_many_audiences_need_an_authorized_party(idp: OAuth2Mock, account: Account, provider: str) -> None:
    role = account.role(trusts(actions=(LOGIN,), Federated=provider))
    text = "Token audience contains more than one audience while authorized party is not present"
    token = idp.token(sub="mia", aud=["app", "another"])
    assert refusal(account, role, token) == ("InvalidIdentityToken", text, 400)


@pytest.mark.facts("STS-WI-032", "STS-WI-033", "STS-WI-034")
def test_a_provider_may_limit_the_roles(idp: OAuth2Mock, account: Account, provider: str) -> None:
    by_claim = {"Bool": {"sts:RoleAuthorizedByIdp": "true"}}
    named, other = (account.role(trusts(actions=(LOGIN,), when=by_claim, Federated=provider)) for _ in range(2))
    token = idp.token(**(GOOD | {ROLES: [named.arn]}))
    assert login(account, named, token)["SubjectFromWebIdentityToken"] == "mia"
    text = "The target role ARN is not present in the roles claim of the identity token"
    assert refusal(account, other, token) == ("InvalidIdentityToken", text, 400)
    assert refusal(account, named, idp.token(**GOOD)) == NOT_ALLOWED


@pytest.mark.facts("STS-WI-036")
def test_what_lasts_of_the_claims_is_in_the_session(idp: OAuth2Mock, account: Account, provider: str) -> None:
    asked = {
        "StringEquals": {f"{idp.name}:sub": "mia", f"{idp.name}:aud": "app", "aws:FederatedProvider": provider},
        "ForAnyValue:StringEquals": {f"{idp.name}:amr": "mfa"},
    }
    email = {"StringEquals": {f"{idp.name}:email": "mia@company.example"}}
    role = account.role(
        trusts(actions=(LOGIN,), Federated=provider),
        may=(allow("iam:ListRoles", when=asked), allow("iam:ListUsers", when=email)),
    )
    answer = login(account, role, idp.token(**GOOD, amr=["pwd", "mfa"], email="mia@company.example"))
    key = credentials_in(answer, account.id)
    assert account.boto.call(key, "iam", "ListRoles", {})["Roles"]
    with pytest.raises(Refused, match="iam:ListUsers"):
        account.boto.call(key, "iam", "ListUsers", {})


@pytest.mark.facts("STS-WI-021")
@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "ES256", "ES512"])
def test_a_new_key_is_found(new_idp: OAuth2Mock, account: Account, algorithm: str) -> None:
    role = account.role(trusts(actions=(LOGIN,), Federated=registered(account, new_idp)))
    assert login(account, role, new_idp.token(**GOOD))
    assert login(account, role, new_idp.token("new", algorithm, **GOOD))


@pytest.mark.facts("R4")
def test_a_forged_token_is_refused_after_the_keys_were_fetched_anew(new_idp: OAuth2Mock, account: Account) -> None:
    role = account.role(trusts(actions=(LOGIN,), Federated=registered(account, new_idp)))
    assert login(account, role, new_idp.token(**GOOD))
    header = new_idp.token("new", **GOOD).split(".")[0]
    _, payload, signature = new_idp.token(**GOOD).split(".")
    code, message, _ = refusal(account, role, f"{header}.{payload}.{signature}")
    assert (code, message.startswith(NO_KEY)) == ("InvalidIdentityToken", True)
    assert login(account, role, new_idp.token("new", **GOOD))
