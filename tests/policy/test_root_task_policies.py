"""The policies of the five root tasks: only denials, and what they leave to a root session (POL-RT-010…015)."""

from __future__ import annotations

import datetime
import json
from typing import Final

import pytest

from locum.policy import (
    AWS_MANAGED_POLICIES,
    Ask,
    Effect,
    Policies,
    PolicyKind,
    Principal,
    decide,
    load,
    parse,
    principal_context,
)
from locum.policy.managed import ROOT_TASKS

ACCOUNT: Final = "111122223333"
ROOT: Final = Principal.root(ACCOUNT, session=True)
ARN: Final = f"arn:aws:iam::{ACCOUNT}:root"
READ: Final = "ListAccessKeys ListSigningCertificates GetLoginProfile ListMFADevices GetUser GetAccessKeyLastUsed"
QUEUE: Final = f"arn:aws:sqs:eu-central-1:{ACCOUNT}:orders"
TASKS: Final = {
    "IAMAuditRootUserCredentials": ("iam", READ),
    "IAMCreateRootUserPassword": ("iam", "CreateLoginProfile GetLoginProfile"),
    "IAMDeleteRootUserCredentials": (
        "iam",
        "DeleteAccessKey DeleteSigningCertificate DeleteLoginProfile DeactivateMFADevice DeleteVirtualMFADevice "
        + READ,
    ),
    "S3UnlockBucketPolicy": ("s3", "DeleteBucketPolicy PutBucketPolicy GetBucketPolicy ListAllMyBuckets"),
    "SQSUnlockQueuePolicy": ("sqs", "SetQueueAttributes GetQueueAttributes ListQueues GetQueueUrl"),
}
FACTS: Final = {
    "IAMAuditRootUserCredentials": ("POL-RT-010", "STS-ROOT-T01"),
    "IAMCreateRootUserPassword": ("POL-RT-011", "STS-ROOT-T02"),
    "IAMDeleteRootUserCredentials": ("POL-RT-012", "STS-ROOT-T03"),
    "S3UnlockBucketPolicy": ("POL-RT-013", "STS-ROOT-T04"),
    "SQSUnlockQueuePolicy": ("POL-RT-014", "STS-ROOT-T05"),
}
EVERYTHING: Final = [f"{service}:{action}" for service, actions in TASKS.values() for action in actions.split()]
OTHERS: Final = [
    "iam:CreateUser",
    "iam:CreateAccessKey",
    "s3:GetObject",
    "sqs:SendMessage",
    "ec2:RunInstances",
    "sts:X",
]
SHIPPED: Final = {each.name: each for each in AWS_MANAGED_POLICIES if each.path == ROOT_TASKS}


def effect(name: str, action: str, resource: str, principal: Principal = ROOT, **context: str) -> Effect:
    policies = Policies(session=(load(SHIPPED[name].document, PolicyKind.MANAGED, name),))
    keys = (
        principal_context(principal)
        | {"aws:resourceaccount": ACCOUNT}
        | {key.replace("_", ":"): value for key, value in context.items()}
    )
    return decide(Ask(principal, action, resource, ACCOUNT, keys), policies).effect


@pytest.mark.facts("POL-RT-003", "POL-MP-019", "POL-RT-004", "POL-RT-015")
def test_there_are_five_and_all_they_say_is_no() -> None:
    assert SHIPPED.keys() == TASKS.keys()
    for shipped in SHIPPED.values():
        assert shipped.version == "v1"
        assert shipped.arn("aws") == f"arn:aws:iam::aws:policy/root-task/{shipped.name}"
        statements = parse(shipped.document).statements
        assert {each.effect for each in statements} == {"Deny"}
        assert statements[0].sid == "DenyAllOtherActionsOnAnyResource"
        assert (
            len({each.sid for each in statements}) == len(statements) == len(json.loads(shipped.document)["Statement"])
        )


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.facts(*FACTS[name])) for name in TASKS])
def test_a_task_leaves_its_own_actions_on_the_root_user(name: str) -> None:
    service, actions = TASKS[name]
    left = {f"{service}:{action}" for action in actions.split()}
    summary = {"iam:GetAccountSummary"} if name == "IAMAuditRootUserCredentials" else set()
    own = {"iam": ARN, "s3": "arn:aws:s3:::ledger", "sqs": QUEUE}[service]
    for action in [*EVERYTHING, *OTHERS, "iam:GetAccountSummary"]:
        found = effect(name, action, own)
        assert found is (Effect.ALLOW if action in left | summary else Effect.EXPLICIT_DENY), action
    if service == "iam":
        elsewhere = {
            action for action in left if effect(name, action, ARN.replace("root", "user/alice")) is Effect.ALLOW
        }
        assert elsewhere == set()
        assert (effect(name, "iam:GetAccountSummary", "*") is Effect.ALLOW) is bool(summary)


