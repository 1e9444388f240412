"""The policy simulator: what policies would decide, asked without doing it (iam_api.md §11, policy.md §19).

Two operations simulate and two name the context keys that a simulation needs; one of each pair takes policies as text,
the other those of a user or role.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from locum.api.iam.service import IAM
from locum.api.iam.types import ArnText, Document, ListedDocument, Marker, MaxItems, PolicyName
from locum.api.shapes import Authorization, Command, Operation, Shape, Target, items, text
from locum.errors import InvalidInputException, NoSuchEntityException, PolicyEvaluationException

__all__ = [
    "COMMANDS",
    "ContextEntry",
    "EvaluationResult",
    "GetContextKeysForCustomPolicyCommand",
    "GetContextKeysForPolicyResponse",
    "GetContextKeysForPrincipalPolicyCommand",
    "InlinePolicyIdentifierType",
    "OrderedOrganizationPolicyType",
    "OrganizationsDecisionDetail",
    "PermissionsBoundaryDecisionDetail",
    "PolicyIdentifier",
    "Position",
    "ResourceSpecificResult",
    "SimulateCustomPolicyCommand",
    "SimulatePolicyResponse",
    "SimulatePrincipalPolicyCommand",
    "Statement",
]

ActionName = Annotated[str, text(3, 128)]
"""The name of an action such as ``s3:GetObject``, without wildcards."""

ResourceName = Annotated[str, text(1, 2048)]
"""The ARN of a resource, of its owner or of a caller."""

HandlingOption = Annotated[str, text(1, 64)]
"""Which scenario of several resources is simulated."""

ContextKeyName = Annotated[str, text(5, 256)]
"""The name of a condition key."""

ContextKeyType = Annotated[
    str,
    text(
        one_of=(
            "string",
            "stringList",
            "numeric",
            "numericList",
            "boolean",
            "booleanList",
            "ip",
            "ipList",
            "binary",
            "binaryList",
            "date",
            "dateList",
        ),
        told=(
            "binary",
            "ipList",
            "booleanList",
            "ip",
            "boolean",
            "numericList",
            "dateList",
            "numeric",
            "date",
            "stringList",
            "string",
            "binaryList",
        ),
    ),
]
"""What the values of a condition key are, and whether it holds several (POL-SM-006)."""

EvaluationDecision = Annotated[str, text(one_of=("allowed", "explicitDeny", "implicitDeny"))]
"""How a simulation came out (POL-SM-001)."""

SourceType = Annotated[str, text(one_of=("user", "group", "role", "aws-managed", "user-managed", "resource", "none"))]
"""The kind of a policy; AWS answers other words than its model lists (IAM-SIM-003)."""

PolicyType = Annotated[str, text(one_of=("inline", "aws-managed", "user-managed", "permission-boundary", "scp", "rcp"))]
"""A kind of policies, to leave them out."""


class ContextEntry(Shape):
    """The values of one condition key in the simulated requests."""

    context_key_name: ContextKeyName | None = None
    context_key_values: tuple[str, ...] = ()
    context_key_type: ContextKeyType | None = None


class OrderedOrganizationPolicyType(Shape):
    """The service control policies of one level between an organization's root and an account."""

    service_control_policy_input_list: tuple[Document, ...] = ()


class InlinePolicyIdentifierType(Shape):
    """An inline policy by its name and the user, group or role that holds it, whose name may have wildcards."""

    policy_name: PolicyName
    attachment_type: Annotated[str, text(one_of=("user", "group", "role"))]
    attachment_name: Annotated[str, text(1, 128, r"[\w+=,.@*?-]+")]


class PolicyIdentifier(Shape):
    """Policies to leave out: exactly one of a kind, an ARN that may have wildcards, and an inline policy."""

    policy_type: PolicyType | None = None
    policy_arn: ArnText | None = None
    inline_policy_identifier: InlinePolicyIdentifierType | None = None


class Position(Shape):
    """A place in the text of a policy; both count from 1."""

    line: int | None = None
    column: int | None = None


class Statement(Shape):
    """A statement that made the decision, and where it stands in its policy (IAM-SIM-003)."""

    source_policy_id: str | None = None
    source_policy_type: SourceType | None = None
    start_position: Position | None = None
    end_position: Position | None = None


class OrganizationsDecisionDetail(Shape):
    """What service control policies say; only where some take part (IAM-SIM-005)."""

    allowed_by_organizations: bool | None = None


class PermissionsBoundaryDecisionDetail(Shape):
    """What the permissions boundary says; only where one takes part."""

    allowed_by_permissions_boundary: bool | None = None


class ResourceSpecificResult(Shape):
    """The decision about one action on one resource."""

    eval_resource_name: ResourceName
    eval_resource_decision: EvaluationDecision
    matched_statements: tuple[Statement, ...] | None = None
    missing_context_values: tuple[ContextKeyName, ...] | None = None
    eval_decision_details: dict[str, EvaluationDecision] | None = None
    permissions_boundary_decision_detail: PermissionsBoundaryDecisionDetail | None = None


