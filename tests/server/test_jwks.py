"""The cache of issuers' keys: when an issuer is asked, how often, and what counts while it cannot be (STS-WI-021)."""

from __future__ import annotations

import threading
from typing import Any, Final

import pytest

from locum.core.key_set import KeySet, read_keys
from locum.core.oidc import Claims, IssuerRules, hints
from locum.errors import (
    IDPCommunicationErrorException,
    InvalidIdentityTokenException,
    STSServiceException,
)
from locum.server import jwks
from locum.server.issuers import Fetched, FetchError
from locum.server.jwks import IssuerKeys, KeysNeeded

from ..core.issuer import ISSUER, NOW, key_set, public, token

RULES: Final = IssuerRules()
PIN: Final = "a" * 40
MISMATCH: Final = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"


def unreachable() -> FetchError:
    return FetchError("it is down", IDPCommunicationErrorException, "down")


def untrusted(presented: str = PIN) -> FetchError:
    return FetchError("not trusted", InvalidIdentityTokenException, MISMATCH, presented)


class World:
    """An issuer with a clock to turn: it answers with ``keys``, or fails with ``error``, and counts."""

    def __init__(self, *, own_prefix: str | None = None) -> None:
        self.now = 1_000.0
        self.keys = [public("rsa", kid="k1")]
        self.error: Exception | None = None
        self.thumbprint: str | None = None
        self.asked: list[str] = []
        self.cache = IssuerKeys(clock=lambda: self.now, own_prefix=own_prefix, fetcher=self.fetch)

    def fetch(self, issuer: str, rules: IssuerRules, thumbprints: tuple[str, ...]) -> Fetched:
        self.asked.append(issuer)
        if self.error is not None:
            raise self.error
        trusted = frozenset[str]() if self.thumbprint is None else frozenset({self.thumbprint})
        return Fetched(read_keys(key_set(*self.keys)), trusted)

    def run(self, ask: Any, rounds: int = 2) -> Any:
        """What a request does: ask, have fetched what is needed, ask again."""
        for _ in range(rounds):
            try:
                return ask()
            except KeysNeeded as need:
                self.cache.fetch(need)
        try:
            return ask()
        except KeysNeeded as need:
            raise need.otherwise from None

    def cached(self, key_id: str | None = "k1", *, issuer: str = ISSUER, **more: Any) -> KeySet:
        found: KeySet = self.run(
            lambda: self.cache.cached(issuer, more.get("rules", RULES), key_id=key_id, thumbprints=more.get("pins", ()))
        )
        return found

    def verify(self, made: str) -> Claims:
        found: Claims = self.run(
            lambda: self.cache.verify(hints(made), issuer=ISSUER, client_ids=["client-1"], rules=RULES, now=NOW)
        )
        return found


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.facts("STS-WI-021")
def test_keys_are_fetched_once_and_kept_while_they_are_fresh(world: World) -> None:
    with pytest.raises(KeysNeeded) as needed:
        world.cache.cached(ISSUER, RULES, key_id="k1")
    assert world.asked == []
    world.cache.fetch(needed.value)
    first = world.cache.cached(ISSUER, RULES, key_id="k1")
    world.now += jwks.FRESH_SECONDS - 1
    assert world.cache.cached(ISSUER, RULES, key_id="k1") is first
    assert world.asked == [ISSUER]
    world.now += 1
    assert world.cached() is not first
    assert world.asked == [ISSUER] * 2


@pytest.mark.facts("STS-WI-021")
def test_an_unknown_key_id_has_the_issuer_asked_once(world: World) -> None:
    world.verify(token(kid="k1"))
    world.keys = [public("p256", kid="k2")]
    assert world.verify(token("p256", "ES256", kid="k2")).subject == "alice"
    assert len(world.asked) == 2
    for _ in range(3):
        with pytest.raises(InvalidIdentityTokenException, match="retrieve verification key"):
            world.verify(token(kid="k1"))
    assert len(world.asked) == 3


