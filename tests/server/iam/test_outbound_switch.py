"""Enabling and disabling an account's own issuer (iam_api.md section 12)."""

from __future__ import annotations

import re
import threading
from typing import Final

import pytest

from locum import errors
from locum.api import sts
from locum.api.iam.outbound import (
    DisableOutboundWebIdentityFederationCommand,
    EnableOutboundWebIdentityFederationCommand,
    GetOutboundWebIdentityFederationInfoCommand,
)
from locum.core.records import OutboundIssuer, SigningKey
from locum.server.signing_keys import new_keys
from locum.store.records import Records

from ..conftest import ACCOUNT, OTHER, World, document

ENABLE: Final = EnableOutboundWebIdentityFederationCommand()
DISABLE: Final = DisableOutboundWebIdentityFederationCommand()
INFO: Final = GetOutboundWebIdentityFederationInfoCommand()
TOKEN: Final = sts.GetWebIdentityTokenCommand(audience=("api",), signing_algorithm="RS256")
DISABLED: Final = f"Outbound identity federation is disabled for account {ACCOUNT}"


def stored(world: World) -> tuple[OutboundIssuer | None, list[SigningKey]]:
    with world.store.snapshot() as rows:
        records = Records(rows)
        found = records.get(OutboundIssuer, ACCOUNT, OutboundIssuer.kind)
        return (None if found is None else found.record), [each.record for each in records.each(SigningKey, ACCOUNT)]


@pytest.mark.facts("IAM-OUT-001", "IAM-OUT-003", "IAM-CL-014", "STS-GWT-002")
def test_the_switch_says_where_tokens_are_verified_and_refuses_what_is_done_already(world: World) -> None:
    assert world.refusal(world.root, INFO, errors.FeatureDisabledException) == DISABLED
    already = DISABLED.replace("is disabled", "is already disabled")
    assert world.refusal(world.root, DISABLE, errors.FeatureDisabledException) == already
    issuer = world.call(world.root, ENABLE).issuer_identifier
    info = world.call(world.root, INFO)
    assert (info.issuer_identifier, info.jwt_vending_enabled) == (issuer, True)
    world.call(world.root, TOKEN)
    refused = world.refusal(world.root, ENABLE, errors.FeatureEnabledException)
    assert refused == f"Outbound identity federation is already enabled for account {ACCOUNT}"
    world.call(world.root, DISABLE)
    assert world.refusal(world.root, INFO, errors.FeatureDisabledException) == DISABLED
    assert world.refusal(world.root, DISABLE, errors.FeatureDisabledException) == already
    world.refusal(world.root, TOKEN, errors.OutboundWebIdentityFederationDisabledException)


@pytest.mark.facts("IAM-OUT-002", "STS-GWT-011")
def test_an_account_is_the_same_issuer_with_the_same_keys_ever_after(world: World) -> None:
    issuer = world.call(world.root, ENABLE).issuer_identifier
    before = stored(world)
    world.call(world.root, DISABLE)
    world.now += 10**7
    assert world.call(world.root, ENABLE).issuer_identifier == issuer
    assert stored(world) == before
    assert issuer is not None
    assert re.fullmatch(r"/issuer/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", issuer)
    assert ACCOUNT not in issuer
    assert sorted(each.algorithm for each in before[1]) == ["ES384", "RS256"]


def test_accounts_do_not_share_the_switch(world: World) -> None:
    other = world.account(OTHER)
    world.call(world.root, ENABLE)
    assert OTHER in world.refusal(other, INFO, errors.FeatureDisabledException)


@pytest.mark.parametrize("command", [ENABLE, DISABLE, INFO], ids=lambda each: each.operation.name)
def test_each_needs_leave_and_a_refused_call_makes_nothing(world: World, command: object) -> None:
    assert isinstance(command, type(ENABLE) | type(DISABLE) | type(INFO))
    action = f"iam:{command.operation.name}"
    alice = world.user("alice", document(Effect="Allow", NotAction=action, Resource="*"))
    assert action in world.refusal(alice, command, errors.AccessDenied)
    assert stored(world) == (None, [])


@pytest.mark.facts("R44")
def test_private_keys_lie_sealed_in_the_store(world: World) -> None:
    world.call(world.root, ENABLE)
    for key in stored(world)[1]:
        document = world.vault.unwrap(key.secret, purpose="signing-key", name=f"{ACCOUNT}/{key.id}")
        assert document[:1] == b"\x30"
        assert document[30:60] not in key.secret


def test_two_who_enable_at_once_make_one_issuer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have found that there is none, and have drawn keys, before either goes on."""
    both = threading.Barrier(2, timeout=30)

    def together(random: object) -> object:
        made = new_keys(world.random)
        both.wait()
        return made

    monkeypatch.setattr("locum.server.iam.outbound.new_keys", together)
    outcomes: list[int] = []
    requests = [world.request(ENABLE, world.root) for _ in range(2)]
    threads = [threading.Thread(target=lambda each=each: outcomes.append(world.send(each).status)) for each in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == [200, 409]
    assert len(stored(world)[1]) == 2
    world.call(world.root, TOKEN)


def test_no_key_is_drawn_while_a_transaction_is_open(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    free = []

    def watched(random: object) -> object:
        with world.store.transaction():  # Locked, were another one open
            free.append(True)
        return new_keys(world.random)

    monkeypatch.setattr("locum.server.iam.outbound.new_keys", watched)
    world.call(world.root, ENABLE)
    assert free == [True]


def test_records_show_the_issuer(world: World) -> None:
    issuer = world.call(world.root, ENABLE).issuer_identifier
    record = world.records()[-1]
    assert record["eventName"] == "EnableOutboundWebIdentityFederation"
    assert record["responseElements"] == {"issuerIdentifier": issuer}
    assert record["readOnly"] is False
