"""Which permission each operation of Organizations needs: the resource that policies see, and its context keys."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

import pytest

from locum.api.organizations import COMMANDS, accounts, organization, policies, types, units
from locum.api.shapes import Command
from locum.organization_errors import (
    AccessDeniedException,
    OrganizationsServiceException,
    PolicyNotFoundException,
    TargetNotFoundException,
)
from locum.secret import Secret

from ..conftest import ACCOUNT, OTHER, World, document
from .conftest import DENY, FULL, RCP, SCP, Org

TAG: Final = (types.Tag(key="team", value="a"),)
SERVICE: Final = "iam.amazonaws.com"
DENIED: Final = "You don't have permissions to access this resource."
NEVER: Final = "arn:aws:organizations::aws:policy/never"
_TYPE: Final = ("organizations:PolicyType", SCP, RCP)
_OTHER_TYPE: Final = ("organizations:PolicyType", RCP, SCP)
_SERVICE: Final = ("organizations:ServicePrincipal", SERVICE, "sso.amazonaws.com")
_GIVEN: Final = ("aws:RequestTag/team", "a", "b")
_KEPT: Final = ("aws:ResourceTag/kept", "yes", "no")


class Scene:
    """An organization with one of each."""

    def __init__(self, org: Org) -> None:
        org.enable()
        self.org = org
        self.top, self.unit, self.other = org.top, org.unit("a"), org.unit("b")
        self.account, self.policy = org.account(), org.policy()
        begin = f"arn:aws:organizations::{ACCOUNT}"
        self.arns = {
            "root": f"{begin}:root/{org.id}/{org.top}",
            "unit": f"{begin}:ou/{org.id}/{self.unit}",
            "other": f"{begin}:ou/{org.id}/{self.other}",
            "account": f"{begin}:account/{org.id}/{self.account}",
            "policy": f"{begin}:policy/{org.id}/service_control_policy/{self.policy}",
            "new": f"{begin}:policy/{org.id}/service_control_policy/p-*",
            "full": f"arn:aws:organizations::aws:policy/service_control_policy/{FULL[SCP]}",
        }


ASKS: Final[list[tuple[Callable[[Scene], Command[Any]], list[str]]]] = [
    (lambda _: organization.CreateOrganizationCommand(), []),
    (lambda _: organization.DescribeOrganizationCommand(), []),
    (lambda _: organization.DeleteOrganizationCommand(), []),
    (lambda _: organization.ListRootsCommand(), []),
    (lambda _: organization.EnableAWSServiceAccessCommand(service_principal=SERVICE), []),
    (lambda _: organization.DisableAWSServiceAccessCommand(service_principal=SERVICE), []),
    (lambda _: organization.ListAWSServiceAccessForOrganizationCommand(), []),
    (
        lambda s: organization.RegisterDelegatedAdministratorCommand(account_id=s.account, service_principal=SERVICE),
        ["account"],
    ),
    (
        lambda s: organization.DeregisterDelegatedAdministratorCommand(account_id=s.account, service_principal=SERVICE),
        ["account"],
    ),
    (lambda _: organization.ListDelegatedAdministratorsCommand(), []),
    (lambda s: organization.ListDelegatedServicesForAccountCommand(account_id=s.account), ["account"]),
    (lambda _: accounts.CreateAccountCommand(email=Secret("z@example.com"), account_name=Secret("z")), []),
    (lambda _: accounts.DescribeCreateAccountStatusCommand(create_account_request_id="car-00000000"), []),
    (lambda _: accounts.ListCreateAccountStatusCommand(), []),
    (lambda s: accounts.DescribeAccountCommand(account_id=s.account), ["account"]),
    (lambda _: accounts.ListAccountsCommand(), []),
    (lambda s: accounts.ListAccountsForParentCommand(parent_id=s.unit), ["unit"]),
    (
        lambda s: accounts.MoveAccountCommand(
            account_id=s.account, source_parent_id=s.top, destination_parent_id=s.unit
        ),
        ["account", "root", "unit"],
    ),
    (lambda s: accounts.CloseAccountCommand(account_id=s.account), ["account"]),
    (lambda s: accounts.RemoveAccountFromOrganizationCommand(account_id=s.account), ["account"]),
    (lambda _: accounts.LeaveOrganizationCommand(), []),
    (lambda s: units.CreateOrganizationalUnitCommand(parent_id=s.top, name="n"), ["root"]),
    (lambda s: units.DescribeOrganizationalUnitCommand(organizational_unit_id=s.unit), ["unit"]),
    (lambda s: units.UpdateOrganizationalUnitCommand(organizational_unit_id=s.unit, name="n"), ["unit"]),
    (lambda s: units.DeleteOrganizationalUnitCommand(organizational_unit_id=s.unit), ["unit"]),
    (lambda s: units.ListOrganizationalUnitsForParentCommand(parent_id=s.top), ["root"]),
    (lambda s: units.ListParentsCommand(child_id=s.account), ["account"]),
    (lambda s: units.ListParentsCommand(child_id=s.unit), ["unit"]),
    (lambda s: units.ListChildrenCommand(parent_id=s.unit, child_type="ACCOUNT"), ["unit"]),
    (lambda s: units.TagResourceCommand(resource_id=s.policy, tags=TAG), ["policy"]),
    (lambda s: units.UntagResourceCommand(resource_id=s.top, tag_keys=("a",)), ["root"]),
    (lambda s: units.ListTagsForResourceCommand(resource_id=s.account), ["account"]),
    (lambda s: policies.EnablePolicyTypeCommand(root_id=s.top, policy_type=RCP), ["root"]),
    (lambda s: policies.DisablePolicyTypeCommand(root_id=s.top, policy_type=SCP), ["root"]),
    (lambda _: policies.CreatePolicyCommand(content=DENY, description="", name="n", type=SCP), ["new"]),
    (lambda s: policies.DescribePolicyCommand(policy_id=s.policy), ["policy"]),
    (lambda _: policies.DescribePolicyCommand(policy_id=FULL[SCP]), ["full"]),
    (lambda s: policies.UpdatePolicyCommand(policy_id=s.policy, name="n"), ["policy"]),
    (lambda s: policies.DeletePolicyCommand(policy_id=s.policy), ["policy"]),
    (lambda _: policies.ListPoliciesCommand(filter=SCP), []),
    (lambda s: policies.AttachPolicyCommand(policy_id=s.policy, target_id=s.unit), ["policy", "unit"]),
    (lambda s: policies.DetachPolicyCommand(policy_id=FULL[SCP], target_id=s.account), ["full", "account"]),
    (lambda s: policies.ListPoliciesForTargetCommand(target_id=s.unit, filter=SCP), ["unit"]),
    (lambda s: policies.ListTargetsForPolicyCommand(policy_id=s.policy), ["policy"]),
]


def refused(world: World, who: Any, command: Command[Any]) -> str | None:
    """The message of a denial by policies, None where the policies allow."""
    try:
        world.call(who, command)
    except AccessDeniedException as denied:
        return denied.message
    except OrganizationsServiceException:
        return None
    return None


def why(world: World) -> str:
    """What the audit line says of the last denial, which the answer does not tell."""
    return str(world.records()[-1]["errorMessage"])


def test_every_operation_is_here() -> None:
    scene = SimpleNamespace(top="", unit="", account="", policy="")
    assert {make(scene).operation.name for make, _ in ASKS} == set(COMMANDS)  # type: ignore[arg-type]


@pytest.mark.facts("POL-RS-020", "ORG-GEN-004")
@pytest.mark.parametrize(("make", "kinds"), ASKS)
def test_permission_is_asked_for_exactly_these_resources(
    org: Org, make: Callable[[Scene], Command[Any]], kinds: list[str]
) -> None:
    scene = Scene(org)
    world, command = org.world, make(scene)
    action = command.operation.action
    arns = [scene.arns[kind] for kind in kinds] or ["*"]
    for number, missing in enumerate(arns):
        others = [arn for arn in arns if arn != missing] + [NEVER if missing == "*" else f"{missing}x"]
        short = world.user(f"short{number}", document(Effect="Allow", Action=action, Resource=others))
        message = refused(world, short, command)
        assert message == DENIED
        told = why(world)
        assert told.startswith(f"User: arn:aws:iam::{ACCOUNT}:user/short{number} is not authorized to perform: ")
        assert action in told
        assert missing == "*" or missing in told
    wrong = world.user("wrong", document(Effect="Allow", NotAction=action, Resource="*"))
    assert refused(world, wrong, command) is not None
    right = world.user("right", document(Effect="Allow", Action=action, Resource=arns))
    assert refused(world, right, command) is None


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda _: policies.CreatePolicyCommand(content=DENY, description="", name="n", type=SCP), _TYPE),
        (lambda s: policies.DescribePolicyCommand(policy_id=s.policy), _TYPE),
        (lambda s: units.TagResourceCommand(resource_id=s.policy, tags=TAG), _TYPE),
        (lambda s: policies.AttachPolicyCommand(policy_id=s.policy, target_id=s.unit), _TYPE),
        (lambda _: policies.ListPoliciesCommand(filter=RCP), _OTHER_TYPE),
        (lambda s: policies.EnablePolicyTypeCommand(root_id=s.top, policy_type=RCP), _OTHER_TYPE),
        (lambda s: policies.ListPoliciesForTargetCommand(target_id=s.top, filter=RCP), _OTHER_TYPE),
        (lambda _: organization.EnableAWSServiceAccessCommand(service_principal=SERVICE), _SERVICE),
        (lambda _: organization.ListDelegatedAdministratorsCommand(service_principal=SERVICE), _SERVICE),
        (
            lambda s: organization.RegisterDelegatedAdministratorCommand(
                account_id=s.account, service_principal=SERVICE
            ),
            _SERVICE,
        ),
        (lambda s: units.TagResourceCommand(resource_id=s.account, tags=TAG), _GIVEN),
        (lambda s: units.CreateOrganizationalUnitCommand(parent_id=s.top, name="n", tags=TAG), _GIVEN),
        (
            lambda _: accounts.CreateAccountCommand(email=Secret("z@example.com"), account_name=Secret("z"), tags=TAG),
            _GIVEN,
        ),
        (lambda s: units.UntagResourceCommand(resource_id=s.unit, tag_keys=("x",)), ("aws:TagKeys", "x", "y")),
        (lambda s: units.ListTagsForResourceCommand(resource_id=s.account), _KEPT),
        (lambda s: units.DescribeOrganizationalUnitCommand(organizational_unit_id=s.unit), _KEPT),
        (lambda s: policies.DeletePolicyCommand(policy_id=s.policy), _KEPT),
        (lambda s: policies.EnablePolicyTypeCommand(root_id=s.top, policy_type=RCP), _KEPT),
    ],
)
def test_conditions_see_what_the_call_is_about(
    org: Org, make: Callable[[Scene], Command[Any]], expected: tuple[str, str, str]
) -> None:
    scene = Scene(org)
    for resource in (scene.top, scene.unit, scene.account, scene.policy):
        org.call(units.TagResourceCommand(resource_id=resource, tags=(types.Tag(key="kept", value="yes"),)))
    world, command = org.world, make(scene)
    key, right, wrong = expected
    operator = "ForAnyValue:StringEquals" if key == "aws:TagKeys" else "StringEquals"
    for name, value, allowed in (("wrong", wrong, False), ("right", right, True)):
        policy = document(Effect="Allow", Action="*", Resource="*", Condition={operator: {key: value}})
        assert (refused(world, world.user(name, policy), command) is None) == allowed


def test_a_denial_comes_before_any_word_on_what_is_there(org: Org) -> None:
    world = org.world
    nobody = world.user("nobody")
    org.account()
    for command in (
        accounts.DescribeAccountCommand(account_id=OTHER),
        policies.DescribePolicyCommand(policy_id="p-zzzzzzzz"),
        policies.ListPoliciesForTargetCommand(target_id="ou-zzzz-zzzzzzzz", filter=SCP),
        units.ListTagsForResourceCommand(resource_id="rp-zzzz"),
    ):
        assert refused(world, nobody, command) == DENIED
        assert "is not authorized to perform" in why(world)
    outside = world.account(OTHER)
    stranger = world.user("stranger", root=outside)
    assert refused(world, stranger, organization.DescribeOrganizationCommand()) == DENIED
    assert "is not authorized" in why(world)
    everything = world.user("boss", document(Effect="Allow", Action="*", Resource="*"))
    world.refusal(everything, policies.DescribePolicyCommand(policy_id="p-zzzzzzzz"), PolicyNotFoundException)
    world.refusal(everything, units.ListTagsForResourceCommand(resource_id="rp-zzzz"), TargetNotFoundException)


@pytest.mark.facts("ORG-GEN-006", "R12")
def test_a_member_account_cannot_be_given_the_management_accounts_rights(org: Org) -> None:
    """Whatever its own policies allow: the operation is the management account's."""
    member = org.root_of(org.account())
    admin = org.world.user("admin", document(Effect="Allow", Action="*", Resource="*"), root=member)
    for who in (member, admin):
        message = refused(org.world, who, accounts.CloseAccountCommand(account_id=ACCOUNT))
        assert message == DENIED
        assert why(org.world) == DENIED


