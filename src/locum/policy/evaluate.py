"""The one decision: may this caller do this, under all the policies that apply (policy.md §10…§16, R30).

:func:`decide` follows POL-EV-090: explicit denies of every kind first, then the kinds that must allow.  It answers
which kind decided and by which statements, so that error texts, audit records and explanations share one value.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from ..arn import PARTITIONS
from .compile import CompiledPolicy, CompiledStatement, StatementRef
from .context import Context
from .principals import Principal, PrincipalKind

__all__ = [
    "NEVER",
    "ROOTS",
    "UNDENIABLE",
    "WITHOUT_IDENTITY",
    "Ask",
    "Decision",
    "Effect",
    "Layer",
    "Policies",
    "decide",
    "denial_text",
    "is_exempt_from_scps",
    "is_foreign_partition",
]


class Effect(enum.Enum):
    """How a decision came out."""

    ALLOW = "Allow"
    EXPLICIT_DENY = "ExplicitDeny"
    IMPLICIT_DENY = "ImplicitDeny"


class Layer(enum.Enum):
    """The kinds of policy, by the words of AWS's messages (POL-MSG-004)."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    TRUST = "role trust policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    SERVICE_CONTROL = "service control policy"
    RESOURCE_CONTROL = "resource control policy"


_IN_A: Final = {
    layer: f"{'an' if layer is Layer.IDENTITY else 'the' if layer is Layer.TRUST else 'a'} {layer.value}"
    for layer in Layer
}


class Policies(msgspec.Struct, frozen=True):
    """Every policy that applies to a request.

    ``session`` is None where the session has no session policy, which limits a federated user to nothing
    (POL-SS-003).  ``resource`` is the resource's own policy; ``resource_policy_required`` where it must allow even
    within the account, as trust and key policies must (POL-EV-030).  ``scps`` are the levels from the organization's
    root to the caller's account, None where the stage does not exist; ``rcps`` those of the resource's account, the
    ever-present RCPFullAWSAccess left out.
    """

    identity: tuple[CompiledPolicy, ...] = ()
    boundary: CompiledPolicy | None = None
    session: tuple[CompiledPolicy, ...] | None = None
    resource: CompiledPolicy | None = None
    resource_layer: Layer = Layer.RESOURCE
    resource_policy_required: bool = False
    scps: tuple[tuple[CompiledPolicy, ...], ...] | None = None
    rcps: tuple[tuple[CompiledPolicy, ...], ...] | None = None


class Ask(msgspec.Struct, frozen=True):
    """One question: a caller, one action on one resource, and the context.  Several are combined with AND.

    ``resource`` is an ARN, or ``*`` for actions without resources (POL-RS-009); ``resource_account`` is its owner.
    """

    principal: Principal
    action: str
    resource: str
    resource_account: str
    context: Context


class Decision(msgspec.Struct, frozen=True):
    """The answer: the effect, the kind of policy that made it, and the statements that allowed or denied.

    ``layer`` is None only for the two actions that need no permission.  An implicit deny has no statements.
    """

    effect: Effect
    layer: Layer | None = None
    statements: tuple[StatementRef, ...] = ()
    cross_account: bool = False

    @property
    def allowed(self) -> bool:
        """Whether the request may proceed."""
        return self.effect is Effect.ALLOW

    def reason(self, action: str) -> str:
        """Why not, in the words that follow AWS's denial (STS-E-T32…T38); empty for an allowed request."""
        if self.layer is None or self.effect is Effect.ALLOW:
            return ""
        if self.effect is Effect.EXPLICIT_DENY:
            return f"with an explicit deny in {_IN_A[self.layer]}"
        return f"because no {self.layer.value} allows the {action} action"


def denial_text(caller_arn: str, action: str, resource: str, decision: Decision | None = None) -> str:
    """The message of an AccessDenied (POL-MSG-002, POL-MSG-003).

    ``caller_arn`` is the session's for sessions (POL-MSG-005); an empty ``resource`` leaves it out (STS-E-005);
    without a decision, or across accounts, no reason is given (POL-MSG-007, POL-MSG-008).
    """
    text = f"User: {caller_arn} is not authorized to perform: {action}"
    if resource:
        text += f" on resource: {resource}"
    if decision is None or decision.cross_account:
        return text
    return f"{text} {decision.reason(action)}"


