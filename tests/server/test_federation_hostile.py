"""Federation under attack: issuers, accounts and bearers that mean harm to others on the same server."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from locum import errors
from locum.api.iam import users
from locum.core.key_set import read_keys
from locum.core.oidc import IssuerRules
from locum.errors import InvalidIdentityTokenException, STSServiceException
from locum.server import jwks
from locum.server.issuers import Fetched, FetchError, fetch_keys
from locum.server.jwks import IssuerKeys, KeysNeeded
from locum.server.throttle import Buckets, Throttle

from ..core.issuer import ISSUER, key_set, public
from ..core.saml_cases import refusal
from .bearers import FederatedWorld, Issuer, asking, trusting
from .conftest import ACCOUNT

RULES: Final = IssuerRules()
OURS: Final = "a" * 40
OTHERS: Final = "b" * 40
MISMATCH: Final = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[FederatedWorld]:
    made = FederatedWorld(tmp_path, Issuer())
    yield made
    made.audit.close()
    made.store.close()


# Accounts that share an issuer


class Asked:
    """Issuers' keys, from hosts of private authorities: whoever lacks one of ``tops`` is shown the first it lacks."""

    def __init__(self, *tops: str) -> None:
        self.now = 1_000.0
        self.tops = tops
        self.key = "k1"
        self.count = 0
        self.cache = IssuerKeys(clock=lambda: self.now, fetcher=self.fetch)

    def fetch(self, issuer: str, rules: IssuerRules, thumbprints: Sequence[str]) -> Fetched:
        self.count += 1
        for top in self.tops:
            if rules.ca is None and top not in thumbprints:
                raise FetchError("not trusted", InvalidIdentityTokenException, MISMATCH, top)
        trusted = frozenset[str]() if rules.ca is not None else frozenset(self.tops)
        return Fetched(read_keys(key_set(public("rsa", kid=self.key))), trusted)

    def keys(self, *thumbprints: str, rules: IssuerRules = RULES, key_id: str = "k1") -> tuple[str, ...]:
        for _ in range(2):
            try:
                return self.cache.cached(ISSUER, rules, key_id=key_id, thumbprints=thumbprints).key_ids
            except KeysNeeded as need:
                self.cache.fetch(need)
        return self.cache.cached(ISSUER, rules, key_id=key_id, thumbprints=thumbprints).key_ids

    def flood(self, *thumbprints: str) -> None:
        """Another account's provider has the issuer asked, in vain, as often as it may be."""
        for number in range(20):
            with pytest.raises((STSServiceException, KeysNeeded)):
                self.keys(*thumbprints, key_id=f"made-up-{number}")
            self.now += jwks.FAILURE_SECONDS


@pytest.mark.facts("R7")
@pytest.mark.parametrize("rules", [RULES, IssuerRules(ca="the company's own")], ids=["thumbprint", "authority"])
def test_a_removed_key_does_not_stay_because_another_account_asks_in_vain(rules: IssuerRules) -> None:
    world = Asked(OURS)
    assert world.keys(OURS, rules=rules) == ("k1",)
    world.key = "k2"
    world.now += jwks.FRESH_SECONDS
    world.flood(OTHERS)
    assert world.keys(OURS, rules=rules) == ("k2",)


@pytest.mark.facts("R7")
def test_whoever_has_keys_asks_three_times_a_minute_too() -> None:
    world = Asked(OURS)
    world.keys(OURS)
    for number in range(20):
        world.keys(OURS, key_id=f"made-up-{number}")
    assert world.count == jwks.FETCHES


@pytest.mark.facts("R7")
def test_accounts_that_get_keys_do_not_use_up_what_others_may_ask() -> None:
    world = Asked(OURS)
    for number in range(5):
        assert world.keys(rules=IssuerRules(ca=str(number))) == ("k1",)


