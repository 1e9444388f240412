"""What is refused when a policy is stored, with AWS's messages in AWS's order (policy.md §9).

A check runs over the whole document before the next one begins (POL-VA-002).  What AWS stores and nobody can enforce
is refused too (R28): ranges, numbers and dates that cannot be compared, and ``${`` that begins no variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from ..arn import PARTITIONS
from ..errors import MalformedPolicyDocumentException
from .conditions import readable
from .document import Policy, PolicyError, PolicyKind, Principals, Problem, Statement, parse
from .patterns import variables_are_well_formed
from .trust import BAD_SID, SID, check_trust_policy

__all__ = ["validate"]

SYNTAX: Final = "Syntax errors in policy."
LEGACY: Final = "The policy failed legacy parsing"
_NO_RESOURCES: Final = "Policy statement must contain resources."
_ORGANIZATIONS: Final = "The provided policy document does not meet the requirements of the specified policy type."

_VENDOR: Final = re.compile(r"[0-9A-Za-z.-]+\Z")
_IAM_KINDS: Final = (
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
)
_NEWER_IAM_KINDS: Final = ("delegation-request/",)
"""Kinds that came after the message with the others was recorded (POL-VA-025); it does not tell of them."""

_Check = Callable[[Policy], str | None]
"""A check of a whole document: the message of the first mistake of its kind, or None."""


def validate(text: str, kind: PolicyKind) -> Policy:
    """Read a document that is to be stored as ``kind``.

    MalformedPolicyDocumentException with AWS's message; its cause, where it has one, is the :class:`PolicyError`
    that says where the mistake is.
    """
    try:
        policy = parse(text)
    except PolicyError as error:
        raise MalformedPolicyDocumentException(_message(error, kind)) from error
    if kind is PolicyKind.TRUST:
        check_trust_policy(policy)
        return policy
    for check in _CHECKS[kind]:
        message = check(policy)
        if message is not None:
            raise MalformedPolicyDocumentException(_ORGANIZATIONS if kind in _OF_ORGANIZATIONS else message)
    return policy


def _message(error: PolicyError, kind: PolicyKind) -> str:
    if kind in _OF_ORGANIZATIONS:
        return _ORGANIZATIONS
    if kind is PolicyKind.SESSION and error.problem is Problem.JSON:
        return "The policy is not in the valid JSON format."
    if kind is not PolicyKind.TRUST:
        return SYNTAX
    return {
        Problem.JSON: "This policy contains invalid Json",
        Problem.VERSION: "The policy must contain a valid version string",
        Problem.NO_STATEMENTS: "Could not parse the policy: Statement is empty!",
        Problem.NO_EFFECT: "Missing required field Effect",
        Problem.UNKNOWN_EFFECT: f"Invalid effect: {error.detail}",
        Problem.PRINCIPAL_NOT_OBJECT: "Principal must be a JSON object.",
    }.get(error.problem, "Syntax error in policy.")


def _version(policy: Policy) -> str | None:
    return None if policy.has_variables else "Policy document must be version 2012-10-17 or greater."


def _legacy(policy: Policy) -> str | None:
    for statement in policy.statements:
        if statement.effect not in ("Allow", "Deny"):
            return LEGACY
        for condition in statement.conditions:
            if not all(readable(condition.operator, value) for value in condition.values):
                return LEGACY
        for resource in statement.resources or ():
            segments = resource.split(":", 5)
            if len(segments) > 2 and segments[1] in PARTITIONS:
                region_and_name = len(segments) == 5 and segments[4] and not re.fullmatch(r"[0-9*?]+", segments[4])
                if not segments[2] or region_and_name:
                    return LEGACY
    return None


def _variables(policy: Policy) -> str | None:
    if policy.has_variables:
        for statement in policy.statements:
            texts = [*(statement.resources or ()), *(v for c in statement.conditions for v in c.values)]
            if not all(variables_are_well_formed(text) for text in texts):
                return SYNTAX
    return None


def _no_principal(policy: Policy) -> str | None:
    if any(statement.principals is not None for statement in policy.statements):
        return "Policy document should not specify a principal."
    return None


def _some_principal(policy: Policy) -> str | None:
    for statement in policy.statements:
        if statement.principals is None or statement.principals.is_empty():
            return "Missing required field Principal"
        if statement.not_principal and statement.effect == "Allow":
            return "Allow with NotPrincipal is not allowed."
        if statement.principals.canonical:
            return f'Invalid principal in policy: "CANONICALUSER":"{statement.principals.canonical[0]}"'
        for key, names in (
            ("AWS", statement.principals.aws),
            ("FEDERATED", statement.principals.federated),
            ("SERVICE", statement.principals.service),
        ):
            for name in names:
                if ("*" in name or "?" in name) and (name != "*" or key != "AWS"):
                    return f'Invalid principal in policy: "{key}":"{name}"'
    return None


def _sids(policy: Policy) -> str | None:
    sids = [statement.sid for statement in policy.statements if statement.sid]
    if not all(SID.match(sid) for sid in sids):
        return BAD_SID
    if len(set(sids)) != len(sids):
        return "Statement IDs (SID) in a single policy must be unique."
    return None


def _has_actions(policy: Policy) -> str | None:
    return None if all(s.actions for s in policy.statements) else "Policy statement must contain actions."


def _has_resources(policy: Policy) -> str | None:
    return None if all(s.resources for s in policy.statements) else _NO_RESOURCES


def _no_empty_resources(policy: Policy) -> str | None:
    return _NO_RESOURCES if any(s.resources == () for s in policy.statements) else None


def _resources(policy: Policy) -> str | None:
    return next(_mistakes(policy, lambda statement: statement.resources, _resource), None)


def _actions(policy: Policy) -> str | None:
    return next(_mistakes(policy, lambda statement: statement.actions, _action), None)


def _mistakes(
    policy: Policy, texts: Callable[[Statement], tuple[str, ...] | None], check: Callable[[str], str | None]
) -> Iterator[str]:
    for statement in policy.statements:
        for text in texts(statement) or ():
            if message := check(text):
                yield message


def _resource(resource: str) -> str | None:
    if resource == "*":
        return None
    if ":" not in resource:
        return f'Resource {resource} must be in ARN format or "*".'
    given = resource.split(":", 5)
    segments = [*given, *("*" * (6 - len(given)))]
    prefix, partition, service, region, _, name = segments
    if partition not in PARTITIONS:
        return f'Partition "{partition}" is not valid for resource "{":".join(["arn", *segments[1:]])}".'
    if prefix != "arn":
        return f'Resource {resource} must be in ARN format or "*".'
    if "*" in service or "?" in service:
        return "Resource vendor must be fully qualified and cannot contain regexes."
    if service == "iam":
        if region not in ("", "*"):
            return f"IAM resource {':'.join(segments)} cannot contain region information."
        if name not in ("*", "root") and not name.startswith((*_IAM_KINDS, *_NEWER_IAM_KINDS)):
            return f'IAM resource path must either be "*", root, or start with {", ".join(_IAM_KINDS)}.'
    if service == "s3" and region not in ("", "*") and not name.startswith("accesspoint/"):
        return f"Resource {':'.join(segments)} can not contain region information."
    return None


def _action(action: str) -> str | None:
    if action == "*":
        return None
    vendor, colon, name = action.partition(":")
    if not colon:
        return "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
    if ":" in name:
        return "Actions/Condition can contain only one colon."
    if _VENDOR.match(vendor):
        return None
    if "*" in vendor or "?" in vendor:
        return "Action vendors (e.g., aws, ec2, etc.) must not contain wildcards."
    return f"Vendor {vendor} is not valid"


# fmt: off
UNDER_RESOURCE_CONTROL: Final = frozenset({
    "aoss", "appconfig", "appstream", "autoscaling", "autoscaling-plans", "budgets", "clouddirectory", "cloudfront",
    "cloudsearch", "cloudtrail-data", "codeartifact", "codebuild", "codecommit", "codepipeline", "cognito-identity",
    "cognito-idp", "comprehend", "comprehendmedical", "compute-optimizer", "cost-optimization-hub", "dax", "dsql",
    "dynamodb", "ecr", "ecr-public", "events", "firehose", "fis", "fms", "gamelift", "health", "inspector-scan",
    "kendra", "kinesisvideo", "kms", "logs", "memorydb", "networkmonitor", "notifications", "opensearch",
    "pca-connector-ad", "personalize", "polly", "pricing", "resource-groups", "rolesanywhere", "s3",
    "secretsmanager", "servicediscovery", "signin", "sqs", "sts", "support", "swf", "textract",
    "timestream-influxdb", "transcribe", "transfer", "translate", "wafv2", "workspaces", "xray",
})
# fmt: on
"""The services whose actions a resource control policy may name, as AWS lists them in September 2026 (POL-VA-072)."""


def _resource_control(policy: Policy) -> str | None:
    """What a customer's resource control policy must be (POL-VA-072); Organizations gives every refusal one text."""
    for statement in policy.statements:
        if statement.effect != "Deny" or statement.principals not in _EVERYONE or statement.not_principal:
            return _ORGANIZATIONS
        services = {action.partition(":")[0].lower() for action in statement.actions or ()}
        if statement.not_action or not services <= UNDER_RESOURCE_CONTROL:
            return _ORGANIZATIONS
    return None


