"""Service control policies and resource control policies: their types, documents and attachments (ORG-010…015)."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from locum.api.organizations.service import ORGANIZATIONS
from locum.api.organizations.types import (
    COMMON,
    MaxResults,
    NextToken,
    Nothing,
    Policy,
    PolicyContent,
    PolicyDescription,
    PolicyId,
    PolicyName,
    PolicySummary,
    PolicyTargetId,
    PolicyTargetSummary,
    PolicyType,
    Root,
    RootId,
    Tags,
)
from locum.api.shapes import Authorization, Command, Operation, Shape, Target
from locum.organization_errors import (
    ConcurrentModificationException,
    ConstraintViolationException,
    DuplicatePolicyAttachmentException,
    DuplicatePolicyException,
    InvalidInputException,
    MalformedPolicyDocumentException,
    PolicyChangesInProgressException,
    PolicyInUseException,
    PolicyNotAttachedException,
    PolicyNotFoundException,
    PolicyTypeAlreadyEnabledException,
    PolicyTypeNotAvailableForOrganizationException,
    PolicyTypeNotEnabledException,
    RootNotFoundException,
    TargetNotFoundException,
    UnsupportedAPIEndpointException,
)

__all__ = [
    "COMMANDS",
    "AttachPolicyCommand",
    "CreatePolicyCommand",
    "CreatePolicyResponse",
    "DeletePolicyCommand",
    "DescribePolicyCommand",
    "DescribePolicyResponse",
    "DetachPolicyCommand",
    "DisablePolicyTypeCommand",
    "DisablePolicyTypeResponse",
    "EnablePolicyTypeCommand",
    "EnablePolicyTypeResponse",
    "ListPoliciesCommand",
    "ListPoliciesForTargetCommand",
    "ListPoliciesForTargetResponse",
    "ListPoliciesResponse",
    "ListTargetsForPolicyCommand",
    "ListTargetsForPolicyResponse",
    "UpdatePolicyCommand",
    "UpdatePolicyResponse",
]

_ROOT: Final = Target("org-place", "root_id")
_POLICY: Final = Target("org-policy", "policy_id")
_TYPE: Final = ("organizations:PolicyType",)
_READING: Final = (*COMMON, InvalidInputException, UnsupportedAPIEndpointException)
_CHANGING: Final = (*_READING, ConcurrentModificationException)


class EnablePolicyTypeResponse(Shape):
    """The root as it is now."""

    root: Root


class EnablePolicyTypeCommand(Command[EnablePolicyTypeResponse]):
    """Let policies of a type have effect; AWS's own allows everything everywhere at first (ORG-010, ORG-011)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "EnablePolicyType",
        Authorization(_ROOT, keys=_TYPE),
        errors=(
            *_CHANGING,
            ConstraintViolationException,
            PolicyTypeAlreadyEnabledException,
            RootNotFoundException,
            PolicyTypeNotAvailableForOrganizationException,
            PolicyChangesInProgressException,
        ),
        read_only=False,
        writes=True,
    )

    root_id: RootId
    policy_type: PolicyType


class DisablePolicyTypeResponse(Shape):
    """The root as it is now."""

    root: Root


class DisablePolicyTypeCommand(Command[DisablePolicyTypeResponse]):
    """End the effect of a type's policies and detach all of them (ORG-011)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "DisablePolicyType",
        Authorization(_ROOT, keys=_TYPE),
        errors=(
            *_CHANGING,
            ConstraintViolationException,
            PolicyTypeNotEnabledException,
            RootNotFoundException,
            PolicyChangesInProgressException,
        ),
        read_only=False,
        writes=True,
    )

    root_id: RootId
    policy_type: PolicyType


class CreatePolicyResponse(Shape):
    """The policy that was made."""

    policy: Policy


class CreatePolicyCommand(Command[CreatePolicyResponse]):
    """Make a policy, whose name is unique among those of its type (ORG-012)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "CreatePolicy",
        Authorization(Target("org-policy", "type", creates=True), keys=(*_TYPE, "aws:RequestTag/", "aws:TagKeys")),
        errors=(
            *_CHANGING,
            ConstraintViolationException,
            DuplicatePolicyException,
            MalformedPolicyDocumentException,
            PolicyTypeNotAvailableForOrganizationException,
        ),
        read_only=False,
        writes=True,
    )

    content: PolicyContent
    description: PolicyDescription
    name: PolicyName
    type: PolicyType
    tags: Tags = ()


class DescribePolicyResponse(Shape):
    """The policy."""

    policy: Policy


