"""The cases of tests/vectors/policy_cases.jsonl, and what the engine and the plain evaluator are asked about one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from locum.policy import (
    Ask,
    CompiledPolicy,
    Layer,
    Policies,
    PolicyKind,
    Principal,
    compile_policy,
    context,
    parse,
)

from .oracle import Question

CASES = [
    json.loads(line) for line in (Path(__file__).parents[1] / "vectors" / "policy_cases.jsonl").read_text().splitlines()
]


def principal_of(given: dict[str, Any]) -> Principal:
    """The caller that a case describes."""
    exempt = bool(given.get("management_account"))
    match given["type"]:
        case "IAMUser":
            return Principal.user(given["arn"], given["account"], given["id"], scp_exempt=exempt)
        case "AssumedRole":
            return Principal.role_session(
                given["arn"],
                given["account"],
                given["role_arn"],
                given["id"],
                given["session_name"],
                service_linked=bool(given.get("service_linked")),
                scp_exempt=exempt,
            )
        case "FederatedUser":
            name = given["arn"].rpartition("/")[2]
            return Principal.federated_user(given["arn"], given["account"], name, given["user_arn"], "")
        case "Root" | "RootSession" as kind:
            return Principal.root(given["account"], session=kind == "RootSession")
        case "Service":
            return Principal.service(given["service"])
        case "Anonymous":
            return Principal.anonymous()
        case "WebIdentity":
            return Principal.web_identity(given["provider"])
        case "SAML":
            return Principal.saml(given["provider"])
        case other:
            raise AssertionError(other)


def ask_of(request: dict[str, Any]) -> Ask:
    return Ask(
        principal_of(request["principal"]),
        request["action"],
        request["resource"],
        request["resource_account"],
        context(request["context"]),
    )


def policies_of(case: dict[str, Any]) -> Policies:
    """The policies of a case, compiled; a resource policy for STS is the role's trust policy."""

    def compiled(document: dict[str, Any], kind: PolicyKind) -> CompiledPolicy:
        return compile_policy(parse(json.dumps(document)), kind, kind.value)

    def levels(
        given: list[list[dict[str, Any]]] | None, kind: PolicyKind
    ) -> tuple[tuple[CompiledPolicy, ...], ...] | None:
        return None if given is None else tuple(tuple(compiled(d, kind) for d in level) for level in given)

    request = case["request"]
    trust = request["action"].startswith("sts:")
    resource, boundary, session = case["resource_policy"], case["permissions_boundary"], case["session_policies"]
    return Policies(
        identity=tuple(compiled(document, PolicyKind.INLINE) for document in case["identity_policies"]),
        boundary=compiled(boundary, PolicyKind.MANAGED) if boundary else None,
        session=tuple(compiled(document, PolicyKind.SESSION) for document in session) if session else None,
        resource=compiled(resource, PolicyKind.TRUST if trust else PolicyKind.RESOURCE) if resource else None,
        resource_layer=Layer.TRUST if trust else Layer.RESOURCE,
        resource_policy_required=bool(request.get("resource_policy_required") or (trust and resource)),
        scps=levels(case["scps"], PolicyKind.SERVICE_CONTROL),
        rcps=levels(case["rcps"], PolicyKind.RESOURCE_CONTROL),
    )


def question_of(case: dict[str, Any]) -> Question:
    request = case["request"]
    trust = request["action"].startswith("sts:")
    return Question(
        principal={"id": "", **request["principal"]},
        action=request["action"],
        resource=request["resource"],
        resource_account=request["resource_account"],
        context=context(request["context"]),
        identity=case["identity_policies"],
        boundary=case["permissions_boundary"],
        session=case["session_policies"] or None,
        resource_policy=case["resource_policy"],
        required=bool(request.get("resource_policy_required") or (trust and case["resource_policy"])),
        trust=trust,
        scps=case["scps"],
        rcps=case["rcps"],
    )