class EvaluationResult(Shape):
    """The decision about one action; of several resources the most restrictive one (IAM-SIM-002)."""

    eval_action_name: ActionName
    eval_resource_name: ResourceName | None = None
    eval_decision: EvaluationDecision
    matched_statements: tuple[Statement, ...] | None = None
    missing_context_values: tuple[ContextKeyName, ...] | None = None
    organizations_decision_detail: OrganizationsDecisionDetail | None = None
    permissions_boundary_decision_detail: PermissionsBoundaryDecisionDetail | None = None
    eval_decision_details: dict[str, EvaluationDecision] | None = None
    resource_specific_results: tuple[ResourceSpecificResult, ...] | None = None


class SimulatePolicyResponse(Shape):
    """One page of results, an entry for each action."""

    evaluation_results: tuple[EvaluationResult, ...] = ()
    is_truncated: bool = False
    marker: str | None = None


class SimulateCustomPolicyCommand(Command[SimulatePolicyResponse]):
    """Decide about actions under policies that are given as text (IAM-SIM-001).

    ``resource_arns`` is ``*`` unless given.  ``ordered_organization_policy_input_list`` holds the levels from the
    organization's root to the account (POL-SM-004).  A resource policy needs ``caller_arn``, the ARN of a user.
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "SimulateCustomPolicy",
        Authorization("*"),
        errors=(InvalidInputException, PolicyEvaluationException),
    )

    policy_input_list: tuple[ListedDocument, ...]
    permissions_boundary_policy_input_list: tuple[ListedDocument, ...] = ()
    ordered_organization_policy_input_list: Annotated[tuple[OrderedOrganizationPolicyType, ...], items(most=7)] = ()
    action_names: tuple[ActionName, ...]
    resource_arns: tuple[ResourceName, ...] = ()
    resource_policy: Document | None = None
    resource_owner: ResourceName | None = None
    caller_arn: ResourceName | None = None
    context_entries: tuple[ContextEntry, ...] = ()
    resource_handling_option: HandlingOption | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class SimulatePrincipalPolicyCommand(Command[SimulatePolicyResponse]):
    """Decide about actions under the policies of a user or role, and of others given as text (IAM-SIM-001).

    ``policy_exclusion_list`` leaves policies of the user or role out; a boundary given as text takes the place of its
    own.  ``caller_arn`` is ``policy_source_arn`` unless given.
    """

    operation: ClassVar[Operation] = Operation(
        IAM,
        "SimulatePrincipalPolicy",
        Authorization(Target("policy-source", "policy_source_arn")),
        errors=(NoSuchEntityException, InvalidInputException, PolicyEvaluationException),
    )

    policy_source_arn: ArnText
    policy_input_list: tuple[ListedDocument, ...] = ()
    permissions_boundary_policy_input_list: tuple[ListedDocument, ...] = ()
    policy_exclusion_list: Annotated[tuple[PolicyIdentifier, ...], items(most=256)] = ()
    action_names: tuple[ActionName, ...]
    resource_arns: tuple[ResourceName, ...] = ()
    resource_policy: Document | None = None
    resource_owner: ResourceName | None = None
    caller_arn: ResourceName | None = None
    context_entries: tuple[ContextEntry, ...] = ()
    resource_handling_option: HandlingOption | None = None
    marker: Marker | None = None
    max_items: MaxItems | None = None


class GetContextKeysForPolicyResponse(Shape):
    """The condition keys and variables of the policies, each once (IAM-SIM-007)."""

    context_key_names: tuple[ContextKeyName, ...] | None = None


class GetContextKeysForCustomPolicyCommand(Command[GetContextKeysForPolicyResponse]):
    """Name the context keys that policies given as text use."""

    operation: ClassVar[Operation] = Operation(
        IAM, "GetContextKeysForCustomPolicy", Authorization("*"), errors=(InvalidInputException,)
    )

    policy_input_list: tuple[ListedDocument, ...]


class GetContextKeysForPrincipalPolicyCommand(Command[GetContextKeysForPolicyResponse]):
    """Name the context keys that the policies of a user or role use, and others given as text."""

    operation: ClassVar[Operation] = Operation(
        IAM,
        "GetContextKeysForPrincipalPolicy",
        Authorization(Target("policy-source", "policy_source_arn")),
        errors=(NoSuchEntityException, InvalidInputException),
    )

    policy_source_arn: ArnText
    policy_input_list: tuple[ListedDocument, ...] = ()


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    SimulateCustomPolicyCommand,
    SimulatePrincipalPolicyCommand,
    GetContextKeysForCustomPolicyCommand,
    GetContextKeysForPrincipalPolicyCommand,
)
"""The commands of this module."""
