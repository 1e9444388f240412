"""Trade-in tokens and the sessions that they buy (area GDT; ours: docs/delegation.md)."""

from __future__ import annotations

import json

import pytest

from locum import errors
from locum.api import sts
from locum.api.extensions import ReceiveDelegationTokenCommand, RevokeSessionsCommand
from locum.api.iam import access_keys, users
from locum.api.iam import delegation as api
from locum.core.token import Purpose
from locum.guard.directory import Directory
from locum.secret import Secret
from locum.server.ring import load_ring
from locum.store.facts import Facts

from .conftest import ACCOUNT, OTHER, World, document
from .delegating import ADMIN, Partner, credentials


@pytest.fixture
def partner(world: World) -> Partner:
    return Partner(world)


# The token


@pytest.mark.facts("STS-GDT-002", "R12", "R14")
def test_a_token_is_good_for_the_account_that_asked_and_for_nothing_else(partner: Partner) -> None:
    world = partner.world
    id = partner.sent()
    token = partner.token(id)
    assert token.reveal() != partner.token(id).reveal()
    stranger = world.user("eve", ADMIN, root=world.account("777788889999"))
    missing = ReceiveDelegationTokenCommand(delegation_request_id=id)
    for other in (stranger, partner.admin):
        world.refusal(other, missing, errors.NoSuchEntityException)
        text = world.refusal(other, sts.GetDelegatedAccessTokenCommand(trade_in_token=token), errors.AccessDenied)
        assert text.endswith("is not authorized to perform: sts:GetDelegatedAccessToken")
    with world.store.snapshot() as rows:
        ring = load_ring(rows, world.vault)
    forged = ring.seal(Purpose.PAGINATION_MARKER, ring.open(Purpose.TRADE_IN_TOKEN, token.reveal()), bytes(12))
    text = token.reveal()
    for bad in (forged, text[:-8] + "AAAAAAA=", text[:40], "x", "AQ" * 40):
        world.refusal(partner.bot, sts.GetDelegatedAccessTokenCommand(trade_in_token=Secret(bad)), errors.AccessDenied)


@pytest.mark.facts("STS-GDT-002", "STS-CTX-T54")
def test_trading_in_needs_leave(partner: Partner) -> None:
    token = partner.token(partner.sent())
    allowed = document(Effect="Allow", Action="sts:GetDelegatedAccessToken", Resource="*")
    partner.traded(token, partner.world.user("yes", allowed, root=partner.root))
    nobody = partner.world.user("no", root=partner.root)
    text = partner.world.refusal(nobody, sts.GetDelegatedAccessTokenCommand(trade_in_token=token), errors.AccessDenied)
    assert text.endswith("because no identity-based policy allows the sts:GetDelegatedAccessToken action")
    receive = ReceiveDelegationTokenCommand(delegation_request_id="x" * 20)
    assert "sts:ReceiveDelegationToken" in partner.world.refusal(nobody, receive, errors.AccessDenied)


@pytest.mark.facts("STS-GDT-003", "STS-E-T02")
def test_a_token_and_its_session_end_with_the_delegated_time(partner: Partner) -> None:
    world = partner.world
    id = partner.sent(session_duration=300)
    token = partner.token(id)
    world.now += 299
    session = partner.session(id)
    world.call(session, sts.GetCallerIdentityCommand())
    world.now += 1
    world.refusal(session, sts.GetCallerIdentityCommand(), errors.ExpiredToken)
    command = sts.GetDelegatedAccessTokenCommand(trade_in_token=token)
    world.refusal(partner.bot, command, errors.ExpiredTradeInTokenException)
    again = ReceiveDelegationTokenCommand(delegation_request_id=id)
    world.refusal(partner.bot, again, errors.ExpiredTradeInTokenException)


@pytest.mark.facts("STS-GDT-003", "STS-GDT-004", "STS-E-T51")
def test_what_fits_into_no_token_is_refused(partner: Partner) -> None:
    world = partner.world
    trust = document(Effect="Allow", Principal={"AWS": ACCOUNT}, Action=["sts:AssumeRole", "sts:TagSession"])
    admins = world.role("admins", trust, ADMIN)
    tags = tuple(sts.Tag(key=f"{number:02d}" + "k" * 20, value="v" * 120) for number in range(20))
    by = world.assume(partner.admin, admins, tags=tags)
    long = "/".join(f"{number:04d}" for number in range(760))
    template = partner.make("large", document(Effect="Allow", Action="s3:*", Resource="arn:aws:s3:::@{bucket}"))
    permissions = api.DelegationPermission(
        policy_template_arn=template,
        parameters=(api.PolicyParameter(name="bucket", values=(long,), type="string"),),
    )
    token = partner.token(partner.sent(by, permissions=permissions))
    command = sts.GetDelegatedAccessTokenCommand(trade_in_token=token)
    world.refusal(partner.bot, command, errors.PackedPolicyTooLargeException)


