"""The managed policies of AWS that locum ships (POL-MP-010…018).

Those that follow every service of AWS (ReadOnlyAccess, SecurityAudit, ViewOnlyAccess) are slices for the services
that locum is, and their descriptions say so (POL-MP-030).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec

__all__ = ["AWS_MANAGED_POLICIES", "ROOT_TASKS", "ManagedPolicy"]

ROOT_TASKS: Final = "/root-task/"
"""The path of the policies that bound the sessions of AssumeRoot, and that cannot be attached (POL-RT-003)."""

_SLICE: Final = "Locum's slice of the AWS policy of this name: its part for IAM, Organizations and STS."


class ManagedPolicy(msgspec.Struct, frozen=True):
    """A managed policy of AWS; ``version`` is the label of its default version, ``document`` its text.

    ``id`` is its unique id at AWS and ``created`` when AWS made it, in seconds, where those were recorded.
    """

    name: str
    path: str
    version: str
    description: str
    document: str
    id: str = ""
    created: int = 0

    def arn(self, partition: str) -> str:
        """Its ARN, in which ``aws`` stands for the account (POL-MP-001)."""
        return f"arn:{partition}:iam::aws:policy{self.path}{self.name}"


def _managed(
    name: str, version: str, description: str, statements: Sequence[dict[str, Any]], path: str = "/"
) -> ManagedPolicy:
    document = json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=4)
    return ManagedPolicy(name, path, version, description, document)


def _allow(actions: str | Sequence[str], resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def _root_task(
    name: str,
    id: str,
    created: int,
    description: str,
    service: str,
    actions: str,
    *denied: dict[str, Any],
    sid: str = "",
    everywhere: str = "",
) -> ManagedPolicy:
    """A task of AssumeRoot: everything but ``actions`` is denied, and those again as ``denied`` says (POL-RT-010…014).

    Without ``denied`` they, but for ``everywhere``, are denied on all but root users by a statement ``sid``.
    """
    left = [f"{service}:{action}" for action in actions.split()]
    on_root = [each for each in left if each != everywhere]
    if not denied:
        denied = (_deny(sid, Action=on_root, NotResource=_ROOT_USERS),)
    elsewhere = _deny("DenyAllOtherActionsOnAnyResource", NotAction=left, Resource="*")
    made = _managed(name, "v1", description, [elsewhere, *denied], path=ROOT_TASKS)
    return msgspec.structs.replace(made, id=id, created=created)


def _deny(sid: str, **elements: Any) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Deny", **elements}


def _unless_root(sid: str, actions: Sequence[str]) -> dict[str, Any]:
    return _deny(sid, Action=actions, Resource="*", Condition={"StringNotLike": {"aws:PrincipalArn": _ROOT_USERS}})


_ROOT_USERS: Final = "arn:aws:iam::*:root"
_LIST_CREDENTIALS: Final = "ListAccessKeys ListSigningCertificates GetLoginProfile ListMFADevices"
_READ_USER: Final = "GetUser GetAccessKeyLastUsed"
_S3: Final = "DeleteBucketPolicy PutBucketPolicy GetBucketPolicy ListAllMyBuckets"
_SQS: Final = "SetQueueAttributes GetQueueAttributes ListQueues GetQueueUrl"

AWS_MANAGED_POLICIES: Final = (
    _managed("AdministratorAccess", "v1", "Provides full access to AWS services and resources.", [_allow("*")]),
    _managed(
        "PowerUserAccess",
        "v6",
        "Provides full access to AWS services and resources, but does not allow management of users and groups.",
        [
            {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
            _allow(
                [
                    "account:GetAccountInformation",
                    "account:GetPrimaryEmail",
                    "account:ListRegions",
                    "iam:CreateServiceLinkedRole",
                    "iam:DeleteServiceLinkedRole",
                    "iam:ListRoles",
                    "organizations:DescribeOrganization",
                ]
            ),
        ],
    ),
    _managed(
        "IAMFullAccess",
        "v2",
        "Provides full access to IAM.",
        [
            _allow(
                [
                    "iam:*",
                    "organizations:DescribeAccount",
                    "organizations:DescribeOrganization",
                    "organizations:DescribeOrganizationalUnit",
                    "organizations:DescribePolicy",
                    "organizations:ListChildren",
                    "organizations:ListParents",
                    "organizations:ListPoliciesForTarget",
                    "organizations:ListRoots",
                    "organizations:ListPolicies",
                    "organizations:ListTargetsForPolicy",
                ]
            )
        ],
    ),
    _managed(
        "IAMReadOnlyAccess",
        "v4",
        "Provides read only access to IAM.",
        [
            _allow(
                [
                    "iam:GenerateCredentialReport",
                    "iam:GenerateServiceLastAccessedDetails",
                    "iam:Get*",
                    "iam:List*",
                    "iam:SimulateCustomPolicy",
                    "iam:SimulatePrincipalPolicy",
                ]
            )
        ],
    ),
    _managed(
        "IAMUserChangePassword",
        "v2",
        "Provides the ability for an IAM user to change their own password.",
        [
            _allow(["iam:ChangePassword"], "arn:aws:iam::*:user/${aws:username}"),
            _allow(["iam:GetAccountPasswordPolicy"]),
        ],
    ),
    _managed(
        "AWSDenyAll",
        "v2",
        "Denies all access.",
        [{"Sid": "DenyAll", "Effect": "Deny", "Action": ["*"], "Resource": "*"}],
    ),
    _managed(
        "ReadOnlyAccess",
        "v188",
        _SLICE,
        [
            _allow(
                [
                    "iam:Generate*",
                    "iam:Get*",
                    "iam:List*",
                    "iam:Simulate*",
                    "organizations:Describe*",
                    "organizations:List*",
                    "sts:GetAccessKeyInfo",
                    "sts:GetCallerIdentity",
                    "sts:GetSessionToken",
                ]
            )
        ],
    ),
    _managed(
        "SecurityAudit",
        "v92",
        _SLICE,
        [
            _allow(
                [
                    "iam:GenerateCredentialReport",
                    "iam:GenerateServiceLastAccessedDetails",
                    "iam:Get*",
                    "iam:List*",
                    "iam:SimulateCustomPolicy",
                    "iam:SimulatePrincipalPolicy",
                    "organizations:Describe*",
                    "organizations:List*",
                    "sts:GetAccessKeyInfo",
                ]
            )
        ],
    ),
    _managed(
        "ViewOnlyAccess",
        "v45",
        _SLICE,
        [_allow(["iam:GetAccountSummary", "iam:GetLoginProfile", "iam:List*", "organizations:List*"])],
        path="/job-function/",
    ),
    _root_task(
        "IAMAuditRootUserCredentials",
        "ANPAZKAPJZG4BDSCREYVS",
        1_730_932_078,
        "Bounds a root task: look at the credentials of a member account's root user.",
        "iam",
        f"{_LIST_CREDENTIALS} GetAccountSummary {_READ_USER}",
        sid="DenyAuditingCredentialsOnNonRootUserResource",
        everywhere="iam:GetAccountSummary",
    ),
    _root_task(
        "IAMCreateRootUserPassword",
        "ANPAZKAPJZG4OEGTN7YT5",
        1_730_932_379,
        "Bounds a root task: let a member account's root user set a password again.",
        "iam",
        "CreateLoginProfile GetLoginProfile",
        sid="DenyCreatingPasswordOnNonRootUserResource",
    ),
    _root_task(
        "IAMDeleteRootUserCredentials",
        "ANPAZKAPJZG4CX73XKORQ",
        1_730_933_278,
        "Bounds a root task: delete the credentials of a member account's root user.",
        "iam",
        "DeleteAccessKey DeleteSigningCertificate DeleteLoginProfile DeactivateMFADevice DeleteVirtualMFADevice "
        f"{_LIST_CREDENTIALS} {_READ_USER}",
        sid="DenyDeletingRootUserCredentialsOnNonRootUserResource",
    ),
    _root_task(
        "S3UnlockBucketPolicy",
        "ANPAZKAPJZG4OALTIPZOF",
        1_730_930_156,
        "Bounds a root task: replace a bucket policy that locks everybody out.",
        "s3",
        _S3,
        _unless_root("DenyManagingBucketPolicyForNonRootCallers", [f"s3:{each}" for each in _S3.split()]),
    ),
    _root_task(
        "SQSUnlockQueuePolicy",
        "ANPAZKAPJZG4HPZI4FDUV",
        1_730_929_862,
        "Bounds a root task: replace a queue policy that locks everybody out.",
        "sqs",
        _SQS,
        _deny(
            "DenyGettingQueueAttributesOnNonOwnQueue",
            Action=["sqs:GetQueueAttributes"],
            Resource="arn:aws:sqs:*:*:*",
            Condition={"StringNotEqualsIfExists": {"aws:ResourceAccount": ["${aws:PrincipalAccount}"]}},
        ),
        _unless_root("DenyActionsForNonRootUser", [f"sqs:{each}" for each in _SQS.split()]),
    ),
)
"""The shipped policies; POL-MP-016…018 are slices."""
