"""Delegation requests: made, owned, accepted or rejected (IAM-SHD-004; ours: docs/delegation.md)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from locum import errors
from locum.api import sts
from locum.api.extensions import ReceiveDelegationTokenCommand
from locum.api.iam import delegation as api
from locum.api.iam import policies, roles, users
from locum.api.shapes import Command
from locum.core.delegation_records import DelegationRequest
from locum.wire.sigv4 import Credentials

from .conftest import ACCOUNT, OTHER, START, World, document
from .delegating import ADMIN, DAY, ROLES, Partner, credentials


@pytest.fixture
def partner(world: World) -> Partner:
    return Partner(world)


# The way of a request


@pytest.mark.facts(
    "IAM-SHD-004", "IAM-CL-015", "IAM-CL-016", "IAM-CL-018", "IAM-CL-025", "IAM-CL-036", "IAM-CL-039", "STS-GDT-001"
)
def test_from_the_question_to_the_session(partner: Partner) -> None:
    world = partner.world
    id = partner.ask(request_message="please", redirect_url="https://partner.example/back", session_duration=900)
    shown = partner.shown(id)
    assert shown.permission_policy is not None
    policy = json.loads(shown.permission_policy)
    assert policy["Statement"][0]["Resource"] == f"arn:aws:iam::{ACCOUNT}:user/*"
    assert policy["Statement"][1]["Resource"] == [*ROLES]
    assert (shown.state, shown.requestor_id, shown.owner_account_id) == ("UNASSIGNED", OTHER, ACCOUNT)
    assert (shown.owner_id, shown.approver_id, shown.session_duration) == (None, None, 900)
    assert (shown.request_message, shown.redirect_url) == ("please", "https://partner.example/back")
    assert shown.permissions == partner.asking().permissions
    alice = world.user("alice", document(Effect="Allow", Action="iam:AssociateDelegationRequest", Resource="*"))
    world.now += 1
    partner.do(api.AssociateDelegationRequestCommand, id, alice)
    shown = partner.shown(id, alice)
    assert (shown.state, shown.owner_id) == ("ASSIGNED", f"arn:aws:iam::{ACCOUNT}:user/alice")
    partner.do(api.UpdateDelegationRequestCommand, id, alice, notes="may I?")
    assert (partner.shown(id).state, partner.shown(id).notes) == ("PENDING_APPROVAL", "may I?")
    world.now += 1
    partner.do(api.AcceptDelegationRequestCommand, id)
    shown = partner.shown(id)
    assert (shown.state, shown.approver_id) == ("ACCEPTED", f"arn:aws:iam::{ACCOUNT}:user/admin")
    assert shown.expiration_time is not None
    assert shown.updated_time is not None
    assert (shown.expiration_time - shown.updated_time).total_seconds() == 7 * DAY
    world.now += 60
    partner.do(api.SendDelegationTokenCommand, id)
    assert partner.shown(id).state == "FINALIZED"
    world.now += 100
    answer = partner.traded(partner.token(id))
    assert answer.assumed_principal == f"arn:aws:iam::{ACCOUNT}:user/admin"
    assert answer.packed_policy_size is None
    assert answer.credentials.expiration.timestamp() == START + 62 + 900
    identity = world.call(credentials(answer.credentials), sts.GetCallerIdentityCommand())
    assert identity.account == ACCOUNT
    assert identity.arn == f"arn:aws:sts::{ACCOUNT}:federated-user/delegated-{OTHER}"


@pytest.mark.facts("IAM-SHD-004", "R11")
def test_a_role_delegates_its_own_rights_within_the_policy_and_no_more(partner: Partner) -> None:
    world = partner.world
    trust = document(
        Effect="Allow",
        Principal={"AWS": ACCOUNT},
        Action=["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
    )
    admins = world.role("admins", trust, document(Effect="Allow", Action=["iam:*", "s3:*"], Resource="*"))
    world.role("a", {"AWS": ACCOUNT})
    by = world.assume(
        partner.admin, admins, tags=(sts.Tag(key="team", value="blue"),), source_identity="alice", session="ops"
    )
    id = partner.accepted(by)
    partner.do(api.SendDelegationTokenCommand, id)
    answer = partner.traded(partner.token(id))
    assert answer.assumed_principal == admins
    session = credentials(answer.credentials)
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/admins/delegated-{OTHER}"
    assert world.call(session, sts.GetCallerIdentityCommand()).arn == arn
    look = users.GetUserCommand(user_name="admin")
    world.call(session, look)
    context = world.records()[-1]["userIdentity"]["sessionContext"]
    assert context["sourceIdentity"] == "alice"
    refused = world.refusal(session, users.DeleteUserCommand(user_name="admin"), errors.AccessDenied)
    assert refused.endswith("because no session policy allows the iam:DeleteUser action")
    assume = sts.AssumeRoleCommand(role_arn=ROLES[0], role_session_name="s1")
    world.refusal(session, assume, errors.AccessDenied)  # the policy allows it, the role may not
    blue = document(
        Effect="Deny", Action="iam:GetUser", Resource="*", Condition={"StringEquals": {"aws:PrincipalTag/team": "blue"}}
    )
    put = roles.PutRolePolicyCommand(role_name="admins", policy_name="not-blue", policy_document=json.dumps(blue))
    world.call(world.root, put)
    world.refusal(session, look, errors.AccessDenied)


@pytest.mark.facts("IAM-SHD-004")
def test_what_happens_to_the_template_later_changes_nothing(partner: Partner) -> None:
    id = partner.ask()
    before = partner.shown(id)
    partner.world.call(
        partner.root,
        policies.CreatePolicyVersionCommand(
            policy_arn=partner.template, policy_document=json.dumps(ADMIN), set_as_default=True
        ),
    )
    assert partner.shown(id) == before


@pytest.mark.facts("IAM-SHD-004", "IAM-CL-035")
def test_a_request_can_be_refused_until_its_token_was_sent(partner: Partner) -> None:
    for id in (partner.accepted(), partner.ask()):
        if partner.shown(id).state == "UNASSIGNED":
            partner.do(api.AssociateDelegationRequestCommand, id)
        partner.do(api.RejectDelegationRequestCommand, id, notes="no")
        assert (partner.shown(id).state, partner.shown(id).rejection_reason) == ("REJECTED", "no")
        for kind in (
            api.AssociateDelegationRequestCommand,
            api.UpdateDelegationRequestCommand,
            api.RejectDelegationRequestCommand,
            api.SendDelegationTokenCommand,
        ):
            assert "REJECTED" in partner.refused(kind, id, errors.InvalidInputException)
        partner.refused(api.AcceptDelegationRequestCommand, id, errors.ValidationError)
    sent = partner.sent()
    assert "FINALIZED" in partner.refused(api.RejectDelegationRequestCommand, sent, errors.InvalidInputException)


@pytest.mark.facts("IAM-SHD-004")
def test_steps_cannot_be_left_out(partner: Partner) -> None:
    id = partner.ask()
    for kind in (
        api.UpdateDelegationRequestCommand,
        api.RejectDelegationRequestCommand,
        api.SendDelegationTokenCommand,
    ):
        partner.refused(kind, id, errors.InvalidInputException)
    partner.refused(api.AcceptDelegationRequestCommand, id, errors.ValidationError)
    partner.do(api.AssociateDelegationRequestCommand, id)
    partner.refused(api.AssociateDelegationRequestCommand, id, errors.InvalidInputException)
    partner.refused(api.SendDelegationTokenCommand, id, errors.InvalidInputException)
    missing = ReceiveDelegationTokenCommand(delegation_request_id=id)
    partner.world.refusal(partner.bot, missing, errors.NoSuchEntityException)


@pytest.mark.facts("IAM-SHD-004")
def test_requests_run_out(partner: Partner) -> None:
    world = partner.world
    unowned, owned = partner.ask(), partner.ask()
    partner.do(api.AssociateDelegationRequestCommand, owned)
    world.now += DAY
    assert partner.shown(unowned).state == "EXPIRED"
    partner.refused(api.AssociateDelegationRequestCommand, unowned, errors.InvalidInputException)
    assert partner.shown(owned).state == "ASSIGNED"
    world.now += 6 * DAY
    assert partner.shown(owned).state == "EXPIRED"
    partner.refused(api.AcceptDelegationRequestCommand, owned, errors.ValidationError)


# Who may


@pytest.mark.facts("IAM-SHD-004", "R12")
def test_a_request_is_for_its_account_alone(partner: Partner) -> None:
    world = partner.world
    stranger = world.user("eve", ADMIN, root=world.account("777788889999"))
    meant = partner.ask()
    for kind in (
        api.GetDelegationRequestCommand,
        api.AssociateDelegationRequestCommand,
        api.RejectDelegationRequestCommand,
    ):
        partner.refused(kind, meant, errors.NoSuchEntityException, stranger)
        partner.refused(kind, "x" * 32, errors.NoSuchEntityException)
    assert partner.shown(meant, partner.bot).state == "UNASSIGNED"
    partner.refused(api.AssociateDelegationRequestCommand, meant, errors.AccessDenied, partner.bot)
    partner.do(api.AssociateDelegationRequestCommand, meant)
    partner.refused(api.AcceptDelegationRequestCommand, meant, errors.AccessDenied, partner.bot)
    partner.refused(api.SendDelegationTokenCommand, meant, errors.AccessDenied, partner.bot)
    for_anybody = partner.ask(owner_account_id=None)
    assert partner.shown(for_anybody, stranger).owner_account_id is None
    partner.do(api.AssociateDelegationRequestCommand, for_anybody, stranger)
    assert partner.shown(for_anybody, stranger).owner_account_id == "777788889999"
    partner.refused(api.GetDelegationRequestCommand, for_anybody, errors.NoSuchEntityException)


@pytest.mark.facts("IAM-SHD-004")
def test_the_owner_may_look_and_hand_on_unless_denied(partner: Partner) -> None:
    world = partner.world
    associate = {"Effect": "Allow", "Action": "iam:AssociateDelegationRequest", "Resource": "*"}
    id = partner.ask()
    alice = world.user("alice", document(associate))
    partner.refused(api.GetDelegationRequestCommand, id, errors.AccessDenied, alice)
    partner.do(api.AssociateDelegationRequestCommand, id, alice)
    partner.shown(id, alice)
    partner.do(api.UpdateDelegationRequestCommand, id, alice)
    for kind in (api.AcceptDelegationRequestCommand, api.RejectDelegationRequestCommand):
        partner.refused(kind, id, errors.AccessDenied, alice)
    bob = world.user("bob", document(associate))
    partner.refused(api.GetDelegationRequestCommand, id, errors.AccessDenied, bob)
    denying = document(associate, {"Effect": "Deny", "Action": "iam:GetDelegationRequest", "Resource": "*"})
    other = partner.ask()
    carol = world.user("carol", denying)
    partner.do(api.AssociateDelegationRequestCommand, other, carol)
    partner.refused(api.GetDelegationRequestCommand, other, errors.AccessDenied, carol)


@pytest.mark.facts("IAM-SHD-004")
def test_some_tokens_only_the_owner_sends(partner: Partner) -> None:
    world = partner.world
    alice = world.user("alice", ADMIN)
    id = partner.ask(only_send_by_owner=True)
    partner.do(api.AssociateDelegationRequestCommand, id, alice)
    partner.do(api.AcceptDelegationRequestCommand, id)
    partner.refused(api.SendDelegationTokenCommand, id, errors.AccessDenied)
    partner.do(api.SendDelegationTokenCommand, id, alice)


@pytest.mark.facts("R11", "R32")
def test_neither_root_nor_a_limited_session_can_accept(partner: Partner) -> None:
    world = partner.world
    id = partner.ask()
    partner.do(api.AssociateDelegationRequestCommand, id)
    refused = partner.refused(api.AcceptDelegationRequestCommand, id, errors.AccessDenied, world.root)
    assert refused == "Only users and roles can accept delegation requests."
    admins = world.role("admins", {"AWS": ACCOUNT}, ADMIN)
    limited = world.assume(partner.admin, admins, policy=json.dumps(ADMIN))
    refused = partner.refused(api.AcceptDelegationRequestCommand, id, errors.AccessDenied, limited)
    assert refused == "Sessions with session policies cannot accept delegation requests."
    assert partner.shown(id).state == "ASSIGNED"


@pytest.mark.parametrize(
    ("key", "right", "wrong"),
    [
        ("iam:DelegationDuration", {"NumericLessThanEquals": 3600}, {"NumericLessThan": 3600}),
        ("iam:NotificationChannel", {"StringLike": "arn:aws:sns:*"}, {"StringEquals": "elsewhere"}),
        ("iam:TemplateArn", {"ArnLike": "arn:aws:iam::*:policy/template"}, {"ArnLike": "arn:aws:iam::*:policy/x"}),
    ],
)
@pytest.mark.facts("IAM-OP-CreateDelegationRequest")
def test_the_keys_of_a_request(partner: Partner, key: str, right: dict[str, Any], wrong: dict[str, Any]) -> None:
    for name, condition, passes in (("yes", right, True), ("no", wrong, False)):
        ((operator, value),) = condition.items()
        policy = document(
            Effect="Allow",
            Action="iam:CreateDelegationRequest",
            Resource=f"arn:aws:iam::{OTHER}:delegation-request/*",
            Condition={operator: {key: str(value)}},
        )
        caller = partner.world.user(name, policy, root=partner.root)
        if passes:
            partner.world.call(caller, partner.asking())
        else:
            partner.world.refusal(caller, partner.asking(), errors.AccessDenied)


# What can be asked for


def with_parameters(partner: Partner, template: Any, *parameters: api.PolicyParameter) -> Command[Any]:
    arn = template if isinstance(template, str) else partner.make(f"t{partner.world.random(4).hex()}", template)
    permissions = api.DelegationPermission(policy_template_arn=arn, parameters=parameters)
    return partner.asking(permissions=permissions)


@pytest.mark.facts("IAM-SHD-004", "IAM-OP-CreateDelegationRequest")
def test_what_bounds_no_session_cannot_be_asked_for(partner: Partner) -> None:
    world = partner.world
    open_one = document(Effect="Allow", Action="s3:*", Resource="arn:aws:s3:::@{bucket}")
    one = api.PolicyParameter(name="bucket", values=("x",), type="string")
    for command in (
        with_parameters(partner, "arn:aws:iam::444455556666:policy/missing"),
        with_parameters(partner, f"arn:aws:iam::{ACCOUNT}:policy/template"),
        partner.asking(permissions=api.DelegationPermission()),
        with_parameters(partner, open_one),
        with_parameters(partner, open_one, one, one),
        with_parameters(partner, open_one, api.PolicyParameter(name="bucket", values=("x", "y"), type="string")),
        with_parameters(partner, open_one, api.PolicyParameter(name="bucket", type="string")),
        with_parameters(partner, open_one, api.PolicyParameter(name="bucket", type="stringList")),
        with_parameters(partner, open_one, api.PolicyParameter(values=("x",), type="string")),
        with_parameters(partner, open_one, one, api.PolicyParameter(name="other", values=("x",), type="string")),
        with_parameters(partner, open_one, api.PolicyParameter(name="bucket", values=("x" * 5_000,), type="string")),
        with_parameters(
            partner,
            document(Effect="Allow", Action="iam:*", Resource="arn:aws:iam::111122223333:user/@{partition}"),
            api.PolicyParameter(name="partition", type="stringList"),
        ),
    ):
        assert world.refusal(partner.bot, command, errors.InvalidInputException)


@pytest.mark.facts("IAM-SHD-004", "IAM-OP-CreateDelegationRequest")
def test_a_workflow_has_one_request_of_its_account(partner: Partner) -> None:
    partner.ask(requestor_workflow_id="the one")
    again = partner.asking(requestor_workflow_id="the one")
    assert "the one" in partner.world.refusal(partner.bot, again, errors.EntityAlreadyExistsException)
    stolen = api.DelegationPermission(policy_template_arn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    partner.world.call(
        partner.admin, partner.asking(requestor_workflow_id="the one", permissions=stolen, owner_account_id=OTHER)
    )


@pytest.mark.facts("IAM-OP-CreateDelegationRequest")
def test_an_account_has_so_many_requests_and_those_that_are_over_give_way(partner: Partner) -> None:
    for _ in range(100):
        partner.ask()
    refused = partner.world.refusal(partner.bot, partner.asking(), errors.LimitExceededException)
    assert refused == "Cannot exceed quota for DelegationRequestsPerAccount: 100"
    partner.world.now += DAY
    partner.ask()
    with partner.world.store.snapshot() as rows:
        assert rows.count("", DelegationRequest.kind) == 1


@pytest.mark.facts("IAM-CL-029", "IAM-OP-ListDelegationRequests")
def test_owned_requests_are_listed_page_by_page(partner: Partner) -> None:
    world = partner.world
    alice = world.user("alice", ADMIN)
    mine, hers = [partner.ask() for _ in range(3)], [partner.ask() for _ in range(2)]
    partner.ask()
    for id in mine:
        partner.do(api.AssociateDelegationRequestCommand, id)
    for id in hers:
        partner.do(api.AssociateDelegationRequestCommand, id, alice)

    def listed(by: Credentials, **more: Any) -> list[str]:
        found: list[str] = []
        marker = None
        while True:
            command = api.ListDelegationRequestsCommand(max_items=2, marker=marker, **more)
            answer = world.call(by, command)
            found += [str(each.delegation_request_id) for each in answer.delegation_requests]
            marker = answer.marker
            if not answer.is_truncated:
                return found

    assert listed(partner.admin) == sorted(mine + hers)
    assert listed(partner.admin, owner_id=f"arn:aws:iam::{ACCOUNT}:user/alice") == sorted(hers)
    assert listed(partner.bot) == []
    only = document(
        Effect="Allow",
        Action="iam:ListDelegationRequests",
        Resource="*",
        Condition={"ArnLike": {"iam:DelegationRequestOwner": f"arn:aws:iam::{ACCOUNT}:user/alice"}},
    )
    bob = world.user("bob", only)
    assert listed(bob, owner_id=f"arn:aws:iam::{ACCOUNT}:user/alice") == sorted(hers)
    world.refusal(bob, api.ListDelegationRequestsCommand(), errors.AccessDenied)


@pytest.mark.facts("IAM-OP-GetDelegationRequest")
@pytest.mark.parametrize(
    ("policy", "asked", "result"),
    [
        (ADMIN, [("iam:GetUser", "*")], "ALLOWED"),
        (ADMIN, [("iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/a")], "ALLOWED"),
        (ADMIN, [("iam:Get*", "*")], "UNSURE"),
        (ADMIN, [("iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/*")], "UNSURE"),
        (document(Effect="Allow", Action="iam:*", Resource="*"), [("iam:GetUser", "*"), ("s3:X", "*")], "DENIED"),
    ],
)
def test_whether_one_has_what_is_asked_for(
    partner: Partner, policy: Any, asked: list[tuple[str, str]], result: str
) -> None:
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in asked]
    command = with_parameters(partner, document(*statements))
    id = partner.world.call(partner.bot, command).delegation_request_id
    caller = partner.world.user("caller", policy)
    answer = partner.do(api.GetDelegationRequestCommand, id, caller, delegation_permission_check=True)
    assert (answer.permission_check_status, answer.permission_check_result) == ("COMPLETE", result)
    without = partner.do(api.GetDelegationRequestCommand, id, caller)
    assert (without.permission_check_status, without.permission_check_result) == (None, None)