@pytest.mark.facts("STS-AR-033")
def test_a_roles_longest_session_is_not_exceeded(partner: Partner) -> None:
    world = partner.world
    by = world.assume(partner.admin, world.role("admins", {"AWS": ACCOUNT}, ADMIN))
    id = partner.sent(by, session_duration=43_200)
    expires = partner.traded(partner.token(id)).credentials.expiration.timestamp()
    assert expires == world.now + 3_600


def test_either_side_can_be_revoked(partner: Partner) -> None:
    world = partner.world
    id = partner.sent()
    token = partner.token(id)
    session = partner.session(id)
    world.now += 1
    world.call(world.root, RevokeSessionsCommand(issuer_arn=f"arn:aws:iam::{ACCOUNT}:user/admin"))
    world.refusal(session, sts.GetCallerIdentityCommand(), errors.ExpiredToken)
    world.now += 1
    world.refusal(partner.bot, sts.GetDelegatedAccessTokenCommand(trade_in_token=token), errors.AccessDenied)
    other = partner.sent()
    session = partner.session(other)
    world.now += 1
    world.call(partner.root, RevokeSessionsCommand(issuer_arn=f"arn:aws:iam::{OTHER}:user/bot"))
    world.refusal(session, sts.GetCallerIdentityCommand(), errors.ExpiredToken)


def test_who_delegated_must_still_be_there(partner: Partner) -> None:
    world = partner.world
    alice = world.user("alice", ADMIN)
    id = partner.accepted(alice)
    partner.do(api.SendDelegationTokenCommand, id)
    token = partner.token(id)
    key = access_keys.DeleteAccessKeyCommand(user_name="alice", access_key_id=alice.access_key_id)
    world.call(world.root, key)
    world.call(world.root, users.DeleteUserPolicyCommand(user_name="alice", policy_name="p"))
    world.call(world.root, users.DeleteUserCommand(user_name="alice"))
    world.refusal(partner.bot, sts.GetDelegatedAccessTokenCommand(trade_in_token=token), errors.AccessDenied)


@pytest.mark.facts("STS-CALL-T16")
def test_sessions_of_users_root_and_federated_users_trade_nothing_in(partner: Partner) -> None:
    world = partner.world
    command = sts.GetDelegatedAccessTokenCommand(trade_in_token=partner.token(partner.sent()))
    partner.traded(command.trade_in_token)
    role = world.role("r", {"AWS": OTHER}, ADMIN, root=partner.root)
    partner.traded(command.trade_in_token, world.assume(partner.bot, role))
    federated = sts.GetFederationTokenCommand(name="guest", policy=json.dumps(ADMIN))
    for caller in (
        credentials(world.call(partner.bot, sts.GetSessionTokenCommand()).credentials),
        credentials(world.call(partner.root, sts.GetSessionTokenCommand()).credentials),
        credentials(world.call(partner.bot, federated).credentials),
    ):
        world.refusal(caller, command, errors.AccessDenied)


@pytest.mark.facts("R38")
def test_records_show_no_token(partner: Partner) -> None:
    id = partner.sent()
    token = partner.token(id)
    answer = partner.traded(token)
    text = partner.world.audit_file.read_text()
    assert token.reveal() not in text
    assert answer.credentials.secret_access_key.reveal() not in text
    record = partner.world.records()[-1]
    assert record["eventName"] == "GetDelegatedAccessToken"
    assert record["responseElements"]["assumedPrincipal"] == f"arn:aws:iam::{ACCOUNT}:user/admin"


@pytest.mark.facts("R11", "POL-IT-005")
def test_a_users_delegated_session_is_bounded_where_a_trust_policy_names_the_user(partner: Partner) -> None:
    """A federated user of the one who accepted: what names the user grants within the policy alone."""
    world = partner.world
    session = partner.session(partner.sent())
    with Facts(world.store).reading() as view:
        directory = Directory(view, world.vault, "aws")
        request, query = world.request(sts.GetCallerIdentityCommand(), session), ()
        caller, _ = world.pipeline.guard.authenticate(request, query, directory, service="sts", now=world.now)
        policies = directory.policies_of(caller)
    assert policies.session is not None
    assert policies.decide("iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/x", ACCOUNT, {}).allowed
    assert not policies.decide("iam:DeleteUser", f"arn:aws:iam::{ACCOUNT}:user/x", ACCOUNT, {}).allowed