_EVERYONE: Final = (Principals(anyone=True), Principals(aws=("*",)))


_OF_ORGANIZATIONS: Final = frozenset({PolicyKind.SERVICE_CONTROL, PolicyKind.RESOURCE_CONTROL})
_IDENTITY: Final[tuple[_Check, ...]] = (
    _legacy,
    _variables,
    _no_principal,
    _sids,
    _has_actions,
    _has_resources,
    _resources,
    _actions,
)
_CHECKS: Final[dict[PolicyKind, tuple[_Check, ...]]] = {
    PolicyKind.MANAGED: (_version, *_IDENTITY),
    PolicyKind.INLINE: _IDENTITY,
    PolicyKind.SESSION: _IDENTITY,
    PolicyKind.SERVICE_CONTROL: _IDENTITY,
    PolicyKind.RESOURCE_CONTROL: (
        _resource_control,
        _legacy,
        _variables,
        _sids,
        _has_actions,
        _has_resources,
        _resources,
        _actions,
    ),
    PolicyKind.RESOURCE: (
        _legacy,
        _variables,
        _some_principal,
        _sids,
        _has_actions,
        _no_empty_resources,
        _resources,
        _actions,
    ),
}
"""The checks of each kind in their order (POL-VA-002, POL-VA-005)."""