UNDENIABLE: Final = frozenset({"sts:getcalleridentity", "sts:getsessiontoken"})
"""The actions, in lower case, that need no permission (POL-EV-070, POL-EV-071)."""
WITHOUT_IDENTITY: Final = frozenset(
    {PrincipalKind.SERVICE, PrincipalKind.ANONYMOUS, PrincipalKind.WEB_IDENTITY, PrincipalKind.SAML}
)
"""The callers that no identity policy can speak for."""
ROOTS: Final = frozenset({PrincipalKind.ROOT, PrincipalKind.ROOT_SESSION})
"""The callers that need no identity policy (POL-EV-050)."""
_CONFINED: Final = frozenset({PrincipalKind.USER, PrincipalKind.FEDERATED_USER})
"""The callers whose boundary a trust policy cannot exceed (POL-IT-023), so that R11 holds of users and federation."""
NEVER: Final = frozenset(
    {
        (PrincipalKind.WEB_IDENTITY, "sts:assumerole"),
        (PrincipalKind.WEB_IDENTITY, "sts:assumerolewithsaml"),
        (PrincipalKind.SAML, "sts:assumerole"),
        (PrincipalKind.SAML, "sts:assumerolewithwebidentity"),
    }
)
"""Caller and action, in lower case, that no policy brings together (POL-TR-016)."""
_ARN_PREFIXES: Final = {partition: f"arn:{partition}:" for partition in PARTITIONS}
_NEEDS_NOTHING: Final = Decision(Effect.ALLOW)

_DIRECT: Final = "direct"
_LIMITED: Final = "limited"
_DELEGATED: Final = "delegated"


def decide(ask: Ask, policies: Policies) -> Decision:
    """Whether the request is allowed, and what made it so."""
    action = ask.action.lower()
    if action in UNDENIABLE:
        return _NEEDS_NOTHING
    principal = ask.principal
    kind = principal.kind
    cross_account = principal.account != ask.resource_account and kind not in WITHOUT_IDENTITY
    scps = None
    if policies.scps is not None and not is_exempt_from_scps(principal):
        scps = policies.scps
    denied = _explicit_deny(ask, policies, action, scps)
    if denied is not None:
        return Decision(Effect.EXPLICIT_DENY, denied[0], denied[1].reference, cross_account)
    resource, context = ask.resource, ask.context
    for level in scps or ():
        if _allowing(level, action, resource, context) is None:
            return Decision(Effect.IMPLICIT_DENY, Layer.SERVICE_CONTROL, (), cross_account)
    layer = policies.resource_layer
    if action == "sts:assumeroot" and kind not in WITHOUT_IDENTITY:
        return _by_identity(ask, policies, action, cross_account)
    if kind not in WITHOUT_IDENTITY and is_foreign_partition(resource, principal.partition):
        return Decision(Effect.IMPLICIT_DENY, layer, (), cross_account)
    grant, statement = _granted(ask, policies.resource, action)
    if kind in WITHOUT_IDENTITY:
        if statement is None or (kind, action) in NEVER:
            return Decision(Effect.IMPLICIT_DENY, layer)
        return Decision(Effect.ALLOW, layer, statement.reference)
    required = cross_account or policies.resource_policy_required
    if statement is None:
        if required:
            return Decision(Effect.IMPLICIT_DENY, layer, (), cross_account)
        return _by_identity(ask, policies, action, cross_account)
    if kind in ROOTS:
        return Decision(Effect.ALLOW, layer, statement.reference, cross_account)
    if cross_account or grant == _DELEGATED:
        return _by_identity(ask, policies, action, cross_account)
    confined = layer is Layer.TRUST and kind in _CONFINED and policies.boundary is not None
    if confined or grant == _LIMITED:
        short_of = _beyond_limits(ask, policies, action, session=grant == _LIMITED)
        if short_of is not None:
            return Decision(Effect.IMPLICIT_DENY, short_of)
    return Decision(Effect.ALLOW, layer, statement.reference)


def is_exempt_from_scps(principal: Principal) -> bool:
    """Whether service control policies pass a caller by (POL-OR-001, POL-EV-060…062)."""
    return principal.scp_exempt or principal.service_linked or principal.kind in WITHOUT_IDENTITY


def is_foreign_partition(resource: str, partition: str) -> bool:
    """Whether a resource lies in a partition that the caller can never reach (POL-PR-016, POL-XA-007)."""
    if not resource.startswith("arn:"):
        return False
    return not resource.startswith(_ARN_PREFIXES.get(partition) or f"arn:{partition}:")


