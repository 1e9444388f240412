"""What a statement says and its author can hardly mean: findings about documents that would be stored.

Most are reported by AWS's analyzer too; the codes are our own.  A check looks at one statement; what statements are
to each other is :mod:`locum.policy.overlap`'s subject.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Final

from .condition_advice import CONDITION_CHECKS, ESCAPED
from .document import PolicyKind
from .finding import Draft, Subject, quoted, suggest, warn
from .patterns import match_actions
from .trust import TRUST_ACTIONS

__all__ = ["CHECKS", "STS_ACTIONS"]

STS_ACTIONS: Final = (
    *("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "DecodeAuthorizationMessage"),
    *("GetAccessKeyInfo", "GetCallerIdentity", "GetDelegatedAccessToken", "GetFederationToken"),
    *("GetServiceBearerToken", "GetSessionToken", "GetWebIdentityToken", "SetContext", "SetSourceIdentity"),
    *("TagGetWebIdentityToken", "TagSession"),
)
"""The actions of STS (POL-AC-008)."""

_WHO: Final = (
    *("aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths", "aws:principaltag/"),
    *("aws:sourceaccount", "aws:sourcearn", "aws:sourceip", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourcevpc"),
    *("aws:userid", "aws:username", "aws:vpcsourceip", "sts:externalid"),
)
"""Keys that say who asks or from where; a positive condition on one narrows a wildcard principal."""


def _wide_open(subject: Subject) -> Iterator[Draft]:
    """Elements that allow everything but a list, or everyone."""
    statement = subject.statement
    if statement.not_principal and not subject.allows:
        yield suggest(
            "deny-not-principal",
            "NotPrincipal with Deny is hard to get right",
            subject.element("Principal"),
            "it always hits whoever has a permissions boundary, and a session only if role, session and account are "
            "all listed",
            'deny "Principal": "*" with ArnNotEquals on aws:PrincipalArn instead',
            named=True,
        )
    if not subject.allows:
        return
    if statement.not_action:
        yield warn(
            "allow-not-action",
            "NotAction with Allow allows every other action of every service, those to come included",
            subject.element("Action"),
            "to leave something out, AWS evaluates Deny first",
            "list what is allowed in Action, and put what must not be done into a Deny",
            named=True,
        )
    if statement.not_resource:
        yield warn(
            "allow-not-resource",
            "NotResource with Allow allows every other resource, those of other accounts and those to come included",
            subject.element("Resource"),
            "",
            "list the resources in Resource, and put the exceptions into a Deny",
            named=True,
        )
    passes_role = match_actions(statement.actions or (), generous=False)("iam:passrole") is not statement.not_action
    any_role = statement.not_resource or any(_is_any_role(each) for each in statement.resources or ())
    if passes_role and any_role and not any("passedtoservice" in each.key.lower() for each in statement.conditions):
        yield warn(
            "pass-role",
            "it allows to pass any role to any service, and so to act with the rights of any of them",
            subject.element("Resource"),
            "iam:PassRole is among the actions",
            "name the roles, or add a condition on iam:PassedToService",
            named=True,
        )


def _is_any_role(resource: str) -> bool:
    parts = resource.split(":", 5)
    return resource == "*" or (len(parts) == 6 and parts[2] == "iam" and parts[5] in ("*", "role*", "role/*"))


def _wildcard_principal(subject: Subject) -> Iterator[Draft]:
    principals = subject.statement.principals
    if principals is None or subject.statement.not_principal or not subject.allows:
        return
    if not principals.anyone and "*" not in principals.aws:
        return
    path = subject.element("Principal")
    if not principals.anyone:
        path = (*path, "AWS", principals.aws.index("*"))
    narrowing = [
        each
        for each in subject.statement.conditions
        if each.key.lower().startswith(_WHO)
        and not each.operator.negated
        and not each.operator.if_exists
        and each.operator.base != "Null"
        and each.operator.quantifier != "ForAllValues"
    ]
    if not narrowing:
        yield warn(
            "wildcard-principal",
            "everyone is allowed: every account in the world"
            + ("" if subject.kind is PolicyKind.TRUST else ", and callers without credentials"),
            path,
            "no condition says who it must be or where the call must come from",
            "name the principals, or add a condition on aws:PrincipalOrgID, aws:PrincipalArn, aws:SourceAccount …",
        )


def _trust_fits(subject: Subject) -> Iterator[Draft]:
    """Principals that no action of a trust statement is for (POL-TR-002)."""
    statement, principals = subject.statement, subject.statement.principals
    if subject.kind is not PolicyKind.TRUST or principals is None or statement.not_action or not subject.allows:
        return
    matches = match_actions(statement.actions or (), generous=False)
    for names, element, wanted in (
        ((*principals.aws, *principals.service), "AWS" if principals.aws else "Service", ("sts:assumerole",)),
        (
            principals.federated,
            "Federated",
            ("sts:assumerolewithsaml",)
            if any(":saml-provider/" in each for each in principals.federated)
            else ("sts:assumerolewithwebidentity",),
        ),
    ):
        extra = tuple(each for each in TRUST_ACTIONS if not each.startswith("sts:assumerole"))
        if names and not any(map(matches, (*wanted, *extra))):
            proper = next(each for each in STS_ACTIONS if f"sts:{each}".lower() == wanted[0])
            yield warn(
                "principal-action-mismatch",
                f"these principals call sts:{proper}, which is not among the actions",
                (*subject.element("Principal"), element),
                "so that the statement lets nobody in",
                f'add "sts:{proper}" to Action',
                named=True,
            )


def _broad_subject(subject: Subject) -> Iterator[Draft]:
    """A pattern on the claim that tells tenants apart whose wildcard begins inside the tenant's name."""
    if subject.kind is not PolicyKind.TRUST or not subject.allows:
        return
    for condition, path in subject.conditions:
        operator = condition.operator
        if not condition.key.lower().endswith(":sub") or operator.base != "StringLike" or operator.negated:
            continue
        for index, value in enumerate(condition.values):
            text = ESCAPED.sub("", value)
            fixed = re.split(r"[*?]", text, maxsplit=1)[0]
            tenant = fixed.partition(":")[2] if ":" in fixed else fixed
            if fixed != text and "/" not in tenant and ":" not in tenant:
                yield warn(
                    "broad-subject",
                    f"the pattern {quoted(value)} matches subjects of other tenants of the issuer",
                    (*path, index),
                    "its first wildcard stands before the tenant's name has ended",
                    "write the owner in full, as in repo:OWNER/*",
                )


def _actions(subject: Subject) -> Iterator[Draft]:
    """Actions of STS that do not exist; other services' actions are theirs to know (POL-AC-004)."""
    known = [f"sts:{each}".lower() for each in STS_ACTIONS]
    for index, action in enumerate(subject.statement.actions or ()):
        if action.lower().startswith("sts:") and not any(map(match_actions([action], generous=False), known)):
            near = get_close_matches(action.lower(), known, 1, 0.6)
            yield warn(
                "unknown-action",
                f"there is no action {quoted(action)}",
                (*subject.element("Action"), index),
                "it is stored and never matches",
                f"did you mean sts:{STS_ACTIONS[known.index(near[0])]}?" if near else "",
            )


CHECKS: Final[tuple[Callable[[Subject], Iterator[Draft]], ...]] = (
    _wide_open,
    _wildcard_principal,
    _trust_fits,
    _broad_subject,
    _actions,
    *CONDITION_CHECKS,
)
"""What is looked at in each statement, in this order."""
