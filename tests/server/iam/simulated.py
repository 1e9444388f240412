"""What the tests of the policy simulator share: policies, simulations and their results in few words."""

from __future__ import annotations

import json
from typing import Any

from locum.api.iam.simulation import (
    ContextEntry,
    EvaluationResult,
    InlinePolicyIdentifierType,
    OrderedOrganizationPolicyType,
    SimulateCustomPolicyCommand,
    SimulatePrincipalPolicyCommand,
)

from ..conftest import ACCOUNT, World, document

BUCKET = "arn:aws:s3:::ledger"
OBJECT = "arn:aws:s3:::ledger/a"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
READER = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
INLINE = InlinePolicyIdentifierType(policy_name="p", attachment_type="user", attachment_name="a*e")


def text(*statements: dict[str, Any], **statement: Any) -> str:
    return json.dumps(document(*statements, **statement))


def allow(action: str = "*", resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str = "*", resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def command(*inputs: Any, **more: Any) -> SimulateCustomPolicyCommand:
    """A simulation of policies, each a statement; of s3:GetObject unless other actions are named."""
    more.setdefault("action_names", ("s3:GetObject",))
    return SimulateCustomPolicyCommand(policy_input_list=tuple(text(each) for each in inputs), **more)


def custom(world: World, *inputs: Any, **more: Any) -> EvaluationResult:
    """The only result of a simulation."""
    (result,) = world.call(world.root, command(*inputs, **more)).evaluation_results
    return result


def principal(world: World, source: str, **more: Any) -> EvaluationResult:
    more.setdefault("action_names", ("s3:GetObject",))
    simulate = SimulatePrincipalPolicyCommand(policy_source_arn=source, **more)
    (result,) = world.call(world.root, simulate).evaluation_results
    return result


def levels(*given: tuple[Any, ...]) -> tuple[OrderedOrganizationPolicyType, ...]:
    return tuple(
        OrderedOrganizationPolicyType(service_control_policy_input_list=tuple(text(each) for each in level))
        for level in given
    )


def sources(statements: Any) -> list[tuple[str, str]]:
    return [(each.source_policy_id, each.source_policy_type) for each in statements]


def entry(name: str, *values: str, type: str | None = None) -> ContextEntry:
    return ContextEntry(context_key_name=name, context_key_values=values, context_key_type=type)


def on_bucket(statement: dict[str, Any], principal: Any = "*") -> str:
    named = principal if principal == "*" else {"AWS": principal}
    return text({**statement, "Principal": named, "Resource": "arn:aws:s3:::ledger/*"})
