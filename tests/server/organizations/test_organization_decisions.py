"""What an organization does to decisions: SCPs, RCPs, context keys, the simulator, identity tokens."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import msgspec
import pytest

from locum import errors
from locum.api import sts
from locum.api.iam import outbound, service_linked_roles, simulation, users
from locum.api.organizations import accounts, organization, policies
from locum.core.organization_records import OrgPolicy
from locum.core.records import Role
from locum.store.records import Records
from locum.wire.sigv4 import Credentials

from ..conftest import ACCOUNT, OTHER, World, document
from .conftest import FULL, RCP, SCP, Org

ADMIN: Final = document(Effect="Allow", Action="*", Resource="*")
ME: Final = users.GetUserCommand()


def claims_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def deny(action: Any, **more: Any) -> str:
    return json.dumps(document(Effect="Deny", Action=action, Resource="*", **more))


def denied(world: World, credentials: Credentials, command: Any = ME) -> str:
    """What follows the name of the resource in a refusal."""
    text = world.refusal(credentials, command, errors.AccessDenied)
    for word in (" with ", " because "):
        if word in text:
            return text[text.index(word) + 1 :]
    return ""


BY_SCP: Final = "with an explicit deny in a service control policy"
NOT_BY_SCP: Final = "because no service control policy allows the iam:GetUser action"


class Member:
    """A member account with an administrator and a unit above it."""

    def __init__(self, org: Org) -> None:
        self.org, self.world = org, org.world
        self.id = org.account("shop")
        self.unit = org.unit("retail")
        org.move(self.id, org.top, self.unit)
        self.root = org.root_of(self.id)
        self.alice = self.world.user("alice", ADMIN, root=self.root)

    def trusting(self, name: str, principal: Any, root: Credentials | None = None) -> str:
        return self.world.role(name, principal, ADMIN, root=root or self.root)


@pytest.fixture
def member(org: Org) -> Member:
    return Member(org)


# Service control policies


@pytest.mark.facts("POL-OR-001", "POL-OR-002", "POL-EV-051", "ORG-024")
@pytest.mark.parametrize("place", ["root", "unit", "account"])
def test_a_deny_at_any_level_hits_every_principal_of_the_member(member: Member, place: str) -> None:
    org, world = member.org, member.world
    role = member.trusting("deploy", {"AWS": member.id})
    session = world.assume(member.alice, role)
    org.enable()
    policy = org.policy("deny", deny("iam:GetUser"))
    target = {"root": org.top, "unit": member.unit, "account": member.id}[place]
    org.attach(policy, target)
    for caller in (member.alice, member.root):
        assert denied(world, caller) == BY_SCP
    assert denied(world, session, users.GetUserCommand(user_name="alice")) == BY_SCP
    org.detach(policy, target)
    for caller in (member.alice, member.root):
        world.call(caller, ME)


@pytest.mark.facts("POL-OR-002", "POL-OR-007", "POL-OR-008", "POL-OR-004")
def test_every_level_must_allow_and_none_grants(member: Member) -> None:
    org, world = member.org, member.world
    org.enable()
    iam = org.policy("iam", json.dumps(document(Effect="Allow", Action="iam:*", Resource="*")))
    s3 = org.policy("s3", json.dumps(document(Effect="Allow", Action="s3:*", Resource="*")))
    for target in (org.top, member.unit, member.id):
        org.attach(s3, target)
        org.detach(FULL[SCP], target)
        assert denied(world, member.alice) == NOT_BY_SCP
        org.attach(iam, target)
        world.call(member.alice, ME)
    org.attach(FULL[SCP], member.id)
    nobody = world.user("nobody", root=member.root)
    assert denied(world, nobody) == "because no identity-based policy allows the iam:GetUser action"


@pytest.mark.facts("POL-OR-001", "POL-OR-005", "ORG-017")
def test_the_management_account_and_a_type_that_is_off_are_exempt(member: Member) -> None:
    org, world = member.org, member.world
    boss = world.user("boss", ADMIN)
    org.enable()
    policy = org.policy("deny", deny("iam:*"))
    org.attach(policy, org.top)
    org.attach(policy, ACCOUNT)
    world.call(boss, ME)
    world.call(world.root, ME)
    assert denied(world, member.alice) == BY_SCP
    org.call(accounts.RemoveAccountFromOrganizationCommand(account_id=member.id))
    world.call(member.alice, ME)


@pytest.mark.facts("POL-OR-006")
def test_a_delegated_administrator_is_a_member_like_others(member: Member) -> None:
    member.org.delegate(member.id)
    member.org.enable()
    member.org.attach(member.org.policy("deny", deny("iam:GetUser")), member.unit)
    assert denied(member.world, member.alice) == BY_SCP


@pytest.mark.facts("POL-OR-001", "POL-EV-062")
def test_service_linked_roles_are_exempt(member: Member) -> None:
    """Nobody but its service assumes such a role, so the trust policy is put into the store."""
    org, world = member.org, member.world
    made = service_linked_roles.CreateServiceLinkedRoleCommand(aws_service_name="autoscaling.amazonaws.com")
    role = world.call(member.root, made).role
    assert role is not None
    with world.store.transaction() as rows:
        records = Records(rows)
        stored = records.get(Role, member.id, role.role_name)
        assert stored is not None
        trust = json.dumps(document(Effect="Allow", Principal={"AWS": member.id}, Action="sts:AssumeRole"))
        inline = {"p": json.dumps(ADMIN)}
        records.replace(stored, msgspec.structs.replace(stored.record, trust=trust, inline=inline))
    session = world.assume(member.alice, role.arn)
    org.enable()
    org.attach(org.policy("deny", deny("iam:*")), member.id)
    command = users.GetUserCommand(user_name="alice")
    world.call(session, command)
    assert denied(world, member.alice) == BY_SCP
    asked = simulation.SimulatePrincipalPolicyCommand(policy_source_arn=role.arn, action_names=("iam:GetUser",))
    (result,) = world.call(session, asked).evaluation_results
    assert (result.eval_decision, result.organizations_decision_detail) == ("allowed", None)


@pytest.mark.facts("POL-XA-004", "POL-OR-001", "STS-AR-T14")
def test_scps_follow_the_caller_and_not_the_resource(member: Member) -> None:
    org, world = member.org, member.world
    other = world.account(OTHER)
    carol = world.user("carol", ADMIN, root=other)
    ours = member.trusting("ours", {"AWS": OTHER})
    theirs = member.trusting("theirs", {"AWS": member.id}, other)
    org.enable()
    org.attach(org.policy("deny", deny("sts:AssumeRole")), member.id)
    world.assume(carol, ours)
    command = sts.AssumeRoleCommand(role_arn=theirs, role_session_name="s1")
    assert world.refusal(member.alice, command, errors.AccessDenied) == (
        f"User: arn:aws:iam::{member.id}:user/alice is not authorized to perform: sts:AssumeRole on resource: {theirs}"
    )


@pytest.mark.facts("STS-CALL-006", "STS-GCI-001")
def test_who_one_is_can_be_asked_whatever_scps_deny(member: Member) -> None:
    member.org.enable()
    member.org.attach(member.org.policy("deny", deny("*")), member.id)
    member.world.call(member.alice, sts.GetCallerIdentityCommand())
    member.world.call(member.alice, sts.GetSessionTokenCommand())


@pytest.mark.facts("R31", "STS-DAM-005")
def test_a_refusal_by_scp_explains_itself_to_its_own_account(member: Member) -> None:
    org, world = member.org, member.world
    org.enable()
    org.attach(org.policy("deny", deny("iam:GetUser", Sid="NoLooking")), member.unit)
    response = world.send(world.request(ME, member.alice))
    message = dict(response.headers)["x-locum-authorization-message"]
    decoded = world.call(member.alice, sts.DecodeAuthorizationMessageCommand(encoded_message=message)).decoded_message
    assert "NoLooking" in decoded
    assert world.records()[-2]["additionalEventData"]["authorization"]["layer"] == "service control policy"


@pytest.mark.facts("POL-MP-020", "POL-MP-021", "POL-OR-003", "POL-OR-021")
def test_what_is_attached_from_the_start_allows_everything(org: Org) -> None:
    whole = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    for type, statement in ((SCP, whole), (RCP, whole | {"Principal": "*"})):
        org.enable(type)
        assert org.attached(org.top, type) == [FULL[type]]
        shown = org.call(policies.DescribePolicyCommand(policy_id=FULL[type])).policy
        assert json.loads(shown.content) == {"Version": "2012-10-17", "Statement": [statement]}


# Resource control policies


@pytest.mark.facts("POL-OR-020", "POL-OR-022", "POL-OR-023", "POL-XA-004", "POL-TR-015", "POL-MSG-008")
@pytest.mark.parametrize("place", ["root", "unit", "account"])
def test_rcps_guard_the_roles_of_a_member_against_everybody(member: Member, place: str) -> None:
    org, world = member.org, member.world
    carol = world.user("carol", ADMIN, root=world.account(OTHER))
    boss = world.user("boss", ADMIN)
    role = member.trusting("ours", {"AWS": [OTHER, ACCOUNT, member.id]})
    at_management = member.trusting("management", {"AWS": member.id}, world.root)
    org.enable(RCP)
    target = {"root": org.top, "unit": member.unit, "account": member.id}[place]
    org.attach(org.policy("guard", deny("sts:AssumeRole", Principal="*"), RCP), target)
    command = sts.AssumeRoleCommand(role_arn=role, role_session_name="s1")
    for caller in (carol, boss, member.alice):
        refused = world.refusal(caller, command, errors.AccessDenied)
        told = refused.endswith(
            f"sts:AssumeRole on resource: {role} with an explicit deny in a resource control policy"
        )
        assert "sts:AssumeRole on resource" in refused
        assert told is (caller is not carol)
    world.assume(member.alice, at_management)


@pytest.mark.facts("POL-OR-022", "POL-CK-014", "STS-CTX-T16")
def test_an_rcp_can_let_in_the_organization_alone(member: Member) -> None:
    org, world = member.org, member.world
    carol = world.user("carol", ADMIN, root=world.account(OTHER))
    boss = world.user("boss", ADMIN)
    role = member.trusting("ours", {"AWS": [OTHER, ACCOUNT]})
    org.enable(RCP)
    outside = {"StringNotEquals": {"aws:PrincipalOrgID": org.id}}
    org.attach(org.policy("perimeter", deny("sts:*", Principal="*", Condition=outside), RCP), org.top)
    world.assume(boss, role)
    command = sts.AssumeRoleCommand(role_arn=role, role_session_name="s1")
    world.refusal(carol, command, errors.AccessDenied)


@pytest.mark.facts("POL-OR-024", "POL-OR-020")
def test_rcps_guard_sts_and_neither_iam_nor_organizations(member: Member) -> None:
    org, world = member.org, member.world
    org.enable(RCP)
    id = org.policy("guard", deny(["sts:*", "s3:*"], Principal="*"), RCP)
    org.attach(id, member.id)
    with world.store.transaction() as rows:  # no call can write one about all services
        records = Records(rows)
        stored = records.get(OrgPolicy, "", id)
        assert stored is not None
        records.replace(stored, msgspec.structs.replace(stored.record, content=deny("*", Principal="*")))
    world.call(member.alice, ME)
    world.call(member.alice, organization.DescribeOrganizationCommand())
    federation = sts.GetFederationTokenCommand(name="guest")
    assert denied(world, member.alice, federation) == "with an explicit deny in a resource control policy"
    key = sts.GetAccessKeyInfoCommand(access_key_id=member.alice.access_key_id)
    assert denied(world, member.alice, key) == "with an explicit deny in a resource control policy"


@pytest.mark.facts("POL-MSG-008", "R12")
def test_what_an_rcp_says_is_not_told_to_other_accounts(member: Member) -> None:
    org, world = member.org, member.world
    carol = world.user("carol", ADMIN, root=world.account(OTHER))
    role = member.trusting("ours", {"AWS": OTHER})
    org.enable(RCP)
    org.attach(org.policy("guard", deny("sts:*", Principal="*", Sid="Unseen"), RCP), org.top)
    response = world.send(world.request(sts.AssumeRoleCommand(role_arn=role, role_session_name="s1"), carol))
    message = dict(response.headers)["x-locum-authorization-message"]
    decoded = world.call(carol, sts.DecodeAuthorizationMessageCommand(encoded_message=message)).decoded_message
    assert "resource control" not in decoded
    assert "Unseen" not in decoded
    assert org.id not in decoded


# Context keys


def only_if(operator: str, key: str, value: Any) -> dict[str, Any]:
    return document(Effect="Allow", Action="*", Resource="*", Condition={operator: {key: value}})


@pytest.mark.facts("STS-CTX-T16", "STS-CTX-T21", "POL-CK-014", "ORG-024")
def test_the_keys_tell_of_the_places_of_caller_and_resource(member: Member) -> None:
    org, world = member.org, member.world
    path = f"{org.id}/{org.top}/{member.unit}/"
    world.call(member.alice, users.DeleteUserPolicyCommand(user_name="alice", policy_name="p"))
    for number, (holds, policy) in enumerate(
        (
            (True, only_if("StringEquals", "aws:PrincipalOrgID", org.id)),
            (False, only_if("StringEquals", "aws:PrincipalOrgID", "o-0000000000")),
            (True, only_if("StringEquals", "aws:ResourceOrgID", org.id)),
            (True, only_if("StringEquals", "aws:ResourceAccount", member.id)),
            (True, only_if("ForAnyValue:StringEquals", "aws:PrincipalOrgPaths", path)),
            (True, only_if("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", f"{org.id}/{org.top}/*")),
            (False, only_if("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", f"{path}ou-*")),
            (True, only_if("ForAnyValue:StringEquals", "aws:ResourceOrgPaths", path)),
        )
    ):
        user = world.user(f"u{number}", policy, root=member.root)
        if holds:
            world.call(user, ME)
        else:
            world.refusal(user, ME, errors.AccessDenied)
    alone = world.account(OTHER)
    for key in ("aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:ResourceOrgID", "aws:ResourceOrgPaths"):
        name = key.partition(":")[2]
        world.call(world.user(name, only_if("Null", key, "true"), root=alone), ME)


@pytest.mark.facts("STS-CTX-T21", "POL-CK-014")
def test_the_keys_of_a_role_are_its_own_accounts(member: Member) -> None:
    org, world = member.org, member.world
    role = member.trusting("ours", {"AWS": ACCOUNT})
    path = f"{org.id}/{org.top}/{member.unit}/"
    right = {"StringEquals": {"aws:ResourceAccount": member.id, "aws:ResourceOrgID": org.id}}
    right["ForAnyValue:StringEquals"] = {"aws:ResourceOrgPaths": path, "aws:PrincipalOrgPaths": f"{org.id}/{org.top}/"}
    boss = world.user("boss", document(Effect="Allow", Action="sts:AssumeRole", Resource="*", Condition=right))
    world.assume(boss, role)
    moved = org.unit("elsewhere")
    org.move(member.id, member.unit, moved)
    world.refusal(boss, sts.AssumeRoleCommand(role_arn=role, role_session_name="s1"), errors.AccessDenied)


# The simulator


@pytest.mark.facts("POL-SM-002", "IAM-SIM-005", "IAM-SIM-002")
def test_a_simulation_of_a_principal_asks_its_accounts_scps(member: Member) -> None:
    org, world = member.org, member.world
    arn = f"arn:aws:iam::{member.id}:user/alice"

    def simulated(**more: Any) -> list[tuple[str | None, bool | None]]:
        command = simulation.SimulatePrincipalPolicyCommand(
            policy_source_arn=arn, action_names=("s3:GetObject", "iam:GetUser"), **more
        )
        results = world.call(member.root, command).evaluation_results
        details = [each.organizations_decision_detail for each in results]
        allowed = [None if each is None else each.allowed_by_organizations for each in details]
        return [(each.eval_decision, limited) for each, limited in zip(results, allowed, strict=True)]

    assert simulated() == [("allowed", None), ("allowed", None)]
    org.enable()
    org.attach(org.policy("deny"), member.unit)
    assert simulated() == [("explicitDeny", False), ("allowed", True)]
    leaving_out = (simulation.PolicyIdentifier(policy_type="scp"),)
    assert simulated(policy_exclusion_list=leaving_out) == [("allowed", None), ("allowed", None)]


# Tokens for others


@pytest.mark.facts("STS-GWT-014", "IAM-OUT-004")
def test_an_identity_token_tells_of_the_organization(member: Member) -> None:
    org, world = member.org, member.world
    command = sts.GetWebIdentityTokenCommand(audience=("api",), signing_algorithm="ES384")
    world.call(member.root, outbound.EnableOutboundWebIdentityFederationCommand())
    about = claims_of(world.call(member.alice, command).web_identity_token.reveal())["https://sts.amazonaws.com/"]
    assert about["org_id"] == org.id
    assert about["ou_path"] == [f"{org.id}/{org.top}/{member.unit}/"]
    alone = world.account(OTHER)
    world.call(alone, outbound.EnableOutboundWebIdentityFederationCommand())
    about = claims_of(world.call(alone, command).web_identity_token.reveal())["https://sts.amazonaws.com/"]
    assert not {"org_id", "ou_path"} & about.keys()
