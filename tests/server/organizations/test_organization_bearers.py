"""Resource control policies and the places of an organization, where an identity provider vouches for the caller."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import users
from locum.core.organization import joined
from locum.core.organization_records import Organization
from locum.core.records import Account
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from ..bearers import PREFIX, SUBJECT, FederatedWorld, Issuer, asking, trusting
from ..conftest import ACCOUNT, OTHER, document
from .conftest import RCP, SCP, Org

DENIED: Final = "Not authorized to perform sts:AssumeRoleWithWebIdentity"


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def org(tmp_path: Path, issuer: Issuer) -> Iterator[Org]:
    """An organization of the other account, in which the world's first account, with the provider, is a member."""
    world = FederatedWorld(tmp_path, issuer)
    own, world.root = world.root, world.account(OTHER)
    made = Org(world)
    world.root = own
    with world.store.transaction() as rows:
        records = Records(rows)
        account, organization = records.get(Account, "", ACCOUNT), records.get(Organization, "", made.id)
        assert account is not None
        assert organization is not None
        records.replace(account, joined(account.record, organization.record, int(world.now), invited=True))
    world.provider()
    yield made
    world.audit.close()
    world.store.close()


def guarded(org: Org, **condition: Any) -> None:
    org.enable(RCP)
    policy = document(Effect="Deny", Principal="*", Action="sts:*", Resource="*", Condition=condition)
    org.attach(org.policy("guard", json.dumps(policy), RCP), org.top)


@pytest.mark.facts("POL-OR-022", "POL-OR-020", "POL-EV-075")
def test_an_rcp_guards_a_role_against_bearers(org: Org, issuer: Issuer) -> None:
    role = org.world.role("deploy", trusting())
    org.world.call(None, asking(role, issuer.token()))
    guarded(org, StringEquals={f"{PREFIX}:sub": SUBJECT})
    assert org.world.refusal(None, asking(role, issuer.token()), errors.AccessDenied) == DENIED
    org.world.call(None, asking(role, issuer.token(sub="another")))


@pytest.mark.facts("STS-CTX-T16", "STS-CTX-T21", "POL-CK-014")
def test_the_places_are_those_of_the_providers_and_the_roles_account(org: Org, issuer: Issuer) -> None:
    path = f"{org.id}/{org.top}/"
    conditions: dict[str, Any] = {
        "StringEquals": {"aws:PrincipalOrgID": org.id, "aws:ResourceOrgID": org.id},
        "ForAnyValue:StringEquals": {"aws:PrincipalOrgPaths": path, "aws:ResourceOrgPaths": path},
    }
    role = org.world.role("deploy", trusting(**conditions))
    org.world.call(None, asking(role, issuer.token()))


@pytest.mark.facts("POL-OR-001")
def test_scps_do_not_concern_bearers_but_their_sessions(org: Org, issuer: Issuer) -> None:
    world = org.world
    role = world.role("deploy", trusting(), document(Effect="Allow", Action="*", Resource="*"))
    world.user("alice")
    org.enable(SCP)
    org.attach(org.policy("deny", json.dumps(document(Effect="Deny", Action="*", Resource="*"))), ACCOUNT)
    issued = world.call(None, asking(role, issuer.token())).credentials
    session = Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
    world.call(session, sts.GetCallerIdentityCommand())
    assert "service control policy" in world.refusal(session, users.GetUserCommand(user_name="alice"))