def _explicit_deny(
    ask: Ask, policies: Policies, action: str, scps: tuple[tuple[CompiledPolicy, ...], ...] | None
) -> tuple[Layer, CompiledStatement] | None:
    """The first Deny that applies, in the order of POL-EV-003."""
    resource, context = ask.resource, ask.context
    if policies.rcps is not None and not ask.principal.service_linked:
        for level in policies.rcps:
            for policy in level:
                statement = _denying_principal(policy, ask, policies, action)
                if statement is not None:
                    return Layer.RESOURCE_CONTROL, statement
    for level in scps or ():
        statement = _denying(level, action, resource, context)
        if statement is not None:
            return Layer.SERVICE_CONTROL, statement
    if policies.resource is not None:
        statement = _denying_principal(policies.resource, ask, policies, action)
        if statement is not None:
            return policies.resource_layer, statement
    statement = _denying(policies.identity, action, resource, context)
    if statement is not None:
        return Layer.IDENTITY, statement
    if policies.boundary is not None:
        statement = _denying((policies.boundary,), action, resource, context)
        if statement is not None:
            return Layer.BOUNDARY, statement
    if policies.session is not None:
        statement = _denying(policies.session, action, resource, context)
        if statement is not None:
            return Layer.SESSION, statement
    return None


def _denying(
    policies: tuple[CompiledPolicy, ...], action: str, resource: str, context: Context
) -> CompiledStatement | None:
    for policy in policies:
        for statement in policy.candidates(action).denies:
            applies = statement.applies
            if applies is None or applies(resource, context):
                return statement
    return None


def _denying_principal(policy: CompiledPolicy, ask: Ask, policies: Policies, action: str) -> CompiledStatement | None:
    for statement in policy.candidates(action).denies:
        if statement.concerns(ask.principal, has_boundary=policies.boundary is not None):
            applies = statement.applies
            if applies is None or applies(ask.resource, ask.context):
                return statement
    return None


def _allowing(
    policies: tuple[CompiledPolicy, ...], action: str, resource: str, context: Context
) -> CompiledStatement | None:
    for policy in policies:
        for statement in policy.candidates(action).allows:
            applies = statement.applies
            if applies is None or applies(resource, context):
                return statement
    return None


def _granted(ask: Ask, policy: CompiledPolicy | None, action: str) -> tuple[str, CompiledStatement | None]:
    """The most that the resource's policy grants the caller, and the statement that grants it (policy.md §11)."""
    if policy is not None and (grants := policy.candidates(action).grants):
        principal, resource, context = ask.principal, ask.resource, ask.context
        for grant, names in (
            (_DIRECT, principal.direct),
            (_LIMITED, principal.limited),
            (_DELEGATED, principal.accounts),
        ):
            for name in names:
                for statement in grants.get(name, ()):
                    applies = statement.applies
                    if applies is None or applies(resource, context):
                        return grant, statement
    return "", None


def _by_identity(ask: Ask, policies: Policies, action: str, cross_account: bool) -> Decision:
    """The caller's side: identity policies, within boundary and session policies; root needs no identity policy."""
    principal = ask.principal
    is_root = principal.kind in ROOTS
    references: tuple[StatementRef, ...] = ()
    if not is_root and not principal.issued_by_root:
        statement = _allowing(policies.identity, action, ask.resource, ask.context)
        if statement is None:
            return Decision(Effect.IMPLICIT_DENY, Layer.IDENTITY, (), cross_account)
        references = statement.reference
    if not is_root:
        short_of = _beyond_limits(ask, policies, action, session=True)
        if short_of is not None:
            return Decision(Effect.IMPLICIT_DENY, short_of, (), cross_account)
    return Decision(Effect.ALLOW, Layer.IDENTITY, references, cross_account)


def _beyond_limits(ask: Ask, policies: Policies, action: str, *, session: bool) -> Layer | None:
    """Whether the boundary or (``session``) the session policies exist and do not allow.

    A federated user without session policies is beyond them (POL-SS-003).
    """
    resource, context = ask.resource, ask.context
    if policies.boundary is not None and _allowing((policies.boundary,), action, resource, context) is None:
        return Layer.BOUNDARY
    if not session:
        return None
    if policies.session is None:
        return Layer.SESSION if ask.principal.kind is PrincipalKind.FEDERATED_USER else None
    return None if _allowing(policies.session, action, resource, context) else Layer.SESSION
