"""``locum keys issuer``: the keys of the accounts' issuers, listed, rotated and retired."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import pytest

from locum.core.records import OutboundIssuer, SigningKey
from locum.server.accounts import create_account
from locum.server.bootstrap import bootstrap
from locum.server.config import Settings
from locum.server.data import Data, open_data
from locum.server.signing_keys import add_keys, new_keys
from locum.store.records import Records

from .terminal import Terminal, settle

ACCOUNT: Final = "111122223333"
NOW: Final = 1_767_323_045


def make_issuer(data: Data) -> None:
    """The account's issuer, as enabling makes it."""
    made = new_keys(os.urandom)
    with data.store.transaction() as rows:
        records = Records(rows)
        id = "00000000-0000-4000-8000-000000000000"
        records.create(OutboundIssuer(account=ACCOUNT, id=id, created=NOW, enabled=True))
        add_keys(records, data.vault, ACCOUNT, made, NOW, os.urandom, signs=NOW)


@pytest.fixture
def issuer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    """The command, beside a data directory with an account that has an issuer."""
    settle(monkeypatch, tmp_path)
    monkeypatch.setattr("time.time", lambda: NOW + 0.5)
    settings = Settings(data=tmp_path / "locum-data", account_id=ACCOUNT)
    data = open_data(settings, create=True)
    bootstrap(data.store, data.vault, settings, NOW, os.urandom)
    make_issuer(data)
    with data.store.transaction() as rows:
        create_account(rows, data.vault, NOW + 1, os.urandom, name="another", id="444455556666")
    data.store.close()
    return Terminal(capsys, "keys", "issuer")


def test_keys_of_issuers_are_listed_and_rotated(issuer: Terminal, tmp_path: Path) -> None:
    status, out, err = issuer("list", "--json")
    before = json.loads(out)
    assert (status, err) == (0, "")
    assert [(each["account"], each["algorithm"], each["signs"], each["state"]) for each in before] == [
        (ACCOUNT, "RS256", "2026-01-02T03:04:05Z", "signing"),
        (ACCOUNT, "ES384", "2026-01-02T03:04:05Z", "signing"),
    ]
    status, out, err = issuer("rotate", ACCOUNT)
    assert (status, err) == (0, "")
    rsa, ec = out.split()
    after = {
        each["id"]: (each["algorithm"], each["signs"], each["state"])
        for each in json.loads(issuer("list", "--json")[1])
    }
    assert after[rsa] == ("RS256", "2026-01-02T04:04:05Z", "announced")
    assert after[ec] == ("ES384", "2026-01-02T04:04:05Z", "announced")
    assert {after[each["id"]][2] for each in before} == {"signing"}
    assert issuer("list", "--account", "444455556666")[:2] == (0, "")
    assert len(issuer("list", "--account", ACCOUNT)[1].splitlines()) == 5
    data = open_data(Settings(data=tmp_path / "locum-data"))
    with data.store.snapshot() as rows:
        stored = [each.record for each in Records(rows).each(SigningKey, ACCOUNT)]
    data.store.close()
    assert sorted(each.id for each in stored) == sorted(after)


def test_a_key_in_wrong_hands_is_replaced_at_once(issuer: Terminal) -> None:
    old = next(each["id"] for each in json.loads(issuer("list", "--json")[1]))
    status, out, err = issuer("retire", ACCOUNT, old)
    assert (status, out) == (1, "")
    assert err.splitlines() == [
        f"locum: the key '{old}' signs",
        f"hint: run `locum keys issuer rotate {ACCOUNT} --at-once` first",
    ]
    fresh = issuer("rotate", ACCOUNT, "--at-once")[1].split()
    assert issuer("retire", ACCOUNT, old) == (0, "", "")
    listed = {each["id"]: each["state"] for each in json.loads(issuer("list", "--json")[1])}
    assert old not in listed
    assert [listed[id] for id in fresh] == ["signing", "signing"]


@pytest.mark.parametrize("arguments", [["rotate"], ["retire", "0123"], ["retire"]])
def test_an_account_without_an_issuer_is_named(issuer: Terminal, arguments: list[str]) -> None:
    name, *rest = arguments
    status, out, err = issuer(name, "444455556666", *rest)
    if name == "retire" and not rest:
        assert (status, out) == (2, "")
        return
    assert (status, out) == (1, "")
    assert "account '444455556666' has no issuer" in err
    assert "hint: EnableOutboundWebIdentityFederation" in err