@pytest.mark.facts("STS-WI-021", "R4")
def test_a_changed_key_under_the_same_id_has_the_issuer_asked_once(world: World) -> None:
    world.verify(token(kid="k1"))
    world.keys = [public("p256", kid="k1")]
    assert world.verify(token("p256", "ES256", kid="k1")).subject == "alice"
    assert len(world.asked) == 2


@pytest.mark.facts("R4")
def test_a_forged_token_is_refused_by_the_rotated_keys_too(world: World) -> None:
    world.verify(token(kid="k1"))
    world.keys = [public("p256", kid="k1"), public("p384", kid="k2")]
    for _ in range(3):
        for kid in ("k1", "k2"):
            with pytest.raises(InvalidIdentityTokenException, match="retrieve verification key"):
                world.verify(token("forger", kid=kid))
    assert len(world.asked) == 3  # at first, and once for each of the two keys
    assert world.verify(token("p384", "ES384", kid="k2")).subject == "alice"


@pytest.mark.facts("R4")
def test_a_token_that_is_refused_for_its_claims_has_nobody_asked(world: World) -> None:
    world.verify(token(kid="k1"))
    for wrong in (token(kid="k1", aud="client-2"), token(kid="k1", exp=1), token(kid="k1", algorithm="PS256")):
        with pytest.raises(STSServiceException):
            world.verify(wrong)
    assert len(world.asked) == 1


@pytest.mark.facts("R7")
def test_an_issuer_is_asked_three_times_a_minute_at_most(world: World) -> None:
    for number in range(50):
        with pytest.raises(InvalidIdentityTokenException):
            world.verify(token("forger", kid=f"made-up-{number}"))
    assert len(world.asked) == jwks.FETCHES == 3
    assert world.verify(token(kid="k1")).subject == "alice"
    world.now += jwks.WINDOW_SECONDS - 0.5
    world.keys = [public("p256", kid="k2")]
    with pytest.raises(InvalidIdentityTokenException):
        world.verify(token("p256", "ES256", kid="k2"))
    assert len(world.asked) == 3
    world.now += 0.5
    assert world.verify(token("p256", "ES256", kid="k2")).subject == "alice"
    assert len(world.asked) == 4


@pytest.mark.facts("R7")
def test_rules_and_thumbprints_of_many_accounts_share_what_an_issuer_may_be_asked(world: World) -> None:
    world.error = untrusted()
    for number in range(10):
        with pytest.raises(InvalidIdentityTokenException):
            world.cached(rules=IssuerRules(ca=str(number)), pins=(f"{number:040}",))
        world.now += 1
    assert len(world.asked) == 3


def test_issuers_do_not_share_what_they_may_be_asked(world: World) -> None:
    for number in range(5):
        world.cached(issuer=f"https://{number}.example")
    assert len(world.asked) == 5


@pytest.mark.facts("STS-WI-021")
def test_old_keys_count_while_the_issuer_cannot_be_asked_but_not_for_ever(world: World) -> None:
    kept = world.cached()
    world.error = unreachable()
    for seconds in (jwks.FRESH_SECONDS, 60, 3_600, jwks.STALE_SECONDS - jwks.FRESH_SECONDS - 3_661):
        world.now += seconds
        assert world.cached() is kept
    world.now += 1
    with pytest.raises(IDPCommunicationErrorException):
        world.cached()
    world.error = None
    world.now += jwks.WINDOW_SECONDS
    assert world.cached() is not kept


def test_an_issuer_that_has_no_keys_any_more_is_believed(world: World) -> None:
    world.cached()
    world.keys = []
    world.now += jwks.FRESH_SECONDS
    with pytest.raises(InvalidIdentityTokenException):
        world.verify(token(kid="k1"))