@pytest.mark.facts("STS-WI-019")
def test_keys_count_for_providers_with_the_thumbprints_of_both_hosts() -> None:
    """Else an account that trusts an impostor's discovery document would choose the keys for one that does not."""
    world = Asked(OTHERS, OURS)
    assert world.keys(OTHERS, OURS) == ("k1",)
    for pins in ((OURS,), (OTHERS,)):
        with pytest.raises(InvalidIdentityTokenException, match="thumbprint"):
            world.keys(*pins)


# Addresses


@pytest.mark.facts("R7")
@pytest.mark.parametrize(
    "address", ["fec0::1", "feff::1", "3fff::1", "5f00::1", "192.0.0.8", "192.0.0.9", "192.88.99.1"]
)
def test_an_address_that_only_python_holds_to_be_public_is_not_asked(address: str) -> None:
    def connect(address: str, port: int, seconds: float) -> socket.socket:
        raise AssertionError(address)

    with pytest.raises(FetchError, match="not to be asked"):
        fetch_keys("https://idp.example", RULES, resolve=lambda *_: [address], connect=connect)


@pytest.mark.facts("R7")
def test_a_diagnosis_does_not_tell_where_a_private_host_is() -> None:
    with pytest.raises(FetchError) as refused:
        fetch_keys("https://inside.example", RULES, resolve=lambda *_: ["10.9.8.7"])
    assert "10.9.8.7" in refused.value.reason
    told = refused.value.answer()
    assert told.__notes__ == ["fetch: inside.example has no address that may be asked"]


# Condition keys


@pytest.mark.facts("R25")
@pytest.mark.parametrize(
    "url",
    [
        *("https://aws:8443", "https://SAML:1/x", "https://Accounts.Google.com"),
        "https://cognito-identity.AMAZONAWS.com",
    ],
)
def test_a_provider_whose_condition_keys_would_be_others_is_of_no_use(tmp_path: Path, url: str) -> None:
    world = FederatedWorld(tmp_path, Issuer(url))
    world.provider(url)
    role = world.role("deploy", trusting(f"arn:aws:iam::{ACCOUNT}:oidc-provider/{url.removeprefix('https://')}"))
    message = world.refusal(None, asking(role, world.issuer.token()), InvalidIdentityTokenException)
    assert message == f"No OpenIDConnect provider found in your account for {url}"
    assert world.issuer.asked == []


# What bearers can use up


@pytest.mark.facts("R24")
def test_bearers_do_not_use_up_what_their_account_may_ask_of_iam(world: FederatedWorld) -> None:
    """Whoever has any token of a public issuer comes as far as the trust policy, which refuses."""
    world.provider()
    role = world.role("deploy", trusting(StringEquals={"idp.example.com/tenant:sub": "somebody else"}))
    world.pipeline._throttle = Throttle(control=2, buckets=Buckets())  # type: ignore[misc]
    found = [type(error) for error in (_refused(world, role) for _ in range(4))]
    assert found == [errors.AccessDenied] * 2 + [errors.Throttling] * 2
    assert world.call(world.root, users.ListUsersCommand()).users == ()


def _refused(world: FederatedWorld, role: str) -> errors.ServiceException:
    with pytest.raises(errors.ServiceException) as refused:
        world.call(None, asking(role, world.issuer.token()))
    return refused.value


# What the log tells


@pytest.mark.facts("R6")
@pytest.mark.parametrize(
    ("response", "cause"),
    [
        ("<x/>", "root: expected a Response of SAML 2.0 with an ID"),
        ("<!-- -->", "document: expected plain XML, found it has a comment"),
    ],
)
def test_the_cause_of_a_refused_response_is_a_note_for_the_log(response: str, cause: str) -> None:
    from locum.core.saml import verify

    from ..core import saml_cases, saml_idp

    assert refusal(response) == ("InvalidIdentityToken", saml_cases.MALFORMED)
    expected: Any = saml_cases.expected()
    with pytest.raises(InvalidIdentityTokenException) as refused:
        verify(saml_idp.encoded(response), expected, saml_idp.NOW, request_id=saml_cases.REQUEST)
    (note,) = refused.value.__notes__
    assert re.match(re.escape(cause), note)