@pytest.mark.parametrize(("account", "allowed"), [(ACCOUNT, True), ("", False), ("aws", False), (None, False)], ids=str)
@pytest.mark.parametrize("managing", [True, False])
@pytest.mark.parametrize(
    "command", [organization.DescribeOrganizationCommand(), policies.DescribePolicyCommand(policy_id=FULL[SCP])]
)
def test_all_of_an_organization_is_its_management_accounts(
    org: Org, command: Command[Any], managing: bool, account: str | None, allowed: bool
) -> None:
    """So say aws:ResourceAccount and its like to whoever asks; ``""`` stands for the member's own account."""
    member = org.account()
    org.move(member, org.top, org.unit())
    org.delegate(member)
    if account is None:
        condition = {"Null": {"aws:ResourceAccount": "true"}}
    else:
        path = f"{org.id}/{org.top}/"
        owner = {"aws:ResourceAccount": account or member, "aws:ResourceOrgID": org.id}
        condition = {"StringEquals": owner, "ForAllValues:StringEquals": {"aws:ResourceOrgPaths": path}}
    policy = document(Effect="Allow", Action="organizations:*", Resource="*", Condition=condition)
    who = org.world.user("reader", policy, root=None if managing else org.root_of(member))
    assert (refused(org.world, who, command) is None) == allowed


@pytest.mark.parametrize(
    "make",
    [
        lambda s: policies.CreatePolicyCommand(content=DENY, description="", name="n", type=SCP, tags=TAG),
        lambda s: units.CreateOrganizationalUnitCommand(parent_id=s.top, name="n", tags=TAG),
        lambda _: accounts.CreateAccountCommand(email=Secret("z@example.com"), account_name=Secret("z"), tags=TAG),
    ],
)
def test_making_something_with_tags_is_tagging_it(org: Org, make: Callable[[Scene], Command[Any]]) -> None:
    command = make(Scene(org))
    action = command.operation.action
    for name, actions, answer in (("half", [action], DENIED), ("whole", [action, "organizations:TagResource"], None)):
        who = org.world.user(name, document(Effect="Allow", Action=actions, Resource="*"))
        assert refused(org.world, who, command) == answer
