"""The shipped managed policies: what they grant, and how they are called."""

from __future__ import annotations

import pytest

from locum.policy import (
    AWS_MANAGED_POLICIES,
    Ask,
    Effect,
    Policies,
    PolicyKind,
    Principal,
    StatementRef,
    decide,
    load,
    principal_context,
)

ACCOUNT = "111122223333"
USER = f"arn:aws:iam::{ACCOUNT}:user/alice"
ALICE = Principal.user(USER, ACCOUNT, "AIDAALICEALICEALICE00")
ALLOW = load('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}', PolicyKind.INLINE)
MANAGED = {shipped.name: shipped for shipped in AWS_MANAGED_POLICIES}
RIGHTS = [
    ("POL-MP-010", "AdministratorAccess", "/", "v1", "iam:CreateUser sts:AssumeRole", ""),
    (
        "POL-MP-011",
        "PowerUserAccess",
        "/",
        "v6",
        "s3:GetObject iam:ListRoles account:ListRegions organizations:DescribeOrganization",
        "iam:CreateUser organizations:ListRoots account:CloseAccount",
    ),
    (
        "POL-MP-012",
        "IAMFullAccess",
        "/",
        "v2",
        "iam:CreateUser organizations:ListRoots organizations:DescribePolicy",
        "organizations:LeaveOrganization sts:AssumeRole",
    ),
    (
        "POL-MP-013",
        "IAMReadOnlyAccess",
        "/",
        "v4",
        "iam:GetUser iam:ListRoles iam:SimulateCustomPolicy iam:GenerateCredentialReport",
        "iam:CreateUser iam:GenerateOrganizationsAccessReport",
    ),
    (
        "POL-MP-014",
        "IAMUserChangePassword",
        "/",
        "v2",
        "iam:ChangePassword iam:GetAccountPasswordPolicy",
        "iam:UpdateLoginProfile",
    ),
    (
        "POL-MP-016",
        "ReadOnlyAccess",
        "/",
        "v188",
        "iam:GenerateCredentialReport iam:GetUser organizations:ListRoots sts:GetAccessKeyInfo sts:GetSessionToken",
        "iam:CreateUser sts:AssumeRole",
    ),
    (
        "POL-MP-017",
        "SecurityAudit",
        "/",
        "v92",
        "iam:GetUser organizations:DescribePolicy sts:GetAccessKeyInfo iam:SimulatePrincipalPolicy",
        "iam:CreateUser sts:AssumeRole",
    ),
    (
        "POL-MP-018",
        "ViewOnlyAccess",
        "/job-function/",
        "v45",
        "iam:ListUsers iam:GetAccountSummary iam:GetLoginProfile organizations:ListRoots",
        "iam:GetUser organizations:DescribePolicy",
    ),
]


@pytest.mark.parametrize(
    ("name", "path", "version", "granted", "refused"),
    [pytest.param(*row, marks=pytest.mark.facts(fact)) for fact, *row in RIGHTS],
)
def test_what_a_shipped_policy_grants(name: str, path: str, version: str, granted: str, refused: str) -> None:
    shipped = MANAGED[name]
    assert (shipped.path, shipped.version) == (path, version)
    around = Policies(identity=(load(shipped.document, PolicyKind.MANAGED, name),))
    keys = principal_context(ALICE)
    for actions, expected in ((granted, True), (refused, False)):
        for action in actions.split():
            assert decide(Ask(ALICE, action, USER, ACCOUNT, keys), around).allowed is expected, action


@pytest.mark.facts("POL-MP-014")
def test_a_user_changes_its_own_password_only() -> None:
    around = Policies(identity=(load(MANAGED["IAMUserChangePassword"].document, PolicyKind.MANAGED),))
    other = USER.replace("alice", "carol")
    assert not decide(Ask(ALICE, "iam:ChangePassword", other, ACCOUNT, principal_context(ALICE)), around).allowed


@pytest.mark.facts("POL-MP-015")
def test_aws_deny_all_denies_with_its_sid() -> None:
    denying = load(MANAGED["AWSDenyAll"].document, PolicyKind.MANAGED, "AWSDenyAll")
    decision = decide(Ask(ALICE, "iam:GetUser", USER, ACCOUNT, {}), Policies(identity=(ALLOW, denying)))
    assert (decision.effect, decision.statements) == (Effect.EXPLICIT_DENY, (StatementRef("AWSDenyAll", "DenyAll", 0),))


@pytest.mark.facts("POL-MP-001")
def test_the_arn_of_a_shipped_policy() -> None:
    assert MANAGED["AdministratorAccess"].arn("aws") == "arn:aws:iam::aws:policy/AdministratorAccess"
    assert MANAGED["ViewOnlyAccess"].arn("aws-cn") == "arn:aws-cn:iam::aws:policy/job-function/ViewOnlyAccess"


@pytest.mark.facts("POL-MP-030")
@pytest.mark.parametrize("name", ["ReadOnlyAccess", "SecurityAudit", "ViewOnlyAccess"])
def test_a_slice_says_that_it_is_one(name: str) -> None:
    assert "slice" in MANAGED[name].description
