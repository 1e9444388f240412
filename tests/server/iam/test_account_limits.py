"""Limits of each account's own."""

from __future__ import annotations

import json

import pytest

from locum import errors
from locum.api.iam import policies, users
from locum.core.limits import with_limits
from locum.core.records import Account
from locum.store.records import Records

from ..conftest import ACCOUNT, World, document


@pytest.mark.facts("POL-LM-005", "POL-LM-009", "POL-LM-002", "POL-LM-003")
def test_an_account_can_have_limits_of_its_own(world: World) -> None:
    with world.store.transaction() as rows:
        records = Records(rows)
        stored = records.get(Account, "", ACCOUNT)
        assert stored is not None
        changes = {"PoliciesPerUser": 11, "UsersPerAccount": 1, "UserPolicySize": 20, "ACLSizePerRole": 8_192}
        records.replace(stored, with_limits(stored.record, changes))
    alice = users.CreateUserCommand(user_name="alice")
    world.call(world.root, alice)
    refusal = world.refusal(world.root, users.CreateUserCommand(user_name="bob"), errors.LimitExceededException)
    assert refusal == "Cannot exceed quota for UsersPerAccount: 1"
    text = json.dumps(document(Effect="Allow", Action="s3:*", Resource="*"))
    put = users.PutUserPolicyCommand(user_name="alice", policy_name="p", policy_document=text)
    refusal = world.refusal(world.root, put, errors.LimitExceededException)
    assert refusal == "Maximum policy size of 20 bytes exceeded for user alice"
    for number in range(12):
        created = policies.CreatePolicyCommand(policy_name=f"p{number}", policy_document=text)
        policy = world.call(world.root, created).policy
        assert policy is not None
        assert policy.arn is not None
        attach = users.AttachUserPolicyCommand(user_name="alice", policy_arn=policy.arn)
        if number < 11:
            world.call(world.root, attach)
        else:
            refusal = world.refusal(world.root, attach, errors.LimitExceededException)
            assert refusal == "Cannot exceed quota for PoliciesPerUser: 11"
    long = document(*({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"} for _ in range(60)))
    world.role("long", long)