@pytest.mark.facts("POL-RT-013", "POL-RT-014")
@pytest.mark.parametrize("name", ["S3UnlockBucketPolicy", "SQSUnlockQueuePolicy"])
def test_an_unlocking_task_is_for_root_alone(name: str) -> None:
    service, actions = TASKS[name]
    alice = Principal.user(f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT, "AIDAALICEALICEALICE00")
    for action in actions.split():
        assert effect(name, f"{service}:{action}", QUEUE, alice) is Effect.EXPLICIT_DENY
        assert effect(name, f"{service}:{action}", QUEUE) is Effect.ALLOW


@pytest.mark.facts("POL-RT-014")
def test_a_queue_is_looked_at_in_the_own_account_alone() -> None:
    asked = "SQSUnlockQueuePolicy", "sqs:GetQueueAttributes", QUEUE
    assert effect(*asked, aws_resourceaccount=ACCOUNT) is Effect.ALLOW
    assert effect(*asked, aws_resourceaccount="444455556666") is Effect.EXPLICIT_DENY
    assert effect("SQSUnlockQueuePolicy", "sqs:GetQueueUrl", QUEUE, aws_resourceaccount="444455556666") is Effect.ALLOW


@pytest.mark.facts("POL-RT-010", "POL-RT-011", "POL-RT-012", "POL-RT-013", "POL-RT-014")
@pytest.mark.parametrize(
    ("name", "id", "created", "sids"),
    [
        (
            "IAMAuditRootUserCredentials",
            "ANPAZKAPJZG4BDSCREYVS",
            "2024-11-06T22:27:58+00:00",
            ["DenyAuditingCredentialsOnNonRootUserResource"],
        ),
        (
            "IAMCreateRootUserPassword",
            "ANPAZKAPJZG4OEGTN7YT5",
            "2024-11-06T22:32:59+00:00",
            ["DenyCreatingPasswordOnNonRootUserResource"],
        ),
        (
            "IAMDeleteRootUserCredentials",
            "ANPAZKAPJZG4CX73XKORQ",
            "2024-11-06T22:47:58+00:00",
            ["DenyDeletingRootUserCredentialsOnNonRootUserResource"],
        ),
        (
            "S3UnlockBucketPolicy",
            "ANPAZKAPJZG4OALTIPZOF",
            "2024-11-06T21:55:56+00:00",
            ["DenyManagingBucketPolicyForNonRootCallers"],
        ),
        (
            "SQSUnlockQueuePolicy",
            "ANPAZKAPJZG4HPZI4FDUV",
            "2024-11-06T21:51:02+00:00",
            ["DenyGettingQueueAttributesOnNonOwnQueue", "DenyActionsForNonRootUser"],
        ),
    ],
)
def test_a_task_is_the_policy_that_aws_has(name: str, id: str, created: str, sids: list[str]) -> None:
    shipped = SHIPPED[name]
    assert (shipped.id, datetime.datetime.fromtimestamp(shipped.created, datetime.UTC).isoformat()) == (id, created)
    statements = json.loads(shipped.document)["Statement"]
    assert [each["Sid"] for each in statements] == ["DenyAllOtherActionsOnAnyResource", *sids]
