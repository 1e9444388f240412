"""What refusals say, to the letter where AWS's own sentence is known: tools match on some of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from locum.api.organizations import accounts, organization, policies, types, units
from locum.organization_errors import (
    ConstraintViolationException,
    InvalidInputException,
    OrganizationNotEmptyException,
    OrganizationsServiceException,
    PolicyInUseException,
)
from locum.secret import Secret

from ..conftest import ACCOUNT
from .conftest import DENY, FULL, SCP, Org

IAM = "iam.amazonaws.com"


def _attached_in_full(org: Org) -> Any:
    org.enable()
    for number in range(9):
        org.attach(org.policy(f"p{number}"), org.top)
    return policies.AttachPolicyCommand(policy_id=org.policy("last"), target_id=org.top)


def _last_one(org: Org) -> Any:
    org.enable()
    return policies.DetachPolicyCommand(policy_id=FULL[SCP], target_id=org.top)


def _attached(org: Org) -> Any:
    org.enable()
    policy = org.policy()
    org.attach(policy, org.top)
    return policies.DeletePolicyCommand(policy_id=policy)


def _too_long(org: Org) -> Any:
    return policies.CreatePolicyCommand(content=DENY.ljust(10_241), description="", name="x", type=SCP)


def _with_members(org: Org) -> Any:
    org.call(accounts.CloseAccountCommand(account_id=org.account()))
    return organization.DeleteOrganizationCommand()


def _key_twice(org: Org) -> Any:
    return units.TagResourceCommand(resource_id=org.top, tags=(types.Tag(key="same", value="one"),) * 2)


def _no_token(_: Org) -> Any:
    return accounts.ListAccountsCommand(next_token="bad")


def _without_access(org: Org) -> Any:
    return organization.RegisterDelegatedAdministratorCommand(account_id=org.account(), service_principal=IAM)


def _management(org: Org) -> Any:
    return organization.RegisterDelegatedAdministratorCommand(account_id=ACCOUNT, service_principal=IAM)


@pytest.mark.facts("ORG-013", "ORG-014", "ORG-021", "ORG-023")
@pytest.mark.parametrize(
    ("prepare", "kind", "said"),
    [
        (
            _attached_in_full,
            ConstraintViolationException,
            "You have attached the maximum number of policies to the specified target.",
        ),
        (
            _last_one,
            ConstraintViolationException,
            "You cannot remove the last policy attached to the specified target. "
            "You must have at least one attached at all times.",
        ),
        (
            _attached,
            PolicyInUseException,
            "The specified policy is in use and cannot be deleted.",
        ),
        (_key_twice, InvalidInputException, "Your request includes duplicate tag keys."),
        (
            _no_token,
            InvalidInputException,
            "You specified an invalid value for nextToken. "
            "You must get the value from the response to a previous call to the API.",
        ),
        (_too_long, ConstraintViolationException, "You have exceeded the maximum policy size."),
        (
            _with_members,
            OrganizationNotEmptyException,
            "To delete an organization you must first remove all member accounts (except the master).",
        ),
        (
            _without_access,
            ConstraintViolationException,
            "You must enable service access before you delegate an administrator for this service. "
            "Call the AWS API EnableAWSServiceAccess first.",
        ),
        (
            _management,
            ConstraintViolationException,
            "You cannot register master account/yourself as delegated administrator for your organization.",
        ),
    ],
)
def test_what_a_refusal_says(
    org: Org, prepare: Callable[[Org], Any], kind: type[OrganizationsServiceException], said: str
) -> None:
    command = prepare(org)
    with pytest.raises(kind) as raised:
        org.call(command)
    assert raised.value.message == said


@pytest.mark.parametrize("service", ["example.com", "iam", "amazonaws.com"])
def test_a_service_that_is_none_is_not_recognized_by_any_operation(org: Org, service: str) -> None:
    account = org.account()
    for command in (
        organization.EnableAWSServiceAccessCommand(service_principal=service),
        organization.DisableAWSServiceAccessCommand(service_principal=service),
        organization.RegisterDelegatedAdministratorCommand(account_id=account, service_principal=service),
        organization.ListDelegatedAdministratorsCommand(service_principal=service),
    ):
        assert org.refused(command, InvalidInputException) == "UNRECOGNIZED_SERVICE_PRINCIPAL"


def test_the_role_of_a_new_account_cannot_have_a_services_name(org: Org) -> None:
    command = accounts.CreateAccountCommand(
        email=Secret("shop@example.com"), account_name=Secret("shop"), role_name="AWSServiceRoleForShops"
    )
    assert org.refused(command, InvalidInputException) == "INVALID_ROLE_NAME"
    assert len(org.call(accounts.ListAccountsCommand()).accounts) == 1