class DescribePolicyCommand(Command[DescribePolicyResponse]):
    """Show a policy with its document, as it was given (ORG-023)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "DescribePolicy",
        Authorization(_POLICY, keys=_TYPE),
        errors=(*_READING, PolicyNotFoundException),
    )

    policy_id: PolicyId


class UpdatePolicyResponse(Shape):
    """The policy as it is now."""

    policy: Policy


class UpdatePolicyCommand(Command[UpdatePolicyResponse]):
    """Change a policy's name, description or document; what is left out stays."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "UpdatePolicy",
        Authorization(_POLICY, keys=_TYPE),
        errors=(
            *_CHANGING,
            ConstraintViolationException,
            DuplicatePolicyException,
            MalformedPolicyDocumentException,
            PolicyNotFoundException,
            PolicyChangesInProgressException,
        ),
        read_only=False,
        writes=True,
    )

    policy_id: PolicyId
    name: PolicyName | None = None
    description: PolicyDescription | None = None
    content: PolicyContent | None = None


class DeletePolicyCommand(Command[Nothing]):
    """Delete a policy that is attached nowhere (ORG-014)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "DeletePolicy",
        Authorization(_POLICY, keys=_TYPE),
        errors=(*_CHANGING, PolicyInUseException, PolicyNotFoundException),
        read_only=False,
        writes=True,
    )

    policy_id: PolicyId


class ListPoliciesResponse(Shape):
    """One page of policies, without their documents."""

    policies: tuple[PolicySummary, ...]
    next_token: NextToken | None = None


class ListPoliciesCommand(Command[ListPoliciesResponse]):
    """List the policies of a type, AWS's own first (ORG-015)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS, "ListPolicies", Authorization(keys=_TYPE), errors=_READING
    )

    filter: PolicyType
    next_token: NextToken | None = None
    max_results: MaxResults | None = None


class AttachPolicyCommand(Command[Nothing]):
    """Attach a policy to the root, a unit or an account (ORG-013); permission is asked for both."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "AttachPolicy",
        Authorization(_POLICY, keys=_TYPE),
        errors=(
            *_CHANGING,
            ConstraintViolationException,
            DuplicatePolicyAttachmentException,
            PolicyNotFoundException,
            PolicyTypeNotEnabledException,
            TargetNotFoundException,
            PolicyChangesInProgressException,
        ),
        read_only=False,
        writes=True,
    )

    policy_id: PolicyId
    target_id: PolicyTargetId


class DetachPolicyCommand(Command[Nothing]):
    """Detach a policy; one service control policy must stay (ORG-013).  Permission is asked for both."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "DetachPolicy",
        Authorization(_POLICY, keys=_TYPE),
        errors=(
            *_CHANGING,
            ConstraintViolationException,
            PolicyNotAttachedException,
            PolicyNotFoundException,
            TargetNotFoundException,
            PolicyChangesInProgressException,
        ),
        read_only=False,
        writes=True,
    )

    policy_id: PolicyId
    target_id: PolicyTargetId


class ListPoliciesForTargetResponse(Shape):
    """One page of policies, without their documents."""

    policies: tuple[PolicySummary, ...]
    next_token: NextToken | None = None


class ListPoliciesForTargetCommand(Command[ListPoliciesForTargetResponse]):
    """List the policies of a type that are attached directly to the root, a unit or an account (ORG-015)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "ListPoliciesForTarget",
        Authorization(Target("org-place", "target_id"), keys=_TYPE),
        errors=(*_READING, TargetNotFoundException),
    )

    target_id: PolicyTargetId
    filter: PolicyType
    next_token: NextToken | None = None
    max_results: MaxResults | None = None


class ListTargetsForPolicyResponse(Shape):
    """One page of roots, units and accounts."""

    targets: tuple[PolicyTargetSummary, ...]
    next_token: NextToken | None = None


class ListTargetsForPolicyCommand(Command[ListTargetsForPolicyResponse]):
    """List what a policy is attached to, by id (ORG-015)."""

    operation: ClassVar[Operation] = Operation(
        ORGANIZATIONS,
        "ListTargetsForPolicy",
        Authorization(_POLICY, keys=_TYPE),
        errors=(*_READING, PolicyNotFoundException),
    )

    policy_id: PolicyId
    next_token: NextToken | None = None
    max_results: MaxResults | None = None


COMMANDS: Final[tuple[type[Command[Any]], ...]] = (
    EnablePolicyTypeCommand,
    DisablePolicyTypeCommand,
    CreatePolicyCommand,
    DescribePolicyCommand,
    UpdatePolicyCommand,
    DeletePolicyCommand,
    ListPoliciesCommand,
    AttachPolicyCommand,
    DetachPolicyCommand,
    ListPoliciesForTargetCommand,
    ListTargetsForPolicyCommand,
)
"""The commands of this module."""