@pytest.mark.facts("STS-WI-020")
def test_an_issuer_that_cannot_be_reached_is_an_error_that_is_remembered(world: World) -> None:
    world.error = unreachable()
    for _ in range(5):
        with pytest.raises(IDPCommunicationErrorException) as refused:
            world.cached()
        assert refused.value.retryable
        assert refused.value.__notes__ == ["fetch: it is down"]
    assert len(world.asked) == 1
    world.error = None
    world.now += jwks.FAILURE_SECONDS
    assert len(world.cached()) == 1


@pytest.mark.facts("STS-WI-020")
def test_the_error_stays_the_same_when_the_issuer_may_not_be_asked_again(world: World) -> None:
    world.error = unreachable()
    for _ in range(5):
        with pytest.raises(IDPCommunicationErrorException):
            world.cached()
        world.now += jwks.FAILURE_SECONDS
    assert len(world.asked) == 3


def test_an_error_of_ours_is_a_failure_like_any_other(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.error = ZeroDivisionError()
    with pytest.raises(InvalidIdentityTokenException, match="retrieve verification key"):
        world.cached()
    assert "fetching the keys of an issuer failed" in caplog.text
    world.error = None
    world.now += jwks.FAILURE_SECONDS
    assert len(world.cached()) == 1


def test_keys_from_the_configuration_are_never_fetched(world: World) -> None:
    rules = IssuerRules(jwks=key_set(public("rsa", kid="k1")).decode())
    assert "k1" in world.cached(rules=rules)
    for made in (token(kid="k1"), token("forger", kid="k1"), token(kid="k2")):
        try:
            world.cache.verify(hints(made), issuer=ISSUER, client_ids=["client-1"], rules=rules, now=NOW)
        except InvalidIdentityTokenException:
            assert made != token(kid="k1")
    with pytest.raises(InvalidIdentityTokenException):
        world.cached(rules=IssuerRules(jwks="{}"))
    assert world.asked == []


OWN: Final = "https://sts.example.com/issuer/"


@pytest.mark.facts("STS-WI-024", "IAM-OUT-003")
@pytest.mark.parametrize(
    "issuer",
    [
        "https://sts.example.com/issuer/1",
        "https://STS.Example.com/issuer/1",
        "https://sts.example.com:443/issuer/1",
        "https://sts.example.com/issuer/",
    ],
)
def test_tokens_of_this_server_are_refused_and_nothing_is_fetched(issuer: str) -> None:
    world = World(own_prefix=OWN)
    for rules in (RULES, IssuerRules(jwks=key_set(public("rsa")).decode())):
        with pytest.raises(InvalidIdentityTokenException) as refused:
            world.cached(issuer=issuer, rules=rules)
        assert refused.value.message == f"No OpenIDConnect provider found in your account for {issuer}"
    assert world.asked == []


@pytest.mark.parametrize(
    "issuer",
    ["https://sts.example.com", "https://sts.example.com/other/issuer/1", "https://sts.example.com:8443/issuer/1"],
)
def test_other_issuers_on_this_host_are_asked(issuer: str) -> None:
    world = World(own_prefix=OWN)
    world.cached(issuer=issuer)
    assert world.asked == [issuer]


# Thumbprints


@pytest.mark.facts("STS-WI-028")
def test_keys_that_an_authority_vouches_for_count_whatever_the_thumbprints(world: World) -> None:
    kept = world.cached(pins=("0" * 40,))
    assert world.cached(pins=("1" * 40,)) is world.cached(pins=()) is kept
    assert len(world.asked) == 1


@pytest.mark.facts("STS-WI-019")
def test_keys_that_a_thumbprint_vouches_for_count_for_providers_that_have_it(world: World) -> None:
    world.thumbprint = PIN
    kept = world.cached(pins=("0" * 40, PIN))
    assert world.cached(pins=(PIN,)) is kept
    assert len(world.asked) == 1
    world.error = untrusted()
    for pins in ((), ("0" * 40,)):
        with pytest.raises(InvalidIdentityTokenException) as refused:
            world.cached(pins=pins)
        assert refused.value.message == MISMATCH
    assert world.cached(pins=(PIN,)) is kept
    assert len(world.asked) == 2


def test_a_mismatch_of_one_provider_does_not_keep_another_from_asking(world: World) -> None:
    world.error = untrusted()
    with pytest.raises(InvalidIdentityTokenException, match="thumbprint"):
        world.cached(pins=("0" * 40,))
    world.error, world.thumbprint = None, PIN
    assert len(world.cached(pins=(PIN,))) == 1


def test_an_issuer_whose_certificate_nobody_vouches_for_any_more_is_trusted_by_its_thumbprint(world: World) -> None:
    certified = world.cached(pins=(PIN,))
    world.now += jwks.FRESH_SECONDS
    world.thumbprint = PIN
    pinned = world.cached(pins=(PIN,))
    assert pinned is not certified
    assert world.cached(pins=(PIN,)) is pinned
    world.error = untrusted()
    assert world.cached(pins=()) is certified


# Many at once


def at_once(count: int, what: Any) -> None:
    barrier = threading.Barrier(count)

    def run() -> None:
        barrier.wait(10)
        what()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert not any(each.is_alive() for each in threads)


def test_many_that_need_the_same_keys_wait_for_one_fetch() -> None:
    world = World()
    landing, begun = threading.Event(), threading.Event()
    plain = world.fetch

    def slow(issuer: str, rules: IssuerRules, thumbprints: tuple[str, ...]) -> Fetched:
        begun.set()
        assert landing.wait(10)
        return plain(issuer, rules, thumbprints)

    world.cache = IssuerKeys(clock=lambda: world.now, fetcher=slow)
    results: list[KeySet] = []
    needs: list[KeysNeeded] = []
    for _ in range(8):
        with pytest.raises(KeysNeeded) as needed:
            world.cache.cached(ISSUER, RULES, key_id="k1")
        needs.append(needed.value)
    assert len({each.key for each in needs}) == 1

    def work() -> None:
        world.cache.fetch(needs.pop())
        results.append(world.cache.cached(ISSUER, RULES, key_id="k1"))

    def let_land() -> None:
        assert begun.wait(10)
        landing.set()

    helper = threading.Thread(target=let_land)
    helper.start()
    at_once(8, work)
    helper.join()
    assert len(world.asked) == 1
    assert len(results) == 8
    assert all(each is results[0] for each in results)


def test_while_old_keys_are_fetched_again_others_go_on_with_them() -> None:
    world = World()
    kept = world.cached()
    world.now += jwks.FRESH_SECONDS
    inside: list[KeySet] = []
    plain = world.cache._fetcher

    def asking(issuer: str, rules: IssuerRules, thumbprints: tuple[str, ...]) -> Fetched:
        inside.append(world.cache.cached(ISSUER, RULES, key_id="k1"))
        return plain(issuer, rules, thumbprints)

    world.cache._fetcher = asking
    assert world.cached() is not kept
    assert inside == [kept]


def test_a_need_that_was_fulfilled_in_the_meantime_is_not_fulfilled_again(world: World) -> None:
    with pytest.raises(KeysNeeded) as needed:
        world.cache.cached(ISSUER, RULES, key_id="k1")
    for _ in range(3):
        world.cache.fetch(needed.value)
    assert len(world.asked) == 1


def test_only_so_many_issuers_are_remembered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "MAXIMUM_ISSUERS", 3)
    for number in (1, 2, 3, 1, 4):
        world.cached(issuer=f"https://{number}.example")
    assert len(world.asked) == 4
    world.cached(issuer="https://1.example")
    assert len(world.asked) == 4
    world.cached(issuer="https://2.example")
    assert len(world.asked) == 5
    assert len(world.cache._entries) == len(world.cache._starts) == 3


def test_only_so_many_key_ids_are_remembered_that_were_sought_in_vain(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "FETCHES", 10_000)
    for number in range(200):
        world.cached(f"made-up-{number}")
    (entry,) = world.cache._entries.values()
    assert len(entry.sought) == 64
    assert len(world.asked) == 200
