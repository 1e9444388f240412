"""What is refused in a role's trust policy when it is stored (policy.md §9.3)."""

from __future__ import annotations

import re
from typing import Final

from ..arn import PARTITIONS, Arn, is_account_id, is_unique_id
from ..errors import MalformedPolicyDocumentException
from .conditions import readable
from .document import Policy, Statement
from .patterns import match_actions, variables_are_well_formed
from .principals import invalid_principal, is_entity_arn

__all__ = ["BAD_SID", "SID", "check_trust_policy"]

TRUST_ACTIONS: Final = (
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:tagsession",
    "sts:setsourceidentity",
    "sts:setcontext",
)
"""The actions that make sense in a trust policy, in lower case (POL-TR-002)."""

SID: Final = re.compile(r"[0-9A-Za-z]*\Z")
BAD_SID: Final = (
    "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
)
"""The form of a Sid, and the refusal of another (POL-VA-027)."""

_SYNTAX: Final = "Syntax error in policy."
_SERVICE: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:amazonaws\.com(?:\.cn)?|amazon\.com|aws\.internal)\Z")
_SESSION: Final = re.compile(r"arn:[a-z-]+:sts::[0-9]{12}:(?:assumed-role/[^*?/]+/[^*?/]+|federated-user/[^*?/]+)\Z")
_PROVIDER: Final = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:(?:oidc-provider/[^*?]+|saml-provider/[^*?/]+)\Z")
_WEB_PROVIDERS: Final = frozenset(
    {"cognito-identity.amazonaws.com", "www.amazon.com", "graph.facebook.com", "accounts.google.com"}
)
_SHARED_ISSUERS: Final = {
    "cognito-identity.amazonaws.com": ":aud",
    "agent.buildkite.com": ":sub",
    "oidc.codefresh.io": ":sub",
    "studio.datachain.ai/api": ":sub",
    "token.actions.githubusercontent.com": ":sub",
    "oidc-configuration.audit-log.githubusercontent.com": ":sub",
    "vstoken.actions.githubusercontent.com": ":sub",
    "gitlab.com": ":sub",
    "scalr.io": ":sub",
    "tokens.cloud.shisho.dev": ":sub",
    "app.terraform.io": ":sub",
    "proidc.upbound.io": ":sub",
    "api.pulumi.com/oidc": ":aud",
    "sandboxes.cloud": ":aud",
    "oidc.vercel.com": ":aud",
}
"""Issuers that many tenants share, and the claim that tells the tenants apart (POL-VA-052)."""
_SENTINEL: Final = "sts.windows.net/33e01921-"


def check_trust_policy(policy: Policy) -> None:
    """Refuse a trust policy that AWS refuses or that cannot be enforced: MalformedPolicyDocumentException."""
    for statement in policy.statements:
        _check_elements(statement)
    sids = [statement.sid for statement in policy.statements if statement.sid]
    if not all(SID.match(sid) for sid in sids):
        raise MalformedPolicyDocumentException(BAD_SID)
    if len(set(sids)) != len(sids):
        raise MalformedPolicyDocumentException("The Statement Ids in the policy are not unique")
    for statement in policy.statements:
        _check_actions(statement)
        _check_principals(statement)
        _check_conditions(statement, variables=policy.has_variables)
        _check_providers(statement)


def _check_elements(statement: Statement) -> None:
    if statement.effect not in ("Allow", "Deny"):
        raise MalformedPolicyDocumentException(f"Invalid effect: {statement.effect}")
    if statement.not_principal:
        raise MalformedPolicyDocumentException("AssumeRole policy must not contain NotPrincipal field.")
    if statement.principals is None:
        raise MalformedPolicyDocumentException("Missing required field Principal")
    if statement.principals.anyone:
        raise MalformedPolicyDocumentException('AssumeRolepolicy contained an invalid principal: "STAR":"*".')
    if statement.principals.is_empty():
        raise MalformedPolicyDocumentException("Missing required field Principal cannot be empty!")
    if not statement.actions:
        raise MalformedPolicyDocumentException("Missing required field Action")
    if statement.resources is not None:
        raise MalformedPolicyDocumentException(
            "AssumeRole policy must not contain resources."
            if statement.not_resource
            else "Has prohibited field Resource"
        )


def _check_actions(statement: Statement) -> None:
    for action in statement.actions or ():
        matches = match_actions([action], generous=False)
        if not action.lower().startswith("sts:") or not any(matches(known) for known in TRUST_ACTIONS):
            raise MalformedPolicyDocumentException("AssumeRole policy may only specify STS AssumeRole actions.")


def _check_principals(statement: Statement) -> None:
    principals = statement.principals
    if principals is None:
        return
    for name in principals.aws:
        if not _is_principal(name):
            raise invalid_principal("AWS", name)
    for name in principals.federated:
        if name not in _WEB_PROVIDERS and not (_PROVIDER.match(name) and Arn.parse(name).partition in PARTITIONS):
            raise invalid_principal("FEDERATED", name)
    for name in principals.service:
        if not _SERVICE.match(name):
            raise invalid_principal("SERVICE", name)
    for name in principals.canonical:
        raise invalid_principal("CANONICALUSER", name)


def _is_principal(name: str) -> bool:
    """Whether a value of ``AWS`` is well formed; that a user or role exists is for the store to say (POL-PR-011)."""
    if name == "*" or is_account_id(name) or is_unique_id(name):
        return True
    try:
        arn = Arn.parse(name)
    except ValueError:
        return False
    if arn.partition not in PARTITIONS:
        return False
    is_root = arn.service == "iam" and not arn.region and is_account_id(arn.account) and arn.resource == "root"
    return is_root or is_entity_arn(name) or _SESSION.match(name) is not None


def _check_conditions(statement: Statement, *, variables: bool) -> None:
    for condition in statement.conditions:
        for value in condition.values:
            if not readable(condition.operator, value) or (variables and not variables_are_well_formed(value)):
                raise MalformedPolicyDocumentException(_SYNTAX)


def _check_providers(statement: Statement) -> None:
    """Refuse to trust a shared issuer, and so all its tenants, without the claim that tells them apart (R9)."""
    if statement.principals is None or statement.effect != "Allow":
        return
    for provider in statement.principals.federated:
        issuer = provider.partition(":oidc-provider/")[2] or provider
        if issuer == "cognito-identity.amazonaws.com" and not statement.conditions:
            raise MalformedPolicyDocumentException("A condition block must be present for the Cognito provider")
        key = "sts:RoleSessionName" if issuer.startswith(_SENTINEL) else None
        if (claim := _SHARED_ISSUERS.get(issuer)) is not None:
            key = issuer + claim
        if key is not None and not _constrains(statement, key):
            raise MalformedPolicyDocumentException(
                f"A condition on {key} must be present for the shared provider {issuer}"
            )


def _constrains(statement: Statement, key: str) -> bool:
    """Whether a statement holds only for some values of a key: a positive test that a missing key fails."""
    return any(
        condition.key.lower() == key.lower()
        and condition.operator.base in ("StringEquals", "StringEqualsIgnoreCase", "StringLike")
        and not condition.operator.negated
        and not condition.operator.if_exists
        and condition.operator.quantifier != "ForAllValues"
        and condition.values
        and not any(condition.operator.base == "StringLike" and not value.strip("*?") for value in condition.values)
        for condition in statement.conditions
    )
